"""What the list of transactions said at a time it says again as known then, whatever has become of them since."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from myapp.ledger import errors, model, operations, queries, replaying
from myapp.ledger.model import Effect, HoldPost, Status, Transaction
from tests.integration.ledger.desk import NOW, Desk, transaction, transfer

HOUR = timedelta(hours=1)
LATER = NOW + 100 * HOUR
MICROSECOND = timedelta(microseconds=1)
ACCOUNTS = ("assets:till", "assets:bank", "income:sales")
STEPS = 48

# The list as it was, by the time it was seen; each is everything, the newest first.
Seen = dict[datetime, Sequence[Transaction]]


def listed(desk: Desk, *, now: datetime, limit: int = 1000, **criteria: object) -> Sequence[Transaction]:
    """Return the whole list, read in pages."""
    found: list[Transaction] = []
    after = None
    with desk.at_work(readonly=True) as session:
        while True:
            page = queries.search_transactions(
                session,
                desk.ledger,
                criteria=queries.TransactionFilter(**criteria),  # type: ignore[arg-type]
                after=after,
                limit=limit,
                now=now,
            )
            found += page.transactions
            after = page.resume
            if after is None:
                return found


class Happenings:
    """Things that happen to a ledger, at random; what the ledger refuses does not happen."""

    def __init__(self, desk: Desk, chance: random.Random) -> None:
        self.desk, self.chance = desk, chance
        self.holds: list[Transaction] = []
        self.all: list[Transaction] = []

    def next(self, now: datetime) -> None:
        kinds: list[Callable[[Session, datetime], Sequence[Transaction]]] = [self.sell, self.hold, self.hold]
        if self.holds:
            kinds += [self.post, self.post_part, self.post_part, self.void, self.sweep]
        if self.all:
            kinds += [self.reverse]
        try:
            with self.desk.at_work() as session:
                made = self.chance.choice(kinds)(session, now)
        except errors.Refusal:
            return
        self.all += made

    def sell(self, session: Session, now: datetime) -> Sequence[Transaction]:
        return self.record(session, transfer("7"), now)

    def hold(self, session: Session, now: datetime) -> Sequence[Transaction]:
        """Record a hold of which two lines are alike."""
        one, other = (transfer(each, out_of="assets:bank").postings for each in ("3", "5"))
        expires_at = now + self.chance.choice([3, 9]) * HOUR if self.chance.random() < 0.4 else None
        made = self.record(session, transaction(*one, *other, pending=True, expires_at=expires_at), now)
        self.holds += made
        return made

    def record(self, session: Session, wanted: model.NewTransaction, now: datetime) -> Sequence[Transaction]:
        return operations.record(session, self.desk.ledger, [wanted], now=now, form=self.desk.form).transactions

    def post(self, session: Session, now: datetime) -> Sequence[Transaction]:
        return self._post(session, now, None, final=False)

    def post_part(self, session: Session, now: datetime) -> Sequence[Transaction]:
        part = transfer(self.chance.choice("124"), out_of="assets:bank").postings
        return self._post(session, now, part, final=self.chance.random() < 0.3)

    def _post(
        self, session: Session, now: datetime, part: Sequence[model.NewPosting] | None, *, final: bool
    ) -> Sequence[Transaction]:
        wanted = model.HoldPost(hold_id=self.chance.choice(self.holds[-3:]).id, postings=part, final=final)
        return operations.post_holds(session, self.desk.ledger, [wanted], now=now).transactions

    def void(self, session: Session, now: datetime) -> Sequence[Transaction]:
        operations.void_holds(session, self.desk.ledger, [self.chance.choice(self.holds[-3:]).id], now=now)
        return ()

    def sweep(self, session: Session, now: datetime) -> Sequence[Transaction]:
        operations.expire_holds(session, self.desk.ledger, now=now, limit=100)
        return ()

    def reverse(self, session: Session, now: datetime) -> Sequence[Transaction]:
        wanted = model.NewReversal(transaction_id=self.chance.choice(self.all).id)
        return operations.reverse(session, self.desk.ledger, wanted, now=now).transactions


@pytest.fixture
def lived(desk: Desk) -> tuple[Desk, Seen]:
    """Return a desk where much has happened, and its list after each thing that did."""
    for path in ACCOUNTS:
        desk.open(path)
    happenings = Happenings(desk, random.Random(11))
    seen: Seen = {}
    for number in range(STEPS):
        now = NOW + number * HOUR
        happenings.next(now)
        seen[now] = listed(desk, now=now)
    return desk, seen


def test_say_again_what_they_said(lived: tuple[Desk, Seen]) -> None:
    desk, seen = lived

    for at, then in seen.items():
        assert listed(desk, known_at=at, now=LATER) == then, at

    everything = [each for then in seen.values() for each in then]
    assert {each.status for each in everything} == set(Status)
    of_last = {each.id: each for each in listed(desk, now=LATER)}
    changed = [each for each in everything if of_last[each.id] != each]
    assert {each.status for each in changed} >= {Status.PENDING, Status.POSTED}
    assert any(of_last[each.id].reversed_by != each.reversed_by for each in changed)
    assert any(0 < (line.remaining_minor or 0) < line.amount_minor for each in changed for line in each.postings)


def test_find_by_the_status_of_then(lived: tuple[Desk, Seen]) -> None:
    desk, seen = lived

    for (at, then), status in itertools.product(list(seen.items())[::4], Status):
        expected = [each for each in then if each.status is status]
        assert listed(desk, known_at=at, status=status, limit=4, now=LATER) == expected, at
        at_bank = [
            each
            for each in expected
            if any(line.account == "assets:bank" and line.effect is not Effect.RELEASED for line in each.postings)
        ]
        assert listed(desk, known_at=at, status=status, account="assets:bank", now=LATER) == at_bank, at


def test_know_nothing_of_what_is_recorded_a_microsecond_later(desk: Desk) -> None:
    for path in ACCOUNTS:
        desk.open(path)
    first = desk.record(transfer("1"), now=NOW).transactions[0]
    second = desk.record(transfer("2"), now=NOW + MICROSECOND).transactions[0]

    assert [each.id for each in listed(desk, known_at=NOW - MICROSECOND, now=LATER)] == []
    assert [each.id for each in listed(desk, known_at=NOW, now=LATER)] == [first.id]
    assert [each.id for each in listed(desk, known_at=NOW + MICROSECOND, now=LATER)] == [second.id, first.id]


def test_of_a_time_to_come_are_those_of_now(desk: Desk) -> None:
    for path in ACCOUNTS:
        desk.open(path)
    hold = transfer("1", pending=True, expires_at=NOW + 2 * HOUR)
    desk.record(hold, now=NOW)

    assert [each.status for each in listed(desk, known_at=LATER, now=NOW + HOUR)] == [Status.PENDING]
    assert [each.status for each in listed(desk, known_at=LATER, now=NOW + 2 * HOUR)] == [Status.EXPIRED]
    assert listed(desk, known_at=LATER, status=Status.EXPIRED, now=NOW + HOUR) == []


def test_say_that_a_hold_had_expired_that_a_replay_ended_otherwise(desk: Desk) -> None:
    for path in ACCOUNTS:
        desk.open(path)
    holds = [transfer(amount, pending=True, expires_at=NOW + HOUR) for amount in "123"]
    posted, voided, swept = (each.id for each in desk.record(*holds, now=NOW).transactions)
    deeds = [HoldPost(hold_id=posted), replaying.Release(hold_id=voided, state=Status.VOIDED, effective_at=NOW)]
    happened = [replaying.Happened(id=each.hold_id, deed=each) for each in deeds]

    with desk.at_work() as session:
        replaying.replay(session, desk.ledger, happened, now=NOW + 3 * HOUR, form=desk.form)
        operations.expire_holds(session, desk.ledger, now=NOW + 4 * HOUR, limit=100)

    def found(known_at: datetime, status: Status) -> Sequence[object]:
        return [each.id for each in listed(desk, known_at=known_at, status=status, now=LATER)]

    assert found(NOW, Status.PENDING) == [swept, voided, posted]
    assert found(NOW, Status.EXPIRED) == []
    assert found(NOW + 2 * HOUR, Status.EXPIRED) == [swept, voided, posted]
    assert found(NOW + 5 * HOUR, Status.EXPIRED) == [swept]
    assert found(NOW + 5 * HOUR, Status.VOIDED) == [voided]
