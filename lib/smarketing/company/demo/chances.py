"""The true chance that a lead reaches a stage within a horizon of its creation, by what decides it: from hazards alone.

A lead is followed along its first pass (spell 1) by its first exits; the other exits of each stage compete, the decline
of Paid search, weekdays and months' ends act. Nothing is simulated: the chances of leaving each stage at each age are
convolved along the way, from every day of creation.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import numpy as np

from smarketing.company.demo.flows import Grid, exit_chances
from smarketing.company.demo.world import (
    ACCOUNT_SIGMA,
    BANDS,
    DEAL_STEP,
    PAID_SEARCH,
    REGIONS,
    SOURCES,
    STEPS,
    Floats,
    Ints,
    Step,
    daily_intensity,
    days_until,
    drift_level,
    drift_starts,
    entry_row,
    log_effect,
)

NODES = np.linspace(-4.0, 4.0, 17)
"""Standard scores of the account's effect. Sums over them are integrals to many digits, for the integrand is smooth."""


def reachable() -> tuple[str, ...]:
    """Return the stages that a lead can reach, in order."""
    return tuple(step.exits[0].stage for step in STEPS)


def _along(to_stage: str) -> tuple[Step, ...]:
    """Return the steps up to a stage; ``ValueError`` where there is none such."""
    if to_stage not in reachable():
        raise ValueError(f"to_stage is {to_stage!r}; a lead of the demo company reaches {', '.join(reachable())}.")
    return STEPS[: reachable().index(to_stage) + 1]


def _kinds(steps: tuple[Step, ...]) -> tuple[Grid, Ints]:
    """Return one cell for each kind of lead that the steps tell apart, and the kind by source, region and band."""
    shape = (len(SOURCES), len(REGIONS), len(BANDS))
    source, region, band = (axis.ravel() for axis in np.indices(shape))
    nothing = np.zeros(len(source))
    level = nothing.astype(np.int64)
    effects = [log_effect(way, source, region, band, nothing, level) for step in steps for way in step.exits]
    told = np.round([*effects, (source == PAID_SEARCH).astype(float)], 12)
    _, first, kind = np.unique(told, axis=1, return_index=True, return_inverse=True)
    cells = Grid(source[first], region[first], band[first], nothing[first], nothing[first] + 1.0)
    return cells, kind.reshape(shape)


def _at_nodes(cells: Grid) -> Grid:
    """Return every cell at every node, nodes varying fastest."""
    repeated = cells.take(np.repeat(np.arange(len(cells.source)), len(NODES)))
    account = ACCOUNT_SIGMA * np.tile(NODES, len(cells.source))
    return Grid(repeated.source, repeated.region, repeated.band, account, repeated.share)


def _leave(step: Step, grid: Grid, entering: Floats, first_day: int, levels: Ints) -> Floats:
    """Return the chances of reaching the next stage from those of entering the step's own.

    Both are by cell, day of creation (from ``first_day`` on) and days since creation; ``levels`` is the level of the
    decline on each day from ``first_day`` on.
    """
    offsets = entering.shape[2]
    rows = daily_intensity(step, 1, min(step.max_age, offsets - 1))
    declines = bool(levels.any()) and any(way.drift for way in step.exits)
    if declines or entering.shape[1] <= 7:
        return _leave_by_day(step, grid, entering, first_day, levels if declines else np.zeros_like(levels), rows)
    chances = exit_chances(step, grid, 0, rows)[0][0]
    chances = np.concatenate([chances, np.zeros((*chances.shape[:2], 1))], axis=2)
    since = np.arange(offsets)
    age = since - since[:, None]
    age = np.where((age < 0) | (age >= rows.shape[2]), rows.shape[2], age)
    leaving = np.empty_like(entering)
    # Days of one weekday have the same chances: what enters after so many days (rows) leaves after so many (columns).
    for weekday in range(7):
        row = entry_row(step, first_day + weekday + since)[:, None]
        for cell in range(len(entering)):
            leaving[cell, weekday::7] = entering[cell, weekday::7] @ chances[cell, row, age]
    return leaving


