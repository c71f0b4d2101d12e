"""A first definitions file, drafted from a company's data, so that nobody has to agree on everything before page one.

Every entry is *assumed*, with a comment about what it was taken from. The draft is a place to begin a talk, not advice:
stages are those on record in the order of their usual times, what ends a journey is guessed by its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir

from smarketing.company.input_columns import snake
from smarketing.company.tables import Company, CompanyError

WINS = re.compile(r"(^|_)(won|win|customer|signed|contract|subscribed|purchased)($|_)")
EXITS = re.compile(
    r"(^|_)(lost|rejected|reject|disqualified|unqualified|recycled|recycle|nurture|dead|junk|spam|churned|abandoned"
    r"|cancelled|canceled|expired|closed_lost|not_interested|no_fit)($|_)"
)
ENTRIES = re.compile(r"^(lead|new|new_lead|raw|raw_lead|inquiry|enquiry|created|subscriber)$")
OPENS = re.compile(r"^(opportunity|deal|opened|open|created|new)$")
SHORTEST, LONGEST, USUAL = 30, 365, 180
"""Bounds of the days that the funnel follows a journey, and what is taken where nothing was won yet."""


@dataclass(frozen=True)
class _Logged:
    """A stage of the event log: who enters it, how many did, and the median of their days since creation."""

    stage: str
    subject: str
    n: int
    days: float


def draft_definitions(company: Company, *, changed: date) -> str:
    """Return a definitions file in YAML for a company, everything in it assumed.

    Parameters
    ----------
    changed
        The day the file is said to be of.

    Raises
    ------
    CompanyError
        No stages are on record: neither stage events nor deals are mapped.
    """
    logged = _logged(company)
    deals = company.has("opportunities")
    if not logged and not deals:
        raise CompanyError(
            "Nothing can be drafted: neither a `stage_events` nor an `opportunities` table is mapped. Map one of them."
        )
    stages, exits = _funnel(company, logged), _exits(logged, deals=deals)
    to_win, source = _days_to_win(company, logged, stages)
    of_leads = [name for name, subject, _ in stages if subject == "lead"]
    of_deals = [name for name, subject, _ in stages if subject == "opportunity"]
    lines = [
        f"# Drafted from the data of {company.name}. Nobody has agreed on any of it: every entry is assumed.",
        "# Go through it with sales and marketing; raise an entry to `proposed`, then to `agreed` with its owners and",
        "# its date (sales_owner, marketing_owner, agreed_on). Reports print what is not agreed.",
        'version: "1"',
        f"company: {_quoted(company.name)}",
        f"changed: {changed.isoformat()}",
        "",
        "stages:",
        "  state: assumed",
        *_recycled(company),
        "  # In the order of the median days from creation. `team` is a guess; say when each is really entered.",
        *_renamed(logged),
        "  funnel:",
        *(_stage(name, subject, why) for name, subject, why in stages),
        *(["  # Taken for ways to end without a win by their names.", "  exits:"] if exits else []),
        *(_exit(name, why) for name, why in exits),
        "",
        "kpis:",
        "  state: assumed",
        "  figures:",
        *_figures(company, of_leads, of_deals, to_win),
        "",
        f"# funnel_days: {source}.",
        f"windows: {{state: assumed, funnel_days: {to_win}, cohort_days: {_cohort(company)}, recent_weeks: 6, "
        "trend_months: 12}",
        "# Not from the data: below this a share is withheld.",
        "evidence: {state: assumed, minimum_denominator: 30, minimum_effective_accounts: 30}",
        "# Not from the data: the smallest group shown; no name of an account or owner is printed.",
        "privacy: {state: assumed, smallest_group: 5, show_account_names: false, show_owner_names: false}",
        "# Not from the data.",
        "calendar: {state: assumed, week_starts: monday}",
        *_money(company),
    ]
    return "\n".join(lines) + "\n"


def _logged(company: Company) -> list[_Logged]:
    """Return the stages on record, earliest first."""
    if not company.has("stage_events"):
        return []
    events, found = company.table("stage_events"), []
    for subject, table, key in (("lead", "leads", "lead_id"), ("opportunity", "opportunities", "opportunity_id")):
        mine = events.filter(events.subject_kind == subject)
        first = mine.group_by("subject_id", "stage").aggregate(at=mine["at"].min())
        if company.has(table):
            created = company.table(table).select(created=key, created_at="created_at")
            first = first.left_join(created, first.subject_id == created.created)
            days = first["at"].date().delta(first.created_at.date(), unit="day").cast("float64")
        else:
            days = ibis.null("float64")
        first = first.mutate(days=days)
        counted = first.group_by("stage").aggregate(n=first.count(), days=first.days.median())
        for row in counted.order_by("stage").to_pyarrow().to_pylist():
            after = 0.0 if row["days"] is None else float(row["days"])
            found.append(_Logged(str(row["stage"]), subject, int(row["n"]), after))
    return sorted(found, key=lambda one: (one.subject, one.days, -one.n, one.stage))


def _funnel(company: Company, logged: Sequence[_Logged]) -> list[tuple[str, str, str]]:
    """Return stage, subject and reason of the funnel in order."""
    deals = company.has("opportunities")
    path = [one for one in logged if not EXITS.search(snake(one.stage))]
    of_leads = [one for one in path if one.subject == "lead" and not (deals and WINS.search(snake(one.stage)))]
    of_deals = [one for one in path if one.subject == "opportunity" and not WINS.search(snake(one.stage))]
    stages = [(one.stage, "lead", _said(one)) for one in of_leads if one.stage not in {d.stage for d in of_deals}]
    # The first stage begins with the lead, whatever the log says of it.
    first = [stage for stage in stages if ENTRIES.match(snake(stage[0]))][:1]
    if company.has("leads"):
        first = first or [("lead", "lead", "every lead, from its creation; not logged")]
        stages = first + [stage for stage in stages if stage not in first]
    if not deals:
        wins = [stage for stage in stages if WINS.search(snake(stage[0]))] or stages[-1:]
        ordered = [stage for stage in stages if stage not in wins] + wins
        return [(snake(name), subject, why) for name, subject, why in ordered]
    opening = next((one.stage for one in of_deals if OPENS.match(snake(one.stage))), "opportunity")
    stages = [stage for stage in stages if stage[0] != opening]
    stages.append((opening, "opportunity", "every deal, from its creation"))
    stages += [(one.stage, "opportunity", _said(one)) for one in of_deals if one.stage != opening]
    won = next((one.stage for one in path if one.subject == "opportunity" and WINS.search(snake(one.stage))), "won")
    stages.append((won, "opportunity", "deals whose outcome is won"))
    return [(snake(name), subject, why) for name, subject, why in stages]


def _exits(logged: Sequence[_Logged], *, deals: bool) -> list[tuple[str, str]]:
    found = {snake(one.stage): _said(one) for one in logged if EXITS.search(snake(one.stage))}
    if deals:
        found = {"lost": "deals whose outcome is lost"} | {name: why for name, why in found.items() if name != "lost"}
    return list(found.items())


def _renamed(logged: Sequence[_Logged]) -> Iterable[str]:
    """Yield how names on record that cannot be names here are mapped in the input file."""
    strange = sorted({one.stage for one in logged if snake(one.stage) != one.stage})
    if strange:
        values = ", ".join(f"{_quoted(name)}: {snake(name)}" for name in strange)
        yield f"  # On record under other names: in the input file, `stage: {{column: ..., values: {{{values}}}}}`."


def _said(one: _Logged) -> str:
    return f"{one.n:,} {'leads' if one.subject == 'lead' else 'deals'}, half of them by day {one.days:.0f}"


def _stage(name: str, subject: str, why: str) -> str:
    team = "sales" if subject == "opportunity" or WINS.search(name) else "marketing"
    deal = ", subject: opportunity" if subject == "opportunity" else ""
    label, plural = _label(name)
    when = f"{_quoted(f'assumed: {why}')}"
    return f"    - {{stage: {name}, label: {label}, plural: {plural}, team: {team}{deal}, enters_when: {when}}}"


def _exit(name: str, why: str) -> str:
    return f"    - {{stage: {name}, label: {_label(name)[0]}, means: {_quoted(f'assumed: {why}')}}}"


def _label(name: str) -> tuple[str, str]:
    """Return a stage's label and its plural."""
    words = name.replace("_", " ")
    label = words.upper() if len(name) <= 3 and name not in ("won", "new") else words[:1].upper() + words[1:]
    if WINS.search(snake(name)):
        return _quoted(label), _quoted(label)
    plural = label[:-1] + "ies" if re.search(r"[^aeiou]y$", label) else label + "s"
    return _quoted(label), _quoted(plural)


