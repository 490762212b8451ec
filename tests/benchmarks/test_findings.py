"""What follows from the findings: medians over rounds, and ratios to the neighbours in the same round."""

from __future__ import annotations

import dataclasses

import pytest

from tests.benchmarks import table
from tests.benchmarks.findings import Findings, Sample, SideFindings, Spread, interleaved, spread
from tests.benchmarks.load.order import Outcome
from tests.benchmarks.series import SeriesFindings

LATENCY = {"p50": 10.0, "p95": 20.0, "p99": 30.0, "max": 40.0}


def sample(side: str, round_: int, place: int, accepted: int, *, rate: float | None = None, refused: int = 0) -> Sample:
    statuses = {"201": accepted} | ({"409": refused} if refused else {})
    return Sample(
        side=side,
        round=round_,
        place=place,
        rate=rate,
        outcome=Outcome(seconds=2.0, statuses=statuses, latency=LATENCY, cpu_seconds=0.1, lag=None, first_refusal=None),
        application_cpu_seconds=0.5,
        database_cpu_seconds=0.25,
        wal_bytes=accepted * 1000,
    )


FOUND = Findings(
    bench="record",
    title="Record",
    reference="ours",
    machine={"cores": "2"},
    settings={"rounds": 2},
    left_out=["Another"],
    sides=[
        SideFindings(name="ours", title="Ours", statements=4.0, violations=[], first_refusal=None),
        SideFindings(name="peer", title="Peer", statements=7.0, violations=[], first_refusal=None),
        SideFindings(name="absent", title="Absent", statements=1.0, violations=[], first_refusal=None),
    ],
    samples=[
        sample("ours", 0, 0, 400),
        sample("peer", 0, 1, 200),
        sample("ours", 0, 2, 600),
        # Everything took five times as long.
        sample("ours", 1, 0, 80),
        sample("peer", 1, 1, 40),
        sample("ours", 1, 2, 120),
        sample("ours", 0, 0, 200, rate=50.0),
        sample("peer", 0, 1, 100, rate=50.0),
    ],
)


def rows(text: str) -> list[dict[str, str]]:
    """Return each row of the tables as its cells by their headings."""
    tables = [part.splitlines() for part in text.strip().split("\n\n") if part.startswith("|")]
    return [dict(zip(_cells(lines[0]), _cells(line), strict=True)) for lines in tables for line in lines[2:]]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


class TestInterleaved:
    def test_has_the_reference_beside_each_other(self):
        assert interleaved("a", ["b", "c"]) == ["a", "b", "a", "c", "a"]

    def test_of_the_reference_alone_is_the_reference(self):
        assert interleaved("a", []) == ["a"]


class TestSpread:
    def test_is_the_median_with_the_extremes(self):
        assert spread([3.0, 9.0, 1.0]) == Spread(median=3.0, low=1.0, high=9.0)

    def test_of_nothing_is_nothing(self):
        assert spread([]) is None


class TestRatios:
    def test_are_to_the_mean_of_the_neighbours_so_that_a_slow_round_changes_none(self):
        assert FOUND.ratios("peer", None, lambda each: each.per_second) == [2.5, 2.5]

    def test_are_to_the_round_where_the_reference_ran_but_once(self):
        assert FOUND.ratios("peer", 50.0, lambda each: each.per_second) == [2.0]

    def test_are_none_where_nothing_was_measured(self):
        assert FOUND.ratios("absent", None, lambda each: each.per_second) == []


class TestSample:
    def test_tells_what_a_request_took(self):
        one = FOUND.samples[0]

        assert one.per_second == 200.0
        assert one.application_cpu == pytest.approx(1250.0)
        assert one.database_cpu == pytest.approx(625.0)
        assert one.per_unit(one.wal_bytes) == 1000.0


class TestFindings:
    def test_survive_json(self):
        assert Findings.from_json(FOUND.to_json()) == FOUND

    def test_are_well_only_if_nothing_was_refused_and_all_books_hold(self):
        broken = dataclasses.replace(FOUND.sides[1], violations=["balances: 1 differ"])

        assert FOUND.is_well()
        assert not dataclasses.replace(FOUND, sides=[FOUND.sides[0], broken]).is_well()
        refusing = [*FOUND.samples, sample("peer", 1, 3, 5, refused=1)]
        assert not dataclasses.replace(FOUND, samples=refusing).is_well()


