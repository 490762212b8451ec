"""Holds reserve until they are posted, voided or expire."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import exc as sa_exc

from myapp.ledger import ids, operations, tables
from myapp.ledger.model import HoldPost, Status
from tests.integration.ledger.counter import BANK, LATER, SALES, SOON, TILL, Counter, effects, hold, part, share
from tests.integration.ledger.desk import NOW, credit, debit, in_every_form, key, limits, transaction, transfer

MOMENT = timedelta(microseconds=1)

pytestmark = [in_every_form, pytest.mark.commits]


class TestAHold:
    def test_reserves_and_moves_nothing(self, counter: Counter) -> None:
        held = counter.hold("30")

        assert held.status is Status.PENDING
        assert [posting.remaining_minor for posting in held.postings] == [3000, 3000]
        assert (counter.balance(TILL), counter.available(TILL)) == (10_000, 7_000)
        assert counter.read(held) == held

    def test_leaves_no_more_than_is_available(self, counter: Counter) -> None:
        counter.hold("60")

        counter.refused("insufficient-funds", lambda: counter.hold("40.01"), index=0, line=1)
        counter.refused("insufficient-funds", lambda: counter.record(hold("20"), hold("20.01")), index=1, line=1)
        counter.refused(
            "insufficient-funds",
            lambda: counter.record(transfer("40.01", into=SALES, out_of=TILL)),
            index=0,
            line=1,
        )
        counter.hold("40")
        assert counter.available() == 0

    def test_that_may_bring_too_much_in_is_refused(self, counter: Counter) -> None:
        counter.change(TILL, limits={"USD": limits("0", "150")})
        counter.record(transfer("30", pending=True))

        counter.refused("limit-exceeded", lambda: counter.record(transfer("20.01")), index=0, line=0)
        assert counter.available() == 10_000

    def test_has_any_lines_in_any_currencies(self, counter: Counter) -> None:
        held = counter.record(
            transaction(
                debit(SALES, "5"),
                debit(SALES, "7"),
                credit(TILL, "12"),
                debit(BANK, "900", "JPY"),
                credit(SALES, "900", "JPY"),
                pending=True,
            )
        ).transactions[0]

        posted = counter.post(
            part(held, debit(SALES, "6"), credit(TILL, "6"), debit(BANK, "1", "JPY"), credit(SALES, "1", "JPY"))
        )

        assert counter.left(held) == [0, 600, 600, 899, 899]
        assert effects(posted.transactions) == [["taken"] * 4]
        assert counter.violations() == []

    def test_is_due_before_it_expires(self, counter: Counter) -> None:
        counter.refused("validation-failed", lambda: counter.hold("1", expires_at=NOW), index=0)
        counter.refused("validation-failed", lambda: counter.record(transfer("1", expires_at=SOON)), index=0)

    def test_in_a_period_of_the_past_that_has_no_room_for_it_is_refused(self, counter: Counter) -> None:
        counter.open("assets:vault")
        late = partial(transfer, into="assets:vault", pending=True, effective_at=NOW - timedelta(days=40))
        for _ in range(2):
            # Given back with effect now, so that it stays pending in its own period.
            counter.void(*counter.record(late("46000000000000000")).transactions)

        counter.refused("amount-out-of-range", lambda: counter.record(late("1000000000000000")))
        assert counter.violations() == []

    def test_can_be_tried(self, counter: Counter) -> None:
        before = counter.rows()
        with counter.at_work() as session:
            tried = operations.dry_run(session, counter.ledger, [hold("30")], now=NOW, form=counter.form)

        assert tried.transactions[0].status is Status.PENDING
        assert counter.rows() == before

    def test_is_there_once_for_a_key(self, counter: Counter) -> None:
        first = counter.record(hold("30"), claim=key("k"))
        counter.post(first.transactions[0])

        again = counter.record(hold("30"), claim=key("k"))

        assert again.replayed
        assert again.transactions == first.transactions


class TestPosting:
    def test_moves_all_that_remains(self, counter: Counter) -> None:
        held = counter.hold("30", description="Refund", expires_at=SOON)

        posted = counter.post(held).transactions[0]

        assert (posted.status, posted.pending_of, posted.description) == (Status.POSTED, held.id, "Refund")
        assert (counter.balance(TILL), counter.available()) == (7_000, 7_000)
        seen = counter.read(held)
        assert (seen.status, seen.posted_by, counter.left(held)) == (Status.POSTED, [posted.id], [0, 0])

    def test_goes_on_in_parts(self, counter: Counter) -> None:
        held = counter.hold("30")

        first = counter.post(share(held, "10")).transactions[0]
        assert (counter.read(held).status, counter.left(held)) == (Status.PENDING, [2000, 2000])
        second = counter.post(share(held, "5"), share(held, "15"), now=SOON).transactions

        assert counter.read(held).status is Status.POSTED
        assert counter.read(held).posted_by == [first.id, *(each.id for each in second)]
        assert (counter.balance(TILL), counter.available()) == (7_000, 7_000)
        assert counter.violations() == []

    def test_gives_the_rest_back_with_the_final_part(self, counter: Counter) -> None:
        held = counter.hold("30")

        posted = counter.post(share(held, "10", final=True))

        assert effects(posted.transactions) == [["taken", "taken", "released", "released"]]
        assert (counter.read(held).status, counter.left(held)) == (Status.POSTED, [0, 0])
        assert (counter.balance(TILL), counter.available()) == (9_000, 9_000)
        assert counter.violations() == []

    def test_counts_when_it_says_also_before_its_hold(self, counter: Counter) -> None:
        """Its lines are of one time, and that is the caller's: until the hold counts, it takes of what is not there."""
        held = counter.hold("30", effective_at=LATER)

        counter.post(share(held, "10"))
        counter.post(share(held, "5", effective_at=LATER, final=True))

        assert [counter.pending_at(each) for each in (NOW, LATER - MOMENT, LATER)] == [-1000, -1000, 0]
        assert counter.violations() == []

    def test_takes_no_more_than_remains(self, counter: Counter) -> None:
        held = counter.hold("30")
        counter.post(share(held, "10"))

        counter.refused("exceeds-hold", lambda: counter.post(share(held, "20.01")), index=0, line=0)
        counter.refused("exceeds-hold", lambda: counter.post(share(held, "15"), share(held, "6")), index=1, line=0)
        assert counter.left(held) == [2000, 2000]

    @pytest.mark.parametrize(
        ("postings", "code", "line"),
        [
            ((debit(BANK, "1"), credit(TILL, "1")), "exceeds-hold", 0),
            ((credit(SALES, "1"), debit(TILL, "1")), "exceeds-hold", 0),
            ((debit(SALES, "1"), credit(TILL, "1"), debit(SALES, "1", "EUR")), "exceeds-hold", 2),
            ((debit(SALES, "1"), credit("assets:nowhere", "1")), "exceeds-hold", 1),
            ((debit(SALES, "1"), credit(TILL, "1", "XAU")), "unknown-currency", 1),
            ((debit(SALES, "1.001"), credit(TILL, "1.001")), "amount-precision", 0),
            ((debit(SALES, str(2**63)), credit(TILL, "1")), "amount-out-of-range", 0),
            ((debit(SALES, "2"), credit(TILL, "1")), "unbalanced-transaction", None),
            ((debit(SALES, "1"), credit(TILL, "0")), "validation-failed", 1),
            ((debit(SALES, "1"),), "validation-failed", None),
        ],
    )
    def test_takes_only_what_the_hold_has(self, counter: Counter, postings, code: str, line: int | None) -> None:
        held, other = counter.hold("30"), counter.hold("1")

        counter.refused(code, lambda: counter.post(other, part(held, *postings)), index=1, line=line)

    def test_needs_a_hold_that_is_pending(self, counter: Counter) -> None:
        sale = counter.record(transfer("1")).transactions[0]
        posted, voided, due = counter.hold("1"), counter.hold("1"), counter.hold("1", expires_at=SOON)
        counter.post(posted)
        counter.void(voided)

        for used in (sale, posted, voided):
            counter.refused("not-pending", lambda used=used: counter.post(due, used), index=1)
            counter.refused("not-pending", lambda used=used: counter.void(due, used), index=1)
        counter.refused("not-pending", lambda: counter.post(due, now=SOON), index=0)
        counter.refused("not-pending", lambda: counter.void(due, now=SOON), index=0)
        counter.refused("not-pending", lambda: counter.post(due, due), index=1)
        assert counter.post(due, now=SOON - timedelta(microseconds=1)).transactions

    def test_of_what_is_not_there_is_not_found(self, counter: Counter) -> None:
        held, nothing = counter.hold("30"), HoldPost(hold_id=ids.new_id(NOW))

        counter.refused("not-found", lambda: counter.post(held, nothing), index=1)

    def test_is_refused_like_any_transaction(self, counter: Counter) -> None:
        held = counter.hold("30", reference="hold-1")
        holder = counter.record(transfer("1", reference="order-1")).transactions[0]
        again = HoldPost(hold_id=held.id, reference="order-1")
        counter.refused("duplicate-reference", lambda: counter.post(again), index=0, transaction=holder)
        counter.close_before(NOW)
        early = HoldPost(hold_id=held.id, effective_at=NOW - timedelta(days=1))
        counter.refused("period-locked", lambda: counter.post(early), index=0)
        counter.change(TILL, closed=True)
        counter.refused("account-closed", lambda: counter.post(held), index=0, line=1)
        counter.void(held)
        assert counter.available() == 10_100

    def test_is_done_once_for_a_key(self, counter: Counter) -> None:
        held = counter.hold("30")
        first = counter.post(share(held, "10"), claim=key("k"))
        counter.reverse(first.transactions[0].id)

        again = counter.post(share(held, "10"), claim=key("k"))

        assert again.replayed
        assert again.transactions == first.transactions
        assert counter.left(held) == [2000, 2000]
        counter.refused(
            "idempotency-mismatch", lambda: counter.post(share(held, "9"), claim=key("k", request_hash=b"other"))
        )

    def test_keeps_within_limits_that_have_changed_since(self, counter: Counter) -> None:
        held = counter.hold("30")

        counter.refused("insufficient-funds", lambda: counter.change(TILL, limits={"USD": limits("70.01")}))
        counter.change(TILL, limits={"USD": limits("70")})
        counter.post(held)
        assert counter.violations() == []


