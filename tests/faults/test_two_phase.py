"""A process or a server that ends in the middle of a two-phase commit: `myapp database recover` makes it whole.

The process is a real one, and SIGKILL gives it no chance to tidy up; the servers are real ones, which crash or freeze.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from myapp.db import engine
from myapp.db.two_databases import decisions, prepared, recovery
from myapp.settings import Database, SettingsError
from tests.own_postgresql import OwnPostgresql, wait_until
from tests.postgresql_pair import PostgresqlPair
from tests.two_databases import MakeClient, Pair, at_moment

WAIT_SECONDS = 60
WRITE = "INSERT INTO lines VALUES ('second')"
AFTER, BEFORE = "after the decision", "before the decision"


BOTH = (["first"], ["second"])
NEITHER: tuple[list[str], list[str]] = ([], [])
# What a server is granted, what a connection is, and a slow machine.
FAR_LATER = 20.0

in_time_or_not = pytest.mark.parametrize("is_in_time", [True, False], ids=["back at once", "back later"])


def crashing(server: OwnPostgresql, is_in_time: bool) -> Callable[[], None]:
    """Return what crashes a server, and starts it again at once, or leaves that to the test."""

    def crash() -> None:
        server.stop(immediate=True)
        if is_in_time:
            server.start()

    return crash


def die(pair: Pair, moment: str) -> None:
    """Write in both databases in a process that is killed on the way."""
    command = [sys.executable, "-m", "tests.two_databases", pair.first, pair.second, moment]
    assert subprocess.run(command, timeout=WAIT_SECONDS, check=False).returncode == -signal.SIGKILL
    # The server needs a moment to notice.
    wait_until(lambda: pair.rows(pair.first, OTHERS) == [0], "the killed process's transaction is over")


DECISIONS = "SELECT name FROM second_database_decisions"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def recover(
    pair: Pair, tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return a function that runs the command and returns its exit code and what it says."""
    from myapp.scripts import main

    ini = tmp_path / "two.ini"

    def run(*options: str, search_path: str = "public") -> tuple[int, str]:
        first = f"{pair.first}?options=-csearch_path%3D{search_path}"
        ini.write_text(
            f"[app:main]\nsqlalchemy.url = {first}\nsqlalchemy.second_url = {pair.second}\n".replace("%", "%%")
        )
        capsys.readouterr()
        code = main.main(["database", "recover", "--ini", str(ini), *options])
        return code, capsys.readouterr().out

    return run


