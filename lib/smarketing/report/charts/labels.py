"""Where direct labels go, so that no two of them collide.

Labels have candidate places in order of liking; the first that is free is taken. A label that must be shown takes the
least crowded place, any other is dropped: its number is in the table behind the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Path = np.ndarray
"""Points of a mark in pixels, one a row: a line sampled densely, or the one point of a dot."""


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


def sampled(xs: Sequence[float], ys: Sequence[float], *, every: float = 8.0) -> Path:
    """Return points along a line of straight pieces, at most ``every`` pixels apart; all in pixels."""
    corners = np.column_stack([np.asarray(xs, dtype=float), np.asarray(ys, dtype=float)])
    lengths = np.hypot(*np.diff(corners, axis=0).T) if len(corners) > 1 else np.zeros(0)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    stops = np.linspace(0.0, along[-1], max(int(np.ceil(along[-1] / every)), 1) + 1)
    return np.column_stack([np.interp(stops, along, corners[:, column]) for column in (0, 1)])


def beside(
    own: Path,
    others: Sequence[Path] = (),
    *,
    width: float,
    height: float,
    within: Box,
    taken: Sequence[Box] = (),
    step: float = 8.0,
) -> Box:
    """Return the place of a text that names a line or a dot: near its own marks, away from the others.

    Every place on a raster is weighed: the distance from ``own`` counts for as much as half the want of distance from
    ``others``, and marks under the text count most. Texts already ``taken`` are covered only where nothing is free.
    """
    lefts = np.arange(within.left, max(within.right - width, within.left) + 1e-9, step)
    tops = np.arange(within.top, max(within.bottom - height, within.top) + 1e-9, step)
    left, top = (each.ravel() for each in np.meshgrid(lefts, tops))

    def away(points: Path) -> np.ndarray:
        x, y = points[:, 0], points[:, 1]
        across = np.maximum(np.maximum(left[:, None] - x, x - left[:, None] - width), 0.0)
        down = np.maximum(np.maximum(top[:, None] - y, y - top[:, None] - height), 0.0)
        return np.asarray(np.hypot(across, down).min(axis=1))

    near = away(own)
    far = np.minimum.reduce([away(points) for points in others]) if len(others) else np.full(len(left), np.inf)
    cost = near + 0.5 * np.clip(60.0 - (far - near), 0.0, 120.0) + 200.0 * (near < 5) + 400.0 * (far < 4)
    for box in taken:
        # Texts that touch read as one: a little air is wanted, but no need.
        for air, price in ((0.0, 10_000.0), (5.0, 50.0)):
            beyond = (left >= box.right + air) | (left + width <= box.left - air)
            beyond |= (top >= box.bottom + air) | (top + height <= box.top - air)
            cost = cost + price * ~beyond
    # Rounded, so that two places that are alike are not told apart by a last digit.
    best = int(np.argmin(np.round(cost, 2)))
    return Box(float(left[best]), float(top[best]), float(left[best] + width), float(top[best] + height))
