"""The page's typeface: Source Sans Pro, cut down to what a page needs, and the same files for the charts.

The TrueType files come with the package ``font-source-sans-pro`` (OFL). TrueType, because CFF outlines become Type 3
fonts in a printed PDF.
"""

from __future__ import annotations

import base64
import io
from functools import cache
from importlib.resources import as_file, files

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from matplotlib import font_manager

FAMILY = "Source Sans Pro"
WEIGHTS = {400: "Regular", 600: "Semibold", 700: "Bold"}
ASCENT, DESCENT = 0.984, 0.273
"""Of the typeface, in parts of its size."""

STAND_INS = {
    "Arial, Helvetica, Liberation Sans": (93.4, 90.2, 92.7),
    "Roboto": (94.3, 95.4, 98.0),
    "DejaVu Sans": (81.5, 74.8, 76.9),
}
"""Fonts that systems carry, and for each weight the size in percent at which English text is as wide as in ours.

Browsers lay out before embedded fonts are decoded; lines that break in the same places do not shift when they are.
The ratios are those of the advance widths of a report's own text (regular for 400, bold for 600 and 700).
"""

# Latin with its accents, typographic marks, currencies, arrows, and the shapes that stand for a status.
_RANGES = ((0x20, 0x7E), (0xA0, 0x17F), (0x2010, 0x2026), (0x2190, 0x2193))
_SINGLES = "ˆ˜‰‹›⁄€₹™−≈≠≤≥×÷√∞■▲△▶▼◆◉◌✓"


def characters() -> set[int]:
    """Return the code points that the embedded fonts are cut down to."""
    ranged = {point for first, last in _RANGES for point in range(first, last + 1)}
    return ranged | {ord(character) for character in _SINGLES}


@cache
def woff2(weight: int) -> bytes:
    """Return one weight (400, 600 or 700) as a woff2 subset; the bytes are the same in every process."""
    source = files("font_source_sans_pro") / "files" / f"SourceSansPro-{WEIGHTS[weight]}.ttf"
    options = Options()
    options.flavor = "woff2"
    options.layout_features = ["kern", "liga", "tnum", "lnum", "mark", "mkmk", "ccmp"]
    options.hinting = False
    options.recalc_timestamp = False
    with source.open("rb") as handle:
        font = TTFont(handle, recalcTimestamp=False)
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=characters())
        subsetter.subset(font)
        font.flavor = "woff2"
        target = io.BytesIO()
        font.save(target)
    return target.getvalue()


@cache
def faces() -> str:
    """Return the ``@font-face`` rules of the three weights, embedded as data URLs."""
    embedded = "".join(
        f'@font-face{{font-family:"{FAMILY}";font-weight:{weight};font-style:normal;font-display:block;'
        f"src:url(data:font/woff2;base64,{base64.b64encode(woff2(weight)).decode()}) format('woff2')}}"
        for weight in WEIGHTS
    )
    return embedded + "".join(
        _stand_in(number, weight, name, adjust)
        for number, (name, adjusted) in enumerate(STAND_INS.items(), start=1)
        for weight, adjust in zip(WEIGHTS, adjusted, strict=True)
    )


def _stand_in(number: int, weight: int, names: str, size_adjust: float) -> str:
    """Return a face of a system font that takes as much room as the page's typeface of that weight."""
    style = "" if weight == 400 else " Bold"
    sources = ",".join(f'local("{name}{style}")' for name in names.split(", "))
    ascent, descent = (100 * metric / (size_adjust / 100) for metric in (ASCENT, DESCENT))
    return (
        f'@font-face{{font-family:"Stand-in {number}";font-weight:{weight};src:{sources};size-adjust:{size_adjust}%;'
        f"ascent-override:{ascent:.1f}%;descent-override:{descent:.1f}%;line-gap-override:0%}}"
    )


@cache
def register() -> None:
    """Make matplotlib draw with the same files as the page, so that measured label widths agree."""
    for weight, style in WEIGHTS.items():
        source = files("font_source_sans_pro") / "files" / f"SourceSansPro-{style}.ttf"
        with as_file(source) as path:
            # Not addfont(): the files call their families "Source Sans Pro Semibold" and the like.
            entry = font_manager.FontEntry(
                fname=str(path),
                name=FAMILY,
                style="normal",
                variant="normal",
                weight=weight,
                stretch="normal",
                size="scalable",
            )
        font_manager.fontManager.ttflist.append(entry)
