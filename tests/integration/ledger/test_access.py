"""API keys, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from myapp.ledger import access, errors, tables
from myapp.ledger.access import Scope
from tests.integration.ledger.desk import NOW, Desk


class TestKeys:
    def test_are_found_by_their_secret_alone(self, desk: Desk) -> None:
        with desk.at_work() as session:
            key, secret = access.create_key(session, name="shop", scope=Scope.WRITE, ledger=desk.ledger, now=NOW)
            other, _ = access.create_key(session, name=None, scope=Scope.READ, ledger=None, now=NOW)

        with desk.at_work(readonly=True) as session:
            assert access.find_key(session, secret) == key
            for wrong in (secret[:-1], key.id, "", "\udcff"):
                assert access.find_key(session, wrong) is None
            assert {key.id, other.id} <= {listed.id for listed in access.list_keys(session)}
        assert (key.scope, key.ledger_id, other.ledger_id) == (Scope.WRITE, desk.ledger.id, None)

    def test_keep_no_secret(self, desk: Desk) -> None:
        with desk.at_work() as session:
            key, secret = access.create_key(session, name=None, scope=Scope.READ, ledger=None, now=NOW)
            row = session.execute(sa.select(tables.api_keys).where(tables.api_keys.c.id == key.id)).one()

        assert secret.encode() not in row.secret_hash
        assert len(row.secret_hash) == 32
        assert len(secret.removeprefix(access.SECRET_PREFIX)) == 43

    def test_open_nothing_once_revoked(self, desk: Desk) -> None:
        with desk.at_work() as session:
            key, secret = access.create_key(session, name=None, scope=Scope.ADMIN, ledger=None, now=NOW)
            revoked = access.revoke_key(session, key.id, now=NOW)
            again = access.revoke_key(session, key.id, now=NOW + timedelta(days=1))

            assert access.find_key(session, secret) is None
            assert revoked.revoked_at == again.revoked_at == NOW
            with pytest.raises(errors.NotFound):
                access.revoke_key(session, "nobody", now=NOW)


def test_each_scope_includes_those_before_it() -> None:
    assert [[scope.includes(other) for other in Scope] for scope in Scope] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
