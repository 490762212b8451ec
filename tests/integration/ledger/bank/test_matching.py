from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.engine import Engine

from myapp.db.scope import session_scope
from myapp.db.telemetry.counting import count_statements
from myapp.ledger import bank, model
from tests.integration.bookkeeping import BANK, CLEARING, NOW, RENT, SALES, Books, came_in, went_out

SAVINGS = "assets:savings"


class TestMatch:
    def test_matches_a_transaction_whose_reference_the_bank_gives(self, books: Books):
        paid = books.pay("100", "2026-01-02", reference="INV-1001")
        books.take_over(came_in("100", "2026-02-20", "Invoice INV-1001, thank you"))

        run = books.match()

        assert (run.matched, run.proposed, run.open) == (1, 0, 0)
        (line,) = books.lines()
        assert line.match is not None
        assert (line.match.transaction_id, line.match.posting_line, line.match.how) == (paid.id, 0, bank.How.RULE)
        assert books.balance(CLEARING) == 0
        assert books.hold()

    @pytest.mark.parametrize(
        "line",
        [
            came_in("100", "2026-01-02", "Invoice INV-1002"),
            came_in("100.01", "2026-01-02", "Invoice INV-1001"),
            went_out("100", "2026-01-02", "Invoice INV-1001"),
        ],
        ids=["another reference", "another amount", "the other direction"],
    )
    def test_is_certain_of_nothing_less(self, books: Books, line: bank.NewLine):
        books.pay("100", "2026-01-02", reference="INV-1001")
        books.take_over(line)

        assert books.match().matched == 0

    @pytest.mark.parametrize(
        ("day", "proposed"), [("2026-01-05", 1), ("2026-01-15", 1), ("2026-01-04", 0), ("2026-01-16", 0)]
    )
    def test_proposes_what_is_near_in_time(self, books: Books, day: str, proposed: int):
        books.pay("100", "2026-01-10")
        books.take_over(came_in("100", day))

        assert books.match(days=5).proposed == proposed

    def test_says_why_it_proposes(self, books: Books):
        paid = books.pay("40", "2026-01-30", into=RENT, out_of=CLEARING, description="Rent of January")
        books.take_over(went_out("40", "2026-01-31", "RENT JANUARY", counterparty="Landlord"))

        books.match()

        (line,) = books.lines()
        (proposal,) = line.proposals
        assert (proposal.transaction_id, proposal.posting_line, line.state) == (paid.id, 1, bank.State.PROPOSED)
        assert proposal.score == 40 + 20 * 5 // 6 + 20 + 20
        assert proposal.reasons == [
            "same amount",
            "1 day apart",
            "the only one of this amount",
            "words in common: january, rent",
        ]

    def test_proposes_several_in_order_where_it_cannot_tell(self, books: Books):
        far = books.pay("100", "2026-01-01")
        near = books.pay("100", "2026-01-04")
        books.take_over(came_in("100", "2026-01-05"))

        books.match()

        (line,) = books.lines()
        assert [each.transaction_id for each in line.proposals] == [near.id, far.id]

    def test_leaves_a_line_open_that_nothing_explains(self, books: Books):
        books.take_over(went_out("7.50", "2026-01-31", "Fee"))

        run = books.match()

        assert (run.matched, run.proposed, run.open) == (0, 0, 1)
        assert books.states() == {"open": 1}

    def test_gives_a_transaction_to_one_line_alone(self, books: Books):
        books.pay("100", "2026-01-05", reference="INV-1001")
        books.take_over(came_in("100", "2026-01-05", "INV-1001"), came_in("100", "2026-01-06", "INV-1001 again"))

        run = books.match()

        assert (run.matched, run.open) == (1, 1)

    def test_takes_nothing_that_has_its_match(self, books: Books):
        books.pay("100", "2026-01-05", reference="INV-1001")
        books.take_over(came_in("100", "2026-01-05", "INV-1001"))
        books.match()
        books.take_over(came_in("100", "2026-01-06", "INV-1001 once more"), came_in("100", "2026-01-07"))

        run = books.match()

        assert (run.matched, run.proposed, run.open) == (0, 0, 2)

    def test_takes_no_transaction_that_was_reversed_nor_its_reversal(self, books: Books):
        paid = books.pay("100", "2026-01-05")
        reverse(books, paid)
        books.take_over(came_in("100", "2026-01-05"), went_out("100", "2026-01-05"))

        assert books.match().open == 2

    def test_opens_a_line_again_whose_match_was_reversed(self, books: Books):
        paid = books.pay("100", "2026-01-05", reference="INV-1001")
        books.take_over(came_in("100", "2026-01-05", "INV-1001"))
        books.match()
        reverse(books, paid)

        run = books.match()

        assert (run.reopened, run.open) == (1, 1)
        assert books.lines()[0].match is None

    def test_matches_both_sides_of_a_transfer(self, books: Books):
        books.open(SAVINGS)
        books.take_over(went_out("500", "2026-01-05", "To savings"))
        books.take_over(came_in("500", "2026-01-06", "From checking"), account=SAVINGS)

        assert books.match(SAVINGS).proposed == 1
        books.accept(books.lines(SAVINGS)[0])

        assert (books.states(BANK), books.states(SAVINGS)) == ({"matched": 1}, {"matched": 1})
        assert books.balance(CLEARING) == 0
        rejected = books.reject(books.lines(SAVINGS)[0])
        assert (rejected.state, books.states(BANK)) == (bank.State.OPEN, {"open": 1})

    def test_never_takes_two_lines_of_one_account_for_each_other(self, books: Books):
        books.take_over(came_in("5", "2026-01-05"), went_out("5", "2026-01-05"))

        assert books.match().open == 2

    def test_matches_on_the_bank_account_itself_where_the_books_record_there(self, books: Books):
        paid = books.pay("100", "2026-01-05", into=BANK, reference="INV-1001")
        books.take_over(came_in("100", "2026-01-06", "INV-1001"), clearing=None)

        books.match()

        (line,) = books.lines()
        assert line.match is not None
        assert line.match.transaction_id == paid.id
        assert books.balance(BANK) == 100_00

    def test_sends_as_many_statements_for_many_lines_as_for_few(self, books: Books, engine: Engine):
        counted = []
        for month, count in (("01", 2), ("03", 25)):
            for day in range(1, count + 1):
                books.pay(str(day), f"2026-{month}-{day:02}", reference=f"INV-{month}{day}")
            numbers = range(1, count + 1)
            books.take_over(*(came_in(str(n), f"2026-{month}-{n:02}", f"INV-{month}{n}") for n in numbers if n % 2))
            books.take_over(*(came_in(str(n), f"2026-{month}-{n:02}") for n in numbers if not n % 2))
            with session_scope(books.sessions) as session, count_statements(engine) as statements:
                run = bank.match(session, books.ledger, BANK, now=NOW)
            assert run.matched
            assert run.proposed
            counted.append(len(statements))

        assert counted[0] == counted[1]


