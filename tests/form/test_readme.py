"""The README is true: its links lead somewhere, its commands exist, its notebook table is complete."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from smarketing.company.inputs import open_company
from smarketing.run.cli import main
from smarketing.run.plans import PipelineReview, read_plan
from tests_root import ROOT

PAGES = ("README.md", "ARCHITECTURE.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_of_the_project(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_that_are_named_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z]+)", (ROOT / page).read_text(), flags=re.MULTILINE))
    assert named <= targets


def test_commands_that_are_named_exist() -> None:
    named = set(re.findall(r"smarketing (run|check|demo|lab|ledger|[a-z]+) ", (ROOT / "README.md").read_text()))
    assert named <= set(main.commands)
    for command in main.commands:
        assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0


def test_params_files_that_are_named_exist() -> None:
    named = set(re.findall(r"params/[\w/]+\.yml", (ROOT / "README.md").read_text()))
    assert {path for path in named if "yours" not in path and not (ROOT / path).is_file()} == set()


def test_every_notebook_is_in_the_table_with_its_question() -> None:
    table = (ROOT / "README.md").read_text()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        question = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")
        assert f"| [`{path.stem}`](notebooks/{path.name}) | {question} |" in table


def example(beginning: str) -> str:
    """Return the README's YAML example that begins so."""
    found = re.findall(r"^   ```yaml\n(.*?)^   ```$", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    (text,) = [text for text in map(textwrap.dedent, found) if text.startswith(beginning)]
    return text


def test_the_input_file_of_step_1_opens_two_small_csv_files(tmp_path: Path) -> None:
    inputs, data = tmp_path / "params" / "inputs" / "yours.yml", tmp_path / "data" / "yours"
    inputs.parent.mkdir(parents=True)
    data.mkdir(parents=True)
    inputs.write_text(example("name:"))
    (data / "leads.csv").write_text("Id,Created\nl1,2026-01-05\nl2,2026-02-06\n")
    (data / "deals.csv").write_text(
        "Id,Created,Closed,Status,Amount\nd1,2026-01-10,2026-03-01,Won,1200\nd2,2026-01-12,2026-02-01,Lost,900\n"
        "d3,2026-02-01,,Open,500\n"
    )
    company = open_company(inputs)
    assert company.table("leads").count().execute() == 2
    deals = company.table("opportunities").order_by("opportunity_id").execute()
    assert deals["outcome"].tolist() == ["won", "lost", "open"]
    assert deals["amount"].tolist() == [1200.0, 900.0, 500.0]


def test_the_params_file_of_step_4_names_every_key(tmp_path: Path) -> None:
    path = tmp_path / "20_pipeline_review" / "yours.yml"
    path.parent.mkdir()
    path.write_text(example("case:"))
    plan = read_plan(path)
    assert isinstance(plan, PipelineReview)
    assert set(re.findall(r"^(\w+):", path.read_text(), flags=re.MULTILINE)) == set(type(plan).model_fields)
