"""Bank lines: each is what its event says, is matched as its last event says, and its state follows from these.

A line may be matched and opened again, so of its match the newest event counts, by `place`: whoever decides about a
line holds a lock, under which the place is drawn. Payloads are compared as text, since whoever changed one may have
left anything in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from myapp.ledger import chunks
from myapp.ledger.bank.accounts import paths_of
from myapp.ledger.bank.model import State
from myapp.ledger.bank.tables import bank_lines, bank_matches, bank_proposals
from myapp.ledger.columns import AnyRow, Text
from myapp.ledger.model import EventType, Ledger
from myapp.ledger.tables import events
from myapp.ledger.verifying import check, payloads
from myapp.ledger.verifying.check import Check
from myapp.ledger.verifying.payloads import Payload
from myapp.ledger.verifying.told import Told, at

LINES = "bank-lines-agree"
MATCHES = "bank-matches-agree"
STATES = "bank-states-agree"

MATCHED, UNMATCHED = EventType.BANK_LINE_MATCHED.value, EventType.BANK_LINE_UNMATCHED.value


class told(FunctionElement[str]):  # noqa: N801
    """A member of an event's payload, as text; its arguments are the payload and the name."""

    type = Text
    inherit_cache = True


@compiles(told, "postgresql")
def _told_on_postgresql(element: told, compiler: SQLCompiler, **kw: Any) -> str:
    payload, name = (compiler.process(each, **kw) for each in element.clauses)
    return f"({payload} ->> {name})"


@compiles(told, "sqlite")
def _told_on_sqlite(element: told, compiler: SQLCompiler, **kw: Any) -> str:
    payload, name = (compiler.process(each, **kw) for each in element.clauses)
    return f"CAST(json_extract({payload}, '$.' || {name}) AS TEXT)"


class digits(FunctionElement[str]):  # noqa: N801
    """The 32 hexadecimal digits of an id."""

    type = Text
    inherit_cache = True


@compiles(digits, "postgresql")
def _digits_on_postgresql(element: digits, compiler: SQLCompiler, **kw: Any) -> str:
    return f"replace(CAST({compiler.process(element.clauses, **kw)} AS text), '-', '')"


@compiles(digits, "sqlite")
def _digits_on_sqlite(element: digits, compiler: SQLCompiler, **kw: Any) -> str:
    return f"lower(hex({compiler.process(element.clauses, **kw)}))"


def _expect(session: Session, ledger: Ledger, rows: Sequence[AnyRow]) -> Iterator[Payload]:
    paths = paths_of(session, ledger, {each for row in rows for each in (row.account_id, row.against_id)})
    for row in rows:
        yield {
            "line": str(row.id),
            "account": paths.get(row.account_id),
            "against": paths.get(row.against_id),
            "booked_on": row.booked_on.isoformat(),
            "side": row.side,
            "currency": row.currency,
            "amount": str(row.amount),
            "fingerprint": row.fingerprint,
            "details": row.details,
            "transaction": None if row.transaction_id is None else str(row.transaction_id),
            **at(row.imported_at),
        }


IMPORTED = Told(word="bank line", table=bank_lines, kind=EventType.BANK_LINE_IMPORTED, expect=_expect)


def matches_agree(session: Session, ledger: Ledger) -> Check:
    """Each line is matched with what its last event says, or not at all; it is matched and opened by turns."""
    each = _turns(ledger)
    names = ("line", "transaction", "posting", "how", "at")
    said = sa.select(*(each.c[name] for name in names)).where(
        each.c.nth == 1, each.c.type == MATCHED, each.c.line.is_not(None)
    )
    there = sa.select(
        digits(bank_matches.c.line_id).label("line"),
        digits(bank_matches.c.transaction_id).label("transaction"),
        sa.cast(bank_matches.c.posting_line, Text).label("posting"),
        bank_matches.c.how.label("how"),
        bank_matches.c.matched_at.label("at"),
    ).where(bank_matches.c.ledger_id == ledger.id)
    found = check.first(session, check.differing(there, said))
    # A line that nothing was told of is open.
    twice = sa.select(each.c.id).where(
        each.c.line.is_not(None), each.c.type == sa.func.coalesce(each.c.before, UNMATCHED)
    )
    nameless = sa.select(each.c.id).where(each.c.line.is_(None))
    return check.of(
        MATCHES,
        {"bank matches": check.count(session, ledger, bank_matches)},
        [
            *sorted({unlike_its_event(_id(row.line) or row.line) for row in found}),
            *(
                f"event {row.id} matches or opens a bank line that was so already"
                for row in check.first(session, twice)
            ),
            *(_names_no_line(row.id) for row in check.first(session, nameless)),
        ],
    )


