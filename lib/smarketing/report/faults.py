"""What makes a page unfit to publish, in words that say where and what to do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from smarketing.measures.results import Check
from smarketing.report import markdown
from smarketing.report.blocks import Block
from smarketing.report.charts.chart import SHORTEST_ALT
from smarketing.report.layout import blocks_of

STOCK_ALT = "No description has been provided for this image"
# "None of the teams" is English; None alone is a missing value that got into print.
_MISSING = re.compile(r"(?<![\w.])(?:nan|NaN|None(?! of\b)|NaT|<NA>|[-−]?inf)(?![\w])")
# A template that was never filled in: {found.who}, {name}. Cells hold the company's words, where braces may be meant.
_TEMPLATE = re.compile(r"\{[A-Za-z_]\w*[.}]")
_PROSE = ("h1", "h2", "h3", "p", "li", "figcaption")
_DATA = ("td", "th", "code", "pre", "svg", "dl")
_ELSEWHERE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_CSS_ADDRESS = re.compile(r"url\(\s*[\"']?(?!data:|#)([^\"')]+)|@import\s*[\"']?([^\"';]+)", re.IGNORECASE)
_LOADING = ("src", "srcset", "href", "xlink:href", "data", "poster", "background", "action")


class NotFitToPublish(Exception):
    """The page breaks the standard; ``faults`` says how. The previous report stays."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("The report is not fit to publish:\n" + "\n".join(f"- {fault}" for fault in faults))


