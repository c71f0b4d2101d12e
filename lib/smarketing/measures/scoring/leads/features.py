"""What is known of leads at their scoring moment: a modelling sample in Python, or a table in the engine.

Fit (columns of leads and accounts) and engagement (contacts before the moment) are candidate features. Ids, names, the
sales side, free text and constants are left out, each with the reason, and so is what the definitions exclude. What is
declared as filled in `after` first contact with sales stays in a sample, for the leakage audit only: `usable` leaves
it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from smarketing.company.scoring import Scoring
from smarketing.company.tables import SCHEMAS, CompanyError
from smarketing.company.wrong_keys import nearest
from smarketing.measures.scope import columns as named_columns
from smarketing.measures.scoring.leads.engagement import STREAMS, VALUED, engagement_features, names, with_engagement
from smarketing.measures.scoring.leads.fit import CREATED, DAYS_KNOWN, Skipped, fit_features, fit_value
from smarketing.measures.scoring.leads.moments import AGE, AT, CLUSTER, LATEST, OPEN, STATUS, Moments, moments
from smarketing.measures.scoring.leads.present import PRESENT, WORKED, with_present, with_worked
from smarketing.measures.scoring.leads.sample import Feature, Sample
from smarketing.measures.view import View

MOST_ROWS = 300_000
NEW_DAYS = 7
"""Leads are given out on so many days, that of their moment included: a weekly schedule gives out each once."""

MOST_LEVELS, FEW_LEVELS, LEVEL_SHARE = 200, 10, 0.2
"""Text is free with more levels than the first, or with more than the second and than this share of the rows."""

REGION, SOURCE = "__region", "__source"
RESERVED = ("subject_id", "account_id", "at")


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """A modelling sample, and the candidate features that it lacks."""

    sample: Sample
    skipped: tuple[Skipped, ...]


def usable(roles: Iterable[Feature]) -> tuple[Feature, ...]:
    """Return the features that a score may use: all but those declared as filled in after first contact with sales."""
    return tuple(role for role in roles if role.known != "after")


def sample(view: View, scoring: Scoring, *, most: int = MOST_ROWS) -> Sample:
    """Return the modelling sample of `draw`."""
    return draw(view, scoring, most=most).sample


def draw(view: View, scoring: Scoring, *, most: int = MOST_ROWS) -> Drawn:
    """Bring leads at their scoring moment to Python, with every candidate feature.

    Where there are more than ``most``, whole accounts are drawn: those whose key, digested by MD5, comes first, as many
    as fit. The same company gives the same sample on every engine.

    Raises
    ------
    MissingTable
        No leads are mapped.
    CompanyError
        The definitions' scoring entry does not fit the company's data.
    ValueError
        A feature holds something dated at or after its lead's moment; this is asserted, and never so.
    """
    found = moments(view, scoring)
    population = int(found.table.count().execute())
    rows = _whole_accounts(found.table, most) if population > most else found.table
    roles, skipped = _candidates(view, rows, scoring)
    rows = with_worked(view.company, with_present(view, rows, scoring))
    wide = _wide(view, rows, roles, _ours(rows)).cache()
    check_moments(wide)
    poor = _poor(wide, roles, view)
    roles = tuple(role for role in roles if role.name not in poor)
    skipped += [Skipped(name=name, reason=reason) for name, reason in poor.items()]
    return Drawn(sample=_to_sample(wide, roles, view, found, population), skipped=tuple(skipped))


def read(
    view: View, scoring: Scoring, roles: Sequence[Feature], *, new_only: bool = False, most: int = MOST_ROWS
) -> Sample:
    """Bring leads at their scoring moment to Python with the features of a model.

    With ``new_only`` just those of the last `NEW_DAYS` days, the as-of day included, open or not (of a flat export,
    those without an outcome). A probability is that of a lead at its moment; one that has been open for long has a
    lower one. These are all brought, of others at most ``most`` as `draw` does. The present system's score is not among
    it.

    Raises
    ------
    CompanyError
        A feature's column is gone, or of another type than the model knew.
    """
    found = moments(view, scoring)
    rows, population = found.table, None
    if new_only:
        new = rows[STATUS] == OPEN
        if found.dated:
            since = view.as_of - timedelta(days=min(NEW_DAYS - 1, int(scoring.within_days or 0)))
            new = rows[AT] >= ibis.literal(datetime.combine(since, time.min))
        rows = rows.filter(new)
    else:
        population = int(rows.count().execute())
        rows = _whole_accounts(rows, most) if population > most else rows
    wide = _wide(view, rows, roles, _ours(rows)).cache()
    check_moments(wide)
    return _to_sample(wide, tuple(roles), view, found, population)


def feature_table(view: View, scoring: Scoring, roles: Sequence[Feature] | None = None) -> ir.Table:
    """Return all leads of the view at their moment: ``subject_id``, ``account_id``, ``at``, and a column a feature.

    Numbers are float64, categories text; the table is lazy and stays in the engine. ``roles`` are the features of a
    model; without them, all `usable` candidates. A flat export may lack the outcome here, since leads that are to be
    scored have none yet.

    Raises
    ------
    CompanyError
        A feature's column is gone, or of another type than the model knew.
    """
    if roles is None:
        roles = usable(draw(view, scoring).sample.roles)
    found = moments(view, scoring, labelled=False)
    wide = _wide(view, found.table, roles, [])
    return wide.select("subject_id", "account_id", *(role.name for role in roles), at=wide[AT]).relocate(
        "at", after="account_id"
    )


def check_moments(rows: ir.Table) -> None:
    """Raise `ValueError` where the latest time that entered a lead's features is not before its moment.

    What has a time carries the latest that entered in a column of its own (``LATEST + stream``), taken from the joined
    contacts and not from the rule that joined them.
    """
    for column in (name for name in rows.columns if name.startswith(LATEST)):
        late = rows.filter(rows[column] >= rows[AT]).order_by("subject_id").limit(1)
        first = late.select("subject_id", moment=late[AT], latest=late[column]).to_pyarrow().to_pylist()
        if first:
            raise ValueError(
                f"{column.removeprefix(LATEST)} of lead {first[0]['subject_id']!r} hold something of "
                f"{first[0]['latest']}, and its scoring moment is {first[0]['moment']}: only what is dated before it "
                "may enter"
            )


def _candidates(view: View, rows: ir.Table, scoring: Scoring) -> tuple[tuple[Feature, ...], list[Skipped]]:
    """Return the candidate features in the definitions' words, and those that were passed over."""
    fit, skipped = fit_features(view.company, scoring.outcome)
    found = [*fit, *engagement_features(view.company, rows)]
    seen = {*(feature.name for feature in found), *(one.name for one in skipped)}
    for entry, named in (("words", scoring.words), ("without", scoring.without)):
        for name in named:
            if name not in seen and not _possible(name):
                raise CompanyError(
                    f"scoring.{entry} names {name!r}, and there is no such feature. {nearest(name, sorted(seen))}"
                )
    taken = [feature.name for feature in found if feature.name in RESERVED]
    skipped += [Skipped(name=name, reason="has a name that the table of features needs itself") for name in taken]
    skipped += [Skipped(name=name, reason="is left out by the definitions") for name in scoring.without if name in seen]
    kept = [feature for feature in found if feature.name not in {*taken, *scoring.without}]
    return tuple(replace(feature, label=scoring.words.get(feature.name, feature.label)) for feature in kept), skipped


