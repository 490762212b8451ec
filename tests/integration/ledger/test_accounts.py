"""Ledgers, currencies and accounts, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from myapp.ledger import errors, operations, queries
from myapp.ledger.model import AccountType, Counters, Currency, Ledger, Limits
from tests.integration.ledger.desk import NOW, Desk, limits, transfer


class TestLedgers:
    def test_a_name_is_taken_once(self, desk: Desk) -> None:
        with pytest.raises(errors.AlreadyExists), desk.at_work() as session:
            operations.create_ledger(session, desk.ledger.name, metadata={}, now=NOW)

    def test_have_a_name_that_can_be_an_address(self, desk: Desk) -> None:
        for name in ("", "a/b", "-a", "a\n", "a" * 101):
            with pytest.raises(errors.InvalidValue), desk.at_work() as session:
                operations.create_ledger(session, name, metadata={}, now=NOW)

    def test_are_found_by_name(self, desk: Desk) -> None:
        name = f"{desk.ledger.name}-with-metadata"
        with desk.at_work() as session:
            created = operations.create_ledger(session, name, metadata={"owner": "Zoë"}, now=NOW)

        with desk.at_work(readonly=True) as session:
            assert queries.get_ledger(session, name) == created
            with pytest.raises(errors.NotFound):
                queries.get_ledger(session, name + "-not")

    def test_are_listed_by_name_in_pages(self, desk: Desk) -> None:
        names = [f"{desk.ledger.name}.{letter}" for letter in "BZa"]
        with desk.at_work() as session:
            for name in reversed(names):
                operations.create_ledger(session, name, metadata={}, now=NOW)

        with desk.at_work(readonly=True) as session:
            first = queries.list_ledgers(session, after=desk.ledger.name, limit=2)
            second = queries.list_ledgers(session, after=first[-1].name, limit=1)
            only = queries.list_ledgers(session, after=None, limit=10, only=desk.ledger.id)

        assert [ledger.name for ledger in (*first, *second)] == names
        assert only == [desk.ledger]


class TestCurrencies:
    def declare(self, desk: Desk, code: str, exponent: int) -> bool:
        with desk.at_work() as session:
            return operations.declare_currency(session, desk.ledger, Currency(code=code, exponent=exponent), now=NOW)

    def test_are_new_once(self, desk: Desk) -> None:
        assert [self.declare(desk, "HOOL", 4), self.declare(desk, "HOOL", 4), self.declare(desk, "USD", 2)] == [
            True,
            False,
            True,
        ]

    def test_never_change_their_exponent(self, desk: Desk) -> None:
        self.declare(desk, "HOOL", 4)

        for code, exponent in {"HOOL": 5, "USD": 3}.items():
            with pytest.raises(errors.AlreadyExists):
                self.declare(desk, code, exponent)

    @pytest.mark.parametrize(("code", "exponent"), [("", 2), ("usd", 2), ("A/B", 2), ("HOOL", 19), ("HOOL", -1)])
    def test_have_a_code_and_an_exponent_that_all_can_say(self, desk: Desk, code: str, exponent: int) -> None:
        with pytest.raises(errors.InvalidValue):
            self.declare(desk, code, exponent)

    def test_of_one_ledger_say_nothing_about_another(self, desk: Desk, sessions) -> None:
        with desk.at_work() as session:
            other = operations.create_ledger(session, f"{desk.ledger.name}-other", metadata={}, now=NOW)
        self.declare(desk, "HOOL", 4)

        assert self.declare(Desk(sessions, other), "HOOL", 0)

    def test_without_a_smallest_unit_are_known_once_declared(self, desk: Desk) -> None:
        desk.open("assets:gold")
        desk.open("income:gold")
        gold = transfer("1.5", into="assets:gold", out_of="income:gold", currency="XAU")

        with pytest.raises(errors.UnknownCurrency):
            desk.record(gold)
        self.declare(desk, "XAU", 3)
        desk.record(gold)

        assert desk.balance("assets:gold", "XAU") == 1_500

    def test_are_listed_by_code(self, desk: Desk) -> None:
        for code in ("B_", "BA", "A"):
            self.declare(desk, code, 1)

        with desk.at_work(readonly=True) as session:
            first = queries.list_currencies(session, desk.ledger, after=None, limit=2)
            second = queries.list_currencies(session, desk.ledger, after=first[-1].code, limit=2)
            known = queries.exponents(session, desk.ledger, ["A", "EUR", "XAU", "nonsense"])

        assert [currency.code for currency in (*first, *second)] == ["A", "BA", "B_"]
        assert known == {"A": 1, "EUR": 2}


class TestOpening:
    def test_returns_the_account_empty(self, desk: Desk) -> None:
        opened = desk.open("assets:till", {"USD": limits("-5", "10"), "EUR": limits("0")}, currencies=["USD", "EUR"])

        assert opened == desk.account("assets:till")
        assert opened.limits == {
            "USD": Limits(min_minor=-500, max_minor=1_000),
            "EUR": Limits(min_minor=0),
        }
        assert opened.balances == {"USD": Counters(), "EUR": Counters()}
        assert (opened.version, opened.closed_at, opened.currencies) == (1, None, ["USD", "EUR"])

    def test_keeps_the_limits_of_a_credit_normal_account_in_its_direction(self, desk: Desk) -> None:
        wanted = Limits(min_minor=-500, max_minor=1_000)

        assert desk.open("income:x", {"USD": limits("-5", "10")}).limits == {"USD": wanted}

    def test_refuses_a_path_that_is_taken(self, desk: Desk) -> None:
        desk.open("assets:till")

        with pytest.raises(errors.AlreadyExists):
            desk.open("assets:till", account_type=AccountType.EXPENSE)

    @pytest.mark.parametrize(
        ("wanted", "refusal"),
        [
            ({"ZZZ": limits("0")}, errors.UnknownCurrency),
            ({"USD": limits("0.001")}, errors.AmountPrecision),
            ({"USD": limits("1e17")}, errors.AmountOutOfRange),
            ({"USD": limits("NaN", "1")}, errors.AmountOutOfRange),
            ({"USD": limits("1", "0.99")}, errors.InvalidValue),
            ({"EUR": limits("0"), "USD": limits("0.01")}, errors.InsufficientFunds),
            ({"USD": limits(None, "-0.01")}, errors.LimitExceeded),
        ],
    )
    @pytest.mark.parametrize("path", ["assets:till", "income:sales"])
    def test_refuses_limits_that_make_no_sense(self, desk: Desk, path: str, wanted, refusal) -> None:
        with pytest.raises(refusal):
            desk.open(path, wanted)
        with pytest.raises(errors.NotFound):
            desk.account(path)

    @pytest.mark.parametrize("path", ["", "a\nb::", "a::b", "a:", "a/b", "a" * 251])
    def test_refuses_a_path_that_no_request_could_name(self, desk: Desk, path: str) -> None:
        with pytest.raises(errors.InvalidValue):
            desk.open(path, account_type=AccountType.ASSET)

    @pytest.mark.parametrize("currencies", [[], ["USD", "EUR", "USD"]])
    def test_refuses_a_list_of_currencies_without_sense(self, desk: Desk, currencies: list[str]) -> None:
        with pytest.raises(errors.InvalidValue):
            desk.open("assets:till", currencies=currencies)

    def test_refuses_limits_in_a_currency_that_the_account_does_not_take(self, desk: Desk) -> None:
        with pytest.raises(errors.CurrencyNotAllowed):
            desk.open("assets:till", {"EUR": limits("0")}, currencies=["USD"])

    def test_refuses_currencies_that_do_not_exist(self, desk: Desk) -> None:
        with pytest.raises(errors.UnknownCurrency):
            desk.open("assets:till", currencies=["USD", "ZZZ"])


class TestChanging:
    @pytest.fixture
    def till(self, desk: Desk) -> Desk:
        desk.open("assets:till", {"USD": limits("0", "10")})
        desk.open("income:sales")
        desk.record(transfer("5"))
        return desk

    def test_replaces_the_limits_it_names(self, till: Desk) -> None:
        changed = till.change("assets:till", limits={"USD": limits(None, "5"), "EUR": limits("0")})

        assert changed.limits == {"USD": Limits(max_minor=500), "EUR": Limits(min_minor=0)}
        assert till.change("assets:till", limits={"USD": None, "JPY": None}).limits == {"EUR": Limits(min_minor=0)}
        assert till.balance("assets:till") == 500

    @pytest.mark.parametrize(
        ("wanted", "refusal"),
        [
            (limits("5.01"), errors.InsufficientFunds),
            (limits(None, "4.99"), errors.LimitExceeded),
            (limits("6", "5"), errors.InvalidValue),
        ],
    )
    def test_refuses_limits_that_the_balance_breaks_or_none_could_keep(self, till: Desk, wanted, refusal) -> None:
        with pytest.raises(refusal):
            till.change("assets:till", limits={"USD": wanted})
        assert till.account("assets:till").limits == {"USD": Limits(min_minor=0, max_minor=1_000)}

    def test_refuses_limits_in_a_currency_that_the_account_does_not_take(self, desk: Desk) -> None:
        desk.open("assets:till", currencies=["USD"])

        with pytest.raises(errors.CurrencyNotAllowed):
            desk.change("assets:till", limits={"EUR": limits("0")})
        assert desk.change("assets:till", limits={"EUR": None}).limits == {}

    def test_closes_and_opens_again(self, till: Desk) -> None:
        closed = till.change("assets:till", closed=True)
        still = till.change("assets:till", closed=True)

        assert closed.closed_at == still.closed_at == NOW
        with pytest.raises(errors.AccountClosed):
            till.record(transfer("1"))
        assert till.change("assets:till", closed=False).closed_at is None
        till.record(transfer("1"))

    def test_needs_the_version_the_caller_has_seen(self, till: Desk) -> None:
        changed = till.change("assets:till", expected_version=1, metadata={"a": "b"})

        assert (changed.version, changed.metadata) == (2, {"a": "b"})
        with pytest.raises(errors.PreconditionFailed):
            till.change("assets:till", expected_version=1, metadata={})
        with pytest.raises(errors.NotFound):
            till.change("assets:nowhere", metadata={})


class TestListing:
    def test_pages_by_path_with_balances(self, desk: Desk) -> None:
        for path in ("assets:b", "assets:a", "income:a", "assets:Z", "assets"):
            desk.open(path, account_type=AccountType.ASSET if path.startswith("assets") else AccountType.INCOME)
        desk.record(transfer("5", into="assets:a", out_of="income:a"))

        with desk.at_work(readonly=True) as session:
            everything = queries.list_accounts(session, desk.ledger, after=None, limit=10)
            under = queries.list_accounts(session, desk.ledger, prefix="assets:", after=None, limit=2)
            rest = queries.list_accounts(session, desk.ledger, prefix="assets:", after=under[-1].path, limit=2)
            income = queries.list_accounts(session, desk.ledger, type=AccountType.INCOME, after=None, limit=2)

        assert [account.path for account in everything] == ["assets", "assets:Z", "assets:a", "assets:b", "income:a"]
        assert [account.path for account in (*under, *rest)] == ["assets:Z", "assets:a", "assets:b"]
        assert [account.path for account in income] == ["income:a"]
        assert under[1].balances == {"USD": Counters(debits_posted=500)}

    def test_times_come_back_as_they_were(self, desk: Desk) -> None:
        opened = desk.open("assets:till")

        assert opened.created_at == NOW
        assert opened.created_at.utcoffset() == timedelta(0)


def test_an_unused_ledger_holds(desk: Desk, ledger: Ledger) -> None:
    assert desk.violations() == []
