"""The company's present score: points by rule, given at creation. Plausible, half right, and never checked."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from smarketing.company.demo.accounts import Accounts
from smarketing.company.demo.columns import arrow_table, ids, labels, timestamps
from smarketing.company.demo.leads import Leads
from smarketing.company.demo.world import SOURCES, Floats, Ints

SYSTEM = "crm"
BY_SOURCE = {
    "Inbound demo": 20, "Event": 20, "Webinar": 15, "Paid search": 15, "Partner": 10, "Content download": 5,
    "Outbound": 0,
}  # fmt: skip
BY_COLUMN: dict[str, dict[str | bool, int]] = {
    "job_level": {"C-level": 25, "VP": 20, "Director": 15, "Manager": 5},
    "title_function": {"Finance": 10, "Operations": 10, "IT": 5},
    "address_kind": {"business": 10},
    "budget_range": {"50k to 200k": 5, "over 200k": 10},
    "time_frame": {"this quarter": 10, "this year": 5},
    "number_given": {True: 5},
    "newsletter": {True: 5},
}
BY_BAND = (0, 5, 10)
BANDS, LIMITS = ("D", "C", "B", "A"), (35.0, 50.0, 65.0)


def points(leads: Leads, accounts: Accounts) -> Floats:
    """Return each lead's points, 0 to 105: title counts for much and says nothing, what is known to tell for little."""
    total = np.array([BY_SOURCE.get(name, 0) for name in SOURCES], dtype=float)[leads.source]
    total += np.array(BY_BAND)[accounts.band[leads.account]]
    for column, values in BY_COLUMN.items():
        told = leads.table.column(column).combine_chunks().dictionary_encode()
        worth = np.array([values.get(each, 0) for each in told.dictionary.to_pylist()] + [0])
        total += worth[_codes(told)]
    return total


def make_scores(leads: Leads, accounts: Accounts) -> pa.Table:
    """Make one score a lead, at the second of its creation."""
    score = points(leads, accounts)
    columns = {
        "subject_id": ids("L", leads.first + np.arange(len(leads))),
        "system": labels((SYSTEM,), np.zeros(len(leads), dtype=np.int64)),
        "band": labels(BANDS, np.searchsorted(LIMITS, score, side="right")),
        "score": pa.array(score),
        "at": timestamps(leads.second),
    }
    return arrow_table("scores", columns, len(leads))


def _codes(column: pa.DictionaryArray) -> Ints:
    """Return the positions in the dictionary, -1 for NULL."""
    return np.asarray(column.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
