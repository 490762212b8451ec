from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from myapp.db.scope import session_scope
from myapp.ledger import errors, model, operations, queries

NOW = datetime(2026, 1, 1, tzinfo=UTC)

ACCOUNTS = """\
2024-01-01 open Assets:Cash
2024-01-01 open Assets:Old
2024-01-01 open Income:Work
"""
PAID = '2024-02-01 * "Paid"\n  Assets:Cash  100.00 USD\n  Income:Work\n'
PAID_AGAIN = '2024-03-01 * "Paid again"\n  Assets:Cash  50.00 USD\n  Income:Work\n'
INTO_OLD = '2024-02-02 * "Put away"\n  Assets:Old  {0} USD\n  Assets:Cash  -{0} USD\n'
CLOSED = "2025-01-01 close Assets:Old\n"


@pytest.fixture
def account(sessions, name):
    """Return a function from a path to the account, as committed."""

    def account(path: str) -> model.Account:
        with session_scope(sessions, readonly=True) as session:
            return queries.get_account(session, queries.get_ledger(session, name), path)

    return account


@pytest.fixture
def is_there(sessions, name):
    """Return a function that says whether the ledger is there."""

    def is_there() -> bool:
        with session_scope(sessions, readonly=True) as session:
            try:
                queries.get_ledger(session, name)
            except errors.NotFound:
                return False
            return True

    return is_there


@pytest.fixture
def prepare(sessions, name):
    """Return a function that makes the ledger with these accounts before anything is imported."""

    def prepare(*accounts: model.NewAccount, closed: bool = False) -> None:
        with session_scope(sessions) as session:
            ledger = operations.create_ledger(session, name, metadata={}, now=NOW)
            for each in accounts:
                operations.open_account(session, ledger, each, now=NOW)
                if closed:
                    change = model.AccountChange(closed=True)
                    operations.change_account(session, ledger, each.path, change, expected_version=None, now=NOW)

    return prepare


def cents(account: model.Account) -> int:
    return account.balances["USD"].balance(model.Side.DEBIT)


class TestImport:
    def test_loads_only_what_a_journal_has_gained(self, myapp, write, account, name):
        myapp("import", write(ACCOUNTS + PAID), "--ledger", name)
        result = myapp("import", write(ACCOUNTS + PAID_AGAIN + PAID), "--ledger", name)
        assert "transactions  1 recorded, 1 already there" in result.out
        assert cents(account("assets:Cash")) == 150_00

    def test_names_what_was_changed_in_the_journal_since(self, myapp, write, account, name):
        myapp("import", write(ACCOUNTS + PAID), "--ledger", name)
        changed = PAID.replace("100.00", "101.00")
        result = myapp("import", write(ACCOUNTS + changed), "--ledger", name)
        assert result.code == 0
        assert "1 transactions of earlier imports are not in this journal" in result.out
        assert "\n  beancount:" in result.out

    def test_keeps_the_old_words_of_a_transaction_and_says_so(self, myapp, write, account, name):
        myapp("import", write(ACCOUNTS + PAID), "--ledger", name)
        result = myapp("import", write(ACCOUNTS + PAID.replace("Paid", "Salary")), "--ledger", name)
        assert "transactions  0 recorded, 1 already there" in result.out
        assert "1 of those already there have other words in the ledger" in result.out
        assert cents(account("assets:Cash")) == 100_00

    def test_closes_what_the_journal_closes_and_opens_it_while_more_is_loaded(self, myapp, write, account, name):
        journal = ACCOUNTS + PAID + INTO_OLD.format("5.00") + CLOSED
        first = myapp("import", write(journal), "--ledger", name)
        assert "3 opened, 0 already there, 1 closed" in first.out
        closed = account("assets:Old")
        assert closed.closed_at is not None

        myapp("import", write(journal), "--ledger", name)
        assert account("assets:Old") == closed

        third = myapp("import", write(journal + INTO_OLD.format("7.00")), "--ledger", name)
        assert third.code == 0, third.err
        assert cents(account("assets:Old")) == 12_00
        assert account("assets:Old").closed_at is not None

    def test_closes_an_account_that_the_journal_closes_later(self, myapp, write, account, name):
        myapp("import", write(ACCOUNTS + PAID), "--ledger", name)
        myapp("import", write(ACCOUNTS + PAID + CLOSED), "--ledger", name)
        assert account("assets:Old").closed_at is not None
        assert account("assets:Old").metadata == {"beancount.opened": "2024-01-01", "beancount.closed": "2025-01-01"}


