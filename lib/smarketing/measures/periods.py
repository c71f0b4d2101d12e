"""Weeks, months and windows of a report: complete periods that end on or before the as-of day."""

from __future__ import annotations

import calendar as months
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir

from smarketing.company.definitions import Definitions


@dataclass(frozen=True)
class Period:
    """Days from ``start`` to ``end``, both included, and how the period is called."""

    start: date
    end: date
    label: str

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days + 1

    def earlier(self, days: int, label: str | None = None) -> Period:
        """The same length, so many days earlier."""
        shift = timedelta(days=days)
        return Period(self.start - shift, self.end - shift, label or self.label)


@dataclass(frozen=True)
class Calendar:
    """The periods of a report as of a day: recent complete weeks, trailing complete months, and windows of weeks.

    ``current`` is the recent weeks together, ``prior`` as many weeks before them. Only complete weeks and months
    count. A year earlier is 364 days for weeks, so that weekdays match, and the same month for months.
    """

    as_of: date
    weeks: tuple[Period, ...]
    months: tuple[Period, ...]
    current: Period
    prior: Period
    history: tuple[Period, ...]

    @property
    def weeks_last_year(self) -> tuple[Period, ...]:
        """The same weeks 364 days earlier."""
        return tuple(week.earlier(364) for week in self.weeks)

    @property
    def months_last_year(self) -> tuple[Period, ...]:
        """The same months a year earlier."""
        return tuple(_month(m.start.year - 1, m.start.month) for m in self.months)


def calendar(as_of: date, definitions: Definitions, *, history_weeks: int = 26) -> Calendar:
    """Lay out the periods as of a day. ``history`` are the weeks before the current window, for the usual range."""
    recent = definitions.windows.recent_weeks
    last_weekday = 6 if definitions.calendar.week_starts == "monday" else 5
    end = as_of - timedelta(days=(as_of.weekday() - last_weekday) % 7)
    weeks = tuple(_week(end - timedelta(days=7 * k)) for k in reversed(range(recent)))
    history = tuple(_week(weeks[0].start - timedelta(days=1 + 7 * k)) for k in reversed(range(history_weeks)))
    current = Period(weeks[0].start, end, f"{recent} weeks to {day(end)}")
    prior = current.earlier(7 * recent, f"the {recent} weeks before")
    complete = as_of if (as_of + timedelta(days=1)).day == 1 else as_of.replace(day=1) - timedelta(days=1)
    trail, year, month = [], complete.year, complete.month
    for _ in range(definitions.windows.trend_months):
        trail.append(_month(year, month))
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return Calendar(as_of, weeks, tuple(reversed(trail)), current, prior, history)


def which(days: ir.TimestampValue, periods: Sequence[Period]) -> ir.IntegerValue:
    """Return the position of the period that a time lies in, NULL outside all of them; periods do not overlap."""
    at = days.truncate("D")
    return ibis.cases(
        *(
            ((at >= ibis.timestamp(f"{p.start} 00:00:00")) & (at <= ibis.timestamp(f"{p.end} 00:00:00")), i)
            for i, p in enumerate(periods)
        ),
        else_=None,
    )


def day(value: date) -> str:
    """Return a date as it is read: 5 Nov 2026."""
    return f"{value.day} {value:%b %Y}"


def _week(end: date) -> Period:
    return Period(end - timedelta(days=6), end, f"Week to {day(end)}")


def _month(year: int, month: int) -> Period:
    last = months.monthrange(year, month)[1]
    return Period(date(year, month, 1), date(year, month, last), f"{date(year, month, 1):%b %Y}")
