"""Planned values of a metric by period and scope, from ``params/targets.yml`` or a ``targets`` table.

A period is a year (``2026``), a quarter (``2026-Q4``) or a month (``2026-10``). A count or an amount is for the whole
period and is spread evenly over its days; a rate holds on each of its days. Where a period lies inside a longer one,
the shorter counts on its days, and of a count or an amount the longer one's other days share what is left of it: a year
planned as 1200 stays 1200 whatever is said of its quarters.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smarketing.company.definitions import read_yaml
from smarketing.company.tables import Company, CompanyError
from smarketing.company.wrong_keys import explain

PERIOD = re.compile(r"^(\d{4})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?$")


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)
    metric: str
    period: str = Field(description="2026, 2026-Q4 or 2026-10")
    value: float
    scope: Mapping[str, str] = {}


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    targets: tuple[_Row, ...] = ()


@dataclass(frozen=True)
class Target:
    """A planned value of ``metric`` from ``start`` to ``end``, both included, for exactly this scope."""

    metric: str
    start: date
    end: date
    value: float
    scope: Mapping[str, str] = field(hash=False)

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days + 1

    def holds(self, other: Target) -> bool:
        """Whether another target's days lie within this one's."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True)
class Targets:
    """All planned values."""

    rows: tuple[Target, ...] = ()

    def total(self, metric: str, start: date, end: date, scope: Mapping[str, str]) -> float | None:
        """Return what was planned for these days of a count or an amount; None where a day has no target.

        Raises
        ------
        CompanyError
            The periods inside a longer one add up to more than it, so that its other days would be below zero.
        """
        days = self._days(metric, start, end, scope)
        if days is None:
            return None
        spread = {target: self._a_day(target) for target in dict.fromkeys(days)}
        return sum(spread[target] for target in days)

    def check_totals(self, metric: str) -> None:
        """Raise `CompanyError` where periods of a count or an amount add up to more than the one they lie in."""
        for target in self.rows:
            if target.metric == metric:
                self._a_day(target)

    def level(self, metric: str, start: date, end: date, scope: Mapping[str, str]) -> float | None:
        """Return the planned rate over these days (mean over days); None where a day has no target."""
        days = self._days(metric, start, end, scope)
        return None if days is None else sum(t.value for t in days) / len(days)

    def _a_day(self, target: Target) -> float:
        """Return what a day has of a count or an amount, where no shorter period covers it; 0 where all are covered."""
        inside = self._inside(target)
        days = target.days - sum(t.days for t in inside)
        left = target.value - sum(self._whole(t) for t in inside)
        if days and left < 0 <= target.value:
            periods = ", ".join(f"{t.start} to {t.end}" for t in inside)
            raise CompanyError(
                f"Targets of {target.metric}: {target.value:,.10g} are planned for {target.start} to {target.end}, and "
                f"{target.value - left:,.10g} for the periods inside it ({periods}), so less than nothing is left for "
                "its other days. Raise the longer period's target, lower theirs, or leave the longer one out."
            )
        return left / days if days else 0.0

    def _inside(self, target: Target) -> list[Target]:
        """Return the longest periods that lie inside a target's."""
        within = [t for t in self.rows if _same(t, target) and t != target and target.holds(t)]
        return [t for t in within if not any(other != t and other.holds(t) for other in within)]

    def _whole(self, target: Target) -> float:
        """Return what a period adds up to: its value, but for one whose every day a shorter period has."""
        inside = self._inside(target)
        covered = target.days == sum(t.days for t in inside)
        return sum(self._whole(t) for t in inside) if covered else target.value

    def _days(self, metric: str, start: date, end: date, scope: Mapping[str, str]) -> list[Target] | None:
        mine = sorted(
            (t for t in self.rows if t.metric == metric and dict(t.scope) == dict(scope)),
            key=lambda t: t.end - t.start,
        )
        found = []
        for offset in range((end - start).days + 1):
            today = start + timedelta(days=offset)
            covering = next((t for t in mine if t.start <= today <= t.end), None)
            if covering is None:
                return None
            found.append(covering)
        return found


def _same(one: Target, other: Target) -> bool:
    return one.metric == other.metric and dict(one.scope) == dict(other.scope)


def read_targets(path: Path) -> Targets:
    """Read a targets file; `CompanyError` names the target that is wrong and how to put it right."""
    content = read_yaml(path, "Targets")
    try:
        rows = _File.model_validate(content).targets
    except ValidationError as error:
        raise CompanyError(explain(error, _File, f"Targets file {path}")) from None
    return _targets([row.model_dump() for row in rows], f"Targets file {path}")


def targets_of(company: Company) -> Targets:
    """Read the ``targets`` table of a company; its ``scope`` column is empty or ``name=value; name=value``."""
    rows = company.table("targets").execute().to_dict("records")
    for row in rows:
        text = row["scope"] if isinstance(row["scope"], str) else ""
        pairs = [part.split("=", 1) for part in text.split(";") if part.strip()]
        if any(len(pair) != 2 for pair in pairs):
            raise CompanyError(f"targets.scope is {text!r}; write it as name=value; name=value, or leave it empty.")
        row["scope"] = {name.strip(): value.strip() for name, value in pairs}
    return _targets(rows, "Table targets")


def _targets(rows: Sequence[Mapping[str, Any]], where: str) -> Targets:
    found = []
    for number, row in enumerate(rows, 1):
        match = PERIOD.match(str(row["period"]).strip())
        if match is None:
            raise CompanyError(
                f"{where}: target {number} ({row['metric']}) has the period {row['period']!r}. "
                "Write a year (2026), a quarter (2026-Q4) or a month (2026-10)."
            )
        start, end = _days_of(match)
        found.append(Target(str(row["metric"]), start, end, float(row["value"]), dict(row["scope"])))
    seen: set[tuple[Any, ...]] = set()
    for target in found:
        key = (target.metric, target.start, target.end, tuple(sorted(target.scope.items())))
        if key in seen:
            raise CompanyError(
                f"{where}: {target.metric} has two targets for {target.start} to {target.end} in the same scope. "
                "Keep one."
            )
        seen.add(key)
    return Targets(tuple(found))


def _days_of(match: re.Match[str]) -> tuple[date, date]:
    year, quarter, month = int(match[1]), match[2], match[3]
    first, last = (
        (1, 12)
        if not (quarter or month)
        else (int(quarter) * 3 - 2, int(quarter) * 3)
        if quarter
        else (int(month), int(month))
    )
    return date(year, first, 1), date(year, last, calendar.monthrange(year, last)[1])
