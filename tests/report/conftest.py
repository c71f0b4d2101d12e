"""One export of each sample for the whole session, and pages opened in the browser."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
import scoring_samples
from matplotlib.figure import Figure

from browsing import show
from smarketing.report.charts import canvas
from smarketing.report.exporter import Exported, export
from smarketing.report.index_page import IndexRow, index_page

LOCAL = ("file:", "data:", "blob:", "about:")
INDEX_ROWS = (
    IndexRow(
        question="Where does the one pipeline stand?",
        case="demo",
        as_of="15 Nov 2026",
        headline="Lead quality rose by 2.4 points.",
        state="ok",
        link="demo/2026-11-15/report.html",
        counts=(("key figures", "9"), ("checks passed", "4 of 5")),
    ),
    IndexRow(
        question="Are we aligned?",
        case=samples.HOSTILE[0],
        as_of="1 Nov 2026",
        headline=samples.HOSTILE[1],
        state="failed, last good report kept",
        link="emea/2026-11-01/report.html",
        detail="data check DR05 failed: targets do not cover the scope",
    ),
    IndexRow(question="Are we aligned?", case="apac", as_of="", headline="", state="never ran"),
)


@pytest.fixture(scope="session")
def exports() -> dict[str, Exported]:
    """Every sample, exported once."""
    runner = samples.runner_blocks()
    return {
        "full": export(samples.pipeline_notebook(), kicker="Acme Revenue Operations", blocks=runner),
        "mirrored": export(samples.pipeline_notebook(-1), kicker="Acme Revenue Operations", blocks=runner),
        "thin": export(samples.thin_notebook(), kicker="Acme Revenue Operations"),
        "scoring": export(scoring_samples.notebook(), kicker="Acme Revenue Operations"),
        "hostile": export(samples.hostile_notebook(), kicker=samples.HOSTILE[0], confidentiality=samples.HOSTILE[1]),
    }


@pytest.fixture(scope="session")
def pages(exports: dict[str, Exported], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every sample's page, and the index, as files."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {name: exported.html for name, exported in exports.items()} | {"index": index_page(INDEX_ROWS)}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file at a width and in a colour scheme; every request that would leave the machine is an error."""
    contexts: list[Any] = []
    asked: list[str] = []

    def gate(route: Any) -> None:
        if route.request.url.startswith(LOCAL):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    def open_page(path: Path, *, width: int = 1280, scheme: str = "light", bypass_csp: bool = False) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=bypass_csp
        )
        contexts.append(context)
        context.route("**/*", gate)
        page = context.new_page()
        show(page, path.resolve())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility rules, as the script that the package carries."""
    return (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Figure]]:
    """Every figure that a builder paints, laid out, so that its texts can be measured."""
    figures: list[Figure] = []

    def keep(identity: str, alt: str, paint: Callable[[canvas.Sheet], Figure]) -> tuple[str, str]:
        figures.extend(canvas.painted(paint, sheet) for sheet in (canvas.WIDE, canvas.NARROW))
        return "", ""

    monkeypatch.setattr(canvas, "drawn_twice", keep)
    yield figures
