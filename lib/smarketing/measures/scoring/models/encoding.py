"""How feature columns become what models take: bins of numbers and levels of categories, here and in the engine alike.

Missing is None, NaN, NULL and the empty string. A category value that training did not hold is missing too: nothing is
known of it. Bins and levels are made from the features alone, never from the outcome, so folds may share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from smarketing.measures.scoring.leads.sample import Feature

OTHER = "(other)"
NOT_RECORDED = "not recorded"
MISSING = -1
"""The code of what is missing or was not met in training."""
MOST_NAMED = 250
"""Values that a category's levels name at most; rarer ones count as missing, so that queries stay readable."""


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Ranges of a number: bin i holds edges[i - 1] <= x < edges[i].

    ``whole`` says that training held whole numbers only, ``lowest`` the smallest and ``highest`` the largest of them (1
    for a yes-or-no column); all three are for the words.
    """

    edges: tuple[float, ...]
    whole: bool
    lowest: float
    highest: float = np.inf

    def __len__(self) -> int:
        return len(self.edges) + 1

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Return each value's bin, `MISSING` for NaN."""
        codes = np.searchsorted(np.array(self.edges), values, side="right")
        codes[np.isnan(values)] = MISSING
        return codes

    def words(self, code: int) -> str:
        """Return what a bin holds, such as "200 to 999"."""
        if code == MISSING:
            return NOT_RECORDED
        if not self.edges:
            return "any number"
        if self.whole and self.lowest == 0 and self.highest == 1:
            return "yes" if code else "no"
        if code == len(self.edges):
            last = in_words(self.edges[-1])
            return last if self.whole and self.edges[-1] == self.highest else f"{last} or more"
        end = self.edges[code]
        last = in_words(end - 1 if self.whole else end)
        if code == 0:
            if self.whole:
                return last if end - 1 == self.lowest == 0 else f"up to {last}"
            return f"below {last}"
        start = in_words(self.edges[code - 1])
        if self.whole:
            return start if start == last else f"{start} to {last}"
        return f"{start} to below {last}"

    def pick(self, column: ir.FloatingValue, values: Sequence[float], missing: float) -> ir.Value:
        """Return the value of each row's bin in the engine; ``missing`` for NULL and NaN."""
        # Comparisons with NULL are NULL and fall through; NaN counts as the largest number in engines.
        branches = [(column < exact(edge), value) for edge, value in zip(self.edges, values, strict=False)]
        branches.append((column.notnull() & ~column.isnan(), values[-1]))
        return ibis.cases(*branches, else_=missing)


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Values of a category that are told apart, most frequent first; rare ones share a last level, "(other)"."""

    kept: tuple[str, ...]
    pooled: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.kept) + bool(self.pooled)

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Return each value's level, `MISSING` for None, the empty string and what training did not hold."""
        codes = pd.Index([*self.kept, *self.pooled], dtype=object).get_indexer(pd.Index(values, dtype=object))
        return np.minimum(codes, len(self.kept))

    def words(self, code: int) -> str:
        """Return the level's name; a value that is called like one of ours is quoted."""
        if code == MISSING:
            return NOT_RECORDED
        if code == len(self.kept):
            return OTHER
        return f'"{self.kept[code]}"' if self.kept[code] in (OTHER, NOT_RECORDED) else self.kept[code]

    def values_of(self, code: int) -> tuple[str, ...]:
        """Return the values that share a level."""
        return self.pooled if code == len(self.kept) else (self.kept[code],)

    def pick(self, column: ir.StringValue, values: Sequence[float], missing: float) -> ir.Value:
        """Return the value of each row's level in the engine; ``missing`` for NULL, '' and unseen values."""
        branches = []
        for value in dict.fromkeys(values):
            names = [n for code, v in enumerate(values) if v == value for n in self.values_of(code)]
            if value != missing:
                branches.append((column.isin(names), value))
        return ibis.cases(*branches, else_=missing) if branches else ibis.literal(missing)


def in_words(number: float) -> str:
    """Return a number as people write it: thousands separated, no more digits than it has."""
    return f"{number + 0.0:,.12g}"


def exact(number: float) -> ir.FloatingScalar:
    """Return a number as the engine's double, to the last bit.

    DuckDB reads a literal such as 0.1234567890123456 as a decimal and loses the last bit of some when it makes doubles
    of them; read from text none is lost.
    """
    return ibis.literal(repr(float(number))).cast("float64")


