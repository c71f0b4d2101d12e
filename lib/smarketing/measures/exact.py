"""Sums that do not depend on the order in which an engine adds: whole numbers and decimals instead of floats.

An engine adds rows in whatever order its threads finish, and float sums then differ in their last digits from run to
run. Equal inputs have to give equal bytes.
"""

from __future__ import annotations

import ibis.expr.types as ir

INFLUENCE = 1e15
"""Influences are at most about 1; as whole numbers of this part of 1 they keep 15 decimals and their squares fit."""


def cents(amount: ir.NumericValue) -> ir.IntegerValue:
    """Return money in whole cents."""
    return (amount * 100.0).round().cast("int64")


def whole(influence: ir.NumericValue) -> ir.IntegerValue:
    """Return an influence as a whole number of 1e-15."""
    return (influence * INFLUENCE).round().cast("int64")


def product(first: ir.NumericValue, second: ir.NumericValue) -> ir.DecimalValue:
    """Return the exact product of two whole numbers below 10^18, wide enough to be summed."""
    return first.cast("decimal(38, 0)") * second.cast("decimal(38, 0)")
