"""The scores of who is likely and who is moved, against second routes and where nothing is to be found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from scipy.special import expit

from smarketing.company.definitions import Evidence
from smarketing.measures.scoring.contact import uplift_scores
from smarketing.measures.scoring.contact.uplift_judging import Judged, Ranked, contrast, ranked
from smarketing.measures.scoring.contact.uplift_scores import SPREADS, TwoScores, two_scores
from smarketing.measures.scoring.leads.sample import Feature


def roles_of(features: pd.DataFrame) -> tuple[Feature, ...]:
    return tuple(
        Feature(name=name, label=name, kind="number", side="fit", known="before", origin=f"leads.{name}")
        for name in features
    )


def experiment(seed: int, n: int, effect: float) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Four numbers a lead; the first moves the rate, and contact adds the same to all."""
    rng = np.random.default_rng([9, seed])
    x, treated = rng.normal(size=(n, 4)), rng.random(n) < 0.5
    outcome = rng.random(n) < np.clip(expit(x[:, 0] - 1) + effect * treated, 0, 1)
    return pd.DataFrame({f"x{place}": x[:, place] for place in range(4)}), outcome.astype(np.int8), treated


def scored(seed: int, n: int, effect: float = 0.0) -> tuple[Judged, Ranked, Ranked, TwoScores]:
    features, outcome, treated = experiment(seed, n, effect)
    weight, account = np.ones(n), np.arange(n)
    found = two_scores(features, roles_of(features), outcome, treated, weight, account)
    judged = Judged(
        outcome=outcome, treated=treated, weight=weight, cluster=account, evidence=Evidence(state="assumed"),
        draws=79, seed=seed,
    )  # fmt: skip
    likely = ranked(found.propensity, found.fold, weight, luck=0.0)
    return judged, likely, ranked(found.uplift, found.fold, weight, luck=found.luck), found


def test_where_nobody_is_moved_nobody_is_said_to_be() -> None:
    # 40 experiments without effect: 95 % intervals leave zero out in 2 of them; in 5 or more by chance of 5 %.
    values, covered, naive, apart, luck = [], [], [], [], []
    for seed in range(40):
        judged, likely, moved, found = scored(seed, 1_000)
        one = judged.targeting(moved)
        gap = judged.paired(moved, likely)
        values.append(one.qini.value / (one.qini.upper - one.qini.lower))
        covered.append(one.qini.lower <= 0 <= one.qini.upper)
        apart.append(gap.lower <= 0 <= gap.upper)
        narrow = [one.qini.value + (end - one.qini.value) / moved.wider for end in (one.qini.lower, one.qini.upper)]
        naive.append(narrow[0] <= 0 <= narrow[1])
        luck.append(found.luck)
    assert np.mean(covered) >= 36 / 40
    assert np.mean(apart) >= 36 / 40
    assert np.mean(luck) > 0.7
    # Drawing leads with their scores alone covers less: the scores have learned from the other folds' luck.
    assert np.mean(naive) < np.mean(covered)
    # Ranked within folds, luck pulls no way.
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_fifths_and_cells_do_not_invent_differences() -> None:
    # The same effect for all: 40 spreads and contrasts.
    spreads, contrasts = [], []
    for seed in range(40):
        judged, likely, moved, _ = scored(100 + seed, 1_000, effect=0.15)
        spread = judged.targeting(moved).spread
        spreads.append(spread.lower <= 0 <= spread.upper)
        cells = contrast(judged.disagreement(likely, moved))
        if not np.isnan(cells.value):
            contrasts.append(cells.lower <= 0 <= cells.upper)
    assert np.mean(spreads) >= 36 / 40
    assert len(contrasts) > 20
    assert np.mean(contrasts) >= 0.9


def test_a_score_that_has_learned_the_truth_is_hardly_luck() -> None:
    rng = np.random.default_rng(3)
    n = 20_000
    x, treated = rng.normal(size=n), rng.random(n) < 0.5
    outcome = (rng.random(n) < 0.3 + treated * np.where(x > 0, 0.3, -0.1)).astype(np.int8)
    features = pd.DataFrame({"x": x})
    found = two_scores(features, roles_of(features), outcome, treated, np.ones(n), np.arange(n))
    assert found.luck < 0.1
    # Fifths of x end at 0.25.
    assert found.uplift[x > 0.3].mean() == pytest.approx(0.3, abs=0.02)
    assert found.uplift[x < -0.3].mean() == pytest.approx(-0.1, abs=0.02)
    assert found.propensity[x > 0.3].mean() == pytest.approx(0.45, abs=0.02)


