"""The real ledger behind the same words as the model: the same operations, answers and refusals.

Every operation is a unit of work of its own that really commits.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import errors, ids, operations, queries, verify
from myapp.ledger.idempotency import Claim
from myapp.ledger.model import (
    Account,
    AccountChange,
    Counters,
    Currency,
    HoldPost,
    Ledger,
    LedgerChange,
    NewAccount,
    NewPrice,
    NewReversal,
    NewTransaction,
    NewWebhook,
    Posting,
    StatementLine,
    Status,
    Transaction,
    Webhook,
)
from myapp.ledger.recording import Form
from tests.reference import real_views
from tests.reference.book import Entry, Hook, PriceRecord, Record, Recorded, Refused, SeenAccount, SeenLedger, Tally
from tests.reference.generate import START
from tests.reference.holds import Key, Post, Reversal
from tests.reference.looking import Look
from tests.reference.model import Line, State

PAGE = 7
ENOUGH = 10_000


@dataclass
class Real:
    """One ledger in one database, recorded to in one form."""

    name: str
    sessions: sessionmaker[Session]
    form: Form

    def __post_init__(self) -> None:
        self.ledger_name = f"reference-{secrets.token_hex(8)}"
        # The model's transactions are at the same places as these.
        self.ids: list[UUID] = []
        self.holds: set[UUID] = set()
        # So are its webhooks; a removed one keeps its place.
        self.hooks: list[UUID] = []
        self.secrets: dict[UUID, list[bytes]] = {}

    @contextmanager
    def unit_of_work(self, *, readonly: bool = False) -> Iterator[tuple[Session, Ledger]]:
        """Open a unit of work on the ledger; what the ledger refuses is raised in the model's words."""
        try:
            with scope.session_scope(self.sessions, readonly=readonly) as session:
                yield session, queries.get_ledger(session, self.ledger_name)
        except errors.Refusal as refusal:
            holder = self.ids.index(refusal.transaction_id) if refusal.transaction_id is not None else None
            raise Refused(refusal.code, refusal.index, refusal.line, holder=holder) from refusal
        except errors.LedgerError as error:
            raise Refused(error.code) from error

    def create(self, now: datetime) -> None:
        with scope.session_scope(self.sessions) as session:
            operations.create_ledger(session, self.ledger_name, metadata={}, now=now)

    def declare_currency(self, code: str, exponent: int) -> bool:
        with self.unit_of_work() as (session, ledger):
            return operations.declare_currency(session, ledger, Currency(code=code, exponent=exponent), now=START)

    def change_ledger(self, change: LedgerChange, *, expected_version: int | None, now: datetime) -> SeenLedger:
        with self.unit_of_work() as (session, ledger):
            return as_seen_ledger(
                operations.change_ledger(session, ledger, change, expected_version=expected_version, now=now)
            )

    def open_account(self, wanted: NewAccount, *, now: datetime) -> SeenAccount:
        with self.unit_of_work() as (session, ledger):
            return as_seen(operations.open_account(session, ledger, wanted, now=now))

    def change_account(
        self, path: str, change: AccountChange, *, expected_version: int | None, now: datetime
    ) -> SeenAccount:
        with self.unit_of_work() as (session, ledger):
            return as_seen(
                operations.change_account(session, ledger, path, change, expected_version=expected_version, now=now)
            )

    def record(self, request: Sequence[NewTransaction], *, now: datetime, key: Key | None) -> Recorded:
        with self.unit_of_work() as (session, ledger):
            recorded = operations.record(session, ledger, request, now=now, form=self.form, claim=as_claim(key))
        return self.as_recorded(recorded)

    def dry_run(self, request: Sequence[NewTransaction], *, now: datetime) -> Sequence[Record]:
        with self.unit_of_work() as (session, ledger):
            recorded = operations.dry_run(session, ledger, request, now=now, form=self.form)
            return [self.as_record(transaction) for transaction in recorded.transactions]

    def post_holds(self, request: Sequence[Post], *, now: datetime, key: Key | None) -> Recorded:
        wanted = [
            HoldPost(
                hold_id=self.id_of(each.place),
                postings=each.postings,
                final=each.final,
                reference=each.reference,
                description=each.description,
                effective_at=each.effective_at,
                metadata=each.metadata,
            )
            for each in request
        ]
        with self.unit_of_work() as (session, ledger):
            recorded = operations.post_holds(session, ledger, wanted, now=now, claim=as_claim(key))
        return self.as_recorded(recorded)

    def void_holds(self, places: Sequence[int | None], *, now: datetime, key: Key | None) -> Recorded:
        hold_ids = [self.id_of(place) for place in places]
        with self.unit_of_work() as (session, ledger):
            voided = operations.void_holds(session, ledger, hold_ids, now=now, claim=as_claim(key))
        assert [transaction.id for transaction in voided.transactions] == hold_ids
        return Recorded(
            [self.ids.index(hold_id) for hold_id in hold_ids],
            [self.as_record(transaction) for transaction in voided.transactions],
            voided.replayed,
        )

    def expire_holds(self, *, now: datetime, limit: int) -> int:
        with self.unit_of_work() as (session, ledger):
            return operations.expire_holds(session, ledger, now=now, limit=limit)

    def reverse(self, wanted: Reversal, *, now: datetime, key: Key | None) -> Recorded:
        reversal = NewReversal(
            transaction_id=self.id_of(wanted.place),
            reference=wanted.reference,
            description=wanted.description,
            effective_at=wanted.effective_at,
            metadata=wanted.metadata,
        )
        with self.unit_of_work() as (session, ledger):
            recorded = operations.reverse(session, ledger, reversal, now=now, claim=as_claim(key))
        return self.as_recorded(recorded)

    def record_prices(self, request: Sequence[NewPrice], *, now: datetime) -> Sequence[PriceRecord]:
        with self.unit_of_work() as (session, ledger):
            return [real_views.as_price(each) for each in operations.record_prices(session, ledger, request, now=now)]

    def create_webhook(self, wanted: NewWebhook, *, now: datetime) -> Hook:
        with self.unit_of_work() as (session, ledger):
            made = operations.create_webhook(session, ledger, wanted, now=now)
        self.hooks.append(made.id)
        return self.as_hook(made)

    def change_webhook(self, place: int, change: Mapping[str, object], *, now: datetime) -> Hook:
        with self.unit_of_work() as (session, ledger):
            return self.as_hook(operations.change_webhook(session, ledger, self.hook_id(place), change, now=now))

    def replay_webhook(self, place: int, *, after: int, now: datetime) -> Hook:
        with self.unit_of_work() as (session, ledger):
            return self.as_hook(operations.replay_webhook(session, ledger, self.hook_id(place), after=after, now=now))

    def rotate_webhook_secret(self, place: int, *, now: datetime) -> Hook:
        with self.unit_of_work() as (session, ledger):
            return self.as_hook(operations.rotate_webhook_secret(session, ledger, self.hook_id(place), now=now))

    def ping_webhook(self, place: int, *, now: datetime) -> Hook:
        with self.unit_of_work() as (session, ledger):
            return self.as_hook(operations.ping_webhook(session, ledger, self.hook_id(place), now=now))

    def remove_webhook(self, place: int, *, now: datetime) -> None:
        with self.unit_of_work() as (session, ledger):
            operations.remove_webhook(session, ledger, self.hook_id(place))

    def hook_id(self, place: int) -> UUID:
        return self.hooks[place] if place < len(self.hooks) else ids.new_id(START)

    def as_hook(self, found: Webhook) -> Hook:
        had = self.secrets.setdefault(found.id, [])
        if found.secret not in had:
            had.append(found.secret)
        assert found.previous_secret == (had[-2] if len(had) > 1 else None)
        return real_views.as_hook(found, len(had))

    def balance(self, path: str, look: Look) -> object:
        with self.unit_of_work(readonly=True) as (session, ledger):
            return real_views.balance(session, ledger, path, look)

    def balances(self, look: Look) -> object:
        with self.unit_of_work(readonly=True) as (session, ledger):
            return real_views.balances(session, ledger, look)

    def statement_as_known(self, path: str, look: Look) -> Sequence[Line]:
        with self.unit_of_work(readonly=True) as (session, ledger):
            return [self.as_line(line) for line in real_views.statement(session, ledger, path, look)]

    def records_as_known(self, status: Status | None, path: str | None, look: Look) -> Sequence[Record]:
        criteria = queries.TransactionFilter(status=status, account=path, known_at=look.known_at)
        return [self.as_record(each) for each in self.search(criteria, now=look.now)]

    def prices(self, currency: str | None, look: Look) -> Sequence[PriceRecord]:
        with self.unit_of_work(readonly=True) as (session, ledger):
            return real_views.prices(session, ledger, currency, look)

    def report(self, name: str, value: str | None, look: Look) -> object:
        with self.unit_of_work(readonly=True) as (session, ledger):
            return real_views.report(session, ledger, name, value, look)

    def id_of(self, place: int | None) -> UUID:
        return ids.new_id(START) if place is None else self.ids[place]

    def as_recorded(self, recorded: operations.Recorded) -> Recorded:
        if not recorded.replayed:
            self.ids += [transaction.id for transaction in recorded.transactions]
        places = [self.ids.index(transaction.id) for transaction in recorded.transactions]
        return Recorded(
            places, [self.as_record(transaction) for transaction in recorded.transactions], recorded.replayed
        )

    def state(self, paths: Sequence[str], *, now: datetime) -> State:
        """Read the ledger, currencies, accounts, holds, and the statements of some accounts, in one unit of work."""
        with self.unit_of_work(readonly=True) as (session, ledger):
            currencies = queries.list_currencies(session, ledger, after=None, limit=ENOUGH)
            accounts = queries.list_accounts(session, ledger, after=None, limit=ENOUGH)
            found = {path: list(real_views.statement(session, ledger, path)) for path in paths}
            held = queries.list_holds(session, ledger, sorted(self.holds), now=now)
            priced = real_views.prices(session, ledger, None, None)
            hooks = real_views.webhooks(session, ledger, self.secrets)
        return State(
            ledger=as_seen_ledger(ledger),
            currencies={currency.code: currency.exponent for currency in currencies},
            accounts={account.path: as_seen(account) for account in accounts},
            statements={path: [self.as_line(line) for line in lines] for path, lines in found.items()},
            holds={self.ids.index(hold.id): self.as_record(hold) for hold in held},
            prices=priced,
            webhooks=hooks,
        )

    def records(self, *, now: datetime) -> Sequence[Record]:
        """List every transaction, oldest first, read page by page."""
        found = self.search(queries.TransactionFilter(), now=now)
        assert [transaction.id for transaction in found] == self.ids
        return [self.as_record(transaction) for transaction in found]

    def search(self, criteria: queries.TransactionFilter, *, now: datetime) -> Sequence[Transaction]:
        with self.unit_of_work(readonly=True) as (session, ledger):
            newest_first: list[Transaction] = []
            while page := queries.list_transactions(
                session,
                ledger,
                criteria=criteria,
                after=newest_first[-1].id if newest_first else None,
                limit=PAGE,
                now=now,
            ):
                newest_first += page
        return list(reversed(newest_first))

    def violations(self) -> Sequence[str]:
        """List what `verify` finds wrong; a ledger that agrees with the model has nothing."""
        with self.unit_of_work(readonly=True) as (session, ledger):
            checks = verify.verify(session, ledger)
            assert checks
            return [f"{check.name}: {violation}" for check in checks for violation in check.violations] + [
                check.name for check in checks if not check.holds
            ]

    def as_line(self, found: StatementLine) -> Line:
        return Line(
            place=self.ids.index(found.transaction_id),
            line=found.line,
            currency=found.currency,
            side=found.side,
            minor=found.amount_minor,
            effective_at=found.effective_at,
            version=found.balance_version,
            balance=found.balance_minor,
        )

    def as_record(self, transaction: Transaction) -> Record:
        assert [posting.line for posting in transaction.postings] == list(range(len(transaction.postings)))
        if any(posting.remaining_minor is not None for posting in transaction.postings):
            self.holds.add(transaction.id)
        return Record(
            reference=transaction.reference,
            description=transaction.description,
            effective_at=transaction.effective_at,
            recorded_at=transaction.recorded_at,
            metadata=dict(transaction.metadata),
            entries=[as_entry(posting) for posting in transaction.postings],
            status=transaction.status.value,
            expires_at=transaction.expires_at,
            pending_of=self.place_of(transaction.pending_of),
            posted_by=[self.ids.index(post) for post in transaction.posted_by],
            reverses=self.place_of(transaction.reverses),
            reversed_by=self.place_of(transaction.reversed_by),
        )

    def place_of(self, transaction_id: UUID | None) -> int | None:
        return None if transaction_id is None else self.ids.index(transaction_id)


def as_seen(account: Account) -> SeenAccount:
    return SeenAccount(
        path=account.path,
        type=account.type,
        currencies=account.currencies,
        metadata=dict(account.metadata),
        limits=dict(account.limits),
        counters={
            code: real_views.as_four(counters) for code, counters in account.balances.items() if counters != Counters()
        },
        closed_at=account.closed_at,
        version=account.version,
    )


def as_seen_ledger(ledger: Ledger) -> SeenLedger:
    return SeenLedger(dict(ledger.metadata), ledger.locked_before, ledger.version)


def as_claim(key: Key | None) -> Claim | None:
    if key is None:
        return None
    return Claim(key=key.name, request_hash=key.request_hash, expired_before=key.expired_before)


def as_entry(posting: Posting) -> Entry:
    return Entry(
        posting.account,
        posting.currency,
        posting.side,
        posting.amount_minor,
        posting.effect.value,
        Tally(*real_views.as_four(posting.counters), posting.balance_version),
        posting.remaining_minor,
    )
