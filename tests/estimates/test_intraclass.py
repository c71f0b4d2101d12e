import math
import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from smarketing.estimates.intraclass import Intraclass, intraclass
from smarketing.estimates.power import Accounts

# Shrout & Fleiss (1979), Psychological Bulletin 86:420-428, table 2: six targets, each with four ratings.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def of(leads: list[list[float]], confidence: float = 0.95) -> Intraclass:
    return intraclass(
        [len(account) for account in leads],
        [sum(account) for account in leads],
        [sum(value**2 for value in account) for account in leads],
        confidence=confidence,
    )


def simulated(
    rng: np.random.Generator, accounts: int, likeness: float, *, rate: float | None = None, sigma: float = 1.0
) -> tuple[npt.NDArray[np.float64], ...]:
    """Accounts of log-normal sizes: leads, total and squares of a normal value, or of a rate (beta-binomial)."""
    n = np.maximum(np.round(np.exp(rng.normal(1.3, sigma, accounts))), 1)
    if rate is None:
        totals = n * rng.normal(5, math.sqrt(likeness), accounts) + rng.normal(size=accounts) * np.sqrt(
            (1 - likeness) * n
        )
        inside = (1 - likeness) * np.where(n > 1, rng.chisquare(np.maximum(n - 1, 1)), 0)
        return n, totals, totals**2 / n + inside
    prior = (1 - likeness) / likeness
    won = rng.binomial(n.astype(int), rng.beta(rate * prior, (1 - rate) * prior, accounts)).astype(float)
    return n, won, won


def test_equals_shrout_and_fleiss() -> None:
    found = of(SHROUT_FLEISS)
    assert round(found.value, 2) == 0.17
    assert (found.accounts, found.leads, found.mean_size, found.size_cv, found.reason) == (6, 24, 4.0, 0.0, "")


accounts_ = st.lists(st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=1, max_size=6), min_size=3)


@settings(deadline=None)
@given(accounts_)
def test_equals_the_analysis_of_variance_of_statsmodels(leads: list[list[float]]) -> None:
    found = of(leads)
    if math.isnan(found.value):
        return
    frame = pd.DataFrame([(i, value) for i, account in enumerate(leads) for value in account], columns=["account", "y"])
    squares = anova_lm(ols("y ~ C(account)", frame).fit())["mean_sq"]
    between, within = squares["C(account)"], squares["Residual"]
    sizes = np.array([len(account) for account in leads])
    n0 = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    assert found.value == pytest.approx(max((between - within) / (between + (n0 - 1) * within), -1), abs=1e-6)


@settings(deadline=None)
@given(accounts_, st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(leads: list[list[float]], random: object) -> None:
    mixed = sorted(leads, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert repr(of(mixed)) == repr(of(leads))


@settings(deadline=None)
@given(accounts_)
def test_the_interval_holds_the_value_and_stays_a_correlation(leads: list[list[float]]) -> None:
    found = of(leads)
    if not math.isnan(found.value):
        assert -1 <= found.lower <= found.value + 1e-9
        assert found.value - 1e-9 <= found.upper <= 1
        wider = of(leads, confidence=0.99)
        assert wider.lower <= found.lower
        assert found.upper <= wider.upper


def test_the_interval_leaves_out_one_account_at_a_time() -> None:
    # The same by brute force: Fisher's scale, six estimates without one target, t with 5 degrees of freedom.
    def score(value: float) -> float:
        return 0.5 * math.log((1 + 3 * value) / (1 - value))

    scores = [score(of(SHROUT_FLEISS[:i] + SHROUT_FLEISS[i + 1 :]).value) for i in range(6)]
    half = 2.5705818 * math.sqrt(5 / 6 * sum((s - sum(scores) / 6) ** 2 for s in scores))
    found = of(SHROUT_FLEISS)
    assert score(found.lower) == pytest.approx(score(found.value) - half, abs=1e-6)
    assert score(found.upper) == pytest.approx(score(found.value) + half, abs=1e-6)


def test_size_seen_by_a_lead_is_what_planning_uses() -> None:
    found = of([[1, 2], [1, 0, 1, 2], [0, 1, 2, 3, 4, 5]])
    assert (1 + found.size_cv**2) * found.mean_size == pytest.approx((4 + 16 + 36) / 12)
    assert found.planned(cautious=True).intraclass == found.upper
    assert replace(found, value=-0.05, upper=0.1).planned() == Accounts(
        mean_size=4.0, size_cv=found.size_cv, intraclass=0.0
    )


@pytest.mark.parametrize("rate", [None, 0.1])
def test_a_known_likeness_is_covered(rate: float | None) -> None:
    rng, runs = np.random.default_rng(23), 600
    found = [intraclass(*simulated(rng, 200, 0.1, rate=rate)) for _ in range(runs)]
    assert np.mean([one.value for one in found]) == pytest.approx(0.1, abs=0.006)
    covered = np.mean([one.lower <= 0.1 <= one.upper for one in found])
    assert 0.92 <= covered <= 0.975, covered


@pytest.mark.parametrize(
    ("leads", "reason"),
    [
        ([], "fewer than two accounts"),
        ([[1.0, 2.0]], "fewer than two accounts"),
        ([[1.0], [2.0], [5.0]], "every account has one lead, so that leads are independent"),
        ([[2.0, 2.0], [2.0, 2.0], [2.0]], "the metric does not vary"),
    ],
)
def test_where_likeness_cannot_be_told_the_result_says_why(leads: list[list[float]], reason: str) -> None:
    found = of(leads)
    assert math.isnan(found.value)
    assert (found.lower, found.upper, found.reason) == (-1, 1, reason)
    message = f"the intraclass correlation is not known ({reason}); plan with an assumed one, and say that it is."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        found.planned()


@pytest.mark.parametrize("leads", [[[1.0, 2.0], [4.0, 5.0]], [[1.0, 2.0], [3.0], [5.0]], [[1.0] * 3, [2.0] * 2, [5.0]]])
def test_too_few_accounts_with_several_leads_have_no_interval(leads: list[list[float]]) -> None:
    found = of(leads)
    assert -1 <= found.value <= 1
    assert (found.lower, found.upper) == (-1, 1)
    assert found.reason == "too few accounts with several leads for an interval"


def test_accounts_without_leads_are_left_out() -> None:
    assert intraclass([2, 0, 3], [1, 0, 2], [1, 0, 2]) == intraclass([2, 3], [1, 2], [1, 2])


def test_bad_input_is_refused() -> None:
    message = (
        "1 accounts have sums that no leads can have; the first has 2 leads, a total of 5 and squares of 3. "
        "Add up the three over the same leads that have a value."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        intraclass([1, 2], [1, 5], [1, 3])
    message = "sizes, totals and squares have shapes (2,), (1,) and (2,); one number an account is needed in each."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        intraclass([1, 2], [1], [1, 3])
