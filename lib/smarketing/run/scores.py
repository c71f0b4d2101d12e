"""The files of a lead score: where the saved model is, and what a scoring notebook leaves beside its report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from smarketing.measures.scoring.giving.deploy import Given
from smarketing.measures.scoring.models.saving import save_model
from smarketing.measures.scoring.models.scorecard import Scorecard
from smarketing.report.lead_list import write_lead_list, write_points
from smarketing.run.artefacts import published
from smarketing.run.given_scores import SCORES
from smarketing.run.plans import PlanError, ScoreLeads


def model_folder(plan: ScoreLeads, as_of: date) -> Path:
    """Return the folder of the saved model: the one that the plan names, else the case's latest by the day."""
    if plan.model is not None:
        return plan.path(plan.model)
    # The newest study decides: where it gave out no model, an older one is not the score any more.
    study = published(plan.path(plan.reports), "40_lead_scoring", plan.case, "report.html", until=as_of)
    found = None if study is None else study.parent / "model"
    if found is None or not found.is_dir():
        raise PlanError(
            f"There is no saved model of case {plan.case!r} by {as_of} in {plan.reports}. "
            "Run 40_lead_scoring for the case first (where no score is usable it saves none), or name a folder as "
            "`model`."
        )
    return found


def expect_model(plan: ScoreLeads) -> None:
    """Stop with `PlanError` where there is no saved model, before a company is opened, which may take long.

    Without a day in the plan any day's model will do here; `model_folder` asks again once the day is known.
    """
    if plan.as_of is not None:
        model_folder(plan, plan.as_of)
    elif plan.model is None:
        reports = plan.path(plan.reports)
        if published(reports, "40_lead_scoring", plan.case, "report.html", until=date.max) is None:
            raise PlanError(
                f"There is no saved model of case {plan.case!r} in {plan.reports}. Run 40_lead_scoring for the case "
                "first, or name a folder as `model`."
            )


def write_score(given: Given | None, folder: Path, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Write what a scoring notebook gives out beside its report, and return the names of the files.

    The model with its card (where it is new), the model as SQL, the list of scored leads under the CRM's headers, and
    the rows of the ``scores`` table. Nothing is written where nothing is given out.
    """
    if given is None:
        return ()
    names = ["scored_leads.csv", SCORES, "score.sql"]
    write_lead_list(given.scored, folder / names[0], headers)
    given.rows.to_parquet(folder / SCORES, index=False)
    (folder / names[2]).write_text(given.sql + "\n", encoding="utf-8")
    if given.card is not None:
        save_model(given.model, given.card, folder / "model")
        names.append("model/")
    if isinstance(given.model, Scorecard):
        write_points(given.model.points_table(), folder / "scorecard.csv")
        names.append("scorecard.csv")
    return tuple(names)
