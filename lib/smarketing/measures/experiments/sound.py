"""Was the experiment carried out as agreed? Where units went missing or shares are wrong, nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from smarketing.company.protocol import Protocol
from smarketing.estimates.sample_ratio import SampleRatio, against_protocol, analysed_against_dealt, over_groups
from smarketing.measures.experiments import sums
from smarketing.measures.experiments.outcomes import (
    ARM,
    AT,
    KNOWN,
    OUTCOME,
    OVER,
    SEGMENT,
    STRATUM,
    Observed,
)
from smarketing.measures.results import Check

MOST_GROUPS = 500
FAR_APART = 0.1
"""A standardised difference of a covariate above this is told."""


def sound(seen: Observed) -> tuple[Check, ...]:
    """Ask whether an experiment can be read; a check that failed and is an ``error`` blocks the verdict.

    EX01 dealt against protocol, EX02 found against dealt, EX03 shares over segments and strata, EX04 shares over days:
    one test each on the units that were dealt, alarmed at p < 0.001. EX05 what was so before is alike in the arms.
    EX06 dealt within the days agreed, EX07 agreed before the start, EX08 units that could not be moved any more.
    """
    protocol = seen.units.protocol
    counts = _arms(sums.counts(seen), protocol)
    dealt, known = counts["dealt"].tolist(), counts["known"].tolist()
    shares = list(protocol.shares.values())
    found = [
        _ratio("EX01", "Do the arms have the shares of the protocol?", against_protocol(dealt, shares), counts.index),
        _ratio("EX02", "Are all arms' units found again alike?", analysed_against_dealt(known, dealt), counts.index),
        _groups(seen, "EX03", "Are the shares alike in every segment and stratum?", _segments(seen), shares),
        _days(seen, shares),
        _balance(seen),
        *_dates(seen),
        *_already(seen),
    ]
    return tuple(found)


def blocked(checks: Sequence[Check]) -> str:
    """Return why there can be no verdict, empty where there can."""
    failed = [check for check in checks if check.error and check.outcome == "failed"]
    return "; ".join(f"{check.code}: {check.detail}" for check in failed)


def balance(seen: Observed) -> pd.DataFrame:
    """Return how alike the arms were before: a row a covariate and arm, with its standardised difference from control.

    Columns ``covariate``, ``arm``, ``control_mean``, ``mean``, ``standardised`` (difference over the pooled standard
    deviation), of all units that were dealt and found.
    """
    protocol = seen.units.protocol
    rows = []
    for name, by_arm in sums.before(seen, sums.covariates(seen)).items():
        control = by_arm.get(protocol.control)
        for arm in protocol.treatments:
            treated = by_arm.get(arm)
            if control is None or treated is None or min(control.n, treated.n) < 2:
                continue
            spread = ((control.variance(name) + treated.variance(name)) / 2) ** 0.5
            apart = treated.mean(name) - control.mean(name)
            rows.append(
                {
                    "covariate": seen.words[name],
                    "arm": arm,
                    "control_mean": control.mean(name),
                    "mean": treated.mean(name),
                    "standardised": apart / spread if spread > 0 else 0.0,
                }
            )
    return pd.DataFrame(rows, columns=["covariate", "arm", "control_mean", "mean", "standardised"])


def _arms(counts: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    return counts.set_index("arm").reindex(list(protocol.arms)).fillna(0).astype("int64")


def _ratio(code: str, question: str, found: SampleRatio, names: Sequence[str]) -> Check:
    if found.withheld:
        return Check(code=code, question=question, outcome="not applicable", detail=found.withheld)
    said = ", ".join(
        f"{name} {seen:,} (expected {expected:,.0f})"
        for name, seen, expected in zip(names, found.observed, found.expected, strict=True)
    )
    return Check(
        code=code,
        question=question,
        outcome="failed" if found.alert else "passed",
        detail=f"{said}; p = {found.p_value:.2g}",
        error=True,
        remedy="Find out which units are missing or were dealt twice, and why, before anything is read." if found.alert
        else "",
    )  # fmt: skip


def _segments(seen: Observed) -> list[str]:
    names = [name for name in seen.table.columns if name.startswith(SEGMENT)]
    return [*names, *([STRATUM] if int(seen.table[STRATUM].count().execute()) else [])]


def _groups(seen: Observed, code: str, question: str, columns: list[str], shares: list[float]) -> Check:
    if not columns:
        return Check(code=code, question=question, outcome="not applicable", detail="no segment or stratum is declared")
    # In one cell each unit counts once: over the groups of each column apart, one overall imbalance would count in all.
    return _joint(code, question, _by(seen, columns), shares, in_order=False)


def _days(seen: Observed, shares: list[float]) -> Check:
    question = "Are the shares alike on every day?"
    if not seen.units.dated:
        return Check(code="EX04", question=question, outcome="not applicable", detail="units have no day of assignment")
    return _joint("EX04", question, _by(seen, [AT], day=True), shares, in_order=True)


def _by(seen: Observed, columns: list[str], *, day: bool = False) -> list[list[int]]:
    """Return units dealt by the values of columns together and by arm, a list of arms' counts a combination."""
    table, protocol = seen.table, seen.units.protocol
    values = {name: table[name].truncate("D") if day else table[name] for name in columns}
    keys = {f"k{place}": value.cast("string").fill_null("") for place, value in enumerate(values.values())}
    frame = table.group_by(**keys, arm=table[ARM]).aggregate(n=lambda t: t.count()).to_pyarrow().to_pandas()
    wide = frame.pivot_table(index=list(keys), columns="arm", values="n", fill_value=0, aggfunc="sum").sort_index()
    return [[int(n) for n in row] for row in wide.reindex(columns=list(protocol.arms), fill_value=0).to_numpy()]


