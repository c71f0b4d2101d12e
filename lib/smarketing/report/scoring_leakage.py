"""What a score was not allowed to use: columns that know the outcome, and what they would have claimed."""

from __future__ import annotations

import math

import pandas as pd

from smarketing.measures.scoring.study import Study
from smarketing.report import formats
from smarketing.report import scoring_wording as wording
from smarketing.report.blocks import Block, note, table

SOURCE = "the company's tables as listed under Provenance"
CODES = {
    "LK01": "declared as filled in after first contact",
    "LK02": "alone too strong to be known in time",
    "LK03": "filled in for one outcome only",
    "LK04": "a value that comes with the outcome",
    "LK05": "filled in by sales",
    "LK06": "declared neither before nor after first contact",
}
"""What each sign of the leakage audit is."""


def what_was_left_out(study: Study, claimed: pd.DataFrame) -> list[Block]:
    """Show the flags of the leakage audit, what the flagged columns would have claimed, and the strongest columns."""
    blocks: list[Block] = []
    rows = _flagged(study)
    if rows:
        blocks.append(
            table(
                pd.DataFrame(rows),
                id="tab-leakage",
                title=wording.leakage_title(study),
                formats={"AUC alone": "number"},
                subtitle="Asked of every column before anything is fitted, on the training leads; the gravest sign of "
                f"each column, and the codes of the others. {_codes(study)}.",
                source=SOURCE,
            )
        )
    else:
        blocks.append(note(f"{wording.leakage_title(study)}.", heading="Leakage audit."))
    if len(claimed):
        blocks.append(_claims(claimed, study.choice.chosen if study.choice else "scorecard"))
    powers = study.audit.powers.dropna(subset=["auc"])
    kept = powers[powers["feature"].isin([feature.name for feature in study.used])]
    if len(kept):
        best = kept.iloc[0]
        blocks.append(
            note(
                f"Of {formats.many(len(kept), 'column')}, {formats.inside(best['label'])} separates good leads from "
                f"others best alone: AUC {wording.with_interval(*best[['auc', 'auc_lower', 'auc_upper']])}; "
                f"0.50 is not at all.{_not_asked(len(study.used) - len(kept))}",
                heading="What was kept.",
            )
        )
    return blocks


def _not_asked(features: int) -> str:
    """Say how many more features a score may use than could be asked alone, where there are any."""
    if not features:
        return ""
    return f" {formats.many(features, 'more feature is', 'more features are')} used that could not be asked alone."


def _codes(study: Study) -> str:
    """Say what the codes of the audit stand for, those that it raised."""
    return "; ".join(f"{code}: {CODES[code]}" for code in sorted({flag.code for flag in study.audit.flags}))


def _flagged(study: Study) -> list[dict[str, object]]:
    """Return a row a column that was flagged."""
    flags = study.audit.flags
    columns = dict.fromkeys(flag.feature for flag in flags)
    out = set(study.left_out["feature"])
    kept = {True: "no, left out", False: "yes, kept"}
    rows: list[dict[str, object]] = []
    for column in columns:
        first, *others = [flag for flag in flags if flag.feature == column]
        codes = [first.code, *(flag.code for flag in others)]
        rows.append(
            {
                "Column": formats.opening(first.label),
                "Codes": ", ".join(dict.fromkeys(codes)),
                "What was found": first.evidence,
                "AUC alone": math.nan if first.fakes is None else first.fakes,
                "Used": kept[column in out] if column is not None else "yes, unless flagged itself",
                "What to do": first.remedy,
            }
        )
    return rows


def _claims(claimed: pd.DataFrame, chosen: str) -> Block:
    """Show what the models would have claimed with the columns that were left out."""
    frame = pd.DataFrame(
        {
            "Columns let in": claimed["with_columns"].replace("", "no more: the models as used").map(formats.opening),
            "Model": claimed["family"].map(formats.opening),
            "AUC": claimed["auc"],
            "From": claimed["lower"],
            "To": claimed["upper"],
        }
    )
    return table(
        frame,
        id="tab-claims",
        title=wording.claims_title(claimed[claimed["family"] == chosen]),
        formats=dict.fromkeys(("AUC", "From", "To"), "number"),
        subtitle="Out of fold within the training leads, 95% interval by account. What is known only after the first "
        "talk cannot be used before it, so such an AUC would never come true.",
        source=SOURCE,
    )
