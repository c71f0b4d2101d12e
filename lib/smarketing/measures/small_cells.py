"""Hiding small cells of a table of counts so that what else is printed does not give them away again."""

from __future__ import annotations

import numpy as np
import pandas as pd


def hide_small_cells(counts: pd.DataFrame, smallest: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return the counts with small cells hidden, and the row totals that may be printed beside them.

    A cell that is above 0 and below ``smallest`` is hidden (NaN). The totals of columns, and of the whole table, are
    taken to be printed elsewhere; a dash is all that a reader sees of a hidden cell and of a 0 alike. So that no
    hidden cell is total minus the rest (complementary suppression: Willenborg & de Waal 2001, Elements of Statistical
    Disclosure Control, chapter 4):

    - a column with a single dash, and that hidden, loses its smallest other cell too;
    - a row with a dash in a column that hides something loses its total.

    A table of one row hides nothing that the totals of its columns do not say.

    Parameters
    ----------
    counts
        Whole numbers, a row and a column a group; 0 where there is none.
    smallest
        The smallest count that may be shown.
    """
    values = counts.to_numpy(dtype=float)
    small = (values > 0) & (values < smallest)
    hidden = small.copy()
    for column in np.flatnonzero(small.any(axis=0)):
        dashes = hidden[:, column] | (values[:, column] == 0)
        if dashes.sum() == 1 and len(values) > 1:
            others = np.where(dashes, np.inf, values[:, column])
            hidden[int(others.argmin()), column] = True
    dashes = hidden | (values == 0)
    touched = dashes[:, hidden.any(axis=0)].any(axis=1)
    totals = pd.Series(values.sum(axis=1), index=counts.index).mask(touched)
    return counts.astype(float).mask(hidden), totals
