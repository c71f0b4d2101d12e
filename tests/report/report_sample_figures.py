"""The charts and the table of the sample notebooks, with invented numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from smarketing.report import blocks, charts, formats
from smarketing.report.blocks import Block
from smarketing.report.charts import Panel

WEEKS = ["11 Oct", "18 Oct", "25 Oct", "1 Nov", "8 Nov", "15 Nov"]
MONTHS = ["Nov", "Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct"]


def periods(names: list[str], values: list[float], **more: object) -> pd.DataFrame:
    return pd.DataFrame({"period_label": names, "value": values, **more})


def trend_figure(sign: int = 1) -> charts.Chart:
    nan = np.nan
    tilt = [sign * step for step in (-3, -2, -1, 0, 1, 2)]
    slope = [sign * (month - 6) for month in range(12)]
    flow = periods(WEEKS, [450 + 12 * t for t in tilt], target=[480.0] * 6, prior_year=[420 + 3 * t for t in tilt])
    flows = periods(
        MONTHS, [1900 + 30 * s for s in slope], target=[2000.0] * 12, prior_year=[1700 + 9 * s for s in slope]
    )
    quality = periods(WEEKS, [0.42 + 0.01 * t for t in tilt], lower=[0.36 + 0.01 * t for t in tilt],
                      upper=[0.48 + 0.01 * t for t in tilt], target=[0.42] * 6)  # fmt: skip
    qualities = periods(MONTHS, [0.42 + 0.004 * s for s in slope], target=[0.42] * 12)
    closes = periods(MONTHS, [0.067 + 0.001 * s for s in slope[:9]] + [nan] * 3, target=[0.07] * 12)
    change = flow["value"].iloc[-1] - flow["value"].iloc[0]
    title = f"Lead flow {formats.moved_by(change, 'count')} leads a week in six weeks"
    return charts.trend(
        [
            Panel(label="Lead flow", unit="count", weeks=flow, months=flows),
            Panel(label="Lead quality", unit="share", weeks=quality, months=qualities),
            Panel(label="Close rate", unit="share", weeks=None, months=closes),
        ],
        id="fig-trend",
        title=title,
        subtitle="Leads, share that sales accepts, share won within 90 days; to 15 Nov 2026.",
        source="leads, stage_events; weeks end on Sunday.",
        alt=f"Line charts of lead flow, lead quality and close rate by week and month. {title}.",
        how_to_read="Solid is what happened, the short orange bars are the target, dashed is last year.",
        so_what="Weekly lead flow normally moves between 380 and 520, so the last week is not a signal.",
        weeks_label="last 6 weeks, week ending",
        months_label="last 12 months",
    )


def funnel_figure(sign: int = 1) -> charts.Chart:
    nan = np.nan
    steps = pd.DataFrame(
        {
            "stage": ["Leads", "Marketing qualified", "Sales accepted", "Opportunities", "Won"],
            "count": [5835, 3192, 1378, 844, 391],
            "share": [1, 0.547, 0.236, 0.145, 0.067],
            "share_lower": [nan, 0.534, 0.225, 0.136, 0.061],
            "share_upper": [nan, 0.56, 0.247, 0.154, 0.074],
            "step_rate": [nan, 0.547, 0.432, 0.612, 0.463],
            "step_lower": [nan, 0.534, 0.415, 0.586, 0.43],
            "step_upper": [nan, 0.56, 0.449, 0.638, 0.497],
            "step_change": [nan, *(sign * change for change in (0.002, 0.024, 0.007, -0.04))],
        }
    )
    exits = pd.DataFrame(
        {
            "exit": ["Lost", "Rejected", "Recycled", "Still open"],
            "share": [0.31, 0.29, 0.1, 0.233],
            "lower": [0.298, 0.278, 0.092, 0.222],
            "upper": [0.322, 0.302, 0.108, 0.244],
        }
    )
    title = (
        f"The step to sales accepted {formats.moved_by(0.024 * sign)}; the step to won {formats.moved_by(-0.04 * sign)}"
    )
    return charts.funnel(
        steps,
        exits=exits,
        id="fig-funnel",
        title=title,
        subtitle="Leads created in the 12 weeks to 15 Nov 2026 by the stage they reached.",
        source="leads, stage_events; first spell of each lead.",
        alt=f"Bar chart of the five stages of the funnel and four exits, leads of 12 weeks. {title}.",
        change_label="on the 12 weeks before",
    )


def curves_figure() -> charts.Chart:
    ages = np.arange(0, 181, 3)
    parts = []
    for name, level, pace in (("Won", 0.067, 45), ("Lost", 0.31, 25), ("Rejected", 0.29, 8), ("Recycled", 0.1, 30)):
        share = level * (1 - np.exp(-ages / pace))
        parts.append(pd.DataFrame({"line": name, "age": ages, "share": share}))
    return charts.curves(
        pd.concat(parts, ignore_index=True),
        id="fig-curves",
        title="Half of all rejections fall within a week; wins take three months",
        subtitle="Share of leads that left the funnel by each way, by days since they came in.",
        source="stage_events; Aalen-Johansen estimate.",
        alt="Step curves of cumulative incidence of won, lost, rejected and recycled leads over 180 days.",
        horizon=90,
        horizon_label="90 days",
        age_label="Days since the lead came in",
        line_label="Exit",
    )


def intervals_figure() -> charts.Chart:
    nan = np.nan
    rows = pd.DataFrame(
        {
            "label": ["All origins", "Organic search", "Paid search", "Social", "unknown", "(blank)", "Display"],
            "value": [0.105, 0.121, 0.094, 0.056, 0.163, 0.112, nan],
            "lower": [0.098, 0.106, 0.081, 0.044, 0.14, 0.07, nan],
            "upper": [0.112, 0.136, 0.109, 0.071, 0.188, 0.17, nan],
            "n": [8000, 2296, 1586, 1350, 1099, 60, 13],
            "emphasis": [True] + [False] * 6,
            "note": [None] * 6 + ["13 leads, 100 are needed"],
        }
    )
    return charts.intervals(
        rows,
        id="fig-origins",
        title="Social converts least; leads of unknown origin convert most",
        subtitle="Share won within 90 days by origin, with 95% intervals; cohorts whose whole follow-up is observed.",
        source="leads, opportunities.",
        alt="Forest plot of the share won within 90 days by origin of lead with intervals; social is lowest at 5.6%.",
        reference=0.105,
        reference_label="All origins 10.5%",
        label_name="Origin",
        value_label="Share won",
        n_label="Leads",
    )


def bars_figure(sign: int = 1) -> charts.Chart:
    rows = pd.DataFrame(
        {
            "label": ["Price", "No decision", "Competitor: Northwind", "Timing", "Feature gap", "Other"],
            "value": [120, 96, 71, 44, 23, 12],
            "prior": [118, 99, 71 - 19 * sign, 45, 22, 15],
            "change": [2, -3, 19 * sign, -1, 1, -3],
            "emphasis": [False, False, True, False, False, False],
        }
    )
    title = f"Losses to Northwind {formats.moved_by(19 * sign, 'count')} on the period before"
    return charts.bars(
        rows,
        id="fig-losses",
        title=title,
        subtitle="Lost opportunities by reason, 12 weeks to 15 Nov 2026; the upright tick is the 12 weeks before.",
        source="opportunities; reason as recorded at closing.",
        alt=f"Bar chart of lost opportunities by reason, largest is price with 120. {title}.",
        label_name="Reason",
        value_label="Lost",
        prior_label="12 weeks before",
    )


def products_table() -> Block:
    frame = pd.DataFrame(
        {
            "Product": ["GTX Pro", "GTX Basic", "MG Special", "All products"],
            "Won": [151, 173, 67, 391],
            "Win rate by count": [0.492, 0.451, np.nan, 0.463],
            "Win rate by amount": [0.431, 0.467, np.nan, 0.448],
            "Booked": [3_510_578.0, 499_263.0, 43_768.0, 4_053_609.0],
            "Change": [-0.031, 0.012, np.nan, -0.008],
        }
    )
    return blocks.table(
        frame,
        id="tab-products",
        title="GTX Pro wins more often by count than by amount",
        subtitle="Closed deals of the 12 weeks to 15 Nov 2026; rates by count and by amount stand apart.",
        formats={"Won": "count", "Win rate by count": "share", "Win rate by amount": "share", "Booked": "money:USD",
                 "Change": "points"},
        source="opportunities, products.",
        emphasis=[False, False, False, True],
    )  # fmt: skip
