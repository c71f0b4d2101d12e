"""Effects adjusted for what was known before assignment: narrower intervals of the same effect.

`lin` fits each arm its own regression, `cuped` one slope for both, `post_stratified` compares within strata. Covariates
recorded after assignment bias the effect; nothing here can tell, so the caller proves it from dates. All variances are
for the population that units were drawn from, so they hold the covariate means' own uncertainty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from smarketing.estimates.effects import ArmMeans, Influences, Metric, gradient, influences, satterthwaite, unadjusted
from smarketing.estimates.moments import FloatArray, Moments, combine

UNITS_A_COVARIATE = 20
"""Units that an arm needs for each covariate; with fewer the effect is left unadjusted."""

NOTHING_NEW = 1e-9
"""Share of a covariate's variance that has to be left, within an arm, after the covariates before it."""


@dataclass(frozen=True, kw_only=True)
class UnitInfluence:
    """A unit's influence on its arm's adjusted estimate: the product of two linear forms of its columns.

    Each form is a constant plus the sum of coefficient times column. An engine adds up the squared product over the
    arm's units, and `lin` takes that sum.
    """

    residual_constant: float
    residual: dict[str, float]
    reach_constant: float
    reach: dict[str, float]


def lin(
    treated: Moments,
    control: Moments,
    metric: Metric,
    covariates: Sequence[str | Metric],
    *,
    squares: tuple[float, float] | None = None,
) -> ArmMeans:
    """Adjust by a regression of its own in each arm, read at the covariate means of both arms together.

    Parameters
    ----------
    treated, control
        Moments of each arm that hold the metric's columns and the covariates, crossed.
    metric
        A mean, or a ratio (then units' influences are regressed).
    covariates
        Columns, or ratios. One that does not vary in an arm, or adds nothing to those before it, is dropped and named.
    squares
        Sums of squared `unit_influences` over the treated and the control arm, from a second pass. With them the
        variance is White's sandwich; without, moments are enough.

    Returns
    -------
    ArmMeans
        Unadjusted, with a note, if an arm has fewer than 20 units a covariate.

    Notes
    -----
    Lin (2013), Annals of Applied Statistics 7:295-318: the coefficient of treatment in the regression on treatment,
    centred covariates and their products. An arm's variance is that of ordinary least squares in the arm, predicting
    at the common mean (statsmodels ``OLS.get_prediction``, equal to 1e-9), or with ``squares`` the same with HC1; plus
    b'Sb/N for the covariate mean, which the arms share (Negi & Wooldridge 2021, Econometric Reviews 40:504-534).

    The two differ by what heteroskedasticity does to chance imbalance, which is of relative order n^-1/2 and zero on
    average: without ``squares`` the variance equals HC2 exactly when there are no covariates, and HC0 to HC3 of the
    interacted regression (plus the term for the mean) in large samples, heteroskedastic or not.
    """
    wanted = [_metric(covariate) for covariate in covariates]
    plain = unadjusted(treated, control, metric)
    arms = (treated, control)
    sides = [influences(arm, [metric, *wanted]) for arm in arms]
    kept, dropped = _informative(sides, wanted)
    if not _can_fit(kept, arms):
        return replace(plain, dropped=dropped, note=_why_not(kept, dropped, plain))
    whole = influences(treated + control, [metric, *wanted])
    place = [1 + i for i in kept]
    spread = whole.covariance[np.ix_(place, place)]
    units = treated.n + control.n
    fits = [_fit(side, arm.n, place, whole.values[place]) for side, arm in zip(sides, arms, strict=True)]
    own = [fit.variance for fit in fits]
    freedoms = [arm.n - 1 - len(kept) for arm in arms]
    if squares is not None:
        own = [total * arm.n / freedom for total, arm, freedom in zip(squares, arms, freedoms, strict=True)]
    shared = [float(fit.slope @ spread @ fit.slope) / units for fit in fits]
    apart = fits[0].slope - fits[1].slope
    return _with_saving(
        plain,
        ArmMeans(
            treated=fits[0].value,
            control=fits[1].value,
            treated_variance=own[0] + shared[0],
            control_variance=own[1] + shared[1],
            covariance=float(fits[0].slope @ spread @ fits[1].slope) / units,
            degrees_of_freedom=satterthwaite([*own, float(apart @ spread @ apart) / units], [*freedoms, units - 1]),
            treated_n=treated.n,
            control_n=control.n,
            covariates=_names(wanted, kept),
            dropped=dropped,
        ),
    )


def unit_influences(
    treated: Moments, control: Moments, metric: Metric, covariates: Sequence[str | Metric]
) -> tuple[UnitInfluence, UnitInfluence] | None:
    """Say how a unit of the treated and of the control arm moves `lin`'s estimate of its arm; None if not adjusted.

    Their squares' sums are the sandwich HC0 (White 1980, Econometrica 48:817-838) of Lin's interacted regression.
    """
    wanted = [_metric(covariate) for covariate in covariates]
    arms = (treated, control)
    sides = [influences(arm, [metric, *wanted]) for arm in arms]
    kept, _ = _informative(sides, wanted)
    if not _can_fit(kept, arms):
        return None
    place = [1 + i for i in kept]
    target = influences(treated + control, [metric, *wanted]).values[place]
    first, second = (_unit_influence(side, arm.n, place, target) for side, arm in zip(sides, arms, strict=True))
    return first, second


