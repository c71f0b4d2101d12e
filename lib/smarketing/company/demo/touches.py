"""Touches: visits before and after a lead is created. Who will buy comes more often, and to other pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from smarketing.company.demo.accounts import Accounts
from smarketing.company.demo.catalogue import Campaigns, quarter_of
from smarketing.company.demo.columns import DAY, arrow_table, ids, labels, timestamps
from smarketing.company.demo.leads import Leads
from smarketing.company.demo.signals import Count
from smarketing.company.demo.world import (
    ACCOUNT_SIGMA,
    NAMED_SOURCES,
    Floats,
    Ints,
    day_date,
    days_until,
    stream,
)

BEFORE_DAYS, AFTER_DAYS, AFTER_RATE = 90, 45, 0.45
APART = 60
PAGES = (
    Count(name="/", rate=0.90),
    Count(name="/pricing", rate=0.35, slope=0.38),
    Count(name="/product", rate=0.55, slope=0.22),
    Count(name="/case-studies", rate=0.25),
    Count(name="/webinars", rate=0.30),
    Count(name="/blog", rate=0.85),
    Count(name="/docs", rate=0.30),
    Count(name="/careers", rate=0.10),
)
"""Pages and their visits in the 90 days before creation; after it come `AFTER_RATE` times as many, in 45 days."""
WITH_CONTENT = tuple(page.name for page in PAGES[3:7])
CONTENTS = 40
CHANNELS = (*NAMED_SOURCES, "Organic search", "Direct", "E-mail", "Social", "Referral")
CHANNEL_SHARES = np.array([0.0, 0.06, 0.05, 0.03, 0.03, 0.10, 0.02, 0.28, 0.17, 0.13, 0.08, 0.05])
OWN_SOURCE = 0.3
WITH_CAMPAIGN = 0.8


@dataclass(frozen=True)
class Touches:
    """Touches of a chunk's leads: position of the lead, position in `PAGES`, second; in no particular order."""

    lead: Ints
    page: Ints
    second: Ints


def draw_touches(seed: int, chunk: int, leads: Leads, account_effect: Floats) -> Touches:
    """Draw the touches of all leads, those after the as-of day included; ``account_effect`` is by lead.

    Both before and after creation they come the more often the nearer it is: ``days = longest * share ** 2``. None is
    within a minute of it.
    """
    rng = stream(seed, "touches", chunk)
    effect = np.asarray(account_effect / ACCOUNT_SIGMA)
    lead, page, second = [], [], []
    for position, each in enumerate(PAGES):
        means = each.means(effect)
        for rate, longest, sign in ((1.0, BEFORE_DAYS, -1), (AFTER_RATE, AFTER_DAYS, 1)):
            who = np.repeat(np.arange(len(leads)), rng.poisson(rate * means))
            away = APART + (rng.random(len(who)) ** 2 * (longest * DAY - APART)).astype(np.int64)
            lead.append(who)
            page.append(np.full(len(who), position))
            second.append(leads.second[who] + sign * away)
    return Touches(*(np.concatenate(column) for column in (lead, page, second)))


def expected_until(leads: Leads, moment: Ints) -> Floats:
    """Return, of `PAGES`' rates, how many times each lead's touches are expected before ``moment`` (in seconds)."""
    away = (moment - leads.second - APART) / (AFTER_DAYS * DAY - APART)
    return np.asarray(1.0 + AFTER_RATE * np.sqrt(np.clip(away, 0.0, 1.0)))


def counts_until(touches: Touches, leads: Leads, moment: Ints) -> Ints:
    """Return the touches of each lead (rows) on each page (columns) before ``moment`` (in seconds)."""
    early = touches.second < moment[touches.lead]
    cell = touches.lead[early] * len(PAGES) + touches.page[early]
    return np.bincount(cell, minlength=len(leads) * len(PAGES)).reshape(len(leads), len(PAGES))


def make_touches(
    seed: int, chunk: int, first: int, leads: Leads, accounts: Accounts, campaigns: Campaigns, as_of: date
) -> pa.Table:
    """Make the touches known on the as-of day in order of time; their numbers begin at ``first``.

    Three in ten come by the lead's own source. Channel, content and campaign have no effect of their own.
    """
    drawn = draw_touches(seed, chunk, leads, accounts.effect[leads.account])
    known = np.flatnonzero(drawn.second < (days_until(as_of) + 1) * DAY)
    order = known[np.argsort(drawn.second[known], kind="stable")]
    lead, page, second = drawn.lead[order], drawn.page[order], drawn.second[order]
    count = len(order)

    rng = stream(seed, "touches.channel", chunk)
    channel = np.searchsorted(np.cumsum(CHANNEL_SHARES)[:-1], rng.random(count), side="right")
    source = leads.source[lead]
    own = (rng.random(count) < OWN_SOURCE) & (source < len(NAMED_SOURCES))
    channel = np.where(own, source, channel)
    quarters = np.array([quarter_of(day_date(each)) for each in range(days_until(as_of) + 1)])
    day = np.maximum(second // DAY, 0)
    named = (channel < len(NAMED_SOURCES)) & (second >= 0) & (rng.random(count) < WITH_CAMPAIGN)
    running = campaigns.running[np.where(named, channel, 0), quarters[day]]
    content = rng.integers(1, CONTENTS + 1, count)
    without = ~np.isin(page, [position for position, each in enumerate(PAGES) if each.name in WITH_CONTENT])
    columns = {
        "touch_id": ids("T", np.arange(first, first + count)),
        "lead_id": ids("L", leads.first + lead),
        "account_id": ids("A", accounts.first + leads.account[lead]),
        "campaign_id": labels(campaigns.campaign_id, np.where(named, running, -1)),
        "channel": labels(CHANNELS, channel),
        "landing_page": labels([each.name for each in PAGES], page),
        "content_id": ids("K", content, width=3, null=without),
        "at": timestamps(second),
    }
    return arrow_table("touches", columns, count)
