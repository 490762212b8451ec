"""Say why a request that has met a refusal in the database is refused, the same for both forms.

The order is that of docs/ledger.md, "Refusals": each check covers the whole request before the next begins, and names
the first transaction and line at fault. What the request has written by then its caller rolls back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp import errors as root
from myapp.db import errors as db_errors
from myapp.ledger import chunks, errors
from myapp.ledger.model import AMOUNT_MINOR_MAX, Counters
from myapp.ledger.plan import Line
from myapp.ledger.recording.request import Key, Request
from myapp.ledger.tables import balances, transactions


def duplicate(session: Session, request: Request) -> errors.DuplicateReference | None:
    """Return the refusal of the first reference that another transaction has, in the ledger or in the request."""
    holders = _read_holders(session, request)
    earlier: set[str] = set()
    for index, entry in enumerate(request.entries):
        if entry.reference is None:
            continue
        holder = holders.get(entry.reference)
        if holder is not None:
            detail = f"Transaction {holder} has the reference {entry.reference!r}."
            return errors.DuplicateReference(detail, index=index, transaction_id=holder)
        if entry.reference in earlier:
            detail = f"The reference {entry.reference!r} occurs twice in the request."
            return errors.DuplicateReference(detail, index=index)
        earlier.add(entry.reference)
    return None


def _read_holders(session: Session, request: Request) -> Mapping[str, UUID]:
    """Return who has the references of the request, besides the request itself."""
    references = sorted({entry.reference for entry in request.entries if entry.reference is not None})
    own = set(request.ids)
    holders: dict[str, UUID] = {}
    for some in chunks.of(references):
        query = sa.select(transactions.c.reference, transactions.c.id).where(
            transactions.c.ledger_id == request.ledger.id, transactions.c.reference.in_(some)
        )
        holders |= {row.reference: row.id for row in session.execute(query) if row.id not in own}
    return holders


def overflow(
    session: Session, request: Request, keys: Sequence[Key], moved: Collection[Key]
) -> errors.AmountOutOfRange | None:
    """Return the refusal of the first line that makes a counter overflow.

    `keys` has one for each slot. The balances of those in `moved` took everything and count no more; the others are
    as they were.
    """
    before = _read_totals(session, request, [key for key in keys if key not in moved])
    for line in request.plan.lines:
        held = before.get(keys[line.slot])
        if held is not None and max(held.debits + _debits(line), held.credits + _credits(line)) > AMOUNT_MINOR_MAX:
            detail = f"The total of {request.plan.slots[line.slot].path} would not fit in 64 bits."
            return errors.AmountOutOfRange(detail).at(line.transaction, line.line)
    return None


class _Total(NamedTuple):
    """What is posted and what is pending together, for that may be posted too."""

    debits: int
    credits: int


def _debits(line: Line) -> int:
    return line.total.debits + line.total.debits_pending


def _credits(line: Line) -> int:
    return line.total.credits + line.total.credits_pending


def _read_totals(session: Session, request: Request, keys: Sequence[Key]) -> Mapping[Key, _Total]:
    """Return what the balances hold; one without a row holds nothing."""
    totals = dict.fromkeys(keys, _Total(0, 0))
    columns = (
        balances.c.account_id,
        balances.c.currency,
        *(balances.c[name] for name in Counters.__dataclass_fields__),
    )
    for some in chunks.of(sorted({key.account_id for key in keys})):
        query = sa.select(*columns).where(balances.c.ledger_id == request.ledger.id, balances.c.account_id.in_(some))
        for row in session.execute(query):
            key = Key(row.account_id, row.currency)
            if key in totals:
                totals[key] = _Total(row.debits_posted + row.debits_pending, row.credits_posted + row.credits_pending)
    return totals


def gone() -> root.MyappError:
    """Return the refusal of a request that met something which is there no more.

    To try again is right; to guess a reason is not.
    """
    return db_errors.Conflict("Another request changed what this one needs at the same time; nothing was recorded.")
