"""Could chance alone have dealt this? The randomisation test of an experiment that was dealt by account.

If the campaign changed nothing, every account would have had the same outcome in the other arm, and what happened is
one of the dealings that might have been. Nothing is assumed about accounts: their number, sizes and outcomes may be
anything. The statistic is the effect over its CR2 error (`account_effects`), which keeps the test honest, with more
accounts, also where only the average effect is nil and not each one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from smarketing.estimates.account_effects import (
    AccountEffect,
    Average,
    Contrast,
    account_effect,
    contrast_of,
    estimates_under,
    too_few,
)
from smarketing.estimates.dealt_accounts import Accounts
from smarketing.estimates.scored import BoolArray, FloatArray

# Effective accounts of the smaller arm and degrees of freedom below which CR2 does not decide.
FEW_EFFECTIVE_ACCOUNTS = 40.0
FEW_DEGREES_OF_FREEDOM = 10.0
# Two statistics closer than this, relatively, are one: assignments that mirror each other differ by rounding.
_SAME = 1e-9
# Cells of a matrix of assignments that are worked on at once.
_CELLS = 1_000_000

Blocks = Sequence[tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class RandomisationTest:
    """How rare the effect would be among the dealings that might have been, had the campaign changed nothing.

    Attributes
    ----------
    p_value
        Two-sided; NaN where the test is refused.
    assignments
        How many ways of dealing the design has; infinite where a floating-point number cannot say.
    draws
        How many of them were looked at.
    exact
        Whether those were all; otherwise they were drawn and the one that was dealt is counted with them.
    smallest_p
        The smallest p-value that the design can give, whatever the outcomes, with so many draws.
    smallest_p_here
        The smallest it could have given with these outcomes; larger where few accounts have any. NaN where refused.
    reason
        Why the test is refused, None where it is not.
    """

    p_value: float
    assignments: float
    draws: int
    exact: bool
    smallest_p: float
    smallest_p_here: float
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The p-value that decides, the interval beside it, and whether the two say the same.

    Attributes
    ----------
    p_value
        The p-value to decide by; NaN where nothing can be decided.
    by
        "randomisation" or "CR2".
    effect
        The effect with its interval at 1 - alpha.
    test
        The randomisation test, None where CR2 decides.
    agree
        Whether the interval excludes 0 exactly when the p-value is below alpha; None where one of them is withheld.
    reason
        Why nothing can be decided, None where it can.
    """

    p_value: float
    by: str
    effect: AccountEffect
    test: RandomisationTest | None
    agree: bool | None
    reason: str | None


def assignments(blocks: Blocks) -> int:
    """Count the ways to deal accounts: in each block, k of n to the first arm.

    Parameters
    ----------
    blocks
        (n, k) of each stratum; one of all accounts for a complete design, (2, 1) for each pair.
    """
    for n, k in blocks:
        if not 0 <= k <= n:
            raise ValueError(f"a block has {n} accounts and {k} of them treated; treated have to be 0 to {n}.")
    return math.prod(math.comb(n, k) for n, k in blocks)


def smallest_p_value(blocks: Blocks) -> float:
    """Return the smallest two-sided p-value that a design can give; `assignments` says what blocks are.

    Where every block has as many treated as control accounts, the dealing with all arms exchanged has the same
    statistic with the opposite sign, and two of all dealings are the least there can be; otherwise one is.
    """
    ways = assignments(blocks)
    return min((2 if all(n == 2 * k for n, k in blocks) else 1) / ways, 1.0)


def check_reach(blocks: Blocks, *, alpha: float = 0.05) -> None:
    """Raise ``ValueError`` where no outcome whatsoever could give a p-value below alpha: five pairs, three and three.

    For the time before the start; a readout of such a design gets a result with a reason.
    """
    _check_alpha(alpha)
    reason = _out_of_reach(blocks, alpha)
    if reason:
        raise ValueError(f"{reason}. Deal more accounts, larger strata, or no pairs.")


