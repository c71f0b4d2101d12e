"""Incidences from the engine against rows, statsmodels, R and plain numpy; intervals that keep accounts together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from smarketing.company.definitions import Evidence, read_definitions
from smarketing.company.inputs import open_company
from smarketing.company.tables import ObservedFrom
from smarketing.estimates.life_tables import life_table
from smarketing.estimates.survival import incidence
from smarketing.measures.incidence import ALL, Share, outcomes, shares, times
from smarketing.measures.journeys import Durations
from smarketing.measures.view import view

PARAMS = Path(__file__).parents[2] / "params"
AS_OF = date(2026, 3, 31)
LATE = ObservedFrom(("won", "lost"), date(2026, 1, 1), "delayed_entry")
KINDS = ("open", "won", "lost")
ANY = Evidence(minimum_denominator=1, minimum_effective_accounts=2)


def steps_of(backend: ibis.BaseBackend, rows: pd.DataFrame, *, late: bool = False) -> Durations:
    """Durations from rows of ``first``, ``last``, ``exit`` (empty: open), ``account`` and attributes."""
    named = rows.rename(columns={"first": "first_age", "last": "last_age", "account": "cluster"})
    columns = {name: pa.array(named[name]) for name in named.columns if name != "exit"}
    columns["exit"] = pa.array([way or None for way in rows["exit"]], type=pa.string())
    table = backend.create_table("steps", pa.table(columns), overwrite=True)
    return Durations(table, "won", ("won", "lost"), AS_OF, (LATE,) if late else ())


def simulated(n: int, *, seed: int = 1, late: bool = False) -> pd.DataFrame:
    """Leads of accounts that are alike, with amounts and segments."""
    rng = np.random.default_rng(seed)
    account = rng.integers(0, max(n // 3, 2), n)
    speed = rng.lognormal(0, 0.5, max(n // 3, 2))[account]
    won, lost = rng.exponential(60 / speed), rng.exponential(40, n)
    age, first = rng.integers(0, 150, n), rng.integers(0, 20, n) if late else np.zeros(n, dtype=np.int64)
    left = np.minimum(won, lost).astype(np.int64)
    kept = pd.DataFrame(
        {
            "first": first,
            "last": np.minimum(left, age),
            "exit": np.where(left > age, "", np.where(won < lost, "won", "lost")),
            "account": np.char.add("a", account.astype(str)),
            "segment": rng.choice(["large", "small"], n, p=[0.3, 0.7]),
            "amount": np.round(rng.lognormal(8, 1, n), 2),
        }
    )
    return kept[kept["last"] >= kept["first"]].reset_index(drop=True)


def curve_of(rows: pd.DataFrame, kind: str, horizon: int, weight: np.ndarray) -> float:
    """Weighted Aalen-Johansen by rows, in a plain loop over ages."""
    first, last = rows["first"].to_numpy(), rows["last"].to_numpy()
    left, mine = (rows["exit"] != "").to_numpy(), (rows["exit"] == kind).to_numpy()
    still, reached = 1.0, 0.0
    for age in range(horizon + 1):
        at_risk = weight[(first <= age) & (last >= age)].sum()
        if at_risk > 0:
            reached += still * weight[(last == age) & mine].sum() / at_risk
            still *= 1 - weight[(last == age) & left].sum() / at_risk
    return still if kind == "open" else reached


def clustered_error(rows: pd.DataFrame, kind: str, horizon: int, weight: np.ndarray) -> float:
    """Standard error from the numerical derivative by each account's weight, with G / (G - 1)."""
    squares = 0.0
    accounts = rows["account"].unique()
    for account in accounts:
        step = np.where(rows["account"] == account, 1e-5, 0.0)
        up, down = (curve_of(rows, kind, horizon, weight * (1 + sign * step)) for sign in (1, -1))
        squares += ((up - down) / 2e-5) ** 2
    return math.sqrt(squares * len(accounts) / (len(accounts) - 1))


def limits(value: float, error: float, effective: float) -> tuple[float, float]:
    """Interval on log(-log(1 - F)), Kalbfleisch & Prentice (2002), with t on effective accounts - 1."""
    half = stats.t.ppf(0.975, effective - 1) * error / ((1 - value) * -math.log(1 - value))
    return tuple(1 - (1 - value) ** math.exp(sign * half) for sign in (-1, 1))  # type: ignore[return-value]


