"""Sentences computed from results: what a title, a finding or the bottom line says.

Every direction word comes from a sign and every comparison from an interval, so data that point the other way are told
the other way. A difference whose interval includes zero is never called a rise or a fall.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from smarketing.measures.conversion import Breakdown
from smarketing.measures.deals import WinRates
from smarketing.measures.funnel import Funnel
from smarketing.measures.headline import Headline
from smarketing.measures.losses import OTHER, Losses
from smarketing.measures.results import Finding, KeyFigure, NotApplicable
from smarketing.report import formats
from smarketing.report.plan_wording import ENDS, against_targets, is_or_are, named


def key_figures(headline: Headline, funnel: Funnel | NotApplicable) -> tuple[KeyFigure, ...]:
    """Return every key figure, the funnel's included, with the anchor of the chart that shows it."""
    anchors = {
        panel.figure.name: "fig-accounts"
        if panel.counted_by == "accounts"
        else "fig-money"
        if panel.figure.unit == "money"
        else "fig-stand"
        for panel in headline.panels
    }
    shown = tuple(replace(figure, evidence=anchors[figure.name]) for figure in headline.figures)
    return shown + (funnel.figures if isinstance(funnel, Funnel) else ())


def stands(figure: KeyFigure) -> str:
    """Say where a key figure stands, against its target or else against the period before."""
    if figure.value is None:
        return f"{figure.label}: withheld, {figure.reason}"
    value = formats.value_of(figure.value, figure.unit, figure.currency)
    if figure.target is not None:
        target = formats.value_of(figure.target, figure.unit, figure.currency)
        return f"{figure.label}: {value} against a target of {target}, {ENDS[figure.status]}"
    return f"{figure.label}: {value}{_against_prior(figure)}"


def bottom_line(headline: Headline, funnel: Funnel | NotApplicable) -> str:
    """Say where the first page's figures stand against target; without targets, what becomes of those who enter."""
    shown = [figure for figure in headline.first_page if figure.value is not None]
    aimed = [figure for figure in headline.first_page if figure.target is not None]
    if any(figure.value is not None for figure in aimed):
        return against_targets(aimed)
    why = "No target applies, so nothing here is ahead or behind."
    if aimed:
        why = f"Nothing here is ahead or behind: withheld with {_its(aimed)} target {is_or_are(aimed)} {named(aimed)}."
    converts = converted(funnel) if isinstance(funnel, Funnel) else ""
    if converts:
        return f"{converts}. {why}"
    if shown:
        return f"{stands(shown[0])}. {why}"
    return "There is too little on record to show a single headline figure; the data checks say what is missing."


def converted(funnel: Funnel) -> str:
    """Say which share of those who entered is won in time, with its interval and the usual time."""
    won = funnel.won if len(funnel.exits) else None
    if won is None or math.isnan(won["lower"]):
        return ""
    text = (
        f"{formats.share(won['share'])} of {funnel.counted} are won within {funnel.horizon} days "
        f"(95% interval {formats.interval(won['lower'], won['upper'], 'share')})"
    )
    half = funnel.timing.iloc[-1]["days_to_half"] if len(funnel.timing) else math.nan
    return text if math.isnan(half) else f"{text}, half of these by day {half:.0f}"


def truncated(funnel: Funnel) -> str:
    """Say which journeys were left out because exits are not on record as far back as entries, or an empty text."""
    said = []
    for seen in funnel.observed_from:
        # With two days in force each has to say which exits it speaks of.
        ways = funnel.exits.loc[funnel.exits["exit"].isin(seen.stages), "label"]
        exits = "Exits" if len(funnel.observed_from) == 1 else f"Exits ({', '.join(ways)})"
        began = f"{exits} are on record only from {formats.day(seen.start)}"
        if seen.treatment == "whole_cohorts":
            said.append(
                f"{began}, while earlier {funnel.counted} are on file and look open. Only those that entered on or "
                "after that day are counted. A rate over all on file would be too low."
            )
        else:
            said.append(
                f"{began}, and {funnel.counted} that left earlier are not on file. The others count from that day on, "
                f"at the age they then had. The plain share of those on file won in time "
                f"({formats.share(funnel.naive)}) ignores both this and the open ones."
            )
    return " ".join(said)


