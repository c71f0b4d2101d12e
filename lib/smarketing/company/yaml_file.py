"""Read a YAML file that people write: a key given twice is an error, and only true and false are booleans."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from smarketing.company.tables import CompanyError

_BOOL = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """YAML in which yes, no, on and off are texts, as they stand in a CRM's columns."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|false)$"), list("tf"))


def _without_doubles(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} is given twice", key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


def _time_or_text(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """Leave a day that does not exist (2026-02-30) a text, so that whoever checks the file can name its place."""
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        return node.value


_Loader.add_constructor("tag:yaml.org,2002:map", _without_doubles)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _time_or_text)


def parse_yaml(text: str) -> Any:
    """Read YAML text; ``yaml.YAMLError`` where it is none or gives a key twice."""
    return yaml.load(text, _Loader)


def read_yaml(path: Path, *, what: str) -> dict[Any, Any]:
    """Read a mapping from a YAML file; ``what`` names the kind of file in messages.

    Raises
    ------
    CompanyError
        The file is missing (its neighbours are named), is not YAML (with the line), gives a key twice, or is empty.
    """
    path = Path(path)
    try:
        said = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError:
        others = ", ".join(sorted(file.name for file in path.parent.glob("*.yml"))) or "none"
        raise CompanyError(f"there is no {what} {path.name}; in its folder: {others}") from None
    except UnicodeDecodeError:
        raise CompanyError(f"{path.name}: the {what} is not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise CompanyError(f"{path.name}{line}: this is not YAML: {problem or error}") from None
    if not isinstance(said, dict) or not said:
        raise CompanyError(f"{path.name}: the {what} is empty or not a mapping of keys to values")
    return said
