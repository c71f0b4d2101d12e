"""The blocks of the pipeline review: from each measure's result to its figures and tables.

A measure that is not applicable, or a chart with nothing to show, becomes a sentence that says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from smarketing.measures.conversion import Breakdown
from smarketing.measures.deals import WinRates
from smarketing.measures.funnel import Funnel
from smarketing.measures.headline import Headline
from smarketing.measures.losses import Losses
from smarketing.measures.panels import Panel
from smarketing.measures.results import KeyFigure, NotApplicable
from smarketing.measures.scope import BLANK
from smarketing.measures.view import View
from smarketing.report import charts, formats, wording
from smarketing.report.agreements import agreement_line
from smarketing.report.blocks import Block, figure, not_applicable, note, table

SOURCE = "the company's tables as listed under Provenance"


def title(view: View) -> list[tuple[str, str]]:
    """Return what stands under the title: data as of, for whom, scope, definitions."""
    calendar = view.calendar
    return [
        ("Data as of", formats.day(view.asked)),
        *([("Complete to", formats.day(view.as_of))] if view.as_of != view.asked else []),
        ("Weeks", f"{calendar.current.label}, beside {len(calendar.months)} months"),
        ("Scope", _scope(view)),
        ("Definitions", agreement_line(view.definitions)),
    ]


TILES = 6
"""Key figures on the first page; with more, the page does not print as one brief."""


def first_page(headline: Headline, funnel: Funnel | NotApplicable) -> list[KeyFigure]:
    """Return the key figures of the first page: those counted by lead or deal, then the funnel's, at most six."""
    names = {found.name for found in headline.first_page}
    shown = [found for found in wording.key_figures(headline, funnel) if not found.name.endswith("_by_account")]
    return sorted(shown, key=lambda figure: figure.name not in names)[:TILES]


def where_we_stand(headline: Headline) -> list[Block]:
    """Show the headline panels by lead or deal, by account, and in money; name those that are not applicable."""
    by_row = [panel for panel in headline.panels_by(accounts=False) if panel.figure.unit != "money"]
    money = [panel for panel in headline.panels_by(accounts=False) if panel.figure.unit == "money"]
    blocks = [not_applicable(what, reason) for what, reason in headline.not_applicable]
    for identity, panels in (
        ("fig-stand", by_row),
        ("fig-accounts", headline.panels_by(accounts=True)),
        ("fig-money", money),
    ):
        drawn = [panel for panel in panels if _has_numbers(panel)]
        blocks += [
            not_applicable(p.figure.label, p.figure.reason or "nothing of it is on record in these months")
            for p in panels
            if not _has_numbers(p)
        ]
        if drawn:
            blocks.append(figure(_trend(identity, drawn[:3])))
    usual = wording.usual_range(headline)
    return [*blocks, note(usual, heading="Is the latest week unusual?")] if usual else blocks


def the_funnel(found: Funnel | NotApplicable) -> list[Block]:
    """Show the funnel with its exits, and how much a rate that ignores age and accounts would have been off."""
    if isinstance(found, NotApplicable):
        return [not_applicable("The funnel", found.reason)]
    if not found.n:
        return [not_applicable("The funnel", f"nobody entered {found.cohort.label}")]
    exits = found.exits.iloc[1:][["label", "share", "lower", "upper"]].rename(columns={"label": "exit"})
    stages = found.stages.drop(columns="stage").rename(columns={"label": "stage"})
    # A change that may be chance is neither up nor down, and an arrow would say it is.
    stages["step_change"] = stages["step_change"].where(stages["clear"])
    drawn = charts.funnel(
        stages[
            [
                "stage",
                "count",
                "share",
                "share_lower",
                "share_upper",
                "step_rate",
                "step_lower",
                "step_upper",
                "step_change",
            ]
        ],
        exits=exits,
        id="fig-funnel",
        title=wording.funnel_title(found),
        subtitle=f"Share of the {formats.count(found.n)} {found.counted} that entered {found.cohort.label} and reached "
        f"each stage within {found.horizon} days, open ones counted for as long as they have been followed. "
        "Between rows: the share of those in a stage that reach the next within as many days, and its change where "
        "it is clear even with all steps asked about.",
        source=f"{SOURCE}. {found.precision}",
        alt=f"Funnel with left-aligned bars for {len(stages)} stages and the exits, share of {found.counted}. "
        f"{wording.funnel_title(found)}.",
        change_label="on the cohort before",
        exits_label=f"Where the others are after {found.horizon} days",
        how_to_read="Each bar is a share of all that entered. The count beside it is how many have reached the stage "
        "so far; because young ones are still on their way, count divided by entries is lower than the share. "
        "The exits and the wins together make 100%.",
    )
    blocks = []
    if found.not_recorded:
        what = f"{formats.listed(found.not_recorded)}: no entry is on record, so the funnel goes on without."
        blocks.append(note(what, heading="Some stages are not recorded."))
    said = wording.truncated(found)
    if said:
        blocks.append(note(said, heading="Not every entry can be used."))
    return [*blocks, figure(drawn)]


