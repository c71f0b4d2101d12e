"""Sums over the units of an experiment's arms, made in the engine: rows of leads never come to Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd

from smarketing.estimates.moments import COUNT, Moments, terms
from smarketing.measures.experiments.covariates import COVARIATE, PARTS, whole_parts
from smarketing.measures.experiments.outcomes import (
    ARM,
    KNOWN,
    OUTCOME,
    OVER,
    SIZE,
    STRATUM,
    UNIT,
    Observed,
)
from smarketing.measures.experiments.outcomes import (
    COUNT as LEADS,
)

Y = "y"


def covariates(seen: Observed) -> tuple[str, ...]:
    """Return the names of the covariates' columns."""
    return tuple(name for name in seen.table.columns if name.startswith(COVARIATE))


def moments(
    seen: Observed, metric: str, *, with_covariates: bool = True, by: str | None = None
) -> dict[str, dict[str, Moments]]:
    """Return the moments of a metric (called `Y`) and the covariates, by the values of ``by`` and by arm.

    Of units whose horizon is over and who can have the outcome; without ``by`` there is one group, called "".
    """
    names = {Y: OUTCOME + metric} | ({name: name for name in covariates(seen)} if with_covariates else {})
    rows = seen.table
    rows = rows.filter(rows[KNOWN] & rows[OVER] & rows[OUTCOME + metric].notnull())
    whole = {name: whole_parts(rows[column]) for name, column in names.items()}
    asked = terms(list(names))
    sums: dict[str, ibis.Value] = {"t0": rows.count()}
    for place, (key, columns) in enumerate(asked.items()):
        if key == COUNT:
            continue
        value = whole[columns[0]] if len(columns) == 1 else whole[columns[0]] * whole[columns[1]]
        sums[f"t{place}"] = value.sum()
    group = ibis.literal("") if by is None else rows[by]
    found: dict[str, dict[str, Moments]] = {}
    for row in rows.group_by(group=group, arm=rows[ARM]).aggregate(**sums).to_pyarrow().to_pylist():
        given = {key: row[f"t{place}"] for place, key in enumerate(asked)}
        found.setdefault(str(row["group"]), {})[row["arm"]] = _centred(list(names), given)
    return {group: found[group] for group in sorted(found)}


def converted(seen: Observed, metric: str, *, by: str | None = None) -> dict[str, dict[str, int]]:
    """Return how many units have a value other than 0, by the values of ``by`` (all under "") and by arm."""
    rows = seen.table
    rows = rows.filter(rows[KNOWN] & rows[OVER] & rows[OUTCOME + metric].notnull())
    group = ibis.literal("") if by is None else rows[by]
    asked = rows.group_by(group=group, arm=rows[ARM]).aggregate(n=(rows[OUTCOME + metric] != 0).ifelse(1, 0).sum())
    found: dict[str, dict[str, int]] = {}
    for row in asked.to_pyarrow().to_pylist():
        found.setdefault(str(row["group"]), {})[row["arm"]] = int(row["n"])
    return found


def before(seen: Observed, covariate: str) -> dict[str, Moments]:
    """Return the moments of a covariate by arm, of all units that were found again."""
    rows = seen.table
    rows = rows.filter(rows[KNOWN] & rows[covariate].notnull())
    value = whole_parts(rows[covariate])
    asked = rows.group_by(arm=rows[ARM]).aggregate(n=rows.count(), first=value.sum(), square=(value * value).sum())
    found = {}
    for row in asked.to_pyarrow().to_pylist():
        given = {COUNT: row["n"], covariate: row["first"], f"{covariate}*{covariate}": row["square"]}
        found[row["arm"]] = _centred([covariate], given)
    return found


def _centred(names: list[str], given: Mapping[str, int | Decimal]) -> Moments:
    """Return moments from sums of whole parts, less a whole centre: no digit is lost where a mean is large."""
    n = int(given[COUNT])
    totals = {name: int(given[name]) for name in names}
    centres = {name: round(totals[name] / n) for name in names}
    sums: dict[str, float | Decimal | None] = {name: totals[name] - n * centres[name] for name in names}
    sums[COUNT] = n
    for place, first in enumerate(names):
        for second in names[place:]:
            one, other = centres[first], centres[second]
            apart = int(given[f"{first}*{second}"]) - one * totals[second] - other * totals[first] + n * one * other
            sums[f"{first}*{second}"] = apart
    return Moments.from_sums(names, sums, centres=centres).scaled(dict.fromkeys(names, 1 / PARTS))


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
