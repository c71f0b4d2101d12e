"""The one funnel: what becomes of everybody who enters it, step by step, with time and loss at each.

Shares are cumulative incidences within the funnel days of the definitions: journeys that are still too young count for
as long as they have been followed, and competing exits (lost, rejected, recycled) are exits, not delays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from smarketing.company.definitions import Stage
from smarketing.company.tables import ObservedFrom
from smarketing.estimates.rates import difference
from smarketing.measures.incidence import ALL, Share, TimeTo, outcomes, shares, times
from smarketing.measures.journeys import Durations
from smarketing.measures.periods import Period, day
from smarketing.measures.scope import breakdown
from smarketing.measures.view import View, has_step


@dataclass(frozen=True)
class Funnel:
    """The funnel of one cohort.

    ``stages``: a row a stage, in order: ``stage``, ``label``, ``count`` (journeys that reached it within the funnel
    days so far), ``share`` with ``share_lower`` and ``share_upper`` (of all that entered), and the step from the stage
    before: ``step_n``, ``step_rate``, ``step_lower``, ``step_upper``, ``step_change`` against the cohort before with
    ``change_lower`` and ``change_upper``, ``step_reason`` where withheld. ``exits``: a row each way of ending within
    the funnel days, the win first and "Still open" last: ``exit``, ``label``, ``share``, ``lower``, ``upper``,
    ``reason``; point shares of all ends add to 1. ``curves``: ``line``, ``stage``, ``age``, ``share``: cumulative
    incidence by day. ``timing``: a row a stage: ``days_to_half``, ``lower``, ``upper``, ``days_to_most`` (75 %) of
    those who get there within the funnel days, ``reason``.
    """

    stages: pd.DataFrame
    exits: pd.DataFrame
    curves: pd.DataFrame
    timing: pd.DataFrame
    cohort: Period
    horizon: int
    n: int
    clusters: int
    counted: str
    naive: float
    independent_error: float | None
    observed_from: ObservedFrom | None

    @property
    def won(self) -> pd.Series:
        """The row of the win among the exits."""
        return self.exits.iloc[0]

    @property
    def weakest(self) -> pd.Series | None:
        """The step with the lowest rate that is shown, or None."""
        steps = self.stages.iloc[1:].dropna(subset=["step_rate"])
        return None if steps.empty else steps.loc[steps["step_rate"].idxmin()]

    @property
    def moved(self) -> pd.Series | None:
        """The step whose change against the cohort before is furthest from zero in standard errors, if any is real."""
        steps = self.stages.dropna(subset=["step_change"])
        real = steps[(steps["change_lower"] > 0) | (steps["change_upper"] < 0)]
        if real.empty:
            return None
        size = real["step_change"].abs() / (real["change_upper"] - real["change_lower"])
        return real.loc[size.idxmax()]


@dataclass(frozen=True)
class Breakdown:
    """Conversion to the win and time to it, by group.

    ``rows``: ``group``, ``n``, ``won``, ``share``, ``lower``, ``upper``, ``reason``, ``days``, ``days_lower``,
    ``days_upper``, ``days_reason``; largest share first, withheld last, and ``all`` as the first row. Groups smaller
    than the smallest group shown are pooled as "Other".
    """

    by: str
    rows: pd.DataFrame
    horizon: int
    counted: str
    cohort: Period


def first_stage(view: View) -> Stage:
    """Return the funnel's first stage that the company's tables record."""
    funnel = view.definitions.stages.funnel
    found = next((stage for stage in funnel if not has_step(view, stage.stage)), None)
    if found is None:
        view.company.table("leads` or `opportunities")
    assert found is not None
    return found


def funnel(view: View) -> Funnel:
    """Measure the funnel of everybody who entered in the cohort days to the as-of day."""
    stages = view.definitions.stages
    first = first_stage(view)
    names = [stage.stage for stage in stages.funnel]
    tail = names[names.index(first.stage) :]
    horizon, evidence = view.definitions.windows.funnel_days, view.definitions.evidence
    now, rows, curves, timing = view.cohort(), [], [], []
    whole: Durations | None = None
    for name in tail:
        label = stages.label(name)
        if name == first.stage:
            continue
        steps = _entering(view, first.stage, name, now)
        whole = steps
        found = outcomes(steps)
        if not found:
            break
        one = found[ALL]
        reached = shares(steps, horizons=[horizon], kinds=[name], evidence=evidence, found=found)[0]
        rows.append(
            {"stage": name, "label": label, "count": reached.events, **_named(reached, "share")}
            | _step(view, tail[tail.index(name) - 1], name)
        )
        for age in range(horizon + 1):
            at = one.curves.at(name, age)
            if at is not None:
                curves.append({"line": label, "stage": name, "age": age, "share": at})
        half = times(steps, name, horizon=horizon, evidence=evidence, found=found)[0]
        most = one.curves.time_to_share(name, 0.75, horizon) if half.value is not None else None
        timing.append({"stage": name, "label": label, **_days(half), "days_to_most": _nan(most)})
    assert whole is not None
    ends = outcomes(whole)
    n = ends[ALL].n if ends else 0
    exits = shares(whole, horizons=[horizon], evidence=evidence, found=ends) if ends else []
    start = {
        "stage": first.stage,
        "label": first.label,
        "count": n,
        "share": 1.0 if n else math.nan,
        "share_lower": math.nan,
        "share_upper": math.nan,
        "reason": "",
    }
    won = next((s for s in exits if s.kind == whole.to_stage), None)
    return Funnel(
        stages=pd.DataFrame([start, *rows]).reindex(columns=[*start, *STEP]),
        exits=pd.DataFrame(
            [
                {
                    "exit": s.kind,
                    "label": stages.label(s.kind),
                    "share": _nan(_point(ends, s)),
                    "lower": _nan(s.lower),
                    "upper": _nan(s.upper),
                    "events": s.events,
                    "reason": s.reason,
                }
                for s in exits
            ],
            columns=["exit", "label", "share", "lower", "upper", "events", "reason"],
        ),
        curves=pd.DataFrame(curves, columns=["line", "stage", "age", "share"]),
        timing=pd.DataFrame(
            timing, columns=["stage", "label", "days_to_half", "lower", "upper", "reason", "days_to_most"]
        ),
        cohort=_kept_cohort(whole, now),
        horizon=horizon,
        n=n,
        clusters=won.clusters if won else 0,
        counted=view.words(first.stage),
        naive=won.events / n if won and n else math.nan,
        independent_error=won.independent_standard_error if won else None,
        observed_from=whole.observed_from,
    )


def convert_by(view: View, by: str, *, stage: str | None = None) -> Breakdown:
    """Measure conversion to the win, and the time it takes, by a column of whoever enters ``stage``."""
    start = view.definitions.stages.stage(stage) if stage else first_stage(view)
    horizon, evidence = view.definitions.windows.funnel_days, view.definitions.evidence
    win = view.definitions.stages.win.stage
    now = view.cohort()
    steps = _entering(view, start.stage, win, now)
    grouped = Durations(
        steps.table.mutate(group_of=breakdown(steps.table, by)), win, steps.kinds, steps.as_of, steps.observed_from
    )
    sizes = grouped.table.group_by("group_of").aggregate(n=lambda t: t.count()).execute()
    small = sorted(sizes.loc[sizes["n"] < view.definitions.privacy.smallest_group, "group_of"])
    if small:
        pooled = grouped.table.group_of.isin(small).ifelse("Other", grouped.table.group_of)
        grouped = Durations(grouped.table.mutate(group_of=pooled), win, steps.kinds, steps.as_of, steps.observed_from)
    frames = []
    for rows, column in ((grouped, None), (grouped, "group_of")):
        found = outcomes(rows, by=column)
        reached = shares(rows, horizons=[horizon], kinds=[win], evidence=evidence, by=column, found=found)
        spent = times(rows, win, horizon=horizon, evidence=evidence, by=column, found=found)
        for share, time in zip(reached, spent, strict=True):
            frames.append(
                {
                    "group": view.shown(share.group, by),
                    "n": share.n,
                    "won": share.events,
                    **_named(share, "share"),
                    "days": _nan(time.value),
                    "days_lower": _nan(time.lower),
                    "days_upper": _nan(time.upper),
                    "days_reason": time.reason,
                }
            )
    columns = [
        "group",
        "n",
        "won",
        "share",
        "share_lower",
        "share_upper",
        "reason",
        "days",
        "days_lower",
        "days_upper",
        "days_reason",
    ]
    table = pd.DataFrame(frames, columns=columns).rename(columns={"share_lower": "lower", "share_upper": "upper"})
    order = table.iloc[1:].sort_values(["share", "n"], ascending=[False, False], na_position="last")
    return Breakdown(
        by,
        pd.concat([table.iloc[:1], order], ignore_index=True),
        horizon,
        view.words(start.stage),
        _kept_cohort(steps, now),
    )


STEP = ("step_n", "step_rate", "step_lower", "step_upper", "step_reason", "step_change", "change_lower", "change_upper")


def _step(view: View, stage: str, to_stage: str) -> dict[str, object]:
    """Measure the step from one stage to the next on its own clock, now and for the cohort before."""
    horizon, evidence = view.definitions.windows.funnel_days, view.definitions.evidence
    now, before = (
        next(
            iter(
                shares(
                    _entering(view, stage, to_stage, view.cohort(back)),
                    horizons=[horizon],
                    kinds=[to_stage],
                    evidence=evidence,
                )
            ),
            None,
        )
        for back in (0, 1)
    )
    row: dict[str, object] = dict.fromkeys(STEP, math.nan) | {"step_n": 0, "step_reason": "nobody entered"}
    if now is None:
        return row
    row |= {
        "step_n": now.n,
        "step_rate": _nan(now.value),
        "step_lower": _nan(now.lower),
        "step_upper": _nan(now.upper),
        "step_reason": now.reason,
    }
    if before is not None and now.value is not None and before.value is not None:
        change = difference(now, before)  # type: ignore[arg-type]  # both are shown, so neither is None
        row |= {"step_change": change.value, "change_lower": change.lower, "change_upper": change.upper}
    return row


def _entering(view: View, stage: str, to_stage: str, period: Period) -> Durations:
    return view.step(stage, to_stage).starting(period.start, period.end)


def _kept_cohort(steps: Durations, period: Period) -> Period:
    """The days that the cohort really covers where earlier ones had to be left out."""
    truncated = steps.observed_from
    if truncated is None or truncated.treatment != "whole_cohorts" or truncated.start <= period.start:
        return period
    return Period(truncated.start, period.end, f"{day(truncated.start)} to {day(period.end)}")


def _point(found: dict, share: Share) -> float | None:
    """The point share even where its interval is withheld, so that all ends add up; None where nothing is known."""
    curves = found[ALL].curves
    return curves.open_at(share.horizon) if share.kind == "open" else curves.at(share.kind, share.horizon)


def _named(share: Share, name: str) -> dict[str, object]:
    return {
        name: _nan(share.value),
        f"{name}_lower": _nan(share.lower),
        f"{name}_upper": _nan(share.upper),
        "reason": share.reason,
    }


def _days(time: TimeTo) -> dict[str, object]:
    return {
        "days_to_half": _nan(time.value),
        "lower": _nan(time.lower),
        "upper": _nan(time.upper),
        "reason": time.reason,
    }


def _nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
