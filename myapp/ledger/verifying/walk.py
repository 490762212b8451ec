"""Verify only what is new: the events after a checkpoint, in portions, each by itself and against what it follows.

If all before a portion held together, and in the portion each event has its number, each transaction balances and is of
its kind, each posting takes its balance from the one before it (which belongs to an event that was verified), and each
balance it touched is where its last posting left it, then all holds together up to the portion's end. The same goes for
the holds and reversals it touched; terms, prices and bank lines stand alone. What was changed in rows that are older
than the checkpoint is not seen: a full run and the seals find that. A portion is read in one unit of work at REPEATABLE
READ, all by key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.columns import AnyRow
from myapp.ledger.model import Effect, Ledger, Status
from myapp.ledger.queries import by_key
from myapp.ledger.tables import accounts, balances, events, postings, transactions
from myapp.ledger.verifying import balances as of_balances
from myapp.ledger.verifying import bank, holds, moves, prices, reversals, terms
from myapp.ledger.verifying import events as of_events
from myapp.ledger.verifying import transactions as of_transactions
from myapp.ledger.verifying.checkpoints import Checkpoint

EVENTS_AT_ONCE = 500

NAMES = (
    of_transactions.BALANCE,
    of_transactions.TIMES,
    of_transactions.EFFECTS,
    of_balances.STEPS,
    of_balances.SUMS,
    of_balances.LIMITS,
    holds.AGREE,
    reversals.MIRROR,
    terms.AGREE,
    prices.AGREE,
    bank.LINES,
    bank.MATCHES,
    of_events.COMPLETE,
    of_events.NUMBERED,
)


class Step(NamedTuple):
    """A posting's place in the history of its balance."""

    account_id: UUID
    currency: str
    version: int


@dataclass(slots=True)
class Walked:
    """What a portion says: how far it came, what it found by check, and which days of which accounts it touched.

    `settled` says of the bank lines it matched or opened whether they are as it left them.
    """

    reached: Checkpoint
    is_last: bool
    violations: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    days: set[tuple[date, UUID]] = field(default_factory=set)
    settled: Mapping[str, bool] = field(default_factory=dict)
    events: int = 0
    postings: int = 0

    def say(self, name: str, violations: Iterable[str]) -> None:
        self.violations[name] += violations


def walk(session: Session, ledger: Ledger, start: Checkpoint) -> Walked:
    """Verify the next portion after a checkpoint.

    Shape: 15 to 25 statements for 500 events; on SQLite more where they have more than ten thousand postings or terms.
    """
    query = sa.select(events).where(events.c.ledger_id == ledger.id, events.c.seq > start.last_seq)
    told = session.execute(query.order_by(events.c.seq).limit(EVENTS_AT_ONCE)).all()
    reached = Checkpoint(told[-1].seq, told[-1].id) if told else start
    walked = Walked(reached=reached, is_last=len(told) < EVENTS_AT_ONCE, events=len(told))
    walked.say(of_events.NUMBERED, _gaps(session, ledger, start, told))
    ids = [row.id for row in told if row.type in of_events.KIND_OF_EVENT]
    recorded = {row.id: row for row in read(session, ledger, transactions, transactions.c.id, ids)}
    lines: dict[UUID, list[AnyRow]] = {each: [] for each in ids}
    for line in read(session, ledger, postings, postings.c.transaction_id, ids):
        lines[line.transaction_id].append(line)
        walked.postings += 1
    for event in told:
        if event.type in of_events.KIND_OF_EVENT:
            _judge(walked, event, recorded.get(event.id), lines[event.id])
    _follow(session, ledger, walked, [line for of in lines.values() for line in of], set(ids))
    _resolve(session, ledger, walked, list(recorded.values()))
    walked.say(terms.AGREE, terms.violations_of(session, ledger, list(recorded.values())))
    walked.say(prices.AGREE, prices.PRICES.violations_of(session, ledger, told))
    walked.say(bank.LINES, bank.IMPORTED.violations_of(session, ledger, told))
    walked.say(bank.MATCHES, bank.nameless(told))
    walked.settled = bank.settled(session, ledger, told)
    return walked


def read(
    session: Session, ledger: Ledger, table: sa.Table, key: sa.Column[UUID], ids: Sequence[UUID]
) -> Sequence[AnyRow]:
    """Return the rows with these keys."""
    return by_key.read(session, sa.select(table).where(table.c.ledger_id == ledger.id), key, ids)


def _gaps(session: Session, ledger: Ledger, start: Checkpoint, told: Sequence[AnyRow]) -> Iterator[str]:
    if start.event_id is not None:
        query = sa.select(events.c.id).where(events.c.ledger_id == ledger.id, events.c.seq == start.last_seq)
        if session.scalar(query) != start.event_id:
            yield f"event {start.last_seq} is not the one that was verified"
    for expected, event in enumerate(told, start=start.last_seq + 1):
        if event.seq != expected:
            yield f"there is no event {expected}"
            return


