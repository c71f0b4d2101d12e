"""The demo company as HubSpot's exports of contacts, deals and companies.

What is lost on the way: everything of the lifecycle but the first entry into each stage (``Became a ... Date``), so
acceptances, rejections, recycled leads and second spells; the seconds of every time; campaigns, sources of deals and
all changes of a deal but the time that it spent in each stage. Owners are known by name, deals name their company.
Record ids are the number of the canonical id, with a digit of its own for each object in front.
"""

from __future__ import annotations

from pathlib import Path

from smarketing.company.demo.deals import OPEN_STAGES
from smarketing.company.demo.deals import STAGES as DEAL_STAGES
from smarketing.company.demo.exports import Export, columns, company_as_of, person, write_exports

CONTACT, DEAL, COMPANY = "1", "2", "3"
PIPELINE = "Sales Pipeline"
LIFECYCLE = {
    "mql": "Marketing Qualified Lead", "sql": "Sales Qualified Lead", "opportunity": "Opportunity",
    "won": "Customer",
}  # fmt: skip
LEAD_STATUS = {"rejected": "Unqualified", "recycled": "Bad timing", "sal": "In progress", "sql": "Open deal"}
PROBABILITIES = dict(zip(DEAL_STAGES, (0.2, 0.5, 0.75, 1.0, 0.0), strict=True))


def record_id(object_digit: str, column: str) -> str:
    """Return SQL for a record id: the object's digit, then nine of the canonical id's number; NULL stays NULL."""
    return f"'{object_digit}' || lpad(substr({column}, 2), 9, '0')"


def stamp(column: str) -> str:
    """Return SQL for a time, to the minute."""
    return f"strftime({column}, '%Y-%m-%d %H:%M')"


def truth(condition: str) -> str:
    """Return SQL for a boolean."""
    return f"case when {condition} then 'True' else 'False' end"


def hours(seconds: str) -> str:
    """Return SQL for a duration ``HH:mm:ss`` that can pass 24 hours."""
    return f"printf('%02d:%02d:%02d', {seconds} // 3600, {seconds} // 60 % 60, {seconds} % 60)"


def write_hubspot(folder: Path, source: Path) -> tuple[Path, ...]:
    """Write the demo company in ``source`` as HubSpot exports it; returns the files.

    Stage names end in a space, several values are joined by ``; `` (a contact's companies, a deal's contacts), times
    are those of the portal.

    Parameters
    ----------
    folder
        Where the files go; made if need be.
    source
        Where `build_demo` wrote the company.
    """
    day = company_as_of(source).isoformat()
    return write_exports(folder, source, (_contacts(day), _deals(day), _companies(day)))


