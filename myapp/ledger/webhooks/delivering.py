"""What whoever delivers says to the database. See Note [Whose turn it is] in webhooks/__init__.py.

Each function is a short unit of work; nothing is held while an event is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import ids
from myapp.ledger.events import writing
from myapp.ledger.model import Event, EventType, Ledger, Webhook, WebhookState
from myapp.ledger.queries.ledgers import as_ledger
from myapp.ledger.queries.webhooks import webhook
from myapp.ledger.tables import events, ledgers
from myapp.ledger.webhooks.managing import HEALTHY, UNLEASED
from myapp.ledger.webhooks.tables import webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A webhook whose lease one holds."""

    ledger: Ledger
    webhook: Webhook
    lease: UUID


def list_due(session: Session, *, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """List the ledger and the id of webhooks that nobody sends to, with events to come, the longest due first.

    Those events may be of types that the webhook does not take.
    """
    of_it = sa.select(events.c.id).where(events.c.ledger_id == webhooks.c.ledger_id)
    # The offsets keep PostgreSQL from making joins. See Note [Plans for a new ledger] in queries/__init__.py.
    is_numbered = of_it.where(events.c.seq > webhooks.c.position).offset(0).exists()
    is_unnumbered = of_it.where(events.c.seq.is_(None)).offset(0).exists()
    query = sa.select(webhooks.c.ledger_id, webhooks.c.id).where(_is_free(now), is_numbered | is_unnumbered)
    return [(row.ledger_id, row.id) for row in session.execute(query.order_by(webhooks.c.due_at).limit(limit))]


def take(session: Session, ledger_id: UUID, id: UUID, *, now: datetime, until: datetime) -> Turn | None:  # noqa: A002
    """Take the lease of a webhook, None where another one was first."""
    lease = uuid4()
    update = sa.update(webhooks).where(webhooks.c.ledger_id == ledger_id, webhooks.c.id == id, _is_free(now))
    row = session.execute(update.values(lease=lease, leased_until=until).returning(webhooks)).one_or_none()
    if row is None:
        return None
    ledger = as_ledger(session.execute(sa.select(ledgers).where(ledgers.c.id == ledger_id)).one())
    return Turn(ledger=ledger, webhook=webhook(row), lease=lease)


def is_for(of: Webhook, event: Event) -> bool:
    """Say whether the webhook gets the event."""
    if event.type is EventType.WEBHOOK_PINGED:
        return event.payload["webhook"] == str(of.id)
    return of.types is None or event.type.value in of.types


def go_on(session: Session, turn: Turn, *, position: int, until: datetime) -> bool:
    """Note that all events up to this number are done with, and keep the lease; say whether one still had it."""
    return _update(session, turn, {**HEALTHY, "position": position, "leased_until": until})


def end(session: Session, turn: Turn, *, position: int, now: datetime) -> bool:
    """Note that all events up to this number are done with, and give the lease back; those that wait come first."""
    return _update(session, turn, {**UNLEASED, "position": position, "due_at": now})


def fail(
    session: Session, turn: Turn, *, position: int, error: str, due_at: datetime, is_final: bool, now: datetime
) -> bool:
    """Note that the event after this number was not taken, until when to wait, or that it is not tried any more."""
    values: dict[str, Any] = {
        **UNLEASED,
        "position": position,
        "failures": webhooks.c.failures + 1,
        "failing_since": sa.func.coalesce(webhooks.c.failing_since, sa.literal(now, webhooks.c.failing_since.type)),
        "last_error": error,
        "due_at": due_at,
    }
    if is_final:
        values["state"] = WebhookState.DISABLED.value
    is_ours = _update(session, turn, values)
    if is_ours and is_final:
        payload = {"webhook": str(turn.webhook.id), "error": error}
        kind, ledger_id = EventType.WEBHOOK_DISABLED, turn.ledger.id
        writing.announce(session, ledger_id, kind, id=ids.new_id(now), payload=payload, now=now)
    return is_ours


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        webhooks.c.state == WebhookState.ACTIVE.value,
        webhooks.c.due_at <= now,
        sa.or_(webhooks.c.leased_until.is_(None), webhooks.c.leased_until <= now),
    )


def _update(session: Session, turn: Turn, values: dict[str, Any]) -> bool:
    update = sa.update(webhooks).where(
        webhooks.c.ledger_id == turn.ledger.id, webhooks.c.id == turn.webhook.id, webhooks.c.lease == turn.lease
    )
    return session.execute(update.values(values).returning(webhooks.c.id)).one_or_none() is not None
