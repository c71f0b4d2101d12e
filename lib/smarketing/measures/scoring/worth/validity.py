"""How well a score does on leads it has not seen: order, probabilities, and what sales' capacity catches.

Every number comes with a 95 % interval from drawing whole accounts, because leads of one account succeed and fail
together. All scores judged on the same leads share the draws, so that their differences are paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smarketing.company.definitions import Evidence
from smarketing.estimates.bootstrap import clustered_weights, percentile_interval
from smarketing.estimates.calibration import (
    CalibrationBin,
    brier_skill,
    calibration_bins,
    calibration_intercept,
    calibration_slope,
)
from smarketing.estimates.clusters import effective_clusters
from smarketing.estimates.ranking import rank, worklist

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FEWEST = 10
"""With fewer leads of either kind, no measure of a score is more than luck."""

PER = 100
"""Without dates, amounts are for so many leads instead of a week."""

SHARES = tuple(round(0.02 * step, 2) for step in range(51))
"""The shares of leads at which a gains curve is drawn."""


@dataclass(frozen=True, kw_only=True)
class Leads:
    """Leads whose outcome is known, a row each, to judge scores on.

    ``what`` names them within a sentence. ``outcome`` is 1 where the stage was reached in time, ``weight`` stands for
    leads too young to be judged (1 where none is), ``cluster`` is the account. ``week`` groups leads that compete for
    the same places, -1 where a week is only partly in the data; None where there are no dates, and ``capacity`` is then
    for all leads together. ``fraction`` of all leads were drawn; ``capacity`` is that part of what sales can work.
    """

    what: str
    outcome: FloatArray
    weight: FloatArray
    cluster: IntArray
    week: IntArray | None
    capacity: float
    fraction: float = 1.0

    def __len__(self) -> int:
        return int((self.weight > 0).sum())

    @property
    def events(self) -> int:
        """How many reached the stage."""
        return int(((self.outcome == 1) & (self.weight > 0)).sum())

    @property
    def rate(self) -> float:
        """The (weighted) share that reached the stage."""
        total = float(self.weight.sum())
        return float((self.weight * self.outcome).sum()) / total if total else math.nan

    @property
    def accounts(self) -> int:
        """How many accounts they belong to."""
        return len(np.unique(self.cluster[self.weight > 0]))

    @property
    def effective_accounts(self) -> float:
        """How many equally large accounts would carry as much weight."""
        sums = np.bincount(self.cluster, self.weight) if len(self.cluster) else np.zeros(1)
        return effective_clusters(float(sums.sum()), float((sums**2).sum()))

    @property
    def in_whole_weeks(self) -> FloatArray:
        """The weights, 0 for leads of a week that is only partly in the data."""
        return self.weight if self.week is None else np.where(self.week >= 0, self.weight, 0.0)

    @property
    def weeks(self) -> int:
        """How many whole weeks there are from the first to the last, those without a lead too; 0 without dates."""
        whole = np.zeros(0, dtype=np.int64) if self.week is None else self.week[self.week >= 0]
        return int(whole.max() - whole.min()) + 1 if len(whole) else 0

    @property
    def units(self) -> float:
        """By what sums are divided to be those of a week of all leads, or of `PER` leads where there are no dates."""
        if self.week is not None:
            return max(self.weeks, 1) * self.fraction
        return float(self.weight.sum()) / PER

    def only(self, mask: npt.NDArray[np.bool_], what: str) -> Leads:
        """Return some of the leads."""
        week = None if self.week is None else self.week[mask]
        share = float(self.weight[mask].sum() / self.weight.sum()) if self.weight.sum() else 1.0
        # Those who are left out take their part of the places with them.
        return Leads(
            what=what,
            outcome=self.outcome[mask],
            weight=self.weight[mask],
            cluster=self.cluster[mask],
            week=week,
            capacity=max(self.capacity * share, 1e-9),
            fraction=self.fraction * share,
        )

    def too_few_to_count(self, evidence: Evidence) -> str:
        """Return why the share of these leads that got there is not shown, or an empty text."""
        n = len(self)
        if n < evidence.minimum_denominator:
            return f"only {n} {self.what}, fewer than {evidence.minimum_denominator}"
        if self.effective_accounts < evidence.minimum_effective_accounts:
            return (
                f"the {n} {self.what} are of accounts that weigh as much as {self.effective_accounts:.1f} equal ones, "
                f"fewer than {evidence.minimum_effective_accounts}"
            )
        return ""

    def too_few(self, evidence: Evidence) -> str:
        """Return why these leads cannot judge a score, or an empty text."""
        n, events = len(self), self.events
        if few := self.too_few_to_count(evidence):
            return few
        if min(events, n - events) < FEWEST:
            return f"{events} of {n} {self.what} reached the stage; both kinds need at least {FEWEST}"
        return ""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A measure of a score with its 95 % interval; ``value`` is NaN where it is not defined."""

    name: str
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True)
class Validity:
    """What a score is worth on some leads.

    ``measures``: ``auc`` (0.5 is chance), ``average_precision``, ``lift`` and ``captured`` at the weekly capacity and,
    for probabilities, ``brier_skill``, ``calibration_intercept`` (0 is right) and ``calibration_slope`` (1 is right).
    ``selected`` is the share of leads that the capacity is enough for. ``reason`` says why nothing is measured.
    """

    score: str
    what: str
    n: int
    events: int
    accounts: int
    rate: float
    selected: float
    measures: tuple[Measured, ...]
    reason: str = ""

    def measure(self, name: str) -> Measured:
        """Return a measure by name; one that was not taken is NaN."""
        nothing = Measured(name=name, value=math.nan, lower=math.nan, upper=math.nan)
        return next((found for found in self.measures if found.name == name), nothing)


