"""Send events to webhooks until it is told to stop; any number of these may work at once, here and on other machines.

    due → lease → number → read some → send one → note it → send the next … → give the lease back

Nothing of the database is held while a message is on its way.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import Session

from myapp import settings
from myapp.api.events import answers, schemas
from myapp.api.exponents import Exponents
from myapp.db import errors, factory, retry
from myapp.ledger import model, operations, queries
from myapp.ledger.webhooks import delivering
from myapp.scripts.delivering import signing
from myapp.scripts.delivering.sending import Outcome, Sender

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

LOOK_SECONDS = 1.0
DUE_MAX = 50
EVENTS_MAX = 50
# So long one webhook is served before others get their turn.
TURN_SECONDS = 10.0
# What the database may take for one of the short units of work.
DATABASE_SECONDS = 30.0
# A message may be under way for the time-out, and a name is looked up before.
LEASE_TIMEOUTS = 2
LEASE_SECONDS_MORE = 1.0
PAUSE_SECONDS_MAX = 3600.0
TROUBLE_SECONDS = 1.0

TROUBLE = (errors.DatabaseError, sa_exc.SQLAlchemyError, *errors.DRIVER_ERRORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An event as it is sent; without a body it is not for this webhook."""

    seq: int
    id: str
    body: bytes | None

    @classmethod
    def of(cls, ledger: model.Ledger, event: model.Event, shown: schemas.Event | None) -> Message:
        """Return the message about an event: the convention's three members, and what an answer of the API has."""
        if shown is None:
            return cls(seq=event.seq, id=str(event.id), body=None)
        told = {
            "type": event.type.value,
            "timestamp": event.recorded_at,
            "ledger": ledger.name,
            "seq": event.seq,
            "id": event.id,
            "data": shown.data,
        }
        return cls(seq=event.seq, id=str(event.id), body=msgspec.json.encode(told))


class Dispatcher:
    """What the workers of a process share."""

    def __init__(
        self, sessions: factory.Sessions, application: settings.Application, *, stopping: threading.Event
    ) -> None:
        self.sessions = sessions
        self.application = application
        self.stopping = stopping
        self.exponents = Exponents()
        self.sender = Sender(
            timeout_seconds=application.webhook_timeout_seconds,
            allows_private=application.webhook_private_targets,
        )
        self.lease_seconds = LEASE_TIMEOUTS * application.webhook_timeout_seconds + LEASE_SECONDS_MORE

    def work(self, *, once: bool) -> None:
        """Serve one webhook after the other until the end; with `once` until nothing is due."""
        while not self.stopping.is_set():
            try:
                is_idle = not self._serve_one()
            except TROUBLE as exc:
                if once or errors.translate(exc) is None:
                    raise
                log.warning("the database is in trouble; again in %g s: %s", TROUBLE_SECONDS, exc)
                self.stopping.wait(TROUBLE_SECONDS)
                continue
            if is_idle and once:
                return
            if is_idle:
                self.stopping.wait(LOOK_SECONDS)

    def run(self, work: Callable[[Session], ResultT]) -> ResultT:
        """Do a short unit of work, and again where others were in the way."""
        return retry.run(
            self.sessions,
            work,
            isolation=operations.NUMBERING_ISOLATION,
            timeout_seconds=DATABASE_SECONDS,
            owner="myapp deliver",
        )

    def _serve_one(self) -> bool:
        """Serve the first due webhook that nobody else takes; say whether there was one."""
        for ledger_id, id_ in self.run(lambda session: delivering.list_due(session, now=_now(), limit=DUE_MAX)):
            service = Service(self)
            if service.take(ledger_id, id_):
                service.serve()
                return True
        return False


