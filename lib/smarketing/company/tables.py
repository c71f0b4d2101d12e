"""The canonical tables: what a row of each means, and a company opened as those tables.

Every time is a naive timestamp in the company's own time zone; a date-only field is midnight of that date and is never
shifted. Money is in the row's ``currency`` (the company's currency where that is empty). A column the company does not
record is present and NULL, so that a measure can always name it; `Company.records` tells the two apart. Columns beyond
the schema are attributes and keep their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Literal

import ibis
import ibis.expr.types as ir

Kind = Literal["string", "int64", "float64", "boolean", "timestamp"]
Known = Literal["before", "after"]


@dataclass(frozen=True)
class Schema:
    """A canonical table: what a row is, the columns that identify it, those it cannot do without, and all it knows."""

    row: str
    key: tuple[str, ...]
    required: tuple[str, ...]
    columns: Mapping[str, Kind]


def _schema(row: str, key: str, required: str, **names: str) -> Schema:
    """Build a schema from space-separated column names grouped by type."""
    kinds: dict[Kind, str] = names  # type: ignore[assignment]
    columns = {name: kind for kind, group in kinds.items() for name in group.split()}
    return Schema(row, tuple(key.split()), tuple(required.split()), columns)


SCHEMAS: Mapping[str, Schema] = {
    "accounts": _schema(
        "a company that is or could be a customer",
        "account_id",
        "account_id",
        string="account_id parent_id name domain industry country region",
        int64="employees",
        float64="annual_revenue",
        boolean="target_account",
        timestamp="created_at",
    ),
    "leads": _schema(
        "a person's interest, recorded once",
        "lead_id",
        "lead_id created_at",
        string="lead_id account_id source campaign_id owner_id",
        timestamp="created_at",
    ),
    "stage_events": _schema(
        "a lead or a deal entering a stage",
        "",
        "subject_id subject_kind stage at",
        string="subject_id subject_kind stage actor_id reason",
        int64="spell",
        timestamp="at",
    ),
    "opportunities": _schema(
        "a deal",
        "opportunity_id",
        "opportunity_id created_at outcome",
        string="opportunity_id account_id lead_id product stage currency outcome loss_reason competitor source_team "
        "owner_id kind",
        float64="amount",
        timestamp="created_at closed_at expected_close",
    ),
    "opportunity_history": _schema(
        "a change of a deal",
        "",
        "opportunity_id at",
        string="opportunity_id stage",
        float64="amount",
        timestamp="at expected_close",
    ),
    "opportunity_contacts": _schema(
        "a person on a deal (buying group)",
        "",
        "opportunity_id lead_id",
        string="opportunity_id lead_id role",
    ),
    "touches": _schema(
        "a marketing contact",
        "touch_id",
        "touch_id at",
        string="touch_id lead_id account_id campaign_id channel landing_page content_id",
        timestamp="at",
    ),
    "activities": _schema(
        "a sales action, or (of the kind `reply`) what a lead answered",
        "",
        "at kind",
        string="lead_id opportunity_id kind owner_id",
        timestamp="at",
    ),
    "owners": _schema(
        "a person who owns leads or deals, for a time",
        "",
        "owner_id",
        string="owner_id name team manager region calendar",
        timestamp="from to",
    ),
    "campaigns": _schema("a campaign", "campaign_id", "campaign_id", string="campaign_id channel name"),
    "spend": _schema(
        "money spent on a campaign",
        "",
        "campaign_id at amount",
        string="campaign_id",
        float64="amount",
        timestamp="at",
    ),
    "products": _schema("what is sold", "product", "product", string="product family", float64="price"),
    "targets": _schema(
        "a planned value of a metric in a period",
        "",
        "metric period value",
        string="metric period scope",
        float64="value",
    ),
    "scores": _schema(
        "a score given",
        "",
        "subject_id system at",
        string="subject_id system band",
        float64="score",
        timestamp="at",
    ),
    "assignments": _schema(
        "an assignment to an arm of an experiment",
        "",
        "experiment unit_kind unit_id arm",
        string="experiment unit_kind unit_id arm stratum",
        timestamp="assigned_at",
    ),
}

OUTCOMES = ("open", "won", "lost")
REPLY = "reply"
"""The kind of activity that a lead does by itself: an action of nobody, whoever it is logged under."""


class CompanyError(ValueError):
    """Input that is malformed: names the table, the column, the first rows and the remedy."""


class Faults(CompanyError):
    """Several things that are wrong with one input, told at once; ``faults`` has a message each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def faults_of(error: CompanyError) -> tuple[str, ...]:
    """Return what an error says is wrong, a message each."""
    return error.faults if isinstance(error, Faults) else (str(error),)


