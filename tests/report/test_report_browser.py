"""The standard, measured in a real browser on exported pages."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
from PIL import Image

from browsing import show
from smarketing.report.exporter import export

NAMES = ("full", "scoring", "thin", "hostile", "index")
RUN_AXE = """async () => {
  document.querySelectorAll('details').forEach(d => d.open = true);
  const result = await axe.run(document, {resultTypes: ['violations']});
  return result.violations.map(v => v.id + ' at ' + v.nodes[0].target.join(' '));
}"""
TEXTS = """() => {
  const found = [];
  for (const e of document.body.querySelectorAll('*')) {
    if (![...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim())) continue;
    if (!(e.getBoundingClientRect().width > 0) || getComputedStyle(e).clipPath !== 'none') continue;
    let size = parseFloat(getComputedStyle(e).fontSize);
    const svg = e.closest('svg');
    if (svg && e !== svg) { const m = e.getScreenCTM(); if (m) size *= Math.hypot(m.a, m.b); }
    found.push([Math.round(size * 10) / 10, e.textContent.trim().slice(0, 40)]);
  }
  return found.sort((a, b) => a[0] - b[0]).slice(0, 3);
}"""
OVERFLOW = """() => { document.querySelectorAll('details').forEach(d => d.open = true);
  return document.documentElement.scrollWidth - document.documentElement.clientWidth; }"""
COLLISIONS = """() => {
  const found = [];
  for (const svg of document.querySelectorAll('figure svg')) {
    const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()])
      .filter(([, r]) => r.width > 0);
    const around = svg.getBoundingClientRect();
    texts.forEach(([word, a], i) => {
      if (a.left < around.left - 2 || a.right > around.right + 2) found.push('out of the figure: ' + word);
      texts.slice(i + 1).forEach(([other, b]) => {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        // Line boxes are taller than letters: a shared strip of 4 px is blank.
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 1 && high > 4) found.push(word + ' | ' + other);
      });
    });
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_violation_with_every_fold_open(
    pages: dict[str, Path], opened: Callable[..., Any], axe: str, name: str, width: int, scheme: str
) -> None:
    page = opened(pages[name], width=width, scheme=scheme, bypass_csp=True)
    page.add_script_tag(content=axe)
    assert page.evaluate(RUN_AXE) == []


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("name", NAMES)
def test_a_phone_need_not_scroll_sideways(
    pages: dict[str, Path], opened: Callable[..., Any], name: str, width: int
) -> None:
    assert opened(pages[name], width=width).evaluate(OVERFLOW) == 0


WIDE = """() => { document.querySelectorAll('details').forEach(d => d.open = true);
  // Letters and lines would hide what is behind them.
  document.head.append(Object.assign(document.createElement('style'),
    {textContent: '.scroll *{color:transparent!important;border-color:transparent!important;' +
      'background:none!important}'}));
  const boxes = [...document.querySelectorAll('.scroll')];
  boxes.forEach((box, i) => box.id = 'box-' + i);
  return ['wide', 'fits'].map(kind => boxes.findIndex(b => (b.scrollWidth > b.clientWidth + 40) === (kind === 'wide')));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_table_that_goes_on_beside_the_screen_shows_a_shade_at_that_edge(
    pages: dict[str, Path], opened: Callable[..., Any], scheme: str
) -> None:
    page = opened(pages["full"], width=390, scheme=scheme, bypass_csp=True)
    wide, fits = page.evaluate(WIDE)
    assert min(wide, fits) >= 0, "one table is wider than a phone, another is not"

    def shaded(box: int) -> tuple[bool, ...]:
        """Whether the left and the right edge differ from the middle."""
        shot = Image.open(io.BytesIO(page.locator(f"#box-{box}").screenshot())).convert("L")
        height, middle = shot.height // 2, shot.getpixel((shot.width // 2, shot.height // 2))
        return tuple(abs(shot.getpixel((x, height)) - middle) > 12 for x in (1, shot.width - 2))

    assert shaded(fits) == (False, False)
    assert shaded(wide) == (False, True)
    page.evaluate(f"document.getElementById('box-{wide}').scrollLeft = 20")
    assert shaded(wide) == (True, True)
    page.evaluate(f"document.getElementById('box-{wide}').scrollLeft = 9999")
    assert shaded(wide) == (True, False)


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_under_11_px_on_a_phone(pages: dict[str, Path], opened: Callable[..., Any], name: str) -> None:
    smallest = opened(pages[name], width=390).evaluate(TEXTS)
    assert smallest[0][0] >= 11, smallest


@pytest.mark.parametrize("width", [1280, 1000, 660, 390])
@pytest.mark.parametrize("name", ["full", "mirrored", "scoring"])
def test_labels_in_charts_do_not_collide_in_the_browser(
    pages: dict[str, Path], opened: Callable[..., Any], name: str, width: int
) -> None:
    assert opened(pages[name], width=width).evaluate(COLLISIONS) == []


@pytest.mark.parametrize(("width", "shown"), [(1280, ".v-wide"), (390, ".v-narrow")])
def test_a_container_query_chooses_one_drawing(
    pages: dict[str, Path], opened: Callable[..., Any], width: int, shown: str
) -> None:
    page = opened(pages["full"], width=width)
    drawn = page.evaluate("() => [...document.querySelectorAll('figure svg')].filter(s => s.clientWidth).length")
    assert drawn == page.locator("figure").count() == page.locator(f"{shown} svg:visible").count()


def test_the_content_security_policy_refuses_an_injected_script_and_image(
    pages: dict[str, Path], opened: Callable[..., Any]
) -> None:
    page = opened(pages["full"])
    refused = page.evaluate(
        """() => new Promise(done => {
          const refused = [];
          document.addEventListener('securitypolicyviolation', e => {
            refused.push(e.effectiveDirective.replace('-elem', ''));
            if (refused.length === 2) done(refused.sort());
          });
          const script = document.createElement('script');
          script.textContent = 'window.injected = true';
          document.body.append(script);
          const image = document.createElement('img');
          image.src = 'https://example.invalid/pixel.png';
          document.body.append(image);
          setTimeout(() => done(refused.sort()), 3000);
        })"""
    )
    assert refused == ["img-src", "script-src"]
    assert page.evaluate("window.injected === undefined")


def test_the_theme_switch_works_without_javascript(pages: dict[str, Path], browser: Any) -> None:
    context = browser.new_context(
        java_script_enabled=False, color_scheme="light", viewport={"width": 390, "height": 800}
    )
    page = context.new_page()
    show(page, pages["full"])
    dark = page.locator("label", has_text="Dark")
    before = page.screenshot(clip={"x": 0, "y": 300, "width": 5, "height": 5})
    dark.click()
    after = page.screenshot(clip={"x": 0, "y": 300, "width": 5, "height": 5})
    assert page.locator("#th-dark").is_checked()
    assert before != after
    context.close()


@pytest.mark.parametrize("name", ["full", "thin", "index"])
def test_nothing_shifts_and_nothing_runs(pages: dict[str, Path], opened: Callable[..., Any], name: str) -> None:
    page = opened(pages[name], width=390)
    shift = page.evaluate(
        """() => new Promise(done => new PerformanceObserver(list =>
             done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0)))
             .observe({type: 'layout-shift', buffered: true}) || setTimeout(() => done(0), 300))"""
    )
    assert shift == 0
    assert page.locator("script").count() == 0


def test_hostile_words_are_shown_as_text(pages: dict[str, Path], opened: Callable[..., Any]) -> None:
    page = opened(pages["hostile"])
    page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.locator("img").count() == page.locator("[onerror]").count() == 0
    text = page.inner_text("body")
    for words in samples.HOSTILE:
        assert text.count(words) > 10
    assert samples.HOSTILE[0] in page.locator("figure svg text").all_text_contents()
    assert samples.HOSTILE[1] in page.locator("figure svg").first.get_attribute("aria-label")


@pytest.fixture(scope="module")
def printed(pages: dict[str, Path], browser: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every page as a PDF, printed by a reader in dark mode."""
    if not shutil.which("pdfinfo"):
        pytest.skip("poppler-utils are not installed")
    folder = tmp_path_factory.mktemp("printed")
    for name, path in pages.items():
        context = browser.new_context(color_scheme="dark")
        page = context.new_page()
        show(page, path)
        page.pdf(
            path=folder / f"{name}.pdf", prefer_css_page_size=True, print_background=True, tagged=True, outline=True
        )
        context.close()
    return {name: folder / f"{name}.pdf" for name in pages}


