"""The effect of a campaign that was dealt by account: account-average and lead-average, from one row an account.

Accounts are the independent units, whatever the number of leads. With few or unequal ones the interval here is only
the companion: the decision belongs to `randomisation`, which calls this module for its statistic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from smarketing.estimates.clusters import effective_clusters
from smarketing.estimates.dealt_accounts import Accounts
from smarketing.estimates.rates import check_confidence
from smarketing.estimates.scored import BoolArray, FloatArray, IntArray

Average = Literal["account", "lead"]

# Where sizes are so unequal that an arm has the weight of fewer accounts, who is in it decides its mean. Counted over
# both arms, so that it does not depend on how they were dealt.
LEAST_EFFECTIVE_ACCOUNTS = 4.0
# Below four degrees of freedom Satterthwaite's approximation is not to be trusted: Tipton (2015), Psychological
# Methods 20:375-393.
LEAST_DEGREES_OF_FREEDOM = 4.0
# Differences smaller than this, relative to the largest there is, are rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class AccountEffect:
    """Treated minus control, with an interval by CR2 standard error and Satterthwaite's degrees of freedom.

    Attributes
    ----------
    value, treated_mean, control_mean
        The effect and the two means it is the difference of, in outcome per lead; NaN where an arm is empty.
    lower, upper, p_value
        The interval and the two-sided p-value of no effect; infinite and NaN where they are withheld.
    standard_error, degrees_of_freedom
        NaN where an arm has fewer than two accounts.
    effective_accounts
        How many equally large accounts would have the weight of all, (sum n)^2 / sum n^2, times the smaller arm's share
        of accounts.
    treated, control
        Accounts in either arm.
    left_out
        As in `Accounts`.
    merged_strata
        How many strata had fewer than two accounts in an arm and were estimated as one.
    reason
        Why the interval is withheld, None where it is not.
    """

    value: float
    treated_mean: float
    control_mean: float
    lower: float
    upper: float
    p_value: float
    standard_error: float
    degrees_of_freedom: float
    effective_accounts: float
    treated: int
    control: int
    left_out: int
    merged_strata: int
    reason: str | None


@dataclass(frozen=True, eq=False)
class Estimates:
    """Effects and their CR2 variances, one for each assignment that was asked for."""

    value: FloatArray
    variance: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrast:
    """What an effect is computed from under any assignment: the accounts' sizes, sums and strata, no arms.

    ``size`` is the number of leads, or 1 a row for the account average; ``total`` the sum that belongs to it, less
    ``centre`` for each unit of size. ``strata`` are positions of accounts, ``shares`` their parts of all size.
    """

    size: FloatArray
    total: FloatArray
    centre: float
    strata: tuple[IntArray, ...]
    shares: tuple[float, ...]
    paired: bool
    merged_strata: int

    @property
    def scale(self) -> float:
        """The largest deviation of an account's mean from the centre; below `_ROUNDING` of it, a number is 0."""
        return float(np.abs(self.total / self.size).max(initial=0.0))


