"""Columns, values and dates of a source turned into the columns of a canonical table, as lazy ibis.

A mapped source keeps, beside every canonical column that is read from text, the text itself and whether it could not
be read, so that one aggregate query checks the whole table (`checking`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from smarketing.company.cells import constant, read_cell, yes_or_no
from smarketing.company.expressions import Rule, RuleError, compile_condition
from smarketing.company.input_columns import Column, snake
from smarketing.company.input_file import Inputs, TableSource
from smarketing.company.numbering import row_number
from smarketing.company.reading import FILE, ROW, Raw, Reader
from smarketing.company.suggest import PERSONAL, SUGGESTS, missing_column
from smarketing.company.tables import SCHEMAS, CompanyError, Faults, Kind, faults_of

TEXT, BAD, FOUND = "__text__", "__bad__", "__found__"


@dataclass(frozen=True)
class Mapped:
    """A source as a canonical table: ``wide`` has its columns, then those that `checking` looks at."""

    table: str
    source: TableSource
    raw: Raw
    wide: ir.Table
    filled: tuple[str, ...]
    attributes: tuple[str, ...]
    read_from: Mapping[str, str]
    formats: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where this is, for messages."""
        return f"table `{self.table}`, {self.raw.name}"


@dataclass
class _Mapper:
    """Maps one source; ``table`` grows by looked-up columns."""

    name: str
    source: TableSource
    inputs: Inputs
    reader: Reader
    raw: Raw
    table: ir.Table

    @property
    def place(self) -> str:
        return f"table `{self.name}`, {self.raw.name}"

    def header(self, names: tuple[str, ...], *, optional: bool, what: str) -> str | None:
        """Return the first of these headers that the source has, or None where that is allowed."""
        found = next((header for name in names if (header := find_header(name, self.raw.headers))), None)
        if found is None:
            if optional:
                return None
            known = {canonical: column.column for canonical, column in self.source.columns.items() if column.column}
            raise CompanyError(missing_column(self.place, what, names, self.name, known, self.raw.headers))
        if found in self.raw.doubled:
            raise CompanyError(f"{self.place}: the header {found!r} stands twice; rename one of the two")
        if found in self.raw.gaps and not optional:
            raise CompanyError(
                f"{self.place}: {self.raw.gaps[found]} has no column {found!r}, which other files have; "
                "add it, narrow the glob, or say `optional: true`"
            )
        return found

    def cell(self, header: str, nulls: tuple[str, ...] = (), raw: Raw | None = None, table: Any = None) -> Any:
        """Return a column with blanks, and the texts that mean "not recorded", as NULL."""
        raw, column = raw or self.raw, (self.table if table is None else table)[header]
        if raw.is_text:
            column = column.strip().nullif("")
        if column.type().is_string():
            for text in dict.fromkeys((*self.inputs.nulls, *self.source.nulls, *nulls)):
                column = column.nullif(text)
        elif column.type().is_numeric():
            for number in (text for text in nulls if text.lstrip("-").replace(".", "", 1).isdigit()):
                column = column.nullif(float(number))
        return column

    def read(self, cell: Any, column: Column, kind: Kind, what: str) -> Any:
        """Return a cell read as a type, by what the source and the company say of times."""
        embedded, utc, zone = self.reader.backend.name == "duckdb", self.source.utc, self.inputs.time_zone
        return read_cell(cell, column, kind, utc=utc, zone=zone, embedded=embedded, what=what)

    def condition(self, rule: Rule, what: str, ours: Mapping[str, Any] | None = None) -> ir.BooleanValue:
        """Compile a rule over their columns, by header or by its snake-case form, and over ``ours``."""
        columns = {snake(header): self.cell(header) for header in reversed(self.raw.headers)}
        columns |= {header: self.cell(header) for header in self.raw.headers} | dict(ours or {})
        try:
            return compile_condition(rule, columns)
        except RuleError as error:
            hint = ""
            if self.raw.is_text and what == "where" and re.match("a .* (is compared|has no order)", str(error)):
                hint = " Cells of a CSV file are text: name the canonical column, as in `ours.created_at`."
            raise CompanyError(f"{self.place}, {what}: {error}{hint}") from None

    def look_up(self, canonical: str, column: Column, header: str) -> bool:
        """Join what another file or table holds for this cell, as column ``FOUND + canonical``.

        False where that file is missing and the column optional. All joins come before any value is read, because a
        value of a table that is joined with itself afterwards could mean either side.
        """
        lookup, place = column.lookup, f"{self.place}, columns.{canonical}.lookup"
        assert lookup is not None, "called for columns with a lookup"
        if column.optional and lookup.file is not None and not self.reader.has(lookup.file):
            return False
        try:  # a file beside this one was written by the same system: same encoding, delimiter and footer
            other = self.reader.read(self.source.model_copy(update={"file": lookup.file, "table": lookup.table}))
        except CompanyError as error:
            raise CompanyError(f"{place}: {error}") from None
        cells: dict[str, Any] = {}
        for part in ("key", "value", "order_by"):
            if wanted := getattr(lookup, part):
                found = find_header(wanted, other.headers)
                if found is None:
                    raise CompanyError(missing_column(place, part, (wanted,), self.name, {}, other.headers))
                cells[part] = self.cell(found, (), other, other.table)
        key, value = f"__key_{canonical}", FOUND + canonical
        theirs = other.table.select(
            __order=cells.get("order_by", cells["value"]), **{n: cells[n].cast("string") for n in ("key", "value")}
        )
        rank = ibis.row_number().over(group_by=theirs.key, order_by=[theirs["__order"], theirs.value])
        theirs = theirs.mutate(__rank=rank).filter(ibis._["__rank"] == 0, ibis._.key.notnull())
        theirs = theirs.select(**{key: theirs.key, value: theirs.value}).view()
        cell = self.cell(header, column.nulls)
        if column.split is not None:
            cell = _first_part(cell, column.split)
        ours = self.table.mutate(**{f"__cell_{canonical}": cell.cast("string")})
        self.table = ours.left_join(theirs, ours[f"__cell_{canonical}"] == theirs[key])
        return True


