"""Which refusal wins: the stages of docs/ledger.md one after the other, each over the whole request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from myapp.ledger.model import Limits, NewPosting, NewTransaction, Side
from tests.reference.book import INT64_MAX, Book, BookAccount, Draft, DraftLine, Entry, Refused

Request = Sequence[NewTransaction]
Drafts = Sequence[Draft]


def check_amount(book: Book, currency: str, amount: Decimal, index: int | None = None, line: int | None = None) -> None:
    exponent = book.exponent(currency)
    if exponent is None:
        raise Refused("unknown-currency", index, line)
    minor = Fraction(amount) * 10**exponent
    if minor.denominator != 1:
        raise Refused("amount-precision", index, line)
    if abs(minor) > INT64_MAX:
        raise Refused("amount-out-of-range", index, line)


def check_senseless(request: Request) -> None:
    for index, wanted in enumerate(request):
        check_postings(wanted.postings, index)
        if wanted.expires_at is not None and not wanted.pending:
            raise Refused("validation-failed", index)


def check_expiry(request: Request, now: datetime) -> None:
    for index, wanted in enumerate(request):
        if wanted.expires_at is not None and wanted.expires_at <= now:
            raise Refused("validation-failed", index)


def check_postings(postings: Sequence[NewPosting], index: int) -> None:
    if len(postings) < 2:
        raise Refused("validation-failed", index)
    for line, posting in enumerate(postings):
        if posting.amount <= 0:
            raise Refused("validation-failed", index, line)


def check_amounts(book: Book, request: Request) -> None:
    for index, wanted in enumerate(request):
        for line, posting in enumerate(wanted.postings):
            check_amount(book, posting.currency, posting.amount, index, line)
            if posting.condition is not None and posting.condition.min_available is not None:
                check_amount(book, posting.currency, posting.condition.min_available, index, line)


def check_balanced(book: Book, request: Request) -> None:
    for index, wanted in enumerate(request):
        check_postings_balance(book, wanted.postings, index)


def check_postings_balance(book: Book, postings: Sequence[NewPosting], index: int) -> None:
    net = Counter[str]()
    for posting in postings:
        net[posting.currency] += book.minor(posting) * (1 if posting.side is Side.DEBIT else -1)
    if any(net.values()):
        raise Refused("unbalanced-transaction", index)


def check_accounts_known(book: Book, drafts: Drafts) -> None:
    for index, line, drafted in lines_of(drafts):
        if drafted.account not in book.accounts:
            raise Refused("unknown-account", index, line)


def check_accounts_open(book: Book, drafts: Drafts) -> None:
    """A closed account may be given back what it held, by a request that asks nothing more of it."""
    asked = {(drafted.account, drafted.currency) for _, _, drafted in lines_of(drafts) if drafted.effect != "released"}
    for index, line, drafted in lines_of(drafts):
        is_asked = (drafted.account, drafted.currency) in asked
        if book.accounts[drafted.account].closed_at is not None and is_asked:
            raise Refused("account-closed", index, line)


def check_currencies_allowed(book: Book, drafts: Drafts) -> None:
    for index, line, drafted in lines_of(drafts):
        allowed = book.accounts[drafted.account].currencies
        if allowed is not None and drafted.currency not in allowed:
            raise Refused("currency-not-allowed", index, line)


def check_period(book: Book, drafts: Drafts) -> None:
    for index, draft in enumerate(drafts):
        if book.locked_before is not None and draft.effective_at < book.locked_before:
            raise Refused("period-locked", index)


def check_references(book: Book, drafts: Drafts) -> None:
    earlier: set[str] = set()
    for index, draft in enumerate(drafts):
        holder = book.holder(draft.reference)
        if holder is not None or draft.reference in earlier:
            raise Refused("duplicate-reference", index, holder=holder)
        earlier |= {draft.reference} if draft.reference is not None else set()


def check_counters(book: Book, drafts: Drafts) -> None:
    """What is pending may be posted one day, so both together have to fit."""
    trial = deepcopy(book)
    for index, draft in enumerate(drafts):
        for line, entry in enumerate(move(trial, draft.lines)):
            if entry.tally.highest() > INT64_MAX:
                raise Refused("amount-out-of-range", index, line)


def check_conditions(book: Book, drafts: Drafts) -> None:
    """Each is about the account as it was just before the line's transaction."""
    trial = deepcopy(book)
    for index, draft in enumerate(drafts):
        for line, drafted in enumerate(draft.lines):
            if drafted.condition is not None and not is_met(trial, drafted):
                raise Refused("condition-failed", index, line)
        move(trial, draft.lines)


def is_met(book: Book, drafted: DraftLine) -> bool:
    account, condition, exponent = book.accounts[drafted.account], drafted.condition, book.exponent(drafted.currency)
    assert condition is not None
    assert exponent is not None
    tally = account.tally(drafted.currency)
    if condition.version not in (None, tally.lines):
        return False
    least = condition.min_available
    return least is None or account.lowest(tally) >= int(Fraction(least) * 10**exponent)


def check_limits(book: Book, drafts: Drafts) -> None:
    """Judge each transaction by what it leaves behind; between its own lines a balance may go anywhere."""
    trial = deepcopy(book)
    for index, draft in enumerate(drafts):
        entries = move(trial, draft.lines)
        for code in ("insufficient-funds", "limit-exceeded"):
            for line, entry in enumerate(entries):
                if outside(trial.accounts[entry.account], entry.currency) == code:
                    raise Refused(code, index, line)


STAGES: Sequence[Callable[[Book, Drafts], None]] = (
    check_accounts_known,
    check_accounts_open,
    check_currencies_allowed,
    check_period,
    check_references,
    check_counters,
    check_conditions,
    check_limits,
)


def check_drafts(book: Book, drafts: Drafts) -> None:
    for stage in STAGES:
        stage(book, drafts)


def lines_of(drafts: Drafts) -> list[tuple[int, int, DraftLine]]:
    return [(index, line, drafted) for index, draft in enumerate(drafts) for line, drafted in enumerate(draft.lines)]


def move(book: Book, lines: Sequence[DraftLine]) -> list[Entry]:
    """Add a transaction's lines to the tallies, one after the other."""
    entries = []
    for each in lines:
        account = book.accounts[each.account]
        tally = account.tally(each.currency).plus(each.side, each.minor, each.effect)
        account.tallies[each.currency] = tally
        remaining = each.minor if each.effect == "pending" else None
        entries.append(Entry(each.account, each.currency, each.side, each.minor, each.effect, tally, remaining))
    return entries


def outside(account: BookAccount, currency: str) -> str | None:
    """Say on which side of its limits an account's balance may come to lie, if outside."""
    limits, tally = account.limits.get(currency, Limits()), account.tally(currency)
    if limits.min_minor is not None and account.lowest(tally) < limits.min_minor:
        return "insufficient-funds"
    if limits.max_minor is not None and account.highest(tally) > limits.max_minor:
        return "limit-exceeded"
    return None
