import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarketing.estimates.life_tables import LifeTable, life_table

subject = st.tuples(st.integers(0, 15), st.integers(0, 20), st.sampled_from(["", "won", "lost"]), st.floats(0.1, 1e6))
subjects = st.lists(subject, min_size=1, max_size=40)


def table(rows: list[tuple[int, int, str, float]]) -> LifeTable:
    first, days, exit_kind, weight = zip(*rows, strict=True)
    return life_table(first, np.add(first, days), exit_kind, weight=weight, kinds=("won", "lost"))


@given(subjects)
def test_at_risk_counts_subjects_under_observation(rows: list[tuple[int, int, str, float]]) -> None:
    life = table(rows)
    expected = [sum(w for first, days, _, w in rows if first <= age <= first + days) for age in life.age]
    total = sum(w for *_, w in rows)
    assert life.at_risk == pytest.approx(expected, abs=3e-9 * total)


@given(subjects, subjects)
def test_adding_tables_equals_pooling_rows(
    one: list[tuple[int, int, str, float]], other: list[tuple[int, int, str, float]]
) -> None:
    added, pooled = table(one) + table(other), table(one + other)
    assert (added.age == pooled.age).all()
    assert added.entered == pytest.approx(pooled.entered)
    assert added.censored == pytest.approx(pooled.censored)
    assert added.exits.keys() == pooled.exits.keys()
    for kind in added.exits:
        assert added.exits[kind] == pytest.approx(pooled.exits[kind])


@given(subjects, st.randoms(use_true_random=False))
def test_order_of_rows_is_irrelevant(rows: list[tuple[int, int, str, float]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert table(shuffled).at_risk == pytest.approx(table(rows).at_risk, rel=1e-9)


def test_kinds_that_did_not_occur_are_listed_with_zeros() -> None:
    life = life_table([0, 0], [3, 5], ["won", ""], kinds=("won", "rejected"))
    assert list(life.exits) == ["won", "rejected"]
    assert life.exits["rejected"].tolist() == [0, 0, 0]


def test_adding_tables_with_different_exits_keeps_both() -> None:
    life = life_table([0], [3], ["won"]) + life_table([0], [4], ["lost"])
    assert {kind: weights.tolist() for kind, weights in life.exits.items()} == {"won": [0, 1, 0], "lost": [0, 0, 1]}


def test_sums_are_frozen() -> None:
    life = life_table([0], [3], ["won"])
    with pytest.raises(ValueError, match="read-only"):
        life.entered[0] = 5


GOOD = {"age": [0, 3, 5], "entered": [2, 0, 0], "exits": {"won": [0, 1, 0]}, "censored": [0, 0, 1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"age": [0, 5, 3]},
            "LifeTable.age is [0, 5, 3]; it has to be whole days, 0 or more, each once, ascending. "
            "Group by the whole-day age and sort.",
        ),
        (
            {"age": [0, 1.5, 3]},
            "LifeTable.age is [0.0, 1.5, 3.0]; it has to be whole days, 0 or more, each once, ascending. "
            "Group by the whole-day age and sort.",
        ),
        (
            {"entered": [2, 0]},
            "LifeTable.entered has shape (2,); it needs one number for each of the 3 ages.",
        ),
        (
            {"censored": [0, 0, -1]},
            "LifeTable.censored is -1.0 at age 5; weights are finite and not negative. Leave out subjects without a "
            "weight.",
        ),
        (
            {"exits": {"won": [0, np.nan, 0]}},
            "LifeTable.exits['won'] is nan at age 3; weights are finite and not negative. Leave out subjects without a "
            "weight.",
        ),
        (
            {"exits": {"won": [0, 3, 0]}},
            "at age 3 a weight of 3 leaves and 2 is at risk: somebody leaves who never entered, or enters later. Count "
            "each subject once in entered, at its first age, and once in exits or censored, at its last.",
        ),
        (
            {"censored": [0, 0, 0]},
            "a weight of 2 enters and 1 leaves. Count subjects that are still open as censored at the last age they "
            "were seen.",
        ),
        (
            {"exits": {"open": [0, 1, 0]}},
            'an exit is called "open", which names the state of not having exited. Rename the exit.',
        ),
    ],
)
def test_impossible_tables_are_refused(change: dict[str, object], message: str) -> None:
    LifeTable(**GOOD)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LifeTable(**{**GOOD, **change})  # type: ignore[arg-type]


def test_columns_of_different_length_are_refused() -> None:
    message = "first, last, exit_kind and weight have 2, 1, 2 and 2 entries; each needs one a subject."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        life_table([0, 0], [1], ["", ""])
