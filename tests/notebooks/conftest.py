"""The suite, run once on small demo companies, for every test of its reports, in whichever process they are.

The score needs more leads than the rest, so the whole suite is run on a company of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from small_projects import params_file, project_at, scoring_project_at
from smarketing.run.suite import read_runs, run_all

DAY = "2026-11-15"
PATIENCE = 600.0


@dataclass(frozen=True)
class Suite:
    """A project whose reports are published."""

    project: Path

    @property
    def reports(self) -> Path:
        return self.project / "reports"

    def report(self, notebook: str, case: str = "demo", day: str = DAY) -> Path:
        return self.reports / notebook / case / day


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Make a folder in the first process that asks; others wait for it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    done = folder.with_suffix(".done")
    try:
        folder.mkdir()
    except FileExistsError:
        end = time.monotonic() + PATIENCE
        while not done.exists() and time.monotonic() < end:
            time.sleep(0.2)
    else:
        try:
            make(folder)
        finally:
            done.touch()
    return folder


def run_suite(project: Path, *notebooks: str) -> None:
    """Run `params/suite.yml`, or of it some notebooks only, executed by papermill in kernels as on the terminal."""
    here = Path.cwd()
    os.chdir(project)
    try:
        runs = read_runs([project / "params" / "suite.yml"])
        runs = [run for run in runs if not notebooks or run.plan.notebook in notebooks]
        results = run_all(runs, reports=project / "reports", workers=1, say=lambda _: None)
    finally:
        os.chdir(here)
    assert [result.error for result in results] == [""] * (len(notebooks) or len(runs))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """The reports of the pipeline, on 4,000 leads; the project's suite is just these."""

    def make(folder: Path) -> None:
        project = project_at(folder / "project", leads=4_000)
        names = ("20_pipeline_review", "90_alignment_report")
        listed = "".join(f"  - params/{name}/demo.yml\n" for name in names)
        (project / "params" / "suite.yml").write_text(f"runs:\n{listed}")
        run_suite(project, *names)

    return Suite(made_once(tmp_path_factory, "demo", make) / "project")


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """All of `params/suite.yml` on 6,000 leads, of whom sales can work a third, as in the demo company itself."""

    def make(folder: Path) -> None:
        project = scoring_project_at(folder / "project", leads=6_000, weekly_capacity=18)
        params_file(project, "40_lead_scoring", "demo", draws=60)
        run_suite(project)

    return Suite(made_once(tmp_path_factory, "scored", make) / "project")
