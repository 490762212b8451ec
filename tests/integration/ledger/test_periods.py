"""Nothing is recorded for a period that is closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from myapp.ledger import operations, queries
from myapp.ledger.model import Ledger, LedgerChange
from tests.integration.ledger.counter import SOON, TILL, Counter
from tests.integration.ledger.desk import NOW, in_every_form, transfer

pytestmark = [in_every_form, pytest.mark.commits]

EARLY = NOW - timedelta(days=1)


def change(counter: Counter, wanted: LedgerChange, expected_version: int | None = None) -> Ledger:
    with counter.at_work() as session:
        return operations.change_ledger(session, counter.ledger, wanted, expected_version=expected_version, now=NOW)


class TestAClosedPeriod:
    def test_takes_nothing_that_counts_in_it(self, counter: Counter) -> None:
        counter.close_before(NOW)
        just_before = NOW - timedelta(microseconds=1)

        counter.refused(
            "period-locked", lambda: counter.record(transfer("1"), transfer("1", effective_at=just_before)), index=1
        )
        counter.refused("period-locked", lambda: counter.hold("1", effective_at=just_before), index=0)
        counter.record(transfer("1", effective_at=NOW))

    def test_can_be_opened_again(self, counter: Counter) -> None:
        counter.close_before(NOW)
        counter.close_before(None)

        counter.record(transfer("1", effective_at=EARLY))
        assert counter.violations() == []

    def test_that_reaches_into_the_future_takes_nothing_now(self, counter: Counter) -> None:
        held = counter.hold("1")
        counter.close_before(SOON)

        counter.refused("period-locked", lambda: counter.record(transfer("1")), index=0)
        counter.refused("period-locked", lambda: counter.post(held), index=0)
        counter.refused("period-locked", lambda: counter.void(held), index=0)
        counter.post(held, now=SOON)

    def test_comes_after_the_accounts_and_before_the_reference(self, counter: Counter) -> None:
        counter.record(transfer("1", reference="order-1"))
        counter.close_before(NOW)
        again = transfer("1", effective_at=EARLY, reference="order-1")
        counter.refused("period-locked", lambda: counter.record(again), index=0)
        counter.change(TILL, closed=True)
        counter.refused("account-closed", lambda: counter.record(again), index=0, line=0)


class TestChangingALedger:
    def test_leaves_what_is_not_named(self, counter: Counter) -> None:
        change(counter, LedgerChange(metadata={"a": "1"}, moves_period=True, locked_before=NOW))
        changed = change(counter, LedgerChange())

        assert (changed.metadata, changed.locked_before, changed.version) == ({"a": "1"}, NOW, 3)
        with counter.at_work(readonly=True) as session:
            assert queries.get_ledger(session, counter.ledger.name) == changed

    def test_is_refused_to_who_has_not_seen_the_last(self, counter: Counter) -> None:
        change(counter, LedgerChange(metadata={"a": "1"}), expected_version=1)

        counter.refused("precondition-failed", lambda: change(counter, LedgerChange(), expected_version=1))
