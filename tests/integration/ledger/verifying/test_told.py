"""Prices, bank lines with their matches, and terms are what was told and recorded of them, whole and incrementally."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from myapp.ledger import tables, verify
from myapp.ledger.bank.tables import bank_lines, bank_matches
from myapp.ledger.terms import of_word
from myapp.ledger.verifying import incremental, told, walk
from tests.integration.bookkeeping import SALES, Books, came_in
from tests.integration.ledger import history, story
from tests.integration.ledger.desk import NOW, Desk
from tests.integration.ledger.verifying.test_incremental import verify_new, violated

prices, terms = tables.prices, tables.transaction_terms

CHANGES = {
    "a price": (sa.update(prices).where(prices.c.price == "1.30").values(price="1.31"), "prices-agree"),
    "a price's time": (
        sa.update(prices).where(prices.c.price == "1.30").values(recorded_at=NOW + timedelta(days=1)), "prices-agree",
    ),
    "a price that is gone": (sa.delete(prices).where(prices.c.price == "1.20"), "prices-agree"),
    "a bank line": (
        sa.update(bank_lines).where(bank_lines.c.amount == 700).values(details={"text": "other"}), "bank-lines-agree",
    ),
    "how a line was matched": (
        sa.update(bank_matches).where(bank_matches.c.how == "rule").values(how="recorded"), "bank-matches-agree",
    ),
    "a term": (sa.update(terms).where(terms.c.term == of_word("sale")).values(term=7), "terms-agree"),
}  # fmt: skip


@pytest.fixture
def books(desk: Desk) -> Books:
    story.tell(desk)
    return Books(desk.sessions, desk.ledger)


def tamper(desk: Desk, statement: sa.Update | sa.Insert | sa.Delete) -> None:
    with desk.at_work() as session:
        if not isinstance(statement, sa.Insert):
            statement = statement.where(statement.table.c.ledger_id == desk.ledger.id)
        assert session.execute(statement).rowcount != 0


def said(desk: Desk, name: str) -> list[str]:
    with desk.at_work(readonly=True) as session:
        (found,) = (check for check in verify.verify(session, desk.ledger) if check.name == name)
    return list(found.violations)


class TestVerify:
    @pytest.mark.parametrize("what", CHANGES)
    def test_finds_a_change_whole_and_incrementally(self, books: Books, desk: Desk, what: str) -> None:
        statement, name = CHANGES[what]
        assert (desk.violations(), violated(desk)) == ([], set())
        tamper(desk, sa.delete(tables.verify_checkpoints))

        tamper(desk, statement)

        assert (desk.violations(), violated(desk)) == ([name], {name})

    def test_names_what_is_wrong(self, books: Books, desk: Desk) -> None:
        with desk.at_work(readonly=True) as session:
            of_price = sa.select(prices.c.id).where(prices.c.ledger_id == desk.ledger.id, prices.c.price == "1.30")
            price = session.scalars(of_price).one()
        (matched, *_) = (line for line in books.lines() if line.match)
        tamper(desk, sa.update(prices).where(prices.c.id == price).values(quote="HOOL"))
        tamper(desk, sa.update(bank_matches).where(bank_matches.c.line_id == matched.id).values(matched_at=NOW))
        tamper(desk, sa.update(bank_lines).where(bank_lines.c.id == matched.id).values(state="open"))

        assert said(desk, "prices-agree") == [f"price {price} is not as its event says"]
        assert said(desk, "bank-matches-agree") == [f"bank line {matched.id} is not matched as its last event says"]
        assert said(desk, "bank-states-agree") == [
            f"bank line {matched.id} is not in the state that follows from its match"
        ]

    def test_finds_what_was_added_without_an_event(self, books: Books, desk: Desk) -> None:
        with desk.at_work(readonly=True) as session:
            row = session.execute(sa.select(prices).where(prices.c.ledger_id == desk.ledger.id)).first()
        tamper(desk, sa.insert(prices).values({**row._mapping, "id": desk.ledger.id}))
        tamper(desk, sa.insert(terms).values(ledger_id=desk.ledger.id, term=7, transaction_id=desk.ledger.id))

        assert said(desk, "prices-agree") == [f"price {desk.ledger.id} was recorded by no event"]
        assert said(desk, "terms-agree") == [f"transaction {desk.ledger.id} is not found by its words and metadata"]

    def test_finds_the_same_in_portions(self, books: Books, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(told, "ROWS_AT_ONCE", 2)
        assert desk.violations() == []

        for what in ("a price that is gone", "a bank line"):
            tamper(desk, CHANGES[what][0])

        assert len(said(desk, "prices-agree")) == len(said(desk, "bank-lines-agree")) == 1


class TestVerifyNew:
    def test_goes_on_where_a_line_was_opened_in_a_later_portion(
        self, books: Books, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(walk, "EVENTS_AT_ONCE", 1)
        monkeypatch.setattr(incremental, "LAP_EVENTS", 1)

        run = verify_new(desk)

        assert [check for check in run.checks if not check.holds] == []
        assert verify_new(desk).start == run.reached

    def test_leaves_to_the_next_run_what_has_no_number_yet(self, books: Books, desk: Desk) -> None:
        books.reject(next(line for line in books.lines() if line.match))

        assert violated(desk) == set()
        history.number(desk)
        assert violated(desk) == set()

    def test_finds_a_match_that_was_taken_away(self, books: Books, desk: Desk) -> None:
        verify_new(desk)
        line = books.take_over(came_in("77", "2026-01-20"))[-1]
        books.record_missing(line, SALES)
        history.number(desk)
        tamper(desk, sa.delete(bank_matches).where(bank_matches.c.line_id == line.id))

        assert violated(desk) == violated(desk) == {"bank-matches-agree"}

    def test_reads_nothing_twice(self, books: Books, desk: Desk) -> None:
        verify_new(desk)
        tamper(desk, CHANGES["a price"][0])

        assert violated(desk) == set()
        assert "prices-agree" in desk.violations()
