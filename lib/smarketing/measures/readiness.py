"""Whether the data can carry a report: questions with a code a team can quote, answered before any number is shown.

A failed check that is an error stops the report; a warning is printed with its remedy. One aggregate query a question.
Each is asked of the report's scope; where it can only be asked of the whole company, the answer of a scoped report says
so.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator

import ibis
import ibis.expr.types as ir

from smarketing.company.tables import CompanyError, NoDays, ObservedFrom
from smarketing.measures.results import Check, Outcome
from smarketing.measures.scope import Subject, enrich, restrict
from smarketing.measures.view import View, has_step

WHOLE = " (in the whole company, not in the scope alone)"


def checks(view: View) -> list[Check]:
    """Ask every question that the mapped tables allow; the others are "not applicable" with the reason."""
    return [*_ground(view), *_leads(view), *_deals(view)]


def worst(found: list[Check]) -> Outcome:
    """Return the worst outcome of several checks."""
    order: tuple[Outcome, ...] = ("failed", "warning", "passed", "not applicable")
    return min((check.outcome for check in found), key=order.index, default="not applicable")


def _ground(view: View) -> Iterator[Check]:
    first = view.definitions.stages.funnel
    recorded = [stage.stage for stage in first if not has_step(view, stage.stage)]
    question = "Does anything enter the funnel in the reported days?"
    if not view.company.has_days and view.company.has("leads"):
        yield Check(code="DR01", question=question, outcome="not applicable", detail=str(NoDays()))
        return
    if not recorded:
        yield Check(
            code="DR01",
            question=question,
            outcome="failed",
            error=True,
            detail="neither a `leads` nor an `opportunities` table is mapped",
            remedy="Map one of them in the input file.",
        )
        return
    now, entered = view.cohort(), view.journeys(recorded[0]).reached(recorded[0])
    rows = view.journeys(recorded[0]).table
    inside = rows.filter(entered.truncate("D").between(_midnight(now.start), _midnight(now.end)))
    counts = inside.aggregate(n=inside.count()).execute()["n"][0]
    latest = rows.aggregate(last=entered.max()).execute()["last"][0]
    words, word = view.words(recorded[0]), view.definitions.stages.label(recorded[0])
    yield Check(
        code="DR01",
        question=question,
        outcome="passed" if counts else "failed",
        error=True,
        detail=f"{counts:,} {words} entered {now.label}"
        if counts
        else f"no {words} entered {now.label}; the last on record did so on {latest:%Y-%m-%d}"
        if latest == latest and latest is not None
        else f"no {words} are on record by {view.as_of}",
        remedy="" if counts else "Choose an as-of day within the data, or widen the scope.",
    )
    question = "Are the last days complete?"
    if counts:
        quiet = (view.as_of - latest.date()).days
        yield Check(
            code="DR02",
            question=question,
            outcome="passed" if quiet <= 7 else "warning",
            detail=f"the last {word} entered {quiet} days before the as-of day"
            if quiet
            else f"the last {word} entered on the as-of day",
            remedy="" if quiet <= 7 else "If entries are missing rather than absent, report as of an earlier day.",
        )
    truncated = view.company.observed_from
    question = "Are exits on record for as long as entries?"
    if truncated:
        yield Check(
            code="DR03",
            question=question,
            outcome="warning",
            detail=". ".join(_truncated(view, one) for one in truncated),
            remedy="Use an export that reaches further back.",
        )
    else:
        yield Check(code="DR03", question=question, outcome="passed", detail="exits begin when entries explain it")


def _truncated(view: View, one: ObservedFrom) -> str:
    what = (
        "journeys that began earlier are left out"
        if one.treatment == "whole_cohorts"
        else "deals that closed earlier are not on file, so the others count from that day on"
    )
    stages = ", ".join(view.definitions.stages.label(stage) for stage in one.stages)
    return f"{stages}: on record only from {one.start:%Y-%m-%d}; {what}" + (f" ({one.because})" if one.because else "")


def _leads(view: View) -> Iterator[Check]:
    company = view.company
    if not company.has("leads"):
        for code, question in (
            ("DR04", "Do leads belong to accounts on file?"),
            ("DR05", "Is every lead's source known?"),
            ("DR06", "Do stages come in a possible order?"),
            ("DR07", "Do stage events belong to leads on file?"),
        ):
            yield Check(code=code, question=question, outcome="not applicable", detail="no `leads` table is mapped")
        return
    leads, of_all = _in_scope(view, "lead")
    if company.has("accounts") and company.records("leads", "account_id"):
        accounts = company.table("accounts").select(known="account_id")
        joined = leads.left_join(accounts, leads.account_id == accounts.known)
        counts = _count(
            joined, blank=joined.account_id.isnull(), orphan=joined.account_id.notnull() & joined.known.isnull()
        )
        bad = counts["orphan"] + counts["blank"]
        yield _share_check(
            "DR04",
            "Do leads belong to accounts on file?",
            bad,
            counts["n"],
            f"{counts['orphan']:,} name an account that is not on file, {counts['blank']:,} name none; "
            f"each of the latter counts as an account of its own{of_all}",
            "Match leads to accounts before the export.",
        )
    else:
        yield Check(
            code="DR04",
            question="Do leads belong to accounts on file?",
            outcome="not applicable",
            detail="leads carry no account, so intervals treat leads as independent",
        )
    if company.records("leads", "source"):
        counts = _count(leads, blank=leads.source.isnull())
        yield _share_check(
            "DR05",
            "Is every lead's source known?",
            counts["blank"],
            counts["n"],
            f"{counts['blank']:,} leads have a blank source, shown as (blank){of_all}",
            "Fill the source when the lead is created.",
        )
    else:
        yield Check(
            code="DR05",
            question="Is every lead's source known?",
            outcome="not applicable",
            detail="no source is recorded",
        )
    if not company.has_days:
        question = "Do stages come in a possible order?"
        yield Check(code="DR06", question=question, outcome="not applicable", detail=str(NoDays()))
        return
    rows = view.leads.table
    end = ibis.coalesce(view.leads.reached(view.definitions.stages.win.stage), rows.exit_at)
    later = [view.leads.reached(stage.stage) for stage in view.definitions.stages.funnel[1:]]
    day = rows.created_at.truncate("D")
    early = functools.reduce(operator.or_, [(at < day).fill_null(False) for at in (*later, end)])
    counts = _count(rows, early=early)
    yield _share_check(
        "DR06",
        "Do stages come in a possible order?",
        counts["early"],
        counts["n"],
        f"{counts['early']:,} with a stage or an exit dated before creation",
        "Correct the dates; these leads are left out of the steps concerned.",
    )
    if company.has("stage_events"):
        events = company.table("stage_events").filter(lambda t: t.subject_kind == "lead")
        # An event without a lead is in no scope.
        whole = WHOLE if view.scope.parts else ""
        known = company.table("leads").select(known="lead_id")
        joined = events.left_join(known, events.subject_id == known.known)
        counts = _count(joined, orphan=joined.known.isnull())
        yield _share_check(
            "DR07",
            "Do stage events belong to leads on file?",
            counts["orphan"],
            counts["n"],
            f"{counts['orphan']:,} of {counts['n']:,} events name a lead that is not on file{whole}",
            "Export leads and events on the same day.",
        )


def _deals(view: View) -> Iterator[Check]:
    company = view.company
    questions = {
        "DR08": "Do deals belong to accounts?",
        "DR09": "Is every closed deal dated, after its opening?",
        "DR10": "Do deals have amounts?",
        "DR11": "Does every lost deal say why?",
    }
    if not company.has("opportunities"):
        for code, question in questions.items():
            yield Check(
                code=code, question=question, outcome="not applicable", detail="no `opportunities` table is mapped"
            )
        return
    deals, of_all = _in_scope(view, "opportunity")
    closed = deals.outcome != "open"
    undated = closed & deals.closed_at.isnull()
    backwards = (deals.closed_at.truncate("D") < deals.created_at.truncate("D")).fill_null(False)
    no_amount = ~(deals.amount > 0).fill_null(False)
    counts = _count(
        deals,
        alone=deals.account_id.isnull(),
        undated=undated,
        backwards=backwards,
        open_blank=no_amount & ~closed,
        open=~closed,
        won_blank=no_amount & (deals.outcome == "won"),
        won=deals.outcome == "won",
        lost_blank=no_amount & (deals.outcome == "lost"),
        lost=deals.outcome == "lost",
        unsaid=(deals.outcome == "lost") & deals.loss_reason.isnull(),
    )
    yield _share_check(
        "DR08",
        questions["DR08"],
        counts["alone"],
        counts["n"],
        f"{counts['alone']:,} of {counts['n']:,} deals have no account; each counts as an account of its own{of_all}",
        "Attach deals to accounts.",
    )
    yield _share_check(
        "DR09",
        questions["DR09"],
        counts["undated"] + counts["backwards"],
        counts["n"],
        f"{counts['undated']:,} closed deals have no closing date, {counts['backwards']:,} closed before "
        f"they opened; both are left out{of_all}",
        "Correct the dates.",
    )
    blank = counts["open_blank"] + counts["won_blank"] + counts["lost_blank"]
    yield _share_check(
        "DR10",
        questions["DR10"],
        blank,
        counts["n"],
        f"without an amount: {counts['open_blank']:,} of {counts['open']:,} open, "
        f"{counts['won_blank']:,} of {counts['won']:,} won, {counts['lost_blank']:,} of {counts['lost']:,} lost"
        f"{of_all}",
        "Enter an amount when a deal is opened; sums and rates by amount are withheld otherwise.",
    )
    if company.records("opportunities", "loss_reason"):
        yield _share_check(
            "DR11",
            questions["DR11"],
            counts["unsaid"],
            counts["lost"],
            f"{counts['unsaid']:,} of {counts['lost']:,} lost deals give no reason{of_all}",
            "Ask for the reason when a deal is closed as lost.",
        )
    else:
        yield Check(
            code="DR11", question=questions["DR11"], outcome="not applicable", detail="no loss reason is recorded"
        )


def _in_scope(view: View, subject: Subject) -> tuple[ir.Table, str]:
    """Return the leads or deals of the scope; where it cannot be told of them, all, and words that say so."""
    rows = enrich(view.company, subject)
    try:
        return restrict(rows, view.scope), ""
    except CompanyError:
        return rows, WHOLE


def _share_check(code: str, question: str, bad: int, n: int, detail: str, remedy: str) -> Check:
    """Pass where nothing is wrong; otherwise a warning with its remedy."""
    if not n:
        return Check(code=code, question=question, outcome="not applicable", detail="there are no rows to ask")
    if not bad:
        return Check(code=code, question=question, outcome="passed", detail=f"all {n:,}")
    said = f"{detail} ({_percent(bad / n)})"
    return Check(code=code, question=question, outcome="warning", detail=said, remedy=remedy)


def _count(rows: ir.Table, **conditions: ir.BooleanValue) -> dict[str, int]:
    """Count rows (``n``) and those that meet each condition, in one query."""
    sums = {name: condition.fill_null(False).ifelse(1, 0).sum().fill_null(0) for name, condition in conditions.items()}
    row = rows.aggregate(n=rows.count(), **sums).execute().iloc[0]
    return {name: int(row[name]) for name in ("n", *conditions)}


def _midnight(value: object) -> ir.TimestampScalar:
    return ibis.timestamp(f"{value} 00:00:00")


def _percent(share: float) -> str:
    return "<0.1%" if share < 0.0005 else f"{share:.1%}"
