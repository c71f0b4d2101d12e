"""The simulated world: who the leads are, how fast each stage lets them go, and what is planted.

Every step of a journey is a race between its exits. Exit ``k`` has the intensity

    lambda_k(age, entry day) * exp(source + region + size band + drift + loading_k * account effect)

per day of age, where age is the calendar-day difference to the day of entry. It is constant within a day, so a
subject that is still there survives the day with probability exp(-sum of intensities), and leaves by exit ``k`` with a
chance in proportion to its intensity. Simulation (`journeys`) and truth (`incidence`) both start from these numbers
and from nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

COMPANY = "Fernhollow Software"
START = date(2024, 7, 1)

NAMED_SOURCES = (
    "Inbound demo", "Content download", "Webinar", "Partner", "Event", "Paid search", "Outbound",
)  # fmt: skip
UNKNOWN, BLANK, NO_LEAD = "unknown", "(blank)", "(no lead)"
SOURCES = (*NAMED_SOURCES, UNKNOWN, BLANK, NO_LEAD)
SOURCE_SHARES = np.array([0.13, 0.24, 0.15, 0.08, 0.10, 0.18, 0.09, 0.01, 0.02, 0.0])
PAID_SEARCH = SOURCES.index("Paid search")

REGIONS = ("North America", "EMEA", "APAC")
REGION_SHARES = np.array([0.50, 0.32, 0.18])

BANDS = ("under 100", "100 to 999", "1000 and more")
BAND_LIMITS = (100.0, 1000.0)
EMPLOYEES_MEDIAN, EMPLOYEES_SIGMA = 130.0, 1.5
BAND_LEADS = np.array([0.7, 1.2, 2.0])
LEADS_SIGMA = 1.0
LEADS_PER_ACCOUNT = 2.5

ACCOUNT_SIGMA = 0.7
SALES_SOURCED_PER_LEAD = 0.0135
RETURN_SHARE = 0.35
RETURN_EARLIEST, RETURN_LATEST = 30, 150
DRIFT_MONTHS = 9
COMPETITOR_DAYS = 183

WEEKDAY_RATE = np.array([1.10, 1.15, 1.10, 1.05, 0.90, 0.30, 0.28])
MONTH_RATE = np.array([1.0, 1.0, 1.08, 1.02, 1.0, 0.97, 0.88, 0.84, 1.08, 1.10, 1.06, 0.80])
MONTH_END_RATE, MONTH_END_DAYS = 1.15, 3
YEARLY_GROWTH = 0.20


@dataclass(frozen=True, eq=False)
class Exit:
    """One way out of a stage.

    ``total`` is the intensity spent over all ages (weekends aside), spread over them as a log-normal with ``median``
    days and ``sigma``. ``drift`` is what a month of the decline takes off for Paid search.
    """

    stage: str
    total: float
    median: float
    sigma: float
    loading: float
    source: Mapping[str, float] = field(default_factory=dict)
    region: Mapping[str, float] = field(default_factory=dict)
    band: tuple[float, float, float] = (0.0, 0.0, 0.0)
    drift: float = 0.0
    month_end: float = 1.0


@dataclass(frozen=True, eq=False)
class Step:
    """A stage and its exits; ``weekend`` scales every intensity on Saturday and Sunday; none act after ``max_age``."""

    stage: str
    exits: tuple[Exit, ...]
    max_age: int
    weekend: float

    @property
    def by_date(self) -> bool:
        """Whether the intensities depend on the entry date and not on its weekday alone."""
        return any(way.month_end != 1.0 for way in self.exits)


STEPS = (
    Step("lead", (
        Exit("mql", 0.64, 4.0, 1.5, 0.9, drift=-0.09, band=(-0.15, 0.10, 0.25), source={
            "Inbound demo": 0.80, "Partner": 0.40, "Event": -0.15, "Content download": -0.45, "Paid search": 0.10,
            "Outbound": -0.30,
        }),
    ), 180, 0.5),
    Step("mql", (
        Exit("sal", 2.00, 3.6, 1.0, 0.7, region={"EMEA": -0.75}, band=(-0.20, 0.10, 0.25), drift=-0.07, source={
            "Inbound demo": 0.45, "Partner": 0.30, "Content download": -0.30, "Outbound": 0.15,
        }),
        Exit("rejected", 0.80, 5.5, 1.0, -0.4, source={"Content download": 0.25, "Inbound demo": -0.30}),
    ), 120, 0.04),
    Step("sal", (
        Exit("sql", 1.25, 8.0, 0.9, 0.6, band=(-0.15, 0.05, 0.25), source={
            "Inbound demo": 0.30, "Partner": 0.25, "Content download": -0.15,
        }),
        Exit("recycled", 1.05, 14.0, 0.9, -0.3),
    ), 150, 0.04),
    Step("sql", (
        Exit("opportunity", 1.28, 10.0, 0.9, 0.6, band=(-0.10, 0.05, 0.20)),
        Exit("recycled", 1.00, 20.0, 0.8, -0.3),
    ), 150, 0.04),
    Step("opportunity", (
        Exit("won", 0.62, 90.0, 0.70, 0.7, band=(0.05, 0.0, -0.20), month_end=2.0, source={
            "Partner": 0.35, "Inbound demo": 0.35, NO_LEAD: 0.35,
        }),
        Exit("lost", 1.75, 50.0, 1.20, -0.3),
    ), 540, 0.05),
)  # fmt: skip
LEAD_STEPS, DEAL_STEP = STEPS[:-1], STEPS[-1]

COMPETITORS = ("Kestrel Cloud", "Ostler Systems", "Bluefen")
RISING = COMPETITORS[0]
COMPETITOR_SHARES = (0.12, 0.56, 0.32)
RISING_LATEST_SHARE = 0.48


def stream(seed: int, table: str, chunk: int = 0) -> np.random.Generator:
    """Return the random numbers of one table (and one chunk of it), whatever other tables draw."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(table.encode()), chunk])))


