"""One metric of one arm against the control: a row with its difference, its lift, and what they rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from smarketing.company.protocol import Metric as Asked
from smarketing.company.protocol import Protocol
from smarketing.estimates import anytime
from smarketing.estimates.account_effects import Average, account_effect
from smarketing.estimates.adjustment import lin, unit_influences
from smarketing.estimates.clusters import ClusterSums
from smarketing.estimates.dealt_accounts import accounts as dealt_accounts
from smarketing.estimates.effects import Metric, difference, evidence, lift, unadjusted
from smarketing.estimates.means import Sums
from smarketing.estimates.moments import Moments
from smarketing.estimates.randomisation import decide
from smarketing.measures.experiments import sums
from smarketing.measures.experiments.outcomes import Observed

Role = Literal["primary", "guardrail", "other"]
Y = Metric(sums.Y)
MOST_FOR_SANDWICH = 1_000_000
"""Units up to which adjusted effects have White's errors. Beyond, they are those of least squares in each arm.

The two differ by what heteroskedasticity does to chance imbalance. In 20 simulations each of 10^6 units, with one
covariate that the spread depends on, errors differed by at most 2e-5 of themselves for a rate of 5 %, and 2e-4 for
log-normal amounts (sigma 1.3, 5 % with any); of 2x10^4 units, by up to 7e-4 and 5e-3.
"""


def role_of(protocol: Protocol, metric: str) -> Role:
    """Return what a metric is in its protocol."""
    if metric in protocol.primary:
        return "primary"
    return "guardrail" if metric in {guardrail.metric for guardrail in protocol.guardrails} else "other"


def unit_of(asked: Asked, boolean: bool) -> str:
    """Return in what a metric is printed: a share, money or a number."""
    return asked.stated_unit or ("share" if boolean else "number")


def of_leads(seen: Observed) -> list[dict[str, Any]]:
    """Compare each arm with the control where leads were dealt: a row a metric and arm, as `Readout.effects` says."""
    protocol, names = seen.units.protocol, sums.covariates(seen)
    empty = sums.ArmSums(moments=Moments.from_rows({name: [] for name in (sums.Y, *names)}), converted=0)
    found = {
        metric: {arm: groups.get("", {}).get(arm, empty) for arm in protocol.arms}
        for metric, groups in sums.of_leads(seen, list(protocol.metrics)).items()
    }
    sandwich = _sandwich(seen, found, names)
    rows = []
    for metric, arms in found.items():
        control = arms[protocol.control]
        rate = is_rate([one.moments for one in arms.values()])
        for arm in protocol.treatments:
            squares = sandwich.get((metric, arm))
            row = _row(protocol, metric, arm, unit_of(protocol.metrics[metric], rate))
            rows.append(row | _compared(protocol, arms[arm], control, names, rate=rate, squares=squares))
    return rows


def _compared(
    protocol: Protocol,
    treated: sums.ArmSums,
    control: sums.ArmSums,
    names: Sequence[str],
    *,
    rate: bool,
    squares: tuple[float, float] | None,
) -> dict[str, Any]:
    gate = evidence(
        treated_n=treated.moments.n,
        control_n=control.moments.n,
        treated_converters=treated.converted,
        control_converters=control.converted,
        rate=rate,
    )
    level, both = protocol.rule.confidence, (treated.moments, control.moments)
    plain = unadjusted(*both, Y)
    used = lin(*both, Y, names, squares=squares) if names else plain
    effect, bare = (difference(one, confidence=level, evidence=gate) for one in (used, plain))
    relative = lift(used, confidence=level, evidence=gate)
    any_time = _any_time(list(both), effect, protocol)
    return {
        "control_value": used.control, "value": used.treated, "control_n": both[1].n, "n": both[0].n,
        "control_converted": control.converted, "converted": treated.converted,
        "difference": effect.value, "lower": effect.lower, "upper": effect.upper,
        "p_value": effect.p_value, "degrees_of_freedom": effect.degrees_of_freedom,
        "standard_error": effect.standard_error,
        "plain_difference": bare.value, "plain_lower": bare.lower, "plain_upper": bare.upper,
        "plain_error": bare.standard_error,
        "variance_saved": used.variance_saved, "adjusted": bool(used.covariates), "note": used.note or "",
        "lift": relative.value, "lift_lower": relative.lower, "lift_upper": relative.upper,
        "lift_reason": relative.reason or "",
        "any_lower": any_time.lower, "any_upper": any_time.upper, "any_reason": any_time.withheld,
        "by": "adjusted t test" if used.covariates else "Welch's t test", "reason": effect.reason or "",
    }  # fmt: skip


def _sandwich(
    seen: Observed, found: Mapping[str, Mapping[str, sums.ArmSums]], names: Sequence[str]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return what `lin` needs for White's errors, by metric and arm: sums over the arm and over the control.

    It is a second pass over the units, and is left out above `MOST_FOR_SANDWICH` of them.
    """
    protocol = seen.units.protocol
    asked: dict[tuple[str, str], tuple[sums.Influenced, sums.Influenced]] = {}
    for metric, arms in found.items():
        if not names or sum(one.moments.n for one in arms.values()) > MOST_FOR_SANDWICH:
            continue
        for arm in protocol.treatments:
            both = {one: arms[one].moments for one in (arm, protocol.control)}
            influences = unit_influences(both[arm], both[protocol.control], Y, names)
            variances = {one: moments.variance(sums.Y) for one, moments in both.items()}
            if influences is None or not all(variance > 0 for variance in variances.values()):
                continue
            treated, control = (
                sums.Influenced(
                    arm=one, metric=metric, influence=influence, n=both[one].n, expected=variances[one] / both[one].n
                )
                for one, influence in zip(both, influences, strict=True)
            )
            asked[metric, arm] = treated, control
    answers = iter(sums.squared_influences(seen, [one for pair in asked.values() for one in pair]))
    return {key: (next(answers), next(answers)) for key in asked}


