"""The decision on each arm, by the rule that the protocol stated before the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import pandas as pd

from smarketing.company.protocol import Protocol

State = Literal["ship", "stop", "keep running", "inconclusive", "blocked"]
Kept = Literal["kept", "broken", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What follows for an arm: its ``state``, ``why`` as a clause, and the ``metric`` that decided, if one did."""

    arm: str
    state: State
    why: str
    metric: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an experiment is: units whose horizon is over, of those dealt, and the look that is due.

    ``final``: no more is to come: all horizons are over and nobody is dealt any more, or there are no days, or the
    last planned look is due. ``look`` is the planned look that this day is (from the last one on, the last), None on
    other days: what is read between looks would be one look more. ``next_look`` is the one to come.
    """

    over: int
    dealt: int
    final: bool
    look: date | None = None
    next_look: date | None = None


def verdicts(
    protocol: Protocol, effects: pd.DataFrame, guarded: pd.DataFrame, progress: Progress, *, blocked: str
) -> tuple[Verdict, ...]:
    """Decide on each arm other than the control.

    Parameters
    ----------
    effects
        `Readout.effects`: ``sure_lower`` and ``sure_upper`` are the limits that the protocol's rule of looking reads,
        ``sure`` whether the effect is one, all primary comparisons taken together.
    guarded
        `guardrails`.
    blocked
        Why there can be no verdict; empty where there can.
    """
    return tuple(_of(arm, protocol, effects, guarded, progress, blocked) for arm in protocol.treatments)


def guardrails(protocol: Protocol, effects: pd.DataFrame) -> pd.DataFrame:
    """Ask of each guardrail and arm whether it was kept: a one-sided test against the margin agreed.

    At half of what the protocol's confidence leaves (2.5 % at 95 %), each guardrail alone; where the result is looked
    at more than once, by the limits that hold then.

    Returns a row each: ``metric``, ``label``, ``arm``, ``margin``, ``difference``, ``worst`` (the limit on the bad
    side), ``kept`` (``kept``: not worse by the margin, for sure; ``broken``: worse by more, for sure; ``undecided``).
    Piaggio et al. (2012), JAMA 308:2594-2604.
    """
    rows = []
    for guardrail in protocol.guardrails:
        mine = effects[effects["metric"] == guardrail.metric]
        for _, row in mine.iterrows():
            up = 1 if row["higher_is_better"] else -1
            low, high = limits(protocol, row)
            worst, best = (low, high) if up > 0 else (-high, -low)
            kept: Kept = "undecided"
            if worst > -guardrail.margin:
                kept = "kept"
            elif best < -guardrail.margin:
                kept = "broken"
            rows.append(
                {
                    "metric": guardrail.metric,
                    "label": row["label"],
                    "unit": row["unit"],
                    "arm": row["arm"],
                    "margin": guardrail.margin,
                    "difference": row["difference"],
                    "worst": up * worst,
                    "kept": kept,
                }
            )
    return pd.DataFrame(rows, columns=["metric", "label", "unit", "arm", "margin", "difference", "worst", "kept"])


def limits(protocol: Protocol, row: pd.Series) -> tuple[float, float]:
    """Return the interval of a metric that is read alone, as good as the protocol's rule of looking needs it."""
    once = protocol.looks.rule == "once"
    return float(row["lower" if once else "sure_lower"]), float(row["upper" if once else "sure_upper"])


