"""A score as CSV files to take away: the list that a CRM imports, under its own headers, and the scorecard."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from smarketing.report.cells import neutral

DEFAULTS = {
    "lead_id": "Lead ID",
    "score": "Lead Score",
    "band": "Lead Score Band",
    "probability": "Lead Score Probability",
    "qualified": "Lead Score Qualified",
    "explore": "Lead Score Exploration",
    "reasons_for": "Lead Score Reasons For",
    "reasons_against": "Lead Score Reasons Against",
    "scored_on": "Lead Scored On",
}


def write_lead_list(scored: pd.DataFrame, path: Path, headers: Mapping[str, str]) -> None:
    """Write scored leads (`scored_leads`), best first; text that a spreadsheet would run gets an apostrophe in front.

    ``headers`` says what the CRM calls our columns; what it leaves out has the names of `DEFAULTS`.
    """
    frame = scored[list(DEFAULTS)].assign(
        probability=scored["probability"].map("{:.6f}".format),
        qualified=scored["qualified"].map({True: "true", False: "false"}),
        explore=scored["explore"].map({True: "true", False: "false"}),
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([neutral({**DEFAULTS, **headers}[name]) for name in DEFAULTS])
        writer.writerows([neutral(cell) for cell in row] for row in frame.itertuples(index=False))


def write_points(points: pd.DataFrame, path: Path) -> None:
    """Write a scorecard (`Scorecard.points_table`) as a CSV file, its words as harmless as those of the list."""
    safe = points.assign(**{name: points[name].map(neutral) for name in ("feature", "label", "bin")})
    safe.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
