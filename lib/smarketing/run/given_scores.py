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

from smarketing.company.tables import Company, Source
from smarketing.measures.scoring.giving.given import ROWS
from smarketing.run.artefacts import all_published

SCORES = "scores.parquet"
GIVERS = ("40_lead_scoring", "45_score_leads")
"""The notebooks that give out scores."""


def with_given_scores(company: Company, reports: Path, case: str, *, before: date) -> Company:
    """Return the company with what reports made for days before ``before`` gave out, beside the scores it has.

    Other systems' scores have no columns of ours beyond the canonical ones (`ROWS`). The files count as sources, so
    that the run id knows them. Where nothing was given out, the company is returned as it is.
    """
    paths = [
        path
        for notebook in GIVERS
        for path in all_published(reports, notebook, case, SCORES, until=before - timedelta(days=1))
    ]
    if not paths:
        return company
    read = [pq.read_table(path) for path in paths]
    kinds = ibis.schema(ROWS).to_pyarrow()
    # A file of an earlier version may lack a column; what it promised is then unknown.
    rows = [pa.table({f.name: _column(one, f) for f in kinds}) for one in read]
    given = ibis.memtable(pa.concat_tables(rows)).cast(ROWS)
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


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    return table[field.name].cast(field.type)
