"""The sheet every chart is drawn on, and how a drawing becomes part of a page.

A figure is laid out in pixels (72 dots an inch, so that a point is a pixel), drawn twice, and written as SVG with real
text. What matplotlib leaves in the file that depends on the process (dates, running ids) is taken out or prefixed.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from seaborn import axes_style

from smarketing.report import fonts, palette

TEXT = 14.0
"""Size of every text in a chart, in pixels: at 390 px a narrow figure is shown at its own size or a little larger."""
LINE = 18.0
"""Height of a line of such text."""
_ON_FILL = "on-fill"


@dataclass(frozen=True)
class Sheet:
    """One of the two sizes of a figure: its name and its width in pixels."""

    name: str
    width: int

    @property
    def narrow(self) -> bool:
        """Whether this is the drawing for a phone."""
        return self.name == "narrow"


WIDE = Sheet("wide", 800)
NARROW = Sheet("narrow", 350)


def blank(sheet: Sheet, height: float) -> Figure:
    """Return an empty figure of the sheet's width and ``height`` pixels."""
    fonts.register()
    figure = Figure(figsize=(sheet.width / 72, height / 72), dpi=72, facecolor="none")
    FigureCanvasAgg(figure)
    return figure


def frame(figure: Figure, *, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place in pixels, measured from the figure's top left corner; no spines, no ticks, no grid."""
    full_width, full_height = figure.get_size_inches() * 72
    axes = figure.add_axes(
        (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
    )
    axes.set(xlabel="", ylabel="", facecolor="none")
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def write(
    figure: Figure,
    text: str,
    *,
    x: float,
    y: float,
    align: str = "left",
    weight: int = 400,
    colour: str = "ink",
    size: float = TEXT,
    on_fill: bool = False,
) -> Text:
    """Write horizontal text at pixels from the figure's top left; ``y`` is the middle of the line.

    Text has a halo in the page's colour, so that lines do not run through it; not so ``on_fill``, on a coloured ground.
    """
    full_width, full_height = figure.get_size_inches() * 72
    return figure.text(
        x / full_width,
        1 - y / full_height,
        clean(text),
        ha=align,
        va="center_baseline",
        color=palette.LIGHT[colour],
        fontproperties=_font(weight, size),
        gid=_ON_FILL if on_fill else None,
    )


def write_beside(figure: Figure, text: str, *, right: float, middle: float, room: float, weight: int = 400) -> None:
    """Write the name of a row at the left of its marks: up to two lines that end at ``right``."""
    lines = wrapped(text, room, weight=weight)
    for number, line in enumerate(lines):
        y = middle + (number - (len(lines) - 1) / 2) * 15
        write(figure, line, x=right, y=y, align="right", weight=weight)


def over_all(figure: Figure) -> Axes:
    """Return axes over the whole figure whose units are pixels from its top left corner."""
    full_width, full_height = figure.get_size_inches() * 72
    axes = frame(figure, left=0, top=0, width=full_width, height=full_height)
    axes.set(xlim=(0, full_width), ylim=(full_height, 0))
    return axes


def clean(text: str) -> str:
    """Return one line without control characters: those are not allowed in a page, and have no width."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


@cache
def text_width(text: str, weight: int = 400, size: float = TEXT) -> float:
    """Return how many pixels wide ``text`` is."""
    with _style():
        return float(_ruler().get_text_width_height_descent(clean(text), _font(weight, size), ismath=False)[0])


@cache
def _ruler() -> RendererAgg:
    return RendererAgg(10, 10, 72)


@cache
def _font(weight: int, size: float) -> FontProperties:
    return FontProperties(family=fonts.FAMILY, weight=weight, size=size)


def shorten(text: str, width: float, weight: int = 400) -> str:
    """Return ``text``, cut with an ellipsis where it is wider than ``width`` pixels."""
    text = clean(text)
    if text_width(text, weight) <= width:
        return text
    fits = bisect_right(range(len(text)), width, key=lambda end: text_width(text[:end].rstrip() + "…", weight))
    return text[: max(fits - 1, 1)].rstrip() + "…"


def wrapped(text: str, width: float, *, lines: int = 2, weight: int = 400) -> list[str]:
    """Break ``text`` at spaces into at most ``lines`` lines of ``width`` pixels; what is left over is cut."""
    words, rows = clean(text).split(), [""]
    while words:
        longer = f"{rows[-1]} {words[0]}".strip()
        if rows[-1] and text_width(longer, weight) > width and len(rows) < lines:
            rows.append("")
            continue
        rows[-1] = longer
        words.pop(0)
    return [shorten(row, width, weight) for row in rows]


def drawn_twice(identity: str, alt: str, paint: Callable[[Sheet], Figure]) -> tuple[str, str]:
    """Return the wide and the narrow drawing of a figure as inline SVG."""
    with _style():
        return _to_svg(paint(WIDE), f"{identity}-w", alt), _to_svg(paint(NARROW), f"{identity}-n", alt)


def painted(paint: Callable[[Sheet], Figure], sheet: Sheet) -> Figure:
    """Return one drawing as a laid-out matplotlib figure (for measuring its texts)."""
    with _style():
        figure = paint(sheet)
        figure.canvas.draw()
    return figure


class _style:  # noqa: N801
    """The drawing style: matplotlib's settings for the time of a drawing, and no complaints about rare letters."""

    def __enter__(self) -> None:
        fonts.register()
        self._context = mpl.rc_context(
            {
                **axes_style("white"),
                "svg.fonttype": "none",
                "text.parse_math": False,
                "font.family": fonts.FAMILY,
                "axes.unicode_minus": True,
                "path.simplify": False,
            }
        )
        self._context.__enter__()
        self._quiet = warnings.catch_warnings()
        self._quiet.__enter__()
        # A lead source in Japanese: the browser has the letters even if the files to measure with do not.
        warnings.filterwarnings("ignore", message="(?s)Glyph .* missing from font")

    def __exit__(self, *error: object) -> None:
        self._quiet.__exit__(*error)  # type: ignore[arg-type]
        self._context.__exit__(*error)  # type: ignore[arg-type]


def _to_svg(figure: Figure, identity: str, alt: str) -> str:
    target = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": identity}):
        figure.savefig(target, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    width, height = (round(inches * 72) for inches in figure.get_size_inches())
    body = target.getvalue()
    body = body[body.index("<svg") :]
    body = body[body.index(">") + 1 : body.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    # Tags only: what stands between them is text from the data and stays as it is.
    body = re.sub(r"<[^>]*>", lambda tag: _tidy(tag[0], identity, used), body)
    body = re.sub(r">\s+<", "><", body.strip())
    while (smaller := re.sub(r"<g></g>|<defs></defs>|<g/>", "", body)) != body:
        body = smaller
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" focusable="false" '
        f'aria-label="{html.escape(alt)}">{body}</svg>'
    )


def _tidy(tag: str, identity: str, used: set[str]) -> str:
    if tag.startswith("<path") and 'style="fill: none"' in tag:
        return ""
    tag = tag.replace(f' id="{_ON_FILL}"', f' class="{_ON_FILL}"')
    tag = re.sub(r' id="([^"]*)"', lambda m: f' id="{identity}-{m[1]}"' if m[1] in used else "", tag)
    tag = re.sub(r'(url\(#|href="#)([^)"]+)', lambda m: f"{m[1]}{identity}-{m[2]}", tag)
    tag = tag.replace("xlink:href", "href").replace("\n", " ")
    tag = re.sub(r' transform="rotate\(-0 [^"]*"|font-family: [^;"]*;? ?', "", tag)
    tag = re.sub(r"(?<![#\w-])-?\d+\.\d{2,}", lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), tag)
    return palette.to_variables(tag)