def time_to_stage(found: Funnel | NotApplicable) -> list[Block]:
    """Show cumulative incidence by day for each stage, and the days half and most take."""
    if isinstance(found, NotApplicable):
        return [not_applicable("Time to each stage", found.reason)]
    shown = found.curves[found.curves["age"].isin(_ages(found.horizon))]
    if shown.empty:
        withheld = [str(reason) for reason in found.timing["reason"] if reason]
        why = withheld[0] if withheld else f"nobody entered {found.cohort.label}"
        return [not_applicable("Time to each stage", why)]
    drawn = charts.curves(
        shown[["line", "age", "share"]],
        id="fig-time",
        title=wording.timing_title(found),
        subtitle=f"Share of {found.counted} that entered {found.cohort.label} and had reached each stage, by days "
        "since entering. Those that never get there stay in the denominator.",
        source=SOURCE,
        alt=f"Step curves of the share of {found.counted} that reached each stage, by days since entering. "
        f"{wording.timing_title(found)}.",
        horizon=float(found.horizon),
        horizon_label=f"{found.horizon} days",
        age_label="Days since entering",
        line_label="Stage",
    )
    rows = found.timing.rename(
        columns={
            "label": "Stage",
            "days_to_half": "Half by day",
            "lower": "From",
            "upper": "To",
            "days_to_most": "Three quarters by day",
            "reason": "Why withheld",
        }
    )
    days = dict.fromkeys(("Half by day", "From", "To", "Three quarters by day"), "count")
    return [
        figure(drawn),
        table(
            _with_reasons(rows[["Stage", "Half by day", "From", "To", "Three quarters by day", "Why withheld"]]),
            id="tab-time",
            title=f"Days from entering to each stage, of those who get there within {found.horizon} days",
            formats=days,
            subtitle=f"From and To: 95% interval of the day by which half are there. {found.precision}",
            source=SOURCE,
        ),
    ]


