"""Who was dealt to which arm of an experiment: the `assignments` table, checked, a row a unit, in the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from smarketing.company.protocol import Protocol
from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import nearest
from smarketing.measures.view import View

EXAMPLES = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """The units that were dealt: a row each, with ``unit_id``, ``arm``, ``at`` (NULL where not dated), ``stratum``.

    ``dated``: whether every unit has a time of assignment; none has one where it is False.
    """

    protocol: Protocol
    table: ir.Table
    dated: bool

    def counts(self, by: str | None = None) -> dict[str, dict[str, int]]:
        """Return how many units each arm has, by the values of a column (all together under an empty key)."""
        key = ibis.literal("") if by is None else ibis.coalesce(self.table[by].cast("string"), ibis.literal(""))
        rows = self.table.group_by(key=key, arm=self.table.arm).aggregate(n=lambda t: t.count())
        found: dict[str, dict[str, int]] = {}
        for row in rows.order_by("key", "arm").to_pyarrow().to_pylist():
            found.setdefault(row["key"], dict.fromkeys(self.protocol.arms, 0))[row["arm"]] = int(row["n"])
        return found


def dealt(view: View, protocol: Protocol) -> Units:
    """Return the units that `assignments` holds for a protocol's experiment.

    A unit that stands there twice with the same arm counts once, from the earlier time.

    Raises
    ------
    MissingTable
        No assignments are mapped.
    CompanyError
        No assignment is of this experiment; an arm is not the protocol's, or one of the protocol's has nobody; units
        are of another kind than the protocol says, or of two kinds; a unit is in two arms; some units have a time of
        assignment and others none.
    """
    name = protocol.name
    given = view.company.table("assignments")
    rows = given.filter(given.experiment == name)
    _check_experiment(given, rows, name)
    _check_arms(rows, protocol)
    _check_kinds(rows, protocol)
    key = rows.unit_id.cast("string")
    units = rows.group_by(unit_id=key).aggregate(
        arm=rows.arm.min(),
        last_arm=rows.arm.max(),
        at=rows.assigned_at.min(),
        stratum=rows.stratum.min(),
    )
    _refuse_two_arms(units, protocol)
    counts = units.aggregate(n=units.count(), dated=units["at"].count()).to_pyarrow().to_pylist()[0]
    if 0 < counts["dated"] < counts["n"]:
        missing = units.filter(units["at"].isnull()).order_by("unit_id").limit(EXAMPLES)
        raise CompanyError(
            f"assignments.assigned_at is empty for {counts['n'] - counts['dated']:,} of {counts['n']:,} units of the "
            f"experiment {name!r}, such as {_listed(missing)}. Give all of them the time when they were dealt, or none."
        )
    return Units(protocol=protocol, table=units.drop("last_arm"), dated=counts["dated"] > 0)


def _check_experiment(given: ir.Table, rows: ir.Table, name: str) -> None:
    if rows.limit(1).count().execute():
        return
    there = given.select("experiment").distinct().order_by("experiment").limit(50).to_pyarrow()["experiment"]
    raise CompanyError(
        f"No row of assignments is of the experiment {name!r} (`name` of the protocol). "
        f"{nearest(name, [str(one) for one in there.to_pylist()])}"
    )


def _check_arms(rows: ir.Table, protocol: Protocol) -> None:
    there = sorted(str(arm) for arm in rows.select("arm").distinct().to_pyarrow()["arm"].to_pylist())
    for arm in there:
        if arm not in protocol.arms:
            raise CompanyError(
                f"assignments.arm holds {arm!r} for the experiment {protocol.name!r}, and the protocol has the arms "
                f"{', '.join(protocol.arms)}. {nearest(arm, list(protocol.arms))} Map the value in the input file."
            )
    for arm in protocol.arms:
        if arm not in there:
            raise CompanyError(
                f"Nobody was dealt to the arm {arm!r} of the experiment {protocol.name!r}: assignments.arm holds "
                f"{', '.join(there)}. Load its assignments too, or take the arm out of a new protocol."
            )


def _check_kinds(rows: ir.Table, protocol: Protocol) -> None:
    kinds = rows.group_by("unit_kind").aggregate(n=rows.count(), first=rows.unit_id.cast("string").min())
    found = sorted(kinds.to_pyarrow().to_pylist(), key=lambda row: str(row["unit_kind"]))
    if len(found) > 1:
        said = " and ".join(f"{row['n']:,} {row['unit_kind']}s (such as {row['first']})" for row in found)
        raise CompanyError(
            f"The experiment {protocol.name!r} was dealt to units of several kinds: {said}. An experiment has one "
            "(assignments.unit_kind): keep the rows of that kind."
        )
    if found and found[0]["unit_kind"] != protocol.unit:
        raise CompanyError(
            f"The experiment {protocol.name!r} was dealt to {found[0]['unit_kind']}s (assignments.unit_kind), and its "
            f"protocol says `unit: {protocol.unit}`. Read it with the protocol that it was dealt under."
        )


def _refuse_two_arms(units: ir.Table, protocol: Protocol) -> None:
    both = units.filter(units.arm != units.last_arm)
    count = int(both.count().execute())
    if count:
        examples = both.order_by("unit_id").limit(EXAMPLES).to_pyarrow().to_pylist()
        said = ", ".join(f"{row['unit_id']} in {row['arm']} and {row['last_arm']}" for row in examples)
        raise CompanyError(
            f"{count:,} {'unit' if count == 1 else 'units'} of the experiment {protocol.name!r} in two arms: {said}. A "
            "unit is in one arm: keep the assignment that was carried out."
        )


def _listed(rows: ir.Table) -> str:
    ids: Sequence[object] = rows.to_pyarrow()["unit_id"].to_pylist()
    return ", ".join(str(one) for one in ids)
