"""Records small enough to write down, and strategies for those that are not."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from smarketing.measures.results import Check, Finding, KeyFigure
from smarketing.run.ledger import Recorded

WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
OPTIONAL = ("target", "prior", "change", "change_lower", "change_upper")
SAID = ("prior_label", "currency", "series_label", "reason", "evidence")
FIGURES = st.builds(
    KeyFigure,
    name=WORDS,
    label=WORDS,
    unit=st.sampled_from(["share", "count", "money", "days"]),
    value=NUMBERS,
    lower=NUMBERS,
    upper=NUMBERS,
    interval=WORDS,
    n=st.integers(0, 2**62),
    n_label=WORDS,
    period=WORDS,
    higher_is_better=st.booleans(),
    maturity=st.sampled_from(["final", "provisional"]),
    status=st.sampled_from(["ahead", "on target", "behind", "too close to call", "no target", "withheld"]),
    series=st.lists(NUMBERS, max_size=3).map(tuple),
    **dict.fromkeys(OPTIONAL, NUMBERS),
    **dict.fromkeys(SAID, WORDS),
)
FINDINGS = st.builds(
    Finding,
    theme=WORDS,
    claim=WORDS,
    detail=WORDS,
    basis=WORDS,
    evidence=WORDS,
    weight=st.floats(allow_nan=False, allow_infinity=False),
)
CHECKS = st.builds(
    Check,
    code=WORDS,
    question=WORDS,
    outcome=st.sampled_from(["passed", "warning", "failed", "not applicable"]),
    detail=WORDS,
    error=st.booleans(),
    remedy=WORDS,
)
RECORDS = st.builds(
    Recorded,
    notebook=st.sampled_from(["20_pipeline_review", "90_alignment_report"]),
    case=st.sampled_from(["demo", "emea"]),
    as_of=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    run_id=WORDS,
    title=WORDS,
    headline=WORDS,
    definitions_version=WORDS,
    definitions_sha256=WORDS,
    figures=st.lists(FIGURES, max_size=4, unique_by=lambda figure: figure.name).map(tuple),
    findings=st.lists(FINDINGS, max_size=2).map(tuple),
    checks=st.lists(CHECKS, max_size=2).map(tuple),
    parameters=st.lists(st.tuples(WORDS, st.none() | st.booleans() | WORDS), max_size=3).map(tuple),
    facts=st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple),
)


def figure(name: str = "lead_flow", value: float | None = 120.0, **more: Any) -> KeyFigure:
    plain: dict[str, Any] = {
        "label": "New leads",
        "unit": "count",
        "lower": 100.0,
        "upper": 140.0,
        "interval": "The interval is what week-to-week variation alone explains.",
        "n": 120,
        "n_label": "leads",
        "period": "6 weeks to 15 Nov 2026",
        "higher_is_better": True,
        "maturity": "final",
        "status": "no target",
    }
    return KeyFigure(name=name, value=value, **(plain | more))


def recorded(
    day: str = "2026-11-15",
    *,
    notebook: str = "20_pipeline_review",
    case: str = "demo",
    value: float | None = 120.0,
    headline: str = "All is well.",
) -> Recorded:
    return Recorded(
        notebook=notebook,
        case=case,
        as_of=date.fromisoformat(day),
        run_id="r1",
        title="Where do we stand?",
        headline=headline,
        definitions_version="3",
        definitions_sha256="abc",
        figures=(figure(value=value),),
        parameters=(("case", case), ("region", None)),
        facts=(("Data as of", day),),
    )
