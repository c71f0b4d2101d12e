"""Features of leads at their moment, against plain loops over the rows; nothing from later enters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from scored_company import frames

from small_companies import company_of, definitions_of, events_of, leads_of, times
from smarketing.company.definitions import Definitions
from smarketing.company.scoring import Scoring
from smarketing.company.tables import CompanyError
from smarketing.measures.scoring.leads.engagement import with_engagement
from smarketing.measures.scoring.leads.features import Drawn, check_moments, draw, feature_table, sample, usable
from smarketing.measures.scoring.leads.moments import AT, moments
from smarketing.measures.scoring.leads.sample import Feature
from smarketing.measures.view import View, view

AS_OF = date(2026, 6, 15)
SAID = {"to_stage": "sql", "within_days": 30, "weekly_capacity": 5, "cost_of_working": 1, "threshold": 0.2}


def agreed(**said: Any) -> Definitions:
    return definitions_of(
        funnel=("lead", "mql", "sql", "won"), exits=("rejected",), deals_from="none", scoring=SAID | said
    )


def viewed(
    engine: ibis.BaseBackend, tables: Mapping[str, pd.DataFrame], as_of: date = AS_OF, **said: Any
) -> tuple[View, Scoring]:
    definitions = agreed(**said)
    assert definitions.scoring is not None
    return view(company_of(engine, tables), definitions, as_of), definitions.scoring


def moment_of(created: datetime, days: int) -> datetime:
    if not days:
        return created
    return datetime.combine(created.date(), datetime.min.time()) + timedelta(days=days + 1)


def counted(rows: pd.DataFrame, moment: datetime) -> dict[str, float]:
    """Count contacts by hand."""
    rows = rows[(rows["at"] < moment) & (rows["at"] >= moment - timedelta(days=90))]
    seconds = (moment - rows["at"]).dt.total_seconds()
    found: dict[str, float] = {f"in_{d}_days": float((seconds <= d * 86_400).sum()) for d in (7, 30, 90)}
    found["decayed"] = float(np.round(0.5 ** (seconds / (14 * 86_400)) * 1e6).sum() / 1e6)
    found["days_since_last"] = float(seconds.min() // 86_400) if len(rows) else float("nan")
    if "channel" in rows:
        for column, name in (("channel", "channels"), ("landing_page", "pages"), ("content_id", "contents")):
            found[name] = float(rows[column].nunique())
    return found


def by_hand(tables: Mapping[str, pd.DataFrame], lead: str, days: int) -> dict[str, float]:
    """Count what a lead and its account did before its moment, row by row."""
    leads = tables["leads"].set_index("lead_id")
    account = leads["account_id"].to_dict()
    moment = moment_of(leads.loc[lead, "created_at"].to_pydatetime(), days)
    touches, mine = tables["touches"], account[lead]
    own = touches[touches["lead_id"] == lead]
    found = {f"touches.{name}": value for name, value in counted(own, moment).items()}
    recent = own[(own["at"] < moment) & (own["at"] >= moment - timedelta(days=90))]
    for value, name in (("Paid search", "paid_search"), ("E-mail", "e_mail"), ("Event", "event")):
        found[f"touches.channel.{name}"] = float((recent["channel"] == value).sum())
    for value, name in (("/", "root"), ("/pricing", "pricing"), ("/docs/Start", "docs_start")):
        found[f"touches.page.{name}"] = float((recent["landing_page"] == value).sum())
    whose = touches["account_id"].fillna(touches["lead_id"].map(account))
    theirs = (whose == mine) & (touches["lead_id"] != lead)
    found |= {f"account_touches.{name}": value for name, value in counted(touches[theirs], moment).items()}
    done = tables["activities"]
    done = done[(done["lead_id"] == lead) & (done["owner_id"] == "o1")]
    return found | {f"marketing_activities.{name}": value for name, value in counted(done, moment).items()}


@pytest.mark.parametrize("days", [0, 5])
def test_engagement_is_what_a_loop_over_the_rows_counts(engine: ibis.BaseBackend, days: int) -> None:
    tables = frames()
    found = sample(*viewed(engine, tables, moment_days=days))
    engaged = [role.name for role in found.roles if role.side == "engagement"]
    expected = pd.DataFrame([by_hand(tables, lead, days) for lead in found.subject_id])
    assert len(found) > 50
    assert set(engaged) == set(expected.columns)
    assert expected.drop(columns=[c for c in expected if c.endswith("last")]).gt(0).any().all()
    pd.testing.assert_frame_equal(found.features[engaged], expected[engaged], check_exact=False, atol=2e-6, rtol=0)
    assert {role.known for role in found.roles if role.side == "engagement"} == {"dated"}


def drawn(engine: ibis.BaseBackend, **said: Any) -> Drawn:
    return draw(*viewed(engine, frames(), **said))


def test_fit_is_the_columns_that_say_who_a_lead_is(engine: ibis.BaseBackend) -> None:
    tables, found = frames(), drawn(engine)
    leads = tables["leads"].set_index("lead_id").loc[list(found.sample.subject_id)]
    accounts = tables["accounts"].set_index("account_id").reindex(leads["account_id"])
    fit = {role.name: role for role in found.sample.roles if role.side == "fit"}
    assert list(fit) == [
        "source", "size", "visits", "wants_demo", "accounts.industry", "accounts.employees", "created.weekday",
        "created.hour", "accounts.days_known",
    ]  # fmt: skip
    values = found.sample.features
    assert values["source"].tolist() == leads["source"].tolist()
    assert values["wants_demo"].tolist() == leads["wants_demo"].astype(float).tolist()
    np.testing.assert_array_equal(values["size"], leads["size"].astype(float))
    assert values["accounts.industry"].tolist() == [None if v != v else v for v in accounts["industry"]]
    np.testing.assert_array_equal(values["accounts.employees"], accounts["employees"].astype(float))
    assert values["created.weekday"].tolist() == [at.day_name() for at in leads["created_at"]]
    assert values["created.hour"].tolist() == [float(at.hour) for at in leads["created_at"]]
    days = [
        (at.normalize() - since.normalize()).days if since == since else float("nan")
        for at, since in zip(leads["created_at"], accounts["created_at"], strict=True)
    ]
    np.testing.assert_array_equal(values["accounts.days_known"], [min(d, 90) if d > 0 else float("nan") for d in days])
    assert max(d for d in days if d == d) > 90
    kinds = {name: (role.kind, role.known, role.origin) for name, role in fit.items()}
    assert kinds["source"] == ("category", "undeclared", "leads.source")
    assert kinds["accounts.employees"] == ("number", "undeclared", "accounts.employees")
    assert kinds["accounts.days_known"] == ("number", "dated", "accounts.created_at")
    assert values.dtypes.map(str).isin(["float64", "object"]).all()


def test_what_is_left_out_is_named_with_its_reason(engine: ibis.BaseBackend) -> None:
    reasons = {one.name: one.reason for one in drawn(engine, without=["visits"]).skipped}
    assert reasons == {
        "lead_id": "identifies rows",
        "account_id": "identifies rows",
        "accounts.account_id": "identifies rows",
        "owner_id": "says who in sales has the lead, which is decided after it is scored",
        "accounts.name": "names a person or a company",
        "work_email": "names a person or a company",
        "seen_by_sales": "is a time, and says nothing without a moment",
        "visits": "is left out by the definitions",
        "constant": "has one value only",
        "note": "has 59 different values, as free text has",
    }


def test_a_running_number_is_no_feature(engine: ibis.BaseBackend) -> None:
    tables = frames(leads=260)
    tables["leads"] = tables["leads"].assign(number=range(1_000, 1_260))
    reasons = {one.name: one.reason for one in draw(*viewed(engine, tables)).skipped}
    assert reasons["number"] == "has another value in every row, as a running number has"
    assert "visits" not in reasons


def planted(tables: dict[str, pd.DataFrame], days: int, *apart: timedelta) -> dict[str, pd.DataFrame]:
    """Plant contacts and actions so far from every lead's moment."""
    rows = [
        {
            "lead_id": lead,
            "at": moment_of(created.to_pydatetime(), days) + far,
            "owner_id": "o1",
            "kind": "call",
        }
        for far in apart
        for lead, created in zip(tables["leads"]["lead_id"], tables["leads"]["created_at"], strict=True)
    ]
    extra = pd.DataFrame(rows).assign(channel="Event", touch_id=[f"planted{n}" for n in range(len(rows))])
    found = dict(tables)
    for name in ("touches", "activities"):
        both = pd.concat([tables[name], extra[[c for c in extra if c in tables[name]]]], ignore_index=True)
        found[name] = both.assign(at=both["at"].astype("datetime64[us]"))
    return found


