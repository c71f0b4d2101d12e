"""Are there rows enough to fit a model of so many parameters? Decided before fitting: fit, pool or refuse.

The criteria are those of Riley et al. for binary outcomes. A parameter is one that the model could use, tried or not:
a category of k levels has k - 1, a number cut into k bins has k - 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SHARE_OF_MAXIMUM = 0.15
"""Of the largest possible R-squared: what a model is taken to explain where nothing is known (Riley et al. 2020)."""


@dataclass(frozen=True, kw_only=True)
class SampleSize:
    """The fewest rows for a model, in all and by criterion.

    Attributes
    ----------
    n, events
        Rows that meet every criterion, and the positive (or negative, where those are fewer) outcomes among them.
    shrinkage
        Rows so that effects are too extreme by at most the share allowed (criterion 1: little overfitting).
    optimism
        Rows so that the apparent Nagelkerke R-squared is too large by at most what is allowed (criterion 2).
    overall_risk
        Rows so that the base rate is known within the margin (criterion 3).
    prediction_error
        Rows so that predictions are on average off by at most what is allowed (criterion 4); 0 where not asked for.
    parameters, prevalence, r_squared, max_r_squared
        What was assumed; R-squared is Cox and Snell's, and its maximum at this prevalence.
    """

    n: int
    events: int
    shrinkage: int
    optimism: int
    overall_risk: int
    prediction_error: int
    parameters: int
    prevalence: float
    r_squared: float
    max_r_squared: float

    @property
    def by_criterion(self) -> dict[str, int]:
        """Rows needed for each criterion."""
        return {
            "shrinkage": self.shrinkage,
            "optimism": self.optimism,
            "overall_risk": self.overall_risk,
            "prediction_error": self.prediction_error,
        }

    @property
    def binding(self) -> str:
        """The criterion that needs most rows."""
        return max(self.by_criterion, key=self.by_criterion.__getitem__)


def max_r_squared(prevalence: float) -> float:
    """Return the largest Cox-Snell R-squared at a prevalence: 1 - (q^q (1 - q)^(1 - q))^2.

    Notes
    -----
    Riley et al. (2019), Statistics in Medicine 38:1276-1296, equation (23).
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"the prevalence is {prevalence}; it has to lie between 0 and 1.")
    return -math.expm1(2 * (prevalence * math.log(prevalence) + (1 - prevalence) * math.log1p(-prevalence)))


def minimum_sample(
    parameters: int,
    *,
    prevalence: float,
    r_squared: float | None = None,
    shrinkage: float = 0.9,
    optimism: float = 0.05,
    margin: float = 0.05,
    prediction_error: float | None = 0.05,
) -> SampleSize:
    """Return the fewest rows with which a model of ``parameters`` predictor parameters may be fitted.

    Parameters
    ----------
    parameters
        Predictor parameters, the intercept not counted, 1 or more.
    prevalence
        Share of positive outcomes, above 0 and below 1.
    r_squared
        Cox-Snell R-squared that is expected; None: 15 % of the largest possible.
    shrinkage
        Smallest shrinkage factor allowed; 0.9 means effects too extreme by 10 %.
    optimism
        Largest difference allowed between apparent and adjusted Nagelkerke R-squared.
    margin
        Half width of the 95 % interval of the overall risk.
    prediction_error
        Mean absolute error of predicted probabilities that is allowed; None leaves the criterion out. Its formula was
        fitted for up to 30 parameters; beyond, it is drawn on.

    Returns
    -------
    SampleSize
        Rows are rows of independent subjects: where accounts have several leads, compare with effective rows.

    Raises
    ------
    ValueError
        If a number is outside what is said above, or R-squared is not possible at the prevalence or above shrinkage.

    Notes
    -----
    Riley et al. (2019), Statistics in Medicine 38:1276-1296, criteria (i) to (iii), and (2020), BMJ 368:m441. With S
    the shrinkage n = p / ((S - 1) log(1 - R2 / S)); criterion 2 is the same with S = R2 / (R2 + optimism x max R2).
    Where predictors are strong (AUC above 0.8) the shrinkage is worse than criterion 1 allows (Pavlou et al. 2024, BMC
    Medical Research Methodology 24:146). Criterion 4: van Smeden et al. (2019), Statistical Methods
    in Medical Research 28:2455-2474, with the rarer class as prevalence.
    """
    if parameters < 1 or parameters != int(parameters):
        raise ValueError(f"parameters is {parameters}; it has to be a whole number, 1 or more.")
    r2, slope, rare = _assumptions(prevalence, r_squared, shrinkage, optimism, margin, prediction_error)
    needed = {
        "shrinkage": _up(parameters / _per_row(shrinkage, r2)),
        "optimism": _up(parameters / _per_row(slope, r2)),
        "overall_risk": _rows_for_risk(prevalence, margin),
        "prediction_error": 0
        if prediction_error is None
        else _up(
            math.exp(
                (-0.508 + 0.259 * math.log(rare) + 0.504 * math.log(parameters) - math.log(prediction_error)) / 0.544
            )
        ),
    }
    n = max(needed.values())
    return SampleSize(
        n=n,
        events=_up(n * rare),
        **needed,
        parameters=int(parameters),
        prevalence=prevalence,
        r_squared=r2,
        max_r_squared=max_r_squared(prevalence),
    )


