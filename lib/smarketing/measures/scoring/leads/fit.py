"""Who a lead is: columns of leads and their accounts as candidate features, ids, names and the sales side left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from smarketing.company.suggest import PERSONAL
from smarketing.company.tables import SCHEMAS, Company, CompanyError
from smarketing.measures.journeys import days_between
from smarketing.measures.scoring.leads.moments import AT
from smarketing.measures.scoring.leads.sample import Feature

MOST_DAYS_KNOWN = 90
"""Days of an account that count: without an end they would only say how long the records have been kept."""

WEEKDAY, HOUR, DAYS_KNOWN = "created.weekday", "created.hour", "accounts.days_known"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CREATED: Mapping[str, tuple[str, Literal["number", "category"], str]] = {
    WEEKDAY: ("weekday of creation", "category", "leads.created_at"),
    HOUR: ("hour of creation", "number", "leads.created_at"),
    DAYS_KNOWN: (
        f"days that the account was known, at most {MOST_DAYS_KNOWN}",
        "number",
        "accounts.created_at",
    ),
}
"""Features read from times: their label, kind and origin."""

_ID = re.compile(r"(^|_)(id|uuid|guid|key)$")
_NAMES = re.compile(r"^(name|domain|url|website)$|_(name|domain|url)$")
_SALES = re.compile(r"(^|_)(owner|sales_rep|assigned_to)(_|$)")


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A column that could have been a feature and is not, and why: the reason continues "it ..."."""

    name: str
    reason: str


def fit_features(company: Company, outcome: str | None) -> tuple[list[Feature], list[Skipped]]:
    """Return the columns of leads and accounts that may be features by their name and type, and those that may not.

    Columns that the company does not record are passed over. A column is ``known`` before or after first contact with
    sales only where the input file declares it, because a CRM overwrites values in place.
    """
    found, skipped = list[Feature](), list[Skipped]()
    for table in ("leads", "accounts"):
        if not company.has(table):
            continue
        declared = company.known.get(table, {})
        for column, kind in company.table(table).schema().items():
            if not company.records(table, column) or (table, column) == ("leads", outcome):
                continue
            name = column if table == "leads" else f"accounts.{column}"
            reason = _reason(column, kind, of_schema=column in SCHEMAS[table].columns)
            if reason:
                skipped += [Skipped(name=name, reason=reason)] if reason != "created" else []
                continue
            found.append(
                Feature(
                    name=name,
                    label=column.replace("_", " ") + (" of the account" if table == "accounts" else ""),
                    kind="category" if kind.is_string() else "number",
                    side="fit",
                    known=declared.get(column, "undeclared"),
                    origin=f"{table}.{column}",
                )
            )
    if company.records("leads", "created_at"):
        for name, (label, of_kind, origin) in CREATED.items():
            table, _, column = origin.partition(".")
            if company.records(table, column):
                found.append(Feature(name=name, label=label, kind=of_kind, side="fit", known="dated", origin=origin))
    return found, skipped


def fit_value(feature: Feature, rows: ir.Table, company: Company) -> ir.Value:
    """Return a feature of this side as a column of leads at their moment: float64, or text with blanks as NULL.

    Raises
    ------
    CompanyError
        The column is no longer recorded, or is of another type than the feature.
    """
    table, _, column = feature.origin.partition(".")
    if not company.records(table, column):
        raise CompanyError(
            f"The score uses {feature.name!r}, and {table} have no `{column}` any more. Map it in the input file, or "
            "fit the score anew without it."
        )
    value = rows[column if table == "leads" else f"accounts.{column}"]
    if feature.name in CREATED:
        return _of_time(feature.name, value, rows[AT])
    kind = value.type()
    if kind.is_string() != (feature.kind == "category") or _reason("", kind, of_schema=False):
        held = "text" if kind.is_string() else str(kind)
        raise CompanyError(
            f"The score uses {feature.name!r} as a {feature.kind}, and {table}.{column} now holds {held}. Give it its "
            "`type` in the input file, or fit the score anew."
        )
    if kind.is_string():
        return value.strip().nullif("")
    if kind.is_boolean():
        return ibis.cases((value, 1.0), (~value, 0.0), else_=None).cast("float64")
    number = value.cast("float64")
    if kind.is_floating():
        return (number.isnan() | number.isinf()).ifelse(ibis.null("float64"), number)
    return number


def _reason(column: str, kind: dt.DataType, *, of_schema: bool) -> str:
    """Return why a column is no feature, ``created`` where a feature of its own is made from it, else nothing."""
    if kind.is_timestamp() or kind.is_date() or kind.is_time():
        return "created" if column == "created_at" and of_schema else "is a time, and says nothing without a moment"
    if not (kind.is_string() or kind.is_boolean() or kind.is_numeric()):
        return f"holds {kind}, which is neither a number nor a text"
    if _SALES.search(column):
        return "says who in sales has the lead, which is decided after it is scored"
    if _ID.search(column):
        return "identifies rows"
    if kind.is_string() and (_NAMES.search(column) or PERSONAL.search(column)):
        return "names a person or a company"
    return ""


def _of_time(name: str, value: ir.TimestampValue, at: ir.TimestampValue) -> ir.Value:
    if name == WEEKDAY:
        index = value.day_of_week.index()
        return ibis.cases(*((index == place, day) for place, day in enumerate(DAYS)), else_=ibis.null("string"))
    if name == HOUR:
        return value.hour().cast("float64")
    # By whole days, because a date without a time of day does not say whether it was before the moment.
    days = days_between(value, at)
    return (days > 0).ifelse(ibis.least(days, MOST_DAYS_KNOWN), ibis.null("int64")).cast("float64")
