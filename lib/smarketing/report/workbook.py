"""The tables of a report as a spreadsheet, one sheet each; the same tables give the same bytes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from smarketing.report import cells
from smarketing.report.cells import Cell, Table

_EPOCH = datetime(1980, 1, 1)
_NUMBER_FORMATS = {"share": "0.0%", "points": "+0.0%;-0.0%;0.0%", "change": "+0.0%;-0.0%;0.0%", "count": "#,##0"}
_NUMBER_FORMATS |= {
    "days": "#,##0.0",
    "money": "#,##0",
    "money_short": "#,##0",
    "date": "yyyy-mm-dd",
    "month": "mmm yyyy",
}


def workbook(tables: Sequence[Table]) -> bytes:
    """Return an xlsx file: a sheet that lists the tables, then one sheet a table, in the order given."""
    book = Workbook()
    book.properties.creator = "smarketing"
    book.properties.created = book.properties.modified = _EPOCH
    contents = book.active
    assert contents is not None
    contents.title = "Contents"
    contents.append(["Sheet", "Table", "Rows"])
    taken = {"contents"}
    for table in tables:
        name = _sheet_name(table.id, taken)
        contents.append([name, _text(table.title), len(table.rows)])
        sheet = book.create_sheet(name)
        sheet.append([_text(column) for column in table.columns])
        for row in table.rows:
            sheet.append([_value(cell, table.kind(row, index)) for index, cell in enumerate(row)])
        for index in range(1, len(table.columns) + 1):
            letter = get_column_letter(index)
            widest = max((len(str(row[index - 1])) for row in table.rows if row[index - 1] is not None), default=8)
            sheet.column_dimensions[letter].width = min(max(widest, len(table.columns[index - 1])) + 2, 60)
            for cell, row in zip(sheet[letter][1:], table.rows, strict=True):
                kind = table.kind(row, index - 1)
                pattern = _NUMBER_FORMATS.get(kind.removeprefix("difference ").partition(":")[0])
                if pattern and not isinstance(cell.value, str):
                    cell.number_format = pattern
    for sheet in book.worksheets:
        sheet.freeze_panes = "A2"
        for cell in sheet[1]:
            cell.font, cell.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="top")
    contents.column_dimensions["A"].width, contents.column_dimensions["B"].width = 34, 80
    target = io.BytesIO()
    book.save(target)
    return _without_clock(target.getvalue())


def _sheet_name(identity: str, taken: set[str]) -> str:
    base = re.sub(r"[\[\]:*?/\\]", "-", identity)[:28] or "table"
    name, number = base, 2
    while name.lower() in taken:
        name, number = f"{base}-{number}", number + 1
    taken.add(name.lower())
    return name


def _text(value: str) -> str:
    return str(cells.neutral(ILLEGAL_CHARACTERS_RE.sub("", value)))


def _value(cell: Cell, kind: str) -> Cell | date:
    if not isinstance(cell, str):
        return cell
    if kind in ("date", "month"):
        try:
            return date.fromisoformat(cell[:10])
        except ValueError:
            return _text(cell)
    return _text(cell)


def _without_clock(book: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                # openpyxl writes the time of saving here, whatever the properties say.
                stamp = f"{_EPOCH.isoformat()}Z".encode()
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp, content)
            copy.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()
