"""Load a ledger that was exported as NDJSON: the same accounts and transactions, in the order they were recorded in.

What the ledger has recorded already must be how the file begins; then the rest is added. So a second run changes
nothing, and one that was interrupted goes on. Recorded times are those of the load.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from msgspec import UNSET

from myapp import errors
from myapp.api.exchange import lines
from myapp.ledger import model
from myapp.scripts.importing import dump, opening, own
from myapp.scripts.importing.destination import BatchRefused, Destination
from myapp.scripts.importing.dump import Dump
from myapp.scripts.importing.loading import BATCH_SIZE, Bar, Progress
from myapp.scripts.importing.plan import JournalError, Note, Place, PlannedAccount, PlannedCurrency

Placed = tuple[Place, lines.Transaction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a load found and did."""

    ledger_made: bool
    currencies_declared: int
    accounts_opened: int
    recorded: int
    there: int


def replay(file: Dump, destination: Destination, *, now: datetime, progress: Progress) -> Replayed:
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
    replayer = _Replayer(file, destination, now)
    rest = file.transactions()
    there = replayer.skip_known(rest)
    with progress(file.total - there) as bar:
        replayer.record(rest, bar)
    opening.limit_accounts(accounts, destination, known)
    opening.close_accounts(accounts, destination, known, ())
    return Replayed(
        ledger_made=ledger_made,
        currencies_declared=declared,
        accounts_opened=opened,
        recorded=replayer.recorded,
        there=there,
    )


class _Replayer:
    """Keeps the ids that the ledger gave to those transactions that others refer to."""

    def __init__(self, file: Dump, destination: Destination, now: datetime) -> None:
        self._referred = file.referred
        self._destination = destination
        self._now = now
        self._ids: dict[str, str] = {}
        self.recorded = 0
        self._done = 0

    def skip_known(self, wanted: Iterator[Placed]) -> int:
        """Go past what the ledger has recorded, and return how many those are."""
        for there in self._destination.recorded():
            place, each = next(wanted, (None, None))
            if place is None or each is None:
                break
            is_timed = _is_release(each) or each.effective_at == there.effective_at
            if dump.said(each, self._ids) != dump.said(there, {}) or not is_timed:
                text = f"the ledger has something else here, its transaction {there.id}: load into a new ledger"
                raise JournalError([Note(place=place, text=text)])
            self._remember(each, there.id)
            self._done += 1
        return self._done

    def record(self, wanted: Iterator[Placed], bar: Bar) -> None:
        """Record the rest: plain ones in batches, and what belongs to another one by one."""
        for is_plain, run in itertools.groupby(wanted, key=lambda each: _is_plain(each[1])):
            while batch := list(itertools.islice(run, BATCH_SIZE if is_plain else 1)):
                try:
                    made = self._record(batch)
                except BatchRefused as exc:
                    raise _refused(batch[exc.index or 0][0], exc) from exc
                except (errors.MyappError, ValueError) as exc:
                    raise _refused(batch[0][0], exc) from exc
                for (_place, each), id_ in zip(batch, made, strict=True):
                    self._remember(each, str(id_))
                self.recorded += len(batch)
                self._done += len(batch)
                bar.update(len(batch))

    def _record(self, batch: Sequence[Placed]) -> Sequence[UUID]:
        first = batch[0][1]
        if first.reverses is not UNSET:
            return [self._destination.reverse(self._reversal(first, first.reverses), at=self._done)]
        if first.pending_of is not UNSET and _is_release(first):
            self._destination.void_hold(self._id(first.pending_of), at=self._done)
            # Nothing refers to a release.
            return [UUID(int=0)]
        if first.pending_of is not UNSET:
            return [self._destination.post_hold(self._post(first, first.pending_of), at=self._done)]
        return self._destination.record([self._wanted(each) for _place, each in batch], at=self._done)

    def _wanted(self, of: lines.Transaction) -> model.NewTransaction:
        expires_at = None if of.expires_at is UNSET else _time(of.expires_at)
        return model.NewTransaction(
            postings=_postings(of.postings),
            reference=of.reference,
            description=of.description,
            effective_at=_time(of.effective_at),
            metadata=of.metadata,
            pending=of.status == model.Status.PENDING,
            # One that is over already cannot be asked for; what became of the hold is in the file.
            expires_at=expires_at if expires_at is not None and expires_at > self._now else None,
        )

    def _post(self, of: lines.Transaction, hold: str) -> model.HoldPost:
        taken = [each for each in of.postings if each.effect == model.Effect.TAKEN]
        return model.HoldPost(
            hold_id=self._id(hold),
            postings=_postings(taken),
            final=len(taken) < len(of.postings),
            reference=of.reference,
            description=of.description,
            effective_at=_time(of.effective_at),
            metadata=of.metadata,
        )

    def _reversal(self, of: lines.Transaction, reverses: str) -> model.NewReversal:
        return model.NewReversal(
            transaction_id=self._id(reverses),
            reference=of.reference,
            description=of.description,
            effective_at=_time(of.effective_at),
            metadata=of.metadata,
        )

    def _id(self, theirs: str) -> UUID:
        if theirs not in self._ids:
            raise ValueError(f"belongs to {theirs}, which is not in the file before it")
        return UUID(self._ids[theirs])

    def _remember(self, of: lines.Transaction, id_: str) -> None:
        if of.id in self._referred:
            self._ids[of.id] = id_


def _is_release(of: lines.Transaction) -> bool:
    return of.status == model.Status.PENDING and of.pending_of is not UNSET


def _is_plain(of: lines.Transaction) -> bool:
    return of.pending_of is UNSET and of.reverses is UNSET


def _refused(place: Place, exc: Exception) -> JournalError:
    return JournalError([Note(place=place, text=str(exc))])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _postings(of: Sequence[lines.Posting]) -> list[model.NewPosting]:
    return [
        model.NewPosting(account=each.account, currency=each.currency, side=model.Side.CREDIT, amount=Decimal(credit))
        if (credit := each.credit) is not UNSET
        else model.NewPosting(
            account=each.account, currency=each.currency, side=model.Side.DEBIT, amount=Decimal(str(each.debit))
        )
        for each in of
    ]


def _currency(of: lines.Currency, place: Place) -> PlannedCurrency:
    return PlannedCurrency(currency=model.Currency(code=of.code, exponent=of.exponent), place=place, is_declared=True)


def _account(place: Place, of: lines.Account) -> PlannedAccount:
    wanted = model.NewAccount(
        path=of.path,
        type=model.AccountType(of.type),
        currencies=None if of.currencies is None else tuple(of.currencies),
        metadata=of.metadata,
    )
    limits = {code: own.limits_of(_ends(each)) for code, each in of.limits.items()}
    return PlannedAccount(place=place, account=wanted, closes=of.closed, limits=limits)


def _ends(of: lines.Limits) -> dict[str, object]:
    return {name: end for name, end in (("min", of.min), ("max", of.max)) if end is not UNSET}
