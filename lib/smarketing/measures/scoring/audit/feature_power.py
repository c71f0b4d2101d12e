"""How well one feature alone tells the leads with the outcome from the others, judged on accounts it was not taught on.

A feature becomes levels (its values, or ranges of a number); a level's score in a fold is its rate in the other folds.
A column of names or ids, which would tell everything of the rows it was taught on, so comes out at 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import special, stats

from smarketing.measures.scoring.leads.sample import Feature

FOLDS = 5
# Finer at the ends: where few leads convert, what tells them is in the last percent.
CUTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
DISTINCT = 25
"""A number with at most so many different values is taken value by value."""
PRIOR_EVENTS = 1.0
"""How much a level's rate is drawn to the whole rate: as though it had so many more leads with the outcome, at that."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """A feature as whole numbers, one a lead: 0 where it is blank, i where it has the level ``names[i - 1]``."""

    code: np.ndarray
    names: tuple[str, ...]

    @property
    def filled(self) -> np.ndarray:
        """Whether the feature has a value, one a lead."""
        return np.asarray(self.code > 0)

    def take(self, rows: np.ndarray) -> Levels:
        """Return the leads of a mask, with the same levels."""
        return Levels(code=self.code[rows], names=self.names)


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """Leads whose outcome is known: outcome 0 or 1, weight of mean 1, account 0, 1, ..., and the account's fold."""

    outcome: np.ndarray
    weight: np.ndarray
    account: np.ndarray
    fold: np.ndarray

    @property
    def events(self) -> int:
        """How many leads have the outcome."""
        return int(self.outcome.sum())


@dataclass(frozen=True)
class Alone:
    """Area under the ROC curve of one feature alone, with a 95 % interval by account; NaN where nothing is to compare.

    ``fewer`` is how many leads it has of the smaller class.
    """

    value: float
    lower: float
    upper: float
    fewer: int


NOTHING = Alone(math.nan, math.nan, math.nan, 0)


def known_leads(outcome: np.ndarray, weight: np.ndarray, cluster: np.ndarray) -> Known:
    """Deal accounts to folds, always in the same way; every row needs a weight above 0."""
    accounts, account = np.unique(cluster, return_inverse=True)
    deal = np.random.default_rng(0).permutation(len(accounts)) % FOLDS
    scale = float(weight.mean()) if len(weight) else 1.0
    return Known(outcome=(outcome == 1).astype(np.int64), weight=weight / scale, account=account, fold=deal[account])


def levels(values: pd.Series, role: Feature) -> Levels:
    """Turn a column into levels: categories and numbers of few values as they are, other numbers in ranges."""
    if role.kind == "category":
        found, names = pd.factorize(values)
        return Levels(code=found + 1, names=tuple(str(name) for name in names))
    number = values.to_numpy(dtype=float)
    filled = ~np.isnan(number)
    code = np.zeros(len(number), dtype=np.int64)
    known = np.sort(number[filled])
    if not len(known):
        return Levels(code=code, names=())
    starts = np.flatnonzero(np.concatenate([[True], known[1:] != known[:-1]]))
    if len(starts) <= DISTINCT:
        distinct = known[starts]
        code[filled] = np.searchsorted(distinct, number[filled]) + 1
        return Levels(code=code, names=tuple(f"{one:.6g}" for one in distinct))
    cuts = np.unique(known[(np.array(CUTS) * len(known)).astype(int)])
    cuts = cuts[cuts < known[-1]]
    code[filled] = np.searchsorted(cuts, number[filled]) + 1
    names = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(cuts)]
    return Levels(code=code, names=(f"up to {cuts[0]:.6g}", *names, f"above {cuts[-1]:.6g}"))


def alone(feature: Levels, known: Known, *, where_filled: bool = False) -> Alone:
    """Measure the AUC of one feature alone, in all leads or only in those where it has a value.

    Leads are compared within their fold only: scores of different folds are not on one scale, and a feature without
    any value would seem to be worse than chance across them.

    Notes
    -----
    Obuchowski (1997), Biometrics 53:567-578: variance from each account's sum of placements, here with weights. The
    interval is made on the logit. That the rates were estimated in the other folds is not in it.
    """
    width = len(feature.names) + 1
    cell = known.fold * width + feature.code
    weight = np.where(feature.filled, known.weight, 0.0) if where_filled else known.weight
    hit = known.outcome == 1
    events = np.bincount(cell, weight * hit, minlength=FOLDS * width).reshape(FOLDS, width)
    others = np.bincount(cell, weight * ~hit, minlength=FOLDS * width).reshape(FOLDS, width)
    pairs = events.sum(axis=1) * others.sum(axis=1)
    if pairs.sum() == 0:
        return NOTHING
    score = _rates_elsewhere(events, others)
    event_places, other_places = np.zeros((2, FOLDS, width))
    won = 0.0
    for fold in range(FOLDS):
        order, step = np.unique(score[fold], return_inverse=True)
        hits = np.bincount(step, events[fold], minlength=len(order))
        misses = np.bincount(step, others[fold], minlength=len(order))
        event_places[fold] = (np.cumsum(misses) - misses / 2)[step]
        other_places[fold] = (hits.sum() - np.cumsum(hits) + hits / 2)[step]
        won += float(events[fold] @ event_places[fold])
    value = won / float(pairs.sum())
    expected = value * np.stack([events.sum(axis=1), others.sum(axis=1)])
    influence = np.where(
        hit,
        (event_places - expected[1][:, None]).ravel()[cell],
        (other_places - expected[0][:, None]).ravel()[cell],
    )
    by_account = np.bincount(known.account, weight * influence) / float(pairs.sum())
    used = len(np.unique(known.account[weight > 0])) if where_filled else len(by_account)
    error = math.sqrt(float(by_account @ by_account) * used / max(used - 1, 1))
    return _on_the_logit(value, error, min(int((hit & (weight > 0)).sum()), int((~hit & (weight > 0)).sum())))


def apart(value: float) -> float:
    """Return how many standard deviations apart two normal groups with this AUC are (d'), 0 for 0.5.

    Notes
    -----
    Green & Swets (1966), Signal Detection Theory and Psychophysics: d' = sqrt(2) times the normal quantile of the AUC.
    """
    return math.sqrt(2) * float(stats.norm.ppf(min(max(value, 1e-9), 1 - 1e-9)))


def _rates_elsewhere(events: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Give each level in each fold its rate in the other folds; one that is not there gets the whole rate."""
    hits = events.sum(axis=0) - events
    rows = hits + others.sum(axis=0) - others
    whole_hits, whole_rows = hits.sum(axis=1, keepdims=True), rows.sum(axis=1, keepdims=True)
    whole = np.divide(whole_hits, whole_rows, out=np.full_like(whole_hits, 0.5), where=whole_rows > 0)
    prior_rows = np.divide(PRIOR_EVENTS, whole, out=np.ones_like(whole), where=whole > 0)
    # Sums of floats differ in their last digit by order: levels that are alike have to tie.
    return np.round((hits + PRIOR_EVENTS) / (rows + prior_rows), 12)


def _on_the_logit(value: float, error: float, fewer: int) -> Alone:
    edge = 0.5 / (fewer + 1)
    centre = min(max(value, edge), 1 - edge)
    if centre != value:
        error = max(error, math.sqrt(centre * (1 - centre) / max(fewer, 1)))
    half = float(stats.norm.ppf(0.975)) * error / (centre * (1 - centre))
    middle = float(special.logit(centre))
    lower, upper = float(special.expit(middle - half)), float(special.expit(middle + half))
    return Alone(value, min(lower, value), max(upper, value), fewer)
