import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from smarketing.estimates.bayes import Belief, NormalPrior, means, rates

# E-mail arms of Hillstrom's campaign: none, men's, women's; who visited, of how many.
VISITS, CUSTOMERS = (2262, 3894, 3238), (21306, 21307, 21387)


def closed_form(a: int, b: int, c: int, d: int) -> float:
    """P(beta(c, d) > beta(a, b)) for whole c: Miller (2015), Evan's Awesome A/B Tools, equation (6)."""
    return sum(
        math.exp(special.betaln(a + i, b + d) - math.log(d + i) - special.betaln(1 + i, d) - special.betaln(a, b))
        for i in range(c)
    )


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 60)] * 4))
def test_probability_of_two_rates_equals_the_closed_form(counts: tuple[int, int, int, int]) -> None:
    won, lost, won_2, lost_2 = counts
    first, second = rates([won, won_2], [won + lost, won_2 + lost_2])
    expected = closed_form(1 + won, 1 + lost, 1 + won_2, 1 + lost_2)
    assert second.probability_best == pytest.approx(expected, abs=1e-9)
    assert first.probability_best == pytest.approx(1 - expected, abs=1e-9)


@settings(deadline=None)
@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.01, 3), st.floats(0.01, 3))
def test_two_normal_arms_equal_the_closed_form(one: float, two: float, error: float, error_2: float) -> None:
    first, second = means([one, two], [error, error_2])
    spread = math.hypot(error, error_2)
    shift = (two - one) / spread
    assert second.probability_best == pytest.approx(stats.norm.cdf(shift), abs=1e-10)
    # E max(two - one, 0) of a normal difference.
    loss = spread * (stats.norm.pdf(shift) + shift * stats.norm.cdf(shift))
    assert first.expected_loss == pytest.approx(loss, abs=1e-10)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=2, max_size=5))
def test_probabilities_add_up_and_losses_agree_with_means(arms: list[tuple[int, int]]) -> None:
    found = rates([min(arm) for arm in arms], [max(arm) for arm in arms])
    assert sum(one.probability_best for one in found) == pytest.approx(1, abs=1e-8)
    # The best arm's expected value is each arm's mean plus its loss, whichever arm.
    best = [one.value + one.expected_loss for one in found]
    assert best == pytest.approx([best[0]] * len(best), abs=1e-8)
    assert all(one.lower < one.value < one.upper and one.expected_loss >= 0 for one in found)


def test_three_rates_equal_adaptive_integration() -> None:
    found = rates(VISITS, CUSTOMERS)
    posteriors = [stats.beta(1 + won, 1 + n - won) for won, n in zip(VISITS, CUSTOMERS, strict=True)]
    for arm, one in enumerate(found):
        others = [p for p in posteriors if p is not posteriors[arm]]
        best, _ = integrate.quad(
            lambda x, arm=arm, others=others: posteriors[arm].pdf(x) * math.prod(p.cdf(x) for p in others),
            0.09, 0.2, points=[0.1, 0.11, 0.14, 0.15, 0.16, 0.18, 0.19], limit=500,
        )  # fmt: skip
        assert one.probability_best == pytest.approx(best, abs=1e-9)


def test_three_close_arms_equal_simulation() -> None:
    rng, draws = np.random.default_rng(3), 400_000
    won, units = (100, 110, 105), (1000, 1000, 800)
    drawn = np.column_stack([rng.beta(1 + w, 1 + n - w, draws) for w, n in zip(won, units, strict=True)])
    for arm, one in enumerate(rates(won, units)):
        share = (drawn.argmax(axis=1) == arm).mean()
        assert one.probability_best == pytest.approx(share, abs=4 * math.sqrt(0.25 / draws))
        loss = drawn.max(axis=1) - drawn[:, arm]
        assert one.expected_loss == pytest.approx(loss.mean(), abs=4 * loss.std() / math.sqrt(draws))


def test_the_posterior_is_the_textbooks() -> None:
    # 8 of 20 after a flat prior: beta(9, 13).
    one, _ = rates([8, 1], [20, 20])
    assert one.value == pytest.approx(9 / 22)
    assert special.betainc(9, 13, [one.lower, one.upper]) == pytest.approx([0.025, 0.975], abs=1e-12)


def test_a_normal_prior_weighs_by_precision() -> None:
    # Precisions 1 and 1/4, so that four fifths of the way from 0 to 10 are gone.
    one, other = means([10.0, 0.0], [1.0, 1.0], prior=NormalPrior(mean=0.0, standard_deviation=2.0))
    assert one.value == pytest.approx(8.0)
    assert one.upper - one.value == pytest.approx(1.959964 * math.sqrt(0.8), rel=1e-6)
    assert other.value == 0.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0.1, 2)), min_size=2, max_size=4))
def test_lower_is_better_is_the_mirror_image(arms: list[tuple[float, float]]) -> None:
    values, errors = zip(*arms, strict=True)
    lower = means(values, errors, higher_is_better=False)
    mirrored = means([-value for value in values], errors)
    for one, other in zip(lower, mirrored, strict=True):
        assert one.probability_best == pytest.approx(other.probability_best, abs=1e-10)
        assert one.expected_loss == pytest.approx(other.expected_loss, abs=1e-10)


def test_a_clear_loser_is_told_with_digits() -> None:
    # 20 standard errors apart: nothing cancels in the small loss of the better arm.
    better, worse = means([20.0, 0.0], [1 / math.sqrt(2)] * 2)
    assert worse.expected_loss == pytest.approx(20.0, rel=1e-9)
    assert better.probability_best == pytest.approx(1.0, abs=1e-12)
    close, _ = means([6.0, 0.0], [1 / math.sqrt(2)] * 2)
    assert close.expected_loss == pytest.approx(stats.norm.pdf(6) - 6 * stats.norm.sf(6), rel=1e-6)


def test_equal_arms_are_equally_likely_best() -> None:
    found = rates([0, 0, 0], [0, 0, 0])
    assert [one.probability_best for one in found] == pytest.approx([1 / 3] * 3, abs=1e-9)
    assert found[0] == Belief(
        0.5, pytest.approx(0.025), pytest.approx(0.975), found[0].probability_best, pytest.approx(0.25)
    )


def refused(message: str) -> pytest.RaisesExc[ValueError]:
    return pytest.raises(ValueError, match=f"^{re.escape(message)}$")


def test_bad_input_is_refused() -> None:
    with refused("2 successes and 1 units were given; at least two arms are needed, with one of each."):
        rates([1, 2], [5])
    with refused("1 values and 1 standard_errors were given; at least two arms are needed, with one of each."):
        means([1], [5])
    with refused(
        "an arm has 6 successes in 5 units: both have to be finite and 0 <= successes <= units. "
        "Count successes among the same units."
    ):
        rates([1, 6], [5, 5])
    with refused("the prior is beta(0, 1); both parameters have to be above 0, as in (1, 1)."):
        rates([1, 2], [5, 5], prior=(0, 1))
    with refused(
        "an arm has the value 1.0 with standard error 0.0; both have to be finite and the error above 0. "
        "Leave arms without an estimate out."
    ):
        means([1.0, 2.0], [0.0, 1.0])
    with refused(
        "the prior has mean 0.0 and standard deviation 0.0; both have to be finite and the deviation above 0. "
        "Leave the prior out where nothing is believed."
    ):
        NormalPrior(mean=0.0, standard_deviation=0.0)
