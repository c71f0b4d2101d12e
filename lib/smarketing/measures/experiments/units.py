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
        assignment and others none; accounts were dealt in strata or pairs that are not there, or are none.
    """
    name = protocol.name
    given = view.company.table("assignments")
    rows = given.filter(given.experiment == name)
    _check_experiment(given, rows, name)
    _check_arms(rows, protocol)
    _check_kinds(rows, protocol)
    units = _once_each(rows, protocol)
    counts = units.aggregate(n=units.count(), dated=units["at"].count()).to_pyarrow().to_pylist()[0]
    if 0 < counts["dated"] < counts["n"]:
        missing = units.filter(units["at"].isnull()).order_by("unit_id").limit(EXAMPLES)
        raise CompanyError(
            f"assignments.assigned_at is empty for {counts['n'] - counts['dated']:,} of {counts['n']:,} units of the "
            f"experiment {name!r}, such as {_listed(missing)}. Give all of them the time when they were dealt, or none."
        )
    _check_blocks(units, protocol)
    return Units(protocol=protocol, table=units, dated=counts["dated"] > 0)


def _once_each(rows: ir.Table, protocol: Protocol) -> ir.Table:
    """Return one row a unit; grouping ten million of them takes an engine a gigabyte, so only where it is needed."""
    key = rows.unit_id.cast("string")
    counts = rows.aggregate(n=rows.count(), units=key.nunique()).to_pyarrow().to_pylist()[0]
    if counts["n"] == counts["units"]:
        return rows.select(unit_id=key, arm=rows.arm, at=rows.assigned_at, stratum=rows.stratum)
    units = rows.group_by(unit_id=key).aggregate(
        arm=rows.arm.min(), last_arm=rows.arm.max(), at=rows.assigned_at.min(), stratum=rows.stratum.min()
    )
    _refuse_two_arms(units, protocol)
    return units.drop("last_arm")


def _check_experiment(given: ir.Table, rows: ir.Table, name: str) -> None:
    if rows.limit(1).count().execute():
        return
    there = given.select("experiment").distinct().order_by("experiment").limit(50).to_pyarrow()["experiment"]
    if not len(there):
        raise CompanyError(f"assignments has no row, so nobody was dealt in the experiment {name!r}. Load its rows.")
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
        said = " and ".join(
            f"{row['n']:,} {row['unit_kind']}{'' if row['n'] == 1 else 's'} (such as {row['first']})" for row in found
        )
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
            f"{count:,} {'unit' if count == 1 else 'units'} of the experiment {protocol.name!r} "
            f"{'is' if count == 1 else 'are'} in two arms: {said}. A "
            "unit is in one arm: keep the assignment that was carried out."
        )


def _check_blocks(units: ir.Table, protocol: Protocol) -> None:
    """Refuse strata and pairs that the decision on accounts could not deal within again."""
    if protocol.unit != "account" or not (protocol.pairs or protocol.strata):
        return
    blank = units.filter(units.stratum.isnull())
    count = int(blank.count().execute())
    what = "in pairs" if protocol.pairs else f"within strata of {', '.join(protocol.strata)}"
    if count:
        raise CompanyError(
            f"The protocol of {protocol.name!r} says that accounts were dealt {what}, and assignments.stratum is empty "
            f"for {count:,} of them, such as {_listed(blank.order_by('unit_id').limit(EXAMPLES))}. Map it in the input "
            "file."
        )
    if protocol.pairs:
        pairs = units.group_by("stratum").aggregate(n=units.count(), arms=units.arm.nunique())
        wrong = pairs.filter((pairs.n != 2) | (pairs.arms != 2)).order_by("stratum").to_pyarrow().to_pylist()
        if wrong:
            raise CompanyError(
                f"The protocol of {protocol.name!r} says that accounts were dealt in pairs, and assignments.stratum "
                f"holds {len(wrong):,} that are none, the first {wrong[0]['stratum']} with {wrong[0]['n']:,} "
                f"account{'' if wrong[0]['n'] == 1 else 's'} in {wrong[0]['arms']} "
                f"arm{'' if wrong[0]['arms'] == 1 else 's'}. A pair is two accounts, one in each arm."
            )


def _listed(rows: ir.Table) -> str:
    ids: Sequence[object] = rows.to_pyarrow()["unit_id"].to_pylist()
    return ", ".join(str(one) for one in ids)
