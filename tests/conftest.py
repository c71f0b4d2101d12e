"""What many tests share: engines, one browser, and where the public data sets are (companies: `small_companies`)."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ibis
import pytest

from browsing import FLAGS

ROOT = Path(__file__).parent.parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave simulations and benchmarks out unless `-m` asks for them."""
    if config.getoption("-m"):
        return
    for item in items:
        for mark in ("validate", "bench"):
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=f"long: run by `make {mark}`"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where skips are forbidden (continuous integration), a missing browser or server fails instead of hiding."""
    report = yield
    if os.environ.get("SMARKETING_NO_SKIPS") and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "long: run by" not in reason and "the public data set" not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped where that is forbidden: {reason}"
    return report


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL in a temporary folder, as a connection address; stopped at the end, its folder removed.

    Run by root, the server is another user's. pytest closes the folder that all its temporary ones are in to others
    whenever a session starts, which would take the data from under it: it has a folder of its own.
    """
    pgserver = pytest.importorskip("pgserver", reason="PostgreSQL: the package pgserver is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[ibis.BaseBackend]:
    """An empty schema on the real PostgreSQL, as an ibis backend."""
    backend = ibis.connect(postgres_server.replace("postgresql://", "postgres://"))
    backend.raw_sql("drop schema if exists public cascade; create schema public").close()
    yield backend
    # Tables kept in the engine are dropped while there is a connection, also those that a caught error still holds.
    gc.collect()
    backend.disconnect()


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> ibis.BaseBackend:
    """Each engine that every measure has to run on."""
    return ibis.duckdb.connect() if request.param == "duckdb" else request.getfixturevalue("postgres")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium, one for the whole session (two cannot run in a process); skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("Chromium is not installed (Debian package chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=found, args=list(FLAGS), headless=True)
        yield running
        running.close()


@pytest.fixture(scope="session")
def public_data() -> Callable[[str, str], Path]:
    """Give the folder of a public data set, or skip with what is missing."""

    def folder_of(name: str, folder: str) -> Path:
        found = Path(os.environ.get(f"SMARKETING_{name.upper()}_DATA", ROOT.parent / "shared" / "data" / folder))
        if not found.is_dir():
            pytest.skip(f"the public data set {name} is not here: set SMARKETING_{name.upper()}_DATA to its folder")
        return found

    return folder_of
