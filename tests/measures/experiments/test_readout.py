"""A whole readout: the public e-mail test, and simulated experiments whose truth is known."""

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
import pytest
import statsmodels.api as sm
from scipy import stats

from dealt_companies import BOUGHT, MQL, assigned, protocol_of, viewed
from dealt_worlds import world
from small_companies import events_of, leads_of
from smarketing.company.definitions import read_definitions
from smarketing.company.inputs import open_company
from smarketing.company.protocol import read_protocol
from smarketing.estimates.dealt_accounts import accounts
from smarketing.estimates.randomisation import decide
from smarketing.measures.experiments.readout import Readout, readout
from smarketing.measures.view import view
from tests_root import ROOT

SPENT = {"label": "Spent", "attribute": "spent", "unit": "money"}


@pytest.fixture(scope="module")
def hillstrom(public_data: Callable[[str, str], Path]) -> Readout:
    folder = public_data("hillstrom", "hillstrom")
    company = open_company(ROOT / "params/inputs/hillstrom.yml", data=folder)
    definitions = read_definitions(ROOT / "params/definitions_hillstrom.yml")
    return readout(view(company, definitions, date(2008, 3, 31)), read_protocol(ROOT / "params/experiments/e_mail.yml"))


# ../shared/data/README.md: value of the arm, and Welch's difference from the control with its interval, not adjusted.
PUBLISHED = [
    ("visit", "mens", 0.182757, 0.07659, 0.06995, 0.08323),
    ("conversion", "mens", 267 / 21_307, 0.006805, 0.005000, 0.008610),
    ("spend", "mens", 1.42262, 0.76983, 0.48514, 1.05451),
    ("visit", "womens", 0.151400, 0.04523, 0.03889, 0.05157),
    ("conversion", "womens", 189 / 21_387, 0.003111, 0.001499, 0.004724),
    ("spend", "womens", 1.07720, 0.42441, 0.16896, 0.67987),
]


@pytest.mark.parametrize(("metric", "arm", "value", "plain", "low", "high"), PUBLISHED)
def test_the_public_test_gives_its_published_effects(
    hillstrom: Readout, metric: str, arm: str, value: float, plain: float, low: float, high: float
) -> None:
    row = hillstrom.effect(metric, arm)
    digits = 6 if metric == "conversion" else 5
    got = [round(float(row[f"plain_{name}"]), digits) for name in ("difference", "lower", "upper")]
    assert got == [plain, low, high]
    control = {"visit": 0.106167, "conversion": 122 / 21_306, "spend": 0.65279}[metric]
    assert row["plain_difference"] == pytest.approx(value - control, abs=1.1e-5)
    # Adjusting changes little, and never by more than the interval's tenth.
    assert abs(row["difference"] - plain) < (high - low) / 10


def test_the_public_test_was_sound_and_its_counts_are_the_published_ones(hillstrom: Readout) -> None:
    counts = hillstrom.counts.set_index("arm")
    assert counts["dealt"].to_dict() == {"none": 21_306, "mens": 21_307, "womens": 21_387}
    assert (counts["dealt"] == counts["over"]).all() and (counts["dealt"] == counts["known"]).all()
    assert hillstrom.blocked == ""
    assert [check.outcome for check in hillstrom.checks] == ["passed", "passed", "passed", "not applicable", "passed"]
    conversions = hillstrom.effects[hillstrom.effects["metric"] == "conversion"].set_index("arm")
    assert conversions["converted"].to_dict() == {"mens": 267, "womens": 189}
    assert set(conversions["control_converted"]) == {122}


def test_the_public_test_is_one_family_of_six_and_both_mails_are_shipped(hillstrom: Readout) -> None:
    effects = hillstrom.effects
    assert hillstrom.family == 6
    ordered = np.sort(effects["p_value"].to_numpy())
    wanted = np.maximum.accumulate(ordered * np.arange(6, 0, -1))
    np.testing.assert_allclose(np.sort(effects["p_holm"].to_numpy()), wanted, rtol=1e-12)
    widened = (effects["joint_upper"] - effects["difference"]) / (effects["upper"] - effects["difference"])
    np.testing.assert_allclose(widened, stats.norm.isf(0.025 / 6) / stats.norm.isf(0.025), rtol=1e-12)
    assert [(one.arm, one.state, one.metric) for one in hillstrom.verdicts] == [
        ("mens", "ship", "visit"),
        ("womens", "ship", "visit"),
    ]
    assert len(hillstrom.segments) == 10 and hillstrom.segments["p_holm"].max() < 0.05


