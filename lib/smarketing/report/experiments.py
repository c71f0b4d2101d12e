"""The blocks of an experiment's readout."""

from __future__ import annotations

import math

import pandas as pd

from smarketing.measures.experiments.readout import Readout
from smarketing.measures.view import View
from smarketing.report import charts, formats
from smarketing.report import experiments_wording as wording
from smarketing.report.agreements import agreement_line
from smarketing.report.blocks import Block, figure, note, table

SOURCE = "assignments and outcomes, as listed under Provenance, and the protocol"


def title(view: View, found: Readout) -> list[tuple[str, str]]:
    """Return what stands under the title."""
    protocol = found.protocol
    return [
        ("Data as of", formats.day(found.as_of)),
        ("Experiment", f"{protocol.name}, version {protocol.version}"),
        ("Protocol", protocol.sha256[:16]),
        ("Scope", view.scope.label),
        ("Definitions", agreement_line(view.definitions)),
    ]


def what_was_agreed(found: Readout, currency: str) -> list[Block]:
    """Show the protocol."""
    frame = pd.DataFrame(wording.asked(found, currency), columns=["What", "Agreed"])
    return [
        table(
            frame,
            id="tab-protocol",
            title="What was agreed before the data",
            subtitle="The rule below decides; it cannot be changed after the start without its hash changing.",
            source=f"the protocol of {found.protocol.name}",
        )
    ]


def was_it_sound(found: Readout) -> list[Block]:
    """Show who was dealt and read, and whether the experiment was carried out as agreed."""
    counts = found.counts.rename(
        columns={"arm": "Arm", "share": "Agreed", "dealt": "Dealt", "known": "Found again", "over": "Horizon over"}
    )
    blocks: list[Block] = [
        table(
            counts[["Arm", "Agreed", "Dealt", "Found again", "Horizon over"]],
            id="tab-units",
            title=_units_title(found),
            formats={"Agreed": "share", "Dealt": "count", "Found again": "count", "Horizon over": "count"},
            subtitle=f"{formats.opening(found.who)} by arm. Effects are of those whose horizon is over.",
            source=SOURCE,
        ),
        _checks(found),
    ]
    if len(found.balance):
        worst = found.balance.reindex(found.balance["standardised"].abs().sort_values(ascending=False).index).head(8)
        blocks.append(
            table(
                worst.rename(
                    columns={
                        "covariate": "Known before",
                        "arm": "Arm",
                        "control_mean": "Control",
                        "mean": "This arm",
                        "standardised": "Standard deviations apart",
                    }
                ),
                id="tab-balance",
                title="How alike the arms were before, the most unlike first",
                formats={"Control": "number", "This arm": "number", "Standard deviations apart": "number"},
                subtitle="Means of what was known before the assignment; a text's value as a share.",
                source=SOURCE,
            )
        )
    return blocks


def _checks(found: Readout) -> Block:
    frame = pd.DataFrame(
        [
            {
                "Check": f"{one.code} {one.question}",
                "Outcome": one.outcome,
                "Found": one.detail,
                "What to do": one.remedy,
            }
            for one in found.checks
        ]
    )
    if not any(one.remedy for one in found.checks):
        frame = frame.drop(columns="What to do")
    said = "The experiment was carried out as agreed" if not found.blocked else "The experiment cannot be read"
    return table(frame, id="tab-sound", title=said, source=SOURCE)


def _units_title(found: Readout) -> str:
    over, dealt = found.progress.over, found.progress.dealt
    if over == dealt:
        return f"All {formats.count(dealt)} {found.who} can be read"
    return f"{formats.count(over)} of {formats.count(dealt)} {found.who} have had all their days"


def what_changed(found: Readout, currency: str) -> list[Block]:
    """Show lifts of all metrics as a forest plot, and differences as a table."""
    effects = found.effects
    rows = pd.DataFrame(
        [
            {
                "label": f"{row['label']}: {row['arm']}",
                "value": row["lift"] if math.isfinite(row["lift_lower"]) else math.nan,
                "lower": row["lift_lower"] if math.isfinite(row["lift_lower"]) else math.nan,
                "upper": row["lift_upper"] if math.isfinite(row["lift_lower"]) else math.nan,
                "n": row["n"],
                "told": bool(row["sure"]),
                "note": "" if math.isfinite(row["lift_lower"]) else str(row["lift_reason"] or row["reason"]),
            }
            for _, row in effects.iterrows()
        ]
    )
    level = f"{found.protocol.rule.confidence:.0%}"
    blocks: list[Block] = []
    heading = wording.effects_title(found)
    if rows["value"].notna().any():
        blocks.append(
            figure(
                charts.intervals(
                    rows,
                    id="fig-lift",
                    title=heading,
                    subtitle=f"Lift over {found.protocol.control}: how much more, in percent of the control; "
                    f"{level} intervals, each asked alone.",
                    source=SOURCE,
                    alt=f"Dots with intervals of the lift of each metric and arm, and a line at no change. {heading}.",
                    unit="change",
                    reference=0.0,
                    reference_label="no change",
                    label_name="Metric and arm",
                    value_label="Lift",
                    n_label=found.who,
                    how_to_read="A dot is the lift measured, its line the interval. A line that touches no change says "
                    "that the effect may be nothing.",
                    so_what=wording.adjusting(found),
                )
            )
        )
    blocks.append(_effects(found, currency, heading if not blocks else "By how much, in each metric's own unit"))
    if len(found.guarded):
        blocks.append(_guarded(found, currency))
    return blocks


