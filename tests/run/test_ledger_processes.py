"""Processes that end or publish at the same time leave a ledger and reports that agree."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import pytest
from recorded_samples import recorded

from smarketing.run.ledger import Ledger
from smarketing.run.publishing import mend, placed

DAY = date(2026, 11, 15)
KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
sys.path.insert(0, {here!r})
from recorded_samples import recorded
from smarketing.run import ledger
from smarketing.run.publishing import placed

reports, when = Path(sys.argv[1]), sys.argv[2]
staged, target = reports / ".staging" / "x", reports / "20_pipeline_review" / "demo" / "2026-11-15"
staged.mkdir(parents=True)
one = recorded(value=9.0)
(staged / "figures.json").write_text(one.to_json())
(staged / "report.html").write_text("a page of the killed run")

def end():
    os.kill(os.getpid(), signal.SIGKILL)

if when == "after the first rename":
    rename = Path.rename
    Path.rename = lambda self, to: end() if self == staged else rename(self, to)
elif when == "after the move":
    ledger._insert = lambda *_: end()
elif when == "after the insert":
    insert = ledger._insert
    ledger._insert = lambda *a: (insert(*a), end())
ledger.Ledger(reports).record(one, publish=placed(staged, target))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a system without SIGKILL cannot kill this way")
@pytest.mark.parametrize("when", ["after the first rename", "after the move", "after the insert"])
def test_a_killed_run_loses_itself_and_nothing_else(when: str, tmp_path: Path) -> None:
    publish(tmp_path, 1.0)
    script = KILLED.format(here=str(Path(__file__).parent))
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path), when], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert Ledger(tmp_path).read("demo", DAY) == (recorded(value=1.0),)
    mend(tmp_path)
    home = tmp_path / "20_pipeline_review" / "demo"
    assert [path.name for path in home.iterdir()] == ["2026-11-15"]
    assert (home / "2026-11-15" / "report.html").read_text() == "page 1.0"
    assert (home / "2026-11-15" / "figures.json").read_text() == recorded(value=1.0).to_json()
    publish(tmp_path, 2.0)
    assert Ledger(tmp_path).read("demo", DAY) == (recorded(value=2.0),)


def publish(reports: Path, value: float, case: str = "demo") -> None:
    staged = reports / ".staging" / f"{os.getpid()}-{case}-{value}"
    staged.mkdir(parents=True)
    one = recorded(value=value, case=case)
    (staged / "report.html").write_text(f"page {value}")
    (staged / "figures.json").write_text(one.to_json())
    Ledger(reports).record(one, publish=placed(staged, reports / one.notebook / case / "2026-11-15"))


def publish_many(reports: Path, first: int) -> None:
    for value in range(first, first + 15):
        publish(reports, float(value))
        publish(reports, float(value), case=f"case{value}")
        Ledger(reports).failed("20_pipeline_review", f"failing{value}", "", "error")


def test_two_processes_publish_at_once(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    context = get_context("spawn")
    processes = [context.Process(target=publish_many, args=(reports, first)) for first in (0, 100)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    ledger = Ledger(reports)
    # Page, record and ledger of the contested report come from one and the same run.
    (last,) = ledger.read("demo", DAY)
    home = reports / "20_pipeline_review" / "demo"
    assert [path.name for path in home.iterdir()] == ["2026-11-15"]
    assert (home / "2026-11-15" / "figures.json").read_text() == last.to_json()
    assert (home / "2026-11-15" / "report.html").read_text() == f"page {last.figures[0].value}"
    assert last.figures[0].value in (14.0, 114.0)
    states = ledger.states()
    assert len(states) == 1 + 30 + 30
    assert ledger.rebuild() == 31
    assert ledger.read("demo", DAY) == (last,)
