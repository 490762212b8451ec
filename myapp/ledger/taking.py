"""Take what a replay needs before it records the first of it, in the order of Note [Lock order] in recording/steps.py.

Each run of a replay takes its locks in that order, but one run after another does not. So all that is there already,
and every balance and reference that will be, is taken before the first run. What the replay makes itself nobody else
can see, let alone lock.
"""

# Note [Taking a reference]
# A reference is taken by the row that has it, and the row of a transaction cannot be written before its turn. So one
# that says nothing but the reference is written and removed again. Nobody ever sees it; but whoever wants the same
# reference finds it in the index, written by a unit of work that is still open, and waits for that to end.

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, currencies, ids, reversing, upsert
from myapp.ledger.holding import locking
from myapp.ledger.model import Ledger
from myapp.ledger.queries import by_key
from myapp.ledger.recording import moving, parties
from myapp.ledger.recording.request import Key
from myapp.ledger.tables import balances, postings

# At once, for a row that is written one by one costs as much as the transaction it is for.
TAKE_REFERENCES = (
    "INSERT INTO transactions (ledger_id, id, reference, status, effective_at, recorded_at, metadata) "
    "SELECT %(ledger_id)s::uuid, id, reference, 'posted', %(now)s::timestamptz, %(now)s, '{}' "
    "FROM unnest(%(ids)s::uuid[], %(references)s::text[]) AS t (id, reference) "
    'ORDER BY reference COLLATE "C" ON CONFLICT DO NOTHING'
)
REMOVE_THEM = "DELETE FROM transactions WHERE ledger_id = %(ledger_id)s::uuid AND id = ANY(%(ids)s::uuid[])"


@dataclass(slots=True, kw_only=True)
class Needs:
    """What a replay refers to in the ledger; `named` are account paths and currencies of what it records anew."""

    holds: set[UUID] = field(default_factory=set)
    originals: set[UUID] = field(default_factory=set)
    named: set[tuple[str, str]] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    is_late: bool = False


def take(session: Session, ledger: Ledger, needs: Needs, *, now: datetime) -> None:
    """Lock all of it, create what balances are missing, and wait for whoever has some of it locked.

    What is not there is left to be refused in its turn. SQLite has one writer at a time, and nothing to take.
    """
    if upsert.dialect_of(session) == "sqlite":
        return
    originals = reversing.lock(session, ledger, sorted(needs.originals)) if needs.originals else []
    held = needs.holds | needs.originals | {row.pending_of for row in originals if row.pending_of is not None}
    if held:
        locking.lock_rows(session, ledger, sorted(held))
    codes = {code for _, code in needs.named}
    currencies.use(session, ledger.id, currencies.read(session, ledger.id, codes).first_used)
    if needs.is_late:
        session.execute(parties.LATE, {"of_ledger": ledger.id}).all()
    if needs.references:
        _take_references(session, ledger, sorted(needs.references), now=now)
    keys = _named(session, ledger, needs.named) | _moved_by(session, ledger, held)
    moving.lock(session, ledger, keys | _beside(session, ledger, {key.account_id for key in keys}))


def _take_references(session: Session, ledger: Ledger, references: Sequence[str], *, now: datetime) -> None:
    """See Note [Taking a reference]."""
    of = {"ledger_id": ledger.id, "ids": list(ids.new_ids(now, len(references)))}
    connection = session.connection()
    connection.exec_driver_sql(TAKE_REFERENCES, {**of, "references": list(references), "now": now})
    connection.exec_driver_sql(REMOVE_THEM, of)


def _named(session: Session, ledger: Ledger, named: Set[tuple[str, str]]) -> Set[Key]:
    """Return the keys of what is named, where there is such an account."""
    found: dict[str, UUID] = {}
    for some in chunks.of(sorted({path for path, _ in named})):
        rows = session.execute(parties.NAMED, {"of_ledger": ledger.id, "paths": some})
        found |= {row.path: row.id for row in rows if row.path is not None}
    return {Key(found[path], code) for path, code in named if path in found}


def _moved_by(session: Session, ledger: Ledger, transaction_ids: Collection[UUID]) -> Set[Key]:
    """Return the keys of what these transactions have moved: who posts, gives back or reverses them moves the same."""
    query = sa.select(postings.c.account_id, postings.c.currency).where(postings.c.ledger_id == ledger.id)
    rows = by_key.read(session, query, postings.c.transaction_id, sorted(transaction_ids))
    return {Key(row.account_id, row.currency) for row in rows}


def _beside(session: Session, ledger: Ledger, account_ids: Collection[UUID]) -> Set[Key]:
    """Return the keys of all balances of the accounts, for `moving.shift` locks them all."""
    query = sa.select(balances.c.account_id, balances.c.currency).where(balances.c.ledger_id == ledger.id)
    rows = by_key.read(session, query, balances.c.account_id, sorted(account_ids))
    return {Key(row.account_id, row.currency) for row in rows}
