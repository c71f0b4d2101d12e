"""Thresholds, bands and money on leads whose outcome is known, against sums made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smarketing.company.definitions import Evidence
from smarketing.measures.scoring.worth.threshold import (
    POINTS,
    band_of,
    bands,
    cost_curve,
    gain_at_capacity,
    value_at_capacity,
)
from smarketing.measures.scoring.worth.validity import Leads

LIMITS = {"A": 0.5, "B": 0.2}


def two_weeks(capacity: float) -> tuple[Leads, np.ndarray]:
    """Two weeks of four leads each, with outcomes 1 1 0 0 and 1 0 0 0 in the order of their probabilities."""
    probability = np.array([0.9, 0.6, 0.3, 0.1, 0.8, 0.5, 0.3, 0.2])
    leads = Leads(
        what="later leads",
        outcome=np.array([1.0, 1, 0, 0, 1, 0, 0, 0]),
        weight=np.ones(8),
        cluster=np.arange(8),
        week=np.array([1, 1, 1, 1, 2, 2, 2, 2]),
        capacity=capacity,
    )
    return leads, probability


def test_the_curve_is_what_one_adds_up_by_hand() -> None:
    leads, p = two_weeks(capacity=2)
    curve = cost_curve(leads, p, agreed=0.3, value_of_stage=100.0, cost=20.0, draws=40)
    at = curve.at("agreed")
    # 6 leads are at 0.3 or above, 3 a week; 2 a week are worked, of whom 2 and 1 get there.
    assert (at["passed"], at["worked"], at["reached"]) == (3.0, 2.0, 1.5)
    assert at["value"] == 1.5 * 100 - 2 * 20
    even = curve.at("break-even")
    assert even["threshold"] == 0.2 and even["gain"] == 0 and even["more_passed"] == 0.5
    # Four places in two weeks: all leads together, the fifth best would be the first without a place.
    assert curve.at("capacity")["threshold"] == pytest.approx(0.3)
    row = curve.rows[curve.rows["threshold"] == 0.8].iloc[0]
    assert (row["passed"], row["worked"], row["reached"], row["value"]) == (1.0, 1.0, 1.0, 80.0)
    assert curve.per == "a week" and curve.rows["threshold"].is_monotonic_increasing


def test_a_curve_is_drawn_where_few_leads_are_too() -> None:
    """One lead in a hundred is likely: by shares of leads alone nothing would be drawn between 0.1 and 0.9."""
    p = np.where(np.arange(400) < 4, 0.9, np.linspace(0.01, 0.1, 400))
    leads = Leads(
        what="leads", outcome=(np.arange(400) % 3 == 0).astype(float), weight=np.ones(400), cluster=np.arange(400),
        week=None, capacity=100.0,
    )  # fmt: skip
    grid = cost_curve(leads, p, agreed=0.05, value_of_stage=50.0, cost=5.0, draws=40).rows["threshold"]
    assert grid.min() == 0.0 and grid.max() == 0.9
    assert np.diff(grid).max() <= 0.9 / POINTS + 1e-9


def test_without_dates_amounts_are_for_a_hundred_leads() -> None:
    leads, p = two_weeks(capacity=4)
    flat = Leads(**{**vars(leads), "week": None})
    curve = cost_curve(flat, p, agreed=0.5, value_of_stage=100.0, cost=20.0, draws=40)
    at = curve.at("agreed")
    assert curve.per == "per 100 leads"
    assert (at["passed"], at["worked"], at["reached"]) == (50.0, 50.0, 37.5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1_000), capacity=st.integers(1, 30))
def test_raising_the_line_passes_and_works_fewer(seed: int, capacity: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(80), 2)
    leads = Leads(
        what="leads",
        outcome=(rng.random(80) < p).astype(float),
        weight=np.ones(80),
        cluster=rng.integers(0, 20, 80),
        week=rng.integers(0, 4, 80),
        capacity=float(capacity),
    )
    rows = cost_curve(leads, p, agreed=0.4, value_of_stage=50.0, cost=10.0, draws=40).rows
    assert (np.diff(rows["passed"]) <= 1e-9).all() and (np.diff(rows["worked"]) <= 1e-9).all()
    assert (rows["worked"] <= rows["passed"] + 1e-9).all() and (rows["worked"] <= capacity + 1e-9).all()
    assert np.allclose(rows["value"], rows["reached"] * 50 - rows["worked"] * 10)


def test_money_at_capacity_and_against_another_order() -> None:
    leads, p = two_weeks(capacity=1)
    assert value_at_capacity(leads, p, value_of_stage=100.0, cost=20.0) == 80.0
    # The worst first: nobody gets there.
    assert value_at_capacity(leads, -p, value_of_stage=100.0, cost=20.0) == -20.0
    value, lower, upper = gain_at_capacity(leads, p, -p, value_of_stage=100.0, cost=20.0, draws=100)
    assert value == 100.0 and lower <= 100.0 <= upper
    # Eight accounts need more than 40 draws for limits that are known at all.
    assert gain_at_capacity(leads, p, p, value_of_stage=100.0, cost=20.0, draws=40) == (0.0, -np.inf, np.inf)
    assert gain_at_capacity(leads, p, p, value_of_stage=100.0, cost=20.0, draws=400) == (0.0, 0.0, 0.0)


def test_every_probability_has_a_band() -> None:
    assert band_of(np.array([0.0, 0.19, 0.2, 0.49, 0.5, 1.0]), LIMITS).tolist() == ["C", "C", "B", "B", "A", "A"]


def test_bands_keep_or_break_what_they_promise() -> None:
    rng = np.random.default_rng(3)
    p = rng.choice([0.6, 0.3, 0.05], 3_000)
    true = np.where(p == 0.3, 0.15, p)
    leads = Leads(
        what="later leads",
        outcome=(rng.random(3_000) < true).astype(float),
        weight=np.ones(3_000),
        cluster=np.arange(3_000),
        week=None,
        capacity=10.0,
    )
    rows = bands(leads, p, LIMITS, evidence=Evidence()).rows.set_index("band")
    assert rows["kept"].to_dict() == {"A": True, "B": False, "C": True}
    assert rows.loc["B", "promised"] == pytest.approx(0.3) and rows.loc["B", "upper"] < 0.2
    assert rows["share"].sum() == pytest.approx(1) and rows["n"].sum() == 3_000
    few = bands(leads.only(np.arange(3_000) < 40, "later leads"), p[:40], LIMITS, evidence=Evidence()).rows
    assert few["kept"].isna().all() and (few["reason"] != "").all()
