"""Planned values: how they are spread over days, and what is wrong with a target."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import ibis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_companies import company_of
from smarketing.company.tables import CompanyError, MissingTable
from smarketing.company.targets import Target, Targets, _targets, read_targets, targets_of

PARAMS = Path(__file__).parents[2] / "params"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "targets.yml"
    path.write_text(text)
    return path


def refusal(tmp_path: Path, text: str) -> str:
    path = written(tmp_path, text)
    with pytest.raises(CompanyError) as caught:
        read_targets(path)
    return str(caught.value).replace(str(path), "FILE")


def test_a_count_is_spread_over_the_days_of_its_period(tmp_path: Path) -> None:
    plan = read_targets(written(tmp_path, "targets: [{metric: leads, period: 2026-02, value: 280}]"))
    assert plan.total("leads", date(2026, 2, 2), date(2026, 2, 8), {}) == pytest.approx(70)
    assert plan.total("leads", date(2026, 2, 1), date(2026, 2, 28), {}) == pytest.approx(280)
    assert plan.total("leads", date(2026, 2, 25), date(2026, 3, 1), {}) is None
    assert plan.total("deals", date(2026, 2, 2), date(2026, 2, 8), {}) is None


def test_where_periods_overlap_the_shorter_counts(tmp_path: Path) -> None:
    text = """targets:
      - {metric: leads, period: 2026, value: 3650}
      - {metric: leads, period: 2026-Q4, value: 1840}
      - {metric: leads, period: 2026-11, value: 900}"""
    plan = read_targets(written(tmp_path, text))
    # What is left of the year and of the quarter is spread over their other days.
    year, quarter, month = (3650 - 1840) / (365 - 92), (1840 - 900) / (92 - 30), 900 / 30
    assert plan.total("leads", date(2026, 9, 30), date(2026, 10, 1), {}) == pytest.approx(year + quarter)
    assert plan.total("leads", date(2026, 10, 31), date(2026, 11, 2), {}) == pytest.approx(quarter + 2 * month)
    assert plan.total("leads", date(2026, 10, 1), date(2026, 12, 31), {}) == pytest.approx(1840)
    assert plan.total("leads", date(2026, 1, 1), date(2026, 12, 31), {}) == pytest.approx(3650)
    # A rate holds on its days whatever is said inside.
    assert plan.level("leads", date(2026, 9, 30), date(2026, 10, 1), {}) == pytest.approx((3650 + 1840) / 2)


# December never has a target of its own, so that the year is always needed.
MONTHS = [f"2026-{month:02d}" for month in range(1, 12)]


@given(st.sets(st.sampled_from([*MONTHS, "2026-Q1", "2026-Q2", "2026-Q3"])))
def test_what_lies_inside_a_year_never_changes_the_year(periods: set[str]) -> None:
    rows = [{"metric": "m", "period": "2026", "value": 1e6, "scope": {}}]
    # Nested plans that fit: a month is at most a third of its quarter.
    rows += [
        {"metric": "m", "period": p, "value": 3e4 if "Q" in p else 1e4 + i, "scope": {}}
        for i, p in enumerate(sorted(periods))
    ]
    plan = _targets(rows, "here")
    whole = plan.total("m", date(2026, 1, 1), date(2026, 12, 31), {})
    assert whole == pytest.approx(1e6)
    for target in plan.rows:
        months = [t for t in plan.rows if t.days < 32 and t != target and target.holds(t)]
        # Three months say what their quarter is.
        expected = sum(t.value for t in months) if len(months) == 3 and target.days < 93 else target.value
        assert plan.total("m", target.start, target.end, {}) == pytest.approx(expected)


def test_periods_that_add_up_to_more_than_the_one_they_lie_in_are_refused(tmp_path: Path) -> None:
    text = """targets:
      - {metric: leads, period: 2026, value: 1000}
      - {metric: leads, period: 2026-Q3, value: 700}
      - {metric: leads, period: 2026-Q4, value: 800}
      - {metric: rate, period: 2026, value: 0.2}
      - {metric: rate, period: 2026-Q4, value: 0.3}"""
    plan = read_targets(written(tmp_path, text))
    message = (
        "Targets of leads: 1,000 are planned for 2026-01-01 to 2026-12-31, and 1,500 for the periods inside it "
        "(2026-07-01 to 2026-09-30, 2026-10-01 to 2026-12-31), so less than nothing is left for its other days. "
        "Raise the longer period's target, lower theirs, or leave the longer one out."
    )
    for ask in (
        lambda: plan.total("leads", date(2026, 3, 1), date(2026, 3, 7), {}),
        lambda: plan.check_totals("leads"),
    ):
        with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
            ask()
    assert plan.total("leads", date(2026, 7, 1), date(2026, 9, 30), {}) == pytest.approx(700)
    assert plan.level("rate", date(2026, 9, 30), date(2026, 10, 1), {}) == pytest.approx(0.25)


def test_a_rate_holds_on_each_of_its_days(tmp_path: Path) -> None:
    text = """targets:
      - {metric: rate, period: 2026-10, value: 0.2}
      - {metric: rate, period: 2026-11, value: 0.3}"""
    plan = read_targets(written(tmp_path, text))
    assert plan.level("rate", date(2026, 10, 1), date(2026, 10, 7), {}) == pytest.approx(0.2)
    assert plan.level("rate", date(2026, 10, 30), date(2026, 11, 1), {}) == pytest.approx((0.2 + 0.2 + 0.3) / 3)
    assert plan.level("rate", date(2026, 11, 30), date(2026, 12, 1), {}) is None


def test_a_target_is_for_exactly_its_scope(tmp_path: Path) -> None:
    plan = read_targets(written(tmp_path, "targets: [{metric: m, period: 2026, value: 365, scope: {region: EMEA}}]"))
    day = date(2026, 5, 5)
    assert plan.total("m", day, day, {"region": "EMEA"}) == pytest.approx(1)
    assert plan.total("m", day, day, {}) is None
    assert plan.total("m", day, day, {"region": "EMEA", "source": "Event"}) is None


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-Q1", date(2026, 1, 1), date(2026, 3, 31)),
        ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31)),
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_periods(tmp_path: Path, period: str, start: date, end: date) -> None:
    plan = read_targets(written(tmp_path, f"targets: [{{metric: m, period: {period}, value: 1}}]"))
    assert plan.rows == (Target("m", start, end, 1.0, {}),)


def test_a_target_without_a_period_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "targets: [{metric: m, value: 1}]") == (
        "Targets file FILE is wrong in 1 place:\n  targets.0.period: is missing and has no default."
    )


@pytest.mark.parametrize("period", ["2026-13", "2026-Q5", "26", "2026-1", "October 2026"])
def test_a_period_that_is_none_is_refused(tmp_path: Path, period: str) -> None:
    assert refusal(tmp_path, f"targets: [{{metric: m, period: '{period}', value: 1}}]") == (
        f"Targets file FILE: target 1 (m) has the period '{period}'. "
        "Write a year (2026), a quarter (2026-Q4) or a month (2026-10)."
    )


def test_two_targets_for_the_same_days_are_refused(tmp_path: Path) -> None:
    text = "targets: [{metric: m, period: 2026-10, value: 1}, {metric: m, period: 2026-10, value: 2}]"
    assert refusal(tmp_path, text) == (
        "Targets file FILE: m has two targets for 2026-10-01 to 2026-10-31 in the same scope. Keep one."
    )


def test_wrong_names_and_values_are_all_named_at_once(tmp_path: Path) -> None:
    text = "targets: [{metrics: m, period: 2026, value: much}]"
    assert refusal(tmp_path, text) == (
        "Targets file FILE is wrong in 3 places:\n"
        "  targets.0.metric: is missing and has no default.\n"
        "  targets.0.value: Input should be a valid number, unable to parse string as a number; got 'much'.\n"
        "  targets.0.metrics: there is no such name. Did you mean 'metric'?"
    )


def test_a_targets_table_says_the_same(engine: ibis.BaseBackend) -> None:
    rows = pd.DataFrame(
        {
            "metric": ["m", "m"],
            "period": ["2026-Q4", "2026-10"],
            "value": [92.0, 62.0],
            "scope": [None, "region = EMEA; source=Event"],
        }
    ).astype({"scope": object})
    found = targets_of(company_of(engine, {"targets": rows}))
    assert found == Targets(
        (
            Target("m", date(2026, 10, 1), date(2026, 12, 31), 92.0, {}),
            Target("m", date(2026, 10, 1), date(2026, 10, 31), 62.0, {"region": "EMEA", "source": "Event"}),
        )
    )


def test_a_targets_table_with_an_unreadable_scope_is_refused() -> None:
    rows = pd.DataFrame({"metric": ["m"], "period": ["2026"], "value": [1.0], "scope": ["EMEA"]})
    company = company_of(ibis.duckdb.connect(), {"targets": rows})
    message = "targets.scope is 'EMEA'; write it as name=value; name=value, or leave it empty."
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        targets_of(company)
    with pytest.raises(MissingTable, match=re.escape("no `targets` table is mapped")):
        targets_of(company_of(ibis.duckdb.connect(), {}))


def test_the_shipped_targets_cover_two_years() -> None:
    plan = read_targets(PARAMS / "targets.yml")
    assert plan.total("lead_flow", date(2025, 1, 1), date(2026, 12, 31), {}) is not None
    assert plan.level("close_rate", date(2026, 11, 1), date(2026, 11, 15), {}) == pytest.approx(0.29)
