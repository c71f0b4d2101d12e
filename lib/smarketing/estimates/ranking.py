"""How well a score puts subjects in order: AUC, average precision, and what a team's capacity captures.

Everything takes weights, so that leads too young to be judged can be stood in for (`censoring`), and a prepared object
sorts once for the many draws of a bootstrap (`bootstrap`). Equal scores are never broken by the order of the rows: they
count half in the AUC and share the last places of a capacity in fractions. Sums are numpy's own: a BLAS product would
add up in an order that depends on its threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smarketing.estimates.scored import FloatArray, IntArray, Scored, scored


@dataclass(frozen=True, kw_only=True)
class Capture:
    """What the best-scored rows of each group hold, as many as the capacity allows.

    Attributes
    ----------
    selected
        Weight of the rows selected, over all groups; below capacity x groups where a group has fewer.
    captured
        Share of all positive outcomes that is among them; NaN without any.
    rate
        Share of the selected with a positive outcome; NaN where nothing is selected.
    lift
        ``rate`` over the rate of all rows: 1 is a random choice within the same total. NaN without positives.
    """

    selected: float
    captured: float
    rate: float
    lift: float


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows sorted by falling score, ready to be counted again and again with other weights; made by `rank`."""

    rows: Scored
    order: IntArray
    starts: IntArray

    def auc(self, times: npt.ArrayLike | None = None) -> float:
        """Return the weighted area under the ROC curve, each row counted ``times``; NaN with one class only."""
        positive, negative = self._by_score(times)
        total, others = positive.sum(), negative.sum()
        if not (total > 0 and others > 0):
            return math.nan
        above = np.cumsum(positive) - positive / 2
        return float((negative * above).sum() / (total * others))

    def average_precision(self, times: npt.ArrayLike | None = None) -> float:
        """Return the sum of precision x gain in recall over the distinct scores; NaN without positives."""
        positive, negative = self._by_score(times)
        total = positive.sum()
        if not total > 0:
            return math.nan
        found = np.cumsum(positive)
        seen = np.cumsum(positive + negative)
        precision = np.divide(found, seen, out=np.zeros(len(seen)), where=seen > 0)
        return float((positive * precision).sum() / total)

    def _by_score(self, times: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray]:
        """Weights of positives and negatives at each distinct score, highest first."""
        weight = self.rows.weight_of(times)[self.order]
        positive = weight * self.rows.outcome[self.order]
        return _sums(positive, self.starts), _sums(weight - positive, self.starts)


