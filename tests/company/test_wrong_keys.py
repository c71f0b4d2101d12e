"""What a wrong name is answered with."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from smarketing.company.wrong_keys import explain, nearest


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: str = ""


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    one: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}
    either: Inner | int = 0


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("colr", "Did you mean 'colour'?"),
        ("COLOUR", "Did you mean 'colour'?"),
        ("Emea", "Did you mean 'EMEA'?"),
        ("xyz", "Allowed are colour, EMEA."),
    ],
)
def test_the_nearest_name_or_all_of_them(name: str, answer: str) -> None:
    assert nearest(name, ["colour", "EMEA"]) == answer


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"one": {"color": "red"}}, "one.color"),
        ({"many": [{}, {"color": "red"}]}, "many.1.color"),
        ({"named": {"a": {"color": "red"}}}, "named.a.color"),
    ],
)
def test_a_wrong_name_deep_inside_is_answered_with_its_neighbours(said: dict[str, object], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(said)
    message = explain(caught.value, Outer, "The file")
    assert message == f"The file is wrong in 1 place:\n  {place}: there is no such name. Did you mean 'colour'?"


def test_a_wrong_name_at_the_top() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"manny": []})
    assert explain(caught.value, Outer, "The file") == (
        "The file is wrong in 1 place:\n  manny: there is no such name. Did you mean 'many'?"
    )