@pytest.mark.parametrize("days", [0, 5])
def test_contacts_planted_at_the_moment_and_after_it_change_nothing(engine: ibis.BaseBackend, days: int) -> None:
    tables = frames()
    # Each lead is an account of its own: what is later for it must not be earlier for another lead of its account.
    tables["leads"] = tables["leads"].assign(account_id=tables["leads"]["lead_id"])
    del tables["accounts"]
    tables["touches"] = tables["touches"][tables["touches"]["lead_id"].notna()].assign(account_id=None)
    before = sample(*viewed(engine, tables, moment_days=days))
    late = planted(tables, days, timedelta(0), timedelta(seconds=1), timedelta(days=3))
    after = sample(*viewed(engine, late, moment_days=days))
    assert before.roles == after.roles
    pd.testing.assert_frame_equal(before.features, after.features)
    # The same contacts a second earlier are seen.
    early = sample(*viewed(engine, planted(tables, days, timedelta(seconds=-1)), moment_days=days)).features
    for name in ("touches.in_7_days", "touches.channel.event", "marketing_activities.in_7_days"):
        assert (early[name] == before.features[name] + 1).all()


def test_where_only_days_are_recorded_those_of_the_moments_day_stay_out(engine: ibis.BaseBackend) -> None:
    leads = leads_of(("A", "2026-03-05 10:00"), ("B", "2026-03-06 10:00"))
    contacts = pd.DataFrame(
        {
            "touch_id": ["1", "2", "3"],
            "lead_id": ["A", "A", "B"],
            "at": times("2026-03-04", "2026-03-05", "2026-03-06"),
        }
    )
    tables = {"leads": leads, "stage_events": events_of(("A", "mql", "2026-03-09")), "touches": contacts}
    assert sample(*viewed(engine, tables)).features["touches.in_7_days"].tolist() == [1.0, 0.0]
    # With one time of day on record, days without one are midnights.
    tables["touches"] = contacts.assign(at=times("2026-03-04 09:00", "2026-03-05", "2026-03-06"))
    assert sample(*viewed(engine, tables)).features["touches.in_7_days"].tolist() == [2.0, 1.0]


