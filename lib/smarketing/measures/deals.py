"""How deals end: the win rate of cohorts by count and by amount, apart, with the closed-only rate beside them.

The closed-only rate (won / (won + lost) among deals closed in a period) is what most dashboards show. It mixes cohorts
and follows how fast losses are closed; the headline is the share of all deals opened that are won in time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import ibis
import pandas as pd

from smarketing.company.tables import CompanyError, ObservedFrom
from smarketing.estimates.clusters import Clustered, ClusterSums, effective_clusters, share
from smarketing.measures.exact import cents, product
from smarketing.measures.incidence import ALL, Share, outcomes, shares, too_thin
from smarketing.measures.journeys import Durations
from smarketing.measures.periods import Period
from smarketing.measures.view import View

MISSING_AMOUNTS = 0.02
"""Rates by amount are withheld where more than this share of the deals has no amount."""


@dataclass(frozen=True)
class WinRates:
    """Win rates of the deals opened in the cohort days.

    ``rates``: a row a way of counting: ``rate`` (by count, by amount, closed only by count, closed only by amount),
    ``label``, ``value``, ``lower``, ``upper``, ``n`` (deals), ``reason`` where withheld. ``ends``: won, lost and still
    open at the horizon, by count and by amount: ``end``, ``by_count``, ``by_amount``.
    """

    rates: pd.DataFrame
    ends: pd.DataFrame
    cohort: Period
    horizon: int
    precision: str
    observed_from: tuple[ObservedFrom, ...]

    def rate(self, name: str) -> pd.Series:
        """Return the row of one way of counting."""
        return self.rates.set_index("rate").loc[name]


def win_rates(view: View) -> WinRates:
    """Measure win rates by count and by amount; `MissingTable` where no deals are mapped."""
    stages = view.definitions.stages
    view.company.table("opportunities")
    first = stages.first_deal_stage
    if first is None:
        raise CompanyError("The definitions have no stage that deals enter. Add one with subject: opportunity.")
    horizon, evidence, now = view.definitions.windows.funnel_days, view.definitions.evidence, view.cohort()
    steps = view.step(first.stage, stages.win.stage).starting(now.start, now.end)
    found = outcomes(steps)
    counted = shares(steps, horizons=[horizon], evidence=evidence, found=found)
    without = without_amount(steps)
    weighed: list[Share] = []
    if not without:
        by_amount = outcomes(steps, weight="amount")
        weighed = shares(steps, horizons=[horizon], evidence=evidence, weight="amount", found=by_amount)
    win = stages.win.stage
    closed = _closed_only(view, now)
    rows = [
        _row("by count", "Of deals opened, by count", _of(counted, win), "no deal was opened in these days"),
        _row("by amount", "Of deals opened, by amount", _of(weighed, win), without),
        closed["count"],
        closed["amount"],
    ]
    ends = pd.DataFrame(
        [
            {"end": stages.label(kind), "by_count": _value(_of(counted, kind)), "by_amount": _value(_of(weighed, kind))}
            for kind in (*steps.kinds, "open")
        ]
    )
    return WinRates(
        pd.DataFrame(rows), ends, steps.covered(now), horizon, view.precision(first.stage), steps.observed_from
    )


def without_amount(steps: Durations) -> str:
    """Say how many deals have no amount, where that is too many to weigh by it; an empty text otherwise."""
    table = steps.table
    counts = (
        table.aggregate(deals=table.count(), known=(table.amount > 0).fill_null(False).ifelse(1, 0).sum())
        .execute()
        .iloc[0]
    )
    deals, missing = int(counts["deals"]), int(counts["deals"] - (counts["known"] or 0))
    if deals and missing / deals > MISSING_AMOUNTS:
        return f"{missing:,} of {deals:,} deals have no amount"
    return "" if deals else "no deal was opened in these days"


def _closed_only(view: View, period: Period) -> dict[str, dict[str, object]]:
    """Won / (won + lost) among the deals that closed in the period, by count and by amount."""
    win = view.definitions.stages.win.stage
    table = view.deals.table
    at = ibis.coalesce(view.deals.reached(win), table.exit_at)
    closed = table.filter(
        at.truncate("D").between(ibis.timestamp(f"{period.start} 00:00:00"), ibis.timestamp(f"{period.end} 00:00:00"))
    )
    won = closed[f"reached_{win}"].notnull().ifelse(1, 0)
    money = cents(closed.amount.fill_null(0.0))
    accounts = closed.group_by("cluster").aggregate(
        n=closed.count().cast("float64"),
        y=won.sum(),
        m=money.sum(),
        w=(won * money).sum(),
        blank=(closed.amount > 0).fill_null(False).ifelse(0, 1).sum(),
    )
    sums = (
        accounts.aggregate(
            clusters=accounts.count(),
            n=accounts.n.sum(),
            n2=(accounts.n * accounts.n).sum(),
            y=accounts.y.sum(),
            y2=product(accounts.y, accounts.y).sum(),
            ny=(accounts.n * accounts.y).sum(),
            paying=(accounts.m > 0).ifelse(1, 0).sum(),
            m=accounts.m.sum(),
            m2=product(accounts.m, accounts.m).sum(),
            w=accounts.w.sum(),
            w2=product(accounts.w, accounts.w).sum(),
            mw=product(accounts.m, accounts.w).sum(),
            blank=accounts.blank.sum(),
        )
        .execute()
        .astype(float)
        .fillna(0.0)
        .iloc[0]
    )
    evidence, n, events = view.definitions.evidence, float(sums["n"]), float(sums["y"])
    reason = too_thin(n=n, effective=effective_clusters(n, sums["n2"]), evidence=evidence)
    # A few large deals can carry a rate of money however many deals there are.
    concentrated = too_thin(n=n, effective=effective_clusters(sums["m"], sums["m2"]), evidence=evidence)
    unweighed = f"{sums['blank']:,.0f} of {n:,.0f} closed deals have no amount"
    gap = unweighed if n and sums["blank"] / n > MISSING_AMOUNTS else concentrated
    by_count = (
        None
        if reason
        else share(
            ClusterSums(
                clusters=int(sums["clusters"]),
                sum_n=n,
                sum_n2=sums["n2"],
                sum_y=events,
                sum_y2=sums["y2"],
                sum_ny=sums["ny"],
            )
        )
    )
    by_amount = (
        None
        if reason or gap
        else share(
            ClusterSums(
                clusters=int(sums["paying"]),
                sum_n=sums["m"],
                sum_n2=sums["m2"],
                sum_y=sums["w"],
                sum_y2=sums["w2"],
                sum_ny=sums["mw"],
            )
        )
    )
    return {
        "count": _closed_row("closed only by count", "Of deals closed, by count", by_count, int(n), reason),
        "amount": _closed_row("closed only by amount", "Of deals closed, by amount", by_amount, int(n), reason or gap),
    }


def _of(several: list[Share], kind: str) -> Share | None:
    return next((share for share in several if share.kind == kind and share.group == ALL), None)


def _value(share: Share | None) -> float:
    return math.nan if share is None or share.value is None else share.value


def _row(rate: str, label: str, share: Share | None, reason: str) -> dict[str, object]:
    if share is None or share.value is None:
        why = share.reason if share else reason
        return {
            "rate": rate,
            "label": label,
            "value": math.nan,
            "lower": math.nan,
            "upper": math.nan,
            "n": share.n if share else 0,
            "reason": why,
        }
    return {
        "rate": rate,
        "label": label,
        "value": share.value,
        "lower": share.lower,
        "upper": share.upper,
        "n": share.n,
        "reason": "",
    }


def _closed_row(rate: str, label: str, found: Clustered | None, n: int, reason: str) -> dict[str, object]:
    value = (math.nan,) * 3 if found is None else (found.value, found.lower, found.upper)
    return {
        "rate": rate,
        "label": label,
        "value": value[0],
        "lower": value[1],
        "upper": value[2],
        "n": n,
        "reason": reason,
    }
