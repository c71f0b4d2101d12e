"""What became of units: random histories against a plain loop over them, on each engine, and what is refused."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from dealt_companies import AS_OF, BOUGHT, MQL, assigned, protocol_of, viewed
from small_companies import deal, deals_of, events_of, leads_of, times
from smarketing.company.protocol import Protocol
from smarketing.company.tables import CompanyError
from smarketing.measures.experiments.outcomes import Observed, observed
from smarketing.measures.experiments.units import dealt
from smarketing.measures.scope import Scope

HORIZON = 30
CAP = 150.0
METRICS: Mapping[str, Mapping[str, Any]] = {
    "mql": MQL,
    "sql": {"label": "Reached SQL", "stage": "sql"},
    "won": {"label": "Won", "stage": "won"},
    "answered": {"label": "Had a call", "activity": "call"},
    "created": {"label": "Pipeline created", "amount": "created", "cap": CAP},
    "revenue": {"label": "Revenue", "amount": "won"},
    "bought": BOUGHT,
    "spent": {"label": "Spent in the shop", "attribute": "spent", "cap": 50},
}
COVARIATES = {"covariates": ["size", "tone", "vip"], "segments": ["tone", "vip"]}


def moment(rng: np.random.Generator, first: datetime, last: datetime) -> datetime:
    """Draw a time, or, half of the times, a date without one."""
    minutes = int(rng.integers(0, int((last - first).total_seconds() // 60) + 1))
    found = first + timedelta(minutes=minutes)
    return found.replace(hour=0, minute=0) if rng.random() < 0.5 and found.date() > first.date() else found


class World:
    """Leads with histories as plain rows, some of whom are dealt, and the company that holds them."""

    def __init__(self, seed: int, *, leads: int = 140, accounts: int = 12, unit: str = "lead") -> None:
        rng = np.random.default_rng(seed)
        start, end = datetime(2026, 3, 1), datetime(2026, 7, 15)
        self.leads: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, str, datetime]] = []
        self.activities: list[tuple[str, str, datetime]] = []
        self.deals: list[dict[str, Any]] = []
        for place in range(leads):
            name, created = f"L{place:03}", moment(rng, start, datetime(2026, 6, 1))
            account = None if rng.random() < 0.1 else f"A{int(rng.integers(accounts)):02}"
            self.leads[name] = {
                "created": created,
                "account": account,
                "size": None if rng.random() < 0.2 else round(float(rng.normal(20, 5)), 3),
                "tone": None if rng.random() < 0.2 else str(rng.choice(["red", "blue", "green"])),
                "vip": bool(rng.random() < 0.3),
                "bought": None if rng.random() < 0.1 else bool(rng.random() < 0.4),
                "spent": None if rng.random() < 0.3 else round(float(rng.gamma(1, 40)), 2),
            }
            for stage, chance in (("mql", 0.6), ("sql", 0.4)):
                if rng.random() < chance:
                    self.events.append((name, stage, moment(rng, created, end)))
            for _ in range(int(rng.integers(0, 3))):
                kind = "call" if rng.random() < 0.7 else "mail"
                self.activities.append((name, kind, moment(rng, created, end)))
            for _ in range(int(rng.integers(0, 3))):
                opened = moment(rng, created, end)
                closed = moment(rng, opened, end) if rng.random() < 0.6 else None
                amount = None if rng.random() < 0.2 else round(float(rng.gamma(1, 100)), 2)
                self.deals.append(
                    {"lead": name, "account": account, "created": opened, "closed": closed, "amount": amount}
                )
        ids = (
            [*list(self.leads)[: leads - 10], "X1", "X2"]
            if unit == "lead"
            else [f"A{i:02}" for i in range(accounts + 1)]
        )
        self.dealt: dict[str, tuple[str, datetime]] = {}
        for place, name in enumerate(ids):
            created = self.leads[name]["created"] if name in self.leads else start
            earliest = created if unit == "lead" else datetime(2026, 4, 15)
            at = moment(rng, earliest, datetime(2026, 6, 20))
            self.dealt[name] = (("left", "called")[place % 2], at)

    def frames(self, unit: str) -> dict[str, pd.DataFrame]:
        names = list(self.leads)
        leads = leads_of(*((n, str(row["created"]), row["account"]) for n, row in self.leads.items()))
        for column in ("size", "spent"):
            leads[column] = pd.Series([self.leads[n][column] for n in names], dtype="float64")
        for column in ("tone", "vip", "bought"):
            leads[column] = pd.Series([self.leads[n][column] for n in names], dtype=object)
        acts = pd.DataFrame(self.activities, columns=["lead_id", "kind", "at"]).astype(
            {"lead_id": object, "kind": object}
        )
        return {
            "leads": leads,
            "stage_events": events_of(*((lead, stage, str(at)) for lead, stage, at in self.events)),
            "activities": acts.assign(at=times(*(str(at) for _, _, at in self.activities))),
            "opportunities": deals_of(
                *(
                    deal(
                        f"D{place}", str(row["created"]), row["closed"] and str(row["closed"]),
                        "won" if row["closed"] else "open",
                        lead_id=row["lead"], account_id=row["account"], amount=row["amount"],
                    )
                    for place, row in enumerate(self.deals)
                )
            ),
            "assignments": assigned(*((n, arm, str(at)) for n, (arm, at) in self.dealt.items()), unit_kind=unit),
        }  # fmt: skip

    def since(self, when: datetime | None, at: datetime) -> int | None:
        """Days from an assignment to something that is known and not before it, else None."""
        if when is None or when.date() > AS_OF:
            return None
        dateless = when == when.replace(hour=0, minute=0)
        if when.date() < at.date() or (not dateless and when < at):
            return None
        return (when.date() - at.date()).days

    def stage(self, lead: str, stage: str, at: datetime) -> float | None:
        """1 or 0 for a stage; None where the lead had reached it, or a later one, before."""
        order = ["mql", "sql", "opportunity", "won"]
        later = order[order.index(stage) :]
        mine = [row for row in self.deals if row["lead"] == lead]
        found = [when for name, what, when in self.events if name == lead and what in later]
        found += [row["created"] for row in mine if "opportunity" in later]
        found += [row["closed"] for row in mine if row["closed"]]
        found = [when for when in found if when.date() <= AS_OF]
        if not found:
            return 0.0
        days = self.since(min(found), at)
        return None if days is None else float(days <= HORIZON)

    def inside(self, when: datetime | None, at: datetime) -> bool:
        days = self.since(when, at)
        return days is not None and days <= HORIZON

    def money(self, column: str, owner: str, key: str, at: datetime) -> float:
        return math.fsum(
            row["amount"] or 0.0 for row in self.deals if row[key] == owner and self.inside(row[column], at)
        )

    def outcomes(self, lead: str, at: datetime) -> dict[str, float | None]:
        """What became of a lead, by the words of the protocol."""
        row = self.leads[lead]
        called = any(name == lead and kind == "call" and self.inside(when, at) for name, kind, when in self.activities)
        return {
            "mql": self.stage(lead, "mql", at),
            "sql": self.stage(lead, "sql", at),
            "won": self.stage(lead, "won", at),
            "answered": float(called),
            "created": min(self.money("created", lead, "lead", at), CAP),
            "revenue": self.money("closed", lead, "lead", at),
            "bought": None if row["bought"] is None else float(row["bought"]),
            "spent": None if row["spent"] is None else min(row["spent"], 50.0),
        }

    def covariates(self, among: list[str]) -> dict[str, dict[str, float]]:
        """Covariates of leads, what is missing filled from those among whom they are looked at."""
        known = [self.leads[n]["size"] for n in among if self.leads[n]["size"] is not None]
        mean = math.fsum(known) / len(known)
        tones = Counter(self.leads[n]["tone"] for n in among if self.leads[n]["tone"] is not None)
        levels = sorted(tones, key=lambda tone: (-tones[tone], tone))
        found = {}
        for name in among:
            row = self.leads[name]
            found[name] = {
                "size": mean if row["size"] is None else row["size"],
                "size_missing": float(row["size"] is None),
                **{f"tone_{place}": float(row["tone"] == level) for place, level in enumerate(levels[1:], 1)},
                "tone_missing": float(row["tone"] is None),
                "vip": float(row["vip"]),
            }
        return found


def table_of(found: Observed) -> dict[str, dict[str, Any]]:
    rows = found.table.to_pyarrow().to_pylist()
    assert len({row["__unit"] for row in rows}) == len(rows)
    return {row["__unit"]: row for row in rows}


def same(got: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str) -> None:
    theirs = {name.removeprefix(prefix): value for name, value in got.items() if name.startswith(prefix)}
    assert set(theirs) == set(wanted)
    for name, value in wanted.items():
        close = value if value is None or isinstance(value, str) else pytest.approx(value, abs=1e-6)
        assert theirs[name] == close, (got["__unit"], name)


def test_outcomes_of_leads_are_those_of_a_plain_loop(engine: ibis.BaseBackend) -> None:
    world = World(1)
    protocol = protocol_of(METRICS, **COVARIATES)
    view = viewed(engine, world.frames("lead"))
    rows = table_of(observed(view, dealt(view, protocol)))
    among = [name for name in world.dealt if name in world.leads]
    covariates = world.covariates(among)
    assert list(rows.keys() - set(among)) and set(rows) == set(world.dealt)
    kinds = Counter[Any]()
    for name, (arm, at) in world.dealt.items():
        got = rows[name]
        assert (got["__arm"], got["__at"], got["__size"]) == (arm, at, 1)
        assert got["__over"] == ((AS_OF - at.date()).days >= HORIZON)
        assert got["__known"] == (name in world.leads)
        if name not in world.leads:
            same(got, dict.fromkeys(METRICS), "y_")
            continue
        wanted = world.outcomes(name, at)
        kinds.update(wanted.items())
        same(got, wanted, "y_")
        same(got, covariates[name], "x_")
        tone = world.leads[name]["tone"] or "(blank)"
        same(got, {"tone": tone, "vip": str(world.leads[name]["vip"]).lower()}, "s_")
    # All that may happen did: reached, not reached, reached before; capped.
    assert all(kinds[name, value] for name in ("mql", "sql", "won") for value in (0.0, 1.0, None))
    assert kinds["created", CAP] and kinds["spent", 50.0] and kinds["spent", None] and kinds["answered", 1.0]


def test_outcomes_of_accounts_are_sums_over_the_leads_that_they_had(engine: ibis.BaseBackend) -> None:
    world = World(3, unit="account")
    protocol = protocol_of(METRICS, unit="account", **COVARIATES)
    view = viewed(engine, world.frames("account"))
    rows = table_of(observed(view, dealt(view, protocol)))
    assert set(rows) == set(world.dealt)
    members = {
        account: [
            n for n, row in world.leads.items() if row["account"] == account and row["created"].date() <= at.date()
        ]
        for account, (_, at) in world.dealt.items()
    }
    assert any(len(members[a]) < sum(row["account"] == a for row in world.leads.values()) for a in members)
    covariates = world.covariates([name for leads in members.values() for name in leads])
    for account, (arm, at) in world.dealt.items():
        got, leads = rows[account], members[account]
        assert (got["__arm"], got["__at"], got["__size"], got["__known"]) == (arm, at, len(leads), bool(leads))
        assert got["__over"] == ((AS_OF - at.date()).days >= HORIZON)
        each = [world.outcomes(name, at) for name in leads]
        sums = {m: math.fsum(one[m] or 0.0 for one in each) for m in METRICS}
        counts = {m: sum(one[m] is not None for one in each) for m in METRICS}
        sums["created"] = min(world.money("created", account, "account", at), CAP)
        sums["revenue"] = world.money("closed", account, "account", at)
        same(got, sums, "y_")
        same(got, counts, "n_")
        if leads:
            means = {x: np.mean([covariates[n][x] for n in leads]) for x in covariates[leads[0]]}
            same(got, means, "x_")
            tones = min(world.leads[n]["tone"] or "~" for n in leads)
            vip = min(str(world.leads[n]["vip"]).lower() for n in leads)
            same(got, {"tone": "(blank)" if tones == "~" else tones, "vip": vip}, "s_")


def flat(**columns: Any) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    leads = leads_of(*((f"L{i}", "2026-01-01", f"A{i // 2}") for i in range(n))).drop(columns="created_at")
    return leads.assign(**columns)


def seen_flat(engine: ibis.BaseBackend, leads: pd.DataFrame, protocol: Protocol, **options: Any) -> Observed:
    arms = [(f"L{i}", ("left", "called")[i % 2]) for i in range(len(leads))]
    view = viewed(engine, {"leads": leads, "assignments": assigned(*arms)}, **options)
    return observed(view, dealt(view, protocol))


def test_a_text_has_a_column_for_each_of_its_ten_commonest_values_but_the_commonest(engine: ibis.BaseBackend) -> None:
    tones = [f"t{level:02}" for level in range(13) for _ in range(20 - level)]
    leads = flat(tone=pd.Series(tones, dtype=object), bought=[True, False] * (len(tones) // 2))
    found = seen_flat(engine, leads, protocol_of({"bought": BOUGHT}, covariates=["tone"]))
    columns = [name for name in found.table.columns if name.startswith("x_")]
    assert columns == [f"x_tone_{place}" for place in range(1, 11)]
    ones = found.table.aggregate(**{name: found.table[name].sum() for name in columns}).to_pyarrow().to_pylist()[0]
    assert list(ones.values()) == [20 - place for place in range(1, 11)]


def test_numbers_that_are_none_are_missing(engine: ibis.BaseBackend) -> None:
    leads = flat(spent=[1.0, math.inf, 3.0, 4.0], bought=[True, False, True, True])
    found = seen_flat(
        engine, leads, protocol_of({"spent": {"label": "Spent", "attribute": "spent", "cap": 2}, "bought": BOUGHT})
    )
    rows = table_of(found)
    assert [rows[f"L{i}"]["y_spent"] for i in range(4)] == [1.0, None, 2.0, 2.0]
    assert [rows[f"L{i}"]["y_bought"] for i in range(4)] == [1.0, 0.0, 1.0, 1.0]
    assert all(row["__over"] and row["__known"] for row in rows.values())


def test_a_scope_leaves_the_others_not_found(engine: ibis.BaseBackend) -> None:
    leads = flat(source=pd.Series(["web", "fair", "web", "web"], dtype=object), bought=[True, False, True, True])
    found = seen_flat(engine, leads, protocol_of({"bought": BOUGHT}), scope=Scope(source="web"))
    assert {name: row["__known"] for name, row in table_of(found).items()} == {
        "L0": True, "L1": False, "L2": True, "L3": True,
    }  # fmt: skip


def test_a_recycled_lead_is_followed_in_the_pass_it_was_in_when_it_was_dealt(engine: ibis.BaseBackend) -> None:
    leads = leads_of(("L0", "2026-01-01"), ("L1", "2026-01-01"), ("L2", "2026-01-01"))
    events = events_of(
        *(event for lead in ("L0", "L1") for event in [
            (lead, "mql", "2026-01-05", 1), (lead, "recycled", "2026-02-01", 1),
            (lead, "lead", "2026-03-01", 2), (lead, "mql", "2026-03-20", 2),
        ]),
        ("L2", "mql", "2026-03-12", 1),
    )  # fmt: skip
    dealt_to = assigned(("L0", "left", "2026-03-10"), ("L1", "called", "2026-01-03"), ("L2", "called", "2026-03-10"))
    view = viewed(
        engine, {"leads": leads, "stage_events": events, "assignments": dealt_to}, recycled_leads="each_spell"
    )
    rows = table_of(observed(view, dealt(view, protocol_of())))
    assert {name: (row["__known"], row["y_mql"]) for name, row in rows.items()} == {
        "L0": (True, 1.0), "L1": (True, 1.0), "L2": (True, 1.0),
    }  # fmt: skip
    late = dealt_to.assign(assigned_at=times("2026-02-20", "2026-03-25", "2026-03-10"))
    view = viewed(engine, {"leads": leads, "stage_events": events, "assignments": late}, recycled_leads="each_spell")
    rows = table_of(observed(view, dealt(view, protocol_of())))
    # Both had reached it in the pass that they were in.
    assert {name: row["y_mql"] for name, row in rows.items()} == {"L0": None, "L1": None, "L2": 1.0}


WHERE = "The protocol of 'calls'"


@pytest.mark.parametrize(
    ("changed", "known", "said"),
    [
        (
            {"covariates": ["sise"]},
            {},
            f"{WHERE} names the attribute 'sise', and leads have none. Did you mean 'size'?",
        ),
        (
            {"segments": ["size"]},
            {"size": "after"},
            f"{WHERE} names 'size' as known before the assignment, and the input file declares it as filled in "
            "`after`. Take it out, or correct the declaration.",
        ),
        (
            {"covariates": ["seen_on"]},
            {},
            f"{WHERE} has the covariate 'seen_on', which holds timestamp(6) and neither yes or no, a number nor text. "
            "Name another attribute.",
        ),
        (
            {"metrics": {"bought": {"label": "Bought", "attribute": "buoght"}}},
            {},
            f"{WHERE} reads the metric 'bought' from the attribute 'buoght', and leads have none. "
            "Did you mean 'bought'?",
        ),
        (
            {"metrics": {"bought": {"label": "Bought", "attribute": "tone"}}},
            {},
            f"{WHERE} reads the metric 'bought' from leads.tone, which holds string and neither yes or no nor a "
            "number. Give it its `type` in the input file.",
        ),
        (
            {},
            {"bought": "before"},
            f"{WHERE} reads the metric 'bought' from leads.bought, which the input file declares as known `before`: "
            "an outcome is recorded after the assignment. Name another attribute.",
        ),
        (
            {"metrics": {"bought": BOUGHT, "mql": MQL}, "horizon_days": 30},
            {},
            f"{WHERE} has the metric 'mql', which happens within 30 days after the assignment, and no unit has a time "
            "of assignment. Map assignments.assigned_at.",
        ),
    ],
)
def test_what_the_protocol_asks_for_has_to_be_there(
    engine: ibis.BaseBackend, changed: dict[str, Any], known: dict[str, str], said: str
) -> None:
    leads = flat(
        size=[1.0, 2.0], tone=pd.Series(["red", "blue"], dtype=object), bought=[True, False],
        seen_on=times("2026-01-01", "2026-01-02"),
    )  # fmt: skip
    with pytest.raises(CompanyError) as caught:
        seen_flat(engine, leads, protocol_of(**({"metrics": {"bought": BOUGHT}} | changed)), known={"leads": known})
    assert str(caught.value) == said


def dated(engine: ibis.BaseBackend, assignments: pd.DataFrame, **protocol: Any) -> Observed:
    leads = leads_of(("L0", "2026-03-01 10:00", "A0"), ("L1", "2026-03-05", "A1"), ("L2", "2026-03-07", "A1"))
    view = viewed(
        engine, {"leads": leads, "stage_events": events_of(("L0", "mql", "2026-03-02")), "assignments": assignments}
    )
    return observed(view, dealt(view, protocol_of(**protocol)))


def test_leads_that_were_created_after_they_were_dealt_are_refused(engine: ibis.BaseBackend) -> None:
    with pytest.raises(CompanyError) as caught:
        dated(engine, assigned(("L0", "left", "2026-03-01"), ("L1", "called", "2026-03-04 12:00")))
    assert str(caught.value) == (
        "1 lead of the experiment 'calls' was created after it was dealt: L1 (created 2026-03-05 00:00:00, dealt "
        "2026-03-04 12:00:00). Outcomes before an assignment are none of it: correct assignments.assigned_at."
    )
    with pytest.raises(
        CompanyError, match=r"^2 leads of the experiment 'calls' were created after they were dealt: L1 "
    ):
        dated(engine, assigned(*((f"L{i}", ("left", "called")[i % 2], "2026-03-02") for i in range(3))))


def test_a_stage_that_the_definitions_do_not_have_is_refused(engine: ibis.BaseBackend) -> None:
    with pytest.raises(CompanyError) as caught:
        dated(
            engine, assigned(("L0", "left", "2026-03-10"), ("L1", "called", "2026-03-10")),
            metrics={"mql": {"label": "MQL", "stage": "mqls"}},
        )  # fmt: skip
    assert str(caught.value) == (
        f"{WHERE} has the metric 'mql' of the stage 'mqls', which the definitions do not have. Did you mean 'mql'?"
    )


def test_units_of_which_none_is_in_the_data_are_refused(engine: ibis.BaseBackend) -> None:
    strangers = assigned(("X1", "left", "2026-03-10"), ("X2", "called", "2026-03-10"))
    with pytest.raises(CompanyError) as caught:
        dated(engine, strangers)
    assert str(caught.value) == (
        "None of the 2 leads that were dealt in the experiment 'calls', such as X1, is in leads.lead_id within the "
        "scope. Give assignments the ids that leads have."
    )
    with pytest.raises(CompanyError) as caught:
        dated(engine, strangers.assign(unit_kind="account").astype({"unit_kind": object}), unit="account")
    assert str(caught.value) == (
        "None of the 2 accounts that were dealt in the experiment 'calls', such as X1, has a lead in leads.account_id "
        "within the scope. Give assignments the ids that leads have."
    )


def test_accounts_need_leads_that_name_them(engine: ibis.BaseBackend) -> None:
    leads = flat(bought=[True, False]).drop(columns="account_id")
    arms = assigned(("A0", "left"), ("A1", "called"), unit_kind="account")
    view = viewed(engine, {"leads": leads, "assignments": arms})
    with pytest.raises(CompanyError) as caught:
        observed(view, dealt(view, protocol_of({"bought": BOUGHT}, unit="account")))
    assert str(caught.value) == (
        "The experiment 'calls' was dealt to accounts, and leads.account_id is not recorded. Map it in the input file."
    )
