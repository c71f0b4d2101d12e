"""Numbers and words as a reader meets them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarketing.report import formats


@pytest.mark.parametrize(("value", "unit", "text"), [
    (0.432, "share", "43.2%"), (0.0, "share", "0.0%"), (1.0, "share", "100.0%"), (0.0003, "share", "<0.1%"),
    (0.9999, "share", ">99.9%"), (-0.05, "share", "−5.0%"),
    (2_606_800, "money:USD", "$2.61M"), (12_392_800, "money:USD", "$12.4M"), (999_500, "money:USD", "$1.00M"),
    (999_499, "money:EUR", "€999K"), (9_870, "money:USD", "$9,870"), (0, "money:BRL", "R$0"),
    (-1234, "money:GBP", "−£1,234"),
    (3.4e9, "money:USD", "$3.40B"), (9.87e14, "money:USD", "$987T"), (5, "money:CHF", "CHF 5"), (5, "money", "5"),
    (1234, "count", "1,234"), (12.34, "count", "12.3"), (-3, "count", "−3"), (np.int64(7), "count", "7"),
    (42, "days", "42 days"), (1, "days", "1 day"), (1.04, "days", "1 day"), (4.5, "days", "4.5 days"),
    (42.4, "days", "42 days"),
    (0.024, "points", "+2.4 pts"), (-0.024, "points", "−2.4 pts"), (0.0001, "points", "0.0 pts"),
    (0.045, "change", "+4.5%"), (date(2026, 11, 5), "date", "5 Nov 2026"), ("2026-11-15", "date", "15 Nov 2026"),
    (pd.Timestamp("2026-11-15"), "month", "Nov 2026"), (3.14159, "number", "3.14"), (1234567, "number", "1,234,567"),
    ("as it is", "text", "as it is"),
])  # fmt: skip
def test_a_value_is_written_in_its_unit(value: object, unit: str, text: str) -> None:
    assert formats.value_of(value, unit) == text


def test_money_in_full() -> None:
    assert formats.money(2_606_800, "USD", full=True) == "$2,606,800"
    assert formats.money(-0.4, "USD", full=True) == "$0"


@pytest.mark.parametrize("unit", formats.UNITS)
@pytest.mark.parametrize("missing", [None, float("nan"), pd.NaT, pd.NA, np.float64("nan")])
def test_a_missing_value_is_a_dash_and_never_a_word(unit: str, missing: object) -> None:
    assert formats.value_of(missing, unit) == "–"
    assert formats.difference(missing, unit) == "–"  # type: ignore[arg-type]


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError) as raised:
        formats.value_of(1, "percent")
    assert str(raised.value) == (
        "unit: got 'percent'; allowed are share, points, change, count, number, days, money, money_short, date, month, "
        "text (money as money:USD). Name one of them."
    )


@pytest.mark.parametrize(("value", "unit", "text"), [
    (0.024, "share", "+2.4 pts"), (-410_000, "money:USD", "−$410K"), (27, "count", "+27"), (-3, "days", "−3 days"),
    (0.00001, "share", "0.0 pts"), (0, "money:USD", "$0"), (0.2, "money:USD", "+$0.20"),
    (0.002, "money:USD", "$0"),
])  # fmt: skip
def test_a_difference_carries_its_sign_unless_it_prints_as_zero(value: float, unit: str, text: str) -> None:
    assert formats.difference(value, unit) == text


def test_intervals_name_the_unit_once_and_open_ends_in_words() -> None:
    assert formats.interval(0.381, 0.46, "share") == "38.1% to 46.0%"
    assert formats.interval(51, 64, "days") == "51 to 64 days"
    assert formats.interval(0.0, 0.01, "points") == "0.0 to +1.0 pts"
    assert formats.interval(None, 64, "days") == "at most 64 days"
    assert formats.interval(51, float("inf"), "days") == "at least 51 days"
    assert formats.interval(None, None, "days") == "–"
    assert formats.difference_interval(-0.02, 0.014, "share") == "−2.0 to +1.4 pts"
    assert formats.difference_interval(None, 0.014, "share") == "–"


@pytest.mark.parametrize(("value", "unit", "moved", "by", "way"), [
    (0.024, "share", "rose", "rose by 2.4 points", "up 2.4 points"),
    (-0.01, "share", "fell", "fell by 1.0 point", "down 1.0 point"),
    (0.0004, "share", "held", "held", "unchanged"),
    (-410_000, "money:USD", "fell", "fell by $410K", "down $410K"),
    (3, "days", "rose", "rose by 3 days", "up 3 days"),
])  # fmt: skip
def test_direction_words_come_from_the_sign_as_printed(value: float, unit: str, moved: str, by: str, way: str) -> None:
    assert formats.moved(value, unit) == moved
    assert formats.moved_by(value, unit) == by
    assert formats.up_or_down(value, unit) == way


@given(st.floats(-1e9, 1e9), st.sampled_from(["share", "count", "days", "money:USD"]))
def test_reversing_a_change_reverses_its_words(value: float, unit: str) -> None:
    flip = {"rose": "fell", "fell": "rose", "held": "held"}
    assert formats.moved(-value, unit) == flip[formats.moved(value, unit)]
    forth, back = formats.difference(value, unit), formats.difference(-value, unit)
    assert forth.lstrip("+−") == back.lstrip("+−")
    assert not any(word in forth for word in ("nan", "None", "inf"))


def test_comparisons_and_lists() -> None:
    assert formats.compared(0.432, 0.42) == "above"
    assert formats.compared(0.4200001, 0.42) == "at"
    assert formats.compared(0.41, 0.42) == "below"
    assert formats.many(1, "lead") == "1 lead"
    assert formats.many(3192, "lead") == "3,192 leads"
    assert formats.many(2, "company", "companies") == "2 companies"
    assert [formats.listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_the_ends_of_an_interval_of_money_are_in_one_unit() -> None:
    assert formats.difference_interval(2_631, 10_100, "money", "USD") == "+$2.63K to +$10.1K"
    assert formats.difference_interval(-2_631, 6_330, "money", "USD") == "−$2,631 to +$6,330"
    assert formats.interval(9_870, 12_400, "money", "USD") == "$9.87K to $12.4K"
    # In thousands it would be nothing.
    assert formats.interval(12, 12_400, "money", "USD") == "$12 to $12.4K"
    assert formats.difference(6_330, "money", "USD", beside=10_100) == "+$6.33K"
    assert formats.money(0.05, "USD") == "$0.05"
