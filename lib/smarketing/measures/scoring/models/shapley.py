"""Exact Shapley values of boosted trees, path-dependent: what each feature adds to a lead's log-odds.

Every leaf is a game of its own: with the features S known, it is worth its value if the lead passes the conditions of
S on the way there, times the share of training leads that pass the others'. The few features on a way are enumerated
once, for every pattern of passing, and looked up for all leads together.

References
----------
Lundberg, Erion, Lee (2018), Consistent individualized feature attribution for tree ensembles (the same game, another
algorithm).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import factorial

import numpy as np

from smarketing.measures.scoring.models.forest import Forest

_CHUNK = 10_000


def forest_contributions(forest: Forest, columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return a row a lead, a column a feature; with `expected_raw` a row sums to the raw log-odds."""
    rows = len(columns[0])
    total = np.zeros((len(columns), rows))
    trees = [list(forest.leaves(int(root))) for root in forest.roots]
    games = [[_game(forest, value, way) for value, way in leaves] for leaves in trees]
    for start in range(0, rows, _CHUNK):
        part = [column[start : start + _CHUNK] for column in columns]
        for leaves, tables in zip(trees, games, strict=True):
            left: dict[int, np.ndarray] = {}
            for (_, way), (features, table) in zip(leaves, tables, strict=True):
                pattern = np.zeros(len(part[0]), dtype=np.int64)
                passes: dict[int, np.ndarray] = {}
                for node, went_left, _ in way:
                    if node not in left:
                        left[node] = forest.goes_left(node, part[forest.feature[node]])
                    here = left[node] if went_left else ~left[node]
                    feature = int(forest.feature[node])
                    passes[feature] = passes[feature] & here if feature in passes else here
                for i, feature in enumerate(features):
                    pattern |= passes[feature].astype(np.int64) << i
                for i, feature in enumerate(features):
                    total[feature, start : start + _CHUNK] += table[pattern, i]
    return total.T


def expected_raw(forest: Forest) -> float:
    """Return the raw log-odds when nothing is known of a lead: the mean over training leads, as the splits went."""
    expected = forest.baseline
    for root in forest.roots:
        for value, way in forest.leaves(int(root)):
            expected += value * float(np.prod([share for _, _, share in way]))
    return expected


def _game(forest: Forest, value: float, way: list[tuple[int, bool, float]]) -> tuple[list[int], np.ndarray]:
    """Return the features on a leaf's way and their Shapley values: a row a pattern of passing, a column a feature."""
    features = sorted({int(forest.feature[node]) for node, _, _ in way})
    shares = np.ones(len(features))
    for node, _, share in way:
        shares[features.index(int(forest.feature[node]))] *= share
    members, weights = _coalitions(len(features))
    # Outside a coalition features count with their shares; inside with 1 if the lead passes, else the leaf is not met.
    outside = np.where(members, 1.0, shares).prod(axis=1)
    met = (members[None, :, :] <= members[:, None, :]).all(axis=2)
    return features, value * (met * outside) @ weights


@lru_cache(maxsize=32)
def _coalitions(players: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the members of every coalition, and Shapley's weight of its worth for each player."""
    members = (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1
    size = members.sum(axis=1)
    joined = np.array([factorial(max(s - 1, 0)) * factorial(players - max(s, 1)) for s in size])
    alone = np.array([factorial(s) * factorial(max(players - s - 1, 0)) for s in size])
    weights = np.where(members, joined[:, None], -alone[:, None]) / factorial(players)
    return members, weights
