import math
import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from smarketing.estimates.bootstrap import clustered_weights
from smarketing.estimates.ranking import auc, average_precision, capture, rank, worklist


def rows(seed: int, n: int, *, levels: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (with ties where there are levels), outcomes that follow them, weights."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n) if levels is None else rng.integers(0, levels, n) / 7
    outcome = (rng.random(n) < 1 / (1 + np.exp(1 - score))).astype(int)
    return score, outcome, rng.gamma(2.0, size=n) * (rng.random(n) < 0.9)


@pytest.mark.parametrize("levels", [None, 2, 12])
@pytest.mark.parametrize("seed", range(3))
def test_auc_and_average_precision_equal_scikit_learn(seed: int, levels: int | None) -> None:
    # roc_auc_score(outcome, score, sample_weight=weight), average_precision_score(...) of scikit-learn.
    score, outcome, weight = rows(seed, 500, levels=levels)
    assert auc(score, outcome, weight) == pytest.approx(roc_auc_score(outcome, score, sample_weight=weight), abs=1e-12)
    assert average_precision(score, outcome, weight) == pytest.approx(
        average_precision_score(outcome, score, sample_weight=weight), abs=1e-12
    )
    assert auc(score, outcome) == pytest.approx(roc_auc_score(outcome, score), abs=1e-12)
    assert average_precision(score, outcome) == pytest.approx(average_precision_score(outcome, score), abs=1e-12)


def test_a_draw_counts_rows_as_copies_would() -> None:
    score, outcome, weight = rows(5, 300, levels=9)
    ranking = rank(score, outcome, weight)
    for times in clustered_weights(np.arange(300) // 3, draws=5, seed=1):
        copies = np.repeat(np.arange(300), times.astype(int))
        drawn = (score[copies], outcome[copies], weight[copies])
        assert ranking.auc(times) == pytest.approx(auc(*drawn), abs=1e-12)
        assert ranking.average_precision(times) == pytest.approx(average_precision(*drawn), abs=1e-12)


def test_capture_by_hand() -> None:
    # Two weeks of capacity 2. Week 1: the best two of four (one of two positives). Week 2: 0.9 is taken, the three at
    # 0.4 share one place, so a third of each; one of them is positive. Selected 4, positives 1 + 1 + 1/3 of 4.
    score = [0.8, 0.7, 0.6, 0.1, 0.9, 0.4, 0.4, 0.4]
    outcome = [1, 0, 1, 0, 1, 1, 0, 0]
    found = capture(score, outcome, group=[1, 1, 1, 1, 2, 2, 2, 2], capacity=2)
    assert found.selected == pytest.approx(4)
    assert found.captured == pytest.approx((2 + 1 / 3) / 4)
    assert found.rate == pytest.approx((2 + 1 / 3) / 4)
    assert found.lift == pytest.approx((2 + 1 / 3) / 4 / (4 / 8))


def test_a_group_smaller_than_the_capacity_is_worked_whole() -> None:
    found = capture([0.1, 0.2, 0.9], [1, 0, 0], group=["a", "a", "b"], capacity=5)
    assert (found.selected, found.captured) == (3, 1)
    assert (found.rate, found.lift) == pytest.approx((1 / 3, 1))


def test_capture_is_the_mean_over_random_choices_among_equal_scores() -> None:
    score, outcome, _ = rows(11, 90, levels=6)
    week = np.arange(90) % 4
    rng = np.random.default_rng(0)
    captured = []
    for _ in range(4000):
        best = 0
        for one in range(4):
            inside = np.flatnonzero(week == one)
            broken = np.lexsort((rng.random(len(inside)), -score[inside]))
            best += outcome[inside[broken[:8]]].sum()
        captured.append(best / outcome.sum())
    error = np.std(captured) / math.sqrt(len(captured))
    found = capture(score, outcome, group=week, capacity=8)
    assert abs(found.captured - np.mean(captured)) < 3.3 * error
    assert found.selected == pytest.approx(32)


def test_a_worklist_counts_rows_as_copies_would() -> None:
    score, outcome, weight = rows(6, 240, levels=9)
    week = np.arange(240) % 5
    prepared = worklist(score, outcome, weight, group=week, capacity=12.5)
    for times in clustered_weights(np.arange(240) // 4, draws=5, seed=2):
        copies = np.repeat(np.arange(240), times.astype(int))
        again = capture(score[copies], outcome[copies], weight[copies], group=week[copies], capacity=12.5)
        drawn = prepared.capture(times)
        assert (drawn.selected, drawn.captured) == pytest.approx((again.selected, again.captured), abs=1e-9)
        assert (drawn.rate, drawn.lift) == pytest.approx((again.rate, again.lift), abs=1e-9)


@given(st.integers(0, 10_000), st.sampled_from([None, 3, 10]))
def test_reversed_scores_have_the_complementary_auc(seed: int, levels: int | None) -> None:
    score, outcome, weight = rows(seed, 40, levels=levels)
    forward, backward = auc(score, outcome, weight), auc(-score, outcome, weight)
    assert backward == pytest.approx(1 - forward, abs=1e-12, nan_ok=True)
    assert auc(score, 1 - outcome, weight) == pytest.approx(1 - forward, abs=1e-12, nan_ok=True)


@given(st.integers(0, 10_000), st.sampled_from([None, 3, 10]), st.permutations(range(40)))
def test_doubled_weights_rising_transforms_and_order_change_nothing(
    seed: int, levels: int | None, order: list[int]
) -> None:
    score, outcome, weight = rows(seed, 40, levels=levels)
    week = np.arange(40) % 3
    same = [
        (score, outcome, weight, week),
        (np.exp(score) - 100, outcome, weight, week),
        (score[order], outcome[order], weight[order], week[order]),
    ]
    values = [[auc(s, o, w), average_precision(s, o, w)] for s, o, w, _ in [*same, (score, outcome, 2 * weight, week)]]
    captures = [capture(s, o, w, group=g, capacity=7) for s, o, w, g in same]
    captures.append(capture(score, outcome, 2 * weight, group=week, capacity=14))
    for again in values[1:]:
        assert again == pytest.approx(values[0], abs=1e-12, nan_ok=True)
    for one in captures[1:]:
        assert [one.captured, one.rate, one.lift] == pytest.approx(
            [captures[0].captured, captures[0].rate, captures[0].lift], abs=1e-9, nan_ok=True
        )


@given(st.integers(0, 10_000), st.floats(0.5, 30))
def test_more_capacity_never_captures_less(seed: int, capacity: float) -> None:
    score, outcome, _ = rows(seed, 60, levels=5)
    outcome[0] = 1
    week = np.arange(60) % 2
    less, more = (capture(score, outcome, group=week, capacity=size) for size in (capacity, capacity + 1))
    assert less.captured <= more.captured + 1e-12
    assert less.selected == pytest.approx(2 * capacity)


def test_one_class_or_no_rows_is_not_an_error() -> None:
    assert math.isnan(auc([0.1, 0.2], [1, 1]))
    assert math.isnan(auc([0.1, 0.2], [1, 0], [1, 0]))
    assert math.isnan(average_precision([0.1, 0.2], [0, 0]))
    assert average_precision([0.1, 0.2], [1, 1]) == 1
    assert math.isnan(auc([], []))
    none = capture([], [], group=[], capacity=3)
    assert none.selected == 0
    assert math.isnan(none.rate) and math.isnan(none.captured) and math.isnan(none.lift)
    nobody = capture([0.1, 0.2], [0, 0], group=None, capacity=1)
    assert (nobody.selected, nobody.rate) == (1, 0)
    assert math.isnan(nobody.lift)


def test_infinite_scores_are_ranked() -> None:
    assert auc([-np.inf, 0.0, np.inf, np.inf], [0, 0, 1, 0]) == pytest.approx((1 + 1 + 0.5) / 3)


def test_impossible_capacities_and_groups_are_refused() -> None:
    message = "the capacity is 0; it has to be above 0, as many rows as can be worked in a group."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        capture([0.1], [1], group=None, capacity=0)
    message = "groups have the shape (2,) and there are 1 rows; give one a row."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        capture([0.1], [1], group=[1, 2], capacity=1)


def test_two_hundred_draws_of_forty_thousand_rows_take_seconds() -> None:
    # About 0.5 s of processor time; the bound leaves room for a busy machine.
    score, outcome, weight = rows(1, 40_000)
    week = np.arange(40_000) % 26
    ranking, work = rank(score, outcome, weight), worklist(score, outcome, weight, group=week, capacity=100)
    began = time.process_time()
    for times in clustered_weights(np.arange(40_000) // 3, draws=200, seed=0):
        assert ranking.auc(times) > 0.6
        assert ranking.average_precision(times) > 0.3
        assert work.capture(times).lift > 1
    assert time.process_time() - began < 5
