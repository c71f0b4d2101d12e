"""One safe rule language for entry rules, KPI formulas, scopes and segments, compiled to ibis.

A rule reads like a Python expression: ``accounts.industry == 'retail' and amount >= 5000``. It is parsed, never run:
only the forms below exist, and everything else is refused with the place where it stands.

===========================  ==========================================================================================
form                         meaning
===========================  ==========================================================================================
``name``, ``table.name``     a column
``'text'``, ``12``, ``3.5``  a literal; ``True`` and ``False`` only beside ``==`` or ``!=``
``== != < <= > >=``          comparison; a text such as ``'2024-01-31'`` beside a time is read as that time
``in``, ``not in``           among a list of literals: ``region in ['EMEA', 'APAC']``
``and``, ``or``, ``not``     logic
``+ - * /``                  arithmetic on numbers, computed as 64-bit floats; division by zero is unknown (NULL)
``is_null(x)``               x is not recorded; ``is_known(x)`` is its opposite (the text ``'unknown'`` is recorded)
``is_true(x)``               a flag in any form (true, ``'True'``, ``'1'``, ``'yes'``, 1) is set; not recorded is no
``lower(x)``                 text in lower case
``contains(x, 'text')``      the text occurs in x, letter case included; ``starts_with(x, 'text')`` begins it
``days_between(x, y)``       days from time x to time y, with fractions, negative where y is earlier
``coalesce(x, y, ...)``      the first that is recorded
===========================  ==========================================================================================

Unknown values follow SQL: a comparison with NULL is NULL, ``NULL or True`` is True, ``NULL and False`` is False, and a
condition that is NULL does not hold.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, cast

import ibis
import ibis.expr.types as ir

from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import nearest

LONGEST = 1_000
DEEPEST = 20
SET = ("true", "t", "1", "yes", "y")
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
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_COMPUTE: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right.nullif(0.0),
}


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
        _refuse(flat, max((error.offset or 1) - 1, 0), "this cannot be read", _syntax_hint(flat))
    except (ValueError, RecursionError, MemoryError):
        raise RuleError(f"the rule cannot be read: {flat[:60]!r}") from None
    names: dict[str, None] = {}
    _check(flat, tree, names, depth=1)
    if not names:
        _refuse(flat, 0, "the rule names no column, so it always gives the same answer", "Name a column.")
    return Rule(flat, tuple(names), tree)


def compile_rule(rule: Rule, columns: Mapping[str, ibis.Value]) -> ibis.Value:
    """Compile a rule over these columns (by the names that the rule may use) to an ibis value.

    Raises
    ------
    RuleError
        A name is not among ``columns``, or types do not go together (text compared with a number).
    """
    return _Compiler(rule.text, columns).value(rule.tree)


def compile_condition(rule: Rule, columns: Mapping[str, ibis.Value]) -> ir.BooleanValue:
    """Compile a rule that must say yes or no; raises `RuleError` where it gives a number, a text or a time."""
    value = compile_rule(rule, columns)
    if not value.type().is_boolean():
        _refuse(rule.text, 0, f"the rule gives {_kind(value)}, not yes or no", "Compare it with something.")
    return cast(ir.BooleanValue, value)


def _refuse(text: str, place: int, what: str, remedy: str) -> NoReturn:
    raise RuleError(f"{what}:\n  {text}\n  {' ' * place}^\n{remedy}") from None


def _place(text: str, node: ast.AST) -> int:
    """Position of a node in characters (ast counts bytes)."""
    offset = getattr(node, "col_offset", 0)
    return len(text.encode()[:offset].decode(errors="ignore"))


def _syntax_hint(text: str) -> str:
    words = text.split()
    if "<>" in text:
        return "Write != for 'is not equal'."
    if re.search(r"(?<![=!<>])=(?!=)", text):
        return "Write == for 'is equal'."
    upper = next((word for word in words if word in ("AND", "OR", "NOT", "IN")), None)
    if upper:
        return f"Write {upper.lower()} in small letters."
    return "Check quotes, brackets and operators."


def _dotted(node: ast.expr) -> str | None:
    """Return the column that a node names: ``name`` or ``table.name``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return None


