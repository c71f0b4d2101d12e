"""The page that lists all reports: question, case, as-of, headline and state of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import jinja2
from markupsafe import Markup

from smarketing.report.blocks.shapes import shape
from smarketing.report.layout import style

State = Literal["ok", "failed, last good report kept", "failed, no report yet", "never ran"]
_SHAPES = {
    "ok": "passed",
    "failed, last good report kept": "warning",
    "failed, no report yet": "failed",
    "never ran": "not applicable",
}


@dataclass(frozen=True, kw_only=True)
class IndexRow:
    """One case of one notebook.

    ``question`` is the notebook's title, ``case`` the name of its parameters, ``as_of`` the date of the data shown
    (empty if there is no report), ``headline`` the report's bottom line, ``link`` a relative path to the page (empty if
    none), ``detail`` why a run failed, ``counts`` short facts such as ("key figures", "9").
    """

    question: str
    case: str
    as_of: str
    headline: str
    state: State
    link: str = ""
    detail: str = ""
    counts: tuple[tuple[str, str], ...] = ()


def index_page(
    rows: Sequence[IndexRow],
    *,
    title: str = "Reports",
    kicker: str = "Sales and marketing",
    confidentiality: str = "Confidential",
) -> str:
    """Return the index as one self-contained HTML page, rows in the order given; the same rows give the same bytes."""
    for row in rows:
        if row.state not in _SHAPES:
            raise ValueError(
                f"index row {row.case!r}: state is {row.state!r}; allowed are {', '.join(_SHAPES)}. Use one of them."
            )
    folder = files("smarketing.report") / "templates"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((folder / "index.html.j2").read_text(encoding="utf-8"))
    shapes = {state: shape(name) for state, name in _SHAPES.items()}
    failed = sum(row.state.startswith("failed") for row in rows)
    summary = f"{len(rows)} {'report' if len(rows) == 1 else 'reports'}" + (f", {failed} failed" if failed else "")
    page = template.render(
        rows=rows,
        title=title,
        kicker=kicker,
        summary=summary,
        style=Markup(style(confidentiality)),
        shapes=shapes,
    )
    return page + "\n"
