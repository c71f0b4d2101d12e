"""What is wrong with a mapped table: one aggregate query each, then the first rows of what it found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis.expr.types as ir

from smarketing.company.cells import ZONE_MARK
from smarketing.company.mapping import BAD, TEXT, Mapped
from smarketing.company.reading import FILE, ROW, engine_errors
from smarketing.company.tables import OUTCOMES, SCHEMAS

AT_LEAST_ZERO: Mapping[str, tuple[str, ...]] = {
    "accounts": ("employees", "annual_revenue"),
    "opportunities": ("amount",),
    "opportunity_history": ("amount",),
    "spend": ("amount",),
    "products": ("price",),
}
USUAL_FORMATS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m/%d/%y", "%d/%m/%y", "%Y%m%d", "%m/%d/%y %I:%M %p", "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M", "%d-%b-%Y", "%b %d, %Y",
)  # fmt: skip
_WORDS = {"timestamp": "a time", "float64": "a number", "int64": "a whole number", "boolean": "yes or no"}


@dataclass(frozen=True)
class Checked:
    """A mapped source that passed: its rows, how many rows fill each column, and what was left out."""

    mapped: Mapped
    table: ir.Table
    rows: int
    recorded: frozenset[str]
    notes: tuple[str, ...]


def check_source(mapped: Mapped) -> tuple[Checked | None, list[str]]:
    """Check a mapped source: all its faults, each with the first rows; a `Checked` where there are none."""
    schema, wide = SCHEMAS[mapped.table], mapped.wide
    columns = (*mapped.filled, *mapped.attributes)
    bad = [column for column in columns if BAD + column in wide.columns]
    drops = _drops(mapped)
    # A value that cannot be read is a fault of its own: such a row is neither dropped nor counted as lacking a value.
    required = mapped.source.required(mapped.table)
    missing = {column: _lacks(wide, column) for column in {*drops, *required}}
    kept = ~_any(missing[column] for column in drops) if drops else None
    below = [column for column in AT_LEAST_ZERO.get(mapped.table, ()) if column in mapped.filled]
    asked = {"all rows": wide.count(), "rows": wide.count() if kept is None else kept.sum()}
    asked |= {f"filled {column}": wide[column].count(where=kept) for column in columns}
    asked |= {f"bad {column}": wide[BAD + column].sum() for column in bad}
    asked |= {f"null {column}": missing[column].sum() for column in missing}
    asked |= {f"below {column}": (wide[column] < 0).sum() for column in below}
    if mapped.table == "opportunities":
        asked["outcome"] = (~wide.outcome.isin(OUTCOMES)).sum()
    with engine_errors(f"{mapped.place} cannot be read"):
        found = {name: int(value or 0) for name, value in wide.aggregate(**asked).to_pyarrow().to_pylist()[0].items()}
    faults = [_unreadable(mapped, column, found[f"bad {column}"]) for column in bad if found[f"bad {column}"]]
    for column in required:
        if column not in drops and (count := found[f"null {column}"]):
            shown = _rows(wide.filter(missing[column]), None)
            faults.append(
                f"{mapped.place}: `{column}` ({mapped.read_from[column]}) is empty in {_many(count, 'row')}{shown}. "
                f"Every row needs one: correct the file, or leave such rows out by `drop_without: {{{column}: why}}`"
            )
    for column in below:
        if count := found[f"below {column}"]:
            shown = _rows(wide.filter(wide[column] < 0), column)
            faults.append(
                f"{mapped.place}: `{column}` ({mapped.read_from[column]}) is below zero in {_many(count, 'row')}"
                f"{shown}. Correct the file, or leave such rows out by `where:` or the value by `when:`"
            )
    if count := found.get("outcome", 0):
        wrong = wide.filter(~wide.outcome.isin(OUTCOMES))
        faults.append(
            f"{mapped.place}: `outcome` ({mapped.read_from['outcome']}) is not one of {', '.join(OUTCOMES)} in "
            f"{_many(count, 'row')}{_rows(wrong, 'outcome')}. Map their words: "
            "`outcome: {column: ..., values: {Closed Won: won, ...}}`"
        )
    if faults:
        return None, faults
    notes = [*mapped.notes, *_left_out(mapped, drops, found)]
    recorded = frozenset(column for column in columns if found[f"filled {column}"])
    rows = wide if kept is None else wide.filter(kept)
    if mapped.raw.is_text:
        rows = rows.order_by(FILE, ROW)  # a join loses the order of the file, and with it the same bytes each time
    table = rows.select(*schema.columns, *mapped.attributes)
    return Checked(mapped, table, found["rows"], recorded, tuple(notes)), []


def keys_of(mapped: Mapped) -> ir.Table:
    """Return the filled keys of a source whose other columns may be wrong."""
    wide, keys = mapped.wide, list(SCHEMAS[mapped.table].key)
    for column in {*_drops(mapped), *keys}:
        wide = wide.filter(wide[column].notnull())
    return wide.select(*keys)


def check_keys(table: str, stacked: ir.Table, place: str) -> list[str]:
    """Return the fault of rows that share a key, if any do."""
    key = SCHEMAS[table].key
    if not key:
        return []
    with engine_errors(f"{place}: keys cannot be counted"):
        row = stacked.aggregate(rows=stacked.count(), keys=stacked[key[0]].nunique()).to_pyarrow().to_pylist()[0]
        if row["rows"] == row["keys"]:
            return []
        counted = stacked.group_by(list(key)).aggregate(times=stacked.count())
        first = counted.filter(counted.times > 1).order_by(list(key)).limit(3).to_pyarrow().to_pylist()
    shown = ", ".join(f"{one[key[0]]!r} {one['times']} times" for one in first)
    return [
        f"{place}: `{key[0]}` identifies {SCHEMAS[table].row}, but it is repeated in "
        f"{_many(row['rows'] - row['keys'], 'row')}: {shown}. "
        "Remove the doubles, or keep the last of each by `latest_by: <their time column>`"
    ]


def _drops(mapped: Mapped) -> list[str]:
    """Columns without which a row is left out; an unpivoted stage that was never reached is no row at all."""
    return [*mapped.source.drop_without, *(["at"] if mapped.source.unpivot else [])]


def _lacks(wide: ir.Table, column: str) -> ir.BooleanValue:
    empty = wide[column].isnull()
    return empty & ~wide[BAD + column].fill_null(False) if BAD + column in wide.columns else empty


def _any(conditions: Any) -> Any:
    first, *others = conditions
    for other in others:
        first = first | other
    return first


def _left_out(mapped: Mapped, drops: list[str], found: Mapping[str, int]) -> list[str]:
    """Return notes on the rows that the source's rules leave out."""
    notes, source, file = [], mapped.source, mapped.raw.name
    if (out := sum(read.rows for read in mapped.raw.files) - found["all rows"]) > 0:
        rules = {"deleted": source.deleted, "where": source.where and source.where.text, "latest_by": source.latest_by}
        why = ", ".join(f"{rule}: {said}" for rule, said in rules.items() if said)
        notes.append(f"{mapped.table}: {_many(out, 'row')} of {file} left out by {why}")
    for column in drops:
        if (count := found[f"null {column}"]) and column in source.drop_without:
            why = source.drop_without[column]
            notes.append(f"{mapped.table}: {_many(count, 'row')} of {file} without `{column}` left out: {why}")
    return notes


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _rows(wrong: ir.Table, column: str | None, limit: int = 3) -> str:
    """Return the first offending rows: file rows where they are numbered, and the value."""
    first = _first(wrong, column, limit)
    shown = []
    for row in first:
        where = f"row {row[ROW]}" if row[ROW] is not None else ""
        value = "" if column is None else repr(row["value"])
        shown.append(" ".join(part for part in (where, value) if part))
    return f": {', '.join(part for part in shown if part)}" if any(shown) else ""


