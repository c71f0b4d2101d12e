"""A score judged on known leads: hand-made answers, pairs that share their draws, and refusals for thin evidence."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from smarketing.company.definitions import Evidence
from smarketing.measures.scoring.worth.validity import SHARES, Leads, bins, gains, judge, measured, paired_difference

EVIDENCE = Evidence()


def some_leads(
    n: int = 4_000, *, seed: int = 1, accounts: int = 1_200, weeks: int | None = 20
) -> tuple[Leads, np.ndarray]:
    """Leads whose true probabilities are known, and these probabilities."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, accounts, n)
    effect = rng.normal(0, 0.8, accounts)[cluster]
    probability = 1 / (1 + np.exp(-(-2.5 + effect + rng.normal(0, 0.6, n))))
    leads = Leads(
        what="later leads",
        outcome=(rng.random(n) < probability).astype(float),
        weight=np.ones(n),
        cluster=cluster.astype(np.int64),
        week=None if weeks is None else rng.integers(0, weeks, n),
        capacity=50.0,
    )
    return leads, probability


def test_measures_are_those_of_scikit_learn() -> None:
    leads, p = some_leads(weeks=None)
    found = judge(leads, {"score": p}, probabilities=("score",), evidence=EVIDENCE, draws=40)["score"]
    y = leads.outcome
    assert found.measure("auc").value == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert found.measure("average_precision").value == pytest.approx(average_precision_score(y, p), abs=1e-12)
    skill = 1 - brier_score_loss(y, p) / (y.mean() * (1 - y.mean()))
    assert found.measure("brier_skill").value == pytest.approx(skill, abs=1e-12)
    assert found.n == 4_000 and found.events == int(y.sum()) and found.accounts == len(np.unique(leads.cluster))


def test_true_probabilities_are_calibrated_and_intervals_hold_the_value() -> None:
    leads, p = some_leads()
    found = judge(leads, {"score": p}, probabilities=("score",), evidence=EVIDENCE)["score"]
    for measure in found.measures:
        assert measure.lower < measure.value < measure.upper, measure
    assert found.measure("calibration_intercept").lower < 0 < found.measure("calibration_intercept").upper
    assert found.measure("calibration_slope").lower < 1 < found.measure("calibration_slope").upper
    # 50 places in each of 20 weeks, of 4,000 leads.
    assert found.selected == pytest.approx(0.25)
    captured, lift = found.measure("captured").value, found.measure("lift").value
    assert lift == pytest.approx(captured / 0.25, abs=1e-9)


def test_capacity_is_counted_in_whole_weeks_only() -> None:
    leads, p = some_leads(weeks=4)
    cut = Leads(**{**vars(leads), "week": np.where(leads.week == 3, -1, leads.week)})
    found = judge(cut, {"score": p}, probabilities=(), evidence=EVIDENCE, draws=40)["score"]
    inside = cut.week >= 0
    best = np.zeros(len(p), dtype=bool)
    for week in range(3):
        rows = np.flatnonzero(cut.week == week)
        best[rows[np.argsort(-p[rows])[:50]]] = True
    assert found.measure("captured").value == pytest.approx(leads.outcome[best].sum() / leads.outcome[inside].sum())
    assert cut.weeks == 3


def test_leads_without_a_score_stand_last() -> None:
    leads, p = some_leads(weeks=None)
    unknown = np.where(p < np.median(p), np.nan, p)
    lowest = np.where(p < np.median(p), 0.0, p)
    one, other = (
        judge(leads, {"score": s}, probabilities=(), evidence=EVIDENCE, draws=40)["score"] for s in (unknown, lowest)
    )
    assert one.measures == other.measures


def test_the_difference_of_a_score_with_itself_is_nothing_and_swapping_negates() -> None:
    leads, p = some_leads()
    noisy = p + np.random.default_rng(0).normal(0, 0.1, len(p))
    same = paired_difference(leads, p, p, measure="captured", draws=40)
    assert (same.value, same.lower, same.upper) == (0, 0, 0)
    one = paired_difference(leads, p, noisy, measure="auc", draws=60)
    other = paired_difference(leads, noisy, p, measure="auc", draws=60)
    assert one.value == pytest.approx(-other.value, abs=1e-12)
    assert (one.lower, one.upper) == pytest.approx((-other.upper, -other.lower), abs=1e-12)
    apart = judge(leads, {"a": p, "b": noisy}, probabilities=(), evidence=EVIDENCE, draws=60)
    width = sum(apart[name].measure("auc").upper - apart[name].measure("auc").lower for name in ("a", "b")) / 2
    assert one.upper - one.lower < width


def test_a_gains_curve_rises_from_nothing_to_all_within_its_band() -> None:
    leads, p = some_leads()
    curve = gains(leads, p, name="score", draws=60)
    assert curve.captured[0] == 0 and curve.captured[-1] == 1
    assert (np.diff(curve.captured) >= 0).all()
    assert (curve.lower <= curve.captured + 1e-12).all() and (curve.captured <= curve.upper + 1e-12).all()
    order = np.argsort(-p, kind="stable")
    tenth = leads.outcome[order][: len(p) // 10].sum() / leads.outcome.sum()
    assert curve.captured[SHARES.index(0.1)] == pytest.approx(tenth, abs=1e-9)


def test_bins_average_to_the_whole() -> None:
    leads, p = some_leads()
    found = bins(leads, p)
    assert len(found) == 10 and sum(b.n for b in found) == 4_000
    assert np.average([b.rate for b in found], weights=[b.weight for b in found]) == pytest.approx(leads.rate)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rows": 20}, "only 20 later leads, fewer than 30"),
        ({"cluster": 5}, "the 400 later leads are of accounts that weigh as much as 5.0 equal ones, fewer than 30"),
        ({"events": 4}, "4 of 400 later leads reached the stage; both kinds need at least 10"),
    ],
)
def test_too_little_evidence_is_a_reason_and_not_a_number(change: dict[str, int], reason: str) -> None:
    n = change.get("rows", 400)
    leads = Leads(
        what="later leads",
        outcome=(np.arange(n) < change.get("events", n // 2)).astype(float),
        weight=np.ones(n),
        cluster=np.arange(n) % change.get("cluster", n),
        week=None,
        capacity=10.0,
    )
    found = judge(leads, {"score": np.linspace(0, 1, n)}, probabilities=("score",), evidence=EVIDENCE)["score"]
    assert found.reason == reason and found.measures == () and np.isnan(found.measure("auc").value)


def test_any_measure_gets_its_interval() -> None:
    leads, _ = some_leads()

    def rate(times: np.ndarray | None) -> float:
        return float(np.average(leads.outcome, weights=times))

    found = measured("rate", rate, leads)
    assert found.value == pytest.approx(leads.rate)
    # Accounts are alike, so the interval is wider than that of 4,000 independent leads.
    independent = 2 * 1.96 * np.sqrt(leads.rate * (1 - leads.rate) / 4_000)
    assert found.upper - found.lower > independent
