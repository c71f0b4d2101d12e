"""A small company with contacts, drawn at random, for the tests of lead scores."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

START = datetime(2026, 1, 1)
CHANNELS = ("Paid search", "E-mail", "Event")
PAGES = ("/", "/pricing", "/docs/Start")


def frames(seed: int = 1, leads: int = 60) -> dict[str, pd.DataFrame]:
    """Tables of a company: accounts of several leads, contacts around their creation, stages, deals, present scores."""
    rng = np.random.default_rng(seed)
    created = [START + timedelta(seconds=int(s)) for s in np.sort(rng.integers(0, 150 * 86_400, leads))]
    account = [f"a{n}" if n < leads // 4 else None for n in rng.integers(0, leads // 3, leads)]
    lead_id = [f"L{n:03}" for n in range(leads)]
    found: dict[str, pd.DataFrame] = {
        "leads": pd.DataFrame(
            {
                "lead_id": lead_id,
                "account_id": pd.Series(account, dtype=object),
                "created_at": pd.Series(created).astype("datetime64[us]"),
                "source": pd.Series([("web", "fair", None)[n] for n in rng.integers(0, 3, leads)], dtype=object),
                "owner_id": pd.Series([f"o{n}" for n in rng.integers(0, 3, leads)], dtype=object),
                "wants_demo": rng.integers(0, 2, leads).astype(bool),
                "visits": rng.integers(0, 9, leads),
                "size": np.where(rng.random(leads) < 0.2, np.nan, rng.normal(size=leads)),
                "note": pd.Series([f"note {n}" for n in range(leads)], dtype=object),
                "constant": "x",
                "work_email": pd.Series([f"p{n}@example.test" for n in range(leads)], dtype=object),
                "seen_by_sales": pd.Series(created).astype("datetime64[us]"),
            }
        ),
        "accounts": pd.DataFrame(
            {
                "account_id": [f"a{n}" for n in range(leads // 4)],
                "name": pd.Series([f"Company {n}" for n in range(leads // 4)], dtype=object),
                "industry": pd.Series([("steel", "glass")[n % 2] for n in range(leads // 4)], dtype=object),
                "employees": rng.integers(1, 1000, leads // 4),
                "created_at": pd.Series(
                    [START + timedelta(days=int(d)) for d in rng.integers(-9, 99, leads // 4)]
                ).astype("datetime64[us]"),
            }
        ),
        "owners": pd.DataFrame({"owner_id": ["o0", "o1", "o2"], "team": ["SDR", "Marketing ops", "Enterprise"]}),
        "touches": touches(rng, created, lead_id, account),
        "activities": activities(rng, created, lead_id),
        "scores": scores(rng, created, lead_id),
        "stage_events": events(rng, created, lead_id),
    }
    return found


def touches(rng: np.random.Generator, created: list[datetime], lead_id: list[str], account: list[Any]) -> pd.DataFrame:
    """Contacts of leads, and of accounts by nobody in particular, some of them exactly at a lead's creation."""
    rows = []
    for number in range(8 * len(lead_id)):
        lead = int(rng.integers(0, len(lead_id)))
        apart = 0 if rng.random() < 0.1 else int(rng.normal(-20, 40) * 86_400)
        nobody = rng.random() < 0.2
        rows.append(
            {
                "touch_id": f"t{number:04}",
                "lead_id": None if nobody else lead_id[lead],
                "account_id": account[lead] if nobody or rng.random() < 0.3 else None,
                "channel": CHANNELS[int(rng.integers(0, 3))] if rng.random() < 0.9 else None,
                "landing_page": PAGES[int(rng.integers(0, 3))],
                "content_id": f"c{rng.integers(0, 5)}",
                "at": created[lead] + timedelta(seconds=apart),
            }
        )
    frame = pd.DataFrame(rows).astype(dict.fromkeys(("lead_id", "account_id", "channel"), object))
    return frame.assign(at=frame["at"].astype("datetime64[us]"))


def activities(rng: np.random.Generator, created: list[datetime], lead_id: list[str]) -> pd.DataFrame:
    """Actions with leads, by sales and by marketing."""
    lead = rng.integers(0, len(lead_id), 3 * len(lead_id))
    at = [created[n] + timedelta(seconds=int(rng.normal(-5, 40) * 86_400)) for n in lead]
    return pd.DataFrame(
        {
            "lead_id": [lead_id[n] for n in lead],
            "kind": "call",
            "owner_id": [f"o{n}" for n in rng.integers(0, 3, len(lead))],
            "at": pd.Series(at).astype("datetime64[us]"),
        }
    )


def scores(rng: np.random.Generator, created: list[datetime], lead_id: list[str]) -> pd.DataFrame:
    """Scores of two systems, before, at and after creation."""
    rows = [
        (lead, system, float(rng.integers(0, 100)), at + timedelta(days=int(days)))
        for lead, at in zip(lead_id, created, strict=True)
        for system in ("crm", "other")
        for days in rng.choice([-3, 0, 4, 6], size=2, replace=False)
    ]
    frame = pd.DataFrame(rows, columns=["subject_id", "system", "score", "at"])
    return frame.assign(at=frame["at"].astype("datetime64[us]"))


def events(rng: np.random.Generator, created: list[datetime], lead_id: list[str]) -> pd.DataFrame:
    """Leads that become MQL and SQL, or are rejected, after some days; some on the day of their creation or before."""
    rows = []
    for lead, at in zip(lead_id, created, strict=True):
        fate = rng.random()
        stages = ["mql", "sql"] if fate < 0.35 else ["mql"] if fate < 0.5 else ["rejected"] if fate < 0.75 else []
        for stage in stages:
            at = at + timedelta(seconds=int(rng.exponential(20) * 86_400))
            rows.append((lead, "lead", stage, at))
    rows.append((lead_id[0], "lead", "rejected", created[0] - timedelta(days=2)))
    frame = pd.DataFrame(rows, columns=["subject_id", "subject_kind", "stage", "at"]).assign(spell=1)
    return frame.assign(at=frame["at"].astype("datetime64[us]"))
