"""The two scores that are compared where an experiment was made: who is likely to, and whom contact moves.

Both are out of fold, accounts kept together: no lead is scored by a model that has seen its account. Features enter as
bins and levels, for both scores alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.special import expit

from smarketing.measures.scoring.leads.sample import Feature
from smarketing.measures.scoring.models.encoding import column_of, fit_bins, fit_levels
from smarketing.measures.scoring.models.folds import FOLDS, grouped_folds
from smarketing.measures.scoring.models.ridge import CLOSE, Fitted, Regression

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MOST_BINS, MOST_LEVELS, LEAST = 5, 8, 0.01
"""Bins of a number, levels of a category, and the share of leads that each has to hold."""
RIDGE = 0.3
"""The propensity's C: a level that 100 leads share moves the log-odds freely, one that three share hardly."""
SPREADS = (0.0, 0.003, 0.006, 0.012, 0.025, 0.05, 0.1, 0.2, 0.4)
"""How far the effect may differ between levels, in standard deviations of the outcome; 0 is not at all."""
_DIGITS = 10
_MOST_STEPS = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoScores:
    """Out-of-fold scores of the same leads.

    ``propensity`` is P(outcome), ``uplift`` the difference that contact makes to it; ``spread`` is the one of `SPREADS`
    that was taken in each fold, ``fold`` who was held out together, and ``luck`` which part of the uplift score's
    variance is luck, 0 to 1.
    """

    propensity: FloatArray
    uplift: FloatArray
    fold: npt.NDArray[np.int64]
    spread: tuple[float, ...]
    luck: float


def two_scores(
    features: pd.DataFrame,
    roles: tuple[Feature, ...],
    outcome: npt.NDArray[np.int8],
    treated: BoolArray,
    weight: FloatArray,
    cluster: npt.NDArray[np.int64],
    *,
    seed: int = 0,
) -> TwoScores:
    """Score leads of an experiment twice, each by models that never met its account.

    Parameters
    ----------
    features, roles
        As in `Sample`; roles that must not be used are left out beforehand.
    outcome, weight
        0 or 1, and above 0: leads whose outcome is not known are left out beforehand.
    treated
        Whether chance chose the lead; both arms occur.
    cluster
        Account.
    seed
        Of the folds.

    Notes
    -----
    The propensity is a ridge logistic regression on treated and control together, which is what an ordinary score
    does. The uplift is an R-learner (Nie & Wager 2021, Biometrika 108:299-319): what the propensity m leaves of the
    outcome is regressed on t - e, and on (t - e) times the log-odds of m and every level; t is 1 or 0 and e the share
    that is treated. That the effect grows with the propensity is the commonest way to differ (Kent et al. 2020, Annals
    of Internal Medicine 172:35-45), so it has a slope of its own that is not penalised; levels are, as random effects
    whose spread has the largest marginal likelihood. m is itself out of fold where the uplift learns from it.

    Only differences within a fold's model are kept, around the average effect of all: a fold that is left out with a
    large effect by luck leaves a small one to the others, so that fold averages would rank leads the wrong way.

    Why this one: on Hillstrom's visits, Qini coefficient x 10,000 over three to four seeds of the folds, men's and
    women's e-mail: this score 26 to 36 and 68 to 76; the same without the propensity's slope, over all penalties, 2 to
    25 and 52 to 78; logistic regression with an interaction a feature 9 to 14 and 68 to 75; boosting an arm 5 to 21 and
    63 to 74. The propensity itself has 36 and 21.
    """
    design = _design(features, roles, len(outcome))
    fold = grouped_folds(cluster, outcome, seed=seed)
    e = float(np.average(treated, weights=weight))
    contrast = np.where(treated, 1 - e, -e)
    log_odds = _log_odds(design, outcome, weight, fold)
    everyone = float(np.average(outcome[treated], weights=weight[treated]))
    everyone -= float(np.average(outcome[~treated], weights=weight[~treated]))
    models = [
        _effect(design[seen], log_odds[held][seen], outcome[seen], weight[seen], contrast[seen])
        for held, seen in enumerate(fold != held for held in range(FOLDS))
    ]
    by_all = np.array([model.of(design, log_odds[held]) for held, model in enumerate(models)])
    rows = np.arange(len(outcome))
    return TwoScores(
        propensity=np.round(_probability(log_odds[fold, rows]), _DIGITS),
        uplift=np.round(everyone + by_all[fold, rows], _DIGITS),
        fold=fold,
        spread=tuple(model.spread for model in models),
        luck=_luck(by_all, fold, weight),
    )


def _luck(by_all: FloatArray, fold: npt.NDArray[np.int64], weight: FloatArray) -> float:
    """Return which part of the uplift score's variance is luck, 0 to 1, from how far models of two folds differ.

    Two of K models share (K - 2) / (K - 1) of what they learned from, so that the variance between them is
    1 / (K - 1) of a model's own.
    """
    rows = np.arange(len(fold))
    spread = float(np.average(by_all[fold, rows] ** 2, weights=weight))
    apart = np.average(by_all.var(axis=0, ddof=1), weights=weight)
    return min(float(apart) * (FOLDS - 1) / spread, 1.0) if spread > 0 else 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Effect:
    """How the effect differs from its average: a slope on the propensity's log-odds, and an addend a level."""

    slope: float
    levels: FloatArray
    centre: float
    means: FloatArray
    spread: float

    def of(self, design: sparse.csr_array, log_odds: FloatArray) -> FloatArray:
        return self.slope * (log_odds - self.centre) + design @ self.levels - float(self.means @ self.levels)


