"""The reports' views. Each answers from one snapshot: figures that were read at different moments would not agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

import msgspec
from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import cursors, errors, media, pages, parameters, respond, security, statements, wishes
from myapp.api.reports import answers, csv_text, rows, schemas
from myapp.api.reports.csv_text import Row
from myapp.api.request import Request
from myapp.ledger import queries, reports

REFUSALS = ("unknown-currency", "missing-price")
FORMATS = {"json": respond.MEDIA_TYPE, "csv": media.CSV}
# Times are kept to the microsecond: the last one of a period is this much before its end.
TICK = timedelta(microseconds=1)

Asked: TypeAlias = schemas.ReportQuery | schemas.AccountStatementQuery


@view_config(
    route_name="trial-balance",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=schemas.BalancesQuery,
    answers={200: media.Table(schemas.TrialBalance)},
    refusals=REFUSALS,
)
def get_trial_balance(request: Request[None, schemas.BalancesQuery]) -> Response:
    """Get the trial balance.

    The balance of every account in its column, nested by path. The totals of the columns are equal in every currency.
    """
    at = wishes.moment(request.asked.at) or request.now
    known_at = wishes.moment(request.asked.known_at)
    read = _value(request, queries.figures_at(request.dbsession, request.ledger, at=at, known_at=known_at), at)
    made = reports.trial_balance(read.figures, _shape(request.asked), is_valued=read.valued is not None)
    return _respond(
        request,
        lambda: answers.trial_balance(made, read.exponents, at=at, known_at=known_at, valued=read.valued),
        lambda: rows.trial_balance(made, read.exponents),
    )


@view_config(
    route_name="balance-sheet",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=schemas.BalancesQuery,
    answers={200: media.Table(schemas.BalanceSheet)},
    refusals=REFUSALS,
)
def get_balance_sheet(request: Request[None, schemas.BalancesQuery]) -> Response:
    """Get the balance sheet.

    Assets, liabilities and equity, nested by path. What was earned so far is a line of equity, so that the sheet
    balances in every currency without the books being closed.
    """
    at = wishes.moment(request.asked.at) or request.now
    known_at = wishes.moment(request.asked.known_at)
    read = _value(request, queries.figures_at(request.dbsession, request.ledger, at=at, known_at=known_at), at)
    made = reports.balance_sheet(read.figures, _shape(request.asked), is_valued=read.valued is not None)
    return _respond(
        request,
        lambda: answers.balance_sheet(made, read.exponents, at=at, known_at=known_at, valued=read.valued),
        lambda: rows.balance_sheet(made, read.exponents),
    )


@view_config(
    route_name="income-statement",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=schemas.PeriodQuery,
    answers={200: media.Table(schemas.IncomeStatement)},
    refusals=REFUSALS,
)
def get_income_statement(request: Request[None, schemas.PeriodQuery]) -> Response:
    """Get the income statement.

    What a period brought and took, nested by path. Values are those at the end of the period.
    """
    since, until = _period(request)
    known_at = wishes.moment(request.asked.known_at)
    figures = queries.figures_between(
        request.dbsession, request.ledger, effective_from=since, effective_to=until, known_at=known_at
    )
    read = _value(request, [figure for figure in figures if figure.type in reports.RESULT], until - TICK)
    made = reports.income_statement(read.figures, _shape(request.asked))
    return _respond(
        request,
        lambda: answers.income_statement(
            made, read.exponents, period=(since, until), known_at=known_at, valued=read.valued
        ),
        lambda: rows.income_statement(made, read.exponents),
    )


@view_config(
    route_name="account-statement",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=schemas.AccountStatementQuery,
    answers={200: media.Table(schemas.AccountStatement)},
)
def get_account_statement(request: Request[None, schemas.AccountStatementQuery]) -> Response:
    """Get the statement of an account.

    What it began with, what was posted to it, with the running balance, and what it came to. The lines come in pages;
    the balances are those of the whole period on each. In CSV the opening stands on the first page, totals and closing
    on the last.
    """
    asked = request.asked
    since, until = _period(request)
    read = queries.account_statement(
        request.dbsession,
        request.ledger,
        asked.account,
        effective_from=since,
        effective_to=until,
        known_at=wishes.moment(asked.known_at),
        after=statements.position(cursors.decode(asked.after, cursors.StatementCursor)),
        limit=asked.limit + 1,
    )
    lines = read.lines[: asked.limit]
    following = cursors.encode(statements.cursor(lines[-1])) if len(read.lines) > len(lines) else None
    exponents = request.registry["myapp.exponents"].of(request.dbsession, request.ledger, read.flows.keys())
    page = answers.Page(lines=lines, is_first=asked.after is None, next=following)
    return _respond(
        request,
        lambda: answers.account_statement(
            read, page, exponents, period=(since, until), known_at=wishes.moment(asked.known_at)
        ),
        lambda: rows.account_statement(read, page, exponents),
        headers=() if following is None else [respond.next_link(request, following)],
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """The figures to show, and the exponents of their currencies."""

    figures: Sequence[reports.Figure]
    valued: reports.Valued | None
    exponents: Mapping[str, int]


def _value(request: Request[None, schemas.ReportQuery], figures: Sequence[reports.Figure], at: datetime) -> _Read:
    asked = request.asked
    if asked.value is None and asked.price:
        name = f"price.{next(iter(asked.price))}"
        raise errors.BadParameter(f"The parameter {name!r} needs the parameter 'value' beside it, to value in.")
    if asked.value in asked.price:
        name = f"price.{asked.value}"
        raise errors.BadParameter(f"The parameter {name!r} has no use: {asked.value} is what is valued in.")
    codes = {code for figure in figures for code in figure.nets}
    wanted = set() if asked.value is None else {asked.value}
    exponents = request.registry["myapp.exponents"].of(request.dbsession, request.ledger, codes | wanted)
    if asked.value is None:
        return _Read(figures, None, exponents)
    valued = queries.value_figures(
        request.dbsession,
        request.ledger,
        figures,
        asked.value,
        given={code: Decimal(price) for code, price in asked.price.items()},
        exponents=exponents,
        at=at,
        known_at=wishes.moment(asked.known_at),
    )
    return _Read(valued.figures, valued, exponents)


def _shape(asked: schemas.ReportQuery) -> reports.Shape:
    return reports.Shape(depth=asked.depth, zero=asked.zero)


def _period(
    request: Request[None, schemas.PeriodQuery | schemas.AccountStatementQuery],
) -> tuple[datetime | None, datetime]:
    """Return the first time and the one to stop before."""
    since, until = wishes.moment(request.asked.from_), wishes.moment(request.asked.to) or request.now
    if since is not None:
        # `to` may be now.
        parameters.check_range(since, until)
    return since, until


def _respond(
    request: Request[None, Asked],
    make_answer: Callable[[], msgspec.Struct],
    make_rows: Callable[[], Iterable[Row]],
    *,
    headers: respond.Headers = (),
) -> Response:
    """Return the report as what the client asked for: by the parameter, else by what it accepts."""
    varies = ("Vary", "Accept")
    if _media_type(request) == respond.MEDIA_TYPE:
        return respond.answer(respond.encode(make_answer()), headers=[varies, *headers])
    name = f"{request.ledger.name}-{request.matched_route.name}.csv"
    return Response(
        body=csv_text.encode(make_rows()),
        headerlist=[
            ("Content-Type", f"{media.CSV}; charset=utf-8"),
            ("Content-Disposition", f'attachment; filename="{name}"'),
            ("Cache-Control", "no-store"),
            varies,
            *headers,
        ],
    )


def _media_type(request: Request[None, Asked]) -> str:
    if request.asked.format is None:
        return media.preferred(request, list(FORMATS.values()))
    return FORMATS[request.asked.format]
