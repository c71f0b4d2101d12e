"""The block itself, and the references between blocks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from markupsafe import Markup

from smarketing.report import palette
from smarketing.report.cells import Table

Slot = Literal["masthead", "bottom-line", "key-numbers", "decisions", "body", "appendix", "provenance", "record"]

_START, _END = "<!--smarketing-block-->", "<!--/smarketing-block-->"


@dataclass(frozen=True, kw_only=True)
class Block:
    """One piece of a report.

    ``slot`` is where it goes, ``kind`` what it is, ``id`` its anchor (empty where it needs none), ``html`` its markup,
    ``text`` its plain text, ``tables`` what the workbook gets, ``payload`` what is recorded (JSON types only).
    """

    slot: Slot
    kind: str
    id: str
    html: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        """Return what JupyterLab shows and, as metadata of the output, what the exporter needs."""
        shown = f'<div class="smk-block"><style>{lab_style()}</style>{_START}{self.html}{_END}</div>'
        metadata = {
            "slot": self.slot,
            "kind": self.kind,
            "id": self.id,
            "text": self.text,
            "tables": [table.to_dict() for table in self.tables],
            "payload": json.loads(json.dumps(self.payload, allow_nan=False)),
        }
        return {"text/html": shown, "text/plain": self.text or f"{self.kind} {self.id}".strip()}, {
            "smarketing": metadata
        }

    @classmethod
    def from_output(cls, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Block:
        """Build the block from a notebook output's data and its ``smarketing`` metadata."""
        shown = data["text/html"]
        shown = "".join(shown) if isinstance(shown, list) else shown
        return cls(
            slot=metadata["slot"],
            kind=metadata["kind"],
            id=metadata["id"],
            html=shown[shown.index(_START) + len(_START) : shown.index(_END)],
            text=metadata["text"],
            tables=tuple(Table.from_dict(table) for table in metadata["tables"]),
            payload=metadata["payload"],
        )


def worded(text: str) -> Markup:
    """Return text for a page, with what stands between backticks as code and all else as it is written."""
    parts = re.split(r"`([^`\n]+)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else Markup("{}").format(part) for at, part in enumerate(parts)
    )


def ended(text: str) -> str:
    """Return a sentence with its full stop."""
    return text if text.rstrip().endswith((".", "!", "?", ":")) else f"{text.rstrip()}."


def reference(anchor: str) -> Markup:
    """Return a link to the evidence.

    Parameters
    ----------
    anchor
        The id of a figure or table of the same page (the exporter writes its number), or a relative path to another
        report such as ``../20_pipeline_review/report.html#fig-funnel``. Empty gives nothing.
    """
    if not anchor:
        return Markup("")
    if re.fullmatch(r"#?[a-z][a-z0-9-]*", anchor):
        target = anchor.removeprefix("#")
        return Markup('<a class="xref" href="#{0}" data-ref="{0}">evidence</a>').format(target)
    if re.fullmatch(r"(?:\.\./)*(?:[\w.-]+/)*[\w-]+\.html(?:#[\w-]+)?", anchor):
        return Markup('<a class="xref" href="{}">source report</a>').format(anchor)
    raise ValueError(
        f"evidence: got {anchor!r}; allowed are the id of a figure or table, or a relative path to a report "
        "(report.html#fig-id). Correct the anchor."
    )


@cache
def lab_style() -> str:
    """Return the style that makes a block readable in JupyterLab, confined to blocks."""
    rules = (files("smarketing.report") / "templates" / "blocks.css").read_text(encoding="utf-8")
    return (
        f".smk-block{{{palette.variables()}--bg:var(--jp-layout-color1,#ffffff);color-scheme:light;color:var(--ink);"
        f"max-width:820px;font-size:15px;line-height:1.5;{rules}}}"
        '[data-jp-theme-light="false"] .smk-block{color-scheme:dark}'
    )
