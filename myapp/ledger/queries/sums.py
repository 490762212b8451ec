"""Read what is known of a whole ledger at once: its references, and what its accounts gained."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, tables
from myapp.ledger.model import Ledger, Side
from myapp.ledger.queries.accounts import LAST

accounts, postings, transactions = tables.accounts, tables.postings, tables.transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What the postings of one effective time added to an account in one currency: debits less credits."""

    path: str
    currency: str
    effective_at: datetime
    net_minor: int


def list_references(session: Session, ledger: Ledger, *, prefix: str) -> Sequence[str]:
    """List the references that begin with a prefix, in their order; one statement."""
    reference = transactions.c.reference
    query = sa.select(reference).where(
        transactions.c.ledger_id == ledger.id, reference >= prefix, reference < prefix + LAST
    )
    return [found for found in session.scalars(query.order_by(reference)) if found is not None]


def sum_movements(session: Session, ledger: Ledger, paths: Collection[str]) -> Sequence[Movement]:
    """Sum the postings of these accounts and of all below them, by account, currency and effective time.

    Shape: in no order. Two statements, and one more for each further ten thousand accounts.
    """
    path_of = _read_paths(session, ledger, set(paths))
    signed = sa.case((postings.c.side == Side.DEBIT.value, postings.c.amount), else_=-postings.c.amount)
    group = (postings.c.account_id, postings.c.currency, postings.c.effective_at)
    query = sa.select(*group, sa.func.sum(signed).label("net")).where(postings.c.ledger_id == ledger.id)
    return [
        Movement(
            path=path_of[row.account_id],
            currency=row.currency,
            effective_at=row.effective_at,
            net_minor=int(row.net),
        )
        for ids in chunks.of(sorted(path_of))
        for row in session.execute(query.where(postings.c.account_id.in_(ids)).group_by(*group))
    ]


def _read_paths(session: Session, ledger: Ledger, wanted: set[str]) -> Mapping[UUID, str]:
    """Return the accounts at or below the paths, read apart. See Note [Plans for a new ledger] in queries/__init__.py.

    Chosen here: as conditions of a statement, a thousand paths are more than SQLite takes.
    """
    rows = session.execute(sa.select(accounts.c.id, accounts.c.path).where(accounts.c.ledger_id == ledger.id))
    return {row.id: row.path for row in rows if not wanted.isdisjoint(_self_and_above(row.path))}


def _self_and_above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(":")[0]
