"""Build the demo company in a folder: chunk by chunk, beside, then renamed into place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from smarketing.company.demo import dirt
from smarketing.company.demo.accounts import Accounts, make_accounts, with_creation
from smarketing.company.demo.activities import call_outcomes, make_activities
from smarketing.company.demo.attributes import CALL_OUTCOME
from smarketing.company.demo.catalogue import Campaigns, Owners, make_campaigns, make_owners, make_products
from smarketing.company.demo.columns import arrow_schema, arrow_table, ids, labels, seconds_of, timestamps
from smarketing.company.demo.deals import Deals, make_deals, make_history
from smarketing.company.demo.experiments import make_experiments
from smarketing.company.demo.journeys import REASONS, STAGES, LeadEvents, walk
from smarketing.company.demo.leads import Leads, make_leads
from smarketing.company.demo.rules_score import make_scores
from smarketing.company.demo.touches import make_touches
from smarketing.company.demo.truth import DemoTruth, describe_world
from smarketing.company.demo.world import BLANK, LEADS_PER_ACCOUNT, SOURCES, START, UNKNOWN, Ints

TABLES = (
    "accounts", "owners", "products", "campaigns", "leads", "stage_events", "opportunities", "opportunity_history",
    "touches", "activities", "scores", "assignments",
)  # fmt: skip
CHUNK_LEADS = 200_000
SHORTEST_DAYS, FEWEST_LEADS = 90, 200
MANIFEST, TRUTH = "manifest.json", "truth.json"
DEAL_STAGES = ("opportunity", "won", "lost")


@dataclass(frozen=True)
class Chunk:
    """The tables of some accounts and all that happened to them, and the dirty rows among them by kind."""

    tables: Mapping[str, pa.Table]
    dirt: Mapping[str, int]


def world_version() -> str:
    """Return a digest of the simulator's source, so that a changed simulator builds anew."""
    digest = hashlib.sha256()
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def stage_table(
    events: LeadEvents, second: Ints, leads: Leads, deals: Deals, owners: Owners, stray: pa.Table
) -> pa.Table:
    """Put leads' and deals' events into one table in order of time; sales' stages name who entered them."""
    creates, closes = np.arange(len(deals)), np.flatnonzero(deals.outcome > 0)
    deal = np.concatenate([creates, closes])
    sold = np.concatenate([creates * 0, deals.outcome[closes]])
    at = np.concatenate([second, deals.created, deals.closed[closes]])
    by_sales = np.isin(events.stage, [STAGES.index(name) for name in ("sal", "sql", "rejected", "recycled")])
    actor = np.concatenate([np.where(by_sales, leads.owner[events.lead], -1), deals.owner[deal]])
    kinds = np.concatenate([events.stage * 0, deal * 0 + 1])
    columns = {
        "subject_id": pa.concat_arrays([ids("L", leads.first + events.lead), ids("O", deals.first + deal)]),
        "subject_kind": labels(("lead", "opportunity"), kinds),
        "stage": labels((*STAGES, *DEAL_STAGES), np.concatenate([events.stage, len(STAGES) + sold])),
        "actor_id": labels(owners.owner_id, actor),
        "reason": labels(REASONS, np.concatenate([events.reason, np.full(len(deal), -1)])),
        "spell": pa.array(np.concatenate([events.spell, deals.spell[deal]])),
        "at": timestamps(at),
    }
    return in_order(pa.concat_tables([arrow_table("stage_events", columns, len(at)), stray]))


def in_order(table: pa.Table) -> pa.Table:
    """Return the rows in order of ``at``; those of the same second stay as they were."""
    stamps = table.column("at").cast(pa.int64()).to_numpy()
    return table.take(pa.array(np.argsort(stamps, kind="stable")))


def first_seconds(accounts: Accounts, leads: Leads, deals: Deals) -> Ints:
    """Return when each account first had a lead or a deal, -1 where it had neither."""
    never = np.iinfo(np.int64).max
    first = np.full(len(accounts), never)
    np.minimum.at(first, leads.account, leads.second)
    np.minimum.at(first, deals.account, deals.created)
    return np.where(first == never, -1, first)


def chunk_sizes(leads: int) -> list[int]:
    """Return how many leads each chunk has."""
    return [min(CHUNK_LEADS, leads - before) for before in range(0, leads, CHUNK_LEADS)]


