"""Seals: they are chained, and what is recorded is what was sealed. See docs/tamper-evidence.md."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Ledger
from myapp.ledger.sealing import leaves, merkle
from myapp.ledger.sealing.seals import BEGINNING, SHOWN, Seal, chain_hash, of_row
from myapp.ledger.tables import seals
from myapp.ledger.verifying import check
from myapp.ledger.verifying.check import Check, Part

CHAINED = "seals-are-chained"
UNCHANGED = "sealed-is-unchanged"


def are_chained(session: Session, ledger: Ledger) -> Check:
    """Each seal continues the one before, and its hash is that of what it says."""
    query = sa.select(*SHOWN).where(seals.c.ledger_id == ledger.id).order_by(seals.c.epoch)
    epoch, last_seq, previous = 0, 0, BEGINNING
    violations = []
    for row in session.execute(query):
        seal = of_row(row)
        if (seal.epoch, seal.first_seq, seal.previous) != (epoch + 1, last_seq + 1, previous):
            violations.append(f"the seal of epoch {seal.epoch} does not continue the one before")
        if seal.hash != chain_hash(seal.header):
            violations.append(f"the seal of epoch {seal.epoch} is not what was sealed")
        epoch, last_seq, previous = seal.epoch, seal.last_seq, seal.hash
    return check.of(CHAINED, {"seals": epoch}, violations)


def is_unchanged(session: Session, ledger: Ledger, after: int | None) -> Part:
    """Make the leaves of the next epoch anew, the one after that epoch, and compare them with what was sealed."""
    query = sa.select(seals).where(seals.c.ledger_id == ledger.id, seals.c.epoch > (after or 0))
    row = session.execute(query.order_by(seals.c.epoch).limit(1)).one_or_none()
    if row is None:
        return Part(compared={}, violations=[])
    seal = of_row(row)
    violations = list(_of_epoch(session, ledger, row, seal))
    return Part(compared={"epochs": 1, "sealed events": seal.size}, violations=violations, next=seal.epoch)


def _of_epoch(session: Session, ledger: Ledger, row: AnyRow, seal: Seal) -> Iterator[str]:
    if seal.format != leaves.FORMAT:
        yield f"epoch {seal.epoch} is sealed in the format {seal.format}, which this release cannot spell"
        return
    sealed = merkle.split(row.leaves)
    if len(sealed) != seal.size or merkle.root(sealed) != seal.root:
        yield f"the leaves kept of epoch {seal.epoch} do not lead to its root"
        return
    missing = dict(enumerate(sealed, start=seal.first_seq))
    for leaf in leaves.read(session, ledger.id, first_seq=seal.first_seq, last_seq=seal.last_seq):
        if missing.pop(leaf.seq) != merkle.leaf_hash(leaf.text):
            yield f"{leaf.type} {leaf.event_id}, event {leaf.seq}, is not what was sealed in epoch {seal.epoch}"
    for seq in missing:
        yield f"event {seq}, sealed in epoch {seal.epoch}, is gone"
