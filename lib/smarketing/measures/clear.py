"""What may be called a change or a difference: sure even though several were asked about, and large enough to print."""

from __future__ import annotations

import pandas as pd

from smarketing.estimates.multiplicity import simultaneous

SMALLEST = 0.0005
"""A difference of shares below this is printed as 0.0 points and not called one."""


def clearly_changed(rows: pd.DataFrame, change: str, lower: str, upper: str) -> pd.Series:
    """Say of each row whether its change differs from zero, all shown changes asked together."""
    return sides(rows, change, lower, upper, reference=0.0) != 0


def sides(rows: pd.DataFrame, value: str, lower: str, upper: str, *, reference: float) -> pd.Series:
    """Say of each row whether it lies above (1) or below (-1) a reference or neither (0), all rows asked together."""
    of = max(int(rows[value].notna().sum()), 1)
    found = [
        simultaneous(float(v), float(low), float(high), of=of).side_of(reference, smallest=SMALLEST)
        for v, low, high in zip(rows[value], rows[lower], rows[upper], strict=True)
    ]
    return pd.Series(found, index=rows.index, dtype="int64")


def largest(rows: pd.DataFrame, change: str, lower: str, upper: str) -> pd.Series | None:
    """Return the row whose change is largest for its interval, or None where there is none."""
    if rows.empty:
        return None
    return rows.loc[(rows[change].abs() / (rows[upper] - rows[lower])).idxmax()]
