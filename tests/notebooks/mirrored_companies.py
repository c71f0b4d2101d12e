"""Two companies that are each other's mirror image around the period before, the plan and the whole.

Everything is laid out by rule, not by chance: of the rows of a day, every so-manieth converts. Company ``+1`` gets more
leads of a better quality lately, closes more and loses less to Kestrel; company ``-1`` the other way round.
"""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import pandas as pd

from small_companies import company_of, definitions_of
from smarketing.company.targets import Target, Targets
from smarketing.measures.view import View, view

AS_OF = date(2026, 11, 15)
FIRST = date(2025, 9, 1)
KPIS = [
    {"name": "lead_flow", "label": "New leads", "kind": "entries", "stage": "lead", "panel": "lead flow"},
    {
        "name": "lead_quality",
        "label": "Leads that become SQL",
        "kind": "reached",
        "stage": "lead",
        "to_stage": "sql",
        "within_days": 60,
        "panel": "lead quality",
    },
    {
        "name": "close_rate",
        "label": "Deals won",
        "kind": "reached",
        "stage": "opportunity",
        "to_stage": "won",
        "within_days": 60,
        "panel": "close rate",
    },
    {"name": "bookings", "label": "Bookings", "kind": "won"},
]
PLAN = {"lead_flow": 5_000.0, "lead_quality": 0.35, "close_rate": 0.35, "bookings": 9_500_000.0}
LOW, HIGH, MIDDLE = 0.2, 0.5, 0.35


def mirrored(sign: int) -> tuple[View, Targets]:
    """Return a company as of a day, and its plan for 2026."""
    leads, events, deals = [], [], []
    number = 0
    for day in (FIRST + timedelta(days=k) for k in range((AS_OF - FIRST).days + 1)):
        age = (AS_OF - day).days
        for place in range(_size(sign, age)):
            number += 1
            source = ("Webinar", "Partner")[number % 2]
            lead, at = f"l{number}", pd.Timestamp(day)
            leads.append({"lead_id": lead, "account_id": f"a{number}", "created_at": at, "source": source})
            better = _rate(sign, age) + sign * (0.15 if source == "Webinar" else -0.15)
            for stage, rate, after in (
                ("mql", min(better + 0.15, 0.95), 4),
                ("sql", better, 9),
                ("won", better / 2, 30),
            ):
                reached = at + pd.Timedelta(days=after)
                if _drawn(number // 2, rate) and reached.date() <= AS_OF:
                    events.append({"subject_id": lead, "subject_kind": "lead", "stage": stage, "at": reached})
            if place % 2 == 0:
                deals.append(_deal(sign, number, at, age))
    frames = {
        "leads": pd.DataFrame(leads),
        "stage_events": pd.DataFrame(events),
        "opportunities": pd.DataFrame(deals).astype({"loss_reason": object, "competitor": object}),
    }
    definitions = definitions_of(figures=KPIS, windows={"funnel_days": 60, "cohort_days": 180})
    company = company_of(ibis.duckdb.connect(), frames)
    plan = [Target(name, date(2026, 1, 1), date(2026, 12, 31), value, {}) for name, value in PLAN.items()]
    return view(company, definitions, AS_OF), Targets(tuple(plan))


def _size(sign: int, age: int) -> int:
    """Rows of a day: ten or twenty of late, as the other one before."""
    return (20 if age < 42 else 10) if sign > 0 else (10 if age < 42 else 20)


def _rate(sign: int, age: int) -> float:
    """Success of those who began so long ago, for every clock: better of late, or worse."""
    late = age < 60 + 42
    return (HIGH if late else LOW) if sign > 0 else (LOW if late else HIGH)


def _drawn(number: int, rate: float) -> bool:
    """Every 1/rate-th row, spread evenly."""
    return int((number + 1) * rate) > int(number * rate)


def _deal(sign: int, number: int, at: pd.Timestamp, age: int) -> dict[str, object]:
    won = _drawn(number // 2, _rate(sign, age))
    closed = at + pd.Timedelta(days=20)
    known = closed.date() <= AS_OF
    recent = (AS_OF - closed.date()).days < 90
    to_kestrel = _drawn(number // 2, (LOW if recent else HIGH) if sign > 0 else (HIGH if recent else LOW))
    lost = known and not won
    return {
        "opportunity_id": f"d{number}",
        "account_id": f"b{number}",
        "lead_id": None,
        "product": "Core",
        "amount": 10_000.0,
        "created_at": at,
        "closed_at": closed if known else pd.NaT,
        "outcome": ("won" if won else "lost") if known else "open",
        "loss_reason": ("Price" if to_kestrel else "Timing") if lost else None,
        "competitor": ("Kestrel" if to_kestrel else "Bluefen") if lost else None,
    }
