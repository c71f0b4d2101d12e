import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarketing.estimates.scored import quantile_bins, scored


def test_rows_of_weight_0_are_left_out_before_anything_is_asked_of_them() -> None:
    rows = scored([0.3, np.nan, 0.1], [1, -1, 0], [2.0, 0.0, 1.0])
    assert rows.kept.tolist() == [0, 2]
    assert rows.weight_of([3, 9, 1]).tolist() == [6.0, 1.0]
    assert rows.weight_of(None).tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ([0.1, 0.2], [1], None),
            "scores, outcomes and weights have the shapes (2,), (1,) and (2,); give one of each a row.",
        ),
        (
            ([0.1, 0.2], [1, 0], [1, -1]),
            "a weight is negative, infinite or missing; use 0 where an outcome is not known.",
        ),
        (([np.nan, 0.2], [1, 0], None), "1 rows that count have no score; score them or give weight 0."),
        (([0.1, 0.2], [1, 2], None), "an outcome is neither 0 nor 1; give weight 0 where it is not known."),
        (([0.1, 0.2], [1, np.nan], None), "an outcome is neither 0 nor 1; give weight 0 where it is not known."),
    ],
)
def test_impossible_rows_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        scored(*arguments)


def test_amounts_may_be_anything_finite() -> None:
    assert scored([1, 2], [-3.5, 20], amounts=True).outcome.tolist() == [-3.5, 20]
    message = "an outcome is infinite or missing; give weight 0 where it is not known."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        scored([1, 2], [np.inf, 20], amounts=True)


def test_times_have_to_be_one_a_row() -> None:
    message = "times has the shape (3,) and there are 2 rows; give one number a row."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        scored([1, 2], [0, 1]).weight_of([1, 1, 1])


def test_quantile_bins_are_even_without_ties_and_never_split_equal_scores() -> None:
    assert np.bincount(quantile_bins(np.arange(100.0), np.ones(100), 10)).tolist() == [10] * 10
    # Half of the rows score 0: the middle of their weight lies in bin 2 of 10; the rest is even; no number is skipped.
    score = np.concatenate([np.zeros(50), np.arange(1.0, 51)])
    assert np.bincount(quantile_bins(score, np.ones(100), 10)).tolist() == [50, 10, 10, 10, 10, 10]
    assert quantile_bins(np.zeros(5), np.ones(5), 4).tolist() == [0] * 5
    assert quantile_bins(np.zeros(0), np.zeros(0), 4).tolist() == []
    message = "bins is 0; at least one is needed."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        quantile_bins(np.zeros(5), np.ones(5), 0)


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_bins_rise_with_the_score_and_hold_about_equal_weight(seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    score, weight = rng.normal(size=60), rng.integers(1, 5, 60).astype(float)
    found = quantile_bins(score, weight, bins)
    assert (np.diff(found[np.argsort(score)]) >= 0).all()
    assert set(found) == set(range(found.max() + 1))
    # A row that straddles a cut is at most one weight (4) too many at either end.
    assert np.bincount(found, weight).max() <= weight.sum() / bins + 4
