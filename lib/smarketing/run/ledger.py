"""The ledger: every figure that a published report showed, kept by notebook, case and as-of day.

An SQLite file beside the reports: a run is recorded in one transaction, so a crash loses that run and nothing else, and
two runs at once wait for each other. It holds nothing that the published ``figures.json`` files do not: `rebuild` makes
it anew from them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from smarketing.measures.results import Check, Finding, KeyFigure

FILE = "ledger.sqlite"

TABLES = """
create table if not exists runs (
  notebook text not null, case_name text not null, as_of text not null, run_id text not null, title text not null,
  headline text not null, definitions_version text not null, payload text not null,
  primary key (notebook, case_name, as_of)
);
create table if not exists figures (
  notebook text not null, case_name text not null, as_of text not null, position integer not null, name text not null,
  unit text not null, value real, lower real, upper real, n integer not null, period text not null,
  definitions_version text not null, maturity text not null, status text not null, payload text not null,
  primary key (notebook, case_name, as_of, name)
);
create table if not exists failures (
  notebook text not null, case_name text not null, as_of text not null, error text not null,
  primary key (notebook, case_name)
);
"""


class LedgerError(RuntimeError):
    """The ledger, or a ``figures.json`` that it is made from, cannot be read: which file, and how to put it right."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What one published report recorded. ``parameters`` are pairs in the order of the parameters cell."""

    notebook: str
    case: str
    as_of: date
    run_id: str
    title: str
    headline: str
    definitions_version: str
    definitions_sha256: str
    figures: tuple[KeyFigure, ...] = ()
    findings: tuple[Finding, ...] = ()
    checks: tuple[Check, ...] = ()
    parameters: tuple[tuple[str, Any], ...] = ()
    facts: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        names = [figure.name for figure in self.figures]
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise ValueError(f"{self.notebook} records figure {double[0]!r} twice; give each figure a name of its own.")

    def to_json(self) -> str:
        """Return the content of ``figures.json``."""
        values = {
            "notebook": self.notebook,
            "case": self.case,
            "as_of": self.as_of.isoformat(),
            "run_id": self.run_id,
            "title": self.title,
            "headline": self.headline,
            "definitions_version": self.definitions_version,
            "definitions_sha256": self.definitions_sha256,
            "parameters": [list(pair) for pair in self.parameters],
            "facts": [list(pair) for pair in self.facts],
            "figures": [figure.to_dict() for figure in self.figures],
            "findings": [finding.to_dict() for finding in self.findings],
            "checks": [check.to_dict() for check in self.checks],
        }
        return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read ``figures.json``."""
        values = json.loads(text)
        return cls(
            notebook=values["notebook"],
            case=values["case"],
            as_of=date.fromisoformat(values["as_of"]),
            run_id=values["run_id"],
            title=values["title"],
            headline=values["headline"],
            definitions_version=values["definitions_version"],
            definitions_sha256=values["definitions_sha256"],
            figures=tuple(KeyFigure.from_dict(figure) for figure in values["figures"]),
            findings=tuple(Finding.from_dict(finding) for finding in values["findings"]),
            checks=tuple(Check.from_dict(check) for check in values["checks"]),
            parameters=tuple((name, value) for name, value in values["parameters"]),
            facts=tuple((name, value) for name, value in values["facts"]),
        )


@dataclass(frozen=True, kw_only=True)
class RunState:
    """The latest state of a case of a notebook: its last published day, if any, and whether a later run failed."""

    notebook: str
    case: str
    as_of: date | None
    title: str
    headline: str
    state: Literal["ok", "failed"]
    failed_as_of: str = ""
    error: str = ""


class Ledger:
    """The ledger of a reports folder; opened for each use, closed after it."""

    def __init__(self, reports: Path) -> None:
        self.reports = reports
        self.file = reports / FILE

    def record(self, recorded: Recorded, publish: AbstractContextManager[None] | None = None) -> None:
        """Keep what a run recorded, in place of an earlier run for the same day.

        ``publish`` moves the report into place, and back if the transaction that it is entered in is not committed, so
        that page and ledger agree; while it is open no other run publishes.
        """
        with self._writing() as connection, publish or nullcontext():
            _insert(connection, recorded)
            connection.execute(
                "delete from failures where notebook = ? and case_name = ?", (recorded.notebook, recorded.case)
            )
            connection.execute("commit")

    def holds(self, recorded: Recorded) -> bool:
        """Whether exactly this is on record for its notebook, case and day."""
        key = (recorded.notebook, recorded.case, recorded.as_of.isoformat())
        return recorded in self._runs("notebook = ? and case_name = ? and as_of = ?", key)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other process from publishing."""
        with self._writing():
            yield

    def failed(self, notebook: str, case: str, as_of: str, error: str) -> None:
        """Note that the latest run of a case failed; what it published before stays."""
        with self._writing() as connection:
            connection.execute("insert or replace into failures values (?, ?, ?, ?)", (notebook, case, as_of, error))

    def read(self, case: str, as_of: date) -> tuple[Recorded, ...]:
        """Return what every notebook recorded for a case and a day, in notebook order."""
        return self._runs("case_name = ? and as_of = ? order by notebook", (case, as_of.isoformat()))

    def days(self, case: str) -> tuple[date, ...]:
        """Return the days for which a case has anything recorded, oldest first."""
        with self._reading() as connection:
            rows = connection.execute("select distinct as_of from runs where case_name = ? order by as_of", (case,))
            return tuple(date.fromisoformat(row[0]) for row in rows)

    def before(self, notebook: str, case: str, as_of: date) -> Recorded | None:
        """Return the last report: the latest one for an earlier day."""
        found = self._runs(
            "notebook = ? and case_name = ? and as_of < ? order by as_of desc limit 1",
            (notebook, case, as_of.isoformat()),
        )
        return found[0] if found else None

    def states(self) -> tuple[RunState, ...]:
        """Return the latest state of every case of every notebook, in notebook order."""
        latest: dict[tuple[str, str], Recorded] = {}
        for run in self._runs("1 = 1 order by as_of", ()):
            latest[(run.notebook, run.case)] = run
        with self._reading() as connection:
            failures = {(row[0], row[1]): row for row in connection.execute("select * from failures")}
        states = []
        for key in sorted({*latest, *failures}):
            last, failure = latest.get(key), failures.get(key)
            states.append(
                RunState(
                    notebook=key[0],
                    case=key[1],
                    as_of=last.as_of if last else None,
                    title=last.title if last else "",
                    headline=last.headline if last else "",
                    state="failed" if failure else "ok",
                    failed_as_of=failure[2] if failure else "",
                    error=failure[3] if failure else "",
                )
            )
        return tuple(states)

    def rebuild(self) -> int:
        """Make the ledger anew from the published ``figures.json`` files; return how many there were."""
        recorded = [run for path in sorted(self.reports.glob("*/*/*/figures.json")) for run in _published(path)]
        try:
            self._fill(recorded)
        except LedgerError:
            self.file.unlink()
            self._fill(recorded)
        return len(recorded)

    def _fill(self, recorded: list[Recorded]) -> None:
        with self._writing() as connection:
            connection.execute("delete from runs")
            connection.execute("delete from figures")
            for run in recorded:
                _insert(connection, run)

    def _runs(self, where: str, values: tuple[str, ...]) -> tuple[Recorded, ...]:
        with self._reading() as connection:
            rows = connection.execute(f"select payload from runs where {where}", values).fetchall()
        return tuple(Recorded.from_json(row[0]) for row in rows)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        # Reading leaves nothing behind where nothing has been recorded yet.
        with closing(self._open() if self.file.exists() else _opened(":memory:")) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        try:
            connection.execute("begin immediate")
            yield connection
            if connection.in_transaction:
                connection.execute("commit")
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        self.reports.mkdir(parents=True, exist_ok=True)
        try:
            return _opened(self.file)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise LedgerError(
                f"The ledger {self.file} cannot be read ({error}). Make it anew: smarketing ledger rebuild."
            ) from None