def _judge(walked: Walked, event: AnyRow, transaction: AnyRow | None, lines: Sequence[AnyRow]) -> None:
    """Check a transaction by itself."""
    name = f"transaction {event.id}"
    if transaction is None:
        walked.say(of_events.COMPLETE, [f"{name} and its event do not agree"])
        return
    kind = of_events.kind(transaction.status, transaction.pending_of)
    if (kind, transaction.recorded_at) != (of_events.KIND_OF_EVENT[event.type], event.recorded_at):
        walked.say(of_events.COMPLETE, [f"{name} and its event do not agree"])
    nets: dict[str, Counter[str]] = {}
    for line in lines:
        debits, credited, pending_debits, pending_credits = moves.added(line)
        net = nets.setdefault(line.currency, Counter())
        net["posted"] += debits - credited
        net["pending"] += pending_debits - pending_credits
        net["lines"] += 1
        walked.days.add((transaction.recorded_at.date(), line.account_id))
    for currency, net in nets.items():
        if net["posted"] or net["pending"] or net["lines"] < 2:
            walked.say(of_transactions.BALANCE, [f"{name}, {currency}: it does not balance"])
    if not lines:
        walked.say(of_transactions.BALANCE, [f"{name} has no postings"])
    if any(line.effective_at != transaction.effective_at for line in lines):
        walked.say(of_transactions.TIMES, [f"a posting of {name} has another time"])
    strange = {line.effect for line in lines} - _effects(transaction)
    walked.say(of_transactions.EFFECTS, [f"{name} has a posting with the effect {each}" for each in sorted(strange)])


def _effects(transaction: AnyRow) -> set[Effect]:
    if transaction.pending_of is None:
        return {Effect.POSTED if transaction.status == Status.POSTED else Effect.PENDING}
    return {Effect.TAKEN, Effect.RELEASED} if transaction.status == Status.POSTED else {Effect.RELEASED}


def _follow(session: Session, ledger: Ledger, walked: Walked, lines: Sequence[AnyRow], known: set[UUID]) -> None:
    """Check that each posting follows the one before it, and that the balances are where the last ones left them."""
    touched = {(line.account_id, line.currency) for line in lines}
    account_ids = sorted({account_id for account_id, _currency in touched})
    found = read(session, ledger, balances, balances.c.account_id, account_ids)
    held = [row for row in found if (row.account_id, row.currency) in touched]
    there = {_step(line): line for line in lines}
    wanted = {Step(*step[:2], step.version - 1) for step in there if step.version > 1}
    wanted |= {Step(row.account_id, row.currency, row.version) for row in held}
    there |= _read_steps(session, ledger, sorted(wanted - there.keys()))
    faults: list[tuple[str, AnyRow, str]] = []
    for line in lines:
        step = _step(line)
        before = there.get(Step(*step[:2], step.version - 1)) if step.version > 1 else None
        start = (0, 0, 0, 0) if step.version == 1 else _counters(before)
        if start is None or _counters(line) != tuple(map(sum, zip(start, moves.added(line), strict=True))):
            faults.append((of_balances.STEPS, line, f": posting {step.version} does not follow from the one before"))
    for row in held:
        if _counters(row) != _counters(there.get(Step(row.account_id, row.currency, row.version))):
            faults.append((of_balances.SUMS, row, ": counters and postings differ"))
        if _is_outside(row):
            faults.append((of_balances.LIMITS, row, " is outside its limits"))
    paths = {
        row.id: row.path
        for row in read(session, ledger, accounts, accounts.c.id, sorted({row.account_id for _, row, _ in faults}))
    }
    for name, row, fault in faults:
        walked.say(name, [f"{paths.get(row.account_id, row.account_id)} in {row.currency}{fault}"])
    _require_events(session, ledger, walked, {line.transaction_id for line in there.values()} - known)


def _require_events(session: Session, ledger: Ledger, walked: Walked, ids: set[UUID]) -> None:
    """Check that the postings next to those of the portion belong to events, which were or will be verified."""
    announced = {row.id for row in read(session, ledger, events, events.c.id, sorted(ids))}
    walked.say(
        of_events.COMPLETE, [f"transaction {each} and its event do not agree" for each in sorted(ids - announced)]
    )


def _resolve(session: Session, ledger: Ledger, walked: Walked, recorded: Sequence[AnyRow]) -> None:
    """Check the holds that the portion made, posted, gave back or reversed, and its reversals."""
    originals = {row.id: row.reverses for row in recorded if row.reverses is not None}
    walked.say(reversals.MIRROR, reversals.violations_of(session, ledger, originals))
    reversed_too = list(read(session, ledger, transactions, transactions.c.id, sorted(set(originals.values()))))
    touched = {
        row.pending_of or row.id for row in (*recorded, *reversed_too) if row.pending_of or row.status == Status.PENDING
    }
    walked.say(holds.AGREE, holds.violations_of(session, ledger, sorted(touched)))


def _read_steps(session: Session, ledger: Ledger, steps: Sequence[Step]) -> Mapping[Step, AnyRow]:
    columns = (postings.c.account_id, postings.c.currency, postings.c.balance_version)
    query = sa.select(postings).where(postings.c.ledger_id == ledger.id)
    found = by_key.read_together(session, query, columns, steps, is_unique=True)
    return {_step(row): row for row in found}


def _step(posting: AnyRow) -> Step:
    return Step(posting.account_id, posting.currency, posting.balance_version)


def _counters(row: AnyRow | None) -> tuple[int, ...] | None:
    return None if row is None else tuple(getattr(row, name) for name in moves.COUNTERS)


def _is_outside(row: AnyRow) -> bool:
    net = row.debits_posted - row.credits_posted
    is_below = row.net_min is not None and net - row.credits_pending < row.net_min
    is_above = row.net_max is not None and net + row.debits_pending > row.net_max
    return is_below or is_above
