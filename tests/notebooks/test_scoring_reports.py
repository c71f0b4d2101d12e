"""The reports of the lead score: complete, the same every time, and what they give out agrees with what they say."""

from __future__ import annotations

import csv
import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup

from conftest import DAY, Suite
from small_projects import run_here
from smarketing.measures.results import KeyFigure
from smarketing.measures.scoring.giving.deploy import explored
from smarketing.measures.scoring.leads.features import feature_table
from smarketing.measures.scoring.models.saving import load_model
from smarketing.measures.scoring.worth.threshold import band_of
from smarketing.report import formats
from smarketing.run.ledger import Ledger, Recorded
from smarketing.run.plans import ScoreLeads

NOTEBOOKS = ("40_lead_scoring", "45_score_leads")
PAGE = ("figures.json", "report.html", "run.ipynb", "summary.txt", "tables.xlsx")
GIVEN = ("score.sql", "scorecard.csv", "scored_leads.csv", "scores.parquet")
MODEL = ("card.json", "model.skops", "model_card.md")


def words(folder: Path) -> str:
    page = BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")
    for element in page(["style", "svg"]):
        element.decompose()
    return " ".join(page.get_text(" ").split())


def listed(folder: Path) -> pd.DataFrame:
    """The list of scored leads, as text."""
    return pd.read_csv(folder / "scored_leads.csv", dtype=str, keep_default_na=False)


def recorded(folder: Path) -> Recorded:
    return Recorded.from_json((folder / "figures.json").read_text(encoding="utf-8"))


def test_both_are_published_with_what_they_give_out(scored: Suite) -> None:
    first, again = (scored.report(name) for name in NOTEBOOKS)
    assert sorted(path.name for path in first.iterdir()) == sorted([*PAGE, *GIVEN, "model"])
    assert sorted(path.name for path in (first / "model").iterdir()) == sorted(MODEL)
    # A weekly run scores by the model of the study and gives out no other.
    assert sorted(path.name for path in again.iterdir()) == sorted([*PAGE, *GIVEN])
    for name in GIVEN:
        assert name in words(first) and name in words(again)
    assert "model/" in words(first) and "model/ " not in words(again)


