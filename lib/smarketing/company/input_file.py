"""What an input file (``params/inputs/*.yml``) may say: where a company's data is and how it maps to our tables.

::

    name: Example Inc.
    currency: EUR                     # of amounts that carry no currency of their own
    time_zone: Europe/Berlin          # the company's; times marked `utc: true` are shifted to it
    nulls: ['N/A']                    # texts that mean "not recorded", in every file
    data:                             # where the files are: `--data` beats the variable, which beats the folder
      env: EXAMPLE_DATA
      folder: data/example            # from the project folder, the one that holds params/
    tables:
      leads:                          # a canonical table (see tables.py); a list of sources is stacked
        file: leads*.csv              # CSV, Parquet or a glob below the data folder
        where: "IsDeleted == '0'"     # rows kept, in the rule language of expressions.py, over their columns
        columns:                      # canonical column: theirs
          lead_id: Id
          created_at: {column: CreatedDate, format: '%d/%m/%Y', utc: true}
          source: {column: [LeadSource, Source], values: {Web: website}, nulls: [Select]}
        attributes: [Industry]        # kept beside the schema, under snake-case names; or `all`; or name: column
    observed_from:
      - {stages: [won], start: 2017-12-05, treatment: whole_cohorts, because: won dates start that day}

Instead of ``data``: ``demo: {leads: 20000, seed: 7, folder: data/demo}`` builds the demo company on first use, and
``connection: {backend: postgres, url_env: WAREHOUSE_URL}`` reads tables (``table: schema.name``) of a warehouse; its
address, with its password, stands in that environment variable and nowhere else.

Blank cells of a CSV file are NULL; the text ``unknown`` is a value like any other. A header is found by its exact name
first, then in any letter case, then by its snake-case form, so that a mapping of ``LeadSource`` also reads a warehouse
copy's ``lead_source``. Rules may name a column by its header or by that snake-case form (``is_closed_won``); a cell of
a CSV file is text to them, so a ``where`` that needs times or numbers names the canonical column, as it is mapped:
``ours.created_at >= '2023-01-01'``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from smarketing.company.expressions import Rule, parse
from smarketing.company.tables import SCHEMAS, CompanyError, Kind
from smarketing.company.wrong_keys import BESIDES, explain, nearest
from smarketing.company.yaml_file import read_yaml


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


def _as_stacks(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: said if isinstance(said, list) else [said] for name, said in value.items()}


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

    Exactly one of ``column`` (their header; of several, the first that is there), ``constant`` and ``cases`` (the first
    rule that holds decides, else ``otherwise``). ``when`` fills only rows where the rule holds; the others get
    ``otherwise``, or NULL. ``blank`` stands for an empty cell; ``split`` keeps the first of several values in a cell.
    ``format`` is one or several strptime formats, tried in turn (``iso`` is the one taken where none is given);
    ``date: true`` keeps the day and never shifts it; ``utc`` overrides the source's. ``remove`` takes texts out of a
    number (``$``, ``,``) and ``scale`` multiplies it. An ``optional`` column may be absent from the file.
    """

    column: Texts = ()
    constant: Constant | None = None
    cases: tuple[Case, ...] = ()
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
        ways = [bool(self.column), self.constant is not None, bool(self.cases)]
        if sum(ways) != 1:
            raise ValueError("say exactly one of `column`, `constant` and `cases`")
        if self.otherwise is not None and not (self.cases or self.when):
            raise ValueError("`otherwise` needs `cases` or `when`")
        return self


ColumnMap = Annotated[dict[str, Column], BeforeValidator(_as_columns)]


class Attributes(Frozen):
    """Columns kept beside the schema: these, or all that no canonical column was filled from."""

    all: bool = False
    columns: ColumnMap = Field(default_factory=dict)


class Unpivot(Frozen):
    """Wide time columns turned into stage events: each of ``columns`` (stage: their header) gives a row where filled.

    Headers that are absent are refused, or passed over with ``optional``.
    """

    columns: dict[str, Texts] = Field(min_length=1)
    format: Texts = ()
    date: bool = False
    utc: bool | None = None
    optional: bool = False


