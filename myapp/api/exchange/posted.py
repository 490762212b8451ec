"""What is posted, for the formats that know nothing of holds: no hold, no release, no line that only gives back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from myapp.ledger import model, queries

_COUNTED = frozenset({model.Effect.POSTED.value, model.Effect.TAKEN.value})
_POSTED = model.Status.POSTED.value


def entries(walk: queries.Walk) -> Iterator[tuple[queries.Entry, Sequence[queries.Line]]]:
    """Yield the posted transactions with the lines that count, by effective time."""
    for entry, of_entry in walk.entries(queries.Order.EFFECTIVE):
        if entry.status == _POSTED:
            if entry.pending_of is not None:
                of_entry = [line for line in of_entry if line[-1] in _COUNTED]  # noqa: PLW2901
            yield entry, of_entry