class TestAccept:
    def test_takes_the_only_proposal(self, books: Books):
        paid = books.pay("100", "2026-01-05")
        books.take_over(came_in("100", "2026-01-06"))
        books.match()

        line = books.accept(books.lines()[0])

        assert (line.state, line.proposals) == (bank.State.MATCHED, [])
        assert line.match is not None
        assert (line.match.transaction_id, line.match.how) == (paid.id, bank.How.ACCEPTED)

    def test_leaves_no_proposal_of_what_is_taken(self, books: Books):
        one, other = books.pay("100", "2026-01-05"), books.pay("100", "2026-01-05")
        books.take_over(came_in("100", "2026-01-05"), came_in("100", "2026-01-06"), came_in("100", "2026-01-07"))
        books.match()
        first, second, third = books.lines()

        books.accept(first, one)
        assert [each.transaction_id for each in books.lines()[1].proposals] == [other.id]
        books.accept(second)

        assert books.lines()[2].state is bank.State.OPEN
        assert (third.state, books.lines()[2].proposals) == (bank.State.PROPOSED, [])

    def test_takes_a_transaction_that_was_not_proposed(self, books: Books):
        paid = books.pay("100", "2025-06-05")
        books.take_over(came_in("100", "2026-01-06"))
        books.match()

        assert books.accept(books.lines()[0], paid).state is bank.State.MATCHED

    def test_records_what_is_missing(self, books: Books):
        books.open("expenses:fees")
        books.take_over(went_out("7.50", "2026-01-31", "Fee", counterparty="Bank"))

        line = books.record_missing(books.lines()[0], "expenses:fees")

        assert line.match is not None
        assert line.match.how is bank.How.RECORDED
        assert (books.balance("expenses:fees"), books.balance(CLEARING), books.balance(BANK)) == (7_50, 0, -7_50)
        (recorded,) = [each for each in books.transactions() if each.id == line.match.transaction_id]
        assert recorded.effective_at == datetime(2026, 1, 31, tzinfo=UTC)
        assert recorded.description == "Bank: Fee"
        assert recorded.metadata == {"bank.text": "Fee", "bank.counterparty": "Bank", "bank.line": str(line.id)}

    def test_records_what_is_missing_on_the_bank_account_itself(self, books: Books):
        books.take_over(came_in("3", "2026-01-31"), clearing=None)

        books.record_missing(books.lines()[0], SALES)

        assert books.balance(BANK) == 3_00


class TestReject:
    def test_does_not_propose_it_again(self, books: Books):
        books.pay("100", "2026-01-05")
        books.take_over(came_in("100", "2026-01-06"))
        books.match()

        rejected = books.reject(books.lines()[0])

        assert (rejected.state, rejected.proposals) == (bank.State.OPEN, [])
        assert books.match().open == 1

    def test_drops_one_of_several(self, books: Books):
        one, other = books.pay("100", "2026-01-05"), books.pay("100", "2026-01-05")
        books.take_over(came_in("100", "2026-01-06"))
        books.match()

        rejected = books.reject(books.lines()[0], one)

        assert [each.transaction_id for each in rejected.proposals] == [other.id]
        assert books.accept(rejected).state is bank.State.MATCHED

    def test_takes_a_match_away(self, books: Books):
        paid = books.pay("100", "2026-01-05", reference="INV-1001")
        books.take_over(came_in("100", "2026-01-05", "INV-1001"))
        books.match()

        assert books.reject(books.lines()[0]).state is bank.State.OPEN
        assert books.match().open == 1
        # Whoever changes their mind may say so, and again.
        books.accept(books.lines()[0], paid)
        assert books.reject(books.lines()[0]).state is bank.State.OPEN


def reverse(books: Books, of: model.Transaction) -> None:
    """Record the reverse of a transaction, and that it is one."""
    import sqlalchemy as sa

    from myapp.ledger.tables import transactions

    undone = books.pay(str(of.postings[0].amount_minor // 100), "2026-01-05", into=SALES, out_of=CLEARING)
    with session_scope(books.sessions) as session:
        update = sa.update(transactions).where(
            transactions.c.ledger_id == books.ledger.id, transactions.c.id == undone.id
        )
        session.execute(update.values(reverses=of.id))
