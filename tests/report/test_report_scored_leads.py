"""The blocks of scored leads, of the audit and of steadiness, as companies with and without dates see them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scoring_worlds import definitions, scoring_of
from smarketing.measures.scoring.audit.leakage_signs import Flag
from smarketing.measures.scoring.worth.views import Stability
from smarketing.report import agreements, scoring, scoring_findings, scoring_leakage, scoring_wording
from smarketing.report.scored_leads import scored_leads
from smarketing.report.scoring_agreed import agreed_on_score

FLAT: dict[str, Any] = {
    "to_stage": None, "within_days": None, "outcome": "converted", "weekly_capacity": None, "capacity_share": 0.2,
}  # fmt: skip


def scored(n: int) -> pd.DataFrame:
    return pd.DataFrame({
        "lead_id": [f"L{one}" for one in range(n)], "probability": np.linspace(0.9, 0.1, n), "band": "A",
        "qualified": True, "explore": False, "reasons_for": "visits", "reasons_against": "",
    })  # fmt: skip


@pytest.mark.parametrize(
    ("dated", "files", "said"),
    [
        (True, ("model/",), "No new lead is open. Files beside this report: model/."),
        (False, ("score.sql", "model/"), "Every lead of the export has its outcome, so none is new. Files beside this "
         "report: score.sql and model/."),
        (True, (), "No new lead is open."),
    ],
)  # fmt: skip
def test_without_a_lead_to_score_the_files_are_named_all_the_same(
    dated: bool, files: tuple[str, ...], said: str
) -> None:
    (block,) = scored_leads(scored(1).head(0), files, dated=dated)
    assert block.text == f"No lead is waiting for a score. {said}"


@pytest.mark.parametrize(("capacity", "told"), [(None, False), (5, False), (4, True)])
def test_a_list_beyond_what_sales_can_work_says_so(capacity: int | None, told: bool) -> None:
    by_band = scored_leads(scored(5), ("scored_leads.csv",), dated=True, capacity=capacity)[0]
    more = "The list has 5 leads and sales can work 4 a week: it is in the order of the score, so work it from the top."
    assert (more in by_band.html) == told
    assert "New: scored in the last 7 days and still open." in by_band.html
    assert "New: without an outcome yet." in scored_leads(scored(5), ("x.csv",), dated=False)[0].html


def flag(code: str, feature: str | None, severity: str) -> Flag:
    return Flag(
        code=code, feature=feature, label=feature or "2 columns", title="t", evidence="e", remedy="r", fakes=None,  # type: ignore[arg-type]
        severity=severity,  # type: ignore[arg-type]
    )  # fmt: skip


def test_the_audit_says_of_each_column_whether_it_was_kept_and_what_its_codes_are() -> None:
    flags = (flag("LK02", "tags", "exclude"), flag("LK03", "notes", "warn"), flag("LK06", None, "warn"))
    audit = SimpleNamespace(flags=flags, powers=pd.DataFrame(columns=["feature", "auc"]), reason=None)
    study: Any = SimpleNamespace(audit=audit, left_out=pd.DataFrame({"feature": ["tags"]}), used=(), choice=None)
    (shown,) = scoring_leakage.what_was_left_out(study, pd.DataFrame())
    used = shown.tables[0].columns.index("Used")
    assert [row[used] for row in shown.tables[0].rows] == ["no, left out", "yes, kept", "yes, unless flagged itself"]
    assert (
        "LK02: alone too strong to be known in time; LK03: filled in for one outcome only; LK06: declared neither "
        "before nor after first contact."
    ) in shown.html


def test_every_term_of_art_of_the_score_is_in_the_glossary() -> None:
    terms = dict(scoring_findings.GLOSSARY)
    for term in ("Calibration slope", "Log-odds", "Out of fold", "Qini", "LK01 to LK06"):
        assert len(terms[term]) > 30
    assert list(scoring_leakage.CODES) == [f"LK0{one}" for one in range(1, 7)]


def test_without_dates_there_is_no_time_to_hold_over() -> None:
    nothing = Stability(pd.DataFrame(columns=["by", "group"]), "")
    judged: dict[str, Any] = {"leads": object(), "model": object(), "unusable": ""}
    flat: Any = SimpleNamespace(**judged, forward=False)
    assert scoring.does_it_hold(flat, nothing)[0].text == (
        "Whether the score holds: not applicable. The export has no dates, so there is no later time for it to hold "
        "in, and no region or source parts its leads."
    )
    refused: Any = SimpleNamespace(leads=None, model=None, unusable="only 9 leads", forward=True)
    assert scoring.does_it_hold(refused, nothing)[0].text.endswith("not applicable. Only 9 leads.")


def test_what_is_in_force_on_the_score_is_printed_with_how_firm_it_is() -> None:
    said = scoring_of(exploration_share=0.05, without=("size",), words={"size": "company size"})
    rows = agreed_on_score(said, definitions())
    assert rows == [
        ("A good lead", "reaches SQL within 60 days"),
        ("Scored", "at its creation"),
        ("Sales can work", "20 leads a week"),
        ("Working a lead costs", "$10"),
        ("A lead that gets there is worth", "$100"),
        ("Threshold of qualified leads", "25.0%"),
        ("Bands", "A from 40.0% and B from 20.0%, C below"),
        ("Smallest lift of a score in use", "1.20"),
        ("Worked below the threshold, drawn at random", "5.0%"),
        ("Compared with", "the score of crm"),
        ("Never used", "company size"),
    ]
    flat = dict(agreed_on_score(scoring_of(**FLAT, value_of_stage=None, moment_days=0), definitions()))
    assert flat["Sales can work"] == "20.0% of all leads" and "Scored" not in flat
    assert flat["A lead that gets there is worth"] == "not stated, so nothing is said of money"
    later = dict(agreed_on_score(scoring_of(moment_days=3, value_of_stage=None, margin=0.7), definitions()))
    assert later["Scored"] == "3 days after its creation"
    assert later["A lead that gets there is worth"].endswith("x a margin of 70.0%")
    firm = scoring_of(state="proposed", sales_owner="VP Sales")
    agreed = definitions().model_copy(update={"scoring": firm})
    assert ("Sales can work", "20 leads a week") not in [
        row[:2] for row in agreements.definitions(agreed).tables[0].rows
    ]
    shown = agreements.definitions(agreed, score=True).tables[0].rows
    (first,) = [row for row in shown if row[0] == "A good lead"]
    assert first[2:] == ("proposed, not agreed", "sales: VP Sales")


@pytest.mark.parametrize(
    ("used", "said"), [(2, ""), (3, " 1 more feature is used that could not be asked alone."), (4, " 2 more features")]
)
def test_columns_asked_and_features_used_are_told_apart(used: int, said: str) -> None:
    names = ["a", "b", "c", "d"]
    powers = pd.DataFrame({"feature": names, "label": names, "auc": [0.7, 0.6, np.nan, np.nan], "auc_lower": 0.55,
                           "auc_upper": 0.75})  # fmt: skip
    audit = SimpleNamespace(flags=(), powers=powers, reason=None)
    features = tuple(SimpleNamespace(name=name) for name in names[:used])
    study: Any = SimpleNamespace(audit=audit, left_out=pd.DataFrame({"feature": []}), used=features, choice=None)
    kept = scoring_leakage.what_was_left_out(study, pd.DataFrame())[-1].text
    assert "Of 2 columns, a separates" in kept and "AUC 0.70 (0.55 to 0.75); 0.50 is not at all." in kept
    assert kept.endswith("not at all.") if not said else said in kept


def test_what_rounds_to_zero_has_no_sign() -> None:
    assert scoring_wording.with_interval(-0.001, -0.02, 0.004) == "0.00 (−0.02 to 0.00)"
    assert scoring_wording.with_interval(0.5, 0.4, float("inf"), "share") == "50.0% (40.0% to open)"
