"""The true incidences: what a stage's entrants come to, from hazards and expected entries alone (`flows`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from smarketing.company.demo.flows import Grid, by_weekday, exit_chances, expected_flows, segments
from smarketing.company.demo.world import (
    REGIONS,
    SOURCES,
    STEPS,
    Floats,
    Step,
    daily_intensity,
    days_until,
    log_effect,
)

HORIZONS = (7, 14, 30, 60, 90, 180, 365)
WINDOWS = ("all time", "last 12 months")
_NONE = 1e-12
# Beyond these, digits depend on how many threads add up.
_DIGITS = 12


@dataclass(frozen=True)
class TrueIncidence:
    """The truth of one exit of one step at one age, for the entries of one window and one group.

    The clock is ``date(exit) - date(entry)`` in calendar days; an incidence at ``age`` counts exits of age 0 to
    ``age`` among entries, with the step's other exits competing. Steps of leads are those of spell 1: an
    entry is the first event of the stage, its exit the first later event of one of the step's exits. The exit
    ``opportunity`` of a lead is the creation of the deal that names it. The step ``opportunity`` is every deal, of
    either spell or of no lead.

    Parameters
    ----------
    step, exit
        The stage left and the stage reached.
    window
        ``all time``, or ``last 12 months``: entries on the as-of day or within the 365 days before it.
    group_by, group
        ``overall``, ``source`` (of the lead) or ``region`` (of the account); the group's name. Leads whose source is
        NULL are ``(blank)``, deals without a lead ``(no lead)``.
    age
        In days.
    incidence
        Over all entries of the window, had each been followed to ``age``.
    matured
        Over the entries of the window that are at least ``age`` days old on the as-of day: what counting exits in
        matured cohorts recovers. None where there are none.
    pooled
        What an Aalen-Johansen estimate on all entries of the window, censored at the end of the as-of day, converges
        to. It differs from ``incidence`` only as far as hazards change with the entry date (the drift, the calendar)
        and early entrants of late stages are the fast ones. None where nobody is under observation at ``age``.
    expected_entries
        Expected entries into the step in the window and group, per lead created.
    """

    step: str
    exit: str
    window: str
    group_by: str
    group: str
    age: int
    incidence: float
    matured: float | None
    pooled: float | None
    expected_entries: float


@dataclass
class _Sums:
    """Expected numbers per lead created, by group, of one step and window.

    ``reached`` counts exits by each horizon had all been followed; ``old`` and ``old_reached`` the entries at least a
    horizon old on the as-of day and their exits; ``watched`` who is still there and under observation at each age, and
    ``leaving`` who then leaves.
    """

    entries: Floats
    reached: Floats
    old: Floats
    old_reached: Floats
    watched: Floats
    leaving: Floats


def _empty(groups: int, exits: int, ages: int) -> _Sums:
    horizons = len(HORIZONS)
    shapes = (groups,), (exits, groups, horizons), (groups, horizons), (exits, groups, horizons)
    return _Sums(*(np.zeros(shape) for shape in (*shapes, (groups, ages), (exits, groups, ages))))


def _groups(grid: Grid) -> tuple[list[tuple[str, str]], Floats]:
    """Return the groups and which cells each holds (groups x cells, 0 or 1)."""
    names = [("overall", "overall")]
    member = [np.ones(len(grid.source))]
    for label, values, position in (("source", SOURCES, grid.source), ("region", REGIONS, grid.region)):
        for place, name in enumerate(values):
            names.append((label, name))
            member.append((position == place).astype(float))
    return names, np.array(member)


def _sums_by_weekday(step: Step, windows: list[Floats], grid: Grid, member: Floats, as_of: date) -> list[_Sums]:
    """Add up a step whose intensities know the weekday of entry only; a window is entries by cell and day."""
    days = windows[0].shape[1]
    ages = min(step.max_age, HORIZONS[-1]) + 1
    rows = daily_intensity(step, days, ages - 1)
    weekdays = by_weekday(days)
    last_seen = days - 1 - np.concatenate([np.arange(ages), HORIZONS])
    sums = [_empty(len(member), len(step.exits), ages) for _ in windows]
    for cells, level, on in segments(step, grid, as_of):
        chances, before = exit_chances(step, grid.take(cells), level, rows)
        reached = np.cumsum(chances, axis=-1)[..., np.minimum(HORIZONS, ages - 1)]
        held = member[:, cells]
        for total, entries in zip(sums, windows, strict=True):
            entered = np.cumsum(entries[cells, None, on] * weekdays[:, on], axis=-1)
            until = np.minimum(last_seen - on.start, entered.shape[-1] - 1)
            under = np.where(until >= 0, entered[..., np.maximum(until, 0)], 0.0)
            watched, old = under[..., :ages], under[..., ages:]
            total.entries += held @ entered[..., -1].sum(axis=1)
            total.old += held @ old.sum(axis=1)
            total.watched += held @ np.einsum("cra,cra->ca", watched, before)
            for k in range(len(step.exits)):
                total.reached[k] += held @ np.einsum("cr,crh->ch", entered[..., -1], reached[k])
                total.old_reached[k] += held @ np.einsum("crh,crh->ch", old, reached[k])
                total.leaving[k] += held @ np.einsum("cra,cra->ca", watched, chances[k])
    return sums


def _sums_by_date(step: Step, windows: list[Floats], grid: Grid, member: Floats) -> list[_Sums]:
    """Add up a step whose intensities know the entry date; cells with equal effects are taken together."""
    days = windows[0].shape[1]
    ages = min(step.max_age, HORIZONS[-1]) + 1
    rows = daily_intensity(step, days, ages - 1)
    still_to_come = days - 1 - np.arange(days)[:, None]
    watching = still_to_come >= np.arange(ages)
    mature = (still_to_come >= HORIZONS).astype(float)
    no_drift = np.zeros(len(grid.source), dtype=np.int64)
    effects = [log_effect(way, grid.source, grid.region, grid.band, grid.account, no_drift) for way in step.exits]
    _, first, kind = np.unique(np.round(effects, 12), axis=1, return_index=True, return_inverse=True)
    groups, exits = len(member), len(step.exits)
    sums = [_empty(groups, exits, ages) for _ in windows]
    for number, cell in enumerate(first):
        chances, before = (part.squeeze(-3) for part in exit_chances(step, grid.take(np.array([cell])), 0, rows))
        cells = np.flatnonzero(kind == number)
        weights = np.concatenate([member[:, cells] @ entries[cells] for entries in windows])
        daily = weights @ (np.concatenate([before[None], chances]) * watching)
        reached = np.cumsum(chances, axis=-1)[..., np.minimum(HORIZONS, ages - 1)]
        by_horizon = weights @ np.concatenate([reached, reached * mature, mature[None]])
        for total, mine in zip(sums, np.split(np.arange(len(weights)), len(windows)), strict=True):
            total.entries += weights[mine].sum(axis=1)
            total.watched += daily[0, mine]
            total.leaving += daily[1:, mine]
            total.reached += by_horizon[:exits, mine]
            total.old_reached += by_horizon[exits : 2 * exits, mine]
            total.old += by_horizon[-1, mine]
    return sums


def _pooled(sums: _Sums) -> Floats:
    """Return the Aalen-Johansen incidence of the expected life table at the horizons, NaN where nobody is watched."""
    hazards = np.where(sums.watched > _NONE, sums.leaving / np.maximum(sums.watched, _NONE), 0.0)
    staying = np.cumprod(1.0 - hazards.sum(axis=0), axis=-1)
    before = np.concatenate([np.ones((len(staying), 1)), staying[:, :-1]], axis=1)
    incidence = np.cumsum(before * hazards, axis=-1)[..., np.minimum(HORIZONS, staying.shape[1] - 1)]
    return np.where(sums.old > _NONE, incidence, np.nan)


@lru_cache(maxsize=4)
def true_incidences(as_of: date) -> tuple[TrueIncidence, ...]:
    """Return the truth of every step, exit, window, group and horizon (groups without entries are left out)."""
    grid, flows = expected_flows(as_of)
    names, member = _groups(grid)
    days = days_until(as_of) + 1
    recent = np.arange(days) >= days - 1 - 365
    found: list[TrueIncidence] = []
    for step in STEPS:
        windows = [flows[step.stage], flows[step.stage] * recent]
        if step.by_date:
            totals = _sums_by_date(step, windows, grid, member)
        else:
            totals = _sums_by_weekday(step, windows, grid, member, as_of)
        for window, sums in zip(WINDOWS, totals, strict=True):
            pooled = _pooled(sums)
            for k, way in enumerate(step.exits):
                for group, (group_by, name) in enumerate(names):
                    entries = float(sums.entries[group])
                    for place, age in enumerate(HORIZONS if entries > _NONE else ()):
                        old = float(sums.old[group, place])
                        matured = float(sums.old_reached[k, group, place]) / old if old > _NONE else np.nan
                        found.append(
                            TrueIncidence(
                                *(step.stage, way.stage, window, group_by, name, age),
                                incidence=round(float(sums.reached[k, group, place]) / entries, _DIGITS),
                                matured=_stated(matured),
                                pooled=_stated(float(pooled[k, group, place])),
                                expected_entries=round(entries, _DIGITS),
                            )
                        )
    return tuple(found)


def _stated(value: float) -> float | None:
    return None if np.isnan(value) else round(value, _DIGITS)
