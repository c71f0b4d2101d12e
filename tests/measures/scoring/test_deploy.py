"""What is given out beside a report: rows of the table of scores, and the model as SQL with how to feed it."""

from __future__ import annotations

import importlib
import re
from datetime import date

import pandas as pd

from scored_leads import fitted
from smarketing.measures.scoring.giving.deploy import score_rows, score_sql
from smarketing.measures.scoring.giving.given import ROWS
from smarketing.measures.scoring.leads.features import feature_table


def test_the_query_names_a_function_that_is_there() -> None:
    head = score_sql(fitted("scorecard"), dialect="duckdb").split("SELECT")[0]
    named = re.search(r"^-- (\S+)\.(\w+)\(view, scoring, model\.roles\)\.$", head, re.MULTILINE)
    assert named is not None
    assert getattr(importlib.import_module(named[1]), named[2]) is feature_table


def test_rows_say_which_share_was_drawn_that_day() -> None:
    scored = pd.DataFrame(
        {"lead_id": ["a", "b"], "probability": [0.4, 0.1], "band": ["A", "C"], "qualified": [True, False],
         "explore": [False, True]}
    )  # fmt: skip
    rows = score_rows(scored, date(2026, 11, 15), promise="wins", explore_share=0.05)
    assert list(rows) == list(ROWS)
    assert rows["explore_share"].tolist() == [0.05, 0.05] and rows["promise"].tolist() == ["wins", "wins"]
