"""The card that goes with a model: what it is for, what it learned from, how far it can be trusted, where it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from smarketing.measures.scoring.leads.sample import Feature
from smarketing.measures.scoring.models.encoding import MISSING, column_of, fit_bins, fit_levels, in_words

MOST_BINS = 10
MOST_VALUES = 50


@dataclass(frozen=True, kw_only=True)
class FeatureSummary:
    """What training held of a feature: what later leads are compared with.

    ``missing`` is a share of leads. A number has ``edges`` (bin i holds edges[i - 1] <= x < edges[i]) and ``shares``, a
    bin each; a category has the ``values`` that were most frequent, up to 50, and their ``shares``. ``other`` is the
    share of rarer values. Shares are of all leads: with ``missing`` and ``other`` they sum to 1. ``dtype`` is that of
    the training column.
    """

    name: str
    label: str
    kind: str
    side: str
    known: str
    origin: str
    dtype: str
    missing: float
    edges: tuple[float, ...]
    values: tuple[str, ...]
    shares: tuple[float, ...]
    other: float


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a model is.

    ``purpose`` says what it predicts and what for, ``audience`` who may use it; ``trained_on`` names the data,
    ``scope`` the part of the company, ``trained_from`` and ``trained_to`` the first and last scoring moment (None: no
    days), ``known_at`` the day on which the labels were known. ``label`` is the outcome in words, within
    ``horizon_days`` after ``moment_days`` (None: no days). ``validity`` are measured numbers as (what, value) pairs,
    ``limits`` sentences. Days are ISO dates.
    """

    name: str
    family: str
    purpose: str
    audience: str
    trained_on: str
    scope: str
    trained_from: str | None
    trained_to: str | None
    known_at: str | None
    rows: int
    accounts: int
    with_outcome: int
    label: str
    horizon_days: int | None
    moment_days: int | None
    validity: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    definitions_version: str
    owner: str
    features: tuple[FeatureSummary, ...]

    def to_json(self) -> str:
        """Return the card as JSON, the same bytes for the same card."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card back.

        Raises
        ------
        ValueError
            If fields are missing or unknown.
        """
        found: Mapping[str, Any] = json.loads(text)
        wanted = set(cls.__dataclass_fields__)
        if set(found) != wanted:
            raise ValueError(
                f"the model card has the fields {sorted(found)} and not {sorted(wanted)}. It was written by another "
                "version of the suite: train the model again."
            )
        tuples: list[dict[str, Any]] = [
            {key: tuple(value) if isinstance(value, list) else value for key, value in one.items()}
            for one in found["features"]
        ]
        fields = set(FeatureSummary.__dataclass_fields__)
        if any(set(one) != fields for one in tuples):
            raise ValueError(
                f"the model card's features have not the fields {sorted(fields)}. It was written by another version of "
                "the suite: train the model again."
            )
        features = [FeatureSummary(**one) for one in tuples]
        pairs = [(str(what), str(value)) for what, value in found["validity"]]
        rest = {key: value for key, value in found.items() if key not in ("features", "validity", "limits")}
        return cls(**rest, features=tuple(features), validity=tuple(pairs), limits=tuple(found["limits"]))

    def to_markdown(self) -> str:
        """Return the card for people."""
        days = f"{self.trained_from} to {self.trained_to}" if self.trained_from else "no days in the data"
        moment = "not dated" if self.moment_days is None else f"{self.moment_days} days after creation"
        horizon = "not dated" if self.horizon_days is None else f"{self.horizon_days} days after the scoring moment"
        facts = [
            ("What", self.purpose),
            ("For whom", self.audience),
            ("Kind", self.family),
            ("Trained on", f"{self.trained_on}, {self.scope}"),
            ("Leads from", days),
            ("Labels as known on", self.known_at or "not dated"),
            ("Leads", f"{self.rows:,} of {self.accounts:,} accounts, {self.with_outcome:,} with the outcome"),
            ("Outcome", self.label),
            ("Scored", moment),
            ("Horizon", horizon),
            ("Definitions", self.definitions_version),
            ("Owner", self.owner),
        ]
        lines = [f"# {_cell(self.name)}", "", "| | |", "|---|---|"]
        lines += [f"| {what} | {_cell(value)} |" for what, value in facts]
        lines += ["", "## Validity", "", "| measure | value |", "|---|---|"]
        lines += [f"| {_cell(what)} | {_cell(value)} |" for what, value in self.validity]
        lines += ["", "## Limits", "", *(f"- {limit}" for limit in self.limits)]
        lines += ["", "## What it looks at", "", "| feature | name | kind | side | known | from | not recorded |"]
        lines += ["|---|---|---|---|---|---|---|"]
        lines += [
            f"| {_cell(one.label)} | {_cell(one.name)} | {one.kind} | {one.side} | {one.known} | {_cell(one.origin)} | "
            f"{in_words(round(100 * one.missing, 1))} % |"
            for one in self.features
        ]
        return "\n".join(lines) + "\n"


def summarise(
    features: pd.DataFrame, roles: tuple[Feature, ...], weight: npt.NDArray[np.float64] | None = None
) -> tuple[FeatureSummary, ...]:
    """Summarise training features, a row a lead; rows of weight 0 are left out, the others count alike."""
    rows = np.ones(len(features), dtype=bool) if weight is None else weight > 0
    found = []
    for role in roles:
        column = column_of(features, role)[rows]
        edges, values = tuple[float, ...](), tuple[str, ...]()
        if role.kind == "number":
            bins = fit_bins(column, at_most=MOST_BINS, at_least=1)
            codes, size, edges = bins.codes(column), len(bins), bins.edges
        else:
            levels = fit_levels(column, at_most=MOST_VALUES, at_least=1)
            codes, size, values = levels.codes(column), len(levels.kept), levels.kept
            # What was too rare even to be named is no longer told from missing by its code.
            blank = np.array([value is None or value != value or value == "" for value in column], dtype=bool)
            codes[(codes == MISSING) & ~blank] = size
        # The code of what is missing is -1, and that of what is rarer the last.
        counts = np.bincount(codes + 1, minlength=size + 2) / max(len(column), 1)
        found.append(
            FeatureSummary(
                name=role.name,
                label=role.label,
                kind=role.kind,
                side=role.side,
                known=role.known,
                origin=role.origin,
                dtype=str(features[role.name].dtype),
                missing=float(counts[0]),
                edges=edges,
                values=values,
                shares=tuple(float(share) for share in counts[1 : size + 1]),
                other=float(counts[size + 1]),
            )
        )
    return tuple(found)


def _cell(text: str) -> str:
    """Return text that cannot break out of a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