def said_by(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_print_is_short_tagged_and_light(printed: dict[str, Path], name: str) -> None:
    info, fonts = said_by("pdfinfo", printed[name]), said_by("pdffonts", printed[name])
    found = re.search(r"Pages:\s+(\d+)", info)
    assert found and int(found[1]) <= 8
    assert re.search(r"Tagged:\s+yes", info)
    assert "Type 3" not in fonts and "TrueType" in fonts
    assert printed[name].stat().st_size < 500_000


def test_page_1_of_the_print_is_a_complete_brief(printed: dict[str, Path]) -> None:
    first = said_by("pdftotext", "-layout", "-l", "1", printed["full"], "-")
    for words in (
        "Where does the one pipeline stand?",
        "15 Nov 2026",
        "4 of 5 passed",
        "Lead quality rose by 2.4 points",
        "Losses to Northwind rose.",
        "95% interval 41.0% to 45.4%",
        "Ahead of target",
        "12 accounts, at least 30 are needed",
        "Route unknown-origin leads to the fast lane",
        "Review the definition of opportunity",
        "Page 1 of",
        "Confidential",
    ):
        assert words in " ".join(first.split()), words
    second = said_by("pdftotext", "-layout", "-f", "2", "-l", "2", printed["full"], "-")
    assert second.strip().startswith("Where we stand")


def test_a_long_brief_is_set_tighter_and_still_fits_page_1(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "long.html").write_text(export(samples.long_brief_notebook(), kicker="x").html, encoding="utf-8")
    page = browser.new_page()
    show(page, tmp_path / "long.html")
    page.pdf(path=tmp_path / "long.pdf", prefer_css_page_size=True)
    page.close()
    if not shutil.which("pdftotext"):
        pytest.skip("poppler-utils are not installed")
    second = said_by("pdftotext", "-layout", "-f", "2", "-l", "2", tmp_path / "long.pdf", "-")
    assert second.strip().startswith("Evidence")


def test_folds_print_open_and_dark_readers_print_on_white(printed: dict[str, Path], tmp_path: Path) -> None:
    text = " ".join(said_by("pdftotext", printed["full"], "-").split())
    for words in ("Wilson intervals", "A difference between groups is not a cause", "Mature cohort", "Competing exits"):
        assert words in text
    subprocess.run(["pdftoppm", "-r", "20", "-l", "1", "-gray", printed["full"], tmp_path / "page"], check=True)
    pixels = next(tmp_path.glob("page*.pgm")).read_bytes()[-2000:]
    assert sum(pixels) / len(pixels) > 230


@pytest.mark.parametrize("name", NAMES)
def test_html_validate_finds_nothing(pages: dict[str, Path], name: str) -> None:
    tool = shutil.which("html-validate")
    if not tool:
        pytest.skip("html-validate is not installed (npm package html-validate)")
    result = subprocess.run([tool, "--preset", "standard", pages[name]], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
