"""Balances: of an account, or of all below a path, at a time and as known at a time."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import answers, fields, pages, parameters, respond, schemas, security, wishes
from myapp.api.request import Request
from myapp.ledger import model, queries


class BalanceQuery(schemas.Input, kw_only=True):
    at: fields.At = None
    known_at: fields.KnownAt = None
    children: Annotated[bool, Meta(description="Add all accounts below it.")] = False


class PathBalance(schemas.Output, kw_only=True):
    """The balances of an account, or of all at and below a path; `normal_side` is the direction of `balance`."""

    path: fields.AccountPath
    at: fields.Moment | None
    known_at: fields.Moment | None
    children: Annotated[bool, Meta(examples=[False])]
    normal_side: Annotated[model.Side, Meta(examples=["debit"])]
    balances: Annotated[dict[fields.CurrencyCode, schemas.Balance], Meta(examples=[{"USD": schemas.EXAMPLE_BALANCE}])]


@view_config(
    route_name="balance",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=BalanceQuery,
    answers={200: PathBalance},
)
def get_balance(request: Request[None, BalanceQuery]) -> Response:
    """Look at a balance.

    Of everything that counts up to and including `at`, as far as it was recorded by `known_at`; a time that is left out
    has no end. With `children` the account and all below it are added up, in the account's normal direction. There need
    be no account at the path itself then: the direction is that of the accounts below, and debit if they differ.
    """
    asked = request.asked
    path = parameters.account_path(request.matchdict["path"])
    at, known_at = wishes.moment(asked.at), wishes.moment(asked.known_at)
    found = queries.get_balance(
        request.dbsession, request.ledger, path, with_children=asked.children, at=at, known_at=known_at
    )
    exponents = request.registry["myapp.exponents"].of(request.dbsession, request.ledger, found.balances.keys())
    answer = PathBalance(
        path=path,
        at=at,
        known_at=known_at,
        children=asked.children,
        normal_side=found.normal_side,
        balances=answers.balances(found.balances, found.normal_side, exponents),
    )
    return respond.answer(respond.encode(answer))
