"""Headline figures against plain pandas on the demo company, and the rules for targets, status and withholding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from small_companies import company_of, deal, deals_of, definitions_of, events_of, leads_of
from smarketing.company.definitions import Definitions, read_definitions
from smarketing.company.demo import build_demo
from smarketing.company.targets import Target, Targets
from smarketing.measures.headline import Headline, headline
from smarketing.measures.panels import Panel
from smarketing.measures.scope import Scope
from smarketing.measures.view import view

DEFINITIONS = read_definitions(Path(__file__).parents[2] / "params/definitions.yml")
AS_OF = date(2026, 11, 15)
NO_TARGETS = Targets()
EXITS = ["lost", "rejected", "recycled"]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """The demo company's files."""
    folder = tmp_path_factory.mktemp("headline") / "demo"
    build_demo(folder, leads=8_000, seed=11)
    names = ("accounts", "owners", "leads", "stage_events", "opportunities")
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}


def measured(
    frames: dict[str, pd.DataFrame], as_of: date = AS_OF, targets: Targets = NO_TARGETS, **scope: str
) -> Headline:
    company = company_of(ibis.duckdb.connect(), frames)
    return headline(view(company, DEFINITIONS, as_of, Scope(**scope)), targets)


@pytest.fixture(scope="module")
def shown(frames: dict[str, pd.DataFrame]) -> Headline:
    return measured(frames)


def panel(found: Headline, name: str) -> Panel:
    return next(p for p in found.panels if p.figure.name == name)


