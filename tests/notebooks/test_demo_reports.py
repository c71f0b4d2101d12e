"""The two reports of the demo company: complete, the same every time, and the same numbers everywhere."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import openpyxl
import papermill
import pytest
import yaml
from bs4 import BeautifulSoup, Tag

from conftest import DAY, Suite
from small_projects import run_here
from smarketing.measures.results import KeyFigure
from smarketing.report import formats
from smarketing.report.blocks.brief import STATUS_WORDS
from smarketing.report.exporter import export
from smarketing.report.layout import blocks_of
from smarketing.run.ledger import Ledger, Recorded
from smarketing.run.suite import read_runs, run_all

SAME = ("report.html", "summary.txt", "figures.json", "tables.xlsx")
NOTEBOOKS = ("20_pipeline_review", "90_alignment_report")
NUMBER = re.compile(r"[−+]?\$?(?<![A-Za-z\d])\d(?:[\d,]*\d)?(?:\.\d+)?[%KMBT]?")


def soup(path: Path) -> BeautifulSoup:
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    for style in page(["style"]):
        style.decompose()
    return page


def text(element: Tag) -> str:
    return " ".join(element.get_text(" ").split())


@pytest.fixture(scope="module")
def recorded(demo: Suite) -> Recorded:
    """What the ledger holds of the pipeline review."""
    return Ledger(demo.reports).read("demo", date.fromisoformat(DAY))[0]


@pytest.fixture(scope="module")
def page(demo: Suite) -> BeautifulSoup:
    """The alignment report."""
    return soup(demo.report("90_alignment_report") / "report.html")


def test_every_file_is_published_and_the_index_lists_both(demo: Suite) -> None:
    for notebook in NOTEBOOKS:
        files = sorted(path.name for path in demo.report(notebook).iterdir())
        assert files == ["figures.json", "report.html", "run.ipynb", "summary.txt", "tables.xlsx"]
        nbformat.validate(nbformat.read(demo.report(notebook) / "run.ipynb", as_version=4))
    index = soup(demo.reports / "index.html")
    links = [str(link["href"]) for link in index.select("main a[href$='report.html']")]
    assert [(demo.reports / link).is_file() for link in links] == [True] * len(links)
    assert {link.split("/")[0] for link in links} == set(NOTEBOOKS)


def test_two_runs_give_the_same_bytes(demo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    was = {(n, name): (demo.report(n) / name).read_bytes() for n in NOTEBOOKS for name in SAME}
    index = (demo.reports / "index.html").read_bytes()
    # Other processes, another reports folder.
    monkeypatch.chdir(demo.project)
    again = demo.project / "again"
    results = run_all(read_runs([demo.project / "params/suite.yml"]), reports=again, say=lambda _: None)
    assert [result.error for result in results] == ["", ""]
    # This process, the same folder, in place of what is there.
    for notebook in NOTEBOOKS:
        replaced = run_here(monkeypatch, demo.project / "params" / notebook / "demo.yml", demo.reports)
        assert replaced.error == ""
    for (notebook, name), content in was.items():
        assert (again / notebook / "demo" / DAY / name).read_bytes() == content, f"{notebook} {name}, another folder"
        assert (demo.report(notebook) / name).read_bytes() == content, f"{notebook} {name}, the same folder"
    assert (again / "index.html").read_bytes() == index


def test_a_params_file_serves_plain_papermill_too(demo: Suite, tmp_path: Path) -> None:
    values = yaml.safe_load((demo.project / "params/20_pipeline_review/demo.yml").read_text())
    executed = papermill.execute_notebook(
        demo.project / "notebooks/20_pipeline_review.ipynb",
        tmp_path / "out.ipynb",
        parameters=values,
        cwd=str(demo.project / "notebooks"),
        progress_bar=False,
    )
    html = export(executed, kicker="Fernhollow Software (demo)").html
    assert html == (demo.report("20_pipeline_review") / "report.html").read_text(encoding="utf-8")


def test_notebook_file_and_ledger_hold_the_same_figures(demo: Suite, recorded: Recorded) -> None:
    one, composed = Ledger(demo.reports).read("demo", date.fromisoformat(DAY))
    assert len(one.figures) >= 10
    for record, notebook in ((one, NOTEBOOKS[0]), (composed, NOTEBOOKS[1])):
        assert record == Recorded.from_json((demo.report(notebook) / "figures.json").read_text(encoding="utf-8"))
        shown = nbformat.read(demo.report(notebook) / "run.ipynb", as_version=4)
        payloads = [block.payload for cell in shown.cells for block in blocks_of(cell) if block.kind == "record"]
        (payload,) = payloads
        assert tuple(KeyFigure.from_dict(figure) for figure in payload["figures"]) == record.figures
    # The alignment report computes nothing: its figures are the other's, to the last digit.
    assert composed.figures == one.figures
    assert [f.claim for f in composed.findings] == [f.claim for f in one.findings]
    assert composed.checks == one.checks


def full(figure: KeyFigure, value: float | None) -> str:
    return formats.value_of(value, figure.unit, figure.currency, full=True)


def test_the_table_of_every_number_is_the_ledger(demo: Suite, page: BeautifulSoup, recorded: Recorded) -> None:
    table = page.select_one("#tab-figures-20-pipeline-review")
    assert table is not None
    names = ("Figure", "Value", "From", "To", "Unit", "n", "Of", "Target", "Status", "Period")
    rows = [[text(cell) for cell in row.select("th, td")] for row in table.select("tr")]
    assert tuple(rows[0]) == names
    link = table.select_one(".dl a")
    assert link is not None
    content = base64.b64decode(str(link["href"]).partition("base64,")[2]).decode("utf-8-sig")
    downloaded = list(csv.DictReader(io.StringIO(content)))
    book = openpyxl.load_workbook(demo.report("90_alignment_report") / "tables.xlsx")
    name = next(name for name in book.sheetnames if name.startswith("tab-figures"))
    sheet = [list(row) for row in book[name].iter_rows(values_only=True)]
    assert len(rows) - 1 == len(downloaded) == len(sheet) - 1 == len(recorded.figures)
    for figure, row, cells, saved in zip(recorded.figures, rows[1:], sheet[1:], downloaded, strict=True):
        status = STATUS_WORDS[figure.status] + (f": {figure.reason}" if figure.reason else "")
        unit = f"money:{figure.currency}" if figure.unit == "money" else figure.unit
        numbers = (figure.value, figure.lower, figure.upper, figure.target)
        texts = [full(figure, number) for number in numbers]
        assert row == [
            figure.label,
            *texts[:3],
            unit,
            formats.count(figure.n),
            figure.n_label,
            texts[3],
            status,
            figure.period,
        ]
        assert [saved[name] for name in ("Figure", "Unit", "Of", "Status", "Period")] == [
            figure.label,
            unit,
            figure.n_label,
            status,
            figure.period,
        ]
        # Nothing is rounded on the way into the files.
        for name, number in zip(("Value", "From", "To", "Target"), numbers, strict=True):
            assert (float(saved[name]) if saved[name] else None) == number
            # A spreadsheet file keeps sixteen digits.
            assert cells[names.index(name)] == (None if number is None else pytest.approx(number, rel=1e-15))
        assert int(saved["n"]) == cells[names.index("n")] == figure.n


def test_every_tile_is_a_recorded_figure(demo: Suite, recorded: Recorded) -> None:
    by_label = {figure.label: figure for figure in recorded.figures}
    seen = 0
    for notebook in NOTEBOOKS:
        for tile in soup(demo.report(notebook) / "report.html").select("li.kpi"):
            words, figure = text(tile), by_label[text(tile.h3)]  # type: ignore[arg-type]
            seen += 1
            assert STATUS_WORDS[figure.status] in words
            assert figure.period in words
            if figure.value is None:
                assert figure.reason[1:] in words
                assert tile.select_one(".val") is None
                continue
            value = tile.select_one(".val")
            assert value is not None and text(value) == shown(figure, figure.value)
            assert f"95% interval {formats.interval(figure.lower, figure.upper, figure.unit, figure.currency)}" in words
            assert f"{formats.count(figure.n)} {figure.n_label}" in words
            if figure.target is not None:
                gap = formats.difference(figure.value - figure.target, figure.unit, figure.currency)
                assert f"Target {shown(figure, figure.target)} {gap}" in words
            if figure.prior is not None:
                moved = formats.difference(figure.change, figure.unit, figure.currency)
                assert f"{figure.prior_label} {shown(figure, figure.prior)} {moved}" in words
    assert seen >= 12


def shown(figure: KeyFigure, value: float | None) -> str:
    return formats.value_of(value, figure.unit, figure.currency)


def said_of(record: Recorded) -> Iterator[str]:
    """Everything that a record can lead to in print."""
    yield from (record.title, record.headline, record.definitions_version)
    for f in record.figures:
        yield from (f.label, f.period, f.prior_label, f.series_label, f.reason, f.interval, f.n_label)
        yield formats.count(f.n)
        for value in (f.value, f.lower, f.upper, f.target, f.prior):
            yield shown(f, value)
            yield full(f, value)
        gaps = [f.change, f.change_lower, f.change_upper]
        gaps += [f.value - f.target] if f.value is not None and f.target is not None else []
        for gap in gaps:
            yield formats.difference(gap, f.unit, f.currency)
        yield formats.difference_interval(f.change_lower, f.change_upper, f.unit, f.currency)
        known = [value for value in f.series if value is not None]
        if known:
            yield formats.interval(min(known), max(known), f.unit, f.currency)
    for finding in record.findings:
        yield from (finding.claim, finding.detail, finding.basis)
    for check in record.checks:
        yield from (check.code, check.question, check.detail, check.remedy)
    applied = [check for check in record.checks if check.outcome != "not applicable"]
    yield f"{len(applied)} {len(record.figures)} {len(record.findings)} {sum(c.outcome == 'passed' for c in applied)} "
    yield f"{sum(c.outcome == 'warning' for c in applied)}"


def test_no_number_on_the_page_comes_from_anywhere_else(demo: Suite, page: BeautifulSoup, recorded: Recorded) -> None:
    log = yaml.safe_load((demo.project / "params" / "decisions.yml").read_text())
    days = [meeting["held"] for meeting in log["meetings"]]
    days += [decision["by"] for meeting in log["meetings"] for decision in meeting["decisions"]]
    allowed = {number for words in said_of(recorded) for number in NUMBER.findall(words)}
    allowed |= {number for day in days for number in NUMBER.findall(formats.day(day))}
    allowed |= set(NUMBER.findall(" ".join(d["what"] for m in log["meetings"] for d in m["decisions"])))
    # A confidence level, the four questions with their yeses, and how many decisions were done.
    allowed |= {"95%", "0", "1", "2", "3", "4"}
    main = BeautifulSoup(str(page.main), "html.parser")
    for furniture in main.select(".appendix, .fno, .dl"):
        furniture.decompose()
    found = NUMBER.findall(text(main))
    assert len(found) > 150
    assert sorted(set(found) - allowed) == []


def test_every_finding_leads_to_its_evidence(demo: Suite, page: BeautifulSoup, recorded: Recorded) -> None:
    home = demo.report("90_alignment_report")
    links = [str(link["href"]) for link in page.select(".bluf a")]
    assert len(links) == min(5, len(recorded.findings)) > 0
    for link in links:
        path, _, anchor = link.partition("#")
        target = (home / path).resolve()
        assert target == demo.report("20_pipeline_review") / "report.html"
        assert soup(target).find(id=anchor) is not None, link


def test_decisions_are_printed_as_written_with_their_state_on_the_day(demo: Suite) -> None:
    log = yaml.safe_load((demo.project / "params" / "decisions.yml").read_text())
    wanted: list[tuple[Any, ...]] = []
    for meeting in log["meetings"]:
        for decision in meeting["decisions"]:
            state = decision.get("state", "open")
            if state == "open" and decision["by"] < date.fromisoformat(DAY):
                state = "overdue"
            wanted.append((decision["what"], decision["who"], formats.day(decision["by"]), state))
    for notebook in NOTEBOOKS:
        rows = soup(demo.report(notebook) / "report.html").select("section.decided tbody tr")
        printed = [text(row).lower() for row in rows]
        assert len(printed) == len(wanted)
        for decision in wanted:
            (line,) = [line for line in printed if decision[0].lower() in line]
            assert all(part.lower() in line for part in decision), (decision, line)
    caption = text(soup(demo.report("90_alignment_report") / "report.html").select_one("section.decided .sub"))  # type: ignore[arg-type]
    assert caption.startswith("Taken by the people named, in the meeting of 2 Nov 2026 (VP Sales, CMO, CFO and ")
    assert caption.endswith(
        "Of 2 decisions taken 19 Oct 2026, 2 are done. 1 is overdue and stands first. The rows come from 3 meetings."
    )
    states = [text(row) for row in soup(demo.report(NOTEBOOKS[0]) / "report.html").select("section.decided tbody tr")]
    assert ["overdue" in state for state in states] == [True, *[False] * (len(states) - 1)]


def test_no_page_names_this_machine(demo: Suite) -> None:
    for path in [*(demo.report(n) / name for n in NOTEBOOKS for name in SAME[:3]), demo.reports / "index.html"]:
        words = path.read_text(encoding="utf-8")
        for place in (str(demo.project), str(Path.cwd()), str(Path.home()), "/tmp/"):
            assert place not in words, path


def test_everything_that_went_in_is_named_at_the_foot(demo: Suite, recorded: Recorded) -> None:
    facts = dict(recorded.facts)
    assert facts["Data as of"] == DAY
    for name, content in (("Code", "smarketing 0.1.0, "), ("Definitions", "version 3, "), ("Software", "pandas ")):
        assert content in facts[name]
    assert "rows" in facts["leads: leads.parquet"] and "4,000 rows" in facts["leads: leads.parquet"]
    foot = text(soup(demo.report("20_pipeline_review") / "report.html").select_one("footer"))  # type: ignore[arg-type]
    for label, value in facts.items():
        assert label in foot and " ".join(value.split()) in foot
    assert recorded.run_id in foot
