"""Salesforce and HubSpot files, written here in the form in which they are exported, opened by the shipped mappings."""

from __future__ import annotations

import csv
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from smarketing.company.inputs import open_company
from smarketing.company.tables import Company, CompanyError

PROJECT = Path(__file__).parents[2]
NONE = "000000000000000AAA"


def write(folder: Path, name: str, header: str, *rows: str, quoted: bool = True) -> None:
    """Write a CSV file from lines whose cells are separated by ``|``."""
    with (folder / name).open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
        out.writerows(line.split("|") for line in (header, *rows))


def rows(company: Company, table: str, *columns: str) -> list[tuple[Any, ...]]:
    picked = company.table(table).select(*columns).to_pyarrow().to_pylist()
    return [tuple(row[column] for column in columns) for row in picked]


@pytest.fixture
def salesforce(tmp_path: Path) -> Path:
    write(
        tmp_path,
        "Lead.csv",
        "Id|IsDeleted|FirstName|Email|LeadSource|Status|Industry|OwnerId|ConvertedAccountId|ConvertedContactId|"
        "ConvertedOpportunityId|CreatedDate",
        "00Q1|0|Ada|ada@example.test|Web|Converted|Retail|0051|0011|0031|0061|2024-01-01 03:30:00",
        f"00Q2|0|Bob|bob@example.test||Open|Retail|0051|{NONE}|{NONE}|{NONE}|2024-07-01 12:00:00",
        f"00Q3|1|Cy|cy@example.test|Web|New||0051|{NONE}|{NONE}|{NONE}|2024-07-01 12:00:00",
        "00Q4|0|Di|di@example.test|Fair|New||0052|0011|0032|0061|2024-02-01 12:00:00",
    )
    write(
        tmp_path,
        "LeadHistory.csv",
        "Id|IsDeleted|LeadId|CreatedById|CreatedDate|Field|OldValue|NewValue",
        "0171|0|00Q2|0051|2024-07-02 12:00:00|Status|New|Marketing Qualified",
        "0172|0|00Q2|0051|2024-07-03 12:00:00|Status|Marketing Qualified|Nurturing",
        "0173|0|00Q2|0051|2024-08-03 12:00:00|Status|Nurturing|MQL",
        "0174|0|00Q2|0051|2024-08-03 12:00:00|Owner|0051|0052",
        "0175|0|00Q1|0051|2024-02-03 12:00:00|Status|Qualified|Converted",
    )
    write(
        tmp_path,
        "Opportunity.csv",
        "Id|IsDeleted|AccountId|Name|Description|StageName|Amount|CloseDate|Type|IsClosed|IsWon|OwnerId|CreatedDate|"
        "Loss_Reason__c",
        "0061|0|0011|One|<p>rich\ntext, <b>bold</b></p>|Closed Won|1200.5|2024-03-11 00:00:00|New Business|1|1|0051|"
        "2024-02-01 01:00:00|",
        f"0062|0|{NONE}|Two||Closed Lost|300|2024-04-11 00:00:00|Renewal|1|0|0051|2024-02-01 12:00:00|Price",
        "0063|0|0011|Three||Prospecting||2030-01-01 00:00:00||0|0|0052|2024-02-01 12:00:00|",
    )
    write(
        tmp_path,
        "OpportunityHistory.csv",
        "Id|OpportunityId|CreatedById|CreatedDate|StageName|Amount|ExpectedRevenue|CloseDate|Probability|IsDeleted",
        "0081|0061|0051|02/23/26 08:55 PM|Prospecting|1000|0|01/27/21|10|FALSE",
        "0082|0061|0051|2026-02-24 20:55:00|Closed Won|1200.5|0|2021-01-27 00:00:00|100|TRUE",
    )
    write(tmp_path, "User.csv", "Id|Name|UserRoleId|ManagerId", "0051|Eve|00E1|0052", f"0052|Fay|{NONE}|{NONE}")
    write(tmp_path, "Account.csv", "Id|IsDeleted|Name|Industry|NumberOfEmployees|CreatedDate|ParentId",
          f"0011|0|Acme|Retail|12|2023-01-01 00:30:00|{NONE}")  # fmt: skip
    write(tmp_path, "Campaign.csv", "Id|IsDeleted|Name|Type|StartDate|ActualCost",
          "7011|0|Fair|Trade Show|2024-01-15 00:00:00|5000", "7012|0|Mail|Email|2024-01-15 00:00:00|")  # fmt: skip
    write(tmp_path, "CampaignMember.csv", "Id|IsDeleted|CampaignId|LeadId|ContactId|Status|CreatedDate",
          f"00v1|0|7012|00Q1|{NONE}|Sent|2024-01-03 12:00:00",
          f"00v2|0|7011|00Q1|{NONE}|Sent|2024-01-02 12:00:00")  # fmt: skip
    write(tmp_path, "Task.csv", "Id|IsDeleted|WhoId|WhatId|ActivityDate|TaskSubtype|OwnerId|CreatedDate",
          "00T1|0|00Q1|0061|2024-01-02|Call|0051|2024-01-02 12:00:00",
          f"00T2|0|0031|{NONE}|2024-01-02||0051|2024-01-02 12:00:00")  # fmt: skip
    write(tmp_path, "OpportunityContactRole.csv", "Id|IsDeleted|OpportunityId|ContactId|Role|IsPrimary",
          "00K1|0|0061|0031|Decision Maker|1", "00K2|0|0061|0039|Evaluator|0")  # fmt: skip
    return tmp_path


