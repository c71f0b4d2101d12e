"""What a view refuses, notices and hides: scopes, stages, currencies, names, and missing exits."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta

import ibis
import numpy as np
import pandas as pd
import pytest

from small_companies import company_of, deal, deals_of, definitions_of, events_of, leads_of
from smarketing.company.expressions import RuleError
from smarketing.company.tables import Company, CompanyError, MissingTable
from smarketing.measures.conversion import convert_by
from smarketing.measures.deals import win_rates
from smarketing.measures.funnel import funnel
from smarketing.measures.journeys import durations, lead_journeys
from smarketing.measures.losses import losses
from smarketing.measures.results import NotApplicable
from smarketing.measures.scope import BLANK, Scope, breakdown, columns, enrich
from smarketing.measures.truncation import missing_exits
from smarketing.measures.view import View, last_day, view

AS_OF = date(2026, 3, 31)
DEFINITIONS = definitions_of()


def refused(message: str) -> pytest.RaisesExc[CompanyError]:
    return pytest.RaisesExc(CompanyError, match=f"^{re.escape(message)}$")


def company(engine: ibis.BaseBackend) -> Company:
    leads = leads_of(("A", "2026-01-01", "x"), ("B", "2026-01-02", "y"), ("C", "2026-01-03"), ("D", "2026-01-04", "z"))
    frames = {
        "leads": leads.assign(source=["Event", "Web", None, "unknown"], owner_id=["o1", "o2", "o2", None]).astype(
            {"source": object, "owner_id": object}
        ),
        "accounts": pd.DataFrame(
            {"account_id": ["x", "y"], "name": ["Acme", "Zeta"], "region": ["EMEA", None], "employees": [500, 20]}
        ).astype({"region": object}),
        "owners": pd.DataFrame(
            {"owner_id": ["o1", "o2", "o2"], "name": ["Ann", "Bob", "Bob"], "region": ["APAC", "LATAM", "LATAM"]}
        ),
        "stage_events": events_of(("A", "mql", "2026-01-05")),
        "opportunities": deals_of(
            deal("1", "2026-02-01", lead_id="A", account_id="x", owner_id="o1", amount=10.0),
            deal("2", "2026-02-01", account_id="y", owner_id="o2", amount=20.0, currency="EUR"),
        ),
    }
    return company_of(engine, frames)


def seen(found: Company, **scope: str) -> View:
    euros = definitions_of(money={"rates": {"EUR": 1.5}})
    return view(found, euros, AS_OF, Scope(**scope))


def leads_seen(found: Company, **scope: str) -> str:
    rows = lead_journeys(found.known_at(AS_OF), DEFINITIONS, Scope(**scope), AS_OF).table
    return "".join(sorted(rows.subject_id.execute()))


def test_scopes_keep_the_rows_that_have_the_value(engine: ibis.BaseBackend) -> None:
    found = company(engine)
    assert leads_seen(found) == "ABCD"
    # The region is the account's; where it has none, the owner's.
    assert leads_seen(found, region="EMEA") == "A"
    assert leads_seen(found, region="LATAM") == "BC"
    assert leads_seen(found, source="unknown") == "D"
    assert leads_seen(found, owner="o2") == "BC"
    assert leads_seen(found, segment="accounts.employees >= 100") == "A"
    assert leads_seen(found, owner="o2", source="Web") == "B"
    assert seen(found, source="Event").deals.table.count().execute() == 1


def test_every_row_stays_once_whatever_is_attached(engine: ibis.BaseBackend) -> None:
    rows = enrich(company(engine), "lead")
    assert rows.count().execute() == 4
    assert {"accounts.region", "owners.name", "source"} <= set(rows.columns)
    assert "owner" in columns(rows)


def test_a_company_and_a_view_are_one_line_in_a_notebook() -> None:
    found = company(ibis.duckdb.connect())
    tables = "leads, accounts, owners, stage_events, opportunities"
    assert repr(found) == f"<Company Test company: {tables}>"
    assert repr(found.known_at(AS_OF)) == f"<Company Test company, as of 2026-03-31: {tables}>"
    assert repr(seen(found)) == f"<View of Test company, the whole company, as of 2026-03-31: {tables}>"
    scoped = repr(seen(found, region="LATAM", owner="o2"))
    assert re.fullmatch(
        rf"<View of Test company, region LATAM, owner Owner [0-9a-f]{{8}}, as of 2026-03-31: {tables}>", scoped
    )
    assert repr(company_of(ibis.duckdb.connect(), {})) == "<Company Test company: no tables>"


def test_a_scope_in_words() -> None:
    assert Scope().label == "the whole company"
    assert Scope(region="EMEA", segment="employees > 9").label == "region EMEA, segment employees > 9"


def test_a_scope_that_matches_nothing_names_what_there_is() -> None:
    found = company(ibis.duckdb.connect())
    with refused(
        "The scope (source Evnt) matches no lead and no deal. source 'Evnt' does not occur. Did you mean 'Event'?"
    ):
        seen(found, source="Evnt")
    with refused(
        "The scope (source Event, owner o2) matches no lead and no deal. "
        "Each part occurs, but nothing matches all of them. Leave one out."
    ):
        seen(found, source="Event", owner="o2")
    with refused(
        "The scope (segment accounts.employees > 9000) matches no lead and no deal. "
        "Each part occurs, but nothing matches all of them. Leave one out."
    ):
        seen(found, segment="accounts.employees > 9000")
    with pytest.raises(RuleError):
        seen(found, segment="employes > 9")


def test_a_scope_of_what_is_not_recorded_is_refused() -> None:
    bare = company_of(ibis.duckdb.connect(), {"opportunities": deals_of(deal("1", "2026-02-01"))})
    with refused(
        "The scope is limited to source 'Event', and no source is recorded for these rows. "
        "Leave source empty, or map the column in the input file."
    ):
        seen(bare, source="Event")


def test_blank_is_a_group_of_its_own_and_unknown_names_are_refused() -> None:
    rows = enrich(company(ibis.duckdb.connect()), "lead")
    groups = rows.select(group=breakdown(rows, "source")).group.execute()
    assert sorted(groups) == sorted(["Event", "Web", BLANK, "unknown"])
    with pytest.raises(CompanyError, match=r"^There is no 'sorce' to break down by. Did you mean 'source'\?$"):
        breakdown(rows, "sorce")


def test_a_currency_without_a_rate_is_refused() -> None:
    found = company(ibis.duckdb.connect())
    with refused(
        "opportunities.currency holds 'EUR', and the definitions give no rate into USD. Add it under money.rates."
    ):
        view(found, DEFINITIONS, AS_OF).deals  # noqa: B018
    amounts = seen(found).deals.table.select("subject_id", "amount").to_pyarrow().to_pylist()
    assert {row["subject_id"]: row["amount"] for row in amounts} == {"1": 10.0, "2": 30.0}


def test_an_unknown_stage_and_a_company_without_a_pipeline_are_refused() -> None:
    frames = {"leads": leads_of(("A", "2026-01-01")), "stage_events": events_of(("A", "mqll", "2026-01-02"))}
    with refused(
        "stage_events.stage holds 'mqll' in 1 rows (first subject 'A'), which the definitions do not know. "
        "Did you mean 'mql'? Map the value in the input file, or add the stage to the definitions."
    ):
        seen(company_of(ibis.duckdb.connect(), frames))
    with pytest.raises(MissingTable, match=r"^no `leads` or `opportunities` table is mapped$"):
        seen(company_of(ibis.duckdb.connect(), {}))


def test_what_a_company_lacks_makes_a_measure_not_applicable() -> None:
    frames = {"leads": leads_of(("A", "2026-01-01")), "stage_events": events_of(("A", "mql", "2026-01-02"))}
    found = seen(company_of(ibis.duckdb.connect(), frames))
    assert found.ask(win_rates) == NotApplicable("no `opportunities` table is mapped")
    assert found.ask(losses, "competitor") == NotApplicable("no `opportunities` table is mapped")
    measured = found.ask(funnel)
    assert (measured.n, measured.not_recorded) == (1, ("SQL", "OPPORTUNITY", "WON"))
    reasons = measured.stages.set_index("stage")["step_reason"].to_dict()
    assert reasons["mql"] == "only 1 of the 30 needed"
    no_events = company_of(ibis.duckdb.connect(), {"leads": leads_of(("A", "2026-01-01"))})
    deals = company_of(
        ibis.duckdb.connect(), {"leads": frames["leads"], "opportunities": deals_of(deal("1", "2026-02-01"))}
    )
    assert view(deals, definitions_of(), AS_OF).ask(funnel).not_recorded == ("MQL", "SQL")
    with refused(
        "No stages are recorded: neither a `stage_events` nor an `opportunities` table is mapped. "
        "Map one of them in the input file."
    ):
        view(no_events, definitions_of(), AS_OF)


def test_the_last_day_on_record(engine: ibis.BaseBackend) -> None:
    assert last_day(company(engine)) == date(2026, 2, 1)
    with refused(
        "No lead, deal or stage event has a date, so there is no day to report as of. "
        "Name `as_of`, the day on which the data were exported."
    ):
        last_day(company_of(ibis.duckdb.connect(), {"owners": pd.DataFrame({"owner_id": ["a"]})}))


def many(n: int = 240) -> Company:
    """A company with so many leads of two owners and eight accounts, a third of them won."""
    days = [date(2026, 1, 1) + timedelta(days=i % 60) for i in range(n)]
    leads = leads_of(*((f"L{i}", str(day), f"acct {i % 80}") for i, day in enumerate(days)))
    frames = {
        "leads": leads.assign(owner_id=[f"owner {i % 2}" for i in range(n)]),
        "stage_events": events_of(*((f"L{i}", "won", str(days[i] + timedelta(days=i % 20))) for i in range(0, n, 3))),
        "accounts": pd.DataFrame(
            {"account_id": [f"acct {i}" for i in range(80)], "name": [f"Acme {i}" for i in range(80)]}
        ),
        "owners": pd.DataFrame(
            {"owner_id": ["owner 0", "owner 1"], "name": ["Ann", "Bob"], "team": ["Team North"] * 2}
        ),
    }
    return company_of(ibis.duckdb.connect(), frames)


@pytest.mark.parametrize("by", ["owner", "owner_id", "owners.name", "account_id", "accounts.name", "name"])
@pytest.mark.parametrize(("allowed", "redact"), [(False, False), (True, True), (True, False)])
def test_names_appear_only_where_the_definitions_allow_it(by: str, allowed: bool, redact: bool) -> None:
    privacy = {"show_account_names": allowed, "show_owner_names": allowed, "smallest_group": 1}
    found = view(many(), definitions_of(privacy=privacy, windows={"funnel_days": 20}), AS_OF, redact=redact)
    groups = convert_by(found, by).rows["group"].tolist()
    names = groups[1:]
    hidden = all(re.fullmatch(r"(Owner|Account) [0-9a-f]{8}", name) for name in names)
    assert hidden == (redact or not allowed)
    assert any(re.search(r"Ann|Bob|Acme|owner \d|acct", name) for name in names) != hidden
    assert len(names) == (2 if "owner" in by else 80) or by == "name"


def test_pseudonyms_are_the_same_in_every_report_and_differ_between_names() -> None:
    found = view(many(), definitions_of(), AS_OF)
    assert found.shown("Ann", "owners.name") == view(many(10), definitions_of(), AS_OF).shown("Ann", "owners.name")
    assert found.shown("Ann", "owners.name") != found.shown("Bob", "owners.name")
    several = {found.shown(f"Account number {i}", "accounts.name") for i in range(5_000)}
    assert len(several) == 5_000
    assert [found.shown(value, "owner") for value in (BLANK, "All others")] == [BLANK, "All others"]
    assert found.shown("Team North", "owners.team") == "Team North"


def test_groups_too_small_to_show_are_pooled() -> None:
    leads = many().table("leads").to_pyarrow().to_pandas()
    sources = np.where(np.arange(len(leads)) < 4, "rare", np.where(np.arange(len(leads)) < 7, "rarer", "Web"))
    frames = {"leads": leads.assign(source=sources), "stage_events": many().table("stage_events").to_pandas()}
    found = view(company_of(ibis.duckdb.connect(), frames), definitions_of(windows={"funnel_days": 20}), AS_OF)
    rows = convert_by(found, "source").rows.set_index("group")
    assert rows["n"].to_dict() == {"All LEADs": 240, "Web": 233, "All others": 7}


def simulated_export(seed: int, *, since: int | None) -> Company:
    """Leads of 400 days won at some speed; with ``since`` the wins before that day are missing from the log."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(300, 2_000))
    created = np.sort(rng.integers(0, 400, n))
    won = created + rng.exponential(rng.choice([15, 40, 90]), n).astype(int)
    kept = (rng.random(n) < rng.uniform(0.05, 0.5)) & (won < 420) & (won >= (0 if since is None else since))
    start = datetime(2025, 1, 1)
    leads = pd.DataFrame(
        {"lead_id": [f"L{i}" for i in range(n)], "created_at": [start + timedelta(days=int(d)) for d in created]}
    )
    log = pd.DataFrame(
        {
            "subject_id": leads.loc[kept, "lead_id"].to_numpy(),
            "subject_kind": "lead",
            "stage": "won",
            "at": [start + timedelta(days=int(d)) for d in won[kept]],
        }
    )
    return company_of(ibis.duckdb.connect(), {"leads": leads, "stage_events": log})


