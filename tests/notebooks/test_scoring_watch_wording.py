"""Sentences about scores that were given out, and about a model that ages: each is told both ways."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from judged_scores import measured, validity
from scoring_worlds import scoring_of
from smarketing.measures.scoring.giving.given import DRAWN, LEFT, LookBack
from smarketing.measures.scoring.giving.monitor import Monitor, State
from smarketing.report import scoring_given, scoring_watch

NAN = float("nan")


def monitor(*, shift: float = 0.0, state: State = "holds", moved: tuple[str, ...] = ()) -> Monitor:
    drift = [{"label": name, "moved": name in moved} for name in (*moved, "still")]
    return Monitor(
        drift=pd.DataFrame(drift), watched=400, first=date(2026, 8, 1), last=date(2026, 9, 1), since=validity(),
        shift=measured("shift", shift), state=state, why="so it is",
    )  # fmt: skip


def looked_back(rate: float = 0.1, by: float = 0.02, promised: float = 0.1, level: float = 0.0) -> LookBack:
    drawn = {"group": DRAWN, "n": 80, "events": 8, "promised": promised, "rate": rate, "lower": rate - by,
             "upper": rate + by}  # fmt: skip
    left = drawn | {"group": LEFT, "n": 900, "rate": 0.1, "lower": 0.09, "upper": 0.11}
    return LookBack(
        n=1_500, first=date(2026, 5, 1), last=date(2026, 8, 1),
        validity=validity(calibration_intercept=level), level=measured("shift", level),
        below=pd.DataFrame([drawn, left]), effect=measured("effect", rate - 0.1),
    )  # fmt: skip


def test_promises_given_out_are_told_by_their_level() -> None:
    assert scoring_given.given_title(looked_back()) == "The scores given out are not clearly off"
    more = "Of the leads that were given a score, more got there than was promised"
    assert scoring_given.given_title(looked_back(level=0.4)) == more
    assert scoring_given.given_title(looked_back(level=-0.4)) == more.replace("more", "fewer")
    small = "The scores given out were too low by 0.08 in log-odds, too little to matter"
    assert scoring_given.given_title(looked_back(level=0.08)) == small
    assert scoring_given.given_title(looked_back(level=-0.08)) == small.replace("low", "high")
    # The interval that decides is the one that the monitor asks, of 99 %.
    unsure = replace(looked_back(level=0.4), level=measured("shift", 0.4, 0.5))
    assert scoring_given.given_title(unsure) == "The scores given out are not clearly off"


@pytest.mark.parametrize(
    ("rate", "side", "title"),
    [
        (0.1, 0, "Leads below the line that were drawn were not clearly better or worse than promised"),
        # Two points above the promise with two points either way, and one point that does not matter.
        (0.129, 0, "Leads below the line that were drawn were not clearly better or worse than promised"),
        (0.131, 1, "Leads below the line that were drawn did better than promised"),
        (0.069, -1, "Leads below the line that were drawn did worse than promised"),
        (NAN, 0, "Too few leads below the line were drawn and are known to check it there"),
    ],
)
def test_leads_below_the_line_are_called_better_only_for_sure(rate: float, side: int, title: str) -> None:
    back = looked_back(rate)
    assert (scoring_given.side_of_promise(back), scoring_given.explored_title(back)) == (side, title)
    assert [finding.claim for finding in scoring_given.findings(back)] == ([f"{title}."] if side else [])


def test_what_was_given_out_says_nothing_of_capacity_and_what_it_left_out() -> None:
    """Reports need not be weekly, so nobody knows which leads competed for a place."""
    promises, _ = scoring_given.what_came_of_it(looked_back())
    assert "AUC" in promises.html and "Brier skill" in promises.html and "apacity" not in promises.html
    assert "promised something else" not in promises.html
    more, _ = scoring_given.what_came_of_it(replace(looked_back(), other_promises=7))
    assert "by the first score that each was given (without 7 scores that promised something else);" in more.html


@pytest.mark.parametrize(("rate", "kept"), [(0.1, True), (0.103, True), (0.097, True), (0.108, False), (0.092, False)])
def test_leads_did_as_promised_only_where_their_whole_interval_is_close(rate: float, kept: bool) -> None:
    """Half a point either way, and one point does not matter."""
    said = scoring_given.explored_title(looked_back(rate, by=0.005))
    assert said.endswith("did as promised" if kept else "were not clearly better or worse than promised")


def test_a_line_that_rejects_too_much_is_a_finding() -> None:
    (told,) = scoring_given.findings(looked_back(0.2))
    assert told.detail == (
        "Of 80 leads that were drawn to be worked all the same, 20.0% got there (95% interval 18.0% to 22.0%); "
        "10.0% was promised. Being drawn changed that by +10.0 pts (+5.0 to +15.0 pts)."
    )


def given(qualified: int, explored: int, of: int = 5) -> Any:
    flags = {"qualified": np.arange(of) < qualified, "explore": np.arange(of) >= of - explored}
    return SimpleNamespace(scored=pd.DataFrame(flags))


def test_a_model_that_aged_says_on_which_side() -> None:
    for shift, said in (
        (0.4, "Probabilities have been too low since, by 0.40 in log-odds"),
        (-0.4, "Probabilities have been too high since, by 0.40 in log-odds"),
        (0.01, "Probabilities since are not clearly off"),
        (0.08, "Probabilities have been too low since, by 0.08 in log-odds, too little to matter"),
        (-0.08, "Probabilities have been too high since, by 0.08 in log-odds, too little to matter"),
    ):
        assert scoring_watch._since_title(monitor(shift=shift)) == said


@pytest.mark.parametrize(("state", "weight"), [("holds", 1.2), ("recalibrate", 2.6), ("refit", 2.6)])
def test_a_model_that_aged_comes_first(state: State, weight: float) -> None:
    saved: Any = SimpleNamespace(card=SimpleNamespace(family="scorecard", known_at=None))
    told = scoring_watch.findings(monitor(state=state), looked_back(), given(2, 1), saved)
    assert (told[0].claim, told[0].weight) == (f"{scoring_watch.STATES[state]}.", weight)
    assert [finding.claim for finding in told[1:]] == ["2 of 5 new leads qualify."]
    assert told[1].detail == "1 more was drawn to be worked anyway."
    (one,) = [
        f for f in scoring_watch.findings(monitor(), looked_back(), given(1, 0, of=1), saved) if "qualif" in f.claim
    ]
    assert (one.claim, one.detail) == (
        "1 of 1 new lead qualifies.", "0 more were drawn to be worked anyway.",
    )  # fmt: skip


def test_methods_say_what_decides_and_how_surely() -> None:
    told = dict(scoring_watch.METHODS)
    assert "at least 0.1 in log-odds" in told["Aged"] and "95% interval of the Brier skill" in told["Aged"]
    assert "99% for the level of probabilities" in told["Intervals"]


@pytest.mark.parametrize(
    ("dated", "new", "against"),
    [
        (True, "scored in the last 7 days and still open", "400 leads of the last 28 days against"),
        (False, "without an outcome yet", "All 400 leads of the export against"),
    ],
)
def test_an_export_without_days_has_no_last_days(dated: bool, new: str, against: str) -> None:
    scored = given(2, 1).scored.assign(band="A", lead_id="L", probability=0.2, reasons_for="", reasons_against="")
    told: Any = SimpleNamespace(scored=scored, dated=dated)
    drift = pd.DataFrame({"label": ["Source"], "index": 0.3, "cutoff": 0.1, "moved": True, "unmet": 0.0})
    seen = replace(monitor(), dated=dated, drift=drift, since=None)
    assert {figure.period for figure in scoring_watch.key_figures(seen, told)} == {new}
    assert f"New: {new}." in scoring_watch.who_comes_first(told, ["a.csv"], scoring_of())[0].html
    assert against in scoring_watch.are_leads_alike(seen)[0].html
    saved: Any = SimpleNamespace(card=SimpleNamespace(family="scorecard", known_at=None))
    (moved,) = [one for one in scoring_watch.findings(seen, looked_back(), told, saved) if one.evidence == "tab-drift"]
    assert moved.basis.startswith(against)
    assert moved.claim == f"1 feature of {'new ' if dated else ''}leads moved beyond chance."


def test_what_moved_is_named_or_nothing_did() -> None:
    assert scoring_watch.drift_title(monitor()) == "No feature moved beyond chance"
    assert scoring_watch.drift_title(monitor(moved=("Source",))) == "Moved beyond chance: source"
    assert scoring_watch.drift_title(monitor(moved=tuple("abcde"))) == "Moved beyond chance: a, b, c and 2 more"
