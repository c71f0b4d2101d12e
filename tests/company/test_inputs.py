"""Input files and what they name: every mistake is answered with the place, the rows and the remedy."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smarketing.company.inputs import check_inputs, open_company, project_folder
from smarketing.company.tables import SCHEMAS, Company, CompanyError

LEADS = """
id,day,source
1,2024-01-01,web
2,2024-01-02,
3,2024-01-03,unknown
"""
DEALS = """
id,day,closed,amount,state
1,2024-01-01,2024-02-01,10.5,Won
2,2024-01-02,,,Open
"""
DEAL_COLUMNS = "columns: {opportunity_id: id, created_at: day, closed_at: closed, amount: amount, outcome: OUTCOME}"
DEAL_COLUMNS = DEAL_COLUMNS.replace("OUTCOME", "{column: state, values: {Won: won, Lost: lost, Open: open}}")


class Project:
    """A folder with one input file and its data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs = folder / "co.yml"

    def file(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text.lstrip("\n"), encoding="utf-8")

    def say(self, tables: str, head: str = "") -> None:
        where = "" if "data:" in head else "data: {folder: .}\n"
        self.inputs.write_text(f"name: Co\n{where}{dedent(head)}tables:\n{tables}", encoding="utf-8")

    def leads(self, source: str, text: str = LEADS, head: str = "") -> None:
        self.file("leads.csv", text)
        self.say(f"  leads: {{file: leads.csv, {source}}}\n", head)

    def deals(self, text: str = DEALS, columns: str = DEAL_COLUMNS) -> None:
        self.file("deals.csv", text)
        self.say(f"  opportunities: {{file: deals.csv, {columns}}}\n")

    def faults(self) -> list[str]:
        return check_inputs(self.inputs)

    def fault(self) -> str:
        (fault,) = self.faults()
        return fault

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        company = open_company(self.inputs)
        return [tuple(row[c] for c in columns) for row in company.table(table).to_pyarrow().to_pylist()]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


COLUMNS = "columns: {lead_id: id, created_at: day, source: source}"


def test_every_canonical_column_is_there_and_typed_whatever_is_mapped(project: Project) -> None:
    project.leads(COLUMNS)
    company = open_company(project.inputs)
    kinds = {name: str(kind).split("(")[0] for name, kind in company.table("leads").schema().items()}
    assert kinds == dict(SCHEMAS["leads"].columns)
    assert company.recorded["leads"] == {"lead_id", "created_at", "source"}
    assert project.rows("leads", "lead_id", "source", "owner_id") == [
        ("1", "web", None),
        ("2", None, None),
        ("3", "unknown", None),
    ]


def test_a_column_that_is_mapped_but_empty_is_not_recorded(project: Project) -> None:
    project.leads(COLUMNS, "id,day,source\n1,2024-01-01,\n")
    assert open_company(project.inputs).recorded["leads"] == {"lead_id", "created_at"}


def test_headers_that_are_canonical_names_need_no_mapping(project: Project) -> None:
    project.leads("attributes: all", "Lead ID,Created At,Job Level,e-mail\n1,2024-01-01,VP,a@example.test\n")
    assert project.rows("leads", "lead_id", "created_at", "job_level") == [("1", datetime(2024, 1, 1), "VP")]
    assert open_company(project.inputs).notes == ("table `leads`, leads.csv: personal columns are left out: e-mail",)


def test_csv_parquet_and_globs_stack(project: Project) -> None:
    project.file("a1.csv", "id,day\n1,2024-01-01\n")
    project.file("a2.csv", "id;day\n2;2024-01-02\n")
    days = pa.array([datetime(2024, 1, 3)], pa.timestamp("ms"))
    pq.write_table(pa.table({"id": pa.array([3]), "day": days, "size": [1.5]}), project.folder / "b.parquet")
    project.say(
        "  leads:\n    - {file: a*.csv, columns: {lead_id: id, created_at: day}}\n"
        "    - {file: b.parquet, columns: {lead_id: id, created_at: day}, attributes: [size]}\n"
    )
    assert sorted(project.rows("leads", "lead_id", "created_at", "size")) == [
        ("1", datetime(2024, 1, 1), None),
        ("2", datetime(2024, 1, 2), None),
        ("3", datetime(2024, 1, 3), "1.5"),
    ]
    assert [(source.name, source.rows) for source in open_company(project.inputs).sources] == [
        ("a1.csv", 1),
        ("a2.csv", 1),
        ("b.parquet", 1),
    ]


