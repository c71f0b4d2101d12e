"""Planned looks: how far an estimate has to be from 0 at each, so that all looks together err in at most alpha.

The protocol names the looks and the spending function; the boundary at a look depends on that look and the earlier
ones alone, so a look may move or be left out without breaking the promise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, stats

from smarketing.estimates.scored import FloatArray

Spending = Literal["obrien-fleming", "pocock"]

# Grid of Jennison & Turnbull (2000), section 19.2, with their r: 18 gives six digits, 32 eight.
_GRID = 32
# Beyond this a boundary is never reached: what a first look may spend is below the smallest tail that matters.
_FARTHEST = 20.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """One planned look.

    Attributes
    ----------
    fraction
        Share of the plan completed, 0 to 1, by which error is spent.
    information
        Share of the information, by which looks are correlated: as a rule the units read over the units planned.
    spent
        Error allowed up to and including this look, both sides together.
    boundary
        Standard errors from 0 beyond which the experiment stops; infinite where nothing is to be spent yet.
    nominal
        The two-sided p-value that corresponds to it. With few degrees of freedom compare p-values with it.
    """

    fraction: float
    information: float
    spent: float
    boundary: float
    nominal: float

    def quantile(self, degrees_of_freedom: float) -> float:
        """Return the boundary for an estimate whose standard error has so many degrees of freedom.

        t at the same nominal level, the significance level approach of Jennison & Turnbull (2000).
        """
        if self.nominal == 0 or math.isinf(degrees_of_freedom):
            return self.boundary
        return float(stats.t.isf(self.nominal / 2, degrees_of_freedom))


def spent(fraction: float, *, kind: Spending, alpha: float = 0.05) -> float:
    """Return the error that may be spent by a fraction of the plan, both sides together.

    Parameters
    ----------
    fraction
        Share of the plan completed, 0 to 1.
    kind
        ``"obrien-fleming"`` spends almost nothing early, ``"pocock"`` about evenly.
    alpha
        Two-sided error of all looks together.

    Notes
    -----
    Lan & DeMets (1983), Biometrika 70:659-663, once a side at alpha / 2: 4 - 4 Phi(z / sqrt(t)) with z the normal
    quantile at 1 - alpha / 4, and alpha log(1 + (e - 1) t).
    """
    _check(kind, alpha)
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction is {fraction}; a share of the plan lies between 0 and 1. Count an overrun as 1.")
    if fraction == 0:
        return 0.0
    if kind == "pocock":
        return alpha * math.log1p((math.e - 1) * fraction)
    return float(4 * stats.norm.sf(stats.norm.isf(alpha / 4) / math.sqrt(fraction)))


def boundaries(
    fractions: Sequence[float],
    *,
    kind: Spending,
    alpha: float = 0.05,
    information: Sequence[float] | None = None,
) -> tuple[Look, ...]:
    """Find the symmetric two-sided boundaries of the looks taken so far.

    Parameters
    ----------
    fractions
        Share of the plan completed at each look, rising, above 0 and at most 1. The last look of an experiment is 1,
        whatever was collected, so that all error is spent.
    kind, alpha
        As for `spent`.
    information
        Information at each look in any unit, where it does not follow the plan's fractions (looks are planned by day
        and correlated by units read); the fractions otherwise.

    Returns
    -------
    tuple of Look
        In the order given. The looks before the last do not depend on it.

    Raises
    ------
    ValueError
        If fractions or information do not rise, or lie outside their range.

    Notes
    -----
    Armitage, McPherson & Rowe (1969), Journal of the Royal Statistical Society A 132:235-244; the grid and Simpson's
    weights of Jennison & Turnbull (2000), Group Sequential Methods, chapter 19.
    """
    _check(kind, alpha)
    given = tuple(fractions if information is None else information)
    _check_rising("fractions", fractions, highest=1.0)
    _check_rising("information", given, highest=math.inf)
    if len(given) != len(fractions):
        raise ValueError(f"{len(given)} values of information for {len(fractions)} looks; give one for each look.")
    looks: list[Look] = []
    state = _State()
    for fraction, level in zip(fractions, given, strict=True):
        total = spent(fraction, kind=kind, alpha=alpha)
        at_look = total - (looks[-1].spent if looks else 0.0)
        boundary = _solve(state, level, at_look / 2)
        looks.append(
            Look(
                fraction=fraction,
                information=level,
                spent=total,
                boundary=boundary,
                nominal=float(2 * stats.norm.sf(boundary)),
            )
        )
        state = state.after(level, boundary)
    return tuple(looks)


def crossing(looks: Sequence[Look], *, drift: float) -> tuple[float, ...]:
    """Return the probability to have crossed either boundary by each look.

    Parameters
    ----------
    looks
        From `boundaries`.
    drift
        The expected number of standard errors at information 1: 0 gives the error spent, 2.8 is what one look at
        5 % finds with 80 %.

    Notes
    -----
    By the same integration as `boundaries`, the path's mean at information t being drift times t.
    """
    if not math.isfinite(drift):
        raise ValueError(f"drift is {drift}; it has to be a finite number of standard errors.")
    state, crossed, found = _State(drift), 0.0, []
    for look in looks:
        crossed += state.beyond(look.information, look.boundary) + state.below(look.information, look.boundary)
        found.append(crossed)
        state = state.after(look.information, look.boundary)
    return tuple(found)


class _State:
    """The sub-density of the standardised estimate among paths that have not crossed, on a grid with its weights."""

    def __init__(
        self, drift: float = 0.0, level: float = 0.0, points: FloatArray | None = None, mass: FloatArray | None = None
    ) -> None:
        self.drift, self.level = drift, level
        self.points = np.zeros(1) if points is None else points
        self.mass = np.ones(1) if mass is None else mass

    def _standardised(self, level: float, z: float | FloatArray) -> FloatArray:
        """How many standard deviations of the step lead from each point to z at the next look."""
        step = level - self.level
        start = np.multiply(self.points, math.sqrt(self.level)) + self.drift * step
        return (np.multiply(z, math.sqrt(level))[..., np.newaxis] - start) / math.sqrt(step)

    def beyond(self, level: float, boundary: float) -> float:
        """Probability to cross the upper boundary at the next look."""
        return float(stats.norm.sf(self._standardised(level, boundary)) @ self.mass)

    def below(self, level: float, boundary: float) -> float:
        """Probability to cross the lower boundary at the next look."""
        return float(stats.norm.cdf(self._standardised(level, -boundary)) @ self.mass)

    def after(self, level: float, boundary: float) -> _State:
        points, weights = _grid(boundary, self.drift * math.sqrt(level))
        scale = math.sqrt(level / (level - self.level))
        density = stats.norm.pdf(self._standardised(level, points)) @ self.mass * scale
        return _State(self.drift, level, points, density * weights)


def _grid(boundary: float, centre: float) -> tuple[FloatArray, FloatArray]:
    """Points between the boundaries, dense around the centre, with Simpson's weights."""
    r = _GRID
    i = np.arange(1, 6 * r)
    knots = np.where(
        i < r,
        -3 - 4 * np.log(r / i),
        np.where(i <= 5 * r, -3 + 3 * (i - r) / (2 * r), 3 + 4 * np.log(r / (6 * r - i))),
    )
    knots = knots + centre
    edge = min(boundary, _FARTHEST)
    knots = np.concatenate([[-edge], knots[(knots > -edge) & (knots < edge)], [edge]])
    points = np.empty(2 * len(knots) - 1)
    points[::2] = knots
    points[1::2] = (knots[1:] + knots[:-1]) / 2
    widths = np.diff(knots)
    weights = np.zeros(len(points))
    weights[1::2] = 4 * widths / 6
    weights[:-1:2] += widths / 6
    weights[2::2] += widths / 6
    return points, weights


def _solve(state: _State, level: float, one_side: float) -> float:
    if state.beyond(level, _FARTHEST) >= one_side:
        return math.inf
    return float(optimize.brentq(lambda z: state.beyond(level, z) - one_side, 0.0, _FARTHEST, xtol=1e-12, rtol=1e-14))


def _check(kind: str, alpha: float) -> None:
    if kind not in ("obrien-fleming", "pocock"):
        raise ValueError(f'the spending function is "{kind}"; allowed are "obrien-fleming" and "pocock".')
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}; it has to lie between 0 and 0.5, as 0.05 does.")


def _check_rising(name: str, values: Sequence[float], *, highest: float) -> None:
    before = 0.0
    for value in values:
        if not (before < value <= highest and math.isfinite(value)):
            bound = " and at most 1" if highest == 1 else ""
            raise ValueError(
                f"{name} are {', '.join(f'{v:g}' for v in values)}; each has to be finite, above 0{bound}, and above "
                "the one before. Count a last look beyond the plan as 1."
            )
        before = value
