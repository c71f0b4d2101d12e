"""Journeys: every lead walks through the stages, and its exits race each other.

A stage's exits are drawn as latent times: exit ``k`` happens when its cumulative intensity reaches an exponential
draw, and the earliest wins. Nothing after the as-of day is simulated: who is still there then is still there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from smarketing.company.demo.accounts import Accounts
from smarketing.company.demo.columns import DAY
from smarketing.company.demo.leads import Leads
from smarketing.company.demo.world import (
    LEAD_STEPS,
    RETURN_EARLIEST,
    RETURN_LATEST,
    RETURN_SHARE,
    Floats,
    Ints,
    Step,
    daily_intensity,
    days_until,
    drift_level,
    entry_row,
    log_effect,
    stream,
)

REJECTED = ("Not reachable", "No budget", "Wrong contact", "Student or job seeker", "Company too small")
RECYCLED = ("No reply", "Not now", "No budget this year", "Project on hold")


@dataclass(frozen=True)
class Population:
    """What the hazards need to know of subjects, by position (see `world.log_effect`)."""

    source: Ints
    region: Ints
    band: Ints
    effect: Floats

    def take(self, at: Ints) -> Population:
        """Return the subjects at the given positions."""
        return Population(self.source[at], self.region[at], self.band[at], self.effect[at])


@dataclass(frozen=True)
class Exits:
    """Who left, how and when, as known on the as-of day: position of the subject, of the exit, age in days."""

    subject: Ints
    way: Ints
    age: Ints


@dataclass(frozen=True)
class LeadEvents:
    """Leads entering stages: ``lead`` is the position of the lead, ``reason`` one in ``reasons`` or -1."""

    lead: Ints
    stage: Ints
    second: Ints
    spell: Ints
    reason: Ints


@dataclass(frozen=True)
class Handovers:
    """Leads that became a deal: position of the lead, second, spell."""

    lead: Ints
    second: Ints
    spell: Ints


STAGES = ("lead", "mql", "sal", "sql", "rejected", "recycled")
REASONS = (*REJECTED, *RECYCLED)


@lru_cache(maxsize=16)
def _cumulated(step: Step, days: int) -> tuple[Floats, Floats]:
    """Return each exit's cumulative intensities, rows laid end to end, and what to add to a row to stay ascending."""
    cumulated = np.cumsum(daily_intensity(step, days, step.max_age), axis=2)
    span = float(cumulated.max()) + 1.0
    shift = np.asarray(np.arange(cumulated.shape[1]) * span, dtype=np.float64)
    return (cumulated + shift[:, None]).reshape(len(step.exits), -1), shift


def race(step: Step, people: Population, entry_day: Ints, as_of: date, rng: np.random.Generator) -> Exits:
    """Draw each subject's first exit from a stage entered on ``entry_day``, if it happens by ``as_of``."""
    days = days_until(as_of) + 1
    flat, shift = _cumulated(step, days)
    row = entry_row(step, entry_day)
    level = drift_level(entry_day, as_of)
    ages = step.max_age + 1
    best = np.full(len(entry_day), np.inf)
    way = np.zeros(len(entry_day), dtype=np.int64)
    for k, leaving in enumerate(step.exits):
        effect = log_effect(leaving, people.source, people.region, people.band, people.effect, level)
        needed = rng.standard_exponential(len(entry_day)) * np.exp(-effect)
        last = flat[k, row * ages + ages - 1] - shift[row]
        found = np.flatnonzero(needed < last)
        goal = needed[found] + shift[row[found]]
        at = np.searchsorted(flat[k], goal, side="right")
        age = at - row[found] * ages
        before = np.where(age > 0, flat[k, at - 1], shift[row[found]])
        time = age + (goal - before) / (flat[k, at] - before)
        sooner = time < best[found]
        best[found[sooner]] = time[sooner]
        way[found[sooner]] = k
    subject = np.flatnonzero(np.isfinite(best))
    age = np.floor(best[subject]).astype(np.int64)
    known = entry_day[subject] + age < days
    return Exits(subject[known], way[subject[known]], age[known])


