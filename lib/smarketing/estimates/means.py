"""Means, their difference, and the ratio of two means, from sums of independent units.

Where units share accounts, use `clusters` instead. An engine adds up n, sums, squares and products; rows never come
here. Sums of squares of large numbers with little spread lose digits: subtract a round centre in the engine first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from scipy import stats

from smarketing.estimates.rates import check_confidence


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Number of units, sum of a quantity over them, and sum of its squares."""

    n: int
    total: float
    squares: float

    def __post_init__(self) -> None:
        _check_sums(self)

    @property
    def mean(self) -> float:
        """Sum over number, NaN without units."""
        return self.total / self.n if self.n else math.nan

    @property
    def variance(self) -> float:
        """Sample variance with n - 1; NaN with fewer than two units."""
        return _covariance(self.n, self.total, self.total, self.squares, floor=0.0)


@dataclass(frozen=True, kw_only=True)
class PairSums:
    """Sums over the same n units of a numerator y and a denominator x, their squares and their products."""

    n: int
    sum_y: float
    sum_x: float
    sum_y2: float
    sum_x2: float
    sum_yx: float

    def __post_init__(self) -> None:
        _check_sums(self)


@dataclass(frozen=True)
class Mean:
    """A mean with its t interval, in the quantity's unit; NaN and unbounded where n leaves it unknown."""

    value: float
    lower: float
    upper: float
    standard_error: float
    degrees_of_freedom: float
    n: int


