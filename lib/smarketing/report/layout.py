"""From an executed notebook to the parts of a page: titles, slots, sections, numbers of figures, contents.

A Markdown cell is prose; its headings of level 2 open sections. A section whose code showed nothing for the page (such
as loading, or one whose blocks all belong elsewhere) is left out with its prose; so is a cell tagged
``notebook-only``. The first paragraph under the notebook's H1 stands under the page's title, the rest of that cell goes
to the appendix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from smarketing.report import fonts, markdown, palette
from smarketing.report.blocks import Block

NOTEBOOK_ONLY = "notebook-only"
_RESERVED = {"main", "bottom-line", "key-numbers", "decisions", "data-checks", "about", "definitions", "methods"}
_RESERVED |= {"glossary", "limits", "provenance", "th-auto", "th-light", "th-dark"}
_APPENDIX = {"checks": 0, "about": 1, "definitions": 2, "methods": 3, "glossary": 4, "limits": 5}
# Measured on A4: above this the usual setting no longer fits the first page.
_LINES_ON_PAGE_1 = 31
_REFERENCE = re.compile(r'<(a|span)([^<>]*?) data-ref="([a-z0-9-]+)"([^<>]*)>[^<]*<')


@dataclass
class Section:
    """A section of the page: the anchor and text of its heading, and its parts in order."""

    id: str = ""
    title: str = ""
    parts: list[Markup] = field(default_factory=list)
    runs_code: bool = False
    shows_blocks: bool = False

    @property
    def is_shown(self) -> bool:
        """Whether the section has anything for a reader."""
        return bool(self.parts) and (self.shows_blocks or not self.runs_code)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything the template prints."""

    title: str
    browser_title: str
    description: str
    kicker: str
    dek: Markup
    style: Markup
    facts: tuple[tuple[str, str | Markup], ...]
    contents: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    brief: tuple[Markup, ...]
    is_dense: bool
    sections: tuple[Section, ...]
    appendix: tuple[Markup, ...]
    provenance: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    numbers: dict[str, str]


def blocks_of(cell: Any) -> Iterator[Block]:
    """Yield the blocks that a code cell displayed."""
    for output in cell.get("outputs", []):
        metadata = output.get("metadata", {}).get("smarketing")
        if metadata and "text/html" in output.get("data", {}):
            yield Block.from_output(output["data"], metadata)


def lay_out(notebook: Any, *, kicker: str, confidentiality: str, blocks: Sequence[Block] = ()) -> Page:
    """Return the page of an executed notebook.

    Parameters
    ----------
    notebook
        Executed notebook (nbformat 4).
    kicker
        Line above the title, such as the company or the team that publishes.
    confidentiality
        Printed at the foot of every page.
    blocks
        Further blocks that the notebook could not know, such as its own provenance.
    """
    headings = markdown.Headings(set(_RESERVED))
    title, about, sections, shown = "", "", [Section()], []
    for cell in notebook.cells:
        if NOTEBOOK_ONLY in cell.get("metadata", {}).get("tags", []):
            continue
        source = "".join(cell.source)
        if cell.cell_type == "markdown":
            if not title and markdown.has_title(source):
                title, about = markdown.split_title(source)
            else:
                _add_prose(sections, markdown.to_html(source, headings))
        elif cell.cell_type == "code" and source.strip():
            sections[-1].runs_code = True
            for block in blocks_of(cell):
                shown.append(block)
                if block.slot == "body":
                    sections[-1].parts.append(Markup(block.html))
                    sections[-1].shows_blocks = True
    shown += blocks
    kept = tuple(section for section in sections if section.is_shown)
    dek, _, rest = about.partition("\n\n")
    appendix = _appendix(shown, markdown.to_html(rest, headings) if rest.strip() else "")
    facts, run_id = _facts(shown)
    as_of = next((str(value) for label, value in facts if label.lower() == "data as of"), "")
    lead = next((str(block.payload["lead"]) for block in shown if block.kind == "bottom line"), "")
    plain_title = markdown.plain(title)
    brief = tuple(
        Markup(block.html)
        for slot in ("bottom-line", "key-numbers", "decisions")
        for block in shown
        if block.slot == slot
    )
    return Page(
        title=plain_title,
        browser_title=f"{plain_title} · data as of {as_of}" if as_of else plain_title,
        description=lead,
        kicker=kicker,
        dek=Markup(markdown.to_html(dek, headings)) if dek.strip() else Markup(""),
        style=style(confidentiality),
        facts=facts,
        contents=_contents(shown, kept, appendix),
        brief=brief,
        is_dense=_brief_lines(shown) > _LINES_ON_PAGE_1,
        sections=kept,
        appendix=tuple(part for _, part in appendix),
        provenance=(
            *((("Run", run_id),) if run_id else ()),
            *(
                (str(label), str(value))
                for block in shown
                if block.slot == "provenance"
                for label, value in block.payload["pairs"]
            ),
        ),
        blocks=tuple(shown),
        numbers=_numbers(shown),
    )


