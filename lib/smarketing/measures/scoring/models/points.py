"""How a scorecard's points are learned: a ridge logistic regression on bins, rounded to whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.metrics import roc_auc_score

from smarketing.measures.scoring.models.encoding import MISSING
from smarketing.measures.scoring.models.folds import log_loss, loss_gain
from smarketing.measures.scoring.models.ridge import ROUGH, Fitted, Regression

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Candidates for C, which is about the variance of a bin's log-odds before the data speak."""
POINTS_TO_DOUBLE = 10
AUC_LOST = 0.001
DECIMALS = 9
"""Digits kept of the start: the last ones depend on how many threads added up."""
FINEST = 6
"""Halvings of the unit at most: 640 points would double the odds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """Binned features as columns of a regression: a row a lead, a block of columns a feature.

    A number's columns are steps (1 from bin j on), so that a ridge draws neighbouring bins to each other; a category's
    are its levels. Rows where the feature is missing hold the columns' means, so that missing is the average lead, plus
    a column of their own where there are enough of them (``learned``).
    """

    matrix: sparse.csr_array
    blocks: tuple[slice, ...]
    codes: tuple[np.ndarray, ...]
    ordered: tuple[bool, ...]
    learned: tuple[bool, ...]
    means: tuple[np.ndarray, ...]

    @classmethod
    def of(
        cls,
        codes: Sequence[np.ndarray],
        sizes: Sequence[int],
        ordered: Sequence[bool],
        weight: np.ndarray,
        fewest: int,
    ) -> Design:
        """Lay out columns for codes of `Bins` (ordered) and `Levels`."""
        known = weight > 0
        parts, blocks, learned, means, start = [], [], [], [], 0
        for code, size, steps in zip(codes, sizes, ordered, strict=True):
            missing = code == MISSING
            here = np.maximum(code, 0)
            columns = here[:, None] >= np.arange(1, size) if steps else here[:, None] == np.arange(size)
            block = columns.astype(float)
            recorded = known & ~missing
            mean = np.average(block[recorded], axis=0, weights=weight[recorded]) if recorded.any() else block[0] * 0
            block[missing] = mean
            own = bool((missing & known).sum() >= fewest)
            if own:
                block = np.column_stack([block, missing.astype(float)])
            parts.append(sparse.csr_array(block))
            blocks.append(slice(start, start + block.shape[1]))
            start += block.shape[1]
            learned.append(own)
            means.append(mean)
        return cls(
            matrix=sparse.csr_array(sparse.hstack(parts, format="csr")),
            blocks=tuple(blocks),
            codes=tuple(codes),
            ordered=tuple(ordered),
            learned=tuple(learned),
            means=tuple(means),
        )

    def rows(self, rows: np.ndarray) -> Design:
        """Return the design of some rows, given as a mask."""
        return Design(
            matrix=self.matrix[np.flatnonzero(rows)],
            blocks=self.blocks,
            codes=tuple(code[rows] for code in self.codes),
            ordered=self.ordered,
            learned=self.learned,
            means=self.means,
        )

    def values(self, coefficients: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return what each feature's codes add to the log-odds; the last place is that of missing."""
        found = []
        for i, block in enumerate(self.blocks):
            own = coefficients[block]
            levels = own[: len(self.means[i])]
            missing = float(self.means[i] @ levels) + (float(own[-1]) if self.learned[i] else 0.0)
            found.append(np.array([*(np.cumsum([0.0, *levels]) if self.ordered[i] else levels), missing]))
        return tuple(found)

    def centred(self, coefficients: np.ndarray, weight: np.ndarray) -> Centred:
        """Return `values` less the average lead's."""
        known, found, total = weight > 0, [], 0.0
        for value, code, learned in zip(self.values(coefficients), self.codes, self.learned, strict=True):
            mean = float(np.average(value[code[known]], weights=weight[known]))
            moved = value - mean
            moved[-1] *= learned
            found.append(moved)
            total += mean
        return Centred(values=tuple(found), mean=total)

    def spreads(self, coefficients: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the standard deviation over rows of what each feature adds to the log-odds."""
        known, centred = weight > 0, self.centred(coefficients, weight).values
        squares = [
            np.average(value[code[known]] ** 2, weights=weight[known])
            for value, code in zip(centred, self.codes, strict=True)
        ]
        return np.sqrt(np.array(squares, dtype=float))

    def beside(self, order: np.ndarray) -> Design:
        """Return the design with a second one beside it whose rows are brought into another order."""
        width = self.matrix.shape[1]
        return Design(
            matrix=sparse.csr_array(sparse.hstack([self.matrix, self.matrix[order]], format="csr")),
            blocks=self.blocks + tuple(slice(b.start + width, b.stop + width) for b in self.blocks),
            codes=self.codes + tuple(code[order] for code in self.codes),
            ordered=self.ordered * 2,
            learned=self.learned * 2,
            means=self.means * 2,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Centred:
    """What each feature's codes add to the log-odds against the average lead, whose own sum is ``mean``.

    The last place is that of missing: 0 where training held too little of it.
    """

    values: tuple[np.ndarray, ...]
    mean: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """Whole points by feature and code (the last place is that of missing): log-odds = start + unit * total."""

    start: float
    unit: float
    points: tuple[np.ndarray, ...]

    def log_odds(self, design: Design) -> np.ndarray:
        """Return the log-odds of the design's rows."""
        total = sum(points[code] for points, code in zip(self.points, design.codes, strict=True))
        return self.start + self.unit * np.asarray(total)


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossValidated:
    """The penalty of least out-of-fold loss, and the out-of-fold log-odds of points fitted with it.

    ``first_penalty`` is that of the first regression where weak features are shrunk more in a second one, else None.
    """

    penalty: float
    first_penalty: float | None
    out_of_fold: np.ndarray


def fit_coefficients(
    design: Design, outcome: np.ndarray, weight: np.ndarray, penalty: float, first_penalty: float | None
) -> Fitted:
    """Fit the regression on rows of weight above 0.

    With ``first_penalty`` it is fitted twice, the second time with each feature's penalty divided by the square of
    what the first made of it: strong features keep their weight and weak ones vanish (an adaptive ridge by groups:
    Grandvalet 1998; Zou 2006 for the adaptive lasso).
    """
    train = design.rows(weight > 0)
    outcome, weight = outcome[weight > 0], weight[weight > 0]
    regression = Regression(train.matrix, outcome, weight)
    if first_penalty is None:
        return next(regression.path((penalty,)))
    first = next(regression.path((first_penalty,)))
    return next(regression.path((penalty,), _strengths(train, first, weight)))


def cross_validate(
    design: Design,
    outcome: np.ndarray,
    weight: np.ndarray,
    cluster: np.ndarray,
    folds: np.ndarray,
    *,
    most: float | None = None,
) -> CrossValidated:
    """Choose the penalty, and whether to shrink weak features more, on folds; everything is refitted within each.

    Weak features are shrunk more unless doing without is better by more than chance: that makes the simpler card, and
    where a few hundred outcomes let chance decide, the better one. With ``most``, only penalties so strong that they
    leave at most as many free parameters (`Regression.effective`).
    """
    places = [((weight > 0) & (folds != fold), folds == fold) for fold in np.unique(folds)]
    trains = [design.rows(train) for train, _ in places]
    regressions = [
        Regression(train.matrix, outcome[rows], weight[rows]) for train, (rows, _) in zip(trains, places, strict=True)
    ]
    known = weight > 0
    whole = Regression(design.rows(known).matrix, outcome[known], weight[known])
    penalties = _allowed(whole, most)
    paths = [list(regression.path(penalties, close=ROUGH)) for regression in regressions]
    plain = {penalty: [path[i] for path in paths] for i, penalty in enumerate(penalties)}
    losses = {penalty: _losses(design, plain[penalty], places, outcome) for penalty in penalties}
    first = _least(losses, weight)
    strengths = [
        _strengths(train, one, weight[rows]) for train, (rows, _), one in zip(trains, places, plain[first], strict=True)
    ]
    again = [p for p in penalties if most is None or whole.effective(p, strengths[0]) <= most]
    paths = [
        list(regression.path(again, strength, close=ROUGH))
        for regression, strength in zip(regressions, strengths, strict=True)
    ]
    selective = {penalty: [path[i] for path in paths] for i, penalty in enumerate(again)}
    best: tuple[float, float | None] = (first, None)
    fits = plain[first]
    if selective:
        tried = {penalty: _losses(design, selective[penalty], places, outcome) for penalty in again}
        penalty = _least(tried, weight)
        if not loss_gain(tried[penalty], losses[first], weight, cluster).certain:
            best, fits = (penalty, first), selective[penalty]
    out_of_fold = np.zeros(len(outcome))
    for train, (rows, held_out), one in zip(trains, places, fits, strict=True):
        points = round_to_points(train, one, outcome[rows], weight[rows])
        out_of_fold[held_out] = points.log_odds(design.rows(held_out))
    return CrossValidated(penalty=best[0], first_penalty=best[1], out_of_fold=out_of_fold)


def spreads_beside_copies(
    design: Design, outcome: np.ndarray, weight: np.ndarray, crossed: CrossValidated, order: np.ndarray
) -> np.ndarray:
    """Return how much each feature, and then each copy in the rows' new ``order``, moves log-odds in one model."""
    both = design.beside(order)
    fitted = fit_coefficients(both, outcome, weight, crossed.penalty, crossed.first_penalty)
    return both.spreads(fitted.coefficients, weight)


def _allowed(regression: Regression, most: float | None) -> tuple[float, ...]:
    """Return the penalties that leave at most ``most`` free parameters, or the weakest such one and two stronger."""
    if most is None:
        return PENALTIES
    found = tuple(penalty for penalty in PENALTIES if regression.effective(penalty) <= most)
    if found:
        return found
    low, high = math.log(1e-9), math.log(PENALTIES[0])
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if regression.effective(math.exp(middle)) <= most else (low, middle)
    weakest = float(f"{math.exp(low):.3g}")
    return weakest / 10, weakest / 3, weakest


def round_to_points(design: Design, fitted: Fitted, outcome: np.ndarray, weight: np.ndarray) -> Points:
    """Round log-odds to whole points around the average lead, as coarsely as the ranking allows.

    10 points double the odds; where rounding changes the training AUC by 0.001 or more 20 do, and so on.
    """
    known = weight > 0
    centred = design.centred(fitted.coefficients, weight)
    exact = sum(value[code] for value, code in zip(centred.values, design.codes, strict=True))
    wanted = roc_auc_score(outcome[known], exact[known], sample_weight=weight[known])
    for halvings in range(FINEST + 1):
        unit = math.log(2) / (POINTS_TO_DOUBLE * 2**halvings)
        card = Points(
            start=round(fitted.intercept + centred.mean, DECIMALS),
            unit=unit,
            points=tuple(np.rint(value / unit).astype(np.int64) for value in centred.values),
        )
        auc = roc_auc_score(outcome[known], card.log_odds(design)[known], sample_weight=weight[known])
        if abs(auc - wanted) < AUC_LOST:
            break
    return card


def _strengths(design: Design, fitted: Fitted, weight: np.ndarray) -> np.ndarray:
    """Return, a column, the spread of what its feature adds to the log-odds, of mean square 1 over features."""
    found = design.spreads(fitted.coefficients, weight)
    spread = np.repeat(found, [block.stop - block.start for block in design.blocks])
    mean_square = math.sqrt(float(np.mean(np.square(found))))
    return spread / mean_square if mean_square > 0 else spread + 1.0


def _losses(
    design: Design, fits: Sequence[Fitted], places: Sequence[tuple[np.ndarray, np.ndarray]], outcome: np.ndarray
) -> np.ndarray:
    """Return each row's loss when it was held out."""
    raw = np.zeros(len(outcome))
    for one, (_, held_out) in zip(fits, places, strict=True):
        rows = np.flatnonzero(held_out)
        raw[rows] = one.log_odds(design.matrix[rows])
    return log_loss(raw, outcome)


def _least(losses: Mapping[float, np.ndarray], weight: np.ndarray) -> float:
    """Return the penalty of the least weighted mean loss."""
    return min(losses, key=lambda penalty: float(np.average(losses[penalty], weights=weight)))
