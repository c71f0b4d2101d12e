"""A model in the engine gives what it gives in Python, to 1e-9, on every row that a warehouse may hold."""

from __future__ import annotations

import contextlib
from itertools import cycle, islice

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from scored_leads import INDUSTRIES, feature, fitted, leads
from smarketing.estimates.calibration import LogisticMap
from smarketing.measures.scoring.models.boosting import Boosting
from smarketing.measures.scoring.models.encoding import Bins, Levels
from smarketing.measures.scoring.models.forest import Forest
from smarketing.measures.scoring.models.scorecard import Factor, Scorecard

AWKWARD_NUMBERS = (np.nan, None, np.inf, -np.inf, 1e308, -1e308, 5e-324, -0.0, 0.0, 1.0, 2**53 + 1.0, -3.5)
AWKWARD_TEXTS = (
    None,
    "",
    " ",
    "unseen",
    "software",
    "Software ",
    "'; --",
    "rare 3",
    "rare 7",
    "(other)",
    "not recorded",
)


def edges_of(model: Scorecard | Boosting, position: int) -> list[float]:
    if isinstance(model, Boosting):
        at = model.forest.feature == position
        return sorted(set(model.forest.threshold[at & np.isfinite(model.forest.threshold)].tolist()))
    cut = model.factors[position].cut
    return list(cut.edges) if isinstance(cut, Bins) else []


def awkward(model: Scorecard | Boosting, rows: int = 400) -> dict[str, list[float | str | None]]:
    """Rows at and next to every edge, at the ends of what a double holds, missing in every way, unseen."""
    rng = np.random.default_rng(0)
    columns: dict[str, list[float | str | None]] = {}
    for position, role in enumerate(model.roles):
        values: list[float | str | None]
        if role.kind == "number":
            near = [
                x for e in edges_of(model, position) for x in (e, np.nextafter(e, -np.inf), np.nextafter(e, np.inf))
            ]
            values = [*AWKWARD_NUMBERS, *map(float, near)]
        else:
            values = [*AWKWARD_TEXTS, *INDUSTRIES, "given", "yes", "a", "b", "c"]
        columns[role.name] = list(islice(cycle(values), rows))
        rng.shuffle(columns[role.name])
    return columns


def to_engine(backend: ibis.BaseBackend, columns: dict[str, list[float | str | None]], model: Scorecard | Boosting):
    """NULL and NaN, which frames confuse, arrive as they are."""
    kinds = {role.name: role.kind for role in model.roles}
    n = len(next(iter(columns.values())))
    if backend.name == "duckdb":
        table = pa.table(
            {"i": pa.array(range(n), pa.int64())}
            | {k: pa.array(v, pa.float64() if kinds[k] == "number" else pa.string()) for k, v in columns.items()}
        )
        return backend.create_table("asked", table)
    names = ", ".join(f'"{k}" {"double precision" if kinds[k] == "number" else "text"}' for k in columns)
    with contextlib.closing(backend.con.cursor()) as cursor:
        cursor.execute(f"create table asked (i bigint, {names})")
        cursor.executemany(
            f"insert into asked values ({', '.join(['%s'] * (len(columns) + 1))})",
            [(i, *row) for i, row in enumerate(zip(*columns.values(), strict=True))],
        )
    backend.con.commit()
    return backend.table("asked")


def in_python(columns: dict[str, list[float | str | None]], model: Scorecard | Boosting) -> pd.DataFrame:
    return pd.DataFrame(
        {
            role.name: np.array([np.nan if x is None else x for x in columns[role.name]], dtype=float)
            if role.kind == "number"
            else pd.Series(columns[role.name], dtype=object)
            for role in model.roles
        }
    )


def in_engine(backend: ibis.BaseBackend, table: ibis.Table, model: Scorecard | Boosting) -> np.ndarray:
    asked = table.select(i=table.i, p=model.expression(table)).order_by("i")
    return backend.to_pyarrow(asked)["p"].to_numpy()


@pytest.mark.parametrize("family", ["scorecard", "boosting"])
def test_every_row_is_scored_alike(engine: ibis.BaseBackend, family: str) -> None:
    model = fitted(family)
    columns = awkward(model)
    table = to_engine(engine, columns, model)
    expected = model.probability(in_python(columns, model))
    got = in_engine(engine, table, model)
    assert np.abs(got - expected).max() < 1e-12
    assert len(set(expected.round(6))) > 50


