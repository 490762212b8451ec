"""A comparison knows how many transactions a side must have recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.benchmarks import sides, turns
from tests.benchmarks.cluster import Cluster
from tests.benchmarks.load.order import Call, Outcome
from tests.benchmarks.running import Load
from tests.benchmarks.turns import Contestant, Turn, rounds


@dataclass
class Counted:
    """Books that only know how many transactions they have."""

    count: int

    def prepare(self, cluster: Cluster, database: str) -> None:
        """Make nothing."""

    def recorded(self, url: str) -> int:
        return self.count

    def violations(self, url: str) -> Sequence[str]:
        return []


@dataclass
class Answering:
    """A side that answers each load with the same statuses."""

    statuses: dict[str, int]
    loads: list[Load] = field(default_factory=list)

    def give(self, load: Load) -> Outcome:
        self.loads.append(load)
        return Outcome(
            seconds=1.0, statuses=self.statuses, latency={}, cpu_seconds=0.0, lag=None, first_refusal="said no"
        )

    def cpu_seconds(self) -> float:
        return 0.0

    def stop(self) -> None:
        """Do nothing."""


def contestant(recorded: int, *loads: Load) -> Contestant:
    """Return a side with so many transactions, whose every load had 5 accepted, 2 refused and 1 lost."""
    side = dataclasses.replace(sides.ALL[0], ledger=Counted(recorded))
    made = Contestant(side, "postgresql://nowhere", Answering({"201": 5, "409": 2, "lost": 1}))
    for load in loads:
        made.give(load)
    return made


def load(*, transactions: int) -> Load:
    return Load(calls=[Call(path="/", body="{}", transactions=transactions)], seconds=1.0, key="k")


class TestContestant:
    def test_remembers_the_first_refusal(self):
        assert contestant(0, load(transactions=1)).first_refusal == "said no"

    @pytest.mark.parametrize("recorded", [5, 6])
    def test_may_have_recorded_what_got_lost(self, recorded: int):
        assert turns.miscounted(contestant(recorded, load(transactions=1))) == []

    @pytest.mark.parametrize("recorded", [4, 7])
    def test_must_not_have_recorded_less_or_more(self, recorded: int):
        (told,) = turns.miscounted(contestant(recorded, load(transactions=1)))

        assert told == f"{recorded} transactions are recorded, 5 were accepted and 1 lost"

    def test_counts_each_transaction_of_a_batch_and_none_of_a_read(self):
        given = [load(transactions=100), load(transactions=0), load(transactions=1)]

        assert contestant(0, *given).accepted == 505


class TestRounds:
    def test_have_the_first_side_beside_each_other_and_then_all_sides_at_each_rate(self):
        closed = [(0, "a", None), (1, "b", None), (2, "a", None)]

        assert rounds(["a", "b"], [50.0, 60.0]) == [*closed, (0, "a", 50), (1, "b", 50), (0, "a", 60), (1, "b", 60)]

    def test_of_one_side_are_its_own(self):
        assert rounds(["a"], []) == [Turn(0, "a", None)]


class TestRatesFor:
    def test_are_shares_of_what_the_slowest_does_in_round_figures(self):
        assert turns.rates_for(71.3) == [18.0, 36.0]
        assert turns.rates_for(1234.0) == [310.0, 620.0]

    def test_are_one_in_two_seconds_at_least(self):
        assert turns.rates_for(0.0) == [0.5, 0.5]