def _recycled(company: Company) -> list[str]:
    highest = company.table("stage_events").spell.max().to_pyarrow().as_py() if company.has("stage_events") else None
    again = "Leads pass more than once on record" if highest and highest > 1 else "No lead passes twice on record"
    return [f"  # {again}; each_spell would count every pass as a journey of its own.", "  recycled_leads: first_exit"]


def _figures(company: Company, of_leads: Sequence[str], of_deals: Sequence[str], days: int) -> Iterable[str]:
    """Yield the headline figures that the tables allow."""
    first = (*of_leads, *of_deals)[0]
    name, plural = ("lead_flow", "leads") if of_leads else ("deal_flow", "deals")
    panel = ", panel: lead flow" if of_leads else ""
    yield f"    - {{name: {name}, label: New {plural}, kind: entries, stage: {first}{panel}}}"
    ahead = of_leads[:-1] if not of_deals else of_leads
    if len(ahead) > 1:
        yield _rate("lead_quality", f"Leads that become {_label(ahead[-1])[0].strip(chr(34))}", first, ahead[-1], 60)
    start, win = (of_deals[0], of_deals[-1]) if of_deals else (first, of_leads[-1])
    yield _rate("close_rate", "Deals won" if of_deals else "Leads won", start, win, days)
    if company.records("opportunities", "amount"):
        yield "    - {name: pipeline_created, label: Pipeline created, kind: created}"
        yield "    - {name: bookings, label: Bookings (won amounts), kind: won}"


