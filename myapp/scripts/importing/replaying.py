"""Load a ledger that was exported as NDJSON: the same accounts, transactions and prices, in the order they have there.

What the ledger has recorded already must be how the file begins; then the rest is added. So a second run changes
nothing, and one that was interrupted goes on. Limits are set, accounts closed and the period locked once everything is
recorded. Recorded times are those of the load.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from msgspec import UNSET

from myapp import errors
from myapp.api.exchange import lines
from myapp.api.exchange.deeds import Deed
from myapp.ledger import model
from myapp.scripts.importing import deeds, dump, opening, own
from myapp.scripts.importing.destination import BatchRefused, Destination
from myapp.scripts.importing.dump import Dump
from myapp.scripts.importing.loading import BATCH_SIZE, Bar, Progress
from myapp.scripts.importing.plan import JournalError, Note, Place, PlannedAccount, PlannedCurrency

Placed = tuple[Place, lines.Transaction]
RecordedT = TypeVar("RecordedT", bound=lines.Recorded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a load found and did."""

    ledger_made: bool
    currencies_declared: int
    accounts_opened: int
    transactions: int
    prices: int


def replay(file: Dump, destination: Destination, *, progress: Progress) -> Replayed:
    """Bring the ledger to what the file says.

    Raises:
        JournalError: the ledger has recorded something else, or refuses a line, which is named.
    """
    ledger_made = destination.make_ledger(file.ledger.metadata)
    known = destination.accounts()
    place = Place(file=str(file.path), line=0)
    declared = opening.declare_currencies([_currency(each, place) for each in file.currencies], destination)
    accounts = [_account(*each) for each in file.accounts]
    opened = opening.open_accounts(accounts, destination, known)
    replayer = _Replayer(file, destination)
    replayer.skip_known()
    there, prices_there = replayer.transactions, replayer.prices
    with progress(file.total.transactions - there) as bar:
        replayer.record(bar)
    replayer.record_prices()
    opening.limit_accounts(accounts, destination, known)
    opening.close_accounts(accounts, destination, known, ())
    if file.locked_before is not None:
        destination.lock_before(file.locked_before)
    return Replayed(
        ledger_made=ledger_made,
        currencies_declared=declared,
        accounts_opened=opened,
        transactions=replayer.transactions - there,
        prices=replayer.prices - prices_there,
    )


class _Replayer:
    """Goes through a file's transactions and prices once.

    `transactions` and `prices` are how many of them the ledger has. Kept are the ids that it gave to those transactions
    that others refer to.
    """

    def __init__(self, file: Dump, destination: Destination) -> None:
        self._file = Place(file=str(file.path), line=0)
        self._referred = file.referred
        self._destination = destination
        self._transactions = file.transactions()
        self._prices = file.prices()
        self._ids: dict[str, str] = {}
        self.transactions = 0
        self.prices = 0

    def skip_known(self) -> None:
        """Go past what the ledger has recorded."""
        for there in self._destination.recorded():
            if isinstance(there, lines.Price):
                self._require_same(next(self._prices, None), there, f"the price of {there.currency} in {there.quote}")
                self.prices += 1
            else:
                each = self._require_same(next(self._transactions, None), there, f"its transaction {there.id}")
                self._remember(each, there.id)
                self.transactions += 1

    def _require_same(self, placed: tuple[Place, RecordedT] | None, there: lines.Recorded, name: str) -> RecordedT:
        """Return what the file has at this place, which is what the ledger has."""
        if placed is None:
            text = f"the ledger has recorded more than is in the file, {name}: load into a new ledger"
            raise JournalError([Note(place=self._file, text=text)])
        place, wanted = placed
        if dump.said(wanted, self._ids) != dump.said(there, {}):
            text = f"the ledger has something else here, {name}: load into a new ledger"
            raise JournalError([Note(place=place, text=text)])
        return wanted

    def record(self, bar: Bar) -> None:
        """Record the rest of the transactions."""
        for batch in _batches(self._transactions):
            wanted = [self._deed(*each) for each in batch]
            try:
                made = self._destination.replay(wanted, at=self.transactions)
            except errors.MyappError as exc:
                index = exc.index if isinstance(exc, BatchRefused) else None
                raise _refused(batch[index or 0][0], exc) from exc
            for (_place, each), id_ in zip(batch, made, strict=True):
                self._remember(each, str(id_))
            self.transactions += len(batch)
            bar.update(len(batch))

    def record_prices(self) -> None:
        """Record the rest of the prices."""
        while batch := list(itertools.islice(self._prices, model.PRICES_MAX)):
            try:
                self._destination.record_prices([_price(each) for _place, each in batch], at=self.prices)
            except (errors.MyappError, ArithmeticError, ValueError) as exc:
                raise _refused(batch[0][0], exc) from exc
            self.prices += len(batch)

    def _deed(self, place: Place, of: lines.Transaction) -> Deed:
        try:
            return deeds.deed(of, self._ids)
        except ValueError as exc:
            raise _refused(place, exc) from exc

    def _remember(self, of: lines.Transaction, id_: str) -> None:
        if of.id in self._referred:
            self._ids[of.id] = id_


def _batches(wanted: Iterator[Placed]) -> Iterator[Sequence[Placed]]:
    """Divide transactions so that a request holds each part."""
    batch: list[Placed] = []
    weight = 0
    for each in wanted:
        weight += (added := deeds.weight(each[1]))
        if batch and (len(batch) == BATCH_SIZE or weight > deeds.WEIGHT_MAX):
            yield batch
            batch, weight = [], added
        batch.append(each)
    if batch:
        yield batch


def _refused(place: Place, exc: Exception) -> JournalError:
    return JournalError([Note(place=place, text=str(exc))])


def _price(of: lines.Price) -> model.NewPrice:
    return model.NewPrice(
        currency=of.currency, quote=of.quote, price=Decimal(of.price), effective_at=dump.time(of.effective_at)
    )


def _currency(of: lines.Currency, place: Place) -> PlannedCurrency:
    return PlannedCurrency(currency=model.Currency(code=of.code, exponent=of.exponent), place=place, is_declared=True)


def _account(place: Place, of: lines.Account) -> PlannedAccount:
    wanted = model.NewAccount(
        path=of.path,
        type=of.type,
        currencies=None if of.currencies is None else tuple(of.currencies),
        metadata=of.metadata,
    )
    limits = {code: own.limits_of(_ends(each)) for code, each in of.limits.items()}
    return PlannedAccount(place=place, account=wanted, closes=of.closed, limits=limits)


def _ends(of: lines.Limits) -> dict[str, object]:
    return {name: end for name, end in (("min", of.min), ("max", of.max)) if end is not UNSET}
