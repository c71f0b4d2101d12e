"""The appendix: data checks, definitions, methods, glossary, limits. Folded on a screen, open in print."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from smarketing.measures.results import Check
from smarketing.report import formats
from smarketing.report.blocks.block import Block, worded
from smarketing.report.blocks.shapes import shape
from smarketing.report.cells import Table

OUTCOME_WORDS = {
    "passed": "Passed",
    "warning": "Warning",
    "failed": "Failed",
    "not applicable": "Not applicable",
}


def checks(results: Sequence[Check]) -> Block:
    """Return the data checks as a table; its title counts those that passed among those that applied."""
    title = checks_summary(results)
    rows = []
    for check in results:
        remedy = Markup(' <span class="ev">{}</span>').format(worded(check.remedy)) if check.remedy else Markup("")
        rows.append(
            Markup(
                '<tr><th scope="row"><span class="code">{}</span> {}</th><td class="nw">{} {}</td><td>{}{}</td></tr>'
            ).format(
                check.code,
                check.question,
                shape(check.outcome),
                OUTCOME_WORDS[check.outcome],
                worded(check.detail or formats.MISSING),
                remedy,
            )
        )
    shown = Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="Table of data checks"><table class="checks" '
        'aria-labelledby="data-checks"><thead><tr><th scope="col">Check</th><th scope="col">Result</th>'
        '<th scope="col">Detail</th></tr></thead><tbody>{}</tbody></table></div>'
    ).format(Markup("").join(rows))
    if not results:
        shown = Markup('<p class="none">No check was asked for.</p>')
    page = Markup(
        '<section class="tbl" aria-labelledby="data-checks"><h2 id="data-checks">Data checks</h2>'
        '<p class="sub">{}</p>{}</section>'
    ).format(f"{title}.", shown)
    data = Table(
        id="data-checks",
        title=title,
        columns=("Code", "Question", "Result", "Detail", "Stops the report", "Remedy"),
        formats=("text",) * 6,
        rows=tuple((c.code, c.question, c.outcome, c.detail, c.error, c.remedy) for c in results),
    )
    payload = {"checks": [check.to_dict() for check in results], "summary": title}
    return Block(
        slot="appendix", kind="checks", id="data-checks", html=page, text=title, tables=(data,), payload=payload
    )


def checks_summary(results: Sequence[Check]) -> str:
    """Return ``6 of 7 passed, 1 warning``; checks that did not apply are not counted among the 7."""
    applied = [check for check in results if check.outcome != "not applicable"]
    if not applied:
        return "No check applied"
    passed = sum(check.outcome == "passed" for check in applied)
    words = [f"{passed} of {len(applied)} passed"]
    for outcome, singular in (("warning", "warning"), ("failed", "failed")):
        number = sum(check.outcome == outcome for check in applied)
        if number:
            words.append(formats.many(number, singular, "failed" if outcome == "failed" else ""))
    return ", ".join(words)


def definitions(rows: Sequence[tuple[str, str, str, str]]) -> Block:
    """Return the definitions in force.

    Parameters
    ----------
    rows
        One tuple a definition: term, meaning, state (assumed, proposed, agreed), owners.
    """
    data = Table(
        id="definitions",
        title="Definitions",
        columns=("Term", "Meaning", "State", "Owners"),
        formats=("text",) * 4,
        rows=tuple(tuple(row) for row in rows),
    )
    body = Markup("").join(
        Markup('<div><dt>{}</dt><dd>{} <span class="ev">{}</span></dd></div>').format(
            term, meaning, " · ".join(part for part in (state, owners) if part)
        )
        for term, meaning, state, owners in rows
    )
    return _fold("definitions", "Definitions", Markup('<dl class="terms">{}</dl>').format(body), (data,))


def methods(rows: Sequence[tuple[str, str]]) -> Block:
    """Return how the numbers are made: (name, text) pairs."""
    return _fold("methods", "Methods", _pairs(rows))


def glossary(rows: Sequence[tuple[str, str]]) -> Block:
    """Return the terms of art in plain words: (term, meaning) pairs."""
    return _fold("glossary", "Glossary", _pairs(rows))


def limits(rows: Sequence[str]) -> Block:
    """Return what the report cannot tell its reader, one statement each."""
    body = Markup("").join(Markup("<li>{}</li>").format(row) for row in rows)
    return _fold("limits", "What this report cannot tell you", Markup("<ul>{}</ul>").format(body))


def _pairs(rows: Sequence[tuple[str, str]]) -> Markup:
    return Markup('<dl class="terms">{}</dl>').format(
        Markup("").join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, worded(text)) for name, text in rows)
    )


def _fold(identity: str, title: str, body: Markup, tables: tuple[Table, ...] = ()) -> Block:
    page = Markup('<details class="fold" id="{}"><summary>{}</summary>{}</details>').format(identity, title, body)
    return Block(slot="appendix", kind=identity, id=identity, html=page, text=title, tables=tables)
