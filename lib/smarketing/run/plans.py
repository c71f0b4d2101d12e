"""Plans: what each notebook accepts. Frozen; a name that is not a field, or a value of the wrong type, is refused.

A params file is flat YAML whose keys are a plan's fields, and a notebook's parameters cell has the same names with the
same defaults (a test holds them together). papermill only warns about an unknown parameter and writes names into code
as they are, so the plan is read before papermill starts, and again in the notebook.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from smarketing.company.input_file import read_inputs
from smarketing.company.scoring import Scoring
from smarketing.company.tables import Company, CompanyError, MissingTable, NoDays
from smarketing.company.targets import Targets, read_targets, targets_of
from smarketing.company.wrong_keys import nearest
from smarketing.company.yaml_file import read_yaml
from smarketing.measures.scope import breakdown, enrich
from smarketing.measures.view import View, view
from smarketing.run.experiment_plans import ExperimentReadout
from smarketing.run.given_scores import with_given_scores
from smarketing.run.ledger import Ledger, Recorded
from smarketing.run.plan import CompanyPlan, Plan, PlanError, project, wrong_with

__all__ = [
    "AlignmentReport",
    "CompanyPlan",
    "ExperimentReadout",
    "LeadScoring",
    "PipelineReview",
    "Plan",
    "PlanError",
    "ScoreLeads",
    "all_plans",
    "plan_of",
    "project",
    "read_plan",
]

OWN = ("definitions", "targets", "decisions")
"""Files of a company whose defaults are the demo company's."""


class PipelineReview(CompanyPlan):
    """`20_pipeline_review`: where the one pipeline stands."""

    notebook: ClassVar[str] = "20_pipeline_review"

    targets: str | None = "params/targets.yml"
    breakdown: str = "source"

    def open(self) -> Company:
        """Open the company; one whose leads have no days has no pipeline to review."""
        company = super().open()
        self._check_days(company)
        return company

    def view(self) -> View:
        """Open and cut the company; a ``breakdown`` that it does not record raises `CompanyError` before all else."""
        found = super().view()
        # Where nothing enters the funnel, the data checks say so.
        with suppress(MissingTable):
            breakdown(found.journeys(found.first_stage.stage).table, self.breakdown)
        return found

    def planned(self, company: Company) -> Targets:
        """Read the targets file, else the company's ``targets`` table; none where there is neither."""
        if self.targets is not None:
            return read_targets(self.path(self.targets))
        return targets_of(company) if company.has("targets") else Targets()

    def faults(self) -> list[str]:
        """Return everything that is wrong with the files that the plan names; the data are another question."""
        found = super().faults()
        if self.targets is not None:
            found += wrong_with(lambda: read_targets(self.path(str(self.targets)))) or self._wrong_totals(found)
        return found

    def _wrong_totals(self, found: Sequence[str]) -> list[str]:
        """Return the targets whose parts are more than the whole, where the definitions say which are of sums."""
        if found:
            return []
        planned = read_targets(self.path(str(self.targets)))
        sums = [kpi.name for kpi in self.agreed().kpis.figures if kpi.kind != "reached"]
        return [fault for name in sums for fault in wrong_with(partial(planned.check_totals, name))]

    def misfits(self, company: Company) -> list[str]:
        """Return what the definitions, the scope and the breakdown ask of the data that they do not hold."""
        undated = wrong_with(lambda: self._check_days(company))
        if undated:
            return undated
        definitions = self.agreed()
        found = super().misfits(company)
        sound = not found
        of_leads = definitions.stages.funnel[0].subject == "lead" and company.has("leads")
        found += wrong_with(lambda: breakdown(enrich(company, "lead" if of_leads else "opportunity"), self.breakdown))
        found += wrong_with(lambda: self.planned(company)) if self.targets is None else []
        if sound:
            with suppress(MissingTable):
                found += wrong_with(lambda: view(company, definitions, self.last_day(company), self.scope).deals)
        return found

    def _check_days(self, company: Company) -> None:
        if company.has("leads") and not company.has_days:
            raise CompanyError(
                f"{company.name}: {NoDays()}, and a pipeline review does nothing else. Map `created_at` of leads in "
                f"{self.inputs} and take `undated` out; leads without days can only be scored."
            )


