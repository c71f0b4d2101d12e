import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
import tea_tasting.metrics
from test_effects import Rows, aggregates, hillstrom

from smarketing.estimates.adjustment import UnitInfluence, cuped, lin, post_stratified, unit_influences
from smarketing.estimates.effects import ArmMeans, Metric, difference, influences, lift, unadjusted
from smarketing.estimates.moments import Moments

Y = Metric("y")


def arm(rng: np.random.Generator, n: int, effect: float, slope: float) -> Rows:
    """A skewed covariate, one that is a flag, and noise that grows with the first."""
    x, z = rng.exponential(2, n), (rng.random(n) < 0.3).astype(float)
    return {"y": 1 + effect + slope * x + z + rng.normal(0, 1 + 0.5 * x, n), "x": x, "z": z}


def both(rng: np.random.Generator, treated: int, control: int) -> tuple[Rows, Rows]:
    return arm(rng, treated, 0.5, 1.5), arm(rng, control, 0.0, 0.7)


def moments(*rows: Rows) -> list[Moments]:
    return [Moments.from_rows(row) for row in rows]


def interacted(treated: Rows, control: Rows, kind: str) -> tuple[float, float]:
    """Lin's regression by statsmodels: coefficient of treatment and its standard error."""
    flag = np.r_[np.ones(len(treated["y"])), np.zeros(len(control["y"]))]
    centred = [np.r_[treated[name], control[name]] for name in ("x", "z")]
    centred = [column - column.mean() for column in centred]
    design = np.column_stack([np.ones(len(flag)), flag, *centred, *[flag * column for column in centred]])
    fit = sm.OLS(np.r_[treated["y"], control["y"]], design).fit(cov_type=kind)
    return float(fit.params[1]), float(fit.bse[1])


def covariate_term(treated: Rows, control: Rows) -> float:
    slopes = []
    for rows in (treated, control):
        design = np.column_stack([np.ones(len(rows["y"])), rows["x"], rows["z"]])
        slopes.append(np.linalg.lstsq(design, rows["y"], rcond=None)[0][1:])
    spread = np.cov([np.r_[treated[name], control[name]] for name in ("x", "z")])
    apart = slopes[0] - slopes[1]
    return float(apart @ spread @ apart) / (len(treated["y"]) + len(control["y"]))


@pytest.mark.parametrize("seed", range(3))
def test_lin_equals_least_squares_in_each_arm(seed: int) -> None:
    treated, control = both(np.random.default_rng(seed), 120, 260)
    found = lin(*moments(treated, control), Y, ["x", "z"])
    means = [np.r_[treated[name], control[name]].mean() for name in ("x", "z")]
    values, variances = [], []
    for rows in (treated, control):
        fit = sm.OLS(rows["y"], np.column_stack([np.ones(len(rows["y"])), rows["x"], rows["z"]])).fit()
        read = fit.get_prediction(np.array([[1.0, *means]]))
        values.append(float(read.predicted_mean[0]))
        variances.append(float(read.se_mean[0]) ** 2)
    assert (found.treated, found.control) == pytest.approx(tuple(values), rel=1e-9)
    assert found.variance == pytest.approx(sum(variances) + covariate_term(treated, control), rel=1e-9)
    assert difference(found).value == pytest.approx(interacted(treated, control, "HC0")[0], rel=1e-9)
    assert (found.covariates, found.dropped, found.note) == (("x", "z"), (), None)


def squares(unit: UnitInfluence, rows: Rows) -> float:
    """The second pass of an engine."""
    residual = unit.residual_constant + sum(by * rows[name] for name, by in unit.residual.items())
    reach = unit.reach_constant + sum(by * rows[name] for name, by in unit.reach.items())
    return float(((residual * reach) ** 2).sum())


def second_pass(treated: Rows, control: Rows, metric: Metric, covariates: list[str]) -> tuple[float, float]:
    units = unit_influences(*moments(treated, control), metric, covariates)
    assert units is not None
    return squares(units[0], treated), squares(units[1], control)


