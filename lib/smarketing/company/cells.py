"""Cells read as a type: texts, numbers, yes or no, and times in the company's zone, as lazy ibis."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from smarketing.company.expressions import SET
from smarketing.company.input_columns import Column, Constant
from smarketing.company.tables import CompanyError, Kind

ZONE_MARK = r"\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d(:?\d\d)?)$"
NOT_SET = ("0", "false", "f", "no", "n")
_LOCAL, _UTC = dt.timestamp, dt.Timestamp(timezone="UTC")


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, _LOCAL), _UTC))
def _at_zone(zone: str, at: datetime) -> datetime:  # type: ignore[empty-body]
    """Return the instant that a naive time is in a zone; DuckDB and PostgreSQL call it alike."""


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, _UTC), _LOCAL))
def _to_zone(zone: str, at: datetime) -> datetime:  # type: ignore[empty-body]
    """Return the naive time that an instant is in a zone."""


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dt.string, dt.string), _LOCAL))
def _try_strptime(text: str, form: str) -> datetime:  # type: ignore[empty-body]
    """DuckDB's strptime that gives NULL for what it cannot read."""


def constant(value: Constant | None, kind: Kind, what: str) -> Any:
    """Return a constant of an input file as a typed literal; raises `CompanyError` where it is not of that type."""
    if value is None:
        return ibis.null(kind)
    try:
        if kind == "timestamp":
            day = value if isinstance(value, date) else datetime.fromisoformat(str(value))
            return ibis.literal(day if isinstance(day, datetime) else datetime.combine(day, time.min), kind)
        if kind in ("float64", "int64"):
            return ibis.literal(float(str(value)) if kind == "float64" else int(str(value)), kind)
        if kind == "boolean":
            return ibis.literal({**dict.fromkeys(SET, True), **dict.fromkeys(NOT_SET, False)}[str(value).lower()])
    except (ValueError, KeyError):
        raise CompanyError(f"{what}: the constant {value!r} is not a {kind}") from None
    return ibis.literal(str(value))


def yes_or_no(cell: Any) -> Any:
    """Read ``1``, ``true``, ``yes`` and their like, in any letter case; anything else is NULL."""
    if cell.type().is_boolean():
        return cell
    word = cell.cast("string").lower()
    return ibis.cases((word.isin(SET), True), (word.isin(NOT_SET), False), else_=ibis.null("boolean"))


def read_cell(cell: Any, column: Column, kind: Kind, *, utc: bool, zone: str, embedded: bool, what: str) -> Any:
    """Read a cell as a type.

    ``utc``: its times are in UTC unless the column says otherwise; ``zone`` is the company's. ``embedded``: the engine
    is DuckDB, where what cannot be read becomes NULL; other engines refuse the query. ``what`` begins messages.
    """
    if kind == "timestamp":
        utc = utc if column.utc is None else column.utc
        return _time(cell, column, utc=utc, zone=zone, embedded=embedded, what=what)
    if kind == "string":
        return cell.cast("string")
    if kind == "boolean":
        return yes_or_no(cell)
    if cell.type().is_string():
        for part in column.remove:
            cell = cell.replace(part, "")
        number = cell.try_cast("float64") if embedded else cell.cast("float64")
        number = (number.isnan() | number.isinf()).ifelse(ibis.null("float64"), number)
        if kind == "int64":
            number = (number == number.round()).ifelse(number, ibis.null("float64"))
    elif cell.type().is_numeric():
        number = cell.nullif(float("nan")) if cell.type().is_floating() else cell
    else:
        raise CompanyError(f"{what}: a column of type {cell.type()} is not a number")
    number = number * column.scale if column.scale != 1 else number
    return number.cast(kind)


def _time(cell: Any, column: Column, *, utc: bool, zone: str, embedded: bool, what: str) -> Any:
    """Read a time in the company's zone. A day without a time of day is its midnight, and is never shifted."""
    kind = cell.type()
    if kind.is_date():
        at = cell.cast("timestamp")
    elif kind.is_timestamp() and kind.timezone:
        at = _to_zone(zone, cell)
    elif kind.is_timestamp():
        at = _shift(cell.cast("timestamp"), utc=utc and not column.date, zone=zone)
    elif kind.is_string():
        shifted = utc and not column.date
        tries = [_parse(cell, form, utc=shifted, zone=zone, embedded=embedded) for form in column.format or ("iso",)]
        at = ibis.coalesce(*tries)
    else:
        raise CompanyError(f"{what}: a column of type {kind} is not a time")
    return at.truncate("D").cast("timestamp") if column.date else at.cast("timestamp")


def _shift(at: Any, *, utc: bool, zone: str) -> Any:
    return _to_zone(zone, _at_zone("UTC", at)) if utc and zone != "UTC" else at


def _parse(cell: Any, form: str, *, utc: bool, zone: str, embedded: bool) -> Any:
    """Read a text by one format. ``iso`` reads marks of a time zone only where times are said to be in UTC."""
    if form != "iso":
        read = _try_strptime(cell, form) if embedded else cell.as_timestamp(form)
        return _shift(read, utc=utc and any(mark in form for mark in ("%H", "%I", "%M")), zone=zone)
    if not embedded:
        return _shift(cell.cast("timestamp"), utc=utc, zone=zone)
    plain = cell.try_cast("timestamp")
    plain = cell.contains(":").ifelse(_shift(plain, utc=utc, zone=zone), plain)
    instant = _to_zone(zone, cell.try_cast(_UTC)) if utc else ibis.null("timestamp")
    return cell.re_search(ZONE_MARK).ifelse(instant, plain)
