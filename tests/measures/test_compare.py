"""Results side by side, and the records behind a number."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from small_companies import company_of, deal, deals_of, definitions_of, events_of, leads_of
from smarketing.company.tables import CompanyError
from smarketing.measures.compare import compare
from smarketing.measures.funnel import Funnel, funnel
from smarketing.measures.results import KeyFigure
from smarketing.measures.scope import Scope
from smarketing.measures.view import view

RATE = KeyFigure(
    name="rate",
    label="Leads won",
    unit="share",
    value=0.2,
    lower=0.15,
    upper=0.25,
    interval="",
    n=100,
    n_label="leads",
    period="now",
    higher_is_better=True,
    maturity="final",
    status="no target",
)
SUM = replace(RATE, name="sum", label="Bookings", unit="money", currency="USD", value=50.0, lower=None, upper=None)


def test_figures_of_one_name_are_one_row() -> None:
    withheld = replace(SUM, value=None, status="withheld", reason="only 3 of the 30 needed")
    other = replace(RATE, name="other", label="Other")
    found = compare([RATE, SUM], [other, withheld, replace(RATE, value=0.3, lower=0.2, upper=0.4)], names=("a", "EMEA"))
    assert found.columns.tolist() == [
        "figure", "unit", "a", "a_lower", "a_upper", "EMEA", "EMEA_lower", "EMEA_upper", "difference", "reason"
    ]  # fmt: skip
    expected = pd.DataFrame(
        [
            ["Leads won", "share", 0.2, 0.15, 0.25, 0.3, 0.2, 0.4, 0.1, ""],
            ["Bookings", "USD", 50.0, *[np.nan] * 6, "EMEA: only 3 of the 30 needed"],
            ["Other", "share", *[np.nan] * 3, 0.2, 0.15, 0.25, np.nan, "a has none"],
        ],
        columns=found.columns,
    )
    pd.testing.assert_frame_equal(found, expected)


def test_what_cannot_stand_side_by_side_is_refused() -> None:
    for a, b, names, message in (
        ([RATE], [RATE], ("x", "x"), "compare: both sides are called 'x'; give them two names."),
        ([RATE, RATE], [], ("a", "b"), "compare: a has two figures called 'rate'; leave one out."),
        (
            [SUM],
            [replace(SUM, currency="EUR")],
            ("a", "b"),
            "compare: 'sum' is in USD in a and in EUR in b; compare figures of one unit.",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            compare(a, b, names=names)


AS_OF = date(2026, 12, 31)


def measured(engine: ibis.BaseBackend, *, n: int = 150, **scope: str) -> Funnel:
    """A funnel of leads by the day: every second one an MQL, every third rejected, every fifth won by a deal."""
    days = pd.date_range("2026-03-01", periods=n).strftime("%Y-%m-%d").tolist()

    def later(i: int, days_on: int) -> str:
        return str((pd.Timestamp(days[i]) + pd.Timedelta(days=days_on)).date())

    leads = leads_of(*((f"L{i:03d}", days[i], f"A{i}") for i in range(n)))
    events = [(f"L{i:03d}", "mql", later(i, 3)) for i in range(0, n, 2)]
    events += [(f"L{i:03d}", "rejected", later(i, 9)) for i in range(0, n, 3)]
    deals: list[dict[str, Any]] = [
        deal(f"D{i:03d}", later(i, 4), later(i, 8 if i % 2 else 90), "won", lead_id=f"L{i:03d}") for i in range(0, n, 5)
    ]
    frames = {
        "leads": leads.assign(source=["Web", "Event"] * (n // 2)),
        "stage_events": events_of(*events),
        "opportunities": deals_of(*deals),
    }
    definitions = definitions_of(
        funnel=("lead", "mql", "opportunity", "won"), exits=("lost", "rejected"), windows={"funnel_days": 60}
    )
    return funnel(view(company_of(engine, frames), definitions, AS_OF, Scope(**scope)))


def test_rows_are_the_records_behind_each_count_of_the_funnel(engine: ibis.BaseBackend) -> None:
    found = measured(engine)
    for row in found.stages.itertuples():
        assert len(found.rows(row.stage)) == row.count
    for row in found.exits.itertuples():
        assert len(found.rows(row.exit)) == row.events
    assert sum(len(found.rows(name)) for name in found.exits["exit"]) == found.n == 150
    won = found.rows("won")
    # Won on day 8; those won on day 90 are open within 60 days, or were rejected before.
    assert won["id"].tolist() == [f"L{i:03d}" for i in range(5, 150, 10)]
    assert won["days"].tolist() == [8] * 15
    assert won["entered"].dt.strftime("%m-%d").tolist()[:2] == ["03-06", "03-16"]
    assert set(found.rows("rejected")["days"]) == {9}
    assert found.rows("lost").columns.tolist() == ["id", "entered", "days"] and found.rows("lost").empty
    assert not set(found.rows("open")["id"]) & (set(won["id"]) | set(found.rows("rejected")["id"]))
    message = "The funnel has no stage or exit 'wom'. Did you mean 'won'?"
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        found.rows("wom")


def test_two_variants_of_a_result_are_compared_by_their_figures() -> None:
    whole, web = measured(ibis.duckdb.connect()), measured(ibis.duckdb.connect(), source="Event")
    found = compare(whole, web, names=("whole", "Event")).set_index("figure")
    row = found.loc["LEADs won within 60 days of entering"]
    assert (row["whole"], row["Event"]) == pytest.approx((whole.won["share"], web.won["share"]))
    assert row["difference"] == pytest.approx(web.won["share"] - whole.won["share"])
    assert row["whole_lower"] < row["whole"] < row["whole_upper"]
