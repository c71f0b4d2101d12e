"""The demo company as Salesforce's weekly data export: one CSV file an object.

What is lost on the way: a lead's account until it is converted (the lead names its company only); the ``lead`` stage
(field history begins with the first change); reasons of earlier rejections; the time of day at which a deal closed and
the day on which it was expected to (`CloseDate` is one field). Ids are rewritten as 18 characters that end, before the
three of the checksum, in the number of the canonical id. Times are UTC.
"""

from __future__ import annotations

from pathlib import Path

from smarketing.company.demo.exports import Export, columns, company_as_of, person, write_exports

EMPTY_LOOKUP = "000000000000000AAA"
LEAD, ACCOUNT, OPPORTUNITY, USER, CAMPAIGN, CONTACT = "00Q", "001", "006", "005", "701", "003"
HISTORY, FIELD_HISTORY, MEMBER, ROLE = "008", "017", "00v", "00E"
STATUSES = {
    "lead": "New", "mql": "Marketing Qualified", "sal": "Accepted", "sql": "Qualified", "rejected": "Rejected",
    "recycled": "Nurturing",
}  # fmt: skip
PROBABILITIES = {"Discovery": 20, "Proposal": 50, "Negotiation": 75, "Closed Won": 100, "Closed Lost": 0}
MERGED_EVERY, MERGED_FROM = 500, 800_000_000


def record_id(prefix: str, number: str) -> str:
    """Return SQL for the 18-character id of a number, and for an empty lookup where it is NULL.

    The last three characters are Salesforce's checksum: they say which letters of the first fifteen are capitals.
    """
    capitals = [sum(2**place for place in range(5) if f"{prefix}5e"[place].isupper()), 0, 0]
    checksum = "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[value] for value in capitals)
    return f"coalesce('{prefix}5e' || lpad(({number})::varchar, 10, '0') || '{checksum}', '{EMPTY_LOOKUP}')"


def of(prefix: str, column: str) -> str:
    """Return SQL for the Salesforce id of a canonical id column."""
    return record_id(prefix, f"substr({column}, 2)::bigint")


def chosen(column: str, values: dict[str, str] | dict[str, int]) -> str:
    """Return SQL that replaces values."""
    whens = " ".join(f"when '{key}' then '{value}'" for key, value in values.items())
    return f"case {column} {whens} end"


def utc(column: str, time_zone: str) -> str:
    """Return SQL for a time of the company's zone, as Salesforce writes it."""
    return f"strftime(timezone('UTC', timezone('{time_zone}', {column})), '%Y-%m-%d %H:%M:%S')"


def midnight(column: str) -> str:
    """Return SQL for a date-only field."""
    return f"strftime({column}, '%Y-%m-%d 00:00:00')"


def write_salesforce(folder: Path, source: Path, *, time_zone: str = "America/New_York") -> tuple[Path, ...]:
    """Write the demo company in ``source`` as Salesforce exports it; returns the files.

    One lead in 500 has a deleted twin that was merged into it. Beside the standard fields there are custom ones
    (``__c``) for what Salesforce leaves to each company.

    Parameters
    ----------
    folder
        Where the files go; made if need be.
    source
        Where `build_demo` wrote the company.
    time_zone
        The company's; its times become UTC.
    """
    company_as_of(source)
    exports = (
        _leads(time_zone), _lead_history(time_zone), _opportunities(time_zone), _opportunity_history(time_zone),
        _accounts(time_zone), _campaigns(), _members(time_zone), _users(time_zone), _roles(),
    )  # fmt: skip
    return write_exports(folder, source, exports)


