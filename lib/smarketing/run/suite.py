"""Run notebooks on params files and publish their reports, in notebook order, a few at a time.

A run either publishes all of ``reports/<notebook>/<case>/<as-of>/`` or nothing: the folder is written beside the
reports and moved into place inside the ledger's transaction. A run that fails leaves the last good report where it is
and its own notebook under ``failed/``.
"""

from __future__ import annotations

import os
import shutil
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nbformat

from smarketing.company.tables import CompanyError
from smarketing.company.yaml_file import read_yaml
from smarketing.measures.results import Check, Finding, KeyFigure
from smarketing.report.exporter import Exported, export
from smarketing.report.faults import NotFitToPublish
from smarketing.report.layout import blocks_of
from smarketing.run.artefacts import RUN_FOLDER
from smarketing.run.ledger import Ledger, LedgerError, Recorded
from smarketing.run.plans import AlignmentReport, Plan, PlanError, project, read_plan
from smarketing.run.publishing import mend, placed, publish_index, write

Say = Callable[[str], None]
FAILED = "failed"
SAYS_IT_ALL = ("CompanyError", "PlanError", "RuleError", "NotFitToPublish")
"""Errors whose message is written for the reader; of any other the kind is told too, and its trace kept."""

BEAT = 10.0
"""Seconds between two signs of life of a long run."""


@dataclass(frozen=True)
class Run:
    """One notebook on one params file."""

    params: Path
    plan: Plan

    @property
    def name(self) -> str:
        """How the run is called on the terminal."""
        return f"{self.plan.notebook} {self.plan.case}"


@dataclass(frozen=True)
class RunResult:
    """What became of a run: the folder it published, or why it failed and where its notebook was kept."""

    notebook: str
    case: str
    folder: Path | None
    error: str = ""
    kept: Path | None = None

    @property
    def told(self) -> str:
        """What became of it, on the terminal; paths from where the command was called."""
        if self.folder is not None:
            return f"published {os.path.relpath(self.folder)}"
        where = "" if self.kept is None else f"\n  kept in {os.path.relpath(self.kept)}: run.ipynb, error.txt"
        return f"failed: {self.error}{where}"


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Read params files and suite files (``runs:`` a list of params files); `PlanError` names all that is wrong.

    Nothing has run when it raises.
    """
    runs, faults = runs_and_faults(paths)
    if faults:
        raise PlanError("\n".join(faults))
    return runs


def runs_and_faults(paths: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Return the runs that params files and suite files ask for, and everything that is wrong with them.

    A run whose plan names a wrong file is among the runs too, so that its data can be looked at all the same.
    """
    faults: list[str] = []
    runs: list[Run] = []
    for path in _params(paths, faults):
        try:
            run = Run(path, read_plan(path))
        except (PlanError, CompanyError) as error:
            faults.append(str(error))
            continue
        faults += run.plan.faults()
        runs.append(run)
    keys = [(run.plan.notebook, run.plan.case) for run in runs]
    double = sorted({key for key in keys if keys.count(key) > 1})
    faults += [f"{notebook} {case} is asked for twice. Keep one, or name another case." for notebook, case in double]
    return sorted(runs, key=lambda run: (run.plan.notebook, run.plan.case)), list(dict.fromkeys(faults))


def run_all(runs: Sequence[Run], *, reports: Path, workers: int = 2, say: Say = print) -> list[RunResult]:
    """Run notebooks and publish their reports; later notebooks wait for earlier ones.

    A notebook that reads what others recorded is not run where one of them failed for its case: it would put together
    figures of which some are missing or old.
    """
    mend(reports)
    results: list[RunResult] = []
    for _, together in groupby(runs, key=lambda run: run.plan.notebook):
        ready = []
        for run in together:
            failed = [r.notebook for r in results if r.folder is None and r.case == run.plan.case]
            if failed and isinstance(run.plan, AlignmentReport):
                results.append(_not_run(run, failed, reports, say))
            else:
                ready.append(run)
        if ready:
            results += _some(ready, reports, workers, say)
    publish_index(reports)
    return results


