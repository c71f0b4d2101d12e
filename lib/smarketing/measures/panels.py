"""One headline measure over time: its key figure, its weeks and its months."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from smarketing.company.definitions import Kpi
from smarketing.company.targets import Targets
from smarketing.estimates.clusters import ClusterSums, effective_clusters, share
from smarketing.estimates.rates import difference, wilson
from smarketing.estimates.variation import ProcessLimits, process_limits, sum_of_weeks
from smarketing.measures.incidence import too_thin
from smarketing.measures.periods import Period, day
from smarketing.measures.results import KeyFigure, Status, or_nan
from smarketing.measures.tallies import Tally
from smarketing.measures.view import View

LONGEST_GAP = 0.02
"""A sum of amounts is withheld where more than this share of the deals in it has no amount."""


@dataclass(frozen=True)
class Panel:
    """One headline measure over time, counted by ``counted_by`` (leads, deals or accounts).

    ``weeks`` and ``months`` have a row a period, oldest first: ``period``, ``start``, ``end``, ``value``, ``lower``,
    ``upper`` (95 %; NaN for counts and amounts, which are complete), ``n``, ``target``, ``prior_year``. ``figure`` is
    the recent weeks together; ``usual`` the natural limits of a single week, None for rates.
    """

    kpi: Kpi
    counted_by: str
    figure: KeyFigure
    weeks: pd.DataFrame
    months: pd.DataFrame
    usual: ProcessLimits | None


@dataclass(frozen=True)
class _Rate:
    """A rate with its interval; NaN where it is withheld for ``reason``."""

    value: float
    lower: float
    upper: float
    n: int
    reason: str = ""


def sum_panel(view: View, kpi: Kpi, targets: Targets, tally: Tally, unit: str) -> Panel:
    """Build the panel of a count or an amount."""
    laid, money = view.calendar, kpi.kind in ("created", "won")
    column = "y" if money else ("accounts" if unit == "accounts" else "n")
    name = kpi.name if unit != "accounts" else f"{kpi.name}_by_account"
    scope = view.scope.parts
    record = view.on_record(kpi.kind, kpi.stage)

    def known(periods: Sequence[Period], sums: pd.DataFrame) -> list[float]:
        """Values by period; NaN where it is not wholly on record (nothing on record is not nothing) or amounts lack."""
        values = zip(periods, sums.iterrows(), strict=True)
        return [
            float(row[column]) if record.covers(period) and not _no_amounts(row) else math.nan
            for period, (_, row) in values
        ]

    def planned(period: Period) -> float | None:
        """Distinct accounts of a year are not the sum of its days', so a target for them cannot be spread over days."""
        return None if unit == "accounts" else targets.total(name, period.start, period.end, scope)

    def frame(periods: Sequence[Period], sums: pd.DataFrame, ago: Sequence[Period], then: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "period": [p.label for p in periods],
                "start": [p.start for p in periods],
                "end": [p.end for p in periods],
                "value": known(periods, sums),
                "lower": math.nan,
                "upper": math.nan,
                "n": sums["n"].to_numpy(),
                "target": [or_nan(planned(p)) for p in periods],
                "prior_year": known(ago, then),
            }
        )

    recent = tally.weeks.iloc[len(laid.history) :]

    def whole(number: float | None) -> float | None:
        """Round what is counted in whole leads or deals."""
        return number if money or number is None or math.isinf(number) else float(round(number))

    inside = [record.covers(week) for week in (*laid.history, *laid.weeks)]
    weeks_kept = tally.weeks[column].to_numpy()[inside]
    current, prior = tally.windows.iloc[1], tally.windows.iloc[0]
    reason = _no_amounts(current)
    if record.last < laid.current.start:
        reason = f"nothing is on record after {day(record.last)}"
    elif not record.covers(laid.current):
        reason = f"it is on record only from {day(record.complete_from or record.first)}"
    value, lower, upper = float(current[column]), None, None
    if len(weeks_kept) > len(laid.weeks) and not reason:
        spread = sum_of_weeks(weeks_kept, len(laid.weeks))
        # Distinct accounts of several weeks are fewer than the sum of the weeks; their variation shrinks alike.
        factor = value / spread.value if spread.value > 0 else 1.0
        if math.isfinite(spread.upper):
            lower, upper = (
                max(value - (spread.value - spread.lower) * factor, 0.0),
                value + (spread.upper - spread.value) * factor,
            )
    target = whole(planned(laid.current))
    whole_prior = record.covers(laid.prior) and laid.prior.start >= record.first and not _no_amounts(prior)
    change = value - float(prior[column]) if whole_prior and not reason else None
    figure = KeyFigure(
        name=name,
        label=kpi.label if unit != "accounts" else f"{kpi.label}, by account",
        unit="money" if money else "count",
        value=None if reason else value,
        lower=None if reason else whole(lower),
        upper=None if reason else whole(upper),
        interval="The interval is what week-to-week variation alone explains.",
        n=int(current["accounts" if unit == "accounts" else "n"]),
        n_label=unit if not money else "deals",
        period=laid.current.label,
        higher_is_better=kpi.higher_is_better,
        maturity="final",
        status="withheld" if reason else _status(value, lower, upper, target, kpi, relative=True),
        target=target,
        prior=float(prior[column]) if whole_prior else None,
        prior_label=laid.prior.label,
        change=change,
        currency=view.definitions.money.reporting_currency if money else "",
        series=tuple(None if math.isnan(v) else v for v in known(laid.months, tally.months)),
        series_label=f"single months, {laid.months[0].label} to {laid.months[-1].label}",
        reason=reason,
    )
    usual = process_limits(weeks_kept[: -len(laid.weeks)]) if len(weeks_kept) > len(laid.weeks) + 8 else None
    return Panel(
        kpi,
        unit,
        figure,
        frame(laid.weeks, recent, laid.weeks_last_year, tally.weeks_last_year),
        frame(laid.months, tally.months, laid.months_last_year, tally.months_last_year),
        usual,
    )


