"""Random sequences of operations on the model and on real ledgers side by side: same answers, same state."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies import DataObject

from myapp.ledger.model import Status
from tests.reference import generate, generate_bank, generate_holds, generate_views
from tests.reference.book import Book, Refused
from tests.reference.holds import Key
from tests.reference.model import Model
from tests.reference.real_bank import RealWithBank as Real

Side = Model | Real


class Comparison(RuleBasedStateMachine):
    """One ledger, several times over; subclassed with the databases it lives in."""

    def __init__(self, reals: Sequence[Real], outcomes: Counter[tuple[str, str]]) -> None:
        super().__init__()
        self.model = Model()
        self.reals = reals
        self.outcomes = outcomes
        self.now = generate.START
        # What was sent with a key, by the name of the operation.
        self.sent: list[tuple[str, object, Key]] = []
        for real in reals:
            real.create(self.now)

    @property
    def book(self) -> Book:
        return self.model.book

    @initialize(data=st.data())
    def begin(self, data: DataObject) -> None:
        """Open a few accounts, so that the sequence is about what happens between them."""
        for code in data.draw(st.lists(st.sampled_from(sorted(generate.OWN_CURRENCIES)), unique=True)):
            self.declare(code, generate.OWN_CURRENCIES[code])
        for _ in range(4):
            self.open_account(data)
        known = generate_views.known_prices(self.book)
        self.compare("record prices", lambda side: side.record_prices(known, now=self.now))

    @rule(data=st.data())
    def administer(self, data: DataObject) -> None:
        """One rule for everything that is not about money, so that most of a sequence is."""
        administrative = (
            self.open_account,
            self.change_account,
            self.change_account,
            self.declare_currency,
            self.change_ledger,
            self.change_ledger,
            self.change_ledger,
            self.create_webhook,
            self.change_webhook,
            self.change_webhook,
        )
        data.draw(st.sampled_from(administrative), "operation")(data)

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

    def change_ledger(self, data: DataObject) -> None:
        change = data.draw(generate.ledger_changes(), "change")
        version = data.draw(st.sampled_from((None, None, self.book.version, self.book.version - 1)), "version")
        self.compare("change ledger", lambda side: side.change_ledger(change, expected_version=version, now=self.now))

    def create_webhook(self, data: DataObject) -> None:
        wanted = data.draw(generate_views.new_webhooks(), "webhook")
        self.compare("create webhook", lambda side: side.create_webhook(wanted, now=self.now))

    def change_webhook(self, data: DataObject) -> None:
        """Do one of the things that may be done to a webhook."""
        place = data.draw(generate_views.webhook_places(self.book), "place")
        change = data.draw(generate_views.webhook_changes(), "change")
        after = data.draw(st.integers(0, 9), "after")
        operations: dict[str, Callable[[Side], object]] = {
            "change webhook": lambda side: side.change_webhook(place, change, now=self.now),
            "replay webhook": lambda side: side.replay_webhook(place, after=after, now=self.now),
            "change secret": lambda side: side.rotate_webhook_secret(place, now=self.now),
            "ping webhook": lambda side: side.ping_webhook(place, now=self.now),
            "remove webhook": lambda side: side.remove_webhook(place, now=self.now),
        }
        name = data.draw(st.sampled_from(sorted(operations)), "operation")
        self.compare(name, operations[name])

    @rule(data=st.data())
    def record_prices(self, data: DataObject) -> None:
        request = data.draw(generate_views.prices(self.book), "prices")
        self.compare("record prices", lambda side: side.record_prices(request, now=self.now))

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data())
    def keep_a_bank_account(self, data: DataObject) -> None:
        """Import a statement, perhaps twice; match, and decide about some lines."""
        wanted = data.draw(generate_bank.statements(self.book), "statement")
        self.compare("import lines", lambda side: side.import_lines(wanted, now=self.now))
        if data.draw(st.booleans(), "again"):
            self.compare("import lines again", lambda side: side.import_lines(wanted, now=self.now))
        self.same("bank lines", lambda side: side.bank_lines())
        for _ in range(data.draw(st.sampled_from((1, 1, 2)), "decisions")):
            self.match(data)
            self.decide(data)

    def match(self, data: DataObject) -> None:
        account = data.draw(generate_bank.accounts(self.book), "account")
        days = data.draw(st.sampled_from((2, 5, 0)), "days")
        self.compare("match", lambda side: side.match(account, days=days, now=self.now))
        self.same("bank lines", lambda side: side.bank_lines())

    def decide(self, data: DataObject) -> None:
        wanted = data.draw(generate_bank.decisions(self.book), "decision")
        operations: dict[str, Callable[[Side], object]] = {
            "accept": lambda side: side.accept(wanted, now=self.now),
            "record missing": lambda side: side.record_missing(wanted, now=self.now),
            "reject": lambda side: side.reject(wanted, now=self.now),
        }
        name = data.draw(st.sampled_from(sorted(operations)), "operation")
        self.compare(name, operations[name])
        self.same("bank lines", lambda side: side.bank_lines())

    @precondition(lambda self: self.book.moves)
    @rule(data=st.data())
    def look(self, data: DataObject) -> None:
        """Read everything that may be read at a time, as known at a time; nothing changes by it."""
        look = data.draw(generate_views.looks(self.book, sorted(self.model.past), self.now), "look")
        path = data.draw(st.sampled_from((*sorted(self.book.accounts), *generate_views.TREES)), "path")
        status = data.draw(st.none() | st.sampled_from(Status), "status")
        code = data.draw(st.sampled_from((None, *generate.codes_of(self.book))), "currency")
        value = data.draw(st.sampled_from((None, "USD", "USD", "JPY", "NOPE")), "value")
        self.same("balance", lambda side: side.balance(path, look))
        self.same("balances", lambda side: side.balances(look))
        self.same("statement as known", lambda side: side.statement_as_known(path, look))
        self.same("list as known", lambda side: side.records_as_known(status, None, look))
        self.same("list as known", lambda side: side.records_as_known(status, path, look))
        self.same("prices", lambda side: side.prices(code, look))
        at, period = replace(look, since=None, until=None), replace(look, at=None)
        self.same("trial balance", lambda side: side.report("trial balance", value, at))
        self.same("balance sheet", lambda side: side.report("balance sheet", value, at))
        self.same("income statement", lambda side: side.report("income statement", value, period))

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data())
    def record_batch(self, data: DataObject) -> None:
        request = data.draw(st.lists(generate.transactions(self.book, self.now), min_size=1, max_size=9), "request")
        self.compare("record", lambda side: side.record(request, now=self.now, key=None))

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data())
    def record(self, data: DataObject) -> None:
        request = data.draw(generate.requests(self.book, self.now), "request")
        self.compare("record", lambda side: side.record(request, now=self.now, key=None))

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data())
    def record_with_key(self, data: DataObject) -> None:
        self.send(data, "record", data.draw(generate.requests(self.book, self.now), "request"))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_again(self, data: DataObject) -> None:
        operation, request, key = data.draw(st.sampled_from(self.sent), "sent before")
        self.compare(f"{operation} again", lambda side: getattr(side, operation)(request, now=self.now, key=key))

    @precondition(lambda self: self.book.holds)
    @rule(data=st.data())
    def post_holds(self, data: DataObject) -> None:
        self.send(data, "post_holds", data.draw(generate_holds.posts(self.book, self.now), "posts"))

    @precondition(lambda self: self.book.holds)
    @rule(data=st.data())
    def post_a_hold(self, data: DataObject) -> None:
        wanted = data.draw(generate_holds.post(self.book, self.now), "post")
        self.compare("post_holds", lambda side: side.post_holds([wanted], now=self.now, key=None))

    @precondition(lambda self: self.book.holds)
    @rule(data=st.data())
    def void_holds(self, data: DataObject) -> None:
        self.send(data, "void_holds", data.draw(generate_holds.voids(self.book, self.now), "holds"))

    @precondition(lambda self: self.book.holds)
    @rule(limit=st.sampled_from((1, 2, 100)))
    def expire_holds(self, limit: int) -> None:
        self.compare("expire_holds", lambda side: side.expire_holds(now=self.now, limit=limit))

    @precondition(lambda self: self.book.records)
    @rule(data=st.data())
    def reverse(self, data: DataObject) -> None:
        self.send(data, "reverse", data.draw(generate_holds.reversals(self.book), "reversal"))

    @precondition(lambda self: self.book.accounts)
    @rule(data=st.data())
    def dry_run(self, data: DataObject) -> None:
        request = data.draw(generate.requests(self.book, self.now), "request")
        self.compare("dry run", lambda side: side.dry_run(request, now=self.now))

    def send(self, data: DataObject, operation: str, request: object) -> None:
        """Send a request, every other time with a key."""
        name = data.draw(st.sampled_from((None, None, None, *generate.KEY_NAMES)), "key")
        key = None
        if name is not None:
            request_hash = hashlib.sha256(repr((operation, request)).encode()).digest()
            days_kept = data.draw(st.sampled_from((1, 1, 0)), "days kept")
            key = Key(name, request_hash, self.now - timedelta(days=days_kept))
            self.sent.append((operation, request, key))
        self.compare(operation, lambda side: getattr(side, operation)(request, now=self.now, key=key))

    def declare(self, code: str, exponent: int) -> None:
        self.compare("declare currency", lambda side: side.declare_currency(code, exponent))

    def compare(self, name: str, operation: Callable[[Side], object]) -> None:
        """Do one operation everywhere: the answers must be the model's, and so must the state afterwards."""
        self.now += timedelta(seconds=1)
        before = len(self.book.records)
        self.same(name, operation)
        self.model.past[self.now] = deepcopy(self.book)
        moved = sorted({entry.account for record in self.book.records[before:] for entry in record.entries})
        state = self.model.state(moved, now=self.now)
        for real in self.reals:
            assert real.state(moved, now=self.now) == state, real.name

    def same(self, name: str, operation: Callable[[Side], object]) -> None:
        """Ask everywhere: the answers must be the model's."""
        expected = answer(operation, self.model)
        self.outcomes[name, expected.code if isinstance(expected, Refused) else "done"] += 1
        for real in self.reals:
            found = answer(operation, real)
            assert comparable(found) == comparable(expected), f"{real.name}: {found!r}, not {expected!r}"

    def teardown(self) -> None:
        """Compare everything once more, and let each ledger judge itself."""
        for real in self.reals:
            paths = sorted(self.book.accounts)
            assert real.state(paths, now=self.now) == self.model.state(paths, now=self.now), real.name
            assert real.records(now=self.now) == self.model.records(now=self.now), real.name
            violations = real.violations()
            assert violations == [], f"{real.name}: {violations}"


def answer(operation: Callable[[Side], object], side: Side) -> object:
    try:
        return operation(side)
    except Refused as refused:
        return refused


def comparable(found: object) -> object:
    return found.args if isinstance(found, Refused) else found
