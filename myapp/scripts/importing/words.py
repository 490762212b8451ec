"""What a journal says besides amounts, as a transaction's description and metadata.

Keys of our own contain a dot, which no key in a journal can, so they never meet:

    beancount.flag        the flag, where it is not `*`
    beancount.payee       the payee, which also begins the description
    beancount.tags        the tags, apart by blanks
    beancount.links       the links, apart by blanks
    beancount.line.N      line N's lot, price and flag, in Beancount's own notation
    beancount.line.N.KEY  what the journal notes under that line
    KEY                   what it notes under the transaction
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from beancount.core import data, display_context, position

from myapp.scripts.importing import own
from myapp.scripts.importing.fitting import Fitted, fit

USUAL_FLAG = "*"


def of_transaction(entry: data.Transaction, lines: Iterable[tuple[int, data.Posting]], noted: own.Noted) -> Fitted:
    """Return the words of a transaction; `lines` are its postings by their line in the ledger."""
    lines = list(lines)
    pairs = [
        *_own(entry),
        *_of_lines(lines),
        *noted.metadata().items(),
        *_noted(noted.rest),
        *_noted_on_lines(lines),
    ]
    fitted = fit(" | ".join(filter(None, (entry.payee, entry.narration))), pairs)
    return replace(fitted, description=noted.description(fitted.description))


def of_account(entry: data.Open, closed: date | None, noted: own.Noted) -> Fitted:
    """Return the words of an account; one of our own export has all its metadata already."""
    if noted.path is not None:
        return fit("", [*noted.metadata().items(), *_noted(noted.rest)])
    pairs = [("beancount.opened", entry.date.isoformat())]
    if closed is not None:
        pairs.append(("beancount.closed", closed.isoformat()))
    if entry.booking is not None:
        pairs.append(("beancount.booking", entry.booking.name))
    return fit("", [*pairs, *_noted(noted.rest)])


def of_line(posting: data.Posting) -> str:
    """Return a posting's lot, price and flag in Beancount's notation; empty where it has none."""
    lot = position.cost_to_str(posting.cost, display_context.DEFAULT_FORMATTER) if posting.cost is not None else None  # type: ignore[no-untyped-call]
    price = f"@ {posting.price}" if posting.price is not None else None
    return " ".join(filter(None, (posting.flag, f"{{{lot}}}" if lot is not None else None, price)))


def _own(entry: data.Transaction) -> Iterator[tuple[str, str]]:
    if entry.flag and entry.flag != USUAL_FLAG:
        yield "beancount.flag", entry.flag
    if entry.payee:
        yield "beancount.payee", entry.payee
    if entry.tags:
        yield "beancount.tags", " ".join(sorted(entry.tags))
    if entry.links:
        yield "beancount.links", " ".join(sorted(entry.links))


def _of_lines(lines: Iterable[tuple[int, data.Posting]]) -> Iterator[tuple[str, str]]:
    for number, posting in lines:
        if words := of_line(posting):
            yield f"beancount.line.{number}", words


def _noted_on_lines(lines: Iterable[tuple[int, data.Posting]]) -> Iterator[tuple[str, str]]:
    for number, posting in lines:
        for key, value in _noted(posting.meta or {}):
            yield f"beancount.line.{number}.{key}", value


def _noted(meta: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield what the author noted; the file, the line and Beancount's own marks are not the author's."""
    for key, value in meta.items():
        if key not in ("filename", "lineno") and not key.startswith("__"):
            yield key, "" if value is None else str(value)
