"""One scoring study: audit, split in time, fit, choose, and judge once on later leads.

What comes out is a score worth giving out, or the reason why there is none. The model that was judged is the model that
is given out: it knows what was known on the split day and nothing later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from smarketing.company.definitions import Definitions, Evidence
from smarketing.company.scoring import Scoring
from smarketing.measures.scoring.audit.leakage import Audit, audit
from smarketing.measures.scoring.leads.features import Drawn
from smarketing.measures.scoring.leads.labels import Labels, days_seen, labels_at
from smarketing.measures.scoring.leads.sample import Feature, Sample
from smarketing.measures.scoring.leads.split import Split, split_forward
from smarketing.measures.scoring.models.boosting import Boosting, learn_boosting
from smarketing.measures.scoring.models.choice import Choice, choose
from smarketing.measures.scoring.models.enough import Enough, enough
from smarketing.measures.scoring.models.scorecard import Scorecard, count_parameters, learn_scorecard
from smarketing.measures.scoring.worth.validity import Leads, Validity, judge

FloatArray = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Model = Scorecard | Boosting
DRAWS = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """A study of one definition of a good lead.

    ``leads`` are those that the score was judged on, in the order of ``judged`` (positions in ``sample``), with
    ``probability`` as the model gives it to them. ``later`` holds the validity of the score (``score``), of the present
    rules (``present``) and of working the newest first (``newest``); ``unseen`` the score's on accounts that it never
    met; ``at_random`` what a random split would have claimed. ``split`` is None where the export has no dates: the
    score is then judged out of fold, and ``forward`` is False. ``model`` is None where nothing was fitted.
    ``families`` compares the two kinds of model within the training leads. ``unusable`` says why the score is not
    given out, empty where it is.
    """

    scoring: Scoring
    sample: Sample
    labels: Labels
    known: Labels
    split: Split | None
    audit: Audit
    used: tuple[Feature, ...]
    left_out: pd.DataFrame
    enough: Enough | None
    choice: Choice | None
    model: Model | None
    leads: Leads | None
    judged: npt.NDArray[np.int64]
    probability: FloatArray
    rivals: Mapping[str, FloatArray]
    later: Mapping[str, Validity]
    unseen: Validity | None
    at_random: Validity | None
    families: pd.DataFrame
    unusable: str

    @property
    def forward(self) -> bool:
        """Whether the score was judged on later leads."""
        return self.split is not None

    @property
    def usable(self) -> bool:
        """Whether the score may be given out."""
        return not self.unusable

    @property
    def validity(self) -> Validity | None:
        """The score's own validity."""
        return self.later.get("score")

    @property
    def features(self) -> pd.DataFrame:
        """The features of the leads that were judged."""
        return self.sample.features.iloc[self.judged][[feature.name for feature in self.used]]


