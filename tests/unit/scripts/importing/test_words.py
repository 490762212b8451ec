from __future__ import annotations

from myapp.api import fields
from myapp.scripts.importing import contract, fitting

ACCOUNTS = """\
2024-01-01 open Assets:Cash
2024-01-01 open Assets:Shares
2024-01-01 open Income:Work
"""


class TestOfTransaction:
    def test_keeps_what_the_journal_says(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + """\
2024-02-01 ! "Broker Inc" "Bought shares" #savings #plan ^order-7
  statement: "2024-02.pdf"
  rate: 1.10
  ! Assets:Shares  10 HOOL {101.50 USD, 2024-01-31, "lot-a"} @ 103.00 USD
    confirmed: TRUE
  Assets:Cash
"""
        )
        wanted = plan.transactions[0].wanted
        assert wanted.description == "Broker Inc | Bought shares"
        assert wanted.metadata == {
            "beancount.flag": "!",
            "beancount.payee": "Broker Inc",
            "beancount.tags": "plan savings",
            "beancount.links": "order-7",
            "beancount.line.0": '! {101.50 USD, 2024-01-31, "lot-a"} @ 103.00 USD',
            "statement": "2024-02.pdf",
            "rate": "1.10",
            "beancount.line.0.confirmed": "True",
        }

    def test_a_transaction_that_says_nothing_has_no_words(self, plan_of):
        plan = plan_of(ACCOUNTS + '2024-02-01 * ""\n  Assets:Cash  1 USD\n  Income:Work\n')
        assert plan.transactions[0].wanted.description is None
        assert plan.transactions[0].wanted.metadata == {}

    def test_a_line_of_zero_shifts_no_words_to_another_line(self, plan_of):
        plan = plan_of(
            ACCOUNTS
            + '2024-02-01 * "x"\n  Assets:Cash  0 USD\n  Assets:Shares  1 USD\n    seen: "yes"\n  Income:Work\n'
        )
        assert plan.transactions[0].wanted.metadata == {"beancount.line.0.seen": "yes"}

    def test_shortens_what_is_too_long_and_says_so(self, plan_of):
        plan = plan_of(
            ACCOUNTS + f'2024-02-01 * "{"n" * 1001}"\n  memo: "{"m" * 1001}"\n  Assets:Cash  1 USD\n  Income:Work\n'
        )
        assert len(plan.transactions[0].wanted.description) == len(plan.transactions[0].wanted.metadata["memo"]) == 1000
        assert [note.text for note in plan.notes] == [
            "shortened memo to 1000 characters",
            "shortened the description to 1000 characters",
        ]
        assert {note.place.line for note in plan.notes} == {4}

    def test_takes_out_what_no_database_stores_and_says_so(self, plan_of):
        plan = plan_of(ACCOUNTS + '2024-02-01 * "a\x00b"\n  Assets:Cash  1 USD\n  Income:Work\n')
        assert plan.transactions[0].wanted.description == "ab"
        assert [note.text for note in plan.notes] == ["took U+0000 out of the description"]

    def test_leaves_out_more_notes_than_there_is_room_for_and_says_so(self, plan_of):
        notes = "".join(f'  note{number}: "x"\n' for number in range(51))
        plan = plan_of(ACCOUNTS + f'2024-02-01 * "x"\n{notes}  Assets:Cash  1 USD\n  Income:Work\n')
        assert len(plan.transactions[0].wanted.metadata) == 50
        assert [note.text for note in plan.notes] == ["left out note50: there is room for 50 notes"]


class TestOfAccount:
    def test_keeps_the_dates_the_booking_and_the_notes(self, plan_of):
        plan = plan_of(
            '2020-01-01 open Assets:Old VTI "FIFO"\n  bank: "Elm"\n' + ACCOUNTS + "2022-01-01 close Assets:Old\n"
        )
        old = plan.accounts[0]
        assert old.closes
        assert old.account.metadata == {
            "beancount.opened": "2020-01-01",
            "beancount.closed": "2022-01-01",
            "beancount.booking": "FIFO",
            "bank": "Elm",
        }


class TestRoom:
    def test_is_what_the_http_contract_has(self):
        assert fitting.ENTRIES_MAX == fields.METADATA_ENTRIES_MAX
        assert contract.YEARS.stop == fields.YEAR_LAST + 1
