"""Exports begin on some day: whether exits are missing before it, noticed from the data themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import ibis
from scipy import stats

from smarketing.company.tables import ObservedFrom
from smarketing.measures.incidence import ALL, outcomes
from smarketing.measures.journeys import Durations

IGNORED = 2
"""So many early exits do not count: one wrong date should not hide that a thousand are missing."""

SURE = 1e-4
"""Exits are called missing where so few of them would happen by chance less often than this."""


@dataclass(frozen=True)
class MissingExits:
    """Journeys that began before exits were recorded: how many exits they should have had by then, and had."""

    start: date
    first_entry: date
    expected: float
    seen: int

    def as_observed_from(self, stages: tuple[str, ...]) -> ObservedFrom:
        """Return the cautious treatment: only journeys that began once exits were recorded."""
        return ObservedFrom(stages, self.start, "whole_cohorts", "noticed in the data; the input file does not say")


def missing_exits(durations: Durations) -> MissingExits | None:
    """Return what is missing where exits begin later than the entries explain, else None.

    Journeys that start once exits are recorded say how fast they come. With that speed the earlier ones should have
    left before that day in a number that makes the few seen (a Poisson tail) next to impossible.
    """
    rows = durations.table
    left = rows.filter(rows.exit.notnull())
    gone = (left.started.epoch_seconds() / 86_400).round().cast("int64") + left.last_age
    first = left.mutate(gone=gone).order_by("gone").limit(IGNORED + 1).select("gone").execute()["gone"]
    if len(first) <= IGNORED:
        return None
    start = date(1970, 1, 1) + timedelta(days=int(first.iloc[-1]))
    seen = int((first < first.iloc[-1]).sum())
    later = Durations(rows, durations.to_stage, durations.kinds, durations.as_of).starting(start, durations.as_of)
    found = outcomes(later).get(ALL)
    if found is None:
        return None
    early = (
        rows.filter(rows.started < ibis.timestamp(f"{start} 00:00:00"))
        .group_by("started")
        .aggregate(n=lambda t: t.count())
        .execute()
    )
    expected = 0.0
    for begun, n in zip(early["started"], early["n"], strict=True):
        age = (start - begun.date()).days - 1
        followed = min(age, found.curves.follow_up or 0)
        still_open = found.curves.open_at(followed)
        expected += float(n) * (1 - (1.0 if still_open is None else still_open))
    if not len(early) or stats.poisson.cdf(seen, expected) >= SURE:
        return None
    return MissingExits(start, min(early["started"]).date(), expected, seen)
