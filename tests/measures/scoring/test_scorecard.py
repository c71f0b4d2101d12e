"""The scorecard: its points add up, find the truth, and are as coarse as the ranking allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from scored_leads import feature, fit, fitted, leads
from smarketing.estimates.calibration import calibration_line
from smarketing.measures.scoring.models.points import Design, Fitted, round_to_points
from smarketing.measures.scoring.models.scorecard import Scorecard, fit_scorecard


def card() -> Scorecard:
    model = fitted("scorecard")
    assert isinstance(model, Scorecard)
    return model


def test_a_person_can_add_the_points_up() -> None:
    model, data = card(), leads()
    table = model.points_table()
    assert list(table.columns) == ["feature", "label", "bin", "points", "n", "rate"]
    lookup = table.set_index(["feature", "bin"])["points"]
    rows = data.features.iloc[:300]
    totals = np.zeros(len(rows), dtype=int)
    for role in model.roles:
        if role.name in set(table["feature"]):
            totals += np.array([lookup[(role.name, words)] for words in model.in_words(rows, role)])
    assert totals.tolist() == model.points(rows).tolist()
    by_hand = [model.probability_at(int(total)) for total in totals]
    assert model.probability(rows) == pytest.approx(by_hand, abs=1e-12)
    assert model.at_zero == model.calibration.intercept + model.calibration.slope * model.start
    assert all(isinstance(points, int) for factor in model.factors for points in factor.points)


def test_the_table_says_what_training_held() -> None:
    data, table = leads(), card().points_table()
    known = data.weight > 0
    for _, group in table.groupby("feature"):
        assert group["n"].sum() == known.sum()
    software = table[(table["feature"] == "industry") & (table["bin"] == "Software")].iloc[0]
    inside = known & (data.features["industry"] == "Software").to_numpy()
    assert software["n"] == inside.sum()
    assert software["rate"] == pytest.approx(np.average(data.outcome[inside], weights=data.weight[inside]))


def test_contributions_sum_to_the_log_odds() -> None:
    model, data = card(), leads()
    contributions = model.contributions(data.features)
    assert list(contributions.columns) == [role.name for role in model.roles]
    assert model.base + contributions.sum(axis=1).to_numpy() == pytest.approx(model.log_odds(data.features), abs=1e-9)
    known = data.weight > 0
    means = np.average(contributions.to_numpy()[known], axis=0, weights=data.weight[known])
    assert means == pytest.approx(np.zeros(len(model.roles)), abs=1e-9)


def test_it_finds_the_truth_and_is_calibrated() -> None:
    model, data = card(), leads()
    later = leads(20_000, seed=99)
    probability = model.probability(later.features)
    reachable = roc_auc_score(later.outcome, later.truth)
    # The account's own inclination is in the truth and in no feature.
    assert roc_auc_score(later.outcome, probability) > reachable - 0.09
    line = calibration_line(probability, later.outcome)
    assert 0.9 < line.slope < 1.15 and abs(line.intercept) < 0.1
    out_of_fold = calibration_line(model.out_of_fold, data.outcome, data.weight)
    # Each fold by the map of the others, so that this can fail.
    assert 0.9 < out_of_fold.slope < 1.1 and abs(out_of_fold.intercept) < 0.1
    assert len(model.out_of_fold) == len(data.outcome)
    top = np.argsort(-probability)[:2_000]
    best = np.sort(expit(np.log(later.truth / (1 - later.truth))))[-2_000:]
    assert later.truth[top].mean() / best.mean() > 0.75


def test_what_does_not_vary_is_worth_nothing() -> None:
    model = card()
    assert {"constant", "never"} <= set(model.without_effect)
    assert not {"employees", "visits", "industry"} & set(model.without_effect)
    assert {"employees", "visits", "industry"} <= set(model.beyond_chance)
    assert not set(model.beyond_chance) & set(model.without_effect)


def test_unseen_categories_get_the_points_of_missing_and_0_where_missing_was_never_seen() -> None:
    model, data = card(), leads()
    rows = data.features.iloc[:2].copy()
    rows["industry"] = pd.Series(["never met", None], dtype=object)
    points = next(f for f in model.factors if f.role.name == "industry")
    assert points.missing_learned and points.missing_rows > 300
    assert points.points_of(rows).tolist() == [points.missing_points] * 2
    full = data.features.assign(industry=data.features["industry"].fillna("Retail"))
    model = fit_scorecard(full, data.roles, data.outcome, data.weight, data.cluster)
    points = next(f for f in model.factors if f.role.name == "industry")
    assert not points.missing_learned and points.missing_rows == 0
    assert points.points_of(rows).tolist() == [0, 0]
    assert any(points.points)


def test_bins_hold_leads_enough_to_expect_five_of_each_kind() -> None:
    data = leads(4_000, seed=3, rate=-4.0)
    model = fit("scorecard", data)
    rate = np.average(data.outcome, weights=data.weight)
    assert rate < 0.06
    for factor in model.factors:  # type: ignore[union-attr]
        assert min(factor.rows, default=1_000) * rate > 4.99 or len(factor.rows) < 2, factor.role.name
        assert len(factor.rows) <= 8


def test_points_are_as_coarse_as_the_ranking_allows() -> None:
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 5, 20_000) for _ in range(12)]
    ones = np.ones(20_000)
    design = Design.of(codes, [5] * 12, [False] * 12, ones, 30)
    outcome = (rng.random(20_000) < 0.3).astype(int)
    for size, double in ((0.5, 10), (0.02, 40)):
        coefficients = rng.normal(0, size, design.matrix.shape[1])
        exact = design.matrix @ coefficients
        outcome = (rng.random(20_000) < expit(40 * exact / np.abs(exact).max() / 10 - 1)).astype(int)
        points = round_to_points(design, Fitted(intercept=-1.0, coefficients=coefficients), outcome, ones)
        assert points.unit <= np.log(2) / 10
        assert np.log(2) / points.unit >= double
        wanted, got = (roc_auc_score(outcome, x) for x in (exact, points.log_odds(design)))
        assert abs(wanted - got) < 0.001


def test_the_same_leads_give_the_same_card_whatever_else_is_drawn() -> None:
    data = leads()
    np.random.seed(5)  # noqa: NPY002
    again = fit("scorecard", data)
    assert isinstance(again, Scorecard)
    assert again.factors == card().factors
    assert (again.start, again.unit, again.calibration) == (card().start, card().unit, card().calibration)
    assert (again.out_of_fold == card().out_of_fold).all()


def test_leads_of_unknown_label_teach_nothing_and_are_predicted() -> None:
    data = leads()
    turned = replace(data, outcome=np.where(data.weight > 0, data.outcome, 1 - data.outcome).astype(np.int8))
    again = fit("scorecard", turned)
    assert again.factors == card().factors  # type: ignore[union-attr]
    assert (again.out_of_fold == card().out_of_fold).all()
    assert np.isfinite(again.out_of_fold).all()


def test_no_signal_gives_the_base_rate_nearly_everywhere() -> None:
    rng = np.random.default_rng(3)
    features = pd.DataFrame({f"x{i}": rng.normal(size=2_000) for i in range(8)})
    roles = tuple(feature(name, "number") for name in features)
    outcome = (rng.random(2_000) < 0.1).astype(int)
    model = fit_scorecard(features, roles, outcome, np.ones(2_000), np.arange(2_000))
    probability = model.probability(features)
    assert probability.std() < 0.02
    assert probability.mean() == pytest.approx(outcome.mean(), abs=0.01)
