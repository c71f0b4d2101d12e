"""Signs in the data that a feature came with the outcome or after it: too strong, filled for one class, telling values.

Every limit is far from what honest features do, so that a sign says "ask when this is filled in" and not "this is
strong"; the limits and how often they are wrong are in ``tests/validate/test_leakage_rates.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from smarketing.estimates.odds import ClusteredRate, OddsRatio, clustered_rate, odds_ratio
from smarketing.measures.scoring.audit.feature_power import NOTHING, Alone, Known, Levels, alone, apart
from smarketing.measures.scoring.leads.sample import Feature

IMPLAUSIBLE = 0.80
"""An AUC that no honest field reaches alone: whole honest lead scores reach 0.70 to 0.87."""
ABOVE_THE_REST = 1.5
"""How often the distance (d') of the upper quartile of the other features."""
CERTAIN = 0.95
"""An AUC that is too much whatever the others do: they can all be leaks."""
FEWEST = 20
"""So many leads of either class in a field that is filled in for some, to judge its AUC there."""
FILLED_ODDS = 3.0
"""Odds ratio of filled against blank beyond what honest fields do: those who say more are up to twice as ready."""
DATED_ODDS = 10.0
"""The same for what is dated: who did something by the moment is truly apart from who did nothing."""
FILLED_APART = 0.10
"""Smallest difference of the share filled between the classes that makes a score look better than it is."""
VALUE_ODDS = 20.0
VALUE_SHARE = 0.05
"""A value that comes with the outcome: odds ratio, and share of its class's leads that it holds."""
STRATA, COMPLETE = 60, 0.98
"""What may explain a blank: a field with at most so many levels, filled in at least so much."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One sign that a feature knows the outcome, with what to do; ``feature`` is None where it is about several.

    ``fakes`` is the AUC of the feature alone (None where that was not measured): what it adds to a score that will not
    have it. ``exclude``: to be left out of the score until somebody shows that it is known in time. ``warn``: to ask.
    """

    code: Literal["LK01", "LK02", "LK03", "LK04", "LK05", "LK06"]
    feature: str | None
    label: str
    title: str
    evidence: str
    remedy: str
    fakes: float | None
    severity: Literal["exclude", "warn"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Examined:
    """One feature in the leads whose outcome is known: its levels, its power, and the rates where filled and blank."""

    role: Feature
    levels: Levels
    everywhere: Alone
    where_filled: Alone
    filled: ClusteredRate
    blank: ClusteredRate
    share_filled: float


def examine(role: Feature, levels: Levels, known: Known, *, judged: bool) -> Examined:
    """Measure one feature; shares and rates are weighted. Where the audit cannot judge, powers are left NaN."""
    here = levels.filled
    total = float(known.weight.sum())
    return Examined(
        role=role,
        levels=levels,
        everywhere=alone(levels, known) if judged else NOTHING,
        where_filled=alone(levels, known, where_filled=True) if judged else NOTHING,
        filled=clustered_rate(known.outcome, np.where(here, known.weight, 0.0), known.account),
        blank=clustered_rate(known.outcome, np.where(here, 0.0, known.weight), known.account),
        share_filled=float(known.weight[here].sum()) / total if total > 0 else math.nan,
    )


def signs(features: Sequence[Examined], known: Known, *, level: float) -> Iterator[Flag]:
    """Look for LK02, LK03 and LK04 in every feature; all that is asked in a code is sure together at ``level``."""
    asked = sum(0 < one.share_filled < 1 for one in features)
    values = sum(int((np.bincount(one.levels.code) >= 20).sum()) for one in features)
    suspects = []
    for one in features:
        strong = _too_strong(one, [other for other in features if other is not one])
        # The last range of a number that is too strong as a whole says nothing more.
        whole = strong is not None and one.role.kind == "number"
        telling = None if whole else _telling_values(one, known, confidence=_each(level, values))
        if strong or telling:
            suspects.append(one.role.name)
        yield from (flag for flag in (strong, telling) if flag is not None)
    for one in features:
        answer = _filled_for_one_class(one, known, confidence=_each(level, asked))
        if answer is None:
            continue
        helpers = [other for other in features if other is not one and other.role.name not in suspects]
        if not any(_explains(other, one, known) for other in helpers):
            yield answer


def described(one: Examined) -> str:
    """Say what the feature fakes, with its interval."""
    return f"an AUC of {_area(one.everywhere)}"


def percent(share: float) -> str:
    """Write a share with one decimal, and without one where it is all or nothing."""
    return f"{share:.1%}" if 0 < share < 1 else f"{share:.0%}"


def declared(role: Feature) -> str:
    """Say, at the end of evidence against a feature, that somebody vouched for it."""
    if role.known == "before":
        return "; it is declared as filled in before first contact"
    return "; it is dated before the scoring moment" if role.known == "dated" else ""


def _too_strong(one: Examined, others: Sequence[Examined]) -> Flag | None:
    rest = [other.everywhere.value for other in others if not math.isnan(other.everywhere.value)]
    usual = float(np.quantile(rest, 0.75)) if rest else 0.5
    found = next(
        (
            auc
            for auc in (one.everywhere, one.where_filled)
            if auc.fewer >= FEWEST
            and (auc.lower > CERTAIN or (auc.lower > IMPLAUSIBLE and apart(auc.value) > ABOVE_THE_REST * apart(usual)))
        ),
        None,
    )
    if found is None:
        return None
    where = f", and {_area(found)} where it is filled in" if found is not one.everywhere else ""
    against = f"; three in four of the other {len(rest)} features reach at most {usual:.2f}" if rest else ""
    return _flag(
        "LK02",
        one,
        title=f"{one.role.label}: too strong to be known in time (AUC {found.value:.2f} alone)",
        evidence=f"Alone it reaches {described(one)}{where}{against}",
        remedy="Ask when and by whom it is filled in, and leave it out unless that is before the scoring moment.",
    )


def _filled_for_one_class(one: Examined, known: Known, *, confidence: float) -> Flag | None:
    if not 0 < one.share_filled < 1:
        return None
    odds = odds_ratio(one.filled, one.blank, confidence=confidence)
    with_outcome, without = _shares(one.levels.filled, known)
    limit = DATED_ODDS if one.role.known == "dated" else FILLED_ODDS
    plain = _beyond(odds, limit) and abs(with_outcome - without) >= FILLED_APART
    rare = _beyond(odds, VALUE_ODDS) and abs(with_outcome - without) >= VALUE_SHARE
    if not (plain or rare):
        return None
    whom = "those who answered" if odds.lower > 1 else "those who did not go on"
    return _flag(
        "LK03",
        one,
        title=f"{one.role.label}: filled in for {whom}",
        evidence=f"Filled in for {percent(with_outcome)} of leads with the outcome and {percent(without)} of the "
        f"others: where it is filled in {percent(one.filled.value)} have the outcome, where it is blank "
        f"({percent(1 - one.share_filled)} of leads) {percent(one.blank.value)}, odds ratio {_ratio(odds)}",
        remedy="Leave it out, its being blank too, unless it is filled in before anybody speaks to the lead.",
    )


def _telling_values(one: Examined, known: Known, *, confidence: float) -> Flag | None:
    """Compare each value with the others where the field is filled in: what blanks tell is LK03's."""
    code, width = one.levels.code, len(one.levels.names) + 1
    hit = known.outcome == 1
    events = np.bincount(code, known.weight * hit, minlength=width)
    others = np.bincount(code, known.weight * ~hit, minlength=width)
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = (events / others) / ((events[1:].sum() - events) / (others[1:].sum() - others))
    large = np.where(odds > 1, events >= VALUE_SHARE * events.sum(), others >= VALUE_SHARE * others.sum())
    candidates = np.flatnonzero(large & ((odds > VALUE_ODDS) | (odds < 1 / VALUE_ODDS)))
    found = []
    for level in candidates[candidates > 0]:
        here = code == level
        inside = clustered_rate(known.outcome, np.where(here, known.weight, 0.0), known.account)
        outside = clustered_rate(known.outcome, np.where(here | (code == 0), 0.0, known.weight), known.account)
        if _beyond(odds_ratio(inside, outside, confidence=confidence), VALUE_ODDS):
            found.append((inside, outside, one.levels.names[level - 1]))
    if not found:
        return None
    found.sort(key=lambda each: (-each[0].n, each[2]))
    words = [
        f"{_quoted(name)}: {percent(inside.value)} of {inside.n:,} leads have the outcome, against "
        f"{percent(outside.value)} of those with another value"
        for inside, outside, name in found[:3]
    ]
    left = len(found) - 3
    more = f"; and {left} more {'value' if left == 1 else 'values'}" if left > 0 else ""
    inside, outside, name = found[0]
    return _flag(
        "LK04",
        one,
        title=f"{one.role.label}: the value {_quoted(name)} comes with the outcome"
        if inside.value > outside.value
        else f"{one.role.label}: the value {_quoted(name)} comes only without the outcome",
        evidence="; ".join(words) + more,
        remedy="Ask when the value is set; leave the field out, or take the value as it was at the scoring moment.",
    )


def _explains(other: Examined, one: Examined, known: Known) -> bool:
    """Tell whether most of what blanks of ``one`` tell is what ``other``, vouched for as known in time, tells.

    Pages viewed are blank where the lead came from a fair: then the source explains it, and nobody filled it in. The
    odds ratio within the source's levels (Mantel & Haenszel 1959) is then less than the root of the whole one, or no
    level has both filled and blank.
    """
    if other.role.known not in ("dated", "before") or other.share_filled < COMPLETE:
        return False
    width = len(other.levels.names) + 1
    if width > STRATA:
        return False
    cell = other.levels.code * 4 + one.levels.filled * 2 + known.outcome
    table = np.bincount(cell, known.weight, minlength=4 * width).reshape(width, 2, 2)
    within = _log_mantel_haenszel(table)
    whole = _log_mantel_haenszel(table.sum(axis=0, keepdims=True))
    return abs(within) < abs(whole) / 2


def _log_mantel_haenszel(table: np.ndarray) -> float:
    """Return the common log odds ratio of strata x filled x outcome, half a lead added to either side."""
    rows = np.maximum(table.sum(axis=(1, 2)), 1e-300)
    agree = float((table[:, 1, 1] * table[:, 0, 0] / rows).sum())
    differ = float((table[:, 1, 0] * table[:, 0, 1] / rows).sum())
    return math.log(agree + 0.5) - math.log(differ + 0.5)


def _shares(filled: np.ndarray, known: Known) -> tuple[float, float]:
    hit = known.outcome == 1
    return (
        float(known.weight[hit & filled].sum() / known.weight[hit].sum()),
        float(known.weight[~hit & filled].sum() / known.weight[~hit].sum()),
    )


def _each(level: float, questions: int) -> float:
    return 1 - (1 - level) / max(questions, 1)


def _beyond(odds: OddsRatio, limit: float) -> bool:
    return odds.lower > limit or odds.upper < 1 / limit


def _flag(code: Literal["LK02", "LK03", "LK04"], one: Examined, *, title: str, evidence: str, remedy: str) -> Flag:
    return Flag(
        code=code,
        feature=one.role.name,
        label=one.role.label,
        title=title,
        evidence=f"{evidence}{declared(one.role)}.",
        remedy=remedy,
        fakes=one.everywhere.value,
        severity="exclude",
    )


def _area(auc: Alone) -> str:
    return f"{auc.value:.2f} ({auc.lower:.2f} to {auc.upper:.2f})"


def _quoted(name: str) -> str:
    return f"“{name}”"


def _ratio(odds: OddsRatio) -> str:
    number = "beyond measure" if math.isinf(odds.value) or odds.value == 0 else f"{odds.value:.2g}"
    sure = f"above {odds.lower:.2g}" if odds.lower > 1 else f"below {odds.upper:.2g}"
    return f"{number} (surely {sure})"
