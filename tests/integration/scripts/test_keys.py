from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from myapp.db.scope import session_scope
from myapp.ledger import access, operations

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def find(sessions):
    """Return a function from a secret to its key, None where it opens nothing."""

    def find(secret: str) -> access.Key | None:
        with session_scope(sessions, readonly=True) as session:
            return access.find_key(session, secret)

    return find


@pytest.fixture
def ledger_id(sessions, name):
    with session_scope(sessions) as session:
        return operations.create_ledger(session, name, metadata={}, now=NOW).id


def secret_of(out: str) -> str:
    return out.splitlines()[-1]


def id_of(out: str) -> str:
    found = re.search(r"^Key (\w+):", out, re.MULTILINE)
    assert found
    return found[1]


class TestCreate:
    def test_prints_a_key_that_works_alone_on_the_last_line(self, myapp, find, name, ledger_id):
        result = myapp("keys", "create", "--ledger", name, "--scope", "write", "--name", "till")
        assert (result.code, result.err) == (0, "")
        key = find(secret_of(result.out))
        assert key is not None
        assert (key.id, key.scope, key.ledger_id, key.name) == (
            id_of(result.out),
            access.Scope.WRITE,
            ledger_id,
            "till",
        )

    def test_makes_a_key_for_all_ledgers(self, myapp, find):
        key = find(secret_of(myapp("keys", "create", "--all", "--scope", "admin").out))
        assert key is not None
        assert (key.scope, key.ledger_id) == (access.Scope.ADMIN, None)

    def test_refuses_a_ledger_that_is_not_there(self, myapp, sessions, name):
        before = count(sessions)
        result = myapp("keys", "create", "--ledger", name, "--scope", "read")
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"myapp: There is no ledger {name!r} yet")
        assert "POST /v1/ledgers" in result.err
        assert "myapp keys create --all --scope admin" in result.err
        assert f"myapp import FILE --ledger {name}" in result.err
        assert count(sessions) == before

    @pytest.mark.parametrize(
        "arguments",
        [("--scope", "read"), ("--all", "--ledger", "x", "--scope", "read"), ("--all",), ("--all", "--scope", "god")],
    )
    def test_refuses_a_key_for_no_or_several_or_an_unknown_scope(self, myapp, arguments):
        with pytest.raises(SystemExit) as stopped:
            myapp("keys", "create", *arguments)
        assert stopped.value.code == 2


class TestList:
    def test_shows_each_key_without_its_secret(self, myapp, name, ledger_id):
        one = myapp("keys", "create", "--ledger", name, "--scope", "read", "--name", "till").out
        every = myapp("keys", "create", "--all", "--scope", "admin").out
        listed = myapp("keys", "list").out
        lines = {line.split()[0]: line for line in listed.splitlines()}
        assert re.search(rf"read +{name} +\d{{4}}-\d\d-\d\d  valid  till$", lines[id_of(one)])
        assert re.search(r"admin +all ledgers +\d{4}-\d\d-\d\d  valid$", lines[id_of(every)])
        assert secret_of(one) not in listed


class TestRevoke:
    def test_makes_a_key_useless(self, myapp, find):
        made = myapp("keys", "create", "--all", "--scope", "read").out
        result = myapp("keys", "revoke", id_of(made))
        assert (result.code, result.out) == (0, f"Key {id_of(made)} is revoked.\n")
        assert find(secret_of(made)) is None
        assert f"{id_of(made)}  read" in myapp("keys", "list").out
        assert "revoked 20" in next(line for line in myapp("keys", "list").out.splitlines() if id_of(made) in line)

    def test_refuses_a_key_that_is_not_there(self, myapp):
        result = myapp("keys", "revoke", "nosuchkey")
        assert (result.code, result.out) == (1, "")
        assert "nosuchkey" in result.err


def count(sessions) -> int:
    with session_scope(sessions, readonly=True) as session:
        return len(access.list_keys(session))