def find_header(name: str, headers: tuple[str, ...]) -> str | None:
    """Return the header of this name: exactly, in any letter case, or by its snake-case form."""
    if name in headers:
        return name
    for same in (str.lower, snake):
        found = [header for header in headers if same(header) == same(name)]
        if len(found) == 1:
            return found[0]
    return None


def map_source(name: str, source: TableSource, inputs: Inputs, reader: Reader) -> list[Mapped]:
    """Map one source to a canonical table; an unpivoted source gives one `Mapped` for each stage.

    Raises
    ------
    CompanyError
        Mapped columns are not there, rules do not fit the columns, or required columns are not mapped; `Faults` where
        that is more than one thing.
    """
    raw = reader.read(source)
    if source.unpivot is None:
        return [_map(name, source, inputs, reader, raw)]
    wide = source.unpivot
    mapped = []
    for stage, headers in wide.columns.items():
        if wide.optional and not any(find_header(header, raw.headers) for header in headers):
            continue
        at = Column(column=headers, format=wide.format, date=wide.date, utc=wide.utc)
        columns = source.columns | {"stage": Column(constant=stage), "at": at}
        one = source.model_copy(update={"columns": columns})
        mapped.append(_map(name, one, inputs, reader, raw))
    if not mapped:
        raise CompanyError(f"table `{name}`, {raw.name}: none of the unpivoted columns is there")
    return mapped


