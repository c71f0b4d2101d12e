"""The blocks of the alignment report: it composes what other notebooks recorded and computes nothing.

A *section* is what one notebook recorded for the case and the day: its question, figures, findings and checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import pandas as pd

from smarketing.company.definitions import Definitions
from smarketing.measures.results import Check, Finding, KeyFigure, or_nan
from smarketing.report import formats
from smarketing.report.agreements import agreement_line
from smarketing.report.blocks import Block, key_numbers, note, table
from smarketing.report.blocks.appendix import checks_summary
from smarketing.report.blocks.brief import STATUS_WORDS, bottom_line

SCORE = "score_lift"
"""The figure by which the lead score is judged."""

_WORST = ("failed", "warning", "passed", "not applicable")

LIMITS = (
    "Only what the other reports recorded for this day is here; a question that none of them asks is not answered.",
    "Whether promises between the teams are kept is not measured yet.",
    "Statuses compare with the plan; they say nothing about whether the plan was right.",
)


class Section(Protocol):
    """What one notebook recorded; the ledger's records are such sections."""

    notebook: str
    case: str
    title: str
    as_of: date
    headline: str
    definitions_version: str
    definitions_sha256: str
    figures: tuple[KeyFigure, ...]
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Answer:
    """The answer to one stated question of the verdict: yes, no or cannot tell, and the rule's reason.

    ``about`` is the question in a word.
    """

    about: str
    question: str
    answer: str
    why: str


def title(sections: Sequence[Section], agreed: Definitions) -> list[tuple[str, str]]:
    """Return what stands under the title."""
    return [
        ("Data as of", formats.day(sections[0].as_of)),
        ("Company", agreed.company),
        ("Put together from", formats.many(len(sections), "report")),
        ("Definitions", agreement_line(agreed)),
    ]


def verdict(sections: Sequence[Section], agreed: Definitions) -> list[Answer]:
    """Answer the stated questions by rule, from what was recorded; never an index.

    Definitions: no when an entry is not agreed, "with reservations" when they changed after a report was made, else
    yes. Plan: of the figures counted by lead or deal that have a target, withheld ones included, no when any is behind,
    yes when all are ahead or on target, cannot tell otherwise. Data: no when a check failed, yes when every check that
    applied passed, otherwise "with reservations". Score, where one was studied: yes when it is given out, no when its
    lift is surely at most the minimum of the definitions, cannot tell otherwise. Promises: cannot tell until the
    hand-off is measured.
    """
    open_entries = agreed.not_agreed
    scores = [f for f in figures_of_rows(sections) if f.name == SCORE]
    figures = [f for f in figures_of_rows(sections) if f.target is not None and f.name != SCORE]
    behind = [f for f in figures if f.status == "behind"]
    undecided = [f for f in figures if f.status not in ("ahead", "on target", "behind")]
    why = (
        f"not agreed: {formats.listed(open_entries)}"
        if open_entries
        else f"all of version {agreed.version} are agreed, with an owner on each side"
    )
    asked = [check for check in all_checks(sections) if check.outcome != "not applicable"]
    failed = [check for check in asked if check.outcome == "failed"]
    warned = [check for check in asked if check.outcome == "warning"]
    answers = [
        Answer(
            "definitions",
            "Are the definitions agreed?",
            "no" if open_entries else "with reservations" if _changed(sections, agreed) else "yes",
            "; ".join([why, *_changed(sections, agreed)]),
        ),
        _plan_met(figures, behind, undecided),
    ]
    trusted = "no" if failed else "with reservations" if warned else "yes" if asked else "cannot tell"
    codes = formats.listed([check.code for check in failed or warned])
    answers.append(
        Answer("data", "Can the data be trusted?", trusted, checks_summary(asked) + (f" ({codes})" if codes else ""))
    )
    answers += [_score_trusted(score) for score in scores]
    answers.append(
        Answer(
            "promises",
            "Are promises kept both ways?",
            "cannot tell",
            "the hand-off between the teams is not measured yet",
        )
    )
    return answers


def _score_trusted(score: KeyFigure) -> Answer:
    """Answer whether the lead score can be trusted, by its lift against the minimum of the definitions."""
    question = "Can the lead score be trusted?"
    if score.value is None or score.target is None:
        return Answer("score", question, "cannot tell", score.reason or "its lift is not known")
    why = (
        f"on {formats.count(score.n)} {score.n_label} its lift is {formats.number(score.value)} "
        f"({formats.interval(score.lower, score.upper, 'number')}), and {formats.number(score.target)} is the minimum "
        "of the definitions"
    )
    if score.status == "ahead":
        return Answer("score", question, "yes", why)
    return Answer(
        "score", question, "no" if score.status == "behind" else "cannot tell", f"no score is given out; {why}"
    )


def _plan_met(figures: Sequence[KeyFigure], behind: Sequence[KeyFigure], undecided: Sequence[KeyFigure]) -> Answer:
    question = "Is the plan being met?"
    if behind:
        return Answer("plan", question, "no", f"behind: {_labels(behind)}")
    if not figures:
        return Answer("plan", question, "cannot tell", "no target applies to any figure")
    if undecided:
        named = formats.listed([f"{formats.inside(f.label)} ({f.status})" for f in undecided])
        return Answer("plan", question, "cannot tell", f"not behind, but undecided: {named}")
    return Answer("plan", question, "yes", f"ahead or on target: {_labels(figures)}")