def _effects(found: Readout, currency: str, heading: str) -> Block:
    rows = []
    for _, row in found.effects.iterrows():
        unit = str(row["unit"])
        known = not row["reason"] and math.isfinite(row["lower"])
        shown = {
            "Metric": row["label"],
            "Arm": row["arm"],
            "Control": formats.value_of(row["control_value"], unit, currency),
            "This arm": formats.value_of(row["value"], unit, currency),
            "Difference": formats.difference(row["difference"], unit, currency),
            "Interval alone": formats.difference_interval(row["lower"], row["upper"], unit, currency)
            if known
            else str(row["reason"]),
            "Interval of the family": formats.difference_interval(
                row["joint_lower"], row["joint_upper"], unit, currency
            )
            if known and row["role"] == "primary"
            else "",
            "p (Holm)": _p(row["p_holm"]) if row["role"] == "primary" else "",
            "Role": row["role"],
        }
        rows.append(shown)
    frame = pd.DataFrame(rows)
    by = formats.listed(sorted(set(found.effects["by"])))
    return table(
        frame,
        id="tab-effects",
        title=heading,
        subtitle=f"By {by}. {formats.many(found.family, 'primary comparison')}"
        f"{', taken together' if found.family > 1 else ''}.",
        source=SOURCE,
        emphasis=[bool(sure) for sure in found.effects["sure"]],
    )


def _p(value: float) -> str:
    if math.isnan(value):
        return formats.MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _joint(row: pd.Series, currency: str) -> str:
    return formats.difference_interval(row["joint_lower"], row["joint_upper"], str(row["unit"]), currency)


def _worst(row: pd.Series, currency: str) -> str:
    return formats.difference(row["worst"], row["unit"], currency) if math.isfinite(row["worst"]) else "open"


def _guarded(found: Readout, currency: str) -> Block:
    rows = [
        {
            "Guardrail": row["label"],
            "Arm": row["arm"],
            "Margin": formats.difference(-row["margin"], row["unit"], currency),
            "Difference": formats.difference(row["difference"], row["unit"], currency),
            "At worst": formats.difference(row["worst"], row["unit"], currency)
            if math.isfinite(row["worst"])
            else "open",
            "Kept": row["kept"],
        }
        for _, row in found.guarded.iterrows()
    ]
    return table(
        pd.DataFrame(rows),
        id="tab-guardrails",
        title=wording.guarded_title(found),
        subtitle="A guardrail is kept where a loss as large as the margin is excluded.",
        source=SOURCE,
    )


def does_it_hold(found: Readout, currency: str) -> list[Block]:
    """Show the first primary metric in the declared groups."""
    if found.segments.empty:
        return [note("No groups were declared before the data, so none are looked at.", heading="Groups.")]
    frame = found.segments
    if (frame["reason"] != "").all():
        groups = formats.many(len(frame), "group")
        thin = f"In none of {groups} is there enough for an interval: {frame['reason'].iloc[0]}."
        return [note(thin, heading="Too few in each group.")]
    unit = str(frame["unit"].iloc[0])
    rows = frame.assign(
        label=frame["segment"] + " " + frame["group"] + ": " + frame["arm"],
        value=frame["difference"].where(frame["reason"] == ""),
        lower=frame["joint_lower"].where(frame["reason"] == ""),
        upper=frame["joint_upper"].where(frame["reason"] == ""),
        told=(frame["joint_lower"] > 0) | (frame["joint_upper"] < 0),
        note=frame["reason"],
    )
    heading = wording.segments_title(found)
    label = found.protocol.metrics[found.protocol.primary[0]].label
    return [
        figure(
            charts.intervals(
                rows[["label", "value", "lower", "upper", "n", "told", "note"]],
                id="fig-groups",
                title=heading,
                subtitle=f"Difference in {formats.inside(label)} against {found.protocol.control}, in the groups that "
                "were declared before; intervals hold for all groups together.",
                source=SOURCE,
                alt=f"Dots with intervals of the difference in {label} by group and arm. {heading}.",
                unit="points" if unit == "share" else unit,
                currency="" if unit == "share" else currency,
                reference=0.0,
                reference_label="no change",
                label_name="Group and arm",
                value_label="Difference",
                n_label=found.who,
                so_what="That an effect is clear in one group and not in another does not say that the groups differ.",
            )
        )
    ]


def what_follows(found: Readout, currency: str) -> list[Block]:
    """Show the verdict on each arm, and the money where it is known."""
    rows = [
        {
            "Arm": one.arm,
            "Verdict": wording.DECIDED[one.state],
            "Why": formats.opening(one.why),
            "If shipped": wording.money_words(found, one.arm, currency) or formats.MISSING,
        }
        for one in found.verdicts
    ]
    return [
        table(
            pd.DataFrame(rows),
            id="tab-verdict",
            title="What follows for each arm",
            subtitle="By the rule of the protocol. An effect that was picked for being large is smaller when it is "
            "repeated.",
            source=SOURCE,
        )
    ]
