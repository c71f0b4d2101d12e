"""The commands and their exit codes: 0 fine, 1 a run failed or data are wrong, 2 nothing has run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from recorded_samples import recorded
from stub_projects import stub_project

from small_projects import company_at, params_file
from smarketing.run.cli import main
from smarketing.run.ledger import Ledger


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    laid = stub_project(tmp_path / "company")
    monkeypatch.chdir(laid)
    return laid


def said(*words: str) -> Result:
    result = CliRunner().invoke(main, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def outside(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call the command as a terminal does."""
    command = Path(sys.executable).with_name("smarketing")
    return subprocess.run([command, *words], cwd=project, capture_output=True, text=True)


def test_the_help_names_the_commands_and_the_exit_codes() -> None:
    result = said("--help")
    assert result.exit_code == 0
    for words in ("demo", "check", "run", "lab", "ledger", "Exit codes: 0 fine, 1 a run failed or data are wrong, 2"):
        assert words in " ".join(result.output.split())


def test_a_demo_company_is_built_checked_and_never_run_into_an_error(project: Path) -> None:
    result = said("demo", "--leads", "1000", "--folder", "data/demo")
    assert result.exit_code == 0
    assert result.stdout == ("The demo company is in data/demo; what is true of it is in data/demo/truth.json.\n")
    assert json.loads((project / "data" / "demo" / "truth.json").read_text())["leads"] == 1000
    result = said("check", "params/inputs/demo.yml", "--data", "data/demo")
    assert (result.exit_code, result.stdout) == (0, "1 file checked, nothing wrong.\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("demo", "--as-of", "soon"), "--as-of is 'soon'; write a day as 2026-11-15.\n"),
        (("demo", "--as-of", "2020-01-01"), "as_of is 2020-01-01; the demo company begins on 2024-07-01 and needs at"),
        (("demo", "--leads", "5"), "Invalid value for '--leads': 5 is not in the range x>=1000."),
        (("run", "params/20_pipeline_review/dmo.yml"), "there is no params file dmo.yml; in its folder: "),
        (("run", "params"), "params: there is no params file params; in its folder: none."),
        (("run", "params/targets.yml"), "its folder has to name the notebook. There is no notebook 'params'."),
        (("run", "params/suite.yml", "--workers", "0"), "0 is not in the range 1<=x<=16."),
        (("run",), "Missing argument 'FILES...'"),
        (("ledger", "rebuild", "--reports", "repots"), "There is no folder repots. Name the one that holds"),
        (("rnu", "x"), "No such command 'rnu'"),
    ],
)
def test_a_wrong_call_is_refused_with_2_and_nothing_runs(words: tuple[str, ...], message: str, project: Path) -> None:
    result = said(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (project / "reports").exists()
    assert not (project / "data").exists()


def test_a_bad_params_file_stops_all_runs_with_2(project: Path) -> None:
    bad = params_file(project, "20_pipeline_review", "bad", sorce="Event")
    result = said("run", str(bad), "params/20_pipeline_review/demo.yml")
    assert result.exit_code == 2
    assert result.stderr == (
        f"Params file {bad} of 20_pipeline_review is wrong in 1 place:\n"
        "  sorce: there is no such name. Did you mean 'source'?\n"
    )
    assert not (project / "reports").exists()


def test_check_tells_every_fault_with_1(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = params_file(project, "20_pipeline_review", "bad", redact="perhaps")
    inputs = project / "params" / "inputs" / "ours.yml"
    inputs.write_text(
        "name: Ours\ncurrency: USD\ntime_zone: UTC\ndata: {folder: nowhere}\ntables:\n  leads: {file: l.csv, "
        "columns: {lead_id: Id, created_at: At}}\n"
    )
    result = said("check", str(bad), str(inputs), "params/inputs/no.yml")
    assert result.exit_code == 1
    for words in (
        "redact: Input should be a valid boolean, unable to interpret input; got 'perhaps'.",
        f"there is no folder {project / 'nowhere'} (from data.folder)",
        "there is no input file no.yml; in its folder: crm_deals_as_leads.yml, crm_opportunities.yml, demo.yml",
    ):
        assert words in result.stderr
    assert not (project / "reports").exists()


def test_check_tells_in_one_round_what_is_wrong_with_every_file_of_a_run(project: Path) -> None:
    data = project / "data" / "ours"
    data.mkdir(parents=True)
    (data / "l.csv").write_text("Id,At,From\na,2026-01-01,Web\na,2026-01-32,Web\n,2026-01-02,Web\n")
    (data / "d.csv").write_text("Id,Opened,State\n1,2026-01-05,Won\n")
    params = project / "params"
    (params / "inputs" / "ours.yml").write_text(
        "name: Ours\ncurrency: USD\ntime_zone: UTC\ndata: {folder: data/ours}\ntables:\n"
        "  leads: {file: l.csv, columns: {lead_id: Id, created_at: At, source: From}}\n"
        "  opportunities: {file: d.csv, where: Sate == 'x', columns: {opportunity_id: Id, created_at: Opened, "
        "outcome: State, closed_at: Closd, amount: Amont, product: Id}}\n"
    )
    (params / "ours_decisions.yml").write_text("meetings: [{held: soon}]")
    (params / "ours_targets.yml").write_text("targets: [{metric: m, period: 2026-13, value: 1}]")
    files = {"inputs": "params/inputs/ours.yml", "definitions": "no.yml"}
    files |= {"decisions": "params/ours_decisions.yml", "targets": "params/ours_targets.yml"}
    bad = params_file(project, "20_pipeline_review", "ours", **files)
    result = said("check", str(bad))
    assert result.exit_code == 1
    for words in (
        f"Definitions file {project / 'no.yml'} does not exist.",
        "meetings.0.held: ",
        "target 1 (m) has the period '2026-13'.",
        # Of one file: a time that cannot be read, an id that is empty, and ids that are the same.
        "`created_at` (At) cannot be read as a time in 1 row: row 3 '2026-01-32'.",
        "`lead_id` (Id) is empty in 1 row: row 4.",
        "`lead_id` identifies a person's interest, recorded once, but it is repeated in 1 row: 'a' 2 times.",
        # Of another: each column and rule that is not there.
        "there is no column `Closd` for `closed_at`.",
        "there is no column `Amont` for `amount`.",
        "there is no column 'Sate':",
    ):
        assert words in result.stderr, words


def test_check_tells_what_the_data_lack_for_the_definitions_and_the_scope(project: Path) -> None:
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": ["2026-01-01"], "source": ["Web"]})
    events = pd.DataFrame({"subject_id": ["a"], "subject_kind": "lead", "stage": "mqll", "at": ["2026-01-02"]})
    deals = pd.DataFrame({"opportunity_id": ["1"], "created_at": ["2026-01-02"], "outcome": "open", "currency": "EUR"})
    own = {"definitions": "params/definitions.yml", "targets": None, "decisions": None}
    frames = {"leads": leads, "stage_events": events, "opportunities": deals}
    strange = params_file(
        project, "20_pipeline_review", "strange", inputs=company_at(project, "strange", frames), source="Wbe", **own
    )
    result = said("check", str(strange))
    assert result.exit_code == 1
    assert "stage_events.stage holds 'mqll' in 1 rows" in result.stderr
    assert "source 'Wbe' does not occur. Did you mean 'Web'?" in result.stderr
    frames |= {"stage_events": events.assign(stage="mql")}
    odd = params_file(
        project, "20_pipeline_review", "odd", inputs=company_at(project, "odd", frames), breakdown="sorce", **own
    )
    result = said("check", str(odd))
    assert result.exit_code == 1
    assert "There is no 'sorce' to break down by. Did you mean 'source'?" in result.stderr
    assert "opportunities.currency holds 'EUR', and the definitions give no rate into USD." in result.stderr


def test_check_knows_a_file_by_its_folder_from_wherever_it_is_called(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = project / "data" / "ours"
    data.mkdir(parents=True)
    (data / "l.csv").write_text("Id,At,Source\na,2026-01-01,Web\n")
    (data / "d.csv").write_text("Id,At,Is\n1,2026-01-01,open\n")
    (project / "params" / "inputs" / "ours.yml").write_text(
        "name: Ours\ncurrency: USD\ntime_zone: UTC\ndata: {env: SMARKETING_NOT_SET}\n"
        "tables:\n  leads: {file: l.csv, columns: {lead_id: Id, created_at: At, source: Source}}\n"
        "  opportunities: {file: d.csv, columns: {opportunity_id: Id, created_at: At, outcome: Is}}\n"
    )
    own = {"definitions": "params/definitions.yml", "targets": None, "decisions": None}
    params_file(project, "20_pipeline_review", "ours", inputs="params/inputs/ours.yml", data="data/ours", **own)
    for folder, name in (("20_pipeline_review", "ours.yml"), (".", "20_pipeline_review/ours.yml")):
        monkeypatch.chdir(project / "params" / folder)
        result = said("check", name)
        assert (result.exit_code, result.stdout) == (0, "1 file checked, nothing wrong.\n"), result.stderr
    monkeypatch.chdir(project / "params" / "inputs")
    result = said("check", "ours.yml")
    assert result.exit_code == 1
    assert "set the environment variable SMARKETING_NOT_SET" in result.stderr


def test_outside_a_project_every_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "20_pipeline_review").mkdir()
    (tmp_path / "20_pipeline_review" / "demo.yml").write_text("case: demo")
    for words in (("demo",), ("run", "20_pipeline_review/demo.yml")):
        result = said(*words)
        assert result.exit_code == 2
        assert result.stderr == (
            f"{tmp_path} is not inside a project: no folder above it holds params/ and notebooks/. Go there first.\n"
        )


def test_the_ledger_is_made_anew_with_its_index(project: Path) -> None:
    reports = project / "reports"
    folder = reports / "20_pipeline_review" / "demo" / "2026-11-15"
    folder.mkdir(parents=True)
    (folder / "figures.json").write_text(recorded().to_json())
    result = said("ledger", "rebuild")
    assert (result.exit_code, result.stdout) == (0, "The ledger holds 1 published report.\n")
    assert "All is well." in (reports / "index.html").read_text()
    assert Ledger(reports).read("demo", recorded().as_of) == (recorded(),)
    (folder / "figures.json").write_text("{}")
    result = said("ledger", "rebuild")
    assert result.exit_code == 1
    assert result.stderr == (
        "reports/20_pipeline_review/demo/2026-11-15/figures.json is not the record of a report (KeyError: 'notebook'). "
        "Restore it, or remove its folder.\n"
    )


def test_a_run_in_a_kernel_publishes_with_0_and_fails_with_1(project: Path) -> None:
    good = params_file(project, "20_pipeline_review", "demo")
    done = outside(project, "run", "params/20_pipeline_review/demo.yml")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 of 1 report published; see reports/index.html\n"
    assert done.stderr.splitlines()[0] == "20_pipeline_review demo: started"
    home = project / "reports" / "20_pipeline_review" / "demo"
    was = {path.name: path.read_bytes() for path in (home / "2026-11-15").iterdir()}
    assert sorted(was) == ["figures.json", "report.html", "run.ipynb", "scores.txt", "summary.txt", "tables.xlsx"]

    # One fails in a cell, one loses its kernel, and a third goes on.
    params_file(project, "20_pipeline_review", "demo", breakdown="raise")
    ends = params_file(project, "20_pipeline_review", "ends", breakdown="end")
    third = params_file(project, "20_pipeline_review", "third", source="Published all the same.")
    failed = outside(project, "run", str(good), str(ends), str(third))
    assert failed.returncode == 1
    assert failed.stdout == "1 of 3 reports published; see reports/index.html\n"
    assert (
        "20_pipeline_review demo: failed: ValueError: the third cell failed\n"
        "  kept in reports/20_pipeline_review/demo/failed: run.ipynb, error.txt\n"
    ) in failed.stderr
    assert "Traceback" not in failed.stderr
    assert {path.name: path.read_bytes() for path in (home / "2026-11-15").iterdir()} == was
    kept = json.loads((home / "failed" / "run.ipynb").read_text())
    outputs = [output for cell in kept["cells"] for output in cell.get("outputs", [])]
    assert any(output.get("evalue") == "the third cell failed" for output in outputs)
    assert "the third cell failed" in (home / "failed" / "error.txt").read_text()
    index = (project / "reports" / "index.html").read_text()
    assert "failed, last good report kept" in index
    assert "failed, no report yet" in index
    assert "Published all the same." in index


def test_lab_opens_the_notebooks_of_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(subprocess, "call", lambda command: called.append(command) or 0)
    assert said("lab").exit_code == 0
    assert called == [
        [
            shutil.which("jupyter-lab", path=str(Path(sys.executable).parent)),
            "--notebook-dir",
            str(project),
            str(project / "notebooks"),
        ]
    ]
