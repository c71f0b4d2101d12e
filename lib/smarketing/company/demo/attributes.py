"""The attributes of accounts and leads beyond the canonical columns: a few are signs of the effect, most are not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from smarketing.company.demo.signals import Attribute, Choice, Count, Drawn, Number, draw
from smarketing.company.demo.world import ACCOUNT_SIGMA, Floats, Ints, stream

YES_NO = (False, True)
# By industry: what fills these columns covers some industries worse than others.
PATCHY = (0.15, 0.45, 0.30, 0.20, 0.10, 0.25)

ACCOUNT_ATTRIBUTES: tuple[Attribute, ...] = (
    Number(name="growth_rate", mean=6.0, sd=14.0, slope=0.30, missing=PATCHY),
    Count(name="open_roles", rate=3.0, slope=0.18),
    Choice(
        name="funding_stage",
        levels=("Bootstrapped", "Seed", "Series A", "Series B and later", "Listed"),
        shares=(0.42, 0.14, 0.16, 0.15, 0.13),
        slopes=(-0.30, 0.0, 0.15, 0.35, 0.0),
        missing=0.25,
    ),
    Choice(
        name="web_stack",
        levels=("Alderpress", "Cobaltine", "Hand-made", "Kelpshop", "Other"),
        shares=(0.34, 0.20, 0.16, 0.18, 0.12),
        missing=0.10,
    ),
    Choice(name="uses_competitor_tool", levels=YES_NO, shares=(0.78, 0.22), slopes=(0.0, 0.38), missing=0.20),
    Choice(name="certified", levels=YES_NO, shares=(0.70, 0.30), missing=PATCHY),
    Number(name="founded_year", mean=1996.0, sd=11.0, digits=0, missing=0.08),
    Count(name="offices", rate=2.2),
    Choice(name="fiscal_year_end", levels=("March", "June", "September", "December"), shares=(0.14, 0.13, 0.10, 0.63)),
    Choice(
        name="legal_form", levels=("Private", "Public", "Partnership", "Public sector"), shares=(0.62, 0.13, 0.17, 0.08)
    ),
    Number(name="web_rank", mean=5.2, sd=0.8, missing=0.30),
    Number(name="followers", mean=2_400.0, sd=610.0, digits=0, missing=0.12),
    Choice(name="remote_work", levels=("Office", "Hybrid", "Remote"), shares=(0.33, 0.49, 0.18), missing=0.40),
)

LEAD_ATTRIBUTES: tuple[Attribute, ...] = (
    Choice(
        name="address_kind", levels=("business", "free", "university"), shares=(0.72, 0.22, 0.06),
        slopes=(0.0, -0.36, -0.50),
    ),
    Count(name="form_fields", rate=5.0, slope=0.115),
    Choice(
        name="time_frame", levels=("this quarter", "this year", "next year", "only looking"),
        shares=(0.16, 0.30, 0.17, 0.37), slopes=(0.40, 0.15, 0.0, -0.25), missing=0.55,
    ),
    Choice(name="number_given", levels=YES_NO, shares=(0.58, 0.42), slopes=(0.0, 0.28)),
    Choice(
        name="budget_range", levels=("under 10k", "10k to 50k", "50k to 200k", "over 200k"),
        shares=(0.38, 0.35, 0.19, 0.08), missing=0.60,
    ),
    Choice(
        name="referrer", levels=("search", "direct", "social", "newsletter", "review site", "partner site"),
        shares=(0.40, 0.22, 0.15, 0.11, 0.07, 0.05),
    ),
    Choice(name="device", levels=("desktop", "mobile", "tablet"), shares=(0.71, 0.26, 0.03)),
    Choice(
        name="browser", levels=("Chrome", "Safari", "Edge", "Firefox", "Other"), shares=(0.58, 0.19, 0.15, 0.06, 0.02)
    ),
    Choice(
        name="language", levels=("en", "de", "fr", "nl", "sv", "ja"), shares=(0.70, 0.10, 0.07, 0.06, 0.04, 0.03)
    ),
    Choice(
        name="utm_medium", levels=("cpc", "e-mail", "organic", "social", "referral"),
        shares=(0.24, 0.18, 0.34, 0.15, 0.09), missing=0.35,
    ),
    Choice(
        name="utm_content", levels=("banner-a", "banner-b", "text-a", "text-b", "video"),
        shares=(0.22, 0.21, 0.24, 0.20, 0.13), missing=0.50,
    ),
    Choice(name="newsletter", levels=YES_NO, shares=(0.64, 0.36)),
    Choice(name="consent", levels=YES_NO, shares=(0.25, 0.75)),
    Choice(name="form_version", levels=("long", "short", "two steps"), shares=(0.34, 0.33, 0.33)),
    Count(name="question_words", rate=11.0, missing=0.45),
    Number(name="seconds_on_form", mean=74.0, sd=21.0, digits=1),
)  # fmt: skip

CALL_OUTCOME = "call_outcome"
"""The attribute of leads that sales fills in after speaking to them (`activities.call_outcomes`)."""

ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "accounts": {each.name: each.kind for each in ACCOUNT_ATTRIBUTES},
    "leads": {
        "job_level": "string",
        "title_function": "string",
        **{each.name: each.kind for each in LEAD_ATTRIBUTES},
        CALL_OUTCOME: "string",
    },
}
"""Columns beyond the schema, by table, and their types."""


def draw_attributes(
    seed: int, chunk: int, table: str, attributes: tuple[Attribute, ...], account_effect: Floats, industry: Ints
) -> tuple[Drawn, ...]:
    """Draw the attributes of a table's rows, each from random numbers of its own.

    ``account_effect`` is that of each row's account, not scaled.
    """
    effect = np.asarray(account_effect / ACCOUNT_SIGMA)
    return tuple(
        draw(attribute, stream(seed, f"{table}.{attribute.name}", chunk), effect, industry) for attribute in attributes
    )
