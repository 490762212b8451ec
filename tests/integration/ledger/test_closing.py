"""Nothing lands on an account once its close is acknowledged: Note [Closing an account] in ledger/accounts.py."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp import settings
from myapp.db import engine as engines
from myapp.db import errors as db_errors
from myapp.db import factory
from myapp.ledger import errors, operations, tables
from myapp.ledger.model import AccountChange, NewTransaction
from myapp.ledger.recording import Form
from tests.integration.ledger.desk import MAX, NOW, Desk, at_once, in_every_form, transfer

pytestmark = pytest.mark.commits

ROUNDS = 12
ACTORS = 4
EACH = 30
WAIT_SECONDS = 20

on_postgresql = [
    pytest.mark.parametrize("dialect", ["postgresql"], indirect=True, scope="session"),
    pytest.mark.parametrize("form", list(Form), scope="session"),
]

# What a request under way meets: a balance that is there, one that is new, both, and one that would overflow.
MEETINGS = {
    "a balance": [transfer("1")],
    "a new balance": [transfer("1", currency="JPY")],
    "both": [transfer("1", currency="JPY"), transfer("1")],
    "a full balance": [transfer(MAX, currency="JPN")],
}


def close(desk: Desk, session: Session, path: str = "assets:till") -> None:
    change = AccountChange(closed=True)
    operations.change_account(session, desk.ledger, path, change, expected_version=None, now=NOW)


def is_closed(desk: Desk, path: str) -> set[bool]:
    """Return what the balances of an account say."""
    with desk.at_work(readonly=True) as session:
        query = sa.select(tables.balances.c.closed).where(tables.balances.c.account_id == desk.account(path).id)
        return set(session.scalars(query))


def wait_for_a_waiter(session: Session) -> None:
    """Return once another connection waits for a lock that this session holds."""
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
    deadline = time.monotonic() + WAIT_SECONDS
    while not session.scalar(query):
        assert time.monotonic() < deadline, "Nobody waits."
        # What it shows is kept within a transaction.
        session.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        time.sleep(0.01)


@pytest.fixture
def in_background() -> Iterator[Callable[..., object]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


@in_every_form
class TestClosing:
    @pytest.mark.parametrize("currency", ["USD", "CHF"])
    def test_lets_nothing_in_once_it_is_acknowledged(self, shop: Desk, currency: str) -> None:
        """Many rounds; the account has been used in one of the currencies, and is first used during the race."""
        for number in range(ROUNDS):
            path = f"assets:box-{number}"
            shop.open(path)
            shop.record(transfer("1", into=path))
            seen: list[int] = []

            def keep_recording(path: str = path) -> None:
                with contextlib.suppress(errors.AccountClosed):
                    for _ in range(EACH):
                        shop.record(transfer("1", into=path, currency=currency))

            def change(path: str = path, seen: list[int] = seen) -> None:
                shop.change(path, closed=True)
                seen.append(shop.balance(path, currency))

            assert at_once(*[keep_recording] * ACTORS, change) == ["done"] * (ACTORS + 1)
            assert [shop.balance(path, currency)] == seen
            assert is_closed(shop, path) == {True}

    def test_marks_the_balances_and_opening_again_unmarks_them(self, shop: Desk) -> None:
        shop.record(transfer("1"), transfer("1", currency="JPY"))

        shop.change("assets:till", closed=True)
        assert is_closed(shop, "assets:till") == {True}
        shop.change("assets:till", limits={"CHF": None, "SEK": None})
        shop.change("assets:till", closed=False)
        assert is_closed(shop, "assets:till") == {False}
        shop.record(transfer("1"))

    def test_does_not_record_on_a_balance_that_is_marked_although_its_account_is_open(self, shop: Desk) -> None:
        shop.record(transfer("1"))
        with shop.at_work() as session:
            is_its = tables.balances.c.account_id == shop.account("assets:till").id
            session.execute(sa.update(tables.balances).where(is_its).values(closed=True))

        with pytest.raises(db_errors.Conflict):
            shop.record(transfer("1"))


class TestUnderWay:
    pytestmark = on_postgresql

    @pytest.fixture
    def used(self, shop: Desk) -> Desk:
        shop.record(transfer("1"))
        with shop.at_work() as session:
            currency = operations.currencies.Currency(code="JPN", exponent=0)
            operations.declare_currency(session, shop.ledger, currency, now=NOW)
        shop.record(transfer("1", currency="JPN"))
        return shop

    @pytest.mark.parametrize("meeting", MEETINGS)
    def test_a_request_that_waited_for_a_close_is_refused(
        self, used: Desk, in_background: Callable[..., object], meeting: str
    ) -> None:
        wanted: list[NewTransaction] = [transfer("1", into="assets:bank"), *MEETINGS[meeting]]
        with used.at_work() as session:
            close(used, session)
            request = in_background(used.record, *wanted)
            wait_for_a_waiter(session)

        with pytest.raises(errors.AccountClosed) as refused:
            request.result(WAIT_SECONDS)
        assert (refused.value.index, refused.value.line) == (1, 0)

    @pytest.mark.parametrize("meeting", ["a balance", "a new balance", "both"])
    def test_a_close_waits_for_a_request_and_marks_what_it_made(
        self, used: Desk, in_background: Callable[..., object], meeting: str
    ) -> None:
        with used.at_work() as session:
            operations.record(session, used.ledger, MEETINGS[meeting], now=NOW, form=used.form)
            closing = in_background(used.change, "assets:till", closed=True)
            wait_for_a_waiter(session)

        assert closing.result(WAIT_SECONDS).closed_at == NOW
        assert is_closed(used, "assets:till") == {True}

    @pytest.mark.parametrize("meeting", ["a balance", "a new balance", "both"])
    def test_at_serializable_the_request_is_a_conflict(
        self, used: Desk, in_background: Callable[..., object], meeting: str, database_url: str
    ) -> None:
        engine = engines.build(settings.Database(url=database_url, isolation="SERIALIZABLE"))
        strict = Desk(factory.build(engine), used.ledger, used.form)
        with strict.at_work() as session:
            close(strict, session)
            request = in_background(strict.record, *MEETINGS[meeting])
            wait_for_a_waiter(session)

        with pytest.raises(sa.exc.OperationalError) as refused:
            request.result(WAIT_SECONDS)
        assert isinstance(db_errors.translate(refused.value), db_errors.Conflict)
        engine.dispose()