def _possible(name: str) -> bool:
    """Whether a feature of this name could be there in other data of the same kind."""
    static = {*CREATED, *(name for stream in STREAMS for name in names(stream))}
    static |= {f"accounts.{column}" for column in SCHEMAS["accounts"].columns} | set(SCHEMAS["leads"].columns)
    return name in static or name.startswith(tuple(f"touches.{word}." for word in VALUED.values()))


def _whole_accounts(rows: ir.Table, most: int) -> ir.Table:
    """Keep whole accounts, by the order of their digested keys, as long as at most ``most`` rows are kept."""
    key = _md5(rows[CLUSTER])
    sizes = rows.group_by(key=key).aggregate(n=rows.count())
    upto = sizes.mutate(upto=sizes.n.sum().over(order_by=sizes.key, rows=(None, 0)))
    ends = upto.aggregate(last=upto.key.max(where=upto.upto <= most), first=upto.key.min()).to_pyarrow().to_pylist()[0]
    return rows.filter(key <= (ends["last"] or ends["first"]))


@ibis.udf.scalar.builtin(name="md5")
def _md5(text: str) -> str:  # type: ignore[empty-body]
    """Digest a text as 32 hexadecimal letters, which engines order alike."""


def _ours(rows: ir.Table) -> list[str]:
    """The columns of ours that a sample needs, where the rows have them."""
    return [name for name in (STATUS, AGE, CLUSTER, PRESENT, WORKED) if name in rows.columns]


