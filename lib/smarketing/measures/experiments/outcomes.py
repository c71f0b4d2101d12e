"""What became of the units of an experiment since they were dealt: a row a unit, in the engine.

Only what is dated on or after the assignment and within the horizon is an outcome. A unit that had reached a stage
before it was dealt cannot be moved to it any more, and is left out of that metric: that was so before chance decided,
so both arms lose the same kind of unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time

import ibis
import ibis.expr.types as ir

from smarketing.company.protocol import Metric
from smarketing.company.tables import CompanyError
from smarketing.measures.exact import cents
from smarketing.measures.experiments.asked import check_names
from smarketing.measures.experiments.units import EXAMPLES, Units
from smarketing.measures.journeys import days_between
from smarketing.measures.scope import enrich, restrict
from smarketing.measures.view import View

UNIT, ARM, AT, STRATUM, OVER, SIZE, KNOWN = (
    "__unit", "__arm", "__at", "__stratum", "__over", "__size", "__known",
)  # fmt: skip
OUTCOME, COUNT, COVARIATE, SEGMENT = "y_", "n_", "x_", "s_"
MOST_LEVELS = 10
"""A text has a covariate for each of its commonest values but one, at most so many."""
PARTS = 1e6


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """Units with their outcomes, a row each.

    ``table``: `UNIT`, `ARM`, `AT`, `STRATUM`; `KNOWN`, whether the company's tables hold the unit at all; `OVER`,
    whether its horizon is over; `SIZE`, the leads that it had when it was dealt (1 for a lead); an outcome a metric
    (``y_<name>``, NULL where the unit is left out of it; for an account the sum over its leads), the leads that can
    have it (``n_<name>``), a covariate each (``x_<name>``, of accounts the mean of their leads) and a segment each
    (``s_<name>``). ``words`` are the covariates' columns in words: a text's are one a value.
    """

    units: Units
    table: ir.Table
    words: Mapping[str, str]

    def outcome(self, metric: str) -> ir.FloatingValue:
        """Return a metric's column."""
        return self.table[OUTCOME + metric]


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
    check_names(view, leads, units)
    dealt = units.table.rename({UNIT: "unit_id", ARM: "arm", AT: "at", STRATUM: "stratum"})
    if protocol.unit == "lead":
        rows = _pass_when_dealt(view, dealt.left_join(leads, dealt[UNIT] == leads["__key"]), UNIT)
        _refuse_later_created(view, rows, units)
        rows = _with_outcomes(view, units, rows)
        rows = rows.mutate(**{KNOWN: rows["__key"].notnull(), SIZE: ibis.literal(1, "int64")})
        known, words = _covariates(units, rows)
        table = _chosen(units, rows, known)
    else:
        table, words = _of_accounts(view, units, dealt, leads)
    table = table.cache()
    _refuse_unknown(units, table)
    return Observed(units=units, table=table, words=words)


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


def _of_accounts(view: View, units: Units, dealt: ir.Table, leads: ir.Table) -> tuple[ir.Table, dict[str, str]]:
    """Add up, by account, the leads that were there when it was dealt, and its money."""
    protocol = units.protocol
    if not view.company.records("leads", "account_id"):
        raise CompanyError(
            f"The experiment {protocol.name!r} was dealt to accounts, and leads.account_id is not recorded. Map it in "
            "the input file."
        )
    members = dealt.inner_join(leads, dealt[UNIT] == leads.account_id.cast("string"))
    if units.dated and view.company.has_days:
        members = members.filter(members.created_at.truncate("D") <= members[AT].truncate("D"))
    members = _pass_when_dealt(view, members, "__key")
    rows = _with_outcomes(view, units, members)
    known, words = _covariates(units, rows)
    rows = rows.mutate(**known)
    by_lead = [name for name, metric in protocol.metrics.items() if metric.source != "amount"]
    sums: dict[str, ir.Value] = {SIZE: rows.count()}
    for name in by_lead:
        sums |= {OUTCOME + name: rows[OUTCOME + name].sum(), COUNT + name: rows[OUTCOME + name].count()}
    sums |= {name: _exact_mean(rows[name]) for name in rows.columns if name.startswith(COVARIATE)}
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
    return table.mutate(**blank), words


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
            rows = rows.mutate(**{OUTCOME + name: _number(rows[str(metric.attribute)])})
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
    value = (column.notnull() & inside).ifelse(1.0, 0.0)
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
    return joined.select(of="__key").distinct().mutate(__value=ibis.literal(1.0))


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


