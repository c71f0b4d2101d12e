"""What keeps a page from going out: each fault, by the words that say it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
import report_samples as samples
from nbformat import NotebookNode, v4

from smarketing.measures.results import Check, Finding
from smarketing.report import blocks
from smarketing.report.exporter import export
from smarketing.report.faults import NotFitToPublish, faults


def with_output(**output: object) -> NotebookNode:
    notebook = samples.thin_notebook()
    cell = v4.new_code_cell("x")
    cell.outputs.append(v4.new_output(**output))
    notebook.cells.append(cell)
    return notebook


def with_block(block: blocks.Block) -> NotebookNode:
    notebook = samples.thin_notebook()
    notebook.cells += [v4.new_markdown_cell("## More"), samples.code(block)]
    return notebook


def with_markdown(text: str) -> NotebookNode:
    notebook = samples.thin_notebook()
    notebook.cells.append(v4.new_markdown_cell(text))
    return notebook


def without_bottom_line() -> NotebookNode:
    notebook = samples.thin_notebook()
    del notebook.cells[-1].outputs[0]
    return notebook


def one_frame(**values: object) -> blocks.Block:
    return blocks.table(pd.DataFrame({name: [value] for name, value in values.items()}), id="tab-x", title="Some table")


FAILED = Check(code="DR05", question="Do targets cover the scope?", outcome="failed", detail="3 weeks have none.",
               error=True, remedy="Add them to targets.yml.")  # fmt: skip
UNFIT: list[tuple[str, Callable[[], NotebookNode], str]] = [
    ("error", lambda: with_output(output_type="error", ename="KeyError", evalue="'x'", traceback=[]),
     "cell 6: it stopped with KeyError: 'x'. Mend the cell."),
    ("stdout", lambda: with_output(output_type="stream", name="stdout", text="hello\n"),
     "cell 6: stdout says 'hello'. Nothing may be printed; show a block."),
    ("stderr", lambda: with_output(output_type="stream", name="stderr", text="UserWarning"),
     "cell 6: stderr says 'UserWarning'. Nothing may be printed; show a block."),
    ("image", lambda: with_output(output_type="display_data", data={"image/png": "iVBO"}),
     "cell 6: an image (image/png) without alt text. Show it as figure(chart)."),
    ("image with alt", lambda: with_output(output_type="display_data", data={"image/png": "iVBO"},
                                           metadata={"image/png": {"alt": "x" * 60}}),
     "cell 6: an image (image/png) outside a figure. Show it as figure(chart), with its data."),
    ("frame", lambda: with_output(output_type="execute_result", data={"text/html": '<table class="dataframe">'}),
     "cell 6: a raw DataFrame. Show it as table(frame, ...)."),
    ("repr", lambda: with_output(output_type="execute_result", data={"text/plain": "Plan(as_of=1)"}),
     "cell 6: an output that is not a block (Plan(as_of=1)). Show a block, or end the line with a semicolon."),
    ("no bottom line", without_bottom_line,
     "0 bottom lines; exactly one is needed. Show bottom_line(lead, findings) once."),
    ("two bottom lines", lambda: with_block(blocks.bottom_line("Again.")),
     "2 bottom lines; exactly one is needed. Show bottom_line(lead, findings) once."),
    ("visible nan", lambda: with_block(blocks.note("The rate is nan.")),
     "visible 'nan' in 'The rate is nan.'. Format the value; a missing one is a dash."),
    ("visible None", lambda: with_block(one_frame(Group="None", Leads=3)),
     "visible 'None' in 'None'. Format the value; a missing one is a dash."),
    ("visible NaT", lambda: with_markdown("Since NaT."),
     "visible 'NaT' in 'Since NaT.'. Format the value; a missing one is a dash."),
    ("visible inf", lambda: with_block(blocks.note("Grew by inf.")),
     "visible 'inf' in 'Grew by inf.'. Format the value; a missing one is a dash."),
    ("unfilled template", lambda: with_block(blocks.note("Kept an account's {found.who} together.")),
     "a template not filled in, \"Kept an account's {found.who} together.\". Fill it in where it is worded."),
    ("unfilled template in a title", lambda: with_block(blocks.table(pd.DataFrame({"A": [1]}), id="tab-x",
                                                                     title="The best {number} leads")),
     "a template not filled in, 'The best {number} leads'. Fill it in where it is worded."),
    ("dangling reference", lambda: with_markdown("See [](#fig-missing)."),
     "reference to figure or table 'fig-missing', which is not on the page. Show it or correct the id."),
    ("dangling finding", lambda: with_block(blocks.bottom_line("x", [Finding(
        theme="t", claim="c", detail="d", basis="b", evidence="tab-missing")])),
     "reference to figure or table 'tab-missing', which is not on the page. Show it or correct the id."),
    ("dangling link", lambda: with_markdown("See [there](#nowhere)."),
     "link to 'nowhere', which is not on the page. Show it or correct the id."),
    ("scripted link", lambda: with_markdown("See [there](javascript:alert(1))."),
     "link to 'harmful-link', which is not on the page. Show it or correct the id."),
    ("picture in prose", lambda: with_markdown("![A logo](https://example.com/logo.png)"),
     "an image (markdown) without alt text: ''. Say type, measure and finding."),
    ("same id twice", lambda: twice(),
     "id 'tab-x' appears 2 times. Give each figure and table its own."),
    ("failed check", lambda: with_block(blocks.checks([FAILED])),
     "data check DR05 failed: Do targets cover the scope? 3 weeks have none. Add them to targets.yml."),
]  # fmt: skip


def twice() -> NotebookNode:
    notebook = with_block(one_frame(A=1))
    notebook.cells[-1].outputs.append(notebook.cells[-1].outputs[0])
    return notebook


@pytest.mark.parametrize(
    ("make", "fault"), [(make, fault) for _, make, fault in UNFIT], ids=[name for name, _, _ in UNFIT]
)
def test_a_page_that_is_unfit_does_not_go_out(make: Callable[[], NotebookNode], fault: str) -> None:
    with pytest.raises(NotFitToPublish) as raised:
        export(make(), kicker="x")
    assert fault in raised.value.faults
    assert str(raised.value).startswith("The report is not fit to publish:\n- ")


def test_a_notebook_without_a_title_does_not_go_out() -> None:
    notebook = samples.thin_notebook()
    del notebook.cells[0]
    with pytest.raises(NotFitToPublish) as raised:
        export(notebook, kicker="x")
    assert raised.value.faults == ("1 page titles, or an empty one; a notebook has one H1. Begin it with '# ...'.",)


def test_a_notebook_with_two_titles_does_not_go_out() -> None:
    with pytest.raises(NotFitToPublish) as raised:
        export(with_markdown("# Another question?"), kicker="x")
    assert raised.value.faults == ("2 headings of the first level; a notebook has one H1. Make the others '## ...'.",)


def test_remote_assets_are_found_where_they_would_load() -> None:
    page = (
        '<html lang="en"><title>x</title><h1>x</h1><style>@import "https://a.example/x.css";b{background:url(//b.example/i)}'
        '</style><link href="https://c.example/c.css"><p style="background:url(https://d.example/d)">url(https://no)</p>'
        '<a href="https://fine.example/">x</a><img alt="" src="https://e.example/e.png"><script src="//f.example/f.js">'
    )
    found = [fault for fault in faults(samples.thin_notebook(), page) if "remote asset" in fault]
    assert [fault.split()[2].rstrip(";") for fault in found] == [
        "//b.example/i", "//f.example/f.js", "https://a.example/x.css", "https://c.example/c.css", "https://d.example/d",
        "https://e.example/e.png",
    ]  # fmt: skip


def test_words_that_only_look_like_missing_values_may_be_shown() -> None:
    text = "None of the teams in Nantes, info@inference.example, NANO and the infimum are missing."
    assert text.split("@")[0] in export(with_markdown(text), kicker="x").html


def test_braces_in_the_data_are_the_companys_own_words() -> None:
    assert "{first_name}" in export(with_block(one_frame(Campaign="Hello {first_name}.")), kicker="x").html
    prose = "Set {a, b} and `{name}` are no templates."
    assert "Set {a, b}" in export(with_markdown(prose), kicker="x").html


def test_a_finding_may_point_into_another_report() -> None:
    finding = Finding(
        theme="t", claim="c", detail="d", basis="b", evidence="../20_pipeline_review/report.html#fig-funnel"
    )
    text = export(with_other_lead(finding), kicker="x").html
    assert '<a class="xref" href="../20_pipeline_review/report.html#fig-funnel">source report</a>' in text
    with pytest.raises(ValueError) as raised:
        blocks.bottom_line(
            "x", [Finding(theme="t", claim="c", detail="d", basis="b", evidence="https://x.example/a.html")]
        )
    assert str(raised.value) == (
        "evidence: got 'https://x.example/a.html'; allowed are the id of a figure or table, or a relative path to a "
        "report (report.html#fig-id). Correct the anchor."
    )


def with_other_lead(finding: Finding) -> NotebookNode:
    notebook = without_bottom_line()
    notebook.cells.append(samples.code(blocks.bottom_line("Composed.", [finding])))
    return notebook