class Service:
    """One turn of a webhook."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._run = dispatcher.run
        self._turn: delivering.Turn
        # Up to which number all events are done with.
        self._position = 0
        # On the monotonic clock.
        self._lease_ends = 0.0

    def take(self, ledger_id: UUID, id_: UUID) -> bool:
        """Take the lease of a webhook, and say whether it was free."""
        until = self._renewed()
        turn = self._run(lambda session: delivering.take(session, ledger_id, id_, now=_now(), until=until))
        if turn is None:
            return False
        self._turn, self._position = turn, turn.webhook.position
        return True

    def serve(self) -> None:
        """Send what there is, until there is no more, one is not taken, the lease is lost, or it is others' turn."""
        ends = time.monotonic() + TURN_SECONDS
        self._run(lambda session: operations.number_events(session, self._turn.ledger.id))
        while messages := self._run(self._read):
            for message in messages:
                if time.monotonic() >= ends or self._dispatcher.stopping.is_set():
                    self._end()
                    return
                if not self._handle(message):
                    return
            # However many it does not want, what it has come to is kept.
            if not self._go_on():
                return
        self._end()

    def _read(self, session: Session) -> Sequence[Message]:
        ledger = self._turn.ledger
        page = queries.list_events(session, ledger, after=self._position, limit=EVENTS_MAX)
        wanted = [event for event in page.events if delivering.is_for(self._turn.webhook, event)]
        found = answers.events(session, ledger, wanted, self._dispatcher.exponents)
        shown = {each.seq: each for each in found}
        return [Message.of(ledger, event, shown.get(event.seq)) for event in page.events]

    def _handle(self, message: Message) -> bool:
        """Send a message if the webhook wants it, and say whether to go on."""
        if message.body is None:
            self._position = message.seq
            return True
        if time.monotonic() >= self._lease_ends:
            return False
        outcome = self._send(message, message.body)
        if not outcome.is_taken:
            self._fail(outcome)
            return False
        self._position = message.seq
        return self._go_on()

    def _go_on(self) -> bool:
        """Keep how far it has come and renew the lease, and say whether it was still held."""
        position, until = self._position, self._renewed()
        return self._run(lambda session: delivering.go_on(session, self._turn, position=position, until=until))

    def _send(self, message: Message, body: bytes) -> Outcome:
        webhook, now = self._turn.webhook, _now()
        secrets = [webhook.secret]
        if webhook.previous_secret is not None and webhook.previous_until is not None and now < webhook.previous_until:
            secrets.append(webhook.previous_secret)
        outcome = self._dispatcher.sender.send(webhook.url, body, signing.headers(message.id, body, secrets, now=now))
        log.log(
            logging.DEBUG if outcome.is_taken else logging.WARNING,
            "ledger=%s webhook=%s seq=%d: %s",
            self._turn.ledger.name,
            webhook.id,
            message.seq,
            outcome,
        )
        return outcome

    def _fail(self, outcome: Outcome) -> None:
        application, webhook, now = self._dispatcher.application, self._turn.webhook, _now()
        # A turn that sent something has ended the failures before it.
        is_first = self._position != webhook.position or webhook.failing_since is None
        failures = 0 if self._position != webhook.position else webhook.failures
        failed_for = timedelta() if is_first else now - (webhook.failing_since or now)
        is_final = outcome.is_gone or failed_for >= timedelta(days=application.webhook_disable_days)
        due_at = now + timedelta(seconds=pause_seconds(failures, application.webhook_backoff_seconds))
        self._run(
            lambda session: delivering.fail(
                session,
                self._turn,
                position=self._position,
                error=str(outcome),
                due_at=due_at,
                is_final=is_final,
                now=now,
            )
        )
        if is_final:
            log.warning("ledger=%s webhook=%s is disabled", self._turn.ledger.name, webhook.id)

    def _end(self) -> None:
        self._run(lambda session: delivering.end(session, self._turn, position=self._position, now=_now()))

    def _renewed(self) -> datetime:
        """Return until when the lease lasts that is asked for now."""
        self._lease_ends = time.monotonic() + self._dispatcher.lease_seconds
        return _now() + timedelta(seconds=self._dispatcher.lease_seconds)


def pause_seconds(failures: int, first_seconds: float) -> float:
    """Return how long to wait after one more failure than these in a row; at other moments for each webhook."""
    longest = min(first_seconds * 2.0 ** min(failures, 30), PAUSE_SECONDS_MAX)
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


def _now() -> datetime:
    return datetime.now(UTC)
