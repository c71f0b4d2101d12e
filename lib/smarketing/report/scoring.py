"""The blocks of a scoring study: from its results to figures and tables.

A part that has nothing to show becomes a sentence that says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.deploy import Given
from smarketing.measures.scoring.scorecard import Scorecard
from smarketing.measures.scoring.study import Study
from smarketing.measures.scoring.validity import Gains, Validity, bins
from smarketing.measures.scoring.views import Importance, Stability
from smarketing.measures.view import View
from smarketing.report import charts, formats
from smarketing.report import scoring_wording as wording
from smarketing.report.agreements import agreement_line
from smarketing.report.blocks import Block, figure, not_applicable, note, table
from smarketing.report.scored_leads import scored_leads

SOURCE = "the company's tables as listed under Provenance"


def title(view: View, study: Study) -> list[tuple[str, str]]:
    """Return what stands under the title: data as of, what a good lead is, which leads were judged, definitions."""
    judged = "" if study.leads is None else f"{formats.count(len(study.leads))} {study.leads.what}"
    return [
        ("Data as of", formats.day(view.asked)),
        ("A good lead", wording.target_words(study.scoring, view.definitions)),
        *([("Judged on", judged)] if judged else []),
        ("Scope", view.scope.label),
        ("Definitions", agreement_line(view.definitions)),
    ]


def can_it_be_trusted(study: Study, curves: Sequence[Gains]) -> list[Block]:
    """Show what the score catches, whether its probabilities hold, and how it compares."""
    blocks: list[Block] = [note(_how_judged(study), heading="How it was judged.")]
    if study.unusable:
        blocks.append(note(f"{formats.opening(study.unusable)}. Nothing is exported.", heading="No usable score."))
    found = study.validity
    if found is None or found.reason or study.leads is None:
        return [*blocks, not_applicable("The score's validity", found.reason if found else study.unusable)]
    names = wording.SCORES
    lines = pd.concat(
        [
            pd.DataFrame(
                {
                    "line": formats.opening(names[curve.score]),
                    "called": curve.share,
                    "captured": curve.captured,
                    "lower": curve.lower if curve.score == "score" else math.nan,
                    "upper": curve.upper if curve.score == "score" else math.nan,
                    "emphasis": curve.score == "score",
                }
            )
            for curve in curves
        ],
        ignore_index=True,
    )
    captured = found.measure("captured")
    gained = charts.gains(
        lines,
        id="fig-gains",
        title=wording.gains_title(study),
        subtitle=f"Share of good leads caught by the share of leads called, best first; {formats.count(found.n)} "
        f"{found.what} of {formats.count(found.accounts)} accounts. The band is a 95% interval that keeps an "
        "account's leads together.",
        source=SOURCE,
        alt=f"Curves of good leads caught by share of leads called, for "
        f"{formats.listed([names[c.score] for c in curves])}, with the diagonal of a random order. "
        f"{wording.gains_title(study)}.",
        cut_off=found.selected,
        cut_off_label=f"Sales can work {formats.share(found.selected)}",
        captured_label="Share of good leads caught",
        how_to_read="The further a curve bends to the upper left, the sooner good leads are reached. The curve takes "
        f"all leads in one line; week by week, as sales works, the capacity catches {formats.share(captured.value)}.",
    )
    return [*blocks, figure(gained), _validity_table(study), *_calibration(study), *_families(study)]


def _how_judged(study: Study) -> str:
    if study.split is None:
        return (
            "The export has no dates, so the score was judged out of fold: each lead by a model that had not seen it. "
            "Whether it holds for later leads is unknown."
        )
    return (
        f"Fitted on {formats.count(int(study.split.train.sum()))} leads scored by {formats.day(study.split.day)}, "
        f"with only what was known on that day; judged once, on the {formats.count(int(study.split.test.sum()))} "
        f"leads after it whose {study.scoring.within_days} days were over. The model that was judged is the one that "
        "is given out."
    )


def _validity_table(study: Study) -> Block:
    columns: list[tuple[str, Validity]] = [
        (formats.opening(wording.SCORES[name]), found) for name, found in study.later.items()
    ]
    if study.unseen is not None:
        columns.append(("New accounts", study.unseen))
    if study.at_random is not None:
        columns.append(("Random split", study.at_random))
    rows = [
        {"Score": heading} | {label: _with_interval(found, name) for name, label in wording.NAMES.items()}
        for heading, found in columns
    ]
    flattered = _flattered(study)
    return table(
        pd.DataFrame(rows),
        id="tab-validity",
        title=f"What the score is worth, beside what could be used instead{flattered}",
        subtitle=f"Value and 95% interval by account. {wording.MEANING} New accounts: later leads of accounts that the "
        "score never met. Random split: what a split without regard to time would have claimed.",
        source=SOURCE,
    )


def _flattered(study: Study) -> str:
    random, later = study.at_random, study.validity
    if random is None or later is None or random.reason:
        return ""
    gap = random.measure("auc").value - later.measure("auc").value
    if abs(gap) < 0.005:
        return "; a random split would have said the same"
    return f"; a random split would have claimed an AUC {abs(gap):.2f} {'higher' if gap > 0 else 'lower'}"


def _with_interval(found: Validity, name: str) -> str:
    if found.reason:
        return "withheld: " + found.reason
    one = found.measure(name)
    unit = "share" if name == "captured" else "number"
    if math.isnan(one.value):
        return formats.MISSING
    return f"{_two(one.value, unit)} ({_two(one.lower, unit)} to {_two(one.upper, unit)})"


def _two(value: float, unit: str) -> str:
    if unit == "share":
        return formats.share(value)
    return formats.MISSING if not math.isfinite(value) else f"{value:.2f}".replace("-", formats.MINUS)


def _calibration(study: Study) -> list[Block]:
    assert study.leads is not None
    found = bins(study.leads, study.probability)
    frame = pd.DataFrame(
        {
            "predicted": [b.mean_probability for b in found],
            "observed": [b.rate for b in found],
            "lower": [b.lower for b in found],
            "upper": [b.upper for b in found],
            "n": [b.n for b in found],
        }
    )
    top = found[-1]
    drawn = charts.calibration(
        frame,
        id="fig-calibration",
        title=wording.calibration_title(study),
        subtitle=f"Observed rate by predicted probability, in {len(found)} groups of about equal size; 95% intervals "
        "keep an account's leads together.",
        source=SOURCE,
        alt=f"Dots with 95% intervals of the observed rate against the predicted probability, and the diagonal. "
        f"{wording.calibration_title(study)}.",
        top_label=f"Top group: {formats.share(top.mean_probability)} predicted, {formats.share(top.rate)} came true",
    )
    return [figure(drawn)]


def _families(study: Study) -> list[Block]:
    if study.families.empty or study.choice is None:
        return []
    rows = []
    for measure in ("auc", "brier_skill", "calibration_slope"):
        row: dict[str, object] = {"Measure": wording.NAMES[measure]}
        for family, heading in (("scorecard", "Scorecard"), ("boosting", "Boosting")):
            one = study.families[(study.families["score"] == family) & (study.families["measure"] == measure)]
            if len(one):
                value = one.iloc[0]
                row[heading] = f"{value['value']:.3f} ({value['lower']:.3f} to {value['upper']:.3f})"
        rows.append(row)
    return [
        table(
            pd.DataFrame(rows),
            id="tab-families",
            title=study.choice.reason.removesuffix("."),
            subtitle="Both kinds of model, out of fold within the training leads. The one that a person can add up is "
            "taken unless the other is better by more than its uncertainty.",
            source=SOURCE,
        )
    ]


def what_was_left_out(study: Study, claimed: pd.DataFrame) -> list[Block]:
    """Show the flags of the leakage audit, what the flagged columns would have claimed, and the strongest columns."""
    blocks: list[Block] = []
    flags = study.audit.flags
    if flags:
        frame = pd.DataFrame(
            [
                {
                    "Code": flag.code,
                    "Column": flag.label,
                    "What was found": flag.evidence,
                    "AUC alone": math.nan if flag.fakes is None else flag.fakes,
                    "What to do": flag.remedy,
                }
                for flag in flags
            ]
        )
        blocks.append(
            table(
                frame,
                id="tab-leakage",
                title=wording.leakage_title(study),
                formats={"AUC alone": "number"},
                subtitle="Asked of every column before anything is fitted, on the training leads.",
                source=SOURCE,
            )
        )
    else:
        blocks.append(note(f"{wording.leakage_title(study)}.", heading="Leakage audit."))
    if len(claimed):
        blocks.append(_claims(claimed))
    powers = study.audit.powers.dropna(subset=["auc"]).head(10)
    if len(powers):
        frame = powers.rename(
            columns={
                "label": "Column",
                "filled": "Filled in",
                "auc": "AUC alone",
                "auc_lower": "From",
                "auc_upper": "To",
                "rate_filled": "Good, where filled",
                "rate_blank": "Good, where blank",
            }
        )[["Column", "Filled in", "AUC alone", "From", "To", "Good, where filled", "Good, where blank"]]
        shares = dict.fromkeys(("Filled in", "Good, where filled", "Good, where blank"), "share")
        blocks.append(
            table(
                frame,
                id="tab-powers",
                title=f"{formats.opening(powers.iloc[0]['label'])} is the strongest column alone, AUC "
                f"{formats.number(powers.iloc[0]['auc'])}",
                formats=shares | dict.fromkeys(("AUC alone", "From", "To"), "number"),
                subtitle="How far each column alone separates good leads from others; 0.5 is not at all.",
                source=SOURCE,
            )
        )
    return blocks


def what_it_looks_at(study: Study, found: Importance | NotApplicable) -> list[Block]:
    """Show which features move the score, and the scorecard where that is the model."""
    if isinstance(found, NotApplicable):
        return [not_applicable("What the score looks at", found.reason)]
    rows = found.rows[found.rows["weight"] > 0].head(12)
    blocks: list[Block] = []
    if len(rows):
        drawn = charts.reasons(
            rows.assign(value=rows["weight"], emphasis=rows.index < 3)[["label", "value", "emphasis"]],
            id="fig-importance",
            title=wording.importance_title(found),
            subtitle="Mean size of each feature's part of the log-odds over the judged leads, the heaviest first.",
            source=SOURCE,
            alt=f"Horizontal bars of how far each feature moves the score on average. "
            f"{wording.importance_title(found)}.",
            signed=False,
            label_name="Feature",
            value_label="Mean size of its part",
        )
        blocks.append(figure(drawn))
    if isinstance(study.model, Scorecard):
        blocks.append(_card(study.model))
    return blocks


def _card(model: Scorecard) -> Block:
    """Show the points of the features that move scores beyond chance; the whole card stands beside the report."""
    points = model.points_table()
    main = points[points["feature"].isin(model.beyond_chance) & ((points["n"] > 0) | (points["points"] != 0))]
    others = points[~points["feature"].isin(model.beyond_chance)]
    frame = main.rename(columns={"label": "Feature", "bin": "Value", "points": "Points", "n": "Leads", "rate": "Good"})
    frame["Feature"] = frame["Feature"].map(formats.opening).where(~frame["Feature"].duplicated(), "")
    rest = ""
    if len(others):
        most = int(others["points"].abs().max())
        rest = (
            f" {formats.many(others['feature'].nunique(), 'more feature')} that move scores no more than chance does "
            f"give at most {formats.many(most, 'point')} each; scorecard.csv beside this report holds them all."
        )
    return table(
        frame[["Feature", "Value", "Points", "Leads", "Good"]],
        id="tab-scorecard",
        title=f"The scorecard: {formats.many(main['feature'].nunique(), 'feature')} that move scores beyond chance, "
        "add up",
        formats={"Points": "count", "Leads": "count", "Good": "share"},
        subtitle=_adding_up(model) + rest,
        source=SOURCE,
    )


def _claims(claimed: pd.DataFrame) -> Block:
    """Show what the models would have claimed with the columns that were left out."""
    frame = pd.DataFrame(
        {
            "Columns let in": claimed["with_columns"].replace("", "none: the models that were used"),
            "Model": claimed["family"],
            "AUC": claimed["auc"],
            "From": claimed["lower"],
            "To": claimed["upper"],
        }
    )
    used, best = claimed[claimed["with_columns"] == ""]["auc"].max(), claimed["auc"].max()
    return table(
        frame,
        id="tab-claims",
        title=f"With what was left out, the score would claim an AUC of {formats.number(best)} instead of "
        f"{formats.number(used)}",
        formats=dict.fromkeys(("AUC", "From", "To"), "number"),
        subtitle="Out of fold within the training leads, 95% interval by account. What is known only after the first "
        "talk cannot be used before it, so such an AUC would never come true.",
        source=SOURCE,
    )


def _adding_up(model: Scorecard) -> str:
    totals = (-20, -10, 0, 10, 20)
    said = ", ".join(
        f"{formats.MINUS if total < 0 else ''}{abs(total)} points {formats.share(model.probability_at(total))}"
        for total in totals
    )
    return f"0 points is the average lead. Add up a lead's points: {said}."


def does_it_hold(found: Stability) -> list[Block]:
    """Show the score by quarter and segment."""
    if found.rows.empty:
        return [not_applicable("Whether the score holds", "nothing was judged")]
    frame = found.rows.rename(
        columns={
            "by": "By",
            "group": "Group",
            "n": "Leads",
            "events": "Good",
            "auc": "AUC",
            "auc_lower": "From",
            "auc_upper": "To",
            "predicted": "Predicted",
            "rate": "Observed",
            "lower": "At least",
            "upper": "At most",
            "reason": "Why withheld",
        }
    )
    if not frame["Why withheld"].astype(bool).any():
        frame = frame.drop(columns="Why withheld")
    kinds = {"Leads": "count", "Good": "count"} | dict.fromkeys(("AUC", "From", "To"), "number")
    kinds |= dict.fromkeys(("Predicted", "Observed", "At least", "At most"), "share")
    for name in ("AUC", "From", "To"):
        frame[name] = frame[name].replace([np.inf, -np.inf], np.nan).astype(float).round(3)
    return [
        table(
            frame,
            id="tab-stability",
            title=wording.stability_title(found),
            formats=kinds,
            subtitle=f"Order (AUC) and probabilities by quarter and segment; {found.what}, 95% intervals by account.",
            source=SOURCE,
        )
    ]


def what_is_given_out(study: Study, given: Given | None, files: Sequence[str]) -> list[Block]:
    """Show how many open leads were scored into which band, and the files beside the report; or that there are none."""
    if study.unusable or given is None:
        return [not_applicable("Scored leads", study.unusable or "nothing was fitted")]
    return scored_leads(given.scored, files)
