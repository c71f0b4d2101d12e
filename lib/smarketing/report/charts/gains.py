"""Cumulative gain: who calls the first tenth of the leads, how much of the outcome is caught. And the Qini curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from smarketing.report import formats, palette
from smarketing.report.charts import canvas, plane, scales
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.chart import (
    Chart,
    behind,
    check_columns,
    check_shares,
    check_words,
    drawn,
    flags,
    thinned,
)
from smarketing.report.charts.labels import Path

_OPTIONAL = ("lower", "upper", "emphasis")
_MOST_LINES = 4
# Lines that are not the story are grey and told apart by their strokes.
_STROKES = ("solid", (0, (7, 3)), (0, (3, 2)))


def gains(
    lines: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    unit: str = "share",
    currency: str = "",
    cut_off: float | None = None,
    cut_off_label: str = "",
    straight_label: str = "In random order",
    straight_to: float | None = None,
    called_label: str = "Share of leads called, best first",
    captured_label: str = "Share of outcomes captured",
    line_label: str = "Order",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw what each order of calling captures, against the share of leads called.

    Parameters
    ----------
    lines
        One row a line and share called: ``line`` (its name), ``called`` (0 to 1, rising within a line), ``captured``
        (in ``unit``; for a Qini curve the outcomes that would not have come anyway, which may be below zero) and
        optionally ``lower``, ``upper`` (drawn as a band) and ``emphasis`` (True on the rows of the story's line, which
        is bold and in colour, the others grey; the first line where none is set). Rows with a missing value are left
        out.
    unit, currency
        Unit of ``captured``.
    cut_off, cut_off_label
        The share that the team has hands for, marked where the story's line reaches it, and its words (without them,
        both shares are named).
    straight_label, straight_to
        Words of the straight line from nothing to all, and the value it ends at; None for the end of the story's line.
    called_label, captured_label, line_label
        Captions of the axes and headings of the data table.

    Raises
    ------
    ValueError
        For missing or unknown columns, words that are missing, more than four lines or none with a known value.
    """
    check_columns(lines, "gains", required=("line", "called", "captured"), optional=_OPTIONAL)
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    rows = lines.reindex(columns=["line", "called", "captured", *_OPTIONAL])
    rows = rows.astype(dict.fromkeys(("called", "captured", "lower", "upper"), float))
    check_shares(rows, "gains", ("called",))
    rows = rows[rows["captured"].notna() & rows["called"].notna()].reset_index(drop=True)
    if rows.empty:
        raise ValueError("gains: got no known value; at least one is needed. Show not_applicable() instead.")
    if (found := rows["line"].nunique()) > _MOST_LINES:
        raise ValueError(f"gains: got {found} lines; allowed are 1 to {_MOST_LINES}. Leave out what is not compared.")
    kind = f"{unit}:{currency}" if currency else unit

    def painting(sheet: Sheet) -> Figure:
        return paint(
            rows,
            sheet,
            unit=kind,
            cut_off=cut_off,
            cut_off_label=cut_off_label,
            straight=(straight_label, straight_to),
            captions=(called_label, captured_label),
        )

    columns = {"line": (line_label, ""), "called": (called_label, "share"), "captured": (captured_label, kind)}
    columns |= {"lower": ("Lower", kind), "upper": ("Upper", kind)}
    data, units = behind(thinned(rows), columns, optional=_OPTIONAL)
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
    rows: pd.DataFrame,
    sheet: Sheet,
    *,
    unit: str,
    cut_off: float | None,
    cut_off_label: str,
    straight: tuple[str, float | None],
    captions: tuple[str, str],
) -> Figure:
    """Return the drawing of the lines on one sheet."""
    parts = _by_line(rows)
    story = next(iter(parts))
    called, captured = parts[story]["called"].to_numpy(), parts[story]["captured"].to_numpy()
    end = float(captured[-1]) if straight[1] is None else straight[1]
    values = [float(value) for value in pd.concat([rows["captured"], rows["lower"], rows["upper"]]).dropna()]
    if unit == "share" and rows["captured"].max() <= 1.0:
        values = [min(value, 1.0) for value in values]
    marks = scales.zero_based([*values, end], unit.partition(":")[0], count=4)
    top, height = 1.5 * LINE + 4, (270.0 if sheet.narrow else 300.0)
    figure = canvas.blank(sheet, top + height + plane.CAPTIONS)
    area = plane.plane(
        figure,
        sheet,
        x=plane.over([0.0, 0.25, 0.5, 0.75, 1.0], "share"),
        y=plane.over(marks, unit),
        x_label=captions[0],
        y_label=captions[1],
        top=top,
        height=height,
    )
    axes = area.axes
    axes.plot([0, 1], [0, end], color=palette.LIGHT["muted"], linewidth=1.2, linestyle=(0, (1.5, 2.5)))
    paths: dict[str | None, Path] = {None: area.path([0, 1], [0, end])}
    grey = iter(_STROKES)
    for name, part in parts.items():
        colour = palette.LIGHT["blue" if name == story else "grey"]
        if part["lower"].notna().any():
            shade = 0.16 if name == story else 0.12
            axes.fill_between(part["called"], part["lower"], part["upper"], color=colour, alpha=shade, linewidth=0)
        bold = name == story
        axes.plot(
            part["called"],
            part["captured"],
            color=colour,
            linewidth=2.8 if bold else 1.8,
            linestyle="solid" if bold else next(grey),
            marker="o" if len(part) == 1 else None,
            zorder=4 if bold else 2,
            clip_on=False,
        )
        paths[name] = area.path(part["called"], part["captured"])
    upright = None
    if cut_off is not None and called[0] <= cut_off <= called[-1]:
        reached = float(np.interp(cut_off, called, captured))
        axes.plot([cut_off] * 2, [0, reached], color=palette.LIGHT["ink"], linewidth=1.2, linestyle=(0, (3, 3)))
        axes.plot([cut_off], [reached], color=palette.LIGHT["blue"], marker="o", markersize=9, zorder=5, clip_on=False)
        named = f"{scales.percent(cut_off)} called: {formats.value_of(reached, unit)}"
        upright, dot = area.path([cut_off] * 2, [0, reached]), area.path([cut_off], [reached])
        others = [*paths.values(), upright]
        area.name(cut_off_label or named, dot, others, colour="ink", weight=600, widest=150, lines=3)
    for own in (*parts, None):
        others = [path for other, path in paths.items() if other != own] + ([upright] if upright is not None else [])
        colour = "blue" if own == story else "muted" if own is None else "grey"
        text = straight[0] if own is None else own
        area.name(text, paths[own], others, colour=colour, weight=600 if own == story else 400)
    return figure


def _by_line(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each line, the story's line first."""
    told = [str(name) for name, flag in zip(rows["line"], flags(rows, "emphasis"), strict=True) if flag]
    names = list(dict.fromkeys([*told[:1], *map(str, rows["line"])]))
    return {name: rows[rows["line"].astype(str) == name] for name in names}
