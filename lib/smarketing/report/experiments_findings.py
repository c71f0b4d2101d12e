"""What the readout of an experiment says in its own name: bottom line, key figures, findings, methods and limits."""

from __future__ import annotations

import math

from smarketing.measures.experiments.readout import Readout
from smarketing.measures.results import Finding, KeyFigure, Status, Unit
from smarketing.report import experiments_wording as wording
from smarketing.report import formats

THEME = "what we tried and learned"

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
