"""Logistic regression on one number, by Newton steps that are cut until they gain: no start diverges.

What `calibration` stands on; conditions on the input are its to check.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from smarketing.estimates.scored import FloatArray


def intercept_of(x: FloatArray, target: FloatArray, weight: FloatArray) -> float:
    """Return the a at which sum w (target - expit(a + x)) = 0: the intercept where the slope is held at 1.

    Parameters
    ----------
    x
        Finite log-odds.
    target
        0 to 1, with a weighted mean strictly between.
    weight
        Above 0.
    """
    # Newton steps within the bracket that is left, and half of it where one would leave it.
    rate = (weight * target).sum() / weight.sum()
    log_odds = float(np.log(rate) - np.log1p(-rate))
    lower, upper = log_odds - float(x.max()), log_odds - float(x.min())
    a = log_odds - float((weight * x).sum() / weight.sum())
    for _ in range(200):
        p = expit(a + x)
        slack = float((weight * (target - p)).sum())
        lower, upper = (a, upper) if slack > 0 else (lower, a)
        step = slack / max(float((weight * p * (1 - p)).sum()), 1e-300)
        following = a + step if lower < a + step < upper else (lower + upper) / 2
        if abs(following - a) < 1e-11 * (1 + abs(a)):
            return following
        a = following
    return a


def line_of(x: FloatArray, target: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Return intercept and slope of the weighted logistic regression of targets on one x.

    Parameters
    ----------
    x
        Finite and not all equal.
    target
        0 to 1; values of x with targets above 0 and below 1 have to overlap, so that a finite slope fits best.
    weight
        Above 0.
    """
    total = weight.sum()
    # Around the mean of x the two coefficients hardly depend on each other; the intercept is moved back at the end.
    centre = float((weight * x).sum() / total)
    u = x - centre
    rate = (weight * target).sum() / total
    a, b = float(np.log(rate) - np.log1p(-rate)), 0.0
    loss = _loss(a + b * u, target, weight)
    for _ in range(200):
        p = expit(a + b * u)
        residual, v = weight * (target - p), weight * p * (1 - p)
        g_a, g_b = residual.sum(), (residual * u).sum()
        h_aa, h_ab, h_bb = v.sum(), (v * u).sum(), (v * u * u).sum()
        determinant = h_aa * h_bb - h_ab * h_ab
        if not determinant > 1e-12 * h_aa * h_bb:
            # Nearly flat here: the largest curvature there can be gives a step that never overshoots.
            h_aa, h_ab, h_bb = total / 4, 0.0, (weight * u * u).sum() / 4
            determinant = h_aa * h_bb
        step_a, step_b = (h_bb * g_a - h_ab * g_b) / determinant, (h_aa * g_b - h_ab * g_a) / determinant
        gain = g_a * step_a + g_b * step_b
        for _ in range(40):
            following = _loss(a + step_a + (b + step_b) * u, target, weight)
            if following <= loss - 0.1 * gain + 1e-13 * loss:
                break
            step_a, step_b, gain = step_a / 2, step_b / 2, gain / 2
        a, b, loss = a + step_a, b + step_b, following
        if abs(step_a) + abs(step_b) * (1 + abs(centre)) < 1e-10 * (1 + abs(a) + abs(b)):
            break
    return float(a - b * centre), float(b)


def _loss(log_odds: FloatArray, target: FloatArray, weight: FloatArray) -> float:
    """Minus log-likelihood."""
    return float((weight * (np.logaddexp(0, log_odds) - target * log_odds)).sum())
