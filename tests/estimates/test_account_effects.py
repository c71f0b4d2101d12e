import math
import re

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dealt_worlds import DESIGNS, World, world
from smarketing.estimates.account_effects import AccountEffect, Average, account_effect
from smarketing.estimates.dealt_accounts import Accounts, accounts
from smarketing.estimates.means import Sums, welch


def dealt(made: World) -> Accounts:
    return accounts(
        np.arange(len(made.leads)), made.leads, made.total, made.treated, strata=made.strata, pairs=made.pairs
    )


def bell_mccaffrey(
    y: np.ndarray, weight: np.ndarray, treated: np.ndarray, stratum: np.ndarray, cluster: np.ndarray
) -> tuple[float, float, float]:
    """Effect, CR2 error and Satterthwaite degrees of freedom of a weighted regression, by its full matrices.

    The regression is y ~ arm within each stratum, the effect the strata's by their shares of weight. Pustejovsky &
    Tipton (2018), equations (4) to (12), identity as working covariance F: H = X M X' W,
    B_g = ((I - H) F (I - H)')_gg, A_g = B_g^(-1/2), V = sum (c M X_g' W_g A_g e_g)^2, P_g = (I - H)_g' A_g W_g X_g M c,
    df = tr(P'P)^2 / tr((P'P)^2).
    """
    names, of = np.unique(stratum, return_inverse=True)
    share = np.bincount(of, weight) / weight.sum()
    x = np.column_stack([(stratum == name) & (treated == arm) for name in names for arm in (1, 0)]).astype(float)
    c = np.column_stack([share, -share]).ravel()
    m = np.linalg.inv(x.T @ (weight[:, np.newaxis] * x))
    left = np.eye(len(y)) - x @ m @ (x.T * weight)
    p = []
    for name in np.unique(cluster):
        rows = np.flatnonzero(cluster == name)
        root, vectors = np.linalg.eigh(left[rows] @ left[rows].T)
        adjustment = vectors @ np.diag(1 / np.sqrt(root)) @ vectors.T
        p.append(left[rows].T @ adjustment @ (weight[rows, np.newaxis] * x[rows]) @ m @ c)
    columns = np.column_stack(p)
    gram = columns.T @ columns
    value = c @ m @ (x.T * weight) @ y
    return value, math.sqrt(((columns.T @ y) ** 2).sum()), np.trace(gram) ** 2 / (gram**2).sum()


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("average", ["lead", "account"])
def test_equals_bell_mccaffrey_by_matrices(design: str, seed: int, average: Average) -> None:
    made = world(seed, accounts=24, design=design, sigma=1.0)
    stratum = np.zeros(24, int) if made.strata is None else made.strata
    cluster = np.arange(24) if made.pairs is None else made.pairs
    weight = made.leads if average == "lead" else np.ones(24)
    value, error, freedom = bell_mccaffrey(made.total / made.leads, weight, made.treated, stratum, cluster)
    found = account_effect(dealt(made), average=average)
    assert (found.value, found.standard_error) == pytest.approx((value, error), rel=1e-9)
    assert found.degrees_of_freedom == pytest.approx(freedom, rel=1e-9)
    assert (found.reason is None) == (freedom >= 4 and found.effective_accounts >= 4)
    if found.reason is None:
        half = stats.t.ppf(0.975, freedom) * error
        assert (found.lower, found.upper) == pytest.approx((value - half, value + half), rel=1e-9)
        assert found.p_value == pytest.approx(2 * stats.t.sf(abs(value / error), freedom), rel=1e-9)


def test_one_account_with_most_leads_does_not_pass_for_well_known() -> None:
    # With leads taken as independent its arm has a small error and many degrees of freedom.
    leads = np.array([4000, *[7] * 59])
    rng = np.random.default_rng(1)
    found = account_effect(accounts(range(60), leads, rng.binomial(leads, 0.3), np.arange(60) % 2), average="lead")
    assert found.effective_accounts == pytest.approx(leads.sum() ** 2 / (leads**2).sum() / 2)
    assert found.degrees_of_freedom < 2
    assert found.reason == "the smaller arm has the weight of 0.6 equally large accounts, and an interval needs 4"


def test_stratified_account_average_equals_statsmodels_hc2() -> None:
    # OLS(mean, arm + strata + arm x strata, strata centred).fit(cov_type="HC2"): the coefficient of the arm.
    made = world(2, accounts=32, design="stratified", treated_share=0.4)
    assert made.strata is not None
    dummies = (made.strata[:, np.newaxis] == np.unique(made.strata)[1:]).astype(float)
    centred = dummies - dummies.mean(axis=0)
    arm = made.treated[:, np.newaxis].astype(float)
    x = np.column_stack([np.ones(32), arm, centred, arm * centred])
    fit = sm.OLS(made.total / made.leads, x).fit(cov_type="HC2")
    found = account_effect(dealt(made), average="account")
    assert (found.value, found.standard_error) == pytest.approx((fit.params[1], fit.bse[1]), rel=1e-9)


