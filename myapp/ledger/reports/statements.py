"""The trial balance, the balance sheet and the income statement, made of figures. Pure.

Units: amounts are in the currency's smallest unit. Those of a section are in the normal direction of its type.

Note [Rounding]
What is valued in another currency is rounded once for each account and currency, and every total is the sum of what is
shown. So the two sides of a valued report may differ by what rounding left over, and that is a line of its own: the
sides are equal, and the line says why. Figures that are not valued are exact, and nothing may make up for a difference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from myapp.ledger.model import AccountType, Side
from myapp.ledger.reports import tree
from myapp.ledger.reports.figures import Figure
from myapp.ledger.reports.tree import Amounts, Node, Shape, Sides

Totals = Mapping[str, int]

RESULT = (AccountType.INCOME, AccountType.EXPENSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The accounts of one type; the total has every currency of the report."""

    type: AccountType
    nodes: Sequence[Node]
    total: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """All accounts; `totals` are equal in each currency. `rounding` is None where nothing is valued."""

    nodes: Sequence[Node]
    rounding: Amounts | None
    totals: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSheet:
    """What there is, what is owed, and the rest.

    `earnings` is all income less all expenses up to then. `equity_total` has it in, and rounding; `claims` has the
    liabilities as well, and equals the assets' total. `rounding` is None where nothing is valued.
    """

    assets: Section
    liabilities: Section
    equity: Section
    earnings: Totals
    rounding: Totals | None
    equity_total: Totals
    claims: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomeStatement:
    """What a period brought and took; `net` is the one less the other."""

    income: Section
    expenses: Section
    net: Totals


def trial_balance(figures: Sequence[Figure], shape: Shape, *, is_valued: bool) -> TrialBalance:
    """Return every account's balance in its column."""
    nodes = tree.grow(figures, shape)
    totals = tree.add_up(node.total for node in nodes)
    if not is_valued:
        return TrialBalance(nodes=nodes, rounding=None, totals=totals)
    # See Note [Rounding].
    rounding = {code: Sides.of(-sides.towards(Side.DEBIT)) for code, sides in totals.items()}
    return TrialBalance(nodes=nodes, rounding=rounding, totals=tree.add_up([totals, rounding]))


def balance_sheet(figures: Sequence[Figure], shape: Shape, *, is_valued: bool) -> BalanceSheet:
    """Return what the accounts come to, with the earnings that no account has yet."""
    codes = _codes(figures, shape)
    assets, liabilities, equity = (
        _section(figures, shape, codes, of) for of in (AccountType.ASSET, AccountType.LIABILITY, AccountType.EQUITY)
    )
    earnings = {code: -_sum(figures, code, RESULT) for code in codes}
    # All types together, which come to nothing but for it. See Note [Rounding].
    rounding = {code: _sum(figures, code, list(AccountType)) for code in codes} if is_valued else {}
    equity_total = {code: equity.total[code] + earnings[code] + rounding.get(code, 0) for code in codes}
    return BalanceSheet(
        assets=assets,
        liabilities=liabilities,
        equity=equity,
        earnings=earnings,
        rounding=rounding if is_valued else None,
        equity_total=equity_total,
        claims={code: liabilities.total[code] + equity_total[code] for code in codes},
    )


def income_statement(figures: Sequence[Figure], shape: Shape) -> IncomeStatement:
    """Return what a period's figures come to."""
    codes = _codes([figure for figure in figures if figure.type in RESULT], shape)
    income, expenses = (_section(figures, shape, codes, of) for of in RESULT)
    net = {code: income.total[code] - expenses.total[code] for code in codes}
    return IncomeStatement(income=income, expenses=expenses, net=net)


def _section(figures: Sequence[Figure], shape: Shape, codes: Collection[str], of: AccountType) -> Section:
    nodes = tree.grow([figure for figure in figures if figure.type is of], shape)
    sums = tree.add_up(node.total for node in nodes)
    total = {code: sums.get(code, Sides()).towards(of.normal_side) for code in codes}
    return Section(type=of, nodes=nodes, total=total)


def _codes(figures: Sequence[Figure], shape: Shape) -> Sequence[str]:
    """Return the currencies that the report shows."""
    return sorted({code for figure in figures for code, net in figure.nets.items() if net or shape.zero})


def _sum(figures: Sequence[Figure], code: str, types: Collection[AccountType]) -> int:
    return sum(figure.nets.get(code, 0) for figure in figures if figure.type in types)
