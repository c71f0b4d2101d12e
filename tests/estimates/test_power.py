import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower, normal_power_het

from smarketing.estimates.means import Sums, welch
from smarketing.estimates.power import (
    Accounts,
    Design,
    Metric,
    Planned,
    duration,
    power,
    smallest_detectable,
    units_needed,
)

HALVES = Design()
VALUE = Metric(mean=50.0, standard_deviation=80.0)
RATE = Metric(mean=0.1)


@pytest.mark.parametrize("units", [10, 60, 400, 3_000, 100_000])
@pytest.mark.parametrize("effect", [0.02, 0.2, 0.5, 1.5, 4.0])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_power_of_a_mean_equals_statsmodels(units: int, effect: float, confidence: float) -> None:
    ours = power(VALUE, effect * 80, units=units, design=Design(confidence=confidence)).power
    theirs = TTestIndPower().power(effect, units / 2, 1 - confidence, ratio=1, alternative="two-sided")
    # Where the effect is many errors away, statsmodels returns NaN for a power of 1.
    assert ours == pytest.approx(1.0 if math.isnan(theirs) and effect * math.sqrt(units) > 20 else theirs, abs=1e-7)


def test_units_of_a_mean_equal_the_textbook_and_statsmodels() -> None:
    # Cohen (1988), table 2.4.1 (two-tailed 5 %, power 0.80): 393, 64 and 26 an arm for d = 0.2, 0.5 and 0.8.
    unit = Metric(mean=0.0, standard_deviation=1.0)
    for effect, published in ((0.2, 394), (0.5, 64), (0.8, 26)):
        exact = TTestIndPower().solve_power(effect, alpha=0.05, power=0.8, ratio=1, alternative="two-sided")
        planned = units_needed(unit, effect, design=HALVES)
        assert planned.arms == (published, published) == (math.ceil(exact), math.ceil(exact))
        assert planned.lift is None


@given(st.floats(0.01, 0.9), st.floats(0.001, 0.3), st.integers(100, 10**7), st.floats(0.05, 0.95))
def test_power_of_a_rate_equals_statsmodels(rate: float, difference: float, units: int, share: float) -> None:
    assume(rate + difference < 1)
    design = Design(shares=(share, 1 - share))
    ours = power(Metric(mean=rate), difference, units=units, design=design).power
    # As in the readout the null has the same, unpooled variance; per unit of the control arm, as statsmodels asks.
    other = rate + difference
    deviation = math.sqrt(rate * (1 - rate) + other * (1 - other) * share / (1 - share))
    theirs = normal_power_het(difference, units * share, 0.05, std_null=deviation, std_alternative=deviation)
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_unequal_arms_have_the_readouts_degrees_of_freedom() -> None:
    design = Design(shares=(0.25, 0.75))
    ours = power(VALUE, 60.0, units=40, design=design).power
    freedom = (1 / 10 + 1 / 30) ** 2 / ((1 / 10) ** 2 / 9 + (1 / 30) ** 2 / 29)
    shift, critical = 60 / (80 * math.sqrt(1 / 10 + 1 / 30)), stats.t.isf(0.025, freedom)
    assert ours == pytest.approx(stats.nct.sf(critical, freedom, shift) + stats.nct.cdf(-critical, freedom, shift))
    # Pooled degrees of freedom (38 instead of 15) promise more than Welch's test can keep.
    assert ours < TTestIndPower().power(0.75, 10, 0.05, ratio=3)


@pytest.mark.parametrize(("shares", "units"), [((0.5, 0.5), 60), ((0.1, 0.9), 200)])
def test_power_is_how_often_welch_finds_the_difference(shares: tuple[float, float], units: int) -> None:
    rng, runs = np.random.default_rng(17), 2_000
    planned = power(VALUE, 50.0, units=units, design=Design(shares=shares))
    found = 0
    for _ in range(runs):
        arms = [rng.normal(mean, 80.0, n) for mean, n in zip((50.0, 100.0), planned.arms, strict=True)]
        sums = [Sums(n=len(a), total=float(a.sum()), squares=float((a**2).sum())) for a in arms]
        change = welch(sums[1], sums[0])
        found += change.lower > 0 or change.upper < 0
    assert found / runs == pytest.approx(planned.power, abs=2.6 * math.sqrt(planned.power * (1 - planned.power) / runs))


