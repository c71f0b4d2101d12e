import csv
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tea_tasting.aggr
import tea_tasting.metrics
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from smarketing.estimates.effects import ArmMeans, Evidence, Metric, difference, evidence, lift, unadjusted
from smarketing.estimates.means import Sums, welch
from smarketing.estimates.moments import Moments

Y = Metric("y")
Rows = dict[str, np.ndarray]
samples = st.lists(st.floats(-1000, 1000).map(lambda x: round(x, 3)), min_size=2, max_size=30).filter(
    lambda x: np.std(x) > 0.01
)


def arms_of(treated: np.ndarray | list[float], control: np.ndarray | list[float]) -> ArmMeans:
    return unadjusted(Moments.from_rows({"y": treated}), Moments.from_rows({"y": control}), Y)


def aggregates(rows: Rows) -> tea_tasting.aggr.Aggregates:
    names = list(rows)
    cov = np.atleast_2d(np.cov([rows[name] for name in names]))
    return tea_tasting.aggr.Aggregates(
        count_=len(rows[names[0]]),
        mean_={name: float(rows[name].mean()) for name in names},
        var_={name: float(cov[i, i]) for i, name in enumerate(names)},
        cov_={(a, b): float(cov[i, j]) for i, a in enumerate(names) for j, b in enumerate(names) if a < b},
    )


@given(samples, samples)
def test_difference_is_welchs(treated: list[float], control: list[float]) -> None:
    found = difference(arms_of(treated, control), confidence=0.9)
    reference = stats.ttest_ind(treated, control, equal_var=False)
    expected = reference.confidence_interval(0.9)
    assert found.degrees_of_freedom == pytest.approx(reference.df, rel=1e-9)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-7, abs=1e-12)
    assert (found.lower, found.upper) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-9)
    ours = welch(*(Sums(n=len(x), total=sum(x), squares=sum(v * v for v in x)) for x in (treated, control)))
    assert found.standard_error == pytest.approx(ours.standard_error, rel=1e-6)


def ratio_rows(rng: np.random.Generator, n: int, rate: float) -> Rows:
    sessions = 1.0 + rng.poisson(3, n)
    return {"orders": rng.poisson(rate * sessions).astype(float), "sessions": sessions}