class TestTable:
    def test_has_a_row_for_each_side_that_was_measured_in_each_loop(self):
        ours, peer, open_ours, open_peer = rows(table.render(FOUND))

        assert ours["requests per second"] == "130 (40–300)"  # noqa: RUF001
        assert ours["ours is"] == "1"
        assert peer["requests per second"] == "60 (20–100)"  # noqa: RUF001
        assert peer["ours is"] == "2.50 × (2.50–2.50)"  # noqa: RUF001
        assert peer["p99 ms"] == "30.0"
        assert peer["WAL bytes"] == "1,000"
        assert (ours["statements"], peer["statements"]) == ("4", "7")
        assert (peer["not 2xx"], peer["holds"]) == ("0", "yes")
        assert (open_ours["side"], open_peer["side"]) == ("Ours", "Peer")
        assert open_peer["p50: ours is"] == "1.00 × (1.00–1.00)"  # noqa: RUF001

    def test_tells_what_the_generator_took(self):
        assert "took 667 µs of CPU for a request; one of a hundred left it · late" in table.render(FOUND)

    def test_says_who_is_missing(self):
        assert "Not installed, and so left out: Another." in table.render(FOUND)

    def test_says_below_what_makes_figures_worthless(self):
        refusing = SideFindings(
            name="peer", title="Peer", statements=7.0, violations=["balances: 2 differ"], first_refusal="said no"
        )
        samples = [*FOUND.samples, sample("peer", 1, 3, 5, refused=3)]
        text = table.render(dataclasses.replace(FOUND, sides=[FOUND.sides[0], refusing], samples=samples))

        assert "- Peer: balances: 2 differ" in text
        assert "- Peer: 3 requests got no 2xx; the first: said no" in text
        assert rows(text)[1]["holds"] == "no"


def batch_of(side: str, place: int, accepted: int, units: int) -> Sample:
    return dataclasses.replace(sample(side, 0, place, accepted), units=units)


BATCHES = dataclasses.replace(
    FOUND,
    goals={"peer": 3.0},
    unit="transaction",
    samples=[batch_of("ours", 0, 2, 100), batch_of("peer", 1, 50, 1), batch_of("ours", 2, 4, 100)],
)


class TestUnits:
    def test_are_what_is_counted_and_compared(self):
        assert [each.per_second for each in BATCHES.samples] == [100.0, 25.0, 200.0]
        assert BATCHES.ratios("peer", None, lambda each: each.per_second) == [6.0]
        assert BATCHES.samples[0].application_cpu == pytest.approx(2_500.0)

        ours, _peer = rows(table.render(BATCHES))
        assert ours["transactions per second"] == "150 (100–200)"  # noqa: RUF001


class TestGoals:
    def test_are_met_by_the_median(self):
        assert BATCHES.meets("peer") is True
        assert dataclasses.replace(BATCHES, goals={"peer": 6.1}).meets("peer") is False

    def test_are_not_told_where_there_is_none_or_nothing_was_measured(self):
        assert BATCHES.meets("ours") is None
        assert dataclasses.replace(BATCHES, goals={"absent": 1.0}).meets("absent") is None

    def test_have_a_column(self):
        assert rows(table.render(BATCHES))[1]["goal"] == "≥ 3 ×: yes"  # noqa: RUF001
        missed = dataclasses.replace(BATCHES, goals={"peer": 7.5})
        assert rows(table.render(missed))[1]["goal"] == "≥ 7.5 ×: no"  # noqa: RUF001
        assert "goal" not in rows(table.render(FOUND))[0]


class TestSeries:
    def test_survive_json(self):
        found = SeriesFindings(bench="some", title="Some", parts=[FOUND, BATCHES])

        assert SeriesFindings.from_json(found.to_json()) == found

    def test_are_well_only_if_each_part_is(self):
        broken = dataclasses.replace(FOUND, sides=[dataclasses.replace(FOUND.sides[0], violations=["no"])])

        assert SeriesFindings(bench="some", title="Some", parts=[FOUND, BATCHES]).is_well()
        assert not SeriesFindings(bench="some", title="Some", parts=[FOUND, broken]).is_well()
