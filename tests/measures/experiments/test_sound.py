"""Planted faults block a verdict, clean experiments pass, and what is only to be known is a warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from dealt_companies import BOUGHT, MQL, assigned, protocol_of, viewed
from small_companies import events_of, leads_of
from smarketing.measures.experiments.outcomes import Observed, observed
from smarketing.measures.experiments.sound import balance, blocked, sound
from smarketing.measures.experiments.units import dealt
from smarketing.measures.results import Check

REMEDY = "Find out which units are missing or were dealt twice, and why, before anything is read."


def seen_of(
    dealt_to: Sequence[str], *, days: Sequence[str] | None = None, unknown: Sequence[int] = (), unit: str = "lead",
    columns: Mapping[str, Sequence[Any]] | None = None, events: pd.DataFrame | None = None, **protocol: Any,
) -> Observed:  # fmt: skip
    """Deal leads, one an entry; leads at the places ``unknown`` are not in the data."""
    names = [f"L{i:05}" for i in range(len(dealt_to))]
    leads = leads_of(*((name, "2026-01-01", f"A{name}") for name in names))
    leads = leads.assign(bought=np.arange(len(dealt_to)) % 3 == 0)
    for name, values in (columns or {}).items():
        leads[name] = pd.Series(list(values)).astype(object if isinstance(values[0], str) else None)
    frames = {"leads": leads.drop(index=list(unknown)).reset_index(drop=True)}
    if days is None:
        frames["leads"] = frames["leads"].drop(columns="created_at")
    else:
        frames["stage_events"] = events_of((names[0], "mql", "2026-06-01")) if events is None else events
    ids = names if unit == "lead" else [f"A{name}" for name in names]
    rows = [
        (name, arm, None if days is None else days[i]) for i, (name, arm) in enumerate(zip(ids, dealt_to, strict=True))
    ]
    frames["assignments"] = assigned(*rows, unit_kind=unit)
    view = viewed(ibis.duckdb.connect(), frames)
    return observed(view, dealt(view, protocol_of(**({"metrics": {"bought": BOUGHT}, "unit": unit} | protocol))))


def check(seen: Observed, code: str) -> Check:
    return next(one for one in sound(seen) if one.code == code)


def arms_of(left: int, called: int) -> list[str]:
    return ["left"] * left + ["called"] * called


def test_a_clean_experiment_passes() -> None:
    arms = ["left", "called"] * 200
    days = [f"2026-03-{1 + i // 40:02}" for i in range(400)]
    columns = {"tone": ["red", "red", "blue", "blue"] * 100, "size": [float(i // 2 % 7) for i in range(400)]}
    seen = seen_of(arms, days=days, columns=columns, segments=["tone"], covariates=["size"])
    found = sound(seen)
    assert [(one.code, one.outcome) for one in found] == [(f"EX0{i}", "passed") for i in range(1, 6)]
    assert blocked(found) == ""
    assert [one.detail for one in found] == [
        "left 200 (expected 200), called 200 (expected 200); p = 1",
        "left 200 (expected 200), called 200 (expected 200); p = 1",
        "2 groups together, p = 1",
        "10 days together, p = 1",
        "the most unlike is size in called: +0.000 standard deviations",
    ]


def test_shares_that_are_not_the_protocols_block() -> None:
    seen = seen_of(arms_of(600, 400))
    failed = check(seen, "EX01")
    assert failed == Check(
        code="EX01", question="Do the arms have the shares of the protocol?", outcome="failed", error=True,
        detail="left 600 (expected 500), called 400 (expected 500); p = 2.5e-10", remedy=REMEDY,
    )  # fmt: skip
    assert blocked(sound(seen)) == f"EX01: {failed.detail}"
    assert check(seen_of(arms_of(600, 400), arms={"left": 6, "called": 4}), "EX01").outcome == "passed"
    # Off, but not beyond chance at one in a thousand.
    assert check(seen_of(arms_of(540, 460)), "EX01").outcome == "passed"


def test_units_that_one_arm_lost_block() -> None:
    lost = check(seen_of(arms_of(500, 500), unknown=range(500, 560)), "EX02")
    assert (lost.outcome, lost.error) == ("failed", True)
    assert lost.detail.startswith("left 500 (expected 470), called 440 (expected 470); p = ")
    assert check(seen_of(arms_of(500, 500), unknown=range(470, 530)), "EX02").outcome == "passed"


def test_shares_that_are_off_in_a_segment_block() -> None:
    arms = arms_of(150, 50) + arms_of(50, 150)
    seen = seen_of(arms, columns={"tone": ["red"] * 200 + ["blue"] * 200}, segments=["tone"])
    found = sound(seen)
    assert [(one.code, one.outcome) for one in found[:3]] == [
        ("EX01", "passed"),
        ("EX02", "passed"),
        ("EX03", "failed"),
    ]
    assert found[2].error and found[2].remedy == "Look at which groups are off, and why, before anything is read."


def test_many_segments_do_not_block_what_one_does_not() -> None:
    arms = arms_of(545, 455)
    tones = ["red" if i % 2 else "blue" for i in range(1_000)]
    columns = {f"tone_{i}": tones for i in range(10)}
    one = check(seen_of(arms, columns=columns, segments=["tone_0"]), "EX03")
    ten = check(seen_of(arms, columns=columns, segments=list(columns)), "EX03")
    assert one.outcome == "passed" and ten.detail == one.detail
    assert one.detail == "2 groups together, p = 0.017"


def test_more_groups_than_can_be_looked_at_are_put_together() -> None:
    arms = ["left", "called"] * 1_300 * 2
    columns = {"place": [f"p{i // 8:04}" for i in range(len(arms))]}
    found = check(seen_of(arms, columns=columns, segments=["place"]), "EX03")
    assert (found.outcome, found.detail) == ("passed", "2 groups together, p = 1")
    large = {"place": [f"p{min(i // 10, 510):04}" for i in range(len(arms))]}
    assert check(seen_of(arms, columns=large, segments=["place"]), "EX03").detail == "501 groups together, p = 1"


def test_shares_that_are_off_on_some_days_block() -> None:
    arms = arms_of(80, 20) + arms_of(20, 80)
    days = ["2026-03-01 10:00"] * 100 + ["2026-03-02 10:00"] * 100
    found = check(seen_of(arms, days=days), "EX04")
    assert (found.outcome, found.error, found.detail[:25]) == ("failed", True, "2 days together, p = 2.3e")
    one_day = check(seen_of(["left", "called"] * 100, days=["2026-03-01"] * 200), "EX04")
    assert (one_day.outcome, one_day.detail) == ("not applicable", "there is one group only")
    undated = check(seen_of(["left", "called"] * 100), "EX04")
    assert (undated.outcome, undated.detail) == ("not applicable", "units have no day of assignment")


def test_without_segments_there_is_nothing_to_ask_of_them() -> None:
    found = sound(seen_of(["left", "called"] * 100))
    assert [(one.outcome, one.detail) for one in found if one.code in ("EX03", "EX05")] == [
        ("not applicable", "no segment or stratum is declared"),
        ("not applicable", "no covariate is declared"),
    ]


@pytest.mark.parametrize(
    ("unit", "remedy"),
    [
        ("lead", "The adjusted effect takes it into account; ask how units were dealt."),
        ("account", "Ask how units were dealt."),
    ],
)
def test_arms_that_were_unlike_before_are_told(unit: str, remedy: str) -> None:
    size = [float(i % 5) + (0.5 if i % 2 else 0.0) for i in range(200)]
    seen = seen_of(["left", "called"] * 100, unit=unit, columns={"size": size}, covariates=["size"])
    values = np.array(size)
    apart = values[1::2].mean() - values[::2].mean()
    wanted = apart / np.sqrt((values[1::2].var(ddof=1) + values[::2].var(ddof=1)) / 2)
    row = balance(seen).iloc[0]
    assert row["standardised"] == pytest.approx(wanted)
    assert (row["covariate"], row["arm"]) == ("size", "called")
    assert (row["mean"], row["control_mean"]) == pytest.approx((values[1::2].mean(), values[::2].mean()))
    found = check(seen, "EX05")
    assert (found.outcome, found.error, found.remedy) == ("warning", False, remedy)
    assert found.detail == f"the most unlike is size in called: {wanted:+.3f} standard deviations"


@pytest.mark.parametrize(
    ("starts", "ends", "outcome", "agreed"),
    [
        (date(2026, 3, 1), date(2026, 3, 9), "passed", "2026-03-01 to 2026-03-09"),
        (date(2026, 3, 2), None, "warning", "2026-03-02 to any"),
        (None, date(2026, 3, 4), "warning", "any to 2026-03-04"),
    ],
)
def test_units_dealt_outside_the_days_agreed_are_told(
    starts: date | None, ends: date | None, outcome: str, agreed: str
) -> None:
    days = [f"2026-03-{1 + i % 5:02} 23:00" for i in range(200)]
    found = check(seen_of(["left", "called"] * 100, days=days, starts_on=starts, ends_on=ends), "EX06")
    assert (found.outcome, found.error) == (outcome, False)
    assert found.detail == f"dealt from 2026-03-01 to 2026-03-05, agreed were {agreed}"
    assert found.remedy == ("Say why in the protocol's next version." if outcome == "warning" else "")


@pytest.mark.parametrize(("agreed", "outcome"), [(date(2026, 3, 1), "passed"), (date(2026, 3, 2), "warning")])
def test_a_protocol_that_was_agreed_after_the_start_is_told(agreed: date, outcome: str) -> None:
    found = check(seen_of(["left", "called"] * 10, agreed_on=agreed, starts_on=date(2026, 3, 1)), "EX07")
    assert (found.outcome, found.detail) == (outcome, f"agreed on {agreed}, started on 2026-03-01")
    assert bool(found.remedy) == (outcome == "warning")


def test_units_that_could_not_be_moved_any_more_are_told() -> None:
    early = events_of(*((f"L{i:05}", "mql", "2026-02-01") for i in range(7)))
    seen = seen_of(["left", "called"] * 20, days=["2026-03-01"] * 40, events=early, metrics={"mql": MQL})
    found = check(seen, "EX08")
    assert (found.outcome, found.error) == ("warning", False)
    assert found.question == "Can every unit have the outcome 'Reached MQL'?"
    assert found.detail == "7 of 40 had reached it before they were dealt, or it is not recorded; they are left out"
    none = seen_of(["left", "called"] * 20, days=["2026-03-01"] * 40, metrics={"mql": MQL})
    assert [one.code for one in sound(none)] == ["EX01", "EX02", "EX03", "EX04", "EX05"]


def test_a_stratum_is_a_group_too() -> None:
    seen = seen_of(["left", "called"] * 100)
    strata = seen.table.mutate(__stratum=(seen.table["__arm"] == "left").ifelse("a", "b"))
    found = check(replace(seen, table=strata), "EX03")
    assert (found.outcome, found.error) == ("failed", True)
