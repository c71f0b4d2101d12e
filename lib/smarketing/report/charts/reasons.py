"""What a score leans on, or what speaks for and against one lead: bars to both sides of nothing."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from smarketing.report import formats, palette
from smarketing.report.charts import canvas
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.chart import Chart, behind, check_columns, check_rows, check_words, drawn, flags

_OPTIONAL = ("lower", "upper", "emphasis", "note")
_ROW = {"wide": 34.0, "narrow": 50.0}
_GAP = 8.0


def reasons(
    rows: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    unit: str = "number",
    currency: str = "",
    signed: bool = True,
    against_label: str = "Speaks against",
    for_label: str = "Speaks for",
    label_name: str = "Reason",
    value_label: str = "Contribution",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw one bar a row, in the order given: to the right what raises the score, to the left what lowers it.

    Parameters
    ----------
    rows
        One row a reason: ``label`` (words), ``value`` (a contribution to the log-odds or in points, or the mean of its
        size over all leads; missing means withheld and is said so) and optionally ``lower``, ``upper``, ``emphasis``
        (True for the rows that the title names: the others on that side are then grey) and ``note``.
    unit, currency
        Unit of the values, see `smarketing.report.formats.value_of`.
    signed
        Write a plus before what raises the score; False for sizes.
    against_label, for_label
        Words over the two sides; left out where no value is negative.
    label_name, value_label
        Headings of the data table.

    Raises
    ------
    ValueError
        For missing or unknown columns, words that are missing, or no rows.
    """
    check_columns(rows, "reasons", required=("label", "value"), optional=_OPTIONAL)
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    check_rows(rows, "reasons")
    ordered = rows.reindex(columns=["label", "value", *_OPTIONAL]).reset_index(drop=True)
    ordered = ordered.astype(dict.fromkeys(("value", "lower", "upper"), float))
    kind = f"{unit}:{currency}" if currency else unit

    def painting(sheet: Sheet) -> Figure:
        return paint(ordered, sheet, unit=kind, signed=signed, sides=(against_label, for_label))

    shown = f"difference {kind}" if signed else kind
    columns = {"label": (label_name, ""), "value": (value_label, shown), "lower": ("Lower", shown)}
    columns |= {"upper": ("Upper", shown), "note": ("Note", "")}
    data, units = behind(ordered, columns, optional=_OPTIONAL)
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


def paint(rows: pd.DataFrame, sheet: Sheet, *, unit: str, signed: bool, sides: tuple[str, str]) -> Figure:
    """Return the drawing of the rows on one sheet."""
    tall = _ROW[sheet.name]
    values = rows["value"].fillna(0.0)
    least = [min(0.0, value, low) for value, low in zip(values, rows["lower"].fillna(0.0), strict=True)]
    most = [max(0.0, value, high) for value, high in zip(values, rows["upper"].fillna(0.0), strict=True)]
    ends = [_end(row, unit, signed) for _, row in rows.iterrows()]
    widths = [canvas.text_width(end, 600) + _GAP + 2 for end in ends]
    known = rows["value"].notna()
    two_sided = bool((values < 0).any())
    name_room = 0.0
    if not sheet.narrow:
        name_room = min(max(canvas.text_width(str(name), 600) for name in rows["label"]), sheet.width * 0.34) + 18
    # Each side gives up the room that its own end labels need.
    before = max([0.0, *(w for w, v, k in zip(widths, values, known, strict=True) if k and v < 0)])
    after = max([40.0, *(w for w, v, k in zip(widths, values, known, strict=True) if k and v >= 0)])
    left, right = name_room + min(before, sheet.width * 0.3) + 2, sheet.width - min(after, sheet.width * 0.3)
    low, high = min(least), max(most)
    if high - low < 1e-12:
        high = low + 1.0
    top = LINE + 8.0 if two_sided else 4.0
    figure = canvas.blank(sheet, top + tall * len(rows) + 4)
    scale = (right - left) / (high - low)
    zero = left - low * scale
    over = canvas.over_all(figure)
    if two_sided:
        half = (sheet.width - name_room) / 2 - 8
        canvas.write(figure, canvas.shorten(f"← {sides[0]}", half), x=name_room, y=9, colour="muted")
        canvas.write(figure, canvas.shorten(f"{sides[1]} →", half), x=sheet.width, y=9, align="right", colour="muted")
    emphasis = flags(rows, "emphasis")
    for place, row in rows.iterrows():
        number = int(str(place))
        begin = top + tall * number
        middle = begin + (34.0 if sheet.narrow else tall / 2)
        value, weight = float(values[number]), 600 if emphasis[number] else 400
        colour = "grey" if any(emphasis) and not emphasis[number] else "blue" if value >= 0 else "orange"
        over.barh([middle], [value * scale], left=zero, height=20, color=palette.LIGHT[colour], linewidth=0)
        over.plot([zero, zero], [middle - 13, middle + 13], color=palette.LIGHT["ink"], linewidth=1)
        if not (formats.is_missing(row["lower"]) or formats.is_missing(row["upper"])):
            ends_at = [zero + float(row["lower"]) * scale, zero + float(row["upper"]) * scale]
            over.plot(ends_at, [middle] * 2, color=palette.LIGHT["ink"], linewidth=1.5)
        if sheet.narrow:
            name = canvas.shorten(str(row["label"]), sheet.width - 4, weight)
            canvas.write(figure, name, x=0, y=begin + 11, weight=weight)
        else:
            room = name_room - 14
            canvas.write_beside(
                figure, str(row["label"]), right=name_room - 12, middle=middle, room=room, weight=weight
            )
        if not known.iloc[number]:
            end = canvas.shorten(ends[number], sheet.width - zero - _GAP - 2)
            canvas.write(figure, end, x=zero + _GAP, y=middle, colour="muted")
        elif value < 0:
            end = canvas.shorten(ends[number], zero + least[number] * scale - name_room - _GAP, 600)
            canvas.write(figure, end, x=zero + least[number] * scale - _GAP, y=middle, align="right", weight=600)
        else:
            end = canvas.shorten(ends[number], sheet.width - zero - most[number] * scale - _GAP, 600)
            canvas.write(figure, end, x=zero + most[number] * scale + _GAP, y=middle, weight=600)
    over.set(xlim=(0, sheet.width), ylim=(top + tall * len(rows) + 4, 0))
    return figure


def _end(row: pd.Series, unit: str, signed: bool) -> str:
    if formats.is_missing(row["value"]):
        note = "" if formats.is_missing(row["note"]) else str(row["note"])
        return f"withheld: {note}" if note else "withheld"
    return formats.difference(row["value"], unit) if signed else formats.value_of(row["value"], unit)
