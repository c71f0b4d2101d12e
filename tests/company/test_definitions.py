"""Definitions: what ships is valid, and every mistake is explained with its place and the remedy."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from small_companies import definitions_of
from smarketing.company.definitions import read_definitions, read_yaml
from smarketing.company.tables import CompanyError

PARAMS = Path(__file__).parents[2] / "params"


def content() -> dict[str, Any]:
    """A small valid file."""
    stages: list[dict[str, str]] = [
        {"stage": "lead", "label": "Lead", "plural": "Leads", "team": "marketing", "enters_when": "now"},
        {
            "stage": "won",
            "label": "Won",
            "plural": "Won",
            "team": "sales",
            "enters_when": "now",
        },
    ]
    figure = {"name": "flow", "label": "New leads", "kind": "entries", "stage": "lead"}
    return {
        "version": "1",
        "company": "Acme",
        "changed": "2026-01-01",
        "stages": {"funnel": stages, "exits": [{"stage": "lost", "label": "Lost", "means": "no"}]},
        "kpis": {"figures": [figure]},
    }


def refusal(tmp_path: Path, said: Any) -> str:
    path = tmp_path / "definitions.yml"
    path.write_text(said if isinstance(said, str) else yaml.safe_dump(said))
    with pytest.raises(CompanyError) as caught:
        read_definitions(path)
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize("name", ["definitions.yml", "definitions_olist.yml", "definitions_crm_opportunities.yml"])
def test_shipped_definitions_are_valid(name: str) -> None:
    assert read_definitions(PARAMS / name).stages.win.stage == "won"


def test_what_is_not_agreed_is_named() -> None:
    assert read_definitions(PARAMS / "definitions.yml").not_agreed == ("money",)
    everything = ("stages", "kpis", "windows", "evidence", "privacy", "calendar", "money")
    assert definitions_of().not_agreed == everything
    assert read_definitions(PARAMS / "definitions_olist.yml").not_agreed == everything


def test_stages_by_name() -> None:
    stages = definitions_of().stages
    assert stages.names == ("lead", "mql", "sql", "opportunity", "won", "lost", "rejected", "recycled")
    assert stages.first_deal_stage is not None
    assert (stages.first_deal_stage.stage, stages.win.stage) == ("opportunity", "won")
    labels = [stages.label(name) for name in ("mql", "lost", "open", "strange")]
    assert labels == ["MQL", "Lost", "Still open", "strange"]
    assert definitions_of(deals_from="nowhere").stages.first_deal_stage is None


def test_files_that_say_the_same_have_the_same_fingerprint(tmp_path: Path) -> None:
    said = content()
    (tmp_path / "one.yml").write_text(yaml.safe_dump(said))
    (tmp_path / "other.yml").write_text("# a comment\n" + yaml.safe_dump(dict(reversed(said.items())), sort_keys=False))
    one, other = (read_definitions(tmp_path / f"{name}.yml") for name in ("one", "other"))
    assert one == other
    assert one.sha256 == other.sha256
    assert one.model_copy(update={"version": "2"}).sha256 != one.sha256


def test_an_agreed_entry_needs_its_owners_and_its_day(tmp_path: Path) -> None:
    said = content() | {"windows": {"state": "agreed", "sales_owner": "VP Sales"}}
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 1 place:\n"
        "  windows: an agreed entry needs sales_owner, marketing_owner and agreed_on."
    )
    owners = {"sales_owner": "a", "marketing_owner": "b", "agreed_on": date(2026, 1, 1)}
    assert "windows" not in definitions_of(windows={"state": "agreed", **owners}).not_agreed


def test_wrong_keys_are_answered_with_the_nearest_right_one(tmp_path: Path) -> None:
    said = content() | {
        "windows": {"funel_days": 90},
        "privacy": {"colour": "red"},
        "evidence": {"minimum_denominator": 0},
    }
    said["stages"]["funnel"][0]["team"] = "support"
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 4 places:\n"
        "  stages.funnel.0.team: Input should be 'marketing' or 'sales'; got 'support'.\n"
        "  windows.funel_days: there is no such name. Did you mean 'funnel_days'?\n"
        "  evidence.minimum_denominator: Input should be greater than or equal to 1; got 0.\n"
        "  privacy.colour: there is no such name. Allowed are state, sales_owner, marketing_owner, agreed_on, "
        "review_on, smallest_group, show_account_names, show_owner_names."
    )


def test_a_missing_entry_is_named(tmp_path: Path) -> None:
    said = content()
    del said["kpis"]
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 1 place:\n  kpis: is missing and has no default."
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stage": "mql"}, "the file: KPI 'flow' names stage 'mql'; the funnel has lead, won."),
        (
            {"kind": "reached", "stage": "won", "to_stage": "lead", "within_days": 30},
            "the file: KPI 'flow': to_stage must come after stage in the funnel.",
        ),
        ({"kind": "reached", "to_stage": "won"}, "kpis.figures.0: a KPI of kind 'reached' needs within_days."),
        ({"kind": "entries", "stage": None}, "kpis.figures.0: a KPI of kind 'entries' needs stage."),
        (
            {"name": "Flow"},
            "kpis.figures.0.name: String should match pattern '^[a-z][a-z0-9_]*$'; got 'Flow'.",
        ),
    ],
)
def test_a_kpi_that_cannot_be_measured_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    said = content()
    said["kpis"]["figures"][0] |= change
    assert refusal(tmp_path, said) == f"Definitions file FILE is wrong in 1 place:\n  {message}"


def test_everything_that_contradicts_is_told_at_once(tmp_path: Path) -> None:
    said = content()
    flow = said["kpis"]["figures"][0]
    said["kpis"]["figures"] += [
        flow | {"name": "a", "stage": "mql"},
        flow | {"name": "b", "kind": "reached", "stage": "won", "to_stage": "lead", "within_days": 30},
    ]
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 2 places:\n"
        "  the file: KPI 'a' names stage 'mql'; the funnel has lead, won.\n"
        "  the file: KPI 'b': to_stage must come after stage in the funnel."
    )
    said = content()
    said["stages"]["exits"][0]["stage"] = "lead"
    said["stages"]["funnel"][0]["subject"] = "opportunity"
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 3 places:\n"
        "  stages: stage 'lead' is listed twice.\n"
        "  stages: stages that leads enter come before stages that deals (opportunities) enter.\n"
        "  stages: deals can be lost: add an exit whose stage is 'lost'."
    )


def test_stages_are_each_once_and_leads_come_first(tmp_path: Path) -> None:
    said = content()
    said["stages"]["exits"][0]["stage"] = "lead"
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 1 place:\n  stages: stage 'lead' is listed twice."
    )
    said = content()
    said["stages"]["funnel"][0]["subject"] = "opportunity"
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 1 place:\n"
        "  stages: stages that leads enter come before stages that deals (opportunities) enter."
    )


def test_a_funnel_has_two_stages(tmp_path: Path) -> None:
    said = content()
    del said["stages"]["funnel"][1]
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 1 place:\n"
        "  stages.funnel: Tuple should have at least 2 items after validation, not 1."
    )


def test_a_file_that_is_no_mapping_or_no_yaml_or_not_there(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path, "- a\n- b\n") == "Definitions file FILE holds list; a mapping of names to values is needed."
    )
    broken = refusal(tmp_path, "version: [1\ncompany: x")
    assert broken.startswith("Definitions file FILE is not valid YAML: while parsing a flow sequence")
    assert "line 2, column 8" in broken
    twice = refusal(tmp_path, "version: 1\ncompany: x\nversion: 2\n")
    assert twice.startswith("Definitions file FILE is not valid YAML: the key 'version' is given twice")
    assert "line 3, column 1" in twice
    (tmp_path / "latin.yml").write_bytes("company: Müller".encode("latin-1"))
    with pytest.raises(CompanyError, match=r"latin.yml is not UTF-8 text. Save it as UTF-8.$"):
        read_definitions(tmp_path / "latin.yml")
    absent = tmp_path / "absent.yml"
    message = f"Definitions file {absent} does not exist. Name an existing file, or copy one from params/."
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        read_yaml(absent, "Definitions")


def test_deals_begin_before_their_win_and_can_be_lost(tmp_path: Path) -> None:
    said = content()
    said["stages"]["funnel"][1]["subject"] = "opportunity"
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 1 place:\n  stages: a deal cannot begin with its win: "
        "add a stage before it that deals (opportunity) enter."
    )
    deal = {**said["stages"]["funnel"][1], "stage": "opportunity", "label": "Deal", "plural": "Deals"}
    said["stages"]["funnel"].insert(1, deal)
    said["stages"]["exits"] = []
    assert refusal(tmp_path, said) == (
        "Definitions file FILE is wrong in 1 place:\n  stages: deals can be lost: add an exit whose stage is 'lost'."
    )
