"""A replay beside ordinary requests for the same things: one waits for the other, and never both."""

from __future__ import annotations

import functools
import itertools
import threading
from collections import Counter as Times
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID, uuid4

import pytest
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import Session

from myapp import settings
from myapp.db import engine as engines
from myapp.db import errors as db_errors
from myapp.db import factory
from myapp.ledger import errors, replaying, reversing, taking
from myapp.ledger.holding import locking
from myapp.ledger.model import HoldPost, Ledger, NewReversal, Status, Transaction
from myapp.ledger.recording import Form
from myapp.ledger.replaying import Deed, Happened, Release
from tests.integration.ledger.counter import BANK, SALES, TILL, Counter, hold, share
from tests.integration.ledger.desk import LONG_AGO, NOW, transfer

# SQLite has one writer at a time, so nobody there holds what another waits for.
pytestmark = [
    pytest.mark.parametrize("dialect", ["postgresql"], indirect=True, scope="session"),
    pytest.mark.parametrize("form", list(Form), scope="session"),
    pytest.mark.commits,
]

PATIENCE_SECONDS = 60.0
ROUNDS = 4
# Of deeds of different kinds, so that others have the time to come between.
RUNS = 4
CODES = ("AED", "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "INR", "JPY", "MXN", "NOK", "NZD")

Act = Callable[[], object]


@pytest.fixture
def counter(counter: Counter, database_url: str) -> Iterator[Counter]:
    """Return a counter with money enough for all of it, and patience enough for a machine that is busy."""
    counter.record(transfer("9900"))
    patient = settings.Database(
        url=database_url, lock_timeout_seconds=PATIENCE_SECONDS, deadline_seconds=PATIENCE_SECONDS
    )
    engine = engines.build(patient)
    yield Counter(factory.build(engine), counter.ledger, counter.form)
    engine.dispose()


def happened(*deeds: Deed) -> list[Happened]:
    return [Happened(id=uuid4(), deed=deed) for deed in deeds]


def replay(counter: Counter, what: Sequence[Happened]) -> Sequence[UUID]:
    with counter.at_work() as session:
        return replaying.replay(session, counter.ledger, what, now=NOW, form=counter.form)


def replaying_of(counter: Counter, *deeds: Deed) -> Act:
    return functools.partial(replay, counter, happened(*deeds))


def posting_of(counter: Counter, *holds: Transaction) -> Act:
    return functools.partial(counter.post, *(share(each, "1") for each in holds))


def often(action: Act) -> Act:
    return lambda: [action() for _ in range(RUNS)]


def ends_of(*actions: Act) -> Times[str]:
    """Do all of it at once, and count how it ended: the code of a refusal, the SQLSTATE of what failed."""
    start, ends = threading.Barrier(len(actions)), Times[str]()

    def act(action: Act) -> None:
        start.wait()
        try:
            action()
            ends["done"] += 1
        except errors.LedgerError as error:
            ends[error.code] += 1
        except sa_exc.DBAPIError as error:
            ends[db_errors.sqlstate(error) or "unknown"] += 1

    threads = [threading.Thread(target=act, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def lock(counter: Counter, rows_of: Callable[[Session, Ledger, Sequence[UUID]], object], one: Transaction) -> None:
    with counter.at_work() as session:
        rows_of(session, counter.ledger, [one.id])


def in_lock_order(counter: Counter) -> list[str]:
    return sorted((TILL, BANK, SALES), key=lambda path: counter.account(path).id)


@pytest.mark.long
class TestReplay:
    def test_takes_balances_in_the_order_of_everyone(self, counter: Counter) -> None:
        first, second, third = in_lock_order(counter)
        late, early = transfer("1", into=third, out_of=second), transfer("1", into=first, out_of=second)
        ends = Times[str]()
        for _ in range(ROUNDS):
            held, other = counter.hold("20"), counter.hold("20")
            ends += ends_of(
                replaying_of(counter, late, *[share(held, "1"), late] * RUNS, early),
                often(functools.partial(counter.record, late, early)),
                often(posting_of(counter, other)),
                often(lambda: counter.void(counter.hold("0.01"))),
            )
            counter.void(held, other)

        assert ends == Times(done=4 * ROUNDS)
        assert counter.violations() == []

    def test_takes_holds_in_the_order_of_everyone(self, counter: Counter) -> None:
        ends = Times[str]()
        for _ in range(ROUNDS):
            first, second, third = (counter.hold("20") for _ in range(3))
            released = Release(hold_id=first.id, state=Status.VOIDED, effective_at=NOW)
            ends += ends_of(
                replaying_of(counter, share(third, "1"), *[transfer("1"), share(second, "1")] * RUNS, released),
                often(posting_of(counter, second, third)),
                functools.partial(counter.void, counter.hold("1")),
            )
            counter.void(second, third)

        assert ends == Times(done=3 * ROUNDS)
        assert counter.violations() == []

    def test_takes_references_before_balances_and_in_order(self, counter: Counter) -> None:
        ends = Times[str]()
        for number in range(ROUNDS):
            held = counter.hold("20")
            named = [transfer("1", reference=f"{number}-{place:02}") for place in range(RUNS)]
            deeds = itertools.chain.from_iterable([each, share(held, "1")] for each in reversed(named))
            ends += ends_of(replaying_of(counter, *deeds), functools.partial(counter.record, *named))
            counter.void(held)

        assert ends == Times({"done": ROUNDS, "duplicate-reference": ROUNDS})
        assert counter.violations() == []

    def test_takes_new_currencies_and_new_balances_in_the_order_of_everyone(self, counter: Counter) -> None:
        ends = Times[str]()
        for early, late in zip(CODES[::2], CODES[1::2], strict=True):
            held = counter.hold("20")
            in_early, in_late = (transfer("1", into=BANK, out_of=SALES, currency=code) for code in (early, late))
            ends += ends_of(
                replaying_of(counter, in_late, *[share(held, "1"), transfer("1")] * RUNS, in_early),
                functools.partial(counter.record, in_early, in_late),
            )
            counter.void(held)

        assert ends == Times(done=len(CODES))
        assert counter.violations() == []

    def test_takes_what_it_reverses_in_the_order_of_everyone(self, counter: Counter) -> None:
        ends = Times[str]()
        for _ in range(ROUNDS):
            held = counter.hold("20")
            parts = counter.post(*(share(held, "1") for _ in range(3))).transactions
            mine, common, others = (NewReversal(transaction_id=each.id) for each in parts)
            ends += ends_of(
                replaying_of(counter, mine, *[transfer("1"), share(held, "1")] * RUNS, common),
                functools.partial(counter.reverse, common.transaction_id),
                functools.partial(counter.reverse, others.transaction_id),
            )
            counter.void(held)

        assert ends == Times({"done": 2 * ROUNDS, "already-reversed": ROUNDS})
        assert counter.violations() == []

    def test_comes_to_an_end_beside_another(self, counter: Counter) -> None:
        """Each makes, posts and gives back what is its own, and both move the same balances."""
        first, second, third = in_lock_order(counter)
        late, early = transfer("1", into=third, out_of=second), transfer("1", into=first, out_of=second)

        def deeds() -> list[Happened]:
            mine = happened(late)
            for _ in range(RUNS):
                made = happened(hold("0.10"))[0]
                taken = HoldPost(hold_id=made.id, postings=transfer("0.05", into=SALES, out_of=TILL).postings)
                mine += [made, *happened(taken, Release(hold_id=made.id, state=Status.VOIDED, effective_at=NOW))]
            return [*mine, *happened(early)]

        ends = Times[str]()
        for _ in range(ROUNDS):
            ends += ends_of(
                *[functools.partial(replay, counter, deeds()) for _ in range(2)],
                often(functools.partial(counter.record, late, early)),
            )

        assert ends == Times(done=3 * ROUNDS)
        assert counter.violations() == []


# What a replay may need of a ledger with a hold that was posted in part, and what others then have to wait with.
Wait = tuple[Callable[[Transaction, Transaction], taking.Needs], Callable[[Counter, Transaction, Transaction], object]]
WAITS: dict[str, Wait] = {
    "a hold": (
        lambda held, _part: taking.Needs(holds={held.id}),
        lambda counter, held, _part: lock(counter, locking.lock_rows, held),
    ),
    "the balances of a hold": (
        lambda held, _part: taking.Needs(holds={held.id}),
        lambda counter, _held, _part: counter.record(transfer("1", into=TILL, out_of=BANK)),
    ),
    "other balances of its accounts": (
        lambda held, _part: taking.Needs(holds={held.id}),
        lambda counter, _held, _part: counter.record(transfer("1", out_of=BANK, currency="EUR")),
    ),
    "what is reversed": (
        lambda _held, part: taking.Needs(originals={part.id}),
        lambda counter, _held, part: lock(counter, reversing.lock, part),
    ),
    "the hold of what is reversed": (
        lambda _held, part: taking.Needs(originals={part.id}),
        lambda counter, held, _part: lock(counter, locking.lock_rows, held),
    ),
    "the balances of what is reversed": (
        lambda _held, part: taking.Needs(originals={part.id}),
        lambda counter, _held, _part: counter.record(transfer("1", into=TILL, out_of=BANK)),
    ),
    "a reference": (
        lambda _held, _part: taking.Needs(references={"r-1", "r-2"}),
        lambda counter, _held, _part: counter.record(transfer("1", reference="r-2")),
    ),
    "a balance": (
        lambda _held, _part: taking.Needs(named={(BANK, "USD")}),
        lambda counter, _held, _part: counter.record(transfer("1", into=TILL, out_of=BANK)),
    ),
    "a balance that is new": (
        lambda _held, _part: taking.Needs(named={(BANK, "EUR")}),
        lambda counter, _held, _part: counter.record(transfer("1", into=TILL, out_of=BANK, currency="EUR")),
    ),
    "a currency that is new": (
        lambda _held, _part: taking.Needs(named={("assets:nowhere", "CHF")}),
        lambda counter, _held, _part: counter.record(transfer("1", currency="CHF")),
    ),
    "the period": (
        lambda _held, _part: taking.Needs(is_late=True),
        lambda counter, _held, _part: counter.close_before(LONG_AGO),
    ),
}


class TestTaking:
    @pytest.mark.parametrize("what", WAITS)
    def test_makes_others_wait(self, counter: Counter, database_url: str, what: str) -> None:
        needs, act = WAITS[what]
        counter.record(transfer("1", currency="EUR"), transfer("1", into=BANK))
        held = counter.hold("20")
        part = counter.post(share(held, "1")).transactions[0]
        impatient = engines.build(settings.Database(url=database_url, lock_timeout_seconds=0.1))
        other = Counter(factory.build(impatient), counter.ledger, counter.form)

        with counter.at_work() as session:
            taking.take(session, counter.ledger, needs(held, part), now=NOW)
            with pytest.raises(sa_exc.OperationalError) as raised:
                act(other, held, part)

        assert db_errors.sqlstate(raised.value) == db_errors.LOCK_NOT_AVAILABLE
        act(other, held, part)
        impatient.dispose()
        assert counter.violations() == []