class TestVoiding:
    def test_gives_all_back(self, counter: Counter) -> None:
        held, other = counter.hold("30"), counter.hold("20")

        voided = counter.void(held, other).transactions

        assert [each.status for each in voided] == [Status.VOIDED] * 2
        assert (counter.balance(TILL), counter.available()) == (10_000, 10_000)
        assert counter.violations() == []

    def test_leaves_what_was_posted(self, counter: Counter) -> None:
        held = counter.hold("30")
        posted = counter.post(share(held, "10")).transactions[0]

        counter.void(held)

        seen = counter.read(held)
        assert (seen.status, seen.posted_by) == (Status.VOIDED, [posted.id])
        assert (counter.balance(TILL), counter.available()) == (9_000, 9_000)

    def test_is_done_once_for_a_key(self, counter: Counter) -> None:
        held = counter.hold("30")
        first = counter.void(held, claim=key("k"))

        again = counter.void(held, claim=key("k"))

        assert (again.replayed, again.transactions) == (True, first.transactions)
        counter.refused("idempotency-mismatch", lambda: counter.void(held, claim=key("k", request_hash=b"other")))

    def test_names_each_hold_once(self, counter: Counter) -> None:
        held = counter.hold("30")

        counter.refused("validation-failed", lambda: counter.void(held, held))
        counter.refused("validation-failed", counter.void)

    def test_is_no_transaction_that_is_listed(self, counter: Counter) -> None:
        before = counter.transactions()
        counter.void(counter.hold("30"))

        assert counter.transactions() == before + 1

    def test_counts_from_when_the_hold_does(self, counter: Counter) -> None:
        """So nothing is given back at a time when nothing was reserved, of one that was posted in part neither."""
        held, begun = counter.hold("30", effective_at=LATER), counter.hold("20")
        counter.post(share(held, "10", effective_at=LATER))

        counter.void(held, begun, now=SOON)

        assert [counter.pending_at(each) for each in (NOW, SOON, LATER - MOMENT, LATER)] == [2000, 0, 0, 0]
        assert (counter.available(), counter.violations()) == (9_000, [])


