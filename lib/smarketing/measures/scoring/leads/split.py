"""Earlier leads to learn from, later ones to be tested on: the only test that looks like using the score."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from smarketing.measures.scoring.leads.labels import days_seen
from smarketing.measures.scoring.leads.sample import Sample


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Which leads of a sample are for what.

    ``train``: those whose moment came on ``day`` or before, whose labels are to be taken as known on that day.
    ``test``: those whose moment came later and who had had their whole horizon by the as-of day. ``unseen``: those of
    ``test`` whose account has no lead in ``train``. ``reason`` says why there is no split (``day`` is None then, and
    nothing is in it).
    """

    day: date | None
    train: npt.NDArray[np.bool_]
    test: npt.NDArray[np.bool_]
    unseen: npt.NDArray[np.bool_]
    reason: str = ""


def split_forward(sample: Sample, *, horizon: int, as_of: date, test_share: float = 0.3) -> Split:
    """Split a sample in time, so that about ``test_share`` of the leads that have had their horizon are the test.

    The day is the one that comes nearest to that share, the earlier of two. It is the same for every lead, since a
    model would have been made on one day.

    Parameters
    ----------
    horizon
        Whole days within which the stage has to be reached.
    as_of
        The last day seen.
    test_share
        Of the leads that have had their horizon by ``as_of``; above 0 and below 1.

    Raises
    ------
    ValueError
        The sample has no days (folds by account are the test there), or ``test_share`` is no share.
    """
    if sample.at is None:
        raise ValueError(
            "this sample has no days, so it cannot be split in time; use folds that keep accounts together"
        )
    if not 0 < test_share < 1:
        raise ValueError(f"test_share is {test_share}; it is a share above 0 and below 1")
    seen = days_seen(sample, as_of)
    mature = seen >= horizon
    ages, counts = np.unique(seen[mature], return_counts=True)
    if len(ages) < 2:
        none = np.zeros(len(sample), dtype=np.bool_)
        found = "none" if not len(ages) else "only those of one day"
        reason = f"of {len(sample):,} leads {found} had had {horizon} days by {as_of}"
        return Split(day=None, train=none, test=none, unseen=none, reason=reason)
    # The test is everybody seen for fewer days than the leads of the split day, so shares grow with age.
    share = np.cumsum(counts)[:-1] / counts.sum()
    best = int(np.flatnonzero(np.abs(share - test_share) <= np.abs(share - test_share).min() + 1e-12)[-1])
    day = as_of - timedelta(days=int(ages[best + 1]))
    later = days_seen(sample, day) < 0
    train, test = ~later, later & mature
    unseen = test & ~np.isin(sample.cluster, sample.cluster[train])
    return Split(day=day, train=train, test=test, unseen=unseen)
