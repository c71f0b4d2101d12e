"""The first primary metric in the groups that the protocol declared, all of them asked together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from smarketing.estimates.effects import difference, evidence, unadjusted
from smarketing.estimates.multiplicity import holm, simultaneous
from smarketing.measures.experiments import comparing, sums
from smarketing.measures.experiments.outcomes import SEGMENT, Observed

COLUMNS = [
    "segment", "group", "arm", "metric", "unit", "control_value", "value", "control_n", "n", "difference", "lower",
    "upper", "p_value", "p_holm", "joint_lower", "joint_upper", "reason",
]  # fmt: skip


def by_segment(seen: Observed) -> pd.DataFrame:
    """Return the effect on the first primary metric in each declared group: a row a group and arm.

    ``lower`` and ``upper`` are asked alone; ``joint_lower``, ``joint_upper`` (Bonferroni) and ``p_holm`` of all groups
    and arms together. That an effect is clear in one group and not in another does not say that they differ. Of
    experiments that were dealt by account none are read: their accounts are too few apart.
    """
    protocol = seen.units.protocol
    if protocol.unit != "lead" or not protocol.segments:
        return pd.DataFrame(columns=COLUMNS)
    metric = protocol.primary[0]
    rows = []
    for name in protocol.segments:
        found = sums.of_leads(seen, [metric], with_covariates=False, by=SEGMENT + name)[metric]
        for group, arms in found.items():
            rows += _group(seen, name, group, arms)
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    asked = max(int(frame["p_value"].notna().sum()), 1)
    joint = [
        simultaneous(row["difference"], row["lower"], row["upper"], of=asked, confidence=protocol.rule.confidence)
        if math.isfinite(row["lower"])
        else None
        for _, row in frame.iterrows()
    ]
    return frame.assign(
        p_holm=holm(frame["p_value"].tolist()),
        joint_lower=[math.nan if one is None else one.lower for one in joint],
        joint_upper=[math.nan if one is None else one.upper for one in joint],
    )[COLUMNS]


def _group(seen: Observed, name: str, group: str, arms: Mapping[str, sums.ArmSums]) -> list[dict[str, Any]]:
    protocol = seen.units.protocol
    control = arms.get(protocol.control)
    rows = []
    for arm in protocol.treatments:
        treated = arms.get(arm)
        if control is None or treated is None:
            continue
        rate = comparing.is_rate([control.moments, treated.moments])
        gate = evidence(
            treated_n=treated.moments.n, control_n=control.moments.n, treated_converters=treated.converted,
            control_converters=control.converted, rate=rate,
        )  # fmt: skip
        plain = unadjusted(treated.moments, control.moments, comparing.Y)
        effect = difference(plain, confidence=protocol.rule.confidence, evidence=gate)
        metric = protocol.primary[0]
        rows.append(
            {
                "segment": name, "group": group, "arm": arm, "metric": metric,
                "unit": comparing.unit_of(protocol.metrics[metric], rate), "control_value": plain.control,
                "value": plain.treated, "control_n": control.moments.n, "n": treated.moments.n,
                "difference": effect.value, "lower": effect.lower, "upper": effect.upper, "p_value": effect.p_value,
                "reason": effect.reason or "",
            }
        )  # fmt: skip
    return rows
