"""Every search finds what looking at each transaction finds, on both databases, through all its pages."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import model, operations, queries, tables, terms
from myapp.ledger.model import Effect, Status, Transaction
from myapp.ledger.queries.search import finding, walks
from myapp.ledger.recording import Form
from tests.integration.ledger.desk import NOW, Desk, credit, debit, in_every_form, transaction, transfer

pytestmark = pytest.mark.long

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LATER = NOW + 60 * DAY
TIMES = [NOW + n * DAY + m * HOUR for n in range(-3, 6) for m in (0, 11)]
PATHS = ["assets:till", "assets:till:drawer", "assets:tilly", "assets:bank", "income:sales"]
TEXTS = [
    "Rent for January",
    "RENT, in Größe",
    "grösse und Größe",
    "rents",
    "東京 rent",
    "Ünï-cødé 12.50",
    "E\u0301clair",
]
SOUGHT = ["rent", "RENT january", "grÖSSE", "in Rent", "京", "12 50", "\u00c9CL", "cødé ünï", "ren", "nothing"]
METADATA = [{}, {"kind": "a"}, {"kind": "b", "a.b": "c d"}, {"kind": "a", "ключ": "💰"}]
COUNT = 80
SEARCHES = 60

Crowded = tuple[Desk, Sequence[Transaction]]


@pytest.fixture(scope="module")
def crowded(sessions: sessionmaker[Session], dialect: str) -> Crowded:
    """Return a desk whose ledger holds a bit of everything, and all that its list shows."""
    with scope.session_scope(sessions) as session:
        ledger = operations.create_ledger(session, f"searched-{secrets.token_hex(8)}", metadata={}, now=NOW)
    desk = Desk(sessions, ledger, Form.STEPS if dialect == "sqlite" else Form.STATEMENT)
    for path in PATHS:
        desk.open(path)
    chance = random.Random(7)
    for number in range(COUNT):
        recorded = desk.record(anything(chance, number), now=NOW + number * HOUR).transactions[0]
        if recorded.status is Status.PENDING:
            end(desk, recorded, chance, now=NOW + number * HOUR + DAY)
    return desk, pages(desk, queries.TransactionFilter(), size=1000)


def anything(chance: random.Random, number: int) -> model.NewTransaction:
    into, out_of = chance.sample(PATHS, 2)
    currency, amount = chance.choice(["USD", "USD", "JPY"]), chance.choice(["1", "2", "12", "70"])
    more = {
        "reference": f"ref-{number}" if chance.random() < 0.5 else None,
        "effective_at": chance.choice([*TIMES, None]),
        "description": chance.choice([*TEXTS, None]),
        "metadata": chance.choice(METADATA),
    }
    if chance.random() < 0.4:
        expires_at = chance.choice([None, NOW + 30 * DAY, NOW + 90 * DAY])
        more |= {"pending": True, "expires_at": expires_at}
    if chance.random() < 0.3:
        lines = [debit(into, amount, currency), debit(into, "5", currency)]
        return transaction(*lines, credit(out_of, str(int(amount) + 5), currency), **more)
    return transfer(amount, into=into, out_of=out_of, currency=currency, **more)


def end(desk: Desk, hold: Transaction, chance: random.Random, *, now: datetime) -> None:
    """Post a hold, void it, or let it be."""
    with desk.at_work() as session:
        match chance.randrange(3):
            case 0:
                post = model.HoldPost(
                    hold_id=hold.id, description=chance.choice(TEXTS), metadata=chance.choice(METADATA)
                )
                operations.post_holds(session, desk.ledger, [post], now=now)
            case 1:
                operations.void_holds(session, desk.ledger, [hold.id], now=now)


def pages(desk: Desk, criteria: queries.TransactionFilter, *, size: int) -> list[Transaction]:
    found: list[Transaction] = []
    after = None
    with desk.at_work(readonly=True) as session:
        while True:
            page = queries.search_transactions(
                session, desk.ledger, criteria=criteria, after=after, limit=size, now=LATER
            )
            assert len(page.transactions) <= size
            found += page.transactions
            after = page.resume
            if after is None:
                return found


def found_by(desk: Desk, criteria: queries.TransactionFilter, *, size: int) -> list[UUID]:
    """Return the ids on all pages of a search."""
    found: list[UUID] = []
    after = None
    with desk.at_work(readonly=True) as session:
        while True:
            page = finding.find(session, desk.ledger, criteria, after=after, limit=size, now=LATER)
            assert len(page.rows) <= size
            found += [row.id for row in page.rows]
            after = page.resume
            if after is None:
                return found


def some_search(chance: random.Random, everything: Sequence[Transaction]) -> queries.TransactionFilter:
    """Return one to four parts of a search, most of which meet something."""
    low, high = sorted(chance.choices([1, 2, 500, 700, 1200, 7000, 8000], k=2))
    period = sorted(chance.sample(TIMES, 2))
    recorded = sorted(chance.sample(range(-5, COUNT + 5), 2))
    parts: list[dict[str, object]] = [
        {"account": chance.choice([*PATHS, "assets:nowhere"])},
        {"subtree": chance.choice(["assets", "assets:till", "income:sales", "nowhere"])},
        {"reference": chance.choice([each.reference or "none" for each in everything])},
        {"effective_from": period[0]},
        {"effective_to": period[1]},
        {"effective_from": period[0], "effective_to": period[1]},
        {"recorded_from": NOW + recorded[0] * HOUR, "recorded_to": NOW + recorded[1] * HOUR},
        {"known_at": NOW + chance.choice(range(0, COUNT + 30, 7)) * HOUR},
        {"status": chance.choice(list(Status))},
        {"currency": chance.choice(["USD", "JPY", "EUR"])},
        {"currency": "USD", "amount_min": low, "amount_max": chance.choice([low, high, None])},
        {"currency": "JPY", "amount_max": high},
        {"text": chance.choice(SOUGHT)},
        {"metadata": chance.choice([{"kind": "a"}, {"kind": "b", "a.b": "c d"}, {"ключ": "💰"}, {"kind": "c"}])},
    ]
    asked: dict[str, object] = {}
    for part in chance.sample(parts, chance.choice([1, 1, 2, 2, 3, 4])):
        asked |= {key: value for key, value in part.items() if key not in asked}
    if "currency" not in asked:
        asked.pop("amount_min", None), asked.pop("amount_max", None)
    return queries.TransactionFilter(**asked)  # type: ignore[arg-type]


def meets(of: Transaction, criteria: queries.TransactionFilter) -> bool:
    """Judge one transaction as the documentation does."""
    wanted = [
        (criteria.reference, lambda: of.reference == criteria.reference),
        (criteria.effective_from, lambda: of.effective_at >= criteria.effective_from),
        (criteria.effective_to, lambda: of.effective_at < criteria.effective_to),
        (criteria.recorded_from, lambda: of.recorded_at >= criteria.recorded_from),
        (criteria.recorded_to, lambda: of.recorded_at < criteria.recorded_to),
        (criteria.status, lambda: of.status is criteria.status),
        (criteria.text, lambda: terms.words(criteria.text) <= terms.words(of.description or "")),
    ]
    return (
        all(check() for value, check in wanted if value is not None)
        and criteria.metadata.items() <= of.metadata.items()
        and any(posting_meets(posting, criteria) for posting in of.postings if posting.effect is not Effect.RELEASED)
    )


def posting_meets(posting: model.Posting, criteria: queries.TransactionFilter) -> bool:
    return (
        criteria.account in (None, posting.account)
        and (criteria.subtree is None or f"{posting.account}:".startswith(f"{criteria.subtree}:"))
        and criteria.currency in (None, posting.currency)
        and (criteria.amount_min is None or posting.amount_minor >= criteria.amount_min)
        and (criteria.amount_max is None or posting.amount_minor <= criteria.amount_max)
    )


class TestSearches:
    def test_meet_every_kind(self, crowded: Crowded) -> None:
        _, everything = crowded

        assert {each.status for each in everything} == set(Status)
        assert len(everything) > COUNT

    @pytest.mark.parametrize("collected_max", [walks.COLLECTED_MAX, 8], ids=["few", "many"])
    def test_find_what_meets_them(self, crowded: Crowded, monkeypatch: pytest.MonkeyPatch, collected_max: int) -> None:
        """With so little to be collected, what is many takes the ways of a large ledger."""
        for module in (walks, finding, finding.ways):
            monkeypatch.setattr(module, "COLLECTED_MAX", collected_max)
        desk, everything = crowded
        chance = random.Random(collected_max)
        empty = 0

        for _ in range(SEARCHES):
            criteria = some_search(chance, everything)
            known = everything
            if criteria.known_at is not None:
                # test_lists_as_known.py has that this is what there was.
                known = pages(desk, queries.TransactionFilter(known_at=criteria.known_at), size=1000)
            expected = [each.id for each in known if meets(each, criteria)]
            empty += not expected
            assert found_by(desk, criteria, size=chance.choice([5, 20, 50])) == expected, criteria

        assert empty <= SEARCHES * 3 // 4

    def test_go_on_after_a_page_that_looked_at_enough(self, crowded: Crowded, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(finding, "LOOKED_AT_MAX", 5)
        desk, everything = crowded
        criteria = queries.TransactionFilter(subtree="assets", currency="JPY", metadata={"kind": "b"})

        with desk.at_work(readonly=True) as session:
            first = finding.find(session, desk.ledger, criteria, after=None, limit=4, now=LATER)

        assert len(first.rows) < 4
        assert first.resume is not None
        found = [each.id for each in pages(desk, criteria, size=4)]
        assert found == [each.id for each in everything if meets(each, criteria)] != []

    def test_look_no_further_at_what_another_index_leaves_out(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked_up: list[UUID] = []
        read = finding.by_key.read

        def watched(session: Session, query: Any, key: Any, keys: Sequence[UUID]) -> Any:
            looked_up.extend(keys)
            return read(session, query, key, keys)

        monkeypatch.setattr(finding.by_key, "read", watched)
        for path in ("assets:till", "assets:bank", "income:sales"):
            desk.open(path)
        for number in range(40):
            account, word = ("assets:till", "red") if number % 2 else ("assets:bank", "blue")
            desk.record(transaction(debit(account, "1"), credit("income:sales", "1"), description=f"some {word}"))
        last = desk.record(transaction(debit("assets:till", "1"), credit("assets:bank", "1"), description="blue"))
        looked_up.clear()

        found = found_by(desk, queries.TransactionFilter(account="assets:till", text="blue"), size=5)

        assert found == looked_up == [each.id for each in last.transactions]

    def test_for_amounts_need_a_currency(self) -> None:
        with pytest.raises(ValueError, match="currency"):
            queries.TransactionFilter(amount_min=1)


class TestTerms:
    def test_that_share_a_number_are_told_apart(self, desk: Desk) -> None:
        desk.open("assets:till")
        desk.open("income:sales")
        recorded = desk.record(transfer("3", description="unlike", metadata={"un": "like"})).transactions[0]
        with desk.at_work() as session:
            for term in (terms.of_word("alike"), terms.of_entry("a", "like")):
                row = {"ledger_id": desk.ledger.id, "term": term, "transaction_id": recorded.id}
                session.execute(sa.insert(tables.transaction_terms), [row])

        assert pages(desk, queries.TransactionFilter(text="alike"), size=9) == []
        assert pages(desk, queries.TransactionFilter(metadata={"a": "like"}), size=9) == []
        assert [each.id for each in pages(desk, queries.TransactionFilter(text="unlike"), size=9)] == [recorded.id]

    @in_every_form
    def test_are_written_in_every_form(self, shop: Desk) -> None:
        shop.record(transfer("1", description="One, two: ONE", metadata={"a": "b"}), transfer("1", description="two"))

        with shop.at_work(readonly=True) as session:
            table = tables.transaction_terms
            found = session.scalars(sa.select(table.c.term).where(table.c.ledger_id == shop.ledger.id)).all()
        two = terms.of_word("two")
        assert sorted(found) == sorted([two, two, terms.of_word("one"), terms.of_entry("a", "b")])
