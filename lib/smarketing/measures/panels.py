"""One headline measure over time: its key figure, its weeks and its months."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
    stopped = _stopped(view, tally, column)

    def known(periods: Sequence[Period], sums: pd.DataFrame) -> list[float]:
        """Values by period; NaN where the data end before it (nothing on record is not nothing) or amounts lack."""
        gone = [stopped is not None and period.start > stopped.end for period in periods]
        values = zip(gone, sums.iterrows(), strict=True)
        return [math.nan if after or _no_amounts(row) else float(row[column]) for after, (_, row) in values]

    def frame(periods: Sequence[Period], sums: pd.DataFrame, year_ago: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "period": [p.label for p in periods],
                "start": [p.start for p in periods],
                "end": [p.end for p in periods],
                "value": known(periods, sums),
                "lower": math.nan,
                "upper": math.nan,
                "n": sums["n"].to_numpy(),
                "target": [or_nan(targets.total(name, p.start, p.end, scope)) for p in periods],
                "prior_year": [
                    float(row[column]) if row["n"] and not _no_amounts(row) else math.nan
                    for _, row in year_ago.iterrows()
                ],
            }
        )

    recent = tally.weeks.iloc[len(laid.history) :]

    def whole(number: float | None) -> float | None:
        """Round what is counted in whole leads or deals."""
        return number if money or number is None or math.isinf(number) else float(round(number))

    series = tally.weeks[column].to_numpy()
    first = np.argmax(series > 0) if (series > 0).any() else len(series)
    weeks_kept = series[first:]
    current, prior = tally.windows.iloc[1], tally.windows.iloc[0]
    reason = f"nothing is on record after {stopped.label}" if stopped else _no_amounts(current)
    value, lower, upper = float(current[column]), None, None
    if len(weeks_kept) > len(laid.weeks):
        spread = sum_of_weeks(weeks_kept, len(laid.weeks))
        # Distinct accounts of several weeks are fewer than the sum of the weeks; their variation shrinks alike.
        factor = value / spread.value if spread.value > 0 else 1.0
        lower, upper = (
            max(value - (spread.value - spread.lower) * factor, 0.0),
            value + (spread.upper - spread.value) * factor,
        )
    target = targets.total(name, laid.current.start, laid.current.end, scope)
    target = whole(target)
    whole_prior = bool(prior["n"] > 0) and len(weeks_kept) >= 2 * len(laid.weeks) and not _no_amounts(prior)
    change = value - float(prior[column]) if whole_prior and not reason else None
    half = None if lower is None or upper is None else (upper - value) * math.sqrt(2)
    figure = KeyFigure(
        name=name,
        label=kpi.label if unit != "accounts" else f"{kpi.label}, by account",
        unit="money" if money else "count",
        value=None if reason else value,
        lower=None if reason else whole(lower),
        upper=None if reason else whole(upper),
        interval="The interval is what week-to-week variation alone explains.",
        n=int(current["n"]),
        n_label=unit if not money else "deals",
        period=laid.current.label,
        higher_is_better=kpi.higher_is_better,
        maturity="final",
        status="withheld" if reason else _status(value, lower, upper, target, kpi, relative=True),
        target=target,
        prior=float(prior[column]) if whole_prior else None,
        prior_label=laid.prior.label,
        change=change,
        change_lower=None if change is None or half is None else whole(change - half),
        change_upper=None if change is None or half is None else whole(change + half),
        currency=view.definitions.money.reporting_currency if money else "",
        series=tuple(None if math.isnan(v) else v for v in known(laid.months, tally.months)),
        series_label=f"{len(laid.months)} months to {laid.months[-1].label}",
        reason=reason,
    )
    usual = process_limits(weeks_kept[: -len(laid.weeks)]) if len(weeks_kept) > len(laid.weeks) + 8 else None
    return Panel(
        kpi,
        unit,
        figure,
        frame(laid.weeks, recent, tally.weeks_last_year),
        frame(laid.months, tally.months, tally.months_last_year),
        usual,
    )


def rate_panel(view: View, kpi: Kpi, targets: Targets, tally: Tally, unit: str) -> Panel:
    """Build the panel of a share of those whose days are complete, by lead (clustered by account) or by account."""
    laid, scope = view.calendar, view.scope.parts
    name = kpi.name if unit != "accounts" else f"{kpi.name}_by_account"

    def estimate(sums: pd.Series) -> _Rate:
        by_account = unit == "accounts"
        n, events = (sums["accounts"], sums["accounts_reached"]) if by_account else (sums["n"], sums["y"])
        effective = n if by_account else effective_clusters(sums["n"], sums["n2"])
        reason = too_thin(n=n, events=events, effective=effective, evidence=view.definitions.evidence)
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

    def frame(periods: Sequence[Period], sums: pd.DataFrame, year_ago: pd.DataFrame) -> pd.DataFrame:
        rows = [estimate(row) for _, row in sums.iterrows()]
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
                "prior_year": [estimate(row).value for _, row in year_ago.iterrows()],
            }
        )

    now, before = estimate(tally.windows.iloc[1]), estimate(tally.windows.iloc[0])
    shown, compared = not now.reason, not now.reason and not before.reason
    target = targets.level(name, laid.current.start, laid.current.end, scope)
    change = difference(now, before) if compared else None
    months = frame(laid.months, tally.months, tally.months_last_year)
    shift = int(kpi.within_days or 0)
    started = Period(laid.current.start, laid.current.end, "").earlier(shift)
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
        period=f"started {day(started.start)} to {day(started.end)}",
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
        series_label=f"{len(laid.months)} months to {laid.months[-1].label}",
        reason=now.reason,
    )
    return Panel(
        kpi, unit, figure, frame(laid.weeks, tally.weeks.iloc[len(laid.history) :], tally.weeks_last_year), months, None
    )


def _status(
    value: float, lower: float | None, upper: float | None, target: float | None, kpi: Kpi, *, relative: bool
) -> Status:
    """Compare with target: ahead or behind only where the interval lies beyond it."""
    if target is None:
        return "no target"
    low, high = (value if lower is None else lower), (value if upper is None else upper)
    if low > target or high < target:
        better = (value > target) == kpi.higher_is_better
        within = abs(value - target) <= kpi.tolerance * (abs(target) if relative else 1)
        return "on target" if within else "ahead" if better else "behind"
    return (
        "on target" if abs(value - target) <= kpi.tolerance * (abs(target) if relative else 1) else "too close to call"
    )


def _no_amounts(sums: pd.Series) -> str:
    """Say how many deals have no amount where that is too many for a sum; an empty text for counts."""
    if sums["n"] and sums["blank"] / sums["n"] > LONGEST_GAP:
        return f"{sums['blank']:,.0f} of {sums['n']:,.0f} deals have no amount"
    return ""


def _stopped(view: View, tally: Tally, column: str) -> Period | None:
    """Return the last month with anything on record, where the window is empty because the data end before it."""
    if tally.windows[column].iloc[1] > 0 or not tally.months[column].gt(0).any():
        return None
    last = view.calendar.months[int(tally.months.index[tally.months[column] > 0].max())]
    return last if last.end < view.calendar.current.start else None
