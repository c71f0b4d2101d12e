"""Accounts of two arms as they were dealt, one row each: what `account_effects` and `randomisation` ask of their input.

Up to about 10^5 accounts; leads were added up by account before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from smarketing.estimates.scored import BoolArray, FloatArray, IntArray

Design = Literal["complete", "stratified", "pairs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Accounts:
    """Accounts of two arms, a row each, sorted by block and key; made by `accounts`.

    Attributes
    ----------
    leads, total
        An account's number of leads (or other denominator) and the sum of the outcome over them.
    treated
        Whether the account is in the first arm.
    block
        Its stratum or pair, numbered from 0; all 0 where neither was dealt.
    design
        How the accounts were dealt.
    left_out
        Accounts of strata and pairs that have only one arm left: chance decided nothing there.
    """

    leads: FloatArray
    total: FloatArray
    treated: BoolArray
    block: IntArray
    design: Design
    left_out: int

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Accounts and treated accounts of each block, as `randomisation` deals them again."""
        sizes = np.bincount(self.block)
        treated = np.bincount(self.block[self.treated], minlength=len(sizes))
        return tuple((int(n), int(k)) for n, k in zip(sizes, treated, strict=True))


def accounts(
    key: npt.ArrayLike,
    leads: npt.ArrayLike,
    total: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    pairs: npt.ArrayLike | None = None,
) -> Accounts:
    """Check the accounts of two arms and put them into the order of their keys.

    Parameters
    ----------
    key
        The account, as numbers or text, each once. Results depend on keys, not on the order of rows.
    leads
        Number of leads, above 0; for a ratio metric its denominator. Leave accounts without leads out.
    total
        Sum of the outcome over the account's leads.
    treated
        Whether the account is in the first of the two arms, as booleans or 0 and 1. With more than two arms give the
        accounts of two: given who is in these two, the dealing between them was as random as it was.
    strata, pairs
        The stratum or the pair within which the account was dealt, at most one of the two. Pairs have one account in
        either arm; a pair or stratum with an arm empty (its account has no leads) is left out and counted.

    Raises
    ------
    ValueError
        If lengths differ, a key comes twice, a number is impossible, both blocks are given, or a pair is none.
    """
    if strata is not None and pairs is not None:
        raise ValueError("both strata and pairs are given; give the one within which accounts were dealt.")
    keys, sizes, sums, arms = (np.asarray(column) for column in (key, leads, total, treated))
    design: Design = "pairs" if pairs is not None else "stratified" if strata is not None else "complete"
    labels = np.asarray(pairs if pairs is not None else strata) if design != "complete" else np.zeros(len(keys), int)
    shapes = [column.shape for column in (keys, sizes, sums, arms, labels)]
    if keys.ndim != 1 or len(set(shapes)) > 1:
        raise ValueError(
            f"keys, leads, totals, arms and blocks have the shapes {', '.join(map(str, shapes))}; "
            "give one of each an account."
        )
    names, times = np.unique(keys, return_counts=True)
    if (times > 1).any():
        raise ValueError(
            f"{int((times > 1).sum())} accounts come more than once, the first is {names[times > 1][0]}; "
            "add their leads up into one row an account."
        )
    sizes, sums = sizes.astype(np.float64), sums.astype(np.float64)
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise ValueError("leads of an account are 0, negative or missing; leave accounts without leads out.")
    if not np.isfinite(sums).all():
        raise ValueError("the total of an account is infinite or missing; leave leads without an outcome out.")
    if not np.isin(arms, (0, 1)).all():
        raise ValueError("treated is neither 0 nor 1 for an account; say for each whether it is in the first arm.")
    arms = arms.astype(np.bool_)
    found, block = np.unique(labels, return_inverse=True)
    treated_of, of = np.bincount(block[arms], minlength=len(found)), np.bincount(block, minlength=len(found))
    if design == "pairs" and (wrong := (of > 2) | ((of == 2) & (treated_of != 1))).any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{int(wrong.sum())} pairs are none, the first is {found[first]} with {of[first]} accounts, "
            f"{treated_of[first]} of them treated; a pair is two accounts, one in each arm. "
            "Use strata for larger groups."
        )
    kept = ((treated_of > 0) & (treated_of < of))[block]
    order = np.lexsort((keys, block))
    order = order[kept[order]]
    return Accounts(
        leads=sizes[order],
        total=sums[order],
        treated=arms[order],
        block=np.unique(block[order], return_inverse=True)[1].astype(np.int64),
        design=design,
        left_out=int((~kept).sum()),
    )
