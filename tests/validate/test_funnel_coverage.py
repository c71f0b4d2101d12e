"""Intervals of the measure itself, `shares`, cover the truth in small companies whose leads share accounts.

Every company is a group of one table in the engine, so its interval comes out of the passes that reports use. The
companies are those of ``test_coverage``, where the estimator alone is held to the same.
"""

from __future__ import annotations

import math
from datetime import date

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from test_coverage import DESIGNS, HORIZON, Design, companies, simulate

from smarketing.company.definitions import Evidence
from smarketing.company.tables import ObservedFrom
from smarketing.measures.incidence import Share, shares
from smarketing.measures.journeys import Durations

EVIDENCE = Evidence()
LATE = ObservedFrom(("won", "lost"), date(2026, 1, 1), "delayed_entry")


def measured(design: Design, number: int, *, seed: int, few_accounts: bool = False) -> tuple[list[Share], np.ndarray]:
    """The share won in time of each simulated company, and its naive rate (won so far over all leads)."""
    drawn = (simulate(design, (seed, i)) for i in range(number)) if few_accounts else companies(design, number, seed)
    parts, naive = [], []
    for i, one in enumerate(drawn):
        name = f"{i:05d}"
        naive.append(((one.exit_kind == "won") & (one.last <= HORIZON)).mean())
        parts.append(
            pd.DataFrame({"company": name, "cluster": [f"{name}.{a}" for a in one.account]}).assign(
                first_age=one.first, last_age=one.last, exit=one.exit_kind
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    columns = {name: pa.array(rows[name]) for name in rows.columns if name != "exit"}
    columns["exit"] = pa.array([way or None for way in rows["exit"]], type=pa.string())
    table = ibis.duckdb.connect().create_table("steps", pa.table(columns))
    steps = Durations(table, "won", ("won", "lost"), date(2026, 3, 31), (LATE,) if design.late_entry else ())
    return shares(steps, horizons=[HORIZON], kinds=["won"], evidence=EVIDENCE, by="company"), np.array(naive)


def covers(found: list[Share], truth: float) -> float:
    return float(np.mean([one.lower <= truth <= one.upper for one in found if one.lower and one.upper]))


def covers_ignoring_accounts(found: list[Share], truth: float) -> float:
    """Coverage of the same estimates with the error of independent leads, on the same scale."""
    inside = []
    for one in found:
        if one.value is not None and one.independent_standard_error is not None:
            log_open = math.log1p(-one.value)
            half = 1.96 * one.independent_standard_error / ((1 - one.value) * -log_open)
            lower, upper = (-math.expm1(log_open * math.exp(sign * half)) for sign in (-1, 1))
            inside.append(lower <= truth <= upper)
    return float(np.mean(inside))


def hold(name: str, number: int, *, seed: int) -> None:
    design = DESIGNS[name]
    found, naive = measured(design, number, seed=seed)
    shown = [one for one in found if one.value is not None]
    # What is withheld for few wins or a thin day must not be what would have made the rest look good.
    assert len(shown) > 0.9 * number
    covered, ignoring = covers(shown, design.rate), covers_ignoring_accounts(shown, design.rate)
    print(
        f"{name}: {len(shown)} shown, covers {covered:.2%}; ignoring accounts {ignoring:.2%}; naive {naive.mean():.2%}"
    )
    slack = 2.6 * math.sqrt(0.95 * 0.05 / number) - 2.6 * math.sqrt(0.95 * 0.05 / 2_000)
    assert 0.935 - slack <= covered <= 0.965 + slack
    values = np.array([one.value for one in shown])
    assert abs(values.mean() / design.rate - 1) < 0.05
    assert naive.mean() < 0.9 * design.rate
    if design.icc >= 0.2:
        assert ignoring < covered - 0.02


@pytest.mark.parametrize("name", ["equal accounts, 10 %", "very unequal accounts, late entry, 40 %"])
def test_shares_of_300_companies_cover_the_truth(name: str) -> None:
    hold(name, 300, seed=21)


@pytest.mark.validate
@pytest.mark.parametrize("name", list(DESIGNS))
def test_shares_of_2000_companies_cover_the_truth(name: str) -> None:
    hold(name, 2_000, seed=22)


def test_fewer_effective_accounts_are_withheld_and_never_shown() -> None:
    few = Design(22, "geometric", 0.20, 0.2)
    found, _ = measured(few, 100, seed=23, few_accounts=True)
    assert all(one.effective_clusters < 30 for one in found)
    assert {one.value for one in found} == {None}
    assert {one.reason.split(" of the equivalent of ")[0] for one in found if one.n >= 30} <= {
        one.reason for one in found
    }
    reasons = [one.reason for one in found if one.n >= 30]
    assert sum(reason.endswith("accounts; 30 are needed") for reason in reasons) > 0.9 * len(reasons)
