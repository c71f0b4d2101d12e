"""Rates of rows that share accounts, and how far apart the odds of two of them surely are.

Made for rare and one-sided cells (18 of 18, 0 of 700), where a standard error says nothing. Arrays in, numbers out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from smarketing.estimates.rates import check_confidence


@dataclass(frozen=True, kw_only=True)
class ClusteredRate:
    """A weighted rate of rows and how many independent rows would know as much.

    ``value`` is NaN without rows. ``n`` is the number of rows with weight, ``effective`` the independent rows,
    ``effective_clusters`` the equally large accounts, (sum w)^2 / sum w^2 over accounts.
    """

    value: float
    n: int
    effective: float
    effective_clusters: float

    def limits(self, *, confidence: float = 0.95) -> tuple[float, float]:
        """Return the lower and upper limit: Clopper and Pearson's on the effective rows; 0 and 1 without evidence.

        Notes
        -----
        Korn & Graubard (1998), Survey Methodology 24:193-201, with t on the effective accounts less one.
        """
        check_confidence(confidence)
        if math.isnan(self.value) or self.effective_clusters < 2:
            return 0.0, 1.0
        tail = (1 - confidence) / 2
        normal, t = stats.norm.isf(tail), stats.t.isf(tail, self.effective_clusters - 1)
        rows = self.effective * float(normal / t) ** 2
        hits = self.value * rows
        lower = float(stats.beta.ppf(tail, hits, rows - hits + 1)) if self.value > 0 else 0.0
        upper = float(stats.beta.isf(tail, hits + 1, rows - hits)) if self.value < 1 else 1.0
        return lower, upper


@dataclass(frozen=True, kw_only=True)
class OddsRatio:
    """Odds of the first rate over those of the second: ``value`` (0 or infinite where a rate is 0 or 1) and limits."""

    value: float
    lower: float
    upper: float


def clustered_rate(outcome: np.ndarray, weight: np.ndarray, cluster: np.ndarray) -> ClusteredRate:
    """Estimate a rate from rows that share accounts.

    Parameters
    ----------
    outcome
        1 or True where the row has it, a row a lead.
    weight
        Not negative; rows of weight 0 are left out.
    cluster
        Whole numbers that name the account of each row.

    Returns
    -------
    ClusteredRate
        The effective rows are p (1 - p) over the linearised variance by account, at most Kish's (sum w)^2 / sum w^2.
        A rate of exactly 0 or 1 says nothing about how alike an account's rows are: then the effective accounts, as
        though all rows of an account were alike.
    """
    used = weight > 0
    n = int(used.sum())
    if n == 0:
        return ClusteredRate(value=math.nan, n=0, effective=0.0, effective_clusters=0.0)
    w, y = weight[used].astype(float), outcome[used].astype(float)
    _, account = np.unique(cluster[used], return_inverse=True)
    total = float(w.sum())
    value = min(float(w @ y) / total, 1.0)
    size = np.bincount(account, w)
    clusters = len(size)
    effective_clusters = total**2 / float(size @ size)
    rows = total**2 / float(w @ w)
    if y.min() == y.max():
        return ClusteredRate(
            value=float(y[0]), n=n, effective=effective_clusters, effective_clusters=effective_clusters
        )
    influence = np.bincount(account, w * (y - value)) / total
    variance = float(influence @ influence) * clusters / max(clusters - 1, 1)
    effective = min(rows, value * (1 - value) / variance) if variance > 0 else effective_clusters
    return ClusteredRate(value=value, n=n, effective=effective, effective_clusters=effective_clusters)


def odds_ratio(first: ClusteredRate, second: ClusteredRate, *, confidence: float = 0.95) -> OddsRatio:
    """Compare the odds of two rates of different rows.

    The limits recover variances from those of the two rates. Accounts with rows on both sides are alike on both, which
    would narrow them; it is not used. Without rows on a side the value is NaN and the limits 0 and infinity.

    Notes
    -----
    Zou & Donner (2008), Statistics in Medicine 27:1693-1702, on the log odds; a rate of 0 or 1 is held half a row away
    for the centre of the interval, and not for ``value``.
    """
    if math.isnan(first.value) or math.isnan(second.value):
        return OddsRatio(value=math.nan, lower=0.0, upper=math.inf)
    centre = _log_odds(_inside(first)) - _log_odds(_inside(second))
    (low_1, high_1), (low_2, high_2) = (rate.limits(confidence=confidence) for rate in (first, second))
    at_1, at_2 = _log_odds(_inside(first)), _log_odds(_inside(second))
    below = math.hypot(at_1 - min(_log_odds(low_1), at_1), max(_log_odds(high_2), at_2) - at_2)
    above = math.hypot(max(_log_odds(high_1), at_1) - at_1, at_2 - min(_log_odds(low_2), at_2))
    odds_1, odds_2 = _odds(first.value), _odds(second.value)
    value = math.nan if odds_1 == odds_2 and odds_1 in (0.0, math.inf) else odds_1 / odds_2 if odds_2 else math.inf
    return OddsRatio(value=value, lower=_exp(centre - below), upper=_exp(centre + above))


def _inside(rate: ClusteredRate) -> float:
    if 0 < rate.value < 1:
        return rate.value
    return (rate.value * rate.effective + 0.5) / (rate.effective + 1)


def _odds(rate: float) -> float:
    return rate / (1 - rate) if rate < 1 else math.inf


def _log_odds(rate: float) -> float:
    if rate <= 0:
        return -math.inf
    return math.log(rate) - math.log1p(-rate) if rate < 1 else math.inf


def _exp(log: float) -> float:
    return math.exp(log) if log < 700 else math.inf