def test_parquet_stays_where_it_is(project: Project) -> None:
    pq.write_table(pa.table({"lead_id": ["1"], "created_at": [datetime(2024, 1, 3)]}), project.folder / "leads.parquet")
    project.say("  leads: {file: leads.parquet}\n")
    company = open_company(project.inputs)
    tables = company.backend.con.execute("SELECT count(*) FROM duckdb_tables()").fetchone()[0]
    assert (tables, company.table("leads").count().to_pyarrow().as_py()) == (0, 1)


@pytest.mark.parametrize(
    ("cell", "how", "expected"),
    [
        ("2024-01-31", "", datetime(2024, 1, 31)),
        ("2024-01-31 09:30", "", datetime(2024, 1, 31, 9, 30)),
        ("2024-01-31T09:30:15", "", datetime(2024, 1, 31, 9, 30, 15)),
        ("2024-01-31 23:30:00", "utc: true", datetime(2024, 2, 1, 0, 30)),
        ("2024-01-31", "utc: true", datetime(2024, 1, 31)),
        ("2024-01-31T23:30:00Z", "utc: true", datetime(2024, 2, 1, 0, 30)),
        ("2024-01-31T23:30:00.000+0000", "utc: true", datetime(2024, 2, 1, 0, 30)),
        ("2024-01-31 23:30:00+02:00", "utc: true", datetime(2024, 1, 31, 22, 30)),
        ("2024-07-31 23:30:00", "utc: true", datetime(2024, 8, 1, 1, 30)),
        ("2024-01-31 23:30:00", "utc: true, date: true", datetime(2024, 1, 31)),
        ("31/01/2024", "format: '%d/%m/%Y', utc: true", datetime(2024, 1, 31)),
        ("02/23/26 08:55 PM", "format: ['%d/%m/%Y', '%m/%d/%y %I:%M %p']", datetime(2026, 2, 23, 20, 55)),
        ("02/23/26 11:55 PM", "format: '%m/%d/%y %I:%M %p', utc: true", datetime(2026, 2, 24, 0, 55)),
        ("2024-01-31 09:30:00", "format: ['%d/%m/%Y', iso]", datetime(2024, 1, 31, 9, 30)),
    ],
)
def test_times_are_read_in_the_companys_zone_and_days_never_move(
    project: Project, cell: str, how: str, expected: datetime
) -> None:
    columns = f"columns: {{lead_id: id, created_at: {{column: day, {how}}}}}"
    project.leads(columns, f"id,day\n1,{cell}\n", head="time_zone: Europe/Berlin\n")
    assert project.rows("leads", "created_at") == [(expected,)]


def test_numbers_flags_constants_and_cases(project: Project) -> None:
    project.file("accounts.csv", 'id,staff,revenue,target,tier\n1,"1,250",$2.5,Yes,A \n2,,n/a,0,B\n3,7.0,-,,\n')
    project.file("leads.csv", LEADS)
    project.say(
        "  leads: {file: leads.csv, columns: {lead_id: id, created_at: day}}\n"
        "  accounts:\n"
        "    file: accounts.csv\n"
        "    nulls: ['-']\n"
        "    columns:\n"
        "      account_id: id\n"
        "      employees: {column: staff, remove: ',', blank: '0'}\n"
        "      annual_revenue: {column: revenue, remove: $, scale: 1000000, nulls: n/a}\n"
        "      target_account: target\n"
        "      country: {constant: France}\n"
        "      industry: {column: tier, values: {A: retail}, when: tier == 'A', otherwise: other}\n"
        "      created_at: {constant: 2024-01-31}\n"
        "      region:\n"
        "        cases: [{when: is_true(target), then: North}, {when: is_null(tier), then: South}]\n"
        "        otherwise: East\n"
        "    attributes: {tier_rank: {column: tier, values: {A: '1', B: '2'}, type: int64}}\n"
    )
    columns = ("employees", "annual_revenue", "target_account", "country", "industry", "region", "tier_rank")
    assert project.rows("accounts", *columns, "created_at") == [
        (1250, 2_500_000.0, True, "France", "retail", "North", 1, datetime(2024, 1, 31)),
        (0, None, False, "France", "other", "East", 2, datetime(2024, 1, 31)),
        (7, None, None, "France", "other", "South", None, datetime(2024, 1, 31)),
    ]


def test_rows_are_kept_dropped_and_renewed_by_declared_rules_and_counted(project: Project) -> None:
    text = "id,day,seen,kind\n1,2024-01-01,1,a\n1,2024-01-02,2,a\n2,,1,a\n3,2024-01-03,1,b\n"
    project.leads(
        "columns: {lead_id: id, created_at: day}, latest_by: seen, where: kind == 'a', "
        "drop_without: {created_at: never began}",
        text,
    )
    assert project.rows("leads", "lead_id", "created_at") == [("1", datetime(2024, 1, 2))]
    assert open_company(project.inputs).notes == (
        "leads: 2 rows of leads.csv left out by where: kind == 'a', latest_by: seen",
        "leads: 1 row of leads.csv without `created_at` left out: never began",
    )


