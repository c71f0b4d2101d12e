import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight

from smarketing.estimates.censoring import inverse_probability_weights
from smarketing.estimates.life_tables import life_table
from smarketing.estimates.survival import incidence

HORIZON, HISTORY = 90, 240
WIN, LOSS = 0.004, 0.010


def world(seed: int, accounts: int = 4000) -> tuple[np.ndarray, ...]:
    """Leads that share accounts, started evenly over the history: segment, age, kind, follow-up, truth.

    Kind 0 is open, 1 won, 2 lost. Won after a segment's geometric days, lost after others; an account is quicker or
    slower in both.
    """
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(accounts), rng.geometric(0.4, accounts))
    n = len(account)
    segment = rng.integers(0, 2, accounts)[account]
    pace = rng.gamma(4, 0.25, accounts)[account]
    won = rng.geometric(np.minimum(WIN * (1 + 1.5 * segment) * pace, 1)) - 1
    lost = rng.geometric(np.minimum(LOSS * pace, 1)) - 1
    follow_up = rng.integers(0, HISTORY, n)
    first = np.minimum(won, lost)
    kind = np.where(first > follow_up, 0, np.where(won <= lost, 1, 2))
    true = (won <= lost) & (won <= HORIZON)
    return segment, np.minimum(first, follow_up), kind, follow_up, true


def predicted_over_true(seed: int) -> dict[str, float]:
    """Mean prediction over the true rate; a model of one two-valued feature predicts the feature's weighted rates."""
    segment, age, kind, follow_up, true = world(seed)
    outcome = (kind == 1) & (age <= HORIZON)
    weights = {
        "right": inverse_probability_weights(age, kind > 0, HORIZON, follow_up=follow_up).weight,
        "reverse": inverse_probability_weights(age, kind > 0, HORIZON).weight,
        # A lost lead as one whose follow-up ended: only wins are exits.
        "lost as censored": inverse_probability_weights(age, kind == 1, HORIZON).weight,
        "young as negatives": np.ones(len(age)),
        "young left out": (inverse_probability_weights(age, kind > 0, HORIZON).weight > 0).astype(float),
    }
    ratios = {}
    for name, weight in weights.items():
        rates = np.bincount(segment, weight * outcome) / np.bincount(segment, weight)
        ratios[name] = float(rates[segment].sum() / true.sum())
    return ratios


WHOLE = "has to be one list of whole days, 0 or more; leave out whoever starts after the end."


def test_only_weights_that_know_of_losses_are_right() -> None:
    found = [predicted_over_true(seed) for seed in range(40)]
    mean = {name: np.mean([one[name] for one in found]) for name in found[0]}
    error = {name: np.std([one[name] for one in found], ddof=1) / math.sqrt(40) for name in found[0]}
    # Measured: right 1.000, reverse 1.000 (standard errors 0.001), lost 1.37, negatives 0.86, left out 1.08.
    for name in ("right", "reverse"):
        assert error[name] < 0.005
        assert abs(mean[name] - 1) < 2.6 * error[name]
    assert mean["lost as censored"] == pytest.approx(1.38, abs=0.1)
    assert mean["young as negatives"] == pytest.approx(0.84, abs=0.05)
    assert mean["young left out"] > 1.05


def test_by_hand() -> None:
    # Followed for 0, 5, 10, 10 days; horizon 8. P(C >= 3) = 3/4, P(C >= 8) = 2/4. The exit at 3 counts 4/3; the one
    # open at 5 is not known; the exit at 9 and the one open at 10 were open at 8 and count 2 each; the one followed for
    # 0 days left on its first day, which all could see.
    found = inverse_probability_weights([0, 5, 9, 3], [1, 0, 1, 1], 8, follow_up=[0, 5, 10, 10])
    assert found.weight == pytest.approx([1, 0, 2, 4 / 3])
    assert found.known.tolist() == [True, False, True, True]
    assert found.followed == pytest.approx([1, 0.75, 0.75, 0.75, 0.75, 0.75, 0.5, 0.5, 0.5])
    assert found.followed_to_horizon == 0.5
    assert found.effective == pytest.approx((13 / 3) ** 2 / (1 + 4 + 16 / 9))


