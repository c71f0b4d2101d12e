"""Real leads: what a score is worth before anybody calls, and with two answers that were given in the call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scored_leads import Leads, feature, learned
from smarketing.estimates.calibration import calibration_line
from smarketing.estimates.ranking import auc
from smarketing.measures.scoring.models.folds import grouped_folds

FILLED_IN_BY_SALES = [
    "Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity",
    *(f"Asymmetrique {what}" for what in ("Activity Index", "Profile Index", "Activity Score", "Profile Score")),
]  # fmt: skip
ANSWERS = ["What is your current occupation", "What matters most to you in choosing a course"]


def read(folder: Path, without: list[str]) -> Leads:
    table = pd.read_csv(folder / "Leads.csv").drop(columns=["Prospect ID", "Lead Number", *without])
    outcome = table.pop("Converted").to_numpy()
    columns = {
        name: column.astype(float)
        if pd.api.types.is_numeric_dtype(column)
        else column.astype(object).where(column.notna() & (column != "Select"), None)
        for name, column in table.items()
    }
    features = pd.DataFrame(columns)
    return Leads(
        features=features,
        roles=tuple(feature(str(k), "number" if v.dtype.kind == "f" else "category") for k, v in columns.items()),
        outcome=outcome.astype(np.int8), weight=np.ones(len(outcome)), cluster=np.arange(len(outcome)),
        truth=np.full(len(outcome), np.nan),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("family", "without", "least"),
    [
        ("scorecard", FILLED_IN_BY_SALES + ANSWERS, 0.82),
        ("boosting", FILLED_IN_BY_SALES + ANSWERS, 0.83),
        ("scorecard", FILLED_IN_BY_SALES, 0.86),
        ("boosting", FILLED_IN_BY_SALES, 0.87),
    ],
)
def test_out_of_fold(public_data: Callable[[str, str], Path], family: str, without: list[str], least: float) -> None:
    data = read(public_data("xeducation", "xeducation"), without)
    assert len(data.outcome) == 9_240 and data.outcome.mean() == pytest.approx(0.3854, abs=1e-4)
    # Calibration is learned inside the training folds too: nothing of a lead's own fold is in its probability.
    folds = grouped_folds(data.cluster, data.outcome, seed=7)
    probability = np.zeros(len(data.outcome))
    for fold in range(5):
        train, held_out = folds != fold, folds == fold
        part = Leads(
            features=data.features[train].reset_index(drop=True), roles=data.roles, outcome=data.outcome[train],
            weight=data.weight[train], cluster=data.cluster[train], truth=data.truth[train],
        )  # fmt: skip
        probability[held_out] = learned(family, part).probability(data.features[held_out])
    found, line = auc(probability, data.outcome), calibration_line(probability, data.outcome)
    print(f"{family} without {len(without)} columns: AUC {found:.4f}, slope {line.slope:.3f}")
    assert found >= least
    assert 0.9 <= line.slope <= 1.1
    assert abs(line.intercept) < 0.1
