"""Sentences about an experiment, from its readout: what was asked, what came of it, what follows by the rule agreed."""

from __future__ import annotations

import math

import pandas as pd

from smarketing.measures.experiments.readout import Readout
from smarketing.measures.experiments.verdict import Verdict
from smarketing.report import formats

DECIDED = {
    "ship": "Ship",
    "stop": "Stop",
    "keep running": "Keep running",
    "inconclusive": "Inconclusive",
    "blocked": "No verdict",
}
SMALL_GAIN = 0.05
"""Intervals narrower by less than this are no reason to look for more covariates."""

LOOKS = {
    "once": "once, at the end",
    "any_time": "at any time, by intervals that hold at all looks together",
    "planned": "on the days planned",
}


def headline(found: Readout) -> str:
    """Return what follows for each arm, in one sentence."""
    if found.blocked:
        return f"No verdict: the experiment was not carried out as agreed. {formats.opening(found.blocked)}."
    alike: dict[tuple[str, str], list[str]] = {}
    for one in found.verdicts:
        alike.setdefault((one.state, one.why), []).append(one.arm)
    said = [f"{DECIDED[state]} {formats.listed(arms)}: {why}" for (state, why), arms in alike.items()]
    return f"{'; '.join(said)}."


def verdict_words(one: Verdict) -> str:
    """Return a verdict as a line."""
    return f"{DECIDED[one.state]}: {one.why}"


def effect_words(row: pd.Series, currency: str, confidence: float = 0.95) -> str:
    """Return an effect with its interval: ``18.2% against 10.6%: +7.6 pts (95% interval +7.0 to +8.3 pts)``."""
    unit = str(row["unit"])
    size = formats.difference(row["difference"], unit, currency)
    mine, control = (formats.value_of(row[name], unit, currency) for name in ("value", "control_value"))
    both = f"{mine} against {control}"
    if row["reason"] or not math.isfinite(row["lower"]):
        return f"{both}: {size}, without an interval, as {row['reason'] or 'it is not known'}"
    interval = formats.difference_interval(row["lower"], row["upper"], unit, currency)
    return f"{both}: {size} ({confidence:.0%} interval {interval})"


def effects_title(found: Readout) -> str:
    """Title the effects by the primary ones that are sure, and on which side."""
    primary = found.effects[found.effects["role"] == "primary"]
    good = [row for _, row in primary.iterrows() if row["sure"] and _good(row)]
    bad = [row for _, row in primary.iterrows() if row["sure"] and not _good(row)]
    if not good and not bad:
        return "No primary metric is better or worse for sure"
    said = []
    for rows, words in ((good, "better"), (bad, "worse")):
        if rows:
            arms: dict[str, list[str]] = {}
            for row in rows:
                arms.setdefault(formats.inside(row["label"]), []).append(row["arm"])
            names = formats.listed([f"{label} ({', '.join(several)})" for label, several in arms.items()])
            said.append(f"{words} for sure: {names}")
    return formats.opening("; ".join(said))


def _good(row: pd.Series) -> bool:
    return bool((row["difference"] > 0) == row["higher_is_better"])


def segments_title(found: Readout) -> str:
    """Title the groups by how many effects are clear, all asked together."""
    frame = found.segments
    clear = int(((frame["joint_lower"] > 0) | (frame["joint_upper"] < 0)).sum())
    if not clear:
        return f"In none of {formats.many(len(frame), 'group')} is the effect clear, all asked together"
    return f"The effect is clear in {formats.count(clear)} of {formats.many(len(frame), 'group')}, all asked together"


def guarded_title(found: Readout) -> str:
    """Title the guardrails by whether they were kept."""
    states = found.guarded["kept"].value_counts()
    said = [f"{formats.count(states[name])} {name}" for name in ("broken", "undecided", "kept") if name in states]
    return f"Guardrails: {', '.join(said)}"


def adjusting(found: Readout) -> str:
    """Say how much regression adjustment narrowed intervals, and that it is little where it is."""
    rows = found.effects[found.effects["adjusted"]]
    if rows.empty:
        return ""
    best = rows.loc[rows["variance_saved"].idxmax()]
    saved = 1 - math.sqrt(max(1 - best["variance_saved"], 0.0))
    if saved <= 0:
        return "Adjusting for what was known before does not make intervals narrower here."
    size = "a small gain here" if saved < SMALL_GAIN else "which is as good as more units"
    return (
        f"Adjusting for what was known before makes intervals up to {formats.share(saved)} narrower "
        f"({formats.inside(best['label'])}, {best['arm']}), {size}."
    )


def asked(found: Readout, currency: str) -> list[tuple[str, str]]:
    """Return what was agreed, as pairs; margins and the effect worth shipping in their metric's unit."""
    protocol = found.protocol
    units = dict(zip(found.effects["metric"], found.effects["unit"], strict=True))

    def size(effect: float, metric: str) -> str:
        return formats.difference(effect, units[metric], currency)

    worth = {name: protocol.worth_shipping(name) for name in protocol.primary}
    labels = {name: metric.label for name, metric in protocol.metrics.items()}
    sizes = [size(least, name) for name, least in worth.items()]
    named = [f"{one} of {formats.inside(labels[name])}" for one, name in zip(sizes, worth, strict=True)]
    least = sizes[0] if len(set(sizes)) == 1 else formats.listed(named)
    parts = ", ".join(f"{arm} {formats.share(share)}" for arm, share in protocol.shares.items())
    guarded = [f"{labels[g.metric]} (margin {size(-g.margin, g.metric)})" for g in protocol.guardrails]
    owners = [owner for owner in (protocol.sales_owner, protocol.marketing_owner) if owner]
    return [
        ("Hypothesis", protocol.hypothesis),
        ("Dealt", f"by {protocol.unit}: {parts}; compared with {protocol.control}"),
        ("Decides", ", ".join(labels[name] for name in protocol.primary)),
        ("Must not get worse", ", ".join(guarded) or "nothing was named"),
        ("Counts", "as recorded" if protocol.horizon_days is None else f"within {protocol.horizon_days} days"),
        ("Looked at", LOOKS[protocol.looks.rule]),
        ("Worth shipping from", f"an effect of {least}" if any(worth.values()) else "any effect that is sure"),
        ("Agreed on", formats.day(protocol.agreed_on) if protocol.agreed_on else "not recorded"),
        ("Owners", ", ".join(owners) or "not recorded"),
        ("Hash of the protocol", protocol.sha256[:16]),
    ]


def money_words(found: Readout, arm: str, currency: str) -> str:
    """Return what shipping an arm would bring a quarter, empty where that is not known."""
    rows = found.money[found.money["arm"] == arm]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    return (
        f"{formats.difference(row['value'], 'money', currency)} a quarter (95% interval "
        f"{formats.difference_interval(row['lower'], row['upper'], 'money', currency)})"
    )
