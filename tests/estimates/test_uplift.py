import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc as trapezoid

from smarketing.estimates.bootstrap import clustered_weights
from smarketing.estimates.rates import difference, wilson
from smarketing.estimates.uplift import qini, qini_difference, uplift_bins


def experiment(seed: int, n: int, *, effect: float = 0.3, levels: int | None = None) -> tuple[np.ndarray, ...]:
    """Score x, outcome and arm: uplift is effect x, the untreated rate 0.2, x even on 0 to 1."""
    rng = np.random.default_rng(seed)
    x = rng.random(n) if levels is None else rng.integers(0, levels, n) / levels
    treated = rng.random(n) < 0.6
    return x, (rng.random(n) < 0.2 + effect * x * treated).astype(int), treated


def test_by_hand() -> None:
    # Ten people, best score first; T with or C without treatment, and who bought:
    #   T1 T1 C0 T0 C1 | the last five share one score: T1 C0 C1 T0 C0
    # After each of the first five, R_t - R_c N_t / N_c: 1, 2, 2 - 0, 2 - 0, 2 - 1 x 3/2 = 0.5; after all, with 5
    # treated (3 bought) and 5 not (2 bought): 3 - 2 x 5/5 = 1. Divided by 5 treated.
    score = [9, 8, 7, 6, 5, 1, 1, 1, 1, 1]
    treated = [1, 1, 0, 1, 0, 1, 0, 0, 1, 0]
    outcome = [1, 1, 0, 0, 1, 1, 0, 1, 0, 0]
    found = qini(score, outcome, treated)
    assert found.targeted == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 1])
    assert found.gained == pytest.approx([0, 0.2, 0.4, 0.4, 0.4, 0.1, 0.2])
    assert found.everyone == pytest.approx(3 / 5 - 2 / 5)
    # Trapezoids: 0.01 + 0.03 + 0.04 + 0.04 + 0.025 + 0.075 = 0.22; the line to 0.2 has 0.1 below it.
    assert found.value == pytest.approx(0.12)
    assert (found.treated, found.control) == (5, 5)


@pytest.mark.parametrize("levels", [None, 7])
def test_the_curve_is_that_of_scikit_uplift(levels: int | None) -> None:
    # Written out here: sklift.metrics.qini_curve(y_true, uplift, treatment) gives treated buyers less untreated buyers
    # x treated / untreated at each distinct score, over numbers of people; the area by sklearn.metrics.auc.
    score, outcome, treated = experiment(3, 400, levels=levels)
    people, values = [0], [0.0]
    for threshold in sorted(set(score), reverse=True):
        above = score >= threshold
        n_t, n_c = (above & treated).sum(), (above & ~treated).sum()
        r_t, r_c = outcome[above & treated].sum(), outcome[above & ~treated].sum()
        people.append(above.sum())
        values.append(r_t - (r_c * n_t / n_c if n_c else 0))
    found = qini(score, outcome, treated, draws=5)
    assert found.targeted * 400 == pytest.approx(np.array(people))
    assert found.gained * treated.sum() == pytest.approx(np.array(values), abs=1e-9)
    area = trapezoid(people, values) - 400 * values[-1] / 2
    assert found.value == pytest.approx(area / 400 / treated.sum(), abs=1e-12)


def test_a_known_uplift_is_found() -> None:
    # Uplift 0.3 x, x even on 0 to 1, best first: the share s gains 0.3 (s - s^2 / 2), everyone 0.15; the area between
    # is 0.3 (1/2 - 1/6) - 0.075 = 0.025.
    score, outcome, treated = experiment(1, 80_000)
    found = qini(score, outcome, treated, draws=45)
    at = np.array([0.1, 0.25, 0.5, 0.8])
    assert np.interp(at, found.targeted, found.gained) == pytest.approx(0.3 * (at - at**2 / 2), abs=0.008)
    assert found.value == pytest.approx(0.025, abs=0.004)
    assert found.lower < 0.025 < found.upper
    worst = qini(-score, outcome, treated, draws=45)
    assert worst.value == pytest.approx(-0.025, abs=0.004)
    assert worst.upper < 0
    # "Likely to buy" is not "worth calling": a score of the untreated rate, unrelated to the uplift, gains nothing.
    aimless = qini(np.random.default_rng(0).random(len(score)), outcome, treated, draws=45)
    assert aimless.lower < 0 < aimless.upper


