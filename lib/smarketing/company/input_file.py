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
        attributes: [Industry, Rating]  # kept beside the schema, under snake-case names; or `all`; or name: column
        known:                        # filled in before, or after, sales first speaks to a lead (see below)
          before: [source, Industry]
          after: [Rating]
    observed_from:
      - {stages: [won], start: 2017-12-05, treatment: whole_cohorts, because: won dates start that day}

Instead of ``data``: ``demo: {leads: 20000, seed: 7, folder: data/demo}`` builds the demo company on first use (each of
its tables is taken as it is unless ``tables`` says otherwise), and
``connection: {backend: postgres, url_env: WAREHOUSE_URL}`` reads tables (``table: schema.name``) of a warehouse; its
address, with its password, stands in that environment variable and nowhere else.

Blank cells of a CSV file are NULL; the text ``unknown`` is a value like any other. A header is found by its exact name
first, then in any letter case, then by its snake-case form, so that a mapping of ``LeadSource`` also reads a warehouse
copy's ``lead_source``. Rules may name a column by its header or by that snake-case form (``is_closed_won``); a cell of
a CSV file is text to them, so a ``where`` that needs times or numbers names the canonical column, as it is mapped:
``ours.created_at >= '2023-01-01'``.

``known`` is for the lead score, which may use what is known of a lead before sales speaks to it and nothing that was
filled in because they did. It names columns of the source by our name or by their header. What has no day and stands
in neither list is audited. Where several sources fill a table, what one of them says holds for all.

``undated: true`` on every source of ``leads`` marks a flat export: a table without any day, such as a scoring table
somebody prepared. ``created_at`` is then not mapped, and NULL; nothing can be followed over time, so there is no
pipeline to review, but leads can be scored. ``{row: true}`` numbers the rows of a file that has no ids::

    leads:
      file: customers.csv
      undated: true
      columns: {lead_id: {row: true}}   # R0000001, R0000002, ...
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from smarketing.company.input_columns import (
    AttributeMap,
    Attributes,
    ColumnMap,
    Condition,
    FirstContact,
    Frozen,
    Texts,
    Unpivot,
)
from smarketing.company.tables import SCHEMAS, CompanyError
from smarketing.company.wrong_keys import BESIDES, explain, nearest
from smarketing.company.yaml_file import read_yaml

DATED = ("stage_events", "opportunities", "opportunity_history", "touches", "activities", "scores")
"""Tables that say what happened to leads and deals on which day."""


def _as_stacks(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: said if isinstance(said, list) else [said] for name, said in value.items()}


class TableSource(Frozen):
    """A file, a glob or a warehouse table, and how its columns fill one canonical table.

    Without ``columns``, headers that are canonical names are taken as they are. Rows are left out, and counted in the
    company's notes, where the flag ``deleted`` (their header) is set, where the rule ``where`` does not hold, where
    ``latest_by`` (their header) says that another row of the same key is newer, and where a column of
    ``drop_without`` (canonical column: why) is empty. ``footer`` lists patterns (``*`` for any text) of first cells at
    the end of a CSV file that are no data. ``spells_after`` names stages after which a lead begins a new spell, where
    a log does not number them. An ``optional`` source may be missing or empty. ``known`` says which columns are filled
    in before and after first contact with sales; ``undated`` marks leads without any day.
    """

    file: str | None = None
    table: str | None = None
    optional: bool = False
    columns: ColumnMap = Field(default_factory=dict)
    attributes: AttributeMap = Attributes()
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
    known: FirstContact = FirstContact()
    undated: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.table is None):
            raise ValueError("a source names either `file` or `table`")
        return self

    def required(self, table: str) -> tuple[str, ...]:
        """Return the columns of a table that no row may lack; leads without days need no ``created_at``."""
        needed = SCHEMAS[table].required
        return tuple(column for column in needed if not (self.undated and column == "created_at"))


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

    @model_validator(mode="after")
    def _undated_leads_stand_alone(self) -> Self:
        undated = {name for name, sources in self.tables.items() if any(source.undated for source in sources)}
        if not undated:
            return self
        if undated != {"leads"}:
            raise ValueError(f"tables.{min(undated - {'leads'})}.undated: is for leads only")
        if any("created_at" in source.columns for source in self.tables["leads"]):
            raise ValueError("tables.leads: is `undated`, and maps `created_at`; take one of the two out")
        if not all(source.undated for source in self.tables["leads"]):
            raise ValueError("tables.leads: some of its sources are `undated` and some are not; leave one kind out")
        dated = [name for name in self.tables if name in DATED]
        if dated:
            raise ValueError(
                f"tables.{dated[0]}: its rows have days, and leads are `undated`, so they cannot be put in order; map "
                f"`created_at` of leads, or leave {dated[0]} out"
            )
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
