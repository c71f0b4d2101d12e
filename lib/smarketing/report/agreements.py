"""What people agreed and decided, printed as theirs: definitions with their state, decisions, methods, glossary."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from smarketing.company.decisions import Decision, DecisionLog, Meeting
from smarketing.company.definitions import Definitions, Kpi
from smarketing.company.entry import Entry
from smarketing.report import blocks, formats
from smarketing.report.blocks import Block
from smarketing.report.scoring_agreed import agreed_on_score

STATES = {"agreed": "agreed", "proposed": "proposed, not agreed", "assumed": "assumed, not agreed"}

METHODS = (
    (
        "Shares of a cohort",
        "Cumulative incidence with competing exits (Aalen-Johansen): those still open count for as "
        "long as they have been followed, and a loss is an exit, not a delay. Late entry into observation is "
        "allowed for.",
    ),
    (
        "Intervals of shares",
        "95%, from the influence of each account on the share (infinitesimal jackknife), on the "
        "complementary log-log scale, t with the effective number of accounts less one; simulated coverage is in the "
        "project's tests.",
    ),
    ("Rates by account", "Wilson's interval; an account counts as reached when any of its leads or deals is."),
    ("Changes of rates", "Newcombe's hybrid of the two intervals (MOVER). The periods are treated as independent."),
    (
        "Counts and amounts",
        "Complete, not sampled. Their interval says what the variation from week to week alone "
        "explains (mean moving range); the usual range of a week are natural process limits (XmR).",
    ),
    (
        "Days",
        "Calendar days. The day by which half are there is of those who get there within the funnel days; its "
        "interval is Woodruff's.",
    ),
    (
        "Status",
        "Ahead or behind where the whole interval lies beyond the target, on target where it lies wholly within the "
        "agreed tolerance of the target; otherwise too close to call.",
    ),
    (
        "Withheld numbers",
        "The rule looks at denominators, events and effective accounts, never at the width of an "
        "interval, which would show only the lucky ones.",
    ),
)

GLOSSARY = (
    ("(blank)", "nothing is recorded in the systems; `unknown` is a value that somebody or some system recorded"),
    ("95% interval", "the range of true values that the data do not contradict; 95 of 100 such ranges hold the truth"),
    ("Account", "a company; several leads and deals may belong to one"),
    ("Closed-only win rate", "won divided by won and lost, of the deals closed in a period"),
    ("Cohort", "all that entered in the same period"),
    ("Effective accounts", "how many equally large accounts would carry the same evidence"),
    ("MQL, SAL, SQL", "a lead that marketing calls qualified, that sales accepted, that sales calls qualified"),
    ("Recycled", "given back to marketing by sales"),
    ("Still open", "neither won nor gone by the end of the days counted, leads that never qualified included"),
    ("Usual range", "where single weeks lie as long as nothing has changed"),
)


def definitions(agreed: Definitions, *, score: bool = False) -> Block:
    """Print the stages, figures and limits in force, each with how firm it is and who owns it.

    With ``score`` what is in force on the score too. What holds for several terms in a row is said at the first of
    them.
    """
    windows, evidence = agreed.windows, agreed.evidence
    terms: list[tuple[str, str, Entry]] = [
        *((stage.label, f"{stage.enters_when} ({stage.team})", agreed.stages) for stage in agreed.stages.funnel),
        *((exit_.label, exit_.means, agreed.stages) for exit_ in agreed.stages.exits),
        *((kpi.label, _kpi(kpi, agreed), agreed.kpis) for kpi in agreed.kpis.figures),
        (
            "Windows",
            f"funnel followed {windows.funnel_days} days, cohorts of {windows.cohort_days} days, "
            f"{windows.recent_weeks} weeks beside {windows.trend_months} months",
            windows,
        ),
        (
            "Minimum evidence",
            f"{evidence.minimum_denominator} in the denominator, "
            f"{evidence.minimum_effective_accounts} effective accounts",
            evidence,
        ),
        ("Smallest group shown", str(agreed.privacy.smallest_group), agreed.privacy),
        ("Reporting currency", agreed.money.reporting_currency, agreed.money),
    ]
    if score and agreed.scoring is not None:
        terms += [(term, meaning, agreed.scoring) for term, meaning in agreed_on_score(agreed.scoring, agreed)]
    rows, before = [], None
    for term, meaning, entry in terms:
        rows.append((term, meaning, *(("", "") if _firm(entry) == before else _firm(entry))))
        before = _firm(entry)
    return blocks.definitions(rows)


def agreement_line(agreed: Definitions) -> str:
    """Say in the title block which version is in force and what of it is not agreed."""
    if not agreed.not_agreed:
        return f"version {agreed.version}, all agreed"
    total = sum(1 for _ in agreed.entries())
    if len(agreed.not_agreed) == total:
        return f"version {agreed.version}, assumed, not agreed"
    return f"version {agreed.version}, {formats.listed(agreed.not_agreed)} not agreed"


def decisions(log: DecisionLog, as_of: date) -> Block:
    """Print the decisions of the last meeting, last time's, and older ones still open, with what became of them."""
    latest, previous = log.last_two(as_of)
    rows: list[Mapping[str, Any]] = []
    for meeting in (latest, previous):
        if meeting is not None:
            rows += [_decision(meeting, decision, as_of) for decision in meeting.decisions]
    rows += [_decision(meeting, decision, as_of) for meeting, decision in log.still_open(as_of)]
    rows.sort(key=lambda row: row["state"] != "overdue")
    return blocks.decisions(rows, " ".join([_caption(latest, previous, as_of), *_overdue(rows)]))


