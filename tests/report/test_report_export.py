"""From notebook to page: slots, sections, references and downloads (what keeps a page back: `test_report_unfit`)."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import subprocess
import sys
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import openpyxl
import pandas as pd
import pytest
import report_samples as samples
from nbformat import v4

from smarketing.measures.results import Check, Finding, KeyFigure
from smarketing.report import blocks
from smarketing.report.cells import Table, to_csv
from smarketing.report.exporter import Exported, export
from smarketing.report.index_page import IndexRow, index_page
from smarketing.report.workbook import workbook


class Outline(HTMLParser):
    """Ids, internal links, headings and figures of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.labels: list[str] = []
        self.downloads: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids += [values["id"]] if "id" in values else []
        if tag == "a" and values["href"].startswith("#"):
            self.links.append(values["href"][1:])
        if tag == "a" and "download" in values:
            self.downloads[values["download"]] = values["href"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "svg" and values.get("role") == "img":
            self.labels.append(values["aria-label"])


@pytest.mark.parametrize("name", ["full", "mirrored", "thin", "hostile"])
def test_a_page_has_one_title_unique_ids_and_links_that_resolve(exports: dict[str, Exported], name: str) -> None:
    text = exports[name].html
    page = Outline(text)
    assert page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)
    assert '<html lang="en">' in text and "<title>" in text
    for landmark in ("<header", "<main", "<footer", '<nav class="toc" aria-label="Contents"'):
        assert text.count(landmark) == 1
    assert "<script" not in text
    assert len(text.encode()) < 400_000
    assert (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; "
        "form-action 'none'"
    ) in text


def test_every_section_and_part_of_the_page_is_in_the_contents(exports: dict[str, Exported]) -> None:
    text = exports["full"].html
    contents = text[text.index("<nav") : text.index("</nav>")]
    assert re.findall(r'<a href="#[^"]*">([^<]*)</a>', contents) == [
        "The bottom line",
        "Key numbers",
        "Decisions",
        "Where we stand",
        "How leads move through the funnel",
        "Where wins come from",
        "Why deals are lost",
        "What would change our mind",
        "Data checks",
        "About this report",
        "Definitions",
        "Methods",
        "Glossary",
        "What this report cannot tell you",
        "Provenance",
    ]


def test_sections_that_show_nothing_are_left_out_with_their_prose(exports: dict[str, Exported]) -> None:
    text = exports["full"].html
    assert "Plan and load" not in text and "The parameters become a plan" not in text
    assert "What the ledger keeps" not in text
    assert "Two more cohorts at the old rate." in text


def test_a_cell_tagged_notebook_only_is_left_out() -> None:
    notebook = samples.thin_notebook()
    notebook.cells.append(v4.new_markdown_cell("## For analysts\n\nPlay here.", metadata={"tags": ["notebook-only"]}))
    assert "For analysts" not in export(notebook, kicker="x").html


def test_the_title_block_says_what_for_whom_as_of_when_checks_and_run(exports: dict[str, Exported]) -> None:
    text = exports["full"].html
    head = re.sub("<[^>]+>", " ", text[text.index("<header") : text.index("</header>")])
    words = " ".join(head.split())
    assert words.startswith("Acme Revenue Operations Colour theme Auto Light Dark Where does the one pipeline stand?")
    assert "What moved, what is lost where, and what to decide." in words
    assert "Data as of 15 Nov 2026 For The meeting Scope All regions" in words
    assert "Data checks 4 of 5 passed, 1 warning Run 20261115-7d3e37e9" in words
    assert "<title>Where does the one pipeline stand? · data as of 15 Nov 2026</title>" in text
    foot = text[text.index("<footer") :]
    for fact in ("404a2e4b88e8, not modified", "30,809 rows", "pandas 3.1.1", "weeks: 12", "20261115-7d3e37e9"):
        assert fact in foot


