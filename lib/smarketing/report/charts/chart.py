"""What a chart is once it is drawn: its words, its data and its two drawings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from smarketing.report.charts import canvas
from smarketing.report.charts.canvas import Sheet
from smarketing.report.formats import is_missing

SHORTEST_ALT = 60


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawn figure with everything a page says about it.

    ``title`` states the finding, ``subtitle`` the measure with unit and period, ``source`` where the rows come from.
    ``alt`` says chart type, measure and finding in at least 60 characters. ``data`` is what the figure shows, one row a
    mark, and ``formats`` the unit of each column (see `smarketing.report.formats.value_of`). ``wide`` and ``narrow``
    are inline SVG.

    Raises
    ------
    ValueError
        If the id cannot be an anchor, a word is missing or the alt text is too short.
    """

    id: str
    title: str
    subtitle: str
    source: str
    alt: str
    data: pd.DataFrame
    wide: str
    narrow: str
    formats: Mapping[str, str] = field(default_factory=dict)
    how_to_read: str = ""
    so_what: str = ""

    def __post_init__(self) -> None:
        check_words(self.id, title=self.title, subtitle=self.subtitle, source=self.source, alt=self.alt)

    def _repr_html_(self) -> str:
        """Return the wide drawing under its title, for a look in JupyterLab before it becomes a block."""
        from smarketing.report.blocks import figure

        return str(figure(self)._repr_mimebundle_()[0]["text/html"])


def drawn(
    paint: Callable[[Sheet], Figure],
    data: pd.DataFrame,
    formats: Mapping[str, str],
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Return the chart of both drawings of ``paint``, the data behind them and the figure's words."""
    wide, narrow = canvas.drawn_twice(id, alt, paint)
    return Chart(
        id=id,
        title=title,
        subtitle=subtitle,
        source=source,
        alt=alt,
        data=data,
        formats={column: unit for column, unit in formats.items() if column in data.columns},
        how_to_read=how_to_read,
        so_what=so_what,
        wide=wide,
        narrow=narrow,
    )


def behind(
    frame: pd.DataFrame, columns: Mapping[str, tuple[str, str]], *, optional: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the table behind a figure, and the unit of each of its columns.

    ``columns`` names the heading and the unit ("" for text) of each column of ``frame`` that is shown, in order; an
    optional one without any value is left out.
    """
    kept = [
        name for name in columns if name in frame.columns and not (name in optional and bool(frame[name].isna().all()))
    ]
    units = {columns[name][0]: columns[name][1] for name in kept if columns[name][1]}
    return frame[kept].rename(columns={name: columns[name][0] for name in kept}), units


def thinned(lines: pd.DataFrame, *, most: int = 40) -> pd.DataFrame:
    """Keep the first and last row of each ``line`` and at most ``most`` between: a table to read, not a dump."""
    parts = []
    for _, part in lines.groupby("line", sort=False):
        every = max(1, -(-len(part) // most))
        keep = [index for index in range(len(part)) if index % every == 0 or index == len(part) - 1]
        parts.append(part.iloc[keep])
    return pd.concat(parts, ignore_index=True)


def check_words(identity: str, *, title: str, subtitle: str, source: str, alt: str) -> None:
    """Raise ``ValueError`` unless a figure may be published under these words."""
    check_id(identity)
    for name, words in (("title", title), ("subtitle", subtitle), ("source", source)):
        if not words.strip():
            raise ValueError(f"figure {identity!r}: {name} is empty; every figure has one. Say it in words.")
    if len(alt.strip()) < SHORTEST_ALT:
        raise ValueError(
            f"figure {identity!r}: alt text has {len(alt.strip())} characters; at least {SHORTEST_ALT} are needed. "
            "Say the chart type, the measure and the finding."
        )


def check_id(identity: str) -> None:
    """Raise ``ValueError`` unless ``identity`` can be an anchor: lower-case letters, digits and hyphens."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", identity):
        raise ValueError(
            f"id: got {identity!r}; allowed are lower-case letters, digits and hyphens, a letter first. "
            "Write it like fig-funnel."
        )


def check_columns(frame: pd.DataFrame, name: str, *, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Raise ``ValueError`` for a column that is missing or not known."""
    missing = [column for column in required if column not in frame.columns]
    unknown = [str(column) for column in frame.columns if column not in (*required, *optional)]
    if missing or unknown:
        got = ", ".join(map(str, frame.columns))
        allowed = ", ".join(required) + (f" and optionally {', '.join(optional)}" if optional else "")
        problem = f"{missing[0]!r} is missing" if missing else f"{unknown[0]!r} is not known"
        raise ValueError(f"{name}: column {problem}; got {got}; allowed are {allowed}. Rename or drop columns.")


def check_rows(frame: pd.DataFrame, name: str, what: str = "rows") -> None:
    """Raise ``ValueError`` for a frame without rows."""
    if frame.empty:
        raise ValueError(f"{name}: got no {what}; at least one is needed. Show not_applicable() instead.")


def check_shares(frame: pd.DataFrame, name: str, columns: tuple[str, ...]) -> None:
    """Raise ``ValueError`` for a share or probability that is not 0 to 1; missing values pass."""
    for column in columns:
        beyond = frame[column][(frame[column] < 0) | (frame[column] > 1)]
        if len(beyond):
            raise ValueError(f"{name}: {column}: got {beyond.iloc[0]:g}; allowed are 0 to 1. Divide percent by 100.")


def flags(frame: pd.DataFrame, column: str) -> list[bool]:
    """Return a column of yes or no, one a row; a missing column or value is no."""
    if column not in frame.columns:
        return [False] * len(frame)
    return [not is_missing(value) and bool(value) for value in frame[column]]
