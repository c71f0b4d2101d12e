"""Charts of a lead score with invented numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import report_samples
from nbformat import NotebookNode, v4

from smarketing.report import blocks, charts
from smarketing.report.charts import Chart

nan = np.nan
SHARES = np.linspace(0, 1, 101)
THRESHOLDS = np.linspace(0.02, 0.6, 59)


def words(title: str, subtitle: str, alt: str) -> dict[str, Any]:
    return {"title": title, "subtitle": subtitle, "source": "leads.csv, activities.csv; to 15 Nov 2026.", "alt": alt}


def gain_lines() -> pd.DataFrame:
    parts = []
    for name, power, told in (("Lead score", 4.0, True), ("Present rules", 1.8, False), ("Newest first", 1.1, False)):
        captured = 1 - (1 - SHARES) ** power
        part = pd.DataFrame({"line": name, "called": SHARES, "captured": captured, "emphasis": told})
        spread = 0.08 * SHARES * (1 - SHARES) * 4
        part["lower"], part["upper"] = (captured - spread, np.minimum(captured + spread, 1.0)) if told else (nan, nan)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def gains_figure(**options: Any) -> Chart:
    said = words(
        "Calling the best 20% of leads reaches 59% of the opportunities, against 33% by today's rules",
        "Share of opportunities captured by leads called, best first; test period Jun to Aug 2026, band 95%.",
        "Line chart of cumulative gain: calling the best 20% of leads captures 59% of opportunities.",
    )
    named = {"cut_off": 0.2, "cut_off_label": "Capacity, 20% of leads: 59% of opportunities"}
    return charts.gains(gain_lines(), id="fig-gains", **said, **(named | options))


def qini_figure() -> Chart:
    end = 0.0078 * SHARES
    shape = 0.006 * np.sin(np.pi * SHARES) * (1 - 0.2 * SHARES)
    dip = -0.002 * np.sin(2 * np.pi * SHARES)
    story = pd.DataFrame({"line": "Worth contacting", "called": SHARES, "captured": end + shape, "emphasis": True})
    story["lower"], story["upper"] = end + shape - 0.003 * np.sqrt(SHARES), end + shape + 0.003 * np.sqrt(SHARES)
    other = pd.DataFrame({"line": "Likely to buy", "called": SHARES, "captured": end + 2 * dip, "emphasis": False})
    said = words(
        "Mailing by who is moved gains more than by who is likely to buy",
        "Additional purchases per customer by share mailed, test period, band 95%.",
        "Qini curve: incremental purchases by share mailed; mailing by uplift stays above random targeting.",
    )
    return charts.gains(
        pd.concat([story, other], ignore_index=True), id="fig-qini", **said,
        called_label="Share of customers mailed", captured_label="Additional purchases per customer",
        straight_label="Mailed at random", cut_off=0.4, cut_off_label="Budget: 40% of customers",
    )  # fmt: skip


def calibration_figure() -> Chart:
    predicted = np.array([0.004, 0.009, 0.013, 0.02, 0.03, 0.042, 0.06, 0.09, 0.15, 0.37])
    observed = np.array([0.005, 0.007, 0.015, 0.018, 0.034, 0.04, 0.07, 0.1, 0.14, 0.297])
    spread = 1.96 * np.sqrt(observed * (1 - observed) / 320)
    bins = pd.DataFrame({"predicted": predicted, "observed": observed, "lower": np.maximum(observed - spread, 0),
                         "upper": observed + spread, "n": 320})  # fmt: skip
    said = words(
        "The highest-scored tenth becomes an opportunity 30% of the time, not the 37% predicted",
        "Observed rate by tenth of predicted probability; test period Jun to Aug 2026, 95% intervals.",
        "Calibration chart: observed against predicted rate by tenths; the top tenth is over-promised.",
    )
    return charts.calibration(bins, id="fig-calibration", **said, top_label="Top tenth: predicted 37%, came 30%")


def cost_points(scale: float = 1.0) -> pd.DataFrame:
    leads = 900 * np.exp(-7 * THRESHOLDS)
    value = scale * (9_000 * np.exp(-(((THRESHOLDS - 0.2) / 0.14) ** 2)) * 1.6 - 40 * np.maximum(leads - 350, 0) / 2)
    return pd.DataFrame({"threshold": THRESHOLDS, "value": value, "lower": value - abs(scale) * 1_500,
                         "upper": value + abs(scale) * 1_500, "leads": leads})  # fmt: skip


def cost_marks(agreed: float = 0.3, best: float = 0.2, capacity: float = 0.14) -> pd.DataFrame:
    return pd.DataFrame({"label": ["Agreed", "Best", "Capacity limit"], "threshold": [agreed, best, capacity],
                         "emphasis": [True, False, False]})  # fmt: skip


def cost_figure(**options: Any) -> Chart:
    said = words(
        "The agreed threshold of 30% leaves $5,700 a week on the table against 20%",
        "Expected value a week after the cost of working the leads, by threshold; band 95%.",
        "Line chart of expected weekly value by threshold: highest at 20%, the agreed 30% is worth less.",
    )
    given = {"points": cost_points(), "marks": cost_marks(), "currency": "USD"} | options
    return charts.cost_curve(given.pop("points"), id="fig-cost", **said, **given)


def band_rows() -> pd.DataFrame:
    return pd.DataFrame({
        "band": ["A", "B", "C", "D"], "share": [0.1, 0.2, 0.3, 0.4], "rate": [0.297, 0.129, 0.031, nan],
        "lower": [0.26, 0.11, 0.022, nan], "upper": [0.335, 0.15, 0.043, nan],
        "predicted": [0.37, 0.131, 0.02, 0.008], "n": [1_934, 3_868, 5_802, 12],
        "kept": [False, True, False, None], "note": [None, None, None, "12 leads, 30 needed"],
    })  # fmt: skip


def bands_figure() -> Chart:
    said = words(
        "Band B keeps its promise; A holds 30 opportunities in 100 leads, not the 37 promised",
        "Leads of the test period by band, and the share that became opportunities within 60 days.",
        "Two bar and dot panels: share of leads by score band, and observed against predicted rate.",
    )
    return charts.bands(band_rows(), id="fig-bands", **said)


def grid_cells() -> pd.DataFrame:
    rows, columns = ["A: best fit", "B", "C", "D: least fit"], ["1: most engaged", "2", "3", "4: least engaged"]
    cells = [
        {
            "row": row,
            "column": column,
            "rate": 0.42 * 0.62**down * 0.55**across,
            "n": 90 * (down + 1) * (across + 1) ** 2,
        }
        for down, row in enumerate(rows)
        for across, column in enumerate(columns)
    ]
    frame = pd.DataFrame(cells)
    frame.loc[12, ["rate", "n"]] = [nan, 7]
    frame["emphasis"] = [place == 1 for place in range(16)]
    return frame.drop(index=8)


def grid_figure() -> Chart:
    said = words(
        "Well-fitting leads with little engagement beat engaged leads that do not fit",
        "Share of leads that became opportunities within 60 days, by fit and engagement at creation.",
        "Grid of fit by engagement with the observed rate in each cell: highest at best fit, most engaged.",
    )
    return charts.grid(grid_cells(), id="fig-grid", limits=(0.05, 0.15, 0.3), **said)


def importance_figure() -> Chart:
    rows = pd.DataFrame({
        "label": ["Visits to the price page in the last 14 days", "Industry", "Employees", "Source of the lead",
                  "Days since the last touch", "Country"],
        "value": [0.81, 0.44, 0.39, 0.2, 0.08, 0.0], "lower": [0.7, 0.35, 0.33, 0.12, 0.02, 0.0],
        "upper": [0.92, 0.53, 0.46, 0.29, 0.15, 0.04],
    })  # fmt: skip
    said = words(
        "The score leans on visits to the price page, twice as much as on anything else",
        "Mean size of each feature's contribution to the log-odds, leads of the test period, 95% intervals.",
        "Bar chart of mean absolute contributions: visits to the price page lead with 0.81.",
    )
    return charts.reasons(rows, id="fig-importance", signed=False, label_name="Feature", **said)


def lead_figure() -> Chart:
    rows = pd.DataFrame({
        "label": ["9 visits to the price page in 14 days", "Industry: software", "Source: list purchase",
                  "Country not known"],
        "value": [1.2, 0.5, -0.74, -0.1],
    })  # fmt: skip
    said = words(
        "Lead 0042 scores 34%: many visits, but from a bought list",
        "Contribution to the log-odds against the average lead.",
        "Diverging bar chart of the reasons of one lead: visits speak for it, the list purchase against it.",
    )
    return charts.reasons(rows, id="fig-lead", **said)


FIGURES = {
    "gains": gains_figure, "qini": qini_figure, "calibration": calibration_figure, "cost curve": cost_figure,
    "bands": bands_figure, "grid": grid_figure, "importance": importance_figure, "lead": lead_figure,
}  # fmt: skip


def notebook() -> NotebookNode:
    """Return an executed report of these charts."""
    return report_samples.through_a_file(
        v4.new_markdown_cell("# Is the lead score to be trusted?"),
        report_samples.code(blocks.title_block([("Data as of", "15 Nov 2026")])),
        v4.new_markdown_cell("## The score"),
        report_samples.code(*[blocks.figure(build()) for build in FIGURES.values()]),
        report_samples.code(blocks.bottom_line("The score ranks well and promises too much."), blocks.decisions([]),
                            blocks.key_numbers(report_samples.key_figures()[:3]), blocks.checks([])),
    )  # fmt: skip
