"""What a person decides about one line: accept a match, record what is missing, or reject."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors as ledger_errors
from myapp.ledger import ids, operations, queries, upsert
from myapp.ledger.bank import accounts, candidates, errors, importing, reading, settling
from myapp.ledger.bank.candidates import Money
from myapp.ledger.bank.model import How, Line, State
from myapp.ledger.bank.scoring import PostingKey
from myapp.ledger.bank.tables import bank_lines, bank_matches, bank_proposals
from myapp.ledger.columns import AnyRow
from myapp.ledger.events import writing
from myapp.ledger.model import EventType, Ledger, NewPosting, NewTransaction, Side
from myapp.ledger.recording import Form

# The line of the other account in what is recorded for a line.
TO_LINE = 1


def accept(
    session: Session, ledger: Ledger, line_id: UUID, *, transaction_id: UUID | None = None, now: datetime
) -> Line:
    """Match a line with its only proposal, or with the transaction named, proposed or not.

    Raises:
        NotFound: there is no such line.
        AlreadyMatched: it, or the posting, has its match.
        NothingProposed: nothing is, or several are and none is named.
        NotMatching: the transaction named has no free posting of the line's amount on the account it is matched on.
    """
    row = _lock(session, ledger, line_id)
    if transaction_id is None:
        key = _only_proposal(session, ledger, line_id)
    else:
        key = _posting_of(session, ledger, row, transaction_id)
    settling.settle(session, ledger, {line_id: key}, how=How.ACCEPTED, now=now)
    return reading.get_line(session, ledger, line_id)


def record_missing(
    session: Session,
    ledger: Ledger,
    line_id: UUID,
    *,
    to: str,
    effective_at: datetime | None = None,
    now: datetime,
    form: Form,
) -> Line:
    """Record what a line tells and the books lack, with `to` as the other account, and match the two.

    It counts from the line's day unless `effective_at` says otherwise, as for a day that is closed.
    Raises:
        NotFound: there is no such line.
        AlreadyMatched: it has its match.
        Refusal: of recording.
    """
    row = _lock(session, ledger, line_id)
    counts_at = effective_at or importing.moment_of(row.booked_on)
    transaction = _missing(session, ledger, row, to, counts_at)
    try:
        recorded = operations.record(session, ledger, [transaction], now=now, form=form)
    except ledger_errors.Refusal as refusal:
        raise refusal.within("to") if refusal.line == TO_LINE else refusal from None
    key = (recorded.transactions[0].id, 0)
    settling.settle(session, ledger, {line_id: key}, how=How.RECORDED, now=now)
    return reading.get_line(session, ledger, line_id)


def reject(
    session: Session, ledger: Ledger, line_id: UUID, *, transaction_id: UUID | None = None, now: datetime
) -> Line:
    """Drop a line's match, or its proposals, for good; with a transaction named, only the proposal of that one.

    Nothing that was recorded is changed by it.
    Raises:
        NotFound: there is no such line.
        NothingProposed: there is nothing to reject.
    """
    row = _lock(session, ledger, line_id, unmatched=False)
    if row.state == State.MATCHED.value:
        _unmatch(session, ledger, row, transaction_id, now=now)
    else:
        _reject_proposals(session, ledger, line_id, transaction_id, now=now)
        settling.reopen_without_proposals(session, ledger, [line_id])
    return reading.get_line(session, ledger, line_id)


def _lock(session: Session, ledger: Ledger, line_id: UUID, *, unmatched: bool = True) -> AnyRow:
    """Return the line as it is once nobody else decides about what it is matched with."""
    query = sa.select(bank_lines).where(bank_lines.c.ledger_id == ledger.id, bank_lines.c.id == line_id)
    found = session.execute(query).one_or_none()
    if found is None:
        raise ledger_errors.NotFound(f"There is no bank line {line_id}.")
    accounts.lock(session, ledger, [found.against_id])
    row = session.execute(query).one()
    if unmatched and row.state == State.MATCHED.value:
        raise errors.AlreadyMatched(f"The bank line {line_id} has its match; reject that first.")
    return row


def _only_proposal(session: Session, ledger: Ledger, line_id: UUID) -> PostingKey:
    rows = session.execute(sa.select(bank_proposals).where(_is_proposal_of(ledger, line_id))).all()
    if not rows:
        raise errors.NothingProposed("Nothing is proposed for this bank line: name a transaction, or an account.")
    if len(rows) > 1:
        detail = f"{len(rows)} transactions are proposed for this bank line: name the one that is meant."
        raise errors.NothingProposed(detail)
    return rows[0].transaction_id, rows[0].posting_line


def _posting_of(session: Session, ledger: Ledger, line: AnyRow, transaction_id: UUID) -> PostingKey:
    wanted = Money(line.against_id, line.side, line.currency, line.amount)
    rows = candidates.of_transactions(session, ledger, [transaction_id])
    fitting = [candidates.key_of(row) for row in rows if candidates.money_of(row) == wanted]
    free = candidates.choose(session, ledger, rows, wanted=[wanted], not_of=line.account_id)
    if free:
        return free[0].candidate.key
    if fitting and _has_match(session, ledger, fitting):
        raise errors.AlreadyMatched(f"What transaction {transaction_id} posted has its match already.")
    raise errors.NotMatching(
        f"Transaction {transaction_id} has no {line.side} of this amount and currency on the account that the bank "
        "line is matched on, or it was reversed, or is a line of the same bank account."
    )


def _has_match(session: Session, ledger: Ledger, keys: Sequence[PostingKey]) -> bool:
    query = sa.select(bank_matches.c.posting_line).where(
        bank_matches.c.ledger_id == ledger.id, bank_matches.c.transaction_id == keys[0][0]
    )
    return not {line for _, line in keys}.isdisjoint(session.scalars(query))


def _missing(session: Session, ledger: Ledger, line: AnyRow, to: str, counts_at: datetime) -> NewTransaction:
    exponent = queries.exponents(session, ledger, [line.currency])[line.currency]
    against = accounts.paths_of(session, ledger, [line.against_id])[line.against_id]
    amount = Decimal(line.amount).scaleb(-exponent)
    side = Side(line.side)
    other = Side.CREDIT if side is Side.DEBIT else Side.DEBIT
    return NewTransaction(
        postings=[
            NewPosting(account=against, currency=line.currency, side=side, amount=amount),
            NewPosting(account=to, currency=line.currency, side=other, amount=amount),
        ],
        description=importing.describe(line.details),
        effective_at=counts_at,
        metadata={**importing.metadata(line.details), f"{importing.METADATA_PREFIX}line": str(line.id)},
    )


def _unmatch(session: Session, ledger: Ledger, line: AnyRow, transaction_id: UUID | None, *, now: datetime) -> None:
    """Take the match away, also of the other side of a transfer, and remember that it was wrong."""
    is_its = sa.and_(bank_matches.c.ledger_id == ledger.id, bank_matches.c.line_id == line.id)
    row = session.execute(sa.select(bank_matches).where(is_its)).one()
    if transaction_id not in (None, row.transaction_id):
        raise errors.NothingProposed(f"The bank line is matched with transaction {row.transaction_id}, not that one.")
    session.execute(sa.delete(bank_matches).where(is_its))
    rejected = {
        "ledger_id": ledger.id,
        "line_id": line.id,
        "transaction_id": row.transaction_id,
        "posting_line": row.posting_line,
        "score": 0,
        "reasons": [],
        "rejected": True,
    }
    insert = upsert.insert(upsert.dialect_of(session), bank_proposals).on_conflict_do_update(
        index_elements=["ledger_id", "line_id", "transaction_id", "posting_line"], set_={"rejected": True}
    )
    session.execute(insert, [rejected])
    opened = [line.id]
    if line.transaction_id is not None:
        delete = sa.delete(bank_matches).where(
            bank_matches.c.ledger_id == ledger.id, bank_matches.c.transaction_id == line.transaction_id
        )
        opened += session.scalars(delete.returning(bank_matches.c.line_id))
    settling.unmatched(session, ledger, opened, now=now)


def _reject_proposals(
    session: Session, ledger: Ledger, line_id: UUID, transaction_id: UUID | None, *, now: datetime
) -> None:
    update = sa.update(bank_proposals).where(_is_proposal_of(ledger, line_id)).values(rejected=True)
    if transaction_id is not None:
        update = update.where(bank_proposals.c.transaction_id == transaction_id)
    rejected = session.scalars(update.returning(bank_proposals.c.transaction_id)).all()
    if not rejected:
        raise errors.NothingProposed("There is nothing to reject: no such transaction is proposed for this bank line.")
    payload = {"line": str(line_id), "transactions": sorted({str(each) for each in rejected})}
    kind = EventType.BANK_LINE_REJECTED
    writing.announce(session, ledger.id, kind, id=ids.new_id(now), payload=payload, now=now)


def _is_proposal_of(ledger: Ledger, line_id: UUID) -> sa.ColumnElement[bool]:
    return sa.and_(
        bank_proposals.c.ledger_id == ledger.id,
        bank_proposals.c.line_id == line_id,
        bank_proposals.c.rejected.is_(sa.false()),
    )
