"""Random requests, made so that the interesting cases are likely: few accounts, amounts next to a bound, reuse.

Each strategy is made for a book as it stands, so that it can aim at its limits and counters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from myapp.ledger.model import (
    AccountChange,
    AccountType,
    Condition,
    LedgerChange,
    Limits,
    NewAccount,
    NewLimits,
    NewPosting,
    NewTransaction,
    Side,
)
from tests.reference.book import INT64_MAX, Book, BookAccount, Tally

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCOUNTS: Mapping[str, AccountType] = {
    "assets:till": AccountType.ASSET,
    "assets:bank": AccountType.ASSET,
    "liabilities:customer": AccountType.LIABILITY,
    "expenses:rent": AccountType.EXPENSE,
    "income:sales": AccountType.INCOME,
    "equity:opening": AccountType.EQUITY,
}
# USD, JPY and BHD come from ISO 4217, with 2, 0 and 3 digits; XAU is there without any. The rest is declared.
ISO_CURRENCIES = ("USD", "JPY", "BHD")
OWN_CURRENCIES: Mapping[str, int] = {"HOOL": 4, "SATS": 8, "BULK": 0}
NO_CURRENCIES = ("XAU", "NOPE")
REFERENCES = (None,) * 20 + ("order-1", "order-2", "order-3", "order-4", "order-5")
KEY_NAMES = ("key-1", "key-2", "key-3")
DAYS = (-400, -31, -31, -1, 0, 3)


def decimal_of(minor: int, exponent: int) -> Decimal:
    """Return the amount in the currency's own unit, exactly."""
    digits = tuple(int(digit) for digit in str(abs(minor)))
    return Decimal((minor < 0, digits, -exponent))


def codes_of(book: Book) -> list[str]:
    return [*ISO_CURRENCIES, *(code for code in OWN_CURRENCIES if code in book.currencies)]


def instants() -> SearchStrategy[datetime | None]:
    """Return a past or future instant, often the same one as another's, or None for now."""
    return st.none() | st.sampled_from(DAYS).map(lambda days: START + timedelta(days=days))


def distances(account: BookAccount, currency: str) -> list[int]:
    """List how far the account is from its limits."""
    limits = account.limits.get(currency, Limits())
    tally = account.tally(currency)
    return [
        abs(reach - bound)
        for reach, bound in ((account.lowest(tally), limits.min_minor), (account.highest(tally), limits.max_minor))
        if bound is not None
    ]


