"""Turn webhooks into what is answered; their secrets are shown where they were just made, and nowhere else."""

from __future__ import annotations

import base64
from typing import Any

from myapp.api.webhooks import schemas
from myapp.ledger import model

SECRET_PREFIX = "whsec_"  # noqa: S105 - by which a secret is known


def webhook(of: model.Webhook) -> schemas.Webhook:
    return schemas.Webhook(**_members(of))


def webhook_with_secret(of: model.Webhook) -> schemas.WebhookWithSecret:
    return schemas.WebhookWithSecret(secret=SECRET_PREFIX + base64.b64encode(of.secret).decode(), **_members(of))


def _members(of: model.Webhook) -> dict[str, Any]:
    return {
        "id": of.id,
        "url": of.url,
        "types": None if of.types is None else list(of.types),
        "description": of.description,
        "state": of.state,
        "position": of.position,
        "failures": of.failures,
        "failing_since": of.failing_since,
        "last_error": of.last_error,
        "next_attempt_at": of.due_at if of.failures and of.state is model.WebhookState.ACTIVE else None,
        "created_at": of.created_at,
    }