class _Reader(HTMLParser):
    """Reads what a browser would show or announce."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: list[str] = []
        self.anchors: list[tuple[str, str]] = []
        self.spoken: list[str] = []
        self.tags: Counter[str] = Counter()
        self.images: list[tuple[str, str]] = []
        self.lang = ""
        self.remote: set[str] = set()
        self.in_style = False
        self.prose: list[str] = []
        self.within: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.within[tag] += 1
        self.tags[tag] += 1
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "html":
            self.lang = values.get("lang", "")
        if tag == "a" and values.get("href", "").startswith("#"):
            self.anchors.append((values["href"][1:], values.get("class", "")))
        if tag == "img" or (tag == "svg" and values.get("role") == "img"):
            self.images.append((tag, values.get("alt", values.get("aria-label", ""))))
        if "bad-image" in values.get("class", ""):
            self.images.append(("markdown", ""))
        self.spoken += [values[name] for name in ("aria-label", "alt", "content") if name in values]
        # A link to another site loads nothing; everything else with an address would.
        self.remote |= {values[name] for name in _LOADING if tag != "a" and _ELSEWHERE.match(values.get(name, ""))}
        self._read_css(values.get("style", ""))
        self.in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self.in_style = False
        self.within[tag] -= 1

    def handle_data(self, data: str) -> None:
        if self.in_style:
            self._read_css(data)
        elif data.strip():
            self.spoken.append(data.strip())
            if any(self.within[tag] > 0 for tag in _PROSE) and not any(self.within[tag] > 0 for tag in _DATA):
                self.prose.append(data.strip())

    def _read_css(self, css: str) -> None:
        self.remote |= {(found[1] or found[2]).strip() for found in _CSS_ADDRESS.finditer(css)}


def faults(notebook: Any, html: str, blocks: Sequence[Block] = ()) -> list[str]:
    """Return everything that keeps a page from being published; an empty list means it may go out.

    Parameters
    ----------
    notebook
        The executed notebook, with its outputs.
    html
        The page made from it.
    blocks
        Blocks that were added to those of the notebook.
    """
    shown = [block for cell in notebook.cells if cell.cell_type == "code" for block in blocks_of(cell)]
    return [*_in_outputs(notebook), *_in_blocks([*shown, *blocks]), *_in_page(html)]


def _in_outputs(notebook: Any) -> list[str]:
    found = []
    titles = sum(cell.cell_type == "markdown" and markdown.has_title("".join(cell.source)) for cell in notebook.cells)
    if titles > 1:
        found.append(f"{titles} headings of the first level; a notebook has one H1. Make the others '## ...'.")
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            fault = _in_output(output)
            if fault:
                found.append(f"cell {number}: {fault}")
    return found


def _in_output(output: Any) -> str:
    if output.output_type == "error":
        return f"it stopped with {output.get('ename', 'an error')}: {output.get('evalue', '')}. Mend the cell."
    if output.output_type == "stream":
        text = "".join(output.get("text", "")).strip()
        return f"{output.get('name', 'stdout')} says {text[:80]!r}. Nothing may be printed; show a block."
    data = output.get("data", {})
    if "smarketing" in output.get("metadata", {}) and "text/html" in data:
        return ""
    pictures = [kind for kind in data if kind.startswith("image/")]
    if pictures:
        alt = output.get("metadata", {}).get(pictures[0], {}).get("alt", "")
        if len(alt) < SHORTEST_ALT:
            return f"an image ({pictures[0]}) without alt text. Show it as figure(chart)."
        return f"an image ({pictures[0]}) outside a figure. Show it as figure(chart), with its data."
    if 'class="dataframe"' in "".join(data.get("text/html", "")):
        return "a raw DataFrame. Show it as table(frame, ...)."
    if data:
        text = "".join(data.get("text/plain", "")).strip().partition("\n")[0]
        return f"an output that is not a block ({text[:60]}). Show a block, or end the line with a semicolon."
    return ""


def _in_blocks(shown: Sequence[Block]) -> list[str]:
    found = []
    leads = [block for block in shown if block.slot == "bottom-line"]
    if len(leads) != 1:
        found.append(f"{len(leads)} bottom lines; exactly one is needed. Show bottom_line(lead, findings) once.")
    for block in shown:
        if block.kind != "checks":
            continue
        for check in (Check.from_dict(dict(values)) for values in block.payload["checks"]):
            found += _of_check(check)
    return found


def stop_at_failed(checks: Sequence[Check]) -> None:
    """Raise `NotFitToPublish` where a check that is an error failed, before anything is made of such data."""
    found = [fault for check in checks for fault in _of_check(check)]
    if found:
        raise NotFitToPublish(found)


def _of_check(check: Check) -> list[str]:
    if not check.error or check.outcome != "failed":
        return []
    said = [f"{check.detail}." if check.detail and not check.detail.endswith(".") else check.detail, check.remedy]
    return [" ".join([f"data check {check.code} failed: {check.question}", *filter(None, said)])]


def _in_page(html: str) -> list[str]:
    page = _Reader()
    page.feed(html)
    page.close()
    found = []
    if page.tags["h1"] != 1 or not re.search(r"<h1[^>]*>\s*[^\s<]", html):
        found.append(f"{page.tags['h1']} page titles, or an empty one; a notebook has one H1. Begin it with '# ...'.")
    for tag in ("script", "iframe", "object", "embed", "form"):
        if page.tags[tag]:
            found.append(f"{page.tags[tag]} <{tag}> elements; none is allowed. Remove them.")
    for asset in sorted(page.remote):
        found.append(f"remote asset {asset}; the page stands alone. Embed it or leave it out.")
    if not page.lang or not page.tags["title"]:
        found.append("no language or title on the page. Restore the template.")
    for identity, times in sorted(Counter(page.ids).items()):
        if times > 1:
            found.append(f"id {identity!r} appears {times} times. Give each figure and table its own.")
    for target, style in sorted(
        set(page.anchors) - {(identity, style) for identity in page.ids for _, style in page.anchors}
    ):
        what = "reference to figure or table" if "xref" in style else "link to"
        found.append(f"{what} {target!r}, which is not on the page. Show it or correct the id.")
    for kind, alt in page.images:
        if len(alt.strip()) < SHORTEST_ALT or STOCK_ALT in alt:
            found.append(f"an image ({kind}) without alt text: {alt[:40]!r}. Say type, measure and finding.")
    for text in page.spoken:
        missing = _MISSING.search(text)
        if missing:
            found.append(f"visible {missing[0]!r} in {text[:80]!r}. Format the value; a missing one is a dash.")
    for text in page.prose:
        left = _TEMPLATE.search(text)
        if left:
            at = max(left.start() - 40, 0)
            found.append(f"a template not filled in, {text[at : left.end() + 20]!r}. Fill it in where it is worded.")
    return found