@pytest.mark.parametrize("seed", range(3))
def test_with_a_second_pass_the_error_is_the_sandwich(seed: int) -> None:
    treated, control = both(np.random.default_rng(seed), 120, 260)
    sums = second_pass(treated, control, Y, ["x", "z"])
    assert math.sqrt(sum(sums)) == pytest.approx(interacted(treated, control, "HC0")[1], rel=1e-9)
    found = lin(*moments(treated, control), Y, ["x", "z"], squares=sums)
    # Two covariates and a constant are fitted in each arm.
    expected = sums[0] * 120 / 117 + sums[1] * 260 / 257 + covariate_term(treated, control)
    assert found.variance == pytest.approx(expected, rel=1e-9)
    assert unit_influences(*moments(treated, control), Y, []) is None


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_moments_alone_give_nearly_the_sandwich_in_large_samples(kind: str) -> None:
    treated, control = both(np.random.default_rng(9), 30_000, 60_000)
    found = lin(*moments(treated, control), Y, ["x", "z"])
    error = interacted(treated, control, kind)[1]
    expected = math.sqrt(error**2 + covariate_term(treated, control))
    # 1 / sqrt(30,000) is 0.6 %.
    assert math.sqrt(found.variance) == pytest.approx(expected, rel=6e-3)
    # The term for the covariate mean is no trifle where slopes differ.
    assert found.variance / error**2 > 1.03


