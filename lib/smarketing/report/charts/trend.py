"""Six trailing weeks beside twelve months: this week's noise and the year's course in one look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from smarketing.report import formats, palette
from smarketing.report.charts import canvas, labels, legend, scales
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.chart import Chart, check_columns, check_words, drawn

_OPTIONAL = ("lower", "upper", "target", "prior_year")
_MOST_PANELS = 3


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One measure of a trend.

    ``weeks`` and ``months`` have one row a period, oldest first, with columns ``period_label`` and ``value`` and
    optionally ``lower``, ``upper``, ``target``, ``prior_year``; any but the label may be missing in a row, which leaves
    a gap. None for a grain that is not shown.
    """

    label: str
    unit: str
    weeks: pd.DataFrame | None
    months: pd.DataFrame | None
    currency: str = ""


def trend(
    panels: Sequence[Panel],
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    how_to_read: str = "",
    so_what: str = "",
    weeks_label: str = "weeks",
    months_label: str = "months",
    prior_year_label: str = "Same period last year",
) -> Chart:
    """Draw one to three measures, each with its weeks on the left and its months on the right.

    The axes begin at zero. Targets are short orange marks, the year before is a pale dashed line, intervals are a pale
    band. The last and the extreme values are labelled where there is room; the last one always.

    Parameters
    ----------
    panels
        See `Panel`.
    weeks_label, months_label
        Captions over the two grains.
    prior_year_label
        Name of the dashed line in the legend.
    """
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    if not 1 <= len(panels) <= _MOST_PANELS:
        raise ValueError(f"trend: got {len(panels)} panels; allowed are 1 to {_MOST_PANELS}. Split the figure.")
    for panel in panels:
        for grain in (panel.weeks, panel.months):
            if grain is not None:
                check_columns(grain, f"trend {panel.label!r}", required=("period_label", "value"), optional=_OPTIONAL)
    captions = (weeks_label, months_label)
    data, kinds = _data(panels, captions, prior_year_label)
    return drawn(
        lambda sheet: paint(panels, sheet, captions=captions, prior_year_label=prior_year_label),
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
    panels: Sequence[Panel], sheet: Sheet, *, captions: tuple[str, str], prior_year_label: str = "Last year"
) -> Figure:
    """Return the drawing of the panels on one sheet."""
    grains = [
        [
            (caption, grain.reset_index(drop=True))
            for caption, grain in zip(captions, (panel.weeks, panel.months), strict=True)
            if grain is not None and len(grain)
        ]
        for panel in panels
    ]
    entries = legend.entries([grain for row in grains for _, grain in row], prior_year_label, width=sheet.width)
    # Three flat panels, twice, share one printed page.
    wide_height = 108.0 if len(panels) < _MOST_PANELS else 92.0
    plot_height, top = (112.0 if sheet.narrow else wide_height), legend.height(entries)
    block = plot_height + 24
    tall = [(len(row) * (block + LINE + 4) + LINE + 10) if sheet.narrow else (block + LINE + 18) for row in grains]
    tall = [height if row else 3 * LINE for height, row in zip(tall, grains, strict=True)]
    figure = canvas.blank(sheet, top + sum(tall) - 8)
    legend.draw(figure, entries)
    for panel, row, height in zip(panels, grains, tall, strict=True):
        name = panel.label + (" (days)" if panel.unit == "days" else "")
        if not row:
            canvas.write(figure, canvas.shorten(name, sheet.width, 700), x=0, y=top + 10, weight=700)
            canvas.write(figure, "Withheld: no period has enough evidence.", x=0, y=top + 32, colour="muted")
        elif sheet.narrow:
            canvas.write(figure, canvas.shorten(name, sheet.width - 4, 700), x=0, y=top + 10, weight=700)
            for index, (caption, grain) in enumerate(row):
                start = top + LINE + 4 + index * (block + LINE + 4)
                canvas.write(figure, caption, x=0, y=start + 9, colour="muted")
                _plot(figure, grain, panel, left=0, top=start + LINE, width=sheet.width, height=plot_height)
        else:
            left_share = 0.37 if len(row) == 2 else 1.0
            edges = [
                (0.0, sheet.width * left_share - (24 if len(row) == 2 else 0)),
                (sheet.width * left_share, sheet.width * (1 - left_share)),
            ]
            for index, ((caption, grain), (left, width)) in enumerate(zip(row, edges, strict=False)):
                shown = name if index == 0 else ""
                start = left
                if shown:
                    shown = canvas.shorten(shown, width - 8, 700)
                    canvas.write(figure, shown, x=left, y=top + 10, weight=700)
                    start = left + canvas.text_width(shown, 700) + 10
                # A long name needs the room; the dates below say that these are weeks.
                if start + canvas.text_width(caption) <= left + width:
                    canvas.write(figure, caption, x=start, y=top + 10, colour="muted")
                _plot(figure, grain, panel, left=left, top=top + LINE + 2, width=width, height=plot_height)
        top += height
    return figure


