"""The leakage audit: before a score is fitted, which features know the outcome because they came with it or after it.

| code | what | from |
|---|---|---|
| LK01 | recorded after the scoring moment | declaration |
| LK02 | alone too strong to be known in time | power, judged against the rest and against a limit |
| LK03 | filled in for one class only | rates where filled and where blank |
| LK04 | a value that comes with the outcome | rates of single values |
| LK05 | filled in by sales | filled for worked leads only |
| LK06 | declared neither before nor after, in an export without dates | declaration |

What it cannot see: a field that sales fills in for whoever it speaks to, whatever comes of it, is not told from an
honest one by numbers (X Education's `Asymmetrique` columns). So silence does not vouch for what nobody declared: LK06.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from smarketing.estimates.odds import clustered_rate, odds_ratio
from smarketing.estimates.rates import check_confidence
from smarketing.measures.scoring.audit.feature_power import Levels, known_leads, levels
from smarketing.measures.scoring.audit.leakage_signs import Examined, Flag, declared, described, examine, percent, signs
from smarketing.measures.scoring.leads.sample import Sample

__all__ = ["MINIMUM_EVENTS", "Audit", "Flag", "audit"]

MINIMUM_EVENTS = 50
"""Fewer leads with the outcome, or without it, leave the audit undecided."""
UNWORKED_FILLED = 0.02
WORKED_ODDS = 20.0
"""Filled in by sales: hardly filled where nobody worked the lead, and odds so much greater where somebody did."""
POWERS = (
    "feature",
    "label",
    "kind",
    "known",
    "filled",
    "auc",
    "auc_lower",
    "auc_upper",
    "auc_filled",
    "rate_filled",
    "rate_blank",
)


class Outcomes(Protocol):
    """Labels of a sample: value 1 or 0, weight 0 where the outcome is not known."""

    @property
    def value(self) -> np.ndarray:
        """Return 1 where the lead has the outcome."""

    @property
    def weight(self) -> np.ndarray:
        """Return the weight of each lead, 0 to leave it out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Audit:
    """What the audit found.

    ``flags`` come the gravest first: what to exclude before what to ask, the strongest first. ``powers`` has a row a
    feature, the strongest first: ``auc`` alone with ``auc_lower`` and ``auc_upper`` (95 %, by account), ``auc_filled``
    where it has a value, ``filled`` (share), ``rate_filled`` and ``rate_blank`` (share with the outcome; NaN where no
    lead is). ``leads`` and ``events`` are those whose outcome is known. ``reason`` says why the audit is undecided, in
    which case only declarations (and who was worked) are judged and every AUC is NaN; it is None otherwise.
    """

    flags: tuple[Flag, ...]
    powers: pd.DataFrame
    leads: int
    events: int
    reason: str | None

    @property
    def excluded(self) -> tuple[str, ...]:
        """Return the names of the features to leave out, in the order of the flags."""
        names = (flag.feature for flag in self.flags if flag.severity == "exclude" and flag.feature is not None)
        return tuple(dict.fromkeys(names))


def audit(sample: Sample, labels: Outcomes, *, worked: np.ndarray | None = None, level: float = 0.95) -> Audit:
    """Ask of every feature whether it can have been known at the scoring moment.

    Parameters
    ----------
    sample
        Leads at their scoring moment.
    labels
        Outcomes, one a lead; leads of weight 0 are left out.
    worked
        True where sales has worked the lead, one a lead, where that is on record: asks LK05.
    level
        With what confidence all questions of a code are right together (Bonferroni).

    Returns
    -------
    Audit
        A declaration "before" does not protect from LK02 to LK05, because it can be wrong; the evidence says that it
        was made. What is declared "after" is flagged once, as LK01. A feature has one flag a code.

    Raises
    ------
    ValueError
        If labels or ``worked`` are not one a lead, or the level is not between 0 and 1.
    """
    check_confidence(level)
    _check_lengths(sample, labels, worked)
    used = np.asarray(labels.weight) > 0
    known = known_leads(np.asarray(labels.value)[used], np.asarray(labels.weight)[used], sample.cluster[used])
    others = len(known.outcome) - known.events
    reason = _undecided(known.events, others)
    columns = {role.name: levels(sample.features[role.name], role) for role in sample.roles}
    features = [examine(role, columns[role.name].take(used), known, judged=reason is None) for role in sample.roles]
    flags = [_declared_after(one) for one in features if one.role.known == "after"]
    open_to_doubt = [one for one in features if one.role.known != "after"]
    if reason is None:
        flags += signs(open_to_doubt, known, level=level)
    if worked is not None:
        each = 1 - (1 - level) / max(len(open_to_doubt), 1)
        flags += _by_sales(open_to_doubt, columns, worked, sample.cluster, confidence=each)
    flags += _undeclared(sample)
    return Audit(
        flags=tuple(sorted(flags, key=_gravity)),
        powers=_powers(features),
        leads=len(known.outcome),
        events=known.events,
        reason=reason,
    )


