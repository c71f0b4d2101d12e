"""The scorecard unless boosting is better by more than its uncertainty, which knows that leads share accounts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from scored_leads import fitted, leads
from smarketing.measures.scoring.models.boosting import Boosting
from smarketing.measures.scoring.models.choice import Choice, choose
from smarketing.measures.scoring.models.scorecard import Scorecard


def choice_of(
    first: np.ndarray, second: np.ndarray, outcome: np.ndarray, weight: np.ndarray, cluster: np.ndarray
) -> Choice:
    card, trees = fitted("scorecard"), fitted("boosting")
    assert isinstance(card, Scorecard) and isinstance(trees, Boosting)
    return choose(replace(card, out_of_fold=first), replace(trees, out_of_fold=second), outcome, weight, cluster)


def test_by_hand() -> None:
    outcome, ones = np.array([1, 0, 1, 0]), np.array([1.0, 1.0, 1.0, 0.0])
    first, second = np.array([0.5, 0.5, 0.5, 0.9]), np.array([0.8, 0.2, 0.4, 0.1])
    found = choice_of(first, second, outcome, ones, np.array([1, 1, 2, 3]))
    gain = np.log([0.8, 0.8, 0.4]) - np.log(0.5)
    mean = gain.mean()
    by_account = np.array([gain[:2].sum() - 2 * mean, gain[2] - mean]) / 3
    assert found.difference == pytest.approx(mean)
    assert found.standard_error == pytest.approx(np.sqrt(2 * (by_account**2).sum()))
    assert found.chosen == "scorecard"
    assert found.reason == (
        "The scorecard is chosen because it can be read and boosting is not better by more than chance: its "
        "out-of-fold log loss is lower by 0.2390 (standard error 0.3081, 2 accounts)."
    )


def test_the_standard_error_is_the_clustered_one_of_statsmodels() -> None:
    rng = np.random.default_rng(0)
    outcome, weight, cluster = rng.integers(0, 2, 500), rng.uniform(0, 2, 500), rng.integers(0, 60, 500)
    first, second = rng.uniform(0.1, 0.9, 500), rng.uniform(0.1, 0.9, 500)
    found = choice_of(first, second, outcome, weight, cluster)
    gain = np.log(np.where(outcome, second / first, (1 - second) / (1 - first)))
    # statsmodels: WLS on a constant, cov_type="cluster", with its factor (n - 1) / (n - k) of 1 for k = 1.
    theirs = sm.WLS(gain, np.ones(500), weights=weight).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    assert found.difference == pytest.approx(theirs.params[0])
    assert found.standard_error == pytest.approx(theirs.bse[0], rel=1e-9)


def test_boosting_has_to_be_surely_better() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.9, 3_000)
    outcome = (rng.random(3_000) < truth).astype(int)
    flat, ones, own = np.full(3_000, outcome.mean()), np.ones(3_000), np.arange(3_000)
    better = choice_of(flat, truth, outcome, ones, own)
    assert better.chosen == "boosting" and better.difference > 1.96 * better.standard_error
    assert better.reason == (
        "Boosting predicts better by more than chance: its out-of-fold log loss is lower by "
        f"{better.difference:.4f} (standard error {better.standard_error:.4f}, 3,000 accounts)."
    )
    # The same leads in two accounts: nothing is sure.
    assert choice_of(flat, truth, outcome, ones, own % 2).chosen in ("scorecard", "boosting")
    assert choice_of(flat, truth, outcome, ones, own * 0).standard_error == np.inf
    assert choice_of(flat, truth, outcome, ones, own * 0).chosen == "scorecard"
    worse = choice_of(truth, flat, outcome, ones, own)
    assert worse.chosen == "scorecard"
    assert worse.reason == (
        "The scorecard predicts at least as well: its out-of-fold log loss is lower by "
        f"{better.difference:.4f} (standard error {better.standard_error:.4f}, 3,000 accounts)."
    )
    assert choice_of(flat, flat, outcome, ones, own).difference == 0


def test_a_probability_of_one_that_is_wrong_does_not_break_it() -> None:
    outcome = np.array([1, 0] * 10)
    found = choice_of(np.full(20, 0.5), np.zeros(20), outcome, np.ones(20), np.arange(20))
    assert np.isfinite(found.difference) and found.chosen == "scorecard"


def test_truth_in_points_is_left_to_the_scorecard() -> None:
    data, card, trees = leads(), fitted("scorecard"), fitted("boosting")
    assert isinstance(card, Scorecard) and isinstance(trees, Boosting)
    assert choose(card, trees, data.outcome, data.weight, data.cluster).chosen == "scorecard"