def _contacts(day: str) -> Export:
    header = columns(
        "Record ID, First Name, Last Name, Email, Phone Number, Job Title, Seniority, Company Name, Company size, "
        "Industry, Annual Revenue, Number of Employees, Country/Region, Lead Status, Lifecycle Stage, HubSpot Score, "
        "Contact owner, Owner Assigned Date, Create Date, Close Date, Last Modified Date, Last Activity Date, "
        "Last Contacted, Became a Subscriber Date, Became a Lead Date, Became a Marketing Qualified Lead Date, "
        "Became a Sales Qualified Lead Date, Became an Opportunity Date, Became a Customer Date, Original Source, "
        "Original Source Drill-Down 1, Original Source Drill-Down 2, First Conversion, First Conversion Date, "
        "Recent Conversion, Recent Conversion Date, Number of Pageviews, Number of Visits, "
        "Number of Form Submissions, Number of Sales Activities, Marketing emails delivered, "
        "Marketing emails opened, Marketing emails clicked, Marketing emails bounced, Associated Company IDs, "
        "Associated Deals, Recent Deal Amount, Recent Deal Close Date, First Deal Created Date, Total Revenue"
    )
    first, last = person("number")
    reached = " ".join(f"when {stage} is not null then '{name}'" for stage, name in reversed(LIFECYCLE.items()))
    worked = " ".join(f"when '{stage}' then '{name}'" for stage, name in LEAD_STATUS.items())
    filled = {
        "Record ID": record_id(CONTACT, "lead_id"),
        "First Name": first,
        "Last Name": last,
        "Email": "'lead' || number || '@' || coalesce(domain, 'unknown.example')",
        "Phone Number": "'555-01' || lpad((number % 100)::varchar, 2, '0')",
        "Job Title": "job_level || ', ' || title_function",
        "Seniority": "job_level",
        "Company Name": "company",
        "Company size": "case when employees < 100 then '1-99' when employees < 1000 then '100-999' "
        "when employees is not null then '1000+' end",
        "Industry": "industry",
        "Annual Revenue": "annual_revenue::bigint",
        "Number of Employees": "employees",
        "Country/Region": "country",
        "Lead Status": f"case latest {worked} else 'New' end",
        "Lifecycle Stage": f"case {reached} else 'Lead' end",
        "Contact owner": "owner",
        "Owner Assigned Date": stamp("created_at"),
        "Create Date": stamp("created_at"),
        "Close Date": stamp("won"),
        "Last Modified Date": stamp("changed"),
        "Became a Lead Date": stamp("created_at"),
        "Became a Marketing Qualified Lead Date": stamp("mql"),
        "Became a Sales Qualified Lead Date": stamp("sql"),
        "Became an Opportunity Date": stamp("opportunity"),
        "Became a Customer Date": stamp("won"),
        "Original Source": "source",
        "First Conversion": "campaign",
        "First Conversion Date": f"case when campaign is not null then {stamp('created_at')} end",
        "Number of Form Submissions": "(campaign is not null)::int",
        "Associated Company IDs": f"concat_ws('; ', {record_id(COMPANY, 'account_id')}, {record_id(COMPANY, 'twin')})",
        "Associated Deals": "(opportunity_id is not null)::int",
        "Recent Deal Amount": "amount::bigint",
        "Recent Deal Close Date": stamp("closed_at"),
        "First Deal Created Date": stamp("opportunity"),
        "Total Revenue": "case when won is not null then amount::bigint end",
    }
    rows = """(
        select l.*, substr(l.lead_id, 2)::bigint as number, a.name as company, a.domain, a.employees, a.industry,
            a.annual_revenue, a.country, u.name as owner, c.name as campaign, e.mql, e.sql, e.latest,
            greatest(e.changed, d.created_at, d.closed_at) as changed, d.opportunity_id, d.created_at as opportunity,
            d.closed_at, case d.outcome when 'won' then d.closed_at end as won, d.amount,
            (select min(b.account_id) from accounts b
                where b.domain = a.domain and b.account_id != a.account_id) as twin
        from leads l
        left join accounts a on a.account_id = l.account_id
        left join owners u on u.owner_id = l.owner_id
        left join campaigns c on c.campaign_id = l.campaign_id
        left join opportunities d on d.lead_id = l.lead_id
        left join (
            select subject_id, min("at") filter (stage = 'mql') as mql, min("at") filter (stage = 'sql') as sql,
                arg_max(stage, "at") as latest, max("at") as changed
            from stage_events where subject_kind = 'lead' group by 1
        ) e on e.subject_id = l.lead_id
        order by l.lead_id
    )"""
    return Export(f"hubspot-crm-exports-all-contacts-{day}.csv", header, filled, rows)


