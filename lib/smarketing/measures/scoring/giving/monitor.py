"""Has the model aged? New leads against those it learned from, and its promises against what has come of them since.

Nothing here refits: a monitor says that probabilities are off and by how much, and that it is time for a new study.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from smarketing.company.definitions import Definitions
from smarketing.company.scoring import Scoring
from smarketing.company.tables import CompanyError
from smarketing.estimates.calibration import brier_skill
from smarketing.estimates.drift import design_effect, population_stability
from smarketing.measures.scope import Scope
from smarketing.measures.scoring.giving.level import is_clear, shift_of, side_of
from smarketing.measures.scoring.leads.labels import days_seen, labels_at
from smarketing.measures.scoring.leads.sample import Sample
from smarketing.measures.scoring.models.model_card import FeatureSummary
from smarketing.measures.scoring.models.saving import Saved
from smarketing.measures.scoring.study import DRAWS, Model, whole_weeks
from smarketing.measures.scoring.study_card import JUDGED, label_of
from smarketing.measures.scoring.worth.validity import Leads, Measured, Validity, judge, measured

RECENT_DAYS = 28
"""Leads of so many last days are held against those that the model learned from."""

UNMET = 0.2
"""Above this share of values that training never held, a category no longer means what the model learned."""

State = Literal["holds", "recalibrate", "refit", "cannot tell"]


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """How the model stands.

    ``drift``: a row a feature, the most moved first: ``feature``, ``label``, ``index`` (population stability),
    ``cutoff`` (what chance alone passes in 5 % of months, all features watched together), ``moved``, ``unmet`` (share
    of values that training never held). ``watched`` recent leads are behind it. ``since`` is the validity on leads of
    ``first`` to ``last``, scored after those that the model was judged on, whose outcome is known by now; ``shift`` the
    log-odds by which probabilities have been too low since (above 0) or too high, with its 99 % interval. ``state`` and
    ``why`` say what follows: ``holds``, ``recalibrate`` (level is off; ``why`` says where it is not known whether the
    order still beats the base rate), ``refit`` (no better than the base rate any more), ``cannot tell``.
    Without days (``dated`` False) all leads are watched, and nothing is known of outcomes since.
    """

    drift: pd.DataFrame
    watched: int
    first: date | None
    last: date | None
    since: Validity | None
    shift: Measured
    state: State
    why: str
    dated: bool = True

    @property
    def moved(self) -> pd.DataFrame:
        """The features that moved beyond chance."""
        return self.drift[self.drift["moved"]]

    @property
    def aged(self) -> bool:
        """Whether the alarm is on."""
        return self.state in ("recalibrate", "refit")


def check_fit(
    sample: Sample, saved: Saved, definitions: Definitions, scoring: Scoring, *, scope: Scope | None = None
) -> None:
    """Raise `CompanyError` where the saved model answers another question, or the leads no longer fit it.

    Another question: the definitions have another label or scoring moment by now, or the model learned from a part of
    the company and ``scope`` (None: all of it) is not that part. No longer fitting: too many of a category's values
    were never met in training. A column that is gone, or of another type, is refused by `read`.
    """
    card, label, about = saved.card, label_of(scoring, definitions), (scope or Scope()).label
    if card.scope not in (Scope().label, about):
        raise CompanyError(
            f"The saved model learned from leads of {card.scope}, and this report is about {about}. Give it the same "
            "scope, or run 40_lead_scoring for this one under a case of its own."
        )
    asked = (label, scoring.moment_days if card.moment_days is not None else None)
    if asked != (card.label, card.moment_days):
        raise CompanyError(
            f"The saved model says whether a lead {card.label}, scored {card.moment_days or 0} days after its "
            "creation; the "
            f"definitions now ask whether it {label}, scored {scoring.moment_days} days after. Run 40_lead_scoring "
            "again."
        )
    summaries = card.features
    if sample.at is not None and sample.as_of is not None:
        # Of all leads ever, a system that was renamed last month would be a small part.
        recent = days_seen(sample, sample.as_of) < RECENT_DAYS
        sample = sample.take(recent) if recent.any() else sample
    faults = []
    for summary in summaries:
        values = sample.features[summary.name]
        share = _unmet(values, summary)
        if share > UNMET:
            strange = values[values.notna() & (values != "") & ~values.isin(summary.values)]
            examples = ", ".join(repr(value) for value in sorted(strange.unique())[:3])
            faults.append(f"{summary.label}: {share:.0%} of its values were never met in training, such as {examples}")
    if faults:
        raise CompanyError(
            f"The leads no longer fit the saved model. {'; '.join(faults)}. Map the values in the input file as they "
            "were, or run 40_lead_scoring again."
        )


def watch(
    sample: Sample,
    saved: Saved,
    definitions: Definitions,
    scoring: Scoring,
    *,
    recent_days: int = RECENT_DAYS,
    draws: int = DRAWS,
    seed: int = 0,
) -> Monitor:
    """Hold the leads of the last ``recent_days`` against training, and the model's promises against outcomes since.

    Parameters
    ----------
    sample
        All leads at their moment, as of the day of the report.
    saved
        The model, and its card: the features as they were in training, and the last day whose leads it was judged on.
    """
    model, summaries, rows = saved.model, saved.card.features, saved.card.rows
    judged = dict(saved.card.validity).get(JUDGED)
    judged_until = None if judged is None else date.fromisoformat(judged)
    if sample.at is None or sample.as_of is None or judged_until is None:
        nothing = Measured(name="shift", value=math.nan, lower=math.nan, upper=math.nan)
        return Monitor(
            drift=_drift(sample, rows, summaries),
            watched=len(sample),
            first=None,
            last=None,
            since=None,
            shift=nothing,
            state="cannot tell",
            why="the export has no dates, so nothing can be said of outcomes since",
            dated=sample.at is not None,
        )
    age = days_seen(sample, sample.as_of)
    recent = (age >= 0) & (age < recent_days)
    moment = sample.at.astype("datetime64[D]")
    horizon = scoring.within_days or 0
    labels = labels_at(sample, horizon=horizon, known_at=sample.as_of)
    newest_known = np.datetime64(sample.as_of, "D") - np.timedelta64(horizon, "D")
    news = (moment > np.datetime64(judged_until, "D")) & (age >= horizon) & (labels.weight > 0)
    since, shift, skill = _since(sample, model, labels.value, news, definitions, scoring, draws=draws, seed=seed)
    state, why = _state(since, shift, skill)
    if newest_known <= np.datetime64(judged_until, "D"):
        why = "the model was judged on the newest leads whose days are over, so there are none since"
    days = moment[news]
    return Monitor(
        drift=_drift(sample.take(recent), rows, summaries),
        watched=int(recent.sum()),
        first=days.min().astype(date) if len(days) else None,
        last=days.max().astype(date) if len(days) else None,
        since=since,
        shift=shift,
        state=state,
        why=why,
    )


def _since(
    sample: Sample,
    model: Model,
    value: npt.NDArray[np.int8],
    news: npt.NDArray[np.bool_],
    definitions: Definitions,
    scoring: Scoring,
    *,
    draws: int,
    seed: int,
) -> tuple[Validity, Measured, Measured]:
    """Return the validity since, the shift of level, and the Brier skill that is left once the shift is mended."""
    assert sample.at is not None
    at = sample.at[news]
    days = at.astype("datetime64[D]")
    week = np.zeros(0, dtype=np.int64)
    if len(days):
        first, last = days.min().astype(date), days.max().astype(date)
        week = whole_weeks(at, first, last, definitions.calendar.week_starts)
    leads = Leads(
        what="leads since",
        outcome=value[news].astype(np.float64),
        weight=np.ones(int(news.sum())),
        cluster=sample.cluster[news],
        week=week,
        capacity=float(scoring.weekly_capacity or 1) * sample.fraction,
        fraction=sample.fraction,
    )
    probability = model.probability(sample.features.loc[news, [role.name for role in model.roles]])
    options = {"draws": draws, "seed": seed}
    found = judge(leads, {"score": probability}, probabilities=("score",), evidence=definitions.evidence, **options)[
        "score"
    ]
    nothing = Measured(name="shift", value=math.nan, lower=math.nan, upper=math.nan)
    if found.reason:
        return found, nothing, nothing

    shift = shift_of(leads, probability, draws=draws, seed=seed)
    mended = expit(logit(np.clip(probability, 1e-12, 1 - 1e-12)) + shift.value)

    def skill(times: npt.NDArray[np.float64] | None) -> float:
        return brier_skill(mended, leads.outcome, times)

    return found, shift, measured("brier_skill", skill, leads, draws=draws, seed=seed)


def _state(since: Validity, shift: Measured, skill: Measured) -> tuple[State, str]:
    if since.reason:
        return "cannot tell", f"too little has come of leads since it was judged ({since.reason})"
    if skill.upper <= 0:
        return "refit", (
            f"on {since.n:,} leads since, its probabilities, their level mended, are surely no better than the base "
            f"rate (Brier skill {skill.value:.3f}, 95% interval up to {skill.upper:.3f})"
        )
    unsure = f"(Brier skill {skill.value:.3f}, 95% interval from {skill.lower:.3f})"
    better = skill.lower > 0
    # A level that is surely off is mended whatever the order is worth, which takes more leads to see.
    if side_of(shift):
        side = "more" if shift.value > 0 else "fewer"
        why = f"of {since.n:,} leads since, clearly {side} got there than it promised"
        order = f"; whether their order still beats the base rate cannot be told yet {unsure}"
        return "recalibrate", why if better else why + order
    if not better:
        return "cannot tell", (
            f"the {since.n:,} leads since are too few to say whether its probabilities still beat the base rate "
            f"{unsure}"
        )
    if is_clear(shift):
        side = "low" if shift.value > 0 else "high"
        return "holds", (
            f"on {since.n:,} leads since, its probabilities are too {side} by {abs(shift.value):.2f} in log-odds, too "
            "little to matter"
        )
    return "holds", f"on {since.n:,} leads since, nothing says that its probabilities are off"


def _drift(sample: Sample, card_rows: int, summaries: Sequence[FeatureSummary]) -> pd.DataFrame:
    level = 1 - 0.05 / max(len(summaries), 1)
    rows = []
    for summary in summaries:
        values = sample.features[summary.name]
        bins = _bins(values, summary)
        size = len(summary.shares) + 2
        effect = float(design_effect(bins, sample.cluster)) if len(bins) else 1.0
        # How alike leads of an account are is taken to be the same in training.
        effect = effect if math.isfinite(effect) and effect > 0 else 1.0
        before = np.array([*summary.shares, summary.other, summary.missing]) * card_rows
        found = population_stability(
            before,
            np.bincount(bins, minlength=size),
            level=level,
            reference_effect=effect,
            current_effect=effect,
        )
        rows.append(
            {
                "feature": summary.name,
                "label": summary.label,
                "index": found.value,
                "cutoff": found.cutoff,
                "moved": bool(found.moved),
                "unmet": _unmet(values, summary),
            }
        )
    frame = pd.DataFrame(rows, columns=["feature", "label", "index", "cutoff", "moved", "unmet"])
    return frame.sort_values(["moved", "index", "feature"], ascending=[False, False, True], ignore_index=True)


def _bins(values: pd.Series, summary: FeatureSummary) -> npt.NDArray[np.int64]:
    """Return each value's bin: those of training in order, then other values (rare or new), then what is missing."""
    size = len(summary.shares)
    if summary.kind == "number":
        numbers = values.to_numpy(dtype=np.float64)
        found = np.searchsorted(np.array(summary.edges), numbers, side="right").astype(np.int64)
        return np.where(np.isnan(numbers), size + 1, found)
    places = {value: place for place, value in enumerate(summary.values)}
    found = values.map(places).fillna(size).to_numpy(dtype=np.int64)
    missing = (values.isna() | (values == "")).to_numpy(dtype=bool)
    return np.where(missing, size + 1, found)


def _unmet(values: pd.Series, summary: FeatureSummary) -> float:
    """Return the share of a category's given values that training never held, at least (rare ones are pooled)."""
    given = values[values.notna() & (values != "")]
    if summary.kind == "number" or given.empty:
        return 0.0
    strange = float((~given.isin(summary.values)).mean())
    known = 1.0 - summary.missing
    return max(strange - (summary.other / known if known > 0 else 0.0), 0.0)
