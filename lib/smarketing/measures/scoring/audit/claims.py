"""What the columns that were left out would have claimed: the same models with them, out of fold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from smarketing.company.definitions import Definitions
from smarketing.measures.scoring.leads.sample import Feature
from smarketing.measures.scoring.models.boosting import learn_boosting
from smarketing.measures.scoring.models.scorecard import learn_scorecard
from smarketing.measures.scoring.study import DRAWS, Study
from smarketing.measures.scoring.worth.validity import Leads, judge

COLUMNS = ("with_columns", "family", "auc", "lower", "upper")


def claims(study: Study, definitions: Definitions, *, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Return the AUC, out of fold within the training leads, with and without the columns that the audit left out.

    Returns
    -------
    DataFrame
        A row a variant and family: ``with_columns`` (labels of what was let in, empty for the models that were used),
        ``family``, ``auc`` with ``lower`` and ``upper``. First without, then with those that are only filled in for who
        answered (LK03 alone), then with all that was flagged and not declared as filled in later. Empty where nothing
        was fitted or nothing such was flagged.
    """
    empty = pd.DataFrame(columns=list(COLUMNS))
    if study.model is None or study.enough is None:
        return empty
    codes: dict[str, set[str]] = {}
    for flag in study.audit.flags:
        if flag.feature is not None and flag.severity == "exclude":
            codes.setdefault(flag.feature, set()).add(flag.code)
    flagged = [f for f in study.sample.roles if f.name in codes and f.known != "after"]
    answers = [f for f in flagged if codes[f.name] == {"LK03"}]
    variants = [v for v in (answers, flagged) if v]
    if not variants:
        return empty
    base = study.families[study.families["measure"] == "auc"]
    rows = [
        {"with_columns": "", "family": row["score"], "auc": row["value"], "lower": row["lower"], "upper": row["upper"]}
        for _, row in base.iterrows()
    ]
    for let_in in variants if len(variants[0]) < len(flagged) else [flagged]:
        rows += _variant(study, tuple(let_in), definitions, draws=draws, seed=seed)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _variant(
    study: Study, let_in: tuple[Feature, ...], definitions: Definitions, *, draws: int, seed: int
) -> list[dict[str, object]]:
    labels = study.known
    training = labels.weight > 0
    if study.split is not None:
        training &= study.split.train
    roles = (*study.used, *let_in)
    x = study.sample.features.loc[training, [role.name for role in roles]]
    given = labels.value[training], labels.weight[training], study.sample.cluster[training]
    assert study.enough is not None
    card = learn_scorecard(x, roles, *given, most_parameters=study.enough.most_parameters, seed=seed).model
    trees = learn_boosting(x, roles, *given, seed=seed).model
    leads = Leads(
        what="training leads, out of fold",
        outcome=given[0].astype(np.float64),
        weight=given[1],
        cluster=given[2],
        week=None,
        capacity=1.0,
    )
    scores = {"scorecard": card.out_of_fold, "boosting": trees.out_of_fold}
    found = judge(leads, scores, probabilities=(), evidence=definitions.evidence, draws=draws, seed=seed)
    return [
        {
            "with_columns": ", ".join(role.label for role in let_in),
            "family": name,
            "auc": one.measure("auc").value,
            "lower": one.measure("auc").lower,
            "upper": one.measure("auc").upper,
        }
        for name, one in found.items()
    ]
