"""Numpy arrays to Arrow columns: ids, labels and timestamps, without a Python loop over rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from smarketing.company.demo.attributes import ATTRIBUTES
from smarketing.company.demo.signals import Choice, Drawn
from smarketing.company.demo.world import START, Bools, Ints
from smarketing.company.tables import SCHEMAS

DAY = 86_400
ARROW = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}


def arrow_schema(table: str) -> pa.Schema:
    """Return the canonical columns of a table, then its attributes."""
    columns = {**SCHEMAS[table].columns, **ATTRIBUTES.get(table, {})}
    return pa.schema([(name, ARROW[kind]) for name, kind in columns.items()])


def arrow_table(table: str, columns: Mapping[str, pa.Array], rows: int) -> pa.Table:
    """Put columns in the canonical order; a column that is not given is NULL."""
    schema = arrow_schema(table)
    arrays = [columns[item.name] if item.name in columns else pa.nulls(rows, item.type) for item in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def ids(prefix: str, numbers: Ints, *, width: int = 9, null: Bools | None = None) -> pa.Array:
    """Return ids such as ``L000000042``; NULL where ``null``."""
    size = len(prefix) + width
    letters = np.empty((len(numbers), size), dtype=np.uint8)
    letters[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    rest = np.asarray(numbers, dtype=np.int64)
    for place in range(size - 1, len(prefix) - 1, -1):
        rest, digit = np.divmod(rest, 10)
        letters[:, place] = digit + ord("0")
    offsets = np.arange(0, (len(numbers) + 1) * size, size, dtype=np.int32)
    text = pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(letters))
    return text if null is None else blank(text, null)


def blank(column: pa.Array, null: Bools) -> pa.Array:
    """Return the column with NULL where ``null``."""
    return column.take(pa.array(np.arange(len(column)), mask=null))


def labels(names: Sequence[str | None], positions: Ints) -> pa.Array:
    """Return the name at each position; NULL where the position is negative."""
    positions = np.asarray(positions)
    return pa.array(names, pa.string()).take(pa.array(positions, mask=positions < 0))


def attribute_columns(drawn: Sequence[Drawn]) -> dict[str, pa.Array]:
    """Return the columns of drawn attributes by name; an empty cell is NULL."""
    columns: dict[str, pa.Array] = {}
    for each in drawn:
        if isinstance(each.attribute, Choice):
            levels = pa.array(each.attribute.levels, ARROW[each.attribute.kind])
            column = levels.take(pa.array(each.values, mask=each.missing))
        else:
            column = pa.array(each.values, mask=each.missing).cast(ARROW[each.attribute.kind])
        columns[each.attribute.name] = column
    return columns


def timestamps(seconds: Ints, *, null: Bools | None = None) -> pa.Array:
    """Return timestamps from seconds since the first midnight of the world; NULL where ``null``."""
    start = int(np.datetime64(START, "s").astype(np.int64))
    moments = (np.asarray(seconds, dtype=np.int64) + start) * 1_000_000
    return pa.array(moments, pa.int64(), mask=null).cast(pa.timestamp("us"))


def seconds_of(day: date) -> int:
    """Return the seconds from the first midnight of the world to that of ``day``."""
    return (day - START).days * DAY
