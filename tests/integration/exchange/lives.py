"""What becomes of a made-up ledger, long ago: holds and how they end, reversals, prices, periods that are closed."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from myapp.db import scope
from myapp.ledger import errors, model, operations, queries
from myapp.ledger.model import Side
from myapp.ledger.recording import Form

START = datetime(2020, 1, 1, tzinfo=UTC)
FAR = datetime(9000, 1, 1, tzinfo=UTC)
CURRENCY = "EUR"


class Kind(enum.StrEnum):
    SALE = "sale"
    HOLD = "hold"
    BRIEF_HOLD = "brief hold"
    POST = "post"
    POST_FINALLY = "post finally"
    VOID = "void"
    SWEEP = "sweep"
    REVERSE = "reverse"
    PRICE = "price"
    LOCK = "lock"


@dataclass(frozen=True)
class Step:
    """Something to try, some minutes after the last; `which` chooses among what there is."""

    kind: Kind
    which: int
    amount: int
    minutes: int


steps = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(Kind),
        which=st.integers(0, 20),
        amount=st.integers(1, 60),
        minutes=st.integers(1, 90),
    ),
    max_size=16,
)


@dataclass
class Life:
    """A ledger whose first two accounts take euros, and what was recorded in it so far."""

    sessions: sessionmaker[Session]
    name: str
    paths: Sequence[str]
    now: datetime = START
    holds: list[UUID] = field(default_factory=list)
    recorded: list[UUID] = field(default_factory=list)

    def live(self, tried: Sequence[Step]) -> None:
        """Try each step; what the ledger refuses leaves nothing."""
        for step in tried:
            self.now += timedelta(minutes=step.minutes)
            with contextlib.suppress(errors.LedgerError), scope.session_scope(self.sessions) as session:
                self._try(session, queries.get_ledger(session, self.name), step)

    def _try(self, session: Session, ledger: model.Ledger, step: Step) -> None:
        match step.kind:
            case Kind.SALE | Kind.HOLD | Kind.BRIEF_HOLD:
                made = operations.record(session, ledger, [self._new(step)], now=self.now, form=Form.STEPS).transactions
                (self.recorded if step.kind is Kind.SALE else self.holds).append(made[0].id)
            case Kind.POST | Kind.POST_FINALLY:
                made = operations.post_holds(session, ledger, [self._post(step)], now=self.now).transactions
                self.recorded.append(made[0].id)
            case Kind.VOID:
                operations.void_holds(session, ledger, [self._chosen(self.holds, step)], now=self.now)
            case Kind.SWEEP:
                operations.expire_holds(session, ledger, now=self.now, limit=9)
            case Kind.REVERSE:
                wanted = model.NewReversal(transaction_id=self._chosen([*self.recorded, *self.holds], step))
                self.recorded.append(operations.reverse(session, ledger, wanted, now=self.now).transactions[0].id)
            case Kind.PRICE:
                operations.record_prices(session, ledger, [self._price(step)], now=self.now)
            case Kind.LOCK:
                start = None if step.which == 0 else self.now - timedelta(minutes=step.which)
                change = model.LedgerChange(moves_period=True, locked_before=start)
                operations.change_ledger(session, ledger, change, expected_version=None, now=self.now)

    def _new(self, step: Step) -> model.NewTransaction:
        expires_at = None if step.which % 2 else FAR
        if step.kind is Kind.BRIEF_HOLD:
            expires_at = self.now + timedelta(minutes=step.amount)
        is_hold = step.kind is not Kind.SALE
        return model.NewTransaction(
            postings=self._lines(step.amount + 1, step.amount),
            description=None if step.which % 3 else f"of {step.which}",
            effective_at=None if step.which % 4 else self.now + timedelta(hours=step.which - 10),
            pending=is_hold,
            expires_at=expires_at if is_hold else None,
        )

    def _post(self, step: Step) -> model.HoldPost:
        return model.HoldPost(
            hold_id=self._chosen(self.holds, step),
            postings=None if step.amount % 3 == 0 else self._lines(step.amount),
            final=step.kind is Kind.POST_FINALLY,
            metadata={} if step.which % 2 else {"part": str(step.which)},
        )

    def _lines(self, *cents: int) -> Sequence[model.NewPosting]:
        """Return a debit of each amount on the first account, and a credit of all on the second."""
        amounts = [(self.paths[0], Side.DEBIT, each) for each in cents] + [(self.paths[1], Side.CREDIT, sum(cents))]
        return [
            model.NewPosting(account=path, currency=CURRENCY, side=side, amount=Decimal(each).scaleb(-2))
            for path, side, each in amounts
        ]

    @staticmethod
    def _price(step: Step) -> model.NewPrice:
        return model.NewPrice(
            currency=CURRENCY,
            quote=("USD", "CHF")[step.which % 2],
            price=Decimal(step.amount % 4).scaleb(-step.which),
            effective_at=START + timedelta(days=step.minutes % 3),
        )

    @staticmethod
    def _chosen(among: Sequence[UUID], step: Step) -> UUID:
        if not among:
            raise errors.NotFound("There is none yet.")
        return among[step.which % len(among)]