def fill_references(page: str, numbers: dict[str, str]) -> str:
    """Write the number of each figure and table where it is referred to; unknown ones become empty links."""
    return _REFERENCE.sub(lambda m: f"<{m[1]}{m[2]}{m[4]}>{numbers.get(m[3], '')}<", page)


def style(confidentiality: str) -> Markup:
    """Return the page's whole style sheet, fonts included."""
    from importlib.resources import files

    folder = files("smarketing.report") / "templates"
    sheets = "".join((folder / name).read_text(encoding="utf-8") for name in ("blocks.css", "page.css"))
    words = "".join(
        letter if letter.isalnum() and letter.isascii() else f"\\{ord(letter):06x}" for letter in confidentiality
    )
    box = 'font:400 8pt "Source Sans Pro",Arial,sans-serif;color:#4d5b69'
    paper = (
        f'@page{{size:A4;margin:14mm 15mm 16mm;@bottom-left{{content:"{words}";{box}}}'
        f'@bottom-right{{content:"Page " counter(page) " of " counter(pages);{box}}}}}'
    )
    return Markup(f"{fonts.faces()}:root{{{palette.variables()}}}\n{sheets}{paper}")


def _add_prose(sections: list[Section], prose: str) -> None:
    for part in re.split(r'(?=<h2 id=")', prose):
        if not part.strip():
            continue
        heading = re.match(r'<h2 id="([^"]*)">(.*?)</h2>', part, flags=re.DOTALL)
        if heading:
            sections.append(Section(id=heading[1], title=str(Markup(heading[2]).striptags())))
        sections[-1].parts.append(Markup('<div class="prose">{}</div>').format(Markup(part.strip())))


def _brief_lines(shown: Sequence[Block]) -> float:
    """Return about how many lines of print the brief takes, so that a long one can be set tighter."""
    lines = 0.0
    for block in shown:
        if block.slot == "bottom-line":
            findings = block.payload["findings"]
            lines += len(block.payload["lead"]) / 85
            lines += sum(1.3 + (len(finding["claim"]) + len(finding["detail"])) / 110 for finding in findings)
        elif block.slot == "key-numbers":
            tiles = len(block.payload["figures"])
            lines += 6.5 * -(-tiles // (4 if tiles in (4, 7, 8) else 3))
        elif block.slot == "decisions":
            lines += 1 + sum(1 + len(str(row[0])) // 60 for table in block.tables for row in table.rows)
    return lines


def _appendix(shown: Sequence[Block], about: str) -> list[tuple[tuple[str, str], Markup]]:
    parts = [(block.kind, (block.id, block.text), Markup(block.html)) for block in shown if block.slot == "appendix"]
    parts = [
        (kind, (anchor, "Data checks" if kind == "checks" else text), part) for kind, (anchor, text), part in parts
    ]
    if about:
        fold = Markup('<details class="fold" id="about"><summary>{0}</summary><div class="prose">{1}</div></details>')
        parts.append(("about", ("about", "About this report"), fold.format("About this report", Markup(about))))
    return [(link, part) for _, link, part in sorted(parts, key=lambda part: _APPENDIX[part[0]])]


def _facts(shown: Sequence[Block]) -> tuple[tuple[tuple[str, str | Markup], ...], str]:
    titles = [block for block in shown if block.slot == "masthead"]
    facts: list[tuple[str, str | Markup]] = [
        (str(label), str(value)) for block in titles for label, value in block.payload["pairs"]
    ]
    for block in shown:
        if block.kind == "checks":
            facts.append(("Data checks", Markup('<a href="#data-checks">{}</a>').format(block.payload["summary"])))
    run_id = next((str(block.payload["run_id"]) for block in titles if block.payload["run_id"]), "")
    if run_id:
        facts.append(("Run", Markup('<a href="#provenance"><code>{}</code></a>').format(run_id)))
    return tuple(facts), run_id


def _numbers(shown: Sequence[Block]) -> dict[str, str]:
    numbers: dict[str, str] = {}
    for kind in ("figure", "table"):
        found = [block for block in shown if block.kind == kind and block.slot == "body"]
        numbers |= {block.id: f"{kind.title()} {place}" for place, block in enumerate(found, start=1)}
    return numbers


def _contents(
    shown: Sequence[Block], sections: Sequence[Section], appendix: Sequence[tuple[tuple[str, str], Markup]]
) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    names = {"bottom-line": "The bottom line", "key-numbers": "Key numbers", "decisions": "Decisions"}
    brief = tuple((slot, text) for slot, text in names.items() if any(block.slot == slot for block in shown))
    return (
        ("", brief),
        ("", tuple((section.id, section.title) for section in sections if section.id)),
        ("Appendix", tuple(link for link, _ in appendix)),
        ("" if appendix else "Appendix", (("provenance", "Provenance"),)),
    )
