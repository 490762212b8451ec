"""The lines of an export as NDJSON: one JSON object each, which says in `line` what it is.

    ledger, then currencies, then accounts by path, then transactions as they were recorded, then prices as they were
    recorded, then total

The importer reads the same types. A file without its `total` is not whole. `VERSION` grows when an older reader would
misunderstand; members it does not know are no reason.

1   had no prices, and did not say of a hold that was given back whether it was voided or had expired
2   is what is here
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from myapp.api import fields
from myapp.ledger import model

VERSION = 2

# RFC 3339 in UTC. Text, since it is only passed on.
Time = str


class _Line(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="line", gc=False):
    """One line."""


class Ledger(_Line, tag="ledger"):
    """The first line; `from` and `to` are there where it is not the whole ledger."""

    version: Annotated[int, Meta(ge=1)]
    name: str
    metadata: dict[str, str]
    created_at: Time
    locked_before: Time | None
    from_: Time | UnsetType = msgspec.field(default=UNSET, name="from")
    to: Time | UnsetType = UNSET


class Currency(_Line, tag="currency"):
    code: str
    exponent: fields.Exponent


class Limits(msgspec.Struct, kw_only=True):
    min: fields.BoundText | UnsetType = UNSET
    max: fields.BoundText | UnsetType = UNSET


class Account(_Line, tag="account"):
    path: str
    type: model.AccountType
    closed: bool
    currencies: list[str] | None
    limits: dict[str, Limits]
    metadata: dict[str, str]


class Posting(msgspec.Struct, omit_defaults=True, gc=False):
    """One posting: a debit or a credit. `effect` is left out where it is `posted`. See model.Effect."""

    account: str
    currency: str
    debit: str | UnsetType = UNSET
    credit: str | UnsetType = UNSET
    effect: str | UnsetType = UNSET


class Transaction(_Line, tag="transaction"):
    """What was recorded. A hold's `status` is `pending` whatever became of it.

    With `pending_of` it is what became of that hold: `posted`, `voided` or `expired`.
    """

    id: str
    status: str
    reference: str | None
    description: str | None
    effective_at: Time
    recorded_at: Time
    metadata: dict[str, str]
    postings: list[Posting]
    pending_of: str | UnsetType = UNSET
    reverses: str | UnsetType = UNSET
    expires_at: Time | UnsetType = UNSET


class Price(_Line, tag="price"):
    """What one unit of `currency` is worth in `quote`; of those for one time the last one counts."""

    currency: str
    quote: str
    price: fields.PriceText
    effective_at: Time
    recorded_at: Time


class Total(_Line, tag="total"):
    """The last line: how many there were."""

    transactions: int
    postings: int
    prices: int


Recorded = Transaction | Price
Line = Ledger | Currency | Account | Recorded | Total