def mixed_model() -> tuple[sparse.csr_array, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    n = 300
    level = rng.integers(0, 6, n)
    design = sparse.csr_array((np.ones(n), (np.arange(n), level)), shape=(n, 6))
    log_odds = rng.normal(-1, 0.7, n)
    treated = rng.random(n) < 0.4
    contrast_ = np.where(treated, 0.6, -0.4)
    outcome = (rng.random(n) < expit(log_odds) + treated * 0.05 * level).astype(np.int8)
    return design, log_odds, outcome, rng.choice([1.0, 2.0], n), contrast_


def test_the_effect_is_the_penalised_least_squares_solution() -> None:
    design, log_odds, outcome, weight, contrast_ = mixed_model()
    found = uplift_scores._effect(design, log_odds, outcome, weight, contrast_)
    assert found.spread > 0
    # Written out: rows weighted, and one row more a level that pulls it to 0 by 1 / spread.
    centre = np.average(log_odds, weights=weight)
    x = np.column_stack([np.ones(300), log_odds - centre, design.toarray()]) * contrast_[:, None]
    pull = np.column_stack([np.zeros((6, 2)), np.eye(6) / found.spread])
    root = np.sqrt(weight)
    target = np.concatenate([(outcome - expit(log_odds)) * root, np.zeros(6)])
    solution = np.linalg.lstsq(np.vstack([x * root[:, None], pull]), target, rcond=None)[0]
    assert found.slope == pytest.approx(solution[1])
    assert found.levels == pytest.approx(solution[2:])
    assert found.centre == pytest.approx(centre)
    assert np.average(found.of(design, log_odds), weights=weight) == pytest.approx(0, abs=1e-12)


def test_the_spread_is_the_likeliest_of_those_there_are() -> None:
    # Restricted likelihood written out: the density of what is left when the fixed part is projected away.
    design, log_odds, outcome, _, contrast_ = mixed_model()
    found = uplift_scores._effect(design, log_odds, outcome, np.ones(300), contrast_)
    fixed = np.column_stack([contrast_, contrast_ * log_odds])
    away = np.linalg.svd(fixed)[0][:, 2:].T
    left = away @ (outcome - expit(log_odds))
    levels = away @ (design.toarray() * contrast_[:, None])
    noise = np.mean(expit(log_odds) * (1 - expit(log_odds)))
    likelihood = [
        stats.multivariate_normal.logpdf(left, cov=noise * (np.eye(298) + spread**2 * levels @ levels.T))
        for spread in SPREADS
    ]
    assert found.spread == SPREADS[int(np.argmax(likelihood))]


def test_nobody_is_scored_by_a_model_that_has_met_the_account() -> None:
    # Half the outcomes of one account are turned: its own scores stay what they were, the others' may change.
    rng = np.random.default_rng(6)
    n = 600
    account = np.arange(n) // 3
    features = pd.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n)})
    treated, outcome = rng.random(n) < 0.5, (rng.random(n) < 0.4).astype(np.int8)
    mine = account == 17
    outcome[np.flatnonzero(mine)[:2]] = (0, 1)
    turned = outcome.copy()
    turned[np.flatnonzero(mine)[:2]] = (1, 0)
    arguments = (features, roles_of(features))
    one, two = (two_scores(*arguments, y, treated, np.ones(n), account) for y in (outcome, turned))
    assert (one.fold == two.fold).all()
    inside = one.fold == one.fold[mine][0]
    # To what the solver leaves open.
    assert one.propensity[mine] == pytest.approx(two.propensity[mine], abs=1e-7)
    # The average effect of all, which no rank depends on, is the only thing that moves the fold's scores.
    moved = (one.uplift - two.uplift)[inside]
    assert np.ptp(moved) < 1e-7
    assert np.ptp((one.uplift - two.uplift)[~inside]) > 1e-5


def test_ranks_are_within_folds() -> None:
    value, fold = np.array([5.0, 1.0, 5.0, 90.0, 80.0]), np.array([0, 0, 0, 1, 1])
    found = ranked(value, fold, np.array([1.0, 2.0, 1.0, 1.0, 1.0]), luck=0.44)
    # Fold 0: half of the weight has 1, the other half 5; fold 1: 80 and 90.
    assert found.rank == pytest.approx([0.75, 0.25, 0.75, 0.75, 0.25])
    assert found.wider == pytest.approx(1.2)


def test_features_that_say_nothing_leave_one_effect_for_all() -> None:
    n = 200
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"x": np.full(n, np.nan)})
    found = two_scores(
        features,
        roles_of(features),
        (rng.random(n) < 0.4).astype(np.int8),
        rng.random(n) < 0.5,
        np.ones(n),
        np.arange(n),
    )
    assert np.ptp(found.uplift) < 1e-9
    assert found.spread == (0.0,) * 5
