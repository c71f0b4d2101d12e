"""The scorecard as a table: a row a feature, so that a person can add up a lead's points from one page."""

from __future__ import annotations

import pandas as pd

from smarketing.measures.scoring.models.scorecard import Scorecard
from smarketing.report import formats
from smarketing.report.blocks import Block, note, table
from smarketing.report.scoring_wording import card_title

SOURCE = "the company's tables as listed under Provenance"
SHOWN = 7
"""How many features' points a page shows; scorecard.csv holds all."""


def points_table(model: Scorecard, *, given_out: bool) -> Block:
    """Show the points of the features that move scores beyond chance; a card given out stands beside the report."""
    points = model.points_table()
    points = points[(points["n"] > 0) | (points["points"] != 0)]
    told = points["feature"].isin(model.beyond_chance)
    main, others = points[told], points[~told]
    if main.empty:
        return note(_others(others, given_out), heading="No feature moves scores beyond chance.")
    rows = [
        {
            "Feature": formats.opening(label),
            "Points by value": "; ".join(
                f"{one.bin} {_signed(one.points)}".replace("-", formats.MINUS) for one in part.itertuples()
            ),
            "Widest gap": int(part["points"].max() - part["points"].min()),
        }
        for label, part in main.groupby("label", sort=False)
    ]
    frame = pd.DataFrame(rows).sort_values("Widest gap", ascending=False, kind="stable", ignore_index=True)
    shown, below = frame.head(SHOWN), frame.iloc[SHOWN:]
    narrow = (
        f" {formats.many(len(below), 'more moves', 'more move')} scores beyond chance, by a gap of at most "
        f"{formats.many(int(below['Widest gap'].max()), 'point')}."
        if len(below)
        else ""
    )
    return table(
        shown,
        id="tab-scorecard",
        title=card_title(frame["Feature"].tolist()),
        formats={"Widest gap": "count"},
        subtitle=f"{_adding_up(model)}{narrow} {_others(others, given_out)}".rstrip(),
        source=SOURCE,
    )


def _signed(points: int) -> str:
    return f"{points:+d}" if points else "0"


def _others(others: pd.DataFrame, given_out: bool) -> str:
    """Say what the features add that move scores no more than chance does."""
    if others.empty:
        return ""
    number, most = others["feature"].nunique(), int(others["points"].abs().max())
    beside = "; scorecard.csv beside this report holds every value, with leads and rates" if given_out else ""
    return (
        f"{formats.many(number, 'more feature moves', 'more features move')} scores no more than chance does, by at "
        f"most {formats.many(most, 'point')}{beside}."
    )


def _adding_up(model: Scorecard) -> str:
    totals = (-50, -25, 25, 50, 100)
    said = [
        f"{formats.MINUS if total < 0 else ''}{abs(total)} points {formats.share(model.probability_at(total))}"
        for total in totals
    ]
    return (
        f"The average lead has 0 points and gets there with a probability of {formats.share(model.probability_at(0))}; "
        f"{formats.listed(said)}."
    )
