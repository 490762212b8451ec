"""A short story with everything a ledger can record, told at a desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

from myapp.ledger import operations
from myapp.ledger.model import Currency, HoldPost, LedgerChange, NewPrice, NewReversal
from tests.integration.bookkeeping import BANK, CLEARING, SALES, Books, came_in
from tests.integration.ledger import history
from tests.integration.ledger.desk import NOW, Desk, credit, debit, limits, transaction, transfer

LATER = NOW + timedelta(hours=1)
LATER_STILL = NOW + timedelta(days=1)


@dataclass
class Story:
    """What the ledger recorded, by what it is."""

    desk: Desk
    sale: UUID
    part_posted: UUID
    posted: UUID
    voided: UUID
    expired: UUID
    waiting: UUID
    final_part: UUID
    reversal: UUID


def tell(desk: Desk) -> Story:
    """Record sales, a hold of every fate, and reversals; close an account; take over bank lines; number all events."""
    with desk.at_work() as session:
        operations.declare_currency(session, desk.ledger, Currency(code="HOOL", exponent=4), now=NOW)
    desk.open(
        "assets:till", {"USD": limits("-100", "1000"), "EUR": limits(None, "500")}, currencies=["USD", "EUR", "HOOL"]
    )
    desk.open("income:sales", {"USD": limits(None, "5000")})
    desk.open("assets:old")
    desk.open("assets:empty", currencies=["USD"])
    sale, *_ = desk.record(
        transfer(
            "10",
            reference="sale",
            description="A sale",
            metadata={"k": "v"},
            effective_at=datetime(2026, 1, 2, tzinfo=UTC),
        ),
        transfer("3", currency="HOOL"),
        transfer("1", into="assets:old"),
    ).transactions
    desk.change("assets:old", closed=True)
    desk.change("assets:till", metadata={"a": "b"}, limits={"EUR": None})
    with desk.at_work() as session:
        change = LedgerChange(metadata={"m": "n"}, moves_period=True, locked_before=datetime(2025, 1, 1, tzinfo=UTC))
        operations.change_ledger(session, desk.ledger, change, expected_version=None, now=NOW)
    held = [
        hold("20"),
        hold("21"),
        hold("22"),
        hold("23", expires_at=NOW + timedelta(minutes=5)),
        hold("24"),
        hold("25"),
    ]
    ids = [each.id for each in desk.record(*held).transactions]
    part_posted, posted, voided, expired, waiting, final = ids
    with desk.at_work() as session:
        some = [debit("assets:till", "5"), credit("income:sales", "5")]
        part = HoldPost(hold_id=part_posted, postings=some)
        last = HoldPost(hold_id=final, postings=some, final=True)
        wanted = [part, part, HoldPost(hold_id=posted), last]
        posts = operations.post_holds(session, desk.ledger, wanted, now=LATER).transactions
    with desk.at_work() as session:
        operations.void_holds(session, desk.ledger, [voided], now=LATER)
    with desk.at_work() as session:
        assert operations.expire_holds(session, desk.ledger, now=LATER_STILL, limit=9) == 1
    reversals = []
    for original in (sale.id, posts[0].id, posted):
        with desk.at_work() as session:
            wanted_reversal = NewReversal(transaction_id=original)
            reversals += operations.reverse(session, desk.ledger, wanted_reversal, now=LATER_STILL).transactions
    record_prices(desk)
    keep_bank(Books(desk.sessions, desk.ledger))
    history.number(desk)
    return Story(
        desk=desk, sale=sale.id, part_posted=part_posted, posted=posted, voided=voided, expired=expired,
        waiting=waiting, final_part=final, reversal=reversals[0].id,
    )  # fmt: skip


def record_prices(desk: Desk) -> None:
    """Record prices, one of which is corrected, from times in another zone."""
    days = [datetime(2026, 1, day, tzinfo=timezone(timedelta(hours=2))) for day in (1, 2)]
    for nth, (price, day) in enumerate([("1.10", days[0]), ("1.20", days[0]), ("1.30", days[1])]):
        wanted = NewPrice(currency="EUR", quote="USD", price=Decimal(price), effective_at=day)
        with desk.at_work() as session:
            operations.record_prices(session, desk.ledger, [wanted], now=NOW + timedelta(seconds=nth))


def keep_bank(books: Books) -> None:
    """Take over bank lines of every fate: matched, opened again, matched anew, proposed, and open."""
    books.open(BANK, CLEARING)
    books.pay("100", "2026-01-02", reference="INV-1001")
    books.pay("40", "2026-01-03")
    books.pay("7", "2026-01-04")
    books.pay("3", "2026-01-05", into=BANK)
    books.take_over(
        came_in("100", "2026-01-02", "Invoice INV-1001", counterparty="Anna"), came_in("40", "2026-01-03"),
        came_in("7", "2026-01-04"), came_in("9", "2026-01-05", "Interest"), came_in("11", "2026-01-06"),
    )  # fmt: skip
    books.take_over(came_in("3", "2026-01-05", "Anna"), clearing=None)
    books.match()
    by_amount = {line.amount_minor: line for line in books.lines()}
    books.accept(by_amount[4000])
    books.record_missing(by_amount[900], SALES)
    paid = books.pay("11", "2026-01-06")
    books.accept(by_amount[1100], paid)
    books.reject(by_amount[1100])
    books.accept(by_amount[1100], books.pay("11", "2026-01-06"))
    books.accept(by_amount[300])
    books.reject(by_amount[300])


def hold(amount: str, **more: object):
    """Return a hold in two currencies, one of whose balances it meets on two lines."""
    return transaction(
        debit("assets:till", Decimal(amount)),
        debit("assets:till", "2"),
        credit("income:sales", Decimal(amount) + 2),
        debit("assets:till", "1", "EUR"),
        credit("income:sales", "1", "EUR"),
        pending=True,
        description="A hold",
        **more,
    )
