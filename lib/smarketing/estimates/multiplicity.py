"""Several comparisons at once: what is called real among many has to be surer than what is asked alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from smarketing.estimates.rates import check_confidence
from smarketing.estimates.scored import FloatArray


@dataclass(frozen=True)
class SimultaneousInterval:
    """An interval that is one of ``of``: all of them hold together with the confidence asked for."""

    value: float
    lower: float
    upper: float
    of: int

    def side_of(self, reference: float, *, smallest: float = 0.0) -> int:
        """Return 1 or -1 where the whole interval lies above or below a reference by more than ``smallest``, else 0."""
        if self.lower > reference + smallest:
            return 1
        return -1 if self.upper < reference - smallest else 0


def simultaneous(
    value: float, lower: float, upper: float, *, of: int, confidence: float = 0.95
) -> SimultaneousInterval:
    """Widen an interval made for one question to one of ``of`` questions asked together (Bonferroni).

    Parameters
    ----------
    value, lower, upper
        An estimate and its interval at ``confidence``; either side is widened in its own proportion. NaN (withheld)
        gives an interval without limits.
    of
        How many questions are asked together, the withheld ones not counted.

    Notes
    -----
    Dunn (1961), Journal of the American Statistical Association 56:52-64: each of k intervals at 1 - alpha / k. The
    normal quantiles' ratio stands for that of t, which is a little larger with few accounts.
    """
    check_confidence(confidence)
    if of < 1:
        raise ValueError(f"of is {of}; at least one question is asked.")
    if math.isnan(value) or math.isnan(lower) or math.isnan(upper):
        return SimultaneousInterval(value, -math.inf, math.inf, of)
    alpha = 1 - confidence
    ratio = float(stats.norm.ppf(1 - alpha / (2 * of)) / stats.norm.ppf(1 - alpha / 2))
    return SimultaneousInterval(value, value - (value - lower) * ratio, value + (upper - value) * ratio, of)


@dataclass(frozen=True)
class SelectedInterval:
    """The interval of one of ``selected`` effects that were picked from ``of`` for being clear.

    Of all intervals made so, the expected share that misses its truth is at most 1 - confidence.
    """

    value: float
    lower: float
    upper: float
    selected: int
    of: int


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values so that those below alpha contain any false one in at most alpha of experiments.

    Parameters
    ----------
    p_values
        One a question, 0 to 1; NaN (withheld) is not counted and stays NaN.

    Returns
    -------
    tuple of float
        In the order given.

    Notes
    -----
    Holm (1979), Scandinavian Journal of Statistics 6:65-70; valid under any dependence. No intervals match it: beside
    it `simultaneous` stands, which may fail to exclude 0 where this rejects.
    """
    return _adjusted(p_values, lambda ordered: np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1)))


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values so that of those below q an expected share of at most q is false.

    As `holm`, for independent or positively dependent questions.

    Notes
    -----
    Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57:289-300.
    """
    return _adjusted(p_values, _step_up)


def benjamini_yekutieli(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values as `benjamini_hochberg` does, valid under any dependence and therefore larger.

    Notes
    -----
    Benjamini & Yekutieli (2001), Annals of Statistics 29:1165-1188, theorem 1.3.
    """
    return _adjusted(p_values, lambda ordered: _step_up(ordered) * harmonic(len(ordered)))


def false_coverage(
    value: float,
    lower: float,
    upper: float,
    *,
    selected: int,
    of: int,
    confidence: float = 0.95,
    degrees_of_freedom: float = math.inf,
    dependent: bool = False,
) -> SelectedInterval:
    """Widen an interval made for one question to one of ``selected`` that were picked from ``of`` by their p-values.

    Parameters
    ----------
    value, lower, upper
        An estimate and its interval at ``confidence``; either side is widened in its own proportion. NaN (withheld)
        gives an interval without limits.
    selected, of
        How many `benjamini_hochberg` picked at q = 1 - confidence, and from how many; the withheld not counted. Only
        the picked get such an interval.
    degrees_of_freedom
        Of the interval's t quantile; infinite for a normal one.
    dependent
        Whether `benjamini_yekutieli` picked, because the questions depend in unknown ways.

    Notes
    -----
    Benjamini & Yekutieli (2005), Journal of the American Statistical Association 100:71-81: intervals at 1 - R q / m
    keep the false coverage rate at q where questions are independent or positively dependent; q is divided by the
    harmonic sum otherwise. An interval excludes 0 wherever its p-value, from the same quantiles, was picked.
    """
    check_confidence(confidence)
    if not 1 <= selected <= of:
        raise ValueError(
            f"selected is {selected} of {of}; an interval is for one of those picked, and no more can be picked than "
            "were asked."
        )
    if math.isnan(value) or math.isnan(lower) or math.isnan(upper):
        return SelectedInterval(value, -math.inf, math.inf, selected, of)
    alpha = 1 - confidence
    level = selected * alpha / of / (harmonic(of) if dependent else 1.0)
    ratio = _quantile(level, degrees_of_freedom) / _quantile(alpha, degrees_of_freedom)
    return SelectedInterval(value, value - (value - lower) * ratio, value + (upper - value) * ratio, selected, of)


def harmonic(number: int) -> float:
    """Return 1 + 1/2 + ... + 1/number, what dependence in unknown ways costs."""
    return math.fsum(1 / i for i in range(1, number + 1))


def _quantile(alpha: float, degrees_of_freedom: float) -> float:
    """Return the two-sided quantile; t with infinite degrees of freedom is the normal one."""
    return float(stats.t.isf(alpha / 2, degrees_of_freedom))


def _step_up(ordered: FloatArray) -> FloatArray:
    number = len(ordered)
    scaled = ordered * number / np.arange(1, number + 1)
    return np.minimum.accumulate(scaled[::-1])[::-1]


def _adjusted(p_values: Sequence[float], step: Callable[[FloatArray], FloatArray]) -> tuple[float, ...]:
    """Sort, adjust, cut at 1, and put back in order, leaving NaN where it was."""
    given = np.asarray(p_values, dtype=float)
    wrong = given[(given < 0) | (given > 1)]
    if len(wrong):
        raise ValueError(f"a p-value is {wrong[0]:g}; it has to lie between 0 and 1, or be NaN where it was withheld.")
    asked = np.flatnonzero(~np.isnan(given))
    order = asked[np.argsort(given[asked], kind="stable")]
    adjusted = np.full(len(given), math.nan)
    adjusted[order] = np.minimum(step(given[order]), 1.0)
    return tuple(float(p) for p in adjusted)
