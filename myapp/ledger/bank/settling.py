"""Write down that lines are matched, and what follows: the other side of a transfer, and proposals that fall away.

Constraints keep a line and a posting from being matched twice; whoever calls this holds the accounts' lock, so that
it meets them only where somebody decided before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import chunks, upsert
from myapp.ledger.bank import errors
from myapp.ledger.bank.model import How, State
from myapp.ledger.bank.scoring import PostingKey
from myapp.ledger.bank.tables import bank_lines, bank_matches, bank_proposals
from myapp.ledger.columns import AnyRow
from myapp.ledger.events import writing
from myapp.ledger.model import EventType, Ledger

# The line of the clearing account in the transaction that an import records.
CLEARING_LINE = 1


def settle(
    session: Session, ledger: Ledger, pairs: Mapping[UUID, PostingKey], *, how: How, now: datetime
) -> Collection[UUID]:
    """Match lines with postings, and return the ids of all lines that are matched by it.

    Raises:
        AlreadyMatched: a line or a posting has its match.
    """
    if not pairs:
        return ()
    both = {**pairs, **_mirrored(session, ledger, pairs)}
    _insert(session, ledger, both, how=how, now=now)
    set_state(session, ledger, both, State.MATCHED)
    _withdraw(session, ledger, both)
    payloads = [
        {"line": str(line_id), "transaction": str(transaction_id), "posting": posting_line, "how": how.value}
        for line_id, (transaction_id, posting_line) in sorted(both.items())
    ]
    writing.announce_all(session, ledger.id, EventType.BANK_LINE_MATCHED, payloads=payloads, now=now)
    return both.keys()


def unmatched(session: Session, ledger: Ledger, line_ids: Collection[UUID], *, now: datetime) -> None:
    """Open lines whose matches were taken away."""
    set_state(session, ledger, line_ids, State.OPEN)
    payloads = [{"line": str(line_id)} for line_id in sorted(line_ids)]
    writing.announce_all(session, ledger.id, EventType.BANK_LINE_UNMATCHED, payloads=payloads, now=now)


def set_state(session: Session, ledger: Ledger, line_ids: Collection[UUID], state: State) -> None:
    """Change the state of lines."""
    for some in chunks.of(sorted(line_ids)):
        if some:
            update = sa.update(bank_lines).where(bank_lines.c.ledger_id == ledger.id, bank_lines.c.id.in_(some))
            session.execute(update.values(state=state.value))


def reopen_without_proposals(session: Session, ledger: Ledger, line_ids: Collection[UUID]) -> None:
    """Open the lines that have nothing left to accept."""
    left: set[UUID] = set()
    for some in chunks.of(sorted(line_ids)):
        query = (
            sa.select(bank_proposals.c.line_id)
            .distinct()
            .where(
                bank_proposals.c.ledger_id == ledger.id,
                bank_proposals.c.line_id.in_(some),
                bank_proposals.c.rejected.is_(sa.false()),
            )
        )
        left.update(session.scalars(query))
    set_state(session, ledger, set(line_ids) - left, State.OPEN)


def _mirrored(session: Session, ledger: Ledger, pairs: Mapping[UUID, PostingKey]) -> Mapping[UUID, PostingKey]:
    """Return the matches of the lines of other bank accounts that are the counterparts of these lines."""
    wanted_by = {key[0]: line_id for line_id, key in pairs.items()}
    others = _read_lines(session, ledger, bank_lines.c.transaction_id, sorted(wanted_by))
    if not others:
        return {}
    ours = {wanted_by[other.transaction_id] for other in others}
    own = {row.id: row.transaction_id for row in _read_lines(session, ledger, bank_lines.c.id, sorted(ours))}
    return {
        other.id: (own[line_id], CLEARING_LINE)
        for other in others
        if own[line_id := wanted_by[other.transaction_id]] is not None
    }


def _read_lines(session: Session, ledger: Ledger, key: sa.Column[UUID], values: Sequence[UUID]) -> Sequence[AnyRow]:
    query = sa.select(bank_lines.c.id, bank_lines.c.transaction_id).where(bank_lines.c.ledger_id == ledger.id)
    return [row for some in chunks.of(values) if some for row in session.execute(query.where(key.in_(some)))]


def _insert(session: Session, ledger: Ledger, pairs: Mapping[UUID, PostingKey], *, how: How, now: datetime) -> None:
    rows = [
        {
            "ledger_id": ledger.id,
            "line_id": line_id,
            "transaction_id": transaction_id,
            "posting_line": posting_line,
            "how": how.value,
            "matched_at": now,
        }
        for line_id, (transaction_id, posting_line) in sorted(pairs.items())
    ]
    insert = upsert.insert(upsert.dialect_of(session), bank_matches).on_conflict_do_nothing()
    inserted = session.execute(insert.returning(bank_matches.c.line_id), rows).all()
    if len(inserted) < len(rows):
        raise errors.AlreadyMatched("The bank line, or the posting it is to be matched with, has a match already.")


def _withdraw(session: Session, ledger: Ledger, pairs: Mapping[UUID, PostingKey]) -> None:
    """Drop what was proposed for these lines, and these postings where they were proposed for other lines."""
    is_proposed = sa.and_(bank_proposals.c.ledger_id == ledger.id, bank_proposals.c.rejected.is_(sa.false()))
    for some in chunks.of(sorted(pairs)):
        session.execute(sa.delete(bank_proposals).where(is_proposed, bank_proposals.c.line_id.in_(some)))
    # One line of postings at a time, so that what is asked for is one list.
    by_line: dict[int, list[UUID]] = defaultdict(list)
    for transaction_id, posting_line in sorted(pairs.values()):
        by_line[posting_line].append(transaction_id)
    losers: set[UUID] = set()
    for posting_line, transaction_ids in by_line.items():
        is_its_line = bank_proposals.c.posting_line == posting_line
        for some in chunks.of(transaction_ids):
            is_theirs = sa.and_(is_proposed, is_its_line, bank_proposals.c.transaction_id.in_(some))
            losers.update(
                session.scalars(sa.delete(bank_proposals).where(is_theirs).returning(bank_proposals.c.line_id))
            )
    if losers:
        reopen_without_proposals(session, ledger, losers)
