"""Who reached the stage within the horizon, as known on a day: 1, 0, or not known yet, and what each known one counts.

A lead that is too young to have had its horizon, and is still open, is neither good nor bad: it is not known. Those
that are known are weighted by the inverse of their probability to be known by now (Vock et al. 2016), so that leads
whose outcome comes fast do not count for those whose outcome takes its time. The weights take the mix of leads to be
the same over time; they do not mend drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from smarketing.estimates.censoring import inverse_probability_weights
from smarketing.measures.scoring.leads.sample import Sample


@dataclass(frozen=True, kw_only=True, eq=False)
class Labels:
    """One label a lead: ``value`` is 1 where it reached the stage within the horizon; ``weight`` is 0 where not known.

    ``reason`` says why no lead has a weight, where that is so.
    """

    value: npt.NDArray[np.int8]
    weight: npt.NDArray[np.float64]
    reason: str = ""


def labels_at(sample: Sample, *, horizon: int | None, known_at: date | None) -> Labels:
    """Return the labels of a sample as they were known at the end of a day.

    Parameters
    ----------
    horizon
        Whole days after the moment within which the stage has to be reached; None where the export has no days.
    known_at
        What came later is not looked at: a lead whose exit came after it is open then, and a lead whose moment came
        after it is not known. None where the export has no days.

    Returns
    -------
    Labels
        Leaving the funnel otherwise is a known 0, at whatever age; so is being open beyond the horizon. Weights are
        1 / G, G being the share of leads that had been followed for at least as many days as it took to know the label
        (at most the horizon). When a lead's follow-up ends is known for every lead, by its moment, so G is counted and
        not estimated. Where no lead has been followed for the whole horizon, no weight would be right and all are 0.
        Without days, every lead whose outcome is recorded counts 1.

    Raises
    ------
    ValueError
        ``horizon`` and ``known_at`` are given for a sample without days or missing for one with days, or ``known_at``
        is later than the last day that the sample has seen.
    """
    if sample.at is None:
        if horizon is not None or known_at is not None:
            raise ValueError("this sample has no days, so horizon and known_at must be None")
        recorded = sample.status > 0
        value = (sample.status == 1).astype(np.int8)
        return Labels(value=value, weight=recorded.astype(np.float64), reason="" if recorded.any() else "no outcome")
    if horizon is None or known_at is None:
        raise ValueError("this sample has days: name horizon (days) and known_at (a day)")
    if sample.as_of is not None and known_at > sample.as_of:
        raise ValueError(
            f"known_at is {known_at}, and the sample knows nothing after {sample.as_of}; name an earlier day"
        )
    seen = days_seen(sample, known_at)
    there = seen >= 0
    left = (sample.status > 0) & (sample.age <= seen)
    age = np.where(left, sample.age, np.minimum(sample.age, seen))
    value = (left & (sample.status == 1) & (age <= horizon)).astype(np.int8)
    weight = np.zeros(len(sample))
    if not (seen >= horizon).any():
        reason = f"no lead has been followed for {horizon} days by {known_at}"
        return Labels(value=value, weight=weight, reason=reason)
    found = inverse_probability_weights(age[there], left[there], horizon, follow_up=seen[there])
    weight[there] = found.weight
    return Labels(value=value, weight=weight)


def days_seen(sample: Sample, day: date) -> npt.NDArray[np.int64]:
    """Return for how many days each lead has been seen by a day: 0 on the day of its moment, below 0 before it."""
    if sample.at is None:
        raise ValueError("this sample has no days, so nobody is seen for any number of them")
    return (np.datetime64(day, "D") - sample.at.astype("datetime64[D]")).astype(np.int64)
