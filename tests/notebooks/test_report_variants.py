"""What a parameter or a company's gaps change in a report, and input that is wrong or hostile."""

from __future__ import annotations

import csv
import io
import re
from base64 import b64decode
from collections.abc import Callable

import openpyxl
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from conftest import Suite
from small_projects import company_at, params_file, run_here
from smarketing.measures.headline import headline
from smarketing.report import pipeline
from smarketing.run.plans import PipelineReview
from smarketing.run.suite import RunResult

OWN = {"definitions": "params/definitions.yml", "targets": "params/targets.yml", "decisions": "params/decisions.yml"}
RunCase = Callable[..., RunResult]
SCRIPT, IMAGE, FORMULA = "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', '=HYPERLINK("x")'


@pytest.fixture
def run(demo: Suite, monkeypatch: pytest.MonkeyPatch) -> RunCase:
    """Run the pipeline review on a case of the demo project."""

    def of(case: str, **values: object) -> RunResult:
        params = params_file(demo.project, "20_pipeline_review", case, **values)
        return run_here(monkeypatch, params, demo.project / "variants")

    return of


@pytest.fixture(scope="module")
def frames(demo: Suite) -> dict[str, pd.DataFrame]:
    """The demo company's tables, of which a test may leave some out."""
    return {path.stem: pd.read_parquet(path) for path in (demo.project / "data" / "demo").glob("*.parquet")}


def words(result: RunResult) -> str:
    assert result.folder is not None, result.error
    page = BeautifulSoup((result.folder / "report.html").read_text(encoding="utf-8"), "html.parser")
    for element in page(["style", "svg"]):
        element.decompose()
    return " ".join(page.get_text(" ").split())


def summary(result: RunResult) -> str:
    assert result.folder is not None, result.error
    return (result.folder / "summary.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("scope", ["region", "source", "owner", "segment"])
def test_a_scope_changes_what_is_counted_and_is_named_under_the_title(
    scope: str, demo: Suite, frames: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo.project)
    leads = frames["leads"].merge(frames["accounts"], on="account_id", how="left", suffixes=("", "_account"))
    owners = frames["owners"].groupby("owner_id")["region"].max()
    region = leads["region"].fillna(leads["owner_id"].map(owners))
    value, kept = {
        "region": ("EMEA", region == "EMEA"),
        "source": ("Webinar", leads["source"] == "Webinar"),
        "owner": ("U005", leads["owner_id"] == "U005"),
        "segment": ("accounts.employees >= 200", leads["employees"] >= 200),
    }[scope]
    weeks = leads["created_at"].between("2026-10-05", "2026-11-15 23:59:59.999")
    plan = PipelineReview.read({"as_of": "2026-11-15", scope: value}, "here")
    view = plan.view()
    (flow, *_) = headline(view, plan.planned(view.company)).figures
    assert flow.name == "lead_flow"
    assert flow.n == flow.value == (kept & weeks).sum() > 0
    assert (kept & weeks).sum() < weeks.sum()
    # The plan is for the whole company, so a part of it has no target.
    assert flow.target is None
    named = dict(pipeline.title(view))["Scope"]
    if scope == "owner":
        assert re.fullmatch("owner Owner [0-9a-f]+", named)
    else:
        assert named == f"{scope} {value}"


def test_a_person_in_scope_or_breakdown_is_a_pseudonym_on_the_page(
    run: RunCase, frames: dict[str, pd.DataFrame]
) -> None:
    done = run("owner", owner="U005", breakdown="owner", as_of=None, targets=None, decisions=None)
    said = words(done)
    assert done.folder is not None and done.folder.name == "2026-11-15"
    assert re.search("Scope owner Owner [0-9a-f]+ Definitions", said)
    assert 'owner: "Owner ' in said
    # Neither the id nor anybody's name is anywhere in what is sent out.
    everybody = {*frames["owners"]["owner_id"], *frames["owners"]["name"], *frames["accounts"]["name"].dropna()}
    sent = " ".join(re.findall(r"[\w'.&-]+", (done.folder / "report.html").read_text(encoding="utf-8") + summary(done)))
    assert [name for name in everybody if f" {name} " in sent] == []
    # Without a plan nothing is ahead or behind, and without a log nothing was decided.
    assert "No target applies, so nothing here is ahead or behind." in summary(done)
    assert "Ahead of target" not in said and "Behind target" not in said
    assert "No meeting is on record by this day." in said


def test_redact_hides_account_names_too(run: RunCase, frames: dict[str, pd.DataFrame]) -> None:
    done = run("redacted", redact=True, breakdown="accounts.region", segment="accounts.employees >= 50")
    said = words(done)
    assert "segment accounts.employees >= 50" in said
    for region in ("EMEA", "APAC", "North America"):
        assert region in said
    assert done.folder is not None
    sent = (done.folder / "report.html").read_text(encoding="utf-8")
    names = set(frames["accounts"]["name"].dropna()) | set(frames["owners"]["name"])
    assert [name for name in names if name in sent] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"region": "Mars"},
            "The scope (region Mars) matches no lead and no deal. region 'Mars' does not occur. "
            "Allowed are APAC, EMEA, North America.",
        ),
        (
            {"source": "Webinars"},
            "The scope (source Webinars) matches no lead and no deal. source 'Webinars' does not occur. "
            "Did you mean 'Webinar'?",
        ),
        (
            {"as_of": "2019-01-01"},
            "The report is not fit to publish:\n- data check DR01 failed: Does anything enter the funnel in the "
            "reported days? no leads are on record by 2019-01-01. Choose an as-of day within the data, or widen the "
            "scope.",
        ),
        ({"breakdown": "colour"}, "There is no 'colour' to break down by. Did you mean 'country'?"),
    ],
    ids=["region", "source", "as_of", "breakdown"],
)
def test_a_parameter_that_matches_nothing_fails_with_the_remedy(
    values: dict[str, object], message: str, run: RunCase, demo: Suite
) -> None:
    failed = run("nothing", **values)
    assert (failed.folder, failed.error) == (None, message)
    kept = demo.project / "variants" / "20_pipeline_review" / "nothing" / "failed" / "error.txt"
    assert kept.read_text().startswith(message)