def test_adjusting_the_public_test_gains_little(hillstrom: Readout) -> None:
    saved = {metric: hillstrom.effect(metric, "mens") for metric in ("visit", "spend")}
    narrower = {metric: 1 - row["standard_error"] / row["plain_error"] for metric, row in saved.items()}
    assert narrower["visit"] == pytest.approx(0.015, abs=0.001)
    assert narrower["spend"] == pytest.approx(0.001, abs=0.0003)


def test_errors_are_those_of_the_interacted_regression(
    hillstrom: Readout, public_data: Callable[[str, str], Path]
) -> None:
    """White's HC1 of the men's regression, with the covariate means' own uncertainty added."""
    found = hillstrom.effect("spend", "mens")
    rows = pd.read_csv(public_data("hillstrom", "hillstrom") / "hillstrom.csv")
    rows = rows[rows["segment"].isin(["Mens E-Mail", "No E-Mail"])]
    treated = (rows["segment"] == "Mens E-Mail").to_numpy(dtype=float)
    texts = pd.get_dummies(rows[["zip_code", "channel"]], drop_first=True)
    known = rows[["recency", "history", "mens", "womens", "newbie"]].join(texts).to_numpy(dtype=float)
    apart = known - known.mean(axis=0)
    design = np.column_stack([np.ones(len(rows)), treated, apart, treated[:, None] * apart])
    fitted = sm.OLS(rows["spend"].to_numpy(), design).fit(cov_type="HC1")
    slopes = fitted.params[2 + known.shape[1] :]
    shared = float(slopes @ np.cov(apart.T) @ slopes) / len(rows)
    assert found["difference"] == pytest.approx(fitted.params[1], rel=1e-7)
    # Degrees of freedom are counted by arm here and over both there.
    assert found["standard_error"] == pytest.approx(math.sqrt(fitted.bse[1] ** 2 + shared), rel=1e-5)


def test_a_readout_is_the_same_twice_and_on_both_engines(postgres: ibis.BaseBackend) -> None:
    found = [leads_dealt(backend, 400) for backend in (ibis.duckdb.connect(), ibis.duckdb.connect(), postgres)]
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0].effects, other.effects, check_exact=True)
        assert other.verdicts == found[0].verdicts and other.checks == found[0].checks


def leads_dealt(backend: ibis.BaseBackend, n: int, *, blank: int = 0, **protocol: Any) -> Readout:
    """Read leads of a flat export: a call brings 20 points more and 30 more money; the first ``blank`` are unknown."""
    rng = np.random.default_rng(11)
    called = np.arange(n) % 2 == 1
    size = rng.normal(0, 1, n).round(3)
    bought = rng.random(n) < 0.3 + 0.2 * called
    spent = (50 + 20 * size + 30 * called + rng.normal(0, 10, n)).round(2)
    leads = pd.DataFrame({"lead_id": pd.Series([f"L{i:05}" for i in range(n)], dtype=object), "size": size})
    leads["bought"] = pd.Series([None if i < blank else bool(b) for i, b in enumerate(bought)], dtype=object)
    leads["spent"] = np.where(np.arange(n) < blank, np.nan, spent)
    arms = assigned(*((lead, "called" if c else "left") for lead, c in zip(leads["lead_id"], called, strict=True)))
    asked = protocol_of(**({"metrics": {"bought": BOUGHT, "spent": SPENT}, "covariates": ["size"]} | protocol))
    return readout(viewed(backend, {"leads": leads, "assignments": arms}), asked)


def test_units_without_an_outcome_are_counted_and_left_out() -> None:
    found = leads_dealt(ibis.duckdb.connect(), 400, blank=30, primary=["bought"])
    row = found.effect("bought", "called")
    assert (row["n"], row["control_n"]) == (185, 185)
    assert found.counts["over"].tolist() == [200, 200]
    told = next(check for check in found.checks if check.code == "EX08")
    assert told.detail == "30 of 400 had reached it before they were dealt, or it is not recorded; they are left out"
    capped = leads_dealt(ibis.duckdb.connect(), 400, blank=30)
    bounded = protocol_of({"spent": SPENT | {"cap": 60}}).metrics
    again = leads_dealt(ibis.duckdb.connect(), 400, blank=30, metrics=bounded, primary=["spent"], covariates=[])
    # A cap does not give a value to those who have none.
    assert again.effect("spent", "called")["n"] == capped.effect("spent", "called")["n"] == 185
    assert again.effect("spent", "called")["value"] < 60


