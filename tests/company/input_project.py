"""A folder with one input file and its data, for the tests of inputs."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

from smarketing.company.inputs import check_inputs, open_company

COLUMNS = "columns: {lead_id: id, created_at: day, source: source}"
LEADS = """
id,day,source
1,2024-01-01,web
2,2024-01-02,
3,2024-01-03,unknown
"""
DEALS = """
id,day,closed,amount,state
1,2024-01-01,2024-02-01,10.5,Won
2,2024-01-02,,,Open
"""
DEAL_COLUMNS = "columns: {opportunity_id: id, created_at: day, closed_at: closed, amount: amount, outcome: OUTCOME}"
DEAL_COLUMNS = DEAL_COLUMNS.replace("OUTCOME", "{column: state, values: {Won: won, Lost: lost, Open: open}}")


class Project:
    """A folder with one input file and its data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs = folder / "co.yml"

    def file(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text.lstrip("\n"), encoding="utf-8")

    def say(self, tables: str, head: str = "") -> None:
        where = "" if "data:" in head else "data: {folder: .}\n"
        self.inputs.write_text(f"name: Co\n{where}{dedent(head)}tables:\n{tables}", encoding="utf-8")

    def leads(self, source: str, text: str = LEADS, head: str = "") -> None:
        self.file("leads.csv", text)
        self.say(f"  leads: {{file: leads.csv, {source}}}\n", head)

    def deals(self, text: str = DEALS, columns: str = DEAL_COLUMNS) -> None:
        self.file("deals.csv", text)
        self.say(f"  opportunities: {{file: deals.csv, {columns}}}\n")

    def faults(self) -> list[str]:
        return check_inputs(self.inputs)

    def fault(self) -> str:
        (fault,) = self.faults()
        return fault

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        company = open_company(self.inputs)
        return [tuple(row[c] for c in columns) for row in company.table(table).to_pyarrow().to_pylist()]
