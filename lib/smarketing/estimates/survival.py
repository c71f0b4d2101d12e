"""Cumulative incidence of competing exits from a life table, with delayed entry (Aalen-Johansen, Kaplan-Meier).

A row of every array is an age of the life table, in whole days. A share is conditional on being still open when age
``start`` begins. What was not observed is None: `Incidence` never extrapolates beyond ``follow_up``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from smarketing.estimates.clusters import Clustered, clustered_share
from smarketing.estimates.life_tables import OPEN, FloatArray, IntArray, LifeTable, life_table

__all__ = [
    "Clustered",
    "Incidence",
    "Influence",
    "LifeTable",
    "clustered_share",
    "incidence",
    "influence",
    "life_table",
]


@dataclass(frozen=True, eq=False)
class Incidence:
    """The share that has left by each kind of exit, and the share still open, by age.

    ``survival`` is the share still open after an age; ``cumulative[kind]`` the share that has left by that kind up to
    and including it. At every age they add up to 1. ``follow_up`` is the largest age at which anyone is at risk, None
    for an empty table. Beyond it nothing is known (lookups return None), unless the curve ended because everyone at
    risk exited, in which case it stays where it is.

    With delayed entry a curve can rest on very few subjects at early ages: one subject alone at risk that exits sets
    ``survival`` to 0 for ever. `smallest_risk_set` and `smallest_denominator` show it; the remedy is a later ``start``.
    """

    start: int
    at_risk_at_start: float
    age: IntArray
    at_risk: FloatArray
    at_risk_after: FloatArray
    survival: FloatArray
    cumulative: Mapping[str, FloatArray]
    follow_up: int | None

    def observed(self, age: float) -> bool:
        """Say whether the curve is known at an age."""
        if not age >= 0:
            raise ValueError(f"the age is {age}; it has to be 0 days or more.")
        if self.follow_up is None:
            return False
        return age <= self.follow_up or bool(self.survival[-1] == 0)

    def at(self, kind: str, age: float) -> float | None:
        """Return the share that has left by ``kind`` at or before an age; None when not observed."""
        return self._step(self._curve(kind), age, 0.0)

    def open_at(self, age: float) -> float | None:
        """Return the share still open after an age; None when not observed."""
        return self._step(self.survival, age, 1.0)

    def quantile(self, kind: str | None, q: float) -> int | None:
        """Return the age at which a share ``q`` of all has left by ``kind`` (None: by any exit), or None."""
        _check_share("q", q)
        curve = 1 - self.survival if kind is None else self._curve(kind)
        # 1e-12: a share of 0.5 made of several steps may be one rounding below 0.5.
        reached = np.flatnonzero(curve >= q - 1e-12)
        return int(self.age[reached[0]]) if len(reached) else None

    def time_to_share(self, kind: str, q: float, horizon: float) -> int | None:
        """Return the age by which a share ``q`` of those who leave by ``kind`` within the horizon has done so.

        None when the horizon is not observed or nobody leaves so within it. ``q`` = 0.5 is the median time of those
        who get there in time.
        """
        _check_share("q", q)
        reached = self.at(kind, horizon)
        return self.quantile(kind, q * reached) if reached else None

    def restricted_mean(self, horizon: float) -> float | None:
        """Return the mean number of days open between ``start`` and the horizon; None when not observed."""
        if not self.observed(horizon):
            return None
        inside = (self.age >= self.start) & (self.age < horizon)
        edges = np.concatenate([[self.start], self.age[inside], [max(horizon, self.start)]])
        return float(np.sum(np.diff(edges) * np.concatenate([[1.0], self.survival[inside]])))

    def smallest_risk_set(self, horizon: float) -> float:
        """Return the smallest weight at risk on any day from ``start`` to the horizon on which the curve has any open.

        0 when on some day nobody was observed: the curve is then flat for want of evidence, not for want of exits.
        """
        return min((risk for risk, _ in self._days(horizon)), default=0.0)

    def smallest_denominator(self, horizon: float) -> float:
        """Return the smallest n(a) / S(a-) on any day to the horizon: the weight at ``start`` a thin day stands for.

        It is the number of subjects at ``start`` when there is neither delayed entry nor censoring, however few are
        left open, and falls to 1 when a single subject decides about everybody's future. A minimum on denominators
        belongs on this number.
        """
        return min((risk / open_share for risk, open_share in self._days(horizon)), default=0.0)

    def _days(self, horizon: float) -> list[tuple[float, float]]:
        """Weight at risk and share open before, for each age to the horizon and for each gap between ages."""
        ends = np.append(self.age, np.inf)[1:]
        days = [(self.at_risk_at_start, 1.0)]
        for age, end, risk, after, before, share in zip(
            self.age, ends, self.at_risk, self.at_risk_after, self._open_before(), self.survival, strict=True
        ):
            if age <= horizon and before > 0:
                days.append((float(risk), float(before)))
            if age + 1 < end and age + 1 <= horizon and share > 0:
                days.append((float(after), float(share)))
        return days

    def _open_before(self) -> FloatArray:
        return np.concatenate([[1.0], self.survival[:-1]])[: len(self.age)]

    def _curve(self, kind: str) -> FloatArray:
        if kind not in self.cumulative:
            raise ValueError(
                f"the life table has no exit {kind!r}; it has {', '.join(map(repr, self.cumulative)) or 'none'}. "
                "List an exit that did not occur with zeros."
            )
        return self.cumulative[kind]

    def _step(self, curve: FloatArray, age: float, before: float) -> float | None:
        if not self.observed(age):
            return None
        position = int(np.searchsorted(self.age, age, side="right"))
        return float(curve[position - 1]) if position else before


def incidence(life: LifeTable, *, start: int = 0) -> Incidence:
    """Estimate the cumulative incidence of each kind of exit.

    Parameters
    ----------
    life
        Sums by age; weights may be counts or amounts.
    start
        Landmark age: shares are of those still open when this age begins, exits at earlier ages are left out, and
        subjects whose observation starts earlier are at risk from it.

    Notes
    -----
    Aalen & Johansen (1978), Scandinavian Journal of Statistics 5:141-150; in discrete time, with n the weight at risk
    and d_k the exits of kind k, S(a) = prod(1 - d / n) and F_k(a) = sum of S(a-) d_k / n over ages up to a.
    """
    if start < 0 or start != int(start):
        raise ValueError(f"start is {start}; it has to be a whole number of days, 0 or more.")
    kept = life.age >= start
    age, at_risk, exited = life.age[kept], life.at_risk[kept], life.exited[kept]
    survival: FloatArray = np.cumprod(1 - _hazard(exited, at_risk), dtype=np.float64)
    before = np.concatenate([[1.0], survival[:-1]])[: len(age)]
    cumulative = {kind: np.cumsum(before * _hazard(exits[kept], at_risk)) for kind, exits in life.exits.items()}
    alive = np.flatnonzero(at_risk > 0)
    earlier = life.remaining[~kept]
    at_start = at_risk[0] if len(age) and age[0] == start else earlier[-1] if len(earlier) else 0.0
    return Incidence(
        start=int(start),
        at_risk_at_start=float(at_start),
        age=age,
        at_risk=at_risk,
        at_risk_after=life.remaining[kept],
        survival=survival,
        cumulative=cumulative,
        follow_up=int(age[alive[-1]]) if len(alive) else None,
    )


@dataclass(frozen=True, eq=False)
class Influence:
    """What each subject adds to the error of a cumulative incidence F(horizon), as lookups by age.

    For a subject observed from ``first`` to ``last`` that leaves by an exit (or is censored) at ``last``::

        influence = [leaves by the kind] * kind_term[last] + [leaves by any exit] * exit_term[last]
                    - (cumulative[last] - cumulative_before[first])

    where ``x[age]`` is the row of that age; both ages of every subject are rows, so an engine joins on equality. For
    the kind "open" the first bracket, like the second, asks for any exit.
    Multiply by the subject's weight, sum by account, square, and sum: that is ``sum_squares`` of `clustered_share`.
    The influences of all subjects add up to 0. Rows after the horizon and before ``start`` hold what is needed for
    subjects that reach across them; no case distinction is left to the engine.

    ``value`` is F(horizon), NaN when not observed. ``independent_standard_error`` is the standard error if every
    subject were independent and had weight 1: Greenwood's formula for "open". It is here to be compared with; where
    accounts have several leads it is too small.
    """

    kind: str
    horizon: float
    value: float
    age: IntArray
    kind_term: FloatArray
    exit_term: FloatArray
    cumulative: FloatArray
    cumulative_before: FloatArray
    independent_standard_error: float


def influence(life: LifeTable, kind: str, horizon: float, *, start: int = 0) -> Influence:
    """Return the influence function of a cumulative incidence at a horizon.

    Parameters
    ----------
    life
        Sums by age.
    kind
        An exit, or ``"open"`` for the share still open.
    horizon
        Age in days, at or after ``start``.
    start
        Landmark age, as in `incidence`. Subjects whose ``last`` lies before it have influence 0.

    Notes
    -----
    The derivative of F(h) by a subject's weight (infinitesimal jackknife; Andersen, Borgan, Gill & Keiding 1993,
    Statistical Models Based on Counting Processes, section IV.4). With a(s) = S(s-) / n(s), b(s) = (F(h) - F(s)) /
    ((1 - d(s) / n(s)) n(s)), and C(v) the sum over s <= v of a d_k / n - b d / n, it is a(x) for an exit of the kind
    at x <= h, less b(x) for any exit at x <= h, less C(min(last, h)) - C(first - 1). b is 0 where all at risk exit:
    there each of them has an exit and a compensator that cancel. The standard error of independent subjects is the
    multinomial delta method on the same a and b.
    """
    curves = incidence(life, start=start)
    if horizon < start:
        raise ValueError(f"the horizon is {horizon} days and the curve starts at {start}; it has to be at or after it.")
    value = curves.open_at(horizon) if kind == OPEN else curves.at(kind, horizon)
    # "open" is 1 less the incidence of any exit: same terms with the sign turned.
    sign = -1.0 if kind == OPEN else 1.0
    exited = life.exited
    exits = exited if kind == OPEN else life.exits[kind]
    used = (life.age >= start) & (life.age <= horizon)
    at_risk = np.where(used, life.at_risk, 0.0)
    curve = np.zeros(len(life.age))
    before = np.zeros(len(life.age))
    kept = life.age >= start
    curve[kept] = 1 - curves.survival if kind == OPEN else curves.cumulative[kind]
    before[kept] = curves._open_before()
    hazard, kind_hazard = _hazard(exited, at_risk), _hazard(exits, at_risk)
    reached = curve[used][-1] if used.any() else 0.0
    a = _hazard(before, at_risk)
    b = np.where(hazard < 1, _hazard(reached - curve, at_risk * (1 - hazard)), 0.0)
    compensator = a * kind_hazard - b * hazard
    cumulative = np.cumsum(compensator)
    variance = np.sum(at_risk * ((a - b) ** 2 * kind_hazard + b**2 * (hazard - kind_hazard) - compensator**2))
    return Influence(
        kind=kind,
        horizon=horizon,
        value=math.nan if value is None else value,
        age=life.age,
        kind_term=sign * a,
        exit_term=-sign * b,
        cumulative=sign * cumulative,
        cumulative_before=sign * (cumulative - compensator),
        independent_standard_error=math.nan if value is None else math.sqrt(max(float(variance), 0.0)),
    )


def _hazard(numerator: FloatArray, at_risk: FloatArray) -> FloatArray:
    """Divide where anyone is at risk; 0 elsewhere."""
    share = np.zeros(len(at_risk))
    np.divide(numerator, at_risk, out=share, where=at_risk > 0)
    return share


def _check_share(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"{name} is {value}; it has to be a share above 0 and at most 1, as 0.5 is for a median.")
