"""Sample ratios: published and library values, joint tests, and how often a clean experiment is blocked."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from smarketing.estimates.sample_ratio import SampleRatio, against_protocol, analysed_against_dealt, over_groups


def test_a_published_mismatch() -> None:
    # Kohavi, Tang & Xu (2020), Trustworthy Online Controlled Experiments, chapter 3: 821,588 and 815,482 users at
    # 50:50, p = 1.8e-6
    found = against_protocol([821_588, 815_482], [1, 1])
    assert found.p_value == pytest.approx(1.8e-6, rel=0.02)
    assert found.alert
    assert found.expected == (818_535.0, 818_535.0)


def test_three_arms_equal_scipy() -> None:
    # scipy.stats.chisquare([21307, 21387, 21306], [64000 / 3] * 3): the arms of Hillstrom's e-mail test
    found = against_protocol([21_307, 21_387, 21_306], [1, 1, 1])
    theirs = stats.chisquare([21_307, 21_387, 21_306], [64_000 / 3] * 3)
    assert (found.statistic, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)
    assert (found.degrees_of_freedom, found.method, found.alert) == (2, "chi-square", False)


@given(st.integers(0, 18), st.floats(0.05, 0.95))
def test_few_units_get_the_exact_binomial_test(first: int, share: float) -> None:
    # scipy.stats.binomtest(first, 18, share).pvalue: the same rule, all outcomes no likelier than the one seen
    found = against_protocol([first, 18 - first], [share, 1 - share])
    if found.method == "exact":
        assert found.p_value == pytest.approx(stats.binomtest(first, 18, share).pvalue, abs=1e-9)
    else:
        assert min(found.expected) >= 5


def test_few_units_in_three_arms_by_counting_every_deal() -> None:
    # All 3^6 equally likely ways to deal 6 units: those whose split is no likelier than 5, 1, 0.
    deals = np.stack(np.meshgrid(*[range(3)] * 6), axis=-1).reshape(-1, 6)
    splits = np.stack([(deals == arm).sum(axis=1) for arm in range(3)], axis=1)
    likelihood = np.array([math.factorial(6) / math.prod(math.factorial(k) for k in row) for row in splits])
    expected = np.mean(likelihood <= math.factorial(6) / math.factorial(5))
    assert against_protocol([5, 1, 0], [1, 1, 1]).p_value == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=2, max_size=2))
def test_few_lost_units_get_fishers_test(arms: list[tuple[int, int]]) -> None:
    # scipy.stats.fisher_exact([[kept 1, kept 2], [lost 1, lost 2]]).pvalue
    kept, lost = zip(*arms, strict=True)
    found = analysed_against_dealt(kept, [k + gone for k, gone in arms])
    if found.method == "exact":
        assert found.p_value == pytest.approx(stats.fisher_exact([kept, lost]).pvalue, abs=1e-9)
    elif found.method == "none":
        assert sum(kept) == 0 or min(k + gone for k, gone in arms) == 0


def test_many_lost_units_equal_scipys_contingency_table() -> None:
    # scipy.stats.chi2_contingency([[900, 1800, 2790], [100, 200, 210]], correction=False)
    found = analysed_against_dealt([900, 1800, 2790], [1000, 2000, 3000])
    theirs = stats.chi2_contingency([[900, 1800, 2790], [100, 200, 210]], correction=False)
    assert (found.statistic, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-10)
    assert found.degrees_of_freedom == theirs.dof


def test_an_arm_without_units_is_left_out_of_the_loss() -> None:
    without = analysed_against_dealt([900, 0, 950], [1000, 0, 1000])
    assert without.p_value == pytest.approx(analysed_against_dealt([900, 950], [1000, 1000]).p_value)
    assert without.degrees_of_freedom == 1


def test_nobody_lost_is_no_mismatch() -> None:
    assert analysed_against_dealt([10, 12], [10, 12]).p_value == 1.0


def test_opposite_mismatches_in_two_segments_are_seen_together_only() -> None:
    segments = [[560, 440], [440, 560]]
    assert against_protocol([1000, 1000], [1, 1]).p_value == 1.0
    joint = over_groups(segments, [1, 1], in_order=False)
    # 2 x (60^2 / 500 x 2) = 28.8 on 2 degrees of freedom: exp(-14.4)
    assert joint.statistic == pytest.approx(28.8)
    assert joint.p_value == pytest.approx(math.exp(-14.4))
    assert joint.alert


def test_thin_days_join_their_neighbours_and_thin_segments_each_other() -> None:
    days = [[3, 2], [4, 3], [50, 40], [2, 1]]
    by_day = over_groups(days, [1, 1], in_order=True)
    assert by_day.groups == 2
    # (7, 5) and (52, 41): 12 and 93 units
    assert by_day.statistic == pytest.approx(2 * 1**2 / 6 + 2 * 5.5**2 / 46.5)
    by_segment = over_groups(days, [1, 1], in_order=False)
    assert by_segment.groups == 2
    # (9, 6) and (50, 40)
    assert by_segment.statistic == pytest.approx(2 * 1.5**2 / 7.5 + 2 * 5**2 / 45)
    # One thin segment takes the next smallest with it.
    assert over_groups([[1, 1], [20, 30], [60, 50]], [1, 1], in_order=False).groups == 2


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=12), st.booleans())
def test_no_unit_gets_lost_between_groups(rows: list[tuple[int, int]], in_order: bool) -> None:
    found = over_groups(rows, [1, 1], in_order=in_order)
    assert found.observed == tuple(np.sum(rows, axis=0))
    assert (found.method == "none") == (np.sum(rows) < 10)
    assert found.degrees_of_freedom == found.groups


def test_thin_evidence_gives_a_reason() -> None:
    nothing = against_protocol([0, 0], [1, 1])
    assert (nothing.withheld, nothing.p_value, nothing.alert) == ("no unit was dealt", 1.0, False)
    assert analysed_against_dealt([0, 0], [0, 0]).withheld == "no unit was dealt"
    assert analysed_against_dealt([0, 0], [5, 5]).withheld == "no unit was analysed"
    assert analysed_against_dealt([3, 0], [5, 0]).withheld == "units were dealt to one arm only"
    assert over_groups([[2, 1]], [1, 1], in_order=True).withheld == "3 units, 10 needed"
    rare = against_protocol([10_000_000, 1, 1], [1, 1e-7, 1e-7])
    assert (rare.method, rare.withheld) == ("none", "1 units expected in an arm, 5 needed")


def test_a_clean_experiment_is_seldom_blocked_and_a_broken_one_nearly_always() -> None:
    # 20,000 deals of 5,000 units at 10:90, nominal 0.1 % + 2.6 Monte Carlo standard errors; and 2 points too many.
    rng = np.random.default_rng(11)

    def alerts(share: float, runs: int) -> float:
        first = rng.binomial(5_000, share, runs)
        # Equal counts give equal answers: ask once each.
        counts = dict(zip(*np.unique(first, return_counts=True), strict=True))
        return sum(k for n, k in counts.items() if against_protocol([n, 5_000 - n], [1, 9]).alert) / runs

    assert alerts(0.10, 20_000) <= 0.001 + 2.6 * math.sqrt(0.001 * 0.999 / 20_000)
    assert alerts(0.12, 2_000) > 0.85


def test_one_test_over_60_days_and_not_60_tests() -> None:
    rng = np.random.default_rng(12)
    first = rng.binomial(100, 0.5, (1_000, 60))
    joint = [over_groups(np.stack([row, 100 - row], axis=1), [1, 1], in_order=True).alert for row in first]
    assert np.mean(joint) <= 0.001 + 2.6 * math.sqrt(0.001 * 0.999 / 1_000)
    # chi-square of each day alone at p < 0.001: 4 (n - 50)^2 / 100 > 10.83
    assert ((4 * (first - 50) ** 2 / 100 > 10.83).any(axis=1)).mean() > 0.03


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: against_protocol([5, 5, 5], [1, 1]),
            "dealt 5, 5, 5 with shares 1, 1: give one share above 0 for each arm of the protocol; an arm that got no "
            "unit counts 0.",
        ),
        (
            lambda: against_protocol([5, 5], [1, 0]),
            "dealt 5, 5 with shares 1, 0: give one share above 0 for each arm of the protocol; an arm that got no "
            "unit counts 0.",
        ),
        (
            lambda: against_protocol([5.5, 5], [1, 1]),  # type: ignore[list-item]
            "dealt is 5.5, 5; units are whole numbers that are not negative.",
        ),
        (lambda: against_protocol([5], [1]), "1 arm; shares of one arm cannot be off. Give every arm of the protocol."),
        (
            lambda: analysed_against_dealt([6, 5], [5, 5]),
            "analysed 6, 5 of dealt 5, 5: give both for the same arms, and no more analysed than dealt. "
            "Units that were never dealt belong in neither.",
        ),
        (
            lambda: over_groups([], [1, 1], in_order=True),
            "no segment or day was given; a joint test needs at least one.",
        ),
    ],
)
def test_bad_counts_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        call()
    assert str(refused.value) == message


def test_an_alert_is_below_one_in_a_thousand() -> None:
    def at(p: float) -> bool:
        return SampleRatio(
            observed=(1, 1), expected=(1.0, 1.0), statistic=0.0, degrees_of_freedom=1, p_value=p, method="exact"
        ).alert

    assert (at(0.001), at(0.000999)) == (False, True)
