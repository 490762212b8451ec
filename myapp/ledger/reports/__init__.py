"""Reports of a ledger as values: pure, made of figures that `queries.reports` has read.

figures     what each account comes to
valuing     figures in one currency, by prices                  -> figures
tree        figures by path, each node with all below it        -> nodes
account     the lines of one account
statements  nodes by section, and the lines that are computed   -> reports
"""

from myapp.ledger.reports.account import AccountStatement, Flow
from myapp.ledger.reports.figures import Figure
from myapp.ledger.reports.statements import (
    RESULT,
    BalanceSheet,
    IncomeStatement,
    Section,
    TrialBalance,
    balance_sheet,
    income_statement,
    trial_balance,
)
from myapp.ledger.reports.tree import Amounts, Node, Shape, Sides
from myapp.ledger.reports.valuing import Rate, Valued, foreign, value

__all__ = [
    "RESULT",
    "AccountStatement",
    "Amounts",
    "BalanceSheet",
    "Figure",
    "Flow",
    "IncomeStatement",
    "Node",
    "Rate",
    "Section",
    "Shape",
    "Sides",
    "TrialBalance",
    "Valued",
    "balance_sheet",
    "foreign",
    "income_statement",
    "trial_balance",
    "value",
]
