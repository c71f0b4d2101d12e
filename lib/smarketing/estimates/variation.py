"""Week-to-week variation of a series: its natural limits, and how precise a sum of recent weeks is.

A series is one number a week, oldest first, without gaps: a week in which nothing happened is 0. Leave the unfinished
week out. Sigma comes from the differences of neighbouring weeks, so a slow trend or one shift does not inflate it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from smarketing.estimates.rates import check_confidence

# E|D| of the difference D of two standard normals: 2 / sqrt(pi), the control-chart constant d2 of two values.
D2 = 2 / math.sqrt(math.pi)
# Variance of |D|, and its covariance with the |D| of the next pair, which shares a week (correlation -1/2).
_RANGE_VARIANCE = 2 - 4 / math.pi
_RANGE_COVARIANCE = (4 / math.pi) * (math.sqrt(0.75) + math.pi / 12 - 1)


@dataclass(frozen=True)
class ProcessLimits:
    """The mean of a weekly series and the limits between which it varies by itself.

    A week outside calls for an explanation, a week inside does not. ``lower`` may be negative; for counts that means
    there is no lower limit. With fewer than two weeks, or no variation at all, the limits are infinite.
    """

    centre: float
    lower: float
    upper: float
    mean_moving_range: float
    weeks: int


@dataclass(frozen=True)
class WeeklySum:
    """The sum of the latest weeks, with an interval from the variation of the whole series.

    With fewer than three weeks in the series, or no variation at all, the interval is unbounded.
    """

    value: float
    lower: float
    upper: float
    weeks: int
    sigma: float
    degrees_of_freedom: float


def process_limits(series: npt.ArrayLike) -> ProcessLimits:
    """Return the natural process limits of a weekly series (XmR chart): mean +- 2.66 x mean moving range.

    Notes
    -----
    Wheeler (1993), Understanding Variation, chapter 3. 2.66 is 3 / d2, with d2 = 1.128.
    """
    weeks = _weeks(series)
    centre = float(weeks.mean()) if len(weeks) else math.nan
    moving_range = float(np.abs(np.diff(weeks)).mean()) if len(weeks) > 1 else math.nan
    half = 2.66 * moving_range if moving_range > 0 else math.inf
    return ProcessLimits(centre, centre - half, centre + half, moving_range, len(weeks))


def sum_of_weeks(series: npt.ArrayLike, weeks: int, *, confidence: float = 0.95) -> WeeklySum:
    """Add up the latest weeks, with an interval for what such weeks bring on average.

    Parameters
    ----------
    series
        One number a week, oldest first; all of it estimates the variation.
    weeks
        How many of the latest weeks to add up.

    Notes
    -----
    sum +- t sqrt(weeks) sigma, with sigma = mean moving range / d2. Weeks are taken as independent with one sigma;
    weeks that move together make the interval too narrow. The degrees of freedom match the variance of the mean moving
    range of normal weeks, about 0.605 (n - 1): Cryer & Ryan (1990), Journal of Quality Technology 22:187-192.
    """
    check_confidence(confidence)
    values = _weeks(series)
    n = len(values)
    if not 1 <= weeks <= n:
        raise ValueError(f"the sum of the latest {weeks} weeks of a series of {n}: ask for 1 to {n} weeks.")
    total = float(values[-weeks:].sum())
    if n < 3:
        return WeeklySum(total, -math.inf, math.inf, weeks, math.nan, math.nan)
    sigma = float(np.abs(np.diff(values)).mean()) / D2
    freedom = moving_range_degrees_of_freedom(n)
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(weeks) * sigma if sigma > 0 else math.inf
    return WeeklySum(total, total - half, total + half, weeks, sigma, freedom)


def moving_range_degrees_of_freedom(n: int) -> float:
    """Return the degrees of freedom of a sigma from the moving ranges of ``n`` (2 or more) normal values.

    They are 1 / (2 cv^2), with cv the coefficient of variation of the mean moving range: a chi with as many has it.
    """
    variance = ((n - 1) * _RANGE_VARIANCE + 2 * (n - 2) * _RANGE_COVARIANCE) / (n - 1) ** 2
    return D2**2 / (2 * variance)


def _weeks(series: npt.ArrayLike) -> npt.NDArray[np.float64]:
    weeks = np.asarray(series, dtype=float)
    if weeks.ndim != 1 or not np.isfinite(weeks).all():
        raise ValueError(
            "a weekly series has to be one list of finite numbers, oldest first. "
            "Give a week in which nothing happened as 0, and leave unfinished weeks out."
        )
    return weeks
