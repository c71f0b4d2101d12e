"""Two sets of key figures side by side: a plan and its variant, this month's run and the last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import pandas as pd

from smarketing.measures.results import KeyFigure, or_nan


class HasFigures(Protocol):
    """A result that carries key figures, such as a headline or a funnel."""

    @property
    def figures(self) -> tuple[KeyFigure, ...]:
        """The key figures."""
        ...


def compare(
    a: HasFigures | Sequence[KeyFigure], b: HasFigures | Sequence[KeyFigure], *, names: tuple[str, str] = ("a", "b")
) -> pd.DataFrame:
    """Return two results, or two sequences of key figures, side by side.

    Parameters
    ----------
    a, b
        Results that have ``figures``, or the figures themselves; those of one name are one row.
    names
        How the two are called in the columns.

    Returns
    -------
    pandas.DataFrame
        A row a figure, those of ``a`` first: ``figure`` (its label), ``unit`` (the currency for money), and for each
        side its value with its 95 % interval (``a``, ``a_lower``, ``a_upper``), then ``difference`` (b less a) and
        ``reason`` (why a value is withheld). NaN where a figure is withheld, or on one side only. The difference has no
        interval: two variants mostly count some of the same leads, so theirs would be too wide or too narrow.

    Raises
    ------
    ValueError
        A figure has one unit in ``a`` and another in ``b``, a name occurs twice in one of them, or the two sides are
        called the same.
    """
    left, right = names
    if left == right:
        raise ValueError(f"compare: both sides are called {left!r}; give them two names.")
    one, other = _by_name(a, left), _by_name(b, right)
    rows = []
    for name in dict.fromkeys([*one, *other]):
        pair = (one.get(name), other.get(name))
        shown = next(figure for figure in pair if figure is not None)
        units = {figure.currency or figure.unit for figure in pair if figure is not None}
        if len(units) > 1:
            raise ValueError(
                f"compare: {name!r} is in {' in '.join([pair[0].currency or pair[0].unit, left])} and in "  # type: ignore[union-attr]
                f"{' in '.join([pair[1].currency or pair[1].unit, right])}; compare figures of one unit."  # type: ignore[union-attr]
            )
        row: dict[str, object] = {"figure": shown.label, "unit": units.pop()}
        for side, figure in zip(names, pair, strict=True):
            row |= {
                side: or_nan(figure.value if figure else None),
                f"{side}_lower": or_nan(figure.lower if figure else None),
                f"{side}_upper": or_nan(figure.upper if figure else None),
            }
        row["difference"] = float(row[right]) - float(row[left])  # type: ignore[arg-type]
        row["reason"] = "; ".join(_missing(side, figure) for side, figure in zip(names, pair, strict=True)).strip("; ")
        rows.append(row)
    sides = [f"{side}{end}" for side in names for end in ("", "_lower", "_upper")]
    return pd.DataFrame(rows, columns=["figure", "unit", *sides, "difference", "reason"])


def _by_name(given: HasFigures | Iterable[KeyFigure], side: str) -> dict[str, KeyFigure]:
    figures = tuple(given.figures if hasattr(given, "figures") else given)
    found = {figure.name: figure for figure in figures}
    if len(found) < len(figures):
        names = [figure.name for figure in figures]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"compare: {side} has two figures called {double!r}; leave one out.")
    return found


def _missing(side: str, figure: KeyFigure | None) -> str:
    if figure is None:
        return f"{side} has none"
    return f"{side}: {figure.reason}" if figure.value is None else ""
