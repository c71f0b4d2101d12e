"""Dots with intervals, one row each (a forest plot); the whole as a bold diamond."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from smarketing.report import formats, palette
from smarketing.report.charts import canvas, scales
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.chart import Chart, check_columns, check_rows, check_words, drawn, flags

_OPTIONAL = ("n", "emphasis", "told", "note")
_ROW = {"wide": 32.0, "narrow": 48.0}


def intervals(
    rows: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    unit: str = "share",
    currency: str = "",
    reference: float | None = None,
    reference_label: str = "",
    label_name: str = "Group",
    value_label: str = "Value",
    n_label: str = "n",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw one dot and interval a row, in the order given.

    Parameters
    ----------
    rows
        One row a group: ``label``, ``value``, ``lower``, ``upper`` (in ``unit``) and optionally ``n``, ``emphasis``
        (True for the whole: a bold diamond), ``told`` (True for a row that the title names: in colour) and ``note``.
        A row without value is withheld: its note, the reason, stands in the place of the dot.
    unit, currency
        Unit of the values; ``points`` for differences of shares.
    reference, reference_label
        A value marked by an upright line, and its words.
    """
    check_columns(rows, "intervals", required=("label", "value", "lower", "upper"), optional=_OPTIONAL)
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    check_rows(rows, "intervals")
    ordered = rows.reindex(columns=["label", "value", "lower", "upper", *_OPTIONAL]).reset_index(drop=True)
    ordered = ordered.astype({"value": float, "lower": float, "upper": float})
    kind = f"{unit}:{currency}" if currency else unit

    def painting(sheet: Sheet) -> Figure:
        return paint(ordered, sheet, unit=kind, reference=reference, reference_label=reference_label)

    names = {
        "label": label_name,
        "n": n_label,
        "value": value_label,
        "lower": "Lower",
        "upper": "Upper",
        "note": "Note",
    }
    data = ordered[list(names)].rename(columns=names)
    data = data.drop(columns=[name for name in (n_label, "Note") if data[name].isna().all()])
    kinds = {n_label: "count", value_label: kind, "Lower": kind, "Upper": kind}
    return drawn(
        painting,
        data,
        kinds,
        id=id,
        title=title,
        subtitle=subtitle,
        source=source,
        alt=alt,
        how_to_read=how_to_read,
        so_what=so_what,
    )


def paint(rows: pd.DataFrame, sheet: Sheet, *, unit: str, reference: float | None, reference_label: str) -> Figure:
    """Return the drawing of the rows on one sheet."""
    row_height = _ROW[sheet.name]
    top = 22.0 if reference is not None else 4.0
    height = row_height * len(rows)
    figure = canvas.blank(sheet, top + height + LINE + 10)
    ends = [_end_text(row, unit, sheet) for _, row in rows.iterrows()]
    known = rows["value"].notna()
    weights = [600 if flag else 400 for flag in flags(rows, "emphasis")]
    told = flags(rows, "told")
    if sheet.narrow:
        left, right = 4.0, 6.0
    else:
        left = min(max(canvas.text_width(str(name), 600) for name in rows["label"]), sheet.width * 0.3) + 20
        right = max([40.0, *(canvas.text_width(end, 600) for end, here in zip(ends, known, strict=True) if here)]) + 18
    span = sheet.width - left - right
    marks, low, high = _scale(rows, unit, reference, narrow=sheet.narrow)
    axes = canvas.frame(figure, left=left, top=top, width=span, height=height)
    axes.set(xlim=(low, high), ylim=(len(rows) - 0.5, -0.5))
    step = marks[1] - marks[0]
    for mark in marks:
        axes.axvline(mark, color=palette.LIGHT["grid"], linewidth=1, zorder=0)
        text = scales.tick_text(mark, unit, step=step)
        half = canvas.text_width(text) / 2
        x = min(max(left + span * (mark - low) / (high - low), half), sheet.width - half)
        canvas.write(figure, text, x=x, y=top + height + 13, align="center", colour="muted")
    if reference is not None:
        # On a narrow sheet labels stand above their rows' marks, and the line leaves them out.
        begins = 0.45 if sheet.narrow else 0.0
        for place in range(len(rows)):
            ends_at = [place - 0.5 + begins, place + 0.5]
            axes.plot([reference] * 2, ends_at, color=palette.LIGHT["ink"], linewidth=1.2, zorder=1)
        words = canvas.shorten(reference_label or formats.value_of(reference, unit), sheet.width - 4)
        half = canvas.text_width(words) / 2
        x = min(max(left + span * (reference - low) / (high - low), half), sheet.width - half)
        canvas.write(figure, words, x=x, y=10, align="center", colour="muted")
    shift = 0.2 if sheet.narrow else 0.0
    for index, row in rows.iterrows():
        place = int(str(index))
        middle = top + row_height * (place + 0.5 + shift)
        _row_words(figure, str(row["label"]), ends[place], bool(known.iloc[place]), sheet, left, middle, weights[place])
        if not known.iloc[place]:
            axes.axhspan(place - 0.5, place + 0.5, color=palette.LIGHT["bg"], linewidth=0, zorder=2)
        else:
            bold = weights[place] == 600
            colour = palette.LIGHT["blue" if bold or told[place] else "grey"]
            if not (pd.isna(row["lower"]) or pd.isna(row["upper"])):
                axes.plot(
                    [row["lower"], row["upper"]],
                    [place + shift] * 2,
                    color=colour,
                    linewidth=3 if bold else 2,
                    solid_capstyle="butt",
                )
            sns.scatterplot(
                x=[row["value"]],
                y=[place + shift],
                color=colour,
                marker="D" if bold else "o",
                s=70 if bold else 48,
                linewidth=0,
                ax=axes,
                zorder=4,
                clip_on=False,
                legend=False,
            )
    axes.set(xlabel="", ylabel="")
    return figure