def _first(wrong: ir.Table, column: str | None, limit: int) -> list[dict[str, Any]]:
    picked = wrong.select(**{ROW: wrong[ROW], FILE: wrong[FILE]}, **({"value": wrong[column]} if column else {}))
    with engine_errors("the first wrong rows cannot be fetched"):
        return picked.order_by(FILE, ROW).limit(limit).to_pyarrow().to_pylist()


def _unreadable(mapped: Mapped, column: str, count: int) -> str:
    wide = mapped.wide
    kind = SCHEMAS[mapped.table].columns.get(column) or str(wide[column].type())
    kind = "timestamp" if kind.startswith("timestamp") else kind
    wrong = wide.filter(wide[BAD + column])
    texts = [str(row["value"]) for row in _first(wrong, TEXT + column, 3)]
    formats = mapped.formats.get(column, ())
    how = f" by {' or '.join(map(repr, formats))}" if formats else ""
    return (
        f"{mapped.place}: `{column}` ({mapped.read_from[column]}) cannot be read as {_WORDS[kind]}{how} in "
        f"{_many(count, 'row')}{_rows(wrong, TEXT + column)}. {_remedy(kind, column, texts)}"
    )


def _remedy(kind: str, column: str, texts: list[str]) -> str:
    """Say how to read these texts."""
    if kind == "timestamp":
        if any(re.search(ZONE_MARK, text) for text in texts):
            return "These times carry a time zone: say `utc: true`, and they are shifted to the company's"
        fitting = [form for form in USUAL_FORMATS if all(_reads(text, form) for text in texts)]
        if fitting:
            return f"Say which it is: `{column}: {{column: ..., format: {' or '.join(map(repr, fitting[:3]))}}}`"
        return f"Give its format, e.g. `{column}: {{column: ..., format: '%d/%m/%Y'}}`, or list words under `nulls:`"
    if kind == "boolean":
        return "Map the words by `values: {theirs: 'true', ...}`"
    return "Take out marks by `remove: ['$', ',']`, or list texts that mean nothing under `nulls:`"


def _reads(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True