SIMPLE = definitions_of(funnel=("lead", "won"), exits=(), deals_from="nowhere")


def noticed(seed: int, *, since: int | None) -> bool:
    as_of = date(2025, 1, 1) + timedelta(days=419)
    known = simulated_export(seed, since=since).known_at(as_of)
    steps = durations(lead_journeys(known, SIMPLE, Scope(), as_of), "lead", "won")
    found = missing_exits(steps)
    if found is not None and since is not None:
        assert found.start >= date(2025, 1, 1) + timedelta(days=since)
        assert found.seen <= 2 < found.expected
    return found is not None


@pytest.mark.validate
def test_truncation_is_noticed_where_it_is_and_not_where_it_is_not_in_200_companies() -> None:
    false_alarms = np.mean([noticed(seed, since=None) for seed in range(200)])
    found = np.mean([noticed(seed, since=150) for seed in range(200)])
    print(f"false alarms {false_alarms:.1%}; truncation noticed {found:.1%}")
    assert false_alarms <= 0.05
    assert found >= 0.95


def test_truncation_is_noticed_where_it_is_and_not_where_it_is_not() -> None:
    assert sum(noticed(seed, since=None) for seed in range(10)) <= 1
    assert sum(noticed(seed, since=150) for seed in range(10)) >= 9


