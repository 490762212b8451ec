"""A journal's accounts as a ledger's.

`Assets:US:BofA` becomes `assets:US:BofA`: the root gives the type and is written small, whatever the journal's options
rename it to; the rest stays. No account of a journal can meet a trading account, since its names begin with capitals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from beancount.core import data

from myapp.ledger import model
from myapp.scripts.importing import own, reading, words
from myapp.scripts.importing.plan import TRADING_PREFIX, Note, PlannedAccount, PlannedTransaction

ROOTS = {
    "name_assets": ("assets", model.AccountType.ASSET),
    "name_liabilities": ("liabilities", model.AccountType.LIABILITY),
    "name_equity": ("equity", model.AccountType.EQUITY),
    "name_income": ("income", model.AccountType.INCOME),
    "name_expenses": ("expenses", model.AccountType.EXPENSE),
}


def paths(journal: reading.Journal) -> Mapping[str, str]:
    """Return the ledger's paths by the journal's names, of all accounts that it opens."""
    return {
        entry.account: own.read(entry.meta).path or _path_and_type(entry.account, journal.options)[0]
        for entry in journal.entries
        if isinstance(entry, data.Open)
    }


def accounts(
    journal: reading.Journal, codes: Mapping[str, str], known: Collection[str], notes: list[Note]
) -> Iterator[PlannedAccount]:
    """Yield the accounts that the journal opens.

    Shape: `codes` are the ledger's by the journal's commodities, `known` those of the ledger whose digits are known.
    """
    closed = {entry.account: entry.date for entry in journal.entries if isinstance(entry, data.Close)}
    named = paths(journal)
    for entry in journal.entries:
        if isinstance(entry, data.Open):
            place = reading.place_of(entry.meta)
            noted = own.read(entry.meta)
            fitted = words.of_account(entry, closed.get(entry.account), noted)
            notes += (Note(place=place, text=text) for text in fitted.lost)
            wanted = model.NewAccount(
                path=named[entry.account],
                type=_path_and_type(entry.account, journal.options)[1],
                currencies=_only(entry, codes, known),
                metadata=fitted.metadata,
            )
            yield PlannedAccount(place=place, account=wanted, closes=entry.account in closed, limits=noted.limits())


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


def _only(entry: data.Open, codes: Mapping[str, str], known: Collection[str]) -> tuple[str, ...] | None:
    """Return the currencies the account is tied to.

    A commodity that is not posted yet has no digits yet, so an account that names one cannot be tied to it.
    """
    only = tuple(codes.get(code, code) for code in entry.currencies or ())
    return only if only and all(code in known for code in only) else None
