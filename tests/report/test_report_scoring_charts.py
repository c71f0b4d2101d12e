"""Charts of a lead score: labels that do not collide whatever the data, what is drawn, refusals."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scoring_samples as samples
from chart_checks import LONG, WORDS, check_drawings, check_layout, check_repeats, collisions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from smarketing.report import charts, palette
from smarketing.report.charts import Chart, canvas, labels
from smarketing.report.charts.cost_curve import stacked
from smarketing.report.charts.grid import DEEPEST

nan = np.nan
SCRIPT = '<script>alert("x")</script> & $a$'
RELAXED = [HealthCheck.function_scoped_fixture]


def gains_case(lines: dict[str, list[float]], **options: Any) -> Chart:
    frames = [
        pd.DataFrame({"line": name, "called": np.linspace(0, 1, len(values)), "captured": values})
        for name, values in lines.items()
    ]
    return charts.gains(pd.concat(frames), id="fig-x", **WORDS, **options)


def calibration_case(predicted: list[float], observed: list[float], half: float = 0.02, **options: Any) -> Chart:
    came = np.array(observed)
    bins = pd.DataFrame({"predicted": predicted, "observed": observed, "lower": came - half, "upper": came + half})
    return charts.calibration(bins, id="fig-x", **WORDS, **options)


def cost_case(values: list[float], marks: dict[str, float], *, at: list[float] | None = None, **options: Any) -> Chart:
    thresholds = np.linspace(0.0, 1.0, len(values)) if at is None else np.array(at)
    points = pd.DataFrame({"threshold": thresholds, "value": values})
    spoken = pd.DataFrame({"label": list(marks), "threshold": list(marks.values())})
    return charts.cost_curve(points, marks=spoken, id="fig-x", currency="USD", **WORDS, **options)


def bands_case(names: list[str], rates: list[float], *, shares: list[float] | None = None, **more: Any) -> Chart:
    came = np.array(rates)
    rows = pd.DataFrame({"band": names, "share": shares or [1 / len(names)] * len(names), "rate": came, **more})
    rows["lower"], rows["upper"], rows["predicted"] = came * 0.8, came * 1.2, np.minimum(came * 1.1, 1.0)
    return charts.bands(rows, id="fig-x", **WORDS)


def grid_case(down: list[str], across: list[str], rates: list[float], n: float = 50, **options: Any) -> Chart:
    places = list(itertools.product(down, across))
    cells = pd.DataFrame(places, columns=["row", "column"]).assign(rate=rates, n=n)
    return charts.grid(cells, id="fig-x", **WORDS, **options)


def reasons_case(names: list[str], values: list[float], half: float = nan, **options: Any) -> Chart:
    middle = np.array(values)
    rows = pd.DataFrame({"label": names, "value": values, "lower": middle - half, "upper": middle + half})
    rows["note"] = options.pop("note", None)
    return charts.reasons(rows, id="fig-x", **WORDS, **options)


HUMP = [-9e3, 4e3, 9e3, 5e3, 1e3, 0.0]
CASES: dict[str, Callable[[], Chart]] = {
    **{f"sample {name}": build for name, build in samples.FIGURES.items()},
    "gains: all zero": lambda: gains_case({"A": [0, 0, 0], "B": [0, 0, 0]}, cut_off=0.1),
    "gains: one point": lambda: gains_case({"A": [1.0]}, cut_off=0.3),
    "gains: gaps": lambda: gains_case({"A": [0, nan, 0.8, nan, 1], "B": [nan] * 5}, cut_off=0.5),
    "gains: four of one course": lambda: gains_case({name: [0, 0.5, 0.8, 1] for name in "ABCD"}, cut_off=0.5),
    "gains: long names": lambda: gains_case({LONG + str(i): [0, i / 4, 1] for i in range(4)}, cut_off=0.05,
                                            cut_off_label=LONG, straight_label=LONG, called_label=LONG),
    "gains: cut off at nothing": lambda: gains_case({"A": [0, 0.7, 1]}, cut_off=0.0),
    "gains: cut off at all": lambda: gains_case({"A": [0, 0.7, 1]}, cut_off=1.0),
    "gains: below zero, money": lambda: gains_case({"A": [0, -9e9, -4e9], "B": [0, 8e9, -1]}, unit="money",
                                                   currency="USD", cut_off=0.4),
    "calibration: one bin": lambda: calibration_case([0.2], [0.3]),
    "calibration: all zero": lambda: calibration_case([0.0, 0.0], [0.0, 0.0], 0.0),
    "calibration: certain": lambda: calibration_case([0.0, 1.0], [0.0, 1.0], 0.0, top_label=LONG),
    "calibration: no intervals": lambda: calibration_case([0.001, 0.002], [0.001, 0.0005], nan),
    "calibration: gaps": lambda: calibration_case([0.1, nan, 0.3], [nan, 0.2, 0.3], diagonal_label=LONG),
    "calibration: crowded": lambda: calibration_case([0.5] * 9, [i / 9 for i in range(9)], 0.3),
    "cost: agreed is best": lambda: cost_case(HUMP, {"Agreed": 0.4, "Best": 0.4, "Capacity": 0.41}),
    "cost: at the ends": lambda: cost_case(HUMP, {"Agreed": 0.0, "Best": 1.0, "Capacity": 0.99, "Other": 0.01}),
    "cost: beyond the curve": lambda: cost_case(HUMP, {"Agreed": 0.9}, at=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    "cost: long names": lambda: cost_case(HUMP, {LONG: 0.5, LONG + "!": 0.52, LONG + "?": 0.9}, value_label=LONG),
    "cost: all a loss": lambda: cost_case([-9e14, -1e3, -5.0], {"Agreed": 0.5}),
    "cost: all zero": lambda: cost_case([0.0, 0.0], {"Agreed": 0.0}),
    "cost: one point": lambda: cost_case([5.0], {"Agreed": 0.3, "Best": 0.3}, at=[0.3]),
    "cost: gaps": lambda: cost_case([nan, 5.0, nan, 7.0, nan], {"Agreed": 0.5, "Unknown": nan}),
    "cost: nothing marked": lambda: cost_case(HUMP, {}),
    "cost: many leads": lambda: samples.cost_figure(points=samples.cost_points().assign(leads=1_234_567)),
    "bands: one": lambda: bands_case(["All"], [1.0]),
    "bands: all withheld": lambda: bands_case(["A", LONG], [nan, nan], note=["12 leads, 30 needed", LONG]),
    "bands: zeros": lambda: bands_case(["A", "B"], [0.0, 0.0], shares=[0.0, 0.0], kept=[True, False]),
    "bands: long names": lambda: bands_case([LONG, LONG + "!"], [0.5, 0.4], n=[123_456_789, nan]),
    "grid: one cell": lambda: grid_case(["A"], ["1"], [0.4]),
    "grid: all too few": lambda: grid_case(["A", "B"], ["1", "2"], [nan] * 4),
    "grid: zeros": lambda: grid_case(["A", "B"], ["1", "2"], [0.0] * 4, 0),
    "grid: largest, long names": lambda: grid_case([f"{i} {LONG}" for i in range(6)], [f"{i} {LONG}" for i in range(5)],
                                                   [i / 30 for i in range(30)], 123_456_789, row_label=LONG),
    "grid: close limits": lambda: grid_case(["A"], ["1", "2"], [0.011, 0.02], limits=(0.005, 0.0105, 0.0125, 0.99)),
    "reasons: all zero": lambda: reasons_case(["A", "B"], [0.0, 0.0]),
    "reasons: all against": lambda: reasons_case([LONG, "B"], [-2.0, -0.001], 0.3),
    "reasons: withheld": lambda: reasons_case(["A", LONG], [nan, nan], note=["12 leads", LONG]),
    "reasons: huge money": lambda: reasons_case(["A", LONG], [-9e14, 8e14], 1e14, unit="money", currency="USD",
                                                against_label=LONG, for_label=LONG),
    "reasons: one": lambda: reasons_case(["A"], [3.0], 9.0),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_no_two_labels_collide_and_none_leaves_the_figure(case: str, drawn: list[Figure]) -> None:
    check_layout(CASES[case], drawn)


@pytest.mark.parametrize("case", CASES)
def test_a_drawing_uses_the_palette_keeps_its_text_and_repeats_itself(case: str) -> None:
    first = CASES[case]()
    check_drawings(first)
    if case.startswith("sample"):
        check_repeats(CASES[case])
    words = " ".join(texts(first.wide) + texts(first.narrow)).lower().split()
    assert len(words) >= 2 and not {"nan", "nat", "nan%", "$nan"} & set(words)


def texts(svg: str) -> list[str]:
    return re.findall(r">([^<]*)</text>", svg)


MARKS = st.lists(
    st.tuples(st.text(alphabet="abc dé", min_size=1, max_size=40), st.floats(0, 1)), min_size=1, max_size=4
)


@settings(max_examples=15, deadline=None, suppress_health_check=RELAXED)
@given(marks=MARKS, values=st.lists(st.one_of(st.just(nan), st.floats(-1e6, 1e6)), min_size=3, max_size=8))
def test_no_marks_make_labels_of_a_cost_curve_collide(
    drawn: list[Figure], marks: list[tuple[str, float]], values: list[float]
) -> None:
    drawn.clear()
    cost_case([*values, 0.0], {f"{place} {name}": threshold for place, (name, threshold) in enumerate(marks)})
    assert [collisions(figure) for figure in drawn] == [[], []]


@settings(max_examples=12, deadline=None, suppress_health_check=RELAXED)
@given(courses=st.lists(st.lists(st.floats(-1, 1), min_size=4, max_size=4), min_size=1, max_size=4),
       cut=st.floats(0, 1))  # fmt: skip
def test_no_courses_make_labels_of_gains_collide(drawn: list[Figure], courses: list[list[float]], cut: float) -> None:
    drawn.clear()
    gains_case({f"Order {place}": [0.0, *course] for place, course in enumerate(courses)}, cut_off=cut)
    assert [collisions(figure) for figure in drawn] == [[], []]


@settings(max_examples=10, deadline=None, suppress_health_check=RELAXED)
@given(st.lists(st.tuples(st.text(max_size=60), st.one_of(st.just(nan), st.floats(0, 1))), min_size=1, max_size=6))
def test_no_names_make_bands_and_reasons_collide(drawn: list[Figure], rows: list[tuple[str, float]]) -> None:
    drawn.clear()
    names, values = [name for name, _ in rows], [value for _, value in rows]
    bands_case(names, values, kept=[None] * len(rows))
    reasons_case(names, [0.5 - value for value in values], 0.2)
    assert [collisions(figure) for figure in drawn] == [[], [], [], []]


def test_names_with_markup_are_plain_text() -> None:
    drawings = [
        gains_case({SCRIPT: [0, 0.7, 1]}, cut_off=0.2, cut_off_label=SCRIPT),
        calibration_case([0.2], [0.3], top_label=SCRIPT),
        cost_case(HUMP, {SCRIPT: 0.5}),
        bands_case([SCRIPT], [0.2]),
        grid_case([SCRIPT], ["1"], [0.2]),
        reasons_case([SCRIPT], [0.2]),
    ]
    for chart in drawings:
        assert "<script" not in chart.wide + chart.narrow
        for svg in (chart.wide, chart.narrow):
            assert "&lt;script&gt;" in svg


# --- gains


def test_the_cut_off_is_read_off_the_story_line(drawn: list[Figure]) -> None:
    frame = samples.gain_lines().sort_values("emphasis", kind="stable")
    charts.gains(frame, id="fig-x", cut_off=0.25, **WORDS)
    said = " ".join(text.get_text() for text in drawn[0].texts)
    # 1 - 0.75^4
    assert "25% called: 68.4%" in said
    lines = drawn[0].axes[0].lines
    bold = max(lines, key=lambda line: line.get_linewidth())
    assert bold.get_color() == palette.LIGHT["blue"]
    assert np.allclose(bold.get_ydata(), 1 - (1 - samples.SHARES) ** 4)
    grey = [line for line in lines if line.get_color() == palette.LIGHT["grey"] and len(line.get_xdata()) > 2]
    assert len({str(line.get_linestyle()) for line in grey} | {str(line._dash_pattern) for line in grey}) >= 2


def test_a_cut_off_that_the_line_does_not_reach_is_not_marked(drawn: list[Figure]) -> None:
    charts.gains(pd.DataFrame({"line": "A", "called": [0.0, 0.2], "captured": [0.0, 0.6]}), id="fig-x", cut_off=0.3,
                 **WORDS)  # fmt: skip
    assert not any("called:" in text.get_text() for text in drawn[0].texts)


def test_the_straight_line_of_a_qini_curve_ends_where_everybody_is_reached(drawn: list[Figure]) -> None:
    gains_case({"A": [0.0, -0.002, 0.01]}, straight_label="At random")
    gains_case({"A": [0.0, 0.3]}, straight_to=1.0)
    (first, _, second, _) = drawn
    assert first.axes[0].lines[-2].get_ydata().tolist() == [0, 0.01]
    assert first.axes[0].get_ylim()[0] < 0
    assert second.axes[0].get_ylim() == (0.0, 1.0)


def test_the_data_behind_gains_names_its_units() -> None:
    chart = samples.gains_figure()
    assert list(chart.data.columns) == [
        "Order", "Share of leads called, best first", "Share of outcomes captured", "Lower", "Upper",
    ]  # fmt: skip
    assert chart.data["Order"].unique().tolist() == ["Lead score", "Present rules", "Newest first"]
    assert chart.data.groupby("Order").size().max() <= 42
    assert set(chart.formats.values()) == {"share"}
    assert "Lower" not in gains_case({"A": [0, 1]}).data.columns


# --- calibration


def test_calibration_marks_stand_at_their_values_and_the_scales_are_one(drawn: list[Figure]) -> None:
    calibration_case([0.1, 0.4, 0.2], [0.15, 0.3, nan])
    for figure in drawn:
        axes = figure.axes[0]
        assert axes.get_xlim() == axes.get_ylim()
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in dots] == [(0.1, 0.15), (0.4, 0.3)]
        assert "Predicted 40.0%, observed 30.0%" in " ".join(text.get_text() for text in figure.texts)


def test_a_bin_too_thin_to_draw_keeps_its_row_and_reason() -> None:
    bins = pd.DataFrame({"predicted": [0.1, 0.4], "observed": [0.1, nan], "lower": [0.0, nan], "upper": [0.2, nan],
                         "n": [90, 4], "note": [None, "4 leads, 30 needed"]})  # fmt: skip
    data = charts.calibration(bins, id="fig-x", **WORDS).data
    assert data["Note"].tolist()[1] == "4 leads, 30 needed"
    assert data["Leads"].tolist() == [90, 4]


# --- cost curve


def test_marks_of_one_threshold_share_a_label(drawn: list[Figure]) -> None:
    cost_case(HUMP, {"Agreed": 0.4, "Capacity limit": 0.41, "Best": 0.4})
    said = [text.get_text() for text in drawn[1].texts]
    assert "Agreed and best 40%: $9,000" in said
    assert "Capacity limit 41%: $8,800" in said


def test_a_mark_beyond_the_curve_has_no_value(drawn: list[Figure]) -> None:
    chart = cost_case(HUMP, {"Agreed": 0.9}, at=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert "Agreed 90%" in [text.get_text() for text in drawn[0].texts]
    assert drawn[0].axes[0].get_xlim() == (0.1, 0.9)
    assert chart.data.set_index("Marked as").loc["Agreed"].isna()["Expected value a week"]


def test_the_second_labels_give_the_leads_of_the_nearest_threshold(drawn: list[Figure]) -> None:
    points = pd.DataFrame(
        {"threshold": [0.0, 0.09, 0.21, 0.3], "value": [1.0, 2.0, 3.0, 2.0], "leads": [900, 80, 7, 1]}
    )
    charts.cost_curve(points, id="fig-x", **WORDS)
    for figure in drawn:
        said = [text.get_text() for text in figure.texts]
        assert said.index("10%") < said.index("80") < said.index("7")
        assert said.count("Leads a week") == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(40, 330), st.floats(40, 150)), min_size=1, max_size=4))
def test_each_flag_has_a_line_of_its_own_within_the_figure(flags: list[tuple[float, float]]) -> None:
    xs, widths = [x for x, _ in flags], [width for _, width in flags]
    places = stacked(xs, widths, width=350)
    assert sorted(line for line, _ in places) == list(range(len(flags)))
    assert all(0 <= left <= 350 - width + 1e-9 for (_, left), width in zip(places, widths, strict=True))


def test_no_upright_runs_through_a_flag_where_there_is_a_way_round() -> None:
    xs, widths = [140.0, 150.0, 300.0], [150.0, 120.0, 140.0]
    places = stacked(xs, widths, width=350)
    for text, (line, left) in enumerate(places):
        through = [x for (other, _), x in zip(places, xs, strict=True) if other <= line]
        assert not any(left < x < left + widths[text] for x in through)


def test_the_marks_are_in_the_table_among_the_thresholds() -> None:
    data = samples.cost_figure().data
    assert data["Marked as"].dropna().tolist() == ["Capacity limit", "Best", "Agreed"]
    assert data["Threshold"].is_monotonic_increasing
    assert samples.cost_figure().formats["Expected value a week"] == "money:USD"


# --- bands


def test_a_promise_is_kept_broken_or_not_yet_to_be_told() -> None:
    chart = samples.bands_figure()
    assert chart.data["Promise"].tolist() == [
        "fewer than promised", "in line", "more than promised", "too few to tell",
    ]  # fmt: skip
    assert "withheld: 12 leads, 30 needed" in chart.wide and "withheld: 12 leads, 30 needed" in chart.narrow
    assert all(words in chart.narrow for words in ("▼ fewer than promised", "✓ in line", "▲ more than promised"))


def test_band_bars_are_as_long_as_their_shares(drawn: list[Figure]) -> None:
    bands_case(["A", "B", "C"], [0.3, 0.2, nan], shares=[0.1, 0.4, 0.5])
    for figure in drawn:
        assert [patch.get_width() for patch in figure.axes[0].patches] == [0.1, 0.4, 0.5]


# --- grid


def luminance(colour: np.ndarray) -> float:
    linear = np.where(colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK])
def test_text_keeps_its_contrast_on_the_deepest_cell(theme: dict[str, str]) -> None:
    page, accent, ink = (np.array([int(theme[name][at:at + 2], 16) for at in (1, 3, 5)]) / 255
                         for name in ("bg", "blue", "ink"))  # fmt: skip
    low, high = sorted((luminance(page * (1 - DEEPEST) + accent * DEEPEST), luminance(ink)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_shades_step_up_at_the_limits_and_stay_within_the_deepest(drawn: list[Figure]) -> None:
    chart = grid_case(["A"], ["1", "2", "3", "4"], [0.3, 0.29, 0.05, 0.049], limits=(0.05, 0.15, 0.3))
    for figure in drawn:
        depths = [patch.get_alpha() for patch in figure.axes[0].patches]
        # Three cells with a shade, then the key: the fourth cell and the first step of the key have none.
        assert depths == pytest.approx(
            [DEEPEST, DEEPEST * 2 / 3, DEEPEST / 3] + [DEEPEST * step / 3 for step in (1, 2, 3)]
        )
        said = [text.get_text() for text in figure.texts]
        assert [text for text in said if "%" in text][-4:] == ["under 5%", "5% to 15%", "15% to 30%", "30% or more"]
    assert chart.formats == {"Leads": "count", "Observed rate": "share"}


def test_a_cell_without_evidence_is_blank_and_says_so(drawn: list[Figure]) -> None:
    cells = pd.DataFrame({"row": ["A", "B", "B"], "column": ["1", "1", "2"], "rate": [0.2, nan, 0.0], "n": [90, 3, 40]})
    charts.grid(cells, id="fig-x", **WORDS)
    for figure in drawn:
        said = [text.get_text() for text in figure.texts]
        assert said.count("too few") == said.count("none") == said.count("n 3") == said.count("0.0%") == 1


def test_text_on_a_shade_has_no_halo() -> None:
    chart = samples.grid_figure()
    assert chart.wide.count('<g class="on-fill"><text') == chart.narrow.count('<g class="on-fill"><text') == 32


def test_rows_and_columns_stand_in_the_order_asked_for() -> None:
    chart = grid_case(["B", "A"], ["2", "1"], [0.1, 0.2, 0.3, 0.4], rows=["A", "B"], columns=["1", "2"])
    assert chart.data["Fit"].tolist() == ["A", "A", "B", "B"]
    assert chart.data["Observed rate"].tolist() == [0.4, 0.3, 0.2, 0.1]


# --- reasons


def test_bars_go_to_the_side_their_sign_says(drawn: list[Figure]) -> None:
    reasons_case(["A", "B"], [1.5, -0.5])
    for figure in drawn:
        right, left = figure.axes[0].patches
        assert right.get_width() == pytest.approx(-3 * left.get_width())
        assert right.get_width() > 0 and right.get_x() == left.get_x()
        said = [text.get_text() for text in figure.texts]
        assert "+1.50" in said and "−0.50" in said and "← Speaks against" in said


def test_importance_has_one_side_and_no_signs(drawn: list[Figure]) -> None:
    samples.importance_figure()
    said = [text.get_text() for text in drawn[0].texts]
    assert "0.81" in said and not any("Speaks" in text for text in said)


# --- where labels go


def test_a_label_is_near_its_own_and_clear_of_the_rest() -> None:
    own, other = labels.sampled([0, 300], [100, 100]), labels.sampled([0, 300], [130, 130])
    within = labels.Box(0, 0, 300, 200)
    first = labels.beside(own, [other], width=60, height=16, within=within)
    assert first.bottom < 100 and 100 - first.bottom < 20
    second = labels.beside(own, [other], width=60, height=16, within=within, taken=[first])
    assert second.overlap(first) == 0 and second.inside(within)
    assert not any(second.top < y < second.bottom for y in (100, 130))


def test_a_sampled_line_keeps_its_corners_distance() -> None:
    points = labels.sampled([0, 30, 30], [0, 0, 40], every=7)
    steps = np.hypot(*np.diff(points, axis=0).T)
    assert points[0].tolist() == [0, 0] and points[-1].tolist() == [30, 40]
    assert steps.max() <= 7
    assert labels.sampled([5], [6]).tolist() == [[5, 6], [5, 6]]


# --- refusals


@pytest.mark.parametrize(("build", "message"), [
    (lambda: gains_case({"A": [nan, nan]}),
     "gains: got no known value; at least one is needed. Show not_applicable() instead."),
    (lambda: gains_case({name: [0, 1] for name in "ABCDE"}),
     "gains: got 5 lines; allowed are 1 to 4. Leave out what is not compared."),
    (lambda: charts.gains(pd.DataFrame({"line": ["A"], "called": [0.1]}), id="fig-x", **WORDS),
     "gains: column 'captured' is missing; got line, called; allowed are line, called, captured and optionally lower, "
     "upper, emphasis. Rename or drop columns."),
    (lambda: calibration_case([], []),
     "calibration: got no bins; at least one is needed. Show not_applicable() instead."),
    (lambda: calibration_case([0.1], [nan]),
     "calibration: got no bin with an observed rate; at least one is needed. Show not_applicable() instead."),
    (lambda: cost_case([nan], {}),
     "cost_curve: got no known value; at least one is needed. Show not_applicable() instead."),
    (lambda: cost_case(HUMP, dict.fromkeys("ABCDE", 0.5)),
     "cost_curve marks: got 5; allowed are 0 to 4. Mark fewer thresholds."),
    (lambda: bands_case(["A"], [0.1], colour=["red"]),
     "bands: column 'colour' is not known; got band, share, rate, colour, lower, upper, predicted; allowed are band, "
     "share, rate, lower, upper, predicted and optionally n, kept, note. Rename or drop columns."),
    (lambda: grid_case(["A"], list("123456"), [0.1] * 6), "grid: got 6 columns; allowed are 1 to 5. Join neighbours."),
    (lambda: grid_case(["A", "A"], ["1"], [0.1, 0.2]), "grid: 'A' with '1' stands twice; allowed is one row a cell. "
                                                       "Add the cells up."),
    (lambda: grid_case(["A", "B"], ["1"], [0.1, 0.2], rows=["A"]),
     "grid: rows lack 'B'; got A. Name every one that has cells."),
    (lambda: grid_case(["A"], ["1"], [0.1], limits=(0.2, 0.1)),
     "grid: limits: got 0.2, 0.1; allowed are 1 to 4 rising rates above 0, to 1. Order them, or leave them out."),
    (lambda: calibration_case([37.0], [0.3]),
     "calibration: predicted: got 37; allowed are 0 to 1. Divide percent by 100."),
    (lambda: cost_case(HUMP, {"Agreed": 30}),
     "cost_curve marks: threshold: got 30; allowed are 0 to 1. Divide percent by 100."),
    (lambda: reasons_case([], []), "reasons: got no rows; at least one is needed. Show not_applicable() instead."),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused_with_the_remedy(build: Callable[[], Chart], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        build()
    assert str(raised.value) == message


def test_the_sheets_are_as_wide_as_the_page_expects(drawn: list[Figure]) -> None:
    for build in samples.FIGURES.values():
        build()
    widths = [round(figure.get_size_inches()[0] * 72) for figure in drawn]
    assert widths == [canvas.WIDE.width, canvas.NARROW.width] * len(samples.FIGURES)
