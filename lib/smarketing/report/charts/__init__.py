"""Charts as data: each builder takes frames, draws twice (wide and for a phone) and returns a `Chart`.

trend        six trailing weeks beside twelve months, up to three panels
funnel       left-aligned bars with the step rates between them, and the exits
curves       cumulative incidence by age, labelled at their ends
intervals    dots with intervals (forest plot)
bars         sorted bars, grey except for the story
sparkline    the small line in a key-number tile

Of a lead score:

gains        what is captured by calling the first part of the leads; also the Qini curve
calibration  predicted against observed, by bins
cost_curve   what a threshold is worth a week, with the agreed one, the best one and the capacity marked
bands        how many leads each band holds, and whether its promise was kept
grid         fit against engagement, a rate a cell
reasons      what the score leans on, or what speaks for and against one lead
"""

from __future__ import annotations

from smarketing.report.charts.bands import bands
from smarketing.report.charts.bars import bars
from smarketing.report.charts.calibration import calibration
from smarketing.report.charts.chart import Chart
from smarketing.report.charts.cost_curve import cost_curve
from smarketing.report.charts.curves import curves
from smarketing.report.charts.funnel import funnel
from smarketing.report.charts.gains import gains
from smarketing.report.charts.grid import grid
from smarketing.report.charts.intervals import intervals
from smarketing.report.charts.reasons import reasons
from smarketing.report.charts.sparkline import sparkline
from smarketing.report.charts.trend import Panel, trend

__all__ = [
    "Chart",
    "Panel",
    "bands",
    "bars",
    "calibration",
    "cost_curve",
    "curves",
    "funnel",
    "gains",
    "grid",
    "intervals",
    "reasons",
    "sparkline",
    "trend",
]