def _map(name: str, source: TableSource, inputs: Inputs, reader: Reader, raw: Raw) -> Mapped:
    mapper = _Mapper(name, source, inputs, reader, raw, raw.table)
    schema = SCHEMAS[name]
    columns = source.columns or {
        canonical: Column(column=(header,))
        for canonical in schema.columns
        if (header := find_header(canonical, raw.headers)) and not (source.undated and canonical == "created_at")
    }
    required = source.required(name)
    missing = [column for column in required if column not in columns]
    if missing:
        raise CompanyError(missing_column(mapper.place, _and(missing), (), name, {}, raw.headers))
    # What is wrong with one column or rule hides nothing of the others.
    faults: list[str] = []
    with _gathered(faults):
        if source.latest_by:
            mapper.table = _latest(mapper, columns, source.latest_by)
    with _gathered(faults):
        gone = mapper.header((source.deleted,), optional=True, what="deleted") if source.deleted else None
        if gone:
            mapper.table = mapper.table.filter(~yes_or_no(mapper.cell(gone)).fill_null(False))
    with _gathered(faults):
        if source.where is not None:
            ours = _named_in(source.where, mapper, columns)
            mapper.table = mapper.table.filter(mapper.condition(source.where, "where", ours))
    chosen, notes = _attributes(mapper, schema.columns, columns)
    wanted = {canonical: (column, schema.columns[canonical]) for canonical, column in columns.items()}
    wanted |= {attribute: (column, column.type or "string") for attribute, column in chosen.items()}
    headers: dict[str, str | None] = {}
    for canonical, (column, _) in wanted.items():
        with _gathered(faults):
            header = mapper.header(column.column, optional=column.optional, what=canonical) if column.column else None
            there = header is not None or not column.column
            if there and (column.lookup is None or header is None or mapper.look_up(canonical, column, header)):
                headers[canonical] = header
    filled, beside = dict[str, Any](), dict[str, Any]()
    for canonical, header in headers.items():
        column, kind = wanted[canonical]
        with _gathered(faults):
            filled[canonical], bad, text = _value(mapper, canonical, column, kind, header)
            if bad is not None:
                beside[BAD + canonical], beside[TEXT + canonical] = bad, text
    if faults:
        raise Faults(_once(faults))
    mapped = [canonical for canonical in columns if canonical in filled]
    absent = [column for column in required if column not in mapped]
    if absent:
        raise CompanyError(f"{mapper.place}: `{absent[0]}` is required and cannot be optional; map it")
    kept = [attribute for attribute in chosen if attribute in filled]
    typed = {
        canonical: filled[canonical] if canonical in filled else ibis.null(kind)
        for canonical, kind in schema.columns.items()
    }
    others = {attribute: filled[attribute] for attribute in kept}
    rows = {ROW: mapper.table[ROW], FILE: mapper.table[FILE]}
    wide = mapper.table.select(**typed, **others, **beside, **rows)
    read_from = {canonical: header or "no column of theirs" for canonical, header in headers.items()}
    formats = {canonical: wanted[canonical][0].format for canonical in headers}
    return Mapped(name, source, raw, wide, tuple(mapped), tuple(kept), read_from, formats, raw.notes + notes)


@contextmanager
def _gathered(faults: list[str]) -> Iterator[None]:
    """Add what is wrong to the faults and go on."""
    try:
        yield
    except CompanyError as error:
        faults += faults_of(error)


def _once(faults: list[str]) -> list[str]:
    """Leave out what was told before: a mapping of the whole file answers for each column that is not there."""
    whole = [fault for fault in faults if SUGGESTS in fault][:1]
    return [fault for fault in dict.fromkeys(faults) if SUGGESTS not in fault or fault in whole]


def _and(names: list[str]) -> str:
    return "` and `".join(part for part in ("`, `".join(names[:-1]), names[-1]) if part)


def _named_in(rule: Rule, mapper: _Mapper, columns: Mapping[str, Column]) -> dict[str, Any]:
    """Return the canonical columns that a rule names as ``ours.<column>``: theirs are text in a CSV file."""
    named: dict[str, Any] = {}
    for canonical, column in columns.items():
        if f"ours.{canonical}" in rule.names and column.lookup is None:
            header = mapper.header(column.column, optional=False, what=canonical) if column.column else None
            kind = SCHEMAS[mapper.name].columns[canonical]
            named[f"ours.{canonical}"] = _value(mapper, canonical, column, kind, header)[0]
    return named


