"""What the company did with a lead by itself: the score its present system gave, and whether sales worked it.

Neither is ever a feature: they judge a score, and audit columns.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from smarketing.company.scoring import Scoring
from smarketing.company.tables import REPLY, Company, CompanyError
from smarketing.company.wrong_keys import nearest
from smarketing.measures.scoring.leads.moments import AT
from smarketing.measures.view import View

PRESENT, WORKED = "__present", "__worked"
SYSTEM = "smarketing"
"""The name of this score in the ``scores`` table."""

GRACE_HOURS = 1
"""A CRM scores a lead in the minutes after it is created, so a score so much later still counts as given then."""


def with_present(view: View, rows: ir.Table, scoring: Scoring) -> ir.Table:
    """Add `PRESENT`, the present system's latest score given by the moment, or within `GRACE_HOURS` after it.

    Without scores of any system but this one (`SYSTEM`) there is nothing to add, as without the table.

    Raises
    ------
    CompanyError
        The table has scores of other systems, and none of the present one.
    """
    company, system = view.company, scoring.present_system
    if system is None or not company.has("scores"):
        return rows
    scores = company.table("scores")
    theirs = scores.filter(scores.system == system).select("score", of=scores.subject_id, given=scores["at"])
    if not theirs.limit(1).count().execute():
        others = scores.filter(scores.system != SYSTEM)
        found = others.group_by("system").aggregate().order_by("system").limit(50)
        systems = found.to_pyarrow()["system"].to_pylist()
        if not systems:
            return rows
        raise CompanyError(
            f"scoring.present_system is {system!r}, and no row of the table scores has that in its column system. "
            f"{nearest(system, systems)} Name it as the table does, or leave present_system out of the definitions."
        )
    moment = rows.select(subject="subject_id", by=rows[AT] + ibis.interval(hours=GRACE_HOURS))
    known = theirs.inner_join(moment, [theirs.of == moment.subject, theirs.given <= moment.by])
    latest = ibis.row_number().over(group_by=known.of, order_by=[known.given.desc(), known.score.desc()])
    last = known.mutate(__place=latest).filter(ibis._["__place"] == 0)
    last = last.select(scored="of", **{PRESENT: last.score.cast("float64")})
    return rows.left_join(last, rows.subject_id == last.scored).drop("scored")


def with_worked(company: Company, rows: ir.Table) -> ir.Table:
    """Add `WORKED`, whether sales ever logged an action with the lead, where the company records actions of leads.

    A lead's own reply is no action of sales, whoever it is logged under.
    """
    if not company.records("activities", "lead_id"):
        return rows
    actions = company.table("activities").filter(ibis._.kind != REPLY)
    if company.records("activities", "owner_id") and company.records("owners", "team"):
        actions = actions.anti_join(marketing_owners(company), "owner_id")
    touched = actions.filter(actions.lead_id.notnull()).select(touched="lead_id").distinct()
    joined = rows.left_join(touched, rows.subject_id == touched.touched)
    return joined.mutate(**{WORKED: joined.touched.notnull()}).drop("touched")


def marketing_owners(company: Company) -> ir.Table:
    """Return the ``owner_id`` of everybody who is, or was, of a marketing team."""
    owners = company.table("owners")
    return owners.filter(owners.team.lower().contains("marketing")).select("owner_id").distinct()
