"""Small samples of leads whose truth is known, for tests of a whole study."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from scipy.special import expit

from small_companies import definitions_of
from smarketing.company.definitions import Definitions
from smarketing.company.scoring import Scoring
from smarketing.measures.scoring.leads.features import Drawn
from smarketing.measures.scoring.leads.sample import Feature, Sample

AS_OF = date(2026, 6, 30)
HORIZON = 60
DAYS = 720


def scoring_of(**changes: object) -> Scoring:
    """What a company agreed on: reaching ``sql`` within 60 days, 20 leads a week."""
    said = {
        "to_stage": "sql",
        "within_days": HORIZON,
        "weekly_capacity": 20,
        "cost_of_working": 10.0,
        "value_of_stage": 100.0,
        "threshold": 0.25,
        "bands": {"A": 0.4, "B": 0.2},
        "present_system": "crm",
    }
    return Scoring.model_validate(said | changes)


def definitions() -> Definitions:
    """Definitions with the default evidence gate."""
    return definitions_of(funnel=("lead", "mql", "sql", "won"), exits=("rejected", "recycled"))


def feature(name: str, kind: str = "number", side: str = "fit", known: str = "before") -> Feature:
    """One feature whose words are its name's."""
    return Feature(
        name=name,
        label=name.replace("_", " "),
        kind=kind,  # type: ignore[arg-type]
        side=side,  # type: ignore[arg-type]
        known=known,  # type: ignore[arg-type]
        origin=f"leads.{name}",
    )


def dated_leads(
    n: int = 6_000, *, seed: int = 0, strength: float = 1.0, drift: float = 0.0
) -> tuple[Drawn, np.ndarray]:
    """Leads over two years of which ``strength`` says how far features tell; and their probabilities given these.

    Accounts share an effect, over which these are averaged. ``drift`` is added to the log-odds in the last half year.
    """
    rng = np.random.default_rng(seed)
    cluster = np.sort(rng.integers(0, n // 3, n))
    effect = rng.normal(0, 0.5, n // 3)[cluster]
    day = rng.integers(0, DAYS, n)
    size, visits = rng.lognormal(4, 1, n), rng.poisson(2, n).astype(float)
    source = rng.choice(["web", "event", "partner"], n, p=[0.5, 0.3, 0.2]).astype(object)
    told = 0.6 * (np.log(size) - 4) + 0.3 * (visits - 2) + 0.8 * (source == "partner")
    seen_odds = -1.7 + strength * told + drift * (day > DAYS - 240)
    reaches = rng.random(n) < expit(seen_odds + effect)
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    p = expit(seen_odds[:, None] + 0.5 * nodes) @ (weights / weights.sum())
    at = np.datetime64(AS_OF, "D") - np.timedelta64(1, "D") * (DAYS - day)
    seen = DAYS - day
    takes = np.minimum(rng.exponential(15, n).astype(np.int64), HORIZON)
    leaves = ~reaches & (rng.random(n) < 0.4)
    out = (reaches | leaves) & (takes <= seen)
    size[rng.random(n) < 0.1] = np.nan
    features = pd.DataFrame(
        {
            "size": size,
            "visits": visits,
            "source": source,
            "noise": rng.normal(size=n),
            "shade": rng.choice(["red", "green", None], n),
        }
    ).astype({"source": object, "shade": object})
    roles = (
        feature("size"),
        feature("visits", side="engagement", known="dated"),
        feature("source", "category"),
        feature("noise"),
        feature("shade", "category"),
    )
    ids = np.array([f"L{number:06d}" for number in range(n)], dtype=object)
    sample = Sample(
        subject_id=ids,
        cluster=cluster.astype(np.int64),
        at=at.astype("datetime64[s]"),
        features=features,
        roles=roles,
        status=np.where(out, np.where(reaches, 1, 2), 0).astype(np.int8),
        age=np.where(out, takes, seen).astype(np.int64),
        as_of=AS_OF,
        present=visits + rng.normal(0, 2, n),
        segments=pd.DataFrame({"region": rng.choice(["North", "South"], n), "source": source}, dtype=object),
    )
    order = np.lexsort((ids.astype(str), at))
    return Drawn(sample=sample.take(order), skipped=()), p[order]


def flat_leads(n: int = 3_000, *, seed: int = 0) -> Drawn:
    """The same leads without any day, as a flat export has them."""
    drawn, p = dated_leads(n, seed=seed)
    sample = drawn.sample
    won = np.random.default_rng(seed + 1).random(n) < p
    flat = Sample(
        subject_id=sample.subject_id,
        cluster=np.arange(n),
        at=None,
        features=sample.features,
        roles=sample.roles,
        status=np.where(won, 1, 2).astype(np.int8),
        age=np.zeros(n, dtype=np.int64),
        as_of=None,
        present=None,
        segments=sample.segments,
    )
    return Drawn(sample=flat, skipped=())
