"""The demo company's written truth, recovered by the funnel's own path from files to incidences."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest

from small_companies import company_of
from smarketing.company.definitions import read_definitions
from smarketing.company.demo import DemoTruth, build_demo
from smarketing.measures.funnel import funnel
from smarketing.measures.incidence import shares
from smarketing.measures.scope import BLANK
from smarketing.measures.view import View, view

DEFINITIONS = read_definitions(Path(__file__).parents[2] / "params/definitions.yml")
AS_OF = date(2026, 11, 15)
AGES = (30, 90, 180)


def built(folder: Path, leads: int) -> tuple[View, DemoTruth]:
    truth = build_demo(folder, leads=leads, seed=5)
    names = ("accounts", "owners", "leads", "stage_events", "opportunities")
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
    return view(company_of(ibis.duckdb.connect(), frames), DEFINITIONS, AS_OF), truth


def scores_of(seen: View, truth: DemoTruth, by: str | None = None) -> dict[tuple[str, str, int, str], float]:
    """How far each step's incidence is from the truth, in standard errors of its own interval.

    The funnel knows a step by the next stage, and a lead that leaves takes its exit with it; a step's exits are those
    that the truth names for its first stage.
    """
    found = {}
    steps = [("lead", "mql"), ("mql", "sal"), ("sal", "sql"), ("sql", "opportunity"), ("opportunity", "won")]
    for stage, to_stage in steps:
        rows = seen.step(stage, to_stage)
        for share in shares(rows, horizons=AGES, kinds=[to_stage], evidence=DEFINITIONS.evidence, by=by):
            if share.group == BLANK:
                continue
            group = {} if by is None else {by.removeprefix("accounts."): share.group}
            expected = truth.incidence(stage, to_stage, age=share.horizon, **group).pooled
            if share.value is None or expected is None:
                continue
            error = (share.upper - share.lower) / (2 * 1.97)
            found[stage, to_stage, share.horizon, share.group] = (share.value - expected) / error
    return found


def hold(seen: View, truth: DemoTruth) -> None:
    overall = pd.Series(scores_of(seen, truth))
    print(overall.round(2).to_string())
    assert len(overall) == 5 * len(AGES)
    assert overall.abs().max() < 3.2, overall
    assert np.sqrt((overall**2).mean()) < 1.6
    regions = pd.Series(scores_of(seen, truth, by="accounts.region"))
    # Ages of a step share their leads, so scores come in threes.
    assert (regions.abs() < 2.6).mean() > 0.93, regions[regions.abs() >= 2.6]


def test_the_truth_is_recovered_from_20_000_leads(tmp_path: Path) -> None:
    seen, truth = built(tmp_path / "demo", 20_000)
    hold(seen, truth)
    measured = funnel(seen)
    assert measured.exits["share"].sum() == pytest.approx(1, abs=1e-12)
    assert measured.stages["count"].is_monotonic_decreasing
    assert (measured.stages["share"].diff().dropna() < 0).all()
    assert measured.curves.groupby("stage")["share"].is_monotonic_increasing.all()


@pytest.mark.validate
def test_the_truth_is_recovered_from_100_000_leads(tmp_path: Path) -> None:
    hold(*built(tmp_path / "demo", 100_000))