def _not_run(run: Run, failed: Sequence[str], reports: Path, say: Say) -> RunResult:
    text = f"not run: {', '.join(failed)} failed"
    Ledger(reports).failed(run.plan.notebook, run.plan.case, str(run.plan.as_of or ""), text)
    say(f"{run.name}: {text}")
    return RunResult(run.plan.notebook, run.plan.case, None, text)


def run_one(params: Path, reports: Path, root: Path) -> RunResult:
    """Run one notebook and publish its report; whatever goes wrong is a result, kept beside the last good report."""
    os.chdir(root)
    plan = read_plan(params)
    home = reports / plan.notebook / plan.case
    staging = reports / ".staging" / uuid.uuid4().hex
    staging.mkdir(parents=True)
    os.environ[RUN_FOLDER] = str(staging)
    try:
        executed = _execute(plan, params, reports, staging / "run.ipynb", root)
        exported = export(executed, kicker=plan.agreed().company)
        recorded = _recorded(plan, executed, exported)
        write(staging, exported, recorded)
        target = home / recorded.as_of.isoformat()
        Ledger(reports).record(recorded, publish=placed(staging, target))
        shutil.rmtree(home / FAILED, ignore_errors=True)
        return RunResult(plan.notebook, plan.case, target)
    except Exception as error:
        text = _explained(error)
        trace = "" if _says_it_all(error) else "\n" + traceback.format_exc()
        _drop_files(staging)
        (staging / "error.txt").write_text(text + "\n" + trace, encoding="utf-8")
        with placed(staging, home / FAILED):
            pass
        Ledger(reports).failed(plan.notebook, plan.case, str(plan.as_of or ""), text)
        return RunResult(plan.notebook, plan.case, None, text, home / FAILED)
    finally:
        del os.environ[RUN_FOLDER]
        shutil.rmtree(staging, ignore_errors=True)


def _drop_files(staging: Path) -> None:
    """Remove what a failed notebook had written: half a model or half a table must not be taken for one."""
    for path in staging.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "run.ipynb":
            path.unlink()


def _params(paths: Sequence[Path], faults: list[str]) -> Iterator[Path]:
    for path in paths:
        try:
            content = read_yaml(path, what="params file")
        except CompanyError as error:
            faults.append(f"Params file {path}: {error}.")
            continue
        if "runs" not in content:
            yield path
            continue
        listed = content["runs"]
        if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
            faults.append(f"Suite {path}: runs is {listed!r}; write a list of params files, one a line.")
            continue
        for name in listed:
            yield project() / name


def _some(runs: Sequence[Run], reports: Path, workers: int, say: Say) -> list[RunResult]:
    """Run notebooks that do not wait for each other, each in a process of its own."""
    # Spawned, not forked: a fork would copy the parent's engine threads and locks.
    with _one_thread_each(workers > 1), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: dict[Future[RunResult], Run] = {}
        for run in runs:
            say(f"{run.name}: started")
            waiting[pool.submit(run_one, run.params, reports, project())] = run
        results = []
        while waiting:
            done, _ = wait(waiting, timeout=BEAT, return_when=FIRST_COMPLETED)
            for future in done:
                run = waiting.pop(future)
                result = _ended(future, run, reports)
                say(f"{run.name}: {result.told}")
                results.append(result)
            if not done:
                say(f"still running: {', '.join(run.name for run in waiting.values())}")
    return results


def _ended(future: Future[RunResult], run: Run, reports: Path) -> RunResult:
    """Return what became of a run; a process that was killed, or could not keep its failure, is a failure too."""
    error = future.exception()
    if error is None:
        return future.result()
    text = f"{type(error).__name__}: {error}"
    # A ledger that cannot be written is often the very reason.
    with suppress(LedgerError, OSError):
        Ledger(reports).failed(run.plan.notebook, run.plan.case, str(run.plan.as_of or ""), text)
    return RunResult(run.plan.notebook, run.plan.case, None, text)