def minors(book: Book, currency: str, debited: BookAccount, credited: BookAccount) -> SearchStrategy[int]:
    """Small amounts, amounts next to a limit, and in the bulk currency those next to what 64 bits hold."""
    near = {
        distance + step
        for account in (debited, credited)
        for distance in distances(account, currency)
        for step in (-1, 0, 1)
        if 0 < distance + step <= INT64_MAX
    }
    small = st.integers(1, 1000)
    if currency == "BULK":
        room = INT64_MAX - max(debited.tally(currency).highest(), credited.tally(currency).highest())
        near |= {room // 2 + 1, max(room, 1), min(room + 1, INT64_MAX)}
        return st.sampled_from(sorted(near))
    return small | st.sampled_from(sorted(near)) if near else small


def likely_codes(book: Book, paths: Sequence[str]) -> list[str]:
    """List currencies, those that the accounts take and have limits in more often than the others."""
    accounts = [book.accounts[path] for path in paths]
    taken = [code for code in codes_of(book) if all(code in (account.currencies or [code]) for account in accounts)]
    limited = [code for account in accounts for code in account.limits if code in taken]
    return [*codes_of(book), *taken * 5, *limited * 9]


@st.composite
def conditions(draw: DrawFn, book: Book, account: BookAccount, currency: str) -> Condition:
    """A condition that is just met, or just not."""
    tally, exponent = account.tally(currency), book.exponent(currency)
    assert exponent is not None
    least = decimal_of(account.lowest(tally) + draw(st.sampled_from((-1, 0, 0, 1))), exponent)
    version = tally.lines + draw(st.sampled_from((0, 0, 0, 1)))
    return Condition(
        version=draw(st.sampled_from((None, version))), min_available=draw(st.sampled_from((None, least, least)))
    )


@st.composite
def transfers(draw: DrawFn, book: Book) -> list[NewPosting]:
    """One debit and one credit of the same amount, perhaps of the same account, rarely under a condition."""
    debited, credited = (draw(st.sampled_from(sorted(book.accounts))) for _ in range(2))
    currency = draw(st.sampled_from(likely_codes(book, (debited, credited))))
    exponent = book.exponent(currency)
    assert exponent is not None
    amount = decimal_of(draw(minors(book, currency, book.accounts[debited], book.accounts[credited])), exponent)
    condition = None
    if draw(st.integers(0, 11)) == 11:
        condition = draw(conditions(book, book.accounts[credited], currency))
    return [
        NewPosting(account=debited, currency=currency, side=Side.DEBIT, amount=amount),
        NewPosting(account=credited, currency=currency, side=Side.CREDIT, amount=amount, condition=condition),
    ]


@st.composite
def transactions(draw: DrawFn, book: Book, now: datetime) -> NewTransaction:
    """A transaction, every third of them a hold, which often expires soon."""
    is_hold = draw(st.sampled_from((False, False, True)))
    soon = st.sampled_from((2, 3, 6, 12, 600)).map(lambda seconds: now + timedelta(seconds=seconds))
    pairs = draw(st.lists(transfers(book), min_size=1, max_size=3))
    postings = draw(st.permutations([posting for pair in pairs for posting in pair]))
    return NewTransaction(
        postings=tuple(postings),
        reference=draw(st.sampled_from(REFERENCES)),
        description=draw(st.none() | st.just("Sale")),
        effective_at=draw(instants()),
        metadata=draw(st.sampled_from(({}, {"order": "1"}))),
        pending=is_hold,
        expires_at=draw(st.none() | soon) if is_hold else None,
    )


def unknown_currency(book: Book, posting: NewPosting) -> NewPosting:
    return replace(posting, currency="XAU" if posting.side is Side.DEBIT else "NOPE")


def one_digit_more(book: Book, posting: NewPosting) -> NewPosting:
    step = decimal_of(1, (book.exponent(posting.currency) or 0) + 1)
    return replace(posting, amount=posting.amount + step)


def one_more(book: Book, posting: NewPosting) -> NewPosting:
    return replace(posting, amount=posting.amount + decimal_of(1, book.exponent(posting.currency) or 0))


def too_large(book: Book, posting: NewPosting) -> NewPosting:
    return replace(posting, amount=decimal_of(INT64_MAX + 1, book.exponent(posting.currency) or 0))


def unknown_account(book: Book, posting: NewPosting) -> NewPosting:
    return replace(posting, account="assets:nowhere")


def nothing(book: Book, posting: NewPosting) -> NewPosting:
    return replace(posting, amount=Decimal(0))


# The last of these is likelier, since it leaves the request whole for the later refusals to win.
SPOILS = (unknown_currency, one_digit_more, too_large, one_more, nothing, unknown_account, unknown_account)


@st.composite
def requests(draw: DrawFn, book: Book, now: datetime) -> Sequence[NewTransaction]:
    """A request of one to four transactions; now and then one or two lines of it are spoiled."""
    request = draw(st.lists(transactions(book, now), min_size=1, max_size=4))
    for _ in range(draw(st.sampled_from((0,) * 7 + (1, 1, 2)))):
        place = draw(st.integers(0, len(request) - 1))
        request[place] = draw(spoiled(book, request[place]))
    return tuple(request)


@st.composite
def spoiled(draw: DrawFn, book: Book, wanted: NewTransaction) -> NewTransaction:
    postings = list(wanted.postings)
    if draw(st.integers(0, 9)) == 0:
        return replace(wanted, postings=tuple(postings[:1]))
    if draw(st.integers(0, 9)) == 0:
        return replace(wanted, expires_at=START)
    line = draw(st.integers(0, len(postings) - 1))
    postings[line] = draw(st.sampled_from(SPOILS))(book, postings[line])
    return replace(wanted, postings=tuple(postings))


@st.composite
def limits(draw: DrawFn, book: Book, path: str, currency: str) -> NewLimits:
    """Limits close to the balance, on either side of it; rarely with a digit too many or a number too large."""
    account = book.accounts.get(path)
    tally = Tally() if account is None else account.tally(currency)
    lowest, highest = (0, 0) if account is None else (account.lowest(tally), account.highest(tally))
    exponent = book.exponent(currency) or 0
    low, high = lowest + draw(st.integers(-2000, 20)), highest + draw(st.integers(-20, 2000))
    wanted = NewLimits(min=draw(st.none() | st.just(decimal_of(low, exponent))), max=decimal_of(high, exponent))
    return draw(
        st.sampled_from(
            (
                *(wanted,) * 6,
                replace(wanted, max=None),
                replace(wanted, max=decimal_of(10 * high + 1, exponent + 1)),
                replace(wanted, max=decimal_of(INT64_MAX + 1, exponent)),
            )
        )
    )


@st.composite
def new_accounts(draw: DrawFn, book: Book) -> NewAccount:
    path = draw(st.sampled_from([*[path for path in ACCOUNTS if path not in book.accounts] * 25, *ACCOUNTS]))
    codes = st.sampled_from((*codes_of(book) * 9, *NO_CURRENCIES))
    currencies = draw(st.sampled_from((*(None,) * 12, ["USD"], ["USD", "JPY"], ["USD", "XAU"])))
    limited = draw(st.lists(codes if currencies is None else st.sampled_from(currencies), max_size=2, unique=True))
    return NewAccount(
        path=path,
        type=ACCOUNTS[path],
        currencies=currencies,
        limits={code: draw(limits(book, path, code)) for code in limited},
        metadata=draw(st.sampled_from(({}, {"branch": "7"}))),
    )


@st.composite
def changes(draw: DrawFn, book: Book, path: str) -> AccountChange:
    codes = st.sampled_from((*codes_of(book) * 3, *NO_CURRENCIES[:1]))
    limited = draw(st.lists(codes, max_size=2, unique=True))
    wanted = {code: draw(st.none() | limits(book, path, code)) for code in limited}
    return AccountChange(
        limits=draw(st.none() | st.just(wanted)),
        metadata=draw(st.none() | st.just({"branch": "8"})),
        closed=draw(st.sampled_from((None, None, False, True))),
    )


def currencies() -> SearchStrategy[tuple[str, int]]:
    """A declaration: mostly of the exponent that everyone uses, sometimes of another."""
    usual = {**OWN_CURRENCIES, "USD": 2, "JPY": 0}
    return st.sampled_from(sorted(usual)).flatmap(
        lambda code: st.tuples(st.just(code), st.sampled_from((usual[code], usual[code], usual[code] + 1)))
    )


def ledger_changes() -> SearchStrategy[LedgerChange]:
    """The open period starts some time ago, or anywhere; nothing would be left to see if it started later."""
    moments = st.sampled_from((-31, -30, -30, None)).map(
        lambda days: None if days is None else START + timedelta(days=days)
    )
    return st.builds(
        LedgerChange,
        metadata=st.sampled_from((None, {"branch": "9"})),
        moves_period=st.sampled_from((True, True, False)),
        locked_before=moments,
    )


def versions(book: Book, path: str) -> SearchStrategy[int | None]:
    known = book.accounts[path].version if path in book.accounts else 1
    return st.sampled_from((None, None, known, known - 1))


def paths(book: Book) -> SearchStrategy[str]:
    return st.sampled_from([*sorted(book.accounts) * 3, "assets:nowhere"])
