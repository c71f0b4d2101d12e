"""What every entry of the definitions carries: how firm it is, who owns it on both sides, and its dates."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower-case letters, digits and _")]


class Frozen(BaseModel):
    """A model that is never changed after reading and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(Frozen):
    """What every definition carries: how firm it is, who owns it on both sides, and its dates."""

    state: Literal["assumed", "proposed", "agreed"] = "assumed"
    sales_owner: str = ""
    marketing_owner: str = ""
    agreed_on: date | None = None
    review_on: date | None = None

    @model_validator(mode="after")
    def _agreed_has_owners(self) -> Self:
        if self.state == "agreed" and not (self.sales_owner and self.marketing_owner and self.agreed_on):
            raise ValueError("an agreed entry needs sales_owner, marketing_owner and agreed_on")
        return self
