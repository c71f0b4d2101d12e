"""The protocol of an experiment: what is asked, of whom, by which rule it is decided. Written before the data.

A protocol is a file `params/experiments/<name>.yml`. The readout reads it and prints its hash, so that a change after
the start is seen.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import BESIDES, explain, nearest
from smarketing.company.yaml_file import read_yaml

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]
FOLDER = "params/experiments"


class Frozen(BaseModel):
    """A part of a protocol."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(Frozen):
    """What is measured of each unit, and where it is read from: exactly one of the four sources.

    ``stage``: whether the unit reached a stage of the funnel within the horizon. ``activity``: whether an activity of
    this kind was logged with it. ``amount``: money of the deals ``created`` or ``won`` within the horizon.
    ``attribute``: an attribute of leads in a flat export, recorded after the assignment. A yes or no gives a rate, a
    number a mean; a number above ``cap`` counts as ``cap``, which has to be set before the data are seen.
    ``higher_is_better`` says which way is good.
    """

    label: str = Field(min_length=1)
    stage: str | None = None
    activity: str | None = None
    amount: Literal["created", "won"] | None = None
    attribute: str | None = None
    unit: Literal["share", "money", "number"] | None = None
    cap: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    higher_is_better: bool = True

    @property
    def source(self) -> str:
        """Which of the four sources it is read from."""
        return next(name for name in ("stage", "activity", "amount", "attribute") if getattr(self, name) is not None)

    @property
    def stated_unit(self) -> str | None:
        """In what it is measured, None where only the data can tell (an attribute is a rate, or a number)."""
        if self.unit is not None:
            return self.unit
        return {"amount": "money", "attribute": None}.get(self.source, "share")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [n for n in ("stage", "activity", "amount", "attribute") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                f"it names {' and '.join(given) or 'no source'}; name exactly one of stage, activity, amount, attribute"
            )
        if self.cap is not None and self.source in ("stage", "activity"):
            raise ValueError(f"`cap` is for amounts and numbers, and the metric is a yes or no: {self.source}")
        return self


class Guardrail(Frozen):
    """A metric that must not get worse by more than ``margin`` (in the metric's unit; points of a rate as 0.01)."""

    metric: Name
    margin: float = Field(gt=0, allow_inf_nan=False)


class Looks(Frozen):
    """When the result is looked at.

    ``once``: at the end, by the fixed-horizon test. ``any_time``: whenever one likes, by the always-valid reading,
    tuned to ``tuned_to`` units an arm (None: the planned ones). ``planned``: on the ``days`` named, by ``spending``.
    """

    rule: Literal["once", "any_time", "planned"] = "once"
    tuned_to: int | None = Field(default=None, ge=100)
    days: tuple[date, ...] = ()
    spending: Literal["obrien-fleming", "pocock"] = "obrien-fleming"

    @model_validator(mode="after")
    def _days(self) -> Self:
        if (self.rule == "planned") != bool(self.days):
            raise ValueError("`days` go with `rule: planned`, and there have to be some")
        if list(self.days) != sorted(set(self.days)):
            raise ValueError("`days` have to be in order, each once")
        return self


class Rule(Frozen):
    """How the decision is made, from the primary metrics and the guardrails.

    Ship an arm if a primary metric is better for sure, its effect at least ``worth_shipping``, and no guardrail is
    broken. Stop if it is worse for sure, or if even the upper limit is below ``worth_shipping``. That is one number
    for all primary metrics, or one for each by name, in its unit (points of a rate as 0.01); 0 is any effect.
    """

    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    worth_shipping: Size | Mapping[Name, Size] = 0.0


