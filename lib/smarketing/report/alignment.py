"""The blocks of the alignment report: it composes what other notebooks recorded and computes nothing."""

from __future__ import annotations

from typing import Protocol

from smarketing.measures.results import Check, Finding, KeyFigure


class Section(Protocol):
    """What one notebook recorded: its question, its headline, its figures, findings and checks."""

    @property
    def notebook(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def headline(self) -> str: ...  # noqa: D102
    @property
    def figures(self) -> tuple[KeyFigure, ...]: ...  # noqa: D102
    @property
    def findings(self) -> tuple[Finding, ...]: ...  # noqa: D102
    @property
    def checks(self) -> tuple[Check, ...]: ...  # noqa: D102
