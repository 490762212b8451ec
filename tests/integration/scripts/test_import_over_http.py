"""Loading into a service that runs in a process of its own, on both databases."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from myapp.api.exchange.schemas import Format
from myapp.db.scope import session_scope
from myapp.ledger import errors, model, operations, queries
from myapp.scripts.importing import loading
from myapp.scripts.importing import service as client
from myapp.settings import URL_VARIABLE
from tests.integration.exchange import books

SERVICE = """\
[app:main]
use = egg:myapp
myapp.auth = {auth}

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:{port}
"""

ACCOUNTS = """\
2024-01-01 open Assets:Cash
2024-01-01 open Assets:Old
2024-01-01 open Income:Work
"""
PAID = '2024-{month:02}-01 * "Paid"\n  Assets:Cash  {amount}.00 USD\n  Income:Work\n'
YEAR = "".join(PAID.format(month=month, amount=100 + month) for month in range(1, 13))


@contextmanager
def serving(directory, database_url, *, auth) -> Iterator[str]:
    """Run the service and lend its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ini = directory / "service.ini"
    ini.write_text(SERVICE.format(auth=auth, port=port), encoding="utf-8")
    serve = "import sys; from pyramid.scripts.pserve import main; sys.exit(main())"
    environ = {**os.environ, URL_VARIABLE: database_url}
    with (directory / "service.log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-c", serve, str(ini)], stdout=log, stderr=log, env=environ)
    try:
        _wait_until_ready(server, f"http://127.0.0.1:{port}", directory / "service.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _wait_until_ready(server, url, log) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def service(tmp_path_factory, database_url) -> Iterator[str]:
    """Return the address of a service that is open to this machine."""
    with serving(tmp_path_factory.mktemp("service"), database_url, auth="open") as url:
        yield url


@pytest.fixture
def transactions(sessions, name):
    """Return a function that counts the ledger's committed transactions."""

    def transactions() -> int:
        with session_scope(sessions, readonly=True) as session:
            ledger = queries.get_ledger(session, name)
            criteria = queries.TransactionFilter()
            return len(
                queries.list_transactions(
                    session, ledger, criteria=criteria, after=None, limit=1000, now=datetime.now(UTC)
                )
            )

    return transactions


class TestExportedLedgerOverHttp:
    def test_is_loaded_with_its_holds_and_limits_and_found_there_afterwards(
        self, myapp, service, sessions, name, tmp_path
    ):
        original = books.make(
            sessions,
            books.Wanted(
                accounts=books.two_accounts(),
                # The same again is another one, though it says the same.
                transactions=[books.sale("2.00"), books.sale("2.00")],
                closed={"income:sales"},
                bounds={"assets:cash": model.NewLimits(min=Decimal(-5), max=None)},
                metadata={"kept": "for me"},
            ),
        )
        with session_scope(sessions) as session:
            ledger = queries.get_ledger(session, original)
            change = model.AccountChange(closed=False)
            operations.change_account(
                session, ledger, "income:sales", change, expected_version=None, now=datetime.now(UTC)
            )
        books.hold_post_void_and_reverse(sessions, original)
        path = tmp_path / "whole.ndjson"
        path.write_bytes(books.exported(sessions, original, Format.NDJSON))

        first = myapp("import", path, "--ledger", name, "--url", service)
        second = myapp("import", path, "--ledger", name, "--url", service)

        assert (first.code, first.err) == (0, "")
        assert "transactions  9 recorded, 0 already there" in first.out
        assert "transactions  0 recorded, 9 already there" in second.out
        loaded = books.exported(sessions, name, Format.NDJSON)
        assert books.content(loaded) == books.content(path.read_bytes())
        assert books.counters(sessions, name) == books.counters(sessions, original)


class TestImportOverHttp:
    def test_loads_a_journal_once(self, myapp, service, write, transactions, name, monkeypatch):
        # Every list has several pages.
        monkeypatch.setattr(client, "PAGE_SIZE", 2)
        balances = "2025-01-01 balance Assets:Cash 1278.00 USD\n2025-01-01 balance Income:Work -1278.00 USD\n"
        path = write(ACCOUNTS + YEAR + balances)
        first = myapp("import", path, "--ledger", name, "--url", service)
        assert (first.code, first.err) == (0, "")
        assert f"Ledger {name} (new)" in first.out
        assert "transactions  12 recorded, 0 already there" in first.out
        assert "assertions    2 hold, 0 fail" in first.out

        second = myapp("import", path, "--ledger", name, "--url", service)
        assert second.code == 0
        assert "transactions  0 recorded, 12 already there" in second.out
        assert transactions() == 12

    def test_finds_there_what_was_loaded_into_the_database(self, myapp, service, write, transactions, name):
        path = write(ACCOUNTS + YEAR)
        myapp("import", path, "--ledger", name)
        result = myapp("import", path, "--ledger", name, "--url", service)
        assert "accounts      0 opened, 3 already there" in result.out
        assert "transactions  0 recorded, 12 already there" in result.out

    def test_opens_accounts_in_the_ledgers_own_words(self, myapp, service, sessions, write, name):
        path = write(
            ACCOUNTS
            + '2024-01-01 open Assets:Shares VTI\n  bank: "Elm"\n'
            + '2024-02-01 * "Grant"\n  Assets:Shares  1.5 VTI\n  Income:Work\n'
            + '2024-02-02 * "Given"\n  Assets:Shares  -1.5 VTI\n  Income:Work\n'
            + "2024-03-01 close Assets:Shares\n"
        )
        myapp("import", path, "--ledger", name, "--url", service)
        again = myapp("import", path, "--ledger", name, "--url", service)
        assert again.code == 0
        with session_scope(sessions, readonly=True) as session:
            shares = queries.get_account(session, queries.get_ledger(session, name), "assets:Shares")
        assert (shares.type, shares.currencies) == (model.AccountType.ASSET, ["VTI"])
        assert shares.closed_at is not None
        assert shares.metadata == {
            "beancount.opened": "2024-01-01",
            "beancount.closed": "2024-03-01",
            "bank": "Elm",
        }

    def test_says_how_far_it_came_and_goes_on_from_there(self, myapp, service, write, transactions, name, monkeypatch):
        monkeypatch.setattr(loading, "BATCH_SIZE", 5)
        refused = YEAR.replace("108.00 USD", "99999999999999999.00 USD")
        path = write(ACCOUNTS + refused)
        stopped = myapp("import", path, "--ledger", name, "--url", service)
        assert stopped.code == 1
        assert stopped.err.startswith(f"myapp: {path}:25: The service answers 422 amount-out-of-range: ")
        assert "Before that, 5 of 12 transactions were recorded, and they stay." in stopped.err
        assert transactions() == 5

        result = myapp("import", write(ACCOUNTS + YEAR), "--ledger", name, "--url", service)
        assert "transactions  7 recorded, 5 already there" in result.out
        assert transactions() == 12

    def test_sends_nothing_of_a_journal_that_contradicts_itself(self, myapp, service, write, transactions, name):
        path = write(ACCOUNTS + YEAR + "2025-01-01 balance Assets:Cash 1.00 USD\n")
        result = myapp("import", path, "--ledger", name, "--url", service)
        assert (result.code, result.out) == (1, "")
        assert f"{path}:40: assets:Cash on 2025-01-01: expected 1.00 USD, which the journal's own" in result.err
        with pytest.raises(errors.NotFound):
            transactions()

        result = myapp("import", path, "--ledger", name, "--url", service, "--keep-going")
        assert result.code == 1
        assert f"{path}:40: assets:Cash on 2025-01-01: expected 1.00 USD, found 1278.00" in result.out
        assert transactions() == 12


class TestKeys:
    def test_are_asked_for_and_taken_from_the_environment(
        self, myapp, database_url, write, name, tmp_path_factory, monkeypatch
    ):
        path = write(ACCOUNTS + YEAR)
        with serving(tmp_path_factory.mktemp("service"), database_url, auth="keys") as url:
            without = myapp("import", path, "--ledger", name, "--url", url)
            assert without.code == 1
            assert without.err.startswith("myapp: The service answers 401 unauthenticated: ")

            make_key = ("keys", "create", "--scope", "write", "--ledger", name)
            myapp("import", write(ACCOUNTS), "--ledger", name)
            monkeypatch.setenv("MYAPP_API_KEY", myapp(*make_key).out.splitlines()[-1])
            loaded = myapp("import", write(ACCOUNTS + YEAR), "--ledger", name, "--url", url)
            assert (loaded.code, loaded.err) == (0, "")
