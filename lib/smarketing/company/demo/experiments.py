"""Two experiments whose truth is known: a mail dealt to leads, and a dinner dealt to accounts. Both bring replies only.

Nobody replies but in them, and nobody is in both: the accounts of the dinner are listed before the mail begins, and
their leads are spared it. What stages a lead reaches does not depend on its arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
import pyarrow as pa
from scipy.optimize import brentq
from scipy.special import expit

from smarketing.company.demo.accounts import Accounts
from smarketing.company.demo.columns import DAY, arrow_table, ids, labels, seconds_of, timestamps
from smarketing.company.demo.deals import Deals
from smarketing.company.demo.journeys import STAGES, LeadEvents
from smarketing.company.demo.leads import Leads
from smarketing.company.demo.world import BANDS, Bools, Floats, Ints, days_until, stream
from smarketing.company.tables import REPLY

HOUR = 3_600


@dataclass(frozen=True, kw_only=True)
class TrueExperiment:
    """What is true of an experiment.

    ``rates``: by arm, the chance that a lead replies within ``horizon_days`` after its unit was dealt, the control's
    first; of accounts it is that of the average lead and of the average account alike. ``account_sd``: the standard
    deviation of the normal log-odds effect that leads of one account share, 0 where leads reply independently.
    ``moves_stages``: whether an arm changes what stages are reached.
    """

    name: str
    unit: str
    rates: Mapping[str, float]
    horizon_days: int
    starts_on: str
    ends_on: str
    account_sd: float = 0.0
    moves_stages: bool = False

    @property
    def control(self) -> str:
        """The arm that the others are compared with."""
        return next(iter(self.rates))

    def effect(self, arm: str) -> float:
        """Return by how much an arm's rate is above the control's."""
        return self.rates[arm] - self.rates[self.control]


MAIL = TrueExperiment(
    name="nurture_mail", unit="lead", rates={"control": 0.04, "mail": 0.09}, horizon_days=30,
    starts_on="2026-03-01", ends_on="2026-06-30",
)  # fmt: skip
DINNER = TrueExperiment(
    name="exec_dinner", unit="account", rates={"control": 0.05, "dinner": 0.12}, horizon_days=60,
    starts_on="2026-04-01", ends_on="2026-04-01", account_sd=0.7,
)  # fmt: skip
EXPERIMENTS = (MAIL, DINNER)
MAIL_HOURS = (1.0, 6.0)
"""A lead is dealt so many hours after it was created, and only if it is still open then."""
DINNER_LISTED = "2026-03-01"
DINNER_ACCOUNTS_PER_LEAD, DINNER_ACCOUNTS, DINNER_LEADS = 0.003, (8, 60), 2
"""How many accounts are listed for each lead of the chunk, within limits; the leads that one then has at least."""
NODES = 60


@dataclass(frozen=True)
class Dealt:
    """Units of one experiment: positions of leads or accounts, arm (0 is the control), second, stratum or -1."""

    unit: Ints
    arm: Ints
    second: Ints
    stratum: Ints


@dataclass(frozen=True)
class Experiments:
    """The rows of `assignments` and the replies among `activities` of one chunk, each in order of time."""

    assignments: pa.Table
    replies: pa.Table


@cache
def intercept(rate: float, sd: float) -> float:
    """Return the log-odds at an effect of 0 that make ``rate`` the mean over a normal effect with this deviation."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    return float(brentq(lambda a: float(weights @ expit(a + sd * nodes)) - rate, -20.0, 20.0, xtol=1e-12))


def make_experiments(
    seed: int, chunk: int, leads: Leads, accounts: Accounts, events: LeadEvents, deals: Deals, linked: Bools,
    as_of: date,
) -> Experiments:  # fmt: skip
    """Deal the units known on the as-of day, and let leads reply.

    ``linked`` says which leads still name their account in the table: only those count as an account's.
    """
    end = (days_until(as_of) + 1) * DAY
    dinner, dined, dined_at = _dinner(seed, chunk, leads, accounts, linked)
    spared = np.isin(leads.account, dinner.unit)
    mail, mailed, mailed_at = _mail(seed, chunk, leads, events, deals, spared)
    return Experiments(
        _assignments(leads, accounts, mail, dinner, end),
        _replies(leads, np.concatenate([mailed, dined]), np.concatenate([mailed_at, dined_at]), end),
    )


def _mail(
    seed: int, chunk: int, leads: Leads, events: LeadEvents, deals: Deals, spared: Bools
) -> tuple[Dealt, Ints, Ints]:
    """Toss a coin for each lead of the months that is still open; returns also who replies, and when."""
    rng = stream(seed, f"assignments.{MAIL.name}", chunk)
    count = len(leads)
    low, high = MAIL_HOURS
    second = leads.second + ((low + rng.random(count) * (high - low)) * HOUR).astype(np.int64)
    arm = rng.integers(0, 2, count)
    replies = rng.random(count) < _rates(MAIL)[arm]
    replied = _reply_seconds(rng, second, MAIL.horizon_days * DAY)
    left = np.full(count, np.iinfo(np.int64).max)
    gone = np.isin(events.stage, [STAGES.index(name) for name in ("rejected", "recycled")])
    np.minimum.at(left, events.lead[gone], events.second[gone])
    of_lead = deals.lead >= 0
    np.minimum.at(left, deals.lead[of_lead], deals.created[of_lead])
    chosen = np.flatnonzero(_created(leads, MAIL.starts_on, MAIL.ends_on) & (second < left) & ~spared)
    who = chosen[replies[chosen]]
    return Dealt(chosen, arm[chosen], second[chosen], np.full(len(chosen), -1)), who, replied[who]