def _first_part(cell: Any, split: str) -> Any:
    """Return the first of several values in a cell."""
    return cell.cast("string").split(split)[0].strip()


def _latest(mapper: _Mapper, columns: Mapping[str, Column], latest_by: str) -> ir.Table:
    """Keep, of rows with one key, the last by this column, then by file and row (exports repeat a changed record)."""
    keys = SCHEMAS[mapper.name].key
    if not keys:
        raise CompanyError(f"{mapper.place}: latest_by needs a table with a key; `{mapper.name}` has none")
    order = mapper.header((latest_by,), optional=False, what="latest_by")
    headers = [mapper.header(columns[key].column, optional=False, what=key) for key in keys]
    table = mapper.table
    order_by = [table[column].desc() for column in (order, FILE, ROW)]
    last = ibis.row_number().over(group_by=[table[header] for header in headers], order_by=order_by)
    return table.mutate(__last=last).filter(ibis._["__last"] == 0).drop("__last")


def _attributes(
    mapper: _Mapper, canonical: Mapping[str, Kind], columns: Mapping[str, Column]
) -> tuple[dict[str, Column], tuple[str, ...]]:
    """Return the attributes to fill, and a note on those that `all` leaves out."""
    wanted = mapper.source.attributes
    used = {find_header(name, mapper.raw.headers) for column in columns.values() for name in column.column}
    used |= {find_header(mapper.source.deleted, mapper.raw.headers)} if mapper.source.deleted else set()
    chosen, personal, taken = dict(wanted.columns), list[str](), list[str]()
    if wanted.all:
        for header in mapper.raw.headers:
            name, kind = snake(header), mapper.raw.table[header].type()
            if header in used or header in mapper.raw.doubled:
                continue
            if mapper.name in ("leads", "stage_events", "activities") and PERSONAL.search(name):
                personal.append(header)
            elif name in canonical or name in chosen:
                taken.append(header)
            elif kind.is_primitive() or kind.is_string() or kind.is_decimal() or kind.is_temporal():
                chosen[name] = Column(column=(header,), optional=True, type=_kind(kind))
    notes = []
    if personal:
        notes.append(f"{mapper.place}: personal columns are left out: {', '.join(personal)}")
    if taken:
        notes.append(f"{mapper.place}: columns whose names are canonical are left out: {', '.join(taken)}")
    return chosen, tuple(notes)


def _kind(kind: dt.DataType) -> Kind:
    if kind.is_boolean():
        return "boolean"
    if kind.is_integer():
        return "int64"
    if kind.is_numeric():
        return "float64"
    return "timestamp" if kind.is_timestamp() or kind.is_date() else "string"


def _value(mapper: _Mapper, canonical: str, column: Column, kind: Kind, header: str | None) -> Any:
    """Return (value, could not be read, text read) of a column."""
    what = f"{mapper.place}, columns.{canonical}"
    bad, text = None, None
    if column.cases:
        pairs = [
            (mapper.condition(c.when, f"columns.{canonical}.cases"), constant(c.then, kind, what)) for c in column.cases
        ]
        return ibis.cases(*pairs, else_=constant(column.otherwise, kind, what)), None, None
    if column.row:
        value = row_number(mapper.raw, mapper.table, kind, what)
    elif header is None:
        value = constant(column.constant, kind, what)
    else:
        cell = mapper.cell(header, column.nulls) if column.lookup is None else mapper.table[FOUND + canonical]
        if column.split is not None and column.lookup is None:
            cell = _first_part(cell, column.split)
        if column.values:
            cell = cell.cast("string").substitute(dict(column.values))
        if column.blank is not None:
            cell = cell.cast("string").fill_null(column.blank)
        value, text = mapper.read(cell, column, kind, what), cell
        if text.type().is_string() and kind != "string":
            bad = text.notnull() & value.isnull()
    if column.when is not None:
        holds = mapper.condition(column.when, f"columns.{canonical}.when").fill_null(False)
        value = holds.ifelse(value, constant(column.otherwise, kind, what))
        bad = None if bad is None else holds & bad
    return value, bad, text
