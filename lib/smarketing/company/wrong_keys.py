"""What a pydantic error means to the person who wrote the file: where, what was got, what is allowed, nearest name."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

BESIDES = "\n\n"
"""What stands between the faults that one validator found together; each gets a line of its own."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` for the closest allowed name, or the list of all where none is close."""
    names = [str(option) for option in allowed]
    close = get_close_matches(name, names, n=1, cutoff=0.6) or get_close_matches(
        name.lower(), [option.lower() for option in names], n=1, cutoff=0.6
    )
    if close:
        right = next(option for option in names if close[0] in (option, option.lower()))
        return f"Did you mean {right!r}?"
    return f"Allowed are {', '.join(names)}."


def explain(error: ValidationError, model: type[BaseModel], where: str) -> str:
    """Return one message for all faults of a validation, each with its place in the file and a remedy."""
    lines = []
    for fault in error.errors(include_url=False, include_context=True):
        if fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]:
            # Only because an item of it is wrong, which has a line of its own.
            continue
        place = ".".join(str(part) for part in fault["loc"]) or "the file"
        if fault["type"] == "extra_forbidden":
            owner = _model_at(model, fault["loc"][:-1])
            allowed = owner.model_fields if owner else ()
            lines.append(f"{place}: there is no such name. {nearest(str(fault['loc'][-1]), allowed)}")
        elif fault["type"] == "missing":
            lines.append(f"{place}: is missing and has no default.")
        else:
            message = fault["msg"].removeprefix("Value error, ")
            got = "" if isinstance(fault["input"], dict | list | BaseModel) else f"; got {fault['input']!r}"
            said = [f"{place}: {one}{got}" for one in message.split(BESIDES)]
            lines += [one if one.endswith((".", "?")) else f"{one}." for one in said]
    head = f"{where} is wrong in {len(lines)} place{'s' if len(lines) > 1 else ''}:"
    return "\n  ".join([head, *lines])


def _model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Follow a location through nested models, lists and mappings to the model that owns it."""
    found: object = model
    for part in loc:
        found = _unwrap(found)
        if isinstance(found, type) and issubclass(found, BaseModel) and part in found.model_fields:
            found = found.model_fields[str(part)].annotation
    found = _unwrap(found)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _unwrap(annotation: object) -> object:
    """Return the model inside ``list[Model]``, ``tuple[Model, ...]``, ``dict[str, Model]`` or ``Model | None``."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is None:
            return annotation
        inner = [a for a in typing.get_args(annotation) if a not in (type(None), Ellipsis, str)]
        if not inner or (origin in (typing.Union, types.UnionType) and len(inner) > 1):
            return None
        annotation = inner[-1]
