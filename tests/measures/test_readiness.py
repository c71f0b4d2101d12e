"""Every question asked of the data: what it counts, what it says, and when it stops a report."""

from __future__ import annotations

from datetime import date

import ibis
import pandas as pd
import pytest

from small_companies import company_of, deal, deals_of, definitions_of, events_of, leads_of
from smarketing.company.tables import Company
from smarketing.measures.readiness import checks, worst
from smarketing.measures.results import Check
from smarketing.measures.scope import Scope
from smarketing.measures.view import view

AS_OF = date(2026, 3, 31)


def answers(company: Company, as_of: date = AS_OF) -> dict[str, Check]:
    return {check.code: check for check in checks(view(company, definitions_of(), as_of))}


def dirty(engine: ibis.BaseBackend) -> Company:
    leads = leads_of(("A", "2026-03-01", "x"), ("B", "2026-03-02", "gone"), ("C", "2026-03-03"), ("D", "2026-03-10"))
    frames = {
        "leads": leads.assign(source=["Web", None, "Web", "unknown"]).astype({"source": object}),
        "accounts": pd.DataFrame({"account_id": ["x"]}),
        "stage_events": events_of(
            ("A", "mql", "2026-03-05"), ("D", "rejected", "2026-03-09"), ("Z", "mql", "2026-03-05")
        ),
        "opportunities": deals_of(
            deal("1", "2026-03-01", "2026-03-09", "won", account_id="x", amount=5.0, loss_reason=None),
            deal("2", "2026-03-01", "2026-03-09", "lost", loss_reason="price"),
            deal("3", "2026-03-01", None, "lost", account_id="x"),
            deal("4", "2026-03-05", "2026-03-01", "lost", account_id="x", amount=0.0),
            deal("5", "2026-03-05", account_id="x"),
        ),
    }
    return company_of(engine, frames)


def test_dirty_rows_are_counted_and_come_with_a_remedy(engine: ibis.BaseBackend) -> None:
    found = answers(dirty(engine))
    said = {code: (check.outcome, check.detail) for code, check in found.items()}
    assert said == {
        "DR01": ("passed", "4 LEADs entered 1 Apr 2025 to 31 Mar 2026"),
        "DR02": ("warning", "the last LEAD entered 21 days before the as-of day"),
        "DR03": ("passed", "exits begin when entries explain it"),
        "DR04": (
            "warning",
            "1 name an account that is not on file, 2 name none; "
            "each of the latter counts as an account of its own (75.0%)",
        ),
        "DR05": ("warning", "1 leads have a blank source, shown as (blank) (25.0%)"),
        "DR06": ("warning", "1 with a stage or an exit dated before creation (25.0%)"),
        "DR07": ("warning", "1 of 3 events name a lead that is not on file (33.3%)"),
        "DR08": ("warning", "1 of 5 deals have no account; each counts as an account of its own (20.0%)"),
        "DR09": (
            "warning",
            "1 closed deals have no closing date, 1 closed before they opened; both are left out (40.0%)",
        ),
        "DR10": ("warning", "without an amount: 1 of 1 open, 0 of 1 won, 3 of 3 lost (80.0%)"),
        "DR11": ("warning", "2 of 3 lost deals give no reason (66.7%)"),
    }  # fmt: skip
    assert all(check.remedy for check in found.values() if check.outcome == "warning")
    assert not any(check.error for code, check in found.items() if code != "DR01")
    assert worst(list(found.values())) == "warning"


def test_a_scoped_report_is_told_of_its_scope(engine: ibis.BaseBackend) -> None:
    company = dirty(engine)
    web = {c.code: c.detail for c in checks(view(company, definitions_of(), AS_OF, Scope(source="Web")))}
    # Leads A (of account x) and C (of none), neither blank of source nor wrongly dated; no deal names its lead.
    assert web["DR04"] == (
        "0 name an account that is not on file, 1 name none; each of the latter counts as an account of its own (50.0%)"
    )
    assert (web["DR05"], web["DR06"]) == ("all 2", "all 2")
    assert web["DR07"] == (
        "1 of 3 events name a lead that is not on file (in the whole company, not in the scope alone) (33.3%)"
    )
    assert web["DR08"] == "there are no rows to ask"
    of_x = checks(view(company, definitions_of(), AS_OF, Scope(segment="account_id == 'x'")))
    said = {check.code: check.detail for check in of_x}
    assert (said["DR05"], said["DR08"]) == ("all 1", "all 4")
    assert said["DR11"] == "2 of 2 lost deals give no reason (100.0%)"


