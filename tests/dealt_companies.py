"""Companies with an experiment in them, small enough to write down: protocols and assignments in few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import ibis
import pandas as pd

from small_companies import company_of, definitions_of, times
from smarketing.company.protocol import Protocol
from smarketing.measures.scope import Scope
from smarketing.measures.view import View, view

AS_OF = date(2026, 6, 30)
MQL = {"label": "Reached MQL", "stage": "mql"}
BOUGHT = {"label": "Bought", "attribute": "bought"}


def protocol_of(metrics: Mapping[str, Mapping[str, Any]] | None = None, **changed: Any) -> Protocol:
    """Write a protocol: two equal arms of leads, and the first metric is the primary one."""
    given = dict(metrics or {"mql": MQL})
    right = {
        "name": "calls",
        "hypothesis": "A call brings more qualified leads.",
        "arms": {"left": 1, "called": 1},
        "control": "left",
        "metrics": given,
        "primary": [next(iter(given))],
    }
    if any("attribute" not in metric for metric in given.values()):
        right["horizon_days"] = 30
    return Protocol.model_validate(right | changed)


def assigned(*rows: tuple[str, str] | tuple[str, str, str | None], **more: Any) -> pd.DataFrame:
    """Assignments from (unit, arm) or (unit, arm, at); ``more`` are columns: one value, or a list."""
    full = [(*row, None)[:3] for row in rows]
    frame = pd.DataFrame(full, columns=["unit_id", "arm", "assigned_at"]).astype(object)
    frame = frame.assign(assigned_at=times(*frame["assigned_at"]), experiment="calls", unit_kind="lead")
    return frame.assign(**more).astype({"experiment": object, "unit_kind": object})


def viewed(
    backend: ibis.BaseBackend,
    frames: Mapping[str, pd.DataFrame],
    *,
    as_of: date = AS_OF,
    scope: Scope | None = None,
    known: Mapping[str, Mapping[str, Any]] | None = None,
    **definitions: Any,
) -> View:
    """Open data frames as a view of a company on an engine."""
    company = replace(company_of(backend, frames), known=known or {})
    return view(company, definitions_of(**definitions), as_of, scope)