def _leads(zone: str) -> Export:
    header = columns(
        "Id, IsDeleted, MasterRecordId, Salutation, FirstName, LastName, Title, Company, Street, City, State, "
        "PostalCode, Country, Latitude, Longitude, GeocodeAccuracy, Phone, MobilePhone, Fax, Email, Website, "
        "Description, LeadSource, Status, Industry, Rating, AnnualRevenue, NumberOfEmployees, OwnerId, "
        "HasOptedOutOfEmail, IsConverted, ConvertedDate, ConvertedAccountId, ConvertedContactId, "
        "ConvertedOpportunityId, IsUnreadByOwner, CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, "
        "SystemModstamp, LastActivityDate, DoNotCall, HasOptedOutOfFax, LastTransferDate, Jigsaw, JigsawContactId, "
        "CleanStatus, CompanyDunsNumber, DandbCompanyId, EmailBouncedReason, EmailBouncedDate, Rejection_Reason__c"
    )
    first, last = person("number")
    filled = {
        "Id": record_id(LEAD, "number + deleted * " + str(MERGED_FROM)),
        "IsDeleted": "deleted",
        "MasterRecordId": record_id(LEAD, "case deleted when 1 then number end"),
        "FirstName": first,
        "LastName": last,
        "Title": "job_level || ', ' || title_function",
        "Company": "name",
        "Country": "country",
        "Phone": "'555-01' || lpad((number % 100)::varchar, 2, '0')",
        "Email": "'lead' || number || '@' || coalesce(domain, 'unknown.example')",
        "Website": "domain",
        "LeadSource": "source",
        "Status": f"case when opportunity_id is null then {chosen('status', STATUSES)} else 'Converted' end",
        "Industry": "industry",
        "AnnualRevenue": "annual_revenue::bigint",
        "NumberOfEmployees": "employees",
        "OwnerId": of(USER, "owner_id"),
        "HasOptedOutOfEmail": "0",
        "IsConverted": "(opportunity_id is not null)::int",
        "ConvertedDate": midnight("converted"),
        "ConvertedAccountId": of(ACCOUNT, "deal_account"),
        "ConvertedContactId": record_id(CONTACT, "case when opportunity_id is not null then number end"),
        "ConvertedOpportunityId": of(OPPORTUNITY, "opportunity_id"),
        "IsUnreadByOwner": "(status = 'lead')::int",
        "CreatedDate": utc("created_at", zone),
        "CreatedById": of(USER, "owner_id"),
        "LastModifiedDate": utc("changed", zone),
        "LastModifiedById": of(USER, "owner_id"),
        "SystemModstamp": utc("changed", zone),
        "DoNotCall": "0",
        "HasOptedOutOfFax": "0",
        "Jigsaw": "''",
        "Rejection_Reason__c": "rejection",
    }
    rows = f"""(
        select l.* exclude (lead_id), substr(lead_id, 2)::bigint as number, deleted, a.name, a.domain, a.country,
            a.industry, a.annual_revenue, a.employees, e.status, e.changed, e.rejection, o.opportunity_id,
            o.created_at as converted, o.account_id as deal_account
        from leads l
        cross join (values (0), (1)) copies(deleted)
        left join accounts a using (account_id)
        left join opportunities o using (lead_id)
        left join (
            select subject_id as lead_id, arg_max(stage, "at") as status, max("at") as changed,
                arg_max(reason, "at") filter (stage = 'rejected') as rejection
            from stage_events where subject_kind = 'lead' group by 1
        ) e using (lead_id)
        where deleted = 0 or (number % {MERGED_EVERY} = 0 and o.opportunity_id is null)
        order by deleted, number
    )"""
    return Export("Lead.csv", header, filled, rows)


def _lead_history(zone: str) -> Export:
    filled = {
        "Id": record_id(FIELD_HISTORY, "row_number() over ()"),
        "IsDeleted": "0",
        "LeadId": of(LEAD, "subject_id"),
        "CreatedById": of(USER, "coalesce(actor_id, 'U001')"),
        "CreatedDate": utc('"at"', zone),
        "Field": "field",
        "OldValue": chosen("before", STATUSES),
        "NewValue": f"case when field = 'Status' then coalesce({chosen('stage', STATUSES)}, 'Converted') end",
    }
    rows = """(
        select subject_id, actor_id, "at", case stage when 'lead' then 'created' else 'Status' end as field, stage,
            lag(stage) over (partition by subject_id order by "at") as before
        from (
            select subject_id, actor_id, "at", stage from stage_events where subject_kind = 'lead'
            union all
            select lead_id, owner_id, created_at, 'converted' from opportunities where lead_id is not null
        )
        order by "at", subject_id
    )"""
    header = columns("Id, IsDeleted, LeadId, CreatedById, CreatedDate, Field, OldValue, NewValue")
    return Export("LeadHistory.csv", header, filled, rows)


