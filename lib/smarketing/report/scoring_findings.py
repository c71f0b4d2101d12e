"""What a scoring study says in its own name: bottom line, key figures, findings, methods and limits."""

from __future__ import annotations

import math

from smarketing.company.definitions import Definitions
from smarketing.measures.results import Finding, KeyFigure, NotApplicable, Status, Unit
from smarketing.measures.scoring.contact.uplift import Uplift
from smarketing.measures.scoring.study import Study, tested_days
from smarketing.measures.scoring.worth.threshold import Bands, CostCurve
from smarketing.measures.scoring.worth.validity import Measured, Validity
from smarketing.report import formats, uplift_wording
from smarketing.report.scoring_wording import (
    bands_title,
    leakage_title,
    left_out,
    over_present_title,
    target_not,
    target_words,
    threshold_word,
)

THEME = "lead quality and the score"

METHODS = (
    (
        "Label",
        "A lead counts as good when it reaches the stage within the days after its scoring moment. Another exit "
        "before that is a known no. Leads too young to know are neither: those that are known stand in for them, by "
        "the inverse of their chance to be known (IPCW; Vock et al. 2016).",
    ),
    (
        "Split",
        "Forward in time. The model learns from leads scored by the split day, with what was known on that day; later "
        "leads whose days are over judge it, once. Without dates, folds that keep accounts together.",
    ),
    (
        "Models",
        "A scorecard of whole points (ridge logistic regression on binned features) and gradient boosting, each with "
        "one logistic map fitted out of fold. Boosting is taken only where its out-of-fold log loss is lower by more "
        "than 1.96 standard errors, accounts kept together.",
    ),
    (
        "Enough data",
        "Parameters that the training leads can carry by Riley et al. (2020), taking 15% of what could be explained as "
        "explained. A scorecard with more is drawn towards the average lead until no more are free; fewer than ten, "
        "and none is fitted.",
    ),
    (
        "Intervals of validity",
        "95%, from drawing whole accounts; scores on the same leads share the draws.",
    ),
    (
        "No usable score",
        "Where the lower limit of the Brier skill on the judged leads is 0 or less, or that of the lift at capacity "
        "is at most the minimum of the definitions. Nothing is exported then.",
    ),
    (
        "Reasons",
        "Parts of the log-odds that add up exactly: points of the scorecard against the average lead, or Shapley "
        "values of the boosted trees (Lundberg & Lee 2017).",
    ),
    (
        "Value of a threshold",
        "Good leads reached x value of the stage less the cost of every lead worked, best first, as far as "
        "the capacity goes: week by week, or of all leads at once in an export without dates. That leads not worked do "
        "not get there is an assumption.",
    ),
)

GLOSSARY = (
    ("95% interval", "the range of true values that the data do not contradict; 95 of 100 such ranges hold the truth"),
    ("Account", "a company; several leads may belong to one, and they succeed and fail together"),
    ("AUC", "how often a good lead stands above another one; 50% is chance"),
    ("Band", "a range of probability with a letter; what it promises is its mean probability"),
    (
        "Calibration slope",
        "how far probabilities spread against what came true: 1 is right, below 1 they are too extreme, above 1 too "
        "timid",
    ),
    ("Caught at capacity", "the share of all good leads that is among those that sales can work"),
    ("Break-even", "the probability from which on a lead is worth the cost of working it"),
    ("Brier skill", "how much of the error of always saying the average the probabilities save; 0 is nothing"),
    ("Calibration", "whether of leads with a probability of 20% one in five gets there"),
    ("Capacity", "how many leads sales can work in a week"),
    ("Exploration", "leads below the line that are worked all the same, drawn at random, so that errors are noticed"),
    ("Lift", "how many times as many good leads are among those picked as among as many picked at random"),
    (
        "LK01 to LK06",
        "the signs of the leakage audit of 40_lead_scoring that a column knows the outcome; its table says what each "
        "means",
    ),
    ("Log-odds", "the logarithm of the probability over its opposite; in it the parts of a score add up"),
    ("Out of fold", "each lead scored by a model fitted on the others, its account's leads left out too"),
    (
        "Qini",
        "what contact adds as more of a list is contacted, best by a score first; the coefficient is its area over "
        "that of a random order",
    ),
    ("Qualified (MQL)", "a lead at or above the threshold of the definitions"),
    ("Scoring moment", "when a lead is scored; nothing dated later is used"),
)


