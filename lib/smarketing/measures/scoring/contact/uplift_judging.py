"""What targeting by a score gains in an experiment, and where two scores part ways, on the leads of both arms.

Two things would make out-of-fold scores look surer, or worse, than they are (``tests/measures/scoring``,
``test_uplift_simulated.py``). A lead that is moved by luck lifts the scores of leads like it in the other folds above
its own: so leads are ranked within their fold, and the folds' ranks are put together. And where a score has learned
nothing but luck, each pair of leads is counted twice, once either way: the variance is then twice what drawing the
leads again with their scores says, and it is once where a score has learned nothing from these effects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from smarketing.company.definitions import Evidence
from smarketing.estimates.bootstrap import Resampled
from smarketing.estimates.clusters import effective_clusters
from smarketing.estimates.rates import Difference, difference
from smarketing.estimates.scored import quantile_bins
from smarketing.estimates.uplift import Qini, UpliftBin, qini, qini_difference, uplift_bins

Estimated = TypeVar("Estimated", Qini, Resampled, UpliftBin)
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FIFTHS, THIRDS = 5, 3
SHARES = np.round(np.linspace(0, 1, 101), 2)
"""The shares of leads at which a Qini curve is drawn."""
_NOTHING = Difference(value=math.nan, lower=math.nan, upper=math.nan)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranked:
    """An out-of-fold score of each lead, and its rank within the fold (0 to 1, lowest first), which orders all leads.

    ``luck`` is which part of the score's variance is luck in the very effects that it is judged by, 0 to 1.
    """

    value: FloatArray
    rank: FloatArray
    luck: float

    @property
    def wider(self) -> float:
        """By how much intervals of effects along this score are wider than those of drawing leads again."""
        return math.sqrt(1 + self.luck)


@dataclass(frozen=True, kw_only=True, eq=False)
class Targeting:
    """What targeting by one score gains.

    ``value`` is the score of each lead, out of fold. ``curve`` has ``called`` (`SHARES`) and ``gained`` (outcomes per
    lead that contact adds when only that share is contacted, best scores first). ``bins`` has a row a fifth (1 the
    lowest scores; fewer where scores are equal) with columns as `uplift.Uplift.disagreement`; ``spread`` is the effect
    in the highest less that in the lowest, NaN where either is withheld or all scores are equal.
    """

    value: FloatArray
    qini: Qini
    curve: pd.DataFrame
    bins: pd.DataFrame
    spread: Difference

    def gained(self, share: float) -> float:
        """Return what is gained by contacting a share of the leads, best scores first."""
        return float(np.interp(share, self.qini.targeted, self.qini.gained))


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """The leads of both arms that scores are judged on, a row each; weights are above 0."""

    outcome: npt.NDArray[np.int8]
    treated: BoolArray
    weight: FloatArray
    cluster: npt.NDArray[np.int64]
    evidence: Evidence
    draws: int
    seed: int

    def effect(self, inside: BoolArray | None = None) -> UpliftBin:
        """Return the rates in both arms and their difference, of all leads or of some."""
        part = slice(None) if inside is None else inside
        treated = self.treated[part]
        return uplift_bins(
            np.zeros(len(treated)),
            self.outcome[part],
            treated,
            weight=self.weight[part],
            cluster=self.cluster[part],
            bins=1,
        )[0]

    def targeting(self, score: Ranked) -> Targeting:
        """Return what targeting by a score gains."""
        found = qini(
            score.rank,
            self.outcome,
            self.treated,
            weight=self.weight,
            cluster=self.cluster,
            draws=self.draws,
            seed=self.seed,
        )
        part = quantile_bins(score.rank, self.weight, FIFTHS) + 1
        rows = [{"fifth": number, **self._cell(part == number, score.wider)} for number in range(1, part.max() + 1)]
        bins = pd.DataFrame(rows)
        gained = np.interp(SHARES, found.targeted, found.gained)
        return Targeting(
            value=score.value,
            qini=_widened(found, score.wider),
            curve=pd.DataFrame({"called": SHARES, "gained": gained}),
            bins=bins,
            spread=difference(_effect(bins.iloc[-1]), _effect(bins.iloc[0])) if len(bins) > 1 else _NOTHING,
        )

    def paired(self, first: Ranked, second: Ranked) -> Resampled:
        """Return the first score's Qini coefficient less the second's, drawn together."""
        found = qini_difference(
            first.rank,
            second.rank,
            self.outcome,
            self.treated,
            weight=self.weight,
            cluster=self.cluster,
            draws=self.draws,
            seed=self.seed,
        )
        return _widened(found, max(first.wider, second.wider))

    def third(self, score: Ranked) -> npt.NDArray[np.int64]:
        """Return each lead's third of a score, 1 the lowest; equal scores share one, so there may be fewer."""
        return quantile_bins(score.rank, self.weight, THIRDS) + 1

    def disagreement(self, propensity: Ranked, uplift: Ranked) -> pd.DataFrame:
        """Return a row a third of either score, as `uplift.Uplift` describes them."""
        likely, moved, wider = self.third(propensity), self.third(uplift), max(propensity.wider, uplift.wider)
        places = [(high, much) for high in range(1, THIRDS + 1) for much in range(1, THIRDS + 1)]
        rows = [{"propensity": h, "uplift": m, **self._cell((likely == h) & (moved == m), wider)} for h, m in places]
        return pd.DataFrame(rows)

    def overlap(self, propensity: Ranked, uplift: Ranked) -> float:
        """Return which share of the likeliest third is in the most moved third too."""
        likely, moved = self.third(propensity), self.third(uplift)
        top = likely == likely.max()
        return float(self.weight[top & (moved == moved.max())].sum() / self.weight[top].sum())

    def thin(self, inside: BoolArray) -> str:
        """Return why these leads are too few to show a rate of, or an empty text."""
        n = int(inside.sum())
        sizes = np.unique(self.cluster[inside], return_counts=True)[1].astype(np.float64)
        effective = effective_clusters(float(sizes.sum()), float((sizes * sizes).sum()))
        if n < self.evidence.minimum_denominator:
            return f"{n:,} leads of known outcome, fewer than {self.evidence.minimum_denominator}"
        if effective < self.evidence.minimum_effective_accounts:
            return (
                f"{n:,} leads of known outcome, of accounts that weigh as much as {effective:.1f} equal ones, fewer "
                f"than {self.evidence.minimum_effective_accounts}"
            )
        return ""

    def _cell(self, inside: BoolArray, wider: float) -> dict[str, object]:
        with_it, without = inside & self.treated, inside & ~self.treated
        found: dict[str, object] = {
            "n": int(inside.sum()),
            "treated_n": int(with_it.sum()),
            "control_n": int(without.sum()),
        }
        names = ("treated_rate", "control_rate", "effect", "lower", "upper")
        if not inside.any():
            return found | dict.fromkeys(names, math.nan) | {"reason": "nobody is here"}
        for arm, words in ((with_it, "contacted"), (without, "not contacted")):
            if self.thin(arm):
                return found | dict.fromkeys(names, math.nan) | {"reason": f"too few were {words}"}
        one = _widened(self.effect(inside), wider)
        values = (one.treated.value, one.control.value, one.value, one.lower, one.upper)
        return found | dict(zip(names, values, strict=True)) | {"reason": ""}


