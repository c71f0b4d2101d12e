"""Whether the company's data hold what a protocol asks of them."""

from __future__ import annotations

import ibis.expr.types as ir

from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import nearest
from smarketing.measures.experiments.units import Units
from smarketing.measures.view import View


def check_names(view: View, leads: ir.Table, units: Units) -> None:
    """Raise `CompanyError` where a covariate, segment or metric is not in the data, or is known at the wrong time."""
    protocol, where = units.protocol, f"The protocol of {units.protocol.name!r}"
    known = view.company.known.get("leads", {})
    for name in (*protocol.covariates, *protocol.segments):
        if name not in leads.columns:
            raise CompanyError(f"{where} names the attribute {name!r}, and leads have none. {_near(name, leads)}")
        if known.get(name) == "after":
            raise CompanyError(
                f"{where} names {name!r} as known before the assignment, and the input file declares it as filled in "
                "`after`. Take it out, or correct the declaration."
            )
    for name in protocol.covariates:
        kind = leads[name].type()
        if not (kind.is_boolean() or kind.is_numeric() or kind.is_string()):
            raise CompanyError(
                f"{where} has the covariate {name!r}, which holds {kind} and neither yes or no, a number nor text. "
                "Name another attribute."
            )
    for name, metric in protocol.metrics.items():
        if metric.attribute is not None:
            if metric.attribute not in leads.columns:
                raise CompanyError(
                    f"{where} reads the metric {name!r} from the attribute {metric.attribute!r}, and leads have none. "
                    f"{_near(metric.attribute, leads)}"
                )
            kind = leads[metric.attribute].type()
            if not (kind.is_boolean() or kind.is_numeric()):
                raise CompanyError(
                    f"{where} reads the metric {name!r} from leads.{metric.attribute}, which holds {kind} and neither "
                    "yes or no nor a number. Give it its `type` in the input file."
                )
            if known.get(metric.attribute) == "before":
                raise CompanyError(
                    f"{where} reads the metric {name!r} from leads.{metric.attribute}, which the input file declares "
                    "as known `before`: an outcome is recorded after the assignment. Name another attribute."
                )
        elif not units.dated:
            raise CompanyError(
                f"{where} has the metric {name!r}, which happens within {protocol.horizon_days} days after the "
                "assignment, and no unit has a time of assignment. Map assignments.assigned_at."
            )
        elif metric.stage is not None:
            stages = [stage.stage for stage in view.definitions.stages.funnel]
            if metric.stage not in stages:
                raise CompanyError(
                    f"{where} has the metric {name!r} of the stage {metric.stage!r}, which the definitions do not "
                    f"have. {nearest(metric.stage, stages)}"
                )


def _near(name: str, leads: ir.Table) -> str:
    return nearest(name, [column for column in leads.columns if not column.startswith(("__", "reached_"))])