def open_shipped(name: str, data: Path) -> Company:
    return open_company(PROJECT / f"params/inputs/{name}.yml", data=data)


def test_salesforce_leads_are_shifted_to_the_company_and_lose_their_names(salesforce: Path) -> None:
    company = open_shipped("salesforce", salesforce)
    # New York is 5 hours behind UTC in January and 4 in July, so 03:30 UTC is the day before.
    assert rows(company, "leads", "lead_id", "account_id", "created_at", "source", "campaign_id", "owner_id") == [
        ("00Q1", "0011", datetime(2023, 12, 31, 22, 30), "Web", "7011", "0051"),
        ("00Q2", None, datetime(2024, 7, 1, 8, 0), None, None, "0051"),
        ("00Q4", "0011", datetime(2024, 2, 1, 7, 0), "Fair", None, "0052"),
    ]
    assert not {"first_name", "email"} & set(company.table("leads").columns)
    assert company.table("leads").columns[-2:] == ("status", "industry")
    assert "leads: 1 row of Lead.csv left out by deleted: IsDeleted" in company.notes


def test_salesforce_field_history_becomes_stages_and_spells(salesforce: Path) -> None:
    company = open_shipped("salesforce", salesforce)
    events = sorted(rows(company, "stage_events", "at", "subject_id", "subject_kind", "stage", "spell"))
    assert events == [
        (datetime(2024, 7, 2, 8), "00Q2", "lead", "mql", 1),
        (datetime(2024, 7, 3, 8), "00Q2", "lead", "recycled", 1),
        (datetime(2024, 8, 3, 8), "00Q2", "lead", "mql", 2),
    ]
    assert company.records("stage_events", "spell")


def test_salesforce_deals_have_outcomes_their_lead_and_dates_that_are_days(salesforce: Path) -> None:
    company = open_shipped("salesforce", salesforce)
    deals = rows(company, "opportunities", "opportunity_id", "lead_id", "account_id", "outcome", "amount", "kind",
                 "closed_at", "expected_close", "created_at", "loss_reason")  # fmt: skip
    created = datetime(2024, 2, 1, 7)
    assert deals == [
        ("0061", "00Q1", "0011", "won", 1200.5, "new", datetime(2024, 3, 11), None, datetime(2024, 1, 31, 20), None),
        ("0062", None, None, "lost", 300.0, "renewal", datetime(2024, 4, 11), None, created, "Price"),
        ("0063", None, "0011", "open", None, None, None, datetime(2030, 1, 1), created, None),
    ]
    assert rows(company, "opportunity_history", "opportunity_id", "at", "stage", "expected_close") == [
        ("0061", datetime(2026, 2, 23, 15, 55), "Prospecting", datetime(2021, 1, 27))
    ]