@pytest.mark.parametrize("treated", [3, 10, 25])
def test_complete_account_average_has_welch_error_and_bell_mccaffrey_freedom(treated: int) -> None:
    rng = np.random.default_rng(treated)
    leads, total, arm = rng.integers(1, 30, 30), rng.normal(10, 3, 30), np.arange(30) < treated
    found = account_effect(accounts(np.arange(30), leads, total, arm), average="account")
    mean = total / leads
    sides = [
        Sums(n=len(v), total=float(v.sum()), squares=float((v * v).sum())) for v in (mean[:treated], mean[treated:])
    ]
    expected = welch(*sides)
    assert (found.value, found.standard_error) == pytest.approx((expected.value, expected.standard_error), rel=1e-9)
    # Imbens & Kolesar (2016), Review of Economics and Statistics 98:701-712, section II: the Behrens-Fisher problem.
    n1, n0 = treated, 30 - treated
    freedom = (n0 + n1) ** 2 * (n0 - 1) * (n1 - 1) / (n1**2 * (n1 - 1) + n0**2 * (n0 - 1))
    assert found.degrees_of_freedom == pytest.approx(freedom, rel=1e-9)


def test_paired_account_average_is_the_paired_t_test() -> None:
    # scipy.stats.ttest_rel(treated, control) and its confidence_interval().
    made = world(4, accounts=24, design="pairs")
    mean, order = made.total / made.leads, np.argsort(made.pairs, kind="stable")
    first, second = (mean[[i for i in order if made.treated[i] == arm]] for arm in (True, False))
    expected = stats.ttest_rel(first, second)
    interval = expected.confidence_interval(0.9)
    found = account_effect(dealt(made), average="account", confidence=0.9)
    assert (found.value, found.p_value) == pytest.approx(((first - second).mean(), expected.pvalue), rel=1e-9)
    assert (found.lower, found.upper, found.degrees_of_freedom) == pytest.approx((*interval, 11), rel=1e-9)


def test_means_of_the_arms_are_those_of_leads_and_of_accounts() -> None:
    given_ = accounts(["a", "b", "c", "d"], [1, 3, 2, 6], [1, 0, 1, 3], [1, 1, 0, 0])
    lead, account = (account_effect(given_, average=average) for average in ("lead", "account"))
    assert (lead.treated_mean, lead.control_mean, lead.value) == pytest.approx((1 / 4, 4 / 8, -1 / 4))
    assert (account.treated_mean, account.control_mean, account.value) == pytest.approx((1 / 2, 1 / 2, 0), abs=1e-15)


@pytest.mark.parametrize("average", ["account", "lead"])
@pytest.mark.parametrize("design", DESIGNS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-1e4, 1e4),
    scale=st.floats(0.01, 100),
    order_seed=st.integers(0, 1000),
)
def test_order_shift_scale_and_exchange(
    average: Average, design: str, seed: int, shift: float, scale: float, order_seed: int
) -> None:
    made = world(seed, accounts=16, design=design, sigma=0.5)
    key = np.array([f"account {i}" for i in range(16)])

    def found(total: np.ndarray, treated: np.ndarray, at: np.ndarray) -> AccountEffect:
        block = {"strata": None if made.strata is None else made.strata[at]}
        block["pairs"] = None if made.pairs is None else made.pairs[at]
        return account_effect(accounts(key[at], made.leads[at], total[at], treated[at], **block), average=average)

    rows = np.arange(16)
    plain = found(made.total, made.treated, rows)
    assert repr(found(made.total, made.treated, np.random.default_rng(order_seed).permutation(16))) == repr(plain)
    moved = found(scale * made.total + shift * made.leads, made.treated, rows)
    assert moved.value == pytest.approx(scale * plain.value, rel=1e-6, abs=1e-9 * (1 + abs(shift)))
    assert moved.standard_error == pytest.approx(scale * plain.standard_error, rel=1e-6, abs=1e-9 * (1 + abs(shift)))
    exchanged = found(made.total, ~made.treated, rows)
    assert (exchanged.value, exchanged.standard_error) == pytest.approx((-plain.value, plain.standard_error))
    assert exchanged.degrees_of_freedom == pytest.approx(plain.degrees_of_freedom)