def who_converts(found: Breakdown | NotApplicable) -> list[Block]:
    """Show conversion to the win and time to it by group, the whole first."""
    if isinstance(found, NotApplicable):
        return [not_applicable("Conversion by group", found.reason)]
    if found.rows.empty:
        return [not_applicable("Conversion by group", f"nobody entered {found.cohort.label}")]
    rows = found.rows.assign(
        emphasis=[True] + [False] * (len(found.rows) - 1),
        told=found.rows["apart"].fillna(0).ne(0),
    )
    drawn = charts.intervals(
        rows.rename(columns={"group": "label", "share": "value", "reason": "note"})[
            ["label", "value", "lower", "upper", "n", "emphasis", "told", "note"]
        ],
        id="fig-groups",
        title=wording.breakdown_title(found),
        subtitle=f"Share of {found.counted} won within {found.horizon} days of entering, by {found.by}; entered "
        f"{found.cohort.label}. {found.precision}",
        source=f"{SOURCE}. Intervals are one by one; the title names what is clear with all asked about.",
        alt=f"Dots with 95% intervals of the share won within {found.horizon} days, by {found.by}, the whole first. "
        f"{wording.breakdown_title(found)}.",
        reference=None if math.isnan(rows.iloc[0]["share"]) else float(rows.iloc[0]["share"]),
        reference_label="the whole",
        label_name=formats.opening(found.by),
        value_label="Won",
        n_label=formats.opening(found.counted),
    )
    shown = rows.rename(
        columns={
            "group": formats.opening(found.by),
            "n": formats.opening(found.counted),
            "won": "Won so far",
            "share": "Won in time",
            "lower": "From",
            "upper": "To",
            "days": "Half by day",
            "days_lower": "From day",
            "days_upper": "To day",
            "reason": "Why withheld",
        }
    )
    columns = [
        formats.opening(found.by),
        formats.opening(found.counted),
        "Won so far",
        "Won in time",
        "From",
        "To",
        "Half by day",
        "From day",
        "To day",
        "Why withheld",
    ]
    kinds = dict.fromkeys(columns[1:3] + columns[6:9], "count") | dict.fromkeys(columns[3:6], "share")
    return [
        figure(drawn),
        table(
            _with_reasons(shown[columns]),
            id="tab-groups",
            title=f"Conversion and time to win by {found.by}",
            formats=kinds,
            subtitle=f"Won within {found.horizon} days; the day by which half of these were won; 95% intervals.",
            source=SOURCE,
            emphasis=rows["emphasis"].tolist(),
        ),
    ]


def how_deals_end(found: WinRates | NotApplicable) -> list[Block]:
    """Show win rates of deals opened, by count and by amount, with the closed-only rates beside them."""
    if isinstance(found, NotApplicable):
        return [not_applicable("Win rates", found.reason)]
    if found.rates["value"].isna().all():
        return [not_applicable("Win rates", str(found.rates.iloc[0]["reason"]))]
    rows = found.rates.rename(columns={"reason": "note"})
    drawn = charts.intervals(
        rows.assign(emphasis=rows["rate"] == "by count")[["label", "value", "lower", "upper", "n", "emphasis", "note"]],
        id="fig-win-rate",
        title=wording.win_rate_title(found),
        subtitle=f"Share won. Deals opened {found.cohort.label}, within {found.horizon} days of opening; closed-only "
        f"rates of deals closed in the same days. {found.precision}",
        source=SOURCE,
        alt="Dots with 95% intervals of four win rates: of deals opened and of deals closed, by count and by amount. "
        f"{wording.win_rate_title(found)}.",
        label_name="Rate",
        value_label="Won",
        n_label="Deals",
        so_what="Losses close sooner than wins, so a rate of closed deals depends on when one looks; the rate of deals "
        "opened does not. A rate by amount is moved by a few large deals; the two are never averaged.",
    )
    return [figure(drawn)]


def why_lost(found: Losses | NotApplicable, what: str) -> list[Block]:
    """Show losses by reason or competitor against as many days before, and by product."""
    named = {"loss reason": "Loss reasons", "competitor": "Competitors"}[what]
    if isinstance(found, NotApplicable) or found.reason:
        return [not_applicable(named, found.reason)]
    moved, counted = found.moved, wording.of_losses(found, f"a {what}")
    story = "" if moved is None else str(moved["group"])
    rows = found.rows.rename(columns={"group": "label", "share": "value", "share_before": "prior"})
    drawn = charts.bars(
        rows.assign(emphasis=rows["label"] == story)[["label", "value", "prior", "change", "emphasis"]],
        id=f"fig-{what.split()[0]}",
        title=wording.losses_title(found, what),
        subtitle=f"Share of the {formats.count(found.n)} {counted}, {found.period.label}. The upright "
        f"tick marks the {formats.count(found.n_before)} {found.before.label}. {wording.unnamed(found, what)}".strip(),
        source=f"{SOURCE}; as recorded by sales when the deal was closed.",
        alt=f"Horizontal bars of the share of {counted}, by {what}, with a tick for the "
        f"{found.before.days} days before. {wording.losses_title(found, what)}.",
        unit="share",
        value_label=f"Share of {counted}",
        prior_label=f"The {found.before.days} days before",
        label_name=formats.opening(what),
    )
    blocks = [figure(drawn)]
    if len(found.by_product):
        blocks.append(_by_product(found, what))
    return blocks


