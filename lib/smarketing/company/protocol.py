"""What was agreed on before an experiment began, read from ``params/experiments/<name>.yml``.

A protocol cannot change after the start unnoticed: its `Protocol.sha256` is shown with every reading. Nothing in it is
a default that a reading could override.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from smarketing.company.definitions import Stages, read_yaml
from smarketing.company.entry import Frozen, Name
from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import BESIDES, explain, nearest

CONTROL = "control"
METRICS = ("reply", "mql", "sql", "opportunity", "pipeline_value", "won", "revenue")
"""The words for usual metrics; stages of the company's own funnel and attributes of leads are named as they are."""

Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Metric(Frozen):
    """A metric of a unit within the protocol's horizon.

    ``name`` is what the protocol calls it. ``measures`` is what it is: one of `METRICS`, a stage of the definitions'
    funnel, or, with ``attribute: true``, a column of a flat export; without it ``name`` says it. ``kind``: ``rate`` is
    a share of units, ``mean`` an amount a unit, ``ratio`` an amount or count over the sum of ``over``, another one.
    ``cap`` is the largest amount a unit counts with (winsorised), in the metric's unit; it is fixed before the start
    because one that is chosen by looking changes the result.
    """

    name: Name
    measures: Name | None = None
    attribute: bool = False
    kind: Literal["rate", "mean", "ratio"] = "rate"
    over: Name | None = None
    cap: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @property
    def source(self) -> str:
        """What is measured: a metric's word, a stage, or an attribute."""
        return self.measures or self.name

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        wrong = []
        if (self.kind == "ratio") != (self.over is not None):
            wrong.append(f"metric {self.name!r}: `over` names the denominator of a ratio, and only of a ratio")
        if self.kind == "rate" and self.cap is not None:
            wrong.append(f"metric {self.name!r}: a rate has no `cap`; leave it out, or make the metric a mean")
        if not self.attribute and self.kind == "rate" and self.source in ("pipeline_value", "revenue"):
            wrong.append(f"metric {self.name!r}: {self.source} is an amount; say `kind: mean` or `kind: ratio`")
        if wrong:
            raise ValueError(BESIDES.join(wrong))
        return self


class Guardrail(Metric):
    """A metric that must not get worse by ``margin`` or more, in its own unit (0.01 is a point of a rate)."""

    margin: float = Field(gt=0, allow_inf_nan=False)
    worse: Literal["lower", "higher"] = "lower"


class Rule(Frozen):
    """What decides: the smallest change worth shipping, how sure, and how several questions share the error.

    Exactly one of ``minimum_lift`` (relative to the control, 0.05 is 5 %) and ``minimum_difference`` (in the primary
    metric's unit) is said; 0 makes any clear gain worth shipping. ``higher_is_better`` is of the primary metrics.
    """

    minimum_lift: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    minimum_difference: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    higher_is_better: bool = True
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    multiplicity: Literal["holm", "bh"] = "holm"

    @model_validator(mode="after")
    def _one_minimum(self) -> Self:
        if (self.minimum_lift is None) == (self.minimum_difference is None):
            raise ValueError("say exactly one of `minimum_lift` and `minimum_difference`: what is worth shipping")
        return self


