"""The command line: ``smarketing demo | init | check | run | lab | ledger``.

Exit codes: 0 all went well; 1 a run failed or data are wrong (the last good reports are untouched); 2 the command, a
params file or a definitions file is wrong, and nothing has run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import NoReturn

import click

from smarketing.company.definitions import read_definitions
from smarketing.company.drafting import draft_definitions
from smarketing.company.inputs import check_inputs, open_company
from smarketing.company.tables import CompanyError
from smarketing.report import formats
from smarketing.run.ledger import Ledger, LedgerError
from smarketing.run.plans import PipelineReview, PlanError, project
from smarketing.run.publishing import publish_index
from smarketing.run.suite import read_runs, run_all, runs_and_faults, stderr, workers_for

FAILED, WRONG = 1, 2


@click.group(
    epilog="Exit codes: 0 fine, 1 a run failed or data are wrong, 2 nothing has run because the call is wrong."
)
@click.version_option(package_name="smarketing")
def main() -> None:
    """One pipeline, one set of definitions, and evidence that sales and marketing both accept."""


@main.command()
@click.option("--leads", default=20_000, show_default=True, type=click.IntRange(1_000), help="How many leads.")
@click.option("--seed", default=7, show_default=True, help="Another seed is another company.")
@click.option("--as-of", default="2026-11-15", show_default=True, help="The last day that is known.")
@click.option("--folder", default="data/demo", show_default=True, help="Where its tables go.")
def demo(leads: int, seed: int, as_of: str, folder: str) -> None:
    """Build the demo company, whose truth is written beside it."""
    from smarketing.company.demo import build_demo

    try:
        day = date.fromisoformat(as_of)
    except ValueError:
        _stop(f"--as-of is {as_of!r}; write a day as 2026-11-15.", WRONG)
    target = _project() / folder
    try:
        build_demo(target, leads=leads, seed=seed, as_of=day, progress=stderr)
    except ValueError as error:
        _stop(str(error), WRONG)
    click.echo(f"The demo company is in {folder}; what is true of it is in {folder}/truth.json.")


@main.command()
@click.argument("inputs", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data files of the input file.")
def init(inputs: Path, data: Path | None) -> None:
    """Draft params/definitions_<name>.yml from the data of an input file, everything in it assumed."""
    target = _project() / "params" / f"definitions_{inputs.stem}.yml"
    if target.exists():
        _stop(f"{_short(target)} is there already and is not overwritten. Edit it, or move it away.", WRONG)
    try:
        company = open_company(inputs.resolve(), data=data, progress=stderr)
        text = draft_definitions(company, changed=date.today())
    except CompanyError as error:
        _stop(str(error), FAILED)
    with target.open("x", encoding="utf-8") as stream:
        stream.write(text)
    try:
        read_definitions(target)
    except CompanyError as error:
        _stop(f"{_short(target)} is drafted, and has to be put right before it can be used. {error}", FAILED)
    click.echo(f"{_short(target)} is drafted. Every entry is assumed: go through it with sales and marketing.")


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data files of an input file.")
def check(files: tuple[Path, ...], data: Path | None) -> None:
    """Check input files, params files or suites without running anything; every fault is told at once."""
    faults: list[str] = []
    for path in (path.resolve() for path in files):
        try:
            if path.parent.name == "inputs":
                faults += check_inputs(path, data=data, progress=stderr)
            else:
                runs, wrong = runs_and_faults([path])
                faults += wrong
                for run in runs:
                    if isinstance(run.plan, PipelineReview):
                        faults += run.plan.data_faults(data=data, progress=stderr)
        except (CompanyError, PlanError) as error:
            faults.append(str(error))
    for fault in dict.fromkeys(faults):
        click.echo(fault, err=True)
    if faults:
        sys.exit(FAILED)
    click.echo(f"{formats.many(len(files), 'file')} checked, nothing wrong.")


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--reports", default="reports", show_default=True, type=click.Path(path_type=Path), help="Where they go.")
@click.option("--workers", type=click.IntRange(1, 16), help="Runs at once; two unless there are fewer cores or runs.")
def run(files: tuple[Path, ...], reports: Path, workers: int | None) -> None:
    """Run params files or suites, publish their reports and the index of all reports."""
    try:
        runs = read_runs([path.resolve() for path in files])
    except (PlanError, CompanyError) as error:
        _stop(str(error), WRONG)
    results = run_all(runs, reports=reports.resolve(), workers=workers or workers_for(runs), say=stderr)
    failed = [result for result in results if result.folder is None]
    published = f"{len(results) - len(failed)} of {formats.many(len(results), 'report')} published"
    click.echo(f"{published}; see {reports / 'index.html'}")
    if failed:
        sys.exit(FAILED)


@main.command()
def lab() -> None:
    """Open JupyterLab on the notebooks."""
    command = shutil.which("jupyter-lab", path=str(Path(sys.executable).parent)) or "jupyter-lab"
    sys.exit(subprocess.call([command, "--notebook-dir", str(_project()), str(_project() / "notebooks")]))


@main.group()
def ledger() -> None:
    """Look after the ledger of recorded figures."""


@ledger.command()
@click.option("--reports", default="reports", show_default=True, type=click.Path(path_type=Path))
def rebuild(reports: Path) -> None:
    """Make the ledger anew from the published figures.json files."""
    if not reports.is_dir():
        _stop(f"There is no folder {reports}. Name the one that holds the published reports.", WRONG)
    try:
        found = Ledger(reports).rebuild()
    except LedgerError as error:
        _stop(str(error), FAILED)
    publish_index(reports)
    click.echo(f"The ledger holds {formats.many(found, 'published report')}.")


def _project() -> Path:
    try:
        return project()
    except PlanError as error:
        _stop(str(error), WRONG)


def _short(path: Path) -> str:
    return path.relative_to(_project()).as_posix()


def _stop(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)
