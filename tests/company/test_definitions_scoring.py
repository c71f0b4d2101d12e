"""The scoring entry of the definitions: one label, bands that descend, and what the shipped files say."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from small_companies import definitions_of
from smarketing.company.definitions import read_definitions
from smarketing.company.scoring import Scoring
from smarketing.company.tables import CompanyError
from tests_root import ROOT

SAID = {"to_stage": "sql", "within_days": 60, "weekly_capacity": 50, "cost_of_working": 40, "threshold": 0.1}


def refusal(folder: Path, **changes: Any) -> str:
    said = definitions_of().model_dump(mode="json") | {"scoring": SAID | changes}
    said["scoring"] = {name: value for name, value in said["scoring"].items() if value is not None}
    path = folder / "definitions.yml"
    path.write_text(yaml.safe_dump(said, sort_keys=False))
    with pytest.raises(CompanyError) as caught:
        read_definitions(path)
    return str(caught.value).replace(str(path), "FILE").removeprefix("Definitions file FILE is wrong in 1 place:\n  ")


def test_what_is_not_said_has_a_default_that_is_only_assumed() -> None:
    scoring = definitions_of(scoring=SAID).scoring
    assert scoring is not None
    assert (scoring.state, scoring.moment_days, scoring.margin, scoring.minimum_lift) == ("assumed", 0, 1.0, 1.2)
    assert (scoring.value_of_stage, scoring.present_system, scoring.without) == (None, None, ())
    assert dict(scoring.bands) == {"A": 0.3, "B": 0.15, "C": 0.05}
    assert scoring.band_names == ("A", "B", "C", "D")
    assert Scoring.model_validate(SAID | {"bands": {"A": 0.5}}).band_names == ("A", "B")


def test_definitions_without_a_score_stay_as_they_were() -> None:
    plain = definitions_of()
    assert plain.scoring is None
    assert "scoring" not in dict(plain.entries())
    assert "scoring" in definitions_of(scoring=SAID).not_agreed


ONE = (
    "say exactly one of `to_stage` (a stage of the funnel, with `within_days`) and `outcome` (a yes-or-no attribute "
    "of leads in a flat export)"
)
CAPACITY = "with `to_stage` say `weekly_capacity` and leave `capacity_share` out: how many leads sales can work"
MISSING = "`weekly_capacity` is missing: with `to_stage` it says how many leads sales can work"
SHARE = "with `outcome` say `capacity_share` and leave `weekly_capacity` out: how many leads sales can work"
REACHABLE = "a lead that enters the funnel can reach mql, sql, opportunity, won"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcome": "bought"}, f"scoring: {ONE}."),
        ({"to_stage": None, "within_days": None}, f"scoring: {ONE}."),
        ({"within_days": None}, "scoring: `to_stage` needs `within_days`: until when a lead has to reach it."),
        (
            {"to_stage": None, "outcome": "bought"},
            "scoring: `within_days` counts days, and a label by `outcome` has none; leave it out.",
        ),
        (
            {"to_stage": None, "within_days": None, "outcome": "bought", "moment_days": 3},
            "scoring: `moment_days` counts days, and a label by `outcome` has none; leave it out.",
        ),
        ({"to_stage": "sal"}, f"the file: scoring: to_stage is 'sal'; {REACHABLE}."),
        ({"to_stage": "lead"}, f"the file: scoring: to_stage is 'lead'; {REACHABLE}."),
        ({"to_stage": "lost"}, f"the file: scoring: to_stage is 'lost'; {REACHABLE}."),
        ({"threshold": 15}, "scoring.threshold: a share between 0 and 1: write 0.15 for 15 %; got 15."),
        ({"exploration_share": 5}, "scoring.exploration_share: a share between 0 and 1: write 0.05 for 5 %; got 5."),
        ({"bands": {"A": 25}}, "scoring.bands.A: a share between 0 and 1: write 0.25 for 25 %; got 25."),
        ({"threshold": -0.1}, "scoring.threshold: a share between 0 and 1; got -0.1."),
        ({"threshold": float("nan")}, "scoring.threshold: a share between 0 and 1; got nan."),
        ({"cost_of_working": float("inf")}, "scoring.cost_of_working: Input should be a finite number; got inf."),
        ({"weekly_capacity": 0}, "scoring.weekly_capacity: Input should be greater than or equal to 1; got 0."),
        ({"margin": 0}, "scoring.margin: Input should be greater than 0; got 0."),
        (
            {"bands": {"A": 0.2, "B": 0.2}},
            "scoring: bands: limits descend, but B starts at 0.2 and A at 0.2.",
        ),
        (
            {"bands": {"A": 0.2, "B": 0.3, "C": 0.1}},
            "scoring: bands: limits descend, but B starts at 0.3 and A at 0.2.",
        ),
        ({"bands": {"A": 0.2, "C": 0.1}}, "scoring: bands: name them A, B, C and so on in this order; got A, C."),
        ({"bands": {}}, "scoring: bands: name them A, B, C and so on in this order; got none."),
        (
            {"bands": {"A": 0.2, "B": 0.0}},
            "scoring: bands: B starts at 0, so nothing is left for the band below it; raise it.",
        ),
        ({"capacitie": 3}, "scoring.capacitie: there is no such name. Did you mean 'capacity_share'?"),
        ({"cost_of_working": None}, "scoring.cost_of_working: is missing and has no default."),
        ({"weekly_capacity": None}, f"scoring: {MISSING}."),
        ({"capacity_share": 0.2}, f"scoring: {CAPACITY}."),
        ({"to_stage": None, "within_days": None, "outcome": "bought"}, f"scoring: {SHARE}."),
        (
            {"to_stage": None, "within_days": None, "outcome": "bought", "weekly_capacity": None},
            "scoring: `capacity_share` is missing: with `outcome` it says how many leads sales can work.",
        ),
        (
            {"state": "agreed", "sales_owner": "VP Sales"},
            "scoring: an agreed entry needs sales_owner, marketing_owner and agreed_on.",
        ),
    ],
)
def test_an_entry_that_cannot_be_scored_by_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert refusal(tmp_path, **changes) == message


def test_every_field_is_explained() -> None:
    text = re.sub(r"\s+", " ", Scoring.__doc__ or "")
    own = set(Scoring.model_fields) - {"state", "sales_owner", "marketing_owner", "agreed_on", "review_on"}
    assert {name for name in own if f"``{name}``" not in text} == set()


def test_the_shipped_definitions_score() -> None:
    demo, courses, shop = (
        read_definitions(ROOT / "params" / f"definitions{name}.yml").scoring
        for name in ("", "_xeducation", "_hillstrom")
    )
    assert demo is not None and courses is not None and shop is not None
    assert (demo.state, demo.to_stage, demo.within_days, demo.agreed_on) == (
        "agreed",
        "opportunity",
        90,
        date(2026, 6, 18),
    )
    assert (courses.outcome, shop.outcome) == ("converted", "visit")
    # What working a lead costs is not more than it is expected to bring at the agreed threshold.
    for scoring in (courses, shop):
        assert scoring.value_of_stage is not None
        assert scoring.threshold * scoring.value_of_stage >= scoring.cost_of_working