def _wide(view: View, rows: ir.Table, roles: Sequence[Feature], kept: Sequence[str]) -> ir.Table:
    """Return leads with one column a feature, the columns of ours that are asked for, and what segments need."""
    fit = {role.name: fit_value(role, rows, view.company) for role in roles if role.side == "fit"}
    known = named_columns(rows)
    region = known["region"] if "region" in known else ibis.null("string")
    ours = {name: rows[name] for name in ("subject_id", "account_id", AT, *kept)}
    if DAYS_KNOWN in fit:
        used = fit[DAYS_KNOWN].notnull()
        ours[LATEST + "accounts"] = used.ifelse(rows["accounts.created_at"], ibis.null("timestamp"))
    base = rows.select(**ours, **fit, **{REGION: region.cast("string"), SOURCE: rows.source.cast("string")})
    return with_engagement(view.company, base, [role for role in roles if role.side == "engagement"])


def _poor(wide: ir.Table, roles: Sequence[Feature], view: View) -> dict[str, str]:
    """Return the features that say nothing or too much of single leads, each with the reason, in one query."""
    whole = {role.name for role in roles if role.side == "fit" and role.name != DAYS_KNOWN and _is_whole(role, view)}
    asked: dict[str, ir.Value] = {"n": wide.count()}
    for place, role in enumerate(roles):
        column = wide[role.name]
        asked[f"filled{place}"] = column.count()
        if role.kind == "category" or role.name in whole:
            asked[f"levels{place}"] = column.nunique()
        else:
            asked[f"levels{place}"] = (column.max() > column.min()).ifelse(2, 1).fill_null(0)
    found = {name: int(value or 0) for name, value in wide.aggregate(**asked).to_pyarrow().to_pylist()[0].items()}
    poor = dict[str, str]()
    for place, role in enumerate(roles):
        filled, levels = found[f"filled{place}"], found[f"levels{place}"]
        if not filled:
            poor[role.name] = "is empty"
        elif levels == 1 and filled == found["n"]:
            poor[role.name] = "has one value only"
        elif role.kind == "category" and (
            levels > MOST_LEVELS or (levels > FEW_LEVELS and levels > LEVEL_SHARE * found["n"])
        ):
            poor[role.name] = f"has {levels:,} different values, as free text has"
        elif role.name in whole and levels == filled and levels > MOST_LEVELS:
            poor[role.name] = "has another value in every row, as a running number has"
    return poor


def _is_whole(role: Feature, view: View) -> bool:
    table, _, column = role.origin.partition(".")
    return view.company.table(table)[column].type().is_integer()


def _to_sample(
    wide: ir.Table, roles: tuple[Feature, ...], view: View, found: Moments, population: int | None
) -> Sample:
    """Fetch the rows and put them in order, in Python because engines order texts differently."""
    ours = [name for name in wide.columns if name.startswith("__") and not name.startswith(LATEST)]
    table = wide.select("subject_id", *ours, *(role.name for role in roles)).to_pyarrow()
    subject = _texts(table["subject_id"])
    seconds = table[AT].cast(pa.timestamp("us")).to_numpy().astype("datetime64[s]") if found.dated else None
    order = np.argsort(subject.astype(str), kind="stable")
    if seconds is not None:
        order = order[np.argsort(seconds[order], kind="stable")]
    table = table.take(pa.array(order))
    _, cluster = np.unique(_texts(table[CLUSTER]).astype(str), return_inverse=True)
    columns = {
        role.name: pd.Series(_texts(table[role.name]), dtype=object)
        if role.kind == "category"
        else pd.Series(_numbers(table[role.name]))
        for role in roles
    }
    segments = {
        name: pd.Series(_texts(table[column]), dtype=object)
        for name, column in (("region", REGION), ("source", SOURCE))
    }
    return Sample(
        subject_id=subject[order],
        cluster=cluster.astype(np.int64),
        at=None if seconds is None else seconds[order],
        features=pd.DataFrame(columns, index=pd.RangeIndex(len(order))),
        roles=roles,
        status=_numbers(table[STATUS]).astype(np.int8),
        age=_numbers(table[AGE]).astype(np.int64),
        as_of=view.as_of if found.dated else None,
        present=_numbers(table[PRESENT]) if PRESENT in table.column_names else None,
        worked=_numbers(table[WORKED].cast(pa.int8())).astype(bool) if WORKED in table.column_names else None,
        segments=pd.DataFrame(segments, index=pd.RangeIndex(len(order))),
        fraction=len(order) / population if population else 1.0,
    )


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.array(column.cast(pa.string()).to_numpy(zero_copy_only=False), dtype=object)


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
