"""A value as the cell of a table: in HTML, in a CSV download and in a spreadsheet.

Text that a spreadsheet would take for a formula (it begins with ``= + - @``, a tab or a carriage return) gets an
apostrophe in front. Numbers stay numbers, negative ones too.
"""

from __future__ import annotations

import base64
import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from smarketing.report import formats

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """A table as JSON types: what the page shows, the CSV holds and the workbook gets.

    ``formats`` has one unit a column, in order; ``rows`` hold text, numbers, ISO dates or None.
    """

    id: str
    title: str
    columns: tuple[str, ...]
    formats: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(default=())

    def kind(self, row: Sequence[Cell], column: int) -> str:
        """Return the unit of one cell: the column's, or for ``by Unit`` what the row's column Unit says."""
        kind = self.formats[column]
        return str(row[self.columns.index(kind.removeprefix("by "))]) if kind.startswith("by ") else kind

    def to_dict(self) -> dict[str, Any]:
        """Return the table as lists, so that no key order can be lost on the way through a notebook."""
        return {
            "id": self.id,
            "title": self.title,
            "columns": list(self.columns),
            "formats": list(self.formats),
            "rows": [list(row) for row in self.rows],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Table:
        """Build the table from `to_dict`'s answer."""
        return cls(
            id=values["id"],
            title=values["title"],
            columns=tuple(values["columns"]),
            formats=tuple(values["formats"]),
            rows=tuple(tuple(row) for row in values["rows"]),
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, id: str, title: str, formats: Mapping[str, str]) -> Table:
        """Build the table from a frame; the index is not shown.

        Parameters
        ----------
        formats
            Unit by column (see `value_text`), or ``by Unit`` where each row names its own in a column "Unit". Columns
            not named are text, or plain numbers where they are numeric.
        """
        unknown = [column for column in formats if column not in frame.columns]
        if unknown:
            raise ValueError(
                f"table {id!r}: formats names column {unknown[0]!r}, which is not there; "
                f"allowed are {', '.join(map(str, frame.columns))}. Correct the name."
            )
        kinds = tuple(formats.get(column, _kind_of(frame[column])) for column in frame.columns)
        rows = tuple(tuple(plain(value) for value in row) for row in frame.itertuples(index=False, name=None))
        return cls(id=id, title=title, columns=tuple(str(name) for name in frame.columns), formats=kinds, rows=rows)


def plain(value: Any) -> Cell:
    """Return a value as a JSON type: missing and infinite numbers become None, dates ISO text."""
    if formats.is_missing(value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and math.isinf(value):
        return None
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == value.time().min else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool) else str(value)


def value_text(value: Cell, kind: str) -> str:
    """Return a cell's text. ``kind`` is a unit of `formats.value_of`, or one with ``difference`` before it."""
    if value is None:
        return formats.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind.startswith("difference "):
        unit, _, currency = kind.removeprefix("difference ").partition(":")
        return formats.difference(value, unit, currency)  # type: ignore[arg-type]
    if isinstance(value, str) and kind not in ("date", "month"):
        return value
    return formats.value_of(value, kind, full=True)


def neutral(value: Cell) -> Cell:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def to_csv(table: Table) -> bytes:
    """Return the table as UTF-8 CSV with a byte-order mark (without one Excel garbles accents)."""
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow([neutral(name) for name in table.columns])
    writer.writerows([["" if cell is None else neutral(cell) for cell in row] for row in table.rows])
    return b"\xef\xbb\xbf" + target.getvalue().encode()


def download(table: Table, name: str) -> Markup:
    """Return the link that saves the table as a CSV file."""
    data = base64.b64encode(to_csv(table)).decode()
    rows = formats.many(len(table.rows), "row")
    return Markup('<p class="dl"><a download="{}.csv" href="data:text/csv;charset=utf-8;base64,{}">{}</a></p>').format(
        name, data, f"Download CSV ({rows})"
    )


def to_html(table: Table, *, label: str = "", labelled_by: str = "", emphasis: Sequence[bool] = ()) -> Markup:
    """Return the table in a box that scrolls sideways by itself; its first column heads the rows."""
    name = (
        Markup('aria-labelledby="{}"').format(labelled_by) if labelled_by else Markup('aria-label="{}"').format(label)
    )
    numeric = [kind != "text" for kind in table.formats]
    wraps = [
        kind == "text" and any(isinstance(row[index], str) and len(str(row[index])) > 24 for row in table.rows)
        for index, kind in enumerate(table.formats)
    ]
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(Markup(' class="n"') if right else "", column)
        for column, right in zip(table.columns, numeric, strict=True)
    )
    body = []
    for number, row in enumerate(table.rows):
        cells = []
        for index, cell in enumerate(row):
            style = "n" if numeric[index] else "" if wraps[index] else "nw"
            opening = Markup('<th scope="row"{}>') if index == 0 else Markup("<td{}>")
            opening = Markup(str(opening).format(f' class="{style}"' if style else ""))
            cells.append(
                opening + escape(value_text(cell, table.kind(row, index))) + Markup("</th>" if index == 0 else "</td>")
            )
        row_class = Markup(' class="em"') if number < len(emphasis) and emphasis[number] else Markup("")
        body.append(Markup("<tr{}>{}</tr>").format(row_class, Markup("").join(cells)))
    return Markup(
        '<div class="scroll" tabindex="0" role="group" {0}><table {0}><thead><tr>{1}</tr></thead><tbody>{2}</tbody>'
        "</table></div>"
    ).format(name, head, Markup("").join(body))


def _kind_of(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "text"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    return "date" if pd.api.types.is_datetime64_any_dtype(column) else "text"
