"""Several questions at once: Bonferroni's quantiles, R's and statsmodels' adjusted p-values, false coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from smarketing.estimates.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
    false_coverage,
    harmonic,
    holm,
    simultaneous,
)


def test_one_question_keeps_its_interval() -> None:
    one = simultaneous(0.3, 0.2, 0.5, of=1)
    assert (one.lower, one.upper) == pytest.approx((0.2, 0.5))


def test_five_questions_use_the_99_percent_quantile() -> None:
    # scipy.stats.norm.ppf(0.995) / scipy.stats.norm.ppf(0.975) = 2.575829 / 1.959964
    five = simultaneous(0.0, -1.959964, 1.959964, of=5)
    assert five.upper == pytest.approx(2.575829, abs=1e-6)
    assert five.lower == pytest.approx(-2.575829, abs=1e-6)


@given(st.floats(-4, 4), st.integers(1, 30))
def test_a_side_is_taken_exactly_where_bonferroni_rejects(z: float, of: int) -> None:
    # statsmodels.stats.multitest.multipletests(p, method="bonferroni") with of - 1 further p-values of 1
    p = math.erfc(abs(z) / math.sqrt(2))
    rejected = bool(multipletests([p] + [1.0] * (of - 1), alpha=0.05, method="bonferroni")[0][0])
    side = simultaneous(z, z - 1.959964, z + 1.959964, of=of).side_of(0.0)
    assert (side != 0) == rejected or abs(p * of - 0.05) < 1e-5
    assert side in (0, int(math.copysign(1, z)))


def test_a_quiet_world_is_called_moved_in_at_most_5_percent() -> None:
    # 4,000 reports of 8 independent true zeros; nominal 5 % + 2.6 Monte Carlo standard errors. One by one: 34 %.
    z = np.random.default_rng(7).normal(size=(4_000, 8))
    called = [any(simultaneous(v, v - 1.96, v + 1.96, of=8).side_of(0.0) for v in row) for row in z]
    assert np.mean(called) <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / 4_000)
    assert np.mean((np.abs(z) > 1.96).any(axis=1)) > 0.30


def test_withheld_numbers_take_no_side() -> None:
    assert simultaneous(math.nan, math.nan, math.nan, of=3).side_of(0.0) == 0


def test_what_rounds_to_nothing_takes_no_side() -> None:
    assert simultaneous(0.01, 0.0004, 0.02, of=1).side_of(0.0, smallest=0.0005) == 0
    assert simultaneous(0.01, 0.0006, 0.02, of=1).side_of(0.0, smallest=0.0005) == 1


def test_at_least_one_question() -> None:
    with pytest.raises(ValueError, match=r"^of is 0; at least one question is asked\.$"):
        simultaneous(0.1, 0.0, 0.2, of=0)


# Ten p-values with a tie, and what R says of them: p.adjust(p, "BH") and p.adjust(p, "BY") as printed in scipy's
# TestFalseDiscoveryControl.test_against_R.
TEN = [0.22155325, 0.00114003, 0.01695614, 0.04105190, 0.05592920]
TEN += [0.00368298, 0.14032627, 0.04105190, 0.03648130, 0.25464082]
R_BH = [0.24617028, 0.01140030, 0.05652047, 0.06841983, 0.07989886]
R_BH += [0.01841490, 0.17540784, 0.06841983, 0.06841983, 0.25464082]
R_BY = [0.72102493, 0.03339112, 0.16554665, 0.20039952, 0.23402122]
R_BY += [0.05393666, 0.51376399, 0.20039952, 0.20039952, 0.74583488]


def test_adjusted_p_values_equal_r() -> None:
    assert benjamini_hochberg(TEN) == pytest.approx(R_BH, abs=1e-7)
    assert benjamini_yekutieli(TEN) == pytest.approx(R_BY, abs=1e-7)
    # R, p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"): 4 x 0.005, 3 x 0.01, 2 x 0.03, and never below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_p_values_equal_statsmodels(p_values: list[float]) -> None:
    # statsmodels.stats.multitest.multipletests(p, method=...)[1]
    for ours, method in ((holm, "holm"), (benjamini_hochberg, "fdr_bh"), (benjamini_yekutieli, "fdr_by")):
        assert ours(p_values) == pytest.approx(multipletests(p_values, method=method)[1], abs=1e-12)


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=12))
def test_withheld_questions_are_not_counted(p_values: list[float]) -> None:
    asked = [p for p in p_values if not math.isnan(p)]
    for adjust in (holm, benjamini_hochberg, benjamini_yekutieli):
        adjusted = adjust(p_values)
        assert [p for p in adjusted if not math.isnan(p)] == list(adjust(asked))
        assert [math.isnan(p) for p in adjusted] == [math.isnan(p) for p in p_values]


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=15), st.sampled_from([3.0, 30.0, math.inf]), st.booleans())
def test_a_picked_effect_has_an_interval_without_zero(t: list[float], freedom: float, dependent: bool) -> None:
    p_values = [float(2 * stats.t.sf(abs(value), freedom)) for value in t]
    adjusted = (benjamini_yekutieli if dependent else benjamini_hochberg)(p_values)
    picked = [value for value, p in zip(t, adjusted, strict=True) if p <= 0.05 - 1e-9]
    half = float(stats.t.isf(0.025, freedom))
    for value in picked:
        found = false_coverage(
            value,
            value - half,
            value + half,
            selected=sum(p <= 0.05 for p in adjusted),
            of=len(t),
            degrees_of_freedom=freedom,
            dependent=dependent,
        )
        assert found.lower > 0 or found.upper < 0


def test_false_coverage_uses_the_quantile_of_the_share_picked() -> None:
    # Benjamini & Yekutieli (2005): 3 of 10 picked at q = 0.05: intervals at 1 - 0.015; scipy.stats.norm.isf(0.0075)
    three = false_coverage(0.0, -1.9599640, 1.9599640, selected=3, of=10)
    assert three.upper == pytest.approx(2.4323790, abs=1e-6)
    # 1 of 5 picked, 12 degrees of freedom: a table of t at 0.995 and 0.975 says 3.055 and 2.179
    small = false_coverage(1.0, 0.0, 3.0, selected=1, of=5, degrees_of_freedom=12)
    ratio = 3.055 / 2.179
    assert (small.lower, small.upper) == pytest.approx((1 - ratio, 1 + 2 * ratio), abs=1e-3)
    everything = false_coverage(1.0, 0.0, 3.0, selected=4, of=4)
    assert (everything.lower, everything.upper) == pytest.approx((0.0, 3.0))
    dependent = false_coverage(0.0, -1.9599640, 1.9599640, selected=4, of=4, dependent=True)
    assert dependent.upper == pytest.approx(stats.norm.isf(0.025 / harmonic(4)), abs=1e-6)
    assert harmonic(4) == pytest.approx(25 / 12)


def test_picked_intervals_miss_in_at_most_5_percent_and_plain_ones_in_many_more() -> None:
    # 2,000 reports of 20 effects, 4 of them real (2.5 standard errors); share missed among the picked, 0 where none.
    z = np.random.default_rng(5).normal(size=(2_000, 20))
    truth = np.repeat([2.5, 0.0], [4, 16])
    missed, missed_plain = [], []
    for row in z + truth:
        adjusted = np.array(benjamini_hochberg([float(p) for p in 2 * stats.norm.sf(np.abs(row))]))
        picked = np.flatnonzero(adjusted <= 0.05)
        found = [
            false_coverage(row[i], row[i] - 1.959964, row[i] + 1.959964, selected=len(picked), of=20) for i in picked
        ]
        away = [not f.lower <= truth[i] <= f.upper for i, f in zip(picked, found, strict=True)]
        missed.append(np.mean(away) if away else 0.0)
        missed_plain.append(np.mean(np.abs(row - truth)[picked] > 1.959964) if away else 0.0)
    assert np.mean(missed) <= 0.05 + 2.6 * np.std(missed) / math.sqrt(2_000)
    assert np.mean(missed_plain) > 0.08


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: holm([0.2, 1.2]),
            "a p-value is 1.2; it has to lie between 0 and 1, or be NaN where it was withheld.",
        ),
        (
            lambda: false_coverage(1.0, 0.0, 2.0, selected=3, of=2),
            "selected is 3 of 2; an interval is for one of those picked, and no more can be picked than were asked.",
        ),
    ],
)
def test_impossible_questions_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        call()
    assert str(refused.value) == message


def test_a_withheld_effect_has_no_limits() -> None:
    found = false_coverage(math.nan, math.nan, math.nan, selected=1, of=3)
    assert (found.lower, found.upper) == (-math.inf, math.inf)
