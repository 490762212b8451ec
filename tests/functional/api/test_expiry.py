"""A request that is short of what an expired hold still reserves gets it at once, swept or not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from myapp.db import scope
from myapp.ledger import operations, queries
from myapp.ledger.holding import locking
from tests.functional.api.shop import CASH, SALES, Shop, refund, sale

# More than are given back in one unit of work.
MANY = 230


@pytest.fixture
def open_shop(shop: Shop) -> Shop:
    """Return a shop with 230 dollars in the till."""
    shop.must(201, "POST", "transactions", sale(f"{MANY}.00"))
    return shop


def let_expire(shop: Shop, *held: dict[str, Any]) -> list[str]:
    """Reserve what is wanted, wait until all of it has expired, and return the holds."""
    soon = datetime.now(UTC) + timedelta(seconds=2)
    wanted = [{**each, "pending": True, "expires_at": soon.isoformat()} for each in held]
    items = shop.must(201, "POST", "transactions/batch", {"transactions": wanted})["items"]
    while datetime.now(UTC) <= soon:
        time.sleep(0.05)
    return [each["id"] for each in items]


def states(shop: Shop) -> list[str]:
    """Return what the events say, the first first."""
    return [each["type"] for each in shop.must(200, "GET", "events?limit=1000")["items"]]


class TestRecording:
    def test_gets_what_very_many_expired_holds_reserve(self, open_shop: Shop) -> None:
        let_expire(open_shop, *[refund("1.00")] * MANY)
        wanted = refund(f"{MANY}.00", reference="all-of-it")

        recorded = open_shop.call("POST", "transactions", wanted, Idempotency_Key="k")

        assert recorded.status_int == 201
        assert states(open_shop).count("transaction.expired") == MANY
        again = open_shop.call("POST", "transactions", wanted, Idempotency_Key="k")
        assert (again.body, again.headers["Idempotency-Replayed"]) == (recorded.body, "true")
        assert open_shop.cash() == "0.00"
        assert open_shop.must(200, "GET", "verify")["holds"]

    def test_that_is_short_all_the_same_is_refused_and_records_nothing(self, open_shop: Shop) -> None:
        let_expire(open_shop, refund("1.00"))

        open_shop.refused("insufficient-funds", "POST", "transactions", refund(f"{MANY}.01", reference="r"))

        assert open_shop.must(200, "GET", "transactions?reference=r")["items"] == []

    def test_leaves_alone_what_would_not_help(self, open_shop: Shop) -> None:
        """Of accounts that the request does not name nothing is given back."""
        open_shop.must(201, "POST", "accounts", {"path": "assets:safe", "type": "asset"})
        safe = [
            {"account": SALES, "debit": "5.00", "currency": "USD"},
            {"account": "assets:safe", "credit": "5.00", "currency": "USD"},
        ]
        let_expire(open_shop, {"postings": safe})
        to_safe = [
            {"account": CASH, "credit": "999.00", "currency": "USD"},
            {"account": "liabilities:x", "debit": "999.00", "currency": "USD"},
        ]
        open_shop.must(201, "POST", "accounts", {"path": "liabilities:x", "type": "liability"})

        open_shop.refused("insufficient-funds", "POST", "transactions", {"postings": to_safe})

        assert "transaction.expired" not in states(open_shop)

    def test_sees_with_its_condition_what_is_available_then(self, open_shop: Shop) -> None:
        let_expire(open_shop, refund("200.00"))
        wanted = refund("1.00")
        wanted["postings"][1]["if"] = {"min_available": "100.00"}

        open_shop.must(201, "POST", "transactions", wanted)

    def test_is_refused_by_a_version_that_giving_back_has_changed(self, open_shop: Shop) -> None:
        let_expire(open_shop, refund("200.00"))
        version = open_shop.must(200, "GET", f"accounts/{CASH}")["versions"]["USD"]
        wanted = refund("100.00")
        wanted["postings"][1]["if"] = {"version": version}

        open_shop.refused("condition-failed", "POST", "transactions", wanted)

        assert open_shop.must(200, "GET", f"accounts/{CASH}")["versions"]["USD"] == version + 1


class TestOthers:
    def test_reversing_and_raising_a_minimum_get_it_too(self, open_shop: Shop) -> None:
        sold = open_shop.must(201, "POST", "transactions", sale("10.00"))["id"]
        let_expire(open_shop, refund("235.00"))

        open_shop.must(201, "POST", f"transactions/{sold}/reverse")
        let_expire(open_shop, refund("100.00"))
        open_shop.must(200, "PATCH", f"accounts/{CASH}", {"limits": {"USD": {"min": "230.00"}}})

        assert states(open_shop).count("transaction.expired") == 2

    def test_a_trial_counts_on_it_and_gives_nothing_back(self, open_shop: Shop) -> None:
        let_expire(open_shop, *[refund("1.00")] * MANY)

        open_shop.must(200, "POST", "transactions?dry_run=true", refund(f"{MANY}.00"))

        assert "transaction.expired" not in states(open_shop)


@pytest.mark.commits
class TestAtOnce:
    def test_waits_for_what_another_is_giving_back(self, lasting_shop: Shop) -> None:
        lasting_shop.must(201, "POST", "transactions", sale(f"{MANY}.00"))
        let_expire(lasting_shop, *[refund("1.00")] * MANY)
        client = ThreadPoolExecutor(1)

        with scope.session_scope(lasting_shop.app.app.registry["db.sessions"]) as session:
            ledger = queries.get_ledger(session, lasting_shop.name)
            # Holds are locked first, and the balances that the client waits for anyway once they are written.
            held = locking.lock_expired(session, ledger, now=datetime.now(UTC), limit=MANY, paths=None)
            answer = client.submit(lasting_shop.call, "POST", "transactions", refund(f"{MANY}.00"))
            # For longer than its attempts take that do not wait.
            time.sleep(1)
            assert operations.expire_holds(session, ledger, now=datetime.now(UTC), limit=MANY) == len(held) == MANY

        assert answer.result().status_int == 201
