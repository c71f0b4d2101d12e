"""The intervals that a study prints cover what a fixed score is truly worth on later leads; by leads alone they do not.

200 companies of `coverage_worlds` (400 accounts of 1 to 20 leads that are alike beyond what the score knows), judged by
`validity.judge` with 200 draws, seeds [29, 0] to [29, 199]. The truth is that of 160,000 accounts. Nominal within 2.6
Monte Carlo errors; "by leads alone" is the same with each lead as an account of its own.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from coverage_worlds import company
from scoring_worlds import definitions
from smarketing.estimates.calibration import brier_skill, calibration_line
from smarketing.estimates.ranking import auc
from smarketing.measures.scoring.worth.validity import Leads, judge

COMPANIES, DRAWS = 200, 200

pytestmark = [pytest.mark.validate, pytest.mark.timeout(7_200)]


def later(outcome: np.ndarray, cluster: np.ndarray) -> Leads:
    """Leads that a score is judged on; 13 weeks, a fifth of them can be worked."""
    week = np.random.default_rng(0).integers(0, 13, len(outcome))
    return Leads(
        what="later leads",
        outcome=outcome,
        weight=np.ones(len(outcome)),
        cluster=cluster,
        week=week,
        capacity=len(outcome) / 13 / 5,
    )


def truths() -> dict[str, float]:
    """What the score is worth in a population of a million leads."""
    _, probability, outcome = company(np.random.default_rng(0), 160_000)
    line = calibration_line(probability, outcome)
    return {
        "auc": auc(probability, outcome),
        "brier_skill": brier_skill(probability, outcome),
        "calibration_intercept": line.intercept,
        "calibration_slope": line.slope,
    }


def test_intervals_of_a_fixed_score_cover_its_worth() -> None:
    true, evidence = truths(), definitions().evidence
    covered, alone = defaultdict[str, int](int), defaultdict[str, int](int)
    for number in range(COMPANIES):
        cluster, probability, outcome = company(np.random.default_rng([29, number]), 400)
        for counts, unit in ((covered, cluster), (alone, np.arange(len(cluster)))):
            options = {"probabilities": ("score",), "evidence": evidence, "draws": DRAWS, "seed": number}
            found = judge(later(outcome, unit), {"score": probability}, **options)["score"]  # type: ignore[arg-type]
            for name, value in true.items():
                measured = found.measure(name)
                counts[name] += measured.lower <= value <= measured.upper
    error = math.sqrt(0.95 * 0.05 / COMPANIES)
    for name, value in true.items():
        print(f"{name} {value:.4f}: {covered[name] / COMPANIES:.3f} covered, {alone[name] / COMPANIES:.3f} by leads")
    for name in true:
        assert abs(covered[name] / COMPANIES - 0.95) < 2.6 * error, name
        assert alone[name] < covered[name] - 2.6 * error * COMPANIES, name
