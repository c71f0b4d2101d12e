"""The form of a notebook: thin, one question, prose before code, parameters that are exactly the plan's fields."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import nbformat
import pytest
import yaml

from smarketing.run.plans import all_plans, plan_of
from tests_root import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARAMS = sorted(path for path in (ROOT / "params").glob("[0-9][0-9]_*/*.yml"))
LONGEST_CELL, MEDIAN_CELL = 10, 4
FORBIDDEN = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.For,
    ast.While,
    ast.AsyncFor,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.BinOp,
    ast.AugAssign,
    ast.If,
    ast.Try,
)


def cells(path: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def is_parameters(cell: nbformat.NotebookNode) -> bool:
    return "parameters" in cell.metadata.get("tags", [])


def parameters(path: Path) -> dict[str, object]:
    """Names and defaults of the parameters cell."""
    cell = next(cell for cell in cells(path, "code") if is_parameters(cell))
    return {node.target.id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}


def test_there_are_notebooks_and_each_has_a_plan() -> None:
    assert {path.stem for path in NOTEBOOKS} == {plan.notebook for plan in all_plans()}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_it_is_a_valid_notebook_without_outputs(notebook: Path) -> None:
    node = nbformat.read(notebook, as_version=4)
    nbformat.validate(node)
    assert [cell for cell in cells(notebook, "code") if cell.outputs or cell.execution_count] == []


def test_it_asks_one_question(notebook: Path) -> None:
    headings = [
        line for cell in cells(notebook, "markdown") for line in cell.source.splitlines() if line.startswith("# ")
    ]
    assert len(headings) == 1
    assert headings[0].endswith("?")


def test_prose_comes_before_every_code_cell(notebook: Path) -> None:
    kinds = [cell.cell_type for cell in nbformat.read(notebook, as_version=4).cells]
    assert kinds[0] == "markdown"
    assert [i for i, kind in enumerate(kinds) if kind == "code" and kinds[i - 1] != "markdown"] == []


def test_code_cells_are_thin(notebook: Path) -> None:
    sources = [cell.source for cell in cells(notebook, "code") if not is_parameters(cell)]
    lengths = [len([line for line in source.splitlines() if line.strip()]) for source in sources]
    assert max(lengths) <= LONGEST_CELL
    assert statistics.median(lengths) <= MEDIAN_CELL
    for source in sources:
        found = [type(node).__name__ for node in ast.walk(ast.parse(source)) if isinstance(node, FORBIDDEN)]
        assert found == [], f"{found} in a cell; put it into the library:\n{source}"


def test_parameters_are_typed_commented_and_exactly_the_plan(notebook: Path) -> None:
    cell = next(cell for cell in cells(notebook, "code") if is_parameters(cell))
    for line in cell.source.splitlines():
        assert ":" in line.split("=")[0], f"no type: {line}"
        assert len(line.partition("  # ")[2]) > 10, f"no explanation: {line}"
    plan = plan_of(notebook.stem)
    defaults = parameters(notebook)
    assert set(defaults) == set(plan.model_fields)
    built = plan.read(defaults, "defaults").model_dump()
    # The notebook's as-of day is the demo company's; a plan has none.
    assert {k: v for k, v in built.items() if k != "as_of"} == {
        k: v for k, v in plan().model_dump().items() if k != "as_of"
    }


@pytest.mark.parametrize("path", PARAMS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_params_files_are_flat_and_accepted(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert all(not isinstance(value, dict | list) for value in content.values())
    assert plan_of(path.parent.name).read(content, path.name).case == path.stem
