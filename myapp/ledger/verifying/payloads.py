"""What events say, which whoever changed them may have made into anything."""

from __future__ import annotations

from collections.abc import Mapping

from myapp.ledger.columns import AnyRow

Payload = Mapping[str, object]


def of(event: AnyRow) -> Payload:
    """Return an event's payload; an empty one where it is no object."""
    return event.payload if isinstance(event.payload, dict) else {}
