"""Bank lines: list them, match them, accept or reject what is proposed, and their totals."""

from __future__ import annotations

from collections.abc import Callable, Collection
from uuid import UUID

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import cursors as cursor_texts
from myapp.api import expiry, idempotency, pages, parameters, respond, security, wishes
from myapp.api.bank import answers, cursors, schemas
from myapp.api.request import AnyRequest, Request
from myapp.api.schemas import Listed, NoQuery
from myapp.api.transactions import REFUSALS as RECORDING_REFUSALS
from myapp.ledger import bank
from myapp.ledger import idempotency as keys
from myapp.ledger.idempotency import StoredAnswer

DONE = 200


@view_config(
    route_name="bank_lines",
    request_method="GET",
    permission=security.READ,
    db=pages.ONE_SNAPSHOT,
    query=schemas.LinesQuery,
    answers={200: Listed[schemas.BankLine]},
)
def list_bank_lines(request: Request[None, schemas.LinesQuery]) -> Response:
    """List the bank lines of an account.

    By day, with what each is matched with or may mean.
    """
    asked = request.asked
    after = cursor_texts.decode(asked.after, cursors.BankLineCursor)
    rows = bank.list_lines(
        request.dbsession,
        request.ledger,
        _path(request),
        state=asked.state,
        after=None if after is None else bank.LinePosition(after.booked_on, after.id),
        limit=asked.limit + 1,
    )
    exponents = _exponents(request, {row.currency for row in rows})
    return pages.respond_with(
        request,
        rows,
        limit=asked.limit,
        item=lambda row: answers.line(row, exponents),
        cursor=lambda row: cursors.BankLineCursor(row.booked_on, row.id),
    )


@view_config(
    route_name="bank_report",
    request_method="GET",
    permission=security.READ,
    answers={200: schemas.Report},
)
def report_bank_lines(request: Request[None, NoQuery]) -> Response:
    """Sum the bank lines of an account.

    By state and currency: what is matched, proposed and open.
    """
    path = _path(request)
    totals = bank.total_lines(request.dbsession, request.ledger, path)
    exponents = _exponents(request, {each.currency for each in totals})
    return respond.answer(respond.encode(answers.report(path, totals, exponents)))


@view_config(
    route_name="bank_match",
    request_method="POST",
    permission=security.WRITE,
    body=schemas.NewRun,
    headers=("Idempotency-Key",),
    answers={200: schemas.Run},
)
def match_bank_lines(request: Request[schemas.NewRun, NoQuery]) -> Response:
    """Match the bank lines of an account.

    Those without a match. The same reference and amount is matched at once; what has the amount and is near in time is
    proposed. Earlier proposals are made anew, and what was rejected is not proposed again.
    """

    def run() -> bytes:
        done = bank.match(request.dbsession, request.ledger, _path(request), days=request.wanted.days, now=request.now)
        return respond.encode(answers.run(done))

    return _once(request, run)


@view_config(
    route_name="bank_line",
    request_method="GET",
    permission=security.READ,
    answers={200: schemas.BankLine},
)
def get_bank_line(request: Request[None, NoQuery]) -> Response:
    """Look at a bank line."""
    return respond.answer(_encode(request, bank.get_line(request.dbsession, request.ledger, _line_id(request))))


@view_config(
    route_name="bank_line_accept",
    request_method="POST",
    permission=security.WRITE,
    body=schemas.Acceptance,
    headers=("Idempotency-Key",),
    answers={200: schemas.BankLine},
    refusals=("already-matched", "nothing-proposed", "not-matching"),
)
def accept_bank_line(request: Request[schemas.Acceptance, NoQuery]) -> Response:
    """Accept what a bank line means.

    Its only proposal; or with `transaction`, that one. The line and the posting have each other from then on, and
    nothing else.
    """

    def accept() -> bytes:
        line = bank.accept(
            request.dbsession,
            request.ledger,
            _line_id(request),
            transaction_id=request.wanted.transaction,
            now=request.now,
        )
        return _encode(request, line)

    return _once(request, accept)


@view_config(
    route_name="bank_line_record",
    request_method="POST",
    permission=security.WRITE,
    body=schemas.Missing,
    headers=("Idempotency-Key",),
    answers={200: schemas.BankLine},
    refusals=("already-matched", *RECORDING_REFUSALS),
)
def record_missing_of_bank_line(request: Request[schemas.Missing, NoQuery]) -> Response:
    """Record what a bank line tells and the books lack.

    A transaction of the line's day and amount between the account that the line is matched on and `to`; the line is
    matched with it.
    """

    def record() -> bytes:
        with expiry.considered(request):
            line = bank.record_missing(
                request.dbsession,
                request.ledger,
                _line_id(request),
                to=request.wanted.to,
                effective_at=wishes.moment(request.wanted.effective_at),
                now=request.now,
                form=request.registry["myapp.recording"],
            )
        return _encode(request, line)

    return _once(request, record)


@view_config(
    route_name="bank_line_reject",
    request_method="POST",
    permission=security.WRITE,
    body=schemas.Rejection,
    headers=("Idempotency-Key",),
    answers={200: schemas.BankLine},
    refusals=("nothing-proposed",),
)
def reject_bank_line(request: Request[schemas.Rejection, NoQuery]) -> Response:
    """Reject what is proposed for a bank line.

    All of it, or one transaction; it is not proposed again. Of a line that is matched, the match: what was recorded
    stays as it is.
    """

    def reject() -> bytes:
        line = bank.reject(
            request.dbsession,
            request.ledger,
            _line_id(request),
            transaction_id=request.wanted.transaction,
            now=request.now,
        )
        return _encode(request, line)

    return _once(request, reject)


def _path(request: AnyRequest) -> str:
    return parameters.account_path(request.matchdict["path"])


def _line_id(request: AnyRequest) -> UUID:
    return parameters.bank_line_id(request.matchdict["line"])


def _encode(request: AnyRequest, line: bank.Line) -> bytes:
    return respond.encode(answers.line(line, _exponents(request, {line.currency})))


def _exponents(request: AnyRequest, codes: Collection[str]) -> answers.Exponents:
    return request.registry["myapp.exponents"].of(request.dbsession, request.ledger, codes)  # type: ignore[no-any-return]


def _once(request: AnyRequest, make: Callable[[], bytes]) -> Response:
    """Answer with what `make` did, or with what it did for the first request with the same key."""
    claimed = idempotency.claim(request)
    if claimed is None:
        return respond.answer(make())
    stored = keys.take(request.dbsession, request.ledger.id, claimed, now=request.now)
    if stored is not None:
        return respond.answer(stored.body, headers=[("Idempotency-Replayed", "true")])
    body = make()
    keys.remember(request.dbsession, request.ledger.id, claimed.key, StoredAnswer(status=DONE, body=body))
    return respond.answer(body)
