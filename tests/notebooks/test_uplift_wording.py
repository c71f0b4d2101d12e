"""Sentences about whom contact moves: each is told both ways."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from smarketing.report import scoring_findings, uplift_wording


def interval(value: float, by: float = 0.01) -> Any:
    return SimpleNamespace(value=value, lower=value - by, upper=value + by)


def uplift(moved: float, likely: float, gap: float, **more: Any) -> Any:
    bins = pd.DataFrame({"effect": [0.01, 0.05]})
    told = {
        "uplift": SimpleNamespace(qini=interval(moved), bins=bins, spread=interval(0.04), gained=lambda _: moved),
        "propensity": SimpleNamespace(qini=interval(likely), bins=bins, spread=interval(0.0), gained=lambda _: likely),
        "difference": interval(gap),
        "average": interval(0.03),
    }
    return SimpleNamespace(**(told | more))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.05, 0.0, 0.05), "Contacting by who is moved gains more than by who is likely"),
        ((0.0, 0.05, -0.05), "Contacting by who is likely gains more than by who is moved"),
        ((0.0, -0.05, 0.05), "Contacting by who is moved gains more than by who is likely, and is not told apart from "
         "a random order"),
        ((-0.02, -0.07, 0.05), "Contacting by who is moved gains more than by who is likely, and less than at random"),
        ((0.05, 0.05, 0.0), "Who is likely and who is moved are not told apart as orders of contact; both beat a "
         "random one"),
        ((-0.05, -0.05, 0.0), "Who is likely and who is moved are not told apart as orders of contact; both are worse "
         "than a random one"),
        ((0.0, 0.0, 0.0), "Neither who is likely nor who is moved is told apart from a random order of contact"),
        ((0.015, 0.005, 0.0), "Contacting by who is moved gains more than a random order; the two scores are not told "
         "apart"),
        ((0.0, -0.02, 0.0), "Contacting by who is likely gains less than a random order; the two scores are not told "
         "apart"),
    ],
)  # fmt: skip
def test_who_is_worth_contacting(values: tuple[float, float, float], said: str) -> None:
    assert uplift_wording.qini_title(uplift(*values)) == said


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (0.05, "Contact raised it by 5.0 points"),
        (-0.05, "Contact lowered it by 5.0 points"),
        (0.0, "Contact is not seen to change it: 0.0 pts"),
    ],
)
def test_what_contact_did(effect: float, said: str) -> None:
    arm = SimpleNamespace(n=100, value=0.1)
    found: Any = SimpleNamespace(
        experiment="mail", treated="a", control="b", who="leads", goal="Visit", within_days=14,
        average=SimpleNamespace(**vars(interval(effect)), treated=arm, control=arm),
    )  # fmt: skip
    told = uplift_wording.measured(found)
    assert said in told and "The outcome is visit within 14 days" in told


def test_fifths_and_disagreement_say_when_they_cannot_tell() -> None:
    assert uplift_wording.fifths_title(uplift(0.0, 0.0, 0.0)) == (
        "Effect of contact: +5.0 pts in the fifth moved most and +1.0 pts in the fifth moved least; +5.0 pts in the "
        "likeliest and +1.0 pts in the least likely, not told apart"
    )

    def title(effect: float, by: float, contrast: float) -> str:
        cells = {
            (3, 1): {"reason": "", "effect": effect, "lower": effect - by, "upper": effect + by, "n": 50,
                     "control_rate": 0.3},
            (1, 3): {"reason": "", "effect": 0.08},
        }  # fmt: skip
        found: Any = SimpleNamespace(
            who="leads", overlap=0.5, contrast=interval(contrast), cell=lambda likely, moved: cells[likely, moved]
        )
        return uplift_wording.disagreement_title(found)

    start = "50 leads are likely anyway (30.0% without contact) and moved least: contact"
    assert title(0.03, 0.01, 0.05) == f"{start} raises it, by +3.0 pts; among the unlikely moved most it is +8.0 pts"
    assert title(-0.03, 0.01, 0.05).startswith(f"{start} lowers it, by −3.0 pts;")
    assert title(0.0, 0.01, 0.0) == (
        f"{start} is not seen to change it (0.0 pts); among the unlikely moved most it is +8.0 pts, not told apart"
    )


@pytest.mark.parametrize(
    ("gap", "claims"),
    [
        (0.05, ["Contacting by who is moved gains more than by who is likely."]),
        (-0.05, ["Contacting by who is likely gains more than by who is moved."]),
        (0.0, []),
    ],
)
def test_the_better_order_of_contact_is_a_finding_where_it_is_clear(gap: float, claims: list[str]) -> None:
    moved, likely = (0.06, 0.01) if gap > 0 else (0.01, 0.06)
    told = scoring_findings._order_of_contact(uplift(moved, likely, gap, who="customers", experiment="mail"))
    assert [finding.claim for finding in told] == claims
    for finding in told:
        assert finding.evidence == "fig-qini" and "difference" in finding.detail
        assert finding.weight > 2.3
