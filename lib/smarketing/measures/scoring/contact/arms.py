"""Which leads of a sample were in which arm of an experiment: the `assignments` table joined to them in the engine.

Only ids, arms and days of the two arms that are compared are read. A lead is in an arm by its own assignment or by its
account's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from smarketing.company.tables import CompanyError
from smarketing.company.wrong_keys import nearest
from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.leads.sample import Sample
from smarketing.measures.view import View

TREATED, CONTROL, NEITHER = 1, 0, -1
_SHOWN = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Arms:
    """The arms of a sample's leads.

    ``arm``: `TREATED`, `CONTROL` or `NEITHER`, one a lead in the sample's order. ``day``: the day of its assignment,
    NaT where that is not recorded or it has none.
    """

    experiment: str
    treated: str
    control: str
    arm: npt.NDArray[np.int8]
    day: npt.NDArray[np.datetime64]


def arms(
    view: View, sample: Sample, *, treated: str | None, control: str | None, experiment: str | None = None
) -> Arms | NotApplicable:
    """Return the arm of each lead of a sample.

    Parameters
    ----------
    treated, control
        The two arms by their names in `assignments`; both None where no experiment is to be looked at.
    experiment
        Needed only where the two arms occur together in several.

    Returns
    -------
    Arms
        A lead that was assigned twice to the same arm counts from the earliest day. Not applicable where no
        assignments are mapped, no arms are named, or the units are neither leads nor accounts.

    Raises
    ------
    CompanyError
        Only one arm is named, or the same twice; an arm or experiment does not occur; both arms are in no experiment or
        in several; a unit is in both arms, or a lead in one and its account in the other.
    """
    if not view.company.has("assignments"):
        return NotApplicable("no `assignments` table is mapped")
    if treated is None and control is None:
        return NotApplicable("no experiment is named")
    if treated is None or control is None:
        named, missing = ("treated", "control") if control is None else ("control", "treated")
        raise CompanyError(
            f"Only the arm `{named}` ({treated or control!r}) is named. Name `{missing}` too, or neither of them."
        )
    if treated == control:
        raise CompanyError(f"`treated` and `control` are both {treated!r}. Name two different arms.")
    given = view.company.table("assignments")
    name = _experiment(given, treated, control, experiment)
    rows = given.filter((given.experiment == name) & given.arm.isin([treated, control]))
    found = _leads(rows, view)
    _refuse_both(found, ["unit_kind", "unit_id"], name, (treated, control))
    known = found[found["lead_id"].notna()]
    if known.empty:
        kinds = sorted(set(found["unit_kind"]) - {"lead", "account"})
        if kinds:
            units = f"units of the kind {kinds[0]!r}"
            return NotApplicable(f"the experiment {name!r} is made on {units}, and leads or accounts are needed")
    _refuse_both(known, ["lead_id"], name, (treated, control))
    first = known.sort_values("day", na_position="last", kind="stable").drop_duplicates("lead_id")
    place = pd.Index(first["lead_id"], dtype=object).get_indexer(pd.Index(sample.subject_id, dtype=object))
    arm = np.where(first["arm"].to_numpy() == treated, TREATED, CONTROL).astype(np.int8)
    day = first["day"].to_numpy().astype("datetime64[D]")
    there = place >= 0
    if not there.any():
        return NotApplicable(f"no lead that is looked at is in the arms {treated!r} and {control!r}")
    of_lead, of_day = np.full(len(sample), NEITHER, dtype=np.int8), np.full(len(sample), "NaT", dtype="datetime64[D]")
    of_lead[there], of_day[there] = arm[place[there]], day[place[there]]
    return Arms(experiment=name, treated=treated, control=control, arm=of_lead, day=of_day)


def _experiment(given: ir.Table, treated: str, control: str, experiment: str | None) -> str:
    """Return the one experiment that has both arms."""
    pairs = given.select("experiment", "arm").distinct().to_pyarrow().to_pylist()
    by_name: dict[str, set[str]] = {}
    for pair in pairs:
        by_name.setdefault(pair["experiment"], set()).add(pair["arm"])
    if experiment is not None:
        if experiment not in by_name:
            raise CompanyError(
                f"No assignment is of the experiment {experiment!r}. {nearest(experiment, sorted(by_name))}"
            )
        by_name = {experiment: by_name[experiment]}
    there = sorted(set().union(*by_name.values()))
    for role, arm in (("treated", treated), ("control", control)):
        if arm not in there:
            where = f" of the experiment {experiment!r}" if experiment is not None else ""
            raise CompanyError(f"No assignment{where} is to the arm {arm!r} (`{role}`). {nearest(arm, there)}")
    both = sorted(name for name, names in by_name.items() if {treated, control} <= names)
    if not both:
        raise CompanyError(
            f"No experiment has both arms: {treated!r} is of {_of(by_name, treated)}, {control!r} of "
            f"{_of(by_name, control)}. Name two arms of one experiment."
        )
    if len(both) > 1:
        raise CompanyError(
            f"The arms {treated!r} and {control!r} are together in {len(both)} experiments: {', '.join(both)}. Say "
            "which by `experiment`."
        )
    return both[0]


def _of(by_name: Mapping[str, set[str]], arm: str) -> str:
    return ", ".join(repr(name) for name in sorted(by_name) if arm in by_name[name])


def _leads(rows: ir.Table, view: View) -> pd.DataFrame:
    """Return one row for each unit, arm and day with its lead: the accounts' leads too, None for other units."""
    day = rows.assigned_at.truncate("D")
    units = rows.select("unit_kind", "unit_id", "arm", day=day).distinct()
    leads = view.company.table("leads").select("lead_id", "account_id")
    of_account = leads.filter(leads.account_id.notnull())
    joined = units.filter(units.unit_kind == "account").left_join(of_account, units.unit_id == of_account.account_id)
    columns = ["unit_kind", "unit_id", "arm", "day", "lead_id"]
    own = units.filter(units.unit_kind != "account")
    own = own.mutate(lead_id=ibis.cases((own.unit_kind == "lead", own.unit_id), else_=ibis.null("string")))
    found = own.select(columns).union(joined.select(columns)).to_pyarrow()
    frame = pd.DataFrame({name: _texts(found[name]) for name in columns if name != "day"})
    frame["day"] = found["day"].cast("timestamp[us]").to_numpy()
    # Engines return rows in any order; of a lead's equal days any would do, but not always another.
    return frame.sort_values(["unit_kind", "unit_id", "lead_id"], kind="stable").reset_index(drop=True)


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.array(column.cast(pa.string()).to_numpy(zero_copy_only=False), dtype=object)


def _refuse_both(found: pd.DataFrame, key: Sequence[str], experiment: str, names: tuple[str, str]) -> None:
    """Raise where a unit, or a lead by itself and its account, is in both arms."""
    pairs = found[[*key, "arm"]].drop_duplicates()
    twice = pairs[pairs["arm"].eq(names[0])].merge(pairs[pairs["arm"].eq(names[1])], on=list(key))
    if twice.empty:
        return
    first, count = twice.sort_values(list(key)).head(_SHOWN), len(twice)
    if len(key) == 1:
        examples = ", ".join(f"lead {lead}" for lead in first["lead_id"])
        raise CompanyError(
            f"{count:,} {'lead' if count == 1 else 'leads'} of the experiment {experiment!r}: in one of the arms "
            f"{names[0]!r} and {names[1]!r} by their own assignment, in the other by their account's ({examples}). "
            "Keep one assignment of each."
        )
    examples = ", ".join(f"{row.unit_kind} {row.unit_id}" for row in first.itertuples())
    raise CompanyError(
        f"{count:,} {'unit' if count == 1 else 'units'} of the experiment {experiment!r} in both arms, {names[0]!r} "
        f"and {names[1]!r}: {examples}. A unit is in one arm: keep one assignment of each."
    )
