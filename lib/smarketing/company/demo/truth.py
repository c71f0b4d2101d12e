"""What is true of the demo company: its parameters, its dirty rows, and its incidences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Self

import numpy as np

from smarketing.company.demo import activities, attributes, touches, world
from smarketing.company.demo.accounts import INDUSTRY_SHARES
from smarketing.company.demo.experiments import EXPERIMENTS, TrueExperiment
from smarketing.company.demo.incidence import TrueIncidence, true_incidences
from smarketing.company.demo.rules_score import SYSTEM
from smarketing.company.demo.signals import Attribute, informs, strength

CAUSES = ("leads.source", "accounts.region", "accounts.employees")
STAND_INS = (
    "accounts.country", "accounts.annual_revenue", "accounts.target_account", "leads.campaign_id", "leads.owner_id",
    "touches.channel", "touches.campaign_id",
)  # fmt: skip
INERT = ("accounts.industry", "leads.job_level", "leads.title_function", "touches.content_id")
FILLED_IN_AFTER_CONTACT = (f"leads.{attributes.CALL_OUTCOME}",)
_STRENGTH_DIGITS = 6


@dataclass(frozen=True)
class DemoTruth:
    """The truth of one built company.

    Parameters
    ----------
    company, leads, seed, start, as_of
        What was built.
    world
        The parameters of the simulation, as plain values: shares, effects on log intensities, exits by step.
    rows
        Rows by table, dirty rows included.
    dirt
        Dirty rows by kind. A second account of the same domain counts once.
    competitor_shares
        By month (``2026-05``), the rising competitor's expected share of lost deals that name a competitor, were
        losses spread evenly over the month's days.
    signals
        What tells of an account's effect without causing anything, by ``table.column`` (and the page, for touches):
        the share of the effect's variance among rows that it explains alone (`signals.strength`).
    causes
        Columns that do change how fast stages are left (the lead's day of creation does so too).
    stand_ins
        Columns without an effect of their own that go with one of ``causes``, as a country does with its region.
    without_effect
        Columns (and pages) that go with nothing: a score that uses them has learnt noise.
    filled_in_after_contact
        Columns that sales fill in once they have spoken to a lead: what they say was not known before.
    incidences
        See `TrueIncidence`. They describe the world, hence do not depend on ``leads`` or ``seed``: an account's effect
        is integrated out, and every account draws leads in proportion to a weight independent of that effect. A
        fraction of a per mille of rows is dirty (`dirt`) and departs from them.
    experiments
        By name, what is true of the experiments that `assignments` holds.
    """

    company: str
    leads: int
    seed: int
    start: date
    as_of: date
    world: Mapping[str, Any]
    rows: Mapping[str, int]
    dirt: Mapping[str, int]
    competitor_shares: Mapping[str, float]
    signals: Mapping[str, float]
    causes: tuple[str, ...]
    stand_ins: tuple[str, ...]
    without_effect: tuple[str, ...]
    filled_in_after_contact: tuple[str, ...]
    incidences: tuple[TrueIncidence, ...]
    experiments: Mapping[str, TrueExperiment]

    def incidence(
        self,
        step: str,
        exit: str,
        *,
        age: int,
        window: str = "all time",
        source: str | None = None,
        region: str | None = None,
    ) -> TrueIncidence:
        """Return one truth: overall, or of a source, or of a region; ``KeyError`` says which key there is none of."""
        if source is not None and region is not None:
            raise ValueError("got a source and a region; the truth is stated for one of them at a time.")
        group_by = "source" if source is not None else "region" if region is not None else "overall"
        key = (step, exit, window, group_by, source or region or "overall", age)
        for each in self.incidences:
            if (each.step, each.exit, each.window, each.group_by, each.group, each.age) == key:
                return each
        raise KeyError(f"no truth is stated for {key}.")

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types; incidences as a list of rows, with their column names apart."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values |= {"start": self.start.isoformat(), "as_of": self.as_of.isoformat()}
        rows = [list(asdict(each).values()) for each in self.incidences]
        dealt = {name: asdict(each) for name, each in self.experiments.items()}
        values |= {"experiments": dealt}
        return values | {"incidences": {"columns": list(TrueIncidence.__dataclass_fields__), "rows": rows}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the truth from `to_dict`'s answer."""
        stated = values["incidences"]
        incidences = tuple(TrueIncidence(**dict(zip(stated["columns"], row, strict=True))) for row in stated["rows"])
        dates = {name: date.fromisoformat(values[name]) for name in ("start", "as_of")}
        lists = {name: tuple(values[name]) for name in _LISTS}
        dealt = {name: TrueExperiment(**each) for name, each in values["experiments"].items()}
        return cls(**{**values, **dates, **lists, "incidences": incidences, "experiments": dealt})


_LISTS = ("causes", "stand_ins", "without_effect", "filled_in_after_contact")


def competitor_shares(as_of: date) -> dict[str, float]:
    """Return `world.rising_share` by month, averaged over the month's days up to ``as_of``."""
    by_month: dict[str, list[float]] = {}
    for day in range(world.days_until(as_of) + 1):
        share = float(world.rising_share(np.array(day), as_of))
        by_month.setdefault(f"{world.day_date(day):%Y-%m}", []).append(share)
    return {month: sum(shares) / len(shares) for month, shares in by_month.items()}


def shown() -> dict[str, Attribute]:
    """Return all that a lead and its account show beyond the canonical columns, by ``table.column`` or page."""
    return {
        **{f"accounts.{each.name}": each for each in attributes.ACCOUNT_ATTRIBUTES},
        **{f"leads.{each.name}": each for each in attributes.LEAD_ATTRIBUTES},
        **{f"touches.{each.name}": each for each in touches.PAGES},
    }


def describe_world(
    *, leads: int, seed: int, as_of: date, dirt: Mapping[str, int], rows: Mapping[str, int]
) -> DemoTruth:
    """State the truth of a company built with these arguments."""
    return DemoTruth(
        company=world.COMPANY,
        leads=leads,
        seed=seed,
        start=world.START,
        as_of=as_of,
        world=_parameters(as_of),
        rows=dict(rows),
        dirt=dict(dirt),
        competitor_shares=competitor_shares(as_of),
        signals={
            name: round(strength(each, INDUSTRY_SHARES), _STRENGTH_DIGITS)
            for name, each in shown().items()
            if informs(each)
        },
        causes=CAUSES,
        stand_ins=STAND_INS,
        without_effect=(*INERT, *(name for name, each in shown().items() if not informs(each))),
        filled_in_after_contact=FILLED_IN_AFTER_CONTACT,
        incidences=true_incidences(as_of),
        experiments={each.name: each for each in EXPERIMENTS},
    )


def _parameters(as_of: date) -> dict[str, Any]:
    steps = {
        step.stage: {
            "max_age": step.max_age,
            "weekend": step.weekend,
            "exits": {way.stage: _plain(asdict(way)) for way in step.exits},
        }
        for step in world.STEPS
    }
    return {
        "source_shares": dict(zip(world.SOURCES, world.SOURCE_SHARES.tolist(), strict=True)),
        "region_shares": dict(zip(world.REGIONS, world.REGION_SHARES.tolist(), strict=True)),
        "size_band_shares_of_accounts": dict(zip(world.BANDS, world.band_shares().tolist(), strict=True)),
        "leads_by_size_band": dict(zip(world.BANDS, world.BAND_LEADS.tolist(), strict=True)),
        "leads_per_account": world.LEADS_PER_ACCOUNT,
        "account_effect_sigma": world.ACCOUNT_SIGMA,
        "sales_sourced_deals_per_lead": world.SALES_SOURCED_PER_LEAD,
        "recycled_return_share": world.RETURN_SHARE,
        "recycled_return_days": [world.RETURN_EARLIEST, world.RETURN_LATEST],
        "drift_source": world.SOURCES[world.PAID_SEARCH],
        "drift_start": world.day_date(world.drift_starts(as_of)).isoformat(),
        "rising_competitor": world.RISING,
        "rising_competitor_share": [world.COMPETITOR_SHARES[0], world.RISING_LATEST_SHARE],
        "rising_competitor_start": world.day_date(world.days_until(as_of) - world.COMPETITOR_DAYS).isoformat(),
        "late_region": "EMEA",
        "first_action_hours_by_region": dict(activities.FIRST_ACTION_HOURS),
        "touches_before_creation": {page.name: page.rate for page in touches.PAGES},
        "touches_days_before_and_after": [touches.BEFORE_DAYS, touches.AFTER_DAYS],
        "touches_after_over_before": touches.AFTER_RATE,
        "present_score": SYSTEM,
        "shown": {name: _plain(asdict(each)) for name, each in shown().items()},
        "without_effect": ["industry", "job_level", "title_function", "campaign_id", "owner_id", "product", "kind"],
        "steps": steps,
    }


def _plain(exit_values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in exit_values.items()}
