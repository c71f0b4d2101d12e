"""X Education and Hillstrom, opened by the mappings that ship; expectations are counted with the csv module."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from smarketing.company.definitions import read_definitions
from smarketing.company.inputs import open_company
from smarketing.company.tables import Company, CompanyError
from smarketing.measures import funnel, readiness
from smarketing.measures.results import NotApplicable
from smarketing.measures.view import View, last_day, view
from smarketing.run.cli import main
from smarketing.run.plans import PipelineReview
from tests_root import ROOT

NAMES = ("xeducation", "hillstrom")
NO_DAY = "no day is recorded for leads, so they cannot be followed over time"


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest, public_data: Callable[[str, str], Path]) -> str:
    public_data(request.param, request.param)
    return str(request.param)


@cache
def opened_at(name: str, folder: Path) -> Company:
    return open_company(ROOT / f"params/inputs/{name}.yml", data=folder)


@pytest.fixture
def opened(name: str, public_data: Callable[[str, str], Path]) -> Company:
    return opened_at(name, public_data(name, name))


def cells(folder: Path, file: str) -> list[dict[str, str]]:
    with (folder / file).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def rows(company: Company, table: str) -> list[dict[str, Any]]:
    return company.table(table).to_pyarrow().to_pylist()


def test_x_education_keeps_every_column_with_select_as_not_answered(public_data: Callable[[str, str], Path]) -> None:
    folder = public_data("xeducation", "xeducation")
    theirs = cells(folder, "Leads.csv")
    company = opened_at("xeducation", folder)
    leads = rows(company, "leads")
    assert [lead["lead_id"] for lead in leads] == [row["Prospect ID"] for row in theirs]
    assert [lead["converted"] for lead in leads] == [row["Converted"] == "1" for row in theirs]
    assert sum(lead["converted"] for lead in leads) == 3_561
    for ours, header in (("city", "City"), ("specialization", "Specialization"), ("lead_profile", "Lead Profile")):
        expected = Counter(row[header] if row[header] not in ("", "Select") else None for row in theirs)
        assert Counter(lead[ours] for lead in leads) == expected
    assert "Select" not in {value for lead in leads for value in lead.values()}
    assert Counter(lead["source"] for lead in leads)["Google"] == sum(
        row["Lead Source"] in ("Google", "google") for row in theirs
    )
    # All 37 columns but the running number are kept.
    not_theirs = {"account_id", "campaign_id", "owner_id", "created_at"}
    kept = set(company.table("leads").columns) - not_theirs
    assert len(kept) == len(theirs[0]) - 1 == 36


def test_x_education_declares_what_is_certain_and_leaves_the_rest_to_the_audit(
    public_data: Callable[[str, str], Path],
) -> None:
    folder = public_data("xeducation", "xeducation")
    known = opened_at("xeducation", folder).known["leads"]
    after = {name for name, when in known.items() if when == "after"}
    scores = {f"asymmetrique_{what}_{kind}" for what in ("activity", "profile") for kind in ("index", "score")}
    assert after == {"lead_profile", "last_activity", "last_notable_activity", *scores}
    audited = {"tags", "lead_quality", "what_is_your_current_occupation"}
    assert not {*audited, "what_matters_most_to_you_in_choosing_a_course"} & set(known)
    assert {known[name] for name in ("lead_origin", "source", "do_not_email", "country")} == {"before"}


def test_hillstrom_numbers_its_customers_and_their_arms_alike(public_data: Callable[[str, str], Path]) -> None:
    folder = public_data("hillstrom", "hillstrom")
    theirs = cells(folder, "hillstrom.csv")
    company = opened_at("hillstrom", folder)
    leads = {lead["lead_id"]: lead for lead in rows(company, "leads")}
    arms = {row["unit_id"]: row for row in rows(company, "assignments")}
    assert len(leads) == len(arms) == len(theirs) == 64_000
    assert min(leads) == "R0000001" and max(leads) == "R0064000"
    words = {"Mens E-Mail": "mens", "Womens E-Mail": "womens", "No E-Mail": "none"}
    for place, row in enumerate(theirs, start=1):
        lead, arm = leads[f"R{place:07}"], arms[f"R{place:07}"]
        assert (lead["recency"], lead["history"]) == (int(row["recency"]), float(row["history"]))
        assert (lead["visit"], lead["spend"]) == (row["visit"] == "1", float(row["spend"]))
        assert arm["arm"] == words[row["segment"]]
    assert {(arm["experiment"], arm["unit_kind"], arm["assigned_at"]) for arm in arms.values()} == {
        ("e_mail", "lead", None)
    }
    known = company.known["leads"]
    assert {name for name, when in known.items() if when == "after"} == {"visit", "conversion", "spend"}


def test_check_says_so_on_the_command_line(name: str, public_data: Callable[[str, str], Path]) -> None:
    found = CliRunner().invoke(
        main, ["check", str(ROOT / f"params/inputs/{name}.yml"), "--data", str(public_data(name, name))]
    )
    assert (found.exit_code, found.stdout) == (0, "1 file checked, nothing wrong.\n")


def viewed(company: Company, name: str) -> View:
    return view(company, read_definitions(ROOT / f"params/definitions_{name}.yml"), date(2026, 11, 1))


def test_what_needs_days_is_not_applicable_and_says_why(opened: Company, name: str) -> None:
    found = viewed(opened, name)
    assert found.company.table("leads").count().execute() == {"xeducation": 9_240, "hillstrom": 64_000}[name]
    assert found.ask(lambda view: view.leads) == NotApplicable(NO_DAY)
    assert isinstance(found.ask(funnel.funnel), NotApplicable)
    checks = {check.code: check for check in readiness.checks(found)}
    for code in ("DR01", "DR06"):
        assert (checks[code].outcome, checks[code].detail) == ("not applicable", NO_DAY)
    assert not [check for check in checks.values() if check.outcome == "failed"]


def test_there_is_no_last_day(opened: Company) -> None:
    message = (
        "No lead, deal or stage event has a date, so there is no day to report as of. "
        "Name `as_of`, the day on which the data were exported."
    )
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        last_day(opened)


@pytest.mark.parametrize(("name", "as_of"), [("xeducation", None), ("hillstrom", "2026-11-01")])
def test_a_pipeline_review_refuses_with_the_remedy(
    name: str, as_of: str | None, public_data: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = public_data(name, name)
    monkeypatch.chdir(ROOT)
    inputs, definitions = f"params/inputs/{name}.yml", f"params/definitions_{name}.yml"
    said = {"inputs": inputs, "definitions": definitions, "data": str(folder), "as_of": as_of}
    plan = PipelineReview.read(said | {"targets": None, "decisions": None}, "This test")
    message = (
        f"{opened_at(name, folder).name}: {NO_DAY}, and a pipeline review does nothing else. Map `created_at` of leads "
        f"in {inputs} and take `undated` out; leads without days can only be scored."
    )
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        plan.view()
