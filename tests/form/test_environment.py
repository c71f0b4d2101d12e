"""environment.yml says the same as pyproject.toml, every dependency says why, and the lock names no host."""

from __future__ import annotations

import re
import tomllib
from itertools import chain

import yaml
from packaging.requirements import Requirement

from tests_root import ROOT

# What conda-forge calls a package, where its name differs from PyPI's (extras are packages of their own there).
CONDA = {
    "ibis-framework[duckdb]": "ibis-duckdb",
    "ibis-framework[postgres]": "ibis-postgres",
    "duckdb": "python-duckdb",
    "matplotlib": "matplotlib-base",
    "tzdata": "python-tzdata",
    "fonttools[woff]": "fonttools",
}
ONLY_CONDA = {"python": ">=3.11", "pip": "", "brotli-python": ""}


def in_pyproject() -> dict[str, str]:
    """Requirements of pyproject.toml by name with extras: version range, and marker where there is one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = {}
    for text in [*project["dependencies"], *chain(*project["optional-dependencies"].values())]:
        one = Requirement(text)
        if one.name != "smarketing":
            name = one.name + (f"[{','.join(sorted(one.extras))}]" if one.extras else "")
            found[name] = f"{one.specifier}" + (f"; {one.marker}" if one.marker else "")
    return found


def test_conda_lists_the_same_packages_in_the_same_ranges() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    by_pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    assert by_pip.pop() == "-e ."
    found = {}
    for text in [entry for entry in listed if isinstance(entry, str)] + by_pip:
        one = Requirement(text)
        found[one.name] = f"{one.specifier}" + (f"; {one.marker}" if one.marker else "")
    wanted = {CONDA.get(name, name): spec for name, spec in in_pyproject().items()}
    assert found == wanted | ONLY_CONDA


def test_every_dependency_says_why_it_is_there() -> None:
    for name, entry in (
        ("pyproject.toml", r'^  "(?!smarketing)[a-z][^"]*[<>=].*",'),
        ("environment.yml", r"^ +- [a-z\"].*[<>=]"),
    ):
        lines = [line for line in (ROOT / name).read_text().splitlines() if re.match(entry, line)]
        assert len(lines) > 30
        assert [line for line in lines if "# " not in line and line.strip() != "- python>=3.11"] == []


def test_the_lock_has_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "index-url" not in lock and "find-links" not in lock
    pinned = re.findall(r"^([a-z0-9][^\s=]*)==", lock, flags=re.MULTILINE)
    entries = re.split(r"^(?=[a-z0-9][^\s=]*==)", lock, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pinned) > 100
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    named = {Requirement(name).name.lower() for name in in_pyproject()}
    assert sorted(named - {re.sub(r"\[.*", "", name) for name in pinned}) == []
