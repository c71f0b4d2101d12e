import math
import re

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from smarketing.estimates.clusters import ClusterSums, clustered_share, effective_clusters, ratio, share
from smarketing.estimates.rates import difference, wilson


def cluster_sums(n: np.ndarray, y: np.ndarray) -> ClusterSums:
    return ClusterSums(
        clusters=len(n),
        sum_n=float(n.sum()),
        sum_n2=float((n**2).sum()),
        sum_y=float(y.sum()),
        sum_y2=float((y**2).sum()),
        sum_ny=float((n * y).sum()),
    )


def accounts(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.geometric(0.3, count)
    return n, rng.binomial(n, rng.beta(2, 6, count))


@pytest.mark.parametrize("seed", range(4))
def test_standard_error_equals_statsmodels_cluster_robust(seed: int) -> None:
    # A share is the coefficient of a regression of 0/1 on a constant; statsmodels multiplies by
    # G / (G - 1) * (N - 1) / (N - 1) for one coefficient: OLS(y, 1).fit(cov_type="cluster").
    n, y = accounts(seed, 25)
    group = np.repeat(np.arange(25), n)
    won = np.concatenate([np.repeat([1, 0], [wins, size - wins]) for size, wins in zip(n, y, strict=True)])
    fit = sm.OLS(won, np.ones(len(won))).fit(cov_type="cluster", cov_kwds={"groups": group})
    found = share(cluster_sums(n, y))
    assert found.value == pytest.approx(fit.params[0], abs=1e-12)
    assert found.standard_error == pytest.approx(fit.bse[0], rel=1e-9)
    assert (found.n, found.clusters) == (n.sum(), 25)
    assert ratio(cluster_sums(n, y)).standard_error == pytest.approx(fit.bse[0], rel=1e-9)


def test_a_share_of_money_equals_statsmodels_weighted_regression() -> None:
    rng = np.random.default_rng(9)
    group, amount, won = rng.integers(0, 20, 150), rng.lognormal(8, 1, 150), rng.integers(0, 2, 150)
    fit = sm.WLS(won, np.ones(150), weights=amount).fit(cov_type="cluster", cov_kwds={"groups": group})
    found = share(cluster_sums(np.bincount(group, amount), np.bincount(group, amount * won)))
    assert (found.value, found.standard_error) == pytest.approx((fit.params[0], fit.bse[0]), rel=1e-9)


def test_interval_is_log_log_with_t() -> None:
    # log(-log(1 - F)) by its numerical derivative, t on G_eff - 1 degrees of freedom.
    n, y = accounts(3, 40)
    found = share(cluster_sums(n, y), confidence=0.9)

    def scale(f: float) -> float:
        return math.log(-math.log(1 - f))

    slope = (scale(found.value + 1e-6) - scale(found.value - 1e-6)) / 2e-6
    half = stats.t.ppf(0.95, n.sum() ** 2 / (n**2).sum() - 1) * found.standard_error * slope
    assert scale(found.lower) == pytest.approx(scale(found.value) - half, abs=1e-6)
    assert scale(found.upper) == pytest.approx(scale(found.value) + half, abs=1e-6)


def test_one_unit_an_account_is_close_to_wilson() -> None:
    found = share(cluster_sums(np.ones(2000), np.repeat([1.0, 0.0], [400, 1600])))
    rate = wilson(400, 2000)
    assert found.effective_clusters == 2000
    assert (found.lower, found.upper) == pytest.approx((rate.lower, rate.upper), abs=5e-4)


@given(st.integers(0, 50), st.floats(0.5, 0.98))
def test_wider_confidence_contains_narrower(seed: int, level: float) -> None:
    sums = cluster_sums(*accounts(seed, 15))
    for estimate in (share, ratio):
        inner, outer = estimate(sums, confidence=level), estimate(sums, confidence=level + 0.01)
        assert outer.lower <= inner.lower <= inner.value <= inner.upper <= outer.upper


@given(st.integers(0, 200))
def test_the_complement_has_the_same_standard_error(seed: int) -> None:
    n, y = accounts(seed, 12)
    assert share(cluster_sums(n, n - y)).standard_error == pytest.approx(
        share(cluster_sums(n, y)).standard_error, abs=1e-9
    )


@pytest.mark.parametrize("won", [0.0, 1.0])
def test_no_variance_gives_wilson_on_effective_accounts(won: float) -> None:
    n = np.array([1.0, 2, 3, 4, 5, 5, 5, 5])
    found = share(cluster_sums(n, won * n))
    g_eff = 30**2 / (n**2).sum()
    quantile = stats.t.ppf(0.975, g_eff - 1)
    # Wilson at 0 of n: upper limit z^2 / (n + z^2).
    far = quantile**2 / (g_eff + quantile**2)
    assert (found.lower, found.upper) == pytest.approx((0, far) if won == 0 else (1 - far, 1), abs=1e-12)
    assert found.standard_error == 0


def test_accounts_that_are_all_alike_keep_some_doubt() -> None:
    found = share(cluster_sums(np.full(10, 4.0), np.full(10, 1.0)))
    assert found.value == 0.25
    assert found.lower < 0.1
    assert found.upper > 0.5


def test_thin_evidence_excludes_nothing() -> None:
    nobody = ClusterSums(clusters=0, sum_n=0, sum_n2=0, sum_y=0, sum_y2=0, sum_ny=0)
    for estimate, lower, upper in ((share, 0, 1), (ratio, -math.inf, math.inf)):
        assert math.isnan(estimate(nobody).value)
        assert (estimate(nobody).lower, estimate(nobody).upper) == (lower, upper)
        one = estimate(cluster_sums(np.array([100.0, 1.0]), np.array([30.0, 0.0])))
        assert one.value == pytest.approx(30 / 101)
        assert (one.lower, one.upper) == (lower, upper)
        assert math.isnan(one.standard_error)


def test_difference_of_clustered_shares() -> None:
    first, second = (share(cluster_sums(*accounts(seed, 40))) for seed in (1, 2))
    forward, backward = difference(first, second), difference(second, first)
    assert forward.lower < forward.value < forward.upper
    assert (backward.lower, backward.upper) == pytest.approx((-forward.upper, -forward.lower))


def test_effective_clusters_of_equal_and_unequal_accounts() -> None:
    assert effective_clusters(20, 100) == 4
    assert effective_clusters(0, 0) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sum_n2": -1.0},
            "ClusterSums.sum_n2 is -1.0; it has to be a finite number that is not negative. "
            "Leave accounts without a denominator out before adding up.",
        ),
        (
            {"sum_n": 0.0},
            "ClusterSums has 3 clusters and a denominator of 0.0: one is zero and the other is not. "
            "Count only accounts with a denominator above 0.",
        ),
    ],
)
def test_impossible_sums_are_refused(change: dict[str, float], message: str) -> None:
    good = {"clusters": 3, "sum_n": 6.0, "sum_n2": 12.0, "sum_y": 2.0, "sum_y2": 2.0, "sum_ny": 4.0}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ClusterSums(**{**good, **change})  # type: ignore[arg-type]


def test_a_share_above_one_is_refused() -> None:
    message = (
        "a share of 9.0 in 6.0: the numerator has to lie between 0 and the denominator. "
        "Use ratio() for ratios that are not shares."
    )
    sums = cluster_sums(np.array([3.0, 3.0]), np.array([4.0, 5.0]))
    assert ratio(sums).value == 1.5
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        share(sums)


@pytest.mark.parametrize(
    ("value", "squares", "message"),
    [
        (1.2, 0.1, "the share is 1.2; it has to lie between 0 and 1, or be NaN when nothing was observed."),
        (0.2, -0.1, "the sum of squared influence is -0.1; it cannot be negative or missing."),
    ],
)
def test_impossible_shares_are_refused(value: float, squares: float, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        clustered_share(value, squares, 10, 8.0, n=40)