@dataclass(frozen=True, kw_only=True)
class Gains:
    """A gains curve: by share of leads called (`SHARES`), the share of outcomes caught, with a band; NaN without."""

    score: str
    share: FloatArray
    captured: FloatArray
    lower: FloatArray
    upper: FloatArray


def judge(
    leads: Leads,
    scores: Mapping[str, FloatArray],
    *,
    probabilities: tuple[str, ...],
    evidence: Evidence,
    draws: int = 200,
    seed: int = 0,
) -> dict[str, Validity]:
    """Judge scores on the same leads, by name; those in ``probabilities`` as probabilities too.

    A score may be missing for some leads (NaN): these stand last in line, as they do where a team works by that score.
    """
    reason = leads.too_few(evidence)
    found = {}
    for name, score in scores.items():
        taken = {} if reason else _measures(leads, _last_in_line(score), as_probability=name in probabilities)
        values = _with_intervals(taken, leads, draws, seed)
        places = worklist(_last_in_line(score), leads.outcome, leads.in_whole_weeks, group=leads.week,
                          capacity=leads.capacity) if not reason else None  # fmt: skip
        total = float(leads.in_whole_weeks.sum())
        found[name] = Validity(
            score=name,
            what=leads.what,
            n=len(leads),
            events=leads.events,
            accounts=leads.accounts,
            rate=leads.rate,
            selected=places.capture().selected / total if places is not None and total else math.nan,
            measures=values,
            reason=reason,
        )
    return found


def paired_difference(
    leads: Leads, first: FloatArray, second: FloatArray, *, measure: str, draws: int = 200, seed: int = 0
) -> Measured:
    """Return by how much ``first`` beats ``second`` in a measure (``auc``, ``captured``, ``lift``), accounts drawn
    together."""
    one = _measures(leads, _last_in_line(first), as_probability=False)[measure]
    other = _measures(leads, _last_in_line(second), as_probability=False)[measure]
    return _with_intervals({measure: lambda times: one(times) - other(times)}, leads, draws, seed)[0]


