"""Numbers and words as a reader meets them, driven by the unit of the number.

A missing number (None, NaN, NaT) is an en dash, never the word. Minus signs are typographic (U+2212) in text. Money is
short in sentences and tiles (``$2.61M``) and full in tables (``$2,606,800``). Nothing here computes a result: the
functions word what a measure has found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Literal

MISSING = "–"
MINUS = "−"
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "BRL": "R$", "JPY": "¥", "INR": "₹", "CAD": "C$", "AUD": "A$"}
UNITS = ("share", "points", "change", "count", "number", "days", "money", "money_short", "date", "month", "text")

Direction = Literal["rose", "fell", "held"]


def is_missing(value: Any) -> bool:
    """Return whether ``value`` is None, NaN, NaT or pandas' NA: the things that must never be printed."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ("NaTType", "NAType") or (hasattr(value, "dtype") and bool(value != value))


def share(value: float | None) -> str:
    """Return a share (0 to 1) in percent with one decimal; shares that only round to 0 or 100 % say so."""
    if is_missing(value):
        return MISSING
    assert value is not None
    percent = value * 100
    if 0 < percent < 0.05:
        return "<0.1%"
    if 99.95 <= percent < 100:
        return ">99.9%"
    return _sign(percent) + f"{abs(percent):.1f}%"


def count(value: float | None) -> str:
    """Return a count with thousands separators; a mean of counts keeps one decimal."""
    if is_missing(value):
        return MISSING
    assert value is not None
    text = f"{abs(value):,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{abs(value):,.1f}"
    return _sign(value) + text


def days(value: float | None) -> str:
    """Return calendar days with their word: ``42 days``, ``1 day``; below 10 one decimal is kept if there is one."""
    if is_missing(value):
        return MISSING
    assert value is not None
    text = f"{abs(value):,.1f}" if abs(value) < 10 else f"{abs(value):,.0f}"
    text = text.removesuffix(".0")
    return f"{_sign(value)}{text} {'day' if text == '1' else 'days'}"


def money(value: float | None, currency: str = "", *, full: bool = False, beside: float | None = None) -> str:
    """Return an amount: ``$2.61M``, ``$1.42`` below ten, ``$2,606,800`` in full; an unknown currency is its code.

    ``beside`` is the largest amount of the same sentence, whose unit is taken: ``$2.63K`` beside ``$10.1K``.
    """
    if is_missing(value):
        return MISSING
    assert value is not None
    symbol = SYMBOLS.get(currency, f"{currency} " if currency else "")
    size = abs(value)
    if full:
        return f"{_sign(round(value))}{symbol}{size:,.0f}"
    for limit, divisor, suffix in ((999.5e9, 1e12, "T"), (999.5e6, 1e9, "B"), (999.5e3, 1e6, "M"), (9999.5, 1e3, "K")):
        # An amount that would have no digit in that unit keeps its own.
        if size >= limit or (beside is not None and abs(beside) >= limit and size >= 0.095 * divisor):
            return f"{_sign(value)}{symbol}{_three_digits(size / divisor)}{suffix}"
    if 0.005 <= size < 10 and round(size, 2) != round(size):
        # An amount a unit, such as spending a customer, is all in its cents.
        return f"{_sign(value)}{symbol}{size:.2f}"
    return f"{_sign(round(value))}{symbol}{size:,.0f}"


def day(value: date | datetime | str | None) -> str:
    """Return a calendar day as ``15 Nov 2026``; text must be an ISO date."""
    if is_missing(value):
        return MISSING
    assert value is not None
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{when.day} {when:%b %Y}"


def month(value: date | datetime | str | None) -> str:
    """Return the month of a day as ``Nov 2026``."""
    return MISSING if is_missing(value) else day(value).split(" ", 1)[1]


def value_of(value: Any, unit: str, currency: str = "", *, full: bool = False, beside: float | None = None) -> str:
    """Return ``value`` in its unit.

    Parameters
    ----------
    value
        A number (or a date or text for those units); missing values become an en dash.
    unit
        One of `UNITS`. ``money`` may carry its currency: ``money:USD``. ``points`` are a difference of shares and
        ``change`` a relative change, both signed.
    currency
        ISO code for money.
    full
        Write money to the unit instead of shortening it.
    beside
        Of money: the largest amount of the same sentence, whose unit is taken.
    """
    name, _, code = unit.partition(":")
    if name not in UNITS:
        raise ValueError(f"unit: got {unit!r}; allowed are {', '.join(UNITS)} (money as money:USD). Name one of them.")
    if is_missing(value):
        return MISSING
    if name in ("money", "money_short"):
        return money(value, code or currency, full=full and name == "money", beside=beside)
    plain: dict[str, Callable[[Any], str]] = {
        "share": share,
        "points": points,
        "change": change,
        "count": count,
        "number": number,
        "days": days,
    }
    plain |= {"date": day, "month": month, "text": str}
    return plain[name](value)


def number(value: float | None) -> str:
    """Return a plain number with three significant digits, or all digits of a whole number."""
    if is_missing(value):
        return MISSING
    assert value is not None
    size = abs(value)
    text = f"{size:,.0f}" if float(value).is_integer() or size >= 100 else _three_digits(size)
    return _sign(value) + text


