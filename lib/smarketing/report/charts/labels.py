"""Where direct labels go, so that no two of them collide.

Labels have candidate places in order of liking; the first that is free is taken. A label that must be shown takes the
least crowded place, any other is dropped: its number is in the table behind the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, y downward."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Return the shared area in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0

    def inside(self, other: Box) -> bool:
        """Return whether this box lies wholly within ``other``."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True)
class Label:
    """A text that wants to stand at one of ``places``; ``required`` ones are never dropped."""

    text: str
    places: tuple[Box, ...]
    required: bool = False


def around(
    x: float, y: float, width: float, height: float, *, gap: float = 8.0, distances: Sequence[float] = (1, 2, 3.5)
) -> tuple[Box, ...]:
    """Return the places around a point, best first: above, below, then both nudged sideways and outward.

    ``distances`` are tried in turn, as so many gaps from the point.
    """
    centres = []
    for distance in (gap * times for times in distances):
        for shift in (0.0, -0.35, 0.35, -0.5, 0.5):
            centres += [(x + shift * width, y - distance - height / 2), (x + shift * width, y + distance + height / 2)]
    return tuple(
        Box(left - width / 2, middle - height / 2, left + width / 2, middle + height / 2) for left, middle in centres
    )


def place(
    labels: Sequence[Label], *, within: Box, obstacles: Sequence[Box] = (), pale: Sequence[Box] = ()
) -> list[tuple[str, Box]]:
    """Return the labels that found a place, with it; required labels are placed first.

    A label never overlaps another one; it avoids ``obstacles`` (marks of the chart) where any candidate does, and of
    those the ``pale`` marks, over which it can still be read.
    """
    taken: list[tuple[str, Box]] = []
    for label in sorted(labels, key=lambda each: not each.required):
        free = [box for box in label.places if box.inside(within) and not any(box.overlap(other) for _, other in taken)]
        clear = [box for box in free if not any(box.overlap(mark) for mark in obstacles)]
        best = clear or (free if label.required else [])
        if best:
            taken.append(
                (
                    label.text,
                    min(best, key=lambda box: (_covered(box, obstacles), _covered(box, pale))),
                )  # first of ties
            )
    return taken


def _covered(box: Box, marks: Sequence[Box]) -> float:
    return sum(box.overlap(mark) for mark in marks)


def spread(positions: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Move positions along a line as little as needed to be at least ``gap`` apart within ``low`` to ``high``.

    Order is kept (ties in the order given). Where the line is too short for all, the gap shrinks evenly.
    """
    if not positions:
        return []
    order = sorted(range(len(positions)), key=lambda index: (positions[index], index))
    if len(positions) > 1:
        gap = min(gap, (high - low) / (len(positions) - 1))
    # Least squares under "each at least gap above the one before": pool neighbours that clash.
    groups: list[list[float]] = []
    for rank, index in enumerate(order):
        groups.append([min(max(positions[index], low), high) - rank * gap, 1.0])
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            mean, size = groups.pop()
            groups[-1] = [(groups[-1][0] * groups[-1][1] + mean * size) / (groups[-1][1] + size), groups[-1][1] + size]
    flat = [mean for mean, size in groups for _ in range(int(size))]
    last = high - (len(positions) - 1) * gap
    moved = [0.0] * len(positions)
    for rank, index in enumerate(order):
        moved[index] = min(max(flat[rank], low), last) + rank * gap
    return moved
