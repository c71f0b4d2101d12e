"""Bring files and warehouse tables to the engine as they are: headers, rows numbered, hashed and counted.

CSV cells arrive as text and are read by the mapping; Parquet and warehouse tables stay where they are.
"""

from __future__ import annotations

import csv
import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import ibis
import ibis.common.exceptions
import ibis.expr.types as ir

from smarketing.company.input_file import Connection, TableSource
from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import nearest

ROW, FILE = "__row", "__file"
MEMORY_ENV = "SMARKETING_ENGINE_MEMORY"
"""The environment variable by which the embedded engine gets more memory, or less: a size such as 8GB."""

MEMORY = "1500MB"
"""What the embedded engine keeps in memory; beyond, it writes to the temporary folder."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class FileRead:
    """A file that was read: its name below the data folder, its SHA-256 (empty for a warehouse table), its rows."""

    name: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class Raw:
    """A file, glob or warehouse table on the engine, before any mapping.

    ``table`` carries their ``headers`` and the columns `ROW` (as a spreadsheet counts, the header being row 1; NULL in
    a warehouse) and `FILE`. ``is_text``: cells are text as in a CSV file. ``doubled``: headers that stand twice in a
    file. ``gaps``: for a header that some files of a glob lack, the first file that lacks it.
    """

    name: str
    table: ir.Table
    headers: tuple[str, ...]
    files: tuple[FileRead, ...]
    is_text: bool
    doubled: frozenset[str] = frozenset()
    gaps: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def embedded_engine() -> Any:
    """Return a DuckDB of our own: in memory, in UTC, without a progress bar, never reaching out for extensions."""
    backend = ibis.duckdb.connect()
    spill = Path(tempfile.gettempdir()) / "smarketing-duckdb"
    settings = (
        "autoinstall_known_extensions = false",
        "TimeZone = 'UTC'",
        f"temp_directory = {_quoted(spill)}",
    )
    for setting in settings:
        backend.con.execute(f"SET {setting}")
    memory = os.environ.get(MEMORY_ENV) or MEMORY
    try:
        backend.con.execute(f"SET memory_limit = {_quoted(memory)}")
    except duckdb.Error:
        raise CompanyError(
            f"the environment variable {MEMORY_ENV} is {memory!r}; write a size, such as 8GB or 500MB"
        ) from None
    # A progress bar would be printed into what a notebook shows. In a kernel without ipywidgets there is none, and
    # DuckDB then refuses to switch it off.
    with suppress(duckdb.InvalidInputException):
        backend.con.execute("SET enable_progress_bar = false")
    return backend


def connect(connection: Connection) -> Any:
    """Connect to a warehouse whose address is in the environment; no part of the address is ever repeated."""
    url = os.environ.get(connection.url_env, "")
    if not url:
        raise CompanyError(
            f"the environment variable {connection.url_env} is not set; it holds the address of the "
            f"{connection.backend} warehouse, e.g. {connection.backend}://user:password@host/database"
        )
    scheme = urlsplit(url).scheme.replace("postgresql", "postgres")
    if scheme != connection.backend:
        raise CompanyError(f"the address in {connection.url_env} does not begin with {connection.backend}://")
    try:
        if connection.backend == "duckdb":
            return ibis.duckdb.connect(unquote(url.removeprefix("duckdb://")), read_only=True)
        return ibis.connect(url)
    except Exception as error:  # every driver has errors of its own, and their texts may repeat the address
        raise CompanyError(
            f"no connection to the {connection.backend} warehouse at {connection.url_env} ({type(error).__name__}); "
            "check the address, the password and the network"
        ) from None


@contextmanager
def engine_errors(what: str) -> Iterator[None]:
    """Turn an engine's error into a `CompanyError` that begins with ``what``."""
    try:
        yield
    except CompanyError:
        raise
    except (duckdb.Error, OSError) as error:
        raise CompanyError(f"{what}: {str(error).strip().splitlines()[0]}") from None
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("ibis", "psycopg", "snowflake", "google", "trino", "pyspark"):
            raise CompanyError(f"{what}: {str(error).strip().splitlines()[0]}") from None
        raise


