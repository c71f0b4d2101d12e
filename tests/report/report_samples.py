"""Notebooks of blocks with invented numbers, as a run would leave them: normal, mirrored, thin, hostile."""

from __future__ import annotations

import nbformat
import numpy as np
import pandas as pd
from nbformat import NotebookNode, v4
from report_sample_figures import (
    bars_figure,
    curves_figure,
    funnel_figure,
    intervals_figure,
    periods,
    products_table,
    trend_figure,
)

from smarketing.measures.results import Check, Finding, KeyFigure
from smarketing.report import blocks, charts, formats
from smarketing.report.blocks import Block
from smarketing.report.charts import Panel

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', '=HYPERLINK("http://evil.example","x")')


def code(*shown: Block) -> NotebookNode:
    """Return an executed code cell that displayed these blocks."""
    cell = v4.new_code_cell("display(...)", execution_count=1)
    for block in shown:
        data, metadata = block._repr_mimebundle_()
        cell.outputs.append(v4.new_output("display_data", data, metadata=metadata))
    return cell


def through_a_file(*cells: NotebookNode) -> NotebookNode:
    """Return the notebook as it comes back from disk (nbformat sorts keys and splits lines)."""
    notebook = v4.new_notebook(cells=list(cells))
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return nbformat.reads(nbformat.writes(notebook), as_version=4)


def key_figure(**changes: object) -> KeyFigure:
    values: dict = {
        "name": "lead_quality",
        "label": "Lead quality",
        "unit": "share",
        "value": 0.432,
        "lower": 0.41,
        "upper": 0.454,
        "interval": "Wilson",
        "n": 3192,
        "n_label": "leads",
        "period": "12 weeks to 15 Nov 2026",
        "higher_is_better": True,
        "maturity": "final",
        "status": "ahead",
        "target": 0.42,
        "prior": 0.408,
        "prior_label": "12 weeks before",
        "change": 0.024,
        "change_lower": 0.001,
        "change_upper": 0.047,
        "series": (0.40, 0.41, 0.402, None, 0.418, 0.415, 0.421, 0.43, 0.425, 0.428, 0.43, 0.429, 0.432),
        "series_label": "13 weeks",
    }
    return KeyFigure(**(values | changes))


def key_figures(sign: int = 1) -> list[KeyFigure]:
    """Return six tiles, one of each status; ``sign`` -1 reverses every change."""
    status = {1: ("ahead", "behind"), -1: ("behind", "ahead")}[sign]
    money = {"unit": "money", "currency": "USD", "n_label": "opportunities", "interval": "bootstrap by account"}
    return [
        key_figure(status=status[0], change=0.024 * sign, change_lower=0.001, change_upper=0.047)
        if sign == 1
        else key_figure(status=status[0], value=0.384, change=-0.024, change_lower=-0.047, change_upper=-0.001),
        key_figure(
            name="lead_flow", label="Lead flow", unit="count", value=5835, lower=5686, upper=5987, n=5835,
            target=6000, prior=5835 + 473 * sign, change=-473 * sign, change_lower=None, change_upper=None,
            status=status[1], series=(6500, 6480, 6460, 6470, 6255, 6262, 6170, 6040, 6030, 6041, 5950, 5930, 5835),
        ),
        key_figure(
            name="close_rate", label="Close rate of mature cohorts", value=0.0671, lower=0.055, upper=0.081, n=391,
            n_label="accounts", target=0.07, prior=0.0701, change=-0.003 * sign, change_lower=-0.02, change_upper=0.014,
            status="too close to call", maturity="provisional",
        ),
        key_figure(
            name="pipeline", label="Pipeline created", value=2_606_800, lower=2_210_000, upper=3_050_000, n=844,
            target=2_600_000, prior=2_487_000, change=119_800 * sign, change_lower=-210_000, change_upper=450_000,
            status="on target", series=(2.2e6, 3.2e6, 3.4e6, 3.5e6, 2.8e6, 2.6e6), series_label="6 weeks", **money,
        ),
        key_figure(
            name="days_to_win", label="Days to win, median", unit="days", value=57, lower=51, upper=64, n=391,
            n_label="won deals", target=None, prior=61, change=-4 * sign, change_lower=-11, change_upper=3,
            higher_is_better=False, status="no target", series=(61, 60, 58, 59, 57),
        ),
        key_figure(
            name="win_rate_apac", label="Win rate, Asia Pacific", value=None, lower=None, upper=None, n=12,
            n_label="accounts", status="withheld", target=0.2, prior=None, change=None, change_lower=None,
            change_upper=None, series=(), reason="12 accounts, at least 30 are needed",
        ),
    ]  # fmt: skip