def test_what_cannot_be_asked_of_a_scope_says_so() -> None:
    leads = leads_of(("A", "2026-03-30", "x"), ("B", "2026-03-30", "x")).assign(score=[1, 9])
    frames = {
        "leads": leads,
        "stage_events": events_of(("A", "mql", "2026-03-31")),
        "opportunities": deals_of(deal("1", "2026-03-01"), deal("2", "2026-03-01", account_id="x")),
    }
    only_leads = definitions_of(deals_from="nowhere")
    scoped = view(company_of(ibis.duckdb.connect(), frames), only_leads, AS_OF, Scope(segment="score > 5"))
    found = {check.code: check.detail for check in checks(scoped)}
    assert found["DR08"] == (
        "1 of 2 deals have no account; each counts as an account of its own "
        "(in the whole company, not in the scope alone) (50.0%)"
    )


def test_clean_rows_pass(engine: ibis.BaseBackend) -> None:
    frames = {
        "leads": leads_of(("A", "2026-03-30", "x")).assign(source="Web"),
        "accounts": pd.DataFrame({"account_id": ["x"]}),
        "stage_events": events_of(("A", "mql", "2026-03-31")),
        "opportunities": deals_of(
            deal("1", "2026-03-01", "2026-03-09", "lost", account_id="x", amount=5.0, loss_reason="price")
        ),
    }
    found = answers(company_of(engine, frames))
    assert {check.outcome for check in found.values()} == {"passed"}
    assert worst(list(found.values())) == "passed"


def test_what_is_not_recorded_is_not_applicable() -> None:
    only_leads = company_of(
        ibis.duckdb.connect(),
        {
            "leads": leads_of(("A", "2026-03-31"))[["lead_id", "created_at"]],
            "stage_events": events_of(("A", "mql", "2026-03-31")),
        },
    )
    found = answers(only_leads)
    outcomes = {code: check.detail for code, check in found.items() if check.outcome == "not applicable"}
    assert outcomes == {
        "DR04": "leads carry no account, so intervals treat leads as independent",
        "DR05": "no source is recorded",
        **dict.fromkeys(("DR08", "DR09", "DR10", "DR11"), "no `opportunities` table is mapped"),
    }
    assert found["DR02"].detail == "the last LEAD entered on the as-of day"
    only_deals = answers(company_of(ibis.duckdb.connect(), {"opportunities": deals_of(deal("1", "2026-03-01"))}))
    assert [only_deals[code].detail for code in ("DR04", "DR07", "DR11")] == [
        "no `leads` table is mapped",
        "no `leads` table is mapped",
        "no loss reason is recorded",
    ]


@pytest.mark.parametrize(
    ("as_of", "detail"),
    [
        (date(2028, 1, 1), "no LEADs entered 1 Jan 2027 to 1 Jan 2028; the last on record did so on 2026-03-10"),
        (date(2026, 2, 1), "no LEADs are on record by 2026-02-01"),
    ],
)
def test_an_empty_period_stops_the_report_with_what_there_is(as_of: date, detail: str) -> None:
    check = answers(dirty(ibis.duckdb.connect()), as_of)["DR01"]
    assert (check.outcome, check.error) == ("failed", True)
    assert check.detail == detail.replace("1 Jan 2027", f"{date(2027, 1, 2):%-d %b %Y}")
    assert check.remedy == "Choose an as-of day within the data, or widen the scope."


def test_the_worst_of_nothing() -> None:
    assert worst([]) == "not applicable"
