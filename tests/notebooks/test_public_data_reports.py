"""The reports of the two public data sets: published, and not led into the traps that the data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from small_projects import project_at, run_here
from smarketing.run.ledger import Recorded


def published(
    name: str, as_of: str, data: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Recorded, str, str]:
    """Run both notebooks of a public case; return the record, the page's words and the e-mail."""
    monkeypatch.setenv(f"SMARKETING_{name.upper()}_DATA", str(data))
    for notebook in ("20_pipeline_review", "90_alignment_report"):
        result = run_here(monkeypatch, project / "params" / notebook / f"{name}.yml", project / "reports")
        assert result.folder == project / "reports" / notebook / name / as_of, result.error
    folder = project / "reports" / "20_pipeline_review" / name / as_of
    page = BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")
    for element in page(["style", "svg"]):
        element.decompose()
    assert str(data) not in str(page)
    recorded = Recorded.from_json((folder / "figures.json").read_text(encoding="utf-8"))
    summary = (folder.parents[2] / "90_alignment_report" / name / as_of / "summary.txt").read_text(encoding="utf-8")
    assert recorded.headline in summary
    return recorded, " ".join(page.get_text(" ").split()), summary


def test_olist_is_not_told_by_its_naive_rate(
    public_data: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = public_data("olist", "olist")
    project = project_at(tmp_path / "project")
    recorded, said, summary = published("olist", "2018-11-14", data, project, monkeypatch)
    # 842 of the 8,000 sellers signed, and half of the leads came before signatures were recorded.
    assert "10.5%" not in recorded.headline
    assert "10.5%" not in summary
    assert "within" in recorded.headline and "95% interval" in recorded.headline
    conversion = next(figure for figure in recorded.figures if figure.name == "funnel_conversion")
    assert conversion.value is not None and abs(conversion.value - 842 / 8_000) > 0.01
    assert conversion.n < 8_000
    assert "5 Dec 2017" in said
    assert "5 Dec 2017" in summary
    # Two things, neither of which is the other.
    table = said.partition("Conversion and time to win by source")[2]
    assert "(blank)" in table and "unknown" in table


def test_the_opportunity_export_is_told_by_its_cohorts_and_says_what_it_lacks(
    public_data: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = public_data("crm_opportunities", "crm_opportunities")
    project = project_at(tmp_path / "project")
    recorded, said, summary = published("crm_opportunities", "2017-12-31", data, project, monkeypatch)
    # Won of all closed is 63.2 %, won of all engaged so far 49.3 %; both ignore age.
    assert "51.2%" in recorded.headline
    for naive in ("63.2%", "49.3%"):
        assert naive not in recorded.headline
        assert naive not in summary.partition("\n- ")[0]
    conversion = next(figure for figure in recorded.figures if figure.name == "funnel_conversion")
    assert conversion.value is not None and round(conversion.value, 3) == 0.512
    # Amounts are on record for won deals only.
    assert "deals have no amount" in said.partition("How deals end")[2]
    # Nothing closes before March although deals begin in October.
    assert "1 Mar 2017" in said
    assert "1 Mar 2017" in summary
