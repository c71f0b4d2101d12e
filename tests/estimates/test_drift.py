import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from smarketing.estimates.drift import design_effect, population_stability

EVEN = np.full(10, 0.1)
UNEVEN = np.array([0.5, 0.2, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01, 0.006, 0.004])
TABLES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12).filter(
    lambda rows: sum(a for a, _ in rows) > 0 and sum(b for _, b in rows) > 0
)


def test_by_hand() -> None:
    # With 100,000 rows and more, drawing shares in changes the fifth digit.
    # (0.3 - 0.5) log(0.3 / 0.5) + (0.3 - 0.3) log 1 + (0.4 - 0.2) log(0.4 / 0.2) = 0.1021651 + 0.1386294
    found = population_stability([500_000, 300_000, 200_000], [30_000, 30_000, 40_000])
    assert found.value == pytest.approx(0.2407946, abs=1e-5)
    # (1 / 10^6 + 1 / 10^5) x 5.991465, the chi-squared table's 95 % value for two degrees of freedom.
    assert found.cutoff == pytest.approx(1.1e-5 * 5.991465, rel=1e-6)
    assert found.moved
    assert (found.reference, found.current, found.bins) == (1e6, 1e5, 3)


def test_the_index_over_its_scale_is_about_the_chi_squared_of_the_table() -> None:
    # scipy.stats.chi2_contingency([reference, current], correction=False): same limit, so close at small shifts.
    rng = np.random.default_rng(2)
    for _ in range(5):
        before, after = rng.multinomial(40_000, EVEN), rng.multinomial(30_000, EVEN)
        table = stats.chi2_contingency([before, after], correction=False)
        found = population_stability(before, after)
        assert found.value / (1 / 40_000 + 1 / 30_000) == pytest.approx(table.statistic, rel=0.01)
        assert found.p_value == pytest.approx(table.pvalue, abs=0.01)
        assert found.moved == (found.p_value < 0.05)


@pytest.mark.parametrize(
    ("reference", "current", "shares"),
    [(10_000, 60, EVEN), (10_000, 1000, EVEN), (300, 300, UNEVEN), (5000, 200, UNEVEN), (50_000, 5000, UNEVEN)],
)
def test_chance_alone_seldom_raises_an_alarm(reference: int, current: int, shares: np.ndarray) -> None:
    rng = np.random.default_rng(reference + current)
    found = [
        population_stability(rng.multinomial(reference, shares), rng.multinomial(current, shares)) for _ in range(2000)
    ]
    # 2.6 standard errors of 5 % among 2000 are 0.013; of 0.5 %, 0.004.
    assert 0.02 < np.mean([one.moved for one in found]) < 0.063
    assert np.mean([one.p_value < 0.005 for one in found]) < 0.01


def test_the_usual_limits_know_nothing_of_numbers() -> None:
    rng = np.random.default_rng(3)
    # No shift at all, 100 new leads in ten bins: above 0.1 in a quarter of the months and more.
    alarms = [population_stability(rng.multinomial(5000, EVEN), rng.multinomial(100, EVEN)) for _ in range(500)]
    assert np.mean([one.value > 0.1 for one in alarms]) > 0.25
    assert np.mean([one.moved for one in alarms]) < 0.08
    few = [population_stability(rng.multinomial(50, EVEN), rng.multinomial(50, EVEN)) for _ in range(500)]
    assert np.mean([one.value > 0.25 for one in few]) > 0.5
    # A real shift among many rows, which they overlook.
    shifted = EVEN + np.array([0.01, -0.01] * 5)
    seen = population_stability(rng.multinomial(100_000, EVEN), rng.multinomial(20_000, shifted))
    assert seen.value < 0.1
    assert seen.moved and seen.p_value < 1e-6


def test_accounts_that_are_alike_need_a_design_effect() -> None:
    rng = np.random.default_rng(6)

    def leads(accounts: int) -> tuple[np.ndarray, np.ndarray]:
        size = rng.geometric(0.25, accounts)
        region = rng.choice(6, accounts)
        return np.repeat(region, size), np.repeat(np.arange(accounts), size)

    plain, corrected = [], []
    for _ in range(400):
        (before, first), (after, second) = leads(800), leads(150)
        counts = np.bincount(before, minlength=6), np.bincount(after, minlength=6)
        plain.append(population_stability(*counts).moved)
        effects = {
            "reference_effect": design_effect(before, first),
            "current_effect": design_effect(after, second),
        }
        corrected.append(population_stability(*counts, **effects).moved)
    assert np.mean(plain) > 0.4
    assert np.mean(corrected) < 0.09


