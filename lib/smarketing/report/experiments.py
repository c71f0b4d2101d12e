"""The blocks of an experiment's readout."""

from __future__ import annotations

import math

import pandas as pd

from smarketing.measures.experiments.readout import Readout
from smarketing.measures.results import Finding, KeyFigure, Status, Unit
from smarketing.measures.view import View
from smarketing.report import charts, formats
from smarketing.report import experiments_wording as wording
from smarketing.report.agreements import agreement_line
from smarketing.report.blocks import Block, checks, figure, note, table

THEME = "what we tried and learned"
SOURCE = "assignments and outcomes, as listed under Provenance, and the protocol"

METHODS = (
    (
        "Units",
        "All units that were dealt count in the arm they were dealt to, whatever they got. Outcomes count from the "
        "assignment to the horizon; only units whose horizon is over are read. Who had reached a stage before it was "
        "dealt is left out of that stage.",
    ),
    (
        "Sample-ratio checks",
        "Chi-square on the units that were dealt, at p < 0.001: against the protocol, found against dealt, one joint "
        "test over segments and strata, one over days (Fabijan et al. 2019). A failed one blocks the verdict.",
    ),
    (
        "Effects of leads",
        "Differences of means, adjusted by a regression in each arm on what was known before (Lin 2013), Welch's t "
        "without covariates. Lifts with Fieller's interval. An interval needs enough converters in the smaller arm.",
    ),
    (
        "Effects of accounts",
        "The account is the unit. The p-value is that of the studentised randomisation test under the design dealt, "
        "unless there are at least 40 effective accounts in the smaller arm; the interval beside it has CR2 errors and "
        "Satterthwaite's degrees of freedom.",
    ),
    (
        "Several comparisons",
        "Primary metrics and arms are one family: Holm's p-values decide, and intervals of the family are "
        "Bonferroni's, which may be wider. Declared groups are a family of their own.",
    ),
    (
        "Guardrails",
        "Non-inferiority: kept where the 95% interval excludes a loss as large as the margin agreed, broken where it "
        "excludes a smaller one.",
    ),
    (
        "Looking early",
        "At any time: an asymptotic confidence sequence (Waudby-Smith et al. 2021), which holds at all looks "
        "together. On planned days: Lan-DeMets spending.",
    ),
)
GLOSSARY = (
    ("95% interval", "the range of true values that the data do not contradict; 95 of 100 such ranges hold the truth"),
    ("Arm", "a group of units that chance dealt the same treatment"),
    ("Control", "the arm that the others are compared with"),
    ("Guardrail", "a metric that must not get worse by more than a margin agreed before"),
    ("Lift", "by how much more an arm has than the control, in percent of the control"),
    ("Primary", "a metric that the decision rests on"),
    ("Sample ratio", "whether the arms have the shares that they were to have"),
    ("Unit", "what is dealt to an arm: a lead, or an account with all its leads"),
)


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


def what_was_agreed(found: Readout) -> list[Block]:
    """Show the protocol."""
    frame = pd.DataFrame(wording.asked(found.protocol), columns=["What", "Agreed"])
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
        subtitle=f"By {by}. {formats.opening(formats.many(found.family, 'primary comparison'))} taken together.",
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


def key_figures(found: Readout, currency: str) -> tuple[KeyFigure, ...]:
    """Return what the ledger keeps: the primary metrics, each arm's value beside the control's, with the difference."""
    figures = []
    for _, row in found.effects[found.effects["role"] == "primary"].iterrows():
        known = not row["reason"] and math.isfinite(row["lower"]) and not found.blocked
        unit: Unit = row["unit"]
        status: Status = "no target" if known else "withheld"
        reason = "" if known else str(found.blocked or row["reason"] or "no unit has had all its days")
        figures.append(
            KeyFigure(
                name=f"experiment_{row['metric']}_{row['arm']}",
                label=f"{row['label']}, {row['arm']}",
                unit=unit,
                value=float(row["value"]) if known else None,
                lower=None,
                upper=None,
                interval=f"{found.protocol.rule.confidence:.0%} interval of the difference, asked alone",
                n=int(row["n"]),
                n_label=f"{found.who} in the arm",
                period=f"experiment {found.protocol.name}",
                higher_is_better=bool(row["higher_is_better"]),
                maturity="final" if found.progress.final else "provisional",
                status=status,
                prior=float(row["control_value"]) if known else None,
                prior_label=f"in the arm {found.protocol.control}",
                change=float(row["difference"]) if known else None,
                change_lower=float(row["lower"]) if known else None,
                change_upper=float(row["upper"]) if known else None,
                currency=currency if unit == "money" else "",
                reason=reason,
                evidence="tab-effects",
            )
        )
    return tuple(figures)


def findings(found: Readout, currency: str) -> list[Finding]:
    """Return what the report stands for, a finding an arm."""
    said = []
    for one in found.verdicts:
        rows = found.effects[(found.effects["arm"] == one.arm) & (found.effects["role"] == "primary")]
        detail = "; ".join(
            f"{row['label']}: {wording.effect_words(row, currency, found.protocol.rule.confidence)}"
            for _, row in rows.iterrows()
        )
        money = wording.money_words(found, one.arm, currency)
        said.append(
            Finding(
                theme=THEME,
                claim=f"{found.protocol.name}, {one.arm}: {wording.DECIDED[one.state].lower()}.",
                detail=f"{formats.opening(one.why)}."
                if found.blocked
                else f"{formats.opening(one.why)}. {detail}." + (f" Shipping it would bring {money}." if money else ""),
                basis="dealt by chance, read by the protocol's rule",
                evidence="tab-verdict",
                weight={"ship": 2.5, "stop": 2.4, "blocked": 2.6}.get(one.state, 1.0),
            )
        )
    return said


def bottom_line(found: Readout) -> str:
    """Say what follows."""
    return wording.headline(found)


def limits(found: Readout) -> list[str]:
    """Say what the readout cannot tell."""
    said = [
        "It holds for units like those that were dealt, at that time; another list or season may answer differently.",
        "Units of one arm may have told those of another; what spread between arms makes effects look smaller.",
    ]
    if found.protocol.unit == "lead":
        said.append("Leads of one account may be in different arms, and what one is sent the other may see.")
    if found.protocol.agreed_on is None:
        said.append("Nobody recorded when the protocol was agreed, so nothing proves that it came before the data.")
    return said


__all__ = [
    "GLOSSARY", "METHODS", "bottom_line", "checks", "does_it_hold", "findings", "key_figures", "limits", "title",
    "was_it_sound", "what_changed", "what_follows", "what_was_agreed",
]  # fmt: skip
