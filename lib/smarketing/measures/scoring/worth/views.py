"""Views of a finished study: the grid of fit and engagement, which features weigh most, and how steady the score is.

All are of the leads that the score was judged on, and say nothing where there is too little evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from smarketing.company.definitions import Evidence
from smarketing.estimates.calibration import cluster_sums
from smarketing.estimates.clusters import ClusterSums, share
from smarketing.estimates.scored import quantile_bins
from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.study import Study
from smarketing.measures.scoring.worth.validity import Leads, judge

FloatArray = npt.NDArray[np.float64]
PARTS = 4


@dataclass(frozen=True)
class Grid:
    """How often leads reached the stage, by who they are (A the best fit) and by what they did (4 the most).

    ``rows``: a row a cell: ``fit``, ``engagement``, ``n``, ``share`` (of leads), ``rate`` with ``lower`` and ``upper``
    (accounts kept together), ``reason`` where withheld. Fit and engagement are the sums of the score's contributions of
    each side, cut into four parts of about equal size.
    """

    rows: pd.DataFrame
    what: str


def grid(study: Study, evidence: Evidence) -> Grid | NotApplicable:
    """Cut the judged leads by the fit and the engagement part of their score."""
    if study.model is None or study.leads is None:
        return NotApplicable("no model was fitted")
    sides = {feature.name: feature.side for feature in study.used}
    if "engagement" not in sides.values():
        return NotApplicable("no touches are on record before the scoring moment, so there is no engagement to show")
    parts = study.model.contributions(study.features)
    sums = {
        side: parts[[name for name in parts.columns if sides[name] == side]].sum(axis=1).to_numpy(dtype=np.float64)
        for side in ("fit", "engagement")
    }
    weight = study.leads.weight
    cut = {side: quantile_bins(np.round(values, 9), weight, PARTS) for side, values in sums.items()}
    rows = []
    total = float(weight.sum())
    for fit in reversed(range(int(cut["fit"].max()) + 1)):
        for engagement in range(int(cut["engagement"].max()) + 1):
            mine = (cut["fit"] == fit) & (cut["engagement"] == engagement)
            rows.append(
                {"fit": chr(ord("A") + int(cut["fit"].max()) - fit), "engagement": str(engagement + 1)}
                | _rate(study.leads, mine, total, evidence)
            )
    return Grid(pd.DataFrame(rows), study.leads.what)


@dataclass(frozen=True)
class Importance:
    """What moves the score: a row a feature: ``feature``, ``label``, ``side``, ``weight`` (mean absolute contribution
    to the log-odds over the judged leads), heaviest first."""

    rows: pd.DataFrame


def importance(study: Study) -> Importance | NotApplicable:
    """Return how much each feature moves the score on average."""
    if study.model is None:
        return NotApplicable("no model was fitted")
    parts = study.model.contributions(study.features).abs().mean()
    rows = pd.DataFrame(
        [{"feature": f.name, "label": f.label, "side": f.side, "weight": float(parts[f.name])} for f in study.used]
    )
    return Importance(rows.sort_values(["weight", "feature"], ascending=[False, True], ignore_index=True))


@dataclass(frozen=True)
class Stability:
    """Whether the score holds over time and in each segment.

    ``rows``: a row a group: ``by`` (quarter, region, source), ``group``, ``n``, ``events``, ``auc`` with ``auc_lower``
    and ``auc_upper``, ``predicted`` and observed ``rate`` with ``lower`` and ``upper`` (Bonferroni: sure for all
    groups together), ``off`` where the prediction is outside of these, ``reason`` where withheld.
    """

    rows: pd.DataFrame
    what: str


def stability(study: Study, evidence: Evidence, *, most: int = 8, draws: int = 200, seed: int = 0) -> Stability:
    """Judge the score by quarter and by segment; of many segments the ``most`` largest are shown."""
    columns = ["by", "group", "n", "events", "auc", "auc_lower", "auc_upper", "predicted", "rate", "lower", "upper",
               "off", "reason"]  # fmt: skip
    leads = study.leads
    if leads is None or study.model is None:
        return Stability(pd.DataFrame(columns=columns), "")
    groups = _groups(study)
    rows: list[dict[str, object]] = []
    sums: dict[int, ClusterSums] = {}
    for by, values in groups.items():
        sizes = pd.Series(values).value_counts(sort=False)
        order = sizes.index.tolist() if by == "quarter" else list(sizes.sort_values(ascending=False).index[:most])
        for group in sorted(order) if by == "quarter" else order:
            mine = values == group
            part = leads.only(mine, leads.what)
            probability = study.probability[mine]
            row: dict[str, object] = {"by": by, "group": str(group), "off": False}
            row |= dict.fromkeys(columns[4:11], math.nan)
            judged = judge(part, {"score": probability}, probabilities=(), evidence=evidence, draws=draws, seed=seed)[
                "score"
            ]
            row |= {"n": judged.n, "events": judged.events, "reason": judged.reason}
            if not judged.reason:
                auc = judged.measure("auc")
                sums[len(rows)] = cluster_sums(part.cluster, part.weight, part.outcome)
                row |= {"auc": auc.value, "auc_lower": auc.lower, "auc_upper": auc.upper}
                row |= {"predicted": float((part.weight * probability).sum() / part.weight.sum())}
            rows.append(row)
    # Of many groups one looks off by chance, so the interval that decides is widened by how many are looked at.
    for at, one in sums.items():
        wide = share(one, confidence=1 - 0.05 / len(sums))
        rows[at] |= {"rate": wide.value, "lower": wide.lower, "upper": wide.upper}
        rows[at]["off"] = not wide.lower <= float(rows[at]["predicted"]) <= wide.upper  # type: ignore[arg-type]
    return Stability(pd.DataFrame(rows, columns=columns), leads.what)


def _groups(study: Study) -> dict[str, npt.NDArray[np.object_]]:
    found: dict[str, npt.NDArray[np.object_]] = {}
    if study.sample.at is not None:
        quarter = pd.PeriodIndex(pd.to_datetime(study.sample.at[study.judged]), freq="Q")
        found["quarter"] = np.array([f"{q.year} Q{q.quarter}" for q in quarter], dtype=object)
    for name in study.sample.segments.columns:
        values = study.sample.segments[name].iloc[study.judged].fillna("(blank)").to_numpy(dtype=object)
        # One value for all, such as an attribute that nobody records, parts nobody.
        if len(set(values)) > 1:
            found[name] = values
    return found


def _rate(leads: Leads, mine: npt.NDArray[np.bool_], total: float, evidence: Evidence) -> dict[str, object]:
    n = int((mine & (leads.weight > 0)).sum())
    row: dict[str, object] = {"n": n, "share": 0.0, "rate": math.nan, "lower": math.nan, "upper": math.nan}
    if not n:
        return row | {"reason": "no lead is in it"}
    part = leads.only(mine, leads.what)
    row["share"] = float(part.weight.sum()) / total
    if n < evidence.minimum_denominator or part.effective_accounts < evidence.minimum_effective_accounts:
        return row | {"reason": "too few leads or accounts"}
    rate = share(cluster_sums(part.cluster, part.weight, part.outcome))
    return row | {"rate": rate.value, "lower": rate.lower, "upper": rate.upper, "reason": ""}
