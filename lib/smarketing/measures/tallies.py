"""Sums over accounts by period: what the engine adds up once for every headline figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import ibis
import ibis.expr.types as ir
import pandas as pd

from smarketing.measures.exact import product
from smarketing.measures.periods import Period, which
from smarketing.measures.view import View


@dataclass(frozen=True)
class Tally:
    """Sums over accounts by period, for each of the four lists of periods that do not overlap."""

    weeks: pd.DataFrame
    weeks_last_year: pd.DataFrame
    months: pd.DataFrame
    months_last_year: pd.DataFrame
    windows: pd.DataFrame

    def in_units(self, cents: int) -> Tally:
        """Return the sums of ``value`` in units of so many cents."""
        frames = {field.name: getattr(self, field.name) for field in fields(self)}
        return Tally(**{name: frame.assign(y=frame["y"] / cents) for name, frame in frames.items()})


def tally(view: View, rows: ir.Table, at: ir.TimestampValue, value: ir.NumericValue | None, *, lag: int = 0) -> Tally:
    """Add up rows (and ``value``, a whole number) by account and period in the engine; every period has a row.

    With a lag of so many days a period holds the rows that started that much earlier.
    """
    laid = view.calendar
    marked = rows.select("cluster", at=at, value=ibis.literal(1, "int64") if value is None else value)

    def by(periods: Sequence[Period]) -> pd.DataFrame:
        starts = [period.earlier(lag) for period in periods]
        known = marked.mutate(period=which(marked["at"], starts)).filter(lambda t: t.period.notnull())
        accounts = known.group_by("period", "cluster").aggregate(
            n=known.count().cast("float64"), y=known.value.sum().fill_null(0), blank=known.value.isnull().sum()
        )
        sums = (
            accounts.group_by("period")
            .aggregate(
                accounts=accounts.count(),
                accounts_reached=(accounts.y > 0).sum(),
                n=accounts.n.sum(),
                n2=(accounts.n * accounts.n).sum(),
                y=accounts.y.sum(),
                y2=product(accounts.y, accounts.y).sum(),
                ny=(accounts.n * accounts.y).sum(),
                blank=accounts.blank.sum(),
            )
            .execute()
        )
        return sums.set_index("period").reindex(range(len(periods)), fill_value=0).astype(float)

    return Tally(
        weeks=by([*laid.history, *laid.weeks]),
        weeks_last_year=by(laid.weeks_last_year),
        months=by(laid.months),
        months_last_year=by(laid.months_last_year),
        windows=by([laid.prior, laid.current]),
    )
