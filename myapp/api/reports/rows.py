"""Turn reports into rows: one for each path and currency, and one for each line that is computed.

`line` says what a row is: an account, a group (a path that is no account, with what is below it), or the computed line
of that name. The column of what is own adds up to the total; that of totals counts what is nested once in each level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from myapp.api.reports import csv_text
from myapp.api.reports.answers import Page
from myapp.api.reports.csv_text import Row
from myapp.ledger import model, money, reports
from myapp.ledger.reports import Node, Section, Sides

Exponents = Mapping[str, int]

COLUMN_NAMES = ("line", "path", "type", "currency", "debit", "credit", "total_debit", "total_credit")
SECTION_NAMES = ("section", "line", "path", "type", "currency", "own", "total")

LINE_NAMES = (
    "line",
    "effective_at",
    "recorded_at",
    "transaction",
    "reference",
    "description",
    "currency",
    "debit",
    "credit",
    "balance",
)
NO_TRANSACTION = ("",) * 5


def trial_balance(of: reports.TrialBalance, exponents: Exponents) -> Iterator[Row]:
    yield COLUMN_NAMES
    for node in _walk(of.nodes):
        for code, total in node.total.items():
            own = node.own.get(code, Sides())
            yield (*_of_node(node), code, *_pair(own, exponents[code]), *_pair(total, exponents[code]))
    for line, amounts in (("rounding", of.rounding or {}), ("total", of.totals)):
        for code, sides in amounts.items():
            yield (line, "", "", code, *_pair(sides, exponents[code]), *_pair(sides, exponents[code]))


def balance_sheet(of: reports.BalanceSheet, exponents: Exponents) -> Iterator[Row]:
    yield SECTION_NAMES
    yield from _section("assets", of.assets, exponents)
    yield from _computed("assets", "total", of.assets.total, exponents)
    yield from _section("liabilities", of.liabilities, exponents)
    yield from _computed("liabilities", "total", of.liabilities.total, exponents)
    yield from _section("equity", of.equity, exponents)
    yield from _computed("equity", "earnings", of.earnings, exponents)
    yield from _computed("equity", "rounding", of.rounding or {}, exponents)
    yield from _computed("equity", "total", of.equity_total, exponents)
    yield from _computed("liabilities and equity", "total", of.claims, exponents)


def income_statement(of: reports.IncomeStatement, exponents: Exponents) -> Iterator[Row]:
    yield SECTION_NAMES
    yield from _section("income", of.income, exponents)
    yield from _computed("income", "total", of.income.total, exponents)
    yield from _section("expenses", of.expenses, exponents)
    yield from _computed("expenses", "total", of.expenses.total, exponents)
    yield from _computed("net", "net", of.net, exponents)


def account_statement(of: reports.AccountStatement, page: Page, exponents: Exponents) -> Iterator[Row]:
    yield LINE_NAMES
    flows = {code: (flow, exponents[code]) for code, flow in of.flows.items()}
    if page.is_first:
        for code, (flow, exponent) in flows.items():
            yield ("opening", *NO_TRANSACTION, code, "", "", money.to_text(flow.opening, exponent))
    for line in page.lines:
        yield _line(line, exponents[line.currency])
    if page.next is None:
        for code, (flow, exponent) in flows.items():
            sums = (money.to_text(minor, exponent) for minor in (flow.debits, flow.credits))
            yield ("total", *NO_TRANSACTION, code, *sums, "")
            yield ("closing", *NO_TRANSACTION, code, "", "", money.to_text(flow.closing, exponent))


def _line(of: model.StatementLine, exponent: int) -> Row:
    amount = money.to_text(of.amount_minor, exponent)
    return (
        "posting",
        _time(of.effective_at),
        _time(of.recorded_at),
        str(of.transaction_id),
        csv_text.free(of.reference),
        csv_text.free(of.description),
        of.currency,
        amount if of.side is model.Side.DEBIT else "",
        amount if of.side is model.Side.CREDIT else "",
        money.to_text(of.balance_minor, exponent),
    )


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _section(name: str, of: Section, exponents: Exponents) -> Iterator[Row]:
    side = of.type.normal_side
    for node in _walk(of.nodes):
        for code, total in node.total.items():
            own = node.own.get(code, Sides())
            amounts = (_text(each, side, exponents[code]) for each in (own, total))
            yield (name, *_of_node(node), code, *amounts)


def _computed(section: str, line: str, of: Mapping[str, int], exponents: Exponents) -> Iterator[Row]:
    for code, minor in of.items():
        amount = money.to_text(minor, exponents[code])
        yield (section, line, "", "", code, amount, amount)


def _walk(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _walk(node.children)


def _of_node(node: Node) -> Row:
    line = "group" if node.type is None else "account"
    return (line, csv_text.free(node.path), "" if node.type is None else node.type.value)


def _pair(sides: Sides, exponent: int) -> Row:
    return (money.to_text(sides.debit, exponent), money.to_text(sides.credit, exponent))


def _text(sides: Sides, side: model.Side, exponent: int) -> str:
    return money.to_text(sides.towards(side), exponent)
