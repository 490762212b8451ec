"""Accounts: open one, list them, look at one, change what may change."""

from __future__ import annotations

from collections.abc import Iterable

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import (
    answers,
    cursors,
    etags,
    expiry,
    idempotency,
    pages,
    parameters,
    respond,
    schemas,
    security,
    wishes,
)
from myapp.api.request import AnyRequest, Request
from myapp.ledger import model, operations, queries

LIMIT_REFUSALS = (
    "unknown-currency",
    "amount-precision",
    "amount-out-of-range",
    "currency-not-allowed",
    "insufficient-funds",
    "limit-exceeded",
)


@view_config(
    route_name="accounts",
    request_method="POST",
    permission=security.WRITE,
    body=schemas.NewAccount,
    headers=("Idempotency-Key",),
    answers={201: schemas.Account},
    refusals=("already-exists", *LIMIT_REFUSALS),
)
def open_account(request: Request[schemas.NewAccount, schemas.NoQuery]) -> Response:
    """Open an account.

    A limit that the empty account would break at once is refused.
    """
    wanted = wishes.account(request.wanted)

    def make() -> bytes:
        opened = operations.open_account(request.dbsession, request.ledger, wanted, now=request.now)
        return respond.encode(answers.account(opened, _exponents(request, [opened])))

    location = respond.address("ledgers", request.ledger.name, "accounts", wanted.path)
    return idempotency.once(request, request.ledger.id, make, location=location)


@view_config(
    route_name="accounts",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=schemas.AccountsQuery,
    answers={200: schemas.Listed[schemas.Account]},
)
def list_accounts(request: Request[None, schemas.AccountsQuery]) -> Response:
    """List accounts.

    By path, with their balances; with `at` or `known_at`, with those they had then. The rest is as it is now.
    """
    asked = request.asked
    after = cursors.decode(asked.after, cursors.AccountCursor)
    rows = queries.list_accounts(
        request.dbsession,
        request.ledger,
        prefix=asked.prefix,
        type=asked.type,
        at=wishes.moment(asked.at),
        known_at=wishes.moment(asked.known_at),
        after=None if after is None else after.path,
        limit=asked.limit + 1,
    )
    exponents = _exponents(request, rows)
    return pages.respond_with(
        request,
        rows,
        limit=asked.limit,
        item=lambda account: answers.account(account, exponents),
        cursor=lambda account: cursors.AccountCursor(account.path),
    )


@view_config(
    route_name="account",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    headers=("If-None-Match",),
    answers={200: schemas.Account, 304: None},
)
def get_account(request: Request[None, schemas.NoQuery]) -> Response:
    """Look at an account.

    With its balances in each currency it has held. The `ETag` names its version, for `If-Match` when changing it.
    """
    found = queries.get_account(request.dbsession, request.ledger, parameters.account_path(request.matchdict["path"]))
    return _respond_with(request, found)


@view_config(
    route_name="account",
    request_method="PATCH",
    permission=security.WRITE,
    body=schemas.AccountChange,
    headers=("If-Match",),
    answers={200: schemas.Account},
    refusals=("precondition-failed", *LIMIT_REFUSALS),
)
def change_account(request: Request[schemas.AccountChange, schemas.NoQuery]) -> Response:
    """Change an account.

    Its limits or metadata; or close it, or open it again. With `If-Match`, only if nobody changed it since;
    postings in between do not count as a change.
    """
    path = parameters.account_path(request.matchdict["path"])
    with expiry.considered(request, [path]):
        changed = operations.change_account(
            request.dbsession,
            request.ledger,
            path,
            wishes.account_change(request.wanted),
            expected_version=etags.expected_version(request.headers.get("If-Match")),
            now=request.now,
        )
    return _respond_with(request, changed)


def _respond_with(request: AnyRequest, account: model.Account) -> Response:
    answer = answers.account(account, _exponents(request, [account]))
    return respond.versioned(request, answer, version=account.version)


def _exponents(request: AnyRequest, accounts: Iterable[model.Account]) -> answers.Exponents:
    codes = answers.account_currencies(accounts)
    return request.registry["myapp.exponents"].of(request.dbsession, request.ledger, codes)  # type: ignore[no-any-return]