def observed(seed: int, n: int = 200, days: int = 12) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    exit_age, follow_up = rng.integers(0, 2 * days, n), rng.integers(0, days, n)
    seen = exit_age <= follow_up
    return np.minimum(exit_age, follow_up), seen, follow_up, np.where(seen, rng.integers(1, 3, n), 0)


@pytest.mark.parametrize("seed", range(3))
def test_without_follow_up_it_is_the_reverse_kaplan_meier_of_statsmodels(seed: int) -> None:
    # SurvfuncRight(age, censored) with censorings half a day later, so that exits of the same age come first.
    age, seen, _, _ = observed(seed)
    found = inverse_probability_weights(age, seen, 9)
    fit = SurvfuncRight(age + np.where(seen, 0, 0.5), (~seen).astype(int))
    for day in range(10):
        before = fit.surv_prob[fit.surv_times < day]
        assert found.followed[day] == pytest.approx(before[-1] if len(before) else 1.0, abs=1e-12)


@given(st.integers(0, 10_000), st.integers(0, 11))
def test_weighted_shares_are_aalen_johansen_incidences(seed: int, horizon: int) -> None:
    age, seen, _, kind = observed(seed, n=60)
    found = inverse_probability_weights(age, seen, horizon)
    names = np.array(["", "1", "2"])[kind]
    curves = incidence(life_table(np.zeros(60, dtype=int), age, names, kinds=("1", "2")))
    if not curves.observed(horizon):
        return
    for number in (1, 2):
        share = (found.weight * ((kind == number) & (age <= horizon))).sum() / len(age)
        assert share == pytest.approx(curves.at(str(number), horizon), abs=1e-12)


@given(st.integers(0, 10_000), st.integers(0, 15))
def test_known_outcomes_and_no_others_have_a_weight_of_one_or_more(seed: int, horizon: int) -> None:
    age, seen, follow_up, _ = observed(seed, n=40)
    for limit in (None, follow_up):
        found = inverse_probability_weights(age, seen, horizon, follow_up=limit)
        assert ((found.weight >= 1 - 1e-12) == found.known).all()
        assert (found.weight[~found.known] == 0).all()
        assert (np.diff(found.followed) <= 1e-12).all()
        assert len(found.followed) == horizon + 1


def test_full_follow_up_weighs_all_alike_and_none_weighs_nobody() -> None:
    full = inverse_probability_weights([3, 20, 7], [1, 0, 1], 10, follow_up=[20, 20, 20])
    assert full.weight.tolist() == [1, 1, 1]
    young = inverse_probability_weights([3, 4], [0, 0], 10)
    assert (young.weight.tolist(), young.followed_to_horizon, young.effective) == ([0, 0], 0, 0)
    nobody = inverse_probability_weights([], [], 10)
    assert len(nobody.weight) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.5], [1], 10, None), f"age {WHOLE}"),
        (([-1], [1], 10, None), f"age {WHOLE}"),
        (([1], [1], 2.5, None), "the horizon is 2.5; it has to be a whole number of days, 0 or more."),
        (
            ([1, 2], [1], 10, None),
            "ages, exits and follow-ups have the shapes (2,), (1,) and (2,); give one of each a subject.",
        ),
        (
            ([5, 2], [1, 1], 10, [4, 2]),
            "1 exits lie after the end of the subject's follow-up; cut exits at the day up to which records go.",
        ),
    ],
)
def test_impossible_ages_are_refused(arguments: tuple, message: str) -> None:
    age, seen, horizon, follow_up = arguments
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        inverse_probability_weights(age, seen, horizon, follow_up=follow_up)
