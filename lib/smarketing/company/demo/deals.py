"""Deals: what the handovers (and sales on its own) open, what they are worth, and how they close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from smarketing.company.demo.accounts import Accounts
from smarketing.company.demo.catalogue import PRODUCTS, Owners
from smarketing.company.demo.columns import DAY, arrow_table, blank, ids, labels, timestamps
from smarketing.company.demo.journeys import Handovers, Population, later, race
from smarketing.company.demo.leads import Leads, draw_accounts, draw_days, draw_people
from smarketing.company.demo.world import (
    COMPETITOR_SHARES,
    COMPETITORS,
    DEAL_STEP,
    NO_LEAD,
    SALES_SOURCED_PER_LEAD,
    SOURCES,
    Floats,
    Ints,
    days_until,
    rising_share,
    stream,
)

PRODUCT_SHARES = np.array([[0.52, 0.24, 0.20, 0.04], [0.30, 0.32, 0.24, 0.14], [0.10, 0.30, 0.18, 0.42]])
BAND_SEATS = np.array([0.8, 1.3, 2.6])
AMOUNT_SIGMA = 0.5
OPEN_STAGES = ("Discovery", "Proposal", "Negotiation")
STAGES = (*OPEN_STAGES, "Closed Won", "Closed Lost")
OUTCOMES = ("open", "won", "lost")
TEAMS = ("marketing", "sales", "partner")
LOSS_REASONS = ("Competitor", "Price", "No decision", "Missing feature", "Timing")
LOSS_SHARES = (0.30, 0.22, 0.24, 0.12, 0.12)
NAMED_COMPETITOR_SHARE = 0.4


@dataclass(frozen=True)
class Deals:
    """Deals of one chunk in order of creation, by position.

    ``lead`` is a position in the chunk's leads or -1; times are seconds since the world's first midnight (``closed``
    -1 while open); ``stage`` is a position in `STAGES`, ``outcome`` one in `OUTCOMES`.
    """

    first: int
    account: Ints
    lead: Ints
    owner: Ints
    spell: Ints
    created: Ints
    closed: Ints
    expected_close: Ints
    stage: Ints
    outcome: Ints
    amount: Floats
    table: pa.Table

    def __len__(self) -> int:
        return len(self.account)


def draw_competitors(rng: np.random.Generator, outcome: Ints, reason: Ints, closed: Ints, as_of: date) -> Ints:
    """Name a competitor on deals lost to one and on some of the others; only in losses does one of them rise."""
    named = (rng.random(len(outcome)) < NAMED_COMPETITOR_SHARE) & (outcome > 0) | (reason == 0)
    rising = np.where(outcome == 2, rising_share(closed // DAY, as_of), COMPETITOR_SHARES[0])
    others = COMPETITOR_SHARES[1] / (1.0 - COMPETITOR_SHARES[0])
    which = np.where(
        rng.random(len(outcome)) < rising, 0, np.where(rng.random(len(outcome)) < others, 1, 2),
    )  # fmt: skip
    return np.where(named, which, -1)


def make_deals(
    seed: int, chunk: int, first: int, handovers: Handovers, leads: Leads, accounts: Accounts, owners: Owners,
    as_of: date,
) -> Deals:  # fmt: skip
    """Make the deals of a chunk: one for every handover, and those that sales opens without a lead."""
    rng = stream(seed, "opportunities", chunk)
    own = round(SALES_SOURCED_PER_LEAD * len(leads))
    opened = draw_days(rng, own, as_of) * DAY + (rng.uniform(8.5, 18.0, own) * 3600).astype(np.int64)
    created = np.concatenate([handovers.second, opened])
    order = np.argsort(created, kind="stable")
    created = created[order]
    lead = np.concatenate([handovers.lead, np.full(own, -1)])[order]
    account = np.concatenate([leads.account[handovers.lead], draw_accounts(rng, accounts, own)])[order]
    spell = np.concatenate([handovers.spell, np.ones(own, dtype=np.int64)])[order]
    source = np.where(lead >= 0, leads.source[lead], SOURCES.index(NO_LEAD))
    region, band = accounts.region[account], accounts.band[account]
    count = len(order)

    people = Population(source, region, band, accounts.effect[account])
    exits = race(DEAL_STEP, people, created // DAY, as_of, rng)
    closed = np.full(count, -1, dtype=np.int64)
    closed[exits.subject] = later(created[exits.subject], exits.age, rng, sales=True)
    outcome = np.zeros(count, dtype=np.int64)
    outcome[exits.subject] = 1 + exits.way

    product = (rng.random(count)[:, None] > np.cumsum(PRODUCT_SHARES, axis=1)[band][:, :-1]).sum(axis=1)
    price = np.array([each[2] for each in PRODUCTS])
    amount = price[product] * BAND_SEATS[band] * np.exp(AMOUNT_SIGMA * rng.standard_normal(count))
    amount = np.maximum(np.round(amount, -1), 10.0)

    end = (days_until(as_of) + 1) * DAY
    pace = rng.uniform(8.0, 40.0, count)
    stage = np.minimum((end - created) / DAY // pace, 2).astype(np.int64)
    stage = np.where(outcome > 0, 2 + outcome, stage)
    planned = (created // DAY + rng.integers(45, 121, count)) * DAY
    moved = (planned < end) & (rng.random(count) < 0.7)
    planned = np.where(moved, end + rng.integers(5, 61, count) * DAY, planned)
    expected_close = np.where(outcome > 0, closed // DAY * DAY, planned)

    reason = np.where(outcome == 2, rng.choice(len(LOSS_REASONS), count, p=LOSS_SHARES), -1)
    competitor = draw_competitors(rng, outcome, reason, closed, as_of)
    owner = draw_people(rng, region, owners.sales)
    sales_own = np.isin(source, [SOURCES.index(NO_LEAD), SOURCES.index("Outbound")])
    team = np.where(sales_own, 1, np.where(source == SOURCES.index("Partner"), 2, 0))
    expansion = (lead < 0) & (rng.random(count) < 0.6)
    columns = {
        "opportunity_id": ids("O", np.arange(first, first + count)),
        "account_id": ids("A", accounts.first + account),
        "lead_id": ids("L", leads.first + lead, null=lead < 0),
        "product": labels([each[0] for each in PRODUCTS], product),
        "stage": labels(STAGES, stage),
        "currency": labels(("USD",), np.zeros(count, dtype=np.int64)),
        "outcome": labels(OUTCOMES, outcome),
        "loss_reason": labels(LOSS_REASONS, reason),
        "competitor": labels(COMPETITORS, competitor),
        "source_team": labels(TEAMS, team),
        "owner_id": labels(owners.owner_id, owner),
        "kind": labels(("new", "expansion"), expansion.astype(np.int64)),
        "amount": pa.array(amount),
        "created_at": timestamps(created),
        "closed_at": timestamps(closed, null=closed < 0),
        "expected_close": timestamps(expected_close),
    }
    table = arrow_table("opportunities", columns, count)
    return Deals(
        first, account, lead, owner, spell, created, closed, expected_close, stage, outcome, amount, table
    )  # fmt: skip


def make_history(seed: int, chunk: int, deals: Deals, as_of: date) -> pa.Table:
    """Make the changes of each deal, backwards from what it is on the as-of day.

    The first row is the creation, the last one equals the deal's stage, amount and expected close.
    """
    rng = stream(seed, "opportunity_history", chunk)
    count = len(deals)
    passed = np.where(deals.outcome > 0, rng.integers(0, 3, count), deals.stage)
    passed = np.where(deals.outcome == 1, 2, passed)
    closes = (deals.outcome > 0).astype(np.int64)
    rows = 1 + passed + closes
    deal = np.repeat(np.arange(count), rows)
    step = np.arange(len(deal)) - np.repeat(np.cumsum(rows) - rows, rows)
    last = step == rows[deal] - 1

    end = np.where(closes > 0, deals.closed, (days_until(as_of) + 1) * DAY - 1)
    fraction = (step + rng.random(len(deal))) / (passed[deal] + 1.0)
    fraction[step == 0] = 0.0
    at = deals.created[deal] + (fraction * (end - deals.created)[deal]).astype(np.int64)
    # In working hours, but on the days of opening and closing, where that could break the order.
    inside = (at // DAY > deals.created[deal] // DAY) & (at // DAY < end[deal] // DAY)
    at = np.where(inside, at // DAY * DAY + 30_600 + at % DAY * 34_200 // DAY, at)
    at = np.where(last & (closes[deal] > 0), deals.closed[deal], at)

    left = rows[deal] - 1 - step
    change = np.where(rng.random(len(deal)) < 0.4, 0.12 * rng.standard_normal(len(deal)), 0.0)
    slip = np.where(rng.random(len(deal)) < 0.5, rng.integers(5, 46, len(deal)), 0)
    change[last], slip[last] = 0.0, 0
    for back in range(1, int(rows.max(initial=1))):
        here = np.flatnonzero(left == back)
        change[here] += change[here + 1]
        slip[here] += slip[here + 1]
    amount = np.where(change == 0.0, deals.amount[deal], np.round(deals.amount[deal] * np.exp(change), -1))
    expected = np.maximum(deals.expected_close[deal] - slip * DAY, (deals.created[deal] // DAY) * DAY)
    columns = {
        "opportunity_id": ids("O", deals.first + deal),
        "stage": labels(STAGES, np.where(last, deals.stage[deal], step)),
        "amount": pa.array(np.maximum(amount, 10.0)),
        "at": timestamps(at),
        "expected_close": timestamps(expected),
    }
    return arrow_table("opportunity_history", columns, len(deal))


def without(table: pa.Table, column: str, rows: Ints) -> pa.Table:
    """Return the table with NULL in ``column`` at the given rows."""
    null = np.zeros(len(table), dtype=bool)
    null[rows] = True
    position = table.schema.get_field_index(column)
    whole = table.column(position).combine_chunks()
    return table.set_column(position, table.schema.field(position), blank(whole, null))