def days_until(as_of: date) -> int:
    """Return the day number of ``as_of``; day 0 is `START`."""
    return (as_of - START).days


@lru_cache(maxsize=8)
def calendar(days: int) -> tuple[Ints, Ints, Bools]:
    """Return weekday (Monday is 0), month (1 to 12) and whether it is a month's end, of day 0 to ``days`` - 1."""
    dates = np.datetime64(START) + np.arange(days)
    month = dates.astype("datetime64[M]")
    left = ((month + 1).astype("datetime64[D]") - dates).astype(np.int64)
    weekday = (np.arange(days) + START.weekday()) % 7
    return weekday, month.astype(np.int64) % 12 + 1, left <= MONTH_END_DAYS


def creation_shares(as_of: date) -> Floats:
    """Return the chance that a lead is created on each day from `START` to ``as_of``: growth, season, week, month."""
    days = days_until(as_of) + 1
    weekday, month, ending = calendar(days)
    rate = WEEKDAY_RATE[weekday] * MONTH_RATE[month - 1] * np.where(ending, MONTH_END_RATE, 1.0)
    rate *= np.exp(np.log1p(YEARLY_GROWTH) * np.arange(days) / 365.25)
    return np.asarray(rate / rate.sum())


def band_shares() -> Floats:
    """Return the share of accounts in each size band."""
    edges = norm.cdf(np.log(np.array(BAND_LIMITS) / EMPLOYEES_MEDIAN) / EMPLOYEES_SIGMA)
    return np.diff(edges, prepend=0.0, append=1.0)


def drift_starts(as_of: date) -> int:
    """Return the day on which Paid search begins to decline, nine months of 30 days before ``as_of``."""
    return days_until(as_of) - 30 * DRIFT_MONTHS + 1


def drift_level(entry_day: Ints, as_of: date) -> Ints:
    """Return how many months into the decline each entry falls: 0 before it, then 1 to 9."""
    return np.clip((entry_day - drift_starts(as_of)) // 30 + 1, 0, DRIFT_MONTHS)


def log_effect(way: Exit, source: Ints, region: Ints, band: Ints, account: Floats, level: Ints) -> Floats:
    """Return the log of what covariates and the account's effect make of an exit's intensity.

    ``source``, ``region`` and ``band`` are positions in `SOURCES`, `REGIONS` and `BANDS`; ``account`` is the account's
    normal effect; ``level`` is `drift_level`, which touches Paid search only.
    """
    by_source = np.array([way.source.get(name, 0.0) for name in SOURCES])
    by_region = np.array([way.region.get(name, 0.0) for name in REGIONS])
    effect = by_source[source] + by_region[region] + np.array(way.band)[band] + way.loading * account
    return np.asarray(effect + np.where(source == PAID_SEARCH, way.drift * level, 0.0))


@lru_cache(maxsize=32)
def daily_intensity(step: Step, days: int, max_age: int) -> Floats:
    """Return intensities before covariates, by exit, entry row and age.

    Shape (exits, rows, ``max_age`` + 1). A row is a weekday of entry, or, where `Step.by_date`, an entry day from 0 to
    ``days`` - 1.
    """
    rows = days if step.by_date else 7
    ages = np.arange(max_age + 1)
    on = np.arange(rows)[:, None] + ages if step.by_date else (np.arange(7)[:, None] - START.weekday()) % 7 + ages
    weekday, _, ending = calendar(rows + max_age + 7)
    worked = np.where(weekday[on] >= 5, step.weekend, 1.0)
    table = np.empty((len(step.exits), rows, max_age + 1))
    for k, way in enumerate(step.exits):
        with np.errstate(divide="ignore"):
            reached = norm.cdf((np.log(np.arange(max_age + 2)) - np.log(way.median)) / way.sigma)
        spread = np.where(ages <= step.max_age, np.diff(reached), 0.0)
        table[k] = way.total * spread * worked * np.where(ending[on], way.month_end, 1.0)
    return table


def entry_row(step: Step, entry_day: Ints) -> Ints:
    """Return the row of `daily_intensity` for each entry day."""
    return entry_day if step.by_date else (entry_day + START.weekday()) % 7


def rising_share(closed_day: Ints, as_of: date) -> Floats:
    """Return the share of the rising competitor among lost deals with a named one, by day of closing.

    Flat until `COMPETITOR_DAYS` before ``as_of``, then a straight line up to `RISING_LATEST_SHARE` on ``as_of``.
    """
    risen = (np.asarray(closed_day) - (days_until(as_of) - COMPETITOR_DAYS)) / COMPETITOR_DAYS
    return np.asarray(COMPETITOR_SHARES[0] + (RISING_LATEST_SHARE - COMPETITOR_SHARES[0]) * np.clip(risen, 0.0, 1.0))


def day_date(day: int) -> date:
    """Return the date of a day number."""
    return START + timedelta(days=int(day))
