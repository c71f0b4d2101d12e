"""Step curves of cumulative incidence by age, named at their ends."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from smarketing.report import formats, palette
from smarketing.report.charts import canvas, labels, scales
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.chart import Chart, check_columns, check_words, drawn, flags, thinned

_MOST_COLOURS = len(palette.SERIES)


def curves(
    lines: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    horizon: float | None = None,
    horizon_label: str = "",
    target: float | None = None,
    age_label: str = "Days since the start",
    line_label: str = "Line",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw one step curve a line.

    Parameters
    ----------
    lines
        One row a line and age: ``line`` (its name), ``age`` (days, rising within a line), ``share`` (cumulative, 0 to
        1) and optionally ``lower``, ``upper`` (drawn as a band) and ``emphasis`` (True on all rows of the story's
        lines: the others are then grey). Rows with a missing share are left out.
    horizon, horizon_label
        An age marked by a dashed upright, and its words.
    target
        A share marked by a level line.
    age_label, line_label
        Words of the axis and of the data table.
    """
    check_columns(lines, "curves", required=("line", "age", "share"), optional=("lower", "upper", "emphasis"))
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    kept = lines[lines["share"].notna()].reset_index(drop=True)
    if kept.empty:
        raise ValueError("curves: got no known share; at least one is needed. Show not_applicable() instead.")

    def painting(sheet: Sheet) -> Figure:
        return paint(kept, sheet, horizon=horizon, horizon_label=horizon_label, target=target, age_label=age_label)

    names = {"line": line_label, "age": age_label, "share": "Share", "lower": "Lower", "upper": "Upper"}
    data = thinned(kept)[[name for name in names if name in kept.columns]].rename(columns=names)
    kinds = {age_label: "count", "Share": "share", "Lower": "share", "Upper": "share"}
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


def paint(
    lines: pd.DataFrame,
    sheet: Sheet,
    *,
    horizon: float | None,
    horizon_label: str,
    target: float | None,
    age_label: str,
) -> Figure:
    """Return the drawing of the curves on one sheet."""
    names = list(dict.fromkeys(lines["line"]))
    told = _emphasised(lines)
    ends = {name: float(lines.loc[lines["line"] == name, "share"].iloc[-1]) for name in names}
    texts = {name: f"{formats.share(ends[name])} {name}" for name in names}
    right = min(max(canvas.text_width(text, 600) for text in texts.values()) + 34, sheet.width * 0.42)
    height, top = (230.0 if sheet.narrow else 260.0), 30.0
    values = [
        float(value) for value in pd.concat([lines["share"], *([lines["upper"]] if "upper" in lines else [])]).dropna()
    ]
    marks = scales.zero_based([*values, *([target] if target is not None else [])], "share", count=4)
    step = marks[1] - marks[0]
    words = [scales.tick_text(mark, "share", step=step) for mark in marks]
    left = max(canvas.text_width(word) for word in words) + 8
    figure = canvas.blank(sheet, top + height + 2 * LINE + 8)
    span = sheet.width - left - right
    axes = canvas.frame(figure, left=left, top=top, width=span, height=height)
    oldest = max(float(lines["age"].max()), horizon or 0.0, 1.0)
    ages = scales.ticks(0, oldest, count=4 if sheet.narrow else 6, whole=True)
    axes.set(xlim=(0, oldest), ylim=(marks[0], marks[-1]))
    scale = height / (marks[-1] - marks[0])
    for mark, word in zip(marks, words, strict=True):
        axes.axhline(mark, color=palette.LIGHT["ink" if mark == 0 else "grid"], linewidth=1, zorder=0, clip_on=False)
        canvas.write(figure, word, x=left - 7, y=top + height - mark * scale, align="right", colour="muted")
    for age in ages:
        if age <= oldest:
            canvas.write(
                figure, f"{age:,.0f}", x=left + span * age / oldest, y=top + height + 12, align="center", colour="muted"
            )
    canvas.write(
        figure, canvas.shorten(age_label, sheet.width - left), x=left, y=top + height + LINE + 13, colour="muted"
    )
    if horizon is not None:
        axes.axvline(horizon, color=palette.LIGHT["muted"], linewidth=1.2, linestyle=(0, (3, 3)))
        said = canvas.shorten(horizon_label or formats.days(horizon), sheet.width - left)
        half = canvas.text_width(said) / 2
        middle = min(max(left + span * horizon / oldest, half), sheet.width - half - 1)
        canvas.write(figure, said, x=middle, y=top - 20, align="center", colour="muted")
    if target is not None:
        axes.axhline(target, color=palette.LIGHT["orange"], linewidth=2, clip_on=False)
        canvas.write(figure, f"Target {formats.share(target)}", x=left + 4, y=top + height - target * scale - 9)
    colours = {name: _colour(place, name, told) for place, name in enumerate(names)}
    for name in reversed(names):
        part = lines[lines["line"] == name]
        if "lower" in part.columns and part["lower"].notna().any():
            axes.fill_between(
                part["age"], part["lower"], part["upper"], step="post", color=colours[name], alpha=0.13, linewidth=0
            )
        sns.lineplot(
            part,
            x="age",
            y="share",
            drawstyle="steps-post",
            estimator=None,
            errorbar=None,
            color=colours[name],
            linewidth=2.4 if name in told else 1.8,
            ax=axes,
            legend=False,
            clip_on=False,
        )
    axes.set(xlabel="", ylabel="")
    heights = [top + height - ends[name] * scale for name in names]
    spread = labels.spread(heights, gap=17, low=top + 4, high=top + height - 4)
    for name, end, place in zip(names, heights, spread, strict=True):
        last = left + span * float(lines.loc[lines["line"] == name, "age"].max()) / oldest
        _connector(figure, last, end, left + span + 20, place, colours[name])
        weight = 600 if name in told else 400
        text = canvas.shorten(texts[name], right - 26, weight)
        canvas.write(figure, text, x=left + span + 25, y=place, weight=weight)
    return figure


def _connector(figure: Figure, x: float, y: float, to_x: float, to_y: float, colour: str) -> None:
    axes = canvas.over_all(figure)
    axes.plot([x, to_x - 10, to_x], [y, to_y, to_y], color=colour, linewidth=1.4, solid_capstyle="butt")


def _emphasised(lines: pd.DataFrame) -> set[str]:
    told = {name for name, flag in zip(lines["line"], flags(lines, "emphasis"), strict=True) if flag}
    return told or set(list(dict.fromkeys(lines["line"]))[:_MOST_COLOURS])


def _colour(place: int, name: str, told: set[str]) -> str:
    if name not in told:
        return palette.LIGHT["grey"]
    return palette.LIGHT[palette.SERIES[place % _MOST_COLOURS]]