def quality(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Leads with the days they took to SQL (NaN: not so), by the rules, in pandas."""
    leads, deals = frames["leads"], frames["opportunities"]
    log = frames["stage_events"]
    spell_of = log[log["subject_kind"] == "opportunity"].groupby("subject_id")["spell"].min()
    deals = deals[deals["opportunity_id"].map(spell_of).fillna(1) == 1]
    happened = pd.concat(
        [
            log[(log["subject_kind"] == "lead") & (log["spell"] == 1)].rename(columns={"subject_id": "lead_id"}),
            deals.assign(stage="sql", at=deals["created_at"]),
            deals.assign(stage=deals["outcome"], at=deals["closed_at"]).query("outcome != 'open'"),
        ]
    )[["lead_id", "stage", "at"]]
    exit_day = happened[happened["stage"].isin(EXITS)].groupby("lead_id")["at"].min().dt.normalize()
    hits = happened[happened["stage"].isin(["sql", "won"])].groupby("lead_id")["at"].min().dt.normalize()
    rows = leads.assign(day=leads["created_at"].dt.normalize())
    out, hit = rows["lead_id"].map(exit_day), rows["lead_id"].map(hits)
    hit = hit.where(out.isna() | (hit <= out))
    end = hit.fillna(out)
    rows = rows.assign(days=(hit - rows["day"]).dt.days, cluster=rows["account_id"].fillna("own:" + rows["lead_id"]))
    return rows[~(end < rows["day"])]


def closing(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    deals = frames["opportunities"]
    deals = deals[(deals["outcome"] == "open") | deals["closed_at"].notna()]
    day, closed = deals["created_at"].dt.normalize(), deals["closed_at"].dt.normalize()
    deals = deals.assign(
        day=day,
        days=(closed - day).dt.days.where(deals["outcome"] == "won"),
        cluster=deals["account_id"].fillna("own:" + deals["opportunity_id"]),
    )
    return deals[~(closed < day)]


def within(rows: pd.DataFrame, start: date, end: date, column: str = "day") -> pd.DataFrame:
    return rows[rows[column].between(pd.Timestamp(start), pd.Timestamp(end))]


def clustered(hit: pd.Series, cluster: pd.Series) -> tuple[float, float, float]:
    """Share and interval on log(-log(1 - p)) from the linearised share by account."""
    p, accounts = hit.mean(), (hit - hit.mean()).groupby(cluster).sum()
    error = math.sqrt((accounts**2).sum() * len(accounts) / (len(accounts) - 1)) / len(hit)
    sizes = hit.groupby(cluster).size()
    half = stats.t.ppf(0.975, sizes.sum() ** 2 / (sizes**2).sum() - 1) * error / ((1 - p) * -math.log(1 - p))
    return p, 1 - (1 - p) ** math.exp(-half), 1 - (1 - p) ** math.exp(half)


def test_weeks_are_complete_and_the_window_is_the_last_six(shown: Headline) -> None:
    flow = panel(shown, "lead_flow")
    assert flow.weeks["end"].tolist() == [AS_OF - timedelta(days=7 * k) for k in range(5, -1, -1)]
    assert (flow.weeks["start"] == flow.weeks["end"] - timedelta(days=6)).all()
    assert flow.months["end"].tolist()[-2:] == [date(2026, 9, 30), date(2026, 10, 31)]
    assert (flow.figure.period, flow.figure.series_label) == (
        "6 weeks to 15 Nov 2026",
        "single months, Nov 2025 to Oct 2026",
    )


def test_counts_are_those_of_pandas(shown: Headline, frames: dict[str, pd.DataFrame]) -> None:
    leads = frames["leads"].assign(day=frames["leads"]["created_at"].dt.normalize())
    leads = leads.assign(cluster=leads["account_id"].fillna("own:" + leads["lead_id"]))
    flow, by_account = panel(shown, "lead_flow"), panel(shown, "lead_flow_by_account")
    for one, count in ((flow, len), (by_account, lambda rows: rows["cluster"].nunique())):
        for periods in (one.weeks, one.months):
            expected = [count(within(leads, s, e)) for s, e in zip(periods["start"], periods["end"], strict=True)]
            assert periods["value"].tolist() == expected
        week_ago = [
            count(within(leads, s - timedelta(days=364), e - timedelta(days=364)))
            for s, e in zip(one.weeks["start"], one.weeks["end"], strict=True)
        ]
        assert one.weeks["prior_year"].tolist() == week_ago
        start, end = one.weeks["start"].iloc[0], one.weeks["end"].iloc[-1]
        assert one.figure.value == count(within(leads, start, end))
        earlier = timedelta(days=42)
        assert one.figure.prior == count(within(leads, start - earlier, end - earlier))
        assert one.figure.change == one.figure.value - one.figure.prior
    assert by_account.figure.value < flow.figure.value


def test_amounts_are_those_of_pandas(shown: Headline, frames: dict[str, pd.DataFrame]) -> None:
    deals = closing(frames)
    created, bookings = panel(shown, "pipeline_created"), panel(shown, "bookings")
    won = deals[deals["outcome"] == "won"].assign(day=deals["closed_at"].dt.normalize())
    for one, rows in ((created, deals), (bookings, won)):
        for periods in (one.weeks, one.months):
            sums = [within(rows, s, e)["amount"].sum() for s, e in zip(periods["start"], periods["end"], strict=True)]
            assert periods["value"].tolist() == pytest.approx(sums)
        assert one.figure.value == pytest.approx(one.weeks["value"].sum())
        assert one.figure.series == pytest.approx(tuple(one.months["value"]))


@pytest.mark.parametrize(("name", "days"), [("lead_quality", 60), ("close_rate", 180)])
def test_rates_are_of_those_whose_days_are_complete(
    shown: Headline, frames: dict[str, pd.DataFrame], name: str, days: int
) -> None:
    rows, lag = quality(frames) if name == "lead_quality" else closing(frames), timedelta(days=days)
    rows = rows.assign(hit=(rows["days"] <= days).astype(float))
    one, by_account = panel(shown, name), panel(shown, f"{name}_by_account")
    for periods in (one.weeks, one.months):
        for _, period in periods.iterrows():
            mine = within(rows, period["start"] - lag, period["end"] - lag)
            assert period["n"] == len(mine)
            if not math.isnan(period["value"]):
                expected = clustered(mine["hit"], mine["cluster"])
                assert (period["value"], period["lower"], period["upper"]) == pytest.approx(expected, abs=1e-9)
    assert one.months["value"].notna().any()
    mine = within(rows, one.weeks["start"].iloc[0] - lag, AS_OF - lag)
    figure = one.figure
    assert (figure.value, figure.lower, figure.upper) == pytest.approx(
        clustered(mine["hit"], mine["cluster"]), abs=1e-9
    )
    assert figure.maturity == "final"
    # An account counts once, and as one that got there if any of its leads did; its interval is Wilson's.
    accounts = mine.groupby("cluster")["hit"].max()
    interval = stats.binomtest(int(accounts.sum()), len(accounts)).proportion_ci(method="wilson")
    assert by_account.figure.n == len(accounts)
    expected = (accounts.mean(), interval.low, interval.high)
    assert (by_account.figure.value, by_account.figure.lower, by_account.figure.upper) == pytest.approx(expected)
    assert by_account.figure.interval == "95% intervals are Wilson's, of accounts."


def test_withheld_rates_have_a_reason_and_no_number(frames: dict[str, pd.DataFrame]) -> None:
    few = frames | {"leads": frames["leads"].tail(500), "opportunities": frames["opportunities"].tail(40)}
    found = measured(few)
    for name in ("lead_quality", "close_rate", "lead_quality_by_account"):
        figure = panel(found, name).figure
        assert (figure.value, figure.lower, figure.change, figure.status) == (None, None, None, "withheld")
        assert figure.reason == f"only {figure.n} of the 30 needed"


def test_missing_amounts_withhold_the_sum_and_say_how_many(frames: dict[str, pd.DataFrame]) -> None:
    deals = frames["opportunities"]
    recent = (deals["closed_at"] >= "2026-10-05") & (deals["outcome"] == "won")
    blank = deals.assign(amount=deals["amount"].where(~recent | (np.arange(len(deals)) % 2 == 0)))
    figure = panel(measured(frames | {"opportunities": blank}), "bookings").figure
    missing, n = blank.loc[recent, "amount"].isna().sum(), recent.sum()
    assert (figure.value, figure.status, figure.change) == (None, "withheld", None)
    assert figure.reason == f"{missing} of {n} deals have no amount"
    months = panel(measured(frames | {"opportunities": blank}), "bookings").months
    october = months.set_index("period").loc["Oct 2026"]
    assert math.isnan(october["value"])
    assert figure.series[-1] is None
    assert figure.series[0] is not None


def test_one_blank_amount_in_a_hundred_is_not_too_many() -> None:
    many = [deal(f"D{i}", "2026-01-01", "2026-03-20", "won", amount=None if i < 2 else 10.0) for i in range(100)]
    kpis = [{"name": "bookings", "label": "Bookings", "kind": "won"}]
    company = company_of(ibis.duckdb.connect(), {"opportunities": deals_of(*many)})
    (only,) = headline(view(company, definitions_of(figures=kpis), date(2026, 3, 22)), Targets()).panels
    assert (only.figure.value, only.figure.reason, only.counted_by) == (980.0, "", "deals")


def flow_of(counts: Sequence[int], tolerance: float = 0.05) -> Any:
    """A view of a company with so many leads in each of its weeks, up to Sunday 2026-03-29."""
    days = [date(2026, 3, 29) - timedelta(days=7 * k) for k in reversed(range(len(counts)))]
    rows = [(f"L{k}.{i}", f"{day}") for k, (day, n) in enumerate(zip(days, counts, strict=True)) for i in range(n)]
    kpis = [{"name": "flow", "label": "Leads", "kind": "entries", "stage": "lead", "tolerance": tolerance}]
    company = company_of(
        ibis.duckdb.connect(), {"leads": leads_of(*rows), "stage_events": events_of(("L0.0", "mql", "2026-03-29"))}
    )
    return view(company, definitions_of(figures=kpis), date(2026, 3, 29))


def target_of(total: float, weeks: int = 6) -> Targets:
    end = date(2026, 3, 29)
    return Targets((Target("flow", end - timedelta(days=7 * weeks - 1), end, total, {}),))


@pytest.mark.parametrize(
    ("target", "tolerance", "status"),
    [
        (None, 0.05, "no target"),
        (600.0, 0.05, "too close to call"),
        (600.0, 0.15, "on target"),
        # The weeks vary by 10 around 100: six of them by 58 around 600.
        (640.0, 0.05, "too close to call"),
        (560.0, 0.05, "too close to call"),
        (700.0, 0.05, "behind"),
        (500.0, 0.05, "ahead"),
        (700.0, 0.15, "on target"),
        (500.0, 0.25, "on target"),
    ],
)
def test_ahead_and_behind_need_the_whole_interval_beyond_the_target(
    target: float | None, tolerance: float, status: str
) -> None:
    targets = Targets() if target is None else target_of(target)
    flow = headline(flow_of([95, 105] * 12, tolerance), targets).panels[0].figure
    # sigma is the mean moving range over d2 = 2 / sqrt(pi); about 0.605 (n - 1) degrees of freedom.
    half = stats.t.ppf(0.975, 0.605 * 23) * math.sqrt(6) * 10 / (2 / math.sqrt(math.pi))
    assert flow.lower == pytest.approx(600 - half, abs=1.0)
    assert flow.upper == pytest.approx(600 + half, abs=1.0)
    assert (flow.change is not None, flow.change_lower, flow.change_upper) == (True, None, None)
    assert (flow.value, flow.target, flow.status) == (600, target, status)


def test_lower_is_better_turns_ahead_and_behind() -> None:
    seen = flow_of([95, 105] * 12)
    kpi = seen.definitions.kpis.figures[0].model_copy(update={"higher_is_better": False})
    kpis = seen.definitions.kpis.model_copy(update={"figures": (kpi,)})
    turned = replace(seen, definitions=seen.definitions.model_copy(update={"kpis": kpis}))
    assert headline(turned, target_of(700.0)).panels[0].figure.status == "ahead"
    assert headline(turned, target_of(500.0)).panels[0].figure.status == "behind"


def test_a_window_half_covered_by_targets_has_none() -> None:
    flow = headline(flow_of([100, 110] * 12), target_of(600.0, weeks=3)).panels[0]
    assert (flow.figure.target, flow.figure.status) == (None, "no target")
    assert flow.weeks["target"].isna().tolist() == [True] * 3 + [False] * 3
    assert flow.weeks["target"].iloc[-1] == pytest.approx(200)


def test_weeks_before_the_first_lead_are_no_evidence_of_variation() -> None:
    short = headline(flow_of([100, 110, 100, 110, 100, 110]), Targets()).panels[0].figure
    assert (short.value, short.lower, short.upper, short.prior, short.change) == (630, None, None, None, None)


def test_what_cannot_be_made_is_named() -> None:
    found = headline(flow_of([100, 110] * 12), Targets())
    assert found.not_applicable == (
        ("Counting by account", "no account is recorded for LEADs"),
        ("Lead flow", "the definitions name no figure for it"),
        ("Lead quality", "the definitions name no figure for it"),
        ("Close rate", "the definitions name no figure for it"),
    )
    deals_only = company_of(ibis.duckdb.connect(), {"opportunities": deals_of(deal("D", "2026-03-01"))})
    found = headline(view(deals_only, DEFINITIONS, date(2026, 3, 29)), Targets())
    assert found.not_applicable[:2] == (
        ("New leads", "no `leads` table is mapped"),
        ("Leads that become SQL within 60 days", "no `leads` table is mapped"),
    )


def test_a_scope_and_its_own_target(frames: dict[str, pd.DataFrame]) -> None:
    year = (date(2026, 1, 1), date(2026, 12, 31))
    targets = Targets((Target("lead_flow", *year, 3_650.0, {"region": "EMEA"}), Target("lead_flow", *year, 1.0, {})))
    figure = panel(measured(frames, targets=targets, region="EMEA"), "lead_flow").figure
    leads = frames["leads"].merge(frames["accounts"][["account_id", "region"]], how="left", on="account_id")
    owners = frames["owners"].groupby("owner_id")["region"].max()
    region = leads["region"].fillna(leads["owner_id"].map(owners))
    day = leads["created_at"].dt.normalize()
    assert figure.value == ((region == "EMEA") & day.between("2026-10-05", "2026-11-15")).sum()
    assert figure.target == 420


def changed_later(frames: dict[str, pd.DataFrame], as_of: date, *, seed: int | None) -> dict[str, pd.DataFrame]:
    """The same company up to a day; what happens later is dropped, or (with a seed) made up anew."""
    end = pd.Timestamp(as_of + timedelta(days=1))
    kept = {
        name: frame[~(frame[clock] >= end)]
        for name, clock in (("leads", "created_at"), ("stage_events", "at"), ("opportunities", "created_at"))
        for frame in [frames[name]]
    }
    deals = kept["opportunities"]
    later = deals["closed_at"] >= end
    blank = {"closed_at": pd.NaT, "loss_reason": None, "competitor": None}
    kept["opportunities"] = deals.assign(
        outcome=deals["outcome"].mask(later, "open"), **{k: deals[k].mask(later, v) for k, v in blank.items()}
    )
    if seed is not None:
        rng = np.random.default_rng(seed)
        for name, clock in (("leads", "created_at"), ("stage_events", "at"), ("opportunities", "created_at")):
            made_up = frames[name].sample(400, random_state=seed)
            made_up = made_up.assign(**{clock: end + pd.to_timedelta(rng.integers(0, 90, 400), "D")})
            if name == "leads":
                made_up["lead_id"] = "new " + made_up["lead_id"]
            if name == "opportunities":
                made_up = made_up.assign(
                    opportunity_id="new " + made_up["opportunity_id"],
                    closed_at=end + pd.Timedelta(days=99),
                    outcome="lost",
                )
            kept[name] = pd.concat([kept[name], made_up], ignore_index=True)
        still = kept["opportunities"]["outcome"] == "open"
        kept["opportunities"].loc[still, ["closed_at", "outcome", "loss_reason"]] = [end, "lost", "Price"]
    return frames | kept


@pytest.mark.parametrize(("as_of", "seed"), [(date(2026, 3, 31), None), (date(2026, 8, 2), 2)])
def test_nothing_that_happens_after_the_as_of_day_changes_a_figure(
    frames: dict[str, pd.DataFrame], as_of: date, seed: int | None
) -> None:
    before, after = measured(frames, as_of), measured(changed_later(frames, as_of, seed=seed), as_of)
    assert [p.figure for p in after.panels] == [p.figure for p in before.panels]
    for one, other in zip(after.panels, before.panels, strict=True):
        pd.testing.assert_frame_equal(one.weeks, other.weeks)
        pd.testing.assert_frame_equal(one.months, other.months)


def test_the_last_days_that_systems_have_not_written_are_left_out(frames: dict[str, pd.DataFrame]) -> None:
    windows = DEFINITIONS.windows.model_copy(update={"reporting_delay_days": 7})
    delayed: Definitions = DEFINITIONS.model_copy(update={"windows": windows})
    company = company_of(ibis.duckdb.connect(), frames)
    late = headline(view(company, delayed, AS_OF), Targets())
    assert late.figures == measured(frames, AS_OF - timedelta(days=7)).figures