def _quoted(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _named(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Reader:
    """Reads the sources of one company, each file once however many tables are filled from it."""

    def __init__(self, backend: Any, folder: Path | None, progress: Progress | None = None) -> None:
        self.backend = backend
        self.folder = folder
        self._progress = progress or (lambda message: None)
        self._read: dict[tuple[object, ...], Raw] = {}
        self._hashes: dict[Path, str] = {}
        self._cells: list[str] = []
        self._count = 0

    def read(self, source: TableSource) -> Raw:
        """Return the source on the engine; raises `CompanyError` where it is missing or cannot be read."""
        key = (source.file, source.table, source.footer, source.encoding, source.delimiter)
        if key not in self._read:
            self._read[key] = self._files(source) if source.file is not None else self._table(str(source.table))
        return self._read[key]

    def has(self, pattern: str) -> bool:
        """Whether the data folder holds such a file, or one that matches."""
        return self.folder is not None and any(path.is_file() for path in self.folder.glob(pattern))

    def forget(self) -> None:
        """Free the CSV cells once the canonical tables are filled from them."""
        for raw in self._read.values():
            if raw.is_text:
                self.backend.con.execute(f"DROP VIEW {raw.table.get_name()}")
        for table in self._cells:
            self.backend.con.execute(f"DROP TABLE {table}")
        self._read.clear()
        self._cells.clear()

    def _table(self, name: str) -> Raw:
        *schema, table = name.split(".")
        try:
            theirs = self.backend.table(table, database=".".join(schema) or None)
        except (ibis.common.exceptions.IbisError, ibis.common.exceptions.TableNotFound):
            where = {"database": schema[0]} if len(schema) == 1 else {}
            with engine_errors(f"the tables beside {name} cannot be listed"), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # ibis 12 asks DuckDB 1.5 in an outdated way
                known = self.backend.list_tables(**where)
            raise CompanyError(f"the warehouse has no table {name}. {nearest(table, known) if known else ''}") from None
        with engine_errors(f"table {name} cannot be counted"):
            rows = int(theirs.count().to_pyarrow().as_py())
        numbered = theirs.mutate(**{ROW: ibis.null("int64"), FILE: ibis.literal(name)})
        return Raw(name, numbered, theirs.columns, (FileRead(name, "", rows),), is_text=False)

    def _files(self, source: TableSource) -> Raw:
        pattern = str(source.file)
        paths = self._found(pattern)
        kinds = {"csv" if path.suffix.lower() in (".csv", ".txt", ".tsv") else path.suffix.lower() for path in paths}
        if len(kinds) > 1 or kinds - {"csv", ".parquet"}:
            raise CompanyError(f"{pattern}: files are either .csv or .parquet, got {', '.join(sorted(kinds))}")
        for path in paths:
            self._progress(f"reading {self._short(path)}")
        return self._csv(pattern, paths, source) if kinds == {"csv"} else self._parquet(pattern, paths)

    def _found(self, pattern: str) -> list[Path]:
        assert self.folder is not None, "files are read from a folder"
        if not self.folder.is_dir():
            raise CompanyError(f"there is no data folder {self.folder}; set it by --data or in the input file")
        if any(mark in pattern for mark in "*?["):
            paths = sorted(path for path in self.folder.glob(pattern) if path.is_file())
            if not paths:
                raise CompanyError(f"no file matches {pattern}; the data folder holds {self._listing()}")
            return paths
        path = self.folder / pattern
        if not path.is_file():
            raise CompanyError(f"there is no file {pattern}; the data folder holds {self._listing()}")
        return [path]

    def _listing(self) -> str:
        assert self.folder is not None
        names = sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))
        return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "nothing"

    def _short(self, path: Path) -> str:
        assert self.folder is not None
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.name

    def _hash(self, path: Path) -> str:
        if path not in self._hashes:
            with path.open("rb") as stream:
                self._hashes[path] = hashlib.file_digest(stream, "sha256").hexdigest()
        return self._hashes[path]

    def _next(self) -> str:
        self._count += 1
        return f"_source_{self._count}"

    def _parquet(self, pattern: str, paths: list[Path]) -> Raw:
        con, view = self.backend.con, self._next()
        files, headers, gaps = list[FileRead](), dict[str, None](), dict[str, str]()
        for path in paths:
            with engine_errors(f"{self._short(path)} is not a readable Parquet file"):
                count = con.execute(f"SELECT num_rows FROM parquet_file_metadata({_quoted(path)})").fetchone()[0]
                about = con.execute(f"SELECT * FROM read_parquet({_quoted(path)}) LIMIT 0").description
            self._note_gaps(headers, gaps, [column[0] for column in about], self._short(path), first=not files)
            files.append(FileRead(self._short(path), self._hash(path), int(count)))
        listed = ", ".join(_quoted(path) for path in paths)
        with engine_errors(f"{pattern} cannot be read"):
            con.execute(
                f"CREATE VIEW {view} AS SELECT * EXCLUDE (file_row_number), file_row_number + 2 AS {ROW} "
                f"FROM read_parquet([{listed}], union_by_name=true, filename='{FILE}', file_row_number=true)"
            )
            table = self.backend.table(view)
        return Raw(pattern, table, tuple(headers), tuple(files), is_text=False, gaps=gaps)

    def _csv(self, pattern: str, paths: list[Path], source: TableSource) -> Raw:
        con, view = self.backend.con, self._next()
        files, selects, notes = list[FileRead](), list[str](), list[str]()
        headers, gaps, doubled = dict[str, None](), dict[str, str](), set[str]()
        for path in paths:
            name, kept = self._short(path), self._next()
            with tempfile.TemporaryDirectory() as scratch:
                plain, cut = _plain(path, name, source, Path(scratch) / "plain.csv")
                columns, delimiter, double = _header(plain, name, source.delimiter)
                self._load_csv(kept, plain, name, columns, delimiter)
            if cut:
                notes.append(f"{name}: {cut} footer row{'s' if cut > 1 else ''} left out")
            rows = con.execute(f"SELECT count(*) FROM {kept}").fetchone()[0]
            self._note_gaps(headers, gaps, columns, name, first=not files)
            files.append(FileRead(name, self._hash(path), int(rows)))
            self._cells.append(kept)
            doubled |= double
            selects.append(f"SELECT *, rowid + 2 AS {ROW}, {_quoted(name)} AS {FILE} FROM {kept}")
        con.execute(f"CREATE VIEW {view} AS {' UNION ALL BY NAME '.join(selects)}")
        table = self.backend.table(view)
        return Raw(pattern, table, tuple(headers), tuple(files), True, frozenset(doubled), gaps, tuple(notes))

    def _note_gaps(
        self, headers: dict[str, None], gaps: dict[str, str], columns: list[str], name: str, *, first: bool
    ) -> None:
        """Add a file's headers to those of its glob, and remember which file lacks which."""
        for column in columns:
            if column not in headers and not first:
                gaps.setdefault(column, "an earlier file")
        for header in headers:
            if header not in columns:
                gaps.setdefault(header, name)
        headers.update(dict.fromkeys(columns))

    def _load_csv(self, table: str, path: Path, name: str, columns: list[str], delimiter: str) -> None:
        con = self.backend.con
        types = ", ".join(f"{_quoted(column)}: 'VARCHAR'" for column in columns)
        try:
            con.execute(
                f"CREATE TABLE {table} AS SELECT * FROM read_csv({_quoted(path)}, auto_detect=false, header=true, "
                f"delim={_quoted(delimiter)}, quote='\"', escape='\"', columns={{{types}}}, store_rejects=true)"
            )
            wrong = con.execute(
                "SELECT line, min(error_type), min(error_message) FROM reject_errors GROUP BY line ORDER BY line"
            ).fetchall()
            con.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
        except duckdb.Error as error:
            raise CompanyError(f"{name} cannot be read as CSV: {str(error).splitlines()[0]}") from None
        if not wrong:
            return
        if any("unicode" in str(kind).lower() or "utf-8" in str(text).lower() for _, kind, text in wrong):
            raise CompanyError(f"{name}, row {wrong[0][0]}: is not UTF-8; add `encoding: cp1252` to the source")
        shown = "; ".join(f"row {line}: {str(text).splitlines()[0]}" for line, _, text in wrong[:3])
        raise CompanyError(
            f"{name} has {len(wrong):,} row{'s' if len(wrong) > 1 else ''} that cannot be read: {shown}. "
            f"The header has {len(columns)} columns; correct the rows (often a {delimiter!r} outside quotes), "
            "or list footer rows under `footer:`"
        )


