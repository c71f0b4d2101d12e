"""Gradient boosting: many small trees, finer than points and harder to read; each lead's score can still be explained.

Log-odds = the logistic map of the forest's raw log-odds. The trees are scikit-learn's histogram boosting.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.special import expit

from smarketing.estimates.calibration import LogisticMap, logistic_map
from smarketing.measures.scoring.leads.sample import Feature
from smarketing.measures.scoring.models.encoding import (
    NOT_RECORDED,
    Levels,
    column_of,
    engine_column,
    exact,
    fit_bins,
    fit_levels,
    in_words,
    probability_in_engine,
)
from smarketing.measures.scoring.models.folds import (
    Learned,
    check_training,
    fewest_rows,
    grouped_folds,
    mapped_across,
)
from smarketing.measures.scoring.models.forest import Forest
from smarketing.measures.scoring.models.growing import Plan, choose_shape, spreads_beside_copies
from smarketing.measures.scoring.models.shapley import expected_raw, forest_contributions
from smarketing.measures.scoring.models.threads import one_thread

MOST_BINS = 64
MOST_LEVELS = 60
FEWEST_ROWS = 20


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

    Trees have at most 4 or at most 8 leaves, each of at least 30 leads and enough to expect 5 with and 5 without the
    outcome; which of the two, and how many trees up to 150, is what gives the least log loss on folds that keep
    accounts together. Numbers are split between 64 bins of about equal size. Categories keep at most 60 levels of at
    least 20 leads, the rest is "(other)"; what is missing is a level of its own, and what was not met goes with it.

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
    return learn_boosting(features, roles, outcome, weight, cluster, seed=seed).explained()


@one_thread
def learn_boosting(
    features: pd.DataFrame,
    roles: tuple[Feature, ...],
    outcome: np.ndarray,
    weight: np.ndarray,
    cluster: np.ndarray,
    *,
    seed: int = 0,
) -> Learned[Boosting]:
    """Do what `fit_boosting` does, but for finding out which features may be reasons."""
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
    codes = [one.codes(column) for one, column in zip(codings, columns, strict=True)]
    learned = [code[known] for code in codes]
    plan = Plan.of(codings, learned, smallest=fewest_rows(outcome[known], scaled[known]), seed=seed)
    matrix = plan.matrix(codes)
    folds = grouped_folds(cluster, outcome * known, seed=seed)
    shaped = choose_shape(plan, matrix, outcome, scaled, folds)
    plan, raw = shaped.plan, shaped.out_of_fold
    calibration = logistic_map(raw, outcome, scaled)
    rows = (matrix[known], outcome[known], scaled[known])
    taken = [column[known] for column in _columns(features, roles, levels)]
    trees = Boosting(
        roles=roles,
        levels=levels,
        forest=plan.forest(*rows),
        calibration=calibration,
        beyond_chance=(),
        out_of_fold=mapped_across(raw, outcome, scaled, folds),
    )
    return Learned(
        model=trees,
        spreads_beside=lambda order: spreads_beside_copies(plan, rows[0], taken, rows[1], rows[2], order),
        known=np.ones(int(known.sum()), dtype=bool),
        varying=sum(len(np.unique(code)) > 1 for code in learned),
        seed=seed,
    )


def _columns(features: pd.DataFrame, roles: tuple[Feature, ...], levels: tuple[Levels | None, ...]) -> list[np.ndarray]:
    """Return the features as the trees take them: numbers, or levels with -1 for missing."""
    found = [column_of(features, role) for role in roles]
    return [column if one is None else one.codes(column) for column, one in zip(found, levels, strict=True)]
