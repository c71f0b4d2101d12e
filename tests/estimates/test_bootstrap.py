import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverage_worlds import SCORES, coverage
from smarketing.estimates.bootstrap import clustered_interval, clustered_weights, percentile_interval


def test_weights_count_whole_clusters_as_often_as_they_are_drawn() -> None:
    cluster = np.array([7, 7, 3, 9, 3, 3])
    draws = list(clustered_weights(cluster, draws=300, seed=4))
    assert len(draws) == 300
    of_cluster = np.array([[times[2], times[0], times[3]] for times in draws])
    assert (of_cluster.sum(axis=1) == 3).all()
    for times in draws:
        assert times[0] == times[1] and times[2] == times[4] == times[5]
    # Multinomial of 3 in 3: mean 1, variance 3 x 1/3 x 2/3, covariance -3 / 9; 0.15 is 4 standard errors and more.
    assert of_cluster.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.2)
    assert np.cov(of_cluster.T) == pytest.approx(np.full((3, 3), -1 / 3) + np.eye(3), abs=0.2)


def test_a_draw_depends_on_the_seed_and_its_number_only() -> None:
    cluster = np.array(["b", "a", "c", "a", "b"])
    first = list(clustered_weights(cluster, draws=5, seed=1))
    assert np.array_equal(first, list(clustered_weights(cluster, draws=9, seed=1))[:5])
    assert not np.array_equal(first, list(clustered_weights(cluster, draws=5, seed=2)))
    # Rows in another order get the same counts.
    order = np.array([4, 2, 0, 3, 1])
    assert np.array_equal(np.array(first)[:, order], list(clustered_weights(cluster[order], draws=5, seed=1)))


def test_another_process_draws_the_same() -> None:
    code = (
        "from smarketing.estimates.bootstrap import clustered_weights\n"
        "print([t.tolist() for t in clustered_weights([1, 1, 2, 3, 4], draws=3, seed=8)])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == str([t.tolist() for t in clustered_weights([1, 1, 2, 3, 4], draws=3, seed=8)])


def test_no_draws_are_refused() -> None:
    message = "draws is 0; at least one is needed, and about 200 for an interval."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        clustered_weights([1, 2], draws=0, seed=0)
    assert [times.tolist() for times in clustered_weights([], draws=2, seed=0)] == [[], []]


def test_biased_draws_are_moved_to_where_they_belong() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, 200))
    found = percentile_interval(values, centre=40.0)
    assert (found.lower, found.upper) == (5 - 60, 195 - 60)
    with_blank = percentile_interval([*values, math.nan], centre=40.0)
    plain = percentile_interval([*values, math.nan])
    assert (with_blank.lower, with_blank.upper) == (plain.lower - 60, plain.upper - 60)
    nothing = percentile_interval([math.nan] * 3, centre=1.0)
    assert (nothing.lower, nothing.upper) == (-math.inf, math.inf)


def test_percentile_limits_are_order_statistics() -> None:
    # 199 draws: ranks 200 x 0.025 = 5 and 195.
    values = np.random.default_rng(0).permutation(np.arange(1.0, 200))
    found = percentile_interval(values)
    assert (found.lower, found.upper, found.draws, found.undefined) == (5, 195, 199, 0)
    # 200 draws: rank 5.025, interpolated as numpy's method "weibull" does.
    values = np.random.default_rng(1).normal(size=200)
    expected = np.quantile(values, [0.025, 0.975], method="weibull")
    found = percentile_interval(values)
    assert (found.lower, found.upper) == pytest.approx(tuple(expected), abs=1e-6)
    assert percentile_interval(values, level=0.5).lower == pytest.approx(
        np.quantile(values, 0.25, method="weibull"), abs=1e-6
    )


def test_undefined_draws_could_be_anything() -> None:
    values = np.arange(1.0, 200)
    few = values.copy()
    few[[10, 50]] = np.nan
    # Two of them stand below the lower limit and above the upper one: ranks 3 and 3 of what is left (11 and 51 left).
    assert (percentile_interval(few).lower, percentile_interval(few).upper) == (3, 197)
    many = values.copy()
    many[:7] = np.nan
    found = percentile_interval(many)
    assert (found.lower, found.upper, found.undefined) == (-math.inf, math.inf, 7)
    empty = percentile_interval([])
    assert (empty.lower, empty.upper, empty.draws) == (-math.inf, math.inf, 0)
    # 30 draws say nothing about a tail of 2.5 %.
    assert percentile_interval(values[:30]).lower == -math.inf


def test_few_clusters_take_the_limits_further_out() -> None:
    # With 10 units a 95 % interval takes the tail of sqrt(10 / 9) x 2.262 = 2.385 normal standard deviations, 0.0085,
    # rather than 0.025.
    values = np.random.default_rng(1).normal(size=5000)
    found = percentile_interval(values, effective_clusters=10)
    expected = np.quantile(values, [0.008546, 1 - 0.008546], method="weibull")
    assert (found.lower, found.upper) == pytest.approx(tuple(expected), abs=2e-3)
    many = percentile_interval(values, effective_clusters=1e9)
    plain = percentile_interval(values)
    assert (many.lower, many.upper) == pytest.approx((plain.lower, plain.upper), abs=1e-4)
    assert percentile_interval(values, effective_clusters=1).upper == math.inf


@given(st.integers(0, 1000), st.floats(0.5, 0.9))
def test_wider_levels_contain_narrower(seed: int, level: float) -> None:
    values = np.random.default_rng(seed).normal(size=200)
    inner, outer = percentile_interval(values, level=level), percentile_interval(values, level=level + 0.05)
    assert outer.lower <= inner.lower <= inner.upper <= outer.upper
    turned = percentile_interval(-values, level=level)
    assert (turned.lower, turned.upper) == pytest.approx((-inner.upper, -inner.lower))


def test_the_standard_error_of_a_mean_is_the_clustered_one() -> None:
    # Against the linearised formula with G rather than G - 1, which is the bootstrap's own variance.
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    value = rng.normal(size=60)[cluster] + rng.normal(size=len(cluster))
    found = clustered_interval(lambda times: float(np.average(value, weights=times)), cluster, draws=4000, seed=1)
    residual = np.bincount(cluster, value - value.mean())
    exact = math.sqrt((residual**2).sum()) / len(cluster)
    assert found.value == pytest.approx(value.mean())
    assert found.standard_error == pytest.approx(exact, rel=0.06)
    assert (found.lower, found.upper) == pytest.approx(
        (found.value - 1.96 * exact, found.value + 1.96 * exact), abs=0.04
    )
    assert (found.clusters, found.draws, found.undefined) == (60, 4000, 0)
    sizes = np.bincount(cluster)
    assert found.effective_clusters == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())


def test_one_cluster_says_nothing() -> None:
    found = clustered_interval(lambda times: float(times.sum()), [5, 5, 5])
    assert (found.value, found.lower, found.upper, found.clusters, found.draws) == (3, -math.inf, math.inf, 1, 0)
    assert math.isnan(found.standard_error)
    never = clustered_interval(lambda times: math.nan, [1, 2, 3])
    assert (never.lower, never.upper, never.undefined) == (-math.inf, math.inf, 200)
    assert math.isnan(never.standard_error)


@pytest.mark.parametrize("measure", sorted(SCORES))
def test_clustered_intervals_cover_and_others_are_too_narrow(measure: str) -> None:
    # 120 companies: 0.95 within 2.6 standard errors is 0.898 and more; the long run is tests/validate/.
    clustered, rows = coverage(measure, accounts=150, companies=120, draws=99)
    assert clustered >= 0.898
    assert rows < 0.85