def cuped(treated: Moments, control: Moments, metric: Metric, covariates: Sequence[str | Metric]) -> ArmMeans:
    """Adjust with one slope a covariate, estimated from both arms together.

    It saves less than `lin` where the arms differ in size and in slope. Parameters and what is dropped as there.

    Notes
    -----
    Deng, Xu, Kohavi & Walker (2013), WSDM, section 3.2; for ratios section 3.4 of Deng, Knoblich & Lu (2018), KDD. The
    difference and its variance equal tea-tasting's ``Mean(..., covariate)`` and ``RatioOfMeans`` to 1e-9. The variance
    of a single arm, which only the lift needs, knows that both arms share the covariate mean.
    """
    wanted = [_metric(covariate) for covariate in covariates]
    plain = unadjusted(treated, control, metric)
    arms = (treated, control)
    sides = [influences(arm, [metric, *wanted]) for arm in arms]
    kept, dropped = _informative(sides, wanted)
    if not _can_fit(kept, arms):
        return replace(plain, dropped=dropped, note=_why_not(kept, dropped, plain))
    whole = influences(treated + control, [metric, *wanted])
    place = [1 + i for i in kept]
    units = treated.n + control.n
    spread = whole.covariance[np.ix_(place, place)]
    slope = _solve(spread, whole.covariance[place, 0])
    common = float(slope @ spread @ slope) / units
    values, own, links = [], [], []
    for side, arm in zip(sides, arms, strict=True):
        within, towards = side.covariance[np.ix_(place, place)], side.covariance[place, 0]
        values.append(float(side.values[0] - slope @ (side.values[place] - whole.values[place])))
        left = float(side.covariance[0, 0] - 2 * slope @ towards + slope @ within @ slope)
        own.append(max(left, 0.0) / arm.n)
        # What is left is not uncorrelated with the covariates inside one arm, as the slope is that of both.
        links.append(float(slope @ (towards - within @ slope)) / units)
    return _with_saving(
        plain,
        ArmMeans(
            treated=values[0],
            control=values[1],
            treated_variance=own[0] + common + 2 * links[0],
            control_variance=own[1] + common + 2 * links[1],
            covariance=common + links[0] + links[1],
            degrees_of_freedom=satterthwaite(own, [treated.n - 1, control.n - 1]),
            treated_n=treated.n,
            control_n=control.n,
            covariates=_names(wanted, kept),
            dropped=dropped,
        ),
    )