class _one_thread_each:  # noqa: N801  (reads as a phrase)
    """Keep numeric libraries of parallel kernels from each starting a thread a core."""

    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

    def __init__(self, wanted: bool) -> None:
        self.set = {name: "1" for name in self.names if wanted and name not in os.environ}

    def __enter__(self) -> None:
        os.environ.update(self.set)

    def __exit__(self, *error: object) -> None:
        for name in self.set:
            os.environ.pop(name, None)


def _execute(plan: Plan, params: Path, reports: Path, output: Path, root: Path) -> nbformat.NotebookNode:
    """Execute the notebook with papermill; what it raises is what is trusted, not what the saved file says."""
    import papermill
    from traitlets.config import Config

    values = read_yaml(params, what="params file")
    values = {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
    if "reports" in type(plan).model_fields:
        # Relative where it can be: the page prints it, and an absolute path would differ from machine to machine.
        values["reports"] = str(reports.relative_to(root) if reports.is_relative_to(root) else reports)
    papermill.execute_notebook(
        root / "notebooks" / f"{plan.notebook}.ipynb",
        output,
        parameters=values,
        cwd=str(root / "notebooks"),
        progress_bar=False,
        execution_timeout=3_600,
        log_output=False,
        autosave_cell_every=0,
        # Without it the kernel warns, on every start, that its local sockets are not encrypted.
        config=Config({"KernelManager": {"transport_encryption": "auto"}}),
    )
    return nbformat.read(output, as_version=4)


def _recorded(plan: Plan, executed: nbformat.NotebookNode, exported: Exported) -> Recorded:
    """Gather what the ledger keeps from what the notebook showed."""
    payload = exported.payload
    facts = dict(_payload(executed, "provenance")["pairs"])
    definitions = plan.agreed()
    return Recorded(
        notebook=plan.notebook,
        case=plan.case,
        as_of=date.fromisoformat(facts["Data as of"]),
        run_id=_payload(executed, "title block")["run_id"],
        title=payload["title"],
        headline=payload["headline"],
        definitions_version=definitions.version,
        definitions_sha256=definitions.sha256,
        figures=tuple(KeyFigure.from_dict(figure) for figure in payload["figures"]),
        findings=tuple(Finding.from_dict(finding) for finding in payload["findings"]),
        checks=tuple(Check.from_dict(check) for check in payload["checks"]),
        parameters=tuple(plan.parameters()),
        facts=tuple(facts.items()),
    )


def _payload(executed: nbformat.NotebookNode, kind: str) -> dict[str, Any]:
    """Return what the notebook's block of a kind carries; a notebook without one cannot be published."""
    for cell in executed.cells:
        for block in blocks_of(cell):
            if block.kind == kind:
                return dict(block.payload)
    raise NotFitToPublish([f"the notebook shows no {kind}; display blocks.{kind.replace(' ', '_')}(...)"])


def _explained(error: Exception) -> str:
    """Say what went wrong in the words of whoever raised it: a cell's error without its trace, or a list of faults."""
    value = getattr(error, "evalue", "") or str(error)
    return value if _says_it_all(error) else f"{_kind(error)}: {value}"


def _says_it_all(error: Exception) -> bool:
    return _kind(error) in SAYS_IT_ALL


def _kind(error: Exception) -> str:
    """Return the name of an error's class, inside a cell where it was raised in one."""
    return getattr(error, "ename", "") or type(error).__name__


def stderr(text: str) -> None:
    """Print progress where it does not mix with results."""
    print(text, file=sys.stderr, flush=True)


def workers_for(runs: Sequence[Any]) -> int:
    """Return how many runs go at once: two, or as many as there are cores or runs if that is fewer."""
    return max(1, min(2, os.cpu_count() or 1, len(runs)))
