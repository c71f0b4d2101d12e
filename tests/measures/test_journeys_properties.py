"""Random histories against the rules written a second time in plain Python, on both engines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from small_companies import EXITS, FUNNEL, company_of, definitions_of
from smarketing.measures.incidence import ALL, outcomes
from smarketing.measures.journeys import Durations, durations, lead_journeys
from smarketing.measures.scope import Scope

BEGIN = datetime(2026, 1, 1)
AS_OF = date(2026, 2, 15)
STEPS = [("lead", "won"), ("lead", "sql"), ("mql", "sql"), ("sql", "opportunity")]

# Half of the times are dates only, as CRMs write them.
moments = st.builds(
    lambda day, hour: BEGIN + timedelta(days=day, hours=hour), st.integers(0, 60), st.sampled_from([0, 0, 9, 17])
)


@dataclass(frozen=True)
class History:
    """What happened to one lead: its events, and its deals as (opened, closed, outcome)."""

    created: datetime
    account: str | None
    events: list[tuple[str, datetime, int | None]]
    deals: list[tuple[datetime, datetime | None, str]]


closings = st.one_of(
    st.tuples(moments, st.none(), st.just("open")), st.tuples(moments, moments, st.sampled_from(["won", "lost"]))
)
histories = st.builds(
    History,
    moments,
    st.sampled_from([None, "x", "y"]),
    st.lists(
        st.tuples(st.sampled_from(["mql", "sql", "rejected", "recycled"]), moments, st.sampled_from([None, 1, 2])),
        max_size=5,
    ),
    st.lists(closings, max_size=2),
)
companies = st.lists(histories, min_size=1, max_size=25).filter(
    lambda several: any(h.created.date() <= AS_OF for h in several)
)


def replay(history: History) -> dict[str, Any] | None:
    """Walk through one lead's history; None where the lead is not known yet. Passes after the first do not count.

    No deal's pass is logged here, so a deal belongs to the latest pass that had begun by the day it was opened.
    """
    known = datetime.combine(AS_OF, datetime.max.time())
    if history.created > known:
        return None
    happened = [(at, stage) for stage, at, spell in history.events if at <= known and spell in (None, 1)]
    again = min((at.date() for _, at, spell in history.events if at <= known and spell == 2), default=date.max)
    for opened, closed, outcome in history.deals:
        if closed is not None and opened <= known and closed <= known and closed.date() < opened.date():
            return None  # closed before it opened: nothing can be told from it
        if opened <= known and opened.date() < again:
            happened.append((opened, "opportunity"))
            if closed is not None and closed <= known:
                happened.append((closed, outcome))
    exits = sorted((at, EXITS.index(stage), stage) for at, stage in happened if stage in EXITS)
    if exits:
        happened = [(at, stage) for at, stage in happened if at.date() <= exits[0][0].date()]
    reached = {"lead": history.created}
    for place, name in enumerate(FUNNEL[1:], 1):
        times = [at for at, stage in happened if stage in FUNNEL[place:]]
        if times:
            reached[name] = min(times)
    won = "won" in reached
    return {
        "reached": reached,
        "exit": None if won or not exits else exits[0][2],
        "end": None if won or not exits else exits[0][0],
    }


def observe(told: dict[str, Any], stage: str, to_stage: str) -> tuple[int, str | None] | None:
    """Age at the end of a step and the exit; None where the step was not entered or ends before it starts."""
    if stage not in told["reached"]:
        return None
    start = told["reached"][stage].date()
    way = to_stage if to_stage in told["reached"] else told["exit"]
    end = told["reached"].get(to_stage, told["end"])
    age = ((AS_OF if end is None else end.date()) - start).days
    return None if age < 0 else (age, way)


def frames_of(several: list[History]) -> dict[str, pd.DataFrame]:
    leads = [(f"L{i}", h.created, h.account) for i, h in enumerate(several)]
    events = [(f"L{i}", "lead", stage, at, spell) for i, h in enumerate(several) for stage, at, spell in h.events]
    deals = [
        (f"D{i}.{j}", f"L{i}", opened, closed, outcome)
        for i, h in enumerate(several)
        for j, (opened, closed, outcome) in enumerate(h.deals)
    ]
    named = {
        "leads": (leads, ["lead_id", "created_at", "account_id"]),
        "stage_events": (events, ["subject_id", "subject_kind", "stage", "at", "spell"]),
        "opportunities": (deals, ["opportunity_id", "lead_id", "created_at", "closed_at", "outcome"]),
    }
    return {name: pd.DataFrame(rows, columns=columns).astype(object) for name, (rows, columns) in named.items()}


def assert_replayed(engine: ibis.BaseBackend, several: list[History]) -> None:
    company = company_of(engine, frames_of(several)).known_at(AS_OF)
    journeys = lead_journeys(company, definitions_of(), Scope(), AS_OF)
    # Kept in the engine, as a view keeps them: the steps are asked of the same rows.
    journeys = replace(journeys, table=journeys.table.cache())
    told = {f"L{i}": replay(h) for i, h in enumerate(several)}
    expected = {name: one for name, one in told.items() if one is not None}
    rows = journeys.table.execute().set_index("subject_id")
    assert sorted(rows.index) == sorted(expected)
    for name, one in expected.items():
        row = rows.loc[name]
        reached = {stage: row[f"reached_{stage}"] for stage in FUNNEL if not pd.isna(row[f"reached_{stage}"])}
        assert reached == one["reached"], name
        assert (None if pd.isna(row["exit"]) else row["exit"]) == one["exit"]
        assert (None if pd.isna(row["exit_at"]) else row["exit_at"]) == one["end"]
    for stage, to_stage in STEPS:
        steps = durations(journeys, stage, to_stage)
        seen = {name: found for name, one in expected.items() if (found := observe(one, stage, to_stage)) is not None}
        assert rows_of(steps) == seen
        if (stage, to_stage) == STEPS[0]:
            assert_ends_add_up(steps, seen)


def rows_of(steps: Durations) -> dict[str, tuple[int, str | None]]:
    rows = steps.table.select("subject_id", "last_age", "exit").to_pyarrow().to_pylist()
    return {row["subject_id"]: (row["last_age"], row["exit"]) for row in rows}


def assert_ends_add_up(steps: Durations, seen: dict[str, tuple[int, str | None]]) -> None:
    """Won, every other exit and still open are 1 together at every age; every journey is in exactly one of them."""
    found = outcomes(steps)
    if not seen:
        assert found == {}
        return
    one = found[ALL]
    assert one.n == len(seen)
    ended = {kind: float(exits.sum()) for kind, exits in one.counts.exits.items()}
    assert ended == {kind: float(sum(way == kind for _, way in seen.values())) for kind in steps.kinds}
    assert one.counts.censored.sum() + sum(ended.values()) == len(seen)
    total = one.curves.survival + np.sum(list(one.curves.cumulative.values()), axis=0)
    assert total == pytest.approx(np.ones(len(total)), abs=1e-12)


@settings(max_examples=16, deadline=None)
@given(companies)
def test_random_histories_are_replayed_on_duckdb(several: list[History]) -> None:
    assert_replayed(ibis.duckdb.connect(), several)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(companies)
def test_random_histories_are_replayed_on_postgresql(postgres: ibis.BaseBackend, several: list[History]) -> None:
    assert_replayed(postgres, several)
