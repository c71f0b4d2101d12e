"""The small tables that do not grow with the company: owners, products, campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from smarketing.company.demo.columns import arrow_table, seconds_of, timestamps
from smarketing.company.demo.world import NAMED_SOURCES, REGIONS, START, Ints, stream

PRODUCTS = (
    ("Ledgerline Core", "Ledgerline", 9_000.0),
    ("Ledgerline Plus", "Ledgerline", 21_000.0),
    ("Tidemark Insight", "Tidemark", 14_000.0),
    ("Tidemark Enterprise", "Tidemark", 48_000.0),
)
CAMPAIGN_CHANNELS = ("Content download", "Webinar", "Partner", "Event", "Paid search")
SDRS, SALES = (5, 4, 3), (6, 5, 3)
FIRST_NAMES = (
    "Ada", "Bram", "Chiara", "Dov", "Elif", "Femi", "Greta", "Hana", "Ivo", "Jun", "Kaia", "Lior", "Mirek", "Noor",
    "Oona", "Pilar", "Quin", "Rasa", "Soren", "Tove", "Uma", "Vida", "Wim", "Xenia", "Yara", "Zeno",
)  # fmt: skip
LAST_NAMES = (
    "Almqvarn", "Bexholm", "Corrigane", "Dunmarsh", "Eskelby", "Farrowdene", "Gilderoy", "Hexworth", "Ingleby",
    "Jorrick", "Kettlewyn", "Lindqvale", "Marchmane", "Nettleford", "Oakhurne", "Pellgrave", "Quillmore", "Rookwell",
    "Strandby", "Thornquay", "Underlake", "Vantongeren", "Wexcombe", "Yarrowby", "Zellborn", "Ashdrift",
)  # fmt: skip


@dataclass(frozen=True)
class Owners:
    """The people: ids by position; ``sdr`` and ``sales`` hold, by region, the positions to choose from."""

    owner_id: tuple[str, ...]
    sdr: tuple[Ints, ...]
    sales: tuple[Ints, ...]
    table: pa.Table


def make_owners(seed: int) -> Owners:
    """Make two marketers and, by region, sales development and sales people with a manager each team and region."""
    rng = stream(seed, "owners")
    posts: list[tuple[str, str | None, int | None]] = [("Marketing", None, None)] * 2
    positions: dict[str, list[Ints]] = {"SDR": [], "Sales": []}
    for team, sizes in (("SDR", SDRS), ("Sales", SALES)):
        for region, size in zip(REGIONS, sizes, strict=True):
            boss = len(posts)
            posts.append((team, region, None))
            positions[team].append(np.arange(boss + 1, boss + 1 + size))
            posts += [(team, region, boss)] * size
    first = rng.permutation(np.arange(len(posts)) % len(FIRST_NAMES))
    last = rng.permutation(np.arange(len(posts)) % len(LAST_NAMES))
    names = [f"{FIRST_NAMES[a]} {LAST_NAMES[b]}" for a, b in zip(first, last, strict=True)]
    owner_id = tuple(f"U{number:03d}" for number in range(1, len(posts) + 1))
    hired = seconds_of(START) - rng.integers(30, 1500, len(posts)) * 86_400
    columns = {
        "owner_id": pa.array(owner_id),
        "name": pa.array(names),
        "team": pa.array([team for team, _, _ in posts]),
        "manager": pa.array([None if boss is None else names[boss] for _, _, boss in posts], pa.string()),
        "region": pa.array([region for _, region, _ in posts], pa.string()),
        "from": timestamps(hired),
    }
    table = arrow_table("owners", columns, len(posts))
    return Owners(owner_id, tuple(positions["SDR"]), tuple(positions["Sales"]), table)


def make_products() -> pa.Table:
    """Return the four products in two families."""
    product, family, price = zip(*PRODUCTS, strict=True)
    columns = {"product": pa.array(product), "family": pa.array(family), "price": pa.array(price)}
    return arrow_table("products", columns, len(PRODUCTS))


@dataclass(frozen=True)
class Campaigns:
    """Campaigns by position; ``running`` is, by source and quarter since the start, the position or -1."""

    campaign_id: tuple[str, ...]
    running: Ints
    table: pa.Table


def quarter_of(day: date) -> int:
    """Return the number of quarters between the world's first and that of ``day``."""
    return (day.year - START.year) * 4 + (day.month - 1) // 3 - (START.month - 1) // 3


def make_campaigns(as_of: date) -> Campaigns:
    """Make one website programme for demo requests, and a campaign a quarter in each of five channels."""
    quarters = quarter_of(as_of) + 1
    rows = [("Inbound demo", "Website demo requests")]
    running = np.full((len(NAMED_SOURCES), quarters), -1, dtype=np.int64)
    running[NAMED_SOURCES.index("Inbound demo")] = 0
    for channel in CAMPAIGN_CHANNELS:
        for quarter in range(quarters):
            years, within = divmod(quarter + (START.month - 1) // 3, 4)
            running[NAMED_SOURCES.index(channel), quarter] = len(rows)
            rows.append((channel, f"{channel} {START.year + years} Q{within + 1}"))
    campaign_id = tuple(f"C{number:03d}" for number in range(1, len(rows) + 1))
    columns = {
        "campaign_id": pa.array(campaign_id),
        "channel": pa.array([channel for channel, _ in rows]),
        "name": pa.array([name for _, name in rows]),
    }
    return Campaigns(campaign_id, running, arrow_table("campaigns", columns, len(rows)))
