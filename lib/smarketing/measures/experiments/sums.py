"""Sums over the units of an experiment's arms, made in the engine: rows of leads never come to Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations_with_replacement

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from smarketing.estimates.adjustment import UnitInfluence
from smarketing.estimates.moments import Moments
from smarketing.measures.experiments import whole
from smarketing.measures.experiments.covariates import COVARIATE
from smarketing.measures.experiments.outcomes import (
    ARM,
    KNOWN,
    OUTCOME,
    OVER,
    SIZE,
    STRATUM,
    UNIT,
    WHOLE,
    Observed,
)
from smarketing.measures.experiments.outcomes import (
    COUNT as LEADS,
)

Y = "y"
SQUARED_PARTS = 1e6
"""Squared influences are added as whole numbers; the average one is about so many."""


@dataclass(frozen=True, kw_only=True)
class ArmSums:
    """What an arm's units add up to for one metric.

    ``moments`` are of the metric (called `Y`) and the covariates, of units whose horizon is over and who can have the
    outcome; ``converted`` is how many of them have a value other than 0.
    """

    moments: Moments
    converted: int


def covariates(seen: Observed) -> tuple[str, ...]:
    """Return the names of the covariates' columns."""
    return tuple(name for name in seen.table.columns if name.startswith(COVARIATE))


def of_leads(
    seen: Observed, metrics: Sequence[str], *, with_covariates: bool = True, by: str | None = None
) -> dict[str, dict[str, dict[str, ArmSums]]]:
    """Return the sums of metrics over leads: by metric, by the values of ``by`` (one group, "", without) and by arm.

    One pass over the units for all metrics; one more for each metric that some units cannot have, whose covariates are
    then those of the others.
    """
    names = covariates(seen) if with_covariates else ()
    rows = seen.table.filter(seen.table[KNOWN] & seen.table[OVER])
    columns = {metric: OUTCOME + metric for metric in metrics}
    pairs = [(column, column) for column in columns.values()]
    pairs += [(column, name) for column in columns.values() for name in names]
    pairs += list(combinations_with_replacement(names, 2))
    asked: dict[tuple[str, ...], ir.Value] = {("n",): rows.count()}
    asked |= {key: _total(seen, rows, key) for key in [*((c,) for c in (*columns.values(), *names)), *pairs]}
    for column in columns.values():
        asked["n", column] = rows[WHOLE + column].count()
        if seen.parts[column].yes_or_no:
            asked["converted", column] = asked[column,]
        else:
            asked["converted", column] = (rows[WHOLE + column] != seen.parts[column].zero).ifelse(1, 0).sum()
    answers = _by_arm(rows, asked, by)
    partial = [m for m in metrics if names and any(row["n", columns[m]] < row["n",] for row in answers.values())]
    found: dict[str, dict[str, dict[str, ArmSums]]] = {metric: {} for metric in metrics}
    for (group, arm), row in sorted(answers.items()):
        for metric, column in columns.items():
            if metric not in partial and row["n", column]:
                given = {Y: column} | {name: name for name in names}
                found[metric].setdefault(group, {})[arm] = ArmSums(
                    moments=_moments(seen, given, int(row["n", column]), row), converted=int(row["converted", column])
                )
    for metric in partial:
        able = replace(seen, table=seen.table.filter(seen.table[columns[metric]].notnull()))
        found |= of_leads(able, [metric], by=by)
    return found


@dataclass(frozen=True, kw_only=True)
class Influenced:
    """A question of `squared_influences`: how leads of an arm move its estimate of a metric, and the sum to expect."""

    arm: str
    metric: str
    influence: UnitInfluence
    n: int
    expected: float


def squared_influences(seen: Observed, asked: Sequence[Influenced]) -> list[float]:
    """Return the sum of squared influences for each question, over the leads of its arm: all in one pass."""
    if not asked:
        return []
    rows = seen.table.filter(seen.table[KNOWN] & seen.table[OVER])
    scales = [SQUARED_PARTS * one.n / one.expected for one in asked]
    sums: dict[str, ir.Value] = {}
    for place, (one, scale) in enumerate(zip(asked, scales, strict=True)):
        columns = {Y: OUTCOME + one.metric} | {name: name for name in covariates(seen)}
        form = _form(seen, rows, one.influence.residual_constant, one.influence.residual, columns)
        form = form * _form(seen, rows, one.influence.reach_constant, one.influence.reach, columns)
        mine = (rows[ARM] == one.arm) & rows[WHOLE + columns[Y]].notnull()
        whole_square = (form * form * ibis.literal(scale, "float64")).round().cast("int64")
        sums[f"t{place}"] = mine.ifelse(whole_square, ibis.null("int64")).sum()
    answer = rows.aggregate(**sums).to_pyarrow().to_pylist()[0]
    return [int(answer[f"t{place}"] or 0) / scale for place, scale in enumerate(scales)]


