import math
import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarketing.estimates.moments import Moments, combine, terms

tables = st.integers(2, 25).flatmap(
    lambda n: st.lists(
        st.lists(st.floats(-1000, 1000).map(lambda x: round(x, 3)), min_size=n, max_size=n), min_size=1, max_size=4
    )
)


def summed(columns: dict[str, np.ndarray], *groups: list[str], centres: dict[str, float] | None = None) -> dict:
    """What an engine does with `terms`: the sum of the product of the columns named."""
    n = len(next(iter(columns.values())))
    apart = {name: column - (centres or {}).get(name, 0.0) for name, column in columns.items()}
    return {
        key: float(np.prod([apart[name] for name in names], axis=0).sum()) if names else n
        for key, names in terms(*groups).items()
    }


def named(table: list[list[float]]) -> dict[str, np.ndarray]:
    return {f"c{i}": np.array(column) for i, column in enumerate(table)}


@given(tables)
def test_means_and_covariance_equal_numpy(table: list[list[float]]) -> None:
    columns = named(table)
    centres = dict.fromkeys(columns, 100.0)
    for moments in (
        Moments.from_sums(list(columns), summed(columns, list(columns))),
        Moments.from_sums(list(columns), summed(columns, list(columns), centres=centres), centres=centres),
        Moments.from_rows(columns),
    ):
        np.testing.assert_allclose(moments.means, np.mean(table, axis=1), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(moments.covariance, np.atleast_2d(np.cov(table)), rtol=1e-7, atol=1e-6)


@given(tables, st.integers(1, 24))
def test_parts_add_up_whatever_their_centres(table: list[list[float]], cut: int) -> None:
    columns = named(table)
    parts = [{name: column[:cut] for name, column in columns.items()}]
    parts.append({name: column[cut:] for name, column in columns.items()})
    # from_rows centres each part at its own means.
    found = combine(Moments.from_rows(part) for part in parts)
    whole = Moments.from_rows(columns)
    assert found.n == whole.n
    np.testing.assert_allclose(found.means, whole.means, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.covariance, whole.covariance, rtol=1e-9, atol=1e-6)


def test_only_products_within_a_group_are_asked_for() -> None:
    assert terms(["won", "age"], ["spend", "age"]) == {
        "n": (),
        "won": ("won",),
        "age": ("age",),
        "spend": ("spend",),
        "won*won": ("won", "won"),
        "won*age": ("won", "age"),
        "age*age": ("age", "age"),
        "age*spend": ("age", "spend"),
        "spend*spend": ("spend", "spend"),
    }
    rows = {"won": np.array([1.0, 0, 1]), "age": np.array([3.0, 4, 8]), "spend": np.array([9.0, 0, 5])}
    moments = Moments.from_sums(["won", "age", "spend"], summed(rows, ["won", "age"], ["spend", "age"]))
    assert math.isnan(moments.covariance[0, 2])
    assert moments.select(["spend", "age"]).covariance[0, 1] == pytest.approx(np.cov(rows["spend"], rows["age"])[0, 1])
    message = "the product 'won' * 'spend' was not summed. Name both columns in one group of terms()."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        moments.select(["won", "spend"])


def test_an_engines_decimals_and_the_nulls_of_an_empty_arm_are_taken() -> None:
    cents = Moments.from_sums(["spend"], {"n": 2, "spend": Decimal(300), "spend*spend": Decimal(50_000)})
    money = cents.scaled({"spend": 0.01})
    assert (money.mean("spend"), money.variance("spend")) == (pytest.approx(1.5), pytest.approx(0.5))
    empty = Moments.from_sums(["spend"], {"n": 0, "spend": None, "spend*spend": None})
    assert math.isnan(empty.mean("spend"))
    assert math.isnan(empty.variance("spend"))
    assert (cents + empty).mean("spend") == cents.mean("spend")


def test_published_aggregates_are_enough() -> None:
    moments = Moments.from_summaries(50, {"spend": 12.5}, 4.0)
    assert (moments.mean("spend"), moments.variance("spend")) == (12.5, pytest.approx(4.0))
    pair = Moments.from_summaries(50, {"y": 2.0, "x": 1.0}, [[4.0, math.nan], [math.nan, 1.0]])
    assert pair.variance("x") == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"^the product 'y' \* 'x' was not summed\. "):
        pair.select(["y", "x"])


def test_a_centre_keeps_the_digits_that_a_large_mean_costs() -> None:
    rng = np.random.default_rng(3)
    day = 1.7e9 + rng.normal(0, 1, 1000)
    plain = Moments.from_sums(["day"], summed({"day": day}, ["day"]))
    assert plain.want_centre == ("day",)
    assert plain.variance("day") != pytest.approx(np.var(day, ddof=1), rel=0.01)
    centres = {"day": 1.7e9}
    better = Moments.from_sums(["day"], summed({"day": day}, ["day"], centres=centres), centres=centres)
    assert better.want_centre == ()
    assert better.variance("day") == pytest.approx(np.var(day, ddof=1), rel=1e-9)
    assert better.mean("day") == pytest.approx(day.mean(), rel=1e-12)


SUMS = {"n": 2, "y": 3.0, "y*y": 5.0}


@pytest.mark.parametrize(
    ("sums", "message"),
    [
        ({"y": 3.0, "y*y": 5.0}, "the sums have no 'n'; they have: y, y*y. Ask the engine for all of terms()."),
        ({"n": 2, "y": 3.0}, "the sums have no 'y*y'; they have: n, y. Ask the engine for all of terms()."),
        (
            SUMS | {"y": None},
            "the sums of 'y' are nan and 5.0 (squares) with centre 0.0; they have to be finite. "
            "Leave units without a value out before adding up.",
        ),
        (
            SUMS | {"y*y": 4.0},
            "'y' has the sum 3.0 and the sum of squares 4.0 over 2 units; no set of numbers has such sums. "
            "Add up values and squares over the same units.",
        ),
        (SUMS | {"n": -1}, "Moments.n is -1; a number of units cannot be negative."),
    ],
)
def test_impossible_sums_are_refused(sums: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Moments.from_sums(["y"], sums)


def test_other_misuse_is_named() -> None:
    moments = Moments.from_sums(["y"], SUMS)
    with pytest.raises(ValueError, match=r"^there is no column 'x' among the moments; there are: y\.$"):
        moments.mean("x")
    with pytest.raises(ValueError, match=r"^there is no column 'x' among the moments; there are: y\.$"):
        moments.scaled({"x": 2})
    with pytest.raises(ValueError, match=r"^there are no moments to add up; give at least one part\.$"):
        combine([])
    other = Moments.from_rows({"x": [1.0, 2.0]})
    message = "moments of y and of x cannot be added; select() the same columns in the same order first."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        moments + other
    with pytest.raises(
        ValueError, match=r"^a column is called 'n', the key of the number of units; give it another name\.$"
    ):
        terms(["n"])
    message = (
        "Moments of y, y: one total and one centre a column and a square of products are needed, and no column twice."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Moments.from_sums(["y", "y"], SUMS)
