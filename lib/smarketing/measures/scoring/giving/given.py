"""What came of the leads that a score was given out for: promises as they were made, and leads worked all the same.

Scoring old leads again, as `monitor` does, uses what the systems say of them today. What was promised at the time is in
the ``scores`` table; only it can say whether the score kept its word.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pandas as pd

from smarketing.company.definitions import Definitions
from smarketing.company.scoring import Scoring
from smarketing.company.tables import Company
from smarketing.estimates.clusters import Clustered, share
from smarketing.estimates.rates import difference
from smarketing.estimates.scored import cluster_sums
from smarketing.measures.scoring.giving.level import shift_of
from smarketing.measures.scoring.leads.labels import days_seen, labels_at
from smarketing.measures.scoring.leads.present import SYSTEM
from smarketing.measures.scoring.leads.sample import Sample
from smarketing.measures.scoring.study import DRAWS
from smarketing.measures.scoring.study_card import promise_of
from smarketing.measures.scoring.worth.validity import Leads, Measured, Validity, judge

ROWS = {
    "subject_id": "string",
    "system": "string",
    "at": "timestamp",
    "score": "float64",
    "band": "string",
    "qualified": "boolean",
    "explore": "boolean",
    "promise": "string",
    "explore_share": "float64",
}
"""The columns of scores given out: those of the canonical table, and what was decided and promised then.

``explore_share`` of the leads below the threshold were drawn on that day: what was agreed may change.
"""

AT_CAPACITY = ("lift", "captured")
"""The measures of a score that ask which leads competed for sales' places in a week."""

DRAWN, LEFT = "drawn to be worked", "not drawn"


@dataclass(frozen=True, kw_only=True)
class LookBack:
    """Leads that were given a score on an earlier day and whose days are over.

    ``validity`` is that of the probabilities as given (without the measures `AT_CAPACITY`), of leads whose moment was
    on ``first`` to ``last``; ``level`` the log-odds by which these were too low (above 0) or too high, with its 99 %
    interval (`level.shift_of`). ``below`` has two rows, of leads below the threshold at the time: ``group`` (`DRAWN` at
    random to be worked all the same, and `LEFT`), ``n``, ``events``, ``promised`` (mean probability given), ``rate``
    with ``lower`` and ``upper`` (accounts kept together; NaN where there are too few). A lead counts there by the
    inverse of its probability to be in its group, so that both stand for all leads below the threshold, also where more
    were drawn later; leads of whom none or all were drawn, or of whom that is unknown, are in neither. ``effect`` is
    the first rate minus the second: as leads were drawn at random, what drawing them changed. ``other_promises`` scores
    of ours were left out, since they promised something else than the definitions do now. ``reason`` says why there is
    nothing to look back on.

    Notes
    -----
    Weighted so, rates are those of Hajek (1971); without weights, a share that was changed takes what the days differ
    by for an effect of the draw.
    """

    n: int
    first: date | None
    last: date | None
    validity: Validity | None
    level: Measured
    below: pd.DataFrame
    effect: Measured
    other_promises: int = 0
    reason: str = ""

    @property
    def drawn(self) -> pd.Series:
        """The row of leads that were drawn to be worked."""
        return self.below.iloc[0]


