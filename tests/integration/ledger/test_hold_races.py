"""Many at the same hold at once: what it holds is taken once, whoever comes first."""

from __future__ import annotations

import threading
from collections import Counter as Times
from collections.abc import Callable
from datetime import timedelta

import pytest

from myapp.ledger import errors, queries
from myapp.ledger.model import Condition
from tests.integration.ledger.counter import LATER, SALES, SOON, TILL, Counter, conditional, share
from tests.integration.ledger.desk import NOW, at_once, in_every_form, transfer

pytestmark = [in_every_form, pytest.mark.commits]

ROUNDS = 6
ACTORS = 3


class TestOneHold:
    def test_is_posted_or_voided_or_expires_once(self, counter: Counter) -> None:
        """The sweep has a clock of its own that is ahead, as another machine's may be."""
        ended = Times[str]()
        for _ in range(ROUNDS):
            held = counter.hold("10", expires_at=SOON)
            before = counter.balance(TILL)
            acts: list[Callable[[], object]] = [
                lambda held=held: counter.post(held),
                lambda held=held: counter.post(held),
                lambda held=held: counter.void(held),
                lambda: counter.expire(now=LATER),
            ]

            ends = at_once(*acts)

            state = counter.read(held).status.value
            ended[state] += 1
            # A sweep that comes too late is done, and has found nothing.
            assert ends.count("done") == (1 if state == "expired" else 2)
            assert set(ends) <= {"done", "not-pending"}
            assert counter.left(held) == [0, 0]
            assert before - counter.balance(TILL) == (1_000 if state == "posted" else 0)
            assert counter.available() == counter.balance(TILL)
        assert counter.violations() == []

    def test_is_taken_in_parts_to_the_last_cent_and_no_further(self, counter: Counter) -> None:
        for _ in range(ROUNDS):
            held = counter.hold("10")
            before = counter.balance(TILL)

            ends = at_once(*[lambda held=held: counter.post(share(held, "4"))] * ACTORS)

            assert ends == ["done", "done", "exceeds-hold"]
            assert counter.left(held) == [200, 200]
            assert before - counter.balance(TILL) == 800
            counter.void(held)
        assert counter.violations() == []

    def test_keeps_parts_that_came_before_it_is_voided(self, counter: Counter) -> None:
        for _ in range(ROUNDS):
            held = counter.hold("10")
            before = counter.balance(TILL)

            ends = at_once(
                *[lambda held=held: counter.post(share(held, "3"))] * ACTORS, lambda held=held: counter.void(held)
            )

            posted = len(counter.read(held).posted_by)
            assert ends.count("done") == posted + 1
            assert before - counter.balance(TILL) == 300 * posted
            assert counter.left(held) == [0, 0]
        assert counter.violations() == []


class TestGroups:
    def test_in_opposite_orders_do_not_wait_for_each_other(self, counter: Counter) -> None:
        """Each takes a part of every hold, in an order of its own; neither a deadlock nor a time-out ends it."""
        first, second, third = (counter.hold("30") for _ in range(3))
        orders = [(first, second, third), (third, second, first), (second, third, first)]

        def take(order: tuple[object, ...]) -> None:
            for _ in range(ROUNDS):
                counter.post(*(share(held, "1") for held in order))

        assert at_once(*[lambda order=order: take(order) for order in orders]) == ["done"] * ACTORS
        assert [counter.left(held) for held in (first, second, third)] == [[3000 - 100 * ACTORS * ROUNDS] * 2] * 3
        assert counter.violations() == []

    def test_and_sweeps_and_recordings_all_come_to_an_end(self, counter: Counter) -> None:
        for _ in range(ROUNDS):
            held = [counter.hold("1", expires_at=SOON + timedelta(minutes=number)) for number in range(4)]
            ends = at_once(
                lambda held=held: counter.void(*reversed(held)),
                lambda: counter.expire(now=LATER, limit=2),
                lambda: counter.record(transfer("1"), transfer("1", into=SALES, out_of=TILL)),
            )
            assert set(ends) <= {"done", "not-pending"}
            counter.expire(now=LATER)
            assert counter.available() == counter.balance(TILL)
        assert counter.violations() == []


