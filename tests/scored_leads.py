"""Leads whose chances are known, for tests of the score models: numbers, categories, what is missing, and accounts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import expit

from smarketing.measures.scoring.leads.sample import Feature
from smarketing.measures.scoring.models.boosting import Boosting, fit_boosting, learn_boosting
from smarketing.measures.scoring.models.scorecard import Scorecard, fit_scorecard, learn_scorecard

INDUSTRIES = ("Software", "O'Brien & Söhne", "50% \\ owned", "Retail", "(other)", "Naïve; drop table")


@dataclass(frozen=True, kw_only=True)
class Leads:
    """Features, their roles, and what became of each lead; ``truth`` is its probability."""

    features: pd.DataFrame
    roles: tuple[Feature, ...]
    outcome: np.ndarray
    weight: np.ndarray
    cluster: np.ndarray
    truth: np.ndarray


def feature(name: str, kind: str, label: str | None = None) -> Feature:
    return Feature(name=name, label=label or name, kind=kind, side="fit", known="dated", origin=f"leads.{name}")


@cache
def leads(n: int = 4_000, seed: int = 0, *, noise: int = 2, rate: float = -1.5) -> Leads:
    """About a fifth convert: more where employees and visits are many, by industry, and where a budget is known."""
    rng = np.random.default_rng(seed)
    account = rng.integers(0, n // 2, n)
    of_account = rng.normal(size=n // 2)[account]
    employees = np.rint(np.exp(rng.normal(4, 1.5, n)))
    visits = rng.poisson(rng.gamma(1, 2, n)).astype(float)
    budget = np.exp(rng.normal(8, 1, n))
    industry = rng.choice(len(INDUSTRIES), n, p=[0.3, 0.25, 0.2, 0.15, 0.07, 0.03])
    log_odds = (
        rate
        + 0.5 * np.tanh(np.log(employees + 1) - 4)
        + 0.3 * np.minimum(visits, 5) / 2
        + np.array([0.4, -0.5, 0.0, 0.2, 0.0, 0.6])[industry]
        + 0.5 * of_account
    )
    known = rng.random(n) < 0.6
    log_odds += np.where(known, 0.5, -0.3)
    names = np.array(INDUSTRIES, dtype=object)[industry]
    names[rng.random(n) < 0.1] = None
    names[:40] = [f"rare {i % 8}" for i in range(40)]
    employees[rng.random(n) < 0.15] = np.nan
    columns: dict[str, np.ndarray] = {
        "employees": employees,
        "visits": visits,
        "budget": np.where(known, budget, np.nan),
        "industry": names,
        "consent": np.where(rng.random(n) < 0.3, "given", None),
        "constant": np.full(n, "yes", dtype=object),
        "never": np.full(n, np.nan),
    }
    labels = {"employees": "company size", "budget": "budget in euro"}
    for i in range(noise):
        columns[f"noise_{i}"] = rng.normal(size=n)
        columns[f"noise_level_{i}"] = rng.choice(np.array(["a", "b", "c"], dtype=object), n)
    truth = expit(log_odds)
    frame = pd.DataFrame({k: pd.Series(v, dtype=object if v.dtype == object else None) for k, v in columns.items()})
    roles = [
        feature(name, "number" if frame[name].dtype.kind == "f" else "category", labels.get(name)) for name in columns
    ]
    return Leads(
        features=frame,
        roles=tuple(roles),
        outcome=(rng.random(n) < truth).astype(np.int8),
        weight=np.where(rng.random(n) < 0.1, 0.0, rng.uniform(1, 1.5, n)),
        cluster=account,
        truth=truth,
    )


def fit(family: str, data: Leads, *, seed: int = 0) -> Scorecard | Boosting:
    fitter = fit_scorecard if family == "scorecard" else fit_boosting
    return fitter(data.features, data.roles, data.outcome, data.weight, data.cluster, seed=seed)


def learned(family: str, data: Leads, *, seed: int = 0) -> Scorecard | Boosting:
    """The same model as `fit`, but for `beyond_chance`: for tests that ask for no reasons, in less time."""
    learner = learn_scorecard if family == "scorecard" else learn_boosting
    return learner(data.features, data.roles, data.outcome, data.weight, data.cluster, seed=seed).model


@cache
def fitted(family: str) -> Scorecard | Boosting:
    """The model of `leads()`."""
    return fit(family, leads())
