"""The funnel by segment with competing exits on ten million stage events: against SQL by hand and against pandas.

Each way runs in a process of its own, on the same Parquet files, and has to give the same cumulative incidences.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

EVENTS = 10_000_000
SEGMENTS = ("enterprise", "mid-market", "small", "public", "partner")
STAGES = ("mql", "sql", "rejected", "recycled", "won")

COMMON = """
import json, resource, sys, time
from datetime import date
folder, AGES = sys.argv[1], (0, 7, 30, 90, 180)
def answer(start, table):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": time.perf_counter() - start, "peak": peak, "table": table}))
"""

# The database is opened and its files named before the clock starts, here and in the query by hand.
OURS = """
from dataclasses import replace
from smarketing.company.reading import embedded_engine
from smarketing.company.tables import Company
from smarketing.measures.incidence import outcomes
from smarketing.measures.journeys import durations, lead_journeys
from smarketing.measures.scope import Scope
from small_companies import definitions_of
backend = embedded_engine()
names = ("leads", "stage_events")
tables = {name: backend.read_parquet(f"{folder}/{name}.parquet", table_name=name) for name in names}
company = Company("bench", backend, tables, {name: frozenset(t.columns) for name, t in tables.items()})
definitions = definitions_of(funnel=("lead", "mql", "sql", "won"), exits=("rejected", "recycled"))
as_of = date(2026, 6, 30)
start = time.perf_counter()
journeys = lead_journeys(company.known_at(as_of), definitions, Scope(), as_of)
journeys = replace(journeys, table=journeys.table.cache())
table = {}
for stage in ("mql", "sql", "won"):
    for segment, one in outcomes(durations(journeys, "lead", stage), by="segment").items():
        curves = [[one.curves.at(kind, age) for age in AGES] for kind in (stage, "rejected", "recycled")]
        table[f"{segment} {stage}"] = [[one.n], *curves]
answer(start, table)
"""

BY_HAND = """
import duckdb
import numpy as np
backend = duckdb.connect()
backend.execute("set enable_progress_bar = false")
for name in ("leads", "stage_events"):
    backend.sql(f"create view {name} as select * from read_parquet('{folder}/{name}.parquet')")
start = time.perf_counter()
rows = backend.execute('''
with first_times as (
    select subject_id,
        min("at") filter (where stage = 'mql') as mql,
        min("at") filter (where stage = 'sql') as sql,
        min("at") filter (where stage = 'won') as won,
        min("at") filter (where stage = 'rejected') as rejected,
        min("at") filter (where stage = 'recycled') as recycled
    from stage_events
    where subject_kind = 'lead' and coalesce(spell, 1) = 1 and "at" < timestamp '2026-07-01'
    group by subject_id
), journeys as materialized (
    select segment, created_at, least(mql, sql, won) as mql, least(sql, won) as sql, won,
        least(rejected, recycled) as gone, if(rejected = least(rejected, recycled), 'rejected', 'recycled') as way
    from leads left join first_times on subject_id = lead_id
    where created_at < timestamp '2026-07-01'
), ends as (
    select segment, created_at, gone, way, 'mql' as stage, mql as reached from journeys
    union all select segment, created_at, gone, way, 'sql', sql from journeys
    union all select segment, created_at, gone, way, 'won', won from journeys
), steps as (
    select segment, stage, created_at, gone, way, reached,
        reached < coalesce(date_trunc('day', gone) + interval 1 day, timestamp '9999-12-31') as hit
    from ends
), ages as (
    select segment, stage, case when hit then stage when gone is not null then way end as way,
        date_diff('day', created_at, case when hit then reached else coalesce(gone, timestamp '2026-06-30') end) as age
    from steps
)
select segment, stage, age, way, count(*) from ages where age >= 0 group by segment, stage, age, way
''').fetchall()
table = {}
for segment, stage in sorted({row[:2] for row in rows}):
    mine = [row[2:] for row in rows if row[:2] == (segment, stage)]
    longest = max(age for age, _, _ in mine)
    left = {k: np.zeros(longest + 1) for k in (stage, "rejected", "recycled", None)}
    for age, kind, n in mine:
        left[kind][age] += n
    exits = left[stage] + left["rejected"] + left["recycled"]
    n = exits.sum() + left[None].sum()
    at_risk = n - np.concatenate([[0], np.cumsum(exits + left[None])[:-1]])
    before = np.concatenate([[1], np.cumprod(1 - exits / at_risk)[:-1]])
    curves = {k: np.cumsum(before * left[k] / at_risk) for k in (stage, "rejected", "recycled")}
    table[f"{segment} {stage}"] = [[n], *([curves[k][a] for a in AGES] for k in (stage, "rejected", "recycled"))]
