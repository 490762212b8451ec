"""Read what is sealed: the chain of epochs, and the proof that a transaction is in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, tables
from myapp.ledger.model import Ledger
from myapp.ledger.sealing import leaves, merkle
from myapp.ledger.sealing.seals import SHOWN, Seal, of_row

events, seals = tables.events, tables.seals


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That a leaf is in a sealed epoch: `path` leads from it, at `index` of the epoch's tree, to the seal's root."""

    leaf: str
    index: int
    path: Sequence[bytes]
    seal: Seal


def list_seals(session: Session, ledger: Ledger, *, after: int | None, limit: int) -> Sequence[Seal]:
    """List the seals in the order of their epochs, from the one after the epoch `after`."""
    query = sa.select(*SHOWN).where(seals.c.ledger_id == ledger.id).order_by(seals.c.epoch).limit(limit)
    if after is not None:
        query = query.where(seals.c.epoch > after)
    return [of_row(row) for row in session.execute(query)]


def get_proof(session: Session, ledger: Ledger, transaction_id: UUID) -> Proof:
    """Return the proof that a transaction is sealed, made of what is recorded now: changed, it fails.

    Raises:
        NotFound: there is no such transaction.
        NotSealed: it was recorded after the newest epoch was closed.
    """
    is_its = (events.c.ledger_id == ledger.id, events.c.id == transaction_id)
    event = session.execute(sa.select(events.c.seq, events.c.type).where(*is_its)).one_or_none()
    if event is None or not event.type.startswith(leaves.OF_TRANSACTION):
        raise errors.NotFound(f"There is no transaction {transaction_id}.")
    row = None
    if event.seq is not None:
        query = sa.select(seals).where(seals.c.ledger_id == ledger.id, seals.c.last_seq >= event.seq)
        row = session.execute(query.order_by(seals.c.last_seq).limit(1)).one_or_none()
    if row is None:
        raise errors.NotSealed(
            f"Transaction {transaction_id} is not sealed yet. Ask again after the next run of `myapp seal`."
        )
    (leaf,) = leaves.read(session, ledger.id, first_seq=event.seq, last_seq=event.seq)
    index = event.seq - row.first_seq
    return Proof(leaf=leaf.text, index=index, path=merkle.path(merkle.split(row.leaves), index), seal=of_row(row))
