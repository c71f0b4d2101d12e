"""Who is worth contacting, on companies whose truth is known; which lead was in which arm, on both engines."""

from __future__ import annotations

import re

import ibis
import numpy as np
import pandas as pd
import pytest

from small_companies import company_of, definitions_of, events_of, leads_of, times
from small_experiments import AS_OF, answered, assigned, compared, leads, opposed, viewed
from smarketing.company.tables import CompanyError
from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.contact.arms import CONTROL, NEITHER, TREATED, Arms, arms
from smarketing.measures.scoring.contact.uplift import Uplift
from smarketing.measures.scoring.leads.features import draw
from smarketing.measures.view import View, view


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return opposed(1)


@pytest.fixture(scope="module")
def found(rows: pd.DataFrame) -> Uplift:
    return answered(rows)


def test_the_score_of_who_is_moved_beats_that_of_who_is_likely(found: Uplift) -> None:
    # Those who are likely are moved least, so contacting them first is worse than chance.
    assert found.propensity.qini.upper < 0 < found.uplift.qini.lower
    assert found.difference.lower > 0
    assert found.difference.value == pytest.approx(found.uplift.qini.value - found.propensity.qini.value)
    assert found.uplift.spread.lower > 0 > found.propensity.spread.upper
    assert found.contrast.lower > 0
    assert found.overlap < 0.1


def test_what_was_measured_is_what_is_true(rows: pd.DataFrame, found: Uplift) -> None:
    assert (found.n, found.events, found.accounts) == (4_000, int(rows["bought"].sum()), 4_000)
    called = rows["arm"] == "called"
    assert (found.average.treated.n, found.average.control.n) == (called.sum(), (~called).sum())
    rates = rows.groupby("arm")["bought"].mean()
    assert found.average.value == pytest.approx(rates["called"] - rates["left alone"])
    assert found.average.lower < rows["truth"].mean() < found.average.upper
    truth = rows.set_index("lead_id")["truth"][found.subject_id].to_numpy()
    # Known to half a lead's noise: where the size is not known, nothing can be.
    assert np.corrcoef(found.uplift.value, truth)[0, 1] > 0.75
    assert np.corrcoef(found.propensity.value, truth)[0, 1] < -0.75
    assert found.uplift.value.mean() == pytest.approx(found.average.value, abs=0.01)


def test_cells_and_fifths_hold_all_leads_and_their_true_effects(rows: pd.DataFrame, found: Uplift) -> None:
    cells = found.disagreement
    assert list(zip(cells["propensity"], cells["uplift"], strict=True)) == [
        (p, u) for p in (1, 2, 3) for u in (1, 2, 3)
    ]
    assert cells["n"].sum() == found.n
    assert (cells["treated_n"] + cells["control_n"]).tolist() == cells["n"].tolist()
    shown = cells[cells["reason"] == ""]
    assert shown["effect"].to_numpy() == pytest.approx((shown["treated_rate"] - shown["control_rate"]).to_numpy())
    assert found.cell(1, 3)["effect"] > found.cell(3, 1)["effect"]
    truth = rows.set_index("lead_id")["truth"][found.subject_id].to_numpy()
    bins = found.uplift.bins
    assert bins["fifth"].tolist() == [1, 2, 3, 4, 5]
    assert bins["n"].sum() == found.n
    assert bins["effect"].iloc[-1] > bins["effect"].iloc[0]
    assert ((bins["lower"] < truth.max()) & (bins["upper"] > truth.min())).all()


def test_a_curve_ends_at_the_effect_of_contacting_all(found: Uplift) -> None:
    for one in (found.uplift, found.propensity):
        assert one.curve["called"].tolist() == [place / 100 for place in range(101)]
        assert one.curve["gained"].iloc[0] == 0
        assert one.curve["gained"].iloc[-1] == pytest.approx(found.average.value)
        assert one.gained(0.5) == pytest.approx(one.curve["gained"].iloc[50])
    assert found.uplift.gained(0.5) > found.average.value / 2 > found.propensity.gained(0.5)


