"""What every notebook accepts, and what those accept that open a company; the notebooks' own plans are in `plans`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from smarketing.company.decisions import DecisionLog, read_decisions
from smarketing.company.definitions import Definitions, read_definitions
from smarketing.company.inputs import open_company, open_or_faults
from smarketing.company.reading import Progress
from smarketing.company.tables import Company, CompanyError, Faults, faults_of
from smarketing.company.wrong_keys import explain, nearest
from smarketing.measures.journeys import check_stages
from smarketing.measures.scope import Scope, check_scope
from smarketing.measures.view import View, last_day, view


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
        return [fault for read in (self.agreed, self.decided) for fault in wrong_with(read)]


class CompanyPlan(Plan):
    """What a notebook accepts that opens a company: where its data are, and what the report is limited to."""

    inputs: str = "params/inputs/demo.yml"
    data: str | None = None
    region: str | None = None
    source: str | None = None
    owner: str | None = None
    segment: str | None = None
    redact: bool = False

    @property
    def scope(self) -> Scope:
        """What the report is limited to."""
        return Scope(region=self.region, source=self.source, owner=self.owner, segment=self.segment)

    def open(self) -> Company:
        """Open the company."""
        return open_company(self.path(self.inputs), data=None if self.data is None else self.path(self.data))

    def view(self) -> View:
        """Open the company and cut it at the as-of day, in the plan's scope and under its definitions."""
        company = self.open()
        return view(company, self.agreed(), self.last_day(company), self.scope, redact=self.redact)

    def faults(self) -> list[str]:
        """Return everything that is wrong with the files that the plan names; the data are another question."""
        found = super().faults()
        if not self.path(self.inputs).is_file():
            there = sorted(str(path.relative_to(project())) for path in project().glob("params/inputs/*.yml"))
            found.append(f"Input file {self.inputs} does not exist. {nearest(self.inputs, there)}")
        return found

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
            return [] if wrong_with(self.agreed) else self.misfits(company)
        finally:
            company.backend.disconnect()

    def misfits(self, company: Company) -> list[str]:
        """Return what the definitions and the scope ask of the data that they do not hold."""
        found = wrong_with(lambda: check_stages(company, self.agreed()))
        return found + wrong_with(lambda: check_scope(company.known_at(self.last_day(company)), self.scope))

    def last_day(self, company: Company) -> date:
        """Return the day that the report is for."""
        return self.as_of or last_day(company)


def wrong_with(ask: Callable[[], object]) -> list[str]:
    """Return what a question about a company's files or data is answered with, where it is refused."""
    try:
        ask()
    except CompanyError as error:
        return list(faults_of(error))
    return []


def project() -> Path:
    """Return the project folder: the nearest one upwards that holds params/ and notebooks/."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise PlanError(f"{here} is not inside a project: no folder above it holds params/ and notebooks/. Go there first.")