def fit_bins(values: np.ndarray, *, at_most: int, at_least: int) -> Bins:
    """Cut a number into at most ``at_most`` bins of about equal size that hold at least ``at_least`` rows each.

    A value that many rows share (the zeros of a count) gets a bin of its own. Edges are rounded as far as that moves
    no more than a twentieth of a bin. NaN is left out; infinite values fall into the outer bins.
    """
    known = np.sort(values[np.isfinite(values)])
    if known.size == 0:
        return Bins(edges=(), whole=False, lowest=0.0)
    distinct, count = np.unique(known, return_counts=True)
    reached = np.cumsum(count)
    whole = bool((distinct == np.rint(distinct)).all())
    edges, rounded, done = [], [], 0
    for left in range(at_most, 1, -1):
        aim = done + max((known.size - done) / left, at_least)
        cut = int(np.searchsorted(reached, aim))
        if cut > 0 and aim - reached[cut - 1] < reached[min(cut, len(reached) - 1)] - aim:
            cut -= 1
        if cut >= len(distinct) - 1 or known.size - reached[cut] < at_least:
            break
        if reached[cut] - done < at_least:
            cut += 1
            if cut >= len(distinct) - 1 or known.size - reached[cut] < at_least:
                break
        edges.append(float(distinct[cut + 1]))
        rounded.append(_readable(edges[-1], known, int(reached[cut]), 0.05 * known.size / at_most))
        done = int(reached[cut])
    counts = np.diff(np.searchsorted(known, rounded), prepend=0, append=known.size)
    return Bins(
        edges=tuple(rounded if counts.min() >= at_least else edges),
        whole=whole,
        lowest=float(distinct[0]),
        highest=float(distinct[-1]),
    )


def fit_levels(values: np.ndarray, *, at_most: int, at_least: int) -> Levels:
    """Keep the most frequent values, at most ``at_most`` of at least ``at_least`` rows each; pool the others.

    Where the others together are fewer than ``at_least`` they count as missing.

    Raises
    ------
    ValueError
        If a value is no string.
    """
    counted = pd.Series(values, dtype=object).value_counts()
    for value in counted.index[[not isinstance(value, str) for value in counted.index]][:1]:
        raise ValueError(f"a category holds {value!r}, a {type(value).__name__}. Give categories as strings.")
    counted = counted.drop("", errors="ignore")
    # Ties in frequency are put in order of name: equal inputs, equal levels.
    ranked = sorted(((name, int(n)) for name, n in counted.items()), key=lambda one: (-one[1], one[0]))
    kept = [name for name, n in ranked[:at_most] if n >= at_least]
    rest = ranked[len(kept) : MOST_NAMED]
    pooled = [name for name, _ in rest] if sum(n for _, n in rest) >= at_least else []
    return Levels(kept=tuple(kept), pooled=tuple(pooled))


def column_of(features: pd.DataFrame, role: Feature) -> np.ndarray:
    """Return a feature's column as models read it: float64 with NaN, or strings with None.

    Raises
    ------
    ValueError
        If the column is absent or holds something that is no number where numbers are meant.
    """
    if role.name not in features.columns:
        raise ValueError(
            f"the feature {role.name!r} ({role.label}) is not among the columns {sorted(map(str, features.columns))}. "
            "Score what the model was trained on."
        )
    column = features[role.name]
    if role.kind == "category":
        return column.to_numpy(dtype=object, na_value=None)
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the feature {role.name!r} ({role.label}) is a number for the model and has the type {column.dtype}: "
            f"{error}. Give it as numbers."
        ) from error


def engine_column(table: ir.Table, role: Feature) -> ir.Value:
    """Return a feature's column of a table: float64 or string.

    Raises
    ------
    ValueError
        If the column is absent, or is of another type.
    """
    if role.name not in table.columns:
        raise ValueError(
            f"the feature {role.name!r} ({role.label}) is not among the columns {sorted(table.columns)}. "
            "Score what the model was trained on."
        )
    column = table[role.name]
    fits = column.type().is_numeric() if role.kind == "number" else column.type().is_string()
    if not fits:
        raise ValueError(
            f"the feature {role.name!r} ({role.label}) is a {role.kind} for the model and has the type "
            f"{column.type()} in the engine. Give it as {'float64' if role.kind == 'number' else 'string'}."
        )
    return column.cast("float64") if role.kind == "number" else column


def balanced_sum(terms: Sequence[ir.NumericValue]) -> ir.NumericValue:
    """Add terms in halves: a hundred trees in a row would nest too deep for the engine's parser."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return balanced_sum(terms[:half]) + balanced_sum(terms[half:])


def probability_in_engine(log_odds: ir.FloatingValue) -> ir.FloatingValue:
    """Return 1 / (1 + exp(-log_odds)), cut at 500: exp overflows are errors on PostgreSQL."""
    # Not by clip, which writes its argument out twice, and here that is all trees.
    within = ibis.least(exact(500.0), ibis.greatest(exact(-500.0), log_odds))
    return exact(1.0) / (exact(1.0) + (-within).exp())


def _readable(edge: float, known: np.ndarray, below: int, most_moved: float) -> float:
    """Return the edge with as few digits as move no more rows over it; ``known`` is sorted, ``below`` are below it."""
    for digits in range(1, 17):
        candidate = float(f"{edge:.{digits}g}")
        if abs(int(np.searchsorted(known, candidate)) - below) <= most_moved and candidate > known[0]:
            return candidate
    return edge