def _plain(path: Path, name: str, source: TableSource, scratch: Path) -> tuple[Path, int]:
    """Return the file in UTF-8 without its footer rows, written to ``scratch`` where that differs; and rows cut."""
    if not source.footer and source.encoding.lower().replace("_", "-") in ("utf-8", "utf-8-sig", "utf8"):
        return path, 0
    encoding = "utf-8-sig" if source.encoding.lower() in ("utf-8", "utf8") else source.encoding
    try:
        with path.open(encoding=encoding, newline="") as stream:
            lines = stream.readlines()
    except (UnicodeDecodeError, LookupError) as error:
        raise CompanyError(f"{name} cannot be read as {source.encoding}: {error}; correct `encoding:`") from None
    end, cut = len(lines), 0
    while source.footer and end:
        cells = next(csv.reader([lines[end - 1]], delimiter=source.delimiter or ","), [])
        first = cells[0].strip() if cells else ""
        if any(cell.strip() for cell in cells) and not any(fnmatch(first, pattern) for pattern in source.footer):
            break
        end, cut = end - 1, cut + any(cell.strip() for cell in cells)
    scratch.write_text("".join(lines[:end]), encoding="utf-8", newline="")
    return scratch, cut


def _header(path: Path, name: str, delimiter: str | None) -> tuple[list[str], str, set[str]]:
    """Return the headers, the delimiter (the commonest in the header line unless given) and headers given twice."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            found = delimiter or max(",;\t|", key=first.count)
            stream.seek(0)
            cells = next(csv.reader(stream, delimiter=found), [])
    except UnicodeDecodeError:
        raise CompanyError(f"{name}, row 1: is not UTF-8; add `encoding: cp1252` to the source") from None
    if not any(cell.strip() for cell in cells):
        raise CompanyError(f"{name} has no header in its first line")
    headers: list[str] = []
    doubled: set[str] = set()
    for place, cell in enumerate(cells, start=1):
        header = cell.strip() or f"column {place}"
        if header.lower() in {earlier.lower() for earlier in headers}:
            doubled.add(header)
            header = f"{header} ({place})"
        headers.append(header)
    return headers, found, doubled