def _by_product(found: Losses, what: str) -> Block:
    wide = found.by_product.pivot_table(index="product", columns="group", values="losses", aggfunc="sum", min_count=1)
    sizes = found.by_product.groupby("product")["of"].max().sort_values(ascending=False, kind="stable")
    order = [group for group in found.rows["group"] if group in wide.columns]
    frame = wide.reindex(index=sizes.index, columns=order)
    counted = wording.of_losses(found, f"a {what}")
    frame.insert(0, formats.opening(counted), sizes)
    frame = frame.rename_axis("Product").reset_index()
    frame.columns.name = None
    named = {"loss reason": "loss reasons", "competitor": "competitors"}[what]
    title = f"{formats.opening(named)} by product"
    # A product whose total is hidden may be the one that loses most.
    if sizes.notna().all() and sizes.index[0] != BLANK:
        title = f"Most {counted} are of {sizes.index[0]}, {formats.count(sizes.iloc[0])}; {named} by product"
    return table(
        frame,
        id=f"tab-{what.split()[0]}-product",
        title=title,
        formats=dict.fromkeys(frame.columns[1:], "count"),
        subtitle=f"Deals lost {found.period.label}. A dash: none, too few to show, or what would give those away.",
        source=SOURCE,
    )


def _with_reasons(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out the column of reasons where nothing is withheld."""
    given = frame["Why withheld"].fillna("").astype(str).str.strip()
    return frame if given.any() else frame.drop(columns="Why withheld")


def _ages(horizon: int) -> list[int]:
    """Return the days a curve is drawn at: every day at first, where it moves, then every third."""
    return sorted({*range(min(15, horizon + 1)), *range(15, horizon + 1, 3), horizon})


def _scope(view: View) -> str:
    parts = [f"{name} {view.shown(value, name)}" for name, value in view.scope.parts.items()]
    return ", ".join(parts) or "the whole company"


def _has_numbers(panel: Panel) -> bool:
    frames = (panel.weeks, panel.months)
    return bool(panel.figure.value is not None or any(frame["value"].fillna(0).gt(0).any() for frame in frames))


def _trend(identity: str, panels: Sequence[Panel]) -> charts.Chart:
    first = panels[0]
    counted = formats.listed(list(dict.fromkeys(panel.counted_by for panel in panels)))
    title = wording.headline_title([panel.figure for panel in panels])
    rated = [panel for panel in panels if panel.figure.unit == "share"]
    planned = any(frame["target"].notna().any() for panel in panels for frame in (panel.weeks, panel.months))
    told = SOURCE + ("; targets as planned." if planned else ".")
    explain = " Rates stand in the period in which the last of their days was complete." if rated else ""
    return charts.trend(
        [
            charts.Panel(
                label=panel.kpi.label,
                unit=panel.figure.unit,
                currency=panel.figure.currency,
                weeks=_grain(panel.weeks, "week"),
                months=_grain(panel.months, "month"),
            )
            for panel in panels
        ],
        id=identity,
        title=title,
        subtitle=f"Counted by {counted}; {len(first.weeks)} complete weeks beside {len(first.months)} complete months."
        + explain,
        source=" ".join([told, *dict.fromkeys(panel.figure.interval for panel in rated)]),
        alt=f"Line charts of {formats.listed([p.kpi.label for p in panels])}, counted by {counted}, "
        f"{len(first.weeks)} weeks beside {len(first.months)} months{' with targets' if planned else ''}. {title}.",
        how_to_read="The solid line is what happened, the pale band its 95% interval, the short marks the target, the "
        "dashed line the same period a year earlier. A gap is a period with too little to show.",
        weeks_label="Week to",
        months_label="Month",
    )


def _grain(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    def label(row: Any) -> str:
        return f"{row.end.day} {row.end:%b}" if kind == "week" else f"{row.start:%b}"

    named = frame.assign(period_label=[label(row) for row in frame.itertuples()])
    return named[["period_label", "value", "lower", "upper", "target", "prior_year"]]