def test_references_are_filled_in_page_order(exports: dict[str, Exported]) -> None:
    text = exports["full"].html
    assert re.findall(r'<a class="xref" href="#([a-z-]+)">([^<]+)</a>', text) == [
        ("fig-trend", "Figure 1"),
        ("fig-funnel", "Figure 2"),
        ("fig-origins", "Figure 4"),
        ("tab-products", "Table 1"),
        ("fig-funnel", "Figure 2"),
    ]
    assert "data-ref" not in text
    assert "Data behind <span>Figure 3</span>" in text


def test_every_figure_has_title_subtitle_source_alt_and_data(exports: dict[str, Exported]) -> None:
    for name, number in (("full", 5), ("mirrored", 5), ("scoring", 8), ("hostile", 11)):
        text = exports[name].html
        figures = re.findall(r"<figure.*?</figure>", text, flags=re.DOTALL)
        assert len(figures) == number
        for figure in figures:
            labels = Outline(figure).labels
            assert len(labels) == 2 and labels[0] == labels[1] and len(labels[0]) >= 60
            assert re.search(r"<h3[^>]*>[^<]{5,}", figure) and re.search(r'class="sub">[^<]{5,}', figure)
            assert re.search(r'class="src">Source: [^<]{3,}', figure)
            assert "<table" in figure and "Download CSV" in figure
        assert "No description has been provided" not in text


def test_mirrored_data_flips_every_direction_word(exports: dict[str, Exported]) -> None:
    words = re.compile(r"\b(rose|fell|up|down|held)\b|([▲▼])")

    def directions(exported: Exported) -> list[str]:
        text = exported.html
        body = text[text.index('<main id="main"') : text.index('id="data-checks"')]
        titles = re.findall(r"<h3[^>]*>(.*?)</h3>|<strong>(.*?)</strong>|<p class=\"lead\">(.*?)</p>", body)
        arrows = re.findall(r'<div class="v-wide">.*?</div>', body, flags=re.DOTALL)
        found = words.findall(" ".join("".join(parts) for parts in titles)) + words.findall(" ".join(arrows))
        return ["".join(parts) for parts in found]

    there, back = directions(exports["full"]), directions(exports["mirrored"])
    flip = {"rose": "fell", "fell": "rose", "up": "down", "down": "up", "▲": "▼", "▼": "▲"}
    assert len(there) > 10
    assert back == [flip[word] for word in there]
    assert exports["full"].summary_text != exports["mirrored"].summary_text


def test_every_key_number_has_what_a_reader_needs(exports: dict[str, Exported]) -> None:
    text = exports["full"].html
    tiles = [" ".join(re.sub("<[^>]+>", " ", tile).split()) for tile in re.findall(r'<li class="kpi.*?</li>', text)]
    assert tiles[0] == (
        "Lead quality 12 weeks to 15 Nov 2026 43.2% 95% interval 41.0% to 45.4% · 3,192 leads Ahead of target "
        "Target 42.0% +1.2 pts 12 weeks before 40.8% +2.4 pts Interval of the change +0.1 to +4.7 pts "
        "13 weeks, lowest and highest week: 40.0% to 43.2%"
    )
    assert "12 weeks to 15 Nov 2026 · provisional 6.7%" in tiles[2]
    assert tiles[4].endswith("No target set 12 weeks before 61 days −4 days Interval of the change "
                             "−11 days to +3 days 13 weeks, lowest and highest week: 57 to 61 days")  # fmt: skip
    assert tiles[5] == (
        "Win rate, Asia Pacific 12 weeks to 15 Nov 2026 Withheld 12 accounts, at least 30 are needed 12 accounts"
    )
    # The season is in the change of a count or an amount.
    assert [("Interval of the change" in tile) for tile in tiles] == [True, False, True, False, True, False]
    shapes = set(re.findall(r'<p class="stat"><svg class="shape"[^>]*>(.*?)</svg>', text))
    assert len(shapes) == 6


