"""What a score is made from: leads at their scoring moment, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column that a score may use."""

    name: str
    label: str
    kind: Literal["number", "category"]
    side: Literal["fit", "engagement"]
    known: Literal["dated", "before", "after", "undeclared"]
    origin: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Leads at their scoring moment, in order of (at, subject_id)."""

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
        """Return the rows of a mask or of positions."""
        where = np.flatnonzero(rows) if rows.dtype == bool else rows
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
        )
