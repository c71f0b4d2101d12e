"""What became of the units of an experiment since they were dealt: a row a unit, in the engine.

Only what is dated on or after the assignment and within the horizon is an outcome. A unit that had reached a stage
before it was dealt cannot be moved to it any more, and is left out of that metric: that was so before chance decided,
so both arms lose the same kind of unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time

import ibis
import ibis.expr.types as ir

from smarketing.company.protocol import Metric, Protocol
from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import nearest
from smarketing.measures.exact import cents
from smarketing.measures.experiments import covariates
from smarketing.measures.experiments.covariates import COVARIATE, Filling, exact_mean, number, one_or_zero
from smarketing.measures.experiments.units import EXAMPLES, Units
from smarketing.measures.experiments.whole import MONEY, SHARE, YES_OR_NO, Parts, parts_between, ranges
from smarketing.measures.journeys import days_between
from smarketing.measures.scope import enrich, restrict
from smarketing.measures.view import View

UNIT, ARM, AT, STRATUM, OVER, SIZE, KNOWN = (
    "__unit", "__arm", "__at", "__stratum", "__over", "__size", "__known",
)  # fmt: skip
OUTCOME, COUNT, SEGMENT, WHOLE = "y_", "n_", "s_", "w_"


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """Units with their outcomes, a row each.

    ``table``: `UNIT`, `ARM`, `AT`, `STRATUM`; `KNOWN`, whether the company's tables hold the unit at all; `OVER`,
    whether its horizon is over; `SIZE`, the leads that it had when it was dealt (1 for a lead); an outcome a metric
    (``y_<name>``, NULL where the unit is left out of it; for an account the sum over its leads), the leads that can
    have it (``n_<name>``), a covariate each (``x_<name>``, of accounts the mean of their leads) and a segment each
    (``s_<name>``). ``words`` are the covariates' columns in words. Covariates, and outcomes of leads, are kept as whole
    numbers (``w_<column>``) as ``parts`` says, and ``table`` makes them from those.
    """

    units: Units
    table: ir.Table
    words: Mapping[str, str]
    parts: Mapping[str, Parts]


def observed(view: View, units: Units) -> Observed:
    """Bring together units and what became of them by the as-of day.

    Raises
    ------
    MissingTable
        Leads, or the table that a metric is read from, are not mapped.
    CompanyError
        A metric, covariate or segment is not in the data, is of the wrong type, or is declared as recorded after what
        it may not be after; leads were created after they were dealt; a dated metric is asked of undated units; none
        of the units is in the data.
    """
    protocol = units.protocol
    leads = _leads(view)
    _check_names(view, leads, units)
    dealt = units.table.rename({UNIT: "unit_id", ARM: "arm", AT: "at", STRATUM: "stratum"})
    if protocol.unit == "lead":
        rows = _pass_when_dealt(view, dealt.left_join(leads, dealt[UNIT] == leads["__key"]), UNIT)
        _refuse_later_created(view, rows, units)
        filled = covariates.fillings(protocol, rows)
        rows = _with_outcomes(view, units, rows)
        rows = rows.mutate(**{KNOWN: rows["__key"].notnull(), SIZE: ibis.literal(1, "int8")})
        table = _chosen(units, rows, filled)
    else:
        members = _members(view, units, dealt, leads)
        filled = covariates.fillings(protocol, members)
        table = _of_accounts(view, units, dealt, members, filled)
    parts = _parts(protocol, leads, filled)
    kept = {name: WHOLE + name for name in parts if name in table.columns}
    table = table.mutate(**{kept[name]: parts[name].whole(table[name]) for name in kept}).drop(*kept).cache()
    _refuse_unknown(units, table)
    parts = {name: parts[name] for name in kept}
    return Observed(
        units=units,
        table=table.mutate(**{name: parts[name].value(table[kept[name]]) for name in kept}),
        words=covariates.words(filled),
        parts=parts | _measured(table, parts),
    )


def _leads(view: View) -> ir.Table:
    """Return leads of the scope with their journeys where they have days; ``__key`` is their id as text.

    A recycled lead whose passes are journeys of their own is there with each of them.
    """
    if not view.company.has_days:
        rows = restrict(enrich(view.company, "lead"), view.scope)
        return rows.mutate(__key=rows.subject_id.cast("string"))
    rows = view.leads.table
    key = rows.subject_id
    if _in_passes(view):
        suffix = ibis.literal("#") + rows.spell.fill_null(1).cast("string")
        key = key.left(key.length() - suffix.length())
    return rows.mutate(__key=key)


def _parts(protocol: Protocol, leads: ir.Table, filled: Mapping[str, Filling]) -> dict[str, Parts]:
    """Say how columns are kept; of accounts, whose outcomes are added up in Python, only the covariates."""
    found = dict.fromkeys(covariates.words(filled), YES_OR_NO if protocol.unit == "lead" else SHARE)
    values = {COVARIATE + name: number(leads[name]) for name, filling in filled.items() if filling.levels is None}
    for name, metric in protocol.metrics.items() if protocol.unit == "lead" else ():
        found[OUTCOME + name] = MONEY if metric.source == "amount" else YES_OR_NO
        if metric.attribute is None:
            continue
        if metric.cap is not None or not leads[metric.attribute].type().is_boolean():
            values[OUTCOME + name] = _cap(number(leads[metric.attribute]), metric)
    return found | {column: parts_between(*span) for column, span in ranges(leads, values).items()}


def _measured(table: ir.Table, parts: Mapping[str, Parts]) -> dict[str, Parts]:
    """Return the parts of columns whose range was not known before, with the most that they hold."""
    open_ended = [name for name, one in parts.items() if math.isinf(one.largest)]
    spans = ranges(table, {name: table[WHOLE + name].abs().cast("float64") for name in open_ended})
    return {name: replace(parts[name], largest=high) for name, (_, high) in spans.items()}


def _in_passes(view: View) -> bool:
    return view.company.has_days and view.definitions.stages.recycled_leads == "each_spell"


def _pass_when_dealt(view: View, rows: ir.Table, unit: str) -> ir.Table:
    """Keep of each lead the pass that it was in when it was dealt: the latest that had begun by that day."""
    if not _in_passes(view):
        return rows
    began = rows[f"reached_{view.definitions.stages.funnel[0].stage}"]
    later = (began.truncate("D") > rows[AT].truncate("D")).fill_null(False).ifelse(1, 0)
    number = rows.spell.fill_null(1)
    # Of those that had begun the latest comes first, of the others the earliest.
    order = [later, (later == 1).ifelse(number, -number)]
    place = ibis.row_number().over(ibis.window(group_by=rows[unit], order_by=order))
    ranked = rows.mutate(__place=place)
    return ranked.filter(ranked["__place"] == 0).drop("__place")


def _check_names(view: View, leads: ir.Table, units: Units) -> None:
    protocol, where = units.protocol, f"The protocol of {units.protocol.name!r}"
    known = view.company.known.get("leads", {})
    for name in (*protocol.covariates, *protocol.segments):
        if name not in leads.columns:
            raise CompanyError(f"{where} names the attribute {name!r}, and leads have none. {_near(name, leads)}")
        if known.get(name) == "after":
            raise CompanyError(
                f"{where} names {name!r} as known before the assignment, and the input file declares it as filled in "
                "`after`. Take it out, or correct the declaration."
            )
    for name in protocol.covariates:
        kind = leads[name].type()
        if not (kind.is_boolean() or kind.is_numeric() or kind.is_string()):
            raise CompanyError(
                f"{where} has the covariate {name!r}, which holds {kind} and neither yes or no, a number nor text. "
                "Name another attribute."
            )
    for name, metric in protocol.metrics.items():
        if metric.attribute is not None:
            if metric.attribute not in leads.columns:
                raise CompanyError(
                    f"{where} reads the metric {name!r} from the attribute {metric.attribute!r}, and leads have none. "
                    f"{_near(metric.attribute, leads)}"
                )
            kind = leads[metric.attribute].type()
            if not (kind.is_boolean() or kind.is_numeric()):
                raise CompanyError(
                    f"{where} reads the metric {name!r} from leads.{metric.attribute}, which holds {kind} and neither "
                    "yes or no nor a number. Give it its `type` in the input file."
                )
            if known.get(metric.attribute) == "before":
                raise CompanyError(
                    f"{where} reads the metric {name!r} from leads.{metric.attribute}, which the input file declares "
                    "as known `before`: an outcome is recorded after the assignment. Name another attribute."
                )
        elif not units.dated:
            raise CompanyError(
                f"{where} has the metric {name!r}, which happens within {protocol.horizon_days} days after the "
                "assignment, and no unit has a time of assignment. Map assignments.assigned_at."
            )
        elif metric.stage is not None:
            stages = [stage.stage for stage in view.definitions.stages.funnel]
            if metric.stage not in stages:
                raise CompanyError(
                    f"{where} has the metric {name!r} of the stage {metric.stage!r}, which the definitions do not "
                    f"have. {nearest(metric.stage, stages)}"
                )


def _near(name: str, leads: ir.Table) -> str:
    return nearest(name, [column for column in leads.columns if not column.startswith(("__", "reached_"))])


def _refuse_later_created(view: View, rows: ir.Table, units: Units) -> None:
    if not (units.dated and view.company.has_days):
        return
    later = rows.filter(rows.created_at.truncate("D") > rows[AT].truncate("D"))
    count = int(later.count().execute())
    if count:
        first = later.order_by(UNIT).limit(EXAMPLES).select(UNIT, "created_at", AT).to_pyarrow().to_pylist()
        said = ", ".join(f"{row[UNIT]} (created {row['created_at']}, dealt {row[AT]})" for row in first)
        what = "lead" if count == 1 else "leads"
        were = "was created after it was" if count == 1 else "were created after they were"
        raise CompanyError(
            f"{count:,} {what} of the experiment {units.protocol.name!r} {were} dealt: {said}. "
            "Outcomes before an assignment are none of it: correct assignments.assigned_at."
        )


def _refuse_unknown(units: Units, table: ir.Table) -> None:
    asked = table.aggregate(n=table.count(), known=table[KNOWN].ifelse(1, 0).sum(), first=table[UNIT].min())
    found = asked.to_pyarrow().to_pylist()[0]
    if not found["known"]:
        unit = units.protocol.unit
        column, missing = ("lead_id", "is") if unit == "lead" else ("account_id", "has a lead")
        raise CompanyError(
            f"None of the {found['n']:,} {unit}s that were dealt in the experiment {units.protocol.name!r}, such as "
            f"{found['first']}, {missing} in leads.{column} within the scope. Give assignments the ids that leads have."
        )


def _members(view: View, units: Units, dealt: ir.Table, leads: ir.Table) -> ir.Table:
    """Return the leads that accounts had when they were dealt."""
    protocol = units.protocol
    if not view.company.records("leads", "account_id"):
        raise CompanyError(
            f"The experiment {protocol.name!r} was dealt to accounts, and leads.account_id is not recorded. Map it in "
            "the input file."
        )
    members = dealt.inner_join(leads, dealt[UNIT] == leads.account_id.cast("string"))
    if units.dated and view.company.has_days:
        members = members.filter(members.created_at.truncate("D") <= members[AT].truncate("D"))
    return _pass_when_dealt(view, members, "__key")


def _of_accounts(
    view: View, units: Units, dealt: ir.Table, members: ir.Table, filled: Mapping[str, Filling]
) -> ir.Table:
    """Add up, by account, the leads that were there when it was dealt, and its money."""
    protocol = units.protocol
    rows = _with_outcomes(view, units, members)
    rows = rows.mutate(**covariates.columns(filled, rows))
    by_lead = [name for name, metric in protocol.metrics.items() if metric.source != "amount"]
    sums: dict[str, ir.Value] = {SIZE: rows.count()}
    for name in by_lead:
        sums |= {OUTCOME + name: rows[OUTCOME + name].sum(), COUNT + name: rows[OUTCOME + name].count()}
    sums |= {name: exact_mean(rows[name]) for name in rows.columns if name.startswith(COVARIATE)}
    sums |= {SEGMENT + name: rows[name].cast("string").min() for name in protocol.segments}
    counted = rows.group_by(of=rows[UNIT]).aggregate(**sums)
    table = dealt.left_join(counted, dealt[UNIT] == counted.of)
    table = table.mutate(**{KNOWN: table.of.notnull(), OVER: _over(view, units, table)}).drop("of")
    zero = [SIZE, *(part + name for name in by_lead for part in (OUTCOME, COUNT))]
    table = table.mutate(**{name: table[name].fill_null(0) for name in zero})
    for name in (name for name in protocol.metrics if name not in by_lead):
        metric = protocol.metrics[name]
        money = _money(view, units, dealt, metric, "account_id")
        joined = table.left_join(money, table[UNIT] == money.of).drop("of")
        value = _cap(joined["__value"].fill_null(0.0), metric)
        table = joined.mutate(**{OUTCOME + name: value, COUNT + name: joined[SIZE]}).drop("__value")
    blank = {SEGMENT + name: table[SEGMENT + name].fill_null("(blank)") for name in protocol.segments}
    return table.mutate(**blank)


def _with_outcomes(view: View, units: Units, rows: ir.Table) -> ir.Table:
    """Add the outcome of every metric to rows of leads that carry their unit's arm and time.

    Money of accounts is not their leads': it is added afterwards.
    """
    protocol = units.protocol
    there = rows["__key"].notnull()
    for name, metric in protocol.metrics.items():
        if metric.source == "amount" and protocol.unit == "account":
            continue
        if metric.source in ("activity", "amount"):
            counted = (
                _acted(view, units, rows, metric) if metric.activity else _money(view, units, rows, metric, "lead_id")
            )
            joined = rows.left_join(counted, rows["__key"] == counted.of).drop("of")
            value = joined["__value"].fill_null(0.0)
            there = joined["__key"].notnull()
            rows = joined.mutate(**{OUTCOME + name: there.ifelse(value, ibis.null("float64"))}).drop("__value")
        elif metric.stage is not None:
            rows = rows.mutate(**{OUTCOME + name: _reached(units, rows, metric.stage)})
        else:
            rows = rows.mutate(**{OUTCOME + name: number(rows[str(metric.attribute)])})
        rows = rows.mutate(**{OUTCOME + name: _cap(rows[OUTCOME + name], metric)})
    return rows.mutate(**{OVER: _over(view, units, rows)})


def _over(view: View, units: Units, rows: ir.Table) -> ir.BooleanValue:
    if not units.dated or units.protocol.horizon_days is None:
        return ibis.literal(True)
    last = ibis.literal(datetime.combine(view.as_of, time.min))
    return days_between(rows[AT], last) >= units.protocol.horizon_days


def _reached(units: Units, rows: ir.Table, stage: str) -> ir.FloatingValue:
    at, column = rows[AT], rows[f"reached_{stage}"]
    before = (~_not_before(column, at)).fill_null(False)
    inside = (days_between(at, column) <= units.protocol.horizon_days).fill_null(False)
    value = one_or_zero(column.notnull() & inside)
    return (rows["__key"].isnull() | before).ifelse(ibis.null("float64"), value)


def _not_before(when: ir.TimestampValue, at: ir.TimestampValue) -> ir.BooleanValue:
    """Whether something was on or after an assignment: a date without a time of day may be later on the same day."""
    return (when == when.truncate("D")).ifelse(when >= at.truncate("D"), when >= at)


def _acted(view: View, units: Units, rows: ir.Table, metric: Metric) -> ir.Table:
    """Return the leads with an activity of the metric's kind within the horizon: ``of`` and ``__value`` 1."""
    leads = rows.filter(rows["__key"].notnull()).select("__key", __dealt=rows[AT])
    events = view.company.table("activities").filter(lambda t: t.kind == metric.activity)
    events = events.select(lead=events.lead_id.cast("string"), when=events["at"])
    joined = events.inner_join(leads, events.lead == leads["__key"])
    joined = joined.filter(_not_before(joined.when, joined["__dealt"]))
    joined = joined.filter(days_between(joined["__dealt"], joined.when) <= units.protocol.horizon_days)
    return joined.select(of="__key").distinct().mutate(__value=ibis.literal(1).cast("float64"))


