"""The blocks of a scoring study: from its results to figures and tables.

A part that has nothing to show becomes a sentence that says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.giving.deploy import Given
from smarketing.measures.scoring.models.scorecard import Scorecard
from smarketing.measures.scoring.study import Study
from smarketing.measures.scoring.worth.validity import Gains, Validity, bins
from smarketing.measures.scoring.worth.views import Importance, Stability
from smarketing.measures.view import View
from smarketing.report import charts, formats
from smarketing.report import scoring_wording as wording
from smarketing.report.agreements import agreement_line
from smarketing.report.blocks import Block, figure, not_applicable, note, table
from smarketing.report.scorecard_points import points_table
from smarketing.report.scored_leads import scored_leads

SOURCE = "the company's tables as listed under Provenance"
HEAVIEST = 8
"""How many of the features that move the score a page shows."""


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
        f"{formats.listed([names[c.score] for c in curves])}"
        f", with the diagonal of a random order. {wording.gains_title(study)}.",
        cut_off=found.selected,
        cut_off_label=f"Sales can work {formats.share(found.selected)}",
        captured_label="Share of good leads caught",
        how_to_read="The further a curve bends to the upper left, the sooner good leads are reached."
        + (
            ""
            if study.leads.week is None
            else " The curve takes all leads in one line; week by week, as sales works, the capacity catches "
            f"{formats.share(captured.value)}."
        ),
    )
    return [*blocks, figure(gained), _validity_table(study), *_calibration(study), *_kind_of_model(study)]


def _how_judged(study: Study) -> str:
    if study.split is None:
        return (
            "The export has no dates, so the score was judged out of fold: each lead by a model that had not seen it. "
            "Whether it holds for later leads is unknown."
        )
    return (
        f"Fitted on {formats.count(int((study.split.train & (study.known.weight > 0)).sum()))} leads scored by "
        f"{formats.day(study.split.day)}, with "
        f"only what was known on that day; judged once, on the {formats.count(int(study.split.test.sum()))} leads "
        "after "
        f"it whose {study.scoring.within_days} days were over."
        + (" The model that was judged is the one that is given out." if study.usable else "")
    )


def _validity_table(study: Study) -> Block:
    columns: list[tuple[str, Validity]] = [
        (formats.opening(wording.SCORES[name]), found) for name, found in study.later.items()
    ]
    if study.unseen is not None:
        columns.append(("New accounts", study.unseen))
    if study.at_random is not None:
        columns.append(("Random split", study.at_random))
    names = {name: label for name, label in wording.NAMES.items() if name in wording.SHOWN}
    rows = [
        {"Score": heading} | {label: _with_interval(found, name) for name, label in names.items()}
        for heading, found in columns
    ]
    withheld = [f"{heading}: withheld, {found.reason}." for heading, found in columns if found.reason]
    flattered = _flattered(study)
    return table(
        pd.DataFrame(rows),
        id="tab-validity",
        title=f"What the score is worth, beside what could be used instead{flattered}",
        subtitle=" ".join(
            ["Value and 95% interval by account; the glossary says what each measures.", *_meanings(study), *withheld]
        ),
        source=SOURCE,
    )


def _meanings(study: Study) -> list[str]:
    """Say what the rows of other leads are, where there are any."""
    said = []
    if study.unseen is not None:
        said.append("New accounts: later leads of accounts that the score never met.")
    if study.at_random is not None:
        said.append("Random split: what a split without regard to time would have claimed.")
    return said


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
        return formats.MISSING
    one = found.measure(name)
    unit = "share" if name == "captured" else "number"
    if math.isnan(one.value):
        return formats.MISSING
    return wording.with_interval(one.value, one.lower, one.upper, unit)


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
        subtitle=f"Observed rate by predicted probability, in {formats.many(len(found), 'group')} of about equal "
        f"size; 95% intervals keep an account's leads together. {_calibrated(study)}",
        source=SOURCE,
        alt=f"Dots with 95% intervals of the observed rate against the predicted probability, and the diagonal. "
        f"{wording.calibration_title(study)}.",
        top_label=f"Top group: {formats.share(top.mean_probability)} predicted, {formats.share(top.rate)} came true",
    )
    return [figure(drawn)]


def _calibrated(study: Study) -> str:
    """Say the two numbers of the calibration line."""
    found = study.validity
    assert found is not None
    intercept, slope = (_with_interval(found, name) for name in ("calibration_intercept", "calibration_slope"))
    return f"Calibration intercept {intercept}, slope {slope}; 0 and 1 are right."


def _kind_of_model(study: Study) -> list[Block]:
    """Say which kind of model was taken, and how both did within the training leads."""
    if study.families.empty or study.choice is None:
        return []
    rows = study.families[study.families["measure"] == "auc"].set_index("score")
    both = [
        f"{name} {wording.with_interval(*(rows.at[name, of] for of in ('value', 'lower', 'upper')))}"
        for name in ("scorecard", "boosting")
        if name in rows.index
    ]
    aucs = f" AUC out of fold within the training leads: {formats.listed(both)}." if both else ""
    return [note(f"{study.choice.reason.removesuffix('.')}.{aucs}", heading="Which kind of model.")]


def what_it_looks_at(study: Study, found: Importance | NotApplicable) -> list[Block]:
    """Show which features move the score, and the scorecard where that is the model."""
    if isinstance(found, NotApplicable):
        return [not_applicable("What the score looks at", found.reason)]
    rows = found.rows[found.rows["weight"] > 0].head(HEAVIEST)
    rows = rows.assign(label=rows["label"].map(formats.opening))
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
        blocks.append(points_table(study.model, given_out=study.usable))
    return blocks


def does_it_hold(study: Study, found: Stability) -> list[Block]:
    """Show the score by quarter and segment, or say why there are none to show."""
    if found.rows.empty:
        return [not_applicable("Whether the score holds", _not_parted(study))]
    by = list(dict.fromkeys(found.rows["by"]))
    frame = found.rows.assign(by=found.rows["by"].map(formats.opening)).rename(
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
            "off": "Off",
            "reason": "Why withheld",
        }
    )
    frame["Off"] = [
        "" if reason else "yes" if off else "no"
        for off, reason in zip(frame["Off"], frame["Why withheld"], strict=True)
    ]
    thin = [f"{row['By']} {row['Group']}, {row['Why withheld']}" for _, row in frame.iterrows() if row["Why withheld"]]
    frame = frame.drop(columns="Why withheld")
    withheld = f" Withheld: {'; '.join(thin)}." if thin else ""
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
            subtitle=f"Order (AUC, 95% interval) and probabilities by {_and(by)}; {found.what}, by account. At least "
            "and At most hold the observed rate with 95% certainty for all groups together; Off: the prediction is "
            f"outside of them.{withheld}",
            source=SOURCE,
        )
    ]


def _and(names: list[str]) -> str:
    return formats.listed([formats.inside(name) for name in names])


def _not_parted(study: Study) -> str:
    """Say why there is no group to hold the score against."""
    if study.leads is None or study.model is None:
        return study.unusable or "nothing was judged"
    if study.forward:
        return "the leads that were judged have no quarter or segment to part them by"
    return (
        "the export has no dates, so there is no later time for it to hold in, and no region or source parts its leads"
    )


def what_is_given_out(study: Study, given: Given | None, files: Sequence[str]) -> list[Block]:
    """Show how many open leads were scored into which band, and the files beside the report; or that there are none."""
    if study.unusable or given is None:
        return [not_applicable("Scored leads", study.unusable or "nothing was fitted")]
    return scored_leads(given.scored, files, dated=given.dated, capacity=study.scoring.weekly_capacity)
