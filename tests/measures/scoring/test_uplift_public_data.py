"""Hillstrom's e-mail test: who is worth an e-mail, beside who is likely to visit anyway.

The average effect is counted from the file by pandas. Qini coefficients have no published value for these scores; that
of scikit-uplift for any given score is tested in ``tests/estimates/test_uplift.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from smarketing.company.definitions import read_definitions
from smarketing.company.inputs import open_company
from smarketing.estimates.rates import difference, wilson
from smarketing.measures.scoring.contact.uplift import Uplift, uplift
from smarketing.measures.scoring.leads.features import Drawn, draw
from smarketing.measures.view import View, view
from smarketing.report.uplift import who_is_worth_contacting

PARAMS = Path(__file__).parents[3] / "params"


@pytest.fixture(scope="module")
def folder(public_data: Callable[[str, str], Path]) -> Path:
    return public_data("hillstrom", "hillstrom")


@pytest.fixture(scope="module")
def opened(folder: Path) -> tuple[View, Drawn]:
    company = open_company(PARAMS / "inputs/hillstrom.yml", data=folder)
    found = view(company, read_definitions(PARAMS / "definitions_hillstrom.yml"), date(2026, 11, 1))
    assert found.definitions.scoring is not None
    return found, draw(found, found.definitions.scoring)


@pytest.fixture(scope="module")
def asked(opened: tuple[View, Drawn]) -> Callable[[str], Uplift]:
    known: dict[str, Uplift] = {}

    def ask(arm: str) -> Uplift:
        if arm not in known:
            found, drawn = opened
            assert found.definitions.scoring is not None
            started = time.process_time()
            answer = uplift(found, drawn, found.definitions.scoring, treated=arm, control="none")
            assert time.process_time() - started < 30
            assert isinstance(answer, Uplift)
            known[arm] = answer
        return known[arm]

    return ask


@pytest.mark.parametrize(("arm", "segment"), [("mens", "Mens E-Mail"), ("womens", "Womens E-Mail")])
def test_the_average_effect_is_that_of_the_file(
    asked: Callable[[str], Uplift], folder: Path, arm: str, segment: str
) -> None:
    visits = pd.read_csv(folder / "hillstrom.csv").groupby("segment")["visit"].agg(["sum", "count", "mean"])
    found = asked(arm)
    counted = [visits.loc[name] for name in (segment, "No E-Mail")]
    expected = difference(*(wilson(float(one["sum"]), float(one["count"])) for one in counted))
    assert found.average.value == pytest.approx(expected.value)
    assert (found.average.lower, found.average.upper) == pytest.approx((expected.lower, expected.upper), abs=1e-5)
    assert found.n == sum(one["count"] for one in counted)
    assert (found.goal, found.who, found.within_days) == ("visit", "customers", None)


def test_the_mens_email_moves_those_who_are_likely(asked: Callable[[str], Uplift]) -> None:
    found = asked("mens")
    assert found.average.value == pytest.approx(0.07659, abs=5e-6)
    assert (found.average.lower, found.average.upper) == pytest.approx((0.06995, 0.08323), abs=1e-4)
    # Qini x 10,000, 95 %: moved 33.6 (11.5 to 57.5), likely 36.6 (16.5 to 58.2), difference -3.0 (-9.7 to 2.4).
    assert found.uplift.qini.lower > 0
    assert found.uplift.qini.value == pytest.approx(33.6e-4, abs=1e-4)
    assert found.propensity.qini.lower > 0
    assert found.propensity.qini.value == pytest.approx(36.6e-4, abs=1e-4)
    assert found.difference.lower < 0 < found.difference.upper
    assert found.overlap > 0.85
    assert found.cell(3, 1)["reason"] == "nobody is here"
    titles = [block.text.partition("\n")[0] for block in who_is_worth_contacting(found)]
    assert titles[1:] == [
        "Who is likely and who is moved are not told apart as orders of contact; both beat a random one",
        "Effect of contact: +10.0 pts in the fifth moved most and +6.1 pts in the fifth moved least; +9.6 pts in the "
        "likeliest and +5.9 pts in the least likely",
        "Too few are likely and moved least to compare: 91.6% of the likeliest third are in the most moved third too",
    ]


def test_the_womens_email_moves_others_than_those_who_are_likely(asked: Callable[[str], Uplift]) -> None:
    found = asked("womens")
    # Qini x 10,000, 95 %: moved 78.9 (59.5 to 100.4), likely 21.5 (3.9 to 39.7), difference 57.4 (33.6 to 82.2).
    assert found.uplift.qini.value == pytest.approx(78.9e-4, abs=1e-4)
    assert found.propensity.qini.value == pytest.approx(21.5e-4, abs=1e-4)
    assert found.difference.lower > 25e-4
    assert found.contrast.lower > 0
    # Likely, and the e-mail is not seen to change it.
    anyway = found.cell(3, 1)
    assert anyway["control_rate"] > 0.15
    assert anyway["lower"] < 0 < anyway["upper"]
    assert found.cell(1, 3)["lower"] > 0.05
    titles = [block.text.partition("\n")[0] for block in who_is_worth_contacting(found)]
    assert titles[1] == "Contacting by who is moved gains more than by who is likely"
    assert titles[3] == (
        "2,798 customers are likely anyway (16.7% without contact) and moved least: contact is not seen to change it "
        "(+1.4 pts); among the unlikely moved most it is +8.2 pts"
    )
