"""The one pipeline as journeys: for each lead, and for each deal, when it reached each stage and how it left.

A journey is a row: ``subject_id``, ``cluster`` (its account, or itself where it has none), ``reached_<stage>`` for
every stage of the funnel (NULL where it was not reached by the as-of date), ``exit`` and ``exit_at`` (how and when it
left without winning). A stage that was skipped counts as reached when the next one was. Nothing after the day of the
first exit counts, unless the definitions make each pass of a recycled lead a journey of its own; on that day itself
everything does, because CRMs write the time of some fields and only the date of others. A journey begins when the
lead, or the deal, was created, whatever else is dated before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time

import ibis
import ibis.expr.types as ir

from smarketing.company.definitions import Definitions, Stages
from smarketing.company.tables import Company, CompanyError, ObservedFrom
from smarketing.company.wrong_keys import nearest
from smarketing.measures.periods import Period, day
from smarketing.measures.scope import Scope, Subject, enrich, restrict

FAR = datetime(9999, 12, 31)


@dataclass(frozen=True)
class Journeys:
    """Journeys of one kind of subject, with the enriched columns of the subject beside them."""

    table: ir.Table
    subject: Subject
    stages: Stages
    as_of: date
    observed_from: tuple[ObservedFrom, ...]

    def reached(self, stage: str) -> ir.TimestampValue:
        """When a stage was reached."""
        return self.table[f"reached_{stage}"]


@dataclass(frozen=True)
class Durations:
    """Observation times of one step, a row a journey that entered it.

    Columns: ``cluster``, ``started`` (day), ``first_age`` and ``last_age`` (whole days, both included: R's
    ``Surv(first_age - 1, last_age, ...)``), ``exit`` (``to_stage``, another exit, or NULL while still open), and the
    columns of the subject. Journeys whose end is dated before their start are not in it. ``kinds`` are all exits that
    could happen. ``observed_from`` are the truncations in force, at most one of each treatment (see `in_force`).
    """

    table: ir.Table
    to_stage: str
    kinds: tuple[str, ...]
    as_of: date
    observed_from: tuple[ObservedFrom, ...] = ()

    @property
    def enters_late(self) -> bool:
        """Whether some journeys were under way when observation began."""
        return any(truncated.treatment == "delayed_entry" for truncated in self.observed_from)

    @property
    def complete_from(self) -> date | None:
        """The day from which journeys are followed from their first day on; None where all are."""
        return max((truncated.start for truncated in self.observed_from), default=None)

    def covered(self, period: Period) -> Period:
        """Return the days of a period that are really covered, where earlier entries had to be left out."""
        left_out = [truncated.start for truncated in self.observed_from if truncated.treatment == "whole_cohorts"]
        start = max([period.start, *left_out])
        return period if start == period.start else Period(start, period.end, f"{day(start)} to {day(period.end)}")

    def starting(self, first: date, last: date) -> Durations:
        """Keep the journeys that started on one of these days."""
        days = self.table.started.between(_midnight(first), _midnight(last))
        return replace(self, table=self.table.filter(days))


def check_stages(company: Company, definitions: Definitions) -> None:
    """Raise `CompanyError` where the event log holds a stage the definitions do not know."""
    if not company.has("stage_events"):
        return
    events = company.table("stage_events")
    known = definitions.stages.names
    strange = (
        events.filter(events.stage.notin(known))
        .group_by("stage")
        .aggregate(rows=lambda t: t.count(), first=lambda t: t.subject_id.min())
        .order_by(ibis.desc("rows"), "stage")
        .limit(5)
        .execute()
    )
    if len(strange):
        row = strange.iloc[0]
        raise CompanyError(
            f"stage_events.stage holds {row['stage']!r} in {row['rows']:,} rows (first subject {row['first']!r}), "
            f"which the definitions do not know. {nearest(str(row['stage']), known)} "
            "Map the value in the input file, or add the stage to the definitions."
        )


def lead_journeys(company: Company, definitions: Definitions, scope: Scope, as_of: date) -> Journeys:
    """Build the journeys of leads, their deals included, from the event log of a company cut at ``as_of``."""
    stages = definitions.stages
    leads = restrict(enrich(company, "lead"), scope)
    if company.has("opportunities"):
        deals = company.table("opportunities")
        wrong = deals.filter(_wrongly_closed(deals) & deals.lead_id.notnull()).select(of="lead_id").distinct()
        leads = leads.anti_join(wrong, leads.subject_id == wrong.of)
    each_spell = stages.recycled_leads == "each_spell"
    log = _lead_log(company, stages)
    passes = ["journey", "spell"] if each_spell else ["journey"]
    pivot = (
        (log if each_spell else log.filter(log.spell == 1))
        .group_by(*passes)
        .aggregate(**{f"at_{name}": log.at.min(where=log.stage == name) for name in stages.names})
    )
    rows = leads.left_join(pivot, leads.subject_id == pivot.journey).drop("journey")
    first = stages.funnel[0].stage
    # The creation of a lead is its entry into the first stage, whatever the log says of it.
    began = rows.created_at
    if each_spell:
        again = _earliest(rows[f"at_{name}"].fill_null(_far()) for name in stages.names)
        began = (rows.spell.fill_null(1) == 1).ifelse(began, again)
    rows = rows.mutate(**{f"at_{first}": began})
    # A person stays one person, however often they pass.
    rows = rows.mutate(own=ibis.literal("own:") + rows.subject_id)
    if each_spell:
        rows = rows.mutate(subject_id=rows.subject_id + "#" + rows.spell.fill_null(1).cast("string"))
    return _journeys(rows, "lead", first, stages, company, as_of)


def deal_journeys(company: Company, definitions: Definitions, scope: Scope, as_of: date) -> Journeys:
    """Build the journeys of deals; those closed without a date, or before they opened, are left out (DR09)."""
    stages = definitions.stages
    first = stages.first_deal_stage
    if first is None:
        raise CompanyError("The definitions have no stage that deals enter. Add one with subject: opportunity.")
    deals = restrict(enrich(company, "opportunity"), scope)
    deals = deals.filter(~_wrongly_closed(deals))
    columns = {f"at_{first.stage}": deals.created_at, f"at_{stages.win.stage}": _closed(deals, "won")}
    columns |= {f"at_{e.stage}": _closed(deals, "lost") for e in stages.exits if e.stage == "lost"}
    between = _logged_of_deals(stages)
    rows = deals.mutate(**columns)
    if between and company.has("stage_events"):
        log = company.table("stage_events").filter(lambda t: t.subject_kind == "opportunity")
        pivot = log.group_by(journey=log.subject_id).aggregate(
            **{f"at_{name}": log.at.min(where=log.stage == name) for name in between}
        )
        rows = rows.left_join(pivot, rows.subject_id == pivot.journey).drop("journey")
    else:
        rows = rows.mutate(**{f"at_{name}": ibis.null("timestamp") for name in between})
    rows = rows.mutate(
        own=ibis.literal("own:") + rows.subject_id,
        **{f"at_{s.stage}": rows[f"at_{first.stage}"] for s in stages.funnel if s.subject == "lead"},
    )
    return _journeys(rows, "opportunity", first.stage, stages, company, as_of)


def durations(journeys: Journeys, stage: str, to_stage: str) -> Durations:
    """Return the observation times from one stage of the funnel to a later one, with every competing exit.

    Where a company records exits only from some day on (`ObservedFrom`), either only journeys that started on or
    after it are kept (``whole_cohorts``), or the others enter observation late (``delayed_entry``); where both are
    declared, both (see `in_force`).
    """
    rows = journeys.table
    start, target, exit_at = journeys.reached(stage), journeys.reached(to_stage), rows.exit_at
    out = ibis.coalesce(target, exit_at)
    end = ibis.literal(datetime.combine(journeys.as_of, time.min))
    kind = target.notnull().ifelse(to_stage, rows.exit)
    table = rows.filter(start.notnull()).mutate(
        started=start.truncate("D"),
        exit=kind,
        first_age=ibis.literal(0, "int64"),
        last_age=days_between(start, ibis.coalesce(out, end)),
    )
    kinds = (to_stage, *(e.stage for e in journeys.stages.exits))
    truncations = in_force(journeys.observed_from, kinds)
    for truncated in truncations:
        since = ibis.literal(datetime.combine(truncated.start, time.min))
        if truncated.treatment == "whole_cohorts":
            table = table.filter(table.started >= since)
        else:
            table = table.mutate(first_age=ibis.greatest(days_between(table.started, since), 0))
    table = table.filter(table.last_age >= table.first_age)
    return Durations(table, to_stage, kinds, journeys.as_of, truncations)


def in_force(declared: Iterable[ObservedFrom], kinds: Iterable[str]) -> tuple[ObservedFrom, ...]:
    """Return the truncations that a step with these exits is under: the latest of each treatment, whole cohorts first.

    The two can be honoured together, so neither is refused and neither wins. Journeys that started before the day of
    whole cohorts are biased and go; of the others, those that had left before the day of delayed entry are absent, so
    whoever is present is followed from that day on, given that they had not left in any way by then. A delayed entry
    no later than whole cohorts delays nobody and is left out.
    """
    touching = [one for one in declared if set(one.stages) & set(kinds)]
    whole, late = (
        max((one for one in touching if one.treatment == treatment), key=lambda one: one.start, default=None)
        for treatment in ("whole_cohorts", "delayed_entry")
    )
    if whole is not None and late is not None and late.start <= whole.start:
        late = None
    return tuple(one for one in (whole, late) if one is not None)


def days_between(start: ir.TimestampValue, end: ir.TimestampValue) -> ir.IntegerValue:
    """Return whole calendar days from one time to another: a date-only field and a time on that day are 0 apart."""
    return end.date().delta(start.date(), unit="day").cast("int64")


def _lead_log(company: Company, stages: Stages) -> ir.Table:
    """All events of leads and of their deals: ``journey`` (the lead), ``spell``, ``stage``, ``at``.

    What the opportunities table says of a deal's opening and closing is what counts; the log only adds the stages
    between and the spell. A deal whose spell is not logged belongs to the latest pass of its lead that had begun.
    """
    parts: list[ir.Table] = []
    deals: ir.Table | None = None
    if company.has("opportunities"):
        linked = company.table("opportunities").filter(lambda t: t.lead_id.notnull())
        kept = linked.select("opportunity_id", "lead_id", "created_at", "closed_at", "outcome")
        deals = kept.mutate(spell=ibis.literal(1, "int64"))
    if company.has("stage_events"):
        events = company.table("stage_events")
        # Some systems number passes from 0.
        lowest = events.spell.min().to_pyarrow().as_py()
        events = events.mutate(logged=events.spell if lowest else events.spell + 1)
        events = events.mutate(spell=events.logged.fill_null(1))
        of_leads = events.filter(events.subject_kind == "lead")
        parts.append(of_leads.select("spell", "stage", "at", journey="subject_id"))
        of_deals = events.filter(events.subject_kind == "opportunity")
        if deals is not None:
            deals = _in_passes(deals, of_leads, of_deals)
            found = of_deals.filter(of_deals.stage.isin(_logged_of_deals(stages)))
            found = found.select("logged", "stage", "at", deal="subject_id")
            found = found.inner_join(deals, found.deal == deals.opportunity_id)
            found = found.mutate(spell=ibis.coalesce(found.logged, found.spell))
            parts.append(found.select("spell", "stage", "at", journey=found.lead_id))
    first = stages.first_deal_stage
    if deals is not None and first is not None:
        for stage, at in (
            (first.stage, deals.created_at),
            (stages.win.stage, _closed(deals, "won")),
            ("lost", _closed(deals, "lost")),
        ):
            dated = deals.select(spell=deals.spell, stage=ibis.literal(stage), at=at, journey=deals.lead_id)
            parts.append(dated.filter(dated.at.notnull()))
    if not parts:
        raise CompanyError(
            "No stages are recorded: neither a `stage_events` nor an `opportunities` table is mapped. "
            "Map one of them in the input file."
        )
    # Engines report times at different precisions, and a union wants one.
    kinds = {"journey": "string", "spell": "int64", "stage": "string", "at": "timestamp(6)"}
    same = [part.select(*kinds).cast(kinds) for part in parts]
    return ibis.union(*same) if len(same) > 1 else same[0]


def _in_passes(deals: ir.Table, of_leads: ir.Table, of_deals: ir.Table) -> ir.Table:
    """Give each deal its ``spell``: as logged, else the latest pass of its lead that began by the day it was created.

    The first pass needs no search, so only later ones are looked up, and only by days: a time and a date may meet.
    """
    spells = of_deals.group_by(deal=of_deals.subject_id).aggregate(logged=of_deals.logged.min())
    deals = deals.drop("spell").left_join(spells, deals.opportunity_id == spells.deal).drop("deal")
    again = of_leads.filter(of_leads.spell > 1).select("spell", "at", passing="subject_id")
    theirs = of_deals.filter(of_deals.logged > 1).select("at", deal="subject_id", spell="logged")
    theirs = theirs.inner_join(deals, theirs.deal == deals.opportunity_id)
    again = again.union(theirs.select("spell", "at", passing="lead_id"))
    began = again.group_by("passing", again=again.spell).aggregate(began=again["at"].min())
    unsaid = deals.filter(deals.logged.isnull()).select(searched="opportunity_id", of="lead_id", on="created_at")
    by_then = [unsaid.of == began.passing, began.began.truncate("D") <= unsaid.on.truncate("D")]
    met = unsaid.inner_join(began, by_then)
    latest = met.group_by("searched").aggregate(latest=met.again.max())
    deals = deals.left_join(latest, deals.opportunity_id == latest.searched).drop("searched")
    return deals.mutate(spell=ibis.coalesce(deals.logged, deals.latest, ibis.literal(1, "int64"))).drop(
        "logged", "latest"
    )


def _journeys(rows: ir.Table, subject: Subject, entry: str, stages: Stages, company: Company, as_of: date) -> Journeys:
    """Turn first times in each stage (``at_<stage>``) into when each was reached by the day of the first exit.

    Every row is in the stage ``entry`` from its creation on, and in the stages before it.
    """
    at = {name: rows[f"at_{name}"].fill_null(_far()) for name in stages.names}
    exits = [e.stage for e in stages.exits]
    left = _earliest(at[name] for name in exits) if exits else _far()
    day_after = left.truncate("D") + ibis.interval(days=1)
    reached, names = {}, [stage.stage for stage in stages.funnel]
    for position, name in enumerate(names):
        when = _earliest(at[later] for later in names[position:])
        inside = (when < day_after).ifelse(when, ibis.null("timestamp")).nullif(_far())
        reached[f"reached_{name}"] = at[entry] if position <= names.index(entry) else inside
    won = reached[f"reached_{stages.win.stage}"]
    exit_at = won.isnull().ifelse(left, ibis.null("timestamp")).nullif(_far())
    kind = ibis.cases(*((at[name] == left, name) for name in exits), else_=None) if exits else ibis.null("string")
    table = rows.mutate(**reached, exit_at=exit_at, cluster=ibis.coalesce(rows.account_id, rows.own)).drop("own")
    table = table.mutate(exit=table.exit_at.isnull().ifelse(ibis.null("string"), kind))
    return Journeys(table.drop(*(f"at_{name}" for name in at)), subject, stages, as_of, company.observed_from)


def _logged_of_deals(stages: Stages) -> list[str]:
    """The stages of deals that only the event log knows: those between opening and win, and exits other than lost."""
    between = [stage.stage for stage in stages.funnel if stage.subject == "opportunity"][1:-1]
    return between + [exit_.stage for exit_ in stages.exits if exit_.stage != "lost"]


def _wrongly_closed(deals: ir.Table) -> ir.BooleanValue:
    """Whether a deal is closed without a closing date, or before it was opened: no journey can be told from it."""
    backwards = (deals.closed_at.truncate("D") < deals.created_at.truncate("D")).fill_null(False)
    return ((deals.outcome != "open") & deals.closed_at.isnull()) | backwards


def _closed(deals: ir.Table, outcome: str) -> ir.TimestampValue:
    return (deals.outcome == outcome).ifelse(deals.closed_at, ibis.null("timestamp"))


def _earliest(values: Iterable[ir.TimestampValue]) -> ir.TimestampValue:
    several = list(values)
    return ibis.least(*several) if len(several) > 1 else several[0]


def _far() -> ir.TimestampScalar:
    return ibis.literal(FAR)


def _midnight(day: date) -> ir.TimestampScalar:
    return ibis.literal(datetime.combine(day, time.min))
