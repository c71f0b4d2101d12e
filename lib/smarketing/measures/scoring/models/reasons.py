"""Why a lead's score is what it is: what the model saw that raised it most, and what lowered it most.

A reason says what was seen ("Company size is 200 to 999") and what that adds to the log-odds against the average lead.
It is an association and never advice: nothing here says what would happen if the value were another.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from smarketing.measures.scoring.models.boosting import Boosting
from smarketing.measures.scoring.models.scorecard import Scorecard

FOR, AGAINST = "for", "against"
COLUMNS = ("row", "direction", "rank", "feature", "label", "value", "contribution", "text")


def reasons(
    model: Scorecard | Boosting, features: pd.DataFrame, *, at_most: int = 3, at_least: float = 0.1
) -> pd.DataFrame:
    """Return up to ``at_most`` reasons for, and as many against, each lead.

    Only features that move scores more than any shuffled copy of a feature did (``model.beyond_chance``) are reasons: a
    feature without effect is named with a probability of about 1 in 40.

    Parameters
    ----------
    model
        Whose contributions are ranked.
    features
        A row a lead.
    at_most
        Reasons a direction and lead.
    at_least
        Log-odds that a reason has to add or take; 0.1 changes the odds by a tenth.

    Returns
    -------
    pandas.DataFrame
        A row a reason, in order of lead, direction ("for" first) and rank (1 is the strongest; equal ones in order of
        the roles). ``row`` is the lead's position in ``features``, ``label`` the feature in the words of both teams,
        ``value`` what the model saw of it, ``contribution`` log-odds, ``text`` a sentence without its full stop.
    """
    counts = [role.name in model.beyond_chance for role in model.roles]
    contributions = model.contributions(features).to_numpy() * counts
    words = [model.in_words(features, role) for role in model.roles]
    found = []
    for direction, sign in ((FOR, 1.0), (AGAINST, -1.0)):
        order = np.argsort(-sign * contributions, axis=1, kind="stable")[:, :at_most]
        amount = np.take_along_axis(contributions, order, axis=1)
        row, rank = np.nonzero((sign * amount >= at_least) & (sign * amount > 0))
        feature = order[row, rank]
        part = pd.DataFrame({"row": row, "direction": direction, "rank": rank + 1})
        part["feature"] = [model.roles[i].name for i in feature]
        part["label"] = [model.roles[i].label for i in feature]
        part["value"] = [words[i][r] for i, r in zip(feature, row, strict=True)]
        part["contribution"] = amount[row, rank]
        part["text"] = [_sentence(label, value) for label, value in zip(part["label"], part["value"], strict=True)]
        found.append(part)
    both = pd.concat(found, ignore_index=True)
    # "for" comes first: descending order of the word.
    ordered = both.sort_values(["row", "direction", "rank"], ascending=[True, False, True], ignore_index=True)
    return ordered[list(COLUMNS)]


def _sentence(label: str, value: str) -> str:
    return f"{label[:1].upper()}{label[1:]} is {value}"
