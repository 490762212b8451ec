"""Statements: the postings of one account with the running balance."""

from __future__ import annotations

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import answers, cursors, fields, pages, parameters, schemas, security, wishes
from myapp.api.request import Request
from myapp.ledger import model, queries


@view_config(
    route_name="postings",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=schemas.StatementQuery,
    answers={200: schemas.Listed[schemas.StatementLine]},
)
def list_postings(request: Request[None, schemas.StatementQuery]) -> Response:
    """List an account's postings.

    What was posted, the earliest effective first, each with the running balance; what a hold reserves is not on it.
    With `known_at` the statement is as it was then, without what was recorded later.
    """
    asked = request.asked
    rows = queries.list_postings(
        request.dbsession,
        request.ledger,
        parameters.account_path(request.matchdict["path"]),
        effective_from=wishes.moment(asked.from_),
        effective_to=wishes.moment(asked.to),
        known_at=wishes.moment(asked.known_at),
        after=position(cursors.decode(asked.after, cursors.StatementCursor)),
        limit=asked.limit + 1,
    )
    codes = {line.currency for line in rows}
    exponents = request.registry["myapp.exponents"].of(request.dbsession, request.ledger, codes)
    return pages.respond_with(
        request,
        rows,
        limit=asked.limit,
        item=lambda line: answers.statement_line(line, exponents),
        cursor=cursor,
    )


def cursor(line: model.StatementLine) -> cursors.StatementCursor:
    """Return the cursor of what comes after a line."""
    return cursors.StatementCursor(fields.Instant(line.effective_at), line.balance_version, line.currency)


def position(after: cursors.StatementCursor | None) -> queries.PostingPosition | None:
    """Return where a cursor points to."""
    if after is None:
        return None
    return queries.PostingPosition(
        effective_at=after.effective_at.at, balance_version=after.balance_version, currency=after.currency
    )
