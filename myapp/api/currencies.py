"""Currencies: declare one, list those declared."""

from __future__ import annotations

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import answers, cursors, pages, parameters, respond, schemas, security
from myapp.api.request import Request
from myapp.ledger import errors as ledger_errors
from myapp.ledger import model, operations, queries


@view_config(
    route_name="currency",
    request_method="PUT",
    permission=security.WRITE,
    body=schemas.NewCurrency,
    answers={200: schemas.Currency, 201: schemas.Currency},
    refusals=("already-exists",),
)
def declare_currency(request: Request[schemas.NewCurrency, schemas.NoQuery]) -> Response:
    """Declare a currency.

    With its number of decimal digits, which never changes. ISO 4217 currencies need no declaration. Declaring a
    currency again with the same exponent changes nothing.
    """
    code = parameters.currency_code(request.matchdict["code"])
    currency = model.Currency(code=code, exponent=request.wanted.exponent)
    is_new = operations.declare_currency(request.dbsession, request.ledger, currency, now=request.now)
    body = respond.encode(answers.currency(currency))
    if not is_new:
        return respond.answer(body)
    location = respond.address("ledgers", request.ledger.name, "currencies", code)
    return respond.created(request, body, location=location, replayed=False)


@view_config(
    route_name="currency",
    request_method="GET",
    permission=security.READ,
    answers={200: schemas.Currency},
)
def get_currency(request: Request[None, schemas.NoQuery]) -> Response:
    """Look at a currency.

    One of ISO 4217, or one that the ledger has declared.
    """
    code = parameters.currency_code(request.matchdict["code"])
    exponent = queries.exponents(request.dbsession, request.ledger, [code]).get(code)
    if exponent is None:
        raise ledger_errors.NotFound(f"There is no currency {code}; declare it with PUT.")
    return respond.answer(respond.encode(schemas.Currency(code=code, exponent=exponent)))


@view_config(
    route_name="currencies",
    request_method="GET",
    permission=security.READ,
    query=schemas.Page,
    answers={200: schemas.Listed[schemas.Currency]},
)
def list_currencies(request: Request[None, schemas.Page]) -> Response:
    """List currencies.

    By code; those that the ledger has declared or used.
    """
    asked = request.asked
    after = cursors.decode(asked.after, cursors.CurrencyCursor)
    rows = queries.list_currencies(
        request.dbsession, request.ledger, after=None if after is None else after.code, limit=asked.limit + 1
    )
    return pages.respond_with(
        request, rows, limit=asked.limit, item=answers.currency, cursor=lambda each: cursors.CurrencyCursor(each.code)
    )
