"""The ledger gives back what was recorded, whole, and nothing that was not published."""

from __future__ import annotations

import json
import math
import sqlite3
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from recorded_samples import RECORDS, figure, recorded

from smarketing.run.ledger import Ledger, LedgerError, Recorded, RunState
from smarketing.run.publishing import mend, placed

KEY = ("20_pipeline_review", "demo")


@settings(max_examples=40, deadline=None)
@given(one=RECORDS)
def test_what_is_recorded_is_read_back_field_by_field(one: Recorded) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        ledger.record(one)
        assert ledger.read(one.case, one.as_of) == (one,)
        assert ledger.holds(one)
        assert not ledger.holds(replace(one, run_id=one.run_id + "x"))
        assert Recorded.from_json(one.to_json()) == one
        # The columns that another program would read say the same.
        with sqlite3.connect(ledger.file) as connection:
            rows = connection.execute(
                "select name, unit, value, lower, upper, n, period, maturity, status, payload from figures "
                "order by position"
            ).fetchall()
        connection.close()
        assert [row[:9] for row in rows] == [
            (f.name, f.unit, f.value, f.lower, f.upper, f.n, f.period, f.maturity, f.status) for f in one.figures
        ]
        assert [json.loads(row[9]) for row in rows] == [json.loads(json.dumps(f.to_dict())) for f in one.figures]


