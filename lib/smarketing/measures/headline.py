"""The headline figures: what enters, how much of it is good, how much of it closes, and what it is worth.

Every figure is counted by lead or deal and by account, for the recent weeks together, the weeks and months one by one,
and a year earlier. A rate's period holds those whose days are complete in it, so no point on a chart is provisional.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis

from smarketing.company.definitions import Kpi
from smarketing.company.tables import MissingTable, NotRecorded
from smarketing.company.targets import Targets
from smarketing.measures.exact import cents
from smarketing.measures.panels import Panel, rate_panel, sum_panel
from smarketing.measures.results import KeyFigure
from smarketing.measures.tallies import tally
from smarketing.measures.view import MANY_WITHOUT, View, has_step


@dataclass(frozen=True)
class Headline:
    """The panels of all headline measures, and the measures that could not be made, with the reason."""

    panels: tuple[Panel, ...]
    not_applicable: tuple[tuple[str, str], ...]

    @property
    def figures(self) -> tuple[KeyFigure, ...]:
        """Every key figure, those counted by lead or deal first."""
        by_row = [p.figure for p in self.panels if p.counted_by != "accounts"]
        return tuple(by_row + [p.figure for p in self.panels if p.counted_by == "accounts"])

    @property
    def first_page(self) -> tuple[KeyFigure, ...]:
        """The figures of the first page: counted by lead or deal."""
        return tuple(panel.figure for panel in self.panels if panel.counted_by != "accounts")

    def panels_by(self, accounts: bool) -> tuple[Panel, ...]:
        """The panels counted by account, or by lead and deal."""
        return tuple(panel for panel in self.panels if (panel.counted_by == "accounts") == accounts)


def headline(view: View, targets: Targets) -> Headline:
    """Measure every headline figure of the definitions; those whose table is missing are named, not dropped."""
    panels: list[Panel] = []
    missing: list[tuple[str, str]] = []
    for kpi in view.definitions.kpis.figures:
        try:
            panels += _panels(view, kpi, targets)
        except MissingTable as error:
            missing.append((kpi.label, str(error)))
    for stage in dict.fromkeys(str(k.stage) for k in view.definitions.kpis.figures if k.stage is not None):
        if not has_step(view, stage):
            missing += [("Counting by account", why) for why in [_no_accounts(view, stage)] if why]
    kinds = {kpi.panel for kpi in view.definitions.kpis.figures}
    for panel in ("lead flow", "lead quality", "close rate"):
        if panel not in kinds:
            missing.append((panel.capitalize(), "the definitions name no figure for it"))
    return Headline(tuple(panels), tuple(missing))


def _panels(view: View, kpi: Kpi, targets: Targets) -> list[Panel]:
    if kpi.kind in ("created", "won"):
        deals = view.deals.table
        won = view.deals.reached(view.definitions.stages.win.stage)
        first = view.definitions.stages.first_deal_stage
        at = won if kpi.kind == "won" else view.deals.reached(first.stage)  # type: ignore[union-attr]
        return [sum_panel(view, kpi, targets, tally(view, deals, at, cents(deals.amount)).in_units(100), "deals")]
    stage = str(kpi.stage)
    for name in (stage, kpi.to_stage):
        if name is not None and not has_step(view, stage) and name not in view.recorded_stages:
            raise NotRecorded(view.definitions.stages.label(name))
    units = [view.words(stage), *([] if _no_accounts(view, stage) else ["accounts"])]
    if kpi.kind == "entries":
        journeys = view.journeys(stage)
        sums = tally(view, journeys.table, journeys.reached(stage), None)
        return [sum_panel(view, kpi, targets, sums, unit) for unit in units]
    steps = view.step(stage, str(kpi.to_stage))
    rows = steps.table
    since = steps.complete_from
    if since is not None:
        rows = rows.filter(rows.started >= ibis.timestamp(f"{since} 00:00:00"))
    hit = ((rows.exit == steps.to_stage).fill_null(False) & (rows.last_age <= kpi.within_days)).ifelse(1, 0)
    sums = tally(view, rows, rows.started, hit, lag=int(kpi.within_days or 0))
    return [rate_panel(view, kpi, targets, sums, unit, since) for unit in units]


def _no_accounts(view: View, stage: str) -> str:
    """Say why those who enter a stage are not counted by account, or an empty text."""
    alone = view.without_account(stage) if view.knows_accounts(stage) else 1.0
    if alone == 1:
        return f"no account is recorded for {view.words(stage)}"
    return f"{alone:.1%} of {view.words(stage)} have no account" if alone > MANY_WITHOUT else ""
