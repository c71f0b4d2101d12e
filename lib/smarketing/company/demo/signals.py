"""What a lead and its account show: attributes drawn from the account's effect, or from nothing at all.

An attribute is a noisy sign of the effect that drives all exits (`world.log_effect`). It causes nothing: who makes a
company buy a tool changes no hazard. One with a slope of 0 is a sign of nothing. Given the effect (and what decides
which cells are empty), attributes are independent of each other and of all exits, so that the posterior of the effect
is the product of their likelihoods (`oracle`).

The account's effect is taken as a standard score throughout: its value over `world.ACCOUNT_SIGMA`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from smarketing.company.demo.world import Bools, Floats, Ints

Missing = float | tuple[float, ...]
"""The share of empty cells: one for all, or one for each industry (which has no effect on anything)."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """A normal attribute whose correlation with the effect is ``slope``; ``digits`` are kept, none for a whole number.

    Rounding is left out of the likelihood: what carries the effect keeps enough digits.
    """

    name: str
    mean: float
    sd: float
    slope: float = 0.0
    digits: int = 2
    missing: Missing = 0.0

    @property
    def kind(self) -> str:
        """The type of the column."""
        return "float64" if self.digits else "int64"

    def draw(self, rng: np.random.Generator, effect: Floats) -> Floats:
        """Draw a value for each effect."""
        noise = np.sqrt(1.0 - self.slope**2) * rng.standard_normal(len(effect))
        return np.asarray(np.round(self.mean + self.sd * (self.slope * effect + noise), self.digits))

    def log_likelihood(self, values: Floats, nodes: Floats) -> Floats:
        """Return the log density of each value (rows) at each effect (columns), up to a constant by row."""
        off = ((values - self.mean) / self.sd)[:, None] - self.slope * nodes
        return np.asarray(-0.5 * off**2 / (1.0 - self.slope**2))

    def support(self) -> Floats:
        """Return values, evenly spaced, between which next to nothing is left out."""
        return np.linspace(self.mean - 6 * self.sd, self.mean + 6 * self.sd, 601)


@dataclass(frozen=True, kw_only=True)
class Count:
    """A Poisson count with a mean of ``rate`` over all accounts, of which one effect more makes ``slope`` log more."""

    name: str
    rate: float
    slope: float = 0.0
    missing: Missing = 0.0

    kind = "int64"

    def means(self, effect: Floats) -> Floats:
        """Return the mean at each effect."""
        return np.asarray(self.rate * np.exp(self.slope * effect - self.slope**2 / 2))

    def draw(self, rng: np.random.Generator, effect: Floats) -> Ints:
        """Draw a count for each effect."""
        return rng.poisson(self.means(effect)).astype(np.int64)

    def log_likelihood(self, values: Ints, nodes: Floats) -> Floats:
        """Return the log probability of each count (rows) at each effect (columns), up to a constant by row."""
        return np.asarray(values[:, None] * self.slope * nodes - self.means(nodes))

    def support(self) -> Ints:
        """Return counts beyond which next to nothing is left."""
        most = float(self.means(np.array(np.sign(self.slope) * 4.0)))
        return np.arange(int(most + 10 * np.sqrt(most) + 10))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several levels: its log odds move by its slope for one effect more.

    ``shares`` are those at the average effect. Values are positions in ``levels``; levels False and True make a flag.
    """

    name: str
    levels: tuple[str, ...] | tuple[bool, bool]
    shares: tuple[float, ...]
    slopes: tuple[float, ...] = ()
    missing: Missing = 0.0

    @property
    def kind(self) -> str:
        """The type of the column."""
        return "boolean" if isinstance(self.levels[0], bool) else "string"

    def chances(self, effect: Floats) -> Floats:
        """Return the chance of each level (columns) at each effect (rows)."""
        odds = np.array(self.shares) * np.exp(np.asarray(effect)[:, None] * np.array(self.slopes or (0.0,)))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def draw(self, rng: np.random.Generator, effect: Floats) -> Ints:
        """Draw a position for each effect."""
        share = rng.random(len(effect))
        if not any(self.slopes):
            drawn = np.searchsorted(np.cumsum(self.shares)[:-1] / sum(self.shares), share, side="right")
            return drawn.astype(np.int64)
        return (share[:, None] >= np.cumsum(self.chances(effect), axis=1)[:, :-1]).sum(axis=1)

    def log_likelihood(self, values: Ints, nodes: Floats) -> Floats:
        """Return the log chance of each value (rows) at each effect (columns)."""
        return np.asarray(np.log(self.chances(nodes)).T[values])

    def support(self) -> Ints:
        """Return all positions."""
        return np.arange(len(self.levels))


Attribute = Number | Count | Choice


@dataclass(frozen=True, eq=False)
class Drawn:
    """An attribute's values by row (positions, for a `Choice`) and which cells are empty."""

    attribute: Attribute
    values: Floats | Ints
    missing: Bools

    def log_likelihood(self, nodes: Floats) -> Floats:
        """Return the log likelihood of each row at each effect; an empty cell says nothing."""
        found = self.attribute.log_likelihood(self.values, nodes)  # type: ignore[arg-type]
        found[self.missing] = 0.0
        return found


def informs(attribute: Attribute) -> bool:
    """Whether the attribute is a sign of the effect."""
    return any(attribute.slopes) if isinstance(attribute, Choice) else attribute.slope != 0.0


def draw(attribute: Attribute, rng: np.random.Generator, effect: Floats, industry: Ints) -> Drawn:
    """Draw an attribute for each effect; ``industry`` decides how often it is empty where that differs."""
    values = attribute.draw(rng, effect)
    shares = np.asarray(attribute.missing, dtype=float)
    if not shares.any():
        return Drawn(attribute, values, np.zeros(len(effect), dtype=bool))
    return Drawn(attribute, values, rng.random(len(effect)) < (shares if shares.ndim == 0 else shares[industry]))


def strength(attribute: Attribute, industry_shares: Sequence[float]) -> float:
    """Return the share of the effect's variance among rows that this attribute alone explains, 0 to 1.

    It is ``Var(E[effect | value])`` for an effect of variance 1, by summing over values and effects; an empty cell
    explains nothing.
    """
    nodes = np.linspace(-6.0, 6.0, 121)
    weights = np.exp(-0.5 * nodes**2)
    weights /= weights.sum()
    values = attribute.support()
    chances = attribute.log_likelihood(values, nodes)  # type: ignore[arg-type]
    if isinstance(attribute, Count):
        chances = chances + (values * np.log(attribute.rate) - gammaln(values + 1.0))[:, None]
    chances = np.exp(chances) * weights
    chances /= chances.sum()
    mean = (chances @ nodes) / chances.sum(axis=1)
    explained = float((chances.sum(axis=1) * mean**2).sum())
    missing = attribute.missing
    empty = float(np.dot(missing, industry_shares)) if isinstance(missing, tuple) else missing
    return explained * (1.0 - empty)
