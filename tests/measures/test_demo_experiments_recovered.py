"""The demo company's experiments, read by their protocols from its files: the written truth is recovered."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from smarketing.company.definitions import read_definitions
from smarketing.company.demo import DemoTruth, build_demo
from smarketing.company.inputs import open_company
from smarketing.company.protocol import read_protocol
from smarketing.measures.experiments.readout import Readout, readout
from smarketing.measures.view import View, view

PARAMS = Path(__file__).parents[2] / "params"
AS_OF = date(2026, 11, 15)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[View, DemoTruth]:
    """The demo company of 20,000 leads, opened by its own input file."""
    folder = tmp_path_factory.mktemp("company") / "demo"
    truth = build_demo(folder)
    company = open_company(PARAMS / "inputs/demo.yml", data=folder)
    return view(company, read_definitions(PARAMS / "definitions.yml"), AS_OF), truth


def read(seen: View, name: str) -> Readout:
    return readout(seen, read_protocol(PARAMS / f"experiments/{name}.yml"))


@pytest.mark.parametrize(("name", "arm", "units"), [("nurture_mail", "mail", 3_213), ("exec_dinner", "dinner", 58)])
def test_the_intervals_cover_the_written_truth(seen: tuple[View, DemoTruth], name: str, arm: str, units: int) -> None:
    found, truth = read(seen[0], name), seen[1].experiments[name]
    assert all(check.outcome in ("passed", "not applicable") for check in found.checks), found.checks
    assert found.counts["over"].sum() == found.counts["dealt"].sum() == units
    effect = found.effect("reply", arm)
    print(name, effect[["control_value", "value", "lower", "difference", "upper", "p_value"]].to_dict())
    assert effect["lower"] < truth.effect(arm) < effect["upper"]
    # An interval that covers everything says nothing: half of it is less than the effect and a half.
    assert (effect["upper"] - effect["lower"]) / 2 < 1.5 * truth.effect(arm)
    for metric in ("opportunity", "pipeline"):
        nothing = found.effect(metric, arm)
        assert nothing["lower"] < 0 < nothing["upper"], metric


def test_the_mail_is_shipped_and_its_guardrail_kept(seen: tuple[View, DemoTruth]) -> None:
    found = read(seen[0], "nurture_mail")
    assert [(one.arm, one.state, one.metric) for one in found.verdicts] == [("mail", "ship", "reply")]
    assert found.guarded["kept"].tolist() == ["kept"]
    effect, truth = found.effect("reply", "mail"), seen[1].experiments["nurture_mail"]
    error = (effect["upper"] - effect["lower"]) / (2 * 1.96)
    assert abs(effect["control_value"] - truth.rates["control"]) < 2.6 * error
    assert truth.effect("mail") / error > 4
