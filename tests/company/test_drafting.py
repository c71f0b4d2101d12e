"""A drafted definitions file: what it takes from the data, and that it can be read as it is."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import ibis
import pandas as pd
import pytest

from small_companies import company_of, deal, deals_of, events_of, leads_of
from smarketing.company.definitions import Definitions, read_definitions
from smarketing.company.drafting import draft_definitions
from smarketing.company.tables import Company, CompanyError

LEADS = leads_of(*((f"L{i}", f"2026-01-{i + 1:02d}") for i in range(20)))


def drafted(tmp_path: Path, company: Company) -> tuple[Definitions, str]:
    text = draft_definitions(company, changed=date(2026, 4, 1))
    path = tmp_path / "definitions_test.yml"
    path.write_text(text)
    return read_definitions(path), text


def log(stage: str, *days: int) -> list[tuple[str, str, str]]:
    """Lead i enters a stage so many days after its creation."""
    created = [pd.Timestamp(f"2026-01-{i + 1:02d}") for i in range(len(days))]
    return [(f"L{i}", stage, str(created[i] + pd.Timedelta(days=day))) for i, day in enumerate(days)]


def test_stages_stand_in_the_order_of_their_usual_times_and_exits_are_known_by_name(
    tmp_path: Path, engine: ibis.BaseBackend
) -> None:
    events = log("demo_held", 9, 8, 30, 7) + log("mql", 2, 3, 1, 40) + log("disqualified", 1, 1) + log("nurture", 60)
    of_deals = events_of(("1", "proposal", "2026-02-09"), ("2", "proposal", "2026-02-19"), kind="opportunity")
    deals = [
        deal("1", "2026-02-01", "2026-03-01", "won", lead_id="L0", amount=5.0, currency="EUR"),
        deal("2", "2026-02-02", "2026-03-01", "lost", lead_id="L1", amount=5.0),
    ]
    frames = {
        "leads": LEADS,
        "stage_events": pd.concat([events_of(*events), of_deals], ignore_index=True),
        "opportunities": deals_of(*deals),
    }
    definitions, text = drafted(tmp_path, company_of(engine, frames))
    stages = definitions.stages
    assert [(stage.stage, stage.subject) for stage in stages.funnel] == [
        ("lead", "lead"), ("mql", "lead"), ("demo_held", "lead"), ("opportunity", "opportunity"),
        ("proposal", "opportunity"), ("won", "opportunity"),
    ]  # fmt: skip
    assert {exit_.stage for exit_ in stages.exits} == {"lost", "disqualified", "nurture"}
    assert stages.stage("mql").enters_when == "assumed: 4 leads, half of them by day 2"
    assert (stages.stage("mql").label, stages.stage("demo_held").plural) == ("MQL", "Demo helds")
    assert [(kpi.name, kpi.within_days) for kpi in definitions.kpis.figures] == [
        ("lead_flow", None), ("lead_quality", 60), ("close_rate", 60), ("pipeline_created", None), ("bookings", None)
    ]  # fmt: skip
    # The only win came 59 days after its lead.
    assert definitions.windows.funnel_days == 60
    assert definitions.windows.cohort_days == 28
    assert {entry.state for _, entry in definitions.entries()} == {"assumed"}
    assert definitions.not_agreed == tuple(name for name, _ in definitions.entries())
    assert definitions.money.reporting_currency == "USD"
    assert "# Deals are also in EUR: give a constant rate into USD" in text
    assert definitions.changed == date(2026, 4, 1)


def test_a_company_of_leads_alone_wins_by_its_last_stage(tmp_path: Path) -> None:
    named = log("customer", 5, 6, 7) + log("trial", 20, 21)
    frames = {"leads": LEADS, "stage_events": events_of(*named)}
    definitions, _ = drafted(tmp_path, company_of(ibis.duckdb.connect(), frames))
    # By its name, although the trials on record came later.
    assert [(s.stage, s.team) for s in definitions.stages.funnel] == [
        ("lead", "marketing"), ("trial", "marketing"), ("customer", "sales")
    ]  # fmt: skip
    assert definitions.stages.exits == ()
    frames["stage_events"] = events_of(*log("activated", 5, 6, 7), *log("trial", 1, 2))
    definitions, _ = drafted(tmp_path, company_of(ibis.duckdb.connect(), frames))
    assert [stage.stage for stage in definitions.stages.funnel] == ["lead", "trial", "activated"]


def test_names_that_are_no_names_here_say_how_they_are_mapped(tmp_path: Path) -> None:
    frames = {"leads": LEADS, "stage_events": events_of(*log("Sales Accepted", 5), *log("Closed Won", 9))}
    definitions, text = drafted(tmp_path, company_of(ibis.duckdb.connect(), frames))
    assert [stage.stage for stage in definitions.stages.funnel] == ["lead", "sales_accepted", "closed_won"]
    assert 'values: {"Closed Won": closed_won, "Sales Accepted": sales_accepted}' in text


def test_deals_alone_are_a_funnel(tmp_path: Path) -> None:
    deals = [deal("1", "2026-02-01"), deal("2", "2026-02-02", "2026-03-01", "lost")]
    definitions, text = drafted(tmp_path, company_of(ibis.duckdb.connect(), {"opportunities": deals_of(*deals)}))
    assert [stage.stage for stage in definitions.stages.funnel] == ["opportunity", "won"]
    assert [kpi.name for kpi in definitions.kpis.figures] == ["deal_flow", "close_rate"]
    assert definitions.windows.funnel_days == 180
    assert "# funnel_days: nothing was won on record, so this is a guess." in text


def test_a_company_without_stages_has_no_draft() -> None:
    message = (
        "Nothing can be drafted: neither a `stage_events` nor an `opportunities` table is mapped. Map one of them."
    )
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        draft_definitions(company_of(ibis.duckdb.connect(), {"leads": LEADS}), changed=date(2026, 4, 1))
