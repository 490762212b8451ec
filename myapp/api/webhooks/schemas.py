"""What may be asked of webhooks, and what they are answered as."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from myapp.api.fields import Description, EventSeq, EventTypeName, Moment, WebhookUrl
from myapp.api.schemas import Input, Output
from myapp.ledger import model

Types = Annotated[
    list[EventTypeName],
    Meta(min_length=1, max_length=50, description="The types of events it gets; all, where this is null or left out."),
]


class NewWebhook(Input, kw_only=True):
    url: WebhookUrl
    types: Types | None = None
    description: Description | None = None
    after: Annotated[EventSeq | None, Meta(description="Events after this `seq`; from now on, when left out.")] = None


class WebhookChange(Input, kw_only=True):
    """What to change; what is left out stays as it is."""

    url: WebhookUrl | UnsetType = UNSET
    types: Types | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    active: (
        Annotated[bool, Meta(description="Whether to send; true also enables one that was disabled.")] | UnsetType
    ) = UNSET


class Replay(Input, kw_only=True):
    after: Annotated[EventSeq, Meta(description="All events after this `seq` are sent, again or for the first time.")]


class Webhook(Output, kw_only=True):
    id: UUID
    url: WebhookUrl
    types: list[EventTypeName] | None
    description: Description | None
    state: Annotated[model.WebhookState, Meta(examples=["active"])]
    position: Annotated[int, Meta(description="The `seq` of the last event it is done with.", examples=[17])]
    failures: Annotated[int, Meta(description="Deliveries that failed since the last one that did not.", examples=[0])]
    failing_since: Moment | None
    last_error: Annotated[str | None, Meta(examples=["answered 500"])]
    next_attempt_at: Annotated[Moment | None, Meta(description="Where the last delivery failed.")]
    created_at: Moment


class WebhookWithSecret(Webhook, kw_only=True):
    secret: Annotated[str, Meta(description="Signs what is sent; shown this once.", examples=["whsec_C2FVsBQI"])]
