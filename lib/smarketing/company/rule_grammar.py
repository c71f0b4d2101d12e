"""The grammar of the rule language: a rule's text parsed to a tree, and everything outside the language refused.

`expressions` says what the forms mean.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import nearest

LONGEST = 1_000
DEEPEST = 20
FUNCTIONS: Mapping[str, tuple[int, int | None]] = {
    "is_null": (1, 1),
    "is_known": (1, 1),
    "is_true": (1, 1),
    "lower": (1, 1),
    "contains": (2, 2),
    "starts_with": (2, 2),
    "days_between": (2, 2),
    "coalesce": (2, None),
}
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)
COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


class RuleError(CompanyError):
    """A rule that is not in the rule language: shows the rule with a caret under the fault, and the remedy."""


@dataclass(frozen=True)
class Rule:
    """A rule that has been parsed: its text and the columns it names, in the order of their first use."""

    text: str
    names: tuple[str, ...]
    tree: ast.expr = field(repr=False, compare=False)


def parse(text: str) -> Rule:
    """Parse a rule, refusing everything that is not in the language.

    Raises
    ------
    RuleError
        The rule is empty, longer than `LONGEST` characters, nested deeper than `DEEPEST`, not readable, uses a form or
        a function outside the language, or names no column (it would always give the same answer).
    """
    flat = " ".join(text.split("\n")).strip()
    if not flat:
        raise RuleError("the rule is empty; leave the key out where there is no rule")
    if len(flat) > LONGEST:
        raise RuleError(f"the rule has {len(flat):,} characters; at most {LONGEST:,} are read: {flat[:60]} ...")
    try:
        tree = ast.parse(flat, mode="eval").body
    except SyntaxError as error:
        refuse(flat, max((error.offset or 1) - 1, 0), "this cannot be read", _syntax_hint(flat))
    except (ValueError, RecursionError, MemoryError):
        raise RuleError(f"the rule cannot be read: {flat[:60]!r}") from None
    names: dict[str, None] = {}
    _check(flat, tree, names, depth=1)
    if not names:
        refuse(flat, 0, "the rule names no column, so it always gives the same answer", "Name a column.")
    return Rule(flat, tuple(names), tree)


def refuse(text: str, place: int, what: str, remedy: str) -> NoReturn:
    """Raise a `RuleError` that shows the rule with a caret at ``place``."""
    raise RuleError(f"{what}:\n  {text}\n  {' ' * place}^\n{remedy}") from None


def place(text: str, node: ast.AST) -> int:
    """Position of a node in characters (ast counts bytes)."""
    offset = getattr(node, "col_offset", 0)
    return len(text.encode()[:offset].decode(errors="ignore"))


def _syntax_hint(text: str) -> str:
    if "<>" in text:
        return "Write != for 'is not equal'."
    if re.search(r"(?<![=!<>])=(?!=)", text):
        return "Write == for 'is equal'."
    upper = next((word for word in text.split() if word in ("AND", "OR", "NOT", "IN")), None)
    if upper:
        return f"Write {upper.lower()} in small letters."
    return "Check quotes, brackets and operators."


def dotted(node: ast.expr) -> str | None:
    """Return the column that a node names: ``name`` or ``table.name``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return None


def _check(text: str, node: ast.expr, names: dict[str, None], depth: int) -> None:
    """Walk the tree once, refusing what is not allowed and collecting the names."""
    here = place(text, node)
    if depth > DEEPEST:
        refuse(text, here, f"the rule is nested deeper than {DEEPEST}", "Split it into several rules.")
    name = dotted(node)
    if name is not None:
        names[name] = None
        return
    parts: list[ast.expr] = []
    match node:
        case ast.Constant(value=bool()):
            refuse(text, here, "True or False stands alone and decides the rule", "Compare a column with it by ==.")
        case ast.Constant(value=str() | int() | float()):
            pass
        case ast.Constant(value=None):
            refuse(text, here, "None is not a value", "Write is_null(column).")
        case ast.BoolOp(values=parts):
            pass
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            parts = [operand]
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, ARITHMETIC):
            parts = [left, right]
        case ast.Compare(left=left, ops=ops, comparators=rights):
            parts = _compared(text, [left, *rights], ops)
        case ast.Call(func=ast.Name(id=called), args=parts, keywords=[]) if called in FUNCTIONS:
            least, most = FUNCTIONS[called]
            if not least <= len(parts) <= (most or len(parts)):
                takes = f"{least}" if most else f"{least} or more"
                refuse(text, here, f"{called} takes {takes} values, got {len(parts)}", "Add or remove values.")
        case ast.Call(func=func):
            wrong = dotted(func) or ""
            refuse(text, here, f"there is no function {wrong or 'like this'}", nearest(wrong, FUNCTIONS))
        case ast.List() | ast.Tuple():
            refuse(text, here, "a list stands only after in or not in", "Write column in ['a', 'b'].")
        case _:
            allowed = "Use comparisons, and, or, not, in, + - * / and the listed functions."
            refuse(text, here, "this is not part of the rule language", allowed)
    for part in parts:
        _check(text, part, names, depth + 1)


def _compared(text: str, sides: list[ast.expr], ops: list[ast.cmpop]) -> list[ast.expr]:
    """Return the sides of a comparison that remain to be checked, after its lists and True or False are judged."""
    remaining = [sides[0]]
    for op, side in zip(ops, sides[1:], strict=True):
        here = place(text, side)
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(side, ast.List | ast.Tuple) or not side.elts:
                refuse(text, here, "in needs a list of values", "Write column in ['a', 'b'].")
            for item in side.elts:
                if not isinstance(literal_of(item), str | int | float):
                    refuse(text, place(text, item), "a list holds texts and numbers only", "Write the value itself.")
        elif isinstance(op, COMPARISONS):
            remaining.append(side)
        else:
            refuse(text, here, "is compares nothing here", "Write == or is_null(column).")
    if len(ops) == 1 and isinstance(ops[0], ast.Eq | ast.NotEq) and len(remaining) == 2:
        remaining = [s for s in remaining if not (isinstance(s, ast.Constant) and isinstance(s.value, bool))]
    return remaining


def literal_of(node: ast.expr) -> str | int | float | None:
    """Return the value of a literal, a negative number included."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = literal_of(node.operand)
        return -value if isinstance(value, int | float) else None
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
        return node.value
    return None