def test_engine_life_tables_equal_those_of_rows(engine: ibis.BaseBackend) -> None:
    for late in (False, True):
        rows = simulated(500, late=late)
        found = outcomes(steps_of(engine, rows, late=late), by="segment")
        assert list(found) == ["large", "small"]
        for segment, one in found.items():
            mine = rows[rows["segment"] == segment]
            expected = incidence(life_table(mine["first"], mine["last"], mine["exit"], kinds=("won", "lost")))
            assert one.n == len(mine)
            for age in range(151):
                for kind in ("won", "lost"):
                    assert one.curves.at(kind, age) == pytest.approx(expected.at(kind, age), abs=1e-12)
                assert one.curves.open_at(age) == pytest.approx(expected.open_at(age), abs=1e-12)


def test_incidences_equal_statsmodels_without_delayed_entry(engine: ibis.BaseBackend) -> None:
    rows = simulated(800)
    status = rows["exit"].map({"": 0, "won": 1, "lost": 2})
    # Its standard error, not used here, divides by 0 when the last lead exits.
    with np.errstate(divide="ignore", invalid="ignore"):
        competing = CumIncidenceRight(rows["last"].to_numpy(), status.to_numpy())
    open_ = SurvfuncRight(rows["last"], (status > 0).astype(int))
    curves = outcomes(steps_of(engine, rows))[ALL].curves
    for kind, reference in zip(("won", "lost"), competing.cinc, strict=True):
        assert [curves.at(kind, age) for age in competing.times] == pytest.approx(reference.tolist(), abs=1e-9)
    assert [curves.open_at(age) for age in open_.surv_times] == pytest.approx(open_.surv_prob.tolist(), abs=1e-9)


# R 4.2.2, survival 3.5.3:
#   first <- c(0,0,0,0,0,2,3,3,5,0,0,4,6,1,0,0,7,0)
#   last  <- c(3,5,5,7,9,6,7,8,9,12,2,11,10,8,14,5,16,0)
#   exit  <- c("won","lost","","won","lost","lost","won","","won","won","lost","","lost","won","","won","","lost")
#   w <- c(10,20,5,40,8,30,22,17,9,51,13,6,28,19,33,12,7,15)
#   event <- factor(exit, levels = c("", "won", "lost")); id <- seq_along(first)
#   s <- summary(survfit(Surv(first - 1, last, event) ~ 1, id = id), times = c(0, 3, 5, 8, 10, 12))
#   cbind(s$time, s$pstate, s$std.err)          # open, won, lost, and their standard errors
#   ... and with weights = w, times = c(3, 8, 12)
SMALL = pd.DataFrame(
    {
        "first": [0, 0, 0, 0, 0, 2, 3, 3, 5, 0, 0, 4, 6, 1, 0, 0, 7, 0],
        "last": [3, 5, 5, 7, 9, 6, 7, 8, 9, 12, 2, 11, 10, 8, 14, 5, 16, 0],
        "exit": "won lost - won lost lost won - won won lost - lost won - won - lost".replace("-", "").split(" "),
        "amount": [10.0, 20, 5, 40, 8, 30, 22, 17, 9, 51, 13, 6, 28, 19, 33, 12, 7, 15],
    }
)  # fmt: skip
R_SMALL = {
    0: (0.900000000000, 0.0, 0.100000000000, 0.094868329805, 0.0, 0.094868329805),
    3: (0.750000000000, 0.068181818182, 0.181818181818, 0.121917926148, 0.066346982702, 0.115122513384),
    5: (0.634615384615, 0.125874125874, 0.239510489510, 0.122243929765, 0.084390378065, 0.117904963774),
    8: (0.419580419580, 0.283216783217, 0.297202797203, 0.113994781761, 0.108969398238, 0.122711118398),
    10: (0.239760239760, 0.343156843157, 0.417082917083, 0.102839031305, 0.116756691233, 0.128124637543),
    12: (0.159840159840, 0.423076923077, 0.417082917083, 0.092333296655, 0.129972651130, 0.128124637543),
}  # fmt: skip
R_SMALL_BY_AMOUNT = {
    3: (0.844637870351, 0.032865286784, 0.122496842865, 0.093505139345, 0.033361958957, 0.087735962194),
    8: (0.437420308417, 0.292965483132, 0.269614208451, 0.140731575635, 0.123543234840, 0.124729944007),
    12: (0.131341185316, 0.488149316775, 0.380509497909, 0.102028068449, 0.154670510803, 0.145750899937),
}  # fmt: skip


