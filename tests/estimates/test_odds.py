"""Rates and odds ratios of rows that share accounts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special
from statsmodels.stats.contingency_tables import Table2x2
from statsmodels.stats.proportion import proportion_confint

from smarketing.estimates.odds import ClusteredRate, clustered_rate, odds_ratio


def rate_of(hits: int, rows: int) -> ClusteredRate:
    """Independent rows of one weight."""
    return clustered_rate(np.arange(rows) < hits, np.ones(rows), np.arange(rows))


@pytest.mark.parametrize(("hits", "rows"), [(0, 700), (18, 18), (3, 2_000), (970, 2_000)])
def test_independent_rows_have_the_limits_of_clopper_and_pearson(hits: int, rows: int) -> None:
    # statsmodels.stats.proportion.proportion_confint(hits, rows, method="beta"); ours has t for the normal.
    found = rate_of(hits, rows).limits(confidence=0.95)
    assert found == pytest.approx(proportion_confint(hits, rows, method="beta"), rel=0.03 if rows > 100 else 0.15)
    lower, upper = proportion_confint(hits, rows, method="beta")
    assert found[0] <= lower and found[1] >= upper


def test_rows_that_are_copies_within_accounts_count_once() -> None:
    rng = np.random.default_rng(1)
    once = rng.random(300) < 0.2
    copies = clustered_rate(np.repeat(once, 4), np.ones(1_200), np.repeat(np.arange(300), 4))
    alone = clustered_rate(once, np.ones(300), np.arange(300))
    assert copies.value == alone.value
    assert copies.effective == pytest.approx(alone.effective)
    assert copies.limits() == pytest.approx(alone.limits())


def test_a_weight_of_zero_is_no_row_and_a_common_factor_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    hit, weight, account = rng.random(500) < 0.3, rng.uniform(0.5, 2.0, 500), rng.integers(0, 200, 500)
    weight[:100] = 0.0
    kept = clustered_rate(hit[100:], weight[100:], account[100:])
    again = clustered_rate(hit, 7.0 * weight, account)
    assert (again.n, kept.n) == (400, 400)
    assert again.value == pytest.approx(kept.value)
    assert again.limits() == pytest.approx(kept.limits())


def test_a_rate_of_one_has_no_more_evidence_than_it_has_accounts() -> None:
    one = clustered_rate(np.ones(40), np.ones(40), np.repeat(np.arange(4), 10))
    assert (one.value, one.effective) == (1.0, 4.0)
    lower, upper = one.limits()
    assert 0 < lower < 0.4 and upper == 1.0


def test_no_rows_and_a_single_account_know_nothing() -> None:
    nothing = clustered_rate(np.ones(3), np.zeros(3), np.arange(3))
    assert math.isnan(nothing.value) and nothing.limits() == (0.0, 1.0)
    single = clustered_rate(np.array([1, 0, 1]), np.ones(3), np.zeros(3, dtype=int))
    assert single.limits() == (0.0, 1.0)
    ratio = odds_ratio(nothing, rate_of(3, 10))
    assert math.isnan(ratio.value) and (ratio.lower, ratio.upper) == (0.0, math.inf)


def test_large_cells_have_the_limits_of_the_log_odds_ratio() -> None:
    # statsmodels: Table2x2([[300, 200], [400, 1100]]).oddsratio_confint(0.05)
    table = Table2x2(np.array([[300, 200], [400, 1_100]]))
    found = odds_ratio(rate_of(300, 500), rate_of(400, 1_500), confidence=0.95)
    assert found.value == pytest.approx(table.oddsratio)
    assert (found.lower, found.upper) == pytest.approx(table.oddsratio_confint(0.05), rel=0.02)


def test_cells_without_hits_are_bounded_by_their_rows() -> None:
    all_of_few, few_of_many = rate_of(18, 18), rate_of(42, 1_982)
    found = odds_ratio(all_of_few, few_of_many)
    assert found.value == math.inf and found.upper == math.inf
    # 18 of 18 is at least 81.5 % (Clopper and Pearson): odds of 4.4, over 0.0217.
    assert 100 < found.lower < 0.815 / 0.185 / (42 / 1_940)
    turned = odds_ratio(few_of_many, all_of_few)
    assert (turned.value, turned.lower) == (0.0, 0.0)
    assert turned.upper == pytest.approx(1 / found.lower)


def test_limits_cover_the_odds_ratio_when_rows_share_accounts() -> None:
    """500 companies of 400 accounts with 1 to 6 leads, alike within them: nominal 95 %."""
    rng = np.random.default_rng(3)
    effect = rng.normal(0.0, 1.0, 1_000_000)
    first, second = special.expit(-1.0 + effect).mean(), special.expit(-2.5 + effect).mean()
    truth = first / (1 - first) / (second / (1 - second))
    missed = 0
    for _ in range(500):
        sizes = rng.integers(1, 7, 400)
        account = np.repeat(np.arange(400), sizes)
        inside = np.repeat(rng.random(400) < 0.3, sizes)
        centre = np.where(inside, -1.0, -2.5) + rng.normal(0.0, 1.0, 400)[account]
        hit = rng.random(len(account)) < special.expit(centre)
        ratio = odds_ratio(
            clustered_rate(hit, inside.astype(float), account), clustered_rate(hit, (~inside).astype(float), account)
        )
        missed += not ratio.lower <= truth <= ratio.upper
    assert 0.94 <= 1 - missed / 500 <= 0.985
