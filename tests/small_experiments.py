"""Experiments on leads whose truth is known: what every lead would have done without contact, and what contact adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd
from scipy.special import expit

from small_companies import company_of, definitions_of
from smarketing.measures.scoring.contact.uplift import Uplift, uplift
from smarketing.measures.scoring.leads.features import draw
from smarketing.measures.view import View, view

SCORING: Mapping[str, Any] = {
    "outcome": "bought",
    "capacity_share": 0.2,
    "cost_of_working": 1.0,
    "threshold": 0.3,
}
Rates = Callable[[np.ndarray], np.ndarray]
AS_OF = date(2026, 11, 15)


def opposed(seed: int, n: int = 4_000) -> pd.DataFrame:
    """Large leads are likely to buy and hardly moved; small ones are moved by 27 points."""
    return leads(seed, n, base=lambda x: expit(-1.2 + 1.2 * x), effect=lambda x: 0.15 - 0.12 * np.tanh(x))


def leads(seed: int, n: int, *, base: Rates, effect: Rates) -> pd.DataFrame:
    """One row a lead: `size` is x + 10, one of six is not known; `tone` says nothing; `truth` is what contact adds."""
    rng = np.random.default_rng(seed)
    x, treated = rng.normal(size=n), rng.random(n) < 0.5
    without = base(x)
    truth = np.clip(without + effect(x), 0, 1) - without
    return pd.DataFrame(
        {
            "lead_id": [f"L{place:05}" for place in range(n)],
            "account_id": [f"A{place:05}" for place in range(n)],
            "size": np.where(rng.random(n) < 1 / 6, np.nan, x + 10),
            "tone": rng.choice(["blue", "red", "green"], n).astype(object),
            "bought": rng.random(n) < without + truth * treated,
            "arm": np.where(treated, "called", "left alone").astype(object),
            "truth": truth,
        }
    )


def assigned(rows: pd.DataFrame, kind: str = "lead") -> pd.DataFrame:
    """Assignments of the leads, or of their accounts, in an experiment."""
    units = rows.drop_duplicates(f"{kind}_id")
    return pd.DataFrame(
        {"experiment": "calls", "unit_kind": kind, "unit_id": units[f"{kind}_id"], "arm": units["arm"]}
    ).astype(object)


def viewed(
    backend: ibis.BaseBackend, rows: pd.DataFrame, assignments: pd.DataFrame | None, **known: Mapping[str, str]
) -> View:
    """Open leads of a flat export, and their assignments, as a view."""
    frames = {"leads": rows.drop(columns=["arm", "truth"], errors="ignore")}
    if assignments is not None:
        frames["assignments"] = assignments
    company = replace(company_of(backend, frames), known=known)  # type: ignore[arg-type]
    return view(company, definitions_of(scoring=SCORING), AS_OF)


def compared(found: View, **options: Any) -> Any:
    """Ask who is worth calling."""
    scoring = found.definitions.scoring
    assert scoring is not None
    named = {"treated": "called", "control": "left alone", "draws": 60} | options
    return uplift(found, draw(found, scoring), scoring, **named)


def answered(rows: pd.DataFrame, **options: Any) -> Uplift:
    """Ask it of leads that were assigned one by one."""
    found = compared(viewed(ibis.duckdb.connect(), rows, assigned(rows)), **options)
    assert isinstance(found, Uplift)
    return found
