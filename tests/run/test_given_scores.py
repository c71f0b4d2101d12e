"""Scores of earlier reports as rows of the company's table: other versions' files are read, damaged ones are named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from small_companies import company_of
from smarketing.company.tables import Company, CompanyError
from smarketing.run.given_scores import with_given_scores

NAME = "40_lead_scoring/demo/2026-10-01/scores.parquet"
REMEDY = "Run that report again for its day, or take the file away: its scores are then not looked back on."


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {"subject_id": ["a", "b"], "system": "smarketing", "at": pd.Timestamp("2026-10-01"), "score": [0.4, 0.1],
         "band": ["A", "C"], "qualified": [True, False], "explore": [False, True], "promise": "wins",
         "explore_share": 0.05}
    )  # fmt: skip


def read_with(reports: Path, written: pd.DataFrame | bytes, own: pd.DataFrame | None = None) -> Company:
    path = reports / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(written, bytes):
        path.write_bytes(written)
    else:
        written.to_parquet(path, index=False)
    company = company_of(ibis.duckdb.connect(), {} if own is None else {"scores": own})
    return with_given_scores(company, reports, "demo", before=date(2026, 11, 1))


def test_files_of_earlier_versions_lack_what_was_decided_and_promised(tmp_path: Path) -> None:
    later = ["qualified", "explore", "promise", "explore_share"]
    own = rows().head(1)[["subject_id", "system", "at", "score", "band"]].assign(system="crm")
    held = read_with(tmp_path, rows().drop(columns=later), own).table("scores").execute()
    assert sorted(held["system"]) == ["crm", "smarketing", "smarketing"]
    assert held[later].isna().all().all()
    now = read_with(tmp_path, rows(), own).table("scores").execute()
    assert now["explore_share"].dropna().tolist() == [0.05, 0.05]


@pytest.mark.parametrize("column", ["subject_id", "system", "at", "score", "band"])
def test_a_column_that_every_version_wrote_has_to_be_there(tmp_path: Path, column: str) -> None:
    with pytest.raises(CompanyError) as error:
        read_with(tmp_path, rows().drop(columns=column))
    assert str(error.value) == f"{NAME} in the folder of reports has no column {column}. {REMEDY}"


def test_a_damaged_column_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompanyError) as error:
        read_with(tmp_path, rows().assign(score=["0.4", "much"]))
    kind = pa.Table.from_pandas(rows().assign(score=["0.4", "much"]))["score"].type
    assert str(error.value) == (
        f"{NAME} in the folder of reports: column score is of type {kind} and cannot be read as double (Failed to "
        f"parse string: 'much' as a scalar of type double). {REMEDY}"
    )
    with pytest.raises(CompanyError) as error:
        read_with(tmp_path, b"no parquet")
    assert str(error.value) == f"{NAME} in the folder of reports cannot be read as a Parquet file. {REMEDY}"
