"""The totals of months, and how many lines there are, follow from what was there before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import alembic.command
import sqlalchemy as sa

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.ledger import operations, tables
from tests import databases
from tests.integration.ledger import story
from tests.integration.ledger.desk import NOW, Desk


def totals(desk: Desk) -> Sequence[sa.Row[object]]:
    with desk.at_work(readonly=True) as session:
        return session.execute(sa.select(tables.period_totals).order_by(*tables.period_totals.primary_key)).all()


def test_are_filled_as_recording_leaves_them(dialect: str, fresh_database_url: Callable[[str], str]) -> None:
    url = fresh_database_url(dialect)
    engine = engines.build(settings.Database(url=url))
    sessions = factory.build(engine)
    with scope.session_scope(sessions) as session:
        desk = Desk(sessions, operations.create_ledger(session, "old", metadata={}, now=NOW))
    story.tell(desk)
    recorded = totals(desk)
    config = databases.alembic_config(url)

    alembic.command.downgrade(config, "0012")
    alembic.command.upgrade(config, "head")

    assert recorded
    assert totals(desk) == recorded
    engine.dispose()
