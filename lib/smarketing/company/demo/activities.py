"""What sales does: calls, e-mails and meetings with leads handed over and on deals; and what it notes down."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from smarketing.company.demo.accounts import Accounts
from smarketing.company.demo.catalogue import Owners
from smarketing.company.demo.columns import DAY, arrow_table, ids, labels, timestamps
from smarketing.company.demo.deals import Deals
from smarketing.company.demo.journeys import STAGES, LeadEvents
from smarketing.company.demo.leads import Leads
from smarketing.company.demo.world import REGIONS, Ints, days_until, stream

KINDS = ("call", "e-mail", "meeting")
HANDED_OVER, ACCEPTED, ON_DEALS = (0.50, 0.48, 0.02), (0.35, 0.35, 0.30), (0.30, 0.35, 0.35)
FIRST_ACTION_HOURS = {"North America": 5.0, "EMEA": 20.0, "APAC": 7.0}
"""Median hours from ``mql`` to the first action of sales (log-normal): EMEA is late."""
FIRST_ACTION_SIGMA = 1.1
MORE, WITHIN_DAYS = {"mql": 1.3, "sal": 1.2, "deal": 3.0}, {"mql": 15, "sal": 25, "deal": 120}
TOO_EARLY = 0.015

CALL_OUTCOMES = ("No answer", "Not interested", "Call back later", "Interested", "Budget confirmed")
OUTCOMES_BY_STAGE = {
    "rejected": (0.45, 0.45, 0.10, 0.0, 0.0),
    "sal": (0.05, 0.10, 0.45, 0.32, 0.08),
    "recycled": (0.10, 0.20, 0.60, 0.10, 0.0),
    "sql": (0.0, 0.02, 0.18, 0.45, 0.35),
    "opportunity": (0.0, 0.0, 0.05, 0.40, 0.55),
}
NOTED = 0.85


def _spread(rng: np.random.Generator, start: Ints, stop: Ints, more: float) -> tuple[Ints, Ints]:
    """Draw 1 + Poisson(``more``) seconds between two for each row; returns rows and seconds, in office hours.

    On the days of ``start`` and ``stop`` themselves the hour is as drawn, so that none falls outside.
    """
    rows = np.repeat(np.arange(len(start)), 1 + rng.poisson(more, len(start)))
    at = start[rows] + 1 + (rng.random(len(rows)) * np.maximum(stop - start - 2, 0)[rows]).astype(np.int64)
    between = (at // DAY > start[rows] // DAY) & (at // DAY < stop[rows] // DAY)
    return rows, np.where(between, at // DAY * DAY + 30_600 + at % DAY * 34_200 // DAY, at)


def next_events(events: LeadEvents, leads: Leads, far: int) -> Ints:
    """Return the second of each event's next one of the same lead, ``far`` where there is none."""
    order = np.lexsort((events.second, events.lead))
    following = np.full(len(order), far, dtype=np.int64)
    same = events.lead[order[1:]] == events.lead[order[:-1]]
    following[order[:-1][same]] = events.second[order[1:][same]]
    return following


def make_activities(
    seed: int, chunk: int, leads: Leads, accounts: Accounts, events: LeadEvents, deals: Deals, owners: Owners,
    as_of: date,
) -> pa.Table:  # fmt: skip
    """Make the actions of sales known on the as-of day, in order of time.

    A lead handed over (``mql``) gets its first action after hours drawn for its region, at the latest just before it
    moves on; a few leads are called before. How soon sales acts has, given the region, no effect on what follows.
    """
    rng = stream(seed, "activities", chunk)
    end = (days_until(as_of) + 1) * DAY
    following = next_events(events, leads, end)
    subject, kind, second = [], [], []

    handed = np.flatnonzero(events.stage == STAGES.index("mql"))
    start, stop = events.second[handed], following[handed]
    hours = np.array([FIRST_ACTION_HOURS[name] for name in REGIONS])[
        accounts.region[leads.account[events.lead[handed]]]
    ]
    wait = hours * np.exp(FIRST_ACTION_SIGMA * rng.standard_normal(len(handed))) * 3600
    first = start + np.minimum(wait, np.where(stop < end, 0.9 * (stop - start), np.inf)).astype(np.int64)
    rows, at = _spread(rng, first, np.minimum(stop, first + WITHIN_DAYS["mql"] * DAY), MORE["mql"])
    opening = np.diff(rows, prepend=-1) > 0
    at[opening] = first[rows[opening]]
    subject.append(events.lead[handed][rows])
    kind.append(rng.choice(len(KINDS), len(rows), p=HANDED_OVER))
    second.append(at)

    accepted = np.flatnonzero(events.stage == STAGES.index("sal"))
    start, stop = events.second[accepted], following[accepted]
    rows, at = _spread(rng, start, np.minimum(stop, start + WITHIN_DAYS["sal"] * DAY), MORE["sal"])
    subject.append(events.lead[accepted][rows])
    kind.append(rng.choice(len(KINDS), len(rows), p=ACCEPTED))
    second.append(at)

    early = np.flatnonzero(rng.random(len(leads)) < TOO_EARLY)
    subject.append(early)
    kind.append(rng.choice(2, len(early)))
    second.append(leads.second[early] + rng.integers(600, DAY, len(early)))

    closed = np.where(deals.closed < 0, end, deals.closed)
    rows, at = _spread(rng, deals.created, np.minimum(closed, deals.created + WITHIN_DAYS["deal"] * DAY), MORE["deal"])
    of_leads = sum(len(each) for each in subject)
    subject.append(rows)
    kind.append(rng.choice(len(KINDS), len(rows), p=ON_DEALS))
    second.append(at)

    who, what, when = (np.concatenate(column) for column in (subject, kind, second))
    on_deal = np.arange(len(who)) >= of_leads
    known = np.flatnonzero(when < end)
    order = known[np.argsort(when[known], kind="stable")]
    who, what, when, on_deal = who[order], what[order], when[order], on_deal[order]
    owner = np.where(on_deal, deals.owner[np.where(on_deal, who, 0)], leads.owner[np.where(on_deal, 0, who)])
    columns = {
        "lead_id": ids("L", leads.first + who, null=on_deal),
        "opportunity_id": ids("O", deals.first + who, null=~on_deal),
        "kind": labels(KINDS, what),
        "owner_id": labels(owners.owner_id, owner),
        "at": timestamps(when),
    }
    return arrow_table("activities", columns, len(order))


def call_outcomes(seed: int, chunk: int, leads: Leads, events: LeadEvents, deals: Deals) -> pa.Array:
    """Return what sales noted after speaking to a lead, NULL for most of those it never spoke to.

    It follows how far the lead has come by the as-of day: a trap, for it was empty when the lead was created.
    """
    rng = stream(seed, "leads.call_outcome", chunk)
    furthest = np.full(len(leads), -1)
    for place, name in enumerate(OUTCOMES_BY_STAGE):
        reached = deals.lead[deals.lead >= 0] if name == "opportunity" else events.lead[events.stage == _stage(name)]
        furthest[reached] = np.maximum(furthest[reached], place)
    shares = np.cumsum(np.array(list(OUTCOMES_BY_STAGE.values())), axis=1)
    drawn = (rng.random(len(leads))[:, None] >= shares[np.maximum(furthest, 0)][:, :-1]).sum(axis=1)
    noted = (furthest >= 0) & (rng.random(len(leads)) < NOTED)
    return labels(CALL_OUTCOMES, np.where(noted, drawn, -1))


def _stage(name: str) -> int:
    return STAGES.index(name)