def assert_equals_r(found: list[Share], expected: dict[int, tuple[float, ...]]) -> None:
    """Compare values, and limits made from R's standard error, which lacks the factor G / (G - 1)."""
    for share in found:
        place = KINDS.index(share.kind)
        value, error = expected[share.horizon][place], expected[share.horizon][3 + place]
        assert share.value == pytest.approx(value, abs=1e-11)
        if value > 0:
            error *= math.sqrt(share.clusters / (share.clusters - 1))
            expected_limits = limits(value, error, share.effective_clusters)
            assert (share.lower, share.upper) == pytest.approx(expected_limits, abs=1e-9)


def test_delayed_entry_equals_r_on_a_small_table(engine: ibis.BaseBackend) -> None:
    # R takes every row for itself (survival 3.5.3 ignores `cluster` beside `id`), so each row is an account here.
    steps = steps_of(engine, SMALL.assign(account=[f"a{i}" for i in range(len(SMALL))]), late=True)
    found = shares(steps, horizons=list(R_SMALL), evidence=ANY)
    assert len(found) == 3 * len(R_SMALL)
    assert_equals_r(found, R_SMALL)
    by_amount = shares(steps, horizons=list(R_SMALL_BY_AMOUNT), evidence=ANY, weight="amount")
    assert_equals_r(by_amount, R_SMALL_BY_AMOUNT)


# R 4.2.2, survival 3.5.3, on the public export (8,300 engaged deals, as of 2017-12-31):
#   d <- read.csv("sales_pipeline.csv", na.strings = ""); d <- d[!is.na(d$engage_date), ]
#   start <- as.Date(d$engage_date); end <- as.Date(d$close_date); asof <- as.Date("2017-12-31")
#   first <- pmax(0, as.numeric(as.Date("2017-03-01") - start))
#   last <- as.numeric(ifelse(is.na(end), asof, end) - as.numeric(start))
#   event <- factor(ifelse(d$deal_stage == "Won", "won", ifelse(d$deal_stage == "Lost", "lost", "")),
#                   levels = c("", "won", "lost"))
#   id <- seq_len(nrow(d)); m <- survfit(Surv(first - 1, last, event) ~ 1, id = id)
#   s <- summary(m, times = c(7, 30, 60, 90, 120))
#   cbind(s$time, s$pstate, s$std.err)
R_B2B = {
    7: (0.804393253745, 0.104627037367, 0.090979708889, 0.004660016780, 0.003598290236, 0.003381993566),
    30: (0.568688333098, 0.247347395464, 0.183964271438, 0.005766270497, 0.005031680830, 0.004522655514),
    60: (0.499065191520, 0.293484330238, 0.207450478242, 0.005758395993, 0.005266623891, 0.004695547293),
    90: (0.309548247105, 0.419497051747, 0.270954701148, 0.005172043526, 0.005593543240, 0.005050059235),
    120: (0.177993922269, 0.512103694228, 0.309902383503, 0.004288247015, 0.005633001675, 0.005218587641),
}  # fmt: skip
# ... k <- d$product == "MG Special": the same call on the rows of k, times = 120
R_B2B_ONE_PRODUCT = (
    0.180523251363,
    0.527561570670,
    0.291915177966,
    0.010165545259,
    0.013152523459,
    0.011969815123,
)


