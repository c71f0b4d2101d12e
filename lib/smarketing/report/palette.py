"""The colours of a page and of its charts: colour-blind safe, light and dark, each known by a name.

Charts are drawn with the light value; when a drawing becomes part of a page each colour is rewritten to a CSS variable
with the light value as its fallback, so one drawing serves both themes. A colour that is not here is refused.
"""

from __future__ import annotations

import re

LIGHT = {
    "bg": "#ffffff",
    "panel": "#f4f7fa",
    "ink": "#14202e",
    "muted": "#4d5b69",
    "line": "#d3dae1",
    "grid": "#e4e9ee",
    "blue": "#0f4c8a",
    "orange": "#d9580c",
    "teal": "#0c7a6f",
    "wine": "#6d0f45",
    "grey": "#808c99",
    "ahead": "#0a5c8a",
    "behind": "#a8330f",
    "warn": "#7a5200",
    "accent": "#0b4f8a",
}
DARK = {
    "bg": "#0f1822",
    "panel": "#17222e",
    "ink": "#e9eff5",
    "muted": "#aab7c4",
    "line": "#2d3c4b",
    "grid": "#25323f",
    "blue": "#6cb2f5",
    "orange": "#ffa24d",
    "teal": "#9af5e6",
    "wine": "#c75a90",
    "grey": "#a9b6c3",
    "ahead": "#5cc8ff",
    "behind": "#ff9a6b",
    "warn": "#efb84a",
    "accent": "#86c0f7",
}
# Marks of several series, in the order they are given out; grey is for what is not the story.
SERIES = ("blue", "orange", "teal", "wine")

_NAMES = {value: name for name, value in LIGHT.items()}
_HEX = re.compile(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b")


def variables() -> str:
    """Return the CSS custom properties of the palette, one ``light-dark()`` pair each."""
    return "".join(f"--{name}:light-dark({LIGHT[name]},{DARK[name]});" for name in LIGHT)


def to_variables(svg: str) -> str:
    """Rewrite each colour of an SVG's style attributes to its CSS variable.

    Raises
    ------
    ValueError
        For a colour that is not in the palette.
    """

    def variable(found: re.Match[str]) -> str:
        colour = found[0].lower()
        if colour not in _NAMES:
            raise ValueError(
                f"colour: got {colour}; allowed are the palette's {', '.join(LIGHT)}. "
                "Draw with smarketing.report.palette.LIGHT[name]."
            )
        return f"var(--{_NAMES[colour]},{colour})"

    return re.sub(r'style="[^"]*"', lambda style: _HEX.sub(variable, style[0]), svg)
