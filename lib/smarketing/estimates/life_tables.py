"""Discrete-time life tables with delayed entry: the sums an engine builds so that a curve needs no rows.

Ages are whole days since the clock of a subject started. A subject is observed from its age ``first`` (0 unless its
early days are not on record) to its age ``last`` and is at risk at every age from first to last, both included. At
``last`` it exits or is censored, and censorings come after the exits of the same age. In the notation of R's survival
package this is ``Surv(start = first - 1, stop = last, event)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

OPEN = "open"
"""The name of the state of not having exited; no exit may be called so."""

TOLERANCE = 1e-9
"""Rounding allowed in sums of amounts, as a part of all that entered."""


@dataclass(frozen=True, eq=False)
class LifeTable:
    """Sums of weights by age; weight 1 gives counts, an amount gives a money-weighted table.

    Parameters
    ----------
    age
        Whole days, each once, ascending; every age at which anything enters or leaves.
    entered
        Weight of the subjects whose ``first`` is that age.
    exits
        For each kind of exit, the weight of the subjects that leave so at that age. A kind that could have occurred
        and did not belongs here too, with zeros.
    censored
        Weight of the subjects still open when their observation ends, at that age.

    Raises
    ------
    ValueError
        If ages are not whole, unique, ascending and 0 or more; if lengths differ; if a weight is negative or missing;
        if more leave at an age than are at risk; if what entered does not leave; or if an exit is called "open".

    Notes
    -----
    ``at_risk`` is sum of entered(<= age) - sum of exits and censored(< age).
    """

    age: IntArray
    entered: FloatArray
    exits: Mapping[str, FloatArray]
    censored: FloatArray

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "age", _ages(self.age))
        set_field(self, "entered", self._weights("entered", self.entered))
        set_field(self, "censored", self._weights("censored", self.censored))
        if OPEN in self.exits:
            raise ValueError('an exit is called "open", which names the state of not having exited. Rename the exit.')
        set_field(self, "exits", {kind: self._weights(f"exits[{kind!r}]", w) for kind, w in self.exits.items()})
        self._check_balance()

    @property
    def exited(self) -> FloatArray:
        """Weight leaving by an exit of any kind, by age."""
        return np.add.reduce([np.zeros(len(self.age)), *self.exits.values()])

    @property
    def remaining(self) -> FloatArray:
        """Weight still at risk after those who leave at each age have left."""
        remaining = np.cumsum(self.entered) - np.cumsum(self.exited + self.censored)
        # Differences of large sums lose digits; without this the last to leave would not be alone.
        return np.where(remaining <= TOLERANCE * self.entered.sum(), 0.0, remaining)

    @property
    def at_risk(self) -> FloatArray:
        """Weight at risk at each age."""
        return self.remaining + (self.exited + self.censored)

    def __add__(self, other: LifeTable) -> LifeTable:
        """Pool two tables, as if their subjects had been counted together."""
        age = np.union1d(self.age, other.age)
        return LifeTable(
            age=age,
            entered=_on(age, self.age, self.entered) + _on(age, other.age, other.entered),
            exits={
                kind: sum(
                    (_on(age, t.age, t.exits[kind]) for t in (self, other) if kind in t.exits), np.zeros(len(age))
                )
                for kind in {**self.exits, **other.exits}
            },
            censored=_on(age, self.age, self.censored) + _on(age, other.age, other.censored),
        )

    def _weights(self, name: str, values: npt.ArrayLike) -> FloatArray:
        weights = np.array(values, dtype=float)
        if weights.shape != self.age.shape:
            raise ValueError(
                f"LifeTable.{name} has shape {weights.shape}; it needs one number for each of the {len(self.age)} ages."
            )
        bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
        if len(bad):
            raise ValueError(
                f"LifeTable.{name} is {weights[bad[0]]} at age {self.age[bad[0]]}; weights are finite and not "
                "negative. Leave out subjects without a weight."
            )
        weights.flags.writeable = False
        return weights

    def _check_balance(self) -> None:
        left = self.exited + self.censored
        slack = TOLERANCE * self.entered.sum()
        risk = np.cumsum(self.entered) - np.cumsum(left) + left
        bad = np.flatnonzero(left > risk + slack)
        if len(bad):
            raise ValueError(
                f"at age {self.age[bad[0]]} a weight of {left[bad[0]]:g} leaves and {risk[bad[0]]:g} is at risk: "
                "somebody leaves who never entered, or enters later. Count each subject once in entered, at its first "
                "age, and once in exits or censored, at its last."
            )
        if self.entered.sum() - left.sum() > slack:
            raise ValueError(
                f"a weight of {self.entered.sum():g} enters and {left.sum():g} leaves. Count subjects that are still "
                "open as censored at the last age they were seen."
            )


def life_table(
    first: npt.ArrayLike,
    last: npt.ArrayLike,
    exit_kind: npt.ArrayLike,
    *,
    kinds: tuple[str, ...] = (),
    weight: npt.ArrayLike | None = None,
) -> LifeTable:
    """Tabulate subjects that are already in memory (small data; the engine does this for large).

    Parameters
    ----------
    first, last
        Whole days of age at which each subject's observation starts and ends, both included.
    exit_kind
        How each left at ``last``; an empty string when it was still open (censored).
    kinds
        Kinds of exit to list even if none occurred.
    weight
        One weight a subject; 1 when not given.
    """
    first, last, exit_kind = np.asarray(first), np.asarray(last), np.asarray(exit_kind, dtype=str)
    weights = np.ones(len(first)) if weight is None else np.asarray(weight, dtype=float)
    if not len(first) == len(last) == len(exit_kind) == len(weights):
        raise ValueError(
            f"first, last, exit_kind and weight have {len(first)}, {len(last)}, {len(exit_kind)} and {len(weights)} "
            "entries; each needs one a subject."
        )
    age = np.union1d(first, last)

    def total(at: npt.NDArray[np.generic], rows: npt.NDArray[np.bool_]) -> FloatArray:
        sums = np.bincount(np.searchsorted(age, at[rows]), weights=weights[rows], minlength=len(age))
        return sums.astype(np.float64)

    everyone = np.ones(len(first), dtype=bool)
    return LifeTable(
        age=age,
        entered=total(first, everyone),
        exits={
            str(kind): total(last, exit_kind == kind)
            for kind in dict.fromkeys([*kinds, *sorted(set(exit_kind.tolist()) - {"", *kinds})])
        },
        censored=total(last, exit_kind == ""),
    )


def _ages(values: npt.ArrayLike) -> IntArray:
    given = np.asarray(values)
    ages = given.astype(np.int64) if given.ndim == 1 and np.isfinite(given.astype(float)).all() else None
    if ages is None or not (ages == given).all() or (np.diff(ages) <= 0).any() or (ages < 0).any():
        raise ValueError(
            f"LifeTable.age is {given.tolist()!r:.80}; it has to be whole days, 0 or more, each once, ascending. "
            "Group by the whole-day age and sort."
        )
    ages.flags.writeable = False
    return ages


def _on(age: IntArray, own_age: IntArray, weights: FloatArray) -> FloatArray:
    spread = np.zeros(len(age))
    spread[np.searchsorted(age, own_age)] = weights
    return spread
