"""Sentences about who is worth contacting, computed from an experiment.

An effect is what the experiment measured in its list at its time. What an interval of 95 % does not set apart from zero
is called not told apart.
"""

from __future__ import annotations

import math
from typing import Literal

from smarketing.measures.scoring.contact.uplift import Uplift
from smarketing.measures.scoring.contact.uplift_judging import Targeting
from smarketing.report import formats

Side = Literal["above", "below", "not told apart"]

MOVED, LIKELY = "Most moved first", "Likeliest first"
HALF = 0.5


def side(lower: float, upper: float) -> Side:
    """Return on which side of zero an interval lies."""
    return "above" if lower > 0 else "below" if upper < 0 else "not told apart"


def goal_words(found: Uplift) -> str:
    """Return the outcome within a sentence."""
    within = f" within {found.within_days} days" if found.within_days is not None else ""
    return f"{formats.inside(found.goal)}{within}"


def with_interval(value: float, lower: float, upper: float) -> str:
    """Return an effect in points with its interval."""
    return f"{formats.points(value)} ({formats.difference_interval(lower, upper, 'share')})"


def measured(found: Uplift) -> str:
    """Say what the experiment measured, and of whom it holds."""
    one = found.average
    verdict = {
        "above": "Contact raised it by",
        "below": "Contact lowered it by",
        "not told apart": "Contact is not seen to change it:",
    }[side(one.lower, one.upper)]
    size = with_interval(one.value, one.lower, one.upper)
    if side(one.lower, one.upper) != "not told apart":
        size = f"{_points(abs(one.value))} ({formats.difference_interval(one.lower, one.upper, 'share')})"
    return (
        f"In the experiment {found.experiment}, which says that it assigns at random, {formats.count(one.treated.n)} "
        f"{found.who} were in the arm {found.treated} and {formats.count(one.control.n)} in {found.control}. The "
        f"outcome is {goal_words(found)}: "
        f"{formats.share(one.treated.value)} against {formats.share(one.control.value)}. {verdict} {size}. This is an "
        "effect in this list at that time; another list or another time may answer differently."
    )


def qini_title(found: Uplift) -> str:
    """Title the Qini curve by which order gains more, and whether either beats chance."""
    gap = side(found.difference.lower, found.difference.upper)
    if gap == "above":
        return f"Contacting by who is moved gains more than by who is likely{_against_chance(found)}"
    if gap == "below":
        return f"Contacting by who is likely gains more than by who is moved{_against_chance(found)}"
    moved, likely = (side(t.qini.lower, t.qini.upper) for t in (found.uplift, found.propensity))
    if moved == likely == "above":
        return "Who is likely and who is moved are not told apart as orders of contact; both beat a random one"
    if moved == likely == "below":
        return (
            "Who is likely and who is moved are not told apart as orders of contact; both are worse than a random one"
        )
    if moved == likely:
        return "Neither who is likely nor who is moved is told apart from a random order of contact"
    name, where = ("who is moved", moved) if moved != "not told apart" else ("who is likely", likely)
    verb = "gains more" if where == "above" else "gains less"
    return f"Contacting by {name} {verb} than a random order; the two scores are not told apart"


def _against_chance(found: Uplift) -> str:
    """Say of the better order what it is against chance, where that is not more."""
    better = found.uplift if found.difference.value > 0 else found.propensity
    where = side(better.qini.lower, better.qini.upper)
    if where == "above":
        return ""
    return ", and is not told apart from a random order" if where == "not told apart" else ", and less than at random"


def half_words(found: Uplift) -> str:
    """Say what contacting half of the list brings, by either order and at random, and what contacting all brings."""
    moved, likely, everyone = found.uplift.gained(HALF), found.propensity.gained(HALF), found.average.value
    return (
        f"Per 100 {found.who} in the list, contact of half of them brings {_hundred(moved)} by who is moved, "
        f"{_hundred(likely)} by who is likely and {_hundred(everyone / 2)} at random; contact of all brings "
        f"{_hundred(everyone)}."
    )


def coefficients(found: Uplift) -> str:
    """Say the Qini coefficients and their difference."""

    def one(value: float, lower: float, upper: float) -> str:
        return f"{_hundred(value)} ({_hundred(lower)} to {_hundred(upper)})"

    moved, likely, gap = found.uplift.qini, found.propensity.qini, found.difference
    return (
        f"Qini coefficient per 100 {found.who}, 95% interval: who is moved "
        f"{one(moved.value, moved.lower, moved.upper)}, who is likely {one(likely.value, likely.lower, likely.upper)}, "
        f"difference {one(gap.value, gap.lower, gap.upper)}"
    )


def fifths_title(found: Uplift) -> str:
    """Title the fifths by the effect at either end of the uplift score, and of the propensity."""
    moved = _ends(found.uplift, "in the fifth moved most", "in the fifth moved least")
    likely = _ends(found.propensity, "in the likeliest", "in the least likely")
    return f"Effect of contact: {moved}; {likely}"


def _ends(targeting: Targeting, most: str, least: str) -> str:
    top, bottom = (float(targeting.bins.iloc[at]["effect"]) for at in (-1, 0))
    if len(targeting.bins) < 2 or math.isnan(top) or math.isnan(bottom):
        return f"withheld {most} or {least}"
    apart = side(targeting.spread.lower, targeting.spread.upper)
    more = ", not told apart" if apart == "not told apart" else ""
    return f"{formats.points(top)} {most} and {formats.points(bottom)} {least}{more}"


def disagreement_title(found: Uplift) -> str:
    """Title the table by those who are likely anyway and moved least, against those unlikely and moved most."""
    cell, other = found.cell(3, 1), found.cell(1, 3)
    if cell["reason"]:
        return (
            f"Too few are likely and moved least to compare: {formats.share(found.overlap)} of the likeliest third are "
            "in the most moved third too"
        )
    effect = formats.points(cell["effect"])
    said = {
        "above": f"contact raises it, by {effect}",
        "below": f"contact lowers it, by {effect}",
        "not told apart": f"contact is not seen to change it ({effect})",
    }[side(cell["lower"], cell["upper"])]
    text = (
        f"{formats.count(cell['n'])} {found.who} are likely anyway ({formats.share(cell['control_rate'])} without "
        f"contact) and moved least: {said}"
    )
    if other["reason"]:
        return text
    apart = side(found.contrast.lower, found.contrast.upper)
    among = f"among the unlikely moved most it is {formats.points(other['effect'])}"
    return f"{text}; {among}{', not told apart' if apart == 'not told apart' else ''}"


def _hundred(value: float) -> str:
    """Return outcomes per lead as outcomes per 100, signed, with two decimals."""
    if not math.isfinite(value):
        return formats.MISSING
    text = f"{abs(value) * 100:.2f}"
    return text if text == "0.00" else ("+" if value > 0 else formats.MINUS) + text


def _points(value: float) -> str:
    return formats.points(value).removeprefix("+").replace(" pts", " points")
