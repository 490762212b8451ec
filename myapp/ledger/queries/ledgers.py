"""Read ledgers and their currencies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, currencies, errors, tables
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Currency, Ledger, LedgerDetails


def get_ledger(session: Session, name: str) -> LedgerDetails:
    """Raises: NotFound."""
    row = session.execute(sa.select(tables.ledgers).where(tables.ledgers.c.name == name)).one_or_none()
    if row is None:
        raise errors.NotFound(f"There is no ledger {name!r}.")
    return as_ledger(row)


def list_ledgers(
    session: Session, *, after: str | None, limit: int, only: UUID | None = None
) -> Sequence[LedgerDetails]:
    """List ledgers by name, from the one after `after`; `only` that one, if it is given."""
    query = sa.select(tables.ledgers).order_by(tables.ledgers.c.name).limit(limit)
    if after is not None:
        query = query.where(tables.ledgers.c.name > after)
    if only is not None:
        query = query.where(tables.ledgers.c.id == only)
    return [as_ledger(row) for row in session.execute(query)]


def find_names(session: Session, ledger_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """Return the names of these ledgers; one statement for each ten thousand."""
    query = sa.select(tables.ledgers.c.id, tables.ledgers.c.name)
    return {
        row.id: row.name
        for ids in chunks.of(sorted(ledger_ids))
        for row in session.execute(query.where(tables.ledgers.c.id.in_(ids)))
    }


def list_currencies(session: Session, ledger: Ledger, *, after: str | None, limit: int) -> Sequence[Currency]:
    """List the currencies that the ledger has declared or used, by code."""
    table = tables.currencies
    query = sa.select(table.c.code, table.c.exponent).where(table.c.ledger_id == ledger.id)
    if after is not None:
        query = query.where(table.c.code > after)
    rows = session.execute(query.order_by(table.c.code).limit(limit))
    return [Currency(code=row.code, exponent=row.exponent) for row in rows]


def exponents(session: Session, ledger: Ledger, codes: Collection[str]) -> Mapping[str, int]:
    """Return the exponents of the codes that the ledger or ISO 4217 knows; the others are absent."""
    return currencies.read(session, ledger.id, codes).of


def as_ledger(row: AnyRow) -> LedgerDetails:
    return LedgerDetails(
        id=row.id,
        name=row.name,
        metadata=row.metadata,
        locked_before=row.locked_before,
        version=row.version,
        created_at=row.created_at,
    )