def test_a_second_run_gives_the_same_bytes(scored: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = scored.project / "again"
    for notebook in NOTEBOOKS:
        result = run_here(monkeypatch, scored.project / "params" / notebook / "demo.yml", elsewhere)
        assert result.error == ""
        names = [name for name in (*PAGE, *GIVEN) if name != "run.ipynb"]
        names += [f"model/{name}" for name in MODEL] if notebook == NOTEBOOKS[0] else []
        for name in names:
            was, now = scored.report(notebook) / name, elsewhere / notebook / "demo" / DAY / name
            assert now.read_bytes() == was.read_bytes(), f"{notebook} {name}"


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_recorded_number_stands_in_the_page(scored: Suite, notebook: str) -> None:
    said, found = words(scored.report(notebook)), recorded(scored.report(notebook))
    assert len(found.figures) >= 4
    for figure in found.figures:
        assert numbers_of(figure)
        for number in numbers_of(figure):
            assert number in said, (figure.name, number)
    for finding in found.findings:
        assert finding.claim in said and finding.detail in said
    assert found.headline in said


def numbers_of(figure: KeyFigure) -> list[str]:
    if figure.value is None:
        return [figure.reason[1:]]
    found = [formats.value_of(figure.value, figure.unit, figure.currency), formats.count(figure.n)]
    if figure.name == "score_gain":  # a difference, and in a finding
        found[0] = formats.difference(figure.value, figure.unit, figure.currency)
    elif figure.lower is not None:
        found.append(formats.interval(figure.lower, figure.upper, figure.unit, figure.currency))
    return found


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_list_and_the_table_of_scores_agree_with_the_definitions(scored: Suite, notebook: str) -> None:
    folder = scored.report(notebook)
    leads, rows = listed(folder), pd.read_parquet(folder / "scores.parquet")
    agreed = yaml.safe_load((scored.project / "params" / "definitions.yml").read_text())["scoring"]
    assert len(rows) > len(leads) > 30
    assert set(rows["system"]) == {"smarketing"} and set(rows["at"].dt.date) == {date.fromisoformat(DAY)}
    assert set(rows["promise"]) == {"reaches Opportunity within 90 days, scored 0 days after creation"}
    assert set(rows["explore_share"]) == {agreed["exploration_share"]}
    # The table has the leads too that have left since their moment.
    rows = rows[rows["subject_id"].isin(leads["Lead ID"])]
    assert leads["Lead ID"].tolist() == rows["subject_id"].tolist()
    assert leads["Lead Score Probability"].tolist() == [f"{p:.6f}" for p in rows["score"]]
    assert leads["Lead Score Band"].tolist() == rows["band"].tolist()
    probability = rows["score"].to_numpy()
    assert (np.diff(probability) <= 0).all()
    assert rows["band"].tolist() == band_of(probability, agreed["bands"]).tolist()
    assert leads["Lead Score"].tolist() == [str(int(p * 100 + 1e-9)) for p in probability]
    assert leads["Lead Score Qualified"].tolist() == [str(p >= agreed["threshold"]).lower() for p in probability]
    drawn = explored(rows["subject_id"], agreed["exploration_share"], salt="smarketing") & (
        probability < agreed["threshold"]
    )
    assert leads["Lead Score Exploration"].tolist() == [str(one).lower() for one in drawn]
    assert (rows["qualified"] == (probability >= agreed["threshold"])).all() and (rows["explore"] == drawn).all()
    assert f"{formats.count(len(leads))} new leads scored" in words(folder)


def test_the_weekly_run_gives_the_same_scores_where_nothing_is_known_since(scored: Suite) -> None:
    first, again = (scored.report(name) for name in NOTEBOOKS)
    assert (first / "scored_leads.csv").read_bytes() == (again / "scored_leads.csv").read_bytes()
    assert "Whether the model has aged cannot be told yet: the model was judged on the newest leads" in words(again)


def test_the_query_gives_the_probabilities_of_the_list(scored: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scored.project)
    plan = ScoreLeads(as_of=date.fromisoformat(DAY))
    view = plan.view()
    folder = scored.report(NOTEBOOKS[0])
    roles = load_model(folder / "model").model.roles
    backend = view.company.backend
    backend.create_table("lead_features", feature_table(view, plan.scoring(), roles).to_pyarrow())
    asked = backend.raw_sql((folder / "score.sql").read_text(encoding="utf-8")).fetchdf()  # type: ignore[attr-defined]
    leads = listed(folder).set_index("Lead ID")["Lead Score Probability"].astype(float)
    theirs = asked.set_index("subject_id")["probability"].reindex(leads.index)
    assert theirs.notna().all()
    # Six decimals stand in the list.
    assert np.abs(theirs - leads).max() <= 1e-6


def test_the_alignment_report_asks_whether_the_score_can_be_trusted(scored: Suite) -> None:
    sections = Ledger(scored.reports).read("demo", date.fromisoformat(DAY))
    names = [section.notebook for section in sections]
    assert names == ["20_pipeline_review", *NOTEBOOKS, "65_experiment_readout", "90_alignment_report"]
    said = words(scored.report("90_alignment_report"))
    (lift,) = [figure for figure in sections[1].figures if figure.name == "score_lift"]
    assert "Can the lead score be trusted?" in said and formats.number(lift.value) in said
    assert sections[1].headline.split(",")[0] in said or sections[1].findings[0].claim in said


def test_a_card_says_what_the_model_is_and_where_it_ends(scored: Suite) -> None:
    folder = scored.report(NOTEBOOKS[0]) / "model"
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))["card"]
    assert card["label"] == "reaches Opportunity within 90 days" and card["definitions_version"] == "3"
    page = (folder / "model_card.md").read_text(encoding="utf-8")
    for sentence in card["limits"]:
        assert sentence in page
    # What the audit left out is no feature of the model.
    assert "call_outcome" not in {feature["name"] for feature in card["features"]}
    assert "Left out: call outcome, which alone would fake an AUC of" in words(scored.report(NOTEBOOKS[0]))


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_no_file_names_this_machine_or_is_run_by_a_spreadsheet(scored: Suite, notebook: str) -> None:
    folder = scored.report(notebook)
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".html", ".txt", ".json", ".csv", ".sql", ".md"):
            content = path.read_text(encoding="utf-8")
            assert str(scored.project) not in content and "/tmp/" not in content, path
    for name in ("scored_leads.csv", "scorecard.csv"):
        with (folder / name).open(encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert [cell for cell in cells if cell.startswith(("=", "@", "\t"))] == []
        assert [cell for cell in cells if re.match(r"[+-](?![\d.]+$)", cell)] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_titles_open_with_a_capital_and_nothing_is_left_unsaid(scored: Suite, notebook: str) -> None:
    page = BeautifulSoup((scored.report(notebook) / "report.html").read_text(encoding="utf-8"), "html.parser")
    titles = [title.get_text() for title in page.select("h2, h3, .bluf strong")]
    heads = [cell.get_text() for cell in page.select(".tbl th") if not re.fullmatch(r"L\d+", cell.get_text())]
    assert len(titles) > 15 and len(heads) > 20
    assert [text for text in [*titles, *heads] if not text[:1].isupper() and not text[:1].isdigit()] == []
    said = words(scored.report(notebook))
    assert re.findall(r"\b1 (?:leads|columns|features|bands|groups|new leads|places)\b", said) == []
    assert re.findall(r"\d\.\d{4,}", said.split("Data checks")[0].split("Which kind of model")[0]) == []
