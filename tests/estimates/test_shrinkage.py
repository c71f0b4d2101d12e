import math
import re
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from smarketing.estimates.shrinkage import Effects, shrink

# Rubin (1981): effects of coaching in eight schools, A to H.
SCHOOLS = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]
ERRORS = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]

# The 13 trials of BCG vaccine (Colditz et al. 1994): cases and others, vaccinated and control. R's metafor, dat.bcg.
BCG = [
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
    (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
]  # fmt: skip


def test_spread_equals_metafor_on_bcg() -> None:
    # R: rma(yi, vi, data = escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)): tau^2 = 0.3132.
    values = [math.log(a / (a + b)) - math.log(c / (c + d)) for a, b, c, d in BCG]
    errors = [math.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)) for a, b, c, d in BCG]
    found = shrink(values, errors)
    assert round(found.spread**2, 4) == 0.3132
    # The model's middle is -0.7145 (standard error 0.1798); with the spread's own uncertainty the interval is wider.
    assert found.value == pytest.approx(-0.7145, abs=0.02)
    assert found.lower < -0.7145 - 1.96 * 0.1798 < -0.7145 + 1.96 * 0.1798 < found.upper < 0


def test_schools_equal_bayesian_data_analysis() -> None:
    # Gelman et al. (2013), table 5.3: 2.5 and 97.5 % of the effects, from 200 draws, hence to within 3 or so. The upper
    # ends of F and H (28 and 33) are single draws far out; the next test has them by integration.
    published = [(-2, 31), (-5, 23), (-11, 19), (-7, 21), (-9, 18), (-7, None), (-1, 26), (-6, None)]
    found = shrink(SCHOOLS, ERRORS, fewest=8)
    for one, (lower, upper) in zip(found.effects, published, strict=True):
        assert one.lower == pytest.approx(lower, abs=3.1)
        assert upper is None or one.upper == pytest.approx(upper, abs=3.1)
    assert found.spread == 0.0  # REML's estimate there


@pytest.mark.parametrize("school", [0, 5, 7])
def test_schools_equal_integration_in_two_dimensions(school: int) -> None:
    # Another route to a school's posterior: middle and spread both on a grid, no closed form of the middle used.
    middles = np.linspace(-60, 80, 701)
    spreads = np.concatenate([np.linspace(0.002, 60, 1500), np.geomspace(61, 4e4, 800)])
    m, s = middles[None, :], spreads[:, None]
    density = np.ones((len(spreads), len(middles)))
    for value, error in zip(SCHOOLS, ERRORS, strict=True):
        density = density * stats.norm.pdf(value, m, np.sqrt(s**2 + error**2))
    kept = s**2 / (s**2 + ERRORS[school] ** 2)
    centre = kept * SCHOOLS[school] + (1 - kept) * m

    def over(values: npt.NDArray[np.float64]) -> float:
        return float(integrate.trapezoid(integrate.trapezoid(values, middles, axis=1), spreads))

    one = shrink(SCHOOLS, ERRORS, fewest=8).effects[school]
    assert one.value == pytest.approx(over(density * centre) / over(density), abs=0.01)
    mass = over(density * stats.norm.cdf(one.upper, centre, ERRORS[school] * np.sqrt(kept)))
    assert mass / over(density) == pytest.approx(0.975, abs=5e-4)


sets = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.05, 3)), min_size=10, max_size=20)


@settings(deadline=None, max_examples=40)
@given(sets)
def test_the_spread_is_where_the_restricted_likelihood_is_highest(pairs: list[tuple[float, float]]) -> None:
    y, error = (np.array(column) for column in zip(*pairs, strict=True))

    def height(spread: float) -> float:
        variance = spread**2 + error**2
        middle = np.average(y, weights=1 / variance)
        return float(stats.norm.logpdf(y, middle, np.sqrt(variance)).sum() - 0.5 * np.log((1 / variance).sum()))

    found = shrink(list(y), list(error)).spread
    grid = np.concatenate([[0], np.geomspace(1e-3, 30, 400)])
    assert height(found) >= max(height(s) for s in grid) - 1e-9
    if found:
        near = optimize.minimize_scalar(lambda s: -height(s), bounds=(found * 0.9, found * 1.1), method="bounded")
        assert height(found) == pytest.approx(-near.fun, abs=1e-7)


