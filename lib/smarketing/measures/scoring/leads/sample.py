"""The two nouns of a lead score: a feature, and a sample of leads as they were when they were to be scored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of a sample.

    ``side``: who a lead is (``fit``) or what it did (``engagement``). ``known``: how it is known that the value was
    there at the scoring moment: by its own date, by the input file's declaration (``before`` or ``after`` first contact
    with sales), or not at all. ``origin``: where it is read from, such as ``accounts.employees`` or ``touches``.
    """

    name: str
    label: str
    kind: Literal["number", "category"]
    side: Literal["fit", "engagement"]
    known: Literal["dated", "before", "after", "undeclared"]
    origin: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Leads at their scoring moment, in order of (at, subject_id).

    ``cluster`` numbers accounts; a lead without one is its own. ``at`` is the moment to the second, None where the
    export has no days. ``features`` has one column for each of ``roles``: numbers as float64 (NaN where missing),
    categories as objects (None where missing). ``status``: 1 reached the stage, 2 left otherwise, 0 still open (or, in
    a flat export, not known). ``age``: whole days from the moment to that exit, or to the last day seen (zeros without
    days). ``present`` is the present system's score at the moment, None where there is none; ``worked`` says whether
    sales ever logged an action with the lead, None where that is not on record. ``segments`` holds ``region`` and
    ``source``. ``fraction`` of all leads were drawn; a part of a sample keeps that of the whole.
    """

    subject_id: npt.NDArray[np.object_]
    cluster: npt.NDArray[np.int64]
    at: npt.NDArray[np.datetime64] | None
    features: pd.DataFrame
    roles: tuple[Feature, ...]
    status: npt.NDArray[np.int8]
    age: npt.NDArray[np.int64]
    as_of: date | None
    present: npt.NDArray[np.float64] | None
    segments: pd.DataFrame
    worked: npt.NDArray[np.bool_] | None = None
    fraction: float = 1.0

    def __len__(self) -> int:
        """Return the number of leads."""
        return len(self.subject_id)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Sample:
        """Return the leads of a mask, or at positions, in that order."""
        where = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Sample(
            subject_id=self.subject_id[where],
            cluster=self.cluster[where],
            at=None if self.at is None else self.at[where],
            features=self.features.iloc[where].reset_index(drop=True),
            roles=self.roles,
            status=self.status[where],
            age=self.age[where],
            as_of=self.as_of,
            present=None if self.present is None else self.present[where],
            segments=self.segments.iloc[where].reset_index(drop=True),
            worked=None if self.worked is None else self.worked[where],
            fraction=self.fraction,
        )
