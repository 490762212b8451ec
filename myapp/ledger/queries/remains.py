"""Read what was left of holds when only some of what has followed them was known.

See Note [What was known of a hold] in outcomes.py. What is left by now is in `hold_lines`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import tables
from myapp.ledger.model import Ledger, Side, Transaction
from myapp.ledger.queries import by_key

accounts, postings = tables.accounts, tables.postings

# Lines of one hold, account, currency and side.
_Alike = tuple[UUID, str, str, Side]


def after(
    session: Session, ledger: Ledger, held: Sequence[Transaction], hold_of: Mapping[UUID, UUID]
) -> Mapping[tuple[UUID, int], int]:
    """Return what is left of each line of these holds, by hold and line, once these transactions have followed them.

    Shape: `hold_of` has the hold of each of these transactions. Two statements; none where there is no transaction.
    """
    taken = _read_taken(session, ledger, hold_of)
    return {key: left for hold in held for key, left in _left(hold, taken)}


def _read_taken(session: Session, ledger: Ledger, hold_of: Mapping[UUID, UUID]) -> Counter[_Alike]:
    """Sum what the transactions have taken of their holds, to post it or to give it back."""
    of_ledger = sa.select(postings).where(postings.c.ledger_id == ledger.id)
    lines = by_key.read(session, of_ledger, postings.c.transaction_id, sorted(hold_of))
    named = sa.select(accounts.c.id, accounts.c.path).where(accounts.c.ledger_id == ledger.id)
    paths = by_key.read(session, named, accounts.c.id, sorted({line.account_id for line in lines}))
    path_of = {row.id: row.path for row in paths}
    taken = Counter[_Alike]()
    for line in lines:
        taken[hold_of[line.transaction_id], path_of[line.account_id], line.currency, Side(line.side)] += line.amount
    return taken


def _left(hold: Transaction, taken: Counter[_Alike]) -> Iterator[tuple[tuple[UUID, int], int]]:
    """Take it from the first of the lines that are alike, as posting a hold does, and yield what is left of each."""
    for posting in hold.postings:
        alike = (hold.id, posting.account, posting.currency, posting.side)
        part = min(taken[alike], posting.amount_minor)
        taken[alike] -= part
        yield (hold.id, posting.line), posting.amount_minor - part