def _deals(day: str) -> Export:
    spent = {stage: f'Cumulative time in "{stage} ({PIPELINE})" (HH:mm:ss)' for stage in OPEN_STAGES}
    header = columns(
        "Record ID, Deal Name, Deal Stage, Pipeline, Deal Type, Deal owner, Amount, Amount in company currency, "
        "Weighted amount, Forecast amount, Forecast category, Forecast probability, Deal probability, Deal Score, "
        "Annual contract value, Annual recurring revenue, Monthly recurring revenue, Total contract value, "
        "Create Date, Close Date, Days to close, Last Activity Date, Last Modified Date, Is Closed Won, "
        "Is closed lost, Is Deal Closed?, Is Closed (numeric), Is Open (numeric), Original Traffic Source, "
        "Associated Company, Associated Company (Primary), Associated Contact IDs, Contract Start Date, "
        "Contract End Date, Contract Term (Months), Closed Lost Reason, Competitor, Product, Source Team"
    ) + tuple(spent.values())
    probability = (
        "case stage " + " ".join(f"when '{key}' then {value}" for key, value in PROBABILITIES.items()) + " end"
    )
    contact, colleague = record_id(CONTACT, "lead_id"), record_id(CONTACT, "colleague")
    filled = {
        "Record ID": record_id(DEAL, "opportunity_id"),
        "Deal Name": "coalesce(company, 'Unnamed') || ' - ' || product",
        "Deal Stage": "stage || ' '",
        "Pipeline": f"'{PIPELINE}'",
        "Deal Type": "case kind when 'new' then 'New Business' else 'Existing Business' end",
        "Deal owner": "owner",
        "Amount": "amount::bigint",
        "Amount in company currency": "amount::bigint",
        "Weighted amount": f"amount * {probability}",
        "Deal probability": probability,
        "Create Date": stamp("created_at"),
        "Close Date": stamp("coalesce(closed_at, expected_close)"),
        "Days to close": "date_diff('day', created_at::date, coalesce(closed_at, expected_close)::date)",
        "Last Modified Date": stamp("changed"),
        "Is Closed Won": truth("outcome = 'won'"),
        "Is closed lost": truth("outcome = 'lost'"),
        "Is Deal Closed?": truth("outcome != 'open'"),
        "Is Closed (numeric)": "(outcome != 'open')::int",
        "Is Open (numeric)": "(outcome = 'open')::int",
        "Original Traffic Source": "source",
        "Associated Company": "concat_ws('; ', company, twin)",
        "Associated Company (Primary)": "company",
        "Associated Contact IDs": f"concat_ws('; ', {contact}, {colleague})",
        "Closed Lost Reason": "loss_reason",
        "Competitor": "competitor",
        "Product": "product",
        "Source Team": "source_team",
        **{name: hours(stage.lower()) for stage, name in spent.items()},
    }
    ends = f"timestamp '{day} 23:59:59'"
    lasting = ", ".join(f"sum(lasted) filter (stage = '{stage}')::bigint as {stage.lower()}" for stage in OPEN_STAGES)
    rows = f"""(
        select o.*, a.name as company, u.name as owner, l.source, h.* exclude (opportunity_id),
            (select min(b.name) from accounts b where b.domain = a.domain and b.account_id != a.account_id) as twin,
            (select min(k.lead_id) from leads k
                where o.lead_id is not null and k.account_id = o.account_id and k.lead_id != o.lead_id) as colleague
        from opportunities o
        left join accounts a on a.account_id = o.account_id
        left join owners u on u.owner_id = o.owner_id
        left join leads l on l.lead_id = o.lead_id
        left join (
            select opportunity_id, max("at") as changed, {lasting}
            from (
                select opportunity_id, stage, "at", epoch(coalesce(
                    lead("at") over (partition by opportunity_id order by "at"), {ends})) - epoch("at") as lasted
                from opportunity_history
            ) group by 1
        ) h on h.opportunity_id = o.opportunity_id
        order by o.opportunity_id
    )"""
    return Export(f"hubspot-crm-exports-all-deals-{day}.csv", header, filled, rows)


def _companies(day: str) -> Export:
    header = columns(
        "Record ID, Company name, Company Domain Name, Create Date, Close Date, Industry, Annual Revenue, "
        "Number of Employees, Year Founded, Country/Region, Region, Web Technologies, Number of Form Submissions, "
        "Number of Pageviews, Number of Sessions, Target Account, Type"
    )
    filled = {
        "Record ID": record_id(COMPANY, "account_id"),
        "Company name": "name",
        "Company Domain Name": "domain",
        "Create Date": stamp("created_at"),
        "Industry": "industry",
        "Annual Revenue": "annual_revenue::bigint",
        "Number of Employees": "employees",
        "Country/Region": "country",
        "Region": "region",
        "Target Account": truth("target_account"),
        "Type": "'Prospect'",
    }
    return Export(f"hubspot-crm-exports-all-companies-{day}.csv", header, filled, "(from accounts order by account_id)")
