"""Where a journal can be loaded: what `loading` asks of a ledger, in the database or behind a service."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from myapp import errors
from myapp.api.exchange import deeds, lines
from myapp.ledger import model
from myapp.scripts.importing.assertions import Movement

CLOSED_KEY = "beancount.closed"

# The currency, the one that its price is in, and the effective time.
PriceKey = tuple[str, str, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An account that the ledger has."""

    type: model.AccountType
    closed: bool
    metadata: Mapping[str, str]
    # The currencies that have limits.
    limited: Collection[str] = ()

    @property
    def closed_by_import(self) -> bool:
        return self.closed and CLOSED_KEY in self.metadata


class BatchRefused(errors.MyappError):
    """The ledger refuses a batch; `index` is the first transaction at fault, from zero."""

    code = "refused"

    def __init__(self, detail: str, *, index: int | None) -> None:
        super().__init__(detail)
        self.index = index


class Destination(Protocol):
    """One ledger, which need not be there yet.

    `whole` says that nothing stays if the import fails, because all of it is one unit of work.
    """

    whole: bool

    def make_ledger(self, metadata: Mapping[str, str]) -> bool:
        """Make the ledger if there is none of the name, and say whether that was needed; comes before all else."""

    def exponents(self, codes: Collection[str]) -> Mapping[str, int]:
        """Return the digits of those currencies that the ledger knows."""

    def declare(self, currency: model.Currency) -> None: ...

    def accounts(self) -> Mapping[str, Known]:
        """Return the ledger's accounts by path."""

    def open_account(self, wanted: model.NewAccount) -> None: ...

    def change_account(self, path: str, change: model.AccountChange) -> None: ...

    def references(self, first: datetime, last: datetime) -> set[str]:
        """Return the references that are taken, at least those effective from `first` to `last`."""

    def record(self, wanted: Sequence[model.NewTransaction]) -> None:
        """Record a batch, whole or not at all.

        Raises:
            BatchRefused: naming the first transaction at fault.
        """

    def recorded(self) -> Iterable[lines.Recorded]:
        """Yield the transactions that the ledger has recorded, in that order, and then the prices in theirs."""

    def replay(self, wanted: Sequence[deeds.Deed], *, at: int) -> Sequence[UUID]:
        """Record a batch of deeds, whole or not at all, and return the ids.

        Shape: `at` is how many came before it, since equal batches are not the same.
        Raises:
            BatchRefused: naming the first deed at fault.
        """

    def record_prices(self, wanted: Sequence[model.NewPrice], *, at: int) -> None:
        """Record a batch of prices, whole or not at all; `at` as in `replay`."""

    def lock_before(self, start: datetime) -> None:
        """Close the period before a time, unless one up to a later time is closed."""

    def prices(self) -> Mapping[PriceKey, Decimal]:
        """Return the prices that count."""

    def movements(self, paths: Collection[str]) -> Iterable[Movement]:
        """Yield what the accounts gained, from the first posting on."""
