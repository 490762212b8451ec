"""Read the webhooks of a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Ledger, Webhook, WebhookState
from myapp.ledger.webhooks.tables import webhooks


def get_webhook(session: Session, ledger: Ledger, id: UUID) -> Webhook:  # noqa: A002
    """Raises: NotFound."""
    query = sa.select(webhooks).where(webhooks.c.ledger_id == ledger.id, webhooks.c.id == id)
    row = session.execute(query).one_or_none()
    if row is None:
        raise errors.NotFound(f"There is no webhook {id}.")
    return webhook(row)


def list_webhooks(session: Session, ledger: Ledger, *, after: UUID | None, limit: int) -> Sequence[Webhook]:
    """List webhooks, the oldest first, from the one after the id `after`."""
    query = sa.select(webhooks).where(webhooks.c.ledger_id == ledger.id).order_by(webhooks.c.id).limit(limit)
    if after is not None:
        query = query.where(webhooks.c.id > after)
    return [webhook(row) for row in session.execute(query)]


def webhook(row: AnyRow) -> Webhook:
    """Return a row of the table as a value."""
    return Webhook(
        id=row.id,
        url=row.url,
        types=row.types,
        description=row.description,
        secret=row.secret,
        previous_secret=row.previous_secret,
        previous_until=row.previous_until,
        state=WebhookState(row.state),
        position=row.position,
        failures=row.failures,
        failing_since=row.failing_since,
        last_error=row.last_error,
        due_at=row.due_at,
        created_at=row.created_at,
    )
