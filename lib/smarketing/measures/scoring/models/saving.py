"""A model and its card as files that run no code when they are loaded.

`model.skops` holds numbers, texts and arrays only, in skops' format; every type in it has to be on a short list before
anything is built. `card.json` and `model_card.md` say what it is. The same model and card give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io

from smarketing.estimates.calibration import LogisticMap
from smarketing.measures.scoring.leads.sample import Feature
from smarketing.measures.scoring.models.boosting import Boosting
from smarketing.measures.scoring.models.encoding import Bins, Levels
from smarketing.measures.scoring.models.forest import Forest
from smarketing.measures.scoring.models.model_card import ModelCard
from smarketing.measures.scoring.models.scorecard import Factor, Scorecard

MODEL, CARD, PAGE = "model.skops", "card.json", "model_card.md"
TRUSTED = frozenset(
    {"builtins.dict", "builtins.list", "builtins.tuple", "builtins.str", "builtins.int", "builtins.float",
     "builtins.bool", "builtins.NoneType", "numpy.ndarray"}
)  # fmt: skip
"""Types that a model file may hold: skops calls them by module and name."""
_LOADERS = frozenset({"DictNode", "ListNode", "TupleNode", "JsonNode", "NdArrayNode", "TypeNode"})
_PARTS = {cls.__name__: cls for cls in (Scorecard, Boosting, Factor, Bins, Levels, Forest, Feature, LogisticMap)}
_PART = "part"
_EPOCH = (1980, 1, 1, 0, 0, 0)


class UntrustedModel(ValueError):
    """A model file that holds something other than numbers, texts and arrays, or does not belong to its card."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Saved:
    """A model that was loaded, and its card."""

    model: Scorecard | Boosting
    card: ModelCard


def save_model(model: Scorecard | Boosting, card: ModelCard, folder: Path) -> None:
    """Write a model and its card into a folder, which is made where it is missing; files there are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    content = _normalised(skops.io.dumps(_plain(model)))
    (folder / MODEL).write_bytes(content)
    about = {"card": json.loads(card.to_json()), "model_sha256": hashlib.sha256(content).hexdigest()}
    text = json.dumps(about, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8", newline="\n")
    (folder / PAGE).write_text(card.to_markdown(), encoding="utf-8", newline="\n")


def load_model(folder: Path) -> Saved:
    """Read a model and its card back; predictions are the same to the last bit.

    Raises
    ------
    UntrustedModel
        If the model file holds a type that is not on the list, is not the one that the card was written for, or does
        not describe a model.
    FileNotFoundError
        If a file is missing.
    """
    content = (folder / MODEL).read_bytes()
    about = json.loads((folder / CARD).read_text(encoding="utf-8"))
    unknown = sorted(_types(content) - TRUSTED)
    if unknown:
        raise UntrustedModel(
            f"{MODEL} holds {', '.join(unknown)}; only numbers, texts and arrays are loaded. Do not use this file: ask "
            "where it comes from, and train the model again."
        )
    if hashlib.sha256(content).hexdigest() != about["model_sha256"]:
        raise UntrustedModel(f"{MODEL} is not the model that {CARD} was written for. Save both together again.")
    model = _built(skops.io.loads(content, trusted=[]))
    if not isinstance(model, Scorecard | Boosting):
        raise UntrustedModel(f"{MODEL} holds a {type(model).__name__} and no model. Train the model again.")
    return Saved(model=model, card=ModelCard.from_json(json.dumps(about["card"])))


def _plain(part: Any) -> Any:
    """Return a part of a model as dictionaries, lists, numbers, texts and arrays."""
    if is_dataclass(part) and not isinstance(part, type):
        return {_PART: type(part).__name__} | {f.name: _plain(getattr(part, f.name)) for f in fields(part)}
    if isinstance(part, tuple):
        return tuple(_plain(one) for one in part)
    if part is None or isinstance(part, bool | int | float | str | np.ndarray):
        return part
    raise TypeError(f"a model holds a {type(part).__name__}, which is not saved.")


def _built(plain: Any) -> Any:
    """Undo `_plain`."""
    if isinstance(plain, dict):
        name = plain.get(_PART)
        if name not in _PARTS:
            raise UntrustedModel(f"{MODEL} describes {name!r}; known are {sorted(_PARTS)}. Train the model again.")
        given = {key: _built(value) for key, value in plain.items() if key != _PART}
        wanted = {field.name for field in fields(_PARTS[name])}
        if set(given) != wanted:
            raise UntrustedModel(
                f"{MODEL} describes a {name} with {sorted(given)} and not {sorted(wanted)}: it was written by another "
                "version of the suite. Train the model again."
            )
        return _PARTS[name](**given)
    if isinstance(plain, tuple):
        return tuple(_built(one) for one in plain)
    return plain


def _types(content: bytes) -> set[str]:
    """Return all types that a skops file would build, without building any; how it would build them counts too."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            schema = json.loads(archive.read("schema.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UntrustedModel(f"{MODEL} is not a model file: {error}. Train the model again.") from error
    found, waiting = set(), [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if "__class__" in node or "__loader__" in node:
                name = f"{node.get('__module__')}.{node.get('__class__')}"
                loader = node.get("__loader__")
                found.add(name if loader in _LOADERS else f"{name} (by {loader})")
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return found


def _normalised(content: bytes) -> bytes:
    """Return the same skops file without the time of day and the addresses in memory that skops writes into it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop("schema.json"))
    names: dict[str, str] = {}

    def renamed(node: Any) -> Any:
        if isinstance(node, list):
            return [renamed(one) for one in node]
        if not isinstance(node, dict):
            return node
        clean = {key: renamed(value) for key, value in node.items() if key != "__id__"}
        if clean.get("type") == "numpy" and "file" in clean:
            clean["file"] = names.setdefault(clean["file"], f"{len(names)}.npy")
        return clean

    schema = renamed(schema)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, data in [("schema.json", json.dumps(schema, indent=1).encode())] + [
            (names[old], data) for old, data in files.items()
        ]:
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()
