"""Clustered bootstrap intervals of a score's measures cover the truth; those that take leads as independent do not.

Companies of `coverage_worlds`: accounts of 1 to 20 leads that are alike beyond what the score knows.
"""

from __future__ import annotations

import math

import pytest

from coverage_worlds import SCORES, coverage

pytestmark = pytest.mark.validate

COMPANIES = 1500


@pytest.mark.parametrize("accounts", [100, 400])
@pytest.mark.parametrize("measure", sorted(SCORES))
def test_intervals_cover(measure: str, accounts: int) -> None:
    clustered, rows = coverage(measure, accounts=accounts, companies=COMPANIES, draws=399)
    error = math.sqrt(0.95 * 0.05 / COMPANIES)
    assert abs(clustered - 0.95) < 2.6 * error, clustered
    assert rows < 0.8, rows
