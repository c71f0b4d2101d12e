"""Opening a company of 10^7 stage events in Parquet: seconds and memory, hashing and all checks included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

OPEN = """
import resource, sys, time
from pathlib import Path
from smarketing.company.inputs import open_company
start = time.perf_counter()
company = open_company(Path(sys.argv[1]))
seconds = time.perf_counter() - start
rows = company.table("stage_events").count().to_pyarrow().as_py()
print(rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.bench
def test_ten_million_events_open_in_seconds_and_under_a_gigabyte(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select 'L' || i % 2000000 as subject_id, 'lead' as subject_kind, ['mql', 'sql', 'won', 'lost']"
            "[1 + i % 4] as stage, timestamp '2020-01-01' + to_seconds(i % 50000000) as \"at\", 1::bigint as spell "
            f"from range(10000000) numbers(i)) to '{tmp_path / 'stage_events.parquet'}'"
        )
        connection.execute(
            "copy (select 'L' || i as lead_id, 'A' || i % 300000 as account_id, timestamp '2020-01-01' + to_minutes(i) "
            f"as created_at from range(2000000) numbers(i)) to '{tmp_path / 'leads.parquet'}'"
        )
    inputs = tmp_path / "co.yml"
    inputs.write_text(
        "name: Co\ndata: {folder: .}\n"
        "tables: {leads: {file: leads.parquet}, stage_events: {file: stage_events.parquet}}\n"
    )
    done = subprocess.run([sys.executable, "-c", OPEN, str(inputs)], capture_output=True, text=True, check=True)
    rows, seconds, megabytes = (float(part) for part in done.stdout.split())
    assert rows == 10_000_000
    assert seconds < 6, f"{seconds:.1f} s"  # 1.5 s on two idle cores
    assert megabytes < 1_000, f"{megabytes:.0f} MB"