def post_stratified(strata: Mapping[str, tuple[Moments, Moments]], metric: Metric) -> ArmMeans:
    """Compare arms within strata and weigh strata by their units.

    Parameters
    ----------
    strata
        By stratum, the moments of the treated and the control arm. Strata with fewer than two units in an arm are
        pooled, the smallest first, which depends on how units were dealt and never on outcomes.
    metric
        A mean, or a ratio (of the stratified means).

    Returns
    -------
    ArmMeans
        ``covariates`` names the strata that were used, a pooled one as ``"a + b"``.

    Raises
    ------
    ValueError
        If there is no stratum.

    Notes
    -----
    Miratrix, Sekhon & Yu (2013), Journal of the Royal Statistical Society B 75:369-396, equation (4), given the numbers
    dealt in each stratum; plus the uncertainty of the strata's shares in the population, which the arms share. The
    estimate equals `lin` with an indicator a stratum.
    """
    if not strata:
        raise ValueError("there are no strata; give the moments of both arms for at least one.")
    used = _pooled(strata)
    columns = list(metric.columns)
    arms = tuple(combine(pair[side].select(columns) for pair in used.values()) for side in (0, 1))
    plain = unadjusted(arms[0], arms[1], metric)
    if min(arm.n for pair in used.values() for arm in pair) < 2:
        return replace(plain, note="there are not two units in each arm of any stratum")
    sizes = np.array([pair[0].n + pair[1].n for pair in used.values()], dtype=np.float64)
    share = sizes / sizes.sum()
    values: list[float] = []
    own: list[float] = []
    parts: list[float] = []
    freedoms: list[float] = []
    apart: list[FloatArray] = []
    for side in (0, 1):
        chosen = [pair[side].select(columns) for pair in used.values()]
        means = np.array([moments.means for moments in chosen])
        overall = dict(zip(columns, (share @ means).tolist(), strict=True))
        weights = gradient(metric, columns, overall)
        pieces = [
            float(w * w * (weights @ moments.covariance @ weights) / moments.n)
            for w, moments in zip(share, chosen, strict=True)
        ]
        above = overall[metric.numerator]
        values.append(above if metric.denominator is None else above / (overall[metric.denominator] or math.nan))
        own.append(sum(pieces))
        parts += pieces
        freedoms += [moments.n - 1 for moments in chosen]
        apart.append((means - share @ means) @ weights)
    shared = [[float(share @ (first * second)) / float(sizes.sum()) for second in apart] for first in apart]
    between = shared[0][0] + shared[1][1] - 2 * shared[0][1]
    return _with_saving(
        plain,
        ArmMeans(
            treated=values[0],
            control=values[1],
            treated_variance=own[0] + shared[0][0],
            control_variance=own[1] + shared[1][1],
            covariance=shared[0][1],
            degrees_of_freedom=satterthwaite([*parts, between], [*freedoms, float(sizes.sum()) - 1]),
            treated_n=plain.treated_n,
            control_n=plain.control_n,
            covariates=tuple(used),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Fit:
    value: float
    variance: float
    slope: FloatArray


def _fit(side: Influences, n: int, place: list[int], target: FloatArray) -> _Fit:
    """Ordinary least squares in one arm, read at ``target``."""
    within, towards = side.covariance[np.ix_(place, place)], side.covariance[place, 0]
    slope = _solve(within, towards)
    off = target - side.values[place]
    left = max(float(side.covariance[0, 0] - slope @ towards), 0.0) * (n - 1) / (n - 1 - len(place))
    reach = float(off @ _solve(within, off)) / (n - 1)
    return _Fit(float(side.values[0] + slope @ off), left * (1 / n + reach), slope)


def _unit_influence(side: Influences, n: int, place: list[int], target: FloatArray) -> UnitInfluence:
    within, forms = side.covariance[np.ix_(place, place)], side.weights[place]
    residual = side.weights[0] - _solve(within, side.covariance[place, 0]) @ forms
    reach = _solve(within, target - side.values[place]) @ forms / (n - 1)
    return UnitInfluence(
        residual_constant=-float(residual @ side.means),
        residual=dict(zip(side.columns, residual.tolist(), strict=True)),
        reach_constant=1 / n - float(reach @ side.means),
        reach=dict(zip(side.columns, reach.tolist(), strict=True)),
    )


def _can_fit(kept: list[int], arms: tuple[Moments, Moments]) -> bool:
    return bool(kept) and min(arm.n for arm in arms) >= UNITS_A_COVARIATE * len(kept)


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    # On the scale of correlations, so that amounts beside shares do not spoil the digits.
    scale = np.sqrt(np.diag(matrix))
    found: FloatArray = np.linalg.solve(matrix / np.outer(scale, scale), right / scale) / scale
    return found


def _informative(sides: Sequence[Influences], wanted: Sequence[Metric]) -> tuple[list[int], tuple[str, ...]]:
    """Covariates, counted from 0, that vary in both arms and add to those before them; and the names of the others."""
    kept: list[int] = []
    for candidate in range(len(sides[0].values) - 1):
        at, place = 1 + candidate, [1 + i for i in kept]
        for side in sides:
            own = float(side.covariance[at, at])
            # A column that does not vary can keep a little noise of its large mean.
            if not own > 1e-12 * float(side.values[at]) ** 2:
                break
            link = side.covariance[place, at]
            left = own - float(link @ _solve(side.covariance[np.ix_(place, place)], link)) if kept else own
            if not left > NOTHING_NEW * own:
                break
        else:
            kept.append(candidate)
    return kept, _names(wanted, [i for i in range(len(wanted)) if i not in kept])


def _pooled(strata: Mapping[str, tuple[Moments, Moments]]) -> dict[str, tuple[Moments, Moments]]:
    found = dict(strata)
    while len(found) > 1:
        smallest, second = sorted(found, key=lambda name: (min(arm.n for arm in found[name]), name))[:2]
        if min(arm.n for arm in found[smallest]) >= 2:
            break
        first, other = found.pop(smallest), found.pop(second)
        found[f"{smallest} + {second}"] = (first[0] + other[0], first[1] + other[1])
    return found


def _with_saving(plain: ArmMeans, adjusted: ArmMeans) -> ArmMeans:
    saved = 1 - adjusted.variance / plain.variance if plain.variance > 0 else 0.0
    return replace(adjusted, variance_saved=saved)


def _why_not(kept: list[int], dropped: tuple[str, ...], plain: ArmMeans) -> str:
    if kept:
        units = min(plain.treated_n, plain.control_n)
        return f"{len(kept)} covariates need {UNITS_A_COVARIATE * len(kept)} units in each arm and one has {units}"
    return "no covariate varies within both arms" if dropped else "no covariate was given"


def _metric(covariate: str | Metric) -> Metric:
    return Metric(covariate) if isinstance(covariate, str) else covariate


def _names(metrics: Sequence[Metric], chosen: Sequence[int]) -> tuple[str, ...]:
    return tuple(" / ".join(metrics[i].columns) for i in chosen)