def _dinner(seed: int, chunk: int, leads: Leads, accounts: Accounts, linked: Bools) -> tuple[Dealt, Ints, Ints]:
    """Deal half of each size class of the accounts last heard from; returns also which of their leads reply, and when.

    The day of the assignment is known and not its hour, so all leads of that day are there already, and replies begin
    on the next.
    """
    rng = stream(seed, f"assignments.{DINNER.name}", chunk)
    listed = np.flatnonzero((leads.second < _midnight(DINNER_LISTED)) & linked)
    have = np.bincount(leads.account[listed], minlength=len(accounts))
    latest = np.full(len(accounts), -1)
    np.maximum.at(latest, leads.account[listed], listed)
    able = np.flatnonzero(have >= DINNER_LEADS)
    wanted = int(np.clip(round(DINNER_ACCOUNTS_PER_LEAD * len(leads)), *DINNER_ACCOUNTS))
    # Leads are in order of creation, so that the latest position is the account last heard from.
    drawn = rng.permutation(able[np.argsort(-latest[able], kind="stable")][:wanted])
    chosen, arm = _halves(drawn, accounts.band)
    second = np.full(len(chosen), _midnight(DINNER.starts_on))

    effect = DINNER.account_sd * rng.standard_normal(len(chosen))
    base = np.array([intercept(rate, DINNER.account_sd) for rate in DINNER.rates.values()])
    place = np.full(len(accounts), -1)
    place[chosen] = np.arange(len(chosen))
    there = linked & (leads.second < _midnight(DINNER.starts_on) + DAY)
    members = np.flatnonzero(there & (place[leads.account] >= 0))
    of = place[leads.account[members]]
    replies = rng.random(len(members)) < expit(base[arm[of]] + effect[of])
    replied = _reply_seconds(rng, second[of] + DAY, (DINNER.horizon_days - 1) * DAY)
    return Dealt(chosen, arm, second, accounts.band[chosen]), members[replies], replied[replies]


def _halves(drawn: Ints, band: Ints) -> tuple[Ints, Ints]:
    """Deal every second account of a size class to the dinner; an odd one out is left out. Sorted by account."""
    chosen, arms = [], []
    for position in range(len(BANDS)):
        here = drawn[band[drawn] == position]
        here = here[: len(here) // 2 * 2]
        chosen.append(here)
        arms.append(np.arange(len(here)) % 2)
    units, arm = np.concatenate(chosen), np.concatenate(arms)
    order = np.argsort(units, kind="stable")
    return units[order], arm[order]


def _rates(experiment: TrueExperiment) -> Floats:
    return np.array(list(experiment.rates.values()))


def _midnight(day: str) -> int:
    return seconds_of(date.fromisoformat(day))


def _created(leads: Leads, first: str, last: str) -> Bools:
    """Whether each lead was created on the days from ``first`` to ``last``."""
    until = seconds_of(date.fromisoformat(last) + timedelta(days=1))
    return np.asarray((leads.second >= _midnight(first)) & (leads.second < until))


def _reply_seconds(rng: np.random.Generator, start: Ints, within: int) -> Ints:
    """Draw when leads would reply: in the seconds ``within`` which they do after ``start``, most of them early."""
    return start + 600 + (rng.random(len(start)) ** 2 * (within - HOUR)).astype(np.int64)


def _assignments(leads: Leads, accounts: Accounts, mail: Dealt, dinner: Dealt, end: int) -> pa.Table:
    parts = []
    for experiment, dealt, unit_ids in (
        (MAIL, mail, ids("L", leads.first + mail.unit)),
        (DINNER, dinner, ids("A", accounts.first + dinner.unit)),
    ):
        same = np.zeros(len(dealt.unit), dtype=np.int64)
        columns = {
            "experiment": labels((experiment.name,), same),
            "unit_kind": labels((experiment.unit,), same),
            "unit_id": unit_ids,
            "arm": labels(tuple(experiment.rates), dealt.arm),
            "stratum": labels(BANDS, dealt.stratum),
            "assigned_at": timestamps(dealt.second),
        }
        parts.append(arrow_table("assignments", columns, len(same)))
    second = np.concatenate([mail.second, dinner.second])
    known = np.flatnonzero(second < end)
    return pa.concat_tables(parts).take(pa.array(known[np.argsort(second[known], kind="stable")]))


def _replies(leads: Leads, who: Ints, second: Ints, end: int) -> pa.Table:
    """Return replies as activities of the lead and of nobody in sales."""
    known = np.flatnonzero(second < end)
    order = known[np.argsort(second[known], kind="stable")]
    columns = {
        "lead_id": ids("L", leads.first + who[order]),
        "kind": labels((REPLY,), np.zeros(len(order), dtype=np.int64)),
        "at": timestamps(second[order]),
    }
    return arrow_table("activities", columns, len(order))
