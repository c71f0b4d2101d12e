"""What a threshold is worth a week: the agreed one, the best one and the limit of capacity marked on one curve."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

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

_OPTIONAL = ("lower", "upper", "leads")
_MOST_MARKS = 4
_GAP = 6.0


def cost_curve(
    points: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    marks: pd.DataFrame | None = None,
    unit: str = "money",
    currency: str = "",
    threshold_label: str = "Least probability of a lead that is called",
    value_label: str = "Expected value a week",
    leads_label: str = "Leads a week",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw the expected value against the threshold, with the thresholds that people speak of.

    Parameters
    ----------
    points
        One row a threshold: ``threshold`` (probability), ``value`` (in ``unit``; missing ones are left out) and
        optionally ``lower``, ``upper`` (drawn as a band) and ``leads`` (called a week at that threshold: a second line
        of labels under the axis, each from the nearest row).
    marks
        One row a marked threshold, at most four: ``label``, ``threshold``, optionally ``value`` (else read off the
        curve) and ``emphasis`` (True for the story's one). Marks of one threshold, as printed, share a label.
    unit, currency
        Unit of the values.
    threshold_label, value_label, leads_label
        Captions and headings of the data table.

    Raises
    ------
    ValueError
        For missing or unknown columns, words that are missing, more than four marks, or no known value.
    """
    check_columns(points, "cost_curve", required=("threshold", "value"), optional=_OPTIONAL)
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    rows = points.reindex(columns=["threshold", "value", *_OPTIONAL]).astype(float)
    check_shares(rows, "cost_curve", ("threshold",))
    rows = rows[rows["threshold"].notna() & rows["value"].notna()].sort_values("threshold", kind="stable")
    rows = rows.reset_index(drop=True)
    if rows.empty:
        raise ValueError("cost_curve: got no known value; at least one is needed. Show not_applicable() instead.")
    spoken = _marks(rows, marks)
    kind = f"{unit}:{currency}" if currency else unit

    def painting(sheet: Sheet) -> Figure:
        return paint(rows, spoken, sheet, unit=kind, captions=(threshold_label, value_label, leads_label))

    columns = {"mark": ("Marked as", ""), "threshold": ("Threshold", "share"), "value": (value_label, kind)}
    columns |= {"lower": ("Lower", kind), "upper": ("Upper", kind), "leads": (leads_label, "count")}
    parts = [thinned(rows.assign(line="")), spoken.rename(columns={"label": "mark"})]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True).reindex(columns=list(columns))
    table = table.sort_values("threshold", kind="stable", ignore_index=True)
    data, units = behind(table, columns, optional=("mark", *_OPTIONAL))
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
    rows: pd.DataFrame, marks: pd.DataFrame, sheet: Sheet, *, unit: str, captions: tuple[str, str, str]
) -> Figure:
    """Return the drawing of the curve and its marks on one sheet."""
    columns = [rows["value"], rows["lower"], rows["upper"], marks["value"]]
    values = [float(value) for column in columns for value in column.dropna()]
    level = scales.zero_based(values, unit.partition(":")[0], count=4)
    thresholds = [float(value) for value in (*rows["threshold"], *marks["threshold"])]
    low, high = min(thresholds), max(thresholds)
    if high - low < 1e-9:
        low, high = max(low - 0.05, 0.0), min(low + 0.05, 1.0)
    between = [mark for mark in scales.ticks(low, high, count=4 if sheet.narrow else 8) if low <= mark <= high]
    known_leads = rows["leads"].notna().any()
    height = 230.0 if sheet.narrow else 250.0
    flags_top = LINE + 8
    top = flags_top + LINE * len(marks) + 14
    figure = canvas.blank(sheet, top + height + plane.CAPTIONS + (2 * LINE + 4 if known_leads else 0))
    area = plane.plane(
        figure,
        sheet,
        x=plane.Scale(between or [low], "share", low, high),
        y=plane.over(level, unit),
        x_label=captions[0],
        y_label="",
        top=top,
        height=height,
    )
    canvas.write(figure, canvas.shorten(captions[1], sheet.width - 2), x=0, y=9, colour="muted")
    if known_leads:
        _leads(area, rows[rows["leads"].notna()], sheet, captions[2])
    blue = palette.LIGHT["blue"]
    if rows["lower"].notna().any():
        area.axes.fill_between(rows["threshold"], rows["lower"], rows["upper"], color=blue, alpha=0.14, linewidth=0)
    marker = "o" if len(rows) == 1 else None
    area.axes.plot(rows["threshold"], rows["value"], color=blue, linewidth=2.4, marker=marker, clip_on=False, zorder=3)
    _flags(area, marks, sheet, unit=unit, top=flags_top)
    return figure


def _leads(area: plane.Plane, rows: pd.DataFrame, sheet: Sheet, caption: str) -> None:
    thresholds, leads = rows["threshold"].to_numpy(), rows["leads"].to_numpy()
    texts = [
        (area.across(mark), _lead_count(float(leads[np.argmin(np.abs(thresholds - mark))]))) for mark in area.x.marks
    ]
    plane.ticks(area, sheet, texts, down=plane.CAPTIONS + 8)
    x, y = area.box.left, area.box.bottom + plane.CAPTIONS + LINE + 9
    canvas.write(area.figure, canvas.shorten(caption, sheet.width - x), x=x, y=y, colour="muted")