def test_truncation_is_noticed_in_the_whole_company_and_holds_in_every_scope() -> None:
    as_of = date(2026, 2, 24)

    def mixed(since: int | None, odd: int | None) -> Company:
        """An export with 30 leads of source Odd whose wins are on record from a day of their own."""
        whole, small = simulated_export(1, since=since), simulated_export(2, since=odd)
        frames = {}
        for name in ("leads", "stage_events"):
            key = "lead_id" if name == "leads" else "subject_id"
            mine = small.table(name).execute()
            mine = mine[mine[key].str.removeprefix("L").astype(int) % 40 == 0].assign(**{key: "odd " + mine[key]})
            frames[name] = pd.concat([whole.table(name).execute(), mine], ignore_index=True)
        leads = frames["leads"]
        odd_ones = leads["lead_id"].str.startswith("odd")
        return company_of(
            ibis.duckdb.connect(), frames | {"leads": leads.assign(source=odd_ones.map({True: "Odd", False: "Usual"}))}
        )

    company = mixed(since=150, odd=150)
    alone = lead_journeys(company.known_at(as_of), SIMPLE, Scope(source="Odd"), as_of)
    assert missing_exits(durations(alone, "lead", "won")) is None, "too few to notice it by themselves"
    (whole,) = view(company, SIMPLE, as_of).company.observed_from
    for source in ("Odd", "Usual"):
        scoped = view(company, SIMPLE, as_of, Scope(source=source))
        assert scoped.company.observed_from == (whole,)
        assert scoped.step("lead", "won").observed_from == (whole,)
    # One source that recorded its wins later is no truncation of the company.
    odd_source = mixed(since=None, odd=300)
    assert view(odd_source, SIMPLE, as_of).company.observed_from == ()
    alone = lead_journeys(odd_source.known_at(as_of), SIMPLE, Scope(source="Odd"), as_of)
    assert missing_exits(durations(alone, "lead", "won")) is not None
    assert view(odd_source, SIMPLE, as_of, Scope(source="Odd")).company.observed_from == ()


def test_what_the_input_file_says_of_truncation_is_not_second_guessed() -> None:
    export = simulated_export(1, since=150)
    as_of = date(2026, 2, 24)
    unsaid = view(export, SIMPLE, as_of)
    (one,) = unsaid.company.observed_from
    assert (one.treatment, one.stages) == ("whole_cohorts", ("won",))
    told = (replace(one, start=date(2025, 7, 1), because="it is known"),)
    assert view(replace(export, observed_from=told), SIMPLE, as_of).company.observed_from == told
