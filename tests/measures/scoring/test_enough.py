"""Fit, pool or refuse: decided before anything is fitted, from leads, events and parameters."""

from __future__ import annotations

import numpy as np

from smarketing.estimates.sample_size import max_parameters, minimum_sample
from smarketing.measures.scoring.models.enough import FEWEST_PARAMETERS, enough


def decision(n: int, rate: float, *, parameters: int = 40) -> str:
    outcome = (np.arange(n) < round(n * rate)).astype(np.int8)
    return enough(outcome, np.ones(n), np.arange(n), parameters=parameters).decision


def test_leads_decide_between_all_fewer_and_no_parameters() -> None:
    full, fewest = (minimum_sample(p, prevalence=0.1).n for p in (40, FEWEST_PARAMETERS))
    assert full > fewest > 500
    assert decision(full + 10, 0.1) == "fit"
    assert decision(full - 100, 0.1) == "pool"
    assert decision(fewest + 10, 0.1) == "pool"
    assert decision(fewest - 50, 0.1) == "refuse"


def test_what_is_carried_is_the_most_that_the_rule_allows() -> None:
    outcome = (np.arange(5_000) < 500).astype(np.int8)
    found = enough(outcome, np.ones(5_000), np.arange(5_000), parameters=1_000)
    assert minimum_sample(found.carried, prevalence=0.1).n <= 5_000
    assert minimum_sample(found.carried + 1, prevalence=0.1).n > 5_000
    assert minimum_sample(found.pooled, prevalence=0.1, shrinkage=0.8).n <= 5_000
    assert minimum_sample(found.pooled + 1, prevalence=0.1, shrinkage=0.8).n > 5_000
    assert found.most_parameters == found.pooled > found.carried
    assert enough(outcome, np.ones(5_000), np.arange(5_000), parameters=found.carried).most_parameters is None
    assert found.reason == (
        f"5,000 training leads with 500 that reached the stage carry {found.carried} parameters, and the scorecard has "
        f"1000, so its bins are drawn towards the average lead until at most {found.pooled} are free"
    )


def test_too_few_of_either_kind_refuse_whatever_the_number() -> None:
    assert decision(1_000_000, 0.000_01) == "refuse"
    assert decision(1_000_000, 0.999_99) == "refuse"
    outcome = (np.arange(1_000) < 5).astype(np.int8)
    assert enough(outcome, np.ones(1_000), np.arange(1_000), parameters=5).reason == (
        "only 5 of 1,000 training leads reached the stage, too few to learn from"
    )


def test_weights_count_for_what_they_are_worth() -> None:
    outcome = np.tile(np.array([1, 0, 0, 0], dtype=np.int8), 1_000)
    weight = np.where(np.arange(4_000) < 2_000, 1.0, 0.0)
    own = np.arange(4_000)
    found = enough(outcome, weight, own, parameters=20)
    assert (found.n, found.effective) == (2_000, 2_000)
    uneven = np.where(np.arange(4_000) % 2 == 0, 3.0, 1.0)
    # (sum w)^2 / sum w^2 = (8,000)^2 / 20,000
    assert enough(outcome, uneven, own, parameters=20).effective == 3_200


def test_leads_of_an_account_count_by_how_alike_they_are() -> None:
    account = np.arange(4_000) // 4
    ones = np.ones(4_000)
    # All four leads of an account end alike: a fourth of the leads says as much, less one account that the mean costs.
    same = (account % 5 == 0).astype(np.int8)
    found = enough(same, ones, account, parameters=20)
    assert (found.n, found.effective, found.events) == (4_000, 999, 800)
    assert "worth 999 independent ones, carry" in found.reason
    assert found.carried == max_parameters(999, prevalence=0.2)
    # The limit on a pooled scorecard counts leads: its folds keep accounts together.
    assert found.pooled == max_parameters(4_000, prevalence=0.2, shrinkage=0.8)
    # As unlike as can be: never worth more than what they are.
    unlike = np.tile(np.array([1, 0, 0, 0], dtype=np.int8), 1_000)
    assert enough(unlike, ones, account, parameters=20).effective == 4_000


def test_leads_of_one_account_are_no_evidence() -> None:
    outcome = (np.arange(1_000) < 300).astype(np.int8)
    found = enough(outcome, np.ones(1_000), np.zeros(1_000, dtype=np.int64), parameters=5)
    assert (found.decision, found.accounts) == ("refuse", 1)
    assert found.reason == "all 1,000 training leads are of one account, which tells nothing of other accounts"


def test_each_refusal_names_what_is_lacking() -> None:
    def reason(n: int, events: int, accounts: int, *, parameters: int = 40) -> str:
        # Events come in whole accounts, so that leads of an account end alike.
        outcome = (np.arange(n) < events).astype(np.int8)
        found = enough(outcome, np.ones(n), np.arange(n) * accounts // n, parameters=parameters)
        assert found.decision == "refuse"
        return found.reason

    assert reason(1_000, 5, 1_000) == "only 5 of 1,000 training leads reached the stage, too few to learn from"
    assert reason(1_000, 995, 1_000) == "only 5 of 1,000 training leads did not reach the stage, too few to learn from"
    assert reason(1_000, 500, 4) == (
        "1,000 training leads with 500 that reached the stage, worth 3 independent ones, are too few to carry a single "
        "parameter"
    )
    few = max_parameters(500, prevalence=0.5)
    assert 1 < few < FEWEST_PARAMETERS
    assert reason(500, 250, 500) == (
        f"500 training leads with 250 that reached the stage carry {few} parameters, and the scorecard has 40; fewer "
        "than 10 are no score"
    )


def test_a_limit_that_does_not_bind_is_not_said_to() -> None:
    outcome = (np.arange(5_000) < 500).astype(np.int8)
    carried = enough(outcome, np.ones(5_000), np.arange(5_000), parameters=1_000).carried
    found = enough(outcome, np.ones(5_000), np.arange(5_000), parameters=carried + 1)
    assert found.decision == "pool" and found.pooled > found.parameters
    assert found.reason == (
        f"5,000 training leads with 500 that reached the stage carry {carried} parameters, and the scorecard has "
        f"{carried + 1}; its bins are drawn towards the average lead, and all of them may stay free"
    )
