"""The oracle's probabilities against what the simulated leads come to, counted from the files by a route of its own.

The sharpest test of a probability given what is shown is that what it leaves over goes with nothing that is shown.
"""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from smarketing.company.demo import TrueProbabilities, build_demo, read_truth, true_probabilities, true_probabilities_of
from smarketing.company.demo.chances import NODES, reach_chances
from smarketing.company.demo.touches import PAGES
from smarketing.company.demo.world import (
    BAND_LEADS,
    PAID_SEARCH,
    REGION_SHARES,
    REGIONS,
    SOURCE_SHARES,
    SOURCES,
    band_shares,
    creation_shares,
    days_until,
)

AS_OF = date(2026, 11, 15)
LEADS = 100_000
Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oracle") / "demo"
    build_demo(folder, leads=LEADS, seed=3)
    return folder


@pytest.fixture(scope="module")
def features(folder: Path) -> pd.DataFrame:
    """What leads show at creation, a row each in order of id: numbers, categories one-hot, empty cells as flags."""
    pages = ", ".join(f"count(t.lead_id) filter (landing_page = '{page.name}') as p{i}" for i, page in enumerate(PAGES))
    frame = duckdb.sql(
        f"""select l.* exclude (lead_id, account_id, campaign_id, owner_id, call_outcome),
            a.* exclude (account_id, name, domain, parent_id, created_at), v.* exclude (lead_id)
        from '{folder}/leads.parquet' l left join '{folder}/accounts.parquet' a using (account_id)
        left join (
            select l.lead_id, {pages}, coalesce(sum(exp(-date_diff('day', t."at", l.created_at) / 30.0)), 0) as recent
            from '{folder}/leads.parquet' l left join '{folder}/touches.parquet' t
            on t.lead_id = l.lead_id and t."at" < l.created_at group by 1
        ) v using (lead_id) order by lead_id"""
    ).df()
    frame["created_at"] = (frame["created_at"] - pd.Timestamp(2024, 7, 1)).dt.days.astype(float)
    for name in ("employees", "annual_revenue"):
        frame[name] = np.log(frame[name].astype(float).clip(lower=1))
    parts = []
    for name, column in frame.items():
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            values = column.astype(float)
            parts.append(values.fillna(values.mean()))
            parts.append(values.isna().astype(float).rename(f"{name} empty"))
        else:
            parts.append(pd.get_dummies(column.astype("string").fillna("empty"), prefix=str(name)).astype(float))
    found = pd.concat(parts, axis=1)
    # Levels of less than a hundredth have too few exits for a normal error.
    return found.loc[:, found.std() > 0.1]


def outcomes(folder: Path, oracle: TrueProbabilities) -> Floats:
    """Return 1 where the lead reached the stage within the horizon of its moment, in spell 1; NaN where not yet known.

    NaN also where it had reached the stage before its moment.
    """
    stage, after, within = oracle.to_stage, oracle.moment_days, oracle.within_days
    if stage in ("opportunity", "won"):
        what = "o.created_at" if stage == "opportunity" else "case when o.outcome = 'won' then o.closed_at end"
        reached = f"""select o.lead_id, {what} as "when" from '{folder}/opportunities.parquet' o
            semi join (select * from '{folder}/stage_events.parquet' where subject_kind = 'opportunity' and spell = 1) e
            on e.subject_id = o.opportunity_id"""
    else:
        reached = f"""select subject_id as lead_id, "at" as "when" from '{folder}/stage_events.parquet'
            where subject_kind = 'lead' and spell = 1 and stage = '{stage}'"""
    days = duckdb.sql(
        f"""select date_diff('day', created_at, date '{AS_OF}') as age,
            min(date_diff('day', created_at::date, "when"::date)) as reached
        from '{folder}/leads.parquet' left join ({reached}) r using (lead_id) group by lead_id, created_at
        order by lead_id"""
    ).df()
    day = days["reached"].to_numpy(dtype=float, na_value=np.inf)
    # Times put before creation are dirt.
    out = (days["age"] < after + within) | (day < 0) | ((day <= after) & (after > 0))
    return np.where(out, np.nan, (day <= after + within).astype(float))


def score(left_over: Floats, cluster: Floats) -> float:
    """Return a sum in standard errors, clusters taken together."""
    sums = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=left_over)
    return float(left_over.sum() / np.sqrt((sums**2).sum()))


@pytest.mark.parametrize(
    ("stage", "within", "after"),
    [("mql", 14, 0), ("sql", 60, 0), ("opportunity", 90, 0), ("won", 180, 0), ("sql", 60, 14), ("opportunity", 90, 30)],
)
def test_the_oracle_is_calibrated_overall_and_by_decile(folder: Path, stage: str, within: int, after: int) -> None:
    oracle = true_probabilities_of(folder, to_stage=stage, within_days=within, moment_days=after)
    outcome = outcomes(folder, oracle)
    known = ~np.isnan(outcome)
    left_over, probability, account = (
        (outcome - oracle.probability)[known],
        oracle.probability[known],
        oracle.account[known],
    )
    assert known.sum() > 60_000
    assert abs(score(left_over, account)) < 2.6
    decile = np.argsort(np.argsort(probability)) * 10 // len(probability)
    scores = np.array([score(left_over[decile == each], account[decile == each]) for each in range(10)])
    assert np.abs(scores).max() < 3.3, scores
    assert (scores**2).sum() < 29.6, scores  # 99.9 % of a chi-squared of 10


