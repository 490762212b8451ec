"""`myapp seal`, as an operator runs it."""

from __future__ import annotations

import re
import threading

import pytest

from myapp.db.scope import session_scope
from myapp.ledger import queries
from tests.integration.ledger import history
from tests.integration.ledger.desk import Desk, transfer

LINE = re.compile(r"(\S+) ([0-9a-f-]{36}) (\d+) (\d+)-(\d+) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ([0-9a-f]{64})")


@pytest.fixture
def till(sessions, ledger) -> Desk:
    """Return a desk at which three transactions were recorded."""
    desk = Desk(sessions, ledger)
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

    def test_seals_every_ledger(self, myapp, till):
        result = myapp("seal", "--all")

        assert result.code == 0
        assert [line.split()[-1] for line in result.out.splitlines() if line.startswith(till.ledger.name)] == [
            sealed(till)[0][1]
        ]

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