def _overdue(rows: list[Mapping[str, Any]]) -> list[str]:
    overdue = sum(row["state"] == "overdue" for row in rows)
    meetings = len({row["meeting"] for row in rows})
    said = [f"{overdue} {'is' if overdue == 1 else 'are'} overdue and stand{'s' * (overdue == 1)} first."]
    return (said if overdue else []) + ([f"The rows come from {meetings} meetings."] if meetings > 1 else [])


def _caption(latest: Meeting | None, previous: Meeting | None, as_of: date) -> str:
    if latest is None:
        return "No meeting is on record by this day."
    text = f"Taken by the people named, in the meeting of {formats.day(latest.held)}"
    if latest.present:
        text += f" ({formats.listed(latest.present)})"
    if previous is None:
        return f"{text}."
    done = sum(decision.state_at(as_of) == "done" for decision in previous.decisions)
    return (
        f"{text}. Of {formats.many(len(previous.decisions), 'decision')} taken {formats.day(previous.held)}, {done} "
        + ("is done." if done == 1 else "are done.")
    )


def _decision(meeting: Meeting, decision: Decision, as_of: date) -> dict[str, Any]:
    return {
        "what": decision.what,
        "owner": decision.who,
        "by": decision.by,
        "state": decision.state_at(as_of),
        "meeting": meeting.held,
    }


def _firm(entry: Entry) -> tuple[str, str]:
    owners = [
        f"sales: {entry.sales_owner}" if entry.sales_owner else "",
        f"marketing: {entry.marketing_owner}" if entry.marketing_owner else "",
    ]
    return STATES[entry.state], ", ".join(owner for owner in owners if owner)


def _kpi(kpi: Kpi, agreed: Definitions) -> str:
    if kpi.kind == "reached":
        start, end = (agreed.stages.label(str(name)) for name in (kpi.stage, kpi.to_stage))
        return f"share of those entering {start} that reach {end} within {kpi.within_days} days"
    if kpi.kind == "entries":
        return f"number that enter {agreed.stages.label(str(kpi.stage))} in the period"
    return {"created": "amounts of deals opened in the period", "won": "amounts of deals won in the period"}[kpi.kind]