def randomisation_test(
    dealt: Accounts, *, average: Average, draws: int = 19_999, seed: int = 0, alpha: float = 0.05
) -> RandomisationTest:
    """Test that the campaign changed no account's outcome, under the design that was dealt.

    Parameters
    ----------
    dealt
        The accounts; dealt again are those with leads, within their strata or pairs, so many to each arm as were.
    average
        As in `account_effects.account_effect`.
    draws
        A design with no more ways of dealing than this is gone through whole; of others, so many are drawn.
    seed
        A whole number, 0 or more. The draws depend on it and on the accounts' keys, not on the order of rows.
    alpha
        A design that cannot reach a p-value below this is refused.

    Returns
    -------
    RandomisationTest
        Refused, with the reason, also where an arm has fewer than two accounts.

    Notes
    -----
    Two-sided on the absolute studentised statistic: Wu & Ding (2021), Journal of the American Statistical Association
    116:1898-1913; Su & Ding (2021), Journal of the Royal Statistical Society B 83:994-1015, for accounts. Drawn
    dealings: p = (1 + those at least as far out) / (1 + draws), Phipson & Smyth (2010), Statistical Applications in
    Genetics and Molecular Biology 9:39, which makes the error rate at most alpha whatever the number of draws.

    What it holds, from simulated A/A experiments (``tests/validate/test_randomisation_validate.py``): 8 to 40 accounts
    with log-normal sizes to sigma 1.5 and outcomes that grow with size reject in at most 5 %, in complete, stratified
    and paired designs; a test on leads as if they were independent rejects in 40 to 75 %, and in 12 to 20 % with sizes
    to sigma 0.5.
    """
    _check_alpha(alpha)
    if draws < 1:
        raise ValueError(f"draws is {draws}; at least one is needed, and 999 or more for a p-value.")
    blocks = dealt.blocks
    ways = assignments(blocks)
    exact = ways <= draws
    looked_at = ways if exact else draws
    smallest = smallest_p_value(blocks) if exact else max(smallest_p_value(blocks), 1 / (draws + 1))
    contrast = contrast_of(dealt, average=average)
    reason = too_few(contrast, dealt.treated) or _out_of_reach(blocks, alpha)
    if reason is None and smallest >= alpha:
        reason = f"{draws} draws cannot give a p-value below {alpha:g}; the least they give is {smallest:.3g}"
    p_value = here = math.nan
    if reason is None:
        observed = float(_statistics(contrast, dealt.treated[np.newaxis])[0])
        ways_dealt = _every(blocks, ways) if exact else _drawn(blocks, draws, seed)
        far = [_statistics(contrast, arms) for arms in ways_dealt]
        # What was dealt is one of all; of those drawn it is counted as one more.
        everyone = np.concatenate([*far, [] if exact else [observed]])
        p_value = _share_at_least(everyone, observed)
        here = _share_at_least(everyone, float(everyone.max()))
    return RandomisationTest(
        p_value=p_value,
        assignments=_as_float(ways),
        draws=looked_at,
        exact=exact,
        smallest_p=smallest,
        smallest_p_here=here,
        reason=reason,
    )


def decide(dealt: Accounts, *, average: Average, draws: int = 19_999, seed: int = 0, alpha: float = 0.05) -> Decision:
    """Return the p-value to decide by, with the effect and its interval.

    The randomisation test decides where the smaller arm has the weight of fewer than 40 equally large accounts, where
    Satterthwaite's degrees of freedom are below 10, or where there is no CR2 p-value; otherwise CR2 with Satterthwaite
    does. Parameters as `randomisation_test`.

    Notes
    -----
    Forty accounts in number are not enough, nor are ten degrees of freedom, which depend on who is in which arm: with
    sizes of sigma 1.5, and 10 degrees of freedom or more, 6 to 24 % of A/A experiments with 6 to 20 effective accounts
    are rejected by CR2. With 40 and more effective accounts 5 % are.
    """
    _check_alpha(alpha)
    effect = account_effect(dealt, average=average, confidence=1 - alpha)
    few = effect.effective_accounts < FEW_EFFECTIVE_ACCOUNTS or effect.degrees_of_freedom < FEW_DEGREES_OF_FREEDOM
    if not few and not math.isnan(effect.p_value):
        return Decision(p_value=effect.p_value, by="CR2", effect=effect, test=None, agree=True, reason=None)
    test = randomisation_test(dealt, average=average, draws=draws, seed=seed, alpha=alpha)
    agree = None
    if test.reason is None and effect.reason is None:
        agree = (test.p_value < alpha) == (effect.lower > 0 or effect.upper < 0)
    return Decision(p_value=test.p_value, by="randomisation", effect=effect, test=test, agree=agree, reason=test.reason)


