"""`myapp seal`, as an operator runs it."""

from __future__ import annotations

import re
import threading

import pytest
import sqlalchemy as sa

from myapp.db.scope import session_scope
from myapp.ledger import operations, queries, tables
from tests.integration.ledger import history
from tests.integration.ledger.desk import NOW, Desk, transfer

LINE = re.compile(r"(\S+) ([0-9a-f-]{36}) (\d+) (\d+)-(\d+) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ([0-9a-f]{64})")


@pytest.fixture
def till(sessions, ledger) -> Desk:
    """Return a desk at which three transactions were recorded."""
    return begun(Desk(sessions, ledger))


@pytest.fixture
def few_ledgers(own_sessions) -> list[Desk]:
    """Return desks at all the ledgers, by name, of a database of their own."""
    desks = []
    for name in ("a", "b", "c"):
        with session_scope(own_sessions) as session:
            desks.append(Desk(own_sessions, operations.create_ledger(session, name, metadata={}, now=NOW)))
        begun(desks[-1])
    return desks


def begun(desk: Desk) -> Desk:
    """Record three transactions."""
    desk.open("assets:till")
    desk.open("income:sales")
    desk.record(*(transfer(str(n)) for n in (1, 2, 3)))
    history.number(desk)
    return desk


def sealed(desk: Desk) -> list[tuple[int, str]]:
    with session_scope(desk.sessions, readonly=True) as session:
        seals = queries.list_seals(session, desk.ledger, after=None, limit=99)
    return [(seal.epoch, seal.hash.hex()) for seal in seals]


class TestSeal:
    def test_prints_what_to_publish(self, myapp, till):
        result = myapp("seal", "--ledger", till.ledger.name)

        found = LINE.fullmatch(result.out.rstrip("\n"))
        assert (result.code, result.err) == (0, "")
        assert found
        assert found[1] == till.ledger.name
        assert found[2] == str(till.ledger.id)
        assert [(int(found[3]), found[6])] == sealed(till)

    def test_says_nothing_the_second_time(self, myapp, till):
        myapp("seal", "--ledger", till.ledger.name)
        result = myapp("seal", "--ledger", till.ledger.name)

        assert (result.code, result.out, result.err) == (0, "", "")

    def test_seals_every_ledger(self, myapp, few_ledgers):
        result = myapp("seal", "--all")

        told = [line.split() for line in result.out.splitlines()]
        assert (result.code, [(line[0], line[-1]) for line in told]) == (
            0,
            [(desk.ledger.name, hash_) for desk in few_ledgers for _, hash_ in sealed(desk)],
        )
        assert len(told) == len(few_ledgers)

    def test_seals_the_others_where_one_has_a_gap(self, myapp, few_ledgers):
        broken, *others = few_ledgers
        with broken.at_work() as session:
            is_first = (tables.events.c.ledger_id == broken.ledger.id, tables.events.c.seq == 1)
            session.execute(sa.update(tables.events).where(*is_first).values(seq=100))

        result = myapp("seal", "--all")

        assert result.code == 1
        assert f"Not all events of {broken.ledger.name} from 1 to 100 are there" in result.err
        assert [line.split()[0] for line in result.out.splitlines()] == [desk.ledger.name for desk in others]

    def test_refuses_a_ledger_that_is_not_there(self, myapp):
        result = myapp("seal", "--ledger", "nowhere")

        assert (result.code, result.out) == (1, "")
        assert "nowhere" in result.err

    @pytest.mark.parametrize("arguments", [(), ("--all", "--ledger", "x")])
    def test_wants_to_know_which(self, myapp, arguments):
        with pytest.raises(SystemExit) as ended:
            myapp("seal", *arguments)
        assert ended.value.code == 2

    def test_may_be_run_by_several_at_once(self, process, till, database_url):
        ends = []

        def run():
            environ = {"MYAPP_DATABASE_URL": database_url}
            ends.append(process("seal", "--ledger", till.ledger.name, environ=environ))

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [(end.code, end.err) for end in ends] == [(0, "")] * 2
        assert "".join(end.out for end in ends).count("\n") == len(sealed(till)) == 1