def _money(view: View, units: Units, rows: ir.Table, metric: Metric, whose: str) -> ir.Table:
    """Return the money of leads' (``lead_id``) or accounts' deals within the horizon: ``of`` and ``__value``.

    A deal without an amount brings nothing.
    """
    key = "__key" if whose == "lead_id" else UNIT
    owners = rows.filter(rows[key].notnull()).select(of=rows[key], __dealt=rows[AT])
    win = view.definitions.stages.win.stage
    deals = view.deals.table
    when = deals.created_at if metric.amount == "created" else view.deals.reached(win)
    deals = deals.select(whose=deals[whose].cast("string"), when=when, cents=cents(deals.amount.fill_null(0.0)))
    joined = deals.inner_join(owners, deals.whose == owners.of)
    joined = joined.filter(_not_before(joined.when, joined["__dealt"]))
    joined = joined.filter(days_between(joined["__dealt"], joined.when) <= units.protocol.horizon_days)
    return joined.group_by("of").aggregate(__value=joined.cents.sum().cast("float64") / 100.0)


def _chosen(units: Units, rows: ir.Table, filled: Mapping[str, Filling]) -> ir.Table:
    kept = [UNIT, ARM, AT, STRATUM, KNOWN, OVER, SIZE]
    outcomes = {OUTCOME + name: rows[OUTCOME + name] for name in units.protocol.metrics}
    segments = {SEGMENT + name: rows[name].cast("string").fill_null("(blank)") for name in units.protocol.segments}
    return rows.select(*kept, **outcomes, **segments, **covariates.columns(filled, rows))


def _cap(value: ir.FloatingValue, metric: Metric) -> ir.FloatingValue:
    # Engines' LEAST passes over a NULL: a unit without a value would have the cap.
    return value if metric.cap is None else (value > metric.cap).ifelse(metric.cap, value)
