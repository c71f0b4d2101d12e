"""Typeface, palette, prose, and blocks as JupyterLab shows them."""

from __future__ import annotations

import io

import pandas as pd
import pytest
import report_samples as samples
from fontTools.ttLib import TTFont
from matplotlib.font_manager import FontProperties, findfont

from smarketing.report import blocks, fonts, markdown, palette
from smarketing.report.charts import canvas


def test_three_weights_are_small_truetype_and_complete() -> None:
    for weight in (400, 600, 700):
        font = TTFont(io.BytesIO(fonts.woff2(weight)))
        assert font.flavor == "woff2" and "glyf" in font and "CFF " not in font
        assert len(fonts.woff2(weight)) < 20_000
        assert {ord(letter) for letter in "Aé€–−→↓▲▼◆✓×…“”R$"} <= set(font.getBestCmap())


def test_matplotlib_measures_with_the_page_s_files() -> None:
    fonts.register()
    names = [findfont(FontProperties(family=fonts.FAMILY, weight=weight)) for weight in (400, 600, 700)]
    assert [name.rpartition("-")[2] for name in names] == ["Regular.ttf", "Semibold.ttf", "Bold.ttf"]
    assert canvas.text_width("Where", 700) > canvas.text_width("Where", 400)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK])
def test_text_and_marks_stand_out_in_both_themes(theme: dict[str, str]) -> None:
    for name in ("ink", "muted", "accent", "ahead", "behind", "warn"):
        for ground in ("bg", "panel"):
            assert contrast(theme[name], theme[ground]) >= 4.5, (name, ground)
    for name in (*palette.SERIES, "grey"):
        assert contrast(theme[name], theme["bg"]) >= 3, name


def test_colours_become_variables_in_styles_only() -> None:
    svg = '<path style="fill: #0f4c8a; stroke: #FFFFFF"/><text>#0f4c8a</text>'
    assert palette.to_variables(svg) == (
        '<path style="fill: var(--blue,#0f4c8a); stroke: var(--bg,#ffffff)"/><text>#0f4c8a</text>'
    )


def test_prose_escapes_markup_and_gives_headings_their_own_ids() -> None:
    headings = markdown.Headings({"methods"})
    text = markdown.to_html(
        "## Méthods\n\n## 2 *steps*\n\n## Methods\n\n<b>x</b> [a](https://x.example) `<i>`", headings
    )
    assert text == (
        '<h2 id="methods-2">Méthods</h2>\n<h2 id="s-2-steps">2 <em>steps</em></h2>\n<h2 id="methods-3">Methods</h2>\n'
        '<p>&lt;b&gt;x&lt;/b&gt; <a href="https://x.example">a</a> <code>&lt;i&gt;</code></p>'
    )


def test_a_block_shows_itself_in_jupyterlab_in_its_own_style() -> None:
    data, metadata = blocks.note("<b>Careful</b>")._repr_mimebundle_()
    assert data["text/plain"] == "<b>Careful</b>."
    assert data["text/html"].startswith('<div class="smk-block"><style>.smk-block{')
    assert "&lt;b&gt;Careful&lt;/b&gt;" in data["text/html"]
    assert '[data-jp-theme-light="false"] .smk-block{color-scheme:dark}' in data["text/html"]
    assert metadata["smarketing"] == {
        "slot": "body", "kind": "note", "id": "", "text": "<b>Careful</b>.", "tables": [], "payload": {}
    }  # fmt: skip
    assert blocks.Block.from_output(data, metadata["smarketing"]) == blocks.note("<b>Careful</b>")


def test_the_record_is_a_draft_in_jupyterlab_and_invisible_on_the_page() -> None:
    block = blocks.record(samples.key_figures(), samples.findings(), "Quality rose.")
    assert block.slot == "record" and "Draft record." in block.html
    assert len(block.payload["figures"]) == 6


def test_blocks_refuse_what_they_cannot_show() -> None:
    with pytest.raises(ValueError) as raised:
        blocks.bottom_line(" ")
    assert str(raised.value) == (
        "bottom_line: lead is empty; a report without a bottom line is not published. Write it."
    )
    with pytest.raises(ValueError) as raised:
        blocks.decisions([{"what": "x", "who": "y"}])
    assert str(raised.value) == (
        "decisions: a row has unknown key 'who'; allowed are what, owner, by, state, meeting. Correct the row."
    )
    with pytest.raises(ValueError) as raised:
        blocks.table(pd.DataFrame({"A": [1]}), id="tab-a", title="T", formats={"B": "share"})
    assert str(raised.value) == (
        "table 'tab-a': formats names column 'B', which is not there; allowed are A. Correct the name."
    )


@pytest.mark.parametrize(("outcomes", "text"), [
    ([], "No check applied"), (["not applicable"], "No check applied"), (["passed"] * 3, "3 of 3 passed"),
    (["passed", "warning", "warning", "not applicable"], "1 of 3 passed, 2 warnings"),
    (["failed", "passed", "failed"], "1 of 3 passed, 2 failed"),
])  # fmt: skip
def test_checks_are_counted_among_those_that_applied(outcomes: list[str], text: str) -> None:
    made = [samples.Check(code=str(i), question="q", outcome=o, detail="") for i, o in enumerate(outcomes)]  # type: ignore[arg-type]
    assert blocks.checks(made).text == text


def test_a_tile_without_a_period_before_by_nature_does_not_miss_one() -> None:
    def tile(**changes: object) -> str:
        return blocks.key_numbers([samples.key_figure(prior=None, change=None, **changes)]).html

    assert "not known" in tile() and "12 weeks before" in tile()
    by_nature = tile(prior_label="")
    assert "not known" not in by_nature and "Target 42.0%" in by_nature


def test_names_in_notes_are_set_as_code_and_sentences_end() -> None:
    shown = blocks.note("Map `lost_<reason>` first", heading="No losses.")
    assert "Map <code>lost_&lt;reason&gt;</code> first." in shown.html and shown.text.endswith("first.")
    assert blocks.not_applicable("It", "no `assignments` table is mapped").html.count("<code>assignments</code>") == 1
    for said in ("A single ` stays", "One `` two", "<b>`x`</b>"):
        page = blocks.note(said).html
        assert "<b>" not in page and ("<code>" in page) == ("`x`" in said)
