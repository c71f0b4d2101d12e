"""Has a distribution over bins moved? The population stability index, with a cut-off that knows the number of rows.

The usual limits 0.1 and 0.25 take no account of numbers: among 100 rows the index passes 0.1 by chance alone, among a
million a shift far below 0.1 is real. Rows of one account are alike; `design_effect` says how much less they know.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from smarketing.estimates.rates import check_confidence
from smarketing.estimates.scored import FloatArray


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How far a distribution over bins moved from its reference, and how far chance alone would move it.

    Attributes
    ----------
    value
        The population stability index, 0 where the shares are equal; NaN when either side has no rows.
    cutoff
        What chance alone exceeds with probability 1 - ``level``; NaN with the value.
    p_value
        How often chance alone gives as much; NaN with the value.
    reference, current
        Rows on either side.
    bins
        Bins in which there are any rows. With one there is nothing to compare: value and cut-off are 0.
    """

    value: float
    cutoff: float
    p_value: float
    reference: float
    current: float
    bins: int

    @property
    def moved(self) -> bool:
        """Whether the index is above its cut-off."""
        return self.value > self.cutoff


def population_stability(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    *,
    level: float = 0.95,
    reference_effect: float = 1.0,
    current_effect: float = 1.0,
) -> Stability:
    """Compare two distributions over the same bins.

    Parameters
    ----------
    reference, current
        Rows in each bin, bin by bin in the same order; a missing value is a bin of its own. Bins are set beforehand,
        from the reference alone.
    level
        Confidence of the cut-off: 0.95 gives a false alarm in 5 % of comparisons. For k features watched together,
        1 - 0.05 / k (Bonferroni).
    reference_effect, current_effect
        The `design_effect` of either side, 1 for independent rows.

    Returns
    -------
    Stability
        Both sides are first drawn a little towards even shares, by as much as half a row a bin moves the smaller side.
        An empty bin then has a finite index, equal shares stay equal, and chance does not pass the cut-off too often.

    Raises
    ------
    ValueError
        If counts are negative or missing, bins differ in number, or an effect is not above 0.

    Notes
    -----
    Index: sum of (q - p) log(q / p). Cut-off: (1 / n + 1 / m) times the chi-squared quantile with B - 1 degrees of
    freedom; Yurdakul & Naranjo (2020), Journal of Risk Model Validation 14(4):89-100. Simulated with 3 to
    10,000 rows a bin, even and uneven, chance passes a 95 % cut-off in 3 to 5 % and a 99.5 % one in 0.3 to 0.9 %;
    without drawing shares in, in up to 16 %. Design effects multiply 1 / n and 1 / m, which
    is the first-order correction of Rao & Scott (1981), Journal of the American Statistical Association 76:221-230.
    """
    check_confidence(level)
    before, after = _counts(reference), _counts(current)
    if before.shape != after.shape:
        raise ValueError(
            f"the reference has {len(before)} bins and the current rows have {len(after)}; count both in the same bins."
        )
    if not (reference_effect > 0 and current_effect > 0):
        raise ValueError(f"design effects are {reference_effect} and {current_effect}; they have to be above 0.")
    used = before + after > 0
    before, after = before[used], after[used]
    n, m, bins = float(before.sum()), float(after.sum()), len(before)
    if not (n > 0 and m > 0):
        return Stability(value=math.nan, cutoff=math.nan, p_value=math.nan, reference=n, current=m, bins=bins)
    if bins == 1:
        return Stability(value=0.0, cutoff=0.0, p_value=1.0, reference=n, current=m, bins=1)
    drawn_in = 0.5 / min(n, m)
    p, q = ((side + drawn_in) / (1 + bins * drawn_in) for side in (before / n, after / m))
    value = float(((q - p) * np.log(q / p)).sum())
    scale = reference_effect / n + current_effect / m
    return Stability(
        value=value,
        cutoff=scale * float(stats.chi2.ppf(level, bins - 1)),
        p_value=float(stats.chi2.sf(value / scale, bins - 1)),
        reference=n,
        current=m,
        bins=bins,
    )


def design_effect(bin_of: npt.ArrayLike, cluster: npt.ArrayLike) -> float:
    """Return how many times as many clustered rows as independent ones are needed to know the shares of bins as well.

    Parameters
    ----------
    bin_of
        The bin of each row.
    cluster
        The cluster (account) of each row. A property of the account itself (its size, its region) is the same for all
        its rows, and the effect then is their mean number, each account counted by its rows.

    Returns
    -------
    float
        1 or about 1 for independent rows; NaN with fewer than two clusters or two bins.

    Notes
    -----
    The mean of the generalised design effects, sum over bins of V / (P / n) over (B - 1), with V the linearised
    variance of the bin's share over clusters: Rao & Scott (1981), equation (4.4).
    """
    _, bins = np.unique(np.asarray(bin_of), return_inverse=True)
    _, clusters = np.unique(np.asarray(cluster), return_inverse=True)
    if bins.shape != clusters.shape:
        raise ValueError(f"{len(bins)} rows have a bin and {len(clusters)} a cluster; give one of each a row.")
    count, groups, n = int(bins.max(initial=-1)) + 1, int(clusters.max(initial=-1)) + 1, len(bins)
    if count < 2 or groups < 2:
        return math.nan
    size = np.bincount(clusters)
    effect = 0.0
    for one in range(count):
        inside = np.bincount(clusters, bins == one)
        share = inside.sum() / n
        variance = groups / (groups - 1) * ((inside - share * size) ** 2).sum() / n**2
        effect += float(variance / (share / n))
    return effect / (count - 1)


def _counts(rows: npt.ArrayLike) -> FloatArray:
    counts = np.asarray(rows, dtype=np.float64)
    if counts.ndim != 1 or not (np.isfinite(counts) & (counts >= 0)).all():
        raise ValueError(
            "rows in bins have to be one list of finite numbers that are not negative; give an empty bin as 0."
        )
    return counts
