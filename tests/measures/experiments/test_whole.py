"""Whole numbers: what they stand for, and that their products fit."""

from __future__ import annotations

import math
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarketing.measures.experiments.whole import LARGEST, MONEY, Parts, adds_wide, parts_between, ranges, total

NUMBERS = st.floats(-1e12, 1e12, allow_nan=False)


@given(NUMBERS, NUMBERS, st.floats(0, 1))
def test_a_number_between_two_is_kept_to_a_part_and_fits(one: float, other: float, at: float) -> None:
    low, high = min(one, other), max(one, other)
    parts = parts_between(low, high)
    value = min(max(low + at * (high - low), low), high)
    whole = round((value - parts.centre) * parts.parts)
    assert abs(whole) <= parts.largest
    assert parts.largest <= LARGEST + 1
    assert whole / parts.parts + parts.centre == pytest.approx(value, abs=0.51 / parts.parts, rel=1e-12)
    # No coarser than the range needs, down to 1e-15.
    assert parts.parts == 1e15 or max(high - parts.centre, parts.centre - low) * parts.parts * 10 > LARGEST


def test_sums_are_exact_whatever_their_size(engine: ibis.BaseBackend) -> None:
    rng = np.random.default_rng(3)
    small, large = (rng.integers(-high, high, 500) for high in (3_000_000_000, 2**52))
    table = engine.create_table("numbers", pd.DataFrame({"small": small, "large": large}))
    for names, most in ((["small"], [3e9]), (["small", "small"], [3e9, 3e9]), (["large", "large"], [2.0**52] * 2)):
        wanted = sum(math.prod(int(row[name]) for name in names) for row in table.to_pyarrow().to_pylist())
        for wide in {False, adds_wide(table)}:
            asked = table.aggregate(t=total([table[name] for name in names], most, wide=wide))
            (got,) = asked.to_pyarrow()["t"].to_pylist()
            assert Decimal(got) == Decimal(wanted)


def test_ranges_are_of_what_is_there(engine: ibis.BaseBackend) -> None:
    frame = pd.DataFrame({"a": [1.5, None, -2.0], "b": pd.Series([None] * 3, dtype="float64")})
    table = engine.create_table("numbers", frame)
    assert ranges(table, {"a": table["a"], "b": table["b"]}) == {"a": (-2.0, 1.5), "b": (0.0, 0.0)}
    assert ranges(table, {}) == {}


def test_money_is_kept_in_cents(engine: ibis.BaseBackend) -> None:
    table = engine.create_table("money", pd.DataFrame({"v": [0.1, 19.99, 1e9 + 0.01]}))
    whole = MONEY.whole(table["v"])
    both = table.select(w=whole, v=MONEY.value(whole)).to_pyarrow().to_pydict()
    assert both == {"w": [10, 1999, 100_000_000_001], "v": [0.1, 19.99, 1e9 + 0.01]}
    assert math.isinf(MONEY.largest) and isinstance(MONEY, Parts)