def _lead_count(leads: float) -> str:
    """Return leads as a whole number, below one with a decimal: few leads are not none."""
    return formats.count(round(leads, 1) if round(leads, 1) < 1 else round(leads))


def _flags(area: plane.Plane, marks: pd.DataFrame, sheet: Sheet, *, unit: str, top: float) -> None:
    """Write the words of each mark on a line of its own over the area, on the mark's upright."""
    merged = _merged(marks)
    texts = []
    for _, row in merged.iterrows():
        text = f"{row['label']} {scales.percent(row['threshold'])}"
        text += f": {formats.value_of(row['value'], unit)}" if not formats.is_missing(row["value"]) else ""
        texts.append(canvas.shorten(text, sheet.width - 4, 600))
    xs = [area.across(float(threshold)) for threshold in merged["threshold"]]
    weights = [600 if told else 400 for told in flags(merged, "emphasis")]
    widths = [canvas.text_width(text, weight) for text, weight in zip(texts, weights, strict=True)]
    over = canvas.over_all(area.figure)
    for (line, left), x, (_, row), text, weight in zip(
        stacked(xs, widths, width=sheet.width), xs, merged.iterrows(), texts, weights, strict=True
    ):
        y, colour = top + LINE * (line + 0.5), palette.LIGHT["orange" if weight == 600 else "muted"]
        over.plot([x, x], [y - 8, area.box.bottom], color=colour, linewidth=1.4 if weight == 600 else 1.0, zorder=2)
        if not formats.is_missing(row["value"]):
            over.plot([x], [area.down(float(row["value"]))], color=colour, marker="o", markersize=9, zorder=5)
        canvas.write(area.figure, text, x=left, y=y, weight=weight)


def stacked(xs: Sequence[float], widths: Sequence[float], *, width: float) -> list[tuple[int, float]]:
    """Return for each upright the line (0 on top) and the left end of its text, which stands beside the upright.

    Each text has a line of its own, and an upright goes down from its text: lines are given out, and texts set to the
    right or the left of their uprights, such that as few uprights as possible run through the text of another.
    """
    best: tuple[float, list[tuple[int, float]]] = (np.inf, [])
    for order in permutations(range(len(xs))):
        for to_left in product((False, True), repeat=len(xs)):
            wanted = [x - _GAP - w if left else x + _GAP for x, w, left in zip(xs, widths, to_left, strict=True)]
            lefts = [min(max(want, 0.0), max(width - w, 0.0)) for want, w in zip(wanted, widths, strict=True)]
            crossed = sum(
                lefts[text] - 3 < xs[upright] < lefts[text] + widths[text] + 3
                for text in range(len(xs))
                for upright in range(len(xs))
                if order[upright] <= order[text]
            )
            moved = sum(abs(want - left) > 0.5 for want, left in zip(wanted, lefts, strict=True))
            cost = 100.0 * crossed + 10.0 * moved + sum(to_left)
            if cost < best[0]:
                best = (cost, list(zip(order, lefts, strict=True)))
    return best[1]


def _merged(marks: pd.DataFrame) -> pd.DataFrame:
    """Return one row for marks whose thresholds are printed alike, under their joined names."""
    printed = [scales.percent(threshold) for threshold in marks["threshold"]]
    groups = [[place for place, text in enumerate(printed) if text == each] for each in dict.fromkeys(printed)]
    rows = []
    for group in groups:
        part = marks.iloc[group]
        told = flags(part, "emphasis")
        first = part.iloc[told.index(True) if any(told) else 0]
        names = [str(name) for name in part["label"]]
        label = formats.listed([names[0], *(formats.inside(name) for name in names[1:])])
        rows.append({**first.to_dict(), "label": label, "emphasis": any(told)})
    return pd.DataFrame(rows, columns=list(marks.columns))


def _marks(rows: pd.DataFrame, marks: pd.DataFrame | None) -> pd.DataFrame:
    """Return the marks with their values; one outside the curve's thresholds has none unless it brings its own."""
    if marks is None:
        return pd.DataFrame({"label": [], "threshold": [], "value": [], "emphasis": []})
    check_columns(marks, "cost_curve marks", required=("label", "threshold"), optional=("value", "emphasis"))
    known = marks.reindex(columns=["label", "threshold", "value", "emphasis"])
    known = known.astype({"threshold": float, "value": float})
    check_shares(known, "cost_curve marks", ("threshold",))
    known = known[known["threshold"].notna()].sort_values("threshold", kind="stable").reset_index(drop=True)
    if len(known) > _MOST_MARKS:
        raise ValueError(f"cost_curve marks: got {len(known)}; allowed are 0 to {_MOST_MARKS}. Mark fewer thresholds.")
    read = np.interp(known["threshold"], rows["threshold"], rows["value"], left=np.nan, right=np.nan)
    known["value"] = known["value"].where(known["value"].notna(), read)
    return known
