"""Sentences about a score have no fixed side: each is told both ways, from results that point both ways."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from judged_scores import validity
from scoring_worlds import definitions, scoring_of
from smarketing.measures.scoring.audit.leakage import Audit
from smarketing.measures.scoring.audit.leakage_signs import Flag
from smarketing.measures.scoring.study import _unusable
from smarketing.measures.scoring.worth.threshold import Bands, CostCurve
from smarketing.measures.scoring.worth.validity import Validity
from smarketing.measures.scoring.worth.views import Grid, Importance, Stability
from smarketing.report import (
    scorecard_points,
    scoring,
    scoring_findings,
    scoring_wording,
)

NAN = float("nan")


def study(found: Validity | None = None, *, flags: tuple[Flag, ...] = (), **more: Any) -> Any:
    """What sentences read of a study."""
    told = validity() if found is None else found
    given = {
        "scoring": scoring_of(), "validity": told, "later": {"score": told}, "unusable": "", "usable": True,
        "forward": True, "split": None, "probability": np.array([0.2, 0.2]),
        "leads": SimpleNamespace(weight=np.ones(2)), "used": (),
        "audit": Audit(flags=flags, powers=pd.DataFrame(), leads=500, events=60, reason=more.pop("undecided", None)),
    }  # fmt: skip
    return SimpleNamespace(**(given | more))


def flag(label: str, fakes: float | None = 0.9, severity: str = "exclude") -> Flag:
    return Flag(
        code="LK02", feature=label, label=label, title="too strong", evidence="it is", remedy="ask", fakes=fakes,
        severity=severity,  # type: ignore[arg-type]
    )  # fmt: skip


def curve(**changes: float) -> CostCurve:
    """A curve on which 40 leads a week are passed at the agreed 0.2, and 60 where a lead pays for itself, at 0.1."""
    told = {"even": 0.1, "passed": 60.0, "worked": 50.0, "gain": 300.0, "by": 100.0, "now": 40.0, "work": 40.0,
            "capacity": 50.0} | changes  # fmt: skip
    agreed = {"name": "agreed", "threshold": 0.2, "passed": told["now"], "worked": told["work"], "reached": 10.0,
              "value": 1_000.0, "gain": 0.0, "gain_lower": 0.0, "gain_upper": 0.0}  # fmt: skip
    even = {"name": "break-even", "threshold": told["even"], "passed": told["passed"], "worked": told["worked"],
            "reached": 12.0, "value": 1_000.0 + told["gain"], "gain": told["gain"],
            "gain_lower": told["gain"] - told["by"], "gain_upper": told["gain"] + told["by"]}  # fmt: skip
    return CostCurve(
        rows=pd.DataFrame(), named=pd.DataFrame([agreed, even]), value_of_stage=100.0, cost=10.0,
        capacity=told["capacity"], per="a week", what="later leads",
    )  # fmt: skip


def test_what_the_capacity_catches_stands_beside_the_present_rules() -> None:
    alone = scoring_wording.gains_title(study())
    assert alone == "Working 30.0% of leads by score catches 60.0% of good ones"
    both = study(later={"score": validity(), "present": validity(captured=0.7)})
    assert scoring_wording.gains_title(both) == f"{alone}; the present rules catch 70.0%"
    thin = study(validity(reason="only 12 later leads, fewer than 30"))
    assert scoring_wording.gains_title(thin) == "The score cannot be judged: only 12 later leads, fewer than 30"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"calibration_intercept": 0.3}, "Probabilities are too low on average: 20.0% predicted, 10.0% came true"),
        ({"calibration_intercept": -0.3}, "Probabilities are too high on average: 20.0% predicted, 10.0% came true"),
        ({"calibration_slope": 1.3}, "Probabilities are right on average, and too timid at the ends"),
        ({"calibration_slope": 0.7}, "Probabilities are right on average, and too extreme at the ends"),
        ({}, "Probabilities can be taken at their word: no clear departure from what happened"),
        ({"reason": "thin"}, "Whether probabilities can be taken at their word is withheld"),
    ],
)
def test_whether_probabilities_are_right(values: dict[str, Any], said: str) -> None:
    assert scoring_wording.calibration_title(study(validity(**values))) == said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "No column gives the outcome away"),
        ((flag("Tags", severity="warn"),), "No column gives the outcome away"),
        ((flag("Tags"),), "Left out: tags, which alone would fake an AUC of 0.90"),
        ((flag("Tags"), flag("Tags", 0.95)), "Left out: tags, which alone would fake an AUC of 0.90"),
        ((flag("Tags"), flag("notes", None)), "Left out: tags and notes; tags alone would fake an AUC of 0.90"),
        ((flag("Tags", None),), "Left out: tags"),
        (tuple(flag(name, 0.8) for name in "abcdef"), "Left out: a, b, c, d and 2 more; a alone would fake an AUC of "
         "0.80"),
    ],
)  # fmt: skip
def test_what_was_left_out(flags: tuple[Flag, ...], said: str) -> None:
    assert scoring_wording.leakage_title(study(flags=flags)) == said


def test_an_audit_of_too_few_is_undecided() -> None:
    assert scoring_wording.leakage_title(study(undecided="only 9 events")) == "The audit is undecided: only 9 events"


def test_what_would_have_been_claimed_may_be_the_same() -> None:
    def claimed(auc: float) -> str:
        rows = [("", "scorecard", 0.72), ("", "boosting", 0.70), ("tags", "scorecard", auc)]
        return scoring_wording.claims_title(pd.DataFrame(rows, columns=["with_columns", "family", "auc"]))

    assert claimed(0.95) == "With what was left out, the score would claim an AUC of 0.95 instead of 0.72"
    assert claimed(0.70) == "With what was left out, the score would claim an AUC of 0.70 instead of 0.72"
    assert claimed(0.722) == "With what was left out, the score would claim the same AUC of 0.72"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Lowering the line to where a lead pays for itself passes 20 more leads to sales a week, which works 10 "
         "more"),
        ({"even": 0.3, "passed": 25.0, "worked": 39.0}, "Raising the line to where a lead pays for itself passes 15 "
         "fewer leads to sales a week, which works 1 fewer"),
        ({"passed": 41.0, "worked": 40.0}, "Lowering the line to where a lead pays for itself passes 1 more lead to "
         "sales a week, which works as many"),
        ({"passed": 40.1, "worked": 40.0}, "Moving the line to where a lead pays for itself changes next to nothing in "
         "leads and work"),
        ({"even": 0.2}, "The line is where a lead pays for itself"),
    ],
)  # fmt: skip
def test_what_moving_the_line_costs_either_team(changes: dict[str, float], said: str) -> None:
    assert scoring_wording.line_title(curve(**changes)) == said


@pytest.mark.parametrize(
    ("changes", "claim", "end"),
    [
        ({}, "leaves 10 places a week of sales' capacity unused.", "would change value by +$300 a week (95% interval "
         "+$200 to +$400)."),
        ({"work": 49.0, "now": 49.0, "gain": -300.0}, "leaves 1 place a week of sales' capacity unused.", "would "
         "change value by −$300 a week (95% interval −$400 to −$200)."),
        ({"now": 60.0, "work": 50.0, "by": 500.0}, "passes 10 leads a week more than sales can work.", "would make no "
         "clear difference in money."),
        ({"now": 51.0, "work": 50.0, "even": 0.2}, "passes 1 lead a week more than sales can work.", "That is the "
         "assumed line."),
        ({"now": 50.0, "work": 50.0}, "fits the capacity of sales.", "+$400)."),
    ],
)  # fmt: skip
def test_whether_the_threshold_fits(changes: dict[str, float], claim: str, end: str) -> None:
    told = scoring_findings.findings(study(), curve(**changes), _no(), None, _no(), definitions())
    (found,) = [finding for finding in told if finding.evidence == "fig-threshold"]
    assert found.claim == f"The assumed threshold of 20.0% {claim}"
    assert found.detail.endswith(end)


AGREED = {"state": "agreed", "sales_owner": "a", "marketing_owner": "b", "agreed_on": "2026-01-01"}


@pytest.mark.parametrize(("entry", "word"), [({}, "assumed"), ({"state": "proposed"}, "proposed"), (AGREED, "agreed")])
def test_a_threshold_is_called_agreed_only_where_it_is(entry: dict[str, Any], word: str) -> None:
    found = study(scoring=scoring_of(**entry))
    told = scoring_findings.findings(found, curve(even=0.2), _no(), None, _no(), definitions())
    (line,) = [finding for finding in told if finding.evidence == "fig-threshold"]
    assert line.claim.startswith(f"The {word} threshold of 20.0%") and line.detail.endswith(f"That is the {word} line.")
    titled = scoring_wording.threshold_title(curve(), found.scoring, definitions())
    assert titled == f"The {word} threshold is worth $1,000 a week; a lead pays for itself from 10.0% on"


@pytest.mark.parametrize(
    ("skill", "lift", "said"),
    [
        (-0.012, 2.0, "its probabilities are not surely better than the base rate for everybody (Brier skill −0.012, "
         "95% interval −0.062 to 0.038)"),
        (-0.1, 2.0, "its probabilities are surely worse than the base rate for everybody (Brier skill −0.100, 95% "
         "interval −0.150 to −0.050)"),
        (0.1, 1.2, "its lift at capacity is not surely above the assumed minimum of 1.2 (1.20, 95% interval 1.15 to "
         "1.25)"),
        (0.1, 1.0, "its lift at capacity is surely below the assumed minimum of 1.2 (1.00, 95% interval 0.95 to "
         "1.05)"),
        (0.1, 2.0, ""),
    ],
)  # fmt: skip
def test_a_refusal_says_on_which_side_and_within_what(skill: float, lift: float, said: str) -> None:
    assert _unusable(validity(brier_skill=skill, lift=lift), scoring_of()) == said


def test_a_score_that_is_refused_is_not_said_to_be_given_out() -> None:
    masks = {"train": np.ones(5, dtype=bool), "test": np.ones(4, dtype=bool), "day": date(2026, 1, 1)}
    more = {"split": SimpleNamespace(**masks), "known": SimpleNamespace(weight=np.ones(5))}
    end = "The model that was judged is the one that is given out."
    assert scoring._how_judged(study(**more)).endswith(end)
    assert end not in scoring._how_judged(study(**more, usable=False, unusable="thin"))
    rows = [("shade", "Shade", "x", 3, 5, False)]
    points = pd.DataFrame(rows, columns=["feature", "label", "bin", "points", "n", "told"])
    card: Any = SimpleNamespace(points_table=lambda: points, beyond_chance=())
    assert "scorecard.csv beside this report" in scorecard_points.points_table(card, given_out=True).text
    refused = scorecard_points.points_table(card, given_out=False).text
    assert refused.endswith("1 more feature moves scores no more than chance does, by at most 3 points.")


def test_columns_that_nobody_declared_are_counted_where_nothing_has_a_date() -> None:
    def line(*known: str, forward: bool = False) -> str:
        used = tuple(SimpleNamespace(known=one) for one in known)
        return scoring_findings.bottom_line(study(forward=forward, used=used), definitions())

    assert line("undeclared", "before", "undeclared").endswith(
        " Nobody declared when 2 columns that it uses are filled in, so it may know what sales learns later."
    )
    assert "when 1 column that it uses is filled in" in line("undeclared")
    assert "Nobody declared" not in line("before") + line("undeclared", forward=True)


def _no() -> Any:
    from smarketing.measures.results import NotApplicable

    return NotApplicable("nothing")


@pytest.mark.parametrize(
    ("gain", "claim"),
    [
        (
            (500.0, 100.0, 900.0),
            "Working by the score would have put more value into the same places than the present rules.",
        ),
        (
            (-500.0, -900.0, -100.0),
            "Working by the score would have put less value into the same places than the present rules.",
        ),
        ((500.0, -100.0, 900.0), "The score is not clearly better or worse in money than the present rules."),
    ],
)
def test_whether_the_score_brings_more_than_the_present_rules(gain: tuple[float, float, float], claim: str) -> None:
    told = scoring_findings.findings(study(), curve(), _no(), gain, _no(), definitions())
    assert [(claim, "tab-gain")] == [(f.claim, f.evidence) for f in told if "present rules" in f.claim]
    assert scoring_wording.over_present_title(gain) == claim.removesuffix(".")


def test_the_findings_of_a_study_change_sides() -> None:
    def claims(found: Any, promises: Any = None) -> list[str]:
        told = scoring_findings.findings(found, _no(), promises or _no(), None, _no(), definitions())
        return [finding.claim for finding in told]

    assert claims(study()) == ["The score can be trusted to order leads."]
    assert claims(study(forward=False)) == ["The score orders leads, out of fold."]
    refused = study(usable=False, unusable="its lift is not surely above 1.2")
    assert claims(refused) == ["There is no usable score."]
    assert scoring_findings.bottom_line(refused, definitions()) == (
        "No score is given out: its lift is not surely above 1.2."
    )
    assert claims(study(flags=(flag("tags"),)))[1] == "1 column was left out for knowing too much."
    assert claims(study(flags=(flag("tags"), flag("notes"))))[1] == "2 columns were left out for knowing too much."
    assert claims(study(flags=(flag("tags", severity="warn"),)))[1] == "1 column is to be looked at."
    assert claims(study(), bands(True, False))[1] == "1 band did not keep what it promises."
    assert claims(study(), bands(False, False))[1] == "2 bands did not keep what they promise."
    assert claims(study(), bands(True, True)) == claims(study())


def test_a_good_lead_is_said_in_the_words_of_its_label() -> None:
    flat = scoring_of(
        to_stage=None, within_days=None, outcome="converted", weekly_capacity=None, capacity_share=0.2,
        words={"converted": "customer"},
    )  # fmt: skip
    for agreed, said in (
        (scoring_of(), "A lead that reaches Sql within 60 days is ranked above one that does not 75.0% of the time"),
        (flat, "A lead that is marked “customer” is ranked above one that is not 75.0% of the time"),
    ):
        told = scoring_findings.findings(study(scoring=agreed), _no(), _no(), None, _no(), definitions())
        assert told[0].detail.lower().startswith(said.lower())
    assert "of 900 accounts" in told[0].detail
    same = scoring_findings.findings(study(validity(accounts=1_000)), _no(), _no(), None, _no(), definitions())
    assert "accounts" not in same[0].detail


def bands(*kept: bool | None) -> Bands:
    rows = [{"band": "ABC"[at], "promised": 0.4 - 0.1 * at, "rate": 0.25, "kept": one} for at, one in enumerate(kept)]
    return Bands(pd.DataFrame(rows).astype({"kept": object}), "later leads")


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ((True,), "What came of band A is in line with what it promises"),
        ((True, True), "What came of bands A and B is in line with what they promise"),
        ((True, False), "Band B promised 30.0% and 25.0% came true"),
        ((False, False), "Band A promised 40.0% and 25.0% came true and band B promised 30.0% and 25.0% came true"),
        ((None, True), "What came of band B is in line with what it promises"),
        ((None, None), "Too few leads in any band to hold it to its promise"),
    ],
)
def test_which_bands_kept_their_promise(kept: tuple[bool | None, ...], said: str) -> None:
    assert scoring_wording.bands_title(bands(*kept)) == said


def test_the_grid_is_told_by_its_ends() -> None:
    rows = pd.DataFrame(
        [("A", "1", 0.1), ("A", "2", 0.4), ("B", "1", 0.02), ("B", "2", NAN)], columns=["fit", "engagement", "rate"]
    )
    assert scoring_wording.grid_title(Grid(rows, "later leads")) == (
        "Of leads with fit A and engagement 2, 40.0% get there; with fit B and engagement 1, 2.0%"
    )
    assert scoring_wording.grid_title(Grid(rows.tail(1), "")) == "Too few leads to compare fit with engagement"


def test_what_moves_the_score_in_one_word_or_more() -> None:
    def title(*weights: float) -> str:
        rows = [{"label": f"thing {at}", "weight": weight} for at, weight in enumerate(weights)]
        return scoring_wording.importance_title(Importance(pd.DataFrame(rows)))

    assert title(0.4, 0.0) == "Thing 0 moves the score most, 100.0% of all movement"
    assert title(0.4, 0.3, 0.2, 0.1) == "Thing 0, thing 1 and thing 2 move the score most, 90.0% of all movement"
    assert title(0.0) == "The score looks at nothing"
    assert scoring_wording.card_title(["Source"]) == "One feature moves scores beyond chance: source"
    assert scoring_wording.card_title(["Source", "Size"]) == (
        "2 features move scores beyond chance, the widest apart by source"
    )


def test_where_the_score_does_not_hold() -> None:
    def title(*rows: tuple[float, float, bool]) -> str:
        frame = [
            {"by": "region", "group": str(at), "predicted": predicted, "rate": rate, "off": off}
            for at, (predicted, rate, off) in enumerate(rows)
        ]
        return scoring_wording.stability_title(Stability(pd.DataFrame(frame), "later leads"))

    assert title((0.2, 0.3, False)) == "In none of 1 group were probabilities clearly off"
    assert title((0.2, 0.3, True), (0.3, 0.2, True)) == (
        "Probabilities were off in 2 of 2 groups: too low for region 0 and too high for region 1"
    )
    assert title(*[(0.2, 0.3, True)] * 5) == (
        "Probabilities were off in 5 of 5 groups: too low for region 0, too low for region 1, too low for region 2 and "
        "2 more"
    )
    assert title((NAN, NAN, False)) == "Too few leads in any group to say whether the score holds there"


def test_what_competes_for_places_is_counted_in_whole_weeks() -> None:
    def counted(week: Any) -> dict[str, tuple[int, str]]:
        leads = SimpleNamespace(week=week, in_whole_weeks=np.array([1.0, 0.0]), weight=np.ones(2))
        found = study(validity(), leads=leads)
        return {f.name: (f.n, f.n_label) for f in scoring_findings.key_figures(found, None, None, definitions())}  # type: ignore[arg-type]

    assert counted(np.array([1, -1]))["score_lift"] == (1, "leads in whole weeks")
    assert counted(np.array([1, -1]))["score_auc"] == (1_000, "leads")
    assert counted(None)["score_lift"][1] == "leads"