class MissingTable(LookupError):
    """A table that this company does not map; a section that needs it is not applicable."""

    def __init__(self, table: str) -> None:
        super().__init__(f"no `{table}` table is mapped")
        self.table = table


class NotRecorded(MissingTable):
    """A stage that no mapped table ever records; what needs it is not applicable."""

    def __init__(self, stage: str) -> None:
        LookupError.__init__(self, f"no entry into {stage} is on record")
        self.table = stage


class NoDays(MissingTable):
    """Leads of a flat export carry no day; what follows them over time is not applicable."""

    def __init__(self) -> None:
        LookupError.__init__(self, "no day is recorded for leads, so they cannot be followed over time")
        self.table = "leads"


@dataclass(frozen=True)
class Source:
    """A file or table that was read: its canonical table, its name, its SHA-256 (empty for a connection), its rows."""

    table: str
    name: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class ObservedFrom:
    """Exits into ``stages`` are recorded from ``start`` on only.

    ``whole_cohorts``: subjects that exited earlier are still in the file and look open, so only those that entered on
    or after ``start`` can be used. ``delayed_entry``: subjects that exited earlier are absent, so the others are under
    observation from ``start`` on.
    """

    stages: tuple[str, ...]
    start: date
    treatment: Literal["whole_cohorts", "delayed_entry"]
    because: str = ""


@dataclass(frozen=True)
class Company:
    """A company's canonical tables as ibis expressions on one engine, and what is known of where they come from.

    ``recorded`` holds, per mapped table, the columns that the company really fills. ``known`` holds, per table, the
    columns that the input file declares as filled in before or after sales first speaks to a lead. ``as_of`` is None
    until `known_at` has cut the tables at a day.
    """

    name: str
    backend: ibis.BaseBackend
    tables: Mapping[str, ir.Table]
    recorded: Mapping[str, frozenset[str]]
    currency: str = "USD"
    sources: tuple[Source, ...] = ()
    observed_from: tuple[ObservedFrom, ...] = ()
    as_of: date | None = None
    notes: tuple[str, ...] = field(default=())
    known: Mapping[str, Mapping[str, Known]] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return the company in one line, as a notebook's cell prints it."""
        known = f", as of {self.as_of}" if self.as_of else ""
        return f"<Company {self.name}{known}: {', '.join(self.tables) or 'no tables'}>"

    def has(self, table: str) -> bool:
        """Whether the table is mapped."""
        return table in self.tables

    def table(self, name: str) -> ir.Table:
        """Return a mapped table, or raise `MissingTable`."""
        if name not in self.tables:
            raise MissingTable(name)
        return self.tables[name]

    def records(self, table: str, column: str) -> bool:
        """Whether the company fills this column (False too where the table is not mapped)."""
        return column in self.recorded.get(table, frozenset())

    @property
    def has_days(self) -> bool:
        """Whether leads or deals carry a day; a flat export marked ``undated`` has none."""
        return self.has("opportunities") or self.records("leads", "created_at")

    def known_at(self, as_of: date) -> Company:
        """Return the company as it was known at the end of ``as_of``: later rows are gone, later closings still open.

        Values that a CRM overwrites in place (an amount, an owner) stay as they are today; only history tables can
        say what they were. Leads of a flat export, which have no day, all stay, and so do assignments without one.
        """
        end = ibis.literal(datetime.combine(as_of + timedelta(days=1), time.min))
        cut = dict(self.tables)
        for name, clock in (
            ("leads", "created_at"),
            ("opportunities", "created_at"),
            ("stage_events", "at"),
            ("opportunity_history", "at"),
            ("touches", "at"),
            ("activities", "at"),
            ("spend", "at"),
            ("scores", "at"),
            ("assignments", "assigned_at"),
        ):
            if name in cut:
                at = cut[name][clock]
                undated = name == "assignments" or (name == "leads" and not self.records("leads", "created_at"))
                cut[name] = cut[name].filter((at < end) | at.isnull() if undated else at < end)
        if "opportunities" in cut:
            deals = cut["opportunities"]
            later = (deals.closed_at >= end).fill_null(False)
            cut["opportunities"] = deals.mutate(
                outcome=later.ifelse("open", deals.outcome),
                closed_at=later.ifelse(ibis.null("timestamp"), deals.closed_at),
                loss_reason=later.ifelse(ibis.null("string"), deals.loss_reason),
                competitor=later.ifelse(ibis.null("string"), deals.competitor),
            )
        return replace(self, tables=cut, as_of=as_of)