@dataclass(frozen=True)
class MeanDifference:
    """The first mean minus the second, with Welch's interval; NaN and unbounded where unknown."""

    value: float
    lower: float
    upper: float
    standard_error: float
    degrees_of_freedom: float


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means with its confidence set.

    Where the denominator may be 0 the set is unbounded: ``lower`` and ``upper`` are infinite, and all it excludes, if
    anything, lies between ``excluded_lower`` and ``excluded_upper`` (None otherwise).
    """

    value: float
    lower: float
    upper: float
    n: int
    excluded_lower: float | None = None
    excluded_upper: float | None = None

    @property
    def bounded(self) -> bool:
        """Whether the confidence set is an interval."""
        return math.isfinite(self.lower) and math.isfinite(self.upper)


def mean(sums: Sums, *, confidence: float = 0.95) -> Mean:
    """Estimate a mean with Student's t interval on n - 1 degrees of freedom; with one unit it is unbounded.

    Student (1908), Biometrika 6:1-25.
    """
    check_confidence(confidence)
    if sums.n < 2:
        return Mean(sums.mean, -math.inf, math.inf, math.nan, math.nan, sums.n)
    error = math.sqrt(sums.variance / sums.n)
    half = _quantile(confidence, sums.n - 1) * error
    return Mean(sums.mean, sums.mean - half, sums.mean + half, error, sums.n - 1, sums.n)


def welch(first: Sums, second: Sums, *, confidence: float = 0.95) -> MeanDifference:
    """Subtract the second mean from the first, with Welch's interval for unequal variances.

    With fewer than two units on a side the interval is unbounded.

    Notes
    -----
    Welch (1947), Biometrika 34:28-35; degrees of freedom after Satterthwaite (1946), Biometrics Bulletin 2:110-114.
    """
    check_confidence(confidence)
    value = first.mean - second.mean
    if min(first.n, second.n) < 2:
        return MeanDifference(value, -math.inf, math.inf, math.nan, math.nan)
    parts = [sums.variance / sums.n for sums in (first, second)]
    error = math.sqrt(sum(parts))
    if error == 0:
        return MeanDifference(value, value, value, 0.0, first.n + second.n - 2)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (first.n - 1) + parts[1] ** 2 / (second.n - 1))
    half = _quantile(confidence, freedom) * error
    return MeanDifference(value, value - half, value + half, error, freedom)


def delta_ratio(sums: PairSums, *, confidence: float = 0.95) -> Ratio:
    """Estimate mean(y) / mean(x) with the delta method: symmetric, and too narrow when mean(x) is uncertain.

    Unbounded with fewer than two units or a mean of x equal to 0.

    Notes
    -----
    Deng, Knoblich & Lu (2018), KDD, equation (2), with t on n - 1 degrees of freedom.
    """
    check_confidence(confidence)
    if sums.n < 2 or sums.sum_x == 0:
        return _unknown_ratio(sums)
    y, x, var_y, var_x, cov = _moments(sums)
    value = y / x
    error = math.sqrt(max(var_y - 2 * value * cov + value * value * var_x, 0.0)) / abs(x)
    half = _quantile(confidence, sums.n - 1) * error
    return Ratio(value, value - half, value + half, sums.n)


def fieller_ratio(sums: PairSums, *, confidence: float = 0.95) -> Ratio:
    """Estimate mean(y) / mean(x) with Fieller's confidence set: all ratios r for which mean(y - r x) may be 0.

    It is unbounded when the denominator's own interval covers 0, and says so.

    Notes
    -----
    Fieller (1954), Journal of the Royal Statistical Society B 16:175-185; t on n - 1 degrees of freedom.
    """
    check_confidence(confidence)
    if sums.n < 2:
        return _unknown_ratio(sums)
    y, x, var_y, var_x, cov = _moments(sums)
    return fieller_set(y, x, var_y, var_x, cov, quantile=_quantile(confidence, sums.n - 1), n=sums.n)


def fieller_set(y: float, x: float, var_y: float, var_x: float, cov: float, *, quantile: float, n: int) -> Ratio:
    """Give Fieller's confidence set of y / x for two estimates with known variances and covariance.

    ``quantile`` is the two-sided quantile, 1.96 for a 95 % set in large samples; ``n`` is kept in the result.
    """
    value = y / x if x else math.nan
    square = quantile**2
    # All r with a r^2 - 2 b r + c <= 0.
    a, b, c = x * x - square * var_x, y * x - square * cov, y * y - square * var_y
    root = math.sqrt(max(b * b - a * c, 0.0))
    if a > 0:
        return Ratio(value, (b - root) / a, (b + root) / a, n)
    if a < 0 and b * b > a * c:
        return Ratio(value, -math.inf, math.inf, n, (b + root) / a, (b - root) / a)
    return Ratio(value, -math.inf, math.inf, n)


def _moments(sums: PairSums) -> tuple[float, float, float, float, float]:
    """Means of y and x, and the variances and covariance of those means."""
    n = sums.n
    return (
        sums.sum_y / n,
        sums.sum_x / n,
        _covariance(n, sums.sum_y, sums.sum_y, sums.sum_y2, floor=0.0) / n,
        _covariance(n, sums.sum_x, sums.sum_x, sums.sum_x2, floor=0.0) / n,
        _covariance(n, sums.sum_y, sums.sum_x, sums.sum_yx) / n,
    )


def _unknown_ratio(sums: PairSums) -> Ratio:
    value = sums.sum_y / sums.sum_x if sums.sum_x else math.nan
    return Ratio(value, -math.inf, math.inf, sums.n)


def _covariance(n: int, total_1: float, total_2: float, products: float, *, floor: float = -math.inf) -> float:
    return max((products - total_1 * total_2 / n) / (n - 1), floor) if n > 1 else math.nan


def _quantile(confidence: float, degrees_of_freedom: float) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, degrees_of_freedom))


def _check_sums(sums: Sums | PairSums) -> None:
    kind = type(sums).__name__
    for field in fields(sums):
        if not math.isfinite(getattr(sums, field.name)):
            raise ValueError(
                f"{kind}.{field.name} is {getattr(sums, field.name)}; it has to be a finite number. "
                "Leave units without a value out before adding up."
            )
    if sums.n < 0:
        raise ValueError(f"{kind}.n is {sums.n}; a number of units cannot be negative.")
    pairs = [("squares", "total")] if isinstance(sums, Sums) else [("sum_y2", "sum_y"), ("sum_x2", "sum_x")]
    for squares, total in pairs:
        # Cauchy-Schwarz: n times the sum of squares is at least the square of the sum, up to rounding.
        if sums.n * getattr(sums, squares) < getattr(sums, total) ** 2 * (1 - 1e-9):
            raise ValueError(
                f"{kind}.{squares} is {getattr(sums, squares)} with n = {sums.n} and {total} = {getattr(sums, total)}; "
                "no set of numbers has such sums. Add up squares and values over the same units."
            )