def _opportunities(zone: str) -> Export:
    header = columns(
        "Id, IsDeleted, AccountId, IsPrivate, Name, Description, StageName, StageSortOrder, Amount, Probability, "
        "ExpectedRevenue, TotalOpportunityQuantity, CloseDate, Type, NextStep, LeadSource, IsClosed, IsWon, "
        "ForecastCategory, ForecastCategoryName, CampaignId, HasOpportunityLineItem, Pricebook2Id, OwnerId, "
        "CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, SystemModstamp, LastActivityDate, "
        "LastStageChangeDate, FiscalYear, FiscalQuarter, PrimaryPartnerAccountId, ContractId, Product__c, "
        "Loss_Reason__c, Competitor__c, Source_Team__c"
    )
    probability = chosen("stage", PROBABILITIES)
    forecast = "case when outcome = 'won' then 'Closed' when outcome = 'lost' then 'Omitted' else 'Pipeline' end"
    order = {stage: place for place, stage in enumerate(PROBABILITIES, start=1)}
    filled = {
        "Id": of(OPPORTUNITY, "opportunity_id"),
        "IsDeleted": "0",
        "AccountId": of(ACCOUNT, "account_id"),
        "IsPrivate": "0",
        "Name": "coalesce(name, 'Unnamed') || ' - ' || product",
        "StageName": "stage",
        "StageSortOrder": chosen("stage", order),
        "Amount": "amount::bigint",
        "Probability": probability,
        "ExpectedRevenue": f"amount * ({probability})::int / 100",
        "CloseDate": midnight("expected_close"),
        "Type": "case kind when 'new' then 'New Business' else 'Existing Business' end",
        "LeadSource": "source",
        "IsClosed": "(outcome != 'open')::int",
        "IsWon": "(outcome = 'won')::int",
        "ForecastCategory": forecast,
        "ForecastCategoryName": forecast,
        "CampaignId": of(CAMPAIGN, "campaign_id"),
        "HasOpportunityLineItem": "0",
        "Pricebook2Id": f"'{EMPTY_LOOKUP}'",
        "OwnerId": of(USER, "owner_id"),
        "CreatedDate": utc("created_at", zone),
        "CreatedById": of(USER, "owner_id"),
        "LastModifiedDate": utc("changed", zone),
        "LastModifiedById": of(USER, "owner_id"),
        "SystemModstamp": utc("changed", zone),
        "LastStageChangeDate": utc("changed", zone),
        "FiscalYear": "year(expected_close)",
        "FiscalQuarter": "quarter(expected_close)",
        "PrimaryPartnerAccountId": f"'{EMPTY_LOOKUP}'",
        "ContractId": f"'{EMPTY_LOOKUP}'",
        "Product__c": "product",
        "Loss_Reason__c": "loss_reason",
        "Competitor__c": "competitor",
        "Source_Team__c": "source_team",
    }
    rows = """(
        select o.*, a.name, l.source, l.campaign_id, h.changed
        from opportunities o
        left join accounts a on a.account_id = o.account_id
        left join leads l on l.lead_id = o.lead_id
        left join (select opportunity_id, max("at") as changed from opportunity_history group by 1) h
            on h.opportunity_id = o.opportunity_id
        order by o.opportunity_id
    )"""
    return Export("Opportunity.csv", header, filled, rows)