def rank(score: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Ranking:
    """Sort scored rows once. Parameters and errors are those of `scored.scored`."""
    rows = scored(score, outcome, weight)
    order = np.argsort(-rows.score, kind="stable")
    return Ranking(rows, order, _starts(rows.score[order]))


def auc(score: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Return how often a positive row scores above a negative one, equal scores counted half, 0 to 1.

    Parameters
    ----------
    score, outcome, weight
        As `scored.scored`: rows of weight 0 are left out.

    Returns
    -------
    float
        NaN when all rows have the same outcome.

    Notes
    -----
    Mann & Whitney (1947); Bamber (1975), Journal of Mathematical Psychology 12:387-415. With weights, pairs count the
    product of their rows' weights.
    """
    return rank(score, outcome, weight).auc()


def average_precision(score: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Return the average precision (area under the precision-recall curve, without interpolation).

    Its level without any skill is the base rate, so it compares scores only on the same rows. Parameters and missing
    data as `auc`; NaN without positives.

    Notes
    -----
    Davis & Goadrich (2006), ICML 23:233-240, for why the curve must not be interpolated linearly; the sum is
    scikit-learn's.
    """
    return rank(score, outcome, weight).average_precision()


@dataclass(frozen=True, eq=False)
class Worklist:
    """Rows sorted by falling score within each group, ready for a capacity; made by `worklist`."""

    rows: Scored
    order: IntArray
    starts: IntArray
    first_of_group: IntArray
    capacity: float

    def taken(self, times: npt.ArrayLike | None = None) -> FloatArray:
        """Return the part of each row that counts (`Scored.kept`) that gets a place, 0 to 1, in their own order."""
        block = _sums(self.rows.weight_of(times)[self.order], self.starts)
        lengths = np.diff(np.append(self.starts, len(self.order)))
        part = np.empty(len(self.order))
        part[self.order] = np.repeat(self._part(block), lengths)
        return part

    def _part(self, block: FloatArray) -> FloatArray:
        """Return the part of each block of equal scores that gets places."""
        before = np.concatenate([[0.0], np.cumsum(block)])[:-1]
        # Places taken in the same group by blocks of a higher score.
        before = before - before[self.first_of_group]
        return np.divide(np.clip(self.capacity - before, 0.0, block), block, out=np.zeros(len(block)), where=block > 0)

    def capture(self, times: npt.ArrayLike | None = None) -> Capture:
        """Return what the capacity captures, each row counted ``times`` (it takes as many places)."""
        weight = self.rows.weight_of(times)[self.order]
        positive = _sums(weight * self.rows.outcome[self.order], self.starts)
        block = _sums(weight, self.starts)
        share = self._part(block)
        selected, found = float((share * block).sum()), float((share * positive).sum())
        everyone, all_found = float(block.sum()), float(positive.sum())
        rate = found / selected if selected > 0 else math.nan
        return Capture(
            selected=selected,
            captured=found / all_found if all_found > 0 else math.nan,
            rate=rate,
            lift=rate * everyone / all_found if all_found > 0 else math.nan,
        )


def worklist(
    score: npt.ArrayLike,
    outcome: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    group: npt.ArrayLike | None,
    capacity: float,
) -> Worklist:
    """Sort rows once by group and falling score. Parameters as `capture`."""
    if not capacity > 0:
        raise ValueError(f"the capacity is {capacity}; it has to be above 0, as many rows as can be worked in a group.")
    rows = scored(score, outcome, weight)
    codes = np.zeros(len(rows.kept), dtype=np.int64)
    if group is not None:
        groups = np.asarray(group)
        if groups.shape != (rows.rows,):
            raise ValueError(f"groups have the shape {groups.shape} and there are {rows.rows} rows; give one a row.")
        codes = np.unique(groups[rows.kept], return_inverse=True)[1].astype(np.int64)
    order = np.lexsort((-rows.score, codes))
    starts = _starts(codes[order], rows.score[order])
    block_codes = codes[order][starts]
    first_of_group = np.searchsorted(block_codes, block_codes, side="left")
    return Worklist(rows, order, starts, first_of_group, float(capacity))


def capture(
    score: npt.ArrayLike,
    outcome: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    group: npt.ArrayLike | None,
    capacity: float,
) -> Capture:
    """Return what the ``capacity`` best-scored rows of each group hold.

    Parameters
    ----------
    score, outcome, weight
        As `scored.scored`. A row takes as many places as its weight; with weights other than 1 a group's weight should
        add up to about its number of subjects.
    group
        The week (or the like) to whose capacity a row belongs; None where all share one capacity. A group that is only
        partly in the sample has too few rows for its capacity: leave it out.
    capacity
        Rows that can be worked in each group, above 0. Rows of equal score at the limit are taken in equal fractions,
        which is what a random choice among them gives on average.

    Raises
    ------
    ValueError
        As `scored.scored`; if the capacity is not above 0, or groups are not one a row.
    """
    return worklist(score, outcome, weight, group=group, capacity=capacity).capture()


def _starts(*keys: npt.NDArray[np.generic]) -> IntArray:
    """Positions at which sorted keys change, the first included."""
    if not len(keys[0]):
        return np.zeros(0, dtype=np.int64)
    changed = np.zeros(len(keys[0]) - 1, dtype=bool)
    for key in keys:
        changed |= np.asarray(key[1:] != key[:-1])
    return np.concatenate([[0], np.flatnonzero(changed) + 1]).astype(np.int64)


def _sums(values: FloatArray, starts: IntArray) -> FloatArray:
    """Sums between starts; without rows there is nothing to add up (reduceat would refuse)."""
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0)
