"""The servers that other tests lean on do what their names say."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import psycopg
import pytest

from tests import hledger, pgbouncer
from tests.own_postgresql import OwnPostgresql
from tests.postgresql_pair import PostgresqlPair


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, connect_timeout=10)


class TestOwnPostgresql:
    @pytest.mark.parametrize("immediate", [False, True])
    def test_refuses_while_stopped_and_keeps_its_port_and_its_data(self, own_postgresql: OwnPostgresql, immediate):
        url = own_postgresql.url
        own_postgresql.value("CREATE TABLE kept AS SELECT 7 AS number")

        own_postgresql.stop(immediate=immediate)
        with pytest.raises(psycopg.OperationalError, match="refused"):
            connect(url)

        own_postgresql.start()
        assert own_postgresql.url == url
        assert own_postgresql.value("SELECT number FROM kept") == 7
        own_postgresql.value("DROP TABLE kept")

    def test_is_silent_while_frozen_and_goes_on_when_thawed(self, own_postgresql: OwnPostgresql):
        with connect(own_postgresql.url) as connection, ThreadPoolExecutor(2) as threads:
            own_postgresql.freeze()
            waiting = threads.submit(connection.execute, "SELECT 1")
            newcomer = threads.submit(connect, own_postgresql.url)
            assert wait([waiting, newcomer], timeout=0.3).done == set()

            own_postgresql.thaw()
            assert waiting.result().fetchone() == (1,)
            newcomer.result().close()


class TestPostgresqlPair:
    def test_shows_on_the_standby_what_was_replayed_and_nothing_newer(self, postgresql_pair: PostgresqlPair):
        primary, standby = postgresql_pair.primary, postgresql_pair.standby
        primary.value("CREATE TABLE seen AS SELECT 1 AS number")
        postgresql_pair.wait_until_replayed()
        assert standby.value("SELECT number FROM seen") == 1

        with postgresql_pair.replay_paused():
            primary.value("UPDATE seen SET number = 2")
            assert standby.value("SELECT number FROM seen") == 1

        assert standby.value("SELECT number FROM seen") == 2
        primary.value("DROP TABLE seen")

    def test_the_standby_refuses_writes_until_it_is_promoted(self, postgresql_pair: PostgresqlPair):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            postgresql_pair.standby.value("CREATE TABLE taken (number int)")

        postgresql_pair.stop_primary(immediate=True)
        postgresql_pair.promote()
        postgresql_pair.standby.value("CREATE TABLE taken (number int)")

        postgresql_pair.restore()
        assert postgresql_pair.standby.value("SELECT to_regclass('taken')") is None
        assert postgresql_pair.standby.value("SELECT pg_is_in_recovery()") is True


class TestHledger:
    def test_is_said_to_be_missing_where_it_is(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(hledger, "PROGRAM", None)
        pytester.makeini("[pytest]\nmarkers = oracle")
        pytester.makepyfile("""
            import pytest

            @pytest.mark.oracle
            def test_against_it(): assert False

            def test_without_it(): pass
        """)

        run = pytester.runpytest_inprocess("-p", "tests.rigs", "-p", "no:randomly")

        run.assert_outcomes(passed=1, deselected=1)
        run.stdout.fnmatch_lines(["left out: 1 tests that need hledger (Debian package hledger)"])


class TestPgbouncer:
    @pytest.mark.needs_pgbouncer
    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_gives_a_connection_to_a_client_for_a_transaction_only(
        self, database_url: str, through_pgbouncer: Callable[[str], str]
    ):
        url = through_pgbouncer(database_url)
        clients = [connect(url) for _ in range(12)]
        backends = {client.execute("SELECT pg_backend_pid()").fetchone() for client in clients * 3}
        for client in clients:
            client.close()

        assert len(backends) <= pgbouncer.POOL_SIZE

    def test_is_said_to_be_missing_where_it_is(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(pgbouncer, "PROGRAM", None)
        pytester.makeini("[pytest]\nmarkers = needs_pgbouncer")
        pytester.makepyfile("""
            import pytest

            @pytest.mark.needs_pgbouncer
            def test_through_it(): assert False

            def test_without_it(): pass
        """)

        run = pytester.runpytest_inprocess("-p", "tests.rigs", "-p", "no:randomly")

        run.assert_outcomes(passed=1, deselected=1)
        run.stdout.fnmatch_lines(["left out: 1 tests that need PgBouncer (Debian package pgbouncer)"])