def test_the_design_effect_of_an_account_s_own_property_is_its_number_of_rows() -> None:
    rng = np.random.default_rng(1)
    account = np.repeat(np.arange(3000), 4)
    assert design_effect(rng.choice(5, 3000)[account], account) == pytest.approx(4, rel=0.06)
    assert design_effect(rng.choice(5, 12_000), account) == pytest.approx(1, rel=0.06)
    size = rng.geometric(0.3, 3000)
    account = np.repeat(np.arange(3000), size)
    assert design_effect(rng.choice(5, 3000)[account], account) == pytest.approx((size**2).sum() / size.sum(), rel=0.1)
    # Two bins: the variance of one share over that of independent rows, as the regression on a constant gives it.
    known = (np.array(["a", "b", "b", "a", "b", "b"]), np.array([1, 1, 2, 2, 3, 3]))
    # Shares of "a" are 1, 1 and 0 of 2: residuals 1/3, 1/3, -2/3 around 2/6; 3/2 x 6/9 / 36 over (2/9) / 6.
    assert design_effect(*known) == pytest.approx((1.5 * (6 / 9) / 36) / (2 / 9 / 6))
    assert math.isnan(design_effect([1, 2, 1], [5, 5, 5]))
    assert math.isnan(design_effect([1, 1, 1], [5, 6, 7]))
    assert math.isnan(design_effect([], []))


@given(TABLES, st.integers(1, 9), st.permutations(range(12)))
def test_what_changes_nothing(rows: list[tuple[int, int]], factor: int, order: list[int]) -> None:
    before, after = (np.array(part) for part in zip(*rows, strict=True))
    found = population_stability(before, after)
    assert found.value >= -1e-12 and math.isfinite(found.value)
    assert 0 <= found.p_value <= 1
    # Equal shares, whatever their numbers; sides exchanged; bins in another order; an empty bin more.
    if before.sum():
        assert population_stability(before, factor * before).value == pytest.approx(0, abs=1e-12)
    assert population_stability(after, before).value == pytest.approx(found.value, abs=1e-12)
    order = [position for position in order if position < len(before)]
    assert population_stability(before[order], after[order]).value == pytest.approx(found.value, abs=1e-12)
    more = population_stability(np.append(before, 0), np.append(after, 0))
    assert (more.value, more.cutoff, more.bins) == pytest.approx((found.value, found.cutoff, found.bins))


@given(TABLES)
def test_surer_cut_offs_are_higher(rows: list[tuple[int, int]]) -> None:
    before, after = zip(*rows, strict=True)
    once, surer = population_stability(before, after), population_stability(before, after, level=1 - 0.05 / 40)
    assert surer.cutoff >= once.cutoff
    assert surer.value == once.value


def test_thin_evidence_is_a_result() -> None:
    nobody = population_stability([5, 5], [0, 0])
    assert math.isnan(nobody.value) and math.isnan(nobody.cutoff) and math.isnan(nobody.p_value)
    assert not nobody.moved
    one = population_stability([5, 0], [3, 0])
    assert (one.value, one.cutoff, one.p_value, one.bins, one.moved) == (0, 0, 1, 1, False)
    gone = population_stability([500, 500], [1000, 0])
    assert math.isfinite(gone.value) and gone.moved


@pytest.mark.parametrize(
    ("before", "after", "effect", "message"),
    [
        ([1, 2], [1, 2, 3], 1.0, "the reference has 2 bins and the current rows have 3; count both in the same bins."),
        (
            [1, -2],
            [1, 2],
            1.0,
            "rows in bins have to be one list of finite numbers that are not negative; give an empty bin as 0.",
        ),
        ([1, 2], [1, 2], 0.0, "design effects are 0.0 and 1.0; they have to be above 0."),
    ],
)
def test_impossible_counts_are_refused(before: list[int], after: list[int], effect: float, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        population_stability(before, after, reference_effect=effect)


def test_a_row_without_a_cluster_is_refused() -> None:
    message = "2 rows have a bin and 3 a cluster; give one of each a row."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        design_effect([1, 2], [1, 2, 3])
