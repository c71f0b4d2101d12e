"""A company as canonical tables: what is mapped, what is recorded, and what was known on a day."""

from __future__ import annotations

import re
from datetime import date, datetime

import ibis
import pandas as pd
import pytest

from small_companies import company_of, deal, deals_of, events_of, leads_of, times
from smarketing.company.tables import SCHEMAS, MissingTable


def test_schemas_name_their_keys_and_required_columns() -> None:
    for name, schema in SCHEMAS.items():
        assert {*schema.key, *schema.required} <= set(schema.columns), name
        assert set(schema.columns.values()) <= {"string", "int64", "float64", "boolean", "timestamp"}


def test_mapped_and_recorded_are_two_things(engine: ibis.BaseBackend) -> None:
    company = company_of(engine, {"leads": leads_of(("A", "2026-01-01"))[["lead_id", "created_at"]]})
    assert (company.has("leads"), company.has("owners")) == (True, False)
    assert company.records("leads", "created_at")
    assert not company.records("leads", "account_id")
    assert not company.records("owners", "name")
    assert company.table("leads").account_id.execute().isna().all()
    with pytest.raises(MissingTable, match=f"^{re.escape('no `owners` table is mapped')}$"):
        company.table("owners")


def test_a_company_is_what_it_was_at_the_end_of_a_day(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {
            "accounts": pd.DataFrame({"account_id": ["x"], "created_at": times("2026-05-01")}),
            "leads": leads_of(("A", "2026-01-31 23:59:59"), ("B", "2026-02-01")),
            "stage_events": events_of(("A", "mql", "2026-01-31"), ("A", "sql", "2026-02-01")),
            "opportunities": deals_of(
                deal("1", "2026-01-02", "2026-01-31 18:00", "lost", loss_reason="price", competitor="k"),
                deal("2", "2026-01-02", "2026-02-01", "lost", loss_reason="price", competitor="k", amount=5.0),
                deal("3", "2026-02-01"),
                deal("4", "2026-01-02"),
            ),
        },
    )
    known = company.known_at(date(2026, 1, 31))
    assert known.as_of == date(2026, 1, 31)
    assert known.table("leads").lead_id.execute().tolist() == ["A"]
    assert known.table("stage_events").stage.execute().tolist() == ["mql"]
    # Accounts carry what is known of them today.
    assert known.table("accounts").count().execute() == 1
    deals = {row["opportunity_id"]: row for row in known.table("opportunities").to_pyarrow().to_pylist()}
    assert set(deals) == {"1", "2", "4"}
    seen = {
        name: tuple(row[c] for c in ("outcome", "closed_at", "loss_reason", "competitor"))
        for name, row in deals.items()
    }
    assert seen == {
        "1": ("lost", datetime(2026, 1, 31, 18), "price", "k"),
        "2": ("open", None, None, None),
        "4": ("open", None, None, None),
    }
    assert deals["2"]["amount"] == 5.0