class TestExpiring:
    def test_shows_at_once_and_is_swept_later(self, counter: Counter) -> None:
        held = counter.hold("30", expires_at=SOON)

        assert counter.read(held, now=SOON).status is Status.EXPIRED
        assert counter.available() == 7_000
        assert counter.expire(now=SOON - timedelta(microseconds=1)) == 0
        assert counter.expire(now=SOON) == 1
        assert counter.expire(now=SOON) == 0
        assert counter.read(held).status is Status.EXPIRED
        assert counter.available() == 10_000
        assert counter.violations() == []

    def test_takes_the_first_to_expire_first(self, counter: Counter) -> None:
        later, sooner = counter.hold("30", expires_at=LATER), counter.hold("20", expires_at=SOON)

        assert counter.expire(limit=1) == 1
        assert (counter.left(later), counter.left(sooner)) == ([3000, 3000], [0, 0])

    def test_counts_from_when_the_hold_does(self, counter: Counter) -> None:
        counter.hold("30", expires_at=SOON, effective_at=LATER)
        counter.hold("20", expires_at=SOON)

        assert counter.expire() == 2
        assert [counter.pending_at(each) for each in (NOW, SOON, LATER - MOMENT, LATER)] == [2000, 0, 0, 0]
        assert counter.violations() == []

    @pytest.mark.parametrize("counts", ["later", "earlier"])
    def test_counts_from_the_hold_or_the_open_period_as_comes_later(self, counter: Counter, counts: str) -> None:
        period = LATER - MOMENT if counts == "later" else LATER + MOMENT
        counter.hold("30", expires_at=SOON, effective_at=LATER)
        counter.close_before(period)

        assert counter.expire() == 1
        at = [counter.pending_at(each) for each in (LATER - MOMENT, LATER, LATER + MOMENT)]
        assert at == [0, 0 if counts == "later" else 3000, 0]

    def test_leaves_what_was_posted(self, counter: Counter) -> None:
        held = counter.hold("30", expires_at=SOON)
        counter.post(share(held, "10"))

        assert counter.expire() == 1
        assert (counter.balance(TILL), counter.available()) == (9_000, 9_000)

    def test_counts_from_the_open_period(self, counter: Counter) -> None:
        """Also where that has begun since, and on accounts that have been closed."""
        counter.hold("30", expires_at=SOON)
        counter.close_before(LATER)
        counter.change(TILL, closed=True)

        assert counter.expire() == 1
        assert counter.violations() == []


class TestTheDatabaseRefuses:
    def test_to_take_more_than_remains(self, counter: Counter) -> None:
        counter.hold("30")
        lines = tables.hold_lines
        taken = sa.update(lines).where(lines.c.ledger_id == counter.ledger.id)
        refuse(counter, taken.values(remaining=lines.c.remaining - 3001))

    def test_to_release_more_than_is_pending(self, counter: Counter) -> None:
        counter.hold("30")
        balances = tables.balances
        given = sa.update(balances).where(balances.c.ledger_id == counter.ledger.id)
        refuse(counter, given.values(credits_pending=balances.c.credits_pending - 3001))

    def test_to_reverse_more_posts_than_there_are(self, counter: Counter) -> None:
        counter.post(counter.hold("30"))
        holds = tables.holds
        reversed_ = sa.update(holds).where(holds.c.ledger_id == counter.ledger.id)
        refuse(counter, reversed_.values(reversed_posts=2))


def refuse(counter: Counter, statement: sa.Update) -> None:
    before = counter.rows()
    with pytest.raises(sa_exc.IntegrityError), counter.at_work() as session:
        session.execute(statement)
    assert counter.rows() == before