@pytest.mark.parametrize(("stage", "within"), [("sql", 60), ("won", 180)])
def test_what_the_oracle_leaves_over_goes_with_nothing_that_is_shown(
    folder: Path, features: pd.DataFrame, stage: str, within: int
) -> None:
    oracle = true_probabilities_of(folder, to_stage=stage, within_days=within)
    outcome = outcomes(folder, oracle)
    known = ~np.isnan(outcome)
    left_over = (outcome - oracle.probability)[known]
    effect = (oracle.effect - oracle.expected_effect)[known]
    values = features.to_numpy()[known]
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    of_outcome = np.array([score(left_over * column, oracle.account[known]) for column in values.T])
    of_effect = np.array([score(effect * column, oracle.account[known]) for column in values.T])
    assert len(of_outcome) > 90
    for scores in (of_outcome, of_effect):
        assert np.abs(scores).max() < 4.0
        assert 0.8 < np.sqrt((scores**2).mean()) < 1.25
    # The same test does find what the oracle knows: the signs in the bare rate, and in the bare effect.
    assert abs(score((outcome[known] - outcome[known].mean()) * values[:, list(features).index("open_roles")],
                     oracle.account[known])) > 8  # fmt: skip


def test_no_model_of_all_that_is_shown_beats_the_oracle_or_adds_to_it(folder: Path, features: pd.DataFrame) -> None:
    oracle = true_probabilities_of(folder, to_stage="sql", within_days=60)
    outcome = outcomes(folder, oracle)
    known = ~np.isnan(outcome)
    train = known & (oracle.account % 3 > 0)
    test = known & ~train
    values = StandardScaler().fit_transform(features)
    odds = np.log(oracle.probability / (1 - oracle.probability))[:, None]

    def loss(probability: Floats) -> Floats:
        kept = np.clip(probability, 1e-6, 1 - 1e-6)
        return np.asarray(-(outcome[test] * np.log(kept) + (1 - outcome[test]) * np.log(1 - kept)))

    best = loss(oracle.probability[test])
    boosting = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.08, max_leaf_nodes=12, random_state=0)
    for model, shown in (
        (boosting, values),
        (LogisticRegression(C=0.003, max_iter=1000), values),
        (LogisticRegression(C=0.003, max_iter=1000), np.hstack([odds, values])),
    ):
        other = loss(model.fit(shown[train], outcome[train]).predict_proba(shown[test])[:, 1])
        assert score(other - best, oracle.account[test]) > -1, (model, shown.shape)
    # What cannot be seen would beat it: the effect itself.
    seen = LogisticRegression().fit(
        np.hstack([odds, oracle.effect[:, None]])[train], outcome[train]
    ).predict_proba(np.hstack([odds, oracle.effect[:, None]])[test])[:, 1]  # fmt: skip
    assert score(loss(seen) - best, oracle.account[test]) < -10


def test_wins_are_as_rare_and_as_hard_to_foretell_as_promised(folder: Path) -> None:
    for stage, within, rate, auc in (
        ("sql", 60, 0.184, 0.726),
        ("opportunity", 90, 0.121, 0.728),
        ("won", 180, 0.035, 0.75),
    ):
        oracle = true_probabilities_of(folder, to_stage=stage, within_days=within)
        outcome = outcomes(folder, oracle)
        known = ~np.isnan(outcome)
        assert outcome[known].mean() == pytest.approx(rate, rel=0.06)
        assert roc_auc_score(outcome[known], oracle.probability[known]) == pytest.approx(auc, abs=0.015)


def test_the_rules_score_is_better_than_chance_and_much_worse_than_could_be(folder: Path) -> None:
    oracle = true_probabilities_of(folder, to_stage="won", within_days=180)
    outcome = outcomes(folder, oracle)
    known = ~np.isnan(outcome)
    points = duckdb.sql(f"select score from '{folder}/scores.parquet' order by subject_id").df()["score"].to_numpy()
    assert 0.55 < roc_auc_score(outcome[known], points[known]) < 0.63