def test_ratio_equals_tea_tasting() -> None:
    rng = np.random.default_rng(1)
    treated, control = ratio_rows(rng, 300, 0.30), ratio_rows(rng, 500, 0.25)
    metric = Metric("orders", "sessions")
    arms = unadjusted(Moments.from_rows(treated), Moments.from_rows(control), metric)
    theirs = tea_tasting.metrics.RatioOfMeans("orders", "sessions").analyze_aggregates(
        aggregates(control), aggregates(treated)
    )
    found = difference(arms)
    assert (found.value, found.lower, found.upper, found.p_value) == pytest.approx(
        (theirs.effect_size, theirs.effect_size_ci_lower, theirs.effect_size_ci_upper, theirs.pvalue), rel=1e-9
    )
    assert lift(arms).value == pytest.approx(theirs.rel_effect_size, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_lift_limits_are_where_the_t_test_turns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    treated, control = rng.gamma(2, 3, 60), rng.gamma(2, 2, 40)
    arms = arms_of(treated, control)
    found = lift(arms)
    assert found.bounded
    assert found.lower < found.value < found.upper
    for limit in (found.lower, found.upper):
        # A t test of treated against (1 + limit) control; its own degrees of freedom are not those of the difference.
        test = stats.ttest_ind(treated, (1 + limit) * control, equal_var=False)
        assert 2 * stats.t.sf(abs(test.statistic), arms.degrees_of_freedom) == pytest.approx(0.05, rel=1e-9)


@given(samples, samples)
def test_lift_and_difference_agree_on_whether_there_is_an_effect(treated: list[float], control: list[float]) -> None:
    arms = arms_of(treated, np.abs(control) + 0.1)
    sure, found = difference(arms), lift(arms)
    # Away from the border, where rounding decides.
    if found.bounded and min(abs(sure.lower), abs(sure.upper)) > 1e-6:
        assert (found.lower <= 0 <= found.upper) == (sure.lower <= 0 <= sure.upper)


def test_unbounded_and_undefined_lifts_say_so() -> None:
    rng = np.random.default_rng(5)
    control = np.zeros(200)
    control[0] = 9.0
    found = lift(arms_of(rng.gamma(2, 3, 200), control))
    assert (found.lower, found.upper) == (-math.inf, math.inf)
    assert found.reason == "the control's mean may be 0, so no lift can be ruled out on both sides"
    assert found.excluded_lower is not None
    assert found.excluded_upper is not None
    # A treated arm of nothing would be ruled out.
    assert found.excluded_lower < -1 < found.excluded_upper
    losing = lift(arms_of([1.0, 2.0], [-1.0, -2.0]))
    assert math.isnan(losing.value)
    assert losing.reason == "a lift needs a mean of the control arm above 0"


def test_thin_evidence_is_a_result() -> None:
    one = difference(arms_of([3.0], [1.0, 2.0]))
    assert (one.value, one.lower, one.upper) == (1.5, -math.inf, math.inf)
    assert math.isnan(one.p_value)
    assert one.reason == "an interval needs two units in each arm and there are 1 and 2"
    same = difference(arms_of([0.0, 0.0], [0.0, 0.0]))
    assert same.reason == "no unit differs from another within its arm"
    nothing = Moments.from_rows({"y": [0.0, 0.0], "x": [0.0, 0.0]})
    some = Moments.from_rows({"y": [1.0, 0.0], "x": [1.0, 2.0]})
    found = difference(unadjusted(nothing, some, Metric("y", "x")))
    assert (math.isnan(found.value), found.reason) == (True, "the denominator is 0 in one arm")
    withheld = Evidence(enough=False, expected=3, needed=25, reason="too few")
    arms = arms_of([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    assert (difference(arms, evidence=withheld).reason, lift(arms, evidence=withheld).reason) == ("too few", "too few")
    assert lift(arms, evidence=withheld).value == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("treated", "control", "rate", "reason"),
    [
        # Units and converters; 24 and 26 seen are 25 expected.
        ((500, 24), (500, 26), False, None),
        ((500, 24), (500, 25), False, "24 converters are expected in the smaller arm and an interval needs 25"),
        ((500, 9), (500, 60), True, "one arm has 9 converters and an interval needs 10 in each"),
        ((500, 30), (4500, 270), True, None),
        (
            (500, 30),
            (4500, 270),
            False,
            "30 converters are expected in the smaller arm and an interval needs 500, "
            "as values are skewed and the arms differ in size",
        ),
        ((10_000, 500), (90_000, 4500), False, None),
        ((400, 30), (600, 45), False, None),
        # 9 of 10 convert: those that did not are counted.
        ((100, 90), (100, 91), True, "10 converters are expected in the smaller arm and an interval needs 25"),
        ((0, 0), (0, 0), True, "0 converters are expected in the smaller arm and an interval needs 25"),
    ],
)
def test_evidence(treated: tuple[int, int], control: tuple[int, int], rate: bool, reason: str | None) -> None:
    found = evidence(
        treated_n=treated[0],
        control_n=control[0],
        treated_converters=treated[1],
        control_converters=control[1],
        rate=rate,
    )
    assert (found.enough, found.reason) == (reason is None, reason)


def test_impossible_counts_and_levels_are_refused() -> None:
    message = (
        "6 converters among 5 units; both have to be 0 or more, and converters at most units. "
        "Count converters among the units of the same arm."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        evidence(treated_n=5, control_n=5, treated_converters=6, control_converters=1, rate=True)
    for read in (difference, lift):
        with pytest.raises(ValueError, match=r"^confidence is 95; it has to lie between 0 and 1, as 0\.95 does "):
            read(arms_of([1.0, 2.0], [1.0, 2.0]), confidence=95)


def hillstrom(folder: Path) -> dict[str, Rows]:
    with (folder / "hillstrom.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    arm = np.array([row["segment"] for row in rows])
    columns = {
        name: np.array([float(row[name]) for row in rows])
        for name in ("visit", "conversion", "spend", "history", "recency", "newbie", "mens", "womens")
    }
    for name, levels in (("channel", ("Phone", "Web")), ("zip_code", ("Rural", "Urban"))):
        columns |= {level: np.array([float(row[name] == level) for row in rows]) for level in levels}
    return {
        label: {name: column[arm == label] for name, column in columns.items()}
        for label in ("Mens E-Mail", "Womens E-Mail", "No E-Mail")
    }


def test_hillstrom_to_all_digits_given(public_data: Callable[[str, str], Path]) -> None:
    rows = hillstrom(public_data("hillstrom", "hillstrom"))
    arms = {label: Moments.from_rows(columns) for label, columns in rows.items()}
    assert [arm.n for arm in arms.values()] == [21_307, 21_387, 21_306]
    expected = {
        ("Mens E-Mail", "visit"): (0.07659, 0.06995, 0.08323, 5),
        ("Mens E-Mail", "conversion"): (0.006805, 0.005000, 0.008610, 6),
        ("Mens E-Mail", "spend"): (0.76983, 0.48514, 1.05451, 5),
        ("Womens E-Mail", "visit"): (0.04523, 0.03889, 0.05157, 5),
        ("Womens E-Mail", "conversion"): (0.003111, 0.001499, 0.004724, 6),
        ("Womens E-Mail", "spend"): (0.42441, 0.16896, 0.67987, 5),
    }
    for (arm, metric), (value, lower, upper, digits) in expected.items():
        found = difference(unadjusted(arms[arm], arms["No E-Mail"], Metric(metric)))
        assert (round(found.value, digits), round(found.lower, digits), round(found.upper, digits)) == (
            value, lower, upper,
        )  # fmt: skip
    means = {
        "visit": (18.2757, 15.1400, 10.6167),
        "spend": (142.262, 107.720, 65.279),
    }
    for metric, percent in means.items():
        assert tuple(round(100 * arm.mean(metric), 4 if metric == "visit" else 3) for arm in arms.values()) == percent