def test_a_total_target_is_not_drawn_over_single_periods() -> None:
    shared = samples.key_figure(series=(0.40, 0.42, 0.43), target=0.42)
    assert '<line class="t"' in blocks.key_numbers([shared]).html
    summed = samples.key_figure(unit="count", value=1_300.0, target=1_250.0, series=(1_100.0, 1_200.0, 1_300.0))
    assert '<line class="t"' not in blocks.key_numbers([summed]).html


def test_decisions_are_printed_as_theirs_and_their_absence_is_said(exports: dict[str, Exported]) -> None:
    text = " ".join(re.sub("<[^>]+>", " ", exports["full"].html).split())
    assert "Ask every rejected lead for a reason B. Osei 23 Nov 2026 done 2 Nov 2026" in text
    assert "Review the definition of opportunity A. Kim, B. Osei – open 16 Nov 2026" in text
    assert "Decisions taken: none recorded." in exports["thin"].html


def csv_of(href: str) -> pd.DataFrame:
    kind, _, data = href.partition(",")
    assert kind == "data:text/csv;charset=utf-8;base64"
    return pd.read_csv(io.BytesIO(base64.b64decode(data)), keep_default_na=False, na_values=[""])


def test_a_csv_download_parses_back_to_the_data(exports: dict[str, Exported]) -> None:
    downloads = Outline(exports["full"].html).downloads
    assert list(downloads) == [
        "fig-trend.csv", "fig-funnel.csv", "fig-curves.csv", "fig-origins.csv", "fig-losses.csv", "tab-products.csv"
    ]  # fmt: skip
    pd.testing.assert_frame_equal(csv_of(downloads["fig-losses.csv"]), samples.bars_figure().data, check_dtype=False)
    pd.testing.assert_frame_equal(csv_of(downloads["fig-trend.csv"]), samples.trend_figure().data, check_dtype=False)
    products = csv_of(downloads["tab-products.csv"])
    assert products["Change"].tolist()[:2] == [-0.031, 0.012]


def test_formulas_are_neutralised_and_numbers_stay_numbers(exports: dict[str, Exported]) -> None:
    tables = {table.id: table for table in exports["hostile"].tables}
    rows = list(csv.reader(io.StringIO(to_csv(tables["tab-hostile"]).decode("utf-8-sig"), newline="")))
    assert rows[1:] == [
        ["'" + samples.HOSTILE[2], "-1.5"], ["'+1", "2.0"], ["'-cmd", "3.0"], ["'@sum", "4.0"], ["'\tx", "5.0"],
        ["'\rx", "6.0"],
    ]  # fmt: skip
    book = openpyxl.load_workbook(io.BytesIO(workbook(exports["hostile"].tables)))
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                if isinstance(cell.value, str):
                    assert not cell.value.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert book["tab-hostile"]["B2"].value == -1.5


def test_hostile_words_are_escaped_everywhere(exports: dict[str, Exported]) -> None:
    text = exports["hostile"].html
    assert "<script" not in text and "<img" not in text and "onerror=alert(1)>" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 30
    assert samples.HOSTILE[0] in exports["hostile"].summary_text
    style = text[text.index("<style>") : text.index("</style>")]
    assert "onerror" not in style.lower().replace("\\", "\\\\") or '">' not in style


def test_two_runs_give_the_same_bytes() -> None:
    """In two processes with different hash seeds, so that nothing depends on set order or running ids."""
    code = (
        "import hashlib, report_samples as s; from smarketing.report.exporter import export; "
        "from smarketing.report.workbook import workbook; "
        "e = export(s.pipeline_notebook(), kicker='x', blocks=s.runner_blocks()); "
        "print(hashlib.sha256(e.html.encode()).hexdigest(), hashlib.sha256(workbook(e.tables)).hexdigest())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(Path(__file__).parent), "PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"},
        )
        for seed in ("1", "2")
    ]
    runs = [process.communicate()[0] for process in started]
    assert runs[0] == runs[1]
    assert re.fullmatch(r"[0-9a-f]{64} [0-9a-f]{64}\n", runs[0])


