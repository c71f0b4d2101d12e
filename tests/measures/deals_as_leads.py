"""The public B2B export with its deals read as leads: what is there to score it by, which is next to nothing."""

from __future__ import annotations

from pathlib import Path

from small_companies import definitions_of
from smarketing.company.definitions import Definitions
from smarketing.company.inputs import open_company
from smarketing.company.tables import Company

INPUTS = """
name: CRM opportunities, deals as leads
data: {folder: .}
tables:
  leads:
    file: sales_pipeline.csv
    columns: {lead_id: opportunity_id, account_id: account, created_at: engage_date, owner_id: sales_agent}
    attributes: {product: {column: product, values: {GTXPro: GTX Pro}}}
    drop_without: {created_at: deals in Prospecting have not been engaged}
    known: {before: [product]}
  stage_events:
    file: sales_pipeline.csv
    where: "deal_stage in ['Won', 'Lost']"
    columns:
      subject_id: opportunity_id
      subject_kind: {constant: lead}
      stage: {column: deal_stage, values: {Won: won, Lost: lost}}
      at: close_date
  accounts:
    file: accounts.csv
    columns:
      account_id: account
      parent_id: subsidiary_of
      industry: {column: sector, values: {technolgy: technology}}
      employees: employees
      annual_revenue: {column: revenue, scale: 1000000}
      country: office_location
    attributes: {year_established: {column: year_established, type: int64}}
    known: {before: [industry, employees, annual_revenue, country, year_established]}
observed_from:
  - stages: [won, lost]
    start: 2017-03-01
    treatment: delayed_entry
    because: no deal closes before 1 March 2017
"""


def open_deals_as_leads(folder: Path, scratch: Path) -> Company:
    """Open the export in ``folder``; its input file is written to ``scratch``."""
    inputs = scratch / "deals_as_leads.yml"
    inputs.write_text(INPUTS)
    return open_company(inputs, data=folder)


def agreed(within_days: int = 120) -> Definitions:
    """A lead is good that is won within the days."""
    scoring = {
        "to_stage": "won",
        "within_days": within_days,
        "weekly_capacity": 50,
        "cost_of_working": 100,
        "threshold": 0.5,
        "bands": {"A": 0.7, "B": 0.6, "C": 0.5},
    }
    return definitions_of(funnel=("lead", "won"), exits=("lost",), deals_from="none", scoring=scoring)
