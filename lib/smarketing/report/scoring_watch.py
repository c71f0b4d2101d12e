"""What a report says of a saved model: whether it has aged, whether new leads are like the old, who comes first."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pandas as pd

from smarketing.company.scoring import Scoring
from smarketing.measures.results import Finding, KeyFigure, Status
from smarketing.measures.scoring.giving.deploy import Given
from smarketing.measures.scoring.giving.given import LookBack
from smarketing.measures.scoring.giving.level import MATTERS, is_clear, side_of
from smarketing.measures.scoring.giving.monitor import RECENT_DAYS, Monitor
from smarketing.measures.scoring.models.saving import Saved
from smarketing.measures.view import View
from smarketing.report import formats, scoring_given
from smarketing.report.agreements import agreement_line
from smarketing.report.blocks import Block, note, table
from smarketing.report.scored_leads import new_words, scored_leads
from smarketing.report.scoring_findings import GLOSSARY as SCORING_GLOSSARY
from smarketing.report.scoring_findings import THEME
from smarketing.report.scoring_wording import NAMES, first, measured_text, rounded

SOURCE = "the company's tables as listed under Provenance, and the saved model"
STATES = {
    "holds": "The model holds",
    "recalibrate": "The model has aged: its probabilities are off",
    "refit": "The model has aged: it is time for a new study",
    "cannot tell": "Whether the model has aged cannot be told yet",
}

METHODS = (
    (
        "Aged",
        "On leads scored after those that the model was judged on, whose days are over. Refit: with their level "
        "mended, the whole 95% interval of the Brier skill is at or below 0. Recalibrate: otherwise, where the 99% "
        "interval of calibration in the large excludes 0 (it is asked every week) and the shift is at least "
        f"{MATTERS:g} in log-odds, be the Brier skill sure or not; scores given out are then shifted by it, which "
        "leaves their order. Holds: the 95% interval of the Brier skill is above 0 and no shift that matters is clear. "
        "Scores that were given out are judged by the same rule, as they were given.",
    ),
    (
        "Moved features",
        "Population stability index over the deciles (or values) of the training leads, against a cut-off that knows "
        "the number of leads and how alike those of an account are (Yurdakul & Naranjo 2020), for all features "
        "together.",
    ),
    (
        "Exploration",
        "Leads below the threshold are drawn by a hash of their id, so that every run draws the same ones. Once their "
        "days are over, drawn and other leads below the line are compared: the draw is a small experiment. A lead "
        "counts by the inverse of its probability to be in its group (Hajek 1971), as the share that is "
        "drawn may be changed.",
    ),
    (
        "Intervals",
        "95%, from drawing whole accounts with replacement; 99% for the level of probabilities, by which titles and "
        "the bottom line say that these are off. Rates below the line: 95%, with accounts kept together.",
    ),
)
GLOSSARY = (
    *SCORING_GLOSSARY,
    ("Population stability index", "how far a distribution has moved from what it was; 0 is not at all"),
)
LIMITS = (
    "That nothing moved does not mean that the score still holds: what leads do may change while what they are does "
    "not.",
    "Outcomes since are known only for leads whose days are over; the newest are never among them.",
    "Leads that sales did not work had less chance to get there; exploration is what keeps that visible.",
)


def title(view: View, saved: Saved) -> list[tuple[str, str]]:
    """Return what stands under the title."""
    return [
        ("Data as of", formats.day(view.asked)),
        ("Model", formats.opening(_named(saved))),
        ("Scope", view.scope.label),
        ("Definitions", agreement_line(view.definitions)),
    ]


def _named(saved: Saved) -> str:
    known = (
        ""
        if saved.card.known_at is None
        else f" that learned from what was known on {formats.day(saved.card.known_at)}"
    )
    return f"{saved.card.family}{known}"


def bottom_line(watched: Monitor, given: Given) -> str:
    """Say whether the model has aged and how many leads come first."""
    qualified = int(given.scored["qualified"].sum())
    return (
        f"{STATES[watched.state]}: {_why(watched)}. {formats.many(len(given.scored), 'new lead')} scored, "
        f"{formats.count(qualified)} of them qualified."
    )


def has_it_aged(watched: Monitor, saved: Saved) -> list[Block]:
    """Show the model's validity since it was judged, beside what it was."""
    blocks: list[Block] = [note(f"{formats.opening(_why(watched))}.", heading=f"{STATES[watched.state]}.")]
    since = watched.since
    if since is None or since.reason:
        return blocks
    then = dict(saved.card.validity)
    rows = [
        {
            "Measure": label,
            "When judged": rounded(then.get(name, formats.MISSING)),
            "Since": measured_text(since.measure(name)),
        }
        for name, label in NAMES.items()
    ]
    blocks.append(
        table(
            pd.DataFrame(rows),
            id="tab-since",
            title=_since_title(watched),
            subtitle=f"{formats.count(since.n)} leads of {formats.day(watched.first)} to {formats.day(watched.last)}, "
            f"{formats.count(since.events)} good ones; value and 95% interval by account.",
            source=SOURCE,
        )
    )
    return blocks


def _why(watched: Monitor) -> str:
    """Return why the model stands as it does, with the minus signs of a text."""
    return re.sub(r"(?<= )-(?=\d)", formats.MINUS, watched.why)


