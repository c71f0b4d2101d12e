"""The blocks of who is worth contacting say what was found, and the opposite of the opposite."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from nbformat import v4
from report_samples import code, key_figures, through_a_file
from scipy.special import expit

from small_experiments import answered, leads, opposed
from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.contact.uplift import Uplift
from smarketing.report import blocks
from smarketing.report.exporter import export
from smarketing.report.uplift import who_is_worth_contacting
from smarketing.report.uplift_wording import side


@pytest.fixture(scope="module")
def found() -> Uplift:
    return answered(opposed(1))


@pytest.fixture(scope="module")
def mirrored() -> Uplift:
    """The same leads, and what they do turned round: who bought did not."""
    rows = opposed(1)
    return answered(rows.assign(bought=~rows["bought"]))


@pytest.fixture(scope="module")
def nobody_moved() -> Uplift:
    return answered(leads(4, 1_500, base=lambda x: expit(x - 1), effect=lambda x: 0 * x))


@cache
def said(found: Uplift) -> list[str]:
    """The note, and the titles of the two figures and the table."""
    return [block.text.partition("\n")[0] for block in who_is_worth_contacting(found)]


def test_blocks_stand_in_their_order(found: Uplift) -> None:
    shown = who_is_worth_contacting(found)
    assert [(block.kind, block.id) for block in shown] == [
        ("note", ""),
        ("figure", "fig-qini"),
        ("figure", "fig-effect-by-fifth"),
        ("table", "tab-likely-or-moved"),
    ]


def test_what_was_measured_holds_for_this_list_at_that_time(
    found: Uplift, mirrored: Uplift, nobody_moved: Uplift
) -> None:
    assert "Contact raised it by 1" in said(found)[0]
    assert "Contact lowered it by 1" in said(mirrored)[0]
    assert "Contact is not seen to change it:" in said(nobody_moved)[0]
    for one in (found, mirrored, nobody_moved):
        assert said(one)[0].startswith(
            "What was measured. In the experiment calls, which says that it assigns at random, "
        )
        assert said(one)[0].endswith(
            "This is an effect in this list at that time; another list or another time may answer differently."
        )


def test_the_curve_says_which_order_gains(found: Uplift, nobody_moved: Uplift) -> None:
    assert said(found)[1] == "Contacting by who is moved gains more than by who is likely"
    swapped = replace(
        found,
        uplift=found.propensity,
        propensity=found.uplift,
        difference=replace(
            found.difference,
            value=-found.difference.value,
            lower=-found.difference.upper,
            upper=-found.difference.lower,
        ),
    )
    assert said(swapped)[1] == "Contacting by who is likely gains more than by who is moved"
    assert (
        said(nobody_moved)[1] == "Neither who is likely nor who is moved is told apart from a random order of contact"
    )


@pytest.mark.parametrize(
    ("moved", "likely", "title"),
    [
        (1, 1, "Who is likely and who is moved are not told apart as orders of contact; both beat a random one"),
        (-1, -1, "Who is likely and who is moved are not told apart as orders of contact; both are worse than a random "
                 "one"),
        (1, 0, "Contacting by who is moved gains more than a random order; the two scores are not told apart"),
        (-1, 0, "Contacting by who is moved gains less than a random order; the two scores are not told apart"),
        (0, 1, "Contacting by who is likely gains more than a random order; the two scores are not told apart"),
        (0, -1, "Contacting by who is likely gains less than a random order; the two scores are not told apart"),
        (0, 0, "Neither who is likely nor who is moved is told apart from a random order of contact"),
    ],
)  # fmt: skip
def test_scores_that_are_not_told_apart(found: Uplift, moved: int, likely: int, title: str) -> None:
    assert said(placed(found, moved, likely, 0))[1] == title


@pytest.mark.parametrize(
    ("moved", "gap", "title"),
    [
        (
            0,
            1,
            "Contacting by who is moved gains more than by who is likely, and is not told apart from a random order",
        ),
        (-1, 1, "Contacting by who is moved gains more than by who is likely, and less than at random"),
    ],
)
def test_the_better_order_may_be_no_better_than_chance(found: Uplift, moved: int, gap: int, title: str) -> None:
    assert said(placed(found, moved, -1, gap))[1] == title


def placed(found: Uplift, moved: int, likely: int, gap: int) -> Uplift:
    """Put coefficients and their difference on a side of zero, or on neither."""

    def ends(where: int) -> dict[str, float]:
        return {"value": where * 0.02 + 0.001, "lower": where * 0.02 - 0.01, "upper": where * 0.02 + 0.01}

    return replace(
        found,
        uplift=replace(found.uplift, qini=replace(found.uplift.qini, **ends(moved))),
        propensity=replace(found.propensity, qini=replace(found.propensity.qini, **ends(likely))),
        difference=replace(found.difference, **ends(gap)),
    )


def test_fifths_say_where_they_are_not_told_apart(found: Uplift, nobody_moved: Uplift) -> None:
    text = said(found)[2]
    assert text.startswith("Effect of contact: +") and "in the fifth moved most and +" in text
    assert "not told apart" not in text
    assert said(nobody_moved)[2].count(", not told apart") == 2


def test_the_table_says_who_is_likely_anyway() -> None:
    rows = leads(5, 3_000, base=lambda x: expit(1.2 * x), effect=lambda x: np.where(x > 0.3, 0.0, 0.3))
    anyway = answered(rows)
    cell = anyway.cell(3, 1)
    assert cell["lower"] < 0 < cell["upper"]
    assert said(anyway)[3].startswith(f"{cell['n']:,} {anyway.who} are likely anyway (")
    assert "without contact) and moved least: contact is not seen to change it (" in said(anyway)[3]
    for where, words in ((1, "contact raises it, by +"), (-1, "contact lowers it, by −")):
        text = said(with_effect(anyway, 0.05 * where))[3]
        assert f"and moved least: {words}5.0 pts; among the unlikely moved most it is +" in text
    apart = replace(anyway, contrast=replace(anyway.contrast, lower=-0.1, upper=0.3))
    assert said(apart)[3].endswith(", not told apart")
    assert not said(anyway)[3].endswith("not told apart")


def with_effect(found: Uplift, effect: float) -> Uplift:
    """Change the effect among those who are likely and moved least."""
    cells = found.disagreement.copy()
    here = (cells["propensity"] == 3) & (cells["uplift"] == 1)
    cells.loc[here, ["effect", "lower", "upper"]] = [effect, effect - 0.01, effect + 0.01]
    return replace(found, disagreement=cells)


def test_scores_that_agree_have_nobody_to_compare(found: Uplift) -> None:
    cells = found.disagreement.copy()
    here = (cells["propensity"] == 3) & (cells["uplift"] == 1)
    cells.loc[here, ["treated_rate", "control_rate", "effect", "lower", "upper"]] = np.nan
    cells.loc[here, "reason"] = "nobody is here"
    agreed = replace(found, disagreement=cells, overlap=0.912)
    assert said(agreed)[3] == (
        "Too few are likely and moved least to compare: 91.2% of the likeliest third are in the most moved third too"
    )
    table = who_is_worth_contacting(agreed)[3]
    assert "Nobody is here" in table.html


def test_the_fifths_name_those_that_an_account_keeps_together(found: Uplift) -> None:
    assert f"keep an account&#39;s {found.who} together" in who_is_worth_contacting(found)[2].html


def test_without_an_experiment_one_sentence_is_left() -> None:
    shown = who_is_worth_contacting(NotApplicable("no experiment is named"))
    assert [block.text for block in shown] == ["Who is worth contacting: not applicable. No experiment is named."]


@pytest.mark.parametrize(
    ("lower", "upper", "where"),
    [(0.1, 0.2, "above"), (-0.2, -0.1, "below"), (-0.1, 0.1, "not told apart"), (0.0, 0.1, "not told apart")],
)
def test_an_interval_that_holds_zero_tells_nothing_apart(lower: float, upper: float, where: str) -> None:
    assert side(lower, upper) == where


def test_a_page_of_them_is_fit_to_publish(found: Uplift, mirrored: Uplift, nobody_moved: Uplift) -> None:
    numbers = blocks.key_numbers([key_figures()[-1]])
    frame = (blocks.bottom_line("It depends"), numbers, blocks.decisions([]), blocks.checks([]))
    for one in (found, mirrored, nobody_moved):
        page = export(
            through_a_file(
                v4.new_markdown_cell("# Scores"),
                code(blocks.title_block([("Data as of", "15 Nov 2026")])),
                v4.new_markdown_cell("## Who is worth contacting"),
                code(*who_is_worth_contacting(one)),
                code(*frame),
            ),
            kicker="Test",
        )
        assert 'id="fig-qini"' in page.html
        assert 'id="tab-likely-or-moved"' in page.html
