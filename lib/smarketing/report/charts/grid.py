"""The grid that marketers know: fit down, engagement across, and in each cell how often it came to something."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from smarketing.report import formats, palette
from smarketing.report.charts import canvas, legend, scales
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.chart import (
    Chart,
    behind,
    check_columns,
    check_rows,
    check_shares,
    check_words,
    drawn,
    flags,
)

_OPTIONAL = ("lower", "upper", "emphasis", "note")
_MOST_COLUMNS, _MOST_ROWS = 5, 6
_GAP = 4.0
_MOST_LIMITS = 4
DEEPEST = 0.5
"""How much of the accent the last step takes on: text still has a contrast of 4.5 on it, in both themes."""


def grid(
    cells: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    limits: Sequence[float] = (),
    row_label: str = "Fit",
    column_label: str = "Engagement",
    rate_label: str = "Observed rate",
    n_label: str = "Leads",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw a table of cells, each with its rate and number, darker where the rate is higher.

    Parameters
    ----------
    cells
        One row a cell: ``row`` and ``column`` (their names), ``rate`` (observed, 0 to 1; missing where the evidence is
        too thin, which the cell says), ``n`` (leads) and optionally ``lower``, ``upper``, ``note`` (in the table only)
        and ``emphasis`` (True for the cell that the title names: framed). A cell that is not there has no leads.
    rows, columns
        Names in the order in which they stand, best first; in the order of appearance where none are given. At most
        six rows and five columns.
    limits
        Up to four rates at which the shade steps up, rising; round values up to the highest rate where none are given.
    row_label, column_label, rate_label, n_label
        Names of the two sides and headings of the data table.

    Raises
    ------
    ValueError
        For missing or unknown columns, words that are missing, rates beyond 0 to 1, no cells, two of one place, or too
        many.
    """
    check_columns(cells, "grid", required=("row", "column", "rate", "n"), optional=_OPTIONAL)
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    check_rows(cells, "grid", "cells")
    known = cells.reindex(columns=["row", "column", "rate", "n", *_OPTIONAL]).reset_index(drop=True)
    known = known.astype(dict.fromkeys(("rate", "n", "lower", "upper"), float) | {"row": str, "column": str})
    check_shares(known, "grid", ("rate",))
    down, across = _order(known["row"], rows, "rows"), _order(known["column"], columns, "columns")
    if known.duplicated(["row", "column"]).any():
        twice = known[known.duplicated(["row", "column"])].iloc[0]
        got = f"{twice['row']!r} with {twice['column']!r} stands twice"
        raise ValueError(f"grid: {got}; allowed is one row a cell. Add the cells up.")
    for name, found, most in (("rows", down, _MOST_ROWS), ("columns", across, _MOST_COLUMNS)):
        if len(found) > most:
            raise ValueError(f"grid: got {len(found)} {name}; allowed are 1 to {most}. Join neighbours.")
    steps = _limits(known["rate"], limits)

    def painting(sheet: Sheet) -> Figure:
        return paint(
            known, sheet, down=down, across=across, limits=steps, captions=(row_label, column_label, rate_label)
        )

    headings = {"row": (row_label, ""), "column": (column_label, ""), "n": (n_label, "count")}
    headings |= {"rate": (rate_label, "share"), "lower": ("Lower", "share"), "upper": ("Upper", "share")}
    places = {name: place for place, name in enumerate(down)}, {name: place for place, name in enumerate(across)}
    order = sorted(range(len(known)), key=lambda at: (places[0][known["row"][at]], places[1][known["column"][at]]))
    data, units = behind(
        known.iloc[order].reset_index(drop=True), headings | {"note": ("Note", "")}, optional=_OPTIONAL
    )
    return drawn(
        painting,
        data,
        units,
        id=id,
        title=title,
        subtitle=subtitle,
        source=source,
        alt=alt,
        how_to_read=how_to_read,
        so_what=so_what,
    )