def measured(
    name: str,
    measure: Callable[[FloatArray | None], float],
    leads: Leads,
    *,
    draws: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> Measured:
    """Return any measure of these leads with its interval; it is given how often each counts (None: once)."""
    return _with_intervals({name: measure}, leads, draws, seed, level=level)[0]


def gains(leads: Leads, score: FloatArray, *, name: str, draws: int = 200, seed: int = 0) -> Gains:
    """Return the gains curve of a score over all leads together, with its 95 % band."""
    rows = rank(_last_in_line(score), leads.outcome, leads.weight)
    weight, order = rows.rows.weight, rows.order
    outcome = rows.rows.outcome

    def curve(times: FloatArray | None) -> FloatArray:
        counted = rows.rows.weight_of(times)[order]
        positive = np.add.reduceat(counted * outcome[order], rows.starts)
        block = np.add.reduceat(counted, rows.starts)
        seen, caught = np.concatenate([[0.0], np.cumsum(block)]), np.concatenate([[0.0], np.cumsum(positive)])
        if not caught[-1] > 0:
            return np.full(len(SHARES), math.nan)
        return np.asarray(np.interp(SHARES, seen / seen[-1], caught / caught[-1]))

    if not (weight * outcome).sum() > 0:
        empty = np.full(len(SHARES), math.nan)
        return Gains(score=name, share=np.array(SHARES), captured=empty, lower=empty, upper=empty)
    drawn = np.array([curve(times) for times in clustered_weights(leads.cluster, draws=draws, seed=seed)])
    limits = [
        percentile_interval(drawn[:, at], effective_clusters=leads.effective_accounts) for at in range(len(SHARES))
    ]
    return Gains(
        score=name,
        share=np.array(SHARES),
        captured=curve(None),
        lower=np.array([limit.lower for limit in limits]),
        upper=np.array([limit.upper for limit in limits]),
    )


def bins(leads: Leads, probability: FloatArray, *, count: int = 10) -> tuple[CalibrationBin, ...]:
    """Return predicted against observed in bins of about equal size."""
    return calibration_bins(probability, leads.outcome, leads.weight, cluster=leads.cluster, bins=count)


def _measures(
    leads: Leads, score: FloatArray, *, as_probability: bool
) -> dict[str, Callable[[FloatArray | None], float]]:
    """Return the measures as functions of how often each row counts."""
    ranking = rank(score, leads.outcome, leads.weight)
    places = worklist(score, leads.outcome, leads.in_whole_weeks, group=leads.week, capacity=leads.capacity)
    found: dict[str, Callable[[FloatArray | None], float]] = {
        "auc": ranking.auc,
        "average_precision": ranking.average_precision,
        "lift": lambda times: places.capture(times).lift,
        "captured": lambda times: places.capture(times).captured,
    }
    if as_probability:

        def weighted(times: FloatArray | None) -> FloatArray:
            return leads.weight if times is None else leads.weight * times

        found |= {
            "brier_skill": lambda times: brier_skill(score, leads.outcome, weighted(times)),
            "calibration_intercept": lambda times: calibration_intercept(score, leads.outcome, weighted(times)),
            "calibration_slope": lambda times: calibration_slope(score, leads.outcome, weighted(times)),
        }
    return found


def _with_intervals(
    taken: Mapping[str, Callable[[FloatArray | None], float]],
    leads: Leads,
    draws: int,
    seed: int,
    *,
    level: float = 0.95,
) -> tuple[Measured, ...]:
    if not taken:
        return ()
    drawn = np.array(
        [
            [measure(times) for measure in taken.values()]
            for times in clustered_weights(leads.cluster, draws=draws, seed=seed)
        ]
    )
    limits = [
        percentile_interval(drawn[:, at], level=level, effective_clusters=leads.effective_accounts)
        for at in range(len(taken))
    ]
    return tuple(
        Measured(name=name, value=measure(None), lower=limit.lower, upper=limit.upper)
        for (name, measure), limit in zip(taken.items(), limits, strict=True)
    )


def _last_in_line(score: FloatArray) -> FloatArray:
    return np.where(np.isnan(score), -np.inf, score)
