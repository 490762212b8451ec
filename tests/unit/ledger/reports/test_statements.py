from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger import reports
from myapp.ledger.model import AccountType, Side
from myapp.ledger.reports import Figure, Shape

ASSET, LIABILITY, EQUITY, INCOME, EXPENSE = AccountType

NAMES = ["a", "a:b", "a:b:c", "d", "d:e", "f"]
CODES = ["EUR", "USD"]


def figure(path: str, of: AccountType, **nets: int) -> Figure:
    return Figure(path=path, type=of, nets=nets)


@st.composite
def books(draw: st.DrawFn) -> list[Figure]:
    """Return figures that come to zero in each currency, as those of any ledger do."""
    nets: dict[str, dict[str, int]] = {path: {} for path in NAMES}
    for code in CODES:
        for path in draw(st.lists(st.sampled_from(NAMES[1:]))):
            amount = draw(st.integers(-(10**25), 10**25))
            nets[path][code] = nets[path].get(code, 0) + amount
            nets[NAMES[0]][code] = nets[NAMES[0]].get(code, 0) - amount
    return [Figure(path=path, type=draw(st.sampled_from(AccountType)), nets=nets[path]) for path in NAMES]


shapes = st.builds(Shape, depth=st.none() | st.integers(1, 3), zero=st.booleans())


def sum_of(figures: Sequence[Figure], code: str, of: AccountType) -> int:
    net = sum(figure.nets.get(code, 0) for figure in figures if figure.type is of)
    return net if of.normal_side is Side.DEBIT else -net


class TestTrialBalance:
    @given(books(), shapes)
    def test_has_equal_columns_that_do_not_depend_on_its_shape(self, figures: list[Figure], shape: Shape) -> None:
        made = reports.trial_balance(figures, shape, is_valued=False)

        for code, sides in made.totals.items():
            nets = [figure.nets.get(code, 0) for figure in figures]
            assert sides.debit == sides.credit == sum(net for net in nets if net > 0)

    def test_says_what_rounding_left_over(self) -> None:
        figures = [figure("a", ASSET, USD=3), figure("b", LIABILITY, USD=-2)]

        made = reports.trial_balance(figures, Shape(), is_valued=True)

        assert made.rounding is not None
        assert (made.rounding["USD"].debit, made.rounding["USD"].credit) == (0, 1)
        assert (made.totals["USD"].debit, made.totals["USD"].credit) == (3, 3)

    def test_hides_no_difference_where_nothing_was_rounded(self) -> None:
        made = reports.trial_balance([figure("a", ASSET, USD=3)], Shape(), is_valued=False)

        assert made.rounding is None
        assert (made.totals["USD"].debit, made.totals["USD"].credit) == (3, 0)


class TestBalanceSheet:
    @given(books(), shapes)
    def test_balances_in_every_currency(self, figures: list[Figure], shape: Shape) -> None:
        made = reports.balance_sheet(figures, shape, is_valued=False)

        assert made.rounding is None
        assert made.assets.total == made.claims
        for code in made.claims:
            assert made.assets.total[code] == sum_of(figures, code, ASSET)
            assert made.liabilities.total[code] == sum_of(figures, code, LIABILITY)
            assert made.equity.total[code] == sum_of(figures, code, EQUITY)
            assert made.earnings[code] == sum_of(figures, code, INCOME) - sum_of(figures, code, EXPENSE)
            assert made.equity_total[code] == made.equity.total[code] + made.earnings[code]

    def test_says_what_rounding_left_over(self) -> None:
        figures = [figure("a", ASSET, USD=3), figure("b", LIABILITY, USD=-2), figure("c", INCOME, USD=-3)]

        made = reports.balance_sheet(figures, Shape(), is_valued=True)

        assert made.rounding == {"USD": -2}
        assert (made.earnings, made.equity_total, made.claims) == ({"USD": 3}, {"USD": 1}, {"USD": 3})
        assert made.assets.total == made.claims

    def test_hides_no_difference_where_nothing_was_rounded(self) -> None:
        made = reports.balance_sheet([figure("a", ASSET, USD=3)], Shape(), is_valued=False)

        assert (made.assets.total, made.claims) == ({"USD": 3}, {"USD": 0})

    def test_parts_accounts_of_different_types_below_one_path(self) -> None:
        figures = [
            figure("shop", ASSET, USD=1),
            figure("shop:loan", LIABILITY, USD=-5),
            figure("shop:loan:fees", EXPENSE, USD=4),
        ]

        made = reports.balance_sheet(figures, Shape(), is_valued=False)

        (asset,), (owed,) = made.assets.nodes, made.liabilities.nodes
        assert (asset.path, asset.type, asset.children) == ("shop", ASSET, [])
        assert (owed.path, owed.type, owed.own) == ("shop", None, {})
        assert [(child.path, child.type) for child in owed.children] == [("shop:loan", LIABILITY)]
        assert (made.liabilities.total, made.earnings) == ({"USD": 5}, {"USD": -4})


class TestIncomeStatement:
    @given(books(), shapes)
    def test_is_income_less_expenses(self, figures: list[Figure], shape: Shape) -> None:
        made = reports.income_statement(figures, shape)

        for code, net in made.net.items():
            assert made.income.total[code] == sum_of(figures, code, INCOME)
            assert made.expenses.total[code] == sum_of(figures, code, EXPENSE)
            assert net == made.income.total[code] - made.expenses.total[code]

    def test_knows_nothing_of_other_accounts(self) -> None:
        made = reports.income_statement([figure("a", ASSET, EUR=1), figure("b", INCOME, USD=-1)], Shape())

        assert made.net == {"USD": 1}
