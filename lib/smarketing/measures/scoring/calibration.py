"""One logistic map from a model's raw log-odds to calibrated ones: reasons and SQL stay exact under it.

Isotonic and averaged calibrators do not add up feature by feature; this one does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

_TINY = 1e-6


@dataclass(frozen=True, kw_only=True)
class LogisticMap:
    """Calibrated log-odds = intercept + slope * raw log-odds."""

    intercept: float
    slope: float

    def log_odds(self, raw: np.ndarray) -> np.ndarray:
        """Return calibrated log-odds."""
        return self.intercept + self.slope * raw


def fit_map(raw: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> LogisticMap:
    """Fit the map by maximum likelihood (Newton) on rows that the model did not learn from.

    ``raw`` are log-odds, ``outcome`` 0 or 1, ``weight`` at least 0 (rows of weight 0 are left out). A slope below 0
    would turn the score round: raw log-odds that rank the wrong way are worth nothing, so the slope is then 0 and every
    lead gets the base rate. A ridge of 1e-6 keeps perfectly separated rows finite.

    Notes
    -----
    Platt (1999), Probabilistic outputs for support vector machines, without his smoothed targets.
    """
    known = weight > 0
    raw, outcome, weight = raw[known], outcome[known].astype(float), weight[known]
    rate = float(np.average(outcome, weights=weight))
    centre = float(np.average(raw, weights=weight))
    design = np.column_stack([np.ones_like(raw), raw - centre])
    found = np.array([np.log(rate / (1 - rate)), 0.0])
    for _ in range(100):
        p = expit(design @ found)
        slope = design.T @ (weight * (outcome - p)) - _TINY * found
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + _TINY * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        found = found + step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < 1e-12:
            break
    if found[1] <= 0:
        return LogisticMap(intercept=round(float(np.log(rate / (1 - rate))), 9), slope=0.0)
    # The last digits depend on how many threads added up.
    return LogisticMap(intercept=round(float(found[0] - found[1] * centre), 9), slope=round(float(found[1]), 9))
