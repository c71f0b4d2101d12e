"""The readout of an experiment: was it sound, what did each arm change, what follows by the rule agreed before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import pandas as pd

from smarketing.company.protocol import Protocol
from smarketing.estimates.multiplicity import holm, simultaneous
from smarketing.estimates.spending import Look, boundaries
from smarketing.measures.experiments import comparing, sums
from smarketing.measures.experiments.outcomes import Observed, observed
from smarketing.measures.experiments.segments import by_segment
from smarketing.measures.experiments.sound import balance, blocked, sound
from smarketing.measures.experiments.units import Units, dealt
from smarketing.measures.experiments.verdict import Progress, Verdict, guardrails, limits, progress_of, verdicts
from smarketing.measures.results import Check
from smarketing.measures.view import View

__all__ = ["Readout", "Units", "dealt", "observed", "readout"]


@dataclass(frozen=True, kw_only=True)
class Readout:
    """An experiment as it stands on a day.

    ``who`` is what units are called. ``counts``: a row an arm: ``arm``, ``share`` (agreed), ``dealt``, ``known`` (found
    in the company's tables), ``over`` (of these, whose horizon is over: all effects are of them), ``leads``.

    ``effects``: a row a metric and arm: ``metric``, ``label``, ``role`` (primary, guardrail, other), ``unit`` (share,
    money, number), ``arm``, ``control_value`` and ``value`` (means, of accounts a lead or an account as agreed),
    ``control_n`` and ``n`` (units), ``control_converted`` and ``converted`` (units with any), ``difference`` with
    ``lower`` and ``upper`` (alone, at the protocol's confidence, adjusted by the covariates), ``p_value``, ``by`` (the
    test), ``plain_difference`` (not adjusted) with limits, ``variance_saved`` by adjusting, ``lift`` with limits or
    ``lift_reason``, ``any_lower`` and ``any_upper`` (at all looks together) or ``any_reason``, ``other_difference``
    (of the other average, for accounts) with limits, ``reason`` where an interval is withheld. Primary comparisons are
    one family: ``p_holm``, and ``joint_lower`` and ``joint_upper`` by Bonferroni. ``sure``, ``sure_lower`` and
    ``sure_upper`` are what the protocol's rule of looking reads.

    ``segments``: of the first primary metric, a row a declared group and arm. ``balance`` is `sound.balance`.
    ``money``: a range a quarter for each arm that is shipped (``arm``, ``lower``, ``value``, ``upper``).
    """

    protocol: Protocol
    as_of: date
    who: str
    checks: tuple[Check, ...]
    counts: pd.DataFrame
    effects: pd.DataFrame
    guarded: pd.DataFrame
    segments: pd.DataFrame
    balance: pd.DataFrame
    progress: Progress
    verdicts: tuple[Verdict, ...]
    money: pd.DataFrame

    @property
    def blocked(self) -> str:
        """Why there can be no verdict; empty where there can."""
        return blocked(self.checks)

    @property
    def family(self) -> int:
        """How many primary comparisons are taken together."""
        return int((self.effects["role"] == "primary").sum())

    def effect(self, metric: str, arm: str) -> pd.Series:
        """Return the row of a metric and an arm."""
        rows = self.effects
        return rows[(rows["metric"] == metric) & (rows["arm"] == arm)].iloc[0]


def readout(view: View, protocol: Protocol) -> Readout:
    """Read an experiment by its protocol, as of the view's day.

    Raises
    ------
    MissingTable
        No assignments, no leads, or no table that a metric needs are mapped.
    CompanyError
        As `units.dealt` and `outcomes.observed`.
    """
    units = dealt(view, protocol)
    seen = observed(view, units)
    who = "accounts" if protocol.unit == "account" else view.words(view.definitions.stages.funnel[0].stage)
    return read(seen, as_of=view.as_of, who=who)


def read(seen: Observed, *, as_of: date, who: str = "units") -> Readout:
    """Read units that were brought together with their outcomes; ``who`` is what they are called."""
    protocol = seen.units.protocol
    checks = sound(seen)
    counts = _counts(seen)
    progress = _progress(seen, counts, as_of)
    compare = comparing.of_leads if protocol.unit == "lead" else comparing.of_accounts
    effects = _sure(_family(pd.DataFrame(compare(seen)), protocol), protocol, progress)
    guarded = guardrails(protocol, effects)
    found = verdicts(protocol, effects, guarded, progress, blocked=blocked(checks))
    return Readout(
        protocol=protocol,
        as_of=as_of,
        who=who,
        checks=checks,
        counts=counts,
        effects=effects,
        guarded=guarded,
        segments=by_segment(seen),
        balance=balance(seen),
        progress=progress,
        verdicts=found,
        money=_money(protocol, effects, found),
    )


def _counts(seen: Observed) -> pd.DataFrame:
    protocol = seen.units.protocol
    found = sums.counts(seen).set_index("arm").reindex(list(protocol.arms)).fillna(0).astype("int64")
    found.insert(0, "share", [protocol.shares[arm] for arm in found.index])
    return found.rename_axis("arm").reset_index()


def _progress(seen: Observed, counts: pd.DataFrame, as_of: date) -> Progress:
    return progress_of(
        seen.units.protocol,
        over=int(counts["over"].sum()),
        dealt=int(counts["known"].sum()),
        as_of=as_of,
        dated=seen.units.dated,
    )


def _family(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Add what is sure of the primary comparisons together: Holm's p-values, and Bonferroni's intervals."""
    primary = (effects["role"] == "primary").to_numpy()
    p_holm = pd.Series(math.nan, index=effects.index)
    p_holm[primary] = holm(effects.loc[primary, "p_value"].tolist())
    asked = max(int(effects.loc[primary, "p_value"].notna().sum()), 1)
    joint = [
        simultaneous(row["difference"], row["lower"], row["upper"], of=asked, confidence=protocol.rule.confidence)
        if use and math.isfinite(row["lower"])
        else None
        for use, (_, row) in zip(primary, effects.iterrows(), strict=True)
    ]
    return effects.assign(
        p_holm=p_holm,
        joint_lower=[math.nan if one is None else one.lower for one in joint],
        joint_upper=[math.nan if one is None else one.upper for one in joint],
    )


def _sure(effects: pd.DataFrame, protocol: Protocol, progress: Progress) -> pd.DataFrame:
    """Add what the protocol's rule of looking reads: ``sure``, ``sure_lower``, ``sure_upper``.

    Once: Holm's p-value with Bonferroni's interval. At any time: the always-valid interval, widened for the family
    (by the ratio of normal quantiles, which is more than it takes). Planned: the p-value at which the latest look
    stops, at a level shared out over the family, and the interval that belongs to it. Metrics that are not primary
    are read alone.
    """
    alpha = 1 - protocol.rule.confidence
    primary = effects["role"] == "primary"
    asked = max(int((primary & effects["p_value"].notna()).sum()), 1)
    if protocol.looks.rule == "any_time":
        low, high = effects["any_lower"], effects["any_upper"]
        wide = [
            simultaneous(d, lo, hi, of=asked, confidence=protocol.rule.confidence)
            if use and math.isfinite(lo)
            else None
            for use, d, lo, hi in zip(primary, effects["difference"], low, high, strict=True)
        ]
        low = pd.Series([lo if one is None else one.lower for one, lo in zip(wide, low, strict=True)], effects.index)
        high = pd.Series([hi if one is None else one.upper for one, hi in zip(wide, high, strict=True)], effects.index)
        return effects.assign(sure=(low > 0) | (high < 0), sure_lower=low, sure_upper=high)
    if protocol.looks.rule == "planned":
        together, alone = _look(protocol, progress, alpha / asked), _look(protocol, progress, alpha)
        looks = [together if use else alone for use in primary]
        if together is None:
            return effects.assign(sure=False, sure_lower=-math.inf, sure_upper=math.inf)
        given = zip(looks, effects["degrees_of_freedom"], effects["standard_error"], strict=True)
        half = pd.Series(
            [
                math.nan if look is None or math.isnan(freedom) else look.quantile(freedom) * error
                for look, freedom, error in given
            ],
            effects.index,
        )
        nominal = pd.Series([0.0 if look is None else look.nominal for look in looks], effects.index)
        return effects.assign(
            sure=(nominal > 0) & (effects["p_value"] <= nominal),
            sure_lower=(effects["difference"] - half).fillna(-math.inf),
            sure_upper=(effects["difference"] + half).fillna(math.inf),
        )
    return effects.assign(
        sure=(effects["p_holm"] <= alpha).fillna(False),
        sure_lower=effects["joint_lower"].fillna(-math.inf),
        sure_upper=effects["joint_upper"].fillna(math.inf),
    )


def _look(protocol: Protocol, progress: Progress, alpha: float) -> Look | None:
    """Return the planned look that is due, None where none is."""
    days = protocol.looks.days
    if progress.look is None:
        return None
    start = protocol.starts_on or days[0]
    whole = max((days[-1] - start).days, 1)
    taken = [day for day in days if day <= progress.look]
    fractions = [max((day - start).days, 1) / whole for day in taken]
    return boundaries(fractions, kind=protocol.looks.spending, alpha=alpha)[-1]


def _money(protocol: Protocol, effects: pd.DataFrame, found: tuple[Verdict, ...]) -> pd.DataFrame:
    """Return what shipping would bring a quarter: the effect that decided, times what it is worth, times the units."""
    rows = []
    for one in found:
        # An effect on the average account says nothing of all leads' money.
        if one.state != "ship" or protocol.a_quarter is None or protocol.average == "account":
            continue
        row = effects[(effects["metric"] == one.metric) & (effects["arm"] == one.arm)].iloc[0]
        worth = 1.0 if row["unit"] == "money" else protocol.value
        if worth is None:
            continue
        times = worth * protocol.a_quarter * (1 if row["higher_is_better"] else -1)
        low, high = sorted(limit * times for limit in limits(protocol, row))
        rows.append(
            {"arm": one.arm, "metric": one.metric, "lower": low, "value": row["difference"] * times, "upper": high}
        )
    return pd.DataFrame(rows, columns=["arm", "metric", "lower", "value", "upper"])