def _changed(sections: Sequence[Section], agreed: Definitions) -> list[str]:
    """Say which reports were made under other definitions than those printed here."""
    return [
        f"figures of {section.notebook} were made under version {section.definitions_version}; the definitions have "
        "changed since"
        for section in sections
        if section.definitions_sha256 != agreed.sha256
    ]


def brief(sections: Sequence[Section], agreed: Definitions) -> Block:
    """Answer the report's own question first, then say what the sections concluded, then their findings."""
    lead = " ".join([headline(sections, agreed), *(section.headline for section in sections)])
    found = sorted((f for section in sections for f in _linked(section)), key=lambda finding: -finding.weight)
    return bottom_line(lead, found[:5])


def key_figures(sections: Sequence[Section]) -> Block:
    """Show the figures of the first pages, with a link to where each comes from."""
    return key_numbers(figures_of_rows(sections)[:9])


def answers(sections: Sequence[Section], agreed: Definitions) -> Block:
    """Show the verdict: each stated question, its answer by rule, and why."""
    found = verdict(sections, agreed)
    frame = pd.DataFrame([{"Question": a.question, "Answer": a.answer, "Why": a.why} for a in found])
    yes = sum(a.answer == "yes" for a in found)
    return table(
        frame,
        id="tab-verdict",
        title=f"{yes} of {len(found)} questions can be answered with yes",
        subtitle="Each answer follows from a stated rule over what the other reports recorded; there is no score.",
        source="the reports named below",
    )


def what_each_found(sections: Sequence[Section]) -> list[Block]:
    """Show every section's conclusion and each of its findings, linked to the evidence in its own report."""
    blocks: list[Block] = []
    for section in sections:
        blocks.append(note(section.headline, heading=f"{section.title}"))
        rows = pd.DataFrame(
            [{"Finding": f.claim, "Detail": f.detail, "Evidence": f.basis} for f in section.findings],
            columns=["Finding", "Detail", "Evidence"],
        )
        if len(rows):
            blocks.append(
                table(
                    rows,
                    id=f"tab-found-{_anchor(section)}",
                    title=f"{formats.many(len(rows), 'finding')} in this report",
                    source=f"{section.notebook}, case {section.case}",
                )
            )
    return blocks


def every_number(sections: Sequence[Section]) -> list[Block]:
    """List every recorded figure with its interval, denominator, target and status."""
    blocks = []
    for section in sections:
        rows = [
            {
                "Figure": figure.label,
                "Value": or_nan(figure.value),
                "From": or_nan(figure.lower),
                "To": or_nan(figure.upper),
                "Unit": f"money:{figure.currency}" if figure.unit == "money" else figure.unit,
                "n": figure.n,
                "Of": figure.n_label,
                "Target": or_nan(figure.target),
                "Status": STATUS_WORDS[figure.status] + (f": {figure.reason}" if figure.reason else ""),
                "Period": figure.period,
            }
            for figure in section.figures
        ]
        blocks.append(
            table(
                pd.DataFrame(rows),
                id=f"tab-figures-{_anchor(section)}",
                title=f"{formats.many(len(rows), 'figure')} recorded by: {section.title}",
                formats={"n": "count"} | dict.fromkeys(("Value", "From", "To", "Target"), "by Unit"),
                subtitle=f"Recorded under definitions version {section.definitions_version}.",
                source=f"{section.notebook}, case {section.case}",
            )
        )
    return blocks


def all_checks(sections: Sequence[Section]) -> list[Check]:
    """Return the data checks of all sections, each once, as it went worst: sections may see different data."""
    found: dict[str, Check] = {}
    for section in sections:
        for check in section.checks:
            before = found.get(check.code)
            if before is None or _WORST.index(check.outcome) < _WORST.index(before.outcome):
                found[check.code] = check
    return list(found.values())


def headline(sections: Sequence[Section], agreed: Definitions) -> str:
    """Answer the report's question in a line: how many of its questions can be answered with yes, and each answer."""
    found = verdict(sections, agreed)
    yes = sum(answer.answer == "yes" for answer in found)
    each = ", ".join(f"{answer.about} {answer.answer}" for answer in found)
    return f"{yes} of {len(found)} questions of alignment can be answered with yes: {each}."


def limits(sections: Sequence[Section], agreed: Definitions) -> list[str]:
    """Say what the report cannot tell."""
    return [*LIMITS, *(f"{formats.opening(words)}." for words in _changed(sections, agreed))]


def figures_of_rows(sections: Sequence[Section]) -> list[KeyFigure]:
    """Return the recorded figures that are counted by lead or deal; those by account stand in the full table."""
    return [figure for figure in figures(sections) if not figure.name.endswith("_by_account")]


def figures(sections: Sequence[Section]) -> list[KeyFigure]:
    """Return every recorded figure, as it is recorded again under this report."""
    return [figure for section in sections for figure in section.figures]


def findings(sections: Sequence[Section]) -> list[Finding]:
    """Return every recorded finding, linked to its own report."""
    return [finding for section in sections for finding in _linked(section)]


def _linked(section: Section) -> list[Finding]:
    """Point a section's findings at its own report, three folders up and down again."""
    report = f"../../../{section.notebook}/{section.case}/{section.as_of}/report.html"
    return [replace(f, evidence=f"{report}#{f.evidence}" if f.evidence else report) for f in section.findings]


def _anchor(section: Section) -> str:
    return section.notebook.replace("_", "-")


def _labels(several: Sequence[KeyFigure]) -> str:
    return formats.listed([formats.inside(figure.label) for figure in several])