def test_the_folder_comes_from_the_argument_then_the_variable_then_the_file(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params" / "inputs").mkdir(parents=True)
    project.inputs = tmp_path / "params" / "inputs" / "co.yml"
    for place in ("argument", "variable", "file"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "leads.csv").write_text(f"id,day\n{place},2024-01-01\n")
    project.say(
        "  leads: {file: leads.csv, columns: {lead_id: id, created_at: day}}\n", "data: {env: CO_DATA, folder: file}\n"
    )
    assert project_folder(project.inputs) == tmp_path.resolve()

    def lead(company: Company) -> str:
        return company.table("leads").lead_id.max().to_pyarrow().as_py()

    assert lead(open_company(project.inputs)) == "file"
    monkeypatch.setenv("CO_DATA", str(tmp_path / "variable"))
    assert lead(open_company(project.inputs)) == "variable"
    assert lead(open_company(project.inputs, data=tmp_path / "argument")) == "argument"
    monkeypatch.setenv("CO_DATA", str(tmp_path / "nowhere"))
    assert project.fault() == (
        f"co.yml, there is no folder {tmp_path / 'nowhere'} (from the environment variable CO_DATA)"
    )
    monkeypatch.delenv("CO_DATA")
    project.say("  leads: {file: leads.csv}\n", "data: {env: CO_DATA}\n")
    assert project.fault() == (
        "co.yml, where the files are is not set; set the environment variable CO_DATA, `--data <folder>`, or "
        "`folder:` under `data:`"
    )


def test_progress_names_each_file_once(project: Project) -> None:
    project.leads(COLUMNS)
    said: list[str] = []
    open_company(project.inputs, progress=said.append)
    assert said == ["reading leads.csv"]


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
            DEAL_COLUMNS,
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


def test_typed_columns_have_nulls_too_and_must_be_what_they_fill(project: Project) -> None:
    table = pa.table({"id": ["1", "2"], "day": [datetime(2024, 1, 1)] * 2, "size": [0.0, 2.5], "tags": [["a"], ["b"]]})
    pq.write_table(table, project.folder / "leads.parquet")
    columns = "columns: {lead_id: id, created_at: day}, attributes: {size: {column: size, type: float64, nulls: '0'}}"
    project.say(f"  leads: {{file: leads.parquet, {columns}}}\n")
    assert project.rows("leads", "size") == [(None,), (2.5,)]
    project.say("  leads: {file: leads.parquet, columns: {lead_id: id, created_at: size}}\n")
    assert project.fault() == (
        "co.yml, table `leads`, leads.parquet, columns.created_at: a column of type float64 is not a time"
    )
    project.say(f"  leads: {{file: leads.parquet, {columns.replace('column: size', 'column: tags')}}}\n")
    assert project.fault() == (
        "co.yml, table `leads`, leads.parquet, columns.size: a column of type array<string> is not a number"
    )


def test_an_optional_source_without_rows_is_noted_and_not_mapped(project: Project) -> None:
    project.file("spend.csv", "campaign_id,at,amount\n1,2024-01-01,\n")
    project.file("owners.csv", "owner_id\n")
    project.file("leads.csv", LEADS)
    project.say(
        "  leads: {file: leads.csv, columns: {lead_id: id, created_at: day}}\n"
        "  spend: {file: spend.csv, optional: true, drop_without: {amount: no cost}}\n"
        "  owners: {file: owners.csv, optional: true}\n"
    )
    company = open_company(project.inputs)
    assert set(company.tables) == {"leads"}
    assert company.notes == (
        "spend: 1 row of spend.csv without `amount` left out: no cost",
        "owners: owners.csv has no rows",
    )


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


def test_a_byte_order_mark_and_newlines_in_cells_are_no_harm(project: Project) -> None:
    (project.folder / "leads.csv").write_bytes(b'\xef\xbb\xbfid,day,source\r\n"1",2024-01-01,"a\r\nb"\r\n2,,c\r\n')
    project.say(f"  leads: {{file: leads.csv, {COLUMNS}, drop_without: {{created_at: blank}}}}\n")
    assert [row[0] for row in project.rows("leads", "lead_id")] == ["1"]


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
            "say exactly one of `column`, `constant` and `cases`",
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


def test_nothing_is_left_of_the_cells_once_the_tables_are_filled(project: Project) -> None:
    project.leads(COLUMNS)
    company = open_company(project.inputs)
    names = company.backend.con.execute(
        "SELECT table_name FROM information_schema.tables"
    ).fetchall()  # fmt: skip
    assert names == [("leads",)]
