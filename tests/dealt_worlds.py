"""Simulated experiments that were dealt by account: sizes unequal, leads alike within accounts, large accounts better.

Used by quick tests and by the long ones; every world is named by its seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DESIGNS = ("complete", "stratified", "pairs")


@dataclass(frozen=True, eq=False)
class World:
    """One experiment: leads, outcomes and arm of each account, and the block it was dealt in (None: complete)."""

    leads: np.ndarray
    total: np.ndarray
    treated: np.ndarray
    strata: np.ndarray | None
    pairs: np.ndarray | None


def world(
    seed: int, *, accounts: int, design: str, sigma: float = 1.5, effect: float = 0.0, treated_share: float = 0.5
) -> World:
    """Deal one experiment on rates.

    Account sizes are log-normal with median 10 and the given sigma; log-odds of an outcome are -1.5, plus 0.5 for each
    unit of log size, plus a normal account effect with standard deviation 0.6, plus the effect. Strata are quarters
    of size (at least four accounts each), pairs are neighbours in size.
    """
    rng = np.random.default_rng(seed)
    leads = np.ceil(rng.lognormal(np.log(10), sigma, accounts))
    by_size = np.argsort(leads, kind="stable")
    place = np.argsort(by_size)
    strata = pairs = None
    block = np.zeros(accounts, dtype=np.int64)
    if design == "stratified":
        block = strata = place * max(accounts // 4 // max(accounts // 16, 1), 1) // accounts
    elif design == "pairs":
        block = pairs = place // 2
    treated = np.zeros(accounts, dtype=bool)
    for code in np.unique(block):
        members = rng.permutation(np.flatnonzero(block == code))
        treated[members[: max(round(len(members) * treated_share), 1)]] = True
    log_odds = -1.5 + 0.5 * np.log(leads / 10) + 0.6 * rng.standard_normal(accounts) + effect * treated
    total = rng.binomial(leads.astype(int), 1 / (1 + np.exp(-log_odds))).astype(float)
    return World(leads, total, treated, strata, pairs)
