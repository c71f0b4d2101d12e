"""How long a score takes from leads to files: fit, validate with 200 bootstraps, and give out, in one process.

100,000 leads that a company of this size brings after three years, with at least 40 features, opened from Parquet as a
report opens them; the clock starts when the sample has been drawn, and stops when the model, the SQL and the list of
scored leads are written. Both families are fitted, with cross-validation and with what is beyond chance, and the
chosen one again on a
random split. It runs on one thread: on two it takes no longer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LEADS = 100_000
SECONDS = 90

SCRIPT = """
import json, resource, sys, time
from pathlib import Path
from demo_scores import demo_view
from smarketing.measures.scoring.giving.deploy import give_out
from smarketing.measures.scoring.leads.features import draw
from smarketing.measures.scoring.study import study
from smarketing.run.scores import write_score
folder = Path(sys.argv[1])
seen, agreed = demo_view(folder / "demo", leads=int(sys.argv[2]), seed=7)
begin = time.perf_counter()
drawn = draw(seen, agreed)
seconds = {"draw": time.perf_counter() - begin}
used = time.process_time()
begin = time.perf_counter()
found = study(drawn, seen.definitions, agreed, draws=200)
seconds["study"] = time.perf_counter() - begin
given = give_out(seen, found, agreed)
assert given is not None, found.unusable
names = write_score(given, folder, {})
seconds["all"] = time.perf_counter() - begin
cpu = time.process_time() - used
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({
    "seconds": seconds, "cpu": cpu, "peak": peak, "features": len(found.used), "leads": len(drawn.sample),
    "scored": len(given.scored), "family": given.model.family, "files": names,
}))
"""


@pytest.mark.bench
@pytest.mark.timeout(1_800)
def test_100_000_leads_take_less_than_90_seconds(tmp_path: Path) -> None:
    script = f"import sys; sys.path.append({str(Path(__file__).parent.parent)!r})\n{SCRIPT}"
    # Two threads wait for each other by turning in circles where other work shares the processors; one does not.
    one = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(LEADS)], check=True, capture_output=True, text=True, env=one
    )
    measured = json.loads(done.stdout)
    print(
        f"{measured['leads']:,} leads x {measured['features']} features, {measured['family']}, {measured['scored']:,} "
        f"scored: study {measured['seconds']['study']:.0f} s, with files {measured['seconds']['all']:.0f} s "
        f"({measured['cpu']:.0f} s of processors), drawn before in {measured['seconds']['draw']:.0f} s; peak "
        f"{measured['peak'] / 1e9:.2f} GB"
    )
    assert measured["features"] >= 40
    assert "model/" in measured["files"]
    # Where other work shares the processors, what they spent on this is what counts; alone it takes no longer.
    assert min(measured["seconds"]["all"], measured["cpu"]) < SECONDS
