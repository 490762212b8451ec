from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from myapp.db.scope import session_scope
from myapp.ledger import bank, operations, queries
from myapp.ledger.model import LedgerChange
from myapp.ledger.recording import Form
from tests.integration.bookkeeping import BANK, CLEARING, NOW, SALES, came_in

PAID = "2026-01-05,100.00,Invoice INV-1,,100.00\n"
RENT = "2026-01-31,-40.00,Rent,,60.00\n"
COFFEE = "2026-01-20,-2.50,Coffee,,\n"


def close_before(sessions, books, moment):
    with session_scope(sessions) as session:
        ledger = queries.get_ledger(session, books.ledger.name)
        change = LedgerChange(metadata=None, moves_period=True, locked_before=moment)
        operations.change_ledger(session, ledger, change, expected_version=None, now=NOW)


class TestImport:
    def test_records_each_line_between_the_bank_and_the_clearing_account(self, take_over, books):
        result = take_over(PAID + RENT)

        assert (result.code, result.err) == (0, "")
        assert result.out.splitlines()[1:] == [
            "  lines      2 recorded, 0 already there",
            "  balances   opening 0.00 EUR, 2026-01-05: the books have the same",
            "             closing 60.00 EUR, 2026-01-31: the books have the same",
        ]
        assert (books.balance(BANK), books.balance(CLEARING)) == (60_00, -60_00)
        first = books.transactions()[0]
        assert first.effective_at == datetime(2026, 1, 5, tzinfo=UTC)
        assert first.description == "Invoice INV-1"
        assert first.metadata == {"bank.text": "Invoice INV-1"}
        assert first.reference is not None
        assert first.reference.startswith("bank:2026-01-05:")
        assert [line.transaction_id for line in books.lines()] == [each.id for each in books.transactions()]
        assert books.states() == {"open": 2}
        assert books.hold()

    def test_records_nothing_twice(self, take_over, books):
        take_over(PAID + RENT)
        again = take_over(PAID + RENT)
        overlapping = take_over(RENT + "2026-02-01,-1.00,Fee,,59.00\n")

        assert "0 recorded, 2 already there" in again.out
        assert "1 recorded, 1 already there" in overlapping.out
        assert books.balance(BANK) == 59_00

    def test_keeps_two_equal_lines_of_one_day(self, take_over, books):
        take_over(COFFEE * 2)
        again = take_over(COFFEE * 3)

        assert "1 recorded, 2 already there" in again.out
        assert books.balance(BANK) == -7_50

    def test_knows_a_line_by_the_banks_id_whatever_its_words(self, take_over, books):
        take_over("2026-01-05,5,Card payment,A1,\n2026-01-05,5,Card payment,A2,\n")
        again = take_over("2026-01-05,5.00,CARD PAYMENT/SHOP,A1,\n")

        assert "0 recorded, 1 already there" in again.out
        assert books.balance(BANK) == 10_00

    def test_keeps_all_lines_of_a_bank_that_repeats_its_ids(self, take_over, books):
        result = take_over("2026-01-05,5,A,0,\n2026-01-05,6,B,0,\n2026-01-06,5,C,0,\n2026-01-06,5,C,0,\n")

        assert "4 recorded, 0 already there" in result.out
        assert "the bank gave one id to several lines, which were all kept: 0" in result.out
        assert (
            "0 recorded, 4 already there"
            in take_over("2026-01-05,5,A,0,\n2026-01-05,6,B,0,\n2026-01-06,5,C,0,\n2026-01-06,5,C,0,\n").out
        )

    def test_keeps_lines_alone_where_the_books_record_on_the_account_itself(self, take_over, books):
        result = take_over(PAID, clearing=None)

        # The books have nothing of it yet, and the bank says so.
        assert result.code == 1
        assert "matched on the account itself" in result.out
        assert books.transactions() == []
        assert [line.against for line in books.lines()] == [BANK]

    def test_says_where_the_books_differ_from_the_bank(self, take_over, books):
        books.pay("3", "2026-01-02", into=BANK)

        result = take_over(PAID)

        assert result.code == 1
        assert "opening 0.00 EUR, 2026-01-05: THE BOOKS HAVE 3.00, 3.00 more" in result.out
        assert "closing 100.00 EUR, 2026-01-05: THE BOOKS HAVE 103.00, 3.00 more" in result.out

    def test_lets_what_is_late_count_from_now(self, take_over, myapp, books, sessions):
        close_before(sessions, books, datetime(2026, 1, 6, tzinfo=UTC))
        began = datetime.now(UTC)

        result = take_over(PAID + RENT, "--late")

        assert "2 recorded, 0 already there" in result.out
        late, in_time = sorted(books.transactions(), key=lambda each: each.effective_at, reverse=True)
        assert began <= late.effective_at == late.recorded_at
        assert in_time.effective_at == datetime(2026, 1, 31, tzinfo=UTC)
        assert [line.booked_on.day for line in books.lines()] == [5, 31]
        assert "0 recorded, 2 already there" in take_over(PAID + RENT, "--late").out

    def test_lets_what_is_late_be_recorded_from_now(self, take_over, myapp, books, sessions):
        take_over(PAID)
        (line,) = books.lines()
        close_before(sessions, books, datetime(2026, 1, 6, tzinfo=UTC))
        command = ["bank", "accept", line.id, "--to", SALES, "--ledger", books.ledger.name]

        refused = myapp(*command)
        recorded = myapp(*command, "--late")

        assert (refused.code, "Nothing is recorded before 2026-01-06" in refused.err) == (1, True)
        assert (recorded.code, recorded.err) == (0, "")
        assert (books.balance(BANK), books.balance(CLEARING)) == (100_00, 0)
        assert myapp("bank", "accept", line.id, "--late", "--ledger", books.ledger.name).code == 2

    def test_leaves_nothing_of_a_dry_run(self, take_over, books):
        result = take_over(PAID, "--dry-run")

        assert result.code == 0
        assert "1 would be recorded" in result.out
        assert "closing 100.00 EUR, 2026-01-05: the books have the same" in result.out
        assert (books.transactions(), books.lines()) == ([], [])


