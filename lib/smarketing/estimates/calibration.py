"""Do probabilities mean what they say? Brier skill, calibration line, bins; and the map that mends them.

All measures take weights (IPCW, or how often a bootstrap counts a row) and leave rows of weight 0 out. A sample with
one class only has no skill, line or map: NaN, without a warning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from smarketing.estimates.clusters import share
from smarketing.estimates.logistic import intercept_of, line_of
from smarketing.estimates.rates import check_confidence
from smarketing.estimates.scored import FloatArray, Scored, cluster_sums, quantile_bins, scored

FURTHEST = 30.0
"""Log-odds beyond this are taken as this: a probability within 1e-13 of 0 or 1 has no finite log-odds to speak of."""


@dataclass(frozen=True)
class CalibrationLine:
    """How log-odds that were predicted relate to what happened; 0 and 1 are perfect.

    Attributes
    ----------
    intercept
        Log-odds by which predictions are too low on average (above 0) or too high, the slope held at 1
        (calibration in the large).
    slope
        Below 1 predictions are too extreme, above 1 too timid; from a fit with its own intercept. NaN where all
        predictions are equal, or one class lies wholly above the other, so that no finite slope fits best.
    """

    intercept: float
    slope: float


@dataclass(frozen=True)
class LogisticMap:
    """Log-odds to calibrated log-odds: intercept + slope x log-odds, slope 0 or more."""

    intercept: float
    slope: float

    def log_odds(self, log_odds: npt.ArrayLike) -> FloatArray:
        """Return calibrated log-odds."""
        mapped: FloatArray = self.intercept + self.slope * np.asarray(log_odds, dtype=np.float64)
        return mapped

    def probability(self, log_odds: npt.ArrayLike) -> FloatArray:
        """Return calibrated probabilities, 0 to 1."""
        mapped: FloatArray = expit(self.log_odds(log_odds))
        return mapped


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Rows of similar probability: what was predicted on average, and the rate that was observed with its interval.

    ``n`` is the number of rows that count, ``weight`` the sum of their weights.
    """

    mean_probability: float
    rate: float
    lower: float
    upper: float
    n: int
    weight: float


