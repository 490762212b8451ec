"""At SERIALIZABLE the ledger means the same; what collides fails as a conflict, to be repeated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from myapp import settings
from myapp.db import engine as engines
from myapp.db import errors as db_errors
from myapp.db import factory
from myapp.ledger import errors
from myapp.ledger.recording import Form
from tests.integration.ledger.desk import Desk, at_once, key, transfer

pytestmark = [
    pytest.mark.parametrize("dialect", ["postgresql"], indirect=True, scope="session"),
    pytest.mark.parametrize("form", list(Form), scope="session"),
]

ACTORS = 4
EACH = 5
ATTEMPTS = 200


@pytest.fixture
def strict(shop: Desk, database_url: str) -> Iterator[Desk]:
    """Return a desk whose units of work are all SERIALIZABLE."""
    engine = engines.build(settings.Database(url=database_url, isolation="SERIALIZABLE"))
    yield Desk(factory.build(engine), shop.ledger, shop.form)
    engine.dispose()


@pytest.mark.commits
def test_colliding_requests_take_effect_once_each(strict: Desk) -> None:
    strict.record(transfer("5"))

    def spend() -> None:
        for n in range(EACH):
            repeat(strict, n)

    ends = at_once(*[spend] * ACTORS)

    assert ends == ["done"] * ACTORS
    assert strict.balance("assets:till") == 500 - EACH * 100
    assert strict.violations() == []


def repeat(desk: Desk, n: int) -> None:
    """Spend one under a key that all actors share, as often as it takes."""
    for _ in range(ATTEMPTS):
        try:
            desk.record(transfer("1", into="income:sales", out_of="assets:till"), claim=key(f"spend-{n}"))
        except sa.exc.OperationalError as exc:
            if not isinstance(db_errors.translate(exc), db_errors.Conflict):
                raise
        else:
            return
    raise AssertionError("It never got through.")


def test_refusals_are_the_same(strict: Desk) -> None:
    with pytest.raises(errors.InsufficientFunds):
        strict.record(transfer("1", into="income:sales", out_of="assets:till"))
    strict.record(transfer("1", reference="r"), claim=key("k"))
    assert strict.record(transfer("1", reference="r"), claim=key("k")).replayed
    with pytest.raises(errors.DuplicateReference):
        strict.record(transfer("1", reference="r"))
