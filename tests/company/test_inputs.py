"""Input files and what they name, mapped as they say: columns, times, numbers, rules, folders."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from input_project import COLUMNS, DEAL_COLUMNS, LEADS, Project

from smarketing.company.inputs import open_company, project_folder
from smarketing.company.reading import embedded_engine
from smarketing.company.tables import SCHEMAS, Company, CompanyError


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


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
        f"co.yml, there is no folder {tmp_path / 'nowhere'} (from the environment variable CO_DATA); correct the name, "
        "or put the files there"
    )
    with pytest.raises(CompanyError) as refused:
        open_company(project.inputs, data=tmp_path / "nowhere")
    assert str(refused.value) == (
        f"co.yml, there is no folder {tmp_path / 'nowhere'} (named by `data`); correct the name, or put the files there"
    )
    monkeypatch.delenv("CO_DATA")
    project.say("  leads: {file: leads.csv}\n", "data: {env: CO_DATA}\n")
    assert project.fault() == (
        "co.yml, where the files are is not set; set the environment variable CO_DATA, the parameter `data` (`check` "
        "takes it as --data), or `folder:` under `data:`"
    )


def test_progress_names_each_file_once(project: Project) -> None:
    project.leads(COLUMNS)
    said: list[str] = []
    open_company(project.inputs, progress=said.append)
    assert said == ["reading leads.csv"]


def test_a_where_can_ask_for_times_and_numbers_as_they_are_mapped(project: Project) -> None:
    project.deals(columns=f"{DEAL_COLUMNS}, where: ours.created_at >= '2024-01-02' or ours.amount > 10")
    assert project.rows("opportunities", "opportunity_id") == [("1",), ("2",)]
    project.deals(columns=f"{DEAL_COLUMNS}, where: ours.created_at >= '2024-01-02' and is_null(ours.amount)")
    assert project.rows("opportunities", "opportunity_id") == [("2",)]
    project.deals(columns=f"{DEAL_COLUMNS}, where: amount > 10")
    assert project.fault() == (
        "co.yml, table `opportunities`, deals.csv, where: a text is compared with a number:\n  amount > 10\n"
        "  ^\nCompare values of one kind. Cells of a CSV file are text: name the canonical column, as in "
        "`ours.created_at`."
    )


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


def test_nothing_is_left_of_the_cells_once_the_tables_are_filled(project: Project) -> None:
    project.leads(COLUMNS)
    company = open_company(project.inputs)
    names = company.backend.con.execute(
        "SELECT table_name FROM information_schema.tables"
    ).fetchall()  # fmt: skip
    assert names == [("leads",)]


def test_a_byte_order_mark_and_newlines_in_cells_are_no_harm(project: Project) -> None:
    (project.folder / "leads.csv").write_bytes(b'\xef\xbb\xbfid,day,source\r\n"1",2024-01-01,"a\r\nb"\r\n2,,c\r\n')
    project.say(f"  leads: {{file: leads.csv, {COLUMNS}, drop_without: {{created_at: blank}}}}\n")
    assert [row[0] for row in project.rows("leads", "lead_id")] == ["1"]


def test_of_two_exports_the_later_file_wins_a_tie(project: Project) -> None:
    project.file("leads-1.csv", "id,day,seen,source\n1,2024-01-01,5,old\n2,2024-01-01,9,newest\n")
    project.file("leads-2.csv", "id,day,seen,source\n1,2024-01-01,5,new\n2,2024-01-01,,never seen\n")
    project.say(f"  leads: {{file: 'leads-*.csv', {COLUMNS}, latest_by: seen}}\n")
    assert sorted(project.rows("leads", "lead_id", "source")) == [("1", "new"), ("2", "newest")]


def test_a_lookup_reads_the_other_file_as_the_first_and_takes_the_first_by_order(project: Project) -> None:
    (project.folder / "leads.csv").write_bytes(
        "id;day;firm\n1;2024-01-01;caf\xe9 \n2;2024-01-01;bar\n".encode("cp1252")
    )
    firms = "no;name;since\n11;caf\xe9;2024\n12;caf\xe9 ;2020\n13;;2019\n"
    (project.folder / "firms.csv").write_bytes(firms.encode("cp1252"))
    lookup = "{file: firms.csv, key: name, value: no, order_by: since}"
    columns = f"columns: {{lead_id: id, created_at: day, account_id: {{column: firm, lookup: {lookup}}}}}"
    project.say(f"  leads: {{file: leads.csv, encoding: cp1252, delimiter: ';', {columns}}}\n")
    assert project.rows("leads", "lead_id", "account_id") == [("1", "12"), ("2", None)]
    project.say(f"  leads: {{file: leads.csv, encoding: cp1252, {columns.replace('key: name', 'key: nam')}}}\n")
    assert project.fault() == (
        "co.yml, table `leads`, leads.csv, columns.account_id.lookup: there is no column `nam` for `key`. "
        "Did you mean `name`?"
    )


def test_the_engine_keeps_within_the_memory_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "select current_setting('memory_limit')"
    monkeypatch.delenv("SMARKETING_ENGINE_MEMORY", raising=False)
    assert embedded_engine().con.execute(asked).fetchone() == ("1.3 GiB",)
    monkeypatch.setenv("SMARKETING_ENGINE_MEMORY", "3GB")
    assert embedded_engine().con.execute(asked).fetchone() == ("2.7 GiB",)
    monkeypatch.setenv("SMARKETING_ENGINE_MEMORY", "lots")
    with pytest.raises(CompanyError) as caught:
        embedded_engine()
    assert str(caught.value) == (
        "the environment variable SMARKETING_ENGINE_MEMORY is 'lots'; write a size, such as 8GB or 500MB"
    )
