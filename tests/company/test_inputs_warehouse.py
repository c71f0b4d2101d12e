"""Tables of a warehouse: the same mapping as of files, lazily, with the address kept in the environment."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import ibis
import pyarrow as pa
import pytest

from smarketing.company.inputs import check_inputs, open_company

PASSWORD = "correct-horse"
INPUTS = """
name: Warehouse
time_zone: Europe/Berlin
connection: {{backend: {backend}, url_env: TEST_WAREHOUSE_URL}}
tables:
  leads:
    table: {schema}.lead
    utc: true
    deleted: IsDeleted
    columns:
      lead_id: Id
      account_id: {{column: AccountId, lookup: {{table: {schema}.account, key: name, value: id}}}}
      created_at: CreatedDate
      source: {{column: LeadSource, values: {{Web: website}}, nulls: [Select]}}
    attributes: all
  opportunities:
    table: {schema}.deal
    columns:
      opportunity_id: id
      created_at: {{column: begun}}
      closed_at: {{column: ended, format: '%d/%m/%Y'}}
      amount: {{column: amount, scale: 1000, when: is_true(is_won)}}
      outcome: {{cases: [{{when: is_true(is_won), then: won}}], otherwise: open}}
"""
LEADS = pa.table(
    {
        "id": ["1", "2", "3"],
        "is_deleted": [False, True, None],
        "account_id": ["Acme", "Acme", None],
        "created_date": pa.array([datetime(2024, 7, 1, 22, 30)] * 3, pa.timestamp("us")),
        "lead_source": ["Web", "Web", "Select"],
        "employees": pa.array([5, 6, None], pa.int64()),
        "email": ["ada@example.test"] * 3,
    }
)
ACCOUNTS = pa.table({"id": ["11", "12"], "name": ["Acme", "Acme"]})
DEALS = pa.table(
    {
        "id": ["91", "92"],
        "begun": pa.array([datetime(2024, 7, 1).date()] * 2, pa.date32()),
        "ended": ["31/12/2024", None],
        "amount": [1.5, 2.5],
        "is_won": [True, False],
    }
)


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, Path]:
    """Return the backend, its schema and the input file of a filled warehouse."""
    if request.param == "duckdb":
        url, schema = f"duckdb://{tmp_path / 'warehouse.duckdb'}", "main"
        backend = ibis.duckdb.connect(tmp_path / "warehouse.duckdb")
    else:
        backend, schema = request.getfixturevalue("postgres"), "public"
        url = request.getfixturevalue("postgres_server")
    for name, table in {"lead": LEADS, "account": ACCOUNTS, "deal": DEALS}.items():
        backend.create_table(name, table)
    if request.param == "duckdb":
        backend.disconnect()
    monkeypatch.setenv("TEST_WAREHOUSE_URL", url)
    inputs = tmp_path / "warehouse.yml"
    inputs.write_text(INPUTS.format(backend=request.param, schema=schema))
    return request.param, schema, inputs


def test_a_warehouse_gives_the_same_tables_on_every_engine(warehouse: tuple[str, str, Path]) -> None:
    backend, schema, inputs = warehouse
    company = open_company(inputs)
    assert company.backend.name == backend
    leads = sorted(company.table("leads").to_pyarrow().to_pylist(), key=lambda lead: lead["lead_id"])
    midnight = datetime(2024, 7, 2, 0, 30)
    blank = {"campaign_id": None, "owner_id": None}
    assert leads == [
        {"lead_id": "1", "account_id": "11", "source": "website", "created_at": midnight, "employees": 5, **blank},
        {"lead_id": "3", "account_id": None, "source": None, "created_at": midnight, "employees": None, **blank},
    ]
    deals = sorted(company.table("opportunities").to_pyarrow().to_pylist(), key=lambda deal: deal["opportunity_id"])
    picked = [(deal["created_at"], deal["closed_at"], deal["outcome"], deal["amount"]) for deal in deals]
    begun = datetime(2024, 7, 1)
    assert picked == [(begun, datetime(2024, 12, 31), "won", 1500.0), (begun, None, "open", None)]
    assert [(source.name, source.sha256, source.rows) for source in company.sources] == [
        (f"{schema}.lead", "", 3),
        (f"{schema}.deal", "", 2),
    ]
    assert company.notes == (
        f"table `leads`, {schema}.lead: personal columns are left out: email",
        f"leads: 1 row of {schema}.lead left out by deleted: IsDeleted",
    )
    company.backend.disconnect()
    assert company.recorded["leads"] == {"lead_id", "account_id", "created_at", "source", "employees"}


def test_a_missing_warehouse_table_is_answered_with_the_nearest(warehouse: tuple[str, str, Path]) -> None:
    _, schema, inputs = warehouse
    inputs.write_text(inputs.read_text().replace(f"{schema}.deal", f"{schema}.deals"))
    assert check_inputs(inputs) == [
        f"warehouse.yml, table `opportunities`: the warehouse has no table {schema}.deals. Did you mean 'deal'?"
    ]


def test_text_that_is_no_date_is_a_message_of_the_engine(warehouse: tuple[str, str, Path]) -> None:
    backend, _, inputs = warehouse
    inputs.write_text(inputs.read_text().replace("column: begun", "column: id"))
    (fault,) = check_inputs(inputs)
    if backend == "duckdb":
        assert fault.startswith("warehouse.yml, table `opportunities`, main.deal: `created_at` (id) cannot be read as")
    else:
        assert fault.startswith("warehouse.yml, table `opportunities`, public.deal cannot be read: ")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            None,
            "the environment variable TEST_WAREHOUSE_URL is not set; it holds the address of the postgres warehouse, "
            "e.g. postgres://user:password@host/database",
        ),
        (
            f"mysql://me:{PASSWORD}@localhost/db",
            "the address in TEST_WAREHOUSE_URL does not begin with postgres://",
        ),
        (
            f"postgres://me:{PASSWORD}@127.0.0.1:1/db?connect_timeout=2",
            "no connection to the postgres warehouse at TEST_WAREHOUSE_URL (OperationalError); check the address, the "
            "password and the network",
        ),
    ],
)
def test_the_address_is_never_repeated(
    url: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = tmp_path / "warehouse.yml"
    inputs.write_text(INPUTS.format(backend="postgres", schema="public"))
    monkeypatch.delenv("TEST_WAREHOUSE_URL", raising=False)
    if url:
        monkeypatch.setenv("TEST_WAREHOUSE_URL", url)
    (fault,) = check_inputs(inputs)
    assert fault == f"warehouse.yml, {message}"
    assert PASSWORD not in fault