def look_back(
    company: Company,
    sample: Sample,
    definitions: Definitions,
    scoring: Scoring,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> LookBack:
    """Hold what was given out on earlier days against what came of it.

    Parameters
    ----------
    company
        Its ``scores`` table holds what was given out; the first score given to a lead counts, and only those that
        promised what the definitions promise now. How many promised something else is counted, and said.
    sample
        All leads at their moment, as of the day of the report.
    """
    if sample.at is None or sample.as_of is None:
        return _nothing("the export has no dates")
    promise = promise_of(scoring, definitions)
    other = _other_promises(company, promise)
    given = _given_out(company, promise).reindex(sample.subject_id)
    horizon = scoring.within_days or 0
    labels = labels_at(sample, horizon=horizon, known_at=sample.as_of)
    over = (days_seen(sample, sample.as_of) >= horizon) & (labels.weight > 0)
    kept = given["score"].notna().to_numpy() & over
    if not kept.any():
        reason = "no lead that a score was given out for on an earlier day has had all its days"
        return _nothing(reason if not other.n else f"{reason}; {other.said(promise)}", other.n)
    given, at = given[kept], sample.at[kept]
    days = at.astype("datetime64[D]")
    first, last = days.min().astype(date), days.max().astype(date)
    leads = Leads(
        what="leads that were given a score",
        outcome=labels.value[kept].astype(np.float64),
        weight=np.ones(int(kept.sum())),
        cluster=sample.cluster[kept],
        week=None,
        capacity=float(kept.sum()),
        fraction=sample.fraction,
    )
    promised = given["score"].to_numpy(dtype=np.float64)
    judged = judge(
        leads, {"score": promised}, probabilities=("score",), evidence=definitions.evidence, draws=draws, seed=seed
    )["score"]
    # Scores reach us of the days that had a report. Where these were not weekly, leads did not compete for places as
    # the weeks of these rows would have it, so nothing is said of what the capacity caught.
    kept_measures = tuple(one for one in judged.measures if one.name not in AT_CAPACITY)
    validity = replace(judged, selected=math.nan, measures=kept_measures)
    groups = _groups(given, leads)
    rates = {name: _rate(one, definitions) for name, one in groups.items()}
    rows = [_row(name, one, promised, rates[name]) for name, one in groups.items()]
    return LookBack(
        n=len(leads),
        first=first,
        last=last,
        validity=validity,
        level=_unknown("shift") if validity.reason else shift_of(leads, promised, draws=draws, seed=seed),
        below=pd.DataFrame(rows),
        effect=_effect(rates),
        other_promises=other.n,
    )


@dataclass(frozen=True, kw_only=True)
class _Others:
    """How many of our scores promised something else, and the promise that most of them made."""

    n: int
    most: str | None

    def said(self, promise: str) -> str:
        made = "no promise that is known" if self.most is None else f"another promise, such as {self.most!r}"
        scores = "1 score was" if self.n == 1 else f"{self.n:,} scores were"
        return f"{scores} given out with {made}, and the definitions now promise {promise!r}"


def _ours(company: Company) -> ir.Table | None:
    """Return the scores that we gave out, with all columns of `ROWS`, null where the company's table has none."""
    if not company.has("scores"):
        return None
    scores = company.table("scores")
    held = {name: scores[name] if name in scores.columns else ibis.null(kind) for name, kind in ROWS.items()}
    return scores.filter(scores.system == SYSTEM).select(**{name: held[name] for name in ROWS}).cast(ROWS)


def _other_promises(company: Company, promise: str) -> _Others:
    ours = _ours(company)
    if ours is None:
        return _Others(n=0, most=None)
    other = ours.filter(ours.promise.isnull() | (ours.promise != promise))
    counted = other.group_by("promise").aggregate(n=other.count()).to_pyarrow().to_pylist()
    named = sorted((-int(row["n"]), str(row["promise"])) for row in counted if row["promise"] is not None)
    return _Others(n=sum(int(row["n"]) for row in counted), most=named[0][1] if named else None)


def _given_out(company: Company, promise: str) -> pd.DataFrame:
    """Return the first score that was given to each lead with this promise, by lead; what is unknown is missing.

    Reports of one day give out scores of the same time: of these the highest counts, and then that of the list which
    drew more, whatever the order of the rows.
    """
    columns = ["score", "qualified", "explore", "explore_share"]
    ours = _ours(company)
    if ours is None:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns}).astype({"score": "float64"})
    ours = ours.filter(ours.promise == promise)
    # Engines put nulls at different ends.
    flags = [ours[name].fill_null(False).desc() for name in ("explore", "qualified")]
    order = [ours["at"], ours.score.fill_null(-1.0).desc(), ours.explore_share.fill_null(-1.0).desc(), *flags]
    place = ibis.row_number().over(group_by=ours.subject_id, order_by=order)
    first = ours.mutate(__place=place).filter(ibis._["__place"] == 0)
    return first.select("subject_id", *columns).execute().set_index("subject_id")


def _groups(given: pd.DataFrame, leads: Leads) -> dict[str, Leads]:
    """Return the leads as each group weighs them, 0 for those that are not in it."""
    share = given["explore_share"].to_numpy(dtype=np.float64)
    known = given[["qualified", "explore"]].notna().all(axis=1).to_numpy() & (share > 0) & (share < 1)
    qualified, explore = (given[name].eq(True).to_numpy(dtype=bool) for name in ("qualified", "explore"))
    below = known & ~qualified
    chance = {DRAWN: (below & explore, share), LEFT: (below & ~explore, 1 - share)}
    return {
        name: replace(leads, weight=np.where(mask, 1 / np.where(mask, probability, 1.0), 0.0))
        for name, (mask, probability) in chance.items()
    }


def _rate(group: Leads, definitions: Definitions) -> Clustered | None:
    inside = group.weight > 0
    if not inside.any() or group.only(inside, "leads").too_few_to_count(definitions.evidence):
        return None
    return share(cluster_sums(group.cluster[inside], group.weight[inside], group.outcome[inside]))


def _row(name: str, group: Leads, promised: npt.NDArray[np.float64], rate: Clustered | None) -> dict[str, object]:
    total = float(group.weight.sum())
    return {
        "group": name,
        "n": len(group),
        "events": group.events,
        "promised": float((group.weight * promised).sum()) / total if total else math.nan,
        "rate": math.nan if rate is None else rate.value,
        "lower": math.nan if rate is None else rate.lower,
        "upper": math.nan if rate is None else rate.upper,
    }


def _effect(rates: dict[str, Clustered | None]) -> Measured:
    drawn, left = rates[DRAWN], rates[LEFT]
    if drawn is None or left is None:
        return _unknown("effect")
    found = difference(drawn, left)
    return Measured(name="effect", value=found.value, lower=found.lower, upper=found.upper)


def _nothing(reason: str, other_promises: int = 0) -> LookBack:
    columns = ["group", "n", "events", "promised", "rate", "lower", "upper"]
    return LookBack(
        n=0,
        first=None,
        last=None,
        validity=None,
        level=_unknown("shift"),
        below=pd.DataFrame(columns=columns),
        effect=_unknown("effect"),
        other_promises=other_promises,
        reason=reason,
    )


def _unknown(name: str) -> Measured:
    return Measured(name=name, value=math.nan, lower=math.nan, upper=math.nan)
