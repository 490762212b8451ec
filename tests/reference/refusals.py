"""Which refusal wins: the stages of docs/ledger.md one after the other, each over the whole request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from myapp.ledger.model import Limits, NewPosting, NewTransaction, Side
from tests.reference.book import INT64_MAX, Book, BookAccount, Entry, Refused

Request = Sequence[NewTransaction]


def check_amount(book: Book, currency: str, amount: Decimal, index: int | None = None, line: int | None = None) -> None:
    exponent = book.exponent(currency)
    if exponent is None:
        raise Refused("unknown-currency", index, line)
    minor = Fraction(amount) * 10**exponent
    if minor.denominator != 1:
        raise Refused("amount-precision", index, line)
    if abs(minor) > INT64_MAX:
        raise Refused("amount-out-of-range", index, line)


def check_senseless(book: Book, request: Request, now: datetime) -> None:
    for index, wanted in enumerate(request):
        if len(wanted.postings) < 2:
            raise Refused("validation-failed", index)
        for line, posting in enumerate(wanted.postings):
            if posting.amount <= 0:
                raise Refused("validation-failed", index, line)


def check_amounts(book: Book, request: Request, now: datetime) -> None:
    for index, line, posting in lines_of(request):
        check_amount(book, posting.currency, posting.amount, index, line)


def check_balanced(book: Book, request: Request, now: datetime) -> None:
    for index, wanted in enumerate(request):
        net = Counter[str]()
        for posting in wanted.postings:
            net[posting.currency] += book.minor(posting) * (1 if posting.side is Side.DEBIT else -1)
        if any(net.values()):
            raise Refused("unbalanced-transaction", index)


def check_accounts_known(book: Book, request: Request, now: datetime) -> None:
    for index, line, posting in lines_of(request):
        if posting.account not in book.accounts:
            raise Refused("unknown-account", index, line)


def check_accounts_open(book: Book, request: Request, now: datetime) -> None:
    for index, line, posting in lines_of(request):
        if book.accounts[posting.account].closed_at is not None:
            raise Refused("account-closed", index, line)


def check_currencies_allowed(book: Book, request: Request, now: datetime) -> None:
    for index, line, posting in lines_of(request):
        allowed = book.accounts[posting.account].currencies
        if allowed is not None and posting.currency not in allowed:
            raise Refused("currency-not-allowed", index, line)


def check_period(book: Book, request: Request, now: datetime) -> None:
    for index, wanted in enumerate(request):
        if book.locked_before is not None and (wanted.effective_at or now) < book.locked_before:
            raise Refused("period-locked", index)


def check_references(book: Book, request: Request, now: datetime) -> None:
    earlier: set[str] = set()
    for index, wanted in enumerate(request):
        holder = book.holder(wanted.reference)
        if holder is not None or wanted.reference in earlier:
            raise Refused("duplicate-reference", index, holder=holder)
        earlier |= {wanted.reference} if wanted.reference is not None else set()


def check_counters(book: Book, request: Request, now: datetime) -> None:
    trial = deepcopy(book)
    for index, wanted in enumerate(request):
        for line, entry in enumerate(post(trial, wanted)):
            if max(entry.tally.debits, entry.tally.credits) > INT64_MAX:
                raise Refused("amount-out-of-range", index, line)


def check_limits(book: Book, request: Request, now: datetime) -> None:
    """Judge each transaction by what it leaves behind; between its own lines a balance may go anywhere."""
    trial = deepcopy(book)
    for index, wanted in enumerate(request):
        entries = post(trial, wanted)
        for code in ("insufficient-funds", "limit-exceeded"):
            for line, entry in enumerate(entries):
                if outside(trial.accounts[entry.account], entry.currency) == code:
                    raise Refused(code, index, line)


STAGES: Sequence[Callable[[Book, Request, datetime], None]] = (
    check_amounts,
    check_balanced,
    check_accounts_known,
    check_accounts_open,
    check_currencies_allowed,
    check_period,
    check_references,
    check_counters,
    check_limits,
)


def lines_of(request: Request) -> list[tuple[int, int, NewPosting]]:
    return [
        (index, line, posting) for index, wanted in enumerate(request) for line, posting in enumerate(wanted.postings)
    ]


def post(book: Book, wanted: NewTransaction) -> list[Entry]:
    """Add a transaction's lines to the tallies, one after the other."""
    entries = []
    for posting in wanted.postings:
        account = book.accounts[posting.account]
        minor = book.minor(posting)
        tally = account.tally(posting.currency).plus(posting.side, minor)
        account.tallies[posting.currency] = tally
        entries.append(Entry(posting.account, posting.currency, posting.side, minor, tally))
    return entries


def outside(account: BookAccount, currency: str) -> str | None:
    """Say on which side of its limits an account's balance lies, if outside."""
    limits = account.limits.get(currency, Limits())
    balance = account.balance(account.tally(currency))
    if limits.min_minor is not None and balance < limits.min_minor:
        return "insufficient-funds"
    if limits.max_minor is not None and balance > limits.max_minor:
        return "limit-exceeded"
    return None