def paint(
    cells: pd.DataFrame,
    sheet: Sheet,
    *,
    down: Sequence[str],
    across: Sequence[str],
    limits: Sequence[float],
    captions: tuple[str, str, str],
) -> Figure:
    """Return the drawing of the grid on one sheet."""
    if sheet.narrow:
        left, name_height = 1.0, LINE + 4
    else:
        widest = max(canvas.text_width(text, 600) for text in (*down, captions[0]))
        left, name_height = min(widest, 180.0) + 16, 0.0
    wide = (sheet.width - left - 1 + _GAP) / len(across)
    heads = [canvas.wrapped(name, wide - _GAP - 2, lines=3 if sheet.narrow else 2, weight=600) for name in across]
    top = LINE * (1 + max(map(len, heads))) + 10
    tall = 48.0
    pitch = name_height + tall + _GAP
    labels = step_words(limits)
    places = legend.flow([24 + canvas.text_width(text) for text in labels], width=sheet.width)
    key = top + pitch * len(down) + 14
    figure = canvas.blank(sheet, key + LINE * (places[-1][0] + 2) + 6)
    canvas.write(figure, canvas.shorten(captions[1], sheet.width - left - 2), x=left, y=9, colour="muted")
    if not sheet.narrow:
        canvas.write_beside(figure, captions[0], right=left - 10, middle=top - 14, room=left - 12)
    over = canvas.over_all(figure)
    for place, lines in enumerate(heads):
        for number, line in enumerate(lines):
            y = top - 14 - LINE * (len(lines) - 1 - number)
            middle = left + wide * place + (wide - _GAP) / 2
            canvas.write(figure, line, x=middle, y=y, align="center", weight=600)
    found = {(str(row["row"]), str(row["column"])): row for _, row in cells.iterrows()}
    told = {(str(row["row"]), str(row["column"])) for _, row in cells[flags(cells, "emphasis")].iterrows()}
    for floor, name in enumerate(down):
        y = top + pitch * floor + name_height
        if sheet.narrow:
            text = canvas.shorten(f"{captions[0]}: {name}", sheet.width - 4, 600)
            canvas.write(figure, text, x=0, y=y - LINE / 2 - 1, weight=600)
        else:
            canvas.write_beside(figure, name, right=left - 10, middle=y + tall / 2, room=left - 12, weight=600)
        for place, other in enumerate(across):
            x = left + wide * place
            box = (x, y, wide - _GAP, tall)
            _cell(figure, over, found.get((name, other)), box, limits, told=(name, other) in told)
    canvas.write(figure, canvas.shorten(captions[2], sheet.width - 2), x=0, y=key + 8, colour="muted")
    for step, (text, (floor, x)) in enumerate(zip(labels, places, strict=True)):
        y = key + LINE * (floor + 1.5)
        _fill(over, (x + 1, y - 6, 16, 13), step / len(limits))
        canvas.write(figure, canvas.shorten(text, sheet.width - x - 24), x=x + 22, y=y)
    return figure


def step_words(limits: Sequence[float]) -> list[str]:
    """Return the words of each shade: ``under 5%``, ``5% to 15%``, ``15% or more``."""
    words = [scales.tick_text(limit, "share", step=limit) for limit in limits]
    between = [f"{low} to {high}" for low, high in pairwise(words)]
    return [f"under {words[0]}", *between, f"{words[-1]} or more"]


def _cell(
    figure: Figure,
    over: Axes,
    row: pd.Series | None,
    box: tuple[float, float, float, float],
    limits: Sequence[float],
    *,
    told: bool,
) -> None:
    x, y, width, height = box
    known = row is not None and not formats.is_missing(row["rate"])
    n = 0.0 if row is None or formats.is_missing(row["n"]) else float(row["n"])
    if row is not None and known:
        _fill(over, box, sum(float(row["rate"]) >= limit for limit in limits) / len(limits))
        first, weight, colour = formats.share(row["rate"]), 600, "ink"
    else:
        # Blank within a broken frame: nothing to read is not a low rate.
        edges = (
            [x + 1, x + width - 1, x + width - 1, x + 1, x + 1],
            [y + 1, y + 1, y + height - 1, y + height - 1, y + 1],
        )
        over.plot(*edges, color=palette.LIGHT["grey"], linewidth=1, linestyle=(0, (3, 3)))
        first, weight, colour = ("too few" if n else "none"), 400, "muted"
    if told:
        edges = [x, x + width, x + width, x, x], [y, y, y + height, y + height, y]
        over.plot(*edges, color=palette.LIGHT["orange"], linewidth=2.5, solid_joinstyle="miter", zorder=3)
    counted = f"n {formats.count(n)}"
    if canvas.text_width(counted) > width - 6:
        counted = canvas.shorten(formats.count(n), width - 6)
    middle = x + width / 2
    for text, line, bold in ((first, y + height / 2 - 9, weight), (counted, y + height / 2 + 10, 400)):
        canvas.write(figure, text, x=middle, y=line, align="center", weight=bold, colour=colour, on_fill=True)


def _fill(over: Axes, box: tuple[float, float, float, float], depth: float) -> None:
    x, y, width, height = box
    corners = [x, x + width, x + width, x], [y, y, y + height, y + height]
    if depth > 0:
        over.fill(*corners, color=palette.LIGHT["blue"], alpha=DEEPEST * depth, linewidth=0)
    over.plot([*corners[0], x], [*corners[1], y], color=palette.LIGHT["line"], linewidth=1, solid_joinstyle="miter")


def _order(names: pd.Series, wanted: Sequence[str], what: str) -> list[str]:
    seen = list(dict.fromkeys(map(str, names)))
    if wanted and (unknown := [name for name in seen if name not in wanted]):
        raise ValueError(f"grid: {what} lack {unknown[0]!r}; got {', '.join(wanted)}. Name every one that has cells.")
    return [str(name) for name in wanted] or seen


def _limits(rates: pd.Series, wanted: Sequence[float]) -> list[float]:
    """Return the rates at which the shade steps up: those wanted, else round ones up to the highest rate."""
    if wanted:
        if len(wanted) > _MOST_LIMITS or list(wanted) != sorted(set(wanted)) or not 0 < wanted[0] <= wanted[-1] <= 1:
            got = ", ".join(map(str, wanted))
            allowed = f"1 to {_MOST_LIMITS} rising rates above 0, to 1"
            raise ValueError(f"grid: limits: got {got}; allowed are {allowed}. Order them, or leave them out.")
        return [float(limit) for limit in wanted]
    highest = max([float(rate) for rate in rates.dropna()] + [0.0])
    return [mark for mark in scales.ticks(0.0, highest or 0.1, count=4) if 0 < mark < (highest or 0.1)][
        :_MOST_LIMITS
    ] or [0.05]
