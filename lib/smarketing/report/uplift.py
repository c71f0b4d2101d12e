"""The blocks of who is worth contacting: an experiment's answer beside a score of who is likely."""

from __future__ import annotations

import pandas as pd

from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.contact.uplift import Uplift
from smarketing.report import charts, formats
from smarketing.report import uplift_wording as wording
from smarketing.report.blocks import Block, figure, not_applicable, note, table

SOURCE = "assignments and leads, as listed under Provenance"
THIRDS = {1: "lowest third", 2: "middle third", 3: "top third"}


def who_is_worth_contacting(found: Uplift | NotApplicable) -> list[Block]:
    """Show what contact gains by who is moved and by who is likely, the effect by fifth, and where the two disagree."""
    if isinstance(found, NotApplicable):
        return [not_applicable("Who is worth contacting", found.reason)]
    return [
        note(wording.measured(found), heading="What was measured."),
        _curves(found),
        _fifths(found),
        _disagreement(found),
    ]


def _curves(found: Uplift) -> Block:
    named = ((wording.MOVED, found.uplift), (wording.LIKELY, found.propensity))
    lines = pd.concat(
        [
            one.curve.rename(columns={"gained": "captured"}).assign(line=name, emphasis=name == wording.MOVED)
            for name, one in named
        ],
        ignore_index=True,
    )
    title, goal = wording.qini_title(found), wording.goal_words(found)
    drawn = charts.gains(
        lines,
        id="fig-qini",
        title=title,
        subtitle=f"What contact adds to {goal}, per one of {formats.count(found.n)} {found.who}, by the share "
        f"contacted (Qini curve); each scored by models that never met its account. {wording.coefficients(found)}.",
        source=SOURCE,
        alt=f"Curves of what contact adds to {goal} by the share of {found.who} contacted, most moved first and "
        f"likeliest first, with the straight line of a random order. {title}.",
        unit="points",
        straight_label="In random order",
        straight_to=found.average.value,
        called_label=f"Share of {found.who} contacted, best first",
        captured_label=f"Points added: {goal}",
        how_to_read="Likely: the probability of the outcome, whatever was done. Moved: the difference that contact is "
        "predicted to make. A curve says what would have been added had only that share been contacted, the best by "
        "the score first. Further above the straight line is better; the coefficient is the area between the two.",
        so_what=wording.half_words(found),
    )
    return figure(drawn)


def _fifths(found: Uplift) -> Block:
    one = found.average
    rows = pd.DataFrame(
        [
            {
                "label": f"All {found.who}",
                "value": one.value,
                "lower": one.lower,
                "upper": one.upper,
                "n": found.n,
                "emphasis": True,
                "told": False,
                "note": "",
            }
        ]
    )
    parts = [rows]
    for name, bins in (("Moved", found.uplift.bins), ("Likely", found.propensity.bins)):
        ends = bins["fifth"].isin([bins["fifth"].min(), bins["fifth"].max()])
        part = bins.rename(columns={"effect": "value", "reason": "note"}).assign(
            label=[f"{name}: {_fifth(number, len(bins))}" for number in bins["fifth"]],
            emphasis=False,
            told=ends & (name == "Moved"),
        )
        parts.append(part[rows.columns].iloc[::-1])
    title = wording.fifths_title(found)
    drawn = charts.intervals(
        pd.concat(parts, ignore_index=True),
        id="fig-effect-by-fifth",
        title=title,
        subtitle=f"Observed effect of contact on {wording.goal_words(found)}, in points, by fifths of either score; "
        f"95% intervals, each for itself, keep an account's {found.who} together.",
        source=SOURCE,
        alt=f"Dots with 95% intervals of the effect of contact for all {found.who} and by fifths of who is moved "
        f"and of who is likely. {title}.",
        unit="points",
        reference=0.0,
        reference_label="No effect",
        label_name="Fifth",
        value_label="Effect",
        n_label=formats.opening(found.who),
    )
    return figure(drawn)


def _fifth(number: int, of: int) -> str:
    if number in (1, of):
        return "lowest fifth" if number == 1 else "top fifth"
    return f"{ {2: '2nd', 3: '3rd', 4: '4th'}[number] } fifth"


def _disagreement(found: Uplift) -> Block:
    cells = found.disagreement.iloc[::-1]
    frame = pd.DataFrame(
        {
            "Likely": [THIRDS[number] for number in cells["propensity"]],
            "Moved": [THIRDS[number] for number in cells["uplift"]],
            formats.opening(found.who): cells["n"].to_numpy(),
            "Without contact": cells["control_rate"].to_numpy(),
            "With contact": cells["treated_rate"].to_numpy(),
            "Effect": cells["effect"].to_numpy(),
            "From": cells["lower"].to_numpy(),
            "To": cells["upper"].to_numpy(),
            "Withheld": [formats.opening(reason) for reason in cells["reason"]],
        }
    )
    if not cells["reason"].any():
        frame = frame.drop(columns="Withheld")
    shares = dict.fromkeys(("Without contact", "With contact"), "share")
    parted = cells["propensity"].isin((1, 3)) & cells["uplift"].isin((1, 3)) & (cells["propensity"] != cells["uplift"])
    return table(
        frame,
        id="tab-likely-or-moved",
        title=wording.disagreement_title(found),
        formats={formats.opening(found.who): "count", **shares, **dict.fromkeys(("Effect", "From", "To"), "points")},
        subtitle=f"Thirds of who is likely by thirds of who is moved; share with {wording.goal_words(found)} without "
        f"and with contact, and their difference with its 95% interval. {formats.share(found.overlap)} of the "
        "likeliest third are in the most moved third too; by chance it would be 33.3%. The rows where the two scores "
        "part are set off.",
        source=SOURCE,
        emphasis=parted.tolist(),
    )
