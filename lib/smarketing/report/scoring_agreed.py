"""What the two teams have in force on the score, as the definitions say it: terms and their meaning."""

from __future__ import annotations

from smarketing.company.definitions import Definitions
from smarketing.company.scoring import Scoring
from smarketing.report import formats
from smarketing.report.scoring_wording import target_words


def agreed_on_score(scoring: Scoring, definitions: Definitions) -> list[tuple[str, str]]:
    """Return each term of the entry on the score with its meaning, in the order of use."""
    currency = definitions.money.reporting_currency
    rows = [("A good lead", target_words(scoring, definitions))]
    if scoring.outcome is None:
        moment = f"{formats.days(scoring.moment_days)} after its creation" if scoring.moment_days else "at its creation"
        rows.append(("Scored", moment))
    rows += [
        ("Sales can work", _capacity(scoring)),
        ("Working a lead costs", formats.money(scoring.cost_of_working, currency)),
        ("A lead that gets there is worth", _worth(scoring, currency)),
        ("Threshold of qualified leads", formats.share(scoring.threshold)),
        ("Bands", _bands(scoring)),
        ("Smallest lift of a score in use", formats.number(scoring.minimum_lift)),
        ("Worked below the threshold, drawn at random", formats.share(scoring.exploration_share)),
    ]
    if scoring.present_system is not None:
        rows.append(("Compared with", f"the score of {scoring.present_system}"))
    if scoring.without:
        rows.append(("Never used", formats.listed([scoring.words.get(name, name) for name in scoring.without])))
    return rows


def _capacity(scoring: Scoring) -> str:
    if scoring.weekly_capacity is not None:
        return f"{formats.many(scoring.weekly_capacity, 'lead')} a week"
    return f"{formats.share(scoring.capacity_share)} of all leads"


def _worth(scoring: Scoring, currency: str) -> str:
    if scoring.value_of_stage is not None:
        return formats.money(scoring.value_of_stage, currency)
    if scoring.outcome is not None:
        return "not stated, so nothing is said of money"
    return (
        f"the share of those in the stage that are won x the mean amount won x a margin of "
        f"{formats.share(scoring.margin)}"
    )


def _bands(scoring: Scoring) -> str:
    limits = [f"{band} from {formats.share(lower)}" for band, lower in scoring.bands.items()]
    return f"{formats.listed(limits)}, {scoring.band_names[-1]} below"
