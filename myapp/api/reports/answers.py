"""Turn reports into what the API answers in JSON: amounts as text with the currency's digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET

from myapp.api import answers
from myapp.api.reports import schemas
from myapp.ledger import model, money, reports

Exponents = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The lines of a statement that are shown, and the cursor of the page after them."""

    lines: Sequence[model.StatementLine]
    is_first: bool
    next: str | None


def valuation(of: reports.Valued | None) -> schemas.Valuation | None:
    if of is None:
        return None
    prices = [
        schemas.Rate(
            currency=rate.currency, quote=rate.quote, price=format(rate.price, "f"), effective_at=rate.effective_at
        )
        for rate in of.rates
    ]
    return schemas.Valuation(currency=of.currency, prices=prices)


def trial_balance(
    of: reports.TrialBalance,
    exponents: Exponents,
    *,
    at: datetime,
    known_at: datetime | None,
    valued: reports.Valued | None,
) -> schemas.TrialBalance:
    return schemas.TrialBalance(
        at=at,
        known_at=known_at,
        value=valuation(valued),
        accounts=[_column_node(node, exponents) for node in of.nodes],
        rounding=UNSET if of.rounding is None else _columns(of.rounding, exponents),
        totals=_columns(of.totals, exponents),
    )


def balance_sheet(
    of: reports.BalanceSheet,
    exponents: Exponents,
    *,
    at: datetime,
    known_at: datetime | None,
    valued: reports.Valued | None,
) -> schemas.BalanceSheet:
    return schemas.BalanceSheet(
        at=at,
        known_at=known_at,
        value=valuation(valued),
        assets=_section(of.assets, exponents),
        liabilities=_section(of.liabilities, exponents),
        equity=schemas.Equity(
            accounts=_nodes(of.equity, exponents),
            earnings=_totals(of.earnings, exponents),
            rounding=UNSET if of.rounding is None else _totals(of.rounding, exponents),
            total=_totals(of.equity_total, exponents),
        ),
        liabilities_and_equity=_totals(of.claims, exponents),
    )


def income_statement(
    of: reports.IncomeStatement,
    exponents: Exponents,
    *,
    period: tuple[datetime | None, datetime],
    known_at: datetime | None,
    valued: reports.Valued | None,
) -> schemas.IncomeStatement:
    return schemas.IncomeStatement(
        from_=period[0],
        to=period[1],
        known_at=known_at,
        value=valuation(valued),
        income=_section(of.income, exponents),
        expenses=_section(of.expenses, exponents),
        net=_totals(of.net, exponents),
    )


def account_statement(
    of: reports.AccountStatement,
    page: Page,
    exponents: Exponents,
    *,
    period: tuple[datetime | None, datetime],
    known_at: datetime | None,
) -> schemas.AccountStatement:
    return schemas.AccountStatement(
        account=of.path,
        type=of.type,
        from_=period[0],
        to=period[1],
        known_at=known_at,
        balances={code: _flow(flow, exponents[code]) for code, flow in of.flows.items()},
        items=[answers.statement_line(line, exponents) for line in page.lines],
        next=page.next,
    )


def _flow(of: reports.Flow, exponent: int) -> schemas.Flow:
    opening, debits, credited, closing = (
        money.to_text(minor, exponent) for minor in (of.opening, of.debits, of.credits, of.closing)
    )
    return schemas.Flow(opening=opening, debits=debits, credits=credited, closing=closing)


def _section(of: reports.Section, exponents: Exponents) -> schemas.Section:
    return schemas.Section(accounts=_nodes(of, exponents), total=_totals(of.total, exponents))


def _nodes(of: reports.Section, exponents: Exponents) -> list[schemas.Node]:
    return [_node(node, of.type.normal_side, exponents) for node in of.nodes]


def _node(of: reports.Node, side: model.Side, exponents: Exponents) -> schemas.Node:
    return schemas.Node(
        path=of.path,
        name=of.name,
        type=of.type,
        own=_towards(of.own, side, exponents),
        total=_towards(of.total, side, exponents),
        children=[_node(child, side, exponents) for child in of.children],
    )


def _column_node(of: reports.Node, exponents: Exponents) -> schemas.ColumnNode:
    return schemas.ColumnNode(
        path=of.path,
        name=of.name,
        type=of.type,
        own=_columns(of.own, exponents),
        total=_columns(of.total, exponents),
        children=[_column_node(child, exponents) for child in of.children],
    )


def _totals(of: Mapping[str, int], exponents: Exponents) -> dict[str, str]:
    return {code: money.to_text(minor, exponents[code]) for code, minor in of.items()}


def _towards(of: reports.Amounts, side: model.Side, exponents: Exponents) -> dict[str, str]:
    return _totals({code: sides.towards(side) for code, sides in of.items()}, exponents)


def _columns(of: reports.Amounts, exponents: Exponents) -> dict[str, schemas.Columns]:
    return {
        code: schemas.Columns(
            debit=money.to_text(sides.debit, exponents[code]), credit=money.to_text(sides.credit, exponents[code])
        )
        for code, sides in of.items()
    }
