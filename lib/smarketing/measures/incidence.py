"""What becomes of journeys: cumulative incidence from life tables built in the engine, with intervals by account.

The first pass over the rows counts exits by age; the second sums each account's influence on the shares that are
asked for. Neither brings rows to Python.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats

from smarketing.company.definitions import Evidence
from smarketing.estimates.clusters import Clustered, clustered_share, effective_clusters
from smarketing.estimates.survival import Incidence, Influence, LifeTable, incidence, influence
from smarketing.measures.exact import INFLUENCE, cents, product, whole
from smarketing.measures.journeys import Durations
from smarketing.measures.scope import BLANK

ALL = "all"
"""The group of everybody, where nothing is broken down."""


FEWEST_FOR_DAYS = 10
"""Below so many events the days they took say little, and their interval would look surer than it is."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """The share of journeys that left by ``kind`` within ``horizon`` days of starting, 0 to 1, with a 95 % interval.

    ``n`` journeys started, ``events`` of them left so within the horizon. ``value`` is None where the number is
    withheld, and ``reason`` says why. ``kind`` is ``open`` for those that had not left.
    """

    group: str
    kind: str
    horizon: int
    value: float | None
    lower: float | None
    upper: float | None
    n: int
    events: int
    clusters: int
    effective_clusters: float
    independent_standard_error: float | None
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """The curves of one group: its life table, its cumulative incidences, and the journeys themselves.

    ``life`` and ``curves`` are of cents where shares are weighted; ``counts`` and ``n`` are always of journeys.
    """

    group: str
    life: LifeTable
    curves: Incidence
    counts: LifeTable
    n: int


def outcomes(durations: Durations, *, by: str | None = None, weight: str | None = None) -> dict[str, Outcome]:
    """Count exits by age in the engine and estimate the curves of each group (``by``: a column).

    ``weight`` names a money column: shares are then of money; rows without it are left out. Groups are in
    alphabetical order; rows without one are the group ``(blank)``.
    """
    rows = _prepared(durations, by, weight)
    sums = {"weight": rows.weight.sum(), "rows": rows.count().cast("float64")}
    leaving = rows.group_by("group", "last_age", "exit").aggregate(**sums).execute()
    entering = leaving.assign(first_age=0)
    if durations.enters_late:
        entering = rows.group_by("group", "first_age").aggregate(**sums).execute()
    found = {}
    for group in sorted(leaving["group"].unique()):
        out, into = leaving[leaving["group"] == group], entering[entering["group"] == group]
        counts = _life_table(out, into, durations.kinds, "rows")
        life = counts if weight is None else _life_table(out, into, durations.kinds, "weight")
        found[str(group)] = Outcome(str(group), life, incidence(life), counts, round(float(counts.entered.sum())))
    return found


def shares(
    durations: Durations,
    *,
    horizons: Sequence[int],
    evidence: Evidence,
    kinds: Sequence[str] | None = None,
    by: str | None = None,
    weight: str | None = None,
    found: Mapping[str, Outcome] | None = None,
) -> list[Share]:
    """Estimate the share that has left by each kind within each horizon, by group, with intervals that know accounts.

    ``kinds`` are exits or ``open``; all of them when not given. ``found`` saves the first pass where `outcomes` was
    called with the same arguments.
    """
    found = outcomes(durations, by=by, weight=weight) if found is None else found
    asked = [(kind, horizon) for kind in (kinds or (*durations.kinds, "open")) for horizon in horizons]
    influences = {group: [influence(o.life, kind, h) for kind, h in asked] for group, o in found.items()}
    sums = _sums_by_account(
        _prepared(durations, by, weight), influences, [kind for kind, _ in asked], durations.enters_late
    )
    results = []
    for group, outcome in found.items():
        for position, (kind, horizon) in enumerate(asked):
            row = sums[group]
            one = influences[group][position]
            estimate = clustered_share(
                # Sums of products can end a rounding beyond 1.
                min(max(one.value, 0.0), 1.0) if np.isfinite(one.value) else one.value,
                max(float(row[f"squares_{position}"]), 0.0),
                int(row["clusters"]),
                _effective(row),
                n=outcome.n,
            )
            results.append(_share(outcome, kind, horizon, one, estimate, evidence))
    return results


@dataclass(frozen=True, kw_only=True)
class TimeTo:
    """The age in days by which a share ``q`` of those who leave by ``kind`` within ``horizon`` has done so.

    ``q`` = 0.5 is the median time of those who get there in time. ``lower`` and ``upper`` are a 95 % interval;
    ``value`` is None where withheld. ``events`` left so within the horizon.
    """

    group: str
    kind: str
    q: float
    horizon: int
    value: int | None
    lower: int | None
    upper: int | None
    events: int
    reason: str = ""


def times(
    durations: Durations,
    kind: str,
    *,
    horizon: int,
    evidence: Evidence,
    q: float = 0.5,
    by: str | None = None,
    found: Mapping[str, Outcome] | None = None,
) -> list[TimeTo]:
    """Estimate how long it takes those who leave by ``kind`` within the horizon, by group.

    The interval turns that of the share R(t) = F(t) / F(horizon), at the estimated time, into days (Woodruff 1952,
    Journal of the American Statistical Association 47:635-646), with accounts kept together.
    """
    found = outcomes(durations, by=by) if found is None else found
    estimated = {group: o.curves.time_to_share(kind, q, horizon) for group, o in found.items()}
    ratios = {
        group: [_ratio(influence(found[group].life, kind, when), influence(found[group].life, kind, horizon))]
        for group, when in estimated.items()
        if when is not None
    }
    sums = _sums_by_account(_prepared(durations, by, None), ratios, [kind], durations.enters_late)
    results = []
    for group, outcome in found.items():
        events = round(float(outcome.counts.exits[kind][outcome.counts.age <= horizon].sum()))
        when, lower, upper = estimated[group], None, None
        reason = too_thin(n=outcome.n, evidence=evidence, effective=_effective(sums[group])) if group in sums else ""
        if not reason and events < FEWEST_FOR_DAYS:
            reason = f"only {events} got there; {FEWEST_FOR_DAYS} are needed to say when"
        if not reason and when is not None:
            row = sums[group]
            error = math.sqrt(max(float(row["squares_0"]), 0.0) * row["clusters"] / (row["clusters"] - 1))
            half = float(stats.t.ppf(0.975, _effective(row) - 1)) * error
            lower = outcome.curves.time_to_share(kind, max(q - half, 1e-9), horizon)
            upper = outcome.curves.time_to_share(kind, min(q + half, 1.0), horizon)
        shown = not reason and when is not None
        results.append(
            TimeTo(
                group=group,
                kind=kind,
                q=q,
                horizon=horizon,
                value=when if shown else None,
                lower=lower,
                upper=upper,
                events=events,
                reason=reason,
            )
        )
    return results


def _ratio(at: Influence, whole: Influence) -> Influence:
    """Return the influence on the ratio of two incidences of the same life table (delta method)."""
    ratio = at.value / whole.value
    terms = {
        name: (getattr(at, name) - ratio * getattr(whole, name)) / whole.value
        for name in ("kind_term", "exit_term", "cumulative", "cumulative_before")
    }
    return replace(at, value=ratio, **terms)


def _effective(row: pd.Series) -> float:
    return effective_clusters(float(row["sum_n"]), float(row["sum_n2"]))


def _share(outcome: Outcome, kind: str, horizon: int, one: Influence, estimate: Clustered, evidence: Evidence) -> Share:
    within = outcome.counts.age <= horizon
    exits = outcome.counts.exits
    left = sum(float(column[within].sum()) for column in exits.values())
    events = outcome.n - left if kind == "open" else float(exits[kind][within].sum())
    reason = too_thin(
        n=outcome.n,
        effective=estimate.effective_clusters,
        evidence=evidence,
        denominator=incidence(outcome.counts).smallest_denominator(horizon) if np.isfinite(one.value) else None,
    )
    if not reason and not np.isfinite(one.value):
        reason = f"nobody has been followed for {horizon} days yet"
    shown = not reason
    return Share(
        group=outcome.group,
        kind=kind,
        horizon=horizon,
        value=estimate.value if shown else None,
        lower=estimate.lower if shown else None,
        upper=estimate.upper if shown else None,
        n=outcome.n,
        events=round(events),
        clusters=estimate.clusters,
        effective_clusters=estimate.effective_clusters,
        independent_standard_error=one.independent_standard_error if shown else None,
        reason=reason,
    )


def too_thin(*, n: float, effective: float, evidence: Evidence, denominator: float | None = None) -> str:
    """Say why a share is withheld (too few journeys or accounts; never a wide interval), or an empty text."""
    if n < evidence.minimum_denominator:
        return f"only {n:,.0f} of the {evidence.minimum_denominator} needed"
    if denominator is not None and denominator < evidence.minimum_denominator:
        return f"too few are followed that long (some days rest on {denominator:,.0f})"
    if effective < evidence.minimum_effective_accounts:
        needed = evidence.minimum_effective_accounts
        return f"they come from the equivalent of {effective:,.0f} accounts; {needed} are needed"
    return ""


def _prepared(durations: Durations, by: str | None, weight: str | None) -> ir.Table:
    rows = durations.table
    group = ibis.literal(ALL) if by is None else rows[by].cast("string").fill_null(BLANK)
    amount = ibis.literal(1, "int64") if weight is None else cents(rows[weight])
    picked = rows.select("cluster", "first_age", "last_age", "exit", group=group, weight=amount)
    return picked if weight is None else picked.filter(picked.weight > 0)


def _life_table(leaving: pd.DataFrame, entering: pd.DataFrame, kinds: Sequence[str], column: str) -> LifeTable:
    ages = np.union1d(leaving["last_age"], entering["first_age"]).astype(np.int64)

    def spread(at: pd.Series, weights: pd.Series) -> np.ndarray:
        return np.bincount(np.searchsorted(ages, at), weights=weights.astype(float), minlength=len(ages))

    exits = {}
    for kind in kinds:
        rows = leaving[leaving["exit"] == kind]
        exits[kind] = spread(rows["last_age"], rows[column])
    still = leaving[leaving["exit"].isna()]
    return LifeTable(
        age=ages,
        entered=spread(entering["first_age"], entering[column]),
        exits=exits,
        censored=spread(still["last_age"], still[column]),
    )


def _sums_by_account(
    rows: ir.Table, influences: Mapping[str, list[Influence]], asked: Sequence[str], enters_late: bool
) -> dict[str, pd.Series]:
    """Sum influence by account in the engine, then its squares; a row a group."""
    if not influences:
        return {}
    leave = ibis.memtable(_lookup(influences, ("kind_term", "exit_term", "cumulative"), "last_age"))
    joined = rows.inner_join(leave, ["group", "last_age"])
    if enters_late:
        joined = joined.inner_join(
            ibis.memtable(_lookup(influences, ("cumulative_before",), "first_age")), ["group", "first_age"]
        )
    left = joined.exit.notnull().ifelse(1.0, 0.0)
    by_account = {"size": joined.weight.sum()}
    for position, kind in enumerate(asked):
        so = left if kind == "open" else (joined.exit == kind).fill_null(False).ifelse(1.0, 0.0)
        term = so * joined[f"kind_term_{position}"] + left * joined[f"exit_term_{position}"]
        term = term - joined[f"cumulative_{position}"]
        if enters_late:
            term = term + joined[f"cumulative_before_{position}"]
        by_account[f"influence_{position}"] = whole(joined.weight * term).sum()
    accounts = joined.group_by("group", "cluster").aggregate(**by_account)
    squares = {
        f"squares_{i}": product(accounts[f"influence_{i}"], accounts[f"influence_{i}"]).sum().cast("float64")
        for i in range(len(asked))
    }
    totals = accounts.group_by("group").aggregate(
        clusters=accounts.count(),
        sum_n=accounts["size"].sum().cast("float64"),
        sum_n2=product(accounts["size"], accounts["size"]).sum().cast("float64"),
        **squares,
    )
    found = totals.execute()
    found[list(squares)] /= INFLUENCE**2
    return {str(row["group"]): row for _, row in found.iterrows()}


def _lookup(influences: Mapping[str, list[Influence]], terms: Sequence[str], age: str) -> pd.DataFrame:
    """Return the influence terms as a table: a row a group and age, a column a term and question."""
    frames = []
    for group, several in influences.items():
        columns = {f"{term}_{i}": getattr(one, term) for i, one in enumerate(several) for term in terms}
        frames.append(pd.DataFrame({"group": group, age: several[0].age, **columns}))
    return pd.concat(frames, ignore_index=True)
