"""What is refused, where, and which refusal wins: the same in every form on every database."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from myapp.ledger import errors
from myapp.ledger.model import NewTransaction
from tests.integration.ledger.desk import (
    MAX,
    NOW,
    Desk,
    credit,
    debit,
    in_every_form,
    key,
    limits,
    transaction,
    transfer,
)

pytestmark = in_every_form

GOOD = transfer("1")
LOCKED = NOW - timedelta(days=30)

# Each in the order in which the first of them wins; every one but the last three is wrong whatever else is.
FAULTS = {
    "unknown-currency": transfer("1", currency="ZZZ"),
    "amount-precision": transfer("1.001"),
    "amount-out-of-range": transfer(MAX),
    "unbalanced-transaction": transaction(debit("assets:till", "1"), credit("income:sales", "2")),
    "unknown-account": transfer("1", into="assets:nowhere"),
    "account-closed": transfer("1", into="assets:closed"),
    "currency-not-allowed": transfer("1", into="assets:euros"),
    "period-locked": transfer("1", effective_at=LOCKED - timedelta(microseconds=1)),
    "duplicate-reference": transfer("1", reference="taken"),
    "insufficient-funds": transfer("50", into="income:sales", out_of="assets:till"),
    "limit-exceeded": transfer("101", currency="EUR"),
}
# These three are one stage: the first line at fault is named.
AMOUNTS = ("unknown-currency", "amount-precision", "amount-out-of-range")
# And these are judged together, transaction by transaction.
LIMITS = ("insufficient-funds", "limit-exceeded")


@pytest.fixture
def strict_shop(shop: Desk) -> Desk:
    """Return a shop in which each of FAULTS is one."""
    shop.open("assets:closed")
    shop.change("assets:closed", closed=True)
    shop.open("assets:euros", currencies=["EUR"])
    shop.record(transfer("0.01", into="assets:bank", reference="taken"))
    shop.lock_before(LOCKED)
    return shop


def refuse(shop: Desk, *wanted: NewTransaction) -> errors.Refusal:
    """Record what cannot be recorded, and make sure that nothing of it stays."""
    name = f"refused-{secrets.token_hex(4)}"
    before = shop.transactions(), shop.account("assets:till"), shop.balance("income:sales")
    with pytest.raises(errors.Refusal) as caught:
        shop.record(*wanted, claim=key(name))
    assert (shop.transactions(), shop.account("assets:till"), shop.balance("income:sales")) == before
    # A request that failed is not remembered: the key is free.
    elsewhere = transfer("1", into="assets:bank", currency="JPY")
    assert not shop.record(elsewhere, claim=key(name, b"another")).replayed
    return caught.value


class TestEachFault:
    @pytest.mark.parametrize("code", FAULTS)
    def test_is_refused_by_its_code_and_leaves_no_trace(self, strict_shop: Desk, code: str) -> None:
        refused = refuse(strict_shop, GOOD, FAULTS[code])

        assert (refused.code, refused.index) == (code, 1)
        assert strict_shop.violations() == []

    @pytest.mark.parametrize(
        ("wanted", "line"),
        [
            (transaction(debit("assets:till", "1"), credit("income:sales", "1", "ZZZ")), 1),
            (transaction(debit("assets:till", "1"), credit("income:sales", "1.001")), 1),
            (transaction(debit("assets:till", "1"), credit("income:nowhere", "1")), 1),
            (transaction(credit("income:sales", "1"), debit("assets:closed", "1")), 1),
            (transaction(credit("income:sales", "1"), debit("assets:euros", "1")), 1),
            (transaction(debit("assets:bank", "1"), credit("assets:till", "1")), 1),
        ],
    )
    def test_names_the_line(self, strict_shop: Desk, wanted: NewTransaction, line: int) -> None:
        refused = refuse(strict_shop, wanted)

        assert (refused.index, refused.line) == (0, line)

    @pytest.mark.parametrize(
        "wanted",
        [
            [],
            [transaction(debit("assets:till", "1"))],
            [transaction(debit("assets:till", "0"), credit("income:sales", "0"))],
            [transaction(debit("assets:till", "-1"), credit("income:sales", "-1"))],
            [transaction(debit("assets:till", "NaN"), credit("income:sales", "NaN"))],
        ],
    )
    def test_of_shape_is_refused(self, shop: Desk, wanted: Sequence[NewTransaction]) -> None:
        assert refuse(shop, *wanted).code == "validation-failed"


class TestWhichRefusalWins:
    @pytest.mark.parametrize("first", FAULTS)
    def test_the_earlier_stage_over_the_earlier_transaction(self, strict_shop: Desk, first: str) -> None:
        stages = list(FAULTS)
        later = [code for code in stages[stages.index(first) + 1 :] if not {first, code} <= set(AMOUNTS)]
        later = [code for code in later if not {first, code} <= set(LIMITS)]

        for code in later:
            with pytest.raises(errors.Refusal) as caught:
                strict_shop.record(FAULTS[code], FAULTS[first])
            assert (caught.value.code, caught.value.index) == (first, 1), f"{code} won over {first}"

    def test_the_earlier_transaction_within_a_stage(self, strict_shop: Desk) -> None:
        for group in (AMOUNTS, LIMITS):
            for code in group:
                rest = [FAULTS[other] for other in group if other != code]
                refused = refuse(strict_shop, FAULTS[code], *rest)
                assert (refused.code, refused.index) == (code, 0)

    def test_too_low_over_too_high_in_one_transaction(self, shop: Desk) -> None:
        wanted = transaction(
            debit("assets:till", "101", "EUR"), credit("income:sales", "101", "EUR"),
            debit("income:sales", "1"), credit("assets:till", "1"),
        )  # fmt: skip

        refused = refuse(shop, wanted)

        assert (refused.code, refused.line) == ("insufficient-funds", 3)

    def test_a_key_used_by_another_request_over_everything(self, strict_shop: Desk) -> None:
        strict_shop.record(GOOD, claim=key("used"))

        for code, wanted in FAULTS.items():
            with pytest.raises(errors.IdempotencyMismatch):
                strict_shop.record(wanted, claim=key("used", code.encode()))


class TestReferences:
    def test_names_the_transaction_that_has_it(self, shop: Desk) -> None:
        (first,) = shop.record(transfer("1", reference="order-1")).transactions

        refused = refuse(shop, transfer("1", reference="order-2"), transfer("1", reference="order-1"))

        assert (refused.code, refused.index, refused.transaction_id) == ("duplicate-reference", 1, first.id)

    def test_may_not_occur_twice_in_a_batch(self, shop: Desk) -> None:
        refused = refuse(shop, *(transfer("1", reference=name) for name in ("a", "b", "c", "b")))

        assert (refused.code, refused.index, refused.transaction_id) == ("duplicate-reference", 3, None)


class TestLimits:
    def test_a_batch_means_its_transactions_one_after_the_other(self, shop: Desk) -> None:
        spend, earn = transfer("5", into="assets:bank", out_of="assets:till"), transfer("5")

        assert len(shop.record(earn, spend).transactions) == 2
        refused = refuse(shop, GOOD, spend, earn)
        assert (refused.code, refused.index, refused.line) == ("insufficient-funds", 1, 1)

    def test_of_a_credit_normal_account_are_in_its_own_direction(self, shop: Desk) -> None:
        shop.open("income:gifts", {"USD": limits("0", "20")})

        shop.record(transfer("20", out_of="income:gifts"))

        assert refuse(shop, transfer("0.01", out_of="income:gifts")).code == "limit-exceeded"
        assert refuse(shop, transfer("20.01", into="income:gifts", out_of="assets:bank")).code == "insufficient-funds"

    def test_hold_to_the_last_cent(self, shop: Desk) -> None:
        shop.record(transfer("100", currency="EUR"))

        assert refuse(shop, transfer("0.01", currency="EUR")).code == "limit-exceeded"
        shop.record(transfer("100", into="income:sales", out_of="assets:till", currency="EUR"))
        assert refuse(shop, transfer("0.01", into="income:sales", out_of="assets:till", currency="EUR")).code == (
            "insufficient-funds"
        )


class TestRange:
    MOST = Decimal("92233720368547758.07")

    def test_refuses_to_overflow_a_counter(self, shop: Desk) -> None:
        shop.record(transfer(self.MOST))

        refused = refuse(shop, transfer("0.01", into="assets:bank", out_of="assets:till"), transfer("0.01"))

        assert (refused.code, refused.index, refused.line) == ("amount-out-of-range", 1, 0)

    def test_refuses_a_batch_whose_sum_alone_does_not_fit(self, shop: Desk) -> None:
        shop.open("assets:vault")

        refused = refuse(shop, transfer(self.MOST, into="assets:bank"), transfer("0.01", into="assets:vault"))

        assert (refused.code, refused.index, refused.line) == ("amount-out-of-range", 1, 1)

    def test_counters_stay_whole_numbers_up_to_the_last(self, shop: Desk) -> None:
        shop.record(transfer(self.MOST, into="assets:bank"))
        shop.record(transfer(self.MOST, into="income:sales", out_of="assets:bank"))

        counters = shop.account("assets:bank").balances["USD"]

        assert (counters.debits_posted, counters.credits_posted) == (2**63 - 1, 2**63 - 1)
        assert type(counters.debits_posted) is int
        assert shop.violations() == []

    def test_within_a_transaction(self, shop: Desk) -> None:
        most = self.MOST
        huge = transaction(
            debit("assets:bank", most),
            debit("assets:till", most),
            credit("income:sales", most),
            credit("income:sales", most),
        )

        refused = refuse(shop, huge)

        assert (refused.code, refused.line) == ("amount-out-of-range", 3)
