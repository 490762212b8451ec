"""`myapp verify`, as an operator runs it."""

from __future__ import annotations

import json
import re

import pytest
import sqlalchemy as sa

from myapp.db import scope
from myapp.ledger import operations, tables, verify
from tests.integration.ledger import history
from tests.integration.ledger.desk import NOW, Desk, transfer

BOUND = {"n": "statement_timeout"}


@pytest.fixture
def till(sessions, ledger) -> Desk:
    """Return a desk at which three transactions were recorded."""
    return begin(Desk(sessions, ledger))


def begin(desk: Desk) -> Desk:
    desk.open("assets:till")
    desk.open("income:sales")
    desk.record(*(transfer(str(n)) for n in (1, 2, 3)))
    history.number(desk)
    return desk


def tamper(desk: Desk) -> None:
    with desk.at_work() as session:
        of = tables.balances
        session.execute(sa.update(of).where(of.c.ledger_id == desk.ledger.id).values(debits_posted=7, credits_posted=7))


class TestVerify:
    @pytest.mark.parametrize("how", [(), ("--full",), ("--incremental",)])
    def test_says_that_all_holds(self, myapp, till, how):
        result = myapp("verify", "--ledger", till.ledger.name, *how)

        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f"{till.ledger.name}: holds, by ")
        assert result.out.endswith(f"events 1 to {history.number(till)}\n")

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_has_an_hour_for_what_it_reads_at_once(self, myapp, till, monkeypatch):
        told: list[int] = []

        def read(reading, _ledger, **_how):
            with reading() as session:
                told.append(session.scalar(sa.text("SELECT setting::int FROM pg_settings WHERE name = :n"), BOUND))
            return []

        monkeypatch.setattr(verify, "verify_in_portions", read)
        assert myapp("verify", "--ledger", till.ledger.name).code == 0

        assert 3_500_000 < told[0] <= 3_600_000

    def test_says_what_does_not(self, myapp, till):
        tamper(till)

        result = myapp("verify", "--ledger", till.ledger.name)

        assert result.code == 1
        assert "do NOT hold" in result.out
        assert "\n  counters-are-sums\n    " in result.out
        assert "    assets:till in USD: counters and postings differ\n" in result.out

    def test_finds_it_incrementally_once_the_balance_moves(self, myapp, till):
        assert myapp("verify", "--ledger", till.ledger.name, "--incremental").code == 0
        tamper(till)
        assert myapp("verify", "--ledger", till.ledger.name, "--incremental").code == 0
        till.record(transfer("1"))
        history.number(till)

        assert myapp("verify", "--ledger", till.ledger.name, "--incremental").code == 1

    def test_goes_on_from_a_full_run(self, myapp, till):
        myapp("verify", "--ledger", till.ledger.name)

        assert "no new events" in myapp("verify", "--ledger", till.ledger.name, "--incremental").out

    @pytest.mark.parametrize("how", ["--full", "--incremental"])
    def test_prints_json_for_programs(self, myapp, till, how):
        shown = json.loads(myapp("verify", "--ledger", till.ledger.name, "--json", how).out)

        assert (shown["ledger"], shown["holds"], shown["first_seq"]) == (till.ledger.name, True, 1)
        assert {check["name"] for check in shown["checks"]} <= set(verify.CHECKS)
        assert all(check.keys() == {"name", "holds", "compared", "violations"} for check in shown["checks"])

    @pytest.mark.parametrize("how", ["--full", "--incremental"])
    def test_tells_how_far_it_is(self, myapp, till, how):
        result = myapp("verify", "--ledger", till.ledger.name, "--progress", how)

        assert all(line.startswith(till.ledger.name) for line in result.err.splitlines())
        assert result.err.count("\n") == (1 if how == "--incremental" else len(verify.CHECKS))

    def test_takes_every_ledger(self, myapp, own_sessions):
        for name in ("good", "bad"):
            with scope.session_scope(own_sessions) as session:
                desk = Desk(own_sessions, operations.create_ledger(session, name, metadata={}, now=NOW))
            begin(desk)
        tamper(desk)

        result = myapp("verify", "--all", "--full")

        assert result.code == 1
        assert re.findall(r"^(\w+): (\w+)", result.out, re.MULTILINE) == [("bad", "1"), ("good", "holds")]

    def test_cannot_start_without_a_database(self, process):
        environ = {"MYAPP_DATABASE_URL": "postgresql://127.0.0.1:1/nowhere"}

        assert process("verify", "--all", environ=environ).code == 2

    def test_refuses_a_ledger_that_is_not_there(self, myapp):
        assert myapp("verify", "--ledger", "nowhere").code == 1
