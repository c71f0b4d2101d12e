import math
import re
import time

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss

from smarketing.estimates.bootstrap import clustered_weights
from smarketing.estimates.calibration import (
    CalibrationLine,
    LogisticMap,
    brier_skill,
    calibration_bins,
    calibration_line,
    logistic_map,
)


def rows(seed: int, n: int = 800, *, intercept: float = 0.0, slope: float = 1.0) -> tuple[np.ndarray, ...]:
    """Predicted probabilities, outcomes that are `intercept` and `slope` away from them, weights."""
    rng = np.random.default_rng(seed)
    predicted = rng.normal(-1.5, 1.2, n)
    outcome = (rng.random(n) < expit(intercept + slope * predicted)).astype(int)
    return expit(predicted), outcome, rng.integers(0, 4, n).astype(float)


@pytest.mark.parametrize(("seed", "intercept", "slope"), [(0, 0, 1), (1, 0.8, 0.4), (2, -1, 2.5), (3, 2, -0.7)])
def test_the_line_equals_statsmodels(seed: int, intercept: float, slope: float) -> None:
    # GLM(outcome, [1, logit p], Binomial(), freq_weights=weight), and GLM(outcome, [1], offset=logit p).
    probability, outcome, weight = rows(seed, intercept=intercept, slope=slope)
    x = logit(probability)
    for w in (weight, np.ones(len(x))):
        found = calibration_line(probability, outcome, w)
        kept = w > 0
        glm = {"family": sm.families.Binomial(), "freq_weights": w[kept]}
        free = sm.GLM(outcome[kept], sm.add_constant(x[kept]), **glm).fit(tol=1e-14)
        fixed = sm.GLM(outcome[kept], np.ones(kept.sum()), offset=x[kept], **glm).fit(tol=1e-14)
        assert found.slope == pytest.approx(free.params[1], abs=1e-8)
        assert found.intercept == pytest.approx(fixed.params[0], abs=1e-8)
        mapped = logistic_map(x, outcome, w)
        if free.params[1] > 0:
            assert (mapped.intercept, mapped.slope) == pytest.approx(tuple(free.params), abs=1e-8)
        else:
            assert mapped == LogisticMap(pytest.approx(logit(np.average(outcome, weights=w)), abs=1e-12), 0.0)


def test_a_known_line_is_found() -> None:
    probability, outcome, _ = rows(5, 200_000, intercept=0.7, slope=0.6)
    found = logistic_map(logit(probability), outcome)
    assert (found.intercept, found.slope) == pytest.approx((0.7, 0.6), abs=0.03)
    mapped = found.probability(logit(probability))
    assert calibration_line(mapped, outcome) == CalibrationLine(pytest.approx(0, abs=1e-8), pytest.approx(1, abs=1e-8))
    assert found.log_odds([0.0, 1.0]) == pytest.approx([found.intercept, found.intercept + found.slope])
    assert brier_skill(mapped, outcome) > brier_skill(probability, outcome)


PROBABILITIES = st.sampled_from([0.0, 1e-12, 0.01, 0.3, 0.5, 0.9, 1 - 1e-9, 1.0])


@given(st.lists(st.tuples(PROBABILITIES, st.booleans(), st.floats(0.01, 100)), min_size=2, max_size=25))
def test_the_fit_solves_its_equations_wherever_it_starts(drawn: list[tuple[float, bool, float]]) -> None:
    probability, outcome, weight = (np.array(part, dtype=float) for part in zip(*drawn, strict=True))
    found = calibration_line(probability, outcome, weight)
    if outcome.min() == outcome.max():
        assert math.isnan(found.intercept) and math.isnan(found.slope)
        return
    x = np.clip(logit(probability), -30, 30)
    # At the maximum, predictions and outcomes have the same sum.
    residual = (weight * (outcome - expit(found.intercept + x))).sum()
    assert abs(residual) < 1e-6 * weight.sum()
    overlap = x[outcome == 1].min() < x[outcome == 0].max() and x[outcome == 0].min() < x[outcome == 1].max()
    assert math.isfinite(found.slope) == overlap
    mapped = logistic_map(x, outcome, weight)
    assert math.isfinite(mapped.intercept) and mapped.slope >= 0
    if mapped.slope > 0 and overlap:
        residual = weight * (outcome - mapped.probability(x))
        assert abs(residual.sum()) < 1e-6 * weight.sum()
        assert abs((residual * x).sum()) < 1e-5 * weight.sum()


def test_brier_skill_equals_scikit_learn_and_its_fixed_points() -> None:
    # 1 - brier_score_loss(p) / brier_score_loss(base rate) of scikit-learn.
    probability, outcome, weight = rows(7)
    rate = np.average(outcome, weights=weight)
    reference = brier_score_loss(outcome, np.full(len(outcome), rate), sample_weight=weight)
    assert brier_skill(probability, outcome, weight) == pytest.approx(
        1 - brier_score_loss(outcome, probability, sample_weight=weight) / reference, abs=1e-12
    )
    assert brier_skill(outcome, outcome) == 1
    assert brier_skill(np.full(len(outcome), outcome.mean()), outcome) == pytest.approx(0, abs=1e-12)
    assert brier_skill(1 - outcome, outcome) < -1


