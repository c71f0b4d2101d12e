"""The two public data sets, opened by the mappings that ship; expectations are counted with the csv module."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from smarketing.company.inputs import check_inputs, open_company
from smarketing.company.tables import Company, Source

PROJECT = Path(__file__).parents[2]
DATA = PROJECT.parent / "shared" / "data"


def folder(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"the public data set {name} is not in ../shared/data")
    return DATA / name


def cells(name: str, file: str) -> list[dict[str, str]]:
    with (folder(name) / file).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def olist() -> Company:
    return open_company(PROJECT / "params/inputs/olist.yml", data=folder("olist"))


@pytest.fixture(scope="module")
def crm() -> Company:
    return open_company(PROJECT / "params/inputs/crm_opportunities.yml", data=folder("crm_opportunities"))


def rows(company: Company, table: str) -> list[dict[str, Any]]:
    return company.table(table).to_pyarrow().to_pylist()


def test_olist_leads_are_the_rows_of_the_file_with_blank_and_unknown_apart(olist: Company) -> None:
    origins = Counter(row["origin"] for row in cells("olist", "olist_marketing_qualified_leads_dataset.csv"))
    leads = rows(olist, "leads")
    sources = Counter(lead["source"] for lead in leads)
    assert len(leads) == origins.total() == 8_000
    assert sources[None] == origins[""] == 60
    assert sources["unknown"] == origins["unknown"] > 0
    assert min(lead["created_at"] for lead in leads) == datetime(2017, 6, 14)
    assert olist.recorded["leads"] == {"lead_id", "created_at", "source", "landing_page_id"}
    assert not olist.records("leads", "account_id")


def test_olist_wins_are_events_of_leads_and_begin_in_december(olist: Company) -> None:
    wins = rows(olist, "stage_events")
    assert len(wins) == 842
    assert {(win["subject_kind"], win["stage"], win["spell"]) for win in wins} == {("lead", "won", None)}
    theirs = [datetime.fromisoformat(row["won_date"]) for row in cells("olist", "olist_closed_deals_dataset.csv")]
    assert sorted(win["at"] for win in wins) == sorted(theirs)
    assert not olist.has("opportunities")
    (observed,) = olist.observed_from
    assert (observed.stages, observed.start, observed.treatment) == (("won",), date(2017, 12, 5), "whole_cohorts")
    assert (olist.name, olist.currency, olist.notes) == ("Olist", "BRL", ())


def test_sources_name_files_without_their_folder_and_carry_hash_and_rows(olist: Company) -> None:
    name = "olist_closed_deals_dataset.csv"
    digest = hashlib.sha256((folder("olist") / name).read_bytes()).hexdigest()
    assert Source("stage_events", name, digest, 842) in olist.sources


def test_crm_traps_are_met_by_the_mapping(crm: Company) -> None:
    theirs = cells("crm_opportunities", "sales_pipeline.csv")
    deals = rows(crm, "opportunities")
    engaged = [row for row in theirs if row["engage_date"]]
    assert len(deals) == len(engaged) == 8_300
    assert Counter(deal["outcome"] for deal in deals) == {"won": 4_238, "lost": 2_473, "open": 1_589}
    amounts = [deal["amount"] for deal in deals if deal["outcome"] == "won"]
    assert sum(amounts) == sum(float(row["close_value"]) for row in theirs if row["deal_stage"] == "Won")
    assert {deal["amount"] for deal in deals if deal["outcome"] != "won"} == {None}
    assert sum(deal["account_id"] is None for deal in deals) == sum(not row["account"] for row in engaged)
    assert {deal["product"] for deal in deals} == {row["product"] for row in rows(crm, "products")}
    assert min(deal["closed_at"] for deal in deals if deal["closed_at"]) == datetime(2017, 3, 1)
    assert crm.notes == (
        "opportunities: 500 rows of sales_pipeline.csv without `created_at` left out: deals in Prospecting have not "
        "been engaged, so they have no day on which they began",
    )


def test_crm_accounts_are_in_plain_dollars_and_spelt_right(crm: Company) -> None:
    accounts = {row["account_id"]: row for row in rows(crm, "accounts")}
    theirs = cells("crm_opportunities", "accounts.csv")
    assert len(accounts) == len(theirs) == 85
    for row in theirs:
        ours = accounts[row["account"]]
        assert ours["annual_revenue"] == pytest.approx(float(row["revenue"]) * 1e6)
        assert ours["year_established"] == int(row["year_established"])
        assert ours["parent_id"] == (row["subsidiary_of"] or None)
        assert ours["industry"] == row["sector"].replace("technolgy", "technology")
    owners = rows(crm, "owners")
    assert (len(owners), len({owner["region"] for owner in owners})) == (35, 3)
    (observed,) = crm.observed_from
    assert (observed.stages, observed.start) == (("won", "lost"), date(2017, 3, 1))
    assert observed.treatment == "delayed_entry"


@pytest.mark.parametrize("name", ["olist", "crm_opportunities"])
def test_nothing_is_wrong_with_the_shipped_mappings(name: str) -> None:
    assert check_inputs(PROJECT / f"params/inputs/{name}.yml", data=folder(name)) == []
