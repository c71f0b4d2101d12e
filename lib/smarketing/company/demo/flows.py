"""Expected entries into every stage, by adding up hazards over the population: no row is simulated or counted here.

The population is a grid of source x region x size band x account effect (Gauss-Hermite nodes, weighted by leads). The
expected number of leads on each day is known from the world; each step's exit chances turn expected entries into
expected entries of the next stage (a convolution over days), through both spells, up to the deals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy import fft

from smarketing.company.demo.world import (
    ACCOUNT_SIGMA,
    BAND_LEADS,
    BANDS,
    DRIFT_MONTHS,
    LEAD_STEPS,
    PAID_SEARCH,
    REGION_SHARES,
    REGIONS,
    RETURN_EARLIEST,
    RETURN_LATEST,
    RETURN_SHARE,
    SALES_SOURCED_PER_LEAD,
    SOURCE_SHARES,
    SOURCES,
    Floats,
    Ints,
    Step,
    band_shares,
    calendar,
    creation_shares,
    daily_intensity,
    days_until,
    drift_level,
    log_effect,
)

NODES = 7


@dataclass(frozen=True)
class Grid:
    """Covariates of the cells of the population; ``account`` is the effect at the node, ``share`` its part of leads."""

    source: Ints
    region: Ints
    band: Ints
    account: Floats
    share: Floats

    def take(self, cells: Ints) -> Grid:
        """Return the given cells."""
        return Grid(self.source[cells], self.region[cells], self.band[cells], self.account[cells], self.share[cells])


def population_grid() -> Grid:
    """Return the cells: sources x regions x bands x nodes, in C order; deals without a lead are cells of their own."""
    nodes, weights = hermegauss(NODES)
    shape = (len(SOURCES), len(REGIONS), len(BANDS), NODES)
    source, region, band, node = (axis.ravel() for axis in np.indices(shape))
    band_leads = band_shares() * BAND_LEADS
    source_shares = np.where(np.array(SOURCES) == SOURCES[-1], SALES_SOURCED_PER_LEAD, SOURCE_SHARES)
    share = source_shares[source] * REGION_SHARES[region] * (band_leads / band_leads.sum())[band]
    return Grid(source, region, band, ACCOUNT_SIGMA * nodes[node], share * (weights / weights.sum())[node])


def exit_chances(step: Step, grid: Grid, level: int, rows: Floats) -> tuple[Floats, Floats]:
    """Return each exit's chance of happening at each age, and the chance of still being there before that age.

    ``rows`` is (exits, rows, ages) of `daily_intensity`; the answers are (exits, cells, rows, ages) and
    (cells, rows, ages).
    """
    levels = np.full(len(grid.source), level)
    effects = [log_effect(way, grid.source, grid.region, grid.band, grid.account, levels) for way in step.exits]
    by_exit = np.exp(np.array(effects))[:, :, None, None] * rows[:, None]
    total = by_exit.sum(axis=0)
    spent = np.cumsum(total, axis=-1)
    before = np.exp(total - spent)
    leaving = before * -np.expm1(-total)
    return by_exit * (leaving / np.where(total > 0, total, 1.0)), before


def segments(step: Step, grid: Grid, as_of: date) -> Iterator[tuple[Ints, int, slice]]:
    """Yield cells, drift level and the days at that level: within them hazards know the weekday only.

    A step without drift has one segment.
    """
    days = days_until(as_of) + 1
    if not any(way.drift for way in step.exits):
        yield np.arange(len(grid.source)), 0, slice(0, days)
        return
    drifting = np.flatnonzero(grid.source == PAID_SEARCH)
    yield np.flatnonzero(grid.source != PAID_SEARCH), 0, slice(0, days)
    levels = drift_level(np.arange(days), as_of)
    for level in range(DRIFT_MONTHS + 1):
        start, stop = np.searchsorted(levels, [level, level + 1])
        if start < stop:
            yield drifting, level, slice(int(start), int(stop))


def by_weekday(days: int) -> Floats:
    """Return 1 where a day (second axis) has a weekday (first axis)."""
    return (calendar(days)[0] == np.arange(7)[:, None]).astype(float)


def pass_on(step: Step, entries: Floats, grid: Grid, as_of: date) -> Floats:
    """Return the expected exits by exit, cell and day, from expected entries by cell and day."""
    days = entries.shape[1]
    rows = daily_intensity(step, days, min(step.max_age, days - 1))
    weekdays = by_weekday(days)
    passed = np.zeros((len(step.exits), *entries.shape))
    for cells, level, on in segments(step, grid, as_of):
        chances, _ = exit_chances(step, grid.take(cells), level, rows)
        long = on.stop - on.start + rows.shape[2] - 1
        size = fft.next_fast_len(long, real=True)
        entered = fft.rfft(entries[cells, None, on] * weekdays[:, on], size)
        left = fft.irfft((entered * fft.rfft(chances, size)).sum(axis=2), size)
        until = min(on.start + long, days)
        passed[:, cells, on.start : until] += left[..., : until - on.start]
    return np.maximum(passed, 0.0)


def return_later(sent_back: Floats) -> Floats:
    """Return the expected second entries into ``mql`` by cell and day."""
    days = sent_back.shape[1]
    again = np.zeros_like(sent_back)
    for pause in range(RETURN_EARLIEST, min(RETURN_LATEST, days - 1) + 1):
        again[:, pause:] += sent_back[:, : days - pause]
    return again * RETURN_SHARE / (RETURN_LATEST - RETURN_EARLIEST + 1)


def expected_flows(as_of: date) -> tuple[Grid, dict[str, Floats]]:
    """Return the grid and the expected entries per lead created, by stage, cell and day.

    Stages of leads hold spell 1; ``opportunity`` holds every deal.
    """
    grid = population_grid()
    created = grid.share[:, None] * creation_shares(as_of)
    of_leads = (grid.source != len(SOURCES) - 1)[:, None]
    flows = {"lead": created * of_leads, "opportunity": created * ~of_leads}
    first, mql, sal, sql = LEAD_STEPS
    flows["mql"] = pass_on(first, flows["lead"], grid, as_of)[0]
    entering = flows["mql"]
    for spell in (1, 2):
        accepted = pass_on(mql, entering, grid, as_of)[0]
        qualified, early = pass_on(sal, accepted, grid, as_of)
        deals, late = pass_on(sql, qualified, grid, as_of)
        flows["opportunity"] = flows["opportunity"] + deals
        if spell == 1:
            flows |= {"sal": accepted, "sql": qualified}
            entering = return_later(early + late)
    return grid, flows
