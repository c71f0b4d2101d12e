"""Readings on any day: the mixture behind them by integration, their guards, and a walk that is watched all along."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from smarketing.estimates.anytime import (
    ACCOUNTS,
    LEADS,
    Arm,
    arm_of_accounts,
    arm_of_units,
    boundary,
    caution,
    confidence_sequence,
    reading,
    withheld,
)
from smarketing.estimates.clusters import ClusterSums
from smarketing.estimates.means import MeanDifference, Sums, welch


def sums_of(values: np.ndarray) -> Sums:
    return Sums(n=len(values), total=float(values.sum()), squares=float((values**2).sum()))


def arm(value: float, error: float, units: int) -> Arm:
    return Arm(value=value, standard_error=error, units=units, effective_units=units, effective_events=units)


@pytest.mark.parametrize("n", [20.0, 100.0, 700.0])
@pytest.mark.parametrize("z", [0.5, 2.0, 3.5])
def test_the_p_value_is_one_over_the_mixture_likelihood_ratio(n: float, z: float) -> None:
    # scipy.integrate.quad of exp(theta S - theta^2 n / 2) over theta ~ N(0, rho^2), with S = z sqrt(n) and sigma 1;
    # rho^2 = 8.2120 / 100 makes the interval narrowest at 100 (8.2120 solves r = log(1 + r) - 2 log(0.05)).
    r = 100.0 * 8.21196807 / 100
    assert r == pytest.approx(math.log1p(r) - 2 * math.log(0.05), abs=1e-6)
    rho = math.sqrt(r / 100)
    ratio, _ = integrate.quad(
        lambda theta: math.exp(theta * z * math.sqrt(n) - theta**2 * n / 2) * stats.norm.pdf(theta, scale=rho),
        -12 * rho,
        12 * rho,
        points=[0.0, z / math.sqrt(n)],
        epsabs=1e-13,
        epsrel=1e-11,
    )
    found = confidence_sequence(z, 1.0, n=n, planned_n=100)
    assert found.p_value == pytest.approx(min(1 / ratio, 1.0), rel=1e-6)


def test_the_interval_of_the_theorem() -> None:
    # Waudby-Smith et al. (2021), theorem 2.2, written as printed: sigma sqrt(2 (t rho^2 + 1) / (t^2 rho^2)
    # log(sqrt(t rho^2 + 1) / alpha)) with t = 40, sigma = 3, alpha = 0.05, rho^2 = 8.21196807 / 60
    t, sigma, square = 40, 3.0, 8.21196807 / 60
    half = sigma * math.sqrt(2 * (t * square + 1) / (t**2 * square) * math.log(math.sqrt(t * square + 1) / 0.05))
    found = confidence_sequence(7.0, sigma / math.sqrt(t), n=t, planned_n=60)
    assert (found.lower, found.upper) == pytest.approx((7 - half, 7 + half), rel=1e-8)


@given(st.floats(1.05, 200), st.sampled_from([0.8, 0.95, 0.99]))
def test_it_is_narrowest_where_it_was_planned(times: float, confidence: float) -> None:
    planned = boundary(500, planned_n=500, confidence=confidence)
    assert planned < boundary(500 * times, planned_n=500, confidence=confidence)
    assert planned < boundary(500 / times, planned_n=500, confidence=confidence)
    # At its lowest 1 + r equals the square of the boundary.
    assert planned > stats.norm.isf((1 - confidence) / 2)


def test_at_95_percent_it_is_half_as_wide_again_as_one_planned_look() -> None:
    assert boundary(500, planned_n=500) == pytest.approx(math.sqrt(1 + 8.21196807), abs=1e-6)


@given(st.floats(-8, 8), st.floats(0.01, 10), st.sampled_from([3.0, 25.0, math.inf]), st.sampled_from([0.9, 0.95]))
def test_interval_and_p_value_agree(value: float, share: float, freedom: float, confidence: float) -> None:
    found = confidence_sequence(
        value, 1.0, n=share * 100, planned_n=100, degrees_of_freedom=freedom, confidence=confidence
    )
    mirrored = confidence_sequence(
        -value, 1.0, n=share * 100, planned_n=100, degrees_of_freedom=freedom, confidence=confidence
    )
    assert (mirrored.lower, mirrored.upper, mirrored.p_value) == (-found.upper, -found.lower, found.p_value)
    if abs(found.p_value - (1 - confidence)) > 1e-7:
        assert (found.side != 0) == (found.p_value < 1 - confidence)


def test_few_degrees_of_freedom_take_the_t_with_the_same_tail() -> None:
    normal = confidence_sequence(0.0, 1.0, n=100, planned_n=100)
    few = confidence_sequence(0.0, 1.0, n=100, planned_n=100, degrees_of_freedom=8)
    assert stats.t.sf(few.upper, 8) == pytest.approx(stats.norm.sf(normal.upper), rel=1e-9)
    assert few.upper > 1.4 * normal.upper


def test_arms_of_units() -> None:
    rate = arm_of_units(Sums(n=200, total=198, squares=198))
    assert (rate.effective_units, rate.effective_events) == (200, 2)
    spend = arm_of_units(sums_of(np.array([0.0, 0.0, 3.0, 1.0])))
    assert spend.effective_events == pytest.approx(16 / 10)
    assert spend.standard_error == pytest.approx(np.std([0, 0, 3, 1], ddof=1) / 2)
    assert arm_of_units(Sums(n=0, total=0, squares=0)).effective_events == 0


def test_an_arm_of_accounts() -> None:
    n, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0, 4.0])
    sums = ClusterSums(clusters=3, sum_n=6, sum_n2=14, sum_y=6, sum_y2=20, sum_ny=float(n @ y))
    found = arm_of_accounts(sums)
    assert (found.value, found.units) == (1.0, 3)
    assert found.effective_units == pytest.approx(36 / 14)
    assert found.effective_events == pytest.approx(36 / 20)
    assert found.standard_error == pytest.approx(math.sqrt(1.5 * ((y - n) ** 2).sum()) / 6)


def test_a_plain_reading_is_welchs_difference_made_wider() -> None:
    rng = np.random.default_rng(2)
    first, second = sums_of(rng.exponential(3.0, 400)), sums_of(rng.exponential(2.0, 300))
    plain = welch(first, second)
    found = reading(arm_of_units(first), arm_of_units(second), n=700, planned_n=700, gate=LEADS)
    assert found.value == pytest.approx(plain.value, rel=1e-12)
    assert found.degrees_of_freedom == pytest.approx(plain.degrees_of_freedom, rel=1e-12)
    inflated = plain.standard_error * caution(arm_of_units(first), arm_of_units(second))
    assert found.standard_error == pytest.approx(inflated, rel=1e-12)
    assert found.upper - found.value > 3.04 * plain.standard_error
    assert (found.n, found.planned_n, found.withheld) == (700, 700, "")


@given(st.floats(0.01, 10), st.floats(0.01, 10), st.integers(2, 500), st.integers(2, 500))
def test_caution_never_narrows(error_1: float, error_2: float, n_1: int, n_2: int) -> None:
    first, second = arm(1.0, error_1, n_1), arm(2.0, error_2, n_2)
    factor = caution(first, second)
    assert factor >= 1
    assert caution(second, first) == pytest.approx(factor, rel=1e-9)
    # The pooled variance of two samples: statsmodels' and scipy's equal-variance t-test use the same.
    pooled = ((n_1 - 1) * error_1**2 * n_1 + (n_2 - 1) * error_2**2 * n_2) / (n_1 + n_2 - 2) * (1 / n_1 + 1 / n_2)
    assert factor**2 * (error_1**2 + error_2**2) == pytest.approx(max(pooled, error_1**2 + error_2**2), rel=1e-9)


def test_equal_arms_need_no_caution() -> None:
    assert caution(arm(1.0, 0.3, 50), arm(1.0, 0.9, 50)) == pytest.approx(1.0, abs=1e-12)


def test_a_better_estimate_takes_the_place_of_the_plain_one() -> None:
    first, second = arm(3.0, 0.1, 100), arm(1.0, 0.1, 900)
    adjusted = MeanDifference(1.5, 1.3, 1.7, 0.1, 400.0)
    found = reading(first, second, n=1000, planned_n=2000, gate=LEADS, estimate=adjusted)
    expected = confidence_sequence(1.5, 0.1 * caution(first, second), n=1000, planned_n=2000, degrees_of_freedom=400.0)
    assert found == expected
    assert caution(first, second) > 1.5


@pytest.mark.parametrize(
    ("first", "gate", "freedom", "reason"),
    [
        (arm(1.0, 0.1, 49), LEADS, 90.0, "49 effective units in the smaller arm, 50 needed"),
        (
            Arm(value=1.0, standard_error=0.1, units=99, effective_units=99, effective_events=12.345),
            LEADS,
            90.0,
            "12.3 effective events in the smaller arm, 50 needed",
        ),
        (arm(1.0, 0.1, 60), LEADS, 9.87, "9.87 degrees of freedom, 10 needed"),
        (arm(1.0, 0.1, 4), ACCOUNTS, 9.0, "4 effective units in the smaller arm, 5 needed"),
        (arm(1.0, 0.1, 5), ACCOUNTS, 3.2, "3.2 degrees of freedom, 4 needed"),
        (arm(1.0, 0.1, 5), ACCOUNTS, math.nan, "nan degrees of freedom, 4 needed"),
        (arm(1.0, 0.1, 5), ACCOUNTS, 4.0, ""),
    ],
)
def test_what_is_missing_before_the_first_look(first: Arm, gate, freedom: float, reason: str) -> None:
    second = arm(0.0, 0.1, 100)
    assert withheld(first, second, gate=gate, degrees_of_freedom=freedom) == reason
    assert withheld(second, first, gate=gate, degrees_of_freedom=freedom) == reason


@pytest.mark.parametrize("n_1", [0, 1, 30])
def test_too_early_gives_a_reason_and_no_limits(n_1: int) -> None:
    first = arm_of_units(sums_of(np.ones(n_1)))
    found = reading(first, arm_of_units(sums_of(np.arange(300.0))), n=300 + n_1, planned_n=600, gate=LEADS)
    assert (found.lower, found.upper, found.p_value, found.side) == (-math.inf, math.inf, 1.0, 0)
    assert found.withheld.endswith("effective units in the smaller arm, 50 needed")


def test_values_that_do_not_vary_give_no_reading() -> None:
    same = arm_of_units(sums_of(np.full(80, 2.0)))
    found = reading(same, same, n=160, planned_n=160, gate=LEADS)
    assert found.withheld == "nan degrees of freedom, 10 needed"
    adjusted = MeanDifference(0.0, 0.0, 0.0, 0.0, 158.0)
    assert reading(same, same, n=160, planned_n=160, gate=LEADS, estimate=adjusted).withheld == (
        "the values do not vary"
    )


def test_a_walk_watched_1000_times_leaves_in_at_most_5_percent() -> None:
    # 4,000 walks, looked at after each of 1,000 steps; nominal 5 % + 2.6 Monte Carlo standard errors.
    steps = np.random.default_rng(9).normal(size=(4_000, 1_000)).astype(np.float32)
    t = np.arange(1, 1_001)
    z = np.abs(steps.cumsum(axis=1)) / np.sqrt(t)
    limit = np.array([boundary(float(n), planned_n=1_000) for n in t])
    assert (z > limit).any(axis=1).mean() <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / 4_000)
    assert (z > 1.96).any(axis=1).mean() > 0.40
    # A drift of 4 standard errors at the end is seen by then; what one planned look finds with 98 %.
    drifting = np.abs(steps.cumsum(axis=1) + 4 * t / math.sqrt(1_000)) / np.sqrt(t)
    assert 0.80 < (drifting > limit).any(axis=1).mean() < 0.98


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: boundary(0, planned_n=10),
            "n is 0 and planned_n is 10; both have to be above 0. "
            "Read only after the first unit, and plan their number in the protocol.",
        ),
        (
            lambda: confidence_sequence(1.0, 0.0, n=5, planned_n=10),
            "an estimate of 1.0 with standard error 0.0 on inf degrees of freedom: the estimate has to be finite, the "
            "other two above 0. Use reading(), which withholds what is not there.",
        ),
        (
            lambda: boundary(5, planned_n=10, confidence=95),
            "confidence is 95; it has to lie between 0 and 1, as 0.95 does for a 95 % interval.",
        ),
    ],
)
def test_impossible_readings_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        call()
    assert str(refused.value) == message
