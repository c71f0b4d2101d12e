"""The headline figures: what enters, how much of it is good, how much of it closes, and what it is worth.

Every figure is counted by lead or deal and by account, for the recent weeks together, the weeks and months one by one,
and a year earlier. A rate's period holds those whose days are complete in it, so no point on a chart is provisional.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from smarketing.company.definitions import Kpi
from smarketing.company.tables import MissingTable
from smarketing.company.targets import Targets
from smarketing.estimates.clusters import ClusterSums, effective_clusters, share
from smarketing.estimates.rates import difference, wilson
from smarketing.estimates.variation import ProcessLimits, process_limits, sum_of_weeks
from smarketing.measures.incidence import too_thin
from smarketing.measures.periods import Period, day, which
from smarketing.measures.results import KeyFigure, Status
from smarketing.measures.scope import Subject
from smarketing.measures.view import View

COUNTED_BY = {"lead": "leads", "opportunity": "deals"}
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
class Headline:
    """The panels of all headline measures, and the measures that could not be made, with the reason."""

    panels: tuple[Panel, ...]
    not_applicable: tuple[tuple[str, str], ...]

    @property
    def figures(self) -> tuple[KeyFigure, ...]:
        """Every key figure, those counted by lead or deal first."""
        by_row = [p.figure for p in self.panels if p.counted_by != "accounts"]
        return tuple(by_row + [p.figure for p in self.panels if p.counted_by == "accounts"])

    @property
    def first_page(self) -> tuple[KeyFigure, ...]:
        """The figures of the first page: counted by lead or deal."""
        return tuple(panel.figure for panel in self.panels if panel.counted_by != "accounts")

    def panels_by(self, accounts: bool) -> tuple[Panel, ...]:
        """The panels counted by account, or by lead and deal."""
        return tuple(panel for panel in self.panels if (panel.counted_by == "accounts") == accounts)


def headline(view: View, targets: Targets) -> Headline:
    """Measure every headline figure of the definitions; those whose table is missing are named, not dropped."""
    panels: list[Panel] = []
    missing: list[tuple[str, str]] = []
    for kpi in view.definitions.kpis.figures:
        try:
            panels += _panels(view, kpi, targets)
        except MissingTable as error:
            missing.append((kpi.label, str(error)))
    kinds = {kpi.panel for kpi in view.definitions.kpis.figures}
    for panel in ("lead flow", "lead quality", "close rate"):
        if panel not in kinds:
            missing.append((panel.capitalize(), "the definitions name no figure for it"))
    return Headline(tuple(panels), tuple(missing))


def _panels(view: View, kpi: Kpi, targets: Targets) -> list[Panel]:
    if kpi.kind in ("created", "won"):
        deals = view.deals.table
        won = view.deals.reached(view.definitions.stages.win.stage)
        first = view.definitions.stages.first_deal_stage
        at = won if kpi.kind == "won" else view.deals.reached(first.stage)  # type: ignore[union-attr]
        return [_sum_panel(view, kpi, targets, _tally(view, deals, at, deals.amount), "deals")]
    stage = str(kpi.stage)
    subject: Subject = view.subject(stage)
    if kpi.kind == "entries":
        journeys = view.journeys(stage)
        tally = _tally(view, journeys.table, journeys.reached(stage), None)
        return [_sum_panel(view, kpi, targets, tally, unit) for unit in (COUNTED_BY[subject], "accounts")]
    steps = view.step(stage, str(kpi.to_stage))
    rows = steps.table
    if steps.observed_from is not None:
        rows = rows.filter(rows.started >= ibis.timestamp(f"{steps.observed_from.start} 00:00:00"))
    hit = ((rows.exit == steps.to_stage).fill_null(False) & (rows.last_age <= kpi.within_days)).ifelse(1.0, 0.0)
    tally = _tally(view, rows, rows.started, hit, lag=int(kpi.within_days or 0))
    return [_rate_panel(view, kpi, targets, tally, unit) for unit in (COUNTED_BY[subject], "accounts")]


@dataclass(frozen=True)
class _Tally:
    """Sums over accounts by period, for each of the four lists of periods that do not overlap."""

    weeks: pd.DataFrame
    weeks_last_year: pd.DataFrame
    months: pd.DataFrame
    months_last_year: pd.DataFrame
    windows: pd.DataFrame


@dataclass(frozen=True)
class _Rate:
    """A rate with its interval; NaN where it is withheld for ``reason``."""

    value: float
    lower: float
    upper: float
    n: int
    reason: str = ""


def _tally(view: View, rows: ir.Table, at: ir.TimestampValue, value: ir.NumericValue | None, *, lag: int = 0) -> _Tally:
    """Add up rows (and ``value``) by account and period in the engine; every period has a row.

    With a lag of so many days a period holds the rows that started that much earlier.
    """
    laid = view.calendar
    marked = rows.select("cluster", at=at, value=ibis.literal(1.0) if value is None else value.cast("float64"))

    def by(periods: Sequence[Period]) -> pd.DataFrame:
        starts = [period.earlier(lag) for period in periods]
        known = marked.mutate(period=which(marked["at"], starts)).filter(lambda t: t.period.notnull())
        accounts = known.group_by("period", "cluster").aggregate(
            n=known.count().cast("float64"), y=known.value.sum().fill_null(0.0), blank=known.value.isnull().sum()
        )
        sums = (
            accounts.group_by("period")
            .aggregate(
                accounts=accounts.count(),
                accounts_reached=(accounts.y > 0).sum(),
                n=accounts.n.sum(),
                n2=(accounts.n * accounts.n).sum(),
                y=accounts.y.sum(),
                y2=(accounts.y * accounts.y).sum(),
                ny=(accounts.n * accounts.y).sum(),
                blank=accounts.blank.sum(),
            )
            .execute()
        )
        return sums.set_index("period").reindex(range(len(periods)), fill_value=0).astype(float)

    return _Tally(
        weeks=by([*laid.history, *laid.weeks]),
        weeks_last_year=by(laid.weeks_last_year),
        months=by(laid.months),
        months_last_year=by(laid.months_last_year),
        windows=by([laid.prior, laid.current]),
    )


def _sum_panel(view: View, kpi: Kpi, targets: Targets, tally: _Tally, unit: str) -> Panel:
    """Build the panel of a count or an amount."""
    laid, money = view.calendar, kpi.kind in ("created", "won")
    column = "y" if money else ("accounts" if unit == "accounts" else "n")
    name = kpi.name if unit != "accounts" else f"{kpi.name}_by_account"
    scope = view.scope.parts

    def frame(periods: Sequence[Period], sums: pd.DataFrame, year_ago: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "period": [p.label for p in periods],
                "start": [p.start for p in periods],
                "end": [p.end for p in periods],
                "value": sums[column].to_numpy(),
                "lower": math.nan,
                "upper": math.nan,
                "n": sums["n"].to_numpy(),
                "target": [_or_nan(targets.total(name, p.start, p.end, scope)) for p in periods],
                "prior_year": np.where(year_ago["n"] > 0, year_ago[column], math.nan),
            }
        )

    recent = tally.weeks.iloc[len(laid.history) :]
    series = tally.weeks[column].to_numpy()
    first = np.argmax(series > 0) if (series > 0).any() else len(series)
    weeks_kept = series[first:]
    current, prior = tally.windows.iloc[1], tally.windows.iloc[0]
    reason = _no_amounts(current, kpi) if money else ""
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
    target = round(target) if target is not None and not money else target
    whole_prior = bool(prior["n"] > 0) and len(weeks_kept) >= 2 * len(laid.weeks)
    change = value - float(prior[column]) if whole_prior and not reason else None
    half = None if lower is None or upper is None else (upper - value) * math.sqrt(2)
    figure = KeyFigure(
        name=name,
        label=kpi.label if unit != "accounts" else f"{kpi.label}, by account",
        unit="money" if money else "count",
        value=None if reason else value,
        lower=None if reason else lower,
        upper=None if reason else upper,
        interval="range that week-to-week variation alone explains",
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
        change_lower=None if change is None or half is None else change - half,
        change_upper=None if change is None or half is None else change + half,
        currency=view.definitions.money.reporting_currency if money else "",
        series=tuple(float(v) for v in tally.months[column]),
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


def _rate_panel(view: View, kpi: Kpi, targets: Targets, tally: _Tally, unit: str) -> Panel:
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
                "target": [_or_nan(targets.level(name, p.start, p.end, scope)) for p in periods],
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
        interval="95% interval, accounts kept together" if unit != "accounts" else "95% interval (Wilson)",
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


def _no_amounts(sums: pd.Series, kpi: Kpi) -> str:
    if sums["n"] and sums["blank"] / sums["n"] > LONGEST_GAP:
        return f"{sums['blank']:,.0f} of {sums['n']:,.0f} deals have no amount"
    return ""


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
