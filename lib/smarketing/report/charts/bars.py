"""Sorted horizontal bars: grey except for the story, with a tick for the period before."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from smarketing.report import formats, palette
from smarketing.report.charts import canvas
from smarketing.report.charts.canvas import Sheet
from smarketing.report.charts.chart import Chart, check_columns, check_rows, check_words, drawn, flags

_ROW = {"wide": 36.0, "narrow": 50.0}


def bars(
    rows: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    unit: str = "count",
    currency: str = "",
    value_label: str = "Value",
    prior_label: str = "Period before",
    label_name: str = "Group",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw one bar a row, longest first.

    Parameters
    ----------
    rows
        One row a group. ``label`` (text), ``value`` (in ``unit``; missing means withheld and is said so), optional
        ``prior`` (the same measure a period before), ``change`` (value less prior, in the unit), ``emphasis`` (True for
        the story) and ``note`` (text beside the bar, such as why a value is withheld).
    unit, currency
        Unit of the values, see `smarketing.report.formats.value_of`.
    value_label, prior_label, label_name
        Column headings of the data table.
    """
    check_columns(rows, "bars", required=("label", "value"), optional=("prior", "change", "emphasis", "note"))
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    check_rows(rows, "bars")
    ordered = rows.sort_values("value", ascending=False, na_position="last", kind="stable").reset_index(drop=True)
    names: Mapping[str, str] = {
        "label": label_name,
        "value": value_label,
        "prior": prior_label,
        "change": "Change",
        "note": "Note",
    }
    shown = ordered[[column for column in names if column in ordered.columns]].rename(columns=dict(names))
    money = f"{unit}:{currency}" if currency else unit
    kinds = {names["value"]: money, names["prior"]: money, "Change": f"difference {money}"}
    return drawn(
        lambda sheet: paint(ordered, sheet, unit=unit, currency=currency),
        shown,
        kinds,
        id=id,
        title=title,
        subtitle=subtitle,
        source=source,
        alt=alt,
        how_to_read=how_to_read,
        so_what=so_what,
    )


def paint(rows: pd.DataFrame, sheet: Sheet, *, unit: str, currency: str) -> Figure:
    """Return the drawing of sorted rows on one sheet."""
    row_height = _ROW[sheet.name]
    figure = canvas.blank(sheet, row_height * len(rows) + 6)
    ends = [_end_label(row, unit, currency) for _, row in rows.iterrows()]
    known = [not formats.is_missing(value) for value in rows["value"]]
    # A withheld row has no bar, so its reason may run over the place of one.
    room = max([40.0, *(canvas.text_width(end, 600) for end, here in zip(ends, known, strict=True) if here)]) + 14
    if sheet.narrow:
        left = 2.0
    else:
        widest = max(canvas.text_width(str(label), 600) for label in rows["label"])
        left = min(widest, sheet.width * 0.3) + 16
    room = min(room, sheet.width * 0.55)
    span = sheet.width - left - room
    values = pd.concat([rows["value"], rows["prior"]]) if "prior" in rows.columns else rows["value"]
    top_value = float(values.max()) if values.notna().any() and values.max() > 1e-9 else 1.0
    least = min(float(values.min()), 0.0) if values.notna().any() else 0.0
    axes = canvas.frame(figure, left=left, top=3, width=span, height=row_height * len(rows))
    emphasis = flags(rows, "emphasis")
    colours = [palette.LIGHT["orange" if told else "grey"] for told in emphasis]
    positions = [str(index) for index in range(len(rows))]
    sns.barplot(
        x=rows["value"].fillna(0.0).to_numpy(),
        y=positions,
        hue=positions,
        palette=colours,
        legend=False,
        saturation=1,
        width=0.62 if not sheet.narrow else 0.42,
        orient="h",
        ax=axes,
        errorbar=None,
        linewidth=0,
    )
    shift = 0.19 if sheet.narrow else 0.0
    for patch in axes.patches:
        assert isinstance(patch, Rectangle)
        patch.set_y(patch.get_y() + shift)
    axes.set(xlim=(least, top_value), ylim=(len(rows) - 0.5, -0.5), xticks=[], yticks=[], xlabel="", ylabel="")
    for place in range(len(rows)):
        upright = (place - 0.2 + shift, place + 0.2 + shift) if sheet.narrow else (place - 0.5, place + 0.5)
        axes.plot([0, 0], upright, color=palette.LIGHT["ink"], linewidth=1, clip_on=False)
    scale = span / (top_value - least)
    for index, (_, row) in enumerate(rows.iterrows()):
        middle = 3 + row_height * (index + 0.5 + shift)
        weight = 600 if emphasis[index] else 400
        reach = max([0.0, *(float(row[name]) for name in ("value", "prior") if not formats.is_missing(row.get(name)))])
        prior = row.get("prior")
        if prior is not None and not formats.is_missing(prior):
            axes.plot(
                [prior, prior],
                [
                    index + shift - 0.4 * (0.7 if sheet.narrow else 1),
                    index + shift + 0.4 * (0.7 if sheet.narrow else 1),
                ],
                color=palette.LIGHT["ink"],
                linewidth=2,
                solid_capstyle="butt",
                clip_on=False,
            )
        if sheet.narrow:
            label = canvas.shorten(str(row["label"]), sheet.width - 8, weight)
            canvas.write(figure, label, x=left, y=middle - 21, weight=weight)
        else:
            name = str(row["label"])
            canvas.write_beside(figure, name, right=left - 10, middle=middle, room=left - 12, weight=weight)
        start = left + (reach - least) * scale + 9
        canvas.write(
            figure,
            canvas.shorten(ends[index], sheet.width - start - 1, 600),
            x=start,
            y=middle,
            weight=600 if known[index] else 400,
            colour="ink" if known[index] else "muted",
        )
    return figure


def _end_label(row: pd.Series, unit: str, currency: str) -> str:
    note = "" if formats.is_missing(row.get("note")) else str(row.get("note"))
    if formats.is_missing(row["value"]):
        return f"withheld: {note}" if note else "withheld"
    text = formats.value_of(row["value"], unit, currency)
    if not formats.is_missing(row.get("change")):
        text += f" ({formats.difference(row['change'], unit, currency)})"
    return f"{text}  {note}".strip()
