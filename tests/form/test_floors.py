"""The layout shows the design: five floors, imports go downward only, no module outgrows its room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests_root import ROOT

LIBRARY = ROOT / "lib" / "smarketing"
MAY_KNOW = {
    "company": {"company"},
    "estimates": {"estimates"},
    "measures": {"measures", "company", "estimates"},
    "report": {"report", "measures", "company"},
    "run": {"run", "report", "measures", "company"},
}
NO_TABLES = {"ibis", "duckdb", "pandas", "pyarrow", "pathlib", "os", "io"}
LONGEST = 400


def modules() -> list[Path]:
    return sorted(path for path in LIBRARY.rglob("*.py") if path.parent != LIBRARY)


def imports(path: Path) -> set[str]:
    """All modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; name the module in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def test_every_floor_is_there_and_no_other() -> None:
    folders = {p.name for p in LIBRARY.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders == set(MAY_KNOW)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(LIBRARY)))
def test_imports_go_downward_only(path: Path) -> None:
    floor = path.relative_to(LIBRARY).parts[0]
    known = {name.split(".")[1] for name in imports(path) if name.startswith("smarketing.")}
    assert known <= MAY_KNOW[floor], f"{path.name} on floor {floor} imports {sorted(known - MAY_KNOW[floor])}"


def test_estimates_know_numbers_only() -> None:
    for path in modules():
        if path.parent.name == "estimates":
            assert {name.split(".")[0] for name in imports(path)} & NO_TABLES == set(), path.name


def test_nothing_is_ever_run_as_code() -> None:
    for path in modules():
        calls = {
            n.func.id
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        }
        assert not calls & {"eval", "exec", "compile", "__import__"}, path.name


def test_no_module_outgrows_its_room() -> None:
    long = {str(p.relative_to(ROOT)): n for p in modules() if (n := len(p.read_text().splitlines())) > LONGEST}
    assert long == {}, "split along a line you can name"
