"""Samples of the demo company and of the public data sets, counted again from the files themselves."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deals_as_leads import agreed, open_deals_as_leads

from smarketing.company.definitions import read_definitions
from smarketing.company.demo import build_demo
from smarketing.company.inputs import open_company
from smarketing.company.scoring import Scoring
from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.leads.features import Drawn, draw, feature_table, usable
from smarketing.measures.scoring.leads.labels import labels_at
from smarketing.measures.scoring.leads.split import split_forward
from smarketing.measures.view import View, last_day, view
from tests_root import ROOT

Folder = Callable[[str, str], Path]


def flat(name: str, folder: Path) -> Drawn:
    definitions = read_definitions(ROOT / f"params/definitions_{name}.yml")
    company = open_company(ROOT / f"params/inputs/{name}.yml", data=folder)
    assert definitions.scoring is not None
    return draw(view(company, definitions, date(2026, 11, 1)), definitions.scoring)


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_x_education_is_sampled_whole_with_what_sales_filled_in_marked(public_data: Folder) -> None:
    folder = public_data("xeducation", "xeducation")
    found = flat("xeducation", folder)
    theirs = {row["Prospect ID"]: row for row in cells(folder / "Leads.csv")}
    sample = found.sample
    assert (len(sample), sample.fraction, sample.at, sample.as_of) == (9_240, 1.0, None, None)
    assert (sample.status == 1).tolist() == [theirs[lead]["Converted"] == "1" for lead in sample.subject_id]
    known = {role.name: role.known for role in sample.roles}
    assert "converted" not in known
    assert {known[name] for name in ("tags", "lead_quality", "what_is_your_current_occupation")} == {"undeclared"}
    assert len([name for name, when in known.items() if when == "after"]) == 7
    constants = {one.name for one in found.skipped if one.reason == "has one value only"}
    assert constants == {
        "magazine",
        "receive_more_updates_about_our_courses",
        "update_me_on_supply_chain_content",
        "get_updates_on_dm_content",
        "i_agree_to_pay_the_amount_through_cheque",
    }
    visits = [float(theirs[lead]["TotalVisits"] or "nan") for lead in sample.subject_id]
    np.testing.assert_array_equal(sample.features["total_visits"], visits)
    tags = [theirs[lead]["Tags"] or None for lead in sample.subject_id]
    assert sample.features["tags"].tolist() == tags
    labels = labels_at(sample, horizon=None, known_at=None)
    assert (labels.value.sum(), set(labels.weight)) == (3_561, {1.0})


def test_hillstroms_outcomes_are_never_features(public_data: Folder) -> None:
    folder = public_data("hillstrom", "hillstrom")
    found = flat("hillstrom", folder)
    assert found.sample.status.tolist().count(1) == 9_394
    assert [role.name for role in usable(found.sample.roles)] == [
        "recency", "history", "history_segment", "mens", "womens", "zip_code", "newbie", "channel",
    ]  # fmt: skip
    assert {role.name for role in found.sample.roles if role.known == "after"} == {"conversion", "spend"}
    theirs = cells(folder / "hillstrom.csv")
    np.testing.assert_array_equal(found.sample.features["history"], [float(row["history"]) for row in theirs])
    assert found.sample.features["mens"].tolist() == [float(row["mens"]) for row in theirs]


def test_olist_keeps_only_leads_whose_wins_are_on_record(public_data: Folder) -> None:
    folder = public_data("olist", "olist")
    definitions = read_definitions(ROOT / "params/definitions_olist.yml")
    said = {"to_stage": "won", "within_days": 90, "weekly_capacity": 50, "cost_of_working": 1, "threshold": 0.1}
    company = open_company(ROOT / "params/inputs/olist.yml", data=folder)
    looked = view(company, definitions, last_day(company))
    sample = draw(looked, Scoring.model_validate(said)).sample
    first = date(2017, 12, 5)
    leads = {
        row["mql_id"]: date.fromisoformat(row["first_contact_date"])
        for row in cells(folder / "olist_marketing_qualified_leads_dataset.csv")
    }
    won = {
        row["mql_id"]: datetime.fromisoformat(row["won_date"]).date()
        for row in cells(folder / "olist_closed_deals_dataset.csv")
    }
    expected = {lead for lead, day in leads.items() if day >= first and won.get(lead, day) >= day}
    assert set(sample.subject_id) == expected
    ages = {s: int(age) for s, age, status in zip(sample.subject_id, sample.age, sample.status, strict=True) if status}
    assert ages == {lead: (won[lead] - leads[lead]).days for lead in expected if lead in won}
    # Only days are recorded, so there is no hour; the landing page is an id.
    assert {role.name for role in sample.roles} == {"source", "created.weekday"}
    split = split_forward(sample, horizon=90, as_of=looked.as_of)
    assert split.day is not None
    known = labels_at(sample.take(split.train), horizon=90, known_at=split.day)
    assert known.value.sum() > 0 and (known.weight == 0).any()


def test_the_b2b_export_has_no_leads(public_data: Folder) -> None:
    folder = public_data("crm_opportunities", "crm_opportunities")
    company = open_company(ROOT / "params/inputs/crm_opportunities.yml", data=folder)
    looked = view(company, read_definitions(ROOT / "params/definitions_crm_opportunities.yml"), last_day(company))
    scoring = agreed().scoring
    assert scoring is not None
    assert looked.ask(draw, scoring) == NotApplicable("no `leads` table is mapped")


def test_the_b2b_exports_deals_can_be_read_as_leads(public_data: Folder, tmp_path: Path) -> None:
    folder = public_data("crm_opportunities", "crm_opportunities")
    company, definitions = open_deals_as_leads(folder, tmp_path), agreed()
    looked = view(company, definitions, last_day(company))
    assert definitions.scoring is not None
    found = draw(looked, definitions.scoring)
    theirs = {
        row["opportunity_id"]: row for row in cells(folder / "sales_pipeline.csv") if row["engage_date"] >= "2017-03-01"
    }
    assert set(found.sample.subject_id) == set(theirs)
    status = {"Won": 1, "Lost": 2, "Engaging": 0}
    assert found.sample.status.tolist() == [status[theirs[s]["deal_stage"]] for s in found.sample.subject_id]
    assert "owner_id" in {one.name for one in found.skipped}
    assert {role.name for role in found.sample.roles} == {
        "product", "accounts.industry", "accounts.country", "accounts.employees", "accounts.annual_revenue",
        "accounts.year_established", "created.weekday",
    }  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[View, Scoring, Path]:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    project = tmp_path_factory.mktemp("project")
    inputs = (ROOT / "params/inputs/demo.yml").read_text().replace("leads: 20000", "leads: 3000")
    (project / "demo.yml").write_text(inputs)
    build_demo(folder, leads=3_000, seed=7)
    company = open_company(project / "demo.yml", data=folder)
    definitions = read_definitions(ROOT / "params/definitions.yml")
    assert definitions.scoring is not None
    return view(company, definitions, last_day(company)), definitions.scoring, folder


def test_the_demo_company_is_known_before_sales_speaks(demo: tuple[View, Scoring, Path]) -> None:
    looked, scoring, _ = demo
    found = draw(looked, scoring)
    assert len(found.sample) > 2_900
    assert len(usable(found.sample.roles)) >= 40
    undeclared = {role.name for role in found.sample.roles if role.known == "undeclared"}
    assert undeclared == {"call_outcome"}
    assert found.sample.present is not None and np.isfinite(found.sample.present).mean() > 0.99
    labels = {role.name: role.label for role in found.sample.roles}
    assert labels["accounts.employees"] == "company size (employees)"


def test_the_demo_companys_contacts_are_those_of_its_file(demo: tuple[View, Scoring, Path]) -> None:
    looked, scoring, folder = demo
    sample = draw(looked, scoring).sample
    touches = pd.read_parquet(folder / "touches.parquet")
    leads = pd.read_parquet(folder / "leads.parquet").set_index("lead_id")["created_at"]
    own = touches[touches["lead_id"].notna()]
    moment = own["lead_id"].map(leads)
    entered = own[(own["at"] < moment) & (own["at"] >= moment - timedelta(days=30))]
    expected = entered.groupby("lead_id").size().reindex(list(sample.subject_id), fill_value=0)
    assert expected.gt(0).any() and (own["at"] >= moment).any()
    assert sample.features["touches.in_30_days"].tolist() == expected.astype(float).tolist()


def test_the_demo_companys_labels_do_not_see_past_the_day(demo: tuple[View, Scoring, Path]) -> None:
    looked, scoring, _ = demo
    sample = draw(looked, scoring).sample
    split = split_forward(sample, horizon=90, as_of=looked.as_of)
    assert split.day is not None
    then = draw(view(looked.company, looked.definitions, split.day), scoring).sample
    train = sample.take(split.train)
    assert train.subject_id.tolist() == then.subject_id.tolist()
    as_known = labels_at(train, horizon=90, known_at=split.day)
    expected = labels_at(then, horizon=90, known_at=split.day)
    np.testing.assert_array_equal(as_known.value, expected.value)
    np.testing.assert_array_equal(as_known.weight, expected.weight)
    # What is dated does not depend on the day either: contacts of a lead's past stay what they were.
    dated = [role.name for role in train.roles if role.side == "engagement" and ".in_" in role.name]
    pd.testing.assert_frame_equal(train.features[dated], then.features[dated])


def test_new_leads_of_the_demo_company_get_the_models_features(demo: tuple[View, Scoring, Path]) -> None:
    looked, scoring, _ = demo
    roles = usable(draw(looked, scoring).sample.roles)[-12:]
    table = feature_table(looked, scoring, roles)
    assert table.columns == ("subject_id", "account_id", "at", *(role.name for role in roles))
