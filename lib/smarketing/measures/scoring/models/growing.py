"""How boosted trees are grown: from codes, by scikit-learn, in the shape and number that do best out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from smarketing.measures.scoring.models.encoding import MISSING, Bins, Levels
from smarketing.measures.scoring.models.folds import log_loss
from smarketing.measures.scoring.models.forest import Forest, read_forest
from smarketing.measures.scoring.models.shapley import forest_contributions

LEAVES = (4, 8)
"""Leaves a tree that are tried: weak signals are found better by smaller trees."""
MOST_TREES = 150
STRIDE = 10
"""Numbers of trees are tried in steps of this."""
SETTINGS = {
    "learning_rate": 0.1,
    "max_depth": 5,
    "l2_regularization": 20.0,
    "max_bins": 255,
    "early_stopping": False,
}
ROWS_FOR_SPREAD = 5_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What it takes to grow trees, and to read them (see `read_forest`).

    Categories come first among the columns that are given to scikit-learn, which would put them there itself and number
    the features anew: ``positions`` are the roles' positions of the columns, the first ``categories`` of which are
    categories. ``smallest`` is the fewest leads a leaf.
    """

    trees: int
    leaves: int
    smallest: int
    positions: tuple[int, ...]
    categories: int
    codings: tuple[Bins | Levels, ...]
    missing: tuple[bool, ...]
    seed: int

    @classmethod
    def of(cls, codings: tuple[Bins | Levels, ...], codes: Sequence[np.ndarray], *, smallest: int, seed: int) -> Plan:
        """Plan for features whose training rows are coded as ``codes``, a feature each."""
        positions = sorted(range(len(codings)), key=lambda i: (isinstance(codings[i], Bins), i))
        return cls(
            trees=MOST_TREES,
            leaves=LEAVES[0],
            smallest=smallest,
            positions=tuple(positions),
            categories=sum(isinstance(one, Levels) for one in codings),
            codings=codings,
            missing=tuple(bool((code == MISSING).any()) for code in codes),
            seed=seed,
        )

    def matrix(self, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Return codes as scikit-learn takes them, a column each of ``positions``."""
        # A category's missing is a level of its own: left to scikit-learn (1.9) as NaN beside a single level, it is
        # predicted to go another way than it was trained to.
        missing = [np.nan if isinstance(one, Bins) else len(one) for one in self.codings]
        return np.column_stack([np.where(codes[i] == MISSING, missing[i], codes[i]) for i in self.positions])

    def beside_copies(self) -> Plan:
        """Return the plan for features with copies of theirs beside them."""
        first, rest = self.positions[: self.categories], self.positions[self.categories :]
        roles = len(self.positions)
        return replace(
            self,
            positions=(*first, *(i + roles for i in first), *rest, *(i + roles for i in rest)),
            categories=2 * self.categories,
            codings=self.codings * 2,
            missing=self.missing * 2,
        )

    def fit(self, matrix: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> HistGradientBoostingClassifier:
        """Grow the trees with scikit-learn."""
        model = HistGradientBoostingClassifier(
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.smallest,
            categorical_features=list(range(self.categories)) or None,
            random_state=self.seed,
            **SETTINGS,
        )
        # scikit-learn cannot bin a number that is never known; a constant is never split either.
        never = np.isnan(matrix).all(axis=0)
        return model.fit(np.where(never, 0.0, matrix), outcome, sample_weight=weight)

    def forest(self, matrix: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> Forest:
        """Grow the trees, and read them as arrays."""
        return read_forest(self.fit(matrix, outcome, weight), self.positions, self.codings, self.missing)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shaped:
    """The plan of least out-of-fold loss, and its out-of-fold raw log-odds."""

    plan: Plan
    out_of_fold: np.ndarray


def choose_shape(plan: Plan, matrix: np.ndarray, outcome: np.ndarray, weight: np.ndarray, folds: np.ndarray) -> Shaped:
    """Choose the leaves and the number of trees that give the least out-of-fold loss."""
    steps = range(STRIDE, MOST_TREES + 1, STRIDE)
    best, out_of_fold, least = plan, np.zeros(len(outcome)), np.inf
    for leaves in LEAVES:
        shape = replace(plan, leaves=leaves, trees=MOST_TREES)
        raw = np.zeros((len(steps), len(outcome)))
        for fold in np.unique(folds):
            train, held_out = (weight > 0) & (folds != fold), folds == fold
            model = shape.fit(matrix[train], outcome[train], weight[train])
            for i, one in enumerate(model.staged_decision_function(matrix[held_out])):
                if (i + 1) % STRIDE == 0:
                    raw[i // STRIDE, held_out] = one.ravel()
        losses = [float(np.average(log_loss(one, outcome), weights=weight)) for one in raw]
        number = int(np.argmin(losses))
        if losses[number] < least:
            best, out_of_fold, least = replace(shape, trees=steps[number]), raw[number], losses[number]
    return Shaped(plan=best, out_of_fold=out_of_fold)


def spreads_beside_copies(
    plan: Plan,
    matrix: np.ndarray,
    columns: list[np.ndarray],
    outcome: np.ndarray,
    weight: np.ndarray,
    order: np.ndarray,
) -> np.ndarray:
    """Return how much each feature, and then each copy in the rows' new ``order``, moves log-odds in one model.

    ``columns`` are the features as trees take them (numbers, or levels), for the rows of ``matrix``.
    """
    copies, first = matrix[order], plan.categories
    both = np.column_stack([matrix[:, :first], copies[:, :first], matrix[:, first:], copies[:, first:]])
    forest = plan.beside_copies().forest(both, outcome, weight)
    apart = max(1, len(matrix) // ROWS_FOR_SPREAD)
    some = [column[::apart] for column in columns] + [column[order][::apart] for column in columns]
    spreads: np.ndarray = forest_contributions(forest, some).std(axis=0)
    return spreads
