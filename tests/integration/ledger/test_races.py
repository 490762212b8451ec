"""Two connections at once: whatever one sees, the books hold."""

from __future__ import annotations

import functools

import pytest

from tests.integration.ledger.desk import Desk, at_once, in_every_form, limits, transfer

pytestmark = [in_every_form, pytest.mark.commits]

ACTORS = 4
EACH = 10


class TestTwoAtOnce:
    def test_do_not_overdraw(self, shop: Desk) -> None:
        shop.record(transfer("1.50"))
        take_one = transfer("1", into="income:sales", out_of="assets:till")

        ends = at_once(*[lambda: shop.record(take_one)] * ACTORS)

        assert ends == ["done", *["insufficient-funds"] * (ACTORS - 1)]
        assert shop.balance("assets:till") == 50

    def test_do_not_share_a_reference(self, shop: Desk) -> None:
        ends = at_once(*[lambda: shop.record(transfer("1", reference="order-1"))] * ACTORS)

        assert ends == ["done", *["duplicate-reference"] * (ACTORS - 1)]
        assert shop.balance("assets:till") == 100

    def test_do_not_wait_for_each_other(self, shop: Desk) -> None:
        """Each moves money between the same accounts, in opposite order."""
        shop.record(transfer("100"), transfer("100", into="assets:bank"))

        def there_and_back() -> None:
            for _ in range(EACH):
                shop.record(
                    transfer("1", into="assets:bank", out_of="assets:till"),
                    transfer("1", into="assets:bank", out_of="assets:till", currency="JPY"),
                )
                shop.record(transfer("1", into="assets:till", out_of="assets:bank"))

        assert at_once(*[there_and_back] * ACTORS) == ["done"] * ACTORS
        assert shop.balance("assets:till") == shop.balance("assets:bank") == 10_000
        assert shop.violations() == []

    def test_limits_and_postings_are_judged_one_after_the_other(self, shop: Desk) -> None:
        shop.record(transfer("10", into="assets:bank"))

        ends = at_once(
            lambda: shop.change("assets:bank", limits={"USD": limits("10")}),
            lambda: shop.record(transfer("1", into="income:sales", out_of="assets:bank")),
        )

        assert ends == ["done", "insufficient-funds"]
        assert shop.violations() == []

    def test_do_not_both_change_what_only_one_has_seen(self, shop: Desk) -> None:
        for version in range(1, 6):
            change = functools.partial(shop.change, "assets:bank", expected_version=version, metadata={})

            assert at_once(*[change] * ACTORS) == ["done", *["precondition-failed"] * (ACTORS - 1)]
