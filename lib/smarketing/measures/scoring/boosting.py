"""Gradient boosting: many small trees, finer than points and harder to read; each lead's score can still be explained.

Log-odds = the logistic map of the forest's raw log-odds. The trees are scikit-learn's histogram boosting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from smarketing.estimates.calibration import LogisticMap, logistic_map
from smarketing.measures.scoring.encoding import (
    MISSING,
    NOT_RECORDED,
    Bins,
    Levels,
    column_of,
    engine_column,
    exact,
    fit_bins,
    fit_levels,
    in_words,
    probability_in_engine,
)
from smarketing.measures.scoring.folds import beyond_shuffled, check_training, grouped_folds, log_loss
from smarketing.measures.scoring.forest import Forest, read_forest
from smarketing.measures.scoring.sample import Feature
from smarketing.measures.scoring.shapley import expected_raw, forest_contributions

MOST_BINS = 64
MOST_LEVELS = 60
FEWEST_ROWS = 20
LEARNING_RATE = 0.1
MOST_TREES = 150
STRIDE = 10
"""Numbers of trees are tried in steps of this."""
ROWS_FOR_CHANCE = 5_000
SETTINGS = {
    "learning_rate": LEARNING_RATE,
    "max_leaf_nodes": 8,
    "max_depth": 5,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
    "max_bins": 255,
    "early_stopping": False,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Boosting:
    """Trees and their logistic map: log-odds = calibration(forest).

    ``levels`` go by position of the feature (None for numbers). ``out_of_fold`` are calibrated probabilities of the
    training rows from models that saw no lead of the same account. ``base`` is the mean lead's log-odds, as the splits
    went: base + contributions = log-odds. ``beyond_chance`` are the features that move log-odds more than any
    shuffled copy of a feature does (see `beyond_shuffled`): others are no reasons.
    """

    roles: tuple[Feature, ...]
    levels: tuple[Levels | None, ...]
    forest: Forest
    calibration: LogisticMap
    beyond_chance: tuple[str, ...]
    out_of_fold: np.ndarray
    family: str = "boosting"

    @property
    def base(self) -> float:
        """Log-odds of a lead of which nothing is known."""
        return self.calibration.intercept + self.calibration.slope * expected_raw(self.forest)

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Features that no tree asks for."""
        used = set(self.forest.feature.tolist())
        return tuple(role.name for i, role in enumerate(self.roles) if i not in used)

    def log_odds(self, features: pd.DataFrame) -> np.ndarray:
        """Return each lead's calibrated log-odds."""
        return self.calibration.log_odds(self.forest.raw(_columns(features, self.roles, self.levels)))

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """Return each lead's calibrated probability."""
        return expit(self.log_odds(features))

    def contributions(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return what each feature adds to the log-odds against the mean lead: a column a feature."""
        raw = forest_contributions(self.forest, _columns(features, self.roles, self.levels))
        return pd.DataFrame(self.calibration.slope * raw, columns=[role.name for role in self.roles])

    def in_words(self, features: pd.DataFrame, role: Feature) -> np.ndarray:
        """Return what the trees saw of a feature: the number, or the level."""
        levels = self.levels[[one.name for one in self.roles].index(role.name)]
        column = column_of(features, role)
        if levels is None:
            return np.array([NOT_RECORDED if np.isnan(x) else in_words(x) for x in column.tolist()], dtype=object)
        words = np.array([*(levels.words(code) for code in range(len(levels))), NOT_RECORDED], dtype=object)
        return words[levels.codes(column)]

    def expression(self, table: ir.Table) -> ir.FloatingValue:
        """Return the calibrated probability of a table's rows as an expression for its engine."""
        used = sorted(set(self.forest.feature.tolist()) - {-1})
        columns = {i: engine_column(table, self.roles[i]) for i in used}
        levels = {i: one for i in used if (one := self.levels[i]) is not None}
        raw = self.forest.expression(columns, levels)
        return probability_in_engine(exact(self.calibration.intercept) + exact(self.calibration.slope) * raw)


def fit_boosting(
    features: pd.DataFrame,
    roles: tuple[Feature, ...],
    outcome: np.ndarray,
    weight: np.ndarray,
    cluster: np.ndarray,
    *,
    seed: int = 0,
) -> Boosting:
    """Learn trees from leads of known label.

    Trees have at most 8 leaves of at least 40 leads; how many there are, up to 150, is what gives the least log loss on
    folds that keep accounts together. Numbers are split between 64 bins of about equal size. Categories keep at most
    60 levels of at least 20 leads, the rest is "(other)"; what is missing is a level of its own, and what was not met
    goes with it.

    Parameters
    ----------
    features, roles
        A row a lead, a column a role.
    outcome, weight
        1 or 0 a lead, and its weight: 0 where the label is not known (such leads get an out-of-fold probability too).
    cluster
        The account of each lead, as a whole number.

    Raises
    ------
    ValueError
        If the input cannot teach (see `folds.check_training`).
    """
    check_training(features, roles, outcome, weight, cluster)
    known = weight > 0
    scaled = weight / weight[known].mean()
    columns = [column_of(features, role) for role in roles]
    codings = tuple(
        fit_bins(column[known], at_most=MOST_BINS, at_least=1)
        if role.kind == "number"
        else fit_levels(column[known], at_most=MOST_LEVELS, at_least=FEWEST_ROWS)
        for role, column in zip(roles, columns, strict=True)
    )
    levels = tuple(one if isinstance(one, Levels) else None for one in codings)
    # Categories first: scikit-learn would put them there itself and number the features anew.
    positions = sorted(range(len(roles)), key=lambda i: (levels[i] is None, i))
    categories = len(roles) - levels.count(None)
    codes = [one.codes(column) for one, column in zip(codings, columns, strict=True)]
    # A category's missing is a level of its own: left to scikit-learn (1.9) as NaN beside a single level, it is
    # predicted to go another way than it was trained to.
    matrix = np.column_stack(
        [np.where(codes[i] == MISSING, np.nan if levels[i] is None else len(codings[i]), codes[i]) for i in positions]
    )
    steps = range(STRIDE, MOST_TREES + 1, STRIDE)
    raw = np.zeros((len(steps), len(outcome)))
    folds = grouped_folds(cluster, outcome * known, seed=seed)
    for fold in np.unique(folds):
        train, held_out = known & (folds != fold), folds == fold
        model = _fit(MOST_TREES, categories, seed, matrix[train], outcome[train], scaled[train])
        for i, one in enumerate(model.staged_decision_function(matrix[held_out])):
            if (i + 1) % STRIDE == 0:
                raw[(i + 1) // STRIDE - 1, held_out] = one.ravel()
    losses = [float(np.average(log_loss(one, outcome), weights=scaled)) for one in raw]
    best = int(np.argmin(losses))
    calibration = logistic_map(raw[best], outcome, scaled)
    plan = _Plan(
        trees=steps[best],
        positions=tuple(positions),
        categories=categories,
        codings=codings,
        missing=tuple(bool((code[known] == MISSING).any()) for code in codes),
        seed=seed,
    )
    learned = [column[known] for column in _columns(features, roles, levels)]
    matter = beyond_shuffled(
        lambda order: _spreads_beside_copies(plan, matrix[known], learned, outcome[known], scaled[known], order),
        np.ones(int(known.sum()), dtype=bool),
        sum(len(np.unique(code[known])) > 1 for code in codes),
        seed=seed,
    )
    return Boosting(
        roles=roles,
        levels=levels,
        forest=_forest(plan, matrix[known], outcome[known], scaled[known]),
        calibration=calibration,
        beyond_chance=tuple(role.name for role, matters in zip(roles, matter, strict=True) if matters),
        out_of_fold=expit(calibration.log_odds(raw[best])),
    )


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What it takes to fit trees and to read them; see `read_forest`."""

    trees: int
    positions: tuple[int, ...]
    categories: int
    codings: tuple[Bins | Levels, ...]
    missing: tuple[bool, ...]
    seed: int

    def doubled(self) -> _Plan:
        """Return the plan for features with copies of theirs beside them, categories first."""
        roles, first = len(self.positions), self.positions[: self.categories]
        rest = self.positions[self.categories :]
        return replace(
            self,
            positions=(*first, *(i + roles for i in first), *rest, *(i + roles for i in rest)),
            categories=2 * self.categories,
            codings=self.codings * 2,
            missing=self.missing * 2,
        )


def _forest(plan: _Plan, matrix: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> Forest:
    model = _fit(plan.trees, plan.categories, plan.seed, matrix, outcome, weight)
    return read_forest(model, plan.positions, plan.codings, plan.missing)


def _spreads_beside_copies(
    plan: _Plan,
    matrix: np.ndarray,
    columns: list[np.ndarray],
    outcome: np.ndarray,
    weight: np.ndarray,
    order: np.ndarray,
) -> np.ndarray:
    """Return how much each feature, and then each copy in the rows' new ``order``, moves log-odds in one model."""
    copies, first = matrix[order], plan.categories
    both = np.column_stack([matrix[:, :first], copies[:, :first], matrix[:, first:], copies[:, first:]])
    forest = _forest(plan.doubled(), both, outcome, weight)
    apart = max(1, len(matrix) // ROWS_FOR_CHANCE)
    some = [column[::apart] for column in columns] + [column[order][::apart] for column in columns]
    spreads: np.ndarray = forest_contributions(forest, some).std(axis=0)
    return spreads


def _fit(
    trees: int, categories: int, seed: int, matrix: np.ndarray, outcome: np.ndarray, weight: np.ndarray
) -> HistGradientBoostingClassifier:
    """Fit scikit-learn's trees to codes, the first columns categories."""
    model = HistGradientBoostingClassifier(
        max_iter=trees, categorical_features=list(range(categories)) or None, random_state=seed, **SETTINGS
    )
    # scikit-learn cannot bin a number that is never known; a constant is never split either.
    never = np.isnan(matrix).all(axis=0)
    return model.fit(np.where(never, 0.0, matrix), outcome, sample_weight=weight)


def _columns(features: pd.DataFrame, roles: tuple[Feature, ...], levels: tuple[Levels | None, ...]) -> list[np.ndarray]:
    """Return the features as the trees take them: numbers, or levels with -1 for missing."""
    found = [column_of(features, role) for role in roles]
    return [column if one is None else one.codes(column) for column, one in zip(found, levels, strict=True)]