def test_adjusting_narrows_and_keeps_the_effect() -> None:
    row = leads_dealt(ibis.duckdb.connect(), 2_000).effect("spent", "called")
    # Of a variance of 500 within an arm, 400 are the size's.
    assert row["variance_saved"] == pytest.approx(0.8, abs=0.05)
    assert row["adjusted"] and row["lower"] < 30 < row["upper"]
    assert row["upper"] - row["lower"] < 0.55 * (row["plain_upper"] - row["plain_lower"])


def test_what_is_shipped_is_worth_a_range_a_quarter() -> None:
    found = leads_dealt(ibis.duckdb.connect(), 1_000, primary=["bought"], value=10.0, a_quarter=500)
    row, money = found.effect("bought", "called"), found.money.iloc[0]
    wanted = [row[name] * 5_000 for name in ("lower", "difference", "upper")]
    assert [money[name] for name in ("lower", "value", "upper")] == pytest.approx(wanted)
    of_money = leads_dealt(ibis.duckdb.connect(), 1_000, primary=["spent"], a_quarter=500)
    assert of_money.money.iloc[0]["value"] == pytest.approx(of_money.effect("spent", "called")["difference"] * 500)
    assert leads_dealt(ibis.duckdb.connect(), 1_000, primary=["bought"], a_quarter=500).money.empty


def accounts_dealt(
    seed: int, *, days: int = 60, effect: float = 1.5, number: int = 40, design: str = "complete", **protocol: Any
) -> tuple[Readout, Any]:
    """Read an experiment that was dealt by account on 1 March, as of so many days later; the truth is its seed's."""
    dealt = world(seed, accounts=number, design=design, sigma=0.7, effect=effect)
    leads, events = [], []
    for place, (size, total) in enumerate(zip(dealt.leads, dealt.total, strict=True)):
        for lead in range(int(size)):
            leads.append((f"L{place:03}_{lead}", "2026-02-01", f"A{place:03}"))
            if lead < total:
                events.append((f"L{place:03}_{lead}", "mql", "2026-03-11"))
    block = dealt.pairs if design == "pairs" else dealt.strata
    arms = assigned(
        *(
            (f"A{place:03}", "called" if treated else "left", "2026-03-01")
            for place, treated in enumerate(dealt.treated)
        ),
        unit_kind="account",
        **({} if block is None else {"stratum": [f"s{code:03}" for code in block]}),
    )
    frames = {"leads": leads_of(*leads), "stage_events": events_of(*events), "assignments": arms}
    as_of = date.fromordinal(date(2026, 3, 1).toordinal() + days)
    asked = protocol_of({"mql": MQL}, unit="account", **protocol)
    return readout(viewed(ibis.duckdb.connect(), frames, as_of=as_of), asked), dealt


@pytest.mark.parametrize(
    ("design", "more"),
    [("complete", {}), ("pairs", {"pairs": True}), ("stratified", {"strata": ["size"]})],
)
@pytest.mark.parametrize("average", ["lead", "account"])
def test_accounts_are_decided_by_the_randomisation_test_under_their_design(
    design: str, more: dict[str, Any], average: str
) -> None:
    found, dealt = accounts_dealt(3, design=design, average=average, **more)
    row = found.effect("mql", "called")
    labels = {"complete": {}, "pairs": {"pairs": dealt.pairs}, "stratified": {"strata": dealt.strata}}[design]
    keys = [f"A{place:03}" for place in range(len(dealt.leads))]
    wanted = decide(accounts(keys, dealt.leads, dealt.total, dealt.treated, **labels), average=average)
    assert wanted.by == "randomisation" and row["by"] == "the randomisation test"
    assert row["p_value"] == pytest.approx(wanted.p_value, abs=1e-12)
    assert row["difference"] == pytest.approx(wanted.effect.value)
    assert (row["lower"], row["upper"]) == pytest.approx((wanted.effect.lower, wanted.effect.upper))
    assert (row["n"], row["control_n"], row["unit"]) == (20, 20, "share")
    assert found.counts["leads"].sum() == dealt.leads.sum()


