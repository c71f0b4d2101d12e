"""The ridge against scikit-learn's own solver."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from smarketing.measures.scoring.models.ridge import Regression


def problem(seed: int) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    design = (rng.random((600, 12)) < rng.uniform(0.02, 0.7, 12)).astype(float)
    log_odds = design @ rng.normal(0, 0.7, 12) - 2
    outcome = (rng.random(600) < 1 / (1 + np.exp(-log_odds))).astype(int)
    return sparse.csr_array(design), outcome, rng.uniform(0.5, 3, 600)


@pytest.mark.parametrize("seed", range(5))
def test_the_path_is_scikit_learns(seed: int) -> None:
    matrix, outcome, weight = problem(seed)
    penalties = (0.003, 0.1, 1.0, 100.0)
    for penalty, ours in zip(penalties, Regression(matrix, outcome, weight).path(penalties), strict=True):
        theirs = LogisticRegression(C=penalty, tol=1e-10, max_iter=10_000).fit(matrix, outcome, sample_weight=weight)
        assert ours.coefficients == pytest.approx(theirs.coef_[0], abs=2e-5)
        assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=2e-5)
        assert ours.log_odds(matrix) == pytest.approx(theirs.decision_function(matrix), abs=5e-5)


def test_scaled_columns_have_their_penalty_divided_by_the_square() -> None:
    matrix, outcome, weight = problem(7)
    scale = np.linspace(0, 2, 12)
    ours = next(Regression(matrix, outcome, weight).path((0.1,), scale))
    theirs = LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000).fit(matrix * scale, outcome, sample_weight=weight)
    assert ours.coefficients == pytest.approx(theirs.coef_[0] * scale, abs=2e-5)
    assert ours.coefficients[0] == 0


def test_separated_rows_stay_finite() -> None:
    matrix = sparse.csr_array(np.array([[1.0], [1.0], [0.0], [0.0]]))
    found = next(Regression(matrix, np.array([1, 1, 0, 0]), np.ones(4)).path((1e4,)))
    assert 5 < found.coefficients[0] < 20