def _leave_by_day(
    step: Step, grid: Grid, entering: Floats, first_day: int, levels: Ints, rows: Floats
) -> Floats:  # fmt: skip
    """Do the same where the chances also depend on the decline, one day since creation after the other."""
    _, starts, offsets = entering.shape
    chances = {level: exit_chances(step, grid, level, rows)[0][0] for level in np.unique(levels).tolist()}
    leaving = np.zeros_like(entering)
    for offset in np.flatnonzero(entering.any(axis=(0, 1))).tolist():
        here = levels[offset : offset + starts]
        for level in np.unique(here).tolist():
            low, high = np.searchsorted(here, [level, level + 1]).tolist()
            for start in range(low, min(low + 7, high)):
                row = int(entry_row(step, np.array(first_day + start + offset)))
                onward = chances[level][:, None, row, : offsets - offset]
                until = offset + onward.shape[-1]
                leaving[:, start:high:7, offset:until] += entering[:, start:high:7, offset, None] * onward
    return leaving


def _win(entering: Floats, grid: Grid, first_day: int, days: int) -> Floats:
    """Return the chance of a win within the horizon by cell and day of creation, from those of entering a deal.

    Chances of entering are by day of creation from ``first_day`` on, or by weekday where there are seven of them.
    """
    within = entering.shape[2] - 1
    rows = daily_intensity(DEAL_STEP, first_day + days + within, within)
    no_drift = np.zeros(len(grid.source), dtype=np.int64)
    effects = [log_effect(way, grid.source, grid.region, grid.band, grid.account, no_drift) for way in DEAL_STEP.exits]
    _, first, kind = np.unique(np.round(effects, 12), axis=1, return_index=True, return_inverse=True)
    since = np.arange(within + 1)
    opened = first_day + np.arange(days)[:, None] + since
    won = np.empty((len(grid.source), days))
    for number, cell in enumerate(first):
        chances = exit_chances(DEAL_STEP, grid.take(np.array([cell])), 0, rows)[0][0, 0]
        left = np.cumsum(chances, axis=1)[opened, within - since]
        for here in np.flatnonzero(kind == number):
            for day in range(min(entering.shape[1], days)):
                won[here, day :: entering.shape[1]] = left[day :: entering.shape[1]] @ entering[here, day]
    return won


def _reached(steps: tuple[Step, ...], cells: Grid, within: int, first_day: int, last_day: int, levels: Ints) -> Floats:
    """Return the chance of reaching the last step's next stage within the horizon, by cell, node and day of creation.

    ``levels`` is the level of the decline by day from ``first_day`` on; where it is 0 on all days, days of creation
    differ by weekday only.
    """
    grid, days = _at_nodes(cells), last_day - first_day + 1
    entering = np.zeros((len(grid.source), days if levels.any() else 7, within + 1))
    entering[:, :, 0] = 1.0
    for step in steps:
        if step is not DEAL_STEP:
            entering = _leave(step, grid, entering, first_day, levels)
    if steps[-1] is DEAL_STEP:
        reached = _win(entering, grid, first_day, days)
    else:
        reached = entering.sum(axis=2)[:, np.arange(days) % entering.shape[1]]
    return reached.reshape(len(cells.source), len(NODES), days)


@lru_cache(maxsize=8)
def reach_chances(to_stage: str, within_days: int, as_of: date) -> Floats:
    """Return the chance that a lead has entered ``to_stage`` by ``within_days`` calendar days after its creation.

    By source, region, size band, node of the account's effect (`NODES`) and day of creation from the world's first to
    ``as_of``, in the positions of `world`. ``ValueError`` where the stage or the horizon does not exist.
    """
    steps = _along(to_stage)
    if within_days < 0:
        raise ValueError(f"within_days is {within_days}; it must be 0 or more.")
    cells, kind = _kinds(steps)
    last = days_until(as_of)
    found = np.empty((len(cells.source), len(NODES), last + 1))
    declines = cells.source == PAID_SEARCH
    no_decline = np.zeros(last + within_days + 8, dtype=np.int64)
    found[:] = _reached(steps, cells, within_days, 0, last, no_decline)
    # A lead created a horizon or more before the decline never meets it.
    first = max(drift_starts(as_of) - within_days, 0)
    levels = drift_level(first + np.arange(len(no_decline)), as_of)
    found[declines, :, first:] = _reached(steps, cells.take(np.flatnonzero(declines)), within_days, first, last, levels)
    answer: Floats = found[kind]
    answer.setflags(write=False)
    return answer
