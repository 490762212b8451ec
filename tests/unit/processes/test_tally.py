"""The counts of several places, in one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from myapp.processes import tally


@pytest.fixture
def places() -> Iterator[list[tally.Tally]]:
    """Return three places of one file."""
    with tally.make(3) as file:
        yield [tally.Tally(file.fileno(), place) for place in range(3)]


def set_all(places: list[tally.Tally], *counts: int) -> None:
    for place, count in zip(places, counts, strict=True):
        place.set(count)


class TestIsAhead:
    @pytest.mark.parametrize(
        ("counts", "ahead"),
        [
            ((0, 0, 0), [False, False, False]),
            ((1, 0, 1), [True, False, True]),
            ((3, 4, 5), [False, True, True]),
            ((80, 89, 92), [False, False, True]),
        ],
    )
    def test_is_who_has_clearly_more_than_the_least(
        self, places: list[tally.Tally], counts: tuple[int, ...], ahead: list[bool]
    ):
        set_all(places, *counts)

        assert [place.is_ahead() for place in places] == ahead

    def test_does_not_wait_for_places_with_nobody(self, places: list[tally.Tally]):
        places[1].set(5)
        assert not places[1].is_ahead()

        set_all(places, 1, 2, 1)
        places[0].forget()
        places[2].forget()
        assert not places[1].is_ahead()
