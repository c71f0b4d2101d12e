"""Leads: which account, which day, which source, whose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from smarketing.company.demo.accounts import Accounts
from smarketing.company.demo.attributes import LEAD_ATTRIBUTES, draw_attributes
from smarketing.company.demo.catalogue import Campaigns, Owners, quarter_of
from smarketing.company.demo.columns import DAY, arrow_table, attribute_columns, ids, labels, timestamps
from smarketing.company.demo.signals import Drawn
from smarketing.company.demo.world import (
    BLANK,
    NAMED_SOURCES,
    SOURCE_SHARES,
    SOURCES,
    Ints,
    creation_shares,
    day_date,
    days_until,
    stream,
)

JOB_LEVELS = ("C-level", "VP", "Director", "Manager", "Individual contributor")
JOB_LEVEL_SHARES = (0.07, 0.10, 0.21, 0.34, 0.28)
FUNCTIONS = ("Finance", "Operations", "IT", "Marketing", "Sales", "Other")
FUNCTION_SHARES = (0.30, 0.24, 0.18, 0.08, 0.10, 0.10)
SOURCE_LABELS = tuple(None if name == BLANK else name for name in SOURCES)


@dataclass(frozen=True)
class Leads:
    """Leads of one chunk in order of creation, by position.

    ``account`` is a position in the chunk's accounts, ``source`` one in `SOURCES`, ``owner`` one in the owners;
    ``second`` is the time of creation in seconds since the world's first midnight. ``shown`` are the attributes that
    may be signs of the account's effect; ``table`` lacks what sales notes down later.
    """

    first: int
    account: Ints
    source: Ints
    owner: Ints
    second: Ints
    shown: tuple[Drawn, ...]
    table: pa.Table

    def __len__(self) -> int:
        return len(self.account)


def draw_days(rng: np.random.Generator, count: int, as_of: date) -> Ints:
    """Draw days of creation by `creation_shares`."""
    shares = creation_shares(as_of)
    return np.asarray(np.minimum(np.searchsorted(np.cumsum(shares), rng.random(count), side="right"), len(shares) - 1))


def draw_accounts(rng: np.random.Generator, accounts: Accounts, count: int) -> Ints:
    """Draw an account for each lead or deal, in proportion to the accounts' weights."""
    cumulated = np.cumsum(accounts.weight)
    drawn = np.searchsorted(cumulated, rng.random(count) * cumulated[-1], side="right")
    return np.asarray(np.minimum(drawn, len(accounts) - 1))


def draw_people(rng: np.random.Generator, region: Ints, people: tuple[Ints, ...]) -> Ints:
    """Draw one of the region's people for each row."""
    share = rng.random(len(region))
    drawn = np.empty(len(region), dtype=np.int64)
    for position, choices in enumerate(people):
        here = region == position
        drawn[here] = choices[(share[here] * len(choices)).astype(np.int64)]
    return drawn


def draw_campaigns(rng: np.random.Generator, source: Ints, day: Ints, campaigns: Campaigns, as_of: date) -> Ints:
    """Draw the campaign running for the source in the quarter of ``day``; -1 for one lead in ten, and for others."""
    quarters = np.array([quarter_of(day_date(each)) for each in range(days_until(as_of) + 1)])
    named = source < len(NAMED_SOURCES)
    running = campaigns.running[np.where(named, source, 0), quarters[day]]
    recorded = rng.random(len(source)) < 0.9
    return np.where(named & recorded, running, -1)


def make_leads(
    seed: int, chunk: int, first: int, count: int, accounts: Accounts, owners: Owners, campaigns: Campaigns, as_of: date
) -> Leads:
    """Make ``count`` leads whose numbers begin at ``first``, each of one of ``accounts``, created by ``as_of``."""
    rng = stream(seed, "leads", chunk)
    second = draw_days(rng, count, as_of) * DAY + (rng.triangular(6.0, 13.0, 21.0, count) * 3600).astype(np.int64)
    second.sort()
    account = draw_accounts(rng, accounts, count)
    source = rng.choice(len(SOURCES), count, p=SOURCE_SHARES)
    owner = draw_people(rng, accounts.region[account], owners.sdr)
    campaign = draw_campaigns(rng, source, second // DAY, campaigns, as_of)
    # No lead's attribute is empty more often in one industry than in another.
    anywhere = np.zeros(count, dtype=np.int64)
    shown = draw_attributes(seed, chunk, "leads", LEAD_ATTRIBUTES, accounts.effect[account], anywhere)
    columns = {
        "lead_id": ids("L", np.arange(first, first + count)),
        "account_id": ids("A", accounts.first + account),
        "source": labels(SOURCE_LABELS, source),
        "campaign_id": labels(campaigns.campaign_id, campaign),
        "owner_id": labels(owners.owner_id, owner),
        "created_at": timestamps(second),
        "job_level": labels(JOB_LEVELS, rng.choice(len(JOB_LEVELS), count, p=JOB_LEVEL_SHARES)),
        "title_function": labels(FUNCTIONS, rng.choice(len(FUNCTIONS), count, p=FUNCTION_SHARES)),
        **attribute_columns(shown),
    }
    return Leads(first, account, source, owner, second, shown, arrow_table("leads", columns, count))