def headline_title(figures: Sequence[KeyFigure]) -> str:
    """Title a trend of several measures by where each stands."""
    parts = []
    for figure in figures:
        label = figure.label.removesuffix(", by account")
        if figure.value is None:
            parts.append(f"{label}: withheld")
        elif figure.target is not None:
            gap = formats.difference(figure.value - figure.target, figure.unit, figure.currency)
            parts.append(f"{label}: {ENDS[figure.status]} ({gap})")
        else:
            parts.append(f"{label}:{_against_prior(figure).replace(', ', ' ', 1) or ' nothing to compare with'}")
    return "; ".join(parts)


def usual_range(headline: Headline) -> str:
    """Say of each count and amount whether the latest week lies in its natural range."""
    said = []
    for panel in headline.panels_by(accounts=False):
        if panel.usual is None or panel.figure.value is None or not len(panel.weeks):
            continue
        if not math.isfinite(panel.usual.upper - panel.usual.lower):
            # Weeks that never differ say nothing of how much they usually do.
            continue
        last = float(panel.weeks["value"].iloc[-1])
        unit, currency = panel.figure.unit, panel.figure.currency
        low, high = max(panel.usual.lower, 0.0), panel.usual.upper
        low, high = (low, high) if unit == "money" else (round(low), round(high))
        inside = panel.usual.lower <= last <= high
        limits = f"{formats.value_of(low, unit, currency)} and {formats.value_of(high, unit, currency)}"
        verdict = "so it is not a signal" if inside else "so it calls for an explanation"
        said.append(
            f"{panel.kpi.label}, latest week {formats.value_of(last, unit, currency)}: weeks normally lie between "
            f"{limits}, {verdict}."
        )
    return " ".join(said)


def funnel_title(funnel: Funnel) -> str:
    """Title the funnel by its result and the step that moved, or else the step that loses most."""
    result = converted(funnel)
    if not result:
        why = str(funnel.won["reason"]) if len(funnel.exits) else ""
        result = f"How many {funnel.counted} are won is withheld" + (f": {why}" if why else "")
    moved, weakest = funnel.moved, funnel.weakest
    if moved is not None:
        change = formats.moved_by(float(moved["step_change"]))
        return f"{result}; the step to {moved['label']} {change}"
    if weakest is not None and len(funnel.stages) > 2:
        return f"{result}; the step to {weakest['label']} keeps fewest, {formats.share(weakest['step_rate'])}"
    return result


def timing_title(funnel: Funnel) -> str:
    """Title the time to each stage by the last stage that is shown."""
    shown = funnel.timing.dropna(subset=["days_to_half"])
    if shown.empty:
        return "Too few get far enough to say how long it takes"
    last = shown.iloc[-1]
    interval = formats.interval(last["lower"], last["upper"], "count")
    return (
        f"Half of those who reach {last['label']} within {funnel.horizon} days do so by day {last['days_to_half']:.0f} "
        f"(95% interval {interval})"
    )


def breakdown_title(found: Breakdown) -> str:
    """Title a breakdown by groups whose intervals lie wholly above or below the whole."""
    whole, groups = found.rows.iloc[0], found.rows.iloc[1:].dropna(subset=["share"])
    if math.isnan(whole["share"]) or groups.empty:
        return f"Too little is on record to compare by {found.by}"
    above = groups[groups["apart"] > 0]["group"].tolist()
    below = groups[groups["apart"] < 0]["group"].tolist()
    overall = f"the whole ({formats.share(whole['share'])})"
    if above and below:
        return f"Above {overall}: {formats.listed(above)}; below: {formats.listed(below)}"
    if above or below:
        side = "above" if above else "below"
        return (
            f"{formats.opening(side)} {overall}: {formats.listed(above or below)}; the rest are not told apart from it"
        )
    return f"No {found.by} is told apart from {overall}"