def study(drawn: Drawn, definitions: Definitions, scoring: Scoring, *, draws: int = DRAWS, seed: int = 0) -> Study:
    """Run a study on a modelling sample.

    Parameters
    ----------
    drawn
        Leads at their scoring moment, from `features.draw`.
    definitions, scoring
        The definitions in force, and their entry on the score.
    draws, seed
        Of the account bootstrap.
    """
    sample, evidence, week_starts = drawn.sample, definitions.evidence, definitions.calendar.week_starts
    split, labels = _split(sample, scoring)
    nobody = _nobody(sample, scoring, split, labels)
    if nobody is not None:
        return nobody
    training = np.ones(len(sample), dtype=bool) if split is None else split.train
    known = _known(sample, scoring, split)
    asked = sample.take(training)
    found = audit(asked, _take(known, training), worked=asked.worked)
    used, left_out = _used(drawn, found, scoring, training)
    names = [feature.name for feature in used]
    fit_rows = training & (known.weight > 0)
    x, cluster = sample.features[names], sample.cluster
    given = (known.value[fit_rows], known.weight[fit_rows])
    needs = count_parameters(x[fit_rows], used, *given) if used else 0
    decision = enough(*given, cluster[fit_rows], parameters=needs)
    blank = replace(
        _blank(sample, scoring, split, labels), known=known, audit=found, used=used, left_out=left_out, enough=decision
    )
    if not used:
        return replace(blank, unusable="no feature is left that is known before the scoring moment and may be used")
    if decision.decision == "refuse":
        return replace(blank, unusable=decision.reason)
    card = learn_scorecard(
        x[fit_rows], used, *given, cluster[fit_rows], most_parameters=decision.most_parameters, seed=seed
    )
    trees = learn_boosting(x[fit_rows], used, *given, cluster[fit_rows], seed=seed)
    choice = choose(card.model, trees.model, *given, cluster[fit_rows])
    # Reasons are asked of the one that is given out only.
    model: Model = card.explained() if choice.chosen == "scorecard" else trees.explained()
    judged = np.flatnonzero(fit_rows if split is None else split.test)
    settled = known if split is None else _matured(sample, labels, scoring)
    leads = _leads(sample, settled, judged, scoring, split, week_starts)
    probability = model.out_of_fold if split is None else model.probability(x.iloc[judged])
    rivals = _rivals(sample, judged)
    later = judge(
        leads, {"score": probability, **rivals}, probabilities=("score",), evidence=evidence, draws=draws, seed=seed
    )
    unusable = _unusable(later["score"], scoring)
    unseen = at_random = None
    if split is not None:
        new = split.unseen[judged]
        apart = leads.only(new, "later leads of accounts that the score never met")
        options = {"probabilities": ("score",), "evidence": evidence, "draws": draws, "seed": seed}
        unseen = judge(apart, {"score": probability[new]}, **options)["score"]  # type: ignore[arg-type]
        if unusable == "":
            at_random = _at_random(blank, model, later["score"].selected, week_starts, evidence, draws=draws, seed=seed)
    inside = _leads(sample, known, np.flatnonzero(fit_rows), scoring, None, week_starts)
    families = judge(
        replace(inside, what="training leads, out of fold"),
        {"scorecard": card.model.out_of_fold, "boosting": trees.model.out_of_fold},
        probabilities=("scorecard", "boosting"),
        evidence=evidence,
        draws=draws,
        seed=seed,
    )
    return replace(
        blank, choice=choice, model=model, leads=leads, judged=judged, probability=probability, rivals=rivals,
        later=later, unseen=unseen, at_random=at_random, families=_table(families), unusable=unusable,
    )  # fmt: skip


def _split(sample: Sample, scoring: Scoring) -> tuple[Split | None, Labels]:
    """Split where there are dates, and label all leads as of the sample's own day."""
    if sample.at is None or sample.as_of is None:
        return None, labels_at(sample, horizon=None, known_at=None)
    horizon = scoring.within_days or 0
    labels = labels_at(sample, horizon=horizon, known_at=sample.as_of)
    return split_forward(sample, horizon=horizon, as_of=sample.as_of), labels


def _blank(sample: Sample, scoring: Scoring, split: Split | None, labels: Labels) -> Study:
    """Return a study in which nothing has been fitted."""
    nothing = Audit(flags=(), powers=pd.DataFrame(columns=["feature", "label", "auc"]), leads=0, events=0, reason=None)
    return Study(
        scoring=scoring, sample=sample, labels=labels, known=labels, split=split, audit=nothing, used=(),
        left_out=pd.DataFrame(columns=["feature", "label", "why"]), enough=None, choice=None, model=None, leads=None,
        judged=np.zeros(0, dtype=np.int64), probability=np.zeros(0), rivals={}, later={}, unseen=None, at_random=None,
        families=pd.DataFrame(), unusable="",
    )  # fmt: skip


def _nobody(sample: Sample, scoring: Scoring, split: Split | None, labels: Labels) -> Study | None:
    """Return a study that could not begin, with the reason, or None where it can."""
    reason = split.reason if split is not None and split.reason else labels.reason
    if not len(sample):
        reason = "no lead has a scoring moment that can be looked at"
    if not reason:
        return None
    return replace(
        _blank(sample, scoring, None if split is None or split.day is None else split, labels), unusable=reason
    )


