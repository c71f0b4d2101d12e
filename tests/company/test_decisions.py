"""The decision log: what was known of a decision on a day, and what is wrong with an entry."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from smarketing.company.decisions import Decision, DecisionLog, read_decisions
from smarketing.company.tables import CompanyError

PARAMS = Path(__file__).parents[2] / "params"
LOG = """meetings:
  - held: 2026-03-02
    decisions: [{what: c, who: X, by: 2026-04-01}]
  - held: 2026-01-05
    present: [VP Sales, CMO]
    decisions:
      - {what: a, who: X, by: 2026-01-20, state: done, closed_on: 2026-02-10, why: it was asked for}
      - {what: b, who: Y, by: 2026-01-20}
  - held: 2026-02-02
"""


@pytest.fixture
def log(tmp_path: Path) -> DecisionLog:
    (tmp_path / "decisions.yml").write_text(LOG)
    return read_decisions(tmp_path / "decisions.yml")


def refusal(tmp_path: Path, text: str) -> str:
    path = tmp_path / "decisions.yml"
    path.write_text(text)
    with pytest.raises(CompanyError) as caught:
        read_decisions(path)
    return str(caught.value).replace(str(path), "FILE")


def test_meetings_are_in_order_whatever_the_file_says(log: DecisionLog) -> None:
    assert [meeting.held for meeting in log.meetings] == [date(2026, 1, 5), date(2026, 2, 2), date(2026, 3, 2)]


@pytest.mark.parametrize(
    ("day", "last", "before"),
    [("2026-01-04", None, None), ("2026-01-05", 0, None), ("2026-03-01", 1, 0), ("2026-12-31", 2, 1)],
)
def test_the_last_two_meetings_by_a_day(log: DecisionLog, day: str, last: int | None, before: int | None) -> None:
    expected = tuple(None if place is None else log.meetings[place] for place in (last, before))
    assert log.last_two(date.fromisoformat(day)) == expected


@pytest.mark.parametrize(
    ("day", "state"),
    [("2026-01-20", "open"), ("2026-01-21", "overdue"), ("2026-02-09", "overdue"), ("2026-02-10", "done")],
)
def test_a_decision_is_what_was_known_of_it_on_the_day(log: DecisionLog, day: str, state: str) -> None:
    assert log.meetings[0].decisions[0].state_at(date.fromisoformat(day)) == state


def test_a_dropped_decision_is_dropped_from_the_day_it_was(log: DecisionLog) -> None:
    dropped = Decision(what="d", who="X", by=date(2026, 5, 1), state="dropped", closed_on=date(2026, 4, 1))
    states = [dropped.state_at(date(2026, month, 15)) for month in (3, 4, 6)]
    assert states == ["open", "dropped", "dropped"]


def test_older_decisions_stay_until_they_are_closed(log: DecisionLog) -> None:
    left = log.still_open(date(2026, 3, 2))
    assert [(meeting.held, decision.what) for meeting, decision in left] == [(date(2026, 1, 5), "b")]
    assert log.still_open(date(2026, 2, 2)) == ()


def test_an_empty_log_has_no_meetings() -> None:
    assert DecisionLog().last_two(date(2026, 1, 1)) == (None, None)
    assert DecisionLog().still_open(date(2026, 1, 1)) == ()


@pytest.mark.parametrize("state", ["done", "dropped"])
def test_a_closed_decision_needs_its_day(tmp_path: Path, state: str) -> None:
    text = f"meetings: [{{held: 2026-01-05, decisions: [{{what: a, who: X, by: 2026-02-01, state: {state}}}]}}]"
    assert refusal(tmp_path, text) == (
        "Decisions file FILE is wrong in 1 place:\n"
        f"  meetings.0.decisions.0: a decision that is {state} needs closed_on."
    )


def test_wrong_entries_are_all_named_at_once(tmp_path: Path) -> None:
    text = "meetings: [{held: 2026-02-30, decisions: [{wat: a, who: '', by: 2026-02-01, state: finished}]}]"
    assert refusal(tmp_path, text) == (
        "Decisions file FILE is wrong in 5 places:\n"
        "  meetings.0.held: Input should be a valid date or datetime, day value is outside expected range; "
        "got '2026-02-30'.\n"
        "  meetings.0.decisions.0.what: is missing and has no default.\n"
        "  meetings.0.decisions.0.who: String should have at least 1 character; got ''.\n"
        "  meetings.0.decisions.0.state: Input should be 'open', 'done' or 'dropped'; got 'finished'.\n"
        "  meetings.0.decisions.0.wat: there is no such name. Did you mean 'what'?"
    )


def test_the_shipped_log_can_be_read() -> None:
    log = read_decisions(PARAMS / "decisions.yml")
    states = [d.state_at(date(2026, 11, 15)) for meeting in log.meetings for d in meeting.decisions]
    assert {"overdue", "done", "open"} <= set(states)
