"""Read what an export of our own noted in a journal: the entries whose names begin with `ledger-`, see `notes`.

They say what the journal's own words cannot, and come before those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from myapp.api.exchange import notes
from myapp.ledger import model


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What is noted on one entry; `rest` is what its author noted."""

    own: Mapping[str, str] = field(default_factory=dict)
    rest: Mapping[str, object] = field(default_factory=dict)

    @property
    def path(self) -> str | None:
        return self.own.get(notes.PATH)

    @property
    def reference(self) -> str | None:
        return self.own.get(notes.REFERENCE)

    @property
    def is_closed(self) -> bool:
        return notes.CLOSED in self.own

    @property
    def currencies(self) -> tuple[str, ...] | None:
        found = self.own.get(notes.CURRENCIES)
        return None if found is None else tuple(found.split())

    def code(self, named: str) -> str:
        """Return the code of a currency that the journal calls so."""
        return self.own.get(notes.CODE, named)

    def digits(self) -> int | None:
        """Return a currency's decimal digits.

        Raises:
            ValueError: somebody has changed it to what is no number.
        """
        found = self.own.get(notes.DIGITS)
        return None if found is None else int(found)

    def description(self, told: str | None) -> str | None:
        return self.own.get(notes.DESCRIPTION, told)

    def metadata(self) -> Mapping[str, str]:
        """Return the metadata that the journal could not have.

        Raises:
            ValueError: somebody has changed it to what is no JSON of names and texts.
        """
        return {str(key): str(value) for key, value in self._json(notes.METADATA).items()}

    def effective_at(self, day: datetime) -> datetime:
        """Return the effective time, which the journal's day is part of.

        Raises:
            ValueError: it is none, or of another day.
        """
        found = self.own.get(notes.TIME)
        if found is None:
            return day
        at = datetime.fromisoformat(found).astimezone(UTC)
        if at.date() != day.date():
            raise ValueError(f"{notes.TIME} says {found}, which is another day than the entry's")
        return at

    def limits(self) -> Mapping[str, model.NewLimits]:
        """Return an account's limits.

        Raises:
            ValueError: somebody has changed them to what is no JSON of numbers.
        """
        return {code: limits_of(ends) for code, ends in self._json(notes.LIMITS).items() if isinstance(ends, dict)}

    def _json(self, name: str) -> Mapping[str, object]:
        found = json.loads(self.own.get(name, "{}"))
        if not isinstance(found, dict):
            raise ValueError(f"{name} is no JSON object")
        return found


def limits_of(ends: Mapping[str, object]) -> model.NewLimits:
    """Return limits that are written as `{"min": "0.00"}`; raises ValueError."""
    try:
        return model.NewLimits(**{name: Decimal(str(ends[name])) for name in ("min", "max") if name in ends})
    except ArithmeticError as exc:
        raise ValueError("a limit is no number") from exc


def read(meta: Mapping[str, object] | None) -> Noted:
    """Divide an entry's metadata."""
    own: dict[str, str] = {}
    rest: dict[str, object] = {}
    for key, value in (meta or {}).items():
        if key.startswith(notes.PREFIX):
            own[key] = "" if value is None else str(value)
        else:
            rest[key] = value
    return Noted(own=own, rest=rest)