def findings(sign: int = 1) -> list[Finding]:
    moved = formats.up_or_down(0.024 * sign)
    return [
        Finding(theme="quality", claim=f"Lead quality is {moved}.", basis="3,192 leads, by account",
                detail="Sales accepts 43.2% of what marketing qualifies; the target is 42.0%.", evidence="fig-trend"),
        Finding(theme="funnel", claim=f"The last step {formats.moved(-0.04 * sign)}.", basis="844 opportunities",
                detail="46.3% of opportunities are won; the step is slower in every region.", evidence="fig-funnel"),
        Finding(theme="origins", claim="Origins differ by a factor of three.", basis="cohorts with whole follow-up",
                detail="5.6% of social leads are won, 16.3% of leads of unknown origin.", evidence="fig-origins"),
        Finding(theme="losses", claim=f"Losses to Northwind {formats.moved(19 * sign, 'count')}.", basis="366 deals",
                detail="71 against 52 in the period before.", evidence="tab-products"),
    ]  # fmt: skip


CHECKS = [
    Check(code="DR01", question="Are lead ids unique?", outcome="passed", detail="30,809 rows"),
    Check(code="DR02", question="Is nothing dated later?", outcome="passed", detail="latest 15 Nov 2026"),
    Check(code="DR03", question="Do stages come in order?", outcome="passed", detail="0 leads go backwards"),
    Check(code="DR04", question="Does every deal have an account?", outcome="warning", detail="1,425 deals have none",
          remedy="Map accounts by domain, or accept that these deals count as one account each."),
    Check(code="DR05", question="Do targets cover the scope?", outcome="passed", detail="all 12 weeks", error=True),
    Check(code="DR06", question="Do touches come first?", outcome="not applicable", detail="no touches are mapped"),
]  # fmt: skip


def appendix(sign: int = 1) -> list[Block]:
    return [
        blocks.checks(CHECKS),
        blocks.definitions(
            [
                (
                    "Marketing qualified",
                    "A lead whose company fits and who asked for contact.",
                    "agreed",
                    "A. Kim, B. Osei",
                ),
                ("Sales accepted", "A qualified lead that a person in sales took on.", "agreed", "A. Kim, B. Osei"),
                ("Opportunity", "A deal with an amount and an expected close date.", "proposed", "B. Osei"),
                ("Mature cohort", "Leads whose whole 90 days were observed.", "assumed", ""),
                ("Close rate", "Share of leads won within 90 days.", "agreed", "A. Kim, B. Osei"),
            ]
        ),
        blocks.methods(
            [
                ("Rates", "Wilson intervals; differences by Newcombe's hybrid score interval."),
                (
                    "Accounts",
                    "Leads of one account are not independent: intervals use the effective number of accounts.",
                ),
                ("Exits", "Cumulative incidence with competing exits, Aalen and Johansen 1978."),
                ("Time to win", "Quantiles of the cumulative incidence, still-open leads censored."),
            ]
        ),
        blocks.glossary(
            [
                ("Cohort", "All leads that came in during the same period."),
                ("Interval", "The range in which the true value plausibly lies, given this much data."),
                ("Competing exits", "A lead can leave in several ways, and leaving one way rules out the others."),
            ]
        ),
        blocks.limits(
            [
                "Recent leads may still convert: the newest cohorts are marked provisional.",
                "Origin is the first one recorded; a channel that assists is undervalued here.",
                "A difference between groups is not a cause.",
            ]
        ),
        blocks.record(key_figures(sign), findings(sign), f"Lead quality is {formats.up_or_down(0.024 * sign)}."),
    ]


DECISIONS = [
    {"what": "Route unknown-origin leads to the fast lane", "owner": "A. Kim", "by": "2026-11-30", "state": "open",
     "meeting": "2026-11-16"},
    {"what": "Ask every rejected lead for a reason", "owner": "B. Osei", "by": "2026-11-23", "state": "done",
     "meeting": "2026-11-02"},
    {"what": "Review the definition of opportunity", "owner": "A. Kim, B. Osei", "by": None, "state": "open",
     "meeting": "2026-11-16"},
]  # fmt: skip