answer(start, table)
"""

# Only what both ways on the engine begin with: the scan, first times by lead and the join with the leads.
BARE = """
import duckdb
backend = duckdb.connect()
backend.execute("set enable_progress_bar = false")
for name in ("leads", "stage_events"):
    backend.sql(f"create view {name} as select * from read_parquet('{folder}/{name}.parquet')")
start = time.perf_counter()
backend.execute('''
select max(mql), max(sql), max(won), max(rejected), max(recycled), max(segment), max(created_at)
from leads left join (
    select subject_id,
        min("at") filter (where stage = 'mql') as mql,
        min("at") filter (where stage = 'sql') as sql,
        min("at") filter (where stage = 'won') as won,
        min("at") filter (where stage = 'rejected') as rejected,
        min("at") filter (where stage = 'recycled') as recycled
    from stage_events
    where subject_kind = 'lead' and coalesce(spell, 1) = 1 and "at" < timestamp '2026-07-01'
    group by subject_id
) on subject_id = lead_id
where created_at < timestamp '2026-07-01'
''').fetchall()
answer(start, {})
"""

PANDAS = """
import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import CumIncidenceRight
np.seterr(divide="ignore", invalid="ignore")
start = time.perf_counter()
end = pd.Timestamp("2026-07-01")
events = pd.read_parquet(f"{folder}/stage_events.parquet")
leads = pd.read_parquet(f"{folder}/leads.parquet")
events = events[(events["subject_kind"] == "lead") & (events["spell"].fillna(1) == 1) & (events["at"] < end)]
first = events.groupby(["subject_id", "stage"])["at"].min().unstack()
rows = leads[leads["created_at"] < end].merge(first, left_on="lead_id", right_index=True, how="left")
gone = rows[["rejected", "recycled"]].min(axis=1)
left_by = np.where(rows["rejected"] == gone, 2, 3)
table = {}
for stage, later in (("mql", ["mql", "sql", "won"]), ("sql", ["sql", "won"]), ("won", ["won"])):
    hit = rows[later].min(axis=1)
    hit = hit.where(gone.isna() | (hit < gone.dt.normalize() + pd.Timedelta(days=1)))
    last = hit.fillna(gone).fillna(pd.Timestamp("2026-06-30"))
    age = (last.dt.normalize() - rows["created_at"].dt.normalize()).dt.days.to_numpy()
    status = np.where(hit.notna(), 1, np.where(gone.notna(), left_by, 0))
    for segment, mine in rows.reset_index(drop=True).groupby("segment").groups.items():
        keep = mine[age[mine] >= 0]
        # statsmodels leaves those out who are 0 days old: their clock starts a day earlier.
        found = CumIncidenceRight(age[keep] + 1, status[keep])
        at = [np.searchsorted(found.times, a + 1, side="right") - 1 for a in AGES]
        curves = [[float(curve[i]) if i >= 0 else 0.0 for i in at] for curve in found.cinc]
        table[f"{segment} {stage}"] = [[len(keep)], *curves]