class Protocol(Frozen):
    """What was agreed on an experiment before it began.

    ``arms`` says in which parts units are dealt to each (1 and 1, or 90 and 10); ``control`` is the arm that the others
    are compared with. ``unit`` is what is dealt: a lead, or an account with all its leads; ``average`` then says
    whether the decision is about the average lead or the average account. Outcomes count within ``horizon_days`` after
    a unit's assignment; a flat export has no days, and no horizon. ``covariates`` are attributes of leads recorded
    before the assignment, used to narrow intervals; ``segments`` are attributes whose groups were declared to be looked
    at apart. ``value`` is the money that one more of a primary metric is worth, and ``a_quarter`` how many leads there
    are in a quarter, for the money range; a metric that is money itself needs no value, and an effect on the average
    account has no range. ``planned_units`` is how many units there were to be in all.
    """

    name: Name
    version: str = "1"
    hypothesis: str = Field(min_length=10)
    unit: Literal["lead", "account"] = "lead"
    arms: Mapping[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    control: str
    metrics: Mapping[Name, Metric]
    primary: tuple[Name, ...] = Field(min_length=1)
    guardrails: tuple[Guardrail, ...] = ()
    average: Literal["lead", "account"] = "lead"
    horizon_days: int | None = Field(default=None, ge=1, le=1_000)
    starts_on: date | None = None
    ends_on: date | None = None
    planned_units: int | None = Field(default=None, ge=1)
    looks: Looks = Looks()
    strata: tuple[Name, ...] = ()
    pairs: bool = False
    covariates: tuple[Name, ...] = ()
    segments: tuple[Name, ...] = ()
    rule: Rule = Rule()
    value: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    a_quarter: int | None = Field(default=None, ge=1)
    sales_owner: str | None = None
    marketing_owner: str | None = None
    agreed_on: date | None = None

    @property
    def shares(self) -> dict[str, float]:
        """The share of units that each arm is to have."""
        total = math.fsum(self.arms.values())
        return {arm: part / total for arm, part in self.arms.items()}

    @property
    def treatments(self) -> tuple[str, ...]:
        """The arms other than the control, in the protocol's order."""
        return tuple(arm for arm in self.arms if arm != self.control)

    def worth_shipping(self, metric: str) -> float:
        """Return the smallest effect on a primary metric that is worth shipping, in the metric's unit."""
        agreed = self.rule.worth_shipping
        return agreed.get(metric, 0.0) if isinstance(agreed, Mapping) else agreed

    @property
    def sha256(self) -> str:
        """Hash of all that was agreed, whatever the order of entries and whatever the comments.

        What is left out or left at its default does not count, so that an option added later changes no old hash.
        """
        agreed = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(agreed.encode()).hexdigest()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = list(self._faults())
        if faults:
            raise ValueError(BESIDES.join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        if len(self.arms) < 2:
            yield "an experiment has at least two arms"
        if self.control not in self.arms:
            yield f"`control` is {self.control!r}, which is no arm. {nearest(self.control, list(self.arms))}"
        named = [("primary", name) for name in self.primary] + [("guardrails", g.metric) for g in self.guardrails]
        for where, name in named:
            if name not in self.metrics:
                yield f"`{where}` names {name!r}, which is no metric. {nearest(name, list(self.metrics))}"
        both = sorted({g.metric for g in self.guardrails} & set(self.primary))
        if both:
            yield f"{both[0]!r} is primary and a guardrail: a metric is to get better, or not to get worse"
        if len(set(self.primary)) < len(self.primary):
            yield "`primary` names a metric twice"
        yield from self._worth_faults()
        dated = [name for name, metric in self.metrics.items() if metric.source != "attribute"]
        if dated and self.horizon_days is None:
            yield f"the metric {dated[0]!r} has to happen within days, and `horizon_days` is empty"
        if self.starts_on and self.ends_on and self.ends_on <= self.starts_on:
            yield f"`ends_on` ({self.ends_on}) is not after `starts_on` ({self.starts_on})"
        outside = [day for day in self.looks.days if self.starts_on is not None and day <= self.starts_on]
        if outside:
            yield f"a look is planned for {outside[0]}, and the experiment starts on {self.starts_on}"
        if self.looks.days and self.starts_on is None:
            yield "looks are planned by day, and `starts_on` is empty: each may err by its share of the days"
        if self.average == "account" and self.unit == "lead":
            yield "`average: account` is of accounts that were dealt, and `unit` is lead"
        if self.pairs and (self.strata or len(self.arms) != 2):
            yield "`pairs` are of two arms, and without `strata`: the two of a pair are their stratum"
        later = sorted({m.attribute for m in self.metrics.values() if m.attribute} & {*self.covariates, *self.segments})
        if later:
            yield f"{later[0]!r} is a metric, and cannot be a covariate or a segment: it is known only afterwards"

    def _worth_faults(self) -> Iterator[str]:
        agreed = self.rule.worth_shipping
        if isinstance(agreed, Mapping):
            for name in agreed:
                if name not in self.primary:
                    yield (
                        f"`worth_shipping` names {name!r}, which is no primary metric. "
                        f"{nearest(name, list(self.primary))}"
                    )
            return
        first: dict[str, str] = {}
        for name in self.primary:
            unit = self.metrics[name].stated_unit if name in self.metrics else None
            if unit is not None:
                first.setdefault(unit, name)
        if agreed > 0 and len(first) > 1:
            said = ", ".join(f"{name!r} in {unit}" for unit, name in first.items())
            each = ", ".join(f"{name}: ..." for name in first.values())
            yield f"`worth_shipping` is {agreed:g} for all primary metrics, and they differ in unit ({said}): " + (
                f"name it for each, as {{{each}}}"
            )


def read_protocol(path: Path) -> Protocol:
    """Read and check a protocol; `CompanyError` lists every entry that is wrong and how to put it right."""
    content = read_yaml(path, what="Protocol")
    try:
        found = Protocol.model_validate(content)
    except ValidationError as error:
        raise CompanyError(explain(error, Protocol, f"Protocol {path}")) from None
    if found.name != path.stem:
        raise CompanyError(
            f"Protocol {path} is of the experiment {found.name!r}, and a protocol's file has its experiment's name. "
            f"Call it {found.name}.yml, or set `name: {path.stem}`."
        )
    return found