def of_accounts(seen: Observed) -> list[dict[str, Any]]:
    """Compare each arm with the control where accounts were dealt: a row a metric and arm, as `Readout.effects` says.

    Covariates are not used: the decision is the randomisation test's, and its statistic the plain difference's.
    """
    return [row for metric in seen.units.protocol.metrics for row in _of_accounts(seen, metric)]


def _of_accounts(seen: Observed, metric: str) -> list[dict[str, Any]]:
    protocol = seen.units.protocol
    frame = sums.accounts(seen, metric)
    asked = protocol.metrics[metric]
    rate = asked.source in ("stage", "activity") or bool(((frame["y"] >= 0) & (frame["y"] <= frame["n"])).all())
    rows = []
    for arm in protocol.treatments:
        two = frame[frame["arm"].isin([arm, protocol.control])]
        row = _row(protocol, metric, arm, unit_of(asked, rate and asked.source != "amount"))
        row |= {"plain_difference": math.nan, "plain_lower": math.nan, "plain_upper": math.nan,
                "plain_error": math.nan, "variance_saved": 0.0, "adjusted": False, "note": ""}  # fmt: skip
        treated = two["arm"].eq(arm).to_numpy()
        row |= {
            "control_n": int((~treated).sum()), "n": int(treated.sum()),
            "control_converted": int((two["y"].to_numpy()[~treated] != 0).sum()),
            "converted": int((two["y"].to_numpy()[treated] != 0).sum()),
        }  # fmt: skip
        rows.append(row | _decided(two, treated, protocol))
    return rows