class TestReversals:
    def test_of_one_transaction_happen_once(self, counter: Counter) -> None:
        for _ in range(ROUNDS):
            sale = counter.record(transfer("10")).transactions[0]

            ends = at_once(*[lambda sale=sale: counter.reverse(sale.id)] * ACTORS)

            assert ends == ["already-reversed"] * (ACTORS - 1) + ["done"]
        assert counter.balance(TILL) == 10_000
        assert counter.violations() == []

    def test_of_a_hold_and_of_its_parts_are_not_both(self, counter: Counter) -> None:
        for _ in range(ROUNDS):
            held = counter.hold("30")
            parts = counter.post(share(held, "10"), share(held, "20")).transactions

            ends = at_once(
                lambda held=held: counter.reverse(held.id),
                *[lambda each=each: counter.reverse(each.id) for each in parts],
            )

            assert ends in (["already-reversed", "already-reversed", "done"], ["already-reversed", "done", "done"])
        assert counter.violations() == []


class TestConditions:
    def test_lose_no_update(self, counter: Counter) -> None:
        """Everyone reads the version, and adds a dollar if it is still so."""
        done = Times[str]()
        have_read = threading.Barrier(ACTORS)

        def add_if_unchanged() -> None:
            has_met = False
            for _ in range(ROUNDS):
                while True:
                    version = last_version(counter)
                    if not has_met:
                        have_read.wait()
                        has_met = True
                    try:
                        counter.record(conditional(transfer("1"), 0, Condition(version=version)))
                    except errors.ConditionFailed:
                        done["again"] += 1
                        continue
                    break

        assert at_once(*[add_if_unchanged] * ACTORS) == ["done"] * ACTORS
        assert counter.balance(TILL) == 10_000 + 100 * ACTORS * ROUNDS
        assert last_version(counter) == 1 + ACTORS * ROUNDS
        assert done["again"], "Nobody was in another's way."


class TestClosing:
    def test_an_account_takes_no_post_once_it_is_acknowledged(self, counter: Counter) -> None:
        for _ in range(ROUNDS):
            held = counter.hold("1")

            posted, closed = both_at_once(
                lambda held=held: counter.post(held), lambda: counter.change(TILL, closed=True)
            )

            assert closed == "done"
            assert posted in ("done", "account-closed")
            if posted != "done":
                counter.void(held)
            counter.change(TILL, closed=False)
        assert counter.violations() == []

    def test_a_period_takes_nothing_once_it_is_acknowledged(self, counter: Counter) -> None:
        """What the closing did not wait for is refused; so a balance of that period stays as it was then."""
        early = NOW - timedelta(days=3)
        for number in range(ROUNDS):
            moment = NOW - timedelta(days=2, hours=-number)
            seen: list[int] = []

            def close(moment=moment, seen=seen) -> None:
                counter.close_before(moment)
                seen.append(counter.transactions())

            late = [lambda: counter.record(transfer("1", effective_at=early))] * ACTORS

            ends = at_once(close, *late)

            assert set(ends) <= {"done", "period-locked"}
            assert counter.transactions() == seen[0]
            counter.close_before(None)
        assert counter.violations() == []


def last_version(counter: Counter) -> int:
    with counter.at_work(readonly=True) as session:
        lines = queries.list_postings(session, counter.ledger, TILL, after=None, limit=1000)
    return max(line.balance_version for line in lines)


def both_at_once(one: Callable[[], object], other: Callable[[], object]) -> tuple[str, str]:
    """Do both at once, and return how each ended."""
    ends: dict[str, str] = {}

    def noted(name: str, act: Callable[[], object]) -> None:
        try:
            act()
            ends[name] = "done"
        except errors.LedgerError as error:
            ends[name] = error.code

    at_once(lambda: noted("one", one), lambda: noted("other", other))
    return ends["one"], ends["other"]
