"""Match the lines of a bank account with what the business has recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks
from myapp.ledger.bank import accounts, candidates, scoring, settling
from myapp.ledger.bank.candidates import Money
from myapp.ledger.bank.model import DAYS, How, Run, State
from myapp.ledger.bank.scoring import Candidate, PostingKey, Scored, Wanted
from myapp.ledger.bank.tables import bank_lines, bank_matches, bank_proposals
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Ledger
from myapp.ledger.tables import transactions


def match(session: Session, ledger: Ledger, account: str, *, days: int = DAYS, now: datetime) -> Run:
    """Match what is certain, propose what is likely, and leave the rest open; earlier proposals are made anew.

    Raises:
        NotFound: there is no such account.
    """
    account_id = accounts.id_of(session, ledger, account)
    accounts.lock(session, ledger, _accounts_against(session, ledger, account_id))
    reopened = _reopen_reversed(session, ledger, account_id, now=now)
    lines = _read_unmatched(session, ledger, account_id)
    wanted = _wanted(session, ledger, lines)
    named = {name for each in wanted for name in each.references}
    found = _find(session, ledger, account_id, lines, named, days)
    decisions = scoring.decide(wanted, found, days=days)
    _forget_proposals(session, ledger, [line.id for line in lines])
    certain = {line_id: each.key for line_id, each in decisions.matched.items()}
    matched = settling.settle(session, ledger, certain, how=How.RULE, now=now)
    _propose(session, ledger, decisions.proposed)
    _set_states(session, ledger, lines, matched, decisions.proposed)
    proposed = len(decisions.proposed)
    return Run(
        matched=len(certain), proposed=proposed, open=len(lines) - len(certain) - proposed, reopened=len(reopened)
    )


def _accounts_against(session: Session, ledger: Ledger, account_id: UUID) -> Collection[UUID]:
    query = (
        sa.select(bank_lines.c.against_id)
        .distinct()
        .where(bank_lines.c.ledger_id == ledger.id, bank_lines.c.account_id == account_id)
    )
    return session.scalars(query).all()


def _reopen_reversed(session: Session, ledger: Ledger, account_id: UUID, *, now: datetime) -> Collection[UUID]:
    """Open the lines whose match was reversed since, and return their ids."""
    query = sa.select(transactions.c.reverses).where(
        transactions.c.ledger_id == ledger.id, transactions.c.reverses.is_not(None)
    )
    undone = [each for each in session.scalars(query) if each is not None]
    reopened: list[UUID] = []
    for some in chunks.of(undone):
        if not some:
            continue
        lines = sa.select(bank_lines.c.id).where(
            bank_lines.c.ledger_id == ledger.id, bank_lines.c.account_id == account_id
        )
        delete = sa.delete(bank_matches).where(
            bank_matches.c.ledger_id == ledger.id,
            bank_matches.c.transaction_id.in_(some),
            bank_matches.c.line_id.in_(lines),
        )
        reopened += session.scalars(delete.returning(bank_matches.c.line_id))
    settling.unmatched(session, ledger, reopened, now=now)
    return reopened


def _read_unmatched(session: Session, ledger: Ledger, account_id: UUID) -> Sequence[AnyRow]:
    query = sa.select(bank_lines).where(
        bank_lines.c.ledger_id == ledger.id,
        bank_lines.c.account_id == account_id,
        bank_lines.c.state.in_([State.OPEN.value, State.PROPOSED.value]),
    )
    return session.execute(query.order_by(bank_lines.c.booked_on, bank_lines.c.id)).all()


def _find(
    session: Session,
    ledger: Ledger,
    account_id: UUID,
    lines: Sequence[AnyRow],
    named: Collection[str],
    days: int,
) -> Mapping[UUID, Sequence[Candidate]]:
    """Return the candidates of each line."""
    if not lines:
        return {}
    wanted = {_money(line) for line in lines}
    booked = [line.booked_on for line in lines]
    rows = [
        row
        for against_id in sorted({line.against_id for line in lines})
        for row in candidates.near(session, ledger, against_id, first=min(booked), last=max(booked), days=days)
    ]
    rows += candidates.referenced(session, ledger, named)
    of: dict[Money, list[Candidate]] = {}
    for each in candidates.choose(session, ledger, rows, wanted=wanted, not_of=account_id):
        of.setdefault(each.money, []).append(each.candidate)
    return {line.id: of.get(_money(line), []) for line in lines}


def _money(line: AnyRow) -> Money:
    return Money(line.against_id, line.side, line.currency, line.amount)


def _wanted(session: Session, ledger: Ledger, lines: Sequence[AnyRow]) -> Sequence[Wanted]:
    rejected: dict[UUID, set[PostingKey]] = {}
    for some in chunks.of([line.id for line in lines]):
        query = sa.select(bank_proposals).where(
            bank_proposals.c.ledger_id == ledger.id,
            bank_proposals.c.line_id.in_(some),
            bank_proposals.c.rejected.is_(sa.true()),
        )
        for row in session.execute(query):
            rejected.setdefault(row.line_id, set()).add((row.transaction_id, row.posting_line))
    return [
        Wanted(
            id=line.id,
            booked_on=line.booked_on,
            details=line.details,
            references=scoring.references(line.details),
            rejected=frozenset(rejected.get(line.id, ())),
        )
        for line in lines
    ]


def _forget_proposals(session: Session, ledger: Ledger, line_ids: Sequence[UUID]) -> None:
    for some in chunks.of(line_ids):
        delete = sa.delete(bank_proposals).where(
            bank_proposals.c.ledger_id == ledger.id,
            bank_proposals.c.line_id.in_(some),
            bank_proposals.c.rejected.is_(sa.false()),
        )
        session.execute(delete)


def _propose(session: Session, ledger: Ledger, proposed: Mapping[UUID, Sequence[Scored]]) -> None:
    rows = [
        {
            "ledger_id": ledger.id,
            "line_id": line_id,
            "transaction_id": each.candidate.key[0],
            "posting_line": each.candidate.key[1],
            "score": each.score,
            "reasons": list(each.reasons),
            "rejected": False,
        }
        for line_id, some in proposed.items()
        for each in some
    ]
    if rows:
        session.execute(sa.insert(bank_proposals), rows)


def _set_states(
    session: Session,
    ledger: Ledger,
    lines: Sequence[AnyRow],
    matched: Collection[UUID],
    proposed: Collection[UUID],
) -> None:
    """Write the states that have changed; those of matched lines are written already."""
    left = [line for line in lines if line.id not in matched]
    now_proposed = {line.id for line in left if line.id in proposed and line.state != State.PROPOSED.value}
    now_open = {line.id for line in left if line.id not in proposed and line.state != State.OPEN.value}
    settling.set_state(session, ledger, now_proposed, State.PROPOSED)
    settling.set_state(session, ledger, now_open, State.OPEN)