def _out_of_reach(blocks: Blocks, alpha: float) -> str | None:
    smallest = smallest_p_value(blocks)
    if smallest < alpha:
        return None
    accounts = sum(n for n, _ in blocks)
    ways = assignments(blocks)
    return (
        f"{accounts} accounts in {len(blocks)} block{'' if len(blocks) == 1 else 's'} can be dealt in {ways} "
        f"way{'' if ways == 1 else 's'}, so no p-value below {smallest:.3g} is possible, and the decision needs one "
        f"below {alpha:g}"
    )


def _statistics(contrast: Contrast, arms: BoolArray) -> FloatArray:
    """Absolute effect over its error: 0 where there is no effect, infinite where there is one and no error."""
    found = estimates_under(contrast, arms)
    size, error = np.abs(found.value), np.sqrt(found.variance)
    statistic = np.where(size > 0, np.inf, 0.0)
    np.divide(size, error, out=statistic, where=error > 0)
    return statistic


def _share_at_least(statistics: FloatArray, limit: float) -> float:
    return int((statistics >= limit * (1 - _SAME)).sum()) / len(statistics)


def _every(blocks: Blocks, ways: int) -> Iterator[BoolArray]:
    """Yield all assignments, some rows at a time: the last block's choices change fastest."""
    choices = []
    for n, k in blocks:
        chosen = np.array(list(itertools.combinations(range(n), k)), dtype=np.intp)
        arms = np.zeros((len(chosen), n), dtype=np.bool_)
        np.put_along_axis(arms, chosen, True, axis=1)
        choices.append(arms)
    rows = max(1, _CELLS // sum(n for n, _ in blocks))
    for start in range(0, ways, rows):
        number = np.arange(start, min(start + rows, ways))
        parts = []
        for arms in reversed(choices):
            number, digit = np.divmod(number, len(arms))
            parts.append(arms[digit])
        yield np.concatenate(parts[::-1], axis=1)


def _drawn(blocks: Blocks, draws: int, seed: int) -> Iterator[BoolArray]:
    """Yield random assignments, some rows at a time: in each block the k accounts with the smallest random numbers.

    Numbers come in the order of draws and accounts, so they do not depend on how many rows are made at once.
    """
    generator = np.random.default_rng(seed)
    accounts = sum(n for n, _ in blocks)
    starts = np.cumsum([0] + [n for n, _ in blocks[:-1]])
    # Blocks alike are dealt together: a thousand pairs are one step.
    alike = [
        (
            n,
            k,
            np.concatenate(
                [np.arange(at, at + n) for at, block in zip(starts, blocks, strict=True) if block == (n, k)]
            ),
        )
        for n, k in sorted(set(blocks))
    ]
    rows = max(1, _CELLS // accounts)
    for start in range(0, draws, rows):
        made = min(rows, draws - start)
        random = generator.random((made, accounts))
        arms = np.empty((made, accounts), dtype=np.bool_)
        for n, k, columns in alike:
            numbers = random[:, columns].reshape(made, -1, n)
            last = np.partition(numbers, k - 1, axis=2)[:, :, k - 1 : k]
            arms[:, columns] = (numbers <= last).reshape(made, -1)
        yield arms


def _as_float(whole: int) -> float:
    try:
        return float(whole)
    except OverflowError:
        return math.inf


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it has to lie between 0 and 1, as 0.05 does for decisions at 5 %.")
