"""Cursors: where a page of a list ended, in a form that clients pass back and need not understand.

A cursor is checked like any other input when it comes back: it says which list it is of, and its parts have patterns.
"""

from __future__ import annotations

import base64
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec

from myapp.api import errors, fields

VERSION_MAX = 2**63 - 1


class Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The sort key of the last item shown; the tag names the list."""


class LedgerCursor(Cursor, tag="ledgers"):
    name: fields.LedgerName


class CurrencyCursor(Cursor, tag="currencies"):
    code: fields.CurrencyCode


class AccountCursor(Cursor, tag="accounts"):
    path: fields.AccountPath


class TransactionCursor(Cursor, tag="transactions"):
    id: UUID


class WebhookCursor(Cursor, tag="webhooks"):
    id: UUID


class StatementCursor(Cursor, tag="postings"):
    effective_at: fields.Instant
    balance_version: Annotated[int, msgspec.Meta(ge=0, le=VERSION_MAX)]
    currency: fields.CurrencyCode


class SealCursor(Cursor, tag="seals"):
    epoch: Annotated[int, msgspec.Meta(ge=1, le=VERSION_MAX)]


CursorT = TypeVar("CursorT", bound=Cursor)


def encode(cursor: Cursor) -> str:
    """Return the cursor as text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor, enc_hook=fields.encode_custom)).decode().rstrip("=")


def decode(text: str | None, kind: type[CursorT]) -> CursorT | None:
    """Return the cursor of a text, None of none.

    Raises:
        BadParameter: it is none of ours, or of another list.
    """
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=kind, dec_hook=fields.decode_custom)
    except (ValueError, RecursionError) as exc:
        raise errors.BadParameter(
            "The parameter 'after' is no cursor of this list; pass back what `next` said."
        ) from exc
