"""What was recorded before prices and bank lines were compared with their events is compared all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import alembic.command
import pytest
import sqlalchemy as sa

from myapp import settings
from myapp.db import engine as engines
from myapp.db import factory, scope
from myapp.ledger import ids, operations, tables
from tests import databases
from tests.integration.ledger import history, story
from tests.integration.ledger.desk import NOW, Desk

events, prices = tables.events, tables.prices
IMPORTED = "bank_line.imported"


@pytest.fixture
def url(dialect: str, fresh_database_url: Callable[[str], str]) -> str:
    return fresh_database_url(dialect)


@pytest.fixture
def desk(url: str) -> Iterator[Desk]:
    """Return a desk whose story has no number yet."""
    engine = engines.build(settings.Database(url=url))
    sessions = factory.build(engine)
    with scope.session_scope(sessions) as session:
        ledger = operations.create_ledger(session, "old", metadata={}, now=NOW)
    desk = Desk(sessions, ledger)
    story.tell(desk)
    with desk.at_work() as session:
        session.execute(sa.update(events).values(seq=None))
    yield desk
    engine.dispose()


def forget(desk: Desk) -> None:
    """Leave rows and events as the release before wrote them."""
    with desk.at_work() as session:
        held = session.scalars(sa.select(prices.c.id).order_by(prices.c.id)).all()
        for price_id, other_id in zip(held, ids.new_ids(NOW, len(held)), strict=True):
            session.execute(sa.update(prices).where(prices.c.id == price_id).values(id=other_id))
        session.execute(sa.delete(events).where(events.c.type == IMPORTED))
    assert set(desk.violations()) == {"prices-agree", "bank-lines-agree"}


def listed(desk: Desk) -> list[str]:
    with desk.at_work(readonly=True) as session:
        return list(session.scalars(sa.select(prices.c.price).order_by(prices.c.id)))


def test_rows_that_are_older_agree_with_their_events(desk: Desk, url: str) -> None:
    forget(desk)
    config = databases.alembic_config(url)
    alembic.command.downgrade(config, "0011")

    alembic.command.upgrade(config, "head")

    history.number(desk)
    assert desk.violations() == []
    assert listed(desk) == ["1.10", "1.20", "1.30"]


def test_what_was_told_is_not_taken_back(desk: Desk, url: str) -> None:
    with pytest.raises(RuntimeError, match=IMPORTED):
        alembic.command.downgrade(databases.alembic_config(url), "0011")