def later(second: Ints, age: Ints, rng: np.random.Generator, *, sales: bool) -> Ints:
    """Return a time ``age`` days after ``second``: in working hours, and after ``second`` on the same day.

    A same-day exit takes at most half of what is left of the day, so that a chain of them never passes midnight.
    """
    share = rng.random(len(second))
    opening, closing = (8.5, 18.0) if sales else (6.0, 22.0)
    other_day = (second // DAY + age) * DAY + ((opening + share * (closing - opening)) * 3600).astype(np.int64)
    left = DAY - second % DAY
    same_day = second + 1 + (share * np.minimum(left / 2, 3 * 3600)).astype(np.int64)
    return np.where(age == 0, same_day, other_day)


def walk(seed: int, chunk: int, leads: Leads, accounts: Accounts, as_of: date) -> tuple[LeadEvents, Handovers]:
    """Let every lead walk from creation to a deal, through at most two spells."""
    rng = stream(seed, "stage_events", chunk)
    everyone = Population(
        leads.source, accounts.region[leads.account], accounts.band[leads.account], accounts.effect[leads.account]
    )
    nobody = np.full(len(leads), -1, dtype=np.int64)
    events = [(np.arange(len(leads)), nobody * 0, leads.second, nobody * 0 + 1, nobody)]
    deals: list[tuple[Ints, Ints, Ints]] = []

    def leave(step: Step, lead: Ints, second: Ints, spell: int) -> dict[str, tuple[Ints, Ints]]:
        exits = race(step, everyone.take(lead), second // DAY, as_of, rng)
        moment = later(second[exits.subject], exits.age, rng, sales=step.stage != "lead")
        left: dict[str, tuple[Ints, Ints]] = {}
        for k, way in enumerate(step.exits):
            here = exits.way == k
            who, when = lead[exits.subject[here]], moment[here]
            left[way.stage] = who, when
            if way.stage != "opportunity":
                reason = np.full(len(who), -1, dtype=np.int64)
                if way.stage == "rejected":
                    reason = rng.choice(len(REJECTED), len(who), p=(0.34, 0.22, 0.20, 0.10, 0.14))
                elif way.stage == "recycled":
                    reason = len(REJECTED) + rng.choice(len(RECYCLED), len(who), p=(0.38, 0.30, 0.18, 0.14))
                events.append((who, np.full(len(who), STAGES.index(way.stage)), when, np.full(len(who), spell), reason))
        return left

    first, mql, sal, sql = LEAD_STEPS
    lead, second = leave(first, np.arange(len(leads)), leads.second, 1)["mql"]
    for spell in (1, 2):
        accepted = leave(mql, lead, second, spell)["sal"]
        qualified = leave(sal, *accepted, spell)
        closing = leave(sql, *qualified["sql"], spell)
        deals.append((*closing["opportunity"], np.full(len(closing["opportunity"][0]), spell)))
        if spell == 1:
            sent_back = [np.concatenate(pair) for pair in zip(qualified["recycled"], closing["recycled"], strict=True)]
            returning = rng.random(len(sent_back[0])) < RETURN_SHARE
            pause = rng.integers(RETURN_EARLIEST, RETURN_LATEST + 1, len(returning))
            moment = later(sent_back[1], pause, rng, sales=False)
            returning &= moment // DAY <= days_until(as_of)
            lead, second = sent_back[0][returning], moment[returning]
            again = np.full(len(lead), 2)
            events.append((lead, again * 0 + STAGES.index("mql"), second, again, again * 0 - 1))
    return (
        LeadEvents(*(np.concatenate(column) for column in zip(*events, strict=True))),
        Handovers(*(np.concatenate(column) for column in zip(*deals, strict=True))),
    )
