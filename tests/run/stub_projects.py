"""A project whose notebook computes nothing, so that what the runner does around it is quick to test."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat

from small_projects import project_at

PARAMETERS = """case: str = "demo"  # as in the real one
as_of: str = "2026-11-15"
definitions: str = "params/definitions.yml"
decisions: str = "params/decisions.yml"
inputs: str = "params/inputs/demo.yml"
data: str = None
targets: str = "params/targets.yml"
region: str = None
source: str = None  # the bottom line
owner: str = None
segment: str = None
breakdown: str = "source"  # what goes wrong: raise, print, end
redact: bool = False"""
SHOWS = """import os

from smarketing.report import blocks
from smarketing.run import plans, provenance

plan = plans.PipelineReview.from_cell(globals())
origin = provenance.provenance(plan, plan.as_of, plan.agreed(), [])
lead = plan.source or "All is well."
display(blocks.title_block([("Data as of", "15 Nov 2026")], run_id=origin.run_id), blocks.bottom_line(lead))
display(blocks.provenance(origin.pairs), blocks.record((), (), lead))"""
FAILS = """from smarketing.run.artefacts import folder_of

(folder_of(plan) / "scores.txt").write_text("1,2,3")
if breakdown == "raise":
    raise ValueError("the third cell failed")
if breakdown == "print":
    print("a note to myself")
if breakdown == "end":
    os._exit(3)"""


def stub_project(folder: Path) -> Path:
    """Lay out a project whose pipeline review says its ``source`` and fails as its ``breakdown`` asks."""
    project = project_at(folder)
    cells = [nbformat.v4.new_markdown_cell("# Does the runner run?\n\nFor its tests.")]
    cells += [nbformat.v4.new_code_cell(source) for source in (PARAMETERS, SHOWS, FAILS)]
    cells[1].metadata["tags"] = ["parameters"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, project / "notebooks" / "20_pipeline_review.ipynb")
    shutil.rmtree(project / "params" / "90_alignment_report")
    return project
