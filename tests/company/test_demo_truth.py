"""The truth of the demo company against what its files show, counted by a route of this test's own."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from smarketing.company.demo import DemoTruth, TrueIncidence, build_demo, flows
from smarketing.company.demo.flows import Grid, exit_chances
from smarketing.company.demo.incidence import true_incidences
from smarketing.company.demo.world import START, STEPS, Step, daily_intensity

AS_OF = date(2026, 11, 15)
LEADS = 150_000
MONTE_CARLO = 2.6


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoTruth]:
    folder = tmp_path_factory.mktemp("truth") / "demo"
    return folder, build_demo(folder, leads=LEADS, seed=1)


@pytest.fixture(scope="module")
def entries(demo: tuple[Path, DemoTruth]) -> pd.DataFrame:
    """One row an entry into a step: its step, source, region, account, entry day, first exit and age at exit.

    Written in SQL on the files alone. Leads are followed in spell 1; a deal is an entry of its own. Subjects whose
    dates run backwards are left out.
    """
    folder, _ = demo
    ways = ", ".join(f"('{step.stage}', '{way.stage}')" for step in STEPS for way in step.exits)
    sql = f"""
    with ways(step, exit) as (values {ways}),
    leads as (select * from '{folder}/leads.parquet'),
    deals as (select * from '{folder}/opportunities.parquet'),
    events as (
        select subject_id, subject_kind, stage, "at" from '{folder}/stage_events.parquet'
        where spell = 1 or subject_kind = 'opportunity'
        union all
        select lead_id, 'lead', 'opportunity', created_at from deals where lead_id is not null
        and opportunity_id in (select subject_id from '{folder}/stage_events.parquet' where spell = 1)
    ),
    subjects as (
        select lead_id as subject_id, 'lead' as subject_kind, coalesce(source, '(blank)') as source, account_id
        from leads
        union all
        select opportunity_id, 'opportunity',
            case when d.lead_id is null then '(no lead)' else coalesce(l.source, '(blank)') end, d.account_id
        from deals d left join leads l using (lead_id)
    ),
    entered as (
        select e.*, s.source, s.account_id from events e join subjects s using (subject_id, subject_kind)
        where (e.stage != 'opportunity') = (e.subject_kind = 'lead')
    )
    select e.stage as step, e.source, coalesce(a.region, '?') as region,
        coalesce(e.account_id, e.subject_id) as account,
        e."at"::date as entered, x.stage as exit, date_diff('day', e."at"::date, x."at"::date) as age
    from entered e
    left join '{folder}/accounts.parquet' a on a.account_id = e.account_id
    left join (select step, exit, subject_id, subject_kind, "at", stage from ways join events on stage = exit) x
        on x.subject_id = e.subject_id and x.subject_kind = e.subject_kind and x.step = e.stage
    where e.stage in (select step from ways)
    qualify row_number() over (partition by e.subject_id, e.stage order by x."at") = 1
    """
    frame = duckdb.sql(sql).df()
    frame["exit"], frame["age"] = frame["exit"].fillna(""), frame["age"].astype(float)
    return frame[~(frame["age"] < 0)]


def cohort(entries: pd.DataFrame, truth: TrueIncidence) -> pd.DataFrame:
    """Return the entries that a truth speaks of."""
    here = entries["step"] == truth.step
    if truth.group_by != "overall":
        here &= entries[truth.group_by] == truth.group
    if truth.window == "last 12 months":
        here &= entries["entered"] >= pd.Timestamp(AS_OF) - pd.Timedelta(days=365)
    return entries[here]


def standard_scores(entries: pd.DataFrame, truths: list[TrueIncidence]) -> pd.Series:
    """Return how far matured counts are from the truth, in standard errors clustered on accounts.

    Truths with fewer than 30 exits in the files are left out: their counts are too skewed for a normal error.
    """
    scores = {}
    for truth in truths:
        rows = cohort(entries, truth)
        rows = rows[rows["entered"] <= pd.Timestamp(AS_OF) - pd.Timedelta(days=truth.age)]
        hit = ((rows["exit"] == truth.exit) & (rows["age"] <= truth.age)).to_numpy(dtype=float)
        if truth.matured is None or hit.sum() < 30:
            continue
        residuals = pd.Series(hit - truth.matured).groupby(rows["account"].to_numpy(), sort=False).sum()
        error = np.sqrt((residuals**2).sum()) / len(rows)
        scores[truth.step, truth.exit, truth.window, truth.group_by, truth.group, truth.age] = (
            hit.mean() - truth.matured
        ) / error
    return pd.Series(scores)


def aalen_johansen(rows: pd.DataFrame, exit: str, longest: int) -> np.ndarray:
    """Return the cumulative incidence by age in days, entries censored at the end of the as-of day."""
    followed = (pd.Timestamp(AS_OF) - rows["entered"]).dt.days.to_numpy()
    left = rows["age"].fillna(np.inf).to_numpy()
    ages = np.arange(longest + 1)
    at_risk = np.array([((left >= age) & (followed >= age)).sum() for age in ages])
    everyone = np.bincount(left[left <= longest].astype(int), minlength=longest + 1)
    mine = left[(left <= longest) & (rows["exit"] == exit).to_numpy()].astype(int)
    staying = np.cumprod(1 - everyone / at_risk)
    return np.cumsum(np.concatenate([[1.0], staying[:-1]]) * np.bincount(mine, minlength=longest + 1) / at_risk)


def test_matured_cohorts_recover_the_truth_of_every_step_and_exit(
    demo: tuple[Path, DemoTruth], entries: pd.DataFrame
) -> None:
    truths = [each for each in demo[1].incidences if each.group_by == "overall" and each.age in (7, 30, 90, 180, 365)]
    scores = standard_scores(entries, truths)
    assert len(scores) > 70
    assert scores.abs().max() < MONTE_CARLO, scores[scores.abs() >= MONTE_CARLO]


def test_matured_cohorts_recover_the_truth_by_source_and_region(
    demo: tuple[Path, DemoTruth], entries: pd.DataFrame
) -> None:
    truths = [each for each in demo[1].incidences if each.group_by != "overall" and each.age in (30, 180)]
    scores = standard_scores(entries, truths)
    assert len(scores) > 350
    # 1 % of standard normal scores pass 2.6; those of neighbouring ages and windows share their leads.
    assert (scores.abs() >= MONTE_CARLO).mean() < 0.03, scores[scores.abs() >= MONTE_CARLO]
    assert 0.8 < np.sqrt((scores**2).mean()) < 1.2


@pytest.mark.parametrize("window", ["all time", "last 12 months"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.stage)
def test_aalen_johansen_on_all_entries_recovers_the_pooled_truth(
    demo: tuple[Path, DemoTruth], entries: pd.DataFrame, step: Step, window: str
) -> None:
    for way in step.exits:
        truth = demo[1].incidence(step.stage, way.stage, age=180, window=window)
        rows = cohort(entries, truth)
        estimate = aalen_johansen(rows, way.stage, 180)[[30, 180]]
        # A binomial error with the design effect of accounts of 2.5 leads on average and an ICC of about 0.1.
        error = np.sqrt(1.5 * truth.incidence * (1 - truth.incidence) / len(rows))
        pooled = [demo[1].incidence(step.stage, way.stage, age=age, window=window).pooled for age in (30, 180)]
        assert estimate == pytest.approx(np.array(pooled), abs=MONTE_CARLO * error)


def test_exits_and_staying_add_up_to_one_and_grow_with_age(demo: tuple[Path, DemoTruth]) -> None:
    table = pd.DataFrame([vars(each) for each in demo[1].incidences])
    by_age = table.groupby(["step", "window", "group_by", "group", "age"])["incidence"].sum()
    assert by_age.max() < 1
    assert (table.groupby(["step", "exit", "window", "group_by", "group"])["incidence"].diff().dropna() >= 0).all()


def test_regions_and_sources_weighted_by_entries_give_the_overall_truth(demo: tuple[Path, DemoTruth]) -> None:
    table = pd.DataFrame([vars(each) for each in demo[1].incidences])
    table["exits"] = table["incidence"] * table["expected_entries"]
    total = table.groupby(["group_by", "step", "exit", "window", "age"])["exits"].sum().unstack("group_by")
    assert total["source"].to_numpy() == pytest.approx(total["overall"].to_numpy(), rel=1e-9)
    assert total["region"].to_numpy() == pytest.approx(total["overall"].to_numpy(), rel=1e-9)


def test_one_cell_agrees_with_the_product_of_its_daily_hazards() -> None:
    # An average account, entering on the Monday 2025-03-03: the textbook recursion, in a plain loop.
    step, day = STEPS[1], (date(2025, 3, 3) - START).days
    grid = Grid(*(np.array([0]) for _ in range(3)), np.array([0.0]), np.array([1.0]))
    chances, _ = exit_chances(step, grid, 0, daily_intensity(step, 400, step.max_age))
    staying, reached = 1.0, [0.0, 0.0]
    for age in range(31):
        lambdas = []
        for way in step.exits:
            low, high = (np.log(x / way.median) / way.sigma if x else -np.inf for x in (age, age + 1))
            weekend = step.weekend if (date(2025, 3, 3) + timedelta(days=age)).weekday() >= 5 else 1.0
            spent = way.total * (norm.cdf(high) - norm.cdf(low)) * weekend
            lambdas.append(spent * np.exp(way.source.get("Inbound demo", 0.0) + way.band[0]))
        leaving = 1 - np.exp(-sum(lambdas))
        for k in range(2):
            reached[k] += staying * leaving * lambdas[k] / sum(lambdas)
        staying *= 1 - leaving
    assert chances[:, 0, (day + START.weekday()) % 7, :31].sum(axis=1) == pytest.approx(np.array(reached), rel=1e-12)


def test_seven_nodes_integrate_the_account_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    as_of = date(2025, 3, 1)
    seven = np.array([each.incidence for each in true_incidences(as_of)])
    monkeypatch.setattr(flows, "NODES", 15)
    fifteen = np.array([each.incidence for each in true_incidences.__wrapped__(as_of)])
    assert seven == pytest.approx(fifteen, abs=1e-4)


def test_leads_of_an_account_are_correlated(entries: pd.DataFrame) -> None:
    old = entries["entered"] <= pd.Timestamp(AS_OF) - pd.Timedelta(days=60)
    rows = entries[(entries["step"] == "lead") & old]
    hit = (rows["age"] <= 60).to_numpy(dtype=float)
    size = rows.groupby("account").size()
    hits = pd.Series(hit).groupby(rows["account"].to_numpy()).sum()
    several = size[size >= 2]
    concordant = (hits * (hits - 1))[several.index].sum() / (several * (several - 1)).sum()
    correlation = (concordant - hit.mean() ** 2) / (hit.mean() * (1 - hit.mean()))
    assert 0.03 < correlation < 0.25
    assert several.quantile(0.99) > 4 * several.mean()


def test_paid_search_declines_and_no_other_source_does(entries: pd.DataFrame) -> None:
    rows = entries[(entries["step"] == "lead")]
    last = pd.Timestamp(AS_OF)
    recent = rows["entered"].between(last - pd.Timedelta(days=120), last - pd.Timedelta(days=31))
    before = rows["entered"] < last - pd.Timedelta(days=300)
    rate = (rows["age"] <= 30).groupby([rows["source"], np.select([recent, before], ["now", "then"], "between")]).mean()
    change = (rate.xs("now", level=1) / rate.xs("then", level=1)).drop(["unknown", "(blank)"])
    assert change["Paid search"] < 0.7
    assert change.drop("Paid search").between(0.93, 1.07).all(), change


def test_emea_follows_up_late(demo: tuple[Path, DemoTruth], entries: pd.DataFrame) -> None:
    accepted = entries[(entries["step"] == "mql") & (entries["exit"] == "sal")]
    median = accepted.groupby("region")["age"].median()
    assert median["EMEA"] > median["North America"]
    emea, america = (
        demo[1].incidence("mql", "sal", age=30, region=region).incidence for region in ("EMEA", "North America")
    )
    assert emea < america - 0.15


def test_losses_come_sooner_than_wins(entries: pd.DataFrame) -> None:
    closed = entries[(entries["step"] == "opportunity") & (entries["exit"] != "")]
    median = closed.groupby("exit")["age"].median()
    assert median["won"] > 1.5 * median["lost"]


def test_the_rising_competitor_takes_its_true_share_of_losses(demo: tuple[Path, DemoTruth]) -> None:
    folder, truth = demo
    sql = f"""select strftime(closed_at, '%Y-%m') as month, count(*) as losses,
        count(*) filter (competitor = '{truth.world["rising_competitor"]}') as taken
    from '{folder}/opportunities.parquet' where outcome = 'lost' and competitor is not null group by all"""
    months = duckdb.sql(sql).df().set_index("month").sort_index()
    months = months[months["losses"] >= 100]
    share = pd.Series(truth.competitor_shares)[months.index]
    scores = (months["taken"] - share * months["losses"]) / np.sqrt(share * (1 - share) * months["losses"])
    assert scores.abs().max() < 3.2, scores
    assert np.sqrt((scores**2).mean()) < 1.35
    assert months["taken"].iloc[-1] / months["losses"].iloc[-1] > 0.35


def test_expected_entries_are_what_the_files_hold(demo: tuple[Path, DemoTruth], entries: pd.DataFrame) -> None:
    counts = entries["step"].value_counts()
    for step in STEPS:
        expected = demo[1].incidence(step.stage, step.exits[0].stage, age=30).expected_entries * LEADS
        assert counts[step.stage] == pytest.approx(expected, rel=0.025)
