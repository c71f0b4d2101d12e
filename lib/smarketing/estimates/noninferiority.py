"""Guardrails: a metric is surely not worse than a margin fixed beforehand allows, or that is not shown.

One-sided at 2.5 %: the bound is the limit on the harmful side of a two-sided 95 % interval, so that any estimate with
limits can be judged: a difference, a lift, clustered or not. The margin comes from the protocol and has its unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from smarketing.estimates.rates import Estimate

Finding = Literal["better", "not worse", "worse within the margin", "worse", "unclear", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Guardrail:
    """What an interval says of a guardrail.

    ``value`` is the change as measured and ``bound`` the worst change that the interval allows, both in the metric's
    unit and signed as measured; ``margin`` is the harm allowed, above 0. ``finding``:

    - ``better``: the whole interval is on the good side of no change;
    - ``not worse``: it covers no change, and nothing beyond the margin;
    - ``worse within the margin``: surely harmed, and surely by less than the margin;
    - ``worse``: surely harmed by more than the margin;
    - ``unclear``: the interval holds the margin, more units are needed;
    - ``unknown``: there is no interval.
    """

    value: float
    bound: float
    margin: float
    finding: Finding

    @property
    def kept(self) -> bool:
        """Whether non-inferiority is shown: harm beyond the margin is ruled out."""
        return self.finding in ("better", "not worse", "worse within the margin")


def guardrail(change: Estimate, *, margin: float, higher_is_better: bool = True) -> Guardrail:
    """Judge a guardrail by the two-sided interval of its change.

    Parameters
    ----------
    change
        Treatment minus control, or the lift, with the limits of a two-sided interval at twice the one-sided error:
        95 % for 2.5 %.
    margin
        The harm that is still acceptable, above 0, in the change's unit.
    higher_is_better
        False where a rise is the harm (unsubscribes, days to answer).

    Raises
    ------
    ValueError
        If the margin is not above 0, or the limits are not in order.

    Notes
    -----
    Piaggio et al. (2012), JAMA 308:2594-2604 (CONSORT), figure 1. An interval that only touches the margin does not
    rule it out.
    """
    _check_margin(margin)
    known = math.isfinite(change.value) and not (math.isnan(change.lower) or math.isnan(change.upper))
    if known and not change.lower <= change.value <= change.upper:
        raise ValueError(
            f"the change is {change.value} with limits {change.lower} and {change.upper}; the value has to lie between "
            "its limits."
        )
    worst, best = (change.lower, change.upper) if higher_is_better else (-change.upper, -change.lower)
    bound = change.lower if higher_is_better else change.upper
    return Guardrail(
        value=change.value,
        bound=bound,
        margin=margin,
        finding=_finding(worst, best, margin) if known else "unknown",
    )


def one_sided_p(
    value: float,
    standard_error: float,
    degrees_of_freedom: float = math.inf,
    *,
    margin: float,
    higher_is_better: bool = True,
) -> float:
    """Return the p-value against harm of the margin or more: below 0.025 exactly where `guardrail` is kept.

    That holds for the symmetric t interval of the same standard error. NaN without a standard error; with one of 0 the
    change is known, and p is 0 or 1.
    """
    _check_margin(margin)
    if math.isnan(value) or math.isnan(standard_error):
        return math.nan
    distance = (value if higher_is_better else -value) + margin
    if standard_error <= 0:
        return 0.0 if distance > 0 else 1.0
    return float(stats.t.sf(distance / standard_error, degrees_of_freedom))


def _finding(worst: float, best: float, margin: float) -> Finding:
    if worst > 0:
        return "better"
    if worst > -margin:
        return "worse within the margin" if best < 0 else "not worse"
    return "worse" if best < -margin else "unclear"


def _check_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(
            f"the margin is {margin}; it is the harm that is still acceptable, above 0 and in the metric's unit. "
            "Take it from the protocol."
        )