AT_CAPACITY = ("score_lift", "score_captured", "score_threshold_value", "score_gain")


def bottom_line(study: Study, definitions: Definitions) -> str:
    """Say whether there is a score, and what it catches at the capacity of sales."""
    if study.unusable:
        return f"No score is given out: {study.unusable}."
    found = study.validity
    assert found is not None
    lift, captured = found.measure("lift"), found.measure("captured")
    how = (
        "On later leads, which it was not fitted on,"
        if study.forward
        else "Out of fold, with forward validity unknown,"
    )
    undeclared = sum(feature.known == "undeclared" for feature in study.used)
    unknown = (
        f" Nobody declared when {formats.many(undeclared, 'column')} that it uses "
        f"{'is' if undeclared == 1 else 'are'} filled in, so it may know what sales learns later."
        if undeclared and not study.forward
        else ""
    )
    return (
        f"{how} the score puts {formats.share(captured.value)} of good leads (95% interval "
        f"{formats.interval(captured.lower, captured.upper, 'share')}) into the {formats.share(found.selected)} that "
        f"sales can work: {formats.number(lift.value)} times a random pick "
        f"({formats.interval(lift.lower, lift.upper, 'number')}).{unknown}"
    )


def key_figures(
    study: Study, curve: CostCurve | NotApplicable, gain: tuple[float, float, float] | None, definitions: Definitions
) -> tuple[KeyFigure, ...]:
    """Return what the ledger keeps of a study."""
    found = study.validity
    if found is None or study.leads is None:
        return ()
    period = _period(study)
    accounts = "95% interval from drawing whole accounts"

    # What competes for places is judged in whole weeks only.
    weekly = study.leads.week is not None
    in_weeks = int((study.leads.in_whole_weeks > 0).sum())

    def of(name: str, label: str, unit: Unit, measured: Measured, evidence: str, **more: object) -> KeyFigure:
        shown = not found.reason and math.isfinite(measured.value)
        return KeyFigure(
            name=name,
            label=label,
            unit=unit,
            value=measured.value if shown else None,
            lower=_finite(measured.lower) if shown else None,
            upper=_finite(measured.upper) if shown else None,
            interval=accounts,
            n=in_weeks if name in AT_CAPACITY else found.n,
            n_label="leads in whole weeks" if weekly and name in AT_CAPACITY else "leads",
            period=period,
            higher_is_better=True,
            maturity="final",
            evidence=evidence,
            reason="" if shown else (found.reason or "it is not defined on these leads"),
            **({"status": "no target"} | more if shown else {"status": "withheld"}),
        )

    minimum = study.scoring.minimum_lift
    figures = [
        of("score_lift", "Lift of the score at sales' capacity", "number", found.measure("lift"), "fig-gains",
           target=minimum, status=_status(study, found, minimum)),
        of("score_captured", "Good leads among those sales can work", "share", found.measure("captured"), "fig-gains"),
        of("score_auc", "AUC of the score", "number", found.measure("auc"), "tab-validity"),
        of("score_brier_skill", "Brier skill of the score", "number", found.measure("brier_skill"), "fig-calibration"),
        of("score_slope", "Calibration slope of the score", "number", found.measure("calibration_slope"),
           "fig-calibration"),
    ]  # fmt: skip
    currency = definitions.money.reporting_currency
    if isinstance(curve, CostCurve):
        at = curve.at("agreed")
        money = Measured(name="value", value=at["value"], lower=_value_limit(curve, "lower"),
                         upper=_value_limit(curve, "upper"))  # fmt: skip
        figures.append(
            of("score_threshold_value", f"Value {curve.per} at the {threshold_word(study.scoring)} threshold", "money",
               money, "fig-threshold", currency=currency)
        )  # fmt: skip
        if gain is not None:
            more = Measured(name="gain", value=gain[0], lower=gain[1], upper=gain[2])
            figures.append(
                of("score_gain", f"What the score brings {curve.per} over the present rules", "money", more,
                   "tab-gain", currency=currency)
            )  # fmt: skip
    return tuple(figures)


