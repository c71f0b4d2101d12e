"""Placement of labels: what must hold whatever the figure."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarketing.report.charts.labels import Box, Label, around, place, spread
from smarketing.report.charts.scales import tick_text, ticks, zero_based

PLACES = st.floats(0, 300)


@given(st.lists(PLACES, max_size=12), st.floats(1, 40))
def test_spread_keeps_order_and_distance_within_the_line(positions: list[float], gap: float) -> None:
    moved = spread(positions, gap=gap, low=0, high=300)
    assert len(moved) == len(positions)
    kept = min(gap, 300 / (len(positions) - 1)) if len(positions) > 1 else gap
    ranked = sorted(range(len(positions)), key=lambda index: (positions[index], index))
    for before, after in pairwise(ranked):
        assert moved[after] - moved[before] >= kept - 1e-6
    assert all(-1e-6 <= position <= 300 + 1e-6 for position in moved)


@given(st.lists(st.integers(0, 10), min_size=1, max_size=6))
def test_spread_leaves_alone_what_is_already_apart(steps: list[int]) -> None:
    positions = [float(30 * index + step) for index, step in enumerate(steps)]
    assert spread(positions, gap=20, low=0, high=300) == pytest.approx(positions)


@given(st.lists(st.tuples(PLACES, PLACES, st.booleans()), max_size=10))
def test_placed_labels_never_overlap_and_stay_inside(points: list[tuple[float, float, bool]]) -> None:
    within = Box(0, 0, 300, 300)
    labels = [Label(str(i), around(x, y, 40, 15), required) for i, (x, y, required) in enumerate(points)]
    placed = place(labels, within=within)
    for (_, box), (_, other) in combinations(placed, 2):
        assert box.overlap(other) == 0
    assert all(box.inside(within) for _, box in placed)


def test_a_required_label_stays_where_marks_are_everywhere_and_others_go() -> None:
    everywhere = [Box(0, 0, 300, 300)]
    labels = [Label("optional", around(100, 100, 40, 15)), Label("required", around(200, 200, 40, 15), required=True)]
    assert [text for text, _ in place(labels, within=Box(0, 0, 300, 300), obstacles=everywhere)] == ["required"]


def test_a_label_avoids_pale_marks_where_it_can_and_stands_on_them_rather_than_on_others() -> None:
    within, at = Box(0, 0, 300, 300), around(100, 100, 40, 15)
    above, below = Box(70, 70, 130, 96), Box(70, 104, 130, 130)

    def placed(**marks: list[Box]) -> Box:
        ((_, box),) = place([Label("x", at)], within=within, **marks)
        return box

    assert placed().bottom < 100
    assert placed(pale=[above]).top > 100
    assert placed(obstacles=[below], pale=[Box(0, 0, 300, 300)]).bottom < 100


@given(st.floats(-1e9, 1e9), st.floats(0.001, 1e9))
def test_ticks_enclose_what_they_measure(low: float, span: float) -> None:
    marks = ticks(low, low + span)
    tolerance = 1e-9 * max(abs(low), span)
    assert marks[0] <= low + tolerance and marks[-1] >= low + span - tolerance
    assert 2 <= len(marks) <= 7


def test_scales_begin_at_zero_and_shares_stop_at_100_percent() -> None:
    assert zero_based([0.95], "share") == [0.0, 0.5, 1.0]
    assert zero_based([], "count") == [0.0, 1.0]
    assert zero_based([1.0], "count") == [0.0, 1.0]
    assert zero_based([-2.0, 3.0], "number")[0] <= -2


@pytest.mark.parametrize(("value", "unit", "step", "text"), [
    (0.5, "share", 0.25, "50%"), (0.025, "share", 0.025, "2.5%"), (2e6, "money:USD", 1e6, "$2M"),
    (0, "money:BRL", 1, "R$0"),
    (2.5e6, "money:USD", 5e5, "$2.5M"), (1500, "count", 500, "1,500"), (40, "days", 20, "40"),
    (-0.05, "points", 0.05, "−5"),
    (0.05, "points", 0.05, "+5"),
])  # fmt: skip
def test_a_tick_says_no_more_than_it_needs(value: float, unit: str, step: float, text: str) -> None:
    assert tick_text(value, unit, step=step) == text
