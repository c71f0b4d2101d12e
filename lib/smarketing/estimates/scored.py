"""Rows with a score and an outcome: what `ranking`, `calibration` and `uplift` all ask of their input.

A row is one subject (a lead) with a score or probability, what became of it (0 or 1, an amount where said), and a
weight. Weight 0 means that the outcome is not known: such a row is left out before anything else is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smarketing.estimates.clusters import ClusterSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scored:
    """The rows that count; ``kept`` are their positions among all rows that were given."""

    score: FloatArray
    outcome: FloatArray
    weight: FloatArray
    kept: IntArray
    rows: int

    def weight_of(self, times: npt.ArrayLike | None) -> FloatArray:
        """Return the weights of the rows that count when each given row counts ``times`` (None: once)."""
        if times is None:
            return self.weight
        counted = np.asarray(times, dtype=np.float64)
        if counted.shape != (self.rows,):
            raise ValueError(
                f"times has the shape {counted.shape} and there are {self.rows} rows; give one number a row."
            )
        return self.weight * counted[self.kept]


def scored(
    score: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None = None, *, amounts: bool = False
) -> Scored:
    """Check scored rows and leave out those of weight 0.

    Parameters
    ----------
    score
        Higher means earlier in line; any finite or infinite number.
    outcome
        0 or 1; with ``amounts`` any finite number.
    weight
        0 or more, None for 1 a row. A score or an outcome of a row of weight 0 may be missing.

    Raises
    ------
    ValueError
        If lengths differ, a weight is negative or missing, or a row that counts has no score or an impossible outcome.
    """
    scores, outcomes = np.asarray(score, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    weights = np.ones(scores.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    if scores.ndim != 1 or not scores.shape == outcomes.shape == weights.shape:
        raise ValueError(
            f"scores, outcomes and weights have the shapes {scores.shape}, {outcomes.shape} and {weights.shape}; "
            "give one of each a row."
        )
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("a weight is negative, infinite or missing; use 0 where an outcome is not known.")
    kept = np.flatnonzero(weights > 0)
    scores, outcomes, weights = scores[kept], outcomes[kept], weights[kept]
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} rows that count have no score; score them or give weight 0.")
    if amounts and not np.isfinite(outcomes).all():
        raise ValueError("an outcome is infinite or missing; give weight 0 where it is not known.")
    if not amounts and not ((outcomes == 0) | (outcomes == 1)).all():
        raise ValueError("an outcome is neither 0 nor 1; give weight 0 where it is not known.")
    return Scored(scores, outcomes, weights, kept, int(np.size(score)))


def quantile_bins(score: FloatArray, weight: FloatArray, bins: int) -> IntArray:
    """Return the bin of each row, 0 for the lowest scores: ``bins`` parts of about equal weight.

    Rows of equal score share a bin, the one in which the middle of their weight lies; so bins may be uneven, and fewer
    than asked for. Bins are numbered without gaps.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; at least one is needed.")
    if not len(score):
        return np.zeros(0, dtype=np.int64)
    _, position = np.unique(score, return_inverse=True)
    of_value = np.bincount(position, weight)
    middle = (np.cumsum(of_value) - of_value / 2) / of_value.sum()
    # Rounding away the last digits keeps the bins the same whatever the order in which weights were added.
    wanted = np.minimum((np.round(middle, 9) * bins).astype(np.int64), bins - 1)
    return np.unique(wanted, return_inverse=True)[1].astype(np.int64)[position]


def cluster_sums(cluster: npt.NDArray[np.generic], weight: FloatArray, outcome: FloatArray) -> ClusterSums:
    """Add weighted outcomes up by cluster, for `clusters.share` and `clusters.ratio`."""
    names, code = np.unique(cluster, return_inverse=True)
    n, y = np.bincount(code, weight, len(names)), np.bincount(code, weight * outcome, len(names))
    return ClusterSums(
        clusters=len(names),
        sum_n=float(n.sum()),
        sum_n2=float((n * n).sum()),
        sum_y=float(y.sum()),
        sum_y2=float((y * y).sum()),
        sum_ny=float((n * y).sum()),
    )