def test_chances_averaged_over_leads_are_the_true_incidences(folder: Path) -> None:
    truth = read_truth(folder)
    leads = band_shares() * BAND_LEADS
    weights = np.exp(-(NODES**2) / 2)
    created = creation_shares(AS_OF)
    for age in (7, 30, 90):
        matured = np.where(np.arange(len(created)) <= days_until(AS_OF) - age, created, 0.0)
        for names, window, incidence in (("all", created, "incidence"), ("old", matured, "matured")):
            found = np.einsum(
                "srbnd,r,b,n,d->s", reach_chances("mql", age, AS_OF), REGION_SHARES, leads / leads.sum(),
                weights / weights.sum(), window / window.sum(),
            )  # fmt: skip
            for source in (0, 1, PAID_SEARCH):
                stated = getattr(truth.incidence("lead", "mql", age=age, source=SOURCES[source]), incidence)
                assert found[source] == pytest.approx(stated, rel=2e-4), (names, age, source)
            overall = getattr(truth.incidence("lead", "mql", age=age), incidence)
            assert found @ SOURCE_SHARES == pytest.approx(overall, rel=2e-4)


def test_a_later_decline_is_walked_day_by_day_to_the_same_as_by_weekday() -> None:
    # Leads of Paid search created in the first days never meet the decline: both routes hold there, and they meet.
    chances = reach_chances("sql", 40, AS_OF)[PAID_SEARCH, REGIONS.index("EMEA"), 1]
    start = days_until(AS_OF) - 269 - 40
    assert chances[:, start - 7 : start] == pytest.approx(chances[:, start : start + 7], rel=0.02)
    assert chances[8, start - 14 : start - 7] == pytest.approx(chances[8, start - 7 : start], rel=1e-12)
    assert (chances[8, start + 300 :] < 0.6 * chances[8, start - 9]).all()


def test_the_longest_chances_agree_with_a_walk_of_one_lead() -> None:
    # A Monday, an average lead: each stage's daily chances multiplied out in plain loops, up to a win.
    from smarketing.company.demo.world import STEPS, daily_intensity, entry_row, log_effect

    day, within = 7 * 20, 60
    one, account = np.array([1]), np.array([0.5 * 0.7])
    entering = np.zeros(within + 1)
    entering[0] = 1.0
    for step in STEPS:
        rows = daily_intensity(step, day + 2 * within, within)
        by_exit = [np.exp(float(log_effect(way, one, one, one, account, one * 0)[0])) for way in step.exits]
        leaving = np.zeros(within + 1)
        for since in range(within + 1):
            row, staying = int(entry_row(step, np.array(day + since))), entering[since]
            for age in range(within + 1 - since):
                rates = [effect * rows[k, row, age] for k, effect in enumerate(by_exit)]
                gone = staying * (1 - np.exp(-sum(rates)))
                leaving[since + age] += gone * rates[0] / sum(rates) if sum(rates) else 0.0
                staying -= gone
        entering = leaving
    node = int(np.flatnonzero(NODES == 0.5)[0])
    assert reach_chances("won", within, AS_OF)[1, 1, 1, node, day] == pytest.approx(entering.sum(), rel=1e-10)


def test_moments_after_the_as_of_day_have_no_probability(folder: Path) -> None:
    oracle = true_probabilities_of(folder, to_stage="mql", within_days=7, moment_days=3)
    late = oracle.moment > np.datetime64("2026-11-16")
    assert np.array_equal(np.isnan(oracle.probability), late)
    assert late.any()
    assert oracle.moment.max() == np.datetime64("2026-11-19")
    assert oracle.lead_id[[0, -1]].tolist() == ["L000000001", f"L{LEADS:09d}"]


def test_the_oracle_of_a_folder_is_that_of_its_arguments(folder: Path, tmp_path: Path) -> None:
    build_demo(tmp_path / "demo", leads=500, seed=9, as_of=date(2025, 3, 1))
    of_folder = true_probabilities_of(tmp_path / "demo", to_stage="sal", within_days=20)
    same = true_probabilities(to_stage="sal", within_days=20, leads=500, seed=9, as_of=date(2025, 3, 1))
    assert np.array_equal(of_folder.probability, same.probability)
    assert len(of_folder) == 500
    assert ((of_folder.probability > 0) & (of_folder.probability < 1)).all()


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    whole = "to_stage is 'lost'; a lead of the demo company reaches mql, sal, sql, opportunity, won."
    with pytest.raises(ValueError, match=f"^{re.escape(whole)}$"):
        true_probabilities(to_stage="lost", within_days=30)
    with pytest.raises(ValueError, match=r"^within_days is -1; it must be 0 or more\.$"):
        true_probabilities(to_stage="mql", within_days=-1)
    with pytest.raises(ValueError, match=r"^moment_days is -1; it must be 0 or more\.$"):
        true_probabilities(to_stage="mql", within_days=30, moment_days=-1)
    whole = f"{tmp_path} holds no demo company; build it first with `smarketing demo`."
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(whole)}$"):
        true_probabilities_of(tmp_path, to_stage="mql", within_days=30)
    build_demo(tmp_path / "demo", leads=200)
    manifest = tmp_path / "demo" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "world": "an older one"}))
    whole = f"{tmp_path / 'demo'} was built by another version of the simulation; build it again."
    with pytest.raises(ValueError, match=f"^{re.escape(whole)}$"):
        true_probabilities_of(tmp_path / "demo", to_stage="mql", within_days=30)
