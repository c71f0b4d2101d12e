"""Where a report comes from: the run id, the code, the inputs, the parameters and the software, for its footer."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from smarketing.company.definitions import Definitions
from smarketing.company.tables import Source
from smarketing.measures.privacy import shown
from smarketing.run.ledger import Recorded
from smarketing.run.plans import Plan, project

SOFTWARE = (
    "pandas",
    "numpy",
    "scipy",
    "statsmodels",
    "ibis-framework",
    "duckdb",
    "seaborn",
    "matplotlib",
    "papermill",
    "nbconvert",
)


@dataclass(frozen=True)
class Provenance:
    """The run id (a hash of inputs, parameters, definitions and code, so equal runs have equal ids) and its parts."""

    run_id: str
    as_of: date
    pairs: tuple[tuple[str, str], ...]


def provenance(
    plan: Plan, as_of: date, definitions: Definitions, sources: Sequence[Source], *, composed: Sequence[Recorded] = ()
) -> Provenance:
    """Say where a report comes from.

    ``sources`` are the files or tables read, ``composed`` the reports that were put together. The project's name
    and version stand for the code together with a hash of every module; nothing here is a clock.
    """
    # Where reports are kept is no input: what was read from there is named by its run id.
    given = {name: value for name, value in plan.parameters() if name != "reports"}
    notebook = project() / "notebooks" / f"{plan.notebook}.ipynb"
    files = [(name, _sha256(plan.path(name))) for name in plan.files()]
    inputs = [(f"{s.table}: {s.name}", f"{s.sha256[:16] or 'a table'} · {s.rows:,} rows") for s in sources]
    code = code_sha256()
    parts = [plan.notebook, as_of.isoformat(), _listed(given), definitions.sha256, code, _notebook_sha256(notebook)]
    files += [(f"report of {r.notebook}", r.run_id) for r in composed]
    parts += [f"{s.table}|{s.name}|{s.sha256}|{s.rows}" for s in sources] + [f"{n}|{h}" for n, h in files]
    run_id = f"{as_of:%Y%m%d}-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:8]}"
    pairs = [
        ("Data as of", as_of.isoformat()),
        ("Code", f"smarketing {version('smarketing')}, {code[:16]}{_commit()}"),
        ("Notebook", f"{plan.notebook}, {_notebook_sha256(notebook)[:16]}"),
        ("Definitions", f"version {definitions.version}, {definitions.sha256[:16]}"),
        *inputs,
        *((name, sha[:17]) for name, sha in files),
        ("Parameters", _listed(given | _hidden(given, definitions))),
        ("Software", ", ".join([f"python {sys.version.split()[0]}", *(f"{n} {version(n)}" for n in SOFTWARE)])),
    ]
    return Provenance(run_id, as_of, tuple(pairs))


def _listed(parameters: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in parameters.items())


def _hidden(parameters: Mapping[str, Any], definitions: Definitions) -> dict[str, str]:
    """Return the parameters that name a person, as they may be printed."""
    owner, redact = parameters.get("owner"), bool(parameters.get("redact"))
    return {} if owner is None else {"owner": shown(owner, "owner", definitions.privacy, redact=redact)}


@cache
def code_sha256() -> str:
    """Return a hash over every module and template of the library."""
    folder = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".j2", ".css"):
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


@cache
def _commit() -> str:
    """Return the commit and whether the code was modified since, where the project is a git checkout."""
    try:
        root = project()
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", "lib", "notebooks")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f", commit {commit}{', modified since' if changed else ''}"


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def _notebook_sha256(path: Path) -> str:
    """Hash the sources of a notebook's cells: what JupyterLab adds when it saves changes no result."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