def max_parameters(
    n: float,
    *,
    prevalence: float,
    r_squared: float | None = None,
    shrinkage: float = 0.9,
    optimism: float = 0.05,
    margin: float = 0.05,
    prediction_error: float | None = 0.05,
) -> int:
    """Return how many predictor parameters ``n`` rows can carry, 0 where not even one: the inverse of `minimum_sample`.

    Parameters
    ----------
    n
        Rows, effective ones where accounts have several leads.
    prevalence, r_squared, shrinkage, optimism, margin, prediction_error
        As `minimum_sample`.
    """
    r2, slope, rare = _assumptions(prevalence, r_squared, shrinkage, optimism, margin, prediction_error)
    if not n >= _rows_for_risk(prevalence, margin):
        return 0
    most = [n * _per_row(shrinkage, r2), n * _per_row(slope, r2)]
    if prediction_error is not None:
        most.append(
            math.exp((0.508 + 0.544 * math.log(n) - 0.259 * math.log(rare) + math.log(prediction_error)) / 0.504)
        )
    found = math.floor(min(most))
    # Rows are rounded up, so at the limit the formula alone may be one parameter off in either direction.
    assumed = {"prevalence": prevalence, "r_squared": r2, "shrinkage": shrinkage, "optimism": optimism}
    while minimum_sample(found + 1, **assumed, margin=margin, prediction_error=prediction_error).n <= n:
        found += 1
    while found and minimum_sample(found, **assumed, margin=margin, prediction_error=prediction_error).n > n:
        found -= 1
    return found


def _assumptions(
    prevalence: float,
    r_squared: float | None,
    shrinkage: float,
    optimism: float,
    margin: float,
    prediction_error: float | None,
) -> tuple[float, float, float]:
    """R-squared, the shrinkage that criterion 2 asks for, and the share of the rarer class."""
    largest = max_r_squared(prevalence)
    for name, share in (
        ("shrinkage", shrinkage),
        ("optimism", optimism),
        ("margin", margin),
        ("prediction_error", 0.05 if prediction_error is None else prediction_error),
    ):
        if not 0 < share < 1:
            raise ValueError(f"{name} is {share}; it has to lie between 0 and 1.")
    r2 = SHARE_OF_MAXIMUM * largest if r_squared is None else r_squared
    if not 0 < r2 < min(largest, shrinkage):
        raise ValueError(
            f"R-squared is {r2}; it has to lie above 0 and below both {largest:.4f}, its maximum at a prevalence of "
            f"{prevalence}, and the shrinkage factor {shrinkage}."
        )
    return r2, r2 / (r2 + optimism * largest), min(prevalence, 1 - prevalence)


def _per_row(shrinkage: float, r2: float) -> float:
    """Parameters that one row carries at a shrinkage factor."""
    return (shrinkage - 1) * math.log1p(-r2 / shrinkage)


def _rows_for_risk(prevalence: float, margin: float) -> int:
    return _up((1.96 / margin) ** 2 * prevalence * (1 - prevalence))


def _up(rows: float) -> int:
    # A whole number that rounding left a little above itself stays what it is.
    return math.ceil(rows - 1e-9)