def test_intervals_cover_the_truth_of_clustered_experiments() -> None:
    # Accounts of 1 to 8 alike in x and outcome, randomised as a whole; truth 0.025 as above. 80 experiments: 0.95
    # within 2.6 standard errors is 0.887 and more.
    covered, narrow = [], []
    for seed in range(80):
        rng = np.random.default_rng([4, seed])
        size = rng.integers(1, 9, 400)
        account = np.repeat(np.arange(400), size)
        x, treated, luck = (part[account] for part in (rng.random(400), rng.random(400) < 0.5, rng.random(400)))
        own = rng.random(len(account))
        luck = np.where(rng.random(len(account)) < 0.7, luck, own)
        outcome = (luck < 0.2 + 0.3 * x * treated).astype(int)
        one = qini(x, outcome, treated, cluster=account, draws=79, seed=seed)
        two = qini(x, outcome, treated, draws=79, seed=seed)
        covered.append(one.lower <= 0.025 <= one.upper)
        narrow.append(two.lower <= 0.025 <= two.upper)
    assert np.mean(covered) >= 0.887
    assert np.mean(narrow) < 0.85


def test_amounts_are_money_per_subject() -> None:
    score, outcome, treated = experiment(2, 3000)
    once, money = (qini(score, part, treated, draws=20) for part in (outcome, 250.0 * outcome))
    assert money.gained == pytest.approx(250 * once.gained, abs=1e-9)
    assert (money.lower, money.value, money.upper) == pytest.approx(
        (250 * once.lower, 250 * once.value, 250 * once.upper)
    )
    spent = 40.0 * outcome + 3 * score
    for one in uplift_bins(score, spent, treated, bins=3):
        assert one.lower < one.value < one.upper
        assert one.value == pytest.approx(one.treated.value - one.control.value)
        assert one.treated.value > 1