def test_delayed_entry_equals_r_on_the_real_b2b_export(public_data: Callable[[str, str], Path]) -> None:
    company = open_company(
        PARAMS / "inputs/crm_opportunities.yml", data=public_data("crm_opportunities", "crm_opportunities")
    )
    definitions = read_definitions(PARAMS / "definitions_crm_opportunities.yml")
    steps = view(company, definitions, date(2017, 12, 31)).step("opportunity", "won")
    found = shares(steps, horizons=list(R_B2B), evidence=definitions.evidence)
    # 85 accounts, and 1,088 of the 1,425 deals without one have been engaged.
    assert {(share.n, share.clusters) for share in found} == {(8_300, 85 + 1_088)}
    alone = replace(steps, table=steps.table.mutate(cluster=steps.table.subject_id))
    assert_equals_r(shares(alone, horizons=list(R_B2B), evidence=definitions.evidence), R_B2B)
    assert [share.value for share in found] == pytest.approx([R_B2B[s.horizon][KINDS.index(s.kind)] for s in found])
    by_product = shares(alone, horizons=[120], evidence=definitions.evidence, by="product")
    special = [share for share in by_product if share.group == "MG Special"]
    assert {share.n for share in special} == {1_531}
    assert_equals_r(special, {120: R_B2B_ONE_PRODUCT})


@pytest.mark.parametrize("weight", [None, "amount"])
@pytest.mark.parametrize("late", [False, True])
def test_intervals_equal_the_derivative_by_each_accounts_weight(late: bool, weight: str | None) -> None:
    rows = simulated(120, late=late, seed=3)
    steps = steps_of(ibis.duckdb.connect(), rows, late=late)
    own = np.ones(len(rows)) if weight is None else rows["amount"].to_numpy()
    sizes = pd.Series(own).groupby(rows["account"]).sum()
    for share in shares(steps, horizons=[25, 60], evidence=ANY, weight=weight):
        value = curve_of(rows, share.kind, share.horizon, own)
        assert share.value == pytest.approx(value, abs=1e-12)
        assert share.effective_clusters == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())
        error = clustered_error(rows, share.kind, share.horizon, own)
        expected = limits(value, error, share.effective_clusters)
        assert (share.lower, share.upper) == pytest.approx(expected, abs=1e-6)
        assert (share.n, share.clusters) == (len(rows), len(sizes))


def test_without_accounts_the_error_of_all_still_open_is_greenwoods() -> None:
    rows = simulated(400).assign(account=lambda r: r.index.astype(str))
    reference = SurvfuncRight(rows["last"], (rows["exit"] != "").astype(int))
    at = int(np.searchsorted(reference.surv_times, 30, side="right")) - 1
    (share,) = shares(steps_of(ibis.duckdb.connect(), rows), horizons=[30], kinds=["open"], evidence=ANY)
    assert share.independent_standard_error == pytest.approx(reference.surv_prob_se[at], abs=1e-9)
    error = reference.surv_prob_se[at] * math.sqrt(400 / 399)
    assert (share.lower, share.upper) == pytest.approx(limits(share.value, error, 400), abs=1e-9)


def test_a_group_is_what_it_is_alone(engine: ibis.BaseBackend) -> None:
    rows = simulated(600, late=True)
    both = shares(steps_of(engine, rows, late=True), horizons=[30, 60], evidence=ANY, by="segment")
    for segment in ("large", "small"):
        alone = shares(
            steps_of(engine, rows[rows["segment"] == segment], late=True), horizons=[30, 60], evidence=ANY, by="segment"
        )
        assert_same([share for share in both if share.group == segment], alone)


def assert_same(one: list[Any], other: list[Any]) -> None:
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        for name, value in vars(left).items():
            expected = getattr(right, name)
            assert value == (pytest.approx(expected, abs=1e-9) if isinstance(value, float) else expected), name


@pytest.mark.parametrize("n", [10_000, 100_000])
def test_postgresql_and_duckdb_give_the_same_numbers(postgres: ibis.BaseBackend, n: int) -> None:
    rows = simulated(n, late=True)
    steps = [steps_of(backend, rows, late=True) for backend in (ibis.duckdb.connect(), postgres)]
    one, other = (shares(each, horizons=[30, 90], evidence=Evidence(), by="segment") for each in steps)
    assert_same(one, other)
    assert_same(*(times(each, "won", horizon=90, evidence=Evidence(), by="segment") for each in steps))


