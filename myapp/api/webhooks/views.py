"""Make webhooks, look at them, change them; send them again what they had."""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import UNSET
from pyramid.response import Response
from pyramid.view import view_config

from myapp import settings
from myapp.api import cursors, errors, idempotency, pages, parameters, respond, security
from myapp.api.request import AnyRequest, Request
from myapp.api.schemas import Listed, NoQuery, Nothing, Page
from myapp.api.webhooks import answers, schemas
from myapp.ledger import model, operations, queries

# Of a DELETE, which has no body, and writes all the same.
WRITE_REFUSALS = ("read-only", "outcome-unknown")


@view_config(
    route_name="webhooks",
    request_method="POST",
    permission=security.ADMIN,
    body=schemas.NewWebhook,
    headers=("Idempotency-Key",),
    answers={201: schemas.WebhookWithSecret},
    refusals=("url-not-allowed",),
)
def create_webhook(request: Request[schemas.NewWebhook, NoQuery]) -> Response:
    """Make a webhook.

    The ledger's events are sent to it, in their order, signed with the `secret` of the answer, which is shown this once
    (https://www.standardwebhooks.com). It takes an event by answering 2xx; what it does not take is sent again.
    """
    wanted = request.wanted
    _require_allowed(request, wanted.url)

    def create() -> bytes:
        new = model.NewWebhook(url=wanted.url, types=wanted.types, description=wanted.description, after=wanted.after)
        made = operations.create_webhook(request.dbsession, request.ledger, new, now=request.now)
        return respond.encode(answers.webhook_with_secret(made))

    def location(body: bytes) -> str:
        made = msgspec.json.decode(body, type=schemas.WebhookWithSecret)
        return respond.address("ledgers", request.ledger.name, "webhooks", str(made.id))

    return idempotency.once(request, request.ledger.id, create, location=location)


@view_config(
    route_name="webhooks",
    request_method="GET",
    permission=security.ADMIN,
    query=Page,
    answers={200: Listed[schemas.Webhook]},
)
def list_webhooks(request: Request[None, Page]) -> Response:
    """List webhooks.

    The oldest first.
    """
    asked = request.asked
    after = cursors.decode(asked.after, cursors.WebhookCursor)
    rows = queries.list_webhooks(
        request.dbsession, request.ledger, after=None if after is None else after.id, limit=asked.limit + 1
    )
    return pages.respond_with(
        request, rows, limit=asked.limit, item=answers.webhook, cursor=lambda each: cursors.WebhookCursor(each.id)
    )


@view_config(route_name="webhook", request_method="GET", permission=security.ADMIN, answers={200: schemas.Webhook})
def get_webhook(request: Request[None, NoQuery]) -> Response:
    """Look at a webhook.

    How far it is, and what went wrong last.
    """
    return _respond_with(queries.get_webhook(request.dbsession, request.ledger, _id(request)))


@view_config(
    route_name="webhook",
    request_method="PATCH",
    permission=security.ADMIN,
    body=schemas.WebhookChange,
    answers={200: schemas.Webhook},
    refusals=("url-not-allowed",),
)
def change_webhook(request: Request[schemas.WebhookChange, NoQuery]) -> Response:
    """Change a webhook.

    Its address, its types or its description; or pause it, or have it go on where it stopped.
    """
    wanted = request.wanted
    if wanted.url is not UNSET:
        _require_allowed(request, wanted.url)
    named = {"url": wanted.url, "types": wanted.types, "description": wanted.description}
    changed: dict[str, object] = {name: value for name, value in named.items() if value is not UNSET}
    if wanted.active is not UNSET:
        changed["state"] = (model.WebhookState.ACTIVE if wanted.active else model.WebhookState.PAUSED).value
    found = operations.change_webhook(request.dbsession, request.ledger, _id(request), changed, now=request.now)
    return _respond_with(found)


@view_config(
    route_name="webhook",
    request_method="DELETE",
    permission=security.ADMIN,
    answers={204: None},
    refusals=WRITE_REFUSALS,
)
def remove_webhook(request: Request[None, NoQuery]) -> Response:
    """Remove a webhook."""
    operations.remove_webhook(request.dbsession, request.ledger, _id(request))
    return Response(status=204, headerlist=[("Cache-Control", "no-store")])


@view_config(
    route_name="webhook_replay",
    request_method="POST",
    permission=security.ADMIN,
    body=schemas.Replay,
    headers=("Idempotency-Key",),
    answers={200: schemas.Webhook},
)
def replay_webhook(request: Request[schemas.Replay, NoQuery]) -> Response:
    """Send events again.

    All after a number, with the ids they had.
    """

    def replay() -> bytes:
        found = operations.replay_webhook(
            request.dbsession, request.ledger, _id(request), after=request.wanted.after, now=request.now
        )
        return respond.encode(answers.webhook(found))

    return idempotency.done_once(request, request.ledger.id, replay)


@view_config(
    route_name="webhook_ping",
    request_method="POST",
    permission=security.ADMIN,
    body=Nothing,
    headers=("Idempotency-Key",),
    answers={200: schemas.Webhook},
)
def ping_webhook(request: Request[Nothing, NoQuery]) -> Response:
    """Send a webhook an event to try it.

    Of the type `webhook.pinged`, after what it has not had yet; whatever types it asked for.
    """

    def ping() -> bytes:
        found = operations.ping_webhook(request.dbsession, request.ledger, _id(request), now=request.now)
        return respond.encode(answers.webhook(found))

    return idempotency.done_once(request, request.ledger.id, ping)


@view_config(
    route_name="webhook_secret",
    request_method="POST",
    permission=security.ADMIN,
    body=Nothing,
    headers=("Idempotency-Key",),
    answers={200: schemas.WebhookWithSecret},
)
def rotate_webhook_secret(request: Request[Nothing, NoQuery]) -> Response:
    """Give a webhook a new secret.

    For 24 hours the one before signs as well, so that its receiver may change at leisure.
    """

    def rotate() -> bytes:
        found = operations.rotate_webhook_secret(request.dbsession, request.ledger, _id(request), now=request.now)
        return respond.encode(answers.webhook_with_secret(found))

    return idempotency.done_once(request, request.ledger.id, rotate)


def _id(request: AnyRequest) -> UUID:
    return parameters.webhook_id(request.matchdict["id"])


def _require_allowed(request: AnyRequest, url: str) -> None:
    application: settings.Application = request.registry["myapp.settings"]
    if not (url.startswith("https://") or application.webhook_private_targets):
        raise errors.UrlNotAllowed(f"{url} is not https, and events are not for everyone to read.")


def _respond_with(found: model.Webhook) -> Response:
    return respond.answer(respond.encode(answers.webhook(found)))
