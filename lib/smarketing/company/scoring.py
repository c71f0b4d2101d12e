"""What both teams agree on before leads are scored: what a good lead is, when it is judged, and what mistakes cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from smarketing.company.entry import Entry, Name

COLUMNS = (
    "lead_id", "score", "band", "probability", "qualified", "explore", "reasons_for", "reasons_against", "scored_on",
)  # fmt: skip
"""The columns of the list of scored leads."""


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        percent = f": write {value / 100:g} for {value:g} %" if 1 < value <= 100 else ""
        raise ValueError(f"a share between 0 and 1{percent}")
    return value


Probability = Annotated[float, AfterValidator(_share)]


class Scoring(Entry):
    """The lead score: its label, its moment, its money, its bands and its words.

    The label is one of two. ``to_stage`` and ``within_days``: a lead is good that reaches this stage of the funnel
    within so many days after its scoring moment. ``outcome``: for a flat export without days, a yes-or-no attribute of
    leads says it.

    ``moment_days``: a lead is judged so many whole days after its creation (0: at its creation, to the second; n: at
    the end of that day), by what is dated before that moment and nothing else.

    ``weekly_capacity`` is how many leads sales can work in a week; a flat export has no weeks, and says by
    ``capacity_share`` which part of all leads sales can work. ``cost_of_working`` is the money that working one
    costs, in the reporting currency. ``value_of_stage`` is what a lead that reaches the stage is worth; where it is
    empty, it is the share of those in the stage that are won, times the mean amount won, times ``margin`` (the part of
    an amount that stays). A flat export has no amounts: without ``value_of_stage`` nothing is said of money there.

    ``threshold`` is the agreed probability from which marketing calls a lead qualified. ``bands`` are the lower limits
    of probability of bands A, B, ... from high to low; what is below the last has the next letter. A score whose lift
    at the weekly capacity is not surely above ``minimum_lift`` is not used. ``exploration_share`` of the leads that
    the score would leave out are worked anyway, drawn at random, so that it can be wrong and noticed.

    ``present_system`` names the score that the company uses today (``system`` of the `scores` table), to compare with.
    ``words`` gives features the name that both teams use; ``without`` lists features that must not be used, whatever
    they would add. ``headers`` says what the CRM's import calls the columns of the list of scored leads (`COLUMNS`);
    without it the id has the header that the input file maps, and the others plain names.
    """

    to_stage: Name | None = None
    within_days: int | None = Field(default=None, ge=1, le=1_000)
    outcome: Name | None = None
    moment_days: int = Field(default=0, ge=0, le=365)
    weekly_capacity: int | None = Field(default=None, ge=1)
    capacity_share: float | None = Field(default=None, gt=0, lt=1)
    cost_of_working: float = Field(ge=0, allow_inf_nan=False)
    margin: float = Field(default=1.0, gt=0, le=1)
    value_of_stage: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    threshold: Probability
    minimum_lift: float = Field(default=1.2, ge=1, allow_inf_nan=False)
    bands: Mapping[str, Probability] = {"A": 0.3, "B": 0.15, "C": 0.05}
    exploration_share: Probability = 0.05
    present_system: str | None = None
    words: Mapping[str, str] = {}
    without: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _headers_of_columns(self) -> Self:
        for name in self.headers:
            if name not in COLUMNS:
                raise ValueError(f"headers: there is no column {name!r}; the list has {', '.join(COLUMNS)}")
        return self

    @model_validator(mode="after")
    def _one_label(self) -> Self:
        if (self.to_stage is None) == (self.outcome is None):
            raise ValueError(
                "say exactly one of `to_stage` (a stage of the funnel, with `within_days`) and `outcome` "
                "(a yes-or-no attribute of leads in a flat export)"
            )
        if self.to_stage is not None and self.within_days is None:
            raise ValueError("`to_stage` needs `within_days`: until when a lead has to reach it")
        for name in ("within_days", "moment_days"):
            if self.outcome is not None and getattr(self, name):
                raise ValueError(f"`{name}` counts days, and a label by `outcome` has none; leave it out")
        ways = ("weekly_capacity", "capacity_share")
        needed, other = ways if self.outcome is None else reversed(ways)
        label = "to_stage" if self.outcome is None else "outcome"
        if getattr(self, needed) is None and getattr(self, other) is None:
            raise ValueError(f"`{needed}` is missing: with `{label}` it says how many leads sales can work")
        if getattr(self, needed) is None or getattr(self, other) is not None:
            raise ValueError(f"with `{label}` say `{needed}` and leave `{other}` out: how many leads sales can work")
        return self

    @model_validator(mode="after")
    def _bands_descend(self) -> Self:
        letters = [chr(ord("A") + place) for place in range(len(self.bands))]
        if not self.bands or list(self.bands) != letters:
            raise ValueError(f"bands: name them A, B, C and so on in this order; got {', '.join(self.bands) or 'none'}")
        limits = list(self.bands.values())
        if limits[-1] <= 0:
            raise ValueError(f"bands: {letters[-1]} starts at 0, so nothing is left for the band below it; raise it")
        for (upper, high), (lower, low) in zip(self.bands.items(), list(self.bands.items())[1:], strict=False):
            if low >= high:
                raise ValueError(f"bands: limits descend, but {lower} starts at {low:g} and {upper} at {high:g}")
        return self

    @property
    def band_names(self) -> tuple[str, ...]:
        """All bands from the best to the rest."""
        return (*self.bands, chr(ord("A") + len(self.bands)))