def make_people(
    seed: int, chunk: int, count: int, before: Mapping[str, int], owners: Owners, campaigns: Campaigns, as_of: date
) -> tuple[Accounts, Leads]:
    """Make a chunk's accounts and its ``count`` leads; ``before`` says how many rows of each table come before."""
    accounts = make_accounts(seed, chunk, before["accounts"] + 1, max(2, round(count / LEADS_PER_ACCOUNT)))
    return accounts, make_leads(seed, chunk, before["leads"] + 1, count, accounts, owners, campaigns, as_of)


def make_chunk(
    seed: int, chunk: int, count: int, before: Mapping[str, int], owners: Owners, campaigns: Campaigns, as_of: date
) -> Chunk:
    """Simulate ``count`` leads, their accounts and their deals; ``before`` are the rows by table that come before."""
    end = seconds_of(as_of) + 86_400
    accounts, leads = make_people(seed, chunk, count, before, owners, campaigns, as_of)
    events, handovers = walk(seed, chunk, leads, accounts, as_of)
    deals = make_deals(seed, chunk, before["opportunities"] + 1, handovers, leads, accounts, owners, as_of)

    account_table = with_creation(accounts, seed, chunk, first_seconds(accounts, leads, deals), end)
    next_account = accounts.first + len(accounts)
    account_table, lead_table, moved = dirt.dirty_accounts(seed, chunk, account_table, accounts, leads, next_account)
    lead_table, lost = dirt.dirty_leads(seed, chunk, lead_table, leads.first, moved)
    linked = pc.equal(lead_table.column("account_id"), leads.table.column("account_id")).to_numpy()
    position = lead_table.schema.get_field_index(CALL_OUTCOME)
    noted = call_outcomes(seed, chunk, leads, events, deals)
    lead_table = lead_table.set_column(position, lead_table.schema.field(position), noted)
    deal_table, homeless, silent = dirt.dirty_deals(seed, chunk, deals, count)
    second, early = dirt.backdate(seed, chunk, events, leads)
    stray_table, stray = dirt.stray_events(seed, chunk, leads)
    dealt = make_experiments(seed, chunk, leads, accounts, events, deals, linked, as_of)
    sales = make_activities(seed, chunk, leads, accounts, events, deals, owners, as_of)
    tables = {
        "accounts": account_table,
        "leads": lead_table,
        "stage_events": stage_table(events, second, leads, deals, owners, stray_table),
        "opportunities": deal_table,
        "opportunity_history": make_history(seed, chunk, deals, as_of),
        "touches": make_touches(seed, chunk, before["touches"] + 1, leads, accounts, campaigns, as_of),
        "activities": in_order(pa.concat_tables([sales, dealt.replies])),
        "scores": make_scores(leads, accounts),
        "assignments": dealt.assignments,
    }
    counts = {
        dirt.DUPLICATE_ACCOUNTS: len(moved),
        dirt.LEADS_OF_UNKNOWN_ACCOUNTS: lost,
        dirt.DEALS_WITHOUT_ACCOUNT: homeless,
        dirt.EVENTS_OF_UNKNOWN_LEADS: stray,
        dirt.EVENTS_BEFORE_CREATION: early,
        dirt.LOSSES_WITHOUT_REASON: silent,
        dirt.BLANK_SOURCES: int((leads.source == SOURCES.index(BLANK)).sum()),
        dirt.UNKNOWN_SOURCES: int((leads.source == SOURCES.index(UNKNOWN)).sum()),
    }
    return Chunk(tables, counts)


