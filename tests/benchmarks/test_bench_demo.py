"""How long the demo company takes, and how much memory, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, resource, sys, time
from pathlib import Path
from smarketing.company.demo import build_demo
start = time.perf_counter()
truth = build_demo(Path(sys.argv[1]), leads=int(sys.argv[2]))
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "peak": peak, "events": truth.rows["stage_events"]}))
"""


def build(folder: Path, leads: int) -> dict[str, float]:
    """Build in a new process; returns seconds, peak resident bytes and stage events."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(leads)], check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout))


@pytest.mark.bench
def test_20_000_leads_take_less_than_ten_seconds(tmp_path: Path) -> None:
    assert build(tmp_path / "demo", 20_000)["seconds"] < 10


@pytest.mark.bench
def test_ten_million_stage_events_take_less_than_two_minutes_and_4_gb(tmp_path: Path) -> None:
    measured = build(tmp_path / "demo", 4_100_000)
    assert measured["events"] >= 10_000_000
    assert measured["seconds"] < 120
    assert measured["peak"] < 4e9