def _status(study: Study, found: Validity, minimum: float) -> Status:
    lift = found.measure("lift")
    if lift.lower > minimum:
        return "ahead"
    return "behind" if lift.upper <= minimum else "too close to call"


def findings(
    study: Study,
    curve: CostCurve | NotApplicable,
    promises: Bands | NotApplicable,
    gain: tuple[float, float, float] | None,
    lift: Uplift | NotApplicable,
    definitions: Definitions,
) -> list[Finding]:
    """Return what the report stands for, heaviest first."""
    said = []
    words = target_words(study.scoring, definitions)
    found = study.validity
    if study.usable and found is not None:
        auc = found.measure("auc")
        said.append(
            _finding(
                "The score can be trusted to order leads." if study.forward else "The score orders leads, out of fold.",
                f"A lead that {words} is ranked above one that {target_not(study.scoring)} "
                f"{formats.share(auc.value)} of the time (AUC, 95% interval "
                f"{formats.interval(auc.lower, auc.upper, 'share')}); {_counted(found)}.",
                "later leads, judged once" if study.forward else "grouped cross-validation, no dates in the export",
                "fig-gains",
                3.0,
            )
        )
    else:
        said.append(
            _finding(
                "There is no usable score.",
                f"{formats.opening(study.unusable)}. Nothing is exported.",
                "the rule of the definitions",
                "tab-validity" if found is not None and not found.reason else "",
                3.0,
            )
        )
    if isinstance(curve, CostCurve):
        said.append(_threshold(curve, threshold_word(study.scoring), definitions))
    if gain is not None and isinstance(curve, CostCurve):
        said.append(_over_present(gain, curve, definitions))
    if isinstance(lift, Uplift):
        said += _order_of_contact(lift)
    if study.audit.flags:
        out, asked = left_out(study), len({flag.feature for flag in study.audit.flags})
        said.append(
            _finding(
                f"{formats.many(len(out), 'column was', 'columns were')} left out for knowing too much."
                if out
                else f"{formats.many(asked, 'column is', 'columns are')} to be looked at.",
                f"{leakage_title(study)}.",
                "audit of every column before fitting",
                "tab-leakage",
                1.5 if out else 0.5,
            )
        )
    if isinstance(promises, Bands):
        broken = promises.rows[promises.rows["kept"].eq(False)]
        if len(broken):
            said.append(
                _finding(
                    f"{formats.many(len(broken), 'band')} did not keep what "
                    f"{'it promises' if len(broken) == 1 else 'they promise'}.",
                    f"{bands_title(promises)}.",
                    f"{promises.what} by band, accounts kept together",
                    "fig-bands",
                    2.0,
                )
            )
    return sorted(said, key=lambda finding: -finding.weight)


def _threshold(curve: CostCurve, word: str, definitions: Definitions) -> Finding:
    """Say what the threshold in force costs either team, and what moving it to break-even would do."""
    at, even = curve.at("agreed"), curve.at("break-even")
    currency = definitions.money.reporting_currency
    text = (
        f"Marketing passes {_of_leads(at['passed'], curve)}; sales works "
        f"{formats.count(round(at['worked']))} of them, at {formats.money(at['worked'] * curve.cost, currency)}, and "
        f"{formats.number(at['reached'])} get there. A lead is worth its cost from "
        f"{formats.share(even['threshold'])} on. "
    )
    ends = even["gain_lower"], even["gain_upper"]
    clear = ends[0] > 0 or ends[1] < 0
    if at["threshold"] == even["threshold"]:
        text += f"That is the {word} line."
    elif clear:
        text += (
            f"Moving the line there would change value by "
            f"{formats.difference(even['gain'], 'money', currency, beside=formats.largest(*ends))} "
            f"{curve.per} (95% interval "
            f"{formats.difference_interval(*ends, 'money', currency)})."
        )
    else:
        text += "Moving the line there would make no clear difference in money."
    return _finding(
        f"The {word} threshold of {formats.share(at['threshold'])} {_fits(at, curve)}.",
        text,
        f"{curve.what}; that leads not worked do not get there is an assumption",
        "fig-threshold",
        2.2,
    )


