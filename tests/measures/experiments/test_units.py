"""Who was dealt to which arm: what is refused, with counts and first examples, and what is counted once."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
import pytest

from dealt_companies import AS_OF, assigned, protocol_of, viewed
from small_companies import leads_of
from smarketing.company.tables import CompanyError, MissingTable
from smarketing.measures.experiments.units import Units, dealt

LEADS = leads_of(*((f"L{i}", "2026-01-01") for i in range(4))).drop(columns="created_at")
MAY = "2026-05-01 09:00"


def units(engine: ibis.BaseBackend, assignments: pd.DataFrame, **protocol: Any) -> Units:
    return dealt(viewed(engine, {"leads": LEADS, "assignments": assignments}), protocol_of(**protocol))


def refusal(engine: ibis.BaseBackend, assignments: pd.DataFrame, **protocol: Any) -> str:
    with pytest.raises(CompanyError) as caught:
        units(engine, assignments, **protocol)
    return str(caught.value)


def rows(found: Units) -> list[dict[str, Any]]:
    return found.table.order_by("unit_id").to_pyarrow().to_pylist()


def test_a_unit_that_is_dealt_twice_to_its_arm_counts_once_from_the_earlier_time(engine: ibis.BaseBackend) -> None:
    twice = assigned(("L0", "left", MAY), ("L1", "called", "2026-05-03"), ("L1", "called", "2026-05-02"), stratum="s")
    other = assigned(("L1", "left", MAY), experiment="mails")
    found = units(engine, pd.concat([twice, other], ignore_index=True))
    assert found.dated
    assert rows(found) == [
        {"unit_id": "L0", "arm": "left", "at": pd.Timestamp(MAY).to_pydatetime(), "stratum": "s"},
        {"unit_id": "L1", "arm": "called", "at": pd.Timestamp("2026-05-02").to_pydatetime(), "stratum": "s"},
    ]


def test_units_without_a_day_are_not_dated(engine: ibis.BaseBackend) -> None:
    found = units(engine, assigned(("L0", "left"), ("L1", "called")))
    assert not found.dated
    assert [row["at"] for row in rows(found)] == [None, None]


def test_who_is_dealt_after_the_day_of_the_report_is_not_there(engine: ibis.BaseBackend) -> None:
    later = str(pd.Timestamp(AS_OF) + pd.Timedelta(days=1))
    found = units(engine, assigned(("L0", "left", MAY), ("L1", "called", str(AS_OF)), ("L2", "called", later)))
    assert [row["unit_id"] for row in rows(found)] == ["L0", "L1"]


def test_without_assignments_it_cannot_be_read(engine: ibis.BaseBackend) -> None:
    with pytest.raises(MissingTable, match=r"^no `assignments` table is mapped$"):
        dealt(viewed(engine, {"leads": LEADS}), protocol_of())


def test_an_experiment_that_is_not_there_is_refused(engine: ibis.BaseBackend) -> None:
    there = assigned(("L0", "left", MAY), ("L1", "called", MAY), experiment="call")
    assert refusal(engine, there) == (
        "No row of assignments is of the experiment 'calls' (`name` of the protocol). Did you mean 'call'?"
    )
    assert refusal(engine, there.assign(experiment="spring_2026").astype({"experiment": object})) == (
        "No row of assignments is of the experiment 'calls' (`name` of the protocol). Allowed are spring_2026."
    )
    assert refusal(engine, there.iloc[:0]) == (
        "assignments has no row, so nobody was dealt in the experiment 'calls'. Load its rows."
    )


def test_an_arm_that_the_protocol_does_not_have_is_refused(engine: ibis.BaseBackend) -> None:
    assert refusal(engine, assigned(("L0", "left", MAY), ("L1", "Called", MAY))) == (
        "assignments.arm holds 'Called' for the experiment 'calls', and the protocol has the arms left, called. "
        "Did you mean 'called'? Map the value in the input file."
    )


def test_an_arm_with_nobody_is_refused(engine: ibis.BaseBackend) -> None:
    three = {"arms": {"left": 1, "called": 1, "mailed": 1}}
    assert refusal(engine, assigned(("L0", "left", MAY), ("L1", "called", MAY)), **three) == (
        "Nobody was dealt to the arm 'mailed' of the experiment 'calls': assignments.arm holds called, left. "
        "Load its assignments too, or take the arm out of a new protocol."
    )


def test_units_of_two_kinds_are_refused(engine: ibis.BaseBackend) -> None:
    mixed = assigned(
        ("L0", "left", MAY), ("L1", "called", MAY), ("A7", "left", MAY), unit_kind=["lead", "lead", "account"]
    )
    assert refusal(engine, mixed) == (
        "The experiment 'calls' was dealt to units of several kinds: 1 account (such as A7) and 2 leads (such as L0). "
        "An experiment has one (assignments.unit_kind): keep the rows of that kind."
    )


def test_units_of_another_kind_than_agreed_are_refused(engine: ibis.BaseBackend) -> None:
    assert refusal(engine, assigned(("L0", "left", MAY), ("L1", "called", MAY)), unit="account") == (
        "The experiment 'calls' was dealt to leads (assignments.unit_kind), and its protocol says `unit: account`. "
        "Read it with the protocol that it was dealt under."
    )


def test_units_in_two_arms_are_refused(engine: ibis.BaseBackend) -> None:
    pairs = [(f"L{i}", arm, MAY) for i in range(4) for arm in ("left", "called")]
    assert refusal(engine, assigned(*pairs)) == (
        "4 units of the experiment 'calls' are in two arms: L0 in called and left, L1 in called and left, "
        "L2 in called and left. A unit is in one arm: keep the assignment that was carried out."
    )
    assert refusal(engine, assigned(*pairs[:3])) == (
        "1 unit of the experiment 'calls' is in two arms: L0 in called and left. "
        "A unit is in one arm: keep the assignment that was carried out."
    )


def test_units_of_which_some_have_no_time_are_refused(engine: ibis.BaseBackend) -> None:
    some = assigned(("L0", "left", MAY), ("L1", "called"), ("L2", "left"), ("L3", "called", MAY))
    assert refusal(engine, some) == (
        "assignments.assigned_at is empty for 2 of 4 units of the experiment 'calls', such as L1, L2. "
        "Give all of them the time when they were dealt, or none."
    )


def of_accounts(*strata: str | None) -> pd.DataFrame:
    arms = ("left", "called", "called", "left")
    dealt_to = [(f"A{i}", arms[i % 4], MAY) for i in range(len(strata))]
    return assigned(*dealt_to, unit_kind="account", stratum=list(strata))


def test_accounts_without_the_stratum_they_were_dealt_in_are_refused(engine: ibis.BaseBackend) -> None:
    assert refusal(engine, of_accounts("s", "s", None, None), unit="account", strata=["size", "region"]) == (
        "The protocol of 'calls' says that accounts were dealt within strata of size, region, and assignments.stratum "
        "is empty for 2 of them, such as A2, A3. Map it in the input file."
    )
    assert refusal(engine, of_accounts("p", "p", "q", None), unit="account", pairs=True) == (
        "The protocol of 'calls' says that accounts were dealt in pairs, and assignments.stratum is empty for 1 of "
        "them, such as A3. Map it in the input file."
    )


def test_pairs_that_are_none_are_refused(engine: ibis.BaseBackend) -> None:
    assert refusal(engine, of_accounts("p", "q", "q", "p"), unit="account", pairs=True) == (
        "The protocol of 'calls' says that accounts were dealt in pairs, and assignments.stratum holds 2 that are "
        "none, the first p with 2 accounts in 1 arm. A pair is two accounts, one in each arm."
    )
    assert refusal(engine, of_accounts("p", "p", "q"), unit="account", pairs=True) == (
        "The protocol of 'calls' says that accounts were dealt in pairs, and assignments.stratum holds 1 that are "
        "none, the first q with 1 account in 1 arm. A pair is two accounts, one in each arm."
    )
    assert units(engine, of_accounts("p", "p", "q", "q"), unit="account", pairs=True).dated
