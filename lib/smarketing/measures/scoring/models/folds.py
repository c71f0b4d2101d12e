"""Folds that keep accounts together, and what a model has to be given to learn at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from smarketing.estimates.calibration import logistic_map
from smarketing.measures.scoring.leads.sample import Feature
from smarketing.measures.scoring.models.threads import one_thread

Model = TypeVar("Model")

FOLDS = 5
FEWEST_ROWS = 30
FEWEST_EXPECTED = 5
"""A bin or leaf holds rows enough to expect this many leads with the outcome, and as many without."""
COPIES = 40
MOST_SHUFFLES = 5
"""Shuffled copies of features that one without effect has to beat to be a reason, and models fitted for it at most."""
CERTAIN = 1.96
"""Standard errors by which the less simple of two models has to be better."""
FEWEST_CLUSTERS = 10
"""Accounts with the outcome, and without it, below which nothing is fitted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned(Generic[Model]):
    """A model of which nobody has asked yet which features move it beyond chance: that takes fits of its own.

    ``model`` has no ``beyond_chance``; ``spreads_beside`` and the others are what `beyond_shuffled` asks for.
    """

    model: Model
    spreads_beside: Callable[[np.ndarray], np.ndarray]
    known: np.ndarray
    varying: int
    seed: int

    @one_thread
    def explained(self) -> Model:
        """Return the model with the features that may be reasons."""
        model: Any = self.model
        matter = beyond_shuffled(self.spreads_beside, self.known, self.varying, seed=self.seed)
        named = tuple(role.name for role, matters in zip(model.roles, matter, strict=True) if matters)
        explained: Model = replace(model, beyond_chance=named)
        return explained


def grouped_folds(cluster: np.ndarray, outcome: np.ndarray, *, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """Return each row's fold, 0 to folds - 1: whole accounts, alike in outcomes and rows.

    Accounts are dealt out in order of their outcomes and rows, ties in an order drawn from ``seed``.
    """
    _, codes = np.unique(cluster, return_inverse=True)
    size = np.bincount(codes)
    events = np.bincount(codes, weights=outcome)
    chance = np.random.default_rng(seed).permutation(len(size))
    order = np.lexsort((chance, -size, -events))
    of_cluster = np.empty(len(size), dtype=np.int64)
    # There and back: dealt in one direction only, the first fold would always get the larger accounts.
    lap = np.arange(len(size)) // folds % 2
    place = np.arange(len(size)) % folds
    of_cluster[order] = np.where(lap == 0, place, folds - 1 - place)
    return of_cluster[codes]


def beyond_shuffled(
    spreads_beside: Callable[[np.ndarray], np.ndarray], known: np.ndarray, varying: int, *, seed: int
) -> np.ndarray:
    """Return which features move log-odds more than any copy of a feature does that was shuffled.

    ``spreads_beside`` fits a model to the features and to copies of theirs whose rows are brought into another order,
    and returns how much each moves the log-odds, the copies last. Features and copies compete in one model, so that a
    feature without effect is like a copy; it has to win in as many orders as make `COPIES` copies of the ``varying``
    features, so it is named with a probability of about 1 in that many at most. Rows of known label are shuffled among
    themselves, all features alike: copies keep their relations to each other.

    References
    ----------
    Kursa and Rudnicki (2010), Feature selection with the Boruta package (shadow features).
    """
    rng = np.random.default_rng(seed)
    winners = None
    for _ in range(min(MOST_SHUFFLES, -(-COPIES // max(varying, 1)))):
        order = np.arange(len(known))
        order[known] = rng.permutation(np.flatnonzero(known))
        own, copies = np.split(spreads_beside(order), 2)
        won = own > copies.max()
        winners = won if winners is None else winners & won
    assert winners is not None
    return winners


def fewest_rows(outcome: np.ndarray, weight: np.ndarray) -> int:
    """Return how many leads a bin or leaf has to hold: 30, or more where the base rate is far from a half."""
    rate = float(np.average(outcome, weights=weight))
    return max(FEWEST_ROWS, math.ceil(FEWEST_EXPECTED / min(rate, 1 - rate)))


def mapped_across(raw: np.ndarray, outcome: np.ndarray, weight: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return calibrated out-of-fold probabilities: each fold's raw log-odds by the map fitted on those of the others.

    A map fitted on the same rows would make their calibration right by construction, and nothing could be read from it.
    """
    found = np.zeros(len(raw))
    for fold in np.unique(folds):
        others, mine = folds != fold, folds == fold
        found[mine] = logistic_map(raw[others], outcome[others], weight[others]).probability(raw[mine])
    return found


def log_loss(log_odds: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return each row's loss -log(probability of what happened)."""
    return np.logaddexp(0.0, np.where(outcome > 0, -log_odds, log_odds))


@dataclass(frozen=True, kw_only=True)
class Gain:
    """By how much one model's loss is lower than another's in the weighted mean, and the error of that.

    ``standard_error`` knows that leads share accounts; infinite with fewer than two of them.
    """

    difference: float
    standard_error: float

    @property
    def certain(self) -> bool:
        """Whether it is above 0 by more than chance."""
        return self.difference > CERTAIN * self.standard_error


def loss_gain(first: np.ndarray, second: np.ndarray, weight: np.ndarray, cluster: np.ndarray) -> Gain:
    """Return by how much the second of two lists of losses is lower; rows of weight 0 do not count.

    Notes
    -----
    The standard error is that of a weighted mean, linearised, with sums of influence by account and G / (G - 1).
    """
    known = weight > 0
    gain, share = (first - second)[known], weight[known] / weight.sum()
    difference = float(share @ gain)
    _, account = np.unique(cluster[known], return_inverse=True)
    influence = np.bincount(account, weights=share * (gain - difference))
    accounts = len(influence)
    error = math.sqrt(accounts / (accounts - 1) * float(influence @ influence)) if accounts > 1 else math.inf
    return Gain(difference=difference, standard_error=error)


def check_training(
    features: pd.DataFrame, roles: tuple[Feature, ...], outcome: np.ndarray, weight: np.ndarray, cluster: np.ndarray
) -> None:
    """Refuse to learn from what cannot teach.

    Raises
    ------
    ValueError
        If lengths differ, an outcome is neither 0 nor 1, a weight is negative or not finite, or fewer than
        `FEWEST_CLUSTERS` accounts of known label have the outcome, or lack it.
    """
    lengths = {len(features), len(outcome), len(weight), len(cluster)}
    if len(lengths) > 1:
        raise ValueError(
            f"features, outcome, weight and cluster have {len(features)}, {len(outcome)}, {len(weight)} and "
            f"{len(cluster)} rows. Give one of each a lead."
        )
    if not roles:
        raise ValueError("there is no feature to learn from. Give at least one.")
    if not np.isin(outcome, (0, 1)).all():
        raise ValueError(f"outcomes are {sorted(set(np.unique(outcome).tolist()))[:5]}; they have to be 0 or 1.")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("a weight is negative or not a finite number. Use 0 for leads whose label is not known.")
    with_it = len(np.unique(cluster[(outcome == 1) & (weight > 0)]))
    without = len(np.unique(cluster[(outcome == 0) & (weight > 0)]))
    if min(with_it, without) < FEWEST_CLUSTERS:
        raise ValueError(
            f"{with_it} accounts have the outcome and {without} lack it; a model needs {FEWEST_CLUSTERS} of each. "
            "Wait for more leads to mature, or pool segments."
        )