class Protocol(Frozen):
    """An experiment as it was agreed on.

    ``arms`` are the shares dealt, the control first. ``horizon_days`` is how long after assignment a unit's outcome
    counts; ``started_on`` to ``ends_on`` are the days of dealing, both included, so that the last unit is complete at
    `Protocol.complete_on`. ``looks``: ``fixed`` is read once, when complete; ``always valid`` whenever anybody likes;
    ``planned`` on ``look_days``, with the error spent over them as ``spending`` says.
    ``strata`` are the columns within which units were dealt, ``pairs`` the column that names a
    matched pair. ``covariates`` adjust the estimate and must have been recorded before assignment, which
    ``covariates_recorded_before`` promises. ``segments`` are the columns whose parts are confirmatory; any other is
    exploration. ``value_of_a_unit`` is what one unit of the first primary metric is worth in the reporting currency,
    for the range of money; where it is empty nothing is said of money.
    """

    name: Name
    hypothesis: str = Field(min_length=10)
    unit: Literal["account", "lead"]
    arms: Mapping[Name, Share] = Field(min_length=2)
    primary: tuple[Metric, ...] = Field(min_length=1)
    guardrails: tuple[Guardrail, ...] = ()
    horizon_days: int = Field(ge=1, le=1_000)
    started_on: date
    ends_on: date
    looks: Literal["fixed", "always valid", "planned"] = "fixed"
    look_days: tuple[date, ...] = ()
    spending: Literal["obrien_fleming", "pocock"] | None = None
    strata: tuple[Name, ...] = ()
    pairs: Name | None = None
    covariates: tuple[Name, ...] = ()
    covariates_recorded_before: bool = False
    segments: tuple[Name, ...] = ()
    rule: Rule
    value_of_a_unit: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    sales_owner: Text
    marketing_owner: Text
    agreed_on: date

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = [*self._arms_wrong(), *self._metrics_wrong(), *self._days_wrong(), *self._looks_wrong()]
        if self.strata and self.pairs is not None:
            wrong.append("say `strata` or `pairs`, not both: units were dealt within one or the other")
        if self.covariates and not self.covariates_recorded_before:
            wrong.append(
                "covariates adjust only what they cannot have been changed by: say `covariates_recorded_before: true` "
                "if all were recorded before assignment, or leave the others out"
            )
        if wrong:
            raise ValueError(BESIDES.join(wrong))
        return self

    def _arms_wrong(self) -> list[str]:
        wrong = []
        if next(iter(self.arms)) != CONTROL:
            hint = "put it first" if CONTROL in self.arms else "name the arm that is compared with so"
            wrong.append(f"arms: the first is {next(iter(self.arms))!r} and has to be {CONTROL!r}; {hint}")
        total = sum(self.arms.values())
        if abs(total - 1) > 1e-6:
            parts = " + ".join(f"{share:g}" for share in self.arms.values())
            wrong.append(f"arms: their shares add up to 1, but {parts} = {total:.10g}; a third may be 0.3333333")
        return wrong

    def _metrics_wrong(self) -> list[str]:
        primary, guardrails = ([metric.name for metric in group] for group in (self.primary, self.guardrails))
        wrong = [
            f"metric {name!r} is primary and a guardrail; a rise that is shipped for cannot also be the harm: "
            "keep it in one of the two"
            for name in sorted(set(primary) & set(guardrails))
        ]
        for group, names in (("primary", primary), ("guardrails", guardrails)):
            double = sorted({name for name in names if names.count(name) > 1})
            wrong += [f"{group}: metric {name!r} is listed twice; keep one" for name in double]
        return wrong

    def _days_wrong(self) -> list[str]:
        wrong = []
        if self.ends_on < self.started_on:
            wrong.append(f"ends_on {self.ends_on} is before started_on {self.started_on}; swap or correct them")
        if self.agreed_on > self.started_on:
            wrong.append(
                f"agreed_on {self.agreed_on} is after started_on {self.started_on}; a protocol is agreed on before "
                "units are dealt"
            )
        return wrong

    def _looks_wrong(self) -> list[str]:
        days = self.look_days
        if self.looks != "planned":
            said = [name for name, value in (("look_days", days), ("spending", self.spending)) if value]
            return [f"{name} is for `looks: planned`, and looks is {self.looks!r}; leave it out" for name in said]
        if len(days) < 2 or self.spending is None:
            return ["`looks: planned` needs at least two `look_days`, and `spending`: obrien_fleming or pocock"]
        wrong = []
        if list(days) != sorted(set(days)):
            wrong.append("look_days: each is after the one before; put them in order and drop doubles")
        wrong += [
            f"look_days: {day} is outside the run, which is {self.started_on} to {self.complete_on} (the last day of "
            "dealing and the horizon after it); move it inside"
            for day in days
            if not self.started_on <= day <= self.complete_on
        ]
        return wrong

    @property
    def complete_on(self) -> date:
        """The first day on which the last unit dealt has had its whole horizon."""
        return self.ends_on + timedelta(days=self.horizon_days)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The primary metrics, then the guardrails."""
        return (*self.primary, *self.guardrails)

    @property
    def comparisons(self) -> int:
        """How many confirmatory questions there are: every other arm with the control, for each primary metric."""
        return (len(self.arms) - 1) * len(self.primary)

    @property
    def sha256(self) -> str:
        """Fingerprint of the content; two files that say the same have the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def check_metrics(self, stages: Stages) -> None:
        """Raise `CompanyError` where a metric that is not an attribute is neither a usual one nor a stage."""
        allowed = list(dict.fromkeys([*METRICS, *stages.names]))
        named = [(metric.name, word) for metric in self.metrics if not metric.attribute for word in _words(metric)]
        wrong = [
            f"metric {name!r} measures {word!r}, which is neither a metric nor a stage. {nearest(word, allowed)} "
            "A column of a flat export needs `attribute: true`."
            for name, word in named
            if word not in allowed
        ]
        if wrong:
            raise CompanyError("\n  ".join([f"Protocol {self.name} does not fit the definitions:", *wrong]))


def _words(metric: Metric) -> tuple[str, ...]:
    return (metric.source,) if metric.over is None else (metric.source, metric.over)


def read_protocol(path: Path) -> Protocol:
    """Read and check a protocol; `CompanyError` names every key that is wrong and how to put it right.

    The file has the name of its experiment, so that a reading cannot take the protocol of another.
    """
    try:
        protocol = Protocol.model_validate(read_yaml(path, "Protocol"))
    except ValidationError as error:
        raise CompanyError(explain(error, Protocol, f"Protocol file {path}")) from None
    if protocol.name != path.stem:
        raise CompanyError(
            f"Protocol file {path} is of the experiment {protocol.name!r}. Name the file {protocol.name}.yml, or "
            "correct `name`."
        )
    return protocol
