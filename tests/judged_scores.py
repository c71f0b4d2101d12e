"""How good a score is, made up: for what is said of it."""

from __future__ import annotations

from smarketing.measures.scoring.worth.validity import Measured, Validity


def measured(name: str, value: float, by: float = 0.05) -> Measured:
    return Measured(name=name, value=value, lower=value - by, upper=value + by)


def validity(*, reason: str = "", rate: float = 0.1, accounts: int = 900, **values: float) -> Validity:
    usual = {"auc": 0.75, "average_precision": 0.3, "lift": 2.0, "captured": 0.6, "brier_skill": 0.1,
             "calibration_intercept": 0.0, "calibration_slope": 1.0}  # fmt: skip
    found = tuple(measured(name, value) for name, value in (usual | values).items())
    return Validity(
        score="score", what="later leads", n=1_000, events=100, accounts=accounts, rate=rate, selected=0.3,
        measures=found, reason=reason,
    )  # fmt: skip
