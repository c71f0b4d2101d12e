"""Scored leads: who is given which score, band and place in line, and who is worked anyway so that we can be wrong.

A declared share of the leads below the threshold is drawn at random and marked to be worked all the same: without them
nobody could ever notice that the score is wrong about those it rejects. A lead is drawn once: by its id alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from smarketing.company.scoring import Scoring
from smarketing.measures.scoring.giving.given import ROWS
from smarketing.measures.scoring.giving.monitor import Monitor
from smarketing.measures.scoring.leads.features import feature_table, read
from smarketing.measures.scoring.leads.moments import OPEN
from smarketing.measures.scoring.leads.present import SYSTEM
from smarketing.measures.scoring.leads.sample import Sample
from smarketing.measures.scoring.models.model_card import ModelCard
from smarketing.measures.scoring.models.reasons import AGAINST, FOR, reasons
from smarketing.measures.scoring.models.saving import Saved
from smarketing.measures.scoring.study import Model, Study
from smarketing.measures.scoring.study_card import card_of, promise_of
from smarketing.measures.scoring.worth.threshold import band_of
from smarketing.measures.view import View


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What is given out: scored leads (`scored_leads`), rows for the ``scores`` table, and the model in two forms.

    ``scored`` are the new leads that are still open; ``rows`` has those too that are not any more, since a promise is
    kept or broken by all leads that it is about. In a flat export (``dated`` False) new is who has no outcome yet.
    ``card`` is None where the model was given out before and is not
    written again.
    """

    scored: pd.DataFrame
    rows: pd.DataFrame
    sql: str
    model: Model
    card: ModelCard | None
    dated: bool = True


def give_out(view: View, study: Study, scoring: Scoring) -> Given | None:
    """Score the open leads with the model of a study; None where there is no usable score."""
    if study.unusable or study.model is None:
        return None
    return _given(view, study.model, scoring, card_of(study, view))


def give_out_again(view: View, saved: Saved, scoring: Scoring, watched: Monitor) -> Given:
    """Score the open leads with a saved model; where its level is off, shifted by what has come of leads since."""
    model = saved.model
    if watched.state == "recalibrate":
        calibration = model.calibration
        shifted = replace(calibration, intercept=calibration.intercept + watched.shift.value)
        model = replace(model, calibration=shifted)
    return _given(view, model, scoring, None)


def _given(view: View, model: Model, scoring: Scoring, card: ModelCard | None) -> Given:
    leads = read(view, scoring, model.roles, new_only=True)
    new = scored_leads(leads, model, scoring, as_of=view.asked)
    still_open = new["lead_id"].isin(leads.subject_id[leads.status == OPEN])
    sql = score_sql(model, dialect=view.company.backend.name)
    rows = score_rows(
        new, view.asked, promise=promise_of(scoring, view.definitions), explore_share=scoring.exploration_share
    )
    return Given(
        scored=new[still_open].reset_index(drop=True),
        rows=rows,
        sql=sql,
        model=model,
        card=card,
        dated=leads.at is not None,
    )


def scored_leads(sample: Sample, model: Model, scoring: Scoring, *, as_of: date, at_most: int = 3) -> pd.DataFrame:
    """Score leads, best first.

    Returns
    -------
    DataFrame
        A row a lead: ``lead_id``, ``probability`` (of reaching the stage within the days after its scoring moment),
        ``score`` (that in percent, rounded down), ``band``, ``qualified`` (at or above the agreed threshold),
        ``explore`` (below it, and drawn to be worked anyway), ``reasons_for`` and ``reasons_against`` (what the model
        saw, heaviest first, at most ``at_most``), ``scored_on``.
    """
    features = sample.features[[role.name for role in model.roles]]
    probability = model.probability(features)
    qualified = probability >= scoring.threshold
    said = reasons(model, features, at_most=at_most)
    texts = {
        direction: said[said["direction"] == direction].groupby("row")["text"].agg("; ".join)
        for direction in (FOR, AGAINST)
    }
    found = pd.DataFrame(
        {
            "lead_id": sample.subject_id,
            "probability": probability,
            "score": np.floor(probability * 100 + 1e-9).astype(np.int64),
            "band": band_of(probability, scoring.bands),
            "qualified": qualified,
            "explore": ~qualified & explored(sample.subject_id, scoring.exploration_share, salt=SYSTEM),
            "reasons_for": texts[FOR].reindex(range(len(sample))).fillna("").to_numpy(dtype=object),
            "reasons_against": texts[AGAINST].reindex(range(len(sample))).fillna("").to_numpy(dtype=object),
            "scored_on": as_of.isoformat(),
        }
    )
    return found.sort_values(["probability", "lead_id"], ascending=[False, True], ignore_index=True)


def explored(ids: npt.ArrayLike, share: float, *, salt: str) -> npt.NDArray[np.bool_]:
    """Draw a share of leads at random, the same ones in every run: by a hash of the id and the salt."""
    drawn = [hashlib.blake2b(f"{salt}|{one}".encode(), digest_size=8).digest() for one in np.asarray(ids, dtype=object)]
    limit = share * 2.0**64
    return np.array([int.from_bytes(digest, "big") < limit for digest in drawn], dtype=bool)


def score_rows(scored: pd.DataFrame, as_of: date, *, promise: str, explore_share: float) -> pd.DataFrame:
    """Return scored leads as rows of the canonical table ``scores``, with what was decided and promised (`ROWS`)."""
    rows = pd.DataFrame(
        {
            "subject_id": scored["lead_id"].astype(str),
            "system": SYSTEM,
            "at": pd.Timestamp(as_of),
            "score": scored["probability"].astype("float64"),
            "band": scored["band"].astype(str),
            "qualified": scored["qualified"].astype(bool),
            "explore": scored["explore"].astype(bool),
            "promise": promise,
            "explore_share": explore_share,
        }
    )
    return rows[list(ROWS)]


def score_sql(model: Model, *, dialect: str) -> str:
    """Return the model as a query over a table ``lead_features``: a row a lead, a column a feature (`feature_table`).

    Parameters
    ----------
    dialect
        The engine: ``duckdb``, ``postgres`` or another that ibis writes.
    """
    kinds = {"number": "float64", "category": "string"}
    table = ibis.table(
        {"subject_id": "string"} | {role.name: kinds[role.kind] for role in model.roles}, "lead_features"
    )
    asked = table.select("subject_id", probability=model.expression(table))
    head = (
        "-- lead_features: a row a lead at its scoring moment, with subject_id and the columns named below, made by\n"
        f"-- {feature_table.__module__}.{feature_table.__name__}(view, scoring, model.roles).\n"
    )
    return head + str(ibis.to_sql(asked, dialect=dialect))
