"""What the reference model remembers: dicts, lists and ints.

Units: every amount is an int in the currency's smallest unit. A balance is signed, in the account's normal
direction: debits less credits for an asset or expense, the other way round for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from myapp.ledger.model import AccountType, Condition, Limits, NewPosting, Side

INT64_MAX = 2**63 - 1
DEBIT_NORMAL = (AccountType.ASSET, AccountType.EXPENSE)
ISO_EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0, "BHD": 3, "CLF": 4}


class Refused(Exception):
    """The model says no: `code` of the contract, and where; `holder` is the transaction that has the reference."""

    def __init__(self, code: str, index: int | None = None, line: int | None = None, *, holder: int | None = None):
        super().__init__(code, index, line, holder)
        self.code = code
        self.index = index
        self.line = line
        self.holder = holder


# What a line does to the two counters of its side: posted, pending.
SIGNS = {"posted": (1, 0), "pending": (0, 1), "taken": (1, -1), "released": (0, -1)}


@dataclass(frozen=True)
class Tally:
    """What is posted to an account in one currency and what is pending, and by how many lines."""

    debits: int = 0
    credits: int = 0
    debits_pending: int = 0
    credits_pending: int = 0
    lines: int = 0

    def plus(self, side: Side, minor: int, effect: str) -> Tally:
        posted, pending = (sign * minor for sign in SIGNS[effect])
        if side is Side.DEBIT:
            return Tally(
                self.debits + posted,
                self.credits,
                self.debits_pending + pending,
                self.credits_pending,
                self.lines + 1,
            )
        return Tally(
            self.debits, self.credits + posted, self.debits_pending, self.credits_pending + pending, self.lines + 1
        )

    def highest(self) -> int:
        """Return the highest that a counter may yet come to."""
        return max(self.debits + self.debits_pending, self.credits + self.credits_pending)


@dataclass(frozen=True)
class DraftLine:
    """One line before it is recorded."""

    account: str
    currency: str
    side: Side
    minor: int
    effect: str
    condition: Condition | None = None


@dataclass(frozen=True)
class Draft:
    """One transaction before it is recorded, whose own figures are right."""

    lines: Sequence[DraftLine]
    effective_at: datetime
    reference: str | None = None


@dataclass(frozen=True)
class Entry:
    """One recorded line; `tally` is its account's right after it, `remaining` what is left of a hold's line."""

    account: str
    currency: str
    side: Side
    minor: int
    effect: str
    tally: Tally
    remaining: int | None = None


@dataclass(frozen=True)
class Record:
    """One recorded transaction, with what became of it; other transactions are named by their places."""

    reference: str | None
    description: str | None
    effective_at: datetime
    recorded_at: datetime
    metadata: Mapping[str, str]
    entries: Sequence[Entry]
    status: str = "posted"
    expires_at: datetime | None = None
    pending_of: int | None = None
    posted_by: Sequence[int] = field(default_factory=list)
    reverses: int | None = None
    reversed_by: int | None = None


@dataclass
class HeldState:
    """What is left of a hold, by line, and what was made of it; `undone` counts the posts that are reversed."""

    remaining: list[int]
    state: str = "pending"
    posts: list[int] = field(default_factory=list)
    undone: int = 0


@dataclass(frozen=True)
class Recorded:
    """What a request did: `places` count the ledger's transactions from its first."""

    places: Sequence[int]
    records: Sequence[Record]
    replayed: bool


@dataclass(frozen=True)
class SeenAccount:
    """An account as its readers see it; `counters` are the four of each currency, where there are any."""

    path: str
    type: AccountType
    currencies: Sequence[str] | None
    metadata: Mapping[str, str]
    limits: Mapping[str, Limits]
    counters: Mapping[str, Sequence[int]]
    closed_at: datetime | None
    version: int


@dataclass(frozen=True)
class SeenLedger:
    metadata: Mapping[str, str]
    locked_before: datetime | None
    version: int


