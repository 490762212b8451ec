from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from myapp.db.scope import session_scope
from myapp.ledger import errors, idempotency

DAYS = 7
EVER = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def keys() -> tuple[str, str]:
    """Return the names of a key that has expired and of one that has not."""
    return f"old-{secrets.token_hex(8)}", f"young-{secrets.token_hex(8)}"


@pytest.fixture
def take(sessions, ledger):
    """Return a function that takes a key at a time, for another request than any before."""

    def take(name: str, *, now: datetime) -> None:
        claim = idempotency.Claim(key=name, request_hash=secrets.token_bytes(32), expired_before=EVER)
        with session_scope(sessions) as session:
            idempotency.take(session, ledger.id, claim, now=now)

    return take


class TestPrune:
    def test_deletes_what_has_expired_and_nothing_else(self, myapp, take, keys):
        old, young = keys
        now = datetime.now(UTC)
        take(old, now=now - timedelta(days=DAYS, minutes=1))
        take(young, now=now - timedelta(days=DAYS) + timedelta(minutes=1))

        result = myapp("prune")

        assert (result.code, result.err) == (0, "")
        assert re.fullmatch(r"[1-9]\d* idempotency keys? deleted, each older than 7 days\.\n", result.out)
        take(old, now=now)
        with pytest.raises(errors.IdempotencyMismatch):
            take(young, now=now)

    def test_finds_nothing_the_second_time(self, myapp):
        myapp("prune")
        assert myapp("prune").out == "0 idempotency keys deleted, each older than 7 days.\n"
