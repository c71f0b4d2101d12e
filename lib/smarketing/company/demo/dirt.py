"""Dirty rows: a few of each kind, so that checks have something to find. Journeys stay as they were."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from smarketing.company.demo.accounts import Accounts
from smarketing.company.demo.columns import arrow_table, ids, timestamps
from smarketing.company.demo.deals import Deals, without
from smarketing.company.demo.journeys import LeadEvents
from smarketing.company.demo.leads import Leads
from smarketing.company.demo.world import Ints, stream

DUPLICATE_ACCOUNTS = "duplicate accounts"
LEADS_OF_UNKNOWN_ACCOUNTS = "leads of unknown accounts"
DEALS_WITHOUT_ACCOUNT = "deals without account"
EVENTS_OF_UNKNOWN_LEADS = "events of unknown leads"
EVENTS_BEFORE_CREATION = "events before creation"
LOSSES_WITHOUT_REASON = "losses without reason"
BLANK_SOURCES = "blank sources"
UNKNOWN_SOURCES = "unknown sources"

PER_LEAD = {
    DUPLICATE_ACCOUNTS: 0.0010,
    LEADS_OF_UNKNOWN_ACCOUNTS: 0.0012,
    DEALS_WITHOUT_ACCOUNT: 0.0006,
    EVENTS_OF_UNKNOWN_LEADS: 0.0005,
    EVENTS_BEFORE_CREATION: 0.0003,
    LOSSES_WITHOUT_REASON: 0.0010,
}
NOWHERE = 900_000_000


def _choose(rng: np.random.Generator, candidates: Ints, kind: str, leads: int) -> Ints:
    """Choose the rows of a kind: its rate, at least one, at most all candidates; sorted."""
    wanted = min(max(1, round(PER_LEAD[kind] * leads)), len(candidates))
    return np.sort(rng.choice(candidates, wanted, replace=False))


def _replace(table: pa.Table, column: str, rows: Ints, values: pa.Array) -> pa.Table:
    """Put ``values`` into ``column`` at the given rows."""
    position = table.schema.get_field_index(column)
    source = np.arange(len(table))
    source[rows] = len(table) + np.arange(len(rows))
    whole = pa.concat_arrays([table.column(position).combine_chunks(), values]).take(pa.array(source))
    return table.set_column(position, table.schema.field(position), whole)


def dirty_accounts(
    seed: int, chunk: int, table: pa.Table, accounts: Accounts, leads: Leads, first: int
) -> tuple[pa.Table, pa.Table, Ints]:
    """Repeat some accounts under a second id; returns the accounts, the leads, and which leads moved to a second id.

    ``first`` is the number of the first second id. The names differ, the domains do not.
    """
    rng = stream(seed, "dirt.accounts", chunk)
    several = np.flatnonzero(np.bincount(leads.account, minlength=len(accounts)) >= 2)
    chosen = _choose(rng, several, DUPLICATE_ACCOUNTS, len(leads))
    copies = table.take(pa.array(chosen))
    second_ids = ids("A", first + np.arange(len(chosen)))
    copies = copies.set_column(
        copies.schema.get_field_index("account_id"), copies.schema.field("account_id"), second_ids
    )
    longer = pa.array([f"{name} Inc" for name in copies.column("name").to_pylist()])
    copies = copies.set_column(copies.schema.get_field_index("name"), copies.schema.field("name"), longer)
    _, moved = np.unique(leads.account[::-1], return_index=True)
    last_lead = np.full(len(accounts), -1)
    last_lead[np.unique(leads.account)] = len(leads) - 1 - moved
    rows = last_lead[chosen]
    order = np.argsort(rows)
    lead_table = _replace(leads.table, "account_id", rows[order], second_ids.take(pa.array(order)))
    return pa.concat_tables([table, copies]).combine_chunks(), lead_table, rows


def dirty_leads(seed: int, chunk: int, table: pa.Table, first: int, spared: Ints) -> tuple[pa.Table, int]:
    """Let some leads, but none of those ``spared``, name an account that does not exist."""
    rng = stream(seed, "dirt.leads", chunk)
    chosen = _choose(rng, np.setdiff1d(np.arange(len(table)), spared), LEADS_OF_UNKNOWN_ACCOUNTS, len(table))
    return _replace(table, "account_id", chosen, ids("A", NOWHERE + first + chosen)), len(chosen)


def dirty_deals(seed: int, chunk: int, deals: Deals, leads: int) -> tuple[pa.Table, int, int]:
    """Take the account off some deals and the reason off some losses; returns the table and both counts."""
    rng = stream(seed, "dirt.opportunities", chunk)
    homeless = _choose(rng, np.arange(len(deals)), DEALS_WITHOUT_ACCOUNT, leads)
    silent = _choose(rng, np.flatnonzero(deals.outcome == 2), LOSSES_WITHOUT_REASON, leads)
    table = without(without(deals.table, "account_id", homeless), "loss_reason", silent)
    return table, len(homeless), len(silent)


def backdate(seed: int, chunk: int, events: LeadEvents, leads: Leads) -> tuple[Ints, int]:
    """Return the events' seconds with some put before the creation of their lead.

    Taken from leads whose only stage after creation is ``mql``, so that no other order breaks.
    """
    rng = stream(seed, "dirt.stage_events", chunk)
    reached = np.bincount(events.lead, minlength=len(leads))
    candidates = np.flatnonzero((events.stage == 1) & (events.spell == 1) & (reached[events.lead] == 2))
    chosen = _choose(rng, candidates, EVENTS_BEFORE_CREATION, len(leads))
    second = events.second.copy()
    second[chosen] = leads.second[events.lead[chosen]] - rng.integers(3_600, 5 * 86_400, len(chosen))
    return second, len(chosen)


def stray_events(seed: int, chunk: int, leads: Leads) -> tuple[pa.Table, int]:
    """Return ``mql`` events of leads that do not exist."""
    rng = stream(seed, "dirt.stray_events", chunk)
    chosen = _choose(rng, np.arange(len(leads)), EVENTS_OF_UNKNOWN_LEADS, len(leads))
    columns = {
        "subject_id": ids("L", NOWHERE + leads.first + chosen),
        "subject_kind": pa.array(["lead"] * len(chosen)),
        "stage": pa.array(["mql"] * len(chosen)),
        "spell": pa.array(np.ones(len(chosen), dtype=np.int64)),
        "at": timestamps(leads.second[chosen]),
    }
    return arrow_table("stage_events", columns, len(chosen)), len(chosen)
