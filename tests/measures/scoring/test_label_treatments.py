"""What a scorecard predicts over what is true, by how leads are labelled that left or that are too young to be judged.

Leads start evenly over 240 days up to the day on which the model is made, and are won, lost or still open then. Good is
who is won within 90 days. Lost leads win never; a first shortcut takes them as if they had only been seen less long,
a second takes all who are not won yet as negatives. `tests/estimates/test_censoring.py` shows the same of bare rates.
"""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd

from scoring_worlds import feature
from smarketing.estimates.censoring import inverse_probability_weights
from smarketing.measures.scoring.leads.labels import labels_at
from smarketing.measures.scoring.leads.sample import Sample
from smarketing.measures.scoring.models.scorecard import learn_scorecard

HORIZON, HISTORY = 90, 240
WIN, LOSS = 0.004, 0.010
LAST = date(2026, 6, 30)
SEEDS = range(8)


def leads(seed: int, accounts: int = 1_500) -> tuple[Sample, np.ndarray]:
    """Leads that share accounts, with whether they will be won in time."""
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(accounts), rng.geometric(0.4, accounts))
    n = len(account)
    segment = rng.integers(0, 2, accounts)[account]
    pace = rng.gamma(4, 0.25, accounts)[account]
    won = rng.geometric(np.minimum(WIN * (1 + 1.5 * segment) * pace, 1)) - 1
    lost = rng.geometric(np.minimum(LOSS * pace, 1)) - 1
    seen = rng.integers(0, HISTORY, n)
    first = np.minimum(won, lost)
    sample = Sample(
        subject_id=np.array([f"L{i:06d}" for i in range(n)], dtype=object),
        cluster=account.astype(np.int64),
        at=(np.datetime64(LAST, "D") - seen).astype("datetime64[s]"),
        features=pd.DataFrame(
            {"segment": np.where(segment, "large", "small").astype(object), "chance": rng.normal(size=n)}
        ).astype({"segment": object}),
        roles=(feature("segment", "category"), feature("chance")),
        status=np.where(first > seen, 0, np.where(won <= lost, 1, 2)).astype(np.int8),
        age=np.minimum(first, seen),
        as_of=LAST,
        present=None,
        segments=pd.DataFrame(index=range(n)),
    )
    return sample, (won <= lost) & (won <= HORIZON)


def predicted_over_true(seed: int) -> dict[str, float]:
    """Mean predicted probability of all leads over their true rate."""
    sample, true = leads(seed)
    ours = labels_at(sample, horizon=HORIZON, known_at=LAST)
    won = sample.status == 1
    weights = {
        "ours": ours.weight,
        "lost as censored": inverse_probability_weights(sample.age, won, HORIZON).weight,
        "young as negatives": np.ones(len(sample)),
    }
    found = {}
    for name, weight in weights.items():
        outcome = ours.value if name == "ours" else (won & (sample.age <= HORIZON)).astype(np.int8)
        card = learn_scorecard(sample.features, sample.roles, outcome, weight, sample.cluster).model
        found[name] = float(card.probability(sample.features).mean() / true.mean())
    return found


def test_only_our_labels_predict_what_is_true() -> None:
    found = pd.DataFrame([predicted_over_true(seed) for seed in SEEDS])
    mean, error = found.mean(), found.std(ddof=1) / math.sqrt(len(found))
    print(pd.DataFrame({"mean": mean, "error": error}))
    assert error.max() < 0.02
    # In standard errors, at the 99 % point of Student's t with 7 degrees of freedom.
    assert abs(mean["ours"] - 1.00) < 3.5 * error["ours"]
    assert abs(mean["lost as censored"] - 1.38) < 0.1
    assert abs(mean["young as negatives"] - 0.84) < 0.05
