"""Clustered bootstrap intervals of a score's measures cover the truth; those that take leads as independent do not.

Companies of `coverage_worlds`: accounts of 1 to 20 leads that are alike beyond what the score knows. 400 accounts have
the weight of about 240 equal ones, 100 of about 60.
"""

from __future__ import annotations

import math

import pytest

from coverage_worlds import SCORES, coverage

# Longer than the usual limit allows on a busy machine.
pytestmark = [pytest.mark.validate, pytest.mark.timeout(1800)]

COMPANIES = 1500


@pytest.mark.parametrize("measure", sorted(SCORES))
def test_intervals_cover(measure: str) -> None:
    clustered, rows = coverage(measure, accounts=400, companies=COMPANIES, draws=199)
    error = math.sqrt(0.95 * 0.05 / COMPANIES)
    assert abs(clustered - 0.95) < 2.6 * error, clustered
    assert rows < 0.8, rows


@pytest.mark.parametrize("measure", sorted(SCORES))
def test_few_accounts_cost_little(measure: str) -> None:
    clustered, rows = coverage(measure, accounts=100, companies=COMPANIES, draws=199)
    assert 0.91 < clustered < 0.965, clustered
    assert rows < 0.8, rows
