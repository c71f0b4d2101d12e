"""The protocol of an experiment: what it says, when it has changed, and what is wrong with one."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from smarketing.company.definitions import read_definitions
from smarketing.company.protocol import Protocol, read_protocol
from smarketing.company.tables import CompanyError
from tests_root import ROOT

PROTOCOL = """name: spring_mailing
hypothesis: A case study in the second mail makes more accounts ask for a demonstration.
unit: account
arms: {control: 0.5, case_study: 0.5}
primary: [{name: sql}]
guardrails: [{name: unsubscribed, attribute: true, margin: 0.005, worse: higher}]
horizon_days: 60
started_on: 2026-03-02
ends_on: 2026-04-26
looks: planned
look_days: [2026-04-15, 2026-06-25]
spending: obrien_fleming
strata: [segment]
covariates: [employees]
covariates_recorded_before: true
rule: {minimum_lift: 0.05}
value_of_a_unit: 4000
sales_owner: VP Sales
marketing_owner: CMO
agreed_on: 2026-02-25
"""


def read(tmp_path: Path, text: str = PROTOCOL) -> Protocol:
    path = tmp_path / "spring_mailing.yml"
    path.write_text(text)
    return read_protocol(path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(CompanyError) as caught:
        read(tmp_path, text)
    return str(caught.value).replace(str(tmp_path / "spring_mailing.yml"), "FILE")


def test_a_protocol_says_what_was_agreed(tmp_path: Path) -> None:
    protocol = read(tmp_path)
    assert dict(protocol.arms) == {"control": 0.5, "case_study": 0.5}
    assert (protocol.started_on, protocol.ends_on) == (date(2026, 3, 2), date(2026, 4, 26))
    assert protocol.complete_on == date(2026, 6, 25)
    assert (protocol.primary[0].source, protocol.primary[0].kind) == ("sql", "rate")
    assert [metric.name for metric in protocol.metrics] == ["sql", "unsubscribed"]
    assert (protocol.rule.confidence, protocol.rule.multiplicity, protocol.comparisons) == (0.95, "holm", 1)


def test_the_fingerprint_is_of_what_is_said_not_how(tmp_path: Path) -> None:
    fingerprint = read(tmp_path).sha256
    lines = PROTOCOL.splitlines()
    said_otherwise = "\n".join(["# a note", *reversed(lines)]).replace("0.05}", "5.0e-2, multiplicity: holm}")
    assert read(tmp_path, said_otherwise).sha256 == fingerprint
    assert re.fullmatch("[0-9a-f]{64}", fingerprint)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("minimum_lift: 0.05", "minimum_lift: 0.04"),
        ("name: sql", "name: won"),
        ("margin: 0.005", "margin: 0.01"),
        ("2026-04-26", "2026-04-27"),
        ("obrien_fleming", "pocock"),
        ("{control: 0.5, case_study: 0.5}", "{control: 0.6, case_study: 0.4}"),
        ("strata: [segment]\n", ""),
    ],
)
def test_no_change_goes_unnoticed(tmp_path: Path, before: str, after: str) -> None:
    fingerprint = read(tmp_path).sha256
    assert before in PROTOCOL
    assert read(tmp_path, PROTOCOL.replace(before, after)).sha256 != fingerprint


ONE = "Protocol file FILE is wrong in 1 place:\n  "


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("worse: higher", "wurse: higher", "guardrails.0.wurse: there is no such name. Did you mean 'worse'?"),
        ("unit: account", "unit: acount", "unit: Input should be 'account' or 'lead'; got 'acount'."),
        (
            "looks: planned",
            "looks: whenever",
            "looks: Input should be 'fixed', 'always valid' or 'planned'; got 'whenever'.",
        ),
        ("2026-03-02", "2026-02-30", "started_on: Input should be a valid date or datetime, day value is outside "
         "expected range; got '2026-02-30'."),
        (
            "case_study: 0.5}",
            "case_study: 0.4}",
            "the file: arms: their shares add up to 1, but 0.5 + 0.4 = 0.9; a third may be 0.3333333.",
        ),
        (
            "{control: 0.5, case_study: 0.5}",
            "{case_study: 0.5, control: 0.5}",
            "the file: arms: the first is 'case_study' and has to be 'control'; put it first.",
        ),
        (
            "{control: 0.5,",
            "{as_today: 0.5,",
            "the file: arms: the first is 'as_today' and has to be 'control'; name the arm that is compared with so.",
        ),
        (
            "[{name: sql}]",
            "[{name: sql}, {name: unsubscribed, attribute: true}]",
            "the file: metric 'unsubscribed' is primary and a guardrail; a rise that is shipped for cannot also be the "
            "harm: keep it in one of the two.",
        ),
        ("[{name: sql}]", "[{name: sql}, {name: sql}]", "the file: primary: metric 'sql' is listed twice; keep one."),
        (
            "2026-02-25",
            "2026-03-03",
            "the file: agreed_on 2026-03-03 is after started_on 2026-03-02; a protocol is agreed on before units are "
            "dealt.",
        ),
        (
            "2026-06-25]",
            "2026-06-26]",
            "the file: look_days: 2026-06-26 is outside the run, which is 2026-03-02 to 2026-06-25 (the last day of "
            "dealing and the horizon after it); move it inside.",
        ),
        (
            "[2026-04-15, 2026-06-25]",
            "[2026-06-25, 2026-04-15]",
            "the file: look_days: each is after the one before; put them in order and drop doubles.",
        ),
        (
            "spending: obrien_fleming\n",
            "",
            "the file: `looks: planned` needs at least two `look_days`, and `spending`: obrien_fleming or pocock.",
        ),
        (
            "strata: [segment]",
            "strata: [segment]\npairs: twin",
            "the file: say `strata` or `pairs`, not both: units were dealt within one or the other.",
        ),
        (
            "covariates_recorded_before: true\n",
            "",
            "the file: covariates adjust only what they cannot have been changed by: say `covariates_recorded_before: "
            "true` if all were recorded before assignment, or leave the others out.",
        ),
        (
            "{minimum_lift: 0.05}",
            "{minimum_lift: 0.05, minimum_difference: 0.01}",
            "rule: say exactly one of `minimum_lift` and `minimum_difference`: what is worth shipping.",
        ),
        (
            "[{name: sql}]",
            "[{name: revenue}]",
            "primary.0: metric 'revenue': revenue is an amount; say `kind: mean` or `kind: ratio`.",
        ),
        (
            "[{name: sql}]",
            "[{name: deal_size, measures: revenue, kind: ratio}]",
            "primary.0: metric 'deal_size': `over` names the denominator of a ratio, and only of a ratio.",
        ),
        (
            "[{name: sql}]",
            "[{name: sql, cap: 3}]",
            "primary.0: metric 'sql': a rate has no `cap`; leave it out, or make the metric a mean.",
        ),
        ("margin: 0.005, ", "", "guardrails.0.margin: is missing and has no default."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in PROTOCOL
    assert refusal(tmp_path, PROTOCOL.replace(before, after)) == ONE + message


def test_days_out_of_order_and_looks_that_are_not_planned_are_all_named(tmp_path: Path) -> None:
    text = PROTOCOL.replace("ends_on: 2026-04-26", "ends_on: 2026-02-26").replace("looks: planned", "looks: fixed")
    assert refusal(tmp_path, text) == (
        "Protocol file FILE is wrong in 3 places:\n"
        "  the file: ends_on 2026-02-26 is before started_on 2026-03-02; swap or correct them.\n"
        "  the file: look_days is for `looks: planned`, and looks is 'fixed'; leave it out.\n"
        "  the file: spending is for `looks: planned`, and looks is 'fixed'; leave it out."
    )


def test_a_protocol_of_another_name_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, PROTOCOL.replace("name: spring_mailing", "name: autumn_mailing")) == (
        "Protocol file FILE is of the experiment 'autumn_mailing'. Name the file autumn_mailing.yml, or correct `name`."
    )


def test_a_protocol_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.yml"
    message = f"Protocol file {path} does not exist. Name an existing file, or copy one from params/."
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        read_protocol(path)


def test_metrics_are_words_stages_or_attributes(tmp_path: Path) -> None:
    stages = read_definitions(ROOT / "params" / "definitions.yml").stages
    read(tmp_path).check_metrics(stages)
    read(tmp_path, PROTOCOL.replace("{name: sql}", f"{{name: main, measures: {stages.win.stage}}}")).check_metrics(
        stages
    )
    strange = read(tmp_path, PROTOCOL.replace("{name: sql}", "{name: main, measures: oportunity}"))
    with pytest.raises(CompanyError) as caught:
        strange.check_metrics(stages)
    assert str(caught.value) == (
        "Protocol spring_mailing does not fit the definitions:\n"
        "  metric 'main' measures 'oportunity', which is neither a metric nor a stage. Did you mean 'opportunity'? "
        "A column of a flat export needs `attribute: true`."
    )
