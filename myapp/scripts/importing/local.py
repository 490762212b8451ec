"""Load into the database itself: all of it in one unit of work, so that what fails leaves nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.api.exchange import book, deeds, lines, ndjson
from myapp.ledger import errors, model, operations, queries, recording, replaying
from myapp.scripts.importing.assertions import Movement
from myapp.scripts.importing.destination import BatchRefused, Known, PriceKey

PAGE_SIZE = 1_000
MILLISECOND = timedelta(milliseconds=1)


class Local:
    """A ledger in the database of the session."""

    whole = True

    def __init__(self, session: Session, name: str, *, form: recording.Form, now: datetime) -> None:
        self._session = session
        self._form = form
        self._now = now
        self._name = name
        self._ledger: model.LedgerDetails

    def make_ledger(self, metadata: Mapping[str, str]) -> bool:
        try:
            self._ledger = queries.get_ledger(self._session, self._name)
        except errors.NotFound:
            self._ledger = operations.create_ledger(self._session, self._name, metadata=metadata, now=self._now)
            return True
        return False

    def exponents(self, codes: Collection[str]) -> Mapping[str, int]:
        return queries.exponents(self._session, self._ledger, codes)

    def declare(self, currency: model.Currency) -> None:
        operations.declare_currency(self._session, self._ledger, currency, now=self._now)

    def accounts(self) -> Mapping[str, Known]:
        known: dict[str, Known] = {}
        after = None
        while page := queries.list_accounts(self._session, self._ledger, after=after, limit=PAGE_SIZE):
            for each in page:
                known[each.path] = Known(
                    type=each.type,
                    closed=each.closed_at is not None,
                    metadata=each.metadata,
                    limited=each.limits.keys(),
                )
            after = page[-1].path
        return known

    def open_account(self, wanted: model.NewAccount) -> None:
        operations.open_account(self._session, self._ledger, wanted, now=self._now)

    def change_account(self, path: str, change: model.AccountChange) -> None:
        operations.change_account(self._session, self._ledger, path, change, expected_version=None, now=self._now)

    def references(self, _first: datetime, _last: datetime) -> set[str]:
        return set(queries.list_references(self._session, self._ledger, prefix=""))

    def record(self, wanted: Sequence[model.NewTransaction]) -> None:
        try:
            operations.record(self._session, self._ledger, wanted, now=self._tick(), form=self._form)
        except errors.Refusal as exc:
            raise BatchRefused(str(exc), index=exc.index) from exc

    def recorded(self) -> Iterator[lines.Recorded]:
        return ndjson.recorded(book.read(self._session, self._ledger, queries.Period()))

    def replay(self, wanted: Sequence[deeds.Deed], *, at: int) -> Sequence[UUID]:  # noqa: ARG002
        happened = [deeds.happened(each) for each in wanted]
        try:
            return replaying.replay(self._session, self._ledger, happened, now=self._tick(), form=self._form)
        except errors.Refusal as exc:
            raise BatchRefused(str(exc), index=exc.index) from exc

    def record_prices(self, wanted: Sequence[model.NewPrice], *, at: int) -> None:  # noqa: ARG002
        operations.record_prices(self._session, self._ledger, wanted, now=self._tick())

    def lock_before(self, start: datetime) -> None:
        locked_before = self._ledger.locked_before
        if locked_before is None or locked_before < start:
            change = model.LedgerChange(moves_period=True, locked_before=start)
            operations.change_ledger(self._session, self._ledger, change, expected_version=None, now=self._tick())

    def prices(self) -> Mapping[PriceKey, Decimal]:
        found = queries.walk_prices(self._session, self._ledger, queries.Period(), queries.Order.RECORDED)
        return {(each.currency, each.quote, each.effective_at): each.price for each in found}

    def _tick(self) -> datetime:
        """Return the time, later at each call: ids sort by their millisecond, and what is loaded keeps its order."""
        self._now = max(datetime.now(UTC), self._now + MILLISECOND)
        return self._now

    def movements(self, paths: Collection[str]) -> Iterator[Movement]:
        """Yield a movement for each account, currency and effective time, summed by the database."""
        found = queries.sum_movements(self._session, self._ledger, paths)
        exponents = self.exponents({each.currency for each in found})
        for each in found:
            net = Decimal(each.net_minor).scaleb(-exponents[each.currency])
            yield Movement(path=each.path, currency=each.currency, day=each.effective_at.date(), net=net)
