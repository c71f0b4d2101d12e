"""The scores that a case's reports gave out on earlier days, as rows of the company's table ``scores``."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from smarketing.company.tables import Company, CompanyError, Source
from smarketing.measures.scoring.giving.given import ROWS
from smarketing.run.artefacts import all_published

SCORES = "scores.parquet"
GIVERS = ("40_lead_scoring", "45_score_leads")
"""The notebooks that give out scores."""

LATER = ("qualified", "explore", "promise", "explore_share")
"""Columns that files of earlier versions may lack: what was decided or promised is then unknown."""

REMEDY = "Run that report again for its day, or take the file away: its scores are then not looked back on."


def with_given_scores(company: Company, reports: Path, case: str, *, before: date) -> Company:
    """Return the company with what reports made for days before ``before`` gave out, beside the scores it has.

    Other systems' scores have no columns of ours beyond the canonical ones (`ROWS`). The files count as sources, so
    that the run id knows them. Where nothing was given out, the company is returned as it is.

    Raises
    ------
    CompanyError
        A file cannot be read, lacks a column that every version wrote, or holds one of another type.
    """
    paths = [
        path
        for notebook in GIVERS
        for path in all_published(reports, notebook, case, SCORES, until=before - timedelta(days=1))
    ]
    if not paths:
        return company
    read = [_rows(path, path.relative_to(reports).as_posix()) for path in paths]
    given = ibis.memtable(pa.concat_tables(read)).cast(ROWS)
    table: ir.Table = given
    if company.has("scores"):
        own = company.table("scores")
        known = {name: own[name] if name in own.columns else ibis.null(kind) for name, kind in ROWS.items()}
        table = own.select(**known).cast(ROWS).union(given)
    sources = [
        Source("scores", path.relative_to(reports).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest(), len(one))
        for path, one in zip(paths, read, strict=True)
    ]
    recorded = company.recorded.get("scores", frozenset()) | set(ROWS)
    return replace(
        company,
        tables={**company.tables, "scores": table},
        recorded={**company.recorded, "scores": recorded},
        sources=(*company.sources, *sources),
    )


def _rows(path: Path, name: str) -> pa.Table:
    """Read one file of scores as `ROWS`; a file of an earlier version may lack what was decided and promised."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise CompanyError(f"{name} in the folder of reports cannot be read as a Parquet file. {REMEDY}") from error
    return pa.table({field.name: _column(table, field, name) for field in ibis.schema(ROWS).to_pyarrow()})


def _column(table: pa.Table, field: pa.Field, name: str) -> pa.ChunkedArray | pa.Array:
    if field.name not in table.column_names:
        if field.name in LATER:
            return pa.nulls(len(table), field.type)
        raise CompanyError(f"{name} in the folder of reports has no column {field.name}. {REMEDY}")
    column = table[field.name]
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise CompanyError(
            f"{name} in the folder of reports: column {field.name} is of type {column.type} and cannot be read as "
            f"{field.type} ({said}). {REMEDY}"
        ) from error
