"""The accounts that bank lines are about, read by path or by id."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, errors
from myapp.ledger.model import Ledger
from myapp.ledger.tables import accounts


def ids_of(session: Session, ledger: Ledger, paths: Collection[str]) -> Mapping[str, UUID]:
    """Return the ids of the accounts with these paths.

    Raises:
        UnknownAccount: one of them is not there.
    """
    query = sa.select(accounts.c.path, accounts.c.id)
    query = query.where(accounts.c.ledger_id == ledger.id, accounts.c.path.in_(sorted(paths)))
    found = {row.path: row.id for row in session.execute(query)}
    for path in paths:
        if path not in found:
            raise errors.UnknownAccount(f"There is no account {path}.")
    return found


def id_of(session: Session, ledger: Ledger, path: str) -> UUID:
    """Return the id of the account with this path.

    Raises:
        NotFound: there is none.
    """
    query = sa.select(accounts.c.id).where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    found: UUID | None = session.scalar(query)
    if found is None:
        raise errors.NotFound(f"There is no account {path}.")
    return found


def paths_of(session: Session, ledger: Ledger, account_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """Return the paths of the accounts with these ids."""
    found: dict[UUID, str] = {}
    for some in chunks.of(sorted(account_ids)):
        query = sa.select(accounts.c.id, accounts.c.path)
        query = query.where(accounts.c.ledger_id == ledger.id, accounts.c.id.in_(some))
        found |= {row.id: row.path for row in session.execute(query)}
    return found


def lock(session: Session, ledger: Ledger, account_ids: Collection[UUID]) -> None:
    """Let one unit of work at a time decide about what these accounts are matched with; postings are not held up.

    In ascending order of ids, so that two never wait for each other.
    """
    query = sa.select(accounts.c.id).where(accounts.c.ledger_id == ledger.id, accounts.c.id.in_(sorted(account_ids)))
    session.execute(query.order_by(accounts.c.id).with_for_update(key_share=True)).all()
