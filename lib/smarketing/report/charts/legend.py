"""The legend of a trend: one line of marks with their names, above the panels, only for what the panels show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from smarketing.report import palette
from smarketing.report.charts import canvas
from smarketing.report.charts.canvas import LINE

_MARK = 34.0
_STYLES: dict[str, dict[str, Any]] = {
    "value": {"color": palette.LIGHT["blue"], "linewidth": 2.2, "marker": "o", "markersize": 5.5, "markevery": [1]},
    "target": {"color": palette.LIGHT["orange"], "linewidth": 2.5},
    "prior_year": {"color": palette.LIGHT["grey"], "linewidth": 1.6, "linestyle": (0, (4, 3))},
}


@dataclass(frozen=True)
class Entry:
    """A mark and its name, and where it stands: the line, and pixels from the left."""

    kind: str
    words: str
    line: int
    x: float


def entries(grains: Sequence[pd.DataFrame], prior_year_label: str, *, width: float) -> list[Entry]:
    """Return the entries that the panels need, broken into lines; a panel of values alone needs no legend."""

    def shown(column: str) -> bool:
        return any(column in grain.columns and bool(grain[column].notna().any()) for grain in grains)

    named = [("value", "Actual"), ("target", "Target"), ("prior_year", prior_year_label), ("band", "95% interval")]
    kept = [
        (kind, words)
        for kind, words in named
        if kind == "value" or (shown("lower") and shown("upper") if kind == "band" else shown(kind))
    ]
    if len(kept) < 2:
        return []
    shortened = [canvas.shorten(words, width - _MARK - 4) for _, words in kept]
    places = flow([_MARK + canvas.text_width(words) for words in shortened], width=width)
    return [Entry(kind, words, line, x) for (kind, _), words, (line, x) in zip(kept, shortened, places, strict=True)]


def flow(widths: Sequence[float], *, width: float) -> list[tuple[int, float]]:
    """Return the line and the left end of things that stand side by side, broken into lines of ``width`` pixels."""
    places: list[tuple[int, float]] = []
    line, x = 0, 0.0
    for needed in widths:
        if x and x + needed > width:
            line, x = line + 1, 0.0
        places.append((line, x))
        x += needed + 18
    return places


def height(placed: Sequence[Entry]) -> float:
    """Return how many pixels the legend takes, with the room below it."""
    return LINE * (placed[-1].line + 1) + 12 if placed else 2.0


def draw(figure: Figure, placed: Sequence[Entry]) -> None:
    """Draw the entries at the top of the figure."""
    axes = canvas.over_all(figure)
    axes.set_zorder(-1)
    for entry in placed:
        y = LINE * entry.line + 10
        points = [entry.x, entry.x + 13, entry.x + 26]
        if entry.kind == "band":
            axes.fill_between(points, y - 5, y + 5, color=palette.LIGHT["blue"], alpha=0.13, linewidth=0)
        else:
            axes.plot(points, [y] * 3, markeredgewidth=0, **_STYLES[entry.kind])
        canvas.write(figure, entry.words, x=entry.x + _MARK, y=y)
