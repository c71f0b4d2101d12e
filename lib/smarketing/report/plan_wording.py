"""Sentences about figures and their targets: which are ahead, behind, undecided or withheld."""

from __future__ import annotations

from collections.abc import Sequence

from smarketing.measures.results import KeyFigure
from smarketing.report import formats

ENDS = {
    "behind": "behind target",
    "ahead": "ahead of target",
    "on target": "on target",
    "too close to call": "too close to call",
}


def against_targets(figures: Sequence[KeyFigure]) -> str:
    """Say which figures with a target are behind and ahead, the withheld ones among them by name."""
    by_status = {status: [f for f in figures if f.status == status] for status in ENDS}
    behind, ahead = by_status["behind"], by_status["ahead"]
    withheld = [f for f in figures if f.value is None]
    rest = len(figures) - len(behind) - len(ahead) - len(withheld)
    total = len(figures)

    def of_all(group: Sequence[KeyFigure]) -> str:
        if total == 1:
            return "The only figure with a target is"
        return f"{len(group)} of {total} figures with a target {is_or_are(group)}"

    def valued(group: Sequence[KeyFigure]) -> str:
        return formats.listed(
            [f"{formats.inside(f.label)} ({_value(f, f.value)} against {_value(f, f.target)})" for f in group]
        )

    parts = []
    if not behind and not ahead:
        parts.append(
            "The only figure with a target is neither clearly ahead of it nor behind it"
            if total == 1
            else f"None of the {total} figures with a target is clearly ahead of it or behind it"
        )
    if behind:
        parts.append(f"{of_all(behind)} behind: {valued(behind)}")
    if ahead and behind:
        parts.append(f"{len(ahead)} {is_or_are(ahead)} ahead: {valued(ahead)}")
    elif ahead:
        parts.append(f"{of_all(ahead)} ahead{' and none is behind' if total > 1 else ''}: {valued(ahead)}")
    if rest and (behind or ahead):
        parts.append(f"{rest} {'is' if rest == 1 else 'are'} on target or too close to call")
    if withheld:
        parts.append(f"{len(withheld)} {is_or_are(withheld)} withheld: {named(withheld)}")
    return ". ".join(parts) + "."


def named(group: Sequence[KeyFigure]) -> str:
    """Return the labels of figures as a sentence lists them."""
    return formats.listed([formats.inside(figure.label) for figure in group])


def is_or_are(group: Sequence[KeyFigure]) -> str:
    """Return the verb for so many figures."""
    return "is" if len(group) == 1 else "are"


def _value(figure: KeyFigure, value: float | None) -> str:
    return formats.value_of(value, figure.unit, figure.currency)