def _known(sample: Sample, scoring: Scoring, split: Split | None) -> Labels:
    """Return the labels as they were known on the split day; without dates, the labels."""
    if split is None or split.day is None:
        return labels_at(sample, horizon=None, known_at=None)
    return labels_at(sample, horizon=scoring.within_days or 0, known_at=split.day)


def _take(labels: Labels, mask: Bools) -> Labels:
    return Labels(value=labels.value[mask], weight=labels.weight[mask])


def _matured(sample: Sample, labels: Labels, scoring: Scoring) -> Labels:
    """Return the labels of leads that have had all their days, which need no others to stand in for: each counts 1."""
    assert sample.as_of is not None
    mature = days_seen(sample, sample.as_of) >= (scoring.within_days or 0)
    return Labels(value=labels.value, weight=(mature & (labels.weight > 0)).astype(np.float64))


def _used(drawn: Drawn, found: Audit, scoring: Scoring, training: Bools) -> tuple[tuple[Feature, ...], pd.DataFrame]:
    """Return the features that a model may use, and those left out with the reason."""
    sample = drawn.sample
    flagged = {flag.feature: flag for flag in found.flags if flag.severity == "exclude"}
    used = []
    out = [{"feature": one.name, "label": one.name, "why": one.reason} for one in drawn.skipped]
    for feature in sample.roles:
        values = sample.features.loc[training, feature.name]
        why = ""
        if feature.name in flagged:
            why = f"{flagged[feature.name].code}: {flagged[feature.name].title}"
        elif feature.known == "after":
            why = "declared as filled in after first contact"
        elif feature.name in scoring.without:
            why = "the definitions leave it out"
        elif values.nunique(dropna=False) < 2:
            why = "the same for all training leads"
        if why:
            out.append({"feature": feature.name, "label": feature.label, "why": why})
        else:
            used.append(feature)
    return tuple(used), pd.DataFrame(out, columns=["feature", "label", "why"])


def _leads(
    sample: Sample,
    labels: Labels,
    positions: npt.NDArray[np.int64],
    scoring: Scoring,
    split: Split | None,
    week_starts: str,
) -> Leads:
    """Return the leads at these positions to judge scores on, with the weeks in which they competed."""
    outcome = labels.value[positions].astype(np.float64)
    weight = labels.weight[positions]
    if split is None or sample.at is None:
        return Leads(
            what="leads, out of fold",
            outcome=outcome,
            weight=weight,
            cluster=sample.cluster[positions],
            week=None,
            capacity=_capacity_of_all(sample, scoring, positions, weight),
        )
    return Leads(
        what="later leads",
        outcome=outcome,
        weight=weight,
        cluster=sample.cluster[positions],
        week=whole_weeks(sample.at[positions], *tested_days(sample, scoring, split), week_starts),
        capacity=float(scoring.weekly_capacity or 0) * sample.fraction,
        fraction=sample.fraction,
    )


def tested_days(sample: Sample, scoring: Scoring, split: Split) -> tuple[date, date]:
    """Return the first and the last day whose leads the score was judged on."""
    assert split.day is not None and sample.as_of is not None
    return split.day + timedelta(days=1), sample.as_of - timedelta(days=scoring.within_days or 0)


def _capacity_of_all(sample: Sample, scoring: Scoring, positions: npt.NDArray[np.int64], weight: FloatArray) -> float:
    """Return how many of these leads sales could have worked, where they do not compete week by week."""
    if scoring.capacity_share is not None:
        return max(scoring.capacity_share * float(weight.sum()), 1.0)
    assert sample.at is not None and scoring.weekly_capacity is not None
    days = np.ptp(sample.at.astype("datetime64[D]").astype(np.int64)) + 1
    everyone = max(len(sample) / (float(days) / 7), 1e-9)
    return max(min(scoring.weekly_capacity / everyone, 1.0) * float(weight.sum()), 1.0)


def whole_weeks(at: npt.NDArray[np.datetime64], first: date, last: date, week_starts: str) -> npt.NDArray[np.int64]:
    """Return the number of each moment's week, -1 where the week is only partly within ``first`` to ``last``."""
    # 1970-01-01 was a Thursday.
    shift = 3 if week_starts == "monday" else 4
    days = at.astype("datetime64[D]").astype(np.int64)
    week = (days + shift) // 7
    begin, end = (np.datetime64(day, "D").astype(np.int64) for day in (first, last))
    inside = (week * 7 - shift >= begin) & (week * 7 - shift + 6 <= end)
    return np.where(inside, week, -1)


