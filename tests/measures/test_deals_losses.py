"""Win rates by count and by amount, and why deals are lost, against plain pandas."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from small_companies import company_of, definitions_of
from smarketing.company.tables import CompanyError
from smarketing.measures.deals import win_rates
from smarketing.measures.incidence import shares
from smarketing.measures.losses import losses
from smarketing.measures.view import View, view

AS_OF = date(2026, 3, 31)
FIRST = date(2024, 6, 1)
REASONS = np.array(["Price", "No budget", "Competitor", "Timing"])


def deals(n: int = 900, seed: int = 1) -> pd.DataFrame:
    """Deals of accounts over 22 months; larger ones are won less often, price losses grow."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 668, n)
    created = pd.Timestamp(AS_OF) - pd.to_timedelta(age, "D")
    amount = np.round(rng.lognormal(9, 1, n), 2)
    won = rng.random(n) < np.where(amount > 10_000, 0.15, 0.35)
    closed = created + pd.to_timedelta(rng.exponential(np.where(won, 70, 30)).astype(int), "D")
    known = closed <= pd.Timestamp(AS_OF)
    late = closed > pd.Timestamp(AS_OF) - pd.Timedelta(days=182)
    reason = np.where(late & (rng.random(n) < 0.5), "Price", rng.choice(REASONS, n))
    return pd.DataFrame(
        {
            "opportunity_id": [f"D{i}" for i in range(n)],
            "account_id": [f"A{i}" for i in rng.integers(0, n // 2, n)],
            "created_at": created,
            "closed_at": closed.where(known),
            "outcome": np.where(known, np.where(won, "won", "lost"), "open"),
            "amount": amount,
            "product": rng.choice(["Basic", "Pro"], n, p=[0.9, 0.1]),
            "loss_reason": np.where(known & ~won, reason, None),
            "competitor": np.where(known & ~won & (rng.random(n) < 0.4), "Kestrel", None),
        }
    )


def seen(frame: pd.DataFrame, **entries: Any) -> View:
    definitions = definitions_of(exits=("lost",), **entries)
    return view(company_of(ibis.duckdb.connect(), {"opportunities": frame}), definitions, AS_OF)


def test_rates_of_deals_opened_are_incidences_by_count_and_by_amount() -> None:
    found = seen(deals())
    measured, cohort = win_rates(found), found.cohort()
    steps = found.step("opportunity", "won").starting(cohort.start, cohort.end)
    for name, weight in (("by count", None), ("by amount", "amount")):
        ends = shares(steps, horizons=[180], evidence=found.definitions.evidence, weight=weight)
        won = next(share for share in ends if share.kind == "won")
        row = measured.rate(name)
        assert (row["value"], row["lower"], row["upper"], row["n"]) == (won.value, won.lower, won.upper, won.n)
        column = measured.ends[name.replace(" ", "_")]
        assert column.tolist() == [share.value for share in ends]
        assert column.sum() == pytest.approx(1, abs=1e-12)
    assert measured.rate("by amount")["value"] < measured.rate("by count")["value"]
    assert measured.ends["end"].tolist() == ["WON", "Lost", "Still open"]


def test_the_closed_only_rate_is_of_deals_closed_in_the_period() -> None:
    frame = deals()
    measured = win_rates(seen(frame))
    closed = frame[frame["closed_at"].between(pd.Timestamp(AS_OF) - pd.Timedelta(days=364), pd.Timestamp(AS_OF))]
    won = closed["outcome"] == "won"
    assert measured.rate("closed only by count")["value"] == pytest.approx(won.mean(), abs=1e-12)
    assert measured.rate("closed only by count")["n"] == len(closed)
    money = closed["amount"].where(won, 0).sum() / closed["amount"].sum()
    assert measured.rate("closed only by amount")["value"] == pytest.approx(money, abs=1e-12)
    # Losses are closed sooner, so dividing by what happens to be closed says more than is won of what is opened.
    assert measured.rate("closed only by count")["value"] > measured.rate("by count")["lower"]


def test_rates_by_amount_are_withheld_where_amounts_lack() -> None:
    frame = deals()
    some = frame.assign(amount=frame["amount"].where(frame.index % 20 > 0))
    measured = win_rates(seen(some))
    opened = some[some["created_at"] > pd.Timestamp(AS_OF) - pd.Timedelta(days=365)]
    assert (
        measured.rate("by amount")["reason"] == f"{opened['amount'].isna().sum()} of {len(opened)} deals have no amount"
    )
    assert math.isnan(measured.rate("by amount")["value"])
    assert measured.rate("by count")["value"] == win_rates(seen(frame)).rate("by count")["value"]
    one = frame.assign(amount=frame["amount"].where(frame.index % 100 > 0))
    assert not math.isnan(win_rates(seen(one)).rate("by amount")["value"])


def test_thin_companies_have_no_rates_and_say_why() -> None:
    measured = win_rates(seen(deals().head(20)))
    assert measured.rates["value"].isna().all()
    assert measured.rates["reason"].str.len().gt(0).all()
    later = deals().assign(created_at=pd.Timestamp("2020-01-01"), closed_at=pd.NaT, outcome="open")
    assert win_rates(seen(later)).rate("by count")["reason"] == "no deal was opened in these days"
    message = r"^The definitions have no stage that deals enter. Add one with subject: opportunity.$"
    with pytest.raises(CompanyError, match=message):
        win_rates(
            view(
                company_of(ibis.duckdb.connect(), {"opportunities": deals()}), definitions_of(deals_from="none"), AS_OF
            )
        )


def periods(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Losses of the latest 182 days, and of the 182 before."""
    lost = frame[frame["outcome"] == "lost"]
    age = (pd.Timestamp(AS_OF) - lost["closed_at"]).dt.days
    return lost[age < 182], lost[(age >= 182) & (age < 364)]


def test_losses_by_reason_and_how_they_moved() -> None:
    frame = deals()
    measured = losses(seen(frame), "loss_reason")
    now, before = periods(frame)
    assert (measured.n, measured.n_before) == (len(now), len(before))
    assert (measured.period.start, measured.before.end) == (AS_OF - timedelta(days=181), AS_OF - timedelta(days=182))
    rows = measured.rows.set_index("group")
    assert rows["losses"].to_dict() == now["loss_reason"].value_counts().to_dict()
    assert rows["losses"].is_monotonic_decreasing
    assert rows["losses_before"].to_dict() == before["loss_reason"].value_counts().to_dict()
    assert rows["share"].sum() == pytest.approx(1)
    expected = now["loss_reason"].value_counts(normalize=True) - before["loss_reason"].value_counts(normalize=True)
    assert rows["change"].to_dict() == pytest.approx(expected.to_dict())
    assert measured.moved is not None
    assert (measured.moved["group"], measured.moved["change"] > 0) == ("Price", True)
    assert ((rows["change_lower"] < rows["change"]) & (rows["change"] < rows["change_upper"])).all()


def test_the_interval_of_a_share_of_losses_keeps_accounts_together() -> None:
    frame = deals()
    now, before = periods(frame)

    def clustered(rows: pd.DataFrame) -> tuple[float, float]:
        hit = (rows["loss_reason"] == "Price").astype(float)
        accounts = (hit - hit.mean()).groupby(rows["account_id"]).sum()
        return hit.mean(), math.sqrt((accounts**2).sum() * len(accounts) / (len(accounts) - 1)) / len(rows)

    price = losses(seen(frame), "loss_reason").rows.set_index("group").loc["Price"]
    (share, error), (was, error_before) = clustered(now), clustered(before)
    assert price["share"] == pytest.approx(share)
    # The interval is on another scale, so its width is about that of 1.96 standard errors either side.
    assert price["upper"] - price["lower"] == pytest.approx(2 * 1.98 * error, rel=0.03)
    assert price["change"] == pytest.approx(share - was)
    width = 2 * 1.98 * math.hypot(error, error_before)
    assert price["change_upper"] - price["change_lower"] == pytest.approx(width, rel=0.03)


def test_small_groups_are_pooled_and_small_cells_withheld() -> None:
    frame = deals()
    now, _ = periods(frame)
    rare = frame["loss_reason"].astype(object)
    rare.loc[now.index[:3]] = "Went bankrupt"
    measured = losses(seen(frame.assign(loss_reason=rare)), "loss_reason")
    assert "Went bankrupt" not in set(measured.rows["group"])
    assert "All others" not in set(measured.rows["group"])  # three alone would name them
    cells = measured.by_product
    assert (cells["losses"].dropna() >= 5).all()
    assert cells["losses"].isna().any()
    whole = cells.groupby("product").filter(lambda rows: rows["of"].notna().all())
    assert whole.groupby("product")["of"].first().to_dict() == {
        name: size for name, size in now["product"].value_counts().items() if name in set(whole["product"])
    }
    # The total of a reason, which a figure shows, must not give away the only dash in its column.
    wide = cells.pivot(index="product", columns="group", values="losses")
    assert (wide.isna().sum()[wide.isna().any()] > 1).all()
    assert cells.groupby("product").filter(lambda rows: rows["losses"].isna().any())["of"].isna().all()


def test_shares_are_of_losses_that_name_a_competitor_and_the_others_stand_apart() -> None:
    frame = deals()
    frame.loc[frame["competitor"].notna() & (frame.index % 3 == 0), "competitor"] = "Bluefen"
    measured = losses(seen(frame), "competitor")
    now, before = periods(frame)
    assert (measured.lost, measured.lost_before) == (len(now), len(before))
    assert (measured.n, measured.n_before) == (now["competitor"].count(), before["competitor"].count())
    assert measured.unnamed == pytest.approx(now["competitor"].isna().mean())
    assert measured.unnamed_before == pytest.approx(before["competitor"].isna().mean())
    rows = measured.rows.set_index("group")
    assert rows["share"].to_dict() == pytest.approx(now["competitor"].value_counts(normalize=True).to_dict())
    assert rows["share_before"].to_dict() == pytest.approx(before["competitor"].value_counts(normalize=True).to_dict())
    assert rows["share"].sum() == pytest.approx(1)
    # Whether sales asked about competitors less often moves nothing.
    early = frame["closed_at"] <= pd.Timestamp(AS_OF) - timedelta(days=182)
    kept = frame["competitor"].where(early | (frame.index % 2 == 0))
    fewer = losses(seen(frame.assign(competitor=kept)), "competitor")
    assert fewer.unnamed > 0.75 > measured.unnamed
    assert fewer.moved is None


def test_what_no_loss_names_and_missing_columns_are_said() -> None:
    nothing = losses(seen(deals().drop(columns="competitor")), "competitor")
    assert (nothing.reason, len(nothing.rows), len(nothing.by_product)) == ("no competitor is recorded", 0, 0)
    assert math.isnan(nothing.unnamed) and math.isnan(nothing.unnamed_before)
    few = losses(seen(deals(40)), "loss_reason")
    assert few.reason == f"of losses that name a loss reason, only {few.n} of the 30 needed"
    blank = losses(seen(deals().assign(competitor=pd.Series([None] * 900, dtype=object))), "competitor")
    assert blank.reason == "of losses that name a competitor, only 0 of the 30 needed"
    assert (blank.unnamed, blank.lost) == (1.0, len(periods(deals())[0]))


def test_nothing_moved_where_nothing_changed() -> None:
    rng = np.random.default_rng(3)
    frame = deals()
    even = frame.assign(loss_reason=np.where(frame["outcome"] == "lost", rng.choice(REASONS, len(frame)), None))
    measured = losses(seen(even), "loss_reason")
    assert measured.moved is None
    assert not measured.rows["clear"].any()