def test_the_smallest_arm_and_every_comparison_count() -> None:
    three = Design(shares=(0.5, 0.2, 0.3), metrics=2)
    assert (three.comparisons, three.error) == (4, pytest.approx(0.0125))
    # 0.5 + 0.2 of 1000 units is a two-armed design of 700, judged at 1.25 %.
    alone = Design(shares=(5 / 7, 2 / 7), confidence=1 - 0.0125)
    both = [power(RATE, 0.05, units=units, design=d).power for units, d in ((1000, three), (700, alone))]
    assert both[0] == pytest.approx(both[1], rel=1e-12)


def test_design_effect_equals_hand_example() -> None:
    # Accounts of 5 leads whose number varies by 0.8, ICC 0.05: 1 + ((1 + 0.64) 5 - 1) 0.05 = 1.36.
    assert Accounts(mean_size=5, size_cv=0.8, intraclass=0.05).design_effect == pytest.approx(1.36)
    # Donner & Klar (2000) for equal sizes: 1 + (m - 1) ICC.
    assert Accounts(mean_size=21, size_cv=0, intraclass=0.1).design_effect == pytest.approx(3.0)


def test_accounts_of_one_lead_are_leads() -> None:
    alone = Design(accounts=Accounts(mean_size=1, size_cv=0, intraclass=1.0))
    assert power(VALUE, 20.0, units=300, design=alone).power == power(VALUE, 20.0, units=300, design=HALVES).power


def test_accounts_cost_what_the_design_effect_says() -> None:
    accounts = Accounts(mean_size=4, size_cv=0.5, intraclass=0.1)
    clustered = units_needed(VALUE, 5.0, design=Design(accounts=accounts))
    independent = units_needed(VALUE, 5.0, design=HALVES)
    assert clustered.units / independent.units == pytest.approx(accounts.design_effect, rel=2e-3)
    assert clustered.accounts == pytest.approx(clustered.units / 4)


def test_adjustment_saves_units_in_proportion() -> None:
    saved = units_needed(VALUE, 3.0, design=Design(variance_saved=0.25))
    assert saved.units / units_needed(VALUE, 3.0, design=HALVES).units == pytest.approx(0.75, rel=1e-3)


designs = st.builds(
    lambda control, metrics, saved, accounts: Design(
        shares=(control, 1 - control), metrics=metrics, variance_saved=saved, accounts=accounts
    ),
    st.floats(0.1, 0.9),
    st.integers(1, 5),
    st.floats(0, 0.6),
    st.none() | st.builds(Accounts, mean_size=st.floats(1, 30), size_cv=st.floats(0, 2), intraclass=st.floats(0, 0.5)),
)
metrics_ = st.sampled_from([VALUE, RATE, Metric(mean=0.02), Metric(mean=-3.0, standard_deviation=0.5)])


@given(metrics_, designs, st.integers(200, 10**6), st.floats(0.5, 0.95), st.booleans())
def test_the_smallest_detectable_difference_is_found_with_that_power(
    metric: Metric, design: Design, units: int, wanted: float, upward: bool
) -> None:
    planned = smallest_detectable(metric, units=units, design=design, power=wanted, upward=upward)
    if math.isnan(planned.difference):
        assert planned.reason == f"with {units:,} units not even the largest possible difference is found"
        return
    assert (planned.difference > 0) is upward
    found = power(metric, planned.difference, units=units, design=design).power
    assert found == pytest.approx(wanted, abs=1e-7)


@given(metrics_, designs, st.floats(0.05, 0.6), st.floats(0.5, 0.95))
def test_the_units_needed_are_enough_and_not_more(metric: Metric, design: Design, part: float, wanted: float) -> None:
    difference = part * abs(metric.mean)
    planned = units_needed(metric, difference, design=design, power=wanted)
    assert planned.power >= wanted - 1e-9
    assert planned.units == sum(planned.arms)
    assert power(metric, difference, units=planned.units + 2, design=design).power >= wanted - 1e-6
    if planned.power < wanted + 0.05:  # not already the smallest design that can be judged at all
        assert power(metric, difference, units=planned.units - 3, design=design).power < wanted


