from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from myapp.db.scope import session_scope
from myapp.ledger import bank, errors, model
from myapp.ledger.bank.tables import bank_matches
from tests.integration.bookkeeping import BANK, CLEARING, NOW, Books, came_in
from tests.integration.ledger.desk import at_once

pytestmark = pytest.mark.commits
ACTORS = 4


@pytest.fixture
def paid(books: Books) -> model.Transaction:
    return books.pay("100", "2026-01-05")


@pytest.fixture
def line(books: Books, paid: model.Transaction) -> bank.Line:
    books.take_over(came_in("100", "2026-01-06"))
    books.match()
    return books.lines()[0]


def refused(code: str, action, *arguments) -> None:
    with pytest.raises(errors.LedgerError) as caught:
        action(*arguments)
    assert caught.value.code == code, caught.value


class TestAccept:
    def test_a_line_that_has_its_match(self, books: Books, line: bank.Line, paid: model.Transaction):
        books.accept(line)

        refused("already-matched", books.accept, line)
        refused("already-matched", books.accept, line, paid)
        refused("already-matched", books.record_missing, line, "income:sales")

    def test_a_posting_that_has_its_match(self, books: Books, line: bank.Line, paid: model.Transaction):
        books.accept(line)
        other = books.take_over(came_in("100", "2026-01-07"))[1]

        refused("already-matched", books.accept, other, paid)

    def test_a_line_without_a_proposal_and_one_with_two(self, books: Books, line: bank.Line):
        books.pay("100", "2026-01-05")
        books.take_over(came_in("1", "2026-01-06"))
        books.match()

        for each in books.lines():
            refused("nothing-proposed", books.accept, each)

    def test_a_transaction_that_cannot_be_meant(self, books: Books, line: bank.Line):
        direct = books.pay("100", "2026-01-05", into=BANK)
        less = books.pay("99.99", "2026-01-05")
        other_way = books.pay("100", "2026-01-05", into="income:sales", out_of=CLEARING)
        own = books.transactions()[-1]

        for each in (direct, less, other_way, own):
            refused("not-matching", books.accept, line, each)

    def test_a_line_that_is_not_there(self, books: Books, line: bank.Line):
        with session_scope(books.sessions) as session:
            for act in (bank.accept, bank.get_line):
                more = {"now": NOW} if act is bank.accept else {}
                refused("not-found", lambda act=act, more=more: act(session, books.ledger, uuid.uuid4(), **more))

    def test_an_account_that_is_not_there(self, books: Books, line: bank.Line):
        refused("unknown-account", books.record_missing, line, "income:none")
        assert books.lines() == [line]


class TestReject:
    def test_what_is_not_proposed(self, books: Books, line: bank.Line):
        other = books.pay("100", "2026-01-05")

        refused("nothing-proposed", books.reject, line, other)
        books.reject(line)
        refused("nothing-proposed", books.reject, line)

    def test_another_match_than_there_is(self, books: Books, line: bank.Line):
        books.accept(line)

        refused("nothing-proposed", books.reject, line, books.pay("100", "2026-01-05"))


class TestTwoAtOnce:
    def test_do_not_accept_one_line_twice(self, books: Books, line: bank.Line):
        ends = at_once(*[lambda: books.accept(line)] * ACTORS)

        assert ends == [*["already-matched"] * (ACTORS - 1), "done"]

    def test_do_not_match_one_posting_twice(self, books: Books, line: bank.Line, paid: model.Transaction):
        lines = books.take_over(*(came_in("100", f"2026-01-{n:02}") for n in range(10, 10 + ACTORS)))[1:]

        ends = at_once(*[lambda each=each: books.accept(each, paid) for each in lines])

        assert ends == [*["already-matched"] * (ACTORS - 1), "done"]

    def test_do_not_record_twice_what_is_missing(self, books: Books):
        (line,) = books.take_over(came_in("5", "2026-01-06"))

        ends = at_once(*[lambda: books.record_missing(line, "income:sales")] * ACTORS)

        assert ends == [*["already-matched"] * (ACTORS - 1), "done"]
        assert (len(books.transactions()), books.balance(CLEARING)) == (2, 0)

    def test_runs_and_decisions_do_not_meet(self, books: Books, line: bank.Line):
        ends = at_once(books.match, lambda: books.accept(line), books.match)

        assert set(ends) <= {"done", "nothing-proposed"}
        assert books.states() in ({"matched": 1}, {"proposed": 1})

    def test_are_kept_apart_by_the_tables_alone(self, books: Books, line: bank.Line, paid: model.Transaction):
        """Whoever forgot the lock is refused by a constraint."""
        (other,) = books.take_over(came_in("100", "2026-01-07"))[1:]
        row = {"ledger_id": books.ledger.id, "transaction_id": paid.id, "posting_line": 0, "how": "rule"}
        row |= {"matched_at": NOW}
        books.accept(line)

        for line_id, posting_line in ((line.id, 1), (other.id, 0)):
            with pytest.raises(sa.exc.IntegrityError), session_scope(books.sessions) as session:
                session.execute(sa.insert(bank_matches), [row | {"line_id": line_id, "posting_line": posting_line}])
