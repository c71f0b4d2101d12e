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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, cast

import ibis
import ibis.expr.types as ir

from smarketing.company.rule_grammar import DEEPEST, LONGEST, Rule, RuleError, dotted, literal_of, parse, place, refuse
from smarketing.company.wrong_keys import nearest

__all__ = ["DEEPEST", "LONGEST", "SET", "Rule", "RuleError", "compile_condition", "compile_rule", "parse"]

SET = ("true", "t", "1", "yes", "y")
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
        refuse(rule.text, 0, f"the rule gives {_kind(value)}, not yes or no", "Compare it with something.")
    return cast(ir.BooleanValue, value)


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
        name = dotted(node)
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
        refuse(self.text, place(self.text, node), what, remedy)

    def _of_kind(self, node: ast.expr, wanted: str) -> Any:
        value = self.value(node)
        if _kind(value) != wanted:
            self._fail(
                node,
                f"this is {_kind(value)} where {wanted} is needed",
                "Compare or convert it.",
            )
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
            self._fail(
                left,
                f"{_kind(first)} has no order that all engines share",
                "Use == or !=.",
            )
        return _COMPARE[type(op)](first, second)

    def _beside(self, other_node: ast.expr, other: Any, node: ast.expr, value: Any) -> Any:
        """Return ``value`` made comparable with ``other``: a text literal beside a time is read as a time."""
        if _kind(other) == _kind(value):
            return value
        text = literal_of(node)
        if _kind(other) == "a time" and isinstance(text, str):
            try:
                return ibis.literal(datetime.fromisoformat(text).replace(tzinfo=None))
            except ValueError:
                self._fail(
                    node,
                    f"{text!r} is not a day",
                    "Write it as '2024-01-31' or '2024-01-31 09:30:00'.",
                )
        if _kind(value) == "a time" and isinstance(literal_of(other_node), str):
            return value
        self._fail(
            node,
            f"{_kind(value)} is compared with {_kind(other)}",
            "Compare values of one kind.",
        )

    def _is_null(self, node: ast.expr) -> Any:
        return self.value(node).isnull()

    def _is_known(self, node: ast.expr) -> Any:
        return ~self._is_null(node)

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