def test_without_covariates_the_error_is_hc2() -> None:
    treated, control = both(np.random.default_rng(2), 40, 70)
    flag = np.r_[np.ones(40), np.zeros(70)]
    fit = sm.OLS(np.r_[treated["y"], control["y"]], sm.add_constant(flag)).fit(cov_type="HC2")
    found = lin(*moments(treated, control), Y, [])
    assert found == replace(unadjusted(*moments(treated, control), Y), note="no covariate was given")
    assert math.sqrt(found.variance) == pytest.approx(float(fit.bse[1]), rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_cuped_equals_tea_tasting(seed: int) -> None:
    treated, control = both(np.random.default_rng(seed), 150, 400)
    theirs = tea_tasting.metrics.Mean("y", "x").analyze_aggregates(aggregates(control), aggregates(treated))
    found = cuped(*moments(treated, control), Y, ["x"])
    ours = difference(found)
    assert (found.treated, found.control) == pytest.approx((theirs.treatment, theirs.control), rel=1e-9)
    assert (ours.value, ours.lower, ours.upper, ours.p_value) == pytest.approx(
        (theirs.effect_size, theirs.effect_size_ci_lower, theirs.effect_size_ci_upper, theirs.pvalue), rel=1e-9
    )


def test_cuped_of_ratios_equals_tea_tasting() -> None:
    rng = np.random.default_rng(4)

    def rows(n: int, rate: float) -> Rows:
        before, now, keen = 1.0 + rng.poisson(3, n), 1.0 + rng.poisson(3, n), rng.gamma(4, 0.25, n)
        return {
            "orders": rng.poisson(rate * keen * now).astype(float),
            "sessions": now,
            "orders_before": rng.poisson(0.25 * keen * before).astype(float),
            "sessions_before": before,
        }

    treated, control = rows(300, 0.3), rows(300, 0.25)
    theirs = tea_tasting.metrics.RatioOfMeans(
        "orders", "sessions", "orders_before", "sessions_before"
    ).analyze_aggregates(aggregates(control), aggregates(treated))
    before = Metric("orders_before", "sessions_before")
    ours = difference(cuped(*moments(treated, control), Metric("orders", "sessions"), [before]))
    assert (ours.value, ours.lower, ours.upper, ours.p_value) == pytest.approx(
        (theirs.effect_size, theirs.effect_size_ci_lower, theirs.effect_size_ci_upper, theirs.pvalue), rel=1e-9
    )
    adjusted = lin(*moments(treated, control), Metric("orders", "sessions"), [before])
    assert adjusted.covariates == ("orders_before / sessions_before",)
    assert difference(adjusted).value == pytest.approx(ours.value, rel=0.05)


@pytest.mark.parametrize("method", [lin, cuped])
def test_correlation_of_a_half_saves_a_quarter(method: Callable[..., ArmMeans]) -> None:
    # 1 - 0.5^2 of the variance is left; the share saved has a standard error of about 0.003 here.
    rng = np.random.default_rng(7)
    x = rng.normal(size=(2, 40_000))
    y = 0.5 * x + math.sqrt(0.75) * rng.normal(size=x.shape)
    found = method(*moments(*({"y": 10 + y[side], "x": x[side]} for side in (0, 1))), Y, ["x"])
    assert found.variance_saved == pytest.approx(0.25, abs=0.008)


def test_joint_variances_of_the_arms_are_those_of_repeated_experiments() -> None:
    # Each unit drawn anew: variances and the covariance of both arms' estimates, which the lift needs.
    rng = np.random.default_rng(11)
    runs = 3000
    for method in (lin, cuped):
        seen, said = np.empty((runs, 2)), np.empty((runs, 3))
        for run in range(runs):
            found = method(*moments(*both(rng, 100, 200)), Y, ["x", "z"])
            seen[run] = found.treated, found.control
            said[run] = found.treated_variance, found.control_variance, found.covariance
        spread = np.cov(seen.T)
        mean = said.mean(axis=0)
        # A variance of 3,000 draws has a relative standard error of 2.6 %.
        assert mean[:2] == pytest.approx((spread[0, 0], spread[1, 1]), rel=0.075), method
        assert mean[2] == pytest.approx(spread[0, 1], abs=0.06 * math.sqrt(spread[0, 0] * spread[1, 1])), method


@pytest.mark.parametrize("metric", [Y, Metric("y", "x")])
def test_lift_of_an_adjusted_metric_covers_the_ratio(metric: Metric) -> None:
    rng = np.random.default_rng(12)
    runs, covered = 1500, 0
    # y is 1 + 0.5 + 1.5 * 2 + 0.3 and 1 + 0.7 * 2 + 0.3 on average; x is 2 in both arms.
    truth = 4.8 / 2.7 - 1
    for _ in range(runs):
        found = lift(lin(*moments(*both(rng, 100, 200)), metric, ["z"]))
        covered += found.lower <= truth <= found.upper
    assert abs(covered / runs - 0.95) < 2.6 * math.sqrt(0.95 * 0.05 / runs)


def strata_of(rows: Rows, labels: np.ndarray) -> dict[str, Moments]:
    return {
        str(label): Moments.from_rows({name: column[labels == label] for name, column in rows.items()})
        for label in np.unique(labels)
    }


@pytest.mark.parametrize("metric", [Y, Metric("y", "x")])
def test_post_stratification_equals_lin_with_indicators(metric: Metric) -> None:
    rng = np.random.default_rng(5)
    sides, flagged = [], []
    for rows in both(rng, 300, 500):
        label = np.digitize(rows["x"] + rng.normal(size=len(rows["x"])), [0.5, 1.5, 3.5])
        sides.append(strata_of(rows, label))
        flagged.append(rows | {f"in {k}": (label == k).astype(float) for k in (1, 2, 3)})
    found = post_stratified({name: (sides[0][name], sides[1][name]) for name in sides[0]}, metric)
    adjusted = lin(*moments(*flagged), metric, ["in 1", "in 2", "in 3"])
    if metric.denominator is None:
        assert (found.treated, found.control) == pytest.approx((adjusted.treated, adjusted.control), rel=1e-9)
    else:
        # A ratio of stratified means, where lin carries influences: equal to first order.
        assert (found.treated, found.control) == pytest.approx((adjusted.treated, adjusted.control), rel=5e-3)
    assert found.variance == pytest.approx(adjusted.variance, rel=0.05)
    assert found.covariates == ("0", "1", "2", "3")
    assert found.variance_saved > 0.1


def test_strata_too_small_for_a_variance_are_pooled() -> None:
    rng = np.random.default_rng(6)
    treated, control = both(rng, 101, 201)
    sides = [strata_of(treated, np.arange(101) // 50), strata_of(control, np.arange(201) // 100)]
    found = post_stratified({name: (sides[0][name], sides[1][name]) for name in sides[0]}, Y)
    # Stratum 2 has one unit in each arm.
    assert found.covariates == ("1", "2 + 0")
    assert math.isfinite(difference(found).lower)
    single = {"only": (Moments.from_rows({"y": [1.0]}), Moments.from_rows({"y": [1.0, 3.0]}))}
    none = post_stratified(single, Y)
    assert none.note == "there are not two units in each arm of any stratum"
    assert difference(none).reason == "an interval needs two units in each arm and there are 1 and 2"
    with pytest.raises(ValueError, match=r"^there are no strata; give the moments of both arms for at least one\.$"):
        post_stratified({}, Y)


@pytest.mark.parametrize("method", [lin, cuped])
def test_covariates_that_say_nothing_are_dropped_and_named(method: Callable[..., ArmMeans]) -> None:
    treated, control = both(np.random.default_rng(8), 200, 200)
    for rows in (treated, control):
        rows["same"] = 3 * rows["x"] - 2 * rows["z"]
        rows["constant"] = np.full(200, 0.1)
    found = method(*moments(treated, control), Y, ["x", "constant", "z", "same"])
    assert (found.covariates, found.dropped) == (("x", "z"), ("constant", "same"))
    assert found.variance == pytest.approx(method(*moments(treated, control), Y, ["x", "z"]).variance, rel=1e-9)
    nothing = method(*moments(treated, control), Y, ["constant"])
    assert (nothing.covariates, nothing.dropped, nothing.note) == (
        (), ("constant",), "no covariate varies within both arms",
    )  # fmt: skip
    thin = method(*moments({k: v[:39] for k, v in treated.items()}, control), Y, ["x", "z"])
    assert thin.note == "2 covariates need 40 units in each arm and one has 39"
    assert (thin.covariates, thin.variance_saved) == ((), 0.0)


def test_influences_of_a_ratio_have_no_mean() -> None:
    rows = both(np.random.default_rng(3), 50, 50)[0]
    value = rows["y"].sum() / rows["x"].sum()
    unit = (rows["y"] - value * rows["x"]) / rows["x"].mean()
    found = influences(Moments.from_rows(rows), [Metric("y", "x"), Metric("z")])
    np.testing.assert_allclose(found.covariance, np.cov(unit, rows["z"]), rtol=1e-9)
    assert found.values[0] == pytest.approx(value, rel=1e-12)


def test_hillstrom_gains_little_from_adjustment(public_data: Callable[[str, str], Path]) -> None:
    arms = hillstrom(public_data("hillstrom", "hillstrom"))
    pair = (arms["Mens E-Mail"], arms["No E-Mail"])
    # The third level of channel and of zip code is the rest of the other two.
    covariates = ["history", "recency", "newbie", "Phone", "Web", "Rural", "Urban"]
    narrower = {}
    for names in (covariates, [*covariates, "mens", "womens"]):
        for metric in (Metric("visit"), Metric("spend")):
            plain, sums = unadjusted(*moments(*pair), metric), second_pass(*pair, metric, names)
            one, two = (lin(*moments(*pair), metric, names, squares=given) for given in (None, sums))
            assert (one.dropped, two.dropped) == ((), ())
            left = (one.variance, two.variance, sum(sums))
            narrower[len(names), metric.numerator] = [
                round(100 * (1 - math.sqrt(variance / plain.variance)), 2) for variance in left
            ]
    # From moments, with a second pass, and HC0 without the term for the covariate mean (statsmodels' HC2 of the same
    # regression: 1.48 and 0.12 with nine). It takes what was bought before (mens, womens) to come to 1.5 and 0.1 %.
    assert narrower == {
        (7, "visit"): [1.14, 1.12, 1.15],
        (7, "spend"): [0.02, 0.09, 0.11],
        (9, "visit"): [1.44, 1.44, 1.51],
        (9, "spend"): [0.04, 0.12, 0.15],
    }
