"""A Bayesian reading of arms: how probable it is that each is the best, and what choosing it is expected to lose.

Posteriors are conjugate (beta for rates, normal for anything with a standard error) and arms independent; what is asked
of them is integrated numerically, so that equal inputs give equal bytes. It is a reading beside the decision rule, not
one that allows looking every day: the error rates of the other rooms are not kept by stopping at a probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from smarketing.estimates.rates import check_confidence

Floats = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
# Standard normal quantiles at which each posterior breaks the line of integration into panels.
_BREAKS = np.array([-9.0, -7, -5.5, -4.5, -3.5, -2.75, -2, -1.25, -0.5, 0, 0.5, 1.25, 2, 2.75, 3.5, 4.5, 5.5, 7, 9])


@dataclass(frozen=True)
class Belief:
    """What is believed of an arm: posterior mean with its credible interval, in the metric's unit.

    ``probability_best`` adds up to 1 over the arms. ``expected_loss`` is how much worse than the best arm this one is
    expected to be, in the metric's unit: what is given up on average by choosing it.
    """

    value: float
    lower: float
    upper: float
    probability_best: float
    expected_loss: float


@dataclass(frozen=True, kw_only=True)
class NormalPrior:
    """What was believed of every arm's mean before: a normal distribution."""

    mean: float
    standard_deviation: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.standard_deviation) and self.standard_deviation > 0):
            raise ValueError(
                f"the prior has mean {self.mean} and standard deviation {self.standard_deviation}; both have to be "
                "finite and the deviation above 0. Leave the prior out where nothing is believed."
            )


def rates(
    successes: Sequence[float],
    units: Sequence[float],
    *,
    prior: tuple[float, float] = (1.0, 1.0),
    higher_is_better: bool = True,
    confidence: float = 0.95,
) -> tuple[Belief, ...]:
    """Read the arms' rates with a beta prior.

    Parameters
    ----------
    successes, units
        Counts of each arm's independent units; an arm without units has the prior as its posterior.
    prior
        The two parameters of the beta prior, the same for every arm; (1, 1) believes every rate alike.
    higher_is_better
        Whether the best arm is the highest.
    confidence
        Mass of the equal-tailed credible interval.

    Raises
    ------
    ValueError
        If the arms do not match, are fewer than two, or hold impossible counts.

    Notes
    -----
    Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., section 2.4, for the posterior.
    """
    check_confidence(confidence)
    _check_arms(len(successes), len(units), "successes", "units")
    if not all(math.isfinite(parameter) and parameter > 0 for parameter in prior):
        raise ValueError(f"the prior is beta{prior}; both parameters have to be above 0, as in (1, 1).")
    for won, n in zip(successes, units, strict=True):
        if not (math.isfinite(n) and 0 <= won <= n):
            raise ValueError(
                f"an arm has {won} successes in {n} units: both have to be finite and 0 <= successes <= units. "
                "Count successes among the same units."
            )
    posteriors = [stats.beta(prior[0] + won, prior[1] + n - won) for won, n in zip(successes, units, strict=True)]
    return _beliefs(posteriors, higher_is_better, confidence)


def means(
    values: Sequence[float],
    standard_errors: Sequence[float],
    *,
    prior: NormalPrior | None = None,
    higher_is_better: bool = True,
    confidence: float = 0.95,
) -> tuple[Belief, ...]:
    """Read the arms' estimates, each normal around the truth with its standard error.

    Parameters
    ----------
    values, standard_errors
        An independent estimate of each arm: a mean, a ratio, or a rate with clustered error.
    prior
        What was believed of every arm before; None believes all values alike, which makes two arms' probability that
        of the one-sided normal test.
    higher_is_better, confidence
        As for `rates`.

    Notes
    -----
    Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., equation (2.12). With few accounts an estimate is not normal
    with its standard error: withhold this reading where the readout withholds its interval.
    """
    check_confidence(confidence)
    _check_arms(len(values), len(standard_errors), "values", "standard_errors")
    posteriors = []
    for value, error in zip(values, standard_errors, strict=True):
        if not (math.isfinite(value) and math.isfinite(error) and error > 0):
            raise ValueError(
                f"an arm has the value {value} with standard error {error}; both have to be finite and the error above "
                "0. Leave arms without an estimate out."
            )
        precision = 1 / error**2
        centre = value * precision
        if prior is not None:
            centre += prior.mean / prior.standard_deviation**2
            precision += 1 / prior.standard_deviation**2
        posteriors.append(stats.norm(centre / precision, 1 / math.sqrt(precision)))
    return _beliefs(posteriors, higher_is_better, confidence)


def _beliefs(posteriors: list[stats.distributions.rv_frozen], higher: bool, confidence: float) -> tuple[Belief, ...]:
    x, weights = _line(posteriors)
    worse = [p.cdf(x) if higher else p.sf(x) for p in posteriors]
    better = [p.sf(x) if higher else p.cdf(x) for p in posteriors]
    tail = (1 - confidence) / 2
    found = []
    for arm, posterior in enumerate(posteriors):
        others = [place for place in range(len(posteriors)) if place != arm]
        all_worse, some_better = np.ones_like(x), np.zeros_like(x)
        for place in others:  # added up one by one, so that a small chance keeps its digits
            some_better += better[place] * all_worse
            all_worse *= worse[place]
        found.append(
            Belief(
                value=float(posterior.mean()),
                lower=float(posterior.ppf(tail)),
                upper=float(posterior.isf(tail)),
                probability_best=float(weights @ (posterior.pdf(x) * all_worse)),
                # E max(best other - this, 0) is the integral of P(this is worse than x, some other is better).
                expected_loss=float(weights @ (worse[arm] * some_better)),
            )
        )
    return tuple(found)


def _line(posteriors: list[stats.distributions.rv_frozen]) -> tuple[Floats, Floats]:
    """Nodes and weights of Gauss-Legendre integration over panels between the posteriors' quantiles."""
    lower, upper = stats.norm.cdf(_BREAKS[_BREAKS <= 0]), stats.norm.sf(_BREAKS[_BREAKS > 0])
    edges = np.unique(np.concatenate([np.concatenate([p.ppf(lower), p.isf(upper)]) for p in posteriors]))
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * _NODES).ravel(), (half[:, None] * _WEIGHTS).ravel()


def _check_arms(one: int, other: int, name: str, other_name: str) -> None:
    if one != other or one < 2:
        raise ValueError(
            f"{one} {name} and {other} {other_name} were given; at least two arms are needed, with one of each."
        )
