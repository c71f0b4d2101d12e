"""Several comparisons at once: what is called real among many has to be surer than what is asked alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from smarketing.estimates.rates import check_confidence


@dataclass(frozen=True)
class SimultaneousInterval:
    """An interval that is one of ``of``: all of them hold together with the confidence asked for."""

    value: float
    lower: float
    upper: float
    of: int

    def side_of(self, reference: float, *, smallest: float = 0.0) -> int:
        """Return 1 or -1 where the whole interval lies above or below a reference by more than ``smallest``, else 0."""
        if self.lower > reference + smallest:
            return 1
        return -1 if self.upper < reference - smallest else 0


def simultaneous(
    value: float, lower: float, upper: float, *, of: int, confidence: float = 0.95
) -> SimultaneousInterval:
    """Widen an interval made for one question to one of ``of`` questions asked together (Bonferroni).

    Parameters
    ----------
    value, lower, upper
        An estimate and its interval at ``confidence``; either side is widened in its own proportion. NaN (withheld)
        gives an interval without limits.
    of
        How many questions are asked together, the withheld ones not counted.

    Notes
    -----
    Dunn (1961), Journal of the American Statistical Association 56:52-64: each of k intervals at 1 - alpha / k. The
    normal quantiles' ratio stands for that of t, which is a little larger with few accounts.
    """
    check_confidence(confidence)
    if of < 1:
        raise ValueError(f"of is {of}; at least one question is asked.")
    if math.isnan(value) or math.isnan(lower) or math.isnan(upper):
        return SimultaneousInterval(value, -math.inf, math.inf, of)
    alpha = 1 - confidence
    ratio = float(stats.norm.ppf(1 - alpha / (2 * of)) / stats.norm.ppf(1 - alpha / 2))
    return SimultaneousInterval(value, value - (value - lower) * ratio, value + (upper - value) * ratio, of)
