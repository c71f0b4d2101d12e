import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from smarketing.estimates.rates import Rate, difference, wilson


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 5000))
    return draw(st.integers(0, n)), n


@given(counts(), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_equals_statsmodels(count: tuple[int, int], confidence: float) -> None:
    rate = wilson(*count, confidence=confidence)
    lower, upper = proportion_confint(*count, alpha=1 - confidence, method="wilson")
    assert rate.value == count[0] / count[1]
    assert (rate.lower, rate.upper) == pytest.approx((lower, upper), abs=1e-12)


def test_wilson_equals_newcombes_published_example() -> None:
    # Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for count, (lower, upper) in published.items():
        rate = wilson(*count)
        assert (round(rate.lower, 4), round(rate.upper, 4)) == (lower, upper)


def test_difference_equals_newcombes_published_examples() -> None:
    # Newcombe (1998), Statistics in Medicine 17:873-890, table II, method 10, columns (a) to (h).
    published = {
        ((56, 70), (48, 80)): (0.0524, 0.3339),
        ((9, 10), (3, 10)): (0.1705, 0.8090),
        ((6, 7), (2, 7)): (0.0582, 0.8062),
        ((5, 56), (0, 29)): (-0.0381, 0.1926),
        ((0, 10), (0, 20)): (-0.1611, 0.2775),
        ((0, 10), (0, 10)): (-0.2775, 0.2775),
        ((10, 10), (0, 20)): (0.6791, 1.0),
        ((10, 10), (0, 10)): (0.6075, 1.0),
    }
    for (first, second), (lower, upper) in published.items():
        change = difference(wilson(*first), wilson(*second))
        assert (round(change.lower, 4), round(change.upper, 4)) == (lower, upper)


@given(counts(), counts())
def test_difference_equals_statsmodels(first: tuple[int, int], second: tuple[int, int]) -> None:
    change = difference(wilson(*first), wilson(*second))
    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert (change.lower, change.upper) == pytest.approx(expected, abs=1e-9)


@given(counts(), counts())
def test_swapping_the_rates_negates_the_difference(first: tuple[int, int], second: tuple[int, int]) -> None:
    forward = difference(wilson(*first), wilson(*second))
    backward = difference(wilson(*second), wilson(*first))
    assert (forward.value, forward.lower, forward.upper) == pytest.approx(
        (-backward.value, -backward.upper, -backward.lower), abs=1e-12
    )


@given(counts(), counts(), st.floats(0.5, 0.98))
def test_wider_confidence_contains_narrower(first: tuple[int, int], second: tuple[int, int], level: float) -> None:
    narrow = [wilson(*count, confidence=level) for count in (first, second)]
    wide = [wilson(*count, confidence=level + 0.01) for count in (first, second)]
    for inner, outer in [*zip(narrow, wide, strict=True), (difference(*narrow), difference(*wide))]:
        assert outer.lower <= inner.lower + 1e-12
        assert inner.upper <= outer.upper + 1e-12


@given(counts())
def test_wilson_holds_its_own_value_and_stays_a_share(count: tuple[int, int]) -> None:
    rate = wilson(*count)
    assert 0 <= rate.lower <= rate.value <= rate.upper <= 1


@pytest.mark.parametrize("n", [20, 100, 500, 2000])
def test_mean_coverage_is_nominal(n: int) -> None:
    # Exact coverage by summing binomial probabilities, averaged over p, as Newcombe (1998) does.
    successes = np.arange(n + 1)
    rates = [wilson(int(k), n) for k in successes]
    lower, upper = np.array([r.lower for r in rates]), np.array([r.upper for r in rates])
    coverage = [
        stats.binom.pmf(successes, n, p)[(lower <= p) & (p <= upper)].sum() for p in np.linspace(0.005, 0.995, 199)
    ]
    assert 0.94 <= np.mean(coverage) <= 0.96


def test_no_units_give_a_rate_that_excludes_nothing() -> None:
    rate = wilson(0, 0)
    assert math.isnan(rate.value)
    assert (rate.lower, rate.upper, rate.n) == (0, 1, 0)
    change = difference(rate, wilson(1, 4))
    assert all(math.isnan(x) for x in (change.value, change.lower, change.upper))


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (math.nan, 5), (1, math.inf)])
def test_impossible_counts_are_refused(successes: float, n: float) -> None:
    message = (
        f"a rate of {successes} successes in {n} units: both have to be finite and 0 <= successes <= n. "
        "Count successes among the same units as n."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        wilson(successes, n)


def test_impossible_confidence_is_refused() -> None:
    message = "confidence is 95; it has to lie between 0 and 1, as 0.95 does for a 95 % interval."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        wilson(1, 2, confidence=95)


def test_difference_takes_limits_from_any_source() -> None:
    # Zou & Donner (2008): normal limits give back the usual interval of independent estimates, sqrt(3^2 + 4^2) = 5.
    change = difference(Rate(20, 17, 23, 0, 1), Rate(10, 6, 14, 0, 1))
    assert (change.value, change.lower, change.upper) == (10, 5, 15)