def _of_leads(number: float, curve: CostCurve) -> str:
    """Return ``52 leads a week``, or ``42 of 100 leads`` where there are no weeks."""
    if curve.per == "a week":
        return f"{formats.many(round(number), 'lead')} {curve.per}"
    return f"{formats.count(round(number))} of {curve.per.removeprefix('per ')}"


def _fits(at: object, curve: CostCurve) -> str:
    """Say which is more: leads passed that sales cannot work, or places of sales that stay empty."""
    passed, worked = at["passed"], at["worked"]  # type: ignore[index]
    over = round(passed - worked)
    unused = round(curve.capacity - worked)
    if over > unused:
        return f"passes {_of_leads(over, curve)} more than sales can work"
    if unused > 0:
        return f"leaves {formats.many(unused, 'place')} {curve.per} of sales' capacity unused"
    return "fits the capacity of sales"


def _over_present(gain: tuple[float, float, float], curve: CostCurve, definitions: Definitions) -> Finding:
    currency = definitions.money.reporting_currency
    value, low, high = gain
    interval, widest = formats.difference_interval(low, high, "money", currency), formats.largest(low, high)
    return _finding(
        f"{over_present_title(gain)}.",
        f"The difference is {formats.difference(value, 'money', currency, beside=widest)} {curve.per} at the "
        f"same capacity (95% interval {interval}).",
        f"{curve.what}, both scores on the same ones; who was worked followed the present rules",
        "tab-gain",
        2.1,
    )


def _order_of_contact(lift: Uplift) -> list[Finding]:
    """Say by which order contact gains more, where the experiment tells the two apart; nothing where it does not."""
    gap = lift.difference
    if uplift_wording.side(gap.lower, gap.upper) == "not told apart":
        return []
    return [
        _finding(
            f"{uplift_wording.qini_title(lift)}.",
            f"{uplift_wording.half_words(lift)} {uplift_wording.coefficients(lift)}.",
            f"the experiment {lift.experiment}, each scored by models that never met its account",
            "fig-qini",
            2.4,
        )
    ]


def limits(study: Study, definitions: Definitions) -> list[str]:
    """Say what the score cannot tell."""
    said = [
        "Likely to get there is not the same as worth calling: only an experiment tells what working a lead changes.",
        "What the model saw is an association. Changing an attribute of a lead does not change what becomes of it.",
        "A lead who was never worked had less chance to get there, so the present rules have steered what the score "
        "learned from.",
        "Attributes are those in the systems today, unless the input file declares them as known before first contact.",
    ]
    if not study.forward:
        said.append("The export has no dates: whether the score holds for later leads is unknown.")
    else:
        said.append(
            "Leads too young to be judged are stood in for by older ones while fitting; that does not mend a drift."
        )
    return said


def _period(study: Study) -> str:
    if study.split is None:
        return "all leads of the export"
    first, last = tested_days(study.sample, study.scoring, study.split)
    return f"leads of {formats.day(first)} to {formats.day(last)}"


def _value_limit(curve: CostCurve, limit: str) -> float:
    rows = curve.rows[curve.rows["threshold"] == curve.at("agreed")["threshold"]]
    return float(rows.iloc[0][limit])


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _finding(claim: str, detail: str, basis: str, evidence: str, weight: float) -> Finding:
    return Finding(theme=THEME, claim=claim, detail=detail, basis=basis, evidence=evidence, weight=weight)


def _counted(found: Validity) -> str:
    """Say how many leads, of how many accounts where that is another number, and how many good ones."""
    of = "" if found.accounts == found.n else f" of {formats.count(found.accounts)} accounts"
    return f"{formats.count(found.n)} leads{of}, {formats.count(found.events)} good ones"
