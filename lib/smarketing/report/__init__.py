"""The report floor: words, charts, blocks and the export to one HTML file. It computes nothing.

formats     numbers and words by unit
palette     colours, light and dark
fonts       the typeface, for the page and for matplotlib
charts      trend, funnel, curves, intervals, bars, sparkline
blocks      what a notebook displays
cells       table cells in HTML, CSV and spreadsheets
markdown    prose
layout      slots, sections, numbers of figures
faults      what keeps a page from being published
exporter    executed notebook in, page out
workbook    the tables as xlsx
index_page  the page that lists all reports
"""
