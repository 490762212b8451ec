"""Transactions and statements, read in pages."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from myapp.ledger import errors, ids, queries
from myapp.ledger.model import StatementLine, Status, Transaction
from tests.integration.ledger.desk import NOW, Desk, credit, debit, transaction, transfer

DAY = timedelta(days=1)


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """Return a desk with three sales on three days, recorded out of order, and one in another currency."""
    desk.open("assets:till")
    desk.open("assets:bank")
    desk.open("income:sales")
    desk.record(transfer("3", effective_at=NOW + 3 * DAY, reference="third", metadata={"n": "3", "odd": "yes"}))
    desk.record(
        transfer("1", effective_at=NOW + DAY, reference="first", metadata={"n": "1", "odd": "yes"}), now=NOW + DAY
    )
    desk.record(transfer("2", effective_at=NOW + 2 * DAY, reference="second", metadata={"n": "2"}), now=NOW + 2 * DAY)
    desk.record(
        transfer("7", effective_at=NOW + 2 * DAY, currency="JPY", into="assets:bank", metadata={'"quoted"': "it's"}),
        now=NOW + 3 * DAY,
    )
    return desk


class TestTransactions:
    def found(self, desk: Desk, **criteria: object) -> list[str | None]:
        with desk.at_work(readonly=True) as session:
            listed = queries.list_transactions(
                session, desk.ledger, criteria=queries.TransactionFilter(**criteria), after=None, limit=10, now=NOW
            )
        return [listed_one.reference for listed_one in listed]

    @pytest.mark.parametrize(
        ("criteria", "expected"),
        [
            ({}, [None, "second", "first", "third"]),
            ({"account": "assets:bank"}, [None]),
            ({"account": "assets:nowhere"}, []),
            ({"reference": "first"}, ["first"]),
            ({"effective_from": NOW + 2 * DAY}, [None, "second", "third"]),
            ({"effective_to": NOW + 2 * DAY}, ["first"]),
            ({"status": Status.POSTED}, [None, "second", "first", "third"]),
            ({"status": Status.PENDING}, []),
            ({"metadata": {"odd": "yes"}}, ["first", "third"]),
            ({"metadata": {"odd": "yes", "n": "1"}}, ["first"]),
            ({"metadata": {"n": "yes"}}, []),
            ({"metadata": {'"quoted"': "it's"}}, [None]),
            ({"account": "assets:till", "metadata": {"odd": "yes"}, "effective_to": NOW + 2 * DAY}, ["first"]),
        ],
    )
    def test_are_found_by_criteria_newest_first(self, busy: Desk, criteria, expected) -> None:
        assert self.found(busy, **criteria) == expected

    def test_are_listed_in_pages(self, busy: Desk) -> None:
        pages: list[Transaction] = []
        with busy.at_work(readonly=True) as session:
            while page := queries.list_transactions(
                session,
                busy.ledger,
                criteria=queries.TransactionFilter(),
                after=pages[-1].id if pages else None,
                limit=3,
                now=NOW,
            ):
                pages += page

        assert [one.reference for one in pages] == [None, "second", "first", "third"]

    def test_of_another_ledger_are_not_found(self, busy: Desk) -> None:
        with busy.at_work(readonly=True) as session, pytest.raises(errors.NotFound):
            queries.get_transaction(session, busy.ledger, ids.new_id(NOW), now=NOW)


class TestStatement:
    def lines(self, desk: Desk, path: str = "assets:till", **more: object) -> list[StatementLine]:
        with desk.at_work(readonly=True) as session:
            return list(queries.list_postings(session, desk.ledger, path, **{"after": None, "limit": 100, **more}))

    def test_runs_in_effective_order(self, busy: Desk) -> None:
        lines = self.lines(busy)

        assert [line.reference for line in lines] == ["first", "second", "third"]
        assert [line.balance_minor for line in lines] == [100, 300, 600]
        assert [line.balance_version for line in lines] == [2, 3, 1]

    def test_counts_a_posting_recorded_late_from_its_own_time_on(self, busy: Desk) -> None:
        busy.record(transfer("10", effective_at=NOW))

        assert [line.balance_minor for line in self.lines(busy)] == [1_000, 1_100, 1_300, 1_600]

    def test_is_in_the_normal_direction_of_the_account(self, busy: Desk) -> None:
        lines = self.lines(busy, "income:sales")

        assert [(line.currency, line.balance_minor) for line in lines] == [
            ("USD", 100), ("JPY", 7), ("USD", 300), ("USD", 600),
        ]  # fmt: skip

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_runs_on_from_page_to_page(self, busy: Desk, limit: int) -> None:
        busy.record(
            transaction(debit("assets:till", "1"), debit("assets:till", "2"), credit("income:sales", "3")),
            now=NOW + DAY,
        )
        whole, pages = self.lines(busy), []

        while page := self.lines(busy, after=position(pages), limit=limit):
            pages += page

        assert pages == whole
        assert len(whole) == 5

    def test_starts_and_ends_when_asked(self, busy: Desk) -> None:
        lines = self.lines(busy, effective_from=NOW + 2 * DAY, effective_to=NOW + 3 * DAY)

        assert [(line.reference, line.balance_minor) for line in lines] == [("second", 300)]
        assert self.lines(busy, effective_from=datetime.max.replace(tzinfo=NOW.tzinfo)) == []

    def test_of_an_account_that_is_not_there(self, busy: Desk) -> None:
        with pytest.raises(errors.NotFound):
            self.lines(busy, "assets:nowhere")


def position(pages: list[StatementLine]) -> queries.PostingPosition | None:
    if not pages:
        return None
    last = pages[-1]
    return queries.PostingPosition(last.effective_at, last.balance_version, last.currency)
