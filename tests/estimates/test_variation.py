import math
import re

import numpy as np
import pytest
from scipy import stats

from smarketing.estimates.variation import moving_range_degrees_of_freedom, process_limits, sum_of_weeks

SERIES = [10, 12, 9, 14, 11, 10]


def test_process_limits_of_a_hand_example() -> None:
    # Mean 66 / 6 = 11; moving ranges 2, 3, 5, 3, 1, mean 2.8; 2.66 * 2.8 = 7.448.
    limits = process_limits(SERIES)
    assert limits.centre == 11
    assert limits.mean_moving_range == pytest.approx(2.8)
    assert (limits.lower, limits.upper) == pytest.approx((3.552, 18.448))
    assert limits.weeks == 6


def test_sum_of_weeks_of_a_hand_example() -> None:
    # The last three weeks sum to 35; sigma = 2.8 / 1.12838 = 2.48144; Cryer & Ryan (1990) give sigma-hat of n values a
    # variance of sigma^2 (0.8264 n - 1.082) / (n - 1)^2: 0.15505 at n = 6, so df = 1 / (2 * 0.15505) = 3.2248.
    found = sum_of_weeks(SERIES, 3)
    assert found.value == 35
    assert found.sigma == pytest.approx(2.48144, abs=1e-5)
    assert found.degrees_of_freedom == pytest.approx(1 / (2 * (0.8264 * 6 - 1.082) / 25), rel=1e-3)
    half = stats.t.ppf(0.975, found.degrees_of_freedom) * found.sigma * math.sqrt(3)
    assert (found.lower, found.upper) == pytest.approx((35 - half, 35 + half))


@pytest.mark.parametrize("n", [4, 12, 52])
def test_degrees_of_freedom_match_simulated_moving_ranges(n: int) -> None:
    means = np.abs(np.diff(np.random.default_rng(11).normal(size=(100_000, n)))).mean(axis=1)
    simulated = 1 / (2 * (means.std() / means.mean()) ** 2)
    assert moving_range_degrees_of_freedom(n) == pytest.approx(simulated, rel=0.02)


@pytest.mark.parametrize(("n", "weeks"), [(8, 6), (26, 6), (52, 13)])
def test_sum_of_weeks_covers_the_mean_of_independent_weeks(n: int, weeks: int) -> None:
    # 1,000 companies, weekly leads Poisson with mean 40: 95 % +- 2.6 Monte Carlo standard errors (0.69 points).
    series = np.random.default_rng(5).poisson(40, size=(1000, n))
    found = [sum_of_weeks(row, weeks) for row in series]
    covered = np.mean([f.lower <= 40 * weeks <= f.upper for f in found])
    assert abs(covered - 0.95) < 2.6 * math.sqrt(0.95 * 0.05 / 1000)


def test_a_shift_hardly_moves_sigma() -> None:
    rng = np.random.default_rng(3)
    steady = rng.normal(50, 4, 40)
    shifted = steady + np.repeat([0, 30], 20)
    assert sum_of_weeks(shifted, 6).sigma < 1.3 * sum_of_weeks(steady, 6).sigma
    assert shifted.std() > 3 * steady.std()


@pytest.mark.parametrize("series", [[], [7], [7, 7, 7, 7]])
def test_no_variation_seen_gives_no_limits(series: list[float]) -> None:
    limits = process_limits(series)
    assert (limits.centre == 7) == bool(series)
    assert not math.isfinite(limits.upper - limits.lower)


@pytest.mark.parametrize("series", [[7], [7, 9], [7, 7, 7, 7]])
def test_a_short_or_flat_series_gives_an_unbounded_sum(series: list[float]) -> None:
    found = sum_of_weeks(series, 1)
    assert (found.value, found.lower, found.upper) == (series[-1], -math.inf, math.inf)


@pytest.mark.parametrize("series", [[1, math.nan, 2], [[1, 2], [3, 4]]])
def test_gaps_are_refused(series: list[float]) -> None:
    message = (
        "a weekly series has to be one list of finite numbers, oldest first. "
        "Give a week in which nothing happened as 0, and leave unfinished weeks out."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        process_limits(series)


@pytest.mark.parametrize("weeks", [0, 7])
def test_more_weeks_than_there_are_is_refused(weeks: int) -> None:
    message = f"the sum of the latest {weeks} weeks of a series of 6: ask for 1 to 6 weeks."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        sum_of_weeks(SERIES, weeks)
