"""Companies whose leads share accounts, with a score of known quality, to see whether intervals cover the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from smarketing.estimates.bootstrap import clustered_interval
from smarketing.estimates.calibration import brier_skill
from smarketing.estimates.ranking import auc, rank

# How much the log-odds vary between accounts by what the score knows, between leads by what it knows, and between
# accounts by what it does not know. The last is what makes leads of an account alike beyond their scores.
KNOWN_ACCOUNT, KNOWN_LEAD, UNKNOWN_ACCOUNT, BASE = 1.2, 0.3, 1.2, -1.5

SCORES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"auc": auc, "brier skill": brier_skill}


def company(rng: np.random.Generator, accounts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accounts of 1 to 20 leads: cluster, probability given by the score, outcome."""
    size = np.minimum(rng.geometric(0.15, accounts), 20)
    cluster = np.repeat(np.arange(accounts), size)
    known = BASE + rng.normal(0, KNOWN_ACCOUNT, accounts)[cluster] + rng.normal(0, KNOWN_LEAD, len(cluster))
    true = 1 / (1 + np.exp(-known - rng.normal(0, UNKNOWN_ACCOUNT, accounts)[cluster]))
    return cluster, 1 / (1 + np.exp(-known)), (rng.random(len(cluster)) < true).astype(float)


def truth(measure: str) -> float:
    """The measure in a population of a million leads."""
    _, probability, outcome = company(np.random.default_rng(0), 160_000)
    return SCORES[measure](probability, outcome)


def coverage(measure: str, *, accounts: int, companies: int, draws: int) -> tuple[float, float]:
    """Share of companies whose 95 % interval covers the truth when accounts are drawn, and when leads are."""
    true, covered = truth(measure), np.zeros((companies, 2))
    for number in range(companies):
        cluster, probability, outcome = company(np.random.default_rng([17, number]), accounts)
        if measure == "auc":
            of = rank(probability, outcome).auc
        else:

            def of(times: np.ndarray, p: np.ndarray = probability, y: np.ndarray = outcome) -> float:
                return brier_skill(p, y, times)

        for way, unit in enumerate((cluster, np.arange(len(cluster)))):
            found = clustered_interval(of, unit, draws=draws, seed=number)
            covered[number, way] = found.lower <= true <= found.upper
    return float(covered[:, 0].mean()), float(covered[:, 1].mean())
