"""Sentences about a score, computed from a study: whether it can be trusted, what it brings, where the line is drawn.

A score is an association: sentences say what the model saw and what came of it, never what somebody should do to a
lead. Differences whose interval includes zero are not called differences.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from smarketing.company.definitions import Definitions
from smarketing.company.scoring import Scoring
from smarketing.measures.scoring.audit.leakage import Flag
from smarketing.measures.scoring.study import Study
from smarketing.measures.scoring.worth.threshold import Bands, CostCurve
from smarketing.measures.scoring.worth.validity import Measured
from smarketing.measures.scoring.worth.views import Grid, Importance, Stability
from smarketing.report import formats

NAMES = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "lift": "Lift at capacity",
    "captured": "Caught at capacity",
    "brier_skill": "Brier skill",
    "calibration_intercept": "Calibration intercept",
    "calibration_slope": "Calibration slope",
}
SHOWN = ("auc", "lift", "captured", "brier_skill", "calibration_slope")
"""What a page has room for; a model's card holds all."""
SCORES = {"score": "this score", "present": "the present rules", "newest": "newest first"}


def target_words(scoring: Scoring, definitions: Definitions) -> str:
    """Return what a good lead does, within a sentence."""
    if scoring.to_stage is None:
        return f"is marked “{scoring.words.get(str(scoring.outcome), scoring.outcome)}”"
    return f"reaches {definitions.stages.label(scoring.to_stage)} within {scoring.within_days} days"


def target_not(scoring: Scoring) -> str:
    """Return the end of "a lead that (`target_words`), above one that ..."."""
    return "is not" if scoring.to_stage is None else "does not"


def threshold_word(scoring: Scoring) -> str:
    """Return how firm the threshold and the minimum are: ``agreed``, ``proposed`` or ``assumed``."""
    return scoring.state


def gains_title(study: Study) -> str:
    """Title the gains curve by what the capacity catches, against the present rules where they are known."""
    found = study.validity
    if found is None or found.reason:
        return f"The score cannot be judged: {found.reason if found else study.unusable}"
    captured = found.measure("captured")
    text = (
        f"Working {formats.share(found.selected)} of leads by score catches "
        f"{formats.share(captured.value)} of good ones"
    )
    present = study.later.get("present")
    if present is not None and not present.reason:
        text += f"; the present rules catch {formats.share(present.measure('captured').value)}"
    return text


def calibration_title(study: Study) -> str:
    """Title the calibration chart by whether probabilities mean what they say."""
    found = study.validity
    if found is None or found.reason:
        return "Whether probabilities can be taken at their word is withheld"
    intercept, slope = found.measure("calibration_intercept"), found.measure("calibration_slope")
    if intercept.lower > 0 or intercept.upper < 0:
        side = "too low" if intercept.value > 0 else "too high"
        predicted = float(np.average(study.probability, weights=study.leads.weight)) if study.leads else math.nan
        return (
            f"Probabilities are {side} on average: {formats.share(predicted)} predicted, {formats.share(found.rate)} "
            "came true"
        )
    if slope.lower > 1 or slope.upper < 1:
        return f"Probabilities are right on average, and too {'timid' if slope.value > 1 else 'extreme'} at the ends"
    return "Probabilities can be taken at their word: no clear departure from what happened"


def left_out(study: Study) -> list[Flag]:
    """Return one flag for each column that the audit takes out, the gravest of its flags."""
    found: dict[str | None, Flag] = {}
    for flag in study.audit.flags:
        if flag.severity == "exclude":
            found.setdefault(flag.feature, flag)
    return list(found.values())


def leakage_title(study: Study) -> str:
    """Title the audit by the columns that give the outcome away, with the AUC that they fake."""
    out = left_out(study)
    if study.audit.reason:
        return f"The audit is undecided: {study.audit.reason}"
    if not out:
        return "No column gives the outcome away"
    labels = [formats.inside(flag.label) for flag in out]
    text = f"Left out: {first(labels, 4)}"
    faked = [flag for flag in out if flag.fakes is not None]
    if faked:
        worst = max(faked, key=lambda flag: flag.fakes or 0.0)
        which = ", which" if len(out) == 1 else f"; {formats.inside(worst.label)}"
        text += f"{which} alone would fake an AUC of {formats.number(worst.fakes)}"
    return text


def claims_title(claimed: pd.DataFrame) -> str:
    """Title what would have been claimed with the columns that were left out, by how far it lies from what is."""
    used, best = (
        float(claimed[of]["auc"].max()) for of in (claimed["with_columns"] == "", claimed["with_columns"] != "")
    )
    if f"{best:.2f}" == f"{used:.2f}":
        return f"With what was left out, the score would claim the same AUC of {used:.2f}"
    return f"With what was left out, the score would claim an AUC of {best:.2f} instead of {used:.2f}"


def first(words: Sequence[str], most: int) -> str:
    """Return the first words of a list and how many more there are: ``a, b and 3 more``."""
    return formats.listed([*words[:most], f"{len(words) - most} more"] if len(words) > most else words)


def threshold_title(curve: CostCurve, scoring: Scoring, definitions: Definitions) -> str:
    """Title the cost curve by what the threshold in force is worth and where a lead pays for itself."""
    at, even = curve.at("agreed"), curve.at("break-even")
    currency = definitions.money.reporting_currency
    return (
        f"The {threshold_word(scoring)} threshold is worth {formats.money(at['value'], currency)} {curve.per}; a lead "
        f"pays for itself from {formats.share(even['threshold'])} on"
    )


