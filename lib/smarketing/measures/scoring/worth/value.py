"""What a lead is worth once it has reached the stage: from the definitions, or from what became of those before it."""

from __future__ import annotations

from dataclasses import dataclass

from smarketing.company.scoring import Scoring
from smarketing.company.tables import MissingTable
from smarketing.measures.exact import cents
from smarketing.measures.incidence import shares
from smarketing.measures.view import View


@dataclass(frozen=True, kw_only=True)
class StageValue:
    """Money a lead is worth from the stage on, in the reporting currency; None with ``reason`` where it is not known.

    ``win_share`` of those ``n`` who entered the stage win within ``horizon`` days, and ``mean_amount`` is the mean won
    amount (of all ``won`` deals by the day); both are None where the definitions state the value.
    """

    value: float | None
    stated: bool
    win_share: float | None = None
    mean_amount: float | None = None
    margin: float = 1.0
    n: int = 0
    won: int = 0
    horizon: int = 0
    reason: str = ""


def stage_value(view: View, scoring: Scoring) -> StageValue:
    """Return the value of the stage that a good lead reaches: share won from there x mean won amount x margin."""
    if scoring.value_of_stage is not None:
        return StageValue(value=scoring.value_of_stage, stated=True)
    if scoring.to_stage is None:
        return StageValue(value=None, stated=False, reason="the definitions give no value_of_stage")
    windows, evidence = view.definitions.windows, view.definitions.evidence
    win, cohort = view.definitions.stages.win.stage, view.cohort()
    try:
        deals = view.deals.table
        won = deals.filter(deals[f"reached_{win}"].notnull())
        n, total = (
            float(v)
            for v in won.aggregate(n=won.amount.count(), total=cents(won.amount).sum() / 100.0).execute().iloc[0]
        )
    except MissingTable as missing:
        return StageValue(value=None, stated=False, reason=str(missing))
    if not n:
        return StageValue(value=None, stated=False, reason="no won deal has an amount")
    share = 1.0
    count = int(n)
    if scoring.to_stage != win:
        found = shares(
            view.entering(scoring.to_stage, win, cohort), horizons=[windows.funnel_days], kinds=[win], evidence=evidence
        )
        if not found or found[0].value is None:
            reason = found[0].reason if found else f"nobody entered {scoring.to_stage}"
            return StageValue(value=None, stated=False, reason=reason)
        share, count = found[0].value, found[0].n
    return StageValue(
        value=share * total / n * scoring.margin,
        stated=False,
        win_share=share,
        mean_amount=total / n,
        margin=scoring.margin,
        n=count,
        won=int(n),
        horizon=windows.funnel_days,
    )
