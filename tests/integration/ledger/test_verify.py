"""Each invariant is seen to fail when someone tampers with the tables."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from myapp.ledger import ids, tables, verify
from tests.integration.ledger.desk import MAX, NOW, Desk, limits, transfer

balances, postings, transactions = tables.balances, tables.postings, tables.transactions

IS_FIRST_LINE = (postings.c.line == 0, postings.c.balance_version == 2)
IS_TILL = balances.c.net_min.is_not(None)

TAMPERING = {
    "an amount": (
        sa.update(postings).where(*IS_FIRST_LINE).values(amount=postings.c.amount + 1),
        {
            "transactions-balance",
            "ledger-balances",
            "counters-are-sums",
            "postings-follow-each-other",
            "day-totals-are-sums",
        },
    ),
    "a side": (
        sa.update(postings).where(*IS_FIRST_LINE).values(side="credit"),
        {
            "transactions-balance",
            "ledger-balances",
            "counters-are-sums",
            "postings-follow-each-other",
            "day-totals-are-sums",
        },
    ),
    "the debits of a balance": (
        sa.update(balances).where(IS_TILL).values(debits_posted=balances.c.debits_posted + 1),
        {"counters-are-sums"},
    ),
    "the credits of a balance": (
        sa.update(balances).where(IS_TILL).values(credits_posted=balances.c.credits_posted + 1),
        {"counters-are-sums"},
    ),
    "the version of a balance": (sa.update(balances).where(IS_TILL).values(version=9), {"counters-are-sums"}),
    "a resulting balance": (
        sa.update(postings).where(*IS_FIRST_LINE).values(debits_posted=postings.c.debits_posted + 1),
        {"postings-follow-each-other"},
    ),
    "a resulting balance on the other side": (
        sa.update(postings).where(*IS_FIRST_LINE).values(credits_posted=postings.c.credits_posted + 1),
        {"postings-follow-each-other"},
    ),
    "the order of postings": (
        sa.update(postings).where(postings.c.balance_version == 3).values(balance_version=5),
        {"postings-follow-each-other"},
    ),
    "a minimum": (sa.update(balances).where(IS_TILL).values(net_min=601), {"limits-hold", "accounts-agree"}),
    "a maximum": (sa.update(balances).where(IS_TILL).values(net_max=599), {"limits-hold", "accounts-agree"}),
    "what is pending": (
        sa.update(balances).where(IS_TILL).values(credits_pending=601),
        {"limits-hold", "counters-are-sums"},
    ),
    "a time": (
        sa.update(transactions).where(transactions.c.reference == "1").values(effective_at=NOW + timedelta(days=1)),
        {"effective-times-agree"},
    ),
}


@pytest.fixture
def till(desk: Desk) -> Desk:
    desk.open("assets:till", {"USD": limits("0", "1000")})
    desk.open("income:sales")
    desk.record(*(transfer(str(n), reference=str(n)) for n in (1, 2, 3)))
    return desk


def violated(desk: Desk) -> set[str]:
    return set(desk.violations())


class TestVerify:
    @pytest.mark.parametrize("what", TAMPERING)
    def test_finds_tampering_with(self, till: Desk, what: str) -> None:
        tampering, expected = TAMPERING[what]
        of = tampering.table
        assert violated(till) == set()

        with till.at_work() as session:
            assert session.execute(tampering.where(of.c.ledger_id == till.ledger.id)).rowcount >= 1

        assert violated(till) == expected

    def test_finds_a_transaction_without_postings(self, till: Desk) -> None:
        with till.at_work() as session:
            session.execute(
                sa.insert(transactions).values(
                    ledger_id=till.ledger.id,
                    id=ids.new_id(NOW),
                    status="posted",
                    effective_at=NOW,
                    recorded_at=NOW,
                    metadata={},
                )
            )

        assert violated(till) == {"transactions-balance", "events-are-complete"}

    def test_shows_the_figures(self, till: Desk) -> None:
        with till.at_work(readonly=True) as session:
            compared = {check.name: dict(check.compared) for check in verify.verify(session, till.ledger)}

        assert compared["transactions-balance"] == {"transactions": 3, "postings": 6}
        assert compared["ledger-balances"] == {"USD debits": 600, "USD credits": 600}
        assert compared["counters-are-sums"] == {"balances": 2, "postings": 6}
        assert compared["limits-hold"] == {"balances with limits": 1}

    def test_adds_up_beyond_64_bits(self, desk: Desk) -> None:
        for n in range(3):
            desk.open(f"assets:{n}", {"JPY": limits(str(-MAX), str(MAX))})
            desk.open(f"income:{n}", {"JPY": limits(str(-MAX), str(MAX))})
            desk.record(transfer(MAX, into=f"assets:{n}", out_of=f"income:{n}", currency="JPY"))

        with desk.at_work(readonly=True) as session:
            (check,) = (one for one in verify.verify(session, desk.ledger) if one.name == "ledger-balances")
        assert check.compared == {"JPY debits": 3 * int(MAX), "JPY credits": 3 * int(MAX)}
        assert violated(desk) == set()

    def test_names_what_is_wrong(self, till: Desk) -> None:
        tampering, _ = TAMPERING["a minimum"]
        with till.at_work() as session:
            session.execute(tampering.where(balances.c.ledger_id == till.ledger.id))

        with till.at_work(readonly=True) as session:
            found = {one.name: one.violations for one in verify.verify(session, till.ledger) if not one.holds}
        assert found["limits-hold"] == ["assets:till in USD is outside its limits"]
