"""The best that a lead score could do: the true probability of reaching a stage, given what a lead shows.

An account's effect drives all exits and is not in any table. What is there are its signs: attributes of the account
and of the lead, and the lead's touches. By Bayes' rule they give the effect's posterior, and

    p = sum over effects of posterior(effect | signs) * P(stage within the horizon | source, region, band, effect, day)

with P from the hazards (`chances`). The world is drawn again from its seed for this: nothing that a report reads is
needed, and nothing of the journeys is looked at.

What is conditioned on: the lead's source, the day it was created, the region and the size band of its account; the
account's attributes; the lead's own attributes; how often the lead touched each page before the moment. All else in the
tables tells nothing more, except three things that are left out on purpose: what sales notes down afterwards (the
trap), the lead's own journey so far (but that it has not reached the stage yet), and other leads of the same account
(their attributes, touches and journeys are signs of the same effect). A score that uses those, as one built from all
touches of an account does, can be better than this oracle; any other can not.

The clock is calendar days and the first pass (spell 1), as in `incidence`. Dirty rows (`dirt`) are taken as what they
were before they became dirty.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smarketing.company.demo.accounts import Accounts
from smarketing.company.demo.catalogue import make_campaigns, make_owners
from smarketing.company.demo.chances import NODES, reach_chances
from smarketing.company.demo.columns import DAY
from smarketing.company.demo.leads import Leads
from smarketing.company.demo.signals import Drawn, informs
from smarketing.company.demo.touches import PAGES, counts_until, draw_touches, expected_until
from smarketing.company.demo.world import ACCOUNT_SIGMA, START, Floats, Ints, days_until
from smarketing.company.demo.write import MANIFEST, chunk_sizes, make_people, world_version


@dataclass(frozen=True, kw_only=True, eq=False)
class TrueProbabilities:
    """What is true of each lead at its scoring moment, in the order of the table ``leads`` (and of ``lead_id``).

    Parameters
    ----------
    to_stage, within_days, moment_days
        What was asked: reaching the stage within the days after the moment.
    lead_id
        Ids as in the table.
    moment
        The scoring moment: creation, or the end of the day ``moment_days`` later.
    probability
        The true probability given what the lead shows, 0 to 1; NaN where the moment is after the as-of day.
    effect
        The true effect of the lead's account as a standard score: what no score can see.
    expected_effect
        Its posterior mean given what the lead shows.
    account
        A number for the account to which the lead truly belongs.
    """

    to_stage: str
    within_days: int
    moment_days: int
    lead_id: NDArray[np.object_]
    moment: NDArray[np.datetime64]
    probability: Floats
    effect: Floats
    expected_effect: Floats
    account: Ints

    def __len__(self) -> int:
        return len(self.probability)


def true_probabilities(
    *,
    to_stage: str,
    within_days: int,
    moment_days: int = 0,
    leads: int = 20_000,
    seed: int = 7,
    as_of: date = date(2026, 11, 15),
) -> TrueProbabilities:
    """Return the oracle's probabilities for the demo company that these ``leads``, ``seed`` and ``as_of`` build.

    Parameters
    ----------
    to_stage
        ``mql``, ``sal``, ``sql``, ``opportunity`` or ``won``.
    within_days
        Calendar days after the day of the moment, both that day (for ``moment_days`` 0) and the last one included.
    moment_days
        0: what is known to the second of creation. n: what is known at the end of the n-th day after it, given that
        the stage is not reached by then; the days of the horizon begin the day after.

    Raises
    ------
    ValueError
        Where the stage does not exist, or the days are negative (``within_days`` or ``moment_days``).
    """
    if moment_days < 0:
        raise ValueError(f"moment_days is {moment_days}; it must be 0 or more.")
    by_end = reach_chances(to_stage, moment_days + within_days, as_of)
    by_moment = reach_chances(to_stage, moment_days, as_of) if moment_days else np.zeros_like(by_end)
    owners, campaigns = make_owners(seed), make_campaigns(as_of)
    before = {"accounts": 0, "leads": 0}
    parts: list[tuple[Ints, Floats, Floats, Floats, Ints]] = []
    for chunk, count in enumerate(chunk_sizes(leads)):
        accounts, people = make_people(seed, chunk, count, before, owners, campaigns, as_of)
        moment = people.second if moment_days == 0 else (people.second // DAY + moment_days + 1) * DAY
        log_weight = log_posterior(seed, chunk, accounts, people, moment)
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        cell = people.source, accounts.region[people.account], accounts.band[people.account]
        at = (*(each[:, None] for each in cell), np.arange(len(NODES)), (people.second // DAY)[:, None])
        waiting = weight * (1.0 - by_moment[at])
        probability = (weight * (by_end[at] - by_moment[at])).sum(axis=1) / waiting.sum(axis=1)
        probability[moment > (days_until(as_of) + 1) * DAY] = np.nan
        expected = weight @ NODES / weight.sum(axis=1)
        effect = accounts.effect[people.account] / ACCOUNT_SIGMA
        parts.append((moment, probability, effect, expected, before["accounts"] + people.account))
        before = {"accounts": before["accounts"] + len(accounts), "leads": before["leads"] + count}
    moment, probability, effect, expected, account = (np.concatenate(each) for each in zip(*parts, strict=True))
    return TrueProbabilities(
        to_stage=to_stage,
        within_days=within_days,
        moment_days=moment_days,
        lead_id=np.array([f"L{number:09d}" for number in range(1, leads + 1)], dtype=object),
        moment=np.datetime64(START, "s") + moment.astype("timedelta64[s]"),
        probability=probability,
        effect=effect,
        expected_effect=expected,
        account=account,
    )


def true_probabilities_of(
    folder: Path, *, to_stage: str, within_days: int, moment_days: int = 0
) -> TrueProbabilities:  # fmt: skip
    """Return the oracle's probabilities for the demo company that `build_demo` wrote into a folder.

    ``FileNotFoundError`` where there is none; ``ValueError`` where another version of the simulation built it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no demo company; build it first with `smarketing demo`.")
    built = json.loads(path.read_text())
    if built["world"] != world_version():
        raise ValueError(f"{folder} was built by another version of the simulation; build it again.")
    return true_probabilities(
        to_stage=to_stage,
        within_days=within_days,
        moment_days=moment_days,
        leads=built["leads"],
        seed=built["seed"],
        as_of=date.fromisoformat(built["as_of"]),
    )


def log_posterior(seed: int, chunk: int, accounts: Accounts, leads: Leads, moment: Ints) -> Floats:
    """Return the log posterior of the effect at each node for each lead, up to a constant; ``moment`` in seconds."""
    touches = draw_touches(seed, chunk, leads, accounts.effect[leads.account])
    counts, exposure = counts_until(touches, leads, moment), expected_until(leads, moment)
    found = -0.5 * NODES**2 + _said(accounts.shown, len(accounts))[leads.account] + _said(leads.shown, len(leads))
    for position, page in enumerate(PAGES):
        if informs(page):
            found += counts[:, position, None] * page.slope * NODES - exposure[:, None] * page.means(NODES)
    return np.asarray(found)


def _said(shown: Sequence[Drawn], rows: int) -> Floats:
    """Add up what the attributes say of each row's effect."""
    found = np.zeros((rows, len(NODES)))
    for each in shown:
        if informs(each.attribute):
            found += each.log_likelihood(NODES)
    return found
