"""Plans: what each notebook accepts. Frozen; a name that is not a field, or a value of the wrong type, is refused.

A params file is flat YAML whose keys are a plan's fields, and a notebook's parameters cell has the same names with the
same defaults (a test holds them together). papermill only warns about an unknown parameter and writes names into code
as they are, so the plan is read before papermill starts, and again in the notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from smarketing.company.decisions import DecisionLog, read_decisions
from smarketing.company.definitions import Definitions, read_definitions
from smarketing.company.inputs import open_company, open_or_faults
from smarketing.company.reading import Progress
from smarketing.company.tables import Company, CompanyError, Faults, MissingTable, faults_of
from smarketing.company.targets import Targets, read_targets, targets_of
from smarketing.company.wrong_keys import explain, nearest
from smarketing.company.yaml_file import read_yaml
from smarketing.measures.journeys import check_stages
from smarketing.measures.scope import Scope, breakdown, check_scope, enrich
from smarketing.measures.view import View, last_day, view
from smarketing.run.ledger import Ledger, Recorded

OWN = ("definitions", "targets", "decisions")
"""Files of a company whose defaults are the demo company's."""


class PlanError(ValueError):
    """A params file or a parameters cell that no notebook can run on: what is wrong and what is allowed."""


class Plan(BaseModel):
    """What every notebook accepts.

    ``case`` names the report; ``as_of`` is the last day that is seen (the last day on record where it is empty).
    Paths are relative to the project folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    notebook: ClassVar[str]

    case: str = Field(default="demo", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    as_of: date | None = None
    definitions: str = "params/definitions.yml"
    decisions: str | None = "params/decisions.yml"

    @field_validator("as_of", mode="before")
    @classmethod
    def _a_day(cls, value: object) -> object:
        """Take a day as it is written in a file or a cell; a number would be read as seconds since 1970."""
        if value is None or value == "":
            return None
        try:
            if isinstance(value, str):
                return date.fromisoformat(value)
        except ValueError:
            pass
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        raise ValueError("write a day as 2026-11-15")

    @classmethod
    def from_cell(cls, names: Mapping[str, Any]) -> Self:
        """Build the plan from a notebook's names, of which those that are fields are taken."""
        return cls.read({name: names[name] for name in cls.model_fields if name in names}, "The parameters cell")

    @classmethod
    def read(cls, values: Mapping[str, Any], where: str) -> Self:
        """Check values; `PlanError` names every wrong one, the nearest right name and what is allowed."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise PlanError(explain(error, cls, f"{where} of {cls.notebook}")) from None

    def but(self, **changes: Any) -> Self:
        """Return a variant of the plan."""
        return type(self).read(self.model_dump() | changes, "A variant")

    def parameters(self) -> list[tuple[str, Any]]:
        """Return all parameters in the order of the parameters cell, defaults included, as JSON types."""
        values = self.model_dump(mode="json")
        return [(name, values[name]) for name in type(self).model_fields]

    def path(self, relative: str) -> Path:
        """Return a path of the project."""
        return project() / relative

    def agreed(self) -> Definitions:
        """Read the definitions in force."""
        return read_definitions(self.path(self.definitions))

    def decided(self) -> DecisionLog:
        """Read the decision log; an empty one where the plan names none."""
        return DecisionLog() if self.decisions is None else read_decisions(self.path(self.decisions))

    def files(self) -> tuple[str, ...]:
        """Return the files, besides definitions and data, that the plan reads."""
        return tuple(name for name in (self.decisions, getattr(self, "targets", None)) if name is not None)

    def check(self) -> None:
        """Read every file that the plan names, so that a mistake is found before anything runs.

        Raises
        ------
        CompanyError
            With everything that is wrong in any of them.
        """
        faults = self.faults()
        if faults:
            raise Faults(faults)

    def faults(self) -> list[str]:
        """Return everything that is wrong with the files that the plan names."""
        return [fault for read in (self.agreed, self.decided) for fault in _wrong_with(read)]


class PipelineReview(Plan):
    """`20_pipeline_review`: where the one pipeline stands."""

    notebook: ClassVar[str] = "20_pipeline_review"

    inputs: str = "params/inputs/demo.yml"
    data: str | None = None
    targets: str | None = "params/targets.yml"
    region: str | None = None
    source: str | None = None
    owner: str | None = None
    segment: str | None = None
    breakdown: str = "source"
    redact: bool = False

    @property
    def scope(self) -> Scope:
        """What the report is limited to."""
        return Scope(region=self.region, source=self.source, owner=self.owner, segment=self.segment)

    def view(self) -> View:
        """Open the company and cut it at the as-of day, in the plan's scope and under its definitions.

        A ``breakdown`` that the company does not record raises `CompanyError` here, before anything is measured.
        """
        company = open_company(self.path(self.inputs), data=None if self.data is None else self.path(self.data))
        found = view(company, self.agreed(), self.as_of or last_day(company), self.scope, redact=self.redact)
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
            found += _wrong_with(lambda: read_targets(self.path(str(self.targets)))) or self._wrong_totals(found)
        if not self.path(self.inputs).is_file():
            there = sorted(str(path.relative_to(project())) for path in project().glob("params/inputs/*.yml"))
            found.append(f"Input file {self.inputs} does not exist. {nearest(self.inputs, there)}")
        return found

    def _wrong_totals(self, found: Sequence[str]) -> list[str]:
        """Return the targets whose parts are more than the whole, where the definitions say which are of sums."""
        if found:
            return []
        planned = read_targets(self.path(str(self.targets)))
        sums = [kpi.name for kpi in self.agreed().kpis.figures if kpi.kind != "reached"]
        return [fault for name in sums for fault in _wrong_with(partial(planned.check_totals, name))]

    def data_faults(self, *, data: Path | None = None, progress: Progress | None = None) -> list[str]:
        """Return everything that is wrong with the data: their mapping, and what they lack for this plan.

        ``data`` is the folder of the files where the plan names none.
        """
        inputs = self.path(self.inputs)
        if not inputs.is_file():
            return []
        company, found = open_or_faults(inputs, data if self.data is None else self.path(self.data), progress)
        if company is None:
            return found
        try:
            return self._misfits(company)
        finally:
            company.backend.disconnect()

    def _misfits(self, company: Company) -> list[str]:
        """Return what the definitions, the scope and the breakdown ask of the data that they do not hold."""
        if _wrong_with(self.agreed):
            return []
        definitions = self.agreed()
        found = _wrong_with(lambda: check_stages(company, definitions))
        day = self.as_of or last_day(company)
        found += _wrong_with(lambda: check_scope(company.known_at(day), self.scope))
        sound = not found
        of_leads = definitions.stages.funnel[0].subject == "lead" and company.has("leads")
        found += _wrong_with(lambda: breakdown(enrich(company, "lead" if of_leads else "opportunity"), self.breakdown))
        found += _wrong_with(lambda: self.planned(company)) if self.targets is None else []
        if sound:
            with suppress(MissingTable):
                found += _wrong_with(lambda: view(company, definitions, day, self.scope).deals)
        return found


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
    plans = {plan.notebook: plan for plan in Plan.__subclasses__()}
    if notebook not in plans:
        raise PlanError(f"There is no notebook {notebook!r}. {nearest(notebook, sorted(plans))}")
    return plans[notebook]


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


def _wrong_with(ask: Callable[[], object]) -> list[str]:
    """Return what a question about a company's files or data is answered with, where it is refused."""
    try:
        ask()
    except CompanyError as error:
        return list(faults_of(error))
    return []


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


def project() -> Path:
    """Return the project folder: the nearest one upwards that holds params/ and notebooks/."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise PlanError(f"{here} is not inside a project: no folder above it holds params/ and notebooks/. Go there first.")
