"""`smarketing init`: a draft that the pipeline review runs on as it is, and that is never overwritten."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from small_projects import params_file, project_at, run_here
from smarketing.company.definitions import read_definitions
from smarketing.run.cli import main


def test_the_demo_companys_draft_is_read_and_reported_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = project_at(tmp_path / "company", leads=3_000)
    monkeypatch.chdir(project)
    told = CliRunner().invoke(main, ["init", "params/inputs/demo.yml"])
    assert told.exit_code == 0, told.output
    drafted = project / "params" / "definitions_demo.yml"
    assert told.stdout == (
        "params/definitions_demo.yml is drafted. Every entry is assumed: go through it with sales and marketing.\n"
    )
    found, agreed = read_definitions(drafted), read_definitions(project / "params" / "definitions.yml")
    # What both teams agreed on can be told from the data.
    assert [stage.stage for stage in found.stages.funnel] == [stage.stage for stage in agreed.stages.funnel]
    assert {exit_.stage for exit_ in found.stages.exits} == {exit_.stage for exit_ in agreed.stages.exits}
    assert {entry.state for _, entry in found.entries()} == {"assumed"}
    assert found.changed <= date.today()

    params = params_file(
        project,
        "20_pipeline_review",
        "drafted",
        definitions="params/definitions_demo.yml",
        targets=None,
        decisions=None,
    )
    result = run_here(monkeypatch, params, project / "reports")
    assert result.error == ""
    assert result.folder is not None
    assert "assumed, not agreed" in (result.folder / "report.html").read_text()

    before = drafted.read_text()
    again = CliRunner().invoke(main, ["init", "params/inputs/demo.yml"])
    assert again.exit_code == 2
    assert again.stderr == (
        "params/definitions_demo.yml is there already and is not overwritten. Edit it, or move it away.\n"
    )
    assert drafted.read_text() == before


def test_data_that_are_wrong_leave_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = project_at(tmp_path / "company")
    monkeypatch.chdir(project)
    (project / "leads.csv").write_text("Id,At\na,2026-01-01\n")
    columns = {"lead_id": "Id", "created_at": "At"}
    said = {"name": "Ours", "data": {"folder": "."}, "tables": {"leads": {"file": "leads.csv", "columns": columns}}}
    (project / "params" / "inputs" / "ours.yml").write_text(yaml.safe_dump(said))
    told = CliRunner().invoke(main, ["init", "params/inputs/ours.yml"])
    assert told.exit_code == 1
    assert "Nothing can be drafted: neither a `stage_events` nor an `opportunities` table is mapped." in told.stderr
    assert not (project / "params" / "definitions_ours.yml").exists()
