"""The evidence between the brief and the appendix: figures, tables and the words between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from markupsafe import Markup

from smarketing.report import cells
from smarketing.report.blocks.block import Block, ended, worded
from smarketing.report.cells import Table
from smarketing.report.charts.chart import Chart, check_id


def figure(chart: Chart) -> Block:
    """Return a chart with its words, its data behind a fold and its CSV download."""
    data = Table.from_frame(chart.data, id=chart.id, title=chart.title, formats=chart.formats)
    so_what = Markup('<p class="so">{}</p>').format(chart.so_what) if chart.so_what else Markup("")
    how = Markup("")
    if chart.how_to_read:
        how = Markup('<details class="how"><summary>How to read this chart</summary><p>{}</p></details>').format(
            chart.how_to_read
        )
    shown = cells.to_html(data, label=f"Data behind the figure: {chart.title}")
    page = Markup(
        '<figure id="{0}" aria-labelledby="{0}-h"><figcaption><span class="fno" data-ref="{0}">Figure</span>'
        '<h3 id="{0}-h">{1}</h3><p class="sub">{2}</p></figcaption>'
        '<div class="v-wide">{3}</div><div class="v-narrow">{4}</div>{5}<div class="more">{6}'
        '<details class="data"><summary>Data behind <span data-ref="{0}">this figure</span></summary>{7}{8}</details>'
        '</div><p class="src">Source: {9}</p></figure>'
    ).format(
        chart.id,
        chart.title,
        chart.subtitle,
        Markup(chart.wide),
        Markup(chart.narrow),
        so_what,
        how,
        shown,
        cells.download(data, chart.id),
        chart.source,
    )
    text = "\n".join(part for part in (chart.title, chart.so_what) if part)
    return Block(slot="body", kind="figure", id=chart.id, html=page, text=text, tables=(data,))


def table(
    frame: pd.DataFrame,
    *,
    id: str,
    title: str,
    formats: Mapping[str, str] | None = None,
    subtitle: str = "",
    source: str = "",
    emphasis: Sequence[bool] = (),
) -> Block:
    """Return a table under a computed title, with its CSV download.

    Parameters
    ----------
    frame
        What is shown, column names as headings; the first column names the rows, the index is left out. Missing values
        become a dash.
    id
        Anchor, such as ``tab-sources``.
    formats
        Unit by column: ``share``, ``points``, ``change``, ``count``, ``number``, ``days``, ``money:USD``,
        ``money_short:USD``, ``date``, ``month``, ``text``; ``difference share`` for a signed difference of the unit.
    emphasis
        One flag a row: rows to be set off, such as a total.
    """
    check_id(id)
    if not title.strip():
        raise ValueError(f"table {id!r}: title is empty; every table has one. Say what it shows.")
    data = Table.from_frame(frame, id=id, title=title, formats=formats or {})
    said = Markup('<p class="sub">{}</p>').format(subtitle) if subtitle else Markup("")
    below = Markup('<p class="src">Source: {}</p>').format(source) if source else Markup("")
    page = Markup(
        '<div class="tbl" id="{0}"><div class="tcap"><span class="fno" data-ref="{0}">Table</span>'
        '<h3 id="{0}-h">{1}</h3>{2}</div>{3}{4}{5}</div>'
    ).format(
        id,
        title,
        said,
        cells.to_html(data, labelled_by=f"{id}-h", emphasis=emphasis),
        below,
        cells.download(data, id),
    )
    return Block(slot="body", kind="table", id=id, html=page, text=title, tables=(data,))


def note(text: str, *, heading: str = "") -> Block:
    """Return a remark that a reader must not overlook."""
    if not text.strip():
        raise ValueError("note: text is empty; a note says something. Leave the block out instead.")
    strong = Markup("<strong>{}</strong> ").format(heading) if heading else Markup("")
    page = Markup('<div class="note"><p>{}{}</p></div>').format(strong, worded(ended(text)))
    return Block(slot="body", kind="note", id="", html=page, text=f"{heading} {ended(text)}".strip())


def not_applicable(what: str, reason: str) -> Block:
    """Return the plain statement that a part of the report has nothing to show, and why."""
    if not what.strip() or not reason.strip():
        raise ValueError("not_applicable: what and reason are both needed. Say what is missing and why.")
    said = ended(reason[:1].upper() + reason[1:])
    page = Markup('<div class="note na"><p><strong>{}: not applicable.</strong> {}</p></div>').format(
        what, worded(said)
    )
    return Block(slot="body", kind="not applicable", id="", html=page, text=f"{what}: not applicable. {said}")
