"""Markdown cells as prose: raw HTML is shown as text, headings get ids, links to figures become references."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

import mistune
from markupsafe import Markup, escape


@dataclass
class Headings:
    """The ids that are taken on a page; hands out new ones."""

    taken: set[str] = field(default_factory=set)

    def slug(self, text: str) -> str:
        """Return an id for a heading, with a number where the plain one is taken."""
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "section"
        base = base if base[0].isalpha() else f"s-{base}"
        slug, number = base, 2
        while slug in self.taken:
            slug, number = f"{base}-{number}", number + 1
        self.taken.add(slug)
        return slug


class _Prose(mistune.HTMLRenderer):
    """mistune's HTML with our headings, links and images."""

    def __init__(self, headings: Headings) -> None:
        super().__init__(escape=True)
        self._headings = headings

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        level = max(2, min(level, 4))
        plain = Markup(text).striptags()
        return f'<h{level} id="{self._headings.slug(str(plain))}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if re.fullmatch(r"#(?:fig|tab)-[a-z0-9-]+", url):
            return str(Markup('<a class="xref" href="{0}" data-ref="{1}">evidence</a>').format(url, url[1:]))
        return str(Markup('<a href="{}">{}</a>').format(self.safe_url(url), Markup(text)))

    def image(self, text: str, url: str, title: str | None = None) -> str:
        # The page's only pictures are figure blocks; the exporter reports this one as a fault.
        return str(Markup('<span class="bad-image">{}</span>').format(text))


def to_html(text: str, headings: Headings) -> str:
    """Return a Markdown cell as HTML; ``headings`` learns the ids it hands out."""
    prose = mistune.create_markdown(renderer=_Prose(headings), plugins=["table", "strikethrough"])
    return str(prose(text)).strip()


def split_title(text: str) -> tuple[str, str]:
    """Return the title of a cell that begins with ``# ``, and the rest of the cell."""
    first, _, rest = text.strip().partition("\n")
    return first.removeprefix("# ").strip(), rest.strip()


def plain(text: str) -> str:
    """Return inline Markdown as plain text (for a browser's title)."""
    return str(Markup(mistune.html(str(escape(text)))).striptags())


def has_title(text: str) -> bool:
    """Return whether a cell begins with a heading of the first level."""
    return bool(re.match(r"#\s+\S", text.strip()))