class TestRefusals:
    def test_a_refusal_names_the_journals_line_and_leaves_nothing(self, myapp, write, prepare, account, name):
        limited = {"USD": model.NewLimits(max=Decimal(120))}
        prepare(model.NewAccount(path="assets:Cash", type=model.AccountType.ASSET, limits=limited))
        path = write(ACCOUNTS + PAID + PAID_AGAIN)
        result = myapp("import", path, "--ledger", name)
        assert result.code == 1
        assert result.err == f"myapp: {path}:7: assets:Cash would rise above its maximum in USD.\n"
        assert cents(account("assets:Cash")) == 0
        with pytest.raises(errors.NotFound):
            account("assets:Old")

    def test_a_journal_with_an_error_leaves_not_even_the_ledger(self, myapp, write, is_there, name):
        path = write(ACCOUNTS + '2024-02-01 * "Off"\n  Assets:Cash  1 USD\n  Income:Work  -2 USD\n')
        result = myapp("import", path, "--ledger", name)
        assert result.code == 1
        assert result.err.startswith(f"myapp: {path}:4: Transaction does not balance")
        assert not is_there()

    def test_an_account_of_another_type_is_refused(self, myapp, write, prepare, name):
        prepare(model.NewAccount(path="assets:Cash", type=model.AccountType.EXPENSE))
        path = write(ACCOUNTS)
        result = myapp("import", path, "--ledger", name)
        assert result.err == f"myapp: {path}:1: assets:Cash is of type expense in this ledger, not asset\n"

    def test_an_account_that_someone_else_closed_stays_closed(self, myapp, write, prepare, name):
        prepare(model.NewAccount(path="assets:Cash", type=model.AccountType.ASSET), closed=True)
        path = write(ACCOUNTS + PAID)
        result = myapp("import", path, "--ledger", name)
        assert result.code == 1
        assert result.err.startswith(f"myapp: {path}:4: ")
        assert "closed" in result.err

    def test_a_commodity_with_more_digits_than_the_ledger_has_is_refused(self, myapp, write, name):
        share = '2024-02-01 * "Grant"\n  Assets:Old  {} VTI\n  Income:Work\n'
        myapp("import", write(ACCOUNTS + share.format("1.5")), "--ledger", name)
        path = write(ACCOUNTS + share.format("1.5") + share.format("1.25"))
        result = myapp("import", path, "--ledger", name)
        assert result.code == 1
        assert result.err.startswith(f"myapp: {path}:8: VTI has 1 decimal digits in this ledger for good")

        rounded = myapp("import", path, "--ledger", name, "--digits", "VTI=1", "--round")
        assert "transactions  1 recorded, 1 already there" in rounded.out
        assert f"{path}:8: 1.25 VTI is recorded as 1.2" in rounded.out


class TestAssertions:
    FAILING = ACCOUNTS + PAID + "2024-02-02 balance Assets:Cash  99.00 USD\n"

    def test_one_that_fails_leaves_nothing(self, myapp, write, is_there, name):
        path = write(self.FAILING)
        result = myapp("import", path, "--ledger", name)
        assert (result.code, result.out) == (1, "")
        assert result.err == (
            "myapp: 1 balance assertion does not hold, so nothing was loaded (--keep-going loads all the same):\n"
            f"{path}:7: assets:Cash on 2024-02-02: expected 99.00 USD, found 100.00 (1.00 too much)\n"
        )
        assert not is_there()

    def test_one_that_fails_is_listed_after_loading_with_keep_going(self, myapp, write, account, name):
        path = write(self.FAILING)
        result = myapp("import", path, "--ledger", name, "--keep-going")
        assert result.code == 1
        assert "assertions    0 hold, 1 fail" in result.out
        assert f"{path}:7: assets:Cash on 2024-02-02: expected 99.00 USD, found 100.00" in result.out
        assert cents(account("assets:Cash")) == 100_00

    def test_count_what_went_out_as_well(self, myapp, write, name):
        journal = ACCOUNTS + PAID + INTO_OLD.format("5.00") + "2024-03-01 balance Assets:Cash 95.00 USD\n"
        result = myapp("import", write(journal), "--ledger", name)
        assert (result.code, result.err) == (0, "")

    def test_are_put_to_the_whole_ledger_and_not_only_to_the_journal(self, myapp, sessions, write, name):
        journal = ACCOUNTS + PAID + "2024-02-02 balance Assets:Cash  100.00 USD\n"
        path = write(journal)
        assert myapp("import", path, "--ledger", name).code == 0
        with session_scope(sessions) as session:
            lines = [("assets:Cash", model.Side.DEBIT), ("income:Work", model.Side.CREDIT)]
            postings = [
                model.NewPosting(account=path, currency="USD", side=side, amount=Decimal(3)) for path, side in lines
            ]
            backdated = model.NewTransaction(postings=postings, effective_at=datetime(2024, 1, 15, tzinfo=UTC))
            ledger = queries.get_ledger(session, name)
            operations.record(session, ledger, [backdated], now=NOW, form=operations.Form.STEPS)
        result = myapp("import", path, "--ledger", name)
        assert result.code == 1
        assert "expected 100.00 USD, found 103.00 (3.00 too much)" in result.err


class TestHledger:
    def test_is_loaded_once_and_only_what_it_has_gained(self, myapp, tmp_path, account, name):
        def line(path: str, cents: int) -> object:
            amount = {
                "acommodity": "USD",
                "aquantity": {"decimalMantissa": cents, "decimalPlaces": 2},
                "astyle": {"asprecision": 2},
            }
            return {"paccount": path, "pamount": [amount], "ptype": "RegularPosting"}

        sales = [
            {"tdate": f"2026-01-0{day}", "tpostings": [line("assets:cash", 100), line("income:x", -100)]}
            for day in (1, 2)
        ]
        path = tmp_path / "print.json"
        for count, said in ((1, "1 recorded, 0 already"), (2, "1 recorded, 1 already"), (2, "0 recorded, 2 already")):
            path.write_text(json.dumps(sales[:count]), encoding="utf-8")
            result = myapp("import", path, "--ledger", name)
            assert f"transactions  {said} there" in result.out, result.err
        assert cents(account("assets:cash")) == 2_00
