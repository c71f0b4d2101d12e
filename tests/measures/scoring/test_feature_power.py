"""The power of one feature alone: the AUC and its interval by a second route, and what must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from smarketing.measures.scoring.audit.feature_power import FOLDS, Known, Levels, alone, apart, known_leads, levels
from smarketing.measures.scoring.leads.sample import Feature

NUMBER = Feature(name="n", label="n", kind="number", side="fit", known="before", origin="leads.n")
CATEGORY = Feature(name="c", label="c", kind="category", side="fit", known="before", origin="leads.c")


def leads(seed: int, rows: int = 1_500) -> tuple[Known, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(rows), rng.geometric(0.4, rows))[:rows]
    shared = rng.normal(size=rows)[cluster]
    outcome = (rng.random(rows) < 1 / (1 + np.exp(1.5 - shared))).astype(np.int64)
    number = outcome + shared + rng.normal(size=rows)
    number[rng.random(rows) < 0.2] = np.nan
    return known_leads(outcome, rng.uniform(0.5, 2.0, rows), cluster), number, cluster


def slow_scores(code: np.ndarray, known: Known) -> np.ndarray:
    """Rates in the other folds, drawn by one lead with the outcome to the whole rate, lead by lead."""
    score = np.zeros(len(code))
    for fold in range(FOLDS):
        there, here = known.fold != fold, known.fold == fold
        whole = np.average(known.outcome[there], weights=known.weight[there])
        for value in np.unique(code[here]):
            same = there & (code == value)
            rows, hits = known.weight[same].sum(), (known.weight * known.outcome)[same].sum()
            score[here & (code == value)] = round((hits + 1) / (rows + 1 / whole), 12)
    return score


def slow_auc(score: np.ndarray, known: Known) -> float:
    won = pairs = 0.0
    for fold in range(FOLDS):
        here = (known.fold == fold) & (known.weight > 0)
        w, y = known.weight[here], known.outcome[here]
        count = w[y == 1].sum() * w[y == 0].sum()
        won += count * roc_auc_score(y, score[here], sample_weight=w)
        pairs += count
    return won / pairs


def test_auc_is_that_of_scikit_learn_within_folds() -> None:
    known, number, _ = leads(1)
    feature = levels(pd.Series(number), NUMBER)
    assert alone(feature, known).value == pytest.approx(slow_auc(slow_scores(feature.code, known), known), abs=1e-9)


def test_interval_is_that_of_leaving_out_one_account_at_a_time() -> None:
    known, number, _ = leads(2, rows=400)
    feature = levels(pd.Series(number), NUMBER)
    score = slow_scores(feature.code, known)
    accounts = np.unique(known.account)
    without = [
        slow_auc(
            score,
            Known(
                outcome=known.outcome,
                weight=np.where(known.account == one, 0.0, known.weight),
                account=known.account,
                fold=known.fold,
            ),
        )
        for one in accounts
    ]
    jackknife = np.sqrt((len(accounts) - 1) / len(accounts) * ((without - np.mean(without)) ** 2).sum())
    found = alone(feature, known)
    logit = np.log([found.upper / (1 - found.upper), found.lower / (1 - found.lower)])
    error = (logit[0] - logit[1]) / 2 / 1.959964 * found.value * (1 - found.value)
    assert error == pytest.approx(jackknife, rel=0.02)


def test_where_filled_is_the_auc_of_those_rows() -> None:
    known, number, cluster = leads(3)
    feature = levels(pd.Series(number), NUMBER)
    there = feature.filled
    score = slow_scores(np.where(there, feature.code, -1), known)
    inside = Known(
        outcome=known.outcome, weight=np.where(there, known.weight, 0.0), account=known.account, fold=known.fold
    )
    found = alone(feature, known, where_filled=True)
    # Blanks keep their accounts in the folds; the rate that levels are drawn to is that of filled rows only.
    assert found.value == pytest.approx(slow_auc(score, inside), abs=0.003)
    assert found.fewer == known.outcome[there].sum()
    assert len(cluster) == len(score)


def test_names_and_constants_know_nothing() -> None:
    known, _, cluster = leads(4, rows=4_000)
    name = levels(pd.Series([f"lead {i}" for i in range(4_000)], dtype=object), CATEGORY)
    account = levels(pd.Series([f"account {one}" for one in cluster], dtype=object), CATEGORY)
    constant = levels(pd.Series(["No"] * 4_000, dtype=object), CATEGORY)
    assert [alone(one, known).value for one in (name, account, constant)] == pytest.approx([0.5, 0.5, 0.5])


def test_perfect_and_absent_features() -> None:
    known, _, _ = leads(5)
    perfect = alone(levels(pd.Series(known.outcome.astype(float)), NUMBER), known)
    assert (perfect.value, perfect.upper) == (1.0, 1.0) and 0.97 < perfect.lower < 1
    absent = levels(pd.Series(np.full(1_500, np.nan)), NUMBER)
    assert absent.names == () and alone(absent, known).value == 0.5
    assert np.isnan(alone(absent, known, where_filled=True).value)


def test_levels_of_numbers_are_values_or_ranges() -> None:
    few = levels(pd.Series([3.0, np.nan, 1.0, 3.0]), NUMBER)
    assert few.names == ("1", "3") and few.code.tolist() == [2, 0, 1, 2]
    many = levels(pd.Series(np.arange(1_000.0)), NUMBER)
    assert many.names[0] == "up to 10" and many.names[1] == "10 to 20" and many.names[-1] == "above 990"
    assert np.bincount(many.code).tolist() == [0, 11, 10, 30, 50, *[100] * 8, 50, 30, 10, 9]


def test_half_zero_numbers_keep_their_zero_apart() -> None:
    rng = np.random.default_rng(6)
    found = levels(pd.Series(np.where(np.arange(1_000) < 600, 0.0, rng.uniform(1, 9, 1_000))), NUMBER)
    assert found.names[0] == "up to 0" and (found.code == 1).sum() == 600


@given(st.integers(0, 10_000), st.floats(0.1, 50))
def test_order_of_rows_scale_of_weights_and_of_the_number_do_not_matter(seed: int, factor: float) -> None:
    known, number, cluster = leads(seed, rows=300)
    base = alone(levels(pd.Series(number), NUMBER), known)
    order = np.random.default_rng(seed).permutation(300)
    again = known_leads(known.outcome[order], factor * known.weight[order], cluster[order])
    other = alone(levels(pd.Series(np.exp(number[order])), NUMBER), again)
    assert (other.value, other.lower, other.upper) == pytest.approx((base.value, base.lower, base.upper), abs=1e-9)


def test_distance_of_normal_groups() -> None:
    assert apart(0.5) == 0.0
    assert apart(0.7602499389065233) == pytest.approx(1.0)  # scipy.stats.norm.cdf(1 / 2 ** 0.5)


def test_take_keeps_the_levels() -> None:
    both = Levels(code=np.array([0, 1, 2]), names=("a", "b"))
    assert both.take(np.array([True, False, True])).code.tolist() == [0, 2]
