"""The standard, measured in a real browser on the reports that the suite publishes."""

from __future__ import annotations

import importlib.resources
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from browsing import show
from conftest import Suite

PAGES = (
    "20_pipeline_review",
    "40_lead_scoring",
    "45_score_leads",
    "65_experiment_readout",
    "90_alignment_report",
    "index",
)
SCORED = ("40_lead_scoring", "45_score_leads", "65_experiment_readout")
MOST_PAGES, LEAST_TILES = (
    8,
    {
        "20_pipeline_review": 6,
        "40_lead_scoring": 6,
        "45_score_leads": 4,
        "65_experiment_readout": 1,
        "90_alignment_report": 6,
    },
)
AXE = """async () => {
  document.querySelectorAll('details').forEach(d => d.open = true);
  const result = await axe.run(document, {resultTypes: ['violations']});
  return result.violations.map(v => v.id + ' at ' + v.nodes[0].target.join(' '));
}"""
OVERFLOW = """() => { document.querySelectorAll('details').forEach(d => d.open = true);
  return document.documentElement.scrollWidth - document.documentElement.clientWidth; }"""


@pytest.fixture(scope="module")
def axe() -> str:
    return (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages(demo: Suite, scored: Suite) -> dict[str, Path]:
    """The pages by name: those of the score are the larger company's."""
    made = {name: (scored if name in SCORED else demo).report(name) / "report.html" for name in PAGES[:-1]}
    return made | {"index": scored.reports / "index.html"}


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_no_reader_scrolls_sideways(
    pages: dict[str, Path], browser: Any, axe: str, name: str
) -> None:
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"), (320, "light")):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True, offline=True
        )
        page = context.new_page()
        show(page, pages[name])
        if width < 1280:
            assert page.evaluate(OVERFLOW) == 0, (name, width)
        if width > 320:
            page.add_script_tag(content=axe)
            assert page.evaluate(AXE) == [], (name, width, scheme)
        context.close()


@pytest.fixture(scope="module")
def printed(pages: dict[str, Path], browser: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if not shutil.which("pdfinfo"):
        pytest.skip("poppler-utils are not installed")
    folder = tmp_path_factory.mktemp("printed")
    for name in PAGES:
        page = browser.new_page(color_scheme="dark")
        show(page, pages[name])
        page.pdf(path=folder / f"{name}.pdf", prefer_css_page_size=True, print_background=True, tagged=True)
        page.close()
    return {name: folder / f"{name}.pdf" for name in PAGES}


def said_by(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", PAGES)
def test_the_print_is_short_tagged_and_small(printed: dict[str, Path], name: str) -> None:
    info, fonts = said_by("pdfinfo", printed[name]), said_by("pdffonts", printed[name])
    found = re.search(r"Pages:\s+(\d+)", info)
    assert found and int(found[1]) <= MOST_PAGES
    assert re.search(r"Tagged:\s+yes", info)
    assert "Type 3" not in fonts
    assert printed[name].stat().st_size < 500_000


@pytest.mark.parametrize("name", PAGES[:-1])
def test_page_1_holds_bottom_line_key_numbers_and_decisions(
    pages: dict[str, Path], printed: dict[str, Path], name: str
) -> None:
    first = " ".join(said_by("pdftotext", "-layout", "-l", "1", printed[name], "-").split())
    lines = pages[name].with_name("summary.txt").read_text(encoding="utf-8").splitlines()
    tiles = [line.split(": ")[0][2:] for line in lines if line[:1] in "▲▼◆●–○"]
    decisions = [line.split(" (")[0][2:] for line in lines[lines.index("Decisions") :] if line.startswith("- ")]
    assert len(tiles) >= LEAST_TILES[name] and len(decisions) == 5
    assert "15 Nov 2026" in first
    # Labels and sentences are set over several lines, in columns beside others: their first words are looked for.
    for words in ["The bottom line", "Key numbers", *decisions, *(tile.split(",")[0][:18] for tile in tiles)]:
        assert " ".join(words.split()[:3]) in first, words


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light(pages: dict[str, Path], name: str) -> None:
    assert pages[name].stat().st_size < 1_500_000
