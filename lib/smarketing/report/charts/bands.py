"""Score bands in two aligned panels: how many leads each band holds, and whether what it promised came."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from smarketing.report import formats, palette
from smarketing.report.charts import canvas, scales
from smarketing.report.charts.canvas import LINE, Sheet
from smarketing.report.charts.chart import Chart, behind, check_columns, check_rows, check_shares, check_words, drawn

_NUMBERS = ("share", "rate", "lower", "upper", "predicted", "n")
_OPTIONAL = ("n", "kept", "note")
_ROW = {"wide": 50.0, "narrow": 96.0}


def bands(
    rows: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
    alt: str,
    band_label: str = "Band",
    share_label: str = "Share of leads",
    rate_label: str = "Observed rate",
    predicted_label: str = "Predicted",
    n_label: str = "Leads",
    how_to_read: str = "",
    so_what: str = "",
) -> Chart:
    """Draw the share of leads and the observed rate of each band, in the order given.

    Parameters
    ----------
    rows
        One row a band: ``band`` (its name), ``share`` (of the leads, 0 to 1), ``rate`` (observed, 0 to 1), ``lower``,
        ``upper``, ``predicted`` (the rate that was promised: a tick) and optionally ``n`` (leads), ``kept`` (whether
        the promise was kept; missing where the evidence is too thin to tell) and ``note``. A band without a rate is
        withheld: its note, the reason, is said in place of the rate.
    band_label, share_label, rate_label, predicted_label, n_label
        Headings of the panels and of the data table.

    Raises
    ------
    ValueError
        For missing or unknown columns, words that are missing, shares beyond 0 to 1, or no rows.
    """
    required = ("band", "share", "rate", "lower", "upper", "predicted")
    check_columns(rows, "bands", required=required, optional=_OPTIONAL)
    check_words(id, title=title, subtitle=subtitle, source=source, alt=alt)
    check_rows(rows, "bands")
    ordered = rows.reindex(columns=[*required, *_OPTIONAL]).reset_index(drop=True)
    ordered = ordered.astype(dict.fromkeys(_NUMBERS, float))
    check_shares(ordered, "bands", ("share", "rate", "predicted"))
    ordered["promise"] = [_promise(row)[1] for _, row in ordered.iterrows()]

    def painting(sheet: Sheet) -> Figure:
        return paint(ordered, sheet, captions=(share_label, rate_label, predicted_label), n_label=n_label)

    columns = {"band": (band_label, ""), "n": (n_label, "count"), "share": (share_label, "share")}
    columns |= {"rate": (rate_label, "share"), "lower": ("Lower", "share"), "upper": ("Upper", "share")}
    columns |= {"predicted": (predicted_label, "share"), "promise": ("Promise", ""), "note": ("Note", "")}
    data, units = behind(ordered, columns, optional=_OPTIONAL)
    return drawn(
        painting,
        data,
        units,
        id=id,
        title=title,
        subtitle=subtitle,
        source=source,
        alt=alt,
        how_to_read=how_to_read,
        so_what=so_what,
    )


def paint(rows: pd.DataFrame, sheet: Sheet, *, captions: tuple[str, str, str], n_label: str) -> Figure:
    """Return the drawing of the bands on one sheet."""
    tall, names = _ROW[sheet.name], [str(name) for name in rows["band"]]
    shares = [formats.share(value) for value in rows["share"]]
    share_room = max(canvas.text_width(text, 600) for text in shares) + 12
    if sheet.narrow:
        left, split, right = 2.0, 158.0, sheet.width - 6.0
    else:
        left = min(max(canvas.text_width(name, 700) for name in names), 150.0) + 16
        split, right = left + 215.0, sheet.width - 290.0
    top = LINE + 14.0
    height = tall * len(rows)
    figure = canvas.blank(sheet, top + height + 2 * LINE + 14)
    heads = ((captions[0], left, split), (captions[1], split, right if sheet.narrow else sheet.width))
    for caption, start, end in heads:
        canvas.write(figure, canvas.shorten(caption, end - start - 14), x=start, y=9, colour="muted")
    values = [
        float(value) for value in pd.concat([rows["rate"], rows["upper"].clip(upper=1.0), rows["predicted"]]).dropna()
    ]
    marks = scales.zero_based(values, "share", count=2 if sheet.narrow else 3)
    most = max([float(value) for value in rows["share"].dropna()] + [1e-9])
    bars = canvas.frame(figure, left=left, top=top, width=split - left - share_room - 20, height=height)
    dots = canvas.frame(figure, left=split, top=top, width=right - split, height=height)
    bars.set(xlim=(0, most), ylim=(height, 0))
    dots.set(xlim=(marks[0], marks[-1]), ylim=(height, 0))
    middles = [tall * place + (36.0 if sheet.narrow else tall / 2) for place in range(len(rows))]
    beside = 14.0 if sheet.narrow else tall / 2
    _level(figure, dots, marks, middles, beside=beside, left=split, span=right - split, y=top + height + 12)
    for place, row in rows.iterrows():
        middle = middles[int(str(place))]
        share = 0.0 if formats.is_missing(row["share"]) else float(row["share"])
        bars.barh([middle], [share], height=20, color=palette.LIGHT["grey"], linewidth=0)
        bars.plot([0, 0], [middle - 14, middle + 14], color=palette.LIGHT["ink"], linewidth=1, clip_on=False)
        end = left + (split - left - share_room - 20) * share / most + 8
        canvas.write(figure, shares[int(str(place))], x=end, y=top + middle, weight=600)
        _rate(dots, row, middle)
        counted = "" if formats.is_missing(row["n"]) else f"{formats.inside(n_label)}: {formats.count(row['n'])}"
        _words(figure, row, sheet, top + middle, left=left, right=right, counted=counted, predicted=captions[2])
    _key(figure, sheet, captions[2], y=top + height + LINE + 18)
    return figure


def _level(
    figure: Figure,
    dots: Axes,
    marks: Sequence[float],
    middles: Sequence[float],
    *,
    beside: float,
    left: float,
    span: float,
    y: float,
) -> None:
    for mark in marks:
        # On a narrow sheet words stand between the rows' marks, and the lines leave them out.
        for middle in middles:
            reach = [middle - beside, middle + beside]
            dots.plot([mark] * 2, reach, color=palette.LIGHT["ink" if mark == 0 else "grid"], linewidth=1, zorder=0)
        text = scales.tick_text(mark, "share", step=marks[1] - marks[0])
        x = left + span * (mark - marks[0]) / (marks[-1] - marks[0])
        half = canvas.text_width(text) / 2
        canvas.write(figure, text, x=min(x, left + span + 6 - half), y=y, align="center", colour="muted")


def _rate(dots: Axes, row: pd.Series, middle: float) -> None:
    blue = palette.LIGHT["blue"]
    if not formats.is_missing(row["predicted"]):
        ink = palette.LIGHT["orange"]
        dots.plot([row["predicted"]] * 2, [middle - 12, middle + 12], color=ink, linewidth=2.5, clip_on=False, zorder=2)
    if formats.is_missing(row["rate"]):
        return
    if not (formats.is_missing(row["lower"]) or formats.is_missing(row["upper"])):
        dots.plot(
            [row["lower"], row["upper"]], [middle] * 2, color=blue, linewidth=2.2, solid_capstyle="butt", zorder=3
        )
    dots.plot([row["rate"]], [middle], color=blue, marker="o", markersize=8, clip_on=False, zorder=4)


def _promise(row: pd.Series) -> tuple[str, str, str]:
    """Return the sign, the words and the colour of what became of a band's promise."""
    if any(formats.is_missing(row[name]) for name in ("kept", "rate", "predicted")):
        return "◌", "too few to tell", "muted"
    if bool(row["kept"]):
        return "✓", "in line", "ahead"
    if row["rate"] < row["predicted"]:
        return "▼", "fewer than promised", "behind"
    return "▲", "more than promised", "warn"