def test_the_same_again_is_the_same(rows: pd.DataFrame, found: Uplift) -> None:
    again = answered(rows)
    assert (again.uplift.value == found.uplift.value).all()
    assert again.difference == found.difference
    assert again.disagreement.equals(found.disagreement)


def test_accounts_are_randomised_as_a_whole_on_both_engines(engine: ibis.BaseBackend) -> None:
    rows = in_accounts(opposed(2, 900))
    asked = compared(viewed(engine, rows, assigned(rows, "account")))
    same = compared(viewed(ibis.duckdb.connect(), rows, assigned(rows, "lead")))
    assert isinstance(asked, Uplift)
    assert isinstance(same, Uplift)
    assert (asked.n, asked.accounts) == (900, 300)
    assert (asked.uplift.value == same.uplift.value).all()
    assert asked.average == same.average
    # As if leads were independent, the interval is narrower: a third of the leads are accounts, alike in their arm.
    assert asked.average.treated.clusters == int((rows.drop_duplicates("account_id")["arm"] == "called").sum())


def in_accounts(rows: pd.DataFrame) -> pd.DataFrame:
    """Put three leads into each account, and accounts into arms."""
    account = [f"A{place // 3:04}" for place in range(len(rows))]
    arm = rows["arm"].to_numpy()[[place // 3 * 3 for place in range(len(rows))]]
    return rows.assign(account_id=account, arm=arm)


def test_what_sales_filled_in_afterwards_is_not_used(rows: pd.DataFrame, found: Uplift) -> None:
    leaky = rows.assign(verdict=np.where(rows["bought"], "good", "bad").astype(object))
    opened = viewed(ibis.duckdb.connect(), leaky, assigned(rows), leads={"verdict": "after"})
    without = compared(opened)
    assert (without.uplift.value == found.uplift.value).all()
    scoring = opened.definitions.scoring
    assert scoring is not None
    drawn = draw(opened, scoring)
    assert "verdict" in [role.name for role in drawn.sample.roles]
    tone = tuple(role for role in drawn.sample.roles if role.name == "tone")
    narrow = compared(opened, roles=tone)
    assert abs(narrow.propensity.qini.value) < abs(found.propensity.qini.value) / 3


# Which lead was in which arm


def test_leads_are_joined_to_their_own_arm_and_to_their_accounts(engine: ibis.BaseBackend) -> None:
    rows = [("l1", "2026-03-01", "a1"), ("l2", "2026-03-01", "a1"), ("l3", "2026-03-01", "a2"),
            ("l4", "2026-03-01", None), ("l5", "2026-03-01", "a3"), ("l6", "2026-03-01", None)]  # fmt: skip
    given = pd.DataFrame(
        [
            ("x", "account", "a1", "on", "2026-03-04"),
            ("x", "account", "a2", "off", None),
            ("x", "lead", "l4", "on", "2026-03-09"),
            ("x", "lead", "l4", "on", "2026-03-02"),  # twice: the earliest day counts
            ("x", "lead", "l5", "other", "2026-03-01"),  # an arm that is not asked for
            ("y", "lead", "l6", "on", "2026-03-01"),  # of another experiment
            ("x", "lead", "gone", "off", "2026-03-01"),  # a lead that is not there
            ("x", "region", "EMEA", "off", "2026-03-01"),  # not of leads
        ],
        columns=["experiment", "unit_kind", "unit_id", "arm", "assigned_at"],
    ).astype(object)
    given["assigned_at"] = times(*given["assigned_at"])
    opened = dated(engine, leads_of(*rows), given)
    found = arms(opened, draw(opened, scoring_of(opened)).sample, treated="on", control="off")
    assert isinstance(found, Arms)
    assert found.experiment == "x"
    assert found.arm.tolist() == [TREATED, TREATED, CONTROL, TREATED, NEITHER, NEITHER]
    assert [str(day) for day in found.day] == ["2026-03-04", "2026-03-04", "NaT", "2026-03-02", "NaT", "NaT"]


def dated(
    backend: ibis.BaseBackend, rows: pd.DataFrame, given: pd.DataFrame, events: pd.DataFrame | None = None
) -> View:
    told = events_of(("l1", "sql", "2026-03-20")) if events is None else events
    company = company_of(backend, {"leads": rows, "stage_events": told, "assignments": given})
    entry = {
        "to_stage": "sql",
        "within_days": 60,
        "weekly_capacity": 10,
        "cost_of_working": 1.0,
        "threshold": 0.3,
    }
    return view(company, definitions_of(scoring=entry), AS_OF)


def scoring_of(opened: View):  # type: ignore[no-untyped-def]
    assert opened.definitions.scoring is not None
    return opened.definitions.scoring


def test_with_days_a_lead_counts_where_its_assignment_came_first() -> None:
    # 200 leads of 1 March, half assigned on the day; SQL after ten days for every third, more often in the arm.
    n = 200
    names = [f"l{place:03}" for place in range(n)]
    reached = [name for place, name in enumerate(names) if place % 3 == 0 or place % 8 == 1]
    events = events_of(*((name, "sql", "2026-03-11") for name in reached), ("early", "sql", "2026-03-02"))
    rows = leads_of(
        *((name, "2026-03-01", name) for name in names),
        ("early", "2026-03-01", "e1"),  # reached the stage before it was assigned
        ("late", "2026-03-20", "a-late"),  # came to be after its account was assigned
    )
    rows["kind"] = [("small", "large")[place % 2] for place in range(n)] + ["small", "small"]
    given = pd.DataFrame(
        [("x", "lead", name, ("off", "on")[place // 2 % 2], "2026-03-01") for place, name in enumerate(names)]
        + [("x", "lead", "early", "on", "2026-03-05"), ("x", "account", "a-late", "off", "2026-03-10")],
        columns=["experiment", "unit_kind", "unit_id", "arm", "assigned_at"],
    ).astype(object)
    given["assigned_at"] = times(*given["assigned_at"])
    opened = dated(ibis.duckdb.connect(), rows, given, events)
    found = compared(opened, treated="on", control="off")
    assert isinstance(found, Uplift)
    assert {"early", "late"} & set(found.subject_id) == set()
    assert (found.n, found.events, found.goal, found.within_days) == (n, len(reached), "SQL", 60)
    on = [name for place, name in enumerate(names) if place // 2 % 2]
    expected = np.isin(on, reached).mean() - np.isin([name for name in names if name not in on], reached).mean()
    assert found.average.value == pytest.approx(expected)
    later = given.assign(assigned_at=times(*["2026-02-20"] * len(given)))
    assert compared(dated(ibis.duckdb.connect(), rows, later, events), treated="on", control="off") == NotApplicable(
        "every lead was assigned on an earlier day than its scoring moment, so what is known at that moment may be an "
        "effect of the contact"
    )


def refused(given: pd.DataFrame, message: str, **options: str) -> None:
    opened = viewed(ibis.duckdb.connect(), leads(0, 40, base=lambda x: 0 * x + 0.4, effect=lambda x: 0 * x), given)
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        compared(opened, **options)


def units(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["experiment", "unit_kind", "unit_id", "arm"]).astype(object)


CALLS = units(*(("calls", "lead", f"L{place:05}", ("called", "left alone")[place % 2]) for place in range(40)))


def test_an_arm_that_does_not_occur_is_refused() -> None:
    message = "No assignment is to the arm 'caled' (`treated`). Did you mean 'called'?"
    refused(CALLS, message, treated="caled")
    message = "No assignment is to the arm 'zzz' (`control`). Allowed are called, left alone."
    refused(CALLS, message, control="zzz")
    message = "No assignment is of the experiment 'call'. Did you mean 'calls'?"
    refused(CALLS, message, experiment="call")
    message = (
        "No assignment of the experiment 'calls' is to the arm 'post' (`treated`). Allowed are called, left alone."
    )
    mailed = pd.concat([CALLS, units(("mails", "lead", "L00001", "post"))])
    refused(mailed, message, treated="post", experiment="calls")


def test_arms_that_were_never_compared_are_refused() -> None:
    message = "`treated` and `control` are both 'called'. Name two different arms."
    refused(CALLS, message, control="called")
    message = "Only the arm `treated` ('called') is named. Name `control` too, or neither of them."
    refused(CALLS, message, control=None)  # type: ignore[arg-type]
    message = "Only the arm `control` ('left alone') is named. Name `treated` too, or neither of them."
    refused(CALLS, message, treated=None)  # type: ignore[arg-type]
    message = (
        "No experiment has both arms: 'mailed' is of 'mails', 'left alone' of 'calls'. Name two arms of one experiment."
    )
    refused(pd.concat([CALLS, units(("mails", "lead", "L00001", "mailed"))]), message, treated="mailed")
    message = (
        "The arms 'called' and 'left alone' are together in 2 experiments: again, calls. Say which by `experiment`."
    )
    refused(pd.concat([CALLS, CALLS.assign(experiment="again")]), message)


def test_a_unit_in_both_arms_is_refused() -> None:
    twice = CALLS.head(4).assign(arm=CALLS["arm"].iloc[1:5].to_list())
    message = (
        "4 units of the experiment 'calls' in both arms, 'called' and 'left alone': lead L00000, lead L00001, lead "
        "L00002. A unit is in one arm: keep one assignment of each."
    )
    refused(pd.concat([CALLS, twice]), message)
    accounts = units(("calls", "account", "A00000", "left alone"), ("calls", "account", "A00001", "left alone"))
    message = (
        "1 lead of the experiment 'calls': in one of the arms 'called' and 'left alone' by their own assignment, in "
        "the other by their account's (lead L00000). Keep one assignment of each."
    )
    refused(pd.concat([CALLS, accounts]), message)


def test_without_an_experiment_there_is_nothing_to_say() -> None:
    rows = leads(0, 400, base=lambda x: 0 * x + 0.4, effect=lambda x: 0 * x)
    opened = viewed(ibis.duckdb.connect(), rows, assigned(rows))
    assert compared(opened, treated=None, control=None) == NotApplicable("no experiment is named")
    bare = viewed(ibis.duckdb.connect(), rows, None)
    assert compared(bare) == NotApplicable("no `assignments` table is mapped")
    regions = units(("calls", "region", "EMEA", "called"), ("calls", "region", "APAC", "left alone"))
    assert compared(viewed(ibis.duckdb.connect(), rows, regions)) == NotApplicable(
        "the experiment 'calls' is made on units of the kind 'region', and leads or accounts are needed"
    )
    elsewhere = assigned(rows).assign(unit_id=lambda frame: "other " + frame["unit_id"])
    assert compared(viewed(ibis.duckdb.connect(), rows, elsewhere)) == NotApplicable(
        "no lead that is looked at is in the arms 'called' and 'left alone'"
    )


def test_thin_evidence_is_a_reason() -> None:
    rows = leads(0, 400, base=lambda x: 0 * x + 0.4, effect=lambda x: 0 * x)
    few = rows.assign(arm=np.where(np.arange(400) < 12, "called", "left alone").astype(object))
    assert compared(viewed(ibis.duckdb.connect(), few, assigned(few))) == NotApplicable(
        "the arm 'called' has 12 leads of known outcome, fewer than 30"
    )
    large = rows.assign(account_id=[f"A{place % 20}" for place in range(400)])
    reason = compared(viewed(ibis.duckdb.connect(), large, assigned(rows))).reason
    assert re.fullmatch(
        r"the arm 'called' has \d+ leads of known outcome, of accounts that weigh as much as 1\d\.\d equal ones, fewer "
        r"than 30",
        reason,
    )
    rare = rows.assign(bought=np.arange(400) < 4)
    assert compared(viewed(ibis.duckdb.connect(), rare, assigned(rare))) == NotApplicable(
        "only 4 accounts in the two arms have the outcome, fewer than 10"
    )
    open_ = rows.assign(bought=pd.array([None] * 400, dtype="boolean"))
    assert compared(viewed(ibis.duckdb.connect(), open_, assigned(open_))) == NotApplicable(
        "the outcome is not recorded for any lead in the two arms"
    )