class TestKilledProcess:
    @pytest.mark.parametrize(
        ("moment", "left", "outcome", "lines"),
        [
            (BEFORE, ([], []), "rolled back", ([], [])),
            (AFTER, (["first"], []), "committed", (["first"], ["second"])),
        ],
    )
    def test_is_made_whole_by_the_command(
        self, pair: Pair, recover: Callable[..., tuple[int, str]], moment: str, left, outcome: str, lines
    ):
        die(pair, moment)
        assert pair.lines == left
        (name,) = pair.prepared
        decided = pair.rows(pair.first, DECISIONS)

        code, said = recover("--dry-run")
        assert (code, pair.prepared, pair.rows(pair.first, DECISIONS)) == (0, [name], decided)
        assert said.splitlines()[0].startswith(name)
        assert said.splitlines()[0].endswith(outcome)
        assert said.splitlines()[1] == "1 prepared, 1 would be finished, 0 left; 0 decisions deleted."

        code, said = recover()
        assert (code, pair.prepared, pair.lines) == (0, [], lines)
        assert said.splitlines()[1] == "1 prepared, 1 finished, 0 left; 1 decisions deleted."

        assert recover() == (0, "0 prepared, 0 finished, 0 left; 0 decisions deleted.\n")

    def test_leaves_what_is_prepared_in_the_way_of_others_until_then(
        self, pair: Pair, recover: Callable[..., tuple[int, str]]
    ):
        die(pair, BEFORE)
        with psycopg.connect(pair.second, autocommit=True) as connection:
            connection.execute("SET lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute(WRITE)

            recover()
            connection.execute(WRITE)


class TestTwoServers:
    """Each database on a server of its own, one of which crashes or falls silent between the two phases."""

    @pytest.fixture
    def pair(self, pair_apart: Pair) -> Pair:
        return pair_apart

    @pytest.mark.parametrize("moment", [BEFORE, AFTER])
    @in_time_or_not
    def test_a_second_that_crashes_after_it_promised_changes_nothing_of_the_answer(
        self,
        pair: Pair,
        make_client: MakeClient,
        recover: Callable[..., tuple[int, str]],
        other_postgresql: OwnPostgresql,
        caplog: pytest.LogCaptureFixture,
        moment: str,
        is_in_time: bool,
    ):
        client = make_client(at_moment(moment, lambda: client.app.registry, crashing(other_postgresql, is_in_time)))

        assert client.post("/lines", status=200).text == "1"
        if is_in_time:
            assert (pair.lines, pair.prepared) == (BOTH, [])
            return
        other_postgresql.start()
        (name,) = pair.prepared
        assert pair.lines == (["first"], [])
        assert f"only until `myapp database recover` has run ({name})" in caplog.text

        code, said = recover()
        assert (code, pair.lines, pair.prepared) == (0, BOTH, [])
        assert said.splitlines()[1] == "1 prepared, 1 finished, 0 left; 1 decisions deleted."

    @in_time_or_not
    def test_nothing_stays_of_a_request_whose_first_crashes_before_it_decides(
        self,
        pair: Pair,
        make_client: MakeClient,
        recover: Callable[..., tuple[int, str]],
        own_postgresql: OwnPostgresql,
        caplog: pytest.LogCaptureFixture,
        is_in_time: bool,
    ):
        client = make_client(at_moment(BEFORE, lambda: client.app.registry, crashing(own_postgresql, is_in_time)))

        assert client.post("/lines", status=503).text == "outcome-unknown"
        if not is_in_time:
            (name,) = pair.prepared
            assert (
                f"locks are held in the second database until `myapp database recover` has run ({name})" in caplog.text
            )
            own_postgresql.start()
            assert recover()[0] == 0

        assert (pair.lines, pair.prepared) == (NEITHER, [])

    def test_a_second_that_falls_silent_after_it_promised_holds_the_answer_up_for_a_moment(
        self,
        pair: Pair,
        make_client: MakeClient,
        recover: Callable[..., tuple[int, str]],
        other_postgresql: OwnPostgresql,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ):
        monkeypatch.setattr(prepared, "FINISH_SECONDS", 0.5)
        client = make_client(
            at_moment(AFTER, lambda: client.app.registry, other_postgresql.freeze),
            **{"db.deadline_seconds": str(10 * FAR_LATER), "db.pool_timeout_seconds": "2"},
        )
        rescue = threading.Timer(2 * FAR_LATER, other_postgresql.thaw)
        rescue.start()
        began = time.monotonic()
        try:
            client.post("/lines", status=200)
            assert time.monotonic() - began < FAR_LATER
        finally:
            rescue.cancel()
            other_postgresql.thaw()

        assert "`myapp database recover`" in caplog.text
        recover()
        # What was asked of the frozen server it may do yet.
        wait_until(lambda: (pair.lines, pair.prepared) == (BOTH, []), "both are committed")


@pytest.fixture
def engines(pair: Pair) -> Iterator[tuple[sa.Engine, sa.Engine]]:
    made = [engine.build(Database(url=url)) for url in (pair.first, pair.second)]
    recovery.make_table(made[0])
    yield made[0], made[1]
    for each in made:
        each.dispose()


def prepare(pair: Pair, name: str, statement: str = WRITE) -> None:
    with psycopg.connect(pair.second, autocommit=True) as connection:
        connection.execute("BEGIN")
        connection.execute(statement)
        connection.execute(sql.SQL("PREPARE TRANSACTION {}").format(sql.Literal(name)))


def identity(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        return decisions.identity(connection)


def ours(first: sa.Connection) -> str:
    return f"myapp:{decisions.decider(first)}:1:2:"


class TestRecovery:
    def test_leaves_alone_what_is_still_being_decided(
        self, pair: Pair, engines, recover: Callable[..., tuple[int, str]]
    ):
        with engines[0].connect() as deciding:
            name = decisions.announce(deciding, identity(engines[1]))
            prepare(pair, name)

            code, said = recover()
            assert (code, pair.prepared) == (1, [name])
            assert "still under way" in said
            deciding.commit()

        assert recover()[0] == 0
        assert pair.lines == ([], ["second"])

    def test_leaves_alone_what_another_first_database_decides(
        self, pair: Pair, engines, recover: Callable[..., tuple[int, str]]
    ):
        for name in ("myapp:1:2:other", "somebody's own"):
            prepare(pair, name, "SELECT 1")

        code, said = recover()

        assert code == 0
        assert len(pair.prepared) == 2
        assert "myapp:1:2:other" in said
        assert "another first database decides" in said
        assert "somebody" not in said

    def test_goes_on_when_the_second_database_refuses_one(self, pair: Pair, engines, caplog: pytest.LogCaptureFixture):
        first, _second = engines
        with first.connect() as connection:
            names = [ours(connection) + each for each in ("another role's", "our own")]
        with psycopg.connect(pair.second, autocommit=True) as connection:
            connection.execute("CREATE ROLE nobody_special LOGIN")
            connection.execute("GRANT INSERT ON lines TO nobody_special")
        prepare(pair, names[0], "SELECT 1")
        owned = Pair(pair.first, pair.second.replace("postgres@", "nobody_special@"))
        prepare(owned, names[1])
        limited = engine.build(Database(url=owned.second))

        outcomes = [each.outcome for each in recovery.recover(first, limited)]
        limited.dispose()
        with psycopg.connect(pair.second, autocommit=True) as connection:
            connection.execute("DROP OWNED BY nobody_special; DROP ROLE nobody_special")

        assert outcomes == [recovery.Outcome.FAILED, recovery.Outcome.ROLLED_BACK]
        assert pair.prepared == [names[0]]
        assert "permission denied to finish prepared transaction" in caplog.text

    @pytest.mark.parametrize("has_a_table", [True, False], ids=["with a table of its own", "without"])
    def test_decides_nothing_for_a_role_that_means_another_table(
        self, pair: Pair, recover: Callable[..., tuple[int, str]], has_a_table: bool
    ):
        die(pair, AFTER)
        with psycopg.connect(pair.first, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA elsewhere")
            if has_a_table:
                connection.execute(f"SET search_path = elsewhere; {decisions.TABLE}")
        (name,) = pair.prepared

        assert recover(search_path="elsewhere")[0] == (0 if has_a_table else 2)
        assert pair.prepared == [name]
        assert recover()[0] == 0
        assert pair.lines == (["first"], ["second"])
        with psycopg.connect(pair.first, autocommit=True) as connection:
            connection.execute("DROP SCHEMA elsewhere CASCADE")

    def test_forgets_nothing_where_it_was_led_to_a_standby(self, postgresql_pair: PostgresqlPair):
        servers = [Database(url=url) for url in (postgresql_pair.primary_url, postgresql_pair.standby_url)]
        primary, standby = (engine.build(server) for server in servers)
        recovery.make_table(primary)
        with primary.begin() as connection:
            decisions.announce(connection, decisions.identity(connection))
        postgresql_pair.wait_until_replayed()

        for clear_up in (recovery.require, recovery.forget, lambda *both: list(recovery.recover(*both))):
            with pytest.raises(SettingsError, match="leads to a standby"):
                clear_up(primary, standby)
        with primary.begin() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM second_database_decisions")) == 1
            connection.execute(sa.text("DROP TABLE second_database_decisions"))
        primary.dispose()
        standby.dispose()

    def test_has_decided_for_good_when_it_rolls_back(self, pair: Pair, engines):
        first, second = engines
        with first.connect() as connection:
            name = ours(connection) + "never announced"
        prepare(pair, name)

        assert recovery.settle(first, second, name) is decisions.Decision.ROLLBACK
        assert decisions.decide(first, name) is decisions.Decision.ROLLBACK
        assert pair.lines == ([], [])

    def test_sees_what_is_decided_while_it_waits(self, pair: Pair, engines, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(decisions, "UNDECIDED_MILLISECONDS", WAIT_SECONDS * 1000)
        monkeypatch.setattr(decisions, "QUESTION_SECONDS", WAIT_SECONDS)
        first, second = engines
        with ThreadPoolExecutor(1) as threads, first.connect() as deciding:
            name = decisions.announce(deciding, identity(second))
            asking = threads.submit(decisions.decide, first, name)
            wait_until(lambda: pair.rows(pair.first, WAITING) == [1], "it waits for the decision")
            deciding.commit()

            assert asking.result(WAIT_SECONDS) is decisions.Decision.COMMIT

    def test_two_at_once_agree(self, pair: Pair, engines):
        first, second = engines
        with first.begin() as connection:
            names = [decisions.announce(connection, identity(second)) for _ in range(5)]
        names += [f"{name}x" for name in names]
        for number, name in enumerate(names):
            prepare(pair, name, f"INSERT INTO lines VALUES ('{number}')")

        with ThreadPoolExecutor(4) as threads:
            runs = [threads.submit(lambda: list(recovery.recover(first, second))) for _ in range(4)]
            found = [each for run in runs for each in run.result(WAIT_SECONDS)]

        assert pair.lines == ([], ["0", "1", "2", "3", "4"])
        assert {each.outcome for each in found if each.transaction.name.endswith("x")} == {"rolled back"}
        assert {each.outcome for each in found if not each.transaction.name.endswith("x")} == {"committed"}

    def test_keeps_the_decisions_that_something_waits_for(self, pair: Pair, engines):
        first, second = engines
        with first.begin() as connection:
            waited_for, settled = (decisions.announce(connection, identity(second)) for _ in range(2))
        prepare(pair, waited_for)

        assert recovery.forget(first, second) == 1
        assert pair.rows(pair.first, DECISIONS) == [waited_for]
        assert settled != waited_for

    def test_keeps_a_decision_that_was_made_while_it_looked(self, pair: Pair, engines):
        first, second = engines
        made: list[str] = []

        def decide(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            if statement.startswith("SELECT gid") and not made:
                # Prepared after the look at what is prepared, and decided before the look at the decisions.
                with first.begin() as other:
                    made.append(decisions.announce(other, identity(second)))
                    prepare(pair, made[0])

        sa.event.listen(second, "after_cursor_execute", decide)

        assert recovery.forget(first, second) == 0
        assert pair.rows(pair.first, DECISIONS) == made
        assert recovery.settle(first, second, made[0]) is decisions.Decision.COMMIT
        assert pair.lines == ([], ["second"])

    def test_leaves_the_clearing_up_to_whoever_is_at_it(self, pair: Pair, engines):
        first, second = engines
        with first.begin() as connection:
            settled = decisions.announce(connection, identity(second))
        with first.connect() as other:
            other.exec_driver_sql(f"SELECT pg_advisory_xact_lock({recovery.TABLE_LOCK})")
            assert recovery.forget(first, second) == 0

        assert pair.rows(pair.first, DECISIONS) == [settled]
        assert recovery.forget(first, second) == 1

    def test_keeps_the_decisions_about_another_second_database(self, pair: Pair, engines):
        first, second = engines
        with first.begin() as connection:
            elsewhere = decisions.announce(connection, "1:2")

        assert recovery.forget(first, second) == 0
        assert pair.rows(pair.first, DECISIONS) == [elsewhere]

    def test_says_what_is_missing(self, pair: Pair, tmp_path, capsys: pytest.CaptureFixture[str]):
        from myapp.scripts import main

        ini = tmp_path / "one.ini"
        ini.write_text(f"[app:main]\nsqlalchemy.url = {pair.first}\n")

        assert main.main(["database", "recover", "--ini", str(ini)]) == 2
        assert "sqlalchemy.second_url is not set" in capsys.readouterr().err
