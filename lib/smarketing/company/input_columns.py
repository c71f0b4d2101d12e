"""The parts of an input file that say how a column is filled: from which header, by which values, formats and rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from smarketing.company.expressions import Rule, parse
from smarketing.company.tables import Kind


def snake(header: str) -> str:
    """Return a header as a snake-case name: ``AnnualRevenue``, ``Annual Revenue`` and ``Annual-revenue`` are one."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", header.strip().removesuffix("__c"))
    name = re.sub(r"\W+|_+", "_", spaced).strip("_").lower()
    return f"_{name}" if name[:1].isdigit() or not name else name


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_columns(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: {"column": said} if isinstance(said, str | list) else said for name, said in value.items()}


def _as_attributes(value: Any) -> Any:
    if value == "all":
        return {"all": True}
    if isinstance(value, list):
        return {"columns": {snake(str(header)): header for header in value}}
    return {"columns": value} if isinstance(value, dict) and not set(value) & {"all", "columns"} else value


def _as_rule(value: Any) -> Any:
    return parse(value) if isinstance(value, str) else value


def _as_texts(value: Any) -> Any:
    """Turn the keys and values of a value mapping into texts, as they stand in a file."""
    if not isinstance(value, dict):
        return value
    for key in (*value, *value.values()):
        if isinstance(key, bool):
            raise ValueError(f"write {str(key).lower()!r} in quotes, as it stands in the file")
    return {str(theirs): str(ours) for theirs, ours in value.items()}


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Condition = Annotated[Rule, BeforeValidator(_as_rule)]
Constant = str | int | float | date


class Frozen(BaseModel):
    """A part of the file: never changed after reading, and refusing what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Case(Frozen):
    """The value ``then`` where the rule ``when`` holds."""

    when: Condition
    then: Constant


class Lookup(Frozen):
    """Another file or table: the row whose ``key`` equals this cell gives its ``value``.

    Where several rows share the key, the one that is first by ``order_by``, then by ``value``, is taken.
    """

    file: str | None = None
    table: str | None = None
    key: str
    value: str
    order_by: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.table is None):
            raise ValueError("a lookup names either `file` or `table`")
        return self


class Column(Frozen):
    """How one canonical column is filled.

    Exactly one of ``column`` (their header; of several, the first that is there), ``constant``, ``cases`` (the first
    rule that holds decides, else ``otherwise``) and ``row: true`` (the number of the row in the file, the first below
    the header being 1: ``R0000001`` as an id, 1 as a number). ``when`` fills only rows where the rule holds; the
    others get ``otherwise``, or NULL. ``blank`` stands for an empty cell; ``split`` keeps the first of several values
    in a cell. ``format`` is one or several strptime formats, tried in turn (``iso`` is the one taken where none is
    given); ``date: true`` keeps the day and never shifts it; ``utc`` overrides the source's. ``remove`` takes texts out
    of a number (``$``, ``,``) and ``scale`` multiplies it. An ``optional`` column may be absent from the file.
    """

    column: Texts = ()
    constant: Constant | None = None
    cases: tuple[Case, ...] = ()
    row: bool = False
    otherwise: Constant | None = None
    when: Condition | None = None
    values: Annotated[Mapping[str, str], BeforeValidator(_as_texts)] = Field(default_factory=dict)
    nulls: Texts = ()
    blank: str | None = None
    split: str | None = Field(default=None, min_length=1)
    format: Texts = ()
    date: bool = False
    utc: bool | None = None
    remove: Texts = ()
    scale: float = 1.0
    lookup: Lookup | None = None
    optional: bool = False
    type: Kind | None = None

    @field_validator("format")
    @classmethod
    def _readable(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for text in set(formats) - {"iso"}:
            try:
                if datetime.strptime(datetime(2024, 1, 31, 9, 30).strftime(text), text).year != 2024:
                    raise ValueError
            except ValueError:
                raise ValueError(f"{text!r} is not a format such as '%d/%m/%Y' or '%m/%d/%y %I:%M %p'") from None
        return formats

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [bool(self.column), self.constant is not None, bool(self.cases), self.row]
        if sum(ways) != 1:
            raise ValueError("say exactly one of `column`, `constant`, `cases` and `row`")
        if self.otherwise is not None and not (self.cases or self.when):
            raise ValueError("`otherwise` needs `cases` or `when`")
        return self


ColumnMap = Annotated[dict[str, Column], BeforeValidator(_as_columns)]


class Attributes(Frozen):
    """Columns kept beside the schema: these, or all that no canonical column was filled from."""

    all: bool = False
    columns: ColumnMap = Field(default_factory=dict)


AttributeMap = Annotated[Attributes, BeforeValidator(_as_attributes)]


class Unpivot(Frozen):
    """Wide time columns turned into stage events: each of ``columns`` (stage: their header) gives a row where filled.

    Headers that are absent are refused, or passed over with ``optional``.
    """

    columns: dict[str, Texts] = Field(min_length=1)
    format: Texts = ()
    date: bool = False
    utc: bool | None = None
    optional: bool = False


class FirstContact(Frozen):
    """Columns that are filled in before, or after, sales first speaks to a lead: by our name or by their header.

    A lead score may use the first and never the second; what is in neither list is audited.
    """

    before: Texts = ()
    after: Texts = ()

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        both = sorted(set(self.before) & set(self.after))
        if both:
            raise ValueError(f"{both[0]!r} stands under `before` and under `after`; leave it in one of them")
        return self
