"""Charts: labels that do not collide, data behind the drawing, gaps, withheld rows, refusals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import report_sample_figures as sample_figures
import report_samples as samples
from chart_checks import LONG, WORDS, check_drawings, check_layout, check_repeats, collisions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from smarketing.report import charts
from smarketing.report.charts import Chart, Panel, canvas
from smarketing.report.charts.sparkline import sparkline

nan = np.nan


def bars_case(labels: list[str], values: list[float], unit: str = "share", **columns: object) -> Chart:
    frame = pd.DataFrame({"label": labels, "value": values, **columns})
    return charts.bars(frame, id="fig-x", unit=unit, currency="USD" if unit == "money" else "", **WORDS)


def intervals_case(labels: list[str], values: list[float], *, unit: str = "share", **options: object) -> Chart:
    values = np.array(values, dtype=float)
    spread = np.abs(values) * 0.1
    rows = pd.DataFrame({"label": labels, "value": values, "lower": values - spread, "upper": values + spread})
    rows["note"] = ["only 12 of 30 accounts"] * len(rows)
    return charts.intervals(rows, id="fig-x", unit=unit, **WORDS, **options)


def curves_case(names: list[str], levels: list[float], **options: object) -> Chart:
    ages = np.arange(0, 121, 10)
    frames = [
        pd.DataFrame({"line": n, "age": ages, "share": v * (1 - np.exp(-ages / 30))})
        for n, v in zip(names, levels, strict=True)
    ]
    return charts.curves(pd.concat(frames), id="fig-x", **WORDS, **options)


def trend_case(
    weeks: list[float], months: list[float], unit: str = "count", label: str = "Lead flow", **columns: object
) -> Chart:
    panel = Panel(
        label=label,
        unit=unit,
        currency="USD",
        weeks=sample_figures.periods(sample_figures.WEEKS, weeks, **columns),
        months=sample_figures.periods(sample_figures.MONTHS, months),
    )
    return charts.trend([panel], id="fig-x", **WORDS)


def funnel_case(names: list[str], shares: list[float], **columns: object) -> Chart:
    counts = [round(share * 1_234_567) for share in shares]
    steps = pd.DataFrame({"stage": names, "count": counts, "share": shares, **columns})
    exits = pd.DataFrame({"exit": [LONG, "Still open"], "share": [0.5, 0.0], "lower": [0.4, 0], "upper": [0.6, 0.01]})
    return charts.funnel(steps, exits=exits, id="fig-x", **WORDS)


CASES: dict[str, Callable[[], Chart]] = {
    "sample trend": samples.trend_figure,
    "sample funnel": samples.funnel_figure,
    "sample curves": samples.curves_figure,
    "sample intervals": samples.intervals_figure,
    "sample bars": samples.bars_figure,
    "bars: 12, long labels": lambda: bars_case([f"{LONG} {i}" for i in range(12)], [0.0, 1.0, *[0.3] * 10]),
    "bars: one": lambda: bars_case(["One"], [1.0]),
    "bars: huge money": lambda: bars_case(["A", "B"], [9.87e14, 1.0], "money", change=[-9e14, 1.0]),
    "bars: all zero": lambda: bars_case(["A", "B"], [0.0, 0.0]),
    "bars: all withheld": lambda: bars_case(["A", LONG], [nan, nan], note=["12 accounts, 30 needed", LONG]),
    "bars: negative": lambda: bars_case(["A", "B"], [-0.2, 0.4]),
    "bars: prior far away": lambda: bars_case(["A", "B"], [0.1, 0.2], prior=[0.99, 0.01], change=[-0.89, 0.19]),
    "intervals: all withheld": lambda: intervals_case(["A", LONG], [nan, nan]),
    "intervals: one at 100 %": lambda: intervals_case(["A"], [1.0]),
    "intervals: zeros": lambda: intervals_case(["A", "B"], [0.0, 0.0], reference=0.0, reference_label=LONG),
    "intervals: differences": lambda: intervals_case(["A", LONG], [-0.2, 0.4], unit="points", reference=0.0),
    "intervals: money": lambda: intervals_case([LONG, "B"], [1e6, 3.4e12], unit="money:USD"),
    "curves: eight close together": lambda: curves_case([*"ABCDEFGH"], [0.9 + i / 500 for i in range(8)]),
    "curves: long names": lambda: curves_case([LONG, LONG + "!"], [0.5, 0.51], horizon=119, horizon_label=LONG),
    "curves: one at zero": lambda: curves_case(["A"], [0.0], target=0.85, horizon=1),
    "trend: zeros": lambda: trend_case([0] * 6, [0] * 12),
    "trend: 100 %": lambda: trend_case([1] * 6, [1] * 12, "share", LONG),
    "trend: huge money": lambda: trend_case([9.9e14, 1, 2, 3, 4, 5e14], [1e14] * 12, "money"),
    "trend: gaps": lambda: trend_case([nan, 1, nan, 3, nan, nan], [nan] * 11 + [1], target=[2] * 6),
    "trend: all withheld": lambda: trend_case([nan] * 6, [nan] * 12),
    "trend: zigzag": lambda: trend_case([5, 1, 5, 1, 5, 1], [1, 9] * 6, target=[3] * 6, prior_year=[4] * 6),
    "funnel: long, withheld": lambda: funnel_case([LONG, LONG], [1.0, 0.0], step_rate=[nan, nan]),
    "funnel: all reach the end": lambda: funnel_case(
        ["A", "B"], [1.0, 1.0], step_rate=[nan, 1.0], step_lower=[nan, 0.99], step_upper=[nan, 1.0],
        step_change=[nan, 0.5]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_no_two_labels_collide_and_none_leaves_the_figure(case: str, drawn: list[Figure]) -> None:
    check_layout(CASES[case], drawn)


NUMBERS = st.one_of(st.just(nan), st.floats(0, 1e9), st.integers(0, 5).map(float))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(weeks=st.lists(NUMBERS, min_size=6, max_size=6), months=st.lists(NUMBERS, min_size=12, max_size=12),
       targets=st.lists(NUMBERS, min_size=6, max_size=6))  # fmt: skip
def test_no_course_makes_labels_of_a_trend_collide(
    drawn: list[Figure], weeks: list[float], months: list[float], targets: list[float]
) -> None:
    drawn.clear()
    trend_case(weeks, months, "money", target=targets)
    assert [collisions(figure) for figure in drawn] == [[], []]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text(max_size=60), st.one_of(st.just(nan), st.floats(0, 1))), min_size=1, max_size=6))
def test_no_labels_make_bars_and_intervals_collide(drawn: list[Figure], rows: list[tuple[str, float]]) -> None:
    drawn.clear()
    labels, values = [name for name, _ in rows], [value for _, value in rows]
    bars_case(labels, values)
    intervals_case(labels, values)
    assert [collisions(figure) for figure in drawn] == [[], [], [], []]


@pytest.mark.parametrize("case", CASES)
def test_a_drawing_uses_the_palette_keeps_its_text_and_repeats_itself(case: str) -> None:
    check_drawings(CASES[case]())
    if case.startswith("sample"):
        check_repeats(CASES[case])


def test_a_colour_off_the_palette_is_refused_at_draw_time() -> None:
    def paint(sheet: canvas.Sheet) -> Figure:
        figure = canvas.blank(sheet, 20)
        canvas.frame(figure, left=0, top=0, width=20, height=20).plot([0, 1], [0, 1], color="#ff00ff")
        return figure

    with pytest.raises(ValueError) as raised:
        canvas.drawn_twice("fig-x", "alt", paint)
    assert str(raised.value) == (
        "colour: got #ff00ff; allowed are the palette's bg, panel, ink, muted, line, grid, blue, orange, teal, wine, "
        "grey, ahead, behind, warn, accent. Draw with smarketing.report.palette.LIGHT[name]."
    )


def test_money_and_markup_in_labels_are_plain_text() -> None:
    chart = bars_case(['$a$ <b> & "q" id="x" 3.14159', "B"], [0.1, 0.2])
    assert '$a$ &lt;b&gt; &amp; "q" id="x" 3.14159' in chart.narrow.replace("&quot;", '"')


@pytest.mark.parametrize(("changes", "message"), [
    ({"alt": "Too short."}, "figure 'fig-x': alt text has 10 characters; at least 60 are needed. Say the "
                            "chart type, the measure and the finding."),
    ({"title": " "}, "figure 'fig-x': title is empty; every figure has one. Say it in words."),
    ({"source": ""}, "figure 'fig-x': source is empty; every figure has one. Say it in words."),
    ({"id": "Fig 1"}, "id: got 'Fig 1'; allowed are lower-case letters, digits and hyphens, a letter first. Write it "
                      "like fig-funnel."),
])  # fmt: skip
def test_a_figure_without_its_words_is_refused(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        charts.bars(pd.DataFrame({"label": ["a"], "value": [1]}), **({"id": "fig-x"} | WORDS | changes))
    assert str(raised.value) == message


def test_columns_that_are_missing_or_unknown_are_refused() -> None:
    with pytest.raises(ValueError) as raised:
        charts.bars(pd.DataFrame({"label": ["a"]}), id="fig-x", **WORDS)
    assert str(raised.value) == (
        "bars: column 'value' is missing; got label; allowed are label, value and optionally prior, change, emphasis, "
        "note. Rename or drop columns."
    )
    with pytest.raises(ValueError) as raised:
        charts.curves(pd.DataFrame({"line": ["a"], "age": [1], "share": [1], "hue": [1]}), id="fig-x", **WORDS)
    assert str(raised.value) == (
        "curves: column 'hue' is not known; got line, age, share, hue; allowed are line, age, share and optionally "
        "lower, upper, emphasis. Rename or drop columns."
    )


def test_nothing_to_draw_is_refused_with_the_remedy() -> None:
    with pytest.raises(
        ValueError, match=r"^bars: got no rows; at least one is needed\. Show not_applicable\(\) instead\.$"
    ):
        bars_case([], [])
    with pytest.raises(ValueError, match=r"^trend: got 0 panels; allowed are 1 to 3\. Split the figure\.$"):
        charts.trend([], id="fig-x", **WORDS)


def test_no_label_stands_beyond_the_target_of_its_point(drawn: list[Figure]) -> None:
    # The target is so close above the last week that there is just room for a label over it.
    weeks = [9.81e5, 1.17e6, 1.42e6, 1.14e6, 1.19e6, 1.09e6]
    trend_case(weeks, [9e6] * 12, "money", target=[1.15e6] * 6, prior_year=[1e6, 9e5, 1.3e6, 8e5, 1.85e6, 1e6])
    for figure in drawn:
        # The weeks are written first.
        heights = {text.get_text(): text.get_position()[1] for text in reversed(figure.texts)}
        assert heights["$1.09M"] < heights["$0"] + (heights["$1M"] - heights["$0"]) * 1.09


def test_the_data_behind_a_trend_names_measure_period_and_unit() -> None:
    data = samples.trend_figure().data
    assert list(data.columns[:5]) == ["Measure", "Grain", "Period", "Unit", "Actual"]
    assert data["Unit"].unique().tolist() == ["count", "share"]
    assert len(data) == 6 + 12 + 6 + 12 + 12


def test_the_data_behind_a_funnel_holds_stages_and_exits() -> None:
    data = samples.funnel_figure().data
    assert data["Stage or exit"].tolist() == [
        "Leads", "Marketing qualified", "Sales accepted", "Opportunities", "Won", "Lost", "Rejected", "Recycled",
        "Still open",
    ]  # fmt: skip
    assert data["Reached"].tolist()[:5] == [5835, 3192, 1378, 844, 391]


def test_a_long_curve_is_thinned_to_a_table_that_can_be_read() -> None:
    ages = np.arange(1000)
    lines = pd.DataFrame({"line": "Won", "age": ages, "share": ages / 2000})
    data = charts.curves(lines, id="fig-x", **WORDS).data
    assert len(data) <= 42
    assert data.iloc[-1].tolist() == ["Won", 999, 0.4995]


def test_a_sparkline_leaves_gaps_and_drops_a_far_target() -> None:
    assert sparkline((1.0,)) == ""
    assert sparkline((None, None, 1.0)) == ""
    drawn = sparkline((1.0, 2.0, None, 3.0, None, 2.0, 2.5), 2.0)
    assert drawn.count("<polyline") == 2
    assert drawn.count('class="d"') == 1
    assert drawn.count('class="t"') == 1
    assert 'class="t"' not in sparkline((1.0, 2.0), 50.0)
    assert "NaN" not in sparkline((2.0, 2.0, 2.0), 2.0)