def win_rate_title(rates: WinRates) -> str:
    """Title the win rates by count and amount, and how far the closed-only rate is from the cohort's."""
    count, amount = rates.rate("by count"), rates.rate("by amount")
    closed = rates.rate("closed only by count")
    if math.isnan(count["value"]):
        return f"Win rates are withheld: {count['reason']}"
    text = f"{formats.share(count['value'])} of deals opened are won within {rates.horizon} days"
    if not math.isnan(amount["value"]):
        text += f", {formats.share(amount['value'])} of their amount"
    if not math.isnan(closed["value"]) and not count["lower"] <= closed["value"] <= count["upper"]:
        text += f"; closed-only counting would say {formats.share(closed['value'])}"
    return text


def losses_title(found: Losses, what: str) -> str:
    """Title losses by the group whose share moved, or else the largest that is a named one."""
    if found.reason:
        return f"{formats.opening(what)}s are withheld: {found.reason}"
    moved, named = found.moved, found.rows[found.rows["group"] != OTHER]
    if moved is not None:
        return (
            f"{moved['group']} {formats.moved_by(float(moved['change']))} as a {what}, "
            f"to {formats.share(moved['share'])} of {of_losses(found)}"
        )
    if named.empty:
        return f"No {what} is on record often enough to be named"
    largest = named.iloc[0]
    return (
        f"{largest['group']} is the largest {what}, {formats.share(largest['share'])} of {of_losses(found)}; no share "
        "clearly moved"
    )


def of_losses(found: Losses, what: str = "one") -> str:
    """Say what a share of losses is a share of; ``what`` is what they name ("one" where that was just said)."""
    return f"losses that name {what}" if found.lost > found.n or found.lost_before > found.n_before else "losses"


def unnamed(found: Losses, what: str) -> str:
    """Say how many losses name no reason or competitor, now and before; an empty text where all do."""
    if of_losses(found) == "losses":
        return ""
    text = f"{formats.share(found.unnamed)} of the {formats.many(found.lost, 'deal')} lost name no {what}"
    if not math.isnan(found.unnamed_before):
        text += f", {formats.share(found.unnamed_before)} in the {found.before.days} days before"
    return f"{text}; they are not counted here."


def findings(
    headline: Headline,
    funnel: Funnel | NotApplicable,
    rates: WinRates | NotApplicable,
    reasons: Losses | NotApplicable,
    rivals: Losses | NotApplicable,
) -> list[Finding]:
    """Say what each section found, the most certain and largest first."""
    found: list[Finding] = []
    by_row = {figure.name for figure in headline.first_page}
    for figure in key_figures(headline, funnel):
        if (
            figure.name in by_row
            and figure.status in ("behind", "ahead")
            and figure.value is not None
            and figure.target is not None
        ):
            gap = formats.difference(figure.value - figure.target, figure.unit, figure.currency)
            found.append(
                _finding(
                    f"{figure.label}: {ENDS[figure.status]}.",
                    f"{formats.value_of(figure.value, figure.unit, figure.currency)}{_between(figure)} against "
                    f"{formats.value_of(figure.target, figure.unit, figure.currency)} ({gap}), {figure.period}.",
                    f"{formats.count(figure.n)} {figure.n_label}. {figure.interval}",
                    figure.evidence,
                    3.0 if figure.status == "behind" else 2.0,
                )
            )
    aimed = any(figure.target is not None and figure.value is not None for figure in headline.first_page)
    if isinstance(funnel, Funnel) and converted(funnel) and not aimed and truncated(funnel):
        # The bottom line itself is the conversion then.
        found.append(
            _finding(
                f"Not all {funnel.counted} on file can be counted alike.",
                truncated(funnel),
                "the first days of entries and of exits on record",
                "fig-funnel",
                2.5,
            )
        )
    elif isinstance(funnel, Funnel) and converted(funnel) and aimed:
        found.append(
            _finding(
                f"{converted(funnel)}.",
                truncated(funnel),
                f"{formats.count(funnel.n)} {funnel.counted} that entered "
                f"{funnel.cohort.label}, followed for as long as they are on record",
                "fig-funnel",
                2.5 if funnel.observed_from else 1.0,
            )
        )
    moved = funnel.moved if isinstance(funnel, Funnel) else None
    if moved is not None:
        interval = formats.difference_interval(moved["change_lower"], moved["change_upper"], "share")
        found.append(
            _finding(
                f"The step to {moved['label']} {formats.moved_by(float(moved['step_change']))}.",
                f"It is {formats.share(moved['step_rate'])} now; the change has a 95% interval of {interval}.",
                "two cohorts compared, cause not tested",
                "fig-funnel",
                1.8,
            )
        )
    for losses, what in ((reasons, "loss reason"), (rivals, "competitor")):
        shift = losses.moved if isinstance(losses, Losses) and not losses.reason else None
        if isinstance(losses, Losses) and shift is not None:
            interval = formats.difference_interval(shift["change_lower"], shift["change_upper"], "share")
            found.append(
                _finding(
                    f"{shift['group']} {formats.moved_by(float(shift['change']))} as a {what}.",
                    f"{formats.share(shift['share'])} of {formats.count(losses.n)} {of_losses(losses)}, "
                    f"{losses.period.label}; the change has a 95% interval of {interval}. "
                    f"{unnamed(losses, what)}".rstrip(),
                    f"what sales recorded at closing, {losses.period.days} days against the {losses.before.days} "
                    "before, cause not tested",
                    f"fig-{what.split()[0]}",
                    1.5,
                )
            )
    if isinstance(rates, WinRates) and not math.isnan(rates.rate("by count")["value"]):
        said = win_rate_title(rates)
        of_deals = isinstance(funnel, Funnel) and funnel.of_deals
        claim = formats.opening(said.partition("; ")[2]) if of_deals else said
        row = rates.rate("closed only by count" if of_deals else "by count")
        if claim:
            detail = (
                f"{formats.many(int(row['n']), 'deal')} {'closed' if of_deals else 'opened'} {rates.cohort.label}; 95% "
                f"interval of the share by count {formats.interval(row['lower'], row['upper'], 'share')}."
            )
            found.append(_finding(f"{claim}.", detail, "deals, accounts kept together", "fig-win-rate", 0.5))
    return sorted(found, key=lambda finding: -finding.weight)


