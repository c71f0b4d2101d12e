"""The README is true: its links lead somewhere, its commands exist, its notebook table is complete."""

from __future__ import annotations

import re

import nbformat
import pytest
from click.testing import CliRunner

from smarketing.run.cli import main
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
