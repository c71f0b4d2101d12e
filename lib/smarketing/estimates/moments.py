"""Sums and cross-products of named columns over the units of one arm: all that an effect and its adjustment need.

An engine adds up what `terms` asks for, in one pass, and `Moments.from_sums` takes its row; rows of units never come
here. Moments of days, strata or arms add up to those of the whole. A column whose mean is large against its spread
loses digits in its sum of squares (`Moments.want_centre` names it): subtract a round centre in the engine, name it
in ``centres``, and all results are as if nothing had been subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

COUNT = "n"
"""The key of the number of units among an engine's sums."""

CENTRE_ABOVE = 1e3
"""A mean this many times the standard deviation costs six of a sum of squares' sixteen digits."""


def terms(*groups: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """List what an engine has to add up: each key with the columns whose product is summed.

    Parameters
    ----------
    groups
        Columns that are looked at together: a metric (both columns of a ratio) with its covariates. Products are asked
        for within a group only, so that twelve metrics with one set of covariates need few sums.

    Returns
    -------
    dict
        ``"n"`` with no column (count units), a column's name with itself, ``"first*second"`` with both, each once and
        in a fixed order, so that an engine that cuts long names can go by position.
    """
    names = list(dict.fromkeys(name for group in groups for name in group))
    if COUNT in names:
        raise ValueError(f"a column is called {COUNT!r}, the key of the number of units; give it another name.")
    place = {name: position for position, name in enumerate(names)}
    pairs = {
        tuple(sorted((first, second), key=place.__getitem__)) for group in groups for first in group for second in group
    }
    found: dict[str, tuple[str, ...]] = {COUNT: ()}
    found.update({name: (name,) for name in names})
    for first, second in sorted(pairs, key=lambda pair: (place[pair[0]], place[pair[1]])):
        found[f"{first}*{second}"] = (first, second)
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Sums over the same ``n`` units of named columns and of their products, after subtracting ``centres``.

    ``totals`` has one number a column, ``products`` is square and symmetric, NaN where the product was not summed.
    Every unit has a value in every column: one without is to be left out, or given a value and a flag, beforehand.
    """

    n: int
    names: tuple[str, ...]
    totals: FloatArray
    products: FloatArray
    centres: FloatArray

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def from_sums(
        cls,
        names: Sequence[str],
        sums: Mapping[str, float | Decimal | None],
        *,
        centres: Mapping[str, float] | None = None,
    ) -> Moments:
        """Take an engine's sums by the keys of `terms`; more keys than needed do no harm.

        A product may be named in either order, or be absent if it is never used; a column's own square may not. Where
        there is no unit an engine's NULL counts as 0.

        Raises
        ------
        ValueError
            If the count, a sum or a square is absent, or the sums are not those of any numbers.
        """
        n = int(_number(sums, COUNT, 0))
        size = len(names)
        totals, products = np.zeros(size), np.full((size, size), math.nan)
        for i, first in enumerate(names):
            totals[i] = _number(sums, first, n)
            for j, second in enumerate(names[: i + 1]):
                key = next((key for key in (f"{first}*{second}", f"{second}*{first}") if key in sums), None)
                if key is not None or i == j:
                    products[i, j] = products[j, i] = _number(sums, key or f"{first}*{first}", n)
        given = centres or {}
        centre = np.array([float(given.get(name, 0.0)) for name in names])
        return cls(n=n, names=tuple(names), totals=totals, products=products, centres=centre)

    @classmethod
    def from_rows(cls, columns: Mapping[str, npt.ArrayLike]) -> Moments:
        """Add up columns that are at hand, one number a unit."""
        names = tuple(columns)
        table = np.array([np.asarray(columns[name], dtype=np.float64) for name in names])
        n = table.shape[1]
        centres = table.mean(axis=1) if n else np.zeros(len(names))
        apart = table - centres[:, None]
        return cls(n=n, names=names, totals=apart.sum(axis=1), products=apart @ apart.T, centres=centres)

    @classmethod
    def from_summaries(cls, n: int, means: Mapping[str, float], covariance: npt.ArrayLike) -> Moments:
        """Take published aggregates: the number of units, means, and the covariance matrix with n - 1.

        For a single column ``covariance`` is its variance. A pair whose covariance is not known is NaN; adjustment and
        ratios that would need it are refused.
        """
        matrix = np.array(covariance, dtype=np.float64).reshape(len(means), len(means))
        return cls(
            n=n,
            names=tuple(means),
            totals=np.zeros(len(means)),
            products=matrix * max(n - 1, 0),
            centres=np.array(list(means.values()), dtype=np.float64),
        )

    @property
    def means(self) -> FloatArray:
        """Mean of each column, NaN without units."""
        return self.centres + self.totals / self.n if self.n else np.full(len(self.names), math.nan)

    @property
    def covariance(self) -> FloatArray:
        """Sample covariance matrix with n - 1; NaN with fewer than two units and where a product was not summed."""
        if self.n < 2:
            return np.full_like(self.products, math.nan)
        found = (self.products - np.outer(self.totals, self.totals) / self.n) / (self.n - 1)
        # Rounding can leave a tiny negative number where a column does not vary.
        np.fill_diagonal(found, np.maximum(np.diag(found), 0.0))
        return found

    @property
    def want_centre(self) -> tuple[str, ...]:
        """Columns whose mean, after the centres, is so large against their spread that digits are lost."""
        if self.n < 2:
            return ()
        left = np.abs(self.totals / self.n)
        spread = np.sqrt(np.diag(self.covariance))
        return tuple(
            name for name, off, sd in zip(self.names, left, spread, strict=True) if off > CENTRE_ABOVE * sd and sd > 0
        )

    def mean(self, name: str) -> float:
        """Mean of one column."""
        return float(self.means[self._position(name)])

    def variance(self, name: str) -> float:
        """Sample variance of one column, with n - 1."""
        position = self._position(name)
        return float(self.covariance[position, position])

    def select(self, names: Sequence[str]) -> Moments:
        """Keep some columns, in the order given; all their products have to be known.

        Raises
        ------
        ValueError
            If a column is not there, or the product of two of them was not summed.
        """
        order = [self._position(name) for name in names]
        products = self.products[np.ix_(order, order)]
        if np.isnan(products).any():
            first, second = (names[int(place)] for place in np.argwhere(np.isnan(products))[0])
            raise ValueError(
                f"the product {first!r} * {second!r} was not summed. Name both columns in one group of terms()."
            )
        return Moments(
            n=self.n, names=tuple(names), totals=self.totals[order], products=products, centres=self.centres[order]
        )

    def scaled(self, factors: Mapping[str, float]) -> Moments:
        """Multiply columns by a factor each: whole cents by 0.01 to have money again."""
        by = np.array([float(factors.get(name, 1.0)) for name in self.names])
        for name in factors:
            self._position(name)
        return Moments(
            n=self.n,
            names=self.names,
            totals=self.totals * by,
            products=self.products * np.outer(by, by),
            centres=self.centres * by,
        )

    def __add__(self, other: Moments) -> Moments:
        if self.names != other.names:
            raise ValueError(
                f"moments of {', '.join(self.names)} and of {', '.join(other.names)} cannot be added; "
                "select() the same columns in the same order first."
            )
        # The other's sums as if this one's centres had been subtracted.
        shift = other.centres - self.centres
        cross = np.outer(shift, other.totals)
        products = other.products + cross + cross.T + other.n * np.outer(shift, shift)
        return Moments(
            n=self.n + other.n,
            names=self.names,
            totals=self.totals + other.totals + other.n * shift,
            products=self.products + products,
            centres=self.centres,
        )

    def _position(self, name: str) -> int:
        if name not in self.names:
            raise ValueError(f"there is no column {name!r} among the moments; there are: {', '.join(self.names)}.")
        return self.names.index(name)


def combine(parts: Iterable[Moments]) -> Moments:
    """Add up the moments of parts (days, strata, arms) that have the same columns.

    Raises
    ------
    ValueError
        If there is no part, or their columns differ.
    """
    given = list(parts)
    if not given:
        raise ValueError("there are no moments to add up; give at least one part.")
    whole = given[0]
    for part in given[1:]:
        whole = whole + part
    return whole


def _number(sums: Mapping[str, float | Decimal | None], key: str, n: int) -> float:
    if key not in sums or (key == COUNT and sums[key] is None):
        raise ValueError(f"the sums have no {key!r}; they have: {', '.join(sums)}. Ask the engine for all of terms().")
    number = sums[key]
    if number is None:
        return 0.0 if n == 0 else math.nan
    return float(number)


def _check(moments: Moments) -> None:
    size = len(moments.names)
    shapes = (moments.totals.shape, moments.products.shape, moments.centres.shape)
    if shapes != ((size,), (size, size), (size,)) or len(set(moments.names)) != size:
        raise ValueError(
            f"Moments of {', '.join(moments.names)}: one total and one centre a column and a square of products are "
            "needed, and no column twice."
        )
    if moments.n < 0:
        raise ValueError(f"Moments.n is {moments.n}; a number of units cannot be negative.")
    squares = np.diag(moments.products)
    for name, total, square, centre in zip(moments.names, moments.totals, squares, moments.centres, strict=True):
        if not (math.isfinite(total) and math.isfinite(square) and math.isfinite(centre)):
            raise ValueError(
                f"the sums of {name!r} are {total} and {square} (squares) with centre {centre}; they have to be "
                "finite. Leave units without a value out before adding up."
            )
        # Cauchy-Schwarz: n times the sum of squares is at least the square of the sum, up to rounding.
        if moments.n * square < total**2 * (1 - 1e-9) or (moments.n == 0 and square > 0):
            raise ValueError(
                f"{name!r} has the sum {total} and the sum of squares {square} over {moments.n} units; no set of "
                "numbers has such sums. Add up values and squares over the same units."
            )
