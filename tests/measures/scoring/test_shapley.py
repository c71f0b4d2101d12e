"""Contributions of trees against the definition: every subset of features, on trees small enough."""

from __future__ import annotations

import time
from itertools import combinations
from math import factorial

import numpy as np
import pytest

from scored_leads import fitted, leads
from smarketing.measures.scoring.models.boosting import Boosting, _columns
from smarketing.measures.scoring.models.forest import Forest
from smarketing.measures.scoring.models.shapley import expected_raw, forest_contributions


def random_forest(rng: np.random.Generator, features: int, trees: int, leaves: int) -> Forest:
    """Trees with random splits on few features, so that ways to leaves meet a feature more than once."""
    feature, categorical, threshold, missing_left, levels, left, right, value, count, roots = ([] for _ in range(10))

    def node(n: int, size: int) -> int:
        here = len(feature)
        for column, given in ((feature, -1), (categorical, False), (threshold, 0.0), (missing_left, False),
                              (levels, [False] * 4), (left, 0), (right, 0), (value, 0.0), (count, n)):  # fmt: skip
            column.append(given)
        if size == 1 or n < 2:
            value[here] = float(rng.normal())
            return here
        feature[here] = int(rng.integers(features))
        categorical[here] = feature[here] == 0
        threshold[here], missing_left[here] = float(rng.normal()), bool(rng.random() < 0.5)
        levels[here] = (rng.random(4) < 0.5).tolist() if categorical[here] else [False] * 4
        share = int(rng.integers(1, n))
        smaller = max(1, size // 2)
        left[here] = node(share, smaller)
        right[here] = node(n - share, size - smaller)
        return here

    for _ in range(trees):
        roots.append(node(1_000, leaves))
    return Forest(
        baseline=0.3, roots=np.array(roots), feature=np.array(feature), categorical=np.array(categorical),
        threshold=np.array(threshold), missing_left=np.array(missing_left), left_levels=np.array(levels),
        left=np.array(left), right=np.array(right), value=np.array(value), count=np.array(count),
    )  # fmt: skip


def worth(forest: Forest, node: int, row: list[float], known: tuple[int, ...]) -> float:
    """The tree's expected value when only some features are known: the recursion of Lundberg's definition."""
    feature = int(forest.feature[node])
    if feature < 0:
        return float(forest.value[node])
    left, right = int(forest.left[node]), int(forest.right[node])
    if feature in known:
        column = np.array([row[feature]]).astype(int if forest.categorical[node] else float)
        return worth(forest, left if forest.goes_left(node, column)[0] else right, row, known)
    parts = [forest.count[child] / forest.count[node] * worth(forest, child, row, known) for child in (left, right)]
    return float(sum(parts))


@pytest.mark.parametrize("seed", range(8))
def test_every_subset_of_features(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = 4
    forest = random_forest(rng, features, trees=3, leaves=9)
    columns = [
        rng.integers(-1, 4, 12),
        *(np.where(rng.random(12) < 0.2, np.nan, rng.normal(size=12)) for _ in range(3)),
    ]
    found = forest_contributions(forest, columns)
    for i in range(12):
        row = [float(column[i]) for column in columns]

        def together(known: tuple[int, ...], row: list[float] = row) -> float:
            return sum(worth(forest, int(root), row, known) for root in forest.roots)

        for j in range(features):
            others = [k for k in range(features) if k != j]
            exact = sum(
                factorial(size) * factorial(features - size - 1) / factorial(features)
                * (together((*some, j)) - together(some))
                for size in range(features)
                for some in combinations(others, size)
            )  # fmt: skip
            assert found[i, j] == pytest.approx(exact, abs=1e-12)
    assert expected_raw(forest) + found.sum(axis=1) == pytest.approx(forest.raw(columns), abs=1e-12)


def test_twenty_thousand_leads_in_seconds() -> None:
    model = fitted("boosting")
    assert isinstance(model, Boosting)
    later = leads(20_000, seed=99)
    columns = _columns(later.features, model.roles, model.levels)
    start = time.process_time()
    found = forest_contributions(model.forest, columns)
    taken = (time.process_time() - start) * 100 / len(model.forest.roots)
    assert expected_raw(model.forest) + found.sum(axis=1) == pytest.approx(model.forest.raw(columns), abs=1e-10)
    assert taken < 10, f"{taken:.1f} s of processor time for 100 trees"