def _form(
    seen: Observed, rows: ir.Table, constant: float, weights: Mapping[str, float], columns: Mapping[str, str]
) -> ir.FloatingValue:
    """Return a constant plus the weighted sum of columns, from the whole numbers as which they are kept."""
    parts = {name: seen.parts[columns[name]] for name, weight in weights.items() if weight}
    shift = math.fsum(weights[name] * one.centre for name, one in parts.items())
    found: ir.FloatingValue = ibis.literal(constant + shift, "float64")
    for name, one in parts.items():
        # A factor that is written out is a decimal to some engines.
        weight = ibis.literal(weights[name] / one.parts, "float64")
        found = found + rows[WHOLE + columns[name]].cast("float64") * weight
    return found


def before(seen: Observed, names: Sequence[str]) -> dict[str, dict[str, Moments]]:
    """Return the moments of covariates by covariate and by arm, of all units that were found again."""
    rows = seen.table.filter(seen.table[KNOWN])
    asked: dict[tuple[str, ...], ir.Value] = {}
    for name in names:
        asked |= {key: _total(seen, rows, key) for key in ((name,), (name, name))}
        asked["n", name] = rows[WHOLE + name].count()
    answers = _by_arm(rows, asked, None) if names else {}
    return {
        name: {
            arm: _moments(seen, {name: name}, int(row["n", name]), row)
            for (_, arm), row in sorted(answers.items())
            if row["n", name]
        }
        for name in names
    }


def _total(seen: Observed, rows: ir.Table, key: Sequence[str]) -> ir.Value:
    """Ask for the sum of a column kept as whole numbers, or of the product of two."""
    if len(set(key)) == 1 and seen.parts[key[0]].yes_or_no:
        key = key[:1]
    columns = [rows[WHOLE + name] for name in key]
    return whole.total(columns, [seen.parts[name].largest for name in key], wide=whole.adds_wide(seen.table))


Answer = Mapping[tuple[str, ...], int | Decimal]


def _by_arm(rows: ir.Table, asked: Mapping[tuple[str, ...], ir.Value], by: str | None) -> dict[tuple[str, str], Answer]:
    """Ask for sums by a column's values and by arm."""
    group = ibis.literal("") if by is None else rows[by]
    # What is asked twice is added up once: the square of a yes or no is itself.
    names: dict[object, str] = {}
    sums: dict[str, ir.Value] = {}
    for value in asked.values():
        sums[names.setdefault(value.op(), f"t{len(names)}")] = value
    table = rows.group_by(group=group, arm=rows[ARM]).aggregate(**sums).to_pyarrow()
    return {
        (str(row["group"]), row["arm"]): {key: row[names[value.op()]] for key, value in asked.items()}
        for row in table.to_pylist()
    }


def _moments(seen: Observed, columns: Mapping[str, str], n: int, given: Answer) -> Moments:
    """Return moments of columns, called as their keys, from sums of whole numbers.

    A whole centre is taken off first, so that no digit is lost where a mean is large.
    """
    names = list(columns)
    totals = {name: int(given[columns[name],]) for name in names}
    centres = {name: round(totals[name] / n) for name in names}
    sums: dict[str, float | Decimal | None] = {name: totals[name] - n * centres[name] for name in names}
    sums["n"] = n
    for first, second in combinations_with_replacement(names, 2):
        one, other = centres[first], centres[second]
        product = int(given[columns[first], columns[second]])
        sums[f"{first}*{second}"] = product - one * totals[second] - other * totals[first] + n * one * other
    kept = {name: seen.parts[column] for name, column in columns.items()}
    found = Moments.from_sums(names, sums, centres=centres).scaled({name: 1 / kept[name].parts for name in names})
    return replace(found, centres=found.centres + np.array([kept[name].centre for name in names]))


def accounts(seen: Observed, metric: str) -> pd.DataFrame:
    """Return one row an account whose horizon is over, in the order of its id.

    Columns ``unit``, ``arm``, ``stratum``, ``n`` (leads that can have the outcome) and ``y`` (their sum). Accounts
    without such a lead are left out: they are so before chance decides.
    """
    rows = seen.table
    rows = rows.filter(rows[KNOWN] & rows[OVER] & (rows[LEADS + metric] > 0))
    columns = {"unit": UNIT, "arm": ARM, "stratum": STRATUM, "n": LEADS + metric, "y": OUTCOME + metric}
    frame = rows.select(**{name: rows[column] for name, column in columns.items()}).to_pyarrow().to_pandas()
    frame = frame.sort_values("unit", kind="stable", ignore_index=True)
    return frame.astype({"n": np.float64, "y": np.float64})


def counts(seen: Observed, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return units by arm (and by columns): ``dealt``, ``known``, ``over``, ``leads``."""
    rows = seen.table
    keys = {"arm": rows[ARM]} | {column: rows[column] for column in columns}
    found = rows.group_by(**keys).aggregate(
        dealt=rows.count(),
        known=rows[KNOWN].ifelse(1, 0).sum(),
        over=(rows[KNOWN] & rows[OVER]).ifelse(1, 0).sum(),
        leads=rows[SIZE].fill_null(0).sum(),
    )
    return found.order_by("arm", *columns).to_pyarrow().to_pandas()