@dataclass
class BookAccount:
    path: str
    type: AccountType
    currencies: Sequence[str] | None
    metadata: Mapping[str, str]
    limits: dict[str, Limits] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    closed_at: datetime | None = None
    version: int = 1

    def seen(self) -> SeenAccount:
        counters = {
            code: (tally.debits, tally.credits, tally.debits_pending, tally.credits_pending)
            for code, tally in self.tallies.items()
        }
        counters = {code: four for code, four in counters.items() if any(four)}
        return SeenAccount(
            self.path, self.type, self.currencies, self.metadata, self.limits, counters, self.closed_at, self.version
        )

    def lowest(self, tally: Tally) -> int:
        """Return the balance if all that may go out of it goes, and nothing comes in: what is available."""
        if self.type in DEBIT_NORMAL:
            return tally.debits - tally.credits - tally.credits_pending
        return tally.credits - tally.debits - tally.debits_pending

    def highest(self, tally: Tally) -> int:
        """Return the balance if all that may come in comes, and nothing goes out."""
        if self.type in DEBIT_NORMAL:
            return tally.debits - tally.credits + tally.debits_pending
        return tally.credits - tally.debits + tally.credits_pending

    def tally(self, currency: str) -> Tally:
        return self.tallies.get(currency, Tally())


@dataclass(frozen=True)
class UsedKey:
    request_hash: bytes
    used_at: datetime
    places: Sequence[int]


@dataclass(frozen=True)
class Move:
    """What one line did to its account, also one that no list shows: that a hold was given back."""

    account: str
    currency: str
    side: Side
    minor: int
    effect: str
    effective_at: datetime


@dataclass(frozen=True)
class PriceRecord:
    currency: str
    quote: str
    price: Decimal
    effective_at: datetime
    recorded_at: datetime


@dataclass(frozen=True)
class Hook:
    """A webhook as its readers see it; `secrets` counts those it has had."""

    url: str
    types: Sequence[str] | None
    description: str | None
    state: str
    position: int
    secrets: int = 1


# A posting: the place of its transaction, and its line.
Key = tuple[int, int]


@dataclass
class BankLine:
    """A line of a bank statement; `mark` tells it from others, `transaction` is what its import recorded."""

    account: str
    against: str
    booked_on: date
    side: Side
    currency: str
    minor: int
    details: Mapping[str, str]
    mark: object
    transaction: int | None
    match: Key | None = None
    how: str | None = None
    proposals: set[Key] = field(default_factory=set)
    rejected: set[Key] = field(default_factory=set)


@dataclass
class Book:
    """A whole ledger: everything the real one must agree with."""

    currencies: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, BookAccount] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    # By the places of their transactions.
    holds: dict[int, HeldState] = field(default_factory=dict)
    reversals: dict[int, int] = field(default_factory=dict)
    keys: dict[str, UsedKey] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    # As they were recorded.
    prices: list[PriceRecord] = field(default_factory=list)
    # None is one that was removed.
    hooks: list[Hook | None] = field(default_factory=list)
    bank: list[BankLine] = field(default_factory=list)
    metadata: Mapping[str, str] = field(default_factory=dict)
    locked_before: datetime | None = None
    version: int = 1

    def exponent(self, code: str) -> int | None:
        return self.currencies.get(code, ISO_EXPONENTS.get(code))

    def minor(self, posting: NewPosting) -> int:
        return self.minor_of(posting.amount, posting.currency)

    def minor_of(self, amount: Decimal, currency: str) -> int:
        exponent = self.exponent(currency)
        assert exponent is not None
        return int(Fraction(amount) * 10**exponent)

    def use_currencies(self, codes: Iterable[str]) -> None:
        """Remember the exponent an ISO currency had when it was first used."""
        for code in codes:
            exponent = self.exponent(code)
            assert exponent is not None
            self.currencies[code] = exponent

    def note(self, drafted: Draft) -> None:
        """Remember what a transaction has moved, and when that counts."""
        self.moves += [
            Move(line.account, line.currency, line.side, line.minor, line.effect, drafted.effective_at)
            for line in drafted.lines
        ]

    def state_of(self, place: int, now: datetime) -> str:
        """Return the state of a hold; one whose time has come has expired, swept or not."""
        state, expires_at = self.holds[place].state, self.records[place].expires_at
        return "expired" if state == "pending" and expires_at is not None and expires_at <= now else state

    def seen(self, place: int, now: datetime) -> Record:
        """Return a transaction as its readers see it."""
        record, reversal = self.records[place], self.reversals.get(place)
        if reversal is None and record.pending_of is not None:
            reversal = self.reversals.get(record.pending_of)
        if place not in self.holds:
            return replace(record, reversed_by=reversal)
        hold = self.holds[place]
        return replace(
            record,
            status=self.state_of(place, now),
            entries=[replace(entry, remaining=hold.remaining[line]) for line, entry in enumerate(record.entries)],
            posted_by=list(hold.posts),
            reversed_by=reversal,
        )

    def holder(self, reference: str | None) -> int | None:
        """Return the place of the transaction that has this reference."""
        for place, record in enumerate(self.records):
            if reference is not None and record.reference == reference:
                return place
        return None