def _since_title(watched: Monitor) -> str:
    assert watched.since is not None
    shift = watched.shift
    if is_clear(shift):
        side = "low" if shift.value > 0 else "high"
        little = "" if side_of(shift) else ", too little to matter"
        return f"Probabilities have been too {side} since, by {abs(shift.value):.2f} in log-odds{little}"
    return "Probabilities since are not clearly off"


def are_leads_alike(watched: Monitor) -> list[Block]:
    """Show which features moved beyond chance, the most moved first."""
    frame = (
        watched.drift.assign(label=watched.drift["label"].map(formats.opening))
        .head(12)
        .rename(
            columns={
                "label": "Feature",
                "index": "Stability index",
                "cutoff": "Chance gives up to",
                "unmet": "Values never met",
            }
        )
    )
    frame["Moved"] = ["yes" if moved else "no" for moved in frame["moved"]]
    return [
        table(
            frame[["Feature", "Stability index", "Chance gives up to", "Moved", "Values never met"]],
            id="tab-drift",
            title=drift_title(watched),
            formats={"Stability index": "number", "Chance gives up to": "number", "Values never met": "share"},
            subtitle=f"{_watched(watched)} against the training leads; the twelve features that moved most.",
            source=SOURCE,
            emphasis=frame["moved"].tolist(),
        )
    ]


def _watched(watched: Monitor) -> str:
    """Say which leads were held against those that the model learned from."""
    if watched.dated:
        return f"{formats.many(watched.watched, 'lead')} of the last {RECENT_DAYS} days"
    return f"All {formats.many(watched.watched, 'lead')} of the export"


def drift_title(watched: Monitor) -> str:
    """Title the comparison of new leads with the old by what moved."""
    moved = watched.moved["label"].tolist()
    if not moved:
        return "No feature moved beyond chance"
    return f"Moved beyond chance: {first([formats.inside(label) for label in moved], 3)}"


def who_comes_first(given: Given, files: Sequence[str], agreed: Scoring) -> list[Block]:
    """Show the new leads by band, and the best with their reasons."""
    return scored_leads(given.scored, files, dated=given.dated, capacity=agreed.weekly_capacity)


def key_figures(watched: Monitor, given: Given) -> tuple[KeyFigure, ...]:
    """Return what the ledger keeps: leads scored and qualified, and validity since where there is any."""
    scored = given.scored
    figures = [
        _count("scored", "New leads scored", len(scored), len(scored), dated=given.dated),
        _count(
            "qualified", "New leads qualified by score", int(scored["qualified"].sum()), len(scored), dated=given.dated
        ),
    ]
    since = watched.since
    if since is None:
        return tuple(figures)
    for name, label in (("auc", "AUC of the score since"), ("brier_skill", "Brier skill of the score since")):
        one = since.measure(name)
        shown = not since.reason and math.isfinite(one.value)
        status: Status = "no target" if shown else "withheld"
        figures.append(
            KeyFigure(
                name=f"score_{name}_since",
                label=label,
                unit="number",
                value=one.value if shown else None,
                lower=one.lower if shown and math.isfinite(one.lower) else None,
                upper=one.upper if shown and math.isfinite(one.upper) else None,
                interval="95% interval from drawing whole accounts",
                n=since.n,
                n_label="leads",
                period="leads since the model was judged",
                higher_is_better=True,
                maturity="final",
                status=status,
                reason="" if shown else (since.reason or "it is not defined on these leads"),
                evidence="tab-since" if shown else "",
            )
        )
    return tuple(figures)


def _count(name: str, label: str, value: int, of: int, *, dated: bool) -> KeyFigure:
    return KeyFigure(
        name=name,
        label=label,
        unit="count",
        value=float(value),
        lower=None,
        upper=None,
        interval="Complete, not sampled.",
        n=of,
        n_label="new leads",
        period=new_words(dated=dated),
        higher_is_better=True,
        maturity="final",
        status="no target",
        evidence="tab-scored",
    )


def findings(watched: Monitor, back: LookBack, given: Given, saved: Saved) -> list[Finding]:
    """Return what the report stands for, heaviest first."""
    said = [
        Finding(
            theme=THEME,
            claim=f"{STATES[watched.state]}.",
            detail=f"{formats.opening(_why(watched))}.",
            basis="leads scored after those that the model was judged on",
            evidence="tab-since" if watched.since is not None and not watched.since.reason else "",
            weight=2.6 if watched.aged else 1.2,
        )
    ]
    said += scoring_given.findings(back)
    if len(watched.moved):
        said.append(
            Finding(
                theme=THEME,
                claim=f"{formats.many(len(watched.moved), 'feature')} of {'new ' if watched.dated else ''}leads moved "
                "beyond chance.",
                detail=f"{drift_title(watched)}.",
                basis=f"{_watched(watched)} against the training leads",
                evidence="tab-drift",
                weight=1.1,
            )
        )
    qualified, explored = (int(given.scored[name].sum()) for name in ("qualified", "explore"))
    if len(given.scored):
        said.append(
            Finding(
                theme=THEME,
                claim=f"{formats.count(qualified)} of {formats.many(len(given.scored), 'new lead')} "
                f"{'qualifies' if qualified == 1 else 'qualify'}.",
                detail=f"{formats.many(explored, 'more was', 'more were')} drawn to be worked anyway.",
                basis=f"the {_named(saved)}",
                evidence="tab-scored",
                weight=0.6,
            )
        )
    return sorted(said, key=lambda finding: -finding.weight)