def test_salesforce_people_campaigns_and_work(salesforce: Path) -> None:
    company = open_shipped("salesforce", salesforce)
    assert rows(company, "owners", "owner_id", "name", "manager", "team") == [
        ("0051", "Eve", "Fay", None),
        ("0052", "Fay", None, None),
    ]
    assert sorted(rows(company, "touches", "touch_id", "lead_id", "channel")) == [
        ("00v1", "00Q1", "Email"),
        ("00v2", "00Q1", "Trade Show"),
    ]
    assert rows(company, "spend", "campaign_id", "at", "amount") == [("7011", datetime(2024, 1, 15), 5000.0)]
    assert sorted(rows(company, "activities", "kind", "lead_id", "opportunity_id")) == [
        ("Call", "00Q1", "0061"),
        ("Task", None, None),
    ]
    assert rows(company, "opportunity_contacts", "opportunity_id", "lead_id", "role") == [
        ("0061", "00Q1", "Decision Maker")
    ]
    assert "spend: 1 row of Campaign.csv without `amount` left out: campaigns without an actual cost" in company.notes


def test_salesforce_needs_leads_and_opportunities_only(salesforce: Path) -> None:
    for file in salesforce.glob("*.csv"):
        if file.name not in ("Lead.csv", "Opportunity.csv"):
            file.unlink()
    company = open_shipped("salesforce", salesforce)
    assert set(company.tables) == {"leads", "opportunities"}
    assert "stage_events: there is no LeadHistory.csv" in company.notes
    assert rows(company, "leads", "campaign_id") == [(None,)] * 3


def test_a_salesforce_report_loses_its_footer(tmp_path: Path) -> None:
    report = (
        '"Lead ID","Lead Source","Create Date","Company / Account"\n'
        '"00Q1","Web","1/31/2024","Total Foods"\n'
        '"00Q2","Fair","2/1/2024","Total"\n'
        "\n"
        '"Grand Totals (2 records)"\n'
        '"Confidential Information - Do Not Distribute"\n'
        '"Copyright (c) 2000-2024 salesforce.com, inc. All rights reserved."\n'
    )
    (tmp_path / "report.csv").write_text(report, encoding="cp1252")
    (tmp_path / "report.yml").write_text(
        """
name: Report
data: {folder: .}
tables:
  leads:
    file: report.csv
    encoding: cp1252
    footer: ['Grand Totals (*', 'Total', 'Confidential Information*', 'Copyright (c)*']
    columns:
      lead_id: Lead ID
      source: Lead Source
      created_at: {column: Create Date, format: '%m/%d/%Y'}
    attributes: all
"""
    )
    company = open_company(tmp_path / "report.yml")
    assert rows(company, "leads", "lead_id", "source", "created_at", "company_account") == [
        ("00Q1", "Web", datetime(2024, 1, 31), "Total Foods"),
        ("00Q2", "Fair", datetime(2024, 2, 1), "Total"),
    ]
    assert company.notes == ("report.csv: 3 footer rows left out",)
    assert company.sources[0].rows == 2


