"""Which names may appear: account and owner names only where the definitions allow it; a pseudonym otherwise.

A pseudonym is the same in every report, so two reports can be compared, and does not lead back to the name.
"""

from __future__ import annotations

import hashlib

from smarketing.company.definitions import Privacy
from smarketing.company.expressions import parse
from smarketing.measures.scope import BLANK

OWNERS = frozenset({"owner", "owner_id", "owners.name", "manager", "owners.manager", "actor_id"})
ACCOUNTS = frozenset({"account_id", "accounts.name", "accounts.domain", "domain", "parent_id", "accounts.parent_id"})
EITHER = "name"
"""A bare name is an account's where accounts are mapped, else an owner's: it needs both permissions."""


def shown(value: str, column: str, privacy: Privacy, *, redact: bool = False) -> str:
    """Return a value of a column as it may be printed; ``redact`` hides every account and owner."""
    hides_owners = redact or not privacy.show_owner_names
    hides_accounts = redact or not privacy.show_account_names
    if column == "segment":
        named = set(parse(value).names)
        hidden = (hides_owners and named & OWNERS) or (hides_accounts and named & ACCOUNTS)
        return "a rule that names accounts or owners" if hidden or (EITHER in named and hides_accounts) else value
    if value in (BLANK, "All others"):
        return value
    if column in OWNERS and hides_owners:
        return pseudonym(value, "Owner")
    if (column in ACCOUNTS and hides_accounts) or (column == EITHER and (hides_owners or hides_accounts)):
        return pseudonym(value, "Account")
    return value


def pseudonym(value: str, kind: str) -> str:
    """Return a stable stand-in for a name, such as ``Owner 3fa9c1d2``; even two of 5,000 names do not share one."""
    return f"{kind} {hashlib.blake2b(value.encode(), digest_size=4, person=kind.encode()).hexdigest()}"