def runner_blocks() -> list[Block]:
    """Return what only the runner knows."""
    return [
        blocks.title_block([], run_id="20261115-7d3e37e9"),
        blocks.provenance(
            [
                ("Code", "404a2e4b88e8, not modified"),
                ("Notebook", "0c8cf05ef6f9e7a8 (SHA-256)"),
                ("leads.parquet", "dc8573fbc8a39bc8dc8573fbc8a39bc8dc8573fbc8a39bc8dc8573fbc8a39bc8, 30,809 rows"),
                ("Parameters", "as_of: 2026-11-15; scope: all; weeks: 12"),
                ("Software", "python 3.11.7, pandas 3.1.1, numpy 2.4.6, matplotlib 3.11.2"),
            ]
        ),
    ]


def pipeline_notebook(sign: int = 1) -> NotebookNode:
    """Return a full report; ``sign`` -1 reverses every direction in it."""
    lead = (
        f"Lead quality {formats.moved_by(0.024 * sign)} to {'43.2%' if sign == 1 else '38.4%'}, against a target of "
        f"42.0%, while the share of opportunities won {formats.moved_by(-0.04 * sign)}."
    )
    return through_a_file(
        v4.new_markdown_cell(
            "# Where does the one pipeline stand?\n\nWhat moved, what is lost where, and what to decide."
            "\n\nIt describes stages, not people."
        ),
        v4.new_markdown_cell("## Plan and load\n\nThe parameters become a plan."),
        code(blocks.title_block([("Data as of", "15 Nov 2026"), ("For", "The meeting"), ("Scope", "All regions")])),
        v4.new_markdown_cell("## Where we stand\n\nSix weeks beside twelve months, on the same measures."),
        code(blocks.figure(trend_figure(sign))),
        v4.new_markdown_cell("## How leads move through the funnel\n\nEach stage, and what became of everybody else."),
        code(blocks.figure(funnel_figure(sign)), blocks.figure(curves_figure())),
        v4.new_markdown_cell("## Where wins come from\n\nSee also [](#fig-funnel)."),
        code(blocks.figure(intervals_figure()), blocks.note("Origins differ in kind, too.", heading="Use with care.")),
        v4.new_markdown_cell("## Why deals are lost"),
        code(blocks.figure(bars_figure(sign)), products_table(),
             blocks.not_applicable("Competitors by region", "no region is mapped for deals.")),
        v4.new_markdown_cell("## What would change our mind\n\nTwo more cohorts at the old rate."),
        v4.new_markdown_cell("## Record\n\nWhat the ledger keeps."),
        code(blocks.bottom_line(lead, findings(sign)), blocks.key_numbers(key_figures(sign)),
             blocks.decisions(DECISIONS, "Taken in the pipeline meeting."), *appendix(sign)),
    )  # fmt: skip


def long_brief_notebook() -> NotebookNode:
    """Return a report whose brief is as long as one may be: nine tiles, six findings, six decisions."""
    return through_a_file(
        v4.new_markdown_cell("# Where does the one pipeline stand?\n\nWhat to decide."),
        v4.new_markdown_cell("## Evidence"),
        code(blocks.figure(trend_figure()), blocks.figure(funnel_figure()), products_table(),
             blocks.figure(intervals_figure())),
        code(blocks.title_block([("Data as of", "15 Nov 2026")]),
             blocks.bottom_line("Lead quality rose by 2.4 points; the target is 42.0%. " * 2, (findings() * 2)[:6]),
             blocks.key_numbers((key_figures() * 2)[:9]), blocks.decisions(DECISIONS * 2, "Taken in the meeting.")),
    )  # fmt: skip


def thin_notebook() -> NotebookNode:
    """Return a report with almost nothing to show: everything withheld, nothing decided, no figure."""
    withheld = key_figures()[-1]
    return through_a_file(
        v4.new_markdown_cell("# Where does the one pipeline stand?"),
        code(blocks.title_block([("Data as of", "15 Nov 2026")])),
        v4.new_markdown_cell("## Funnel"),
        code(blocks.not_applicable("The funnel", "no stage_events table is mapped.")),
        code(blocks.bottom_line("There is too little evidence for any number yet."),
             blocks.key_numbers([withheld, withheld, withheld]), blocks.decisions([]), blocks.checks([])),
    )  # fmt: skip


