"""Boosted trees as plain arrays: predicted here and in the engine by the same comparisons of doubles.

They are read off scikit-learn's `HistGradientBoostingClassifier`, whose nodes are private to it: a test holds what is
relied on. Once read, a model neither needs that class nor its version, and its files hold numbers only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from smarketing.measures.scoring.models.encoding import Bins, Levels, balanced_sum, exact

_CHUNK = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """Trees, node after node: raw log-odds = ``baseline`` + the value of the leaf that each tree leads to.

    ``roots`` are the positions of the trees' first nodes. ``feature`` is the position of the node's feature among the
    roles, -1 for a leaf; a lead goes ``left`` where the number is below ``threshold``, or the category's level is
    among ``left_levels`` (a row a node, a column a level), else ``right``; where it is missing, left if
    ``missing_left``. A threshold of infinity parts numbers from what is missing. ``count`` is how many training leads
    came by.
    """

    baseline: float
    roots: np.ndarray
    feature: np.ndarray
    categorical: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left_levels: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    count: np.ndarray

    def goes_left(self, node: int, column: np.ndarray) -> np.ndarray:
        """Return who goes left at a node: ``column`` holds numbers with NaN, or levels with -1 for missing."""
        missing_left = bool(self.missing_left[node])
        if self.categorical[node]:
            # The level of what is missing is -1: the last place of the list.
            return np.array([*self.left_levels[node], missing_left])[column]
        if np.isinf(self.threshold[node]):
            return ~np.isnan(column)
        if missing_left:
            return ~(column >= self.threshold[node])
        return column < self.threshold[node]

    def raw(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Return raw log-odds of leads, their features' columns in the order of the roles."""
        rows = len(columns[0])
        total = np.full(rows, self.baseline)
        for start in range(0, rows, _CHUNK):
            part = [column[start : start + _CHUNK] for column in columns]
            for root in self.roots:
                total[start : start + _CHUNK] += self._values(int(root), part)
        return total

    def leaves(self, root: int) -> Iterator[tuple[float, list[tuple[int, bool, float]]]]:
        """Yield each leaf of a tree: its value, and its way there as (node, went left, share of leads that did)."""
        waiting: list[tuple[int, list[tuple[int, bool, float]]]] = [(root, [])]
        while waiting:
            node, way = waiting.pop()
            if self.feature[node] < 0:
                yield float(self.value[node]), way
                continue
            for child, went_left in ((int(self.right[node]), False), (int(self.left[node]), True)):
                waiting.append((child, [*way, (node, went_left, float(self.count[child] / self.count[node]))]))

    def expression(self, columns: Mapping[int, ir.Value], levels: Mapping[int, Levels]) -> ir.FloatingValue:
        """Return raw log-odds in the engine; ``columns`` and ``levels`` by position of the feature."""
        trees = [self._expression(int(root), columns, levels) for root in self.roots]
        return balanced_sum([exact(self.baseline), *trees])

    def _values(self, node: int, columns: Sequence[np.ndarray]) -> np.ndarray | float:
        if self.feature[node] < 0:
            return float(self.value[node])
        left = self._values(int(self.left[node]), columns)
        right = self._values(int(self.right[node]), columns)
        return np.where(self.goes_left(node, columns[self.feature[node]]), left, right)

    def _expression(self, node: int, columns: Mapping[int, ir.Value], levels: Mapping[int, Levels]) -> ir.Value:
        if self.feature[node] < 0:
            return exact(self.value[node])
        left = self._expression(int(self.left[node]), columns, levels)
        right = self._expression(int(self.right[node]), columns, levels)
        feature = int(self.feature[node])
        column, missing_left = columns[feature], bool(self.missing_left[node])
        # Comparisons with NULL are NULL and take the second way, so the first is that which missing does not go.
        if self.categorical[node]:
            goes_left = self.left_levels[node][: len(levels[feature])]
            codes = np.flatnonzero(goes_left != missing_left)
            names = [name for code in codes for name in levels[feature].values_of(int(code))]
            first, second = (right, left) if missing_left else (left, right)
            return ibis.ifelse(column.isin(names), first, second) if names else second
        if np.isinf(self.threshold[node]):
            return ibis.ifelse(column.notnull() & ~column.isnan(), left, right)
        threshold = exact(self.threshold[node])
        if missing_left:
            # NaN is the largest number to engines.
            return ibis.ifelse((column >= threshold) & ~column.isnan(), right, left)
        return ibis.ifelse(column < threshold, left, right)


def read_forest(
    model: HistGradientBoostingClassifier,
    positions: Sequence[int],
    codings: Sequence[Bins | Levels],
    missing: Sequence[bool],
) -> Forest:
    """Read the trees of a model fitted to codes: levels of categories in the first columns, then bins of numbers.

    ``positions`` are the roles' positions of the model's columns, ``codings`` what the roles' codes stand for. A
    category of n levels is coded 0 to n - 1, and n where it is missing; ``missing`` says whether it ever was. Every
    such code has to occur in the training rows: the model numbers the codes that it meets. A number's bins are its
    codes, NaN where it is missing.

    Raises
    ------
    ValueError
        If a category comes after a number: the model would have numbered its columns anew.
    """
    expected = np.sort(model.is_categorical_)[::-1] if model.is_categorical_ is not None else np.zeros(0, dtype=bool)
    if model.is_categorical_ is not None and not (model.is_categorical_ == expected).all():
        raise ValueError("categories have to come before numbers: the model numbers its columns in that order.")
    trees = [predictors[0] for predictors in model._predictors]
    sizes = [len(tree.nodes) for tree in trees]
    roots = np.cumsum([0, *sizes])[:-1]
    nodes = np.concatenate([tree.nodes for tree in trees])
    first = np.repeat(roots, sizes)
    is_leaf = nodes["is_leaf"].astype(bool)
    categorical = nodes["is_categorical"].astype(bool) & ~is_leaf
    bits = np.zeros((len(nodes), 256), dtype=bool)
    for tree, start in zip(trees, roots, strict=True):
        for i in np.flatnonzero(categorical[start : start + len(tree.nodes)]):
            words = tree.raw_left_cat_bitsets[tree.nodes[i]["bitset_idx"]]
            bits[start + i] = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    feature = np.where(is_leaf, -1, np.array(positions)[np.where(is_leaf, 0, nodes["feature_idx"])]).astype(np.int64)
    missing_left = nodes["missing_go_to_left"].astype(bool) & ~is_leaf
    for node in np.flatnonzero(categorical):
        if missing[feature[node]]:
            missing_left[node] = bits[node, len(codings[feature[node]])]
    threshold = np.zeros(len(nodes))
    for node in np.flatnonzero(~is_leaf & ~categorical):
        # The split after code k, wherever between k and k + 1 the model has put it, is the edge above bin k; one that
        # only parts what is missing from the rest is above all.
        edges = (*codings[feature[node]].edges, np.inf)
        threshold[node] = edges[min(int(min(nodes[node]["num_threshold"], len(edges))), len(edges) - 1)]
    return Forest(
        baseline=float(model._baseline_prediction.ravel()[0]),
        roots=roots.astype(np.int64),
        feature=feature,
        categorical=categorical,
        threshold=threshold,
        missing_left=missing_left,
        left_levels=bits[:, : max((len(one) for one in codings if isinstance(one, Levels)), default=0)],
        left=np.where(is_leaf, 0, nodes["left"] + first).astype(np.int64),
        right=np.where(is_leaf, 0, nodes["right"] + first).astype(np.int64),
        value=np.where(is_leaf, nodes["value"], 0.0).astype(np.float64),
        count=nodes["count"].astype(np.int64),
    )
