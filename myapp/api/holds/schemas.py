"""What may be said of a hold, and of a transaction that follows from another."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from myapp.api.fields import Description, Instant, Metadata, Reference
from myapp.api.schemas import ONE_SIDE, HeldPosting, Input, Optional
from myapp.ledger import model


class Remark(Optional, kw_only=True):
    """What may be said of a transaction that follows from another; the body may be left out."""

    reference: Reference | None = None
    description: Annotated[Description, Meta(description="The other's description, when left out.")] | None = None
    effective_at: Annotated[Instant | None, Meta(description="When it counts in the books; now, when left out.")] = None
    metadata: Metadata = msgspec.field(default_factory=dict)


class HoldPost(Remark, kw_only=True):
    """What to post of a hold; the body may be left out."""

    postings: (
        Annotated[
            list[Annotated[HeldPosting, ONE_SIDE]],
            Meta(
                min_length=2,
                max_length=model.POSTINGS_MAX,
                description="A part of what remains; all of it, when left out.",
                examples=[
                    [
                        {"account": "assets:cash", "debit": "10.00", "currency": "USD"},
                        {"account": "income:sales", "credit": "10.00", "currency": "USD"},
                    ]
                ],
            ),
        ]
        | None
    ) = None
    final: Annotated[bool, Meta(description="Whether the rest of the hold is given back.")] = False


class HoldInGroup(HoldPost, kw_only=True):
    """A hold, and what to post of it."""

    id: UUID


class HoldsPost(Input, kw_only=True):
    holds: Annotated[list[HoldInGroup], Meta(min_length=1, max_length=model.BATCH_MAX)]


class HoldsVoid(Input, kw_only=True):
    holds: Annotated[list[UUID], Meta(min_length=1, max_length=model.BATCH_MAX)]