def hostile_notebook() -> NotebookNode:
    """Return a report whose every data position holds markup or a formula."""
    script, image, formula = HOSTILE
    every = " ".join(HOSTILE)
    alt = "A chart of hostile words in all places that data can reach, " + every
    words = {"title": f"Title {every}", "subtitle": f"Sub {every}", "source": f"Source {every}", "alt": alt}
    groups = pd.DataFrame({"label": [script, image, formula], "value": [3, 2, 1], "note": [script, image, formula]})
    rows = pd.DataFrame({"label": list(HOSTILE), "value": [0.1, 0.2, np.nan], "lower": [0.0, 0.1, np.nan],
                         "upper": [0.2, 0.3, np.nan], "note": list(HOSTILE)})  # fmt: skip
    figure = key_figure(label=image, period=script, n_label=formula, prior_label=image, series_label=script)
    withheld = key_figure(label=formula, value=None, status="withheld", reason=script)
    finding = Finding(theme="t", claim=script, detail=image, basis=formula, evidence="fig-bars")
    steps = pd.DataFrame({"stage": [script, image], "count": [2, 1], "share": [1.0, 0.5], "step_rate": [np.nan, 0.5]})
    exits = pd.DataFrame({"exit": [formula], "share": [0.5]})
    lines = pd.DataFrame({"line": [script, script, image, image], "age": [0, 9, 0, 9], "share": [0, 0.5, 0, 0.2]})
    week = periods([script, image, formula], [1.0, 2.0, 3.0], prior_year=[1.0, 1.0, 1.0])
    gain = pd.DataFrame({"line": [script, script, image, image], "called": [0, 1, 0, 1], "captured": [0, 1, 0, 0.5]})
    bins = pd.DataFrame(
        {"predicted": [0.2, 0.3], "observed": [0.1, np.nan], "lower": 0.0, "upper": 0.2, "note": script}
    )
    points = pd.DataFrame({"threshold": [0.0, 1.0], "value": [1.0, 2.0]})
    marks = pd.DataFrame({"label": [script, image], "threshold": [0.3, 0.6]})
    held = pd.DataFrame({"band": [script, image], "share": 0.5, "rate": [0.1, np.nan], "lower": 0.0, "upper": 0.2,
                         "predicted": 0.1, "note": formula})  # fmt: skip
    cells = pd.DataFrame({"row": [script, image], "column": formula, "rate": [0.1, np.nan], "n": 9})
    table = pd.DataFrame({script: [formula, "+1", "-cmd", "@sum", "\tx", "\rx"], "Number": [-1.5, 2, 3, 4, 5, 6]})
    check = Check(code=script, question=image, outcome="warning", detail=formula, remedy=script)
    return through_a_file(
        v4.new_markdown_cell(f"# Title {script} {image}\n\nDek {image}"),
        v4.new_markdown_cell(f"## Section {script}\n\n{image} {formula}"),
        code(
            blocks.title_block([("Data as of", script), (image, formula)], run_id=image),
            blocks.bottom_line(every, [finding]),
            blocks.key_numbers([figure, withheld]),
            blocks.decisions([{"what": script, "owner": image, "by": formula, "state": script, "meeting": "x"}], image),
            blocks.figure(charts.bars(groups, id="fig-bars", label_name=script, value_label=image, **words)),
            blocks.figure(charts.intervals(rows, id="fig-intervals", reference=0.1, reference_label=image, **words)),
            blocks.figure(charts.funnel(steps, exits=exits, id="fig-steps", change_label=script, **words)),
            blocks.figure(charts.curves(lines, id="fig-lines", horizon=5, horizon_label=image, **words)),
            blocks.figure(
                charts.trend(
                    [Panel(label=script, unit="count", weeks=week, months=None)],
                    id="fig-weeks", weeks_label=image, prior_year_label=formula, **words,
                )
            ),
            blocks.figure(charts.gains(gain, id="fig-gain", cut_off=0.2, cut_off_label=image, **words)),
            blocks.figure(charts.calibration(bins, id="fig-bins", top_label=script, **words)),
            blocks.figure(charts.cost_curve(points, id="fig-cost", marks=marks, leads_label=image, **words)),
            blocks.figure(charts.bands(held, id="fig-held", band_label=script, predicted_label=image, **words)),
            blocks.figure(charts.grid(cells, id="fig-cells", row_label=image, column_label=script, **words)),
            blocks.figure(charts.reasons(groups, id="fig-reasons", label_name=script, **words)),
            blocks.table(table, id="tab-hostile", title=script, subtitle=image, source=formula),
            blocks.note(script, heading=image),
            blocks.not_applicable(script, image),
            blocks.checks([check]),
            blocks.definitions([(script, image, formula, script)]),
            blocks.methods([(script, image)]),
            blocks.glossary([(image, formula)]),
            blocks.limits([script, image]),
            blocks.provenance([(script, image), ("x", formula)]),
            blocks.record([figure], [finding], every),
        ),
    )  # fmt: skip
