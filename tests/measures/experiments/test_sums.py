"""Sums made in the engine against those of the rows themselves."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from dealt_companies import BOUGHT, assigned, protocol_of, viewed
from smarketing.company.protocol import Protocol
from smarketing.estimates.adjustment import unit_influences
from smarketing.estimates.effects import Metric
from smarketing.estimates.moments import Moments
from smarketing.measures.experiments import sums
from smarketing.measures.experiments.outcomes import Observed, observed
from smarketing.measures.experiments.units import dealt

SPENT = {"label": "Spent", "attribute": "spent"}


def seen_of(engine: ibis.BaseBackend, protocol: Protocol, *, n: int = 300, kind: str = "lead") -> Observed:
    rng = np.random.default_rng(5)
    leads = pd.DataFrame(
        {
            "lead_id": pd.Series([f"L{i:04}" for i in range(n)], dtype=object),
            "account_id": pd.Series([f"A{rng.integers(20):02}" for _ in range(n)], dtype=object),
            "size": np.where(rng.random(n) < 0.2, np.nan, rng.normal(2_020, 1, n).round(6)),
            "tone": pd.Series(rng.choice(["red", "blue", "green"], n), dtype=object),
            "bought": pd.Series([None if u < 0.1 else bool(u < 0.4) for u in rng.random(n)], dtype=object),
            "spent": np.where(rng.random(n) < 0.7, 0.0, rng.gamma(1, 100, n).round(2)),
        }
    )
    units = [*leads["lead_id"], "X1"] if kind == "lead" else [f"A{i:02}" for i in range(21)]
    arms = assigned(*((u, ("left", "called")[i % 2]) for i, u in enumerate(units)), unit_kind=kind)
    view = viewed(engine, {"leads": leads, "assignments": arms})
    return observed(view, dealt(view, protocol))


def same(got: Moments, rows: pd.DataFrame, columns: dict[str, str]) -> None:
    wanted = Moments.from_rows({name: rows[column].to_numpy(dtype=float) for name, column in columns.items()})
    assert (got.n, got.names) == (wanted.n, wanted.names)
    np.testing.assert_allclose(got.means, wanted.means, rtol=1e-12)
    np.testing.assert_allclose(got.covariance, wanted.covariance, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("metric", ["bought", "spent"])
def test_moments_are_those_of_the_rows(engine: ibis.BaseBackend, metric: str) -> None:
    more: dict[str, Any] = {"covariates": ["size", "tone"], "segments": ["tone"]}
    seen = seen_of(engine, protocol_of({"bought": BOUGHT, "spent": SPENT}, **more))
    rows = seen.table.to_pyarrow().to_pandas()
    rows = rows[rows["__known"] & rows[f"y_{metric}"].notna()]
    names = sums.covariates(seen)
    assert names == ("x_size", "x_size_missing", "x_tone_1", "x_tone_2")
    # Both metrics at once; not all units can have `bought`, whose covariates are those of the others.
    both = sums.of_leads(seen, ["bought", "spent"])
    assert set(both) == {"bought", "spent"}
    together = both[metric]
    assert list(together) == [""] and set(together[""]) == {"left", "called"}
    for arm, mine in rows.groupby("__arm"):
        same(together[""][arm].moments, mine, {"y": f"y_{metric}"} | {name: name for name in names})
        assert together[""][arm].converted == (mine[f"y_{metric}"] != 0).sum()
    apart = sums.of_leads(seen, [metric], with_covariates=False, by="s_tone")[metric]
    assert list(apart) == ["blue", "green", "red"]
    for (tone, arm), mine in rows.groupby(["s_tone", "__arm"]):
        same(apart[tone][arm].moments, mine, {"y": f"y_{metric}"})
        assert apart[tone][arm].converted == (mine[f"y_{metric}"] != 0).sum()


def test_squared_influences_are_those_of_the_rows(engine: ibis.BaseBackend) -> None:
    protocol = protocol_of({"bought": BOUGHT, "spent": SPENT}, covariates=["size", "tone"])
    seen = seen_of(engine, protocol)
    names = sums.covariates(seen)
    rows = seen.table.to_pyarrow().to_pandas()
    found = sums.of_leads(seen, ["bought", "spent"])
    asked, wanted = [], []
    for metric in ("bought", "spent"):
        arms = {arm: one.moments for arm, one in found[metric][""].items()}
        influences = unit_influences(arms["called"], arms["left"], Metric("y"), names)
        assert influences is not None
        for arm, influence in zip(("called", "left"), influences, strict=True):
            mine = rows[rows["__known"] & (rows["__arm"] == arm) & rows[f"y_{metric}"].notna()]
            columns = {"y": mine[f"y_{metric}"]} | {name: mine[name] for name in names}
            forms = [
                constant + sum(weight * columns[name].to_numpy(dtype=float) for name, weight in weights.items())
                for constant, weights in (
                    (influence.residual_constant, influence.residual), (influence.reach_constant, influence.reach)
                )
            ]  # fmt: skip
            wanted.append(float(((forms[0] * forms[1]) ** 2).sum()))
            n = len(mine)
            asked.append(sums.Influenced(arm=arm, metric=metric, influence=influence, n=n, expected=0.1 / n))
    assert sums.squared_influences(seen, asked) == pytest.approx(wanted, rel=1e-6)
    assert sums.squared_influences(seen, []) == []


def test_moments_of_before_are_of_all_units_that_were_found(engine: ibis.BaseBackend) -> None:
    seen = seen_of(engine, protocol_of({"bought": BOUGHT}, covariates=["size"]))
    rows = seen.table.to_pyarrow().to_pandas()
    for arm, mine in rows[rows["__known"]].groupby("__arm"):
        same(sums.before(seen, ["x_size"])["x_size"][arm], mine, {"x_size": "x_size"})


def test_units_are_counted_by_arm(engine: ibis.BaseBackend) -> None:
    seen = seen_of(engine, protocol_of({"bought": BOUGHT}, segments=["tone"]))
    found = sums.counts(seen).set_index("arm")
    assert found.loc["left"].tolist() == [151, 150, 150, 151] and found.loc["called"].tolist() == [150] * 4
    by_tone = sums.counts(seen, ["s_tone"])
    assert by_tone.groupby("arm")["dealt"].sum().to_dict() == {"left": 151, "called": 150}
    assert set(by_tone["s_tone"]) == {"blue", "green", "red", "(blank)"}


def test_accounts_come_as_one_row_each_in_the_order_of_their_ids(engine: ibis.BaseBackend) -> None:
    seen = seen_of(engine, protocol_of({"spent": SPENT}, unit="account"), kind="account")
    found = sums.accounts(seen, "spent")
    # The account without leads is not there.
    assert found["unit"].tolist() == [f"A{i:02}" for i in range(20)]
    assert found["n"].sum() == 300 and found["n"].min() > 0
    rows = seen.table.to_pyarrow().to_pandas().set_index("__unit")
    assert found["y"].tolist() == rows.loc[found["unit"], "y_spent"].tolist()
    assert found["arm"].tolist() == rows.loc[found["unit"], "__arm"].tolist()


def test_an_effect_of_numbers_with_a_large_mean_keeps_its_digits(engine: ibis.BaseBackend) -> None:
    rng = np.random.default_rng(1)
    values = (1e6 + rng.normal(0, 1, 60)).round(6)
    leads = pd.DataFrame({"lead_id": pd.Series([f"L{i}" for i in range(60)], dtype=object), "spent": values})
    arms = assigned(*((f"L{i}", ("left", "called")[i % 2]) for i in range(60)))
    view = viewed(engine, {"leads": leads, "assignments": arms})
    seen = observed(view, dealt(view, protocol_of({"spent": SPENT})))
    found = sums.of_leads(seen, ["spent"])["spent"][""]
    for place, arm in enumerate(("left", "called")):
        assert found[arm].moments.variance("y") == pytest.approx(values[place::2].var(ddof=1), rel=1e-6)


@pytest.mark.parametrize("cap", [1.0, 0.5])
def test_a_cap_far_below_all_values_is_kept_whole_too(engine: ibis.BaseBackend, cap: float) -> None:
    leads = pd.DataFrame(
        {"lead_id": pd.Series([f"L{i}" for i in range(60)], dtype=object), "spent": 1e9 + np.arange(60)}
    )
    arms = assigned(*((f"L{i}", ("left", "called")[i % 2]) for i in range(60)))
    view = viewed(engine, {"leads": leads, "assignments": arms})
    seen = observed(view, dealt(view, protocol_of({"spent": SPENT | {"cap": cap}})))
    for one in sums.of_leads(seen, ["spent"])["spent"][""].values():
        assert (one.moments.mean("y"), one.moments.variance("y"), one.converted) == (cap, 0.0, 30)
