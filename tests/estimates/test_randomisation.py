import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dealt_worlds import DESIGNS, World, world
from smarketing.estimates import randomisation
from smarketing.estimates.account_effects import Average, account_effect
from smarketing.estimates.dealt_accounts import Accounts, accounts
from smarketing.estimates.randomisation import assignments, check_reach, decide, randomisation_test, smallest_p_value


def dealt(made: World, treated: np.ndarray | None = None, at: np.ndarray | None = None) -> Accounts:
    at = np.arange(len(made.leads)) if at is None else at
    return accounts(
        np.array([f"{i:03d}" for i in at]),
        made.leads[at],
        made.total[at],
        (made.treated if treated is None else treated)[at],
        strata=None if made.strata is None else made.strata[at],
        pairs=None if made.pairs is None else made.pairs[at],
    )


def untied(made: World) -> World:
    """Return the same experiment on an amount, which no two accounts have alike."""
    return replace(made, total=made.total + made.leads * np.random.default_rng(0).normal(0, 0.01, len(made.leads)))


def ways(made: World) -> list[np.ndarray]:
    """Return every dealing of the design, by plain loops."""
    block = np.zeros(len(made.leads), int)
    block = made.strata if made.strata is not None else made.pairs if made.pairs is not None else block
    choices = []
    for code in np.unique(block):
        members = np.flatnonzero(block == code)
        choices.append(list(itertools.combinations(members, int(made.treated[members].sum()))))
    return [np.isin(np.arange(len(block)), list(itertools.chain(*chosen))) for chosen in itertools.product(*choices)]


def test_darwins_maize_has_fishers_p_value() -> None:
    # Fisher (1935), The Design of Experiments, section 21: of 32,768 ways to deal 15 pairs, 863 have a sum of at least
    # 314, so 5.267 per cent in both directions. With pairs the studentised statistic orders dealings as the sum does.
    difference = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48])
    crossed = np.array([188, 96, 168, 176, 153, 172, 177, 163, 146, 173, 186, 168, 177, 184, 96])
    found = randomisation_test(
        accounts(
            np.arange(30),
            np.ones(30),
            np.concatenate([crossed, crossed - difference]),
            np.repeat([1, 0], 15),
            pairs=np.tile(np.arange(15), 2),
        ),
        average="account",
        draws=32_768,
    )
    assert found.p_value == 2 * 863 / 32_768
    assert (found.assignments, found.draws, found.exact, found.reason) == (32_768, 32_768, True, None)
    assert found.smallest_p == found.smallest_p_here == 2 / 32_768


