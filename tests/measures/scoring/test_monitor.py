"""A saved model held against new leads: whether it still fits, whether its promises hold, whether leads have moved."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from scoring_worlds import AS_OF, HORIZON, dated_leads, definitions, scoring_of
from smarketing.company.tables import CompanyError
from smarketing.measures.scoring.giving.monitor import Monitor, _state, check_fit, watch
from smarketing.measures.scoring.leads.labels import labels_at
from smarketing.measures.scoring.leads.sample import Sample
from smarketing.measures.scoring.models.model_card import ModelCard, summarise
from smarketing.measures.scoring.models.saving import Saved
from smarketing.measures.scoring.models.scorecard import Scorecard, fit_scorecard
from smarketing.measures.scoring.study_card import JUDGED, label_of
from smarketing.measures.scoring.worth.validity import Measured, Validity

LEARNED, JUDGED_UNTIL = date(2025, 9, 1), date(2025, 12, 1)


def saved_on(sample: Sample) -> Saved:
    """A scorecard that learned from what was known on `LEARNED`, with its card."""
    labels = labels_at(sample, horizon=HORIZON, known_at=LEARNED)
    rows = labels.weight > 0
    features = sample.features[rows]
    model = fit_scorecard(features, sample.roles, labels.value[rows], labels.weight[rows], sample.cluster[rows])
    card = ModelCard(
        name="Score", family="scorecard", purpose="p", audience="a", trained_on="t",
        scope="the whole company", trained_from=None, trained_to=None,
        known_at=LEARNED.isoformat(), rows=int(rows.sum()), accounts=1, with_outcome=1,
        label=label_of(scoring_of(), definitions()), horizon_days=HORIZON, moment_days=0,
        validity=((JUDGED, JUDGED_UNTIL.isoformat()),), limits=(), definitions_version="1", owner="o",
        features=summarise(features, sample.roles),
    )  # fmt: skip
    return Saved(model=model, card=card)


def watched(*, drift: float, seed: int = 0, n: int = 9_000, strength: float = 1.0) -> tuple[Monitor, Saved, Sample]:
    drawn, _ = dated_leads(n, seed=seed, drift=drift, strength=strength)
    saved = saved_on(drawn.sample)
    return watch(drawn.sample, saved, definitions(), scoring_of(), draws=80), saved, drawn.sample


def test_a_world_that_stays_is_held_and_one_that_changes_is_noticed() -> None:
    same, _, _ = watched(drift=0.0)
    assert same.state == "holds" and not same.aged and same.since is not None
    assert same.shift.lower < 0 < same.shift.upper
    # From November on fewer get there, by 0.8 in log-odds.
    fewer, _, _ = watched(drift=-0.8)
    assert fewer.state == "recalibrate" and fewer.aged
    assert fewer.shift.upper < 0 and fewer.shift.value == pytest.approx(-0.8, abs=0.25)
    assert fewer.why.endswith("clearly fewer got there than it promised")
    more, _, _ = watched(drift=0.8)
    assert more.shift.lower > 0 and more.why.endswith("clearly more got there than it promised")


@pytest.mark.parametrize("seed", [0, 1])
def test_a_clear_shift_is_told_though_it_is_unknown_whether_the_order_still_helps(seed: int) -> None:
    """A weak score and few leads: its skill is not sure, that fewer got there is."""
    found, _, _ = watched(drift=-0.8, seed=seed, n=3_000, strength=0.5)
    assert found.shift.upper < 0 and found.state == "recalibrate" and found.aged
    assert re.fullmatch(
        r"of [\d,]+ leads since, clearly fewer got there than it promised; whether their order still beats the base "
        r"rate cannot be told yet \(Brier skill -?0\.\d{3}, 95% interval from -0\.\d{3}\)",
        found.why,
    )


@pytest.mark.parametrize(("shift", "side"), [(0.08, "low"), (-0.08, "high")])
def test_a_clear_shift_too_small_to_matter_is_named_and_no_alarm(shift: float, side: str) -> None:
    since = Validity(
        score="score", what="leads since", n=90_000, events=9_000, accounts=9, rate=0.1, selected=0.1, measures=()
    )
    off = Measured(name="shift", value=shift, lower=shift - 0.02, upper=shift + 0.02)
    skill = Measured(name="brier_skill", value=0.1, lower=0.08, upper=0.12)
    assert _state(since, off, skill) == (
        "holds",
        f"on 90,000 leads since, its probabilities are too {side} by 0.08 in log-odds, too little to matter",
    )


def test_only_leads_since_the_judged_days_whose_days_are_over_count() -> None:
    found, _, sample = watched(drift=0.0)
    assert found.first is not None and found.last is not None and found.since is not None
    assert found.first > JUDGED_UNTIL and found.last <= AS_OF - timedelta(days=HORIZON)
    days = sample.at.astype("datetime64[D]")  # type: ignore[union-attr]
    between = (days > np.datetime64(JUDGED_UNTIL)) & (days <= np.datetime64(AS_OF - timedelta(days=HORIZON)))
    assert found.since.n == between.sum()


def test_with_nothing_known_since_it_cannot_tell() -> None:
    drawn, _ = dated_leads(9_000)
    saved = saved_on(drawn.sample)
    newest = AS_OF - timedelta(days=HORIZON)

    def seen(judged: date) -> Monitor:
        late = replace(saved.card, validity=((JUDGED, judged.isoformat()),))
        return watch(drawn.sample, replace(saved, card=late), definitions(), scoring_of(), draws=40)

    # A study of the same day was judged on all leads that are known.
    for judged in (AS_OF, newest):
        found = seen(judged)
        assert found.state == "cannot tell" and not found.aged
        assert found.why == "the model was judged on the newest leads whose days are over, so there are none since"
    found = seen(newest - timedelta(days=1))
    assert found.state == "cannot tell" and found.why.startswith("too little has come of leads since it was judged (")


def test_a_feature_that_moves_is_named_and_the_others_are_not() -> None:
    drawn, _ = dated_leads(9_000)
    saved = saved_on(drawn.sample)
    sample = drawn.sample
    recent = sample.at > np.datetime64(AS_OF - timedelta(days=28))  # type: ignore[operator]
    features = sample.features.copy()
    features.loc[recent, "visits"] += 3
    moved = watch(replace(sample, features=features), saved, definitions(), scoring_of(), draws=40)
    assert moved.moved["feature"].tolist() == ["visits"] and moved.watched == recent.sum()
    still = watch(sample, saved, definitions(), scoring_of(), draws=40)
    assert still.moved.empty and (still.drift["index"] < still.drift["cutoff"]).all()


def test_values_that_training_never_held_are_refused_beyond_a_share() -> None:
    drawn, _ = dated_leads(6_000)
    saved, sample = saved_on(drawn.sample), drawn.sample
    check_fit(sample, saved, definitions(), scoring_of())
    features = sample.features.copy()
    features["source"] = features["source"].replace("web", "Website")
    with pytest.raises(CompanyError) as error:
        check_fit(replace(sample, features=features), saved, definitions(), scoring_of())
    # Of the leads of the last four weeks, whatever came before.
    recent = sample.at >= np.datetime64(AS_OF - timedelta(days=27))  # type: ignore[operator]
    share = (features.loc[recent, "source"] == "Website").mean()
    assert str(error.value) == (
        f"The leads no longer fit the saved model. source: {share:.0%} of its values were never met in training, such "
        "as 'Website'. Map the values in the input file as they were, or run 40_lead_scoring again."
    )


def test_rare_values_that_were_pooled_are_not_taken_for_new_ones() -> None:
    drawn, _ = dated_leads(6_000)
    sample = drawn.sample
    names = np.array([f"page {number}" for number in range(300)], dtype=object)
    many = sample.features.assign(shade=names[np.random.default_rng(0).integers(0, 300, len(sample))])
    wide = replace(sample, features=many.astype({"shade": object}))
    saved = saved_on(wide)
    assert next(one for one in saved.card.features if one.name == "shade").other > 0.5
    check_fit(wide, saved, definitions(), scoring_of())
    assert (
        not watch(wide, saved, definitions(), scoring_of(), draws=40).drift.set_index("feature").loc["shade", "moved"]
    )


def test_a_model_of_another_question_is_refused() -> None:
    drawn, _ = dated_leads(6_000)
    saved = saved_on(drawn.sample)
    with pytest.raises(CompanyError) as error:
        check_fit(drawn.sample, saved, definitions(), scoring_of(within_days=30))
    assert str(error.value) == (
        "The saved model says whether a lead reaches SQL within 60 days, scored 0 days after its creation; the "
        "definitions now ask whether it reaches SQL within 30 days, scored 0 days after. Run 40_lead_scoring again."
    )
    assert isinstance(saved.model, Scorecard)
