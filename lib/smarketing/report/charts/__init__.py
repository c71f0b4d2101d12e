"""Charts as data: each builder takes frames, draws twice (wide and for a phone) and returns a `Chart`.

trend      six trailing weeks beside twelve months, up to three panels
funnel     left-aligned bars with the step rates between them, and the exits
curves     cumulative incidence by age, labelled at their ends
intervals  dots with intervals (forest plot)
bars       sorted bars, grey except for the story
sparkline  the small line in a key-number tile
"""

from __future__ import annotations

from smarketing.report.charts.bars import bars
from smarketing.report.charts.chart import Chart
from smarketing.report.charts.curves import curves
from smarketing.report.charts.funnel import funnel
from smarketing.report.charts.intervals import intervals
from smarketing.report.charts.sparkline import sparkline
from smarketing.report.charts.trend import Panel, trend

__all__ = ["Chart", "Panel", "bars", "curves", "funnel", "intervals", "sparkline", "trend"]
