"""The suite, run once on a small demo company, for every test of its reports, in whichever process they are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from small_projects import project_at
from smarketing.run.suite import read_runs, run_all

DAY = "2026-11-15"
PATIENCE = 300.0


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


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """`params/suite.yml` on 4,000 leads, executed by papermill in kernels as on the terminal."""

    def make(folder: Path) -> None:
        project = project_at(folder / "project", leads=4_000)
        here = Path.cwd()
        os.chdir(project)
        try:
            runs = read_runs([project / "params" / "suite.yml"])
            results = run_all(runs, reports=project / "reports", workers=1, say=lambda _: None)
        finally:
            os.chdir(here)
        assert [result.error for result in results] == ["", ""]

    return Suite(made_once(tmp_path_factory, "demo", make) / "project")
