"""Boosted trees: our arrays predict what scikit-learn predicts, calibrated, whatever a category holds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_info, threadpool_limits

from scored_leads import feature, fit, fitted, leads
from smarketing.estimates.calibration import calibration_line
from smarketing.measures.scoring.models import growing
from smarketing.measures.scoring.models.boosting import Boosting, fit_boosting
from smarketing.measures.scoring.models.encoding import fit_bins, fit_levels
from smarketing.measures.scoring.models.forest import read_forest
from smarketing.measures.scoring.models.saving import _plain


def trees() -> Boosting:
    model = fitted("boosting")
    assert isinstance(model, Boosting)
    return model


@pytest.mark.parametrize("seed", range(6))
def test_what_is_relied_on_of_scikit_learns_private_nodes(seed: int) -> None:
    """Trees read off its nodes predict what it predicts: names, meanings and order of the fields are as before."""
    rng = np.random.default_rng(seed)
    n = 1_500
    level = np.array([f"level {i}" for i in range(40)], dtype=object)[rng.integers(0, 40, n)]
    level[rng.random(n) < 0.2] = None
    alone = np.where(rng.random(n) < 0.5, "yes", None)
    number = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n).round(1))
    whole = rng.integers(0, 4, n).astype(float)
    missing = [np.isnan(number), np.array([v is None for v in level]), np.array([v is None for v in alone])]
    log_odds = 1.5 * missing[0] + np.nan_to_num(number) + rng.normal(size=41)[[hash_of(v) for v in level]] - missing[2]
    outcome = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(int)
    columns = [number, level, whole, alone]
    codings = [fit_bins(number, at_most=30, at_least=1), fit_levels(level, at_most=60, at_least=1),
               fit_bins(whole, at_most=30, at_least=1), fit_levels(alone, at_most=60, at_least=1)]  # fmt: skip
    codes = [coding.codes(column) for coding, column in zip(codings, columns, strict=True)]
    matrix = np.column_stack(
        [np.where(codes[i] < 0, len(codings[i]), codes[i]) for i in (1, 3)]
        + [np.where(codes[i] < 0, np.nan, codes[i]) for i in (0, 2)]
    )
    model = HistGradientBoostingClassifier(
        max_iter=30, categorical_features=[0, 1], early_stopping=False, max_leaf_nodes=12
    ).fit(matrix, outcome)
    found = read_forest(model, (1, 3, 0, 2), codings, [True, True, False, True])
    taken = [number, codes[1], whole, codes[3]]
    assert found.raw(taken) == pytest.approx(model.decision_function(matrix), abs=1e-13)
    assert set(found.feature.tolist()) == {-1, 0, 1, 2, 3}
    assert found.count[found.roots].tolist() == [n] * 30
    for node in np.flatnonzero(found.feature >= 0):
        assert found.count[node] == found.count[found.left[node]] + found.count[found.right[node]]


def hash_of(level: str | None) -> int:
    return 40 if level is None else int(level.split()[1])


def test_categories_after_numbers_are_refused() -> None:
    rng = np.random.default_rng(0)
    matrix = np.column_stack([rng.normal(size=200), rng.integers(0, 3, 200)])
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features=[1]).fit(matrix, rng.integers(0, 2, 200))
    message = "categories have to come before numbers: the model numbers its columns in that order."
    with pytest.raises(ValueError, match=re.escape(message)):
        read_forest(model, (0, 1), [], [])


def test_a_single_level_beside_missing_is_predicted_as_it_was_trained() -> None:
    # scikit-learn 1.9 trains such a split one way and predicts it the other when missing is left to it as NaN.
    rng = np.random.default_rng(0)
    answered = rng.random(4_000) < 0.7
    outcome = (rng.random(4_000) < np.where(answered, 0.5, 0.1)).astype(int)
    features = pd.DataFrame({"answer": pd.Series(np.where(answered, "yes", None), dtype=object)})
    model = fit_boosting(features, (feature("answer", "category"),), outcome, np.ones(4_000), np.arange(4_000))
    asked = pd.DataFrame({"answer": pd.Series(["yes", None, "unseen", ""], dtype=object)})
    assert model.probability(asked) == pytest.approx([0.5, 0.1, 0.1, 0.1], abs=0.03)
    assert model.calibration.slope == pytest.approx(1, abs=0.05)


def test_a_number_may_matter_only_by_being_known() -> None:
    rng = np.random.default_rng(0)
    number = np.where(rng.random(2_000) < 0.5, 7.0, np.nan)
    outcome = (rng.random(2_000) < np.where(np.isnan(number), 0.1, 0.5)).astype(int)
    one, ones = (feature("x", "number"),), np.ones(2_000)
    model = fit_boosting(pd.DataFrame({"x": number}), one, outcome, ones, np.arange(2_000))
    assert np.isinf(model.forest.threshold).any()
    asked = pd.DataFrame({"x": [7.0, np.nan, np.inf, -np.inf, 1e308]})
    assert model.probability(asked) == pytest.approx([0.5, 0.1, 0.5, 0.5, 0.5], abs=0.04)
    assert model.base + model.contributions(asked)["x"].to_numpy() == pytest.approx(model.log_odds(asked), abs=1e-9)


def test_contributions_sum_to_the_log_odds() -> None:
    model, data = trees(), leads()
    contributions = model.contributions(data.features)
    assert list(contributions.columns) == [role.name for role in model.roles]
    assert model.base + contributions.sum(axis=1).to_numpy() == pytest.approx(model.log_odds(data.features), abs=1e-9)
    assert (contributions[list(model.without_effect)] == 0).all().all()
    assert {"constant", "never"} <= set(model.without_effect)
    assert {"employees", "visits", "industry"} <= set(model.beyond_chance)


def test_it_finds_the_truth_and_is_calibrated() -> None:
    model, data = trees(), leads()
    later = leads(20_000, seed=99)
    probability = model.probability(later.features)
    # The account's own inclination is in the truth and in no feature.
    assert roc_auc_score(later.outcome, probability) > roc_auc_score(later.outcome, later.truth) - 0.09
    line = calibration_line(probability, later.outcome)
    assert 0.9 < line.slope < 1.15 and abs(line.intercept) < 0.1
    out_of_fold = calibration_line(model.out_of_fold, data.outcome, data.weight)
    # Each fold by the map of the others, so that this can fail.
    assert 0.9 < out_of_fold.slope < 1.1 and abs(out_of_fold.intercept) < 0.1


def test_the_number_of_threads_changes_nothing_and_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def same(first: object, second: object) -> bool:
        if isinstance(first, np.ndarray):
            return bool((first == second).all())
        if isinstance(first, dict):
            assert isinstance(second, dict)
            return all(same(first[key], second[key]) for key in first)
        return first == second

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}

    used: list[set[int]] = []
    grow = growing.Plan.fit

    def watched(*given: Any) -> HistGradientBoostingClassifier:
        used.append(threads())
        return grow(*given)

    monkeypatch.setattr(growing.Plan, "fit", watched)
    few = leads(800, noise=0)
    with threadpool_limits(limits=2):
        again = fit("boosting", few)
        assert threads() == {2}
    # Threads that wait for each other are slow where other work has the cores: trees are grown by one.
    assert len(used) > 10 and all(one == {1} for one in used)
    with threadpool_limits(limits=1):
        once = fit("boosting", few)
    assert same(_plain(once), _plain(again))


def test_values_in_words() -> None:
    model, data = trees(), leads()
    rows = pd.DataFrame(
        {
            **{name: data.features[name].iloc[:4].to_numpy() for name in data.features},
            "employees": [1234.0, np.nan, 0.5, 1e308],
            "industry": pd.Series(["Retail", "rare 3", None, "unseen"], dtype=object),
        }
    )
    by_name = {role.name: role for role in model.roles}
    assert model.in_words(rows, by_name["employees"]).tolist() == ["1,234", "not recorded", "0.5", "1e+308"]
    assert model.in_words(rows, by_name["industry"]).tolist() == ["Retail", "(other)", "not recorded", "not recorded"]
