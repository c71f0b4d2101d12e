"""A run publishes all of its report or nothing, and a failed one is told beside the last good report."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from stub_projects import stub_project

from small_projects import executed_here, params_file
from smarketing.run import suite
from smarketing.run.ledger import Ledger
from smarketing.run.plans import PlanError
from smarketing.run.suite import read_runs, run_all, run_one, workers_for

FILES = ["figures.json", "report.html", "run.ipynb", "scores.txt", "summary.txt", "tables.xlsx"]
CASE = Path("20_pipeline_review") / "demo"


class Here(ThreadPoolExecutor):
    """Runs in this process, one at a time."""

    def __init__(self, workers: int, mp_context: object = None) -> None:
        super().__init__(1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    laid = stub_project(tmp_path / "company")
    monkeypatch.chdir(laid)
    monkeypatch.setattr(suite, "ProcessPoolExecutor", Here)
    return laid


def ran(project: Path, monkeypatch: pytest.MonkeyPatch, case: str = "demo", **values: object) -> list[suite.RunResult]:
    said: list[str] = []
    params = params_file(project, "20_pipeline_review", case, **values)
    with executed_here(monkeypatch):
        results = run_all(read_runs([params]), reports=project / "reports", say=said.append)
    assert said[0] == f"20_pipeline_review {case}: started"
    assert said[-1].startswith(f"20_pipeline_review {case}: {'published' if results[0].folder else 'failed'}")
    return results


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_failed_run_leaves_the_last_good_report_as_it_was(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = project / "reports" / CASE
    (good,) = ran(project, monkeypatch)
    assert good.folder == home / "2026-11-15"
    was = contents(good.folder)
    assert sorted(was) == FILES
    index = (project / "reports" / "index.html").read_text()
    assert "All is well." in index and "failed" not in index

    (bad,) = ran(project, monkeypatch, breakdown="raise")
    assert (bad.folder, bad.error) == (None, "ValueError: the third cell failed")
    assert contents(good.folder) == was
    assert (home / "failed" / "error.txt").read_text().startswith("ValueError: the third cell failed\n\nTraceback")
    index = (project / "reports" / "index.html").read_text()
    assert "failed, last good report kept" in index
    assert "the third cell failed" in index
    assert 'href="20_pipeline_review/demo/2026-11-15/report.html"' in index
    (state,) = Ledger(project / "reports").states()
    assert (state.state, state.as_of, state.failed_as_of) == ("failed", date(2026, 11, 15), "2026-11-15")

    # What was printed makes a page unfit, and the executed notebook shows where.
    (unfit,) = ran(project, monkeypatch, breakdown="print")
    assert unfit.error == (
        "The report is not fit to publish:\n"
        "- cell 4: stderr says 'a note to myself'. Nothing may be printed; show a block."
    )
    # A message for the reader needs no trace, and the index shows the last line of it without its bullet.
    assert (home / "failed" / "error.txt").read_text() == f"{unfit.error}\n"
    index = (project / "reports" / "index.html").read_text()
    assert '<p class="detail">cell 4: stderr says' in index
    assert "a note to myself" in (home / "failed" / "run.ipynb").read_text()
    assert contents(good.folder) == was

    (again,) = ran(project, monkeypatch, source="Better still.")
    assert again.folder == good.folder
    assert not (home / "failed").exists()
    assert (good.folder / "report.html").read_bytes() != was["report.html"]
    index = (project / "reports" / "index.html").read_text()
    assert "Better still." in index and "failed" not in index
    assert [path.name for path in (project / "reports" / ".staging").iterdir()] == []


def test_a_report_that_puts_others_together_is_not_run_after_one_of_them_failed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [params_file(project, "20_pipeline_review", "demo"), params_file(project, "20_pipeline_review", "other")]
    (project / "params" / "90_alignment_report").mkdir()
    # The stub stands for it; what counts is that it is not asked.
    own = {"definitions": "params/definitions.yml", "decisions": None}
    paths += [params_file(project, "90_alignment_report", case, **own) for case in ("demo", "other")]
    asked: list[tuple[str, str]] = []

    def run_stub(params: Path, reports: Path, root: Path) -> suite.RunResult:
        notebook, case = params.parent.name, params.stem
        asked.append((notebook, case))
        fails = (notebook, case) == ("20_pipeline_review", "demo")
        return suite.RunResult(notebook, case, None if fails else reports, "it failed" if fails else "")

    monkeypatch.setattr(suite, "run_one", run_stub)
    said: list[str] = []
    results = run_all(read_runs(paths), reports=project / "reports", say=said.append)
    assert {(result.notebook, result.case): result.error for result in results} == {
        ("20_pipeline_review", "demo"): "it failed",
        ("20_pipeline_review", "other"): "",
        ("90_alignment_report", "demo"): "not run: 20_pipeline_review failed",
        ("90_alignment_report", "other"): "",
    }
    assert ("90_alignment_report", "demo") not in asked
    assert ("90_alignment_report", "other") in asked
    assert "90_alignment_report demo: not run: 20_pipeline_review failed" in said
    index = (project / "reports" / "index.html").read_text()
    assert '<p class="detail">not run: 20_pipeline_review failed</p>' in index


def test_a_first_run_that_fails_is_listed_without_a_link(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(project, monkeypatch, breakdown="raise")
    index = (project / "reports" / "index.html").read_text()
    assert "failed, no report yet" in index
    assert "report.html" not in index
    # It never published, so the notebook says what it asks.
    assert "<h2>Does the runner run?</h2>" in index


def test_a_later_day_stands_beside_the_earlier_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(project, monkeypatch, as_of="2026-11-01")
    ran(project, monkeypatch)
    home = project / "reports" / CASE
    assert sorted(path.name for path in home.iterdir()) == ["2026-11-01", "2026-11-15"]
    assert "demo/2026-11-15/report.html" in (project / "reports" / "index.html").read_text()
    assert "demo/2026-11-01/report.html" not in (project / "reports" / "index.html").read_text()


def test_an_error_in_the_ledger_keeps_the_report_and_says_what_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (good,) = ran(project, monkeypatch)
    assert good.folder is not None
    was = contents(good.folder)
    ledger = project / "reports" / "ledger.sqlite"
    ledger.write_bytes(b"this is not a database, and long enough to be looked at " * 20)
    params = params_file(project, "20_pipeline_review", "demo", source="Never seen.")
    with executed_here(monkeypatch), pytest.raises(Exception, match="Make it anew: smarketing ledger rebuild"):
        run_one(params, project / "reports", project)
    assert contents(good.folder) == was
    assert Ledger(project / "reports").rebuild() == 1


def test_everything_wrong_with_the_runs_is_told_before_any_starts(project: Path) -> None:
    (project / "params" / "bad.yml").write_text(
        "runs: [params/20_pipeline_review/no.yml, params/20_pipeline_review/b.yml]"
    )
    params_file(project, "20_pipeline_review", "b", regoin="x")
    text = project / "params" / "text.yml"
    text.write_text("runs: params/20_pipeline_review/demo.yml")
    twice = params_file(project, "20_pipeline_review", "twice", case="demo")
    own = {"definitions": "params/definitions.yml", "decisions": None}
    wrong = params_file(
        project, "20_pipeline_review", "files", targets="params/target.yml", inputs="params/inputs/dem.yml", **own
    )
    with pytest.raises(PlanError) as refused:
        read_runs([project / "params" / "bad.yml", text, twice, project / "params" / "suite.yml", wrong])
    said = str(refused.value)
    folder = project / "params"
    for words in (
        f"Params file {folder}/20_pipeline_review/no.yml: there is no params file no.yml; in its folder: b.yml, "
        "crm_opportunities.yml, demo.yml, files.yml, olist.yml, twice.yml.",
        f"Suite {text}: runs is 'params/20_pipeline_review/demo.yml'; write a list of params files, one a line.",
    ):
        assert words in said.splitlines()
    assert "regoin: there is no such name. Did you mean 'region'?" in said
    assert "20_pipeline_review demo is asked for twice. Keep one, or name another case." in said
    assert f"Targets file {folder}/target.yml does not exist." in said
    assert not (project / "reports").exists()


def test_workers_are_two_or_as_many_as_there_are_runs_or_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert [workers_for(range(n)) for n in (0, 1, 2, 9)] == [1, 1, 2, 2]
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert workers_for(range(9)) == 1
