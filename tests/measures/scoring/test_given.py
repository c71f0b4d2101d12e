"""What came of scores given out: promises as they were made, and leads below the line that were drawn to be worked."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from scoring_worlds import AS_OF, HORIZON, dated_leads, definitions, flat_leads, scoring_of
from small_companies import company_of
from smarketing.company.tables import Company
from smarketing.estimates.clusters import share
from smarketing.estimates.scored import cluster_sums
from smarketing.measures.scoring.giving.given import DRAWN, LEFT, LookBack, look_back
from smarketing.measures.scoring.giving.level import FEWEST_DRAWS
from smarketing.measures.scoring.leads.present import SYSTEM
from smarketing.measures.scoring.leads.sample import Sample
from smarketing.measures.scoring.study_card import promise_of

PROMISE = promise_of(scoring_of(), definitions())


def rows_of(sample: Sample, promised: np.ndarray, **changes: Any) -> pd.DataFrame:
    """A score for every lead, given a day after its moment; leads below 0.25 are drawn by a coin."""
    assert sample.at is not None
    drawn = np.random.default_rng(11).random(len(sample)) < 0.5
    rows = {
        "subject_id": sample.subject_id,
        "system": SYSTEM,
        "at": sample.at.astype("datetime64[us]") + np.timedelta64(1, "D"),
        "score": promised,
        "band": "A",
        "qualified": promised >= 0.25,
        "explore": drawn & (promised < 0.25),
        "promise": PROMISE,
        "explore_share": 0.5,
    }
    return pd.DataFrame(rows | changes)


def company(rows: pd.DataFrame, engine: ibis.BaseBackend | None = None) -> Company:
    return company_of(engine or ibis.duckdb.connect(), {"scores": rows})


def looked_back(rows: pd.DataFrame, sample: Sample) -> LookBack:
    return look_back(company(rows), sample, definitions(), scoring_of(), draws=60)


def test_true_promises_are_kept_above_the_line_and_below() -> None:
    drawn, p = dated_leads(9_000)
    found = looked_back(rows_of(drawn.sample, p), drawn.sample)
    assert found.reason == "" and found.validity is not None
    days = drawn.sample.at.astype("datetime64[D]")  # type: ignore[union-attr]
    over = days <= np.datetime64(AS_OF - timedelta(days=HORIZON))
    assert found.n == found.validity.n == over.sum()
    assert (found.first, found.last) == (days[over].min().astype(date), days[over].max().astype(date))
    level = found.validity.measure("calibration_intercept")
    assert level.lower < 0 < level.upper
    assert found.below["group"].tolist() == [DRAWN, LEFT]
    assert ((found.below["lower"] < found.below["promised"]) & (found.below["promised"] < found.below["upper"])).all()
    assert found.effect.lower < 0 < found.effect.upper


def test_what_drawing_changed_is_found_again() -> None:
    """Half of the drawn leads below the line that would not have got there do: the effect is half of one minus p."""
    drawn, p = dated_leads(9_000)
    sample, rows = drawn.sample, rows_of(drawn.sample, p)
    helped = rows["explore"].to_numpy() & (sample.status != 1) & (np.random.default_rng(5).random(len(sample)) < 0.5)
    status = np.where(helped, 1, sample.status).astype(np.int8)
    moved = Sample(**{**vars(sample), "status": status, "age": np.where(helped, 10, sample.age)})
    found = looked_back(rows, moved)
    truth = 0.5 * (1 - p[rows["explore"]].mean())
    assert found.effect.lower < truth < found.effect.upper and found.effect.lower > 0.3
    assert found.drawn["lower"] > found.drawn["promised"] + 0.2
    # The rates are those of the leads drawn, accounts kept together.
    days = sample.at.astype("datetime64[D]")  # type: ignore[union-attr]
    mine = rows["explore"].to_numpy() & (days <= np.datetime64(AS_OF - timedelta(days=HORIZON)))
    by_hand = share(cluster_sums(sample.cluster[mine], np.ones(mine.sum()), (status[mine] == 1).astype(float)))
    assert found.drawn[["rate", "lower", "upper"]].tolist() == [by_hand.value, by_hand.lower, by_hand.upper]


def shared_later(n: int = 9_000, seed: int = 0) -> tuple[Sample, pd.DataFrame]:
    """One in twenty is drawn at first, two in five later, when more get there; being drawn changes nothing."""
    drawn, p = dated_leads(n, seed=seed, drift=0.8)
    sample = drawn.sample
    assert sample.at is not None
    late = sample.at > np.datetime64(AS_OF - timedelta(days=240))
    chance = np.where(late, 0.4, 0.05)
    explore = (np.random.default_rng(seed + 7).random(len(sample)) < chance) & (p < 0.25)
    return sample, rows_of(sample, p, explore=explore, explore_share=chance)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_share_that_was_raised_is_no_effect_of_the_draw(seed: int) -> None:
    sample, rows = shared_later(seed=seed)
    found = looked_back(rows, sample)
    assert found.effect.lower < 0 < found.effect.upper
    # Both groups stand for the same leads, so they were promised the same.
    one, other = found.below["promised"]
    assert one == pytest.approx(other, abs=0.01)


def test_rates_are_weighed_by_the_chance_to_be_drawn() -> None:
    sample, rows = shared_later()
    assert sample.at is not None
    found = looked_back(rows, sample)
    over = sample.at.astype("datetime64[D]") <= np.datetime64(AS_OF - timedelta(days=HORIZON))
    for at, drawn in enumerate((True, False)):
        mine = rows[over & (rows["score"] < 0.25) & (rows["explore"] == drawn)]
        weight = 1 / (mine["explore_share"] if drawn else 1 - mine["explore_share"])
        got = pd.Series(sample.status == 1)[mine.index]
        assert found.below.loc[at, "n"] == len(mine)
        assert found.below.loc[at, "rate"] == pytest.approx(np.average(got, weights=weight))
        assert found.below.loc[at, "promised"] == pytest.approx(np.average(mine["score"], weights=weight))


@pytest.mark.parametrize("share", [0.0, 1.0, None])
def test_leads_that_could_not_be_in_the_other_group_are_not_compared(share: float | None) -> None:
    sample, rows = shared_later()
    assert sample.at is not None
    late = sample.at > np.datetime64(AS_OF - timedelta(days=240))
    explore = np.where(late, rows["explore"], share == 1.0)
    mixed = rows.assign(explore=explore, explore_share=np.where(late, 0.4, share).astype(float))
    found, alone = looked_back(mixed, sample), looked_back(rows[late], sample)
    pd.testing.assert_frame_equal(found.below, alone.below)
    assert found.n > alone.n


def test_promises_too_high_are_noticed() -> None:
    drawn, p = dated_leads(9_000)
    rows = rows_of(drawn.sample, np.minimum(2 * p, 0.99))
    found = looked_back(rows, drawn.sample)
    assert found.validity is not None
    assert found.validity.measure("calibration_intercept").upper < 0
    # As sure as the monitor is: 99 %, of so many draws as that needs, however few are asked for.
    assert found.level.upper < 0
    levels = found.validity.measure("calibration_intercept")
    assert found.level.value == levels.value and found.level.lower < levels.lower < levels.upper < found.level.upper
    again = look_back(company(rows), drawn.sample, definitions(), scoring_of(), draws=FEWEST_DRAWS)
    assert again.level == found.level
    assert found.below["upper"].lt(found.below["promised"]).all()


@pytest.mark.parametrize("name", ["duckdb", "postgres"])
def test_the_first_score_of_this_promise_counts(name: str, request: pytest.FixtureRequest) -> None:
    drawn, p = dated_leads(3_000)
    rows = rows_of(drawn.sample, p)
    later = rows.assign(score=0.9, at=rows["at"] + pd.Timedelta(days=7))
    # Earlier, but of another score, or of another promise.
    crm = rows.assign(score=0.8, system="crm", at=rows["at"] - pd.Timedelta(days=1))
    other = rows.assign(score=0.7, promise="reaches Won within 365 days", at=rows["at"] - pd.Timedelta(days=1))
    engine = ibis.duckdb.connect() if name == "duckdb" else request.getfixturevalue("postgres")
    all_rows = pd.concat([later, crm, rows, other], ignore_index=True)
    found = look_back(company(all_rows, engine), drawn.sample, definitions(), scoring_of(), draws=40)
    alone = looked_back(rows, drawn.sample)
    pd.testing.assert_frame_equal(found.below, alone.below)
    assert (found.n, found.first, found.last) == (alone.n, alone.first, alone.last)


def test_nothing_to_look_back_on_has_its_reason() -> None:
    drawn, p = dated_leads(3_000)
    rows = rows_of(drawn.sample, p)
    none = "no lead that a score was given out for on an earlier day has had all its days"
    young = drawn.sample.at > np.datetime64(AS_OF - timedelta(days=HORIZON - 1))  # type: ignore[operator]
    assert young.any()
    for found in (
        looked_back(rows[young], drawn.sample),
        looked_back(rows.assign(system="crm"), drawn.sample),
        look_back(company_of(ibis.duckdb.connect(), {}), drawn.sample, definitions(), scoring_of()),
    ):
        assert (found.reason, found.n, found.validity, len(found.below)) == (none, 0, None, 0)
        assert found.other_promises == 0
    flat = flat_leads().sample
    assert looked_back(rows, flat).reason == "the export has no dates"


def test_scores_of_another_promise_are_named_as_the_reason() -> None:
    drawn, p = dated_leads(3_000)
    rows = rows_of(drawn.sample, p).head(1_000)
    none = "no lead that a score was given out for on an earlier day has had all its days; "
    now = "and the definitions now promise 'reaches SQL within 60 days, scored 0 days after creation'"
    other = rows.assign(promise="reaches SQL within 90 days")
    other.loc[:9, "promise"] = "reaches Won within 60 days"
    for given, said in (
        (other, "1,000 scores were given out with another promise, such as 'reaches SQL within 90 days', "),
        (other.head(1), "1 score was given out with another promise, such as 'reaches Won within 60 days', "),
        (rows.drop(columns=["explore", "promise"]), "1,000 scores were given out with no promise that is known, "),
    ):
        found = looked_back(given, drawn.sample)
        assert (found.reason, found.other_promises) == (none + said + now, len(given))
    both = looked_back(pd.concat([rows, other]), drawn.sample)
    assert (both.reason, both.other_promises) == ("", 1_000)


def test_a_score_for_another_moment_is_another_promise() -> None:
    assert promise_of(scoring_of(moment_days=1), definitions()) == (
        "reaches SQL within 60 days, scored 1 day after creation"
    )
    flat = scoring_of(outcome="won", to_stage=None, within_days=None, weekly_capacity=None, capacity_share=0.2)
    assert promise_of(flat, definitions()) == "has won"
    drawn, p = dated_leads(3_000)
    found = look_back(company(rows_of(drawn.sample, p)), drawn.sample, definitions(), scoring_of(moment_days=7))
    assert found.n == 0 and found.other_promises == 3_000
    assert found.reason.endswith("now promise 'reaches SQL within 60 days, scored 7 days after creation'")


def test_what_the_capacity_catches_is_not_judged_where_reports_need_not_be_weekly() -> None:
    drawn, p = dated_leads(3_000)
    found = looked_back(rows_of(drawn.sample, p), drawn.sample)
    assert found.validity is not None
    assert [one.name for one in found.validity.measures] == [
        "auc", "average_precision", "brier_skill", "calibration_intercept", "calibration_slope",
    ]  # fmt: skip
    assert np.isnan(found.validity.selected)


@pytest.mark.parametrize("name", ["duckdb", "postgres"])
def test_of_scores_of_one_day_the_highest_counts_in_any_order_of_rows(
    name: str, request: pytest.FixtureRequest
) -> None:
    drawn, p = dated_leads(1_500)
    rows = rows_of(drawn.sample, p)
    lower = rows.assign(score=rows["score"] / 2, qualified=False)
    fewer = rows.assign(explore=False, explore_share=0.1)
    older = rows.assign(explore=None, explore_share=None, qualified=None).astype(
        {"explore": object, "qualified": object, "explore_share": "float64"}
    )
    engine = ibis.duckdb.connect() if name == "duckdb" else request.getfixturevalue("postgres")
    alone = looked_back(rows, drawn.sample)
    both = pd.concat([lower, fewer, rows, older], ignore_index=True)
    for frame in (both, both[::-1], both.sample(frac=1, random_state=1)):
        given = company(frame.reset_index(drop=True), engine)
        found = look_back(given, drawn.sample, definitions(), scoring_of(), draws=40)
        pd.testing.assert_frame_equal(found.below, alone.below)
        assert found.n == alone.n


def test_few_leads_are_counted_and_not_judged() -> None:
    drawn, p = dated_leads(9_000)
    rows = rows_of(drawn.sample, p)
    few = rows[(rows["score"] < 0.25) & rows["explore"]].head(12)
    found = looked_back(few, drawn.sample)
    assert found.n == 12 and found.validity is not None
    assert found.validity.reason == "only 12 leads that were given a score, fewer than 30"
    assert found.below["n"].tolist() == [12, 0]
    assert found.below["promised"].notna().tolist() == [True, False]
    assert found.below["rate"].isna().all() and np.isnan(found.effect.value)
