"""Which columns an input file declares as filled in before, or after, sales first speaks to a lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smarketing.company.mapping import Mapped, find_header
from smarketing.company.tables import CompanyError, Known
from smarketing.company.wrong_keys import nearest


def declared(mapped: Mapped) -> dict[str, Known]:
    """Return what a source declares of its columns: by our names, or by their headers that fill a column of ours.

    A column that is optional and not in the file is passed over.

    Raises
    ------
    CompanyError
        A name is neither, or one column is declared both ways: by our name and by its header.
    """
    filled = (*mapped.filled, *mapped.attributes)
    named = {*mapped.source.columns, *mapped.source.attributes.columns}
    found: dict[str, Known] = {}
    for when in ("before", "after"):
        for name in getattr(mapped.source.known, when):
            columns = _columns(name, mapped, filled)
            if not columns and name not in named and not _in_mapping(name, mapped):
                raise CompanyError(f"{mapped.place}, known.{when}: {_unknown(name, mapped, filled)}")
            for column in columns:
                if found.setdefault(column, when) != when:
                    raise CompanyError(
                        f"{mapped.place}, known: `{column}` ({mapped.read_from[column]}) is declared `before` and "
                        "`after`; leave it in one of them"
                    )
    return found


def together(table: str, parts: Sequence[Mapping[str, Known]]) -> dict[str, Known]:
    """Return what the sources of a table declare together; `CompanyError` where they contradict each other."""
    found: dict[str, Known] = {}
    for part in parts:
        for column, when in part.items():
            if found.setdefault(column, when) != when:
                raise CompanyError(
                    f"table `{table}`, known: one source declares `{column}` as filled in `before` and another as "
                    "`after`; say the same in both"
                )
    return found


def _columns(name: str, mapped: Mapped, filled: Sequence[str]) -> list[str]:
    """Return the columns that a name stands for."""
    if name in filled:
        return [name]
    header = find_header(name, mapped.raw.headers)
    return [column for column in filled if header is not None and mapped.read_from[column] == header]


def _in_mapping(name: str, mapped: Mapped) -> bool:
    """Whether the mapping names this header for a column that may be absent from the file."""
    columns = {**mapped.source.columns, **mapped.source.attributes.columns}
    return any(name in column.column for column in columns.values())


def _unknown(name: str, mapped: Mapped, filled: Sequence[str]) -> str:
    header = find_header(name, mapped.raw.headers)
    if header is not None:
        return f"nothing is filled from the column `{header}`; keep it under `attributes`, or take it out of the list"
    theirs = [mapped.read_from[column] for column in filled if mapped.read_from[column] in mapped.raw.headers]
    return f"there is no column `{name}`. {nearest(name, dict.fromkeys((*filled, *theirs)))}"
