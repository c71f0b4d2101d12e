"""How a report gets into place: whole or not at all, and never without what the ledger says of it.

A run is written beside the reports and moved into place inside the ledger's transaction. What stood there is kept aside
until the transaction is committed, so that neither an error nor the end of the process loses a published report.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smarketing.report.exporter import Exported
from smarketing.report.index_page import IndexRow, index_page
from smarketing.report.workbook import workbook
from smarketing.run.ledger import Ledger, Recorded
from smarketing.run.plans import PlanError, project

RECORD = "figures.json"


def write(folder: Path, exported: Exported, recorded: Recorded) -> None:
    """Write the files that stand beside the executed notebook."""
    (folder / "report.html").write_text(exported.html, encoding="utf-8")
    (folder / "summary.txt").write_text(exported.summary_text, encoding="utf-8")
    (folder / RECORD).write_text(recorded.to_json(), encoding="utf-8")
    (folder / "tables.xlsx").write_bytes(workbook(exported.tables))


@contextmanager
def placed(staged: Path, target: Path) -> Iterator[None]:
    """Put a folder in place of another; if what is done meanwhile fails, everything is back where it was."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    if target.exists():
        target.rename(aside)
    try:
        staged.rename(target)
        yield
    except BaseException:
        if not staged.exists() and target.exists():
            target.rename(staged)
        if aside.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def mend(reports: Path) -> None:
    """Finish what a killed run left behind: a report that it had moved aside returns, unless its successor counts."""
    ledger = Ledger(reports)
    if not any(reports.glob("*/*/.*-*")):
        return
    with ledger.alone():
        for aside in sorted(reports.glob("*/*/.*-*")):
            target = aside.with_name(aside.name[1:].rpartition("-")[0])
            record = target / RECORD
            if record.exists() and not ledger.holds(Recorded.from_json(record.read_text(encoding="utf-8"))):
                shutil.rmtree(target)
            if target.exists():
                shutil.rmtree(aside, ignore_errors=True)
            else:
                aside.rename(target)


def publish_index(reports: Path) -> Path:
    """Write ``reports/index.html`` from the ledger: all cases, latest, headline, state."""
    rows = []
    for state in Ledger(reports).states():
        link = f"{state.notebook}/{state.case}/{state.as_of}/report.html" if state.as_of else ""
        failed = "failed, last good report kept" if link else "failed, no report yet"
        rows.append(
            IndexRow(
                question=state.title or _question(state.notebook),
                case=state.case,
                as_of=state.as_of.isoformat() if state.as_of else "",
                headline=state.headline,
                state="ok" if state.state == "ok" else failed,  # type: ignore[arg-type]
                link=link,
                detail=state.error.strip().splitlines()[-1].removeprefix("- ") if state.error.strip() else "",
            )
        )
    page = reports / "index.html"
    draft = page.with_name(f".{uuid.uuid4().hex}.html")
    reports.mkdir(parents=True, exist_ok=True)
    draft.write_text(index_page(rows), encoding="utf-8")
    draft.replace(page)
    return page


def _question(notebook: str) -> str:
    """Return the title of a notebook that never published, from the notebook itself; its name where it is gone."""
    try:
        cells = json.loads((project() / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
        prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        return next(line.removeprefix("# ") for text in prose for line in text.splitlines() if line.startswith("# "))
    except (PlanError, OSError, ValueError, KeyError, StopIteration):
        return notebook
