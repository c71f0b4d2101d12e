"""Companies and definitions small enough to write down in a test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa

from smarketing.company.definitions import Definitions
from smarketing.company.tables import SCHEMAS, Company, ObservedFrom

ARROW = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}
FUNNEL = ("lead", "mql", "sql", "opportunity", "won")
EXITS = ("lost", "rejected", "recycled")


def company_of(
    backend: ibis.BaseBackend,
    frames: Mapping[str, pd.DataFrame],
    *,
    observed_from: tuple[ObservedFrom, ...] = (),
    currency: str = "USD",
) -> Company:
    """Open data frames as a company on an engine; columns beyond the schema stay, missing ones are NULL."""
    tables, recorded = {}, {}
    for name, frame in frames.items():
        kinds = dict(SCHEMAS[name].columns)
        columns = {}
        for column, kind in kinds.items():
            if column not in frame:
                columns[column] = pa.nulls(len(frame), ARROW[kind])
            elif pd.api.types.is_object_dtype(frame[column]):
                values = [None if v is None or v != v or v is pd.NaT else v for v in frame[column]]
                columns[column] = pa.array(values, type=ARROW[kind])
            else:
                columns[column] = pa.array(frame[column], from_pandas=True).cast(ARROW[kind])
        for column in frame.columns.difference(list(kinds)):
            columns[column] = pa.array(frame[column], from_pandas=True)
        tables[name] = backend.create_table(name, pa.table(columns), overwrite=True)
        recorded[name] = frozenset(frame.columns)
    return Company("Test company", backend, tables, recorded, currency=currency, observed_from=observed_from)


def definitions_of(
    *,
    funnel: tuple[str, ...] = FUNNEL,
    exits: tuple[str, ...] = EXITS,
    deals_from: str = "opportunity",
    figures: list[dict[str, Any]] | None = None,
    recycled_leads: str = "first_exit",
    **entries: Mapping[str, Any],
) -> Definitions:
    """Write definitions in few words: stages from ``deals_from`` on are entered by deals."""
    first_deal = funnel.index(deals_from) if deals_from in funnel else len(funnel)
    stages = [
        {
            "stage": name,
            "label": name.upper(),
            "plural": name.upper() + "s",
            "team": "marketing",
            "subject": "lead" if place < first_deal else "opportunity",
            "enters_when": "it is so",
        }
        for place, name in enumerate(funnel)
    ]
    ways = [{"stage": name, "label": name.capitalize(), "means": "it ended"} for name in exits]
    kpis = figures or [{"name": "lead_flow", "label": "New leads", "kind": "entries", "stage": funnel[0]}]
    return Definitions.model_validate(
        {
            "version": "1",
            "company": "Test company",
            "changed": date(2026, 1, 1),
            "stages": {"funnel": stages, "exits": ways, "recycled_leads": recycled_leads},
            "kpis": {"figures": kpis},
            **entries,
        }
    )


def times(*texts: str | None) -> pd.Series:
    """Timestamps, NULL where None."""
    return pd.Series([pd.NaT if text is None else pd.Timestamp(text) for text in texts], dtype="datetime64[us]")


def leads_of(*rows: tuple[str, str] | tuple[str, str, str | None]) -> pd.DataFrame:
    """Leads from (lead, created) or (lead, created, account)."""
    full = [(*row, None)[:3] for row in rows]
    frame = pd.DataFrame(full, columns=["lead_id", "created_at", "account_id"]).astype(
        {"lead_id": object, "account_id": object}
    )
    return frame.assign(created_at=times(*frame["created_at"]))


def events_of(*rows: tuple[str, str, str] | tuple[str, str, str, int | None], kind: str = "lead") -> pd.DataFrame:
    """Stage events from (subject, stage, at) or (subject, stage, at, spell)."""
    full = [(*row, None)[:4] for row in rows]
    frame = pd.DataFrame(full, columns=["subject_id", "stage", "at", "spell"]).astype(object)
    return frame.assign(at=times(*frame["at"]), subject_kind=kind)


def deal(deal_id: str, created: str, closed: str | None = None, outcome: str = "open", **more: Any) -> dict[str, Any]:
    """Write a deal for `deals_of` in one line."""
    return {"opportunity_id": deal_id, "created_at": created, "closed_at": closed, "outcome": outcome, **more}


def deals_of(*rows: dict[str, Any]) -> pd.DataFrame:
    """Deals from dictionaries; times are texts."""
    frame = pd.DataFrame(list(rows)).astype(object)
    for name in ("created_at", "closed_at"):
        if name in frame:
            values = [None if v is None or v != v else v for v in frame[name]]
            frame[name] = times(*values)
    return frame