def test_complete_design_equals_scipy() -> None:
    # scipy.stats.permutation_test((treated, control), |Welch t|, n_resamples=inf, alternative="greater").
    made = world(3, accounts=11, design="complete", treated_share=0.4)
    mean = made.total / made.leads

    def statistic(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.abs(stats.ttest_ind(first, second, equal_var=False, axis=axis).statistic)

    expected = stats.permutation_test(
        (mean[made.treated], mean[~made.treated]), statistic, n_resamples=np.inf, alternative="greater"
    )
    assert randomisation_test(dealt(made), average="account").p_value == pytest.approx(expected.pvalue, abs=1e-12)


@pytest.mark.parametrize("average", ["account", "lead"])
@pytest.mark.parametrize("design", DESIGNS)
def test_exact_test_equals_one_effect_after_another(design: str, average: Average) -> None:
    made = untied(world(8, accounts=12, design=design, sigma=0.7, effect=0.8))
    far = []
    for treated in ways(made):
        effect = account_effect(dealt(made, treated), average=average)
        far.append(abs(effect.value) / effect.standard_error)
    effect = account_effect(dealt(made), average=average)
    observed = abs(effect.value) / effect.standard_error
    found = randomisation_test(dealt(made), average=average)
    assert found.exact and found.assignments == len(far)
    assert found.p_value == np.mean(np.array(far) >= observed * (1 - 1e-9))
    assert found.smallest_p == found.smallest_p_here == 2 / len(far)


@pytest.mark.parametrize("average", ["account", "lead"])
@pytest.mark.parametrize("design", DESIGNS)
def test_whatever_the_outcomes_no_more_than_alpha_of_dealings_reject(design: str, average: Average) -> None:
    # Under no effect each dealing is as likely, so this is the exact error rate: no simulation needed.
    rates = world(21, accounts=12 if design != "complete" else 9, design=design)
    for made in (rates, untied(rates)):
        found = [randomisation_test(dealt(made, treated), average=average) for treated in ways(made)]
        p_values = np.array([one.p_value for one in found])
        for alpha in (0.05, 0.1, 0.2, 0.5):
            share = np.mean(p_values <= alpha)
            assert share <= alpha, (alpha, share)
            # Without ties nothing is given away either.
            assert made is rates or share > alpha - found[0].smallest_p, (alpha, share)
        assert p_values.min() == found[0].smallest_p_here


@pytest.mark.parametrize("design", DESIGNS)
def test_drawn_dealings_come_near_all_of_them(design: str) -> None:
    made = world(13, accounts=16, design=design, effect=0.6)
    every = randomisation_test(dealt(made), average="lead")
    drawn = [randomisation_test(dealt(made), average="lead", draws=200, seed=seed) for seed in range(40)]
    assert every.exact and not any(one.exact for one in drawn)
    assert all(round(one.p_value * 201, 6).is_integer() and one.p_value >= 1 / 201 for one in drawn)
    error = math.sqrt(every.p_value * (1 - every.p_value) / 8000)
    # The dealt one is counted with those drawn.
    expected = (200 * every.p_value + 1) / 201
    assert abs(np.mean([one.p_value for one in drawn]) - expected) < 3.5 * error


@pytest.mark.parametrize("design", DESIGNS)
def test_drawn_dealings_keep_the_design_and_treat_each_account_as_often(design: str) -> None:
    given_ = dealt(world(2, accounts=40, design=design))
    arms = np.concatenate(list(randomisation._drawn(given_.blocks, 20_000, 11)))
    assert arms.shape == (20_000, 40)
    starts = np.cumsum([0] + [n for n, _ in given_.blocks[:-1]])
    assert (np.add.reduceat(arms.astype(int), starts, axis=1) == [k for _, k in given_.blocks]).all()
    assert (np.abs(arms.mean(axis=0) - 0.5) < 4 * 0.5 / math.sqrt(20_000)).all()
    every = np.concatenate(list(randomisation._every(((4, 2), (3, 1), (2, 1)), 36)))
    assert len(np.unique(every, axis=0)) == 36
    assert (np.add.reduceat(every.astype(int), [0, 4, 7], axis=1) == [2, 1, 1]).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations(range(24)), design=st.sampled_from(DESIGNS))
def test_order_of_rows_does_not_matter(seed: int, order: list[int], design: str) -> None:
    made = world(seed, accounts=24, design=design)
    found = [
        randomisation_test(dealt(made, at=np.array(at)), average="lead", draws=300, seed=seed)
        for at in (range(24), order)
    ]
    assert repr(found[0]) == repr(found[1])


def test_seed_decides_and_size_of_a_piece_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    given_ = dealt(world(7, accounts=30, design="complete", effect=0.5))
    found = [randomisation_test(given_, average="lead", draws=500, seed=seed) for seed in (1, 1, 2)]
    assert found[0] == found[1] and found[0].p_value != found[2].p_value
    exact = randomisation_test(dealt(world(7, accounts=12, design="pairs")), average="lead")
    monkeypatch.setattr(randomisation, "_CELLS", 100)
    assert randomisation_test(given_, average="lead", draws=500, seed=1) == found[0]
    assert randomisation_test(dealt(world(7, accounts=12, design="pairs")), average="lead") == exact


@pytest.mark.parametrize(
    ("blocks", "ways_", "smallest"),
    [
        ([(2, 1)] * 4, 16, 0.125),
        ([(2, 1)] * 5, 32, 0.0625),
        ([(2, 1)] * 6, 64, 0.03125),
        ([(6, 3)], 20, 0.1),
        ([(7, 3)], 35, 1 / 35),
        ([(8, 4)], 70, 2 / 70),
        ([(4, 2), (4, 2)], 36, 2 / 36),
        ([(4, 2), (5, 2)], 60, 1 / 60),
        ([(3, 3)], 1, 1.0),
        ([], 1, 1.0),
    ],
)
def test_smallest_p_value_of_a_design(blocks: list[tuple[int, int]], ways_: int, smallest: float) -> None:
    assert assignments(blocks) == ways_
    assert smallest_p_value(blocks) == pytest.approx(smallest)
    if smallest < 0.05:
        check_reach(blocks)
    else:
        with pytest.raises(ValueError, match=r"^\d+ accounts in \d+ blocks? can be dealt in \d+ ways?, so no p-value"):
            check_reach(blocks)


