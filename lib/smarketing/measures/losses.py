"""Why deals are lost and to whom: shares of the losses of a period, against the period before, and by product.

A loss for which sales recorded no reason, or no competitor, says nothing of either. Shares are therefore of the losses
that name one, and how many name none stands apart: otherwise a competitor would fall by being asked about less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd

from smarketing.estimates.clusters import Clustered, ClusterSums, effective_clusters, share
from smarketing.estimates.rates import difference
from smarketing.measures.clear import clearly_changed, largest
from smarketing.measures.incidence import too_thin
from smarketing.measures.periods import Period, day
from smarketing.measures.scope import BLANK
from smarketing.measures.small_cells import hide_small_cells
from smarketing.measures.view import View

OTHER = "All others"
"""Groups too small to be shown, pooled: no reason and no competitor, and never what a title is about."""


@dataclass(frozen=True)
class Losses:
    """The losses of a period by one column (loss reason or competitor).

    ``lost`` deals were lost in the period and ``n`` of them name one; ``lost_before`` and ``n_before`` in the period
    before. All shares are of those that name one.

    ``rows``: ``group``, ``losses``, ``losses_before``, ``share`` with ``lower`` and ``upper``, ``share_before``,
    ``change`` with ``change_lower`` and ``change_upper``, ``clear`` (really changed, all groups asked together);
    largest first, groups below the smallest group shown pooled as "All others". ``by_product``: ``product``,
    ``group``, ``losses`` (NaN where hidden: too small, or needed to keep another hidden) and ``of`` (losses of the
    product that name one, NaN where it would give a hidden cell away; see `small_cells`). ``reason`` says why there is
    nothing to show.
    """

    by: str
    rows: pd.DataFrame
    by_product: pd.DataFrame
    period: Period
    before: Period
    n: int
    n_before: int
    lost: int
    lost_before: int
    reason: str

    @property
    def unnamed(self) -> float:
        """The share of the losses that name none; NaN where nothing was lost."""
        return 1 - self.n / self.lost if self.lost else math.nan

    @property
    def unnamed_before(self) -> float:
        """The same in the period before."""
        return 1 - self.n_before / self.lost_before if self.lost_before else math.nan

    @property
    def moved(self) -> pd.Series | None:
        """The group whose share changed most in standard errors, among those whose share really changed."""
        named = self.rows[self.rows["clear"].astype(bool) & (self.rows["group"] != OTHER)]
        return largest(named, "change", "change_lower", "change_upper")


def losses(view: View, by: str) -> Losses:
    """Measure losses by ``loss_reason`` or ``competitor`` over half the cohort days, and over the half before.

    `MissingTable` where no deals are mapped.
    """
    view.company.table("opportunities")
    half = timedelta(days=view.definitions.windows.cohort_days // 2)
    period = _period(view.as_of - half + timedelta(days=1), view.as_of)
    before = _period(period.start - half, period.start - timedelta(days=1))
    nothing = pd.DataFrame(
        columns=[
            "group",
            "losses",
            "losses_before",
            "share",
            "lower",
            "upper",
            "share_before",
            "change",
            "change_lower",
            "change_upper",
            "clear",
        ]
    )
    no_products = pd.DataFrame(columns=["product", "group", "losses", "of"])
    words = by.replace("_", " ")
    if not view.company.records("opportunities", by):
        return Losses(by, nothing, no_products, period, before, 0, 0, 0, 0, f"no {words} is recorded")
    lost = view.deals.table.filter(view.deals.table.exit == "lost")
    lost = lost.mutate(group=lost[by])
    all_now, all_before = (int(_closed_in(lost, days).count().execute()) for days in (period, before))
    named = lost.filter(lost.group.notnull())
    now_rows, was_rows = _closed_in(named, period), _closed_in(named, before)
    n, n_before = int(now_rows.count().execute()), int(was_rows.count().execute())
    reason = too_thin(n=n, effective=_effective(now_rows), evidence=view.definitions.evidence)
    if reason:
        said = f"of losses that name a {words}, {reason}"
        return Losses(by, nothing, no_products, period, before, n, n_before, all_now, all_before, said)
    smallest = view.definitions.privacy.smallest_group
    # A group that is gone now was shown before, so what was large in either half-year keeps its name.
    sizes = [rows.group_by("group").aggregate(n=rows.count()).execute() for rows in (now_rows, was_rows)]
    kept = sorted({str(group) for size in sizes for group in size.loc[size["n"] >= smallest, "group"]})
    now, was = _shares(now_rows, kept), _shares(was_rows, kept)
    comparable = not too_thin(n=n_before, effective=_effective(was_rows), evidence=view.definitions.evidence)
    rows = []
    for group in [*kept, OTHER]:
        if group not in now or (group == OTHER and round(now[group].value * n) < smallest):
            continue
        one, two = now[group], was.get(group)
        change = difference(one, two) if two is not None and comparable else None
        rows.append(
            {
                "group": group,
                "losses": round(one.value * n),
                "losses_before": round(two.value * n_before) if two else 0,
                "share": one.value,
                "lower": one.lower,
                "upper": one.upper,
                "share_before": two.value if two and comparable else math.nan,
                "change": change.value if change else math.nan,
                "change_lower": change.lower if change else math.nan,
                "change_upper": change.upper if change else math.nan,
            }
        )
    ordered = pd.DataFrame(rows).sort_values("losses", ascending=False, kind="stable")
    ordered["clear"] = clearly_changed(ordered, "change", "change_lower", "change_upper")
    last = ordered["group"].isin([OTHER])
    return Losses(
        by,
        pd.concat([ordered[~last], ordered[last]], ignore_index=True),
        _by_product(view, now_rows, kept),
        period,
        before,
        n,
        n_before,
        all_now,
        all_before,
        "",
    )


def _period(start: date, end: date) -> Period:
    return Period(start, end, f"{day(start)} to {day(end)}")


def _closed_in(lost: ir.Table, period: Period) -> ir.Table:
    at = lost.exit_at.truncate("D")
    return lost.filter(at.between(ibis.timestamp(f"{period.start} 00:00:00"), ibis.timestamp(f"{period.end} 00:00:00")))


def _effective(rows: ir.Table) -> float:
    accounts = rows.group_by("cluster").aggregate(n=rows.count().cast("float64"))
    sums = accounts.aggregate(n=accounts.n.sum(), n2=(accounts.n * accounts.n).sum()).execute().fillna(0.0).iloc[0]
    return effective_clusters(float(sums["n"]), float(sums["n2"]))


def _shares(rows: ir.Table, kept: list[str]) -> dict[str, Clustered]:
    """Return each group's share of the losses, with accounts kept together; groups not kept are pooled."""
    groups = [*kept, OTHER]
    pooled = rows.mutate(pooled=rows.group.isin(kept).ifelse(rows.group, OTHER))
    accounts = pooled.group_by("cluster").aggregate(
        n=pooled.count().cast("float64"),
        **{f"y{i}": (pooled.pooled == group).ifelse(1.0, 0.0).sum() for i, group in enumerate(groups)},
    )
    sums = (
        accounts.aggregate(
            clusters=accounts.count(),
            n=accounts.n.sum(),
            n2=(accounts.n * accounts.n).sum(),
            **{f"y{i}": accounts[f"y{i}"].sum() for i in range(len(groups))},
            **{f"yy{i}": (accounts[f"y{i}"] * accounts[f"y{i}"]).sum() for i in range(len(groups))},
            **{f"ny{i}": (accounts.n * accounts[f"y{i}"]).sum() for i in range(len(groups))},
        )
        .execute()
        .fillna(0.0)
        .iloc[0]
    )
    if not sums["n"]:
        return {}
    found = {}
    for i, group in enumerate(groups):
        if group == OTHER and not sums[f"y{i}"]:
            continue
        found[group] = share(
            ClusterSums(
                clusters=int(sums["clusters"]),
                sum_n=sums["n"],
                sum_n2=sums["n2"],
                sum_y=sums[f"y{i}"],
                sum_y2=sums[f"yy{i}"],
                sum_ny=sums[f"ny{i}"],
            )
        )
    return found


def _by_product(view: View, rows: ir.Table, kept: list[str]) -> pd.DataFrame:
    """Count losses by product and group; small cells are hidden, and what would give them away."""
    pooled = rows.mutate(
        pooled=rows.group.isin(kept).ifelse(rows.group, OTHER), product=rows["product"].fill_null(BLANK)
    )
    counts = pooled.group_by("product", "pooled").aggregate(losses=pooled.count()).execute()
    counts = counts.rename(columns={"pooled": "group"})
    wide = counts.pivot(index="product", columns="group", values="losses").fillna(0).sort_index().sort_index(axis=1)
    shown, totals = hide_small_cells(wide, view.definitions.privacy.smallest_group)
    places = list(zip(counts["product"], counts["group"], strict=True))
    counts["losses"] = [float(shown.loc[place]) for place in places]
    counts["of"] = [float(totals.loc[product]) for product, _ in places]
    # The order, too, rests on what is shown.
    counts["size"] = counts.groupby("product")["losses"].transform("sum")
    ordered = counts.sort_values(
        ["size", "product", "losses", "group"], ascending=[False, True, False, True], ignore_index=True
    )
    return ordered.drop(columns="size")
