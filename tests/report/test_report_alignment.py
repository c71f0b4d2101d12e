"""The verdict of the alignment report: each answer by its rule, and the report's question answered first."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
import report_samples as samples

from smarketing.measures.results import Check, KeyFigure
from smarketing.report import alignment

PASSED = Check(code="DR01", question="?", outcome="passed", detail="")
WARNED = replace(PASSED, code="DR04", outcome="warning")


def figure(label: str, status: str, **changes: object) -> KeyFigure:
    name = str(changes.pop("name", label.lower().replace(" ", "_")))
    return samples.key_figure(name=name, label=label, status=status, **changes)


def section(*figures: KeyFigure, sha256: str = "a" * 64) -> Any:
    return SimpleNamespace(
        notebook="20_pipeline_review",
        case="demo",
        title="Where does it stand?",
        as_of=date(2026, 11, 15),
        headline="Deals rose.",
        definitions_version="3",
        definitions_sha256=sha256,
        figures=figures,
        findings=(),
        checks=(PASSED, WARNED),
    )


def agreed(*open_entries: str) -> Any:
    return SimpleNamespace(not_agreed=open_entries, version="3", sha256="a" * 64)


AHEAD, BEHIND = figure("New leads", "ahead"), figure("MQLs won", "behind")
CLOSE, HELD = figure("Bookings", "too close to call"), figure("SQLs won", "withheld", value=None)
BY_ACCOUNT = figure("New leads, by account", "behind", name="new_leads_by_account")


@pytest.mark.parametrize(
    ("figures", "answer", "why"),
    [
        ((AHEAD, figure("Bookings", "on target")), "yes", "ahead or on target: new leads and bookings"),
        ((AHEAD, BEHIND, CLOSE), "no", "behind: MQLs won"),
        (
            (AHEAD, CLOSE, HELD),
            "cannot tell",
            "not behind, but undecided: bookings (too close to call) and SQLs won (withheld)",
        ),
        ((figure("New leads", "no target", target=None),), "cannot tell", "no target applies to any figure"),
        # The same deals counted again by account do not outvote the first page.
        ((AHEAD, BY_ACCOUNT), "yes", "ahead or on target: new leads"),
    ],
)
def test_the_plan_is_met_only_where_every_figure_with_a_target_says_so(
    figures: tuple[KeyFigure, ...], answer: str, why: str
) -> None:
    (found,) = [a for a in alignment.verdict([section(*figures)], agreed()) if a.about == "plan"]
    assert (found.answer, found.why) == (answer, why)


def test_the_report_answers_its_own_question_first() -> None:
    sections, definitions = [section(AHEAD, BEHIND)], agreed("money")
    said = (
        "0 of 4 questions of alignment can be answered with yes: definitions no, plan no, data with reservations, "
        "promises cannot tell."
    )
    assert alignment.headline(sections, definitions) == said
    assert alignment.brief(sections, definitions).payload["lead"] == f"{said} Deals rose."


def test_figures_made_under_other_definitions_are_told() -> None:
    changed = "igures of 20_pipeline_review were made under version 3; the definitions have changed since"
    before = [section(AHEAD, sha256="b" * 64)]
    (found,) = [a for a in alignment.verdict(before, agreed()) if a.about == "definitions"]
    assert found.answer == "with reservations"
    assert found.why == f"all of version 3 are agreed, with an owner on each side; f{changed}"
    assert alignment.limits(before, agreed()) == [*alignment.LIMITS, f"F{changed}."]
    assert alignment.limits([section(AHEAD)], agreed()) == list(alignment.LIMITS)


@pytest.mark.parametrize("first", [0, 1])
def test_a_check_of_several_reports_counts_once_as_it_went_worst(first: int) -> None:
    one, other = section(AHEAD), section(AHEAD)
    other.checks = (replace(PASSED, outcome="failed"), replace(WARNED, outcome="not applicable"))
    sections = [one, other] if first == 0 else [other, one]
    assert [(check.code, check.outcome) for check in alignment.all_checks(sections)] == [
        ("DR01", "failed"),
        ("DR04", "warning"),
    ]
    (found,) = [a for a in alignment.verdict(sections, agreed()) if a.about == "data"]
    assert found.answer == "no" and found.why == "0 of 2 passed, 1 warning, 1 failed (DR01)"