def _joint(code: str, question: str, rows: list[list[int]], shares: list[float], *, in_order: bool) -> Check:
    if not in_order and len(rows) > MOST_GROUPS:
        # The largest apart, the others together: chosen by all arms' units, which chance did not decide.
        rows = sorted(rows, key=sum, reverse=True)
        rest = [sum(column) for column in zip(*rows[MOST_GROUPS:], strict=True)]
        rows = [*rows[:MOST_GROUPS], rest]
    if len(rows) < 2:
        return Check(code=code, question=question, outcome="not applicable", detail="there is one group only")
    found = over_groups(rows, shares, in_order=in_order)
    if found.withheld:
        return Check(code=code, question=question, outcome="not applicable", detail=found.withheld)
    what = "days" if in_order else "groups"
    return Check(
        code=code,
        question=question,
        outcome="failed" if found.alert else "passed",
        detail=f"{found.groups} {what} together, p = {found.p_value:.2g}",
        error=True,
        remedy=f"Look at which {what} are off, and why, before anything is read." if found.alert else "",
    )


def _balance(seen: Observed) -> Check:
    question = "Was what is known from before alike in the arms?"
    found = balance(seen)
    if found.empty:
        return Check(code="EX05", question=question, outcome="not applicable", detail="no covariate is declared")
    worst = found.loc[found["standardised"].abs().idxmax()]
    far = abs(worst["standardised"]) > FAR_APART
    return Check(
        code="EX05",
        question=question,
        outcome="warning" if far else "passed",
        detail=f"the most unlike is {worst['covariate']} in {worst['arm']}: {worst['standardised']:+.3f} standard "
        "deviations",
        remedy="" if not far else "Ask how units were dealt." if seen.units.protocol.unit == "account"
        else "The adjusted effect takes it into account; ask how units were dealt.",
    )  # fmt: skip


def _dates(seen: Observed) -> list[Check]:
    protocol, table = seen.units.protocol, seen.table
    found = []
    question = "Were all units dealt on the days agreed?"
    if seen.units.dated and (protocol.starts_on or protocol.ends_on):
        ends = table.aggregate(first=table[AT].min(), last=table[AT].max()).to_pyarrow().to_pylist()[0]
        first, last = ends["first"].date(), ends["last"].date()
        early = protocol.starts_on is not None and first < protocol.starts_on
        late = protocol.ends_on is not None and last > protocol.ends_on
        found.append(
            Check(
                code="EX06",
                question=question,
                outcome="warning" if early or late else "passed",
                detail=f"dealt from {first} to {last}, agreed were {protocol.starts_on or 'any'} to "
                f"{protocol.ends_on or 'any'}",
                remedy="Say why in the protocol's next version." if early or late else "",
            )
        )
    if protocol.agreed_on is not None and protocol.starts_on is not None:
        late = protocol.agreed_on > protocol.starts_on
        found.append(
            Check(
                code="EX07",
                question="Was the protocol agreed before the start?",
                outcome="warning" if late else "passed",
                detail=f"agreed on {protocol.agreed_on}, started on {protocol.starts_on}",
                remedy="Read it as exploration: the rule may have been chosen for its result." if late else "",
            )
        )
    return found


def _already(seen: Observed) -> list[Check]:
    """Count units that are left out of a primary metric, because they had reached it before or it is not recorded."""
    protocol, table = seen.units.protocol, seen.table
    found = list[Check]()
    if protocol.unit != "lead":
        return found
    for name in protocol.primary:
        rows = table.filter(table[KNOWN] & table[OVER])
        counts = (
            rows.aggregate(n=rows.count(), out=rows[OUTCOME + name].isnull().ifelse(1, 0).sum())
            .to_pyarrow()
            .to_pylist()[0]
        )
        out = int(counts["out"] or 0)
        if out:
            found.append(
                Check(
                    code="EX08",
                    question=f"Can every unit have the outcome {protocol.metrics[name].label!r}?",
                    outcome="warning",
                    detail=f"{out:,} of {counts['n']:,} had reached it before they were dealt, or it is not recorded; "
                    "they are left out",
                    remedy="Deal to those who can still be moved.",
                )
            )
    return found
