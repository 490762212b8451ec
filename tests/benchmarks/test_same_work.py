"""All sides are asked for the same, and those given the application's statement are given all of it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from myapp.ledger.recording import statement as ours
from tests.benchmarks import cluster, ledgers, payloads, pgbench, sides
from tests.benchmarks.benches import read, record
from tests.benchmarks.peers import books, statement, validation

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LINES = statement.lines(
    [
        validation.Posting("assets:a", "USD", Decimal("12.50"), None),
        validation.Posting("b", "USD", None, Decimal("12.5")),
    ]
)
GIVEN = statement.Statement(ours.RECORD, ours.NAMES)
# psycopg parses a text anew each time that is longer.
REMEMBERED_MAX = 4096


def _accounts(body: str | None) -> tuple[str, str]:
    """Return who is debited and who credited."""
    _description, postings = validation.transaction(json.loads(body or ""))
    debited, credited = (posting.account for posting in postings)
    return debited, credited


class TestPayloads:
    def test_balance_and_never_name_an_account_twice(self):
        paths = set(books.paths())
        for call in payloads.transfers():
            assert call.body is not None
            _description, postings = validation.transaction(json.loads(call.body))
            assert len({posting.account for posting in postings}) == 2
            assert {posting.account for posting in postings} <= paths

    @pytest.mark.parametrize("hot", [True, False])
    def test_of_a_batch_are_so_many(self, hot: bool):
        calls = payloads.batches(100, hot=hot)

        assert len(calls) == payloads.COUNT / 100
        for call in calls:
            assert call.body is not None
            transactions = json.loads(call.body)["transactions"]
            assert len(transactions) == call.transactions == 100
            assert all(validation.transaction(each) for each in transactions)

    def test_have_the_one_account_in_each_where_it_is_hot(self):
        sides = [_accounts(call.body) for call in payloads.transfers(hot=True)]
        hot = books.path(payloads.HOT)

        assert all(hot in accounts for accounts in sides)
        # The other is any, and the one is on both sides alike.
        assert len({account for accounts in sides for account in accounts}) > 0.9 * books.account_count()
        assert 0.45 < sum(debited == hot for debited, _ in sides) / len(sides) < 0.55

    def test_are_the_same_each_time(self):
        assert payloads.transfers() == payloads.transfers()
        assert payloads.balances() == payloads.balances()


class TestStatement:
    def test_is_given_all_that_the_application_gives_it(self):
        given = statement.parameters(UUID(int=1), LINES, "Sale", NOW)

        assert set(given) == set(ours.NAMES)

    def test_reaches_the_peers_as_the_application_sends_it(self, monkeypatch: pytest.MonkeyPatch):
        environment = ledgers.peers_environment("postgresql://nowhere")
        monkeypatch.setenv(statement.VARIABLE, environment[statement.VARIABLE])

        assert statement.given() == GIVEN
        assert len(statement.given().text) <= REMEMBERED_MAX

    def test_has_a_value_for_each_parameter(self):
        values = statement.parameters(UUID(int=1), LINES, "Sale", NOW)

        assert set(statement.PARAMETER.findall(GIVEN.text)) == set(GIVEN.named(values))
        assert statement.PARAMETER.search(GIVEN.numbered_text) is None
        places = {int(place) for place in re.findall(r"\$(\d+)", GIVEN.numbered_text)}
        assert places == set(range(1, len(GIVEN.numbered(values)) + 1))

    def test_takes_amounts_in_the_smallest_unit_and_tells_them_as_written(self):
        given = statement.parameters(UUID(int=1), LINES, "Sale", NOW, integers=statement.as_text)
        found = [{"debits_posted": 1250, "credits_posted": 0}, {"debits_posted": 0, "credits_posted": 1251}]
        told = statement.told(given, LINES, statement.judged([True, 2, 1, ["asset", "asset"], [2, 1], found]))

        assert given["amounts"] == "{1250,-1250}"
        assert [posting["balance"] for posting in told["postings"]] == ["-12.51", "12.50"]

    @pytest.mark.parametrize("choice", [pgbench.UNIFORM, pgbench.HOT])
    def test_has_no_parameter_left_under_pgbench(self, choice: str):
        script = pgbench.bare_statement(UUID(int=1), choice)

        assert statement.PARAMETER.search(script) is None
        assert set(re.findall(r"(?<!:):([a-z_]+)", script)) <= {
            "debited",
            "credited",
            "amount",
            "count",
            "run",
            "client_id",
            "high",
            "other",
            "is_debited",
            "low",
        }


class TestValidation:
    @pytest.mark.parametrize(
        "changed",
        [
            {"debit": "0.00"},
            {"debit": "12.505"},
            {"debit": "much"},
            {"debit": "12.51"},
            {"currency": "DOLLAR"},
            {"credit": "12.50"},
            {"note": "x"},
        ],
    )
    def test_refuses_what_is_no_transaction(self, changed: dict[str, str]):
        debit = {"account": "a", "debit": "12.50", "currency": "USD"}
        credit = {"account": "b", "credit": "12.50", "currency": "USD"}

        assert validation.transaction({"description": "", "postings": [debit, credit]})
        with pytest.raises(validation.Invalid):
            validation.transaction({"description": "", "postings": [debit | changed, credit]})


class TestSides:
    def test_have_databases_of_their_own(self):
        assert len({side.database for side in sides.ALL}) == len(sides.ALL)

    @pytest.mark.parametrize("bench", [record.BENCH, read.BENCH])
    def test_begin_with_the_application(self, bench):
        assert bench.sides[0].name == sides.OURS


class TestCountedStatements:
    def test_are_those_that_clients_sent_by_either_protocol(self):
        log = (
            "bench_a|LOG:  statement: BEGIN\n"
            "bench_a|LOG:  execute <unnamed>: SELECT 1\n\tFROM t\n"
            "bench_b|LOG:  execute _pg3_0: INSERT INTO t\n"
            "bench_a|DETAIL:  Parameters: $1 = 'x'\n"
            "|LOG:  checkpoint starting: time\n"
        )

        assert cluster.STATEMENT.findall(log) == ["bench_a", "bench_a", "bench_b"]
