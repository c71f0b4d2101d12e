import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from smarketing.estimates.calibration import calibration_line
from smarketing.estimates.sample_size import max_parameters, max_r_squared, minimum_sample


@pytest.mark.parametrize(
    ("r_squared", "parameters", "prevalence", "expected"),
    [
        # The package's own tests: pmsampsize(type = "b", rsquared, parameters, prevalence) of R, version 1.1.3; the
        # first is the Chagas example of Riley et al. (2019), section 5.1.
        (0.288, 24, 0.174, (623, 662, 221, 662)),
        (0.55, 24, 0.174, (255, 532, 221, 532)),
        (0.288, 36, 0.174, (934, 992, 221, 992)),
        (0.288, 24, 0.25, (623, 590, 289, 623)),
    ],
)
def test_published_sizes(r_squared: float, parameters: int, prevalence: float, expected: tuple[int, ...]) -> None:
    found = minimum_sample(parameters, prevalence=prevalence, r_squared=r_squared, prediction_error=None)
    assert (found.shrinkage, found.optimism, found.overall_risk, found.n) == expected
    assert found.prediction_error == 0
    assert found.events == math.ceil(found.n * prevalence)


def test_the_worked_example_of_the_bmj_paper() -> None:
    # Riley et al. (2020): 30 parameters at 5 %, R-squared 15 % of a maximum of 0.33, rounded to 0.05: 5249 rows, 263
    # events. By hand: 30 / (0.1 x -log(1 - 0.05 / 0.9)) = 5248.6; (1.96 / 0.05)^2 x 0.05 x 0.95 = 72.99.
    found = minimum_sample(30, prevalence=0.05, r_squared=0.05)
    assert (found.n, found.events, found.binding, found.overall_risk) == (5249, 263, "shrinkage", 73)
    assert found.max_r_squared == pytest.approx(0.33, abs=0.005)
    # exp((-0.508 + 0.259 x -2.995732 + 0.504 x 3.401197 - -2.995732) / 0.544) = exp(6.298...) = 543.6
    assert found.prediction_error == 544
    unknown = minimum_sample(30, prevalence=0.05)
    assert unknown.r_squared == pytest.approx(0.15 * found.max_r_squared)


def test_the_largest_r_squared_is_that_of_the_null_likelihood() -> None:
    # 1 - exp(2 logL0 / n) of 174 events in 1000, from the likelihood itself.
    null = 174 * math.log(0.174) + 826 * math.log(0.826)
    assert max_r_squared(0.174) == pytest.approx(1 - math.exp(2 * null / 1000), abs=1e-14)
    assert max_r_squared(0.5) == pytest.approx(0.75)
    assert max_r_squared(0.03) == pytest.approx(max_r_squared(0.97))


def test_criteria_solve_their_equations() -> None:
    # Criterion 1 from its definition, S = 1 + p / (n log(1 - R2 / S)), solved numerically for n.
    found = minimum_sample(40, prevalence=0.04)
    assert found.shrinkage == math.ceil(
        optimize.brentq(lambda n: 1 + 40 / (n * math.log(1 - found.r_squared / 0.9)) - 0.9, 10, 1e7)
    )
    # Criterion 4: the error that the formula of van Smeden et al. gives with so many rows is what was allowed.
    error = math.exp(-0.508 + 0.259 * math.log(0.04) + 0.504 * math.log(40) - 0.544 * math.log(found.prediction_error))
    assert error == pytest.approx(0.05, rel=1e-3)
    assert found.by_criterion[found.binding] == found.n == max(found.by_criterion.values())


def test_models_of_that_size_are_shrunk_as_much_as_was_allowed() -> None:
    # Logistic models without penalty, fitted to 20 normal features on as many rows as criterion 1 asks: the mean
    # calibration slope in the population is the shrinkage factor, 0.9; with a quarter of the rows it is far below.
    features, prevalence, spread = 20, 0.3, 0.6
    rng = np.random.default_rng(4)
    knots, mass = np.polynomial.hermite_e.hermegauss(60)
    mass = mass / mass.sum()
    base = optimize.brentq(lambda a: (mass * expit(a + spread * knots)).sum() - prevalence, -9, 3)
    risk = expit(base + spread * knots)
    # Cox-Snell R-squared of the true model: what its expected log-likelihood gains over the base rate's.
    gain = (mass * (risk * np.log(risk) + (1 - risk) * np.log1p(-risk))).sum()
    gain -= prevalence * math.log(prevalence) + (1 - prevalence) * math.log1p(-prevalence)
    size = minimum_sample(features, prevalence=prevalence, r_squared=1 - math.exp(-2 * gain)).shrinkage
    effects = np.full(features, spread / math.sqrt(features))
    new = rng.normal(size=(8000, features))
    true = expit(base + new @ effects)
    slopes = []
    for n in (size, size // 4):
        found = []
        for _ in range(40):
            x = rng.normal(size=(n, features))
            y = rng.random(n) < expit(base + x @ effects)
            model = LogisticRegression(C=1e8, solver="newton-cholesky").fit(x, y)
            # Each new row both ways, weighted by its true risk: no noise from outcomes.
            predicted = np.tile(model.predict_proba(new)[:, 1], 2)
            outcome = np.repeat([1, 0], len(new))
            found.append(calibration_line(predicted, outcome, np.concatenate([true, 1 - true])).slope)
        slopes.append(np.mean(found))
    # The standard error of a mean of 40 is 0.01.
    assert slopes[0] == pytest.approx(0.9, abs=0.03)
    assert slopes[1] < 0.72


@given(
    st.floats(10, 200_000),
    st.floats(0.005, 0.995),
    st.one_of(st.none(), st.floats(0.02, 0.95)),
    st.one_of(st.none(), st.floats(0.02, 0.2)),
)
def test_what_rows_can_carry_is_the_inverse(
    n: float, prevalence: float, share: float | None, error: float | None
) -> None:
    r_squared = None if share is None else share * max_r_squared(prevalence)
    most = max_parameters(n, prevalence=prevalence, r_squared=r_squared, prediction_error=error)
    if most:
        assert minimum_sample(most, prevalence=prevalence, r_squared=r_squared, prediction_error=error).n <= n
    assert minimum_sample(most + 1, prevalence=prevalence, r_squared=r_squared, prediction_error=error).n > n


def test_few_rows_carry_nothing() -> None:
    assert max_parameters(150, prevalence=0.3) == 0
    assert max_parameters(0, prevalence=0.3) == 0
    assert max_parameters(5249, prevalence=0.05, r_squared=0.05) == 30
    assert max_parameters(5248, prevalence=0.05, r_squared=0.05) == 29


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": 0}, "parameters is 0; it has to be a whole number, 1 or more."),
        ({"prevalence": 0.0}, "the prevalence is 0.0; it has to lie between 0 and 1."),
        ({"shrinkage": 1.0}, "shrinkage is 1.0; it has to lie between 0 and 1."),
        ({"margin": 0.0}, "margin is 0.0; it has to lie between 0 and 1."),
        (
            {"r_squared": 0.9},
            "R-squared is 0.9; it has to lie above 0 and below both 0.4780, its maximum at a prevalence of 0.1, and "
            "the shrinkage factor 0.9.",
        ),
    ],
)
def test_impossible_assumptions_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        minimum_sample(**{"parameters": 10, "prevalence": 0.1, **change})  # type: ignore[arg-type]
