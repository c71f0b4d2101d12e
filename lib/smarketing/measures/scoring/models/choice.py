"""Which of the two families is shipped: the scorecard, unless boosting is better by more than its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from smarketing.measures.scoring.models.boosting import Boosting
from smarketing.measures.scoring.models.folds import loss_gain
from smarketing.measures.scoring.models.scorecard import Scorecard


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The family chosen, and why.

    ``difference`` is the scorecard's weighted mean out-of-fold log loss minus boosting's: above 0, boosting is better.
    ``standard_error`` knows that leads share accounts; infinite with fewer than two of them.
    """

    chosen: Literal["scorecard", "boosting"]
    difference: float
    standard_error: float
    reason: str


def choose(
    scorecard: Scorecard,
    boosting: Boosting,
    outcome: npt.NDArray[np.int8],
    weight: npt.NDArray[np.float64],
    cluster: npt.NDArray[np.int64],
) -> Choice:
    """Compare two models on out-of-fold probabilities of the leads that both were trained on.

    Parameters
    ----------
    scorecard, boosting
        Fitted on the same rows, in the order of these.
    outcome, weight, cluster
        As they were given to the fits; rows of weight 0 do not count.
    """
    gain = loss_gain(_loss(scorecard.out_of_fold, outcome), _loss(boosting.out_of_fold, outcome), weight, cluster)
    difference, error = gain.difference, gain.standard_error
    accounts = len(np.unique(cluster[weight > 0]))
    better = gain.certain
    measured = f"{difference:.4f} (standard error {error:.4f}, {accounts:,} accounts)"
    if better:
        reason = f"Boosting predicts better by more than chance: its out-of-fold log loss is lower by {measured}."
    elif difference > 0:
        reason = (
            "The scorecard is chosen because it can be read and boosting is not better by more than chance: its "
            f"out-of-fold log loss is lower by {measured}."
        )
    else:
        measured = f"{-difference:.4f} (standard error {error:.4f}, {accounts:,} accounts)"
        reason = f"The scorecard predicts at least as well: its out-of-fold log loss is lower by {measured}."
    return Choice(
        chosen="boosting" if better else "scorecard", difference=difference, standard_error=error, reason=reason
    )


def _loss(probability: npt.NDArray[np.float64], outcome: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    # A probability of exactly 0 or 1 that is wrong would decide everything alone.
    happened = np.where(outcome > 0, probability, 1 - probability)
    loss: npt.NDArray[np.float64] = -np.log(np.maximum(happened, 1e-15))
    return loss
