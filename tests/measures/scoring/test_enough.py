"""Fit, pool or refuse: decided before anything is fitted, from leads, events and parameters."""

from __future__ import annotations

import numpy as np

from smarketing.estimates.sample_size import minimum_sample
from smarketing.measures.scoring.enough import enough


def decision(n: int, rate: float, *, full: int = 120, pooled: int = 40) -> str:
    outcome = (np.arange(n) < round(n * rate)).astype(np.int8)
    return enough(outcome, np.ones(n), full=full, pooled=pooled).decision


def test_leads_decide_between_full_pooled_and_none() -> None:
    needed = [minimum_sample(p, prevalence=0.1).n for p in (120, 40)]
    assert needed[0] > needed[1] > 1_000
    assert decision(needed[0] + 10, 0.1) == "fit"
    assert decision(needed[1] + 10, 0.1) == "pool"
    assert decision(needed[1] - 50, 0.1) == "refuse"


def test_too_few_of_either_kind_refuse_whatever_the_number() -> None:
    assert decision(1_000_000, 0.000_01) == "refuse"
    assert decision(1_000_000, 0.999_99) == "refuse"


def test_weights_count_for_what_they_are_worth() -> None:
    outcome = np.tile(np.array([1, 0, 0, 0], dtype=np.int8), 1_000)
    weight = np.where(np.arange(4_000) < 2_000, 1.0, 0.0)
    assert enough(outcome, weight, full=20, pooled=5).n == 2_000
    uneven = np.where(np.arange(4_000) % 2 == 0, 3.0, 1.0)
    # (sum w)^2 / sum w^2 = (8,000)^2 / 20,000
    assert enough(outcome, uneven, full=20, pooled=5).n == 3_200