def test_a_company_without_deals_is_reported_as_far_as_it_goes(
    run: RunCase, demo: Suite, frames: dict[str, pd.DataFrame]
) -> None:
    inputs = company_at(demo.project, "leads_only", {name: frames[name] for name in ("leads", "stage_events")})
    done = run("leads_only", inputs=inputs, **OWN)
    said = words(done)
    for what in (
        "Deals won within 180 days",
        "Pipeline created",
        "Bookings (won amounts)",
        "Win rates",
        "Loss reasons",
    ):
        assert f"{what}: not applicable" in said
    assert "New leads" in summary(done) and "Pipeline created" not in summary(done)


def test_a_company_without_leads_is_reported_as_far_as_it_goes(
    run: RunCase, demo: Suite, frames: dict[str, pd.DataFrame]
) -> None:
    inputs = company_at(demo.project, "deals_only", {name: frames[name] for name in ("opportunities", "accounts")})
    done = run("deals_only", inputs=inputs, breakdown="product", **OWN)
    said = words(done)
    for what in ("New leads", "Leads that become SQL within 60 days"):
        assert f"{what}: not applicable" in said
    assert "opportunities are won within 180 days" in said
    assert "Pipeline created" in summary(done)


@pytest.fixture
def hostile(run: RunCase, demo: Suite, frames: dict[str, pd.DataFrame]) -> RunResult:
    """A company without an accounts table whose CRM was filled in by somebody who means harm."""
    leads, deals = frames["leads"].copy(), frames["opportunities"].copy()
    leads["source"] = leads["source"].replace({"Event": SCRIPT, "Webinar": IMAGE, "Partner": FORMULA})
    leads["campaign_id"] = FORMULA
    for column in ("loss_reason", "competitor", "product"):
        usual = sorted(deals[column].dropna().unique())
        deals[column] = deals[column].replace(dict(zip(usual, (SCRIPT, IMAGE, FORMULA), strict=False)))
    tables = {"leads": leads, "opportunities": deals, "stage_events": frames["stage_events"]}
    return run("hostile", inputs=company_at(demo.project, "hostile", tables), **OWN)


def test_hostile_words_are_text_on_the_page_and_in_every_file(hostile: RunResult) -> None:
    said = words(hostile)
    assert hostile.folder is not None
    html = (hostile.folder / "report.html").read_text(encoding="utf-8")
    page = BeautifulSoup(html, "html.parser")
    assert page(["script", "img", "iframe"]) == []
    assert page.select("[onerror]") == []
    for harm in (SCRIPT, IMAGE, FORMULA):
        assert harm in said
        assert any(harm in drawn.get_text() for drawn in page.select("figure svg text"))
    cells: list[str] = []
    for link in page.select("a[download]"):
        content = b64decode(str(link["href"]).partition("base64,")[2]).decode("utf-8-sig")
        cells += [cell for row in csv.reader(io.StringIO(content)) for cell in row]
    book = openpyxl.load_workbook(hostile.folder / "tables.xlsx")
    sheets = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [cell.coordinate for cell in sheets if cell.data_type == "f"] == []
    cells += [cell.value for cell in sheets if isinstance(cell.value, str)]
    assert f"'{FORMULA}" in cells
    assert [
        cell for cell in cells if cell.startswith(("=", "@", "\t")) or re.match(r"[+-](?![\d.]+(e-?\d+)?$)", cell)
    ] == []
