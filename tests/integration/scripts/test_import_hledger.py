"""What hledger printed, loaded by the command itself and read over HTTP."""

from __future__ import annotations

import json
import urllib.request

from myapp.settings import URL_VARIABLE
from tests.integration.scripts.test_import_over_http import serving


def amount(mantissa: int) -> dict[str, object]:
    quantity = {"decimalMantissa": mantissa, "decimalPlaces": 2, "floatingPoint": mantissa / 100}
    return {"acommodity": "EUR", "aquantity": quantity, "astyle": {"asprecision": 2}}


def line(account: str, mantissa: int) -> dict[str, object]:
    return {"paccount": account, "pamount": [amount(mantissa)], "ptype": "RegularPosting", "ptags": []}


PRINTED = [
    {
        "tdate": "2026-01-02",
        "tdescription": "Groceries",
        "tstatus": "Cleared",
        "tpostings": [line("expenses:food", 1250), line("assets:cash", -1250)],
    }
]
PRICES = "P 2026-01-01 EUR 1.0850 USD\nP 2026-01-01 EUR 1.10 XAU.X\n"


def read(url: str, path: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{url}/v1/ledgers/{path}", timeout=30) as answer:
        return json.load(answer)


def test_is_there_over_http_with_its_prices(process, directory, database_url: str, name: str):
    (directory / "book.json").write_text(json.dumps(PRINTED), encoding="utf-8")
    (directory / "book.prices").write_text(PRICES, encoding="utf-8")
    command = ("import", "book.json", "--prices", "book.prices", "--ledger", name)

    done = process(*command, environ={URL_VARIABLE: database_url})

    assert done.code == 0, done.err
    assert "transactions  1 recorded" in done.out
    assert "prices        1 recorded, 0 already there, 1 in currencies that the ledger does not have" in done.out
    with serving(directory, database_url, auth="open") as url:
        balances = read(url, f"{name}/accounts/assets:cash")["balances"]
        (price,) = read(url, f"{name}/prices")["items"]
        (transaction,) = read(url, f"{name}/transactions")["items"]
        worth = read(url, f"{name}/reports/income-statement?from=2026-01-01&to=2027-01-01&value=USD")
        again = process(*command, "--url", url)
    assert balances["EUR"]["balance"] == "-12.50"
    assert (price["price"], price["effective_at"]) == ("1.0850", "2026-01-01T00:00:00Z")
    assert (transaction["description"], transaction["effective_at"]) == ("Groceries", "2026-01-02T00:00:00Z")
    assert worth["net"] == {"USD": "-13.56"}
    assert again.code == 0, again.err
    assert "prices        0 recorded, 1 already there" in again.out


def test_prices_of_a_file_are_for_hledger_alone(process, directory, database_url: str, name: str):
    done = process(
        "import", "a.beancount", "--prices", "a.prices", "--ledger", name, environ={URL_VARIABLE: database_url}
    )
    assert (done.code, "--prices is for what hledger prints" in done.err) == (2, True)
