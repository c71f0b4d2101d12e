"""What the company did with leads by itself, and which leads are new: against plain loops, on both engines."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import ibis
import numpy as np
import pandas as pd
import pytest
from scored_company import frames
from test_scoring_features import viewed

from smarketing.company.tables import CompanyError
from smarketing.measures.scoring.leads.features import read, sample
from smarketing.measures.scoring.leads.fit import fit_features
from smarketing.measures.scoring.leads.present import SYSTEM


def test_the_present_score_is_the_latest_at_the_moment_or_within_the_hour(engine: ibis.BaseBackend) -> None:
    """A CRM scores a lead in the minutes after its creation; what it says later is not what it said then."""
    tables = frames()
    created = tables["leads"].set_index("lead_id")["created_at"]
    soon = [("L001", "crm", 77.0, created["L001"] + timedelta(minutes=59)),
            ("L002", "crm", 78.0, created["L002"] + timedelta(minutes=61))]  # fmt: skip
    more = pd.DataFrame(soon, columns=tables["scores"].columns).astype(tables["scores"].dtypes)
    tables["scores"] = pd.concat([tables["scores"], more], ignore_index=True)
    found = sample(*viewed(engine, tables, present_system="crm"))
    theirs = tables["scores"][tables["scores"]["system"] == "crm"]
    assert found.present is not None
    for lead, score in zip(found.subject_id, found.present, strict=True):
        by = created[lead] + timedelta(hours=1)
        known = theirs[(theirs["subject_id"] == lead) & (theirs["at"] <= by)]
        best = known.sort_values(["at", "score"]).iloc[-1]["score"] if len(known) else float("nan")
        assert score == best or (score != score and best != best)
    given = dict(zip(found.subject_id, found.present, strict=True))
    assert given["L001"] == 77.0 and given["L002"] != 78.0
    assert 0 < np.isnan(found.present).sum() < len(found)
    assert sample(*viewed(engine, tables)).present is None
    without = {name: table for name, table in tables.items() if name != "scores"}
    assert sample(*viewed(engine, without, present_system="crm")).present is None


def test_our_own_scores_are_no_present_system() -> None:
    """Once this score was given out, the company has a table of scores, and that has none of the CRM's."""
    tables = frames()
    tables["scores"] = tables["scores"].assign(system=SYSTEM)
    assert sample(*viewed(ibis.duckdb.connect(), tables, present_system="crm")).present is None


def test_a_system_beside_ours_is_still_asked_for_by_name(engine: ibis.BaseBackend) -> None:
    tables = frames()
    tables["scores"]["system"] = np.where(np.arange(len(tables["scores"])) < 3, "old", SYSTEM)
    said = (
        "scoring.present_system is 'crm', and no row of the table scores has that in its column system. Allowed are "
        "old. Name it as the table does, or leave present_system out of the definitions."
    )
    # Without the error's traceback, which would keep tables of a closed connection alive.
    with pytest.raises(CompanyError, match=f"^{re.escape(said)}$"):
        sample(*viewed(engine, tables, present_system="crm"))


@pytest.mark.parametrize("present", ["crm", "no such system"])
def test_who_scores_again_does_not_compare_with_the_present_system(present: str) -> None:
    looked, scoring = viewed(ibis.duckdb.connect(), frames(), present_system=present)
    roles, _ = fit_features(looked.company, None)
    assert read(looked, scoring, roles[:1]).present is None


def test_worked_leads_are_those_that_sales_acted_on(engine: ibis.BaseBackend) -> None:
    tables = frames()
    acts = tables["activities"]
    acts.loc[acts["lead_id"].isin(["L003", "L004"]), "owner_id"] = "o1"  # of marketing
    tables["activities"] = acts[acts["lead_id"] != "L005"]
    tables["activities"].loc[tables["activities"]["lead_id"] == "L006", "owner_id"] = None
    found = sample(*viewed(engine, tables))
    acts = tables["activities"][tables["activities"]["owner_id"] != "o1"]
    by_sales = set(acts[acts["at"] < datetime(2026, 6, 16)]["lead_id"])
    assert found.worked is not None and found.worked.dtype == bool
    assert found.worked.tolist() == [lead in by_sales for lead in found.subject_id]
    worked = dict(zip(found.subject_id, found.worked, strict=True))
    assert not (worked["L003"] or worked["L004"] or worked["L005"]) and worked["L006"]
    # Where nobody says who is of marketing, all actions are taken to be of sales.
    del tables["owners"]
    everybody = sample(*viewed(engine, tables))
    assert everybody.worked is not None and everybody.worked.sum() > found.worked.sum()
    del tables["activities"]
    assert sample(*viewed(engine, tables)).worked is None


def test_what_a_lead_replied_is_nothing_that_was_done_with_it(engine: ibis.BaseBackend) -> None:
    """Whoever it is logged under: nobody, sales or marketing."""
    tables = frames()
    created = tables["leads"].set_index("lead_id")["created_at"]
    acts = tables["activities"]
    first = acts[~acts["lead_id"].isin(created.index[::3])].reset_index(drop=True)
    tables["activities"] = first
    before = sample(*viewed(engine, tables, moment_days=5))
    replies = [(lead, "reply", owner, at + timedelta(days=2))
               for lead, at in created.items() for owner in (None, "o0", "o1")]  # fmt: skip
    more = pd.DataFrame(replies, columns=first.columns).astype(first.dtypes)
    tables["activities"] = pd.concat([first, more], ignore_index=True)
    after = sample(*viewed(engine, tables, moment_days=5))
    assert before.worked is not None and after.worked is not None
    assert 0 < (~before.worked).sum() < len(before)
    np.testing.assert_array_equal(after.worked, before.worked)
    pd.testing.assert_frame_equal(after.features, before.features)
    # The same rows as calls are seen.
    tables["activities"] = tables["activities"].assign(kind="call")
    called = sample(*viewed(engine, tables, moment_days=5))
    assert called.worked is not None and called.worked.all()
    assert not called.features.equals(before.features)


def test_new_leads_are_those_of_the_last_days_open_or_not(engine: ibis.BaseBackend) -> None:
    tables = frames(leads=200)
    created = tables["leads"].set_index("lead_id")["created_at"]
    as_of = created.iloc[150].date()
    gone = [("L147", "lead", "rejected", created["L147"] + timedelta(minutes=5), 1)]
    more = pd.DataFrame(gone, columns=tables["stage_events"].columns).astype(tables["stage_events"].dtypes)
    tables["stage_events"] = pd.concat([tables["stage_events"], more], ignore_index=True)
    looked, scoring = viewed(engine, tables, as_of)
    everybody = sample(looked, scoring)
    found = read(looked, scoring, everybody.roles, new_only=True)
    days = np.array([(as_of - created[lead].date()).days for lead in everybody.subject_id])
    assert found.subject_id.tolist() == everybody.subject_id[days <= 6].tolist()
    np.testing.assert_array_equal(found.status, everybody.status[days <= 6])
    assert 0 < (found.status > 0).sum() < len(found)
