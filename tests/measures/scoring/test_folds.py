"""Folds keep accounts together and alike; what cannot teach is refused by name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from scored_leads import feature
from smarketing.measures.scoring.models.folds import beyond_shuffled, check_training, grouped_folds, log_loss


def test_accounts_stay_together_and_folds_are_alike() -> None:
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 400, 2_000) * 7 - 50
    outcome = (rng.random(2_000) < 0.05).astype(int)
    folds = grouped_folds(cluster, outcome)
    assert all(len(set(folds[cluster == one])) == 1 for one in set(cluster))
    assert np.bincount(folds).tolist() == pytest.approx([400] * 5, abs=10)
    events = np.bincount(folds, weights=outcome)
    assert events.max() - events.min() <= 3
    assert (folds == grouped_folds(cluster, outcome)).all()
    assert (folds != grouped_folds(cluster, outcome, seed=1)).any()


def test_log_loss_of_certain_mistakes_is_finite() -> None:
    loss = log_loss(np.array([0.0, 800.0, -800.0, 2.0]), np.array([1, 0, 1, 1]))
    assert loss == pytest.approx([np.log(2), 800, 800, np.log1p(np.exp(-2))])


def test_a_feature_has_to_beat_every_copy_in_every_order() -> None:
    known = np.arange(100) % 3 > 0
    orders: list[np.ndarray] = []

    def spreads(order: np.ndarray) -> np.ndarray:
        orders.append(order)
        return np.array([3.0, 2.0, 1.0, 0.5, 0.5, 1.5 + len(orders) / 4])

    assert beyond_shuffled(spreads, known, 15, seed=1).tolist() == [True, False, False]
    assert len(orders) == 3
    for order in orders:
        assert sorted(order) == list(range(100))
        assert (order[~known] == np.flatnonzero(~known)).all()
        assert (order[known] != np.flatnonzero(known)).mean() > 0.9


def test_what_cannot_teach_is_refused() -> None:
    features, roles = pd.DataFrame({"x": np.arange(40.0)}), (feature("x", "number"),)
    outcome, ones, cluster = np.arange(40) % 2, np.ones(40), np.arange(40) // 8
    check_training(features, roles, outcome, ones, np.arange(40))
    message = (
        "5 accounts have the outcome and 5 lack it; a model needs 10 of each. Wait for more leads to mature, or pool "
        "segments."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        check_training(features, roles, outcome, ones, cluster)
    message = "features, outcome, weight and cluster have 40, 39, 40 and 40 rows. Give one of each a lead."
    with pytest.raises(ValueError, match=re.escape(message)):
        check_training(features, roles, outcome[:39], ones, cluster)
    with pytest.raises(ValueError, match=re.escape("there is no feature to learn from. Give at least one.")):
        check_training(features, (), outcome, ones, cluster)
    with pytest.raises(ValueError, match=re.escape("outcomes are [0, 1, 2]; they have to be 0 or 1.")):
        check_training(features, roles, np.arange(40) % 3, ones, cluster)
    message = "a weight is negative or not a finite number. Use 0 for leads whose label is not known."
    with pytest.raises(ValueError, match=re.escape(message)):
        check_training(features, roles, outcome, -ones, cluster)
