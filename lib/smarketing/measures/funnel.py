"""The one funnel: what becomes of everybody who enters it, step by step, with time and loss at each.

Shares are cumulative incidences within the funnel days of the definitions: journeys that are still too young count for
as long as they have been followed, and competing exits (lost, rejected, recycled) are exits, not delays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from smarketing.company.tables import CompanyError, MissingTable, NotRecorded, ObservedFrom
from smarketing.company.wrong_keys import nearest
from smarketing.estimates.rates import difference
from smarketing.measures.clear import clearly_changed, largest
from smarketing.measures.incidence import ALL, Share, TimeTo, outcomes, shares, times
from smarketing.measures.journeys import Durations
from smarketing.measures.periods import Period
from smarketing.measures.results import KeyFigure, or_nan
from smarketing.measures.view import View, has_step


@dataclass(frozen=True)
class Funnel:
    """The funnel of one cohort.

    ``stages``: a row a stage, in order: ``stage``, ``label``, ``count`` (journeys that reached it within the funnel
    days so far), ``share`` with ``share_lower`` and ``share_upper`` (of all that entered), and the step from the stage
    before: ``step_n``, ``step_rate``, ``step_lower``, ``step_upper``, ``step_change`` against the cohort before with
    ``change_lower`` and ``change_upper``, ``clear`` (really changed, all steps asked together), ``step_reason`` where
    withheld. ``exits``: a row each way of ending within
    the funnel days, the win first and "Still open" last: ``exit``, ``label``, ``share``, ``lower``, ``upper``,
    ``reason``; point shares of all ends add to 1. ``curves``: ``line``, ``stage``, ``age``, ``share``: cumulative
    incidence by day. ``timing``: a row a stage: ``days_to_half``, ``lower``, ``upper``, ``days_to_most`` (75 %) of
    those who get there within the funnel days, ``reason``. ``steps`` are the observation times behind each stage after
    the first, from which `rows` fetches the records.
    """

    stages: pd.DataFrame
    exits: pd.DataFrame
    curves: pd.DataFrame
    timing: pd.DataFrame
    cohort: Period
    horizon: int
    n: int
    not_recorded: tuple[str, ...]
    complete: bool
    clusters: int
    counted: str
    of_deals: bool
    precision: str
    naive: float
    independent_error: float | None
    observed_from: tuple[ObservedFrom, ...]
    steps: Mapping[str, Durations] = field(default_factory=dict, repr=False, compare=False)

    def rows(self, name: str) -> pd.DataFrame:
        """Return the leads or deals behind a stage's count, or an exit's, by id.

        Parameters
        ----------
        name
            A stage (the first one: everybody who entered), an exit, or ``open``.

        Returns
        -------
        pandas.DataFrame
            ``id`` (a pass of a recycled lead is its own, as in ``L1#2``), ``entered``, and ``days`` from entering to
            the stage, the exit, or the end of what is known; ordered by ``entered``, then ``id``.

        Raises
        ------
        CompanyError
            The funnel has no such stage or exit.
        """
        first, ends = str(self.stages.iloc[0]["stage"]), [str(name) for name in self.exits["exit"]]
        known = [*dict.fromkeys([first, *self.steps, *ends])]
        if name not in known:
            raise CompanyError(f"The funnel has no stage or exit {name!r}. {nearest(name, known)}")
        # Exits, and everybody, are those of the journey to the win.
        table = self.steps.get(name, list(self.steps.values())[-1]).table
        inside = table.exit.notnull() & (table.last_age <= self.horizon)
        if name == "open":
            table = table.filter(~inside)
        elif name != first:
            table = table.filter(inside & (table.exit == name))
        picked = table.select(id="subject_id", entered="started", days="last_age")
        return picked.order_by("entered", "id").execute()

    @property
    def won(self) -> pd.Series:
        """The row of the win among the exits."""
        return self.exits.iloc[0]

    @property
    def figures(self) -> tuple[KeyFigure, ...]:
        """Conversion to the win and the days to it, as key figures for the ledger."""
        if not len(self.exits) or not len(self.timing):
            return ()
        won, time = self.won, self.timing.iloc[-1]
        shown, timed = not math.isnan(won["lower"]), not math.isnan(time["days_to_half"])
        conversion = KeyFigure(
            name="funnel_conversion",
            label=f"{self.counted[:1].upper()}{self.counted[1:]} won within {self.horizon} days of entering",
            unit="share",
            value=float(won["share"]) if shown else None,
            lower=float(won["lower"]) if shown else None,
            upper=float(won["upper"]) if shown else None,
            interval=self.precision,
            n=self.n,
            n_label=self.counted,
            period=f"entered {self.cohort.label}",
            higher_is_better=True,
            maturity="final" if self.complete else "provisional",
            status="no target" if shown else "withheld",
            reason=str(won["reason"]),
            evidence="fig-funnel",
        )
        days = replace(
            conversion,
            name="days_to_win",
            label=f"Days by which half of those won within {self.horizon} days are won",
            unit="days",
            value=float(time["days_to_half"]) if timed else None,
            lower=float(time["lower"]) if timed else None,
            upper=float(time["upper"]) if timed else None,
            n=int(won["events"]),
            n_label="won",
            higher_is_better=False,
            status="no target" if timed else "withheld",
            reason=str(time["reason"]),
            evidence="fig-time",
        )
        return (conversion, days)

    @property
    def weakest(self) -> pd.Series | None:
        """The step with the lowest rate that is shown, or None."""
        steps = self.stages.iloc[1:]
        return None if steps.empty or steps["step_rate"].isna().any() else steps.loc[steps["step_rate"].idxmin()]

    @property
    def moved(self) -> pd.Series | None:
        """The step that changed most in standard errors against the cohort before, among those that really did."""
        return largest(self.stages[self.stages["clear"]], "step_change", "change_lower", "change_upper")


def funnel(view: View) -> Funnel:
    """Measure the funnel of everybody who entered in the cohort days to the as-of day."""
    stages = view.definitions.stages
    first = view.first_stage
    names = [stage.stage for stage in stages.funnel]
    later = names[names.index(first.stage) + 1 :]
    tail = [first.stage, *(name for name in later if name in view.recorded_stages)]
    missing = tuple(stages.label(name) for name in later if name not in view.recorded_stages)
    if len(tail) == 1 and missing:
        raise NotRecorded(missing[0])
    if len(tail) == 1:
        # Only wins are on record: what entered before them is in a table that is not mapped.
        raise MissingTable("leads")
    horizon, evidence = view.definitions.windows.funnel_days, view.definitions.evidence
    now, rows, curves, timing = view.cohort(), [], [], []
    whole: Durations | None = None
    behind: dict[str, Durations] = {}
    for name in tail:
        label = stages.label(name)
        if name == first.stage:
            continue
        steps = view.entering(first.stage, name, now)
        whole = behind[name] = steps
        found = outcomes(steps)
        if not found:
            break
        one = found[ALL]
        reached = shares(steps, horizons=[horizon], kinds=[name], evidence=evidence, found=found)[0]
        rows.append(
            {"stage": name, "label": label, "count": reached.events, **_named(reached, "share")}
            | _step(view, tail[tail.index(name) - 1], name)
        )
        for age in range(horizon + 1 if reached.value is not None else 0):
            at = one.curves.at(name, age)
            if at is not None:
                curves.append({"line": label, "stage": name, "age": age, "share": at})
        half = times(steps, name, horizon=horizon, evidence=evidence, found=found)[0]
        most = one.curves.time_to_share(name, 0.75, horizon) if half.value is not None else None
        timing.append({"stage": name, "label": label, **_days(half), "days_to_most": or_nan(most)})
    assert whole is not None
    ends = outcomes(whole)
    n = ends[ALL].n if ends else 0
    exits = shares(whole, horizons=[horizon], evidence=evidence, found=ends) if ends else []
    start = {
        "stage": first.stage,
        "label": first.label,
        "count": n,
        "share": 1.0 if n else math.nan,
        "share_lower": math.nan,
        "share_upper": math.nan,
        "reason": "",
    }
    won = next((s for s in exits if s.kind == whole.to_stage), None)
    shown = pd.DataFrame([start, *rows]).reindex(columns=[*start, *STEP])
    return Funnel(
        stages=shown.assign(clear=clearly_changed(shown, "step_change", "change_lower", "change_upper")),
        exits=pd.DataFrame(
            [
                {
                    "exit": s.kind,
                    "label": stages.label(s.kind),
                    "share": or_nan(s.value),
                    "lower": or_nan(s.lower),
                    "upper": or_nan(s.upper),
                    "events": s.events,
                    "reason": s.reason,
                }
                for s in exits
            ],
            columns=["exit", "label", "share", "lower", "upper", "events", "reason"],
        ),
        curves=pd.DataFrame(curves, columns=["line", "stage", "age", "share"]),
        timing=pd.DataFrame(
            timing, columns=["stage", "label", "days_to_half", "lower", "upper", "reason", "days_to_most"]
        ),
        cohort=whole.covered(now),
        horizon=horizon,
        n=n,
        not_recorded=missing,
        complete=bool(ends) and not ends[ALL].counts.censored[ends[ALL].counts.age < horizon].any(),
        clusters=won.clusters if won else 0,
        counted=view.words(first.stage),
        of_deals=first.subject == "opportunity",
        precision=view.precision(first.stage),
        naive=won.events / n if won and n else math.nan,
        independent_error=won.independent_standard_error if won else None,
        observed_from=whole.observed_from,
        steps=behind,
    )


STEP = ("step_n", "step_rate", "step_lower", "step_upper", "step_reason", "step_change", "change_lower", "change_upper")


def _step(view: View, stage: str, to_stage: str) -> dict[str, object]:
    """Measure the step from one stage to the next on its own clock, now and for the cohort before."""
    horizon, evidence = view.definitions.windows.funnel_days, view.definitions.evidence
    row: dict[str, object] = dict.fromkeys(STEP, math.nan) | {"step_n": 0, "step_reason": "nobody entered"}
    unmapped = has_step(view, stage)
    if unmapped:
        return row | {"step_reason": unmapped}
    now, before = (
        next(
            iter(
                shares(
                    view.entering(stage, to_stage, view.cohort(back)),
                    horizons=[horizon],
                    kinds=[to_stage],
                    evidence=evidence,
                )
            ),
            None,
        )
        for back in (0, 1)
    )
    if now is None:
        return row
    row |= {
        "step_n": now.n,
        "step_rate": or_nan(now.value),
        "step_lower": or_nan(now.lower),
        "step_upper": or_nan(now.upper),
        "step_reason": now.reason,
    }
    if before is not None and now.value is not None and before.value is not None:
        change = difference(now, before)  # type: ignore[arg-type]  # both are shown, so neither is None
        row |= {"step_change": change.value, "change_lower": change.lower, "change_upper": change.upper}
    return row


def _named(share: Share, name: str) -> dict[str, object]:
    return {
        name: or_nan(share.value),
        f"{name}_lower": or_nan(share.lower),
        f"{name}_upper": or_nan(share.upper),
        "reason": share.reason,
    }


def _days(time: TimeTo) -> dict[str, object]:
    return {
        "days_to_half": or_nan(time.value),
        "lower": or_nan(time.lower),
        "upper": or_nan(time.upper),
        "reason": time.reason,
    }
