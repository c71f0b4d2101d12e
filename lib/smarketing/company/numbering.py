"""Numbers that a mapping gives: to the rows of a file that has no ids, and to the spells of a lead."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from smarketing.company.reading import ROW, Raw
from smarketing.company.tables import CompanyError, Kind

DIGITS = 7


def row_number(raw: Raw, table: ir.Table, kind: Kind, what: str) -> Any:
    """Return the number of a row in its file, the first below the header being 1: as a number, or as ``R0000001``.

    ``table`` is what became of the raw rows. Raises `CompanyError` where rows have no order of their own: several files
    or a warehouse table.
    """
    if not all(file.sha256 for file in raw.files) or len(raw.files) > 1:
        found = f"{len(raw.files)} files match {raw.name}" if len(raw.files) > 1 else "a table's rows have no order"
        raise CompanyError(f"{what}: `row: true` numbers the rows of one file, and {found}; name a column of theirs")
    number = table[ROW].cast("int64") - 1
    if kind == "string":
        digits = number.cast("string")
        # DuckDB's padding cuts what is longer.
        return ibis.literal("R") + (digits.length() < DIGITS).ifelse(digits.lpad(DIGITS, "0"), digits)
    if kind not in ("int64", "float64"):
        raise CompanyError(
            f"{what}: `row: true` gives a text or a number, and this is a {kind}; name a column of theirs"
        )
    return number.cast(kind)


def number_spells(events: ir.Table, after: tuple[str, ...]) -> ir.Table:
    """Number the spells of a log that does not: each event of a stage in ``after`` ends one (of ties, the last)."""
    ends = events.stage.isin(after).ifelse(1, 0)
    earlier = ibis.window(
        group_by=[events.subject_kind, events.subject_id], order_by=[events["at"], ends], preceding=(None, 1)
    )
    return events.mutate(spell=(ends.sum().over(earlier).fill_null(0) + 1).cast("int64"))