@pytest.mark.parametrize("n", [10_000, 1_000_000])
def test_numbers_do_not_depend_on_how_many_rows_the_engine_holds(n: int) -> None:
    rows = simulated(n, late=True)
    found = outcomes(steps_of(ibis.duckdb.connect(), rows, late=True))[ALL]
    expected = incidence(life_table(rows["first"], rows["last"], rows["exit"], kinds=("won", "lost")))
    assert found.n == len(rows)
    assert found.curves.cumulative["won"] == pytest.approx(expected.cumulative["won"], abs=1e-12)
    assert found.curves.survival == pytest.approx(expected.survival, abs=1e-12)


def test_rows_without_a_weight_are_left_out_of_shares_of_money() -> None:
    rows = simulated(300)
    blank = rows.assign(amount=rows["amount"].where(rows.index % 10 > 0))
    steps = steps_of(ibis.duckdb.connect(), blank)
    kept = steps_of(ibis.duckdb.connect(), rows[rows.index % 10 > 0])
    one, other = (shares(each, horizons=[60], evidence=ANY, weight="amount") for each in (steps, kept))
    assert_same(one, other)


def test_time_to_win_has_the_interval_of_a_bootstrap_by_account() -> None:
    rows = simulated(3_000, seed=5)
    (found,) = times(steps_of(ibis.duckdb.connect(), rows), "won", horizon=90, evidence=Evidence())
    rng, by_account = np.random.default_rng(2), dict(list(rows.groupby("account").groups.items()))
    groups = [np.asarray(index) for index in by_account.values()]
    medians = []
    for _ in range(400):
        drawn = np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        mine = rows.iloc[drawn]
        curves = incidence(life_table(mine["first"], mine["last"], mine["exit"], kinds=("won", "lost")))
        medians.append(curves.time_to_share("won", 0.5, 90))
    whole = incidence(life_table(rows["first"], rows["last"], rows["exit"], kinds=("won", "lost")))
    assert found.value == whole.time_to_share("won", 0.5, 90)
    assert found.events == ((rows["exit"] == "won") & (rows["last"] <= 90)).sum()
    assert (found.lower, found.upper) == pytest.approx(tuple(np.quantile(medians, [0.025, 0.975])), abs=1.01)


def test_thin_evidence_is_withheld_with_its_reason() -> None:
    rows = simulated(400)
    evidence, engine = Evidence(), ibis.duckdb.connect()

    def reason(some: pd.DataFrame, horizon: int = 30, kind: str = "won") -> str:
        (share,) = shares(steps_of(engine, some), horizons=[horizon], kinds=[kind], evidence=evidence)
        assert (share.value is None) == bool(share.reason)
        assert (share.lower is None) == (share.upper is None) == bool(share.reason)
        return share.reason

    assert reason(rows) == ""
    assert reason(rows.head(29)) == "only 29 of the 30 needed"
    # A hundred leads, one a day, of whom the oldest five are won on their first day: on day 80 only 15 are left.
    daily = pd.DataFrame({"first": 0, "last": np.arange(100), "exit": "", "account": np.arange(100).astype(str)})
    daily.loc[95:, ["last", "exit"]] = [0, "won"]
    assert reason(daily, horizon=60) == ""
    assert reason(daily, horizon=80) == f"too few are followed that long (some days rest on {15 / (94 / 99):.0f})"
    assert reason(daily, horizon=95) == "nobody has been followed for 95 days yet"
    # No event, or nothing but events, is evidence too: there is no floor of events.
    assert reason(daily, kind="lost") == ""
    assert reason(daily.assign(exit="won", last=0)) == ""
    giant = daily.assign(account=np.where(daily.index < 50, "giant", daily["account"]))
    effective = 100**2 / (50**2 + 50)
    assert reason(giant) == f"they come from the equivalent of {effective:.0f} accounts; 30 are needed"
    (time,) = times(steps_of(engine, rows.head(29)), "won", horizon=30, evidence=evidence)
    assert (time.value, time.lower, time.reason) == (None, None, "only 29 of the 30 needed")


def test_nobody_gives_nothing() -> None:
    steps = steps_of(ibis.duckdb.connect(), simulated(10))
    empty = replace(steps, table=steps.table.filter(steps.table.last_age < 0))
    assert outcomes(empty) == {}
    assert shares(empty, horizons=[30], evidence=ANY) == []
    assert times(empty, "won", horizon=30, evidence=ANY) == []
