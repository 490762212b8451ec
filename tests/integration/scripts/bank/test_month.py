"""A bookkeeper's month, as commands: the statement, the matches, what is left, and the clearing account at zero."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.integration.bookkeeping import BANK, CLEARING, RENT, SALES, came_in, went_out

DATA = Path(__file__).parents[3] / "unit" / "scripts" / "bank" / "data"


@pytest.fixture
def run(myapp, books):
    """Return a function that runs a command of the group on the shop's ledger."""

    def run(*arguments: object):
        return myapp("bank", *arguments, "--ledger", books.ledger.name)

    return run


class TestMonth:
    def test_ends_with_nothing_in_the_clearing_account(self, run, books):
        books.pay("100.00", "2026-01-03", reference="INV-1001")
        books.pay("40.00", "2026-01-30", into=RENT, out_of=CLEARING, description="Rent")
        books.take_over(
            came_in("100.00", "2026-01-05", "Invoice INV-1001"),
            went_out("40.00", "2026-01-31", "=RENT()"),
            came_in("0.07", "2026-01-31", "Interest"),
        )

        matched = run("match", "--account", BANK)
        assert matched.code == 0, matched.err
        assert matched.out.startswith("Matched 1, proposed 1, open 1.\n")
        assert "the only one of this amount" in matched.out
        accepted = run("accept", "--all", "--account", BANK)
        assert accepted.out.endswith("\n1 matched.\n")
        (interest,) = [line for line in books.lines() if line.match is None]
        recorded = run("accept", interest.id, "--to", SALES)
        assert recorded.code == 0, recorded.err

        assert (books.balance(CLEARING), books.states()) == (0, {"matched": 3})
        report = run("report", "--account", BANK)
        assert report.out.splitlines()[:2] == [
            BANK,
            "  matched       3 lines  in         100.07 EUR  out          40.00 EUR",
        ]
        undone = run("reject", interest.id)
        assert undone.out == f"2026-01-31  {interest.id}  open\n"

    def test_is_reported_for_programs_too(self, run, books):
        paid = books.pay("40.00", "2026-01-30", into=RENT, out_of=CLEARING, reference="rent-1")
        books.take_over(went_out("40.00", "2026-01-31", "=RENT()"))
        run("match", "--account", BANK)

        report = json.loads(run("report", "--account", BANK, "--format", "json").out)
        (row,) = csv.DictReader(io.StringIO(run("report", "--account", BANK, "--format", "csv").out))

        assert report["totals"] == [{"state": "proposed", "currency": "EUR", "lines": 1, "in": "0.00", "out": "40.00"}]
        (line,) = report["lines"]
        assert (line["amount"], line["match"], line["proposals"][0]["reference"]) == ("-40.00", None, "rent-1")
        assert (row["state"], row["amount"], row["words"], row["transaction"]) == (
            "proposed",
            "-40.00",
            # No spreadsheet takes what a stranger wrote for a formula.
            "'=RENT()",
            str(paid.id),
        )
        assert run("report", "--account", BANK, "--state", "open").out.splitlines()[-1].startswith("  proposed")


class TestFormats:
    def test_camt_053(self, run, books):
        command = ["import", DATA / "camt-02.xml", "--account", BANK, "--clearing", CLEARING]

        first, again = run(*command), run(*command)

        # The bank has what was there before the books began.
        assert first.code == 1
        assert first.out.splitlines()[1:] == [
            "  lines      2 recorded, 0 already there",
            "  left out   not booked (PDNG) 1",
            "  balances   opening 1,000.00 EUR, 2025-12-31: THE BOOKS HAVE 0.00, 1,000.00 less",
            "             closing -50.01 EUR, 2026-01-31: THE BOOKS HAVE 0.00, 50.01 more",
        ]
        assert "0 recorded, 2 already there" in again.out
        assert [line.details["id"] for line in books.lines()] == ["B-1", "B-2"]

    def test_several_accounts_in_one_file(self, run, books):
        command = ["import", DATA / "camt-08.xml", "--account", BANK, "--clearing", CLEARING]

        unnamed, wrong, named = run(*command), run(*command, "--number", "77"), run(*command, "--number", "77-1")

        assert (unnamed.code, wrong.code, named.code) == (1, 1, 0)
        assert unnamed.err.endswith("is about 2 accounts; name one with --number: 77-1, 77-2\n")
        assert wrong.err.endswith("has no statement of 77; it is about 77-1, 77-2\n")
        assert "3 recorded" in named.out

    def test_ofx(self, run, books):
        result = run("import", DATA / "one.ofx", "--account", BANK, "--clearing", CLEARING)

        assert "2 recorded, 0 already there" in result.out
        assert "closing 1,099.50 USD, 2026-01-31: THE BOOKS HAVE 99.50, 1,000.00 less" in result.out

    def test_hostile_xml(self, run, books, file):
        path = file('<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>', "bank.xml")

        result = run("import", path, "--account", BANK)

        assert result.code == 1
        assert "bank.xml:1: has a document type" in result.err
        assert books.lines() == []


class TestRefuse:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["accept"],
            ["accept", "--all"],
            ["accept", "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31", "--all", "--account", BANK],
        ],
    )
    def test_what_names_no_line_or_two_kinds(self, run, arguments):
        result = run(*arguments)

        assert result.code == 2
        assert "name a LINE as `myapp bank report` shows it" in result.err

    @pytest.mark.parametrize("command", ["accept", "reject"])
    def test_a_line_that_is_not_there(self, run, command):
        result = run(command, "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31")

        assert (result.code, result.err) == (
            1,
            "myapp: There is no bank line 01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31.\n",
        )

    def test_days_that_are_no_number(self, run, capsys):
        with pytest.raises(SystemExit):
            run("match", "--account", BANK, "--days", "many")
        assert "not a number of days from 0 to 366" in capsys.readouterr().err
