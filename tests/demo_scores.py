"""Demo companies whose leads are scored, with the true probabilities of the same leads beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import yaml

from smarketing.company.definitions import Definitions, read_definitions
from smarketing.company.demo import true_probabilities_of
from smarketing.company.inputs import open_company
from smarketing.company.scoring import Scoring
from smarketing.measures.scoring.leads.features import Drawn, draw
from smarketing.measures.view import View, view

PROJECT = Path(__file__).parent.parent
AS_OF = date(2026, 11, 15)
DAYS = 180
DECILE = 0.1


@dataclass(frozen=True)
class DemoLeads:
    """Leads at their scoring moment, what was agreed on them, and their true probabilities, row by row."""

    drawn: Drawn
    definitions: Definitions
    scoring: Scoring
    truth: np.ndarray


def demo_view(folder: Path, *, leads: int, seed: int) -> tuple[View, Scoring]:
    """Build a demo company and open it as its report does: good is who is won within 180 days."""
    said = yaml.safe_load((PROJECT / "params" / "inputs" / "demo.yml").read_text())
    said["demo"] = {"leads": leads, "seed": seed, "as_of": AS_OF}
    inputs = folder.parent / "demo.yml"
    inputs.write_text(yaml.safe_dump(said))
    definitions = read_definitions(PROJECT / "params" / "definitions.yml")
    assert definitions.scoring is not None
    agreed = definitions.scoring.model_dump() | {"to_stage": "won", "within_days": DAYS}
    return view(open_company(inputs, data=folder), definitions, AS_OF), Scoring.model_validate(agreed)


def demo_leads(folder: Path, *, leads: int, seed: int) -> DemoLeads:
    """Draw the leads of a demo company, with their true probabilities."""
    seen, scoring = demo_view(folder, leads=leads, seed=seed)
    drawn = draw(seen, scoring)
    oracle = true_probabilities_of(folder, to_stage="won", within_days=DAYS)
    of_lead = dict(zip(oracle.lead_id, oracle.probability, strict=True))
    truth = np.array([of_lead[one] for one in drawn.sample.subject_id])
    return DemoLeads(drawn=drawn, definitions=seen.definitions, scoring=scoring, truth=truth)


def of_the_best(score: np.ndarray, truth: np.ndarray) -> float:
    """Mean true probability of the best tenth by the score over that of the best tenth by the truth."""
    most = round(len(score) * DECILE)
    # Leads of equal score are taken in the order of their rows, which knows nothing of them.
    best = np.argsort(-score, kind="stable")[:most]
    return float(truth[best].mean() / np.sort(truth)[-most:].mean())


def expected_auc(truth: np.ndarray) -> float:
    """AUC of the true probabilities, over all outcomes that they could have: what no score can beat on average."""
    p = np.sort(truth)
    before = np.cumsum(1 - p) - (1 - p)
    pairs = p.sum() * (1 - p).sum() - (p * (1 - p)).sum()
    return float((p * before).sum() / pairs)
