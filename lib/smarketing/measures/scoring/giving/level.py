"""By how much probabilities are too low or too high on average, and whether that is clear and large enough to act on.

The same rule serves promises that were given out and leads that are scored again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from smarketing.estimates.calibration import calibration_line
from smarketing.measures.scoring.worth.validity import Leads, Measured, measured

SURE = 0.99
"""An alarm that is asked every week, of a model whose own level was estimated, has to be surer than 95 %."""

MATTERS = 0.1
"""A shift of level below this (a tenth of the odds) is no reason to call a model aged, however sure."""

FEWEST_DRAWS = 400
"""Draws of the bootstrap that an interval this sure needs."""


def shift_of(leads: Leads, probability: npt.NDArray[np.float64], *, draws: int, seed: int = 0) -> Measured:
    """Return the log-odds by which probabilities are too low (above 0) or too high, with the interval at `SURE`.

    Parameters
    ----------
    probability
        Of reaching the stage, a number a lead of ``leads``.
    draws
        Of the account bootstrap; `FEWEST_DRAWS` at least are taken.
    """

    def level(times: npt.NDArray[np.float64] | None) -> float:
        return calibration_line(probability, leads.outcome, times).intercept

    return measured("shift", level, leads, draws=max(draws, FEWEST_DRAWS), seed=seed, level=SURE)


def is_clear(shift: Measured) -> bool:
    """Whether a shift is surely not 0, be it large or small."""
    return shift.lower > 0 or shift.upper < 0


def side_of(shift: Measured) -> int:
    """1 where probabilities are clearly too low by as much as `MATTERS`, -1 where too high, 0 otherwise."""
    if not is_clear(shift) or abs(shift.value) < MATTERS:
        return 0
    return 1 if shift.value > 0 else -1
