"""The plot area of a chart with two number scales: its ticks, its captions, and texts that name what is drawn on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from smarketing.report import palette
from smarketing.report.charts import canvas, labels, scales
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.labels import Box, Path

CAPTIONS = 2 * LINE + 10
"""Height of the ticks and the caption under a plot area."""
_ROW = 16.0


@dataclass(frozen=True)
class Scale:
    """The marks of an axis, their unit (money with its currency) and the values at its ends."""

    marks: Sequence[float]
    unit: str
    low: float
    high: float

    def words(self) -> list[str]:
        """Return the text of every mark."""
        step = self.marks[1] - self.marks[0] if len(self.marks) > 1 else 1.0
        return [scales.tick_text(mark, self.unit, step=step) for mark in self.marks]


def over(marks: Sequence[float], unit: str) -> Scale:
    """Return the scale that begins at the first mark and ends at the last."""
    return Scale(marks, unit, marks[0], marks[-1])


@dataclass(frozen=True)
class Plane:
    """A plot area with its scales; what is named on it so far keeps later texts away."""

    figure: Figure
    axes: Axes
    box: Box
    x: Scale
    y: Scale
    taken: list[Box] = field(default_factory=list)

    def across(self, value: float) -> float:
        """Return how many pixels from the left of the figure an x value stands."""
        return self.box.left + (self.box.right - self.box.left) * (value - self.x.low) / (self.x.high - self.x.low)

    def down(self, value: float) -> float:
        """Return how many pixels from the top of the figure a y value stands."""
        return self.box.bottom - (self.box.bottom - self.box.top) * (value - self.y.low) / (self.y.high - self.y.low)

    def path(self, xs: Sequence[float], ys: Sequence[float]) -> Path:
        """Return the points of a line in pixels, for `name`."""
        return labels.sampled([self.across(x) for x in xs], [self.down(y) for y in ys])

    def name(
        self,
        text: str,
        own: Path,
        others: Sequence[Path],
        *,
        colour: str,
        weight: int = 400,
        widest: float = 180.0,
        lines: int = 2,
    ) -> None:
        """Write ``text`` near its own marks and clear of the others, tied to them by a thin line if it stands off."""
        rows = canvas.wrapped(text, min(widest, (self.box.right - self.box.left) / 2), lines=lines, weight=weight)
        width = max(canvas.text_width(row, weight) for row in rows) + 4
        room = Box(self.box.left + 3, self.box.top + 2, self.box.right - 2, self.box.bottom - 4)
        spot = labels.beside(own, others, width=width, height=_ROW * len(rows), within=room, taken=self.taken)
        self.taken.append(spot)
        self._tie(spot, own, colour)
        for number, row in enumerate(rows):
            canvas.write(self.figure, row, x=spot.left + 2, y=spot.top + _ROW * (number + 0.5), weight=weight)

    def _tie(self, spot: Box, own: Path, colour: str) -> None:
        ends = [(min(max(x, spot.left), spot.right), min(max(y, spot.top), spot.bottom)) for x, y in own]
        gaps = [round(((x - a) ** 2 + (y - b) ** 2) ** 0.5, 2) for (x, y), (a, b) in zip(own, ends, strict=True)]
        nearest = gaps.index(min(gaps))
        if gaps[nearest] > 9:
            (x, y), (a, b) = own[nearest], ends[nearest]
            canvas.over_all(self.figure).plot([x, a], [y, b], color=palette.LIGHT[colour], linewidth=1.0)


def plane(
    figure: Figure, sheet: Sheet, *, x: Scale, y: Scale, x_label: str, y_label: str, top: float, height: float
) -> Plane:
    """Draw the level lines, ticks and captions of a plot area that begins ``top`` pixels down, and return it.

    ``y_label`` stands above the area, in the `LINE` and a half of pixels before ``top``; it may be empty.
    """
    words = y.words()
    left = max(canvas.text_width(word) for word in words) + 8
    right = canvas.text_width(x.words()[-1]) / 2 + 2
    axes = canvas.frame(figure, left=left, top=top, width=sheet.width - left - right, height=height)
    axes.set(xlim=(x.low, x.high), ylim=(y.low, y.high))
    area = Plane(figure, axes, Box(left, top, sheet.width - right, top + height), x, y)
    for mark, word in zip(y.marks, words, strict=True):
        axes.axhline(mark, color=palette.LIGHT["ink" if mark == 0 else "grid"], linewidth=1, zorder=0, clip_on=False)
        canvas.write(figure, word, x=left - 7, y=area.down(mark), align="right", colour="muted")
    ticks(area, sheet, [(area.across(mark), word) for mark, word in zip(x.marks, x.words(), strict=True)], down=17)
    caption = canvas.shorten(x_label, sheet.width - left)
    canvas.write(figure, caption, x=left, y=top + height + LINE + 17, colour="muted")
    if y_label:
        canvas.write(figure, canvas.shorten(y_label, sheet.width - 2), x=0, y=top - LINE, colour="muted")
    return area


def ticks(area: Plane, sheet: Sheet, texts: Sequence[tuple[float, str]], *, down: float) -> None:
    """Write texts under the area at their pixels from the left; one that would touch the one before is left out."""
    free = 0.0
    for x, text in texts:
        half = canvas.text_width(text) / 2
        middle = min(max(x, half), sheet.width - half)
        if middle - half >= free:
            canvas.write(area.figure, text, x=middle, y=area.box.bottom + down, align="center", colour="muted")
            free = middle + half + 8
