"""Twelve metrics of three arms on ten million leads, adjusted for what was known before: against tea-tasting.

Ours reads the experiment from Parquet files by an input file and a protocol, as a notebook does; tea-tasting is given
one table of doubles in memory. Compared is the time for the metrics that both compute, with one covariate; the peak is
that of the whole readout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests_root import ROOT

ROWS = int(os.environ.get("SMARKETING_BENCH_ROWS", 10_000_000))
ARMS = ("none", "men", "women")
RATES, VALUES = ([f"{kind}{place}" for place in range(6)] for kind in ("rate", "value"))

COMMON = """
import json, resource, sys, time
from datetime import date
from pathlib import Path
folder = Path(sys.argv[1])
def best(ask):
    took = []
    for _ in range(3):
        start = time.perf_counter()
        found = ask()
        took.append(time.perf_counter() - start)
    return min(took), found
def answer(seconds, effects):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "effects": effects}))
"""

# The covariance that both use is the pooled one: it is what tea-tasting computes.
OURS = """
from smarketing.company.definitions import read_definitions
from smarketing.company.inputs import open_company
from smarketing.company.protocol import read_protocol
from smarketing.estimates.adjustment import cuped
from smarketing.estimates.effects import Metric, difference
from smarketing.measures.experiments import sums
from smarketing.measures.experiments.outcomes import observed
from smarketing.measures.experiments.readout import read
from smarketing.measures.experiments.units import dealt
from smarketing.measures.scope import Scope
from smarketing.measures.view import view
company = open_company(folder / "inputs.yml", data=folder)
opened = view(company, read_definitions(folder / "definitions.yml"), date(2026, 6, 30), Scope())
seen = observed(opened, dealt(opened, read_protocol(folder / "big.yml")))
names = sums.covariates(seen)
def ask():
    found = sums.of_leads(seen, list(seen.units.protocol.metrics))
    return {
        f"{metric} {arm}": difference(cuped(by[""][arm].moments, by[""]["none"].moments, Metric("y"), names))
        for metric, by in found.items() for arm in ("men", "women")
    }
seconds, found = best(ask)
whole = read(seen, as_of=date(2026, 6, 30))
assert len(whole.effects) == 24 and not whole.blocked, whole.blocked
answer(seconds, {name: [one.value, one.standard_error] for name, one in found.items()})
"""

TEA = """
import ibis
import tea_tasting as tt
metrics = sys.argv[2].split(",")
backend = ibis.duckdb.connect()
columns = ", ".join(f"{name}::double as {name}" for name in metrics)
files = [f"read_parquet('{folder}/{name}.parquet')" for name in ("assignments", "leads")]
backend.con.execute(
    f"create table t as select arm, history, {columns} from {files[0]} join {files[1]} on unit_id = lead_id"
)
table = backend.table("t")
asked = tt.Experiment({name: tt.Mean(name, "history") for name in metrics}, variant="arm")
seconds, found = best(lambda: asked.analyze(table, control="none", all_variants=True))
effects = {}
for (control, arm), result in found.items():
    for name in metrics:
        one = result[name]
        error = (one.effect_size_ci_upper - one.effect_size) / 1.96
        effects[f"{name} {arm}"] = [one.effect_size, error]
answer(seconds, effects)
"""


def write(folder: Path) -> None:
    """Write leads, their assignments, the input file and the protocol."""
    rng = np.random.default_rng(5)
    writers: dict[str, pq.ParquetWriter] = {}
    for first in range(0, ROWS, 500_000):
        n = min(500_000, ROWS - first)
        arm, x = rng.integers(0, 3, n), rng.normal(0, 1, n)
        ids = pa.array([f"L{place:08}" for place in range(first, first + n)])
        leads = {"lead_id": ids, "history": pa.array(np.round(np.exp(4 + x + rng.normal(0, 0.5, n)), 2))}
        for place, name in enumerate(RATES):
            leads[name] = pa.array(rng.random(n) < 1 / (1 + np.exp(2.5 - 0.5 * x - 0.1 * arm * (place % 3))))
        for name in VALUES:
            amount = np.round(np.exp(3 + 0.6 * x + rng.normal(0, 0.8, n)), 2)
            leads[name] = pa.array(np.where(rng.random(n) < 0.2, amount, 0.0))
        tables = {
            "leads": pa.table(leads),
            "assignments": pa.table({"unit_id": ids, "arm": pa.array([ARMS[one] for one in arm])}),
        }
        for name, table in tables.items():
            if name not in writers:
                writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
            writers[name].write_table(table)
    for writer in writers.values():
        writer.close()
    kinds = dict.fromkeys(RATES, "boolean") | dict.fromkeys(VALUES, "float64") | {"history": "float64"}
    inputs = {
        "name": "Big",
        "currency": "USD",
        "data": {"env": "SMARKETING_BENCH_DATA"},
        "tables": {
            "leads": {
                "file": "leads.parquet",
                "undated": True,
                "columns": {"lead_id": "lead_id"},
                "attributes": {name: {"column": name, "type": kind} for name, kind in kinds.items()},
                "known": {"before": ["history"], "after": [*RATES, *VALUES]},
            },
            "assignments": {
                "file": "assignments.parquet",
                "columns": {
                    "experiment": {"constant": "big"}, "unit_kind": {"constant": "lead"}, "unit_id": "unit_id",
                    "arm": "arm",
                },
            },
        },
    }  # fmt: skip
    protocol = {
        "name": "big",
        "hypothesis": "A mail brings people to the shop.",
        "arms": dict.fromkeys(ARMS, 1),
        "control": "none",
        "metrics": {name: {"label": name, "attribute": name} for name in (*RATES, *VALUES)},
        "primary": ["rate0"],
        "covariates": ["history"],
    }
    shutil.copy(ROOT / "params/definitions_hillstrom.yml", folder / "definitions.yml")
    (folder / "inputs.yml").write_text(yaml.safe_dump(inputs))
    (folder / "big.yml").write_text(yaml.safe_dump(protocol))


def run(script: str, folder: Path, *arguments: str) -> dict[str, object]:
    """Run a way in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", COMMON + script, str(folder), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.bench
@pytest.mark.timeout(3_600)
def test_twelve_metrics_of_three_arms_on_ten_million_leads(tmp_path: Path) -> None:
    write(tmp_path)
    ours, theirs = run(OURS, tmp_path), run(TEA, tmp_path, ",".join([*RATES, *VALUES]))
    ratio = float(str(ours["seconds"])) / float(str(theirs["seconds"]))
    peak = float(str(ours["peak"])) / 1e9
    print(f"ours {ours['seconds']:.2f} s, tea-tasting {theirs['seconds']:.2f} s, ratio {ratio:.2f}; peak {peak:.2f} GB")
    mine, tea = ours["effects"], theirs["effects"]
    assert isinstance(mine, dict) and isinstance(tea, dict) and mine.keys() == tea.keys()
    for name, (value, error) in tea.items():
        assert mine[name][0] == pytest.approx(value, rel=1e-6, abs=1e-9), name
        assert mine[name][1] == pytest.approx(error, rel=1e-4), name
    assert ratio <= 1
    assert peak < 2
