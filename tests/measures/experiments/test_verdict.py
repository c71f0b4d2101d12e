"""The decision, branch by branch, on effects written by hand."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pandas as pd
import pytest

from dealt_companies import protocol_of
from smarketing.company.protocol import Protocol
from smarketing.measures.experiments.verdict import Progress, Verdict, guardrails, progress_of, verdicts

DONE = Progress(over=100, dealt=100, final=True)
UNDER_WAY = Progress(over=40, dealt=100, final=False)
METRICS = {
    "mql": {"label": "Reached MQL", "stage": "mql"},
    "sql": {"label": "Reached SQL", "stage": "sql"},
    "opt_out": {"label": "Opted out", "attribute": "opt_out", "higher_is_better": False},
    "spent": {"label": "Spent", "attribute": "spent"},
}
GUARDED = {"guardrails": [{"metric": "opt_out", "margin": 0.02}]}


def effect(metric: str, difference: float, half: float, *, up: bool = True, **more: Any) -> dict[str, Any]:
    """Write a row of effects: the interval is symmetric, and sure where it leaves out 0."""
    low, high = difference - half, difference + half
    row = {
        "metric": metric, "label": METRICS[metric]["label"], "unit": "share", "arm": "called", "role": "primary",
        "higher_is_better": up, "difference": difference, "lower": low, "upper": high,
        "sure": low > 0 or high < 0, "sure_lower": low, "sure_upper": high, "reason": "",
    }  # fmt: skip
    return row | more


def guard(difference: float, half: float) -> dict[str, Any]:
    return effect("opt_out", difference, half, up=False, role="guardrail")


def decided(*rows: dict[str, Any], progress: Progress = DONE, blocked: str = "", **protocol: Any) -> Verdict:
    agreed = protocol_of(METRICS, **protocol)
    effects = pd.DataFrame(list(rows))
    (found,) = verdicts(agreed, effects, guardrails(agreed, effects), progress, blocked=blocked)
    assert found.arm == "called"
    return found


def verdict(state: str, why: str, metric: str = "") -> Verdict:
    return Verdict(arm="called", state=state, why=why, metric=metric)  # type: ignore[arg-type]


def test_an_arm_that_is_better_for_sure_is_shipped() -> None:
    wanted = verdict("ship", "Reached MQL is better for sure", "mql")
    assert decided(effect("mql", 0.05, 0.04)) == wanted
    fewer = effect("opt_out", -0.05, 0.04, up=False)
    assert decided(fewer, primary=["opt_out"]) == verdict("ship", "Opted out is better for sure", "opt_out")


def test_an_arm_that_is_worse_for_sure_is_stopped() -> None:
    assert decided(effect("mql", -0.05, 0.04)) == verdict("stop", "Reached MQL is worse for sure", "mql")
    more = effect("opt_out", 0.05, 0.04, up=False)
    assert decided(more, primary=["opt_out"]) == verdict("stop", "Opted out is worse for sure", "opt_out")


def test_worse_in_one_primary_metric_beats_better_in_another() -> None:
    found = decided(effect("mql", 0.05, 0.04), effect("sql", -0.05, 0.04), primary=["mql", "sql"])
    assert found == verdict("stop", "Reached SQL is worse for sure", "sql")


@pytest.mark.parametrize("up", [True, False])
def test_less_than_what_is_worth_shipping_is_not_shipped(up: bool) -> None:
    metric, sign = ("mql", 1) if up else ("opt_out", -1)
    rule = {"rule": {"worth_shipping": 0.1}, "primary": [metric]}
    # Better for sure, by too little for sure.
    assert decided(effect(metric, sign * 0.05, 0.04, up=up), **rule) == verdict(
        "stop", "whatever it brings is surely less than what is worth shipping"
    )
    # Better for sure, and perhaps by enough.
    label = METRICS[metric]["label"]
    assert decided(effect(metric, sign * 0.08, 0.04, up=up), **rule) == verdict(
        "inconclusive", f"{label} is better for sure, and whether by as much as is worth shipping cannot be told"
    )
    found = decided(effect(metric, sign * 0.12, 0.04, up=up), **rule)
    assert (found.state, found.metric) == ("ship", metric)
    # One of two may still be enough.
    both = {"rule": {"worth_shipping": 0.1}, "primary": [metric, "sql"]}
    two = decided(effect(metric, sign * 0.02, 0.04, up=up), effect("sql", 0.02, 0.2), **both)
    assert two.state == "inconclusive"
    # Of each as much as was agreed for it.
    each = {"rule": {"worth_shipping": {metric: 0.1, "sql": 0.01}}, "primary": [metric, "sql"]}
    rows = (effect(metric, sign * 0.05, 0.04, up=up), effect("sql", 0.05, 0.04))
    assert decided(*rows, **each) == verdict("ship", "Reached SQL is better for sure", "sql")


@pytest.mark.parametrize(
    ("difference", "half", "kept", "state", "why", "metric"),
    [
        (0.0, 0.015, "kept", "ship", "Reached MQL is better for sure", "mql"),
        (
            0.0,
            0.025,
            "undecided",
            "inconclusive",
            "Reached MQL is better for sure, and whether Opted out got worse by more than the margin agreed cannot be "
            "told",
            "mql",
        ),
        (0.04, 0.015, "broken", "stop", "Opted out got worse by more than the margin agreed", "opt_out"),
        (0.015, 0.01, "undecided", "inconclusive", None, "mql"),
        (-0.05, 0.015, "kept", "ship", "Reached MQL is better for sure", "mql"),
    ],
)
def test_guardrails(difference: float, half: float, kept: str, state: str, why: str | None, metric: str) -> None:
    rows = [effect("mql", 0.05, 0.04), guard(difference, half)]
    found = guardrails(protocol_of(METRICS, **GUARDED), pd.DataFrame(rows)).iloc[0]
    assert (found["kept"], found["arm"], found["margin"]) == (kept, "called", 0.02)
    # What is bad about opting out is more of it.
    assert found["worst"] == pytest.approx(difference + half)
    got = decided(*rows, **GUARDED)
    assert (got.state, got.metric) == (state, metric)
    assert why is None or got.why == why


def test_a_guardrail_of_which_more_is_better_is_read_from_below() -> None:
    protocol = protocol_of(METRICS, guardrails=[{"metric": "spent", "margin": 1.0}])
    for difference, half, kept in ((0.0, 0.5, "kept"), (-3.0, 0.5, "broken"), (-1.0, 0.5, "undecided")):
        row = guardrails(protocol, pd.DataFrame([effect("spent", difference, half, role="guardrail")])).iloc[0]
        assert (row["kept"], row["worst"]) == (kept, difference - half)


def test_a_guardrail_without_an_interval_cannot_be_told() -> None:
    thin = guard(0.0, math.inf)
    found = decided(effect("mql", 0.05, 0.04), thin, progress=UNDER_WAY, looks={"rule": "any_time"}, **GUARDED)
    assert found.state == "keep running"


def test_where_one_looks_often_guardrails_are_read_by_the_limits_that_hold_then() -> None:
    row = guard(0.0, 0.015) | {"sure_lower": -0.05, "sure_upper": 0.05}
    for looks, kept in (({"rule": "once"}, "kept"), ({"rule": "any_time"}, "undecided")):
        assert guardrails(protocol_of(METRICS, looks=looks, **GUARDED), pd.DataFrame([row])).iloc[0]["kept"] == kept


def test_what_is_not_sound_is_not_decided() -> None:
    assert decided(effect("mql", 0.05, 0.04), blocked="EX01: off", progress=UNDER_WAY) == verdict(
        "blocked", "EX01: off"
    )


def test_who_looks_once_waits_for_the_end() -> None:
    assert decided(effect("mql", 0.05, 0.04), progress=UNDER_WAY) == verdict(
        "keep running",
        "the protocol looks once, at the end, and the days of 40 of 100 units are over",
    )


def test_who_looks_at_any_time_need_not_wait() -> None:
    any_time = {"looks": {"rule": "any_time"}, "progress": UNDER_WAY}
    assert decided(effect("mql", 0.05, 0.04), **any_time).state == "ship"
    assert decided(effect("mql", -0.05, 0.04), **any_time).state == "stop"
    assert decided(effect("mql", 0.03, 0.04), **any_time) == verdict(
        "keep running", "no primary metric is better or worse for sure yet"
    )
    thin = effect("mql", 0.03, math.inf, reason="12 converters are expected")
    assert decided(thin, **any_time) == verdict(
        "keep running", "too little has come of it yet: 12 converters are expected"
    )
    assert decided(thin) == verdict("inconclusive", "too little has come of it: 12 converters are expected")


def test_an_effect_that_is_not_known_is_no_effect() -> None:
    nobody = effect("mql", math.nan, math.nan, sure=False, sure_lower=-math.inf, sure_upper=math.inf)
    assert decided(nobody).state == "inconclusive"
    assert decided(nobody, rule={"worth_shipping": 0.1}).state == "inconclusive"


PLANNED = {
    "starts_on": "2026-03-01", "ends_on": "2026-04-01",
    "looks": {"rule": "planned", "days": ["2026-04-01", "2026-05-01", "2026-06-01"]},
}  # fmt: skip


def planned(as_of: date, *, over: int = 40) -> Progress:
    return progress_of(protocol_of(METRICS, **PLANNED), over=over, dealt=100, as_of=as_of, dated=True)


@pytest.mark.parametrize(
    ("as_of", "look", "coming", "final"),
    [
        (date(2026, 3, 31), None, date(2026, 4, 1), False),
        (date(2026, 4, 1), date(2026, 4, 1), date(2026, 5, 1), False),
        (date(2026, 4, 2), None, date(2026, 5, 1), False),
        (date(2026, 5, 1), date(2026, 5, 1), date(2026, 6, 1), False),
        (date(2026, 6, 1), date(2026, 6, 1), None, True),
        (date(2026, 7, 1), date(2026, 6, 1), None, True),
    ],
)
def test_planned_looks_are_taken_on_their_days(as_of: date, look: date, coming: date, final: bool) -> None:
    assert planned(as_of) == Progress(over=40, dealt=100, final=final, look=look, next_look=coming)


def test_between_planned_looks_nothing_is_decided() -> None:
    assert decided(effect("mql", 0.05, 0.04), progress=planned(date(2026, 4, 2)), **PLANNED) == verdict(
        "keep running", "the next planned look is on 2026-05-01"
    )
    assert decided(effect("mql", 0.05, 0.04), progress=planned(date(2026, 5, 1)), **PLANNED).state == "ship"
    unsure = effect("mql", 0.03, 0.04)
    assert decided(unsure, progress=planned(date(2026, 5, 1)), **PLANNED).state == "keep running"
    assert decided(unsure, progress=planned(date(2026, 6, 1)), **PLANNED).state == "inconclusive"


def once(**changed: Any) -> Protocol:
    return protocol_of(METRICS, **changed)


@pytest.mark.parametrize(
    ("protocol", "over", "as_of", "dated", "final"),
    [
        (once(), 99, date(2026, 4, 1), True, False),
        (once(), 100, date(2026, 4, 1), True, True),
        (once(ends_on=date(2026, 4, 2)), 100, date(2026, 4, 1), True, False),
        (once(ends_on=date(2026, 4, 2)), 100, date(2026, 4, 2), True, True),
        (once(), 0, date(2026, 4, 1), False, True),
    ],
)
def test_an_experiment_is_over_when_all_horizons_are_and_nobody_is_dealt_any_more(
    protocol: Protocol, over: int, as_of: date, dated: bool, final: bool
) -> None:
    assert progress_of(protocol, over=over, dealt=100, as_of=as_of, dated=dated).final is final
