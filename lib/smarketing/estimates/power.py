"""What an experiment can find before it is run: its power, the units it needs, the smallest effect it can see.

All of them read a `Metric` (what history says of one unit) and a `Design` (how units are dealt and judged). An arm is
compared with the control by Welch's t for means and by the unpooled normal test for rates, as the readout does;
several arms and metrics share the error by Bonferroni, and the smallest arm beside the control decides.

Dealt by account and read by lead, a design has `Accounts`; dealt by lead, or read as one value an account, it has
none. A guardrail's power to be shown within its margin is the power for a difference as large as the margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import optimize, stats

from smarketing.estimates.rates import check_confidence

MOST_UNITS = 1e12
"""An experiment that needs more than this is not planned: the result says so."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of one unit as history shows it.

    ``standard_deviation`` is that of single units, for a ratio of its linearised values (y - r x) / mean(x). None
    makes it a rate: its variance follows from ``mean``, the share of units that have the property, and from the
    difference.
    """

    mean: float
    standard_deviation: float | None = None

    def __post_init__(self) -> None:
        if self.standard_deviation is None and not 0 < self.mean < 1:
            raise ValueError(
                f"the baseline rate is {self.mean}; it has to lie between 0 and 1. "
                "Give standard_deviation as well where the metric is a mean, not a rate."
            )
        deviation = 1.0 if self.standard_deviation is None else self.standard_deviation
        if not (math.isfinite(self.mean) and math.isfinite(deviation) and deviation > 0):
            raise ValueError(
                f"the baseline has mean {self.mean} and standard deviation {self.standard_deviation}; both have to be "
                "finite and the deviation above 0. Take them from a period in which the metric varies."
            )

    def variance(self, difference: float) -> float:
        """Return the variance of one unit whose mean is off the baseline by a difference."""
        if self.standard_deviation is not None:
            return self.standard_deviation**2
        rate = self.mean + difference
        # Rounding can leave a rate 1e-17 outside.
        return max(rate * (1 - rate), 0.0)


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """How leads share accounts: mean leads an account, the coefficient of variation of that number, likeness (ICC)."""

    mean_size: float
    size_cv: float
    intraclass: float

    def __post_init__(self) -> None:
        if not (self.mean_size >= 1 and self.size_cv >= 0 and 0 <= self.intraclass <= 1):
            raise ValueError(
                f"accounts of {self.mean_size} leads (coefficient of variation {self.size_cv}, intraclass correlation "
                f"{self.intraclass}): sizes are at least 1, the coefficient at least 0, the correlation 0 to 1. "
                "An estimated correlation below 0 is planned as 0."
            )
        if not math.isfinite(self.mean_size) or not math.isfinite(self.size_cv):
            raise ValueError(f"accounts of {self.mean_size} leads, varying by {self.size_cv}: both have to be finite.")

    @property
    def design_effect(self) -> float:
        """How many times more leads are needed than of independent ones: 1 + ((1 + CV^2) m - 1) ICC.

        Eldridge, Ashby & Kerry (2006), International Journal of Epidemiology 35:1292-1300; Donner & Klar (2000),
        Design and Analysis of Cluster Randomization Trials, for CV = 0.
        """
        return 1 + ((1 + self.size_cv**2) * self.mean_size - 1) * self.intraclass

    def effective(self, leads: float) -> float:
        """Return how many equally large accounts would carry the weight of these leads' accounts (Kish)."""
        return leads / self.mean_size / (1 + self.size_cv**2)


