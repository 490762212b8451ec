"""What docs/sessions.md says of each way to come by a session is so, at a size that takes seconds.

Only what must come out the same each time is held here; what threads do to a session they share varies.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.sessions import failures, leftovers, memory, staleness, statements
from tests.benchmarks.sessions.findings import Leftovers, Share
from tests.benchmarks.sessions.outside import Outside
from tests.benchmarks.sessions.staleness import ACCOUNTS_PER_THREAD
from tests.benchmarks.sessions.strategies import (
    CALL,
    PROCESS,
    PROCESS_ROLLBACK,
    PROCESS_THREADS,
    REQUEST,
    SCOPE_FUNCTION,
    THREAD_REMOVED,
    THREAD_ROLLBACK,
    THREADS,
    Setup,
    Strategy,
)

REQUESTS = 8
ALL = REQUESTS * THREADS

ending_with_the_request = pytest.mark.parametrize(
    "strategy", [THREAD_REMOVED, SCOPE_FUNCTION, CALL, REQUEST], ids=lambda strategy: strategy.name
)


class TestStaleness:
    def test_is_shown_by_a_session_that_lives_on_only_where_objects_are_kept(self, setup: Setup, outside: Outside):
        found = staleness.measure(THREAD_ROLLBACK, setup, outside, REQUESTS)

        all_but_the_first_of_each = Share(count=ALL - THREADS * ACCOUNTS_PER_THREAD, of=ALL)
        assert found.kept == found.overwritten == all_but_the_first_of_each
        assert found.plain == Share(count=0, of=ALL)

    def test_is_not_cured_by_expiring_on_commit(self, expiring: Setup, outside: Outside):
        found = staleness.measure(THREAD_ROLLBACK, expiring, outside, REQUESTS)

        assert found.kept == Share(count=ALL - THREADS * ACCOUNTS_PER_THREAD, of=ALL)
        assert found.overwritten == Share(count=ALL // 2, of=ALL)

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_is_total_in_a_snapshot_that_never_ends(self, setup: Setup, outside: Outside):
        found = staleness.measure(THREAD_ROLLBACK, setup, outside, REQUESTS)

        assert found.repeatable == Share(count=ALL - THREADS, of=ALL)

    @ending_with_the_request
    def test_ends_with_the_request(self, strategy: Strategy, setup: Setup, outside: Outside):
        found = staleness.measure(strategy, setup, outside, REQUESTS)

        assert found.plain == found.kept == found.overwritten == Share(count=0, of=ALL)
        assert found.repeatable in (None, Share(count=0, of=ALL))
        assert not found.errors


class TestFailures:
    def test_half_of_the_failed_work_stays_and_the_next_are_refused_where_the_rollback_was_forgotten(
        self, setup: Setup, outside: Outside
    ):
        found = failures.measure(PROCESS, setup, outside, 2 * REQUESTS)

        assert found.half_done.count > 0
        assert found.refused.count > 0
        assert set(found.errors) == {"PendingRollbackError"}

    def test_leave_nothing_where_the_rollback_was_remembered(self, setup: Setup, outside: Outside):
        found = failures.measure(PROCESS_ROLLBACK, setup, outside, 2 * REQUESTS)

        assert found.half_done.of > 0
        assert (found.half_done.count, found.lost.count, found.refused.count) == (0, 0, 0)

    def test_of_one_thread_undo_the_work_of_another_that_shares_the_session(self, setup: Setup, outside: Outside):
        assert failures.undoes_its_neighbours_work(PROCESS_THREADS, setup, outside)

    def test_always_leave_half_where_each_call_commits(self, setup: Setup, outside: Outside):
        found = failures.measure(CALL, setup, outside, REQUESTS)

        assert found.half_done.count == found.half_done.of > 0

    def test_leave_nothing_and_touch_nobody_where_the_session_is_joined_to_the_request(
        self, setup: Setup, outside: Outside
    ):
        found = failures.measure(REQUEST, setup, outside, REQUESTS)

        assert found.half_done.of > 0
        assert (found.half_done.count, found.lost.count, found.refused.count) == (0, 0, 0)
        assert found.undone is False


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
class TestLeftovers:
    def test_are_a_transaction_for_each_thread_whose_session_lives_on(self, setup: Setup, outside: Outside):
        found = leftovers.measure(THREAD_ROLLBACK, setup, outside)

        assert (found.idle_after_reads, found.idle_after_changes, found.idle_after_failures) == (THREADS, 0, 0)

    def test_come_back_after_the_commit_where_it_expires_what_is_shown(self, expiring: Setup, outside: Outside):
        assert leftovers.measure(THREAD_ROLLBACK, expiring, outside).idle_after_changes == THREADS

    @ending_with_the_request
    def test_are_none_where_the_session_ends(self, strategy: Strategy, expiring: Setup, outside: Outside):
        assert leftovers.measure(strategy, expiring, outside) == Leftovers(
            checked_out_after_reads=0,
            checked_out_after_changes=0,
            checked_out_after_failures=0,
            idle_after_reads=0,
            idle_after_changes=0,
            idle_after_failures=0,
        )


class TestStatements:
    def test_are_saved_by_a_session_that_remembers(self, setup: Setup):
        found = statements.measure(THREAD_ROLLBACK, setup)

        assert (found.read, found.read_kept, found.change, found.ends_change) == (1, 0, 2, 1)

    def test_are_one_more_for_each_object_shown_after_a_commit_that_expires(self, expiring: Setup):
        found = statements.measure(THREAD_REMOVED, expiring)

        assert (found.change, found.ends_change) == (3, 2)

    def test_are_the_work_itself_where_the_session_is_joined_to_the_request(self, expiring: Setup):
        found = statements.measure(REQUEST, expiring)

        assert (found.read, found.read_kept, found.change) == (1, 1, 2)
        assert (found.ends_read, found.ends_change) == (1, 1)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
class TestMemory:
    def test_is_let_go_by_a_session_that_lives_on(self, setup: Setup):
        assert memory.measure(THREAD_ROLLBACK, setup, requests=100).objects == 0

    def test_holds_no_session_where_it_ends_with_the_request(self, setup: Setup):
        assert memory.measure(REQUEST, setup, requests=100).sessions == 0
