"""Which leads and deals a report is about, and what they can be broken down by.

A lead or deal is enriched once with its account's and its owner's attributes; a scope then keeps the rows it names.
The region of a deal or a lead is its account's; where the account has none it is the owner's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.types as ir

from smarketing.company.expressions import compile_condition, parse
from smarketing.company.tables import Company, CompanyError, MissingTable
from smarketing.company.wrong_keys import nearest

Subject = Literal["lead", "opportunity"]

INTERNAL = frozenset({"cluster", "subject_id", "spell", "exit", "exit_at", "started", "first_age", "last_age"})
"""Columns of journeys that are ours and not the company's."""

BLANK = "(blank)"
"""How a missing value is called in a breakdown; it is not the value `unknown`."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a report is limited to; an empty scope is the whole company.

    ``region``, ``source`` and ``owner`` keep the rows that have exactly this value; ``segment`` is a rule over the
    attributes of leads or deals, their accounts and owners, such as ``accounts.employees >= 200``.
    """

    region: str | None = None
    source: str | None = None
    owner: str | None = None
    segment: str | None = None

    @property
    def parts(self) -> Mapping[str, str]:
        """The parts that are set, by name."""
        named = {"region": self.region, "source": self.source, "owner": self.owner, "segment": self.segment}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def label(self) -> str:
        """The scope in words."""
        return ", ".join(f"{name} {value}" for name, value in self.parts.items()) or "the whole company"


def enrich(company: Company, subject: Subject) -> ir.Table:
    """Return leads or deals with their account's (``accounts.x``) and owner's (``owners.x``) columns beside their own.

    A deal carries its lead's ``source`` and ``campaign_id``. Every row stays exactly once.
    """
    if subject == "lead":
        rows = company.table("leads")
        rows = rows.rename(subject_id="lead_id")
    else:
        rows = company.table("opportunities").rename(subject_id="opportunity_id")
        if company.has("leads"):
            leads = company.table("leads")
            leads = leads.select(of_lead=leads.lead_id, source=leads.source, campaign_id=leads.campaign_id)
            rows = rows.drop(*{"source", "campaign_id"} & set(rows.columns))
            rows = rows.left_join(leads, rows.lead_id == leads.of_lead).drop("of_lead")
    for table, key in (("accounts", "account_id"), ("owners", "owner_id")):
        if company.has(table):
            rows = _attach(rows, _one_row_a_key(company.table(table), key), key, table)
    return rows


def columns(rows: ir.Table) -> dict[str, ir.Value]:
    """Return the columns a rule or a breakdown may name: dotted, and bare where the row has none of that name itself.

    ``region`` is the account's, else the owner's.
    """
    named: dict[str, ir.Value] = {}
    for prefix in ("owners.", "accounts."):
        named |= {name.removeprefix(prefix): rows[name] for name in rows.columns if name.startswith(prefix)}
    named |= {name: rows[name] for name in rows.columns if name not in INTERNAL and not name.startswith("reached_")}
    regions = [rows[name] for name in ("region", "accounts.region", "owners.region") if name in rows.columns]
    if regions:
        named["region"] = ibis.coalesce(*regions)
    if "owner_id" in named:
        named["owner"] = named["owner_id"]
    return named


def restrict(rows: ir.Table, scope: Scope) -> ir.Table:
    """Keep the rows of a scope; a scope that needs what the company does not record raises `CompanyError`."""
    known = columns(rows)
    for name, value in scope.parts.items():
        if name == "segment":
            rows = rows.filter(compile_condition(parse(value), columns(rows)))
            continue
        if name not in known:
            raise CompanyError(
                f"The scope is limited to {name} {value!r}, and no {name} is recorded for these rows. "
                f"Leave {name} empty, or map the column in the input file."
            )
        rows = rows.filter(columns(rows)[name] == value)
    return rows


def check_scope(company: Company, scope: Scope) -> None:
    """Raise `CompanyError` where a scope matches no lead and no deal at all, naming the values that there are."""
    subjects: list[Subject] = []
    if company.has("leads"):
        subjects.append("lead")
    if company.has("opportunities"):
        subjects.append("opportunity")
    if not subjects:
        raise MissingTable("leads` or `opportunities")
    if not scope.parts:
        return
    if any(restrict(enrich(company, s), scope).limit(1).count().execute() for s in subjects):
        return
    hints = []
    for name, value in scope.parts.items():
        if name == "segment":
            continue
        rows = enrich(company, subjects[0])
        if name in columns(rows):
            present = rows.select(value=columns(rows)[name].cast("string")).distinct().order_by("value").limit(200)
            values = [v for v in present.value.execute() if isinstance(v, str)]
            if value not in values:
                hints.append(f"{name} {value!r} does not occur. {nearest(value, values[:50])}")
    detail = " ".join(hints) or "Each part occurs, but nothing matches all of them. Leave one out."
    raise CompanyError(f"The scope ({scope.label}) matches no lead and no deal. {detail}")


def breakdown(rows: ir.Table, by: str) -> ir.StringValue:
    """Return the column to break down by as text, missing values as ``(blank)``; unknown names raise `CompanyError`."""
    known = columns(rows)
    if by not in known:
        raise CompanyError(f"There is no {by!r} to break down by. {nearest(by, sorted(known))}")
    return known[by].cast("string").fill_null(BLANK)


def _one_row_a_key(table: ir.Table, key: str) -> ir.Table:
    """Reduce owners over time to one row each: the alphabetically last value (a person's rows rarely differ)."""
    if key == "account_id":
        return table
    others = [name for name in table.columns if name not in (key, "from", "to")]
    return table.group_by(key).aggregate(**{name: table[name].max() for name in others})


def _attach(rows: ir.Table, table: ir.Table, key: str, prefix: str) -> ir.Table:
    renamed = table.select(**{f"{prefix}.{name}": table[name] for name in table.columns})
    joined = rows.left_join(renamed, rows[key] == renamed[f"{prefix}.{key}"])
    return joined.drop(f"{prefix}.{key}")