def _row_words(
    figure: Figure, label: str, end: str, known: bool, sheet: Sheet, left: float, middle: float, weight: int
) -> None:
    if sheet.narrow:
        above = middle - 22
        if known:
            canvas.write(figure, end, x=sheet.width, y=above, align="right", weight=600)
        room = sheet.width - (canvas.text_width(end, 600) + 12 if known else 0)
        canvas.write(figure, canvas.shorten(label, room, weight), x=0, y=above, weight=weight)
        if not known:
            canvas.write(figure, canvas.shorten(end, sheet.width - 8), x=left, y=middle, colour="muted")
        return
    canvas.write_beside(figure, label, right=left - 14, middle=middle, room=left - 18, weight=weight)
    if known:
        canvas.write(figure, end, x=sheet.width, y=middle, align="right", weight=600 if weight == 600 else 400)
    else:
        canvas.write(figure, canvas.shorten(end, sheet.width - left - 4), x=left + 4, y=middle, colour="muted")


def _scale(rows: pd.DataFrame, unit: str, reference: float | None, *, narrow: bool) -> tuple[list[float], float, float]:
    values = [float(value) for value in pd.concat([rows["value"], rows["lower"], rows["upper"]]).dropna()]
    values += [reference] if reference is not None else []
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if unit == "share":
        # A scale of shares begins at zero unless that would squeeze the rows into its far end.
        low = 0.0 if low < 0.6 * high or high - low < 1e-9 else low
        high = min(high, 1.0)
    elif low > 0 and low < 0.6 * high:
        low = 0.0
    if high - low < 1e-9:
        low, high = min(low, 0.0), max(high, 0.0) if max(high, 0.0) > min(low, 0.0) else low + 1.0
    marks = scales.ticks(low, high, count=4 if narrow else 6)
    if unit == "share":
        marks = [mark for mark in marks if mark <= 1.0]
    return marks, min(marks[0], low), max(marks[-1], high)


def _end_text(row: pd.Series, unit: str, sheet: Sheet) -> str:
    note = "" if formats.is_missing(row["note"]) else str(row["note"])
    if formats.is_missing(row["value"]):
        return f"withheld: {note}" if note else "withheld"
    text = formats.value_of(row["value"], unit)
    between = formats.interval(row["lower"], row["upper"], unit)
    text += f" ({between})" if between != formats.MISSING else ""
    if not formats.is_missing(row["n"]) and not sheet.narrow:
        text += f" · n {formats.count(row['n'])}"
    return text
