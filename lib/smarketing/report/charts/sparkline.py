"""The small line of a key-number tile."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT = 150.0, 38.0


def sparkline(series: Sequence[float | None], target: float | None = None) -> str:
    """Return the recent course as a small SVG without text, oldest first; None leaves a gap.

    The scale runs from the least to the largest value, so only the course is to be read, not the level. The target is
    drawn where it lies within a range's width of the values: farther away it would flatten their course. Fewer than two
    known values give an empty string.
    """
    known = [value for value in series if value is not None]
    if len(known) < 2:
        return ""
    reach = max(known) - min(known)
    if target is not None and not min(known) - reach <= target <= max(known) + reach:
        target = None
    scale = [*known, *([target] if target is not None else [])]
    least, span = min(scale), (max(scale) - min(scale)) or 1.0

    def height(value: float) -> float:
        return HEIGHT - 4 - (HEIGHT - 8) * (value - least) / span if max(scale) > least else HEIGHT / 2

    def across(index: int) -> float:
        return 3 + (WIDTH - 10) * index / (len(series) - 1)

    lines: list[list[str]] = [[]]
    for index, value in enumerate(series):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{across(index):.1f},{height(value):.1f}")
    drawn = ""
    if target is not None:
        drawn += f'<line class="t" x1="0" x2="{WIDTH:.0f}" y1="{height(target):.1f}" y2="{height(target):.1f}"/>'
    for points in lines:
        if len(points) > 1:
            drawn += f'<polyline points="{" ".join(points)}"/>'
        elif points:
            x, y = points[0].split(",")
            drawn += f'<line class="d" x1="{float(x) - 0.01:.2f}" x2="{x}" y1="{y}" y2="{y}"/>'
    last = max(index for index, value in enumerate(series) if value is not None)
    value = series[last]
    if value is not None:
        x, y = f"{across(last):.1f}", f"{height(value):.1f}"
        drawn += f'<line class="e" x1="{float(x) - 0.01:.2f}" x2="{x}" y1="{y}" y2="{y}"/>'
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false">{drawn}</svg>'
    )