def test_the_interval_of_accounts_covers_the_truth() -> None:
    # The truth: log-odds of `dealt_worlds.world`, accounts' effects integrated out, weighted by the accounts' sizes.
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    inside = []
    for seed in range(4):
        found, dealt = accounts_dealt(seed, number=60)
        log_odds = -1.5 + 0.5 * np.log(dealt.leads / 10)[:, None] + 0.6 * nodes
        apart = 1 / (1 + np.exp(-log_odds - 1.5)) - 1 / (1 + np.exp(-log_odds))
        truth = float(dealt.leads @ (apart @ weights / weights.sum()) / dealt.leads.sum())
        row = found.effect("mql", "called")
        inside.append(row["lower"] < truth < row["upper"])
        assert row["sure"] and [one.state for one in found.verdicts] == ["ship"]
    # Fewer than three of four have a probability of 1 %, and seeds are fixed.
    assert sum(inside) >= 3


def test_money_of_the_average_account_has_no_range() -> None:
    for average, rows in (("lead", 1), ("account", 0)):
        found, _ = accounts_dealt(3, average=average, value=10.0, a_quarter=1_000)
        assert [one.state for one in found.verdicts] == ["ship"]
        assert len(found.money) == rows


@pytest.mark.parametrize("rule", ["once", "any_time"])
def test_accounts_with_nobody_over_yet_keep_running(rule: str) -> None:
    found, _ = accounts_dealt(3, days=20, looks={"rule": rule})
    assert found.counts["over"].tolist() == [0, 0] and found.counts["known"].tolist() == [20, 20]
    row = found.effect("mql", "called")
    assert (row["n"], row["control_n"], row["sure"]) == (0, 0, False)
    assert math.isnan(row["difference"]) and math.isnan(row["p_value"]) and row["reason"]
    assert [one.state for one in found.verdicts] == ["keep running"]


@pytest.mark.parametrize("rule", ["once", "any_time"])
def test_leads_of_which_an_arm_has_nobody_over_yet_keep_running(rule: str) -> None:
    names = [f"L{i:03}" for i in range(200)]
    days = [("left", "2026-03-01"), ("called", "2026-05-01")]
    arms = assigned(*((name, *days[i % 2]) for i, name in enumerate(names)))
    frames = {
        "leads": leads_of(*((name, "2026-02-01") for name in names)),
        "stage_events": events_of(*((name, "mql", "2026-03-11") for name in names[::4])),
        "assignments": arms,
    }
    asked = protocol_of({"mql": MQL}, looks={"rule": rule}, segments=["source"])
    found = readout(viewed(ibis.duckdb.connect(), frames, as_of=date(2026, 5, 10)), asked)
    assert found.counts["over"].tolist() == [100, 0]
    row = found.effect("mql", "called")
    assert (row["n"], row["control_n"], row["control_converted"]) == (0, 100, 50)
    assert math.isnan(row["value"]) and row["control_value"] == 0.5 and row["reason"] and not row["sure"]
    # All dealt on their own day: the days are off, and that blocks.
    assert [one.state for one in found.verdicts] == ["blocked"]
    assert found.blocked.startswith("EX04: 2 days together")


def test_looks_that_were_planned_take_their_boundary() -> None:
    looks = {"rule": "planned", "days": ["2026-04-15", "2026-05-30"]}
    asked = {"looks": looks, "starts_on": "2026-02-28"}
    early, _ = accounts_dealt(3, days=45, effect=0.6, **asked)
    late, _ = accounts_dealt(3, days=90, effect=0.6, **asked)
    between, _ = accounts_dealt(3, days=60, effect=0.6, **asked)
    assert [one.progress.look for one in (early, late, between)] == [date(2026, 4, 15), date(2026, 5, 30), None]
    rows = [one.effect("mql", "called") for one in (early, late, between)]
    # The same accounts, all over on both days: only what may be spent differs.
    widths = [row["sure_upper"] - row["sure_lower"] for row in rows]
    assert widths[0] > widths[1] > rows[1]["upper"] - rows[1]["lower"]
    assert math.isinf(widths[2]) and not rows[2]["sure"]
    # O'Brien-Fleming-type, 46 of 91 days: R gsDesign(k = 2, test.type = 2, sfu = sfLDOF, timing = 46/91).
    half = rows[0]["sure_upper"] - rows[0]["difference"]
    quantile = stats.t.sf(half / rows[0]["standard_error"], rows[0]["degrees_of_freedom"])
    assert 2 * quantile == pytest.approx(4 * stats.norm.sf(stats.norm.isf(0.0125) / math.sqrt(46 / 91)), rel=1e-4)


def test_a_fault_of_the_protocol_is_not_hidden_by_the_data() -> None:
    found = leads_dealt(ibis.duckdb.connect(), 400, arms={"left": 1, "called": 3}, control="left")
    assert [one.state for one in found.verdicts] == ["blocked"] and found.money.empty
    assert replace(found, checks=()).blocked == ""
