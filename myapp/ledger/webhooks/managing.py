"""Make webhooks, change them, send them again what they had. See Note [Whose turn it is] in webhooks/__init__.py."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, ids, queries
from myapp.ledger.events import numbering, writing
from myapp.ledger.model import EventType, Ledger, NewWebhook, Webhook, WebhookState
from myapp.ledger.queries.webhooks import webhook
from myapp.ledger.webhooks.tables import webhooks

SECRET_BYTES = 32
# Both secrets sign for so long after a change.
BOTH_SECRETS = timedelta(hours=24)

UNLEASED: Mapping[str, None] = {"lease": None, "leased_until": None}
HEALTHY: Mapping[str, object] = {"failures": 0, "failing_since": None, "last_error": None}


def create_webhook(session: Session, ledger: Ledger, wanted: NewWebhook, *, now: datetime) -> Webhook:
    """Make a webhook with a new secret; what happens from now on is sent, and perhaps what happened just before."""
    # What nobody has read has no number yet, and is no news all the same.
    while wanted.after is None and numbering.number(session, ledger.id) == numbering.PORTION:
        pass
    position = queries.last_event_seq(session, ledger) if wanted.after is None else wanted.after
    insert = sa.insert(webhooks).values(
        ledger_id=ledger.id,
        id=ids.new_id(now),
        url=wanted.url,
        types=None if wanted.types is None else list(wanted.types),
        description=wanted.description,
        secret=secrets.token_bytes(SECRET_BYTES),
        state=WebhookState.ACTIVE.value,
        position=position,
        due_at=now,
        created_at=now,
        **HEALTHY,
    )
    return webhook(session.execute(insert.returning(webhooks)).one())


def change_webhook(
    session: Session,
    ledger: Ledger,
    webhook_id: UUID,
    changed: Mapping[str, object],
    *,
    now: datetime,
) -> Webhook:
    """Change the `url`, `types`, `description` or `state` of a webhook; one that is active again is tried at once.

    Raises:
        NotFound: there is no such webhook.
    """
    values: dict[str, object] = dict(changed)
    if changed.get("state") == WebhookState.ACTIVE or "url" in changed:
        values |= {**HEALTHY, "due_at": now}
    return _update(session, ledger, webhook_id, values)


def rotate_webhook_secret(session: Session, ledger: Ledger, id: UUID, *, now: datetime) -> Webhook:  # noqa: A002
    """Give a webhook a new secret; the one before signs as well for a day.

    Raises:
        NotFound: there is no such webhook.
    """
    values = {
        "secret": secrets.token_bytes(SECRET_BYTES),
        "previous_secret": webhooks.c.secret,
        "previous_until": now + BOTH_SECRETS,
    }
    return _update(session, ledger, id, values)


def replay_webhook(session: Session, ledger: Ledger, id: UUID, *, after: int, now: datetime) -> Webhook:  # noqa: A002
    """Send a webhook all events after this number, again or for the first time.

    Raises:
        NotFound: there is no such webhook.
    """
    return _update(session, ledger, id, {**HEALTHY, "position": after, "due_at": now})


def ping_webhook(session: Session, ledger: Ledger, id: UUID, *, now: datetime) -> Webhook:  # noqa: A002
    """Write an event that this webhook gets, and no other one, whatever types it asked for.

    Raises:
        NotFound: there is no such webhook.
    """
    found = queries.get_webhook(session, ledger, id)
    payload = {"webhook": str(id)}
    writing.announce(session, ledger.id, EventType.WEBHOOK_PINGED, id=ids.new_id(now), payload=payload, now=now)
    return found


def remove_webhook(session: Session, ledger: Ledger, id: UUID) -> None:  # noqa: A002
    """Remove a webhook.

    Raises:
        NotFound: there is no such webhook.
    """
    delete = sa.delete(webhooks).where(webhooks.c.ledger_id == ledger.id, webhooks.c.id == id)
    if session.execute(delete.returning(webhooks.c.id)).one_or_none() is None:
        raise errors.NotFound(f"There is no webhook {id}.")


def _update(session: Session, ledger: Ledger, id: UUID, values: Mapping[str, Any]) -> Webhook:  # noqa: A002
    update = sa.update(webhooks).where(webhooks.c.ledger_id == ledger.id, webhooks.c.id == id)
    row = session.execute(update.values({**values, **UNLEASED}).returning(webhooks)).one_or_none()
    if row is None:
        raise errors.NotFound(f"There is no webhook {id}.")
    return webhook(row)
