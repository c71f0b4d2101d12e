"""Where to draw the line: what a threshold passes on, what it is worth, and what each band of the score promises.

The value of working a lead is P(reaches the stage) x the value from that stage on, less the cost of working it. Without
an experiment, that a lead who is not worked does not reach the stage is an assumption, and a report prints it as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from smarketing.company.definitions import Evidence
from smarketing.estimates.bootstrap import clustered_weights, percentile_interval
from smarketing.estimates.calibration import cluster_sums
from smarketing.estimates.clusters import share
from smarketing.estimates.ranking import Worklist, worklist
from smarketing.measures.scoring.worth.validity import PER, Leads

FloatArray = npt.NDArray[np.float64]

POINTS = 40
"""How many thresholds a curve is drawn at twice, by shares of leads and evenly up to the highest probability, besides
those that have a name: shares alone would leave the few leads of high probability to one straight line."""

CLOSE = 0.01
"""A rate within a point of its promise keeps it: with enough leads any difference is clear, however small."""


@dataclass(frozen=True)
class CostCurve:
    """What each threshold would have meant for the leads that were judged.

    ``rows``: a row a threshold, lowest first: ``threshold``, ``passed`` (leads at or above it), ``worked`` (of these,
    as many as the capacity is enough for, best first), ``reached`` (of those worked), ``value`` (money: reached x value
    of the stage - worked x cost) with ``lower`` and ``upper``; ``passed`` to ``upper`` are for a week, or for `PER`
    leads where there are no dates (``per`` says which). ``named``: the same columns with ``name``: ``agreed``,
    ``break-even`` (cost over value: below it a lead costs more than it brings) and ``capacity`` (from which on sales
    has no place left), and how each differs from the agreed one: ``gain`` with ``gain_lower`` and ``gain_upper``
    (money), ``more_passed``, ``more_reached``.
    """

    rows: pd.DataFrame
    named: pd.DataFrame
    value_of_stage: float
    cost: float
    capacity: float
    per: str
    what: str

    def at(self, name: str) -> pd.Series:
        """Return the row of a named threshold."""
        return self.named[self.named["name"] == name].iloc[0]


def cost_curve(
    leads: Leads,
    probability: FloatArray,
    *,
    agreed: float,
    value_of_stage: float,
    cost: float,
    draws: int = 200,
    seed: int = 0,
) -> CostCurve:
    """Work out what thresholds pass on and are worth, on leads whose outcome is known.

    Parameters
    ----------
    leads
        Judged leads; those of weeks only partly in the data are left out.
    probability
        Of reaching the stage, 0 to 1.
    agreed
        The threshold in force.
    value_of_stage, cost
        Money: what a lead that reached the stage is worth from there on, and what working a lead costs.
    """
    places = worklist(probability, leads.outcome, leads.in_whole_weeks, group=leads.week, capacity=leads.capacity)
    inside = places.rows.kept
    p, y = np.asarray(probability, dtype=np.float64)[inside], leads.outcome[inside]
    even = min(cost / value_of_stage, 1.0) if value_of_stage > 0 else 1.0
    units = leads.units
    full = _capacity_threshold(p, places.rows.weight, leads.capacity * (leads.weeks if leads.week is not None else 1))
    marks = {"agreed": agreed, "break-even": even, "capacity": full}
    shares = np.linspace(0, 1, POINTS + 1)
    grid = np.unique(
        np.concatenate([np.quantile(p, shares, method="nearest"), shares * p.max(initial=0.0), list(marks.values())])
    )
    order = np.argsort(-p, kind="stable")
    upto = np.searchsorted(-p[order], -grid, side="right")

    def sums(times: FloatArray | None) -> FloatArray:
        """Passed, worked, reached and value at each threshold."""
        weight = places.rows.weight_of(times)
        worked = weight * places.taken(times)
        columns = [weight, worked, worked * y, worked * (y * value_of_stage - cost)]
        running = [np.concatenate([[0.0], np.cumsum(column[order])])[upto] for column in columns]
        return np.array(running) / units

    found = sums(None)
    drawn = np.array([sums(times) for times in clustered_weights(leads.cluster, draws=draws, seed=seed)])
    limits = [
        percentile_interval(drawn[:, 3, at], effective_clusters=leads.effective_accounts) for at in range(len(grid))
    ]
    rows = pd.DataFrame(
        {
            "threshold": grid,
            "passed": found[0],
            "worked": found[1],
            "reached": found[2],
            "value": found[3],
            "lower": [limit.lower for limit in limits],
            "upper": [limit.upper for limit in limits],
        }
    )
    base = int(np.searchsorted(grid, agreed))
    named = []
    for name, threshold in marks.items():
        here = int(np.searchsorted(grid, threshold))
        more = found[3, here] - found[3, base]
        gain = percentile_interval(
            drawn[:, 3, here] - drawn[:, 3, base], effective_clusters=leads.effective_accounts, centre=float(more)
        )
        named.append(
            {"name": name}
            | rows.iloc[here].to_dict()
            | {
                "gain": more,
                "gain_lower": gain.lower if here != base else 0.0,
                "gain_upper": gain.upper if here != base else 0.0,
                "more_passed": found[0, here] - found[0, base],
                "more_reached": found[2, here] - found[2, base],
            }
        )
    return CostCurve(
        rows=rows,
        named=pd.DataFrame(named),
        value_of_stage=value_of_stage,
        cost=cost,
        capacity=leads.capacity / (leads.fraction if leads.week is not None else units),
        per="a week" if leads.week is not None else f"per {PER} leads",
        what=leads.what,
    )


def value_at_capacity(leads: Leads, score: FloatArray, *, value_of_stage: float, cost: float) -> float:
    """Return the money (a week, or for `PER` leads) of working the best-scored leads as far as the capacity goes."""
    places = worklist(
        np.where(np.isnan(score), -np.inf, score), leads.outcome, leads.in_whole_weeks, group=leads.week,
        capacity=leads.capacity,
    )  # fmt: skip
    units = leads.units
    worked = places.rows.weight * places.taken(None)
    return float((worked * (places.rows.outcome * value_of_stage - cost)).sum()) / units


def gain_at_capacity(
    leads: Leads,
    score: FloatArray,
    other: FloatArray,
    *,
    value_of_stage: float,
    cost: float,
    draws: int = 200,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return the money (a week, or for `PER` leads) that working by ``score`` brings over ``other``, with its interval.

    Both work as many leads as the capacity allows, so that the cost of working cancels where both fill it.
    """
    taken = [
        worklist(
            np.where(np.isnan(s), -np.inf, s), leads.outcome, leads.in_whole_weeks, group=leads.week,
            capacity=leads.capacity,
        )
        for s in (score, other)
    ]  # fmt: skip
    units = leads.units

    def gain(times: FloatArray | None) -> float:
        money = [_money(places, times, value_of_stage, cost) for places in taken]
        return (money[0] - money[1]) / units

    limits = percentile_interval(
        [gain(t) for t in clustered_weights(leads.cluster, draws=draws, seed=seed)],
        effective_clusters=leads.effective_accounts,
    )
    return gain(None), limits.lower, limits.upper


