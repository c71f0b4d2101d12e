import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from smarketing.estimates.life_tables import LifeTable, life_table
from smarketing.estimates.survival import Incidence, incidence, influence

subject = st.tuples(st.integers(0, 15), st.integers(0, 20), st.sampled_from(["", "won", "lost"]), st.floats(0.1, 1e6))
subjects = st.lists(subject, min_size=1, max_size=40)


def table(rows: list[tuple[int, int, str, float]]) -> LifeTable:
    first, days, exit_kind, weight = zip(*rows, strict=True)
    return life_table(first, np.add(first, days), exit_kind, weight=weight, kinds=("won", "lost"))


def simulated(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(1, 60, n), rng.choice(["", "won", "lost"], n, p=[0.3, 0.2, 0.5])


@pytest.mark.parametrize("seed", range(3))
def test_kaplan_meier_equals_statsmodels(seed: int) -> None:
    last, exit_kind = simulated(seed, 300)
    reference = SurvfuncRight(last, (exit_kind != "").astype(int))
    life = life_table(np.zeros(300), last, exit_kind)
    curves = incidence(life)
    for age, share, error in zip(reference.surv_times, reference.surv_prob, reference.surv_prob_se, strict=True):
        assert curves.open_at(age) == pytest.approx(share, abs=1e-9)
        if share > 1e-9:
            assert influence(life, "open", age).independent_standard_error == pytest.approx(error, abs=1e-9)
    assert curves.quantile(None, 0.5) == reference.quantile(0.5)


@pytest.mark.parametrize("seed", range(3))
def test_cumulative_incidence_equals_statsmodels(seed: int) -> None:
    last, exit_kind = simulated(seed, 300)
    status = np.select([exit_kind == "won", exit_kind == "lost"], [1, 2])
    # Its standard error, not used here, divides by 0 when the last lead exits.
    with np.errstate(divide="ignore", invalid="ignore"):
        reference = CumIncidenceRight(last, status)
    curves = incidence(life_table(np.zeros(300), last, exit_kind))
    for kind, expected in zip(("won", "lost"), reference.cinc, strict=True):
        assert [curves.at(kind, age) for age in reference.times] == pytest.approx(expected.tolist(), abs=1e-9)


def test_weighted_curves_equal_statsmodels_frequency_weights() -> None:
    last, exit_kind = simulated(8, 200)
    weight = np.random.default_rng(1).lognormal(8, 1, 200)
    status = np.select([exit_kind == "won", exit_kind == "lost"], [1, 2])
    reference = CumIncidenceRight(last, status, freq_weights=weight)
    curves = incidence(life_table(np.zeros(200), last, exit_kind, weight=weight))
    assert [curves.at("won", age) for age in reference.times] == pytest.approx(reference.cinc[0].tolist(), abs=1e-9)


# Delayed entry, against R 4.2.2 with survival 3.5.3:
#   first <- c(0,0,0,0,0,2,3,3,5,0,0,4,6,1,0)
#   last  <- c(3,5,5,7,9,6,7,8,9,12,2,11,10,8,14)
#   exit  <- c("won","lost","","won","lost","lost","won","","won","won","lost","","lost","won","")
#   event <- factor(exit, levels = c("", "won", "lost")); id <- seq_along(first)
#   m <- survfit(Surv(first - 1, last, event) ~ 1, id = id); cbind(m$time, m$pstate)
FIRST = np.array([0, 0, 0, 0, 0, 2, 3, 3, 5, 0, 0, 4, 6, 1, 0])
LAST = np.array([3, 5, 5, 7, 9, 6, 7, 8, 9, 12, 2, 11, 10, 8, 14])
EXIT = np.array(["won", "lost", "", "won", "lost", "lost", "won", "", "won", "won", "lost", "", "lost", "won", ""])
WEIGHT = np.array([1, 2.5, 4, 0.5, 3, 1, 2, 1, 1.5, 2, 1, 3, 2, 1, 0.5])
R_CURVES = {
    2: (10, 0.900000000000000, 0.0000000000000000, 0.100000000000000),
    3: (11, 0.818181818181818, 0.0818181818181818, 0.100000000000000),
    5: (12, 0.750000000000000, 0.0818181818181818, 0.168181818181818),
    6: (11, 0.681818181818182, 0.0818181818181818, 0.236363636363636),
    7: (10, 0.545454545454545, 0.2181818181818181, 0.236363636363636),
    8: (8, 0.477272727272727, 0.2863636363636363, 0.236363636363636),
    9: (6, 0.318181818181818, 0.3659090909090909, 0.315909090909091),
    10: (4, 0.238636363636364, 0.3659090909090909, 0.395454545454545),
    11: (3, 0.238636363636364, 0.3659090909090909, 0.395454545454545),
    12: (2, 0.119318181818182, 0.4852272727272726, 0.395454545454545),
    14: (1, 0.119318181818182, 0.4852272727272726, 0.395454545454545),
}
# ... survfit(Surv(first - 1, last, event) ~ 1, id = id, weights = w), w as WEIGHT
R_WEIGHTED = {
    3: (0.8886158886158887, 0.0507780507780508, 0.0606060606060606),
    9: (0.3656885190976101, 0.2814431166703895, 0.3528683642320006),
    14: (0.0536343161343161, 0.4959803812076541, 0.4503853026580300),
}
# Landmark at age 4: k <- last >= 4; survfit(Surv(pmax(first, 4)[k] - 1, last[k], event[k]) ~ 1, id = id[k])
R_LANDMARK = {
    5: (0.916666666666667, 0.000000000000000, 0.0833333333333333),
    9: (0.388888888888889, 0.347222222222222, 0.2638888888888888),
    12: (0.145833333333333, 0.493055555555556, 0.3611111111111110),
}


def triple(curves: Incidence, age: float) -> tuple[float | None, ...]:
    return curves.open_at(age), curves.at("won", age), curves.at("lost", age)


def test_delayed_entry_equals_r() -> None:
    curves = incidence(life_table(FIRST, LAST, EXIT))
    at_risk = dict(zip(curves.age.tolist(), curves.at_risk.tolist(), strict=True))
    for age, (n, *shares) in R_CURVES.items():
        assert at_risk[age] == n
        assert triple(curves, age) == pytest.approx(tuple(shares), abs=1e-12)


def test_weighted_delayed_entry_equals_r() -> None:
    curves = incidence(life_table(FIRST, LAST, EXIT, weight=WEIGHT))
    for age, shares in R_WEIGHTED.items():
        assert triple(curves, age) == pytest.approx(shares, abs=1e-12)


def test_a_landmark_equals_r() -> None:
    curves = incidence(life_table(FIRST, LAST, EXIT), start=4)
    for age, shares in R_LANDMARK.items():
        assert triple(curves, age) == pytest.approx(shares, abs=1e-12)
    assert triple(curves, 2) == (1, 0, 0)


def test_restricted_mean_and_median_equal_r() -> None:
    # summary(survfit(Surv(first - 1, last, exit != "") ~ 1), rmean = 10)$table: rmean 7.309090909090909, median 8
    curves = incidence(life_table(FIRST, LAST, EXIT))
    assert curves.restricted_mean(10) == pytest.approx(7.309090909090909, abs=1e-12)
    assert curves.quantile(None, 0.5) == 8


@given(subjects, st.integers(0, 12))
def test_shares_and_still_open_add_to_one_at_every_age(rows: list[tuple[int, int, str, float]], start: int) -> None:
    curves = incidence(table(rows), start=start)
    assert sum(curves.cumulative.values(), curves.survival) == pytest.approx(np.ones(len(curves.age)), abs=1e-9)
    assert (curves.survival >= 0).all()
    for curve in curves.cumulative.values():
        assert (np.diff(curve) >= 0).all()


@given(subjects, subjects)
def test_adding_tables_equals_pooling_rows(
    one: list[tuple[int, int, str, float]], other: list[tuple[int, int, str, float]]
) -> None:
    added, pooled = incidence(table(one) + table(other)), incidence(table(one + other))
    assert added.follow_up == pooled.follow_up
    for kind in ("won", "lost"):
        assert added.cumulative[kind] == pytest.approx(pooled.cumulative[kind], abs=1e-6)


@given(subjects, st.randoms(use_true_random=False))
def test_order_of_rows_is_irrelevant(rows: list[tuple[int, int, str, float]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert incidence(table(shuffled)).survival == pytest.approx(incidence(table(rows)).survival, abs=1e-6)


@given(subjects, st.integers(0, 40))
def test_restricted_mean_is_the_sum_of_days_open(rows: list[tuple[int, int, str, float]], horizon: int) -> None:
    curves = incidence(table(rows), start=2)
    found = curves.restricted_mean(horizon)
    if curves.observed(horizon):
        days = [curves.open_at(day) for day in range(2, horizon)]
        assert found == pytest.approx(sum(share for share in days if share is not None), abs=1e-9)
    else:
        assert found is None


def test_beyond_the_follow_up_nothing_is_known() -> None:
    curves = incidence(life_table([0, 0, 0], [2, 4, 6], ["won", "lost", ""]))
    assert curves.follow_up == 6
    assert (curves.observed(6), curves.observed(7)) == (True, False)
    assert curves.at("won", 6) == pytest.approx(1 / 3)
    assert (curves.at("won", 7), curves.open_at(7), curves.restricted_mean(7)) == (None, None, None)
    assert curves.time_to_share("won", 0.5, 7) is None


def test_a_curve_that_ended_with_everybody_gone_stays_where_it_is() -> None:
    curves = incidence(life_table([0, 0, 0], [2, 4, 6], ["won", "lost", "lost"]))
    assert curves.follow_up == 6
    assert (curves.at("won", 400), curves.open_at(400)) == (pytest.approx(1 / 3), 0)
    # Open until 2, 4 and 6 days.
    assert curves.restricted_mean(400) == pytest.approx(4)


def test_lookups_step_on_the_day_itself() -> None:
    curves = incidence(life_table([0] * 4, [2, 4, 4, 6], ["won", "won", "lost", ""]))
    assert [curves.at("won", age) for age in (0, 1.9, 2, 3, 4, 6)] == [0, 0, 0.25, 0.25, 0.5, 0.5]
    assert [curves.open_at(age) for age in (0, 1.9, 2, 4)] == [1, 1, 0.75, 0.25]


def test_quantiles() -> None:
    curves = incidence(life_table([0] * 10, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ["won"] * 3 + ["lost"] * 3 + [""] * 4))
    assert [curves.quantile("won", q) for q in (0.1, 0.3, 0.31)] == [1, 3, None]
    assert curves.quantile(None, 0.6) == 6
    # Half of the 30 % that are won within 10 days is reached at 15 %, on day 2.
    assert curves.time_to_share("won", 0.5, 10) == 2
    assert curves.time_to_share("lost", 0.5, 3) is None


def test_a_lone_early_subject_is_shown_and_a_landmark_mends_it() -> None:
    # One lead is on record from its first day and lost on day 1; a hundred more come under observation on day 5.
    first, last = np.array([0] + [5] * 100), np.array([1] + [10] * 40 + [20] * 60)
    life = life_table(first, last, np.array(["lost"] + ["won"] * 40 + [""] * 60))
    naive = incidence(life)
    assert naive.open_at(15) == 0
    assert naive.smallest_risk_set(15) == 1
    assert naive.smallest_denominator(15) == 1
    landmark = incidence(life, start=5)
    assert landmark.at("won", 15) == pytest.approx(0.4)
    assert landmark.smallest_risk_set(15) == 60
    assert landmark.smallest_denominator(15) == pytest.approx(100)


def test_days_without_anybody_under_observation_count_as_none() -> None:
    gap = incidence(life_table([0, 0, 9], [3, 3, 12], ["won", "", "won"]))
    assert (gap.smallest_risk_set(3), gap.smallest_risk_set(4)) == (2, 0)
    late = incidence(life_table([4, 4], [9, 9], ["won", ""]))
    assert late.smallest_risk_set(9) == 0
    assert incidence(life_table([4, 4], [9, 9], ["won", ""]), start=4).smallest_risk_set(9) == 2


def test_a_landmark_between_two_ages_counts_those_under_observation() -> None:
    curves = incidence(life_table([0] * 5, [3, 3, 6, 6, 8], ["won", "lost", "won", "", ""]), start=4)
    assert curves.at_risk_at_start == 3
    assert (curves.smallest_risk_set(6), curves.smallest_denominator(6)) == (3, 3)
    assert curves.at("won", 6) == pytest.approx(1 / 3)


def test_no_censoring_keeps_the_denominator() -> None:
    curves = incidence(life_table([0] * 50, np.arange(50), ["won", "lost"] * 25))
    assert curves.smallest_denominator(49) == pytest.approx(50)
    assert curves.smallest_risk_set(49) == 1


def test_rounding_in_sums_of_amounts_leaves_nobody_behind() -> None:
    # 0.1 + 0.2 - 0.3 is not 0: the last to leave must still be alone, and the curve end at 0.
    life = life_table([0, 0, 0], [1, 2, 3], ["won", "won", "lost"], weight=[0.1, 0.2, 1e9])
    curves = incidence(life)
    assert curves.open_at(3) == 0
    assert curves.at_risk_after[-1] == 0


def test_an_empty_table_knows_nothing() -> None:
    curves = incidence(life_table([], [], [], kinds=("won",)))
    assert curves.follow_up is None
    assert (curves.at("won", 0), curves.open_at(0), curves.quantile("won", 0.5)) == (None, None, None)
    assert (curves.smallest_risk_set(5), curves.smallest_denominator(5)) == (0, 0)


def refused(message: str) -> object:
    return pytest.raises(ValueError, match=f"^{re.escape(message)}$")


def test_impossible_questions_are_refused() -> None:
    life = life_table([0, 0], [2, 4], ["won", ""])
    curves = incidence(life)
    kind = "the life table has no exit 'lost'; it has 'won'. List an exit that did not occur with zeros."
    for ask in (lambda: curves.at("lost", 2), lambda: curves.quantile("lost", 0.5), lambda: influence(life, "lost", 2)):
        with refused(kind):
            ask()
    with refused("the age is -1; it has to be 0 days or more."):
        curves.open_at(-1)
    with refused("q is 0; it has to be a share above 0 and at most 1, as 0.5 is for a median."):
        curves.quantile("won", 0)
    with refused("start is 1.5; it has to be a whole number of days, 0 or more."):
        incidence(life, start=1.5)  # type: ignore[arg-type]
    with refused("the horizon is 2 days and the curve starts at 3; it has to be at or after it."):
        influence(life, "won", 2, start=3)
