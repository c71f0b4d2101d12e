"""The brief: bottom line, key numbers, decisions. Together they are page 1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from markupsafe import Markup

from smarketing.measures.results import Finding, KeyFigure
from smarketing.report import formats
from smarketing.report.blocks.block import Block, reference, worded
from smarketing.report.blocks.shapes import shape
from smarketing.report.cells import Table, plain
from smarketing.report.charts.sparkline import sparkline

STATUS_WORDS = {
    "ahead": "Ahead of target",
    "on target": "On target",
    "behind": "Behind target",
    "too close to call": "Too close to call",
    "no target": "No target set",
    "withheld": "Withheld",
}
_TEXT_SHAPES = {
    "ahead": "▲",
    "behind": "▼",
    "on target": "◆",
    "too close to call": "●",
    "no target": "–",
    "withheld": "○",
}


def bottom_line(lead: str, findings: Sequence[Finding] = ()) -> Block:
    """Return the first thing a reader meets: one sentence, then what each section found.

    Parameters
    ----------
    lead
        The report's answer, one or two sentences.
    findings
        Shown in the order given, each with its basis and a link to its evidence.
    """
    if not lead.strip():
        raise ValueError("bottom_line: lead is empty; a report without a bottom line is not published. Write it.")
    items, lines = [], [lead]
    for finding in findings:
        link = reference(finding.evidence)
        basis = Markup("Evidence: {}").format(finding.basis) if finding.basis else Markup("")
        parts = [part for part in (basis, link) if part]
        evidence = Markup(' <span class="ev">{}</span>').format(Markup(" · ").join(parts)) if parts else Markup("")
        items.append(Markup("<li><strong>{}</strong> {}{}</li>").format(finding.claim, finding.detail, evidence))
        lines.append(f"- {finding.claim} {finding.detail}".rstrip() + (f" ({finding.basis})" if finding.basis else ""))
    found = Markup("<ul>{}</ul>").format(Markup("").join(items)) if items else Markup("")
    page = Markup(
        '<section class="bluf" aria-labelledby="bottom-line"><h2 id="bottom-line">The bottom line</h2>'
        '<p class="lead">{}</p>{}</section>'
    ).format(lead, found)
    payload = {"lead": lead, "findings": [finding.to_dict() for finding in findings]}
    return Block(
        slot="bottom-line", kind="bottom line", id="bottom-line", html=page, text="\n".join(lines), payload=payload
    )


def key_numbers(figures: Sequence[KeyFigure]) -> Block:
    """Return the tiles: value with interval and n, target, prior period, recent course, status as word and shape.

    A withheld figure shows its reason in the place of the number. Three to nine tiles read well.
    """
    if not figures:
        raise ValueError("key_numbers: got no figures; at least one is needed. Leave the block out instead.")
    tiles = Markup("").join(_tile(figure) for figure in figures)
    page = Markup(
        '<section aria-labelledby="key-numbers"><h2 id="key-numbers">Key numbers</h2><ul class="kpis k{}">{}</ul>'
        "</section>"
    ).format(len(figures), tiles)
    return Block(
        slot="key-numbers",
        kind="key numbers",
        id="key-numbers",
        html=page,
        text="\n".join(line_of(figure) for figure in figures),
        tables=(_figures_table(figures, "key-numbers", "Key numbers"),),
        payload={"figures": [figure.to_dict() for figure in figures]},
    )


def line_of(figure: KeyFigure) -> str:
    """Return a key figure as one line of plain text."""
    unit, currency = figure.unit, figure.currency
    word = STATUS_WORDS[figure.status]
    if figure.value is None:
        return f"{_TEXT_SHAPES[figure.status]} {figure.label}: withheld, {figure.reason}"
    parts = [f"{_TEXT_SHAPES[figure.status]} {figure.label}: {formats.value_of(figure.value, unit, currency)}"]
    if figure.lower is not None or figure.upper is not None:
        parts.append(f"95% interval {formats.interval(figure.lower, figure.upper, unit, currency)}")
    parts.append(f"{formats.count(figure.n)} {figure.n_label}")
    if figure.target is not None:
        parts.append(f"target {formats.value_of(figure.target, unit, currency)}")
    if figure.prior is not None:
        parts.append(f"{figure.prior_label or 'before'} {formats.value_of(figure.prior, unit, currency)}")
    return "; ".join([*parts, word.lower()])


def decisions(rows: Sequence[Mapping[str, Any]], caption: str = "") -> Block:
    """Return what people decided, printed as theirs.

    Parameters
    ----------
    rows
        One mapping a decision: ``what``, ``owner``, ``by`` (a date), ``state`` (a word such as open or done) and
        ``meeting`` (the date it was taken). Missing values are shown as a dash. No rows: "none recorded".
    caption
        Where and when they were taken.
    """
    allowed = ("what", "owner", "by", "state", "meeting")
    for row in rows:
        unknown = sorted(set(row) - set(allowed))
        if unknown or "what" not in row:
            problem = f"unknown key {unknown[0]!r}" if unknown else "no key 'what'"
            raise ValueError(f"decisions: a row has {problem}; allowed are {', '.join(allowed)}. Correct the row.")
    heading = Markup('<h2 id="decisions">Decisions</h2>')
    said = Markup('<p class="sub">{}</p>').format(caption) if caption else Markup("")
    names = ("Decision", "Owner", "By", "State", "Meeting")
    table = Table(
        id="decisions",
        title="Decisions",
        columns=names,
        formats=("text", "text", "date", "text", "date"),
        rows=tuple(tuple(plain(row.get(key)) for key in allowed) for row in rows),
    )
    if rows:
        body = Markup("").join(_decision(row, names) for row in table.rows)
        head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in names)
        shown = Markup(
            '<table class="acts" aria-label="Decisions, their owners and dates"><thead><tr>{}</tr></thead>'
            "<tbody>{}</tbody></table>"
        ).format(head, body)
        text = "\n".join(
            f"- {what} ({owner or 'no owner'}, {f'by {_day(by)}' if by else 'no date'}, {state or 'no state'})"
            for what, owner, by, state, _ in table.rows
        )
    else:
        shown, text = Markup('<p class="none">Decisions taken: none recorded.</p>'), "Decisions taken: none recorded."
    page = Markup('<section class="decided" aria-labelledby="decisions">{}{}{}</section>').format(heading, said, shown)
    return Block(slot="decisions", kind="decisions", id="decisions", html=page, text=text, tables=(table,))


def _decision(row: Sequence[Any], names: Sequence[str]) -> Markup:
    texts = [row[0], row[1] or formats.MISSING, _day(row[2]), row[3] or formats.MISSING, _day(row[4])]
    cells = [Markup('<th scope="row">{}</th>').format(texts[0])]
    for index in range(1, 5):
        style = Markup(' class="nw"') if index in (2, 4) else Markup("")
        cells.append(Markup('<td data-label="{}"{}>{}</td>').format(names[index], style, texts[index]))
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def _day(value: Any) -> str:
    # People type "next month" too, and what they typed is printed.
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return value
    return formats.day(date.fromisoformat(value)) if value else formats.MISSING


def _tile(figure: KeyFigure) -> Markup:
    unit, currency = figure.unit, figure.currency
    name = Markup("{}").format(figure.label)
    settled = [Markup('<span class="prov-mark">provisional</span>')] if figure.maturity == "provisional" else []
    about = Markup(" · ").join([*([figure.period] if figure.period else []), *settled])
    period = Markup('<span class="per">{}</span>').format(about) if about else Markup("")
    style = figure.status.replace(" ", "-")
    status = Markup('<p class="stat">{} {}</p>').format(shape(figure.status), STATUS_WORDS[figure.status])
    counted = f"{formats.count(figure.n)} {figure.n_label}".strip()
    if figure.value is None:
        return Markup('<li class="kpi {}"><h3>{}</h3>{}{}<p class="why">{}</p><p class="rng">{}</p></li>').format(
            style, name, period, status, worded(_sentence(figure.reason)), counted
        )
    interval = ""
    if figure.lower is not None or figure.upper is not None:
        interval = f"95% interval {formats.interval(figure.lower, figure.upper, unit, currency)}"
    pairs = []
    if figure.target is not None:
        gap = formats.difference(figure.value - figure.target, unit, currency)
        pairs.append((f"Target {formats.value_of(figure.target, unit, currency)}", gap, ""))
    if figure.prior is not None:
        pairs.append(
            (
                f"{figure.prior_label or 'Before'} {formats.value_of(figure.prior, unit, currency)}",
                formats.difference(figure.change, unit, currency),
                # The season is in a change of a count or an amount, so what it may be by chance says little.
                formats.difference_interval(figure.change_lower, figure.change_upper, unit, currency)
                if unit in ("share", "days")
                else "",
            )
        )
    elif figure.prior_label:
        # Without a label the figure has no period before by nature.
        pairs.append((figure.prior_label, "not known", ""))
    rows = Markup("").join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(label, value) for label, value, _ in pairs
    )
    change = pairs[-1][2] if pairs else ""
    if change and change != formats.MISSING:
        rows += Markup('<div class="rng"><dt>Interval of the change</dt><dd>{}</dd></div>').format(change)
    course = Markup("")
    # The target of a count or an amount is for the tile's whole period, the course is of single ones.
    drawn = sparkline(figure.series, figure.target if unit in ("share", "days") else None)
    if drawn:
        known = [value for value in figure.series if value is not None]
        reach = formats.interval(min(known), max(known), unit, currency)
        single = next((word for word in ("month", "week") if word in figure.series_label), "period")
        label = f"{figure.series_label}, " if figure.series_label else ""
        words = f"{label}lowest and highest {single}: {reach}"
        course = Markup('<div class="sp">{}<p class="rng">{}</p></div>').format(Markup(drawn), words)
    return Markup(
        '<li class="kpi {}"><h3>{}</h3>{}<p class="val">{}</p><p class="ci">{}</p>{}<dl>{}</dl>{}</li>'
    ).format(
        style,
        name,
        period,
        formats.value_of(figure.value, unit, currency),
        " · ".join(part for part in (interval, counted) if part),
        status,
        rows,
        course,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text else "The reason was not recorded."


def _figures_table(figures: Sequence[KeyFigure], identity: str, title: str) -> Table:
    columns = ("Figure", "Period", "Unit", "Value", "Lower", "Upper", "n", "Of", "Target", "Prior", "Change", "Status")
    return Table(
        id=identity,
        title=title,
        columns=(*columns, "Reason"),
        formats=("text", "text", "text", *["number"] * 4, "text", *["number"] * 3, "text", "text"),
        rows=tuple(
            (
                *(figure.label, figure.period, figure.unit if not figure.currency else figure.currency),
                *(plain(figure.value), plain(figure.lower), plain(figure.upper), figure.n, figure.n_label),
                *(plain(figure.target), plain(figure.prior), plain(figure.change), figure.status, figure.reason),
            )
            for figure in figures
        ),
    )
