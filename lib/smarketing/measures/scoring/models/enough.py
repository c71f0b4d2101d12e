"""Whether there is enough data for a scorecard, decided before any is fitted: fit, pool or refuse.

The rule is Riley et al. (2020), all criteria: how many parameters can the training leads carry? The share of variation
that the score might explain is taken as 15 % of what is possible, their advice where nothing is known. A scorecard with
more parameters is pooled: the ridge draws its bins towards the average lead until few enough are free (the trace of its
hat matrix, `Regression.effective`). Too few leads for even `FEWEST_PARAMETERS`, and none is fitted.

The rule is for a regression that is used as it was fitted: effects may be too extreme by a tenth. A pooled scorecard
may keep as many free parameters as would make them too extreme by a fifth, since its logistic map, fitted out of fold,
takes that back. It counts leads there and not independent ones, since the folds that choose the ridge's strength keep
accounts together already. Held to a tenth it lost more than it was spared: on demo companies of 20,000 leads (seeds
101 to 106) its best tenth had 0.836 of the probability that could be had, with a fifth 0.871, and without any limit
0.870.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from smarketing.estimates.drift import design_effect
from smarketing.estimates.sample_size import max_parameters

FEWEST_EVENTS = 20
FEWEST_PARAMETERS = 10
POOLED_SHRINKAGE = 0.8
"""By what factor the effects of a pooled scorecard may have to be shrunk; Riley et al. allow 0.9 where none shrinks."""


@dataclass(frozen=True, kw_only=True)
class Enough:
    """The decision and what it rests on.

    ``n`` training leads with a known outcome, ``events`` of them positive, of ``accounts`` accounts are worth
    ``effective`` independent ones: weights count as (sum w)^2 / sum w^2, and leads of an account by how alike their
    outcomes are. ``parameters`` is what the scorecard would have, ``carried`` what so many leads can carry, and
    ``pooled`` how many may stay free where bins are pooled.
    """

    decision: Literal["fit", "pool", "refuse"]
    n: int
    effective: int
    events: int
    accounts: int
    parameters: int
    carried: int
    pooled: int

    @property
    def most_parameters(self) -> int | None:
        """To how many free parameters the ridge is held; None where any number will do."""
        return None if self.decision == "fit" else self.pooled

    @property
    def reason(self) -> str:
        """The decision in words."""
        others = self.n - self.events
        if self.events < FEWEST_EVENTS:
            return f"only {self.events} of {self.n:,} training leads reached the stage, too few to learn from"
        if others < FEWEST_EVENTS:
            return f"only {others} of {self.n:,} training leads did not reach the stage, too few to learn from"
        if self.accounts < 2:
            return f"all {self.n:,} training leads are of one account, which tells nothing of other accounts"
        said = f"{self.n:,} training leads with {self.events:,} that reached the stage"
        if self.effective < self.n:
            said += f", worth {self.effective:,} independent {'one' if self.effective == 1 else 'ones'},"
        if self.carried == 0:
            return f"{said} are too few to carry a single parameter"
        carried = "1 parameter" if self.carried == 1 else f"{self.carried} parameters"
        said += f" carry {carried}, and the scorecard has {self.parameters}"
        if self.decision == "fit":
            return said
        if self.decision == "refuse":
            return f"{said}; fewer than {FEWEST_PARAMETERS} are no score"
        if self.pooled >= self.parameters:
            return f"{said}; its bins are drawn towards the average lead, and all of them may stay free"
        return f"{said}, so its bins are drawn towards the average lead until at most {self.pooled} are free"


def enough(
    outcome: npt.NDArray[np.int8],
    weight: npt.NDArray[np.float64],
    cluster: npt.NDArray[np.int64],
    *,
    parameters: int,
) -> Enough:
    """Decide from training leads whether they can carry a scorecard of so many parameters.

    Parameters
    ----------
    outcome, weight
        1 where the stage was reached in time; weight 0 where it is not known yet.
    cluster
        Each lead's account. Riley's rows are independent ones: leads are divided by the design effect of their outcome.
    parameters
        `scorecard.count_parameters`.
    """
    total, squares = float(weight.sum()), float((weight**2).sum())
    known = weight > 0
    n, events = int(known.sum()), int(((outcome == 1) & known).sum())
    # NaN where all leads are of one account, or all of one outcome: nothing can be learned from either.
    alike = design_effect(outcome[known], cluster[known])
    # The effect of independent leads is n / (n - 1), and rounding must not cost one.
    times = max(alike * (n - 1) / n, 1.0) if math.isfinite(alike) else math.inf
    leads = total**2 / squares if squares else 0.0
    effective = int(leads / times + 1e-6)
    rate = float((weight * outcome).sum()) / total if total else math.nan
    carried = pooled = 0
    if min(events, n - events) >= FEWEST_EVENTS:
        carried = max_parameters(effective, prevalence=rate)
        pooled = max_parameters(leads, prevalence=rate, shrinkage=POOLED_SHRINKAGE)
    decision: Literal["fit", "pool", "refuse"] = "refuse"
    if carried >= parameters:
        decision = "fit"
    elif carried >= FEWEST_PARAMETERS:
        decision = "pool"
    return Enough(
        decision=decision,
        n=n,
        effective=effective,
        events=events,
        accounts=len(np.unique(cluster[known])),
        parameters=parameters,
        carried=carried,
        pooled=pooled,
    )
