"""Boundaries of planned looks: gsDesign's values, other routes to the same probabilities, and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from smarketing.estimates.spending import Spending, boundaries, crossing, spent

SIXTHS = [i / 6 for i in range(1, 7)]


@pytest.mark.parametrize(
    ("kind", "published"),
    [
        # R, gsDesign: gsDesign(k = 6, sfu = sfLDOF, test.type = 2)$upper$bound, alpha 0.025 a side; printed in the
        # package's reference, keaven.github.io/gsDesign/reference/sfLDOF.html
        ("obrien-fleming", [5.366558, 3.710340, 2.969736, 2.538677, 2.252190, 2.044790]),
        # gsDesign(k = 6, sfu = sfLDPocock, test.type = 2)$upper$bound
        ("pocock", [2.495115, 2.476907, 2.454964, 2.437262, 2.423276, 2.412059]),
    ],
)
def test_six_looks_equal_gsdesign(kind: Spending, published: list[float]) -> None:
    assert [look.boundary for look in boundaries(SIXTHS, kind=kind)] == pytest.approx(published, abs=3e-6)


def test_one_look_is_the_fixed_test() -> None:
    # scipy.stats.norm.isf(0.025)
    only = boundaries([1.0], kind="pocock")[0]
    assert only.boundary == pytest.approx(1.9599639845400545, abs=1e-10)
    assert only.nominal == pytest.approx(0.05, abs=1e-12)


@pytest.mark.parametrize("kind", ["obrien-fleming", "pocock"])
@pytest.mark.parametrize("fractions", [(0.5, 1.0), (0.3, 0.8), (0.2, 0.7, 1.0)])
def test_no_path_crosses_more_than_was_spent_by_the_multivariate_normal(
    kind: Spending, fractions: tuple[float, ...]
) -> None:
    # scipy.stats.multivariate_normal(cov=sqrt(t_i / t_j)).cdf(b, lower_limit=-b): another integrator, no recursion
    looks = boundaries(fractions, kind=kind)
    t, b = np.array(fractions), np.array([look.boundary for look in looks])
    correlation = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    stays = stats.multivariate_normal(cov=correlation, abseps=1e-8, releps=1e-8, seed=1).cdf(b, lower_limit=-b)
    assert 1 - stays == pytest.approx(spent(fractions[-1], kind=kind), abs=2e-6)


def test_spending_functions() -> None:
    # Lan & DeMets (1983): 4 - 4 Phi(2.241403 / sqrt(0.5)) = 0.003051; 0.05 log(1 + (e - 1) / 2) = 0.031006
    assert spent(0.5, kind="obrien-fleming") == pytest.approx(4 - 4 * stats.norm.cdf(2.2414027276 / math.sqrt(0.5)))
    assert spent(0.5, kind="pocock") == pytest.approx(0.0310057, abs=1e-7)
    for kind in ("obrien-fleming", "pocock"):
        assert spent(0.0, kind=kind) == 0.0  # type: ignore[arg-type]
        assert spent(1.0, kind=kind) == pytest.approx(0.05)  # type: ignore[arg-type]


def test_probabilities_of_crossing_equal_what_was_spent_without_an_effect_and_a_simulation_with_one() -> None:
    looks = boundaries([0.25, 0.5, 1.0], kind="obrien-fleming")
    assert crossing(looks, drift=0.0) == pytest.approx([look.spent for look in looks], abs=1e-10)
    steps = np.random.default_rng(3).normal(size=(200_000, 3)) * np.sqrt([0.25, 0.25, 0.5])
    path = steps.cumsum(axis=1) + 2.8 * np.array([0.25, 0.5, 1.0])
    z = np.abs(path / np.sqrt([0.25, 0.5, 1.0]))
    crossed = np.maximum.accumulate(z > [look.boundary for look in looks], axis=1).mean(axis=0)
    # 2.6 Monte Carlo standard errors of a share of 1 / 2
    assert crossing(looks, drift=2.8) == pytest.approx(crossed, abs=2.6 * 0.5 / math.sqrt(200_000))


def test_power_of_an_early_stop_costs_little() -> None:
    # One look at drift 2.8016 has power 0.8: norm.isf(0.025) + norm.isf(0.2)
    five = boundaries([0.2, 0.4, 0.6, 0.8, 1.0], kind="obrien-fleming")
    assert 0.78 < crossing(five, drift=2.8016)[-1] < 0.80


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.05, 1.0), min_size=2, max_size=5, unique_by=lambda t: round(t, 2)))
def test_a_boundary_depends_on_no_later_look(fractions: list[float]) -> None:
    fractions = sorted(fractions)
    looks = boundaries(fractions, kind="pocock")
    assert looks[:-1] == boundaries(fractions[:-1], kind="pocock")
    assert all(look.boundary > 1.9 for look in looks)


def test_looks_planned_by_day_are_correlated_by_units() -> None:
    # Half of the days, nine tenths of the units: nearly the same data twice, so the last boundary falls.
    by_day = boundaries([0.5, 1.0], kind="pocock")
    by_unit = boundaries([0.5, 1.0], kind="pocock", information=[900, 1000])
    assert by_unit[0].boundary == by_day[0].boundary
    assert by_unit[1].boundary < by_day[1].boundary
    assert [look.information for look in by_unit] == [900, 1000]
    scaled = boundaries([0.5, 1.0], kind="pocock", information=[0.9, 1.0])
    assert scaled[1].boundary == pytest.approx(by_unit[1].boundary, abs=1e-9)


def test_few_degrees_of_freedom_move_the_boundary_out_at_the_same_nominal_level() -> None:
    look = boundaries([0.5, 1.0], kind="obrien-fleming")[0]
    assert look.quantile(math.inf) == look.boundary
    assert 2 * stats.t.sf(look.quantile(10), 10) == pytest.approx(look.nominal)
    assert look.quantile(10) > look.boundary


def test_a_first_look_that_may_spend_nothing_stops_nobody() -> None:
    first, last = boundaries([0.001, 1.0], kind="obrien-fleming")
    assert first.boundary == math.inf
    assert first.quantile(5) == math.inf
    assert last.boundary == pytest.approx(1.959964, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: boundaries([0.5, 0.5], kind="pocock"),
            "fractions are 0.5, 0.5; each has to be finite, above 0 and at most 1, and above the one before. "
            "Count a last look beyond the plan as 1.",
        ),
        (
            lambda: boundaries([0.5, 1.2], kind="pocock"),
            "fractions are 0.5, 1.2; each has to be finite, above 0 and at most 1, and above the one before. "
            "Count a last look beyond the plan as 1.",
        ),
        (
            lambda: boundaries([0.5, 1.0], kind="pocock", information=[20, 10]),
            "information are 20, 10; each has to be finite, above 0, and above the one before. "
            "Count a last look beyond the plan as 1.",
        ),
        (
            lambda: boundaries([0.5, 1.0], kind="pocock", information=[20]),
            "1 values of information for 2 looks; give one for each look.",
        ),
        (
            lambda: boundaries([0.5], kind="haybittle"),  # type: ignore[arg-type]
            'the spending function is "haybittle"; allowed are "obrien-fleming" and "pocock".',
        ),
        (
            lambda: boundaries([0.5], kind="pocock", alpha=0.0),
            "alpha is 0.0; it has to lie between 0 and 0.5, as 0.05 does.",
        ),
        (
            lambda: spent(1.5, kind="pocock"),
            "fraction is 1.5; a share of the plan lies between 0 and 1. Count an overrun as 1.",
        ),
        (
            lambda: crossing(boundaries([1.0], kind="pocock"), drift=math.nan),
            "drift is nan; it has to be a finite number of standard errors.",
        ),
    ],
)
def test_bad_plans_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        call()
    assert str(refused.value) == message