def _plot(
    figure: Figure, grain: pd.DataFrame, panel: Panel, *, left: float, top: float, width: float, height: float
) -> None:
    numbers = grain.reindex(columns=["value", *_OPTIONAL]).astype(float)
    known = numbers.to_numpy()[~np.isnan(numbers.to_numpy())]
    if numbers["value"].isna().all():
        words = canvas.wrapped("Withheld: no period has enough evidence.", width - 8, lines=3)
        for number, line in enumerate(words):
            canvas.write(figure, line, x=left, y=top + 14 + LINE * number, colour="muted")
        return
    marks = scales.zero_based([float(value) for value in known], panel.unit)
    step = marks[1] - marks[0]
    ticks = [scales.tick_text(mark, panel.unit, panel.currency, step=step) for mark in marks]
    margin = max(canvas.text_width(tick) for tick in ticks) + 8
    axes = canvas.frame(figure, left=left + margin, top=top, width=width - margin, height=height)
    most = max(marks[-1], float(known.max()) if len(known) else 1.0)
    # Room for a label above the highest point.
    high = max(marks[-1], most + 26 / (height - 26) * (most - marks[0]))
    axes.set(xlim=(-0.5, len(grain) - 0.5), ylim=(marks[0], high))
    scale = height / (high - marks[0])
    for mark, tick in zip(marks, ticks, strict=True):
        axes.axhline(mark, color=palette.LIGHT["ink" if mark == 0 else "grid"], linewidth=1, zorder=0, clip_on=False)
        canvas.write(
            figure, tick, x=left + margin - 7, y=top + height - (mark - marks[0]) * scale, align="right", colour="muted"
        )
    _marks(axes, numbers)
    across = (width - margin) / len(grain)
    _period_labels(figure, [str(name) for name in grain["period_label"]], left + margin, top + height + 12, across)
    _value_labels(
        figure,
        numbers,
        panel,
        across=lambda index: left + margin + across * (index + 0.5),
        down=lambda value: top + height - (value - marks[0]) * scale,
        within=labels.Box(left + margin, top - 4, left + width, top + height),
    )


def _marks(axes: Axes, numbers: pd.DataFrame) -> None:
    places = np.arange(len(numbers))
    axes.fill_between(places, numbers["lower"], numbers["upper"], color=palette.LIGHT["blue"], alpha=0.13, linewidth=0)
    _broken_line(axes, numbers["prior_year"], color=palette.LIGHT["grey"], linestyle=(0, (4, 3)), linewidth=1.6)
    for place, target in enumerate(numbers["target"]):
        if not np.isnan(target):
            axes.plot(
                [place - 0.3, place + 0.3],
                [target, target],
                color=palette.LIGHT["orange"],
                linewidth=2.5,
                solid_capstyle="butt",
                clip_on=False,
            )
    _broken_line(axes, numbers["value"], color=palette.LIGHT["blue"], linewidth=2.2)
    shown = numbers["value"].notna()
    if shown.any():
        sns.scatterplot(
            x=places[shown],
            y=numbers["value"][shown],
            color=palette.LIGHT["blue"],
            s=30,
            linewidth=0,
            ax=axes,
            zorder=4,
            clip_on=False,
        )
    axes.set(xlabel="", ylabel="")


def _broken_line(axes: Axes, values: pd.Series, **style: object) -> None:
    """Draw a line that stops at gaps; seaborn alone would bridge them."""
    runs = values.isna().cumsum()
    kept = values.notna()
    if kept.sum() > 1:
        frame = pd.DataFrame({"x": np.arange(len(values))[kept], "y": values[kept], "run": runs[kept]})
        sns.lineplot(
            frame,
            x="x",
            y="y",
            units="run",
            estimator=None,
            errorbar=None,
            ax=axes,
            legend=False,
            clip_on=False,
            **style,
        )


def _period_labels(figure: Figure, names: list[str], left: float, y: float, across: float) -> None:
    names = [canvas.shorten(name, across * len(names) / 2) for name in names]
    widest = max(canvas.text_width(name) for name in names)
    every = max(1, int(np.ceil((widest + 8) / across)))
    for index, name in enumerate(names):
        if (len(names) - 1 - index) % every == 0:
            half = canvas.text_width(name) / 2
            middle = min(max(left + across * (index + 0.5), left - 8 + half), left + across * len(names) - half)
            canvas.write(figure, name, x=middle, y=y, align="center", colour="muted")


