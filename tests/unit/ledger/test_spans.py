"""Pieces of whole periods: what is in the stretches is counted once by all of them together, all else not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger.grains import Grain
from myapp.ledger.queries import spans
from myapp.ledger.queries.spans import Piece, Stretch

MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)
shifts = st.sampled_from([timedelta(microseconds=-1), timedelta(), timedelta(microseconds=1), timedelta(hours=7)])
moments = st.builds(
    lambda days, shift: MIDNIGHT + timedelta(days=days) + shift, st.sampled_from([-40, -2, -1, 0, 1, 2, 31]), shifts
)
ends = st.none() | moments


def has(stretch: Stretch, moment: datetime) -> bool:
    return (stretch.since is None or stretch.since <= moment) and (stretch.until is None or moment < stretch.until)


def is_whole(piece: Piece) -> bool:
    bounds = (piece.effective.since, piece.effective.until, piece.recorded.since, piece.recorded.until)
    return all(bound is None or piece.grain is None or piece.grain.up(bound) == bound for bound in bounds)


@given(since=ends, until=ends, known_until=ends, effective_at=moments, recorded_at=moments)
def test_count_once_what_is_in_both_stretches(
    since: datetime | None,
    until: datetime | None,
    known_until: datetime | None,
    effective_at: datetime,
    recorded_at: datetime,
) -> None:
    effective, recorded = Stretch(since, until), Stretch(until=known_until)

    pieces = list(spans.pieces(effective, recorded))

    counted = sum(
        1 if piece.is_added else -1
        for piece in pieces
        if has(piece.effective, effective_at) and has(piece.recorded, recorded_at)
    )
    assert counted == (has(effective, effective_at) and has(recorded, recorded_at))
    assert all(map(is_whole, pieces))
    assert not any(piece.effective.is_empty or piece.recorded.is_empty for piece in pieces)


def grains_of(effective: Stretch, recorded: Stretch | None = None) -> list[tuple[Grain | None, bool]]:
    return [(piece.grain, piece.is_added) for piece in spans.pieces(effective, recorded or Stretch())]


def test_up_to_the_end_of_a_month_is_months() -> None:
    assert grains_of(spans.up_to(MIDNIGHT + timedelta(days=1) - spans.TICK)) == [(Grain.MONTH, True)]


def test_up_to_the_end_of_a_day_takes_the_later_days_away() -> None:
    assert grains_of(spans.up_to(MIDNIGHT - spans.TICK)) == [(Grain.MONTH, True), (Grain.DAY, False)]


def test_up_to_noon_takes_the_afternoon_away() -> None:
    noon = MIDNIGHT + timedelta(hours=12)

    (*_, last) = spans.pieces(spans.up_to(noon), Stretch())

    assert last == Piece(None, False, Stretch(noon + spans.TICK, MIDNIGHT + timedelta(days=1)), Stretch())


def test_within_a_day_is_postings_only() -> None:
    assert grains_of(Stretch(MIDNIGHT + timedelta(hours=1), MIDNIGHT + timedelta(hours=2))) == [(None, True)]


def test_as_known_at_both_times_is_five_pieces_at_most_and_from_a_time_seven() -> None:
    noon = MIDNIGHT - timedelta(hours=12)

    assert len(grains_of(spans.up_to(noon), spans.up_to(noon))) == 5
    assert len(grains_of(Stretch(noon - timedelta(days=400), noon), spans.up_to(noon))) == 7