def _of(
    arm: str, protocol: Protocol, effects: pd.DataFrame, guarded: pd.DataFrame, progress: Progress, blocked: str
) -> Verdict:
    if blocked:
        return Verdict(arm=arm, state="blocked", why=blocked)
    if protocol.looks.rule == "once" and not progress.final:
        return Verdict(
            arm=arm,
            state="keep running",
            why=f"the protocol looks once, at the end, and the days of {progress.over:,} of {progress.dealt:,} units "
            "are over",
        )
    if protocol.looks.rule == "planned" and progress.look is None:
        return Verdict(arm=arm, state="keep running", why=f"the next planned look is on {progress.next_look}")
    primary = effects[(effects["arm"] == arm) & (effects["role"] == "primary")]
    mine = guarded[guarded["arm"] == arm]
    broken = mine[mine["kept"] == "broken"]
    if len(broken):
        return Verdict(
            arm=arm, state="stop", why=f"{broken.iloc[0]['label']} got worse by more than the margin agreed",
            metric=str(broken.iloc[0]["metric"]),
        )  # fmt: skip
    worse = primary[[_side(row) < 0 for _, row in primary.iterrows()]]
    if len(worse):
        return Verdict(arm=arm, state="stop", why=f"{worse.iloc[0]['label']} is worse for sure",
                       metric=str(worse.iloc[0]["metric"]))  # fmt: skip
    worth = [protocol.worth_shipping(str(metric)) for metric in primary["metric"]]
    rows = [(row, least) for (_, row), least in zip(primary.iterrows(), worth, strict=True)]
    better = primary[[_side(row) > 0 and _good(row, "difference") >= least for row, least in rows]]
    if len(better):
        undecided = mine[mine["kept"] == "undecided"]
        if len(undecided):
            state: State = "inconclusive" if progress.final else "keep running"
            return Verdict(
                arm=arm, state=state, metric=str(better.iloc[0]["metric"]),
                why=f"{better.iloc[0]['label']} is better for sure, and whether {undecided.iloc[0]['label']} got worse "
                "by more than the margin agreed cannot be told",
            )  # fmt: skip
        return Verdict(arm=arm, state="ship", why=f"{better.iloc[0]['label']} is better for sure",
                       metric=str(better.iloc[0]["metric"]))  # fmt: skip
    if rows and all(least > 0 and _best(row) < least for row, least in rows):
        return Verdict(arm=arm, state="stop", why="whatever it brings is surely less than what is worth shipping")
    return _not_sure(arm, primary, progress)


def _not_sure(arm: str, primary: pd.DataFrame, progress: Progress) -> Verdict:
    thin = [str(row["reason"]) for _, row in primary.iterrows() if row["reason"]]
    small = [row for _, row in primary.iterrows() if _side(row) > 0]
    yet = "" if progress.final else " yet"
    if small:
        why = f"{small[0]['label']} is better for sure, and whether by as much as is worth shipping cannot be told{yet}"
    elif thin and len(thin) == len(primary):
        why = f"too little has come of it{yet}: {thin[0]}"
    else:
        why = f"no primary metric is better or worse for sure{yet}"
    return Verdict(arm=arm, state="inconclusive" if progress.final else "keep running", why=why)


def _side(row: pd.Series) -> int:
    """1 where the effect is good for sure, -1 where it is bad for sure, 0 where it is neither."""
    if not row["sure"] or math.isnan(row["difference"]):
        return 0
    return 1 if _good(row, "difference") > 0 else -1


def _good(row: pd.Series, column: str) -> float:
    return float(row[column]) if row["higher_is_better"] else -float(row[column])


def _best(row: pd.Series) -> float:
    """The most that the effect may be, in the good direction."""
    return float(row["sure_upper"]) if row["higher_is_better"] else -float(row["sure_lower"])


def progress_of(protocol: Protocol, *, over: int, dealt: int, as_of: date, dated: bool) -> Progress:
    """Say how far an experiment is on a day."""
    days: Sequence[date] = protocol.looks.days
    past = [day for day in days if day <= as_of]
    coming = [day for day in days if day > as_of]
    dealing_over = protocol.ends_on is None or as_of >= protocol.ends_on
    all_looked = bool(days) and not coming
    final = not dated or all_looked or (over == dealt and dealing_over)
    look = past[-1] if past and (all_looked or past[-1] == as_of) else None
    return Progress(over=over, dealt=dealt, final=final, look=look, next_look=coming[0] if coming else None)
