"""The words and limits both teams live by, read from ``params/definitions.yml``.

Each entry says whether it is *assumed* from the data, *proposed* or *agreed*, who owns it in sales and in marketing,
since when, and when it is looked at again. A report prints "assumed, not agreed" where that is so; nothing here is
a default that a run could override.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from smarketing.company.entry import Entry, Frozen, Name
from smarketing.company.scoring import Scoring
from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import BESIDES, explain
from smarketing.company.yaml_file import parse_yaml


class Stage(Frozen):
    """A stage of the one funnel. ``subject`` says whether a lead or a deal enters it; ``team`` who owns it."""

    stage: Name
    label: str
    plural: str
    team: Literal["marketing", "sales"]
    subject: Literal["lead", "opportunity"] = "lead"
    enters_when: str


class Exit(Frozen):
    """A way of leaving the funnel without winning."""

    stage: Name
    label: str
    means: str


class Stages(Entry):
    """The funnel in order (the last stage is the win), the other exits, and what happens to a recycled lead.

    ``first_exit``: a lead's journey ends at its first exit, and what a recycled lead does later is not counted again.
    ``each_spell``: every pass of a recycled lead is a journey of its own.
    """

    funnel: tuple[Stage, ...] = Field(min_length=2)
    exits: tuple[Exit, ...] = ()
    recycled_leads: Literal["first_exit", "each_spell"] = "first_exit"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        names = self.names
        double = sorted({name for name in names if names.count(name) > 1})
        wrong = [f"stage {name!r} is listed twice" for name in double]
        subjects = [stage.subject for stage in self.funnel]
        if subjects != sorted(subjects):
            wrong.append("stages that leads enter come before stages that deals (opportunities) enter")
        deal_stages = [stage.stage for stage in self.funnel if stage.subject == "opportunity"]
        if deal_stages == [self.funnel[-1].stage]:
            wrong.append("a deal cannot begin with its win: add a stage before it that deals (opportunity) enter")
        if deal_stages and "lost" not in {exit_.stage for exit_ in self.exits}:
            wrong.append("deals can be lost: add an exit whose stage is 'lost'")
        if wrong:
            raise ValueError(BESIDES.join(wrong))
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All stage names: the funnel in order, then the exits."""
        return tuple(stage.stage for stage in self.funnel) + tuple(exit_.stage for exit_ in self.exits)

    @property
    def win(self) -> Stage:
        """The last stage of the funnel."""
        return self.funnel[-1]

    @property
    def first_deal_stage(self) -> Stage | None:
        """The first stage that a deal enters, or None where only leads are tracked."""
        return next((stage for stage in self.funnel if stage.subject == "opportunity"), None)

    def label(self, name: str) -> str:
        """The label of a stage or exit; ``open`` is a word of its own."""
        labels = {stage.stage: stage.label for stage in self.funnel} | {e.stage: e.label for e in self.exits}
        return labels.get(name, "Still open" if name == "open" else name)

    def stage(self, name: str) -> Stage:
        """The funnel stage of this name."""
        return next(stage for stage in self.funnel if stage.stage == name)