def _decided(two: pd.DataFrame, treated: np.ndarray, protocol: Protocol) -> dict[str, Any]:
    average: Average = protocol.average
    other: Average = "account" if average == "lead" else "lead"
    blocks: dict[str, Any] = {}
    if protocol.pairs:
        blocks["pairs"] = two["stratum"].to_numpy()
    elif protocol.strata:
        blocks["strata"] = two["stratum"].to_numpy()
    dealt = dealt_accounts(two["unit"].to_numpy(), two["n"].to_numpy(), two["y"].to_numpy(), treated, **blocks)
    alpha = 1 - protocol.rule.confidence
    found = decide(dealt, average=average, alpha=alpha)
    effect = found.effect
    beside = account_effect(dealt, average=other, confidence=protocol.rule.confidence)
    arms = [_cluster_sums(two[mask]) for mask in (treated, ~treated)]
    any_time = (
        anytime.reading(
            *(anytime.arm_of_accounts(one) for one in arms),
            n=float(max(two["n"].sum(), 1)), planned_n=_tuned(protocol, two["n"].sum()),
            gate=anytime.ACCOUNTS, estimate=effect, confidence=protocol.rule.confidence,
        )
        if average == "lead"
        else None
    )  # fmt: skip
    lift_value = effect.treated_mean / effect.control_mean - 1 if effect.control_mean > 0 else math.nan
    return {
        "control_value": effect.control_mean, "value": effect.treated_mean,
        "difference": effect.value, "lower": effect.lower, "upper": effect.upper, "p_value": found.p_value,
        "standard_error": effect.standard_error, "degrees_of_freedom": effect.degrees_of_freedom,
        "lift": lift_value, "lift_lower": -math.inf, "lift_upper": math.inf,
        "lift_reason": "a lift of accounts has no interval here; the difference has one",
        "any_lower": -math.inf if any_time is None else any_time.lower,
        "any_upper": math.inf if any_time is None else any_time.upper,
        "any_reason": "only the average lead can be read at any time" if any_time is None else any_time.withheld,
        "by": "the randomisation test" if found.by == "randomisation" else "CR2 errors",
        "other_difference": beside.value, "other_lower": beside.lower, "other_upper": beside.upper,
        "agree": found.agree, "reason": found.reason or effect.reason or "",
    }  # fmt: skip


def _row(protocol: Protocol, metric: str, arm: str, unit: str) -> dict[str, Any]:
    asked = protocol.metrics[metric]
    return {
        "metric": metric, "label": asked.label, "role": role_of(protocol, metric), "unit": unit,
        "higher_is_better": asked.higher_is_better, "arm": arm, "other_difference": math.nan, "other_lower": math.nan,
        "other_upper": math.nan, "agree": None,
    }  # fmt: skip


def is_rate(arms: Any) -> bool:
    """Whether all values are 0 or 1: their sum is then the sum of their squares."""
    given = [arm for arm in arms if arm.n]
    return bool(given) and all(
        math.isclose(arm.mean(sums.Y) * arm.n, _squares(arm), rel_tol=1e-9, abs_tol=1e-9) for arm in given
    )


def _squares(arm: Moments) -> float:
    mean = arm.mean(sums.Y)
    return arm.variance(sums.Y) * (arm.n - 1) + mean * mean * arm.n if arm.n > 1 else mean * mean * arm.n


def _any_time(arms: list[Moments], effect: Any, protocol: Protocol) -> anytime.Reading:
    given = [
        anytime.arm_of_units(
            Sums(
                n=arm.n,
                total=arm.mean(sums.Y) * arm.n if arm.n else 0.0,
                squares=_squares(arm) if arm.n else 0.0,
            )
        )
        for arm in arms
    ]
    n = sum(arm.n for arm in arms)
    return anytime.reading(
        given[0], given[1], n=float(max(n, 1)), planned_n=_tuned(protocol, n), gate=anytime.LEADS, estimate=effect,
        confidence=protocol.rule.confidence,
    )  # fmt: skip


def _tuned(protocol: Protocol, n: float) -> float:
    """Return how many units the always-valid reading is narrowest at: as agreed, else as planned, else as there are."""
    return float(protocol.looks.tuned_to or protocol.planned_units or max(n, 1))


def _cluster_sums(rows: pd.DataFrame) -> ClusterSums:
    n, y = rows["n"].to_numpy(), rows["y"].to_numpy()
    return ClusterSums(
        clusters=len(rows), sum_n=float(n.sum()), sum_n2=float((n * n).sum()), sum_y=float(y.sum()),
        sum_y2=float((y * y).sum()), sum_ny=float((n * y).sum()),
    )  # fmt: skip
