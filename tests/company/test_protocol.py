"""Protocols of experiments: what is wrong with one, told whole, and that no change of what was agreed goes unseen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from smarketing.company.protocol import Protocol, read_protocol
from smarketing.company.tables import CompanyError
from tests_root import ROOT

HEAD = "Protocol FILE is wrong in 1 place:\n  the file: "


def content(**changed: Any) -> dict[str, Any]:
    """Write a protocol that is right; None takes an entry away."""
    right = {
        "name": "calls",
        "hypothesis": "A call within a day brings more qualified leads.",
        "arms": {"left": 1, "called": 1},
        "control": "left",
        "metrics": {
            "mql": {"label": "Reached MQL", "stage": "mql"},
            "opt_out": {"label": "Opted out", "attribute": "opt_out", "higher_is_better": False},
        },
        "primary": ["mql"],
        "horizon_days": 30,
    }
    return {name: value for name, value in (right | changed).items() if value is not None}


def read(tmp_path: Path, given: Mapping[str, Any], name: str = "calls") -> Protocol:
    path = tmp_path / f"{name}.yml"
    path.write_text(yaml.safe_dump(dict(given), sort_keys=False))
    return read_protocol(path)


def refusal(tmp_path: Path, **changed: Any) -> str:
    with pytest.raises(CompanyError) as caught:
        read(tmp_path, content(**changed))
    return str(caught.value).replace(str(tmp_path / "calls.yml"), "FILE")


LOOKS = {"rule": "planned", "days": ["2026-02-01", "2026-03-01"]}
BOTH = content()["metrics"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"arms": {"left": 1}}, "an experiment has at least two arms."),
        (
            {"rule": {"worth_shipping": {"mqls": 0.01}}},
            "`worth_shipping` names 'mqls', which is no primary metric. Did you mean 'mql'?",
        ),
        (
            {
                "rule": {"worth_shipping": 0.01},
                "metrics": BOTH | {"revenue": {"label": "Revenue", "amount": "won"}},
                "primary": ["mql", "revenue"],
            },
            "`worth_shipping` is 0.01 for all primary metrics, and they differ in unit ('mql' in share, 'revenue' in "
            "money): name it for each, as {mql: ..., revenue: ...}.",
        ),
        ({"control": "lefd"}, "`control` is 'lefd', which is no arm. Did you mean 'left'?"),
        ({"primary": ["mqls"]}, "`primary` names 'mqls', which is no metric. Did you mean 'mql'?"),
        (
            {"guardrails": [{"metric": "complaints", "margin": 0.01}]},
            "`guardrails` names 'complaints', which is no metric. Allowed are mql, opt_out.",
        ),
        (
            {"guardrails": [{"metric": "mql", "margin": 0.01}]},
            "'mql' is primary and a guardrail: a metric is to get better, or not to get worse.",
        ),
        ({"primary": ["mql", "mql"]}, "`primary` names a metric twice."),
        ({"horizon_days": None}, "the metric 'mql' has to happen within days, and `horizon_days` is empty."),
        (
            {"starts_on": "2026-03-01", "ends_on": "2026-03-01"},
            "`ends_on` (2026-03-01) is not after `starts_on` (2026-03-01).",
        ),
        (
            {"looks": LOOKS, "starts_on": "2026-02-01"},
            "a look is planned for 2026-02-01, and the experiment starts on 2026-02-01.",
        ),
        (
            {"looks": LOOKS},
            "looks are planned by day, and `starts_on` is empty: each may err by its share of the days.",
        ),
        ({"average": "account"}, "`average: account` is of accounts that were dealt, and `unit` is lead."),
        (
            {"pairs": True, "strata": ["size"]},
            "`pairs` are of two arms, and without `strata`: the two of a pair are their stratum.",
        ),
        (
            {"pairs": True, "arms": {"left": 1, "called": 1, "mailed": 1}},
            "`pairs` are of two arms, and without `strata`: the two of a pair are their stratum.",
        ),
        (
            {"covariates": ["opt_out"]},
            "'opt_out' is a metric, and cannot be a covariate or a segment: it is known only afterwards.",
        ),
        (
            {"segments": ["opt_out"]},
            "'opt_out' is a metric, and cannot be a covariate or a segment: it is known only afterwards.",
        ),
    ],
)
def test_entries_that_do_not_go_together_are_told(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    assert refusal(tmp_path, **changed) == HEAD + said


@pytest.mark.parametrize(
    ("place", "changed", "said"),
    [
        (
            "metrics.mql",
            {"metrics": BOTH | {"mql": {"label": "MQL"}}},
            "it names no source; name exactly one of stage, activity, amount, attribute.",
        ),
        (
            "metrics.mql",
            {"metrics": BOTH | {"mql": {"label": "MQL", "stage": "mql", "amount": "won"}}},
            "it names stage and amount; name exactly one of stage, activity, amount, attribute.",
        ),
        (
            "metrics.mql",
            {"metrics": BOTH | {"mql": {"label": "MQL", "stage": "mql", "cap": 2}}},
            "`cap` is for amounts and numbers, and the metric is a yes or no: stage.",
        ),
        (
            "metrics.mql",
            {"metrics": BOTH | {"mql": {"label": "Called", "activity": "call", "cap": 2}}},
            "`cap` is for amounts and numbers, and the metric is a yes or no: activity.",
        ),
        ("looks", {"looks": {"rule": "planned"}}, "`days` go with `rule: planned`, and there have to be some."),
        (
            "looks",
            {"looks": {"rule": "once", "days": ["2026-02-01"]}},
            "`days` go with `rule: planned`, and there have to be some.",
        ),
        (
            "looks",
            {"looks": {"rule": "planned", "days": ["2026-03-01", "2026-02-01"]}},
            "`days` have to be in order, each once.",
        ),
        (
            "looks",
            {"looks": {"rule": "planned", "days": ["2026-03-01", "2026-03-01"]}},
            "`days` have to be in order, each once.",
        ),
        ("arms.called", {"arms": {"left": 1, "called": 0}}, "Input should be greater than 0; got 0."),
        ("rule.confidence", {"rule": {"confidence": 0.5}}, "Input should be greater than 0.5; got 0.5."),
        ("units", {"units": "lead"}, "there is no such name. Did you mean 'unit'?"),
    ],
)
def test_a_part_that_is_wrong_in_itself_is_told(tmp_path: Path, place: str, changed: dict[str, Any], said: str) -> None:
    assert refusal(tmp_path, **changed) == f"Protocol FILE is wrong in 1 place:\n  {place}: {said}"


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    assert refusal(tmp_path, control="nobody", horizon_days=None) == (
        "Protocol FILE is wrong in 2 places:\n"
        "  the file: `control` is 'nobody', which is no arm. Allowed are left, called.\n"
        "  the file: the metric 'mql' has to happen within days, and `horizon_days` is empty."
    )


def test_a_protocol_is_in_the_file_of_its_name(tmp_path: Path) -> None:
    with pytest.raises(CompanyError) as caught:
        read(tmp_path, content(), "mails")
    assert str(caught.value) == (
        f"Protocol {tmp_path / 'mails.yml'} is of the experiment 'calls', and a protocol's file has its experiment's "
        "name. Call it calls.yml, or set `name: mails`."
    )


def test_a_protocol_is_read_with_its_shares_and_arms_in_order(tmp_path: Path) -> None:
    found = read(tmp_path, content(arms={"mailed": 10, "left": 85, "called": 5}))
    assert found.treatments == ("mailed", "called")
    assert found.shares == {"mailed": 0.10, "left": 0.85, "called": 0.05}
    assert {name: metric.source for name, metric in found.metrics.items()} == {"mql": "stage", "opt_out": "attribute"}


CHANGES: list[dict[str, Any]] = [
    {"version": "2"},
    {"hypothesis": "A call within a week brings more qualified leads."},
    {"unit": "account"},
    {"arms": {"left": 1, "called": 2}},
    {"control": "called"},
    {"metrics": BOTH | {"mql": {"label": "Reached MQL", "stage": "sql"}}},
    {"metrics": BOTH | {"mql": {"label": "Reached MQL", "stage": "mql", "higher_is_better": False}}},
    {"primary": ["mql", "opt_out"]},
    {"guardrails": [{"metric": "opt_out", "margin": 0.01}]},
    {"guardrails": [{"metric": "opt_out", "margin": 0.02}]},
    {"horizon_days": 31},
    {"starts_on": "2026-01-01"},
    {"ends_on": "2026-02-01"},
    {"planned_units": 1_000},
    {"looks": {"rule": "any_time"}},
    {"looks": LOOKS, "starts_on": "2026-01-01"},
    {"strata": ["region"]},
    {"covariates": ["region"]},
    {"segments": ["region"]},
    {"rule": {"confidence": 0.9}},
    {"rule": {"worth_shipping": 0.01}},
    {"value": 10.0},
    {"a_quarter": 4_000},
    {"agreed_on": "2025-12-01"},
]


def test_whatever_is_changed_shows_in_the_hash(tmp_path: Path) -> None:
    hashes = [read(tmp_path, content(**changed)).sha256 for changed in [{}, *CHANGES]]
    assert len(set(hashes)) == len(hashes)
    assert read(tmp_path, content()).sha256 == hashes[0]


def test_comments_and_the_order_of_entries_do_not_show_in_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "calls.yml"
    path.write_text("# agreed on Monday\n" + yaml.safe_dump(content(), sort_keys=True))
    assert list(yaml.safe_load(path.read_text())) != list(content())
    assert read_protocol(path).sha256 == read(tmp_path, content()).sha256


@pytest.mark.parametrize("path", sorted((ROOT / "params/experiments").glob("*.yml")), ids=lambda path: path.stem)
def test_the_protocols_here_are_right(path: Path) -> None:
    assert read_protocol(path).name == path.stem


def test_a_default_written_out_changes_no_hash() -> None:
    protocol = read_protocol(ROOT / "params/experiments/nurture_mail.yml")
    written = Protocol.model_validate(protocol.model_dump())
    assert written.sha256 == protocol.sha256
    assert Protocol.model_validate(protocol.model_dump() | {"pairs": False}).sha256 == protocol.sha256
    assert Protocol.model_validate(protocol.model_dump() | {"horizon_days": 31}).sha256 != protocol.sha256


def test_what_is_worth_shipping_is_agreed_for_all_primary_metrics_or_for_each(tmp_path: Path) -> None:
    both = {"metrics": BOTH | {"sql": {"label": "Reached SQL", "stage": "sql"}}, "primary": ["mql", "sql"]}
    for_all = read(tmp_path, content(**both, rule={"worth_shipping": 0.02}))
    assert [for_all.worth_shipping(name) for name in for_all.primary] == [0.02, 0.02]
    for_each = read(tmp_path, content(**both, rule={"worth_shipping": {"sql": 0.01}}))
    assert [for_each.worth_shipping(name) for name in for_each.primary] == [0.0, 0.01]