def _check(text: str, node: ast.expr, names: dict[str, None], depth: int) -> None:
    """Walk the tree once, refusing what is not allowed and collecting the names."""
    here = _place(text, node)
    if depth > DEEPEST:
        _refuse(text, here, f"the rule is nested deeper than {DEEPEST}", "Split it into several rules.")
    name = _dotted(node)
    if name is not None:
        names[name] = None
        return
    parts: list[ast.expr] = []
    match node:
        case ast.Constant(value=bool()):
            _refuse(text, here, "True or False stands alone and decides the rule", "Compare a column with it by ==.")
        case ast.Constant(value=str() | int() | float()):
            pass
        case ast.Constant(value=None):
            _refuse(text, here, "None is not a value", "Write is_null(column).")
        case ast.BoolOp(values=parts):
            pass
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            parts = [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _COMPUTE:
            parts = [left, right]
        case ast.Compare(left=left, ops=ops, comparators=rights):
            parts = _compared(text, [left, *rights], ops)
        case ast.Call(func=ast.Name(id=called), args=parts, keywords=[]) if called in FUNCTIONS:
            least, most = FUNCTIONS[called]
            if not least <= len(parts) <= (most or len(parts)):
                takes = f"{least}" if most else f"{least} or more"
                _refuse(text, here, f"{called} takes {takes} values, got {len(parts)}", "Add or remove values.")
        case ast.Call(func=func):
            wrong = _dotted(func) or ""
            _refuse(text, here, f"there is no function {wrong or 'like this'}", nearest(wrong, FUNCTIONS))
        case ast.List() | ast.Tuple():
            _refuse(text, here, "a list stands only after in or not in", "Write column in ['a', 'b'].")
        case _:
            allowed = "Use comparisons, and, or, not, in, + - * / and the listed functions."
            _refuse(text, here, "this is not part of the rule language", allowed)
    for part in parts:
        _check(text, part, names, depth + 1)


def _compared(text: str, sides: list[ast.expr], ops: list[ast.cmpop]) -> list[ast.expr]:
    """Return the sides of a comparison that remain to be checked, after its lists and True or False are judged."""
    remaining = [sides[0]]
    for op, side in zip(ops, sides[1:], strict=True):
        here = _place(text, side)
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(side, ast.List | ast.Tuple) or not side.elts:
                _refuse(text, here, "in needs a list of values", "Write column in ['a', 'b'].")
            for item in side.elts:
                if not isinstance(_literal(item), str | int | float):
                    _refuse(text, _place(text, item), "a list holds texts and numbers only", "Write the value itself.")
        elif type(op) in _COMPARE:
            remaining.append(side)
        else:
            _refuse(text, here, "is compares nothing here", "Write == or is_null(column).")
    if len(ops) == 1 and isinstance(ops[0], ast.Eq | ast.NotEq) and len(remaining) == 2:
        remaining = [s for s in remaining if not (isinstance(s, ast.Constant) and isinstance(s.value, bool))]
    return remaining


def _literal(node: ast.expr) -> str | int | float | None:
    """Return the value of a literal, a negative number included."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand)
        return -value if isinstance(value, int | float) else None
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
        return node.value
    return None


def _kind(value: ibis.Value) -> str:
    """Return the family of a type in words; values of one family can be compared."""
    kind = value.type()
    if kind.is_boolean():
        return "yes or no"
    if kind.is_numeric():
        return "a number"
    if kind.is_string():
        return "a text"
    if kind.is_timestamp() or kind.is_date():
        return "a time"
    return f"a {kind}"


@dataclass(frozen=True)
class _Compiler:
    text: str
    columns: Mapping[str, ibis.Value]

    def value(self, node: ast.expr) -> Any:
        """Compile a checked node."""
        name = _dotted(node)
        if name is not None:
            if name not in self.columns:
                self._fail(node, f"there is no column {name!r}", nearest(name, self.columns))
            return self.columns[name]
        match node:
            case ast.Constant(value=literal):
                return ibis.literal(literal)
            case ast.BoolOp(op=op, values=values):
                parts = [self._of_kind(value, "yes or no") for value in values]
                joined = parts[0]
                for part in parts[1:]:
                    joined = joined & part if isinstance(op, ast.And) else joined | part
                return joined
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self._of_kind(operand, "yes or no")
            case ast.UnaryOp(operand=operand):
                return -self._number(operand)
            case ast.BinOp(left=left, op=compute, right=right):
                return _COMPUTE[type(compute)](self._number(left), self._number(right))
            case ast.Compare(left=left, ops=ops, comparators=rights):
                whole = None
                for compare, here, right in zip(ops, [left, *rights], rights, strict=False):
                    part = self._comparison(compare, here, right)
                    whole = part if whole is None else whole & part
                return whole
            case ast.Call(func=ast.Name(id=called), args=args):
                return getattr(self, f"_{called}")(*args)
        raise AssertionError(f"unchecked node {ast.dump(node)}")

    def _fail(self, node: ast.expr, what: str, remedy: str) -> NoReturn:
        _refuse(self.text, _place(self.text, node), what, remedy)

    def _of_kind(self, node: ast.expr, wanted: str) -> Any:
        value = self.value(node)
        if _kind(value) != wanted:
            self._fail(node, f"this is {_kind(value)} where {wanted} is needed", "Compare or convert it.")
        return value

    def _number(self, node: ast.expr) -> Any:
        return self._of_kind(node, "a number").cast("float64")

    def _comparison(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> Any:
        if isinstance(op, ast.In | ast.NotIn):
            items = right.elts if isinstance(right, ast.List | ast.Tuple) else []
            value = self.value(left)
            among = value.isin([self._beside(left, value, item, self.value(item)) for item in items])
            return ~among if isinstance(op, ast.NotIn) else among
        first, second = self.value(left), self.value(right)
        first, second = self._beside(right, second, left, first), self._beside(left, first, right, second)
        if _kind(first) in ("yes or no", "a text") and not isinstance(op, ast.Eq | ast.NotEq):
            self._fail(left, f"{_kind(first)} has no order that all engines share", "Use == or !=.")
        return _COMPARE[type(op)](first, second)

    def _beside(self, other_node: ast.expr, other: Any, node: ast.expr, value: Any) -> Any:
        """Return ``value`` made comparable with ``other``: a text literal beside a time is read as a time."""
        if _kind(other) == _kind(value):
            return value
        text = _literal(node)
        if _kind(other) == "a time" and isinstance(text, str):
            try:
                return ibis.literal(datetime.fromisoformat(text).replace(tzinfo=None))
            except ValueError:
                self._fail(node, f"{text!r} is not a day", "Write it as '2024-01-31' or '2024-01-31 09:30:00'.")
        if _kind(value) == "a time" and isinstance(_literal(other_node), str):
            return value
        self._fail(node, f"{_kind(value)} is compared with {_kind(other)}", "Compare values of one kind.")

    def _is_null(self, node: ast.expr) -> Any:
        return self.value(node).isnull()

    def _is_known(self, node: ast.expr) -> Any:
        return self.value(node).notnull()

    def _is_true(self, node: ast.expr) -> Any:
        value = self.value(node)
        match _kind(value):
            case "a text":
                value = value.lower().isin(SET)
            case "a number":
                value = value == 1
            case "a time":
                self._fail(node, "a time is not a flag", "Use is_known.")
        return value.fill_null(False)

    def _lower(self, node: ast.expr) -> Any:
        return self._of_kind(node, "a text").lower()

    def _contains(self, node: ast.expr, part: ast.expr) -> Any:
        return self._of_kind(node, "a text").contains(self._of_kind(part, "a text"))

    def _starts_with(self, node: ast.expr, part: ast.expr) -> Any:
        return self._of_kind(node, "a text").startswith(self._of_kind(part, "a text"))

    def _days_between(self, start: ast.expr, end: ast.expr) -> Any:
        begins, ends = (self._of_kind(node, "a time").cast("timestamp") for node in (start, end))
        return (ends.epoch_seconds() - begins.epoch_seconds()).cast("float64") / 86_400.0

    def _coalesce(self, *nodes: ast.expr) -> Any:
        first = self.value(nodes[0])
        return ibis.coalesce(first, *(self._beside(nodes[0], first, node, self.value(node)) for node in nodes[1:]))
