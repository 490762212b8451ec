"""A journal's accounts as a ledger's.

`Assets:US:BofA` becomes `assets:US:BofA`: the root gives the type and is written small, whatever the journal's options
rename it to; the rest stays. No account of a journal can meet a trading account, since its names begin with capitals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from beancount.core import data

from myapp.ledger import model
from myapp.scripts.importing import reading, words
from myapp.scripts.importing.plan import TRADING_PREFIX, Note, PlannedAccount, PlannedTransaction

ROOTS = {
    "name_assets": ("assets", model.AccountType.ASSET),
    "name_liabilities": ("liabilities", model.AccountType.LIABILITY),
    "name_equity": ("equity", model.AccountType.EQUITY),
    "name_income": ("income", model.AccountType.INCOME),
    "name_expenses": ("expenses", model.AccountType.EXPENSE),
}


def path_of(account: str, options: Mapping[str, object]) -> str:
    """Return the ledger's path of a journal's account."""
    return _path_and_type(account, options)[0]


def accounts(journal: reading.Journal, posted: Collection[str], notes: list[Note]) -> Iterator[PlannedAccount]:
    """Yield the accounts that the journal opens; `posted` are the commodities that occur in transactions."""
    closed = {entry.account: entry.date for entry in journal.entries if isinstance(entry, data.Close)}
    for entry in journal.entries:
        if isinstance(entry, data.Open):
            place = reading.place_of(entry.meta)
            path, kind = _path_and_type(entry.account, journal.options)
            fitted = words.of_account(entry, closed.get(entry.account))
            notes += (Note(place=place, text=text) for text in fitted.lost)
            wanted = model.NewAccount(path=path, type=kind, currencies=_only(entry, posted), metadata=fitted.metadata)
            yield PlannedAccount(place=place, account=wanted, closes=entry.account in closed)


def trading_accounts(transactions: Iterable[PlannedTransaction]) -> Iterator[PlannedAccount]:
    """Yield the trading accounts that the transactions use, with the place of the first that does."""
    seen: set[str] = set()
    for transaction in transactions:
        for posting in transaction.wanted.postings:
            path = posting.account
            if path.startswith(TRADING_PREFIX) and path not in seen:
                seen.add(path)
                wanted = model.NewAccount(path=path, type=model.AccountType.EQUITY, currencies=(posting.currency,))
                yield PlannedAccount(place=transaction.place, account=wanted)


def _path_and_type(account: str, options: Mapping[str, object]) -> tuple[str, model.AccountType]:
    root, _, rest = account.partition(":")
    ours, kind = next(ROOTS[option] for option in ROOTS if options[option] == root)
    return f"{ours}:{rest}", kind


def _only(entry: data.Open, posted: Collection[str]) -> tuple[str, ...] | None:
    """Return the currencies the account is tied to.

    A commodity that is not posted yet has no digits yet, so an account that names one cannot be tied to it.
    """
    if entry.currencies and all(code in posted for code in entry.currencies):
        return tuple(entry.currencies)
    return None