def states_agree(session: Session, ledger: Ledger) -> Check:
    """A line is matched where it has a match, proposed where something is proposed, else open."""
    there = sa.select(bank_lines.c.id, bank_lines.c.state).where(
        bank_lines.c.ledger_id == ledger.id, bank_lines.c.state != State.OPEN.value
    )
    text = bank_lines.c.state.type
    matched = sa.select(bank_matches.c.line_id, sa.literal(State.MATCHED.value, text)).where(
        bank_matches.c.ledger_id == ledger.id
    )
    proposed = sa.select(bank_proposals.c.line_id, sa.literal(State.PROPOSED.value, text)).where(
        bank_proposals.c.ledger_id == ledger.id, bank_proposals.c.rejected.is_(sa.false())
    )
    follows = sa.select(sa.union(matched, proposed).subquery())
    found = check.first(session, check.differing(there, follows))
    return check.of(
        STATES,
        {"bank lines": check.count(session, ledger, bank_lines)},
        sorted({f"bank line {row.id} is not in the state that follows from its match" for row in found}),
    )


def settled(session: Session, ledger: Ledger, told_of: Sequence[AnyRow]) -> Mapping[str, bool]:
    """Say of each line that these events match or open whether it is as the last of them left it.

    Where it is not, an event that comes later may say why.
    """
    said: dict[str, object] = {}
    for event in sorted(told_of, key=lambda event: event.place):
        if event.type in (MATCHED, UNMATCHED):
            payload = payloads.of(event)
            is_match = event.type == MATCHED
            said[str(payload.get("line"))] = {**payload, **at(event.recorded_at)} if is_match else None
    there: dict[str, object] = {}
    for some in chunks.of([line_id for line_id in map(_id, said) if line_id is not None]):
        query = sa.select(bank_matches).where(bank_matches.c.ledger_id == ledger.id, bank_matches.c.line_id.in_(some))
        for row in session.execute(query) if some else ():
            there[str(row.line_id)] = {
                "line": str(row.line_id),
                "transaction": str(row.transaction_id),
                "posting": row.posting_line,
                "how": row.how,
                **at(row.matched_at),
            }
    return {line: there.get(line) == match for line, match in said.items()}


def nameless(told_of: Sequence[AnyRow]) -> Iterator[str]:
    """Yield of these events which match or open a line and do not say which."""
    for event in told_of:
        if event.type in (MATCHED, UNMATCHED) and _id(payloads.of(event).get("line")) is None:
            yield _names_no_line(event.id)


def lines_told_after(session: Session, ledger: Ledger, last_seq: int) -> Set[str]:
    """Return the lines that were matched or opened by an event after this number, or by one that has none yet."""
    query = sa.select(events.c.payload).where(events.c.ledger_id == ledger.id, events.c.type.in_([MATCHED, UNMATCHED]))
    later = (events.c.seq > last_seq, events.c.seq.is_(None))
    told_later = (event for condition in later for event in session.execute(query.where(condition)))
    return {str(payloads.of(event).get("line")) for event in told_later}


def _names_no_line(event_id: UUID) -> str:
    return f"event {event_id} matches or opens a bank line, and does not say which"


def unlike_its_event(line: object) -> str:
    return f"bank line {line} is not matched as its last event says"


def _turns(ledger: Ledger) -> sa.Subquery:
    """Select the events that match or open lines, each line's counted from the newest, with the type before."""
    payload = events.c.payload
    line, transaction, posting, how = (
        told(payload, sa.literal_column(f"'{name}'")) for name in ("line", "transaction", "posting", "how")
    )
    nth = sa.func.row_number().over(partition_by=line, order_by=events.c.place.desc())
    before = sa.func.lag(events.c.type, 1, type_=Text).over(partition_by=line, order_by=events.c.place)
    each = sa.select(
        events.c.id.label("id"),
        sa.func.replace(line, "-", "", type_=Text).label("line"),
        sa.func.replace(transaction, "-", "", type_=Text).label("transaction"),
        posting.label("posting"),
        how.label("how"),
        events.c.recorded_at.label("at"),
        events.c.type.label("type"),
        nth.label("nth"),
        before.label("before"),
    )
    return each.where(events.c.ledger_id == ledger.id, events.c.type.in_([MATCHED, UNMATCHED])).subquery()


def _id(text: object) -> UUID | None:
    """Return the id that a payload has, None where it has something else."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