def test_thin_strata_are_estimated_as_one() -> None:
    rng = np.random.default_rng(3)
    strata = np.repeat([0, 1, 2, 3], [2, 3, 6, 6])
    treated = np.array([1, 0, 1, 0, 0] + [1, 1, 1, 0, 0, 0] * 2)
    leads, total = rng.integers(1, 9, 17), rng.normal(5, 1, 17)
    found = account_effect(accounts(np.arange(17), leads, total, treated, strata=strata), average="lead")
    merged = account_effect(
        accounts(np.arange(17), leads, total, treated, strata=np.where(strata == 1, 0, strata)), average="lead"
    )
    assert (found.merged_strata, merged.merged_strata) == (2, 0)
    assert (found.value, found.standard_error) == pytest.approx((merged.value, merged.standard_error), rel=1e-12)
    # One thin stratum alone goes with the smallest of the others.
    alone = account_effect(
        accounts(np.arange(14), leads[3:], total[3:], treated[3:], strata=strata[3:]), average="account"
    )
    assert (alone.merged_strata, alone.left_out) == (0, 2)
    kept = np.array([0, 1, *range(5, 17)])
    alone = account_effect(
        accounts(kept, leads[kept], total[kept], treated[kept], strata=strata[kept]), average="account"
    )
    assert (alone.merged_strata, alone.left_out, alone.reason) == (2, 0, None)


def test_pairs_and_strata_with_one_arm_are_left_out_and_counted() -> None:
    broken = accounts([1, 2, 3, 4, 5], [1] * 5, [1, 0, 1, 0, 1], [1, 0, 1, 0, 1], pairs=["a", "a", "b", "b", "c"])
    assert (broken.left_out, broken.blocks) == (1, ((2, 1), (2, 1)))
    strata = accounts([1, 2, 3, 4, 5], [1] * 5, [1, 0, 1, 0, 1], [1, 0, 1, 0, 0], strata=["x", "x", "x", "x", "y"])
    assert (strata.left_out, strata.blocks) == (1, ((4, 2),))


def test_thin_evidence_says_why() -> None:
    one_arm = account_effect(accounts([1, 2], [1, 1], [1, 0], [1, 1]), average="lead")
    assert math.isnan(one_arm.value) and one_arm.left_out == 2
    assert one_arm.reason == "0 accounts in an arm, and a standard error needs two in each"
    single = account_effect(accounts([1, 2, 3], [1, 1, 2], [1, 0, 1], [1, 0, 0]), average="lead")
    assert single.value == pytest.approx(1 - 1 / 3) and math.isnan(single.standard_error)
    assert single.reason == "1 account in an arm, and a standard error needs two in each"
    assert (single.lower, single.upper) == (-math.inf, math.inf)
    rng = np.random.default_rng(0)
    few = account_effect(accounts(range(30), np.ones(30), rng.random(30), np.arange(30) < 4), average="account")
    n1, n0 = 4, 26
    assert few.degrees_of_freedom == pytest.approx(900 * 25 * 3 / (n1**2 * 3 + n0**2 * 25))
    assert few.reason == ("3.9 degrees of freedom, and an interval needs 4: the accounts are too few or too unequal")
    assert (few.lower, few.upper) == (-math.inf, math.inf) and few.standard_error > 0 and math.isnan(few.p_value)
    alike = account_effect(accounts(range(12), np.arange(1, 13), 0.1 * np.arange(1, 13), [1, 0] * 6), average="lead")
    assert (alike.value, alike.standard_error) == (0.0, 0.0)
    assert alike.reason == "the accounts of an arm do not differ, so nothing tells how far chance goes"


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (
            {"strata": [1, 1], "pairs": [1, 1]},
            "both strata and pairs are given; give the one within which accounts were dealt.",
        ),
        (
            {"leads": [1, 2, 3]},
            "keys, leads, totals, arms and blocks have the shapes (2,), (3,), (2,), (2,), (2,); "
            "give one of each an account.",
        ),
        (
            {"key": ["x", "x"]},
            "1 accounts come more than once, the first is x; add their leads up into one row an account.",
        ),
        (
            {"leads": [1, 0]},
            "leads of an account are 0, negative or missing; leave accounts without leads out.",
        ),
        (
            {"total": [1, math.nan]},
            "the total of an account is infinite or missing; leave leads without an outcome out.",
        ),
        (
            {"treated": [1, 2]},
            "treated is neither 0 nor 1 for an account; say for each whether it is in the first arm.",
        ),
        (
            {"treated": [1, 1], "pairs": ["p", "p"]},
            "1 pairs are none, the first is p with 2 accounts, 2 of them treated; a pair is two accounts, one in each "
            "arm. Use strata for larger groups.",
        ),
    ],
)
def test_malformed_accounts_are_refused(given_: dict[str, object], message: str) -> None:
    plain: dict[str, object] = {"key": ["x", "y"], "leads": [1, 2], "total": [0, 1], "treated": [1, 0]}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        accounts(**{**plain, **given_})


def test_an_unknown_average_is_refused() -> None:
    message = "average is 'leads'; it has to be 'account' or 'lead'."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        account_effect(accounts([1, 2], [1, 1], [0, 1], [0, 1]), average="leads")  # type: ignore[arg-type]
