"""A clean experiment is blocked in at most one of a thousand per question, a broken one nearly always.

20,000 experiments a design, seeds in the code; nominal 0.1 % + 2.6 Monte Carlo standard errors, power beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from smarketing.estimates.sample_ratio import SampleRatio, against_protocol, analysed_against_dealt, over_groups

RUNS = 20_000


def alerts(rows: np.ndarray, ask: Callable[[np.ndarray], SampleRatio]) -> float:
    """Share of runs with an alert; equal counts are asked once."""
    flat, times = np.unique(rows.reshape(len(rows), -1), axis=0, return_counts=True)
    said = [ask(row.reshape(rows.shape[1:])).alert for row in flat]
    return float(np.average(said, weights=times))


def check(name: str, clean: float, broken: float, *, runs: int, power: float) -> None:
    print(f"{name}: blocks {clean:.3%} of clean experiments, {broken:.0%} of broken ones")
    assert clean <= 0.001 + 2.6 * math.sqrt(0.001 * 0.999 / runs)
    assert broken >= power


PROTOCOLS = {
    "50:50, 10,000 leads": (10_000, (1, 1), (0.475, 0.525), 0.95),
    "10:90, 10,000 leads": (10_000, (1, 9), (0.12, 0.88), 0.95),
    "three arms, 3,000 leads": (3_000, (1, 1, 1), (0.28, 0.36, 0.36), 0.95),
    "exact: 24 accounts at 10:90": (24, (1, 9), (0.5, 0.5), 0.90),
    "exact: 14 accounts, three arms": (14, (1, 1, 1), (0.9, 0.05, 0.05), 0.80),
}


@pytest.mark.validate
@pytest.mark.parametrize("name", PROTOCOLS)
def test_dealt_against_protocol(name: str) -> None:
    units, shares, broken, power = PROTOCOLS[name]
    rng = np.random.default_rng(list(PROTOCOLS).index(name))
    clean = rng.multinomial(units, np.array(shares) / sum(shares), RUNS)

    def ask(row: np.ndarray) -> SampleRatio:
        return against_protocol(row, shares)

    check(name, alerts(clean, ask), alerts(rng.multinomial(units, broken, 1_000), ask), runs=RUNS, power=power)


LOSSES = {
    "50:50, 5 % lost": ((2_000, 2_000), 0.05, (0.05, 0.09), 0.9),
    "10:90, 5 % lost": ((500, 4_500), 0.05, (0.12, 0.05), 0.9),
    "exact: 20:20, 10 % lost": ((20, 20), 0.10, (0.7, 0.05), 0.8),
    "exact: three arms of 1,000, one in a thousand lost": ((1_000, 1_000, 1_000), 0.001, (0.02, 0.001, 0.001), 0.9),
}


@pytest.mark.validate
@pytest.mark.parametrize("name", LOSSES)
def test_analysed_against_dealt(name: str) -> None:
    dealt, lost, broken, power = LOSSES[name]
    rng = np.random.default_rng(50 + list(LOSSES).index(name))

    def ask(row: np.ndarray) -> SampleRatio:
        return analysed_against_dealt(row, dealt)

    clean = alerts(rng.binomial(dealt, 1 - lost, (RUNS, len(dealt))), ask)
    off = alerts(rng.binomial(dealt, 1 - np.array(broken), (1_000, len(dealt))), ask)
    check(name, clean, off, runs=RUNS, power=power)


@pytest.mark.validate
@pytest.mark.parametrize("in_order", [True, False])
def test_one_joint_test_over_days_and_one_over_segments(in_order: bool) -> None:
    rng = np.random.default_rng(90)
    runs = 5_000
    sizes = rng.integers(2, 200, 60) if in_order else np.array([3, 8, 20, 60, 400, 900, 2_000])

    def deal(share: np.ndarray, times: int) -> np.ndarray:
        first = rng.binomial(sizes, share, (times, len(sizes)))
        return np.stack([first, sizes - first], axis=2)

    def ask(rows: np.ndarray) -> SampleRatio:
        return over_groups(rows, [1, 9], in_order=in_order)

    quiet = np.full(len(sizes), 0.1)
    # Off upwards in one half, downwards in the other: the totals look right.
    half = len(sizes) // 2 if in_order else len(sizes) - 1
    broken = np.where(np.arange(len(sizes)) < half, 0.14, 0.06)
    name = "60 days of 2 to 200 leads" if in_order else "7 segments of 3 to 2,000 leads"
    check(name, alerts(deal(quiet, runs), ask), alerts(deal(broken, 300), ask), runs=runs, power=0.8)


@pytest.mark.validate
def test_the_chi_square_where_few_are_expected_would_block_too_often() -> None:
    # 60 units at 1:99: the exact test answers where Pearson's tail is far off.
    rng = np.random.default_rng(7)
    first = rng.binomial(60, 0.01, RUNS)
    pearson = (first - 0.6) ** 2 / 0.6 + (first - 0.6) ** 2 / 59.4
    exact = alerts(np.stack([first, 60 - first], axis=1), lambda row: against_protocol(row, [1, 99]))
    print(f"1:99 among 60: exact {exact:.3%}, chi-square {np.mean(pearson > 10.828):.3%}")
    assert exact <= 0.001 + 2.6 * math.sqrt(0.001 * 0.999 / RUNS)
    assert np.mean(pearson > 10.828) > 0.002
