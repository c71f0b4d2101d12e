"""Did the arms get, and keep, the shares that the protocol gave them? Where not, no verdict can be trusted.

Every test is on the *units that were dealt*: accounts where accounts were dealt. Four questions, each one test with an
alert at p < 0.001: dealt against protocol, analysed against dealt, over segments, over days. Testing each segment and
day alone would block clean experiments (73 tests at 0.001: 7 % of them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from smarketing.estimates.scored import FloatArray

ALERT = 0.001
# Cochran's rule; below it the exact test takes over where it can be counted out.
_EXPECTED = 5.0
_COUNTED_OUT = 200_000


@dataclass(frozen=True, kw_only=True)
class SampleRatio:
    """One test of the units in each arm.

    Attributes
    ----------
    observed, expected
        Units in each arm, in the order given: dealt, analysed, or summed over the groups.
    statistic, degrees_of_freedom
        Pearson's chi-square; NaN and 0 where nothing could be tested.
    p_value
        1 where nothing could be tested.
    method
        ``"chi-square"``, ``"exact"``, or ``"none"``.
    groups
        Segments or days behind a joint test after thin ones were put together, else 1.
    withheld
        Why nothing could be tested; empty otherwise.
    """

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    statistic: float
    degrees_of_freedom: int
    p_value: float
    method: str
    groups: int = 1
    withheld: str = ""

    @property
    def alert(self) -> bool:
        """Whether the shares are off beyond chance: p < 0.001."""
        return self.p_value < ALERT


def against_protocol(dealt: Sequence[int], shares: Sequence[float]) -> SampleRatio:
    """Test the units dealt to each arm against the protocol's shares.

    Parameters
    ----------
    dealt
        Units dealt to each arm.
    shares
        What the protocol gives each arm, in any unit (1 and 9, or 0.1 and 0.9), each above 0.

    Notes
    -----
    Fabijan et al. (2019), KDD, 2156-2164. Pearson's chi-square; with fewer than 5 units expected in an arm the exact
    multinomial test (all outcomes no likelier than the one seen), as long as it can be counted out. Dealing fixed
    numbers to each arm makes the test conservative.
    """
    counts, parts = _checked(dealt, shares)
    expected = counts.sum() * parts
    if not counts.sum():
        return _nothing(counts, expected, "no unit was dealt")
    if expected.min() >= _EXPECTED:
        return _result(counts, expected, _pearson(counts, expected))
    outcomes = _outcomes(int(counts.sum()), tuple([int(counts.sum())] * len(counts)))
    if outcomes is None:
        return _nothing(counts, expected, f"{expected.min():.2g} units expected in an arm, {_EXPECTED:g} needed")
    logs = stats.multinomial(int(counts.sum()), parts).logpmf(outcomes)
    p_value = _no_likelier(counts, outcomes, logs)
    return _result(counts, expected, _pearson(counts, expected), method="exact", p_value=p_value)


def analysed_against_dealt(analysed: Sequence[int], dealt: Sequence[int]) -> SampleRatio:
    """Test whether the arms lost units on the way from dealing to analysis in unequal shares.

    Parameters
    ----------
    analysed, dealt
        Units of each arm, the analysed among the dealt.

    Notes
    -----
    Pearson's chi-square of analysed and lost by arm; with fewer than 5 lost (or left) units expected in an arm the
    exact test given how many were lost in all (Freeman & Halton 1951, Biometrika 38:141-149; Fisher's for two arms).
    """
    kept, counts = _whole("analysed", analysed), _whole("dealt", dealt)
    if len(kept) != len(counts) or (kept > counts).any():
        raise ValueError(
            f"analysed {_listed(kept)} of dealt {_listed(counts)}: give both for the same arms, and no more analysed "
            "than dealt. Units that were never dealt belong in neither."
        )
    _at_least_two(counts)
    total, left = int(counts.sum()), int(kept.sum())
    expected = counts * (left / total) if total else np.zeros(len(counts))
    if not left:
        return _nothing(kept, expected, "no unit was analysed" if total else "no unit was dealt")
    if (counts > 0).sum() < 2:
        return _nothing(kept, expected, "units were dealt to one arm only")
    if left == total:
        return _result(kept, expected, 0.0)
    lost = counts - kept
    smaller = min(expected[counts > 0].min(), (counts - expected)[counts > 0].min())
    statistic = _pearson(kept, expected) + _pearson(lost, counts - expected)
    if smaller >= _EXPECTED:
        return _result(kept, expected, statistic)
    # The smaller of lost and left is counted out, the other follows.
    rarer = lost if total - left <= left else kept
    outcomes = _outcomes(int(rarer.sum()), _ints(counts))
    if outcomes is None:
        return _nothing(kept, expected, f"{smaller:.2g} units expected in an arm, {_EXPECTED:g} needed")
    logs = stats.multivariate_hypergeom(counts.astype(int), int(rarer.sum())).logpmf(outcomes)
    return _result(kept, expected, statistic, method="exact", p_value=_no_likelier(rarer, outcomes, logs))


def over_groups(dealt: Sequence[Sequence[int]], shares: Sequence[float], *, in_order: bool) -> SampleRatio:
    """Test the units dealt in every segment, or on every day, against the protocol's shares in one joint test.

    Parameters
    ----------
    dealt
        One row a segment or day: units dealt to each arm.
    shares
        As for `against_protocol`.
    in_order
        Whether rows follow each other (days): thin ones are then put together with their neighbours, else (segments)
        with the other thin ones. Which are thin depends on a group's total alone, never on the arms.

    Notes
    -----
    The sum of the groups' chi-squares, groups x (arms - 1) degrees of freedom. It sees shares that are off in one
    segment, and off in opposite directions, which the overall test cannot.
    """
    rows = [_checked(row, shares) for row in dealt]
    if not rows:
        raise ValueError("no segment or day was given; a joint test needs at least one.")
    counts = np.array([row for row, _ in rows])
    parts = rows[0][1]
    needed = _EXPECTED / parts.min()
    merged = _neighbours_merged(counts, needed) if in_order else _rest_merged(counts, needed)
    if not len(merged):
        return _nothing(counts.sum(axis=0), counts.sum() * parts, f"{counts.sum():g} units, {needed:g} needed")
    statistic = math.fsum(_pearson(row, row.sum() * parts) for row in merged)
    return _result(counts.sum(axis=0), counts.sum() * parts, statistic, groups=len(merged))


def _neighbours_merged(counts: FloatArray, needed: float) -> FloatArray:
    merged: list[FloatArray] = []
    waiting = np.zeros(counts.shape[1])
    for row in counts:
        waiting = waiting + row
        if waiting.sum() >= needed:
            merged.append(waiting)
            waiting = np.zeros(counts.shape[1])
    if merged:
        # What is left at the end joins the last.
        merged[-1] = merged[-1] + waiting
    return np.array(merged)


def _rest_merged(counts: FloatArray, needed: float) -> FloatArray:
    """Put thin groups together, and with them the next smallest ones until they are thin no more."""
    order = np.argsort(counts.sum(axis=1), kind="stable")
    rising = counts[order]
    thin = int((rising.sum(axis=1) < needed).sum())
    while 0 < thin < len(rising) and rising[:thin].sum() < needed:
        thin += 1
    rest = rising[:thin].sum(axis=0, keepdims=True)
    kept = rising[thin:]
    return np.concatenate([kept, rest]) if rest.sum() >= needed else kept


def _outcomes(total: int, most: tuple[int, ...]) -> FloatArray | None:
    """All ways to split a total over arms with at most so many in each; None where there are too many."""
    if math.comb(total + len(most) - 1, len(most) - 1) > _COUNTED_OUT:
        return None
    rows = np.zeros((1, 0), dtype=int)
    for arm, limit in enumerate(most):
        left = total - rows.sum(axis=1)
        room = sum(most[arm + 1 :])
        low, high = np.maximum(left - room, 0), np.minimum(left, limit)
        repeat = high - low + 1
        start = np.repeat(low - np.concatenate([[0], np.cumsum(repeat)[:-1]]), repeat)
        rows = np.column_stack([np.repeat(rows, repeat, axis=0), start + np.arange(repeat.sum())])
    return rows


def _no_likelier(counts: FloatArray, outcomes: FloatArray, logs: FloatArray) -> float:
    """Probability of all outcomes no likelier than the one seen; ties differ in the last digits only."""
    seen = logs[(outcomes == counts).all(axis=1)][0]
    return min(math.exp(special.logsumexp(logs[logs <= seen + 1e-7])), 1.0)


def _result(
    counts: FloatArray,
    expected: FloatArray,
    statistic: float,
    *,
    groups: int = 1,
    method: str = "chi-square",
    p_value: float | None = None,
) -> SampleRatio:
    freedom = groups * (int((expected > 0).sum()) - 1)
    return SampleRatio(
        observed=_ints(counts),
        expected=_floats(expected),
        statistic=statistic,
        degrees_of_freedom=freedom,
        p_value=float(stats.chi2.sf(statistic, freedom)) if p_value is None else p_value,
        method=method,
        groups=groups,
    )


def _nothing(counts: FloatArray, expected: FloatArray, reason: str) -> SampleRatio:
    return SampleRatio(
        observed=_ints(counts),
        expected=_floats(expected),
        statistic=math.nan,
        degrees_of_freedom=0,
        p_value=1.0,
        method="none",
        groups=0,
        withheld=reason,
    )


def _pearson(counts: FloatArray, expected: FloatArray) -> float:
    seen = expected > 0
    return float(((counts[seen] - expected[seen]) ** 2 / expected[seen]).sum())


def _checked(dealt: Sequence[int], shares: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    counts, parts = _whole("dealt", dealt), np.asarray(shares, dtype=float)
    if len(counts) != len(parts) or not (np.isfinite(parts) & (parts > 0)).all():
        raise ValueError(
            f"dealt {_listed(counts)} with shares {_listed(parts)}: give one share above 0 for each arm of the "
            "protocol; an arm that got no unit counts 0."
        )
    _at_least_two(counts)
    return counts, parts / parts.sum()


def _at_least_two(counts: FloatArray) -> None:
    if len(counts) < 2:
        raise ValueError(f"{len(counts)} arm; shares of one arm cannot be off. Give every arm of the protocol.")


def _whole(name: str, values: Sequence[int]) -> FloatArray:
    counts = np.asarray(values, dtype=float)
    if not (np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts))).all():
        raise ValueError(f"{name} is {_listed(counts)}; units are whole numbers that are not negative.")
    return counts


def _listed(values: FloatArray) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _ints(values: FloatArray) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _floats(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
