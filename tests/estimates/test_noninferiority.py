import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from smarketing.estimates.means import MeanDifference, Sums, welch
from smarketing.estimates.noninferiority import guardrail, one_sided_p
from smarketing.estimates.rates import Difference, difference, wilson

# The positions of an interval that figure 1 of Piaggio et al. (2012), JAMA 308:2594-2604, tells apart; a fall is harm.
CASES = {
    "A": (0.5, 1.5, "better"),
    "B": (-0.5, 0.5, "not worse"),
    "C": (-0.9, -0.1, "worse within the margin"),
    "D": (-0.8, 0.0, "not worse"),
    "E": (-1.5, 0.4, "unclear"),
    "F": (-1.0, 0.4, "unclear"),
    "G": (-1.6, -0.2, "unclear"),
    "H": (-2.0, -1.2, "worse"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("higher", [True, False])
def test_findings_are_those_of_consort(case: str, higher: bool) -> None:
    lower, upper, finding = CASES[case]
    change = Difference((lower + upper) / 2, lower, upper)
    if not higher:
        change = Difference(-change.value, -upper, -lower)
    found = guardrail(change, margin=1.0, higher_is_better=higher)
    assert (found.finding, found.kept) == (finding, finding in ("better", "not worse", "worse within the margin"))
    assert found.bound == (lower if higher else -lower)


def test_a_rate_of_unsubscribes() -> None:
    # statsmodels: confint_proportions_2indep(60, 2000, 50, 2000, method="newcomb", compare="diff").
    rise = difference(wilson(60, 2000), wilson(50, 2000))
    assert (round(rise.lower, 4), round(rise.upper, 4)) == (-0.0052, 0.0153)
    assert guardrail(rise, margin=0.02, higher_is_better=False).finding == "not worse"
    assert guardrail(rise, margin=0.01, higher_is_better=False).finding == "unclear"


values = st.lists(st.integers(-50, 50).map(float), min_size=3, max_size=12)


@given(values, values, st.floats(0.1, 30), st.booleans())
def test_p_equals_statsmodels_and_agrees_with_the_interval(
    one: list[float], two: list[float], margin: float, higher: bool
) -> None:
    sums = [Sums(n=len(v), total=sum(v), squares=sum(x * x for x in v)) for v in (one, two)]
    change: MeanDifference = welch(*sums)
    if change.standard_error == 0:
        return
    p = one_sided_p(
        change.value, change.standard_error, change.degrees_of_freedom, margin=margin, higher_is_better=higher
    )
    compared = CompareMeans(DescrStatsW(one), DescrStatsW(two))
    side, reference = ("larger", -margin) if higher else ("smaller", margin)
    assert p == pytest.approx(compared.ttest_ind(side, usevar="unequal", value=reference)[1], abs=1e-9)
    if abs(p - 0.025) > 1e-9:
        assert (p < 0.025) is guardrail(change, margin=margin, higher_is_better=higher).kept


@pytest.mark.parametrize(("harm", "low", "high"), [(5.0, 0.0137, 0.0363), (0.0, 0.86, 1.0)])
def test_harm_of_the_margin_passes_in_one_of_forty_and_none_passes_often(harm: float, low: float, high: float) -> None:
    rng, runs, kept = np.random.default_rng(8), 1_300, 0
    for _ in range(runs):
        control, treated = rng.normal(100, 10, 100), rng.normal(100 - harm, 15, 150)
        sums = [Sums(n=len(v), total=float(v.sum()), squares=float((v * v).sum())) for v in (treated, control)]
        kept += guardrail(welch(*sums), margin=5.0).kept
    assert low <= kept / runs <= high


@pytest.mark.parametrize(
    "change",
    [Difference(math.nan, math.nan, math.nan), Difference(1.0, math.nan, 2.0), Difference(math.nan, -1.0, 1.0)],
)
def test_without_an_interval_nothing_is_known(change: Difference) -> None:
    found = guardrail(change, margin=1.0)
    assert (found.finding, found.kept) == ("unknown", False)


def test_an_unbounded_interval_is_unclear() -> None:
    assert guardrail(Difference(0.0, -math.inf, math.inf), margin=1.0).finding == "unclear"


def test_p_without_error() -> None:
    assert math.isnan(one_sided_p(1.0, math.nan, 5, margin=1.0))
    assert [one_sided_p(value, 0.0, margin=1.0) for value in (-0.5, -1.0)] == [0.0, 1.0]
    assert one_sided_p(-1.0 + 1.959964, 1.0, margin=1.0) == pytest.approx(0.025, abs=1e-7)


def test_bad_input_is_refused() -> None:
    message = (
        "the margin is 0; it is the harm that is still acceptable, above 0 and in the metric's unit. "
        "Take it from the protocol."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        guardrail(Difference(0.0, -1.0, 1.0), margin=0)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        one_sided_p(0.0, 1.0, margin=0)
    message = "the change is 2.0 with limits -1.0 and 1.0; the value has to lie between its limits."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        guardrail(Difference(2.0, -1.0, 1.0), margin=1)
