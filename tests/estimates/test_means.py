import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from smarketing.estimates.means import PairSums, Sums, delta_ratio, fieller_ratio, mean, welch

samples = st.lists(st.floats(-1000, 1000).map(lambda x: round(x, 3)), min_size=2, max_size=30).filter(
    lambda x: np.std(x) > 0.01
)


def sums(values: list[float] | np.ndarray) -> Sums:
    values = np.asarray(values, dtype=float)
    return Sums(n=len(values), total=float(values.sum()), squares=float((values**2).sum()))


def pair_sums(y: np.ndarray, x: np.ndarray) -> PairSums:
    return PairSums(
        n=len(y),
        sum_y=float(y.sum()),
        sum_x=float(x.sum()),
        sum_y2=float((y**2).sum()),
        sum_x2=float((x**2).sum()),
        sum_yx=float((y * x).sum()),
    )


@given(samples)
def test_mean_equals_scipy(values: list[float]) -> None:
    found = mean(sums(values))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(np.mean(values), abs=1e-9)
    assert (found.lower, found.upper) == pytest.approx(tuple(expected), rel=1e-6, abs=1e-6)


@given(samples, samples)
def test_welch_equals_scipy(first: list[float], second: list[float]) -> None:
    found = welch(sums(first), sums(second), confidence=0.9)
    reference = stats.ttest_ind(first, second, equal_var=False)
    expected = reference.confidence_interval(0.9)
    assert found.degrees_of_freedom == pytest.approx(reference.df, rel=1e-6)
    assert (found.lower, found.upper) == pytest.approx(tuple(expected), rel=1e-6, abs=1e-6)
    swapped = welch(sums(second), sums(first), confidence=0.9)
    assert (swapped.lower, swapped.upper) == pytest.approx((-found.upper, -found.lower), rel=1e-9, abs=1e-9)


def paired(rng: np.random.Generator, n: int, centre: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(centre, spread, n)
    return 0.4 * x + rng.normal(0, 1, n), x


@pytest.mark.parametrize("seed", range(5))
def test_fieller_limits_are_where_the_t_test_turns(seed: int) -> None:
    # Fieller's set holds the ratios r that a one-sample t test of y - r x does not reject.
    y, x = paired(np.random.default_rng(seed), 15, 5, 3)
    found = fieller_ratio(pair_sums(y, x))
    assert found.bounded
    for limit in (found.lower, found.upper):
        assert stats.ttest_1samp(y - limit * x, 0).pvalue == pytest.approx(0.05, rel=1e-6)
    assert found.lower < found.value < found.upper


def test_fieller_shows_an_unbounded_set_as_such() -> None:
    # A denominator that may be 0, with a numerator that is not: everything but a middle piece is possible.
    rng = np.random.default_rng(2)
    y, x = rng.normal(5, 1, 12), rng.normal(0.1, 1, 12)
    found = fieller_ratio(pair_sums(y, x))
    assert (found.lower, found.upper, found.bounded) == (-math.inf, math.inf, False)
    assert found.excluded_lower is not None
    assert found.excluded_upper is not None
    for limit in (found.excluded_lower, found.excluded_upper):
        assert stats.ttest_1samp(y - limit * x, 0).pvalue == pytest.approx(0.05, rel=1e-6)
    middle = (found.excluded_lower + found.excluded_upper) / 2
    assert stats.ttest_1samp(y - middle * x, 0).pvalue < 0.05
    # Nothing is excluded when the numerator may be 0 as well.
    vague = fieller_ratio(pair_sums(rng.normal(0, 1, 12), x))
    assert (vague.lower, vague.upper, vague.excluded_lower) == (-math.inf, math.inf, None)


def test_delta_interval_is_the_jackknifes_in_a_large_sample() -> None:
    y, x = paired(np.random.default_rng(4), 4000, 5, 2)
    found = delta_ratio(pair_sums(y, x))
    left_out = (y.sum() - y) / (x.sum() - x)
    error = math.sqrt((len(y) - 1) / len(y) * ((left_out - left_out.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, len(y) - 1) * error
    assert (found.lower, found.upper) == pytest.approx((found.value - half, found.value + half), rel=1e-4)
    fieller = fieller_ratio(pair_sums(y, x))
    assert (fieller.lower, fieller.upper) == pytest.approx((found.lower, found.upper), rel=1e-3)


def test_thin_evidence_gives_unbounded_intervals() -> None:
    one = sums([3.0])
    assert (mean(one).value, mean(one).lower, mean(one).upper) == (3, -math.inf, math.inf)
    assert math.isnan(mean(sums([])).value)
    assert (welch(one, sums([1.0, 2.0])).value, welch(one, sums([1.0, 2.0])).lower) == (1.5, -math.inf)
    pair = pair_sums(np.array([3.0]), np.array([2.0]))
    assert (delta_ratio(pair).value, fieller_ratio(pair).upper) == (1.5, math.inf)
    assert math.isnan(delta_ratio(pair_sums(np.array([1.0, 2.0]), np.array([-1.0, 1.0]))).value)


def test_identical_values_have_no_spread() -> None:
    same = sums([4.0, 4.0, 4.0])
    assert (mean(same).lower, mean(same).upper) == (4, 4)
    assert welch(same, same).upper == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"n": 2, "total": math.nan, "squares": 1.0},
            "Sums.total is nan; it has to be a finite number. Leave units without a value out before adding up.",
        ),
        ({"n": -1, "total": 0.0, "squares": 0.0}, "Sums.n is -1; a number of units cannot be negative."),
        (
            {"n": 2, "total": 10.0, "squares": 3.0},
            "Sums.squares is 3.0 with n = 2 and total = 10.0; no set of numbers has such sums. "
            "Add up squares and values over the same units.",
        ),
    ],
)
def test_impossible_sums_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Sums(**values)  # type: ignore[arg-type]
