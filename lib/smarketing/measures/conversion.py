"""Who converts: conversion to the win, and the time it takes, by a column of whoever enters."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from smarketing.measures.clear import sides
from smarketing.measures.incidence import outcomes, shares, times
from smarketing.measures.journeys import Durations
from smarketing.measures.periods import Period
from smarketing.measures.results import or_nan
from smarketing.measures.scope import breakdown
from smarketing.measures.view import View

OTHER = "All others"


@dataclass(frozen=True)
class Breakdown:
    """Conversion to the win and time to it, by group.

    ``rows``: ``group``, ``n``, ``won``, ``share``, ``lower``, ``upper``, ``reason``, ``days``, ``days_lower``,
    ``days_upper``, ``days_reason``, ``apart`` (1 above the whole, -1 below, all groups asked together); largest share
    first, withheld last, and everybody as the first row. Groups smaller than the smallest group shown are pooled as
    "All others", with the next smallest where the pool is still too small.
    """

    by: str
    rows: pd.DataFrame
    horizon: int
    counted: str
    precision: str
    cohort: Period


def convert_by(view: View, by: str, *, stage: str | None = None) -> Breakdown:
    """Measure conversion to the win, and the time it takes, by a column of whoever enters ``stage``."""
    start = view.definitions.stages.stage(stage) if stage else view.first_stage
    horizon, evidence = view.definitions.windows.funnel_days, view.definitions.evidence
    win = view.definitions.stages.win.stage
    now = view.cohort()
    steps = view.entering(start.stage, win, now)
    grouped = Durations(
        steps.table.mutate(group_of=breakdown(steps.table, by)), win, steps.kinds, steps.as_of, steps.observed_from
    )
    sizes = grouped.table.group_by("group_of").aggregate(n=lambda t: t.count()).execute()
    small = _too_small(sizes.set_index("group_of")["n"], view.definitions.privacy.smallest_group)
    if small:
        pooled = grouped.table.group_of.isin(small).ifelse(OTHER, grouped.table.group_of)
        grouped = Durations(grouped.table.mutate(group_of=pooled), win, steps.kinds, steps.as_of, steps.observed_from)
    frames = []
    for rows, column in ((grouped, None), (grouped, "group_of")):
        found = outcomes(rows, by=column)
        reached = shares(rows, horizons=[horizon], kinds=[win], evidence=evidence, by=column, found=found)
        spent = times(rows, win, horizon=horizon, evidence=evidence, by=column, found=found)
        for share, time in zip(reached, spent, strict=True):
            frames.append(
                {
                    "group": f"All {view.words(start.stage)}" if column is None else view.shown(share.group, by),
                    "n": share.n,
                    "won": share.events,
                    "share": or_nan(share.value),
                    "lower": or_nan(share.lower),
                    "upper": or_nan(share.upper),
                    "reason": share.reason,
                    "days": or_nan(time.value),
                    "days_lower": or_nan(time.lower),
                    "days_upper": or_nan(time.upper),
                    "days_reason": time.reason,
                }
            )
    columns = [
        "group",
        "n",
        "won",
        "share",
        "lower",
        "upper",
        "reason",
        "days",
        "days_lower",
        "days_upper",
        "days_reason",
    ]
    table = pd.DataFrame(frames, columns=columns)
    order = table.iloc[1:].sort_values(["share", "n"], ascending=[False, False], na_position="last")
    order["apart"] = sides(order, "share", "lower", "upper", reference=float(table["share"].iloc[0]))
    return Breakdown(
        by,
        pd.concat([table.iloc[:1], order], ignore_index=True),
        horizon,
        view.words(start.stage),
        view.precision(start.stage),
        steps.covered(now),
    )


def _too_small(sizes: pd.Series, smallest: int) -> list[str]:
    """Return the groups to pool: those below the smallest group shown, and more until the pool itself is not."""
    ascending = sizes.sort_values(kind="stable")
    pooled = int((ascending < smallest).sum())
    while 0 < pooled < len(ascending) and ascending.iloc[:pooled].sum() < smallest:
        pooled += 1
    return [str(group) for group in ascending.index[:pooled]]
