from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from myapp.scripts.importing.hledger import planning, prices, printed
from myapp.scripts.importing.plan import JournalError, Plan


def amount(mantissa: int, code: str, places: int = 2, **more: object) -> dict[str, Any]:
    quantity = {"decimalMantissa": mantissa, "decimalPlaces": places, "floatingPoint": 99.9}
    return {"acommodity": code, "aquantity": quantity, "astyle": {"asprecision": places}, **more}


def posting(account: str, *amounts: object, **more: object) -> dict[str, Any]:
    return {"paccount": account, "pamount": amounts, "ptype": "RegularPosting", "ptags": [], **more}


def transaction(*postings: object, **more: object) -> dict[str, Any]:
    where = [{"sourceName": "a.journal", "sourceLine": 7, "sourceColumn": 1}]
    return {"tdate": "2026-01-02", "tpostings": postings, "tstatus": "Cleared", "tsourcepos": where, **more}


def plan_of(tmp_path: Path, *transactions: object) -> Plan:
    path = tmp_path / "print.json"
    path.write_text(json.dumps(transactions), encoding="utf-8")
    return planning.plan(printed.read(path), chosen_digits={}, may_round=False)


def paid(to: str = "Assets:Cash", **more: object) -> tuple[object, object]:
    return posting(to, amount(1250, "USD"), **more), posting("revenues:work", amount(-1250, "USD"))


def lines_of(plan: Plan) -> list[tuple[str, str, str, Decimal]]:
    return [
        (each.account, each.side.value, each.currency, each.amount) for each in plan.transactions[0].wanted.postings
    ]


def test_types_come_from_tags_then_names_and_amounts_from_mantissas(tmp_path):
    plan = plan_of(tmp_path, transaction(*paid("bank", ptags=[["type", "C"]])))
    assert [(each.account.path, each.account.type.value) for each in plan.accounts] == [
        ("bank", "asset"),
        ("revenues:work", "income"),
    ]
    assert lines_of(plan)[0] == ("bank", "debit", "USD", Decimal("12.50"))


def test_what_is_bought_at_a_cost_is_balanced_through_the_trading_accounts(tmp_path):
    cost = {"tag": "UnitPrice", "contents": amount(150, "EUR")}
    bought = posting("assets:shares", amount(4, "HOOL", 0, aprice=cost))
    plan = plan_of(tmp_path, transaction(bought, posting("assets:cash", amount(-600, "EUR"))))
    assert lines_of(plan)[2:] == [
        ("equity:trading:HOOL", "credit", "HOOL", Decimal(4)),
        ("equity:trading:EUR", "debit", "EUR", Decimal(6)),
    ]
    assert plan.transactions[0].wanted.metadata == {"hledger.line.0": "@ 1.50 EUR"}


def test_marks_codes_and_dates_are_kept_as_metadata(tmp_path):
    postings = paid(pdate="2026-01-05", pstatus="Pending")
    more = {"tstatus": "Pending", "tcode": "77", "tdate2": "2026-02-03", "tcomment": "to self\nk:v\n"}
    plan = plan_of(tmp_path, transaction(*postings, ttags=[["k", "v"]], **more))
    assert plan.transactions[0].wanted.metadata == {
        "hledger.status": "!", "hledger.code": "77", "hledger.date2": "2026-02-03", "hledger.comment": "to self",
        "k": "v", "hledger.line.0": "!", "hledger.line.0.date": "2026-01-05",
    }  # fmt: skip


def test_only_a_newline_ends_a_line_of_a_comment(tmp_path):
    more = {"tcomment": "k:a\u2028b\x85c\n", "ttags": [["k", "a\u2028b\x85c"]]}
    plan = plan_of(tmp_path, transaction(*paid(), **more))
    assert plan.transactions[0].wanted.metadata == {"k": "a\u2028b\x85c"}