@given(metrics_, designs, st.integers(200, 10**6))
def test_more_units_never_harm(metric: Metric, design: Design, units: int) -> None:
    difference = 0.3 * abs(metric.mean)
    some, more = (power(metric, difference, units=n, design=design).power for n in (units, 2 * units))
    assert some <= more + 1e-9


def test_nothing_is_found_by_one_account_an_arm() -> None:
    design = Design(accounts=Accounts(mean_size=100, size_cv=0, intraclass=0.1))
    assert power(RATE, 0.05, units=200, design=design).power == 0.0
    planned = smallest_detectable(RATE, units=200, design=design)
    assert planned.reason == "with 200 units not even the largest possible difference is found"
    assert math.isnan(planned.difference)


def test_too_small_a_difference_is_not_planned() -> None:
    planned = units_needed(VALUE, 1e-6, design=HALVES)
    assert (planned.arms, planned.reason) == ((), "more than 1,000,000,000,000 units would be needed")
    assert math.isnan(planned.units)


def test_a_plan_says_its_lift_and_whole_units() -> None:
    planned = power(RATE, 0.02, units=1001, design=HALVES)
    assert planned == Planned(
        difference=0.02,
        lift=pytest.approx(0.2),
        units=1000.0,
        arms=(500, 500),
        accounts=None,
        power=planned.power,
        comparisons=1,
    )


def test_the_delay_to_the_outcome_is_part_of_the_duration() -> None:
    run = duration(1000, a_day=50, horizon_days=90)
    assert (run.dealing_days, run.horizon_days, run.days) == (20, 90, 110)
    assert duration(1001, a_day=50).days == 21


def refused(message: str) -> pytest.RaisesExc[ValueError]:
    return pytest.raises(ValueError, match=f"^{re.escape(message)}$")


def test_bad_input_is_refused() -> None:
    with refused(
        "the baseline rate is 5.0; it has to lie between 0 and 1. "
        "Give standard_deviation as well where the metric is a mean, not a rate."
    ):
        Metric(mean=5.0)
    with refused(
        "the baseline has mean 5.0 and standard deviation 0.0; both have to be finite and the deviation above 0. "
        "Take them from a period in which the metric varies."
    ):
        Metric(mean=5.0, standard_deviation=0.0)
    with refused(
        "accounts of 0.5 leads (coefficient of variation 0, intraclass correlation 0.1): sizes are at least 1, the "
        "coefficient at least 0, the correlation 0 to 1. An estimated correlation below 0 is planned as 0."
    ):
        Accounts(mean_size=0.5, size_cv=0, intraclass=0.1)
    with refused("accounts of inf leads, varying by 0: both have to be finite."):
        Accounts(mean_size=math.inf, size_cv=0, intraclass=0.1)
    with refused(
        "the arms' shares are 0.5, 0.4; at least two are needed, all above 0, that add up to 1, the control first."
    ):
        Design(shares=(0.5, 0.4))
    with refused("metrics is 0; at least one primary metric is judged."):
        Design(metrics=0)
    with refused(
        "variance_saved is 1.0; it is a part of the variance, from 0 to below 1: a correlation r of the covariate "
        "saves r^2."
    ):
        Design(variance_saved=1.0)
    with refused(
        "a difference of 0.95 from a baseline of 0.1: it has to be finite and not 0, and leave a rate between 0 and "
        "1. Give it in the metric's own unit, one point of a rate as 0.01."
    ):
        power(RATE, 0.95, units=100, design=HALVES)
    with refused("units is 0; a finite number above 0 is dealt."):
        power(RATE, 0.05, units=0, design=HALVES)
    with refused("power is 0.05; it has to lie between the error of one comparison (0.05) and 1, as 0.8 does."):
        units_needed(RATE, 0.05, design=HALVES, power=0.05)
    with refused("0 units arrive a day; a number above 0 is needed. Count them in recent weeks."):
        duration(10, a_day=0)
    with refused("horizon_days is -1; days until the outcome is read cannot be negative."):
        duration(10, a_day=1, horizon_days=-1)
