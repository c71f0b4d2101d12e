"""The log of meetings and decisions, typed by people in ``params/decisions.yml`` and only ever read.

A report prints decisions as those of the people who took them; it never makes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from smarketing.company.definitions import read_yaml
from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import explain


class Decision(BaseModel):
    """One decision: what, who sees to it, by when, and what became of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    what: str = Field(min_length=1)
    who: str = Field(min_length=1)
    by: date
    state: Literal["open", "done", "dropped"] = "open"
    closed_on: date | None = None
    why: str = ""

    @model_validator(mode="after")
    def _closed_has_a_date(self) -> Self:
        if self.state != "open" and self.closed_on is None:
            raise ValueError(f"a decision that is {self.state} needs closed_on")
        return self

    def state_at(self, as_of: date) -> str:
        """Return what was known of it on a day: done, dropped, open, or overdue."""
        if self.closed_on is not None and self.closed_on <= as_of:
            return self.state
        return "overdue" if self.by < as_of else "open"


class Meeting(BaseModel):
    """A meeting, who was there, and what was decided."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    held: date
    present: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    meetings: tuple[Meeting, ...] = ()


@dataclass(frozen=True)
class DecisionLog:
    """All meetings, oldest first."""

    meetings: tuple[Meeting, ...] = ()

    def last_two(self, as_of: date) -> tuple[Meeting | None, Meeting | None]:
        """Return the latest meeting held by a day and the one before it."""
        held = [meeting for meeting in self.meetings if meeting.held <= as_of]
        return (held[-1] if held else None, held[-2] if len(held) > 1 else None)

    def still_open(self, as_of: date) -> tuple[tuple[Meeting, Decision], ...]:
        """Return earlier decisions, before the last two meetings, that are still open or overdue."""
        held = [meeting for meeting in self.meetings if meeting.held <= as_of][:-2]
        return tuple((m, d) for m in held for d in m.decisions if d.state_at(as_of) in ("open", "overdue"))


def read_decisions(path: Path) -> DecisionLog:
    """Read a decision log; `CompanyError` names the entry that is wrong and how to put it right."""
    content = read_yaml(path, "Decisions")
    try:
        meetings = _File.model_validate(content).meetings
    except ValidationError as error:
        raise CompanyError(explain(error, _File, f"Decisions file {path}")) from None
    return DecisionLog(tuple(sorted(meetings, key=lambda meeting: meeting.held)))
