"""Which leads are scored, at which moment each, and what became of them since: one row a lead, in the engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

import ibis
import ibis.expr.types as ir

from smarketing.company.scoring import Scoring
from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import nearest
from smarketing.measures.journeys import Journeys, days_between, lead_journeys
from smarketing.measures.scope import enrich, restrict
from smarketing.measures.view import View, check_days

AT, STATUS, AGE, CLUSTER, LATEST = "__at", "__status", "__age", "__cluster", "__latest_"
REACHED, LEFT, OPEN = 1, 2, 0


@dataclass(frozen=True)
class Moments:
    """Leads to be scored.

    ``table`` has the columns of leads, dotted those of their accounts (``accounts.x``), ``subject_id``, and: `AT` (the
    scoring moment; NULL where ``dated`` is False), `CLUSTER`, `STATUS` and `AGE` as in `Sample`.
    """

    table: ir.Table
    dated: bool


def moments(view: View, scoring: Scoring, *, labelled: bool = True) -> Moments:
    """Return the leads of a view's scope at their scoring moment.

    A lead is scored ``moment_days`` whole days after its creation: at its creation where that is 0, else at the end of
    that day. Leads whose moment has not come by the as-of day are not scored, nor are those that had left the funnel
    or reached the stage on an earlier day. Of a lead that was recycled, the first pass counts. Where exits are on
    record from some day on only, leads created before it are left out, whatever the treatment the input file declares:
    of the earlier ones, either the exits or the leads that exited are missing. Not ``labelled``, a flat export may lack
    the outcome, and every status is then open.

    Raises
    ------
    MissingTable
        No leads are mapped.
    CompanyError
        The definitions' label does not fit the data: a stage where leads have no days, an outcome where they have some,
        or an outcome that is not a yes-or-no attribute of leads.
    """
    view.company.table("leads")
    if scoring.outcome is None:
        return _dated(view, scoring)
    return _flat(view, scoring.outcome, labelled=labelled)


def _flat(view: View, outcome: str, *, labelled: bool) -> Moments:
    company = view.company
    if company.has_days:
        raise CompanyError(
            f"The score's label is `outcome: {outcome}`, which is for leads without days, and these have `created_at`. "
            "Name `to_stage` and `within_days` under scoring, or mark the leads `undated: true` in the input file."
        )
    rows = restrict(enrich(company, "lead"), view.scope)
    status = _outcome(company.table("leads"), rows, outcome) if labelled else ibis.literal(OPEN, "int64")
    own = ibis.literal("own:") + rows.subject_id
    columns = {AT: ibis.null("timestamp"), STATUS: status, AGE: ibis.literal(0, "int64")}
    return Moments(rows.mutate(**columns, **{CLUSTER: ibis.coalesce(rows.account_id, own)}), dated=False)


def _outcome(leads: ir.Table, rows: ir.Table, outcome: str) -> ir.IntegerValue:
    """Return the status of a flat export's leads; where the outcome is empty, it is not known."""
    if outcome not in leads.columns:
        hint = nearest(outcome, [name for name in leads.columns if leads[name].type().is_boolean()] or leads.columns)
        raise CompanyError(f"The score's `outcome` is {outcome!r}, and leads have no such attribute. {hint}")
    if not leads[outcome].type().is_boolean():
        raise CompanyError(
            f"The score's `outcome` is {outcome!r}, which holds {leads[outcome].type()} and not yes or no. "
            f"Say `{outcome}: {{column: ..., type: boolean}}` under `attributes` in the input file."
        )
    return ibis.cases((rows[outcome], REACHED), (~rows[outcome], LEFT), else_=OPEN).cast("int64")


def _dated(view: View, scoring: Scoring) -> Moments:
    if not view.company.has_days:
        raise CompanyError(
            f"The score's label is reaching {scoring.to_stage!r} within {scoring.within_days} days, and leads have no "
            "days. Name `outcome`, a yes-or-no attribute of leads, under scoring."
        )
    check_days(view.company, "leads")
    journeys = _first_passes(view)
    rows, target = journeys.table, journeys.reached(str(scoring.to_stage))
    at = rows.created_at
    if scoring.moment_days:
        at = at.truncate("D") + ibis.interval(days=scoring.moment_days + 1)
    out = ibis.coalesce(target, rows.exit_at)
    midnight = ibis.literal(datetime.combine(view.as_of, time.min))
    status = ibis.cases((target.notnull(), REACHED), (rows.exit_at.notnull(), LEFT), else_=OPEN).cast("int64")
    age = ibis.greatest(days_between(at, ibis.coalesce(out, midnight)), 0)
    kept = at <= ibis.literal(datetime.combine(view.as_of + timedelta(days=1), time.min))
    kept = kept & (out.isnull() | (out.truncate("D") >= at.truncate("D")))
    exits = {str(scoring.to_stage), *(exit_.stage for exit_ in view.definitions.stages.exits)}
    for observed in view.company.observed_from:
        if set(observed.stages) & exits:
            kept = kept & (rows.created_at >= ibis.literal(datetime.combine(observed.start, time.min)))
    table = rows.mutate(**{AT: at, STATUS: status, AGE: age, CLUSTER: rows.cluster}).filter(kept)
    return Moments(table, dated=True)


def _first_passes(view: View) -> Journeys:
    """Return journeys of leads, the first pass of each."""
    stages = view.definitions.stages
    if stages.recycled_leads == "first_exit":
        return view.leads
    first = view.definitions.model_copy(update={"stages": stages.model_copy(update={"recycled_leads": "first_exit"})})
    found = lead_journeys(view.company, first, view.scope, view.as_of)
    return replace(found, table=found.table.cache())
