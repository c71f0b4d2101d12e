"""The traps of the two public data sets, and the numbers that are right, counted by pandas from the files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smarketing.company.definitions import read_definitions
from smarketing.company.inputs import open_company
from smarketing.company.tables import Company, ObservedFrom
from smarketing.company.targets import Targets
from smarketing.measures.conversion import convert_by
from smarketing.measures.deals import win_rates
from smarketing.measures.funnel import funnel
from smarketing.measures.headline import headline
from smarketing.measures.readiness import checks
from smarketing.measures.scope import BLANK
from smarketing.measures.view import View, last_day, view

PARAMS = Path(__file__).parents[2] / "params"
NAIVE = 842 / 8_000


def opened(name: str, folder: Path) -> tuple[Company, View]:
    company = open_company(PARAMS / f"inputs/{name}.yml", data=folder)
    definitions = read_definitions(PARAMS / f"definitions_{name}.yml")
    return company, view(company, definitions, last_day(company))


@pytest.fixture(scope="module")
def olist_folder(public_data: Callable[[str, str], Path]) -> Path:
    return public_data("olist", "olist")


@pytest.fixture(scope="module")
def olist(olist_folder: Path) -> tuple[Company, View]:
    return opened("olist", olist_folder)


@pytest.fixture(scope="module")
def olist_rows(olist_folder: Path) -> pd.DataFrame:
    """Every lead with the days it took to win, NaN where it was not won, from the files alone."""
    leads = pd.read_csv(
        olist_folder / "olist_marketing_qualified_leads_dataset.csv", parse_dates=["first_contact_date"]
    )
    deals = pd.read_csv(olist_folder / "olist_closed_deals_dataset.csv", parse_dates=["won_date"])
    rows = leads.merge(deals[["mql_id", "won_date"]], on="mql_id", how="left")
    return rows.assign(
        origin=rows["origin"].fillna(BLANK),
        days=(rows["won_date"].dt.normalize() - rows["first_contact_date"]).dt.days,
    )


@pytest.fixture(scope="module")
def crm(public_data: Callable[[str, str], Path]) -> tuple[Company, View]:
    return opened("crm_opportunities", public_data("crm_opportunities", "crm_opportunities"))


@pytest.fixture(scope="module")
def crm_rows(public_data: Callable[[str, str], Path]) -> pd.DataFrame:
    folder = public_data("crm_opportunities", "crm_opportunities")
    rows = pd.read_csv(folder / "sales_pipeline.csv", parse_dates=["engage_date", "close_date"])
    return rows[rows["engage_date"].notna()]


def kept(rows: pd.DataFrame, since: str = "2017-12-05") -> pd.DataFrame:
    """Leads whose whole follow-up is on record. All of them are older than the horizon, so shares are plain."""
    return rows[(rows["first_contact_date"] >= since) & ~(rows["days"] < 0)]


def test_the_trap_is_in_the_files(olist_rows: pd.DataFrame) -> None:
    assert olist_rows["days"].notna().mean() == NAIVE
    assert olist_rows["first_contact_date"].min() == pd.Timestamp("2017-06-14")
    assert olist_rows["won_date"].min().date() == date(2017, 12, 5)
    assert (olist_rows["days"] < 0).sum() == 1
    assert (pd.Timestamp("2018-11-14") - olist_rows["first_contact_date"].max()).days > 150


def test_olist_conversion_is_that_of_the_cohorts_whose_follow_up_is_on_record(
    olist: tuple[Company, View], olist_rows: pd.DataFrame
) -> None:
    measured = funnel(olist[1])
    expected = kept(olist_rows)
    hits = (expected["days"] <= 150).sum()
    assert measured.cohort.label == "5 Dec 2017 to 14 Nov 2018"
    assert (measured.n, measured.won["events"]) == (len(expected), hits) == (6_172, 737)
    assert measured.won["share"] == pytest.approx(hits / len(expected), abs=1e-12)
    assert measured.won["lower"] < measured.won["share"] < measured.won["upper"]
    assert measured.won["lower"] > NAIVE
    assert measured.timing["days_to_half"].tolist() == [
        expected.loc[expected["days"] <= 150, "days"].quantile(0.5, "lower")
    ]
    assert measured.precision == "No account is recorded for MQLs, so 95% intervals treat them as independent."


def test_the_naive_rate_is_no_figure_of_olist(olist: tuple[Company, View]) -> None:
    _, seen = olist
    measured = funnel(seen)
    shown = [figure.value for figure in (*headline(seen, Targets()).figures, *measured.figures)]
    shown += [measured.naive, *measured.exits["share"], *convert_by(seen, "source").rows["share"]]
    numbers = np.array([value for value in shown if value is not None and value == value])
    assert len(numbers) > 10
    assert (abs(numbers - NAIVE) > 1e-3).all()


def test_olist_origins_have_blank_and_unknown_apart_and_social_is_slower_and_lower(
    olist: tuple[Company, View], olist_rows: pd.DataFrame
) -> None:
    found = convert_by(olist[1], "source").rows.set_index("group")
    expected = kept(olist_rows)
    hit = expected["days"] <= 150
    assert found["n"].drop("All MQLs").to_dict() == expected.groupby("origin").size().to_dict()
    assert found["won"].drop("All MQLs").to_dict() == hit.groupby(expected["origin"]).sum().to_dict()
    rates, shown = hit.groupby(expected["origin"]).mean(), found["share"].drop("All MQLs").dropna()
    assert shown.to_dict() == pytest.approx(rates[shown.index].to_dict(), abs=1e-12)
    assert found.loc[[BLANK, "unknown"], "n"].tolist() == [51, 838]
    social = found.loc["social"]
    assert social["upper"] < found.loc["All MQLs", "lower"]
    assert social["days_lower"] > found.loc["All MQLs", "days_upper"]


def test_truncation_is_noticed_where_the_input_file_does_not_say(
    olist: tuple[Company, View], olist_rows: pd.DataFrame
) -> None:
    company, told = olist
    unsaid = view(replace(company, observed_from=()), told.definitions, last_day(company))
    (noticed,) = unsaid.company.observed_from
    # A wrong date or two do not count as a beginning: it is the day of the third win.
    third = olist_rows["won_date"].sort_values().iloc[2].date()
    because = "noticed in the data; the input file does not say"
    assert noticed == ObservedFrom(("won",), third, "whole_cohorts", because)
    assert date(2017, 12, 5) <= third <= date(2017, 12, 14)
    measured = funnel(unsaid)
    assert measured.n == len(kept(olist_rows, str(third)))
    assert measured.won["share"] == pytest.approx(funnel(told).won["share"], abs=0.001)
    assert measured.won["lower"] > NAIVE
    check = next(check for check in checks(unsaid) if check.code == "DR03")
    assert (check.outcome, check.detail) == (
        "warning",
        f"Won: on record only from {third}; journeys that began earlier are left out ({because})",
    )


def test_b2b_deals_enter_late_and_their_money_is_withheld_with_the_counts(
    crm: tuple[Company, View], crm_rows: pd.DataFrame
) -> None:
    measured = win_rates(crm[1])
    (truncated,) = measured.observed_from
    assert (truncated.start, truncated.treatment) == (date(2017, 3, 1), "delayed_entry")
    rates = measured.rates.set_index("rate")
    assert rates["n"].to_dict() == {
        "by count": 8_300,
        "by amount": 0,
        "closed only by count": 6_711,
        "closed only by amount": 6_711,
    }
    blank = (crm_rows["close_value"].fillna(0) == 0).sum()
    assert rates["reason"].to_dict() == {
        "by count": "",
        "by amount": f"{blank:,} of 8,300 deals have no amount",
        "closed only by count": "",
        "closed only by amount": "2,473 of 6,711 closed deals have no amount",
    }
    assert np.isnan(rates.loc[["by amount", "closed only by amount"], ["value", "lower", "upper"]].to_numpy()).all()
    # 4,238 won and 2,473 lost; the cohort's rate is R's (test_incidence).
    assert rates.loc["closed only by count", "value"] == pytest.approx(4_238 / 6_711, abs=1e-12)
    assert f"{rates.loc['closed only by count', 'value']:.2%}" == "63.15%"
    assert rates.loc["by count", "value"] == pytest.approx(0.512103694227755, abs=1e-12)
    assert measured.ends["by_count"].sum() == pytest.approx(1, abs=1e-12)
    assert measured.ends["by_amount"].isna().all()


def test_b2b_bookings_are_the_won_amounts_of_complete_weeks(crm: tuple[Company, View], crm_rows: pd.DataFrame) -> None:
    figures = {figure.name: figure for figure in headline(crm[1], Targets()).figures}
    recent = crm_rows[crm_rows["close_date"].between("2017-11-20", "2017-12-31") & (crm_rows["deal_stage"] == "Won")]
    assert figures["bookings"].period == "6 weeks to 31 Dec 2017"
    assert figures["bookings"].value == pytest.approx(recent["close_value"].sum())
    assert figures["bookings"].n == len(recent)
    started = crm_rows[crm_rows["engage_date"].between("2017-07-23", "2017-09-02")]
    days = (started["close_date"] - started["engage_date"]).dt.days
    won = (started["deal_stage"] == "Won") & (days <= 120)
    assert figures["close_rate"].period == "entered 23 Jul 2017 to 2 Sep 2017"
    assert figures["close_rate"].value == pytest.approx(won.mean(), abs=1e-12)
    assert {check.code: check.outcome for check in checks(crm[1])}["DR03"] == "warning"
