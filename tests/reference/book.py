"""What the reference model remembers: dicts, lists and ints.

Units: every amount is an int in the currency's smallest unit. A balance is signed, in the account's normal
direction: debits less credits for an asset or expense, the other way round for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from myapp.ledger.model import AccountType, Limits, NewPosting, Side

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


@dataclass(frozen=True)
class Tally:
    """What has ever been posted to an account in one currency, and by how many lines."""

    debits: int = 0
    credits: int = 0
    lines: int = 0

    def plus(self, side: Side, minor: int) -> Tally:
        if side is Side.DEBIT:
            return Tally(self.debits + minor, self.credits, self.lines + 1)
        return Tally(self.debits, self.credits + minor, self.lines + 1)


@dataclass(frozen=True)
class Entry:
    """One recorded line; `tally` is its account's right after it."""

    account: str
    currency: str
    side: Side
    minor: int
    tally: Tally


@dataclass(frozen=True)
class Record:
    """One recorded transaction."""

    reference: str | None
    description: str | None
    effective_at: datetime
    recorded_at: datetime
    metadata: Mapping[str, str]
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Recorded:
    """What a request did: `places` count the ledger's transactions from its first."""

    places: Sequence[int]
    records: Sequence[Record]
    replayed: bool


@dataclass(frozen=True)
class SeenAccount:
    """An account as its readers see it; `counters` are debits and credits, where there are any."""

    path: str
    type: AccountType
    currencies: Sequence[str] | None
    metadata: Mapping[str, str]
    limits: Mapping[str, Limits]
    counters: Mapping[str, tuple[int, int]]
    closed_at: datetime | None
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
        counters = {code: (tally.debits, tally.credits) for code, tally in self.tallies.items()}
        return SeenAccount(
            self.path, self.type, self.currencies, self.metadata, self.limits, counters, self.closed_at, self.version
        )

    def balance(self, tally: Tally) -> int:
        net = tally.debits - tally.credits
        return net if self.type in DEBIT_NORMAL else -net

    def tally(self, currency: str) -> Tally:
        return self.tallies.get(currency, Tally())


@dataclass(frozen=True)
class UsedKey:
    request_hash: bytes
    used_at: datetime
    places: Sequence[int]


@dataclass
class Book:
    """A whole ledger: everything the real one must agree with."""

    currencies: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, BookAccount] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    keys: dict[str, UsedKey] = field(default_factory=dict)
    locked_before: datetime | None = None

    def exponent(self, code: str) -> int | None:
        return self.currencies.get(code, ISO_EXPONENTS.get(code))

    def minor(self, posting: NewPosting) -> int:
        exponent = self.exponent(posting.currency)
        assert exponent is not None
        return int(Fraction(posting.amount) * 10**exponent)

    def holder(self, reference: str | None) -> int | None:
        """Return the place of the transaction that has this reference."""
        for place, record in enumerate(self.records):
            if reference is not None and record.reference == reference:
                return place
        return None
