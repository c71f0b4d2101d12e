"""What a measure looks at: a company as of a day, in a scope, under the definitions in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, TypeVar

import ibis
import ibis.expr.types as ir

from smarketing.company.definitions import Definitions, Stage
from smarketing.company.tables import Company, CompanyError, MissingTable, NoDays, ObservedFrom
from smarketing.measures.journeys import (
    Durations,
    Journeys,
    check_stages,
    deal_journeys,
    durations,
    lead_journeys,
)
from smarketing.measures.periods import Calendar, Period, calendar, day
from smarketing.measures.privacy import shown
from smarketing.measures.results import NotApplicable
from smarketing.measures.scope import Scope, Subject, check_scope
from smarketing.measures.truncation import missing_exits

Answer = TypeVar("Answer")

MANY_WITHOUT = 0.02
"""Where more than this share has no account, counting by account says little: a blank account is no company."""


@dataclass(frozen=True)
class OnRecord:
    """The first and last day with anything on record, and the day from which all of it is (None: from the first).

    Outside these days nothing on record is not the same as nothing.
    """

    first: date
    last: date
    complete_from: date | None

    def covers(self, period: Period) -> bool:
        """Whether a period has its full count."""
        cut = self.complete_from is not None and period.start < self.complete_from
        return not cut and period.end >= self.first and period.start <= self.last


@dataclass(frozen=True)
class View:
    """A company as of a day, in a scope, under definitions; made by `view`.

    ``asked`` is the day the report is for; ``as_of`` the last day that is complete: ``asked`` less the reporting delay
    of the definitions. Where the company has no days (a flat export), both are only what the report is labelled with.
    """

    company: Company
    definitions: Definitions
    scope: Scope
    as_of: date
    asked: date
    redact: bool = False

    def __repr__(self) -> str:
        """Return the view in one line, as a notebook's cell prints it; names as a report may print them."""
        parts = [f"{name} {self.shown(value, name)}" for name, value in self.scope.parts.items()]
        scope, tables = ", ".join(parts) or self.scope.label, ", ".join(self.company.tables)
        return f"<View of {self.company.name}, {scope}, as of {self.as_of}: {tables}>"

    @cached_property
    def calendar(self) -> Calendar:
        """The report's weeks, months and windows."""
        return calendar(self.as_of, self.definitions)

    @cached_property
    def leads(self) -> Journeys:
        """Journeys of leads, materialised once in the engine; `MissingTable` where no leads, or no days, are mapped."""
        check_days(self.company, "leads")
        return _kept(lead_journeys(self.company, self.definitions, self.scope, self.as_of))

    @cached_property
    def deals(self) -> Journeys:
        """Journeys of deals with ``amount`` in the reporting currency; `MissingTable` where no deals are mapped."""
        self.company.table("opportunities")
        journeys = deal_journeys(self.company, self.definitions, self.scope, self.as_of)
        table = journeys.table.mutate(amount=self._in_reporting_currency(journeys.table))
        return _kept(Journeys(table, journeys.subject, journeys.stages, journeys.as_of, journeys.observed_from))

    def journeys(self, stage: str) -> Journeys:
        """Return the journeys of whoever enters a stage: leads or deals."""
        return self.leads if self.subject(stage) == "lead" else self.deals

    def subject(self, stage: str) -> Subject:
        """Return whether leads or deals enter a stage."""
        return self.definitions.stages.stage(stage).subject

    def step(self, stage: str, to_stage: str) -> Durations:
        """Return the observation times of a step of the funnel."""
        return durations(self.journeys(stage), stage, to_stage)

    @cached_property
    def first_stage(self) -> Stage:
        """The funnel's first stage that the company's tables record; `MissingTable` where they record none."""
        for stage in self.definitions.stages.funnel:
            if not has_step(self, stage.stage):
                return stage
        raise MissingTable("leads` or `opportunities")

    def entering(self, stage: str, to_stage: str, period: Period) -> Durations:
        """Return the observation times of a step for those who entered in a period."""
        return self.step(stage, to_stage).starting(period.start, period.end)

    def cohort(self, back: int = 0) -> Period:
        """Return the days in which a cohort enters; ``back`` = 1 is the cohort before."""
        days = self.definitions.windows.cohort_days
        end = self.as_of - timedelta(days=back * days)
        start = end - timedelta(days=days - 1)
        return Period(start, end, f"{day(start)} to {day(end)}")

    def ask(self, measure: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer | NotApplicable:
        """Measure this view; a table or column that the company lacks makes it not applicable, with the reason."""
        try:
            return measure(self, *arguments, **options)
        except MissingTable as missing:
            return NotApplicable(str(missing))

    def shown(self, value: str, column: str) -> str:
        """Return a value of a column as it may be printed."""
        return shown(value, column, self.definitions.privacy, redact=self.redact)

    def words(self, stage: str) -> str:
        """Return what those who enter a stage are called within a sentence: leads, MQLs, engaged deals."""
        plural = self.definitions.stages.stage(stage).plural
        return plural if plural[1:2].isupper() else plural[:1].lower() + plural[1:]

    def knows_accounts(self, stage: str) -> bool:
        """Whether those who enter a stage carry an account, so that intervals can keep an account's together."""
        table = "leads" if self.subject(stage) == "lead" else "opportunities"
        return self.company.records(table, "account_id")

    def without_account(self, stage: str) -> float:
        """Return the share of those who enter a stage that carry no account."""
        rows = self.journeys(stage).table
        counts = rows.aggregate(n=rows.count(), blank=rows.account_id.isnull().ifelse(1, 0).sum()).execute().iloc[0]
        return float(counts["blank"]) / float(counts["n"]) if counts["n"] else 0.0

    @cached_property
    def recorded_stages(self) -> frozenset[str]:
        """The stages that the company's tables really record, whether or not anybody in the scope reached them."""
        found = {self.first_stage.stage}
        if self.company.has("stage_events"):
            found |= set(self.company.table("stage_events").select("stage").distinct().stage.execute())
        first_deal = self.definitions.stages.first_deal_stage
        if self.company.has("opportunities") and first_deal is not None:
            found |= {first_deal.stage, self.definitions.stages.win.stage}
        return frozenset(found)

    def on_record(self, kind: str, stage: str | None = None) -> OnRecord:
        """Return between which days what a figure counts is on record, in the whole company."""
        deals = kind in ("created", "won") or self.subject(str(stage)) == "opportunity"
        table = self.company.table("opportunities" if deals else "leads")
        clocks = [table.created_at, *([table.closed_at] if kind == "won" else [])]
        ends = (
            table.aggregate(first=table.created_at.min(), **{f"last{i}": clock.max() for i, clock in enumerate(clocks)})
            .execute()
            .iloc[0]
        )
        first, lasts = ends["first"], [ends[f"last{i}"] for i in range(len(clocks))]
        last = max((moment for moment in lasts if moment == moment), default=first)
        none = first != first
        cuts = [o.start for o in self.company.observed_from if kind == "won" or o.treatment == "delayed_entry"]
        return OnRecord(
            first=self.as_of if none else first.date(),
            last=self.as_of if none else last.date(),
            complete_from=max(cuts, default=None),
        )

    def precision(self, stage: str) -> str:
        """Say what the intervals of those who enter a stage rest on."""
        if self.knows_accounts(stage):
            alone = self.without_account(stage)
            apart = f" {alone:.1%} have no account and count one by one." if alone > MANY_WITHOUT else ""
            return f"95% intervals keep the {self.words(stage)} of an account together.{apart}"
        return f"No account is recorded for {self.words(stage)}, so 95% intervals treat them as independent."

    def _in_reporting_currency(self, deals: ir.Table) -> ir.FloatingValue:
        money = self.definitions.money
        rates = {money.reporting_currency: 1.0, **money.rates}
        currency = deals.currency.fill_null(self.company.currency)
        used = deals.select(currency=currency).distinct().currency.execute()
        missing = sorted(set(used) - set(rates))
        if missing:
            raise CompanyError(
                f"opportunities.currency holds {missing[0]!r}, and the definitions give no rate into "
                f"{money.reporting_currency}. Add it under money.rates."
            )
        rate = ibis.cases(*((currency == code, value) for code, value in rates.items()), else_=None)
        return deals.amount * rate


def view(
    company: Company, definitions: Definitions, as_of: date, scope: Scope | None = None, *, redact: bool = False
) -> View:
    """Cut a company at a day and a scope; raise `CompanyError` for unknown stages and for scopes that match nothing.

    ``redact`` replaces account and owner names by pseudonyms, whatever the definitions allow.
    """
    scope = scope or Scope()
    last_complete = as_of - timedelta(days=definitions.windows.reporting_delay_days)
    check_stages(company, definitions)
    known = company.known_at(last_complete)
    check_scope(known, scope)
    found = View(known, definitions, scope, last_complete, as_of, redact)
    # When exits began to be recorded is a fact of the company: one region has too few to notice it, or looks as if.
    unsaid = tuple(_unsaid(found))
    return replace(found, company=replace(known, observed_from=unsaid)) if unsaid else found


def _unsaid(view: View) -> Iterator[ObservedFrom]:
    """Notice exits that are missing before some day, in the whole company, where the input file does not say so."""
    if view.company.observed_from or not view.company.has_days:
        return
    funnel = view.definitions.stages.funnel
    first_deal = view.definitions.stages.first_deal_stage
    for stage in dict.fromkeys(s for s in (funnel[0], first_deal) if s is not None):
        if stage.stage != funnel[-1].stage and not has_step(view, stage.stage):
            steps = durations(_unscoped(view, stage), stage.stage, funnel[-1].stage)
            missing = missing_exits(steps)
            if missing is not None:
                yield missing.as_observed_from(steps.kinds)
                return


def _unscoped(view: View, stage: Stage) -> Journeys:
    """Return the journeys of a stage's subjects whatever the scope; amounts, in whatever currency, play no part."""
    if not view.scope.parts:
        return view.journeys(stage.stage)
    build = lead_journeys if stage.subject == "lead" else deal_journeys
    return _kept(build(view.company, view.definitions, Scope(), view.as_of))


def last_day(company: Company) -> date:
    """Return the last day on which a company's data record anything, the as-of day of a run that names none.

    Raises
    ------
    CompanyError
        Nothing has a day, as in a flat export.
    """
    clocks = (
        ("leads", "created_at"),
        ("stage_events", "at"),
        ("opportunities", "created_at"),
        ("opportunities", "closed_at"),
    )
    latest = [company.table(table)[column].max().execute() for table, column in clocks if company.has(table)]
    found = [moment for moment in latest if moment is not None and moment == moment]
    if not found:
        raise CompanyError(
            "No lead, deal or stage event has a date, so there is no day to report as of. "
            "Name `as_of`, the day on which the data were exported."
        )
    return max(found).date()


def has_step(view: View, stage: str) -> str:
    """Return why a stage cannot be counted (the table that is not mapped), or an empty text."""
    try:
        check_days(view.company, "leads" if view.subject(stage) == "lead" else "opportunities")
    except MissingTable as missing:
        return str(missing)
    return ""


def check_days(company: Company, table: str) -> None:
    """Raise `MissingTable` where leads or deals are not mapped, and its kind `NoDays` where leads carry no day."""
    company.table(table)
    if table == "leads" and not company.has_days:
        raise NoDays


def _kept(journeys: Journeys) -> Journeys:
    return Journeys(journeys.table.cache(), journeys.subject, journeys.stages, journeys.as_of, journeys.observed_from)
