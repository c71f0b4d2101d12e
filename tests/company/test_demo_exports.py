"""The demo company as Salesforce and HubSpot export it: the form of the files, and the way back by the mappings."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pytest
import yaml

from smarketing.company.demo import build_demo, write_hubspot, write_salesforce
from smarketing.company.inputs import open_company
from smarketing.company.tables import Company

INPUTS = Path(__file__).parents[2] / "params" / "inputs"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "demo"
    build_demo(folder, leads=4_000)
    return folder


@pytest.fixture(scope="module")
def salesforce(demo: Path) -> Path:
    write_salesforce(demo.parent / "salesforce", demo)
    return demo.parent / "salesforce"


@pytest.fixture(scope="module")
def hubspot(demo: Path) -> Path:
    write_hubspot(demo.parent / "hubspot", demo)
    return demo.parent / "hubspot"


def canonical(demo: Path, query: str) -> pd.DataFrame:
    """Query the canonical tables, each named by ``{table}``."""
    tables = {path.stem: f"read_parquet('{path}')" for path in demo.glob("*.parquet")}
    return duckdb.sql(query.format(**tables)).df()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def one(folder: Path, kind: str) -> list[dict[str, str]]:
    (path,) = folder.glob(f"*all-{kind}-*.csv")
    return rows(path)


def checksum(fifteen: str) -> str:
    """Return Salesforce's three extra characters: one for the capitals of each five, the first the lowest bit."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    parts = [fifteen[at : at + 5] for at in (0, 5, 10)]
    return "".join(alphabet[int("".join("1" if c.isupper() else "0" for c in part[::-1]), 2)] for part in parts)


def test_salesforce_quotes_everything_and_ends_ids_in_their_checksum(salesforce: Path) -> None:
    assert {path.name for path in salesforce.iterdir()} == {
        "Account.csv", "Campaign.csv", "CampaignMember.csv", "Lead.csv", "LeadHistory.csv", "Opportunity.csv",
        "OpportunityHistory.csv", "User.csv", "UserRole.csv",
    }  # fmt: skip
    for path in salesforce.iterdir():
        lines = path.read_text().splitlines()
        assert all(line.startswith('"') and line.endswith('"') for line in lines), path.name
        found = rows(path)
        ids = [row["Id"] for row in found]
        assert len(set(ids)) == len(ids) > 0
        assert all(len(each) == 18 and each[15:] == checksum(each[:15]) for each in ids), path.name
        for row in found[:200]:
            assert row.get("IsDeleted", "0") in ("0", "1")


def test_salesforce_times_are_utc_and_empty_lookups_are_zeros(demo: Path, salesforce: Path) -> None:
    leads = canonical(demo, "select lead_id, created_at from {leads} order by lead_id")
    exported = [row for row in rows(salesforce / "Lead.csv") if row["IsDeleted"] == "0"]
    assert len(exported) == len(leads)
    zone = ZoneInfo("America/New_York")
    for (_, lead), row in zip(leads.iloc[::50].iterrows(), exported[::50], strict=True):
        assert int(row["Id"][5:15]) == int(lead["lead_id"][1:])
        utc = lead["created_at"].to_pydatetime().replace(tzinfo=zone).astimezone(ZoneInfo("UTC"))
        assert row["CreatedDate"] == utc.strftime("%Y-%m-%d %H:%M:%S")
    lookups = {row["ConvertedOpportunityId"] for row in exported if row["IsConverted"] == "0"}
    assert lookups == {"000000000000000AAA"}
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\d 00:00:00", row["CloseDate"]) for row in rows(salesforce / "Opportunity.csv")
    )


def test_salesforce_keeps_deleted_twins_of_merged_leads(salesforce: Path) -> None:
    leads = rows(salesforce / "Lead.csv")
    known = {row["Id"] for row in leads if row["IsDeleted"] == "0"}
    twins = [row for row in leads if row["IsDeleted"] == "1"]
    assert twins
    assert all(row["MasterRecordId"] in known and row["Id"] not in known for row in twins)


def test_hubspot_ends_stage_names_in_a_space_and_joins_values(hubspot: Path) -> None:
    deals, contacts = one(hubspot, "deals"), one(hubspot, "contacts")
    assert {row["Deal Stage"] for row in deals} == {
        "Discovery ", "Proposal ", "Negotiation ", "Closed Won ", "Closed Lost "
    }  # fmt: skip
    assert {row["Is Closed Won"] for row in deals} == {"True", "False"}
    assert any("; " in row["Associated Contact IDs"] for row in deals)
    assert any("; " in row["Associated Company IDs"] for row in contacts)
    spent = [row['Cumulative time in "Discovery (Sales Pipeline)" (HH:mm:ss)'] for row in deals]
    assert all(re.fullmatch(r"\d{2,}:[0-5]\d:[0-5]\d", each) for each in spent)
    assert max(int(each.split(":")[0]) for each in spent) > 24
    filled = [row["Became a Marketing Qualified Lead Date"] for row in contacts]
    assert all(re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d)?", each) for each in filled)
    assert "" in filled


def test_time_spent_in_stages_adds_up_to_the_life_of_a_deal(demo: Path, hubspot: Path) -> None:
    life = canonical(demo, "select epoch(closed_at) - epoch(created_at) from {opportunities} where outcome != 'open' "
                           "order by opportunity_id").iloc[:, 0]  # fmt: skip
    added = []
    for row in one(hubspot, "deals"):
        if row["Is Deal Closed?"] == "True":
            parts = [value.split(":") for name, value in row.items() if name.startswith("Cumulative") and value]
            added.append(sum(int(h) * 3600 + int(m) * 60 + int(s) for h, m, s in parts))
    assert added == life.astype(int).tolist()


