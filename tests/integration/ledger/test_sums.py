from __future__ import annotations

from datetime import timedelta

from myapp.ledger import queries
from tests.integration.ledger.desk import NOW, Desk, transfer

YESTERDAY = NOW - timedelta(days=1)


class TestListReferences:
    def test_lists_those_that_begin_with_the_prefix_to_the_letter(self, desk: Desk) -> None:
        desk.open("assets:till")
        desk.open("income:sales")
        names = ["web:2", "web:1", "Web:3", "web", "we_:4", None]
        desk.record(*(transfer("1", reference=name) for name in names))

        with desk.at_work(readonly=True) as session:
            assert queries.list_references(session, desk.ledger, prefix="web:") == ["web:1", "web:2"]
            assert queries.list_references(session, desk.ledger, prefix="we_") == ["we_:4"]


class TestSumMovements:
    def test_sums_by_account_currency_and_time_here_and_below(self, desk: Desk) -> None:
        for path in ("assets:till", "assets:till:drawer", "assets:tillage", "income:sales"):
            desk.open(path)
        desk.record(
            transfer("1", effective_at=NOW),
            transfer("2", effective_at=NOW),
            transfer("4", effective_at=YESTERDAY),
            transfer("8", into="assets:till:drawer", effective_at=NOW),
            transfer("16", into="assets:tillage", effective_at=NOW),
            transfer("32", currency="EUR", effective_at=NOW),
        )

        with desk.at_work(readonly=True) as session:
            found = queries.sum_movements(session, desk.ledger, ["assets:till", "no:such"])

        assert {(each.path, each.currency, each.effective_at): each.net_minor for each in found} == {
            ("assets:till", "USD", NOW): 300,
            ("assets:till", "USD", YESTERDAY): 400,
            ("assets:till", "EUR", NOW): 3200,
            ("assets:till:drawer", "USD", NOW): 800,
        }

    def test_counts_debits_up_and_credits_down(self, desk: Desk) -> None:
        desk.open("assets:till")
        desk.open("income:sales")
        desk.record(transfer("1", effective_at=NOW))

        with desk.at_work(readonly=True) as session:
            (found,) = queries.sum_movements(session, desk.ledger, ["income"])

        assert (found.path, found.net_minor) == ("income:sales", -100)


class TestFindNames:
    def test_names_the_ledgers_that_are_there(self, desk: Desk) -> None:
        with desk.at_work(readonly=True) as session:
            assert queries.find_names(session, [desk.ledger.id]) == {desk.ledger.id: desk.ledger.name}
            assert queries.find_names(session, []) == {}
