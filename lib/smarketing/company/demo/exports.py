"""The demo company as the CSV files that a CRM exports: what both exports share.

A CRM does not hold all that the canonical tables hold, and not in their form; what each of them loses is said in
`salesforce` and `hubspot`. Neither export carries touches, activities, scores, or attributes other than those it
names. Person names, e-mail addresses and phone numbers are invented (``.example``, 555-01..).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from smarketing.company.demo.catalogue import FIRST_NAMES, LAST_NAMES
from smarketing.company.demo.write import MANIFEST, TABLES


@dataclass(frozen=True)
class Export:
    """One CSV file: its name, its header, the SQL behind the columns that are filled, and where the rows come from.

    A column of the header that ``filled`` does not name is empty in every row.
    """

    file: str
    header: tuple[str, ...]
    filled: Mapping[str, str]
    rows: str


def columns(text: str) -> tuple[str, ...]:
    """Split a header at its commas."""
    return tuple(name.strip() for name in text.split(","))


def person(number: str) -> tuple[str, str]:
    """Return SQL for an invented first and last name of the lead with this number."""
    first = ", ".join(f"'{name}'" for name in FIRST_NAMES)
    last = ", ".join(f"'{name}'" for name in LAST_NAMES)
    return (
        f"([{first}])[({number} * 7) % {len(FIRST_NAMES)} + 1]",
        f"([{last}])[({number} * 11 // {len(FIRST_NAMES)}) % {len(LAST_NAMES)} + 1]",
    )


def company_as_of(source: Path) -> date:
    """Return the as-of day of a built demo company; ``FileNotFoundError`` where there is none."""
    path = source / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{source} holds no demo company; build it first with `smarketing demo`.")
    return date.fromisoformat(json.loads(path.read_text())["as_of"])


def write_exports(folder: Path, source: Path, exports: tuple[Export, ...]) -> tuple[Path, ...]:
    """Write the files into ``folder`` at one go; a folder that holds other files is refused.

    Everything is quoted and an empty field is an empty string, as CRMs do.
    """
    names = {export.file for export in exports}
    if folder.exists() and not (folder.is_dir() and {path.name for path in folder.iterdir()} <= names):
        raise FileExistsError(f"{folder} holds other files than this export's; choose an empty or a new folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.parent / f".{folder.name}.building-{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        with duckdb.connect() as connection:
            for table in TABLES:
                connection.read_parquet(str(source / f"{table}.parquet")).create_view(table)
            for export in exports:
                _write(connection, beside / export.file, export)
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return tuple(folder / export.file for export in exports)


def _write(connection: duckdb.DuckDBPyConnection, path: Path, export: Export) -> None:
    unknown = sorted(set(export.filled) - set(export.header))
    if unknown:
        raise KeyError(f"{export.file} has no column {unknown[0]!r}; it has {', '.join(export.header)}.")
    selected = ", ".join(
        f"coalesce(({export.filled.get(name, 'null')})::varchar, '') as {_quoted(name)}" for name in export.header
    )
    connection.sql(f"select {selected} from {export.rows}").to_csv(str(path), header=True, quoting="all")


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