def _words(
    figure: Figure,
    row: pd.Series,
    sheet: Sheet,
    middle: float,
    *,
    left: float,
    right: float,
    counted: str,
    predicted: str,
) -> None:
    seen = formats.share(row["rate"])
    between = formats.interval(row["lower"], row["upper"], "share")
    seen += f" ({between})" if between != formats.MISSING else ""
    if formats.is_missing(row["rate"]):
        note = "" if formats.is_missing(row["note"]) else str(row["note"])
        seen = f"withheld: {note}" if note else "withheld"
    sign, words, colour = _promise(row)
    first, x = (middle + 24, left) if sheet.narrow else (middle - 9, right + 20)
    canvas.write(figure, canvas.shorten(seen, sheet.width - x - 2, 600), x=x, y=first, weight=600)
    status = f"{sign} {words}"
    if not formats.is_missing(row["predicted"]):
        number = formats.share(row["predicted"])
        room = sheet.width - x - canvas.text_width(f" {number}") - canvas.text_width(status, 600) - 10
        promised = f"{canvas.shorten(formats.inside(predicted), room)} {number}"
        canvas.write(figure, promised, x=x, y=first + LINE, colour="muted")
        x += canvas.text_width(promised) + 8
    canvas.write(figure, status, x=x, y=first + LINE, weight=600, colour=colour)
    name = str(row["band"])
    if not sheet.narrow:
        canvas.write_beside(figure, name, right=left - 10, middle=middle, room=left - 12, weight=700)
        return
    name = canvas.shorten(name, sheet.width - canvas.text_width(counted) - 16, 700)
    canvas.write(figure, name, x=0, y=middle - 26, weight=700)
    canvas.write(figure, counted, x=canvas.text_width(name, 700) + 12, y=middle - 26, colour="muted")


def _key(figure: Figure, sheet: Sheet, predicted: str, *, y: float) -> None:
    over = canvas.over_all(figure)
    blue = palette.LIGHT["blue"]
    over.plot([0, 26], [y, y], color=blue, linewidth=2.2, solid_capstyle="butt")
    over.plot([13], [y], color=blue, marker="o", markersize=8)
    canvas.write(figure, "Observed, 95% interval", x=34, y=y)
    x = 34 + canvas.text_width("Observed, 95% interval") + 24
    over.plot([x, x], [y - 8, y + 8], color=palette.LIGHT["orange"], linewidth=2.5)
    canvas.write(figure, canvas.shorten(predicted, sheet.width - x - 10), x=x + 9, y=y)