@pytest.fixture
def hubspot(tmp_path: Path) -> Path:
    write(
        tmp_path,
        "all-contacts.csv",
        "Record ID|First Name|Email|Lifecycle Stage|Create Date|Original Source|Contact owner|Associated Company ID|"
        "Became a Lead Date|Became a Marketing Qualified Lead Date|Became a Sales Qualified Lead Date|"
        "Became a Customer Date",
        "1|Ada|ada@example.test|Customer |2024-01-01 10:30|Organic Search|Eve|11|2024-01-01 10:30|2024-01-02 09:00|"
        "2024-01-05 09:00|2024-03-01 17:45",
        "2|Bob|bob@example.test|Lead|2024-01-03 10:30|Direct Traffic|Eve||2024-01-03 10:30|||",
        quoted=False,
    )
    write(
        tmp_path,
        "all-deals.csv",
        "Record ID|Deal Name|Deal Stage|Deal Type|Deal owner|Amount|Create Date|Close Date|Is Closed Won|Is closed lost"
        '|Associated Company (Primary)|Cumulative time in "Demo (Sales)" (HH:mm:ss)',
        "91|One|Closed Won |New Business|Eve|1200|2024-01-06 10:00|2024-03-01 17:45|True|False|Acme|2705:47:48",
        "92|Two|Closed Lost|Existing Business|Eve||2024-01-06 10:00|2024-02-01 10:00|false|true|Nowhere Inc|",
        "93|Three|Demo |newbusiness|Eve|50|2024-01-06 10:00|2030-02-01 10:00|false|false||01:00:00",
        quoted=False,
    )
    write(
        tmp_path,
        "all-companies.csv",
        "Record ID|Company name|Create Date|Industry|Annual Revenue|Number of Employees|Country/Region|Target Account",
        "12|Acme|2024-02-01 00:00|RETAIL|2000000|100|France|false",
        "11|Acme |2023-01-01 00:00|RETAIL|1000000|50|France|true",
        quoted=False,
    )
    return tmp_path


def test_hubspot_dates_of_the_lifecycle_become_stages(hubspot: Path) -> None:
    company = open_shipped("hubspot", hubspot)
    assert sorted(rows(company, "stage_events", "at", "subject_id", "stage")) == [
        (datetime(2024, 1, 2, 9), "1", "mql"),
        (datetime(2024, 1, 5, 9), "1", "sql"),
        (datetime(2024, 3, 1, 17, 45), "1", "won"),
    ]
    assert rows(company, "leads", "lead_id", "account_id", "created_at", "source") == [
        ("1", "11", datetime(2024, 1, 1, 10, 30), "Organic Search"),
        ("2", None, datetime(2024, 1, 3, 10, 30), "Direct Traffic"),
    ]
    assert company.notes == ()


def test_hubspot_deals_have_trimmed_stages_outcomes_and_the_older_of_two_companies(hubspot: Path) -> None:
    company = open_shipped("hubspot", hubspot)
    columns = ("opportunity_id", "stage", "outcome", "amount", "kind", "account_id", "closed_at", "expected_close")
    assert rows(company, "opportunities", *columns) == [
        ("91", "Closed Won", "won", 1200.0, "new", "11", datetime(2024, 3, 1, 17, 45), None),
        ("92", "Closed Lost", "lost", None, "expansion", None, datetime(2024, 2, 1, 10), None),
        ("93", "Demo", "open", 50.0, "new", None, None, datetime(2030, 2, 1, 10)),
    ]
    assert sorted(rows(company, "accounts", "account_id", "target_account", "employees")) == [
        ("11", True, 50),
        ("12", False, 100),
    ]


def test_two_exports_in_one_folder_are_refused_by_their_doubles(hubspot: Path) -> None:
    shutil.copy(hubspot / "all-companies.csv", hubspot / "old-companies.csv")
    with pytest.raises(CompanyError) as error:
        open_shipped("hubspot", hubspot)
    assert str(error.value) == (
        "hubspot.yml, table `accounts`, *companies*.csv: `account_id` identifies a company that is or could be a "
        "customer, but it is repeated in 2 rows: '11' 2 times, '12' 2 times. Remove the doubles, or keep the last of "
        "each by `latest_by: <their time column>`"
    )
