"""Better names for headers that a mapping does not find, and a suggested mapping for files nobody has mapped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from smarketing.company.input_columns import snake
from smarketing.company.tables import SCHEMAS

# Columns that hold a person's name or address: never suggested, and never kept by `attributes: all`.
PERSONAL = re.compile(r"(first|last|full|middle)_?name|e_?mail|phone|mobile|fax|street|salutation|birth")

# Names that systems in use give to our columns, in snake case and in order of preference.
SYNONYMS: Mapping[str, Mapping[str, str]] = {
    "accounts": {
        "account_id": "id record_id account company_id customer_id company_name account_name",
        "parent_id": "parent_account_id subsidiary_of parent parent_company",
        "name": "account_name company_name account company",
        "domain": "website web_site company_domain_name url",
        "industry": "sector vertical branch",
        "employees": "number_of_employees employee_count company_size headcount",
        "annual_revenue": "revenue turnover",
        "country": "billing_country country_region office_location",
        "region": "billing_state state territory",
        "created_at": "created_date create_date createdate date_created",
        "target_account": "target is_target_account",
    },
    "leads": {
        "lead_id": "mql_id id record_id contact_id prospect_id prospect_i_d lead_number",
        "account_id": "converted_account_id associated_company_id company_id",
        "created_at": "created_date create_date createdate first_contact_date date_created created_on signup_date",
        "source": "lead_source original_source origin channel utm_source original_traffic_source lead_origin",
        "campaign_id": "campaign utm_campaign",
        "owner_id": "contact_owner lead_owner owner sales_rep assigned_to",
    },
    "stage_events": {
        "subject_id": "lead_id mql_id record_id opportunity_id id",
        "subject_kind": "",
        "stage": "new_value status lifecycle_stage stage_name to_stage",
        "at": "created_date won_date changed_at date timestamp entered_at",
        "actor_id": "created_by_id sr_id changed_by",
        "reason": "loss_reason rejection_reason",
    },
    "opportunities": {
        "opportunity_id": "id record_id deal_id opportunity",
        "account_id": "account associated_company_primary associated_company company_id",
        "lead_id": "contact_id mql_id",
        "product": "product_name",
        "created_at": "created_date create_date createdate engage_date date_created created_on",
        "closed_at": "close_date closed_date closedate won_date",
        "expected_close": "expected_close_date forecast_close_date",
        "stage": "stage_name deal_stage dealstage sales_stage",
        "amount": "close_value deal_amount value amount_in_company_currency deal_value",
        "currency": "currency_iso_code deal_currency_code",
        "outcome": "deal_stage stage_name is_won is_closed_won status",
        "loss_reason": "closed_lost_reason lost_reason",
        "owner_id": "sales_agent deal_owner opportunity_owner owner sales_rep",
        "kind": "type deal_type opportunity_type",
    },
    "owners": {
        "owner_id": "id sales_agent user_id owner",
        "name": "full_name sales_agent user_name",
        "team": "user_role_id sales_team role",
        "manager": "manager_id manager_name",
        "region": "regional_office office territory",
    },
    "touches": {"touch_id": "id", "at": "created_date timestamp date", "channel": "utm_medium medium type"},
    "activities": {"at": "activity_date created_date date", "kind": "type task_subtype subject"},
    "campaigns": {"campaign_id": "id", "channel": "type", "name": "campaign_name"},
    "spend": {"at": "date day start_date", "amount": "actual_cost cost spend"},
    "products": {"product": "product_name name", "family": "series category", "price": "sales_price list_price"},
    "opportunity_history": {"at": "created_date", "stage": "stage_name", "expected_close": "close_date"},
}


# Headers that tell a table by themselves; dates, ids and owners stand in all of them.
MARKS: Mapping[str, str] = {
    "accounts": "subsidiary_of year_founded number_of_employees billing_country parent_account_id web_technologies",
    "leads": "is_converted converted_date lifecycle_stage lead_status mql_id prospect_id first_contact_date lead_owner "
    "contact_owner converted_account_id lead_source original_source",
    "stage_events": "new_value old_value won_date to_stage",
    "opportunities": "close_date deal_stage stage_name is_won is_closed_won deal_owner engage_date expected_close",
    "opportunity_history": "close_date stage_name opportunity_id",
    "owners": "manager_id user_role_id regional_office",
    "products": "list_price sales_price",
    "spend": "actual_cost cost",
}


SUGGESTS = "A mapping to start from"
"""How a suggested mapping of a whole file begins."""


def suggest_columns(table: str, headers: Sequence[str]) -> dict[str, str]:
    """Return the header that most likely fills each canonical column: same name, then synonym, then close spelling.

    A header is used once, but that `opportunities.stage` and `outcome`, or an account's id and name, may share one.
    """
    by_name = {snake(header): header for header in reversed(headers)}
    known = SYNONYMS.get(table, {})
    found: dict[str, str] = {}
    for canonical in SCHEMAS[table].columns:
        for name in (canonical, *known.get(canonical, "").split()):
            if name in by_name:
                found[canonical] = by_name[name]
                break
    for canonical in SCHEMAS[table].columns:
        free = [name for name, header in by_name.items() if header not in found.values()]
        close = [] if canonical in found else get_close_matches(canonical, free, n=1, cutoff=0.85)
        if close:
            found[canonical] = by_name[close[0]]
    return {canonical: found[canonical] for canonical in SCHEMAS[table].columns if canonical in found}


def suggest_table(headers: Sequence[str]) -> str | None:
    """Return the canonical table that these headers most look like, or None where nothing speaks for any."""

    def fit(table: str) -> tuple[int, float, float]:
        found = suggest_columns(table, headers)
        needs = [column for column in SCHEMAS[table].required if column != "subject_kind"]
        met = sum(column in found for column in needs) / len(needs)
        return _marks(table, headers), met, len(found) / len(SCHEMAS[table].columns)

    best = max(SYNONYMS, key=fit)
    return best if fit(best)[0] or fit(best)[1] == 1 else None


def _marks(table: str, headers: Sequence[str]) -> int:
    """Count the headers that speak for this table and few others."""
    return len({snake(header) for header in headers} & set(MARKS.get(table, "").split()))


def suggest_mapping(table: str, headers: Sequence[str], name: str) -> str:
    """Return a mapping of a file to a table as YAML that can be pasted below ``tables:``."""
    found = suggest_columns(table, headers)
    kind = "table" if "." not in name or not name.endswith((".csv", ".parquet", ".txt", ".tsv")) else "file"
    lines = [f"{table}:", f"  {kind}: {_text(name)}", "  columns:"]
    for canonical in SCHEMAS[table].columns:
        if canonical == "outcome" and found:
            lines.append(f"    outcome: {_outcome(found, headers)}")
        elif canonical == "subject_kind" and canonical not in found:
            lines.append("    subject_kind: {constant: lead}   # or opportunity")
        elif canonical in found:
            lines.append(f"    {canonical}: {_text(found[canonical])}")
        elif canonical in SCHEMAS[table].required:
            lines.append(f"    {canonical}:   # required: say which column it is")
    free = [header for header in headers if header not in found.values() and not PERSONAL.search(snake(header))]
    if free:
        lines.append(f"  attributes: [{', '.join(_text(header) for header in free[:12])}]   # keep what is of use")
    return "\n".join(f"  {line}" for line in lines)


def _outcome(found: Mapping[str, str], headers: Sequence[str]) -> str:
    """Return how a deal's outcome is read: from flags where the file has them, else from words that a person maps."""
    flags = {snake(header) for header in headers}
    won = next((flag for flag in ("is_won", "is_closed_won") if flag in flags), None)
    lost = next((flag for flag in ("is_closed_lost", "is_lost", "is_closed") if flag in flags), None)
    if won and lost:
        cases = f"{{when: is_true({won}), then: won}}, {{when: is_true({lost}), then: lost}}"
        return f"{{cases: [{cases}], otherwise: open}}"
    if "outcome" not in found:
        return "  # required: say which column it is, and which of its words are open, won and lost"
    words = "values: {Won: won, Lost: lost, Open: open}"
    return f"{{column: {_text(found['outcome'])}, {words}}}   # say which of its words are open, won and lost"