def test_the_tags_of_the_account_above_are_not_those_of_the_account(tmp_path):
    below = [["type", "A"], ["ledger-path", "a:b"], ["k", "own"], ["ledger-path", "a"], ["m", "above"]]
    plan = plan_of(tmp_path, transaction(*paid("a:b", ptags=below)))
    assert plan.accounts[0].account.metadata == {"k": "own"}


def test_an_account_keeps_its_tags_where_a_posting_has_some_of_the_same_names(tmp_path):
    """hledger prints the posting's first."""
    tags = [["type", "X"], ["k", "line's"], ["type", "A"], ["k", "account's"]]
    plan = plan_of(tmp_path, transaction(*paid("bank", ptags=tags, pcomment="type:X, k:line's")))
    (bank, _) = (each.account for each in plan.accounts)
    assert (bank.type.value, bank.metadata) == ("asset", {"k": "account's"})
    assert plan.transactions[0].wanted.metadata == {"hledger.line.0.type": "X", "hledger.line.0.k": "line's"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (transaction(*paid("bank")), "bank: its type is not known"),
        (transaction(*paid(ptype="VirtualPosting")), "is a virtual posting"),
        (transaction(*paid(), posting("assets:x", amount(1, "USD"))), "does not balance: 0.01 USD is left over"),
        (transaction(*paid(), ttags=[["ledger-time", "soon"]]), "cannot read what an export noted"),
        (transaction(*paid(), posting("assets:x", amount(10**100, "USD"))), "more digits than any ledger holds"),
        (transaction(*paid(pcomment="ledger-amount:9", ptags=[["ledger-amount", "9"]])), "says 9, and the posting"),
        (transaction(posting("assets:x", amount(5, "$")), posting("assets:y", amount(-5, "$"))), "$: a currency is"),
    ],
)
def test_what_has_no_place_in_a_ledger_is_refused_with_its_line(tmp_path, wrong, said):
    with pytest.raises(JournalError) as caught:
        plan_of(tmp_path, wrong)
    assert said in str(caught.value)
    assert str(caught.value).startswith("a.journal:7: ")


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "[" * 100_000, '[{"tdate": 1}]', '[{"tdate":"2026-01-02"}]', "\xff"]
)
def test_what_hledger_does_not_print_is_refused_by_name(tmp_path, content):
    path = tmp_path / "print.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(JournalError, match=r"print\.json: (is not what|has no transactions)"):
        printed.read(path)


def test_prices_are_read_as_hledger_prints_them_and_as_an_export_has_them(tmp_path):
    path = tmp_path / "a.journal"
    path.write_text(
        'account P x\n2026-01-01 P\n  P 5\nP 2026-01-02 "X 1" 1234. EUR\nP 2026-01-02 EUR 1.0850 "A-"  ; a comment\n'
        "P 2026-01-03 EUR 0 USD  ; ledger-time:2026-01-03T12:00:00.5Z\n",
        encoding="utf-8",
    )
    found = [each.wanted for each in prices.read(path)]
    assert [(each.currency, f"{each.price}", each.quote, each.effective_at.isoformat()) for each in found] == [
        ("X 1", "1234", "EUR", "2026-01-02T00:00:00+00:00"),
        ("EUR", "1.0850", "A-", "2026-01-02T00:00:00+00:00"),
        ("EUR", "0", "USD", "2026-01-03T12:00:00.500000+00:00"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ": has no `P` lines"),
        (b"\xff", ": cannot be read"),
        (b"\nP 2026-01-02 EUR $1.00\n", ":2: is no price as `hledger prices` prints it"),
        (b"P 2026-01-02 EUR 1,000.00 USD\n", ":1: is no price as `hledger prices` prints it"),
        (b"P 2026-02-30 EUR 1 USD\n", ":1: cannot read its time"),
        (b"P 2026-01-02 EUR 1 USD ; ledger-time:2026-01-03T00:00:00Z\n", ":1: cannot read its time"),
    ],
)
def test_prices_written_otherwise_are_refused_with_their_line(tmp_path, content, said):
    path = tmp_path / "a.prices"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"a\.prices") as caught:
        prices.read(path)
    assert f"a.prices{said}" in str(caught.value)
