"""What a reader of a table with hidden cells can work out from it: nothing about a small one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from smarketing.measures.small_cells import hide_small_cells

SMALLEST = 5


def table(*rows: list[int]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), index=[f"p{i}" for i in range(len(rows))])


def worked_out(counts: pd.DataFrame) -> set[tuple[int, int]]:
    """Solve all that is printed (columns' totals, the whole, rows' totals that are shown) for the cells with a dash."""
    shown, totals = hide_small_cells(counts, SMALLEST)
    values = counts.to_numpy(dtype=float)
    dashes = shown.isna().to_numpy() | (values == 0)
    unknown = [(int(row), int(column)) for row, column in np.argwhere(dashes)]
    lines = [{place for place in unknown if place[1] == column} for column in range(values.shape[1])]
    lines += [
        {place for place in unknown if place[0] == row} for row in range(len(values)) if pd.notna(totals.iloc[row])
    ]
    lines += [set(unknown)]
    matrix = np.array([[place in line for place in unknown] for line in lines], dtype=float).reshape(len(lines), -1)
    rank = np.linalg.matrix_rank(matrix) if unknown else 0
    return {
        place
        for i, place in enumerate(unknown)
        if np.linalg.matrix_rank(np.vstack([matrix, np.eye(len(unknown))[i]])) == rank
    }


counts_of = arrays(
    np.int64,
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=5),
    elements=st.one_of(st.just(0), st.integers(1, 4), st.integers(5, 30)),
)


@given(counts_of)
def test_no_small_cell_can_be_worked_out(values: np.ndarray) -> None:
    counts = pd.DataFrame(values)
    shown, totals = hide_small_cells(counts, SMALLEST)
    small = (values > 0) & (values < SMALLEST)
    assert shown.isna().to_numpy()[small].all()
    assert {(int(r), int(c)) for r, c in np.argwhere(small)} & worked_out(counts) == set()
    # What is shown is true.
    known = shown.notna().to_numpy()
    assert (shown.to_numpy()[known] == values[known]).all()
    kept = totals.notna().to_numpy()
    assert (totals.to_numpy()[kept] == values.sum(axis=1)[kept]).all()
    if not small.any():
        assert known.all() and kept.all()


@pytest.mark.parametrize(
    ("counts", "shown", "totals"),
    [
        # One small cell: the smallest other one of its column goes too, and both totals.
        (
            table([40, 3, 9], [20, 12, 8], [10, 30, 7]),
            [[40, None, 9], [20, None, 8], [10, 30, 7]],
            [None, None, 47],
        ),
        # A reader cannot tell a 0 from a hidden cell, so that one needs no other.
        (table([40, 3], [20, 0], [10, 30]), [[40, None], [20, 0], [10, 30]], [None, None, 40]),
        (table([40, 3], [20, 4]), [[40, None], [20, None]], [None, None]),
        (table([40, 5], [0, 30]), [[40, 5], [0, 30]], [45, 30]),
        # Of a single product the totals of columns are its cells.
        (table([40, 3]), [[40, None]], [None]),
    ],
)
def test_what_is_hidden(counts: pd.DataFrame, shown: list[list[float | None]], totals: list[float | None]) -> None:
    cells, sums = hide_small_cells(counts, SMALLEST)
    pd.testing.assert_frame_equal(cells, pd.DataFrame(shown, index=counts.index, dtype=float))
    pd.testing.assert_series_equal(sums, pd.Series(totals, index=counts.index, dtype=float))
