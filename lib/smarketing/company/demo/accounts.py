"""Accounts: invented companies with a size, a place and an effect that all their leads share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from smarketing.company.demo.attributes import ACCOUNT_ATTRIBUTES, draw_attributes
from smarketing.company.demo.columns import DAY, arrow_table, attribute_columns, ids, labels, timestamps
from smarketing.company.demo.signals import Drawn
from smarketing.company.demo.world import (
    ACCOUNT_SIGMA,
    BAND_LEADS,
    BAND_LIMITS,
    EMPLOYEES_MEDIAN,
    EMPLOYEES_SIGMA,
    LEADS_SIGMA,
    REGION_SHARES,
    REGIONS,
    Floats,
    Ints,
    stream,
)

INDUSTRIES = ("Manufacturing", "Logistics", "Health care", "Retail", "Financial services", "Professional services")
INDUSTRY_SHARES = (0.24, 0.17, 0.15, 0.18, 0.12, 0.14)
COUNTRIES = (
    (("United States", 0.82), ("Canada", 0.14), ("Mexico", 0.04)),
    (("United Kingdom", 0.30), ("Germany", 0.26), ("France", 0.18), ("Netherlands", 0.14), ("Sweden", 0.12)),
    (("Australia", 0.40), ("Japan", 0.25), ("Singapore", 0.20), ("India", 0.15)),
)
COUNTRY_NAMES = tuple(name for region in COUNTRIES for name, _ in region)
HEADS = (
    "Alder", "Birch", "Cobalt", "Dapple", "Ember", "Fallow", "Garnet", "Hollow", "Indigo", "Juniper", "Kelp", "Larch",
    "Mallow", "Nettle", "Ochre", "Pewter", "Quartz", "Russet", "Sorrel", "Teasel", "Umber", "Vesper", "Willow",
    "Yarrow", "Zephyr", "Bramble", "Cinder", "Drift", "Fennel", "Gorse", "Heron", "Ivory", "Lichen", "Marl", "Otter",
    "Plover", "Rowan", "Sedge", "Thistle", "Wren",
)  # fmt: skip
TAILS = (
    "barrow", "beck", "brook", "combe", "croft", "dale", "den", "fell", "field", "ford", "garth", "gate", "grove",
    "haven", "hurst", "keld", "lea", "mere", "moor", "ness", "pool", "rigg", "shaw", "stead", "stow", "thorpe",
    "thwaite", "toft", "vale", "wick",
)  # fmt: skip
TRADES = (
    "Bearings", "Freight", "Clinics", "Outfitters", "Mutual", "Advisory", "Castings", "Couriers", "Diagnostics",
    "Grocers", "Brokerage", "Surveyors", "Instruments", "Warehousing", "Laboratories", "Furnishings", "Leasing",
    "Translations", "Textiles", "Shipping",
)  # fmt: skip


@dataclass(frozen=True)
class Accounts:
    """Accounts of one chunk, by position.

    ``effect`` is the normal effect shared by an account's leads and deals; ``weight`` is how many leads it draws, in
    proportion; ``shown`` are the attributes that may be signs of the effect; ``table`` lacks nothing but
    ``created_at``, which follows from the leads (`with_creation`).
    """

    first: int
    region: Ints
    band: Ints
    effect: Floats
    weight: Floats
    shown: tuple[Drawn, ...]
    table: pa.Table

    def __len__(self) -> int:
        return len(self.region)


def names_and_domains(numbers: Ints) -> tuple[pa.Array, pa.Array]:
    """Return an invented name and a domain under the reserved ``.example``, both unique by account number."""
    total = len(HEADS) * len(TAILS) * len(TRADES)
    rounds, within = np.divmod(numbers, total)
    within = within * 7_919 % total
    place, trade = np.divmod(within, len(TRADES))
    head, tail = np.divmod(place, len(TAILS))
    parts = [labels(HEADS, head), labels(TAILS, tail)]
    trade_name = labels(TRADES, trade)
    series = pc.binary_join_element_wise(pa.scalar(" "), pa.array(rounds + 1).cast(pa.string()), "")
    series = pc.if_else(pa.array(rounds == 0), pa.scalar(""), pc.utf8_rtrim_whitespace(series))
    name = pc.binary_join_element_wise(pc.binary_join_element_wise(*parts, ""), trade_name, " ")
    name = pc.binary_join_element_wise(name, series, "")
    stem = pc.replace_substring(pc.utf8_lower(name), " ", "-")
    return name, pc.binary_join_element_wise(stem, pa.scalar(".example"), "")


def make_accounts(seed: int, chunk: int, first: int, count: int) -> Accounts:
    """Make ``count`` accounts whose numbers begin at ``first``."""
    rng = stream(seed, "accounts", chunk)
    region = rng.choice(len(REGIONS), count, p=REGION_SHARES)
    employees = EMPLOYEES_MEDIAN * np.exp(EMPLOYEES_SIGMA * rng.standard_normal(count))
    band = np.searchsorted(BAND_LIMITS, employees, side="right")
    effect = ACCOUNT_SIGMA * rng.standard_normal(count)
    weight = BAND_LEADS[band] * np.exp(LEADS_SIGMA * rng.standard_normal(count))
    revenue = employees * np.exp(np.log(180_000.0) + 0.5 * rng.standard_normal(count))
    industry = rng.choice(len(INDUSTRIES), count, p=INDUSTRY_SHARES)
    country = np.empty(count, dtype=np.int64)
    where = rng.random(count)
    begin = 0
    for position, choices in enumerate(COUNTRIES):
        here = region == position
        edges = np.cumsum([share for _, share in choices])[:-1]
        country[here] = begin + np.searchsorted(edges, where[here], side="right")
        begin += len(choices)
    target = rng.random(count) < np.array([0.05, 0.20, 0.35])[band]
    numbers = np.arange(first, first + count)
    name, domain = names_and_domains(numbers)
    shown = draw_attributes(seed, chunk, "accounts", ACCOUNT_ATTRIBUTES, effect, industry)
    columns = {
        "account_id": ids("A", numbers),
        "name": name,
        "domain": domain,
        "industry": labels(INDUSTRIES, industry),
        "country": labels(COUNTRY_NAMES, country),
        "region": labels(REGIONS, region),
        "employees": pa.array(np.maximum(employees, 1.0).astype(np.int64)),
        "annual_revenue": pa.array(np.round(revenue, -3)),
        "target_account": pa.array(target),
        **attribute_columns(shown),
    }
    return Accounts(first, region, band, effect, weight, shown, arrow_table("accounts", columns, count))


def with_creation(accounts: Accounts, seed: int, chunk: int, first_lead: Ints, until: int) -> pa.Table:
    """Return the table with ``created_at``: with the first lead or deal (60 %), or up to 900 days before it.

    ``first_lead`` is in seconds by account, negative where the account has neither; those were created on any day up
    to ``until`` (seconds).
    """
    rng = stream(seed, "accounts.created_at", chunk)
    count = len(accounts)
    early = rng.integers(1, 900, count) * DAY
    early[rng.random(count) < 0.6] = 0
    anywhere = rng.integers(0, until, count)
    created = np.where(first_lead < 0, anywhere, first_lead) - early
    position = accounts.table.schema.get_field_index("created_at")
    return accounts.table.set_column(position, accounts.table.schema.field(position), timestamps(created))
