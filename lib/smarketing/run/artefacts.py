"""Files that a notebook leaves beside its report: a model, scored leads, a table that other notebooks read.

The runner gives a notebook a folder of its own, which is published together with the report, all or nothing. A
notebook that is run by hand writes drafts, which nobody else reads.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from smarketing.run.plan import Plan, project

RUN_FOLDER = "SMARKETING_RUN_FOLDER"
"""The environment variable by which the runner tells a notebook's kernel where its files go."""

DRAFTS = Path("reports") / "drafts"


def folder_of(plan: Plan) -> Path:
    """Return the folder for a plan's files, made if need be."""
    given = os.environ.get(RUN_FOLDER)
    folder = Path(given) if given else project() / DRAFTS / plan.notebook / plan.case
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def published(reports: Path, notebook: str, case: str, name: str, *, until: date) -> Path | None:
    """Return the file (or folder) of this name in a notebook's latest published report of a case, or None.

    Only reports made for ``until`` or an earlier day count.
    """
    found = all_published(reports, notebook, case, name, until=until)
    return found[-1] if found else None


def all_published(reports: Path, notebook: str, case: str, name: str, *, until: date) -> list[Path]:
    """Return the files of this name in a notebook's published reports of a case, by their day, as `published` does."""
    days = []
    for path in (reports / notebook / case).glob(f"*/{name}"):
        try:
            days.append((date.fromisoformat(path.parent.name), path))
        except ValueError:  # the folder of a failed run
            continue
    return [path for day, path in sorted(days) if day <= until]