def _declared_after(one: Examined) -> Flag:
    power = "" if math.isnan(one.everywhere.value) else f"; alone it fakes {described(one)}"
    return Flag(
        code="LK01",
        feature=one.role.name,
        label=one.role.label,
        title=f"{one.role.label}: recorded after the scoring moment",
        evidence=f"Declared as filled in after first contact{power}.",
        remedy="Leave it out: it is not there yet when a lead is scored.",
        fakes=_measured(one),
        severity="exclude",
    )


def _by_sales(
    features: Sequence[Examined],
    columns: dict[str, Levels],
    worked: np.ndarray,
    cluster: np.ndarray,
    *,
    confidence: float,
) -> Iterator[Flag]:
    """Look at all leads, those of unknown outcome too: who filled a column in does not depend on what came of it."""
    touched = worked.astype(float)
    for one in features:
        filled = columns[one.role.name].filled
        if filled.all() or not filled.any():
            continue
        inside, outside = clustered_rate(filled, touched, cluster), clustered_rate(filled, 1 - touched, cluster)
        odds = odds_ratio(inside, outside, confidence=confidence)
        if not (outside.value <= UNWORKED_FILLED and odds.lower > WORKED_ODDS):
            continue
        yield Flag(
            code="LK05",
            feature=one.role.name,
            label=one.role.label,
            title=f"{one.role.label}: filled in by sales",
            evidence=f"Filled in for {percent(inside.value)} of the {inside.n:,} leads that sales worked and "
            f"{percent(outside.value)} of the {outside.n:,} others{declared(one.role)}.",
            remedy="Leave it out, its being blank too: it says who was worked, and by whom it was judged.",
            fakes=_measured(one),
            severity="exclude",
        )


def _undeclared(sample: Sample) -> Iterator[Flag]:
    labels = [role.label for role in sample.roles if role.known == "undeclared"]
    if sample.at is not None or not labels:
        return
    columns = "1 column is" if len(labels) == 1 else f"{len(labels)} columns are"
    yield Flag(
        code="LK06",
        feature=None,
        label=columns.removesuffix(" is").removesuffix(" are"),
        title=f"{columns} declared neither before nor after first contact",
        evidence=f"The export has no dates, and nobody said when these are filled in: {', '.join(labels)}.",
        remedy="Declare each under known, in the input file; numbers alone cannot vouch for it.",
        fakes=None,
        severity="warn",
    )


def _powers(features: Sequence[Examined]) -> pd.DataFrame:
    rows = [
        {
            "feature": one.role.name,
            "label": one.role.label,
            "kind": one.role.kind,
            "known": one.role.known,
            "filled": one.share_filled,
            "auc": one.everywhere.value,
            "auc_lower": one.everywhere.lower,
            "auc_upper": one.everywhere.upper,
            "auc_filled": one.where_filled.value,
            "rate_filled": one.filled.value,
            "rate_blank": one.blank.value,
        }
        for one in features
    ]
    frame = pd.DataFrame(rows, columns=POWERS)
    return frame.sort_values("auc", ascending=False, kind="stable", ignore_index=True)


def _undecided(events: int, others: int) -> str | None:
    if min(events, others) >= MINIMUM_EVENTS:
        return None
    fewer, what = (events, "with") if events <= others else (others, "without")
    return (
        f"only {fewer:,} leads {what} the outcome are known, and telling a leak from luck needs {MINIMUM_EVENTS}: "
        "the audit is undecided, and judges only what does not rest on outcomes"
    )


def _gravity(flag: Flag) -> tuple[bool, float, str, str]:
    return flag.severity == "warn", -(flag.fakes or 0.0), flag.code, flag.feature or ""


def _measured(one: Examined) -> float | None:
    return None if math.isnan(one.everywhere.value) else one.everywhere.value


def _check_lengths(sample: Sample, labels: Outcomes, worked: np.ndarray | None) -> None:
    for what, array in (("labels.value", labels.value), ("labels.weight", labels.weight), ("worked", worked)):
        if array is not None and len(array) != len(sample):
            raise ValueError(
                f"{what} has {len(array):,} entries and the sample {len(sample):,} leads; one a lead is needed. "
                "Take both from the same sample."
            )
