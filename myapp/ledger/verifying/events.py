"""Events: every transaction has its own, and the numbers have no gap."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.model import Ledger, Status
from myapp.ledger.tables import events, transactions
from myapp.ledger.verifying import check
from myapp.ledger.verifying.check import Check

COMPLETE = "events-are-complete"
NUMBERED = "events-are-numbered"

POSTED, HELD, RELEASED = "posted", "held", "released"
VOIDED_TYPE, EXPIRED_TYPE = "transaction.voided", "transaction.expired"
KIND_OF_EVENT = {
    "transaction.posted": POSTED,
    "transaction.pending": HELD,
    VOIDED_TYPE: RELEASED,
    EXPIRED_TYPE: RELEASED,
}


def kind(status: str, pending_of: object) -> str:
    """Return the kind of a transaction, which its event's type has to be of."""
    if status == Status.POSTED:
        return POSTED
    return HELD if pending_of is None else RELEASED


def are_complete(session: Session, ledger: Ledger) -> Check:
    """Each transaction has one event of its kind, written with it, and no transaction's event is without one."""
    text = events.c.type.type
    kind_of_event = sa.case(
        *((events.c.type == type_, sa.literal(kind_, text)) for type_, kind_ in KIND_OF_EVENT.items())
    )
    kind_of_transaction = sa.case(
        (transactions.c.status == Status.POSTED.value, sa.literal(POSTED, text)),
        (transactions.c.pending_of.is_(None), sa.literal(HELD, text)),
        else_=sa.literal(RELEASED, text),
    )
    is_of_transaction = sa.and_(events.c.ledger_id == ledger.id, events.c.type.in_(KIND_OF_EVENT))
    announced = sa.select(events.c.id, kind_of_event.label("kind"), events.c.recorded_at).where(is_of_transaction)
    recorded = sa.select(transactions.c.id, kind_of_transaction.label("kind"), transactions.c.recorded_at).where(
        transactions.c.ledger_id == ledger.id
    )
    found = check.first(session, check.differing(recorded, announced))
    return check.of(
        COMPLETE,
        {
            "transactions": check.count(session, ledger, transactions),
            "their events": check.count(session, ledger, events, events.c.type.in_(KIND_OF_EVENT)),
        },
        sorted({f"transaction {row.id} and its event do not agree" for row in found}),
    )


def are_numbered(session: Session, ledger: Ledger) -> Check:
    """The numbers of the events begin with 1 and have no gap; the newest have none yet."""
    query = sa.select(sa.func.count(events.c.seq), sa.func.min(events.c.seq), sa.func.max(events.c.seq))
    count, lowest, highest = session.execute(query.where(events.c.ledger_id == ledger.id)).one()
    violations = []
    if count and (lowest, highest) != (1, count):
        violations.append(f"{count} events are numbered from {lowest} to {highest}, so some are missing")
    return check.of(NUMBERED, {"numbered events": count}, violations)
