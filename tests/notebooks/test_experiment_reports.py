"""The readout of an experiment as a report: the demo company's two, and Hillstrom's from a params file alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from conftest import Suite
from small_projects import project_at, run_here
from smarketing.measures.experiments.verdict import Verdict
from smarketing.report import experiments_wording as wording

READOUT = "65_experiment_readout"
PUBLISHED = {
    "visit_mens": 0.07659,
    "visit_womens": 0.04523,
    "conversion_mens": 0.006805,
    "conversion_womens": 0.003111,
    "spend_mens": 0.76983,
    "spend_womens": 0.42441,
}
"""Differences from the control, not adjusted."""


def words(folder: Path) -> str:
    page = BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")
    for element in page(["style", "svg"]):
        element.decompose()
    return " ".join(page.get_text(" ").split())


def test_the_demo_companys_experiments_are_read_by_lead_and_by_account(scored: Suite) -> None:
    mail, dinner = (scored.report(READOUT, case) for case in ("demo", "demo_dinner"))
    for folder, unit, test in ((mail, "leads", "adjusted t test"), (dinner, "accounts", "the randomisation test")):
        said = words(folder)
        assert f"{unit} can be read" in said and f"By {test}." in said
        assert "The experiment was carried out as agreed" in said
        assert "Hash of the protocol" in said and "EX01 Do the arms have the shares of the protocol?" in said
    assert "Not applicable" not in words(mail)


def test_a_verdict_and_its_figures_are_recorded(scored: Suite) -> None:
    figures = json.loads((scored.report(READOUT) / "figures.json").read_text(encoding="utf-8"))
    (reply,) = figures["figures"]
    assert reply["name"] == "experiment_reply_mail" and reply["prior_label"] == "in the arm control"
    assert reply["change"] == pytest.approx(reply["value"] - reply["prior"], abs=1e-12)
    assert reply["change_lower"] < reply["change"] < reply["change_upper"]
    # The truth of the demo company: 4 % answer without the mail, 9 % with it.
    assert reply["change_lower"] < 0.05 < reply["change_upper"]
    (finding,) = figures["findings"]
    assert finding["theme"] == "what we tried and learned" and finding["claim"].startswith("nurture_mail, mail: ")


@pytest.fixture(scope="module")
def patch() -> Any:
    with pytest.MonkeyPatch.context() as found:
        yield found


@pytest.fixture(scope="module")
def hillstrom(
    public_data: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch
) -> Path:
    folder = public_data("hillstrom", "hillstrom")
    patch.setenv("SMARKETING_HILLSTROM_DATA", str(folder))
    project = project_at(tmp_path_factory.mktemp("hillstrom") / "project")
    done = run_here(patch, project / "params" / READOUT / "hillstrom.yml", project / "reports")
    assert done.folder is not None, done.error
    return done.folder


def test_hillstrom_is_read_from_a_params_file_alone(hillstrom: Path) -> None:
    said = words(hillstrom)
    assert "Ship mens and womens: Visit is better for sure." in said
    for arm, n in (("none", "21,306"), ("mens", "21,307"), ("womens", "21,387")):
        assert f"{arm} 33.3% {n} {n} {n}" in said
    assert "6 primary comparisons, taken together." in said
    assert "intervals up to 1.4% narrower (visit, mens), a small gain here." in said
    figures = {one["name"]: one for one in json.loads((hillstrom / "figures.json").read_text())["figures"]}
    # Differences are adjusted, so near the published ones; the table's means are the arms' own, adjusted alike.
    for name, published in PUBLISHED.items():
        one = figures[f"experiment_{name}"]
        half = (one["change_upper"] - one["change_lower"]) / 2
        assert abs(one["change"] - published) < 0.1 * half


def test_what_was_agreed_has_its_units(scored: Suite) -> None:
    said = words(scored.report(READOUT))
    assert "Opportunity within 30 days (margin \N{MINUS SIGN}3.0 pts)" in said and "an effect of +1.0 pts" in said
    assert "Worth shipping from any effect that is sure" in words(scored.report(READOUT, "demo_dinner"))


def verdicts(*given: tuple[str, str, str], blocked: str = "") -> Any:
    found = tuple(Verdict(arm=arm, state=state, why=why) for arm, state, why in given)  # type: ignore[arg-type]
    return SimpleNamespace(verdicts=found, blocked=blocked)


def test_arms_that_end_alike_are_told_together() -> None:
    better, thin = "Reply is better for sure", "no primary metric is better or worse for sure"
    assert wording.headline(verdicts(("a", "ship", better), ("b", "ship", better))) == f"Ship a and b: {better}."
    assert wording.headline(verdicts(("a", "ship", better), ("b", "inconclusive", thin))) == (
        f"Ship a: {better}; Inconclusive b: {thin}."
    )
    assert wording.headline(verdicts(blocked="EX01: control 10 (expected 60)")) == (
        "No verdict: the experiment was not carried out as agreed. EX01: control 10 (expected 60)."
    )


def effects(*rows: tuple[str, float, bool, bool]) -> Any:
    frame = pd.DataFrame(rows, columns=["label", "difference", "sure", "higher_is_better"])
    return SimpleNamespace(effects=frame.assign(role="primary", arm="mail"))


def test_effects_are_called_better_or_worse_by_their_side_and_only_for_sure() -> None:
    assert wording.effects_title(effects(("Reply", 0.1, True, True))) == "Better for sure: reply (mail)"
    assert wording.effects_title(effects(("Reply", -0.1, True, True))) == "Worse for sure: reply (mail)"
    assert wording.effects_title(effects(("Complaints", 0.1, True, False))) == "Worse for sure: complaints (mail)"
    assert wording.effects_title(effects(("Complaints", -0.1, True, False))) == "Better for sure: complaints (mail)"
    assert (
        wording.effects_title(effects(("Reply", 0.1, False, True))) == "No primary metric is better or worse for sure"
    )


def test_an_effect_without_an_interval_says_why() -> None:
    row = pd.Series({"unit": "share", "value": 0.2, "control_value": 0.1, "difference": 0.1, "lower": -np.inf,
                     "upper": np.inf, "reason": "2 converters are expected"})  # fmt: skip
    assert wording.effect_words(row, "USD") == (
        "20.0% against 10.0%: +10.0 pts, without an interval, as 2 converters are expected"
    )
    known = row.copy()
    known[["lower", "upper", "reason"]] = [0.05, 0.15, ""]
    assert wording.effect_words(known, "USD") == "20.0% against 10.0%: +10.0 pts (95% interval +5.0 to +15.0 pts)"


def test_adjusting_is_told_by_what_it_gains() -> None:
    def said(*saved: float) -> str:
        frame = pd.DataFrame({"label": "Reply", "arm": "mail", "variance_saved": saved, "adjusted": True})
        return wording.adjusting(SimpleNamespace(effects=frame))  # type: ignore[arg-type]

    assert said(0.0199, 0.01) == (
        "Adjusting for what was known before makes intervals up to 1.0% narrower (reply, mail), a small gain here."
    )
    assert said(0.25).endswith("up to 13.4% narrower (reply, mail), which is as good as more units.")
    assert said(-0.01) == "Adjusting for what was known before does not make intervals narrower here."
