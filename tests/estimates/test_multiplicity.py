"""Simultaneous intervals: Bonferroni's quantiles, and how often a quiet world is called moved."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from smarketing.estimates.multiplicity import simultaneous


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
