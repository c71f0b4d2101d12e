"""A few companies without anything to tell, and a few with: `tests/validate/test_scoring_null.py` counts hundreds."""

from __future__ import annotations

import pytest

from null_companies import company
from scoring_worlds import definitions
from smarketing.measures.scoring.study import study


@pytest.mark.parametrize("seed", [400, 401, 402])
def test_nothing_to_tell_gives_no_score_out(seed: int) -> None:
    drawn, scoring, _ = company(seed, leads=3_000)
    found = study(drawn, definitions(), scoring)
    assert not found.usable and found.validity is not None
    assert not found.validity.measure("brier_skill").lower > 0


@pytest.mark.parametrize("seed", [400, 401])
def test_something_to_tell_gives_one_out(seed: int) -> None:
    # Twice the strength that the long run counts power at: a single company is no place to miss by chance.
    drawn, scoring, _ = company(seed, strength=2.0, leads=6_000)
    assert study(drawn, definitions(), scoring).usable
