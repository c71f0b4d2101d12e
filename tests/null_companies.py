"""Companies whose leads may look like something and are nothing: a study has to find that there is no score.

3,000 to 8,000 leads over two years, 5 to 30 % of which (both evenly) reach the stage within 60
days. Accounts have 3 leads on average, some dozens, and are alike in outcomes. 24 features: half of the account, half
of the lead; numbers (normal, log-normal, counts, mostly zero) and categories (2 to 20 values), a third with blanks.
``strength`` gives six of them an effect: 0 none; 1 an AUC of about 0.70, measured: what studies of 40,000 leads reach
(seeds 3,000 to 3,002: 0.708, 0.683, 0.701). Behind the blanks and the rounding it would be 0.73.
"""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from scoring_worlds import AS_OF, DAYS, HORIZON, feature, scoring_of
from smarketing.company.scoring import Scoring
from smarketing.measures.scoring.leads.features import Drawn
from smarketing.measures.scoring.leads.sample import Sample

FEATURES = 24
TELLING = 6
ACCOUNT_EFFECT = 0.7
SLOPE = 0.40
"""Of each telling feature at strength 1, in log-odds a standard deviation."""
WORKED = 0.2
"""The share of leads that sales can work."""


def company(seed: int, *, strength: float = 0.0, leads: int | None = None) -> tuple[Drawn, Scoring, np.ndarray]:
    """Return leads, what was agreed on them, and their true log-odds by their features (all alike where none tells)."""
    rng = np.random.default_rng([23, seed])
    n = leads or int(rng.integers(3_000, 8_001))
    base = float(rng.uniform(0.05, 0.30))
    cluster = _accounts(n, rng)
    of_account = rng.normal(size=(int(cluster.max()) + 1, FEATURES))[cluster]
    latent = np.where(np.arange(FEATURES) % 2 == 0, of_account, rng.normal(size=(n, FEATURES)))
    told = strength * SLOPE * latent[:, :TELLING].sum(axis=1)
    effect = rng.normal(0, ACCOUNT_EFFECT, int(cluster.max()) + 1)[cluster]
    spread = ACCOUNT_EFFECT**2 + (strength * SLOPE) ** 2 * TELLING
    # Zeger, Liang & Albert (1988): the mean over a normal effect is about that of flatter log-odds.
    reaches = rng.random(n) < expit(logit(base) * math.sqrt(1 + 0.346 * spread) + told + effect)
    day = rng.integers(0, DAYS, n)
    leaves = ~reaches & (rng.random(n) < 0.5)
    takes = np.minimum(rng.exponential(15, n).astype(np.int64), HORIZON)
    seen = DAYS - day
    out = (reaches | leaves) & (takes <= seen)
    columns = {f"f{i:02d}": _column(latent[:, i], i, rng) for i in range(FEATURES)}
    features = pd.DataFrame(columns).astype({name: object for name, c in columns.items() if c.dtype == object})
    at = np.array([AS_OF - timedelta(days=DAYS)], dtype="datetime64[D]") + day
    sample = Sample(
        subject_id=np.array([f"L{number:06d}" for number in range(n)], dtype=object),
        cluster=cluster,
        at=at.astype("datetime64[s]"),
        features=features,
        roles=tuple(feature(name, "category" if c.dtype == object else "number") for name, c in columns.items()),
        status=np.where(out, np.where(reaches, 1, 2), 0).astype(np.int8),
        age=np.where(out, takes, seen).astype(np.int64),
        as_of=AS_OF,
        present=None,
        segments=pd.DataFrame({"region": ["North"] * n, "source": ["web"] * n}, dtype=object),
    )
    order = np.argsort(at, kind="stable")
    weekly = max(round(WORKED * n / (DAYS / 7)), 1)
    drawn = Drawn(sample=sample.take(order), skipped=())
    return drawn, scoring_of(weekly_capacity=weekly, present_system=None), told[order]


def _accounts(leads: int, rng: np.random.Generator) -> np.ndarray:
    sizes = rng.geometric(0.4, leads)
    sizes[rng.random(leads) < 0.005] *= 10
    return rng.permutation(np.repeat(np.arange(leads), sizes)[:leads]).astype(np.int64)


def _column(latent: np.ndarray, place: int, rng: np.random.Generator) -> np.ndarray:
    kind = place % 6
    if kind >= 4:
        cuts = np.sort(rng.normal(size=int(rng.integers(1, 20))))
        values = np.array([f"value {i}" for i in range(len(cuts) + 1)], dtype=object)[np.digitize(latent, cuts)]
    else:
        shapes = (latent, np.exp(latent), np.floor(np.exp(latent)), np.maximum(np.round(4 * (latent - 0.5)), 0.0))
        values = shapes[kind]
    if place % 3 < 2:
        return values
    blank = rng.random(len(values)) < rng.uniform(0.02, 0.5)
    return np.where(blank, None if values.dtype == object else np.nan, values)
