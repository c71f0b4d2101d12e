"""Calibration: what the score promised, by bins, against what came."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from smarketing.report import formats, palette
from smarketing.report.charts import canvas, plane, scales
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.chart import Chart, behind, check_columns, check_rows, check_shares, check_words, drawn

_OPTIONAL = ("n", "note")


def calibration(
    bins: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    top_label: str = "",
    diagonal_label: str = "As predicted",
    predicted_label: str = "Predicted probability",
    observed_label: str = "Observed rate",
    n_label: str = "Leads",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw one dot and interval a bin of equal numbers, and the diagonal on which promises are kept.

    Parameters
    ----------
    bins
        One row a bin: ``predicted`` (mean probability), ``observed`` (rate, 0 to 1), ``lower``, ``upper`` and
        optionally ``n`` and ``note``. A bin without an observed rate is not drawn; its note says why in the table.
    top_label
        Words of the bin with the highest prediction; without them, both of its numbers are named.
    diagonal_label, predicted_label, observed_label, n_label
        Captions and headings of the data table.

    Raises
    ------
    ValueError
        For missing or unknown columns, words that are missing, shares beyond 0 to 1, or no bin with both values.
    """
    check_columns(bins, "calibration", required=("predicted", "observed", "lower", "upper"), optional=_OPTIONAL)
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    check_rows(bins, "calibration", "bins")
    rows = bins.reindex(columns=["predicted", "observed", "lower", "upper", *_OPTIONAL])
    rows = rows.astype(dict.fromkeys(("predicted", "observed", "lower", "upper", "n"), float))
    check_shares(rows, "calibration", ("predicted", "observed"))
    rows = rows.sort_values("predicted", kind="stable").reset_index(drop=True)
    shown = rows[rows["predicted"].notna() & rows["observed"].notna()].reset_index(drop=True)
    if shown.empty:
        missing = "got no bin with an observed rate; at least one is needed"
        raise ValueError(f"calibration: {missing}. Show not_applicable() instead.")

    def painting(sheet: Sheet) -> Figure:
        captions = (predicted_label, observed_label)
        return paint(shown, sheet, top_label=top_label, diagonal_label=diagonal_label, captions=captions)

    columns = {"predicted": (predicted_label, "share"), "observed": (observed_label, "share")}
    columns |= {"lower": ("Lower", "share"), "upper": ("Upper", "share"), "n": (n_label, "count"), "note": ("Note", "")}
    data, units = behind(rows, columns, optional=_OPTIONAL)
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
    rows: pd.DataFrame, sheet: Sheet, *, top_label: str, diagonal_label: str, captions: tuple[str, str]
) -> Figure:
    """Return the drawing of the bins on one sheet."""
    columns = pd.concat([rows["predicted"], rows["observed"], rows["upper"].clip(upper=1.0)])
    values = [float(value) for value in columns.dropna()]
    marks = scales.zero_based(values, "share", count=4)
    scale = plane.over(marks, "share")
    top, height = 1.5 * LINE + 4, (270.0 if sheet.narrow else 300.0)
    figure = canvas.blank(sheet, top + height + plane.CAPTIONS)
    area = plane.plane(
        figure, sheet, x=scale, y=scale, x_label=captions[0], y_label=captions[1], top=top, height=height
    )
    ends = [scale.low, scale.high]
    area.axes.plot(ends, ends, color=palette.LIGHT["muted"], linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    diagonal = area.path(ends, ends)
    last = len(rows) - 1
    obstacles = []
    for place, row in rows.iterrows():
        x, y = float(row["predicted"]), float(row["observed"])
        if not (pd.isna(row["lower"]) or pd.isna(row["upper"])):
            area.axes.plot([x, x], [row["lower"], row["upper"]], color=palette.LIGHT["blue"], linewidth=2, zorder=3)
            obstacles.append(area.path([x, x], [float(row["lower"]), float(row["upper"])]))
        size = 10 if place == last else 7
        area.axes.plot([x], [y], color=palette.LIGHT["blue"], marker="o", markersize=size, zorder=4, clip_on=False)
        obstacles.append(area.path([x], [y]))
    top_bin = rows.iloc[-1]
    said = f"Predicted {formats.share(top_bin['predicted'])}, observed {formats.share(top_bin['observed'])}"
    own = area.path([float(top_bin["predicted"])], [float(top_bin["observed"])])
    area.name(top_label or said, own, [*obstacles, diagonal], colour="blue", weight=600, widest=150, lines=3)
    area.name(diagonal_label, diagonal, obstacles, colour="muted")
    return figure