class Kpi(Frozen):
    """A headline figure.

    ``entries`` counts what enters ``stage`` in a period. ``reached`` is the share of those entering ``stage`` that
    reach ``to_stage`` within ``within_days``; a period holds those whose days are complete in it, so every value is
    final. ``created`` and ``won`` sum the amounts of deals created, or won, in a period. ``tolerance`` is how far from
    target still counts as on target: a share of the target, or points for a rate (0.01 is one point).
    """

    name: Name
    label: str
    kind: Literal["entries", "reached", "created", "won"]
    panel: Literal["lead flow", "lead quality", "close rate"] | None = None
    stage: Name | None = None
    to_stage: Name | None = None
    within_days: int | None = Field(default=None, ge=1, le=1_000)
    higher_is_better: bool = True
    tolerance: float = Field(default=0.05, ge=0, le=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needs = {"entries": ("stage",), "reached": ("stage", "to_stage", "within_days")}.get(self.kind, ())
        for field in needs:
            if getattr(self, field) is None:
                raise ValueError(f"a KPI of kind {self.kind!r} needs {field}")
        return self


class Kpis(Entry):
    """The headline figures in the order they are shown."""

    figures: tuple[Kpi, ...] = Field(min_length=1)


class Windows(Entry):
    """Periods. ``funnel_days`` is how long the funnel follows a lead; ``cohort_days`` how far back cohorts begin.

    ``recent_weeks`` beside ``trend_months`` is the review's form; ``reporting_delay_days`` are the last days that the
    systems have not finished writing: the data are read as of that many days earlier.
    """

    funnel_days: int = Field(default=180, ge=7, le=1_000)
    cohort_days: int = Field(default=365, ge=28, le=3_650)
    recent_weeks: int = Field(default=6, ge=2, le=13)
    trend_months: int = Field(default=12, ge=3, le=24)
    reporting_delay_days: int = Field(default=0, ge=0, le=60)


class Evidence(Entry):
    """Below this a share is withheld. The rule looks at denominators and accounts, never at an interval's width.

    There is no floor of events: it would show small rates only where luck made them large (with a floor of 10 events
    where 7 are expected, the intervals shown cover 87 %). A share of few events has a wide interval, and says so.
    """

    minimum_denominator: int = Field(default=30, ge=1)
    minimum_effective_accounts: int = Field(default=30, ge=2)


class Privacy(Entry):
    """Lead names, e-mails and phones are never shown. The rest is set here."""

    smallest_group: int = Field(default=5, ge=1)
    show_account_names: bool = False
    show_owner_names: bool = False


class Calendar(Entry):
    """How the company counts time."""

    week_starts: Literal["monday", "sunday"] = "monday"


class Money(Entry):
    """The reporting currency, and what one unit of every other currency is worth in it (a constant rate)."""

    reporting_currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    rates: dict[str, float] = Field(default_factory=dict)


class Definitions(Frozen):
    """Everything both teams have to mean the same by, with the version that every figure is recorded under."""

    version: str
    company: str
    changed: date
    stages: Stages
    kpis: Kpis
    windows: Windows = Windows()
    evidence: Evidence = Evidence()
    privacy: Privacy = Privacy()
    calendar: Calendar = Calendar()
    money: Money = Money()
    scoring: Scoring | None = None

    @model_validator(mode="after")
    def _scoring_names_a_stage(self) -> Self:
        funnel = [stage.stage for stage in self.stages.funnel]
        if self.scoring is not None and self.scoring.to_stage is not None and self.scoring.to_stage not in funnel[1:]:
            raise ValueError(
                f"scoring: to_stage is {self.scoring.to_stage!r}; a lead that enters the funnel can reach "
                f"{', '.join(funnel[1:])}"
            )
        return self

    @model_validator(mode="after")
    def _kpis_name_stages(self) -> Self:
        funnel = [stage.stage for stage in self.stages.funnel]
        wrong: list[str] = []
        for kpi in self.kpis.figures:
            strange = [name for name in (kpi.stage, kpi.to_stage) if name is not None and name not in funnel]
            wrong += [f"KPI {kpi.name!r} names stage {name!r}; the funnel has {', '.join(funnel)}" for name in strange]
            backwards = not strange and kpi.kind == "reached"
            if backwards and funnel.index(str(kpi.to_stage)) <= funnel.index(str(kpi.stage)):
                wrong.append(f"KPI {kpi.name!r}: to_stage must come after stage in the funnel")
        if wrong:
            raise ValueError(BESIDES.join(wrong))
        return self

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """The entries by name, in declared order."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Entry):
                yield name, value

    @property
    def not_agreed(self) -> tuple[str, ...]:
        """Names of the entries that are only assumed or proposed."""
        return tuple(name for name, entry in self.entries() if entry.state != "agreed")

    @property
    def sha256(self) -> str:
        """Fingerprint of the content; two files that say the same have the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """Read a YAML mapping; `CompanyError` names the file, the line and what was found instead."""
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CompanyError(
            f"{what} file {path} does not exist. Name an existing file, or copy one from params/."
        ) from None
    except UnicodeDecodeError:
        raise CompanyError(f"{what} file {path} is not UTF-8 text. Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        raise CompanyError(f"{what} file {path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise CompanyError(
            f"{what} file {path} holds {type(content).__name__}; a mapping of names to values is needed."
        )
    return content


def read_definitions(path: Path) -> Definitions:
    """Read and check a definitions file; `CompanyError` lists every entry that is wrong and how to put it right."""
    content = read_yaml(path, "Definitions")
    try:
        return Definitions.model_validate(content)
    except ValidationError as error:
        raise CompanyError(explain(error, Definitions, f"Definitions file {path}")) from None