def points(value: float | None) -> str:
    """Return a difference of shares in percentage points, signed: ``+2.4 pts``."""
    return MISSING if is_missing(value) else f"{_signed((value or 0) * 100, '{:.1f}')} pts"


def change(value: float | None) -> str:
    """Return a relative change in percent, signed: 0.045 is ``+4.5%``."""
    return MISSING if is_missing(value) else f"{_signed((value or 0) * 100, '{:.1f}')}%"


def difference(value: float | None, unit: str, currency: str = "", *, beside: float | None = None) -> str:
    """Return a signed difference of two values of ``unit``: ``+2.4 pts``, ``−$0.41M``, ``+27``, ``−3 days``.

    ``beside`` as in `money`.
    """
    if is_missing(value):
        return MISSING
    assert value is not None
    if unit.partition(":")[0] == "share":
        return points(value)
    text = value_of(abs(value), unit, currency, beside=beside)
    if not any(digit in text for digit in "123456789"):
        return text
    return ("+" if value > 0 else MINUS) + text


def largest(*values: float | None) -> float | None:
    """Return the size of the largest of some amounts, None where none is known."""
    return max((abs(value) for value in values if value is not None and math.isfinite(value)), default=None)


def interval(lower: float | None, upper: float | None, unit: str, currency: str = "") -> str:
    """Return ``38.1% to 46.0%``; an end that is missing or infinite is named as open."""
    ends = [None if is_missing(end) or math.isinf(end or 0.0) else end for end in (lower, upper)]
    if ends[0] is None and ends[1] is None:
        return MISSING
    if ends[0] is None:
        return f"at most {value_of(ends[1], unit, currency)}"
    if ends[1] is None:
        return f"at least {value_of(ends[0], unit, currency)}"
    low, high = (value_of(end, unit, currency, beside=largest(lower, upper)) for end in ends)
    # "51 to 64 days", not the unit twice.
    for word in (" pts", " days", " day"):
        low = low.removesuffix(word)
    return f"{low} to {high}"


def difference_interval(lower: float | None, upper: float | None, unit: str, currency: str = "") -> str:
    """Return the interval of a difference, signed: ``+0.7 to +7.6 pts``."""
    texts = [difference(end, unit, currency, beside=largest(lower, upper)) for end in (lower, upper)]
    if MISSING in texts:
        return MISSING
    suffix = " pts" if texts[0].endswith(" pts") else ""
    return f"{texts[0].removesuffix(' pts')} to {texts[1].removesuffix(' pts')}{suffix}"


def moved(value: float, unit: str = "share", currency: str = "") -> Direction:
    """Return ``rose``, ``fell`` or ``held``, from the sign of the change as it is printed (a printed zero held)."""
    if not any(digit in difference(value, unit, currency) for digit in "123456789"):
        return "held"
    return "rose" if value > 0 else "fell"


def moved_by(value: float, unit: str = "share", currency: str = "") -> str:
    """Return the whole phrase: ``rose by 2.4 points``, ``fell by $0.41M``, ``held``."""
    direction = moved(value, unit, currency)
    return direction if direction == "held" else f"{direction} by {_size(value, unit, currency)}"


def up_or_down(value: float, unit: str = "share", currency: str = "") -> str:
    """Return ``up 2.4 points``, ``down $0.41M`` or ``unchanged``."""
    word = {"rose": "up", "fell": "down", "held": "unchanged"}[moved(value, unit, currency)]
    return word if word == "unchanged" else f"{word} {_size(value, unit, currency)}"


def compared(value: float, reference: float, unit: str = "share", currency: str = "") -> str:
    """Return where ``value`` lies from ``reference``: ``above``, ``below`` or ``at``, as printed."""
    if value_of(value, unit, currency) == value_of(reference, unit, currency):
        return "at"
    return "above" if value > reference else "below"


def many(number_of: int, singular: str, plural: str = "") -> str:
    """Return a count with its noun: ``1 lead``, ``3,192 leads``."""
    return f"{count(number_of)} {singular if number_of == 1 else plural or singular + 's'}"


def inside(text: str) -> str:
    """Return a label as it stands within a sentence: ``New leads`` as ``new leads``, ``MQLs won`` as it is."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def opening(text: str) -> str:
    """Return words as they open a sentence or head a column; acronyms and names further on are kept."""
    return text[:1].upper() + text[1:]


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them: ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def _size(value: float, unit: str, currency: str) -> str:
    text = difference(abs(value), unit, currency).removeprefix("+")
    return text.replace(" pts", " point" if text == "1.0 pts" else " points")


def _sign(value: float) -> str:
    return MINUS if value < 0 else ""


def _signed(value: float, pattern: str) -> str:
    text = pattern.format(abs(value))
    if not any(digit in text for digit in "123456789"):
        return text
    return ("+" if value > 0 else MINUS) + text


def _three_digits(size: float) -> str:
    return f"{size:.2f}" if size < 9.995 else f"{size:.1f}" if size < 99.95 else f"{size:,.0f}"