def brier_skill(probability: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Return the share of the Brier score of always saying the base rate that the predictions save; 1 is perfect.

    Parameters
    ----------
    probability
        Predicted, 0 to 1.
    outcome, weight
        As `scored.scored`. The base rate is the weighted one of these rows, so that a prediction cannot gain from
        knowing it: 0 or less is no skill.

    Returns
    -------
    float
        NaN with one class only.

    Notes
    -----
    Brier (1950), Monthly Weather Review 78:1-3; skill as in Murphy (1973), Journal of Applied Meteorology 12:595-600.
    """
    rows = _probabilities(probability, outcome, weight)
    if _one_class(rows):
        return math.nan
    total = rows.weight.sum()
    rate = (rows.weight * rows.outcome).sum() / total
    error = (rows.weight * (rows.score - rows.outcome) ** 2).sum() / total
    return float(1 - error / (rate * (1 - rate)))


def calibration_line(
    probability: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> CalibrationLine:
    """Return calibration in the large and the calibration slope.

    Parameters
    ----------
    probability
        Predicted, 0 to 1; log-odds are cut at +-30.
    outcome, weight
        As `scored.scored`.

    Notes
    -----
    Cox (1958), Biometrika 45:562-565; Van Calster et al. (2019), BMC Medicine 17:230. Maximum likelihood by Newton
    steps that are cut until they gain, so that none diverges.
    """
    rows = _probabilities(probability, outcome, weight)
    return CalibrationLine(_intercept(rows), _slope(rows))


def calibration_intercept(
    probability: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> float:
    """Return the intercept of `calibration_line` alone, which is half the work where draws ask for one only."""
    return _intercept(_probabilities(probability, outcome, weight))


def calibration_slope(probability: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> float:
    """Return the slope of `calibration_line` alone."""
    return _slope(_probabilities(probability, outcome, weight))


def logistic_map(log_odds: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> LogisticMap:
    """Fit the one logistic map that calibrates log-odds, so that contributions to them stay additive.

    Parameters
    ----------
    log_odds
        Of rows the model was not fitted on; cut at +-30 for the fit.
    outcome, weight
        As `scored.scored`.

    Returns
    -------
    LogisticMap
        A slope below 0 would turn the ranking over: it becomes 0, with the base rate's log-odds as the intercept, as
        for log-odds that are all equal. NaN with one class only. Where one class lies wholly above the other, outcomes
        are drawn in a little (Platt's targets), which keeps the map finite.

    Notes
    -----
    Platt (2000), Advances in Large Margin Classifiers, 61-74; logistic recalibration as in Steyerberg et al. (2004),
    Statistics in Medicine 23:2567-2586.
    """
    rows = scored(log_odds, outcome, weight)
    if _one_class(rows):
        return LogisticMap(math.nan, math.nan)
    x = np.clip(rows.score, -FURTHEST, FURTHEST)
    target = rows.outcome
    if _separated(x, target):
        positives, negatives = (rows.weight * target).sum(), (rows.weight * (1 - target)).sum()
        target = np.where(target == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    intercept, slope = line_of(x, target, rows.weight) if np.ptp(x) > 0 else (0.0, 0.0)
    if slope <= 0:
        rate = (rows.weight * rows.outcome).sum() / rows.weight.sum()
        return LogisticMap(math.log(rate) - math.log1p(-rate), 0.0)
    return LogisticMap(intercept, slope)


def calibration_bins(
    probability: npt.ArrayLike,
    outcome: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    cluster: npt.ArrayLike | None = None,
    bins: int = 10,
    confidence: float = 0.95,
) -> tuple[CalibrationBin, ...]:
    """Return observed rates in bins of about equal weight, lowest probabilities first; the last bin is the top one.

    Parameters
    ----------
    probability, outcome, weight
        As `brier_skill`. Equal probabilities share a bin, so there may be fewer bins than asked for.
    cluster
        The account of each row; None where rows are independent.
    bins
        How many bins.
    confidence
        Two-sided level of each interval.

    Notes
    -----
    Intervals are those of `clusters.share`: linearised variance over accounts, Wilson's on effective accounts where a
    bin has one class only, 0 to 1 with fewer than two effective accounts.
    """
    check_confidence(confidence)
    rows = _probabilities(probability, outcome, weight)
    accounts = np.arange(rows.rows) if cluster is None else np.asarray(cluster)
    if accounts.shape != (rows.rows,):
        raise ValueError(f"clusters have the shape {accounts.shape} and there are {rows.rows} rows; give one a row.")
    bin_of = quantile_bins(rows.score, rows.weight, bins)
    found = []
    for number in range(int(bin_of.max()) + 1 if len(bin_of) else 0):
        inside = np.flatnonzero(bin_of == number)
        w, y = rows.weight[inside], rows.outcome[inside]
        rate = share(cluster_sums(accounts[rows.kept[inside]], w, y), confidence=confidence)
        found.append(
            CalibrationBin(
                mean_probability=float((w * rows.score[inside]).sum() / w.sum()),
                rate=rate.value,
                lower=rate.lower,
                upper=rate.upper,
                n=len(inside),
                weight=float(w.sum()),
            )
        )
    return tuple(found)


def _probabilities(probability: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike | None) -> Scored:
    rows = scored(probability, outcome, weight)
    if len(rows.score) and not (rows.score.min() >= 0 and rows.score.max() <= 1):
        raise ValueError(
            f"probabilities go from {rows.score.min()} to {rows.score.max()}; they have to lie between 0 and 1."
        )
    return rows


def _intercept(rows: Scored) -> float:
    return math.nan if _one_class(rows) else intercept_of(_log_odds(rows), rows.outcome, rows.weight)


def _slope(rows: Scored) -> float:
    if _one_class(rows):
        return math.nan
    x = _log_odds(rows)
    return math.nan if _separated(x, rows.outcome) else line_of(x, rows.outcome, rows.weight)[1]


def _log_odds(rows: Scored) -> FloatArray:
    x = np.log(np.maximum(rows.score, 1e-300)) - np.log(np.maximum(1 - rows.score, 1e-300))
    return np.clip(x, -FURTHEST, FURTHEST)


def _one_class(rows: Scored) -> bool:
    return not len(rows.outcome) or bool(rows.outcome.min() == rows.outcome.max())


def _separated(x: FloatArray, outcome: FloatArray) -> bool:
    """Whether no finite slope fits best: the classes' values do not overlap (or all are equal)."""
    low, high = x[outcome == 0], x[outcome == 1]
    return bool(low.max() <= high.min() or high.max() <= low.min())