@pytest.mark.parametrize("write", [write_salesforce, write_hubspot])
def test_exports_are_the_same_bytes_and_leave_other_files_alone(
    write: Callable[[Path, Path], tuple[Path, ...]], demo: Path, tmp_path: Path
) -> None:
    first = {path.name: path.read_bytes() for path in write(tmp_path / "out", demo)}
    assert first == {path.name: path.read_bytes() for path in write(tmp_path / "out", demo)}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    whole = f"{tmp_path / 'mine'} holds other files than this export's; choose an empty or a new folder."
    with pytest.raises(FileExistsError, match=f"^{re.escape(whole)}$"):
        write(tmp_path / "mine", demo)
    whole = f"{tmp_path / 'mine'} holds no demo company; build it first with `smarketing demo`."
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(whole)}$"):
        write(tmp_path / "other", tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


COMPARED = ("leads", "stage_events", "opportunities", "opportunity_history")


def opened(system: str, folder: Path, copy: Path) -> Company:
    """Open the compared tables of an export by the ready mapping."""
    mapping = yaml.safe_load((INPUTS / f"{system}.yml").read_text())
    mapping["tables"] = {name: source for name, source in mapping["tables"].items() if name in COMPARED}
    path = copy / f"{system}.yml"
    path.write_text(yaml.safe_dump(mapping, sort_keys=False))
    return open_company(path, data=folder)


def as_set(frame: pd.DataFrame) -> set[tuple[object, ...]]:
    return set(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))


def read_back(company: Company, table: str, columns: str, number: Callable[[pd.Series], pd.Series]) -> pd.DataFrame:
    """Return columns of a table, its ids as the numbers of the canonical ids."""
    frame = company.table(table).select(*columns.split()).to_pyarrow().to_pandas()
    for column in {"lead_id", "account_id", "opportunity_id", "subject_id", "owner_id"} & set(frame.columns):
        frame[column] = number(frame[column])
    return frame


def written(demo: Path, table: str, columns: str, *, where: str = "true", unit: str = "microsecond") -> pd.DataFrame:
    """Return columns of a canonical table, its ids as numbers, its times cut to the unit."""
    selected = []
    for column in columns.split():
        if column.endswith("_id"):
            selected.append(f"substr({column}, 2)::double as {column}")
        elif column in ("at", "created_at", "closed_at", "expected_close"):
            selected.append(f'date_trunc(\'{unit}\', "{column}") as "{column}"')
        else:
            selected.append(column)
    return canonical(demo, f"select {', '.join(selected)} from {{{table}}} where {where}")


def test_salesforce_comes_back_through_its_mapping(demo: Path, salesforce: Path, tmp_path: Path) -> None:
    company = opened("salesforce", salesforce, tmp_path)

    def number(ids: pd.Series) -> pd.Series:
        return ids.str[5:15].astype(float)

    columns = "lead_id created_at source owner_id"
    assert as_set(read_back(company, "leads", columns, number)) == as_set(written(demo, "leads", columns))
    columns = "opportunity_id at stage amount expected_close"
    changes = read_back(company, "opportunity_history", columns, number)
    assert as_set(changes) == as_set(written(demo, "opportunity_history", columns))
    columns = (
        "opportunity_id lead_id account_id created_at stage outcome amount loss_reason competitor source_team kind "
        "product"
    )
    assert as_set(read_back(company, "opportunities", columns, number)) == as_set(
        written(demo, "opportunities", columns)
    )
    closed = read_back(company, "opportunities", "opportunity_id closed_at", number)
    assert as_set(closed) == as_set(written(demo, "opportunities", "opportunity_id closed_at", unit="day"))
    columns = "subject_id at stage spell"
    events = read_back(company, "stage_events", columns, number)
    known = "subject_kind = 'lead' and stage != 'lead'"
    assert as_set(events) == as_set(written(demo, "stage_events", columns, where=known))


def test_hubspot_comes_back_through_its_mapping(demo: Path, hubspot: Path, tmp_path: Path) -> None:
    company = opened("hubspot", hubspot, tmp_path)

    def number(ids: pd.Series) -> pd.Series:
        return ids.astype(float) % 1e9

    columns = "lead_id created_at source"
    assert as_set(read_back(company, "leads", columns, number)) == as_set(
        written(demo, "leads", columns, unit="minute")
    )
    columns = "opportunity_id lead_id created_at stage outcome amount loss_reason competitor closed_at"
    deals = read_back(company, "opportunities", columns, number)
    assert as_set(deals) == as_set(written(demo, "opportunities", columns, unit="minute"))
    columns = "subject_id stage at"
    events = read_back(company, "stage_events", columns, number)
    known = "stage in ('mql', 'sql') and subject_id in (select lead_id from {leads})"
    entered = written(demo, "stage_events", columns, where=known, unit="minute")
    first = entered.groupby(["subject_id", "stage"], as_index=False)["at"].min()
    assert as_set(events[events["stage"].isin(["mql", "sql"])]) == as_set(first)


def test_no_exported_person_can_be_a_real_one(salesforce: Path, hubspot: Path) -> None:
    people = rows(salesforce / "Lead.csv") + one(hubspot, "contacts")
    assert all(row["Email"].endswith(".example") for row in people)
    assert all(re.fullmatch(r"555-01\d\d", row.get("Phone") or row["Phone Number"]) for row in people)
    assert datetime.fromisoformat(people[0]["CreatedDate"])
