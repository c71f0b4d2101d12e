"""The blocks that show scored leads: how many are in which band, and the best of them with what the model saw."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from smarketing.measures.scoring.leads.features import NEW_DAYS
from smarketing.report import formats
from smarketing.report.blocks import Block, note, table

SOURCE = "the saved model on the company's new leads"
SHOWN = 3


def scored_leads(
    scored: pd.DataFrame, files: Sequence[str], *, dated: bool, capacity: int | None = None
) -> list[Block]:
    """Show new leads by band, and the best of them with their reasons; ``files`` stand beside the report.

    In an export without dates (``dated`` False) new are those without an outcome. ``capacity`` is how many leads sales
    can work in a week, where that is known.
    """
    beside = f"Files beside this report: {formats.listed(list(files))}."
    if scored.empty:
        nobody = "No new lead is open" if dated else "Every lead of the export has its outcome, so none is new"
        return [note(f"{nobody}. {beside}" if files else f"{nobody}.", heading="No lead is waiting for a score.")]
    qualified, explored = int(scored["qualified"].sum()), int(scored["explore"].sum())
    rows = scored.groupby("band", sort=True).agg(
        n=("lead_id", "size"), qualified=("qualified", "sum"), explore=("explore", "sum")
    )
    frame = pd.DataFrame(
        {
            "Band": rows.index,
            "New leads": rows["n"].to_numpy(),
            "Qualified": rows["qualified"].to_numpy(),
            "Drawn to be worked anyway": rows["explore"].to_numpy(),
        }
    )
    by_band = table(
        frame,
        id="tab-scored",
        title=f"{formats.many(len(scored), 'new lead')} scored, {formats.count(qualified)} qualified and "
        f"{formats.count(explored)} drawn to be worked anyway",
        formats=dict.fromkeys(("New leads", "Qualified", "Drawn to be worked anyway"), "count"),
        subtitle=f"New: {new_words(dated=dated)}. "
        "Some leads below the threshold are drawn at random and worked all the same, so that a wrong score is noticed. "
        f"{_beyond(len(scored), capacity)}{beside}",
        source=SOURCE,
    )
    best = scored.head(SHOWN)
    best = best.assign(reasons_against=best["reasons_against"].replace("", formats.MISSING)).assign(
        reasons_for=best["reasons_for"].replace("", formats.MISSING)
    )
    best = best.rename(
        columns={
            "lead_id": "Lead",
            "probability": "Probability",
            "band": "Band",
            "reasons_for": "What speaks for it",
            "reasons_against": "What speaks against it",
        }
    )
    reasons = table(
        best[["Lead", "Probability", "Band", "What speaks for it", "What speaks against it"]],
        id="tab-reasons",
        title=f"The best {'lead' if len(best) == 1 else f'{len(best)} leads'}, and what the model saw",
        formats={"Probability": "share"},
        subtitle="Heaviest first. These are associations that the model saw, not advice.",
        source=SOURCE,
    )
    return [by_band, reasons]


def new_words(*, dated: bool) -> str:
    """Say which leads count as new, within a sentence."""
    return f"scored in the last {NEW_DAYS} days and still open" if dated else "without an outcome yet"


def _beyond(listed: int, capacity: int | None) -> str:
    """Say that the list is longer than what sales can work in a week, where it is."""
    if capacity is None or listed <= capacity:
        return ""
    return (
        f"The list has {formats.many(listed, 'lead')} and sales can work {formats.count(capacity)} a week: it is "
        "in the order of the score, so work it from the top. "
    )
