"""A scorecard: whole points a feature that a person can add up, and one line from their total to a probability.

The model *is* the points: log-odds = at_zero + per_point * total, and nothing else. 0 points is the average lead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.special import expit

from smarketing.estimates.calibration import LogisticMap, logistic_map
from smarketing.measures.scoring.leads.sample import Feature
from smarketing.measures.scoring.models.encoding import (
    MISSING,
    Bins,
    Levels,
    balanced_sum,
    column_of,
    engine_column,
    exact,
    fit_bins,
    fit_levels,
    probability_in_engine,
)
from smarketing.measures.scoring.models.folds import (
    Learned,
    check_training,
    fewest_rows,
    grouped_folds,
    mapped_across,
)
from smarketing.measures.scoring.models.points import (
    Design,
    cross_validate,
    fit_coefficients,
    round_to_points,
    spreads_beside_copies,
)
from smarketing.measures.scoring.models.threads import one_thread

MOST_BINS = 5
MOST_LEVELS = 30


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A feature of the scorecard: its bins or levels, and what each is worth.

    ``points``, ``rows`` and ``rates`` go by code; ``missing_points`` is for what is not recorded and for values that
    training did not hold: points of their own where training held ``missing_rows`` enough (``missing_learned``), else
    0, those of the average lead. ``rates`` are weighted shares with the outcome, NaN where there is no row;
    ``mean_points`` is the training mean.
    """

    role: Feature
    cut: Bins | Levels
    points: tuple[int, ...]
    missing_points: int
    missing_learned: bool
    rows: tuple[int, ...]
    rates: tuple[float, ...]
    missing_rows: int
    missing_rate: float
    mean_points: float

    @property
    def matters(self) -> bool:
        """Whether any value is worth points."""
        return any(self.points) or self.missing_points != 0

    def points_of(self, features: pd.DataFrame) -> np.ndarray:
        """Return each lead's points for this feature."""
        # MISSING is -1: the last place of the list.
        return np.array([*self.points, self.missing_points])[self.cut.codes(column_of(features, self.role))]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scorecard:
    """Points a feature; log-odds = ``at_zero`` + ``per_point`` * total points.

    ``calibration`` is the logistic map that is folded into both: fitted on out-of-fold log-odds of ``start`` + ``unit``
    * total. ``out_of_fold`` are calibrated probabilities of the training rows from models that saw no lead of the same
    account. ``penalty`` is the chosen C (1 / strength of the ridge), ``selective`` whether weak features were shrunk
    more than strong ones. ``beyond_chance`` are the features that move log-odds more than any shuffled copy of a
    feature does (see `beyond_shuffled`): others are no reasons. ``base`` is the average lead's log-odds: base +
    contributions = log-odds.
    """

    roles: tuple[Feature, ...]
    factors: tuple[Factor, ...]
    start: float
    unit: float
    calibration: LogisticMap
    penalty: float
    selective: bool
    beyond_chance: tuple[str, ...]
    out_of_fold: np.ndarray
    family: str = "scorecard"

    @property
    def at_zero(self) -> float:
        """Log-odds of a lead with 0 points."""
        return self.calibration.intercept + self.calibration.slope * self.start

    @property
    def per_point(self) -> float:
        """What a point adds to the log-odds."""
        return self.calibration.slope * self.unit

    @property
    def base(self) -> float:
        """Log-odds of the training mean of points."""
        return self.at_zero + self.per_point * sum(factor.mean_points for factor in self.factors)

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Features whose values are all worth 0 points."""
        return tuple(factor.role.name for factor in self.factors if not factor.matters)

    def points(self, features: pd.DataFrame) -> np.ndarray:
        """Return each lead's total points."""
        return sum((factor.points_of(features) for factor in self.factors), np.zeros(len(features), dtype=np.int64))

    def log_odds(self, features: pd.DataFrame) -> np.ndarray:
        """Return each lead's calibrated log-odds."""
        return self.at_zero + self.per_point * self.points(features)

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """Return each lead's calibrated probability."""
        return expit(self.log_odds(features))

    def contributions(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return what each feature adds to the log-odds against the average lead: a column a feature."""
        return pd.DataFrame(
            {f.role.name: self.per_point * (f.points_of(features) - f.mean_points) for f in self.factors}
        )

    def in_words(self, features: pd.DataFrame, role: Feature) -> np.ndarray:
        """Return what the scorecard saw of a feature, such as "200 to 999": the bin, not the value."""
        cut = next(factor.cut for factor in self.factors if factor.role.name == role.name)
        words = np.array([*(cut.words(code) for code in range(len(cut))), cut.words(MISSING)], dtype=object)
        return words[cut.codes(column_of(features, role))]

    def expression(self, table: ir.Table) -> ir.FloatingValue:
        """Return the calibrated probability of a table's rows as an expression for its engine."""
        total = [
            f.cut.pick(engine_column(table, f.role), f.points, f.missing_points) for f in self.factors if f.matters
        ]
        points = balanced_sum(total) if total else ibis.literal(0)
        return probability_in_engine(exact(self.at_zero) + exact(self.per_point) * points.cast("float64"))

    def points_table(self) -> pd.DataFrame:
        """Return the card to add up by: a row a bin of the features that matter.

        Columns: feature, label, bin (in words), points, n (training rows) and rate (share of them with the outcome,
        weighted). "not recorded" also stands for values that training did not hold.
        """
        rows = []
        for factor in (f for f in self.factors if f.matters):
            one = list(zip(range(len(factor.points)), factor.points, factor.rows, factor.rates, strict=True))
            one.append((MISSING, factor.missing_points, factor.missing_rows, factor.missing_rate))
            rows += [(factor.role.name, factor.role.label, factor.cut.words(code), *rest) for code, *rest in one]
        return pd.DataFrame(rows, columns=["feature", "label", "bin", "points", "n", "rate"])

    def probability_at(self, points: int) -> float:
        """Return the probability that a total of points stands for."""
        return float(expit(self.at_zero + self.per_point * points))


def fit_scorecard(
    features: pd.DataFrame,
    roles: tuple[Feature, ...],
    outcome: np.ndarray,
    weight: np.ndarray,
    cluster: np.ndarray,
    *,
    most_parameters: int | None = None,
    seed: int = 0,
) -> Scorecard:
    """Learn points from leads of known label.

    Numbers are cut into at most 5 bins of about equal size, categories into at most 30 levels and "(other)"; each holds
    at least 30 leads and enough to expect 5 with and 5 without the outcome. What is not recorded is a bin of its own
    where that many are not, else worth 0. A ridge logistic regression learns what bins are worth; neighbouring bins of
    a number are drawn to each other; the ridge's strength is what gives the least log loss on folds that keep accounts
    together. Weak features are shrunk more than strong ones, unless not to is better there by more than chance. Points
    are its log-odds, rounded so that 10 double the odds, or finer where rounding would cost 0.001 of AUC or more.

    Parameters
    ----------
    features, roles
        A row a lead, a column a role.
    outcome, weight
        1 or 0 a lead, and its weight: 0 where the label is not known (such leads get an out-of-fold probability too).
    cluster
        The account of each lead, as a whole number.
    most_parameters
        How many free parameters the leads can carry (`enough`): the ridge is then held at least so strong.

    Raises
    ------
    ValueError
        If the input cannot teach (see `folds.check_training`).
    """
    return learn_scorecard(
        features, roles, outcome, weight, cluster, most_parameters=most_parameters, seed=seed
    ).explained()


@one_thread
def learn_scorecard(
    features: pd.DataFrame,
    roles: tuple[Feature, ...],
    outcome: np.ndarray,
    weight: np.ndarray,
    cluster: np.ndarray,
    *,
    most_parameters: int | None = None,
    seed: int = 0,
) -> Learned[Scorecard]:
    """Do what `fit_scorecard` does, but for finding out which features may be reasons."""
    check_training(features, roles, outcome, weight, cluster)
    known = weight > 0
    scaled = weight / weight[known].mean()
    fewest = fewest_rows(outcome[known], scaled[known])
    columns = [column_of(features, role) for role in roles]
    cuts = _cuts(columns, roles, known, fewest)
    design = Design.of(
        [cut.codes(column) for cut, column in zip(cuts, columns, strict=True)],
        [len(cut) for cut in cuts],
        [isinstance(cut, Bins) for cut in cuts],
        scaled,
        fewest,
    )
    folds = grouped_folds(cluster, outcome * known, seed=seed)
    crossed = cross_validate(design, outcome, scaled, cluster, folds, most=most_parameters)
    fitted = fit_coefficients(design, outcome, scaled, crossed.penalty, crossed.first_penalty)
    points = round_to_points(design, fitted, outcome, scaled)
    calibration = logistic_map(crossed.out_of_fold, outcome, scaled)
    varying = sum(len(np.unique(code[known])) > 1 for code in design.codes)
    card = Scorecard(
        roles=roles,
        factors=tuple(
            _factor(role, cut, design.codes[i], points.points[i], design.learned[i], outcome, scaled)
            for i, (role, cut) in enumerate(zip(roles, cuts, strict=True))
        ),
        start=points.start,
        unit=points.unit,
        calibration=calibration,
        penalty=crossed.penalty,
        selective=crossed.first_penalty is not None,
        beyond_chance=(),
        out_of_fold=mapped_across(crossed.out_of_fold, outcome, scaled, folds),
    )
    return Learned(
        model=card,
        spreads_beside=lambda order: spreads_beside_copies(design, outcome, scaled, crossed, order),
        known=known,
        varying=varying,
        seed=seed,
    )


def count_parameters(
    features: pd.DataFrame, roles: tuple[Feature, ...], outcome: np.ndarray, weight: np.ndarray
) -> int:
    """Return how many parameters a scorecard has, from the features alone and before any is fitted.

    A number has one a bin but the first, a category one a level but the first, and each one more where enough leads
    lack it. Of the outcome, only the base rate is looked at: it says how many leads a bin needs.
    """
    known = weight > 0
    fewest = fewest_rows(outcome[known], weight[known])
    columns = [column_of(features, role) for role in roles]
    cuts = _cuts(columns, roles, known, fewest)
    lacking = sum((cut.codes(c)[known] == MISSING).sum() >= fewest for cut, c in zip(cuts, columns, strict=True))
    return sum(len(cut) - 1 for cut in cuts) + int(lacking)


def _cuts(
    columns: Sequence[np.ndarray], roles: tuple[Feature, ...], known: np.ndarray, fewest: int
) -> list[Bins | Levels]:
    """Cut features into bins and levels."""
    return [
        fit_bins(column[known], at_most=MOST_BINS, at_least=fewest)
        if role.kind == "number"
        else fit_levels(column[known], at_most=MOST_LEVELS, at_least=fewest)
        for role, column in zip(roles, columns, strict=True)
    ]


def _factor(
    role: Feature,
    cut: Bins | Levels,
    codes: np.ndarray,
    points: np.ndarray,
    learned: bool,
    outcome: np.ndarray,
    weight: np.ndarray,
) -> Factor:
    """Put a feature's points beside what training held of each bin; ``codes`` MISSING count in the last place."""
    known = weight > 0
    place = np.where(codes == MISSING, len(cut), codes)[known]
    rows = np.bincount(place, minlength=len(cut) + 1)
    weights = np.bincount(place, weights=weight[known], minlength=len(cut) + 1)
    events = np.bincount(place, weights=(weight * outcome)[known], minlength=len(cut) + 1)
    rates = [float(e / w) if w > 0 else math.nan for e, w in zip(events, weights, strict=True)]
    return Factor(
        role=role,
        cut=cut,
        points=tuple(int(p) for p in points[:-1]),
        missing_points=int(points[-1]),
        missing_learned=learned,
        rows=tuple(int(n) for n in rows[:-1]),
        rates=tuple(rates[:-1]),
        missing_rows=int(rows[-1]),
        missing_rate=rates[-1],
        mean_points=float(np.average(points[codes[known]], weights=weight[known])),
    )