def test_a_breach_of_the_moment_is_raised(engine: ibis.BaseBackend) -> None:
    looked, scoring = viewed(engine, frames())
    roles = [role for role in sample(looked, scoring).roles if role.name == "touches.in_7_days"]
    found = with_engagement(looked.company, moments(looked, scoring).table, roles)
    check_moments(found)
    moved = found.mutate(**{AT: (found.subject_id == "L007").ifelse(found[AT] - ibis.interval(days=400), found[AT])})
    pattern = (
        r"touches of lead 'L007' hold something of 2026-\d\d-\d\d [\d:.]+, and its scoring moment is "
        r"202[45]-\d\d-\d\d [\d:.]+: only what is dated before it may enter"
    )
    with pytest.raises(ValueError, match=f"^{pattern}$"):
        check_moments(moved)


def test_a_declaration_of_the_input_file_is_what_is_known(engine: ibis.BaseBackend) -> None:
    looked, scoring = viewed(engine, frames())
    known = {"leads": {"source": "before", "visits": "after"}, "accounts": {"industry": "before"}}
    found = sample(replace(looked, company=replace(looked.company, known=known)), scoring)
    said = {role.name: role.known for role in found.roles if role.side == "fit"}
    assert [said[name] for name in ("source", "visits", "size")] == ["before", "after", "undeclared"]
    assert [said[name] for name in ("accounts.industry", "accounts.employees")] == ["before", "undeclared"]
    assert "visits" in found.features
    assert {role.name for role in found.roles} - {role.name for role in usable(found.roles)} == {"visits"}


