"""Recording, in every form on every database."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from myapp.ledger import errors, ids, operations, queries, tables
from myapp.ledger.model import AccountType, Counters, Side
from tests.integration.ledger.desk import NOW, Desk, credit, debit, in_every_form, key, limits, transaction, transfer

BATCH = 10_000

pytestmark = in_every_form


class TestRecord:
    def test_returns_the_resulting_balance_on_each_posting(self, shop: Desk) -> None:
        shop.record(transfer("5.00"))

        (recorded,) = shop.record(
            transaction(debit("assets:till", "2.50"), debit("assets:till", "1.00"), credit("income:sales", "3.50"))
        ).transactions

        till_first, till_second, sales = recorded.postings
        assert till_first.counters == Counters(debits_posted=750)
        assert till_second.counters == Counters(debits_posted=850)
        assert sales.counters == Counters(credits_posted=850)
        assert [posting.balance_version for posting in recorded.postings] == [2, 3, 2]
        assert [posting.line for posting in recorded.postings] == [0, 1, 2]
        assert shop.balance("assets:till") == shop.balance("income:sales") == 850

    def test_answers_what_is_read_afterwards(self, shop: Desk) -> None:
        sale = transfer(
            "5.00",
            reference="order-1",
            description='Ünïcode, "quotes", {braces} and \\backslashes\\',
            effective_at=NOW - timedelta(days=400, microseconds=1),
            metadata={"order": "1", 'k"ey': "NULL"},
        )

        (recorded,) = shop.record(sale).transactions

        with shop.at_work(readonly=True) as session:
            assert queries.get_transaction(session, shop.ledger, recorded.id, now=NOW) == recorded
        assert recorded.effective_at == sale.effective_at
        assert recorded.metadata == sale.metadata
        assert recorded.description == sale.description

    def test_records_several_currencies_in_one_transaction(self, shop: Desk) -> None:
        shop.record(
            transaction(
                debit("assets:bank", "1.50"),
                credit("income:sales", "1.50"),
                debit("assets:bank", "7", "JPY"),
                credit("income:sales", "7", "JPY"),
                debit("assets:bank", "0.125", "BHD"),
                credit("income:sales", "0.125", "BHD"),
            )
        )

        assert [shop.balance("assets:bank", code) for code in ("USD", "JPY", "BHD")] == [150, 7, 125]

    def test_keeps_the_exponent_of_an_iso_currency_from_its_first_use(self, shop: Desk) -> None:
        shop.record(transfer("1", into="assets:bank", currency="JPY"))
        shop.record(transfer("1", into="assets:bank", currency="JPY"))

        with shop.at_work(readonly=True) as session:
            found = queries.list_currencies(session, shop.ledger, after=None, limit=10)
        assert {currency.code: currency.exponent for currency in found} == {"EUR": 2, "JPY": 0, "USD": 2}

    def test_sorts_a_batch_in_its_order(self, shop: Desk) -> None:
        recorded = shop.record(*(transfer("1", metadata={"n": str(n)}) for n in range(20))).transactions

        with shop.at_work(readonly=True) as session:
            newest_first = queries.list_transactions(
                session, shop.ledger, criteria=queries.TransactionFilter(), after=None, limit=20, now=NOW
            )
        assert newest_first == list(reversed(recorded))
        assert [
            posting.counters.debits_posted for t in recorded for posting in t.postings if posting.side is Side.DEBIT
        ] == [100 * n for n in range(1, 21)]

    def test_lets_a_balance_dip_between_the_lines_of_a_transaction(self, shop: Desk) -> None:
        shop.record(transaction(credit("assets:till", "5"), debit("assets:till", "5")))

        assert shop.balance("assets:till") == 0

    def test_dry_run_answers_as_if_and_leaves_nothing(self, shop: Desk) -> None:
        with shop.at_work() as session:
            answer = operations.dry_run(session, shop.ledger, [transfer("5")], now=NOW, form=shop.form)
            kept = operations.record(session, shop.ledger, [transfer("7")], now=NOW, form=shop.form)

        assert answer.transactions[0].postings[0].counters == Counters(debits_posted=500)
        assert kept.transactions[0].postings[0].counters == Counters(debits_posted=700)
        assert shop.balance("assets:till") == 700
        assert shop.transactions() == 1

    def test_dry_run_refuses_as_record_does(self, shop: Desk) -> None:
        with pytest.raises(errors.InsufficientFunds), shop.at_work() as session:
            operations.dry_run(
                session,
                shop.ledger,
                [transfer("5", into="income:sales", out_of="assets:till")],
                now=NOW,
                form=shop.form,
            )

    @pytest.mark.long
    def test_takes_a_batch_of_ten_thousand(self, shop: Desk, record_property) -> None:
        cashiers = [f"assets:cashier{n}" for n in range(50)]
        for cashier in cashiers:
            shop.open(cashier, {"USD": limits("0")})
        batch = [
            transfer("1.00", into=cashiers[n % 50], reference=f"sale-{n}", metadata={"n": str(n)}) for n in range(BATCH)
        ]

        started = time.perf_counter()
        recorded = shop.record(*batch, claim=key("batch"))
        record_property("seconds", time.perf_counter() - started)

        assert len(recorded.transactions) == BATCH
        assert shop.balance("income:sales") == BATCH * 100
        assert recorded.transactions[-1].postings[1].balance_version == BATCH
        replayed = shop.record(*batch, claim=key("batch"))
        assert replayed.replayed
        assert replayed.transactions == recorded.transactions
        assert shop.violations() == []

    @pytest.mark.long
    def test_takes_two_thousand_accounts_at_once(self, shop: Desk) -> None:
        """A plan made for small arrays would compare every line with every balance here."""
        paths = [f"assets:drawer{n}" for n in range(2_000)]
        rows = [
            {
                "ledger_id": shop.ledger.id,
                "id": account_id,
                "path": path,
                "type": AccountType.ASSET.value,
                "metadata": {},
                "version": 1,
                "created_at": NOW,
            }
            for path, account_id in zip(paths, ids.new_ids(NOW, len(paths)), strict=True)
        ]
        with shop.at_work() as session:
            session.execute(sa.insert(tables.accounts), rows)
        for _ in range(7):
            shop.record(transfer("1"))

        recorded = shop.record(*(transfer("1", into=path, out_of="assets:bank") for path in paths * 5))

        assert len(recorded.transactions) == BATCH
        assert shop.balance(paths[-1]) == 500
        # They were put there without their events.
        assert shop.violations() == ["accounts-agree"]