class ScoringPlan(CompanyPlan):
    """What the notebooks of the lead score accept: they need the entry ``scoring`` of the definitions."""

    def scoring(self) -> Scoring:
        """Return what the definitions say of the score; `CompanyError` where they say nothing."""
        agreed = self.agreed().scoring
        if agreed is None:
            raise CompanyError(
                f"Definitions file {self.definitions} has no entry `scoring`, so nothing says what a good lead is. "
                "Add one; params/definitions.yml has an example."
            )
        return agreed

    def faults(self) -> list[str]:
        """Return everything that is wrong with the files that the plan names; the data are another question."""
        found = super().faults()
        return found or wrong_with(self.scoring)

    def headers(self) -> dict[str, str]:
        """Return what the CRM's import calls our columns: as the definitions say, the id as the input file maps it."""
        leads = read_inputs(self.path(self.inputs)).tables.get("leads", ())
        mapped = leads[0].columns.get("lead_id") if leads else None
        own = {"lead_id": mapped.column[0]} if mapped is not None and mapped.column else {}
        return own | dict(self.scoring().headers)


class LeadScoring(ScoringPlan):
    """`40_lead_scoring`: which leads sales should call first, and whether that can be trusted."""

    notebook: ClassVar[str] = "40_lead_scoring"

    treated: str | None = None
    control: str | None = None
    draws: int = Field(default=200, ge=40, le=5_000)

    @model_validator(mode="after")
    def _two_arms(self) -> Self:
        if (self.treated is None) != (self.control is None):
            raise ValueError("name both `treated` and `control`, the two arms of an experiment, or neither")
        return self


class ScoreLeads(ScoringPlan):
    """`45_score_leads`: scores the leads that are open, with a saved model, and watches how the model ages."""

    notebook: ClassVar[str] = "45_score_leads"

    reports: str = "reports"
    model: str | None = None

    def open(self) -> Company:
        """Open the company; what the case's reports gave out on earlier days is in its table ``scores``."""
        company = super().open()
        return with_given_scores(company, self.path(self.reports), self.case, before=self.last_day(company))


class AlignmentReport(Plan):
    """`90_alignment_report`: what the other notebooks of the case recorded for the same day."""

    notebook: ClassVar[str] = "90_alignment_report"

    reports: str = "reports"

    def sections(self) -> tuple[Recorded, ...]:
        """Read what the other notebooks recorded for the case and the day (the latest day where none is named)."""
        ledger = Ledger(self.path(self.reports))
        days = ledger.days(self.case)
        day = self.as_of or (days[-1] if days else None)
        found = [] if day is None else [r for r in ledger.read(self.case, day) if r.notebook != self.notebook]
        if not found:
            there = f"It holds {', '.join(map(str, days))}." if days else "It holds nothing for this case."
            raise PlanError(
                f"The ledger in {self.reports} has no report of case {self.case!r} for {day or 'any day'}. {there} "
                "Run the other notebooks of the case first, for the same day."
            )
        return tuple(found)


def plan_of(notebook: str) -> type[Plan]:
    """Return the plan that a notebook reads, by the notebook's name."""
    plans = {plan.notebook: plan for plan in all_plans()}
    if notebook not in plans:
        raise PlanError(f"There is no notebook {notebook!r}. {nearest(notebook, sorted(plans))}")
    return plans[notebook]


def all_plans(kind: type[Plan] = Plan) -> Iterator[type[Plan]]:
    """Yield the plan of every notebook."""
    for below in kind.__subclasses__():
        if "notebook" in vars(below):
            yield below
        yield from all_plans(below)


def read_plan(path: Path) -> Plan:
    """Read ``params/<notebook>/<case>.yml``: the folder names the notebook, the file its parameters."""
    try:
        plan = plan_of(path.parent.name)
        values = read_yaml(path, what="params file")
    except PlanError as error:
        raise PlanError(f"Params file {path}: its folder has to name the notebook. {error}") from None
    except CompanyError as error:
        raise PlanError(f"Params file {path}: {error}.") from None
    read = plan.read(values, f"Params file {path}")
    _not_the_demos(read, values, path)
    return read


def _not_the_demos(plan: Plan, given: Mapping[str, Any], path: Path) -> None:
    """Refuse to report another company under the demo company's words, plan and decisions, which are the defaults."""
    decisive = "inputs" if "inputs" in type(plan).model_fields else "case"
    if getattr(plan, decisive) == type(plan).model_fields[decisive].default:
        return
    missing = [name for name in OWN if name in type(plan).model_fields and name not in given]
    if missing:
        said = " and ".join([part for part in (", ".join(missing[:-1]), missing[-1]) if part])
        raise PlanError(
            f"Params file {path} names {decisive} {getattr(plan, decisive)!r} and leaves out {said}: these would be "
            "the demo company's. Name yours; targets and decisions may be null."
        )
