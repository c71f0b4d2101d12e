"""What is scored: a lead at its scoring moment, with what was known of it by then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

Kind = Literal["number", "category"]
Side = Literal["fit", "engagement"]
Known = Literal["dated", "before", "after", "undeclared"]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One thing that a model may know of a lead.

    ``label`` is what both teams call it; ``side`` says whether it is about who the lead is (fit) or what it did
    (engagement); ``known`` how it is sure to precede the scoring moment; ``origin`` where it comes from, such as
    "accounts.employees" or "touches".
    """

    name: str
    label: str
    kind: Kind
    side: Side
    known: Known
    origin: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Leads at their scoring moments: a row a lead, in order of (at, subject_id).

    ``subject_id`` are strings, ``cluster`` whole numbers of accounts (a lead without an account is its own),
    ``at`` the scoring moments (None: an export without dates). ``features`` has one column a role, in that order:
    "number" as float64 with NaN for missing, "category" as strings with None for missing. ``status`` is 1 for leads
    that reached the stage, 2 for those that left otherwise, 0 for those still open; ``age`` the whole days from the
    moment to that, or to the last seen day. ``present`` is the score of the present rules; ``segments`` holds columns
    of strings for stability.
    """

    subject_id: np.ndarray
    cluster: np.ndarray
    at: np.ndarray | None
    features: pd.DataFrame
    roles: tuple[Feature, ...]
    status: np.ndarray
    age: np.ndarray
    as_of: date | None
    present: np.ndarray | None
    segments: pd.DataFrame

    def __len__(self) -> int:
        return len(self.subject_id)

    def take(self, rows: np.ndarray) -> Sample:
        """Return the sample of some rows: a mask, or positions."""
        positions = np.flatnonzero(rows) if rows.dtype == bool else rows
        return replace(
            self,
            subject_id=self.subject_id[positions],
            cluster=self.cluster[positions],
            at=None if self.at is None else self.at[positions],
            features=self.features.iloc[positions].reset_index(drop=True),
            status=self.status[positions],
            age=self.age[positions],
            present=None if self.present is None else self.present[positions],
            segments=self.segments.iloc[positions].reset_index(drop=True),
        )