def limits(headline: Headline, funnel: Funnel | NotApplicable) -> list[str]:
    """Say what the report cannot tell."""
    said = [
        "Differences between groups and periods are described, not explained: no cause is tested here.",
        "Amounts, owners and regions are those in the systems today; what they were at the time is known only where "
        "history is kept.",
    ]
    rates = [p.kpi for p in headline.panels if p.figure.unit == "share" and p.counted_by != "accounts"]
    if rates:
        longest = max(rates, key=lambda kpi: kpi.within_days or 0)
        said.append(
            f"Rates are of those whose days are complete, so {formats.inside(longest.label)} speaks of "
            f"entries {longest.within_days} days ago; newer ones are not in it."
        )
    if isinstance(funnel, Funnel) and funnel.observed_from:
        said.append(truncated(funnel))
    return said


def _finding(claim: str, detail: str, basis: str, evidence: str, weight: float) -> Finding:
    return Finding(theme="the pipeline", claim=claim, detail=detail, basis=basis, evidence=evidence, weight=weight)


def _against_prior(figure: KeyFigure) -> str:
    if figure.change is None or figure.prior is None:
        return ""
    low, high = figure.change_lower, figure.change_upper
    if figure.unit != "share":
        # The season is not taken out of a count or an amount, so a difference is stated and not called a rise.
        return f", against {_value(figure, figure.prior)} in {figure.prior_label}"
    if low is not None and high is not None and low <= 0 <= high:
        return f", not clearly different from {figure.prior_label} ({_value(figure, figure.prior)})"
    return f", {formats.up_or_down(figure.change, figure.unit, figure.currency)} on {figure.prior_label}"


def _its(group: Sequence[KeyFigure]) -> str:
    return "its" if len(group) == 1 else "their"


def _between(figure: KeyFigure) -> str:
    """Return the 95% interval of a figure's value in brackets; an empty text where it has none."""
    if figure.lower is None and figure.upper is None:
        return ""
    return f" (95% interval {formats.interval(figure.lower, figure.upper, figure.unit, figure.currency)})"


def _value(figure: KeyFigure, value: float | None) -> str:
    return formats.value_of(value, figure.unit, figure.currency)
