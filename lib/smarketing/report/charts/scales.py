"""Ticks of an axis and the short words on them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from matplotlib.ticker import MaxNLocator

from smarketing.report import formats

# Below this a span is a rounding error, and no tick could be told from the next.
_LEAST = 1e-9


def ticks(low: float, high: float, *, count: int = 4, whole: bool = False) -> list[float]:
    """Return round values that enclose ``low`` to ``high``, at most ``count`` steps; ``whole`` for counts."""
    if high - low < _LEAST:
        high = low + 1.0
    values = MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10], integer=whole).tick_values(low, high)
    # tick_values overshoots by a step on either side where the end is a tick itself.
    kept = [float(value) for value in values]
    while len(kept) > 2 and kept[1] <= low:
        kept.pop(0)
    while len(kept) > 2 and kept[-2] >= high:
        kept.pop()
    return [round(value, 12) + 0.0 for value in kept]


def zero_based(values: Sequence[float], unit: str, *, count: int = 3) -> list[float]:
    """Return ticks from zero (or below it for negative values) past the largest value; shares stop at 100 %."""
    low, high = min([0.0, *values]), max([0.0, *values])
    if high - low < _LEAST:
        high = 1.0 if unit != "share" else 0.1
    if unit == "share" and 0.8 < high <= 1.0 and low == 0.0:
        return [0.0, 0.25, 0.5, 0.75, 1.0] if count > 3 else [0.0, 0.5, 1.0]
    # Money is written without cents: ticks between them would be read as the same amount twice.
    return ticks(low, high, count=count, whole=unit == "count" or (unit == "money" and high - low >= 1.0))


def tick_text(value: float, unit: str, currency: str = "", *, step: float = 1.0) -> str:
    """Return a tick's label: as short as the distance between ticks allows."""
    name, _, code = unit.partition(":")
    if name in ("share", "points", "change"):
        finest = (places for places in range(3) if abs(step * 100 - round(step * 100, places)) < 1e-9)
        decimals = next(finest, 3 if step < 0.001 else 1)
        text = f"{abs(value) * 100:.{decimals}f}"
        sign = formats.MINUS if value < 0 else "+" if value > 0 and name != "share" else ""
        return f"{sign}{text}" + ("" if name == "points" else "%")
    if name in ("money", "money_short"):
        if value == 0:
            return formats.money(0, code or currency)
        return re.sub(r"(\.\d*?)0+(?=[KMBT]$)", lambda m: m[1].rstrip("."), formats.money(value, code or currency))
    if name == "days":
        return formats.number(value)
    return formats.value_of(value, unit, currency)


def percent(value: float) -> str:
    """Return a share as it is agreed on: ``30%``, or with one decimal where it is not whole."""
    return formats.share(value).replace(".0%", "%")
