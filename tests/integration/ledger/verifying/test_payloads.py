"""An event whose payload was changed, even to what is no object, is named, whole and incrementally."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from uuid import UUID

import pytest
import sqlalchemy as sa

from myapp.db import scope
from myapp.ledger import ids, sealing, tables, verify
from myapp.ledger.events import writing
from myapp.ledger.model import EventType
from tests.integration.ledger import story
from tests.integration.ledger.desk import NOW, Desk
from tests.integration.ledger.verifying.test_incremental import verify_new

pytestmark = pytest.mark.long

events = tables.events

PAYLOADS = ["[1]", '"x"', "null", "{}"]
# A whole run compares them with rows, and needs no seals to find them.
COMPARED = {
    EventType.LEDGER_CREATED, EventType.LEDGER_CHANGED, EventType.CURRENCY_DECLARED, EventType.ACCOUNT_OPENED,
    EventType.ACCOUNT_CHANGED, EventType.PRICE_RECORDED, EventType.BANK_LINE_IMPORTED, EventType.BANK_LINE_MATCHED,
    EventType.BANK_LINE_UNMATCHED,
}  # fmt: skip
# So does an incremental run with what is never changed.
COMPARED_AS_NEW = {
    EventType.PRICE_RECORDED, EventType.BANK_LINE_IMPORTED, EventType.BANK_LINE_MATCHED, EventType.BANK_LINE_UNMATCHED,
}  # fmt: skip


@pytest.fixture
def told(desk: Desk) -> Desk:
    """Return a desk with an event of every type, sealed."""
    with desk.at_work() as session:
        payload = {"name": desk.ledger.name, "metadata": {}, "version": 1}
        for kind in (EventType.WEBHOOK_PINGED, EventType.WEBHOOK_DISABLED, EventType.BANK_LINE_REJECTED):
            writing.announce(session, desk.ledger.id, kind, id=ids.new_id(NOW), payload=payload, now=NOW)
    story.tell(desk)
    with desk.at_work() as session:
        while new := sealing.make_next(session, desk.ledger, now=story.LATER_STILL, size_max=1000):
            sealing.store(session, new)
    return desk


def whole(desk: Desk) -> Sequence[str]:
    """Return what each check says, also whether what was sealed is unchanged."""
    reading = functools.partial(scope.session_scope, desk.sessions, readonly=True, isolation="REPEATABLE READ")
    checks = verify.verify_in_portions(reading, desk.ledger, progress=lambda *_: None)
    return [f"{check.name}: {each}" for check in checks for each in check.violations]


def with_payload(desk: Desk, event_id: UUID, payload: object) -> None:
    with desk.at_work() as session:
        changed = sa.update(events).where(events.c.ledger_id == desk.ledger.id, events.c.id == event_id)
        assert session.execute(changed.values(payload=payload)).rowcount == 1


@pytest.mark.parametrize("payload", PAYLOADS)
def test_names_the_event_of_every_type(told: Desk, payload: str) -> None:
    with told.at_work(readonly=True) as session:
        query = sa.select(events.c.type, events.c.id, events.c.payload).where(events.c.ledger_id == told.ledger.id)
        first = {EventType(row.type): row for row in reversed(session.execute(query.order_by(events.c.seq)).all())}
    assert set(first) == set(EventType)
    assert whole(told) == []

    for kind, event in first.items():
        with_payload(told, event.id, sa.literal_column(f"'{payload}'"))
        named = {each.partition(":")[0] for each in whole(told) if str(event.id) in each}
        run = verify_new(told)
        named_as_new = [each for check in run.checks for each in check.violations if str(event.id) in each]
        with_payload(told, event.id, event.payload)
        with told.at_work() as session:
            session.execute(sa.delete(tables.verify_checkpoints))

        is_changed = payload != "{}" or event.payload != {}
        assert ("sealed-is-unchanged" in named) is is_changed, kind
        assert bool(named - {"sealed-is-unchanged"}) is (kind in COMPARED), kind
        assert bool(named_as_new) is (kind in COMPARED_AS_NEW), kind
