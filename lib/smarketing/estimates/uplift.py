"""Who is worth contacting? Uplift along a score, where an experiment decided by chance who was treated.

"Likely to buy" is not "worth calling": these measures compare treated with untreated subjects of like scores. An
outcome is 0 or 1, or an amount (money). Treatment has to have been randomised; nothing here mends it otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smarketing.estimates.bootstrap import Resampled, clustered_interval
from smarketing.estimates.clusters import Clustered, ratio, share
from smarketing.estimates.rates import check_confidence, difference
from smarketing.estimates.scored import BoolArray, FloatArray, IntArray, Scored, cluster_sums, quantile_bins, scored


@dataclass(frozen=True, kw_only=True, eq=False)
class Qini:
    """The Qini curve of a score and its coefficient, in outcomes per subject.

    Attributes
    ----------
    targeted
        Share of all subjects that is targeted, best scores first: from 0 to 1, one point after each distinct score.
    gained
        Incremental outcomes per subject of the population, had only that share been treated. The last is the mean
        effect of treating everyone; targeting at random lies on the straight line to it.
    everyone
        The last of ``gained``; NaN where an arm is empty.
    value
        Qini coefficient: the area between the curve and that line. 0 is targeting at random, below 0 is worse.
    lower, upper
        Its clustered bootstrap interval; infinite with fewer than two clusters.
    treated, control
        Subjects in either arm.
    """

    targeted: FloatArray
    gained: FloatArray
    everyone: float
    value: float
    lower: float
    upper: float
    treated: int
    control: int


@dataclass(frozen=True, kw_only=True)
class UpliftBin:
    """Subjects of similar scores: outcomes with and without treatment, and their difference.

    ``value``, ``lower`` and ``upper`` are the uplift and its interval; NaN where an arm has nobody in the bin.
    """

    mean_score: float
    treated: Clustered
    control: Clustered
    value: float
    lower: float
    upper: float


def qini(
    score: npt.ArrayLike,
    outcome: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    draws: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> Qini:
    """Return the Qini curve of a score in a randomised experiment.

    Parameters
    ----------
    score
        Who is targeted first: predicted uplift, or a propensity to see whether that would do.
    outcome
        0 or 1, or an amount.
    treated
        Whether chance chose the subject for treatment.
    weight
        As `scored.scored`: rows of weight 0 are left out.
    cluster
        The account of each row, None where rows are independent; it is what draws are made of.
    draws, seed, level
        As `bootstrap.clustered_interval`.

    Returns
    -------
    Qini
        Equal scores are targeted together. Where an arm is empty all is NaN and limits are infinite.

    Notes
    -----
    Radcliffe (2007), Direct Marketing Analytics Journal, 14-21: R_t - R_c N_t / N_c over the best-scored, here divided
    by all treated. Before any untreated subject is met the second term is 0. The coefficient is his unscaled q, as an
    area on a share's axis; it is not divided by that of a perfect targeting, which nobody knows for amounts.
    """
    rows = scored(score, outcome, weight, amounts=True)
    curve = _Curve(rows, _arm(treated, rows))
    targeted, gained = curve.points(None)
    units = np.arange(rows.rows) if cluster is None else _one_a_row("clusters", cluster, rows)
    found = clustered_interval(curve.coefficient, units, draws=draws, seed=seed, level=level)
    return Qini(
        targeted=targeted,
        gained=gained,
        everyone=float(gained[-1]),
        value=found.value,
        lower=found.lower,
        upper=found.upper,
        treated=int(curve.treated.sum()),
        control=int((~curve.treated).sum()),
    )


def qini_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    outcome: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    draws: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> Resampled:
    """Return by how much the Qini coefficient of one score is above another's on the same subjects.

    Both are taken in each draw, so that what they share does not widen the interval.

    Parameters
    ----------
    first, second
        The two scores; the difference is the first's coefficient minus the second's.
    outcome, treated, weight, cluster, draws, seed, level
        As `qini`.
    """
    curves = [
        _Curve(rows, _arm(treated, rows))
        for rows in (scored(s, outcome, weight, amounts=True) for s in (first, second))
    ]
    rows = curves[0].rows
    units = np.arange(rows.rows) if cluster is None else _one_a_row("clusters", cluster, rows)

    def gap(times: FloatArray) -> float:
        return curves[0].coefficient(times) - curves[1].coefficient(times)

    return clustered_interval(gap, units, draws=draws, seed=seed, level=level)


def uplift_bins(
    score: npt.ArrayLike,
    outcome: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    bins: int = 10,
    confidence: float = 0.95,
) -> tuple[UpliftBin, ...]:
    """Return the difference treated makes in bins of about equal weight, lowest scores first.

    Parameters
    ----------
    score, outcome, treated, weight, cluster
        As `qini`. Equal scores share a bin, so there may be fewer bins than asked for.
    bins
        How many bins.
    confidence
        Two-sided level of each interval; where bins are compared with each other, ask for more (`multiplicity`).

    Notes
    -----
    Outcomes of 0 and 1 are `clusters.share`, amounts `clusters.ratio`; the difference recovers variances from their
    limits (`rates.difference`). Where accounts have leads in both arms it errs on the wide side.
    """
    check_confidence(confidence)
    rows = scored(score, outcome, weight, amounts=True)
    arm = _arm(treated, rows)
    units = np.arange(rows.rows) if cluster is None else _one_a_row("clusters", cluster, rows)
    estimate = share if np.isin(rows.outcome, (0, 1)).all() else ratio
    bin_of = quantile_bins(rows.score, rows.weight, bins)
    found = []
    for number in range(int(bin_of.max()) + 1 if len(bin_of) else 0):
        inside = bin_of == number
        with_it, without = (
            estimate(cluster_sums(units[rows.kept[part]], rows.weight[part], rows.outcome[part]), confidence=confidence)
            for part in (np.flatnonzero(inside & arm), np.flatnonzero(inside & ~arm))
        )
        uplift = difference(with_it, without)
        found.append(
            UpliftBin(
                mean_score=float(np.average(rows.score[inside], weights=rows.weight[inside])),
                treated=with_it,
                control=without,
                value=uplift.value,
                lower=uplift.lower,
                upper=uplift.upper,
            )
        )
    return tuple(found)


class _Curve:
    """Rows sorted once for the draws of the bootstrap."""

    def __init__(self, rows: Scored, treated: BoolArray) -> None:
        self.rows, self.treated = rows, treated
        self.order: IntArray = np.argsort(-rows.score, kind="stable")
        ordered = rows.score[self.order]
        self.ends: IntArray = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)])

    def points(self, times: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray]:
        weight = self.rows.weight_of(times)[self.order]
        arm, outcome = self.treated[self.order], self.rows.outcome[self.order]
        n_t, n_c, r_t, r_c = (
            np.concatenate([[0.0], np.cumsum(part)[self.ends]])
            for part in (weight * arm, weight * ~arm, weight * arm * outcome, weight * ~arm * outcome)
        )
        everyone = n_t + n_c
        if not (n_t[-1] > 0 and n_c[-1] > 0):
            return np.array([0.0, 1.0]), np.array([math.nan, math.nan])
        expected = np.divide(r_c * n_t, n_c, out=np.zeros(len(n_c)), where=n_c > 0)
        return everyone / everyone[-1], (r_t - expected) / n_t[-1]

    def coefficient(self, times: npt.ArrayLike | None) -> float:
        targeted, gained = self.points(times)
        return float(((gained[1:] + gained[:-1]) * np.diff(targeted)).sum() / 2 - gained[-1] / 2)


def _arm(treated: npt.ArrayLike, rows: Scored) -> BoolArray:
    arm = _one_a_row("treatments", treated, rows)[rows.kept]
    if not np.isin(arm, (0, 1)).all():
        raise ValueError("a treatment is neither yes nor no (1 or 0); leave other arms of the experiment out.")
    return arm.astype(bool)


def _one_a_row(name: str, given: npt.ArrayLike, rows: Scored) -> npt.NDArray[np.generic]:
    values = np.asarray(given)
    if values.shape != (rows.rows,):
        raise ValueError(f"{name} have the shape {values.shape} and there are {rows.rows} rows; give one a row.")
    return values