def _opened(file: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=60, isolation_level=None)
    try:
        connection.executescript(TABLES)
    except BaseException:
        connection.close()
        raise
    return connection


def _published(path: Path) -> Iterator[Recorded]:
    """Read a ``figures.json``; one that stands in another folder than its day's was never published."""
    try:
        recorded = Recorded.from_json(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError(
            f"{path} is not the record of a report ({type(error).__name__}: {error}). Restore it, or remove its folder."
        ) from None
    if path.parent.name == recorded.as_of.isoformat():
        yield recorded


def _insert(connection: sqlite3.Connection, run: Recorded) -> None:
    key = (run.notebook, run.case, run.as_of.isoformat())
    connection.execute("delete from figures where notebook = ? and case_name = ? and as_of = ?", key)
    connection.execute(
        "insert or replace into runs values (?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, run.run_id, run.title, run.headline, run.definitions_version, run.to_json()),
    )
    connection.executemany(
        "insert into figures values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *key,
                position,
                figure.name,
                figure.unit,
                figure.value,
                figure.lower,
                figure.upper,
                figure.n,
                figure.period,
                run.definitions_version,
                figure.maturity,
                figure.status,
                json.dumps(figure.to_dict(), ensure_ascii=False, allow_nan=False),
            )
            for position, figure in enumerate(run.figures)
        ],
    )
