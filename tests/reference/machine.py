"""Random sequences of operations on the model and on real ledgers side by side: same answers, same state."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies import DataObject

from myapp.ledger.model import NewTransaction
from tests.reference import generate
from tests.reference.book import Refused
from tests.reference.model import Key, Model
from tests.reference.real import Real

Side = Model | Real


class Comparison(RuleBasedStateMachine):
    """One ledger, several times over; subclassed with the databases it lives in."""

    def __init__(self, reals: Sequence[Real], outcomes: Counter[tuple[str, str]]) -> None:
        super().__init__()
        self.model = Model()
        self.reals = reals
        self.outcomes = outcomes
        self.now = generate.START
        self.sent: list[tuple[Key, Sequence[NewTransaction]]] = []
        for real in reals:
            real.create(self.now)

    @property
    def book(self) -> generate.Book:
        return self.model.book

    @initialize(data=st.data())
    def begin(self, data: DataObject) -> None:
        """Open a few accounts, so that the sequence is about what happens between them."""
        for code in data.draw(st.lists(st.sampled_from(sorted(generate.OWN_CURRENCIES)), unique=True)):
            self.declare(code, generate.OWN_CURRENCIES[code])
        for _ in range(4):
            self.open_account(data)

    @rule(data=st.data())
    def administer(self, data: DataObject) -> None:
        """One rule for everything that is not about money, so that most of a sequence is."""
        operations = (self.open_account, self.change_account, self.change_account, self.declare_currency)
        data.draw(st.sampled_from(operations), "operation")(data)

    def open_account(self, data: DataObject) -> None:
        wanted = data.draw(generate.new_accounts(self.book), "account")
        self.compare("open account", lambda side: side.open_account(wanted, now=self.now))

    def declare_currency(self, data: DataObject) -> None:
        self.declare(*data.draw(generate.currencies(), "currency"))

    def change_account(self, data: DataObject) -> None:
        path = data.draw(generate.paths(self.book), "path")
        change = data.draw(generate.changes(self.book, path), "change")
        version = data.draw(generate.versions(self.book, path), "expected version")
        self.compare(
            "change account", lambda side: side.change_account(path, change, expected_version=version, now=self.now)
        )

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data())
    def record_batch(self, data: DataObject) -> None:
        request = data.draw(st.lists(generate.transactions(self.book), min_size=1, max_size=9), "request")
        self.compare("record", lambda side: side.record(request, now=self.now, key=None))

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data())
    def record(self, data: DataObject) -> None:
        request = data.draw(generate.requests(self.book), "request")
        self.compare("record", lambda side: side.record(request, now=self.now, key=None))

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data(), name=st.sampled_from(generate.KEY_NAMES), days_kept=st.sampled_from((1, 1, 0)))
    def record_with_key(self, data: DataObject, name: str, days_kept: int) -> None:
        request = data.draw(generate.requests(self.book), "request")
        key = Key(name, hashlib.sha256(repr(request).encode()).digest(), self.now - timedelta(days=days_kept))
        self.sent.append((key, request))
        self.compare("record with key", lambda side: side.record(request, now=self.now, key=key))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def record_again(self, data: DataObject) -> None:
        key, request = data.draw(st.sampled_from(self.sent), "sent before")
        self.compare("record again", lambda side: side.record(request, now=self.now, key=key))

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data())
    def dry_run(self, data: DataObject) -> None:
        request = data.draw(generate.requests(self.book), "request")
        self.compare("dry run", lambda side: side.dry_run(request, now=self.now))

    @precondition(lambda self: len(self.book.records) > 5 and self.book.locked_before is None)
    @rule(days=st.sampled_from((-31, -30)))
    def lock_period(self, days: int) -> None:
        self.compare("lock period", lambda side: side.lock_before(generate.START + timedelta(days=days)))

    def declare(self, code: str, exponent: int) -> None:
        self.compare("declare currency", lambda side: side.declare_currency(code, exponent))

    def compare(self, name: str, operation: Callable[[Side], object]) -> None:
        """Do one operation everywhere: the answers must be the model's, and so must the state afterwards."""
        self.now += timedelta(seconds=1)
        before = len(self.book.records)
        expected = answer(operation, self.model)
        self.outcomes[name, expected.code if isinstance(expected, Refused) else "done"] += 1
        moved = sorted({entry.account for record in self.book.records[before:] for entry in record.entries})
        state = self.model.state(moved)
        for real in self.reals:
            found = answer(operation, real)
            assert comparable(found) == comparable(expected), f"{real.name}: {found!r}, not {expected!r}"
            assert real.state(moved) == state, real.name

    def teardown(self) -> None:
        """Compare everything once more, and let each ledger judge itself."""
        for real in self.reals:
            assert real.state(sorted(self.book.accounts)) == self.model.state(sorted(self.book.accounts)), real.name
            assert real.records() == self.model.records(), real.name
            assert real.violations() == [], real.name


def answer(operation: Callable[[Side], object], side: Side) -> object:
    try:
        return operation(side)
    except Refused as refused:
        return refused


def comparable(found: object) -> object:
    return found.args if isinstance(found, Refused) else found