def build_demo(
    folder: Path,
    *,
    leads: int = 20_000,
    seed: int = 7,
    as_of: date = date(2026, 11, 15),
    progress: Callable[[str], None] | None = None,
) -> DemoTruth:
    """Simulate the demo company and write it into ``folder``: a Parquet file a table, and its truth.

    The same arguments give the same bytes. A company that is there already is replaced at the end, in one move; a
    folder that holds anything else is refused.

    Parameters
    ----------
    folder
        Where the company goes; made if need be.
    leads
        How many; about 2.4 stage events come of each.
    seed
        Of all random numbers; each table draws its own.
    as_of
        The last day that is known; the world begins on 2024-07-01.
    progress
        Called with a line at a time as the work goes on.
    """
    _check(folder, leads, seed, as_of)
    say = progress or (lambda line: None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.parent / f".{folder.name}.building-{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        dirty, rows = _write_tables(beside, leads, seed, as_of, say)
        say("adding up the truth")
        truth = describe_world(leads=leads, seed=seed, as_of=as_of, dirt=dirty, rows=rows)
        (beside / TRUTH).write_text(json.dumps(truth.to_dict(), indent=1) + "\n")
        (beside / MANIFEST).write_text(json.dumps(_manifest(beside, leads, seed, as_of), indent=1) + "\n")
        _move_into_place(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return truth


def read_truth(folder: Path) -> DemoTruth:
    """Read the truth that `build_demo` wrote; ``FileNotFoundError`` where there is none."""
    path = folder / TRUTH
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; build the demo company first with `smarketing demo`.")
    return DemoTruth.from_dict(json.loads(path.read_text()))


def is_built(
    folder: Path, *, leads: int = 20_000, seed: int = 7, as_of: date = date(2026, 11, 15)
) -> bool:  # fmt: skip
    """Whether ``folder`` holds the whole company that `build_demo` would build there with this simulator."""
    try:
        found = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return False
    if not all((folder / name).is_file() for name in _files()):
        return False
    return bool(found == _manifest(folder, leads, seed, as_of))


def _check(folder: Path, leads: int, seed: int, as_of: date) -> None:
    if leads < FEWEST_LEADS:
        raise ValueError(f"leads is {leads}; a demo company has at least {FEWEST_LEADS}.")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more.")
    if (as_of - START).days < SHORTEST_DAYS:
        raise ValueError(
            f"as_of is {as_of}; the demo company begins on {START} and needs at least {SHORTEST_DAYS} days of history."
        )
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / MANIFEST).is_file())):
        raise FileExistsError(f"{folder} holds something other than a demo company; choose an empty or a new folder.")


def _write_tables(
    folder: Path, leads: int, seed: int, as_of: date, say: Callable[[str], None]
) -> tuple[dict[str, int], dict[str, int]]:
    """Write all tables; returns the dirty rows by kind and the rows by table."""
    owners, campaigns = make_owners(seed), make_campaigns(as_of)
    small = {"owners": owners.table, "products": make_products(), "campaigns": campaigns.table}
    rows = dict.fromkeys(TABLES, 0)
    dirty: dict[str, int] = {}
    writers = {name: _writer(folder, name) for name in TABLES}
    try:
        for name, table in small.items():
            writers[name].write_table(table)
            rows[name] = len(table)
        for chunk, count in enumerate(chunk_sizes(leads)):
            made = make_chunk(seed, chunk, count, rows, owners, campaigns, as_of)
            for name, table in made.tables.items():
                writers[name].write_table(table)
                rows[name] += len(table)
            for kind, number in made.dirt.items():
                dirty[kind] = dirty.get(kind, 0) + number
            say(f"leads {rows['leads']:,} of {leads:,}, stage events {rows['stage_events']:,}")
    finally:
        for writer in writers.values():
            writer.close()
    return dirty, rows


def _writer(folder: Path, table: str) -> pq.ParquetWriter:
    """Open a table's file; ids never repeat enough for a dictionary to pay."""
    schema = arrow_schema(table)
    repeating = [
        item.name
        for item in schema
        if pa.types.is_string(item.type) and (not item.name.endswith("_id") or item.name in ("owner_id", "actor_id"))
    ]
    return pq.ParquetWriter(folder / f"{table}.parquet", schema, compression="snappy", use_dictionary=repeating)


def _files() -> tuple[str, ...]:
    return (*(f"{name}.parquet" for name in TABLES), TRUTH)


def _manifest(folder: Path, leads: int, seed: int, as_of: date) -> dict[str, Any]:
    """Say what the company was built with, and the bytes of each file."""
    sizes = {name: (folder / name).stat().st_size for name in _files()}
    return {"world": world_version(), "leads": leads, "seed": seed, "as_of": as_of.isoformat(), "bytes": sizes}


def _move_into_place(beside: Path, folder: Path) -> None:
    """Put the finished folder where the old one (if any) was."""
    old = folder.parent / f".{folder.name}.replaced-{os.getpid()}"
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
