import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarketing.estimates.life_tables import life_table
from smarketing.estimates.survival import incidence, influence

# The data and the R calls of test_survival.py: R 4.2.2, survival 3.5.3.
FIRST = np.array([0, 0, 0, 0, 0, 2, 3, 3, 5, 0, 0, 4, 6, 1, 0])
LAST = np.array([3, 5, 5, 7, 9, 6, 7, 8, 9, 12, 2, 11, 10, 8, 14])
EXIT = np.array(["won", "lost", "", "won", "lost", "lost", "won", "", "won", "won", "lost", "", "lost", "won", ""])
WEIGHT = np.array([1, 2.5, 4, 0.5, 3, 1, 2, 1, 1.5, 2, 1, 3, 2, 1, 0.5])
ACCOUNT = np.array([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8])

Array = npt.NDArray[np.float64]


def subject_influence(
    first: Array,
    last: Array,
    exit_kind: Array,
    kind: str,
    horizon: float,
    *,
    weight: Array | None = None,
    start: int = 0,
) -> Array:
    """Look the terms up for each subject, as an engine's joins do."""
    terms = influence(life_table(first, last, exit_kind, weight=weight), kind, horizon, start=start)
    entry, end = np.searchsorted(terms.age, first), np.searchsorted(terms.age, last)
    left = exit_kind != ""
    by_kind = left if kind == "open" else exit_kind == kind
    return (
        by_kind * terms.kind_term[end]
        + left * terms.exit_term[end]
        - (terms.cumulative[end] - terms.cumulative_before[entry])
    )


# m <- survfit(Surv(first - 1, last, event) ~ 1, id = id, influence = TRUE)
# m$influence.pstate[, 1 + which(m$time == 9), ] (its first column is time 0): (s0), won, lost
R_INFLUENCE = {
    "open": "-0.0253902662994, -0.0200872359963, 0.00883838383838, -0.0200872359963, -0.0276629935721, "
    "-0.0200872359963, -0.0236225895317, 0.0218319559229, -0.0340909090909, 0.0518824609734, -0.0318181818182, "
    "0.0454545454545, 0.043044077135, -0.0200872359963, 0.0518824609734",
    "won": "0.0526193755739, -0.0244639577594, 0.00136248852158, 0.0437178604224, -0.0263578971534, "
    "-0.0244639577594, 0.0396522038567, -0.0171659779614, 0.0539772727273, -0.0263578971534, -0.0365909090909, "
    "-0.0255681818182, -0.0277203856749, 0.0437178604224, -0.0263578971534",
    "lost": "-0.0272291092746, 0.0445511937557, -0.01020087236, -0.0236306244261, 0.0540208907254, "
    "0.0445511937557, -0.0160296143251, -0.00466597796143, -0.0198863636364, -0.02552456382, 0.0684090909091, "
    "-0.0198863636364, -0.0153236914601, -0.0236306244261, -0.02552456382",
}
# ... with weights = w: influence.pstate[, 1 + which(m$time == 9), 2]
R_WEIGHTED_WON = (
    "0.0366653711807, -0.0114165944116, 0.000412383326444, 0.0322393401534, -0.0132373090164, -0.0127684775817, "
    "0.0311388783091, -0.00824296220907, 0.0364529788858, -0.0132373090164, -0.0170571585861, -0.0123054903272, "
    "-0.0136496923429, 0.0322393401534, -0.0132373090164"
)


@pytest.mark.parametrize("kind", ["open", "won", "lost"])
def test_influence_equals_r(kind: str) -> None:
    expected = [float(x) for x in R_INFLUENCE[kind].split(", ")]
    assert subject_influence(FIRST, LAST, EXIT, kind, 9) == pytest.approx(expected, abs=1e-12)


def test_weighted_influence_equals_r() -> None:
    expected = [float(x) for x in R_WEIGHTED_WON.split(", ")]
    assert subject_influence(FIRST, LAST, EXIT, "won", 9, weight=WEIGHT) == pytest.approx(expected, abs=1e-12)