def test_a_draw_counts_rows_as_copies_would() -> None:
    score, outcome, treated = experiment(5, 300, levels=20)
    weight = np.random.default_rng(0).integers(0, 3, 300)
    found = qini(score, outcome, treated, weight=weight, draws=1)
    for times in [weight, *clustered_weights(np.arange(300) // 3, draws=2, seed=1)]:
        copies = np.repeat(np.arange(300), times.astype(int))
        counted = qini(score, outcome, treated, weight=times, draws=1)
        copied = qini(score[copies], outcome[copies], treated[copies], draws=1)
        assert counted.value == pytest.approx(copied.value, abs=1e-12)
        assert counted.gained == pytest.approx(copied.gained, abs=1e-12)
    assert found.everyone == pytest.approx(
        np.average(outcome[treated], weights=weight[treated]) - np.average(outcome[~treated], weights=weight[~treated])
    )


@given(st.integers(0, 5000), st.sampled_from([None, 3, 12]), st.permutations(range(40)))
def test_what_changes_nothing(seed: int, levels: int | None, order: list[int]) -> None:
    score, outcome, treated = experiment(seed, 40, levels=levels)
    found = qini(score, outcome, treated, draws=1)
    for again in (
        qini(np.exp(3 * score), outcome, treated, draws=1),
        qini(score[order], outcome[order], treated[order], draws=1),
        qini(score, outcome, treated, weight=np.full(40, 2.0), draws=1),
    ):
        assert again.value == pytest.approx(found.value, abs=1e-12, nan_ok=True)
        assert again.gained == pytest.approx(found.gained, abs=1e-12, nan_ok=True)
    flat = qini(np.zeros(40), outcome, treated, draws=1)
    assert flat.value == pytest.approx(0, abs=1e-12, nan_ok=True)


def test_two_scores_are_compared_draw_by_draw() -> None:
    score, outcome, treated = experiment(8, 600)
    account = np.arange(600) // 3
    other = score + np.random.default_rng(1).normal(size=600)
    rows = {"outcome": outcome, "treated": treated, "cluster": account}
    one, two = qini(score, **rows), qini(other, **rows)
    found, turned = qini_difference(score, other, **rows), qini_difference(other, score, **rows)
    assert found.value == pytest.approx(one.value - two.value)
    assert (turned.lower, turned.value, turned.upper) == pytest.approx((-found.upper, -found.value, -found.lower))
    # Draw by draw from the single coefficients; a limit is between the 5th and 6th of 200 (rank 201 x 0.0225).
    drawn = [
        qini(score, outcome, treated, weight=times, draws=1).value
        - qini(other, outcome, treated, weight=times, draws=1).value
        for times in clustered_weights(account, draws=200, seed=0)
    ]
    assert found.standard_error == pytest.approx(np.std(drawn, ddof=1))
    assert np.sort(drawn)[3] < found.lower < np.sort(drawn)[6]
    # What both share does not widen it.
    near = qini_difference(score, score + 0.01 * other, **rows)
    assert near.standard_error < 0.2 * one.value
    same = qini_difference(score, 3 * score, **rows)
    assert (same.lower, same.value, same.upper) == (0, 0, 0)


def test_bins_are_differences_of_rates() -> None:
    score, outcome, treated = experiment(7, 4000)
    bins = uplift_bins(score, outcome, treated, bins=4)
    edges = np.sort(score)[[0, 1000, 2000, 3000, 3999]]
    for number, one in enumerate(bins):
        inside = (score >= edges[number]) & ((score < edges[number + 1]) | (number == 3))
        arms = [outcome[inside & arm] for arm in (treated, ~treated)]
        assert (one.treated.value, one.control.value) == pytest.approx((arms[0].mean(), arms[1].mean()))
        newcombe = difference(*(wilson(arm.sum(), len(arm)) for arm in arms))
        assert (one.value, one.lower, one.upper) == pytest.approx(
            (newcombe.value, newcombe.lower, newcombe.upper), abs=0.003
        )
        assert one.mean_score == pytest.approx(score[inside].mean())
        # The true uplift is 0.3 x.
        assert one.lower < 0.3 * one.mean_score < one.upper
    wide = uplift_bins(score, outcome, treated, bins=4, cluster=np.arange(4000) // 40, confidence=0.99)
    assert all(a.lower > b.lower and a.value == b.value for a, b in zip(bins, wide, strict=True))


def test_thin_evidence_is_a_result() -> None:
    alone = qini([1, 2, 3], [0, 1, 1], [1, 1, 1])
    assert math.isnan(alone.value) and math.isnan(alone.everyone)
    assert (alone.lower, alone.upper, alone.control) == (-math.inf, math.inf, 0)
    one = uplift_bins([1, 2, 3], [0, 1, 1], [1, 1, 1], bins=1)[0]
    assert math.isnan(one.value) and math.isnan(one.lower)
    assert one.treated.n == 3
    nobody = qini([], [], [])
    assert math.isnan(nobody.value)
    assert uplift_bins([], [], []) == ()
    assert qini([1, 2], [0, 1], [0, 1], cluster=[1, 1]).upper == math.inf


def test_impossible_input_is_refused() -> None:
    message = "a treatment is neither yes nor no (1 or 0); leave other arms of the experiment out."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        qini([1, 2], [0, 1], [0, 2])
    message = "treatments have the shape (1,) and there are 2 rows; give one a row."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        uplift_bins([1, 2], [0, 1], [0])
    message = "clusters have the shape (1,) and there are 2 rows; give one a row."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        qini([1, 2], [0, 1], [0, 1], cluster=[0])