def test_the_same_day_again_takes_the_place_of_the_earlier_run(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(replace(recorded(), figures=(figure("lead_flow"), figure("bookings"))))
    ledger.record(recorded(value=7.0))
    assert ledger.read("demo", date(2026, 11, 15)) == (recorded(value=7.0),)
    with sqlite3.connect(ledger.file) as connection:
        assert connection.execute("select name, value from figures").fetchall() == [("lead_flow", 7.0)]
    connection.close()


def test_days_cases_and_notebooks_are_kept_apart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    days = ["2026-11-01", "2026-11-15", "2026-10-18"]
    for day in days:
        ledger.record(recorded(day, headline=day))
    other = recorded("2026-11-08", case="emea")
    composed = recorded("2026-11-15", notebook="90_alignment_report")
    ledger.record(other)
    ledger.record(composed)
    assert ledger.days("demo") == tuple(date.fromisoformat(day) for day in sorted(days))
    assert ledger.days("emea") == (date(2026, 11, 8),)
    assert ledger.days("apac") == ()
    assert ledger.read("demo", date(2026, 11, 15)) == (recorded("2026-11-15", headline="2026-11-15"), composed)
    assert ledger.read("emea", date(2026, 11, 15)) == ()
    for day, before in (("2026-11-15", "2026-11-01"), ("2026-11-14", "2026-11-01"), ("2026-11-01", "2026-10-18")):
        found = ledger.before(*KEY, date.fromisoformat(day))
        assert found is not None and found.headline == before
    assert ledger.before(*KEY, date(2026, 10, 18)) is None
    assert ledger.before("90_alignment_report", "demo", date(2026, 11, 15)) is None


def test_a_failure_stands_beside_the_last_good_report_until_a_run_succeeds(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.failed(*KEY, "2026-11-15", "no leads")
    first = RunState(
        notebook=KEY[0],
        case="demo",
        as_of=None,
        title="",
        headline="",
        state="failed",
        failed_as_of="2026-11-15",
        error="no leads",
    )
    assert ledger.states() == (first,)
    ledger.record(recorded("2026-11-01"))
    good = RunState(
        notebook=KEY[0],
        case="demo",
        as_of=date(2026, 11, 1),
        title="Where do we stand?",
        headline="All is well.",
        state="ok",
    )
    assert ledger.states() == (good,)
    ledger.failed(*KEY, "2026-11-15", "a")
    ledger.failed(*KEY, "2026-11-15", "b")
    assert ledger.states() == (replace(good, state="failed", failed_as_of="2026-11-15", error="b"),)
    # The latest day is shown, whichever was recorded last.
    ledger.record(recorded("2026-11-15"))
    ledger.record(recorded("2026-11-01"))
    assert ledger.states() == (replace(good, as_of=date(2026, 11, 15)),)
    # Another case's failure is its own.
    ledger.failed(KEY[0], "emea", "", "c")
    assert [state.state for state in ledger.states()] == ["ok", "failed"]


def publish(reports: Path, one: Recorded, page: str = "a page") -> None:
    """Publish a record as the runner does."""
    staged = reports / ".staging" / "one"
    staged.mkdir(parents=True)
    (staged / "report.html").write_text(page)
    (staged / "figures.json").write_text(one.to_json(), encoding="utf-8")
    target = reports / one.notebook / one.case / one.as_of.isoformat()
    Ledger(reports).record(one, publish=placed(staged, target))


def test_a_ledger_made_anew_from_the_published_records_is_the_same(tmp_path: Path) -> None:
    for one in (recorded("2026-11-01", value=None), recorded("2026-11-15"), recorded(case="emea", headline="Größe ☂")):
        publish(tmp_path, one)
    ledger = Ledger(tmp_path)
    was = (ledger.states(), ledger.read("demo", date(2026, 11, 1)), ledger.read("emea", date(2026, 11, 15)))
    # A failed run's record stands under failed/ and one that was moved aside under a dot; neither is published.
    for folder in ("failed", ".2026-11-01-x"):
        (tmp_path / "20_pipeline_review" / "demo" / folder).mkdir()
        (tmp_path / "20_pipeline_review" / "demo" / folder / "figures.json").write_text(
            recorded("2026-12-24").to_json()
        )
    for spoil in (
        lambda: ledger.file.unlink(),
        lambda: ledger.file.write_bytes(b"this is not a database, and long enough to be looked at " * 20),
        lambda: ledger.record(recorded("2027-01-01")),
    ):
        spoil()
        assert ledger.rebuild() == 3
        now = (ledger.states(), ledger.read("demo", date(2026, 11, 1)), ledger.read("emea", date(2026, 11, 15)))
        assert now == was


def test_a_ledger_or_a_record_that_cannot_be_read_says_so_and_what_to_do(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.file.write_bytes(b"this is not a database, and long enough to be looked at " * 20)
    with pytest.raises(LedgerError) as refused:
        ledger.states()
    assert str(refused.value) == (
        f"The ledger {ledger.file} cannot be read (file is not a database). Make it anew: smarketing ledger rebuild."
    )
    broken = tmp_path / "20_pipeline_review" / "demo" / "2026-11-15" / "figures.json"
    broken.parent.mkdir(parents=True)
    broken.write_text('{"notebook": 1}')
    with pytest.raises(LedgerError) as refused:
        ledger.rebuild()
    assert str(refused.value) == (
        f"{broken} is not the record of a report (KeyError: 'case'). Restore it, or remove its folder."
    )


def test_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "reports")
    assert (ledger.days("demo"), ledger.states(), ledger.before(*KEY, date(2026, 1, 1))) == ((), (), None)
    assert not ledger.reports.exists()


def test_a_figure_recorded_twice_is_refused() -> None:
    with pytest.raises(ValueError) as refused:
        replace(recorded(), figures=(figure("a"), figure("a")))
    assert str(refused.value) == ("20_pipeline_review records figure 'a' twice; give each figure a name of its own.")


def folder_text(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): p.read_text()
        for p in sorted(folder.rglob("*.*"))
        if p.is_file() and p.suffix != ".sqlite"
    }


@pytest.mark.parametrize("spoiled", ["the record", "the move", "the commit"])
def test_an_error_while_publishing_changes_nothing(
    spoiled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, recorded(), "the last good page")
    ledger, was = Ledger(tmp_path), folder_text(tmp_path)
    later = recorded(value=9.0)
    if spoiled == "the record":
        with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
            publish_without_file(tmp_path, replace(later, figures=(figure(value=math.nan),)))
    elif spoiled == "the move":
        with pytest.raises(FileNotFoundError):
            ledger.record(later, publish=placed(tmp_path / "nowhere", tmp_path / KEY[0] / "demo" / "2026-11-15"))
    else:
        with sqlite3.connect(ledger.file) as connection:
            # A deferred rule is looked at by `commit` only, after the report has been moved.
            connection.executescript(
                "create table other (a primary key); create table rule (a references other deferrable initially "
                "deferred); create trigger late after insert on runs begin insert into rule values (1); end;"
            )
        connection.close()
        opened = sqlite3.connect

        def strict(*arguments: object, **options: object) -> sqlite3.Connection:
            found = opened(*arguments, **options)  # type: ignore[arg-type]
            found.execute("pragma foreign_keys = on")
            return found

        monkeypatch.setattr(sqlite3, "connect", strict)
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            publish(tmp_path, later, "a page that is never published")
    assert ledger.read("demo", date(2026, 11, 15)) == (recorded(),)
    kept = {name: text for name, text in folder_text(tmp_path).items() if not name.startswith(".staging")}
    assert kept == was


def publish_without_file(reports: Path, one: Recorded) -> None:
    """Publish a record whose text cannot even be written."""
    staged = reports / ".staging" / "two"
    staged.mkdir(parents=True)
    Ledger(reports).record(one, publish=placed(staged, reports / one.notebook / one.case / one.as_of.isoformat()))


def test_what_a_killed_run_moved_aside_comes_back_unless_its_successor_counts(tmp_path: Path) -> None:
    publish(tmp_path, recorded(), "the last good page")
    home = tmp_path / "20_pipeline_review" / "demo"
    target, aside = home / "2026-11-15", home / ".2026-11-15-abc"
    # Killed between the two renames.
    target.rename(aside)
    mend(tmp_path)
    assert (target / "report.html").read_text() == "the last good page" and not aside.exists()
    # Killed after the second, before the commit.
    target.rename(aside)
    target.mkdir()
    (target / "figures.json").write_text(recorded(value=1.0).to_json())
    mend(tmp_path)
    assert (target / "report.html").read_text() == "the last good page" and not aside.exists()
    # Killed after the commit.
    aside.mkdir()
    (aside / "report.html").write_text("an older page")
    mend(tmp_path)
    assert (target / "report.html").read_text() == "the last good page" and not aside.exists()
    mend(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
