"""The ledger as it should be: each operation either changes the whole book or raises Refused and changes nothing.

Nothing here knows a database. The order of the refusals is in tests/reference/refusals.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from myapp.ledger.model import (
    AccountChange,
    LedgerChange,
    Limits,
    NewAccount,
    NewLimits,
    NewPrice,
    NewTransaction,
    NewWebhook,
    Side,
    Status,
)
from tests.reference import bank, holds, looking, prices, refusals, reports, webhooks
from tests.reference.bank import Decision, Statement
from tests.reference.book import (
    DEBIT_NORMAL,
    Book,
    BookAccount,
    Draft,
    DraftLine,
    HeldState,
    Hook,
    PriceRecord,
    Record,
    Recorded,
    Refused,
    SeenAccount,
    SeenLedger,
)
from tests.reference.holds import Key, Post, Reversal
from tests.reference.looking import Look


@dataclass(frozen=True)
class Line:
    """One line of a statement; `balance` is the running one in effective order."""

    place: int
    line: int
    currency: str
    side: Side
    minor: int
    effective_at: datetime
    version: int
    balance: int


@dataclass(frozen=True)
class State:
    """What readers see of a ledger; statements by the paths of their accounts, holds by their places."""

    ledger: SeenLedger
    currencies: Mapping[str, int]
    accounts: Mapping[str, SeenAccount]
    statements: Mapping[str, Sequence[Line]]
    holds: Mapping[int, Record]
    prices: Sequence[PriceRecord]
    webhooks: Sequence[Hook]


class Model:
    """A ledger without a database; `Real` in tests/reference/real.py answers to the same words."""

    def __init__(self, book: Book | None = None) -> None:
        self.book = Book() if book is None else book
        # As it was after each operation: what was known at a time is what the book said then.
        self.past: dict[datetime, Book] = {}

    def declare_currency(self, code: str, exponent: int) -> bool:
        known = self.book.exponent(code)
        if known not in (None, exponent):
            raise Refused("already-exists")
        is_new = code not in self.book.currencies
        self.book.currencies[code] = exponent
        return is_new

    def change_ledger(self, change: LedgerChange, *, expected_version: int | None, now: datetime) -> SeenLedger:
        if expected_version not in (None, self.book.version):
            raise Refused("precondition-failed")
        if change.metadata is not None:
            self.book.metadata = dict(change.metadata)
        if change.moves_period:
            self.book.locked_before = change.locked_before
        self.book.version += 1
        return self.ledger()

    def open_account(self, wanted: NewAccount, *, now: datetime) -> SeenAccount:
        check_limits(wanted.limits)
        if wanted.path in self.book.accounts:
            raise Refused("already-exists")
        for code in wanted.currencies or ():
            if self.book.exponent(code) is None:
                raise Refused("unknown-currency")
        account = BookAccount(wanted.path, wanted.type, wanted.currencies, dict(wanted.metadata))
        set_limits(self.book, account, wanted.limits)
        self.book.use_currencies([*(wanted.currencies or ()), *wanted.limits])
        self.book.accounts[wanted.path] = account
        return account.seen()

    def change_account(
        self, path: str, change: AccountChange, *, expected_version: int | None, now: datetime
    ) -> SeenAccount:
        check_limits(change.limits or {})
        if path not in self.book.accounts:
            raise Refused("not-found")
        account = self.book.accounts[path]
        if expected_version not in (None, account.version):
            raise Refused("precondition-failed")
        if change.limits is not None:
            set_limits(self.book, account, change.limits)
            self.book.use_currencies([code for code, limits in change.limits.items() if limits is not None])
        if change.metadata is not None:
            account.metadata = dict(change.metadata)
        if change.closed is not None:
            account.closed_at = (account.closed_at or now) if change.closed else None
        account.version += 1
        return account.seen()

    def record(self, request: Sequence[NewTransaction], *, now: datetime, key: Key | None) -> Recorded:
        """Record the whole request; a repeated key gets what was recorded the first time."""
        refusals.check_senseless(request)
        used = holds.used(self.book, key)
        if used is not None:
            return Recorded(used.places, [self.book.records[place] for place in used.places], replayed=True)
        refusals.check_expiry(request, now)
        refusals.check_amounts(self.book, request)
        refusals.check_balanced(self.book, request)
        drafts = [draft(self.book, wanted, now) for wanted in request]
        refusals.check_drafts(self.book, drafts)
        places = [self.write(wanted, drafted, now) for wanted, drafted in zip(request, drafts, strict=True)]
        holds.use(self.book, key, places, now)
        return Recorded(places, [self.book.records[place] for place in places], replayed=False)

    def dry_run(self, request: Sequence[NewTransaction], *, now: datetime) -> Sequence[Record]:
        """Answer as if; holds of these accounts that have expired are swept first."""
        trial = Model(deepcopy(self.book))
        paths = {posting.account for wanted in request for posting in wanted.postings}
        holds.expire(trial.book, now=now, limit=len(trial.book.holds), paths=paths)
        return trial.record(request, now=now, key=None).records

    def post_holds(self, request: Sequence[Post], *, now: datetime, key: Key | None) -> Recorded:
        return holds.post(self.book, request, now=now, key=key)

    def void_holds(self, places: Sequence[int | None], *, now: datetime, key: Key | None) -> Recorded:
        return holds.void(self.book, places, now=now, key=key)

    def expire_holds(self, *, now: datetime, limit: int) -> int:
        return holds.expire(self.book, now=now, limit=limit)

    def reverse(self, wanted: Reversal, *, now: datetime, key: Key | None) -> Recorded:
        return holds.reverse(self.book, wanted, now=now, key=key)

    def record_prices(self, request: Sequence[NewPrice], *, now: datetime) -> Sequence[PriceRecord]:
        return prices.record(self.book, request, now=now)

    def create_webhook(self, wanted: NewWebhook, *, now: datetime) -> Hook:
        return webhooks.create(self.book, wanted)

    def change_webhook(self, place: int, change: Mapping[str, object], *, now: datetime) -> Hook:
        return webhooks.change(self.book, place, change)

    def replay_webhook(self, place: int, *, after: int, now: datetime) -> Hook:
        return webhooks.change(self.book, place, {"position": after})

    def rotate_webhook_secret(self, place: int, *, now: datetime) -> Hook:
        return webhooks.change(self.book, place, {"secrets": webhooks.found(self.book, place).secrets + 1})

    def ping_webhook(self, place: int, *, now: datetime) -> Hook:
        return webhooks.found(self.book, place)

    def remove_webhook(self, place: int, *, now: datetime) -> None:
        webhooks.remove(self.book, place)

    def import_lines(self, wanted: Statement, *, now: datetime) -> tuple[Sequence[int], Sequence[int]]:
        return bank.import_lines(self.book, wanted, now=now)

    def match(self, account: str, *, days: int, now: datetime) -> tuple[int, int, int, int]:
        return bank.match(self.book, account, days=days)

    def accept(self, wanted: Decision, *, now: datetime) -> None:
        bank.accept(self.book, wanted)

    def record_missing(self, wanted: Decision, *, now: datetime) -> None:
        bank.record_missing(self.book, wanted, now=now)

    def reject(self, wanted: Decision, *, now: datetime) -> None:
        bank.reject(self.book, wanted)

    def bank_lines(self) -> Sequence[object]:
        return [line for path in sorted(self.book.accounts) for line in bank.seen(self.book, path)]

    def balance(self, path: str, look: Look) -> object:
        return looking.balance(self.book, self.then(look), path, look)

    def balances(self, look: Look) -> object:
        return looking.balances(self.book, self.then(look), look)

    def statement_as_known(self, path: str, look: Look) -> Sequence[Line]:
        if path not in self.book.accounts:
            raise Refused("not-found")
        then = Model(self.then(look))
        return then.statement(path) if path in then.book.accounts else []

    def records_as_known(self, status: Status | None, path: str | None, look: Look) -> Sequence[Record]:
        return [
            record
            for record in Model(self.then(look)).records(now=look.known_at or look.now)
            if status in (None, record.status) and path in (None, *(entry.account for entry in record.entries))
        ]

    def prices(self, currency: str | None, look: Look) -> Sequence[PriceRecord]:
        return prices.listed(self.then(look), currency)

    def report(self, name: str, value: str | None, look: Look) -> object:
        return reports.REPORTS[name](self.book, self.then(look), value, look)

    def then(self, look: Look) -> Book:
        return self.book if look.known_at is None else self.past[look.known_at]

    def write(self, wanted: NewTransaction, drafted: Draft, now: datetime) -> int:
        self.book.use_currencies([posting.currency for posting in wanted.postings])
        record = Record(
            reference=wanted.reference,
            description=wanted.description,
            effective_at=drafted.effective_at,
            recorded_at=now,
            metadata=dict(wanted.metadata),
            entries=refusals.move(self.book, drafted.lines),
            status="pending" if wanted.pending else "posted",
            expires_at=wanted.expires_at,
        )
        self.book.records.append(record)
        self.book.note(drafted)
        place = len(self.book.records) - 1
        if wanted.pending:
            self.book.holds[place] = HeldState([line.minor for line in drafted.lines])
        return place

    def ledger(self) -> SeenLedger:
        return SeenLedger(self.book.metadata, self.book.locked_before, self.book.version)

    def state(self, paths: Sequence[str], *, now: datetime) -> State:
        return State(
            ledger=self.ledger(),
            currencies=self.book.currencies,
            accounts={path: account.seen() for path, account in self.book.accounts.items()},
            statements={path: self.statement(path) for path in paths},
            holds={place: self.book.seen(place, now) for place in self.book.holds},
            prices=prices.listed(self.book, None),
            webhooks=[hook for hook in self.book.hooks if hook is not None],
        )

    def records(self, *, now: datetime) -> Sequence[Record]:
        return [self.book.seen(place, now) for place in range(len(self.book.records))]

    def statement(self, path: str) -> Sequence[Line]:
        """List every posted line of the account as if it had been recorded when it counts."""
        account = self.book.accounts[path]
        unordered = [
            (record.effective_at, entry.tally.lines, entry.currency, place, line, entry)
            for place, record in enumerate(self.book.records)
            for line, entry in enumerate(record.entries)
            if entry.account == path and entry.effect in ("posted", "taken")
        ]
        running: dict[str, int] = {}
        lines = []
        for effective_at, version, currency, place, line, entry in sorted(unordered, key=lambda found: found[:3]):
            upwards = 1 if (entry.side is Side.DEBIT) == (account.type in DEBIT_NORMAL) else -1
            running[currency] = running.get(currency, 0) + upwards * entry.minor
            balance = running[currency]
            lines.append(Line(place, line, currency, entry.side, entry.minor, effective_at, version, balance))
        return lines


def draft(book: Book, wanted: NewTransaction, now: datetime) -> Draft:
    effect = "pending" if wanted.pending else "posted"
    lines = [
        DraftLine(
            posting.account, posting.currency, posting.side, book.minor(posting), effect, condition=posting.condition
        )
        for posting in wanted.postings
    ]
    return Draft(lines, wanted.effective_at or now, wanted.reference)


def check_limits(wanted: Mapping[str, NewLimits | None]) -> None:
    for new in wanted.values():
        if new is not None and new.min is not None and new.max is not None and new.min > new.max:
            raise Refused("validation-failed")


def set_limits(book: Book, account: BookAccount, wanted: Mapping[str, NewLimits | None]) -> None:
    """Replace the limits of the currencies named, if account and balance agree; open at both ends is none."""
    limits = dict(account.limits)
    for currency, new in wanted.items():
        limits.pop(currency, None)
        if new is not None:
            limits[currency] = in_minor(book, currency, new)
        if limits.get(currency) == Limits():
            del limits[currency]
    for currency, new in wanted.items():
        if new is not None and account.currencies is not None and currency not in account.currencies:
            raise Refused("currency-not-allowed")
    trial = BookAccount(account.path, account.type, account.currencies, {}, limits, account.tallies)
    for currency in wanted:
        code = refusals.outside(trial, currency)
        if code is not None:
            raise Refused(code)
    account.limits = limits


def in_minor(book: Book, currency: str, new: NewLimits) -> Limits:
    for bound in (new.min, new.max):
        refusals.check_amount(book, currency, bound or Decimal(0))
    exponent = book.exponent(currency)
    assert exponent is not None
    low, high = (None if bound is None else int(Fraction(bound) * 10**exponent) for bound in (new.min, new.max))
    return Limits(min_minor=low, max_minor=high)
