"""The demo company's files: the same bytes, the canonical columns, nothing after the as-of day, dirt as stated."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from smarketing.company.demo import DemoTruth, build_demo, is_built, read_truth, write
from smarketing.company.demo.attributes import ATTRIBUTES
from smarketing.company.demo.world import stream
from smarketing.company.tables import SCHEMAS

ARROW_KINDS = {
    "string": "string",
    "int64": "int64",
    "double": "float64",
    "bool": "boolean",
    "timestamp[us]": "timestamp",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoTruth]:
    folder = tmp_path_factory.mktemp("company") / "demo"
    return folder, build_demo(folder)


@pytest.fixture
def sql(demo: tuple[Path, DemoTruth]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for table in write.TABLES:
        connection.execute(f"create view {table} as select * from '{demo[0]}/{table}.parquet'")
    return connection


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def test_the_same_arguments_give_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    build_demo(tmp_path / "a", leads=3_000, seed=3)
    build_demo(tmp_path / "b", leads=3_000, seed=3)
    build_demo(tmp_path / "c", leads=3_000, seed=4)
    first, again, other = (bytes_of(tmp_path / name) for name in "abc")
    assert first == again
    assert first["leads.parquet"] != other["leads.parquet"]


@pytest.mark.parametrize(
    "table",
    [
        "opportunity_history", "owners", "dirt.leads", "touches", "activities", "assignments.nurture_mail",
        "assignments.exec_dinner", "a new one",
    ],
)  # fmt: skip
def test_a_table_that_draws_more_leaves_the_others_as_they_were(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def thirsty(seed: int, name: str, chunk: int = 0) -> np.random.Generator:
        rng = stream(seed, name, chunk)
        if name == table:
            rng.random(10)
        return rng

    build_demo(tmp_path / "before", leads=2_000)
    for module in (
        "accounts", "activities", "attributes", "catalogue", "deals", "dirt", "experiments", "journeys", "leads",
        "touches",
    ):  # fmt: skip
        monkeypatch.setattr(f"smarketing.company.demo.{module}.stream", thirsty)
    build_demo(tmp_path / "after", leads=2_000)
    before, after = bytes_of(tmp_path / "before"), bytes_of(tmp_path / "after")
    changed = {name for name in before if name.endswith(".parquet") and before[name] != after[name]}
    replied = {"assignments.parquet", "activities.parquet"}
    assert changed <= (replied if table.startswith("assignments") else {f"{table.removeprefix('dirt.')}.parquet"})
    assert changed or table == "a new one"


def test_chunks_are_put_together_without_repeating_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "CHUNK_LEADS", 1_500)
    lines: list[str] = []
    truth = build_demo(tmp_path / "demo", leads=4_000, progress=lines.append)
    assert [line.split(",")[0] for line in lines] == ["leads 1", "leads 3", "leads 4", "adding up the truth"]
    for table, key in (
        ("leads", "lead_id"),
        ("accounts", "account_id"),
        ("opportunities", "opportunity_id"),
        ("touches", "touch_id"),
    ):
        found = duckdb.sql(f"select count(*), count(distinct {key}) from '{tmp_path}/demo/{table}.parquet'").fetchall()
        assert found == [(truth.rows[table], truth.rows[table])]


@pytest.mark.parametrize("table", write.TABLES)
def test_tables_have_the_canonical_columns(table: str, demo: tuple[Path, DemoTruth]) -> None:
    schema = pq.read_schema(demo[0] / f"{table}.parquet")
    kinds = {item.name: ARROW_KINDS[str(item.type)] for item in schema}
    assert kinds == {**SCHEMAS[table].columns, **ATTRIBUTES.get(table, {})}
    found = pq.read_table(demo[0] / f"{table}.parquet")
    assert len(found) == demo[1].rows[table]
    assert all(found.column(name).null_count == 0 for name in SCHEMAS[table].required)


# Of the company as it was before leads and accounts had attributes: 300 leads, seed 7.
FIRST_COLUMNS = {
    "accounts": (11, "34d41aa6f3367f75"),
    "owners": (8, "3258ece8029b0a08"),
    "products": (3, "9dcaec0a7ebafc62"),
    "campaigns": (3, "5ec5ba4a02b35c06"),
    "leads": (8, "9d04aa6a022a0b0c"),
    "stage_events": (7, "09bbfc384a62ca74"),
    "opportunities": (16, "725dea4b63dcba85"),
    "opportunity_history": (5, "2079c8e15656adc2"),
}


def test_what_was_added_left_the_first_tables_and_columns_as_they_were(tmp_path: Path) -> None:
    build_demo(tmp_path / "demo", leads=300)
    for table, (columns, digest) in FIRST_COLUMNS.items():
        found = pq.read_table(tmp_path / "demo" / f"{table}.parquet")
        rows = repr(found.select(found.column_names[:columns]).to_pylist())
        assert hashlib.sha256(rows.encode()).hexdigest()[:16] == digest, table


# Of the company as it was before there were experiments: 300 leads, seed 7, all columns.
BEFORE_EXPERIMENTS = {
    "accounts": "64e38bb4a7dc0e86",
    "leads": "a9177d59b85cffc8",
    "touches": "4290eb3f2e06f99c",
    "scores": "ffb13143d9740a7b",
    "activities": "eeed139238fb5e26",
}


def test_experiments_left_all_other_rows_as_they_were(tmp_path: Path) -> None:
    truth = build_demo(tmp_path / "demo", leads=300)
    for table, digest in BEFORE_EXPERIMENTS.items():
        rows = pq.read_table(tmp_path / "demo" / f"{table}.parquet").to_pylist()
        kept = [row for row in rows if row.get("kind") != "reply"]
        assert hashlib.sha256(repr(kept).encode()).hexdigest()[:16] == digest, table
        assert (len(kept) < len(rows)) == (table == "activities")
        assert len(rows) == truth.rows[table]


def test_sizes_are_those_of_a_real_pipeline(sql: duckdb.DuckDBPyConnection, demo: tuple[Path, DemoTruth]) -> None:
    assert demo[1].rows["leads"] == 20_000
    assert 8_000 < number(sql, "select count(*) from stage_events where stage = 'mql' and spell = 1") < 10_000
    assert 2_300 < demo[1].rows["opportunities"] < 3_200
    assert 550 < number(sql, "select count(*) from opportunities where outcome = 'won'") < 900
    assert 0.07 < number(sql, "select count(*) from opportunities where lead_id is null") / 2_900 < 0.13
    assert number(sql, "select count(*) from stage_events where spell = 2") > 100


def test_nothing_is_known_after_the_as_of_day(sql: duckdb.DuckDBPyConnection) -> None:
    for table, column in (
        ("leads", "created_at"), ("accounts", "created_at"), ("stage_events", '"at"'), ("opportunities", "created_at"),
        ("opportunities", "closed_at"), ("opportunity_history", '"at"'), ("touches", '"at"'), ("activities", '"at"'),
        ("scores", '"at"'), ("assignments", "assigned_at"),
    ):  # fmt: skip
        last = sql.execute(f"select max({column}) from {table}").fetchall()[0][0]
        assert last < datetime(2026, 11, 16), (table, column)
    assert sql.execute("select min(created_at)::date, max(created_at)::date from leads").fetchall() == [
        (date(2024, 7, 1), date(2026, 11, 15))
    ]


def test_deals_agree_with_their_events_and_their_history(sql: duckdb.DuckDBPyConnection) -> None:
    assert number(sql, """
        select count(*) from opportunities o full join (
            select subject_id, min("at") filter (stage = 'opportunity') as opened,
                max("at") filter (stage in ('won', 'lost')) as closed,
                coalesce(max(stage) filter (stage in ('won', 'lost')), 'open') as outcome
            from stage_events where subject_kind = 'opportunity' group by 1
        ) e on subject_id = opportunity_id
        where o.created_at is distinct from opened or o.closed_at is distinct from closed
            or o.outcome is distinct from e.outcome""") == 0  # fmt: skip
    assert number(sql, """
        select count(*) from opportunities o full join (
            select opportunity_id, min("at") as opened, arg_max(stage, "at") as stage, arg_max(amount, "at") as amount,
                arg_max(expected_close, "at") as expected_close, count(distinct "at") = count(*) as ordered
            from opportunity_history group by 1
        ) h using (opportunity_id)
        where o.created_at is distinct from opened or o.stage is distinct from h.stage
            or o.amount is distinct from h.amount or o.expected_close is distinct from h.expected_close
            or not ordered""") == 0  # fmt: skip
    assert number(sql, "select count(*) from opportunities where (outcome = 'open') != (closed_at is null)") == 0
    assert number(sql, "select count(*) from opportunities where outcome != 'lost' and loss_reason is not null") == 0


def test_events_of_a_lead_come_in_order(sql: duckdb.DuckDBPyConnection, demo: tuple[Path, DemoTruth]) -> None:
    rank = "list_position(['lead', 'mql', 'sal', 'sql', 'recycled'], replace(stage, 'rejected', 'sal'))"
    backwards = f"""
        select count(*) from (
            select subject_id, "at", spell * 10 + {rank} as place, lead_id is not null as known,
                lag("at") over (partition by subject_id order by spell, {rank}) as earlier
            from stage_events left join leads on lead_id = subject_id where subject_kind = 'lead'
        ) where known and "at" <= earlier"""
    assert number(sql, backwards) == demo[1].dirt["events before creation"]


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("duplicate accounts", "select count(*) - count(distinct domain) from accounts"),
        ("leads of unknown accounts", "select count(*) from leads anti join accounts using (account_id)"),
        ("deals without account", "select count(*) from opportunities where account_id is null"),
        (
            "events of unknown leads",
            "select count(*) from stage_events anti join leads on lead_id = subject_id where subject_kind = 'lead'",
        ),
        (
            "events before creation",
            'select count(*) from stage_events join leads on lead_id = subject_id where "at" < created_at',
        ),
        ("losses without reason", "select count(*) from opportunities where outcome = 'lost' and loss_reason is null"),
        ("blank sources", "select count(*) from leads where source is null"),
        ("unknown sources", "select count(*) from leads where source = 'unknown'"),
    ],
)
def test_dirty_rows_are_as_many_as_stated(
    kind: str, query: str, sql: duckdb.DuckDBPyConnection, demo: tuple[Path, DemoTruth]
) -> None:
    assert number(sql, query) == demo[1].dirt[kind] > 0


def test_every_reference_but_the_dirty_ones_is_found(sql: duckdb.DuckDBPyConnection) -> None:
    for child, column, parent, key in (
        ("leads", "owner_id", "owners", "owner_id"),
        ("leads", "campaign_id", "campaigns", "campaign_id"),
        ("opportunities", "account_id", "accounts", "account_id"),
        ("opportunities", "lead_id", "leads", "lead_id"),
        ("opportunities", "owner_id", "owners", "owner_id"),
        ("opportunities", "product", "products", "product"),
        ("stage_events", "actor_id", "owners", "owner_id"),
        ("touches", "lead_id", "leads", "lead_id"),
        ("touches", "account_id", "accounts", "account_id"),
        ("touches", "campaign_id", "campaigns", "campaign_id"),
        ("activities", "lead_id", "leads", "lead_id"),
        ("activities", "opportunity_id", "opportunities", "opportunity_id"),
        ("activities", "owner_id", "owners", "owner_id"),
        ("scores", "subject_id", "leads", "lead_id"),
    ):
        query = (
            f"select count(*) from {child} c anti join {parent} p on p.{key} = c.{column} where {column} is not null"
        )
        assert number(sql, query) == 0, (child, column)


def test_truth_is_read_back_as_it_was(demo: tuple[Path, DemoTruth]) -> None:
    assert read_truth(demo[0]) == demo[1]
    with pytest.raises(KeyError, match=re.escape("no truth is stated for ('mql', 'won', 'all time', ")):
        demo[1].incidence("mql", "won", age=30)
    with pytest.raises(ValueError, match="got a source and a region; the truth is stated for one of them at a time"):
        demo[1].incidence("mql", "sal", age=30, source="Webinar", region="EMEA")


def test_a_built_company_is_known_by_its_arguments_its_simulator_and_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    assert not is_built(folder, leads=1_000)
    build_demo(folder, leads=1_000)
    assert is_built(folder, leads=1_000)
    assert not is_built(folder, leads=1_001)
    assert not is_built(folder, leads=1_000, seed=8)
    assert not is_built(folder, leads=1_000, as_of=date(2026, 11, 14))
    with monkeypatch.context() as patch:
        patch.setattr(write, "world_version", lambda: "a later simulator")
        assert not is_built(folder, leads=1_000)
    (folder / "leads.parquet").write_bytes(b"cut")
    assert not is_built(folder, leads=1_000)


def test_an_interrupted_build_leaves_the_last_company_and_no_half_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    build_demo(folder, leads=1_000)
    before = bytes_of(folder)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(write, "make_history", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build_demo(folder, leads=2_000)
    with pytest.raises(KeyboardInterrupt):
        build_demo(tmp_path / "new", leads=2_000)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert bytes_of(folder) == before


def test_a_rebuilt_company_replaces_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    build_demo(folder, leads=1_000)
    build_demo(folder, leads=1_200)
    assert is_built(folder, leads=1_200)
    assert json.loads((folder / "manifest.json").read_text())["leads"] == 1_200
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_what_cannot_be_built_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    whole = f"{tmp_path} holds something other than a demo company; choose an empty or a new folder."
    with pytest.raises(FileExistsError, match=f"^{re.escape(whole)}$"):
        build_demo(tmp_path)
    with pytest.raises(ValueError, match=r"^leads is 10; a demo company has at least 200\.$"):
        build_demo(tmp_path / "demo", leads=10)
    with pytest.raises(ValueError, match=r"^seed is -1; it must be 0 or more\.$"):
        build_demo(tmp_path / "demo", seed=-1)
    whole = "as_of is 2024-08-01; the demo company begins on 2024-07-01 and needs at least 90 days of history."
    with pytest.raises(ValueError, match=f"^{re.escape(whole)}$"):
        build_demo(tmp_path / "demo", as_of=date(2024, 8, 1))
    whole = f"{tmp_path / 'truth.json'} does not exist; build the demo company first with `smarketing demo`."
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(whole)}$"):
        read_truth(tmp_path)


@pytest.mark.parametrize("as_of", [date(2024, 9, 29), date(2025, 7, 31), date(2028, 2, 29)])
def test_any_as_of_day_and_the_smallest_company_work(as_of: date, tmp_path: Path) -> None:
    truth = build_demo(tmp_path / "demo", leads=200, as_of=as_of)
    assert truth.as_of == as_of
    assert truth.rows["leads"] == 200
    assert is_built(tmp_path / "demo", leads=200, as_of=as_of)
