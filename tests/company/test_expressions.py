"""The rule language: what it refuses and how it says so, and its answers against an interpreter of its own.

The property test builds each rule twice, as text and as a Python function on a row, with SQL's three-valued logic
written out by hand; the text goes through `parse` and `compile_rule` to the engines.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smarketing.company.expressions import DEEPEST, LONGEST, RuleError, compile_condition, compile_rule, parse

Row = Mapping[str, Any]
Twin = tuple[str, Callable[[Row], Any]]

INDUSTRIES = ("retail", "Retail", "tech", "50% off_", "o'neill")


def random_rows(count: int) -> list[Row]:
    pick = random.Random(11)
    start = datetime(2024, 1, 1)

    def maybe(value: Any) -> Any:
        return None if pick.random() < 0.25 else value

    return [
        {
            "row": number,
            "amount": maybe(pick.randint(-8, 8) / 4),
            "size": maybe(pick.randint(-3, 3)),
            "industry": maybe(pick.choice(INDUSTRIES)),
            "region": maybe(pick.choice(("EMEA", "retail", "APAC"))),
            "target": maybe(pick.random() < 0.5),
            "created_at": maybe(start + timedelta(seconds=pick.randint(0, 400_000))),
            "closed_at": maybe(start + timedelta(seconds=pick.randint(0, 400_000))),
        }
        for number in range(count)
    ]


ROWS = random_rows(80)
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("amount", pa.float64()),
        ("size", pa.int64()),
        ("industry", pa.string()),
        ("region", pa.string()),
        ("target", pa.bool_()),
        ("created_at", pa.timestamp("us")),
        ("closed_at", pa.timestamp("us")),
    ]
)


def of(name: str) -> Twin:
    return name, lambda row: row[name.removeprefix("accounts.")]


def strict(form: str, answer: Callable[..., Any], *parts: Twin) -> Twin:
    """A form that is NULL as soon as one of its parts is."""

    def value(row: Row) -> Any:
        got = [part[1](row) for part in parts]
        return None if any(one is None for one in got) else answer(*got)

    return form.format(*(text for text, _ in parts)), value


def both(op: str, left: Twin, right: Twin) -> Twin:
    """``and`` is False where either is, ``or`` True where either is; else NULL where either is NULL."""
    decides = op == "or"

    def value(row: Row) -> Any:
        got = (left[1](row), right[1](row))
        return decides if decides in got else (None if None in got else not decides)

    return f"({left[0]} {op} {right[0]})", value


def first_known(*parts: Twin) -> Twin:
    text = f"coalesce({', '.join(part[0] for part in parts)})"
    return text, lambda row: next((got for part in parts if (got := part[1](row)) is not None), None)


def known(part: Twin, *, null: bool) -> Twin:
    return f"{'is_null' if null else 'is_known'}({part[0]})", lambda row: (part[1](row) is None) == null


def flag(part: Twin) -> Twin:
    return f"is_true({part[0]})", lambda row: part[1](row) is True


def literal(value: float | str) -> Twin:
    return repr(value), lambda row: value


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
QUARTERS = st.integers(-6, 6).map(lambda number: number / 4)
NUMBERS = st.recursive(
    st.one_of(st.sampled_from([of("amount"), of("size")]), QUARTERS.map(literal), st.integers(-3, 3).map(literal)),
    lambda inner: st.one_of(
        st.builds(lambda a, b: strict("({} + {})", lambda x, y: x + y, a, b), inner, inner),
        st.builds(lambda a, b: strict("({} - {})", lambda x, y: x - y, a, b), inner, inner),
        st.builds(lambda a, b: strict("({} * {})", lambda x, y: x * y, a, b), inner, inner),
        st.builds(lambda a, b: strict("({} / {})", lambda x, y: None if y == 0 else x / y, a, b), inner, inner),
        st.builds(lambda a: strict("(-{})", lambda x: -x, a), inner),
        st.builds(first_known, inner, inner),
    ),
    max_leaves=4,
)
TEXTS = st.recursive(
    st.sampled_from([of("accounts.industry"), of("region"), literal("retail"), literal("off_")]),
    lambda inner: st.one_of(
        st.builds(lambda a: strict("lower({})", str.lower, a), inner), st.builds(first_known, inner, inner)
    ),
    max_leaves=3,
)
TIMES = st.sampled_from([of("created_at"), of("closed_at")])
DAYS = st.sampled_from(["2024-01-02", "2024-01-03 06:00:00"])


def comparison(op: str, left: Twin, right: Twin) -> Twin:
    return strict(f"({{}} {op} {{}})", COMPARE[op], left, right)


def on_day(op: str, left: Twin, day: str) -> Twin:
    text, value = strict(f"({{}} {op} DAY)", lambda at: COMPARE[op](at, datetime.fromisoformat(day)), left)
    return text.replace("DAY", repr(day)), value


def among(left: Twin, items: list[Any], *, negated: bool) -> Twin:
    text, value = strict("({} IN)", lambda x: (x in items) != negated, left)
    return text.replace("IN", f"{'not in' if negated else 'in'} {items!r}"), value


ATOMS = st.one_of(
    st.builds(comparison, st.sampled_from(list(COMPARE)), NUMBERS, NUMBERS),
    st.builds(comparison, st.sampled_from(["==", "!="]), TEXTS, TEXTS),
    st.builds(comparison, st.sampled_from(list(COMPARE)), TIMES, TIMES),
    st.builds(on_day, st.sampled_from(list(COMPARE)), TIMES, DAYS),
    st.builds(among, TEXTS, st.lists(st.sampled_from(INDUSTRIES), min_size=1, max_size=3), negated=st.booleans()),
    st.builds(among, NUMBERS, st.lists(QUARTERS, min_size=1, max_size=3), negated=st.booleans()),
    st.builds(lambda a, b: strict("contains({}, {})", lambda x, y: y in x, a, b), TEXTS, TEXTS),
    st.builds(lambda a, b: strict("starts_with({}, {})", str.startswith, a, b), TEXTS, TEXTS),
    st.builds(known, st.one_of(NUMBERS, TEXTS, TIMES), null=st.booleans()),
    st.just(of("target")),
    st.just(flag(of("target"))),
    st.builds(
        lambda a, b, c: comparison(
            ">", strict("days_between({}, {})", lambda x, y: (y - x).total_seconds() / 86_400, a, b), c
        ),
        TIMES,
        TIMES,
        QUARTERS.map(literal),
    ),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(both, st.sampled_from(["and", "or"]), inner, inner),
        st.builds(lambda a: strict("(not {})", lambda x: not x, a), inner),
    ),
    max_leaves=5,
)


def columns_of(table: ibis.Table) -> dict[str, ibis.Value]:
    return {name: table[name] for name in table.columns} | {"accounts.industry": table.industry}


def names_a_column(twin: Twin) -> bool:
    return any(name in twin[0] for name in SCHEMA.names)


@pytest.fixture
def deals(engine: ibis.BaseBackend) -> ibis.Table:
    return engine.create_table("deals", pa.Table.from_pylist(ROWS, schema=SCHEMA))


@given(rules=st.lists(CONDITIONS.filter(names_a_column), min_size=4, max_size=8))
@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_rule_answers_as_the_interpreter_does(deals: ibis.Table, rules: list[Twin]) -> None:
    answers = {
        f"rule {place}": compile_condition(parse(text), columns_of(deals)) for place, (text, _) in enumerate(rules)
    }
    got = deals.select("row", **answers).order_by("row").to_pyarrow().to_pylist()
    for place, (text, value) in enumerate(rules):
        expected = [value(row) for row in ROWS]
        assert [row[f"rule {place}"] for row in got] == expected, text


TABLE = ibis.table(
    {"amount": "float64", "industry": "string", "at": "timestamp", "ok": "boolean", "accounts.industry": "string"},
    name="deals",
)


def columns() -> dict[str, ibis.Value]:
    return {name: TABLE[name] for name in TABLE.columns}


def test_a_rule_says_which_columns_it_names_in_order_of_use() -> None:
    rule = parse("accounts.industry == 'tech' and\n  amount > 0 and accounts.industry != 'x'")
    assert rule.names == ("accounts.industry", "amount")
    assert rule == parse("accounts.industry == 'tech' and   amount > 0 and accounts.industry != 'x'")


def test_a_formula_gives_a_number_but_is_no_condition() -> None:
    rule = parse("amount / 2")
    assert compile_rule(rule, columns()).type().is_floating()
    with pytest.raises(RuleError) as error:
        compile_condition(rule, columns())
    assert str(error.value) == (
        "the rule gives a number, not yes or no:\n  amount / 2\n  ^\nCompare it with something."
    )


@pytest.mark.parametrize(
    ("text", "what", "caret", "remedy"),
    [
        ("amont > 1", "there is no column 'amont'", 0, "Did you mean 'amount'?"),
        (
            "accounts.indstry == 'a'",
            "there is no column 'accounts.indstry'",
            0,
            "Did you mean 'accounts.industry'?",
        ),
        (
            "amount > 1 and lowr(industry) == 'a'",
            "there is no function lowr",
            15,
            "Did you mean 'lower'?",
        ),
        ("lower(industry, industry) == 'a'", "lower takes 1 values, got 2", 0, "Add or remove values."),
        ("coalesce(amount) > 1", "coalesce takes 2 or more values, got 1", 0, "Add or remove values."),
        ("amount = 1", "this cannot be read", 0, "Write == for 'is equal'."),
        ("amount > 1 AND ok", "this cannot be read", 11, "Write and in small letters."),
        ("amount <> 1", "this cannot be read", 7, "Write != for 'is not equal'."),
        ("amount > 'a'", "a number is compared with a text", 0, "Compare values of one kind."),
        ("industry in ['a', 3]", "a number is compared with a text", 18, "Compare values of one kind."),
        ("industry < 'b'", "a text has no order that all engines share", 0, "Use == or !=."),
        ("ok == True and ok < ok", "yes or no has no order that all engines share", 15, "Use == or !=."),
        ("industry in []", "in needs a list of values", 12, "Write column in ['a', 'b']."),
        ("industry in [amount]", "a list holds texts and numbers only", 13, "Write the value itself."),
        ("['a'] == industry", "a list stands only after in or not in", 0, "Write column in ['a', 'b']."),
        ("not industry", "this is a text where yes or no is needed", 4, "Compare or convert it."),
        ("industry + 1 > 2", "this is a text where a number is needed", 0, "Compare or convert it."),
        ("contains(amount, 'a')", "this is a number where a text is needed", 9, "Compare or convert it."),
        ("is_true(at)", "a time is not a flag", 8, "Use is_known."),
        ("amount == None", "None is not a value", 10, "Write is_null(column)."),
        ("ok is True", "is compares nothing here", 6, "Write == or is_null(column)."),
        (
            "ok or True",
            "True or False stands alone and decides the rule",
            6,
            "Compare a column with it by ==.",
        ),
        ("1 == 1", "the rule names no column, so it always gives the same answer", 0, "Name a column."),
        ("at > 'soon'", "'soon' is not a day", 5, "Write it as '2024-01-31' or '2024-01-31 09:30:00'."),
        (
            "industry == 'äöü' and amont > 1",
            "there is no column 'amont'",
            22,
            "Did you mean 'amount'?",
        ),
    ],
)
def test_a_wrong_rule_is_shown_with_a_caret_and_a_remedy(text: str, what: str, caret: int, remedy: str) -> None:
    with pytest.raises(RuleError) as error:
        compile_condition(parse(text), columns())
    lines = str(error.value).split("\n")
    if what != "this cannot be read":
        assert lines[2].index("^") - 2 == caret
    assert (lines[0], lines[1], lines[3]) == (f"{what}:", f"  {text}", remedy)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "(lambda: amount)()",
        "[amount for amount in at]",
        "f'{amount}'",
        "amount.real.imag > 1",
        "amount[0] > 1",
        "amount ** 9 > 1",
        "amount // 2 > 1",
        "amount if ok else 2",
        "(amount := 2) > 1",
        "lower(industry=industry) == 'a'",
        "lower(*industry) == 'a'",
        "{'a': amount} == 1",
        "~ok",
        "b'a' == industry",
        "print(amount)",
        "1j * amount > 1",
        "...",
    ],
)
def test_nothing_outside_the_language_is_accepted(text: str) -> None:
    with pytest.raises(RuleError):
        parse(text)


def test_long_and_deep_and_empty_rules_are_refused() -> None:
    with pytest.raises(RuleError, match=r"^the rule has 2,000 characters; at most 1,000 are read: a"):
        parse("a" * 2_000)
    with pytest.raises(RuleError, match=rf"^the rule is nested deeper than {DEEPEST}:"):
        parse("not " * (DEEPEST + 1) + "ok")
    with pytest.raises(RuleError, match="cannot be read"):
        parse("(" * (LONGEST // 2 - 1) + "1" + ")" * (LONGEST // 2 - 1))
    with pytest.raises(RuleError, match=r"^the rule is empty; leave the key out where there is no rule$"):
        parse("  \n ")


@given(text=st.text(alphabet="amount() =<>'\"[],.+-*/notandr1é\n", max_size=40))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_any_text_is_parsed_or_refused_and_nothing_else_happens(text: str) -> None:
    try:
        rule = parse(text)
    except RuleError:
        return
    assert rule.names


def test_flags_are_read_in_any_form() -> None:
    words = ibis.memtable({"flag": ["1", "TRUE", "yes", "0", "False", "", None]}, schema={"flag": "string"})
    answer = compile_rule(parse("is_true(flag)"), {"flag": words.flag})
    got = ibis.duckdb.connect().to_pyarrow(words.select(answer=answer))["answer"].to_pylist()
    assert got == [True, True, True, False, False, False, False]