@given(st.integers(0, 10_000), st.floats(0.1, 9))
def test_scaled_weights_change_nothing(seed: int, factor: float) -> None:
    probability, outcome, weight = rows(seed, 60)
    assert brier_skill(probability, outcome, factor * weight) == pytest.approx(
        brier_skill(probability, outcome, weight), abs=1e-10, nan_ok=True
    )
    one, other = (calibration_line(probability, outcome, w) for w in (weight, factor * weight))
    assert (one.intercept, one.slope) == pytest.approx((other.intercept, other.slope), rel=1e-7, abs=1e-7, nan_ok=True)
    # The other class seen from the other side: intercept turned, slope the same.
    turned = calibration_line(1 - probability, 1 - outcome, weight)
    assert (turned.intercept, turned.slope) == pytest.approx(
        (-one.intercept, one.slope), rel=1e-6, abs=1e-6, nan_ok=True
    )


def test_one_class_is_not_an_error() -> None:
    for outcome in ([1, 1, 1], [0, 0, 0]):
        assert math.isnan(brier_skill([0.1, 0.2, 0.3], outcome))
        line, mapped = calibration_line([0.1, 0.2, 0.3], outcome), logistic_map([-1, 0, 1], outcome)
        assert all(map(math.isnan, (line.intercept, line.slope, mapped.intercept, mapped.slope)))
    assert math.isnan(brier_skill([], []))
    assert math.isnan(brier_skill([0.1, 0.2], [0, 1], [1, 0]))


def test_separated_classes_have_no_slope_and_a_finite_map() -> None:
    line = calibration_line([0.1, 0.2, 0.7, 0.8], [0, 0, 1, 1])
    assert line.intercept == pytest.approx(0.157, abs=0.2)
    assert math.isnan(line.slope)
    mapped = logistic_map([-2, -1, 1, 2], [0, 0, 1, 1])
    # Platt's targets of two and two are 3 / 4 and 1 / 4: by symmetry the intercept is 0, and the slope b solves
    # sum x (target - p) = 0.
    assert mapped.intercept == pytest.approx(0, abs=1e-9)
    x, target = np.array([-2, -1, 1, 2]), np.array([0.25, 0.25, 0.75, 0.75])
    assert (x * (target - mapped.probability(x))).sum() == pytest.approx(0, abs=1e-9)
    assert logistic_map([-2, -1, 1, 2], [1, 1, 0, 0]) == LogisticMap(0.0, 0.0)
    equal = logistic_map([3.0, 3.0, 3.0, 3.0], [0, 0, 0, 1])
    assert equal == LogisticMap(pytest.approx(math.log(1 / 3)), 0.0)
    assert math.isnan(calibration_line([0.2, 0.2], [0, 1]).slope)


def test_bins_hold_equal_shares_and_the_top_one_the_best() -> None:
    probability, outcome, _ = rows(8, 1000)
    bins = calibration_bins(probability, outcome)
    assert [one.n for one in bins] == [100] * 10
    assert sum(one.weight * one.rate for one in bins) == pytest.approx(outcome.sum())
    top = np.argsort(probability)[-100:]
    assert bins[-1].rate == pytest.approx(outcome[top].mean())
    assert bins[-1].mean_probability == pytest.approx(probability[top].mean())
    for one in bins:
        assert one.lower <= one.rate <= one.upper


def test_bins_know_accounts_and_weights() -> None:
    probability, outcome, weight = rows(9, 900)
    account = np.arange(900) // 9
    # All leads of an account alike: nine times the rows, and no more evidence.
    alike = np.repeat(outcome[:100], 9)
    probability = np.repeat(probability[:100], 9)
    free = calibration_bins(probability, alike, bins=4)
    clustered = calibration_bins(probability, alike, bins=4, cluster=account)
    once = calibration_bins(probability[::9], alike[::9], bins=4)
    for one, other, lone in zip(free, clustered, once, strict=True):
        assert one.rate == other.rate == pytest.approx(lone.rate)
        assert (other.lower, other.upper) == pytest.approx((lone.lower, lone.upper), abs=1e-9)
        assert other.upper - other.lower > 2 * (one.upper - one.lower)
    weighted = calibration_bins(np.full(900, 0.2), outcome, weight, cluster=account)
    assert len(weighted) == 1
    assert weighted[0].rate == pytest.approx(np.average(outcome, weights=weight))
    assert (weighted[0].n, weighted[0].weight) == ((weight > 0).sum(), weight.sum())


def test_a_bin_without_positives_keeps_some_doubt() -> None:
    found = calibration_bins([0.01] * 40, [0] * 40)[0]
    assert (found.rate, found.lower) == (0, 0)
    assert 0.05 < found.upper < 0.15
    lone = calibration_bins([0.01] * 40, [0] * 40, cluster=[1] * 40)[0]
    assert (lone.lower, lone.upper) == (0, 1)
    assert calibration_bins([], []) == ()


def test_impossible_input_is_refused() -> None:
    message = "probabilities go from 0.1 to 1.2; they have to lie between 0 and 1."
    for measure in (brier_skill, calibration_line, calibration_bins):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            measure([0.1, 1.2], [0, 1])
    message = "clusters have the shape (3,) and there are 2 rows; give one a row."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        calibration_bins([0.1, 0.2], [0, 1], cluster=[1, 2, 3])


def test_two_hundred_lines_of_forty_thousand_rows_take_seconds() -> None:
    probability, outcome, weight = rows(1, 40_000)
    began = time.process_time()
    for times in clustered_weights(np.arange(40_000) // 3, draws=200, seed=0):
        assert calibration_line(probability, outcome, weight * times).slope > 0.8
        assert brier_skill(probability, outcome, weight * times) > 0
    # About 1.5 s of processor time; the bound leaves room for a busy machine.
    assert time.process_time() - began < 12