def missing_column(
    place: str,
    what: str,
    names: Sequence[str],
    table: str,
    mapped: Mapping[str, Sequence[str]],
    headers: Sequence[str],
) -> str:
    """Return the message for a column that is not there: the nearest header, or a whole mapping where most are unknown.

    ``names`` are the headers looked for (none: the mapping names no column), ``mapped`` all that the mapping names.
    """
    shown = ", ".join(headers[:20]) + (", ..." if len(headers) > 20 else "")
    wanted = " or ".join(f"`{name}`" for name in names)
    unmapped = f"{place}: `{what}` {'are' if ' and ' in what else 'is'} not mapped"
    head = f"{place}: there is no column {wanted} for `{what}`" if names else unmapped
    lost = [name for options in mapped.values() for name in options if not _there(name, headers)]
    if not names or (len(mapped) > 1 and len(lost) > len(mapped) / 2):
        return f"{head}. Its headers are {shown}. {_suggestion(table, headers, place.rsplit(', ', 1)[-1])}"
    close = get_close_matches(snake(names[0]), [snake(header) for header in headers], n=1, cutoff=0.6)
    if close:
        right = next(header for header in headers if snake(header) == close[0])
        return f"{head}. Did you mean `{right}`?"
    return f"{head}. Its headers are {shown}."


def _suggestion(table: str, headers: Sequence[str], name: str) -> str:
    likely = suggest_table(headers)
    if likely is None and not suggest_columns(table, headers):
        return "None of them is known here: map each column by hand."
    strange = likely and likely != table and not _marks(table, headers)
    other = f" (the headers look more like `{likely}`)" if strange else ""
    return f"{SUGGESTS}{other}:\n{suggest_mapping(table, headers, name)}"


def _there(name: str, headers: Sequence[str]) -> bool:
    return snake(name) in {snake(header) for header in headers}


def _text(value: str) -> str:
    """Return a YAML scalar, quoted where needed."""
    plain = value and all(letter.isalnum() or letter in " _-./()" for letter in value) and value[0].isalnum()
    return value if plain and value.strip() == value and value.lower() not in ("true", "false", "null") else repr(value)
