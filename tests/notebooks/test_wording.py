"""Sentences at their edges: nothing to say, nothing to compare with, and changes that are not clear."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from smarketing.company.tables import ObservedFrom
from smarketing.measures.deals import WinRates
from smarketing.measures.headline import Headline
from smarketing.measures.results import KeyFigure, NotApplicable
from smarketing.report import wording

NAN = math.nan
FIGURE = KeyFigure(
    name="lead_flow",
    label="New leads",
    unit="count",
    value=120.0,
    lower=100.0,
    upper=140.0,
    interval="",
    n=120,
    n_label="leads",
    period="6 weeks",
    higher_is_better=True,
    maturity="final",
    status="no target",
    prior_label="the 6 weeks before",
)
MOVED = replace(FIGURE, prior=100.0, change=20.0, change_lower=5.0, change_upper=35.0)
RATE = replace(
    MOVED,
    unit="share",
    value=0.12,
    lower=0.11,
    upper=0.13,
    prior=0.1,
    change=0.02,
    change_lower=0.005,
    change_upper=0.035,
)
NO_FUNNEL = NotApplicable("no `leads` table is mapped")


def stand_of(*figures: KeyFigure) -> Headline:
    panels = tuple(SimpleNamespace(figure=figure, counted_by="leads", usual=None, weeks=()) for figure in figures)
    return Headline(panels, ())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (FIGURE, "New leads: 120"),
        # A count's season is not taken out, so its difference is stated and not called a rise or a fall.
        (MOVED, "New leads: 120, against 100 in the 6 weeks before"),
        (RATE, "New leads: 12.0%, up 2.0 points on the 6 weeks before"),
        (
            replace(RATE, change=-0.02, change_lower=-0.035, change_upper=-0.005),
            "New leads: 12.0%, down 2.0 points on the 6 weeks before",
        ),
        (replace(RATE, change_lower=-0.005), "New leads: 12.0%, not clearly different from the 6 weeks before (10.0%)"),
        (replace(RATE, change_lower=0.0), "New leads: 12.0%, not clearly different from the 6 weeks before (10.0%)"),
        (
            replace(RATE, change=0.0, change_lower=None, change_upper=None),
            "New leads: 12.0%, unchanged on the 6 weeks before",
        ),
        (replace(FIGURE, target=100.0, status="ahead"), "New leads: 120 against a target of 100, ahead of target"),
        (replace(FIGURE, target=150.0, status="behind"), "New leads: 120 against a target of 150, behind target"),
        (replace(FIGURE, target=121.0, status="on target"), "New leads: 120 against a target of 121, on target"),
        (
            replace(FIGURE, target=121.0, status="too close to call"),
            "New leads: 120 against a target of 121, too close to call",
        ),
        (replace(FIGURE, value=None, reason="only 3 of the 30 needed"), "New leads: withheld, only 3 of the 30 needed"),
        (replace(FIGURE, value=0.0), "New leads: 0"),
    ],
)
def test_where_a_figure_stands(figure: KeyFigure, said: str) -> None:
    assert wording.stands(figure) == said


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (FIGURE, "New leads: nothing to compare with"),
        (MOVED, "New leads: against 100 in the 6 weeks before"),
        (RATE, "New leads: up 2.0 points on the 6 weeks before"),
        (replace(RATE, change_lower=-0.005), "New leads: not clearly different from the 6 weeks before (10.0%)"),
        (replace(FIGURE, value=None, reason="x"), "New leads: withheld"),
        (replace(FIGURE, target=100.0, status="ahead"), "New leads: ahead of target (+20)"),
        (replace(FIGURE, label="New leads, by account"), "New leads: nothing to compare with"),
    ],
)
def test_the_title_of_a_trend(figure: KeyFigure, said: str) -> None:
    assert wording.headline_title([figure]) == said
    assert wording.headline_title([figure, FIGURE]) == f"{said}; New leads: nothing to compare with"


def test_the_bottom_line_without_targets_or_numbers() -> None:
    assert wording.bottom_line(stand_of(), NO_FUNNEL) == (
        "There is too little on record to show a single headline figure; the data checks say what is missing."
    )
    assert wording.bottom_line(stand_of(MOVED), NO_FUNNEL) == (
        "New leads: 120, against 100 in the 6 weeks before. No target applies, so nothing here is ahead or behind."
    )
    withheld = replace(FIGURE, label="MQLs won", value=None, reason="x", target=10.0, status="withheld")
    assert wording.bottom_line(stand_of(withheld), NO_FUNNEL).startswith("There is too little on record")
    assert wording.bottom_line(stand_of(MOVED, withheld), NO_FUNNEL) == (
        "New leads: 120, against 100 in the 6 weeks before. Nothing here is ahead or behind: withheld with its target "
        "is MQLs won."
    )


def test_the_bottom_line_counts_where_figures_stand() -> None:
    ahead = replace(FIGURE, target=100.0, status="ahead")
    behind = replace(FIGURE, label="Bookings", target=150.0, status="behind")
    close = replace(FIGURE, target=121.0, status="too close to call")
    for figures, said in (
        ((close,), "The only figure with a target is neither clearly ahead of it nor behind it."),
        ((ahead,), "The only figure with a target is ahead: new leads (120 against 100)."),
        ((behind,), "The only figure with a target is behind: bookings (120 against 150)."),
        (
            (behind, ahead, close),
            "1 of 3 figures with a target is behind: bookings (120 against 150). 1 is ahead: new leads (120 against "
            "100). 1 is on target or too close to call.",
        ),
        (
            (behind, replace(close, label="MQLs won", value=None, status="withheld")),
            "1 of 2 figures with a target is behind: bookings (120 against 150). 1 is withheld: MQLs won.",
        ),
    ):
        assert wording.bottom_line(stand_of(*figures), NO_FUNNEL) == said


def breakdown(*rows: tuple[str, float, float, float]) -> Any:
    frame = pd.DataFrame(rows, columns=["group", "share", "lower", "upper"])
    sides = [int(lower > rows[0][1]) - int(upper < rows[0][1]) for _, _, lower, upper in rows]
    return SimpleNamespace(rows=frame.assign(apart=sides), by="source")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("all", NAN, NAN, NAN)], "Too little is on record to compare by source"),
        ([("all", 0.3, 0.2, 0.4)], "Too little is on record to compare by source"),
        ([("all", 0.3, 0.2, 0.4), ("a", NAN, NAN, NAN)], "Too little is on record to compare by source"),
        ([("all", 0.3, 0.2, 0.4), ("a", 0.4, 0.2, 0.6)], "No source is told apart from the whole (30.0%)"),
        (
            [("all", 0.3, 0.2, 0.4), ("a", 0.5, 0.4, 0.6), ("b", 0.3, 0.2, 0.4)],
            "Above the whole (30.0%): a; the rest are not told apart from it",
        ),
        (
            [("all", 0.3, 0.2, 0.4), ("a", 0.5, 0.4, 0.6), ("b", 0.1, 0.0, 0.2)],
            "Above the whole (30.0%): a; below: b",
        ),
    ],
)
def test_the_title_of_a_breakdown(rows: list[tuple[str, float, float, float]], said: str) -> None:
    assert wording.breakdown_title(breakdown(*rows)) == said


def losses(moved: dict[str, object] | None, reason: str = "", *, n: int = 100) -> Any:
    # What is pooled may be the largest, and is never the story.
    rows = pd.DataFrame([{"group": "All others", "share": 0.5}, {"group": "Price", "share": 0.4}])
    told = None if moved is None else pd.Series(moved)
    return SimpleNamespace(reason=reason, rows=rows, moved=told, n=n, n_before=90, lost=100, lost_before=90)


def test_the_title_of_losses() -> None:
    assert wording.losses_title(losses(None, "only 2 of the 30 needed"), "loss reason") == (
        "Loss reasons are withheld: only 2 of the 30 needed"
    )
    assert wording.losses_title(losses(None), "loss reason") == (
        "Price is the largest loss reason, 40.0% of losses; no share clearly moved"
    )
    for change, word in ((0.1, "rose by 10.0 points"), (-0.1, "fell by 10.0 points")):
        found = losses({"group": "Kestrel", "share": 0.2, "change": change})
        assert wording.losses_title(found, "competitor") == f"Kestrel {word} as a competitor, to 20.0% of losses"
    some = losses({"group": "Kestrel", "share": 0.2, "change": 0.1}, n=60)
    assert wording.losses_title(some, "competitor") == (
        "Kestrel rose by 10.0 points as a competitor, to 20.0% of losses that name one"
    )
    assert wording.losses_title(losses(None, n=60), "loss reason") == (
        "Price is the largest loss reason, 40.0% of losses that name one; no share clearly moved"
    )


def test_how_many_losses_name_none_is_said_with_what_it_was() -> None:
    found = losses(None, n=60)
    found.unnamed, found.unnamed_before, found.before = 0.4, 0.0, SimpleNamespace(days=182)
    assert wording.unnamed(found, "competitor") == (
        "40.0% of the 100 deals lost name no competitor, 0.0% in the 182 days before; they are not counted here."
    )
    found.unnamed_before = NAN
    assert wording.unnamed(found, "competitor") == (
        "40.0% of the 100 deals lost name no competitor; they are not counted here."
    )
    assert wording.unnamed(losses(None), "competitor") == ""


def test_two_truncations_are_both_told_each_with_its_exits() -> None:
    exits = pd.DataFrame({"exit": ["won", "lost", "open"], "label": ["Won", "Lost", "Still open"]})
    whole = ObservedFrom(("won",), date(2026, 2, 1), "whole_cohorts")
    late = ObservedFrom(("lost",), date(2026, 3, 1), "delayed_entry")
    told: Any = SimpleNamespace(observed_from=(whole, late), exits=exits, counted="deals", naive=0.2)
    assert wording.truncated(told) == (
        "Exits (Won) are on record only from 1 Feb 2026, while earlier deals are on file and look open. Only those "
        "that entered on or after that day are counted. A rate over all on file would be too low. Exits (Lost) are on "
        "record only from 1 Mar 2026, and deals that left earlier are not on file. The others count from that day on, "
        "at the age they then had. The plain share of those on file won in time (20.0%) ignores both this and the open "
        "ones."
    )
    told.observed_from = (whole,)
    assert wording.truncated(told).startswith("Exits are on record only from 1 Feb 2026, while earlier deals")


def test_a_measure_that_is_not_applicable_gives_no_finding() -> None:
    assert wording.findings(stand_of(FIGURE), NO_FUNNEL, NO_FUNNEL, NO_FUNNEL, NO_FUNNEL) == []
    close = replace(FIGURE, target=121.0, status="too close to call")
    assert wording.findings(stand_of(close), NO_FUNNEL, NO_FUNNEL, NO_FUNNEL, NO_FUNNEL) == []


def test_a_usual_range_speaks_of_weeks_that_vary_only() -> None:
    def panel(lower: float, upper: float, last: float) -> Any:
        weeks = pd.DataFrame({"value": [last]})
        usual = SimpleNamespace(lower=lower, upper=upper)
        return SimpleNamespace(
            figure=FIGURE, counted_by="leads", usual=usual, weeks=weeks, kpi=SimpleNamespace(label="New leads")
        )

    def said(*panels: Any) -> str:
        return wording.usual_range(Headline(panels, ()))

    assert said(panel(-math.inf, math.inf, 20)) == ""
    assert said(panel(-3.0, 30.2, 20)) == (
        "New leads, latest week 20: weeks normally lie between 0 and 30, so it is not a signal."
    )
    assert said(panel(10.0, 30.0, 31)) == (
        "New leads, latest week 31: weeks normally lie between 10 and 30, so it calls for an explanation."
    )


def test_a_win_rate_comes_with_its_days_its_deals_and_its_interval() -> None:
    rows = {
        "by count": (0.28, 0.25, 0.31, 1_426),
        "by amount": (NAN, NAN, NAN, 1_426),
        "closed only by count": (0.2, 0.18, 0.22, 1),
    }
    table = {
        name: pd.Series(dict(zip(("value", "lower", "upper", "n"), row, strict=True), reason=""))
        for name, row in rows.items()
    }
    rates = object.__new__(WinRates)
    for name, value in {"horizon": 180, "cohort": SimpleNamespace(label="1 Jan to 30 Jun 2026")}.items():
        object.__setattr__(rates, name, value)
    numbers = pd.DataFrame([{"rate": name, **row} for name, row in table.items()])
    object.__setattr__(rates, "rates", numbers)
    (found,) = wording.findings(stand_of(FIGURE), NO_FUNNEL, rates, NO_FUNNEL, NO_FUNNEL)
    # Closed-only may also say too little.
    assert found.claim == "28.0% of deals opened are won within 180 days; closed-only counting would say 20.0%."
    assert found.detail == (
        "1,426 deals opened 1 Jan to 30 Jun 2026; 95% interval of the share by count 25.0% to 31.0%."
    )
