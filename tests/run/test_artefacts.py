"""Files beside a report: published with it, found again by the day they were made for."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from small_projects import project_at
from smarketing.run.artefacts import RUN_FOLDER, folder_of, published
from smarketing.run.plans import PipelineReview


def test_a_notebook_run_by_hand_writes_drafts_and_the_runner_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_at(tmp_path / "company")
    monkeypatch.chdir(project)
    monkeypatch.delenv(RUN_FOLDER, raising=False)
    assert folder_of(PipelineReview()) == project / "reports" / "drafts" / "20_pipeline_review" / "demo"
    monkeypatch.setenv(RUN_FOLDER, str(tmp_path / "staging"))
    assert folder_of(PipelineReview()) == tmp_path / "staging"
    assert (tmp_path / "staging").is_dir()


def test_the_latest_published_file_by_a_day_is_found(tmp_path: Path) -> None:
    for day in ("2026-10-01", "2026-11-01", "failed"):
        folder = tmp_path / "40_lead_scoring" / "demo" / day
        folder.mkdir(parents=True)
        (folder / "scores.parquet").touch()
    by = {"reports": tmp_path, "notebook": "40_lead_scoring", "case": "demo", "name": "scores.parquet"}

    def day_of(until: date) -> str:
        found = published(**by, until=until)  # type: ignore[arg-type]
        return "" if found is None else found.parent.name

    assert day_of(date(2026, 12, 1)) == "2026-11-01"
    assert day_of(date(2026, 10, 31)) == "2026-10-01"
    assert day_of(date(2026, 9, 30)) == ""