def _rate(name: str, label: str, stage: str, to_stage: str, days: int) -> str:
    said = _quoted(f"{label} within {days} days")
    return (
        f"    - {{name: {name}, label: {said}, kind: reached, stage: {stage}, to_stage: {to_stage}, "
        f"within_days: {days}, panel: {name.replace('_', ' ')}}}"
    )


def _days_to_win(
    company: Company, logged: Sequence[_Logged], stages: Sequence[tuple[str, str, str]]
) -> tuple[int, str]:
    """Return the days within which nine of ten wins on record came, to the next 30, and where they are from."""
    if company.has("opportunities"):
        deals = company.table("opportunities")
        won = deals.filter((deals.outcome == "won") & deals.closed_at.notnull())
        taken, what = _age(won.closed_at, won.created_at), "won deals were won within so many days of opening"
        if company.has("leads"):
            leads = company.table("leads").select(of="lead_id", entered="created_at")
            joined = won.inner_join(leads, won.lead_id == leads.of)
            if joined.count().execute():
                won, taken = joined, _age(joined.closed_at, joined.entered)
                what = "won leads were won within so many days of entering"
    else:
        leads = company.table("leads").select(of="lead_id", entered="created_at")
        won = company.table("stage_events")
        won = won.filter(won.stage.isin([one.stage for one in logged if snake(one.stage) == stages[-1][0]]))
        won = won.inner_join(leads, won.subject_id == leads.of)
        taken, what = _age(won["at"], won.entered), "wins came within so many days of entering"
    most = won.select(days=taken).days.cast("float64").quantile(0.9).to_pyarrow().as_py()
    if most is None or math.isnan(most):
        return USUAL, "nothing was won on record, so this is a guess"
    days = min(max(math.ceil(most / 30) * 30, SHORTEST), LONGEST)
    return days, f"nine of ten {what}, to the next 30 and at most {LONGEST}"


def _age(end: ir.TimestampValue, start: ir.TimestampValue) -> ir.IntegerValue:
    return end.date().delta(start.date(), unit="day")


def _cohort(company: Company) -> int:
    """Return a year, or as many days as there are entries on record."""
    table = company.table("leads" if company.has("leads") else "opportunities")
    span = table.aggregate(first=table.created_at.min(), last=table.created_at.max()).to_pyarrow().to_pylist()[0]
    days = (span["last"] - span["first"]).days if span["first"] else 0
    return min(max(days, 28), 365)


def _money(company: Company) -> Iterable[str]:
    """Yield the money entry; other currencies on record want a rate, which no data hold."""
    yield "# reporting_currency: the currency of the input file."
    others: list[str] = []
    if company.has("opportunities"):
        used = company.table("opportunities").currency
        others = sorted(set(used.name("used").as_table().distinct().used.execute().dropna()) - {company.currency})
    if others:
        yield f"# Deals are also in {', '.join(others)}: give a constant rate into {company.currency}, as in"
        yield f"#   rates: {{{others[0]}: 1.08}}"
        yield "# Until then reports that need amounts are refused."
    yield f"money: {{state: assumed, reporting_currency: {company.currency}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