def test_the_summary_is_the_brief_in_plain_text(exports: dict[str, Exported]) -> None:
    text = exports["full"].summary_text
    assert text.startswith("Where does the one pipeline stand?\n====")
    assert "Data as of: 15 Nov 2026\n" in text and "Data checks: 4 of 5 passed, 1 warning\n" in text
    assert "\n- The last step fell. 46.3% of opportunities are won" in text
    assert "▲ Lead quality: 43.2%; 95% interval 41.0% to 45.4%; 3,192 leads; target 42.0%" in text
    assert "○ Win rate, Asia Pacific: withheld, 12 accounts, at least 30 are needed" in text
    assert "- Review the definition of opportunity (A. Kim, B. Osei, no date, open)" in text
    assert "<" not in text


def test_the_payload_gives_back_the_same_figures_and_findings(exports: dict[str, Exported]) -> None:
    payload = json.loads(json.dumps(exports["full"].payload, allow_nan=False))
    assert [KeyFigure.from_dict(values) for values in payload["figures"]] == samples.key_figures()
    assert [Finding.from_dict(values) for values in payload["findings"]] == samples.findings()
    assert [Check.from_dict(values) for values in payload["checks"]] == samples.CHECKS
    assert payload["headline"] == "Lead quality is up 2.4 points."


def test_the_workbook_holds_every_table(exports: dict[str, Exported]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(exports["full"].tables)))
    assert book.sheetnames[:4] == ["Contents", "fig-trend", "fig-funnel", "fig-curves"]
    products = book["tab-products"]
    assert [cell.value for cell in products[2]] == ["GTX Pro", 151, 0.492, 0.431, 3510578, -0.031]
    assert products["C2"].number_format == "0.0%"
    assert book["decisions"]["C2"].value.date() == date(2026, 11, 30)


def test_the_index_lists_every_case_and_refuses_unknown_states(pages: dict[str, Path]) -> None:
    text = pages["index"].read_text(encoding="utf-8")
    assert '<a href="demo/2026-11-15/report.html">Where does the one pipeline stand?</a>' in text
    assert "failed, last good report kept" in text and "never ran" in text and "3 reports, 1 failed." in text
    assert "<script" not in text and "&lt;script&gt;" in text
    row = IndexRow(question="q", case="c", as_of="", headline="", state="fine")  # type: ignore[arg-type]
    with pytest.raises(ValueError) as raised:
        index_page([row])
    assert str(raised.value) == (
        "index row 'c': state is 'fine'; allowed are ok, failed, last good report kept, failed, no report yet, "
        "never ran. Use one of them."
    )


def test_blocks_survive_a_real_kernel(tmp_path: Path) -> None:
    """What `_repr_mimebundle_` returns is what IPython writes into the notebook."""
    from nbclient import NotebookClient

    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Does it run?"),
            v4.new_code_cell(
                "from smarketing.report import blocks\n"
                "display(blocks.bottom_line('It runs.'), blocks.note('A note.'))\n"
                "blocks.decisions([])"
            ),
        ]
    )
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    text = export(nbformat.reads(nbformat.writes(notebook), as_version=4), kicker="x").html
    assert "It runs." in text and "A note." in text and "none recorded" in text


def test_tables_travel_as_json_and_come_back() -> None:
    table = Table.from_frame(
        pd.DataFrame({"a": ["x", None], "b": [1.5, float("inf")], "c": pd.to_datetime(["2026-11-15", None])}),
        id="tab-t", title="t", formats={},
    )  # fmt: skip
    assert table.formats == ("text", "number", "date")
    assert table.rows == (("x", 1.5, "2026-11-15"), (None, None, None))
    assert Table.from_dict(json.loads(json.dumps(table.to_dict()))) == table
