"""What happened in another ledger, as it is sent to be recorded again, and as the ledger's values."""

from __future__ import annotations

import enum
from typing import Annotated, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from myapp.api import wishes
from myapp.api.fields import Instant
from myapp.api.holds import schemas as holds_schemas
from myapp.api.schemas import Input, NewTransaction
from myapp.ledger import model, replaying
from myapp.ledger.replaying import Happened, Release

KINDS = ("transaction", "post", "release", "reversal")


class Outcome(enum.StrEnum):
    """How a hold ended that was given back."""

    VOIDED = "voided"
    EXPIRED = "expired"


class HoldRelease(Input, kw_only=True):
    """A hold that was given back."""

    id: Annotated[UUID, Meta(description="The hold's.")]
    outcome: Annotated[Outcome, Meta(description="Whether it was voided or had expired.")]
    effective_at: Annotated[Instant, Meta(description="When it counts in the books.")]


class Reversal(holds_schemas.Remark, kw_only=True):
    """A transaction that was reversed."""

    id: Annotated[UUID, Meta(description="The transaction's.")]


What: TypeAlias = NewTransaction | holds_schemas.HoldInGroup | HoldRelease | Reversal


class Deed(Input, kw_only=True):
    """One of the four, and the id it had; others after it belong to it by that."""

    id: UUID
    transaction: NewTransaction | UnsetType = UNSET
    post: holds_schemas.HoldInGroup | UnsetType = UNSET
    release: HoldRelease | UnsetType = UNSET
    reversal: Reversal | UnsetType = UNSET

    def __post_init__(self) -> None:
        if sum(getattr(self, kind) is not UNSET for kind in KINDS) != 1:
            raise ValueError("Expected exactly one of `transaction`, `post`, `release` and `reversal`")

    @property
    def kind(self) -> str:
        """Return which of the four it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not UNSET)

    @property
    def what(self) -> What:
        """Return the one."""
        of_each = (self.transaction, self.post, self.release, self.reversal)
        return next(each for each in of_each if each is not UNSET)

    @property
    def reference(self) -> str | None:
        return None if isinstance(self.what, HoldRelease) else self.what.reference


# What the check in Deed means, for the published document.
ONE_KIND = Meta(extra_json_schema={"oneOf": [{"required": [kind]} for kind in KINDS]})
EXAMPLE = [
    {
        "id": "019b76c6-0000-7000-8000-000000000001",
        "transaction": {
            "pending": True,
            "effective_at": "2026-01-31",
            "expires_at": "2026-02-07",
            "postings": [
                {"account": "assets:cash", "debit": "12.50", "currency": "USD"},
                {"account": "income:sales", "credit": "12.50", "currency": "USD"},
            ],
        },
    },
    {
        "id": "019b76c6-0000-7000-8000-000000000002",
        "release": {"id": "019b76c6-0000-7000-8000-000000000001", "outcome": "expired", "effective_at": "2026-02-07"},
    },
]


class Deeds(Input, kw_only=True):
    """What happened, in its order."""

    deeds: Annotated[
        list[Annotated[Deed, ONE_KIND]], Meta(min_length=1, max_length=model.BATCH_MAX, examples=[EXAMPLE])
    ]


def happened(of: Deed) -> Happened:
    return Happened(id=of.id, deed=_value(of.what))


def _value(what: What) -> replaying.Deed:
    if isinstance(what, HoldRelease):
        return Release(hold_id=what.id, state=model.Status(what.outcome), effective_at=what.effective_at.at)
    if isinstance(what, Reversal):
        return wishes.reversal(what.id, what)
    if isinstance(what, holds_schemas.HoldInGroup):
        return wishes.hold_post(what.id, what)
    return wishes.transaction(what)