def account_effect(dealt: Accounts, *, average: Average, confidence: float = 0.95) -> AccountEffect:
    """Estimate the effect on accounts' means, each account counting once, or on leads.

    Parameters
    ----------
    dealt
        The accounts.
    average
        "account": the difference of the arms' averages over accounts of an account's outcome per lead. "lead": the
        difference of the arms' outcome per lead (sum over sum). They differ where large accounts respond otherwise.
    confidence
        Two-sided confidence level.

    Returns
    -------
    AccountEffect
        Withheld, with the reason, are: all of it where an arm is empty; error and interval with one account in an arm;
        the interval below four degrees of freedom or four effective accounts, or where accounts of an arm do not
        differ at all.

    Notes
    -----
    Strata are compared within, and weighted by their accounts or leads (fully interacted regression). Strata with
    fewer than two accounts in an arm are merged for this; if their shares of treated accounts are unlike, what differs
    between them enters the effect, and `randomisation` still keeps its error rate. Pairs are not compared within but
    are the clusters: the effect is that of all leads, not of pairs.

    Standard error: CR2 of Bell & McCaffrey (2002), Survey Methodology 28:169-181, of the regression of accounts' means
    on the arm (by stratum), weighted by leads, all means equally variable as working model; in R
    ``clubSandwich::vcovCR(lm(mean ~ arm, weights = leads), cluster = account, type = "CR2")``. Degrees of freedom by
    Satterthwaite under the same model, Pustejovsky & Tipton (2018), Journal of Business & Economic Statistics
    36:672-683. Account and lead average: Kahan et al. (2023), International Journal of Epidemiology 52:107-118.

    The usual working model, leads independent, takes an arm that one account dominates for well known: with log-normal
    sizes to sigma 1.5 and outcomes that grow with size it rejects in 7 to 14 % of balanced A/A experiments, also at 10
    degrees of freedom and more; this one in 2 to 5 %.
    """
    check_confidence(confidence)
    treated, control = int(dealt.treated.sum()), int((~dealt.treated).sum())
    contrast = contrast_of(dealt, average=average)
    means = _means(contrast, dealt.treated) if treated else (math.nan, math.nan)
    value = means[0] - means[1]
    reason = too_few(contrast, dealt.treated)
    effective = effective_clusters(float(contrast.size.sum()), float((contrast.size**2).sum()))
    effective *= min(treated, control) / max(treated + control, 1)
    error = freedom = p_value = math.nan
    lower, upper = -math.inf, math.inf
    if reason is None:
        found = estimates_under(contrast, dealt.treated[np.newaxis])
        error = math.sqrt(float(found.variance[0]))
        freedom = _satterthwaite(contrast, dealt.treated)
        if error == 0:
            reason = "the accounts of an arm do not differ, so nothing tells how far chance goes"
        elif effective < LEAST_EFFECTIVE_ACCOUNTS:
            reason = (
                f"the smaller arm has the weight of {_floored(effective)} equally large accounts, "
                f"and an interval needs {LEAST_EFFECTIVE_ACCOUNTS:.0f}"
            )
        elif freedom < LEAST_DEGREES_OF_FREEDOM:
            reason = (
                f"{_floored(freedom)} degrees of freedom, and an interval needs {LEAST_DEGREES_OF_FREEDOM:.0f}: "
                "the accounts are too few or too unequal"
            )
        else:
            half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
            lower, upper = value - half, value + half
            p_value = float(2 * stats.t.sf(abs(value) / error, freedom))
    return AccountEffect(
        value=value,
        treated_mean=means[0],
        control_mean=means[1],
        lower=lower,
        upper=upper,
        p_value=p_value,
        standard_error=error,
        degrees_of_freedom=freedom,
        effective_accounts=effective,
        treated=treated,
        control=control,
        left_out=dealt.left_out,
        merged_strata=contrast.merged_strata,
        reason=reason,
    )


def contrast_of(dealt: Accounts, *, average: Average) -> Contrast:
    """Return what the effect is computed from under any assignment of the same design."""
    if average not in ("account", "lead"):
        raise ValueError(f"average is {average!r}; it has to be 'account' or 'lead'.")
    lead = average == "lead"
    size = dealt.leads if lead else np.ones(len(dealt.leads))
    total = dealt.total if lead else dealt.total / dealt.leads
    # Taking a constant off every lead changes no difference, and keeps digits where the outcome is large and even.
    centre = float(total.sum() / size.sum()) if len(size) else math.nan
    centred = total - centre * size
    if np.abs(centred / size).max(initial=0.0) <= _ROUNDING * np.abs(total / size).max(initial=0.0):
        centred = np.zeros(len(size))
    strata, merged = _strata(dealt)
    shares = tuple(float(size[at].sum() / size.sum()) for at in strata)
    return Contrast(
        size=size,
        total=centred,
        centre=centre,
        strata=strata,
        shares=shares,
        paired=dealt.design == "pairs",
        merged_strata=merged,
    )


def too_few(contrast: Contrast, treated: BoolArray) -> str | None:
    """Say why there is no standard error, None if there is one: two accounts are needed in each arm."""
    least = min((min(int(treated[at].sum()), int((~treated[at]).sum())) for at in contrast.strata), default=0)
    if least >= 2:
        return None
    return f"{least} account{'' if least == 1 else 's'} in an arm, and a standard error needs two in each"