@dataclass(frozen=True)
class Bands:
    """The bands of the score and whether they keep what they promise.

    ``rows``: a row a band, best first: ``band``, ``from_probability``, ``n``, ``share`` (of leads), ``promised`` (mean
    predicted probability), ``rate`` (observed) with ``lower`` and ``upper`` (accounts kept together), ``kept`` (True:
    the interval comes within `CLOSE` of the promise; False: it does not; None: too little evidence) and ``reason``.
    """

    rows: pd.DataFrame
    what: str


def band_of(probability: FloatArray, limits: Mapping[str, float]) -> npt.NDArray[np.object_]:
    """Return the band of each probability; what is below all limits is the last band (`last_band`)."""
    found = np.full(len(probability), last_band(limits), dtype=object)
    for band, lower in sorted(limits.items(), key=lambda item: item[1]):
        found[probability >= lower] = band
    return found


def last_band(limits: Mapping[str, float]) -> str:
    """Return the name of the band below all limits: the letter after the last one."""
    return chr(ord(max(limits)) + 1)


def bands(leads: Leads, probability: FloatArray, limits: Mapping[str, float], *, evidence: Evidence) -> Bands:
    """Compare what each band promises with what came of it."""
    band = band_of(probability, limits)
    total = float(leads.weight.sum())
    rows = []
    for name, lower in [*sorted(limits.items(), key=lambda item: -item[1]), (last_band(limits), 0.0)]:
        mine = band == name
        part = leads.only(mine, f"{leads.what} in band {name}") if mine.any() else None
        row: dict[str, object] = {
            "band": name,
            "from_probability": lower,
            "n": 0 if part is None else len(part),
            "share": 0.0 if part is None or not total else float(part.weight.sum()) / total,
            "promised": math.nan,
            "rate": math.nan,
            "lower": math.nan,
            "upper": math.nan,
            "kept": None,
            "reason": "no lead is in it",
        }
        if part is not None and part.weight.sum() > 0:
            weight = leads.weight[mine]
            row["promised"] = float((weight * probability[mine]).sum() / weight.sum())
            row["reason"] = _thin(part, evidence)
            if not row["reason"]:
                rate = share(cluster_sums(part.cluster, part.weight, part.outcome))
                row |= {"rate": rate.value, "lower": rate.lower, "upper": rate.upper}
                promised = float(row["promised"])  # type: ignore[arg-type]
                row["kept"] = bool(rate.lower - CLOSE <= promised <= rate.upper + CLOSE)
        rows.append(row)
    return Bands(pd.DataFrame(rows), leads.what)


def _thin(part: Leads, evidence: Evidence) -> str:
    if len(part) < evidence.minimum_denominator:
        return f"only {len(part)} leads, fewer than {evidence.minimum_denominator}"
    if part.effective_accounts < evidence.minimum_effective_accounts:
        return f"accounts that weigh as much as {part.effective_accounts:.1f} equal ones"
    return ""


def _capacity_threshold(p: FloatArray, weight: FloatArray, places: float) -> float:
    """Return the lowest probability that the capacity still reaches, all weeks together; 0 where it reaches all."""
    order = np.argsort(-p, kind="stable")
    taken = np.cumsum(weight[order])
    beyond = int(np.searchsorted(taken, places, side="right"))
    return 0.0 if beyond >= len(p) else float(p[order][beyond])


def _money(places: Worklist, times: FloatArray | None, value_of_stage: float, cost: float) -> float:
    worked = places.rows.weight_of(times) * places.taken(times)
    return float((worked * (places.rows.outcome * value_of_stage - cost)).sum())