answer(start, table)
"""


@dataclass(frozen=True)
class Run:
    """Seconds, peak resident bytes and the resulting incidences of one way."""

    seconds: float
    peak: float
    table: dict[str, list[list[float]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Leads and ten million stage events of theirs over 18 months, as a CRM would export them."""
    folder = tmp_path_factory.mktemp("funnel")
    rng, per_lead = np.random.default_rng(3), np.array([0, 1, 2, 3, 5])
    count = rng.choice(per_lead, 6_000_000, p=[0.1, 0.3, 0.3, 0.2, 0.1])
    leads = int(np.searchsorted(np.cumsum(count), EVENTS)) + 1
    count = count[:leads]
    second = np.datetime64("2025-01-01", "s") + rng.integers(0, 545 * 86_400, leads)
    names = pa.array(np.char.add("L", np.char.zfill(np.arange(leads).astype(str), 8)))
    pq.write_table(
        pa.table(
            {
                "lead_id": names,
                "created_at": pa.array(second.astype("datetime64[us]")),
                "account_id": pa.array(np.char.add("A", (np.arange(leads) // 3).astype(str))),
                "segment": pa.DictionaryArray.from_arrays(
                    pa.array(rng.integers(0, len(SEGMENTS), leads), pa.int32()), pa.array(SEGMENTS)
                ).cast(pa.string()),
            }
        ),
        folder / "leads.parquet",
    )
    lead = np.repeat(np.arange(leads), count)
    at = second[lead] + rng.exponential(30 * 86_400, len(lead)).astype(np.int64)
    order = np.argsort(at, kind="stable")
    stage = rng.choice(len(STAGES), len(lead), p=[0.35, 0.25, 0.15, 0.15, 0.1])
    pq.write_table(
        pa.table(
            {
                "subject_id": names.take(pa.array(lead[order])),
                "subject_kind": pa.repeat("lead", len(lead)),
                "stage": pa.DictionaryArray.from_arrays(pa.array(stage[order], pa.int32()), pa.array(STAGES)).cast(
                    pa.string()
                ),
                "spell": pa.array(np.ones(len(lead), dtype=np.int64)),
                "at": pa.array(at[order].astype("datetime64[us]")),
            }
        ),
        folder / "stage_events.parquet",
    )
    assert len(lead) >= EVENTS
    return folder


def run(script: str, folder: Path) -> Run:
    """Run a way in a new process that can see the tests' own modules."""
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({tests!r})\n{COMMON}{script}", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    return Run(**json.loads(done.stdout))


@pytest.mark.bench
def test_ten_million_stage_events_by_segment(folder: Path) -> None:
    # The fastest of three runs each, in turns: other work on the machine slows one of them.
    pairs = [(run(OURS, folder), run(BY_HAND, folder)) for _ in range(3)]
    ours, by_hand = (min(runs, key=lambda r: r.seconds) for runs in zip(*pairs, strict=True))
    in_pandas, bare = run(PANDAS, folder), min(run(BARE, folder).seconds for _ in range(3))
    print(
        f"ours {ours.seconds:.2f} s, {max(o.peak for o, _ in pairs) / 1e9:.2f} GB; by hand {by_hand.seconds:.2f} s, "
        f"{by_hand.peak / 1e9:.2f} GB; pandas and statsmodels {in_pandas.seconds:.1f} s, {in_pandas.peak / 1e9:.2f} GB"
        f"; the engine's bare group-by and join {bare:.2f} s"
    )
    assert sorted(ours.table) == sorted(f"{segment} {stage}" for segment in SEGMENTS for stage in ("mql", "sql", "won"))
    for segment in ours.table:
        for one, other, third in zip(
            ours.table[segment], by_hand.table[segment], in_pandas.table[segment], strict=True
        ):
            assert one == pytest.approx(other, abs=1e-9)
            assert one == pytest.approx(third, abs=1e-9)
    assert ours.seconds < 1.3 * by_hand.seconds
    # Two cores of this engine cannot: the bare group-by and join took 5.3 processor seconds (2.7 on two), pandas 24.
    assert ours.seconds < in_pandas.seconds / 10
    assert max(o.peak for o, _ in pairs) < 2e9