def test_the_definitions_words_are_the_labels(engine: ibis.BaseBackend) -> None:
    words = {"accounts.employees": "company size", "touches.channel.paid_search": "clicks on our ads"}
    labels = {role.name: role.label for role in drawn(engine, words=words).sample.roles}
    assert labels["accounts.employees"] == "company size"
    assert labels["touches.channel.paid_search"] == "clicks on our ads"
    assert labels["accounts.industry"] == "industry of the account"
    assert labels["touches.in_7_days"] == "contacts in the last 7 days"
    assert labels["account_touches.decayed"] == (
        "recent contacts of the account's other leads, the latest counting most"
    )
    assert labels["touches.page.pricing"] == "contacts on page /pricing in the last 90 days"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"without": ["sourse"]},
            "scoring.without names 'sourse', and there is no such feature. Did you mean 'source'?",
        ),
        (
            {"words": {"accounts.employes": "size"}},
            "scoring.words names 'accounts.employes', and there is no such feature. Did you mean 'accounts.employees'?",
        ),
        (
            {"present_system": "crn"},
            "scoring.present_system is 'crn', and no row of the table scores has that in its column system. Did you "
            "mean 'crm'? Name it as the table does, or leave present_system out of the definitions.",
        ),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_the_nearest(
    engine: ibis.BaseBackend, said: dict[str, Any], message: str
) -> None:
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        drawn(engine, **said)


def test_a_channel_that_may_come_again_can_be_named(engine: ibis.BaseBackend) -> None:
    assert len(drawn(engine, without=["touches.channel.fax", "created.hour"]).sample) == 59


def test_the_table_in_the_engine_is_the_sample(engine: ibis.BaseBackend) -> None:
    looked, scoring = viewed(engine, frames())
    found = sample(looked, scoring)
    table = feature_table(looked, scoring)
    names = [role.name for role in found.roles]
    assert table.columns == ("subject_id", "account_id", "at", *names)
    assert {str(table[role.name].type()) for role in found.roles if role.kind == "number"} == {"float64"}
    rows = table.to_pandas().sort_values(["at", "subject_id"]).reset_index(drop=True)
    assert rows["subject_id"].tolist() == found.subject_id.tolist()
    for role in found.roles:
        expected = found.features[role.name]
        if role.kind == "number":
            np.testing.assert_array_equal(rows[role.name].astype(float), expected)
        else:
            assert [None if v != v else v for v in rows[role.name]] == expected.tolist()