def test_four_pairs_are_refused() -> None:
    reason = (
        "8 accounts in 4 blocks can be dealt in 16 ways, so no p-value below 0.125 is possible, and the decision "
        "needs one below 0.05"
    )
    with pytest.raises(
        ValueError, match=f"^{re.escape(reason + '. Deal more accounts, larger strata, or no pairs.')}$"
    ):
        check_reach([(2, 1)] * 4)
    decision = decide(dealt(world(1, accounts=8, design="pairs", effect=3)), average="account")
    assert (decision.reason, decision.by, decision.agree) == (reason, "randomisation", None)
    assert math.isnan(decision.p_value) and decision.test is not None and decision.test.smallest_p == 0.125


def test_an_arm_with_one_account_and_too_few_draws_are_refused() -> None:
    given_ = accounts(range(30), np.ones(30), np.arange(30), np.arange(30) == 3)
    found = randomisation_test(given_, average="account")
    assert found.reason == "1 account in an arm, and a standard error needs two in each"
    given_ = dealt(world(1, accounts=30, design="complete"))
    found = randomisation_test(given_, average="account", draws=15)
    assert found.reason == "15 draws cannot give a p-value below 0.05; the least they give is 0.0625"
    with pytest.raises(ValueError, match=r"^draws is 0; at least one is needed, and 999 or more for a p-value\.$"):
        randomisation_test(given_, average="account", draws=0)
    message = "alpha is 5; it has to lie between 0 and 1, as 0.05 does for decisions at 5 %."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        randomisation_test(given_, average="account", alpha=5)
    message = "a block has 3 accounts and 4 of them treated; treated have to be 0 to 3."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        assignments([(3, 4)])


def test_outcomes_without_spread_and_outcomes_of_one_account() -> None:
    leads = np.arange(1, 13)
    alike = randomisation_test(accounts(range(12), leads, 0.1 * leads, [1, 0] * 6), average="lead")
    assert (alike.p_value, alike.smallest_p_here) == (1.0, 1.0)
    # Apart in either arm without any spread: as far out as can be, with its mirror image.
    apart = randomisation_test(accounts(range(12), leads, 0.1 * leads * ([1, 0] * 6), [1, 0] * 6), average="lead")
    assert apart.p_value == 2 / 924
    # One account has all outcomes: where it falls is all there is, so with equal sizes nothing can be found.
    lonely = randomisation_test(accounts(range(12), np.ones(12), np.arange(12) == 0, [1, 0] * 6), average="account")
    assert (lonely.p_value, lonely.smallest_p_here) == (1.0, 1.0)
    assert lonely.smallest_p == 2 / 924


def test_who_decides() -> None:
    rng = np.random.default_rng(4)
    leads, arm = rng.integers(8, 12, 120), np.arange(120) % 2
    total = rng.binomial(leads, 0.3) + 1.0 * arm
    many = decide(accounts(range(120), leads, total, arm), average="lead")
    assert many.by == "CR2" and many.test is None and many.effect.effective_accounts >= 40
    assert many.p_value == many.effect.p_value and many.agree
    fewer = decide(accounts(range(79), leads[:79], total[:79], arm[:79]), average="account", draws=999)
    assert fewer.effect.effective_accounts == 39 and fewer.effect.degrees_of_freedom > 70
    assert fewer.by == "randomisation" and fewer.test is not None and fewer.p_value == fewer.test.p_value
    # One account with most of the leads decides the lead average, however many accounts there are.
    leads[0] = 4000
    whale = decide(accounts(range(120), leads, total, arm), average="lead", draws=999)
    assert whale.by == "randomisation" and whale.effect.reason is not None and whale.agree is None
    assert decide(accounts(range(120), leads, total, arm), average="account").by == "CR2"


def test_interval_and_test_that_disagree_are_named() -> None:
    disagreeing = 0
    for seed in range(60):
        made = world(seed, accounts=16, design="complete", effect=1.0, sigma=0.8)
        decision = decide(dealt(made), average="lead", draws=999)
        effect = decision.effect
        if effect.reason is None:
            excludes = effect.lower > 0 or effect.upper < 0
            assert decision.agree == (excludes == (decision.p_value < 0.05))
            disagreeing += not decision.agree
        else:
            assert decision.agree is None
    assert disagreeing > 0


def test_the_number_of_ways_may_be_beyond_floats() -> None:
    rng = np.random.default_rng(0)
    leads = rng.integers(1, 9, 4000)
    found = randomisation_test(
        accounts(range(4000), leads, rng.binomial(leads, 0.2), np.arange(4000) % 2), average="lead", draws=199
    )
    assert found.assignments == math.inf and found.smallest_p == 1 / 200 and 0 < found.p_value <= 1