def _effect(
    design: sparse.csr_array, log_odds: FloatArray, outcome: FloatArray, weight: FloatArray, contrast: FloatArray
) -> _Effect:
    """Fit how the effect differs, as a linear mixed model: residual = contrast x (a + b m + levels) + noise."""
    total = weight.sum()
    probability = _probability(log_odds)
    residual = outcome - probability
    centre = float(weight @ log_odds / total)
    means = np.asarray(design.T @ weight / total)
    m = log_odds - centre
    # A propensity that is the same for all has no slope: its column is then left at 0 and gets none.
    fixed = np.column_stack([contrast, contrast * m]) * np.sqrt(weight)[:, None]
    random = sparse.csr_array(design.multiply((contrast * np.sqrt(weight))[:, None]))
    target = residual * np.sqrt(weight)
    basis = np.linalg.pinv(fixed.T @ fixed)
    cross = np.asarray(random.T @ fixed)
    gram = np.asarray((random.T @ random).todense()) - cross @ basis @ cross.T
    right = np.asarray(random.T @ target) - cross @ basis @ (fixed.T @ target)
    noise = float(weight @ (probability * (1 - probability)) / total)
    values, vectors = eigh(gram)
    values, turned = np.maximum(values, 0.0), vectors.T @ right
    # Restricted marginal log-likelihood of each spread, less that of none; level effects ~ Normal(0, spread^2 noise).
    gains = [
        float((turned**2 * s**2 / (1 + s**2 * values)).sum() / noise - np.log1p(s**2 * values).sum()) / 2
        for s in SPREADS
    ]
    spread = SPREADS[int(np.argmax(gains))]
    levels = vectors @ (turned * spread**2 / (1 + spread**2 * values))
    coefficients = basis @ (fixed.T @ target - cross.T @ levels)
    return _Effect(slope=float(coefficients[1]), levels=levels, centre=centre, means=means, spread=spread)


def _log_odds(
    design: sparse.csr_array, outcome: npt.NDArray[np.int8], weight: FloatArray, fold: npt.NDArray[np.int64]
) -> FloatArray:
    """Return the propensity's log-odds, a row a fold that is held out.

    In the row of a fold its own leads are scored by a model of all other folds, and each other lead by a model that
    has seen neither its own fold nor the one held out.
    """
    found = np.empty((FOLDS, len(outcome)))
    near: _Nearby | None = None
    for first in range(FOLDS):
        for second in range(first, FOLDS):
            seen = (fold != first) & (fold != second)
            problem = Regression(design[seen], outcome[seen], weight[seen])
            model = None if near is None else near.solve(problem)
            if model is None:
                model = next(problem.path((RIDGE,)))
                near = _Nearby(model, problem)
            for held, scored in {(first, second), (second, first)}:
                found[held, fold == scored] = model.log_odds(design[fold == scored])
    return found


class _Nearby:
    """Solves regressions on nearly the same leads as one that is solved: from its solution, by its curvature.

    The curvature takes seconds, a step by it a hundredth. What it arrives at does not depend on where it began.
    """

    def __init__(self, solved: Fitted, problem: Regression) -> None:
        assert problem.curvature is not None
        self.begin = np.array([solved.intercept, *solved.coefficients])
        self.ridge = np.full(len(self.begin), 1 / RIDGE)
        self.ridge[0] = 0.0
        self.curvature, self.weight = problem.curvature, problem.weight.sum()

    def solve(self, problem: Regression) -> Fitted | None:
        """Return the solution, None where steps do not lead there."""
        part = problem.weight.sum() / self.weight
        factor = cho_factor(self.curvature * part + np.diag(self.ridge + 1e-10))
        found, before = self.begin.copy(), np.inf
        for _ in range(_MOST_STEPS):
            residual = problem.weight * (_probability(found[0] + problem.matrix @ found[1:]) - problem.outcome)
            slope = np.array([residual.sum(), *(problem.transposed @ residual)]) + self.ridge * found
            step = cho_solve(factor, slope)
            decrement = float(slope @ step)
            if decrement < CLOSE:
                return Fitted(intercept=float(found[0]), coefficients=found[1:])
            if not decrement < before:
                return None
            found, before = found - step, decrement
        return None


def _design(features: pd.DataFrame, roles: tuple[Feature, ...], rows: int) -> sparse.csr_array:
    """Return a 0 or 1 column for each bin and level, and for what is missing, of every feature."""
    least = max(int(LEAST * rows), 1)
    columns = [column for role in roles for column in _columns(features, role, least)]
    if not columns:
        return sparse.csr_array((rows, 0))
    return sparse.csr_array(sparse.hstack([sparse.csr_array(c[:, None].astype(np.float64)) for c in columns]))


def _columns(features: pd.DataFrame, role: Feature, least: int) -> Iterator[BoolArray]:
    values = column_of(features, role)
    if role.kind == "number":
        codes = fit_bins(values, at_most=MOST_BINS, at_least=least).codes(values)
    else:
        codes = fit_levels(values, at_most=MOST_LEVELS, at_least=least).codes(values)
    found = np.unique(codes)
    if len(found) > 1:
        yield from (codes == code for code in found)


def _probability(log_odds: FloatArray) -> FloatArray:
    return np.asarray(expit(log_odds))
