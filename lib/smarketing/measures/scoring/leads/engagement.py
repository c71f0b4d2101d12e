"""What a lead did before its moment: contacts counted, dated and weighted, each of them dated strictly earlier.

Three streams: ``touches`` of the lead itself; ``account_touches``, those of its account's other leads and of nobody by
name; ``marketing_activities``, actions that people of a marketing team logged with the lead, its replies aside. What
sales did is never a feature: it follows from what sales thought of the lead.

Contacts of the last 90 days before the moment enter, so that a company's first leads are not poorer than its last only
because its records begin. The decayed count gives a contact half its weight every 14 days; it is a sum of whole
numbers, so that the order of adding does not matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Literal

import ibis
import ibis.expr.types as ir

from smarketing.company.input_columns import snake
from smarketing.company.tables import REPLY, Company, CompanyError
from smarketing.measures.scoring.leads.moments import AT, LATEST
from smarketing.measures.scoring.leads.present import marketing_owners
from smarketing.measures.scoring.leads.sample import Feature

DAY = 86_400
WINDOWS = (7, 30, 90)
LONGEST = WINDOWS[-1]
HALF_LIFE = 14.0
PARTS = 1_000_000
"""A contact's decayed weight is a whole number of this part of 1."""

MOST_VALUES = 8
Stream = Literal["touches", "account_touches", "marketing_activities"]
STREAMS: Mapping[Stream, tuple[str, str, str, str]] = {
    "touches": ("touches", "contact", "contacts", ""),
    "account_touches": ("touches", "contact", "contacts", " of the account's other leads"),
    "marketing_activities": ("activities", "action by marketing", "actions by marketing", ""),
}
"""Of each stream: its table, what one of its rows and several are called, and whose they are."""

DIMENSIONS = {"channel": "channels", "landing_page": "pages", "content_id": "contents"}
VALUED = {"channel": "channel", "landing_page": "page"}


def names(stream: Stream) -> dict[str, str]:
    """Return the features that a stream can have, the counts by value aside: name to readable form."""
    table, one, several, whose = STREAMS[stream]
    found = {f"{stream}.in_{days}_days": f"{several}{whose} in the last {days} days" for days in WINDOWS}
    found[f"{stream}.decayed"] = f"recent {several}{whose}, the latest counting most"
    found[f"{stream}.days_since_last"] = f"days since the last {one}{whose}"
    if table == "touches":
        found |= {f"{stream}.{plural}": f"different {plural} of {several}{whose}" for plural in DIMENSIONS.values()}
    return found


def engagement_features(company: Company, rows: ir.Table) -> list[Feature]:
    """Return the features that the company's tables allow, with counts by its commonest channels and pages.

    ``rows`` are leads at their moment; what is common is counted among the contacts that enter.
    """
    found = list[Feature]()
    for stream in STREAMS:
        if not _recorded(company, stream):
            continue
        table = STREAMS[stream][0]
        for name, label in names(stream).items():
            dimension = next((d for d, plural in DIMENSIONS.items() if name == f"{stream}.{plural}"), None)
            if dimension is None or company.records("touches", dimension):
                found.append(_feature(name, label, table))
        if stream == "touches":
            entered = _entered(company, rows, stream)
            for dimension, word in VALUED.items():
                found += _by_value(company, entered, dimension, word, {feature.name for feature in found})
    return found


def with_engagement(company: Company, rows: ir.Table, features: Iterable[Feature]) -> ir.Table:
    """Return ``rows`` with one float64 column a feature, and with the latest time that entered of each stream.

    A lead without contacts counts 0 of them, and has no days since the last. The latest time is in the column
    ``LATEST + stream``, for `features.check_moments`.

    Raises
    ------
    CompanyError
        A feature needs a table or column that the company does not record (any more).
    """
    asked = list(features)
    for stream in STREAMS:
        wanted = [feature for feature in asked if feature.name.startswith(f"{stream}.")]
        if not wanted:
            continue
        for feature in wanted:
            _check(company, stream, feature)
        entered = _entered(company, rows, stream)
        sums = {feature.name: _aggregate(entered, stream, feature) for feature in wanted}
        counted = entered.group_by(of_lead=entered.subject_id).aggregate(
            **sums, **{LATEST + stream: entered["__at_event"].max()}
        )
        rows = rows.left_join(counted, rows.subject_id == counted.of_lead).drop("of_lead")
        zero = {name: rows[name].fill_null(0.0) for name in sums if not name.endswith(".days_since_last")}
        rows = rows.mutate(**zero) if zero else rows
    return rows


