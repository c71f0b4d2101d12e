"""The card of a study's model: what it is for, what it learned from, how it did, and where it ends."""

from __future__ import annotations

import math

import numpy as np

from smarketing.company.definitions import Definitions
from smarketing.company.scoring import Scoring
from smarketing.measures.scoring.models.model_card import ModelCard, summarise
from smarketing.measures.scoring.study import Study, tested_days
from smarketing.measures.scoring.worth.validity import Measured
from smarketing.measures.view import View

LIMITS = (
    "What it saw are associations: changing an attribute of a lead does not change what becomes of it.",
    "Likely to get there is not the same as worth calling; only an experiment tells what working a lead changes.",
    "It learned from leads that earlier rules had sent to sales or not, and inherits what these rules did.",
)
JUDGED = "judged until"


def card_of(study: Study, view: View) -> ModelCard:
    """Return the card of the model that a study gives out."""
    sample, scoring, found = study.sample, study.scoring, study.validity
    assert study.model is not None and found is not None
    dated = study.split is not None and sample.at is not None
    training = study.known.weight > 0
    if study.split is not None:
        training &= study.split.train
    days = sample.at[training].astype("datetime64[D]") if dated and sample.at is not None else None
    label = label_of(scoring, view.definitions)
    entry = scoring
    owners = [name for name in (entry.sales_owner, entry.marketing_owner) if name]
    judged = [(JUDGED, tested_days(sample, scoring, study.split)[1].isoformat())] if study.split is not None else []
    return ModelCard(
        name=f"Lead score of {view.definitions.company}",
        family=study.model.family,
        purpose=f"The probability that a lead {label}, to put leads in line for sales",
        audience="sales and marketing of the company; not for decisions about people",
        trained_on=view.company.name,
        scope=view.scope.label,
        trained_from=None if days is None else str(days.min()),
        trained_to=None if days is None else str(days.max()),
        known_at=None if study.split is None or study.split.day is None else study.split.day.isoformat(),
        rows=int(training.sum()),
        accounts=len(np.unique(sample.cluster[training])),
        with_outcome=0 if study.enough is None else study.enough.events,
        label=label,
        horizon_days=scoring.within_days,
        moment_days=scoring.moment_days if dated else None,
        validity=(
            *((measured.name, _text(measured)) for measured in found.measures),
            ("leads judged", f"{found.n}"),
            *judged,
        ),
        limits=LIMITS,
        definitions_version=view.definitions.version,
        owner=", ".join(owners) or "nobody yet",
        features=summarise(sample.features[training], study.used),
    )


def label_of(scoring: Scoring, definitions: Definitions) -> str:
    """Return what a good lead does, as the definitions say it."""
    if scoring.to_stage is None:
        return f"has {scoring.outcome}"
    return f"reaches {definitions.stages.label(scoring.to_stage)} within {scoring.within_days} days"


def promise_of(scoring: Scoring, definitions: Definitions) -> str:
    """Return what a score promises: what a good lead does, and how long after its creation it is scored.

    The same label judged at another moment is another promise. A flat export has no moments.
    """
    label = label_of(scoring, definitions)
    if scoring.to_stage is None:
        return label
    days = scoring.moment_days
    return f"{label}, scored {days} {'day' if days == 1 else 'days'} after creation"


def _text(measured: Measured) -> str:
    ends = [f"{end:.4f}" if math.isfinite(end) else "open" for end in (measured.lower, measured.upper)]
    return f"{measured.value:.4f} ({ends[0]} to {ends[1]})"
