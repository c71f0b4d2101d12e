"""Intervals by drawing whole accounts again and again: for measures without a formula whose rows share accounts.

A draw does not copy rows: it says how often each row counts, and measures take that as a weight (`ranking.Ranking`,
`calibration.brier_skill`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smarketing.estimates.rates import check_confidence
from smarketing.estimates.scored import FloatArray


@dataclass(frozen=True)
class Interval:
    """The limits between which the middle of the draws lies.

    ``draws`` is how many draws there were, ``undefined`` in how many the measure was not defined. Those could be
    anything, so they count as below the lower limit and above the upper one: a limit is infinite where they decide it.
    """

    lower: float
    upper: float
    draws: int
    undefined: int


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """A measure of all rows with its clustered percentile interval; unbounded with fewer than two clusters.

    ``standard_error`` is the standard deviation over the draws in which the measure was defined.
    """

    value: float
    lower: float
    upper: float
    standard_error: float
    clusters: int
    draws: int
    undefined: int


def clustered_weights(cluster: npt.ArrayLike, *, draws: int, seed: int) -> Iterator[FloatArray]:
    """Yield, for each draw of as many clusters as there are, with replacement, how often each row counts.

    Parameters
    ----------
    cluster
        The cluster (account) of each row, as numbers or text.
    draws
        How many draws.
    seed
        A whole number, 0 or more. A draw depends on the seed, its own number and the set of clusters only: not on the
        order of rows, nor on which draws were made before it.

    Notes
    -----
    Field & Welsh (2007), Journal of the Royal Statistical Society B 69:369-390, the cluster bootstrap. Counts of a
    draw are multinomial over clusters.
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}; at least one is needed, and about 200 for an interval.")
    clusters, position = np.unique(np.asarray(cluster), return_inverse=True)
    return _weights(len(clusters), position, draws, seed)


def _weights(clusters: int, position: npt.NDArray[np.intp], draws: int, seed: int) -> Iterator[FloatArray]:
    for draw in range(draws):
        drawn = np.random.default_rng([seed, draw]).integers(0, max(clusters, 1), clusters)
        yield np.bincount(drawn, minlength=clusters).astype(np.float64)[position]


def percentile_interval(values: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the percentile interval of a measure's values over draws.

    Parameters
    ----------
    values
        One value a draw; NaN where the measure was not defined in the draw.
    level
        Two-sided level, 0.95 for a 95 % interval.

    Notes
    -----
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13. With B draws a limit is the order statistic
    of rank (B + 1) (1 - level) / 2, interpolated; with fewer draws than that rank needs, the limits are infinite.
    """
    check_confidence(level)
    drawn = np.asarray(values, dtype=np.float64)
    undefined = np.isnan(drawn)
    tail = (1 - level) / 2
    lower = _order_statistic(np.sort(np.where(undefined, -np.inf, drawn)), tail)
    upper = -_order_statistic(np.sort(np.where(undefined, -np.inf, -drawn)), tail)
    return Interval(lower, upper, len(drawn), int(undefined.sum()))


def clustered_interval(
    measure: Callable[[FloatArray], float],
    cluster: npt.ArrayLike,
    *,
    draws: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> Resampled:
    """Return a measure of all rows with its clustered percentile interval.

    Parameters
    ----------
    measure
        Takes how often each row counts and returns the measure, NaN where it is not defined.
    cluster, draws, seed
        As `clustered_weights`.
    level
        As `percentile_interval`.

    Returns
    -------
    Resampled
        With fewer than two clusters nothing is known about how they vary: limits are infinite.
    """
    codes = np.asarray(cluster)
    clusters = len(np.unique(codes))
    value = float(measure(np.ones(len(codes))))
    if clusters < 2:
        return Resampled(
            value=value,
            lower=-math.inf,
            upper=math.inf,
            standard_error=math.nan,
            clusters=clusters,
            draws=0,
            undefined=0,
        )
    drawn = np.array([measure(times) for times in clustered_weights(codes, draws=draws, seed=seed)])
    interval = percentile_interval(drawn, level=level)
    defined = drawn[~np.isnan(drawn)]
    return Resampled(
        value=value,
        lower=interval.lower,
        upper=interval.upper,
        standard_error=float(defined.std(ddof=1)) if len(defined) > 1 else math.nan,
        clusters=clusters,
        draws=draws,
        undefined=interval.undefined,
    )


def _order_statistic(ascending: FloatArray, tail: float) -> float:
    # (B + 1) x tail may be one rounding away from a whole rank.
    rank = round((len(ascending) + 1) * tail, 9)
    below = math.floor(rank)
    if below < 1 or math.isinf(ascending[below - 1]):
        return -math.inf
    if below >= len(ascending):
        return float(ascending[-1])
    return float(ascending[below - 1] + (rank - below) * (ascending[below] - ascending[below - 1]))