def _rivals(sample: Sample, judged: npt.NDArray[np.int64]) -> dict[str, FloatArray]:
    """Return what sales could work by instead: the present rules score, and the newest first."""
    found: dict[str, FloatArray] = {}
    if sample.present is not None and np.isfinite(sample.present[judged]).any():
        found["present"] = sample.present[judged]
    if sample.at is not None:
        found["newest"] = sample.at[judged].astype("datetime64[s]").astype(np.float64)
    return found


def _at_random(
    blank: Study, model: Model, selected: float, week_starts: str, evidence: Evidence, *, draws: int, seed: int
) -> Validity | None:
    """Judge the same kind of model on a random split of all leads, which is what flatters."""
    sample, scoring = blank.sample, blank.scoring
    labels = _matured(sample, blank.labels, scoring)
    rows = np.flatnonzero(labels.weight > 0)
    assert blank.split is not None
    order = np.random.default_rng(seed).permutation(rows)
    first = round(len(rows) * blank.split.train.sum() / max(blank.split.train.sum() + blank.split.test.sum(), 1))
    train, test = np.sort(order[:first]), np.sort(order[first:])
    x = sample.features[[feature.name for feature in blank.used]]
    given = labels.value[train], labels.weight[train], sample.cluster[train]
    if model.family == "scorecard":
        again: Model = learn_scorecard(
            x.iloc[train],
            blank.used,
            *given,
            most_parameters=None if blank.enough is None else blank.enough.most_parameters,
            seed=seed,
        ).model
    else:
        again = learn_boosting(x.iloc[train], blank.used, *given, seed=seed).model
    leads = _leads(sample, labels, test, scoring, None, week_starts)
    # As large a part of these as of the later leads, so that what it catches can be compared.
    leads = replace(leads, what="leads of a random split", capacity=max(selected * float(leads.weight.sum()), 1.0))
    probability = again.probability(x.iloc[test])
    return judge(leads, {"score": probability}, probabilities=("score",), evidence=evidence, draws=draws, seed=seed)[
        "score"
    ]


def _unusable(found: Validity, scoring: Scoring) -> str:
    """Return why a score is not given out: on later leads it has to beat the base rate, and the queue, for sure."""
    if found.reason:
        return f"the score cannot be judged: {found.reason}"
    skill, lift = found.measure("brier_skill"), found.measure("lift")
    if not skill.lower > 0:
        side = "surely worse" if skill.upper < 0 else "not surely better"
        return (
            f"its probabilities are {side} than the base rate for everybody (Brier skill "
            f"{_decimals(skill.value, 3)}, 95% interval {_decimals(skill.lower, 3)} to {_decimals(skill.upper, 3)})"
        )
    if not lift.lower > scoring.minimum_lift:
        side = "surely below" if lift.upper < scoring.minimum_lift else "not surely above"
        return (
            f"its lift at capacity is {side} the {scoring.state} minimum of {scoring.minimum_lift:g} "
            f"({_decimals(lift.value, 2)}, 95% interval {_decimals(lift.lower, 2)} to {_decimals(lift.upper, 2)})"
        )
    return ""


def _decimals(value: float, places: int) -> str:
    """Return a number as a reader meets it, with a real minus; an end that is not bounded is open."""
    if not np.isfinite(value):
        return "open"
    text = f"{abs(value):.{places}f}"
    return f"\N{MINUS SIGN}{text}" if value < 0 and float(text) else text


def _table(found: Mapping[str, Validity]) -> pd.DataFrame:
    """Return validities as a table: a row a score and measure."""
    rows = [
        {"score": name, "measure": m.name, "value": m.value, "lower": m.lower, "upper": m.upper}
        for name, validity in found.items()
        for m in validity.measures
    ]
    return pd.DataFrame(rows, columns=["score", "measure", "value", "lower", "upper"])