def ranked(value: FloatArray, fold: npt.NDArray[np.int64], weight: FloatArray, *, luck: float) -> Ranked:
    """Rank a score within folds: the share of the fold's weight with lower scores, and half of that with equal ones."""
    rank = np.zeros(len(value))
    for one in np.unique(fold):
        inside = fold == one
        _, place = np.unique(value[inside], return_inverse=True)
        of_value = np.bincount(place, weight[inside])
        # The last digits depend on the order in which weights are added.
        rank[inside] = np.round((np.cumsum(of_value) - of_value / 2) / of_value.sum(), 9)[place]
    return Ranked(value=value, rank=rank, luck=luck)


def contrast(cells: pd.DataFrame) -> Difference:
    """Return the effect in the cell likely least and moved most, less that in the cell likely most and moved least."""

    def cell(propensity: int, uplift: int) -> pd.Series:
        return cells[(cells["propensity"] == propensity) & (cells["uplift"] == uplift)].iloc[0]

    return difference(_effect(cell(1, THIRDS)), _effect(cell(THIRDS, 1)))


def _effect(row: pd.Series) -> Difference:
    return Difference(value=float(row["effect"]), lower=float(row["lower"]), upper=float(row["upper"]))


def _widened(found: Estimated, wider: float) -> Estimated:
    """Return an estimate whose limits are so many times as far from its value."""
    return replace(
        found,
        lower=found.value - (found.value - found.lower) * wider,
        upper=found.value + (found.upper - found.value) * wider,
    )
