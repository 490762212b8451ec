"""Conditions are judged under the lock, on the account as it was before the transaction."""

from __future__ import annotations

from decimal import Decimal

import pytest

from myapp.ledger.model import Condition
from tests.integration.ledger.counter import SALES, TILL, Counter, conditional, hold
from tests.integration.ledger.desk import in_every_form, transfer

pytestmark = [in_every_form, pytest.mark.commits]


def at_version(version: int) -> Condition:
    return Condition(version=version)


def with_available(amount: str) -> Condition:
    return Condition(min_available=Decimal(amount))


class TestACondition:
    def test_is_about_the_number_of_postings(self, counter: Counter) -> None:
        counter.record(conditional(transfer("1"), 0, at_version(1)))

        counter.refused(
            "condition-failed", lambda: counter.record(conditional(transfer("1"), 0, at_version(1))), index=0, line=0
        )
        counter.record(conditional(transfer("1", currency="EUR"), 0, at_version(0)))

    def test_is_about_what_is_available_before(self, counter: Counter) -> None:
        counter.hold("30")
        spend = transfer("50", into=SALES, out_of=TILL)

        counter.refused(
            "condition-failed", lambda: counter.record(conditional(spend, 1, with_available("70.01"))), index=0, line=1
        )
        counter.record(conditional(spend, 1, with_available("70")))
        assert counter.available() == 2_000

    def test_may_be_of_a_hold(self, counter: Counter) -> None:
        counter.refused(
            "condition-failed",
            lambda: counter.record(conditional(hold("1"), 1, with_available("100.01"))),
            index=0,
            line=1,
        )
        counter.record(conditional(hold("1"), 1, with_available("100")))

    def test_sees_what_comes_earlier_in_a_batch_and_not_in_the_transaction(self, counter: Counter) -> None:
        both = [
            conditional(transfer("10"), 0, at_version(1)),
            conditional(transfer("10", into=SALES, out_of=TILL), 1, Condition(version=2, min_available=Decimal(110))),
        ]
        counter.record(*both)

        counter.refused(
            "condition-failed",
            lambda: counter.record(transfer("1"), conditional(transfer("1"), 0, at_version(3))),
            index=1,
            line=0,
        )

    def test_in_more_digits_than_the_currency_is_no_amount(self, counter: Counter) -> None:
        wanted = conditional(transfer("1"), 0, with_available("1.001"))
        counter.refused("amount-precision", lambda: counter.record(wanted), index=0, line=0)
        wanted = conditional(transfer("1"), 0, with_available(str(2**63)))
        counter.refused("amount-out-of-range", lambda: counter.record(wanted), index=0, line=0)

    def test_comes_before_limits_and_after_the_rest(self, counter: Counter) -> None:
        spend = conditional(transfer("101", into=SALES, out_of=TILL, reference="order-1"), 1, at_version(9))
        counter.refused("condition-failed", lambda: counter.record(spend), index=0, line=1)
        holder = counter.record(transfer("0.01", reference="order-1")).transactions[0]
        counter.refused("duplicate-reference", lambda: counter.record(spend), index=0, transaction=holder)
