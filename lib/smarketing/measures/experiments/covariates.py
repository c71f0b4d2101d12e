"""What was known of units before they were dealt, as numbers in the engine: it narrows intervals and compares arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from smarketing.company.protocol import Protocol

COVARIATE = "x_"
MOST_LEVELS = 10
"""A text has a covariate for each of its commonest values but one, at most so many."""
PARTS = 1e6


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What a covariate's columns are made with: ``mean`` of a number, or ``levels`` of a text; whether some miss it."""

    mean: float
    levels: tuple[str, ...] | None
    missing: bool


def fillings(protocol: Protocol, rows: ir.Table) -> dict[str, Filling]:
    """Look at the covariates of the leads that were found, before outcomes are joined to them."""
    there, names = rows.filter(rows["__key"].notnull()), protocol.covariates
    if not names:
        return {}
    sums: dict[str, ir.Value] = {"n": there.count()}
    for place, name in enumerate(names):
        column = there[name]
        text = column.type().is_string()
        value: ir.Value = column if text else number(column)
        sums[f"known{place}"] = value.count()
        if not text:
            sums[f"mean{place}"] = exact_mean(value)
    asked = there.aggregate(**sums).to_pyarrow().to_pylist()[0]
    found = {}
    for place, name in enumerate(names):
        levels = None
        if there[name].type().is_string():
            counts = there.filter(there[name].notnull()).group_by(value=name).aggregate(n=lambda t: t.count())
            common = counts.order_by(ibis.desc("n"), "value").limit(MOST_LEVELS + 1).to_pyarrow()["value"].to_pylist()
            levels = tuple(common[1:])
        known = asked[f"known{place}"]
        missing = 0 < known < asked["n"]
        found[name] = Filling(mean=round(float(asked.get(f"mean{place}") or 0.0), 6), levels=levels, missing=missing)
    return found


def columns(filled: Mapping[str, Filling], rows: ir.Table) -> dict[str, ir.Value]:
    """Return covariates as numbers: a yes or no as 1 and 0, a text as one column for each of its values but one.

    What is missing is the column's mean (0 for a text's columns), with a column of its own that says so: a unit is
    never lost for a covariate. Units that were not found say nothing of it.
    """
    found: dict[str, ir.Value] = {}
    for name, filling in filled.items():
        column: ir.Value = rows[name] if filling.levels is not None else number(rows[name])
        if filling.levels is None:
            found[f"{COVARIATE}{name}"] = column.fill_null(filling.mean)
        for place, value in enumerate(filling.levels or (), 1):
            found[f"{COVARIATE}{name}_{place}"] = one_or_zero((column == value).fill_null(False))
        if filling.missing:
            found[f"{COVARIATE}{name}_missing"] = one_or_zero(column.isnull())
    return found


def words(filled: Mapping[str, Filling]) -> dict[str, str]:
    """Return each of `columns` in words: a text's are one a value."""
    found: dict[str, str] = {}
    for name, filling in filled.items():
        said = name.replace("_", " ")
        if filling.levels is None:
            found[f"{COVARIATE}{name}"] = said
        for place, value in enumerate(filling.levels or (), 1):
            found[f"{COVARIATE}{name}_{place}"] = f"{said} {value}"
        if filling.missing:
            found[f"{COVARIATE}{name}_missing"] = f"{said} missing"
    return found


def one_or_zero(condition: ir.BooleanValue) -> ir.FloatingValue:
    """Return 1 or 0 as a float: a written 1.0 is a decimal to some engines, and overflows when it is multiplied."""
    return condition.ifelse(1, 0).cast("float64")


def exact_mean(value: ir.FloatingValue) -> ir.FloatingValue:
    """Return a mean that does not depend on the order of adding."""
    return whole_parts(value).sum().cast("float64") / value.count().cast("float64").nullif(0.0) / PARTS


def whole_parts(value: ir.FloatingValue) -> ir.DecimalValue:
    """Return a number as whole millionths, wide enough to be summed: the order of adding then does not matter."""
    return (value * PARTS).round().cast("int64").cast("decimal(38, 0)")


def number(value: ir.Value) -> ir.FloatingValue:
    """Return a yes or no as 1 and 0, a number as it is; what is no finite number is missing."""
    if value.type().is_boolean():
        return ibis.cases((value, 1), (~value, 0), else_=None).cast("float64")
    found = value.cast("float64")
    if value.type().is_floating():
        return (found.isnan() | found.isinf()).ifelse(ibis.null("float64"), found)
    return found