def test_a_model_gets_its_features_from_other_data_of_the_company(engine: ibis.BaseBackend) -> None:
    looked, scoring = viewed(engine, frames())
    roles = sample(looked, scoring).roles
    del looked  # ibis keeps its journeys under the same names
    again, _ = viewed(engine, {name: table.head(40) for name, table in frames(seed=2).items()})
    table = feature_table(again, scoring, roles)
    assert table.columns == ("subject_id", "account_id", "at", *(role.name for role in roles))
    assert table.count().execute() == 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda tables: tables | {"accounts": tables["accounts"].drop(columns="employees")},
            "The score uses 'accounts.employees', and accounts have no `employees` any more. Map it in the input file, "
            "or fit the score anew without it.",
        ),
        (
            lambda tables: tables | {"leads": tables["leads"].assign(visits="many")},
            "The score uses 'visits' as a number, and leads.visits now holds text. Give it its `type` in the input "
            "file, or fit the score anew.",
        ),
        (
            lambda tables: {name: table for name, table in tables.items() if name != "touches"},
            "The score uses 'touches.in_7_days', and `touches` of leads are not recorded any more. Map it in the input "
            "file, or fit the score anew without it.",
        ),
        (
            lambda tables: tables | {"touches": tables["touches"].drop(columns="channel")},
            "The score uses 'touches.channels', and touches.channel is not recorded any more. Map it in the input "
            "file, or fit the score anew without it.",
        ),
    ],
)
def test_a_column_that_a_model_needs_and_is_gone_or_changed_is_named(
    engine: ibis.BaseBackend, change: Any, message: str
) -> None:
    looked, scoring = viewed(engine, frames())
    wanted = ("accounts.employees", "visits", "touches.in_7_days", "touches.channels")
    roles = [role for role in sample(looked, scoring).roles if role.name in wanted]
    del looked
    gone, _ = viewed(engine, change(frames()))
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        feature_table(gone, scoring, roles)


def test_a_large_company_gives_whole_accounts_and_every_engine_the_same(postgres: ibis.BaseBackend) -> None:
    tables = frames(leads=200)
    drawn_by = [draw(*viewed(engine, tables), most=70) for engine in (ibis.duckdb.connect(), postgres)]
    first, second = (found.sample for found in drawn_by)
    assert [found.sample.fraction for found in drawn_by] == [len(first) / 199] * 2
    assert 60 < len(first) <= 70
    assert first.subject_id.tolist() == second.subject_id.tolist()
    accounts = tables["leads"].set_index("lead_id")["account_id"]
    kept = accounts[first.subject_id]
    for account in kept.dropna().unique():
        assert set(accounts.index[accounts == account]) - {"L000"} <= set(first.subject_id)


def test_samples_are_in_order_and_engines_agree(postgres: ibis.BaseBackend) -> None:
    one, other = (sample(*viewed(engine, frames(seed=3))) for engine in (ibis.duckdb.connect(), postgres))
    assert one.at is not None and other.at is not None
    assert (one.at[1:] >= one.at[:-1]).all() and one.at.dtype == np.dtype("datetime64[s]")
    assert one.roles == other.roles
    pd.testing.assert_frame_equal(one.features, other.features, check_exact=False, atol=2e-6, rtol=0)
    for name in ("subject_id", "cluster", "status", "age", "at"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.status.dtype, one.age.dtype, one.cluster.dtype) == (np.int8, np.int64, np.int64)


def test_a_company_without_contacts_has_fit_only(engine: ibis.BaseBackend) -> None:
    found = sample(*viewed(engine, {name: frames()[name] for name in ("leads", "stage_events")}))
    assert {role.side for role in found.roles} == {"fit"}


def test_nobody_to_score_is_an_empty_sample(engine: ibis.BaseBackend) -> None:
    found = draw(*viewed(engine, frames(), date(2025, 1, 1)))
    assert (len(found.sample), found.sample.roles) == (0, ())


def test_features_that_are_taken_are_the_rows_asked_for() -> None:
    found = sample(*viewed(ibis.duckdb.connect(), frames(), present_system="crm"))
    positions = np.array([5, 2, 9])
    taken = found.take(positions)
    assert taken.subject_id.tolist() == found.subject_id[positions].tolist()
    assert taken.features.index.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(taken.features["visits"], found.features["visits"].to_numpy()[positions])
    by_mask = found.take(np.arange(len(found)) % 2 == 0)
    assert len(by_mask) == (len(found) + 1) // 2
    assert by_mask.present is not None and by_mask.roles == found.roles
    assert isinstance(found.roles[0], Feature)
