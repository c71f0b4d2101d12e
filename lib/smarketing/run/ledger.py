"""The ledger: every figure that a published report showed, kept by notebook, case and as-of day.

An SQLite file beside the reports: a run is recorded in one transaction, so a crash loses that run and nothing else, and
two runs at once wait for each other. It holds nothing that the published ``figures.json`` files do not: `rebuild` makes
it anew from them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

    def record(self, recorded: Recorded, publish: Callable[[], None] | None = None) -> None:
        """Keep what a run recorded, in place of an earlier run for the same day.

        ``publish`` moves the report into place inside the same transaction, so that page and ledger agree and two runs
        do not publish at once.
        """
        with self._writing() as connection:
            if publish is not None:
                publish()
            _insert(connection, recorded)
            connection.execute(
                "delete from failures where notebook = ? and case_name = ?", (recorded.notebook, recorded.case)
            )

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
        recorded = [
            Recorded.from_json(path.read_text(encoding="utf-8"))
            for path in sorted(self.reports.glob("*/*/*/figures.json"))
            if not path.parent.name.startswith(".")
        ]
        with self._writing() as connection:
            connection.execute("delete from runs")
            connection.execute("delete from figures")
            for run in recorded:
                _insert(connection, run)
        return len(recorded)

    def _runs(self, where: str, values: tuple[str, ...]) -> tuple[Recorded, ...]:
        with self._reading() as connection:
            rows = connection.execute(f"select payload from runs where {where}", values).fetchall()
        return tuple(Recorded.from_json(row[0]) for row in rows)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        try:
            connection.execute("begin immediate")
            yield connection
            connection.execute("commit")
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        self.reports.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.file, timeout=60, isolation_level=None)
        connection.executescript(TABLES)
        return connection


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
