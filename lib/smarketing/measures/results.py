"""The nouns that every measure hands on: a key figure, a finding, a check.

They are frozen, carry their own unit, period and denominator, and turn into plain dictionaries and back, so that a
notebook, the ledger and the alignment report all show the same number.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

Unit = Literal["share", "count", "money", "days", "number"]
Status = Literal["ahead", "on target", "behind", "too close to call", "no target", "withheld"]
Outcome = Literal["passed", "warning", "failed", "not applicable"]


class Record:
    """A frozen result that travels as a plain dictionary (JSON types only)."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types, in declared order."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build the record from `to_dict`'s answer; lists become tuples, unknown keys raise ``TypeError``."""
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise TypeError(f"{cls.__name__} has no field {unknown[0]!r}; it has {', '.join(sorted(known))}.")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


@dataclass(frozen=True, kw_only=True)
class KeyFigure(Record):
    """One number that a report shows on its first page and the ledger keeps.

    Units: a ``share`` is 0 to 1, ``money`` is in the reporting currency, ``days`` are calendar days, a ``number`` has
    none. ``value`` is None when the number is withheld, and ``reason`` then says why. ``lower`` and ``upper`` are a
    95 %
    interval of the kind that ``interval`` names. ``n`` is the denominator, in ``n_label``. ``series`` is oldest first,
    None where a period was withheld; its last entry is the latest period. The change of a count or an amount has no
    interval: the season is in it.
    """

    name: str
    label: str
    unit: Unit
    value: float | None
    lower: float | None
    upper: float | None
    interval: str
    n: int
    n_label: str
    period: str
    higher_is_better: bool
    maturity: Literal["final", "provisional"]
    status: Status
    target: float | None = None
    prior: float | None = None
    prior_label: str = ""
    change: float | None = None
    change_lower: float | None = None
    change_upper: float | None = None
    currency: str = ""
    series: tuple[float | None, ...] = ()
    series_label: str = ""
    reason: str = ""
    evidence: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding(Record):
    """One sentence a section stands for, with the anchor of the figure or table that shows it.

    ``theme`` groups findings in the alignment report; ``claim`` is the bold half-sentence, ``detail`` the rest, and
    ``basis`` says what kind of evidence it is. ``weight`` orders findings, largest first.
    """

    theme: str
    claim: str
    detail: str
    basis: str
    evidence: str
    weight: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Check(Record):
    """One question asked of the data. ``error`` says whether failing it stops the report."""

    code: str
    question: str
    outcome: Outcome
    detail: str
    error: bool = False
    remedy: str = ""


@dataclass(frozen=True)
class NotApplicable:
    """A measure that cannot be made on this company, and why; a report says so and goes on."""

    reason: str


def or_nan(value: float | None) -> float:
    """Return a number for a table's cell: NaN where it is withheld."""
    return math.nan if value is None else float(value)
