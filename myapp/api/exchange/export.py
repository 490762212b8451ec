"""Export: the whole book, or what is effective in a period, in a format that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy.orm import Session

from myapp.api import media, security, wishes
from myapp.api.exchange import beancount, book, hledger, ndjson, table
from myapp.api.exchange.book import Book
from myapp.api.exchange.schemas import ExportQuery, Format
from myapp.api.request import Request
from myapp.ledger import queries


@dataclass(frozen=True, slots=True)
class Writer:
    """How a format is written, called and named."""

    write: Callable[[Book], Iterator[bytes]]
    media_type: str
    suffix: str


WRITERS: Mapping[Format, Writer] = {
    Format.BEANCOUNT: Writer(beancount.write, "text/plain", "beancount"),
    Format.HLEDGER: Writer(hledger.write, "text/plain", "journal"),
    Format.CSV: Writer(table.write, "text/csv", "csv"),
    Format.NDJSON: Writer(ndjson.write, "application/x-ndjson", "ndjson"),
}
MEDIA_TYPES = tuple(dict.fromkeys(writer.media_type for writer in WRITERS.values()))
# Half an hour is 180 million postings on a fast day.
SECONDS_MAX = 1_800


@view_config(
    route_name="export",
    request_method="GET",
    permission=security.READ,
    query=ExportQuery,
    answers={200: media.Stream(MEDIA_TYPES)},
    # One snapshot for all its statements; from the primary, since a replica would cut a long one off.
    db={"isolation": "REPEATABLE READ", "timeout": SECONDS_MAX, "primary": True},
)
def export_ledger(request: Request[None, ExportQuery]) -> Response:
    """Export a ledger.

    Streamed, as it is at one moment. A transfer that breaks is not whole: it ends without its last chunk.
    """
    asked, ledger = request.asked, request.ledger
    writer = WRITERS[asked.format]
    media.require_accepted(request, [writer.media_type])
    period = queries.Period(wishes.moment(asked.from_), wishes.moment(asked.to))

    def rows(session: Session) -> Iterator[bytes]:
        return writer.write(book.read(session, ledger, period))

    response = Response(app_iter=request.dbstream(rows), content_type=writer.media_type)
    if writer.media_type.startswith("text/"):
        response.charset = "utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="{ledger.name}.{writer.suffix}"'
    response.headers["Cache-Control"] = "no-store"
    return response
