"""A transaction is reversed once: alone, as a part of a hold, or as the whole of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import exc as sa_exc

from myapp.ledger import ids, tables
from tests.integration.ledger.counter import SALES, SOON, TILL, Counter, share
from tests.integration.ledger.desk import NOW, in_every_form, key, transfer

pytestmark = [in_every_form, pytest.mark.commits]


class TestAReversal:
    def test_undoes_and_both_say_so(self, counter: Counter) -> None:
        sale = counter.record(transfer("10", description="Sale", reference="order-1")).transactions[0]

        undone = counter.reverse(sale.id)

        assert (undone.reverses, undone.description, undone.reference) == (sale.id, "Sale", None)
        assert counter.read(sale).reversed_by == undone.id
        assert counter.balance(TILL) == counter.balance(SALES) == 10_000
        assert counter.violations() == []

    def test_happens_once(self, counter: Counter) -> None:
        sale = counter.record(transfer("10")).transactions[0]
        undone = counter.reverse(sale.id)

        counter.refused("already-reversed", lambda: counter.reverse(sale.id), transaction=undone)

    def test_can_itself_be_reversed(self, counter: Counter) -> None:
        sale = counter.record(transfer("10")).transactions[0]
        undone = counter.reverse(sale.id)
        counter.reverse(undone.id)

        assert counter.balance(TILL) == 11_000
        assert counter.violations() == []

    def test_is_refused_like_any_transaction(self, counter: Counter) -> None:
        sale = counter.record(transfer("10", reference="order-1")).transactions[0]
        early = NOW - timedelta(days=1)
        counter.refused(
            "duplicate-reference",
            lambda: counter.reverse(sale.id, reference="order-1"),
            index=0,
            transaction=sale,
        )
        spent = counter.record(transfer("105", into=SALES, out_of=TILL)).transactions[0]
        counter.refused("insufficient-funds", lambda: counter.reverse(sale.id), index=0, line=0)
        counter.reverse(spent.id)
        counter.close_before(NOW)
        counter.refused("period-locked", lambda: counter.reverse(sale.id, effective_at=early), index=0)
        counter.change(TILL, closed=True)
        counter.refused("account-closed", lambda: counter.reverse(sale.id), index=0, line=0)
        counter.refused("not-found", lambda: counter.reverse(ids.new_id(NOW)))

    def test_is_done_once_for_a_key(self, counter: Counter) -> None:
        sale = counter.record(transfer("10")).transactions[0]

        first = counter.reverse(sale.id, claim=key("k"))

        assert counter.reverse(sale.id, claim=key("k")) == first
        assert counter.balance(TILL) == 10_000


class TestOfAHold:
    def test_undoes_one_part_or_every_part(self, counter: Counter) -> None:
        held = counter.hold("30")
        first, second = (counter.post(share(held, amount)).transactions[0] for amount in ("10", "20"))

        undone = counter.reverse(first.id)

        assert (counter.balance(TILL), counter.available()) == (8_000, 8_000)
        counter.refused("already-reversed", lambda: counter.reverse(first.id), transaction=undone)
        counter.refused("already-reversed", lambda: counter.reverse(held.id), transaction=undone)
        counter.reverse(second.id)
        assert counter.balance(TILL) == 10_000
        assert counter.violations() == []

    def test_undoes_the_whole(self, counter: Counter) -> None:
        held = counter.hold("30")
        parts = [counter.post(share(held, amount, final=amount == "5")).transactions[0] for amount in ("10", "5")]

        undone = counter.reverse(held.id)

        assert [counter.read(each).reversed_by for each in (held, *parts)] == [undone.id] * 3
        assert (counter.balance(TILL), counter.available()) == (10_000, 10_000)
        for part in parts:
            counter.refused("already-reversed", lambda part=part: counter.reverse(part.id), transaction=undone)
        counter.refused("already-reversed", lambda: counter.reverse(held.id), transaction=undone)
        assert counter.violations() == []

    def test_needs_something_posted(self, counter: Counter) -> None:
        pending, voided, expired = counter.hold("1"), counter.hold("2"), counter.hold("3", expires_at=SOON)
        posted = counter.post(share(voided, "1")).transactions[0]
        counter.void(voided)
        counter.expire()

        for held in (pending, voided, expired):
            counter.refused("not-posted", lambda held=held: counter.reverse(held.id))
        counter.reverse(posted.id)
        assert counter.violations() == []

    def test_is_not_of_what_gave_it_back(self, counter: Counter) -> None:
        counter.void(counter.hold("1"))
        table = tables.transactions
        with counter.at_work(readonly=True) as session:
            query = sa.select(table.c.id).where(table.c.ledger_id == counter.ledger.id, table.c.pending_of.is_not(None))
            record_id = session.scalars(query).one()

        counter.refused("not-posted", lambda: counter.reverse(record_id))


def test_the_database_refuses_a_second_reversal(counter: Counter) -> None:
    sale = counter.record(transfer("10")).transactions[0]
    counter.reverse(sale.id)
    table = tables.transactions
    copied = [column for column in table.c if column.name not in ("id", "reverses") and not column.computed]
    again = sa.select(
        *copied, sa.literal(ids.new_id(NOW), table.c.id.type), sa.literal(sale.id, table.c.reverses.type)
    ).where(table.c.ledger_id == counter.ledger.id, table.c.id == sale.id)
    statement = sa.insert(table).from_select([*(column.name for column in copied), "id", "reverses"], again)

    with pytest.raises(sa_exc.IntegrityError), counter.at_work() as session:
        session.execute(statement)
