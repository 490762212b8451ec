"""Read bank lines with their matches and proposals, and their totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, errors
from myapp.ledger.bank import accounts
from myapp.ledger.bank.model import How, Line, Match, Proposal, State, Total
from myapp.ledger.bank.tables import bank_lines, bank_matches, bank_proposals
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Ledger, Side
from myapp.ledger.queries import by_key
from myapp.ledger.tables import transactions


class LinePosition(NamedTuple):
    """A line's place among those of its account: by day, then in the order in which they were imported."""

    booked_on: date
    id: UUID


def get_line(session: Session, ledger: Ledger, line_id: UUID) -> Line:
    """Raises: NotFound."""
    query = sa.select(bank_lines).where(bank_lines.c.ledger_id == ledger.id, bank_lines.c.id == line_id)
    found = _whole(session, ledger, session.execute(query).all())
    if not found:
        raise errors.NotFound(f"There is no bank line {line_id}.")
    return found[0]


def list_lines(
    session: Session,
    ledger: Ledger,
    account: str,
    *,
    state: State | None = None,
    after: LinePosition | None = None,
    limit: int,
) -> Sequence[Line]:
    """List the lines of a bank account, the oldest first, from the one after `after`.

    Raises:
        NotFound: there is no such account.
    """
    account_id = accounts.id_of(session, ledger, account)
    query = sa.select(bank_lines).where(bank_lines.c.ledger_id == ledger.id, bank_lines.c.account_id == account_id)
    if state is not None:
        query = query.where(bank_lines.c.state == state.value)
    if after is not None:
        columns = (bank_lines.c.booked_on, bank_lines.c.id)
        values = (sa.literal(value, column.type) for value, column in zip(after, columns, strict=True))
        query = query.where(sa.tuple_(*columns) > sa.tuple_(*values))
    rows = session.execute(query.order_by(bank_lines.c.booked_on, bank_lines.c.id).limit(limit)).all()
    return _whole(session, ledger, rows)


def total_lines(session: Session, ledger: Ledger, account: str) -> Sequence[Total]:
    """Sum the lines of a bank account by state and currency.

    Raises:
        NotFound: there is no such account.
    """
    account_id = accounts.id_of(session, ledger, account)
    group = (bank_lines.c.state, bank_lines.c.currency)
    query = sa.select(
        *group,
        sa.func.count().label("lines"),
        sa.func.sum(sa.case((bank_lines.c.side == Side.DEBIT.value, bank_lines.c.amount), else_=0)).label("came_in"),
        sa.func.sum(sa.case((bank_lines.c.side == Side.CREDIT.value, bank_lines.c.amount), else_=0)).label("went_out"),
    )
    query = query.where(bank_lines.c.ledger_id == ledger.id, bank_lines.c.account_id == account_id).group_by(*group)
    totals = [
        Total(
            state=State(row.state),
            currency=row.currency,
            lines=row.lines,
            in_minor=int(row.came_in),
            out_minor=int(row.went_out),
        )
        for row in session.execute(query)
    ]
    order = list(State)
    return sorted(totals, key=lambda each: (each.currency, -order.index(each.state)))


def _whole(session: Session, ledger: Ledger, rows: Sequence[AnyRow]) -> Sequence[Line]:
    if not rows:
        return []
    ids = [row.id for row in rows]
    paths = accounts.paths_of(session, ledger, {each for row in rows for each in (row.account_id, row.against_id)})
    matches = {row.line_id: _match(row) for row in _of_lines(session, ledger, bank_matches, ids)}
    proposed = [row for row in _of_lines(session, ledger, bank_proposals, ids) if not row.rejected]
    about = _read_transactions(session, ledger, sorted({row.transaction_id for row in proposed}))
    proposals: dict[UUID, list[Proposal]] = {}
    for row in proposed:
        proposals.setdefault(row.line_id, []).append(_proposal(row, about[row.transaction_id]))
    return [_line(row, paths, matches.get(row.id), _in_order(proposals.get(row.id, ()))) for row in rows]


def _of_lines(session: Session, ledger: Ledger, table: sa.Table, ids: Sequence[UUID]) -> Sequence[AnyRow]:
    return [
        row
        for some in chunks.of(ids)
        for row in session.execute(sa.select(table).where(table.c.ledger_id == ledger.id, table.c.line_id.in_(some)))
    ]


def _read_transactions(session: Session, ledger: Ledger, ids: Sequence[UUID]) -> Mapping[UUID, AnyRow]:
    names = ("id", "reference", "description", "effective_at")
    query = sa.select(*(transactions.c[name] for name in names)).where(transactions.c.ledger_id == ledger.id)
    return {row.id: row for row in by_key.read(session, query, transactions.c.id, ids)}


def _in_order(proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    return sorted(proposals, key=lambda each: (-each.score, each.transaction_id, each.posting_line))


def _line(row: AnyRow, paths: Mapping[UUID, str], match: Match | None, proposals: Sequence[Proposal]) -> Line:
    return Line(
        id=row.id,
        account=paths[row.account_id],
        against=paths[row.against_id],
        booked_on=row.booked_on,
        side=Side(row.side),
        currency=row.currency,
        amount_minor=row.amount,
        state=State(row.state),
        details=row.details,
        transaction_id=row.transaction_id,
        match=match,
        proposals=proposals,
    )


def _match(row: AnyRow) -> Match:
    return Match(
        transaction_id=row.transaction_id,
        posting_line=row.posting_line,
        how=How(row.how),
        matched_at=row.matched_at,
    )


def _proposal(row: AnyRow, transaction: AnyRow) -> Proposal:
    return Proposal(
        transaction_id=row.transaction_id,
        posting_line=row.posting_line,
        score=row.score,
        reasons=row.reasons,
        reference=transaction.reference,
        description=transaction.description,
        effective_at=transaction.effective_at,
    )
