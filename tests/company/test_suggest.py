"""Suggested mappings for headers that nobody has mapped, from the headers that real systems export."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from smarketing.company.inputs import check_inputs, open_company
from smarketing.company.suggest import suggest_columns, suggest_mapping, suggest_table

SALESFORCE_LEAD = [
    "Id", "IsDeleted", "FirstName", "LastName", "Title", "Company", "Country", "Email", "Website", "LeadSource",
    "Status", "Industry", "AnnualRevenue", "NumberOfEmployees", "OwnerId", "IsConverted", "ConvertedDate",
    "ConvertedAccountId", "CreatedDate",
]  # fmt: skip
SALESFORCE_OPPORTUNITY = [
    "Id", "IsDeleted", "AccountId", "Name", "StageName", "Amount", "Probability", "CloseDate", "Type", "LeadSource",
    "IsClosed", "IsWon", "CampaignId", "OwnerId", "CreatedDate",
]  # fmt: skip
WAREHOUSE_OPPORTUNITY = [
    "id", "is_deleted", "account_id", "stage_name", "amount", "close_date", "type", "is_closed", "is_won", "owner_id",
]  # fmt: skip
HUBSPOT_DEAL = [
    "Record ID", "Deal Name", "Deal Stage", "Deal owner", "Amount", "Create Date", "Close Date", "Is Closed Won",
    "Is closed lost", "Original Traffic Source", "Associated Company (Primary)",
]  # fmt: skip
HUBSPOT_COMPANY = ["Record ID", "Company name", "Create Date", "Industry", "Number of Employees", "Country/Region"]
OLIST_LEAD = ["mql_id", "first_contact_date", "landing_page_id", "origin"]


@pytest.mark.parametrize(
    ("headers", "table", "columns"),
    [
        (
            SALESFORCE_LEAD,
            "leads",
            {"lead_id": "Id", "account_id": "ConvertedAccountId", "source": "LeadSource", "owner_id": "OwnerId",
             "created_at": "CreatedDate"},
        ),
        (
            SALESFORCE_OPPORTUNITY,
            "opportunities",
            {"opportunity_id": "Id", "account_id": "AccountId", "stage": "StageName", "outcome": "StageName",
             "owner_id": "OwnerId", "kind": "Type", "amount": "Amount", "created_at": "CreatedDate",
             "closed_at": "CloseDate"},
        ),
        (
            WAREHOUSE_OPPORTUNITY,
            "opportunities",
            {"opportunity_id": "id", "account_id": "account_id", "stage": "stage_name", "outcome": "stage_name",
             "owner_id": "owner_id", "kind": "type", "amount": "amount", "closed_at": "close_date"},
        ),
        (
            HUBSPOT_DEAL,
            "opportunities",
            {"opportunity_id": "Record ID", "account_id": "Associated Company (Primary)", "stage": "Deal Stage",
             "outcome": "Deal Stage", "owner_id": "Deal owner", "amount": "Amount", "created_at": "Create Date",
             "closed_at": "Close Date"},
        ),
        (
            HUBSPOT_COMPANY,
            "accounts",
            {"account_id": "Record ID", "name": "Company name", "industry": "Industry", "country": "Country/Region",
             "employees": "Number of Employees", "created_at": "Create Date"},
        ),
        (OLIST_LEAD, "leads", {"lead_id": "mql_id", "source": "origin", "created_at": "first_contact_date"}),
        (["mql_id", "seller_id", "sr_id", "won_date"], "stage_events",
         {"subject_id": "mql_id", "actor_id": "sr_id", "at": "won_date"}),
        (["opportunty_id", "creatd_at", "outcomes"], "opportunities",
         {"opportunity_id": "opportunty_id", "created_at": "creatd_at", "outcome": "outcomes"}),
        (["recency", "visit", "spend"], None, {}),
    ],
)  # fmt: skip
def test_headers_of_real_systems_are_recognised(headers: list[str], table: str | None, columns: dict[str, str]) -> None:
    assert suggest_table(headers) == table
    if table:
        assert suggest_columns(table, headers) == columns


def test_a_suggestion_can_be_pasted_and_opened(tmp_path: Path) -> None:
    cells = {"IsWon": "1", "IsClosed": "1", "Amount": "5", "CreatedDate": "2024-01-01", "CloseDate": "2024-02-01"}
    rows = ",".join(SALESFORCE_OPPORTUNITY) + "\n" + ",".join(cells.get(h, "x") for h in SALESFORCE_OPPORTUNITY)
    (tmp_path / "Opps 2024.csv").write_text(rows + "\n")
    inputs = tmp_path / "co.yml"
    inputs.write_text("name: Co\ndata: {folder: .}\ntables:\n  opportunities: {file: Opps 2024.csv}\n")
    (fault,) = check_inputs(inputs)
    head, suggestion = fault.split("A mapping to start from:\n")
    assert head == (
        "co.yml, table `opportunities`, Opps 2024.csv: `opportunity_id`, `created_at` and `outcome` are not "
        "mapped. Its headers are "
        f"{', '.join(SALESFORCE_OPPORTUNITY)}. "
    )
    inputs.write_text(f"name: Co\ndata: {{folder: .}}\ntables:\n{suggestion}\n")
    company = open_company(inputs)
    (deal,) = company.table("opportunities").to_pyarrow().to_pylist()
    assert (deal["opportunity_id"], deal["outcome"], deal["amount"], deal["lead_source"]) == ("x", "won", 5.0, "x")


def test_a_mapping_made_for_other_headers_is_answered_with_a_whole_new_one(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("mql_id,first_contact_date,landing_page_id,origin\n1,2024-01-01,p,social\n")
    inputs = tmp_path / "co.yml"
    columns = "{lead_id: Id, created_at: CreatedDate, source: LeadSource}"
    inputs.write_text(f"name: Co\ndata: {{folder: .}}\ntables:\n  leads: {{file: leads.csv, columns: {columns}}}\n")
    assert check_inputs(inputs) == [
        "co.yml, table `leads`, leads.csv: there is no column `Id` for `lead_id`. Its headers are mql_id, "
        "first_contact_date, landing_page_id, origin. A mapping to start from:\n"
        "  leads:\n"
        "    file: leads.csv\n"
        "    columns:\n"
        "      lead_id: mql_id\n"
        "      source: origin\n"
        "      created_at: first_contact_date\n"
        "    attributes: [landing_page_id]   # keep what is of use"
    ]


def test_a_file_mapped_to_the_wrong_table_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mql_id,first_contact_date,origin\n1,2024-01-01,social\n")
    inputs = tmp_path / "co.yml"
    inputs.write_text("name: Co\ndata: {folder: .}\ntables:\n  opportunities: {file: a.csv}\n")
    (fault,) = check_inputs(inputs)
    assert "A mapping to start from (the headers look more like `leads`):" in fault


def test_suggestions_leave_out_personal_columns_and_stay_yaml() -> None:
    text = suggest_mapping(
        "leads", ["Id", "CreatedDate", "E-mail", "First Name", "Lead: Score", "a 'quoted' one"], "l.csv"
    )
    said = yaml.safe_load(text)["leads"]
    assert said["attributes"] == ["Lead: Score", "a 'quoted' one"]
    assert said["columns"] == {"lead_id": "Id", "created_at": "CreatedDate"}


def test_unknown_headers_are_said_to_be_unknown(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("foo,bar\n1,2\n")
    inputs = tmp_path / "co.yml"
    inputs.write_text("name: Co\ndata: {folder: .}\ntables:\n  leads: {file: a.csv}\n")
    assert check_inputs(inputs) == [
        "co.yml, table `leads`, a.csv: `lead_id` and `created_at` are not mapped. Its headers are foo, bar. None of "
        "them is known here: map each column by hand."
    ]