def test_standard_errors_equal_r() -> None:
    def error(of: Array) -> float:
        return float(np.sqrt((of**2).sum()))

    # m$std.err[m$time == 9, ]; with weights = w; and the landmark of test_survival.py
    for kind, plain, weighted, landmark in (
        ("open", 0.1249549825718558, 0.1477271597593774, 0.145927893364),
        ("won", 0.1319693326452513, 0.1236164525776751, 0.142097664678),
        ("lost", 0.1270332638866433, 0.1475582958926345, 0.130782254274),
    ):
        assert error(subject_influence(FIRST, LAST, EXIT, kind, 9)) == pytest.approx(plain, abs=1e-12)
        by_weight = WEIGHT * subject_influence(FIRST, LAST, EXIT, kind, 9, weight=WEIGHT)
        assert error(by_weight) == pytest.approx(weighted, abs=1e-12)
        assert error(subject_influence(FIRST, LAST, EXIT, kind, 9, start=4)) == pytest.approx(landmark, abs=1e-12)
    # sqrt(colSums(rowsum(w * influence, c(1,1,2,2,3,3,4,4,5,5,6,6,7,7,8))^2)): 0.1213058827127 0.0991593162155 ...
    by_account = np.bincount(ACCOUNT, WEIGHT * subject_influence(FIRST, LAST, EXIT, "won", 9, weight=WEIGHT))
    assert error(by_account) == pytest.approx(0.0991593162155, abs=1e-12)


def test_independent_standard_error_of_open_is_greenwoods_in_r() -> None:
    # f <- survfit(Surv(first - 1, last, exit != "") ~ 1); f$std.err * f$surv
    life = life_table(FIRST, LAST, EXIT)
    for age, expected in {
        2: 0.0948683298050514,
        6: 0.1309174124995114,
        9: 0.1284836789800716,
        12: 0.1030837619321279,
    }.items():
        assert influence(life, "open", age).independent_standard_error == pytest.approx(expected, abs=1e-12)


subjects = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 12), st.sampled_from(["", "won", "lost"]), st.floats(0.5, 3)),
    min_size=3,
    max_size=15,
)


@given(subjects, st.sampled_from(["won", "lost", "open"]), st.integers(0, 5), st.integers(5, 15))
def test_influence_is_the_derivative_by_each_weight(
    rows: list[tuple[int, int, str, float]], kind: str, start: int, horizon: int
) -> None:
    first, days, exit_kind, weight = (np.array(column) for column in zip(*rows, strict=True))
    last = first + days

    def value(weights: Array) -> float:
        curves = incidence(life_table(first, last, exit_kind, weight=weights, kinds=("won", "lost")), start=start)
        found = curves.open_at(horizon) if kind == "open" else curves.at(kind, horizon)
        return math.nan if found is None else found

    if math.isnan(value(weight)) or (kind != "open" and kind not in exit_kind):
        return
    found = subject_influence(first, last, exit_kind, kind, horizon, weight=weight, start=start)
    for i in range(len(rows)):
        step = np.zeros(len(rows))
        step[i] = 1e-5
        assert found[i] == pytest.approx((value(weight + step) - value(weight - step)) / 2e-5, abs=1e-6)
    assert (weight * found).sum() == pytest.approx(0, abs=1e-9)


def test_without_censoring_it_is_the_deviation_from_the_share() -> None:
    rng = np.random.default_rng(6)
    last, exit_kind = rng.integers(0, 30, 80), rng.choice(["won", "lost"], 80)
    won = (exit_kind == "won") & (last <= 12)
    expected = (won - won.mean()) / 80
    assert subject_influence(np.zeros(80), last, exit_kind, "won", 12) == pytest.approx(expected, abs=1e-12)
    terms = influence(life_table(np.zeros(80), last, exit_kind), "won", 12)
    assert terms.value == pytest.approx(won.mean())
    # The binomial standard error of independent leads.
    assert terms.independent_standard_error == pytest.approx(math.sqrt(won.mean() * (1 - won.mean()) / 80))


def test_open_is_minus_the_sum_of_the_exits() -> None:
    parts = [subject_influence(FIRST, LAST, EXIT, kind, 9) for kind in ("won", "lost", "open")]
    assert sum(parts) == pytest.approx(np.zeros(15), abs=1e-12)


def test_beyond_the_follow_up_there_is_no_value() -> None:
    terms = influence(life_table([0, 0], [2, 4], ["won", ""]), "won", 9)
    assert math.isnan(terms.value)
    assert math.isnan(terms.independent_standard_error)
