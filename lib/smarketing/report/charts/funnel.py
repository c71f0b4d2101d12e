"""The funnel as left-aligned bars, with the rate of each step between them, and where everybody else is."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from smarketing.report import formats, palette
from smarketing.report.charts import canvas
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.chart import Chart, check_columns, check_rows, check_words, drawn

_REQUIRED = ("stage", "count", "share")
_OPTIONAL = ("share_lower", "share_upper", "step_rate", "step_lower", "step_upper", "step_change")
_BAR, _STEP, _EXIT, _HEADING = 24.0, 26.0, 30.0, 44.0


def funnel(
    steps: pd.DataFrame,
    *,
    exits: pd.DataFrame | None = None,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    change_label: str = "on the period before",
    exits_label: str = "Where the others are",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw the stages of one funnel.

    Parameters
    ----------
    steps
        One row a stage, first to last. ``stage``, ``count`` (subjects that reached it), ``share`` (of the first stage,
        0 to 1), and optionally ``share_lower``, ``share_upper``, ``step_rate`` (share of the stage *before* that
        reached this one; missing in the first row or where withheld) with ``step_lower``, ``step_upper``, and
        ``step_change`` (difference of the step rate from the period before, as a share).
    exits
        One row an exit and "still open": ``exit``, ``share`` (of the first stage) and optionally ``lower``, ``upper``.
    change_label
        What ``step_change`` compares with.
    exits_label
        Heading over the exits.
    """
    check_columns(steps, "funnel steps", required=_REQUIRED, optional=_OPTIONAL)
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    if exits is not None:
        check_columns(exits, "funnel exits", required=("exit", "share"), optional=("lower", "upper"))
    check_rows(steps, "funnel", "stages")
    rows = steps.reindex(columns=[*_REQUIRED, *_OPTIONAL]).reset_index(drop=True)
    others = pd.DataFrame(columns=["exit", "share", "lower", "upper"]) if exits is None else exits
    others = others.reindex(columns=["exit", "share", "lower", "upper"]).reset_index(drop=True)
    data, kinds = _data(rows, others)
    return drawn(
        lambda sheet: paint(rows, others, sheet, change_label=change_label, exits_label=exits_label),
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


def paint(rows: pd.DataFrame, others: pd.DataFrame, sheet: Sheet, *, change_label: str, exits_label: str) -> Figure:
    """Return the drawing of stages and exits on one sheet."""
    label_height = 20.0 if sheet.narrow else 0.0
    stage = _BAR + label_height
    steps_height = stage * len(rows) + _STEP * (len(rows) - 1)
    exit_row = _EXIT + label_height - (10 if sheet.narrow else 0)
    exits_height = _HEADING + exit_row * len(others) if len(others) else 0.0
    heading = canvas.wrapped(f"↓ share that goes on, and its change {change_label}", sheet.width - 4)
    top = 10.0 + LINE * len(heading) if rows["step_change"].notna().any() else 4.0
    figure = canvas.blank(sheet, top + steps_height + exits_height + 6)
    names = [str(name) for name in (*rows["stage"], *others["exit"])]
    widest = max(canvas.text_width(name, 600) for name in names)
    left = 1.0 if sheet.narrow else min(widest, sheet.width * 0.28) + 16
    # The share first, and the count as what it is: divided by entries it would not give the share.
    ends = [
        f"{formats.share(row['share'])} · {formats.count(row['count'])} so far"
        if place
        else formats.count(row["count"])
        for place, (_, row) in enumerate(rows.iterrows())
    ]
    room = max([canvas.text_width(text, 600) for text in ends] + [110.0]) + 14
    span = (sheet.width - left - room) if sheet.narrow else (sheet.width - left) * 0.62
    most = max([float(v) for v in pd.concat([rows["share"], rows["share_upper"], others["share"]]).dropna()] + [1e-9])
    full_height = top + steps_height + exits_height
    axes = canvas.frame(figure, left=left, top=0, width=span, height=full_height)
    if top > 10:
        for number, line in enumerate(heading):
            canvas.write(figure, line, x=0, y=9 + LINE * number, colour="muted")
    middles, shares, colours = [], [], []
    for index, row in rows.iterrows():
        y = top + (stage + _STEP) * int(str(index)) + label_height
        middles.append(y + _BAR / 2)
        shares.append(0.0 if formats.is_missing(row["share"]) else float(row["share"]))
        colours.append(palette.LIGHT["blue"])
        _row_label(figure, str(row["stage"]), sheet, left=left, y=y, weight=600)
        reach = max([shares[-1]] + ([] if formats.is_missing(row["share_upper"]) else [float(row["share_upper"])]))
        canvas.write(figure, ends[int(str(index))], x=left + span * reach / most + 9, y=y + _BAR / 2, weight=600)
        if int(str(index)) > 0:
            _step(figure, row, left=left, y=y - label_height - _STEP / 2)
    if len(others):
        start = top + steps_height + 22
        canvas.write(figure, exits_label, x=0, y=start + 10, colour="muted", weight=600)
        for index, row in others.iterrows():
            y = start + _HEADING - 20 + exit_row * int(str(index)) + (label_height - 2 if sheet.narrow else 4)
            middles.append(y + 8)
            shares.append(0.0 if formats.is_missing(row["share"]) else float(row["share"]))
            colours.append(palette.LIGHT["grey"])
            _row_label(figure, str(row["exit"]), sheet, left=left, y=y - 4, weight=400)
            text = formats.share(row["share"]) if not formats.is_missing(row["share"]) else "withheld"
            between = formats.interval(row["lower"], row["upper"], "share")
            if between != formats.MISSING:
                text += f" ({between})"
            reach = max([shares[-1]] + ([] if formats.is_missing(row["upper"]) else [float(row["upper"])]))
            canvas.write(figure, text, x=left + span * reach / most + 9, y=y + 8)
    _draw_bars(axes, middles, shares, colours, most=most, height=full_height, stages=len(rows))
    _whiskers(axes, middles, [*rows["share_lower"], *others["lower"]], [*rows["share_upper"], *others["upper"]])
    return figure


def _draw_bars(
    axes: Axes,
    middles: list[float],
    shares: list[float],
    colours: list[str],
    *,
    most: float,
    height: float,
    stages: int,
) -> None:
    positions = [str(index) for index in range(len(shares))]
    sns.barplot(
        x=shares,
        y=positions,
        hue=positions,
        palette=colours,
        legend=False,
        saturation=1,
        orient="h",
        ax=axes,
        errorbar=None,
        linewidth=0,
    )
    # seaborn spaces rows evenly; ours stand where their labels are.
    for number, (patch, middle) in enumerate(zip(axes.patches, middles, strict=True)):
        thick = _BAR if number < stages else 14.0
        assert isinstance(patch, Rectangle)
        patch.set(y=middle - thick / 2, height=thick)
    axes.set(xlim=(0, most), ylim=(height, 0), xticks=[], yticks=[], xlabel="", ylabel="")


def _whiskers(axes: Axes, middles: list[float], lowers: list[float], uppers: list[float]) -> None:
    for middle, lower, upper in zip(middles, lowers, uppers, strict=True):
        if not formats.is_missing(lower) and not formats.is_missing(upper):
            axes.plot([lower, upper], [middle, middle], color=palette.LIGHT["ink"], linewidth=1.5, clip_on=False)


def _row_label(figure: Figure, name: str, sheet: Sheet, *, left: float, y: float, weight: int) -> None:
    if sheet.narrow:
        canvas.write(figure, canvas.shorten(name, sheet.width - 4, weight), x=0, y=y - 10, weight=weight)
        return
    canvas.write_beside(figure, name, right=left - 10, middle=y + _BAR / 2, room=left - 14, weight=weight)


def _step(figure: Figure, row: pd.Series, *, left: float, y: float) -> None:
    x = left + 6
    if formats.is_missing(row["step_rate"]):
        canvas.write(figure, "↓ share withheld", x=x, y=y, colour="muted")
        return
    text = f"↓ {formats.share(row['step_rate'])}"
    canvas.write(figure, text, x=x, y=y, weight=600)
    x += canvas.text_width(text, 600) + 6
    between = formats.interval(row["step_lower"], row["step_upper"], "share")
    if between != formats.MISSING:
        canvas.write(figure, f"({between})", x=x, y=y, colour="muted")
        x += canvas.text_width(f"({between})") + 14
    change = row["step_change"]
    if not formats.is_missing(change):
        direction = formats.moved(float(change))
        colour = {"rose": "ahead", "fell": "behind", "held": "muted"}[direction]
        arrow = {"rose": "▲ ", "fell": "▼ ", "held": ""}[direction]
        canvas.write(figure, arrow + formats.points(change), x=x, y=y, weight=600, colour=colour)


def _data(rows: pd.DataFrame, others: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    names = {
        "stage": "Stage or exit",
        "count": "Reached",
        "share": "Share of first",
        "share_lower": "Share, lower",
        "share_upper": "Share, upper",
        "step_rate": "Step rate",
        "step_lower": "Step, lower",
        "step_upper": "Step, upper",
        "step_change": "Step, change",
    }
    ends = others.rename(columns={"exit": "stage", "lower": "share_lower", "upper": "share_upper"})
    numbers = [name for name in names if name != "stage"]
    parts = [
        part.reindex(columns=list(names)).astype(dict.fromkeys(numbers, float)) for part in (rows, ends) if len(part)
    ]
    data = pd.concat(parts, ignore_index=True).rename(columns=names)
    data = data.drop(columns=[name for key, name in names.items() if key in _OPTIONAL and data[name].isna().all()])
    kinds = {name: "points" if key == "step_change" else "share" for key, name in names.items() if key in numbers}
    kinds["Reached"] = "count"
    return data, {name: kind for name, kind in kinds.items() if name in data.columns}
