"""Outcomes and covariates of units as whole numbers: their sums, and the sums of their products, are exact.

An engine adds rows in whatever order its threads finish, and sums of floats then differ in their last digits from run
to run. A column is kept as the whole number of small parts by which it is off a centre; both come from its range, so
that the product of two fits into 64 bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

MOST_PARTS = 1e15
LARGEST = 3e9
"""What a whole number may be for the product of two to fit into 64 bits."""

SUMS_ARE_WIDE = ("duckdb", "postgres")
"""Engines that add 64-bit numbers in more than 64 bits; for others they are widened one by one, which takes longer."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """How a column is kept: as the whole number of ``parts`` of 1 by which it is off ``centre``.

    ``largest`` is the most that the whole number can be, infinite where that is not known.
    """

    centre: float
    parts: float
    largest: float

    @property
    def yes_or_no(self) -> bool:
        """Whether it is 0 or 1, so that its square is itself."""
        return self.parts == 1 and self.largest == 1

    @property
    def zero(self) -> int:
        """The whole number that 0 is kept as."""
        return round(-self.centre * self.parts)

    def whole(self, value: ir.FloatingValue) -> ir.IntegerValue:
        """Return a value as a whole number."""
        apart = value if self.centre == 0 else value - self.centre
        # A yes or no takes an eighth of the room.
        return (apart if self.parts == 1 else apart * self.parts).round().cast("int8" if self.yes_or_no else "int64")

    def value(self, whole: ir.IntegerValue) -> ir.FloatingValue:
        """Return what a whole number stands for."""
        apart = whole.cast("float64")
        apart = apart if self.parts == 1 else apart / self.parts
        return apart if self.centre == 0 else apart + self.centre


YES_OR_NO = Parts(centre=0.0, parts=1.0, largest=1.0)
SHARE = Parts(centre=0.0, parts=1e9, largest=1e9)
MONEY = Parts(centre=0.0, parts=100.0, largest=math.inf)


def parts_between(low: float, high: float) -> Parts:
    """Return how a column is kept whose values lie between two numbers: to nine digits of its range."""
    centre = float(math.floor((low + high) / 2))
    reach = max(high - centre, centre - low)
    parts = 10.0 ** math.floor(math.log10(LARGEST / max(reach, LARGEST / MOST_PARTS)))
    return Parts(centre=centre, parts=parts, largest=reach * parts + 1)


def ranges(table: ir.Table, values: Mapping[str, ir.FloatingValue]) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest of each value over a table; 0 and 0 where there is none."""
    if not values:
        return {}
    sums: dict[str, ir.Value] = {}
    for place, value in enumerate(values.values()):
        sums |= {f"low{place}": value.min(), f"high{place}": value.max()}
    asked = table.aggregate(**sums).to_pyarrow().to_pylist()[0]
    return {
        name: (float(asked[f"low{place}"] or 0.0), float(asked[f"high{place}"] or 0.0))
        for place, name in enumerate(values)
    }


def total(columns: Sequence[ir.IntegerValue], largest: Sequence[float], *, wide: bool) -> ir.DecimalValue:
    """Return the exact sum of a whole number, or of the product of two.

    ``largest`` is the most that each can be, ``wide`` whether the engine adds 64-bit numbers in more bits.
    """
    if math.prod(largest) >= 2.0**63:
        apart: Sequence[ir.DecimalValue] = [column.cast("decimal(38, 0)") for column in columns]
        return (apart[0] if len(apart) == 1 else apart[0] * apart[1]).sum()
    value = columns[0] if len(columns) == 1 else columns[0].cast("int64") * columns[1].cast("int64")
    return value.sum().cast("decimal(38, 0)") if wide else value.cast("decimal(38, 0)").sum()


def adds_wide(table: ir.Table) -> bool:
    """Say whether a table's engine adds 64-bit numbers in more bits."""
    return ibis.get_backend(table).name in SUMS_ARE_WIDE
