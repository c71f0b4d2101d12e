"""What every drawn chart is held to, whatever it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import combinations

from matplotlib.figure import Figure

from smarketing.report import palette
from smarketing.report.charts import Chart

WORDS = {
    "title": "A title that states the finding",
    "subtitle": "Unit and period",
    "source": "leads",
    "alt": "A chart of a measure with its finding, said in more than sixty characters.",
}
LONG = "A very long label of a source that goes on with many more words"


def collisions(figure: Figure) -> list[str]:
    """Return pairs of texts that share ink, and texts that leave the figure (a pixel is forgiven)."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in figure.texts if text.get_text().strip()]
    width, height = figure.get_size_inches() * 72
    found = [
        f"outside: {text}"
        for text, box in boxes
        if box.x0 < -1.5 or box.x1 > width + 1.5 or box.y0 < -1.5 or box.y1 > height + 1.5
    ]
    for (text, box), (other, beside) in combinations(boxes, 2):
        wide = min(box.x1, beside.x1) - max(box.x0, beside.x0)
        high = min(box.y1, beside.y1) - max(box.y0, beside.y0)
        if wide > 1 and high > 1:
            found.append(f"{text} | {other}")
    return found


def check_layout(build: Callable[[], Chart], drawn: Sequence[Figure]) -> None:
    """No two texts collide and none leaves the figure, on either sheet (``drawn`` as the fixture fills it)."""
    build()
    assert len(drawn) == 2
    assert [collisions(figure) for figure in drawn] == [[], []]


def check_repeats(build: Callable[[], Chart]) -> None:
    """The same data give the same bytes."""
    first, again = build(), build()
    assert (first.wide, first.narrow) == (again.wide, again.narrow)
    assert first.data.equals(again.data)


def check_drawings(chart: Chart) -> None:
    """Colours from the palette, texts of one size, words for those who do not see it, nothing that differs by run."""
    for svg in (chart.wide, chart.narrow):
        assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ')
        assert f'role="img" focusable="false" aria-label="{chart.alt}"' in svg
        assert "<title" not in svg and "<style" not in svg and "Date" not in svg
        assert svg.count("<text") >= 1
        bare = re.sub(r"var\(--[a-z]+,(#[0-9a-f]{6})\)", lambda m: "" if m[1] in palette.LIGHT.values() else m[0], svg)
        assert re.findall(r'style="[^"]*#[^"]*"', re.sub(r"url\(#[^)]*\)", "", bare)) == []
        assert all(identity.startswith("fig-") for identity in re.findall(r' id="([^"]*)"', svg))
        sizes = {
            float(size) for size in re.findall(r"font-size: ([\d.]+)px|px? ([\d.]+)px", svg) for size in size if size
        }
        assert sizes <= {14.0}
        assert "rotate(" not in re.sub(r"rotate\(-?0 ", "", svg)
