"""Malformed input: every mistake is answered with the place, the rows and the remedy, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from input_project import COLUMNS, DEAL_COLUMNS, DEALS, LEADS, Project

from smarketing.company.inputs import check_inputs, open_company
from smarketing.company.tables import CompanyError


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (
            "id,day,closed,amount,state\n1,2024-01-01,,,Wn\n2,2024-01-01,,,Won\n3,2024-01-01,,,\n",
            DEAL_COLUMNS,
            "table `opportunities`, deals.csv: `outcome` (state) is empty in 1 row: row 4. Every row needs one: "
            "correct the file, or leave such rows out by `drop_without: {outcome: why}`\n"
            "table `opportunities`, deals.csv: `outcome` (state) is not one of open, won, lost in 1 row: row 2 'Wn'. "
            "Map their words: `outcome: {column: ..., values: {Closed Won: won, ...}}`",
        ),
        (
            DEALS + "3,2024-01-01,,-5,Won\n4,2024-01-01,,-6.5,Won\n",
            DEAL_COLUMNS,
            "table `opportunities`, deals.csv: `amount` (amount) is below zero in 2 rows: row 4 -5.0, row 5 -6.5. "
            "Correct the file, or leave such rows out by `where:` or the value by `when:`",
        ),
        (
            DEALS + "3,2024-01-01,,1.2.3,Won\n",
            DEAL_COLUMNS,
            "table `opportunities`, deals.csv: `amount` (amount) cannot be read as a number in 1 row: row 4 '1.2.3'. "
            "Take out marks by `remove: ['$', ',']`, or list texts that mean nothing under `nulls:`",
        ),
        (
            DEALS + "3,2024-01-01,NaN,inf,Won\n",
            DEAL_COLUMNS,
            "table `opportunities`, deals.csv: `closed_at` (closed) cannot be read as a time in 1 row: row 4 'NaN'. "
            "Give its format, e.g. `closed_at: {column: ..., format: '%d/%m/%Y'}`, or list words under `nulls:`\n"
            "table `opportunities`, deals.csv: `amount` (amount) cannot be read as a number in 1 row: row 4 'inf'. "
            "Take out marks by `remove: ['$', ',']`, or list texts that mean nothing under `nulls:`",
        ),
        (
            DEALS.replace("2024-01-0", "31.1.202"),
            DEAL_COLUMNS,
            "table `opportunities`, deals.csv: `created_at` (day) cannot be read as a time in 2 rows: row 2 "
            "'31.1.2021', row 3 '31.1.2022'. Say which it is: `created_at: {column: ..., format: '%d.%m.%Y'}`",
        ),
        (
            DEALS,
            DEAL_COLUMNS.replace("created_at: day", "created_at: {column: day, format: '%d/%m/%Y'}"),
            "table `opportunities`, deals.csv: `created_at` (day) cannot be read as a time by '%d/%m/%Y' in 2 rows: "
            "row 2 '2024-01-01', row 3 '2024-01-02'. Give its format, e.g. `created_at: {column: ..., format: "
            "'%d/%m/%Y'}`, or list words under `nulls:`",
        ),
        (
            DEALS.replace("2024-01-01", "2024-01-01T10:00:00Z"),
            DEAL_COLUMNS,
            "table `opportunities`, deals.csv: `created_at` (day) cannot be read as a time in 1 row: row 2 "
            "'2024-01-01T10:00:00Z'. These times carry a time zone: say `utc: true`, and they are shifted to the "
            "company's",
        ),
        (
            DEALS + "1,2024-01-01,,,Won\n1,2024-01-01,,,Won\n2,2024-01-01,,,Won\n",
            DEAL_COLUMNS,
            "table `opportunities`, deals.csv: `opportunity_id` identifies a deal, but it is repeated in 3 rows: "
            "'1' 3 times, '2' 2 times. Remove the doubles, or keep the last of each by "
            "`latest_by: <their time column>`",
        ),
        (
            DEALS + ",2024-01-01,,,Won\n",
            DEAL_COLUMNS,
            "table `opportunities`, deals.csv: `opportunity_id` (id) is empty in 1 row: row 4. Every row needs one: "
            "correct the file, or leave such rows out by `drop_without: {opportunity_id: why}`",
        ),
        (
            "id,day,closed,amount,state\n",
            DEAL_COLUMNS,
            "table `opportunities`, deals.csv: has a header but no rows",
        ),
        (
            DEALS,
            DEAL_COLUMNS.replace("closed_at: closed", "closed_at: closd"),
            "table `opportunities`, deals.csv: there is no column `closd` for `closed_at`. Did you mean `closed`?",
        ),
        (
            DEALS,
            f"{DEAL_COLUMNS}, where: stat == 'Won'",
            "table `opportunities`, deals.csv, where: there is no column 'stat':\n  stat == 'Won'\n  ^\n"
            "Did you mean 'state'?",
        ),
        (
            DEALS,
            f"{DEAL_COLUMNS}, where: state == 'Gone'",
            "table `opportunities`, deals.csv: no row is left after `where` and `drop_without`",
        ),
        (
            DEALS + "3,2024-01-01,,1,Won,extra\n4\n",
            DEAL_COLUMNS,
            "table `opportunities`: deals.csv has 2 rows that cannot be read: row 4: Expected Number of Columns: 5 "
            "Found: 6; row 5: Expected Number of Columns: 5 Found: 1. The header has 5 columns; correct the rows "
            "(often a ',' outside quotes), or list footer rows under `footer:`",
        ),
        (
            DEALS.replace("amount", "id"),
            DEAL_COLUMNS.replace("amount: amount, ", ""),
            "table `opportunities`, deals.csv: the header 'id' stands twice; rename one of the two",
        ),
        (
            DEALS,
            DEAL_COLUMNS.replace("amount: amount", "amount: {constant: much}"),
            "table `opportunities`, deals.csv, columns.amount: the constant 'much' is not a float64",
        ),
    ],
)  # fmt: skip
def test_malformed_files_are_answered_with_rows_and_remedy(
    project: Project, text: str, columns: str, message: str
) -> None:
    project.deals(text.lstrip("\n"), columns)
    expected = [f"co.yml, {line}" if line.startswith("table ") else line for line in message.split("\n")]
    assert "\n".join(project.faults()).split("\n") == expected


def test_all_faults_are_reported_at_once(project: Project) -> None:
    project.file("leads.csv", LEADS)
    project.say("  leads: {file: lead.csv}\n  accounts: {file: 'acc*.csv'}\n  products: {file: leads.xlsx}\n")
    faults = [
        "co.yml, table `leads`: there is no file lead.csv; the data folder holds co.yml, leads.csv",
        "co.yml, table `accounts`: no file matches acc*.csv; the data folder holds co.yml, leads.csv",
        "co.yml, table `products`: there is no file leads.xlsx; the data folder holds co.yml, leads.csv",
    ]
    assert project.faults() == faults
    with pytest.raises(CompanyError) as error:
        open_company(project.inputs)
    assert str(error.value) == "\n- ".join(["co.yml: 3 things are wrong:", *faults])


def test_files_of_other_kinds_and_broken_ones_are_named(project: Project) -> None:
    project.file("leads.parquet", "no parquet")
    project.file("accounts.xlsx", "x")
    project.say("  leads: {file: leads.parquet}\n  accounts: {file: accounts.xlsx}\n")
    first, second = project.faults()
    assert first.startswith("co.yml, table `leads`: leads.parquet is not a readable Parquet file: ")
    assert second == "co.yml, table `accounts`: accounts.xlsx: files are either .csv or .parquet, got .xlsx"


def test_a_file_that_is_not_utf8_is_named_and_read_with_its_encoding(project: Project) -> None:
    (project.folder / "leads.csv").write_bytes("id,day,source\n1,2024-01-01,caf\xe9\n".encode("cp1252"))
    project.say(f"  leads: {{file: leads.csv, {COLUMNS}}}\n")
    assert "is not UTF-8; add `encoding: cp1252` to the source" in project.fault()
    project.say(f"  leads: {{file: leads.csv, {COLUMNS}, encoding: cp1252}}\n")
    assert project.rows("leads", "source") == [("café",)]


def test_a_column_that_one_file_of_a_glob_lacks_is_named(project: Project) -> None:
    project.file("a1.csv", "id,day,source\n1,2024-01-01,web\n")
    project.file("a2.csv", "id,day\n2,2024-01-01\n")
    project.say(f"  leads: {{file: 'a*.csv', {COLUMNS}}}\n")
    assert project.fault() == (
        "co.yml, table `leads`, a*.csv: a2.csv has no column 'source', which other files have; add it, narrow the "
        "glob, or say `optional: true`"
    )
    project.say("  leads: {file: 'a*.csv', columns: {lead_id: id, created_at: day, source: {column: source, "
                "optional: true}}}\n")  # fmt: skip
    assert project.rows("leads", "lead_id", "source") == [("1", "web"), ("2", None)]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "tables: {leads: {file: a.csv, colums: {lead_id: id}}}",
            "co.yml is wrong in 1 place:\n  tables.leads.0.colums: there is no such name. Did you mean 'columns'?",
        ),
        (
            "tables: {lead: {file: a.csv}}",
            "tables.lead: there is no such table. Did you mean 'leads'?",
        ),
        (
            "tables: {leads: {file: a.csv, columns: {lead_ids: id}}}",
            "tables.leads.columns.lead_ids: there is no such column. Did you mean 'lead_id'?",
        ),
        (
            "tables: {leads: {file: a.csv, attributes: {source: x}}}",
            "tables.leads.attributes.source: is a canonical column; map it under `columns`",
        ),
        (
            "tables: {leads: {file: a.csv, table: b}}",
            "a source names either `file` or `table`",
        ),
        (
            "tables: {leads: {table: b}}",
            "tables.leads: with `data`, a source names a `file`",
        ),
        (
            "tables: {leads: {file: a.csv, columns: {lead_id: {constant: x, column: y}}}}",
            "say exactly one of `column`, `constant`, `cases` and `row`",
        ),
        (
            "tables: {leads: {file: a.csv, columns: {created_at: {column: y, format: nonsense}}}}",
            "'nonsense' is not a format such as '%d/%m/%Y' or '%m/%d/%y %I:%M %p'",
        ),
        (
            "tables: {leads: {file: a.csv, where: 'a = 1'}}",
            "this cannot be read:\n  a = 1\n    ^\nWrite == for 'is equal'.",
        ),
        (
            "tables: {leads: {file: a.csv, columns: {source: {column: y, values: {true: web}}}}}",
            "write 'true' in quotes, as it stands in the file",
        ),
        (
            "time_zone: Berlin\ntables: {leads: {file: a.csv}}",
            "time_zone: is not a time zone; write it as Europe/Berlin or America/New_York; got 'Berlin'",
        ),
        (
            "tables: {leads: {file: a.csv, unpivot: {columns: {won: a}}}}",
            "tables.leads.unpivot: is for stage_events only",
        ),
        (
            "tables: {leads: {file: a.csv}}\ndemo: {}",
            "say exactly one of `data`, `demo` and `connection`",
        ),
        (
            "tables: {}",
            "`tables` is missing: map at least `leads` or `opportunities`",
        ),
        (
            "tables: {leads: {file: a.csv}}\nname: Again",
            "co.yml, line 4: this is not YAML: the key 'name' is given twice",
        ),
        (
            "tables: [",
            "this is not YAML",
        ),
    ],
)  # fmt: skip
def test_a_wrong_input_file_is_answered_with_the_place_and_the_right_name(
    project: Project, said: str, message: str
) -> None:
    project.inputs.write_text(f"name: Co\ndata: {{folder: .}}\n{said}\n")
    assert message in project.fault()


def test_a_missing_input_file_names_its_neighbours(project: Project) -> None:
    project.inputs.write_text("")
    assert check_inputs(project.folder / "c.yml") == ["c.yml, there is no input file c.yml; in its folder: co.yml"]
    assert project.fault() == "co.yml: the input file is empty or not a mapping of keys to values"


def test_a_company_without_leads_or_deals_is_refused(project: Project) -> None:
    project.file("accounts.csv", "account_id\n1\n")
    project.say("  accounts: {file: accounts.csv}\n")
    assert project.fault() == "co.yml, neither `leads` nor `opportunities` is filled; mapped are accounts"


def test_a_mapping_of_a_required_column_cannot_be_optional(project: Project) -> None:
    project.leads("columns: {lead_id: id, created_at: {column: began, optional: true}}")
    assert project.fault() == (
        "co.yml, table `leads`, leads.csv: `created_at` is required and cannot be optional; map it"
    )


@given(
    cells=st.lists(
        st.lists(st.text(alphabet="id day,;\"'\n\r0129-:TZ.é\x00|", max_size=12), min_size=1, max_size=4),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_opened_or_answered(tmp_path: Path, cells: list[list[str]]) -> None:
    project = Project(tmp_path)
    text = "\n".join(["id,day,source", *(",".join(row) for row in cells)])
    (project.folder / "leads.csv").write_text(text, encoding="utf-8", newline="")
    project.say(f"  leads: {{file: leads.csv, {COLUMNS}, utc: true}}\n", "time_zone: Europe/Berlin\n")
    assert all(fault.startswith("co.yml, table `leads`") for fault in project.faults())
    (project.folder / "leads.csv").write_text(text.removeprefix("id,day,source\n"), encoding="utf-8", newline="")
    assert all(fault.startswith("co.yml, table `leads`") for fault in project.faults())