@settings(deadline=None, max_examples=40)
@given(sets, st.floats(0.001, 1000), st.floats(-100, 100))
def test_units_and_origin_mean_nothing(pairs: list[tuple[float, float]], unit: float, origin: float) -> None:
    values, errors = zip(*pairs, strict=True)
    found = shrink(values, errors)
    moved = shrink([origin + unit * v for v in values], [unit * e for e in errors])
    for one, other in zip(found.effects, moved.effects, strict=True):
        assert (other.value - origin) / unit == pytest.approx(one.value, abs=1e-5)
        assert (other.upper - origin) / unit == pytest.approx(one.upper, abs=1e-5)


@settings(deadline=None, max_examples=40)
@given(sets)
def test_effects_are_pulled_to_the_middle_and_stay_in_order(pairs: list[tuple[float, float]]) -> None:
    values, errors = zip(*pairs, strict=True)
    found = shrink(values, errors)
    for one in found.effects:
        assert one.lower < one.value < one.upper
        assert 0 < one.kept < 1
    alike = shrink(values, [1.0] * len(values)).effects
    ranked = sorted(alike, key=lambda one: one.measured)
    assert all(a.value <= b.value + 1e-9 for a, b in pairwise(ranked))
    assert found.next_lower <= found.lower
    assert found.upper <= found.next_upper


def test_precise_effects_are_left_as_they_are() -> None:
    found = shrink([float(n) for n in range(10)], [1e-4] * 10)
    for one in found.effects:
        assert one.value == pytest.approx(one.measured, abs=1e-6)
        assert one.upper - one.value == pytest.approx(1.96e-4, rel=1e-3)


@pytest.mark.parametrize(("experiments", "spread"), [(10, 1.0), (20, 1.0), (20, 0.0), (20, 0.4)])
def test_winners_are_believed_less_and_their_truth_is_covered(experiments: int, spread: float) -> None:
    rng, runs = np.random.default_rng(41), 100
    covered, winners_raw, winners_shrunk = [], [], []
    for _ in range(runs):
        errors = rng.uniform(0.5, 1.5, experiments)
        truth = rng.normal(0.3, spread, experiments)
        found = shrink(list(truth + rng.normal(0, errors)), list(errors))
        for true, error, one in zip(truth, errors, found.effects, strict=True):
            covered.append(one.lower <= true <= one.upper)
            if one.measured > 1.96 * error:
                winners_raw.append(one.measured - true)
                winners_shrunk.append(one.value - true)
    assert np.mean(covered) >= 0.94
    # Decided winners look better than they are; at least half of that is gone, even with few experiments.
    assert np.mean(winners_raw) > 0.45
    assert abs(np.mean(winners_shrunk)) < 0.5 * np.mean(winners_raw)


def test_too_few_effects_are_not_shrunken() -> None:
    found = shrink([1.0, 2.0], [0.5, 0.5])
    assert isinstance(found, Effects)
    assert found.reason == "2 effects; at least 10 are needed to see how much they differ"
    assert math.isnan(found.value)
    assert [(one.measured, one.lower, one.upper) for one in found.effects] == [
        (1.0, -math.inf, math.inf),
        (2.0, -math.inf, math.inf),
    ]


def test_bad_input_is_refused() -> None:
    message = "fewest is 3; at least 4 effects are needed for their spread to be known at all."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        shrink([1.0, 2.0, 3.0], [1.0] * 3, fewest=3)
    message = "2 effects and 1 standard errors were given; one of each is needed for every experiment."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        shrink([1.0, 2.0], [1.0])
    message = (
        "effect 2 is 2.0 with standard error 0.0; both have to be finite and the error above 0. "
        "Leave experiments without an interval out, and say how many."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        shrink([1.0, 2.0], [1.0, 0.0])
