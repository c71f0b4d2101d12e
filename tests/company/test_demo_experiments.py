"""The demo company's experiments: dealt as their protocols say, with replies at the rates that the truth states."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from smarketing.company.demo import DemoTruth, build_demo, read_truth, write
from smarketing.company.demo.catalogue import make_campaigns, make_owners
from smarketing.company.demo.deals import make_deals
from smarketing.company.demo.experiments import DINNER, EXPERIMENTS, MAIL, intercept, make_experiments
from smarketing.company.demo.journeys import walk
from smarketing.company.protocol import read_protocol

PROTOCOLS = Path(__file__).parents[2] / "params/experiments"
AS_OF = date(2026, 11, 15)
MONTE_CARLO = 3.3


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoTruth]:
    folder = tmp_path_factory.mktemp("company") / "demo"
    return folder, build_demo(folder, leads=6_000)


@pytest.fixture
def sql(demo: tuple[Path, DemoTruth]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for table in write.TABLES:
        connection.execute(f"create view {table} as select * from '{demo[0]}/{table}.parquet'")
    return connection


def number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def test_the_truth_file_states_both_experiments(demo: tuple[Path, DemoTruth]) -> None:
    said = json.loads((demo[0] / "truth.json").read_text())["experiments"]
    assert said["nurture_mail"]["rates"] == {"control": 0.04, "mail": 0.09}
    assert said["exec_dinner"]["rates"] == {"control": 0.05, "dinner": 0.12}
    assert (said["nurture_mail"]["account_sd"], said["exec_dinner"]["account_sd"]) == (0.0, 0.7)
    assert not any(each["moves_stages"] for each in said.values())
    truth = read_truth(demo[0])
    assert truth == demo[1]
    assert truth.experiments["nurture_mail"].effect("mail") == pytest.approx(0.05)
    assert truth.experiments["exec_dinner"].effect("dinner") == pytest.approx(0.07)


def test_the_protocols_say_what_was_done() -> None:
    for each in EXPERIMENTS:
        protocol = read_protocol(PROTOCOLS / f"{each.name}.yml")
        assert (protocol.unit, protocol.control, tuple(protocol.arms)) == (each.unit, each.control, tuple(each.rates))
        assert protocol.horizon_days == each.horizon_days
        assert protocol.starts_on is not None and protocol.agreed_on is not None
        assert protocol.starts_on == date.fromisoformat(each.starts_on) > protocol.agreed_on
        assert protocol.metrics["reply"].activity == "reply"


def test_the_mail_is_dealt_to_open_leads_of_its_months_within_hours(sql: duckdb.DuckDBPyConnection) -> None:
    assert number(sql, """
        select count(*) from assignments a left join leads on lead_id = unit_id
        where experiment = 'nurture_mail' and not coalesce(unit_kind = 'lead' and stratum is null
            and created_at::date between '2026-03-01' and '2026-06-30'
            and assigned_at - created_at between interval 1 hour and interval 6 hours, false)""") == 0  # fmt: skip
    missing = """
        select l.account_id, l.created_at from leads l anti join (
            select unit_id from assignments where experiment = 'nurture_mail'
        ) a on unit_id = lead_id where created_at::date between '2026-03-01' and '2026-06-30'"""
    # Those left out belong to the dinner's accounts (some of them under a second id), or left within hours.
    spared = "account_id in (select unit_id from assignments where experiment = 'exec_dinner')"
    dealt = number(sql, "select count(*) from assignments where experiment = 'nurture_mail'")
    assert number(sql, f"select count(*) from ({missing}) where not {spared}") < 0.005 * dealt
    assert number(sql, f"select count(*) from ({missing}) where {spared}") > 0
    assert number(sql, f"""
        select count(*) from assignments join leads on lead_id = unit_id
        where experiment = 'nurture_mail' and {spared}""") == 0  # fmt: skip
    assert number(sql, """
        select count(*) from assignments join stage_events on subject_id = unit_id
        where experiment = 'nurture_mail' and stage in ('rejected', 'recycled')
            and "at" <= assigned_at""") == 0  # fmt: skip


def test_the_dinner_is_dealt_by_halves_of_each_size_class(sql: duckdb.DuckDBPyConnection) -> None:
    rows = sql.execute("""
        select unit_id, any_value(arm) as arm, any_value(stratum) as stratum, any_value(employees) as employees,
            count(lead_id) filter (l.created_at < '2026-04-02') as leads, any_value(assigned_at) as "at"
        from assignments join accounts on account_id = unit_id join leads l using (account_id)
        where experiment = 'exec_dinner' and unit_kind = 'account' group by 1""").df()  # fmt: skip
    assert 16 <= len(rows) <= 18  # of 0.003 for each of 6,000 leads
    assert rows["leads"].min() >= 2
    assert (rows["at"] == pd.Timestamp("2026-04-01")).all()
    sizes = pd.cut(rows["employees"], [0, 99, 999, np.inf], labels=["under 100", "100 to 999", "1000 and more"])
    assert rows["stratum"].tolist() == sizes.astype(str).tolist()
    halves = rows.groupby(["stratum", "arm"]).size().unstack()
    assert (halves["control"] == halves["dinner"]).all() and len(halves) >= 2


def test_a_lead_replies_once_within_the_horizon_and_to_nobody_in_sales(sql: duckdb.DuckDBPyConnection) -> None:
    members = """
        select unit_id as lead_id, assigned_at, 30 as days from assignments where experiment = 'nurture_mail'
        union all
        select lead_id, assigned_at, 60 from assignments join leads on account_id = unit_id
        where experiment = 'exec_dinner' and created_at < '2026-04-02'"""
    assert number(sql, f"select count(*) - count(distinct lead_id) from ({members})") == 0
    replies = "select * from activities where kind = 'reply'"
    assert number(sql, f"select count(*) from ({replies})") > 30
    assert number(sql, f"select count(*) - count(distinct lead_id) from ({replies})") == 0
    assert (
        number(sql, f"select count(*) from ({replies}) where owner_id is not null or opportunity_id is not null") == 0
    )
    assert number(sql, f"""
        select count(*) from ({replies}) left join ({members}) m using (lead_id) left join leads using (lead_id)
        where not coalesce("at" > assigned_at and "at" > created_at and "at" < assigned_at + days * interval 1 day,
            false)""") == 0  # fmt: skip


def replies_of_many(companies: int, leads: int) -> Iterator[pd.DataFrame]:
    """Deal and let reply in many companies: a row a lead with its experiment, arm, account and whether it replied."""
    owners, campaigns = make_owners(1), make_campaigns(AS_OF)
    before = dict.fromkeys(write.TABLES, 0)
    for seed in range(companies):
        accounts, people = write.make_people(seed, 0, leads, before, owners, campaigns, AS_OF)
        events, handovers = walk(seed, 0, people, accounts, AS_OF)
        deals = make_deals(seed, 0, 1, handovers, people, accounts, owners, AS_OF)
        made = make_experiments(seed, 0, people, accounts, events, deals, np.ones(len(people), dtype=np.bool_), AS_OF)
        dealt = made.assignments.to_pandas()
        table = people.table.select(["lead_id", "account_id", "created_at"]).to_pandas()
        table["replied"] = table["lead_id"].isin(made.replies.column("lead_id").to_pylist())
        mail = table.merge(dealt[dealt["experiment"] == "nurture_mail"], left_on="lead_id", right_on="unit_id")
        there = table[table["created_at"] < "2026-04-02"]
        dinner = there.merge(dealt[dealt["experiment"] == "exec_dinner"], left_on="account_id", right_on="unit_id")
        both = pd.concat([mail, dinner], ignore_index=True)
        assert both["replied"].sum() == len(made.replies)
        yield both.assign(account=f"{seed} " + both["account_id"])


def test_many_companies_reply_at_the_rates_stated_and_leads_of_an_account_alike() -> None:
    rows = pd.concat(replies_of_many(100, 8_000), ignore_index=True)
    for experiment in EXPERIMENTS:
        for arm, rate in experiment.rates.items():
            mine = rows[(rows["experiment"] == experiment.name) & (rows["arm"] == arm)]
            by = mine.groupby("account")["replied"].agg(["sum", "count"])
            apart = by["sum"] - rate * by["count"]
            score = apart.sum() / np.sqrt((apart**2).sum())
            print(experiment.name, arm, len(by), len(mine), mine["replied"].mean(), round(score, 2))
            assert abs(score) < MONTE_CARLO, (experiment.name, arm, mine["replied"].mean())
    # Two leads of an account that are in the dinner's arm reply together as often as the normal effect makes them.
    rate, sd = DINNER.rates["dinner"], DINNER.account_sd
    both = quad(lambda z: norm.pdf(z) * expit(intercept(rate, sd) + sd * z) ** 2, -9, 9)[0]
    by = rows[(rows["experiment"] == DINNER.name) & (rows["arm"] == "dinner")].groupby("account")["replied"]
    n, y = by.count(), by.sum()
    apart = (y * (y - 1) - both * n * (n - 1)) / (n - 1)
    alone = (y * (y - 1) - rate**2 * n * (n - 1)) / (n - 1)
    print("together", round(apart.sum() / np.sqrt((apart**2).sum()), 2), round(alone.mean() / alone.sem(), 2))
    assert abs(apart.sum() / np.sqrt((apart**2).sum())) < MONTE_CARLO
    assert alone.mean() / alone.sem() > MONTE_CARLO


@pytest.mark.parametrize("rate", [0.05, 0.12, 0.5])
def test_the_intercept_gives_the_rate(rate: float) -> None:
    """Against adaptive integration of the same mean: scipy.integrate.quad."""
    mean = quad(lambda z: norm.pdf(z) * expit(intercept(rate, 0.7) + 0.7 * z), -9, 9, epsabs=1e-13)[0]
    assert mean == pytest.approx(rate, abs=1e-10)
    assert intercept(rate, 0.0) == pytest.approx(np.log(rate / (1 - rate)), abs=1e-9)


def test_before_the_experiments_there_are_none_and_during_them_some(tmp_path: Path) -> None:
    before = build_demo(tmp_path / "before", leads=1_000, as_of=date(2026, 2, 28))
    assert before.rows["assignments"] == 0
    build_demo(tmp_path / "during", leads=3_000, as_of=date(2026, 3, 31))
    found = duckdb.sql(f"select distinct experiment from '{tmp_path}/during/assignments.parquet'").fetchall()
    assert found == [(MAIL.name,)]
    last = duckdb.sql(f"""
        select max(assigned_at), max("at") from '{tmp_path}/during/assignments.parquet',
        '{tmp_path}/during/activities.parquet' where kind = 'reply'""").fetchall()[0]  # fmt: skip
    assert all(f"{at:%Y-%m-%d}" <= "2026-03-31" for at in last)