def _opportunity_history(zone: str) -> Export:
    header = columns(
        "Id, OpportunityId, CreatedById, CreatedDate, StageName, Amount, ExpectedRevenue, CloseDate, Probability, "
        "ForecastCategory, SystemModstamp, IsDeleted"
    )
    probability = chosen("stage", PROBABILITIES)
    filled = {
        "Id": record_id(HISTORY, "row_number() over ()"),
        "OpportunityId": of(OPPORTUNITY, "opportunity_id"),
        "CreatedById": of(USER, "owner_id"),
        "CreatedDate": utc('"at"', zone),
        "StageName": "stage",
        "Amount": "amount::bigint",
        "ExpectedRevenue": f"amount * ({probability})::int / 100",
        "CloseDate": midnight("expected_close"),
        "Probability": probability,
        "ForecastCategory": "case stage when 'Closed Won' then 'Closed' when 'Closed Lost' then 'Omitted' "
        "else 'Pipeline' end",
        "SystemModstamp": utc('"at"', zone),
        "IsDeleted": "0",
    }
    rows = """(
        select h.*, o.owner_id from opportunity_history h join opportunities o using (opportunity_id)
        order by h.opportunity_id, h."at"
    )"""
    return Export("OpportunityHistory.csv", header, filled, rows)


def _accounts(zone: str) -> Export:
    header = columns(
        "Id, IsDeleted, Name, ParentId, Industry, NumberOfEmployees, AnnualRevenue, BillingCountry, Website, Type, "
        "CreatedDate, Region__c, Target_Account__c"
    )
    filled = {
        "Id": of(ACCOUNT, "account_id"),
        "IsDeleted": "0",
        "Name": "name",
        "ParentId": of(ACCOUNT, "parent_id"),
        "Industry": "industry",
        "NumberOfEmployees": "employees",
        "AnnualRevenue": "annual_revenue::bigint",
        "BillingCountry": "country",
        "Website": "domain",
        "Type": "'Prospect'",
        "CreatedDate": utc("created_at", zone),
        "Region__c": "region",
        "Target_Account__c": "target_account::int",
    }
    return Export("Account.csv", header, filled, "(from accounts order by account_id)")


def _campaigns() -> Export:
    header = columns("Id, IsDeleted, Name, Type, Status, StartDate, EndDate, ActualCost, BudgetedCost")
    filled = {
        "Id": of(CAMPAIGN, "campaign_id"), "IsDeleted": "0", "Name": "name", "Type": "channel", "Status": "'Completed'",
    }  # fmt: skip
    return Export("Campaign.csv", header, filled, "(from campaigns order by campaign_id)")


def _members(zone: str) -> Export:
    header = columns(
        "Id, IsDeleted, CampaignId, LeadId, ContactId, Status, HasResponded, FirstRespondedDate, CreatedDate"
    )
    filled = {
        "Id": record_id(MEMBER, "substr(lead_id, 2)::bigint"),
        "IsDeleted": "0",
        "CampaignId": of(CAMPAIGN, "campaign_id"),
        "LeadId": of(LEAD, "lead_id"),
        "ContactId": f"'{EMPTY_LOOKUP}'",
        "Status": "'Responded'",
        "HasResponded": "1",
        "FirstRespondedDate": midnight("created_at"),
        "CreatedDate": utc("created_at", zone),
    }
    return Export("CampaignMember.csv", header, filled, "(from leads where campaign_id is not null order by lead_id)")


def _users(zone: str) -> Export:
    header = columns("Id, Name, UserRoleId, ManagerId, TimeZoneSidKey, IsActive")
    filled = {
        "Id": of(USER, "owner_id"),
        "Name": "name",
        "UserRoleId": record_id(ROLE, "team_number"),
        "ManagerId": of(USER, "manager_id"),
        "TimeZoneSidKey": f"'{zone}'",
        "IsActive": "1",
    }
    rows = """(
        select o.*, m.owner_id as manager_id, dense_rank() over (order by o.team) as team_number
        from owners o left join owners m on m.name = o.manager order by o.owner_id
    )"""
    return Export("User.csv", header, filled, rows)


def _roles() -> Export:
    filled = {"Id": record_id(ROLE, "number"), "Name": "team"}
    rows = "(select team, row_number() over (order by team) as number from owners group by team order by team)"
    return Export("UserRole.csv", columns("Id, Name"), filled, rows)
