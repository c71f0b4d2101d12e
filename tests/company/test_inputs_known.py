"""What an input file says for the lead score: what is known before first contact, exports without days, rows as ids."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from input_project import Project

from small_companies import company_of, leads_of, times
from smarketing.company.inputs import open_company

LEADS = """
Id,Created,Lead Source,Quality,City,Bought
1,2024-01-01,web,high,Pune,1
2,2024-01-02,,low,,0
"""
COLUMNS = "columns: {lead_id: Id, created_at: Created, source: Lead Source}, attributes: [Quality, City]"
FLAT = "undated: true, columns: {lead_id: Id}, attributes: {bought: {column: Bought, type: boolean}, city: City}"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_columns_are_declared_by_our_name_or_by_their_header(project: Project) -> None:
    project.leads(f"{COLUMNS}, known: {{before: [Lead Source, city], after: QUALITY}}", LEADS)
    assert open_company(project.inputs).known == {"leads": {"source": "before", "city": "before", "quality": "after"}}
    project.leads(COLUMNS, LEADS)
    assert open_company(project.inputs).known == {}


def test_one_header_that_fills_two_columns_declares_both(project: Project) -> None:
    both = COLUMNS.replace("attributes: [Quality, City]", "attributes: {city: City, town: City}")
    project.leads(f"{both}, known: {{before: City}}", LEADS)
    assert open_company(project.inputs).known == {"leads": {"city": "before", "town": "before"}}


def test_a_declared_column_may_be_absent_where_it_is_optional(project: Project) -> None:
    optional = COLUMNS.replace("[Quality, City]", "{size: {column: Size, optional: true}}")
    project.leads(f"{optional}, known: {{before: [size, Size], after: source}}", LEADS)
    assert open_company(project.inputs).known == {"leads": {"source": "after"}}


def test_a_declaration_outlives_the_cut_at_a_day(project: Project) -> None:
    project.leads(f"{COLUMNS}, known: {{before: source}}", LEADS)
    assert open_company(project.inputs).known_at(date(2024, 1, 1)).known == {"leads": {"source": "before"}}


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (
            "{before: [Citty]}",
            "co.yml, table `leads`, leads.csv, known.before: there is no column `Citty`. Did you mean 'City'?",
        ),
        (
            "{after: [qualty]}",
            "co.yml, table `leads`, leads.csv, known.after: there is no column `qualty`. Did you mean 'quality'?",
        ),
        (
            "{before: [Bought]}",
            "co.yml, table `leads`, leads.csv, known.before: nothing is filled from the column `Bought`; keep it under "
            "`attributes`, or take it out of the list",
        ),
        (
            "{before: [City], after: [city]}",
            "co.yml, table `leads`, leads.csv, known: `city` (City) is declared `before` and `after`; leave it in one "
            "of them",
        ),
        (
            "{before: [City], after: [City]}",
            "co.yml is wrong in 1 place:\n  tables.leads.0.known: 'City' stands under `before` and under `after`; "
            "leave it in one of them.",
        ),
        (
            "{befor: [City]}",
            "co.yml is wrong in 1 place:\n  tables.leads.0.known.befor: there is no such name. Did you mean 'before'?",
        ),
    ],
)
def test_a_declaration_that_fits_no_column_is_refused(project: Project, known: str, message: str) -> None:
    project.leads(f"{COLUMNS}, known: {known}", LEADS)
    assert project.fault() == message


def test_sources_of_a_table_declare_together_and_do_not_contradict(project: Project) -> None:
    project.file("a.csv", LEADS)
    project.file("b.csv", LEADS.replace("\n1,", "\n3,").replace("\n2,", "\n4,"))
    source = "    - {{file: {name}, {columns}, known: {known}}}\n"

    def say(second: str) -> None:
        sources = [("a.csv", "{before: [City]}"), ("b.csv", second)]
        parts = [source.format(name=name, columns=COLUMNS, known=known) for name, known in sources]
        project.say("  leads:\n" + "".join(parts))

    say("{after: [Quality]}")
    assert open_company(project.inputs).known == {"leads": {"city": "before", "quality": "after"}}
    say("{after: [City]}")
    assert project.fault() == (
        "co.yml, table `leads`, known: one source declares `city` as filled in `before` and another as `after`; say "
        "the same in both"
    )


def test_a_flat_export_has_leads_without_days(project: Project) -> None:
    project.leads(FLAT, LEADS)
    company = open_company(project.inputs)
    assert project.rows("leads", "lead_id", "created_at", "bought", "city") == [
        ("1", None, True, "Pune"),
        ("2", None, False, None),
    ]
    assert not company.records("leads", "created_at")
    assert not company.has_days
    assert company.known_at(date(1999, 1, 1)).table("leads").count().execute() == 2


def test_a_header_that_is_called_created_at_is_not_read_in_a_flat_export(project: Project) -> None:
    project.leads("undated: true", "lead_id,created_at\n1,soon\n")
    assert not open_company(project.inputs).has_days


STAGES = (
    "  stage_events: {file: leads.csv, columns: {subject_id: Id, subject_kind: {constant: lead}, stage: Quality, "
    "at: Created}}\n"
)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            "  leads: {file: leads.csv, undated: true, columns: {lead_id: Id, created_at: Created}}\n",
            "tables.leads: is `undated`, and maps `created_at`; take one of the two out.",
        ),
        (
            "  leads: {file: leads.csv, undated: true, columns: {lead_id: Id}}\n" + STAGES,
            "tables.stage_events: its rows have days, and leads are `undated`, so they cannot be put in order; map "
            "`created_at` of leads, or leave stage_events out.",
        ),
        (
            "  leads: {file: leads.csv, columns: {lead_id: Id, created_at: Created}}\n"
            "  accounts: {file: leads.csv, undated: true, columns: {account_id: Id}}\n",
            "tables.accounts.undated: is for leads only.",
        ),
        (
            "  leads:\n    - {file: leads.csv, undated: true, columns: {lead_id: Id}}\n"
            "    - {file: leads.csv, columns: {lead_id: Id}}\n",
            "tables.leads: some of its sources are `undated` and some are not; leave one kind out.",
        ),
    ],
)
def test_an_export_is_flat_as_a_whole_or_not_at_all(project: Project, tables: str, message: str) -> None:
    project.file("leads.csv", LEADS)
    project.say(tables)
    assert project.fault() == f"co.yml is wrong in 1 place:\n  the file: {message}"


def test_rows_are_numbered_in_the_order_of_the_file(project: Project) -> None:
    lines = "".join(f"{10_000 - number}\n" for number in range(1, 3_001))
    row = "columns: {lead_id: {row: true}}, attributes: {value: {column: value, type: int64}, place: ROW}"
    project.leads(f"undated: true, {row.replace('ROW', '{row: true, type: int64}')}", f"value\n{lines}")
    rows = sorted(project.rows("leads", "lead_id", "value", "place"))
    assert rows == [(f"R{number:07}", 10_000 - number, number) for number in range(1, 3_001)]


def test_rows_keep_their_number_when_others_are_left_out(project: Project) -> None:
    project.leads("columns: {lead_id: {row: true}, created_at: Created}, where: Quality == 'low'", LEADS)
    assert project.rows("leads", "lead_id") == [("R0000002",)]


def test_more_rows_than_the_id_has_digits_for_keep_all_their_digits() -> None:
    from smarketing.company.numbering import row_number
    from smarketing.company.reading import FileRead, Raw

    table = ibis.memtable(pd.DataFrame({"__row": [9_999_999 + 1, 12_345_678 + 1]}))
    raw = Raw("a.csv", table, (), (FileRead("a.csv", "aa", 2),), is_text=True)
    found = row_number(raw, table, "string", "here")
    assert table.select(id=found).order_by("id").to_pyarrow()["id"].to_pylist() == ["R12345678", "R9999999"]


def test_rows_of_parquet_files_are_numbered_too(project: Project) -> None:
    pq.write_table(pa.table({"value": [3, 1, 2]}), project.folder / "leads.parquet")
    project.say(
        "  leads: {file: leads.parquet, undated: true, columns: {lead_id: {row: true}}, "
        "attributes: {value: {column: value, type: int64}}}\n"
    )
    assert sorted(project.rows("leads", "lead_id", "value")) == [("R0000001", 3), ("R0000002", 1), ("R0000003", 2)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "file: lead*.csv, undated: true, columns: {lead_id: {row: true}}",
            "`row: true` numbers the rows of one file, and 2 files match lead*.csv; name a column of theirs",
        ),
        (
            "file: leads.csv, undated: true, columns: {lead_id: Id}, attributes: {odd: {row: true, type: boolean}}",
            "`row: true` gives a text or a number, and this is a boolean; name a column of theirs",
        ),
    ],
)
def test_rows_that_have_no_number_are_refused(project: Project, source: str, message: str) -> None:
    project.file("leads.csv", LEADS)
    project.file("leads2.csv", LEADS)
    project.say(f"  leads: {{{source}}}\n")
    assert project.fault().endswith(message)


def test_scores_and_assignments_are_cut_at_the_day(engine: ibis.BaseBackend) -> None:
    given = pd.DataFrame({"subject_id": ["A", "A"], "system": "crm", "at": times("2026-01-01", "2026-02-01")})
    arms = pd.DataFrame(
        {
            "experiment": "e",
            "unit_kind": "lead",
            "unit_id": ["A", "B", "C"],
            "arm": ["x", "y", "x"],
            "assigned_at": times("2026-01-01", "2026-02-01", None),
        }
    )
    tables = {"leads": leads_of(("A", "2026-01-01")), "scores": given, "assignments": arms}
    known = company_of(engine, tables).known_at(date(2026, 1, 31))
    assert known.table("scores").count().execute() == 1
    assert sorted(known.table("assignments").unit_id.execute()) == ["A", "C"]
