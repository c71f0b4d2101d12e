"""Rates of independent units and the difference of two estimates.

`wilson` is for units that do not share accounts; where they do, see `clusters` and `survival`. `difference` takes any
two estimates that carry a value and limits, so it serves those as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from scipy import stats


class Estimate(Protocol):
    """Anything with a value and the two limits of its confidence interval."""

    @property
    def value(self) -> float:
        """The point estimate."""

    @property
    def lower(self) -> float:
        """The lower confidence limit."""

    @property
    def upper(self) -> float:
        """The upper confidence limit."""


@dataclass(frozen=True)
class Rate:
    """A share of ``n`` independent units, 0 to 1, with its confidence interval.

    With ``n`` = 0 nothing is known: ``value`` is NaN and the interval is 0 to 1.
    """

    value: float
    lower: float
    upper: float
    successes: float
    n: float


@dataclass(frozen=True)
class Difference:
    """The first estimate minus the second, in their unit, with its confidence interval."""

    value: float
    lower: float
    upper: float


def check_confidence(confidence: float) -> None:
    """Raise ``ValueError`` unless a confidence level lies strictly between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(
            f"confidence is {confidence}; it has to lie between 0 and 1, as 0.95 does for a 95 % interval."
        )


def wilson_limits(value: float, n: float, quantile: float) -> tuple[float, float]:
    """Return Wilson's score limits of a share.

    Parameters
    ----------
    value
        The share, 0 to 1.
    n
        The number of units behind it, above 0; an effective number need not be whole.
    quantile
        The two-sided quantile, 1.96 for a 95 % interval of independent units.

    Notes
    -----
    Wilson (1927), in the form of Newcombe (1998), Statistics in Medicine 17:857-872, method 3.
    """
    square = quantile * quantile
    centre = (2 * n * value + square) / (2 * (n + square))
    half = quantile * math.sqrt(square + 4 * n * value * (1 - value)) / (2 * (n + square))
    # At 0 and 1 the limit is exact; rounding would leave it 1e-17 away.
    return (0.0 if value == 0 else max(centre - half, 0.0)), (1.0 if value == 1 else min(centre + half, 1.0))


def wilson(successes: float, n: float, *, confidence: float = 0.95) -> Rate:
    """Estimate a rate of independent units with Wilson's score interval.

    Parameters
    ----------
    successes, n
        How many units have the property, and how many there are.
    confidence
        Two-sided confidence level.

    Returns
    -------
    Rate
        With ``n`` = 0, a NaN value and the interval 0 to 1.

    Raises
    ------
    ValueError
        If the counts are not finite, negative, or more successes than units.

    Notes
    -----
    Wilson (1927), Journal of the American Statistical Association 22:209-212.
    """
    check_confidence(confidence)
    if not (math.isfinite(successes) and math.isfinite(n) and 0 <= successes <= n):
        raise ValueError(
            f"a rate of {successes} successes in {n} units: both have to be finite and 0 <= successes <= n. "
            "Count successes among the same units as n."
        )
    if n == 0:
        return Rate(value=math.nan, lower=0.0, upper=1.0, successes=0.0, n=0.0)
    value = successes / n
    lower, upper = wilson_limits(value, n, float(stats.norm.ppf((1 + confidence) / 2)))
    return Rate(value=value, lower=lower, upper=upper, successes=successes, n=n)


def difference(first: Estimate, second: Estimate) -> Difference:
    """Subtract the second estimate from the first, recovering variances from the limits (MOVER).

    Both intervals must have the same confidence level, which the result then has too. For two `wilson` rates this is
    Newcombe's hybrid score interval; for clustered shares and incidences it works from their own limits.

    The estimates are taken as independent. Two periods, or two segments, often share accounts: a positive correlation
    (accounts that convert in one also convert in the other) makes the interval too wide, so it errs on the side of not
    calling a change; it is too narrow only where the shared accounts pull in opposite directions.

    Returns
    -------
    Difference
        NaN throughout when either value is NaN (nothing observed).

    Notes
    -----
    Newcombe (1998), Statistics in Medicine 17:873-890, method 10; Zou & Donner (2008), Statistics in Medicine
    27:1693-1702, equations (5) and (6), for limits from any source.
    """
    value = first.value - second.value
    if math.isnan(value):
        return Difference(value=math.nan, lower=math.nan, upper=math.nan)
    lower = value - math.hypot(first.value - first.lower, second.upper - second.value)
    upper = value + math.hypot(first.upper - first.value, second.value - second.lower)
    return Difference(value=value, lower=lower, upper=upper)
