"""Who reached what, and how journeys end, in companies small enough to check by hand, on both engines."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import ibis
import pandas as pd
import pytest

from small_companies import company_of, deal, deals_of, definitions_of, events_of, leads_of
from smarketing.company.tables import Company, CompanyError, MissingTable, ObservedFrom
from smarketing.measures.journeys import (
    Durations,
    Journeys,
    check_stages,
    deal_journeys,
    durations,
    lead_journeys,
)
from smarketing.measures.periods import Period
from smarketing.measures.scope import Scope

AS_OF = date(2026, 3, 31)
DEFINITIONS = definitions_of()


def leads_in(company: Company, **options: Any) -> Journeys:
    """Journeys of leads as of the last day of March."""
    return lead_journeys(company.known_at(AS_OF), definitions_of(**options), Scope(), AS_OF)


def by_subject(journeys: Journeys) -> dict[str, dict[str, Any]]:
    rows = journeys.table.execute().to_dict("records")
    return {str(row["subject_id"]): {k: None if v is pd.NaT or v != v else v for k, v in row.items()} for row in rows}


def reached(row: dict[str, Any]) -> dict[str, str]:
    """Stages that were reached, with the day."""
    names = {k.removeprefix("reached_"): v for k, v in row.items() if k.startswith("reached_") and v is not None}
    return {name: f"{at:%m-%d}" for name, at in names.items()}


def observed(steps: Durations) -> dict[str, tuple[int, int, str | None]]:
    """First age, last age and exit by subject."""
    rows = steps.table.execute()
    ways = rows["exit"].astype(object).where(rows["exit"].notna(), None)
    return {
        subject: (int(first), int(last), way)
        for subject, first, last, way in zip(rows["subject_id"], rows["first_age"], rows["last_age"], ways, strict=True)
    }


def test_a_skipped_stage_counts_as_reached_when_the_next_one_was(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine, {"leads": leads_of(("A", "2026-01-01")), "stage_events": events_of(("A", "sql", "2026-01-20"))}
    )
    (row,) = by_subject(leads_in(company)).values()
    assert reached(row) == {"lead": "01-01", "mql": "01-20", "sql": "01-20"}
    assert (row["exit"], row["exit_at"]) == (None, None)


def test_a_stage_logged_after_a_later_one_was_reached_with_it(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-01-01")),
            "stage_events": events_of(("A", "sql", "2026-01-20"), ("A", "mql", "2026-01-25")),
        },
    )
    assert reached(by_subject(leads_in(company))["A"])["mql"] == "01-20"


def test_the_first_of_several_entries_counts_and_the_first_exit_ends_a_journey(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-01-01")),
            "stage_events": events_of(
                ("A", "mql", "2026-01-05"),
                ("A", "mql", "2026-01-03"),
                ("A", "rejected", "2026-01-10"),
                ("A", "recycled", "2026-01-09"),
                ("A", "sql", "2026-02-01"),
                ("A", "won", "2026-03-01"),
            ),
        },
    )
    row = by_subject(leads_in(company))["A"]
    assert reached(row) == {"lead": "01-01", "mql": "01-03"}
    assert (row["exit"], row["exit_at"]) == ("recycled", datetime(2026, 1, 9))


def test_two_exits_at_once_are_the_first_that_the_definitions_name(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-01-01")),
            "stage_events": events_of(("A", "recycled", "2026-01-09"), ("A", "rejected", "2026-01-09")),
        },
    )
    assert by_subject(leads_in(company))["A"]["exit"] == "rejected"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("first_exit", {"A": ({"lead": "01-01", "mql": "01-05"}, "recycled")}),
        (
            "each_spell",
            {
                "A#1": ({"lead": "01-01", "mql": "01-05"}, "recycled"),
                "A#2": (
                    {"lead": "02-01", "mql": "02-01", "sql": "02-10", "opportunity": "02-20", "won": "03-01"},
                    None,
                ),
            },
        ),
    ],
)
def test_recycled_leads(
    engine: ibis.BaseBackend, rule: str, expected: dict[str, tuple[dict[str, str], str | None]]
) -> None:
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-01-01", "acme")),
            "stage_events": pd.concat(
                [
                    events_of(
                        ("A", "lead", "2026-01-01", 1),
                        ("A", "mql", "2026-01-05", 1),
                        ("A", "recycled", "2026-01-12", 1),
                        ("A", "mql", "2026-02-01", 2),
                        ("A", "sql", "2026-02-10", 2),
                    ),
                    events_of(("D", "opportunity", "2026-02-20", 2), ("D", "won", "2026-03-01", 2), kind="opportunity"),
                ],
                ignore_index=True,
            ),
            "opportunities": deals_of(deal("D", "2026-02-20", "2026-03-01", "won", lead_id="A")),
        },
    )
    rows = by_subject(leads_in(company, recycled_leads=rule))
    assert {name: (reached(row), row["exit"]) for name, row in rows.items()} == expected
    assert {row["cluster"] for row in rows.values()} == {"acme"}


def test_a_deal_without_a_logged_spell_belongs_to_the_latest_pass_that_had_begun(engine: ibis.BaseBackend) -> None:
    of_leads = [
        ("A", "mql", "2026-01-05", 1),
        ("A", "recycled", "2026-01-12", 1),
        ("A", "sql", "2026-02-05", 2),
        ("A", "mql", "2026-02-01 15:00", 2),
        ("A", "recycled", "2026-02-20", 2),
        ("A", "mql", "2026-03-10", 3),
        ("B", "mql", "2026-01-05", 1),
        ("C", "recycled", "2026-01-05", 1),
    ]
    of_deals = [
        ("in the second", "proposal", "2026-02-03", None),
        ("logged", "proposal", "2026-03-20", 3),
        ("C's second", "proposal", "2026-02-10", 2),
        ("C's next", "proposal", "2026-03-10", None),
    ]
    deals = [
        # Created on the day of the second pass, which its date-only field cannot tell from the hour before.
        deal("in the second", "2026-02-01", "2026-02-15", "lost", lead_id="A"),
        deal("logged", "2026-02-02", lead_id="A"),
        deal("before any", "2025-12-20", lead_id="B"),
        deal("C's second", "2026-02-01", lead_id="C"),
        # Only a deal's own log says that C passed a second time.
        deal("C's next", "2026-03-01", "2026-03-15", "won", lead_id="C"),
    ]
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-01-01"), ("B", "2026-01-01"), ("C", "2026-01-01")),
            "stage_events": pd.concat(
                [events_of(*of_leads), events_of(*of_deals, kind="opportunity")], ignore_index=True
            ),
            "opportunities": deals_of(*deals),
        },
    )
    funnel = ("lead", "mql", "sql", "opportunity", "proposal", "won")
    rows = by_subject(leads_in(company, funnel=funnel, recycled_leads="each_spell"))
    assert {name: (reached(row), row["exit"]) for name, row in rows.items()} == {
        "A#1": ({"lead": "01-01", "mql": "01-05"}, "recycled"),
        "A#2": (dict.fromkeys(("lead", "mql", "sql", "opportunity"), "02-01") | {"proposal": "02-03"}, "lost"),
        "A#3": (dict.fromkeys(("lead", "mql", "sql", "opportunity"), "02-02") | {"proposal": "03-20"}, None),
        "B#1": ({"lead": "01-01", "mql": "12-20", "sql": "12-20", "opportunity": "12-20"}, None),
        "C#1": ({"lead": "01-01"}, "recycled"),
        "C#2": (
            dict.fromkeys(("lead", "mql", "sql", "opportunity"), "02-01") | {"proposal": "02-10", "won": "03-15"},
            None,
        ),
    }


def test_a_lead_without_events_is_open_in_the_first_stage(engine: ibis.BaseBackend) -> None:
    for rule, name in (("first_exit", "A"), ("each_spell", "A#1")):
        company = company_of(
            engine,
            {
                "leads": leads_of(("A", "2026-01-01"), ("B", "2026-01-02")),
                "stage_events": events_of(("B", "mql", "2026-01-03")),
            },
        )
        row = by_subject(leads_in(company, recycled_leads=rule))[name]
        assert (reached(row), row["exit"], row["cluster"]) == ({"lead": "01-01"}, None, "own:A")


def test_events_before_creation_leave_a_lead_out_of_the_steps_concerned_only(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-01-10"), ("B", "2026-01-10"), ("C", "2026-01-10")),
            "stage_events": events_of(
                ("A", "mql", "2026-01-05"),
                ("A", "sql", "2026-01-30"),
                ("B", "rejected", "2026-01-05"),
                ("C", "won", "2026-01-05"),
            ),
        },
    )
    journeys = leads_in(company)
    assert {name: reached(row)["lead"] for name, row in by_subject(journeys).items()} == dict.fromkeys("ABC", "01-10")
    assert observed(durations(journeys, "lead", "mql")) == {}
    assert observed(durations(journeys, "lead", "sql")) == {"A": (0, 20, "sql")}
    assert observed(durations(journeys, "mql", "sql")) == {"A": (0, 25, "sql"), "C": (0, 0, "sql")}
    assert observed(durations(journeys, "lead", "won")) == {"A": (0, 80, None)}


def test_a_date_and_a_time_on_the_same_day_are_zero_days_apart(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-01-10 15:30"), ("B", "2026-01-10 23:59:59"), ("C", "2026-01-10 09:00")),
            "stage_events": events_of(
                ("A", "mql", "2026-01-10"),
                ("B", "mql", "2026-01-11 00:00:01"),
                ("C", "mql", "2026-01-10 17:00"),
                ("C", "rejected", "2026-01-10"),
            ),
        },
    )
    journeys = leads_in(company)
    assert observed(durations(journeys, "lead", "mql")) == {"A": (0, 0, "mql"), "B": (0, 1, "mql"), "C": (0, 0, "mql")}
    assert observed(durations(journeys, "mql", "sql"))["C"] == (0, 0, "rejected")
    assert observed(durations(journeys, "mql", "sql"))["B"] == (0, 79, None)


def test_ages_are_calendar_days_over_leap_days_and_years(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2024-02-28 23:00"), ("B", "2025-12-31 01:00")),
            "stage_events": events_of(("A", "mql", "2024-03-01 00:30"), ("B", "mql", "2026-01-01 23:30")),
        },
    )
    ages = observed(durations(leads_in(company), "lead", "mql"))
    assert ages == {"A": (0, 2, "mql"), "B": (0, 1, "mql")}


DEALS = deals_of(
    deal("won", "2026-01-05 10:00", "2026-02-01", "won", lead_id="A", account_id="x", amount=10.0),
    deal("lost", "2026-01-05", "2026-01-09", "lost", account_id="x"),
    deal("open", "2026-03-01", lead_id="B", amount=5.0),
    deal("undated", "2026-01-05", None, "lost", account_id="y"),
    deal("same day", "2026-01-05 10:00", "2026-01-05", "lost", account_id="y"),
    deal("backwards", "2026-01-05", "2026-01-01", "won", account_id="y"),
)


def deals_in(company: Company, **options: Any) -> Journeys:
    return deal_journeys(company.known_at(AS_OF), definitions_of(**options), Scope(), AS_OF)


def test_deals_without_lead_or_account_count_and_wrongly_closed_ones_do_not(engine: ibis.BaseBackend) -> None:
    journeys = deals_in(company_of(engine, {"opportunities": DEALS}))
    rows = by_subject(journeys)
    assert set(rows) == {"won", "lost", "open", "same day"}
    clusters = {name: row["cluster"] for name, row in rows.items()}
    assert clusters == {"won": "x", "lost": "x", "open": "own:open", "same day": "y"}
    assert reached(rows["lost"]) == {"lead": "01-05", "mql": "01-05", "sql": "01-05", "opportunity": "01-05"}
    assert observed(durations(journeys, "opportunity", "won")) == {
        "won": (0, 27, "won"),
        "lost": (0, 4, "lost"),
        "open": (0, 30, None),
        "same day": (0, 0, "lost"),
    }


def test_stages_between_a_deals_opening_and_its_win_come_from_the_log(engine: ibis.BaseBackend) -> None:
    funnel = ("lead", "opportunity", "proposal", "won")
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-01-01"), ("B", "2026-01-01")),
            "opportunities": DEALS,
            "stage_events": events_of(
                ("won", "proposal", "2026-01-20"),
                ("lost", "proposal", "2026-01-08"),
                ("open", "proposal", "2026-03-20"),
                # What the deals say of their own opening and closing is what counts.
                ("won", "opportunity", "2026-01-02"),
                ("open", "won", "2026-03-21"),
                kind="opportunity",
            ),
        },
    )
    journeys = deals_in(company, funnel=funnel, exits=("lost",))
    assert observed(durations(journeys, "opportunity", "proposal")) == {
        "won": (0, 15, "proposal"),
        "lost": (0, 3, "proposal"),
        "open": (0, 19, "proposal"),
        "same day": (0, 0, "lost"),
    }
    assert observed(durations(journeys, "proposal", "won"))["won"] == (0, 12, "won")
    of_leads = by_subject(leads_in(company, funnel=funnel, exits=("lost",)))
    assert reached(of_leads["A"]) == {"lead": "01-01", "opportunity": "01-05", "proposal": "01-20", "won": "02-01"}
    assert reached(of_leads["B"]) == {"lead": "01-01", "opportunity": "03-01", "proposal": "03-20"}


def test_of_several_deals_the_first_opening_and_the_first_ending_are_the_leads(engine: ibis.BaseBackend) -> None:
    several = [
        deal("1", "2026-01-05", "2026-02-01", "lost", lead_id="A"),
        deal("2", "2026-01-03", "2026-02-10", "won", lead_id="A"),
        deal("3", "2026-01-05", "2026-02-11", "lost", lead_id="B"),
        deal("4", "2026-01-05", "2026-02-10", "won", lead_id="B"),
        deal("5", "2026-01-05", "2026-02-01", "lost", lead_id="nobody on file"),
    ]
    company = company_of(
        engine, {"leads": leads_of(("A", "2026-01-01"), ("B", "2026-01-01")), "opportunities": deals_of(*several)}
    )
    rows = by_subject(leads_in(company))
    assert set(rows) == {"A", "B"}
    assert reached(rows["A"])["opportunity"] == "01-03"
    ends = {name: (row["exit"], "won" in reached(row)) for name, row in rows.items()}
    assert ends == {"A": ("lost", False), "B": (None, True)}


def test_nothing_after_the_as_of_day_is_known(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-03-30"), ("B", "2026-03-31 23:59"), ("C", "2026-04-01")),
            "stage_events": events_of(("A", "mql", "2026-03-31 23:59:59"), ("B", "mql", "2026-04-01")),
            "opportunities": deals_of(
                deal("1", "2026-03-01", "2026-03-31 12:00", "lost", loss_reason="price"),
                deal("2", "2026-03-01", "2026-04-01", "lost", loss_reason="price"),
                deal("3", "2026-04-01", "2026-04-02", "won"),
            ),
        },
    )
    assert company.known_at(AS_OF).as_of == AS_OF
    assert observed(durations(leads_in(company), "lead", "mql")) == {"A": (0, 1, "mql"), "B": (0, 0, None)}
    deals = by_subject(deals_in(company))
    assert {name: (row["exit"], row["loss_reason"]) for name, row in deals.items()} == {
        "1": ("lost", "price"),
        "2": (None, None),
    }


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        ("whole_cohorts", {"late": (0, 15, None), "on the day": (0, 30, "won")}),
        (
            "delayed_entry",
            {"late": (0, 15, None), "on the day": (0, 30, "won"), "early": (9, 39, "won"), "at once": (9, 9, "lost")},
        ),
    ],
)
def test_exits_that_are_on_record_only_from_a_day_on(
    engine: ibis.BaseBackend, treatment: Any, expected: dict[str, tuple[int, int, str | None]]
) -> None:
    deals = deals_of(
        deal("early", "2026-02-20", "2026-03-31", "won"),
        deal("at once", "2026-02-20", "2026-03-01", "lost"),
        deal("gone", "2026-02-20", "2026-02-28", "lost"),
        deal("on the day", "2026-03-01 09:00", "2026-03-31", "won"),
        deal("late", "2026-03-16"),
    )
    observed_from = (ObservedFrom(("won", "lost"), date(2026, 3, 1), treatment),)
    company = company_of(engine, {"opportunities": deals}, observed_from=observed_from)
    steps = durations(deals_in(company), "opportunity", "won")
    assert observed(steps) == expected
    assert steps.observed_from == observed_from
    early = steps.starting(date(2026, 3, 1), date(2026, 3, 15))
    assert observed(early) == {"on the day": (0, 30, "won")}
    assert early.kinds == ("won", "lost", "rejected", "recycled")


@pytest.mark.parametrize(
    ("whole", "late", "expected", "in_force"),
    [
        # Won deals look open before February; deals lost before March are gone from the file.
        (2, 3, {"between": (20, 50, "won"), "at once": (9, 9, "lost"), "late": (0, 15, None)}, 2),
        (3, 2, {"late": (0, 15, None)}, 1),
        (
            2,
            2,
            {"between": (0, 50, "won"), "gone": (0, 8, "lost"), "at once": (0, 9, "lost"), "late": (0, 15, None)},
            1,
        ),
    ],
)
def test_two_truncations_of_one_table_are_both_honoured(
    engine: ibis.BaseBackend,
    whole: int,
    late: int,
    expected: dict[str, tuple[int, int, str | None]],
    in_force: int,
) -> None:
    deals = deals_of(
        deal("early", "2026-01-10", "2026-03-20", "won"),
        deal("between", "2026-02-09", "2026-03-31", "won"),
        deal("gone", "2026-02-20", "2026-02-28", "lost"),
        deal("at once", "2026-02-20", "2026-03-01", "lost"),
        deal("late", "2026-03-16"),
    )
    declared = (
        ObservedFrom(("lost",), date(2026, late, 1), "delayed_entry"),
        ObservedFrom(("won",), date(2026, whole, 1), "whole_cohorts"),
        # Earlier ones of the same kind say less, and those of stages that no exit is are no matter here.
        ObservedFrom(("lost",), date(2026, 1, 5), "delayed_entry"),
        ObservedFrom(("mql",), date(2026, 3, 30), "whole_cohorts"),
    )
    company = company_of(engine, {"opportunities": deals}, observed_from=declared)
    steps = durations(deals_in(company), "opportunity", "won")
    assert observed(steps) == expected
    assert len(steps.observed_from) == in_force
    assert steps.enters_late == (late > whole)
    assert steps.complete_from == date(2026, max(whole, late), 1)
    covered = steps.covered(Period(date(2026, 1, 1), date(2026, 3, 31), "a quarter"))
    assert (covered.start, covered.label) == (date(2026, whole, 1), f"1 {date(2026, whole, 1):%b} 2026 to 31 Mar 2026")


def test_exits_of_other_stages_do_not_truncate_a_step(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {"leads": leads_of(("A", "2026-01-01")), "stage_events": events_of(("A", "mql", "2026-01-02"))},
        observed_from=(ObservedFrom(("won",), date(2026, 3, 1), "whole_cohorts"),),
    )
    assert observed(durations(leads_in(company), "lead", "mql")) == {"A": (0, 1, "mql")}
    assert observed(durations(leads_in(company), "lead", "won")) == {}


def test_a_stage_that_the_definitions_do_not_know_is_refused(engine: ibis.BaseBackend) -> None:
    company = company_of(
        engine,
        {
            "leads": leads_of(("A", "2026-01-01"), ("B", "2026-01-01")),
            "stage_events": events_of(
                ("B", "mqll", "2026-01-02"), ("A", "mqll", "2026-01-02"), ("A", "demo", "2026-01-03")
            ),
        },
    )
    message = (
        "stage_events.stage holds 'mqll' in 2 rows (first subject 'A'), which the definitions do not know. "
        "Did you mean 'mql'? Map the value in the input file, or add the stage to the definitions."
    )
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        check_stages(company, DEFINITIONS)


def test_what_cannot_be_a_journey_says_so() -> None:
    nothing = company_of(ibis.duckdb.connect(), {"leads": leads_of(("A", "2026-01-01"))})
    message = (
        "No stages are recorded: neither a `stage_events` nor an `opportunities` table is mapped. "
        "Map one of them in the input file."
    )
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        leads_in(nothing)
    with pytest.raises(MissingTable, match=r"^no `opportunities` table is mapped$"):
        deals_in(nothing)
    message = "The definitions have no stage that deals enter. Add one with subject: opportunity."
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        deals_in(company_of(ibis.duckdb.connect(), {"opportunities": DEALS}), deals_from="nowhere")
    check_stages(nothing, DEFINITIONS)