def _entered(company: Company, rows: ir.Table, stream: Stream) -> ir.Table:
    """Return the contacts that enter, each once for every lead it counts for: ``subject_id``, ``__age``, dimensions.

    This is the one place where "before the moment" is decided. Where the company records days only, contacts of the
    moment's own day stay out, since they may be later.
    """
    events = _events(company, stream)
    leads = rows.select("subject_id", "account_id", AT)
    days_only = not events.filter(events["at"] != events["at"].truncate("D")).limit(1).count().execute()
    moment = leads[AT].truncate("D") if days_only else leads[AT]
    leads = leads.mutate(__moment=moment, __from=moment - ibis.interval(days=LONGEST))
    whose = [events.of == leads["subject_id"]]
    if stream == "account_touches":
        whose = [events.of == leads["account_id"], events.lead.isnull() | (events.lead != leads["subject_id"])]
    joined = events.inner_join(leads, [*whose, events["at"] < leads["__moment"], events["at"] >= leads["__from"]])
    seconds = [joined[name].truncate("s").epoch_seconds().cast("int64") for name in ("__moment", "at")]
    kept = [name for name in DIMENSIONS if name in joined.columns]
    return joined.select("subject_id", *kept, __age=seconds[0] - seconds[1], __at_event=joined["at"])


def _events(company: Company, stream: Stream) -> ir.Table:
    """Return a stream's rows with ``of``: the lead, or the account, that each belongs to."""
    events = company.table(STREAMS[stream][0])
    if stream == "touches":
        return events.select("at", *DIMENSIONS, of=events.lead_id).filter(ibis._.of.notnull())
    if stream == "account_touches":
        leads = company.table("leads").select(of_lead="lead_id", their_account="account_id")
        joined = events.left_join(leads, events.lead_id == leads.of_lead)
        of = ibis.coalesce(joined["account_id"], joined["their_account"])
        return joined.select("at", *DIMENSIONS, of=of, lead=joined["lead_id"]).filter(ibis._.of.notnull())
    theirs = events.filter(events.kind != REPLY).semi_join(marketing_owners(company), "owner_id")
    return theirs.select("at", of=theirs.lead_id).filter(ibis._.of.notnull())


def _aggregate(entered: ir.Table, stream: Stream, feature: Feature) -> ir.Value:
    """Return a feature as an aggregate over a lead's contacts."""
    what, age = feature.name.removeprefix(f"{stream}."), entered["__age"]
    window = re.fullmatch(r"in_(\d+)_days", what)
    if window:
        value = (age <= int(window[1]) * DAY).ifelse(1, 0).sum()
    elif what == "decayed":
        weight = (age.cast("float64") * (-math.log(2) / (HALF_LIFE * DAY))).exp()
        value = (weight * float(PARTS)).round().cast("int64").sum().cast("float64") / float(PARTS)
    elif what == "days_since_last":
        value = (age.min().cast("float64") / float(DAY)).floor()
    elif what in DIMENSIONS.values():
        value = entered[next(d for d, plural in DIMENSIONS.items() if plural == what)].nunique()
    else:
        dimension, _, wanted = feature.origin.removeprefix("touches.").partition(" = ")
        value = (entered[dimension] == wanted).fill_null(False).ifelse(1, 0).sum()
    return value.cast("float64")


def _by_value(company: Company, entered: ir.Table, dimension: str, word: str, taken: set[str]) -> list[Feature]:
    """Return counts of the commonest values of a channel or page, most first."""
    if not company.records("touches", dimension):
        return []
    counts = entered.filter(entered[dimension].notnull()).group_by(value=entered[dimension])
    common = counts.aggregate(n=lambda t: t.count()).order_by(ibis.desc("n"), "value").limit(MOST_VALUES)
    found = []
    for value in common.to_pyarrow()["value"].to_pylist():
        # PostgreSQL cuts names of more than 63 letters.
        base = name = f"touches.{word}.{snake(value).strip('_')[:40] or 'root'}"
        again = 2
        while name in taken:
            name, again = f"{base}_{again}", again + 1
        taken.add(name)
        label = f"contacts by {value}" if word == "channel" else f"contacts on page {value}"
        found.append(_feature(name, f"{label} in the last {LONGEST} days", f"touches.{dimension} = {value}"))
    return found


def _feature(name: str, label: str, origin: str) -> Feature:
    return Feature(name=name, label=label, kind="number", side="engagement", known="dated", origin=origin)


def _recorded(company: Company, stream: Stream) -> bool:
    """Whether the company's tables have what a stream is made from."""
    if not company.records("leads", "created_at"):
        return False
    if stream == "touches":
        return company.records("touches", "lead_id")
    if stream == "account_touches":
        of_leads = company.records("touches", "lead_id") and company.records("leads", "account_id")
        return company.has("touches") and (of_leads or company.records("touches", "account_id"))
    by_owner = company.records("activities", "lead_id") and company.records("activities", "owner_id")
    return by_owner and company.records("owners", "team")


def _check(company: Company, stream: Stream, feature: Feature) -> None:
    table = STREAMS[stream][0]
    dimension = next((d for d in DIMENSIONS if feature.name == f"{stream}.{DIMENSIONS[d]}"), None)
    if feature.origin.startswith("touches."):
        dimension = feature.origin.removeprefix("touches.").partition(" = ")[0]
    if _recorded(company, stream) and (dimension is None or company.records("touches", dimension)):
        return
    lost = f"{table}.{dimension} is" if dimension and company.has(table) else f"`{table}` of leads are"
    raise CompanyError(
        f"The score uses {feature.name!r}, and {lost} not recorded any more. Map it in the input file, or fit the "
        "score anew without it."
    )
