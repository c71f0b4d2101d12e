"""Money, lift and what is caught at a weekly capacity: their intervals cover what the policy brings in the long run.

Companies of 29 weeks with 180 leads on average (Poisson), 60 places a week, accounts of 1.8 leads that are alike beyond
what the score knows; the agreed threshold nearly fills the places, so that weeks matter. Seeds [7, 0] to [7, 199]; the
truth is 12,000 weeks. An interval may be wider than need be here, since draws of accounts make weeks more uneven, but
never too narrow.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit

from scoring_worlds import definitions
from smarketing.measures.scoring.worth.threshold import cost_curve
from smarketing.measures.scoring.worth.validity import Leads, judge

COMPANIES, WEEKS, DRAWS = 200, 29, 200
CAPACITY, AGREED, VALUE, COST = 60.0, 0.15, 7_500.0, 450.0

pytestmark = [pytest.mark.validate, pytest.mark.timeout(7_200)]


def company(rng: np.random.Generator, weeks: int) -> tuple[Leads, np.ndarray]:
    counts = rng.poisson(180, weeks)
    n = int(counts.sum())
    cluster = rng.integers(0, int(n * 0.57), n)
    alike, known = rng.normal(0, 0.5, (2, int(n * 0.57)))
    seen = -2.35 + known[cluster] + rng.normal(0, 0.9, n)
    leads = Leads(
        what="later leads",
        outcome=(rng.random(n) < expit(seen + alike[cluster])).astype(float),
        weight=np.ones(n),
        cluster=cluster,
        week=np.repeat(np.arange(weeks), counts),
        capacity=CAPACITY,
    )
    return leads, expit(0.97 * seen + 0.05)


def found_in(leads: Leads, probability: np.ndarray, *, draws: int, seed: int = 0) -> dict[str, tuple[float, ...]]:
    options = {"draws": draws, "seed": seed}
    curve = cost_curve(leads, probability, agreed=AGREED, value_of_stage=VALUE, cost=COST, **options)
    at, even = curve.at("agreed"), curve.at("break-even")
    judged = judge(leads, {"score": probability}, probabilities=(), evidence=definitions().evidence, **options)["score"]
    return {
        "value at the agreed threshold": (at["value"], at["lower"], at["upper"]),
        "gain of moving it to break-even": (even["gain"], even["gain_lower"], even["gain_upper"]),
    } | {name: (one.value, one.lower, one.upper) for name in ("lift", "captured") for one in (judged.measure(name),)}


def test_intervals_at_capacity_cover() -> None:
    worlds = [found_in(*company(np.random.default_rng([1, part]), 2_000), draws=1) for part in range(6)]
    truth = {name: float(np.mean([world[name][0] for world in worlds])) for name in worlds[0]}
    covered, sure = dict.fromkeys(truth, 0), 0
    for number in range(COMPANIES):
        found = found_in(*company(np.random.default_rng([7, number]), WEEKS), draws=DRAWS, seed=number)
        for name, (_, lower, upper) in found.items():
            covered[name] += lower <= truth[name] <= upper
        sure += found["gain of moving it to break-even"][1] > truth["gain of moving it to break-even"]
    error = math.sqrt(0.95 * 0.05 / COMPANIES)
    for name, times in covered.items():
        print(f"{name} {truth[name]:,.3f}: {times / COMPANIES:.3f} covered")
    assert min(covered.values()) / COMPANIES > 0.95 - 2.6 * error
    # "Clearly better" is said of a lower limit.
    assert sure / COMPANIES < 0.025 + 2.6 * math.sqrt(0.025 * 0.975 / COMPANIES)
