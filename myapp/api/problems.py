"""Every way the API can say no: the one table from an error's code to its status, its title and its explanation.

The same table makes the problem documents (RFC 9457), the page behind each `type`, and the responses in the
published document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from pyramid.response import Response

from myapp.api.request import AnyRequest

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One code: what happened, in a few words, and what the client can do about it."""

    code: str
    status: int
    title: str
    explanation: str


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with the body; `pointer` is a JSON Pointer (RFC 6901) into it, "" means the whole of it."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] | UnsetType = UNSET
    index: int | UnsetType = UNSET
    transaction_id: UUID | UnsetType = UNSET


def _kinds(*rows: tuple[str, int, str, str]) -> Mapping[str, Kind]:
    return {
        code: Kind(code=code, status=status, title=title, explanation=explanation)
        for code, status, title, explanation in rows
    }


KINDS = _kinds(
    ("malformed-json", 400, "The body is not JSON",
     "The body could not be read as one JSON value in UTF-8, or an object names a member twice. Nothing was done."),
    ("bad-parameter", 400, "A parameter or header makes no sense",
     "The address, a query parameter or a header has a value that cannot be used; the detail names it."),
    ("unauthenticated", 401, "No valid API key",
     "Send `Authorization: Bearer <key>` with a key that exists and was not revoked."),
    ("forbidden", 403, "Not allowed",
     "The key is valid, but its scope or its ledger does not cover this request."),
    ("not-found", 404, "There is no such thing",
     "The address, the ledger, the account or the transaction does not exist."),
    ("method-not-allowed", 405, "This address does not know the method",
     "The `Allow` header lists the methods it knows."),
    ("not-acceptable", 406, "No acceptable representation",
     "The `Accept` header excludes application/json, or for an export what its format is."),
    ("already-exists", 409, "There already is one",
     "Something else already has this name, path or code."),
    ("duplicate-reference", 409, "The reference is taken",
     "Another transaction of the ledger has this reference; `transaction_id` names it."),
    ("insufficient-funds", 409, "Not enough in the account",
     "The account would fall below its minimum. Nothing was recorded."),
    ("limit-exceeded", 409, "Too much in the account",
     "The account would rise above its maximum. Nothing was recorded."),
    ("account-closed", 409, "The account is closed",
     "A closed account takes no postings. Open it again with PATCH, or use another."),
    ("period-locked", 409, "The period is closed",
     "The effective time lies in a period whose books are closed; use a later one."),
    ("not-pending", 409, "It is not a hold that is pending",
     "The transaction is no hold, or the hold was posted, voided or has expired. Look at its `status`."),
    ("exceeds-hold", 409, "More than the hold has left",
     "What is to be posted is more than what remains of the hold, or nothing that it holds. Look at its `remaining`."),
    ("not-posted", 409, "Nothing of it is posted",
     "Only what is posted can be reversed. A hold that is pending can be voided."),
    ("already-reversed", 409, "It was reversed before",
     "A transaction is reversed once; `transaction_id` names the one that did."),
    ("condition-failed", 409, "A condition is not met",
     "An account is not as the posting's `if` asks. Read it again and decide anew. Nothing was recorded."),
    ("already-matched", 409, "It has its match",
     "The bank line, or what is to be matched with it, has a match already. Reject that one first."),
    ("nothing-proposed", 409, "There is no one proposal",
     "Nothing is proposed for the bank line, or several transactions are: name the one that is meant."),
    ("not-sealed", 409, "The transaction is not sealed yet",
     "It was recorded after the newest epoch was closed. Ask again once the next one is: `GET …/seals` lists them."),
    ("idempotency-in-progress", 409, "The first request with this key is still running",
     "Repeat the request after a moment; it will then be answered as the first was."),
    ("conflict", 409, "Other requests were in the way",
     "Others were changing the same data at every attempt. Nothing was done; repeat the request."),
    ("precondition-failed", 412, "It has changed since",
     "The thing is no longer at the version that `If-Match` names. Read it again and decide anew."),
    ("too-large", 413, "The body is too large",
     "The body is larger than this service accepts (the setting myapp.body_bytes_max)."),
    ("unsupported-media-type", 415, "The body is not sent as JSON",
     "Send `Content-Type: application/json`, in UTF-8 and without a Content-Encoding."),
    ("validation-failed", 422, "The body does not fit the schema",
     "The JSON is well-formed, but not what this address takes; `errors` says where and what to send instead."),
    ("unbalanced-transaction", 422, "The transaction does not balance",
     "In every currency, debits and credits must be equal."),
    ("unknown-account", 422, "There is no such account",
     "A posting names an account that the ledger does not have. Open it first."),
    ("unknown-currency", 422, "There is no such currency",
     "The code is neither in ISO 4217 nor declared in the ledger. Declare it with PUT …/currencies/{code}."),
    ("currency-not-allowed", 422, "The account does not take this currency",
     "The account was opened for other currencies only."),
    ("amount-precision", 422, "Too many decimals",
     "The amount has more decimal digits than the currency."),
    ("amount-out-of-range", 422, "The amount is too large",
     "The amount, or a balance it would lead to, does not fit in 64 bits of the currency's smallest unit."),
    ("not-matching", 422, "The transaction cannot be meant",
     "It has no posting of the bank line's amount, currency and side on the account that the line is matched on."),
    ("missing-price", 422, "There is no price",
     "The report is to be valued, and a currency in it has no price at or before its time. Record or give one."),
    ("url-not-allowed", 422, "Webhooks do not go there",
     "Events are sent to https addresses only, unless the setting myapp.webhook_private_targets is on."),
    ("idempotency-mismatch", 422, "The key was used for another request",
     "This Idempotency-Key came before with another address or body. Use a new key for a new request."),
    ("internal", 500, "A fault of the service",
     "Nothing was done. The request_id finds the fault in the service's log."),
    ("unavailable", 503, "Not available at the moment",
     "The database did not answer in time, or the server is ending. Nothing was done; repeat after `Retry-After`."),
    ("overloaded", 503, "Too many requests at once",
     "More requests came than the service can work on, and this one was not begun. Repeat it after `Retry-After`."),
    ("read-only", 503, "No writes now",
     "The database takes no writes for the moment; reads go on. Repeat the request after `Retry-After`."),
    ("deadline-exceeded", 503, "The time for the request is over",
     "It took longer than the service, or the header `Request-Timeout`, allows. Nothing was done."),
    ("outcome-unknown", 503, "It may or may not have been done",
     "The connection broke while the result was being made permanent. Repeat with the same Idempotency-Key."),
)  # fmt: skip


def headers(kind: Kind) -> Mapping[str, str]:
    """Return the headers that tell a client what to do about a problem of this kind."""
    if kind.status == 503 or kind.code in ("conflict", "idempotency-in-progress"):
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if kind.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="myapp"'}
    return {}


def response(
    request: AnyRequest,
    code: str,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    index: int | None = None,
    transaction_id: UUID | None = None,
) -> Response:
    """Return the problem document of a code."""
    kind = KINDS[code]
    problem = Problem(
        type=f"/problems/{code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        code=code,
        request_id=request.request_id,
        errors=list(errors) or UNSET,
        index=UNSET if index is None else index,
        transaction_id=transaction_id or UNSET,
    )
    fixed = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    return Response(
        body=msgspec.json.encode(problem), status=kind.status, headerlist=list({**fixed, **headers(kind)}.items())
    )
