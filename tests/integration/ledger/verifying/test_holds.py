"""What is wrong with a hold, a reversal, an event or a setting is found, whole and incrementally."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from myapp.ledger import ids, tables
from tests.integration.ledger import story
from tests.integration.ledger.desk import NOW, Desk
from tests.integration.ledger.story import Story
from tests.integration.ledger.verifying.test_incremental import violated

hold_lines, holds, postings = tables.hold_lines, tables.holds, tables.postings
events, transactions = tables.events, tables.transactions

# By the checks that find it: what to tamper with. Those after the stroke are found by a whole run alone.
TAMPERING: dict[str, tuple[Callable[[Story], sa.Update | sa.Delete], set[str], set[str]]] = {
    "what remains of a line": (
        lambda told: sa.update(hold_lines)
        .where(hold_lines.c.transaction_id == told.waiting, hold_lines.c.line == 0)
        .values(remaining=hold_lines.c.remaining - 1),
        {"holds-agree"}, set(),
    ),
    "what remains, between two lines of one balance": (
        lambda told: sa.update(hold_lines)
        .where(hold_lines.c.transaction_id == told.part_posted, hold_lines.c.line < 2)
        .values(remaining=sa.case((hold_lines.c.line == 0, 11), else_=1)),
        {"holds-agree"}, set(),
    ),
    "a line of a hold": (
        lambda told: sa.delete(hold_lines).where(hold_lines.c.transaction_id == told.waiting, hold_lines.c.line == 0),
        {"holds-agree"}, {"holds-are-kept"},
    ),
    **{
        f"the state of {fate}": (
            lambda told, fate=fate, state=state: sa.update(holds)
            .where(holds.c.transaction_id == getattr(told, fate))
            .values(state=state),
            {"holds-agree"}, set(),
        )
        for fate, state in {
            "waiting": "posted", "part_posted": "voided", "posted": "voided", "voided": "expired",
            "expired": "voided", "final_part": "pending",
        }.items()
    },
    "the posts of a hold": (
        lambda told: sa.update(holds).where(holds.c.transaction_id == told.posted).values(posts=2),
        {"holds-agree"}, set(),
    ),
    "the reversed posts of a hold": (
        lambda told: sa.update(holds).where(holds.c.transaction_id == told.part_posted).values(reversed_posts=0),
        {"holds-agree"}, set(),
    ),
    "the reversed posts of a hold that is reversed": (
        lambda told: sa.update(holds).where(holds.c.transaction_id == told.posted).values(reversed_posts=0),
        {"holds-agree"}, set(),
    ),
    "when a hold expires": (
        lambda told: sa.update(holds).where(holds.c.transaction_id == told.waiting).values(expires_at=NOW),
        set(), {"holds-are-kept"},
    ),
    "what a reversal reverses": (
        lambda told: sa.update(transactions).where(transactions.c.id == told.reversal).values(reverses=told.waiting),
        {"reversals-mirror"}, set(),
    ),
    "what effect a posting has": (
        lambda told: sa.update(postings)
        .where(postings.c.transaction_id == told.sale)
        .values(effect="taken"),
        {"effects-agree", "postings-follow-each-other"},
        {"counters-are-sums", "day-totals-are-sums"},
    ),
    "what a posted transaction is": (
        lambda told: sa.update(transactions).where(transactions.c.id == told.sale).values(status="pending"),
        {"effects-agree", "events-are-complete"}, {"holds-are-kept"},
    ),
    "what an event is of": (
        lambda told: sa.update(events).where(events.c.id == told.sale).values(id=ids.new_id(NOW)),
        {"events-are-complete"}, set(),
    ),
    "when an event was": (
        lambda told: sa.update(events).where(events.c.id == told.sale).values(recorded_at=NOW + timedelta(days=1)),
        {"events-are-complete"}, set(),
    ),
}  # fmt: skip


@pytest.fixture
def told(desk: Desk) -> Story:
    return story.tell(desk)


class TestVerify:
    def test_finds_nothing_in_an_honest_story(self, told: Story) -> None:
        assert told.desk.violations() == []
        assert violated(told.desk) == set()

    @pytest.mark.parametrize("what", TAMPERING)
    def test_finds_tampering_with(self, told: Story, what: str) -> None:
        statement, expected, when_whole = TAMPERING[what]
        with told.desk.at_work() as session:
            change = statement(told)
            assert session.execute(change.where(change.table.c.ledger_id == told.desk.ledger.id)).rowcount >= 1

        assert set(told.desk.violations()) == expected | when_whole
        assert violated(told.desk) - when_whole == expected
