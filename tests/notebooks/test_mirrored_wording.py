"""Data that point the other way are told the other way: no title, finding or bottom line has a fixed side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import pytest
from mirrored_companies import mirrored

from smarketing.company.targets import Targets
from smarketing.measures.conversion import Breakdown, convert_by
from smarketing.measures.deals import WinRates, win_rates
from smarketing.measures.funnel import Funnel, funnel
from smarketing.measures.headline import headline
from smarketing.measures.losses import Losses, losses
from smarketing.measures.view import View
from smarketing.report import pipeline, wording
from smarketing.report.blocks import bottom_line, key_numbers
from smarketing.report.blocks.block import Block

OPPOSITES = (("rose", "fell"), ("ahead", "behind"), ("above", "below"), ("up", "down"), ("+", "−"))
WORD = re.compile(r"\b(rose|fell|ahead|behind|above|below|up|down)\b|([+−])(?=[$\d])", re.IGNORECASE)


@dataclass(frozen=True)
class Told:
    """What is said of a company: by name, each a title, a finding or a line."""

    lines: dict[str, str]
    page: str


@cache
def measured(sign: int) -> tuple[View, Targets, Funnel, Breakdown, WinRates, Losses, Losses]:
    """Measure a company once, whatever is planned."""
    seen, plan = mirrored(sign)
    by_reason, by_rival = losses(seen, "loss_reason"), losses(seen, "competitor")
    return seen, plan, funnel(seen), convert_by(seen, "source"), win_rates(seen), by_reason, by_rival


def told(sign: int, *, with_targets: bool) -> Told:
    seen, plan, flow, groups, rates, reasons, rivals = measured(sign)
    stand = headline(seen, plan if with_targets else Targets())
    panels = [panel.figure for panel in stand.panels_by(accounts=False)]
    lines = {
        "bottom line": wording.bottom_line(stand, flow),
        "panels": wording.headline_title(panels),
        "accounts": wording.headline_title([panel.figure for panel in stand.panels_by(accounts=True)]),
        "funnel": wording.funnel_title(flow),
        "groups": wording.breakdown_title(groups),
        "reasons": wording.losses_title(reasons, "loss reason"),
        "rivals": wording.losses_title(rivals, "competitor"),
    }
    lines |= {f"stands {figure.name}": wording.stands(figure) for figure in stand.figures}
    findings = wording.findings(stand, flow, rates, reasons, rivals)
    for finding in findings:
        # Findings about key figures share a chart; the label before the colon tells them apart.
        about = finding.claim.partition(":")[0] if finding.evidence in ("fig-stand", "fig-money") else ""
        beside = "the step" if finding.claim.startswith("The step") else ""
        lines[f"finding {finding.evidence} {about}{beside}"] = f"{finding.claim} {finding.detail}"
    blocks: list[Block] = [
        *pipeline.where_we_stand(stand),
        *pipeline.the_funnel(flow),
        *pipeline.who_converts(groups),
        *pipeline.why_lost(reasons, "loss reason"),
        *pipeline.why_lost(rivals, "competitor"),
        bottom_line(lines["bottom line"], findings),
        key_numbers(pipeline.first_page(stand, flow)),
    ]
    return Told(lines, "\n".join(block.html for block in blocks))


@pytest.fixture(scope="module", params=[True, False], ids=["with targets", "without targets"])
def pair(request: pytest.FixtureRequest) -> tuple[Told, Told]:
    return told(1, with_targets=request.param), told(-1, with_targets=request.param)


def directions(line: str) -> list[str]:
    """The direction words and signs of a line, in order."""
    return [(found[0] or found[1]).lower() for found in WORD.findall(line)]


def turned(words: list[str]) -> list[str]:
    both = dict(OPPOSITES) | {b: a for a, b in OPPOSITES}
    return [both[word] for word in words]


def test_every_line_of_the_mirror_image_says_the_opposite(pair: tuple[Told, Told]) -> None:
    one, other = pair
    assert set(one.lines) == set(other.lines)
    for name, line in one.lines.items():
        mirror = other.lines[name]
        if name == "groups":
            # Above stands first, whichever group it is.
            assert (line.index("Webinar") < line.index("Partner")) != (
                mirror.index("Webinar") < mirror.index("Partner")
            ), (line, mirror)
        elif name == "bottom line":
            assert {"ahead", "behind"} >= set(directions(line)) and set(directions(line))
        else:
            assert directions(line) == turned(directions(mirror)), (line, mirror)
    sided = [name for name, line in one.lines.items() if directions(line)]
    assert len(sided) >= 14


def test_the_bottom_line_changes_sides(pair: tuple[Told, Told]) -> None:
    one, other = (told.lines["bottom line"] for told in pair)
    if "No target applies" in one:
        for line in (one, other):
            assert line.endswith("No target applies, so nothing here is ahead or behind.")
        return
    assert one.startswith("4 of 4 figures with a target are ahead and none is behind: new leads (")
    assert other.startswith("4 of 4 figures with a target are behind: new leads (")
    assert "ahead" not in other


def test_no_one_sided_word_is_left_on_the_page(pair: tuple[Told, Told]) -> None:
    """Neither page says of anything that it rose (or is ahead) where only the other one may."""
    for page, never in zip((told.page for told in pair), ("fell", "rose"), strict=True):
        words = re.sub(r"<[^>]+>", " ", re.sub(r"<(svg|style).*?</\1>", " ", page, flags=re.DOTALL))
        assert never not in re.findall(r"\w+", words)
        for side in ("up from", "down from", "increase", "decrease", "improve", "worse", "grew", "grow", "declin"):
            assert side not in words.lower()
    one, other = (set(re.findall(r"(Ahead of|Behind) target", told.page)) for told in pair)
    assert (one, other) in (({"Ahead of"}, {"Behind"}), (set(), set()))