def over_present_title(gain: tuple[float, float, float]) -> str:
    """Title the money that the score brings over the present rules by its side, where it has one."""
    value, low, high = gain
    if low > 0 or high < 0:
        side = "more" if value > 0 else "less"
        return f"Working by the score would have put {side} value into the same places than the present rules"
    return "The score is not clearly better or worse in money than the present rules"


def line_title(curve: CostCurve) -> str:
    """Title the table of thresholds by what moving the line to break-even changes for marketing and for sales."""
    at, even = curve.at("agreed"), curve.at("break-even")
    passed, worked = (float(even[name] - at[name]) for name in ("passed", "worked"))
    if at["threshold"] == even["threshold"]:
        return "The line is where a lead pays for itself"
    if max(abs(round(passed)), abs(round(worked))) == 0:
        return "Moving the line to where a lead pays for itself changes next to nothing in leads and work"
    verb = "Lowering" if even["threshold"] < at["threshold"] else "Raising"
    return (
        f"{verb} the line to where a lead pays for itself passes {_more(passed)} to sales {curve.per}, which works "
        f"{_more(worked, of='')}"
    )


def _more(change: float, of: str = "lead") -> str:
    """Return ``9 more leads``, ``1 fewer lead`` or ``no more leads``; without ``of`` the noun is left out."""
    number = abs(round(change))
    word = "more" if change > 0 else "fewer"
    if number == 0:
        return f"as many {of}s" if of else "as many"
    return f"{formats.count(number)} {word}" + (f" {of}{'s' * (number != 1)}" if of else "")


def card_title(features: Sequence[str]) -> str:
    """Title the scorecard by the features whose values lie furthest apart, the widest first."""
    widest = formats.inside(features[0])
    if len(features) == 1:
        return f"One feature moves scores beyond chance: {widest}"
    return f"{len(features)} features move scores beyond chance, the widest apart by {widest}"


def bands_title(found: Bands) -> str:
    """Title the bands by which of them kept what they promise."""
    judged = found.rows[found.rows["kept"].notna()]
    if judged.empty:
        return "Too few leads in any band to hold it to its promise"
    if judged["kept"].all():
        names = judged["band"].tolist()
        if len(names) == 1:
            return f"What came of band {names[0]} is in line with what it promises"
        return f"What came of bands {formats.listed(names)} is in line with what they promise"
    said = [
        f"band {row['band']} promised {formats.share(row['promised'])} and {formats.share(row['rate'])} came true"
        for _, row in judged[judged["kept"].eq(False)].iterrows()
    ]
    return formats.opening(formats.listed(said))


def grid_title(found: Grid) -> str:
    """Title the grid by its best and its poorest cell, where both are shown."""
    shown = found.rows.dropna(subset=["rate"])
    if len(shown) < 2:
        return "Too few leads to compare fit with engagement"
    best, poorest = shown.loc[shown["rate"].idxmax()], shown.loc[shown["rate"].idxmin()]
    return (
        f"Of leads with fit {best['fit']} and engagement {best['engagement']}, {formats.share(best['rate'])} get "
        f"there; with fit {poorest['fit']} and engagement {poorest['engagement']}, {formats.share(poorest['rate'])}"
    )


def importance_title(found: Importance) -> str:
    """Title what the score looks at by its heaviest features."""
    rows = found.rows[found.rows["weight"] > 0]
    if rows.empty:
        return "The score looks at nothing"
    share = rows["weight"].head(3).sum() / rows["weight"].sum()
    names = rows["label"].head(3).tolist()
    verb = "moves" if len(names) == 1 else "move"
    return f"{formats.opening(formats.listed(names))} {verb} the score most, {formats.share(share)} of all movement"


def stability_title(found: Stability) -> str:
    """Title the score's steadiness by the groups in which probabilities were clearly off."""
    shown = found.rows.dropna(subset=["rate"])
    if shown.empty:
        return "Too few leads in any group to say whether the score holds there"
    off = shown[shown["off"].astype(bool)]
    if off.empty:
        return f"In none of {formats.many(len(shown), 'group')} were probabilities clearly off"
    named = [
        f"too {'low' if row['predicted'] < row['rate'] else 'high'} for {row['by']} {row['group']}"
        for _, row in off.iterrows()
    ]
    return f"Probabilities were off in {len(off)} of {formats.many(len(shown), 'group')}: {first(named, 3)}"


def measured_text(found: Measured) -> str:
    """Return a measure with two decimals and its interval, an end that is not known as `open`."""
    if math.isnan(found.value):
        return formats.MISSING
    ends = [f"{end:.2f}" if math.isfinite(end) else "open" for end in (found.lower, found.upper)]
    return rounded(f"{found.value:.2f} ({ends[0]} to {ends[1]})")


def two_decimals(value: float, unit: str) -> str:
    """Return a number with two decimals, or a share; an end of an interval that is not bounded is open."""
    if not math.isfinite(value):
        return "open"
    return formats.share(value) if unit == "share" else f"{round(value, 2) + 0.0:.2f}".replace("-", formats.MINUS)


def with_interval(value: float, lower: float, upper: float, unit: str = "number") -> str:
    """Return a number or a share with its interval, as `two_decimals` writes them."""
    return f"{two_decimals(value, unit)} ({two_decimals(lower, unit)} to {two_decimals(upper, unit)})"


def rounded(text: str) -> str:
    """Return the numbers of a card's text with two decimals."""
    return re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.2f}", text).replace("-", formats.MINUS)