def _value_labels(
    figure: Figure,
    numbers: pd.DataFrame,
    panel: Panel,
    *,
    across: Callable[[float], float],
    down: Callable[[float], float],
    within: labels.Box,
) -> None:
    values = numbers["value"].dropna()
    if values.empty:
        return
    wanted = list(dict.fromkeys([values.index[-1], values.idxmax(), values.idxmin()]))
    obstacles, targets = [], {}
    for index, row in numbers.iterrows():
        x = across(index)
        if not np.isnan(row["target"]):
            y = down(row["target"])
            reach = 0.3 * (across(1) - across(0))
            targets[index] = labels.Box(x - reach, y - 4, x + reach, y + 4)
        if not np.isnan(row["value"]):
            y = down(row["value"])
            obstacles.append(labels.Box(x - 4, y - 4, x + 4, y + 4))
    obstacles += [*targets.values(), *_along(numbers["value"], across, down)]
    texts = []
    for order, index in enumerate(wanted):
        text = formats.value_of(values[index], panel.unit, panel.currency)
        width = canvas.text_width(text, 600) + 4
        places = labels.around(across(index), down(values[index]), width, 15, gap=7, distances=(1, 2, 3, 3.5))
        places = tuple(_kept_inside(box, within) for box in places)
        if index in targets:
            # Beyond the target's mark a label would look like the target's.
            near = tuple(box for box in places if not _beyond(box, targets[index], down(values[index])))
            places = near or places
        texts.append(labels.Label(text, places, required=order == 0))
    pale = list(_along(numbers["prior_year"], across, down))
    for text, box in labels.place(texts, within=within, obstacles=obstacles, pale=pale):
        canvas.write(
            figure, text, x=(box.left + box.right) / 2, y=(box.top + box.bottom) / 2, align="center", weight=600
        )


def _beyond(box: labels.Box, mark: labels.Box, y: float) -> bool:
    """Whether a mark lies between a label and its point, above or below it."""
    middle, at = (box.top + box.bottom) / 2, (mark.top + mark.bottom) / 2
    return middle < at < y or y < at < middle


def _along(values: pd.Series, across: Callable[[float], float], down: Callable[[float], float]) -> Iterator[labels.Box]:
    """Yield small boxes along a line, between neighbours that are both known."""
    for index, value in values.items():
        following = values.get(index + 1, np.nan)
        if np.isnan(value) or np.isnan(following):
            continue
        x, y = across(index), down(value)
        for part in np.linspace(0.0, 1.0, 11):
            along, height = x + (across(index + 1) - x) * part, y + (down(following) - y) * part
            yield labels.Box(along - 1.5, height - 1.5, along + 1.5, height + 1.5)


def _kept_inside(box: labels.Box, within: labels.Box) -> labels.Box:
    shift = max(within.left - box.left, 0.0) + min(within.right - box.right, 0.0)
    return labels.Box(box.left + shift, box.top, box.right + shift, box.bottom)


def _data(
    panels: Sequence[Panel], captions: tuple[str, str], prior_year_label: str
) -> tuple[pd.DataFrame, dict[str, str]]:
    names = {"value": "Actual", "lower": "Lower", "upper": "Upper", "target": "Target", "prior_year": prior_year_label}
    parts = []
    for panel in panels:
        for caption, grain in zip(captions, (panel.weeks, panel.months), strict=True):
            if grain is None or grain.empty:
                continue
            unit = f"{panel.unit}:{panel.currency}" if panel.currency else panel.unit
            part = grain.reindex(columns=["period_label", *names]).rename(columns=names)
            part.insert(0, "Grain", caption)
            part.insert(0, "Measure", panel.label)
            part.insert(3, "Unit", unit)
            parts.append(part.astype(dict.fromkeys(names.values(), float)))
    if not parts:
        return pd.DataFrame({"Measure": [panel.label for panel in panels], "Periods": ["withheld"] * len(panels)}), {}
    data = pd.concat(parts, ignore_index=True).rename(columns={"period_label": "Period"})
    data = data.drop(columns=[name for name in names.values() if data[name].isna().all() and name != "Actual"])
    shown = [name for name in names.values() if name in data.columns]
    if data["Unit"].nunique() == 1:
        kinds = dict.fromkeys(shown, str(data["Unit"].iloc[0]))
        data = data.drop(columns="Unit")
    else:
        kinds = dict.fromkeys(shown, "by Unit")
    if len(panels) == 1:
        data = data.drop(columns="Measure")
    return data, kinds
