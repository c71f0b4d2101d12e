"""From an executed notebook to one self-contained HTML file, and what goes beside it.

nbconvert turns the notebook into the page with our own template: ``TemplateExporter.from_notebook_node`` directly,
because ``HTMLExporter`` sends the page through a parser that lower-cases SVG names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from nbconvert.exporters import TemplateExporter
from nbformat import NotebookNode

from smarketing.report import faults as fitness
from smarketing.report.blocks import Block
from smarketing.report.cells import Table
from smarketing.report.faults import NotFitToPublish
from smarketing.report.layout import Page, fill_references, lay_out


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A report that is fit to publish.

    ``html`` is the page, ``summary_text`` the body of an e-mail, ``payload`` the machine-readable record (title,
    headline, figures, findings, checks as dictionaries), ``tables`` what the workbook gets.
    """

    html: str
    summary_text: str
    payload: dict[str, Any]
    tables: tuple[Table, ...]


def export(
    notebook: NotebookNode, *, kicker: str, confidentiality: str = "Confidential", blocks: Sequence[Block] = ()
) -> Exported:
    """Return the report of an executed notebook.

    Parameters
    ----------
    notebook
        Executed notebook. It is not changed.
    kicker
        Line above the title: the company, or the team that publishes.
    confidentiality
        Printed at the foot of every page.
    blocks
        Blocks the notebook could not know, such as a title block with the run id and the provenance.

    Raises
    ------
    NotFitToPublish
        With everything that is wrong, see `smarketing.report.faults.faults`.
    """
    page = lay_out(notebook, kicker=kicker, confidentiality=confidentiality, blocks=blocks)
    html = _render(notebook, page)
    found = fitness.faults(notebook, html, blocks)
    if found:
        raise NotFitToPublish(found)
    return Exported(
        html=html,
        summary_text=_summary_text(page),
        payload=_payload(page),
        tables=tuple(table for block in page.blocks for table in block.tables),
    )


def _render(notebook: NotebookNode, page: Page) -> str:
    folder = files("smarketing.report") / "templates"
    template = (folder / "report.html.j2").read_text(encoding="utf-8")
    exporter = TemplateExporter(raw_template=template, template_paths=[], exclude_input=True)
    html, _ = exporter.from_notebook_node(notebook, resources={"page": page})
    return fill_references(str(html), page.numbers)


def _payload(page: Page) -> dict[str, Any]:
    records = [block.payload for block in page.blocks if block.kind == "record"]
    leads = [block.payload["lead"] for block in page.blocks if block.kind == "bottom line"]
    summaries = [record["summary"] for record in records if record["summary"]]
    return {
        "title": page.title,
        "headline": (summaries or leads)[0],
        "figures": [figure for record in records for figure in record["figures"]],
        "findings": [finding for record in records for finding in record["findings"]],
        "checks": [check for block in page.blocks if block.kind == "checks" for check in block.payload["checks"]],
    }


def _summary_text(page: Page) -> str:
    facts = "\n".join(f"{label}: {getattr(value, 'striptags', lambda v=value: v)()}" for label, value in page.facts)
    parts = [f"{page.title}\n{'=' * len(page.title)}", facts]
    for slot, heading in (("bottom-line", ""), ("key-numbers", "Key numbers"), ("decisions", "Decisions")):
        for block in page.blocks:
            if block.slot == slot:
                parts.append(f"{heading}\n{'-' * len(heading)}\n{block.text}" if heading else block.text)
    return "\n\n".join(part for part in parts if part) + "\n"
