"""What a report says of the scores given out on earlier days: whether they kept their word, the rejected too."""

from __future__ import annotations

import math

import pandas as pd

from smarketing.measures.results import Finding
from smarketing.measures.scoring.giving.given import AT_CAPACITY, LookBack
from smarketing.measures.scoring.giving.level import is_clear, side_of
from smarketing.measures.scoring.worth.threshold import CLOSE
from smarketing.report import formats
from smarketing.report.blocks import Block, note, table
from smarketing.report.scoring_findings import THEME
from smarketing.report.scoring_wording import NAMES, measured_text

SOURCE = "the scores that this case's reports gave out on earlier days, and the company's tables"


def what_came_of_it(back: LookBack) -> list[Block]:
    """Show promises as they were made against what came of them, and the leads below the line."""
    if back.reason:
        return [note(f"{formats.opening(back.reason)}.", heading="Nothing to look back on yet.")]
    assert back.validity is not None
    many = formats.many(back.n, "lead")
    whose = f"{many} of {formats.day(back.first)} to {formats.day(back.last)}, by the first score that each was given"
    if back.other_promises:
        whose += f" (without {formats.many(back.other_promises, 'score')} that promised something else)"
    blocks: list[Block] = []
    if back.validity.reason:
        blocks.append(note(f"{formats.opening(back.validity.reason)}.", heading="Too few to judge what was given out."))
    else:
        rows = [
            {"Measure": label, "As given out": measured_text(back.validity.measure(name))}
            for name, label in NAMES.items()
            if name not in AT_CAPACITY
        ]
        blocks.append(
            table(
                pd.DataFrame(rows),
                id="tab-given",
                title=given_title(back),
                subtitle=f"{whose}; {formats.count(back.validity.events)} good ones. Value and 95% interval "
                f"by account; the title goes by the 99% interval of the level, {_level(back)} in log-odds.",
                source=SOURCE,
            )
        )
    if back.below["n"].sum():
        blocks.append(
            table(
                _below(back),
                id="tab-explored",
                title=explored_title(back),
                subtitle="Leads below the threshold when they were scored. Whether one was drawn is chance, so the two "
                "groups differ only by what being drawn changed. Where the share that is drawn was changed, leads "
                "count by how seldom their like were in their group.",
                source=SOURCE,
            )
        )
    return blocks


def given_title(back: LookBack) -> str:
    """Title the promises by their level, as surely as the monitor judges its own."""
    side = side_of(back.level)
    if side:
        return f"Of the leads that were given a score, {'more' if side > 0 else 'fewer'} got there than was promised"
    if is_clear(back.level):
        said = "low" if back.level.value > 0 else "high"
        return f"The scores given out were too {said} by {abs(back.level.value):.2f} in log-odds, too little to matter"
    return "The scores given out are not clearly off"


def _level(back: LookBack) -> str:
    level = back.level
    ends = formats.interval(level.lower, level.upper, "number")
    return f"{formats.number(level.value)} ({ends})"


def explored_title(back: LookBack) -> str:
    """Title the leads below the line by whether the drawn ones did as promised."""
    drawn = back.drawn
    if math.isnan(drawn["rate"]):
        return "Too few leads below the line were drawn and are known to check it there"
    side = side_of_promise(back)
    if side:
        return f"Leads below the line that were drawn did {'better' if side > 0 else 'worse'} than promised"
    if drawn["promised"] - CLOSE <= drawn["lower"] and drawn["upper"] <= drawn["promised"] + CLOSE:
        return "Leads below the line that were drawn did as promised"
    return "Leads below the line that were drawn were not clearly better or worse than promised"


def side_of_promise(back: LookBack) -> int:
    """1 where drawn leads below the line surely did better than promised, -1 where worse, 0 where neither is sure."""
    if back.reason or math.isnan(back.drawn["rate"]):
        return 0
    drawn = back.drawn
    if drawn["lower"] - CLOSE > drawn["promised"]:
        return 1
    return -1 if drawn["upper"] + CLOSE < drawn["promised"] else 0


def findings(back: LookBack) -> list[Finding]:
    """Return what looking back stands for: nothing where there is nothing sure to say."""
    side = side_of_promise(back)
    if not side:
        return []
    drawn, effect = back.drawn, back.effect
    text = (
        f"Of {formats.many(drawn['n'], 'lead')} that were drawn to be worked all the same, "
        f"{formats.share(drawn['rate'])} got there (95% interval "
        f"{formats.interval(drawn['lower'], drawn['upper'], 'share')}); {formats.share(drawn['promised'])} was "
        "promised."
    )
    if not math.isnan(effect.value):
        text += (
            f" Being drawn changed that by {formats.difference(effect.value, 'share')} "
            f"({formats.difference_interval(effect.lower, effect.upper, 'share')})."
        )
    return [
        Finding(
            theme=THEME,
            claim=f"{explored_title(back)}.",
            detail=text,
            basis="leads below the threshold, drawn at random",
            evidence="tab-explored",
            weight=2.3,
        )
    ]


def _below(back: LookBack) -> pd.DataFrame:
    def got(row: pd.Series) -> str:
        if math.isnan(row["rate"]):
            return "too few"
        return f"{formats.share(row['rate'])} ({formats.interval(row['lower'], row['upper'], 'share')})"

    rows = [
        {
            "Leads below the line": formats.opening(str(row["group"])),
            "Leads": formats.count(row["n"]),
            "Promised": formats.MISSING if math.isnan(row["promised"]) else formats.share(row["promised"]),
            "Got there (95% interval)": got(row),
        }
        for _, row in back.below.iterrows()
    ]
    effect = back.effect
    if not math.isnan(effect.value):
        rows.append(
            {
                "Leads below the line": "What being drawn changed",
                "Leads": "",
                "Promised": "",
                "Got there (95% interval)": f"{formats.difference(effect.value, 'share')} "
                f"({formats.difference_interval(effect.lower, effect.upper, 'share')})",
            }
        )
    return pd.DataFrame(rows)
