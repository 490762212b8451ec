"""Close an epoch of events: their leaves, the root over these, and the hash that chains it to the epoch before.

An epoch begins where the one before ended, so it is never told where. Making one only reads; storing it is one INSERT,
which the primary key allows to one of those who seal at once. Nothing here commits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, upsert
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Ledger
from myapp.ledger.sealing import canonical, leaves, merkle
from myapp.ledger.tables import events, seals

# An epoch's leaves are read for each proof, in one row of 128 kB at most.
EPOCH_LEAVES_MAX = 4_096
CHAINED = b"\x02"
BEGINNING = bytes(merkle.HASH_BYTES)

SHOWN = tuple(seals.c[name] for name in seals.c.keys() if name != "leaves")  # noqa: SIM118


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """A sealed epoch without its leaves."""

    ledger_id: UUID
    epoch: int
    first_seq: int
    last_seq: int
    format: int
    root: bytes
    previous: bytes
    hash: bytes
    sealed_at: datetime

    @property
    def size(self) -> int:
        return self.last_seq - self.first_seq + 1

    @property
    def header(self) -> str:
        """What is chained: everything of the seal but its own hash."""
        return canonical.text(
            {
                "ledger": str(self.ledger_id),
                "epoch": str(self.epoch),
                "first_seq": str(self.first_seq),
                "last_seq": str(self.last_seq),
                "format": self.format,
                "root": self.root.hex(),
                "previous": self.previous.hex(),
                "sealed_at": canonical.time(self.sealed_at),
            }
        )


@dataclass(frozen=True, slots=True)
class NewSeal:
    """An epoch that is ready to be stored."""

    seal: Seal
    leaves: bytes


def find_last(session: Session, ledger: Ledger) -> Seal | None:
    """Return the ledger's newest seal."""
    query = sa.select(*SHOWN).where(seals.c.ledger_id == ledger.id).order_by(seals.c.epoch.desc()).limit(1)
    row = session.execute(query).one_or_none()
    return None if row is None else of_row(row)


def make_next(session: Session, ledger: Ledger, *, now: datetime, size_max: int = EPOCH_LEAVES_MAX) -> NewSeal | None:
    """Make the seal of the events after the last one's, as many as an epoch takes; None where all is sealed.

    Only events that are numbered count. Sends no more than five statements for each 256 of them.
    """
    last = find_last(session, ledger)
    first_seq = 1 if last is None else last.last_seq + 1
    newest = session.scalar(sa.select(sa.func.max(events.c.seq)).where(events.c.ledger_id == ledger.id)) or 0
    last_seq = min(newest, first_seq + size_max - 1)
    if last_seq < first_seq:
        return None
    hashes = [
        merkle.leaf_hash(leaf.text) for leaf in leaves.read(session, ledger.id, first_seq=first_seq, last_seq=last_seq)
    ]
    if len(hashes) != last_seq - first_seq + 1:
        raise errors.Unsealable(
            f"Not all events of {ledger.name} from {first_seq} to {last_seq} are there; `myapp verify` says which."
        )
    seal = Seal(
        ledger_id=ledger.id,
        epoch=1 if last is None else last.epoch + 1,
        first_seq=first_seq,
        last_seq=last_seq,
        format=leaves.FORMAT,
        root=merkle.root(hashes),
        previous=BEGINNING if last is None else last.hash,
        hash=b"",
        sealed_at=now,
    )
    return NewSeal(replace(seal, hash=chain_hash(seal.header)), b"".join(hashes))


def store(session: Session, new: NewSeal) -> bool:
    """Store the seal, and say whether nobody else had sealed the epoch meanwhile."""
    seal = new.seal
    insert = upsert.insert(upsert.dialect_of(session), seals).values(
        leaves=new.leaves, **{column.name: getattr(seal, column.name) for column in SHOWN}
    )
    return session.scalar(insert.on_conflict_do_nothing().returning(seals.c.epoch)) is not None


def chain_hash(header: str) -> bytes:
    """Return the hash of a seal, which the next one names as its previous."""
    return hashlib.sha256(CHAINED + header.encode()).digest()


def of_row(row: AnyRow) -> Seal:
    """Return the seal of a row with the columns SHOWN."""
    return Seal(**{column.name: getattr(row, column.name) for column in SHOWN})
