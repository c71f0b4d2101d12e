"""Weights that let subjects with a known outcome stand in for those too young to have one (IPCW).

A subject (a lead) is followed from its start (its scoring moment) for ``follow_up`` whole days. An exit at age t is
seen when the follow-up is at least t; being still open at the horizon is seen when the follow-up is at least the
horizon. Young subjects are neither negatives (that would make the rate too low) nor left out unweighted (quick exits
would count too much), and whoever left otherwise is a known negative, not censored (that would make it too high).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smarketing.estimates.scored import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Censoring:
    """The weights of subjects for an outcome within a horizon.

    Attributes
    ----------
    weight
        1 / P(followed long enough to see it) where the outcome within the horizon is known, 0 where it is not.
    known
        Whether the outcome is known: left at or before the horizon, or followed to it.
    followed
        P(follow-up >= age) for each age from 0 to the horizon.
    """

    weight: FloatArray
    known: BoolArray
    followed: FloatArray

    @property
    def followed_to_horizon(self) -> float:
        """Share of subjects followed to the horizon; at 0 nobody can be known to be open then, and no rate is right."""
        return float(self.followed[-1])

    @property
    def effective(self) -> float:
        """How many subjects of equal weight carry as much: (sum w)^2 / sum w^2, 0 without any (Kish 1965)."""
        squares = float((self.weight**2).sum())
        return float(self.weight.sum()) ** 2 / squares if squares > 0 else 0.0


def inverse_probability_weights(
    age: npt.ArrayLike, seen: npt.ArrayLike, horizon: int, *, follow_up: npt.ArrayLike | None = None
) -> Censoring:
    """Return the weight of each subject for its outcome within ``horizon`` days.

    Parameters
    ----------
    age
        Whole days from the start to the exit, of whatever kind, or to the last day seen where still open.
    seen
        Whether the exit was seen.
    horizon
        Whole days, 0 or more; an exit at this age is within it.
    follow_up
        Days from the start to the last day on which an exit would have been seen, known for *every* subject where
        records simply end on a day (as-of minus start). None: known only for those still open, as their ``age``; its
        distribution is then estimated with exits as its censoring (reverse Kaplan-Meier).

    Returns
    -------
    Censoring
        Weights add up to the number of subjects on average. They take follow-up to be unrelated to the outcome: they do
        not mend a trend in the outcome over starts, which has to be said where weights are used.

    Raises
    ------
    ValueError
        If ages are not whole or are negative, lengths differ, or an exit was seen after the follow-up ended.

    Notes
    -----
    Vock et al. (2016), Journal of Biomedical Informatics 61:119-131: weight [T <= h or C >= h] / G(min(T, h)), here
    with G(t) = P(C >= t), as an exit on the last day is seen. With the reverse Kaplan-Meier estimate the weighted share
    of a kind of exit is its Aalen-Johansen incidence (`survival`).
    """
    ages, exits = _whole("age", age), np.asarray(seen, dtype=bool)
    if horizon < 0 or horizon != int(horizon):
        raise ValueError(f"the horizon is {horizon}; it has to be a whole number of days, 0 or more.")
    limits = ages if follow_up is None else _whole("follow_up", follow_up)
    if not ages.shape == exits.shape == limits.shape:
        raise ValueError(
            f"ages, exits and follow-ups have the shapes {ages.shape}, {exits.shape} and {limits.shape}; "
            "give one of each a subject."
        )
    if (exits & (ages > limits)).any():
        late = int((exits & (ages > limits)).sum())
        raise ValueError(
            f"{late} exits lie after the end of the subject's follow-up; cut exits at the day up to which records go."
        )
    if not len(ages):
        followed, known = np.zeros(int(horizon) + 1), np.zeros(0, dtype=bool)
    elif follow_up is None:
        followed = _reverse_kaplan_meier(ages, exits, int(horizon))
        known = exits | (ages >= horizon)
    else:
        followed = _at_least(limits, int(horizon)) / len(limits)
        known = (exits & (ages <= horizon)) | (limits >= horizon)
    at = np.where(exits, np.minimum(ages, horizon), horizon)
    weight = np.zeros(len(ages))
    np.divide(1.0, followed[at], out=weight, where=known)
    return Censoring(weight, known, followed)


def _at_least(days: IntArray, horizon: int) -> FloatArray:
    """How many have at least each number of days, 0 to the horizon."""
    counts = np.bincount(np.minimum(days, horizon), minlength=horizon + 1)
    return np.cumsum(counts[::-1])[::-1].astype(np.float64)


def _reverse_kaplan_meier(ages: IntArray, exits: BoolArray, horizon: int) -> FloatArray:
    """P(follow-up >= age), with exits as the censoring of follow-up; at the same age exits come first."""
    open_after = _at_least(ages, horizon) - np.bincount(np.minimum(ages[exits], horizon), minlength=horizon + 1)
    ended = np.bincount(np.minimum(ages[~exits], horizon), minlength=horizon + 1)
    going_on = 1 - np.divide(ended, open_after, out=np.zeros(horizon + 1), where=open_after > 0)
    return np.concatenate([[1.0], np.cumprod(going_on[:-1])]).astype(np.float64)


def _whole(name: str, days: npt.ArrayLike) -> IntArray:
    given = np.asarray(days)
    whole = given.astype(np.int64) if given.size == 0 or np.isfinite(given.astype(np.float64)).all() else None
    if whole is None or given.ndim != 1 or (whole != given).any() or (whole < 0).any():
        raise ValueError(f"{name} has to be one list of whole days, 0 or more; leave out whoever starts after the end.")
    return whole