def estimates_under(contrast: Contrast, arms: BoolArray) -> Estimates:
    """Compute the effect and its CR2 variance for each row of a matrix of assignments.

    Parameters
    ----------
    contrast
        The accounts, with at least two in each arm of each stratum.
    arms
        A row an assignment, a column an account: whether it is treated.

    Notes
    -----
    With N of an arm's leads, n of an account's and Q the arm's sum of n^2, an account's summed residual r enters the
    variance as r^2 / ((N - n)^2 + Q - n^2): under the working model its mean has the residual variance
    1 - 2 n / N + Q / N^2. In a pair the two accounts' contributions are added before squaring.
    """
    value, variance = np.zeros(len(arms)), np.zeros(len(arms))
    for at, share in zip(contrast.strata, contrast.shares, strict=True):
        size, total, first = contrast.size[at], contrast.total[at], arms[:, at]
        ones = first.astype(np.float64)
        sizes = [side @ size for side in (ones, 1 - ones)]
        squared = [side @ (size * size) for side in (ones, 1 - ones)]
        means = [side @ total / of for side, of in zip((ones, 1 - ones), sizes, strict=True)]
        of_arm, mean, square = (
            np.where(first, *(column[:, np.newaxis] for column in columns)) for columns in (sizes, means, squared)
        )
        residual = total - mean * size
        # Whole numbers of leads leave no rounding here, so that assignments that mirror each other stay equal.
        spread = (of_arm - size) ** 2 + (square - size * size)
        if contrast.paired:
            # Sorted by pair: two neighbouring columns are one.
            score = np.where(first, residual, -residual) / np.sqrt(spread)
            squares = (score[:, 0::2] + score[:, 1::2]) ** 2
        else:
            squares = residual**2 / spread
        value += share * (means[0] - means[1])
        variance += share**2 * squares.sum(axis=1)
    smallest = _ROUNDING * contrast.scale
    return Estimates(
        np.where(np.abs(value) <= smallest, 0.0, value), np.where(variance <= smallest * smallest, 0.0, variance)
    )


def _strata(dealt: Accounts) -> tuple[tuple[IntArray, ...], int]:
    """Return the strata to estimate in and how many were merged: each needs two accounts in both arms."""
    if dealt.design != "stratified":
        return (np.arange(len(dealt.leads)),) if len(dealt.leads) else (), 0
    of = np.bincount(dealt.block)
    treated = np.bincount(dealt.block[dealt.treated], minlength=len(of))
    thin = np.minimum(treated, of - treated) < 2
    merged = set(np.flatnonzero(thin).tolist())
    if merged and min(treated[thin].sum(), (of - treated)[thin].sum()) < 2 and not thin.all():
        merged.add(min(np.flatnonzero(~thin).tolist(), key=lambda code: (of[code], code)))
    group = np.array([-1 if code in merged else code for code in range(len(of))], dtype=np.int64)[dealt.block]
    order = np.argsort(group, kind="stable")
    strata = np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []
    return tuple(strata), len(merged) if len(merged) > 1 else 0


def _floored(number: float) -> str:
    """One decimal, never rounded up to the limit that was missed."""
    return f"{math.floor(number * 10) / 10:.1f}"


def _means(contrast: Contrast, treated: BoolArray) -> tuple[float, float]:
    means = [contrast.centre, contrast.centre]
    for at, share in zip(contrast.strata, contrast.shares, strict=True):
        for arm, side in enumerate((treated[at], ~treated[at])):
            means[arm] += share * float(contrast.total[at][side].sum() / contrast.size[at][side].sum())
    return means[0], means[1]


def _satterthwaite(contrast: Contrast, treated: BoolArray) -> float:
    """(sum of eigenvalues)^2 / sum of squared eigenvalues of the CR2 variance, a quadratic form in accounts' means.

    With h = n / N, S the arm's sum of h^2 and a^2 = h^2 / (1 - 2 h + S), its matrix over the accounts of an arm is h^2
    on the diagonal and a a' (S - h - h') off it. Arms are independent; in pairs their matrices are added.
    """
    trace = squares = 0.0
    for at, share in zip(contrast.strata, contrast.shares, strict=True):
        arms = []
        for side in (treated[at], ~treated[at]):
            size = contrast.size[at][side]
            of_arm, square = size.sum(), (size * size).sum()
            a = size / np.sqrt((of_arm - size) ** 2 + (square - size * size))
            arms.append((size / of_arm, a, square / of_arm**2))
        trace += share**2 * sum(float(s) for _, _, s in arms)
        for i, j in [(0, 0), (0, 1), (1, 0), (1, 1)] if contrast.paired else [(0, 0), (1, 1)]:
            (h, a, s), (g, b, r) = arms[i], arms[j]
            c = a * b
            # The sum over all two accounts of c c' (s - h - h') (r - g - g'), less that of accounts with themselves.
            every = s * r * c.sum() ** 2 + 2 * (c.sum() * (c @ (h * g)) + (c @ h) * (c @ g))
            every -= 2 * c.sum() * (s * (c @ g) + r * (c @ h))
            same = (c * c) @ ((s - 2 * h) * (r - 2 * g))
            squares += share**4 * float(every - same + (h * h) @ (g * g))
    return trace**2 / squares
