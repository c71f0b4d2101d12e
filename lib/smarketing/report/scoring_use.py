"""The blocks of what a score is used for: the threshold, the promises of its bands, fit and engagement."""

from __future__ import annotations

import pandas as pd

from smarketing.company.definitions import Definitions
from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.study import Study
from smarketing.measures.scoring.worth.threshold import Bands, CostCurve
from smarketing.measures.scoring.worth.value import StageValue
from smarketing.measures.scoring.worth.views import Grid
from smarketing.report import charts, formats
from smarketing.report import scoring_wording as wording
from smarketing.report.blocks import Block, figure, not_applicable, table

SOURCE = "the company's tables as listed under Provenance"
MARKS = {"break-even": "A lead pays for itself", "capacity": "Sales' capacity is full"}


def where_to_draw_the_line(
    study: Study,
    curve: CostCurve | NotApplicable,
    worth: StageValue,
    gain: tuple[float, float, float] | None,
    definitions: Definitions,
) -> list[Block]:
    """Show what thresholds are worth, what moving the one in force costs either team, and the gain over the rules."""
    if isinstance(curve, NotApplicable):
        return [not_applicable("What a threshold is worth", curve.reason)]
    currency = definitions.money.reporting_currency
    word = wording.threshold_word(study.scoring)
    names = {"agreed": f"{formats.opening(word)} threshold"} | MARKS
    rows = curve.rows.rename(columns={"passed": "leads"})[["threshold", "value", "lower", "upper", "leads"]]
    # Thresholds far beyond any lead would stretch the axis.
    seen = rows[rows["leads"] > 0]
    marks = curve.named.assign(label=curve.named["name"].map(names), emphasis=curve.named["name"] == "agreed")
    marks = marks[marks["threshold"] <= max(float(seen["threshold"].max()), float(curve.at("agreed")["threshold"]))]
    drawn = charts.cost_curve(
        rows[rows["threshold"] <= max(seen["threshold"].max(), curve.at("agreed")["threshold"])],
        marks=marks[["label", "threshold", "value", "emphasis"]],
        id="fig-threshold",
        title=wording.threshold_title(curve, study.scoring, definitions),
        subtitle=f"Value {curve.per}: good leads reached x {formats.money(curve.value_of_stage, currency)} less "
        f"{formats.money(curve.cost, currency)} a lead worked, as far as sales' capacity goes; {curve.what}, 95% "
        "band, that value taken as given, "
        "by account.",
        source=f"{SOURCE}. {_worth(worth, currency)}",
        alt=f"Line with a band of the value {curve.per} by threshold, with the {word} threshold, break-even and the "
        f"capacity of sales marked. {wording.threshold_title(curve, study.scoring, definitions)}.",
        currency=currency,
        value_label=f"Value {curve.per}",
        leads_label=f"Leads {curve.per}",
        so_what="That a lead who is not worked does not get there is an assumption; an experiment would replace it.",
    )
    against = f"Against {word}"
    frame = pd.DataFrame(
        {
            "Threshold": [names[name] for name in curve.named["name"]],
            "Probability": curve.named["threshold"],
            "Passed by marketing": curve.named["passed"],
            "Worked by sales": curve.named["worked"],
            "Get there": curve.named["reached"],
            "Value": curve.named["value"],
            against: curve.named["gain"].where(curve.named["name"] != "agreed"),
            "From": curve.named["gain_lower"].where(curve.named["name"] != "agreed"),
            "To": curve.named["gain_upper"].where(curve.named["name"] != "agreed"),
        }
    )
    money = f"money_short:{currency}"
    kinds = {"Probability": "share", "Passed by marketing": "count", "Worked by sales": "count", "Get there": "count"}
    for name in ("Passed by marketing", "Worked by sales", "Get there"):
        frame[name] = frame[name].round(1)
    return [
        figure(drawn),
        table(
            frame,
            id="tab-threshold",
            title=wording.line_title(curve),
            formats=kinds | {"Value": money} | dict.fromkeys((against, "From", "To"), f"difference {money}"),
            subtitle=f"All {curve.per}, {curve.what}. From and To: 95% interval of the difference in value.",
            source=SOURCE,
        ),
        *([] if gain is None else [_over_present(gain, curve, currency)]),
    ]


def _over_present(gain: tuple[float, float, float], curve: CostCurve, currency: str) -> Block:
    """Show what the score brings over the present rules in money, at the same capacity."""
    value, lower, upper = gain
    money = f"difference money_short:{currency}"
    frame = pd.DataFrame(
        {
            "Compared": ["This score instead of the present rules"],
            "Difference in value": [value],
            "From": [lower],
            "To": [upper],
        }
    )
    return table(
        frame,
        id="tab-gain",
        title=wording.over_present_title(gain),
        formats=dict.fromkeys(("Difference in value", "From", "To"), money),
        subtitle=f"Value {curve.per} of the best leads by either, as many as sales can work; {curve.what}, 95% "
        "interval by account. Who was worked followed the present rules.",
        source=SOURCE,
    )


def _worth(worth: StageValue, currency: str) -> str:
    if worth.value is None or worth.stated:
        return "The value of the stage is stated in the definitions."
    if worth.mean_amount is None or worth.win_share is None:
        return ""
    share = "" if worth.win_share == 1.0 else f"{formats.share(worth.win_share)} of those in the stage are won x "
    return (
        f"The value of the stage: {share}mean won amount {formats.money(worth.mean_amount, currency)} x margin "
        f"{formats.share(worth.margin)}."
    )


def what_bands_promise(found: Bands | NotApplicable) -> list[Block]:
    """Show the bands, what each promises, and whether it was kept."""
    if isinstance(found, NotApplicable):
        return [not_applicable("The bands of the score", found.reason)]
    rows = found.rows.rename(columns={"promised": "predicted", "reason": "note"})
    drawn = charts.bands(
        rows[["band", "share", "rate", "lower", "upper", "predicted", "n", "kept", "note"]],
        id="fig-bands",
        title=wording.bands_title(found),
        subtitle=f"Share of {found.what} in each band, and the rate observed with its 95% interval beside the rate "
        "promised. In line: the interval comes within a point of the promise.",
        source=SOURCE,
        alt=f"Two panels by band: bars of the share of leads, and dots with 95% intervals of the observed rate with "
        f"a tick at the promised rate. {wording.bands_title(found)}.",
    )
    return [figure(drawn)]


def who_fits(found: Grid | NotApplicable) -> list[Block]:
    """Show the grid of fit and engagement."""
    if isinstance(found, NotApplicable):
        return [not_applicable("Fit and engagement", found.reason)]
    rows = found.rows.rename(columns={"fit": "row", "engagement": "column", "reason": "note"})
    shown = rows.dropna(subset=["rate"])
    best = shown["rate"].idxmax() if len(shown) else None
    drawn = charts.grid(
        rows.assign(emphasis=[at == best for at in rows.index])[
            ["row", "column", "rate", "n", "lower", "upper", "note", "emphasis"]
        ],
        id="fig-grid",
        title=wording.grid_title(found),
        subtitle=f"Observed rate of good leads by who they are (A fits best) and what they did (4 did most); "
        f"{found.what}.",
        source=SOURCE,
        alt=f"Grid of fit by engagement, each cell with its observed rate and number of leads. "
        f"{wording.grid_title(found)}.",
        rows=sorted(set(rows["row"])),
        columns=sorted(set(rows["column"])),
        how_to_read="Fit and engagement are the two parts of the score: what it adds for who a lead is, and for what "
        "the lead did. Each is cut into four parts of about equal size.",
    )
    return [figure(drawn)]
