"""Project folders small enough for a test, and notebooks executed in the test's own process."""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
import yaml

from smarketing.company.tables import SCHEMAS
from smarketing.run import suite
from smarketing.run.suite import RunResult
from tests_root import ROOT


def project_at(folder: Path, *, leads: int = 3_000, seed: int = 7) -> Path:
    """Lay out a project: the notebooks and params files as they are, and a demo company of ``leads`` in its inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "params", folder / "params")
    (folder / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder / "notebooks")
    inputs = folder / "params" / "inputs" / "demo.yml"
    content = yaml.safe_load(inputs.read_text())
    content["demo"] |= {"leads": leads, "seed": seed}
    inputs.write_text(yaml.safe_dump(content))
    return folder


def scoring_project_at(folder: Path, *, leads: int, weekly_capacity: int) -> Path:
    """Lay out a project whose sales team is as small as its company."""
    project = project_at(folder, leads=leads)
    path = project / "params" / "definitions.yml"
    content = yaml.safe_load(path.read_text())
    content["scoring"]["weekly_capacity"] = weekly_capacity
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return project


def params_file(project: Path, notebook: str, name: str, /, **values: Any) -> Path:
    """Write ``params/<notebook>/<case>.yml``."""
    path = project / "params" / notebook / f"{name}.yml"
    path.write_text(yaml.safe_dump({"case": name, "as_of": "2026-11-15"} | values))
    return path


def company_at(project: Path, name: str, frames: Mapping[str, pd.DataFrame]) -> str:
    """Write data frames as the CSV files of a company and map them; return the input file for a params file."""
    folder = project / "data" / name
    folder.mkdir(parents=True)
    tables = {}
    for table, frame in frames.items():
        frame.to_csv(folder / f"{table}.csv", index=False)
        tables[table] = {
            "file": f"{table}.csv",
            "columns": {column: column for column in frame.columns if column in SCHEMAS[table].columns},
        }
    path = project / "params" / "inputs" / f"{name}.yml"
    content = {"name": name, "currency": "USD", "time_zone": "UTC", "data": {"folder": f"data/{name}"}}
    path.write_text(yaml.safe_dump(content | {"tables": tables}))
    return f"params/inputs/{name}.yml"


def execute_here(path: Path, parameters: Mapping[str, Any]) -> nbformat.NotebookNode:
    """Execute a notebook's cells in this process, as a kernel would: what is displayed, printed or raised is an output.

    A cell that raises raises here.
    """
    notebook = nbformat.read(path, as_version=4)
    outputs: list[Any] = []

    def display(*shown: Any) -> None:
        for one in shown:
            data, metadata = one._repr_mimebundle_()
            outputs.append(nbformat.v4.new_output("display_data", data=data, metadata=metadata))

    names: dict[str, Any] = {"__name__": "__main__", "display": display, "__builtins__": builtins}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        body = ast.parse(cell.source).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        outputs.clear()
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            exec(compile(ast.Module(body, []), str(path), "exec"), names)
            shown = None if last is None else eval(compile(ast.Expression(last.value), str(path), "eval"), names)
        if shown is not None:
            display(shown)
        if said.getvalue():
            outputs.insert(0, nbformat.v4.new_output("stream", name="stderr", text=said.getvalue()))
        cell.outputs = [*outputs]
        if "parameters" in cell.metadata.get("tags", []):
            names |= parameters
    return notebook


@contextlib.contextmanager
def executed_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the runner execute notebooks in this process, which saves the start of a kernel."""

    def execute(plan: suite.Plan, params: Path, reports: Path, output: Path, root: Path) -> nbformat.NotebookNode:
        values = yaml.safe_load(params.read_text()) or {}
        if "reports" in type(plan).model_fields:
            values["reports"] = str(reports.relative_to(root) if reports.is_relative_to(root) else reports)
        executed = execute_here(root / "notebooks" / f"{plan.notebook}.ipynb", values)
        nbformat.write(executed, output)
        return executed

    with monkeypatch.context() as patch:
        patch.setattr(suite, "_execute", execute)
        yield


def run_here(monkeypatch: pytest.MonkeyPatch, params: Path, reports: Path) -> RunResult:
    """Run a params file of a project and publish its report, without a kernel."""
    project = params.parents[2]
    monkeypatch.chdir(project)
    with executed_here(monkeypatch):
        return suite.run_one(params, reports, project)
