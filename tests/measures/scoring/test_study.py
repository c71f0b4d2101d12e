"""A whole study on leads whose truth is known: what it uses, what it leaves out, and when it gives nothing out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from scoring_worlds import AS_OF, HORIZON, dated_leads, definitions, feature, flat_leads, scoring_of
from smarketing.estimates.calibration import cluster_sums
from smarketing.estimates.clusters import share
from smarketing.measures.scoring.giving.deploy import scored_leads
from smarketing.measures.scoring.study import Study, study, whole_weeks
from smarketing.measures.scoring.worth.study_worth import over_present, promises, thresholds
from smarketing.measures.scoring.worth.threshold import band_of
from smarketing.measures.scoring.worth.value import StageValue
from smarketing.measures.scoring.worth.views import grid, importance, stability

DRAWS = 60


@pytest.fixture(scope="module")
def found() -> Study:
    drawn, _ = dated_leads()
    return study(drawn, definitions(), scoring_of(), draws=DRAWS)


def test_it_learns_from_earlier_leads_and_is_judged_on_later_ones(found: Study) -> None:
    assert found.split is not None and found.split.day is not None and found.leads is not None
    at = found.sample.at
    assert at is not None
    split = np.datetime64(found.split.day, "D")
    assert (at[found.split.train].astype("datetime64[D]") <= split).all()
    judged = at[found.judged].astype("datetime64[D]")
    assert (judged > split).all() and judged.max() <= np.datetime64(AS_OF - timedelta(days=HORIZON))
    assert (found.leads.weight == 1).all()


def test_a_score_that_tells_is_usable_and_beats_what_was_there(found: Study) -> None:
    assert found.usable and found.model is not None and found.validity is not None
    assert found.validity.measure("auc").value > found.later["present"].measure("auc").value + 0.05
    assert found.later["newest"].measure("auc").lower < 0.5 < found.later["newest"].measure("auc").upper
    assert found.validity.measure("calibration_slope").lower < 1 < found.validity.measure("calibration_slope").upper
    assert found.unseen is not None and found.at_random is not None
    assert set(found.families["score"]) == {"scorecard", "boosting"}


def test_probabilities_are_near_the_truth() -> None:
    drawn, truth = dated_leads(20_000, seed=5)
    found = study(drawn, definitions(), scoring_of(), draws=40)
    assert found.model is not None
    p = found.model.probability(found.features)
    true = truth[found.judged]
    assert p.mean() == pytest.approx(true.mean(), abs=0.015)
    # One size in ten is not recorded; where it is, the features tell all that there is to tell.
    told = found.features["size"].notna().to_numpy()
    assert np.corrcoef(p[told], true[told])[0, 1] > 0.9


def test_features_that_tell_nothing_give_no_usable_score() -> None:
    drawn, _ = dated_leads(4_000, seed=3, strength=0.0)
    found = study(drawn, definitions(), scoring_of(), draws=DRAWS)
    assert not found.usable and found.validity is not None
    assert found.unusable.startswith(("its probabilities are not surely better", "its lift at capacity is not surely"))
    assert found.at_random is None


def test_columns_that_know_the_outcome_are_left_out_with_the_reason() -> None:
    drawn, _ = dated_leads()
    sample = drawn.sample
    rng = np.random.default_rng(9)
    told = np.where(sample.status == 1, rng.random(len(sample)) < 0.9, rng.random(len(sample)) < 0.03)
    leaky = sample.features.assign(notes=np.where(told, "talked", None), later=rng.normal(size=len(sample)))
    roles = (*sample.roles, feature("notes", "category", known="undeclared"), feature("later", known="after"))
    planted = replace(sample, features=leaky.astype({"notes": object}), roles=roles)
    found = study(replace(drawn, sample=planted), definitions(), scoring_of(without=("noise",)), draws=40)
    assert {one.name for one in found.used} == {"size", "visits", "source", "shade"}
    why = found.left_out.set_index("feature")["why"]
    assert (
        why["notes"].startswith("LK0")
        and why["later"].startswith("LK01")
        and why["noise"] == "the definitions leave it out"
    )


def test_too_few_leads_are_refused_before_anything_is_fitted() -> None:
    drawn, _ = dated_leads(150)
    found = study(drawn, definitions(), scoring_of(), draws=40)
    assert found.model is None and found.enough is not None and found.enough.decision == "refuse"
    assert found.unusable == found.enough.reason and "too few" in found.unusable


def test_a_sample_too_young_for_a_split_says_so() -> None:
    drawn, _ = dated_leads(400)
    young = drawn.sample.take(drawn.sample.at > np.datetime64("2026-06-01"))
    found = study(replace(drawn, sample=young), definitions(), scoring_of(), draws=40)
    assert found.unusable.startswith("of ") and found.model is None and found.leads is None


def test_without_days_it_is_judged_out_of_fold_and_says_that_the_future_is_unknown() -> None:
    scoring = scoring_of(
        to_stage=None,
        within_days=None,
        outcome="converted",
        weekly_capacity=None,
        capacity_share=0.2,
        present_system=None,
    )
    found = study(flat_leads(), definitions(), scoring, draws=DRAWS)
    assert found.usable and not found.forward and found.unseen is None and found.at_random is None
    assert found.model is not None and (found.probability == found.model.out_of_fold).all()
    assert found.validity is not None and found.validity.selected == pytest.approx(0.2)


def test_the_same_leads_give_the_same_study(found: Study) -> None:
    again = study(dated_leads()[0], definitions(), scoring_of(), draws=DRAWS)
    assert again.later == found.later and (again.probability == found.probability).all()


def segment(found: Study) -> np.ndarray:
    """The quarter of each judged lead, as it is printed."""
    quarter = pd.PeriodIndex(pd.to_datetime(found.sample.at[found.judged]), freq="Q")  # type: ignore[index]
    return np.array([f"{one.year} Q{one.quarter}" for one in quarter], dtype=object)


def test_views_of_it_add_up(found: Study) -> None:
    evidence = definitions().evidence
    cells = grid(found, evidence).rows  # type: ignore[union-attr]
    assert cells["n"].sum() == len(found.judged) and set(cells["fit"]) <= set("ABCD")
    assert cells["share"].sum() == pytest.approx(1)
    weights = importance(found).rows  # type: ignore[union-attr]
    assert weights["weight"].is_monotonic_decreasing and weights.iloc[0]["feature"] in ("size", "visits", "source")
    steady = stability(found, evidence, draws=40).rows
    for by in ("quarter", "region", "source"):
        assert steady[steady["by"] == by]["n"].sum() == len(found.judged)
    shown = steady[steady["reason"] == ""]
    outside = (shown["predicted"] < shown["lower"]) | (shown["predicted"] > shown["upper"])
    assert len(shown) > 5 and outside.tolist() == shown["off"].tolist()
    # Wider than one group's own interval, since all groups are looked at.
    one = shown.iloc[0]
    first = found.leads.only(segment(found) == one["group"], "x")  # type: ignore[union-attr]
    alone = share(cluster_sums(first.cluster, first.weight, first.outcome))
    assert one["lower"] < alone.lower < alone.upper < one["upper"]


def test_thresholds_promises_and_money_are_of_the_judged_leads(found: Study) -> None:
    worth = StageValue(value=100.0, stated=True)
    curve = thresholds(found, worth, draws=40)
    assert curve.at("break-even")["threshold"] == 0.1  # type: ignore[union-attr]
    kept = promises(found, definitions().evidence).rows  # type: ignore[union-attr]
    assert kept["n"].sum() == len(found.judged)
    gain = over_present(found, worth, draws=DRAWS)
    assert gain is not None and gain[1] < gain[0] < gain[2] and gain[0] > 0
    nothing = thresholds(found, StageValue(value=None, stated=False, reason="no won deal has an amount"))
    assert nothing.reason == "no won deal has an amount"  # type: ignore[union-attr]


def test_scored_leads_stand_in_line_with_bands_and_reasons(found: Study) -> None:
    assert found.model is not None
    open_ = found.sample.take(found.sample.status == 0)
    scored = scored_leads(open_, found.model, found.scoring, as_of=AS_OF)
    assert scored["probability"].is_monotonic_decreasing and len(scored) == len(open_)
    assert (scored["band"] == band_of(scored["probability"].to_numpy(), found.scoring.bands)).all()
    assert (scored["qualified"] == (scored["probability"] >= 0.25)).all()
    assert not (scored["explore"] & scored["qualified"]).any()
    below = scored[~scored["qualified"]]
    assert below["explore"].mean() == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / len(below)))
    assert scored.iloc[0]["reasons_for"] != "" and scored.iloc[-1]["reasons_against"] != ""
    again = scored_leads(open_, found.model, found.scoring, as_of=AS_OF)
    pd.testing.assert_frame_equal(scored, again)
    # A lead is drawn once: another week draws no others of the same leads.
    other = scored_leads(open_, found.model, found.scoring, as_of=AS_OF - timedelta(days=7))
    assert (other["explore"] == scored["explore"]).all()


def test_weeks_are_whole_weeks_only() -> None:
    # 1 June 2026 is a Monday.
    at = np.array(["2026-05-31", "2026-06-01", "2026-06-07", "2026-06-08", "2026-06-14"], dtype="datetime64[s]")
    monday = whole_weeks(at, date(2026, 5, 28), date(2026, 6, 13), "monday")
    assert monday.tolist() == [-1, monday[1], monday[1], -1, -1] and monday[1] > 0
    sunday = whole_weeks(at, date(2026, 5, 28), date(2026, 6, 13), "sunday")
    assert sunday.tolist() == [sunday[0], sunday[0], sunday[2], sunday[2], -1] and sunday[2] == sunday[0] + 1