@pytest.mark.parametrize("family", ["scorecard", "boosting"])
def test_ordinary_leads_are_scored_alike(engine: ibis.BaseBackend, family: str) -> None:
    model, later = fitted(family), leads(1_000, seed=11).features
    columns = {role.name: later[role.name].tolist() for role in model.roles}
    got = in_engine(engine, to_engine(engine, columns, model), model)
    assert np.abs(got - model.probability(later)).max() < 1e-12


def extreme(family: str) -> Scorecard | Boosting:
    """A model whose log-odds are far beyond what exp can take."""
    role, scale = feature("x", "number"), LogisticMap(0.0, 1.0)
    if family == "scorecard":
        factor = Factor(
            role=role, cut=Bins(edges=(0.0,), whole=False, lowest=-1.0), points=(-5, 5), missing_points=0,
            missing_learned=False, rows=(1, 1), rates=(0.0, 1.0), missing_rows=0, missing_rate=0.0, mean_points=0.0,
        )  # fmt: skip
        return Scorecard(
            roles=(role,), factors=(factor,), start=0.0, unit=500.0, calibration=scale, penalty=1.0, selective=False,
            beyond_chance=("x",), out_of_fold=np.zeros(0),
        )  # fmt: skip
    forest = Forest(
        baseline=0.0, roots=np.array([0]), feature=np.array([0, -1, -1]), categorical=np.zeros(3, dtype=bool),
        threshold=np.zeros(3), missing_left=np.zeros(3, dtype=bool), left_levels=np.zeros((3, 0), dtype=bool),
        left=np.array([1, 0, 0]), right=np.array([2, 0, 0]), value=np.array([0.0, -2500.0, 2500.0]),
        count=np.array([2, 1, 1]),
    )  # fmt: skip
    return Boosting(
        roles=(role,), levels=(None,), forest=forest, calibration=scale, beyond_chance=("x",),
        out_of_fold=np.zeros(0),
    )  # fmt: skip


@pytest.mark.parametrize("family", ["scorecard", "boosting"])
def test_log_odds_beyond_what_exp_can_take(engine: ibis.BaseBackend, family: str) -> None:
    model = extreme(family)
    columns: dict[str, list[float | str | None]] = {"x": [-1.0, 1.0]}
    got = in_engine(engine, to_engine(engine, columns, model), model)
    assert got == pytest.approx([0.0, 1.0], abs=1e-200)
    assert model.probability(in_python(columns, model)) == pytest.approx([0.0, 1.0], abs=1e-200)


def test_a_hundred_and_fifty_trees_are_not_too_deep_for_the_engine(engine: ibis.BaseBackend) -> None:
    model = fitted("boosting")
    assert isinstance(model, Boosting)
    forest = model.forest
    times = -(-150 // len(forest.roots))
    many = Boosting(
        roles=model.roles,
        levels=model.levels,
        forest=Forest(
            **{name: getattr(forest, name) for name in Forest.__dataclass_fields__ if name != "roots"},
            roots=np.tile(forest.roots, times),
        ),
        calibration=LogisticMap(0.0, 0.2),
        beyond_chance=(),
        out_of_fold=np.zeros(0),
    )
    columns = awkward(many, 50)
    got = in_engine(engine, to_engine(engine, columns, many), many)
    assert np.abs(got - many.probability(in_python(columns, many))).max() < 1e-12


def test_levels_of_equal_points_and_none_at_all(engine: ibis.BaseBackend) -> None:
    table = to_engine(engine, {"x": ["a", "b", "c", None, ""]}, extreme_text())
    levels = Levels(kept=("a", "b", "c"), pooled=())
    for points, missing, expected in (((1, 1, 2), 0, [1, 1, 2, 0, 0]), ((3, 3, 3), 3, [3] * 5)):
        asked = table.select(i=table.i, p=levels.pick(table.x, points, missing)).order_by("i")
        assert engine.to_pyarrow(asked)["p"].to_pylist() == expected


def extreme_text() -> Scorecard | Boosting:
    model = fitted("scorecard")
    text = feature("x", "category")
    return Scorecard(
        roles=(text,), factors=(), start=0.0, unit=1.0, calibration=model.calibration, penalty=1.0, selective=False,
        beyond_chance=(), out_of_fold=np.zeros(0),
    )  # fmt: skip


def test_a_card_without_points_gives_the_base_rate(engine: ibis.BaseBackend) -> None:
    model = extreme_text()
    table = to_engine(engine, {"x": ["a", None]}, model)
    assert in_engine(engine, table, model) == pytest.approx(model.probability(pd.DataFrame({"x": ["a", None]})))
