"""Error rates, power and coverage of `effects` and `adjustment` on units that convert rarely and spend unevenly.

A unit converts with the control's probability, or the treated arm's; a converter's value is log-normal (sigma 1.0),
capped at the 99 % quantile of its law, as a limit fixed from history is. The smaller arm is the treated one. Sizes,
probabilities and seeds stand in the designs; only converters are drawn, so 450,000 units cost little.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from smarketing.estimates.adjustment import cuped, lin, post_stratified
from smarketing.estimates.effects import ArmMeans, Evidence, Metric, difference, evidence, lift, unadjusted
from smarketing.estimates.moments import Moments

pytestmark = [pytest.mark.validate, pytest.mark.timeout(1800)]

RUNS = 4_000
Y = Metric("y")
CAP = float(np.exp(stats.norm.ppf(0.99)))
# Mean of a log-normal value of sigma 1, capped: E[v; v < cap] + cap P(v > cap).
CAPPED_MEAN = math.exp(0.5) * float(stats.norm.cdf(stats.norm.ppf(0.99) - 1)) + CAP * 0.01

SIZES = {"500, 50:50": (500, 500), "500, 10:90": (500, 4_500), "50,000, 50:50": (50_000, 50_000),
         "50,000, 10:90": (50_000, 450_000)}  # fmt: skip
RATES = (0.02, 0.05, 0.20)


@dataclass(frozen=True)
class Run:
    arms: ArmMeans
    enough: Evidence
    seen: tuple[int, int]


def drawn(rng: np.random.Generator, n: int, probability: float, value: bool) -> tuple[int, Moments]:
    converters = int(rng.binomial(n, probability))
    amounts = np.minimum(rng.lognormal(0.0, 1.0, converters), CAP) if value else np.ones(converters)
    sums = {"n": n, "y": float(amounts.sum()), "y*y": float((amounts**2).sum())}
    return converters, Moments.from_sums(["y"], sums)


def experiments(sizes: tuple[int, int], rates: tuple[float, float], *, value: bool, seed: int, runs: int) -> list[Run]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(runs):
        (seen, treated), (seen_control, control) = (
            drawn(rng, n, rate, value) for n, rate in zip(sizes, rates, strict=True)
        )
        enough = evidence(
            treated_n=sizes[0],
            control_n=sizes[1],
            treated_converters=seen,
            control_converters=seen_control,
            rate=not value,
        )
        found.append(Run(unadjusted(treated, control, Y), enough, (seen, seen_control)))
    return found


def within(sizes: tuple[int, int], rates: tuple[float, float], *, value: bool) -> bool:
    """Whether the design, as expected, is within the evidence gate."""
    counts = [round(n * rate) for n, rate in zip(sizes, rates, strict=True)]
    return evidence(
        treated_n=sizes[0],
        control_n=sizes[1],
        treated_converters=counts[0],
        control_converters=counts[1],
        rate=not value,
    ).enough


def error(runs: int, share: float) -> float:
    return 2.6 * math.sqrt(share * (1 - share) / runs)


@pytest.mark.parametrize("raised", [1.0, 1.2])
def test_lift_intervals_cover_and_are_given(raised: float) -> None:
    shares, given = {}, []
    for seed, (name, sizes) in enumerate(SIZES.items()):
        for rate in RATES:
            rates = (raised * rate, rate)
            if not within(sizes, rates, value=True):
                continue
            runs = experiments(sizes, rates, value=True, seed=100 * seed + round(100 * rate), runs=RUNS)
            lifts = [lift(run.arms, evidence=run.enough) for run in runs]
            bounded = [found for found in lifts if found.bounded]
            given.append(len(bounded) / RUNS)
            covered = [found.lower <= raised - 1 <= found.upper for found in bounded]
            shares[f"{name}, {rate:.0%}"] = (round(float(np.mean(covered)), 4), len(bounded))
            # Where a run passes the gate, an interval is all but certain.
            assert len(bounded) >= 0.99 * sum(run.enough.enough for run in runs)
    print(raised, shares, "given:", np.mean(given))
    for name, (share, runs) in shares.items():
        assert 0.935 <= share <= 0.965, (name, share, runs)
    # The design at exactly 25 expected converters passes every other time; all others always.
    assert np.mean(given) >= 0.9


def test_coverage_of_lifts_outside_the_gate_shows_why_it_is_there() -> None:
    # 25 converters against 225 in arms of 10:90: too few, and withheld.
    runs = experiments((500, 4_500), (0.05, 0.05), value=True, seed=7, runs=RUNS)
    share = np.mean([bound.lower <= 0 <= bound.upper for bound in (lift(run.arms) for run in runs)])
    print("10:90 at 25 converters without a gate:", share)
    assert share < 0.935
    assert not any(lift(run.arms, evidence=run.enough).bounded for run in runs)


def test_a_floor_on_what_each_arm_shows_would_select_arms_that_are_alike() -> None:
    runs = experiments((500, 500), (0.05, 0.05), value=False, seed=8, runs=2 * RUNS)
    ours = [difference(run.arms).p_value < 0.05 for run in runs if run.enough.enough]
    floor = [difference(run.arms).p_value < 0.05 for run in runs if min(run.seen) >= 25]
    print("expected:", np.mean(ours), len(ours), "each arm:", np.mean(floor), len(floor))
    assert 0.036 <= np.mean(ours) <= 0.064
    assert np.mean(floor) < 0.01


@pytest.mark.parametrize("value", [False, True])
def test_type_one_error_within_the_gate_with_its_power(value: bool) -> None:
    results = {}
    for seed, (name, sizes) in enumerate(SIZES.items()):
        for rate in RATES:
            if not within(sizes, (rate, rate), value=value):
                continue
            rejected = []
            # Power at an effect of 3.2 standard errors of the difference, as planned for 90 %.
            spread = CAPPED_MEAN / math.sqrt(second_moment() if value else 1.0) if value else 1.0
            step = 3.24 * math.sqrt(rate * sum(1 / n for n in sizes)) / spread
            for lifted in (0.0, step):
                runs = experiments(sizes, (rate + lifted, rate), value=value, seed=200 + seed, runs=RUNS)
                read = [difference(run.arms, evidence=run.enough) for run in runs]
                p = np.array([effect.p_value for effect in read if effect.reason is None])
                rejected.append(float(np.mean(p < 0.05)))
            results[f"{name}, {rate:.0%}"] = [round(share, 4) for share in rejected]
    print("values" if value else "rates", "error and power:", results)
    for name, (size, power) in results.items():
        assert 0.036 <= size <= 0.064, (name, size)
        assert power > 0.7, (name, power)


def second_moment() -> float:
    """Mean square of the capped value."""
    return math.exp(2) * float(stats.norm.cdf(stats.norm.ppf(0.99) - 2)) + CAP**2 * 0.01


def adjusted(method: str, rows: list[dict[str, np.ndarray]]) -> ArmMeans:
    if method == "strata":
        parts = [
            {str(label): Moments.from_rows({"y": row["y"][row["s"] == label]}) for label in range(4)} for row in rows
        ]
        return post_stratified({name: (parts[0][name], parts[1][name]) for name in parts[0]}, Y)
    way: Callable[..., ArmMeans] = {"lin": lin, "cuped": cuped}[method]
    return way(Moments.from_rows(rows[0]), Moments.from_rows(rows[1]), Y, ["x"])


@pytest.mark.parametrize("sizes", [(100, 100), (60, 540)])
@pytest.mark.parametrize("method", ["lin", "cuped", "strata"])
def test_adjusted_intervals_cover_an_effect_that_varies_and_are_narrower(method: str, sizes: tuple[int, int]) -> None:
    # The effect grows with x, so that slopes differ and the covariate mean's own uncertainty matters.
    rng = np.random.default_rng(300)
    covered, saved, power = [], [], []
    for _ in range(RUNS):
        rows = []
        for n, slope, effect in zip(sizes, (1.2, 0.8), (0.4, 0.0), strict=True):
            x = rng.normal(size=n)
            noise = rng.gamma(4, 0.5, n) - 2
            # 0 to 3: a stratum known beforehand.
            rows.append({"y": effect + slope * x + noise, "x": x, "s": np.digitize(x, [-0.7, 0, 0.7])})
        found = adjusted(method, rows)
        read = difference(found)
        covered.append(read.lower <= 0.4 <= read.upper)
        power.append(read.p_value < 0.05)
        saved.append(found.variance_saved)
    print(method, sizes, "coverage", np.mean(covered), "saved", np.mean(saved), "power", np.mean(power))
    assert abs(np.mean(covered) - 0.95) < error(RUNS, 0.95) + 0.005
    assert np.mean(saved) > 0.25


def test_correlation_of_a_half_saves_a_quarter() -> None:
    # Variance of the estimates themselves over experiments, not only the one that each reports.
    rng = np.random.default_rng(400)
    estimates, said = np.empty((RUNS, 2)), []
    for run in range(RUNS):
        x = rng.normal(size=(2, 500))
        y = 0.5 * x + math.sqrt(0.75) * rng.normal(size=x.shape)
        arms = [Moments.from_rows({"y": y[side], "x": x[side]}) for side in (0, 1)]
        plain, found = unadjusted(*arms, Y), lin(*arms, Y, ["x"])
        estimates[run] = plain.treated - plain.control, found.treated - found.control
        said.append(found.variance_saved)
    spread = estimates.var(axis=0, ddof=1)
    print("saved, seen:", 1 - spread[1] / spread[0], "said:", np.mean(said))
    assert np.mean(said) == pytest.approx(0.25, abs=0.005)
    # The ratio of two variances with correlation sqrt(0.75), from 4,000 draws each: standard error 0.0084.
    assert 1 - spread[1] / spread[0] == pytest.approx(0.25, abs=0.022)