def rate_panel(view: View, kpi: Kpi, targets: Targets, tally: Tally, unit: str, since: date | None) -> Panel:
    """Build the panel of a share of those whose days are complete, by lead (clustered by account) or by account.

    Periods that hold entries from before ``since``, when exits began to be recorded, are left out.
    """
    laid, scope, lag = view.calendar, view.scope.parts, int(kpi.within_days or 0)

    def cut(period: Period) -> bool:
        return since is not None and period.earlier(lag).start < since

    name = kpi.name if unit != "accounts" else f"{kpi.name}_by_account"

    def estimate(sums: pd.Series) -> _Rate:
        by_account = unit == "accounts"
        n, events = (sums["accounts"], sums["accounts_reached"]) if by_account else (sums["n"], sums["y"])
        effective = n if by_account else effective_clusters(sums["n"], sums["n2"])
        reason = too_thin(n=n, effective=effective, evidence=view.definitions.evidence)
        if reason:
            return _Rate(math.nan, math.nan, math.nan, int(n), reason)
        if by_account:
            alone = wilson(events, n)
            return _Rate(alone.value, alone.lower, alone.upper, int(n))
        together = share(
            ClusterSums(
                clusters=int(sums["accounts"]),
                sum_n=n,
                sum_n2=sums["n2"],
                sum_y=events,
                sum_y2=sums["y2"],
                sum_ny=sums["ny"],
            )
        )
        return _Rate(together.value, together.lower, together.upper, int(n))

    def rates(periods: Sequence[Period], sums: pd.DataFrame) -> list[_Rate]:
        gone = _Rate(math.nan, math.nan, math.nan, 0, "it is not wholly on record")
        pairs = zip(periods, sums.iterrows(), strict=True)
        return [gone if cut(period) else estimate(row) for period, (_, row) in pairs]

    def frame(periods: Sequence[Period], sums: pd.DataFrame, ago: Sequence[Period], then: pd.DataFrame) -> pd.DataFrame:
        rows = rates(periods, sums)
        return pd.DataFrame(
            {
                "period": [p.label for p in periods],
                "start": [p.start for p in periods],
                "end": [p.end for p in periods],
                "value": [r.value for r in rows],
                "lower": [r.lower for r in rows],
                "upper": [r.upper for r in rows],
                "n": [r.n for r in rows],
                "target": [or_nan(targets.level(name, p.start, p.end, scope)) for p in periods],
                "prior_year": [rate.value for rate in rates(ago, then)],
            }
        )

    before, now = rates([laid.prior, laid.current], tally.windows)
    shown, compared = not now.reason, not now.reason and not before.reason
    target = targets.level(name, laid.current.start, laid.current.end, scope)
    change = difference(now, before) if compared else None
    months = frame(laid.months, tally.months, laid.months_last_year, tally.months_last_year)
    weeks = frame(laid.weeks, tally.weeks.iloc[len(laid.history) :], laid.weeks_last_year, tally.weeks_last_year)
    started = laid.current.earlier(lag)
    figure = KeyFigure(
        name=name,
        label=kpi.label if unit != "accounts" else f"{kpi.label}, by account",
        unit="share",
        value=now.value if shown else None,
        lower=now.lower if shown else None,
        upper=now.upper if shown else None,
        interval=view.precision(str(kpi.stage)) if unit != "accounts" else "95% intervals are Wilson's, of accounts.",
        n=now.n,
        n_label=unit,
        period=f"entered {day(started.start)} to {day(started.end)}",
        higher_is_better=kpi.higher_is_better,
        maturity="final",
        status="withheld" if not shown else _status(now.value, now.lower, now.upper, target, kpi, relative=False),
        target=target,
        prior=before.value if compared else None,
        prior_label=laid.prior.label,
        change=change.value if change else None,
        change_lower=change.lower if change else None,
        change_upper=change.upper if change else None,
        series=tuple(None if np.isnan(v) else float(v) for v in months["value"]),
        series_label=f"single months, {laid.months[0].label} to {laid.months[-1].label}",
        reason=now.reason,
    )
    return Panel(kpi, unit, figure, weeks, months, None)


def _status(
    value: float, lower: float | None, upper: float | None, target: float | None, kpi: Kpi, *, relative: bool
) -> Status:
    """Compare with target by the interval; one that is not known is boundless.

    Ahead or behind: it lies wholly beyond the target, by more than the tolerance. On target: it lies wholly within the
    tolerance, or beyond the target by no more than that. Otherwise too close to call.
    """
    if target is None:
        return "no target"
    low, high = (-math.inf if lower is None else lower), (math.inf if upper is None else upper)
    tolerance = kpi.tolerance * (abs(target) if relative else 1)
    if low > target or high < target:
        better = (value > target) == kpi.higher_is_better
        return "on target" if abs(value - target) <= tolerance else "ahead" if better else "behind"
    return "on target" if low >= target - tolerance and high <= target + tolerance else "too close to call"


def _no_amounts(sums: pd.Series) -> str:
    """Say how many deals have no amount where that is too many for a sum; an empty text for counts."""
    if sums["n"] and sums["blank"] / sums["n"] > LONGEST_GAP:
        return f"{sums['blank']:,.0f} of {sums['n']:,.0f} deals have no amount"
    return ""
