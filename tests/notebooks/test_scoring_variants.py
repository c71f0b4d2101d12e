"""Scores of other companies: flat exports, hostile words, columns that are gone, failures, and a model that aged."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup

from scoring_worlds import dated_leads, flat_leads
from small_projects import company_at, params_file, project_at, run_here
from smarketing.run import scores
from smarketing.run.suite import RunResult

SCRIPT, FORMULA = "<script>alert(1)</script>", '=HYPERLINK("x")'
Run = Callable[..., RunResult]


@pytest.fixture(scope="module")
def patch() -> Any:
    with pytest.MonkeyPatch.context() as found:
        yield found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project_at(tmp_path_factory.mktemp("variants") / "project")


@pytest.fixture(scope="module")
def run(project: Path, patch: pytest.MonkeyPatch) -> Run:
    def of(notebook: str, case: str, **values: object) -> RunResult:
        own = {"inputs": f"params/inputs/{case}.yml", "decisions": None} | values
        return run_here(patch, params_file(project, notebook, case, **own), project / "reports")

    return of


def definitions_at(project: Path, name: str, **scoring: object) -> str:
    """Write the words of a company of which a lead is good or not."""
    content = yaml.safe_load((project / "params" / "definitions_xeducation.yml").read_text())
    content["stages"] |= {"funnel": [
        {"stage": "lead", "label": "Lead", "plural": "Leads", "team": "marketing", "enters_when": "it comes"},
        {"stage": "sql", "label": "SQL", "plural": "SQLs", "team": "sales", "enters_when": "it is worked"},
        {"stage": "won", "label": "Won", "plural": "Won", "team": "sales", "enters_when": "it buys"},
    ], "exits": [{"stage": "rejected", "label": "Rejected", "means": "it is not worked"}]}  # fmt: skip
    content["scoring"] |= {"words": {}, "threshold": 0.3} | scoring
    content["scoring"] = {name: value for name, value in content["scoring"].items() if value is not None}
    content["money"]["reporting_currency"] = "USD"
    path = project / "params" / f"definitions_{name}.yml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return f"params/{path.name}"


def flat_company(project: Path, name: str, leads: pd.DataFrame) -> None:
    """Map a flat export whose columns are all known before first contact, but for the outcome."""
    company_at(project, name, {"leads": leads[["lead_id", "source"]]})
    path = project / "params" / "inputs" / f"{name}.yml"
    leads.to_csv(project / "data" / name / "leads.csv", index=False)
    content = yaml.safe_load(path.read_text())
    attributes = [column for column in leads.columns if column not in ("lead_id", "source")]
    content["tables"]["leads"] |= {
        "undated": True,
        "attributes": {column: column for column in attributes if column != "converted"}
        | {"converted": {"column": "converted", "type": "boolean"}},
        "known": {"before": ["source", *(column for column in attributes if column != "converted")]},
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def flat_frame(*, told: bool = True) -> pd.DataFrame:
    """Leads of whom one in ten has no outcome yet; their words are those of somebody who means harm."""
    sample = flat_leads(1_500).sample
    frame = sample.features.drop(columns="noise").assign(lead_id=sample.subject_id, converted=sample.status == 1)
    rng = np.random.default_rng(3)
    if not told:
        frame["converted"] = rng.random(len(frame)) < 0.3
    frame["converted"] = frame["converted"].map({True: "true", False: "false"}).astype(object)
    frame.loc[rng.random(len(frame)) < 0.1, "converted"] = None
    frame["source"] = frame["source"].replace({"partner": SCRIPT, "event": FORMULA})
    frame["lead_id"] = [f"={one}" for one in frame["lead_id"]]
    return frame


@pytest.fixture(scope="module")
def flat(project: Path, run: Run) -> RunResult:
    flat_company(project, "flat", flat_frame())
    return run("40_lead_scoring", "flat", definitions=definitions_at(project, "flat"), as_of="2026-11-15", draws=40)


def words(folder: Path | None) -> str:
    assert folder is not None
    page = BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")
    for element in page(["style", "svg"]):
        element.decompose()
    return " ".join(page.get_text(" ").split())


def cells(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [cell for row in csv.reader(file) for cell in row]


def test_a_flat_export_is_scored_out_of_fold_and_hostile_words_stay_words(flat: RunResult) -> None:
    assert flat.folder is not None, flat.error
    said = words(flat.folder)
    assert "A good lead is marked “converted”" in said
    assert "Out of fold, with forward validity unknown, the score puts" in said
    page = BeautifulSoup((flat.folder / "report.html").read_text(encoding="utf-8"), "html.parser")
    assert page(["script", "img", "iframe"]) == []
    assert SCRIPT in said and "=L0" in said
    # There are no weeks and no days in it, and nobody agreed on its threshold.
    assert "week by week, as sales works" not in said and "New: without an outcome yet." in said
    assert "assumed threshold" in said and "agreed threshold" not in said.lower()
    assert "Sales can work 20.0% of all leads" in said
    listed = cells(flat.folder / "scored_leads.csv")
    assert len([cell for cell in listed if cell.startswith("'=L")]) > 100
    for name in ("scored_leads.csv", "scorecard.csv"):
        if (flat.folder / name).exists():
            assert [cell for cell in cells(flat.folder / name) if re.match(r"[=@\t]|[+-](?![\d.]+$)", cell)] == []


def test_a_run_that_fails_after_the_model_is_written_leaves_none(
    project: Path, run: Run, flat: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "params" / "broken.yml").write_text("meetings: 7\n")
    written: list[str] = []
    write_score = scores.write_score

    def watched(given: Any, folder: Path, headers: Any) -> tuple[str, ...]:
        names = write_score(given, folder, headers)
        written.extend(path.name for path in folder.iterdir())
        return names

    monkeypatch.setattr(scores, "write_score", watched)
    failed = run(
        "40_lead_scoring", "broken", inputs="params/inputs/flat.yml", decisions="params/broken.yml",
        definitions="params/definitions_flat.yml", as_of="2026-11-15", draws=40,
    )  # fmt: skip
    home = project / "reports" / "40_lead_scoring" / "broken"
    assert failed.folder is None and "broken.yml" in failed.error
    assert {"model", "scored_leads.csv", "scores.parquet", "score.sql"} <= set(written)
    assert [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()] == ["failed/error.txt"]


def test_without_a_usable_score_nothing_is_exported_and_the_page_says_so(project: Path, run: Run) -> None:
    flat_company(project, "noise", flat_frame(told=False))
    done = run("40_lead_scoring", "noise", definitions=definitions_at(project, "noise"), as_of="2026-11-15", draws=40)
    assert done.folder is not None, done.error
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "figures.json", "report.html", "run.ipynb", "summary.txt", "tables.xlsx",
    ]  # fmt: skip
    said = words(done.folder)
    assert "No score is given out:" in said and "There is no usable score." in said
    assert "Nothing is exported." in said and "Scored leads: not applicable." in said
    # Nothing talks as if a score were given.
    assert "is given out." not in said.replace("No score is given out", "") and "scorecard.csv" not in said
    assert "95% interval −" in said or "95% interval 0" in said or "95% interval 1" in said
    again = run("45_score_leads", "noise", definitions="params/definitions_noise.yml", as_of="2026-11-15")
    assert again.error == (
        "There is no saved model of case 'noise' by 2026-11-15 in reports. Run 40_lead_scoring for the case first "
        "(where no score is usable it saves none), or name a folder as `model`."
    )


def scored_again(project: Path, run: Run, flat: RunResult, name: str, frame: pd.DataFrame) -> RunResult:
    assert flat.folder is not None, flat.error
    flat_company(project, name, frame)
    model = str((flat.folder / "model").relative_to(project))
    return run("45_score_leads", name, definitions="params/definitions_flat.yml", as_of="2026-11-15", model=model)


def test_a_saved_model_refuses_leads_without_its_columns(project: Path, run: Run, flat: RunResult) -> None:
    failed = scored_again(project, run, flat, "gone", flat_frame().drop(columns="visits"))
    assert failed.folder is None
    assert failed.error == (
        "The score uses 'visits', and leads have no `visits` any more. Map it in the input file, or fit the score anew "
        "without it."
    )


def test_a_saved_model_refuses_values_that_it_never_met(project: Path, run: Run, flat: RunResult) -> None:
    frame = flat_frame()
    frame["source"] = np.where(np.arange(len(frame)) % 10 < 9, "Mars", frame["source"])
    failed = scored_again(project, run, flat, "strange", frame)
    assert failed.folder is None
    assert failed.error == (
        "The leads no longer fit the saved model. source: 90% of its values were never met in training, such as "
        "'Mars'. Map the values in the input file as they were, or run 40_lead_scoring again."
    )


def dated_company(project: Path, name: str, *, drift: float) -> None:
    """Leads with days, whose log-odds move by ``drift`` in the last 240 days."""
    sample = dated_leads(4_000, drift=drift, strength=1.6)[0].sample
    at = pd.to_datetime(sample.at)
    leads = sample.features.drop(columns="noise").assign(
        lead_id=sample.subject_id, account_id=[f"A{one}" for one in sample.cluster], created_at=at
    )
    over = sample.status > 0
    events = pd.DataFrame({
        "subject_id": sample.subject_id[over], "subject_kind": "lead",
        "stage": np.where(sample.status[over] == 1, "sql", "rejected"),
        "at": (at + pd.to_timedelta(sample.age, unit="D") + pd.Timedelta(minutes=1))[over],
    })  # fmt: skip
    columns = ["lead_id", "account_id", "created_at", "source"]
    company_at(project, name, {"leads": leads[columns], "stage_events": events})
    leads.to_csv(project / "data" / name / "leads.csv", index=False)
    path = project / "params" / "inputs" / f"{name}.yml"
    content = yaml.safe_load(path.read_text())
    content["tables"]["leads"] |= {
        "attributes": {column: column for column in ("size", "visits", "shade")},
        "known": {"before": ["source", "size", "visits", "shade"]},
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture(scope="module")
def aged(project: Path, run: Run) -> dict[str, RunResult]:
    """The same model, half a year later, where nothing changed and where fewer leads get there."""
    agreed = definitions_at(
        project, "dated", outcome=None, to_stage="sql", within_days=60, capacity_share=None, weekly_capacity=12
    )
    found = {}
    for name, drift in (("steady", 0.0), ("fewer", -0.5)):
        dated_company(project, name, drift=drift)
    study = run("40_lead_scoring", "steady", definitions=agreed, as_of="2025-10-31", draws=40)
    assert study.folder is not None, study.error
    model = str((study.folder / "model").relative_to(project))
    for name in ("steady", "fewer"):
        found[name] = run("45_score_leads", name, definitions=agreed, as_of="2026-06-30", model=model)
        assert found[name].folder is not None, found[name].error
    return found


def test_a_model_says_whether_it_holds_or_promised_too_much(aged: dict[str, RunResult]) -> None:
    steady, fewer = words(aged["steady"].folder), words(aged["fewer"].folder)
    assert "The model holds" in steady and "its probabilities are off: of" not in steady
    assert "Probabilities since are not clearly off" in steady
    assert "The model has aged: its probabilities are off" in fewer and "clearly fewer got there than it" in fewer
    assert re.search(r"Probabilities have been too high since, by \d\.\d\d in log-odds", fewer)


def test_what_was_given_out_on_earlier_days_is_looked_back_on(aged: dict[str, RunResult]) -> None:
    """The study of October gave scores to the leads of its last week; only the report of the same case sees them."""
    steady, fewer = (result.folder for result in (aged["steady"], aged["fewer"]))
    assert steady is not None and fewer is not None
    earlier = steady.parents[2] / "40_lead_scoring" / "steady" / "2025-10-31" / "scores.parquet"
    rows = pd.read_parquet(earlier)
    assert f"{len(rows)} leads of 25 Oct 2025 to 31 Oct 2025, by the first score that each was given" in words(steady)
    assert "40_lead_scoring/steady/2025-10-31/scores.parquet" in words(steady)
    assert "Nothing to look back on yet. No lead that a score was given out for" in words(fewer)
    assert "scores.parquet" not in words(fewer).split("Provenance")[-1]


def test_probabilities_are_shifted_by_what_has_come_since_and_only_then(aged: dict[str, RunResult]) -> None:
    odds = {}
    for name, result in aged.items():
        assert result.folder is not None
        rows = pd.read_parquet(result.folder / "scores.parquet").set_index("subject_id")["score"]
        odds[name] = np.log(rows / (1 - rows))
    shift = (odds["fewer"] - odds["steady"]).dropna()
    assert len(shift) > 30
    said = re.search(r"too high since, by (\d\.\d\d) in log-odds", words(aged["fewer"].folder))
    assert said is not None
    assert shift.to_numpy() == pytest.approx(-float(said[1]), abs=0.0051)
