"""Who is worth contacting? A score of who is moved beside one of who is likely, where an experiment was made.

"Likely to buy" is not "worth calling": a lead may buy anyway. Only an experiment tells the two apart, for its list and
its time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from smarketing.company.scoring import Scoring
from smarketing.estimates.bootstrap import Resampled
from smarketing.estimates.rates import Difference
from smarketing.estimates.uplift import UpliftBin
from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.contact.arms import NEITHER, TREATED, Arms, arms
from smarketing.measures.scoring.contact.uplift_judging import Judged, Targeting, contrast, ranked
from smarketing.measures.scoring.contact.uplift_scores import two_scores
from smarketing.measures.scoring.leads.features import Drawn, usable
from smarketing.measures.scoring.leads.labels import Labels, labels_at
from smarketing.measures.scoring.leads.sample import Feature, Sample
from smarketing.measures.scoring.models.folds import FEWEST_CLUSTERS
from smarketing.measures.view import View

LATE = (
    "every lead was assigned on an earlier day than its scoring moment, so what is known at that moment may be an "
    "effect of the contact"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Uplift:
    """What an experiment says about whom to contact, beside what a score of who is likely says.

    Attributes
    ----------
    experiment, treated, control
        The experiment and its two arms.
    goal, within_days
        The outcome in words (a stage's label, or an attribute's), and until when it counts; None without days.
    who
        What the leads are called within a sentence.
    n, events, accounts
        Leads of known outcome in the two arms, how many had the outcome, and of how many accounts.
    average
        Rates in both arms and the average effect, their difference; accounts are kept together.
    propensity, uplift
        Targeting by who is likely, and by whom contact moves.
    difference
        Qini coefficient of the uplift score less that of the propensity, drawn together.
    disagreement
        A row a third of the propensity and of the uplift (1 the lowest, 3 the highest): ``propensity``, ``uplift``,
        ``n``, ``treated_n``, ``control_n``, ``treated_rate``, ``control_rate``, ``effect``, ``lower``, ``upper``, and
        ``reason`` where it is withheld (the numbers are NaN then). 95 % intervals, each for itself.
    contrast
        Effect in the cell likely least and moved most (1, 3), less that in the cell likely most and moved least (3, 1);
        NaN where either is withheld.
    luck
        Which part of the uplift score's variance is luck, 0 to 1; intervals along it are wider by sqrt(1 + luck).
    overlap
        Share of the likeliest third that is in the most moved third too. A third of it would be by chance.
    subject_id
        The leads, in the order of the scores.
    """

    experiment: str
    treated: str
    control: str
    goal: str
    within_days: int | None
    who: str
    n: int
    events: int
    accounts: int
    average: UpliftBin
    propensity: Targeting
    uplift: Targeting
    difference: Resampled
    disagreement: pd.DataFrame
    contrast: Difference
    luck: float
    overlap: float
    subject_id: npt.NDArray[np.object_]

    def cell(self, propensity: int, uplift: int) -> pd.Series:
        """Return the row of ``disagreement`` of two thirds (1 to 3)."""
        rows = self.disagreement
        return rows[(rows["propensity"] == propensity) & (rows["uplift"] == uplift)].iloc[0]


def uplift(
    view: View,
    drawn: Drawn,
    scoring: Scoring,
    *,
    treated: str | None,
    control: str | None,
    experiment: str | None = None,
    roles: tuple[Feature, ...] | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Uplift | NotApplicable:
    """Say who is worth contacting, from an experiment that chance decided.

    Parameters
    ----------
    view, drawn, scoring
        A view, its modelling sample and the definitions' entry on the score. Every lead of the sample that was in
        either arm is looked at, the later ones too: scores are out of fold.
    treated, control, experiment
        As `arms.arms`.
    roles
        Features that scores may use, such as those that a study's audit has passed; None for all that are `usable`.
    draws, seed
        Of the account bootstrap; the seed is that of the folds too.

    Returns
    -------
    Uplift
        Where days are recorded, a lead counts only if its moment is not after the day of its assignment (what is known
        of it later, even that it exists, may be an effect), and if it had not reached the stage or left on an earlier
        day than that. Not applicable, with the reason, where `arms.arms` is, where no outcome is known yet, or where
        leads, accounts or outcomes are too few.

    Raises
    ------
    CompanyError
        As `arms.arms`.

    Notes
    -----
    The experiment has to have been randomised, by lead or by account, with one share treated for all. Scores are
    `uplift_scores.two_scores`, ranked within folds; intervals know that the uplift score has learned from the other
    folds' luck (`uplift_judging`). They are of these scores, not of those that another list would give.
    """
    found = arms(view, drawn.sample, treated=treated, control=control, experiment=experiment)
    if isinstance(found, NotApplicable):
        return found
    sample, arm, reason = _in_time(drawn.sample, found)
    if reason:
        return NotApplicable(reason)
    labels = _labels(sample, scoring)
    if labels.reason:
        unknown = "the outcome is not recorded for any lead in the two arms"
        return NotApplicable(unknown if sample.at is None else labels.reason)
    known = labels.weight > 0
    sample = sample.take(known)
    judged = Judged(
        outcome=labels.value[known],
        treated=arm[known] == TREATED,
        weight=labels.weight[known],
        cluster=sample.cluster,
        evidence=view.definitions.evidence,
        draws=draws,
        seed=seed,
    )
    reason = _too_few(judged, found)
    if reason:
        return NotApplicable(reason)
    roles = usable(sample.roles) if roles is None else roles
    if not roles:
        return NotApplicable("no feature is known before the scoring moment, so leads cannot be told apart")
    scores = two_scores(
        sample.features, roles, judged.outcome, judged.treated, judged.weight, judged.cluster, seed=seed
    )
    likely = ranked(scores.propensity, scores.fold, judged.weight, luck=0.0)
    moved = ranked(scores.uplift, scores.fold, judged.weight, luck=scores.luck)
    cells = judged.disagreement(likely, moved)
    return Uplift(
        experiment=found.experiment,
        treated=found.treated,
        control=found.control,
        goal=_goal(view, scoring),
        within_days=scoring.within_days,
        who=view.words(view.definitions.stages.funnel[0].stage),
        n=len(sample),
        events=int(judged.outcome.sum()),
        accounts=len(np.unique(judged.cluster)),
        average=judged.effect(),
        propensity=judged.targeting(likely),
        uplift=judged.targeting(moved),
        difference=judged.paired(moved, likely),
        disagreement=cells,
        contrast=contrast(cells),
        luck=scores.luck,
        overlap=judged.overlap(likely, moved),
        subject_id=sample.subject_id,
    )


def _goal(view: View, scoring: Scoring) -> str:
    if scoring.to_stage is not None:
        return view.definitions.stages.label(scoring.to_stage)
    outcome = str(scoring.outcome)
    return scoring.words.get(outcome, outcome.replace("_", " "))


def _in_time(sample: Sample, found: Arms) -> tuple[Sample, npt.NDArray[np.int8], str]:
    """Keep the leads in either arm whose moment and outcome the assignment came before, or say why there are none."""
    there = found.arm != NEITHER
    dated = ~np.isnat(found.day)
    if sample.at is not None:
        moment = sample.at.astype("datetime64[D]")
        early = dated & (moment > found.day)
        over = dated & (sample.status > 0) & (moment + sample.age.astype("timedelta64[D]") < found.day)
        if there.any() and not (there & ~early).any():
            return sample, found.arm, LATE
        there = there & ~early & ~over
    return sample.take(there), found.arm[there], "" if there.any() else "every lead was through before its assignment"


def _labels(sample: Sample, scoring: Scoring) -> Labels:
    if sample.at is None:
        return labels_at(sample, horizon=None, known_at=None)
    return labels_at(sample, horizon=scoring.within_days, known_at=sample.as_of)


def _too_few(judged: Judged, found: Arms) -> str:
    """Return why these leads cannot tell whom contact moves, or an empty text."""
    for name, arm in ((found.treated, judged.treated), (found.control, ~judged.treated)):
        reason = judged.thin(arm)
        if reason:
            return f"the arm {name!r} has {reason}"
    for value, words in ((1, "have the outcome"), (0, "lack it")):
        accounts = len(np.unique(judged.cluster[judged.outcome == value]))
        if accounts < FEWEST_CLUSTERS:
            return f"only {accounts} accounts in the two arms {words}, fewer than {FEWEST_CLUSTERS}"
    return ""