def _number(value: ir.Value) -> ir.FloatingValue:
    if value.type().is_boolean():
        return ibis.cases((value, 1.0), (~value, 0.0), else_=None).cast("float64")
    number = value.cast("float64")
    if value.type().is_floating():
        return (number.isnan() | number.isinf()).ifelse(ibis.null("float64"), number)
    return number


def _covariates(units: Units, rows: ir.Table) -> tuple[dict[str, ir.Value], dict[str, str]]:
    """Return covariates as numbers, and each in words.

    A yes or no is 1 and 0, a text has one column for each of its values but one.

    What is missing is the column's mean (0 for a text's columns), with a column of its own that says so: a unit is
    never lost for a covariate. Units that were not found say nothing of it.
    """
    found: dict[str, ir.Value] = {}
    words: dict[str, str] = {}
    there = rows.filter(rows["__key"].notnull())
    for name in units.protocol.covariates:
        said = name.replace("_", " ")
        column = rows[name]
        if column.type().is_string():
            counts = there.filter(there[name].notnull()).group_by(value=name).aggregate(n=lambda t: t.count())
            common = counts.order_by(ibis.desc("n"), "value").limit(MOST_LEVELS + 1).to_pyarrow()["value"].to_pylist()
            for place, value in enumerate(common[1:], 1):
                found[f"{COVARIATE}{name}_{place}"] = (column == value).fill_null(False).ifelse(1.0, 0.0)
                words[f"{COVARIATE}{name}_{place}"] = f"{said} {value}"
            given, known = column, there[name]
        else:
            given, known = _number(column), _number(there[name])
            mean = there.aggregate(mean=_exact_mean(known)).to_pyarrow()["mean"][0].as_py()
            found[f"{COVARIATE}{name}"] = given.fill_null(float(mean or 0.0))
            words[f"{COVARIATE}{name}"] = said
        asked = there.aggregate(n=there.count(), known=known.count()).to_pyarrow().to_pylist()[0]
        if 0 < asked["known"] < asked["n"]:
            found[f"{COVARIATE}{name}_missing"] = given.isnull().ifelse(1.0, 0.0)
            words[f"{COVARIATE}{name}_missing"] = f"{said} missing"
    return found, words


def _exact_mean(value: ir.FloatingValue) -> ir.FloatingValue:
    """Return a mean that does not depend on the order of adding."""
    return whole_parts(value).sum().cast("float64") / value.count().cast("float64").nullif(0.0) / PARTS


def whole_parts(value: ir.FloatingValue) -> ir.DecimalValue:
    """Return a number as whole millionths, wide enough to be summed: the order of adding then does not matter."""
    return (value * PARTS).round().cast("int64").cast("decimal(38, 0)")


def _chosen(units: Units, rows: ir.Table, known: Mapping[str, ir.Value]) -> ir.Table:
    kept = [UNIT, ARM, AT, STRATUM, KNOWN, OVER, SIZE]
    outcomes = {OUTCOME + name: rows[OUTCOME + name] for name in units.protocol.metrics}
    segments = {SEGMENT + name: rows[name].cast("string").fill_null("(blank)") for name in units.protocol.segments}
    return rows.select(*kept, **outcomes, **segments, **known)


def _cap(value: ir.FloatingValue, metric: Metric) -> ir.FloatingValue:
    # Engines' LEAST passes over a NULL: a unit without a value would have the cap.
    return value if metric.cap is None else (value > metric.cap).ifelse(metric.cap, value)
