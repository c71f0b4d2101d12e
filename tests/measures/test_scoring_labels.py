"""Which leads are scored, what became of them, what was known on a day, and how a sample is split in time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored_company import frames

from small_companies import company_of, deal, deals_of, definitions_of, events_of, leads_of
from smarketing.company.tables import CompanyError, ObservedFrom
from smarketing.measures.scoring.leads.features import feature_table, sample
from smarketing.measures.scoring.leads.labels import Labels, labels_at
from smarketing.measures.scoring.leads.sample import Sample
from smarketing.measures.scoring.leads.split import split_forward
from smarketing.measures.view import View, view

AS_OF = date(2026, 4, 30)
SAID = {"to_stage": "sql", "within_days": 30, "weekly_capacity": 5, "cost_of_working": 1, "threshold": 0.2}


def viewed(
    engine: ibis.BaseBackend,
    tables: Mapping[str, pd.DataFrame],
    as_of: date = AS_OF,
    *,
    observed_from: tuple[ObservedFrom, ...] = (),
    recycled_leads: str = "first_exit",
    **said: Any,
) -> View:
    definitions = definitions_of(scoring=SAID | said, recycled_leads=recycled_leads)
    return view(company_of(engine, tables, observed_from=observed_from), definitions, as_of)


def scored(engine: ibis.BaseBackend, tables: Mapping[str, pd.DataFrame], as_of: date = AS_OF, **said: Any) -> Sample:
    looked = viewed(engine, tables, as_of, **said)
    assert looked.definitions.scoring is not None
    return sample(looked, looked.definitions.scoring)


def fates(found: Sample) -> dict[str, tuple[int, int]]:
    return {
        s: (int(status), int(age)) for s, status, age in zip(found.subject_id, found.status, found.age, strict=True)
    }


LEADS = leads_of(
    ("reached", "2026-02-01 10:00"),
    ("left", "2026-02-01"),
    ("open", "2026-04-20"),
    ("same day", "2026-03-01 15:00"),
    ("before", "2026-03-01 15:00"),
    ("after leaving", "2026-02-01"),
    ("by its deal", "2026-02-01"),
    ("today", "2026-04-30 23:59"),
)
EVENTS = events_of(
    ("reached", "mql", "2026-02-03"),
    ("reached", "sql", "2026-02-08 09:00"),
    ("reached", "rejected", "2026-02-20"),
    ("left", "mql", "2026-02-02"),
    ("left", "rejected", "2026-02-12"),
    ("open", "mql", "2026-04-21"),
    ("same day", "sql", "2026-03-01"),
    ("before", "rejected", "2026-02-27"),
    ("after leaving", "rejected", "2026-02-05"),
    ("after leaving", "sql", "2026-02-09"),
)
TABLES = {
    "leads": LEADS,
    "stage_events": EVENTS,
    "opportunities": deals_of(deal("d", "2026-02-11", lead_id="by its deal")),
}


def test_what_became_of_leads_counts_from_their_moment(engine: ibis.BaseBackend) -> None:
    assert fates(scored(engine, TABLES)) == {
        "reached": (1, 7),
        "left": (2, 11),
        "open": (0, 10),
        "same day": (1, 0),
        "after leaving": (2, 4),
        "by its deal": (1, 10),
        "today": (0, 0),
    }


def test_a_later_moment_drops_those_who_are_done_or_not_there_yet(engine: ibis.BaseBackend) -> None:
    found = scored(engine, TABLES, moment_days=6)
    # The moment of the first of February is the end of the seventh: the eighth is day 0.
    assert fates(found) == {"reached": (1, 0), "left": (2, 4), "open": (0, 3), "by its deal": (1, 3)}
    assert found.at is not None
    moments = dict(zip(found.subject_id, found.at.astype(str), strict=True))
    assert (moments["reached"], moments["open"]) == ("2026-02-08T00:00:00", "2026-04-27T00:00:00")
    assert fates(scored(engine, TABLES, moment_days=10))["open"] == (0, 0)
    assert "open" not in fates(scored(engine, TABLES, moment_days=11))


def test_leads_created_before_exits_are_on_record_are_left_out(engine: ibis.BaseBackend) -> None:
    for treatment in ("whole_cohorts", "delayed_entry"):
        observed = ObservedFrom(("sql",), date(2026, 2, 2), treatment)  # type: ignore[arg-type]
        found = scored(engine, TABLES, observed_from=(observed,))
        assert sorted(found.subject_id) == ["open", "same day", "today"]
    elsewhere = ObservedFrom(("won",), date(2026, 2, 2), "whole_cohorts")
    assert len(scored(engine, TABLES, observed_from=(elsewhere,))) == 7


def test_the_first_pass_of_a_recycled_lead_is_scored(engine: ibis.BaseBackend) -> None:
    tables = {
        "leads": leads_of(("A", "2026-02-01"), ("B", "2026-02-01")),
        "stage_events": events_of(
            ("A", "recycled", "2026-02-05", 1), ("A", "sql", "2026-02-09", 2), ("B", "sql", "2026-02-03", 1)
        ),
    }
    for recycled in ("first_exit", "each_spell"):
        assert fates(scored(engine, tables, recycled_leads=recycled)) == {"A": (2, 4), "B": (1, 2)}


def test_accounts_and_leads_without_one_are_clusters(engine: ibis.BaseBackend) -> None:
    leads = leads_of(("A", "2026-02-01", "x"), ("B", "2026-02-02", None), ("C", "2026-02-03", "x"))
    found = scored(engine, {"leads": leads, "stage_events": EVENTS})
    a, b, c = found.cluster
    assert a == c != b


FLAT = pd.DataFrame(
    {
        "lead_id": ["L2", "L1", "L3"],
        "account_id": pd.Series(["x", None, "x"], dtype=object),
        "bought": pd.Series([True, False, None], dtype=object),
        "visits": [1, 2, 3],
        "source": pd.Series(["web", "fair", None], dtype=object),
    }
)
OUTCOME = {"to_stage": None, "within_days": None, "weekly_capacity": None, "capacity_share": 0.2, "outcome": "bought"}


def test_a_flat_export_has_no_moment_and_no_age(engine: ibis.BaseBackend) -> None:
    found = scored(engine, {"leads": FLAT}, **OUTCOME)
    assert fates(found) == {"L1": (2, 0), "L2": (1, 0), "L3": (0, 0)}
    assert (found.at, found.as_of, found.present) == (None, None, None)
    assert [role.name for role in found.roles] == ["source", "visits"]
    assert found.cluster[1] == found.cluster[2] != found.cluster[0]
    assert found.segments["source"].tolist() == ["fair", "web", None]
    labels = labels_at(found, horizon=None, known_at=None)
    assert (labels.value.tolist(), labels.weight.tolist()) == ([0, 1, 0], [1.0, 1.0, 0.0])


def test_new_leads_of_a_flat_export_have_no_outcome_yet(engine: ibis.BaseBackend) -> None:
    looked = viewed(engine, {"leads": FLAT}, **OUTCOME)
    assert looked.definitions.scoring is not None
    roles = sample(looked, looked.definitions.scoring).roles
    new = viewed(engine, {"leads": FLAT.drop(columns="bought")}, **OUTCOME)
    table = feature_table(new, looked.definitions.scoring, roles)
    assert table.columns == ("subject_id", "account_id", "at", "source", "visits")
    assert sorted(table.visits.execute()) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("tables", "said", "message"),
    [
        (
            {"leads": FLAT},
            {},
            "The score's label is reaching 'sql' within 30 days, and leads have no days. Name `outcome`, a yes-or-no "
            "attribute of leads, under scoring.",
        ),
        (
            TABLES,
            OUTCOME,
            "The score's label is `outcome: bought`, which is for leads without days, and these have `created_at`. "
            "Name `to_stage` and `within_days` under scoring, or mark the leads `undated: true` in the input file.",
        ),
        (
            {"leads": FLAT},
            OUTCOME | {"outcome": "bougth"},
            "The score's `outcome` is 'bougth', and leads have no such attribute. Did you mean 'bought'?",
        ),
        (
            {"leads": FLAT},
            OUTCOME | {"outcome": "visits"},
            "The score's `outcome` is 'visits', which holds int64 and not yes or no. Say `visits: {column: ..., type: "
            "boolean}` under `attributes` in the input file.",
        ),
    ],
)
def test_a_label_that_does_not_fit_the_data_is_refused(
    engine: ibis.BaseBackend, tables: Mapping[str, pd.DataFrame], said: dict[str, Any], message: str
) -> None:
    with pytest.raises(CompanyError, match=f"^{re.escape(message)}$"):
        scored(engine, tables, **said)


def made(at: list[int], status: list[int], age: list[int], *, as_of: int, cluster: list[int] | None = None) -> Sample:
    """A sample without features; days are numbers from 1 January 2026."""
    n = len(at)
    return Sample(
        subject_id=np.array([f"L{i}" for i in range(n)], dtype=object),
        cluster=np.array(cluster or range(n), dtype=np.int64),
        at=(np.datetime64("2026-01-01", "s") + np.array(at, dtype=np.int64) * np.timedelta64(86_400, "s")),
        features=pd.DataFrame(index=pd.RangeIndex(n)),
        roles=(),
        status=np.array(status, dtype=np.int8),
        age=np.array(age, dtype=np.int64),
        as_of=day(as_of),
        present=None,
        segments=pd.DataFrame(index=pd.RangeIndex(n)),
    )


def day(number: int) -> date:
    return date(2026, 1, 1) + timedelta(days=number)


def test_labels_by_hand() -> None:
    # Day 20 is the last; the horizon is 10 days.
    found = made(
        at=[0, 0, 0, 0, 5, 12, 15, 15, 18],
        status=[1, 1, 2, 0, 2, 0, 1, 2, 0],
        age=[10, 11, 15, 20, 4, 8, 2, 1, 2],
        as_of=20,
    )
    labels = labels_at(found, horizon=10, known_at=day(20))
    assert labels.value.tolist() == [1, 0, 0, 0, 0, 0, 1, 0, 0]
    # Followed for at least 10, 4, 2 and 1 days were 5, 8, 9 and 9 of the 9 leads.
    assert labels.weight == pytest.approx([9 / 5] * 4 + [9 / 8, 0, 9 / 9, 9 / 9, 0])
    assert labels.reason == ""
    # On day 12 what came later had not happened, and the last three leads had not come.
    earlier = labels_at(found, horizon=10, known_at=day(12))
    assert earlier.value.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert earlier.weight == pytest.approx([6 / 4] * 4 + [6 / 5] + [0] * 4)


def test_labels_need_somebody_who_was_followed_for_the_horizon() -> None:
    labels = labels_at(made([0, 5], [1, 0], [2, 5], as_of=10), horizon=30, known_at=day(10))
    assert labels.weight.tolist() == [0.0, 0.0]
    assert labels.reason == "no lead has been followed for 30 days by 2026-01-11"


def test_labels_refuse_days_that_do_not_fit() -> None:
    found = made([0], [1], [2], as_of=10)
    message = "known_at is 2026-01-12, and the sample knows nothing after 2026-01-11; name an earlier day"
    with pytest.raises(ValueError, match=f"^{message}$"):
        labels_at(found, horizon=5, known_at=day(11))
    with pytest.raises(ValueError, match=r"^this sample has days: name horizon \(days\) and known_at \(a day\)$"):
        labels_at(found, horizon=5, known_at=None)
    flat = Sample(**{name: getattr(found, name) for name in found.__dataclass_fields__} | {"at": None})
    with pytest.raises(ValueError, match=r"^this sample has no days, so horizon and known_at must be None$"):
        labels_at(flat, horizon=5, known_at=day(3))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_what_happens_after_the_day_changes_no_label(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    at = data.draw(st.lists(st.integers(0, 30), min_size=n, max_size=n))
    known_at, horizon = data.draw(st.integers(0, 40)), data.draw(st.integers(0, 15))
    exits = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), min_size=n, max_size=n))

    def seen(as_of: int, fate: list[tuple[int, int]]) -> Labels:
        happened = [
            (s, a) if s and began + a <= as_of else (0, max(as_of - began, 0))
            for (s, a), began in zip(fate, at, strict=True)
        ]
        found = made(at, [s for s, _ in happened], [a for _, a in happened], as_of=as_of)
        return labels_at(found, horizon=horizon, known_at=day(known_at))

    on_the_day = seen(known_at, exits)
    later = seen(60, exits)
    np.testing.assert_array_equal(on_the_day.weight, later.weight)
    np.testing.assert_array_equal(on_the_day.value, later.value)
    assert set(on_the_day.value[on_the_day.weight > 0]) <= {0, 1}


def test_labels_of_a_day_are_those_of_the_company_as_it_was_then(engine: ibis.BaseBackend) -> None:
    tables = {name: frames(leads=150)[name] for name in ("leads", "stage_events")}
    then, now = date(2026, 4, 1), date(2026, 6, 15)
    early, late = (scored(engine, tables, as_of) for as_of in (then, now))
    there = np.isin(late.subject_id, early.subject_id)
    assert 50 < there.sum() < len(late)
    known = labels_at(late.take(there), horizon=30, known_at=then)
    expected = labels_at(early, horizon=30, known_at=then)
    assert expected.value.sum() >= 5 and (expected.weight == 0).sum() > 5
    np.testing.assert_array_equal(known.value, expected.value)
    np.testing.assert_array_equal(known.weight, expected.weight)


def test_weights_give_the_true_rate_where_shortcuts_do_not() -> None:
    """Half reach the stage in the end, fast; half leave slowly. Both shortcuts miss the true rate."""
    rng = np.random.default_rng(11)
    n, horizon, last = 40_000, 60, 90
    at = rng.integers(0, last + 1, n)
    kind = rng.choice([1, 2], size=n)
    exits = np.floor(rng.exponential(np.where(kind == 1, 15, 50))).astype(int)
    truth = 0.5 * (1 - np.exp(-(horizon + 1) / 15))
    seen = last - at
    status, age = np.where(exits <= seen, kind, 0), np.minimum(exits, seen)
    labels = labels_at(made(list(at), list(status), list(age), as_of=last), horizon=horizon, known_at=day(last))
    assert np.average(labels.value, weights=labels.weight) == pytest.approx(truth, abs=0.01)
    assert labels.weight.sum() == pytest.approx(n, rel=0.02)
    assert labels.value.mean() < truth - 0.02  # young ones as negatives
    assert labels.value[labels.weight > 0].mean() > truth + 0.02  # known ones only


def test_a_split_by_hand() -> None:
    found = made(
        list(range(10)), [0] * 10, [20 - i for i in range(10)], as_of=20, cluster=[1, 2, 3, 4, 5, 6, 7, 1, 9, 9]
    )
    split = split_forward(found, horizon=12, as_of=day(20), test_share=0.3)
    # Nine leads (days 0 to 8) have had 12 days; three of them are later than day 5.
    assert split.day == day(5)
    assert np.flatnonzero(split.train).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.flatnonzero(split.test).tolist() == [6, 7, 8]
    assert np.flatnonzero(split.unseen).tolist() == [6, 8]
    assert split.reason == ""


@given(
    at=st.lists(st.integers(0, 40), min_size=2, max_size=40),
    horizon=st.integers(0, 20),
    share=st.floats(0.05, 0.95),
)
@settings(max_examples=60, deadline=None)
def test_a_split_is_in_time_and_tests_only_what_is_known(at: list[int], horizon: int, share: float) -> None:
    at = sorted(at)
    found = made(at, [0] * len(at), [45 - a for a in at], as_of=45, cluster=[a % 3 for a in at])
    split = split_forward(found, horizon=horizon, as_of=day(45), test_share=share)
    if split.day is None:
        assert len({a for a in at if 45 - a >= horizon}) < 2
        assert not (split.train | split.test | split.unseen).any()
        return
    cut = (split.day - day(0)).days
    assert split.train.tolist() == [a <= cut for a in at]
    assert split.test.tolist() == [a > cut and 45 - a >= horizon for a in at]
    assert split.train.any() and split.test.any()
    assert not set(found.cluster[split.unseen]) & set(found.cluster[split.train])
    # No other day comes nearer to the share.
    mature = [a for a in at if 45 - a >= horizon]
    miss = {d: abs(sum(a > d for a in mature) / len(mature) - share) for d in sorted(set(mature))[:-1]}
    assert miss[cut] <= min(miss.values()) + 1e-9


def test_there_is_no_split_where_there_is_nothing_to_test_on() -> None:
    young = split_forward(made([9, 10], [0, 0], [1, 0], as_of=10), horizon=5, as_of=day(10))
    assert (young.day, young.reason) == (None, "of 2 leads none had had 5 days by 2026-01-11")
    one_day = split_forward(made([1, 1, 9], [0] * 3, [9, 9, 1], as_of=10), horizon=5, as_of=day(10))
    assert one_day.reason == "of 3 leads only those of one day had had 5 days by 2026-01-11"
    flat = made([1], [1], [0], as_of=10)
    flat = Sample(**{name: getattr(flat, name) for name in flat.__dataclass_fields__} | {"at": None})
    message = "this sample has no days, so it cannot be split in time; use folds that keep accounts together"
    with pytest.raises(ValueError, match=f"^{message}$"):
        split_forward(flat, horizon=5, as_of=day(10))
    with pytest.raises(ValueError, match=r"^test_share is 1; it is a share above 0 and below 1$"):
        split_forward(made([1], [1], [0], as_of=10), horizon=5, as_of=day(10), test_share=1)
