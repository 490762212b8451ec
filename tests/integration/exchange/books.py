"""Made-up ledgers, with every text and every currency that a ledger may hold, and what becomes of them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from myapp.api.exchange import book, export
from myapp.api.exchange.schemas import Format
from myapp.db import scope
from myapp.ledger import errors, model, operations, queries, verify, words
from myapp.ledger.model import AccountType, Side
from myapp.ledger.recording import Form
from tests.integration.exchange import lives

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Before anything happens in a ledger's life.
LONG_AGO = lives.START - timedelta(days=1)
LATER = datetime(9000, 1, 1, tzinfo=UTC)

EXPONENTS = {
    "USD": 2, "JPY": 0, "ETH": 18, "HOOL": 4, "A": 1, "TRUE": 3, "NULLX": 0, "A-": 2, "A.": 2, "AX": 5,
    "X'Y.Z_-9": 6, "ABCDEFGHIJKLMNOPQRSTUVW.": 2, "ABCDEFGHIJKLMNOPQRSTUVWX": 2, "E": 3, "E5": 0, "X10": 10, "X11": 11,
    "B''": 5, "Z9Z9Z9": 17,
}  # fmt: skip

TRICKY = [
    "", " ", "  leading and trailing  ", 'say "hello"', "back\\slash \\n \\", "two\nlines", "cr\r\nlf", "tab\tbed",
    "; comment", "a ; b", "a, b:c, d: e", "* star", "! bang", "(code) words", "()", "(", "=1+1", "| pipe | pipe",
    "payee | note", "🧾 ünï ß 日本", "#tag ^link", "2026-01-01", "[2026-01-01]", "%20 100%", "'quoted'", "a  b",
    "{not} [this]", "\x01\x7f\x85\xa0\u2028\u3000", "key: value", "date:2020-01-01", "@ 5 USD", "\ufeffbom", "~",
]  # fmt: skip

# What ends a line, a word, a tag or a comment somewhere, or looks as if it did.
PIECES = [
    "a", "B", "0", "word", "two words", " ", "  ", "\n", "\r", "\t", "\v", "\f", "\x1c", "\x1f", "\x85", "\xa0", "\xad",
    "\u2028", "\u2029", "\u200b", "\u180e", "\u3000", "\ufeff", "\uffff", "e\u0301", "\u017f", "İ", "ǅ", "٣", "½",
    "\U0001d7d8", ":", ",", ";", "[", "]", "(", ")", "{", "}", "<", "|", "\\", '"', "'", "~", "@", "@@", "#", "$", "%",
    "%41", "^", "*", "!", "?", "/", "-", "_", "=", ".", "date:", "type:", "x:", "[1/2]", "2026-01-01", "\\n",
]  # fmt: skip

SEGMENTS = [
    "assets", "Assets", "cash", "Cash", "cash ", "bank of x", "日本", "ßeta", "éa", "a-b", "a.b", "a b", "(x)", "(x",
    "x)", "401k", "+", "-", "&", "'", "_", "..", "equity", "liabilities", "income", "expenses", "ǆ", "x2", "A", "USD",
    "(", ")", "()", "e\u0301", "É", "A-", "Asset", "trading",
]  # fmt: skip

texts = st.one_of(
    st.sampled_from(TRICKY),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30),
)
long_texts = st.one_of(texts, texts.filter(bool).map(lambda text: (text * 1000)[:1000]))
keys = st.one_of(
    st.sampled_from(["order", "a1", "x", "date", "type", "filename", "ledger-time", "beancount.payee", "Ünï", "a b:c"]),
    st.sampled_from(["hledger.status", "hledger.code", "hledger.comment", "beancount.tags", "beancount.links", "k_-"]),
    texts.filter(bool),
)
segments = st.one_of(st.sampled_from(SEGMENTS), st.text(max_size=8)).filter(
    lambda text: re.fullmatch(words.ACCOUNT_PATH, text) and ":" not in text and max(text) < "\ud800"
)
paths = st.lists(segments, min_size=1, max_size=4).map(":".join)
moments = st.one_of(
    st.integers(-(10**9), 2 * 10**11).map(lambda seconds: NOW + timedelta(seconds=seconds, microseconds=7)),
    st.dates(date(1000, 1, 1), date(9998, 12, 31)).map(lambda day: datetime.combine(day, time.min, tzinfo=UTC)),
    st.integers(0, 3).map(lambda days: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=days)),
)
metadata = st.dictionaries(keys, long_texts, max_size=4)
references = st.one_of(st.none(), texts.filter(bool))

prices = st.builds(
    model.NewPrice,
    currency=st.sampled_from(sorted(EXPONENTS)),
    quote=st.sampled_from(["USD", "EUR", "A-"]),
    price=st.decimals(0, 10**6, places=20) | st.integers(0, 10**39).map(Decimal) | st.sampled_from([Decimal("1.0850")]),
    effective_at=moments,
).filter(lambda price: price.currency != price.quote)


@dataclass
class Wanted:
    """A ledger to make; what is closed and limited becomes so at the end."""

    accounts: Sequence[model.NewAccount]
    transactions: Sequence[model.NewTransaction]
    closed: set[str] = field(default_factory=set)
    bounds: dict[str, model.NewLimits] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    steps: Sequence[lives.Step] = ()
    prices: Sequence[model.NewPrice] = ()


@st.composite
def ledgers(draw: st.DrawFn) -> Wanted:
    """Return a ledger to make."""
    names = draw(st.lists(paths, min_size=2, max_size=5, unique=True))
    below = draw(st.lists(st.tuples(st.sampled_from(names), segments).map(":".join), max_size=3))
    names = list(dict.fromkeys([*names, *below]))
    kinds = st.sampled_from(AccountType)
    accounts = [model.NewAccount(path=path, type=draw(kinds), metadata=draw(metadata)) for path in names]
    transactions = draw(st.lists(_transactions(names), max_size=6))
    kept = {each.reference: each for each in transactions if each.reference is not None}
    transactions = [*kept.values(), *(each for each in transactions if each.reference is None)]
    used = {path: {line.currency for each in transactions for line in each.postings if line.account == path}
            for path in names}  # fmt: skip
    only = [draw(st.booleans()) for _ in accounts]
    return Wanted(
        accounts=[
            replace(each, currencies=sorted(used[each.path] | {"EUR"})) if is_only else each
            for each, is_only in zip(accounts, only, strict=True)
        ],
        transactions=transactions,
        closed=set(draw(st.lists(st.sampled_from(names), max_size=2))),
        bounds={names[0]: model.NewLimits(min=Decimal(-(10**8)), max=None)} if draw(st.booleans()) else {},
        metadata=draw(metadata),
        prices=draw(st.lists(prices, max_size=4)),
    )


@st.composite
def lived_in(draw: st.DrawFn) -> Wanted:
    """Return a ledger to make in which things happen before accounts are closed and limited."""
    return replace(draw(ledgers()), steps=draw(lives.steps))


@st.composite
def _transactions(draw: st.DrawFn, names: Sequence[str]) -> model.NewTransaction:
    lines: list[model.NewPosting] = []
    for code in draw(st.lists(st.sampled_from(sorted(EXPONENTS)), min_size=1, max_size=3, unique=True)):
        for minor in draw(st.lists(st.integers(1, 2**58), min_size=1, max_size=2)):
            amount = Decimal(minor % (10**7 if code == "USD" else 2**58) or 1).scaleb(-EXPONENTS[code])
            one, other = draw(st.permutations(names))[:2]
            lines.append(model.NewPosting(account=one, currency=code, side=Side.DEBIT, amount=amount))
            lines.append(model.NewPosting(account=other, currency=code, side=Side.CREDIT, amount=amount))
    return model.NewTransaction(
        postings=draw(st.permutations(lines)),
        reference=draw(references),
        description=draw(st.one_of(st.none(), long_texts)),
        effective_at=draw(moments),
        metadata=draw(metadata),
    )


def make(sessions: sessionmaker[Session], wanted: Wanted) -> str:
    """Make the ledger and return its name."""
    name = f"book-{secrets.token_hex(8)}"
    with scope.session_scope(sessions) as session:
        ledger = operations.create_ledger(session, name, metadata=wanted.metadata, now=NOW)
        for code, exponent in EXPONENTS.items():
            operations.declare_currency(session, ledger, model.Currency(code=code, exponent=exponent), now=NOW)
        operations.declare_currency(session, ledger, model.Currency(code="EUR", exponent=2), now=NOW)
        for account in wanted.accounts:
            operations.open_account(session, ledger, account, now=NOW)
        for number, each in enumerate(wanted.transactions):
            at = LONG_AGO + timedelta(seconds=number)
            operations.record(session, ledger, [each], now=at, form=Form.STEPS)
    lives.Life(sessions, name, [account.path for account in wanted.accounts]).live(wanted.steps)
    with scope.session_scope(sessions) as session:
        ledger = queries.get_ledger(session, name)
        for price in wanted.prices:
            operations.record_prices(session, ledger, [price], now=NOW)
        for path, limits in wanted.bounds.items():
            of = "USD" if _takes(wanted, path, "USD") else "EUR"
            change = model.AccountChange(limits={of: limits})
            operations.change_account(session, ledger, path, change, expected_version=None, now=NOW)
        for path in wanted.closed:
            change = model.AccountChange(closed=True)
            operations.change_account(session, ledger, path, change, expected_version=None, now=NOW)
    return name


def _takes(wanted: Wanted, path: str, code: str) -> bool:
    (account,) = (each for each in wanted.accounts if each.path == path)
    return account.currencies is None or code in account.currencies


def exported(
    sessions: sessionmaker[Session],
    name: str,
    form: Format,
    period: queries.Period = queries.Period(),  # noqa: B008
) -> bytes:
    """Return the ledger in a format, whole or a period of it."""
    with scope.session_scope(sessions, readonly=True) as session:
        return b"".join(export.WRITERS[form].write(book.read(session, queries.get_ledger(session, name), period)))


def ledger(sessions: sessionmaker[Session], name: str) -> model.Ledger:
    with scope.session_scope(sessions, readonly=True) as session:
        return queries.get_ledger(session, name)


def lock(sessions: sessionmaker[Session], name: str, start: datetime) -> None:
    """Close the period before a time."""
    change = model.LedgerChange(moves_period=True, locked_before=start)
    with scope.session_scope(sessions) as session:
        found = queries.get_ledger(session, name)
        operations.change_ledger(session, found, change, expected_version=None, now=NOW)


def balances(sessions: sessionmaker[Session], name: str) -> dict[tuple[str, str], Decimal]:
    """Return debits less credits by path and currency, where that is not zero."""
    with scope.session_scope(sessions, readonly=True) as session:
        ledger = queries.get_ledger(session, name)
        accounts = queries.list_accounts(session, ledger, after=None, limit=1000)
        exponents = queries.exponents(session, ledger, {code for each in accounts for code in each.balances})
    return {
        (each.path, code): Decimal(net).scaleb(-exponents[code])
        for each in accounts
        for code, counters in each.balances.items()
        if (net := counters.debits_posted - counters.credits_posted)
    }


def two_accounts() -> Sequence[model.NewAccount]:
    return [
        model.NewAccount(path="assets:cash", type=AccountType.ASSET),
        model.NewAccount(path="income:sales", type=AccountType.INCOME),
    ]


def one_account_of_each_type() -> Sequence[model.NewAccount]:
    return [model.NewAccount(path=f"{kind.value}-x", type=kind) for kind in AccountType]


def sale(amount: str, **more: object) -> model.NewTransaction:
    """Return a transaction between the two accounts."""
    lines = [
        model.NewPosting(account="assets:cash", currency="USD", side=Side.DEBIT, amount=Decimal(amount)),
        model.NewPosting(account="income:sales", currency="USD", side=Side.CREDIT, amount=Decimal(amount)),
    ]
    return model.NewTransaction(postings=lines, effective_at=NOW, **more)  # type: ignore[arg-type]


def hold_post_void_and_reverse(sessions: sessionmaker[Session], name: str) -> None:
    """Hold twice, post one in two parts and give back its rest, void the other, reverse a post, and hold once more."""
    with scope.session_scope(sessions) as session:
        ledger = queries.get_ledger(session, name)

        def at(minute: int) -> datetime:
            return NOW + timedelta(minutes=minute)

        def held(amount: str, minute: int, **more: object) -> model.Transaction:
            wanted = replace(sale(amount), pending=True, **more)
            made = operations.record(session, ledger, [wanted], now=at(minute), form=Form.STEPS)
            return made.transactions[0]

        first = held("10.00", 1, description="two parts", reference="hold-1")
        second = held("5.00", 2, expires_at=LATER)
        part = model.HoldPost(hold_id=first.id, postings=sale("4.00").postings, effective_at=NOW, metadata={"a": "1"})
        posted = operations.post_holds(session, ledger, [part], now=at(3)).transactions[0]
        last = model.HoldPost(hold_id=first.id, postings=sale("3.00").postings, final=True, reference="last")
        operations.post_holds(session, ledger, [last], now=at(4))
        operations.void_holds(session, ledger, [second.id], now=at(5))
        operations.reverse(session, ledger, model.NewReversal(transaction_id=posted.id, effective_at=NOW), now=at(6))
        held("7.00", 7)


def counters(sessions: sessionmaker[Session], name: str) -> dict[str, object]:
    """Return all four counters by path."""
    with scope.session_scope(sessions, readonly=True) as session:
        ledger = queries.get_ledger(session, name)
        return {each.path: each.balances for each in queries.list_accounts(session, ledger, after=None, limit=1000)}


def outcomes(sessions: sessionmaker[Session], name: str) -> list[tuple[object, ...]]:
    """Return what readers see of each transaction that depends on what became of it, the newest first."""
    now = datetime.now(UTC)
    with scope.session_scope(sessions, readonly=True) as session:
        ledger = queries.get_ledger(session, name)
        criteria = queries.TransactionFilter()
        found = queries.list_transactions(session, ledger, criteria=criteria, after=None, limit=1000, now=now)
    return [
        (
            *(each.status, each.expires_at, len(each.posted_by), each.reversed_by is None),
            *((line.remaining_minor, line.counters, line.balance_version) for line in each.postings),
        )
        for each in found
    ]


def violations(sessions: sessionmaker[Session], name: str) -> list[str]:
    with scope.session_scope(sessions, readonly=True) as session:
        checks = verify.verify(session, queries.get_ledger(session, name))
        return [check.name for check in checks if not check.holds]


def exists(sessions: sessionmaker[Session], name: str) -> bool:
    with scope.session_scope(sessions, readonly=True) as session:
        try:
            queries.get_ledger(session, name)
        except errors.NotFound:
            return False
        return True


def content(exported: bytes) -> list[dict[str, Any]]:
    """Return what is said, but for the ledger's name, ids and recorded times: an id is the place of what it is of."""
    lines = [json.loads(line) for line in exported.splitlines()]
    places = {line["id"]: place for place, line in enumerate(lines) if line["line"] == "transaction"}
    for line in lines:
        if line["line"] == "ledger":
            line.pop("name")
        for name in ("created_at", "recorded_at"):
            line.pop(name, None)
        for name in ("id", "pending_of", "reverses"):
            if name in line:
                line[name] = places[line[name]]
    return lines