class TestRefuse:
    def test_a_line_the_ledger_refuses_is_named_and_leaves_nothing(self, take_over, books, tmp_path):
        result = take_over(PAID + "2026-01-06,1.005,Third of a cent,,\n")

        assert result.code == 1
        assert result.err == f"myapp: {tmp_path}/january.csv:3: 1.005 has more decimal digits than the currency's 2.\n"
        assert (books.transactions(), books.lines()) == ([], [])

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["--clearing", "assets:none"], "myapp: There is no account assets:none.\n"),
            (["--ledger", "nobodys"], "myapp: There is no ledger 'nobodys'.\n"),
        ],
    )
    def test_an_account_or_a_ledger_that_is_not_there(self, take_over, more, message):
        result = take_over(PAID, *more)

        assert (result.code, result.err) == (1, message)

    def test_a_csv_file_without_a_mapping(self, myapp, books, file):
        result = myapp("bank", "import", file("a,b\n"), "--ledger", books.ledger.name, "--account", BANK)

        assert result.code == 1
        assert "looks like CSV, which needs --mapping" in result.err

    def test_a_day_in_a_period_that_is_closed(self, take_over, books, sessions):
        close_before(sessions, books, datetime(2026, 1, 6, tzinfo=UTC))

        result = take_over(PAID)

        assert result.code == 1
        assert "january.csv:2: Nothing is recorded before 2026-01-06" in result.err


class TestAsAProcess:
    def test_imports_a_statement(self, take_over, process, database_url, books):
        result = take_over(PAID, run=process, environ={"MYAPP_DATABASE_URL": database_url})

        assert (result.code, result.err) == (0, "")
        assert books.balance(BANK) == 100_00


@pytest.mark.commits
class TestTwoAtOnce:
    def test_record_each_line_once(self, books, sessions):
        lines = [came_in(str(n), f"2026-01-{n:02}") for n in range(1, 21)]
        start, counted = threading.Barrier(3), []

        def work(clearing: str | None) -> None:
            start.wait()
            with session_scope(sessions) as session:
                done = bank.import_lines(
                    session, books.ledger, BANK, clearing=clearing, lines=lines, now=NOW, form=Form.STEPS
                )
            counted.append(len(done.recorded))

        threads = [threading.Thread(target=work, args=[CLEARING]) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(counted) == [0, 0, 20]
        assert books.balance(BANK) == 210_00
        assert books.hold()
