"""A key takes effect once, whoever repeats it and when."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory
from myapp.ledger import errors, idempotency, operations, tables
from myapp.ledger.recording import Form
from tests.integration.ledger.desk import LONG_AGO, NOW, Desk, at_once, in_every_form, key, transfer

OK = idempotency.StoredAnswer(status=201, body=b'{"id": "\xc3\xbc"}')


@in_every_form
class TestRecording:
    def test_a_repeat_returns_what_was_recorded_then(self, shop: Desk) -> None:
        first = shop.record(transfer("1", metadata={"a": "b"}), transfer("2", reference="r"), claim=key("k"))
        shop.record(transfer("5"))

        again = shop.record(transfer("1"), transfer("2"), claim=key("k"), now=NOW + timedelta(hours=1))

        assert (first.replayed, again.replayed) == (False, True)
        assert again.transactions == first.transactions
        assert shop.balance("assets:till") == 800

    def test_another_request_is_refused(self, shop: Desk) -> None:
        shop.record(transfer("1"), claim=key("k", b"this"))

        with pytest.raises(errors.IdempotencyMismatch):
            shop.record(transfer("1"), claim=key("k", b"that"))
        assert shop.transactions() == 1

    def test_an_expired_key_is_free(self, shop: Desk) -> None:
        shop.record(transfer("1"), claim=key("k", b"this"))
        later = key("k", b"that", expired_before=NOW + timedelta(microseconds=1))

        renewed = shop.record(transfer("2"), claim=later, now=NOW + timedelta(days=8))
        again = shop.record(transfer("2"), claim=later, now=NOW + timedelta(days=8))

        assert (renewed.replayed, again.replayed) == (False, True)
        assert again.transactions == renewed.transactions

    def test_a_key_belongs_to_its_ledger(self, shop: Desk) -> None:
        shop.record(transfer("1"), claim=key("k"))

        with shop.at_work() as session:
            assert idempotency.take(session, idempotency.NO_LEDGER, key(str(shop.ledger.id)), now=NOW) is None

    @pytest.mark.commits
    def test_two_at_once_take_effect_once(self, shop: Desk) -> None:
        answers: list[operations.Recorded] = []

        at_once(*[lambda: answers.append(shop.record(transfer("1"), claim=key("same")))] * 4)

        assert sorted(answer.replayed for answer in answers) == [False, True, True, True]
        assert len({answer.transactions[0].id for answer in answers}) == 1
        assert shop.balance("assets:till") == 100


class TestOtherAnswers:
    def test_a_repeat_returns_the_stored_answer(self, desk: Desk) -> None:
        with desk.at_work() as session:
            assert idempotency.take(session, desk.ledger.id, key("k"), now=NOW) is None
            idempotency.remember(session, desk.ledger.id, "k", OK)

        with desk.at_work() as session:
            assert idempotency.take(session, desk.ledger.id, key("k"), now=NOW) == OK

    def test_another_request_is_refused(self, desk: Desk) -> None:
        with desk.at_work() as session:
            idempotency.take(session, desk.ledger.id, key("k"), now=NOW)
            idempotency.remember(session, desk.ledger.id, "k", OK)

        with pytest.raises(errors.IdempotencyMismatch), desk.at_work() as session:
            idempotency.take(session, desk.ledger.id, key("k", b"other"), now=NOW)

    def test_a_failed_request_is_not_remembered(self, desk: Desk) -> None:
        with pytest.raises(ZeroDivisionError), desk.at_work() as session:
            idempotency.take(session, desk.ledger.id, key("k"), now=NOW)
            raise ZeroDivisionError

        with desk.at_work() as session:
            assert idempotency.take(session, desk.ledger.id, key("k", b"other"), now=NOW) is None


class TestPurging:
    def test_deletes_what_has_expired_and_says_how_many(self, desk: Desk) -> None:
        # Long before what any other test of this database claims.
        first, second = (LONG_AGO - timedelta(days=days) for days in (2, 1))
        for name, claimed_at in {"old": first, "older": first, "new": second}.items():
            with desk.at_work() as session:
                idempotency.take(session, desk.ledger.id, key(name), now=claimed_at)

        with desk.at_work() as session:
            assert idempotency.purge(session, expired_before=second) == 2

        with desk.at_work() as session:
            left = sa.select(tables.idempotency.c.key).where(tables.idempotency.c.ledger_id == desk.ledger.id)
            assert session.scalars(left).all() == ["new"]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True, scope="session")
@pytest.mark.parametrize("form", list(Form), scope="session")
class TestInFlight:
    @pytest.mark.commits
    def test_a_second_request_waits_no_longer_than_the_lock_timeout(self, shop: Desk, database_url: str) -> None:
        impatient = engines.build(settings.Database(url=database_url, lock_timeout_seconds=0.1))
        second = Desk(factory.build(impatient), shop.ledger, shop.form)

        with shop.at_work() as session:
            idempotency.take(session, shop.ledger.id, key("k"), now=NOW)
            with pytest.raises(errors.IdempotencyInProgress):
                second.record(transfer("1"), claim=key("k"))
        impatient.dispose()

    @pytest.mark.commits
    def test_a_wait_for_a_balance_is_not_taken_for_one_for_a_key(self, shop: Desk, database_url: str) -> None:
        impatient = engines.build(settings.Database(url=database_url, lock_timeout_seconds=0.1))
        second = Desk(factory.build(impatient), shop.ledger, shop.form)

        with shop.at_work() as session:
            session.execute(sa.text("SELECT 1 FROM balances FOR UPDATE"))
            with pytest.raises(sa.exc.OperationalError):
                second.record(transfer("1"), claim=key("k"))
        impatient.dispose()
