"""What every format needs to know of a ledger before its transactions: currencies, accounts, period."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from myapp.ledger import model, queries

PAGE_SIZE = 1_000

PageT = TypeVar("PageT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A ledger to be written out; `walk` leads through its transactions of the period, `prices` through its prices."""

    ledger: model.LedgerDetails
    period: queries.Period
    walk: queries.Walk
    prices: Callable[[queries.Order], Iterator[model.Price]]
    currencies: Sequence[model.Currency]
    accounts: Sequence[model.Account]
    exponents: Mapping[str, int]

    @property
    def is_whole(self) -> bool:
        return self.period == queries.Period()


def read(session: Session, ledger: model.Ledger, period: queries.Period) -> Book:
    """Read what comes before the transactions; it is as large as the accounts are many."""
    currencies = list(
        _pages(
            lambda after: queries.list_currencies(session, ledger, after=after, limit=PAGE_SIZE),
            lambda currency: currency.code,
        )
    )
    accounts = list(
        _pages(
            lambda after: queries.list_accounts(session, ledger, after=after, limit=PAGE_SIZE),
            lambda account: account.path,
        )
    )
    return Book(
        ledger=queries.get_ledger(session, ledger.name),
        period=period,
        walk=queries.Walk(session, ledger, period=period),
        prices=functools.partial(queries.walk_prices, session, ledger, period),
        currencies=currencies,
        accounts=accounts,
        exponents={currency.code: currency.exponent for currency in currencies},
    )


def _pages(read_page: Callable[[str | None], Sequence[PageT]], key: Callable[[PageT], str]) -> Iterator[PageT]:
    after = None
    while page := read_page(after):
        yield from page
        if len(page) < PAGE_SIZE:
            return
        after = key(page[-1])