@dataclass(frozen=True, kw_only=True)
class Design:
    """How units are dealt and judged.

    ``shares`` are the arms' parts, the control first; ``metrics`` is how many primary metrics are judged together;
    ``variance_saved`` is the part of the variance that regression adjustment takes away, 0 to 1. ``accounts`` is given
    where whole accounts are dealt and leads are read.
    """

    shares: tuple[float, ...] = (0.5, 0.5)
    confidence: float = 0.95
    metrics: int = 1
    variance_saved: float = 0.0
    accounts: Accounts | None = None

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        if len(self.shares) < 2 or not all(share > 0 for share in self.shares) or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(
                f"the arms' shares are {', '.join(map(str, self.shares))}; at least two are needed, all above 0, that "
                "add up to 1, the control first."
            )
        if self.metrics < 1:
            raise ValueError(f"metrics is {self.metrics}; at least one primary metric is judged.")
        if not 0 <= self.variance_saved < 1:
            raise ValueError(
                f"variance_saved is {self.variance_saved}; it is a part of the variance, from 0 to below 1: "
                "a correlation r of the covariate saves r^2."
            )

    @property
    def comparisons(self) -> int:
        """How many comparisons share the error: every other arm with the control, for every primary metric."""
        return (len(self.shares) - 1) * self.metrics

    @property
    def error(self) -> float:
        """The two-sided error that is left for one comparison (Bonferroni)."""
        return (1 - self.confidence) / self.comparisons


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a design does.

    ``difference`` is in the metric's unit, ``lift`` relative to the baseline mean (None where that is 0);
    ``units`` are dealt in total and ``arms`` to each arm, in whole units; ``accounts`` is how many accounts those are
    (None where units are independent). ``power`` is the chance of a clear result for the smallest arm if the
    difference is true. Where something asked for does not exist it is NaN, ``arms`` is
    empty, and ``reason`` says why.
    """

    difference: float
    lift: float | None
    units: float
    arms: tuple[int, ...]
    accounts: float | None
    power: float
    comparisons: int
    reason: str = ""


@dataclass(frozen=True)
class Duration:
    """Whole days until the last unit has had its horizon: days of dealing, then the delay to the outcome."""

    dealing_days: int
    horizon_days: int

    @property
    def days(self) -> int:
        """All days."""
        return self.dealing_days + self.horizon_days


def power(metric: Metric, difference: float, *, units: float, design: Design) -> Planned:
    """Return the power of a design of so many units for a true difference.

    Parameters
    ----------
    metric
        The baseline.
    difference
        The true difference of an arm from the control, in the metric's unit (points of a rate: 0.01).
    units
        Units dealt in total, to all arms; leads where ``design.accounts`` is given.
    design
        How they are dealt and judged.

    Notes
    -----
    Means: non-central t with Satterthwaite's degrees of freedom, equal to ``statsmodels`` ``TTestIndPower`` for two
    equal arms; with accounts the degrees of freedom are those of Kish's effective accounts. Rates: normal with
    unpooled variance; with accounts t as for means, because few accounts leave the variance uncertain. Cohen (1988),
    Statistical Power Analysis, section 2.2.
    """
    _check_difference(metric, difference)
    _check_units(units)
    return _planned(metric, difference, units, _power(metric, difference, units, design), design)


def units_needed(metric: Metric, difference: float, *, design: Design, power: float = 0.8) -> Planned:
    """Return the fewest units, dealt in the design's shares, that find a true difference with this power."""
    _check_difference(metric, difference)
    _check_power(power, design)

    def short(log_units: float) -> float:
        return _power(metric, difference, math.exp(log_units), design) - power

    lowest = math.log(_fewest(design))
    if short(math.log(MOST_UNITS)) < 0:
        reason = f"more than {MOST_UNITS:,.0f} units would be needed"
        return _planned(metric, difference, math.nan, power, design, reason=reason)
    exact = math.exp(lowest if short(lowest) >= 0 else optimize.brentq(short, lowest, math.log(MOST_UNITS), xtol=1e-13))
    arms = _whole_arms(exact, design)
    return _planned(metric, difference, exact, _power(metric, difference, exact, design), design, arms=arms)


def smallest_detectable(
    metric: Metric, *, units: float, design: Design, power: float = 0.8, upward: bool = True
) -> Planned:
    """Return the smallest true difference that a design of so many units finds with this power.

    Parameters
    ----------
    metric, units, design
        As for `power`.
    power
        The chance of a clear result.
    upward
        Whether the difference is a rise; a fall of a rate is found a little more easily below one half.

    Returns
    -------
    Planned
        With a NaN difference where not even the largest possible one (a rate of 1, or 0) is found.
    """
    _check_units(units)
    _check_power(power, design)
    sign = 1.0 if upward else -1.0

    def short(size: float) -> float:
        return _power(metric, sign * size, units, design) - power

    if metric.standard_deviation is None:
        largest = 1 - metric.mean if upward else metric.mean
    else:
        # A difference that a t test with one degree of freedom would find: always far enough.
        largest = metric.standard_deviation * 1e6 / math.sqrt(min(units, 1e6))
    if units < _fewest(design) or short(largest) < 0:
        reason = f"with {units:,.0f} units not even the largest possible difference is found"
        return _planned(metric, math.nan, units, power, design, reason=reason)
    size = float(optimize.brentq(short, 0.0, largest, xtol=1e-15 * largest, rtol=1e-13))
    return _planned(metric, sign * size, units, power, design)


