"""The main job on real input: ten years of a household, on both databases."""

from __future__ import annotations

from decimal import Decimal

import beanquery
import pytest
import sqlalchemy as sa

from myapp.db.scope import session_scope
from myapp.ledger import queries, tables, verify
from myapp.scripts.importing import journal, reading
from myapp.scripts.importing.plan import TRADING_PREFIX

pytestmark = pytest.mark.long

LUNCH = '2025-01-02 * "Kin Soy" "Lunch"\n  Expenses:Food:Restaurant  12.00 USD\n  Assets:US:BofA:Checking\n'
TABLES = (tables.currencies, tables.accounts, tables.balances, tables.transactions, tables.postings)


def units_by_bean_query(path) -> dict[tuple[str, str], Decimal]:
    """Return each account's units of each commodity, under the ledger's paths."""
    query = "SELECT account, currency, sum(number) AS units GROUP BY account, currency"
    rows = beanquery.connect(f"beancount:{path}").execute(query).fetchall()
    return {(account[0].lower() + account[1:], currency): units for account, currency, units in rows if units}


def units_in_ledger(sessions, name) -> dict[tuple[str, str], Decimal]:
    """Return the debits less the credits of each account and currency, but of the trading accounts."""
    with session_scope(sessions, readonly=True) as session:
        ledger = queries.get_ledger(session, name)
        accounts = queries.list_accounts(session, ledger, after=None, limit=1000)
        exponents = queries.exponents(session, ledger, {code for each in accounts for code in each.balances})
    nets = {
        (account.path, code): Decimal(counters.debits_posted - counters.credits_posted).scaleb(-exponents[code])
        for account in accounts
        for code, counters in account.balances.items()
        if not account.path.startswith(TRADING_PREFIX)
    }
    return {key: net for key, net in nets.items() if net}


def everything(sessions, name) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of the ledger."""
    with session_scope(sessions, readonly=True) as session:
        ledger_id = queries.get_ledger(session, name).id
        return {
            table.name: sorted(
                (
                    tuple(map(repr, row))
                    for row in session.execute(sa.select(table).where(table.c.ledger_id == ledger_id))
                ),
            )
            for table in TABLES
        }


def broken_invariants(sessions, name) -> list[verify.Check]:
    with session_scope(sessions, readonly=True) as session:
        return [check for check in verify.verify(session, queries.get_ledger(session, name)) if not check.holds]


class TestTenYearsOfAHousehold:
    def test_are_loaded_whole_then_not_again_then_continued(self, myapp, sessions, example, name, tmp_path):
        plan = journal.plan(reading.read(example), chosen_digits={}, may_round=False)
        count = len(plan.transactions)
        assert count > 3_800
        assert len(plan.assertions) == 300
        first = myapp("import", example, "--ledger", name)
        assert (first.code, first.err) == (0, "")
        assert f"transactions  {count:,} recorded, 0 already there" in first.out
        assert "assertions    300 hold, 0 fail" in first.out
        assert units_in_ledger(sessions, name) == units_by_bean_query(example)
        assert not broken_invariants(sessions, name)

        loaded = everything(sessions, name)
        assert len(loaded["transactions"]) == count
        second = myapp("import", example, "--ledger", name)
        assert second.code == 0
        assert f"transactions  0 recorded, {count:,} already there" in second.out
        assert everything(sessions, name) == loaded

        grown = tmp_path / "grown.beancount"
        grown.write_text(f"{LUNCH}{example.read_text(encoding='utf-8')}", encoding="utf-8")
        third = myapp("import", grown, "--ledger", name)
        assert f"transactions  1 recorded, {count:,} already there" in third.out
        assert units_in_ledger(sessions, name) == units_by_bean_query(grown)
