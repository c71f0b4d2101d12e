"""Blocks: what a notebook displays and a report is made of.

A block shows itself in JupyterLab and carries, in its output's metadata, the slot of the page it belongs to, its plain
text, its tables and what the runner records. The exporter puts blocks into their slots, in the order they were shown.

title_block, provenance                  what, for whom, as of when, from what
bottom_line, key_numbers, decisions      the brief: page 1
figure, table, note, not_applicable      the evidence
checks, definitions, methods, glossary, limits   the appendix
record                                   what the ledger keeps; invisible on the page
"""

from __future__ import annotations

from smarketing.report.blocks.appendix import checks, definitions, glossary, limits, methods
from smarketing.report.blocks.block import Block
from smarketing.report.blocks.brief import bottom_line, decisions, key_numbers
from smarketing.report.blocks.evidence import figure, not_applicable, note, table
from smarketing.report.blocks.frame import provenance, record, title_block

__all__ = [
    "Block",
    "bottom_line",
    "checks",
    "decisions",
    "definitions",
    "figure",
    "glossary",
    "key_numbers",
    "limits",
    "methods",
    "not_applicable",
    "note",
    "provenance",
    "record",
    "table",
    "title_block",
]