def duration(units: float, *, a_day: float, horizon_days: int = 0) -> Duration:
    """Return how long a design runs when so many units arrive a day and each is read after its horizon.

    The delay to the outcome is part of the duration: the last unit dealt needs its whole horizon.
    """
    _check_units(units)
    if not (math.isfinite(a_day) and a_day > 0):
        raise ValueError(f"{a_day} units arrive a day; a number above 0 is needed. Count them in recent weeks.")
    if horizon_days < 0:
        raise ValueError(f"horizon_days is {horizon_days}; days until the outcome is read cannot be negative.")
    # Rounding must not add a day where the days come out whole.
    return Duration(math.ceil(units / a_day * (1 - 1e-12)), horizon_days)


def _power(metric: Metric, difference: float, units: float, design: Design) -> float:
    """Two-sided power for the smallest arm."""
    sizes = [share * units for share in (design.shares[0], min(design.shares[1:]))]
    kept = 1 - design.variance_saved
    effect = 1.0 if design.accounts is None else design.accounts.design_effect
    parts = [metric.variance(d) * kept * effect / n for d, n in zip((0.0, difference), sizes, strict=True)]
    error = math.sqrt(sum(parts))
    if error == 0:
        return 1.0
    shift = abs(difference) / error
    if metric.standard_deviation is None and design.accounts is None:
        quantile = float(stats.norm.isf(design.error / 2))
        return float(stats.norm.sf(quantile - shift) + stats.norm.sf(quantile + shift))
    clusters = sizes if design.accounts is None else [design.accounts.effective(n) for n in sizes]
    if min(clusters) < 2:
        return 0.0
    freedom = error**4 / sum(part**2 / (n - 1) for part, n in zip(parts, clusters, strict=True))
    critical = float(stats.t.isf(design.error / 2, freedom))
    return _beyond(critical, freedom, shift)


def _beyond(critical: float, freedom: float, shift: float) -> float:
    """P(|T| > critical) of non-central t. Beyond 10^7 degrees of freedom it is normal to seven digits."""
    if freedom > 1e7:
        return float(stats.norm.sf(critical - shift) + stats.norm.sf(critical + shift))
    if shift > 37:
        # Far out the series underflows; the power is 1 unless the critical value is as large (one or two degrees of
        # freedom), where the normal numerator hardly varies: T > c when chi < shift sqrt(df) / c.
        return float(stats.chi2.cdf(freedom * (shift / critical) ** 2, freedom))
    return float(stats.nct.sf(critical, freedom, shift) + stats.nct.sf(critical, freedom, -shift))


def _fewest(design: Design) -> float:
    """Units that leave the smallest arm two (effective) units to judge by."""
    a_unit = 1.0 if design.accounts is None else design.accounts.mean_size * (1 + design.accounts.size_cv**2)
    return 2 * (1 + 1e-12) * a_unit / min(design.shares)


def _check_difference(metric: Metric, difference: float) -> None:
    possible = metric.standard_deviation is not None or 0 <= metric.mean + difference <= 1
    if not math.isfinite(difference) or difference == 0 or not possible:
        raise ValueError(
            f"a difference of {difference} from a baseline of {metric.mean}: it has to be finite and not 0, and leave "
            "a rate between 0 and 1. Give it in the metric's own unit, one point of a rate as 0.01."
        )


def _check_units(units: float) -> None:
    if not (math.isfinite(units) and units > 0):
        raise ValueError(f"units is {units}; a finite number above 0 is dealt.")


def _check_power(power: float, design: Design) -> None:
    if not design.error < power < 1:
        raise ValueError(
            f"power is {power}; it has to lie between the error of one comparison ({design.error:g}) and 1, "
            "as 0.8 does."
        )


def _whole_arms(units: float, design: Design) -> tuple[int, ...]:
    """Whole units for each arm; rounding must not add one where a number comes out whole."""
    return tuple(math.ceil(share * units * (1 - 1e-9)) for share in design.shares)


def _planned(
    metric: Metric,
    difference: float,
    units: float,
    power: float,
    design: Design,
    *,
    arms: tuple[int, ...] | None = None,
    reason: str = "",
) -> Planned:
    if arms is None:
        arms = () if math.isnan(units) else tuple(math.floor(share * units * (1 + 1e-12)) for share in design.shares)
    dealt = float(sum(arms)) if arms else units
    return Planned(
        difference=difference,
        lift=difference / abs(metric.mean) if metric.mean else None,
        units=dealt,
        arms=arms,
        accounts=None if design.accounts is None else dealt / design.accounts.mean_size,
        power=power,
        comparisons=design.comparisons,
        reason=reason,
    )