class TableSource(Frozen):
    """A file, a glob or a warehouse table, and how its columns fill one canonical table.

    Without ``columns``, headers that are canonical names are taken as they are. Rows are left out, and counted in the
    company's notes, where the flag ``deleted`` (their header) is set, where the rule ``where`` does not hold, where
    ``latest_by`` (their header) says that another row of the same key is newer, and where a column of
    ``drop_without`` (canonical column: why) is empty. ``footer`` lists patterns (``*`` for any text) of first cells at
    the end of a CSV file that are no data. ``spells_after`` names stages after which a lead begins a new spell, where
    a log does not number them. An ``optional`` source may be missing or empty.
    """

    file: str | None = None
    table: str | None = None
    optional: bool = False
    columns: ColumnMap = Field(default_factory=dict)
    attributes: Annotated[Attributes, BeforeValidator(_as_attributes)] = Attributes()
    where: Condition | None = None
    deleted: str | None = None
    nulls: Texts = ()
    utc: bool = False
    footer: Texts = ()
    encoding: str = "utf-8"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    unpivot: Unpivot | None = None
    drop_without: dict[str, str] = Field(default_factory=dict)
    latest_by: str | None = None
    spells_after: Texts = ()

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.table is None):
            raise ValueError("a source names either `file` or `table`")
        return self


class Data(Frozen):
    """Where the files are: an environment variable, a folder from the project folder on, or both."""

    env: str | None = None
    folder: str | None = None


class Demo(Frozen):
    """The simulated company, built below the project folder on first use."""

    leads: int = Field(default=20_000, ge=100)
    seed: int = 7
    as_of: date | None = None
    folder: str = "data/demo"


class Connection(Frozen):
    """A warehouse: its ibis backend, and the environment variable that holds its address."""

    backend: Literal["postgres", "duckdb", "snowflake", "bigquery", "trino", "pyspark"]
    url_env: str


class Observed(Frozen):
    """Exits into these stages are recorded from a day on only (see `tables.ObservedFrom`)."""

    stages: Texts = Field(min_length=1)
    start: date
    treatment: Literal["whole_cohorts", "delayed_entry"]
    because: str = ""


class Inputs(Frozen):
    """An input file. See the module's docstring for its shape."""

    name: str = Field(min_length=1)
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    time_zone: str = "UTC"
    nulls: Texts = ()
    data: Data | None = None
    demo: Demo | None = None
    connection: Connection | None = None
    tables: Annotated[dict[str, tuple[TableSource, ...]], BeforeValidator(_as_stacks)] = Field(default_factory=dict)
    observed_from: tuple[Observed, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("is not a time zone; write it as Europe/Berlin or America/New_York") from None
        return zone

    @model_validator(mode="after")
    def _places_agree(self) -> Self:
        if sum(place is not None for place in (self.data, self.demo, self.connection)) != 1:
            raise ValueError("say exactly one of `data`, `demo` and `connection`")
        if not self.tables and self.demo is None:
            raise ValueError("`tables` is missing: map at least `leads` or `opportunities`")
        wanted = "file" if self.connection is None else "table"
        for name, sources in self.tables.items():
            for source in sources:
                if getattr(source, wanted) is None:
                    what = "`data`" if wanted == "file" else "`connection`"
                    raise ValueError(f"tables.{name}: with {what}, a source names a `{wanted}`")
        return self

    @model_validator(mode="after")
    def _canonical_names(self) -> Self:
        wrong: list[str] = []
        for name, sources in self.tables.items():
            if name not in SCHEMAS:
                wrong.append(f"tables.{name}: there is no such table. {nearest(name, SCHEMAS)}")
                continue
            known = SCHEMAS[name].columns
            for source in sources:
                for column in dict.fromkeys((*source.columns, *source.drop_without)):
                    if column not in known:
                        hint = nearest(column, known)
                        wrong.append(f"tables.{name}.columns.{column}: there is no such column. {hint}")
                for clash in (column for column in source.attributes.columns if column in known):
                    wrong.append(f"tables.{name}.attributes.{clash}: is a canonical column; map it under `columns`")
                for key in ("unpivot", "spells_after"):
                    if getattr(source, key) and name != "stage_events":
                        wrong.append(f"tables.{name}.{key}: is for stage_events only")
        if wrong:
            raise ValueError(BESIDES.join(wrong))
        return self


def read_inputs(path: Path) -> Inputs:
    """Read an input file.

    Raises
    ------
    CompanyError
        The file is missing, is not YAML, or says what the model does not know: with the place and the nearest name.
    """
    said = read_yaml(path, what="input file")
    try:
        return Inputs.model_validate(said)
    except ValidationError as error:
        raise CompanyError(explain(error, Inputs, Path(path).name)) from None
